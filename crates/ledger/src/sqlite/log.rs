//! What SQLite leaves to others about its write-ahead log: what has to be done after a failure, and how long it is. Must
//! not know what is in the log.
//!
//! A commit whose sync failed stays in the log, whole as far as anyone can read, while the system takes its pages for
//! written and never writes them again. Connections that are open know by the log's index that it is none; a process
//! that opens the file later makes the index anew from the log, would find it, and would answer what may be gone after
//! a loss of power. So whoever's sync failed cuts it off, and whoever opens the file makes durable what it finds. Both go
//! through SQLite's own handles, so that its file layer, whichever it is, sees them.
#![allow(unsafe_code, reason = "SQLite gives the handles of its files to nobody but C")]

use std::ffi::{c_int, c_void};
use std::marker::PhantomData;

use rusqlite::{Connection, ffi};

use super::trouble::Trouble;

/// Bytes before the first frame of the log, and before the page of each (SQLite's file format).
const HEADER_BYTES: u64 = 32;
const FRAME_HEADER_BYTES: u64 = 24;

/// Bytes of the first block of the log's index, as SQLite maps it.
const INDEX_BLOCK_BYTES: c_int = 32 << 10;

/// Where the index has its fields (SQLite's file format): whether it is made, bytes of a page, frames that are committed.
const IS_MADE_AT: usize = 12;
const PAGE_BYTES_AT: usize = 14;
const FRAMES_AT: usize = 16;

/// Syncs the log.
///
/// # Errors
/// What the disk says.
pub(super) fn sync(connection: &Connection) -> Result<(), Trouble> {
    sync_file(connection, ffi::SQLITE_FCNTL_JOURNAL_POINTER)
}

/// Syncs the database's file. What is moved into it while others write is counted as moved by SQLite without that.
///
/// # Errors
/// What the disk says.
pub(super) fn sync_database(connection: &Connection) -> Result<(), Trouble> {
    sync_file(connection, ffi::SQLITE_FCNTL_FILE_POINTER)
}

fn sync_file(connection: &Connection, which: c_int) -> Result<(), Trouble> {
    let file = File::of(connection, which)?;
    let sync = file.methods().xSync.ok_or_else(|| missing("xSync"))?;
    // SAFETY: the file is open. The drive's own cache is flushed too, as `fullfsync` asks of commits.
    checked(unsafe { sync(file.file, ffi::SQLITE_SYNC_FULL) })
}

/// Takes from the log everything behind the last commit that worked.
/// INVARIANT: `connection` is in a write transaction that has changed nothing, so that nobody adds to the log.
///
/// # Errors
/// What the disk says.
pub(super) fn cut_unfinished(connection: &Connection) -> Result<(), Trouble> {
    let Some(committed) = committed_bytes(connection)? else { return Ok(()) };
    let log = File::of(connection, ffi::SQLITE_FCNTL_JOURNAL_POINTER)?;
    let (size, truncate) = (log.methods().xFileSize, log.methods().xTruncate);
    let (size, truncate) = (size.ok_or_else(|| missing("xFileSize"))?, truncate.ok_or_else(|| missing("xTruncate"))?);
    let mut length = 0;
    // SAFETY: the file is open, and the answer goes to a number of that size.
    checked(unsafe { size(log.file, &raw mut length) })?;
    if length > committed {
        // SAFETY: the file is open. Nobody reads behind what is committed.
        checked(unsafe { truncate(log.file, committed) })?;
    }
    Ok(())
}

/// Pages in the log up to the last commit. `None` where the index does not say.
/// INVARIANT: `connection` wrote last, and nobody else writes through it.
///
/// # Errors
/// Where SQLite does not give the index.
pub(super) fn committed_pages(connection: &Connection) -> Result<Option<u32>, Trouble> {
    Ok(index(connection)?.map(|index| index.frames))
}

/// Bytes of the log up to the last commit. `None` where the index does not say.
fn committed_bytes(connection: &Connection) -> Result<Option<i64>, Trouble> {
    let Some(Index { page, frames }) = index(connection)? else { return Ok(None) };
    let bytes = if frames == 0 { 0 } else { HEADER_BYTES + u64::from(frames) * (FRAME_HEADER_BYTES + page) };
    Ok(i64::try_from(bytes).ok())
}

/// What the log's index says.
struct Index {
    /// Bytes of a page.
    page: u64,
    /// Pages that are committed.
    frames: u32,
}

/// The index, where it is made.
fn index(connection: &Connection) -> Result<Option<Index>, Trouble> {
    let database = File::of(connection, ffi::SQLITE_FCNTL_FILE_POINTER)?;
    let map = database.methods().xShmMap.ok_or_else(|| missing("xShmMap"))?;
    let mut index: *mut c_void = std::ptr::null_mut();
    // SAFETY: the database is open with a log, whose index every transaction maps: this gives the same memory again, which
    // stays until the connection is closed. It is longer than its header of 136 bytes and aligned to pages. Another
    // process may change a number meanwhile, each of which is read once and as a whole.
    let (is_made, page, frames) = unsafe {
        checked(map(database.file, 0, INDEX_BLOCK_BYTES, 0, &raw mut index))?;
        if index.is_null() {
            return Ok(None);
        }
        let is_made = index.byte_add(IS_MADE_AT).cast::<u8>().read_volatile();
        let page = index.byte_add(PAGE_BYTES_AT).cast::<u16>().read_volatile();
        (is_made == 1, page, index.byte_add(FRAMES_AT).cast::<u32>().read_volatile())
    };
    // 64 KiB do not fit the field, and are written as 1.
    let page = if page == 1 { 1 << 16 } else { u64::from(page) };
    Ok(is_made.then_some(Index { page, frames }))
}

/// One of the files that a connection has open, for as long as the connection is borrowed.
struct File<'a> {
    file: *mut ffi::sqlite3_file,
    _connection: PhantomData<&'a Connection>,
}

impl<'a> File<'a> {
    fn of(connection: &'a Connection, which: c_int) -> Result<Self, Trouble> {
        let mut file: *mut ffi::sqlite3_file = std::ptr::null_mut();
        // SAFETY: the connection is open, and both of these controls write one pointer to where the last argument says.
        unsafe {
            let to = (&raw mut file).cast::<c_void>();
            checked(ffi::sqlite3_file_control(connection.handle(), c"main".as_ptr(), which, to))?;
            if file.is_null() || (*file).pMethods.is_null() {
                return Err(missing("an open log"));
            }
        }
        Ok(Self { file, _connection: PhantomData })
    }

    fn methods(&self) -> &ffi::sqlite3_io_methods {
        // SAFETY: `of` has seen that there are some, and they stay while the file is open.
        unsafe { &*(*self.file).pMethods }
    }
}

fn checked(code: c_int) -> Result<(), Trouble> {
    match code {
        ffi::SQLITE_OK => Ok(()),
        code => Err(Trouble::Sqlite(rusqlite::Error::SqliteFailure(ffi::Error::new(code), None))),
    }
}

fn missing(what: &str) -> Trouble {
    Trouble::Corrupt(format!("SQLite's file layer lacks what the write-ahead log needs: {what}"))
}
