//! Which operation has a key: an index over hashes of keys that costs an operation as much after ten million as after
//! ten thousand. Must not know what an operation is.
//!
//! Hashes come in no order. In one tree over all of them each would change a page of its own, which is written to the
//! log and to the file whole. So a new one goes to a small table, `recent_key`, and from there on to wider and wider
//! levels of `past_keys`, in turns: level by level, chunk by chunk in the order of hashes, whatever has come together in
//! a chunk is moved to the next level, where each of 16 chunks gets a sixteenth of it. A write of a chunk is shared by 16
//! hashes that way (the log-structured merge tree of O'Neil and others, 1996, with its rolling merge).
//!
//! The number of an operation tells whose turn it is, so there is nothing to remember and nobody to wait for: whoever
//! writes an operation moves on what is due, in the same transaction. Every hash is in exactly one place at any
//! moment, and is only ever moved towards wider levels: who looks from the narrowest to the widest finds it.

use rusqlite::{Connection, Row, params};
use sha2::{Digest, Sha256};

use super::rows;
use super::trouble::Trouble;
use crate::chain;
use crate::model::OperationKey;
use crate::store::Numbered;

// What follows is the form of the file, down to `entries`: changed, it takes a new schema that makes the index anew.

/// In how many of the first bits of their hashes the entries of a chunk agree, for each level. The last, of 2^24 chunks, is
/// never left; its chunks grow beyond a page after some 5,000,000,000 operations.
pub(super) const LEVEL_BITS: [u32; 5] = [8, 12, 16, 20, 24];

/// Bits of a hash: as many as SQLite's integers have beside their sign.
const HASH_BITS: u32 = 63;

/// After how many operations those of the recent ones are moved on that belong to one chunk: as many as these are by then.
const RECENT_EVERY: i64 = 16;

/// After how many operations each level but the last has a chunk moved on: as many as are in one by then, 3.5 KiB.
pub(super) const CHUNK_EVERY: i64 = 256;

/// A chunk with fewer entries waits for its next turn, so that a young ledger does not spread them thinly.
const CHUNK_MIN: usize = 64;

/// Bytes of an entry: eight of the hash and six of the number, big-endian.
const ENTRY_BYTES: usize = 14;

/// The greatest number of an operation that an entry has room for.
const SEQUENCE_MAX: i64 = (1 << 48) - 1;

/// A hash and the number of the operation whose key has it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Entry {
    pub(super) hash: i64,
    pub(super) sequence: i64,
}

/// The index of one file.
pub(super) struct Keys {
    /// Drawn when the file was made: nobody can choose keys whose hashes lie in one chunk.
    seed: [u8; 16],
}

impl Keys {
    /// As the file has it.
    pub(super) fn of(connection: &Connection) -> Result<Self, Trouble> {
        let mut statement = connection.prepare_cached("SELECT seed FROM key_seed")?;
        let seed = rows::one(&mut statement, [], |row| Ok(row.get(0)?))?;
        Ok(Self { seed: seed.ok_or_else(|| Trouble::Corrupt("the seed of the index of keys is missing".to_owned()))? })
    }

    /// The beginning of a hash of a key, without a sign.
    pub(super) fn hash(&self, key: &OperationKey) -> i64 {
        let hash = Sha256::new().chain_update(self.seed).chain_update(chain::operation_id(key)).finalize();
        let beginning = hash.first_chunk().expect("INVARIANT: a hash has 32 bytes");
        i64::try_from(u64::from_be_bytes(*beginning) >> 1).expect("INVARIANT: 63 bits")
    }

    /// The number of the operation that has this key.
    pub(super) fn find(&self, connection: &Connection, key: &OperationKey) -> Result<Option<i64>, Trouble> {
        let hash = self.hash(key);
        let mut recent = connection.prepare_cached("SELECT sequence FROM recent_key WHERE hash = ?1")?;
        for sequence in rows::all(&mut recent, [hash], |row| Ok(row.get(0)?))? {
            if self.is_of(connection, Entry { hash, sequence }, key)? {
                return Ok(Some(sequence));
            }
        }
        let mut chunks = connection.prepare_cached(
            "SELECT entries FROM past_keys WHERE place = ?1 UNION ALL SELECT entries FROM past_keys WHERE place = ?2 \
             UNION ALL SELECT entries FROM past_keys WHERE place = ?3 \
             UNION ALL SELECT entries FROM past_keys WHERE place = ?4 \
             UNION ALL SELECT entries FROM past_keys WHERE place = ?5",
        )?;
        let places: [i64; LEVEL_BITS.len()] = std::array::from_fn(|level| place(level, hash));
        let mut rows = chunks.query(places)?;
        while let Some(row) = rows.next()? {
            for entry in entries(row)? {
                if entry.hash == hash && self.is_of(connection, entry, key)? {
                    return Ok(Some(entry.sequence));
                }
            }
        }
        Ok(None)
    }

    /// Whether an entry is of this key, and not only of its hash. What is of neither was damaged: nobody may take it for
    /// a key that was never there.
    fn is_of(&self, connection: &Connection, entry: Entry, key: &OperationKey) -> Result<bool, Trouble> {
        let mut statement = connection.prepare_cached("SELECT site, key FROM operation WHERE sequence = ?1")?;
        let read = |row: &Row<'_>| Ok(OperationKey { site: row.get(0)?, key: row.get(1)? });
        match rows::one(&mut statement, [entry.sequence], read)? {
            Some(found) if found == *key => Ok(true),
            Some(found) if self.hash(&found) == entry.hash => Ok(false),
            _ => Err(Trouble::Corrupt(format!(
                "the index of keys names operation {}, which does not have such a key; see what `giftcard verify` finds",
                entry.sequence
            ))),
        }
    }

    /// Adds the key of an operation that was written. That nobody has the key was looked at.
    pub(super) fn add(&self, connection: &Connection, key: &OperationKey, sequence: i64) -> Result<(), Trouble> {
        if !(1..=SEQUENCE_MAX).contains(&sequence) {
            return Err(Trouble::Corrupt(format!("{sequence} is no number of an operation: 1 to {SEQUENCE_MAX} are")));
        }
        connection
            .prepare_cached("INSERT INTO recent_key (hash, sequence) VALUES (?1, ?2)")?
            .execute([self.hash(key), sequence])?;
        Ok(())
    }
}

/// Moves on what is due after so many operations.
pub(super) fn move_on(connection: &Connection, operations: i64) -> Result<(), Trouble> {
    if operations % RECENT_EVERY == 0 {
        let entries = take_recent(connection, turn(operations / RECENT_EVERY, LEVEL_BITS[0]))?;
        put(connection, 0, &entries)?;
    }
    if let Some((level, chunk)) = due(operations) {
        let entries = take_chunk(connection, level, chunk, CHUNK_MIN)?;
        put(connection, level + 1, &entries)?;
    }
    Ok(())
}

/// The level and the chunk whose turn it is after so many operations, if any. Each level has its own moment, so that no
/// operation has much to do.
pub(super) fn due(operations: i64) -> Option<(usize, i64)> {
    let level = match operations % CHUNK_EVERY {
        8 => 0,
        40 => 1,
        72 => 2,
        104 => 3,
        _ => return None,
    };
    Some((level, turn(operations / CHUNK_EVERY, LEVEL_BITS[level])))
}

/// Whose turn it is among as many as there are of so many bits.
fn turn(number: i64, bits: u32) -> i64 {
    number % (1 << bits)
}

/// Which chunk of its level a hash belongs to.
fn chunk_of(level: usize, hash: i64) -> i64 {
    hash >> (HASH_BITS - LEVEL_BITS[level])
}

/// The row of the chunk that a hash belongs to.
pub(super) fn place(level: usize, hash: i64) -> i64 {
    place_of(level, chunk_of(level, hash))
}

/// The row of a chunk: those of a level side by side, in the order of hashes.
fn place_of(level: usize, chunk: i64) -> i64 {
    (rows::limit(level) << 32) | chunk
}

/// Takes what is recent and belongs to a chunk of the first level.
fn take_recent(connection: &Connection, chunk: i64) -> Result<Vec<Entry>, Trouble> {
    let first = chunk << (HASH_BITS - LEVEL_BITS[0]);
    let last = first | ((1 << (HASH_BITS - LEVEL_BITS[0])) - 1);
    let mut read = connection.prepare_cached("SELECT hash, sequence FROM recent_key WHERE hash BETWEEN ?1 AND ?2")?;
    let entries = rows::all(&mut read, [first, last], |row| Ok(Entry { hash: row.get(0)?, sequence: row.get(1)? }))?;
    connection.prepare_cached("DELETE FROM recent_key WHERE hash BETWEEN ?1 AND ?2")?.execute([first, last])?;
    Ok(entries)
}

/// Takes a chunk, with its row, ascending; nothing where it has fewer entries than this.
pub(super) fn take_chunk(
    connection: &Connection,
    level: usize,
    chunk: i64,
    least: usize,
) -> Result<Vec<Entry>, Trouble> {
    let place = place_of(level, chunk);
    let mut read = connection.prepare_cached("SELECT entries FROM past_keys WHERE place = ?1")?;
    let found = rows::one(&mut read, [place], |row| Ok(entries(row)?.collect::<Vec<_>>()))?;
    let Some(mut found) = found.filter(|found| found.len() >= least) else { return Ok(Vec::new()) };
    connection.prepare_cached("DELETE FROM past_keys WHERE place = ?1")?.execute([place])?;
    found.sort_unstable();
    Ok(found)
}

/// Puts entries, ascending, behind what is in their chunks of a level.
pub(super) fn put(connection: &Connection, level: usize, entries: &[Entry]) -> Result<(), Trouble> {
    let mut read = connection.prepare_cached("SELECT entries FROM past_keys WHERE place = ?1")?;
    let mut write = connection.prepare_cached(
        "INSERT INTO past_keys (place, entries) VALUES (?1, ?2) ON CONFLICT (place) DO UPDATE SET entries = ?2",
    )?;
    for alike in entries.chunk_by(|one, next| chunk_of(level, one.hash) == chunk_of(level, next.hash)) {
        let place = place(level, alike[0].hash);
        let mut bytes: Vec<u8> = rows::one(&mut read, [place], |row| Ok(row.get(0)?))?.unwrap_or_default();
        for entry in alike {
            bytes.extend_from_slice(&entry.hash.to_be_bytes());
            bytes.extend_from_slice(&entry.sequence.to_be_bytes()[2..]);
        }
        write.execute(params![place, bytes])?;
    }
    Ok(())
}

/// The entries of a chunk, the only column of its row, in the order in which they came.
fn entries<'a>(row: &'a Row<'_>) -> Result<impl Iterator<Item = Entry> + 'a, Trouble> {
    let bytes = row.get_ref(0)?.as_blob().map_err(rusqlite::Error::from)?;
    let (entries, rest) = bytes.as_chunks::<ENTRY_BYTES>();
    if !rest.is_empty() {
        return Err(Trouble::Corrupt(format!("{} bytes are no whole number of keys of {ENTRY_BYTES}", bytes.len())));
    }
    Ok(entries.iter().map(|entry| {
        let (mut hash, mut sequence) = ([0; 8], [0; 8]);
        hash.copy_from_slice(&entry[..8]);
        sequence[2..].copy_from_slice(&entry[8..]);
        Entry { hash: i64::from_be_bytes(hash), sequence: i64::from_be_bytes(sequence) }
    }))
}

/// Makes the index anew from the operations that are there.
pub(super) fn make_anew(connection: &Connection) -> Result<(), Trouble> {
    connection.execute_batch("DELETE FROM recent_key; DELETE FROM past_keys")?;
    let keys = Keys::of(connection)?;
    let mut statement = connection.prepare("SELECT sequence, site, key FROM operation ORDER BY sequence")?;
    let mut rows = statement.query([])?;
    // Numbers may leave some out, turns may not.
    let mut operations = 0;
    while let Some(row) = rows.next()? {
        operations += 1;
        keys.add(connection, &OperationKey { site: row.get(1)?, key: row.get(2)? }, row.get(0)?)?;
        move_on(connection, operations)?;
    }
    Ok(())
}

/// Sequences of those of these operations that are not what is found under their keys.
pub(super) fn not_found(connection: &Connection, operations: &[Numbered]) -> Result<Vec<i64>, Trouble> {
    let keys = Keys::of(connection)?;
    let mut astray = Vec::new();
    for Numbered { sequence, operation, .. } in operations {
        match keys.find(connection, &operation.key) {
            Ok(Some(found)) if found == *sequence => {}
            Ok(_) | Err(Trouble::Corrupt(_)) => astray.push(*sequence),
            Err(trouble) => return Err(trouble),
        }
    }
    Ok(astray)
}
