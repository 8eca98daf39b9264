//! What only a SQLite file can show: who may open it, who else has it open, what is left after failures. What every store
//! does is in the suite that all stores pass.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use giftcard_engine::card::Status;
use giftcard_engine::{Currency, Minor};
use rusqlite::Connection;
use tempfile::TempDir;

use super::*;
use crate::chain;
use crate::model::{AccountKind, Counter, Entry, Leg, Operation, OperationKey, OperationKind, RecordKey};
use crate::store::{AccountChange, Numbered, RecordChange};

fn folder_and_file() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ledger.db");
    (folder, file)
}

fn creating() -> SqliteOptions {
    SqliteOptions { create: true, ..SqliteOptions::default() }
}

fn create(file: &Path) -> SqliteStore {
    SqliteStore::open(file, &creating()).unwrap()
}

fn reopen(file: &Path) -> SqliteStore {
    SqliteStore::open(file, &SqliteOptions::default()).unwrap()
}

/// Why a file is not opened.
fn refusal(file: &Path, options: &SqliteOptions) -> OpenError {
    match SqliteStore::open(file, options) {
        Ok(_) => panic!("it was opened"),
        Err(error) => error,
    }
}

/// A new card with one unit on it.
fn issue(number: i64, decision: &str) -> Changes {
    let currency = Currency::new("USD", 2).unwrap();
    let (id, amount) = (Id::new(number).unwrap(), Minor::new(1).unwrap());
    let operation = Operation {
        key: OperationKey { site: "main".into(), key: format!("issue {number}") },
        kind: OperationKind::Issue,
        request_hash: [1; 32],
        at: 1_795_348_800_000 + number,
        order: None,
        actor: None,
        answer: "{}".into(),
        decision: Some(decision.into()),
        personal: None,
    };
    let mut after = Account {
        id,
        kind: AccountKind::Card,
        site: "main".into(),
        currency,
        programme: "spring".into(),
        customer: None,
        status: Status::Active,
        balance: amount,
        held: Minor::ZERO,
        next_hold_end: None,
        initial: amount,
        issued_at: operation.at,
        expires_at: None,
        expires_on: None,
        replaced_by: None,
        bought_by: None,
        hint: None,
        version: 1,
        head: chain::BEGINNING,
    };
    let hash = chain::operation_hash(&operation);
    after.head = chain::entry_hash(&chain::BEGINNING, &hash, &after, amount, Minor::ZERO);
    let leg = Leg::Account {
        id,
        held_change: Minor::ZERO,
        balance: amount,
        held: Minor::ZERO,
        status: Status::Active,
        number: 1,
        hash: after.head,
    };
    let back = Entry { leg: Leg::Counter(Counter::Issuance), currency, amount: Minor::new(-1).unwrap() };
    Changes {
        operation: Some(operation),
        accounts: vec![AccountChange { before: None, after }],
        entries: vec![Entry { leg, currency, amount }, back],
        ..Changes::default()
    }
}

fn commit(store: &SqliteStore, number: i64) {
    assert_eq!(store.commit(0, &[&issue(number, "{}")]).unwrap(), [Verdict::Committed]);
}

fn accounts(store: &SqliteStore) -> Vec<i64> {
    let filter = AccountFilter { limit: 1000, ..AccountFilter::default() };
    store.accounts(&filter).unwrap().iter().map(|account| account.id.get()).collect()
}

#[test]
fn a_committed_batch_is_there_after_reopening() {
    let (_folder, file) = folder_and_file();
    let store = create(&file);
    let batch: Vec<Changes> = (1..=3).map(|number| issue(number, "{}")).collect();
    store.commit(0, &batch.iter().collect::<Vec<_>>()).unwrap();
    store.set_note("n", "note").unwrap();
    let before: Vec<Numbered> = store.operations(0, 10).unwrap();
    drop(store);
    let store = reopen(&file);
    assert_eq!(store.operations(0, 10).unwrap(), before);
    assert_eq!(accounts(&store), [1, 2, 3]);
    assert_eq!(store.note("n").unwrap().as_deref(), Some("note"));
    assert_eq!(store.find(&Want::default()).unwrap().high_water, 1_795_348_800_003);
}

#[test]
fn a_missing_file_is_refused_and_not_made() {
    let (folder, file) = folder_and_file();
    let error = refusal(&file, &SqliteOptions::default());
    assert!(matches!(error, OpenError::Missing { .. }));
    assert!(error.to_string().contains("giftcard init"), "{error}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    let error = refusal(&folder.path().join("none").join("ledger.db"), &creating());
    assert!(error.to_string().contains("make it first"), "{error}");
}

#[test]
fn making_a_ledger_that_is_there_opens_it() {
    let (_folder, file) = folder_and_file();
    commit(&create(&file), 1);
    assert_eq!(accounts(&create(&file)), [1]);
}

#[test]
fn a_newer_schema_is_refused_and_left_alone() {
    let (_folder, file) = folder_and_file();
    drop(create(&file));
    Connection::open(&file).unwrap().pragma_update(None, "user_version", open::SCHEMA + 1).unwrap();
    let before = std::fs::read(&file).unwrap();
    for options in [SqliteOptions::default(), creating()] {
        let error = refusal(&file, &options);
        let OpenError::NewerSchema { found, known, .. } = &error else { panic!("{error}") };
        assert_eq!((*found, *known), (open::SCHEMA + 1, open::SCHEMA));
        assert!(error.to_string().contains("newer version"), "{error}");
    }
    assert_eq!(std::fs::read(&file).unwrap(), before);
}

#[test]
fn what_is_no_ledger_is_refused_and_left_alone() {
    type Make = fn(&Path);
    let rows: [(&str, Make); 5] = [
        ("a short text", |file| std::fs::write(file, "hello").unwrap()),
        ("a long text", |file| std::fs::write(file, "hello ".repeat(5000)).unwrap()),
        ("somebody's tables", |file| {
            Connection::open(file).unwrap().execute_batch("CREATE TABLE account (id)").unwrap();
        }),
        ("somebody's application", |file| {
            Connection::open(file).unwrap().execute_batch("PRAGMA application_id = 7; CREATE TABLE t (id)").unwrap();
        }),
        ("somebody's version", |file| {
            Connection::open(file).unwrap().execute_batch("PRAGMA user_version = 1").unwrap();
        }),
    ];
    for (what, make) in rows {
        let (folder, file) = folder_and_file();
        make(&file);
        let before = std::fs::read(&file).unwrap();
        for options in [SqliteOptions::default(), creating()] {
            let error = refusal(&file, &options);
            assert!(matches!(error, OpenError::NotALedger { .. }), "{what}: {error}");
            assert!(error.to_string().contains("giftcard init"), "{what}: {error}");
        }
        assert_eq!(std::fs::read(&file).unwrap(), before, "{what}");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "{what}: nothing is left beside it");
    }
}

#[test]
fn an_empty_file_becomes_a_ledger_only_where_one_may_be_made() {
    let (folder, file) = folder_and_file();
    std::fs::write(&file, "").unwrap();
    let error = refusal(&file, &SqliteOptions::default());
    assert!(error.to_string().contains("it is empty"), "{error}");
    commit(&create(&file), 1);
    let error = refusal(folder.path(), &creating());
    assert!(error.to_string().contains("it is a folder"), "{error}");
}

#[test]
fn a_file_layer_that_is_not_there_is_refused() {
    let (_folder, file) = folder_and_file();
    let error = refusal(&file, &SqliteOptions { vfs: Some("no-such-layer".into()), ..creating() });
    assert!(matches!(error, OpenError::Other { .. }), "{error}");
    assert!(error.to_string().contains("no-such-layer"), "{error}");
    commit(&SqliteStore::open(&file, &SqliteOptions { vfs: Some("unix".into()), ..creating() }).unwrap(), 1);
}

#[cfg(unix)]
#[test]
fn only_its_owner_can_read_a_ledger() {
    use std::os::unix::fs::PermissionsExt;
    let (folder, file) = folder_and_file();
    let store = create(&file);
    commit(&store, 1);
    let modes = || {
        let mode = |entry: std::io::Result<std::fs::DirEntry>| {
            let entry = entry.unwrap();
            let name = entry.file_name().into_string().unwrap();
            (name, format!("{:o}", entry.metadata().unwrap().permissions().mode() & 0o777))
        };
        let mut modes: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(mode).collect();
        modes.sort();
        modes
    };
    let all = ["ledger.db", "ledger.db-shm", "ledger.db-wal"].map(|name| (name.to_owned(), "600".to_owned()));
    assert_eq!(modes(), all);
    // Also what is made anew beside a file that others may read.
    drop(store);
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o640)).unwrap();
    let store = reopen(&file);
    commit(&store, 2);
    assert!(modes().iter().all(|(_, mode)| mode == "640"), "{:?}", modes());
}

#[cfg(unix)]
#[test]
fn a_file_that_may_not_be_written_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    let (folder, file) = folder_and_file();
    drop(create(&file));
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o400)).unwrap();
    if rustix::fs::access(&file, rustix::fs::Access::WRITE_OK).is_ok() {
        // Everything may be written by the superuser.
        commit(&reopen(&file), 1);
        return;
    }
    let error = refusal(&file, &SqliteOptions::default());
    assert!(matches!(error, OpenError::Permission { .. }), "{error}");
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o500)).unwrap();
    let error = refusal(&file, &SqliteOptions::default());
    assert!(matches!(error, OpenError::Permission { .. }), "{error}");
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o700)).unwrap();
}

#[test]
fn a_ledger_is_set_as_money_needs_it() {
    let (_folder, file) = folder_and_file();
    let store = create(&file);
    commit(&store, 1);
    let writer = store.writer.lock().unwrap();
    let number = |sql: &str| writer.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
    assert_eq!(writer.query_row("PRAGMA journal_mode", [], |row| row.get::<_, String>(0)).unwrap(), "wal");
    assert_eq!(number("PRAGMA synchronous"), 2);
    assert_eq!(number("PRAGMA page_size"), 4096);
    assert_eq!(number("PRAGMA trusted_schema"), 0);
    assert_eq!(number("PRAGMA cell_size_check"), 1);
    assert_eq!(number("PRAGMA secure_delete"), 1);
    assert_eq!(number("PRAGMA application_id"), i64::from(u32::from_be_bytes(*b"GCLG")));
    assert_eq!(number("PRAGMA user_version"), open::SCHEMA);
    assert_eq!(
        number(
            "SELECT count(*) FROM pragma_table_list WHERE type = 'table' AND NOT strict AND name NOT LIKE 'sqlite%'"
        ),
        0
    );
    drop(writer);
    let off = SqliteOptions { synchronous: Synchronous::Off, ..SqliteOptions::default() };
    let store = SqliteStore::open(&file, &off).unwrap();
    let writer = store.writer.lock().unwrap();
    assert_eq!(writer.query_row("PRAGMA synchronous", [], |row| row.get::<_, i64>(0)).unwrap(), 0);
}

#[test]
fn a_reader_cannot_write() {
    let (_folder, file) = folder_and_file();
    let store = create(&file);
    let written = store.read(|connection| Ok(connection.execute("DELETE FROM note", [])?));
    assert!(matches!(written, Err(StoreError::Unavailable(_))), "{written:?}");
    commit(&store, 1);
}

#[test]
fn more_threads_than_readers_take_turns() {
    let (_folder, file) = folder_and_file();
    let store = SqliteStore::open(&file, &SqliteOptions { readers: 1, ..creating() }).unwrap();
    commit(&store, 1);
    std::thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| {
                for _ in 0..50 {
                    assert_eq!(accounts(&store), [1]);
                }
            });
        }
    });
}

#[test]
fn two_handles_on_one_file_see_each_others_commits() {
    let (_folder, file) = folder_and_file();
    let (one, two) = (create(&file), reopen(&file));
    for number in 0..20 {
        commit(if number % 2 == 0 { &one } else { &two }, number);
        assert_eq!(accounts(&one), accounts(&two));
    }
    assert_eq!(two.commit(0, &[&issue(4, "{}")]).unwrap(), [Verdict::Duplicate]);
    drop(one);
    commit(&two, 100);
    assert_eq!(accounts(&two).len(), 21);
}

/// What the other process of the next tests does; nothing where it was not started by one.
#[test]
fn another_process() {
    let Ok(task) = std::env::var("LEDGER_TEST_TASK") else { return };
    let (task, rest) = task.split_once(' ').unwrap();
    let (first, file) = rest.split_once(' ').unwrap();
    let first: i64 = first.parse().unwrap();
    let store = create(Path::new(file));
    for number in first..first + 20 {
        commit(&store, number);
    }
    if task == "die" {
        std::process::abort();
    }
}

fn start(task: &str, first: i64, file: &Path) -> std::process::Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "sqlite::tests::another_process"])
        .env("LEDGER_TEST_TASK", format!("{task} {first} {}", file.display()))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

#[test]
fn processes_that_make_one_ledger_at_once_all_write_to_it() {
    let (_folder, file) = folder_and_file();
    let processes: Vec<_> = (0..4).map(|place| start("write", place * 100, &file)).collect();
    for mut process in processes {
        assert!(process.wait().unwrap().success());
    }
    let store = reopen(&file);
    assert_eq!(accounts(&store).len(), 80);
    assert_eq!(store.operations(0, 1000).unwrap().len(), 80);
}

#[test]
fn threads_that_make_one_ledger_at_once_all_write_to_it() {
    let (_folder, file) = folder_and_file();
    std::thread::scope(|scope| {
        for place in 0..4 {
            let file = &file;
            scope.spawn(move || (0..10).for_each(|number| commit(&create(file), place * 100 + number)));
        }
    });
    assert_eq!(accounts(&reopen(&file)).len(), 40);
}

#[test]
fn what_a_killed_process_left_in_the_log_is_in_the_file_once_it_is_opened() {
    let (_folder, file) = folder_and_file();
    assert!(!start("die", 0, &file).wait().unwrap().success());
    let log = file.with_file_name("ledger.db-wal");
    assert!(log.metadata().unwrap().len() > 0);
    let store = reopen(&file);
    assert_eq!(log.metadata().unwrap().len(), 0);
    assert_eq!(accounts(&store).len(), 20);
}

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

#[test]
fn what_is_written_is_never_changed() {
    let (_folder, file) = folder_and_file();
    let store = create(&file);
    commit(&store, 1);
    let statements = [
        "UPDATE entry SET amount = 2 WHERE account = 1",
        "DELETE FROM entry",
        "UPDATE operation SET answer = 'x'",
        "DELETE FROM operation WHERE sequence = 1",
        "DELETE FROM account",
        "UPDATE account SET balance = -1",
        "UPDATE account SET held = balance + 1",
        "UPDATE account SET status = 4",
        "UPDATE account SET balance = 9007199254740992",
        "UPDATE account SET balance = '12'  || 'x'",
        "INSERT INTO entry (operation, place, currency, exponent, amount) VALUES (1, 9, 'USD', 2, 0)",
        "INSERT INTO entry (operation, place, currency, exponent, amount, counter) VALUES (1, 9, 'USD', 2, 9007199254740992, 0)",
    ];
    for statement in statements {
        let answer = store.write(|connection| Ok(connection.execute(statement, [])?));
        assert!(matches!(answer, Err(StoreError::Corrupt(_))), "{statement}: {answer:?}");
    }
    commit(&store, 2);
}

/// The next entry of an account, which moves nothing.
fn touch(account: &Account, name: &str) -> (Changes, Account) {
    let mut changes = issue(account.id.get(), "{}");
    let operation = changes.operation.as_mut().unwrap();
    operation.key.key = name.to_owned();
    let mut after = Account { version: account.version + 1, ..account.clone() };
    let hash = chain::operation_hash(operation);
    after.head = chain::entry_hash(&account.head, &hash, &after, Minor::ZERO, Minor::ZERO);
    let Entry { leg: Leg::Account { number, hash, .. }, amount, .. } = &mut changes.entries[0] else { unreachable!() };
    (*number, *hash, *amount) = (after.version, after.head, Minor::ZERO);
    changes.entries.truncate(1);
    changes.accounts[0] = AccountChange { before: Some(account.version), after: after.clone() };
    (changes, after)
}

/// A store with one account of many entries among those of another.
fn with_long_history(file: &Path, entries: u64) -> SqliteStore {
    let store = create(file);
    let opened = [issue(1, "{}"), issue(2, "{}")];
    store.commit(0, &opened.iter().collect::<Vec<_>>()).unwrap();
    let [mut account, mut other] = opened.map(|changes| changes.accounts[0].after.clone());
    let mut batch = Vec::new();
    for number in 1..entries {
        let (changes, after) = touch(&account, &format!("touch {number}"));
        batch.push(changes);
        account = after;
        let (changes, after) = touch(&other, &format!("other {number}"));
        batch.push(changes);
        other = after;
    }
    let verdicts = store.commit(0, &batch.iter().collect::<Vec<_>>()).unwrap();
    assert!(verdicts.iter().all(|verdict| *verdict == Verdict::Committed));
    store
}

fn numbers(store: &SqliteStore, after: u64, limit: usize) -> Vec<u64> {
    let number = |booked: &Booked| match booked.entry.leg {
        Leg::Account { id, number, .. } if id.get() == 1 => number,
        leg => panic!("{leg:?}"),
    };
    store.history(Id::new(1).unwrap(), after, limit).unwrap().iter().map(number).collect()
}

#[test]
fn a_long_history_is_read_from_any_place_in_it() {
    let (_folder, file) = folder_and_file();
    let store = with_long_history(&file, 300);
    for (after, limit) in
        [(0, 300), (0, 1), (62, 2), (63, 1), (63, 2), (64, 64), (127, 1), (255, 100), (256, 10), (299, 5)]
    {
        let expected: Vec<u64> = (after + 1..=300).take(limit).collect();
        assert_eq!(numbers(&store, after, limit), expected, "{limit} after {after}");
    }
    assert_eq!(numbers(&store, 300, 10), [0; 0]);
    assert_eq!(numbers(&store, 17, 0), [0; 0]);
    assert!(store.history(Id::new(3).unwrap(), 0, 10).unwrap().is_empty());
}

#[test]
fn what_is_left_of_a_damaged_history_can_be_read() {
    let damages: [(&str, &[u64]); 5] = [
        ("DELETE FROM entry WHERE account = 1 AND number = 2", &[1, 3, 4, 5]),
        ("DELETE FROM entry WHERE account = 1 AND number = 5", &[1, 2, 3, 4]),
        ("UPDATE account SET version = 4 WHERE id = 1", &[1, 2, 3, 4, 5]),
        ("UPDATE account SET last_operation = 1, last_place = 0 WHERE id = 1", &[1, 2, 3, 4, 5]),
        ("UPDATE entry SET previous_operation = NULL WHERE account = 1 AND number = 4", &[1, 2, 3, 4, 5]),
    ];
    for (damage, left) in damages {
        let (_folder, file) = folder_and_file();
        let store = with_long_history(&file, 5);
        let other = Connection::open(&file).unwrap();
        other.execute_batch("DROP TRIGGER entry_is_never_deleted; DROP TRIGGER entry_is_never_changed").unwrap();
        other.execute_batch(damage).unwrap();
        assert_eq!(numbers(&store, 0, 10), left, "{damage}");
    }
}

#[test]
fn an_account_is_written_only_as_its_last_entry_leaves_it() {
    type Spoil = fn(&mut Changes);
    let (_folder, file) = folder_and_file();
    let store = create(&file);
    let spoils: [Spoil; 7] = [
        |changes| changes.entries.clear(),
        |changes| changes.entries.push(changes.entries[0]),
        |changes| changes.accounts[0].after.version = 2,
        |changes| changes.accounts[0].after.head = [9; 32],
        |changes| changes.accounts.clear(),
        |changes| changes.accounts[0].after.id = Id::new(7).unwrap(),
        |changes| {
            if let Leg::Account { number, .. } = &mut changes.entries[0].leg {
                *number = 2;
            }
        },
    ];
    for (place, spoil) in spoils.into_iter().enumerate() {
        let mut changes = issue(1, "{}");
        spoil(&mut changes);
        let answer = store.commit(0, &[&issue(2, "{}"), &changes]);
        assert!(matches!(answer, Err(StoreError::Corrupt(_))), "{place}: {answer:?}");
        assert_eq!(accounts(&store), [0; 0], "{place}");
    }
    commit(&store, 1);
}

#[test]
fn rows_that_belong_to_no_operation_are_not_written() {
    let (_folder, file) = folder_and_file();
    let store = create(&file);
    let good = issue(1, "{}");
    let refusal = crate::model::Refusal {
        key: OperationKey { site: "main".into(), key: "issue 1".into() },
        request_hash: [1; 32],
        at: 0,
        until: 1,
        answer: "{}".into(),
    };
    let wrong = [
        Changes { operation: None, accounts: vec![], ..good.clone() },
        Changes { operation: None, entries: vec![], ..good.clone() },
        Changes { operation: None, refusal: Some(refusal.clone()), ..good.clone() },
        Changes { refusal: Some(refusal), ..good.clone() },
    ];
    for changes in wrong {
        let answer = store.commit(0, &[&issue(2, "{}"), &changes]);
        assert!(matches!(answer, Err(StoreError::Corrupt(_))), "{answer:?}");
        assert_eq!(accounts(&store), [0; 0]);
    }
    store.commit(0, &[&good]).unwrap();
}

#[test]
fn what_is_erased_is_in_no_file_any_more() {
    let (folder, file) = folder_and_file();
    let store = create(&file);
    let secret = "Anna Alberich, +49 30 1234567";
    let mut changes = issue(1, "{}");
    changes.personal =
        Some(Personal { reference: [1; 16], site: "main".into(), customer: Some("anna".into()), body: secret.into() });
    let key = RecordKey { kind: RecordKind::Customer, site: "main".into(), id: "anna".into() };
    changes.records = vec![RecordChange { key, before: None, body: Some(format!("{{\"name\":\"{secret}\"}}")) }];
    store.commit(0, &[&changes]).unwrap();
    let holds_secret = || {
        let holds = |entry: std::io::Result<std::fs::DirEntry>| {
            let bytes = std::fs::read(entry.unwrap().path()).unwrap();
            bytes.windows(secret.len()).any(|window| window == secret.as_bytes())
        };
        std::fs::read_dir(folder.path()).unwrap().any(holds)
    };
    assert!(holds_secret());
    assert_eq!(store.erase("main", "anna").unwrap(), 1);
    assert!(!holds_secret());
}

#[test]
fn a_copy_that_is_not_finished_leaves_no_file() {
    let (folder, file) = folder_and_file();
    let changes = issue(1, "{}");
    let numbered =
        Numbered { sequence: 7, operation: changes.operation.clone().unwrap(), entries: changes.entries.clone() };
    let mut copy = SqliteCopy::create(&file).unwrap();
    copy.operation(&numbered).unwrap();
    let twice = copy.operation(&numbered);
    assert!(matches!(twice, Err(StoreError::Corrupt(_))), "{twice:?}");
    assert!(matches!(SqliteCopy::create(&file), Err(StoreError::Unavailable(_))), "one at a time");
    drop(copy);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    let mut copy = SqliteCopy::create(&file).unwrap();
    copy.operation(&numbered).unwrap();
    copy.account(&changes.accounts[0].after).unwrap();
    copy.finish(3).unwrap();
    let store = reopen(&file);
    assert_eq!(store.operations(0, 10).unwrap(), [numbered]);
    let found = store.find(&Want::default()).unwrap();
    assert_eq!((found.configuration, found.high_water), (3, 1_795_348_800_001));
    assert_eq!(store.unsealed_heads().unwrap().len(), 1);
    commit(&store, 2);
    assert_eq!(store.operations(7, 10).unwrap()[0].sequence, 8);
}

#[test]
fn sums_over_a_period_leave_the_wide_rows_closed() {
    let connection = Connection::open_in_memory().unwrap();
    connection.execute_batch(include_str!("schema-1.sql")).unwrap();
    let plan = |sql: &str| {
        let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
        let values = vec![rusqlite::types::Value::Null; statement.parameter_count()];
        let steps = statement.query_map(rusqlite::params_from_iter(values), |row| row.get::<_, String>(3)).unwrap();
        steps.map(Result::unwrap).collect::<Vec<_>>().join("; ")
    };
    let turnover = plan(report::TURNOVER);
    assert!(turnover.contains("o USING COVERING INDEX operation_at (at>? AND at<?)"), "{turnover}");
    let unsealed = plan(seal::UNSEALED);
    assert!(
        unsealed.contains("SEARCH account USING INTEGER PRIMARY KEY") && unsealed.contains("SEARCH entry"),
        "{unsealed}"
    );
}
