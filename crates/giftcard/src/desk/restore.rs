//! A backup becomes a ledger again: checked as a whole before anybody can use it, and never in the place of another. Must
//! not know SQL.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};

use giftcard_ledger::model::RecordKind;
use giftcard_ledger::postgres::{self, PostgresStore};
use giftcard_ledger::sqlite::{self, SqliteOptions, SqliteStore};
use giftcard_ledger::store::{Store, StoreError};

use super::DeskError;
use super::database::{Address, DatabaseProblem, keys_of, postgres_options};
use super::verify::{Decisions, NOT_UNDER_ITS_KEY, Progress, VerifyOptions, VerifyReport, verify_books};
use crate::files::{file_problem, without_number};

/// Bytes that are copied at a time.
const COPY_BYTES: usize = 1 << 20;

/// Why a backup was not restored.
#[derive(Debug, thiserror::Error)]
pub enum RestoreProblem {
    /// The backup cannot be read.
    #[error("the backup `{}` {why}", .file.display())]
    Backup {
        /// The file.
        file: PathBuf,
        /// What is wrong with it, as it follows its name.
        why: String,
    },
    /// There is something in the place already.
    #[error("`{place}` is there already; a ledger is restored to a new place, and this one is left as it is")]
    Taken {
        /// The place.
        place: String,
    },
    /// The place cannot be written.
    #[error("`{place}` cannot be written: {why}")]
    Place {
        /// The place.
        place: String,
        /// Why.
        why: String,
    },
    /// The backup is no sound ledger. Nothing was restored.
    #[error("the backup is not sound: {}", .0.findings.first().map_or("", |finding| finding.message.as_str()))]
    Unsound(Box<VerifyReport>),
    /// The new database.
    #[error(transparent)]
    Database(#[from] DatabaseProblem),
    /// The checks could not be made.
    #[error(transparent)]
    Desk(#[from] DeskError),
}

impl RestoreProblem {
    /// Stable kebab-case code.
    #[must_use]
    pub fn code(&self) -> &str {
        match self {
            Self::Backup { .. } => "backup-unusable",
            Self::Taken { .. } => "place-taken",
            Self::Place { .. } => "place-unwritable",
            Self::Unsound(_) => "backup-unsound",
            Self::Database(problem) => problem.code(),
            Self::Desk(error) => error.code(),
        }
    }
}

impl From<StoreError> for RestoreProblem {
    fn from(error: StoreError) -> Self {
        Self::Database(error.into())
    }
}

/// Restores a backup to where `address` says: a SQLite file that is not there yet, or an empty schema of a PostgreSQL
/// database. Every chain, balance and checkpoint is checked; no decision is run again. Needs no key file; the ledger that
/// comes out belongs to the one that the backup's ledger belonged to.
///
/// # Errors
/// See [`RestoreProblem`]. In place of a SQLite file there is nothing then.
pub fn restore(
    backup: &Path,
    address: &Address,
    progress: &mut dyn FnMut(Progress),
) -> Result<VerifyReport, RestoreProblem> {
    match address {
        Address::Sqlite(place) => to_file(backup, place, progress),
        Address::Postgres { url, schema } => {
            // What is not sound must not get there: it could not be taken out again.
            let source = open(backup).map_err(|why| RestoreProblem::Backup { file: backup.to_path_buf(), why })?;
            mended(&source, progress)?;
            drop(source);
            let options = postgres_options(schema.as_deref(), true);
            let store = PostgresStore::open(url, &options).map_err(DatabaseProblem::Postgres)?;
            if !is_empty(&store)? {
                return Err(RestoreProblem::Taken { place: address.to_string() });
            }
            store.restore_into(backup)?;
            sound(&store, progress)
        }
    }
}

/// Whether nothing was ever put there. Only to say so in time: the store looks again, and then nobody can write.
fn is_empty(store: &dyn Store) -> Result<bool, StoreError> {
    let sites = store.records(RecordKind::Site, "", "", 1)?;
    Ok(sites.is_empty() && store.operations(i64::MIN, 1)?.is_empty())
}

fn to_file(backup: &Path, place: &Path, progress: &mut dyn FnMut(Progress)) -> Result<VerifyReport, RestoreProblem> {
    let shown = || place.display().to_string();
    let unwritable = |why: String| RestoreProblem::Place { place: shown(), why };
    if place.symlink_metadata().is_ok() {
        return Err(RestoreProblem::Taken { place: shown() });
    }
    let mut partial = place.as_os_str().to_owned();
    partial.push(".partial");
    let partial = Partial(PathBuf::from(partial));
    copy(backup, &partial.0).map_err(|error| match error {
        Copying::Read(why) => RestoreProblem::Backup { file: backup.to_path_buf(), why },
        Copying::Write(error) if error.kind() == ErrorKind::AlreadyExists => unwritable(format!(
            "`{}` is in the way: somebody else restores there, or was interrupted; then remove it",
            partial.0.display()
        )),
        Copying::Write(error) => unwritable(without_number(&error.to_string())),
    })?;
    let report = {
        let store = open(&partial.0).map_err(|why| RestoreProblem::Backup {
            file: backup.to_path_buf(),
            why: said(&why, &partial.0, backup),
        })?;
        mended(&store, progress)?
    };
    // Closing moves what checking has changed into the file, and says nothing where it could not.
    if fs::metadata(partial.with("-wal")).is_ok_and(|log| log.len() > 0) {
        return Err(unwritable(
            "the disk does not take all of it; see that there is room for twice the backup".to_owned(),
        ));
    }
    match put_in_place(&partial.0, place) {
        Ok(()) => Ok(report),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Err(RestoreProblem::Taken { place: shown() }),
        Err(error) => Err(unwritable(without_number(&error.to_string()))),
    }
}

/// The copy until it takes its place; then, or if it never does, nothing of it is left.
struct Partial(PathBuf);

impl Partial {
    /// The file, or one that SQLite has beside it.
    fn with(&self, ending: &str) -> PathBuf {
        let mut name = self.0.as_os_str().to_owned();
        name.push(ending);
        PathBuf::from(name)
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        for ending in ["", "-wal", "-shm"] {
            let _ = fs::remove_file(self.with(ending));
        }
    }
}

enum Copying {
    Read(String),
    Write(io::Error),
}

/// Copies a file that nobody writes to a new one for its owner only.
fn copy(from: &Path, to: &Path) -> Result<(), Copying> {
    let unreadable = |error: io::Error| Copying::Read(file_problem(&error));
    let mut source = File::open(from).map_err(unreadable)?;
    if source.metadata().map_err(unreadable)?.is_dir() {
        return Err(Copying::Read("is a folder, not a file".to_string()));
    }
    let mut log = from.as_os_str().to_owned();
    log.push("-wal");
    if fs::metadata(&log).is_ok_and(|log| log.len() > 0) {
        let problem =
            "has a write-ahead log beside it: it is a ledger in use and no backup; make one with `giftcard backup`";
        return Err(Copying::Read(problem.to_string()));
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut target = options.open(to).map_err(Copying::Write)?;
    let mut part = vec![0; COPY_BYTES];
    loop {
        let count = source.read(&mut part).map_err(unreadable)?;
        if count == 0 {
            return target.sync_all().map_err(Copying::Write);
        }
        io::Write::write_all(&mut target, &part[..count]).map_err(Copying::Write)?;
    }
}

fn open(file: &Path) -> Result<SqliteStore, String> {
    SqliteStore::open(file, &SqliteOptions::default()).map_err(|error| match error {
        sqlite::OpenError::Missing { .. } => "cannot be read: there is no such file".to_string(),
        sqlite::OpenError::NotALedger { why, .. } => format!("is no backup of a ledger: {why}"),
        error => format!("cannot be used: {error}"),
    })
}

/// What was said of the copy, as of the backup.
fn said(why: &str, copy: &Path, backup: &Path) -> String {
    why.replace(&copy.display().to_string(), &backup.display().to_string())
}

fn sound(store: &dyn Store, progress: &mut dyn FnMut(Progress)) -> Result<VerifyReport, RestoreProblem> {
    let options = VerifyOptions { decisions: Decisions::None, exported: Vec::new() };
    let key = keys_of(store)?;
    let report = verify_books(store, key.as_ref(), &options, progress)?;
    if report.sound { Ok(report) } else { Err(RestoreProblem::Unsound(Box::new(report))) }
}

/// As [`sound`], after the index of keys was made anew where it lacks something: it follows from the operations.
fn mended(store: &SqliteStore, progress: &mut dyn FnMut(Progress)) -> Result<VerifyReport, RestoreProblem> {
    match sound(store, progress) {
        Err(RestoreProblem::Unsound(report)) if report.findings.iter().any(|found| found.code == NOT_UNDER_ITS_KEY) => {
            store.make_keys_anew()?;
            sound(store, progress)
        }
        checked => checked,
    }
}

/// Gives the copy its name, unless something has it by now, and makes that durable.
fn put_in_place(partial: &Path, place: &Path) -> io::Result<()> {
    // What checking it changed is on the disk too.
    File::open(partial)?.sync_all()?;
    match fs::hard_link(partial, place) {
        Ok(()) => fs::remove_file(partial)?,
        Err(error) if error.kind() == ErrorKind::AlreadyExists => return Err(error),
        // Some file systems have no links.
        Err(_) if place.symlink_metadata().is_ok() => return Err(ErrorKind::AlreadyExists.into()),
        Err(_) => fs::rename(partial, place)?,
    }
    let folder = std::path::absolute(place)?;
    match folder.parent() {
        Some(folder) if cfg!(unix) => File::open(folder)?.sync_all(),
        _ => Ok(()),
    }
}

impl From<postgres::OpenError> for RestoreProblem {
    fn from(error: postgres::OpenError) -> Self {
        Self::Database(DatabaseProblem::Postgres(error))
    }
}
