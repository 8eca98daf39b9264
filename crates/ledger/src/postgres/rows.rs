//! How accounts, operations, entries, documents and codes are laid out in PostgreSQL's rows, in both directions. Must
//! not know which rows are asked for or when they are written.

use giftcard_engine::card::Status;
use giftcard_engine::{Currency, Minor};
use postgres_types::{FromSql, ToSql};

use crate::chain;
use crate::model::{
    Account, AccountKind, Code, CodeState, Counter, Entry, Hash32, Id, Leg, Operation, OperationKey, OperationKind,
    Record, RecordKey, RecordKind, Refusal,
};
use crate::store::{Checkpoint, OpenHold, Personal, SealedHead, StoreError};

/// Counters; the position is the number it is stored by.
const COUNTERS: [Counter; 5] =
    [Counter::Issuance, Counter::Redemption, Counter::Adjustment, Counter::Breakage, Counter::Exchange];

/// Row of `account`.
#[derive(Clone, Debug, FromSql, ToSql)]
#[postgres(name = "account_v1")]
pub(super) struct AccountRow {
    id: i64,
    version: i64,
    balance: i64,
    held: i64,
    next_hold_end: Option<i64>,
    initial: i64,
    issued_at: i64,
    expires_at: Option<i64>,
    replaced_by: Option<i64>,
    kind: i16,
    status: i16,
    exponent: i16,
    head: Vec<u8>,
    currency: String,
    expires_on: Option<String>,
    site: String,
    programme: String,
    customer: Option<String>,
    bought_by: Option<String>,
    hint: Option<String>,
}

/// Row of `operation`: an operation, or with `until` a refusal.
#[derive(Clone, Debug, FromSql, ToSql)]
#[postgres(name = "operation_v1")]
pub(super) struct OperationRow {
    sequence: Option<i64>,
    id: Vec<u8>,
    kind: Option<i16>,
    at: i64,
    site: String,
    key: String,
    request_hash: Vec<u8>,
    for_order: Option<String>,
    actor: Option<String>,
    personal: Option<Vec<u8>>,
    answer: String,
    decision: Option<String>,
    until: Option<i64>,
}

/// Row of `entry`.
#[derive(Clone, Debug, FromSql, ToSql)]
#[postgres(name = "entry_v1")]
pub(super) struct EntryRow {
    operation: i64,
    place: i32,
    counter: Option<i16>,
    currency: String,
    exponent: i16,
    amount: i64,
    account: Option<i64>,
    number: Option<i64>,
    held_change: Option<i64>,
    balance: Option<i64>,
    held: Option<i64>,
    status: Option<i16>,
    hash: Option<Vec<u8>>,
}

/// Row of `record`.
#[derive(Clone, Debug, FromSql, ToSql)]
#[postgres(name = "record_v1")]
pub(super) struct RecordRow {
    kind: i16,
    site: String,
    id: String,
    version: i64,
    body: Option<String>,
}

/// Where a document is.
#[derive(Clone, Debug, FromSql, ToSql)]
#[postgres(name = "record_key_v1")]
pub(super) struct RecordKeyRow {
    kind: i16,
    site: String,
    id: String,
}

/// Row of `code`.
#[derive(Clone, Debug, FromSql, ToSql)]
#[postgres(name = "code_v1")]
pub(super) struct CodeRow {
    id: i64,
    version: i64,
    pepper: i64,
    account: Option<i64>,
    state: i16,
    lookup: Vec<u8>,
    site: String,
    pool: Option<String>,
    hint: Option<String>,
    sealed: Option<Vec<u8>>,
}

/// What a store credit account is known by.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, FromSql, ToSql)]
#[postgres(name = "credit_key_v1")]
pub(super) struct CreditKeyRow {
    pub(super) site: String,
    pub(super) customer: String,
    pub(super) currency: String,
}

/// Row of `open_hold`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, FromSql, ToSql)]
#[postgres(name = "open_hold_v1")]
pub(super) struct OpenHoldRow {
    account: i64,
    ends_at: i64,
    hold: i64,
}

/// Row of `personal`.
#[derive(Clone, Debug, FromSql, ToSql)]
#[postgres(name = "personal_v1")]
pub(super) struct PersonalRow {
    reference: Vec<u8>,
    site: String,
    customer: Option<String>,
    body: String,
}

/// Row of `context`.
#[derive(Clone, Debug, FromSql, ToSql)]
#[postgres(name = "context_v1")]
pub(super) struct ContextRow {
    pub(super) digest: Vec<u8>,
    pub(super) body: String,
}

/// What the database holds and cannot be.
pub(super) fn corrupt(why: impl Into<String>) -> StoreError {
    StoreError::Corrupt(why.into())
}

/// A number of a column that is one place in a list of known ones.
fn known<T: Copy>(list: &[T], number: i16, what: &str) -> Result<T, StoreError> {
    let found = usize::try_from(number).ok().and_then(|place| list.get(place));
    found.copied().ok_or_else(|| corrupt(format!("{number} is stored as {what}, which this version does not know")))
}

pub(super) fn id_of(number: i64) -> Result<Id, StoreError> {
    Id::new(number).ok_or_else(|| corrupt(format!("{number} is stored as an id, which is below 0")))
}

pub(super) fn currency_of(code: &str, exponent: i16) -> Result<Currency, StoreError> {
    let exponent = u8::try_from(exponent).unwrap_or(u8::MAX);
    Currency::new(code, exponent)
        .map_err(|error| corrupt(format!("`{code}` with exponent {exponent} is stored as currency: {error}")))
}

pub(super) fn minor_of(amount: i64) -> Result<Minor, StoreError> {
    Minor::new(amount).map_err(|error| corrupt(format!("{amount} is stored as amount: {error}")))
}

/// A count or version, which is never below 0.
pub(super) fn count_of(number: i64) -> Result<u64, StoreError> {
    u64::try_from(number).map_err(|_| corrupt(format!("{number} is stored as a count, which is below 0")))
}

/// A count or version as PostgreSQL keeps it. One that it cannot keep is not there, so that nothing matches it.
pub(super) fn stored(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// How many rows at most.
pub(super) fn limit(rows: usize) -> i64 {
    i64::try_from(rows).unwrap_or(i64::MAX)
}

pub(super) fn bytes_of<const LENGTH: usize>(bytes: &[u8]) -> Result<[u8; LENGTH], StoreError> {
    bytes.try_into().map_err(|_| corrupt(format!("{} bytes are stored where {LENGTH} are right", bytes.len())))
}

pub(super) fn hash_of(bytes: &[u8]) -> Result<Hash32, StoreError> {
    bytes_of(bytes)
}

pub(super) fn pepper_of(number: i64) -> Result<u32, StoreError> {
    u32::try_from(number).map_err(|_| corrupt(format!("{number} is stored as version of a key")))
}

pub(super) const fn account_kind_number(kind: AccountKind) -> i16 {
    match kind {
        AccountKind::Card => 0,
        AccountKind::Credit => 1,
    }
}

pub(super) fn account_kind_of(number: i16) -> Result<AccountKind, StoreError> {
    known(&[AccountKind::Card, AccountKind::Credit], number, "kind of an account")
}

pub(super) fn status_number(status: Status) -> i16 {
    i16::try_from(chain::status_number(status)).expect("INVARIANT: there are four states")
}

pub(super) fn status_of(number: i16) -> Result<Status, StoreError> {
    chain::status_of(number.into())
        .ok_or_else(|| corrupt(format!("{number} is stored as state of an account, which this version does not know")))
}

pub(super) fn counter_of(number: i16) -> Result<Counter, StoreError> {
    known(&COUNTERS, number, "counter")
}

pub(super) fn operation_kind_of(number: i16) -> Result<OperationKind, StoreError> {
    known(&OperationKind::ALL, number, "kind of an operation")
}

pub(super) const fn record_kind_number(kind: RecordKind) -> i16 {
    kind as i16
}

pub(super) const fn code_state_number(state: CodeState) -> i16 {
    state as i16
}

pub(super) fn code_state_of(number: i16) -> Result<CodeState, StoreError> {
    known(&CodeState::ALL, number, "state of a code")
}

impl From<&Account> for AccountRow {
    fn from(account: &Account) -> Self {
        Self {
            id: account.id.get(),
            version: stored(account.version),
            balance: account.balance.get(),
            held: account.held.get(),
            next_hold_end: account.next_hold_end,
            initial: account.initial.get(),
            issued_at: account.issued_at,
            expires_at: account.expires_at,
            replaced_by: account.replaced_by.map(Id::get),
            kind: account_kind_number(account.kind),
            status: status_number(account.status),
            exponent: account.currency.exponent().into(),
            head: account.head.to_vec(),
            currency: account.currency.code().to_string(),
            expires_on: account.expires_on.clone(),
            site: account.site.clone(),
            programme: account.programme.clone(),
            customer: account.customer.clone(),
            bought_by: account.bought_by.clone(),
            hint: account.hint.clone(),
        }
    }
}

impl TryFrom<AccountRow> for Account {
    type Error = StoreError;

    fn try_from(row: AccountRow) -> Result<Self, StoreError> {
        Ok(Self {
            id: id_of(row.id)?,
            kind: account_kind_of(row.kind)?,
            site: row.site,
            currency: currency_of(&row.currency, row.exponent)?,
            programme: row.programme,
            customer: row.customer,
            status: status_of(row.status)?,
            balance: minor_of(row.balance)?,
            held: minor_of(row.held)?,
            next_hold_end: row.next_hold_end,
            initial: minor_of(row.initial)?,
            issued_at: row.issued_at,
            expires_at: row.expires_at,
            expires_on: row.expires_on,
            replaced_by: row.replaced_by.map(id_of).transpose()?,
            bought_by: row.bought_by,
            hint: row.hint,
            version: count_of(row.version)?,
            head: hash_of(&row.head)?,
        })
    }
}

impl OperationRow {
    /// The row of an operation; the number is the database's to give, unless it is being copied.
    pub(super) fn of_operation(operation: &Operation, sequence: Option<i64>) -> Self {
        Self {
            sequence,
            id: chain::operation_id(&operation.key).to_vec(),
            kind: Some(operation.kind as i16),
            at: operation.at,
            site: operation.key.site.clone(),
            key: operation.key.key.clone(),
            request_hash: operation.request_hash.to_vec(),
            for_order: operation.order.clone(),
            actor: operation.actor.clone(),
            personal: operation.personal.map(Vec::from),
            answer: operation.answer.clone(),
            decision: operation.decision.clone(),
            until: None,
        }
    }

    pub(super) fn of_refusal(refusal: &Refusal) -> Self {
        Self {
            sequence: None,
            id: chain::operation_id(&refusal.key).to_vec(),
            kind: None,
            at: refusal.at,
            site: refusal.key.site.clone(),
            key: refusal.key.key.clone(),
            request_hash: refusal.request_hash.to_vec(),
            for_order: None,
            actor: None,
            personal: None,
            answer: refusal.answer.clone(),
            decision: None,
            until: Some(refusal.until),
        }
    }

    /// An operation with its number, or a refusal.
    pub(super) fn read(self) -> Result<Kept, StoreError> {
        let key = OperationKey { site: self.site, key: self.key };
        let request_hash = hash_of(&self.request_hash)?;
        if let Some(until) = self.until {
            return Ok(Kept::Refusal(Refusal { key, request_hash, at: self.at, until, answer: self.answer }));
        }
        let (Some(sequence), Some(kind)) = (self.sequence, self.kind) else {
            return Err(corrupt(format!("the operation `{}` has no number or no kind", key.key)));
        };
        let operation = Operation {
            key,
            kind: operation_kind_of(kind)?,
            request_hash,
            at: self.at,
            order: self.for_order,
            actor: self.actor,
            answer: self.answer,
            decision: self.decision,
            personal: self.personal.as_deref().map(bytes_of).transpose()?,
        };
        Ok(Kept::Operation(sequence, Box::new(operation)))
    }
}

/// What a row of `operation` is.
pub(super) enum Kept {
    /// An operation with its number.
    Operation(i64, Box<Operation>),
    /// A refusal.
    Refusal(Refusal),
}

impl EntryRow {
    pub(super) fn new(entry: &Entry, operation: i64, place: i32) -> Self {
        let row = Self {
            operation,
            place,
            counter: None,
            currency: entry.currency.code().to_string(),
            exponent: entry.currency.exponent().into(),
            amount: entry.amount.get(),
            account: None,
            number: None,
            held_change: None,
            balance: None,
            held: None,
            status: None,
            hash: None,
        };
        match &entry.leg {
            Leg::Counter(counter) => Self { counter: Some(*counter as i16), ..row },
            Leg::Account { id, held_change, balance, held, status, number, hash } => Self {
                account: Some(id.get()),
                number: Some(stored(*number)),
                held_change: Some(held_change.get()),
                balance: Some(balance.get()),
                held: Some(held.get()),
                status: Some(status_number(*status)),
                hash: Some(hash.to_vec()),
                ..row
            },
        }
    }

    pub(super) fn read(self) -> Result<Entry, StoreError> {
        let missing = || corrupt(format!("leg {} of operation {} is incomplete", self.place, self.operation));
        let leg = match (self.counter, self.account) {
            (Some(counter), None) => Leg::Counter(counter_of(counter)?),
            (None, Some(account)) => Leg::Account {
                id: id_of(account)?,
                held_change: minor_of(self.held_change.ok_or_else(missing)?)?,
                balance: minor_of(self.balance.ok_or_else(missing)?)?,
                held: minor_of(self.held.ok_or_else(missing)?)?,
                status: status_of(self.status.ok_or_else(missing)?)?,
                number: count_of(self.number.ok_or_else(missing)?)?,
                hash: hash_of(self.hash.as_deref().ok_or_else(missing)?)?,
            },
            _ => return Err(missing()),
        };
        Ok(Entry { leg, currency: currency_of(&self.currency, self.exponent)?, amount: minor_of(self.amount)? })
    }

    /// Its place among the legs of its operation.
    pub(super) fn place(&self) -> Result<u32, StoreError> {
        u32::try_from(self.place).map_err(|_| corrupt(format!("{} is stored as place of a leg", self.place)))
    }
}

impl From<&RecordKey> for RecordKeyRow {
    fn from(key: &RecordKey) -> Self {
        Self { kind: record_kind_number(key.kind), site: key.site.clone(), id: key.id.clone() }
    }
}

impl RecordRow {
    /// What becomes of a document; no body deletes it.
    pub(super) fn new(key: RecordKeyRow, version: i64, body: Option<String>) -> Self {
        Self { kind: key.kind, site: key.site, id: key.id, version, body }
    }
}

impl TryFrom<RecordRow> for Record {
    type Error = StoreError;

    fn try_from(row: RecordRow) -> Result<Self, StoreError> {
        let kind = known(&RecordKind::ALL, row.kind, "kind of a document")?;
        let body = row.body.ok_or_else(|| corrupt(format!("the document `{}` has no body", row.id)))?;
        Ok(Self { key: RecordKey { kind, site: row.site, id: row.id }, version: count_of(row.version)?, body })
    }
}

impl CodeRow {
    pub(super) fn new(code: &Code, version: i64) -> Self {
        Self {
            id: code.id.get(),
            version,
            pepper: code.pepper.into(),
            account: code.account.map(Id::get),
            state: code_state_number(code.state),
            lookup: code.lookup.to_vec(),
            site: code.site.clone(),
            pool: code.pool.clone(),
            hint: code.hint.clone(),
            sealed: code.sealed.clone(),
        }
    }
}

impl TryFrom<CodeRow> for Code {
    type Error = StoreError;

    fn try_from(row: CodeRow) -> Result<Self, StoreError> {
        Ok(Self {
            id: id_of(row.id)?,
            site: row.site,
            lookup: hash_of(&row.lookup)?,
            pepper: pepper_of(row.pepper)?,
            pool: row.pool,
            state: code_state_of(row.state)?,
            account: row.account.map(id_of).transpose()?,
            hint: row.hint,
            sealed: row.sealed,
            version: count_of(row.version)?,
        })
    }
}

impl From<&OpenHold> for OpenHoldRow {
    fn from(hold: &OpenHold) -> Self {
        Self { account: hold.account.get(), ends_at: hold.ends_at, hold: hold.hold.get() }
    }
}

impl TryFrom<OpenHoldRow> for OpenHold {
    type Error = StoreError;

    fn try_from(row: OpenHoldRow) -> Result<Self, StoreError> {
        Ok(Self { account: id_of(row.account)?, hold: id_of(row.hold)?, ends_at: row.ends_at })
    }
}

impl From<&Personal> for PersonalRow {
    fn from(personal: &Personal) -> Self {
        Self {
            reference: personal.reference.to_vec(),
            site: personal.site.clone(),
            customer: personal.customer.clone(),
            body: personal.body.clone(),
        }
    }
}

impl TryFrom<PersonalRow> for Personal {
    type Error = StoreError;

    fn try_from(row: PersonalRow) -> Result<Self, StoreError> {
        Ok(Self { reference: bytes_of(&row.reference)?, site: row.site, customer: row.customer, body: row.body })
    }
}

/// A checkpoint from its columns: number, at, root, heads, previous, public key, signature.
pub(super) fn checkpoint(row: &tokio_postgres::Row) -> Result<Checkpoint, StoreError> {
    Ok(Checkpoint {
        number: count_of(column(row, 0)?)?,
        at: column(row, 1)?,
        root: hash_of(column(row, 2)?)?,
        heads: count_of(column(row, 3)?)?,
        previous: hash_of(column(row, 4)?)?,
        key: hash_of(column(row, 5)?)?,
        signature: bytes_of(column(row, 6)?)?,
    })
}

/// A sealed head from its columns: account, version, head.
pub(super) fn sealed_head(row: &tokio_postgres::Row) -> Result<SealedHead, StoreError> {
    Ok(SealedHead {
        account: id_of(column(row, 0)?)?,
        version: count_of(column(row, 1)?)?,
        head: hash_of(column(row, 2)?)?,
    })
}

/// A column of a row, by its place.
pub(super) fn column<'a, T: FromSql<'a>>(row: &'a tokio_postgres::Row, place: usize) -> Result<T, StoreError> {
    row.try_get(place).map_err(|error| corrupt(format!("column {place} is not of this version's schema: {error}")))
}

/// A row that is read from a SQLite file, its columns in the order of its type.
pub(super) trait FromFile: ToSql + Send + Sync + Sized + 'static {
    /// The name of the type.
    const TYPE: &'static str;

    fn from_file(row: &rusqlite::Row<'_>) -> rusqlite::Result<Self>;
}

macro_rules! from_file {
    ($row:ident is $name:literal: $($field:ident)*) => {
        impl FromFile for $row {
            const TYPE: &'static str = $name;

            fn from_file(row: &rusqlite::Row<'_>) -> rusqlite::Result<Self> {
                let mut places = 0..;
                $(let $field = row.get(places.next().unwrap_or_default())?;)*
                Ok(Self { $($field),* })
            }
        }
    };
}

from_file!(AccountRow is "account_v1": id version balance held next_hold_end initial issued_at expires_at replaced_by
    kind status exponent head currency expires_on site programme customer bought_by hint);
from_file!(EntryRow is "entry_v1": operation place counter currency exponent amount account number held_change balance
    held status hash);
from_file!(RecordRow is "record_v1": kind site id version body);
from_file!(CodeRow is "code_v1": id version pepper account state lookup site pool hint sealed);
from_file!(OpenHoldRow is "open_hold_v1": account ends_at hold);
from_file!(PersonalRow is "personal_v1": reference site customer body);
from_file!(ContextRow is "context_v1": digest body);

impl FromFile for OperationRow {
    const TYPE: &'static str = "operation_v1";

    /// All columns but the id, which a file does not have of an operation.
    fn from_file(row: &rusqlite::Row<'_>) -> rusqlite::Result<Self> {
        let key = OperationKey { site: row.get(3)?, key: row.get(4)? };
        Ok(Self {
            sequence: row.get(0)?,
            id: chain::operation_id(&key).to_vec(),
            kind: row.get(1)?,
            at: row.get(2)?,
            site: key.site,
            key: key.key,
            request_hash: row.get(5)?,
            for_order: row.get(6)?,
            actor: row.get(7)?,
            personal: row.get(8)?,
            answer: row.get(9)?,
            decision: row.get(10)?,
            until: row.get(11)?,
        })
    }
}
