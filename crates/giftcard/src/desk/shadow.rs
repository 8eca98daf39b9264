//! Versions that look on: after each live decision they are asked the same, on a thread of their own, and what they would
//! have decided otherwise is kept. Whatever they do, the decision has been made. Must not know how a decision is committed.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use giftcard_engine::QuoteRequest;
use giftcard_engine::moment::{InstantMs, format_instant};
use giftcard_engine::programme::Binding;
use giftcard_engine::refund::RefundRequest;
use giftcard_host::{Component, Rulebook};
use giftcard_ledger::Ledger;
use giftcard_ledger::model::{RecordKey, RecordKind};
use giftcard_ledger::store::{Changes, RecordChange, Verdict, Want};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::decision::{ShareFacts, returned, shares};
use super::{Desk, DeskError};

/// Decisions that wait to be looked at; more are passed over, and counted.
const WAITING_MAX: usize = 1024;

/// How long counts stay in memory before they are written.
const WRITE_EVERY: Duration = Duration::from_secs(2);

/// Differences of a version that are kept one by one; more are only counted.
const KEPT_MAX: u64 = 1000;

/// How long a process that ends goes on looking at what waits.
const CLOSING_MAX: Duration = Duration::from_secs(2);

/// How often writing is tried where others write the same.
const TRIES_MAX: u32 = 20;

/// A version that looks on, ready to be asked.
pub(super) struct Shadow {
    pub(super) site: String,
    pub(super) id: String,
    digest: String,
    /// Of a condition: by site and code name of a programme, the bindings, by their places, with its own name and settings as
    /// it reads them. None for rules.
    bindings: Option<Bindings>,
    book: Rulebook,
    /// The name of it in the rulebook.
    name: String,
}

/// By site and code name of a programme: bindings by their places.
pub(super) type Bindings = HashMap<(String, String), Vec<(usize, Binding)>>;

impl Shadow {
    /// Of a component, with everything else as it is in `book`.
    pub(super) fn new(site: &str, component: &Component, bindings: Option<Bindings>, book: &Rulebook) -> Self {
        let facts = component.facts();
        let mut book = book.clone();
        match component {
            Component::Rules(rules) => book.set_rules(rules.clone()),
            Component::Condition(condition) => book.add_pinned(condition.clone()),
        }
        let (id, digest, name) = (facts.id.clone(), facts.digest.clone(), giftcard_host::pinned(facts));
        Self { site: site.to_string(), id, digest, bindings, book, name }
    }

    /// What is asked of it: nothing where it would not be.
    fn question(&self, request: &QuoteRequest) -> Option<QuoteRequest> {
        let mut request = request.clone();
        let Some(bindings) = &self.bindings else { return Some(request) };
        let mut is_asked = false;
        for programme in &mut request.programmes {
            let ours = bindings.get(&(programme.site.clone(), programme.code_name.clone()));
            for (place, binding) in ours.into_iter().flatten() {
                if let Some(there) = Arc::make_mut(programme).conditions.get_mut(*place) {
                    there.clone_from(binding);
                    is_asked = true;
                }
            }
        }
        is_asked.then_some(request)
    }

    /// For which cards something else comes out, and how it failed; nothing where it is not asked.
    fn answer(&self, made: &Made) -> Option<(Vec<ShadowCard>, Option<String>)> {
        match made {
            Made::Payment(request, decided) => {
                let request = self.question(request)?;
                Some(match self.book.quote(&request, false) {
                    Ok(quoted) => {
                        let runs = quoted.quote.conditions.iter().filter(|run| run.plugin == self.name);
                        let failure = runs.filter_map(|run| Some(run.failure.as_ref()?.0.code.clone())).next();
                        (different(decided, &shares(&request, &quoted)), failure)
                    }
                    Err(error) => (Vec::new(), Some(crate::TillError::from(error).code().to_string())),
                })
            }
            // Conditions have no part in it.
            Made::Refund(..) if self.bindings.is_some() => None,
            Made::Refund(request, decided) => Some(match self.book.refund(request, false) {
                Ok(refunded) => {
                    let cards = decided.iter().map(|share| share.card.to_string());
                    // One card may have paid several times, each of which has its share.
                    (changed(decided.iter().zip(&returned(cards, &refunded.shares))), None)
                }
                Err(error) => (Vec::new(), Some(crate::TillError::from(error).code().to_string())),
            }),
        }
    }
}

/// What was asked, and what was decided.
pub(super) enum Made {
    /// About a payment.
    Payment(Box<QuoteRequest>, Vec<ShareFacts<'static>>),
    /// About a refund: what goes back to each payment.
    Refund(RefundRequest, Vec<ShareFacts<'static>>),
}

/// A decision that was made.
struct Seen {
    shadows: Arc<Vec<Shadow>>,
    made: Made,
    order: String,
    operation: String,
    at: InstantMs,
}

/// What a version that looks on has seen.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "ShadowCounts")]
pub struct ShadowCounts {
    /// Decisions it was asked about.
    pub decisions: u64,
    /// Of these, it would have decided the same.
    pub same: u64,
    /// Of these, it would have decided otherwise.
    pub different: u64,
    /// Of these, it failed.
    pub failed: u64,
    /// Decisions that it was not asked about, since too many waited.
    pub skipped: u64,
}

impl ShadowCounts {
    fn add(&mut self, other: &Self) {
        self.decisions += other.decisions;
        self.same += other.same;
        self.different += other.different;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }
}

/// A decision that a version that looks on would have made otherwise.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "ShadowDifference")]
pub struct ShadowDifference {
    /// When, as RFC 3339 in UTC.
    pub at: String,
    /// The order.
    pub order: String,
    /// The key of the operation, which may have been refused.
    pub operation: String,
    /// Whether it is about a refund: amounts are what went back and would have.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub refund: bool,
    /// How it failed, if it did.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub failed: Option<String>,
    /// The cards for which something else would have come out.
    pub cards: Vec<ShadowCard>,
}

/// A card for which something else would have come out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "ShadowCard")]
pub struct ShadowCard {
    /// Its id; empty for what goes back to other payment methods.
    pub card: String,
    /// What was decided: `used`, `not-needed`, or why it was refused; of a refund `returned`.
    pub before: String,
    /// What would have been decided.
    pub after: String,
    /// What it paid, in the smallest unit of the order's currency.
    pub paid_before: i64,
    /// What it would have paid.
    pub paid_after: i64,
}

/// What a version that looks on, or looked on, has found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "shadow-output")]
pub struct ShadowReport {
    /// The site.
    pub site: String,
    /// The plugin.
    pub id: String,
    /// SHA-256 of the version's bytes, in hexadecimal.
    pub digest: String,
    /// How much it has seen.
    pub counts: ShadowCounts,
    /// What it would have decided otherwise, at most 1,000 decisions, by the keys of their operations.
    pub differences: Vec<ShadowDifference>,
}

/// Looks at decisions that were made. Begins when there is something to look at, and writes what it found when it is
/// dropped.
#[derive(Default)]
pub(super) struct Watcher {
    running: OnceLock<Running>,
}

struct Running {
    sender: Mutex<Option<SyncSender<Seen>>>,
    skipped: Arc<Mutex<BTreeMap<Place, u64>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
    waiting: Arc<AtomicU64>,
    is_closing: Arc<AtomicBool>,
}

/// Site, plugin and digest.
type Place = (String, String, String);

impl Watcher {
    /// Looks at a decision, later.
    #[allow(clippy::too_many_arguments, reason = "what is known of a decision")]
    pub(super) fn see(
        &self,
        ledger: &Arc<Ledger>,
        shadows: &Arc<Vec<Shadow>>,
        made: Made,
        (order, operation): (&str, &str),
        at: InstantMs,
    ) {
        let running = self.running.get_or_init(|| Running::begin(Arc::clone(ledger)));
        let (order, operation) = (order.to_string(), operation.to_string());
        let seen = Seen { shadows: Arc::clone(shadows), made, order, operation, at };
        let sender = running.sender.lock().unwrap_or_else(PoisonError::into_inner);
        running.waiting.fetch_add(1, Ordering::AcqRel);
        let sent = sender.as_ref().is_some_and(|sender| sender.try_send(seen).is_ok());
        drop(sender);
        if !sent {
            running.waiting.fetch_sub(1, Ordering::AcqRel);
            let mut skipped = running.skipped.lock().unwrap_or_else(PoisonError::into_inner);
            for shadow in shadows.iter() {
                *skipped.entry(shadow.place()).or_default() += 1;
            }
        }
    }

    /// Waits until everything is looked at that was seen before, at most so long. For whoever wants to read what was found.
    pub(super) fn wait(&self, longest: Duration) {
        let begun = Instant::now();
        while let Some(running) = self.running.get()
            && running.waiting.load(Ordering::Acquire) > 0
            && begun.elapsed() < longest
        {
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

impl Shadow {
    fn place(&self) -> Place {
        (self.site.clone(), self.id.clone(), self.digest.clone())
    }
}

impl Running {
    fn begin(ledger: Arc<Ledger>) -> Self {
        let (sender, receiver) = sync_channel(WAITING_MAX);
        let (skipped, waiting): (Arc<Mutex<BTreeMap<Place, u64>>>, _) = (Arc::default(), Arc::new(AtomicU64::new(0)));
        let is_closing = Arc::new(AtomicBool::new(false));
        let thread = {
            let (skipped, waiting, is_closing) = (Arc::clone(&skipped), Arc::clone(&waiting), Arc::clone(&is_closing));
            let name = "giftcard-shadow".to_string();
            std::thread::Builder::new()
                .name(name)
                .spawn(move || look(&ledger, &receiver, &skipped, &waiting, &is_closing))
                .ok()
        };
        Self { sender: Mutex::new(Some(sender)), skipped, thread: Mutex::new(thread), waiting, is_closing }
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        if let Some(running) = self.running.get() {
            // What is waiting is still looked at, for a while.
            running.is_closing.store(true, Ordering::Release);
            *running.sender.lock().unwrap_or_else(PoisonError::into_inner) = None;
            if let Some(thread) = running.thread.lock().unwrap_or_else(PoisonError::into_inner).take() {
                let _ = thread.join();
            }
        }
    }
}

fn look(
    ledger: &Ledger,
    receiver: &Receiver<Seen>,
    skipped: &Mutex<BTreeMap<Place, u64>>,
    waiting: &AtomicU64,
    is_closing: &AtomicBool,
) {
    let mut closing: Option<Instant> = None;
    let mut counts: BTreeMap<Place, ShadowCounts> = BTreeMap::new();
    let mut written = Instant::now();
    loop {
        let (next, is_over) = match receiver.recv_timeout(WRITE_EVERY) {
            Ok(seen) => (Some(seen), false),
            Err(RecvTimeoutError::Timeout) => (None, false),
            Err(RecvTimeoutError::Disconnected) => (None, true),
        };
        if let Some(seen) = &next {
            if is_closing.load(Ordering::Acquire) {
                closing = closing.or_else(|| Some(Instant::now()));
            }
            let is_too_late = closing.is_some_and(|since| since.elapsed() >= CLOSING_MAX);
            for shadow in seen.shadows.iter() {
                let counts = counts.entry(shadow.place()).or_default();
                match is_too_late {
                    true => counts.skipped += 1,
                    false => ask(ledger, shadow, seen, counts),
                }
            }
        }
        let is_last = waiting.load(Ordering::Acquire) == u64::from(next.is_some());
        if is_over || is_last || written.elapsed() >= WRITE_EVERY {
            for (place, count) in std::mem::take(&mut *skipped.lock().unwrap_or_else(PoisonError::into_inner)) {
                counts.entry(place).or_default().skipped += count;
            }
            counts.retain(|place, counts| *counts != ShadowCounts::default() && !write_counts(ledger, place, counts));
            written = Instant::now();
        }
        if next.is_some() {
            waiting.fetch_sub(1, Ordering::AcqRel);
        }
        if is_over {
            return;
        }
    }
}

fn ask(ledger: &Ledger, shadow: &Shadow, seen: &Seen, counts: &mut ShadowCounts) {
    let Some((cards, failed)) = shadow.answer(&seen.made) else { return };
    // Not a decision.
    if failed.as_deref() == Some("busy") {
        counts.skipped += 1;
        return;
    }
    counts.decisions += 1;
    match (&failed, cards.is_empty()) {
        (Some(_), _) => counts.failed += 1,
        (None, true) => {
            counts.same += 1;
            return;
        }
        (None, false) => counts.different += 1,
    }
    let difference = ShadowDifference {
        at: format_instant(seen.at),
        order: seen.order.clone(),
        operation: seen.operation.clone(),
        refund: matches!(seen.made, Made::Refund(..)),
        failed,
        cards,
    };
    write_difference(ledger, shadow, &difference, counts);
}

fn different(before: &[ShareFacts<'_>], after: &[ShareFacts<'_>]) -> Vec<ShadowCard> {
    changed(before.iter().filter_map(|one| Some((one, after.iter().find(|other| other.card == one.card)?))))
}

fn changed<'s>(pairs: impl Iterator<Item = (&'s ShareFacts<'s>, &'s ShareFacts<'s>)>) -> Vec<ShadowCard> {
    let changed = pairs.filter(|(one, other)| one != other);
    changed
        .map(|(before, after)| ShadowCard {
            card: before.card.to_string(),
            before: before.outcome.to_string(),
            after: after.outcome.to_string(),
            paid_before: before.applied,
            paid_after: after.applied,
        })
        .collect()
}

/// Where counts are kept; differences are behind it.
fn key_of((site, id, digest): &Place, operation: Option<&str>) -> RecordKey {
    let id = match operation {
        None => format!("{id}@{digest}"),
        // Keys may be long, and ids of records are not.
        Some("") => format!("{id}@{digest}/"),
        Some(operation) => {
            let hash = giftcard_ledger::chain::digest(operation);
            format!("{id}@{digest}/{}", super::pay::hex(&hash[..16]))
        }
    };
    RecordKey { kind: RecordKind::Shadow, site: site.clone(), id }
}

fn kept_counts(ledger: &Ledger, place: &Place) -> Option<(Option<u64>, ShadowCounts)> {
    let key = key_of(place, None);
    let found = ledger.store().find(&Want { records: vec![key.clone()], ..Want::default() }).ok()?;
    match found.records.get(&key) {
        None => Some((None, ShadowCounts::default())),
        Some(record) => Some((Some(record.version), serde_json::from_str(&record.body).ok()?)),
    }
}

/// Adds to the counts that are kept. False where that did not work: it is tried again with the next ones.
fn write_counts(ledger: &Ledger, place: &Place, counts: &ShadowCounts) -> bool {
    for _ in 0..TRIES_MAX {
        let Some((before, mut kept)) = kept_counts(ledger, place) else { return false };
        kept.add(counts);
        let Ok(body) = serde_json::to_string(&kept) else { return false };
        let change = RecordChange { key: key_of(place, None), before, body: Some(body) };
        match ledger.write(Changes { records: vec![change], ..Changes::default() }) {
            Ok(Verdict::Committed) => return true,
            Ok(_) => {}
            Err(_) => return false,
        }
    }
    false
}

/// `counts` are those that are not written yet, this difference among them.
fn write_difference(ledger: &Ledger, shadow: &Shadow, difference: &ShadowDifference, counts: &ShadowCounts) {
    let place = shadow.place();
    let before = |kept: ShadowCounts| kept.different + kept.failed + counts.different + counts.failed;
    let is_enough = kept_counts(ledger, &place).is_none_or(|(_, kept)| before(kept) > KEPT_MAX);
    let Ok(body) = serde_json::to_string(difference) else { return };
    if !is_enough {
        let change = RecordChange { key: key_of(&place, Some(&difference.operation)), before: None, body: Some(body) };
        // Where it is there already, it says the same; where it cannot be written, it is counted all the same.
        let _ = ledger.write(Changes { records: vec![change], ..Changes::default() });
    }
}

impl Desk {
    /// What a version that looks on, or looked on, has found, by its digest. What this process has seen a moment ago is in
    /// it.
    ///
    /// # Errors
    /// [`DeskError::Store`].
    pub fn shadow_report(&self, site: &str, id: &str, digest: &str) -> Result<ShadowReport, DeskError> {
        self.watcher.wait(Duration::from_secs(5));
        let place = (site.to_string(), id.to_string(), digest.to_string());
        let (_, counts) = kept_counts(self.ledger(), &place).unwrap_or_default();
        let prefix = key_of(&place, Some("")).id;
        let mut differences = Vec::new();
        let mut after = prefix.clone();
        loop {
            let page = self.store().records(RecordKind::Shadow, site, &after, 200)?;
            let Some(last) = page.last().map(|record| record.key.id.clone()) else { break };
            let ours = page.iter().take_while(|record| record.key.id.starts_with(&prefix));
            let count = differences.len();
            differences.extend(ours.filter_map(|record| serde_json::from_str::<ShadowDifference>(&record.body).ok()));
            if differences.len() - count < page.len() {
                break;
            }
            after = last;
        }
        let (site, id, digest) = place;
        Ok(ShadowReport { site, id, digest, counts, differences })
    }
}
