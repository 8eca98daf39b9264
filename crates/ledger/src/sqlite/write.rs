//! Writing a batch: for each operation first everything that must hold, then the rows. Must not know transactions: the
//! caller begins and ends the one that a batch is.

use std::collections::HashMap;

use giftcard_engine::moment::InstantMs;
use rusqlite::{Connection, OptionalExtension, params};

use super::keys::{self, Keys};
use super::rows::{self, Position};
use super::trouble::Trouble;
use crate::chain;
use crate::model::{Account, Hash32, Id, Leg, OperationKey, RecordKey, RecordKind};
use crate::store::{AccountChange, Changes, CodeChange, Verdict, builds_on};

/// What looking showed, so that writing need not look again. One place for each change of the operation.
struct Seen {
    /// A refusal of this key is over and goes.
    refusal_ended: bool,
    accounts: Vec<SeenAccount>,
    /// The row of the document.
    records: Vec<Option<i64>>,
}

struct SeenAccount {
    /// Whether only what every entry moves is different.
    narrow: bool,
    /// Its last entry.
    last: Option<Position>,
}

/// Whether an operation can be written.
enum Looked {
    Holds(Seen),
    Not(Verdict),
}

/// Writes each operation of a batch, whole or not at all, in order.
pub(super) fn batch(connection: &Connection, batch: &[&Changes]) -> Result<Vec<Verdict>, Trouble> {
    let before: i64 = connection.prepare_cached("SELECT configuration FROM state")?.query_row([], |row| row.get(0))?;
    let keys = Keys::of(connection)?;
    let mut configuration = before;
    let mut verdicts: Vec<Verdict> = Vec::with_capacity(batch.len());
    for (changes, builds_on) in batch.iter().zip(builds_on(batch)) {
        let stands = builds_on.iter().all(|place| verdicts[*place] == Verdict::Committed);
        verdicts.push(operation(connection, &keys, changes, stands, &mut configuration)?);
    }
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

/// Writes one operation. `stands` tells whether what it builds on was written, `configuration` is its version as the
/// transaction has it so far.
fn operation(
    connection: &Connection,
    keys: &Keys,
    changes: &Changes,
    stands: bool,
    configuration: &mut i64,
) -> Result<Verdict, Trouble> {
    let seen = match look(connection, keys, changes, stands, *configuration)? {
        Looked::Holds(seen) => seen,
        Looked::Not(verdict) => return Ok(verdict),
    };
    // What is new can be in the way of what is new in the same operation, which only writing shows. Everything else was
    // looked at, so that the common operation goes without a savepoint.
    let has_new = !changes.codes.is_empty() || changes.accounts.iter().any(|change| change.before.is_none());
    if !has_new {
        write(connection, keys, changes, seen)?;
    } else {
        connection.prepare_cached("SAVEPOINT operation")?.execute([])?;
        let written = write(connection, keys, changes, seen)?;
        if !written {
            connection.prepare_cached("ROLLBACK TO operation")?.execute([])?;
        }
        connection.prepare_cached("RELEASE operation")?.execute([])?;
        if !written {
            return Ok(Verdict::Conflict);
        }
    }
    let moved = changes.records.iter().filter(|change| change.key.kind.is_configuration()).count();
    *configuration += rows::limit(moved);
    Ok(Verdict::Committed)
}

/// Everything that must hold, in the order in which it is told: repeated before changed.
fn look(
    connection: &Connection,
    keys: &Keys,
    changes: &Changes,
    stands: bool,
    configuration: i64,
) -> Result<Looked, Trouble> {
    if let Some(wrong) = what_cannot_be(changes) {
        return Err(Trouble::Corrupt(format!("{wrong}: that is no change of a ledger")));
    }
    let mut refusal_ended = false;
    if let Some((key, at)) = named(changes) {
        match remembered(connection, keys, key, at)? {
            Remembered::Nothing => {}
            Remembered::Ended => refusal_ended = true,
            Remembered::Yes => return Ok(Looked::Not(Verdict::Duplicate)),
        }
    }
    let conflict = Ok(Looked::Not(Verdict::Conflict));
    if !stands {
        return conflict;
    }
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
    let mut accounts = Vec::with_capacity(changes.accounts.len());
    for change in &changes.accounts {
        match account(connection, change)? {
            Some(seen) => accounts.push(seen),
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
    Ok(Looked::Holds(Seen { refusal_ended, accounts, records }))
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

fn remembered(connection: &Connection, keys: &Keys, key: &OperationKey, at: InstantMs) -> Result<Remembered, Trouble> {
    if keys.find(connection, key)?.is_some() {
        return Ok(Remembered::Yes);
    }
    let until: Option<InstantMs> = connection
        .prepare_cached("SELECT until FROM refusal WHERE id = ?1")?
        .query_row([chain::operation_id(key)], |row| row.get(0))
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

/// What is to be known of an account; `None` where it is not as the change wants it before.
fn account(connection: &Connection, change: &AccountChange) -> Result<Option<SeenAccount>, Trouble> {
    let after = &change.after;
    let mut statement = connection.prepare_cached(
        "SELECT version, \
         kind = ?2 AND site = ?3 AND currency = ?4 AND exponent = ?5 AND programme = ?6 AND customer IS ?7 \
         AND initial = ?8 AND issued_at = ?9 AND expires_at IS ?10 AND expires_on IS ?11 AND replaced_by IS ?12 \
         AND bought_by IS ?13 AND hint IS ?14, last_operation, last_place FROM account WHERE id = ?1",
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
    let there = rows::one(&mut statement, parameters, |row| {
        let seen = SeenAccount { narrow: row.get(1)?, last: rows::position(row, 2)? };
        Ok((rows::count(row.get(0)?)?, seen))
    })?;
    Ok(match (there, change.before) {
        (None, None) => Some(SeenAccount { narrow: false, last: None }),
        (Some((version, seen)), Some(before)) if version == before => Some(seen),
        _ => None,
    })
}

/// Whether a code is as the change wants it before. That its lookup is free shows when it is written.
fn code_holds(connection: &Connection, change: &CodeChange) -> Result<bool, Trouble> {
    let mut statement = connection.prepare_cached("SELECT version FROM code WHERE id = ?1")?;
    let there = rows::one(&mut statement, [change.after.id.get()], |row| rows::count(row.get(0)?))?;
    Ok(there == change.before)
}

/// Writes everything. False where a new account or a code is in the way of another: the caller takes it back.
fn write(connection: &Connection, keys: &Keys, changes: &Changes, mut seen: Seen) -> Result<bool, Trouble> {
    if seen.refusal_ended
        && let Some((key, _)) = named(changes)
    {
        connection.prepare_cached("DELETE FROM refusal WHERE id = ?1")?.execute([chain::operation_id(key)])?;
    }
    if let Some(operation) = &changes.operation {
        let sequence = rows::insert_operation(connection, None, operation)?;
        keys.add(connection, &operation.key, sequence)?;
        keys::move_on(connection, sequence)?;
        write_entries(connection, sequence, changes, &mut seen.accounts)?;
    } else if let Some(refusal) = &changes.refusal {
        rows::insert_refusal(connection, refusal)?;
    }
    for (change, seen) in changes.accounts.iter().zip(&seen.accounts) {
        let written = match change.before {
            None => rows::insert_account(connection, &change.after, seen.last),
            Some(_) if seen.narrow => update_narrow(connection, &change.after, seen.last),
            Some(_) => rows::update_account(connection, &change.after, seen.last),
        };
        if !free(written)? {
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
    write_records(connection, changes, &seen)?;
    write_beside(connection, changes)?;
    Ok(true)
}

/// Whether a row was written, and not in the way of another.
fn free(written: Result<(), Trouble>) -> Result<bool, Trouble> {
    match written {
        Ok(()) => Ok(true),
        Err(trouble) if trouble.is_taken() => Ok(false),
        Err(trouble) => Err(trouble),
    }
}

/// Writes the legs, each of an account behind the account's last, which it becomes.
///
/// Holds every account to what is promised of it: its version is the number of its entries, and its head the hash of
/// the last. The list of entries and the search for unsealed heads stand on that.
fn write_entries(
    connection: &Connection,
    operation: i64,
    changes: &Changes,
    seen: &mut [SeenAccount],
) -> Result<(), Trouble> {
    let mut accounts: HashMap<Id, (usize, u64, Hash32)> = changes
        .accounts
        .iter()
        .enumerate()
        .map(|(place, change)| (change.after.id, (place, change.before.unwrap_or(0), chain::BEGINNING)))
        .collect();
    for (place, entry) in changes.entries.iter().enumerate() {
        let at = Position { operation, place: rows::limit(place) };
        let Leg::Account { id, number, hash, .. } = &entry.leg else {
            rows::insert_entry(connection, at, entry, None)?;
            continue;
        };
        let known = accounts.get_mut(id).filter(|(_, last, _)| last.checked_add(1) == Some(*number));
        let Some((place, last, head)) = known else {
            return Err(Trouble::Corrupt(format!("entry {number} of {id} was to be written, which is not its next")));
        };
        (*last, *head) = (*number, *hash);
        rows::insert_entry(connection, at, entry, seen[*place].last.replace(at))?;
    }
    for change in &changes.accounts {
        let after = &change.after;
        if accounts.get(&after.id).is_none_or(|(_, last, head)| (*last, *head) != (after.version, after.head)) {
            return Err(Trouble::Corrupt(format!(
                "{} was to be written other than its last entry leaves it",
                after.id
            )));
        }
    }
    Ok(())
}

/// Writes what every entry moves. No index is over any of it.
fn update_narrow(connection: &Connection, after: &Account, last: Option<Position>) -> Result<(), Trouble> {
    connection
        .prepare_cached(
            "UPDATE account SET version = ?2, status = ?3, balance = ?4, held = ?5, next_hold_end = ?6, head = ?7, \
             last_operation = ?8, last_place = ?9 WHERE id = ?1",
        )?
        .execute(params![
            after.id.get(),
            rows::stored(after.version)?,
            chain::status_number(after.status),
            after.balance.get(),
            after.held.get(),
            after.next_hold_end,
            after.head,
            last.map(|last| last.operation),
            last.map(|last| last.place),
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
