//! Changes of rules that wait for a second person, where a site demands two: the conditions of a programme, and what the
//! site demands of plugins. What was proposed is done by who approves of it, as it was looked at and on what it was
//! proposed for. Must not know what is right about a document.

use giftcard_engine::moment::{InstantMs, format_instant};
use giftcard_ledger::Refused;
use giftcard_ledger::chain::digest;
use giftcard_ledger::model::{Record, RecordKey, RecordKind};
use giftcard_ledger::plan::read_record;
use giftcard_ledger::store::{Changes, RecordChange};
use serde::{Deserialize, Serialize};

use super::super::pay::hex;
use super::super::{Desk, DeskError};
use super::Planned;
use crate::input::{ProgrammeDocument, SiteDocument};
use crate::json::excerpt;
use crate::output::{ProgrammeOutput, SetupChangeOutput, SetupProposalOutput, SiteOutput};

/// Characters of a proposal's digest that name it.
const DIGEST_SHOWN: usize = 12;

/// What is changed about a site itself.
const SITE: &str = "site";

/// Who changes how a shop is set up, and when.
#[derive(Clone, Copy, Debug)]
pub struct SettingUp<'a> {
    /// Who does it; needed where two persons are demanded.
    pub actor: Option<&'a str>,
    /// Now.
    pub now: InstantMs,
}

impl<'a> SettingUp<'a> {
    /// Who does it, where somebody has to be named.
    pub(in crate::desk) fn named(self) -> Result<&'a str, DeskError> {
        self.actor.filter(|actor| !actor.trim().is_empty()).ok_or_else(|| {
            let message = "two persons are demanded here, so each has to be named (`--actor`)";
            Refused::mistake("actor-missing", message).into()
        })
    }
}

/// What became of a change.
#[derive(Clone, Debug)]
pub enum Set<T> {
    /// It is done.
    Done(T),
    /// It waits for a second person.
    Proposed(SetupProposalOutput),
}

/// What may be done about a change for which two persons are demanded.
#[derive(Clone, Copy)]
pub(super) enum Guard<'a> {
    /// It is refused.
    Refuse,
    /// It is proposed.
    Propose(SettingUp<'a>),
    /// It was approved of: with what of the proposal that changes, too.
    Approved(&'a RecordChange, u64),
}

/// A whole document that is to take the place of another.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Change {
    Site(Box<SiteDocument>),
    Programme(Box<ProgrammeDocument>),
}

/// As it is kept: the last one for each document.
#[derive(Serialize, Deserialize)]
struct Proposal {
    by: String,
    at: String,
    /// The version of the document that was there.
    base: u64,
    change: Change,
    /// Who approved of it or took it back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ended: Option<Ended>,
}

#[derive(Serialize, Deserialize)]
struct Ended {
    by: String,
    at: String,
    approved: bool,
}

impl Guard<'_> {
    /// What comes of a change that two persons are demanded for.
    fn proposal(
        self,
        desk: &Desk,
        site: &str,
        base: u64,
        change: Change,
    ) -> Result<Option<Planned<SetupProposalOutput>>, DeskError> {
        let Guard::Propose(setting) = self else {
            let message = "two persons are demanded for this: propose it, and let somebody else approve of it";
            return Err(Refused::mistake("approval-needed", message).into());
        };
        let by = setting.named()?.to_string();
        let target = target_of(&change);
        let proposal = Proposal { by, at: format_instant(setting.now), base, change, ended: None };
        let key = key_of(site, &target);
        let (before, _) = desk.record(key.kind, site, &key.id)?;
        let answer = output(site, &target, &proposal);
        Ok(Some(Planned { changes: Some(alone(written(&key, before.as_ref(), &proposal))), answer }))
    }

    /// Whether it was approved of, for what is there.
    fn is_approved(self, base: u64) -> Result<bool, DeskError> {
        match self {
            Guard::Approved(_, seen) if seen != base => {
                let message = "it was changed since this was proposed; propose it again for what is there now";
                Err(Refused::mistake("proposal-outdated", message).into())
            }
            Guard::Approved(..) => Ok(true),
            Guard::Refuse | Guard::Propose(_) => Ok(false),
        }
    }

    /// What is written beside an approved change.
    pub(super) fn beside(self, changes: Option<Changes>) -> Option<Changes> {
        match self {
            Guard::Approved(record, _) => {
                let mut changes = changes.unwrap_or_default();
                changes.records.push(record.clone());
                Some(changes)
            }
            Guard::Refuse | Guard::Propose(_) => changes,
        }
    }

    /// A site that is changed from what is kept. What it demands of plugins is guarded by itself.
    pub(super) fn of_site(
        self,
        desk: &Desk,
        (kept, base): (&SiteDocument, u64),
        document: &SiteDocument,
    ) -> Result<Option<Planned<SetupProposalOutput>>, DeskError> {
        if self.is_approved(base)? || !kept.plugins.require_approval || kept.plugins == document.plugins {
            return Ok(None);
        }
        self.proposal(desk, &document.id, base, Change::Site(Box::new(document.clone())))
    }

    /// A programme that is changed from what is kept.
    pub(super) fn of_programme(
        self,
        desk: &Desk,
        site: &str,
        (kept, base): (&ProgrammeDocument, u64),
        document: &ProgrammeDocument,
    ) -> Result<Option<Planned<SetupProposalOutput>>, DeskError> {
        let conditions = |document: &ProgrammeDocument| serde_json::to_value(&document.conditions).unwrap_or_default();
        if self.is_approved(base)?
            || conditions(kept) == conditions(document)
            || !desk.site_document(site)?.0.plugins.require_approval
        {
            return Ok(None);
        }
        self.proposal(desk, site, base, Change::Programme(Box::new(document.clone())))
    }
}

impl<T> Set<T> {
    /// Of a change that was not proposed, since it would have been refused.
    pub(super) fn done(self) -> Result<T, DeskError> {
        match self {
            Self::Done(answer) => Ok(answer),
            Self::Proposed(_) => Err(DeskError::Busy),
        }
    }
}

impl Desk {
    /// As [`Desk::set_site`]; where two persons are demanded for what it changes, it is proposed.
    ///
    /// # Errors
    /// As [`Desk::set_site`]; the [`Refused`] code is `actor-missing`.
    pub fn set_site_by(&self, document: &SiteDocument, by: SettingUp<'_>) -> Result<Set<SiteOutput>, DeskError> {
        self.set_site_guarded(document, Guard::Propose(by))
    }

    /// As [`Desk::set_programme`]; where two persons are demanded for what it changes, it is proposed.
    ///
    /// # Errors
    /// As [`Desk::set_programme`]; the [`Refused`] code is `actor-missing`.
    pub fn set_programme_by(
        &self,
        site: &str,
        document: &ProgrammeDocument,
        by: SettingUp<'_>,
    ) -> Result<Set<ProgrammeOutput>, DeskError> {
        self.set_programme_guarded(site, document, Guard::Propose(by))
    }

    /// The last changes of a site and its programmes that two persons were demanded for: those that wait, and how others
    /// ended.
    ///
    /// # Errors
    /// [`DeskError::Input`] for a site that is not there, [`DeskError::Store`].
    pub fn proposals(&self, site: &str) -> Result<Vec<SetupProposalOutput>, DeskError> {
        self.site_document(site)?;
        let records = self.all_records(RecordKind::Proposal, site)?;
        records.iter().map(|record| Ok(output(site, &record.key.id, &read_record(&record.body)?))).collect()
    }

    /// Approves of a change that somebody else proposed, which does it. `target` is `site` or `programme:NAME`, and `seen` the
    /// beginning of the proposal's digest: what was looked at.
    ///
    /// # Errors
    /// [`Refused`] codes are `nothing-proposed`, `proposal-changed`, `proposal-outdated`, `same-person`, `actor-missing`, and
    /// whatever may be wrong with the change.
    pub fn approve_proposal(
        &self,
        site: &str,
        target: &str,
        seen: &str,
        by: SettingUp<'_>,
    ) -> Result<SetupProposalOutput, DeskError> {
        let (record, mut proposal) = self.waiting(site, target)?;
        let actor = by.named()?;
        if proposal.by.trim().eq_ignore_ascii_case(actor.trim()) {
            let message = format!("`{}` proposed it, and somebody else has to approve of it", proposal.by);
            return Err(Refused::mistake("same-person", message).into());
        }
        let name = digest_of(&proposal);
        if seen.len() < 8 || !name.starts_with(seen) {
            let message = format!("what is proposed is {target}@{}; look at it first", &name[..DIGEST_SHOWN]);
            return Err(Refused::mistake("proposal-changed", message).into());
        }
        proposal.ended = Some(Ended { by: actor.to_string(), at: format_instant(by.now), approved: true });
        let ended = written(&record.key, Some(&record), &proposal);
        let guard = Guard::Approved(&ended, proposal.base);
        match &proposal.change {
            Change::Site(document) => self.set_site_guarded(document, guard)?.done().map(drop)?,
            Change::Programme(document) => self.set_programme_guarded(site, document, guard)?.done().map(drop)?,
        }
        Ok(output(site, target, &proposal))
    }

    /// Takes back what was proposed.
    ///
    /// # Errors
    /// The [`Refused`] code is `nothing-proposed`.
    pub fn withdraw_proposal(
        &self,
        site: &str,
        target: &str,
        by: SettingUp<'_>,
    ) -> Result<SetupProposalOutput, DeskError> {
        self.change(|| {
            let (record, mut proposal) = self.waiting(site, target)?;
            let actor = by.actor.unwrap_or_default().to_string();
            proposal.ended = Some(Ended { by: actor, at: format_instant(by.now), approved: false });
            let answer = output(site, target, &proposal);
            Ok(Planned { changes: Some(alone(written(&record.key, Some(&record), &proposal))), answer })
        })
    }

    fn waiting(&self, site: &str, target: &str) -> Result<(Record, Proposal), DeskError> {
        self.site_document(site)?;
        let key = key_of(site, target);
        let nothing = || {
            let message = format!(
                "nothing of `{}` waits for a second person; `giftcard plugin proposals` shows what does",
                excerpt(target)
            );
            DeskError::from(Refused::mistake("nothing-proposed", message))
        };
        let record = self.record(key.kind, site, &key.id)?.0.ok_or_else(nothing)?;
        let proposal: Proposal = read_record(&record.body)?;
        if proposal.ended.is_some() {
            return Err(nothing());
        }
        Ok((record, proposal))
    }
}

fn target_of(change: &Change) -> String {
    match change {
        Change::Site(_) => SITE.to_string(),
        Change::Programme(document) => {
            format!("programme:{}", document.code_name.as_deref().unwrap_or_default())
        }
    }
}

fn key_of(site: &str, target: &str) -> RecordKey {
    RecordKey { kind: RecordKind::Proposal, site: site.to_string(), id: target.to_string() }
}

fn written(key: &RecordKey, before: Option<&Record>, proposal: &Proposal) -> RecordChange {
    let body = serde_json::to_string(proposal).expect("INVARIANT: documents have string keys only");
    RecordChange { key: key.clone(), before: before.map(|record| record.version), body: Some(body) }
}

fn alone(record: RecordChange) -> Changes {
    Changes { records: vec![record], ..Changes::default() }
}

/// What names a proposal: what it changes, on what, by whom and when.
fn digest_of(proposal: &Proposal) -> String {
    let said = serde_json::json!([proposal.by, proposal.at, proposal.base, proposal.change]);
    hex(&digest(&said.to_string()))
}

fn output(site: &str, target: &str, proposal: &Proposal) -> SetupProposalOutput {
    let ended = proposal.ended.as_ref();
    SetupProposalOutput {
        site: site.to_string(),
        name: format!("{target}@{}", &digest_of(proposal)[..DIGEST_SHOWN]),
        by: proposal.by.clone(),
        at: proposal.at.clone(),
        state: match ended {
            None => "waits",
            Some(Ended { approved: true, .. }) => "approved",
            Some(_) => "withdrawn",
        },
        ended_by: ended.map(|ended| ended.by.clone()).filter(|by| !by.is_empty()),
        ended_at: ended.map(|ended| ended.at.clone()),
        change: match &proposal.change {
            Change::Site(document) => SetupChangeOutput::Site(document.clone()),
            Change::Programme(document) => SetupChangeOutput::Programme(document.clone()),
        },
    }
}
