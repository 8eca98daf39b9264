//! What sites and programmes have decided, ready for the rules: read once for each version of the configuration. Must not
//! know cards or orders.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, PoisonError};

use giftcard_engine::programme::{Binding, Programme, Site};
use giftcard_host::{Component, Facts, Rules};
use giftcard_ledger::model::{Account, Record, RecordKind};
use giftcard_ledger::plan::read_record;
use giftcard_ledger::store::{Context, StoreError, Want, all_records};
use serde::Serialize;

use super::plugins::{Beside, Share, SitePlugins, bound, parts, pin};
use super::shadow::Shadow;
use super::{Desk, DeskError};
use crate::Till;
use crate::input::{
    InputError, InputErrorKind, ProgrammeDocument, ProgrammeInput, SiteDocument, SiteInput, Zone, programme_facts,
    site_facts,
};
use crate::json::excerpt;

/// How often reading is begun anew because somebody changes the configuration meanwhile.
const READS_MAX: u32 = 20;

/// All sites, programmes and plugins at one version.
pub struct Configuration {
    /// Moves with every change of a site, a programme or a plugin.
    pub version: u64,
    sites: BTreeMap<String, Arc<SiteFacts>>,
}

/// A site, and the programmes whose cards it takes.
pub struct SiteFacts {
    /// As it was set up.
    pub document: SiteDocument,
    /// As it is kept.
    pub record: Record,
    /// What the rules read.
    pub site: Arc<Site>,
    /// Its time zone.
    pub zone: Zone,
    /// What decides: its rules, and every condition that is bound. The error says why its rules cannot be used.
    deciding: Result<Deciding, String>,
    /// Versions that look on, of this site and of those whose programmes it takes.
    pub(super) shadows: Arc<Vec<Shadow>>,
    /// By site and code name.
    programmes: HashMap<(String, String), Arc<ProgrammeFacts>>,
    /// Those whose rules cannot be run here, such as for want of a plugin, and why.
    unusable: HashMap<(String, String), String>,
}

/// What decides at a site.
struct Deciding {
    till: Arc<Till>,
    /// Rules that decide for a share of the orders.
    shared: Option<(Share, Arc<Till>)>,
}

/// A programme as one site sees it.
pub struct ProgrammeFacts {
    /// As it was set up.
    pub document: ProgrammeDocument,
    /// As it is kept.
    pub record: Record,
    /// What the rules read, in words.
    pub input: ProgrammeInput,
    /// What the rules read.
    pub terms: Arc<Programme>,
    /// Whether codes of it exist, so that its value is frozen.
    pub frozen: bool,
    /// Bindings, by their places, that another version decides by for a share of the orders.
    canaries: Vec<(usize, Share, Binding)>,
    /// Bindings, by their places, that a version looks on by, each with the plugin's id.
    shadows: Vec<(usize, String, Binding)>,
}

impl ProgrammeFacts {
    /// The terms for an order: with the versions that decide for its share, if it is in one.
    pub(super) fn terms_for(&self, order: &str) -> Arc<Programme> {
        let mut terms = Arc::clone(&self.terms);
        for (place, _, binding) in self.canaries.iter().filter(|(_, share, _)| share.takes(order)) {
            if let Some(there) = Arc::make_mut(&mut terms).conditions.get_mut(*place) {
                there.clone_from(binding);
            }
        }
        terms
    }
}

/// A programme as it is kept.
#[derive(serde::Deserialize, Serialize)]
pub(super) struct KeptProgramme {
    /// Codes of it exist.
    #[serde(default)]
    pub(super) frozen: bool,
    pub(super) programme: ProgrammeDocument,
}

impl Configuration {
    /// A site.
    #[must_use]
    pub fn site(&self, id: &str) -> Option<&Arc<SiteFacts>> {
        self.sites.get(id)
    }

    /// Every site, by id.
    pub fn sites(&self) -> impl Iterator<Item = &Arc<SiteFacts>> {
        self.sites.values()
    }
}

impl SiteFacts {
    /// A programme by the site it belongs to and its code name. Only the site's own, and those it accepts.
    #[must_use]
    pub fn programme(&self, site: &str, code_name: &str) -> Option<&Arc<ProgrammeFacts>> {
        self.programmes.get(&(site.to_string(), code_name.to_string()))
    }

    /// Why the rules of a programme cannot be run here; `None` where they can.
    #[must_use]
    pub fn unusable(&self, site: &str, code_name: &str) -> Option<&str> {
        self.unusable.get(&(site.to_string(), code_name.to_string())).map(String::as_str)
    }

    /// What decides about an order.
    pub(super) fn till(&self, order: &str) -> Result<&Arc<Till>, DeskError> {
        match &self.deciding {
            Ok(Deciding { shared: Some((share, till)), .. }) if share.takes(order) => Ok(till),
            Ok(Deciding { till, .. }) => Ok(till),
            Err(trouble) => {
                let message = format!("the rules of site `{}` cannot be run: {trouble}", self.site.id);
                Err(DeskError::Rules { code: "rules-unusable".to_string(), message })
            }
        }
    }

    /// Whether it takes a card or store credit at all: its own, and cards of programmes that it accepts.
    #[must_use]
    pub fn takes(&self, account: &Account) -> bool {
        account.site == self.site.id
            || self.programme(&account.site, &account.programme).is_some()
            || self.unusable(&account.site, &account.programme).is_some()
    }

    /// The sites whose cards it takes: itself first.
    #[must_use]
    pub fn sites_of_cards(&self) -> Vec<String> {
        let known = self.programmes.keys().chain(self.unusable.keys());
        let others = known.map(|(site, _)| site).filter(|site| **site != self.site.id);
        let others: std::collections::BTreeSet<&String> = others.collect();
        std::iter::once(&self.site.id).chain(others).cloned().collect()
    }

    /// The site's own programmes, by code name.
    #[must_use]
    pub fn own_programmes(&self) -> Vec<&Arc<ProgrammeFacts>> {
        let own = self.programmes.iter().filter(|((site, _), _)| *site == self.site.id);
        let mut own: Vec<_> = own.map(|(_, programme)| programme).collect();
        own.sort_by(|left, right| left.terms.code_name.cmp(&right.terms.code_name));
        own
    }
}

impl Desk {
    /// The configuration as it is now.
    ///
    /// # Errors
    /// [`DeskError`] where it cannot be read.
    pub fn configuration(&self) -> Result<Arc<Configuration>, DeskError> {
        let version = self.store().find(&Want::default())?.configuration;
        self.configuration_at(version)
    }

    /// The configuration as this process last read it, which may be old; whoever commits checks its version.
    pub(super) fn known_configuration(&self) -> Result<Arc<Configuration>, DeskError> {
        let kept = self.configuration.read().unwrap_or_else(PoisonError::into_inner).clone();
        kept.map_or_else(|| self.configuration(), Ok)
    }

    /// The configuration, at `version` or later.
    pub(super) fn configuration_at(&self, version: u64) -> Result<Arc<Configuration>, DeskError> {
        let kept = self.configuration.read().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(kept) = kept.filter(|kept| kept.version >= version) {
            return Ok(kept);
        }
        // One reads, and the others wait for it.
        let _reading = self.reading.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = self.configuration.read().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(kept) = kept.filter(|kept| kept.version >= version) {
            return Ok(kept);
        }
        let read = Arc::new(self.read_configuration()?);
        *self.configuration.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&read));
        self.contexts.lock().unwrap_or_else(PoisonError::into_inner).clear();
        Ok(read)
    }

    fn read_configuration(&self) -> Result<Configuration, DeskError> {
        for _ in 0..READS_MAX {
            let before = self.store().find(&Want::default())?.configuration;
            let sites = self.all_records(RecordKind::Site, "")?;
            let (mut programmes, mut plugins) = (Vec::new(), HashMap::new());
            for site in &sites {
                programmes.extend(self.all_records(RecordKind::Programme, &site.key.id)?);
                plugins.insert(site.key.id.clone(), self.site_plugins(&read_record(&site.body)?)?);
            }
            if self.store().find(&Want::default())?.configuration == before {
                return self.prepare(before, sites, &programmes, &plugins);
            }
        }
        Err(DeskError::Busy)
    }

    pub(crate) fn all_records(&self, kind: RecordKind, site: &str) -> Result<Vec<Record>, StoreError> {
        all_records(self.store(), kind, site)
    }

    fn prepare(
        &self,
        version: u64,
        sites: Vec<Record>,
        programmes: &[Record],
        plugins: &HashMap<String, SitePlugins>,
    ) -> Result<Configuration, DeskError> {
        let programmes: Vec<(&Record, KeptProgramme)> = programmes
            .iter()
            .map(|record| Ok((record, read_record(&record.body)?)))
            .collect::<Result<_, StoreError>>()?;
        let mut prepared = Vec::new();
        for record in sites {
            let document: SiteDocument = read_record(&record.body)?;
            let currency = document.currency.currency()?;
            let (site, zone) = site_facts(&document.terms(), currency)?;
            let mut facts = SiteFacts {
                document,
                record,
                site: Arc::new(site),
                zone,
                deciding: Err(String::new()),
                shadows: Arc::default(),
                programmes: HashMap::new(),
                unusable: HashMap::new(),
            };
            for (record, kept) in &programmes {
                let own = record.key.site == facts.site.id;
                let accepted = kept.programme.accepted_by.iter().any(|site| **site == facts.site.id);
                if own || accepted {
                    let key = (record.key.site.clone(), record.key.id.clone());
                    // One whose plugin is not loaded must not keep the cards of all others from being used.
                    let Some(of_owner) = plugins.get(&record.key.site) else { continue };
                    match programme_at(record, kept, &facts, of_owner) {
                        Ok(programme) => drop(facts.programmes.insert(key, Arc::new(programme))),
                        Err(error) => drop(facts.unusable.insert(key, error.to_string())),
                    }
                }
            }
            prepared.push(facts);
        }
        // What was asked for by then is all that any decision can need.
        let mut book = self.vault().base().clone();
        plugins.values().for_each(|plugins| plugins.add_to(&mut book));
        let base = Arc::new(Till::new(book));
        let looking_on: HashMap<&String, _> = plugins.iter().map(|(site, plugins)| (site, plugins.shadows())).collect();
        for facts in &mut prepared {
            if let Some(plugins) = plugins.get(&facts.site.id) {
                facts.deciding = deciding(&base, plugins);
            }
            facts.shadows = Arc::new(shadows(facts, &looking_on));
        }
        // What may pass is no reason to go without a plugin until the next change.
        plugins.values().try_for_each(SitePlugins::is_settled)?;
        let sites = prepared.into_iter().map(|facts| (facts.site.id.clone(), Arc::new(facts))).collect();
        Ok(Configuration { version, sites })
    }

    /// The text that decisions at a site on these programmes refer to: their terms name the very bytes that decide.
    pub(super) fn context(
        &self,
        configuration: &Configuration,
        site: &SiteFacts,
        (programmes, terms): (&[&Arc<ProgrammeFacts>], &[Arc<Programme>]),
        rules: &Facts,
    ) -> Result<Arc<Context>, DeskError> {
        let mut key = format!("{}\n{}\n{}", configuration.version, site.site.id, rules.digest);
        for (programme, terms) in programmes.iter().zip(terms) {
            key.push('\n');
            key.push_str(&programme.record.key.site);
            key.push('\t');
            key.push_str(&programme.record.key.id);
            for (binding, usual) in terms.conditions.iter().zip(&programme.terms.conditions) {
                if binding.plugin != usual.plugin {
                    key.push('\t');
                    key.push_str(&binding.plugin);
                }
            }
        }
        let contexts = || self.contexts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(context) = contexts().get(&key) {
            return Ok(Arc::clone(context));
        }
        let pinned = |(programme, terms): (&&Arc<ProgrammeFacts>, &Arc<Programme>)| {
            let mut input = programme.input.clone();
            input.conditions.iter_mut().zip(&terms.conditions).for_each(|(input, bound)| pin(input, bound));
            input
        };
        let said = ContextText {
            site: site.document.terms(),
            programmes: programmes.iter().zip(terms).map(pinned).collect(),
            rules: Some(giftcard_host::pinned(rules)),
        };
        let body = serde_json::to_string(&said).expect("INVARIANT: documents have string keys only");
        let context = Arc::new(Context { digest: giftcard_ledger::chain::digest(&body), body });
        // The first decision of its kind: whatever comes with the program later, it can be decided again.
        if self.store().context(context.digest)?.is_none() {
            self.vault().keep_bytes(&rules.digest)?;
            let bindings = said.programmes.iter().flat_map(|programme| programme.conditions.iter());
            for (_, digest, _) in bindings.flat_map(bound).filter_map(parts) {
                self.vault().keep_bytes(digest)?;
            }
        }
        contexts().insert(key, Arc::clone(&context));
        Ok(context)
    }

    /// The site of that name.
    pub(super) fn site_of<'a>(
        &self,
        configuration: &'a Configuration,
        id: &str,
    ) -> Result<&'a Arc<SiteFacts>, DeskError> {
        configuration.site(id).ok_or_else(|| {
            let problem = format!("there is no site `{}`; set it up with `giftcard site set`", excerpt(id));
            DeskError::input(InputErrorKind::InvalidValue, "site", problem)
        })
    }
}

/// What a site and the programmes of a decision had decided.
#[derive(serde::Deserialize, Serialize)]
pub(super) struct ContextText {
    pub(super) site: SiteInput,
    pub(super) programmes: Vec<ProgrammeInput>,
    /// The rules, by a name that means the very bytes. Missing in decisions of before there were such names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) rules: Option<String>,
}

fn programme_at(
    record: &Record,
    kept: &KeptProgramme,
    site: &SiteFacts,
    plugins: &SitePlugins,
) -> Result<ProgrammeFacts, DeskError> {
    let owner = name(&record.key.site)?;
    let input = kept.programme.terms(&owner, &name(&record.key.id)?);
    let terms = programme_facts(&input, &site.site, &site.zone, plugins)?;
    // Read by what that version declares, whose settings may be of other kinds.
    let beside = |part: Beside| {
        let names = input.conditions.iter().map(|condition| condition.plugin.to_string()).enumerate();
        let names: Vec<(usize, String)> = names.filter(|(_, name)| plugins.has_beside(name, part)).collect();
        if names.is_empty() {
            return Ok(Vec::new());
        }
        let terms = programme_facts(&input, &site.site, &site.zone, &plugins.with(part))?;
        let bindings = names.into_iter().map(|(place, name)| (place, name, terms.conditions[place].clone()));
        Ok::<_, InputError>(bindings.collect::<Vec<_>>())
    };
    let canaries = beside(Beside::Canary)?;
    let canaries = canaries.into_iter().filter_map(|(place, id, binding)| Some((place, plugins.share(&id)?, binding)));
    let canaries = canaries.collect();
    // Whatever is wrong with one that only looks on must not keep cards from being used.
    let shadows = beside(Beside::Shadow).unwrap_or_default();
    let document = kept.programme.clone();
    Ok(ProgrammeFacts {
        document,
        record: record.clone(),
        input,
        terms: Arc::new(terms),
        frozen: kept.frozen,
        canaries,
        shadows,
    })
}

/// The versions that look on at a site: its own, and those of the sites whose programmes it takes.
fn shadows(facts: &SiteFacts, looking_on: &HashMap<&String, Vec<Component>>) -> Vec<Shadow> {
    let Ok(Deciding { till, .. }) = &facts.deciding else { return Vec::new() };
    let mut shadows = Vec::new();
    for site in facts.sites_of_cards() {
        for component in looking_on.get(&site).into_iter().flatten() {
            let id = &component.facts().id;
            let of_programme = |((owner, code_name), programme): (&(String, String), &Arc<ProgrammeFacts>)| {
                let ours = programme.shadows.iter().filter(|(_, plugin, _)| *owner == site && plugin == id);
                let bindings: Vec<(usize, Binding)> =
                    ours.map(|(place, _, binding)| (*place, binding.clone())).collect();
                (!bindings.is_empty()).then(|| ((owner.clone(), code_name.clone()), bindings))
            };
            match component {
                Component::Condition(_) => {
                    let bindings = facts.programmes.iter().filter_map(of_programme).collect();
                    shadows.push(Shadow::new(&site, component, Some(bindings), till.rulebook()));
                }
                Component::Rules(_) if site == facts.site.id => {
                    shadows.push(Shadow::new(&site, component, None, till.rulebook()));
                }
                Component::Rules(_) => {}
            }
        }
    }
    shadows
}

/// What decides at a site: its own rules, or those that come with the program.
fn deciding(base: &Arc<Till>, plugins: &SitePlugins) -> Result<Deciding, String> {
    let with = |rules: Rules| {
        let mut book = base.rulebook().clone();
        book.set_rules(rules);
        Arc::new(Till::new(book))
    };
    let till = plugins.rules()?.map_or_else(|| Arc::clone(base), with);
    Ok(Deciding { till, shared: plugins.shared_rules()?.map(|(share, rules)| (share, with(rules))) })
}

/// A text as a name of a document.
pub(crate) fn name(text: &str) -> Result<crate::input::Name, DeskError> {
    serde_json::from_value(serde_json::Value::String(text.to_string())).map_err(|error| {
        DeskError::input(InputErrorKind::InvalidValue, "", format!("`{}` is no name: {error}", excerpt(text)))
    })
}
