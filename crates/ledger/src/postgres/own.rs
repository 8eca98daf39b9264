//! Connections with a runtime of their own, driven by the very thread that waits for an answer: otherwise each round trip wakes
//! several threads one after the other, which takes longer than the server does. Must not know what is asked.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::runtime::{Builder, Handle, Runtime};
use tokio_postgres::Row;

use super::OpenError;
use super::ask::{Again, Asker, Parameters};
use super::connect::Connector;
use crate::store::StoreError;

/// A runtime without threads.
pub(super) struct Own(Option<Runtime>);

impl Own {
    pub(super) fn new() -> Result<Self, OpenError> {
        let made = Builder::new_current_thread().enable_all().build();
        let runtime = made.map_err(|error| OpenError::Failed(StoreError::Failed(format!("no runtime: {error}"))))?;
        Ok(Self(Some(runtime)))
    }

    /// Runs a task in this thread, and whatever else of this runtime can go on meanwhile. Within another runtime that is not
    /// allowed, or not known to be, so there another thread does it.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] where there can be no thread; [`StoreError::Unknown`] where the task panicked.
    pub(super) fn run<T: Send>(
        &self,
        task: impl Future<Output = Result<T, StoreError>> + Send,
    ) -> Result<T, StoreError> {
        let runtime = self.0.as_ref().expect("INVARIANT: the runtime is there until this is dropped");
        let task = async {
            let done = task.await;
            if done.is_err() {
                // A connection that was given up is ended now: nobody may come by for a long time.
                catch_up().await;
            }
            done
        };
        let run = || catch_unwind(AssertUnwindSafe(|| runtime.block_on(task)));
        let done = match Handle::try_current() {
            Err(_) => run(),
            Ok(_) => std::thread::scope(|scope| {
                let thread = std::thread::Builder::new().spawn_scoped(scope, run);
                thread.map(|thread| thread.join().unwrap_or_else(Err))
            })
            .map_err(|error| StoreError::Unavailable(format!("no thread: {error}")))?,
        };
        done.unwrap_or_else(|_| Err(StoreError::Unknown("the task of the connection panicked".to_string())))
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        // Waiting for it is forbidden where the last owner is a task of another runtime.
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

/// Lets what came for the connections of this runtime while nobody drove it be read, above all that they are closed.
pub(super) async fn catch_up() {
    // Once to look what came, once more for who serves the connection.
    tokio::task::yield_now().await;
    tokio::task::yield_now().await;
}

/// A few of them to ask by, each made when all others are in use.
pub(super) struct Seats {
    connector: Connector,
    most: usize,
    /// How long connecting may take.
    connect: Duration,
    /// The server's own limit for a statement.
    limit: Duration,
    shelf: Mutex<Shelf>,
    returned: Condvar,
}

#[derive(Default)]
struct Shelf {
    free: Vec<Seat>,
    made: usize,
}

/// One of them.
struct Seat {
    own: Own,
    asker: Asker,
}

impl Seats {
    pub(super) fn new(connector: Connector, most: usize, connect: Duration, limit: Duration) -> Self {
        let (shelf, returned) = (Mutex::default(), Condvar::new());
        Self { connector, most: most.max(1), connect, limit, shelf, returned }
    }

    /// All rows that a statement answers with.
    pub(super) fn rows(&self, sql: &str, parameters: Parameters, again: Again) -> Result<Vec<Row>, StoreError> {
        let taken = self.take()?;
        let seat = taken.seat.as_ref().expect("INVARIANT: it is there until it is returned");
        let rows = async {
            catch_up().await;
            seat.asker.rows(sql, parameters, again).await
        };
        seat.own.run(rows)
    }

    fn take(&self) -> Result<Taken<'_>, StoreError> {
        let waits = |shelf: &mut Shelf| shelf.free.is_empty() && shelf.made >= self.most;
        let patience = super::ask::wait_max(self.connect, self.limit);
        let waited = self.returned.wait_timeout_while(self.shelf(), patience, waits);
        let (mut shelf, _) = waited.unwrap_or_else(PoisonError::into_inner);
        // The one that was used last is the one that is connected, and has its statements ready.
        let seat = match shelf.free.pop() {
            Some(seat) => seat,
            None if shelf.made >= self.most => {
                return Err(StoreError::Unavailable("no connection was free in time".to_string()));
            }
            None => {
                let seat = self.seat().map_err(|error| StoreError::Unavailable(error.to_string()))?;
                shelf.made += 1;
                seat
            }
        };
        Ok(Taken { seats: self, seat: Some(seat) })
    }

    fn seat(&self) -> Result<Seat, OpenError> {
        Ok(Seat { own: Own::new()?, asker: Asker::new(self.connector.clone(), 1, self.connect, self.limit)? })
    }

    fn shelf(&self) -> MutexGuard<'_, Shelf> {
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One that is in use.
struct Taken<'a> {
    seats: &'a Seats,
    seat: Option<Seat>,
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        let mut shelf = self.seats.shelf();
        shelf.free.extend(self.seat.take());
        drop(shelf);
        self.seats.returned.notify_one();
    }
}
