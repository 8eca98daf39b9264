//! Writing a whole ledger into a new file: under another name until it is complete and on the disk. Must not know where
//! the rows come from.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use rusqlite::Connection;

use super::trouble::Trouble;
use crate::store::StoreError;

/// A file that is written beside its place and takes it when it is whole. Dropped before, it is gone.
pub(super) struct NewFile {
    place: PathBuf,
    partial: PathBuf,
    in_place: bool,
}

impl NewFile {
    /// An empty file for its owner alone, beside `place`, where no file may be.
    pub(super) fn create(place: &Path) -> Result<Self, StoreError> {
        let cannot = |why: String| StoreError::Unavailable(format!("cannot write `{}`: {why}", place.display()));
        let taken = || cannot("a file of that name exists already; choose a new name".to_owned());
        let place = std::path::absolute(place).map_err(|error| cannot(error.to_string()))?;
        if place.symlink_metadata().is_ok() {
            return Err(taken());
        }
        let mut name = place.file_name().ok_or_else(|| cannot("that is no name of a file".to_owned()))?.to_owned();
        name.push(".partial");
        let partial = place.with_file_name(name);
        // SQLite takes the name as text.
        if partial.to_str().is_none() {
            return Err(cannot("the name is not in UTF-8".to_owned()));
        }
        match create_private(&partial) {
            Ok(()) => Ok(Self { place, partial, in_place: false }),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(cannot(format!(
                "`{}` is in the way: another backup is being written, or one was interrupted; then remove it",
                partial.display()
            ))),
            Err(error) => Err(cannot(error.to_string())),
        }
    }

    /// Where it is until it takes its place. Is in UTF-8.
    pub(super) fn partial(&self) -> &Path {
        &self.partial
    }

    /// Syncs the file, gives it its name and syncs that.
    pub(super) fn put_in_place(mut self) -> Result<(), StoreError> {
        let place = self.place.display().to_string();
        self.sync_and_rename().map_err(|error| StoreError::Unavailable(format!("cannot write `{place}`: {error}")))
    }

    fn sync_and_rename(&mut self) -> io::Result<()> {
        // No connection of this process has it open, so that closing it takes no lock away.
        OpenOptions::new().read(true).write(true).open(&self.partial)?.sync_all()?;
        // A link does not replace what came to be there meanwhile. Some file systems have none.
        match std::fs::hard_link(&self.partial, &self.place) {
            Ok(()) => {
                self.in_place = true;
                std::fs::remove_file(&self.partial)?;
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Err(error),
            Err(_) => {
                if self.place.symlink_metadata().is_ok() {
                    return Err(io::ErrorKind::AlreadyExists.into());
                }
                std::fs::rename(&self.partial, &self.place)?;
                self.in_place = true;
            }
        }
        sync_folder_of(&self.place)
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        if !self.in_place {
            let _ = std::fs::remove_file(&self.partial);
        }
    }
}

/// Copies everything that one read transaction sees, with its indices made anew, so that a damaged one is not copied.
/// Writers go on; what they write meanwhile waits in the write-ahead log.
pub(super) fn copy(connection: &Connection, place: &Path) -> Result<(), StoreError> {
    let file = NewFile::create(place)?;
    let partial = file.partial().to_str().unwrap_or_default();
    let copied = connection.execute("VACUUM INTO ?1", [partial]);
    copied.map_err(|error| match Trouble::from(error).of_read() {
        StoreError::Unavailable(why) => StoreError::Unavailable(format!("cannot write `{}`: {why}", place.display())),
        error => error,
    })?;
    file.put_in_place()
}

/// Makes an empty file that only its owner can read; an error where there is one.
///
/// The file is closed again before SQLite opens it: closing it later would take away the locks of this process.
pub(super) fn create_private(path: &Path) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map(drop)
}

/// Makes durable that a file has its name.
pub(super) fn sync_folder_of(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(folder) if cfg!(unix) => File::open(folder)?.sync_all(),
        _ => Ok(()),
    }
}
