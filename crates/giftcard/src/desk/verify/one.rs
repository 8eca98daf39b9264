//! One operation by itself: its hash in each account's chain, its arithmetic, and its decision. Must not know the rest of
//! the ledger.

use giftcard_engine::moment::format_instant;
use giftcard_ledger::model::{Id, Operation, OperationKey};
use giftcard_ledger::operations::Receipt;
use giftcard_ledger::plan::read_record;
use giftcard_ledger::store::{Numbered, Store, StoreError, Want, history};
use schemars::JsonSchema;
use serde::Serialize;

use super::chains::{Chains, Link};
use super::seals::Seals;
use super::{Finding, Findings, PAGE};
use crate::desk::{Desk, DeskError, Rerun, rerun};

/// What `giftcard verify operation` found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "verify-operation-output")]
pub struct OperationVerdict {
    /// Whether nothing is wrong.
    pub sound: bool,
    /// The site.
    pub site: String,
    /// The key of the operation.
    pub operation: String,
    /// What it did.
    pub kind: &'static str,
    /// When, as RFC 3339 in UTC.
    pub at: String,
    /// The order it was for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order: Option<String>,
    /// Who did it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub actor: Option<String>,
    /// Entries that were checked, of accounts and of counters.
    pub entries: u64,
    /// `same`, `not-replayable`, `different`, or `none` where no rules decided.
    pub decision: &'static str,
    /// Why the decision cannot be run again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_replayable: Option<String>,
    /// What is wrong.
    pub findings: Vec<Finding>,
}

impl Desk {
    /// Checks one operation. `None` where there is none of that key.
    ///
    /// # Errors
    /// [`DeskError::Store`]; what is wrong in the ledger is in the verdict.
    pub fn verify_operation(&self, key: &OperationKey) -> Result<Option<OperationVerdict>, DeskError> {
        let store = self.store();
        let want = Want { operation: Some(key.clone()), ..Want::default() };
        let Some(operation) = store.find(&want)?.operation else { return Ok(None) };
        let mut findings = Findings::default();
        let mut chains = Chains::new(store);
        match place(store, &operation)? {
            Some(found) => {
                for link in found.entries.iter().filter_map(Link::of) {
                    chains.begin_at(&link)?;
                }
                chains.operation(&found, &mut Seals::none(store), &mut findings)?;
            }
            None => {
                let message = format!("operation `{}` is not among those that are listed", key.key);
                findings.add(Finding::new("missing-operation", message).of(key));
            }
        }
        let (decision, not_replayable) = match rerun(self, &operation)? {
            Rerun::Same => ("same", None),
            Rerun::NoDecision => ("none", None),
            Rerun::NotReplayable(why) => ("not-replayable", Some(why)),
            Rerun::Differs(why) => {
                let message = format!("the decision of operation `{}` does not come out again: {why}", key.key);
                findings.add(Finding::new("decision-differs", message).of(key));
                ("different", None)
            }
        };
        Ok(Some(OperationVerdict {
            sound: findings.total == 0,
            site: operation.key.site,
            operation: operation.key.key,
            kind: operation.kind.name(),
            at: format_instant(operation.at),
            order: operation.order,
            actor: operation.actor,
            entries: chains.entries,
            decision,
            not_replayable,
            findings: findings.told,
        }))
    }
}

/// The operation with its number and its entries. What it answered tells where to look; if that is of no help, every
/// operation is looked at.
fn place(store: &dyn Store, operation: &Operation) -> Result<Option<Numbered>, StoreError> {
    let receipt: Option<Receipt> = read_record(&operation.answer).ok();
    for account in receipt.iter().flat_map(|receipt| &receipt.accounts) {
        if let Some(sequence) = sequence_in(store, account.id, &operation.key)? {
            return super::numbered(store, sequence);
        }
    }
    let mut after = i64::MIN;
    loop {
        let page = store.operations(after, PAGE)?;
        let Some(last) = page.last().map(|numbered| numbered.sequence) else { return Ok(None) };
        if let Some(found) = page.into_iter().find(|numbered| numbered.operation.key == operation.key) {
            return Ok(Some(found));
        }
        after = last;
    }
}

fn sequence_in(store: &dyn Store, account: Id, key: &OperationKey) -> Result<Option<i64>, StoreError> {
    for booked in history(store, account, 0) {
        let booked = booked?;
        if booked.operation == *key {
            return Ok(Some(booked.sequence));
        }
    }
    Ok(None)
}
