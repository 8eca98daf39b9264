//! Lists, page by page: holds that passed, accounts, entries, operations, documents, codes. Must not know who shows them.

use std::collections::HashMap;

use giftcard_engine::Minor;
use giftcard_engine::moment::InstantMs;
use rusqlite::types::Value;
use rusqlite::{Connection, Row, params, params_from_iter};

use super::rows::{self, Position, columns};
use super::trouble::Trouble;
use crate::chain;
use crate::model::{Account, Code, CodeState, Entry, Id, OperationKey, Record, RecordKind};
use crate::store::{AccountFilter, Booked, DecisionFilter, DecisionRow, Numbered, OpenHold, Personal};

/// Open holds on these accounts that ended.
pub(super) fn passed_holds(connection: &Connection, accounts: &[Id], now: InstantMs) -> Result<Vec<OpenHold>, Trouble> {
    let mut statement = connection
        .prepare_cached("SELECT account, ends_at, hold FROM open_hold WHERE account = ?1 AND ends_at <= ?2")?;
    let mut found = Vec::new();
    for account in once_each(accounts) {
        found.extend(rows::all(&mut statement, params![account.get(), now], rows::open_hold)?);
    }
    Ok(found)
}

/// The first end on each of these accounts of a hold that is not among `without`.
pub(super) fn next_hold_ends(
    connection: &Connection,
    accounts: &[Id],
    without: &[Id],
) -> Result<HashMap<Id, InstantMs>, Trouble> {
    let mut statement =
        connection.prepare_cached("SELECT ends_at, hold FROM open_hold WHERE account = ?1 ORDER BY ends_at")?;
    let mut found = HashMap::new();
    for account in accounts {
        let mut holds = statement.query([account.get()])?;
        while let Some(row) = holds.next()? {
            if !without.contains(&rows::id(row.get(1)?)?) {
                found.insert(*account, row.get(0)?);
                break;
            }
        }
    }
    Ok(found)
}

/// Open holds of any account that ended, soonest first.
pub(super) fn all_passed_holds(
    connection: &Connection,
    now: InstantMs,
    limit: usize,
) -> Result<Vec<OpenHold>, Trouble> {
    let mut statement = connection.prepare_cached(
        "SELECT account, ends_at, hold FROM open_hold INDEXED BY open_hold_ends_at \
         WHERE ends_at <= ?1 ORDER BY ends_at, account, hold LIMIT ?2",
    )?;
    rows::all(&mut statement, params![now, rows::limit(limit)], rows::open_hold)
}

/// Without repetitions: a wanted account is wanted once.
fn once_each(accounts: &[Id]) -> Vec<Id> {
    let mut accounts = accounts.to_vec();
    accounts.sort_unstable();
    accounts.dedup();
    accounts
}

/// Accounts by ascending id.
pub(super) fn accounts(connection: &Connection, filter: &AccountFilter) -> Result<Vec<Account>, Trouble> {
    let (sql, values) = accounts_query(filter);
    let mut statement = connection.prepare_cached(&sql)?;
    rows::all(&mut statement, params_from_iter(values), rows::account)
}

/// The statement of a filter and its values. The narrowest condition that has an index leads; a `+` keeps SQLite from
/// taking any other, since it has no statistics to choose by.
fn accounts_query(filter: &AccountFilter) -> (String, Vec<Value>) {
    let text = |text: &Option<String>| text.as_ref().map(|text| Value::Text(text.clone()));
    // By how few accounts they let through, fewest first.
    let indexed = [
        ("bought_by", text(&filter.bought_by)),
        ("hint", text(&filter.hint)),
        ("customer", text(&filter.customer)),
        ("programme", text(&filter.programme)),
    ];
    let leads = indexed.iter().position(|(_, value)| value.is_some());
    let mut sql = String::from(concat!("SELECT ", columns!(account), " FROM account WHERE 1"));
    let mut values = Vec::new();
    let mut and = |condition: &str, value: Value| {
        values.push(value);
        sql.push_str(" AND ");
        sql.push_str(condition);
        sql.push_str(" ?");
        sql.push_str(&values.len().to_string());
    };
    for (place, (column, value)) in indexed.into_iter().enumerate() {
        let Some(value) = value else { continue };
        match (Some(place) == leads, column) {
            (true, "bought_by") => and("bought_by =", value),
            (true, "hint") => and("hint =", value),
            (true, "customer") => and("customer =", value),
            (true, _) => and("programme =", value),
            (false, "hint") => and("+hint =", value),
            (false, "customer") => and("+customer =", value),
            (false, _) => and("+programme =", value),
        }
    }
    // Every index goes on with the site.
    if let Some(site) = text(&filter.site) {
        and("site =", site);
    }
    if let Some(kind) = filter.kind {
        and("+kind =", Value::Integer(rows::account_kind_number(kind)));
    }
    if let Some(status) = filter.status {
        and("status =", Value::Integer(chain::status_number(status)));
    }
    if let Some(ends_by) = filter.ends_by {
        and("expires_at <=", Value::Integer(ends_by));
    }
    if let Some(balance_min) = filter.balance_min {
        and("balance >=", Value::Integer(Minor::get(balance_min)));
    }
    if let Some(after) = filter.after {
        and("id >", Value::Integer(after.get()));
    }
    values.push(Value::Integer(rows::limit(filter.limit)));
    sql.push_str(" ORDER BY id LIMIT ?");
    sql.push_str(&values.len().to_string());
    (sql, values)
}

/// Entries of an account by number. The caller has begun a read transaction.
pub(super) fn history(connection: &Connection, account: Id, after: u64, limit: usize) -> Result<Vec<Booked>, Trouble> {
    let mut booked = connection.prepare_cached(concat!(
        "SELECT entry.operation, place, site, key, kind, at, for_order, ",
        columns!(entry),
        " FROM entry CROSS JOIN operation ON operation.sequence = entry.operation \
         WHERE entry.operation = ?1 AND place = ?2"
    ))?;
    let read = |row: &Row<'_>| {
        Ok(Booked {
            sequence: row.get(0)?,
            place: row.get(1)?,
            operation: OperationKey { site: row.get(2)?, key: row.get(3)? },
            kind: rows::operation_kind_of(row.get(4)?)?,
            at: row.get(5)?,
            order: row.get(6)?,
            entry: rows::entry(row, 7)?,
        })
    };
    // No entry has a number that SQLite cannot keep.
    let after = i64::try_from(after).unwrap_or(i64::MAX);
    let limit = rows::limit(limit);
    let positions = match listed(connection, account, after, limit)? {
        Some(positions) => positions,
        None => searched(connection, account, after, limit)?,
    };
    let mut found = Vec::new();
    for at in positions {
        found.extend(rows::one(&mut booked, [at.operation, at.place], read)?);
    }
    Ok(found)
}

/// Where the entries of an account are that have the next numbers after `after`: back along their list, from the first
/// milestone that is not before them or from the last entry. `None` where the list is not whole, which no commit leaves.
fn listed(connection: &Connection, account: Id, after: i64, limit: i64) -> Result<Option<Vec<Position>>, Trouble> {
    let end = after.saturating_add(limit);
    let mut milestone = connection.prepare_cached(
        "SELECT number, operation, place FROM entry INDEXED BY entry_milestone \
         WHERE account = ?1 AND number >= ?2 AND number % 64 = 0 ORDER BY number LIMIT 1",
    )?;
    let mut last =
        connection.prepare_cached("SELECT version, last_operation, last_place FROM account WHERE id = ?1")?;
    let read = |row: &Row<'_>| Ok((row.get::<_, i64>(0)?, rows::position(row, 1)?));
    let begin = match rows::one(&mut milestone, [account.get(), end], read)? {
        None => rows::one(&mut last, [account.get()], read)?,
        milestone => milestone,
    };
    let Some((mut number, mut at)) = begin else { return Ok(Some(Vec::new())) };
    let mut entry = connection.prepare_cached(
        "SELECT number, previous_operation, previous_place FROM entry \
         WHERE operation = ?1 AND place = ?2 AND account = ?3",
    )?;
    let mut found = Vec::new();
    while number > after {
        let Some(here) = at else { return Ok(None) };
        let Some((there, previous)) = rows::one(&mut entry, [here.operation, here.place, account.get()], read)? else {
            return Ok(None);
        };
        if there != number {
            return Ok(None);
        }
        if number <= end {
            found.push(here);
        }
        (number, at) = (number - 1, previous);
    }
    found.reverse();
    Ok(Some(found))
}

/// The same by looking at every entry there is: what is left of a ledger that somebody has damaged can be read.
fn searched(connection: &Connection, account: Id, after: i64, limit: i64) -> Result<Vec<Position>, Trouble> {
    let mut statement = connection.prepare_cached(
        "SELECT operation, place FROM entry WHERE account = ?1 AND number > ?2 ORDER BY number LIMIT ?3",
    )?;
    let found = rows::all(&mut statement, [account.get(), after, limit], |row| rows::position(row, 0))?;
    Ok(found.into_iter().flatten().collect())
}

/// Operations in their order, with their legs. The caller has begun a read transaction.
pub(super) fn operations(connection: &Connection, after: i64, limit: usize) -> Result<Vec<Numbered>, Trouble> {
    let mut statement = connection.prepare_cached(concat!(
        "SELECT sequence, ",
        columns!(operation),
        " FROM operation WHERE sequence > ?1 ORDER BY sequence LIMIT ?2"
    ))?;
    let mut found = rows::all(&mut statement, params![after, rows::limit(limit)], |row| {
        Ok(Numbered { sequence: row.get(0)?, operation: rows::operation(row, 1)?, entries: Vec::new() })
    })?;
    // After the last operation of all there are no entries either.
    let last = match found.last() {
        Some(last) if found.len() >= limit => last.sequence,
        None if limit == 0 => return Ok(found),
        _ => i64::MAX,
    };
    let mut statement = connection.prepare_cached(concat!(
        "SELECT operation, ",
        columns!(entry),
        " FROM entry WHERE operation > ?1 AND operation <= ?2 ORDER BY operation, place"
    ))?;
    let entries = rows::all(&mut statement, [after, last], |row| Ok((row.get(0)?, rows::entry(row, 1)?)))?;
    let mut entries = entries.into_iter().peekable();
    for numbered in &mut found {
        let of_this = |(sequence, _): &(i64, Entry)| *sequence == numbered.sequence;
        while let Some((_, entry)) = entries.next_if(of_this) {
            numbered.entries.push(entry);
        }
    }
    match entries.next() {
        None => Ok(found),
        Some((sequence, _)) => {
            Err(Trouble::Corrupt(format!("there are entries of the operation {sequence}, but not it")))
        }
    }
}

/// The least and the greatest sequence of a period.
pub(super) fn sequences(
    connection: &Connection,
    from: InstantMs,
    to: InstantMs,
) -> Result<Option<(i64, i64)>, Trouble> {
    let is_all = from == InstantMs::MIN && to == InstantMs::MAX;
    let mut statement = connection.prepare_cached(match is_all {
        // Each of them by itself is a look at one end.
        true => "SELECT (SELECT min(sequence) FROM operation), (SELECT max(sequence) FROM operation)",
        false => "SELECT min(sequence), max(sequence) FROM operation WHERE at >= ?1 AND at < ?2",
    })?;
    let read = |row: &Row<'_>| Ok((row.get::<_, Option<i64>>(0)?, row.get::<_, Option<i64>>(1)?));
    let (first, last) = match is_all {
        true => statement.query_row([], read)?,
        false => statement.query_row(params![from, to], read)?,
    };
    Ok(first.zip(last))
}

/// Decisions of operations by sequence.
pub(super) fn decisions(
    connection: &Connection,
    filter: &DecisionFilter,
    after: i64,
    limit: usize,
) -> Result<Vec<DecisionRow>, Trouble> {
    // Not by the index of moments: that would go through the whole period, and sort it, for each page.
    let mut statement = connection.prepare_cached(
        "SELECT o.sequence, o.site, o.key, o.at, o.for_order, o.decision, p.body \
         FROM operation o LEFT JOIN personal p ON p.reference = o.personal \
         WHERE o.sequence > ?1 AND o.sequence <= ?6 AND o.decision IS NOT NULL AND +o.at >= ?2 AND +o.at < ?3 \
         AND (?4 IS NULL OR o.site = ?4) ORDER BY o.sequence LIMIT ?5",
    )?;
    let DecisionFilter { site, from, to, last } = filter;
    rows::all(&mut statement, params![after, from, to, site, rows::limit(limit), last], |row| {
        Ok(DecisionRow {
            sequence: row.get(0)?,
            key: OperationKey { site: row.get(1)?, key: row.get(2)? },
            at: row.get(3)?,
            order: row.get(4)?,
            decision: row.get(5)?,
            personal: row.get(6)?,
        })
    })
}

/// Documents of one kind and site by id.
pub(super) fn records(
    connection: &Connection,
    kind: RecordKind,
    site: &str,
    after: &str,
    limit: usize,
) -> Result<Vec<Record>, Trouble> {
    let mut statement = connection.prepare_cached(concat!(
        "SELECT ",
        columns!(record),
        " FROM record WHERE kind = ?1 AND site = ?2 AND id > ?3 ORDER BY id LIMIT ?4"
    ))?;
    rows::all(&mut statement, params![rows::record_kind_number(kind), site, after, rows::limit(limit)], rows::record)
}

/// Codes of a pool in a state by id.
pub(super) fn codes(
    connection: &Connection,
    site: &str,
    pool: &str,
    state: CodeState,
    after: Option<Id>,
    limit: usize,
) -> Result<Vec<Code>, Trouble> {
    let mut statement = connection.prepare_cached(concat!(
        "SELECT ",
        columns!(code),
        " FROM code INDEXED BY code_pool \
         WHERE pool = ?1 AND site = ?2 AND state = ?3 AND id > ?4 ORDER BY id LIMIT ?5"
    ))?;
    let after = after.map_or(-1, Id::get);
    let parameters = params![pool, site, rows::code_state_number(state), after, rows::limit(limit)];
    rows::all(&mut statement, parameters, rows::code)
}

/// How many codes of a pool are in each state that one is in.
pub(super) fn code_counts(connection: &Connection, site: &str, pool: &str) -> Result<HashMap<CodeState, u64>, Trouble> {
    let mut statement = connection.prepare_cached(
        "SELECT state, count(*) FROM code INDEXED BY code_pool WHERE pool = ?1 AND site = ?2 GROUP BY state",
    )?;
    let counts = rows::all(&mut statement, [pool, site], |row| {
        Ok((rows::code_state_of(row.get(0)?)?, rows::count(row.get(1)?)?))
    })?;
    Ok(counts.into_iter().collect())
}

/// The drawn codes of an account by id.
pub(super) fn codes_of(connection: &Connection, account: Id) -> Result<Vec<Code>, Trouble> {
    let mut statement = connection.prepare_cached(concat!(
        "SELECT ",
        columns!(code),
        " FROM code INDEXED BY code_account WHERE account = ?1 AND state = ?2 ORDER BY id"
    ))?;
    rows::all(&mut statement, params![account.get(), rows::code_state_number(CodeState::Drawn)], rows::code)
}

/// The personal fields of a reference.
pub(super) fn personal(connection: &Connection, reference: [u8; 16]) -> Result<Option<Personal>, Trouble> {
    let mut statement =
        connection.prepare_cached("SELECT reference, site, customer, body FROM personal WHERE reference = ?1")?;
    rows::one(&mut statement, [reference], |row| {
        Ok(Personal { reference: row.get(0)?, site: row.get(1)?, customer: row.get(2)?, body: row.get(3)? })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What SQLite would do for a filter.
    fn plan(filter: &AccountFilter) -> String {
        let connection = Connection::open_in_memory().unwrap();
        super::super::open::keep_plans(&connection).unwrap();
        super::super::open::bring_to_newest(&connection, 0).unwrap();
        let (sql, values) = accounts_query(filter);
        let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
        let steps = statement.query_map(params_from_iter(values), |row| row.get::<_, String>(3)).unwrap();
        steps.map(Result::unwrap).collect::<Vec<_>>().join("; ")
    }

    #[test]
    fn every_list_of_accounts_goes_over_the_narrowest_index_and_needs_no_sorting() {
        let some = || Some("x".to_owned());
        let site = AccountFilter { site: some(), after: Id::new(1), ..AccountFilter::default() };
        let rows: [(&str, AccountFilter); 7] = [
            ("USING INTEGER PRIMARY KEY (rowid>?)", AccountFilter { site: None, ..site.clone() }),
            ("account_site (site=? AND rowid>?)", site.clone()),
            (
                "account_programme (programme=? AND site=? AND rowid>?)",
                AccountFilter { programme: some(), ..site.clone() },
            ),
            (
                "account_customer (customer=? AND site=? AND rowid>?)",
                AccountFilter {
                    customer: some(),
                    programme: some(),
                    kind: Some(crate::model::AccountKind::Credit),
                    ..site.clone()
                },
            ),
            (
                "account_hint (hint=? AND site=? AND rowid>?)",
                AccountFilter { hint: some(), customer: some(), ..site.clone() },
            ),
            (
                "account_bought_by (bought_by=? AND site=? AND rowid>?)",
                AccountFilter { bought_by: some(), hint: some(), ends_by: Some(1), ..site.clone() },
            ),
            // Without a site the index is not in the order of ids, and the few that it finds are sorted.
            ("account_hint (hint=?); USE TEMP B-TREE FOR ORDER BY", AccountFilter { site: None, hint: some(), ..site }),
        ];
        for (expected, filter) in rows {
            let plan = plan(&filter);
            assert!(plan.ends_with(expected), "{filter:?}\n{plan}");
        }
    }
}
