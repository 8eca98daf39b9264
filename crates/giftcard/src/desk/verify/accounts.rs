//! Every account's row against the end of its chain. Must not know operations.

use giftcard_ledger::model::Account;
use giftcard_ledger::operations::status_name;
use giftcard_ledger::store::{AccountFilter, StoreError};

use super::chains::Chains;
use super::seals::Seals;
use super::{Finding, Findings, Progress, Stage};

/// Accounts that are read at a time.
const PAGE: usize = 1000;

/// Compares every row. Returns how many there are.
pub(super) fn check(
    chains: &mut Chains<'_>,
    seals: &mut Seals<'_>,
    findings: &mut Findings,
    progress: &mut dyn FnMut(Progress),
) -> Result<u64, StoreError> {
    let (mut after, mut count) = (None, 0);
    loop {
        let page = match chains.store.accounts(&AccountFilter { after, limit: PAGE, ..AccountFilter::default() }) {
            Ok(page) => page,
            Err(StoreError::Corrupt(why)) => {
                let message = format!("accounts cannot be read, so that they were not all checked: {why}");
                findings.add(Finding::new("unreadable", message));
                return Ok(count);
            }
            Err(error) => return Err(error),
        };
        for row in &page {
            compare(row, chains, seals, findings)?;
        }
        count += page.len() as u64;
        let total = Some((chains.heads.len() as u64).max(count));
        progress(Progress { stage: Stage::Accounts, done: count, total });
        if page.len() < PAGE {
            break;
        }
        after = page.last().map(|account| account.id);
    }
    let mut missing: Vec<_> = chains.heads.iter().filter(|(_, head)| !head.has_row).map(|(id, _)| *id).collect();
    missing.sort_unstable();
    for id in missing {
        let message = format!("account {id} has entries, but is not there");
        findings.add(Finding::new("missing-account", message).on(id));
    }
    Ok(count)
}

fn compare(
    row: &Account,
    chains: &mut Chains<'_>,
    seals: &mut Seals<'_>,
    findings: &mut Findings,
) -> Result<(), StoreError> {
    // Since its entries were read, the account may have moved on, and others with it.
    if chains.head(row.id).version < row.version {
        chains.follow(row.id, row.version, seals, findings)?;
    }
    let mut head = chains.head(row.id);
    let mut differs = |what: &str, row_says: String, chain_says: String| {
        let message = format!("account {} says {what} {row_says}, its last entry {chain_says}", row.id);
        findings.add(Finding::new("account-differs", message).on(row.id));
    };
    if head.version == row.version {
        if row.balance != head.balance {
            let amount = |amount: giftcard_engine::Minor| row.currency.format(amount);
            differs("balance", amount(row.balance), amount(head.balance));
        }
        if row.held != head.held {
            differs("held", row.currency.format(row.held), row.currency.format(head.held));
        }
        if row.status != head.status {
            differs("status", status_name(row.status).to_string(), status_name(head.status).to_string());
        }
        if head.currency.is_some_and(|currency| currency != row.currency) {
            let known = head.currency.map(|currency| currency.to_string());
            differs("currency", row.currency.to_string(), known.unwrap_or_default());
        }
        if row.head != head.hash {
            let short = |hash: &[u8; 32]| super::super::pay::hex(&hash[..8]);
            differs("hash", short(&row.head), short(&head.hash));
        }
    } else if head.version > row.version {
        differs("number of entries", row.version.to_string(), head.version.to_string());
    }
    // Fewer than the row says were told as missing.
    head.has_row = true;
    chains.heads.insert(row.id, head);
    if !row.held.is_zero() || row.next_hold_end.is_some() {
        chains.held.insert(row.id, (row.held, row.next_hold_end));
    }
    Ok(())
}
