//! The contract between the ledger and what keeps it: one consistent read, one guarded write, and the scans behind
//! lists, reports and checks. SQLite and PostgreSQL fulfil it, and one suite of tests holds both to it. Must not know
//! what an operation means: a store compares versions and writes rows.

use std::collections::HashMap;
use std::fmt;

use giftcard_engine::card::Status;
use giftcard_engine::moment::InstantMs;
use giftcard_engine::{Currency, Minor};

use crate::model::{
    Account, AccountKind, Code, CodeState, Counter, Entry, Hash32, Id, Leg, Operation, OperationKey, OperationKind,
    Record, RecordKey, RecordKind, Refusal,
};

/// What to read, in one round trip.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Want {
    /// An operation, or a refusal in its place.
    pub operation: Option<OperationKey>,
    /// Codes; each with the lookups it may have, one for each key version. Their accounts come along.
    pub codes: Vec<Vec<Hash32>>,
    /// Accounts by id.
    pub accounts: Vec<Id>,
    /// Store credit accounts by site, customer and currency code.
    pub credits: Vec<(String, String, String)>,
    /// Documents.
    pub records: Vec<RecordKey>,
}

/// What was read. Everything in it was committed.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// The operation of that key, with the number the store gave it.
    pub operation: Option<Operation>,
    /// The refusal of that key, also one that is forgotten by now.
    pub refusal: Option<Refusal>,
    /// For each wanted code: the code, if there is one.
    pub codes: Vec<Option<Code>>,
    /// Every account that was wanted, by id, by code or as store credit, and exists.
    pub accounts: HashMap<Id, Account>,
    /// For each wanted store credit: its account.
    pub credits: Vec<Option<Id>>,
    /// Every wanted document that exists.
    pub records: HashMap<RecordKey, Record>,
    /// Version of the configuration: moves with every change of a site or a programme.
    pub configuration: u64,
    /// The greatest moment of any operation; nothing happens before it.
    pub high_water: InstantMs,
}

/// An account as it becomes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountChange {
    /// The version that must be there; `None` for a new account, which must not be there.
    pub before: Option<u64>,
    /// The account afterwards.
    pub after: Account,
}

/// A document as it becomes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordChange {
    /// Where it is.
    pub key: RecordKey,
    /// The version that must be there; `None` for a new one, which must not be there.
    pub before: Option<u64>,
    /// JSON afterwards; `None` deletes.
    pub body: Option<String>,
}

/// A code as it becomes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CodeChange {
    /// The version that must be there; `None` for a new code, whose id and lookup must not be there.
    pub before: Option<u64>,
    /// The code afterwards. Its `version` is the store's to write: one more than before.
    pub after: Code,
}

/// An open hold on an account, so that passed ones are found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct OpenHold {
    /// The account.
    pub account: Id,
    /// The hold.
    pub hold: Id,
    /// Its end.
    pub ends_at: InstantMs,
}

/// Personal fields of a request, kept apart so that they can be erased.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Personal {
    /// Random; named by the operation.
    pub reference: [u8; 16],
    /// The site.
    pub site: String,
    /// The customer, where known by id: erasing the customer erases this.
    pub customer: Option<String>,
    /// JSON.
    pub body: String,
}

/// A text that many decisions refer to by its SHA-256: what a site and its programmes had decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Context {
    /// SHA-256 of the body.
    pub digest: Hash32,
    /// JSON.
    pub body: String,
}

/// Everything one operation changes. All of it is written, or nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// The operation. Without, the change is one of configuration or of codes only.
    pub operation: Option<Operation>,
    /// In place of an operation: a refusal to remember.
    pub refusal: Option<Refusal>,
    /// Operations that were not committed yet when this one was planned on what they will have made. Where one of them is
    /// before this one in the same batch, it must be committed with it: see [`builds_on`]. Versions alone do not tell,
    /// since another process may have made the same version of something else.
    pub builds_on: Vec<OperationKey>,
    /// The configuration's version must be this.
    pub configuration: Option<u64>,
    /// These documents must have these versions (`None`: must not be there). They are not written.
    pub checks: Vec<(RecordKey, Option<u64>)>,
    /// These accounts must have these versions. They are not written.
    pub account_checks: Vec<(Id, u64)>,
    /// Accounts to write, each at most once.
    pub accounts: Vec<AccountChange>,
    /// Legs of the operation, in order.
    pub entries: Vec<Entry>,
    /// Documents to write, each at most once.
    pub records: Vec<RecordChange>,
    /// Codes to write, each at most once.
    pub codes: Vec<CodeChange>,
    /// Open holds to add.
    pub holds_opened: Vec<OpenHold>,
    /// Open holds to take away; those that are not there are passed over.
    pub holds_closed: Vec<OpenHold>,
    /// Personal fields to add.
    pub personal: Option<Personal>,
    /// Contexts to add, unless they are there.
    pub contexts: Vec<Context>,
}

/// Which decisions are listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecisionFilter {
    /// Of this site; of all if absent.
    pub site: Option<String>,
    /// Of operations from this moment on.
    pub from: InstantMs,
    /// Of operations before this moment.
    pub to: InstantMs,
    /// Up to this sequence, it included: where [`Store::sequences`] says that the period ends.
    pub last: i64,
}

impl Default for DecisionFilter {
    fn default() -> Self {
        Self { site: None, from: InstantMs::MIN, to: InstantMs::MAX, last: i64::MAX }
    }
}

/// The decision of an operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecisionRow {
    /// The operation; its number orders them.
    pub sequence: i64,
    /// The operation.
    pub key: OperationKey,
    /// When.
    pub at: InstantMs,
    /// For which order.
    pub order: Option<String>,
    /// As it was recorded.
    pub decision: String,
    /// The personal fields, where there were some and they were not erased.
    pub personal: Option<String>,
}

/// Every document of one kind and site, by id, read a page of [`Store::records`] at a time.
///
/// # Errors
/// See [`StoreError`].
pub fn all_records(store: &dyn Store, kind: RecordKind, site: &str) -> Result<Vec<Record>, StoreError> {
    const PAGE: usize = 500;
    let mut all: Vec<Record> = Vec::new();
    loop {
        let after = all.last().map(|record| record.key.id.clone()).unwrap_or_default();
        let page = store.records(kind, site, &after, PAGE)?;
        let is_last = page.len() < PAGE;
        all.extend(page);
        if is_last {
            return Ok(all);
        }
    }
}

/// Entries of an account with numbers greater than `after`, ascending, read a page of [`Store::history`] at a time. Ends
/// after the first error.
pub fn history(store: &dyn Store, account: Id, after: u64) -> impl Iterator<Item = Result<Booked, StoreError>> {
    const PAGE: usize = 500;
    let (mut after, mut is_over) = (after, false);
    let pages = std::iter::from_fn(move || {
        if is_over {
            return None;
        }
        let page = store.history(account, after, PAGE);
        is_over = match page.as_deref() {
            Ok([.., last]) if let Leg::Account { number, .. } = last.entry.leg => {
                after = number;
                false
            }
            _ => true,
        };
        Some(match page {
            Ok(page) => page.into_iter().map(Ok).collect(),
            Err(error) => vec![Err(error)],
        })
    });
    pages.flatten()
}

/// For each operation of a batch the places of those before it that it builds on: of each key the last, which is the one
/// that was seen. If one of them is not committed, the operation is a conflict.
#[must_use]
pub fn builds_on(batch: &[&Changes]) -> Vec<Vec<usize>> {
    let has_key = |changes: &Changes, key: &OperationKey| {
        changes.operation.as_ref().is_some_and(|operation| operation.key == *key)
    };
    let places = |place: usize| {
        let before = &batch[..place];
        let last = |key| before.iter().rposition(|changes| has_key(changes, key));
        batch[place].builds_on.iter().filter_map(last).collect()
    };
    (0..batch.len()).map(places).collect()
}

/// What became of one operation of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is durable.
    Committed,
    /// A guard did not hold; nothing of it was written.
    Conflict,
    /// There is an operation of this key already, or a refusal that is still remembered; nothing was written.
    Duplicate,
}

/// Why a store could not.
#[derive(Debug, Clone)]
pub enum StoreError {
    /// Nothing was written, and the same may work later: the database is locked, away, or too slow.
    Unavailable(String),
    /// The connection was lost while it was being committed: it is unknown whether it is durable.
    Unknown(String),
    /// The store failed and refuses to write until it is opened again: a write or sync failed, or the disk is full.
    Failed(String),
    /// What is stored cannot be, or the schema is not this version's.
    Corrupt(String),
}

impl StoreError {
    /// Stable kebab-case code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Unavailable(_) => "database-unavailable",
            Self::Unknown(_) => "outcome-unknown",
            Self::Failed(_) => "database-failed",
            Self::Corrupt(_) => "database-corrupt",
        }
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unavailable(why) => write!(f, "the database is not available now: {why}"),
            Self::Unknown(why) => write!(f, "the connection was lost, so it is not known whether it was done: {why}"),
            Self::Failed(why) => {
                write!(f, "the database failed, and nothing is written until it is opened again: {why}")
            }
            Self::Corrupt(why) => write!(f, "the database holds what cannot be: {why}"),
        }
    }
}

impl std::error::Error for StoreError {}

/// Which accounts to list, by id, greater than `after`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccountFilter {
    /// Of this site.
    pub site: Option<String>,
    /// Cards or store credit.
    pub kind: Option<AccountKind>,
    /// Of this programme.
    pub programme: Option<String>,
    /// Of this customer.
    pub customer: Option<String>,
    /// In this stored state.
    pub status: Option<Status>,
    /// Bought by this order.
    pub bought_by: Option<String>,
    /// With these last four characters.
    pub hint: Option<String>,
    /// With an end, and that at or before this instant.
    pub ends_by: Option<InstantMs>,
    /// With at least this balance, in minor units of the account's currency.
    pub balance_min: Option<Minor>,
    /// Greater ids only.
    pub after: Option<Id>,
    /// At most so many.
    pub limit: usize,
}

/// An entry with its operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Booked {
    /// The operation; its number orders them.
    pub sequence: i64,
    /// Place among the legs of its operation, from 0.
    pub place: u32,
    /// The operation.
    pub operation: OperationKey,
    /// What it did.
    pub kind: OperationKind,
    /// When.
    pub at: InstantMs,
    /// For which order.
    pub order: Option<String>,
    /// The entry.
    pub entry: Entry,
}

/// An operation with the number the store gave it and its legs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Numbered {
    /// Greater than that of every operation it depends on.
    pub sequence: i64,
    /// The operation.
    pub operation: Operation,
    /// Its legs, in order.
    pub entries: Vec<Entry>,
}

/// Sum of one programme's accounts in one currency, for reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Liability {
    /// Site.
    pub site: String,
    /// Cards or store credit.
    pub kind: AccountKind,
    /// Programme by code name; empty for store credit.
    pub programme: String,
    /// Currency.
    pub currency: Currency,
    /// Stored state of the accounts.
    pub status: Status,
    /// How many accounts.
    pub accounts: u64,
    /// Sum of balances, in minor units; may be more than one amount can be.
    pub balance_minor: i128,
    /// Sum of what is held, in minor units.
    pub held_minor: i128,
}

/// Sum of the entries of one kind over a period, for reports. By account kind and programme, each leg of an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Turnover {
    /// Site.
    pub site: String,
    /// Cards or store credit.
    pub kind: AccountKind,
    /// Programme by code name; empty for store credit.
    pub programme: String,
    /// Currency.
    pub currency: Currency,
    /// What the operations did.
    pub operation: OperationKind,
    /// How many entries.
    pub entries: u64,
    /// Sum of the amounts, in minor units.
    pub amount_minor: i128,
}

/// Sum of all legs in one currency; all of them together are nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CounterSum {
    /// The counter; `None` for accounts.
    pub counter: Option<Counter>,
    /// Currency.
    pub currency: Currency,
    /// Sum, in minor units.
    pub amount_minor: i128,
}

/// A sealed head of an account's chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SealedHead {
    /// The account.
    pub account: Id,
    /// Its version then.
    pub version: u64,
    /// The hash of that entry.
    pub head: Hash32,
}

/// A signed statement about the heads of all chains that changed since the one before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// 1 for the first.
    pub number: u64,
    /// When.
    pub at: InstantMs,
    /// Root over [`SealedHead`]s by ascending account; see [`crate::chain`].
    pub root: Hash32,
    /// How many heads.
    pub heads: u64,
    /// Digest of the checkpoint before; zeros for the first.
    pub previous: Hash32,
    /// Public key, ed25519.
    pub key: [u8; 32],
    /// Signature over the digest, ed25519.
    pub signature: [u8; 64],
}

/// What keeps the ledger. All calls block; all may come from many threads at once.
pub trait Store: Send + Sync {
    /// How many batches may be committed at the same time. Never 0.
    fn lanes(&self) -> usize;

    /// How many connections were made so far. After a new one it may be another server that answers, of which nothing is
    /// known. Always the same where there is no server.
    fn connections(&self) -> u64 {
        0
    }

    /// One consistent read.
    ///
    /// # Errors
    /// See [`StoreError`].
    fn find(&self, want: &Want) -> Result<Found, StoreError>;

    /// Writes a batch in one transaction, in order, each operation whole or not at all. Returns when what is
    /// [`Verdict::Committed`] is durable. An operation sees what those before it in the batch wrote.
    ///
    /// A remembered refusal of the key whose end is at or before the operation's moment is forgotten by it.
    ///
    /// # Errors
    /// With an error nothing of the batch is known to be durable; only [`StoreError::Unknown`] leaves it open.
    fn commit(&self, lane: usize, batch: &[&Changes]) -> Result<Vec<Verdict>, StoreError>;

    /// Open holds on these accounts that end at or before `now`, any order.
    ///
    /// # Errors
    /// See [`StoreError`].
    fn passed_holds(&self, accounts: &[Id], now: InstantMs) -> Result<Vec<OpenHold>, StoreError>;

    /// The first end of an open hold on each of these accounts, except the holds in `without`.
    ///
    /// # Errors
    /// See [`StoreError`].
    fn next_hold_ends(&self, accounts: &[Id], without: &[Id]) -> Result<HashMap<Id, InstantMs>, StoreError>;

    /// Any open holds that end at or before `now`, at most `limit`, soonest first.
    ///
    /// # Errors
    /// See [`StoreError`].
    fn all_passed_holds(&self, now: InstantMs, limit: usize) -> Result<Vec<OpenHold>, StoreError>;

    /// Accounts by ascending id.
    ///
    /// # Errors
    /// See [`StoreError`].
    fn accounts(&self, filter: &AccountFilter) -> Result<Vec<Account>, StoreError>;

    /// Entries of an account with numbers greater than `after`, ascending, at most `limit`.
    ///
    /// # Errors
    /// See [`StoreError`].
    fn history(&self, account: Id, after: u64, limit: usize) -> Result<Vec<Booked>, StoreError>;

    /// Operations with sequences greater than `after`, ascending, at most `limit`, with their legs.
    ///
    /// # Errors
    /// See [`StoreError`].
    fn operations(&self, after: i64, limit: usize) -> Result<Vec<Numbered>, StoreError>;

    /// Sequences of those of these operations that are not what is found under their keys: who repeated one would do it
    /// again, or get another's answer.
    ///
    /// # Errors
    /// See [`StoreError`].
    fn not_found_by_key(&self, operations: &[Numbered]) -> Result<Vec<i64>, StoreError>;

    /// The least and the greatest sequence of an operation from one moment on until before another; none where there is none.
    ///
    /// # Errors
    /// See [`StoreError`].
    fn sequences(&self, from: InstantMs, to: InstantMs) -> Result<Option<(i64, i64)>, StoreError>;

    /// Decisions of operations with sequences greater than `after`, ascending, at most `limit`, without their legs.
    ///
    /// # Errors
    /// See [`StoreError`].
    fn decisions(&self, filter: &DecisionFilter, after: i64, limit: usize) -> Result<Vec<DecisionRow>, StoreError>;

    /// Documents of one kind and site with ids greater than `after`, ascending, at most `limit`.
    ///
    /// # Errors
    /// See [`StoreError`].
    fn records(&self, kind: RecordKind, site: &str, after: &str, limit: usize) -> Result<Vec<Record>, StoreError>;

    /// Codes of a pool in a state with ids greater than `after`, ascending, at most `limit`.
    ///
    /// # Errors
    /// See [`StoreError`].
    fn codes(
        &self,
        site: &str,
        pool: &str,
        state: CodeState,
        after: Option<Id>,
        limit: usize,
    ) -> Result<Vec<Code>, StoreError>;

    /// How many codes of a pool are in each state.
    ///
    /// # Errors
    /// See [`StoreError`].
    fn code_counts(&self, site: &str, pool: &str) -> Result<HashMap<CodeState, u64>, StoreError>;

    /// The drawn codes of an account.
    ///
    /// # Errors
    /// See [`StoreError`].
    fn codes_of(&self, account: Id) -> Result<Vec<Code>, StoreError>;

    /// How many codes of usable cards (not closed, with a balance) have lookups of each key version, and how many
    /// free and reserved ones.
    ///
    /// # Errors
    /// See [`StoreError`].
    fn pepper_uses(&self) -> Result<HashMap<u32, u64>, StoreError>;

    /// The personal fields of a reference; `None` where they were erased.
    ///
    /// # Errors
    /// See [`StoreError`].
    fn personal(&self, reference: [u8; 16]) -> Result<Option<Personal>, StoreError>;

    /// Erases personal fields of a customer of a site: the record and all of what requests said. Returns how many
    /// requests had some.
    ///
    /// # Errors
    /// See [`StoreError`].
    fn erase(&self, site: &str, customer: &str) -> Result<u64, StoreError>;

    /// A context.
    ///
    /// # Errors
    /// See [`StoreError`].
    fn context(&self, digest: Hash32) -> Result<Option<String>, StoreError>;

    /// Keeps the bytes of a component under their SHA-256, durably. Other bytes under it were damaged, and are replaced.
    ///
    /// # Errors
    /// See [`StoreError`].
    fn keep_component(&self, digest: Hash32, bytes: &[u8]) -> Result<(), StoreError>;

    /// The bytes of a component.
    ///
    /// # Errors
    /// See [`StoreError`].
    fn component(&self, digest: Hash32) -> Result<Option<Vec<u8>>, StoreError>;

    /// Sums of balances, by site, kind, programme, currency and state.
    ///
    /// # Errors
    /// See [`StoreError`].
    fn liabilities(&self, site: Option<&str>) -> Result<Vec<Liability>, StoreError>;

    /// Sums of entries of operations with `from <= at < to`.
    ///
    /// # Errors
    /// See [`StoreError`].
    fn turnover(&self, site: Option<&str>, from: InstantMs, to: InstantMs) -> Result<Vec<Turnover>, StoreError>;

    /// Sums of all legs, by counter and currency.
    ///
    /// # Errors
    /// See [`StoreError`].
    fn counter_sums(&self) -> Result<Vec<CounterSum>, StoreError>;

    /// Heads that changed since they were last sealed, by ascending account, from one snapshot.
    ///
    /// # Errors
    /// See [`StoreError`].
    fn unsealed_heads(&self) -> Result<Vec<SealedHead>, StoreError>;

    /// Adds a checkpoint and its heads. False where another with its number is there already.
    ///
    /// # Errors
    /// See [`StoreError`].
    fn seal(&self, checkpoint: &Checkpoint, heads: &[SealedHead]) -> Result<bool, StoreError>;

    /// All checkpoints, ascending.
    ///
    /// # Errors
    /// See [`StoreError`].
    fn checkpoints(&self) -> Result<Vec<Checkpoint>, StoreError>;

    /// The heads of a checkpoint by ascending account.
    ///
    /// # Errors
    /// See [`StoreError`].
    fn sealed_heads(&self, number: u64) -> Result<Vec<SealedHead>, StoreError>;

    /// Forgets refusals that ended at or before `now`. Returns how many.
    ///
    /// # Errors
    /// See [`StoreError`].
    fn forget_refusals(&self, now: InstantMs) -> Result<u64, StoreError>;

    /// A small named text that belongs to the database itself.
    ///
    /// # Errors
    /// See [`StoreError`].
    fn note(&self, name: &str) -> Result<Option<String>, StoreError>;

    /// Writes a note; an existing one is replaced.
    ///
    /// # Errors
    /// See [`StoreError`].
    fn set_note(&self, name: &str, text: &str) -> Result<(), StoreError>;

    /// Writes everything, as of one moment, to a new SQLite file of this schema. Others may go on writing.
    ///
    /// # Errors
    /// See [`StoreError`].
    fn backup(&self, file: &std::path::Path) -> Result<(), StoreError>;
}
