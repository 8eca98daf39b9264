//! What must hold of a ledger's books, read from the store when nobody writes: chains, sums, holds, orders; and that every
//! answer a client got is in them once, and nothing else. Must not know who the clients were.
//!
//! Written from what the records mean, not with the ledger's own checks; only the hashes are its own.

use std::collections::{BTreeMap, BTreeSet};

use giftcard_ledger::chain::{BEGINNING, entry_hash, operation_hash};
use giftcard_ledger::model::{Account, Hash32, HoldRecord, HoldState, Id, Leg, OperationKind, OrderRecord, RecordKind};
use giftcard_ledger::store::{Numbered, Store};

use super::calls::{Answered, Call, KEY_REUSED, Outcome};
use crate::bank;
use crate::stores::everything::{Everything, Names};

/// Everything in a ledger, found right.
pub struct Books {
    /// All of it.
    pub all: Everything,
    /// Holds by id.
    pub holds: BTreeMap<Id, HoldRecord>,
    /// Orders of [`bank::SITE`] by their id.
    pub orders: BTreeMap<String, OrderRecord>,
}

impl Books {
    /// Reads the books and asserts everything that must hold of any.
    ///
    /// # Panics
    /// Where it does not hold.
    #[must_use]
    pub fn audited(store: &dyn Store) -> Self {
        let names = Names { sites: vec![bank::SITE.to_string()], ..Names::default() };
        let all = Everything::of(store, &names);
        let (mut holds, mut orders) = (BTreeMap::new(), BTreeMap::new());
        for (key, record) in &all.documents {
            match key.kind {
                RecordKind::Hold => {
                    let hold: HoldRecord = serde_json::from_str(&record.body).expect("a hold");
                    holds.insert(key.id.parse().expect("a hold's id"), hold);
                }
                RecordKind::Order => {
                    orders.insert(key.id.clone(), serde_json::from_str(&record.body).expect("an order"));
                }
                _ => {}
            }
        }
        let books = Self { all, holds, orders };
        books.assert_chains();
        books.assert_sums();
        books.assert_holds();
        books.assert_orders();
        books
    }

    /// A card or credit account.
    ///
    /// # Panics
    /// If it is not there.
    #[must_use]
    pub fn account(&self, id: Id) -> &Account {
        self.all.accounts.iter().find(|account| account.id == id).expect("the account is there")
    }

    /// Minor units on it.
    #[must_use]
    pub fn balance(&self, id: Id) -> i64 {
        self.account(id).balance.get()
    }

    /// How many operations of a kind there are.
    #[must_use]
    pub fn count(&self, kind: OperationKind) -> usize {
        self.operations(kind).count()
    }

    fn operations(&self, kind: OperationKind) -> impl Iterator<Item = &Numbered> {
        self.all.operations.iter().filter(move |numbered| numbered.operation.kind == kind)
    }

    /// Asserts that what was answered is what was done: 0 lost, 0 doubled. Several may have asked for the same.
    ///
    /// # Panics
    /// Where an operation was lost, doubled, answered otherwise, or done although it was refused.
    pub fn assert_answers(&self, calls: &[Call], answers: &[Answered]) {
        let mut kept: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for numbered in &self.all.operations {
            let operation = &numbered.operation;
            if operation.key.site == bank::SITE {
                kept.entry(&operation.key.key).or_default().push(&operation.answer);
            }
        }
        assert_eq!(calls.len(), answers.len());
        let asked = calls.iter().zip(answers).filter_map(|(call, answered)| Some((call.what.key()?, answered)));
        for (key, answered) in asked {
            let found = kept.get(key).map_or(&[][..], Vec::as_slice);
            match &answered.outcome {
                Outcome::Done { text, .. } => assert_eq!(found, [text.as_str()], "operation {key}"),
                Outcome::Refused(code) => assert!(found.is_empty(), "{key} was done and refused as {code}"),
                // Another request had the key, and one answer.
                Outcome::Failed { code, .. } if code == KEY_REUSED => assert_eq!(found.len(), 1, "operation {key}"),
                Outcome::Failed { code, message } => panic!("operation {key} failed: {code}: {message}"),
            }
        }
    }

    fn assert_chains(&self) {
        let mut states: BTreeMap<Id, (Account, Hash32)> = BTreeMap::new();
        for Numbered { operation, entries, sequence } in &self.all.operations {
            let digest = operation_hash(operation);
            let mut sums: BTreeMap<String, i128> = BTreeMap::new();
            for entry in entries {
                *sums.entry(entry.currency.to_string()).or_default() += i128::from(entry.amount.get());
                let Leg::Account { id, held_change, balance, held, status, number, hash } = entry.leg else { continue };
                let there = self.account(id);
                let (state, head) = states.entry(id).or_insert_with(|| {
                    let empty = Account { balance: Default::default(), held: Default::default(), ..there.clone() };
                    (Account { version: 0, ..empty }, BEGINNING)
                });
                let what = format!("entry {number} of {id} in operation {sequence}, {:?}", operation.key.key);
                assert_eq!(number, state.version + 1, "{what}");
                assert_eq!(balance.get(), state.balance.get() + entry.amount.get(), "{what}");
                assert_eq!(held.get(), state.held.get() + held_change.get(), "{what}");
                assert!(0 <= held.get() && held <= balance, "{what}");
                *state = Account { balance, held, status, version: number, ..state.clone() };
                assert_eq!(hash, entry_hash(head, &digest, state, entry.amount, held_change), "{what}");
                *head = hash;
            }
            assert!(sums.values().all(|sum| *sum == 0), "operation {sequence} sums to {sums:?}");
        }
        assert_eq!(states.len(), self.all.accounts.len(), "every account has entries");
        for account in &self.all.accounts {
            let (state, head) = &states[&account.id];
            let of = |account: &Account| (account.version, account.balance, account.held, account.status);
            assert_eq!(of(account), of(state), "{}", account.id);
            assert_eq!(account.head, *head, "{}", account.id);
        }
        let keys: BTreeSet<_> = self.all.operations.iter().map(|numbered| &numbered.operation.key).collect();
        assert_eq!(keys.len(), self.all.operations.len(), "every key is there once");
        let greatest = self.all.operations.iter().map(|numbered| numbered.operation.at).max();
        assert!(greatest.is_none_or(|at| at == self.all.high_water));
    }

    fn assert_sums(&self) {
        let mut expected: BTreeMap<(String, String), i128> = BTreeMap::new();
        let mut whole: BTreeMap<String, i128> = BTreeMap::new();
        for entry in self.all.operations.iter().flat_map(|numbered| &numbered.entries) {
            let whose = match entry.leg {
                Leg::Counter(counter) => format!("{counter:?}"),
                Leg::Account { .. } => "accounts".to_string(),
            };
            let amount = i128::from(entry.amount.get());
            *expected.entry((whose, entry.currency.to_string())).or_default() += amount;
            *whole.entry(entry.currency.to_string()).or_default() += amount;
        }
        assert!(whole.values().all(|sum| *sum == 0), "the ledger sums to {whole:?}");
        let mut told = BTreeMap::new();
        for sum in &self.all.counter_sums {
            let whose = sum.counter.map_or("accounts".to_string(), |counter| format!("{counter:?}"));
            told.insert((whose, sum.currency.to_string()), sum.amount_minor);
        }
        expected.retain(|_, sum| *sum != 0);
        told.retain(|_, sum| *sum != 0);
        assert_eq!(told, expected, "the store's sums");
    }

    fn assert_holds(&self) {
        let mut held: BTreeMap<Id, i64> = BTreeMap::new();
        let mut rows = BTreeSet::new();
        for (id, hold) in &self.holds {
            for line in &hold.lines {
                assert!(0 <= line.applied_captured && line.applied_captured <= line.applied, "hold {id}");
                assert!(0 <= line.taken_captured && line.taken_captured <= line.taken, "hold {id}");
                if hold.state == HoldState::Open {
                    *held.entry(line.account).or_default() += line.taken - line.taken_captured;
                    rows.insert((line.account.get(), hold.ends_at, id.get()));
                }
            }
        }
        assert_eq!(self.all.holds, rows, "open holds");
        for account in &self.all.accounts {
            let expected = held.get(&account.id).copied().unwrap_or(0);
            assert_eq!(account.held.get(), expected, "what is held of {}", account.id);
            let first = self.all.holds.iter().filter(|(of, ..)| *of == account.id.get()).map(|(_, end, _)| *end).min();
            if expected > 0 {
                // It may be one that is closed by now, which is earlier, but never later.
                assert!(account.next_hold_end <= first && account.next_hold_end.is_some(), "{account:?}: {first:?}");
            }
        }
    }

    fn assert_orders(&self) {
        for (name, order) in &self.orders {
            let of_order = |hold: &&HoldRecord| hold.order == *name && hold.site == bank::SITE;
            let open = self.holds.iter().filter(|(_, hold)| of_order(hold) && hold.state == HoldState::Open);
            let open: Vec<Id> = open.map(|(id, _)| *id).collect();
            assert_eq!(open, order.hold.into_iter().collect::<Vec<_>>(), "open holds of order {name}");
            for tender in &order.tenders {
                assert!(
                    0 <= tender.applied_returned && tender.applied_returned <= tender.applied,
                    "{name}: {tender:?}"
                );
                assert!(0 <= tender.taken_returned && tender.taken_returned <= tender.taken, "{name}: {tender:?}");
            }
        }
    }
}
