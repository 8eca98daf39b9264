//! What one operation needs to know, in one consistent read. Must not know what for.

use rusqlite::{Connection, params};

use super::keys::Keys;
use super::rows::{self, columns};
use super::trouble::Trouble;
use crate::chain;
use crate::model::{Account, Code, Hash32, Id, Operation, OperationKey, Record, RecordKey, Refusal};
use crate::store::{Found, Want};

/// Reads everything that is wanted. The caller has begun a read transaction.
pub(super) fn find(connection: &Connection, want: &Want) -> Result<Found, Trouble> {
    let mut found = Found::default();
    // The greatest moment is the last in its index.
    let mut statement =
        connection.prepare_cached("SELECT configuration, coalesce((SELECT max(at) FROM operation), 0) FROM state")?;
    (found.configuration, found.high_water) =
        rows::one(&mut statement, [], |row| Ok((rows::count(row.get(0)?)?, row.get(1)?)))?
            .ok_or_else(|| Trouble::Corrupt("the row that the database has of itself is missing".to_owned()))?;
    if let Some(key) = &want.operation {
        found.operation = operation(connection, key)?;
        found.refusal = refusal(connection, key)?;
    }
    for lookups in &want.codes {
        let code = code(connection, lookups)?;
        if let Some(id) = code.as_ref().and_then(|code| code.account) {
            add_account(connection, id, &mut found)?;
        }
        found.codes.push(code);
    }
    for id in &want.accounts {
        add_account(connection, *id, &mut found)?;
    }
    for (site, customer, currency) in &want.credits {
        let id = credit(connection, site, customer, currency)?;
        if let Some(id) = id {
            add_account(connection, id, &mut found)?;
        }
        found.credits.push(id);
    }
    for key in &want.records {
        if let Some(record) = record(connection, key)? {
            found.records.insert(key.clone(), record);
        }
    }
    Ok(found)
}

fn operation(connection: &Connection, key: &OperationKey) -> Result<Option<Operation>, Trouble> {
    let Some(sequence) = Keys::of(connection)?.find(connection, key)? else { return Ok(None) };
    let mut statement =
        connection.prepare_cached(concat!("SELECT ", columns!(operation), " FROM operation WHERE sequence = ?1"))?;
    rows::one(&mut statement, [sequence], |row| rows::operation(row, 0))
}

fn refusal(connection: &Connection, key: &OperationKey) -> Result<Option<Refusal>, Trouble> {
    let mut statement =
        connection.prepare_cached("SELECT at, until, site, key, request_hash, answer FROM refusal WHERE id = ?1")?;
    rows::one(&mut statement, [chain::operation_id(key)], rows::refusal)
}

/// The code of the first lookup that there is one for.
fn code(connection: &Connection, lookups: &[Hash32]) -> Result<Option<Code>, Trouble> {
    let mut statement =
        connection.prepare_cached(concat!("SELECT ", columns!(code), " FROM code WHERE lookup = ?1"))?;
    for lookup in lookups {
        if let Some(code) = rows::one(&mut statement, [lookup], rows::code)? {
            return Ok(Some(code));
        }
    }
    Ok(None)
}

fn add_account(connection: &Connection, id: Id, found: &mut Found) -> Result<(), Trouble> {
    if found.accounts.contains_key(&id) {
        return Ok(());
    }
    if let Some(account) = account(connection, id)? {
        found.accounts.insert(id, account);
    }
    Ok(())
}

fn account(connection: &Connection, id: Id) -> Result<Option<Account>, Trouble> {
    let mut statement =
        connection.prepare_cached(concat!("SELECT ", columns!(account), " FROM account WHERE id = ?1"))?;
    rows::one(&mut statement, [id.get()], rows::account)
}

fn credit(connection: &Connection, site: &str, customer: &str, currency: &str) -> Result<Option<Id>, Trouble> {
    let mut statement = connection.prepare_cached(
        "SELECT id FROM account INDEXED BY account_credit \
         WHERE kind = 1 AND site = ?1 AND customer = ?2 AND currency = ?3",
    )?;
    rows::one(&mut statement, [site, customer, currency], |row| rows::id(row.get(0)?))
}

fn record(connection: &Connection, key: &RecordKey) -> Result<Option<Record>, Trouble> {
    let mut statement = connection.prepare_cached(concat!(
        "SELECT ",
        columns!(record),
        " FROM record WHERE kind = ?1 AND site = ?2 AND id = ?3"
    ))?;
    rows::one(&mut statement, params![rows::record_kind_number(key.kind), key.site, key.id], rows::record)
}
