//! What the names of plugins mean at a site: an installed version, or one that comes with the program. Every name is
//! turned into one that means the very bytes, so that a decision says what decided it. Must not know bindings.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, OnceLock};

use giftcard_host::{Component, Condition, Facts, Rulebook, Rules, pinned};
use sha2::{Digest, Sha256};

use super::document::{PluginDocument, Version, WHOLE};
use super::signature;
use super::vault::Vault;
use crate::input::{PluginPolicy, Plugins};

/// The plugins of a site, loaded when they are first asked for.
pub(in crate::desk) struct SitePlugins {
    vault: Arc<Vault>,
    site: String,
    documents: BTreeMap<String, PluginDocument>,
    policy: PluginPolicy,
    /// By digest: the condition, or why it cannot be used.
    conditions: HashMap<String, OnceLock<Result<Condition, String>>>,
}

/// A version that decides for a share of the orders.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::desk) struct Share {
    site: String,
    id: String,
    basis_points: u16,
    /// What it stands in for.
    from: String,
    /// The version.
    to: String,
}

impl Share {
    /// The name that decides for this order in place of `plugin`, if it is in the share.
    pub(in crate::desk) fn instead_of(&self, plugin: &str, order: &str) -> Option<&str> {
        (plugin == self.from && self.takes(order)).then_some(self.to.as_str())
    }

    /// Whether an order is in the share: always the same for an order, and still so when the share grows.
    pub(in crate::desk) fn takes(&self, order: &str) -> bool {
        let digest = Sha256::digest(format!("{}\n{}\n{order}", self.site, self.id));
        let number = u64::from_be_bytes(digest[..8].try_into().unwrap_or_default());
        number % u64::from(WHOLE) < u64::from(self.basis_points)
    }
}

impl SitePlugins {
    /// Of a site's documents.
    pub(super) fn new(
        vault: Arc<Vault>,
        site: &str,
        documents: BTreeMap<String, PluginDocument>,
        policy: PluginPolicy,
    ) -> Self {
        let versions = documents.values().flat_map(|document| &document.versions);
        let conditions = versions.map(|version| (version.digest.clone(), OnceLock::new())).collect();
        Self { vault, site: site.to_string(), documents, policy, conditions }
    }

    /// The installed version that a name means.
    fn version(&self, name: &str) -> Option<&Version> {
        match name.split_once('@') {
            Some((id, version)) => self.documents.get(id)?.named(version),
            None => {
                let document = self.documents.get(name)?;
                document.of_digest(document.active.as_deref()?)
            }
        }
    }

    /// Whether what a name means is switched off. A version that is named is not.
    fn is_off(&self, name: &str) -> bool {
        self.documents.get(name).is_some_and(|document| document.off)
    }

    /// The condition that a name means.
    fn found(&self, name: &str) -> Option<&Condition> {
        match self.version(name) {
            Some(version) => self.condition(name, version).ok(),
            None => self.vault.base().condition(name),
        }
    }

    fn condition(&self, name: &str, version: &Version) -> Result<&Condition, &str> {
        let Some(cell) = self.conditions.get(&version.digest) else { return Err("is not installed") };
        let loaded = cell.get_or_init(|| {
            self.check(version)?;
            match self.vault.component(name, &version.digest)? {
                Component::Condition(condition) => Ok(condition),
                Component::Rules(_) => Err("is a set of rules, and no condition".to_string()),
            }
        });
        loaded.as_ref().map_err(String::as_str)
    }

    /// Whether a version is signed as the site demands it.
    pub(super) fn check(&self, version: &Version) -> Result<(), String> {
        if !self.policy.require_signature {
            return Ok(());
        }
        match &version.signed {
            Some(signed) if signature::is_trusted(&self.policy, &version.digest, signed) => Ok(()),
            Some(signed) => Err(format!("is signed with {}, which is not among the site's trusted keys", signed.key)),
            None => Err("is not signed, and the site demands it".to_string()),
        }
    }

    /// Why an installed plugin of that name cannot be used.
    fn trouble(&self, name: &str) -> Option<String> {
        match self.version(name) {
            Some(version) => {
                let trouble = self.condition(name, version).err()?;
                Some(format!("`{name}` {} ({}) cannot be used: {trouble}", version.version, &version.digest[..12]))
            }
            None => {
                let document = self.documents.get(name.split('@').next()?)?;
                let known: Vec<&str> = document
                    .versions
                    .iter()
                    .filter(|version| !version.removed)
                    .map(|version| version.version.as_str())
                    .collect();
                let known = if known.is_empty() { "none".to_string() } else { known.join(", ") };
                Some(match name.contains('@') {
                    true => format!("`{name}` is not installed; installed versions are {known}"),
                    false => format!(
                        "`{name}` is installed and not active; `giftcard plugin activate {name}` makes it so (versions: \
                         {known})"
                    ),
                })
            }
        }
    }

    /// Adds to a rulebook whatever was asked for.
    pub(in crate::desk) fn add_to(&self, book: &mut Rulebook) {
        for condition in self.conditions.values().filter_map(|cell| cell.get()?.as_ref().ok()) {
            book.add_pinned(condition.clone());
        }
        for id in self.documents.keys().filter(|id| self.is_off(id)) {
            if let Some(condition) = self.found(id) {
                book.add_off(off(condition.facts()), condition.clone());
            }
        }
    }

    /// The site's own rules, where it has some. The error says why they cannot be used.
    pub(in crate::desk) fn rules(&self) -> Result<Option<Rules>, String> {
        let mut active = self.documents.iter().filter_map(|(id, document)| {
            let version = document.of_digest(document.active.as_deref()?).filter(|version| version.rules)?;
            Some((id, version))
        });
        match active.next_back() {
            Some((id, version)) => self.rules_of(id, version).map(Some),
            None => Ok(None),
        }
    }

    fn rules_of(&self, id: &str, version: &Version) -> Result<Rules, String> {
        let named = |trouble: String| format!("`{id}` {} cannot be used: {trouble}", version.version);
        self.check(version).map_err(named)?;
        match self.vault.component(id, &version.digest).map_err(named)? {
            Component::Rules(rules) => Ok(rules),
            Component::Condition(_) => Err(named("is a condition, and no set of rules".to_string())),
        }
    }

    /// The versions that decide for a share of the orders, of conditions.
    pub(in crate::desk) fn shares(&self) -> Vec<Share> {
        let share = |(id, document): (&String, &PluginDocument)| {
            let canary = document.canary.as_ref()?;
            let version = document.of_digest(&canary.digest).filter(|version| !version.rules)?;
            let to = self.condition(id, version).ok()?;
            let share = Share {
                site: self.site.clone(),
                id: id.clone(),
                basis_points: canary.share,
                from: self.meant(id),
                to: pinned(to.facts()),
            };
            (!document.off).then_some(share)
        };
        self.documents.iter().filter_map(share).collect()
    }

    /// The rules that decide for a share of the orders.
    pub(in crate::desk) fn shared_rules(&self) -> Option<(Share, Rules)> {
        self.documents.iter().find_map(|(id, document)| {
            let canary = document.canary.as_ref()?;
            let version = document.of_digest(&canary.digest).filter(|version| version.rules)?;
            let rules = self.rules_of(id, version).ok()?;
            let (site, to) = (self.site.clone(), pinned(rules.facts()));
            let share = Share { site, id: id.clone(), basis_points: canary.share, from: String::new(), to };
            Some((share, rules))
        })
    }

    /// The versions that look on, each with the name it stands beside.
    pub(in crate::desk) fn shadows(&self) -> Vec<(String, Component)> {
        let shadow = |(id, document): (&String, &PluginDocument)| {
            let version = document.of_digest(document.shadow.as_deref()?)?;
            self.check(version).ok()?;
            Some((self.meant(id), self.vault.component(id, &version.digest).ok()?))
        };
        self.documents.iter().filter_map(shadow).collect()
    }
}

impl Plugins for SitePlugins {
    fn facts(&self, name: &str) -> Option<&Facts> {
        self.found(name).map(Condition::facts)
    }

    fn ids(&self) -> Vec<String> {
        let mut ids = self.vault.base().ids();
        let is_condition = |document: &PluginDocument| {
            document
                .active
                .as_deref()
                .and_then(|digest| document.of_digest(digest))
                .is_some_and(|version| !version.rules)
        };
        ids.extend(self.documents.iter().filter(|(_, document)| is_condition(document)).map(|(id, _)| id.clone()));
        ids.sort();
        ids.dedup();
        ids
    }

    fn meant(&self, name: &str) -> String {
        match self.facts(name) {
            Some(facts) if self.is_off(name) => off(facts),
            Some(facts) => pinned(facts),
            None => name.to_string(),
        }
    }

    fn trouble(&self, name: &str) -> Option<String> {
        Self::trouble(self, name)
    }
}

/// The name of a version that is switched off.
fn off(facts: &Facts) -> String {
    format!("{}{OFF}{}", facts.id, facts.digest)
}

/// Between id and digest in the name of a version that was switched off.
const OFF: &str = "@off:";

/// Between id and digest in a name that means the very bytes.
const PINNED: &str = "@sha256:";

/// The id and digest in a name that means the very bytes, and whether it is of one that was switched off.
pub(crate) fn parts(name: &str) -> Option<(&str, &str, bool)> {
    let cut = |mark: &str| name.split_once(mark);
    match (cut(PINNED), cut(OFF)) {
        (Some((id, digest)), _) => Some((id, digest, false)),
        (_, Some((id, digest))) => Some((id, digest, true)),
        _ => None,
    }
}
