//! Moves the write-ahead log into the file beside those who commit (SQLite calls it a checkpoint): within a commit, as
//! SQLite does it by itself, all who wait would wait for it too. Must not know what is in the log.
//!
//! Only where all of it is in the file and nobody reads from it can the log begin again, which hardly ever is so while
//! others write and read. So the last and small part is moved with the writer's lock held, until those who read have
//! ended; those who come find all in the file. Each part is synced at once: SQLite counts a part as moved without that, and
//! where a sync has failed, a later one that works says nothing of it. So a failure is one of the ledger, which writes
//! nothing until it is opened again and its whole log is moved anew.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, TryLockError};
use std::thread::JoinHandle;

use rusqlite::Connection;

use super::trouble::{Consequence, Trouble};
use super::{SqliteOptions, Synchronous, log};

/// How often the log is moved before the writer's lock is taken for what came meanwhile.
const ROUNDS_MAX: u32 = 4;

/// The lock is taken at once where no more of the log is left than its `1 / SMALL`.
const SMALL: u32 = 8;

/// Opens the connection that the log is moved by.
type Open = Box<dyn Fn() -> Result<Connection, Trouble> + Send + Sync>;

/// The thread that moves the log, from when it is first needed.
pub(super) struct Mover {
    shared: Arc<Shared>,
    /// `None` inside where there can be no thread.
    thread: OnceLock<Option<JoinHandle<()>>>,
}

struct Shared {
    open: Open,
    writer: Arc<Mutex<Connection>>,
    moving: Arc<Moving>,
    /// The ledger's failure, if there was one.
    failed: Arc<OnceLock<String>>,
    /// Whether what is moved is synced.
    syncs: bool,
    /// Pages in the log from which it is moved.
    pages: u32,
    is_wanted: AtomicBool,
    is_closed: AtomicBool,
    /// Pages that were in the log after the last commit.
    last: AtomicU32,
    /// Pages in the log from which it is moved the next time: more where it could not begin again, since somebody
    /// reads what is only in it.
    next: AtomicU32,
}

impl Mover {
    pub(super) fn new(
        writer: Arc<Mutex<Connection>>,
        (moving, failed): (Arc<Moving>, Arc<OnceLock<String>>),
        options: &SqliteOptions,
        open: impl Fn() -> Result<Connection, Trouble> + Send + Sync + 'static,
    ) -> Self {
        let pages = options.log_pages;
        let shared = Shared {
            open: Box::new(open),
            writer,
            moving,
            failed,
            syncs: options.synchronous == Synchronous::Full,
            pages,
            is_wanted: AtomicBool::new(false),
            is_closed: AtomicBool::new(false),
            last: AtomicU32::new(0),
            next: AtomicU32::new(pages),
        };
        Self { shared: Arc::new(shared), thread: OnceLock::new() }
    }

    /// Tells how many pages are in the log after a commit. The caller holds the writer's lock.
    pub(super) fn committed(&self, pages: u32) {
        let shared = &self.shared;
        if pages < shared.last.swap(pages, Ordering::Relaxed) {
            shared.next.store(shared.pages, Ordering::Relaxed);
        }
        if pages < shared.next.load(Ordering::Relaxed) {
            return;
        }
        shared.next.store(pages.saturating_add(shared.pages), Ordering::Relaxed);
        let thread = self.thread.get_or_init(|| {
            let shared = Arc::clone(&self.shared);
            std::thread::Builder::new().name("giftcard-log".to_owned()).spawn(move || shared.serve()).ok()
        });
        if let Some(thread) = thread {
            shared.is_wanted.store(true, Ordering::Release);
            thread.thread().unpark();
        }
    }
}

impl Drop for Mover {
    fn drop(&mut self) {
        self.shared.is_closed.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take().flatten() {
            thread.thread().unpark();
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn serve(&self) {
        let mut connection = None;
        while !self.is_closed.load(Ordering::Acquire) {
            if !self.is_wanted.swap(false, Ordering::AcqRel) {
                std::thread::park();
                continue;
            }
            connection = connection.or_else(|| (self.open)().ok());
            let Some(open) = &connection else { continue };
            if self.run(open).is_none() {
                // With another one the next time: what went wrong may be of this one.
                connection = None;
            }
        }
    }

    /// `None` where something went wrong.
    fn run(&self, connection: &Connection) -> Option<()> {
        for _ in 0..ROUNDS_MAX {
            let moved =
                self.moving.wait(&self.failed, || pass(connection, "PRAGMA wal_checkpoint(PASSIVE)", self.syncs))?;
            let left = self.last.load(Ordering::Relaxed).saturating_sub(moved);
            if left <= self.pages / SMALL || self.is_closed.load(Ordering::Acquire) {
                break;
            }
        }
        let Ok(_nobody_writes) = self.writer.lock() else { return Some(()) };
        let restart = || pass(connection, "PRAGMA wal_checkpoint(RESTART)", self.syncs);
        self.moving.wait(&self.failed, restart).map(|_| ())
    }
}

/// One moves the log at a time, until it is known how that went: where a part was moved and its sync failed, whoever moves the
/// rest would have a sync that works, and the log could begin again without what is lost.
#[derive(Default)]
pub(super) struct Moving(Mutex<()>);

impl Moving {
    /// Moves, once nobody else does. What `pass` answers; `None` where it failed, or the ledger has.
    fn wait(&self, failed: &OnceLock<String>, pass: impl FnOnce() -> Result<u32, Trouble>) -> Option<u32> {
        let _moving = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Self::told(failed, pass)
    }

    /// Moves, unless somebody else does. The caller may hold the writer's lock, for which who moves may wait.
    pub(super) fn unless_others(&self, failed: &OnceLock<String>, pass: impl FnOnce() -> Result<u32, Trouble>) {
        let moving = match self.0.try_lock() {
            Ok(moving) => moving,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return,
        };
        let _ = Self::told(failed, pass);
        drop(moving);
    }

    fn told(failed: &OnceLock<String>, pass: impl FnOnce() -> Result<u32, Trouble>) -> Option<u32> {
        if failed.get().is_some() {
            return None;
        }
        match pass() {
            Ok(moved) => Some(moved),
            Err(trouble) => {
                if let Consequence::Lasting(why) = trouble.of_write() {
                    let _ = failed.set(why);
                }
                None
            }
        }
    }
}

/// Moves what is in the log now and, if `syncs`, syncs the file. Returns how many pages of the log are in the file, counted
/// from its beginning.
pub(super) fn pass(connection: &Connection, how: &str, syncs: bool) -> Result<u32, Trouble> {
    let moved: i64 = connection.prepare_cached(how)?.query_row([], |row| row.get(2))?;
    if syncs {
        log::sync_database(connection)?;
    }
    // -1 where another process is moving it.
    Ok(u32::try_from(moved).unwrap_or(0))
}
