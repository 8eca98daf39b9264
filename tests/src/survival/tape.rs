//! What a file layer did to files, written down in order, and what it is to do wrong. Must not know SQLite.

use std::collections::HashMap;

/// One thing that changed what is, or will be, on a disk. Files are numbered; names are those within their folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A folder has a new entry.
    Named {
        /// The file.
        file: usize,
        /// Its name.
        name: String,
    },
    /// A folder has lost an entry.
    Unnamed {
        /// The name.
        name: String,
    },
    /// Bytes were handed to the system.
    Written {
        /// The file.
        file: usize,
        /// Where.
        at: u64,
        /// What.
        bytes: Box<[u8]>,
    },
    /// A file was made shorter, or longer.
    Resized {
        /// The file.
        file: usize,
        /// Its bytes from now on.
        length: u64,
    },
    /// The system promised that everything written to a file so far is durable.
    Synced {
        /// The file.
        file: usize,
    },
    /// The system said that it could not make durable what was written. What of it is on the disk nobody knows, and it
    /// does not try again, as Linux does since it marks the pages clean.
    SyncFailed {
        /// The file.
        file: usize,
    },
    /// The system promised that the entries of the folder are durable.
    FolderSynced,
}

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A sync reports an error.
    SyncFails,
    /// A write reports an error, and half of it was written.
    WriteFails,
    /// A write reports that the disk is full, and half of it was written.
    DiskFull,
    /// A sync is reported as done, and nothing is durable. A disk that lies, against which nothing helps: for controls.
    SyncLies,
    /// A write is reported as done, and nothing was written. For controls.
    WriteLies,
}

impl Fault {
    fn is_of_sync(self) -> bool {
        matches!(self, Self::SyncFails | Self::SyncLies)
    }
}

/// When something goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trap {
    /// What.
    pub fault: Fault,
    /// So many syncs, or writes, work before.
    pub after: u32,
    /// Whether it goes on until the trap is taken away. Otherwise it happens once.
    pub lasts: bool,
}

/// The tape, and the trap that is set.
#[derive(Debug, Default)]
pub struct Tape {
    /// What happened.
    pub events: Vec<Event>,
    files: HashMap<String, usize>,
    count: usize,
    trap: Option<Trap>,
    sprung: u32,
}

impl Tape {
    /// A tape that goes on from where another was: the same files have the same numbers.
    #[must_use]
    pub fn resumed(events: &[Event]) -> Self {
        let mut tape = Self { events: events.to_vec(), ..Self::default() };
        for event in events {
            match event {
                Event::Named { file, name } => {
                    tape.files.insert(name.clone(), *file);
                    tape.count = tape.count.max(file + 1);
                }
                Event::Unnamed { name } => drop(tape.files.remove(name)),
                _ => {}
            }
        }
        tape
    }

    /// Sets a trap, in the place of any other.
    pub fn set(&mut self, trap: Option<Trap>) {
        self.trap = trap;
        self.sprung = 0;
    }

    /// How often the trap that was set last has sprung.
    #[must_use]
    pub fn sprung(&self) -> u32 {
        self.sprung
    }

    /// The number of the file with this name; a new one, and an entry of the folder, where it has none.
    pub fn file(&mut self, name: &str) -> (usize, bool) {
        if let Some(file) = self.files.get(name) {
            return (*file, false);
        }
        let file = self.count;
        self.count += 1;
        self.files.insert(name.to_string(), file);
        self.events.push(Event::Named { file, name: name.to_string() });
        (file, true)
    }

    /// The entry of this name is gone.
    pub fn unname(&mut self, name: &str) {
        if self.files.remove(name).is_some() {
            self.events.push(Event::Unnamed { name: name.to_string() });
        }
    }

    /// What goes wrong with a sync that is about to be made.
    pub fn at_sync(&mut self) -> Option<Fault> {
        self.springs(true)
    }

    /// What goes wrong with a write that is about to be made.
    pub fn at_write(&mut self) -> Option<Fault> {
        self.springs(false)
    }

    fn springs(&mut self, sync: bool) -> Option<Fault> {
        let trap = self.trap.as_mut().filter(|trap| trap.fault.is_of_sync() == sync)?;
        let fault = trap.fault;
        if trap.after > 0 {
            trap.after -= 1;
            return None;
        }
        if self.sprung > 0 && !trap.lasts {
            return None;
        }
        self.sprung += 1;
        Some(fault)
    }
}
