//! Stores that fail, and stores that lie: each stands before a real one. Must not know what an operation means.

use std::collections::HashMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use giftcard_engine::moment::InstantMs;
use giftcard_ledger::model::{Account, Code, CodeState, Hash32, Id, Record, RecordKind};
use giftcard_ledger::store::{
    AccountFilter, Booked, Changes, Checkpoint, CounterSum, DecisionFilter, DecisionRow, Found, Liability, Numbered,
    OpenHold, Personal, SealedHead, Store, StoreError, Turnover, Verdict, Want,
};

/// What is done in place of the two calls that operations are made of, and of reading components. Everything else goes through.
pub trait Fault: Send + Sync {
    /// In place of `inner.find`.
    ///
    /// # Errors
    /// As the store.
    fn find(&self, inner: &dyn Store, want: &Want) -> Result<Found, StoreError> {
        inner.find(want)
    }

    /// In place of `inner.component`.
    ///
    /// # Errors
    /// As the store.
    fn component(&self, inner: &dyn Store, digest: Hash32) -> Result<Option<Vec<u8>>, StoreError> {
        inner.component(digest)
    }

    /// In place of `inner.commit`.
    ///
    /// # Errors
    /// As the store.
    fn commit(&self, inner: &dyn Store, lane: usize, batch: &[&Changes]) -> Result<Vec<Verdict>, StoreError> {
        inner.commit(lane, batch)
    }
}

/// A store with a fault.
pub struct Faulty<F> {
    inner: Arc<dyn Store>,
    /// The fault.
    pub fault: F,
}

impl<F: Fault> Faulty<F> {
    /// Puts a fault before a store.
    pub fn new(inner: Arc<dyn Store>, fault: F) -> Self {
        Self { inner, fault }
    }
}

/// Random numbers that many threads draw from: the same set for the same seed.
pub struct Dice(AtomicU64);

impl Dice {
    /// From a seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(AtomicU64::new(seed))
    }

    /// A number below `sides`.
    pub fn roll(&self, sides: u64) -> u64 {
        // Splitmix64.
        let state = self.0.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed);
        let state = (state ^ state >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let state = (state ^ state >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        (state ^ state >> 31) % sides
    }
}

/// Cuts the connection now and then: before a commit, so that it never comes, or after it, so that nobody hears of it.
pub struct Cut {
    dice: Dice,
    one_in: u64,
    /// How often it was cut before a commit.
    pub before: AtomicU64,
    /// How often it was cut after one.
    pub after: AtomicU64,
}

impl Cut {
    /// Cuts one commit in so many.
    #[must_use]
    pub fn one_in(one_in: u64, seed: u64) -> Self {
        Self { dice: Dice::new(seed), one_in, before: AtomicU64::new(0), after: AtomicU64::new(0) }
    }
}

impl Fault for Cut {
    fn commit(&self, inner: &dyn Store, lane: usize, batch: &[&Changes]) -> Result<Vec<Verdict>, StoreError> {
        let cut = || Err(StoreError::Unknown("cut by the test".to_string()));
        match self.dice.roll(2 * self.one_in) {
            0 => {
                self.before.fetch_add(1, Ordering::Relaxed);
                cut()
            }
            1 => {
                inner.commit(lane, batch)?;
                self.after.fetch_add(1, Ordering::Relaxed);
                cut()
            }
            _ => inner.commit(lane, batch),
        }
    }
}

/// Gives no components as long as it is set.
#[derive(Default)]
pub struct NoComponents {
    /// Whether it gives none.
    pub is_set: AtomicBool,
    /// How often one was asked for in vain.
    pub asked: AtomicU64,
}

impl Fault for NoComponents {
    fn component(&self, inner: &dyn Store, digest: Hash32) -> Result<Option<Vec<u8>>, StoreError> {
        if !self.is_set.load(Ordering::Relaxed) {
            return inner.component(digest);
        }
        self.asked.fetch_add(1, Ordering::Relaxed);
        Err(StoreError::Unavailable("the test gives no components".to_string()))
    }
}

/// Keeps waiting whoever reads what a version that looks on has found, until it is opened.
#[derive(Default)]
pub struct SlowShadow {
    is_open: Mutex<bool>,
    opened: Condvar,
}

impl SlowShadow {
    /// Keeps nobody waiting any more.
    pub fn open(&self) {
        *self.is_open.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.opened.notify_all();
    }
}

impl Fault for SlowShadow {
    fn find(&self, inner: &dyn Store, want: &Want) -> Result<Found, StoreError> {
        if want.records.iter().any(|key| key.kind == RecordKind::Shadow) {
            let is_open = self.is_open.lock().unwrap_or_else(PoisonError::into_inner);
            drop(self.opened.wait_while(is_open, |is_open| !*is_open));
        }
        inner.find(want)
    }
}

/// Keeps the commit of one operation waiting, and remembers which operations were committed together.
pub struct Gate {
    key: String,
    forgets_what_is_built_on: bool,
    open: (Mutex<bool>, Condvar),
    /// The keys of each batch that was begun, in order.
    pub batches: Mutex<Vec<Vec<String>>>,
}

impl Gate {
    /// Keeps the operation with this key waiting. Where it `forgets_what_is_built_on`, the store does not ask whether what
    /// an operation builds on was written: a control, which must go wrong.
    #[must_use]
    pub fn before(key: &str, forgets_what_is_built_on: bool) -> Self {
        let open = (Mutex::new(false), Condvar::new());
        Self { key: key.to_string(), forgets_what_is_built_on, open, batches: Mutex::default() }
    }

    /// Lets it go on.
    pub fn open(&self) {
        *locked(&self.open.0) = true;
        self.open.1.notify_all();
    }

    /// Waits until a commit waits.
    pub fn wait_until_reached(&self) {
        while !locked(&self.batches).iter().flatten().any(|key| *key == self.key) {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Fault for Gate {
    fn commit(&self, inner: &dyn Store, lane: usize, batch: &[&Changes]) -> Result<Vec<Verdict>, StoreError> {
        let key = |changes: &&Changes| changes.operation.as_ref().map(|operation| operation.key.key.clone());
        let keys: Vec<String> = batch.iter().filter_map(key).collect();
        let waits = keys.contains(&self.key);
        locked(&self.batches).push(keys);
        if waits {
            let open = locked(&self.open.0);
            drop(self.open.1.wait_while(open, |open| !*open).unwrap_or_else(PoisonError::into_inner));
        }
        if !self.forgets_what_is_built_on {
            return inner.commit(lane, batch);
        }
        let bare = |changes: &&Changes| Changes { builds_on: Vec::new(), ..(*changes).clone() };
        let bare: Vec<Changes> = batch.iter().map(bare).collect();
        inner.commit(lane, &bare.iter().collect::<Vec<_>>())
    }
}

/// Lets something happen once, right after an operation has read for the first time.
pub struct Meanwhile {
    key: String,
    happens: Mutex<Option<Box<dyn FnOnce() + Send>>>,
}

impl Meanwhile {
    /// Lets it happen after the first read of the operation with this key.
    #[must_use]
    pub fn after_first_read(key: &str, happens: impl FnOnce() + Send + 'static) -> Self {
        Self { key: key.to_string(), happens: Mutex::new(Some(Box::new(happens))) }
    }
}

impl Fault for Meanwhile {
    fn find(&self, inner: &dyn Store, want: &Want) -> Result<Found, StoreError> {
        let found = inner.find(want);
        let is_its = want.operation.as_ref().is_some_and(|operation| operation.key == self.key);
        // A payment reads its cards alone at first.
        if is_its || !want.codes.is_empty() {
            let happens = locked(&self.happens).take();
            if let Some(happens) = happens {
                happens();
            }
        }
        found
    }
}

/// How a store lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lie {
    /// A commit is acknowledged and never made.
    Lost,
    /// What was read at an older version is written all the same, over what came between.
    Overwritten,
    /// A balance is answered as it was some time ago.
    OldBalance,
    /// A commit is made twice.
    Doubled,
}

impl Lie {
    /// Every lie.
    pub const ALL: [Self; 4] = [Self::Lost, Self::Overwritten, Self::OldBalance, Self::Doubled];
}

/// Lies now and then.
pub struct Liar {
    lie: Lie,
    dice: Dice,
    one_in: u64,
    old: Mutex<HashMap<Id, Account>>,
    /// How often it has lied.
    pub lies: AtomicU64,
}

impl Liar {
    /// Lies once in so many chances.
    #[must_use]
    pub fn one_in(lie: Lie, one_in: u64, seed: u64) -> Self {
        Self { lie, dice: Dice::new(seed), one_in, old: Mutex::default(), lies: AtomicU64::new(0) }
    }

    fn lies_now(&self) -> bool {
        let lies = self.dice.roll(self.one_in) == 0;
        if lies {
            self.lies.fetch_add(1, Ordering::Relaxed);
        }
        lies
    }

    /// Keeps a commit back until somebody else has written to an account of its, or for a while if nobody does: an old
    /// version to write over does not come about by itself where the machine lets the desks run one after the other.
    fn outdate(inner: &dyn Store, changes: &Changes) -> Result<(), StoreError> {
        let want =
            Want { accounts: changes.accounts.iter().map(|change| change.after.id).collect(), ..Want::default() };
        for _ in 0..50 {
            let there = inner.find(&want)?.accounts;
            let version = |id| there.get(id).map(|account| account.version);
            if changes.accounts.iter().any(|change| version(&change.after.id) != change.before) {
                break;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    }

    /// Writes a change again, over whatever is there now.
    fn write_over(
        &self,
        inner: &dyn Store,
        lane: usize,
        changes: &Changes,
        suffix: &str,
    ) -> Result<Verdict, StoreError> {
        let want = Want {
            accounts: changes.accounts.iter().map(|change| change.after.id).collect(),
            records: changes.records.iter().map(|change| change.key.clone()).collect(),
            ..Want::default()
        };
        let found = inner.find(&want)?;
        let mut forced = changes.clone();
        if let Some(operation) = &mut forced.operation {
            operation.key.key.push_str(suffix);
        }
        forced.checks.clear();
        forced.account_checks.clear();
        let mut moved = HashMap::new();
        for change in &mut forced.accounts {
            let Some(there) = found.accounts.get(&change.after.id) else { continue };
            moved.insert(change.after.id, (there.version + 1).wrapping_sub(change.after.version));
            change.before = Some(there.version);
            change.after.version = there.version + 1;
            if !suffix.is_empty() {
                // Done twice: the same amount once more, as long as there is something to take it from.
                let amount = forced.entries.iter().find_map(|entry| match entry.leg {
                    giftcard_ledger::model::Leg::Account { id, .. } if id == change.after.id => Some(entry.amount),
                    _ => None,
                });
                let again = there.balance.plus(amount.unwrap_or_default()).unwrap_or_default();
                if again < there.held || again.is_negative() {
                    return Ok(Verdict::Conflict);
                }
                change.after.balance = again;
            }
        }
        for entry in &mut forced.entries {
            if let giftcard_ledger::model::Leg::Account { id, number, .. } = &mut entry.leg {
                *number = number.wrapping_add(moved.get(id).copied().unwrap_or(0));
            }
        }
        for change in &mut forced.records {
            change.before = found.records.get(&change.key).map(|record| record.version);
        }
        Ok(inner.commit(lane, &[&forced])?.remove(0))
    }
}

impl Fault for Liar {
    fn find(&self, inner: &dyn Store, want: &Want) -> Result<Found, StoreError> {
        let mut found = inner.find(want)?;
        // Only to those who look: an operation that builds on an old balance is refused by its guard.
        if self.lie == Lie::OldBalance && want.operation.is_none() {
            let mut old = locked(&self.old);
            for account in found.accounts.values_mut() {
                let kept = old.entry(account.id).or_insert_with(|| account.clone());
                if kept.balance != account.balance && self.lies_now() {
                    *account = kept.clone();
                } else if self.dice.roll(8) == 0 {
                    *kept = account.clone();
                }
            }
        }
        Ok(found)
    }

    fn commit(&self, inner: &dyn Store, lane: usize, batch: &[&Changes]) -> Result<Vec<Verdict>, StoreError> {
        let moves = |changes: &Changes| changes.operation.is_some() && !changes.accounts.is_empty();
        if self.lie == Lie::Lost && batch.iter().all(|changes| moves(changes)) && self.lies_now() {
            return Ok(vec![Verdict::Committed; batch.len()]);
        }
        if self.lie == Lie::Overwritten
            && self.dice.roll(self.one_in) == 0
            && let Some(changes) = batch.iter().find(|changes| moves(changes))
        {
            Self::outdate(inner, changes)?;
        }
        let mut verdicts = inner.commit(lane, batch)?;
        for (changes, verdict) in batch.iter().zip(&mut verdicts) {
            match (self.lie, &verdict) {
                (Lie::Overwritten, Verdict::Conflict) if moves(changes) && self.lies_now() => {
                    *verdict = self.write_over(inner, lane, changes, "")?;
                }
                (Lie::Doubled, Verdict::Committed) if moves(changes) && self.lies_now() => {
                    self.write_over(inner, lane, changes, ", once more")?;
                }
                _ => {}
            }
        }
        Ok(verdicts)
    }
}

impl<F: Fault> Store for Faulty<F> {
    fn lanes(&self) -> usize {
        self.inner.lanes()
    }

    fn connections(&self) -> u64 {
        self.inner.connections()
    }

    fn find(&self, want: &Want) -> Result<Found, StoreError> {
        self.fault.find(&*self.inner, want)
    }

    fn commit(&self, lane: usize, batch: &[&Changes]) -> Result<Vec<Verdict>, StoreError> {
        self.fault.commit(&*self.inner, lane, batch)
    }

    fn passed_holds(&self, accounts: &[Id], now: InstantMs) -> Result<Vec<OpenHold>, StoreError> {
        self.inner.passed_holds(accounts, now)
    }

    fn next_hold_ends(&self, accounts: &[Id], without: &[Id]) -> Result<HashMap<Id, InstantMs>, StoreError> {
        self.inner.next_hold_ends(accounts, without)
    }

    fn all_passed_holds(&self, now: InstantMs, limit: usize) -> Result<Vec<OpenHold>, StoreError> {
        self.inner.all_passed_holds(now, limit)
    }

    fn accounts(&self, filter: &AccountFilter) -> Result<Vec<Account>, StoreError> {
        self.inner.accounts(filter)
    }

    fn history(&self, account: Id, after: u64, limit: usize) -> Result<Vec<Booked>, StoreError> {
        self.inner.history(account, after, limit)
    }

    fn operations(&self, after: i64, limit: usize) -> Result<Vec<Numbered>, StoreError> {
        self.inner.operations(after, limit)
    }

    fn not_found_by_key(&self, operations: &[Numbered]) -> Result<Vec<i64>, StoreError> {
        self.inner.not_found_by_key(operations)
    }

    fn records(&self, kind: RecordKind, site: &str, after: &str, limit: usize) -> Result<Vec<Record>, StoreError> {
        self.inner.records(kind, site, after, limit)
    }

    fn codes(
        &self,
        site: &str,
        pool: &str,
        state: CodeState,
        after: Option<Id>,
        limit: usize,
    ) -> Result<Vec<Code>, StoreError> {
        self.inner.codes(site, pool, state, after, limit)
    }

    fn code_counts(&self, site: &str, pool: &str) -> Result<HashMap<CodeState, u64>, StoreError> {
        self.inner.code_counts(site, pool)
    }

    fn codes_of(&self, account: Id) -> Result<Vec<Code>, StoreError> {
        self.inner.codes_of(account)
    }

    fn pepper_uses(&self) -> Result<HashMap<u32, u64>, StoreError> {
        self.inner.pepper_uses()
    }

    fn personal(&self, reference: [u8; 16]) -> Result<Option<Personal>, StoreError> {
        self.inner.personal(reference)
    }

    fn erase(&self, site: &str, customer: &str) -> Result<u64, StoreError> {
        self.inner.erase(site, customer)
    }

    fn keep_component(&self, digest: Hash32, bytes: &[u8]) -> Result<(), StoreError> {
        self.inner.keep_component(digest, bytes)
    }

    fn component(&self, digest: Hash32) -> Result<Option<Vec<u8>>, StoreError> {
        self.fault.component(&*self.inner, digest)
    }

    fn sequences(&self, from: InstantMs, to: InstantMs) -> Result<Option<(i64, i64)>, StoreError> {
        self.inner.sequences(from, to)
    }

    fn decisions(&self, filter: &DecisionFilter, after: i64, limit: usize) -> Result<Vec<DecisionRow>, StoreError> {
        self.inner.decisions(filter, after, limit)
    }

    fn context(&self, digest: Hash32) -> Result<Option<String>, StoreError> {
        self.inner.context(digest)
    }

    fn liabilities(&self, site: Option<&str>) -> Result<Vec<Liability>, StoreError> {
        self.inner.liabilities(site)
    }

    fn turnover(&self, site: Option<&str>, from: InstantMs, to: InstantMs) -> Result<Vec<Turnover>, StoreError> {
        self.inner.turnover(site, from, to)
    }

    fn counter_sums(&self) -> Result<Vec<CounterSum>, StoreError> {
        self.inner.counter_sums()
    }

    fn unsealed_heads(&self) -> Result<Vec<SealedHead>, StoreError> {
        self.inner.unsealed_heads()
    }

    fn seal(&self, checkpoint: &Checkpoint, heads: &[SealedHead]) -> Result<bool, StoreError> {
        self.inner.seal(checkpoint, heads)
    }

    fn checkpoints(&self) -> Result<Vec<Checkpoint>, StoreError> {
        self.inner.checkpoints()
    }

    fn sealed_heads(&self, number: u64) -> Result<Vec<SealedHead>, StoreError> {
        self.inner.sealed_heads(number)
    }

    fn forget_refusals(&self, now: InstantMs) -> Result<u64, StoreError> {
        self.inner.forget_refusals(now)
    }

    fn note(&self, name: &str) -> Result<Option<String>, StoreError> {
        self.inner.note(name)
    }

    fn set_note(&self, name: &str, text: &str) -> Result<(), StoreError> {
        self.inner.set_note(name, text)
    }

    fn backup(&self, file: &Path) -> Result<(), StoreError> {
        self.inner.backup(file)
    }
}
