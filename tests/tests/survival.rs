//! What a ledger in a SQLite file survives, briefly; `cargo xtask survival` is the long run. Each promise is followed by a
//! control: the same test on something that breaks it.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::path::{Path, PathBuf};

use giftcard_ledger::sqlite::{SqliteOptions, SqliteStore, Synchronous};
use giftcard_tests::bank;
use giftcard_tests::survival::client::{Action, Client, Reply};
use giftcard_tests::survival::failing::{self, Case};
use giftcard_tests::survival::full::{self, Filled};
use giftcard_tests::survival::killing::Killing;
use giftcard_tests::survival::power::{self, Recipe};
use giftcard_tests::survival::scene::{LEDGER, desk_of};
use giftcard_tests::survival::shopper::{ISSUE, Shopper, issue};
use giftcard_tests::survival::tape::{Fault, Trap};
use giftcard_tests::survival::{backup, books};

/// The program of the long runs, which is also the process to kill.
const PROGRAM: &str = env!("CARGO_BIN_EXE_survival");

/// In the target directory: on a real disk, which temporary files may not be.
fn real_folder() -> tempfile::TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap()
}

fn recipe(seed: u64) -> Recipe {
    Recipe { seed, synchronous: Synchronous::Full, shoppers: 6, rounds: 16, disturbed: true, trap: None }
}

#[test]
fn a_killed_process_loses_and_doubles_nothing_it_acknowledged() {
    let folder = real_folder();
    let killing = Killing {
        program: PathBuf::from(PROGRAM),
        folder: folder.path().to_owned(),
        cycles: 6,
        seed: 3,
        shoppers: 8,
        longest_ms: 300,
    };
    let killed = killing.run(|_, _| {}).unwrap_or_else(|error| panic!("{error:#}"));
    assert_eq!(killed.kills, 6);
    assert!(killed.acknowledged > 6 && killed.repeated > 6, "{killed:?}");
}

#[test]
fn a_power_cut_loses_nothing_that_was_acknowledged() {
    for seed in [11, 12] {
        let recording = power::record(recipe(seed)).unwrap();
        let tally = power::cut_power(&recording, 0, 150, true).unwrap();
        assert!(tally.images >= 150 && tally.gone_on_with > 5, "{tally:?}");
        assert_eq!((tally.lost, tally.broken), ((0, 0), 0), "{:#?}", tally.faults);
        let tally = power::kill_and_cut_power(&recording, 4, 15).unwrap_or_else(|error| panic!("{error:#}"));
        assert_eq!((tally.lost, tally.broken), ((0, 0), 0), "after a kill: {:#?}", tally.faults);
    }
}

/// The control of the two above: without syncs, or on a disk that lies about one, acknowledged operations are lost, and
/// the same test finds them missing.
#[test]
fn a_power_cut_without_syncs_is_caught() {
    let off = Recipe { synchronous: Synchronous::Off, ..recipe(13) };
    let recording = power::record(off).unwrap();
    let tally = power::cut_power(&recording, 0, 40, true).unwrap();
    assert!(tally.lost.0 > 0, "{tally:?}");
    let lie = Trap { fault: Fault::SyncLies, after: 2, lasts: true };
    let recording = power::record(Recipe { trap: Some(lie), ..recipe(14) }).unwrap();
    let tally = power::cut_power(&recording, 0, 40, true).unwrap();
    assert!(tally.lost.0 > 0, "{tally:?}");
}

fn fails(fault: Fault, places: &[u32]) {
    for (number, after) in places.iter().enumerate() {
        let trap = Trap { fault, after: *after, lasts: number % 2 == 0 };
        let case = Case { trap, beside: number % 3 == 1, seed: 20 + u64::from(*after), images: 8, log_pages: None };
        let outcome = failing::fail(case).unwrap_or_else(|error| panic!("{case:?}: {error:#}"));
        assert!(outcome.failed >= 6 && outcome.acknowledged > 10, "{outcome:?}");
        assert_eq!((outcome.tally.lost, outcome.tally.broken), ((0, 0), 0), "{:#?}", outcome.tally.faults);
    }
}

#[test]
fn after_a_failed_sync_nothing_is_acknowledged_and_the_file_recovers() {
    fails(Fault::SyncFails, &[0, 1, 4]);
}

/// Where it is not a commit's sync that fails but that of the file, into which the log is moved beside commits: what was
/// moved and not synced is in the log still, and is moved again by whoever opens the ledger.
#[test]
fn what_a_failed_sync_left_of_a_moved_log_is_moved_again() {
    for after in 0..24 {
        let trap = Trap { fault: Fault::SyncFails, after, lasts: after % 4 == 0 };
        let beside = after % 6 == 5;
        let case = Case { trap, beside, seed: 90 + u64::from(after), images: 12, log_pages: Some(12) };
        let outcome = failing::fail(case).unwrap_or_else(|error| panic!("{case:?}: {error:#}"));
        assert_eq!((outcome.tally.lost, outcome.tally.broken), ((0, 0), 0), "{case:?}: {:#?}", outcome.tally.faults);
    }
}

/// A commit that is written while the mover's sync of the log fails would be synced without a word and not be durable. So
/// nobody but who commits syncs the log while somebody may commit.
#[test]
fn who_moves_the_log_takes_no_failure_from_a_commit_beside_it() {
    for seed in 120..124 {
        let (moved, tally) =
            failing::fail_beside_a_commit(seed, 60).unwrap_or_else(|error| panic!("{seed}: {error:#}"));
        assert!(moved >= 3 && tally.images >= 60, "{moved}, {tally:?}");
        assert_eq!((tally.lost, tally.broken), ((0, 0), 0), "{:#?}", tally.faults);
    }
}

#[test]
fn what_could_not_be_synced_while_closing_stays_in_the_log() {
    let mut sprung = 0;
    for number in 0..24 {
        let (one, tally) = failing::fail_while_closing(140 + number, number as u32 % 3, 40)
            .unwrap_or_else(|error| panic!("{number}: {error:#}"));
        assert_eq!((tally.lost, tally.broken), ((0, 0), 0), "{number}: {:#?}", tally.faults);
        sprung += u32::from(one);
    }
    assert!(sprung >= 12, "{sprung}");
}

#[test]
fn what_a_failed_sync_left_in_the_log_is_not_answered() {
    for seed in 60..64 {
        let tally = failing::repeat_what_failed(seed, 60).unwrap_or_else(|error| panic!("{error:#}"));
        assert!(tally.images >= 60, "{tally:?}");
        assert_eq!((tally.lost, tally.broken), ((0, 0), 0), "{:#?}", tally.faults);
    }
}

#[test]
fn after_a_failed_write_nothing_is_acknowledged_and_the_file_recovers() {
    fails(Fault::WriteFails, &[0, 1, 17, 150]);
}

#[test]
fn on_a_full_disk_nothing_is_acknowledged_and_the_file_recovers() {
    fails(Fault::DiskFull, &[0, 9, 60, 151]);
}

#[test]
fn a_disk_that_fails_at_a_checkpoint_loses_nothing_that_was_acknowledged() {
    let mut sprung = 0;
    for (number, (fault, after)) in
        [(Fault::SyncFails, 0), (Fault::SyncFails, 1), (Fault::WriteFails, 3), (Fault::DiskFull, 10)]
            .into_iter()
            .enumerate()
    {
        let trap = Trap { fault, after, lasts: false };
        let failed = failing::fail_at_checkpoint(trap, 50 + number as u64, 12);
        let (one, tally) = failed.unwrap_or_else(|error| panic!("{trap:?}: {error:#}"));
        assert_eq!((tally.lost, tally.broken), ((0, 0), 0), "{trap:?}: {:#?}", tally.faults);
        sprung += u32::from(one);
    }
    assert!(sprung >= 3, "{sprung}");
}

#[test]
fn a_ledger_that_could_not_be_made_can_be_made_later() {
    for fault in [Fault::SyncFails, Fault::WriteFails, Fault::DiskFull] {
        let times = failing::fail_while_opening(fault).unwrap_or_else(|error| panic!("{fault:?}: {error:#}"));
        assert!(times > 2, "{fault:?}: {times}");
    }
}

/// The control of the five above: a write that is forgotten without a word, as if the ledger took no notice of its error,
/// is found.
#[test]
fn a_write_that_is_silently_lost_is_caught() {
    let trap = Trap { fault: Fault::WriteLies, after: 20, lasts: true };
    let recorded = power::record(Recipe { trap: Some(trap), ..recipe(15) });
    let caught = match recorded {
        Err(_) => true,
        Ok(recording) => {
            let tally = power::cut_power(&recording, 0, 30, true).unwrap();
            tally.lost.0 + tally.broken > 0
        }
    };
    assert!(caught);
    let acknowledged = [Reply::Done("{}".to_owned())];
    assert!(failing::error_of(&acknowledged).is_err());
}

/// Beside the simulated one above. Needs a file system of its own, which not every machine lets a test make.
#[test]
#[allow(clippy::print_stderr, reason = "to say why nothing was tried")]
fn a_really_full_disk_is_survived() {
    match full::on_a_small_disk(Path::new(PROGRAM)).unwrap_or_else(|error| panic!("{error:#}")) {
        Filled::On(_, said) => assert!(said.contains("none lost"), "{said}"),
        Filled::NotHere(why) => eprintln!("no small file system can be made here: {why}"),
    }
}

#[test]
fn a_backup_under_load_is_a_verified_beginning_of_the_ledger() {
    let folder = real_folder();
    let backups = backup::under_load(folder.path(), 30, 4, 4, &backup::own).unwrap_or_else(|error| panic!("{error:#}"));
    assert_eq!(backups.copies.len(), 4);
    assert!(backups.copies.windows(2).all(|pair| pair[0].operations.len() < pair[1].operations.len()));
    assert!(backups.copies[3].operations.len() < backups.operations.len(), "others went on");
}

/// The control of the one above: a copy of the file alone, and a copy that leaves out an operation.
#[test]
fn a_backup_that_misses_something_is_caught() {
    let folder = real_folder();
    let copied = backup::under_load(folder.path(), 31, 2, 1, &|_, from, to| {
        std::fs::copy(from, to)?;
        Ok(())
    });
    let error = copied.err().map(|error| format!("{error:#}")).unwrap_or_default();
    assert!(error.contains("backup 0"), "{error}");
    let folder = real_folder();
    let backups = backup::under_load(folder.path(), 32, 2, 1, &backup::own).unwrap();
    let mut part = backups.copies[0].operations.clone();
    assert!(books::is_beginning_of(&backups.operations, &part).is_ok());
    part.remove(part.len() / 2);
    assert!(books::is_beginning_of(&backups.operations, &part).is_err());
}

/// A ledger with some operations, its file closed, and what its client knows.
fn worked_on(path: &Path) -> Client {
    let store = SqliteStore::open(path, &SqliteOptions { create: true, ..SqliteOptions::default() }).unwrap();
    let desk = desk_of(std::sync::Arc::new(store), 1).unwrap();
    let mut client = Client::default();
    let mut shopper = Shopper::new("s".to_owned(), 41, bank::NOW);
    let mut ask = |key: String, action: Action, now: i64, shopper: &mut Shopper| {
        client.sends(&key, &action, now, 0);
        let reply = action.perform(&desk, &key, now);
        client.hears(&key, &reply, 0);
        shopper.hears(&key, &action, &reply);
    };
    ask(ISSUE.to_owned(), issue(), bank::NOW, &mut shopper);
    for _ in 0..40 {
        let (key, action, now) = shopper.wish();
        ask(key, action, now, &mut shopper);
    }
    let hold = Action::Hold { total: 100, cards: vec![(2, None)] };
    ask("held".to_owned(), hold, bank::NOW, &mut shopper);
    client
}

/// A sound ledger that moved twice what its client asked for.
#[test]
fn an_operation_that_moved_twice_its_amount_is_caught() {
    let folder = real_folder();
    let mut client = worked_on(&folder.path().join(LEDGER));
    let store = SqliteStore::open(&folder.path().join(LEDGER), &SqliteOptions::default()).unwrap();
    let desk = desk_of(std::sync::Arc::new(store), 2).unwrap();
    client.sends("twice", &Action::Load { card: 1, amount: 100 }, bank::NOW, 0);
    client.hears("twice", &Action::Load { card: 1, amount: 200 }.perform(&desk, "twice", bank::NOW), 0);
    let found = client.compare(desk.store(), usize::MAX, usize::MAX).unwrap();
    assert_eq!((found.doubled, found.faults.len()), (1, 1), "{found:?}");
}

/// The control of every comparison: whatever is changed behind the ledger's back is found.
#[test]
fn a_lost_doubled_or_changed_operation_is_caught() {
    let folder = real_folder();
    let path = folder.path().join(LEDGER);
    let client = worked_on(&path);
    let whole = std::fs::read(&path).unwrap();
    let findings = |path: &Path| {
        let store = SqliteStore::open(path, &SqliteOptions::default()).unwrap();
        client.compare(&store, usize::MAX, usize::MAX).unwrap()
    };
    let sound = findings(&path);
    assert!(sound.faults.is_empty() && sound.there > 20 && sound.unanswered == (0, 0), "{sound:?}");
    let doubled = "CREATE TEMP TABLE o AS SELECT * FROM operation WHERE kind = 7 LIMIT 1; \
        CREATE TEMP TABLE e AS SELECT * FROM entry WHERE operation = (SELECT sequence FROM o); \
        UPDATE o SET sequence = sequence + 1000, key = key || 'x'; \
        UPDATE e SET operation = operation + 1000, number = number + 1000; \
        INSERT INTO operation SELECT * FROM o; INSERT INTO entry SELECT * FROM e";
    let first = "(SELECT min(sequence) FROM operation WHERE kind = 7)";
    let rows = [
        (
            "is lost",
            format!("DELETE FROM entry WHERE operation = {first}; DELETE FROM operation WHERE sequence = {first}"),
        ),
        ("is forgotten", "DELETE FROM refusal".to_owned()),
        ("nobody sent it", doubled.to_owned()),
        ("moved", format!("UPDATE entry SET amount = amount * 2 WHERE operation = {first}")),
        ("breaks the chain", format!("UPDATE operation SET at = at + 1 WHERE sequence = {first}")),
        ("another answer", format!("UPDATE operation SET answer = answer || ' ' WHERE sequence = {first}")),
        ("is not what its entries say", "UPDATE account SET balance = balance + 1".to_owned()),
        ("open holds", "DELETE FROM open_hold".to_owned()),
        ("order", "UPDATE record SET body = replace(body, '\"taken\":', '\"taken\":1') WHERE kind = 4".to_owned()),
    ];
    for (expected, sql) in rows {
        let broken = real_folder();
        let path = broken.path().join(LEDGER);
        std::fs::write(&path, &whole).unwrap();
        let connection = rusqlite::Connection::open(&path).unwrap();
        let triggers: Vec<String> = connection
            .prepare("SELECT name FROM sqlite_schema WHERE type = 'trigger'")
            .unwrap()
            .query_map([], |row| row.get(0))
            .unwrap()
            .map(Result::unwrap)
            .collect();
        for trigger in triggers {
            connection.execute_batch(&format!("DROP TRIGGER {trigger}")).unwrap();
        }
        connection.execute_batch(&sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
        drop(connection);
        let found = findings(&path);
        assert!(found.faults.iter().any(|fault| fault.contains(expected)), "{expected}: {found:#?}");
    }
}
