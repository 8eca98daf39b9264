//! A file layer for SQLite that passes everything on to the usual one, writes on a [`Tape`] what changes files, and lets
//! syncs and writes go wrong. Must not know what a ledger is, nor what becomes of what was written.
#![allow(unsafe_code, reason = "a file layer is a table of C functions over memory that SQLite allots; see `Layer`")]

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Result, ensure};
use rusqlite::ffi;

use super::tape::{Event, Fault, Tape};

/// Everything that a ledger keeps: the file, its write-ahead log, its rollback journals.
const KEPT: c_int =
    ffi::SQLITE_OPEN_MAIN_DB | ffi::SQLITE_OPEN_WAL | ffi::SQLITE_OPEN_MAIN_JOURNAL | ffi::SQLITE_OPEN_SUPER_JOURNAL;

/// Files after whose first sync the usual layer syncs their folder: see `unixOpen` and `unixSync` in `os_unix.c`.
const SYNCS_FOLDER: c_int = ffi::SQLITE_OPEN_WAL | ffi::SQLITE_OPEN_MAIN_JOURNAL | ffi::SQLITE_OPEN_SUPER_JOURNAL;

/// A file layer with a name of its own, which SQLite knows until this is dropped. Nothing is really synced through it:
/// what is durable is for the reader of the tape to say.
///
/// Files of several folders must not have the same names.
pub struct Shim {
    name: CString,
    shared: Arc<Shared>,
}

struct Shared {
    /// The usual layer.
    base: *mut ffi::sqlite3_vfs,
    tape: Mutex<Tape>,
    gate: Gate,
}

// SAFETY: `base` is the platform's own layer, which SQLite makes once, never frees, and calls from any thread.
unsafe impl Send for Shared {}
// SAFETY: as above; nothing here writes to it.
unsafe impl Sync for Shared {}

impl Shared {
    fn tape(&self) -> MutexGuard<'_, Tape> {
        self.tape.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What SQLite holds on to. INVARIANT: never freed, so that `pAppData`, `zName` and the table itself stay valid for every
/// connection, whenever it ends.
struct Layer {
    vfs: ffi::sqlite3_vfs,
    shared: Arc<Shared>,
}

/// The head of the memory that SQLite allots for an open file; the usual layer's own file follows it at [`REAL_AT`].
/// INVARIANT: `base` is first, so that a pointer to it is a pointer to this. It has nothing to drop.
#[repr(C)]
struct OpenFile {
    base: ffi::sqlite3_file,
    shared: *const Shared,
    /// Its number on the tape.
    kept: Option<usize>,
    /// Whether its next sync syncs the folder.
    syncs_folder: bool,
    is_log: bool,
    /// Whether it was written to through this handle since this handle synced it.
    is_dirty: bool,
}

/// Brings two syncs of one log together, that of who has written to it and another: see [`Shim::arm_gate`].
#[derive(Default)]
struct Gate {
    stage: Mutex<Stage>,
    moved: Condvar,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Stage {
    /// Nobody waits.
    #[default]
    Open,
    /// The next sync by another waits for a writer's.
    Armed,
    /// It waits.
    OtherWaits,
    /// A writer has written and is about to sync.
    BothWait,
    /// The other's sync has failed.
    Failed,
}

/// How long one waits for the other at the gate.
const GATE_PATIENCE: Duration = Duration::from_millis(60);

impl Gate {
    fn lock(&self) -> MutexGuard<'_, Stage> {
        self.stage.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, stage: Stage) {
        *self.lock() = stage;
        self.moved.notify_all();
    }

    /// Waits as long as the stage is `while_`.
    fn wait(&self, stage: MutexGuard<'_, Stage>, while_: Stage) -> Stage {
        let waited = self.moved.wait_timeout_while(stage, GATE_PATIENCE, |stage| *stage == while_);
        let (mut stage, _) = waited.unwrap_or_else(PoisonError::into_inner);
        if *stage == while_ && while_ == Stage::OtherWaits {
            *stage = Stage::Armed;
        }
        *stage
    }

    /// Before a sync of a log. Returns whether it has to fail; then the stage has to be set to failed once it did.
    fn at_sync(&self, is_writer: bool) -> bool {
        let mut stage = self.lock();
        match (*stage, is_writer) {
            (Stage::Armed, false) => {
                *stage = Stage::OtherWaits;
                self.wait(stage, Stage::OtherWaits) == Stage::BothWait
            }
            (Stage::OtherWaits, true) => {
                *stage = Stage::BothWait;
                self.moved.notify_all();
                self.wait(stage, Stage::BothWait);
                false
            }
            _ => false,
        }
    }
}

/// Where the usual layer's file begins. SQLite allots from an address that is a multiple of 8, which is all that file asks.
const REAL_AT: usize = size_of::<OpenFile>().next_multiple_of(16);

impl Shim {
    /// Registers a new layer.
    ///
    /// # Errors
    /// Where SQLite has no usual layer, or does not take a new one.
    pub fn register() -> Result<Self> {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let name = CString::new(format!("survival-{}", COUNT.fetch_add(1, Ordering::Relaxed)))?;
        // SAFETY: a null name asks for the usual layer; SQLite initialises itself.
        let base = unsafe { ffi::sqlite3_vfs_find(std::ptr::null()) };
        ensure!(!base.is_null(), "SQLite has no usual file layer");
        // SAFETY: `base` is not null and stays; its plain fields may be copied.
        let (version, size, longest) = unsafe { ((*base).iVersion, (*base).szOsFile, (*base).mxPathname) };
        let head = c_int::try_from(REAL_AT)?;
        let shared = Arc::new(Shared { base, tape: Mutex::default(), gate: Gate::default() });
        let layer = Box::leak(Box::new(Layer { vfs: table(version.min(2), size + head, longest), shared }));
        let shared = Arc::clone(&layer.shared);
        // Its name has to stay as long as the layer.
        layer.vfs.zName = name.clone().into_raw();
        layer.vfs.pAppData = std::ptr::from_ref(&*layer.shared).cast_mut().cast();
        // SAFETY: the table is complete for its version, and it is never freed.
        let code = unsafe { ffi::sqlite3_vfs_register(&raw mut layer.vfs, 0) };
        ensure!(code == ffi::SQLITE_OK, "SQLite does not take the file layer: {code}");
        Ok(Self { name, shared })
    }

    /// The name to open files with.
    #[must_use]
    pub fn name(&self) -> String {
        self.name.to_string_lossy().into_owned()
    }

    /// The tape. While it is held, whoever writes to a file waits.
    pub fn tape(&self) -> MutexGuard<'_, Tape> {
        self.shared.tape()
    }

    /// Lets a sync of the write-ahead log by somebody who has written nothing there fail at the worst moment: between
    /// another's writing of a commit and its sync, which then works. The system tells of a failure once.
    pub fn arm_gate(&self) {
        self.shared.gate.set(Stage::Armed);
    }

    /// From now on nothing of that kind happens.
    pub fn disarm_gate(&self) {
        self.shared.gate.set(Stage::Open);
    }

    /// How many events are on the tape.
    #[must_use]
    pub fn position(&self) -> usize {
        self.tape().events.len()
    }
}

impl Drop for Shim {
    fn drop(&mut self) {
        self.tape().events = Vec::new();
        // SAFETY: the layer was registered under this name and was never freed; files that are still open go on.
        unsafe {
            let layer = ffi::sqlite3_vfs_find(self.name.as_ptr());
            if !layer.is_null() {
                ffi::sqlite3_vfs_unregister(layer);
            }
        }
    }
}

fn table(version: c_int, size: c_int, longest: c_int) -> ffi::sqlite3_vfs {
    ffi::sqlite3_vfs {
        iVersion: version,
        szOsFile: size,
        mxPathname: longest,
        pNext: std::ptr::null_mut(),
        zName: std::ptr::null(),
        pAppData: std::ptr::null_mut(),
        xOpen: Some(open),
        xDelete: Some(delete),
        xAccess: Some(access),
        xFullPathname: Some(full_path),
        xDlOpen: Some(library_open),
        xDlError: Some(library_error),
        xDlSym: Some(library_symbol),
        xDlClose: Some(library_close),
        xRandomness: Some(randomness),
        xSleep: Some(sleep),
        xCurrentTime: Some(current_time),
        xGetLastError: Some(last_error),
        xCurrentTimeInt64: Some(current_time_ms),
        xSetSystemCall: None,
        xGetSystemCall: None,
        xNextSystemCall: None,
    }
}

/// Version 2: with the shared memory that a write-ahead log needs, without memory-mapped files, which would be written
/// past this layer.
static METHODS: ffi::sqlite3_io_methods = ffi::sqlite3_io_methods {
    iVersion: 2,
    xClose: Some(close),
    xRead: Some(read),
    xWrite: Some(write),
    xTruncate: Some(truncate),
    xSync: Some(sync),
    xFileSize: Some(file_size),
    xLock: Some(lock),
    xUnlock: Some(unlock),
    xCheckReservedLock: Some(check_reserved_lock),
    xFileControl: Some(file_control),
    xSectorSize: Some(sector_size),
    xDeviceCharacteristics: Some(device_characteristics),
    xShmMap: Some(shm_map),
    xShmLock: Some(shm_lock),
    xShmBarrier: Some(shm_barrier),
    xShmUnmap: Some(shm_unmap),
    xFetch: None,
    xUnfetch: None,
};

/// A method that the usual layer has. A panic in a C function ends the process, which is right where it has not.
macro_rules! method {
    ($table:expr, $method:ident) => {
        $table.$method.expect("INVARIANT: the usual layer has every method that SQLite calls")
    };
}

/// The usual layer's file behind one of this layer.
///
/// # Safety
/// `file` is what SQLite allotted for a file of this layer: [`REAL_AT`] bytes and then as many as the usual layer asks.
unsafe fn real(file: *mut ffi::sqlite3_file) -> *mut ffi::sqlite3_file {
    // SAFETY: as the caller promises, the sum is within the same allotted memory.
    unsafe { file.byte_add(REAL_AT) }
}

/// Passes methods of a file on.
macro_rules! pass_on {
    ($($name:ident = $method:ident($($argument:ident: $kind:ty),*) $(-> $answer:ty)?;)*) => {$(
        unsafe extern "C" fn $name(file: *mut ffi::sqlite3_file $(, $argument: $kind)*) $(-> $answer)? {
            // SAFETY: SQLite calls methods of a file only between a successful `open` and `close`, with arguments as the
            // method asks; they are passed on as they are, with the file that the usual layer opened.
            unsafe {
                let real = real(file);
                method!((*(*real).pMethods), $method)(real $(, $argument)*)
            }
        }
    )*};
}

pass_on! {
    read = xRead(to: *mut c_void, amount: c_int, at: i64) -> c_int;
    file_size = xFileSize(size: *mut i64) -> c_int;
    lock = xLock(level: c_int) -> c_int;
    unlock = xUnlock(level: c_int) -> c_int;
    check_reserved_lock = xCheckReservedLock(answer: *mut c_int) -> c_int;
    file_control = xFileControl(what: c_int, argument: *mut c_void) -> c_int;
    sector_size = xSectorSize() -> c_int;
    device_characteristics = xDeviceCharacteristics() -> c_int;
    shm_map = xShmMap(page: c_int, size: c_int, extend: c_int, to: *mut *mut c_void) -> c_int;
    shm_lock = xShmLock(offset: c_int, count: c_int, flags: c_int) -> c_int;
    shm_barrier = xShmBarrier();
    shm_unmap = xShmUnmap(remove: c_int) -> c_int;
}

/// Passes methods of the layer on, with the usual layer in the place of this one: it looks into its own `pAppData`.
macro_rules! pass_on_of_layer {
    ($($name:ident = $method:ident($($argument:ident: $kind:ty),*) $(-> $answer:ty)?;)*) => {$(
        unsafe extern "C" fn $name(vfs: *mut ffi::sqlite3_vfs $(, $argument: $kind)*) $(-> $answer)? {
            // SAFETY: SQLite calls methods of a layer with that layer and arguments as the method asks.
            unsafe {
                let base = shared(vfs).base;
                method!((*base), $method)(base $(, $argument)*)
            }
        }
    )*};
}

pass_on_of_layer! {
    access = xAccess(name: *const c_char, flags: c_int, answer: *mut c_int) -> c_int;
    full_path = xFullPathname(name: *const c_char, size: c_int, to: *mut c_char) -> c_int;
    library_open = xDlOpen(name: *const c_char) -> *mut c_void;
    library_error = xDlError(size: c_int, to: *mut c_char);
    library_symbol = xDlSym(library: *mut c_void, name: *const c_char) -> Option<Symbol>;
    library_close = xDlClose(library: *mut c_void);
    randomness = xRandomness(size: c_int, to: *mut c_char) -> c_int;
    sleep = xSleep(microseconds: c_int) -> c_int;
    current_time = xCurrentTime(to: *mut f64) -> c_int;
    last_error = xGetLastError(size: c_int, to: *mut c_char) -> c_int;
    current_time_ms = xCurrentTimeInt64(to: *mut i64) -> c_int;
}

/// What SQLite takes for a function of a library.
type Symbol = unsafe extern "C" fn(*mut ffi::sqlite3_vfs, *mut c_void, *const c_char);

/// What the files of a layer share.
///
/// # Safety
/// `vfs` is a layer of this file.
unsafe fn shared<'a>(vfs: *mut ffi::sqlite3_vfs) -> &'a Shared {
    // SAFETY: `pAppData` of such a layer points to what its `Layer` keeps for ever.
    unsafe { &*(*vfs).pAppData.cast::<Shared>() }
}

/// The name of a file within its folder. `None` for a file without a name.
///
/// # Safety
/// `path` is null or a C string.
unsafe fn name_of(path: *const c_char) -> Option<String> {
    if path.is_null() {
        return None;
    }
    // SAFETY: as the caller promises.
    let path = unsafe { CStr::from_ptr(path) }.to_string_lossy();
    path.rsplit(['/', '\\']).next().map(str::to_string)
}

unsafe extern "C" fn open(
    vfs: *mut ffi::sqlite3_vfs,
    path: ffi::sqlite3_filename,
    file: *mut ffi::sqlite3_file,
    flags: c_int,
    flags_out: *mut c_int,
) -> c_int {
    // SAFETY: SQLite calls with a layer of this file, with memory of its `szOsFile` for the file, and with a path that
    // outlives the file or is null. The path goes on as it is: options of a URI lie behind it. A null `pMethods` tells
    // SQLite, and here the usual layer, that there is nothing to close.
    unsafe {
        let shared = shared(vfs);
        (*file).pMethods = std::ptr::null();
        let real = real(file);
        (*real).pMethods = std::ptr::null();
        let mut tape = shared.tape();
        let code = method!((*shared.base), xOpen)(shared.base, path, real, flags, flags_out);
        if code != ffi::SQLITE_OK {
            if !(*real).pMethods.is_null() {
                method!((*(*real).pMethods), xClose)(real);
            }
            return code;
        }
        let kept = name_of(path).filter(|_| flags & KEPT != 0).map(|name| {
            let (number, is_new) = tape.file(&name);
            if is_new {
                keep_content(real, number, &mut tape);
            }
            number
        });
        let syncs_folder = flags & SYNCS_FOLDER != 0 && flags & ffi::SQLITE_OPEN_CREATE != 0;
        let is_log = flags & ffi::SQLITE_OPEN_WAL != 0;
        let base = ffi::sqlite3_file { pMethods: &raw const METHODS };
        let shared = shared as *const Shared;
        file.cast::<OpenFile>().write(OpenFile { base, shared, kept, syncs_folder, is_log, is_dirty: false });
        code
    }
}

/// What is in a file that was there before this layer saw it is taken to be durable.
///
/// # Safety
/// `real` is an open file of the usual layer.
unsafe fn keep_content(real: *mut ffi::sqlite3_file, number: usize, tape: &mut Tape) {
    let mut size = 0;
    // SAFETY: as the caller promises; the buffer has as many bytes as are asked for.
    unsafe {
        let methods = *(*real).pMethods;
        if method!(methods, xFileSize)(real, &raw mut size) != ffi::SQLITE_OK || size <= 0 {
            return;
        }
        let mut bytes = vec![0; usize::try_from(size).unwrap_or(0)].into_boxed_slice();
        let amount = c_int::try_from(size).unwrap_or(c_int::MAX);
        if method!(methods, xRead)(real, bytes.as_mut_ptr().cast(), amount, 0) == ffi::SQLITE_OK {
            tape.events.push(Event::Written { file: number, at: 0, bytes });
            tape.events.push(Event::Synced { file: number });
            tape.events.push(Event::FolderSynced);
        }
    }
}

unsafe extern "C" fn delete(vfs: *mut ffi::sqlite3_vfs, path: *const c_char, sync_folder: c_int) -> c_int {
    // SAFETY: SQLite calls with a layer of this file and a path.
    unsafe {
        let shared = shared(vfs);
        let mut tape = shared.tape();
        // Without the sync of the folder, which only the tape is to know of.
        let code = method!((*shared.base), xDelete)(shared.base, path, 0);
        if code == ffi::SQLITE_OK {
            name_of(path).iter().for_each(|name| tape.unname(name));
            if sync_folder & 1 != 0 {
                tape.events.push(Event::FolderSynced);
            }
        }
        code
    }
}

unsafe extern "C" fn close(file: *mut ffi::sqlite3_file) -> c_int {
    // SAFETY: SQLite closes a file that was opened, once.
    unsafe {
        let real = real(file);
        let code = method!((*(*real).pMethods), xClose)(real);
        (*file).pMethods = std::ptr::null();
        code
    }
}

unsafe extern "C" fn write(file: *mut ffi::sqlite3_file, from: *const c_void, amount: c_int, at: i64) -> c_int {
    // SAFETY: SQLite calls with an open file of this layer, whose head `open` wrote, and with `amount` bytes at `from`.
    unsafe {
        let own = &mut *file.cast::<OpenFile>();
        own.is_dirty = true;
        let real = real(file);
        let pass = |amount| method!((*(*real).pMethods), xWrite)(real, from, amount, at);
        let (Some(number), Ok(place), Ok(length)) = (own.kept, u64::try_from(at), usize::try_from(amount)) else {
            return pass(amount);
        };
        let bytes = std::slice::from_raw_parts(from.cast::<u8>(), length);
        // Held while it is written, so that the tape has everything in the order in which it was done.
        let mut tape = (*own.shared).tape();
        let (code, written) = match tape.at_write() {
            None => (pass(amount), length),
            Some(Fault::WriteLies) => return ffi::SQLITE_OK,
            Some(fault) => {
                pass(amount / 2);
                (if fault == Fault::DiskFull { ffi::SQLITE_FULL } else { ffi::SQLITE_IOERR_WRITE }, length / 2)
            }
        };
        tape.events.push(Event::Written { file: number, at: place, bytes: bytes[..written].into() });
        code
    }
}

unsafe extern "C" fn truncate(file: *mut ffi::sqlite3_file, size: i64) -> c_int {
    // SAFETY: SQLite calls with an open file of this layer, whose head `open` wrote.
    unsafe {
        let own = &*file.cast::<OpenFile>();
        let real = real(file);
        let mut tape = (*own.shared).tape();
        let code = method!((*(*real).pMethods), xTruncate)(real, size);
        if let (Some(file), Ok(length), ffi::SQLITE_OK) = (own.kept, u64::try_from(size), code) {
            tape.events.push(Event::Resized { file, length });
        }
        code
    }
}

unsafe extern "C" fn sync(file: *mut ffi::sqlite3_file, flags: c_int) -> c_int {
    // SAFETY: SQLite calls with an open file of this layer, whose head `open` wrote, and which no other thread uses.
    unsafe {
        let own = &mut *file.cast::<OpenFile>();
        let Some(file) = own.kept else {
            let real = real(std::ptr::from_mut(&mut own.base));
            return method!((*(*real).pMethods), xSync)(real, flags);
        };
        let gate = &(*own.shared).gate;
        let fails = own.is_log && gate.at_sync(own.is_dirty);
        own.is_dirty = false;
        let mut tape = (*own.shared).tape();
        if fails {
            tape.events.push(Event::SyncFailed { file });
            gate.set(Stage::Failed);
            return ffi::SQLITE_IOERR_FSYNC;
        }
        match tape.at_sync() {
            Some(Fault::SyncLies) => return ffi::SQLITE_OK,
            Some(_) => {
                tape.events.push(Event::SyncFailed { file });
                return ffi::SQLITE_IOERR_FSYNC;
            }
            None => tape.events.push(Event::Synced { file }),
        }
        if std::mem::take(&mut own.syncs_folder) {
            tape.events.push(Event::FolderSynced);
        }
        ffi::SQLITE_OK
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::survival::tape::Trap;

    fn connection(shim: &Shim, path: &std::path::Path) -> rusqlite::Connection {
        let flags = rusqlite::OpenFlags::default();
        rusqlite::Connection::open_with_flags_and_vfs(path, flags, shim.name().as_str()).unwrap()
    }

    #[test]
    fn everything_that_changes_a_file_is_on_the_tape() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.db");
        let shim = Shim::register().unwrap();
        let sql = connection(&shim, &path);
        sql.execute_batch("PRAGMA journal_mode = WAL; CREATE TABLE t (x)").unwrap();
        let before = shim.position();
        sql.execute_batch("INSERT INTO t VALUES (randomblob(9000))").unwrap();
        let events = shim.tape().events[before..].to_vec();
        assert!(matches!(events.first(), Some(Event::Written { .. })), "{events:?}");
        assert!(matches!(events.last(), Some(Event::Synced { .. })), "{events:?}");
        // Replaying the writes gives the files.
        let mut files: std::collections::HashMap<usize, Vec<u8>> = Default::default();
        let mut names: std::collections::BTreeMap<String, usize> = Default::default();
        for event in &shim.tape().events {
            match event {
                Event::Named { file, name } => drop(names.insert(name.clone(), *file)),
                Event::Unnamed { name } => drop(names.remove(name)),
                Event::Written { file, at, bytes } => {
                    let (file, at) = (files.entry(*file).or_default(), usize::try_from(*at).unwrap());
                    file.resize(file.len().max(at + bytes.len()), 0);
                    file[at..at + bytes.len()].copy_from_slice(bytes);
                }
                Event::Resized { file, length } => {
                    files.entry(*file).or_default().resize(usize::try_from(*length).unwrap(), 0);
                }
                Event::Synced { .. } | Event::SyncFailed { .. } | Event::FolderSynced => {}
            }
        }
        assert_eq!(names.keys().collect::<Vec<_>>(), ["t.db", "t.db-wal"]);
        for (name, file) in names {
            let there = std::fs::read(folder.path().join(&name)).unwrap();
            assert!(there == files.remove(&file).unwrap_or_default(), "{name}");
        }
    }

    #[test]
    fn a_trap_springs_once_and_at_its_turn() {
        let folder = tempfile::tempdir().unwrap();
        let shim = Shim::register().unwrap();
        let sql = connection(&shim, &folder.path().join("t.db"));
        sql.execute_batch("PRAGMA journal_mode = WAL; CREATE TABLE t (x)").unwrap();
        for (fault, code) in [
            (Fault::SyncFails, ffi::SQLITE_IOERR_FSYNC),
            (Fault::WriteFails, ffi::SQLITE_IOERR_WRITE),
            (Fault::DiskFull, ffi::SQLITE_FULL),
        ] {
            shim.tape().set(Some(Trap { fault, after: 1, lasts: false }));
            let insert = || sql.execute("INSERT INTO t VALUES (1)", []);
            let answers = [insert(), insert(), insert()];
            let failed: Vec<_> = answers.iter().filter_map(|answer| answer.as_ref().err()).collect();
            let [rusqlite::Error::SqliteFailure(error, _)] = failed[..] else { panic!("{answers:?}") };
            assert_eq!(error.extended_code, code, "{fault:?}");
            assert_eq!(shim.tape().sprung(), 1);
        }
    }
}
