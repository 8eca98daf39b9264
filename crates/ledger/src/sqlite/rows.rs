//! How accounts, operations, entries, documents and codes are laid out in rows, in both directions. Must not know which
//! rows are asked for or when they are written.

use giftcard_engine::card::Status;
use giftcard_engine::{Currency, Minor};
use rusqlite::{CachedStatement, Connection, Params, Row, params};

use super::trouble::Trouble;
use crate::chain;
use crate::model::{
    Account, AccountKind, Code, CodeState, Counter, Entry, Hash32, Id, Leg, Operation, OperationKey, OperationKind,
    Record, RecordKey, RecordKind, Refusal,
};
use crate::store::{Checkpoint, Context, OpenHold, Personal, SealedHead};

/// The columns that a row of each table is read from, in the order they are read in.
macro_rules! columns {
    (account) => {
        "id, kind, site, currency, exponent, programme, customer, status, balance, held, next_hold_end, initial, \
         issued_at, expires_at, expires_on, replaced_by, bought_by, hint, version, head"
    };
    (operation) => {
        "site, key, kind, request_hash, at, for_order, actor, answer, decision, personal"
    };
    (entry) => {
        "counter, currency, exponent, amount, account, number, held_change, balance, held, status, hash"
    };
    (code) => {
        "id, site, lookup, pepper, pool, state, account, hint, sealed, version"
    };
    (record) => {
        "kind, site, id, version, body"
    };
    (checkpoint) => {
        "number, at, root, heads, previous, public_key, signature"
    };
}
pub(super) use columns;

/// Kinds of accounts; the position is the number it is stored by.
pub(super) const ACCOUNT_KINDS: [AccountKind; 2] = [AccountKind::Card, AccountKind::Credit];

/// Counters; the position is the number it is stored by.
const COUNTERS: [Counter; 5] =
    [Counter::Issuance, Counter::Redemption, Counter::Adjustment, Counter::Breakage, Counter::Exchange];

/// All rows of a query.
pub(super) fn all<T>(
    statement: &mut CachedStatement<'_>,
    parameters: impl Params,
    read: impl Fn(&Row<'_>) -> Result<T, Trouble>,
) -> Result<Vec<T>, Trouble> {
    let mut rows = statement.query(parameters)?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(read(row)?);
    }
    Ok(found)
}

/// The first row of a query, if there is one.
pub(super) fn one<T>(
    statement: &mut CachedStatement<'_>,
    parameters: impl Params,
    read: impl Fn(&Row<'_>) -> Result<T, Trouble>,
) -> Result<Option<T>, Trouble> {
    let mut rows = statement.query(parameters)?;
    rows.next()?.map(read).transpose()
}

/// A number of a column that is one place in a list of known ones.
fn known<T: Copy>(list: &[T], number: i64, what: &str) -> Result<T, Trouble> {
    usize::try_from(number)
        .ok()
        .and_then(|place| list.get(place))
        .copied()
        .ok_or_else(|| Trouble::Corrupt(format!("{number} is stored as {what}, which this version does not know")))
}

/// The place of a known value in its list: what [`known`] reads back.
fn number_of<T: PartialEq>(list: &[T], value: T) -> i64 {
    let place = list.iter().position(|known| *known == value).expect("INVARIANT: the list has every value");
    i64::try_from(place).expect("INVARIANT: lists are short")
}

pub(super) fn account_kind_number(kind: AccountKind) -> i64 {
    number_of(&ACCOUNT_KINDS, kind)
}

pub(super) fn account_kind_of(number: i64) -> Result<AccountKind, Trouble> {
    known(&ACCOUNT_KINDS, number, "kind of an account")
}

pub(super) fn counter_of(number: i64) -> Result<Counter, Trouble> {
    known(&COUNTERS, number, "counter")
}

pub(super) fn operation_kind_of(number: i64) -> Result<OperationKind, Trouble> {
    known(&OperationKind::ALL, number, "kind of an operation")
}

pub(super) fn record_kind_number(kind: RecordKind) -> i64 {
    number_of(&RecordKind::ALL, kind)
}

pub(super) fn code_state_number(state: CodeState) -> i64 {
    number_of(&CodeState::ALL, state)
}

pub(super) fn code_state_of(number: i64) -> Result<CodeState, Trouble> {
    known(&CodeState::ALL, number, "state of a code")
}

pub(super) fn status_of(number: i64) -> Result<Status, Trouble> {
    chain::status_of(number).ok_or_else(|| {
        Trouble::Corrupt(format!("{number} is stored as state of an account, which this version does not know"))
    })
}

pub(super) fn id(number: i64) -> Result<Id, Trouble> {
    Id::new(number).ok_or_else(|| Trouble::Corrupt(format!("{number} is stored as an id, which is below 0")))
}

pub(super) fn currency(code: &str, exponent: i64) -> Result<Currency, Trouble> {
    let exponent = u8::try_from(exponent).unwrap_or(u8::MAX);
    Currency::new(code, exponent)
        .map_err(|error| Trouble::Corrupt(format!("`{code}` with exponent {exponent} is stored as currency: {error}")))
}

pub(super) fn minor(amount: i64) -> Result<Minor, Trouble> {
    Minor::new(amount).map_err(|error| Trouble::Corrupt(format!("{amount} is stored as amount: {error}")))
}

/// A count or version, which is never below 0.
pub(super) fn count(number: i64) -> Result<u64, Trouble> {
    u64::try_from(number).map_err(|_| Trouble::Corrupt(format!("{number} is stored as a count, which is below 0")))
}

/// A count or version as SQLite keeps it.
pub(super) fn stored(count: u64) -> Result<i64, Trouble> {
    i64::try_from(count).map_err(|_| Trouble::Corrupt(format!("{count} is more than a count can be")))
}

/// How many rows at most.
pub(super) fn limit(rows: usize) -> i64 {
    i64::try_from(rows).unwrap_or(i64::MAX)
}

/// Whole sum of amounts from the sums of `amount >> 32` and of `amount & 0xffffffff`, neither of which overflows.
pub(super) fn whole(high: i64, low: i64) -> i128 {
    (i128::from(high) << 32) + i128::from(low)
}

pub(super) fn account(row: &Row<'_>) -> Result<Account, Trouble> {
    Ok(Account {
        id: id(row.get(0)?)?,
        kind: account_kind_of(row.get(1)?)?,
        site: row.get(2)?,
        currency: currency(row.get_ref(3)?.as_str().unwrap_or_default(), row.get(4)?)?,
        programme: row.get(5)?,
        customer: row.get(6)?,
        status: status_of(row.get(7)?)?,
        balance: minor(row.get(8)?)?,
        held: minor(row.get(9)?)?,
        next_hold_end: row.get(10)?,
        initial: minor(row.get(11)?)?,
        issued_at: row.get(12)?,
        expires_at: row.get(13)?,
        expires_on: row.get(14)?,
        replaced_by: row.get::<_, Option<i64>>(15)?.map(id).transpose()?,
        bought_by: row.get(16)?,
        hint: row.get(17)?,
        version: count(row.get(18)?)?,
        head: row.get(19)?,
    })
}

/// An operation, whose columns begin at `first`.
pub(super) fn operation(row: &Row<'_>, first: usize) -> Result<Operation, Trouble> {
    Ok(Operation {
        key: OperationKey { site: row.get(first)?, key: row.get(first + 1)? },
        kind: operation_kind_of(row.get(first + 2)?)?,
        request_hash: row.get(first + 3)?,
        at: row.get(first + 4)?,
        order: row.get(first + 5)?,
        actor: row.get(first + 6)?,
        answer: row.get(first + 7)?,
        decision: row.get(first + 8)?,
        personal: row.get(first + 9)?,
    })
}

/// An entry, whose columns begin at `first`.
pub(super) fn entry(row: &Row<'_>, first: usize) -> Result<Entry, Trouble> {
    let leg = match row.get::<_, Option<i64>>(first)? {
        Some(counter) => Leg::Counter(counter_of(counter)?),
        None => Leg::Account {
            id: id(row.get(first + 4)?)?,
            number: count(row.get(first + 5)?)?,
            held_change: minor(row.get(first + 6)?)?,
            balance: minor(row.get(first + 7)?)?,
            held: minor(row.get(first + 8)?)?,
            status: status_of(row.get(first + 9)?)?,
            hash: row.get(first + 10)?,
        },
    };
    Ok(Entry {
        leg,
        currency: currency(row.get_ref(first + 1)?.as_str().unwrap_or_default(), row.get(first + 2)?)?,
        amount: minor(row.get(first + 3)?)?,
    })
}

pub(super) fn code(row: &Row<'_>) -> Result<Code, Trouble> {
    let pepper: i64 = row.get(3)?;
    Ok(Code {
        id: id(row.get(0)?)?,
        site: row.get(1)?,
        lookup: row.get(2)?,
        pepper: pepper_of(pepper)?,
        pool: row.get(4)?,
        state: code_state_of(row.get(5)?)?,
        account: row.get::<_, Option<i64>>(6)?.map(id).transpose()?,
        hint: row.get(7)?,
        sealed: row.get(8)?,
        version: count(row.get(9)?)?,
    })
}

pub(super) fn pepper_of(number: i64) -> Result<u32, Trouble> {
    u32::try_from(number).map_err(|_| Trouble::Corrupt(format!("{number} is stored as version of a key")))
}

pub(super) fn record(row: &Row<'_>) -> Result<Record, Trouble> {
    let kind = known(&RecordKind::ALL, row.get(0)?, "kind of a document")?;
    Ok(Record {
        key: RecordKey { kind, site: row.get(1)?, id: row.get(2)? },
        version: count(row.get(3)?)?,
        body: row.get(4)?,
    })
}

pub(super) fn open_hold(row: &Row<'_>) -> Result<OpenHold, Trouble> {
    Ok(OpenHold { account: id(row.get(0)?)?, ends_at: row.get(1)?, hold: id(row.get(2)?)? })
}

pub(super) fn refusal(row: &Row<'_>) -> Result<Refusal, Trouble> {
    Ok(Refusal {
        at: row.get(0)?,
        until: row.get(1)?,
        key: OperationKey { site: row.get(2)?, key: row.get(3)? },
        request_hash: row.get(4)?,
        answer: row.get(5)?,
    })
}

pub(super) fn checkpoint(row: &Row<'_>) -> Result<Checkpoint, Trouble> {
    Ok(Checkpoint {
        number: count(row.get(0)?)?,
        at: row.get(1)?,
        root: row.get(2)?,
        heads: count(row.get(3)?)?,
        previous: row.get(4)?,
        key: row.get(5)?,
        signature: row.get(6)?,
    })
}

pub(super) fn sealed_head(row: &Row<'_>) -> Result<SealedHead, Trouble> {
    Ok(SealedHead { account: id(row.get(0)?)?, version: count(row.get(1)?)?, head: row.get(2)? })
}

/// Writes a new operation; under `sequence`, or under the next one.
pub(super) fn insert_operation(
    connection: &Connection,
    sequence: Option<i64>,
    operation: &Operation,
) -> Result<i64, Trouble> {
    connection
        .prepare_cached(
            "INSERT INTO operation (sequence, kind, at, site, key, request_hash, for_order, actor, personal, \
             answer, decision) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
        )?
        .execute(params![
            sequence,
            number_of(&OperationKind::ALL, operation.kind),
            operation.at,
            operation.key.site,
            operation.key.key,
            operation.request_hash,
            operation.order,
            operation.actor,
            operation.personal,
            operation.answer,
            operation.decision,
        ])?;
    Ok(connection.last_insert_rowid())
}

/// Where an entry is: the number of its operation and its place among the legs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Position {
    pub(super) operation: i64,
    pub(super) place: i64,
}

/// A position whose columns begin at `first`.
pub(super) fn position(row: &Row<'_>, first: usize) -> Result<Option<Position>, Trouble> {
    let (operation, place) = (row.get(first)?, row.get(first + 1)?);
    Ok(Option::zip(operation, place).map(|(operation, place)| Position { operation, place }))
}

/// Writes a leg of an operation; that of an account with the position of the account's entry before.
pub(super) fn insert_entry(
    connection: &Connection,
    at: Position,
    entry: &Entry,
    previous: Option<Position>,
) -> Result<(), Trouble> {
    let (currency, exponent, amount) = (entry.currency.code(), entry.currency.exponent(), entry.amount.get());
    match &entry.leg {
        Leg::Counter(counter) => {
            connection
                .prepare_cached(
                    "INSERT INTO entry (operation, place, currency, exponent, amount, counter) \
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                )?
                .execute(params![at.operation, at.place, currency, exponent, amount, number_of(&COUNTERS, *counter)])?;
        }
        Leg::Account { id, held_change, balance, held, status, number, hash } => {
            connection
                .prepare_cached(
                    "INSERT INTO entry (operation, place, currency, exponent, amount, account, number, held_change, \
                     balance, held, status, hash, previous_operation, previous_place) \
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
                )?
                .execute(params![
                    at.operation,
                    at.place,
                    currency,
                    exponent,
                    amount,
                    id.get(),
                    stored(*number)?,
                    held_change.get(),
                    balance.get(),
                    held.get(),
                    chain::status_number(*status),
                    hash,
                    previous.map(|previous| previous.operation),
                    previous.map(|previous| previous.place),
                ])?;
        }
    }
    Ok(())
}

/// Writes a new account, with the position of its last entry.
pub(super) fn insert_account(
    connection: &Connection,
    account: &Account,
    last: Option<Position>,
) -> Result<(), Trouble> {
    write_whole_account(
        connection,
        concat!(
            "INSERT INTO account (",
            columns!(account),
            ", last_operation, last_place) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, \
             ?16, ?17, ?18, ?19, ?20, ?21, ?22)"
        ),
        account,
        last,
    )
}

/// Writes everything of an account that is there, and with it every index it is in.
pub(super) fn update_account(
    connection: &Connection,
    account: &Account,
    last: Option<Position>,
) -> Result<(), Trouble> {
    write_whole_account(
        connection,
        "UPDATE account SET kind = ?2, site = ?3, currency = ?4, exponent = ?5, programme = ?6, customer = ?7, \
         status = ?8, balance = ?9, held = ?10, next_hold_end = ?11, initial = ?12, issued_at = ?13, \
         expires_at = ?14, expires_on = ?15, replaced_by = ?16, bought_by = ?17, hint = ?18, version = ?19, \
         head = ?20, last_operation = ?21, last_place = ?22 WHERE id = ?1",
        account,
        last,
    )
}

fn write_whole_account(
    connection: &Connection,
    sql: &str,
    account: &Account,
    last: Option<Position>,
) -> Result<(), Trouble> {
    connection.prepare_cached(sql)?.execute(params![
        account.id.get(),
        account_kind_number(account.kind),
        account.site,
        account.currency.code(),
        account.currency.exponent(),
        account.programme,
        account.customer,
        chain::status_number(account.status),
        account.balance.get(),
        account.held.get(),
        account.next_hold_end,
        account.initial.get(),
        account.issued_at,
        account.expires_at,
        account.expires_on,
        account.replaced_by.map(Id::get),
        account.bought_by,
        account.hint,
        stored(account.version)?,
        account.head,
        last.map(|last| last.operation),
        last.map(|last| last.place),
    ])?;
    Ok(())
}

/// Writes a new refusal.
pub(super) fn insert_refusal(connection: &Connection, refusal: &Refusal) -> Result<(), Trouble> {
    connection
        .prepare_cached(
            "INSERT INTO refusal (id, at, until, site, key, request_hash, answer) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )?
        .execute(params![
            chain::operation_id(&refusal.key),
            refusal.at,
            refusal.until,
            refusal.key.site,
            refusal.key.key,
            refusal.request_hash,
            refusal.answer,
        ])?;
    Ok(())
}

/// Writes a new document.
pub(super) fn insert_record(connection: &Connection, key: &RecordKey, version: u64, body: &str) -> Result<(), Trouble> {
    connection
        .prepare_cached("INSERT INTO record (version, kind, site, id, body) VALUES (?1, ?2, ?3, ?4, ?5)")?
        .execute(params![stored(version)?, record_kind_number(key.kind), key.site, key.id, body])?;
    Ok(())
}

/// Writes a new code, with `version` in place of its own.
pub(super) fn insert_code(connection: &Connection, code: &Code, version: u64) -> Result<(), Trouble> {
    write_code(
        connection,
        concat!("INSERT INTO code (", columns!(code), ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)"),
        code,
        version,
    )
}

/// Writes a code that is there, with `version` in place of its own.
pub(super) fn update_code(connection: &Connection, code: &Code, version: u64) -> Result<(), Trouble> {
    write_code(
        connection,
        "UPDATE code SET site = ?2, lookup = ?3, pepper = ?4, pool = ?5, state = ?6, account = ?7, hint = ?8, \
         sealed = ?9, version = ?10 WHERE id = ?1",
        code,
        version,
    )
}

fn write_code(connection: &Connection, sql: &str, code: &Code, version: u64) -> Result<(), Trouble> {
    connection.prepare_cached(sql)?.execute(params![
        code.id.get(),
        code.site,
        code.lookup,
        code.pepper,
        code.pool,
        code_state_number(code.state),
        code.account.map(Id::get),
        code.hint,
        code.sealed,
        stored(version)?,
    ])?;
    Ok(())
}

/// Writes an open hold, unless it is there.
pub(super) fn insert_open_hold(connection: &Connection, hold: &OpenHold) -> Result<(), Trouble> {
    connection
        .prepare_cached("INSERT INTO open_hold (account, ends_at, hold) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING")?
        .execute(params![hold.account.get(), hold.ends_at, hold.hold.get()])?;
    Ok(())
}

/// Writes personal fields.
pub(super) fn insert_personal(connection: &Connection, personal: &Personal) -> Result<(), Trouble> {
    connection
        .prepare_cached("INSERT INTO personal (reference, site, customer, body) VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![personal.reference, personal.site, personal.customer, personal.body])?;
    Ok(())
}

/// Writes a context, unless it is there.
pub(super) fn insert_context(connection: &Connection, context: &Context) -> Result<(), Trouble> {
    connection
        .prepare_cached("INSERT INTO context (digest, body) VALUES (?1, ?2) ON CONFLICT DO NOTHING")?
        .execute(params![context.digest, context.body])?;
    Ok(())
}

/// Writes the bytes of a component. Other bytes under its digest are replaced.
pub(super) fn insert_component(connection: &Connection, digest: Hash32, bytes: &[u8]) -> Result<(), Trouble> {
    connection
        .prepare_cached(
            "INSERT INTO component (digest, bytes) VALUES (?1, ?2) \
             ON CONFLICT (digest) DO UPDATE SET bytes = ?2 WHERE bytes <> ?2",
        )?
        .execute((digest, bytes))?;
    Ok(())
}

/// Writes a note in place of the one of its name.
pub(super) fn upsert_note(connection: &Connection, name: &str, text: &str) -> Result<(), Trouble> {
    connection
        .prepare_cached("INSERT INTO note (name, text) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET text = ?2")?
        .execute([name, text])?;
    Ok(())
}
