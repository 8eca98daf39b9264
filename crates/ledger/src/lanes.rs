//! Group commit: what many threads hand in at the same time is written in one transaction by one of them. Must not know
//! what is written.
//!
//! Whoever finds its lane idle commits everything that waits there, so a lone caller commits in its own thread, without
//! a hand-over. What came meanwhile goes to a thread of the lane's own, which commits until nothing waits any more: no
//! caller works for the others, and the lane does not wait for one of them to wake up.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{JoinHandle, Thread};

use crate::store::{Changes, Store, StoreError, Verdict};

/// Most operations of one transaction: bounds how long the first of them waits for the last.
const BATCH_MAX: usize = 128;

/// What was handed in, and what became of it.
pub(crate) struct Ticket {
    changes: Changes,
    state: Mutex<TicketState>,
}

#[derive(Default)]
struct TicketState {
    verdict: Option<Result<Verdict, StoreError>>,
    /// Whether it was committed, once that is known. `None` for ever where it never is.
    committed: Option<bool>,
    /// What it was planned on, until it is its turn.
    builds_on: Vec<Arc<Ticket>>,
    /// It is this one's turn to commit for the others.
    leads: bool,
    /// Who sleeps until there is a verdict, or it leads.
    sleeper: Option<Thread>,
}

impl Ticket {
    pub(crate) fn changes(&self) -> &Changes {
        &self.changes
    }

    fn decide(&self, verdict: Result<Verdict, StoreError>) {
        let mut state = self.state();
        state.committed = Some(matches!(verdict, Ok(Verdict::Committed)));
        state.verdict = Some(verdict);
    }

    /// Whether something it was planned on has not come to be. What is in the same batch is not known yet; the store
    /// tells.
    fn has_fallen(&self) -> bool {
        let builds_on = std::mem::take(&mut self.state().builds_on);
        builds_on.iter().any(|ticket| ticket.state().committed == Some(false))
    }

    /// Wakes whoever sleeps.
    fn wake(&self) {
        let sleeper = self.state().sleeper.take();
        if let Some(sleeper) = sleeper {
            sleeper.unpark();
        }
    }

    /// Sleeps until there is a verdict, or it leads.
    fn sleep(&self) {
        loop {
            let mut state = self.state();
            if state.verdict.is_some() || state.leads {
                return;
            }
            state.sleeper = Some(std::thread::current());
            drop(state);
            std::thread::park();
        }
    }

    fn state(&self) -> MutexGuard<'_, TicketState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Default)]
struct Lane {
    waiting: Vec<Arc<Ticket>>,
    /// Somebody commits, or is about to.
    busy: bool,
    /// The lane's own thread is to commit.
    is_helped: bool,
    /// The lane's own thread, from when it was first needed.
    helper: Option<JoinHandle<()>>,
    /// That thread is to end.
    is_closed: bool,
}

/// The lanes of a store.
pub(crate) struct Lanes {
    lanes: Vec<Arc<Mutex<Lane>>>,
    store: Arc<dyn Store>,
}

impl Lanes {
    pub(crate) fn new(store: Arc<dyn Store>) -> Self {
        Self { lanes: (0..store.lanes().max(1)).map(|_| Arc::default()).collect(), store }
    }

    pub(crate) fn count(&self) -> usize {
        self.lanes.len()
    }

    /// Takes a place in the lane. From now on it will be written, in the order of places, unless what it `builds_on` is
    /// not: all of that was handed in to this lane before.
    pub(crate) fn hand_in(&self, lane: usize, mut changes: Changes, builds_on: Vec<Arc<Ticket>>) -> Arc<Ticket> {
        let keys = builds_on.iter().filter_map(|ticket| ticket.changes.operation.as_ref());
        changes.builds_on = keys.map(|operation| operation.key.clone()).collect();
        let state = Mutex::new(TicketState { builds_on, ..TicketState::default() });
        let ticket = Arc::new(Ticket { changes, state });
        locked(&self.lanes[lane]).waiting.push(Arc::clone(&ticket));
        ticket
    }

    /// Waits for the verdict, committing for everyone who waits if nobody else does.
    pub(crate) fn wait(&self, number: usize, ticket: &Arc<Ticket>) -> Result<Verdict, StoreError> {
        let lane = &self.lanes[number];
        loop {
            {
                let mut state = ticket.state();
                if let Some(verdict) = state.verdict.take() {
                    return verdict;
                }
                state.leads = false;
            }
            let is_busy = std::mem::replace(&mut locked(lane).busy, true);
            if is_busy {
                ticket.sleep();
                continue;
            }
            let release = Release { lane, by_helper: false };
            if let Some(batch) = take(lane) {
                batch.commit(number, &*self.store);
            }
            if self.help(number) {
                // It is the helper's to free.
                std::mem::forget(release);
            }
        }
    }

    /// Leaves a lane in which somebody waits to its own thread. False where nobody does, or there can be none.
    fn help(&self, number: usize) -> bool {
        let lane = &self.lanes[number];
        let mut now = locked(lane);
        if now.waiting.is_empty() {
            return false;
        }
        if now.helper.is_none() {
            let (lane, store) = (Arc::clone(lane), Arc::clone(&self.store));
            let helper = std::thread::Builder::new().name("giftcard-commit".to_string());
            now.helper = helper.spawn(move || serve(number, &lane, &*store)).ok();
        }
        let Some(helper) = now.helper.as_ref().map(|helper| helper.thread().clone()) else { return false };
        now.is_helped = true;
        drop(now);
        helper.unpark();
        true
    }
}

impl Drop for Lanes {
    fn drop(&mut self) {
        for lane in &self.lanes {
            let mut now = locked(lane);
            now.is_closed = true;
            let helper = now.helper.take();
            drop(now);
            if let Some(helper) = helper {
                helper.thread().unpark();
                // One that panicked has told those who waited.
                let _ = helper.join();
            }
        }
    }
}

fn locked(lane: &Mutex<Lane>) -> MutexGuard<'_, Lane> {
    lane.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What is committed next.
fn take(lane: &Mutex<Lane>) -> Option<Batch> {
    let mut now = locked(lane);
    let count = now.waiting.len().min(BATCH_MAX);
    (count > 0).then(|| Batch(now.waiting.drain(..count).collect()))
}

/// What the lane's own thread does.
fn serve(number: usize, lane: &Mutex<Lane>, store: &dyn Store) {
    loop {
        let mut now = locked(lane);
        if now.is_closed {
            return;
        }
        let is_helped = std::mem::take(&mut now.is_helped);
        drop(now);
        if !is_helped {
            std::thread::park();
            continue;
        }
        let _release = Release { lane, by_helper: true };
        while let Some(batch) = take(lane) {
            batch.commit(number, store);
        }
    }
}

/// What is committed together. However that ends, everyone gets a verdict.
struct Batch(Vec<Arc<Ticket>>);

impl Batch {
    fn commit(&self, lane: usize, store: &dyn Store) {
        let mut standing: Vec<&Arc<Ticket>> = Vec::with_capacity(self.0.len());
        for ticket in &self.0 {
            match ticket.has_fallen() {
                true => ticket.decide(Ok(Verdict::Conflict)),
                false => standing.push(ticket),
            }
        }
        let changes: Vec<&Changes> = standing.iter().map(|ticket| ticket.changes()).collect();
        if changes.is_empty() {
            return;
        }
        match store.commit(lane, &changes) {
            Ok(verdicts) => {
                debug_assert_eq!(verdicts.len(), standing.len());
                for (ticket, verdict) in standing.iter().zip(verdicts) {
                    ticket.decide(Ok(verdict));
                }
            }
            Err(error) => {
                for ticket in standing {
                    ticket.decide(Err(error.clone()));
                }
            }
        }
    }
}

impl Drop for Batch {
    fn drop(&mut self) {
        for ticket in &self.0 {
            let undecided = ticket.state().committed.is_none();
            if undecided {
                let why = "the thread that committed for others panicked".to_string();
                ticket.decide(Err(StoreError::Unknown(why)));
            }
            ticket.wake();
        }
    }
}

/// Frees a lane when dropped, for the first of those who wait in it.
struct Release<'a> {
    lane: &'a Mutex<Lane>,
    by_helper: bool,
}

impl Drop for Release<'_> {
    fn drop(&mut self) {
        let mut lane = locked(self.lane);
        if self.by_helper && std::thread::panicking() {
            // The next time there will be another one.
            lane.helper = None;
        }
        lane.busy = false;
        let next = lane.waiting.first().cloned();
        drop(lane);
        if let Some(next) = next {
            next.state().leads = true;
            next.wake();
        }
    }
}
