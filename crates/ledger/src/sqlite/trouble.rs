//! What can go wrong while SQLite is asked, and what it means to the ledger. Must not know what was asked.

use rusqlite::ErrorCode;
use rusqlite::ffi::{SQLITE_CONSTRAINT_PRIMARYKEY, SQLITE_CONSTRAINT_ROWID, SQLITE_CONSTRAINT_UNIQUE};

use crate::store::StoreError;

/// Why a statement or the reading of a row did not work.
#[derive(Debug)]
pub(super) enum Trouble {
    /// SQLite's own.
    Sqlite(rusqlite::Error),
    /// What is stored, or what was to be stored, cannot be.
    Corrupt(String),
}

impl From<rusqlite::Error> for Trouble {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

/// What a failed write means for later ones.
pub(super) enum Consequence {
    /// Nothing was written and later writes may work.
    Passing(StoreError),
    /// The file or the disk failed: nothing is written any more through this handle.
    Lasting(String),
}

impl Trouble {
    /// Whether a value that has to be unique is there already.
    pub(super) fn is_taken(&self) -> bool {
        let Self::Sqlite(rusqlite::Error::SqliteFailure(error, _)) = self else { return false };
        matches!(error.extended_code, SQLITE_CONSTRAINT_UNIQUE | SQLITE_CONSTRAINT_PRIMARYKEY | SQLITE_CONSTRAINT_ROWID)
    }

    fn sqlite_code(&self) -> Option<ErrorCode> {
        match self {
            Self::Sqlite(error) => error.sqlite_error_code(),
            Self::Corrupt(_) => None,
        }
    }

    /// Whether a constraint refused a row, or a value cannot be one.
    pub(super) fn is_refused(&self) -> bool {
        // An error that is not SQLite's is of the conversion of a value.
        matches!(
            self.sqlite_code(),
            None | Some(ErrorCode::ConstraintViolation | ErrorCode::TypeMismatch | ErrorCode::TooBig)
        )
    }

    /// Whether another connection was in the way.
    pub(super) fn is_busy(&self) -> bool {
        matches!(self.sqlite_code(), Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked))
    }

    /// What it means where nothing was to be written.
    pub(super) fn of_read(self) -> StoreError {
        let why = self.to_string();
        match self.sqlite_code() {
            // `Unknown` is SQLite's word for a statement that does not fit the tables.
            None | Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase | ErrorCode::Unknown) => {
                StoreError::Corrupt(why)
            }
            Some(_) => StoreError::Unavailable(why),
        }
    }

    /// What it means in a transaction that was to write and is rolled back.
    pub(super) fn of_write(self) -> Consequence {
        let why = self.to_string();
        if self.is_busy() {
            Consequence::Passing(StoreError::Unavailable(why))
        } else if self.is_refused() {
            // The schema refused what is no state of a ledger: it did its work, and the file is sound.
            Consequence::Passing(StoreError::Corrupt(why))
        } else {
            Consequence::Lasting(why)
        }
    }
}

impl std::fmt::Display for Trouble {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Corrupt(why) => f.write_str(why),
            // With the extended code: SQLite says "disk I/O error" of a read as of a sync.
            Self::Sqlite(rusqlite::Error::SqliteFailure(error, message)) => {
                let known = rusqlite::ffi::code_to_str(error.extended_code);
                match message {
                    Some(message) if message != known => {
                        write!(f, "{message} (SQLite {}: {known})", error.extended_code)
                    }
                    _ => write!(f, "{known} (SQLite {})", error.extended_code),
                }
            }
            Self::Sqlite(error) => error.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use rusqlite::ffi;

    use super::*;

    #[test]
    fn only_what_may_pass_leaves_the_store_writing() {
        let passing = [ffi::SQLITE_BUSY, ffi::SQLITE_BUSY_SNAPSHOT, ffi::SQLITE_LOCKED, ffi::SQLITE_CONSTRAINT_CHECK];
        let lasting = [
            ffi::SQLITE_FULL,
            ffi::SQLITE_IOERR_FSYNC,
            ffi::SQLITE_IOERR_WRITE,
            ffi::SQLITE_IOERR_READ,
            ffi::SQLITE_CORRUPT,
            ffi::SQLITE_NOTADB,
            ffi::SQLITE_READONLY,
            ffi::SQLITE_CANTOPEN,
            ffi::SQLITE_NOMEM,
            ffi::SQLITE_ERROR,
        ];
        let of = |code| Trouble::Sqlite(rusqlite::Error::SqliteFailure(ffi::Error::new(code), None)).of_write();
        for code in passing {
            assert!(matches!(of(code), Consequence::Passing(_)), "{code}");
        }
        for code in lasting {
            assert!(matches!(of(code), Consequence::Lasting(_)), "{code}");
        }
    }
}
