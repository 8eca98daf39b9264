//! Who in this process is deciding about an account or a document, and what it will be once what is under way is
//! committed. Only makes retries rare: what is right is for the guards of the store to say. Must not know operations.
//!
//! Keys are taken in ascending order, so that no two callers wait for each other.

use std::collections::HashMap;
use std::sync::{Arc, Condvar, MutexGuard, PoisonError};

use crate::lanes::Ticket;
use crate::model::{Account, Id, Record, RecordKey};
use crate::store::{Changes, Found};
use crate::tables::Tables;

/// What can be decided about by one caller at a time.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Key {
    Account(Id),
    Code(Id),
    Record(RecordKey),
}

impl Key {
    /// A number that keys are told apart by, roughly: for who shares a lane or a table.
    pub(crate) fn spread(&self) -> u64 {
        match self {
            Self::Account(id) | Self::Code(id) => id.get().unsigned_abs(),
            Self::Record(key) => key.id.bytes().fold(7, |hash: u64, byte| hash.wrapping_mul(31) ^ u64::from(byte)),
        }
    }
}

/// A row as it will be once what is under way is committed.
#[derive(Clone, Debug)]
enum Row {
    Account(Box<Account>),
    Record(Option<Record>),
    /// Not kept here: whoever needs it waits until it is committed.
    Elsewhere,
}

#[derive(Default)]
struct Slot {
    locked: bool,
    waiting: u32,
    /// Operations under way that write it.
    under_way: u32,
    /// What it will be, and through which lane by whom.
    row: Option<(Row, usize, Arc<Ticket>)>,
    /// Told when the key is free.
    turn: Option<Arc<Condvar>>,
    /// Told when something under way has ended.
    settled: Option<Arc<Condvar>>,
}

impl Slot {
    fn is_idle(&self) -> bool {
        !self.locked && self.waiting == 0 && self.under_way == 0
    }
}

/// All keys in use.
#[derive(Default)]
pub(crate) struct Locks {
    slots: Tables<Key, Slot>,
}

impl Locks {
    /// The table that has a key's slot.
    fn slots(&self, key: &Key) -> MutexGuard<'_, HashMap<Key, Slot>> {
        self.slots.of(key.spread())
    }

    /// Waits until no other caller decides about any of `keys`.
    pub(crate) fn lock(&self, mut keys: Vec<Key>) -> Guard<'_> {
        keys.sort_unstable();
        keys.dedup();
        let mut waited = false;
        for key in &keys {
            let mut slots = self.slots(key);
            loop {
                let slot = slots.entry(key.clone()).or_default();
                if !slot.locked {
                    slot.locked = true;
                    break;
                }
                waited = true;
                slot.waiting += 1;
                let turn = Arc::clone(slot.turn.get_or_insert_default());
                slots = turn.wait(slots).unwrap_or_else(PoisonError::into_inner);
                slots.entry(key.clone()).or_default().waiting -= 1;
            }
        }
        Guard { locks: self, keys, waited }
    }

    /// What was under way for `changes` has ended. After a failure what was built on it is not believed either.
    fn retire(&self, changes: &Changes, committed: bool) {
        for (key, _) in rows(changes) {
            let mut slots = self.slots(&key);
            let Some(slot) = slots.get_mut(&key) else { continue };
            slot.under_way = slot.under_way.saturating_sub(1);
            if !committed || slot.under_way == 0 {
                slot.row = None;
            }
            if let Some(settled) = slot.settled.take() {
                settled.notify_all();
            }
            if slot.is_idle() {
                slots.remove(&key);
            }
        }
    }
}

/// What a change makes of each key it writes.
fn rows(changes: &Changes) -> impl Iterator<Item = (Key, Row)> + '_ {
    let accounts = changes
        .accounts
        .iter()
        .map(|change| (Key::Account(change.after.id), Row::Account(Box::new(change.after.clone()))));
    let records = changes.records.iter().map(|change| {
        let version = change.before.unwrap_or(0) + 1;
        let record = change.body.clone().map(|body| Record { key: change.key.clone(), version, body });
        (Key::Record(change.key.clone()), Row::Record(record))
    });
    let codes = changes.codes.iter().map(|change| (Key::Code(change.after.id), Row::Elsewhere));
    accounts.chain(records).chain(codes)
}

/// The right to decide about some keys, until dropped.
pub(crate) struct Guard<'a> {
    locks: &'a Locks,
    keys: Vec<Key>,
    /// Whether somebody else had one of them before.
    pub(crate) waited: bool,
}

impl<'a> Guard<'a> {
    /// Whether all of `keys` are held.
    pub(crate) fn covers(&self, keys: &[Key]) -> bool {
        keys.iter().all(|key| self.keys.binary_search(key).is_ok())
    }

    /// Puts what is under way over what was read. `None` if some of it can only be read once it is committed: it goes
    /// through another lane, or is not kept here; then `found` is not to be planned on, since some may have been put. Whose it
    /// is, each once; nobody's if nothing was put.
    pub(crate) fn overlay(&self, found: &mut Found, lane: usize) -> Option<Vec<Arc<Ticket>>> {
        let mut whose: Vec<Arc<Ticket>> = Vec::new();
        for key in &self.keys {
            let slots = self.locks.slots(key);
            let Some(slot) = slots.get(key) else { continue };
            if slot.under_way == 0 {
                continue;
            }
            let Some((row, through, ticket)) = &slot.row else { return None };
            match (row, key) {
                (Row::Account(account), Key::Account(id)) if *through == lane => {
                    found.accounts.insert(*id, (**account).clone());
                }
                (Row::Record(record), Key::Record(at)) if *through == lane => {
                    match record {
                        Some(record) => found.records.insert(at.clone(), record.clone()),
                        None => found.records.remove(at),
                    };
                }
                _ => return None,
            }
            if !whose.iter().any(|known| Arc::ptr_eq(known, ticket)) {
                whose.push(Arc::clone(ticket));
            }
        }
        Some(whose)
    }

    /// Waits until nothing is under way for the keys. Nobody else can add to it meanwhile.
    pub(crate) fn settle(&self) {
        for key in &self.keys {
            let mut slots = self.locks.slots(key);
            while let Some(slot) = slots.get_mut(key)
                && slot.under_way > 0
            {
                let settled = Arc::clone(slot.settled.get_or_insert_default());
                slots = settled.wait(slots).unwrap_or_else(PoisonError::into_inner);
            }
        }
    }

    /// Shows the next caller what will be once what was handed in is committed, until what is returned is dropped.
    pub(crate) fn publish(&self, ticket: &Arc<Ticket>, lane: usize) -> UnderWay<'a> {
        for (key, row) in rows(ticket.changes()) {
            let mut slots = self.locks.slots(&key);
            let slot = slots.entry(key).or_default();
            slot.under_way += 1;
            slot.row = Some((row, lane, Arc::clone(ticket)));
        }
        UnderWay { locks: self.locks, ticket: Arc::clone(ticket), committed: false }
    }
}

/// That something is under way. Ends when dropped, and be it by a panic, since others wait for its end.
pub(crate) struct UnderWay<'a> {
    locks: &'a Locks,
    ticket: Arc<Ticket>,
    /// Whether it came to be.
    pub(crate) committed: bool,
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.locks.retire(self.ticket.changes(), self.committed);
    }
}

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        for key in &self.keys {
            let mut slots = self.locks.slots(key);
            let Some(slot) = slots.get_mut(key) else { continue };
            slot.locked = false;
            if slot.waiting > 0
                && let Some(turn) = &slot.turn
            {
                turn.notify_one();
            }
            if slot.is_idle() {
                slots.remove(key);
            }
        }
    }
}
