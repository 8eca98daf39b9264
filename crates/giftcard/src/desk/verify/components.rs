//! Components that are installed: whether their bytes are those that were. Must not know what they decide.

use std::collections::BTreeSet;

use giftcard_ledger::model::RecordKind;
use giftcard_ledger::store::{Store, StoreError, all_records};

use super::{Finding, Findings};
use crate::desk::component_digest;
use crate::desk::decision::unhex;
use crate::desk::plugins::installed_versions;

/// Checks every installed version, removed ones included: decisions may name them. Returns how many components.
pub(super) fn check(store: &dyn Store, findings: &mut Findings) -> Result<u64, StoreError> {
    let mut seen = BTreeSet::new();
    for site in all_records(store, RecordKind::Site, "")? {
        for plugin in all_records(store, RecordKind::Plugin, &site.key.id)? {
            let (id, site) = (&plugin.key.id, &plugin.key.site);
            for (version, digest) in installed_versions(&plugin)? {
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
