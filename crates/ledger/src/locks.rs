//! Who in this process is deciding about an account or a document, and what it will be once what is under way is
//! committed. Only makes retries rare: what is right is for the guards of the store to say. Must not know operations.
//!
//! Keys are taken in ascending order, so that no two callers wait for each other.

use std::collections::HashMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use crate::lanes::Ticket;
use crate::model::{Account, Id, Record, RecordKey};
use crate::store::{Changes, Found};

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

/// In how many tables the slots are, each under its own lock, so that callers seldom meet at one.
const TABLES: usize = 16;

/// All keys in use.
#[derive(Default)]
pub(crate) struct Locks {
    tables: [Mutex<HashMap<Key, Slot>>; TABLES],
}

impl Locks {
    /// The table that has a key's slot.
    fn slots(&self, key: &Key) -> MutexGuard<'_, HashMap<Key, Slot>> {
        let table = usize::try_from(key.spread() % TABLES as u64).unwrap_or(0);
        self.tables[table].lock().unwrap_or_else(PoisonError::into_inner)
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

    /// Puts what is under way over what was read. Whose it is, each once; nobody's if nothing was put. `None`, and nothing
    /// put, if some of it can only be read once it is committed: it goes through another lane, or is not kept here.
    /// INVARIANT: all or nothing, since only what was built on is committed with its ticket.
    pub(crate) fn overlay(&self, found: &mut Found, lane: usize) -> Option<Vec<Arc<Ticket>>> {
        let (mut accounts, mut records, mut whose) = (Vec::new(), Vec::new(), Vec::<Arc<Ticket>>::new());
        for key in &self.keys {
            let slots = self.locks.slots(key);
            let Some(slot) = slots.get(key).filter(|slot| slot.under_way > 0) else { continue };
            let (row, through, ticket) = slot.row.as_ref()?;
            match (row, key) {
                _ if *through != lane => return None,
                (Row::Account(account), Key::Account(_)) => accounts.push((**account).clone()),
                (Row::Record(record), Key::Record(at)) => records.push((at.clone(), record.clone())),
                _ => return None,
            }
            if !whose.iter().any(|known| Arc::ptr_eq(known, ticket)) {
                whose.push(Arc::clone(ticket));
            }
        }
        found.accounts.extend(accounts.into_iter().map(|account| (account.id, account)));
        for (at, record) in records {
            match record {
                Some(record) => found.records.insert(at, record),
                None => found.records.remove(&at),
            };
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lanes::Lanes;
    use crate::sqlite::{SqliteOptions, SqliteStore};
    use crate::store::AccountChange;

    const CARDS: [i64; 2] = [1, 2];

    fn card(id: i64, version: u64) -> Account {
        Account { version, ..crate::draft::tests::card(id) }
    }

    fn found() -> Found {
        let accounts = CARDS.map(|id| (Id::new(id).unwrap(), card(id, 1)));
        Found { accounts: accounts.into(), ..Found::default() }
    }

    /// What makes the second version, or the third, of cards.
    fn changes(cards: &[i64], version: u64) -> Changes {
        let change = |id: &i64| AccountChange { before: Some(version - 1), after: card(*id, version) };
        Changes { accounts: cards.iter().map(change).collect(), ..Changes::default() }
    }

    fn lanes(folder: &std::path::Path) -> Lanes {
        let options = SqliteOptions { create: true, ..SqliteOptions::default() };
        Lanes::new(Arc::new(SqliteStore::open(&folder.join("ledger.db"), &options).unwrap()))
    }

    fn versions(found: &Found) -> [u64; 2] {
        CARDS.map(|id| found.accounts[&Id::new(id).unwrap()].version)
    }

    /// Of two cards under way the one fell: the rest must not be planned on either, since nothing would tie the plan to it.
    #[test]
    fn what_is_under_way_is_put_over_all_cards_or_none() {
        let folder = tempfile::tempdir().unwrap();
        let lanes = lanes(folder.path());
        let locks = Locks::default();
        let keys = || CARDS.map(|id| Key::Account(Id::new(id).unwrap())).to_vec();

        let (both, other) = {
            let guard = locks.lock(keys());
            let both = lanes.hand_in(0, changes(&CARDS, 2), Vec::new());
            let both = (guard.publish(&both, 0), both);
            let other = lanes.hand_in(0, changes(&CARDS[1..], 3), vec![Arc::clone(&both.1)]);
            (both, (guard.publish(&other, 0), other))
        };
        {
            let (guard, mut found) = (locks.lock(keys()), found());
            let whose = guard.overlay(&mut found, 0).expect("all of it is known");
            assert_eq!((versions(&found), whose.len()), ([2, 3], 2));
        }
        let first = lanes.hand_in(0, changes(&CARDS[..1], 3), vec![Arc::clone(&both.1)]);
        let first = locks.lock(keys()).publish(&first, 0);
        // The last of the other card falls while what it was built on is still under way.
        drop(other);
        let (guard, mut found) = (locks.lock(keys()), found());
        assert!(guard.overlay(&mut found, 0).is_none());
        assert_eq!(versions(&found), [1, 1], "part of it was put");
        drop((guard, first, both));

        let (guard, mut found) = (locks.lock(keys()), self::found());
        assert_eq!(guard.overlay(&mut found, 0).map(|whose| whose.len()), Some(0));
        assert_eq!(versions(&found), [1, 1]);
    }

    #[test]
    fn what_goes_through_another_lane_is_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let lanes = lanes(folder.path());
        let locks = Locks::default();
        let guard = locks.lock(CARDS.map(|id| Key::Account(Id::new(id).unwrap())).to_vec());
        let _other = guard.publish(&lanes.hand_in(0, changes(&CARDS[1..], 2), Vec::new()), 0);
        let mut found = found();
        assert!(guard.overlay(&mut found, 1).is_none());
        assert_eq!(versions(&found), [1, 1]);
    }
}
