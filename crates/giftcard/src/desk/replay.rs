//! Decisions of the past under other rules, conditions or settings: which would have come out otherwise, and how much money
//! that is. Each is decided alone, on what was recorded of it; nothing of it moves on into the next. Must not know where
//! a progress bar is, nor files.

mod report;

use std::collections::BTreeMap;
use std::num::NonZero;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Instant as Clock;

use giftcard_engine::moment::InstantMs;
use giftcard_host::Component;
use giftcard_ledger::Refused;
use giftcard_ledger::store::{DecisionFilter, DecisionRow, Store, StoreError};
use sha2::{Digest, Sha256};

use self::report::Tally;
use super::decision::{Asked, AskedRefund, is_refund, until_not_busy};
use super::plugins::{WHOLE, is_in_share};
use super::report::Period;
use super::setup::zone_of;
use super::stage::{Instead, OtherSettings, Stages};
use super::{Desk, DeskError, Rerun};
use crate::input::{DayOrInstant, InputErrorKind, Zone, read_document};

pub use self::report::{ReplayChange, ReplayProgramme, ReplayReport, ReplayReturned, ReplayState, picture};

/// Decisions that a thread reads at a time, and between two states that can be resumed.
const PAGE: usize = 512;

/// Which decisions are run again, and with what in place of what decided them.
#[derive(Clone, Default)]
pub struct ReplayOptions {
    /// Of which site; of all if absent.
    pub site: Option<String>,
    /// From when to when; days are those of the site's time zone, in UTC where no site is named.
    pub period: Period,
    /// Only decisions about cards of this programme, by code name.
    pub programme: Option<String>,
    /// Only this share of them, in basis points, chosen by their keys: the same every time.
    pub sample: Option<u16>,
    /// Components in place of others: a condition in place of whatever version of it is bound, rules in place of the rules.
    pub components: Vec<Component>,
    /// Settings in place of others.
    pub settings: Vec<ReplaySettings>,
    /// Decisions between two states that can be gone on with; 512 if absent.
    pub page: Option<NonZero<usize>>,
    /// How many threads read and decide; one for each core if absent.
    pub threads: Option<NonZero<usize>>,
}

/// Settings in place of those that were bound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplaySettings {
    /// The plugin's id.
    pub plugin: String,
    /// Only at this programme, by code name; at all that bind it if absent.
    pub programme: Option<String>,
    /// A JSON object.
    pub settings: String,
}

impl ReplayOptions {
    /// What tells two replays apart: one that was begun is only gone on with by the same, on the same ledger.
    fn fingerprint(&self, ledger: &[u8; 32]) -> String {
        let Self { site, period, programme, sample, components, settings, page: _, threads: _ } = self;
        let digests: Vec<&str> = components.iter().map(|component| component.facts().digest.as_str()).collect();
        let said = format!("{:?}", (ledger, site, &period.from, &period.to, programme, sample, digests, settings));
        super::pay::hex(&Sha256::digest(said))
    }

    fn instead(&self) -> Result<Instead, DeskError> {
        let mut instead = Instead::default();
        for component in &self.components {
            match component {
                Component::Rules(rules) if instead.rules.is_none() => instead.rules = Some(rules.clone()),
                Component::Rules(_) => {
                    let problem = "only one set of rules can decide";
                    return Err(DeskError::input(InputErrorKind::Inconsistent, "components", problem));
                }
                Component::Condition(condition) => {
                    let id = &condition.facts().id;
                    if instead.conditions.iter().any(|other| other.facts().id == *id) {
                        let problem = format!("two versions of `{id}` cannot stand for the same");
                        return Err(DeskError::input(InputErrorKind::Inconsistent, "components", problem));
                    }
                    instead.conditions.push(condition.clone());
                }
            }
        }
        for (place, given) in self.settings.iter().enumerate() {
            let settings =
                read_document(&given.settings).map_err(|error| error.under(&format!("settings[{place}]")))?;
            let (plugin, programme) = (given.plugin.clone(), given.programme.clone());
            instead.settings.push(OtherSettings { plugin, programme, settings });
        }
        Ok(instead)
    }

    /// Whether a decision is in the sample.
    fn chooses(&self, row: &DecisionRow) -> bool {
        let name = || format!("replay\n{}\n{}", row.key.site, row.key.key);
        self.sample.is_none_or(|share| is_in_share(&name(), share))
    }
}

impl Desk {
    /// A component from a file, with whatever it asks for: to be tried, not to decide.
    ///
    /// # Errors
    /// The [`Refused`] code is `plugin-not-loaded`.
    pub fn load_for_trial(&self, name: &str, bytes: &[u8]) -> Result<Component, DeskError> {
        let host = self.till().rulebook().host();
        let loaded = host.wanted(name, bytes).and_then(|wanted| host.load_granted(name, bytes, &wanted));
        loaded.map_err(|error| Refused::mistake("plugin-not-loaded", error.to_string()).into())
    }

    /// Runs decisions of the past again with something else in place of what decided them. `state` is where a replay was
    /// left, and `progress` is shown each new one; what it returns false to is where this one stops.
    ///
    /// # Errors
    /// [`DeskError::Input`] for settings that are no document, and for a state of another replay; [`DeskError::Store`].
    pub fn replay(
        &self,
        options: &ReplayOptions,
        state: Option<ReplayState>,
        progress: &mut dyn FnMut(&ReplayState) -> bool,
    ) -> Result<ReplayState, DeskError> {
        if options.sample.is_some_and(|share| share == 0 || share > WHOLE) {
            let problem = "must be more than 0% and at most 100%";
            return Err(DeskError::input(InputErrorKind::InvalidValue, "sample", problem));
        }
        let stages = Stages::new(self.vault().clone(), options.instead()?);
        let fingerprint = options.fingerprint(&self.secrets().public_key());
        let mut state = state.unwrap_or_else(|| ReplayState::begin(&fingerprint));
        if state.fingerprint != fingerprint {
            let problem = "is of a replay with other options; give it the same, or begin with another file";
            return Err(DeskError::input(InputErrorKind::Inconsistent, "state", problem));
        }
        let threads = options.threads.or_else(|| thread::available_parallelism().ok()).map_or(1, NonZero::get);
        let mut filter = self.replay_filter(options)?;
        let at_once = options.page.map_or(PAGE, NonZero::get);
        state.is_over = false;
        let sequences = self.store().sequences(filter.from, filter.to)?;
        if let Some((first, last)) = sequences {
            (state.before, state.last, filter.last) = (first - 1, last, last);
            state.after = state.after.max(state.before);
        }
        let next = Mutex::new(sequences.map(|_| (0, state.after)));
        let pages = Pages { store: self.store(), filter, at_once, next, handed_out: AtomicUsize::new(0) };
        let begun = Clock::now();
        let busy_before = state.busy_ms;
        thread::scope(|scope| {
            let (sender, decided) = channel();
            for thread in 0..threads {
                let (sender, pages, stages) = (sender.clone(), &pages, &stages);
                scope.spawn(move || {
                    let mut own = None;
                    while let Some(page) = pages.take().transpose() {
                        let stages = if thread == 0 { stages } else { own.get_or_insert_with(|| stages.beside()) };
                        let decided = page.map_err(DeskError::from).and_then(|page| decide_page(options, stages, page));
                        // Nobody receives any more once the replay was stopped.
                        if sender.send(decided).is_err() {
                            return;
                        }
                    }
                });
            }
            drop(sender);
            let mut ahead = BTreeMap::new();
            let mut next = 0;
            for page in decided {
                let page = page?;
                ahead.insert(page.number, page);
                while let Some(page) = ahead.remove(&next) {
                    next += 1;
                    state.tally.add(page.tally);
                    state.after = page.last;
                    let taken = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
                    state.busy_ms = busy_before.saturating_add(taken);
                    if !progress(&state) {
                        return Ok(state);
                    }
                }
            }
            // A thread that panicked has left a hole; leaving the scope says so.
            state.is_over = next == pages.handed_out.load(Ordering::Acquire);
            progress(&state);
            Ok(state)
        })
    }

    fn replay_filter(&self, options: &ReplayOptions) -> Result<DecisionFilter, DeskError> {
        let zone = match &options.site {
            Some(site) => zone_of(&self.site_document(site)?.0),
            None => Zone::UTC,
        };
        let at = |day: &Option<DayOrInstant>, field: &str, otherwise: InstantMs| match day {
            Some(day) => day.begin(&zone).map_err(|error| error.under(field)),
            None => Ok(otherwise),
        };
        let from = at(&options.period.from, "from", InstantMs::MIN)?;
        let to = at(&options.period.to, "to", InstantMs::MAX)?;
        if from >= to {
            let problem = "must be before `to`; nothing is between them";
            return Err(DeskError::input(InputErrorKind::Inconsistent, "from", problem));
        }
        Ok(DecisionFilter { site: options.site.clone(), from, to, ..DecisionFilter::default() })
    }
}

/// Pages of what was recorded, for whoever is done with another.
struct Pages<'a> {
    store: &'a dyn Store,
    filter: DecisionFilter,
    at_once: usize,
    /// The number of the next page, and the last decision before it. None once there are no more, or none could be read.
    next: Mutex<Option<(usize, i64)>>,
    handed_out: AtomicUsize,
}

impl Pages<'_> {
    fn take(&self) -> Result<Option<Page>, StoreError> {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let Some((number, after)) = next.take() else { return Ok(None) };
        let rows = self.store.decisions(&self.filter, after, self.at_once)?;
        let Some(last) = rows.last().map(|row| row.sequence) else { return Ok(None) };
        *next = Some((number + 1, last));
        self.handed_out.store(number + 1, Ordering::Release);
        Ok(Some(Page { number, last, rows }))
    }
}

/// Decisions that are decided again by one thread.
struct Page {
    number: usize,
    /// The sequence of the last.
    last: i64,
    rows: Vec<DecisionRow>,
}

/// A page that was decided again.
struct Decided {
    number: usize,
    last: i64,
    tally: Tally,
}

fn decide_page(options: &ReplayOptions, stages: &Stages, page: Page) -> Result<Decided, DeskError> {
    let mut tally = Tally::default();
    for row in page.rows.iter().filter(|row| options.chooses(row)) {
        decide(options, stages, row, &mut tally)?;
    }
    Ok(Decided { number: page.number, last: page.last, tally })
}

/// Whether a card of a programme is among those that were decided about.
fn concerns(decision: &str, programme: &str) -> bool {
    #[derive(serde::Deserialize)]
    struct Cards {
        cards: Vec<OfProgramme>,
    }
    #[derive(serde::Deserialize)]
    struct OfProgramme {
        programme: String,
    }
    // What cannot be read is counted as such.
    serde_json::from_str::<Cards>(decision)
        .map_or(true, |said| said.cards.iter().any(|card| card.programme == programme))
}

fn decide(options: &ReplayOptions, stages: &Stages, row: &DecisionRow, tally: &mut Tally) -> Result<(), DeskError> {
    if is_refund(&row.decision) {
        return split(options, stages, row, tally);
    }
    if options.programme.as_deref().is_some_and(|only| !concerns(&row.decision, only)) {
        return Ok(());
    }
    let asked = match Asked::read(stages, &row.decision, row.personal.as_deref())? {
        Ok(asked) => asked,
        Err(Rerun::NoDecision | Rerun::Same) => return Ok(()),
        Err(Rerun::NotReplayable(why) | Rerun::Differs(why)) => {
            tally.not_replayable(why);
            return Ok(());
        }
    };
    match timed(tally, || asked.decide()) {
        Err(error) if error.code() == "busy" => Err(error),
        answer => {
            tally.decided(row, &asked, answer);
            Ok(())
        }
    }
}

/// Splits a refund again, where other rules would: conditions have no part in it.
fn split(options: &ReplayOptions, stages: &Stages, row: &DecisionRow, tally: &mut Tally) -> Result<(), DeskError> {
    if !options.components.iter().any(|component| matches!(component, Component::Rules(_))) {
        return Ok(());
    }
    let asked = match AskedRefund::read(stages, &row.decision)? {
        Ok(asked) => asked,
        Err(Rerun::NoDecision | Rerun::Same) => return Ok(()),
        Err(Rerun::NotReplayable(why) | Rerun::Differs(why)) => {
            tally.not_replayable(why);
            return Ok(());
        }
    };
    if options.programme.as_deref().is_some_and(|only| !asked.concerns(only)) {
        return Ok(());
    }
    match timed(tally, || asked.split()) {
        Err(error) if error.code() == "busy" => Err(error),
        answer => {
            tally.split(row, &asked, answer);
            Ok(())
        }
    }
}

/// Asks until there was time for it, and counts the time that it took.
fn timed<T>(tally: &mut Tally, ask: impl Fn() -> Result<T, DeskError>) -> Result<T, DeskError> {
    until_not_busy(|| {
        let begun = Clock::now();
        let answer = ask();
        tally.deciding_ns += u64::try_from(begun.elapsed().as_nanos()).unwrap_or(u64::MAX);
        answer
    })
}
