//! Setting up sites and programmes: validated whole before anything is kept, and kept only if nobody changed what was
//! read. Must not know cards.

mod names;
mod programmes;
mod proposals;

use giftcard_ledger::model::{Record, RecordKey, RecordKind};
use giftcard_ledger::plan::read_record;
use giftcard_ledger::store::{Changes, RecordChange, StoreError, Verdict, Want};

use super::configuration::KeptProgramme;
use super::{Desk, DeskError};
use crate::input::{
    Count, InputErrorKind, SiteDocument, SiteInput, Zone, bounds, programme_facts, setup_limits, site_facts,
};
use crate::json::excerpt;
use crate::output::SiteOutput;

use self::proposals::{Change, Guard, are_demanded_of_site};

pub(super) use names::check_name;
pub(super) use programmes::{no_programme, read_pattern, weak_pattern};
pub use proposals::{Set, SettingUp};

/// How often a change is begun anew because somebody else changes the same.
const CHANGES_MAX: u32 = 20;

/// Most days that an ended card works again after a refund: ten years.
const REFUND_EXTENSION_DAYS_MAX: u32 = 3_650;

/// A change in the making, and what is answered once it is written. Without a change nothing has to be written.
pub(super) struct Planned<T> {
    pub(super) changes: Option<Changes>,
    pub(super) answer: T,
}

impl<T> Planned<T> {
    fn map<U>(self, answer: impl FnOnce(T) -> U) -> Planned<U> {
        Planned { changes: self.changes, answer: answer(self.answer) }
    }
}

impl Desk {
    /// Plans a change and writes it, and plans it anew as long as somebody else was faster.
    pub(super) fn change<T>(&self, mut plan: impl FnMut() -> Result<Planned<T>, DeskError>) -> Result<T, DeskError> {
        for _ in 0..CHANGES_MAX {
            let planned = plan()?;
            let Some(changes) = planned.changes else { return Ok(planned.answer) };
            if self.ledger().write(changes)? == Verdict::Committed {
                return Ok(planned.answer);
            }
        }
        Err(DeskError::Busy)
    }

    /// A document with the version of the configuration that it was read at.
    pub(super) fn record(&self, kind: RecordKind, site: &str, id: &str) -> Result<(Option<Record>, u64), StoreError> {
        let key = RecordKey { kind, site: site.to_string(), id: id.to_string() };
        let mut found = self.store().find(&Want { records: vec![key.clone()], ..Want::default() })?;
        Ok((found.records.remove(&key), found.configuration))
    }

    /// A site as it was set up.
    pub(super) fn site_document(&self, id: &str) -> Result<(SiteDocument, u64), DeskError> {
        let (record, configuration) = self.record(RecordKind::Site, "", id)?;
        match record {
            Some(record) => Ok((read_record(&record.body)?, configuration)),
            None => Err(no_site(id)),
        }
    }

    /// Makes a site, or changes it.
    ///
    /// # Errors
    /// [`DeskError::Input`] with the path in the document, [`DeskError::Busy`]; the [`Refused`](giftcard_ledger::Refused) code is
    /// `approval-needed`, see [`Desk::set_site_by`].
    pub fn set_site(&self, document: &SiteDocument) -> Result<SiteOutput, DeskError> {
        self.set_site_guarded(document, Guard::Refuse)?.done()
    }

    fn set_site_guarded(&self, document: &SiteDocument, guard: Guard<'_>) -> Result<Set<SiteOutput>, DeskError> {
        check_site(document)?;
        let key = RecordKey { kind: RecordKind::Site, site: String::new(), id: document.id.to_string() };
        self.change(|| {
            let (before, configuration) = self.record(key.kind, "", &key.id)?;
            let mut demanded = (0, false);
            if let Some(before) = &before {
                let kept: SiteDocument = read_record(&before.body)?;
                if kept.currency != document.currency {
                    let problem = format!(
                        "`{}` cannot take the place of `{}`: minimum order amounts and cards are in it; set up another \
                         site",
                        excerpt(&document.currency.0),
                        kept.currency.0
                    );
                    return Err(DeskError::input(InputErrorKind::Inconsistent, "currency", problem));
                }
                self.check_programmes_of(document)?;
                demanded = (before.version, are_demanded_of_site(&kept, document));
            }
            let change = || Change::Site(Box::new(document.clone()));
            guard.plan(self, &document.id, demanded, change, || {
                let (changes, version) = put(&key, before.as_ref(), document, Some(configuration));
                Ok(Planned { changes, answer: SiteOutput { version, site: document.clone() } })
            })
        })
    }

    /// A site as it was set up; `None` if there is none of that name.
    ///
    /// # Errors
    /// [`DeskError::Store`].
    pub fn site(&self, id: &str) -> Result<Option<SiteOutput>, DeskError> {
        let (record, _) = self.record(RecordKind::Site, "", id)?;
        record.map(|record| Ok(SiteOutput { version: record.version, site: read_record(&record.body)? })).transpose()
    }

    /// Every site, by name.
    ///
    /// # Errors
    /// [`DeskError::Store`].
    pub fn sites(&self) -> Result<Vec<SiteOutput>, DeskError> {
        let records = self.all_records(RecordKind::Site, "")?;
        let output = |record: &Record| Ok(SiteOutput { version: record.version, site: read_record(&record.body)? });
        records.iter().map(output).collect()
    }

    /// Whether the programmes whose cards the site takes are still right with what it becomes.
    fn check_programmes_of(&self, site: &SiteDocument) -> Result<(), DeskError> {
        let (facts, zone) = site_facts(&site.terms(), site.currency.currency()?)?;
        for owner in self.all_records(RecordKind::Site, "")? {
            let home = if owner.key.id == *site.id { site.clone() } else { read_record(&owner.body)? };
            let plugins = self.site_plugins(&home)?;
            if owner.key.id == *site.id {
                let usable = plugins.rules().and_then(|_| plugins.shared_rules()).map(drop);
                plugins.is_settled()?;
                usable.map_err(|trouble| {
                    let problem = format!("the site's rules could not decide any more: {trouble}");
                    DeskError::input(InputErrorKind::Inconsistent, "plugins", problem)
                })?;
            }
            for record in self.all_records(RecordKind::Programme, &owner.key.id)? {
                let kept: KeptProgramme = read_record(&record.body)?;
                let accepted = kept.programme.accepted_by.iter().any(|accepting| **accepting == *site.id);
                if owner.key.id != *site.id && !accepted {
                    continue;
                }
                let (owner, name) =
                    (super::configuration::name(&owner.key.id)?, super::configuration::name(&record.key.id)?);
                let terms = kept.programme.terms(&owner, &name);
                programme_facts(&terms, &facts, &zone, &plugins).map_err(|error| {
                    let problem = format!("programme `{}` would not be right any more: {error}", excerpt(&name));
                    DeskError::input(InputErrorKind::Inconsistent, "", problem)
                })?;
            }
        }
        Ok(())
    }
}

/// Everything of a site that can be wrong by itself.
///
/// # Errors
/// [`DeskError::Input`].
pub fn check_site(document: &SiteDocument) -> Result<(), DeskError> {
    check_name(&document.id, "id")?;
    let currency = document.currency.currency().map_err(|error| error.under("currency"))?;
    let terms: SiteInput = document.terms();
    site_facts(&terms, currency)?;
    let within = |count: Option<Count>, least: u32, most: u32, field: &str| match count {
        Some(Count(count)) if !(least..=most).contains(&count) => {
            let problem = format!("is {count}; it must be {least} to {most}");
            Err(DeskError::input(InputErrorKind::InvalidValue, field, problem))
        }
        _ => Ok(()),
    };
    within(document.cards_max, 1, u32::try_from(bounds::CARDS_MAX_INPUT).unwrap_or(u32::MAX), "cards_max")?;
    within(document.hold_minutes, 1, setup_limits::HOLD_MINUTES_MAX, "hold_minutes")?;
    within(document.refund_extension_days, 0, REFUND_EXTENSION_DAYS_MAX, "refund_extension_days")?;
    for (place, key) in document.plugins.trusted_keys.iter().enumerate() {
        if key.len() != 64 || !key.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            let problem = "is no public key; one is 64 hexadecimal digits, as `giftcard plugin key` prints it";
            let path = format!("plugins.trusted_keys[{place}]");
            return Err(DeskError::input(InputErrorKind::InvalidValue, &path, problem));
        }
    }
    if document.plugins.require_signature && document.plugins.trusted_keys.is_empty() {
        let problem = "cannot be demanded without `trusted_keys`: nothing could be installed";
        return Err(DeskError::input(InputErrorKind::Inconsistent, "plugins.require_signature", problem));
    }
    if let Some(most) = &document.card_value_max
        && most.amount(currency).map_err(|error| error.under("card_value_max"))?.is_zero()
    {
        let problem = "is nothing, so no card could be issued; leave it out for no limit";
        return Err(DeskError::input(InputErrorKind::InvalidAmount, "card_value_max", problem));
    }
    Ok(())
}

/// That there is no site of that name.
pub(super) fn no_site(id: &str) -> DeskError {
    let problem = format!("there is no site `{}`; set it up with `giftcard site set`", excerpt(id));
    DeskError::input(InputErrorKind::InvalidValue, "site", problem)
}

/// The time zone of a site that was set up.
pub(super) fn zone_of(site: &SiteDocument) -> Zone {
    site.time_zone.as_deref().and_then(Zone::named).unwrap_or(Zone::UTC)
}

/// The change that writes a document over what was read, and its version then. No change where it says the same.
pub(super) fn put<T: serde::Serialize>(
    key: &RecordKey,
    before: Option<&Record>,
    document: &T,
    configuration: Option<u64>,
) -> (Option<Changes>, u64) {
    let body = serde_json::to_string(document).expect("INVARIANT: documents have string keys only");
    match before {
        Some(before) if before.body == body => (None, before.version),
        _ => {
            let version = before.map(|before| before.version);
            let change = RecordChange { key: key.clone(), before: version, body: Some(body) };
            let changes = Changes { records: vec![change], configuration, ..Changes::default() };
            (Some(changes), version.unwrap_or(0) + 1)
        }
    }
}

#[cfg(test)]
mod tests;
