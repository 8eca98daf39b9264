//! The index of keys: each is found wherever it has got to, and is nowhere else.

use std::collections::BTreeMap;

use super::*;
use crate::sqlite::keys::{self, Keys};

fn key(number: i64) -> OperationKey {
    OperationKey { site: "main".into(), key: format!("key {number}") }
}

/// A ledger in memory of the newest schema, with a seed of which something is known.
fn in_memory() -> (Connection, Keys) {
    let connection = Connection::open_in_memory().unwrap();
    open::bring_to_newest(&connection, 0).unwrap();
    connection.execute_batch("UPDATE key_seed SET seed = x'000102030405060708090a0b0c0d0e0f'").unwrap();
    let keys = Keys::of(&connection).unwrap();
    (connection, keys)
}

/// Writes an operation with nothing in it.
fn add(connection: &Connection, keys: &Keys, sequence: i64) {
    let mut operation = issue(sequence, "{}").operation.unwrap();
    operation.key = key(sequence);
    rows::insert_operation(connection, Some(sequence), &operation).unwrap();
    keys.add(connection, &operation.key, sequence).unwrap();
    keys::move_on(connection, sequence).unwrap();
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
    let (connection, keys) = in_memory();
    let whole = connection.unchecked_transaction().unwrap();
    for sequence in 1..=OPERATIONS {
        add(&whole, &keys, sequence);
        // One that has just come, one that is somewhere, one that never was.
        if sequence % 97 == 0 {
            for asked in [sequence, sequence * 31 % sequence + 1, sequence / 2 + 1] {
                assert_eq!(keys.find(&whole, &key(asked)).unwrap(), Some(asked), "after {sequence}");
            }
            assert_eq!(keys.find(&whole, &key(sequence + 1)).unwrap(), None);
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
        assert_eq!(keys.find(&whole, &key(sequence)).unwrap(), Some(sequence));
    }
}

#[test]
fn a_key_is_found_on_every_level() {
    let (connection, keys) = in_memory();
    for sequence in 1..=20_000 {
        add(&connection, &keys, sequence);
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
            assert_eq!(keys.find(&connection, &key(sequence)).unwrap(), Some(sequence), "level {level}");
        }
    }
}

#[test]
fn every_chunk_has_its_turn_once_in_a_round() {
    for (level, bits) in keys::LEVEL_BITS.iter().enumerate().take(keys::LEVEL_BITS.len() - 1) {
        let chunks = 1_i64 << bits;
        let moment = (0..keys::CHUNK_EVERY).filter(|at| keys::due(*at).is_some_and(|(due, _)| due == level));
        let [moment] = moment.collect::<Vec<_>>()[..] else { panic!("level {level} has one moment") };
        // From any number on, say that of a ledger that was copied.
        let begin = 1_000_003 * keys::CHUNK_EVERY;
        let mut turns: Vec<i64> =
            (0..chunks).map(|round| keys::due(begin + keys::CHUNK_EVERY * round + moment).unwrap().1).collect();
        turns.sort_unstable();
        assert!(turns.iter().copied().eq(0..chunks), "level {level}");
    }
}

/// What stands in files: whoever changes it loses keys, so that what was done is done again.
#[test]
fn the_form_of_the_index_stays() {
    let (connection, keys) = in_memory();
    let hash = keys.hash(&key(1));
    // Worked out by another program.
    assert_eq!(hash, 8_564_378_620_479_051_270);
    keys::put(&connection, 0, &[keys::Entry { hash, sequence: 0x0102_0304_0506 }]).unwrap();
    let row: (i64, Vec<u8>) =
        connection.query_row("SELECT place, entries FROM past_keys", [], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    assert_eq!(row.0, hash >> 55);
    assert_eq!(row.1, [&hash.to_be_bytes()[..], &[1, 2, 3, 4, 5, 6]].concat());
    let places: Vec<i64> = (0..5).map(|level| keys::place(level, hash)).collect();
    let expected = [hash >> 55, 1 << 32 | hash >> 51, 2 << 32 | hash >> 47, 3 << 32 | hash >> 43, 4 << 32 | hash >> 39];
    assert_eq!(places, expected);
}

#[test]
fn each_file_has_a_seed_of_its_own() {
    let (folder, file) = folder_and_file();
    let hash = |file: &Path| create(file).write(|connection| Ok(Keys::of(connection)?.hash(&key(1)))).unwrap();
    assert_eq!(hash(&file), hash(&file));
    assert_ne!(hash(&file), hash(&folder.path().join("other.db")));
}

#[test]
fn an_entry_that_names_another_operation_is_damage_and_not_a_key_that_never_was() {
    let (connection, keys) = in_memory();
    for sequence in 1..=3 {
        add(&connection, &keys, sequence);
    }
    // Nobody finds two keys with one hash. As if the second had that of the third, where that of the third was, and more.
    let (second, third) = (keys.hash(&key(2)), keys.hash(&key(3)));
    let other = keys::Entry { hash: third, sequence: 2 };
    keys::put(&connection, 2, &[other]).unwrap();
    assert_eq!(keys.find(&connection, &key(3)).unwrap(), Some(3));
    // Which is damage, and so is an entry without its operation: neither was never done.
    connection.execute("DELETE FROM recent_key WHERE hash = ?1", [third]).unwrap();
    let told = |key: &OperationKey| keys.find(&connection, key).unwrap_err().to_string();
    assert!(told(&key(3)).contains("names operation 2, which does not have such a key"), "{}", told(&key(3)));
    connection
        .execute_batch("DROP TRIGGER operation_is_never_deleted; DELETE FROM operation WHERE sequence = 2")
        .unwrap();
    assert!(told(&key(2)).contains("names operation 2"), "{}", told(&key(2)));
    assert_ne!(second, third);
}

#[test]
fn what_is_taken_back_was_not_moved() {
    let (connection, keys) = in_memory();
    let whole = connection.unchecked_transaction().unwrap();
    (1..=100_000).for_each(|sequence| add(&whole, &keys, sequence));
    whole.commit().unwrap();
    let before = levels(&connection);
    // Over a moment of each kind.
    for sequence in 100_001..=100_400 {
        let undone = connection.unchecked_transaction().unwrap();
        add(&undone, &keys, sequence);
        drop(undone);
    }
    let undone = connection.unchecked_transaction().unwrap();
    (100_001..=100_400).for_each(|sequence| add(&undone, &keys, sequence));
    assert_ne!(levels(&connection), before);
    drop(undone);
    assert_eq!(levels(&connection), before);
}

#[test]
fn of_two_in_a_batch_with_one_key_one_is_done_wherever_the_first_went() {
    let (_folder, file) = folder_and_file();
    let store = create(&file);
    let new: Vec<Changes> = (1..=600).map(|number| issue(number, "{}")).collect();
    let batch: Vec<&Changes> = new.iter().chain(&new).collect();
    let verdicts = store.commit(0, &batch).unwrap();
    assert!(verdicts[..600].iter().all(|verdict| *verdict == Verdict::Committed));
    assert!(verdicts[600..].iter().all(|verdict| *verdict == Verdict::Duplicate));
}

#[test]
fn a_copy_whose_numbers_leave_some_out_is_moved_on_as_well() {
    let (_folder, file) = folder_and_file();
    let mut copy = SqliteCopy::create(&file).unwrap();
    for number in 1..=5_000 {
        let changes = issue(number, "{}");
        let operation = changes.operation.unwrap();
        // None of them is anybody's turn.
        copy.operation(&Numbered { sequence: number * 256 + 3, operation, entries: changes.entries }).unwrap();
        copy.account(&changes.accounts[0].after).unwrap();
    }
    copy.finish(0).unwrap();
    let levels = levels(&Connection::open(&file).unwrap());
    assert!(levels[&-1].len() < 4_096 && levels[&0].len() > 1_000, "{}", levels[&-1].len());
    let store = reopen(&file);
    assert!(store.not_found_by_key(&store.operations(0, 10_000).unwrap()).unwrap().is_empty());
}

#[test]
fn what_is_no_index_of_keys_is_told_and_mended() {
    let (_folder, file) = folder_and_file();
    let store = create(&file);
    (1..=40).for_each(|number| commit(&store, number));
    let known = store.operations(0, 100).unwrap();
    assert!(store.not_found_by_key(&known).unwrap().is_empty());
    let first = known[0].operation.key.clone();
    store
        .write(|connection| {
            let place = keys::place(3, Keys::of(connection)?.hash(&first));
            connection.execute("INSERT INTO past_keys (place, entries) VALUES (?1, x'0102')", [place])?;
            connection.execute("DELETE FROM recent_key", [])?;
            Ok(())
        })
        .unwrap();
    let error = store.commit(0, &[&issue(1, "{}")]).unwrap_err();
    assert!(matches!(&error, StoreError::Corrupt(why) if why.contains("2 bytes are no whole number")), "{error:?}");
    assert!(store.not_found_by_key(&known).unwrap().len() > 30);
    store.make_keys_anew().unwrap();
    assert!(store.not_found_by_key(&known).unwrap().is_empty());
    assert_eq!(store.commit(0, &[&issue(1, "{}")]).unwrap(), [Verdict::Duplicate]);
    commit(&store, 41);
}

#[test]
fn a_number_that_no_operation_can_have_is_refused() {
    let (connection, keys) = in_memory();
    for sequence in [i64::MIN, 0, 1 << 48] {
        let error = keys.add(&connection, &key(1), sequence).unwrap_err();
        assert!(error.to_string().contains("is no number of an operation"), "{error}");
    }
    keys.add(&connection, &key(1), (1 << 48) - 1).unwrap();
}
