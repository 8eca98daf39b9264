//! Lists, page by page: holds that passed, accounts, entries, operations, documents, codes; and what is kept beside. Must
//! not know who shows them.

use std::collections::HashMap;

use giftcard_engine::Minor;
use giftcard_engine::moment::InstantMs;
use tokio_postgres::Row;

use super::ask::{Parameters, parameter};
use super::rows::{
    self, AccountRow, CodeRow, EntryRow, Kept, OpenHoldRow, OperationRow, PersonalRow, RecordRow, column,
};
use crate::model::{Account, Code, CodeState, Id, OperationKey, Record};
use crate::store::{AccountFilter, Booked, DecisionRow, Numbered, OpenHold, Personal, StoreError};

/// Open holds of accounts ($1) that ended by a moment ($2).
pub(super) const PASSED_HOLDS: &str = "\
SELECT h.hold FROM unnest($1::bigint[]) k(account) CROSS JOIN LATERAL (
    SELECT ROW(x.*)::open_hold_v1 AS hold FROM open_hold x WHERE x.account = k.account AND x.ends_at <= $2 OFFSET 0
) h";

/// First ends of open holds of accounts ($1) without some holds ($2).
pub(super) const NEXT_HOLD_ENDS: &str = "\
SELECT k.account, (
    SELECT h.ends_at FROM open_hold h WHERE h.account = k.account AND h.hold <> ALL ($2::bigint[])
    ORDER BY h.ends_at LIMIT 1
)
FROM unnest($1::bigint[]) k(account)";

/// Open holds that ended by a moment ($1), at most $2.
pub(super) const ALL_PASSED_HOLDS: &str = "\
SELECT ROW(h.*)::open_hold_v1 FROM open_hold h WHERE h.ends_at <= $1 ORDER BY h.ends_at, h.account, h.hold LIMIT $2";

/// Entries of an account ($1) after a number ($2), at most $3.
pub(super) const HISTORY: &str = "\
SELECT e.operation, o.site, o.key, o.kind, o.at, o.for_order, ROW(e.*)::entry_v1
FROM entry e JOIN operation o ON o.sequence = e.operation
WHERE e.account = $1 AND e.number > $2 ORDER BY e.number LIMIT $3";

/// Operations after a number ($1), at most $2, with their legs, from one snapshot.
pub(super) const OPERATIONS: &str = "\
SELECT ROW(o.*)::operation_v1,
    ARRAY(SELECT ROW(e.*)::entry_v1 FROM entry e WHERE e.operation = o.sequence ORDER BY e.place)
FROM operation o WHERE o.sequence > $1 ORDER BY o.sequence LIMIT $2";

/// The operations with these ids ($1), by number. Refusals have none.
pub(super) const NUMBERS: &str = "\
SELECT id, sequence FROM operation WHERE id = ANY($1::bytea[]) AND sequence IS NOT NULL";

/// Decisions of operations after a number ($1) and up to another ($6), from a moment ($2) until before another ($3), of a site
/// ($4) or all, at most $5. Not by the index of moments: that would go through the whole period for each page.
pub(super) const DECISIONS: &str = "\
SELECT o.sequence, o.site, o.key, o.at, o.for_order, o.decision, p.body
FROM operation o LEFT JOIN personal p ON p.reference = o.personal
WHERE o.sequence > $1 AND o.sequence <= $6 AND o.decision IS NOT NULL AND o.at + 0 >= $2 AND o.at + 0 < $3
AND ($4::text IS NULL OR o.site = $4)
ORDER BY o.sequence LIMIT $5";

/// The least and the greatest sequence.
pub(super) const ALL_SEQUENCES: &str = "SELECT min(sequence), max(sequence) FROM operation";

/// The same from a moment ($1) on until before another ($2). By the index of moments: by that of sequences it would go through
/// all operations before the period.
pub(super) const SEQUENCES: &str = "\
SELECT min(sequence + 0), max(sequence + 0) FROM operation WHERE until IS NULL AND at >= $1 AND at < $2";

/// Documents of a kind ($1) and site ($2) after an id ($3), at most $4.
pub(super) const RECORDS: &str = "\
SELECT ROW(r.*)::record_v1 FROM record r WHERE r.kind = $1 AND r.site = $2 AND r.id > $3 ORDER BY r.id LIMIT $4";

/// Codes of a site ($1) and pool ($2) in a state ($3) after an id ($4), at most $5.
pub(super) const CODES: &str = "\
SELECT ROW(c.*)::code_v1 FROM code c
WHERE c.pool = $2 AND c.site = $1 AND c.state = $3 AND c.id > $4 ORDER BY c.id LIMIT $5";

/// How many codes of a site ($1) and pool ($2) are in each state.
pub(super) const CODE_COUNTS: &str = "\
SELECT c.state, count(*) FROM code c WHERE c.pool = $2 AND c.site = $1 GROUP BY c.state";

/// Codes of an account ($1) in a state ($2).
pub(super) const CODES_OF: &str = "\
SELECT ROW(c.*)::code_v1 FROM code c WHERE c.account = $1 AND c.state = $2 ORDER BY c.id";

/// Personal fields of a reference ($1).
pub(super) const PERSONAL: &str = "SELECT ROW(p.*)::personal_v1 FROM personal p WHERE p.reference = $1";

/// Erases a document of a kind ($1), site ($2) and customer ($3), and the personal fields of that customer, which it
/// counts.
pub(super) const ERASE: &str = "\
WITH document AS (DELETE FROM record r WHERE r.kind = $1 AND r.site = $2 AND r.id = $3),
    fields AS (DELETE FROM personal p WHERE p.customer = $3 AND p.site = $2 RETURNING 1)
SELECT count(*) FROM fields";

pub(super) fn ids(accounts: &[Id]) -> Vec<i64> {
    let mut ids: Vec<i64> = accounts.iter().map(|id| id.get()).collect();
    ids.sort_unstable();
    ids.dedup();
    ids
}

/// The statement of a filter, with the conditions that it has and no others, so that each is planned for what it is.
pub(super) fn accounts(filter: &AccountFilter) -> (String, Parameters) {
    let mut sql = String::from("SELECT ROW(a.*)::account_v1 FROM account a WHERE true");
    let mut parameters = Parameters::new();
    let mut and = |condition: &str, value| {
        parameters.push(value);
        sql.push_str(" AND a.");
        sql.push_str(condition);
        sql.push_str(" $");
        sql.push_str(&parameters.len().to_string());
    };
    let texts = [
        ("site =", &filter.site),
        ("programme =", &filter.programme),
        ("customer =", &filter.customer),
        ("bought_by =", &filter.bought_by),
        ("hint =", &filter.hint),
    ];
    for (condition, text) in texts {
        if let Some(text) = text {
            and(condition, parameter(text.clone()));
        }
    }
    if let Some(kind) = filter.kind {
        and("kind =", parameter(rows::account_kind_number(kind)));
    }
    if let Some(status) = filter.status {
        and("status =", parameter(rows::status_number(status)));
    }
    let numbers = [
        ("expires_at <=", filter.ends_by),
        ("balance >=", filter.balance_min.map(Minor::get)),
        ("id >", filter.after.map(Id::get)),
    ];
    for (condition, number) in numbers {
        if let Some(number) = number {
            and(condition, parameter(number));
        }
    }
    parameters.push(parameter(rows::limit(filter.limit)));
    sql.push_str(&format!(" ORDER BY a.id LIMIT ${}", parameters.len()));
    (sql, parameters)
}

/// Whether any text of a filter has the character 0, which nothing stored has.
pub(super) fn finds_nothing(filter: &AccountFilter) -> bool {
    let AccountFilter { site, programme, customer, bought_by, hint, .. } = filter;
    [site, programme, customer, bought_by, hint].into_iter().flatten().any(|text| text.contains('\0'))
}

pub(super) fn read_account(row: &Row) -> Result<Account, StoreError> {
    column::<AccountRow>(row, 0)?.try_into()
}

pub(super) fn read_open_hold(row: &Row) -> Result<OpenHold, StoreError> {
    column::<OpenHoldRow>(row, 0)?.try_into()
}

pub(super) fn read_record(row: &Row) -> Result<Record, StoreError> {
    column::<RecordRow>(row, 0)?.try_into()
}

pub(super) fn read_code(row: &Row) -> Result<Code, StoreError> {
    column::<CodeRow>(row, 0)?.try_into()
}

pub(super) fn read_personal(row: &Row) -> Result<Personal, StoreError> {
    column::<PersonalRow>(row, 0)?.try_into()
}

pub(super) fn read_code_count(row: &Row) -> Result<(CodeState, u64), StoreError> {
    Ok((rows::code_state_of(column(row, 0)?)?, rows::count_of(column(row, 1)?)?))
}

pub(super) fn read_next_hold_ends(answer: &[Row]) -> Result<HashMap<Id, InstantMs>, StoreError> {
    let mut found = HashMap::new();
    for row in answer {
        if let Some(end) = column::<Option<i64>>(row, 1)? {
            found.insert(rows::id_of(column(row, 0)?)?, end);
        }
    }
    Ok(found)
}

pub(super) fn read_booked(row: &Row) -> Result<Booked, StoreError> {
    let kind: Option<i16> = column(row, 3)?;
    let entry: EntryRow = column(row, 6)?;
    Ok(Booked {
        sequence: column(row, 0)?,
        place: entry.place()?,
        operation: OperationKey { site: column(row, 1)?, key: column(row, 2)? },
        kind: rows::operation_kind_of(kind.ok_or_else(|| rows::corrupt("an operation without a kind"))?)?,
        at: column(row, 4)?,
        order: column(row, 5)?,
        entry: entry.read()?,
    })
}

pub(super) fn read_sequences(row: &Row) -> Result<Option<(i64, i64)>, StoreError> {
    let (first, last): (Option<i64>, Option<i64>) = (column(row, 0)?, column(row, 1)?);
    Ok(first.zip(last))
}

pub(super) fn read_decision(row: &Row) -> Result<DecisionRow, StoreError> {
    Ok(DecisionRow {
        sequence: column(row, 0)?,
        key: OperationKey { site: column(row, 1)?, key: column(row, 2)? },
        at: column(row, 3)?,
        order: column(row, 4)?,
        decision: column(row, 5)?,
        personal: column(row, 6)?,
    })
}

pub(super) fn read_numbered(row: &Row) -> Result<Numbered, StoreError> {
    match column::<OperationRow>(row, 0)?.read()? {
        Kept::Operation(sequence, operation) => {
            let entries: Vec<EntryRow> = column(row, 1)?;
            let entries = entries.into_iter().map(EntryRow::read).collect::<Result<_, _>>()?;
            Ok(Numbered { sequence, operation: *operation, entries })
        }
        Kept::Refusal(_) => Err(rows::corrupt("a refusal with the number of an operation")),
    }
}
