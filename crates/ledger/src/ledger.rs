//! Runs an operation: reads, lets it be planned, commits it if what was read still holds, else plans it again; answers
//! a repeated one with what was answered. Must not know what any operation does.
//!
//! What begins something new is first planned on what is remembered of its cards, without reading more: its guards tell
//! whether that was right, and a refusal is only said of what was read.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use giftcard_engine::moment::InstantMs;

use crate::ids::Ids;
use crate::known::Known;
use crate::lanes::{Lanes, Ticket};
use crate::locks::{Guard, Key, Locks};
use crate::model::{Account, Id, Operation, Refusal};
use crate::plan::{Answer, Facts, LedgerError, Plan, Refused, Request, Stop, read_record};
use crate::reads::Reads;
use crate::store::{Changes, Found, Store, StoreError, Verdict, Want};

/// How often an operation is planned before its caller is told that the ledger is busy.
pub const ATTEMPTS_MAX: u32 = 24;

/// After so many conflicts, nothing that is under way is built on any more: another process writes the same cards.
const ATTEMPTS_HOPEFUL: u32 = 2;

/// How often reading may lead to more reading: as often as cards that replaced one another are followed, and some more.
const READS_MAX: u32 = 24;

/// How long a refusal is remembered.
pub const REFUSAL_MS: i64 = 24 * 60 * 60 * 1000;

/// Bytes in which a ledger remembers cards: about a million of them take that many.
pub const MEMORY: u64 = 384 << 20;

/// A ledger on a store. May be used from many threads at once.
pub struct Ledger {
    store: Arc<dyn Store>,
    lanes: Lanes,
    locks: Locks,
    ids: Ids,
    seen: AtomicI64,
    known: Known,
    reads: Reads,
}

impl Ledger {
    /// A ledger. `random` makes its ids differ from those of other processes.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, random: u64) -> Self {
        Self {
            lanes: Lanes::new(Arc::clone(&store)),
            store,
            locks: Locks::default(),
            ids: Ids::new(random),
            seen: AtomicI64::new(i64::MIN),
            known: Known::new(MEMORY),
            reads: Reads::default(),
        }
    }

    /// Remembers cards in about so many `bytes`, which are only taken as cards are met; [`MEMORY`] if not said. Below
    /// 1 MiB nothing is remembered, and each operation reads its cards. Meant for a ledger that was just made: one
    /// that remembers more already forgets at once, but gives the memory of its tables back only at its end.
    pub fn set_memory(&self, bytes: u64) {
        self.known.set_memory(bytes);
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
        self.lanes.wait(lane, &ticket)
    }

    /// Does an operation, once for all time: a repetition gets the first answer.
    ///
    /// # Errors
    /// [`LedgerError`]. With [`StoreError::Unknown`] it may have been done: ask again with the same key.
    pub fn run<P: Plan>(&self, request: &Request, plan: &mut P) -> Result<Answer, LedgerError<P::Error>> {
        let (mut conflicts, mut unavailable, mut hopeful) = (0, 0, true);
        if plan.begins_something()
            && self.known.has_room()
            && let Some(answer) = self.attempt_from_memory(request, plan)?
        {
            return Ok(answer);
        }
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

    /// Plans on what is remembered of cards, or was just read of them, and on there being nothing else. `None` where that is
    /// not enough, or was wrong, or says no.
    fn attempt_from_memory<P: Plan>(
        &self,
        request: &Request,
        plan: &mut P,
    ) -> Result<Option<Answer>, LedgerError<P::Error>> {
        let want = plan.want();
        if !want.credits.is_empty() {
            return Ok(None);
        }
        let site = request.key.site.as_str();
        let known = || {
            let keys = self.known.is_fresh(self.store.connections()).then(|| self.known.keys(site, &want)).flatten();
            keys.filter(|keys| self.known.has_accounts(keys))
        };
        let mut keys = known();
        if keys.is_none() {
            let cards = Want { codes: want.codes.clone(), accounts: want.accounts.clone(), ..Want::default() };
            self.reads.read(cards, &*self.store, &self.known);
            // What could not be read is not known, whatever was known of it before.
            keys = known();
        }
        let Some(keys) = keys else { return Ok(None) };
        let lane = self.lane(&keys);
        let guard = self.locks.lock(keys);
        let Some(mut found) = self.known.found(site, &want) else { return Ok(None) };
        let Some(builds_on) = guard.overlay(&mut found, lane) else { return Ok(None) };
        let now = self.not_before_seen(request.now.max(found.high_water));
        if found.accounts.values().any(|account| has_passed_hold(account, now)) {
            return Ok(None);
        }
        let changes = match plan.plan(&Facts { found, now, ids: &self.ids }) {
            Ok(changes) => changes,
            // Trying again at once would only add to it.
            Err(Stop::Failed(error)) if P::is_busy(&error) => return Err(LedgerError::Failed(error)),
            Err(_) => return Ok(None),
        };
        match self.commit(lane, guard, changes, builds_on) {
            Ok(Attempt::Answered(answer)) => Ok(Some(answer)),
            Ok(_) | Err(LedgerError::Store(StoreError::Unavailable(_))) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn attempt<P: Plan>(
        &self,
        request: &Request,
        plan: &mut P,
        hopeful: bool,
    ) -> Result<Attempt, LedgerError<P::Error>> {
        let want = Want { operation: Some(request.key.clone()), ..plan.want() };
        let early = self.known.keys(&request.key.site, &want).map(|keys| self.locks.lock(keys));
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
                // Part of what is under way has fallen meanwhile.
                if builds_on.is_none() {
                    return Ok(Attempt::Doubted);
                }
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

    /// What a plan needs, and whether all of it was so at one moment.
    fn read<P: Plan>(&self, want: &Want, plan: &P) -> Result<(Found, bool), StoreError> {
        let (begun, connection) = (Instant::now(), self.store.connections());
        let mut found = self.store.find(want)?;
        self.known.read(&found, begun, connection);
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
        let passed = found.accounts.values().filter(|account| has_passed_hold(account, now));
        let accounts: Vec<Id> = passed.map(|account| account.id).collect();
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
        let version = |accounts: &HashMap<Id, Account>, id| accounts.get(id).map(|account: &Account| account.version);
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
        let verdict = self.lanes.wait(lane, &ticket);
        under_way.committed = matches!(verdict, Ok(Verdict::Committed));
        // Before others stop seeing it as under way. A repetition says nothing of the accounts.
        if verdict.as_ref().ok() != Some(&Verdict::Duplicate) {
            self.known.written(ticket.changes(), under_way.committed);
        }
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
            if self.lanes.wait(lane, &ticket)? != Verdict::Committed {
                return Ok(Attempt::Again);
            }
        }
        Err(LedgerError::Refused(refused))
    }

    fn lane(&self, keys: &[Key]) -> usize {
        let first = keys.iter().min().map_or(0, Key::spread);
        usize::try_from(first % self.lanes.count() as u64).unwrap_or(0)
    }

    /// Longer the more often others were faster, and not the same for all.
    fn pause(&self, conflicts: u32) {
        let most_us = 100_u64 << conflicts.min(8);
        std::thread::sleep(Duration::from_micros(self.ids.random() % most_us));
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

/// Whether a hold on it may have passed.
fn has_passed_hold(account: &Account, now: InstantMs) -> bool {
    account.next_hold_end.is_some_and(|end| end <= now)
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
