//! The ledger in one SQLite file: the store that needs nothing installed. Knows SQL and SQLite; must not know what an
//! operation means, nor what the time is.
//!
//! One connection writes, under a lock; a few others read beside it, each from a snapshot. What is committed is synced
//! before it is answered. After a failure of the disk nothing is written any more until the file is opened again: what
//! a failed sync left behind is not known.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use giftcard_engine::moment::InstantMs;
use rusqlite::Connection;

use self::mover::{Mover, Moving};
use self::readers::Readers;
use self::trouble::{Consequence, Trouble};
use crate::model::{Account, Code, CodeState, Hash32, Id, Record, RecordKind};
use crate::store::{
    AccountFilter, Booked, Changes, Checkpoint, CounterSum, DecisionFilter, DecisionRow, Found, Liability, Numbered,
    OpenHold, Personal, SealedHead, Store, StoreError, Turnover, Verdict, Want,
};

mod backup;
mod copy;
mod find;
mod keys;
mod log;
mod mover;
mod open;
mod readers;
mod report;
mod rows;
mod scan;
mod seal;
#[cfg(test)]
mod tests;
mod trouble;
mod write;

pub use copy::SqliteCopy;
pub use open::OpenError;

/// Keys that are looked for by the connection that writes, at most: those of an order, not of a thousand cards.
const FOUND_BY_WRITER_MAX: usize = 64;

/// Pages in the log from which a commit itself moves them into the file, in times of [`SqliteOptions::log_pages`].
const LOG_TIMES_MAX: u32 = 8;

/// How often the log is tried to be emptied, and the pause between.
const EMPTYING_MAX: u32 = 20;
const EMPTYING_PAUSE: Duration = Duration::from_millis(5);

/// How a file is opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SqliteOptions {
    /// Make the file if there is none. Otherwise a missing file is refused.
    pub create: bool,
    /// SQLite's file layer by name; the default one where absent. For tests that let it fail.
    pub vfs: Option<String>,
    /// Whether commits wait for the disk.
    pub synchronous: Synchronous,
    /// Reading connections, at most; at least 1. Each keeps up to 8 MiB in memory.
    pub readers: usize,
    /// How long one process waits for another's lock, in milliseconds.
    pub busy_timeout_ms: u32,
    /// Pages of 4 KiB in the write-ahead log from which they are moved into the file; four times as many while it fills fast.
    pub log_pages: u32,
}

impl Default for SqliteOptions {
    fn default() -> Self {
        Self {
            create: false,
            vfs: None,
            synchronous: Synchronous::Full,
            readers: 4,
            busy_timeout_ms: 5000,
            log_pages: 4000,
        }
    }
}

impl SqliteOptions {
    /// SQLite counts milliseconds in 31 bits.
    fn busy_timeout(&self) -> Duration {
        Duration::from_millis(u64::from(self.busy_timeout_ms.min(i32::MAX as u32)))
    }
}

/// Whether commits wait for the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Synchronous {
    /// What is committed survives a loss of power.
    Full,
    /// It does not. Only for controls of tests, which show that a test of durability would notice.
    Off,
}

/// A ledger in a SQLite file.
pub struct SqliteStore {
    mover: Mover,
    moving: Arc<Moving>,
    readers: Readers,
    writer: Arc<Mutex<Connection>>,
    /// How many wait for it to write.
    writers: AtomicUsize,
    /// Pages in the log from which whoever commits moves it.
    crowded: AtomicU32,
    /// The failure after which nothing is written.
    failed: Arc<OnceLock<String>>,
    path: PathBuf,
    options: SqliteOptions,
}

impl SqliteStore {
    /// Opens a file, makes it if `options` say so, and brings its schema to the newest.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub fn open(path: &Path, options: &SqliteOptions) -> Result<Self, OpenError> {
        let (writer, path) = open::writer(path, options)?;
        let readers = {
            let (path, options) = (path.clone(), options.clone());
            Readers::new(options.readers, move || open::reader(&path, &options))
        };
        let writer = Arc::new(Mutex::new(writer));
        let failed = Arc::new(OnceLock::new());
        let moving = Arc::new(Moving::new(Arc::clone(&failed), options.synchronous));
        let mover = {
            let (path, options) = (path.clone(), options.clone());
            let opened = options.clone();
            Mover::new(Arc::clone(&writer), Arc::clone(&moving), &options, move || open::hands(&path, &opened))
        };
        Ok(Self {
            mover,
            moving,
            readers,
            writer,
            writers: AtomicUsize::new(0),
            crowded: AtomicU32::new(0),
            failed,
            path,
            options: options.clone(),
        })
    }

    /// Makes the index of operations by their keys anew: what a damaged one is mended with. Who writes waits meanwhile, a
    /// minute for some millions of operations.
    ///
    /// # Errors
    /// As a commit; nothing is changed then.
    pub fn make_keys_anew(&self) -> Result<(), StoreError> {
        self.write(keys::make_anew)
    }

    /// The file, absolute.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// One write transaction. After a failure that may last it is the last one.
    fn write<T>(&self, work: impl FnOnce(&Connection) -> Result<T, Trouble>) -> Result<T, StoreError> {
        self.writers.fetch_add(1, Ordering::Relaxed);
        let locked = self.writer.lock();
        self.writers.fetch_sub(1, Ordering::Relaxed);
        let Ok(connection) = locked else {
            return Err(self.fail("a thread panicked while it was writing".to_owned()));
        };
        if let Some(why) = self.failed.get() {
            return Err(StoreError::Failed(why.clone()));
        }
        let done = transaction(&connection, work).map_err(|trouble| self.settle(&connection, trouble))?;
        if let Ok(Some(pages)) = log::committed_pages(&connection) {
            self.mover.committed(pages);
            // The thread that does it is too slow, or not there.
            let crowded = self.options.log_pages.saturating_mul(LOG_TIMES_MAX);
            if pages < crowded {
                self.crowded.store(crowded, Ordering::Relaxed);
            } else if pages >= self.crowded.load(Ordering::Relaxed) {
                // Where somebody holds the log for good, such as a process that failed, it is not tried with every commit.
                self.crowded.store(pages.saturating_add(self.options.log_pages), Ordering::Relaxed);
                self.moving.unless_others(&connection, mover::PASSIVE);
            }
        }
        Ok(done)
    }

    /// Takes a transaction back and tells what its failure means.
    fn settle(&self, connection: &Connection, trouble: Trouble) -> StoreError {
        // SQLite itself takes a transaction back after some errors.
        let rolled_back = connection.is_autocommit() || connection.execute_batch("ROLLBACK").is_ok();
        match trouble.of_write() {
            Consequence::Lasting(why) => {
                cut_unfinished(connection);
                self.fail(why)
            }
            Consequence::Passing(error) if rolled_back => error,
            Consequence::Passing(error) => self.fail(format!("{error}, and it could not be taken back")),
        }
    }

    fn fail(&self, why: String) -> StoreError {
        StoreError::Failed(self.failed.get_or_init(|| why).clone())
    }

    /// Empties the write-ahead log, as far as nobody reads from it: what was erased is still in it. Later commits overwrite
    /// the log in any case, and what was erased is gone from every answer already.
    fn empty_log(&self) {
        for _ in 0..EMPTYING_MAX {
            let Ok(connection) = self.writer.lock() else { return };
            if self.failed.get().is_some() {
                return;
            }
            // Without waiting, which would keep writers out.
            let _ = connection.busy_timeout(Duration::ZERO);
            self.moving.unless_others(&connection, "PRAGMA wal_checkpoint(TRUNCATE)");
            let _ = connection.busy_timeout(self.options.busy_timeout());
            if !matches!(log::committed_pages(&connection), Ok(Some(1..))) {
                return;
            }
            drop(connection);
            // Somebody reads from it, or it is being moved.
            std::thread::sleep(EMPTYING_PAUSE);
        }
    }

    /// Finds through the connection that writes, if nobody writes now: what it has in memory is what was last committed,
    /// whereas a reading one has to read it all again.
    fn find_by_writer(&self, want: &Want) -> Option<Result<Found, StoreError>> {
        let keys = want.codes.len() + want.accounts.len() + want.records.len() + want.credits.len();
        if keys > FOUND_BY_WRITER_MAX || self.writers.load(Ordering::Relaxed) > 0 {
            return None;
        }
        let connection = self.writer.try_lock().ok().filter(|_| self.failed.get().is_none())?;
        let find = || readers::at_once(&connection, |connection| find::find(connection, want));
        let found = match std::panic::catch_unwind(AssertUnwindSafe(find)) {
            Ok(found) => found,
            // That a read panics must not keep anyone from writing.
            Err(panic) => {
                let _ = connection.execute_batch("ROLLBACK");
                drop(connection);
                std::panic::resume_unwind(panic);
            }
        };
        if found.is_err() && !connection.is_autocommit() && connection.execute_batch("ROLLBACK").is_err() {
            return Some(Err(self.fail("a transaction that only read could not be ended".to_owned())));
        }
        Some(found.map_err(Trouble::of_read))
    }

    fn read<T>(&self, read: impl FnOnce(&Connection) -> Result<T, Trouble>) -> Result<T, StoreError> {
        self.readers.read(read).map_err(Trouble::of_read)
    }

    fn read_at_once<T>(&self, read: impl FnOnce(&Connection) -> Result<T, Trouble>) -> Result<T, StoreError> {
        self.readers.read_at_once(read).map_err(Trouble::of_read)
    }
}

impl Drop for SqliteStore {
    fn drop(&mut self) {
        self.mover.close();
        // The last connection to close would move the log as if nothing had failed. Opening makes the log's index anew,
        // and moves all of it. The others never do it when they close, and are closed before this one.
        if self.failed.get().is_some()
            && let Ok(connection) = self.writer.lock()
        {
            let _ = open::keep_log(&connection);
        }
    }
}

/// Takes back the transaction of a thread that panics, which would keep everyone else from writing.
struct IfPanicking<'a>(&'a Connection);

impl Drop for IfPanicking<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let _ = self.0.execute_batch("ROLLBACK");
        }
    }
}

/// Begins, works and commits. After an error the transaction may be open.
fn transaction<T>(connection: &Connection, work: impl FnOnce(&Connection) -> Result<T, Trouble>) -> Result<T, Trouble> {
    let _taken_back = IfPanicking(connection);
    connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
    let schema = open::schema_now(connection)?;
    if schema != open::SCHEMA {
        return Err(Trouble::Corrupt(format!(
            "the file has got schema {schema} from another process, and this version writes schema {}",
            open::SCHEMA
        )));
    }
    let done = work(connection)?;
    connection.prepare_cached("COMMIT")?.execute([])?;
    Ok(done)
}

/// Takes from the log what a failed commit left there. Where the disk refuses even that there is nothing more to do.
fn cut_unfinished(connection: &Connection) {
    if connection.execute_batch("BEGIN IMMEDIATE").is_ok() {
        let _ = log::cut_unfinished(connection);
        let _ = connection.execute_batch("ROLLBACK");
    }
}

impl Store for SqliteStore {
    fn lanes(&self) -> usize {
        1
    }

    fn find(&self, want: &Want) -> Result<Found, StoreError> {
        if let Some(found) = self.find_by_writer(want) {
            return found;
        }
        self.read_at_once(|connection| find::find(connection, want))
    }

    fn commit(&self, _lane: usize, batch: &[&Changes]) -> Result<Vec<Verdict>, StoreError> {
        self.write(|connection| write::batch(connection, batch))
    }

    fn passed_holds(&self, accounts: &[Id], now: InstantMs) -> Result<Vec<OpenHold>, StoreError> {
        self.read_at_once(|connection| scan::passed_holds(connection, accounts, now))
    }

    fn next_hold_ends(&self, accounts: &[Id], without: &[Id]) -> Result<HashMap<Id, InstantMs>, StoreError> {
        self.read_at_once(|connection| scan::next_hold_ends(connection, accounts, without))
    }

    fn all_passed_holds(&self, now: InstantMs, limit: usize) -> Result<Vec<OpenHold>, StoreError> {
        self.read(|connection| scan::all_passed_holds(connection, now, limit))
    }

    fn accounts(&self, filter: &AccountFilter) -> Result<Vec<Account>, StoreError> {
        self.read(|connection| scan::accounts(connection, filter))
    }

    fn history(&self, account: Id, after: u64, limit: usize) -> Result<Vec<Booked>, StoreError> {
        self.read_at_once(|connection| scan::history(connection, account, after, limit))
    }

    fn operations(&self, after: i64, limit: usize) -> Result<Vec<Numbered>, StoreError> {
        self.read_at_once(|connection| scan::operations(connection, after, limit))
    }

    fn not_found_by_key(&self, operations: &[Numbered]) -> Result<Vec<i64>, StoreError> {
        self.read_at_once(|connection| keys::not_found(connection, operations))
    }

    fn sequences(&self, from: InstantMs, to: InstantMs) -> Result<Option<(i64, i64)>, StoreError> {
        self.read(|connection| scan::sequences(connection, from, to))
    }

    fn decisions(&self, filter: &DecisionFilter, after: i64, limit: usize) -> Result<Vec<DecisionRow>, StoreError> {
        self.read(|connection| scan::decisions(connection, filter, after, limit))
    }

    fn records(&self, kind: RecordKind, site: &str, after: &str, limit: usize) -> Result<Vec<Record>, StoreError> {
        self.read(|connection| scan::records(connection, kind, site, after, limit))
    }

    fn codes(
        &self,
        site: &str,
        pool: &str,
        state: CodeState,
        after: Option<Id>,
        limit: usize,
    ) -> Result<Vec<Code>, StoreError> {
        self.read(|connection| scan::codes(connection, site, pool, state, after, limit))
    }

    fn code_counts(&self, site: &str, pool: &str) -> Result<HashMap<CodeState, u64>, StoreError> {
        self.read(|connection| scan::code_counts(connection, site, pool))
    }

    fn codes_of(&self, account: Id) -> Result<Vec<Code>, StoreError> {
        self.read(|connection| scan::codes_of(connection, account))
    }

    fn pepper_uses(&self) -> Result<HashMap<u32, u64>, StoreError> {
        self.read(report::pepper_uses)
    }

    fn personal(&self, reference: [u8; 16]) -> Result<Option<Personal>, StoreError> {
        self.read(|connection| scan::personal(connection, reference))
    }

    fn erase(&self, site: &str, customer: &str) -> Result<u64, StoreError> {
        let erased = self.write(|connection| write::erase(connection, site, customer))?;
        self.empty_log();
        Ok(erased)
    }

    fn context(&self, digest: Hash32) -> Result<Option<String>, StoreError> {
        self.read(|connection| {
            let mut statement = connection.prepare_cached("SELECT body FROM context WHERE digest = ?1")?;
            rows::one(&mut statement, [digest], |row| Ok(row.get(0)?))
        })
    }

    fn keep_component(&self, digest: Hash32, bytes: &[u8]) -> Result<(), StoreError> {
        self.write(|connection| rows::insert_component(connection, digest, bytes))
    }

    fn component(&self, digest: Hash32) -> Result<Option<Vec<u8>>, StoreError> {
        self.read(|connection| {
            let mut statement = connection.prepare_cached("SELECT bytes FROM component WHERE digest = ?1")?;
            rows::one(&mut statement, [digest], |row| Ok(row.get(0)?))
        })
    }

    fn liabilities(&self, site: Option<&str>) -> Result<Vec<Liability>, StoreError> {
        self.read(|connection| report::liabilities(connection, site))
    }

    fn turnover(&self, site: Option<&str>, from: InstantMs, to: InstantMs) -> Result<Vec<Turnover>, StoreError> {
        self.read(|connection| report::turnover(connection, site, from, to))
    }

    fn counter_sums(&self) -> Result<Vec<CounterSum>, StoreError> {
        self.read(report::counter_sums)
    }

    fn unsealed_heads(&self) -> Result<Vec<SealedHead>, StoreError> {
        self.read(seal::unsealed_heads)
    }

    fn seal(&self, checkpoint: &Checkpoint, heads: &[SealedHead]) -> Result<bool, StoreError> {
        self.write(|connection| seal::seal(connection, checkpoint, heads))
    }

    fn checkpoints(&self) -> Result<Vec<Checkpoint>, StoreError> {
        self.read(seal::checkpoints)
    }

    fn sealed_heads(&self, number: u64) -> Result<Vec<SealedHead>, StoreError> {
        self.read(|connection| seal::sealed_heads(connection, number))
    }

    fn forget_refusals(&self, now: InstantMs) -> Result<u64, StoreError> {
        self.write(|connection| {
            let forgotten = connection.prepare_cached("DELETE FROM refusal WHERE until <= ?1")?.execute([now])?;
            Ok(forgotten as u64)
        })
    }

    fn note(&self, name: &str) -> Result<Option<String>, StoreError> {
        self.read(|connection| {
            let mut statement = connection.prepare_cached("SELECT text FROM note WHERE name = ?1")?;
            rows::one(&mut statement, [name], |row| Ok(row.get(0)?))
        })
    }

    fn set_note(&self, name: &str, text: &str) -> Result<(), StoreError> {
        self.write(|connection| rows::upsert_note(connection, name, text))
    }

    fn backup(&self, file: &Path) -> Result<(), StoreError> {
        let reader = open::backup_reader(&self.path, &self.options).map_err(Trouble::of_read)?;
        backup::copy(&reader, file)
    }
}
