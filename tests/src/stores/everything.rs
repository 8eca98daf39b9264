//! All that a store can be asked, for comparing one with another or with itself. Must not know which store it is.

use std::collections::{BTreeMap, BTreeSet};

use giftcard_ledger::model::{
    Account, Code, CodeState, Hash32, Id, Leg, OperationKey, Record, RecordKey, RecordKind, Refusal,
};
use giftcard_ledger::store::{
    AccountFilter, Booked, Checkpoint, CounterSum, Liability, Numbered, OpenHold, Personal, SealedHead, Store,
    Turnover, Want,
};

/// What cannot be listed and has to be asked for by name.
#[derive(Clone, Debug, Default)]
pub struct Names {
    /// Sites; documents of the empty one are always asked for.
    pub sites: Vec<String>,
    /// Pools, in each of the sites.
    pub pools: Vec<String>,
    /// Refusals.
    pub refusals: Vec<OperationKey>,
    /// Personal fields.
    pub references: Vec<[u8; 16]>,
    /// Contexts.
    pub contexts: Vec<Hash32>,
    /// Components.
    pub components: Vec<Hash32>,
    /// Notes.
    pub notes: Vec<String>,
}

/// All answers of a store. Sequences of operations are left out only where two stores count them differently: see
/// [`Everything::renumbered`].
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub struct Everything {
    pub configuration: u64,
    pub high_water: i64,
    pub accounts: Vec<Account>,
    pub operations: Vec<Numbered>,
    pub histories: BTreeMap<Id, Vec<Booked>>,
    pub documents: BTreeMap<RecordKey, Record>,
    pub codes: Vec<Code>,
    pub drawn_codes: Vec<Code>,
    pub holds: BTreeSet<(i64, i64, i64)>,
    pub refusals: Vec<Option<Refusal>>,
    pub personal: Vec<Option<Personal>>,
    pub contexts: Vec<Option<String>>,
    pub components: Vec<Option<Vec<u8>>>,
    pub notes: Vec<Option<String>>,
    pub liabilities: Vec<Liability>,
    pub turnover: Vec<Turnover>,
    pub counter_sums: Vec<CounterSum>,
    pub pepper_uses: BTreeMap<u32, u64>,
    pub checkpoints: Vec<(Checkpoint, Vec<SealedHead>)>,
    pub unsealed: Vec<SealedHead>,
}

impl Everything {
    /// All answers of a store that nobody writes to.
    ///
    /// # Panics
    /// Where the store does not answer.
    #[must_use]
    pub fn of(store: &dyn Store, names: &Names) -> Self {
        let own = store.find(&Want::default()).unwrap();
        let accounts = store.accounts(&AccountFilter { limit: usize::MAX, ..AccountFilter::default() }).unwrap();
        let history = |account: &Account| (account.id, store.history(account.id, 0, usize::MAX).unwrap());
        let drawn = |account: &Account| store.codes_of(account.id).unwrap();
        let mut sums = store.counter_sums().unwrap();
        sums.sort_by_key(|sum| (sum.counter, sum.currency));
        let holds = store.all_passed_holds(i64::MAX, usize::MAX).unwrap();
        let checkpoints = store.checkpoints().unwrap();
        Self {
            configuration: own.configuration,
            high_water: own.high_water,
            operations: store.operations(i64::MIN, usize::MAX).unwrap(),
            histories: accounts.iter().map(history).collect(),
            documents: documents(store, names),
            codes: codes(store, names),
            drawn_codes: accounts.iter().flat_map(drawn).collect(),
            holds: holds.iter().map(hold_numbers).collect(),
            refusals: names.refusals.iter().map(|key| refusal(store, key)).collect(),
            personal: names.references.iter().map(|reference| store.personal(*reference).unwrap()).collect(),
            contexts: names.contexts.iter().map(|digest| store.context(*digest).unwrap()).collect(),
            components: names.components.iter().map(|digest| store.component(*digest).unwrap()).collect(),
            notes: names.notes.iter().map(|name| store.note(name).unwrap()).collect(),
            liabilities: sorted(store.liabilities(None).unwrap()),
            turnover: sorted(store.turnover(None, i64::MIN, i64::MAX).unwrap()),
            counter_sums: sums,
            pepper_uses: store.pepper_uses().unwrap().into_iter().collect(),
            checkpoints: checkpoints
                .into_iter()
                .map(|checkpoint| {
                    let heads = store.sealed_heads(checkpoint.number).unwrap();
                    (checkpoint, heads)
                })
                .collect(),
            unsealed: store.unsealed_heads().unwrap(),
            accounts,
        }
    }

    /// With the operations counted from 1, for two stores that leave out different numbers.
    #[must_use]
    pub fn renumbered(mut self) -> Self {
        let mut numbers = BTreeMap::new();
        for (place, numbered) in self.operations.iter_mut().enumerate() {
            let number = i64::try_from(place).unwrap_or(i64::MAX) + 1;
            numbers.insert(numbered.sequence, number);
            numbered.sequence = number;
        }
        for booked in self.histories.values_mut().flatten() {
            booked.sequence = numbers[&booked.sequence];
        }
        self
    }

    /// Asserts what holds of every ledger: an account is what its entries say, and each currency sums to nothing.
    ///
    /// # Panics
    /// Where it does not hold.
    pub fn assert_sound(&self) {
        for account in &self.accounts {
            let history = &self.histories[&account.id];
            assert_eq!(history.len() as u64, account.version, "{account:?}");
            let balance: i64 = history.iter().map(|booked| booked.entry.amount.get()).sum();
            assert_eq!(balance, account.balance.get(), "{account:?}");
            let Some(Leg::Account { balance, held, status, hash, .. }) = history.last().map(|last| last.entry.leg)
            else {
                panic!("{account:?} has no last entry of an account")
            };
            assert_eq!((balance, held, status, hash), (account.balance, account.held, account.status, account.head));
        }
        let mut sums = BTreeMap::new();
        for sum in &self.counter_sums {
            *sums.entry(sum.currency).or_insert(0) += sum.amount_minor;
        }
        assert!(sums.values().all(|sum| *sum == 0), "{:?}", self.counter_sums);
    }
}

fn documents(store: &dyn Store, names: &Names) -> BTreeMap<RecordKey, Record> {
    let mut found = BTreeMap::new();
    for kind in RecordKind::ALL {
        for site in names.sites.iter().map(String::as_str).chain([""]) {
            for record in store.records(kind, site, "", usize::MAX).unwrap() {
                found.insert(record.key.clone(), record);
            }
        }
    }
    found
}

fn codes(store: &dyn Store, names: &Names) -> Vec<Code> {
    let mut found = Vec::new();
    for site in &names.sites {
        for pool in &names.pools {
            for state in CodeState::ALL {
                found.extend(store.codes(site, pool, state, None, usize::MAX).unwrap());
            }
        }
    }
    found
}

fn hold_numbers(hold: &OpenHold) -> (i64, i64, i64) {
    (hold.account.get(), hold.ends_at, hold.hold.get())
}

fn refusal(store: &dyn Store, key: &OperationKey) -> Option<Refusal> {
    store.find(&Want { operation: Some(key.clone()), ..Want::default() }).unwrap().refusal
}

/// By what they say: stores may give sums in any order.
fn sorted<T: std::fmt::Debug>(mut sums: Vec<T>) -> Vec<T> {
    sums.sort_by_key(|sum| format!("{sum:?}"));
    sums
}
