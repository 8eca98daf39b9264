//! Runs an operation: reads, lets it be planned, commits it if what was read still holds, else plans it again; answers
//! a repeated one with what was answered. Must not know what any operation does.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use giftcard_engine::moment::InstantMs;
use serde::{Deserialize, Serialize};

use crate::lanes::{Lanes, Ticket};
use crate::locks::{Guard, Key, Locks};
use crate::model::{Hash32, Id, Operation, OperationKey, RecordKind, Refusal};
use crate::store::{Changes, Found, Personal, Store, StoreError, Verdict, Want};

/// How often an operation is planned before its caller is told that the ledger is busy.
pub const ATTEMPTS_MAX: u32 = 24;

/// After so many conflicts, nothing that is under way is built on any more: another process writes the same cards.
const ATTEMPTS_HOPEFUL: u32 = 2;

/// How often reading may lead to more reading: as often as cards that replaced one another are followed, and some more.
const READS_MAX: u32 = 24;

/// Code of the refusal where the sites and programmes changed since the caller read them: read them again, and ask anew.
pub const CONFIGURATION_CHANGED: &str = "configuration-changed";

/// How long a refusal is remembered.
pub const REFUSAL_MS: i64 = 24 * 60 * 60 * 1000;

/// Codes whose account is kept in memory, so that the account can be locked before it is read.
const KNOWN_CODES_MAX: usize = 65_536;

/// An operation as its sender asks for it.
#[derive(Clone, Debug)]
pub struct Request {
    /// Its identity.
    pub key: OperationKey,
    /// Over the request, without codes and personal fields.
    pub hash: Hash32,
    /// The moment; the ledger never goes back behind one it has seen.
    pub now: InstantMs,
    /// Personal fields of the request, to keep apart. Its reference is random.
    pub personal: Option<Personal>,
}

/// What a plan is made from.
pub struct Facts<'a> {
    /// What was read, with what is under way in this process put over it.
    pub found: Found,
    /// Now: never before a moment that the ledger has seen.
    pub now: InstantMs,
    ids: &'a Ids,
}

impl Facts<'_> {
    /// A new id.
    #[must_use]
    pub fn new_id(&self) -> Id {
        self.ids.next(self.now)
    }

    /// A document that was read, typed. `None` where there is none.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] where it is not of that type.
    pub fn record<T: serde::de::DeserializeOwned>(
        &self,
        kind: RecordKind,
        site: &str,
        id: &str,
    ) -> Result<Option<T>, StoreError> {
        let key = crate::model::RecordKey { kind, site: site.to_string(), id: id.to_string() };
        self.found.records.get(&key).map(|record| read_record(&record.body)).transpose()
    }
}

/// A document's body, typed.
///
/// # Errors
/// [`StoreError::Corrupt`] where it is not of that type.
pub fn read_record<T: serde::de::DeserializeOwned>(body: &str) -> Result<T, StoreError> {
    serde_json::from_str(body).map_err(|error| StoreError::Corrupt(format!("a stored document: {error}")))
}

/// What an operation does with what is there.
pub trait Plan {
    /// A failure that is no refusal: the rules failed, or the input is wrong.
    type Error;

    /// What it has to read.
    fn want(&self) -> Want;

    /// What else it has to read, as what was read shows; nothing by default. Asked until it wants nothing new.
    fn more(&self, found: &Found) -> Want {
        let _ = found;
        Want::default()
    }

    /// Whether it is what ends passed holds, which are then still there when it is planned.
    fn ends_holds(&self) -> bool {
        false
    }

    /// What it changes. May be called several times; only the last counts.
    ///
    /// # Errors
    /// [`Stop`].
    fn plan(&mut self, facts: &Facts<'_>) -> Result<Changes, Stop<Self::Error>>;
}

/// Why nothing is changed.
#[derive(Debug)]
pub enum Stop<E> {
    /// An ordinary answer: no.
    Refused(Refused),
    /// What was read about the configuration is old; plan again.
    Stale,
    /// The store holds what cannot be.
    Store(StoreError),
    /// Any other failure.
    Failed(E),
}

impl<E> From<Refused> for Stop<E> {
    fn from(refused: Refused) -> Self {
        Self::Refused(refused)
    }
}

impl<E> From<StoreError> for Stop<E> {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// A refusal: nothing moved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// Stable kebab-case code.
    pub code: String,
    /// What was wrong and what would be right. Never a code of a card.
    pub message: String,
    /// More about it, such as the new quote.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<Box<serde_json::Value>>,
    /// Whether a repetition gets the same answer for a day. Mistakes of the sender are not remembered.
    #[serde(skip)]
    pub remembered: bool,
}

impl Refused {
    /// A decision against the request, which is remembered.
    #[must_use]
    pub fn decided(code: &str, message: impl Into<String>) -> Self {
        Self { code: code.to_string(), message: message.into(), detail: None, remembered: true }
    }

    /// What the caller read of sites and programmes is old by now.
    #[must_use]
    pub fn configuration_changed() -> Self {
        Self::mistake(CONFIGURATION_CHANGED, "sites or programmes were changed meanwhile; nothing was done, try again")
    }

    /// A mistake in the request, which is not remembered.
    #[must_use]
    pub fn mistake(code: &str, message: impl Into<String>) -> Self {
        Self { remembered: false, ..Self::decided(code, message) }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Refused {}

/// Why there is no answer, or no new one.
#[derive(Debug)]
pub enum LedgerError<E> {
    /// Refused; nothing moved.
    Refused(Refused),
    /// The key was used for another request.
    KeyReused,
    /// Others were always faster; nothing moved.
    Busy,
    /// The store failed.
    Store(StoreError),
    /// The plan failed.
    Failed(E),
}

impl<E: fmt::Display> fmt::Display for LedgerError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(refused) => refused.fmt(f),
            Self::KeyReused => f.write_str("the operation key was used for another request; choose a new key"),
            Self::Busy => f.write_str("others change the same cards all the time; nothing was done, try again"),
            Self::Store(error) => error.fmt(f),
            Self::Failed(error) => error.fmt(f),
        }
    }
}

impl<E: std::error::Error> std::error::Error for LedgerError<E> {}

impl<E> From<StoreError> for LedgerError<E> {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// The answer to an operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// JSON, the same for every repetition.
    pub text: String,
    /// Whether it had been done before.
    pub repeated: bool,
}

/// A ledger on a store. May be used from many threads at once.
pub struct Ledger {
    store: Arc<dyn Store>,
    lanes: Lanes,
    locks: Locks,
    ids: Ids,
    seen: AtomicI64,
    known_codes: Mutex<HashMap<Hash32, Id>>,
}

impl Ledger {
    /// A ledger. `random` makes its ids differ from those of other processes.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, random: u64) -> Self {
        Self {
            lanes: Lanes::new(store.lanes()),
            store,
            locks: Locks::default(),
            ids: Ids::new(random),
            seen: AtomicI64::new(i64::MIN),
            known_codes: Mutex::default(),
        }
    }

    /// What keeps it.
    #[must_use]
    pub fn store(&self) -> &dyn Store {
        &*self.store
    }

    /// `now`, or the latest moment that this ledger has seen.
    pub fn not_before_seen(&self, now: InstantMs) -> InstantMs {
        self.seen.fetch_max(now, Ordering::AcqRel).max(now)
    }

    /// Ends the passed holds of what was read, so that `held` is of open holds only. For those who only look.
    ///
    /// # Errors
    /// As [`Ledger::run`].
    pub fn release_passed(
        &self,
        found: &mut Found,
        now: InstantMs,
    ) -> Result<(), LedgerError<std::convert::Infallible>> {
        for _ in 0..ATTEMPTS_MAX {
            let holds = match self.settle_holds(found, now, false)? {
                Holds::Passed(holds) => holds,
                Holds::Moved => Vec::new(),
                Holds::Settled | Holds::Doubted => return Ok(()),
            };
            for hold in holds {
                self.expire_hold(hold, now)?;
            }
            let accounts = found.accounts.keys().copied().collect();
            found.accounts = self.store.find(&Want { accounts, ..Want::default() })?.accounts;
        }
        Err(LedgerError::Busy)
    }

    /// A new id.
    pub fn new_id(&self, now: InstantMs) -> Id {
        self.ids.next(now)
    }

    /// What was answered to this request, if it was done before. Does nothing.
    ///
    /// # Errors
    /// As [`Ledger::run`]; also the refusal that is still remembered.
    pub fn recall(&self, request: &Request) -> Result<Option<Answer>, LedgerError<std::convert::Infallible>> {
        let found = self.store.find(&Want { operation: Some(request.key.clone()), ..Want::default() })?;
        self.repeated(request, &found)
    }

    /// Writes what is no operation: configuration, other documents, codes. The caller reads anew after a conflict.
    /// INVARIANT: `changes` has neither accounts nor entries, so that money only moves in operations.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn write(&self, changes: Changes) -> Result<Verdict, StoreError> {
        debug_assert!(changes.accounts.is_empty() && changes.entries.is_empty() && changes.operation.is_none());
        let keys: Vec<Key> = changes.records.iter().map(|change| Key::Record(change.key.clone())).collect();
        let lane = self.lane(&keys);
        let ticket = self.lanes.hand_in(lane, changes, Vec::new());
        self.lanes.wait(lane, &ticket, self.store())
    }

    /// Does an operation, once for all time: a repetition gets the first answer.
    ///
    /// # Errors
    /// [`LedgerError`]. With [`StoreError::Unknown`] it may have been done: ask again with the same key.
    pub fn run<P: Plan>(&self, request: &Request, plan: &mut P) -> Result<Answer, LedgerError<P::Error>> {
        let (mut conflicts, mut unavailable, mut hopeful) = (0, 0, true);
        for _ in 0..ATTEMPTS_MAX {
            match self.attempt(request, plan, hopeful) {
                Ok(Attempt::Answered(answer)) => return Ok(answer),
                Ok(Attempt::Again) => {}
                Ok(Attempt::Doubted) => hopeful = false,
                Ok(Attempt::Conflict) => {
                    conflicts += 1;
                    hopeful = hopeful && conflicts < ATTEMPTS_HOPEFUL;
                    self.pause(conflicts);
                }
                // A file that another process has locked for long may be free soon.
                Err(LedgerError::Store(StoreError::Unavailable(_))) if unavailable < 2 => {
                    unavailable += 1;
                    self.pause(unavailable);
                }
                Err(error) => return Err(error),
            }
        }
        Err(LedgerError::Busy)
    }

    fn attempt<P: Plan>(
        &self,
        request: &Request,
        plan: &mut P,
        hopeful: bool,
    ) -> Result<Attempt, LedgerError<P::Error>> {
        let want = Want { operation: Some(request.key.clone()), ..plan.want() };
        let early = self.predict(&want).map(|keys| self.locks.lock(keys));
        let (mut found, mut at_once) = self.read(&want, plan)?;
        if let Some(answer) = self.repeated(request, &found)? {
            return Ok(Attempt::Answered(answer));
        }
        let keys = keys(&want, &found);
        let lane = self.lane(&keys);
        let (guard, fresh) = match early.filter(|guard| guard.covers(&keys)) {
            Some(guard) => (guard, true),
            None => {
                let guard = self.locks.lock(keys.clone());
                let fresh = !guard.waited;
                (guard, fresh)
            }
        };
        let mut builds_on = hopeful.then(|| guard.overlay(&mut found, lane)).flatten();
        if builds_on.is_none() || !fresh {
            if builds_on.is_none() {
                guard.settle();
            }
            (found, at_once) = self.read(&want, plan)?;
            if !guard.covers(&self::keys(&want, &found)) {
                return Ok(Attempt::Again);
            }
            // Somebody else may have done the same operation while this one waited.
            if let Some(answer) = self.repeated(request, &found)? {
                return Ok(Attempt::Answered(answer));
            }
            if builds_on.is_some() {
                builds_on = guard.overlay(&mut found, lane);
            }
        }
        let builds_on = builds_on.unwrap_or_default();
        let built_on = !builds_on.is_empty();
        let now = self.not_before_seen(request.now.max(found.high_water));
        let holds = if plan.ends_holds() { Holds::Settled } else { self.settle_holds(&mut found, now, built_on)? };
        match holds {
            Holds::Settled => {}
            Holds::Doubted => return Ok(Attempt::Doubted),
            Holds::Moved => return Ok(Attempt::Again),
            Holds::Passed(holds) => {
                drop(guard);
                for hold in holds {
                    self.expire_hold(hold, now)?;
                }
                return Ok(Attempt::Again);
            }
        }
        let facts = Facts { found, now, ids: &self.ids };
        match plan.plan(&facts) {
            Ok(changes) => self.commit(lane, guard, changes, builds_on),
            Err(Stop::Stale) => Ok(Attempt::Conflict),
            // What it is said of may never come to be, and is not seen whole: look again once it is known.
            Err(_) if built_on => Ok(Attempt::Doubted),
            // A commit would be refused by its guards; an answer has none.
            Err(_) if !at_once && !self.is_as_read(&want, &facts.found)? => Ok(Attempt::Again),
            Err(Stop::Store(error)) => Err(LedgerError::Store(error)),
            Err(Stop::Failed(error)) => Err(LedgerError::Failed(error)),
            Err(Stop::Refused(refused)) => self.refuse(request, lane, guard, refused, now),
        }
    }

    /// The keys that `want` leads to, as far as they are known without reading; `None` if some are not.
    fn predict(&self, want: &Want) -> Option<Vec<Key>> {
        let known = self.known_codes();
        let codes = want.codes.iter().map(|lookups| lookups.iter().find_map(|lookup| known.get(lookup).copied()));
        let mut keys = codes.map(|account| account.map(Key::Account)).collect::<Option<Vec<Key>>>()?;
        if !want.credits.is_empty() {
            return None;
        }
        keys.extend(want.accounts.iter().copied().map(Key::Account));
        keys.extend(want.records.iter().cloned().map(Key::Record));
        Some(keys)
    }

    /// What a plan needs, and whether all of it was so at one moment.
    fn read<P: Plan>(&self, want: &Want, plan: &P) -> Result<(Found, bool), StoreError> {
        let mut found = self.store.find(want)?;
        let mut known = self.known_codes();
        for (lookups, code) in want.codes.iter().zip(&found.codes) {
            if let Some(code) = code
                && let Some(account) = code.account
                && lookups.contains(&code.lookup)
            {
                if known.len() >= KNOWN_CODES_MAX {
                    known.clear();
                }
                known.insert(code.lookup, account);
            }
        }
        drop(known);
        let (mut accounts, mut records) = (want.accounts.clone(), want.records.clone());
        let mut at_once = true;
        for _ in 0..READS_MAX {
            let mut more = plan.more(&found);
            more.accounts.retain(|id| !found.accounts.contains_key(id) && !accounts.contains(id));
            more.records.retain(|key| !records.contains(key));
            if more == Want::default() {
                break;
            }
            let further = self.store.find(&more)?;
            at_once = false;
            accounts.extend(more.accounts);
            records.extend(more.records);
            found.accounts.extend(further.accounts);
            found.records.extend(further.records);
        }
        Ok((found, at_once))
    }

    /// Whether everything that was found, step by step, is still so, and was so at one moment then.
    fn is_as_read(&self, want: &Want, found: &Found) -> Result<bool, StoreError> {
        let mut records = want.records.clone();
        records.extend(found.records.keys().filter(|key| !want.records.contains(key)).cloned());
        let accounts = found.accounts.keys().copied().collect();
        let now = self.store.find(&Want { records, accounts, ..want.clone() })?;
        let accounts = found
            .accounts
            .iter()
            .all(|(id, account)| now.accounts.get(id).is_some_and(|there| there.version == account.version));
        let versions = |found: &Found| {
            let versions = found.records.iter().map(|(key, record)| (key.clone(), record.version));
            versions.collect::<HashMap<_, _>>()
        };
        Ok(now.operation.is_none() && accounts && versions(&now) == versions(found))
    }

    /// The answer to an operation that was done or refused before.
    fn repeated<E>(&self, request: &Request, found: &Found) -> Result<Option<Answer>, LedgerError<E>> {
        if let Some(operation) = &found.operation {
            if operation.request_hash != request.hash || !self.same_person(request, operation)? {
                return Err(LedgerError::KeyReused);
            }
            return Ok(Some(Answer { text: operation.answer.clone(), repeated: true }));
        }
        let now = self.not_before_seen(request.now.max(found.high_water));
        match &found.refusal {
            Some(refusal) if refusal.until > now => {
                if refusal.request_hash != request.hash {
                    return Err(LedgerError::KeyReused);
                }
                Err(LedgerError::Refused(read_record(&refusal.answer)?))
            }
            _ => Ok(None),
        }
    }

    /// Whether the personal fields are those of the first time. What was erased is not compared.
    fn same_person(&self, request: &Request, operation: &Operation) -> Result<bool, StoreError> {
        let Some(reference) = operation.personal else { return Ok(request.personal.is_none()) };
        let Some(kept) = self.store.personal(reference)? else { return Ok(true) };
        Ok(request.personal.as_ref().is_some_and(|personal| personal.body == kept.body))
    }

    /// Sees to it that `held` of every account is of open holds only.
    fn settle_holds(&self, found: &mut Found, now: InstantMs, built_on: bool) -> Result<Holds, StoreError> {
        let passed = |account: &&crate::model::Account| account.next_hold_end.is_some_and(|end| end <= now);
        let accounts: Vec<Id> = found.accounts.values().filter(passed).map(|account| account.id).collect();
        if accounts.is_empty() {
            return Ok(Holds::Settled);
        }
        // The store does not know the holds that are under way.
        if built_on {
            return Ok(Holds::Doubted);
        }
        let mut holds: Vec<Id> = self.store.passed_holds(&accounts, now)?.into_iter().map(|open| open.hold).collect();
        if !holds.is_empty() {
            holds.sort_unstable();
            holds.dedup();
            return Ok(Holds::Passed(holds));
        }
        // Another process may have ended them after the accounts were read.
        let there = self.store.find(&Want { accounts: accounts.clone(), ..Want::default() })?.accounts;
        let version = |accounts: &HashMap<Id, crate::model::Account>, id| {
            accounts.get(id).map(|account: &crate::model::Account| account.version)
        };
        if accounts.iter().any(|id| version(&there, id) != version(&found.accounts, id)) {
            return Ok(Holds::Moved);
        }
        // The first end was that of a hold which is closed by now.
        let ends = self.store.next_hold_ends(&accounts, &[])?;
        for id in accounts {
            if let Some(account) = found.accounts.get_mut(&id) {
                account.next_hold_end = ends.get(&id).copied();
            }
        }
        Ok(Holds::Settled)
    }

    fn expire_hold<E>(&self, hold: Id, now: InstantMs) -> Result<(), LedgerError<E>> {
        let never = |error| match error {
            LedgerError::Refused(refused) => LedgerError::Refused(refused),
            LedgerError::KeyReused => LedgerError::KeyReused,
            LedgerError::Busy => LedgerError::Busy,
            LedgerError::Store(error) => LedgerError::Store(error),
            LedgerError::Failed(never) => match never {},
        };
        crate::operations::expire_hold(self, hold, now).map(|_| ()).map_err(never)
    }

    fn commit<E>(
        &self,
        lane: usize,
        guard: Guard<'_>,
        changes: Changes,
        builds_on: Vec<Arc<Ticket>>,
    ) -> Result<Attempt, LedgerError<E>> {
        let ticket = self.lanes.hand_in(lane, changes, builds_on);
        let mut under_way = guard.publish(&ticket, lane);
        // Whoever is next can plan on what this one will have done.
        drop(guard);
        let verdict = self.lanes.wait(lane, &ticket, self.store());
        under_way.committed = matches!(verdict, Ok(Verdict::Committed));
        drop(under_way);
        match verdict? {
            Verdict::Committed => {
                let operation = ticket.changes().operation.as_ref();
                let text = operation.map(|operation| operation.answer.clone()).unwrap_or_default();
                Ok(Attempt::Answered(Answer { text, repeated: false }))
            }
            Verdict::Conflict => Ok(Attempt::Conflict),
            Verdict::Duplicate => Ok(Attempt::Again),
        }
    }

    fn refuse<E>(
        &self,
        request: &Request,
        lane: usize,
        guard: Guard<'_>,
        refused: Refused,
        now: InstantMs,
    ) -> Result<Attempt, LedgerError<E>> {
        drop(guard);
        if refused.remembered {
            let answer = serde_json::to_string(&refused).expect("INVARIANT: a refusal has string keys only");
            let refusal = Refusal {
                key: request.key.clone(),
                request_hash: request.hash,
                at: now,
                until: now.saturating_add(REFUSAL_MS),
                answer,
            };
            let changes = Changes { refusal: Some(refusal), ..Changes::default() };
            let ticket = self.lanes.hand_in(lane, changes, Vec::new());
            // Somebody else's answer to the same key goes first.
            if self.lanes.wait(lane, &ticket, self.store())? != Verdict::Committed {
                return Ok(Attempt::Again);
            }
        }
        Err(LedgerError::Refused(refused))
    }

    fn lane(&self, keys: &[Key]) -> usize {
        let first = keys.iter().min().map_or(0, |key| match key {
            Key::Account(id) | Key::Code(id) => id.get().unsigned_abs(),
            Key::Record(key) => key.id.bytes().fold(7, |hash: u64, byte| hash.wrapping_mul(31) ^ u64::from(byte)),
        });
        usize::try_from(first % self.lanes.count() as u64).unwrap_or(0)
    }

    /// Longer the more often others were faster, and not the same for all.
    fn pause(&self, conflicts: u32) {
        let most_us = 100_u64 << conflicts.min(8);
        std::thread::sleep(Duration::from_micros(self.ids.random() % most_us));
    }

    fn known_codes(&self) -> MutexGuard<'_, HashMap<Hash32, Id>> {
        self.known_codes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

enum Attempt {
    Answered(Answer),
    /// What was read shows that it was not enough.
    Again,
    /// The answer depends on what is still under way.
    Doubted,
    /// Somebody else was faster.
    Conflict,
}

enum Holds {
    Settled,
    Doubted,
    /// The accounts are not as they were read any more.
    Moved,
    Passed(Vec<Id>),
}

/// Everything that one caller at a time decides about.
fn keys(want: &Want, found: &Found) -> Vec<Key> {
    let accounts = found.accounts.keys().copied().chain(want.accounts.iter().copied()).map(Key::Account);
    // A drawn code does not change with what its account does.
    let free = |code: &&crate::model::Code| code.account.is_none();
    let codes = found.codes.iter().flatten().filter(free).map(|code| Key::Code(code.id));
    let records = found.records.keys().chain(&want.records).cloned().map(Key::Record);
    let mut keys: Vec<Key> = accounts.chain(codes).chain(records).collect();
    keys.sort_unstable();
    keys.dedup();
    keys
}

/// Makes ids: the moment in front, so that new ones lie together, and a counter from a random start behind it.
pub(crate) struct Ids {
    last: AtomicI64,
    random: AtomicU64,
}

/// Bits of an id behind the moment.
const ID_RANDOM_BITS: u32 = 20;

impl Ids {
    fn new(random: u64) -> Self {
        Self { last: AtomicI64::new(0), random: AtomicU64::new(random) }
    }

    /// Splitmix64: spreads ids and pauses; no secret depends on it.
    fn random(&self) -> u64 {
        let state = self.random.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed);
        let state = (state ^ state >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let state = (state ^ state >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        state ^ state >> 31
    }

    fn next(&self, now: InstantMs) -> Id {
        let moment = now.clamp(0, i64::MAX >> ID_RANDOM_BITS) << ID_RANDOM_BITS;
        let random = i64::try_from(self.random() >> (64 - ID_RANDOM_BITS)).unwrap_or(0);
        let fresh = moment | random;
        // A greater one than the last, so that many made in one moment stay together and differ.
        let next = |last: i64| {
            Some(if last >= fresh || last >> ID_RANDOM_BITS == fresh >> ID_RANDOM_BITS {
                last.saturating_add(1)
            } else {
                fresh
            })
        };
        let last = self.last.fetch_update(Ordering::AcqRel, Ordering::Acquire, next).unwrap_or(fresh);
        Id::new(next(last).unwrap_or(fresh)).expect("INVARIANT: made from numbers that are not negative")
    }
}
