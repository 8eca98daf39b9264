//! A new SQLite file that is filled with the rows of another store: its backup. Must not know which store that is.

use std::path::Path;

use rusqlite::Connection;

use super::backup::NewFile;
use super::keys::{self, Keys};
use super::rows::Position;
use super::trouble::Trouble;
use super::{open, rows, seal};
use crate::model::{Account, Code, Entry, Hash32, Leg, OperationKey, Record, Refusal};
use crate::store::{Checkpoint, Context, Numbered, OpenHold, Personal, SealedHead, StoreError};

/// A new SQLite file of this schema while it is filled. Dropped before [`SqliteCopy::finish`], it is gone.
///
/// Operations come by ascending sequence. Everything else may come in any order, and costs least by ascending id.
pub struct SqliteCopy {
    // Dropped first: the file is closed before it goes.
    connection: Connection,
    file: NewFile,
    keys: Keys,
    /// How many came so far.
    operations: i64,
}

impl SqliteCopy {
    /// An empty file, which takes the name `file` when it is finished. Only its owner can read it.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] where a file of that name exists or none can be made there.
    pub fn create(file: &Path) -> Result<Self, StoreError> {
        let file = NewFile::create(file)?;
        let (connection, keys) = open::connection_of_copy(file.partial())
            .and_then(|connection| {
                // The last entry of each account so far. Goes with the connection.
                connection.execute_batch(
                    "CREATE TEMP TABLE last (account INTEGER PRIMARY KEY, operation INTEGER, place INTEGER)",
                )?;
                let keys = Keys::of(&connection)?;
                Ok((connection, keys))
            })
            .map_err(Trouble::of_read)?;
        Ok(Self { connection, file, keys, operations: 0 })
    }

    /// An operation under its sequence, with its legs.
    ///
    /// # Errors
    /// As of every row: [`StoreError::Corrupt`] where the schema refuses it, else [`StoreError::Unavailable`].
    pub fn operation(&mut self, numbered: &Numbered) -> Result<(), StoreError> {
        self.add(numbered).map_err(refused)
    }

    fn add(&mut self, Numbered { sequence, operation, entries }: &Numbered) -> Result<(), Trouble> {
        if self.keys.find(&self.connection, &operation.key)?.is_some() {
            let OperationKey { site, key } = &operation.key;
            return Err(Trouble::Corrupt(format!("operation {sequence} has another's key, `{key}` of {site}")));
        }
        rows::insert_operation(&self.connection, Some(*sequence), operation)?;
        self.keys.add(&self.connection, &operation.key, *sequence)?;
        // Numbers may leave some out, turns may not.
        self.operations += 1;
        keys::move_on(&self.connection, self.operations)?;
        self.entries(*sequence, entries)
    }

    /// The legs of an operation, each account's behind the one that came before.
    fn entries(&self, operation: i64, entries: &[Entry]) -> Result<(), Trouble> {
        let mut last = self.connection.prepare_cached("SELECT operation, place FROM temp.last WHERE account = ?1")?;
        let mut moves = self.connection.prepare_cached(
            "INSERT INTO temp.last (account, operation, place) VALUES (?1, ?2, ?3) \
             ON CONFLICT (account) DO UPDATE SET operation = ?2, place = ?3",
        )?;
        for (place, entry) in entries.iter().enumerate() {
            let at = Position { operation, place: rows::limit(place) };
            let Leg::Account { id, .. } = entry.leg else {
                rows::insert_entry(&self.connection, at, entry, None)?;
                continue;
            };
            let previous = rows::one(&mut last, [id.get()], |row| rows::position(row, 0))?.flatten();
            if previous.is_some_and(|previous| previous > at) {
                return Err(Trouble::Corrupt(format!("the operation {operation} came after a later one")));
            }
            rows::insert_entry(&self.connection, at, entry, previous)?;
            moves.execute([id.get(), at.operation, at.place])?;
        }
        Ok(())
    }

    /// An account.
    ///
    /// # Errors
    /// See [`Self::operation`].
    pub fn account(&mut self, account: &Account) -> Result<(), StoreError> {
        rows::insert_account(&self.connection, account, None).map_err(refused)
    }

    /// A document with its version.
    ///
    /// # Errors
    /// See [`Self::operation`].
    pub fn record(&mut self, record: &Record) -> Result<(), StoreError> {
        rows::insert_record(&self.connection, &record.key, record.version, &record.body).map_err(refused)
    }

    /// A code with its version.
    ///
    /// # Errors
    /// See [`Self::operation`].
    pub fn code(&mut self, code: &Code) -> Result<(), StoreError> {
        rows::insert_code(&self.connection, code, code.version).map_err(refused)
    }

    /// An open hold.
    ///
    /// # Errors
    /// See [`Self::operation`].
    pub fn open_hold(&mut self, hold: &OpenHold) -> Result<(), StoreError> {
        rows::insert_open_hold(&self.connection, hold).map_err(refused)
    }

    /// A refusal that is remembered.
    ///
    /// # Errors
    /// See [`Self::operation`].
    pub fn refusal(&mut self, refusal: &Refusal) -> Result<(), StoreError> {
        rows::insert_refusal(&self.connection, refusal).map_err(refused)
    }

    /// Personal fields.
    ///
    /// # Errors
    /// See [`Self::operation`].
    pub fn personal(&mut self, personal: &Personal) -> Result<(), StoreError> {
        rows::insert_personal(&self.connection, personal).map_err(refused)
    }

    /// A context.
    ///
    /// # Errors
    /// See [`Self::operation`].
    pub fn context(&mut self, context: &Context) -> Result<(), StoreError> {
        rows::insert_context(&self.connection, context).map_err(refused)
    }

    /// The bytes of a component under their SHA-256.
    ///
    /// # Errors
    /// See [`Self::operation`].
    pub fn component(&mut self, digest: Hash32, bytes: &[u8]) -> Result<(), StoreError> {
        rows::insert_component(&self.connection, digest, bytes).map_err(refused)
    }

    /// A checkpoint with its heads.
    ///
    /// # Errors
    /// See [`Self::operation`].
    pub fn checkpoint(&mut self, checkpoint: &Checkpoint, heads: &[SealedHead]) -> Result<(), StoreError> {
        seal::insert(&self.connection, checkpoint, heads).map_err(refused)
    }

    /// A note.
    ///
    /// # Errors
    /// See [`Self::operation`].
    pub fn note(&mut self, name: &str, text: &str) -> Result<(), StoreError> {
        rows::upsert_note(&self.connection, name, text).map_err(refused)
    }

    /// Ends the copy: writes the version of the configuration, marks what is sealed, and gives the file its name once it is on the disk.
    ///
    /// # Errors
    /// See [`Self::operation`].
    pub fn finish(self, configuration: u64) -> Result<(), StoreError> {
        self.settle(configuration).map_err(refused)?;
        let closed = self.connection.close();
        closed.map_err(|(_, error)| refused(Trouble::from(error)))?;
        self.file.put_in_place()
    }

    fn settle(&self, configuration: u64) -> Result<(), Trouble> {
        self.connection.execute("UPDATE state SET configuration = ?1", [rows::stored(configuration)?])?;
        self.connection.execute(
            "UPDATE account SET sealed = last.version \
             FROM (SELECT account, max(version) AS version FROM sealed_head GROUP BY account) AS last \
             WHERE last.account = account.id",
            [],
        )?;
        self.connection.execute(
            "UPDATE account SET last_operation = last.operation, last_place = last.place \
             FROM temp.last AS last WHERE last.account = account.id",
            [],
        )?;
        seal::settle(&self.connection)?;
        self.connection.execute_batch("COMMIT")?;
        Ok(())
    }
}

/// A row that the schema refuses, or a file that cannot be written. The store that is copied is as it was.
fn refused(trouble: Trouble) -> StoreError {
    if trouble.is_refused() {
        StoreError::Corrupt(trouble.to_string())
    } else {
        StoreError::Unavailable(trouble.to_string())
    }
}
