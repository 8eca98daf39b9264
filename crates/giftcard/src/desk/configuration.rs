//! What sites and programmes have decided, ready for the rules: read once for each version of the configuration. Must not
//! know cards or orders.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, PoisonError};

use giftcard_engine::programme::{Programme, Site};
use giftcard_ledger::model::{Account, Record, RecordKind};
use giftcard_ledger::plan::read_record;
use giftcard_ledger::store::{Context, StoreError, Want};
use serde::Serialize;

use super::{Desk, DeskError};
use crate::input::{
    InputErrorKind, ProgrammeDocument, ProgrammeInput, SiteDocument, SiteInput, Zone, programme_facts, site_facts,
};
use crate::json::excerpt;

/// How many documents are read at a time.
const PAGE: usize = 500;

/// How often reading is begun anew because somebody changes the configuration meanwhile.
const READS_MAX: u32 = 20;

/// All sites and programmes at one version.
pub struct Configuration {
    /// Moves with every change of a site or a programme.
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
    pub site: Site,
    /// Its time zone.
    pub zone: Zone,
    /// By site and code name.
    programmes: HashMap<(String, String), Arc<ProgrammeFacts>>,
    /// Those whose rules cannot be run here, such as for want of a plugin, and why.
    unusable: HashMap<(String, String), String>,
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
    pub terms: Programme,
    /// Whether codes of it exist, so that its value is frozen.
    pub frozen: bool,
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
        let read = Arc::new(self.read_configuration()?);
        *self.configuration.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&read));
        self.contexts.lock().unwrap_or_else(PoisonError::into_inner).clear();
        Ok(read)
    }

    fn read_configuration(&self) -> Result<Configuration, DeskError> {
        for _ in 0..READS_MAX {
            let before = self.store().find(&Want::default())?.configuration;
            let sites = self.all_records(RecordKind::Site, "")?;
            let mut programmes = Vec::new();
            for site in &sites {
                programmes.extend(self.all_records(RecordKind::Programme, &site.key.id)?);
            }
            if self.store().find(&Want::default())?.configuration == before {
                return self.prepare(before, sites, &programmes);
            }
        }
        Err(DeskError::Busy)
    }

    pub(crate) fn all_records(&self, kind: RecordKind, site: &str) -> Result<Vec<Record>, StoreError> {
        let mut all: Vec<Record> = Vec::new();
        loop {
            let after = all.last().map(|record| record.key.id.clone()).unwrap_or_default();
            let page = self.store().records(kind, site, &after, PAGE)?;
            let last = page.len() < PAGE;
            all.extend(page);
            if last {
                return Ok(all);
            }
        }
    }

    fn prepare(&self, version: u64, sites: Vec<Record>, programmes: &[Record]) -> Result<Configuration, DeskError> {
        let programmes: Vec<(&Record, KeptProgramme)> = programmes
            .iter()
            .map(|record| Ok((record, read_record(&record.body)?)))
            .collect::<Result<_, StoreError>>()?;
        let mut prepared = BTreeMap::new();
        for record in sites {
            let document: SiteDocument = read_record(&record.body)?;
            let currency = document.currency.currency()?;
            let (site, zone) = site_facts(&document.terms(), currency)?;
            let mut facts =
                SiteFacts { document, record, site, zone, programmes: HashMap::new(), unusable: HashMap::new() };
            for (record, kept) in &programmes {
                let own = record.key.site == facts.site.id;
                let accepted = kept.programme.accepted_by.iter().any(|site| **site == facts.site.id);
                if own || accepted {
                    let key = (record.key.site.clone(), record.key.id.clone());
                    // One whose plugin is not loaded must not keep the cards of all others from being used.
                    match self.programme_at(record, kept, &facts) {
                        Ok(programme) => drop(facts.programmes.insert(key, Arc::new(programme))),
                        Err(error) => drop(facts.unusable.insert(key, error.to_string())),
                    }
                }
            }
            prepared.insert(facts.site.id.clone(), Arc::new(facts));
        }
        Ok(Configuration { version, sites: prepared })
    }

    fn programme_at(
        &self,
        record: &Record,
        kept: &KeptProgramme,
        site: &SiteFacts,
    ) -> Result<ProgrammeFacts, DeskError> {
        let owner = name(&record.key.site)?;
        let input = kept.programme.terms(&owner, &name(&record.key.id)?);
        let terms = programme_facts(&input, &site.site, &site.zone, self.till().rulebook())?;
        Ok(ProgrammeFacts {
            document: kept.programme.clone(),
            record: record.clone(),
            input,
            terms,
            frozen: kept.frozen,
        })
    }

    /// The text that decisions at a site on these programmes refer to.
    pub(super) fn context(
        &self,
        configuration: &Configuration,
        site: &SiteFacts,
        programmes: &[&Arc<ProgrammeFacts>],
    ) -> Result<Arc<Context>, DeskError> {
        let mut key = format!("{}\n{}", configuration.version, site.site.id);
        for programme in programmes {
            key.push('\n');
            key.push_str(&programme.record.key.site);
            key.push('\t');
            key.push_str(&programme.record.key.id);
        }
        let mut contexts = self.contexts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(context) = contexts.get(&key) {
            return Ok(Arc::clone(context));
        }
        let said = ContextText {
            site: site.document.terms(),
            programmes: programmes.iter().map(|programme| programme.input.clone()).collect(),
        };
        let body = serde_json::to_string(&said).expect("INVARIANT: documents have string keys only");
        let context = Arc::new(Context { digest: giftcard_ledger::chain::digest(&body), body });
        contexts.insert(key, Arc::clone(&context));
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
#[derive(Serialize)]
struct ContextText {
    site: SiteInput,
    programmes: Vec<ProgrammeInput>,
}

/// A text as a name of a document.
pub(crate) fn name(text: &str) -> Result<crate::input::Name, DeskError> {
    serde_json::from_value(serde_json::Value::String(text.to_string())).map_err(|error| {
        DeskError::input(InputErrorKind::InvalidValue, "", format!("`{}` is no name: {error}", excerpt(text)))
    })
}
