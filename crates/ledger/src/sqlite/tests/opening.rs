//! Making and opening a file: what is refused, who may read it, who else has it open.

use super::*;

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
fn a_ledger_of_an_earlier_schema_is_brought_to_the_newest() {
    for schema in 1..open::SCHEMA {
        let (folder, file) = folder_and_file();
        let newest = folder.path().join("newest.db");
        let written = create(&newest);
        for number in 1..=200 {
            let mut changes = issue(number, "{}");
            let operation = changes.operation.as_mut().unwrap();
            (operation.order, operation.actor) = (Some(format!("order {number}")), Some("anna".into()));
            operation.personal = Some([7; 16]);
            let hash = chain::operation_hash(operation);
            let after = &mut changes.accounts[0].after;
            after.head = chain::entry_hash(&chain::BEGINNING, &hash, after, after.balance, Minor::ZERO);
            let Leg::Account { hash, .. } = &mut changes.entries[0].leg else { unreachable!() };
            *hash = after.head;
            assert_eq!(written.commit(0, &[&changes]).unwrap(), [Verdict::Committed]);
        }
        let written = written.operations(0, 1000).unwrap();
        let connection = Connection::open(&file).unwrap();
        for steps in &open::MIGRATIONS[..usize::try_from(schema).unwrap()] {
            connection.execute_batch(steps).unwrap();
        }
        connection
            .execute_batch(&format!(
                "PRAGMA application_id = {}; PRAGMA user_version = {schema}; ATTACH '{}' AS newest; \
                 INSERT INTO account SELECT * FROM newest.account; INSERT INTO entry SELECT * FROM newest.entry; \
                 INSERT INTO operation (sequence, id, kind, at, site, key, request_hash, for_order, actor, personal, \
                 answer, decision) \
                 SELECT sequence, randomblob(16), kind, at, site, key, request_hash, for_order, actor, personal, answer, \
                 decision FROM newest.operation",
                open::APPLICATION_ID,
                newest.display()
            ))
            .unwrap();
        drop(connection);
        let store = reopen(&file);
        assert_eq!(std::fs::metadata(format!("{}-wal", file.display())).unwrap().len(), 0, "nobody has to move it");
        assert_eq!(store.operations(0, 1000).unwrap(), written);
        // Each is found, and still done once.
        assert!(store.not_found_by_key(&written).unwrap().is_empty());
        assert_eq!(store.commit(0, &[&issue(7, "{}")]).unwrap(), [Verdict::Duplicate]);
        assert_eq!(accounts(&store), (1..=200).collect::<Vec<_>>());
        commit(&store, 201);
        let refused = store.write(|connection| Ok(connection.execute("DELETE FROM operation", [])?));
        assert!(matches!(refused, Err(StoreError::Corrupt(_))), "{refused:?}");
        store.keep_component([1; 32], b"bytes").unwrap();
        assert_eq!(store.component([1; 32]).unwrap().as_deref(), Some(&b"bytes"[..]));
        // As one that was made today, but for the order in which its tables were.
        let tables = |file: &Path| -> Vec<(String, Option<String>)> {
            let connection = Connection::open(file).unwrap();
            let mut statement = connection.prepare("SELECT name, sql FROM sqlite_schema ORDER BY name").unwrap();
            let tables = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
            tables.map(Result::unwrap).collect()
        };
        assert_eq!(tables(&file), tables(&newest));
        let sound: String =
            Connection::open(&file).unwrap().query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
        assert_eq!(sound, "ok");
    }
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
    // However long it may wait.
    commit(&SqliteStore::open(&file, &SqliteOptions { busy_timeout_ms: u32::MAX, ..creating() }).unwrap(), 2);
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
        .args(["--exact", "sqlite::tests::opening::another_process"])
        .env("LEDGER_TEST_TASK", format!("{task} {first} {}", file.display()))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

#[test]
fn processes_that_make_one_ledger_at_once_all_write_to_it() {
    // What one may see of another's making takes luck.
    for _ in 0..20 {
        let (_folder, file) = folder_and_file();
        let processes: Vec<_> = (0..4).map(|place| start("write", place * 100, &file)).collect();
        for mut process in processes {
            assert!(process.wait().unwrap().success());
        }
        let store = reopen(&file);
        assert_eq!(accounts(&store).len(), 80);
        assert_eq!(store.operations(0, 1000).unwrap().len(), 80);
    }
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
