//! Opening and making a ledger file: whose it is, which schema it has, where it lies, how SQLite is set. Must not know
//! what is in the tables.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior};

use super::backup::{create_private, sync_folder_of};
use super::mover::Hands;
use super::trouble::Trouble;
use super::{SqliteOptions, Synchronous, keys, log};

/// `GCLG` in ASCII: in the header of every ledger.
pub(super) const APPLICATION_ID: i64 = 0x4743_4c47;

/// The steps from an empty file to the newest schema. The version of a schema is how many of them were taken.
pub(super) const MIGRATIONS: [&str; 3] =
    [include_str!("schema-1.sql"), include_str!("schema-2.sql"), include_str!("schema-3.sql")];

/// The schema from which on the index of keys is the program's own.
const SCHEMA_OF_KEYS: usize = 3;

/// The version of the schema that this program reads and writes.
pub(super) const SCHEMA: i64 = MIGRATIONS.len() as i64;

/// Page size of new files, in bytes.
const PAGE_BYTES: i64 = 4096;

/// What the writing connection keeps in memory, in KiB.
const WRITER_CACHE_KIB: i64 = 64 << 10;

/// What each reading connection keeps in memory, in KiB.
const READER_CACHE_KIB: i64 = 8 << 10;

/// What is left of the write-ahead log after it grew, in bytes.
const WAL_BYTES_LEFT: i64 = 96 << 20;

/// SQLite's numbers for where temporary tables and journals of statements are.
const TEMP_IN_FILES: i64 = 1;
const TEMP_IN_MEMORY: i64 = 2;

/// Statements a connection keeps prepared.
const STATEMENTS: usize = 128;

/// How long opening waits for others before it leaves the write-ahead log to them.
const CHECKPOINT_PATIENCE: Duration = Duration::from_secs(2);

/// How long beginning the write-ahead log again waits for those who read from it.
const RESTART_PATIENCE: Duration = Duration::from_millis(10);

/// One at a time: a file that is made is closed before SQLite opens it, and closing takes away every lock that this
/// process has on it.
static OPENING: Mutex<()> = Mutex::new(());

/// Why a file was not opened. Nothing was changed, other than where a migration had begun.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// There is no such file.
    #[error("there is no ledger at `{}`; make one with `giftcard init`", .path.display())]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// Something else's file.
    #[error("`{}` is not a ledger: {why}; name the file that `giftcard init` made", .path.display())]
    NotALedger {
        /// The file.
        path: PathBuf,
        /// What it is.
        why: String,
    },
    /// A later version of this program has written it.
    #[error("`{}` has schema {found}, and this version knows schemas up to {known}; use the newer version that wrote it", .path.display())]
    NewerSchema {
        /// The file.
        path: PathBuf,
        /// Its schema.
        found: i64,
        /// The newest known here.
        known: i64,
    },
    /// Locks do not work there as SQLite needs them.
    #[error("`{}` is on a network file system ({file_system}), where locks cannot be relied on; put it on a local disk", .path.display())]
    NetworkFileSystem {
        /// The file.
        path: PathBuf,
        /// What kind.
        file_system: &'static str,
    },
    /// The file or its folder cannot be read or written by this user.
    #[error("no permission to {action} `{}`; SQLite has to read and write the file and its folder", .path.display())]
    Permission {
        /// The file or folder.
        path: PathBuf,
        /// What was tried, as a verb.
        action: &'static str,
    },
    /// Another process kept it locked.
    #[error("`{}` is locked by another process: {why}", .path.display())]
    Busy {
        /// The file.
        path: PathBuf,
        /// What SQLite said.
        why: String,
    },
    /// Anything else.
    #[error("cannot open `{}`: {why}", .path.display())]
    Other {
        /// The file.
        path: PathBuf,
        /// What went wrong.
        why: String,
    },
}

/// What a file says of itself.
enum Header {
    /// Nothing in it yet.
    Empty,
    /// A ledger of this schema.
    Ledger(i64),
    /// Somebody else's.
    Foreign,
}

/// The writing connection of a file that is there, or is made, and has the newest schema; with its absolute path.
pub(super) fn writer(path: &Path, options: &SqliteOptions) -> Result<(Connection, PathBuf), OpenError> {
    let _one_at_a_time = OPENING.lock().unwrap_or_else(PoisonError::into_inner);
    let path = std::path::absolute(path).map_err(|error| other(path, error))?;
    let made = find_or_make(&path, options.create)?;
    let failed = |trouble| failure(&path, trouble);
    let mut connection = connect(&path, options).map_err(failed)?;
    match header(&connection).map_err(failed)? {
        Header::Empty if !options.create => return Err(not_a_ledger(&path, "it is empty")),
        Header::Foreign => return Err(not_a_ledger(&path, "it is another program's SQLite file")),
        Header::Ledger(found) if found > SCHEMA => {
            return Err(OpenError::NewerSchema { path, found, known: SCHEMA });
        }
        Header::Empty => set(&connection, "page_size", PAGE_BYTES).map_err(failed)?,
        Header::Ledger(_) => {}
    }
    use_write_ahead_log(&connection, options).map_err(failed)?;
    set_writer(&connection, options).map_err(failed)?;
    take_over_log(&connection, options).map_err(failed)?;
    if migrate(&mut connection, &path)? {
        // All of a large ledger may be in the log, which nobody who commits should have to move.
        take_over_log(&connection, options).map_err(failed)?;
    }
    if made {
        sync_folder_of(&path).map_err(|error| other(&path, error))?;
    }
    Ok((connection, path))
}

/// A connection that only reads, of a file that [`writer`] has opened.
pub(super) fn reader(path: &Path, options: &SqliteOptions) -> Result<Connection, Trouble> {
    let connection = connect(path, options)?;
    set(&connection, "cache_size", -READER_CACHE_KIB)?;
    set(&connection, "query_only", 1)?;
    keep_log(&connection)?;
    Ok(connection)
}

/// What moves the write-ahead log into the file, beside who commits.
pub(super) fn hands(path: &Path, options: &SqliteOptions) -> Result<Hands, Trouble> {
    let connection = || -> Result<Connection, Trouble> {
        let connection = connect(path, options)?;
        set_durability(&connection, options)?;
        // Whoever writes waits for it.
        connection.busy_timeout(RESTART_PATIENCE)?;
        keep_log(&connection)?;
        Ok(connection)
    };
    Hands::new(connection()?, connection()?, options.synchronous)
}

/// A connection that copies the file. It has to write, though not here.
pub(super) fn backup_reader(path: &Path, options: &SqliteOptions) -> Result<Connection, Trouble> {
    let connection = connect(path, options)?;
    set(&connection, "cache_size", -WRITER_CACHE_KIB)?;
    keep_log(&connection)?;
    Ok(connection)
}

/// Leaves the log as it is when the connection is closed, even if it is the last one.
pub(super) fn keep_log(connection: &Connection) -> Result<(), Trouble> {
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    Ok(())
}

/// A connection to an empty file that becomes a copy, in a transaction that makes it a ledger.
pub(super) fn connection_of_copy(path: &Path) -> Result<Connection, Trouble> {
    let connection = connect(path, &SqliteOptions::default())?;
    set(&connection, "page_size", PAGE_BYTES)?;
    // Until the copy is whole and synced its name is not given to it, so there is nothing to go back to.
    connection.query_row("PRAGMA journal_mode = OFF", [], |_| Ok(()))?;
    set(&connection, "synchronous", 0)?;
    set(&connection, "cache_size", -WRITER_CACHE_KIB)?;
    // What it remembers meanwhile may be more than memory.
    set(&connection, "temp_store", TEMP_IN_FILES)?;
    connection.execute_batch("BEGIN EXCLUSIVE")?;
    bring_to_newest(&connection, 0)?;
    Ok(connection)
}

/// The schema of the file as it is now: another process may have moved it on.
pub(super) fn schema_now(connection: &Connection) -> Result<i64, Trouble> {
    Ok(connection.prepare_cached("PRAGMA user_version")?.query_row([], |row| row.get(0))?)
}

/// Looks whether the file is there and where, and makes an empty one if it may. True where it was made.
fn find_or_make(path: &Path, create: bool) -> Result<bool, OpenError> {
    let folder = path.parent().unwrap_or(path);
    let there = match path.metadata() {
        Ok(found) if found.is_dir() => return Err(not_a_ledger(path, "it is a folder")),
        Ok(_) => true,
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => return Err(permission(path, "look at")),
        Err(_) => false,
    };
    if !there && !create {
        return Err(OpenError::Missing { path: path.to_owned() });
    }
    if !folder.is_dir() {
        return Err(other(path, format!("the folder `{}` does not exist; make it first", folder.display())));
    }
    if let Some(file_system) = network_file_system(if there { path } else { folder }) {
        return Err(OpenError::NetworkFileSystem { path: path.to_owned(), file_system });
    }
    if !may_write(folder) {
        return Err(permission(folder, "write in"));
    }
    if there {
        return if may_write(path) { Ok(false) } else { Err(permission(path, "read and write")) };
    }
    match create_private(path) {
        Ok(()) => Ok(true),
        // Another process was faster.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Err(permission(path, "make")),
        Err(error) => Err(other(path, error)),
    }
}

/// Whether this user may read and write a file, or add to a folder.
#[cfg(unix)]
fn may_write(path: &Path) -> bool {
    use rustix::fs::{Access, access};
    access(path, Access::READ_OK | Access::WRITE_OK).is_ok()
}

#[cfg(not(unix))]
fn may_write(_path: &Path) -> bool {
    true
}

/// The name of the network file system that this is on.
#[cfg(target_os = "linux")]
fn network_file_system(path: &Path) -> Option<&'static str> {
    let found = rustix::fs::statfs(path).ok()?;
    // The kernel's numbers, in whatever width and sign the platform has them.
    network_name(found.f_type as u32)
}

#[cfg(not(target_os = "linux"))]
fn network_file_system(_path: &Path) -> Option<&'static str> {
    None
}

/// File systems by their numbers in the kernel (`linux/magic.h` and the file systems' own headers). FUSE is what sshfs,
/// GlusterFS and shared folders of virtual machines are; none of them is known to keep locks and shared memory.
#[cfg(target_os = "linux")]
const fn network_name(magic: u32) -> Option<&'static str> {
    Some(match magic {
        0x6969 => "NFS",
        0xff53_4d42 => "CIFS",
        0xfe53_4d42 => "SMB2",
        0x517b => "SMB",
        0x0102_1997 => "9P",
        0x6573_5546 => "FUSE",
        0x5346_414f | 0x6b41_4653 => "AFS",
        0x7375_7245 => "Coda",
        0x564c => "NCP",
        0x00c3_6400 => "Ceph",
        0x0bd0_0bd0 => "Lustre",
        0x1983_0326 => "BeeGFS",
        0x4750_4653 => "GPFS",
        0x0116_1970 => "GFS2",
        0x7461_636f => "OCFS2",
        _ => return None,
    })
}

fn connect(path: &Path, options: &SqliteOptions) -> Result<Connection, Trouble> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = match &options.vfs {
        None => Connection::open_with_flags(path, flags)?,
        Some(vfs) => Connection::open_with_flags_and_vfs(path, flags, vfs.as_str())?,
    };
    connection.busy_timeout(options.busy_timeout())?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    keep_plans(&connection)?;
    set(&connection, "trusted_schema", 0)?;
    set(&connection, "cell_size_check", 1)?;
    // References are held by the guards of every write; SQLite would look each of them up once more.
    set(&connection, "foreign_keys", 0)?;
    set(&connection, "temp_store", TEMP_IN_MEMORY)?;
    Ok(connection)
}

/// A statement stays as it was planned: where it has a limit, every other value of it would have it planned anew.
pub(super) fn keep_plans(connection: &Connection) -> Result<(), Trouble> {
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    Ok(())
}

fn set(connection: &Connection, pragma: &str, value: i64) -> Result<(), Trouble> {
    Ok(connection.pragma_update(None, pragma, value)?)
}

/// As of one moment: of a file that another process is just making, half would look like somebody else's.
fn header(connection: &Connection) -> Result<Header, Trouble> {
    // Ended when it is dropped. Within another transaction everything is of one moment anyway.
    let _moment = connection.is_autocommit().then(|| connection.unchecked_transaction()).transpose()?;
    let number = |pragma: &str| connection.query_row(pragma, [], |row| row.get::<_, i64>(0));
    let application = number("PRAGMA application_id")?;
    let version = number("PRAGMA user_version")?;
    let objects = number("SELECT count(*) FROM sqlite_schema")?;
    Ok(match (application, version, objects) {
        (APPLICATION_ID, version, _) => Header::Ledger(version),
        (0, 0, 0) => Header::Empty,
        _ => Header::Foreign,
    })
}

/// Switching a new file is not something that SQLite waits with: two processes may do it at the same time.
fn use_write_ahead_log(connection: &Connection, options: &SqliteOptions) -> Result<(), Trouble> {
    patiently(options.busy_timeout(), || {
        let mode: String = connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))?;
        if mode == "wal" {
            return Ok(());
        }
        Err(Trouble::Corrupt(format!("SQLite uses the journal `{mode}` there, and a ledger needs a write-ahead log")))
    })
}

fn set_writer(connection: &Connection, options: &SqliteOptions) -> Result<(), Trouble> {
    set_durability(connection, options)?;
    set(connection, "cache_size", -WRITER_CACHE_KIB)?;
    // It would say nothing of its failures.
    set(connection, "wal_autocheckpoint", 0)?;
    set(connection, "journal_size_limit", WAL_BYTES_LEFT)?;
    // What is erased is overwritten.
    set(connection, "secure_delete", 1)
}

fn set_durability(connection: &Connection, options: &SqliteOptions) -> Result<(), Trouble> {
    set_synchronous(connection, options.synchronous)?;
    // On macOS a plain sync leaves the drive's cache alone.
    set(connection, "fullfsync", 1)?;
    set(connection, "checkpoint_fullfsync", 1)
}

/// Which syncs SQLite makes by itself.
pub(super) fn set_synchronous(connection: &Connection, synchronous: Synchronous) -> Result<(), Trouble> {
    let level = match synchronous {
        Synchronous::Full => 2,
        Synchronous::Off => 0,
    };
    set(connection, "synchronous", level)
}

/// Brings the schema to the newest, under the lock of a writer: of several processes one does it. False where there was
/// nothing to do.
fn migrate(connection: &mut Connection, path: &Path) -> Result<bool, OpenError> {
    let failed = |trouble| failure(path, trouble);
    if let Header::Ledger(SCHEMA) = header(connection).map_err(failed)? {
        return Ok(false);
    }
    // What is remembered for a rollback of a step may be more than memory; and no step drops what was erased.
    set(connection, "temp_store", TEMP_IN_FILES).map_err(failed)?;
    set(connection, "secure_delete", 0).map_err(failed)?;
    let transaction = connection
        .transaction_with_behavior(TransactionBehavior::Immediate)
        .map_err(|error| failed(Trouble::from(error)))?;
    let found = match header(&transaction).map_err(failed)? {
        Header::Empty => 0,
        Header::Ledger(found) => found,
        Header::Foreign => return Err(not_a_ledger(path, "it is another program's SQLite file")),
    };
    let taken = usize::try_from(found).ok().filter(|taken| *taken <= MIGRATIONS.len());
    let Some(taken) = taken else {
        return Err(OpenError::NewerSchema { path: path.to_owned(), found, known: SCHEMA });
    };
    bring_to_newest(&transaction, taken).map_err(failed)?;
    transaction.commit().map_err(|error| failed(Trouble::from(error)))?;
    set(connection, "temp_store", TEMP_IN_MEMORY).map_err(failed)?;
    set(connection, "secure_delete", 1).map_err(failed)?;
    Ok(true)
}

/// Takes the steps that are left, within a transaction.
pub(super) fn bring_to_newest(connection: &Connection, taken: usize) -> Result<(), Trouble> {
    for (migration, schema) in MIGRATIONS.iter().zip(1..).skip(taken) {
        connection.execute_batch(migration)?;
        if schema == SCHEMA_OF_KEYS {
            keys::make_anew(connection)?;
        }
    }
    set(connection, "application_id", APPLICATION_ID)?;
    set(connection, "user_version", SCHEMA)
}

/// Moves what is in the write-ahead log into the file and syncs both: a process that was killed may have left there what
/// it had not synced yet, and nothing of that may be answered before it is durable. Where others keep using the log, it
/// was not left behind, and is theirs.
fn take_over_log(connection: &Connection, options: &SqliteOptions) -> Result<(), Trouble> {
    let patience = CHECKPOINT_PATIENCE.min(options.busy_timeout());
    // It would wait for readers with the writer's lock in its hands. This way others write between the attempts.
    connection.busy_timeout(Duration::ZERO)?;
    let taken = patiently(patience, || {
        let busy = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, bool>(0))?;
        if busy { Err(busy_log()) } else { Ok(()) }
    });
    connection.busy_timeout(options.busy_timeout())?;
    match taken {
        Err(trouble) if trouble.is_busy() => {}
        taken => taken?,
    }
    // SQLite does not sync that it has shortened the log: after a loss of power the old one would be back.
    log::sync(connection)
}

fn busy_log() -> Trouble {
    Trouble::Sqlite(rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_BUSY), None))
}

/// Tries until it works or patience is over, as long as only others are in the way.
fn patiently(patience: Duration, mut attempt: impl FnMut() -> Result<(), Trouble>) -> Result<(), Trouble> {
    const PAUSE: Duration = Duration::from_millis(10);
    let begun = Instant::now();
    loop {
        match attempt() {
            Err(trouble) if trouble.is_busy() && begun.elapsed() < patience => {}
            answer => return answer,
        }
        std::thread::sleep(PAUSE);
    }
}

fn failure(path: &Path, trouble: Trouble) -> OpenError {
    let code = match &trouble {
        Trouble::Sqlite(error) => error.sqlite_error_code(),
        Trouble::Corrupt(_) => None,
    };
    let path = path.to_owned();
    match code {
        Some(ErrorCode::NotADatabase) => OpenError::NotALedger { path, why: "it is no SQLite file".to_owned() },
        Some(ErrorCode::PermissionDenied | ErrorCode::ReadOnly) => OpenError::Permission { path, action: "write" },
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => OpenError::Busy { path, why: trouble.to_string() },
        _ => OpenError::Other { path, why: trouble.to_string() },
    }
}

fn not_a_ledger(path: &Path, why: &str) -> OpenError {
    OpenError::NotALedger { path: path.to_owned(), why: why.to_owned() }
}

fn permission(path: &Path, action: &'static str) -> OpenError {
    OpenError::Permission { path: path.to_owned(), action }
}

fn other(path: &Path, why: impl ToString) -> OpenError {
    OpenError::Other { path: path.to_owned(), why: why.to_string() }
}
