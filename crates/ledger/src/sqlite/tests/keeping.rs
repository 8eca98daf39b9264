//! What the tables hold and refuse, and how it is found.

use super::*;

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
fn entries_without_their_operation_are_told() {
    for (gone, page_of_it) in [(1, 0), (3, 2), (5, 4)] {
        let (_folder, file) = folder_and_file();
        let store = create(&file);
        (1..=5).for_each(|number| commit(&store, number));
        let other = Connection::open(&file).unwrap();
        other.execute_batch("DROP TRIGGER operation_is_never_deleted").unwrap();
        other.execute("DELETE FROM operation WHERE sequence = ?1", [gone]).unwrap();
        for (after, limit) in [(0, 10), (page_of_it, 1), (page_of_it, 10)] {
            let answer = store.operations(after, limit);
            assert!(matches!(answer, Err(StoreError::Corrupt(_))), "{limit} after {after}: {answer:?}");
        }
        assert_eq!(store.operations(gone, 10).unwrap().len(), 5 - usize::try_from(gone).unwrap());
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
    let same_key = copy.operation(&Numbered { sequence: 8, ..numbered.clone() });
    assert!(matches!(&same_key, Err(StoreError::Corrupt(why)) if why.contains("has another's key")), "{same_key:?}");
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

/// Who builds from another folder builds without them, and gets the same answers.
#[test]
fn sqlite_is_built_with_the_flags_of_this_workspace() {
    let connection = Connection::open_in_memory().unwrap();
    let mut statement = connection.prepare("PRAGMA compile_options").unwrap();
    let options: Vec<String> = statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    for flag in ["DEFAULT_PCACHE_INITSZ=256", "DEFAULT_MEMSTATUS=0"] {
        assert!(options.iter().any(|option| option == flag), "{flag} in {options:?}");
    }
}

#[test]
fn sums_over_a_period_leave_the_wide_rows_closed() {
    let connection = Connection::open_in_memory().unwrap();
    super::super::open::keep_plans(&connection).unwrap();
    super::super::open::bring_to_newest(&connection, 0).unwrap();
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
