//! What a client asks of a desk, as data that goes to other processes, and what becomes of it. A client whose connection
//! is cut asks again with the same key. Must not know stores.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use giftcard::desk::PayKind;
use giftcard::{Desk, DeskError, Doing};
use giftcard_engine::moment::InstantMs;
use giftcard_ledger::operations::{Adjust, Adjustment, Load};
use giftcard_ledger::store::StoreError;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::bank::{self, dollars, minor, payment_document};

/// How often a client asks again after it heard that the outcome is unknown, or that the database is away.
const TRIES_MAX: u32 = 600;

/// Code of the answer to a key that another request has.
pub const KEY_REUSED: &str = "operation-key-reused";

/// How long it waits before it does: longer from time to time, up to this.
const PAUSE_MAX_MS: u64 = 50;

/// A request to a desk.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Call {
    /// The clock of whoever sends it.
    pub now: InstantMs,
    /// What is asked.
    pub what: What,
}

/// What is asked.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum What {
    /// An order is paid at once: a document of `giftcard redeem`.
    Redeem(Value),
    /// A hold is taken: a document of `giftcard hold`.
    Hold(Value),
    /// A hold is captured: a document of `giftcard capture`.
    Capture(Value),
    /// A hold is voided.
    Void {
        /// The operation's key.
        operation: String,
        /// The hold.
        hold: String,
    },
    /// An order is refunded: a document of `giftcard refund`.
    Refund(Value),
    /// A card is loaded.
    Load {
        /// The operation's key.
        operation: String,
        /// The card's code.
        code: String,
        /// Minor units.
        amount: i64,
    },
    /// A card's balance is corrected.
    Adjust {
        /// The operation's key.
        operation: String,
        /// The card's code.
        code: String,
        /// Minor units, not nothing.
        by: i64,
    },
    /// What an order could be paid with. Moves nothing.
    Quote(Value),
}

impl What {
    /// The operation's key; none where nothing is done.
    #[must_use]
    pub fn key(&self) -> Option<&str> {
        match self {
            Self::Redeem(document) | Self::Hold(document) | Self::Capture(document) | Self::Refund(document) => {
                document["operation"].as_str()
            }
            Self::Void { operation, .. } | Self::Load { operation, .. } | Self::Adjust { operation, .. } => {
                Some(operation)
            }
            Self::Quote(_) => None,
        }
    }
}

/// What became of a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// It was done.
    Done {
        /// The answer.
        text: String,
        /// Whether it had been done before.
        repeated: bool,
    },
    /// It was refused, with this code.
    Refused(String),
    /// There is no answer.
    Failed {
        /// Stable code.
        code: String,
        /// Why.
        message: String,
    },
}

/// An outcome, and what it took.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answered {
    /// What became of it.
    pub outcome: Outcome,
    /// How often the outcome was unknown.
    pub unknown: u32,
    /// How often the database was away.
    pub away: u32,
}

impl Answered {
    /// The answer, if it was done.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        match &self.outcome {
            Outcome::Done { text, .. } => Some(text),
            _ => None,
        }
    }

    /// The code of the refusal or failure; `done` if it was done.
    #[must_use]
    pub fn code(&self) -> &str {
        match &self.outcome {
            Outcome::Done { .. } => "done",
            Outcome::Refused(code) | Outcome::Failed { code, .. } => code,
        }
    }
}

impl Call {
    /// A redemption or hold of `total` cents, paid with these codes as far as they go; at [`bank::NOW`].
    #[must_use]
    pub fn redeem(operation: &str, order: &str, total: i64, codes: &[String]) -> Self {
        let cards: Vec<Value> = codes.iter().map(|code| json!({ "code": code })).collect();
        Self { now: bank::NOW, what: What::Redeem(payment_document(operation, order, total, cards)) }
    }

    /// A redemption of exactly `amount` cents from one card, refused whole where it cannot be; at [`bank::NOW`].
    #[must_use]
    pub fn exact(operation: &str, amount: i64, code: &str) -> Self {
        let card = json!({ "code": code, "amount": dollars(amount) });
        Self { now: bank::NOW, what: What::Redeem(payment_document(operation, operation, amount, vec![card])) }
    }

    /// A capture of everything that is left of a hold; at [`bank::NOW`].
    #[must_use]
    pub fn capture(operation: &str, hold: &str) -> Self {
        Self { now: bank::NOW, what: What::Capture(json!({ "operation": operation, "hold": hold })) }
    }

    /// A refund of so many cents of what cards paid for an order; at [`bank::NOW`].
    #[must_use]
    pub fn refund(operation: &str, order: &str, amount: i64) -> Self {
        let document = json!({ "operation": operation, "order": order, "mode": "cards", "amount": dollars(amount) });
        Self { now: bank::NOW, what: What::Refund(document) }
    }

    /// The same, at another moment.
    #[must_use]
    pub fn at(self, now: InstantMs) -> Self {
        Self { now, ..self }
    }

    /// A redemption as a hold, for so many minutes.
    ///
    /// # Panics
    /// Where it is none.
    #[must_use]
    pub fn as_hold(self, minutes: u32) -> Self {
        let What::Redeem(mut document) = self.what else { panic!("only a redemption can be a hold instead") };
        document["hold_minutes"] = minutes.into();
        Self { now: self.now, what: What::Hold(document) }
    }

    /// Asks once.
    ///
    /// # Errors
    /// As the desk.
    pub fn ask(&self, desk: &Desk) -> Result<giftcard_ledger::Answer, DeskError> {
        let now = self.now;
        match &self.what {
            What::Redeem(document) => desk.pay(&read(document), PayKind::Redeem, now),
            What::Hold(document) => desk.pay(&read(document), PayKind::Hold, now),
            What::Capture(document) => desk.capture(&read(document), now),
            What::Void { operation, hold } => desk.void(&doing(operation, now), hold, None),
            What::Refund(document) => desk.refund(&read(document), Vec::new(), now),
            What::Load { operation, code, amount } => {
                let command =
                    Load { target: target(desk, code), amount: minor(*amount), balance_max: None, reason: None };
                desk.operate(&doing(operation, now), &command, &json!([code, amount]))
            }
            What::Adjust { operation, code, by } => {
                let to = Adjustment::By(minor(*by));
                let command = Adjust { target: target(desk, code), to, reason: "test".to_string() };
                desk.operate(&doing(operation, now), &command, &json!([code, by]))
            }
            What::Quote(document) => {
                let quote = desk.quote(&read(document), now, false)?;
                let text = serde_json::to_string(&quote).expect("a quote is JSON");
                Ok(giftcard_ledger::Answer { text, repeated: false })
            }
        }
    }

    /// Asks until there is an answer, as a client does that means its operation: again with the same key after a cut
    /// connection, or while the database is away. `busy` is an answer.
    #[must_use]
    pub fn ask_patiently(&self, desk: &Desk) -> Answered {
        let (mut unknown, mut away) = (0, 0);
        loop {
            let outcome = match self.ask(desk) {
                Ok(answer) => Outcome::Done { text: answer.text, repeated: answer.repeated },
                Err(DeskError::Refused(refused)) => Outcome::Refused(refused.code),
                Err(error) => {
                    match error {
                        DeskError::Store(StoreError::Unknown(_)) => unknown += 1,
                        DeskError::Store(StoreError::Unavailable(_)) => away += 1,
                        _ => {}
                    }
                    let passing =
                        matches!(error, DeskError::Store(StoreError::Unknown(_) | StoreError::Unavailable(_)));
                    if passing && unknown + away < TRIES_MAX {
                        std::thread::sleep(Duration::from_millis(u64::from(unknown + away).min(PAUSE_MAX_MS)));
                        continue;
                    }
                    Outcome::Failed { code: error.code().to_string(), message: error.to_string() }
                }
            };
            return Answered { outcome, unknown, away };
        }
    }
}

/// Asks everything, by so many clients at once, each the next one that nobody has asked. The answers are in the order of
/// the calls.
///
/// # Panics
/// Where a client panics.
#[must_use]
pub fn ask_all(desk: &Desk, calls: &[Call], clients: usize) -> Vec<Answered> {
    let next = AtomicUsize::new(0);
    let answers: Mutex<Vec<Option<Answered>>> = Mutex::new(vec![None; calls.len()]);
    std::thread::scope(|scope| {
        for _ in 0..clients.min(calls.len()) {
            scope.spawn(|| {
                while let Some((place, call)) =
                    Some(next.fetch_add(1, Ordering::Relaxed)).and_then(|place| Some((place, calls.get(place)?)))
                {
                    let answer = call.ask_patiently(desk);
                    answers.lock().unwrap_or_else(PoisonError::into_inner)[place] = Some(answer);
                }
            });
        }
    });
    let answers = answers.into_inner().unwrap_or_else(PoisonError::into_inner);
    answers.into_iter().map(|answer| answer.expect("every call was asked")).collect()
}

/// What every operation names, beside what it does.
#[must_use]
pub fn doing(operation: &str, now: InstantMs) -> Doing<'_> {
    Doing { site: bank::SITE, operation, actor: None, now }
}

fn read<T: serde::de::DeserializeOwned>(document: &Value) -> T {
    serde_json::from_value(document.clone()).expect("a document that the desk takes")
}

fn target(desk: &Desk, code: &str) -> giftcard_ledger::operations::Target {
    let code = serde_json::from_value(json!(code)).expect("a code");
    desk.target_of_code(bank::SITE, &code)
}
