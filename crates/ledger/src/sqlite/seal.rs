//! Checkpoints: which heads changed since they were last sealed, and the sealed ones. Must not know how a root or a
//! signature is made.

use rusqlite::{Connection, params};

use super::rows::{self, columns};
use super::trouble::Trouble;
use crate::store::{Checkpoint, SealedHead};

/// A version moves with an entry, so that the accounts of the entries after `sealed_through` are all that can have
/// changed: no checkpoint looks at accounts that rest.
pub(super) const UNSEALED: &str = "SELECT id, version, head FROM account WHERE version > sealed AND id IN ( \
         SELECT account FROM entry WHERE operation > (SELECT sealed_through FROM state) AND account IS NOT NULL) \
         ORDER BY id";

/// Heads that changed since they were last sealed.
pub(super) fn unsealed_heads(connection: &Connection) -> Result<Vec<SealedHead>, Trouble> {
    let mut statement = connection.prepare_cached(UNSEALED)?;
    rows::all(&mut statement, [], rows::sealed_head)
}

/// Adds a checkpoint and its heads; false where its number is taken.
pub(super) fn seal(connection: &Connection, checkpoint: &Checkpoint, heads: &[SealedHead]) -> Result<bool, Trouble> {
    let number = rows::stored(checkpoint.number)?;
    if connection.prepare_cached("SELECT 1 FROM checkpoint WHERE number = ?1")?.exists([number])? {
        return Ok(false);
    }
    insert(connection, checkpoint, heads)?;
    let mut sealed = connection.prepare_cached("UPDATE account SET sealed = ?2 WHERE id = ?1 AND sealed < ?2")?;
    for head in heads {
        sealed.execute(params![head.account.get(), rows::stored(head.version)?])?;
    }
    settle(connection)?;
    Ok(true)
}

/// Writes a checkpoint and its heads, without marking the accounts.
pub(super) fn insert(connection: &Connection, checkpoint: &Checkpoint, heads: &[SealedHead]) -> Result<(), Trouble> {
    let number = rows::stored(checkpoint.number)?;
    connection
        .prepare_cached(concat!(
            "INSERT INTO checkpoint (",
            columns!(checkpoint),
            ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)"
        ))?
        .execute(params![
            number,
            checkpoint.at,
            checkpoint.root,
            rows::stored(checkpoint.heads)?,
            checkpoint.previous,
            checkpoint.key,
            checkpoint.signature,
        ])?;
    let mut statement = connection
        .prepare_cached("INSERT INTO sealed_head (checkpoint, account, version, head) VALUES (?1, ?2, ?3, ?4)")?;
    for head in heads {
        statement.execute(params![number, head.account.get(), rows::stored(head.version)?, head.head])?;
    }
    Ok(())
}

/// Moves `sealed_through` to just before the first entry that no checkpoint has.
pub(super) fn settle(connection: &Connection) -> Result<(), Trouble> {
    connection
        .prepare_cached(
            "UPDATE state SET sealed_through = coalesce( \
             (SELECT e.operation - 1 FROM entry e CROSS JOIN account a ON a.id = e.account \
              WHERE e.operation > state.sealed_through AND e.number > a.sealed ORDER BY e.operation LIMIT 1), \
             (SELECT max(sequence) FROM operation), \
             sealed_through)",
        )?
        .execute([])?;
    Ok(())
}

/// All checkpoints.
pub(super) fn checkpoints(connection: &Connection) -> Result<Vec<Checkpoint>, Trouble> {
    let mut statement =
        connection.prepare_cached(concat!("SELECT ", columns!(checkpoint), " FROM checkpoint ORDER BY number"))?;
    rows::all(&mut statement, [], rows::checkpoint)
}

/// The heads of a checkpoint.
pub(super) fn sealed_heads(connection: &Connection, number: u64) -> Result<Vec<SealedHead>, Trouble> {
    let Ok(number) = i64::try_from(number) else { return Ok(Vec::new()) };
    let mut statement = connection
        .prepare_cached("SELECT account, version, head FROM sealed_head WHERE checkpoint = ?1 ORDER BY account")?;
    rows::all(&mut statement, [number], rows::sealed_head)
}
