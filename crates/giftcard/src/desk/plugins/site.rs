//! What the names of plugins mean at a site: an installed version, or one that comes with the program. Every name is
//! turned into one that means the very bytes, so that a decision says what decided it. Must not know bindings.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use giftcard_engine::programme::{Programme, Site};
use giftcard_host::{Component, Condition, Facts, Rulebook, Rules, pinned};
use giftcard_ledger::store::StoreError;
use sha2::{Digest, Sha256};

use super::document::{PluginDocument, Version, WHOLE};
use super::signature;
use super::vault::Vault;
use crate::Till;
use crate::desk::DeskError;
use crate::input::{PluginPolicy, Plugins, ProgrammeInput, Zone, programme_facts};

/// The plugins of a site, loaded when they are first asked for.
pub(in crate::desk) struct SitePlugins {
    vault: Arc<Vault>,
    site: String,
    documents: BTreeMap<String, PluginDocument>,
    policy: PluginPolicy,
    /// By digest: the condition, or why it cannot be used.
    conditions: HashMap<String, OnceLock<Result<Condition, String>>>,
    /// What kept one from being loaded and may pass.
    passing: Mutex<Option<StoreError>>,
}

/// A share of the orders that a version decides for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::desk) struct Share {
    site: String,
    id: String,
    basis_points: u16,
}

impl Share {
    /// Whether an order is in the share: always the same for an order, and still so when the share grows.
    pub(in crate::desk) fn takes(&self, order: &str) -> bool {
        is_in_share(&format!("{}\n{}\n{order}", self.site, self.id), self.basis_points)
    }
}

/// Whether what a text names is in a share, in basis points: always the same for it, and still so when the share grows.
pub(in crate::desk) fn is_in_share(text: &str, basis_points: u16) -> bool {
    let digest = Sha256::digest(text);
    let number = u64::from_be_bytes(digest[..8].try_into().unwrap_or_default());
    number % u64::from(WHOLE) < u64::from(basis_points)
}

/// A part that a version plays beside the one that decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::desk) enum Beside {
    /// It decides for a share of the orders.
    Canary,
    /// It looks on.
    Shadow,
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
        Self { vault, site: site.to_string(), documents, policy, conditions, passing: Mutex::default() }
    }

    /// That nothing kept a plugin from being loaded that may pass.
    ///
    /// # Errors
    /// What did: what was made of these plugins is not to be kept.
    pub(in crate::desk) fn is_settled(&self) -> Result<(), StoreError> {
        self.passing.lock().unwrap_or_else(PoisonError::into_inner).take().map_or(Ok(()), Err)
    }

    /// The installed version that a name means.
    fn version(&self, name: &str) -> Option<&Version> {
        match name.split_once('@') {
            Some((id, version)) => self.documents.get(id)?.named(version),
            None => self.documents.get(name)?.active_version(),
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
        if cell.get().is_none() {
            let loaded = self.check(version).and_then(|()| self.load(name, &version.digest));
            if self.passing.lock().unwrap_or_else(PoisonError::into_inner).is_some() {
                return Err("cannot be loaded at the moment");
            }
            let _ = cell.set(loaded.and_then(|component| match component {
                Component::Condition(condition) => Ok(condition),
                Component::Rules(_) => Err("is a set of rules, and no condition".to_string()),
            }));
        }
        match cell.get() {
            Some(loaded) => loaded.as_ref().map_err(String::as_str),
            None => Err("is not installed"),
        }
    }

    fn load(&self, name: &str, digest: &str) -> Result<Component, String> {
        self.vault.component(name, digest).unwrap_or_else(|error| {
            let why = error.to_string();
            *self.passing.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
            Err(why)
        })
    }

    /// The condition that plays a part beside the one that an id means.
    fn beside(&self, name: &str, part: Beside) -> Option<Result<&Condition, &str>> {
        let document = self.documents.get(name).filter(|document| !document.off)?;
        let digest = match part {
            Beside::Canary => &document.canary.as_ref()?.digest,
            Beside::Shadow => document.shadow.as_ref()?,
        };
        let version = document.of_digest(digest).filter(|version| !version.rules)?;
        Some(self.condition(name, version))
    }

    /// Whether a version plays that part beside the one that a name means. Never of a name with a version.
    pub(in crate::desk) fn has_beside(&self, name: &str, part: Beside) -> bool {
        self.beside(name, part).is_some()
    }

    /// The same plugins with those in place that play a part beside.
    pub(in crate::desk) fn with(&self, part: Beside) -> With<'_> {
        With { plugins: self, part }
    }

    /// The share of the orders that another version decides for than the one that an id means.
    pub(in crate::desk) fn share(&self, id: &str) -> Option<Share> {
        let canary = self.documents.get(id)?.canary.as_ref()?;
        Some(Share { site: self.site.clone(), id: id.to_string(), basis_points: canary.share })
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

    /// The terms of a programme by what `names` mean, its conditions asked about their settings. What is in no rulebook yet is
    /// loaded for it.
    ///
    /// # Errors
    /// What is wrong with the programme, by its path.
    pub(in crate::desk) fn checked_terms(
        &self,
        names: &dyn Plugins,
        input: &ProgrammeInput,
        (facts, zone): (&Site, &Zone),
    ) -> Result<Programme, DeskError> {
        let terms = programme_facts(input, facts, zone, names)?;
        let mut book = self.vault.base().clone();
        self.add_to(&mut book);
        Till::new(book).check_programme("", &terms)?;
        Ok(terms)
    }

    /// The site's own rules, where it has some. The error says why they cannot be used.
    pub(in crate::desk) fn rules(&self) -> Result<Option<Rules>, String> {
        let mut active = self.documents.iter().filter_map(|(id, document)| {
            let version = document.active_version().filter(|version| version.rules)?;
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
        match self.load(id, &version.digest).map_err(named)? {
            Component::Rules(rules) => Ok(rules),
            Component::Condition(_) => Err(named("is a condition, and no set of rules".to_string())),
        }
    }

    /// The rules that decide for a share of the orders. The error says why they cannot be used.
    pub(in crate::desk) fn shared_rules(&self) -> Result<Option<(Share, Rules)>, String> {
        for (id, document) in &self.documents {
            let canary = document.canary.as_ref().and_then(|canary| document.of_digest(&canary.digest));
            if let (Some(version), Some(share)) = (canary.filter(|version| version.rules), self.share(id)) {
                return Ok(Some((share, self.rules_of(id, version)?)));
            }
        }
        Ok(None)
    }

    /// The versions that look on. One that cannot be used does not.
    pub(in crate::desk) fn shadows(&self) -> Vec<Component> {
        let shadow = |(id, document): (&String, &PluginDocument)| {
            let version = document.of_digest(document.shadow.as_deref()?)?;
            self.check(version).ok()?;
            self.load(id, &version.digest).ok()
        };
        self.documents.iter().filter_map(shadow).collect()
    }

    /// Whether what a name means is active, was so before, or comes with the program.
    pub(super) fn has_decided(&self, name: &str) -> bool {
        let Some(version) = self.version(name) else { return true };
        let document = name.split_once('@').and_then(|(id, _)| self.documents.get(id));
        document.is_some_and(|document| {
            let digest = Some(&version.digest);
            document.active.as_ref() == digest || document.before.iter().any(|before| before.as_ref() == digest)
        })
    }
}

/// The plugins of a site with those in place that play a part beside the ones that decide.
pub(in crate::desk) struct With<'a> {
    plugins: &'a SitePlugins,
    part: Beside,
}

impl Plugins for With<'_> {
    fn facts(&self, name: &str) -> Option<&Facts> {
        match self.plugins.beside(name, self.part) {
            Some(condition) => condition.ok().map(Condition::facts),
            None => self.plugins.facts(name),
        }
    }

    fn ids(&self) -> Vec<String> {
        self.plugins.ids()
    }

    fn trouble(&self, name: &str) -> Option<String> {
        match self.plugins.beside(name, self.part) {
            Some(condition) => condition.err().map(|trouble| format!("`{name}` cannot be used: {trouble}")),
            None => self.plugins.trouble(name),
        }
    }

    fn meant(&self, name: &str) -> String {
        match self.plugins.beside(name, self.part) {
            Some(Ok(condition)) => pinned(condition.facts()),
            _ => self.plugins.meant(name),
        }
    }
}

impl Plugins for SitePlugins {
    fn facts(&self, name: &str) -> Option<&Facts> {
        self.found(name).map(Condition::facts)
    }

    fn ids(&self) -> Vec<String> {
        let mut ids = self.vault.base().ids();
        let is_condition = |document: &PluginDocument| document.active_version().is_some_and(|version| !version.rules);
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
pub(in crate::desk) const PINNED: &str = "@sha256:";

/// The id and digest in a name that means the very bytes, and whether it is of one that was switched off.
pub(crate) fn parts(name: &str) -> Option<(&str, &str, bool)> {
    let cut = |mark: &str| name.split_once(mark);
    match (cut(PINNED), cut(OFF)) {
        (Some((id, digest)), _) => Some((id, digest, false)),
        (_, Some((id, digest))) => Some((id, digest, true)),
        _ => None,
    }
}
