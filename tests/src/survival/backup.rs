//! Backups that are taken while others pay: restored, each is the ledger as it was at one moment, and goes on from there.
//! Must not know how a backup is made or restored.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context, Result, bail, ensure};
use giftcard::Desk;
use giftcard::desk::{Address, restore};
use giftcard_ledger::sqlite::{SqliteOptions, SqliteStore};
use giftcard_ledger::store::{Numbered, Store};

use super::books;
use super::client::{Action, Client, Reply};
use super::scene::{LEDGER, check_pages, desk_of};
use super::shopper::{ISSUE, Shopper, issue};
use crate::bank;

/// Operations that are done before the first backup is begun, and between two, at least.
const BETWEEN: usize = 40;

/// A restored backup, and what was known when.
pub struct Copy {
    /// Its operations.
    pub operations: Vec<Numbered>,
    /// Everything acknowledged by then has to be in it.
    pub begun: usize,
    /// Nothing that was sent later can be in it.
    pub ended: usize,
}

/// What was seen.
pub struct Backups {
    /// What was sent and acknowledged, by a clock that counts both.
    pub client: Client,
    /// The ledger in the end.
    pub operations: Vec<Numbered>,
    /// The backups that were taken meanwhile.
    pub copies: Vec<Copy>,
}

/// Where backups come from: the file that a way of making them leaves.
pub type Make<'a> = &'a dyn Fn(&dyn Store, &Path, &Path) -> Result<()>;

/// The ledger's own way.
///
/// # Errors
/// Where it does not work.
pub fn own(store: &dyn Store, _: &Path, to: &Path) -> Result<()> {
    Ok(store.backup(to)?)
}

/// Lets `shoppers` pay, and takes backups with `make` and restores them meanwhile. Each is compared with what was known.
///
/// # Errors
/// The first backup that is not as it should be.
pub fn under_load(folder: &Path, seed: u64, shoppers: u64, count: usize, make: Make<'_>) -> Result<Backups> {
    let path = folder.join(LEDGER);
    let store: Arc<dyn Store> =
        Arc::new(SqliteStore::open(&path, &SqliteOptions { create: true, ..SqliteOptions::default() })?);
    let load = Load {
        desk: desk_of(Arc::clone(&store), 1)?,
        client: Mutex::default(),
        clock: AtomicUsize::new(0),
        done: AtomicUsize::new(0),
        stop: AtomicBool::new(false),
    };
    load.ask(ISSUE, &issue(), bank::NOW);
    let copies = std::thread::scope(|scope| {
        for place in 1..=shoppers {
            let load = &load;
            scope.spawn(move || load.shop(Shopper::new(format!("s{place}"), seed * 1000 + place, bank::NOW)));
        }
        let _stop = Stop(&load.stop);
        (0..count).map(|number| load.copy(folder, number, &path, make)).collect::<Result<Vec<_>>>()
    })?;
    let client = load.client.into_inner().unwrap_or_else(PoisonError::into_inner);
    client.compare(&*store, usize::MAX, usize::MAX)?.into_result().context("the ledger itself")?;
    let operations = store.operations(i64::MIN, usize::MAX)?;
    for (number, copy) in copies.iter().enumerate() {
        let differs = books::is_beginning_of(&operations, &copy.operations);
        ensure!(differs.is_ok(), "backup {number} is no beginning of the ledger: {differs:?}");
    }
    Ok(Backups { client, operations, copies })
}

struct Load {
    desk: Desk,
    client: Mutex<Client>,
    clock: AtomicUsize,
    done: AtomicUsize,
    stop: AtomicBool,
}

/// Ends the load however the backups end.
struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Load {
    fn shop(&self, mut shopper: Shopper) {
        while !self.stop.load(Ordering::Relaxed) {
            let (key, action, now) = shopper.wish();
            let reply = self.ask(&key, &action, now);
            shopper.hears(&key, &action, &reply);
        }
    }

    fn ask(&self, key: &str, action: &Action, now: i64) -> Reply {
        self.client().sends(key, action, now, self.tick());
        let reply = action.perform(&self.desk, key, now);
        // The time is taken first, so that what is heard late counts as heard late.
        let mut client = self.client();
        client.hears(key, &reply, self.tick());
        self.done.fetch_add(1, Ordering::Relaxed);
        reply
    }

    fn tick(&self) -> usize {
        self.clock.fetch_add(1, Ordering::SeqCst)
    }

    fn client(&self) -> MutexGuard<'_, Client> {
        self.client.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a backup in the middle of it, and compares it with what was known before and after.
    fn copy(&self, folder: &Path, number: usize, path: &Path, make: Make<'_>) -> Result<Copy> {
        let enough = (number + 1) * BETWEEN;
        for _ in 0..60_000 {
            if self.done.load(Ordering::Relaxed) >= enough {
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        let to = folder.join(format!("backup-{number}.db"));
        let begun = self.tick();
        make(self.desk.store(), path, &to)?;
        let ended = self.tick();
        let known = self.client().clone();
        let restored = folder.join(format!("restored-{number}.db"));
        restore(&to, &Address::Sqlite(restored.clone()), &mut |_| {})
            .with_context(|| format!("backup {number} is not restored"))?;
        let operations = compare(&known, &restored, begun, ended).with_context(|| format!("backup {number}"))?;
        Ok(Copy { operations, begun, ended })
    }
}

/// Compares a restored backup with what was known, and goes on from it.
fn compare(known: &Client, file: &Path, begun: usize, ended: usize) -> Result<Vec<Numbered>> {
    let store: Arc<dyn Store> = Arc::new(SqliteStore::open(file, &SqliteOptions::default())?);
    known.compare(&*store, begun, ended)?.into_result()?;
    let operations = store.operations(i64::MIN, usize::MAX)?;
    check_pages(file)?;
    let desk = desk_of(Arc::clone(&store), 2 + ended as u64)?;
    let more = Action::Redeem { total: 500, cards: vec![(1, None)] };
    match more.perform(&desk, "after", bank::NOW) {
        Reply::Done(_) => {}
        reply => bail!("a backup does not go on: {reply:?}"),
    }
    ensure!(store.operations(i64::MIN, usize::MAX)?.len() == operations.len() + 1, "a backup goes on otherwise");
    books::verify(&desk)?;
    Ok(operations)
}
