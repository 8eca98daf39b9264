//! What is recorded of a decision, and how it is run again. Personal fields of the order are apart. Must not decide.

use giftcard_engine::card::{CardSnapshot, Status};
use giftcard_engine::moment::{InstantMs, format_instant};
use giftcard_engine::quote::CardOutcome;
use giftcard_engine::{Minor, QuoteRequest};
use giftcard_host::Quoted;
use giftcard_ledger::model::Operation;
use giftcard_ledger::store::Context;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::pay::hex;
use super::{Desk, DeskError};
use crate::input::OrderInput;
use crate::output::{CardOutcomeOutput, QuoteOutput};

/// Fields of an order that tell who ordered.
const PERSONAL: [&str; 3] = ["customer", "billing", "ship_to"];

/// The order as it is recorded: without personal fields.
pub(super) fn order_text(order: &OrderInput) -> String {
    let bare = OrderInput { customer: None, billing: None, ship_to: None, ..order.clone() };
    serde_json::to_string(&bare).expect("INVARIANT: an order has string keys only")
}

/// The personal fields of an order, if it has any.
pub(super) fn personal_text(order: &OrderInput) -> Option<String> {
    #[derive(Serialize)]
    struct Personal<'a> {
        #[serde(skip_serializing_if = "Option::is_none")]
        customer: &'a Option<crate::input::CustomerInput>,
        #[serde(skip_serializing_if = "Option::is_none")]
        billing: &'a Option<crate::input::AddressInput>,
        #[serde(skip_serializing_if = "Option::is_none")]
        ship_to: &'a Option<crate::input::AddressInput>,
    }
    let OrderInput { customer, billing, ship_to, .. } = order;
    let any = customer.is_some() || billing.is_some() || ship_to.is_some();
    let text = || serde_json::to_string(&Personal { customer, billing, ship_to });
    any.then(|| text().expect("INVARIANT: personal fields have string keys only"))
}

/// A decision to record.
pub(super) struct Decided<'a> {
    pub(super) now: InstantMs,
    pub(super) order: &'a str,
    pub(super) personal: bool,
    pub(super) context: &'a Context,
    pub(super) request: &'a QuoteRequest,
    pub(super) quoted: &'a Quoted,
}

/// A card as it stood, in the words of a quote's input.
#[derive(Serialize)]
struct CardFacts<'a> {
    id: &'a str,
    programme: &'a str,
    site: &'a str,
    currency: String,
    balance: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    held: Option<String>,
    initial: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<&'static str>,
    issued_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    use_at_most: Option<String>,
}

fn card_facts<'a>(card: &'a CardSnapshot, request: &QuoteRequest) -> CardFacts<'a> {
    let decimal = |amount: Minor| amount.to_decimal(card.currency.exponent());
    CardFacts {
        id: &card.id,
        programme: &card.programme,
        site: &card.site,
        currency: card.currency.to_string(),
        balance: decimal(card.balance),
        held: (!card.held.is_zero()).then(|| decimal(card.held)),
        initial: decimal(card.initial),
        status: match card.status {
            Status::Active => None,
            other => Some(giftcard_ledger::operations::status_name(other)),
        },
        issued_at: format_instant(card.issued_at),
        expires_at: card.expires_at.map(format_instant),
        use_at_most: card.use_at_most.map(|limit| limit.to_decimal(request.order.currency.exponent())),
    }
}

/// What came of a card: `applied` and `taken` in minor units.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct ShareFacts {
    card: String,
    outcome: String,
    applied: i64,
    taken: i64,
}

/// A call: which component by its digest, which function, how much fuel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct CallFacts {
    digest: String,
    function: String,
    fuel: u64,
}

/// The decision as JSON.
pub(super) fn text(decided: &Decided<'_>) -> String {
    #[derive(Serialize)]
    struct Rest<'a> {
        cards: Vec<CardFacts<'a>>,
        due: i64,
        shares: Vec<ShareFacts>,
        calls: Vec<CallFacts>,
        engine: &'a str,
    }
    let (request, quoted) = (decided.request, decided.quoted);
    // An entry that repeats another is the same card, and has no share of its own.
    let cards = quoted.quote.shares.iter().map(|share| card_facts(&request.cards[share.card], request));
    let shares = quoted.quote.shares.iter().map(|share| ShareFacts {
        card: request.cards[share.card].id.clone(),
        outcome: match &share.outcome {
            CardOutcome::Used => "used".to_string(),
            CardOutcome::NotNeeded => "not-needed".to_string(),
            CardOutcome::Refused(refusal) => refusal.reject.code.clone(),
        },
        applied: share.applied.get(),
        taken: share.taken.get(),
    });
    let calls = quoted.calls.iter().map(|call| CallFacts {
        digest: call.component.digest.clone(),
        function: call.function.to_string(),
        fuel: call.fuel,
    });
    let rest = Rest {
        cards: cards.collect(),
        due: quoted.quote.due.get(),
        shares: shares.collect(),
        calls: calls.collect(),
        engine: &quoted.engine,
    };
    let rest = serde_json::to_string(&rest).expect("INVARIANT: a decision has string keys only");
    format!(
        "{{\"now\":\"{}\",\"context\":\"{}\",\"personal\":{},\"order\":{},{}",
        format_instant(decided.now),
        hex(&decided.context.digest),
        decided.personal,
        decided.order,
        &rest[1..]
    )
}

/// A recorded decision, read.
#[derive(Deserialize)]
struct Recorded {
    now: String,
    context: String,
    personal: bool,
    order: Value,
    cards: Value,
    due: i64,
    shares: Vec<ShareFacts>,
    calls: Vec<CallFacts>,
    engine: String,
}

/// What became of running a decision again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rerun {
    /// The same outcome, and on the same engine the same fuel.
    Same,
    /// Personal fields were erased, or it was decided by a component that is not loaded.
    NotReplayable(String),
    /// Another outcome, or other fuel on the same engine.
    Differs(String),
    /// The operation has no decision of rules.
    NoDecision,
}

/// Runs the decision of an operation again.
///
/// # Errors
/// [`DeskError`] where it cannot be read. That the rules fail is a difference, except that they are busy.
pub fn rerun(desk: &Desk, operation: &Operation) -> Result<Rerun, DeskError> {
    let question = match question(desk, operation)? {
        Ok(question) => question,
        Err(none) => return Ok(none),
    };
    let recorded = &question.recorded;
    if let Some(call) = recorded.calls.iter().find(|call| !desk.knows_component(&call.digest)) {
        return Ok(Rerun::NotReplayable(format!("component {} is not loaded", call.digest)));
    }
    let answer = match desk.till().quote(&question.document.to_string(), operation.at, false) {
        Ok(answer) => answer,
        Err(error) if error.code() == "busy" => return Err(error.into()),
        Err(error) => return Ok(Rerun::Differs(error.to_string())),
    };
    Ok(compare(recorded, &answer))
}

/// A recorded decision, and what was asked.
pub(super) struct AskedAgain {
    recorded: Recorded,
    /// The input of a quote: site, programmes, cards and moment as they were, the order with its personal fields.
    pub(super) document: Value,
}

impl AskedAgain {
    /// Whether this answer is what was decided, on whatever components.
    pub(super) fn is_answered_by(&self, answer: &QuoteOutput) -> bool {
        outcome(answer).is_some_and(|(shares, due)| shares == self.recorded.shares && due == self.recorded.due)
    }
}

/// What was asked when an operation was decided; inside, why that cannot be told.
pub(super) fn question(desk: &Desk, operation: &Operation) -> Result<Result<AskedAgain, Rerun>, DeskError> {
    let Some(text) = &operation.decision else { return Ok(Err(Rerun::NoDecision)) };
    let unreadable = |why: String| Ok(Err(Rerun::Differs(format!("the record cannot be read: {why}"))));
    let recorded: Recorded = match serde_json::from_str(text) {
        Ok(recorded) => recorded,
        Err(error) => return unreadable(error.to_string()),
    };
    let Some(digest) = unhex(&recorded.context) else { return unreadable("its context has no digest".to_string()) };
    let Some(context) = desk.store().context(digest)? else { return unreadable("its context is gone".to_string()) };
    if giftcard_ledger::chain::digest(&context) != digest {
        let why = "the site and programmes it refers to were changed afterwards".to_string();
        return Ok(Err(Rerun::Differs(why)));
    }
    let Ok(Value::Object(context)) = serde_json::from_str(&context) else {
        return unreadable("its context is no object".to_string());
    };
    let Value::Object(mut order) = recorded.order.clone() else { return unreadable("its order".to_string()) };
    if recorded.personal {
        let kept = match operation.personal {
            Some(reference) => desk.store().personal(reference)?,
            None => None,
        };
        let Some(kept) = kept else {
            return Ok(Err(Rerun::NotReplayable("personal fields were erased".to_string())));
        };
        let Ok(Value::Object(kept)) = serde_json::from_str(&kept.body) else {
            return unreadable("its personal fields are no object".to_string());
        };
        order.extend(kept.into_iter().filter(|(field, _)| PERSONAL.contains(&field.as_str())));
    }
    let document = serde_json::json!({
        "now": recorded.now,
        "site": context.get("site"),
        "programmes": context.get("programmes"),
        "order": order,
        "cards": recorded.cards,
    });
    Ok(Ok(AskedAgain { recorded, document }))
}

/// What came of each card, and what is due, in minor units. `None` where a currency is none.
fn outcome(answer: &QuoteOutput) -> Option<(Vec<ShareFacts>, i64)> {
    let currency = giftcard_engine::Currency::iso(&answer.currency)?;
    let minor = |amount: &str, currency: giftcard_engine::Currency| currency.parse(amount).map_or(-1, Minor::get);
    let share = |card: &crate::output::CardOutput| ShareFacts {
        card: card.id.clone(),
        outcome: match card.outcome {
            CardOutcomeOutput::Used => "used".to_string(),
            CardOutcomeOutput::NotNeeded => "not-needed".to_string(),
            CardOutcomeOutput::Refused | CardOutcomeOutput::Repeated => card.code.clone().unwrap_or_default(),
        },
        applied: minor(&card.applied.0, currency),
        taken: giftcard_engine::Currency::iso(&card.currency).map_or(-1, |own| minor(&card.taken.0, own)),
    };
    Some((answer.cards.iter().map(share).collect(), minor(&answer.due.0, currency)))
}

fn compare(recorded: &Recorded, answer: &QuoteOutput) -> Rerun {
    let Some((shares, due)) = outcome(answer) else {
        return Rerun::Differs(format!("`{}` is no currency", answer.currency));
    };
    if shares != recorded.shares || due != recorded.due {
        return Rerun::Differs(format!("{:?} was decided, {shares:?} comes out now", recorded.shares));
    }
    let calls: Vec<CallFacts> = answer
        .rules
        .calls
        .iter()
        .map(|call| CallFacts { digest: call.digest.clone(), function: call.function.clone(), fuel: call.fuel })
        .collect();
    if answer.rules.engine == recorded.engine && calls != recorded.calls {
        return Rerun::Differs(format!("{:?} was used, {calls:?} is now, on the same engine", recorded.calls));
    }
    Rerun::Same
}

impl Desk {
    /// Whether a component with this digest is loaded.
    fn knows_component(&self, digest: &str) -> bool {
        let rulebook = self.till().rulebook();
        rulebook.rules().facts().digest == digest
            || rulebook.conditions().any(|condition| condition.facts().digest == digest)
    }
}

pub(super) fn unhex(text: &str) -> Option<[u8; 32]> {
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    let mut bytes = [0; 32];
    for (place, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[2 * place..2 * place + 2], 16).ok()?;
    }
    Some(bytes)
}
