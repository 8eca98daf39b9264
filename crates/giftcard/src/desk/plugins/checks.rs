//! What programmes bind, and whether their bindings are right with what a plugin becomes. Must not know how a plugin's
//! document is changed.

use giftcard_engine::programme::Site;
use giftcard_ledger::Refused;
use giftcard_ledger::model::RecordKind;
use giftcard_ledger::plan::read_record;

use super::document::PluginDocument;
use super::site::{Beside, SitePlugins};
use super::{Changing, shown};
use crate::desk::configuration::{KeptProgramme, name};
use crate::desk::{Desk, DeskError};
use crate::input::{ConditionInput, OnFailureInput, ProgrammeDocument, ProgrammeInput, SiteDocument, Zone, site_facts};
use crate::json::excerpt;

impl Desk {
    /// Whether every programme whose conditions the plugin's id means would be right with the document as it becomes.
    pub(super) fn check_bindings(&self, changing: &Changing<'_>, changed: &PluginDocument) -> Result<(), DeskError> {
        let (site, _) = self.site_document(changing.site)?;
        let mut documents = self.plugin_documents(changing.site)?;
        documents.insert(changing.id.to_string(), changed.clone());
        let plugins = self.plugins_of(&site, documents);
        if let Some(version) = changed.active_version() {
            // Also where nobody binds it yet.
            let loaded = match plugins.check(version) {
                Ok(()) => self.vault().component(changing.id, &version.digest)?.map(drop),
                Err(trouble) => Err(trouble),
            };
            loaded.map_err(|trouble| Refused::mistake("plugin-unusable", format!("{} {trouble}", shown(version))))?;
        }
        let (facts, zone) = site_facts(&site.terms(), site.currency.currency()?)?;
        for code_name in that_bind(&self.bindings(changing.site)?, changing.id) {
            let (record, _) = self.record(RecordKind::Programme, changing.site, &code_name)?;
            let Some(record) = record else { continue };
            let kept: KeptProgramme = read_record(&record.body)?;
            let input = kept.programme.terms(&name(changing.site)?, &name(&code_name)?);
            if let Err(error) = plugins.checked_terms(&plugins, &input, (&facts, &zone)) {
                plugins.is_settled()?;
                let message = format!("programme `{}` would not be right with it: {error}", excerpt(&code_name));
                return Err(Refused::mistake("settings-do-not-fit", message).into());
            }
        }
        Ok(())
    }

    /// The programme that binds this version of a plugin by a name with a version, if one does.
    pub(super) fn binds_version(
        &self,
        changing: &Changing<'_>,
        document: &PluginDocument,
        digest: &str,
    ) -> Result<Option<String>, DeskError> {
        let means = |name: &String| {
            let version = name.split_once('@').filter(|(id, _)| *id == changing.id);
            version.and_then(|(_, version)| document.named(version)).is_some_and(|one| one.digest == digest)
        };
        let bindings = self.bindings(changing.site)?;
        let found = bindings.into_iter().find(|(_, names)| names.iter().any(means));
        Ok(found.map(|(code_name, _)| code_name))
    }

    /// What has to be right about bindings beside what the active versions say: those that play a part beside them take
    /// the same settings, and where two persons are demanded nobody lets a version decide alone by naming it.
    pub(in crate::desk) fn check_beside(
        &self,
        site: &SiteDocument,
        plugins: &SitePlugins,
        (input, kept): (&ProgrammeInput, Option<&ProgrammeDocument>),
        facts: (&Site, &Zone),
    ) -> Result<(), DeskError> {
        for part in [Beside::Canary, Beside::Shadow] {
            if !input.conditions.iter().any(|condition| plugins.has_beside(&condition.plugin, part)) {
                continue;
            }
            if let Err(error) = plugins.checked_terms(&plugins.with(part), input, facts) {
                let what = match part {
                    Beside::Canary => "decides for a share of the orders",
                    Beside::Shadow => "looks on",
                };
                let message = format!("it would not be right with the version that {what}: {error}; end that first");
                return Err(Refused::mistake("settings-do-not-fit", message).into());
            }
        }
        if site.plugins.require_approval {
            let kept: Vec<&str> = kept.iter().flat_map(|kept| kept.conditions.iter()).flat_map(bound).collect();
            let names =
                input.conditions.iter().flat_map(bound).filter(|name| name.contains('@') && !kept.contains(name));
            for name in names {
                if !plugins.has_decided(name) {
                    let message = format!(
                        "`{}` has never been active here, and two persons are demanded for that; activate it, or bind the \
                         plugin by its id",
                        excerpt(name)
                    );
                    return Err(Refused::mistake("not-approved", message).into());
                }
            }
        }
        Ok(())
    }

    /// Whether no other rules of the site are active.
    pub(super) fn check_rules(&self, changing: &Changing<'_>) -> Result<(), DeskError> {
        for (id, document) in self.plugin_documents(changing.site)? {
            if id != changing.id && document.active_version().is_some_and(|version| version.rules) {
                let message =
                    format!("the rules of `{id}` are active, and only one set can decide; roll them back first");
                return Err(Refused::mistake("two-rules", message).into());
            }
        }
        Ok(())
    }

    /// What the programmes of a site bind: code name and names of plugins.
    pub(super) fn bindings(&self, site: &str) -> Result<Vec<(String, Vec<String>)>, DeskError> {
        let records = self.all_records(RecordKind::Programme, site)?;
        let bindings = records.into_iter().map(|record| {
            let kept: KeptProgramme = read_record(&record.body)?;
            let names = kept.programme.conditions.iter().flat_map(bound).map(str::to_string);
            Ok((record.key.id, names.collect()))
        });
        bindings.collect()
    }
}

/// The plugins that a binding names.
pub(in crate::desk) fn bound(condition: &ConditionInput) -> Vec<&str> {
    match &condition.on_failure {
        OnFailureInput::Previous(previous) => vec![&condition.plugin, &previous.plugin],
        _ => vec![&condition.plugin],
    }
}

/// The programmes that bind a plugin by this name, by code name.
pub(super) fn that_bind(bindings: &[(String, Vec<String>)], plugin: &str) -> Vec<String> {
    let binds = |(_, names): &&(String, Vec<String>)| names.iter().any(|name| name == plugin);
    bindings.iter().filter(binds).map(|(code_name, _)| code_name.clone()).collect()
}
