//! Writing a batch: for each operation first everything that must hold, then the rows. Must not know transactions: the
//! caller begins and ends the one that a batch is.

use giftcard_engine::moment::InstantMs;
use rusqlite::{Connection, OptionalExtension, params};

use super::rows;
use super::trouble::Trouble;
use crate::chain;
use crate::model::{Id, OperationKey, RecordKey, RecordKind};
use crate::store::{AccountChange, Changes, CodeChange, Verdict};

/// What looking showed, so that writing need not look again. One place for each change of the operation.
struct Seen {
    /// A refusal of this key is over and goes.
    refusal_ended: bool,
    /// Whether only what every entry moves is different on the account.
    accounts_narrow: Vec<bool>,
    /// The row of the document.
    records: Vec<Option<i64>>,
}

/// Whether an operation can be written.
enum Looked {
    Holds(Seen),
    Not(Verdict),
}

/// Writes each operation of a batch, whole or not at all, in order.
pub(super) fn batch(connection: &Connection, batch: &[&Changes]) -> Result<Vec<Verdict>, Trouble> {
    let before: i64 = connection.prepare_cached("SELECT configuration FROM state")?.query_row([], |row| row.get(0))?;
    let mut configuration = before;
    let verdicts: Vec<Verdict> =
        batch.iter().map(|changes| operation(connection, changes, &mut configuration)).collect::<Result<_, _>>()?;
    if configuration != before {
        connection.prepare_cached("UPDATE state SET configuration = ?1")?.execute([configuration])?;
    }
    Ok(verdicts)
}

/// Erases what is known of a customer: the document, and the personal fields of requests, which are counted.
pub(super) fn erase(connection: &Connection, site: &str, customer: &str) -> Result<u64, Trouble> {
    connection.prepare_cached("DELETE FROM record WHERE kind = ?1 AND site = ?2 AND id = ?3")?.execute(params![
        rows::record_kind_number(RecordKind::Customer),
        site,
        customer
    ])?;
    let erased = connection
        .prepare_cached("DELETE FROM personal WHERE customer = ?1 AND site = ?2")?
        .execute([customer, site])?;
    Ok(erased as u64)
}

/// Writes one operation. `configuration` is its version as the transaction has it so far.
fn operation(connection: &Connection, changes: &Changes, configuration: &mut i64) -> Result<Verdict, Trouble> {
    let seen = match look(connection, changes, *configuration)? {
        Looked::Holds(seen) => seen,
        Looked::Not(verdict) => return Ok(verdict),
    };
    // What is new can be in the way of what is new in the same operation, which only writing shows. Everything else was
    // looked at, so that the common operation goes without a savepoint.
    let has_new = !changes.codes.is_empty() || changes.accounts.iter().any(|change| change.before.is_none());
    if has_new {
        connection.prepare_cached("SAVEPOINT operation")?.execute([])?;
        let taken = !write_new(connection, changes)?;
        if taken {
            connection.prepare_cached("ROLLBACK TO operation")?.execute([])?;
        }
        connection.prepare_cached("RELEASE operation")?.execute([])?;
        if taken {
            return Ok(Verdict::Conflict);
        }
    }
    write(connection, changes, &seen)?;
    let moved = changes.records.iter().filter(|change| change.key.kind.is_configuration()).count();
    *configuration += rows::limit(moved);
    Ok(Verdict::Committed)
}

/// Everything that must hold, in the order in which it is told: repeated before changed.
fn look(connection: &Connection, changes: &Changes, configuration: i64) -> Result<Looked, Trouble> {
    if let Some(wrong) = what_cannot_be(changes) {
        return Err(Trouble::Corrupt(format!("{wrong}: that is no change of a ledger")));
    }
    let mut refusal_ended = false;
    if let Some((key, at)) = named(changes) {
        match remembered(connection, key, at)? {
            Remembered::Nothing => {}
            Remembered::Ended => refusal_ended = true,
            Remembered::Yes => return Ok(Looked::Not(Verdict::Duplicate)),
        }
    }
    let conflict = Ok(Looked::Not(Verdict::Conflict));
    if changes.configuration.is_some_and(|version| i64::try_from(version) != Ok(configuration)) {
        return conflict;
    }
    for (key, version) in &changes.checks {
        if record(connection, key)?.map(|(_, version)| version) != *version {
            return conflict;
        }
    }
    for (id, version) in &changes.account_checks {
        if account_version(connection, *id)? != Some(*version) {
            return conflict;
        }
    }
    let mut accounts_narrow = Vec::with_capacity(changes.accounts.len());
    for change in &changes.accounts {
        match account(connection, change)? {
            Some(narrow) => accounts_narrow.push(narrow),
            None => return conflict,
        }
    }
    let mut records = Vec::with_capacity(changes.records.len());
    for change in &changes.records {
        let there = record(connection, &change.key)?;
        if there.map(|(_, version)| version) != change.before {
            return conflict;
        }
        records.push(there.map(|(number, _)| number));
    }
    for change in &changes.codes {
        if !code_holds(connection, change)? {
            return conflict;
        }
    }
    Ok(Looked::Holds(Seen { refusal_ended, accounts_narrow, records }))
}

/// What would leave rows that belong to no operation.
fn what_cannot_be(changes: &Changes) -> Option<&'static str> {
    match (&changes.operation, &changes.refusal) {
        (Some(_), Some(_)) => Some("an operation that is also a refusal was to be written"),
        (None, _) if !changes.entries.is_empty() => Some("entries without an operation were to be written"),
        (None, _) if !changes.accounts.is_empty() => Some("accounts were to change without an operation"),
        _ => None,
    }
}

/// The key of an operation or refusal, and its moment.
fn named(changes: &Changes) -> Option<(&OperationKey, InstantMs)> {
    let operation = changes.operation.as_ref().map(|operation| (&operation.key, operation.at));
    operation.or_else(|| changes.refusal.as_ref().map(|refusal| (&refusal.key, refusal.at)))
}

enum Remembered {
    Nothing,
    /// A refusal that is forgotten at that moment.
    Ended,
    Yes,
}

fn remembered(connection: &Connection, key: &OperationKey, at: InstantMs) -> Result<Remembered, Trouble> {
    let id = chain::operation_id(key);
    if connection.prepare_cached("SELECT 1 FROM operation WHERE id = ?1")?.exists([id])? {
        return Ok(Remembered::Yes);
    }
    let until: Option<InstantMs> = connection
        .prepare_cached("SELECT until FROM refusal WHERE id = ?1")?
        .query_row([id], |row| row.get(0))
        .optional()?;
    Ok(match until {
        None => Remembered::Nothing,
        Some(until) if until <= at => Remembered::Ended,
        Some(_) => Remembered::Yes,
    })
}

/// Row and version of a document.
fn record(connection: &Connection, key: &RecordKey) -> Result<Option<(i64, u64)>, Trouble> {
    let mut statement =
        connection.prepare_cached("SELECT number, version FROM record WHERE kind = ?1 AND site = ?2 AND id = ?3")?;
    rows::one(&mut statement, params![rows::record_kind_number(key.kind), key.site, key.id], |row| {
        Ok((row.get(0)?, rows::count(row.get(1)?)?))
    })
}

fn account_version(connection: &Connection, id: Id) -> Result<Option<u64>, Trouble> {
    let mut statement = connection.prepare_cached("SELECT version FROM account WHERE id = ?1")?;
    rows::one(&mut statement, [id.get()], |row| rows::count(row.get(0)?))
}

/// Whether only what every entry moves is different; `None` where the account is not as the change wants it before.
fn account(connection: &Connection, change: &AccountChange) -> Result<Option<bool>, Trouble> {
    let after = &change.after;
    let mut statement = connection.prepare_cached(
        "SELECT version, \
         kind = ?2 AND site = ?3 AND currency = ?4 AND exponent = ?5 AND programme = ?6 AND customer IS ?7 \
         AND initial = ?8 AND issued_at = ?9 AND expires_at IS ?10 AND expires_on IS ?11 AND replaced_by IS ?12 \
         AND bought_by IS ?13 AND hint IS ?14 FROM account WHERE id = ?1",
    )?;
    let parameters = params![
        after.id.get(),
        rows::account_kind_number(after.kind),
        after.site,
        after.currency.code(),
        after.currency.exponent(),
        after.programme,
        after.customer,
        after.initial.get(),
        after.issued_at,
        after.expires_at,
        after.expires_on,
        after.replaced_by.map(Id::get),
        after.bought_by,
        after.hint,
    ];
    let there = rows::one(&mut statement, parameters, |row| Ok((rows::count(row.get(0)?)?, row.get::<_, bool>(1)?)))?;
    Ok(match (there, change.before) {
        (None, None) => Some(false),
        (Some((version, narrow)), Some(before)) if version == before => Some(narrow),
        _ => None,
    })
}

/// Whether a code is as the change wants it before. That its lookup is free shows when it is written.
fn code_holds(connection: &Connection, change: &CodeChange) -> Result<bool, Trouble> {
    let mut statement = connection.prepare_cached("SELECT version FROM code WHERE id = ?1")?;
    let there = rows::one(&mut statement, [change.after.id.get()], |row| rows::count(row.get(0)?))?;
    Ok(there == change.before)
}

/// Writes new accounts and all codes. False where one of them is in the way of something: the caller takes it back.
fn write_new(connection: &Connection, changes: &Changes) -> Result<bool, Trouble> {
    let free = |written: Result<(), Trouble>| match written {
        Ok(()) => Ok(true),
        Err(trouble) if trouble.is_taken() => Ok(false),
        Err(trouble) => Err(trouble),
    };
    for change in changes.accounts.iter().filter(|change| change.before.is_none()) {
        if !free(rows::insert_account(connection, &change.after))? {
            return Ok(false);
        }
    }
    for change in &changes.codes {
        let written = match change.before {
            None => rows::insert_code(connection, &change.after, 1),
            Some(version) => rows::update_code(connection, &change.after, version.saturating_add(1)),
        };
        if !free(written)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Writes everything but new accounts and codes.
fn write(connection: &Connection, changes: &Changes, seen: &Seen) -> Result<(), Trouble> {
    if seen.refusal_ended
        && let Some((key, _)) = named(changes)
    {
        connection.prepare_cached("DELETE FROM refusal WHERE id = ?1")?.execute([chain::operation_id(key)])?;
    }
    if let Some(operation) = &changes.operation {
        let sequence = rows::insert_operation(connection, None, operation)?;
        rows::insert_entries(connection, sequence, &changes.entries)?;
    } else if let Some(refusal) = &changes.refusal {
        rows::insert_refusal(connection, refusal)?;
    }
    for (change, narrow) in changes.accounts.iter().zip(&seen.accounts_narrow) {
        match (change.before, narrow) {
            (None, _) => {}
            (Some(_), true) => update_narrow(connection, change)?,
            (Some(_), false) => rows::update_account(connection, &change.after)?,
        }
    }
    write_records(connection, changes, seen)?;
    write_beside(connection, changes)
}

/// Writes what every entry moves. No index is over any of it.
fn update_narrow(connection: &Connection, change: &AccountChange) -> Result<(), Trouble> {
    let after = &change.after;
    connection
        .prepare_cached(
            "UPDATE account SET version = ?2, status = ?3, balance = ?4, held = ?5, next_hold_end = ?6, head = ?7 \
             WHERE id = ?1",
        )?
        .execute(params![
            after.id.get(),
            rows::stored(after.version)?,
            chain::status_number(after.status),
            after.balance.get(),
            after.held.get(),
            after.next_hold_end,
            after.head,
        ])?;
    Ok(())
}

fn write_records(connection: &Connection, changes: &Changes, seen: &Seen) -> Result<(), Trouble> {
    for (change, number) in changes.records.iter().zip(&seen.records) {
        match (number, &change.body) {
            (None, None) => {}
            (None, Some(body)) => rows::insert_record(connection, &change.key, 1, body)?,
            (Some(number), Some(body)) => {
                connection
                    .prepare_cached("UPDATE record SET version = version + 1, body = ?2 WHERE number = ?1")?
                    .execute(params![number, body])?;
            }
            (Some(number), None) => {
                connection.prepare_cached("DELETE FROM record WHERE number = ?1")?.execute([number])?;
            }
        }
    }
    Ok(())
}

/// Writes open holds, personal fields and contexts.
fn write_beside(connection: &Connection, changes: &Changes) -> Result<(), Trouble> {
    for hold in &changes.holds_closed {
        connection
            .prepare_cached("DELETE FROM open_hold WHERE account = ?1 AND ends_at = ?2 AND hold = ?3")?
            .execute(params![hold.account.get(), hold.ends_at, hold.hold.get()])?;
    }
    for hold in &changes.holds_opened {
        rows::insert_open_hold(connection, hold)?;
    }
    if let Some(personal) = &changes.personal {
        rows::insert_personal(connection, personal)?;
    }
    for context in &changes.contexts {
        rows::insert_context(connection, context)?;
    }
    Ok(())
}
