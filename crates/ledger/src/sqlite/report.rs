//! Sums for reports, exact beyond what one integer of SQLite holds. Must not know what a report looks like.
//!
//! SQLite's `sum` fails past 63 bits. Each amount is summed in two halves instead, `amount >> 32` and the low 32 bits,
//! which takes two thousand million of the greatest amounts.

use std::collections::HashMap;

use giftcard_engine::card::Status;
use giftcard_engine::moment::InstantMs;
use rusqlite::{Connection, Row, params};

use super::rows;
use super::trouble::Trouble;
use crate::chain;
use crate::model::CodeState;
use crate::store::{CounterSum, Liability, Turnover};

/// Goes from the moments to the entries to their accounts.
pub(super) const TURNOVER: &str = "SELECT a.site, a.kind, a.programme, e.currency, e.exponent, o.kind, count(*), \
         sum(e.amount >> 32), sum(e.amount & 4294967295) \
         FROM operation o INDEXED BY operation_at \
         CROSS JOIN entry e ON e.operation = o.sequence CROSS JOIN account a ON a.id = e.account \
         WHERE o.at >= ?1 AND o.at < ?2 AND (?3 IS NULL OR a.site = ?3) \
         GROUP BY 1, 2, 3, 4, 5, 6 ORDER BY 1, 2, 3, 4, 5, 6";

/// Sums of balances.
pub(super) fn liabilities(connection: &Connection, site: Option<&str>) -> Result<Vec<Liability>, Trouble> {
    macro_rules! sums {
        ($condition:literal) => {
            concat!(
                "SELECT site, kind, programme, currency, exponent, status, count(*), \
                 sum(balance >> 32), sum(balance & 4294967295), sum(held >> 32), sum(held & 4294967295) FROM account ",
                $condition,
                " GROUP BY site, kind, programme, currency, exponent, status \
                 ORDER BY site, kind, programme, currency, exponent, status"
            )
        };
    }
    let read = |row: &Row<'_>| {
        Ok(Liability {
            site: row.get(0)?,
            kind: rows::account_kind_of(row.get(1)?)?,
            programme: row.get(2)?,
            currency: rows::currency(row.get_ref(3)?.as_str().unwrap_or_default(), row.get(4)?)?,
            status: rows::status_of(row.get(5)?)?,
            accounts: rows::count(row.get(6)?)?,
            balance_minor: rows::whole(row.get(7)?, row.get(8)?),
            held_minor: rows::whole(row.get(9)?, row.get(10)?),
        })
    };
    match site {
        None => rows::all(&mut connection.prepare_cached(sums!(""))?, [], read),
        Some(site) => rows::all(&mut connection.prepare_cached(sums!("WHERE site = ?1"))?, [site], read),
    }
}

/// Sums of entries of accounts over a period. The index over moments finds them; the wide rows stay closed.
pub(super) fn turnover(
    connection: &Connection,
    site: Option<&str>,
    from: InstantMs,
    to: InstantMs,
) -> Result<Vec<Turnover>, Trouble> {
    let mut statement = connection.prepare_cached(TURNOVER)?;
    rows::all(&mut statement, params![from, to, site], |row| {
        Ok(Turnover {
            site: row.get(0)?,
            kind: rows::account_kind_of(row.get(1)?)?,
            programme: row.get(2)?,
            currency: rows::currency(row.get_ref(3)?.as_str().unwrap_or_default(), row.get(4)?)?,
            operation: rows::operation_kind_of(row.get(5)?)?,
            entries: rows::count(row.get(6)?)?,
            amount_minor: rows::whole(row.get(7)?, row.get(8)?),
        })
    })
}

/// Sums of all legs.
pub(super) fn counter_sums(connection: &Connection) -> Result<Vec<CounterSum>, Trouble> {
    let mut statement = connection.prepare_cached(
        "SELECT counter, currency, exponent, sum(amount >> 32), sum(amount & 4294967295) FROM entry \
         GROUP BY counter, currency, exponent ORDER BY counter, currency, exponent",
    )?;
    rows::all(&mut statement, [], |row| {
        Ok(CounterSum {
            counter: row.get::<_, Option<i64>>(0)?.map(rows::counter_of).transpose()?,
            currency: rows::currency(row.get_ref(1)?.as_str().unwrap_or_default(), row.get(2)?)?,
            amount_minor: rows::whole(row.get(3)?, row.get(4)?),
        })
    })
}

/// How many codes that may be presented yet have lookups of each key version.
pub(super) fn pepper_uses(connection: &Connection) -> Result<HashMap<u32, u64>, Trouble> {
    let mut statement = connection.prepare_cached(
        "SELECT c.pepper, count(*) FROM code c LEFT JOIN account a ON a.id = c.account \
         WHERE c.state IN (?1, ?2) OR c.state = ?3 AND a.status <> ?4 AND a.balance > 0 GROUP BY c.pepper",
    )?;
    let uses = rows::all(
        &mut statement,
        params![
            rows::code_state_number(CodeState::Free),
            rows::code_state_number(CodeState::Reserved),
            rows::code_state_number(CodeState::Drawn),
            chain::status_number(Status::Closed),
        ],
        |row| Ok((rows::pepper_of(row.get(0)?)?, rows::count(row.get(1)?)?)),
    )?;
    Ok(uses.into_iter().collect())
}
