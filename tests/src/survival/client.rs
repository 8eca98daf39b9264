//! What a client knows: what it sent under which key, what it was answered. Compares that with what a ledger holds. Must
//! not know what happened to the ledger in between.

use std::collections::{HashMap, HashSet};

use anyhow::{Context, Result};
use giftcard::desk::PayKind;
use giftcard::{Desk, DeskError, Doing};
use giftcard_engine::moment::InstantMs;
use giftcard_ledger::chain::digest;
use giftcard_ledger::model::{Hash32, Leg, OperationKey};
use giftcard_ledger::operations::{IssueCards, Load, NewCard, NewCode, Target};
use giftcard_ledger::store::{Numbered, Store, StoreError, Want};
use serde::{Deserialize, Serialize};

use super::books;
use crate::bank::{SITE, code, dollars, minor, payment_document, usd};

/// Failures that are told; the rest is counted.
const TOLD_MAX: usize = 10;

/// What a client asks for. Amounts are cents; cards are numbers of [`crate::bank::code`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case")]
pub enum Action {
    /// Cards with the codes of `from..from + count`.
    Issue {
        /// The first.
        from: usize,
        /// How many.
        count: usize,
        /// On each.
        value: i64,
    },
    /// A payment of an order that is called as the operation.
    Redeem {
        /// Of the order; the cards have to cover it.
        total: i64,
        /// With the most that each pays.
        cards: Vec<(usize, Option<i64>)>,
    },
    /// A hold for an order that is called as the operation.
    Hold {
        /// Of the order; the cards have to cover it.
        total: i64,
        /// With the most that each pays.
        cards: Vec<(usize, Option<i64>)>,
    },
    /// A part of a hold, or the rest.
    Capture {
        /// The hold's id.
        hold: String,
        /// How much.
        amount: i64,
        /// What the hold has left before.
        left: i64,
    },
    /// A hold is given up.
    Void {
        /// The hold's id.
        hold: String,
        /// What the hold has left before.
        left: i64,
    },
    /// A card is topped up.
    Load {
        /// The card.
        card: usize,
        /// By how much.
        amount: i64,
    },
    /// A part of what cards paid goes back.
    Refund {
        /// The order.
        order: String,
        /// How much.
        amount: i64,
    },
}

/// What was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// It was done, with this answer.
    Done(String),
    /// It was refused, with this code.
    Refused(String),
    /// It failed: done or not, nobody knows. With the code and the message.
    Failed(String, String),
}

impl Action {
    /// Changes of balances and of what is held, summed over all accounts.
    #[must_use]
    pub fn effect(&self) -> (i64, i64) {
        match *self {
            Self::Issue { count, value, .. } => (value * i64::try_from(count).unwrap_or(i64::MAX), 0),
            Self::Redeem { total, .. } => (-total, 0),
            Self::Hold { total, .. } => (0, total),
            Self::Capture { amount, .. } => (-amount, -amount),
            Self::Void { left, .. } => (0, -left),
            Self::Load { amount, .. } | Self::Refund { amount, .. } => (amount, 0),
        }
    }

    /// Asks a desk to do it.
    #[must_use]
    pub fn perform(&self, desk: &Desk, key: &str, now: InstantMs) -> Reply {
        let doing = Doing { site: SITE, operation: key, actor: None, now };
        let answer = match self {
            Self::Issue { from, count, value } => {
                let command = cards(desk, now, *from, *count, *value);
                desk.operate(&doing, &command, &serde_json::json!([from, count, value]))
            }
            Self::Redeem { total, cards } => desk.pay(&pay(key, *total, cards), PayKind::Redeem, now),
            Self::Hold { total, cards } => desk.pay(&pay(key, *total, cards), PayKind::Hold, now),
            Self::Capture { hold, amount, .. } => {
                let input = serde_json::json!({ "operation": key, "hold": hold, "amount": dollars(*amount) });
                desk.capture(&serde_json::from_value(input).expect("INVARIANT: a capture"), now)
            }
            Self::Void { hold, .. } => desk.void(&doing, hold, None),
            Self::Load { card, amount } => {
                let target = Target::Code(vec![desk.secrets().lookups(SITE, &code(*card))]);
                let load = Load { target, amount: minor(*amount), balance_max: None, reason: None };
                desk.operate(&doing, &load, &serde_json::json!([card, amount]))
            }
            Self::Refund { order, amount } => {
                let input = serde_json::json!({
                    "operation": key, "order": order, "mode": "cards", "amount": dollars(*amount),
                });
                desk.refund(&serde_json::from_value(input).expect("INVARIANT: a refund"), Vec::new(), now)
            }
        };
        match answer {
            Ok(answer) => Reply::Done(answer.text),
            Err(DeskError::Refused(refused)) => Reply::Refused(refused.code),
            Err(error) => Reply::Failed(error.code().to_string(), error.to_string()),
        }
    }
}

/// A payment whose order is called as its operation.
fn pay(key: &str, total: i64, cards: &[(usize, Option<i64>)]) -> giftcard::input::PayInput {
    let entry = |(card, most): &(usize, Option<i64>)| match most {
        None => serde_json::json!({ "code": code(*card) }),
        Some(most) => serde_json::json!({ "code": code(*card), "use_at_most": dollars(*most) }),
    };
    let input = payment_document(key, key, total, cards.iter().map(entry).collect());
    serde_json::from_value(input).expect("INVARIANT: a payment")
}

fn cards(desk: &Desk, now: InstantMs, from: usize, count: usize, value: i64) -> IssueCards {
    let secrets = desk.secrets();
    let card = |number: usize| NewCard {
        id: desk.ledger().new_id(now),
        currency: usd(),
        programme: "manual".to_string(),
        customer: None,
        value: minor(value),
        active: true,
        expires_at: None,
        expires_on: None,
        bought_by: None,
        code: NewCode::Made {
            id: desk.ledger().new_id(now),
            lookups: secrets.lookups(SITE, &code(number)),
            hint: None,
            sealed: None,
        },
    };
    let cards = (from..from + count).map(card).collect();
    IssueCards { cards, reason: None, configuration: None, records: Vec::new() }
}

/// What was sent under a key, and what came back.
#[derive(Clone, Debug)]
pub struct Sent {
    /// What was asked for.
    pub action: Action,
    /// The moment that was told.
    pub now: InstantMs,
    /// When it was sent, by any clock that the harness has.
    pub sent_at: usize,
    /// What was acknowledged and when, by the same clock.
    pub acknowledged: Option<(usize, Outcome)>,
}

/// What was acknowledged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Done, with an answer of this SHA-256.
    Done(Hash32),
    /// Refused, with this code.
    Refused(String),
}

/// All that a client knows.
#[derive(Clone, Debug, Default)]
pub struct Client {
    sent: HashMap<String, Sent>,
    /// Answers that contradict earlier ones.
    contradictions: Vec<String>,
}

/// How a ledger compares with what a client knows.
#[derive(Debug, Default)]
pub struct Findings {
    /// Operations in the ledger.
    pub there: usize,
    /// Acknowledged ones among what was sent.
    pub acknowledged: usize,
    /// Sent ones without an answer that are there all the same, and those that are not.
    pub unanswered: (usize, usize),
    /// Acknowledged ones that are not there.
    pub lost: usize,
    /// What was done more than once, or moved another amount than was asked for.
    pub doubled: usize,
    /// The first of everything that is wrong. Empty for a ledger that kept its word.
    pub faults: Vec<String>,
}

impl Findings {
    fn fault(&mut self, fault: String) {
        if self.faults.len() < TOLD_MAX {
            self.faults.push(fault);
        }
    }

    /// Fails with everything that is wrong.
    ///
    /// # Errors
    /// What is wrong.
    pub fn into_result(self) -> Result<Self> {
        anyhow::ensure!(
            self.faults.is_empty(),
            "{} lost, {} doubled; {}",
            self.lost,
            self.doubled,
            self.faults.join("; ")
        );
        Ok(self)
    }
}

impl Client {
    /// Notes that `action` is about to be sent.
    pub fn sends(&mut self, key: &str, action: &Action, now: InstantMs, at: usize) {
        let sent = Sent { action: action.clone(), now, sent_at: at, acknowledged: None };
        self.sent.entry(key.to_string()).or_insert(sent);
    }

    /// Notes what was answered. What failed was not acknowledged.
    pub fn hears(&mut self, key: &str, reply: &Reply, at: usize) {
        let outcome = match reply {
            Reply::Done(answer) => Outcome::Done(digest(answer)),
            Reply::Refused(code) => Outcome::Refused(code.clone()),
            Reply::Failed(..) => return,
        };
        let Some(sent) = self.sent.get_mut(key) else {
            self.contradictions.push(format!("`{key}` was answered, and nobody sent it"));
            return;
        };
        match &sent.acknowledged {
            None => sent.acknowledged = Some((at, outcome)),
            Some((_, before)) if *before == outcome => {}
            Some((_, before)) => {
                self.contradictions.push(format!("`{key}` was answered {before:?}, and then {outcome:?}"));
            }
        }
    }

    /// The same client at an earlier time of its clock.
    #[must_use]
    pub fn sent_by(&self, time: usize) -> Self {
        let then = |(key, sent): (&String, &Sent)| {
            let acknowledged = sent.acknowledged.clone().filter(|(at, _)| *at <= time);
            (key.clone(), Sent { acknowledged, ..sent.clone() })
        };
        let sent = self.sent.iter().filter(|(_, sent)| sent.sent_at <= time).map(then).collect();
        Self { sent, contradictions: Vec::new() }
    }

    /// What was sent, in no order.
    pub fn sent(&self) -> impl Iterator<Item = (&str, &Sent)> {
        self.sent.iter().map(|(key, sent)| (key.as_str(), sent))
    }

    /// How many were sent.
    #[must_use]
    pub fn len(&self) -> usize {
        self.sent.len()
    }

    /// Whether nothing was sent.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.sent.is_empty()
    }

    /// Compares a ledger that nobody writes to with what was acknowledged by one time and sent by another: all of the
    /// first has to be there, and nothing but the second.
    ///
    /// # Errors
    /// [`StoreError`] where it cannot be read.
    pub fn compare(&self, store: &dyn Store, acknowledged_by: usize, sent_by: usize) -> Result<Findings, StoreError> {
        let mut findings = Findings::default();
        let mut there: HashSet<String> = HashSet::new();
        let audit = books::audit(store, &[SITE], |numbered| {
            self.compare_one(numbered, acknowledged_by, sent_by, &mut findings);
            if !there.insert(numbered.operation.key.key.clone()) {
                findings.doubled += 1;
            }
        })?;
        findings.there = audit.operations;
        audit.faults.into_iter().chain(self.contradictions.clone()).for_each(|fault| findings.fault(fault));
        for (key, sent) in &self.sent {
            let is_there = there.contains(key);
            match sent.acknowledged.as_ref().filter(|(at, _)| *at <= acknowledged_by) {
                None if is_there => findings.unanswered.0 += 1,
                None => findings.unanswered.1 += usize::from(sent.sent_at <= sent_by),
                Some((_, Outcome::Done(_))) => {
                    findings.acknowledged += 1;
                    if !is_there {
                        findings.lost += 1;
                        findings.fault(format!("`{key}` was acknowledged and is lost"));
                    }
                }
                Some((_, Outcome::Refused(code))) => {
                    findings.acknowledged += 1;
                    if is_there {
                        findings.fault(format!("`{key}` was refused as `{code}` and is there"));
                    } else if !is_refused(store, key, code)? {
                        findings.lost += 1;
                        findings.fault(format!("`{key}` was refused as `{code}`, and that is forgotten"));
                    }
                }
            }
        }
        Ok(findings)
    }

    /// Compares an operation of the ledger with what was sent under its key.
    fn compare_one(&self, numbered: &Numbered, acknowledged_by: usize, sent_by: usize, findings: &mut Findings) {
        let key = &numbered.operation.key;
        let Some(sent) = self.sent.get(&key.key).filter(|sent| key.site == SITE && sent.sent_at <= sent_by) else {
            findings.fault(format!("`{}` is there, and nobody sent it", key.key));
            return;
        };
        let (mut amount, mut held) = (0, 0);
        for entry in &numbered.entries {
            if let Leg::Account { held_change, .. } = entry.leg {
                amount += entry.amount.get();
                held += held_change.get();
            }
        }
        if (amount, held) != sent.action.effect() {
            findings.doubled += 1;
            findings.fault(format!("`{}` moved {amount} and held {held} for {:?}", key.key, sent.action));
        }
        // What is acknowledged later can have been done anew, with another answer.
        if let Some((at, Outcome::Done(answer))) = &sent.acknowledged
            && *at <= acknowledged_by
            && *answer != digest(&numbered.operation.answer)
        {
            findings.fault(format!("`{}` was acknowledged with another answer than is there", key.key));
        }
    }

    /// Sends what `which` says once more, twice: what was not there is done, and the second answer is the first. `clock`
    /// tells when an answer was heard. Returns how many.
    ///
    /// # Errors
    /// What was answered otherwise.
    pub fn repeat(
        &mut self,
        desk: &Desk,
        clock: impl Fn() -> usize,
        which: impl Fn(&str, &Sent) -> bool,
    ) -> Result<usize> {
        let again = |(key, sent): (&String, &Sent)| (key.clone(), sent.action.clone(), sent.now);
        let mut again: Vec<_> = self.sent.iter().filter(|(key, sent)| which(key, sent)).map(again).collect();
        again.sort_by(|(one, ..), (other, ..)| one.cmp(other));
        for (key, action, now) in &again {
            for _ in 0..2 {
                let reply = action.perform(desk, key, *now);
                anyhow::ensure!(!matches!(reply, Reply::Failed(..)), "`{key}` was repeated and failed: {reply:?}");
                self.hears(key, &reply, clock());
            }
            let own = OperationKey { site: SITE.to_string(), key: key.clone() };
            let found = desk.store().find(&Want { operation: Some(own), ..Want::default() })?;
            let is_known = found.operation.is_some() || found.refusal.is_some();
            anyhow::ensure!(is_known, "`{key}` was repeated and is not there");
        }
        let contradiction = self.contradictions.first();
        anyhow::ensure!(contradiction.is_none(), "{}", contradiction.cloned().unwrap_or_default());
        Ok(again.len())
    }
}

/// Whether a refusal is remembered.
fn is_refused(store: &dyn Store, key: &str, code: &str) -> Result<bool, StoreError> {
    let key = OperationKey { site: SITE.to_string(), key: key.to_string() };
    let found = store.find(&Want { operation: Some(key), ..Want::default() })?;
    Ok(found.refusal.is_some_and(|refusal| refusal.answer.contains(code)))
}

/// The id of the hold in an answer.
///
/// # Errors
/// Where there is none.
pub fn hold_of(answer: &str) -> Result<String> {
    let answer: serde_json::Value = serde_json::from_str(answer).context("an answer is no JSON")?;
    Ok(answer["hold"].as_str().context("an answer to a hold names none")?.to_string())
}
