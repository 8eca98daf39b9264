//! What one operation needs to know, in one statement: one round trip and one snapshot. Must not know what for.

use std::collections::{HashMap, HashSet};

use super::ask::{Parameters, parameter};
use super::rows::{self, AccountRow, CodeRow, CreditKeyRow, Kept, OperationRow, RecordKeyRow, RecordRow, column};
use crate::chain;
use crate::model::{Account, Code, Hash32, Id, Record, RecordKey};
use crate::store::{Found, StoreError, Want};

/// Each document and each store credit is looked for by itself, so that no plan reads a table for them; and the greatest
/// moment by its order, since for `max` a plan that was made for an empty table reads all of the index.
pub(super) const FIND: &str = "\
SELECT
    (SELECT version FROM configuration),
    coalesce((SELECT at FROM operation WHERE until IS NULL ORDER BY at DESC LIMIT 1), 0),
    (SELECT ROW(o.*)::operation_v1 FROM operation o WHERE o.id = $1),
    ARRAY(SELECT ROW(c.*)::code_v1 FROM code c WHERE c.lookup = ANY ($2)),
    credit.ids,
    ARRAY(
        SELECT ROW(a.*)::account_v1 FROM account a
        WHERE a.id = ANY ($3::bigint[]
            || ARRAY(SELECT c.account FROM code c WHERE c.lookup = ANY ($2) AND c.account IS NOT NULL)
            || credit.ids)
    ),
    ARRAY(
        SELECT (
            SELECT ROW(r.*)::record_v1 FROM record r WHERE r.kind = k.kind AND r.site = k.site AND r.id = k.id
        )
        FROM unnest($5::record_key_v1[]) k
    )
FROM (
    SELECT ARRAY(
        SELECT (
            SELECT a.id FROM account a
            WHERE a.kind = 1 AND a.site = k.site AND a.customer = k.customer AND a.currency = k.currency
        )
        FROM unnest($4::credit_key_v1[]) k
    ) AS ids
    OFFSET 0
) credit";

/// The parameters of [`FIND`].
pub(super) fn parameters(want: &Want) -> Parameters {
    let operation = want.operation.as_ref().map(|key| chain::operation_id(key).to_vec());
    let lookups: Vec<Vec<u8>> = want.codes.iter().flatten().map(|lookup| lookup.to_vec()).collect();
    let accounts: Vec<i64> = want.accounts.iter().map(|id| id.get()).collect();
    let credits: Vec<CreditKeyRow> = want
        .credits
        .iter()
        .map(|(site, customer, currency)| CreditKeyRow {
            site: storable(site),
            customer: storable(customer),
            currency: storable(currency),
        })
        .collect();
    let records: Vec<RecordKeyRow> = want.records.iter().filter(|key| can_be(key)).map(RecordKeyRow::from).collect();
    vec![parameter(operation), parameter(lookups), parameter(accounts), parameter(credits), parameter(records)]
}

/// PostgreSQL has no character 0 in texts, so that nothing is stored under a key with it.
fn can_be(key: &RecordKey) -> bool {
    !key.site.contains('\0') && !key.id.contains('\0')
}

/// The text, or one that nothing is stored under. Currencies are never so.
fn storable(text: &str) -> String {
    if text.contains('\0') { String::new() } else { text.to_string() }
}

/// What the row of [`FIND`] says.
pub(super) fn read(want: &Want, answer: &[tokio_postgres::Row]) -> Result<Found, StoreError> {
    let row = answer.first().ok_or_else(|| rows::corrupt("the database answered nothing"))?;
    let mut found = Found {
        configuration: rows::count_of(
            column::<Option<i64>>(row, 0)?
                .ok_or_else(|| rows::corrupt("the version of the configuration is missing"))?,
        )?,
        high_water: column(row, 1)?,
        ..Found::default()
    };
    if let Some(kept) = column::<Option<OperationRow>>(row, 2)?.map(OperationRow::read).transpose()? {
        match kept {
            Kept::Operation(_, operation) => found.operation = Some(*operation),
            Kept::Refusal(refusal) => found.refusal = Some(refusal),
        }
    }
    let codes: Vec<CodeRow> = column(row, 3)?;
    let codes: Vec<Code> = codes.into_iter().map(Code::try_from).collect::<Result<_, _>>()?;
    let by_lookup: HashMap<Hash32, &Code> = codes.iter().map(|code| (code.lookup, code)).collect();
    // Of several lookups of a code, the first that there is one for.
    let of_lookups = |lookups: &Vec<Hash32>| lookups.iter().find_map(|lookup| by_lookup.get(lookup).copied().cloned());
    found.codes = want.codes.iter().map(of_lookups).collect();
    let credits: Vec<Option<i64>> = column(row, 4)?;
    found.credits = credits.into_iter().map(|id| id.map(rows::id_of).transpose()).collect::<Result<_, _>>()?;
    for account in column::<Vec<AccountRow>>(row, 5)? {
        let account = Account::try_from(account)?;
        found.accounts.insert(account.id, account);
    }
    for record in column::<Vec<Option<RecordRow>>>(row, 6)?.into_iter().flatten() {
        let record = Record::try_from(record)?;
        found.records.insert(record.key.clone(), record);
    }
    drop_unwanted(&mut found, want);
    Ok(found)
}

/// Where several lookups of one wanted code have codes, only the first code was wanted, and its account.
fn drop_unwanted(found: &mut Found, want: &Want) {
    let mut wanted: HashSet<Id> = want.accounts.iter().copied().collect();
    wanted.extend(found.credits.iter().flatten());
    wanted.extend(found.codes.iter().flatten().filter_map(|code| code.account));
    found.accounts.retain(|id, _| wanted.contains(id));
}
