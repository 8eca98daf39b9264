//! The ledger that is compared with the model: a desk that is asked in the model's words. Must not know what is right.

use giftcard::desk::PayKind;
use giftcard::input::RefundOrderInput;
use giftcard::{Desk, DeskError};
use giftcard_engine::Currency;
use giftcard_ledger::model::Id;
use giftcard_ledger::operations::{
    ActivatePurchase, Adjust, Adjustment, CancelPurchase, ChangeState, Close, Command, ExpireCard, IssueCards, Load,
    NewCard, NewCode, Receipt, RefundOther, RefundPurchase, Reveal, SpareCard, StateChange, Target as At, ToCredit,
    Transfer, credit_id, expire_hold,
};
use serde_json::{Value, json};

use super::{Ask, Change, IssueCard, Money, Pay, Target};
use crate::bank::{self, dollars, minor};
use crate::concurrency::calls::doing;
use crate::concurrency::place::Place;

/// Where nothing was planned to be known.
const PASSED_MAX: usize = 1_000;

/// A ledger, and what its accounts and holds are called there.
pub struct Subject<'a> {
    place: &'a Place,
    desk: Desk,
    runs: u64,
    /// Ids by the model's numbers.
    pub accounts: Vec<Id>,
    /// Codes by the model's numbers; none of store credit.
    pub codes: Vec<Option<String>>,
    /// Ids by the model's numbers.
    pub holds: Vec<Id>,
    codes_made: usize,
}

/// What a desk answered.
pub struct Answered {
    /// The receipt and whether it is that of a repetition, or the code of the refusal.
    pub result: Result<(Receipt, bool), String>,
    /// Codes that were made for new cards, in their order.
    pub codes: Vec<String>,
}

impl<'a> Subject<'a> {
    /// A desk on an empty ledger.
    #[must_use]
    pub fn new(place: &'a Place) -> Self {
        let (accounts, codes, holds) = (Vec::new(), Vec::new(), Vec::new());
        Self { place, desk: place.desk(1), runs: 1, accounts, codes, holds, codes_made: 0 }
    }

    /// The desk.
    #[must_use]
    pub fn desk(&self) -> &Desk {
        &self.desk
    }

    /// The process ends after its background work is done, and another begins.
    pub fn restart(&mut self, now: i64) {
        self.sweep(now);
        self.runs += 1;
        self.desk = self.place.desk(self.runs);
    }

    /// Ends all holds whose time has passed, as a background job would.
    ///
    /// # Panics
    /// If it cannot.
    pub fn sweep(&self, now: i64) {
        for open in self.desk.store().all_passed_holds(now, PASSED_MAX).expect("passed holds") {
            expire_hold(self.desk.ledger(), open.hold, now).expect("a passed hold can be ended");
        }
    }

    /// Asks the desk.
    ///
    /// # Panics
    /// Where the desk fails instead of refusing.
    pub fn ask(&mut self, key: &str, ask: &Ask, now: i64) -> Answered {
        let mut codes = Vec::new();
        let result = match self.send(key, ask, now, &mut codes) {
            Ok(answer) => {
                let receipt = serde_json::from_str(&answer.text).expect("a receipt");
                Ok((receipt, answer.repeated))
            }
            Err(DeskError::Refused(refused)) => Err(refused.code),
            Err(DeskError::KeyReused) => Err("operation-key-reused".to_string()),
            Err(error) => panic!("{ask:?}: {}: {error}", error.code()),
        };
        Answered { result, codes }
    }

    fn send(
        &mut self,
        key: &str,
        ask: &Ask,
        now: i64,
        codes: &mut Vec<String>,
    ) -> Result<giftcard_ledger::Answer, DeskError> {
        let reason = || Some("test".to_string());
        let said = json!(format!("{ask:?}"));
        match ask {
            Ask::Issue(cards) => {
                let cards = cards.iter().map(|card| self.new_card(card, now, codes)).collect();
                let command = IssueCards { cards, reason: None, configuration: None, records: Vec::new() };
                self.operate(key, now, &command, &said)
            }
            Ask::ChangeState { target, change } => {
                let change = match change {
                    Change::Activate => StateChange::Activate,
                    Change::Disable => StateChange::Disable,
                    Change::Enable => StateChange::Enable,
                };
                self.operate(key, now, &ChangeState { target: self.at(target), change, reason: None }, &said)
            }
            Ask::ActivatePurchase { order, cards } => {
                let command = ActivatePurchase { order: purchase(*order), cards: self.ids(cards) };
                self.operate(key, now, &command, &said)
            }
            Ask::CancelPurchase { order, cards } => {
                let command = CancelPurchase { order: purchase(*order), cards: self.ids(cards) };
                self.operate(key, now, &command, &said)
            }
            Ask::Load { target, amount, most } => {
                let (amount, balance_max) = (minor(*amount), most.map(minor));
                let command = Load { target: self.at(target), amount, balance_max, reason: None };
                self.operate(key, now, &command, &said)
            }
            Ask::AdjustBy { target, by } => self.adjust(key, now, target, Adjustment::By(minor(*by)), &said),
            Ask::AdjustTo { target, to } => self.adjust(key, now, target, Adjustment::To(minor(*to)), &said),
            Ask::Close { target } => self.operate(key, now, &Close { target: self.at(target), reason: None }, &said),
            Ask::Expire { target } => self.operate(key, now, &ExpireCard { target: self.at(target) }, &said),
            Ask::Reveal { target } => self.operate(key, now, &Reveal { target: self.at(target), reason: None }, &said),
            Ask::ToCredit { target, customer } => {
                let (target, customer) = (self.at(target), name(*customer));
                let command = ToCredit { target, customer, configuration: None, not_allowed: Vec::new() };
                self.operate(key, now, &command, &said)
            }
            Ask::Transfer { target } => {
                let (replacement, code) = (self.new_id(now), self.new_code(now, codes));
                let command = Transfer { target: self.at(target), replacement, code, reason: reason() };
                self.operate(key, now, &command, &said)
            }
            Ask::RefundPurchase { target, amount } => {
                let command = RefundPurchase { target: self.at(target), amount: amount.map(minor), reason: None };
                self.operate(key, now, &command, &said)
            }
            Ask::Pay(pay) => {
                let kind = if pay.hold_minutes.is_some() { PayKind::Hold } else { PayKind::Redeem };
                self.desk.pay(&read(self.payment(key, pay)), kind, now)
            }
            Ask::Capture { hold, amount, is_final } => {
                let (hold, amount) = (self.holds[*hold].to_string(), amount.map(dollars));
                let document = json!({ "operation": key, "hold": hold, "amount": amount, "final": is_final });
                self.desk.capture(&read(document), now)
            }
            Ask::Void { hold } => self.desk.void(&doing(key, now), &self.holds[*hold].to_string(), None),
            Ask::Refund { order, whole, amount } => {
                let mode = if *whole { "order" } else { "cards" };
                let (order, amount) = (paid_order(*order), dollars(*amount));
                let document = json!({ "operation": key, "order": order, "mode": mode, "amount": amount });
                let needed = self.desk.refund_needs_codes(bank::SITE, &order)?;
                let card = |site| SpareCard { site, id: self.new_id(now), code: self.new_code(now, codes) };
                let spare = needed.into_iter().map(card).collect();
                self.desk.refund(&read::<RefundOrderInput>(document), spare, now)
            }
            Ask::RefundOther { order, target, amount, paid } => {
                let (target, amount, paid) = (self.at(target), minor(*amount), paid.map(minor));
                let command = RefundOther { order: paid_order(*order), target, amount, paid, reason: reason() };
                self.operate(key, now, &command, &said)
            }
        }
    }

    fn operate(
        &self,
        key: &str,
        now: i64,
        command: &impl Command,
        said: &Value,
    ) -> Result<giftcard_ledger::Answer, DeskError> {
        self.desk.operate(&doing(key, now), command, said)
    }

    fn adjust(
        &self,
        key: &str,
        now: i64,
        target: &Target,
        to: Adjustment,
        said: &Value,
    ) -> Result<giftcard_ledger::Answer, DeskError> {
        self.operate(key, now, &Adjust { target: self.at(target), to, reason: "test".to_string() }, said)
    }

    fn payment(&self, key: &str, pay: &Pay) -> Value {
        let entry = |entry: &super::Entry| {
            let limit = entry.most.map(dollars);
            let field = if pay.is_exact { "amount" } else { "use_at_most" };
            match &entry.target {
                Target::Card { card, by_code: true } => json!({ "code": self.code(*card), field: limit }),
                Target::Card { card, .. } => json!({ "id": self.accounts[*card].to_string(), field: limit }),
                Target::Credit(customer, _) => json!({ "credit_of": name(*customer), field: limit }),
            }
        };
        let mut order =
            json!({ "id": paid_order(pay.order), "currency": pay.money.code(), "total": dollars(pay.total) });
        if pay.paid > 0 {
            order["paid"] = json!(dollars(pay.paid));
        }
        if let Some(customer) = pay.customer {
            order["customer"] = json!({ "id": name(customer) });
        }
        let entries: Vec<Value> = pay.entries.iter().map(entry).collect();
        json!({
            "operation": key,
            "order": order,
            "cards": entries,
            "require_full": pay.require_full,
            "hold_minutes": pay.hold_minutes,
        })
    }

    fn code(&self, card: usize) -> &str {
        self.codes[card].as_deref().expect("a card has a code")
    }

    fn ids(&self, cards: &[usize]) -> Vec<Id> {
        cards.iter().map(|card| self.accounts[*card]).collect()
    }

    fn at(&self, target: &Target) -> At {
        match target {
            Target::Card { card, by_code: false } => At::Id(self.accounts[*card]),
            Target::Card { card, by_code: true } => {
                At::Code(vec![self.desk.secrets().lookups(bank::SITE, self.code(*card))])
            }
            Target::Credit(customer, money) => At::Credit { customer: name(*customer), currency: currency(*money) },
        }
    }

    fn new_id(&self, now: i64) -> Id {
        self.desk.ledger().new_id(now)
    }

    fn new_code(&self, now: i64, codes: &mut Vec<String>) -> NewCode {
        let code = bank::code(self.codes_made + codes.len());
        let lookups = self.desk.secrets().lookups(bank::SITE, &code);
        codes.push(code);
        NewCode::Made { id: self.new_id(now), lookups, hint: None, sealed: None }
    }

    fn new_card(&self, card: &IssueCard, now: i64, codes: &mut Vec<String>) -> NewCard {
        NewCard {
            id: self.new_id(now),
            currency: currency(card.money),
            programme: "manual".to_string(),
            customer: card.customer.map(name),
            value: minor(card.value),
            active: card.active,
            expires_at: card.expires_at,
            expires_on: None,
            bought_by: card.bought_by.map(purchase),
            code: self.new_code(now, codes),
        }
    }

    /// Remembers what the accounts after `known` are called: new cards get the codes that were made, in their order.
    pub fn learn(&mut self, account: Id, code: Option<String>) {
        self.accounts.push(account);
        self.codes.push(code);
    }

    /// Codes are never made twice.
    pub fn count_codes(&mut self, made: usize) {
        self.codes_made += made;
    }
}

/// A customer's name.
#[must_use]
pub fn name(customer: u8) -> String {
    format!("customer-{customer}")
}

/// The id of a customer's store credit.
#[must_use]
pub fn id_of_credit(customer: u8, money: Money) -> Id {
    credit_id(bank::SITE, &name(customer), currency(money))
}

/// The name of an order that cards pay for.
#[must_use]
pub fn paid_order(order: u8) -> String {
    format!("order-{order}")
}

/// The name of an order that buys cards.
#[must_use]
pub fn purchase(order: u8) -> String {
    format!("purchase-{order}")
}

/// A currency of two decimals.
#[must_use]
pub fn currency(money: Money) -> Currency {
    Currency::new(money.code(), 2).expect("a currency")
}

fn read<T: serde::de::DeserializeOwned>(document: Value) -> T {
    // What is left out is nothing.
    let bare = match document {
        Value::Object(fields) => Value::Object(fields.into_iter().filter(|(_, value)| !value.is_null()).collect()),
        other => other,
    };
    serde_json::from_value(bare).expect("a document that the desk takes")
}
