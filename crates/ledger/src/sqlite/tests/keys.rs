//! The index of keys: each is found wherever it has got to, and is nowhere else.

use std::collections::BTreeMap;

use super::*;
use crate::sqlite::keys;

fn key(number: i64) -> OperationKey {
    OperationKey { site: "main".into(), key: format!("key {number}") }
}

/// A ledger in memory of the newest schema.
fn in_memory() -> Connection {
    let connection = Connection::open_in_memory().unwrap();
    open::bring_to_newest(&connection, 0).unwrap();
    connection
}

/// Writes an operation with nothing in it.
fn add(connection: &Connection, sequence: i64) {
    let mut operation = issue(sequence, "{}").operation.unwrap();
    operation.key = key(sequence);
    rows::insert_operation(connection, Some(sequence), &operation).unwrap();
    keys::add(connection, &operation.key, sequence).unwrap();
}

/// Every entry of the index by its level, the recent ones being on level -1: how many, and by sequence where each is.
fn levels(connection: &Connection) -> BTreeMap<i64, Vec<i64>> {
    let mut levels: BTreeMap<i64, Vec<i64>> = BTreeMap::new();
    let mut recent = connection.prepare("SELECT sequence FROM recent_key").unwrap();
    levels.insert(-1, recent.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect());
    let mut past = connection.prepare("SELECT place >> 32, entries FROM past_keys").unwrap();
    let mut rows = past.query([]).unwrap();
    while let Some(row) = rows.next().unwrap() {
        let bytes: Vec<u8> = row.get(1).unwrap();
        for entry in bytes.chunks(14) {
            let sequence = entry[8..].iter().fold(0, |number, byte| number << 8 | i64::from(*byte));
            levels.entry(row.get(0).unwrap()).or_default().push(sequence);
        }
    }
    levels
}

#[test]
fn every_key_is_in_one_place_and_found_there() {
    const OPERATIONS: i64 = 150_000;
    let connection = in_memory();
    let whole = connection.unchecked_transaction().unwrap();
    for sequence in 1..=OPERATIONS {
        add(&whole, sequence);
        // One that has just come, one that is somewhere, one that never was.
        if sequence % 97 == 0 {
            for asked in [sequence, sequence * 31 % sequence + 1, sequence / 2 + 1] {
                assert_eq!(keys::find(&whole, &key(asked)).unwrap(), Some(asked), "after {sequence}");
            }
            assert_eq!(keys::find(&whole, &key(sequence + 1)).unwrap(), None);
        }
    }
    let levels = levels(&whole);
    let mut all: Vec<i64> = levels.values().flatten().copied().collect();
    all.sort_unstable();
    assert_eq!(all, (1..=OPERATIONS).collect::<Vec<_>>());
    let counts: Vec<(i64, usize)> = levels.iter().map(|(level, found)| (*level, found.len())).collect();
    let [(-1, recent), (0, first), (1, second)] = counts[..] else { panic!("{counts:?}") };
    // What each level is made for: in the mean half of what comes in one round of its turns.
    assert!((1_000..4_096).contains(&recent), "{counts:?}");
    assert!((16_000..65_536).contains(&first), "{counts:?}");
    assert!(second > 50_000, "{counts:?}");
    for sequence in (1..=OPERATIONS).step_by(7) {
        assert_eq!(keys::find(&whole, &key(sequence)).unwrap(), Some(sequence));
    }
}

#[test]
fn a_key_is_found_on_every_level() {
    let connection = in_memory();
    for sequence in 1..=20_000 {
        add(&connection, sequence);
    }
    for level in 0..keys::LEVEL_BITS.len() - 1 {
        for chunk in 0..1 << keys::LEVEL_BITS[level] {
            // Chunks of the wider levels are thin here; in their turn they would wait.
            let entries = keys::take_chunk(&connection, level, chunk, 0).unwrap();
            keys::put(&connection, level + 1, &entries).unwrap();
        }
        let there: Vec<i64> = levels(&connection).keys().copied().filter(|level| *level >= 0).collect();
        assert_eq!(there, [i64::try_from(level).unwrap() + 1]);
        for sequence in (1..=20_000).step_by(13) {
            assert_eq!(keys::find(&connection, &key(sequence)).unwrap(), Some(sequence), "level {level}");
        }
    }
}

#[test]
fn a_hash_that_several_keys_have_finds_each_of_them() {
    let connection = in_memory();
    for sequence in 1..=300 {
        add(&connection, sequence);
    }
    // As if all of them had the hash of the seventh.
    let hash: i64 = keys::hash_of(&key(7));
    let entries: Vec<keys::Entry> = (1..=150).map(|sequence| keys::Entry { hash, sequence }).collect();
    connection.execute_batch("DELETE FROM recent_key; DELETE FROM past_keys").unwrap();
    keys::put(&connection, 2, &entries).unwrap();
    for sequence in 151..=300 {
        connection.execute("INSERT INTO recent_key VALUES (?1, ?2)", [hash, sequence]).unwrap();
    }
    assert_eq!(keys::find(&connection, &key(7)).unwrap(), Some(7));
    // Neither is anybody else's operation taken for it.
    connection
        .execute_batch("DROP TRIGGER operation_is_never_deleted; DELETE FROM operation WHERE sequence = 7")
        .unwrap();
    assert_eq!(keys::find(&connection, &key(7)).unwrap(), None);
}

#[test]
fn what_is_no_index_of_keys_is_told() {
    let (_folder, file) = folder_and_file();
    let store = create(&file);
    commit(&store, 1);
    let known = store.operations(0, 10).unwrap();
    assert!(store.not_found_by_key(&known).unwrap().is_empty());
    let place = keys::place(0, keys::hash_of(&known[0].operation.key));
    let broken = "INSERT INTO past_keys (place, entries) VALUES (?1, x'0102')";
    store.write(|connection| Ok(connection.execute(broken, [place])?)).unwrap();
    // It is found before that is come to; where it is not, nobody knows.
    assert!(store.not_found_by_key(&known).unwrap().is_empty());
    store.write(|connection| Ok(connection.execute("DELETE FROM recent_key", [])?)).unwrap();
    let error = store.commit(0, &[&issue(1, "{}")]).unwrap_err();
    assert!(matches!(&error, StoreError::Corrupt(why) if why.contains("2 bytes are no whole number")), "{error:?}");
    assert_eq!(store.not_found_by_key(&known).unwrap(), [1]);
}

#[test]
fn a_number_that_no_operation_can_have_is_refused() {
    let connection = in_memory();
    for sequence in [i64::MIN, 0, 1 << 48] {
        let error = keys::add(&connection, &key(1), sequence).unwrap_err();
        assert!(error.to_string().contains("is no number of an operation"), "{error}");
    }
    keys::add(&connection, &key(1), (1 << 48) - 1).unwrap();
}
