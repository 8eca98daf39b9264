//! A ledger on a file layer that keeps a tape, with shoppers at it. Must not know what goes wrong with it, nor what is
//! expected of it then.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context, Result, bail, ensure};
use giftcard::Desk;
use giftcard_ledger::model::RecordKind;
use giftcard_ledger::sqlite::{SqliteOptions, SqliteStore, Synchronous};
use giftcard_ledger::store::Store;
use rusqlite::{Connection, OpenFlags};
use tempfile::TempDir;

use super::client::{Action, Client, Reply};
use super::shopper::{ISSUE, Shopper, issue};
use super::vfs::Shim;
use crate::bank;

/// The name of a ledger's file within its folder.
pub const LEDGER: &str = "ledger.db";

/// The seed of the keys that every desk of these tests has.
pub const KEYS: u64 = 7;

/// A folder in memory where there is one: nothing here is about how long a real disk takes.
///
/// # Errors
/// Where no folder can be made.
pub fn quick_folder() -> Result<TempDir> {
    let memory = Path::new("/dev/shm");
    let folder = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
    folder.or_else(|_| tempfile::tempdir()).context("no folder for a test")
}

/// A desk on `store`, and its site in it. `run` tells apart the desks that one ledger had.
///
/// # Errors
/// Where the site cannot be looked up.
pub fn desk_of(store: Arc<dyn Store>, run: u64) -> Result<Desk> {
    let known = store.records(RecordKind::Site, "", "", 1)?;
    if known.is_empty() {
        bank::set_up_site(&*store, &serde_json::json!({"id": bank::SITE, "currency": "USD"}));
    }
    Ok(bank::desk(store, KEYS, run))
}

/// SQLite's own look at every page of a file.
///
/// # Errors
/// What it says, where it is not `ok`.
pub fn check_pages(path: &Path) -> Result<()> {
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    let answer: String = connection.query_row("PRAGMA integrity_check", [], |row| row.get(0))?;
    ensure!(answer == "ok", "the pages of the file are not whole: {answer}");
    Ok(())
}

/// Shoppers at a ledger whose file layer keeps a tape.
pub struct Scene {
    /// The layer.
    pub shim: Shim,
    /// What was sent and acknowledged; its clock is the place on the tape.
    pub client: Mutex<Client>,
    /// Where the ledger is.
    pub path: PathBuf,
    /// Pages in the write-ahead log from which the ledger moves them into the file, beside the shoppers.
    pub log_pages: u32,
    shoppers: Vec<Shopper>,
    runs: u64,
    seed: u64,
    synchronous: Synchronous,
    // Dropped last.
    _folder: TempDir,
}

impl Scene {
    /// A folder, a file layer and shoppers; no ledger yet.
    ///
    /// # Errors
    /// Where there is no folder or no file layer.
    pub fn new(seed: u64, shoppers: u64, synchronous: Synchronous) -> Result<Self> {
        let folder = quick_folder()?;
        let shopper = |place| Shopper::new(format!("s{place}"), seed.wrapping_mul(1000) + place, bank::NOW);
        Ok(Self {
            shim: Shim::register()?,
            client: Mutex::default(),
            path: folder.path().join(LEDGER),
            log_pages: SqliteOptions::default().log_pages,
            shoppers: (1..=shoppers).map(shopper).collect(),
            runs: 0,
            seed,
            synchronous,
            _folder: folder,
        })
    }

    /// How the ledger is opened.
    #[must_use]
    pub fn options(&self) -> SqliteOptions {
        SqliteOptions {
            create: true,
            vfs: Some(self.shim.name()),
            synchronous: self.synchronous,
            readers: 3,
            log_pages: self.log_pages,
            ..SqliteOptions::default()
        }
    }

    /// Opens the ledger, with its cards.
    ///
    /// # Errors
    /// Where it does not open.
    pub fn open(&mut self) -> Result<Desk> {
        self.runs += 1;
        let store = SqliteStore::open(&self.path, &self.options())?;
        let desk = desk_of(Arc::new(store), self.seed.wrapping_mul(1000) + self.runs)?;
        if self.client().is_empty()
            && let Reply::Failed(_, why) = self.ask(&desk, ISSUE, &issue(), bank::NOW)
        {
            bail!("no cards can be issued: {why}");
        }
        Ok(desk)
    }

    /// Every shopper asks once, all at the same time. Returns what they heard.
    pub fn round(&mut self, desk: &Desk) -> Vec<Reply> {
        self.round_beside(desk, || ())
    }

    /// Every shopper asks once, all at the same time, and something else is done meanwhile.
    pub fn round_beside(&mut self, desk: &Desk, else_done: impl FnOnce()) -> Vec<Reply> {
        let mut shoppers = std::mem::take(&mut self.shoppers);
        let ask = |shopper: &mut Shopper| {
            let (key, action, now) = shopper.wish();
            let reply = self.ask(desk, &key, &action, now);
            shopper.hears(&key, &action, &reply);
            reply
        };
        let replies = std::thread::scope(|scope| {
            let asking: Vec<_> = shoppers.iter_mut().map(|shopper| scope.spawn(|| ask(shopper))).collect();
            else_done();
            let heard = |thread: std::thread::ScopedJoinHandle<'_, Reply>| {
                let panicked = |_| Reply::Failed("panicked".to_string(), "a shopper's thread panicked".to_string());
                thread.join().unwrap_or_else(panicked)
            };
            asking.into_iter().map(heard).collect()
        });
        self.shoppers = shoppers;
        replies
    }

    /// What is known by now.
    pub fn client(&self) -> MutexGuard<'_, Client> {
        self.client.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks for one thing.
    pub fn ask(&self, desk: &Desk, key: &str, action: &Action, now: i64) -> Reply {
        self.client().sends(key, action, now, self.shim.position());
        let reply = action.perform(desk, key, now);
        let heard_at = self.shim.position();
        self.client().hears(key, &reply, heard_at);
        reply
    }

    /// What moves the write-ahead log into the file, as another process does that opens the ledger.
    ///
    /// # Errors
    /// Where the file cannot be opened.
    pub fn other(&self) -> Result<Other> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let other = Connection::open_with_flags_and_vfs(&self.path, flags, self.shim.name().as_str())?;
        let synchronous = if self.synchronous == Synchronous::Off { 0 } else { 2 };
        other.pragma_update(None, "synchronous", synchronous)?;
        Ok(Other(other))
    }
}

/// Another connection to the file.
pub struct Other(Connection);

impl Other {
    /// Moves the write-ahead log into the file, as far as nobody is in the way. How is SQLite's word for it.
    pub fn checkpoint(&self, how: &str) {
        let _ = self.0.query_row(&format!("PRAGMA wal_checkpoint({how})"), [], |_| Ok(()));
    }
}

/// Ways to move the write-ahead log into the file.
pub const CHECKPOINTS: [&str; 4] = ["PASSIVE", "FULL", "RESTART", "TRUNCATE"];

/// Whether an operation failed for no reason. Where others were always faster nothing was done, which is none.
///
/// # Errors
/// The failure.
pub fn not_failed(reply: &Reply) -> Result<()> {
    match reply {
        Reply::Failed(code, why) if code != "busy" => bail!("an operation failed with `{code}`: {why}"),
        _ => Ok(()),
    }
}
