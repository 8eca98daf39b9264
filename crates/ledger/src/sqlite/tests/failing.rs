//! After a failure, a panic, or another program in the way.

use super::*;

/// Lets the file not grow any more.
fn fill_up(store: &SqliteStore) {
    let writer = store.writer.lock().unwrap();
    let pages: i64 = writer.query_row("PRAGMA page_count", [], |row| row.get(0)).unwrap();
    writer.query_row(&format!("PRAGMA max_page_count = {pages}"), [], |_| Ok(())).unwrap();
}

fn failed<T: std::fmt::Debug>(answer: Result<T, StoreError>) -> String {
    match answer {
        Err(StoreError::Failed(why)) => why,
        answer => panic!("{answer:?}"),
    }
}

#[test]
fn after_a_failed_write_nothing_is_written_until_the_file_is_opened_again() {
    let (_folder, file) = folder_and_file();
    let store = create(&file);
    commit(&store, 1);
    fill_up(&store);
    let small = issue(2, "{}");
    let large = issue(3, &"x".repeat(100_000));
    let why = failed(store.commit(0, &[&small, &large]));
    assert!(why.contains("full"), "{why}");
    // Also what would fit, and every other way to write; always with the first cause.
    assert_eq!(failed(store.commit(0, &[&small])), why);
    assert_eq!(failed(store.commit(0, &[])), why);
    assert_eq!(failed(store.set_note("n", "x")), why);
    assert_eq!(failed(store.erase("main", "anna")), why);
    assert_eq!(failed(store.forget_refusals(0)), why);
    let checkpoint =
        Checkpoint { number: 1, at: 0, root: [0; 32], heads: 0, previous: [0; 32], key: [0; 32], signature: [0; 64] };
    assert_eq!(failed(store.seal(&checkpoint, &[])), why);
    // Reading goes on, and nothing of the batch is there.
    assert_eq!(accounts(&store), [1]);
    assert_eq!(store.find(&Want::default()).unwrap().high_water, 1_795_348_800_001);
    assert_eq!(store.history(Id::new(1).unwrap(), 0, 10).unwrap().len(), 1);
    // Beside it as well as after it, the file can be opened and written.
    let again = reopen(&file);
    assert_eq!(again.commit(0, &[&small, &large]).unwrap(), [Verdict::Committed, Verdict::Committed]);
    drop((store, again));
    assert_eq!(accounts(&reopen(&file)), [1, 2, 3]);
}

#[test]
fn a_thread_that_panics_while_it_writes_leaves_nothing_and_stops_writing() {
    let (_folder, file) = folder_and_file();
    let store = create(&file);
    let panicked = std::thread::scope(|scope| {
        let write = || {
            store.write(|connection| -> Result<(), Trouble> {
                rows::upsert_note(connection, "n", "half")?;
                panic!("as the test wants it")
            })
        };
        scope.spawn(write).join()
    });
    assert!(panicked.is_err());
    assert!(failed(store.set_note("m", "x")).contains("panicked"));
    assert!(failed(store.commit(0, &[&issue(1, "{}")])).contains("panicked"));
    assert_eq!(store.note("n").unwrap(), None);
    // It keeps nobody else from writing.
    let again = reopen(&file);
    commit(&again, 1);
    assert_eq!(again.note("n").unwrap(), None);
}

#[test]
fn a_locked_file_is_unavailable_and_may_work_later() {
    let (_folder, file) = folder_and_file();
    let store = SqliteStore::open(&file, &SqliteOptions { busy_timeout_ms: 30, ..creating() }).unwrap();
    let other = Connection::open(&file).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let answer = store.commit(0, &[&issue(1, "{}")]);
    assert!(matches!(answer, Err(StoreError::Unavailable(_))), "{answer:?}");
    assert_eq!(accounts(&store), [0; 0]);
    other.execute_batch("ROLLBACK").unwrap();
    commit(&store, 1);
}

#[test]
fn a_file_that_another_version_moved_on_is_not_written() {
    let (_folder, file) = folder_and_file();
    let store = create(&file);
    let other = Connection::open(&file).unwrap();
    other.pragma_update(None, "user_version", open::SCHEMA + 1).unwrap();
    let answer = store.commit(0, &[&issue(1, "{}")]);
    assert!(matches!(&answer, Err(StoreError::Corrupt(why)) if why.contains("another process")), "{answer:?}");
    other.pragma_update(None, "user_version", open::SCHEMA).unwrap();
    commit(&store, 1);
}
