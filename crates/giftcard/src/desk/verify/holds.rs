//! What is held on every account against the open holds that hold it, and their ends. Must not know entries, other than
//! to find holds that were taken since.
//!
//! Accounts and holds are not read at the same moment. Where they differ, the account is looked at once more together
//! with its holds, until nobody has changed it meanwhile.

use std::collections::{BTreeMap, BTreeSet};

use giftcard_engine::moment::{InstantMs, format_instant};
use giftcard_engine::{Currency, Minor};
use giftcard_ledger::model::{HoldRecord, HoldState, Id, OperationKind, RecordKind};
use giftcard_ledger::operations::{Receipt, hold_key, hold_lines_left};
use giftcard_ledger::plan::read_record;
use giftcard_ledger::store::{Found, Store, StoreError, Want, history};

use super::chains::{Chains, decimal};
use super::{Finding, Findings, Progress, Stage, numbered};

/// Holds that are read at a time.
const PAGE: usize = 500;

/// Accounts whose first ends are asked for at a time.
const ENDS_PAGE: usize = 500;

/// How often an account is looked at that others change all the time.
const LOOKS_MAX: u32 = 20;

/// What open holds reserve on an account.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Reserved {
    amount: i128,
    first_end: Option<InstantMs>,
    holds: BTreeSet<Id>,
}

impl Reserved {
    fn add(&mut self, hold: Id, left: i64, ends_at: InstantMs) {
        self.amount += i128::from(left);
        self.holds.insert(hold);
        // What was captured whole needs no end.
        if left > 0 {
            self.first_end = Some(self.first_end.map_or(ends_at, |end| end.min(ends_at)));
        }
    }
}

/// What an account says.
#[derive(Clone, Copy)]
struct Says {
    held: Minor,
    next_hold_end: Option<InstantMs>,
    /// The first end among the open holds that the store finds passed ones by.
    listed_end: Option<InstantMs>,
}

/// Compares every account that something is, or should be, held on. Returns how many holds are open.
pub(super) fn check(
    chains: &Chains<'_>,
    findings: &mut Findings,
    progress: &mut dyn FnMut(Progress),
) -> Result<u64, StoreError> {
    let (reserved, count) = open_holds(chains.store, findings, progress)?;
    let accounts: BTreeSet<Id> = chains.held.keys().chain(reserved.keys()).copied().collect();
    let accounts: Vec<Id> = accounts.into_iter().collect();
    for page in accounts.chunks(ENDS_PAGE) {
        let ends = chains.store.next_hold_ends(page, &[])?;
        for id in page {
            let nothing = Reserved::default();
            let reserved = reserved.get(id).unwrap_or(&nothing);
            let (held, next_hold_end) = chains.held.get(id).copied().unwrap_or((Minor::ZERO, None));
            let says = Says { held, next_hold_end, listed_end: ends.get(id).copied() };
            if problems(says, reserved, None).is_empty() {
                continue;
            }
            for (code, what) in look_again(chains, *id, reserved)? {
                findings.add(Finding::new(code, format!("account {id}: {what}")).on(*id));
            }
        }
    }
    Ok(count)
}

/// What all open holds reserve, and how many they are.
fn open_holds(
    store: &dyn Store,
    findings: &mut Findings,
    progress: &mut dyn FnMut(Progress),
) -> Result<(BTreeMap<Id, Reserved>, u64), StoreError> {
    let mut reserved: BTreeMap<Id, Reserved> = BTreeMap::new();
    let (mut after, mut seen, mut open) = (String::new(), 0, 0);
    loop {
        let page = store.records(RecordKind::Hold, "", &after, PAGE)?;
        for record in &page {
            let hold = record.key.id.parse::<Id>().ok().zip(read_record::<HoldRecord>(&record.body).ok());
            let Some((id, hold)) = hold else {
                let message = format!("hold `{}` cannot be read", record.key.id);
                findings.add(Finding { hold: Some(record.key.id.clone()), ..Finding::new("unreadable", message) });
                continue;
            };
            if hold.state != HoldState::Open {
                continue;
            }
            open += 1;
            for line in &hold.lines {
                reserved.entry(line.account).or_default().add(id, hold_lines_left(line).1, hold.ends_at);
            }
        }
        seen += page.len() as u64;
        progress(Progress { stage: Stage::Holds, done: seen, total: None });
        match page.last() {
            Some(last) if page.len() == PAGE => after.clone_from(&last.key.id),
            _ => return Ok((reserved, open)),
        }
    }
}

fn problems(says: Says, reserved: &Reserved, currency: Option<Currency>) -> Vec<(&'static str, String)> {
    let mut problems = Vec::new();
    if i128::from(says.held.get()) != reserved.amount {
        let amount = |amount: i128| match currency {
            Some(currency) => format!("{} {currency}", decimal(amount, currency)),
            None => amount.to_string(),
        };
        let (held, holds) = (amount(i128::from(says.held.get())), amount(reserved.amount));
        problems.push(("held-differs", format!("{held} is held, and its open holds hold {holds}")));
    }
    let Some(first) = reserved.first_end else { return problems };
    let ends = [("next-end-differs", says.next_hold_end), ("hold-not-listed", says.listed_end)];
    for (code, end) in ends {
        if end.is_none_or(|end| end > first) {
            let end = end.map_or("never".to_string(), |end| format!("at {}", format_instant(end)));
            let what = format!("a hold ends at {}, and would be ended {end}", format_instant(first));
            problems.push((code, what));
        }
    }
    problems
}

/// The same with account and holds of one moment.
fn look_again(chains: &Chains<'_>, id: Id, known: &Reserved) -> Result<Vec<(&'static str, String)>, StoreError> {
    let store = chains.store;
    let mut holds = known.holds.clone();
    let mut version = chains.head(id).version;
    for _ in 0..LOOKS_MAX {
        version = holds_since(store, id, version, &mut holds)?;
        let want =
            Want { accounts: vec![id], records: holds.iter().map(|hold| hold_key(*hold)).collect(), ..Want::default() };
        let found = store.find(&want)?;
        let listed_end = store.next_hold_ends(&[id], &[])?.get(&id).copied();
        let still = store.find(&Want { accounts: vec![id], ..Want::default() })?;
        let now = |found: &Found| found.accounts.get(&id).map(|account| account.version);
        if now(&found).is_some_and(|now| now > version) || now(&still) != now(&found) {
            continue;
        }
        let account = found.accounts.get(&id);
        let says = Says {
            held: account.map_or(Minor::ZERO, |account| account.held),
            next_hold_end: account.and_then(|account| account.next_hold_end),
            listed_end,
        };
        return Ok(problems(says, &reserved_by(&found, id), account.map(|account| account.currency)));
    }
    // It moves all the time, and each time what holds it adds up so far as it could be seen.
    Ok(Vec::new())
}

fn reserved_by(found: &Found, account: Id) -> Reserved {
    let mut reserved = Reserved::default();
    for (key, record) in &found.records {
        let Some((id, hold)) = key.id.parse::<Id>().ok().zip(read_record::<HoldRecord>(&record.body).ok()) else {
            continue;
        };
        if hold.state == HoldState::Open {
            for line in hold.lines.iter().filter(|line| line.account == account) {
                reserved.add(id, hold_lines_left(line).1, hold.ends_at);
            }
        }
    }
    reserved
}

/// Adds the holds that were taken of an account after entry `version`. Returns its last entry.
fn holds_since(store: &dyn Store, id: Id, version: u64, holds: &mut BTreeSet<Id>) -> Result<u64, StoreError> {
    let mut last = version;
    for booked in history(store, id, version) {
        let booked = booked?;
        if let giftcard_ledger::model::Leg::Account { number, .. } = booked.entry.leg {
            last = last.max(number);
        }
        if booked.kind != OperationKind::Hold {
            continue;
        }
        let found = numbered(store, booked.sequence)?;
        let receipt = found.and_then(|found| serde_json::from_str::<Receipt>(&found.operation.answer).ok());
        holds.extend(receipt.and_then(|receipt| receipt.hold));
    }
    Ok(last)
}
