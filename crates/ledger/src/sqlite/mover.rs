//! Moves the write-ahead log into the file beside those who commit (SQLite calls it a checkpoint): within a commit, as
//! SQLite does it by itself, all who wait would wait for it too. Must not know what is in the log.
//!
//! Only where all of it is in the file and nobody reads from it can the log begin again, which hardly ever is so while
//! others write and read. So the last and small part is moved with the writer's lock held, until those who read have
//! ended; those who come find all in the file. Each part is synced at once: SQLite counts a part as moved without that, and
//! where a sync has failed, a later one that works says nothing of it. So a failure is one of the ledger, which writes
//! nothing until it is opened again and its whole log is moved anew.
//!
//! For the same reason nobody but who commits syncs the log while somebody may commit: a failure would be told to the one
//! who moves, and the commit's own sync would work and be answered. What SQLite gives to move is committed, so it is synced
//! already. A part that is moved so is never all of the log: see [`Hands::part`].

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, TryLockError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rusqlite::Connection;

use super::trouble::Trouble;
use super::{SqliteOptions, Synchronous, log, open};

/// How often the log is moved before the writer's lock is taken for what came meanwhile.
const ROUNDS_MAX: u32 = 4;

/// How often, and how far apart, it is looked whether somebody commits.
const COMMITS_AWAITED_MAX: u32 = 20;
const COMMITS_PAUSE: Duration = Duration::from_millis(1);

/// The lock is taken at once where no more of the log is left than its `1 / SMALL`.
const SMALL: u32 = 8;

/// While it fills this fast, it is left to grow to so many times its length: pages that many operations change are then
/// written to the file once. A ledger that is not as busy has a short one, whose last part is moved soon.
const BUSY_TIMES: u32 = 4;
const BUSY_PACE: Duration = Duration::from_secs(1);

/// Moves without waiting for anyone.
pub(super) const PASSIVE: &str = "PRAGMA wal_checkpoint(PASSIVE)";

/// Opens what the log is moved by.
type Open = Box<dyn Fn() -> Result<Hands, Trouble> + Send + Sync>;

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
    /// Pages in the log from which it is moved.
    pages: u32,
    /// When it began.
    began: Mutex<Instant>,
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
        moving: Arc<Moving>,
        options: &SqliteOptions,
        open: impl Fn() -> Result<Hands, Trouble> + Send + Sync + 'static,
    ) -> Self {
        let pages = options.log_pages;
        let shared = Shared {
            open: Box::new(open),
            writer,
            moving,
            pages,
            began: Mutex::new(Instant::now()),
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
            *shared.began.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
        }
        if pages < shared.next.load(Ordering::Relaxed) {
            return;
        }
        shared.next.store(pages.saturating_add(shared.pages), Ordering::Relaxed);
        let began = *shared.began.lock().unwrap_or_else(PoisonError::into_inner);
        if may_grow(pages, shared.pages, began.elapsed()) {
            return;
        }
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

impl Mover {
    /// Ends the thread. What it fails at before is known afterwards.
    pub(super) fn close(&mut self) {
        self.shared.is_closed.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take().flatten() {
            thread.thread().unpark();
            let _ = thread.join();
        }
    }
}

/// Whether a log that has so many pages, and is moved from `from` on, was filled so fast that it may grow.
fn may_grow(pages: u32, from: u32, filled_in: Duration) -> bool {
    let times = pages / from.max(1);
    times < BUSY_TIMES && filled_in < BUSY_PACE * times
}

impl Shared {
    fn serve(&self) {
        let mut hands = None;
        while !self.is_closed.load(Ordering::Acquire) {
            if !self.is_wanted.swap(false, Ordering::AcqRel) {
                std::thread::park();
                continue;
            }
            hands = hands.or_else(|| (self.open)().ok());
            let Some(open) = &hands else { continue };
            // With others the next time: what went wrong may be of these. Where the ledger has failed they stay, and hold the
            // log as it is.
            if self.run(open).is_none() && !self.moving.has_failed() {
                hands = None;
            }
        }
    }

    /// `None` where something went wrong.
    fn run(&self, hands: &Hands) -> Option<()> {
        for _ in 0..ROUNDS_MAX {
            let Some(moved) = self.moving.part(hands)? else { break };
            let left = self.last.load(Ordering::Relaxed).saturating_sub(moved);
            if left <= self.pages / SMALL || self.is_closed.load(Ordering::Acquire) {
                break;
            }
        }
        let Ok(_nobody_writes) = self.writer.lock() else { return Some(()) };
        self.moving.rest(hands)
    }
}

/// What the log is moved by.
pub(super) struct Hands {
    moves: Connection,
    /// Reads meanwhile, so that the log does not begin again before what was moved is synced.
    holds: Connection,
    /// Whether what is moved is synced.
    syncs: bool,
}

impl Hands {
    /// Of two connections that do nothing else.
    ///
    /// # Errors
    /// Where SQLite does not take how they are set.
    pub(super) fn new(moves: Connection, holds: Connection, synchronous: Synchronous) -> Result<Self, Trouble> {
        let hands = Self { moves, holds, syncs: synchronous == Synchronous::Full };
        hands.let_sqlite_sync(false)?;
        Ok(hands)
    }

    /// Moves a part of the log and syncs the file. Where that fails the log is held for good. How many pages of the log are in
    /// the file, counted from its beginning; nothing is moved, and `None` told, where nobody commits meanwhile.
    ///
    /// INVARIANT: never all of the log. What SQLite takes for moved as a whole is synced, whoever ends before it is: the log
    /// could begin again, or be cut off, as soon as this process is gone.
    fn part(&self) -> Result<Option<u32>, Trouble> {
        self.holds.prepare_cached("BEGIN")?.execute([])?;
        // The log is held from the first read on, and no more of it is moved than there is by then.
        let moved = open::schema_now(&self.holds).and_then(|_| match self.is_more_committed()? {
            true => pass(&self.moves, PASSIVE, self.syncs).map(Some),
            false => Ok(None),
        });
        if moved.as_ref().map_or_else(Trouble::is_busy, |_| true) {
            self.holds.prepare_cached("ROLLBACK")?.execute([])?;
        }
        moved
    }

    /// Whether something is committed from now on, within a while.
    fn is_more_committed(&self) -> Result<bool, Trouble> {
        let there = log::committed_pages(&self.holds)?;
        for _ in 0..COMMITS_AWAITED_MAX {
            if log::committed_pages(&self.holds)? > there {
                return Ok(true);
            }
            std::thread::sleep(COMMITS_PAUSE);
        }
        Ok(false)
    }

    /// Moves what is left and lets the log begin again. The caller holds the writer's lock, so that nobody of this process
    /// commits, and SQLite can sync the log and the file itself before it takes all for moved.
    fn rest(&self) -> Result<(), Trouble> {
        self.let_sqlite_sync(self.syncs)?;
        pass(&self.moves, "PRAGMA wal_checkpoint(RESTART)", self.syncs)?;
        self.let_sqlite_sync(false)
    }

    /// Whether SQLite itself syncs the log before it moves, and the file after.
    fn let_sqlite_sync(&self, syncs: bool) -> Result<(), Trouble> {
        open::set_synchronous(&self.moves, if syncs { Synchronous::Full } else { Synchronous::Off })
    }
}

/// One moves the log at a time, until it is known how that went: where a part was moved and its sync failed, whoever moves the
/// rest would have a sync that works, and the log could begin again without what is lost.
pub(super) struct Moving {
    lock: Mutex<()>,
    /// The ledger's failure, if there was one.
    failed: Arc<OnceLock<String>>,
    /// Whether what is moved is synced.
    syncs: bool,
}

impl Moving {
    pub(super) fn new(failed: Arc<OnceLock<String>>, synchronous: Synchronous) -> Self {
        Self { lock: Mutex::default(), failed, syncs: synchronous == Synchronous::Full }
    }

    /// Moves beside those who commit, once nobody else moves: see [`Hands::part`]. `None` where it failed, or the ledger has.
    fn part(&self, hands: &Hands) -> Option<Option<u32>> {
        let _moving = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        self.told(|| hands.part())
    }

    /// Moves what is left, once nobody else moves. The caller holds the writer's lock.
    fn rest(&self, hands: &Hands) -> Option<()> {
        let _moving = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        self.told(|| hands.rest())
    }

    /// Moves by the connection that writes, unless somebody else moves. The caller holds the writer's lock, for which who
    /// moves may wait.
    pub(super) fn unless_others(&self, writer: &Connection, how: &str) {
        let _moving = match self.lock.try_lock() {
            Ok(moving) => moving,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return,
        };
        self.told(|| pass(writer, how, self.syncs));
    }

    fn has_failed(&self) -> bool {
        self.failed.get().is_some()
    }

    /// INVARIANT: the lock is held until a failure is told.
    fn told<T>(&self, moves: impl FnOnce() -> Result<T, Trouble>) -> Option<T> {
        if self.has_failed() {
            return None;
        }
        let told = |trouble: Trouble| {
            if !trouble.is_busy() {
                let _ = self.failed.set(trouble.to_string());
            }
        };
        moves().map_err(told).ok()
    }
}

/// Moves what is in the log now and, if `syncs`, syncs the file. Returns how many pages of the log are in the file, counted
/// from its beginning.
fn pass(connection: &Connection, how: &str, syncs: bool) -> Result<u32, Trouble> {
    let moved: i64 = connection.prepare_cached(how)?.query_row([], |row| row.get(2))?;
    if syncs {
        log::sync_database(connection)?;
    }
    // -1 where another process is moving it.
    Ok(u32::try_from(moved).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_log_that_fills_fast_may_grow_and_not_for_ever() {
        let ms = Duration::from_millis;
        for (pages, filled_in, grows) in [
            (4_000, ms(200), true),
            (4_000, ms(1_000), false),
            (8_000, ms(1_900), true),
            (8_000, ms(2_100), false),
            (15_999, ms(100), true),
            (16_000, ms(100), false),
            (u32::MAX, ms(0), false),
        ] {
            assert_eq!(may_grow(pages, 4_000, filled_in), grows, "{pages} in {filled_in:?}");
        }
        assert!(!may_grow(0, 0, ms(0)), "a log without a length");
    }

    /// Beside those who commit never all is moved, since SQLite would take it for synced; the rest is, and the log begins again.
    #[test]
    fn a_part_is_never_all_of_the_log() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.db");
        let open = || Connection::open(&path).unwrap();
        let writer = open();
        writer
            .execute_batch(
                "PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0; CREATE TABLE t (x); BEGIN; COMMIT",
            )
            .unwrap();
        let insert = |bytes: u32| writer.execute("INSERT INTO t VALUES (randomblob(?1))", [bytes]).unwrap();
        insert(200_000);
        let hands = Hands::new(open(), open(), Synchronous::Full).unwrap();
        let frames = || log::committed_pages(&writer).unwrap().unwrap();
        let before = frames();
        assert_eq!(hands.part().unwrap(), None, "nobody commits");
        // Somebody commits: what was there before is moved at most.
        let part = std::thread::spawn(move || {
            loop {
                if let Some(moved) = hands.part().unwrap() {
                    return (hands, moved);
                }
            }
        });
        while !part.is_finished() {
            insert(10);
        }
        let (hands, moved) = part.join().unwrap();
        assert!(moved >= before && moved < frames(), "{moved} of {}, {before} before", frames());
        hands.rest().unwrap();
        insert(10);
        assert!(frames() < before, "the log has begun again");
    }
}
