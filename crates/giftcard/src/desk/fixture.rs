//! A recorded decision as a fixture for the author of a condition, without what tells who ordered. Must not know files.

use std::collections::BTreeSet;

use giftcard_engine::moment::format_instant;
use giftcard_ledger::model::{Operation, OrderRecord};
use giftcard_ledger::operations::order_key;
use giftcard_ledger::plan::read_record;
use giftcard_ledger::store::{Want, history};
use serde_json::{Map, Value, json};

use super::decision::{Asked, is_refund};
use super::plugins::PINNED;
use super::stage::id_of;
use super::{Desk, DeskError, Refused, Rerun, plugin_parts};
use crate::output::{CardOutcomeOutput, CardOutput, QuoteOutput};

/// What stays of a customer: what rules may rest on and is shared by many.
const CUSTOMER_KEPT: [&str; 5] = ["registered", "roles", "segments", "orders", "spent"];

/// What stays of an address.
const ADDRESS_KEPT: [&str; 2] = ["country", "region"];

impl Desk {
    /// A fixture, as [`crate::fixtures`] runs it, of the last decision for an order of a site. Taken out are ids and names of
    /// order, cards and customer, email, towns and postal codes, names of lines, codes of discounts, and all attributes but
    /// those of cards; wherever one of these texts stands in the settings of a condition it is put out of sight there, too.
    /// The fixture claims what comes out without them, and says so where that is something else than was decided.
    ///
    /// # Errors
    /// [`DeskError`]; [`Refused`] codes are `order-not-found`, `no-decision`, `not-replayable`.
    pub fn fixture(&self, site: &str, order: &str) -> Result<Value, DeskError> {
        let operation = self.last_decision(site, order)?;
        let asked = match Asked::of(self, self.stages(), &operation)? {
            Ok(asked) => asked,
            Err(Rerun::NotReplayable(why) | Rerun::Differs(why)) => {
                return Err(Refused::mistake("not-replayable", format!("order `{order}`: {why}")).into());
            }
            Err(Rerun::NoDecision | Rerun::Same) => return Err(no_decision(order)),
        };
        let mut document = asked.document(self, &operation)?;
        rename_cards(&mut document);
        let was_off = switch_on(&mut document);
        let is_as_recorded = asked.outcome(&asked.decide()?) == (asked.shares.clone(), asked.due);
        let quote = |document: &Value| asked.stage.till().quote(&document.to_string(), operation.at, false);
        let as_decided = quote(&document)?;
        let before = document.clone();
        take_out(&mut document);
        let gone = texts_gone(&before, &document);
        hide_in_settings(&mut document, &gone);
        let answer = quote(&document)?;
        name_plugins_by_id(&mut document);
        let by_card = |field: &dyn Fn(&CardOutput) -> Option<Value>| {
            let claims = answer.cards.iter().filter_map(|card| Some((card.id.clone(), field(card)?)));
            claims.collect::<Map<String, Value>>()
        };
        let mut claims = Map::new();
        claims.insert("due".to_string(), json!(answer.due));
        let applied = by_card(&|card| Some(json!(card.applied)));
        let code = |card: &CardOutput| match card.outcome {
            CardOutcomeOutput::Refused => card.code.clone().map(Value::String),
            _ => None,
        };
        for (name, of_cards) in [("applied", applied), ("code", by_card(&code))] {
            if !of_cards.is_empty() {
                claims.insert(name.to_string(), Value::Object(of_cards));
            }
        }
        let mut fixture = Map::new();
        fixture.insert("about".to_string(), json!(format!("A decision of {}.", &format_instant(operation.at)[..10])));
        fixture.insert("now".to_string(), json!(format_instant(operation.at)));
        let now = |answer: &QuoteOutput| {
            let cards = answer.cards.iter().map(|card| (card.applied.clone(), card.code.clone()));
            (cards.collect::<Vec<_>>(), answer.due.clone())
        };
        let notes = [
            (was_off, "A condition was switched off when this was decided; here it is on."),
            (!is_as_recorded, "It is decided otherwise now than it was recorded."),
            (now(&as_decided) != now(&answer), "Without what was taken out it is decided otherwise than with it."),
        ];
        let notes: Vec<&str> = notes.into_iter().filter(|(is_so, _)| *is_so).map(|(_, note)| note).collect();
        if !notes.is_empty() {
            fixture.insert("note".to_string(), json!(notes.join(" ")));
        }
        fixture.insert("steps".to_string(), json!([{ "quote": document, "claims": claims }]));
        Ok(Value::Object(fixture))
    }

    /// The last payment of an order that rules have decided.
    fn last_decision(&self, site: &str, order: &str) -> Result<Operation, DeskError> {
        let store = self.store();
        let key = order_key(site, order);
        let found = store.find(&Want { records: vec![key.clone()], ..Want::default() })?;
        let Some(record) = found.records.get(&key) else {
            return Err(Refused::mistake(
                "order-not-found",
                format!("no card pays for an order `{order}` of `{site}`"),
            )
            .into());
        };
        let record: OrderRecord = read_record(&record.body)?;
        let mut accounts: Vec<_> = record.tenders.iter().map(|tender| tender.account).collect();
        if let Some(hold) = record.hold {
            let hold = self.hold_record(hold)?;
            accounts.extend(hold.iter().flat_map(|hold| &hold.lines).map(|line| line.account));
        }
        accounts.sort_unstable();
        accounts.dedup();
        let mut operations = Vec::new();
        for account in accounts {
            for booked in history(store, account, 0) {
                let booked = booked?;
                if booked.order.as_deref() == Some(order) {
                    operations.push((booked.sequence, booked.operation));
                }
            }
        }
        operations.sort();
        operations.dedup();
        for (_, key) in operations.into_iter().rev() {
            let found = store.find(&Want { operation: Some(key), ..Want::default() })?;
            let is_payment = |operation: &Operation| operation.decision.as_deref().is_some_and(|text| !is_refund(text));
            if let Some(operation) = found.operation.filter(is_payment) {
                return Ok(operation);
            }
        }
        Err(no_decision(order))
    }
}

/// Every condition of every programme.
fn bindings(document: &mut Value) -> impl Iterator<Item = &mut Value> {
    let programmes = document.get_mut("programmes").and_then(Value::as_array_mut).into_iter().flatten();
    programmes.flat_map(|programme| programme.get_mut("conditions").and_then(Value::as_array_mut).into_iter().flatten())
}

/// Conditions that were switched off are on in a fixture. Whether there was one.
fn switch_on(document: &mut Value) -> bool {
    let mut was_off = false;
    for binding in bindings(document) {
        if let Some((id, digest, true)) = binding["plugin"].as_str().and_then(plugin_parts) {
            binding["plugin"] = json!(format!("{id}{PINNED}{digest}"));
            was_off = true;
        }
    }
    was_off
}

/// Whoever runs the fixture has another build of the plugin.
fn name_plugins_by_id(document: &mut Value) {
    let shorten = |name: &mut Value| {
        if let Some(id) = name.as_str().map(id_of) {
            *name = json!(id);
        }
    };
    for binding in bindings(document) {
        shorten(&mut binding["plugin"]);
        if let Some(previous) = binding.pointer_mut("/on_failure/previous/plugin") {
            shorten(previous);
        }
    }
}

fn no_decision(order: &str) -> DeskError {
    Refused::mistake("no-decision", format!("no rules have decided about order `{order}`")).into()
}

/// Calls the cards A, B and so on.
fn rename_cards(document: &mut Value) {
    let cards = document.get_mut("cards").and_then(Value::as_array_mut).into_iter().flatten();
    for (place, card) in cards.enumerate() {
        let name = match u8::try_from(place) {
            Ok(place @ 0..26) => char::from(b'A' + place).to_string(),
            _ => format!("card {}", place + 1),
        };
        card["id"] = json!(name);
    }
}

/// Texts of the order that are not in it any more, longest first.
fn texts_gone(before: &Value, after: &Value) -> Vec<String> {
    fn texts(value: &Value, found: &mut BTreeSet<String>) {
        match value {
            Value::String(text) => {
                found.insert(text.clone());
            }
            Value::Array(items) => items.iter().for_each(|item| texts(item, found)),
            Value::Object(fields) => fields.values().for_each(|field| texts(field, found)),
            _ => {}
        }
    }
    let (mut there, mut left) = (BTreeSet::new(), BTreeSet::new());
    texts(&before["order"], &mut there);
    texts(&after["order"], &mut left);
    let is_telling = |text: &&String| text.chars().count() > 2;
    let mut gone: Vec<String> = there.difference(&left).filter(is_telling).cloned().collect();
    gone.sort_by_key(|text| std::cmp::Reverse(text.len()));
    gone
}

fn hide_in_settings(document: &mut Value, texts: &[String]) {
    fn hide(value: &mut Value, texts: &[String]) {
        match value {
            Value::String(text) => texts.iter().for_each(|gone| *text = text.replace(gone.as_str(), "removed")),
            Value::Array(items) => items.iter_mut().for_each(|item| hide(item, texts)),
            Value::Object(fields) => fields.values_mut().for_each(|field| hide(field, texts)),
            _ => {}
        }
    }
    for binding in bindings(document) {
        for part in ["settings", "on_failure"] {
            if let Some(settings) = binding.get_mut(part) {
                hide(settings, texts);
            }
        }
    }
}

/// Takes out what tells who ordered.
fn take_out(document: &mut Value) {
    if let Some(fields) = document.as_object_mut() {
        fields.shift_remove("now");
    }
    for programme in document.get_mut("programmes").and_then(Value::as_array_mut).into_iter().flatten() {
        // A programme for one named customer.
        if programme["audience"].get("customer").is_some()
            && let Some(fields) = programme.as_object_mut()
        {
            fields.shift_remove("audience");
        }
    }
    let Some(order) = document.get_mut("order").and_then(Value::as_object_mut) else { return };
    for field in ["id", "attributes"] {
        order.shift_remove(field);
    }
    for discount in order.get_mut("discounts").and_then(Value::as_array_mut).into_iter().flatten() {
        if let Some(discount) = discount.as_object_mut() {
            discount.shift_remove("code");
        }
    }
    for line in order.get_mut("lines").and_then(Value::as_array_mut).into_iter().flatten() {
        if let Some(line) = line.as_object_mut() {
            line.shift_remove("name");
            line.shift_remove("attributes");
        }
    }
    let kept: [(&str, &[&str]); 3] =
        [("customer", &CUSTOMER_KEPT), ("billing", &ADDRESS_KEPT), ("ship_to", &ADDRESS_KEPT)];
    for (name, kept) in kept {
        if let Some(fields) = order.get_mut(name).and_then(Value::as_object_mut) {
            fields.retain(|field, _| kept.contains(&field.as_str()));
        }
    }
}
