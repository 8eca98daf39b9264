//! Sums for reports, exact beyond 64 bits: PostgreSQL sums them as numbers of any length, which come as text. And
//! checkpoints. Must not know what a report looks like, nor how a root or a signature is made.

use tokio_postgres::Row;

use super::rows::{self, column};
use crate::store::{CounterSum, Liability, StoreError, Turnover};

/// Sums of balances, of a site ($1) or of all.
pub(super) const LIABILITIES: &str = "\
SELECT site, kind, programme, currency, exponent, status, count(*), sum(balance)::text, sum(held)::text
FROM account WHERE $1::text IS NULL OR site = $1
GROUP BY 1, 2, 3, 4, 5, 6 ORDER BY 1, 2, 3, 4, 5, 6";

/// Sums of entries of accounts, of a site ($3) or of all, from a moment ($1) to before another ($2).
pub(super) const TURNOVER: &str = "\
SELECT a.site, a.kind, a.programme, e.currency, e.exponent, o.kind, count(*), sum(e.amount)::text
FROM operation o JOIN entry e ON e.operation = o.sequence JOIN account a ON a.id = e.account
WHERE o.until IS NULL AND o.at >= $1 AND o.at < $2 AND ($3::text IS NULL OR a.site = $3)
GROUP BY 1, 2, 3, 4, 5, 6 ORDER BY 1, 2, 3, 4, 5, 6";

/// Sums of all legs.
pub(super) const COUNTER_SUMS: &str = "\
SELECT counter, currency, exponent, sum(amount)::text FROM entry
GROUP BY 1, 2, 3 ORDER BY counter NULLS FIRST, currency, exponent";

/// How many codes that may be presented yet have lookups of each key version: free (0) and reserved ones (1), and drawn
/// ones (2) of accounts that are not closed (3) and have a balance.
pub(super) const PEPPER_USES: &str = "\
SELECT c.pepper, count(*) FROM code c LEFT JOIN account a ON a.id = c.account
WHERE c.state IN (0, 1) OR (c.state = 2 AND a.status <> 3 AND a.balance > 0) GROUP BY c.pepper";

/// Heads of chains that no checkpoint has.
pub(super) const UNSEALED_HEADS: &str = "\
SELECT a.id, a.version, a.head FROM account a
WHERE a.version > 0 AND NOT EXISTS (SELECT FROM sealed_head s WHERE s.account = a.id AND s.version >= a.version)
ORDER BY a.id";

/// Adds a checkpoint ($1 to $7) and its heads ($8 accounts, $9 versions, $10 heads), unless its number is taken; counts
/// what was added.
pub(super) const SEAL: &str = "\
WITH added AS (
    INSERT INTO checkpoint (number, at, root, heads, previous, public_key, signature)
    VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING RETURNING number
), heads AS (
    INSERT INTO sealed_head (checkpoint, account, version, head)
    SELECT added.number, head.* FROM added CROSS JOIN unnest($8::bigint[], $9::bigint[], $10::bytea[]) head
)
SELECT count(*) FROM added";

/// All checkpoints.
pub(super) const CHECKPOINTS: &str = "\
SELECT number, at, root, heads, previous, public_key, signature FROM checkpoint ORDER BY number";

/// The heads of a checkpoint ($1).
pub(super) const SEALED_HEADS: &str = "\
SELECT account, version, head FROM sealed_head WHERE checkpoint = $1 ORDER BY account";

pub(super) fn read_liability(row: &Row) -> Result<Liability, StoreError> {
    Ok(Liability {
        site: column(row, 0)?,
        kind: rows::account_kind_of(column(row, 1)?)?,
        programme: column(row, 2)?,
        currency: rows::currency_of(column(row, 3)?, column(row, 4)?)?,
        status: rows::status_of(column(row, 5)?)?,
        accounts: rows::count_of(column(row, 6)?)?,
        balance_minor: sum(column(row, 7)?)?,
        held_minor: sum(column(row, 8)?)?,
    })
}

pub(super) fn read_turnover(row: &Row) -> Result<Turnover, StoreError> {
    Ok(Turnover {
        site: column(row, 0)?,
        kind: rows::account_kind_of(column(row, 1)?)?,
        programme: column(row, 2)?,
        currency: rows::currency_of(column(row, 3)?, column(row, 4)?)?,
        operation: rows::operation_kind_of(column(row, 5)?)?,
        entries: rows::count_of(column(row, 6)?)?,
        amount_minor: sum(column(row, 7)?)?,
    })
}

pub(super) fn read_counter_sum(row: &Row) -> Result<CounterSum, StoreError> {
    Ok(CounterSum {
        counter: column::<Option<i16>>(row, 0)?.map(rows::counter_of).transpose()?,
        currency: rows::currency_of(column(row, 1)?, column(row, 2)?)?,
        amount_minor: sum(column(row, 3)?)?,
    })
}

pub(super) fn read_pepper_use(row: &Row) -> Result<(u32, u64), StoreError> {
    Ok((rows::pepper_of(column(row, 0)?)?, rows::count_of(column(row, 1)?)?))
}

fn sum(text: &str) -> Result<i128, StoreError> {
    text.parse().map_err(|_| rows::corrupt(format!("`{text}` is no sum")))
}
