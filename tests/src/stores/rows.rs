//! Rows for tests of stores: accounts, operations and codes that agree with each other, hashes included. Must not know
//! which store they are for.

use giftcard_engine::card::Status;
use giftcard_engine::moment::InstantMs;
use giftcard_engine::{Currency, Minor};
use giftcard_ledger::chain;
use giftcard_ledger::model::{
    Account, AccountKind, Code, CodeState, Counter, Entry, Hash32, Id, Leg, Operation, OperationKey, OperationKind,
    RecordKey, RecordKind, Refusal,
};
use giftcard_ledger::store::{AccountChange, Changes, CodeChange, RecordChange, Store, StoreError, Verdict, Want};

/// The site of everything here that says no other.
pub const SITE: &str = "main";

/// A moment: 2026-11-22T12:00:00Z.
pub const NOW: InstantMs = 1_795_348_800_000;

/// The id with this number.
///
/// # Panics
/// Below 0.
#[must_use]
pub fn id(number: i64) -> Id {
    Id::new(number).expect("an id is not below 0")
}

/// An amount of minor units.
///
/// # Panics
/// Beyond 2^53 - 1.
#[must_use]
pub fn minor(amount: i64) -> Minor {
    Minor::new(amount).expect("an amount is at most 2^53 - 1")
}

/// A currency of two decimals.
///
/// # Panics
/// For anything but three upper-case letters.
#[must_use]
pub fn currency(code: &str) -> Currency {
    Currency::new(code, 2).expect("a currency is three upper-case letters")
}

/// 32 bytes that this number tells apart from those of others.
#[must_use]
pub fn hash(number: i64) -> Hash32 {
    chain::digest(&number.to_string())
}

/// The key of an operation of [`SITE`].
#[must_use]
pub fn key(key: &str) -> OperationKey {
    OperationKey { site: SITE.to_owned(), key: key.to_owned() }
}

/// A redemption at [`NOW`] with nothing that may be missing.
#[must_use]
pub fn operation(name: &str) -> Operation {
    Operation {
        key: key(name),
        kind: OperationKind::Redeem,
        request_hash: chain::digest(name),
        at: NOW,
        order: None,
        actor: None,
        answer: format!(r#"{{"answer":"{name}"}}"#),
        decision: None,
        personal: None,
    }
}

/// A refusal at [`NOW`].
#[must_use]
pub fn refusal(name: &str, until: InstantMs) -> Refusal {
    Refusal {
        key: key(name),
        request_hash: chain::digest(name),
        at: NOW,
        until,
        answer: format!(r#"{{"refused":"{name}"}}"#),
    }
}

/// A change that is only a refusal to remember.
#[must_use]
pub fn refused(refusal: Refusal) -> Changes {
    Changes { refusal: Some(refusal), ..Changes::default() }
}

/// An active card of the programme `spring`, in USD, before its first entry.
#[must_use]
pub fn card(number: i64) -> Account {
    Account {
        id: id(number),
        kind: AccountKind::Card,
        site: SITE.to_owned(),
        currency: currency("USD"),
        programme: "spring".to_owned(),
        customer: None,
        status: Status::Active,
        balance: Minor::ZERO,
        held: Minor::ZERO,
        next_hold_end: None,
        initial: Minor::ZERO,
        issued_at: NOW,
        expires_at: None,
        expires_on: None,
        replaced_by: None,
        bought_by: None,
        hint: None,
        version: 0,
        head: chain::BEGINNING,
    }
}

/// A store credit account in USD, before its first entry.
#[must_use]
pub fn credit(number: i64, customer: &str) -> Account {
    Account { kind: AccountKind::Credit, programme: String::new(), customer: Some(customer.to_owned()), ..card(number) }
}

/// A free code of no pool. Its lookup is that of its number and the first key version.
#[must_use]
pub fn code(number: i64) -> Code {
    Code {
        id: id(number),
        site: SITE.to_owned(),
        lookup: hash(number),
        pepper: 1,
        pool: None,
        state: CodeState::Free,
        account: None,
        hint: None,
        sealed: None,
        version: 1,
    }
}

/// A change that only adds codes.
#[must_use]
pub fn new_codes(codes: impl IntoIterator<Item = Code>) -> Changes {
    let codes = codes.into_iter().map(|after| CodeChange { before: None, after }).collect();
    Changes { codes, ..Changes::default() }
}

/// A change of one code as it was read.
#[must_use]
pub fn changed_code(after: Code) -> Changes {
    Changes { codes: vec![CodeChange { before: Some(after.version), after }], ..Changes::default() }
}

/// Where a document of [`SITE`] is.
#[must_use]
pub fn place(kind: RecordKind, id: &str) -> RecordKey {
    RecordKey { kind, site: SITE.to_owned(), id: id.to_owned() }
}

/// A change of one document only.
#[must_use]
pub fn document(key: &RecordKey, before: Option<u64>, body: Option<&str>) -> Changes {
    let change = RecordChange { key: key.clone(), before, body: body.map(str::to_owned) };
    Changes { records: vec![change], ..Changes::default() }
}

/// An operation with its entries while it is put together. Every amount has its counter's leg.
#[derive(Clone, Debug)]
pub struct Booking {
    changes: Changes,
    operation: Hash32,
}

impl Booking {
    /// An operation without entries.
    #[must_use]
    pub fn new(operation: Operation) -> Self {
        let hash = chain::operation_hash(&operation);
        Self { changes: Changes { operation: Some(operation), ..Changes::default() }, operation: hash }
    }

    /// A redemption at [`NOW`] without entries.
    #[must_use]
    pub fn named(name: &str) -> Self {
        Self::new(operation(name))
    }

    /// The first entry of an account: `amount` is put on it.
    #[must_use]
    pub fn opens(mut self, account: &Account, amount: i64) -> Self {
        let mut account = account.clone();
        account.initial = if account.kind == AccountKind::Card { minor(amount) } else { Minor::ZERO };
        self.enter(None, account, amount, 0, Counter::Issuance);
        self
    }

    /// An entry that changes the balance by `amount` and what is held by `held`.
    #[must_use]
    pub fn moves(mut self, before: &Account, amount: i64, held: i64) -> Self {
        self.enter(Some(before.version), before.clone(), amount, held, Counter::Redemption);
        self
    }

    /// An entry that changes nothing of the amounts and `change` of the rest.
    #[must_use]
    pub fn alters(mut self, before: &Account, change: impl FnOnce(&mut Account)) -> Self {
        let mut after = before.clone();
        change(&mut after);
        self.enter(Some(before.version), after, 0, 0, Counter::Adjustment);
        self
    }

    /// Anything else about the changes.
    #[must_use]
    pub fn with(mut self, change: impl FnOnce(&mut Changes)) -> Self {
        change(&mut self.changes);
        self
    }

    fn enter(&mut self, before: Option<u64>, account: Account, amount: i64, held: i64, counter: Counter) {
        let amount = minor(amount);
        let earlier = self.changes.accounts.iter().position(|change| change.after.id == account.id);
        // A second entry of the same account goes on from the first.
        let (before, mut after) = match earlier.map(|place| self.changes.accounts.remove(place)) {
            Some(change) => (change.before, change.after),
            None => (before, account),
        };
        let previous = after.head;
        after.balance = after.balance.plus(amount).expect("a balance is an amount");
        after.held = after.held.plus(minor(held)).expect("what is held is an amount");
        after.version += 1;
        after.head = chain::entry_hash(&previous, &self.operation, &after, amount, minor(held));
        let leg = Leg::Account {
            id: after.id,
            held_change: minor(held),
            balance: after.balance,
            held: after.held,
            status: after.status,
            number: after.version,
            hash: after.head,
        };
        let currency = after.currency;
        self.changes.entries.push(Entry { leg, currency, amount });
        if !amount.is_zero() {
            let amount = Minor::ZERO.minus(amount).expect("an amount has its opposite");
            self.changes.entries.push(Entry { leg: Leg::Counter(counter), currency, amount });
        }
        self.changes.accounts.push(AccountChange { before, after });
    }

    /// The account as it becomes.
    ///
    /// # Panics
    /// Where the operation does not touch it.
    #[must_use]
    pub fn after(&self, account: Id) -> Account {
        after(&self.changes, account)
    }

    /// What there is to commit.
    #[must_use]
    pub fn changes(self) -> Changes {
        self.changes
    }
}

/// The account as these changes leave it.
///
/// # Panics
/// Where they do not touch it.
#[must_use]
pub fn after(changes: &Changes, account: Id) -> Account {
    let change = changes.accounts.iter().find(|change| change.after.id == account);
    change.expect("the operation touches the account").after.clone()
}

/// Commits a batch that the store is able to write.
///
/// # Panics
/// Where it is not.
pub fn commit(store: &dyn Store, batch: &[&Changes]) -> Vec<Verdict> {
    store.commit(0, batch).expect("the store works")
}

/// Commits changes that conflict with nothing.
///
/// # Panics
/// Where they do.
pub fn committed(store: &dyn Store, changes: &Changes) {
    assert_eq!(commit(store, &[changes]), [Verdict::Committed], "{changes:?}");
}

/// Commits changes whose guards do not hold.
///
/// # Panics
/// Where they do.
pub fn conflicts(store: &dyn Store, changes: &Changes) {
    assert_eq!(commit(store, &[changes]), [Verdict::Conflict], "{changes:?}");
}

/// Commits on a lane, again as long as the store says that it may work later.
///
/// # Panics
/// Where the store fails, or after a hundred times.
pub fn commit_patiently(store: &dyn Store, lane: usize, batch: &[&Changes]) -> Vec<Verdict> {
    for _ in 0..100 {
        match store.commit(lane % store.lanes(), batch) {
            Ok(verdicts) => return verdicts,
            Err(StoreError::Unavailable(_)) => {}
            Err(error) => panic!("{error}"),
        }
    }
    panic!("the store was not available a hundred times");
}

/// Puts `amount` on a new card and gives the card as it is now.
///
/// # Panics
/// Where the store does not take it.
pub fn issue(store: &dyn Store, account: &Account, amount: i64) -> Account {
    let booking = Booking::named(&format!("issue {}", account.id)).opens(account, amount);
    let issued = booking.after(account.id);
    committed(store, &booking.changes());
    issued
}

/// The account as it is stored.
///
/// # Panics
/// Where there is none.
pub fn account(store: &dyn Store, account: Id) -> Account {
    let want = Want { accounts: vec![account], ..Want::default() };
    store.find(&want).expect("the store works").accounts.remove(&account).expect("the account is there")
}

/// The code with this lookup as it is stored.
pub fn code_by(store: &dyn Store, lookup: Hash32) -> Option<Code> {
    let want = Want { codes: vec![vec![lookup]], ..Want::default() };
    store.find(&want).expect("the store works").codes.remove(0)
}

/// Version of the configuration.
pub fn configuration(store: &dyn Store) -> u64 {
    store.find(&Want::default()).expect("the store works").configuration
}
