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
const DIGEST_SHOWN: usize = 16;

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
    /// It is done as this proposal has it, which is approved of by that.
    Approve(&'a str, SettingUp<'a>),
}

/// A whole document that is to take the place of another.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Change {
    Site(Box<SiteDocument>),
    Programme(Box<ProgrammeDocument>),
}

/// As it is kept, for good. Of one document at most one waits.
#[derive(Serialize, Deserialize)]
struct Proposal {
    by: String,
    at: String,
    /// What is changed: `site:` or `programme:` and its name.
    target: String,
    /// The version of the document that was there.
    base: u64,
    change: Change,
    /// Who approved of it, took it back, or proposed something else.
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
    /// Plans a change of a document from the version that is kept, for which two persons `are_demanded` or not.
    pub(super) fn plan<T>(
        self,
        desk: &Desk,
        site: &str,
        (base, are_demanded): (u64, bool),
        change: impl FnOnce() -> Change,
        planned: impl FnOnce() -> Result<Planned<T>, DeskError>,
    ) -> Result<Planned<Set<T>>, DeskError> {
        match self {
            Guard::Approve(name, by) => {
                let ended = desk.approved(site, name, base, by)?;
                let Planned { changes, answer } = planned()?;
                let mut changes = changes.unwrap_or_default();
                changes.records.push(ended);
                Ok(Planned { changes: Some(changes), answer: Set::Done(answer) })
            }
            _ if !are_demanded => Ok(planned()?.map(Set::Done)),
            Guard::Propose(by) => Ok(desk.proposed(site, base, change(), by)?.map(Set::Proposed)),
            Guard::Refuse => {
                let message = "two persons are demanded for this: propose it, and let somebody else approve of it";
                Err(Refused::mistake("approval-needed", message).into())
            }
        }
    }
}

/// Whether two persons are demanded for a change of a site: what it demands of plugins is guarded by itself.
pub(super) fn are_demanded_of_site(kept: &SiteDocument, document: &SiteDocument) -> bool {
    kept.plugins.require_approval && kept.plugins != document.plugins
}

/// Whether they are for a change of a programme: of its conditions, and of whether its cards can become store credit, which has
/// no conditions.
pub(super) fn are_demanded_of_programme(
    site: &SiteDocument,
    kept: &ProgrammeDocument,
    document: &ProgrammeDocument,
) -> bool {
    let conditions = |document: &ProgrammeDocument| serde_json::to_value(&document.conditions).unwrap_or_default();
    let has_some = !kept.conditions.is_empty();
    site.plugins.require_approval
        && (conditions(kept) != conditions(document) || has_some && kept.to_credit != document.to_credit)
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

    /// Every change of a site and its programmes that two persons were demanded for, in the order they were proposed: those
    /// that wait, and how the others ended.
    ///
    /// # Errors
    /// [`DeskError::Input`] for a site that is not there, [`DeskError::Store`].
    pub fn proposals(&self, site: &str) -> Result<Vec<SetupProposalOutput>, DeskError> {
        self.site_document(site)?;
        let records = self.all_records(RecordKind::Proposal, site)?;
        let mut all: Vec<_> = records.iter().map(output).collect::<Result<_, _>>()?;
        all.sort_by(|one, other| (&one.at, &one.name).cmp(&(&other.at, &other.name)));
        Ok(all)
    }

    /// Approves of a change that somebody else proposed, which does it. `name` is that of the proposal: what was looked at.
    ///
    /// # Errors
    /// [`Refused`] codes are `nothing-proposed`, `proposal-changed`, `proposal-outdated`, `same-person`, `actor-missing`, and
    /// whatever may be wrong with the change.
    pub fn approve_proposal(
        &self,
        site: &str,
        name: &str,
        by: SettingUp<'_>,
    ) -> Result<SetupProposalOutput, DeskError> {
        let (_, proposal) = self.waiting(site, name)?;
        let guard = Guard::Approve(name, by);
        match &proposal.change {
            Change::Site(document) => self.set_site_guarded(document, guard)?.done().map(drop)?,
            Change::Programme(document) => self.set_programme_guarded(site, document, guard)?.done().map(drop)?,
        }
        let (record, _) = self.record(RecordKind::Proposal, site, name)?;
        match record {
            Some(record) => output(&record),
            None => Err(nothing_proposed(name)),
        }
    }

    /// Takes back what was proposed.
    ///
    /// # Errors
    /// [`Refused`] codes are `nothing-proposed`, `proposal-changed`, `actor-missing`.
    pub fn withdraw_proposal(
        &self,
        site: &str,
        name: &str,
        by: SettingUp<'_>,
    ) -> Result<SetupProposalOutput, DeskError> {
        self.change(|| {
            let (record, mut proposal) = self.waiting(site, name)?;
            proposal.end(by.named()?, by.now, false);
            let change = written(&record.key, Some(&record), &proposal);
            let answer = answer(&record.key, &proposal);
            Ok(Planned { changes: Some(Changes { records: vec![change], ..Changes::default() }), answer })
        })
    }

    /// The proposal of that name, which waits.
    fn waiting(&self, site: &str, name: &str) -> Result<(Record, Proposal), DeskError> {
        self.site_document(site)?;
        if let Some(record) = self.record(RecordKind::Proposal, site, name)?.0 {
            let proposal: Proposal = read_record(&record.body)?;
            return match &proposal.ended {
                None => Ok((record, proposal)),
                Some(ended) => {
                    let how = if ended.approved { "approved" } else { "taken back or replaced" };
                    let message = format!("`{}` was {how} by {} already", excerpt(name), excerpt(&ended.by));
                    Err(Refused::mistake("nothing-proposed", message).into())
                }
            };
        }
        let target = name.split('@').next().unwrap_or(name);
        match self.waiting_for(site, target)? {
            None => Err(nothing_proposed(name)),
            Some((record, _)) => {
                let message = format!("what is proposed is {}; look at it first", record.key.id);
                Err(Refused::mistake("proposal-changed", message).into())
            }
        }
    }

    /// The proposal that waits for a document.
    fn waiting_for(&self, site: &str, target: &str) -> Result<Option<(Record, Proposal)>, DeskError> {
        for record in self.all_records(RecordKind::Proposal, site)? {
            let proposal: Proposal = read_record(&record.body)?;
            if proposal.target == target && proposal.ended.is_none() {
                return Ok(Some((record, proposal)));
            }
        }
        Ok(None)
    }

    /// A proposal, in place of the one that waits for the same document.
    fn proposed(
        &self,
        site: &str,
        base: u64,
        change: Change,
        by: SettingUp<'_>,
    ) -> Result<Planned<SetupProposalOutput>, DeskError> {
        let actor = by.named()?;
        let target = match &change {
            Change::Site(document) => format!("site:{}", &*document.id),
            Change::Programme(document) => format!("programme:{}", document.code_name.as_deref().unwrap_or_default()),
        };
        let mut records = Vec::new();
        if let Some((record, mut earlier)) = self.waiting_for(site, &target)? {
            earlier.end(actor, by.now, false);
            records.push(written(&record.key, Some(&record), &earlier));
        }
        let (by, at) = (actor.to_string(), format_instant(by.now));
        let proposal = Proposal { by, at, target, base, change, ended: None };
        let key = RecordKey { kind: RecordKind::Proposal, site: site.to_string(), id: proposal.name() };
        let (before, _) = self.record(key.kind, site, &key.id)?;
        // The same once more, by the same person at the same moment, is the one that waits.
        records.retain(|record| record.key != key);
        records.push(written(&key, before.as_ref(), &proposal));
        let answer = answer(&key, &proposal);
        Ok(Planned { changes: Some(Changes { records, ..Changes::default() }), answer })
    }

    /// How a proposal becomes when it is approved of, for what is there.
    fn approved(&self, site: &str, name: &str, base: u64, by: SettingUp<'_>) -> Result<RecordChange, DeskError> {
        let (record, mut proposal) = self.waiting(site, name)?;
        let actor = by.named()?;
        if proposal.by.trim().eq_ignore_ascii_case(actor.trim()) {
            let message = format!("`{}` proposed it, and somebody else has to approve of it", proposal.by);
            return Err(Refused::mistake("same-person", message).into());
        }
        if proposal.base != base {
            let message = "it was changed since this was proposed; propose it again for what is there now";
            return Err(Refused::mistake("proposal-outdated", message).into());
        }
        proposal.end(actor, by.now, true);
        Ok(written(&record.key, Some(&record), &proposal))
    }
}

impl Proposal {
    fn end(&mut self, by: &str, at: InstantMs, approved: bool) {
        self.ended = Some(Ended { by: by.to_string(), at: format_instant(at), approved });
    }

    /// What names it: what is changed, and the beginning of a digest over the whole of it.
    fn name(&self) -> String {
        let said = serde_json::json!([self.by, self.at, self.base, self.change]);
        format!("{}@{}", self.target, &hex(&digest(&said.to_string()))[..DIGEST_SHOWN])
    }
}

fn nothing_proposed(name: &str) -> DeskError {
    let message = format!(
        "nothing of `{}` waits for a second person; `giftcard plugin proposals` shows what does",
        excerpt(name)
    );
    Refused::mistake("nothing-proposed", message).into()
}

fn written(key: &RecordKey, before: Option<&Record>, proposal: &Proposal) -> RecordChange {
    let body = serde_json::to_string(proposal).expect("INVARIANT: documents have string keys only");
    RecordChange { key: key.clone(), before: before.map(|record| record.version), body: Some(body) }
}

fn output(record: &Record) -> Result<SetupProposalOutput, DeskError> {
    Ok(answer(&record.key, &read_record(&record.body)?))
}

fn answer(key: &RecordKey, proposal: &Proposal) -> SetupProposalOutput {
    let ended = proposal.ended.as_ref();
    SetupProposalOutput {
        site: key.site.clone(),
        name: key.id.clone(),
        by: proposal.by.clone(),
        at: proposal.at.clone(),
        state: match ended {
            None => "waits",
            Some(Ended { approved: true, .. }) => "approved",
            Some(_) => "withdrawn",
        },
        ended_by: ended.map(|ended| ended.by.clone()),
        ended_at: ended.map(|ended| ended.at.clone()),
        change: match &proposal.change {
            Change::Site(document) => SetupChangeOutput::Site(document.clone()),
            Change::Programme(document) => SetupChangeOutput::Programme(document.clone()),
        },
    }
}
