//! Components that are installed: whether their bytes are those that were. Must not know what they decide.

use std::collections::BTreeSet;

use giftcard_ledger::model::RecordKind;
use giftcard_ledger::store::{Store, StoreError};

use super::{Finding, Findings, PAGE};
use crate::desk::component_digest;
use crate::desk::decision::unhex;
use crate::desk::plugins::installed_versions;

/// Checks every installed version, removed ones included: decisions may name them. Returns how many components.
pub(super) fn check(store: &dyn Store, findings: &mut Findings) -> Result<u64, StoreError> {
    let mut seen = BTreeSet::new();
    for site in ids(store, RecordKind::Site, "")? {
        for id in ids(store, RecordKind::Plugin, &site)? {
            for (version, digest) in installed_versions(store, &site, &id)? {
                if !seen.insert(digest.clone()) {
                    continue;
                }
                let bytes = unhex(&digest).map(|key| store.component(key)).transpose()?.flatten();
                let trouble = match bytes {
                    Some(bytes) if component_digest(&bytes) == digest => continue,
                    Some(_) => "has other bytes than were installed",
                    None => "is not in the database",
                };
                let message = format!("`{id}` {version} of site `{site}` {trouble} ({digest}); install it again");
                findings.add(Finding::new("component-damaged", message));
            }
        }
    }
    Ok(seen.len() as u64)
}

/// The ids of all documents of a kind.
fn ids(store: &dyn Store, kind: RecordKind, site: &str) -> Result<Vec<String>, StoreError> {
    let mut all: Vec<String> = Vec::new();
    loop {
        let after = all.last().cloned().unwrap_or_default();
        let page = store.records(kind, site, &after, PAGE)?;
        let is_last = page.len() < PAGE;
        all.extend(page.into_iter().map(|record| record.key.id));
        if is_last {
            return Ok(all);
        }
    }
}
