//! Plugins of a site: installed into the ledger's database by their digest, so that every process sees the same, and
//! switched with the configuration: a decision that is under way when another version becomes active is made again
//! before it is committed. Must not know what a plugin decides.

mod checks;
mod document;
mod signature;
mod site;
mod vault;

use std::collections::BTreeMap;

use giftcard_engine::moment::{InstantMs, format_instant};
use giftcard_engine::programme::OnFailure;
use giftcard_host::{Component, LoadError, World};
use giftcard_ledger::Refused;
use giftcard_ledger::chain::digest_bytes;
use giftcard_ledger::model::{Record, RecordKey, RecordKind};
use giftcard_ledger::plan::read_record;
use giftcard_ledger::store::StoreError;

use self::document::{Canary, Change, PluginDocument, Proposal, Signed, Version};
use super::setup::{Planned, Set, SettingUp, put};
use super::{Desk, DeskError};
use crate::input::{ConditionInput, InputErrorKind, SiteDocument};
use crate::json::excerpt;
use crate::output::{InstalledOutput, InstalledVersionOutput, PluginEventOutput, ProgrammeOutput, ProposalOutput};

pub(super) use self::checks::bound;
use self::checks::that_bind;
pub(super) use self::document::WHOLE;
pub use self::signature::PluginSignature;
use self::signature::check_signature;
pub(crate) use self::site::parts;
pub(super) use self::site::{Beside, PINNED, Share, SitePlugins, is_in_share};
pub(super) use self::vault::Vault;

/// Characters of a digest that people are shown.
const DIGEST_SHOWN: usize = 12;

/// Which plugin is changed, and by whom.
#[derive(Clone, Copy, Debug)]
pub struct Changing<'a> {
    /// The site.
    pub site: &'a str,
    /// The plugin's id.
    pub id: &'a str,
    /// Who does it, for the records; where a second person has to approve, the first one has to be named, too.
    pub actor: Option<&'a str>,
    /// Now.
    pub now: InstantMs,
}

/// A component that is installed.
#[derive(Clone, Debug)]
pub struct Installing<'a> {
    /// What it is called until it has said its id.
    pub file: &'a str,
    /// Who vouches for it.
    pub signature: Option<PluginSignature>,
    /// Whether it gets what it asks for beyond the standard limits. Without, such a component is refused.
    pub grant: bool,
    /// Who does it, for the records.
    pub actor: Option<&'a str>,
    /// Now.
    pub now: InstantMs,
}

/// SHA-256 of a component's bytes, in hexadecimal: what it is called by.
#[must_use]
pub fn component_digest(bytes: &[u8]) -> String {
    super::pay::hex(&digest_bytes(bytes))
}

impl Desk {
    /// Installs a component at a site. It decides nothing until it is activated.
    ///
    /// # Errors
    /// [`DeskError::Refused`] with `plugin-not-loaded` where it is none, `limits-not-granted`, `same-version-twice` where another component of
    /// that id and version is installed, `signature-wrong`, `signature-missing`; [`DeskError::Input`] for a site that is
    /// not there.
    pub fn install_plugin(
        &self,
        site: &str,
        bytes: &[u8],
        installing: &Installing<'_>,
    ) -> Result<InstalledOutput, DeskError> {
        let (document, _) = self.site_document(site)?;
        let (host, file) = (self.vault().host(), installing.file);
        let not_loaded = |error: LoadError| Refused::mistake("plugin-not-loaded", error.to_string());
        let wanted = host.wanted(file, bytes).map_err(not_loaded)?;
        if !wanted.is_nothing() && !installing.grant {
            let message = format!(
                "`{}` asks for more than the standard limits: {wanted}; grant it with `--grant`",
                excerpt(file)
            );
            return Err(Refused::mistake("limits-not-granted", message).into());
        }
        let component = host.load_granted(file, bytes, &wanted).map_err(not_loaded)?;
        let facts = component.facts();
        let version = Version {
            digest: facts.digest.clone(),
            version: facts.version.clone(),
            rules: facts.world == World::GiftCard,
            title: facts.title.clone(),
            size: facts.size,
            granted: (!wanted.is_nothing()).then(|| wanted.to_string()),
            signed: installing.signature.as_ref().map(|given| Signed {
                key: given.key.to_ascii_lowercase(),
                signature: given.signature.to_ascii_lowercase(),
            }),
            removed: false,
        };
        check_signature(&version, &document.plugins)?;
        let changing = Changing { site, id: &facts.id, actor: installing.actor, now: installing.now };
        // Before anything names it.
        self.store().keep_component(digest_bytes(bytes), bytes)?;
        let versioned = format!("{}@{}", facts.id, facts.version);
        let of_base = self.vault().base().condition(&versioned).is_some_and(|one| one.facts().digest != facts.digest);
        let output = self.change_plugin(&changing, true, |document| {
            let twice = |where_: &str| {
                let message = format!(
                    "another component that calls itself `{}` {} {where_}; give this one another version",
                    changing.id, version.version
                );
                Err(Refused::mistake("same-version-twice", message).into())
            };
            // A programme may bind it by that name: it must not come to mean something else.
            if of_base {
                return twice("comes with the program");
            }
            if document.named(&version.version).is_some_and(|there| there.digest != version.digest) {
                return twice("is installed");
            }
            if let Some(there) = document.versions.iter_mut().find(|there| there.digest == version.digest) {
                let again = there.removed || there.signed != version.signed && version.signed.is_some();
                if !again {
                    return Ok(None);
                }
                there.removed = false;
                there.signed = version.signed.clone().or_else(|| there.signed.take());
                return Ok(Some(format!("installed {} again", shown(&version))));
            }
            document.versions.push(version.clone());
            Ok(Some(format!("installed {}", shown(&version))))
        })?;
        self.vault().keep(component);
        Ok(output)
    }

    /// Makes a version decide: the one named, by version or beginning of its digest, or the newest. Where the site demands
    /// two persons, this proposes it.
    ///
    /// # Errors
    /// [`Refused`] codes are `plugin-not-found`, `version-not-found`, `settings-do-not-fit`, `two-rules`,
    /// `plugin-unusable`, `actor-missing`.
    pub fn activate_plugin(
        &self,
        changing: &Changing<'_>,
        version: Option<&str>,
    ) -> Result<InstalledOutput, DeskError> {
        self.propose(changing, |document| {
            let version = chosen(document, changing.id, version)?;
            Ok(Change::Activate(version.digest.clone()))
        })
    }

    /// Makes a version decide for a share of the orders, in basis points: 1 to 9,999. Which orders these are depends on
    /// their ids alone; carts without an id are not among them. Where the site demands two persons, this proposes it.
    ///
    /// # Errors
    /// As [`Self::activate_plugin`]; [`DeskError::Input`] for a share that is none.
    pub fn canary_plugin(
        &self,
        changing: &Changing<'_>,
        version: Option<&str>,
        share: u16,
    ) -> Result<InstalledOutput, DeskError> {
        if share == 0 || share >= WHOLE {
            let problem = "must be more than 0% and less than 100%; `activate` is for all orders";
            return Err(DeskError::input(InputErrorKind::InvalidValue, "share", problem));
        }
        self.propose(changing, |document| {
            let version = chosen(document, changing.id, version)?;
            if document.active.as_deref() == Some(&*version.digest) {
                let message = format!("{} decides for all orders already", shown(version));
                return Err(Refused::mistake("already-active", message).into());
            }
            Ok(Change::Canary(Canary { digest: version.digest.clone(), share }))
        })
    }

    /// Ends the share of orders that another version decides for.
    ///
    /// # Errors
    /// [`Refused`] codes are `plugin-not-found`, `no-canary`.
    pub fn end_canary(&self, changing: &Changing<'_>) -> Result<InstalledOutput, DeskError> {
        self.change_plugin(changing, false, |document| match document.canary.take() {
            Some(_) => Ok(Some("ended the canary".to_string())),
            None => Err(Refused::mistake("no-canary", "no version decides for a share of the orders").into()),
        })
    }

    /// Lets a version look on: it is asked about what was decided, and what it would have decided otherwise is kept.
    ///
    /// # Errors
    /// As [`Self::activate_plugin`].
    pub fn shadow_plugin(&self, changing: &Changing<'_>, version: Option<&str>) -> Result<InstalledOutput, DeskError> {
        self.change_plugin(changing, false, |document| {
            let version = chosen(document, changing.id, version)?.clone();
            if document.active.as_deref() == Some(&*version.digest) {
                let message = format!("{} is the one that decides", shown(&version));
                return Err(Refused::mistake("already-active", message).into());
            }
            let changed = PluginDocument { active: Some(version.digest.clone()), off: false, ..document.clone() };
            self.check_bindings(changing, &changed)?;
            document.shadow = Some(version.digest.clone());
            Ok(Some(format!("{} looks on", shown(&version))))
        })
    }

    /// No version looks on any more.
    ///
    /// # Errors
    /// [`Refused`] codes are `plugin-not-found`, `no-shadow`.
    pub fn end_shadow(&self, changing: &Changing<'_>) -> Result<InstalledOutput, DeskError> {
        self.change_plugin(changing, false, |document| match document.shadow.take() {
            Some(_) => Ok(Some("ended the shadow".to_string())),
            None => Err(Refused::mistake("no-shadow", "no version looks on").into()),
        })
    }

    /// Approves of what another person proposed, which is done by it. The version and, of a canary, the share are those that
    /// were looked at: where something else was proposed meanwhile, it is refused.
    ///
    /// # Errors
    /// [`Refused`] codes are `plugin-not-found`, `nothing-proposed`, `actor-missing`, `same-person`, `proposal-changed`, and
    /// those of what was proposed.
    pub fn approve_plugin(
        &self,
        changing: &Changing<'_>,
        version: &str,
        share: Option<u16>,
    ) -> Result<InstalledOutput, DeskError> {
        let actor = named_actor(changing)?;
        self.change_plugin(changing, false, |document| {
            let Some(proposal) = document.proposed.take() else {
                return Err(Refused::mistake("nothing-proposed", "nothing waits for a second person").into());
            };
            if proposal.by.trim().eq_ignore_ascii_case(actor.trim()) {
                let message = format!("`{}` proposed it, and somebody else has to approve of it", proposal.by);
                return Err(Refused::mistake("same-person", message).into());
            }
            let (digest, proposed_share) = match &proposal.change {
                Change::Activate(digest) => (digest, None),
                Change::Canary(canary) => (&canary.digest, Some(canary.share)),
            };
            let is_seen = document.named(version).is_some_and(|seen| seen.digest == *digest);
            if !is_seen || share != proposed_share {
                let name = document.of_digest(digest).map_or_else(|| digest.clone(), shown);
                let share = proposed_share.map(|share| format!(" for {}", crate::output::percent(share)));
                let message = format!("what is proposed is {name}{}", share.unwrap_or_default());
                return Err(Refused::mistake("proposal-changed", message).into());
            }
            let what = self.do_change(changing, document, proposal.change)?;
            Ok(Some(format!("approved what {} proposed: {what}", proposal.by)))
        })
    }

    /// Takes back what was proposed.
    ///
    /// # Errors
    /// [`Refused`] codes are `plugin-not-found`, `nothing-proposed`.
    pub fn withdraw_plugin(&self, changing: &Changing<'_>) -> Result<InstalledOutput, DeskError> {
        self.change_plugin(changing, false, |document| match document.proposed.take() {
            Some(proposal) => Ok(Some(format!("withdrew what {} proposed", proposal.by))),
            None => Err(Refused::mistake("nothing-proposed", "nothing waits for a second person").into()),
        })
    }

    /// Makes decide again what decided before the last activation. At once, also where two persons are demanded: it is
    /// for when something is wrong.
    ///
    /// # Errors
    /// [`Refused`] codes are `plugin-not-found`, `nothing-before`, `settings-do-not-fit`, `plugin-unusable`.
    pub fn roll_back_plugin(&self, changing: &Changing<'_>) -> Result<InstalledOutput, DeskError> {
        self.change_plugin(changing, false, |document| {
            let Some(before) = document.before.pop() else {
                return Err(Refused::mistake("nothing-before", "no version decided before this one").into());
            };
            let switched = if document.off { ", and switched on" } else { "" };
            document.active = before;
            (document.canary, document.off) = (None, false);
            self.check_bindings(changing, document)?;
            let name = match document.active_version() {
                Some(version) => shown(version),
                None => "what comes with the program".to_string(),
            };
            Ok(Some(format!("rolled back to {name}{switched}")))
        })
    }

    /// Switches a condition off or on again. While it is off, whoever binds it by its id is told `plugin-off` in place of
    /// an answer, and the binding says what that means: by default its cards are refused. Holds that are open are not
    /// touched. At once, as [`Self::roll_back_plugin`]. One that comes with the program can be switched off, too.
    ///
    /// # Errors
    /// [`Refused`] codes are `plugin-not-found`, `rules-stay-on`.
    pub fn switch_plugin(&self, changing: &Changing<'_>, on: bool) -> Result<InstalledOutput, DeskError> {
        let is_known = self.vault().base().condition(changing.id).is_some();
        self.change_plugin(changing, is_known, |document| {
            if document.active_version().is_some_and(|version| version.rules) {
                let message = "a site without rules could decide nothing; roll back, or activate others";
                return Err(Refused::mistake("rules-stay-on", message).into());
            }
            if document.active.is_none() && !is_known {
                return Err(Refused::mistake("not-active", "no version of it decides").into());
            }
            if document.off != on {
                return Ok(None);
            }
            document.off = !on;
            Ok(Some(if on { "switched on" } else { "switched off" }.to_string()))
        })
    }

    /// Takes a version off the list, or all of them. The bytes stay in the database, for decisions that name them.
    ///
    /// # Errors
    /// [`Refused`] codes are `plugin-not-found`, `version-not-found`, and `plugin-in-use` where it decides, looks on, or is
    /// bound by its version.
    pub fn remove_plugin(&self, changing: &Changing<'_>, version: Option<&str>) -> Result<InstalledOutput, DeskError> {
        self.change_plugin(changing, false, |document| {
            let digests: Vec<String> = match version {
                Some(_) => vec![chosen(document, changing.id, version)?.digest.clone()],
                None => document.versions.iter().map(|version| version.digest.clone()).collect(),
            };
            for digest in &digests {
                let Some(one) = document.versions.iter().find(|one| one.digest == *digest) else { continue };
                if document.is_used(digest) {
                    let message = format!(
                        "{} decides or looks on; activate another version, roll back, or end canary and shadow first",
                        shown(one)
                    );
                    return Err(Refused::mistake("plugin-in-use", message).into());
                }
                if let Some(programme) = self.binds_version(changing, document, digest)? {
                    let message =
                        format!("programme `{programme}` binds {} by name; bind another there first", shown(one));
                    return Err(Refused::mistake("plugin-in-use", message).into());
                }
            }
            let mut names = Vec::new();
            for one in document.versions.iter_mut().filter(|one| !one.removed && digests.contains(&one.digest)) {
                one.removed = true;
                names.push(shown(one));
            }
            document.before.retain(|before| before.as_ref().is_none_or(|before| !digests.contains(before)));
            Ok((!names.is_empty()).then(|| format!("removed {}", names.join(", "))))
        })
    }

    /// The plugins that were installed at a site, by id; without those of which every version was removed.
    ///
    /// # Errors
    /// [`DeskError::Input`] for a site that is not there, [`DeskError::Store`].
    pub fn plugins(&self, site: &str) -> Result<Vec<InstalledOutput>, DeskError> {
        self.site_document(site)?;
        let bindings = self.bindings(site)?;
        let mut outputs = Vec::new();
        for (id, document) in self.plugin_documents(site)? {
            if document.newest().is_some() || document.off {
                outputs.push(self.plugin_output(site, &id, &document, &bindings));
            }
        }
        Ok(outputs)
    }

    /// A plugin that was installed at a site.
    ///
    /// # Errors
    /// As [`Self::plugins`].
    pub fn plugin(&self, site: &str, id: &str) -> Result<Option<InstalledOutput>, DeskError> {
        self.site_document(site)?;
        let (record, _) = self.record(RecordKind::Plugin, site, id)?;
        let document: Option<PluginDocument> = record.map(|record| read_record(&record.body)).transpose()?;
        let bindings = self.bindings(site)?;
        Ok(document.map(|document| self.plugin_output(site, id, &document, &bindings)))
    }

    /// What a component at a site is: an installed version, or one that comes with the program.
    ///
    /// # Errors
    /// [`Refused`] codes are `plugin-not-found`, `version-not-found`, `plugin-unusable`.
    pub fn plugin_component(&self, site: &str, id: &str, version: Option<&str>) -> Result<Component, DeskError> {
        let documents = self.plugin_documents(site)?;
        let base = self.vault().base();
        let of_base = base.condition(id).cloned().map(Component::Condition);
        let of_base =
            of_base.or_else(|| (base.rules().facts().id == id).then(|| Component::Rules(base.rules().clone())));
        let document = match documents.get(id) {
            Some(document) if version.is_some() || document.active.is_some() || of_base.is_none() => document,
            _ => return of_base.ok_or_else(|| not_found(site, id)),
        };
        let version = match (version, document.active_version()) {
            (None, Some(active)) => active,
            _ => chosen(document, id, version)?,
        };
        let component = self.vault().component(id, &version.digest)?;
        component.map_err(|trouble| Refused::mistake("plugin-unusable", trouble).into())
    }

    /// Binds a condition to a programme, in place of the binding of the same plugin if there is one. Where the site demands
    /// two persons, this proposes it.
    ///
    /// # Errors
    /// As [`Desk::set_programme_by`].
    pub fn bind_plugin(
        &self,
        site: &str,
        programme: &str,
        condition: &ConditionInput,
        by: SettingUp<'_>,
    ) -> Result<Set<ProgrammeOutput>, DeskError> {
        self.change_conditions(site, programme, by, |conditions| {
            match conditions.iter_mut().find(|there| *there.plugin == *condition.plugin) {
                Some(there) => *there = condition.clone(),
                None => conditions.push(condition.clone()),
            }
            Ok(())
        })
    }

    /// Takes a condition off a programme. Where the site demands two persons, this proposes it.
    ///
    /// # Errors
    /// As [`Desk::set_programme_by`]; the [`Refused`] code is `not-bound`.
    pub fn unbind_plugin(
        &self,
        site: &str,
        programme: &str,
        plugin: &str,
        by: SettingUp<'_>,
    ) -> Result<Set<ProgrammeOutput>, DeskError> {
        self.change_conditions(site, programme, by, |conditions| {
            let count = conditions.len();
            conditions.retain(|there| *there.plugin != *plugin);
            if conditions.len() == count {
                let message = format!("programme `{}` does not bind `{}`", excerpt(programme), excerpt(plugin));
                return Err(Refused::mistake("not-bound", message).into());
            }
            Ok(())
        })
    }

    /// The documents of a site's plugins.
    fn plugin_documents(&self, site: &str) -> Result<BTreeMap<String, PluginDocument>, DeskError> {
        let records = self.all_records(RecordKind::Plugin, site)?;
        records.into_iter().map(|record| Ok((record.key.id.clone(), read_record(&record.body)?))).collect()
    }

    /// The plugins of a site as they are set up now.
    pub(super) fn site_plugins(&self, site: &SiteDocument) -> Result<SitePlugins, DeskError> {
        Ok(self.plugins_of(site, self.plugin_documents(&site.id)?))
    }

    fn plugins_of(&self, site: &SiteDocument, documents: BTreeMap<String, PluginDocument>) -> SitePlugins {
        let mut policy = site.plugins.clone();
        policy.require_signature |= self.signatures_required();
        SitePlugins::new(std::sync::Arc::clone(self.vault()), &site.id, documents, policy)
    }

    /// Changes a plugin's document. `change` says what was done, or nothing where nothing is.
    fn change_plugin(
        &self,
        changing: &Changing<'_>,
        may_be_new: bool,
        mut change: impl FnMut(&mut PluginDocument) -> Result<Option<String>, DeskError>,
    ) -> Result<InstalledOutput, DeskError> {
        self.site_document(changing.site)?;
        let key = RecordKey { kind: RecordKind::Plugin, site: changing.site.to_string(), id: changing.id.to_string() };
        self.change(|| {
            let (before, configuration): (Option<Record>, u64) = self.record(key.kind, &key.site, &key.id)?;
            let kept: Option<PluginDocument> = before.as_ref().map(|before| read_record(&before.body)).transpose()?;
            let mut document = match kept {
                Some(kept) => kept,
                None if may_be_new => PluginDocument::default(),
                None => return Err(not_found(changing.site, changing.id)),
            };
            let Some(what) = change(&mut document)? else {
                let answer = self.plugin_output(changing.site, changing.id, &document, &self.bindings(changing.site)?);
                return Ok(Planned { changes: None, answer });
            };
            document.note(&format_instant(changing.now), changing.actor, what);
            let (changes, _) = put(&key, before.as_ref(), &document, Some(configuration));
            let bindings = self.bindings(changing.site)?;
            Ok(Planned { changes, answer: self.plugin_output(changing.site, changing.id, &document, &bindings) })
        })
    }

    /// Changes which version decides, or proposes it where the site demands two persons.
    fn propose(
        &self,
        changing: &Changing<'_>,
        choose: impl Fn(&PluginDocument) -> Result<Change, DeskError>,
    ) -> Result<InstalledOutput, DeskError> {
        self.change_plugin(changing, false, |document| {
            let change = choose(document)?;
            if !self.site_document(changing.site)?.0.plugins.require_approval {
                return self.do_change(changing, document, change).map(Some);
            }
            let by = named_actor(changing)?.to_string();
            // What cannot be is told at once.
            let what = self.do_change(changing, &mut document.clone(), change.clone())?;
            document.proposed = Some(Proposal { change, by, at: format_instant(changing.now) });
            Ok(Some(format!("proposed: {what}")))
        })
    }

    /// Changes which version decides, and says what was done.
    fn do_change(
        &self,
        changing: &Changing<'_>,
        document: &mut PluginDocument,
        change: Change,
    ) -> Result<String, DeskError> {
        let digest = match &change {
            Change::Activate(digest) => digest.clone(),
            Change::Canary(canary) => canary.digest.clone(),
        };
        let Some(version) = document.of_digest(&digest).filter(|version| !version.removed).cloned() else {
            return Err(Refused::mistake("version-not-found", "that version was removed meanwhile").into());
        };
        let mut changed = document.clone();
        changed.activate(Some(digest));
        self.check_bindings(changing, &changed)?;
        if version.rules {
            self.check_rules(changing)?;
        }
        match change {
            Change::Activate(_) => {
                let switched = if document.off { ", and switched on" } else { "" };
                *document = PluginDocument { proposed: None, ..changed };
                Ok(format!("activated {}{switched}", shown(&version)))
            }
            Change::Canary(canary) => {
                let share = crate::output::percent(canary.share);
                (document.canary, document.proposed) = (Some(canary), None);
                Ok(format!("{} decides for {share} of the orders", shown(&version)))
            }
        }
    }

    fn plugin_output(
        &self,
        site: &str,
        id: &str,
        document: &PluginDocument,
        bindings: &[(String, Vec<String>)],
    ) -> InstalledOutput {
        let name =
            |digest: &str| document.of_digest(digest).map_or_else(|| digest.to_string(), |one| one.version.clone());
        let version = |version: &Version| InstalledVersionOutput {
            version: version.version.clone(),
            digest: version.digest.clone(),
            world: if version.rules { World::GiftCard } else { World::ConditionPlugin }.to_string(),
            title: version.title.clone(),
            size: version.size,
            active: document.active.as_deref() == Some(&*version.digest),
            granted: version.granted.clone(),
            signed_by: version.signed.as_ref().map(|signed| signed.key.clone()),
        };
        let of_base = || self.vault().base().condition(id).map(|condition| condition.facts().version.clone());
        InstalledOutput {
            site: site.to_string(),
            id: id.to_string(),
            active: document.active.as_deref().map(name).or_else(of_base),
            built_in: document.active.is_none() && of_base().is_some(),
            off: document.off,
            canary: document.canary.as_ref().map(|canary| name(&canary.digest)),
            canary_share: document.canary.as_ref().map(|canary| crate::output::percent(canary.share)),
            shadow: document.shadow.as_deref().map(name),
            proposed: document.proposed.as_ref().map(|proposal| ProposalOutput {
                by: proposal.by.clone(),
                at: proposal.at.clone(),
                version: match &proposal.change {
                    Change::Activate(digest) => name(digest),
                    Change::Canary(canary) => name(&canary.digest),
                },
                share: match &proposal.change {
                    Change::Activate(_) => None,
                    Change::Canary(canary) => Some(crate::output::percent(canary.share)),
                },
            }),
            versions: document.versions.iter().filter(|version| !version.removed).map(version).collect(),
            bound_by: that_bind(bindings, id),
            events: document
                .events
                .iter()
                .map(|event| PluginEventOutput { at: event.at.clone(), by: event.by.clone(), what: event.what.clone() })
                .collect(),
        }
    }
}

/// Version and digest of every version in a plugin's document, removed ones included.
pub(super) fn installed_versions(plugin: &Record) -> Result<Vec<(String, String)>, StoreError> {
    let document: PluginDocument = read_record(&plugin.body)?;
    Ok(document.versions.into_iter().map(|version| (version.version, version.digest)).collect())
}

/// A binding's input with names that mean the very bytes, as the terms that were made of it have them.
pub(super) fn pin(condition: &mut ConditionInput, bound: &giftcard_engine::programme::Binding) {
    let set = |name: &mut crate::input::Name, meant: &str| {
        if let Ok(pinned) = super::configuration::name(meant) {
            *name = pinned;
        }
    };
    set(&mut condition.plugin, &bound.plugin);
    if let (crate::input::OnFailureInput::Previous(previous), OnFailure::Previous { plugin, .. }) =
        (&mut condition.on_failure, &bound.on_failure)
    {
        set(&mut previous.plugin, plugin);
    }
}

/// The version that was asked for, or the newest.
fn chosen<'a>(document: &'a PluginDocument, id: &str, name: Option<&str>) -> Result<&'a Version, DeskError> {
    let found = name.map_or_else(|| document.newest(), |name| document.named(name));
    found.ok_or_else(|| {
        let known: Vec<String> = document.versions.iter().filter(|one| !one.removed).map(shown).collect();
        let known = if known.is_empty() { "none".to_string() } else { known.join(", ") };
        let message = match name {
            Some(name) => format!("no version `{}` of `{id}` is installed; installed: {known}", excerpt(name)),
            None => format!("no version of `{id}` is installed"),
        };
        Refused::mistake("version-not-found", message).into()
    })
}

/// A version as people read it.
fn shown(version: &Version) -> String {
    format!("{} ({})", version.version, version.digest.get(..DIGEST_SHOWN).unwrap_or(&version.digest))
}

fn not_found(site: &str, id: &str) -> DeskError {
    let message = format!(
        "no plugin `{}` is installed at site `{}`; `giftcard plugin install` does it",
        excerpt(id),
        excerpt(site)
    );
    Refused::mistake("plugin-not-found", message).into()
}

fn named_actor<'a>(changing: &Changing<'a>) -> Result<&'a str, DeskError> {
    SettingUp { actor: changing.actor, now: changing.now }.named()
}
