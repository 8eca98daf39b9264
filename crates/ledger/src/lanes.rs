//! Group commit: what many threads hand in at the same time is written in one transaction by one of them. Must not know
//! what is written.
//!
//! Whoever finds its lane idle commits everything that waits there, so a lone caller commits in its own thread, without
//! a hand-over; the others wait for their verdicts.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::Thread;

use crate::store::{Changes, Store, StoreError, Verdict};

/// Most operations of one transaction: bounds how long the first of them waits for the last.
const BATCH_MAX: usize = 128;

/// Batches that a thread commits for others, at most, once its own is done: handing the lane over costs the others the
/// time until somebody else is awake.
const LEADS_MAX: u32 = 8;

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
    busy: bool,
}

/// The lanes of a store.
pub(crate) struct Lanes {
    lanes: Vec<Mutex<Lane>>,
}

impl Lanes {
    pub(crate) fn new(count: usize) -> Self {
        Self { lanes: (0..count.max(1)).map(|_| Mutex::default()).collect() }
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
        self.lane(lane).waiting.push(Arc::clone(&ticket));
        ticket
    }

    /// Waits for the verdict, committing for everyone who waits if nobody else does.
    pub(crate) fn wait(&self, lane: usize, ticket: &Arc<Ticket>, store: &dyn Store) -> Result<Verdict, StoreError> {
        loop {
            {
                let mut state = ticket.state();
                if let Some(verdict) = state.verdict.take() {
                    return verdict;
                }
                state.leads = false;
            }
            let mut now = self.lane(lane);
            let is_busy = std::mem::replace(&mut now.busy, true);
            drop(now);
            match is_busy {
                true => ticket.sleep(),
                false => self.lead(lane, store),
            }
        }
    }

    /// Commits what waits in a lane that was idle, and some of what comes meanwhile.
    fn lead(&self, lane: usize, store: &dyn Store) {
        // However it ends, the lane is free again.
        let _release = Release { lanes: self, lane };
        for _ in 0..=LEADS_MAX {
            let mut now = self.lane(lane);
            let count = now.waiting.len().min(BATCH_MAX);
            if count == 0 {
                return;
            }
            let batch = Batch(now.waiting.drain(..count).collect());
            drop(now);
            batch.commit(lane, store);
        }
    }

    fn lane(&self, lane: usize) -> MutexGuard<'_, Lane> {
        self.lanes[lane].lock().unwrap_or_else(PoisonError::into_inner)
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

/// Frees a lane, for the first of those who wait in it.
struct Release<'a> {
    lanes: &'a Lanes,
    lane: usize,
}

impl Drop for Release<'_> {
    fn drop(&mut self) {
        let mut lane = self.lanes.lane(self.lane);
        lane.busy = false;
        let next = lane.waiting.first().cloned();
        drop(lane);
        if let Some(next) = next {
            next.state().leads = true;
            next.wake();
        }
    }
}
