//! Group reads: cards that many threads ask for at the same time are read together, since a read costs much more than
//! each card in it. Must not know operations.
//!
//! Whoever finds fewer reading than the store has lanes reads alone; the first of those who come meanwhile reads next, for
//! all of them. More reads at a time were measured to be slower: each has less in it.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crate::known::Known;
use crate::store::{Store, Want};

/// Callers that one reads for beside itself, at most.
const ASKS_MAX: usize = 32;

/// Reads of cards, as many at a time as the store has lanes.
#[derive(Default)]
pub(crate) struct Reads {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Reads that are under way, or about to be.
    reading: usize,
    waiting: VecDeque<Arc<Ask>>,
}

/// What a thread asks for.
struct Ask {
    want: Want,
    turn: Mutex<Turn>,
    told: Condvar,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Turn {
    Waits,
    Reads,
    Done,
}

impl Ask {
    fn tell(&self, turn: Turn) {
        *self.turn.lock().unwrap_or_else(PoisonError::into_inner) = turn;
        self.told.notify_one();
    }

    fn wait(&self) -> Turn {
        let turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let told = self.told.wait_while(turn, |turn| *turn == Turn::Waits);
        *told.unwrap_or_else(PoisonError::into_inner)
    }
}

impl Reads {
    /// Reads cards into what is known. `want` is of codes and accounts only. What cannot be read stays unknown.
    pub(crate) fn read(&self, want: Want, store: &dyn Store, known: &Known) {
        let ask = Arc::new(Ask { want, turn: Mutex::new(Turn::Waits), told: Condvar::new() });
        let mut state = self.state();
        let waits = state.reading >= store.lanes();
        if waits {
            state.waiting.push_back(Arc::clone(&ask));
        } else {
            state.reading += 1;
        }
        drop(state);
        if waits && ask.wait() == Turn::Done {
            return;
        }
        let reading = Reading { reads: self, asked: self.waiting() };
        let mut want = ask.want.clone();
        for ask in &reading.asked {
            want.codes.extend(ask.want.codes.iter().cloned());
            want.accounts.extend(&ask.want.accounts);
        }
        let (begun, connection) = (Instant::now(), store.connections());
        if let Ok(found) = store.find(&want) {
            known.read(&found, begun, connection);
        }
    }

    /// Those who wait longest.
    fn waiting(&self) -> Vec<Arc<Ask>> {
        let mut state = self.state();
        let count = state.waiting.len().min(ASKS_MAX);
        state.waiting.drain(..count).collect()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A read under way. However it ends, everyone is told and the next one reads.
struct Reading<'a> {
    reads: &'a Reads,
    asked: Vec<Arc<Ask>>,
}

impl Drop for Reading<'_> {
    fn drop(&mut self) {
        let mut state = self.reads.state();
        let next = state.waiting.pop_front();
        state.reading -= usize::from(next.is_none());
        drop(state);
        if let Some(next) = next {
            next.tell(Turn::Reads);
        }
        self.asked.iter().for_each(|ask| ask.tell(Turn::Done));
    }
}
