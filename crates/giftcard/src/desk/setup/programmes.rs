//! Programmes: what must be right about one before it is kept, and what can no longer change once cards of it exist.
//! Must not know cards.

use std::collections::BTreeSet;

use giftcard_engine::programme::{MANUAL, Programme, Site};
use giftcard_engine::{Currency, Minor};
use giftcard_ledger::Refused;
use giftcard_ledger::model::{Record, RecordKey, RecordKind};
use giftcard_ledger::plan::read_record;

use super::super::configuration::{KeptProgramme, name};
use super::super::{Desk, DeskError};
use super::names::{check_name, code_name};
use super::proposals::{Change, Guard, are_demanded_of_programme};
use super::{Planned, Set, SettingUp, put, zone_of};
use crate::codes::Pattern;
use crate::input::{
    CodeInput, ConditionInput, InputError, InputErrorKind, List, ProgrammeDocument, ValueInput, programme_facts,
    site_facts,
};
use crate::json::excerpt;
use crate::output::ProgrammeOutput;

impl Desk {
    /// Makes a programme, or changes the one of the document's code name. Without a code name it is a new one, whose
    /// code name is made from its name.
    ///
    /// # Errors
    /// [`DeskError::Input`] with the path in the document; [`Refused`] codes are `value-frozen`, `not-acceptable-there` and
    /// `approval-needed`, see [`Desk::set_programme_by`]; [`DeskError::Rules`] where a plugin could not check its settings;
    /// [`DeskError::Busy`].
    pub fn set_programme(&self, site: &str, document: &ProgrammeDocument) -> Result<ProgrammeOutput, DeskError> {
        self.set_programme_guarded(site, document, Guard::Refuse)?.done()
    }

    pub(super) fn set_programme_guarded(
        &self,
        site: &str,
        document: &ProgrammeDocument,
        guard: Guard<'_>,
    ) -> Result<Set<ProgrammeOutput>, DeskError> {
        if let Some(code_name) = &document.code_name {
            check_name(code_name, "code_name")?;
            if code_name.eq_ignore_ascii_case(MANUAL) {
                let problem = format!("`{MANUAL}` is the programme of cards that have none; choose another code name");
                return Err(DeskError::input(InputErrorKind::InvalidValue, "code_name", problem));
            }
        }
        if document.name.trim().is_empty() {
            let problem = "is empty; write what people call the programme";
            return Err(DeskError::input(InputErrorKind::InvalidValue, "name", problem));
        }
        self.change(|| {
            let id = match &document.code_name {
                Some(code_name) => code_name.to_string(),
                None => self.free_code_name(site, &document.name)?,
            };
            let (before, configuration) = self.record(RecordKind::Programme, site, &id)?;
            let document = ProgrammeDocument { code_name: Some(name(&id)?), ..document.clone() };
            let kept: Option<KeptProgramme> = before.as_ref().map(|before| read_record(&before.body)).transpose()?;
            let currency = self.check_document(site, &id, &document, kept.as_ref().map(|kept| &kept.programme))?;
            let frozen = kept.as_ref().is_some_and(|kept| kept.frozen);
            let mut demanded = (0, false);
            if let (Some(kept), Some(before)) = (&kept, &before) {
                if frozen {
                    check_frozen(&kept.programme, &document, currency)?;
                }
                let (home, _) = self.site_document(site)?;
                demanded = (before.version, are_demanded_of_programme(&home, &kept.programme, &document));
            }
            let change = || Change::Programme(Box::new(document.clone()));
            guard.plan(self, site, demanded, change, || {
                let kept = KeptProgramme { frozen, programme: document.clone() };
                self.keep(site, &id, before.as_ref(), kept, configuration)
            })
        })
    }

    /// Switches a programme on or off.
    ///
    /// # Errors
    /// [`DeskError`]; [`InputErrorKind::InvalidValue`] where there is no such programme.
    pub fn enable_programme(&self, site: &str, code_name: &str, on: bool) -> Result<ProgrammeOutput, DeskError> {
        self.change(|| {
            let (record, configuration) = self.record(RecordKind::Programme, site, code_name)?;
            let Some(record) = record else { return Err(no_programme(site, code_name)) };
            let mut kept: KeptProgramme = read_record(&record.body)?;
            kept.programme.enabled = Some(on);
            self.keep(site, code_name, Some(&record), kept, configuration)
        })
    }

    /// Changes the conditions of a programme; where two persons are demanded for that, it is proposed.
    pub(in crate::desk) fn change_conditions(
        &self,
        site: &str,
        code_name: &str,
        by: SettingUp<'_>,
        mut change: impl FnMut(&mut Vec<ConditionInput>) -> Result<(), DeskError>,
    ) -> Result<Set<ProgrammeOutput>, DeskError> {
        self.change(|| {
            let (record, configuration) = self.record(RecordKind::Programme, site, code_name)?;
            let Some(record) = record else { return Err(no_programme(site, code_name)) };
            let mut kept: KeptProgramme = read_record(&record.body)?;
            let before = kept.programme.clone();
            let mut conditions = kept.programme.conditions.to_vec();
            change(&mut conditions)?;
            kept.programme.conditions = List::of(conditions)
                .map_err(|problem| DeskError::input(InputErrorKind::TooLarge, "conditions", problem))?;
            self.check_document(site, code_name, &kept.programme, Some(&before))?;
            let (home, _) = self.site_document(site)?;
            let demanded = (record.version, are_demanded_of_programme(&home, &before, &kept.programme));
            let change = || Change::Programme(Box::new(kept.programme.clone()));
            Guard::Propose(by).plan(self, site, demanded, change, || {
                let kept = KeptProgramme { frozen: kept.frozen, programme: kept.programme.clone() };
                self.keep(site, code_name, Some(&record), kept, configuration)
            })
        })
    }

    /// A programme as it was set up; `None` if the site has none of that code name.
    ///
    /// # Errors
    /// [`DeskError::Store`].
    pub fn programme(&self, site: &str, code_name: &str) -> Result<Option<ProgrammeOutput>, DeskError> {
        let (record, _) = self.record(RecordKind::Programme, site, code_name)?;
        record.as_ref().map(output).transpose()
    }

    /// Every programme of a site, by code name.
    ///
    /// # Errors
    /// [`InputErrorKind::InvalidValue`] for a site that is not there, [`DeskError::Store`].
    pub fn programmes(&self, site: &str) -> Result<Vec<ProgrammeOutput>, DeskError> {
        self.site_document(site)?;
        self.all_records(RecordKind::Programme, site)?.iter().map(output).collect()
    }

    fn keep(
        &self,
        site: &str,
        id: &str,
        before: Option<&Record>,
        kept: KeptProgramme,
        configuration: u64,
    ) -> Result<Planned<ProgrammeOutput>, DeskError> {
        let key = RecordKey { kind: RecordKind::Programme, site: site.to_string(), id: id.to_string() };
        let (changes, version) = put(&key, before, &kept, Some(configuration));
        let warnings = warnings(&kept.programme);
        let answer = ProgrammeOutput {
            site: site.to_string(),
            code_name: id.to_string(),
            version,
            frozen: kept.frozen,
            programme: kept.programme,
            warnings,
        };
        Ok(Planned { changes, answer })
    }

    fn free_code_name(&self, site: &str, name: &str) -> Result<String, DeskError> {
        let records = self.all_records(RecordKind::Programme, site)?;
        // Two that differ in case only would be taken for one another.
        let taken: BTreeSet<String> = records.into_iter().map(|record| record.key.id.to_ascii_lowercase()).collect();
        Ok(code_name(name, |name| name == MANUAL || taken.contains(name)))
    }

    /// Everything that has to be right about a programme. Its site's currency.
    fn check_document(
        &self,
        site: &str,
        id: &str,
        document: &ProgrammeDocument,
        kept: Option<&ProgrammeDocument>,
    ) -> Result<Currency, DeskError> {
        let (home, _) = self.site_document(site)?;
        let currency = home.currency.currency()?;
        document.check(currency)?;
        let zone = zone_of(&home);
        if let Some(expires) = &document.expires {
            expires.check(&zone).map_err(|error| error.under("expires"))?;
        }
        let (facts, zone) = site_facts(&home.terms(), currency)?;
        let terms = document.terms(&name(site)?, &name(id)?);
        let plugins = self.site_plugins(&home)?;
        let at_home = plugins.checked_terms(&plugins, &terms, (&facts, &zone))?;
        self.check_beside(&home, &plugins, (&terms, kept), (&facts, &zone))?;
        plugins.is_settled()?;
        self.check_codes(site, document)?;
        for (place, other) in document.accepted_by.iter().enumerate() {
            let path = format!("accepted_by[{place}]");
            if document.accepted_by[..place].contains(other) {
                let problem = format!("`{}` was named before", excerpt(other));
                return Err(DeskError::input(InputErrorKind::Inconsistent, &path, problem));
            }
            if **other == *site {
                let problem = format!("`{}` is the programme's own site, which takes its cards anyway", excerpt(other));
                return Err(DeskError::input(InputErrorKind::Inconsistent, &path, problem));
            }
            let Some(there) = self.site(other)? else {
                let problem = format!("there is no site `{}`", excerpt(other));
                return Err(DeskError::input(InputErrorKind::InvalidValue, &path, problem));
            };
            let (other_facts, other_zone) = site_facts(&there.site.terms(), there.site.currency.currency()?)?;
            let there = programme_facts(&terms, &other_facts, &other_zone, &plugins);
            let there = there.map_err(|error| not_there(other, &error))?;
            check_same_money(&at_home, &facts, &there, &other_facts)?;
        }
        Ok(currency)
    }

    fn check_codes(&self, site: &str, document: &ProgrammeDocument) -> Result<(), DeskError> {
        match &document.codes {
            None => Ok(()),
            Some(CodeInput::Pattern { pattern, accept_weak }) => {
                read_pattern(pattern, *accept_weak, "codes.pattern.pattern").map(drop)
            }
            Some(CodeInput::Pool(pool)) => match self.record(RecordKind::Pool, site, pool)?.0 {
                Some(_) => Ok(()),
                None => {
                    let problem =
                        format!("the site has no pool `{}`; make it with `giftcard pool create`", excerpt(pool));
                    Err(DeskError::input(InputErrorKind::InvalidValue, "codes.pool", problem))
                }
            },
        }
    }
}

/// A pattern of codes. One that is easy to guess has to be accepted on purpose.
pub(in crate::desk) fn read_pattern(text: &str, accept_weak: bool, path: &str) -> Result<Pattern, DeskError> {
    let read = if accept_weak { Pattern::accept_weak(text) } else { Pattern::parse(text) };
    read.map_err(|problem| DeskError::input(InputErrorKind::InvalidValue, path, problem.to_string()))
}

/// What should be known about codes of a weak pattern.
pub(in crate::desk) fn weak_pattern(pattern: &str) -> Option<String> {
    let pattern = Pattern::accept_weak(pattern).ok().filter(Pattern::is_weak)?;
    Some(format!(
        "codes of `{pattern}` have {} random bits, so guessing one can be tried; {} are safe",
        pattern.bits(),
        crate::codes::BITS_NEEDED
    ))
}

/// That the site has no programme of that code name.
pub(in crate::desk) fn no_programme(site: &str, code_name: &str) -> DeskError {
    let problem = format!(
        "the site `{}` has no programme `{}`; `giftcard programme list` shows those it has",
        excerpt(site),
        excerpt(code_name)
    );
    DeskError::input(InputErrorKind::InvalidValue, "programme", problem)
}

fn output(record: &Record) -> Result<ProgrammeOutput, DeskError> {
    let kept: KeptProgramme = read_record(&record.body)?;
    let warnings = warnings(&kept.programme);
    Ok(ProgrammeOutput {
        site: record.key.site.clone(),
        code_name: record.key.id.clone(),
        version: record.version,
        frozen: kept.frozen,
        programme: kept.programme,
        warnings,
    })
}

fn warnings(document: &ProgrammeDocument) -> Vec<String> {
    match &document.codes {
        Some(CodeInput::Pattern { pattern, .. }) => weak_pattern(pattern).into_iter().collect(),
        None | Some(CodeInput::Pool(_)) => Vec::new(),
    }
}

fn not_there(site: &str, error: &InputError) -> DeskError {
    let message = format!("site `{}` cannot accept the programme: {error}", excerpt(site));
    Refused::mistake(NOT_ACCEPTABLE, message).into()
}

/// Code of the refusal of a site that cannot accept a programme.
const NOT_ACCEPTABLE: &str = "not-acceptable-there";

/// A minimum, and amounts without a currency of their own, are in the main currency of whoever reads them: 10.00 there
/// would be another amount than 10.00 at home.
fn check_same_money(at_home: &Programme, home: &Site, there: &Programme, other: &Site) -> Result<(), DeskError> {
    if home.currency == other.currency {
        return Ok(());
    }
    let refuse = |what: &str, right: &str| {
        let message = format!(
            "site `{}` cannot accept the programme: its main currency is {}, that of `{}` is {}, and {what} would be \
             read in it; {right}",
            excerpt(&other.id),
            other.currency,
            excerpt(&home.id),
            home.currency
        );
        Err(Refused::mistake(NOT_ACCEPTABLE, message).into())
    };
    if at_home.minimum.is_some() {
        return refuse("`minimum_order`", "use the condition for minimum amounts, or a programme at that site");
    }
    for (place, (here, there)) in at_home.conditions.iter().zip(&there.conditions).enumerate() {
        if here != there {
            let right = "write amounts as {\"amount\": ..., \"currency\": ...}";
            return refuse(&format!("amounts in `conditions[{place}]`"), right);
        }
    }
    Ok(())
}

/// Values in minor units, without regard to how they were written.
#[derive(PartialEq, Eq)]
enum Values {
    Any,
    Fixed(Minor),
    Denominations(BTreeSet<Minor>),
    Range(Minor, Minor),
}

fn values(document: &ProgrammeDocument, currency: Currency) -> Result<Values, InputError> {
    Ok(match &document.value {
        None => Values::Any,
        Some(ValueInput::Fixed(value)) => Values::Fixed(value.amount(currency)?),
        Some(ValueInput::Denominations(values)) => {
            Values::Denominations(values.iter().map(|value| value.amount(currency)).collect::<Result<_, _>>()?)
        }
        Some(ValueInput::Range { min, max }) => Values::Range(min.amount(currency)?, max.amount(currency)?),
    })
}

/// Once cards of a programme exist, what they are worth is said.
fn check_frozen(kept: &ProgrammeDocument, new: &ProgrammeDocument, site: Currency) -> Result<(), DeskError> {
    let frozen = |field: &str| {
        let message = format!(
            "`{field}` cannot change any more, since cards of the programme exist; set up another programme, such as \
             with a new code name"
        );
        Err(Refused::mistake("value-frozen", message).into())
    };
    let (before, after) = (kept.card_currency(site)?, new.card_currency(site)?);
    if before != after {
        return frozen("currency");
    }
    if values(kept, before)? != values(new, after)? {
        return frozen("value");
    }
    Ok(())
}
