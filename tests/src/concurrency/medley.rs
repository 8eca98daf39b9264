//! Clients that do a bit of everything at once: a few cards, orders and customers, holds that pass while others are
//! captured, refunds beside transfers into store credit. Must not know what is right; every refusal has to be one that a
//! client can understand.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use giftcard::{Desk, DeskError};
use giftcard_engine::moment::InstantMs;
use giftcard_ledger::operations::{ChangeState, Receipt, StateChange, Target, ToCredit};
use giftcard_ledger::store::StoreError;
use serde_json::json;

use super::calls::{Call, What, doing};
use super::faults::Dice;
use crate::bank;

/// Cards, which have the codes [`bank::code`]`(0..)`.
pub const CARDS: usize = 8;

/// Orders and customers.
const ORDERS: u64 = 8;
const CUSTOMERS: u64 = 2;

const MINUTE_MS: i64 = 60_000;

/// What a client may be told, other than that it was done. Nobody who asks for something sensible is told that the ledger
/// is busy, or that what it keeps cannot be.
const REFUSALS: [&str; 20] = [
    "adjustment-too-low",
    "capture-above-hold",
    "card-closed",
    "card-disabled",
    "card-empty",
    "card-held",
    "hold-not-open",
    "hold-partly-captured",
    "insufficient-funds",
    "no-card-usable",
    "not-fully-covered",
    "order-already-paid",
    "order-not-found",
    "refund-above-refundable",
    "wrong-state",
    "customer-mismatch",
    "code-missing",
    "card-not-found",
    "amount-not-positive",
    "adjustment-zero",
];

/// How often each answer came.
pub type Tally = BTreeMap<String, usize>;

struct Medley {
    holds: Mutex<Vec<String>>,
    tally: Mutex<Tally>,
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Lets so many clients of each desk do so many things each.
///
/// # Panics
/// At an answer that nobody may get.
#[must_use]
pub fn run(desks: &[Desk], clients: usize, operations: usize, seed: u64) -> Tally {
    let medley = Medley { holds: Mutex::default(), tally: Mutex::default() };
    std::thread::scope(|scope| {
        for (number, desk) in desks.iter().enumerate() {
            for client in 0..clients {
                let (medley, name) = (&medley, number * clients + client);
                scope.spawn(move || medley.client(desk, name, operations, seed));
            }
        }
    });
    medley.tally.into_inner().unwrap_or_else(PoisonError::into_inner)
}

impl Medley {
    fn client(&self, desk: &Desk, name: usize, operations: usize, seed: u64) {
        let dice = Dice::new(seed.wrapping_mul(7_919).wrapping_add(name as u64) << 24);
        for serial in 0..operations {
            let key = format!("{name}-{serial}");
            // Every clock is somewhat off, and holds of some minutes pass.
            let now = bank::NOW
                + i64::try_from(serial).unwrap_or(0) * MINUTE_MS
                + i64::try_from(dice.roll(120_000)).unwrap_or(0);
            self.ask_until_answered(desk, &key, now, dice.roll(u64::MAX));
        }
    }

    /// Asks again with the same key while the outcome is unknown; what is asked follows from `seed`.
    fn ask_until_answered(&self, desk: &Desk, key: &str, now: InstantMs, seed: u64) {
        // The hold is chosen once: with another it would be another request.
        let holds = locked(&self.holds).clone();
        loop {
            let dice = Dice::new(seed);
            let (kind, asked) = self.ask(desk, key, now, &dice, &holds);
            let said = match asked {
                Ok(answer) => {
                    self.remember_hold(&answer.text);
                    "done".to_string()
                }
                Err(DeskError::Refused(refused)) if REFUSALS.contains(&refused.code.as_str()) => refused.code,
                Err(DeskError::Store(StoreError::Unknown(_))) => continue,
                Err(error) => panic!("{kind} {key}: {}: {error}", error.code()),
            };
            *locked(&self.tally).entry(format!("{kind}: {said}")).or_default() += 1;
            return;
        }
    }

    fn remember_hold(&self, answer: &str) {
        let receipt: Receipt = serde_json::from_str(answer).expect("a receipt");
        if receipt.kind == "hold"
            && let Some(hold) = receipt.hold
        {
            locked(&self.holds).push(hold.to_string());
        }
    }

    fn ask(
        &self,
        desk: &Desk,
        key: &str,
        now: InstantMs,
        dice: &Dice,
        holds: &[String],
    ) -> (&'static str, Result<giftcard_ledger::Answer, DeskError>) {
        let code = || bank::code(usize::try_from(dice.roll(CARDS as u64)).unwrap_or(0));
        let amount = |most: u64| 1 + i64::try_from(dice.roll(most)).unwrap_or(0);
        let order = format!("order-{}", dice.roll(ORDERS));
        let operation = key.to_string();
        let hold =
            holds.len().checked_sub(1 + usize::try_from(dice.roll(4)).unwrap_or(0)).map(|place| holds[place].clone());
        let target = |code: String| Target::Code(vec![desk.secrets().lookups(bank::SITE, &code)]);
        let customer = format!("customer-{}", dice.roll(CUSTOMERS));
        let paid = || {
            let cards = vec![json!({ "code": code() }), json!({ "code": code() }), json!({ "credit_of": customer })];
            // The same card twice is one card.
            Call { now, what: What::Redeem(bank::payment_document(key, &order, 200_000 + amount(300), cards)) }
        };
        match (dice.roll(12), hold) {
            (0..=2, _) => {
                let mut call = paid();
                if let What::Redeem(document) = &mut call.what {
                    document["cards"][0]["use_at_most"] = json!("1.00");
                    document["cards"].as_array_mut().expect("cards").truncate(1);
                }
                ("redeem", call.ask(desk))
            }
            (3..=4, _) => ("hold", paid().as_hold(u32::try_from(amount(5)).unwrap_or(1)).ask(desk)),
            (5..=6, Some(hold)) => {
                let part = json!({ "operation": key, "hold": hold, "amount": "0.50", "final": dice.roll(3) == 0 });
                let whole = json!({ "operation": key, "hold": hold });
                let document = if dice.roll(2) == 0 { part } else { whole };
                ("capture", Call { now, what: What::Capture(document) }.ask(desk))
            }
            (7, Some(hold)) => ("void", Call { now, what: What::Void { operation, hold } }.ask(desk)),
            (8, _) => ("refund", Call::refund(key, &order, amount(150)).at(now).ask(desk)),
            (9, _) => {
                let change = if dice.roll(2) == 0 { StateChange::Disable } else { StateChange::Enable };
                let code = code();
                let facts = json!([code, format!("{change:?}")]);
                let command = ChangeState { target: target(code), change, reason: None };
                ("change state", desk.operate(&doing(key, now), &command, &facts))
            }
            (10, _) if dice.roll(6) == 0 => {
                let code = code();
                let facts = json!([code, customer]);
                let (target, configuration) = (target(code), None);
                let command = ToCredit { target, customer, configuration, not_allowed: Vec::new() };
                ("to credit", desk.operate(&doing(key, now), &command, &facts))
            }
            _ => ("load", Call { now, what: What::Load { operation, code: code(), amount: amount(400) } }.ask(desk)),
        }
    }
}
