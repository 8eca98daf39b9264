//! A few connections that only read. Must not know what is read.

use std::sync::{Condvar, Mutex, PoisonError};

use rusqlite::Connection;

use super::trouble::Trouble;

/// Connections, opened when all others are in use and at most so many.
pub(super) struct Readers {
    open: Box<dyn Fn() -> Result<Connection, Trouble> + Send + Sync>,
    most: usize,
    shelf: Mutex<Shelf>,
    returned: Condvar,
}

struct Shelf {
    idle: Vec<Connection>,
    in_use: usize,
    waiting: usize,
}

/// A connection that goes back when this is dropped, unless something went wrong with it.
struct Lent<'a> {
    readers: &'a Readers,
    connection: Option<Connection>,
    sound: bool,
}

impl Readers {
    pub(super) fn new(most: usize, open: impl Fn() -> Result<Connection, Trouble> + Send + Sync + 'static) -> Self {
        let shelf = Mutex::new(Shelf { idle: Vec::new(), in_use: 0, waiting: 0 });
        Self { open: Box::new(open), most: most.max(1), shelf, returned: Condvar::new() }
    }

    /// Runs a read of one statement.
    pub(super) fn read<T>(&self, read: impl FnOnce(&Connection) -> Result<T, Trouble>) -> Result<T, Trouble> {
        let mut lent = self.lend()?;
        let connection = lent.connection.as_ref().expect("INVARIANT: a lent connection is there until it is dropped");
        let answer = read(connection);
        lent.sound = answer.is_ok();
        answer
    }

    /// Runs a read of several statements over one state of the database.
    pub(super) fn read_at_once<T>(&self, read: impl FnOnce(&Connection) -> Result<T, Trouble>) -> Result<T, Trouble> {
        self.read(|connection| at_once(connection, read))
    }

    fn lend(&self) -> Result<Lent<'_>, Trouble> {
        let mut shelf = self.shelf.lock().unwrap_or_else(PoisonError::into_inner);
        while shelf.idle.is_empty() && shelf.in_use >= self.most {
            shelf.waiting += 1;
            shelf = self.returned.wait(shelf).unwrap_or_else(PoisonError::into_inner);
            shelf.waiting -= 1;
        }
        shelf.in_use += 1;
        let idle = shelf.idle.pop();
        drop(shelf);
        let mut lent = Lent { readers: self, connection: idle, sound: false };
        if lent.connection.is_none() {
            lent.connection = Some((self.open)()?);
        }
        Ok(lent)
    }
}

/// Runs a read over one state of the database. After an error it may still be in a transaction.
pub(super) fn at_once<T>(
    connection: &Connection,
    read: impl FnOnce(&Connection) -> Result<T, Trouble>,
) -> Result<T, Trouble> {
    connection.prepare_cached("BEGIN DEFERRED")?.execute([])?;
    let answer = read(connection)?;
    connection.prepare_cached("COMMIT")?.execute([])?;
    Ok(answer)
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        // After an error, or a panic, the connection may be in a transaction: it is closed, not mended.
        let connection = self.connection.take().filter(|_| self.sound);
        let mut shelf = self.readers.shelf.lock().unwrap_or_else(PoisonError::into_inner);
        shelf.in_use -= 1;
        shelf.idle.extend(connection);
        let is_awaited = shelf.waiting > 0;
        drop(shelf);
        if is_awaited {
            self.readers.returned.notify_one();
        }
    }
}
