//! What `giftcard verify` is for: every kind of tampering with a ledger's file is found and named, and a ledger that nobody
//! touched is clean, also while others write.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use giftcard::desk::{
    Address, CheckpointDocument, CheckpointExport, Decisions, PayKind, RestoreProblem, VerifyOptions, VerifyReport,
    read_checkpoints, receipt, restore,
};
use giftcard::input::{CaptureInput, RefundOrderInput};
use giftcard::{Desk, Doing};
use giftcard_ledger::model::{Account, Id, OperationKey};
use giftcard_ledger::operations::Load;
use giftcard_ledger::sqlite::{SqliteOptions, SqliteStore};
use giftcard_ledger::store::{AccountFilter, Checkpoint, Numbered, Store};
use giftcard_tests::bank::{self, NOW, SITE, code, payment};
use giftcard_tests::postgres::Cluster;
use rusqlite::Connection;
use serde_json::json;

const SEED: u64 = 7;

fn open(path: &Path) -> Arc<dyn Store> {
    let options = SqliteOptions { create: true, ..SqliteOptions::default() };
    Arc::new(SqliteStore::open(path, &options).unwrap())
}

/// Each desk draws other randomness.
fn desk(path: &Path) -> Desk {
    static RUNS: AtomicU64 = AtomicU64::new(1);
    bank::desk(open(path), SEED, RUNS.fetch_add(1, Ordering::Relaxed))
}

fn pay(desk: &Desk, operation: &str, order: &str, total: i64, cards: &[usize], kind: PayKind) -> Option<Id> {
    let codes: Vec<String> = cards.iter().map(|number| code(*number)).collect();
    let mut input = payment(operation, order, total, &codes);
    input.order.customer = serde_json::from_value(json!({ "id": "c-1", "email": "a@example.com" })).unwrap();
    receipt(&desk.pay(&input, kind, NOW).unwrap()).unwrap().hold
}

/// A ledger in which everything happened once, sealed in between: the bytes of its file, and its cards.
fn sample() -> &'static (Vec<u8>, Vec<Id>) {
    static SAMPLE: OnceLock<(Vec<u8>, Vec<Id>)> = OnceLock::new();
    SAMPLE.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger.db");
        let cards = {
            let desk = desk(&path);
            bank::set_up_site(desk.store(), &json!({ "id": SITE, "currency": "USD" }));
            let cards = bank::issue(&desk, 0, 6, 10_000);
            pay(&desk, "redeem-1", "o-1", 3_500, &[0, 1], PayKind::Redeem);
            desk.checkpoint(NOW).unwrap().unwrap();
            let hold = pay(&desk, "hold-2", "o-2", 12_000, &[2, 3], PayKind::Hold).unwrap();
            let capture = json!({ "operation": "capture-2", "hold": hold, "amount": "110.00" });
            desk.capture(&serde_json::from_value::<CaptureInput>(capture).unwrap(), NOW).unwrap();
            let refund = json!({ "operation": "refund-1", "order": "o-1", "mode": "cards", "amount": "10.00" });
            desk.refund(&serde_json::from_value::<RefundOrderInput>(refund).unwrap(), Vec::new(), NOW).unwrap();
            desk.checkpoint(NOW).unwrap().unwrap();
            pay(&desk, "hold-3", "o-3", 500, &[4], PayKind::Hold).unwrap();
            pay(&desk, "redeem-4", "o-4", 700, &[5], PayKind::Redeem);
            cards
        };
        (std::fs::read(&path).unwrap(), cards)
    })
}

/// A copy of the sample in a folder of its own.
fn copy() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    std::fs::write(&path, &sample().0).unwrap();
    (folder, path)
}

fn verify(desk: &Desk, options: &VerifyOptions) -> VerifyReport {
    desk.verify(options, &mut |_| {}).unwrap()
}

/// Changes the file as somebody would who has it but not the program.
fn tamper(path: &Path, statements: &str) {
    let file = Connection::open(path).unwrap();
    let triggers: Vec<String> = {
        let mut statement = file.prepare("SELECT name FROM sqlite_schema WHERE type = 'trigger'").unwrap();
        let names = statement.query_map([], |row| row.get(0)).unwrap();
        names.collect::<Result<_, _>>().unwrap()
    };
    for trigger in triggers {
        file.execute_batch(&format!("DROP TRIGGER {trigger}")).unwrap();
    }
    file.execute_batch(&format!("PRAGMA ignore_check_constraints = 1; {statements}")).unwrap();
}

fn codes(report: &VerifyReport) -> Vec<&'static str> {
    let mut codes: Vec<_> = report.findings.iter().map(|finding| finding.code).collect();
    codes.sort_unstable();
    codes.dedup();
    codes
}

/// Statements, with `$0` to `$5` for the ids of the cards, and the codes of what is found.
fn check(statements: &str, expected: &[&str]) {
    let (_folder, path) = copy();
    let statements =
        sample().1.iter().enumerate().fold(statements.to_string(), |text, (place, id)| {
            text.replace(&format!("${place}"), &id.get().to_string())
        });
    tamper(&path, &statements);
    let report = verify(&desk(&path), &VerifyOptions::default());
    assert_eq!(codes(&report), expected, "{statements}\n{:#?}", report.findings);
    assert_eq!(report.sound, expected.is_empty());
    // It has to be named where there is a name for it.
    let named = |finding: &&giftcard::desk::Finding| {
        finding.operation.is_some() || finding.account.is_some() || finding.checkpoint.is_some()
    };
    let nameless = ["unbalanced-ledger", "unreadable"];
    assert!(report.findings.iter().filter(|finding| !nameless.contains(&finding.code)).all(|finding| named(&finding)));
}

/// The number of an operation, as SQL.
const fn of(key: &'static str) -> Sequence {
    Sequence(key)
}

struct Sequence(&'static str);

impl std::fmt::Display for Sequence {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "(SELECT sequence FROM operation WHERE key = '{}')", self.0)
    }
}

#[test]
fn an_untouched_ledger_is_sound() {
    let (_folder, path) = copy();
    let desk = desk(&path);
    let report = verify(&desk, &VerifyOptions::default());
    assert!(report.sound, "{:#?}", report.findings);
    assert_eq!((report.operations, report.accounts, report.holds, report.checkpoints), (7, 6, 2, 2));
    // All six cards, then those that changed.
    assert_eq!(report.sealed_heads, 6 + 3);
    // Four payments and the split of a refund.
    assert_eq!((report.decisions.recorded, report.decisions.same), (5, 5));
    let sample = verify(&desk, &VerifyOptions { decisions: Decisions::Sample(2), ..VerifyOptions::default() });
    assert_eq!((sample.decisions.recorded, sample.decisions.same), (5, 2));
    let none = verify(&desk, &VerifyOptions { decisions: Decisions::None, ..VerifyOptions::default() });
    assert_eq!((none.sound, none.decisions.same), (true, 0));
}

#[test]
fn what_was_changed_on_an_account_is_found() {
    check("UPDATE account SET balance = balance + 1 WHERE id = $5", &["account-differs"]);
    check("UPDATE account SET status = 1 - status WHERE id = $5", &["account-differs"]);
    check("UPDATE account SET head = zeroblob(32) WHERE id = $5", &["account-differs"]);
    check("UPDATE account SET version = version - 1 WHERE id = $5", &["account-differs"]);
    check("UPDATE account SET version = version + 1 WHERE id = $5", &["missing-entries"]);
    check("UPDATE account SET held = held + 1 WHERE id = $5", &["account-differs", "held-differs"]);
    check("UPDATE account SET held = 0 WHERE id = $4", &["account-differs", "held-differs"]);
    check("DELETE FROM account WHERE id = $5", &["missing-account"]);
    check("UPDATE account SET next_hold_end = next_hold_end + 1 WHERE id = $4", &["next-end-differs"]);
    check("UPDATE account SET next_hold_end = NULL WHERE id = $4", &["next-end-differs"]);
}

#[test]
fn what_was_changed_on_holds_is_found() {
    check("DELETE FROM open_hold WHERE account = $4", &["hold-not-listed"]);
    let voided = "UPDATE record SET body = replace(body, '\"state\":\"open\"', '\"state\":\"voided\"') WHERE kind = 5";
    check(voided, &["held-differs"]);
    check("UPDATE record SET body = replace(body, '\"taken\":500', '\"taken\":400') WHERE kind = 5", &["held-differs"]);
    check("DELETE FROM record WHERE kind = 5", &["held-differs"]);
    let (_folder, path) = copy();
    tamper(&path, "UPDATE record SET body = '{' WHERE kind = 5");
    assert_eq!(codes(&verify(&desk(&path), &VerifyOptions::default())), ["held-differs", "unreadable"]);
}

#[test]
fn what_was_changed_on_entries_is_found() {
    let all = "UPDATE entry SET amount = amount - 1 WHERE account = $5 AND number = 2";
    check(all, &["unbalanced", "unbalanced-ledger", "wrong-balance", "wrong-hash"]);
    // Both legs, the entry's balance and the account: only the hash is left to tell.
    let consistent = format!(
        "UPDATE entry SET amount = amount - 1, balance = balance - 1 WHERE account = $5 AND number = 2;
         UPDATE entry SET amount = amount + 1 WHERE operation = {} AND counter IS NOT NULL;
         UPDATE account SET balance = balance - 1 WHERE id = $5",
        of("redeem-4")
    );
    check(&consistent, &["wrong-hash"]);
    check("UPDATE entry SET hash = zeroblob(32) WHERE account = $5 AND number = 2", &["account-differs", "wrong-hash"]);
    check(
        "UPDATE entry SET hash = zeroblob(32) WHERE account = $5 AND number = 1",
        &["sealed-head-differs", "wrong-hash"],
    );
    check("UPDATE entry SET held_change = 0 WHERE account = $4 AND number = 2", &["wrong-hash", "wrong-held"]);
    check("UPDATE entry SET status = 2 WHERE account = $5 AND number = 1", &["wrong-hash"]);
    check(
        "UPDATE entry SET currency = 'EUR' WHERE account = $5 AND number = 2",
        &["account-differs", "unbalanced", "unbalanced-ledger", "wrong-currency", "wrong-hash"],
    );
    check(
        "DELETE FROM entry WHERE account = $5 AND number = 2",
        &["missing-entries", "unbalanced", "unbalanced-ledger"],
    );
    // In the middle of a chain.
    let middle = "DELETE FROM entry WHERE account = $2 AND number = 2";
    check(middle, &["missing-entries"]);
}

#[test]
fn what_was_changed_on_operations_is_found() {
    let set = |what: &str, key| format!("UPDATE operation SET {what} WHERE key = '{key}'");
    check(&set("answer = replace(answer, '7.00', '8.00')", "redeem-4"), &["wrong-hash"]);
    check(&set("answer = '{}'", "redeem-4"), &["wrong-hash"]);
    check(&set("at = at + 1", "redeem-4"), &["wrong-hash"]);
    check(&set("actor = 'somebody'", "redeem-4"), &["wrong-hash"]);
    check(&set("request_hash = zeroblob(32)", "redeem-4"), &["wrong-hash"]);
    check(
        &set("decision = replace(decision, '\"due\":0', '\"due\":1')", "redeem-4"),
        &["decision-differs", "wrong-hash"],
    );
    check(&set("decision = '{}'", "redeem-4"), &["decision-differs", "wrong-hash"]);
    check("UPDATE context SET body = replace(body, 'USD', 'EUR')", &["decision-differs"]);
    check("DELETE FROM context", &["decision-differs"]);
    // Gone, and its entries are left.
    check("DELETE FROM operation WHERE key = 'capture-2'", &["missing-entries", "sealed-entry-missing", "unreadable"]);
    check("DELETE FROM operation WHERE key = 'redeem-4'", &["missing-entries", "unreadable"]);
    let whole =
        |key| format!("DELETE FROM entry WHERE operation = {0}; DELETE FROM operation WHERE key = '{key}'", of(key));
    check(&whole("capture-2"), &["missing-entries", "sealed-entry-missing"]);
    check(&whole("redeem-4"), &["missing-entries"]);
    check("UPDATE operation SET kind = 99 WHERE key = 'redeem-4'", &["missing-entries", "unreadable"]);
    // Whole, and not there for who repeats it.
    let forgotten = format!("DELETE FROM recent_key WHERE sequence = {}", of("redeem-4"));
    check(&forgotten, &["not-under-its-key"]);
    check("UPDATE recent_key SET sequence = sequence + 1", &["not-under-its-key"]);
    let renamed = set("key = 'redeem-5'", "redeem-4");
    check(&renamed, &["not-under-its-key", "wrong-hash"]);
    // Neither is what is damaged done again.
    let (_folder, path) = copy();
    tamper(&path, &renamed);
    let code = code(4);
    let again = desk(&path).pay(&payment("redeem-4", "o-4", 700, &[code]), PayKind::Redeem, NOW).unwrap_err();
    assert!(again.to_string().contains("index of keys names operation"), "{again}");
}

#[test]
fn what_was_sealed_cannot_be_taken_back() {
    // The refund never happened: operation, entries, accounts and order are as they were before.
    let undone = format!(
        "UPDATE account SET balance = before.balance, version = before.number, head = before.hash
           FROM (SELECT e.account, p.* FROM entry e JOIN entry p ON p.account = e.account AND p.number = e.number - 1
                 WHERE e.operation = {0}) AS before
          WHERE before.account = account.id;
         UPDATE record SET body = replace(replace(body, '\"applied_returned\":1000', '\"applied_returned\":0'),
             '\"taken_returned\":1000', '\"taken_returned\":0') WHERE kind = 4;
         DELETE FROM entry WHERE operation = {0};
         DELETE FROM operation WHERE key = 'refund-1'",
        of("refund-1")
    );
    check(&undone, &["sealed-entry-missing"]);
    // So is the last redemption, which no checkpoint has seen yet: nothing is left to tell.
    let last = format!(
        "UPDATE account SET balance = 10000, version = 1, head = (SELECT hash FROM entry WHERE account = $5 AND number = 1)
          WHERE id = $5;
         DELETE FROM entry WHERE operation = {0}; DELETE FROM operation WHERE key = 'redeem-4'",
        of("redeem-4")
    );
    check(&last, &[]);
}

#[test]
fn what_was_changed_on_checkpoints_is_found() {
    check("UPDATE checkpoint SET signature = zeroblob(64) WHERE number = 2", &["checkpoint-signature"]);
    check("UPDATE checkpoint SET at = at + 1 WHERE number = 2", &["checkpoint-signature"]);
    // What the next one names is the digest.
    check("UPDATE checkpoint SET at = at + 1 WHERE number = 1", &["checkpoint-order", "checkpoint-signature"]);
    check("UPDATE checkpoint SET root = zeroblob(32) WHERE number = 2", &["checkpoint-root", "checkpoint-signature"]);
    check(
        "UPDATE checkpoint SET public_key = zeroblob(32) WHERE number = 2",
        &["checkpoint-key", "checkpoint-signature"],
    );
    check(
        "UPDATE checkpoint SET previous = zeroblob(32) WHERE number = 2",
        &["checkpoint-order", "checkpoint-signature"],
    );
    check("DELETE FROM checkpoint WHERE number = 1", &["checkpoint-missing"]);
    check(
        "UPDATE sealed_head SET head = zeroblob(32) WHERE checkpoint = 1 AND account = $0",
        &["checkpoint-root", "sealed-head-differs"],
    );
    check("DELETE FROM sealed_head WHERE checkpoint = 2 AND account = $0", &["checkpoint-root"]);
    check(
        "UPDATE sealed_head SET version = 9 WHERE checkpoint = 2 AND account = $0",
        &["checkpoint-root", "sealed-entry-missing"],
    );
}

#[test]
fn only_an_export_shows_that_checkpoints_were_taken_away() {
    let (_folder, path) = copy();
    let exported: Vec<Checkpoint> = {
        let documents: Vec<_> = open(&path).checkpoints().unwrap().iter().map(CheckpointDocument::of).collect();
        read_checkpoints(&serde_json::to_string(&CheckpointExport { checkpoints: documents }).unwrap()).unwrap()
    };
    let options = VerifyOptions { exported, ..VerifyOptions::default() };
    assert!(verify(&desk(&path), &options).sound);
    tamper(&path, "DELETE FROM sealed_head WHERE checkpoint = 2; DELETE FROM checkpoint WHERE number = 2");
    let without = desk(&path);
    assert!(verify(&without, &VerifyOptions::default()).sound);
    assert_eq!(codes(&verify(&without, &options)), ["exported-checkpoint-differs"]);
    // Whoever has the key file can seal anew, and passes for the owner; not before the export.
    without.checkpoint(NOW + 1).unwrap().unwrap();
    assert!(verify(&without, &VerifyOptions::default()).sound);
    assert_eq!(codes(&verify(&without, &options)), ["exported-checkpoint-differs"]);
}

#[test]
fn checkpoints_of_other_keys_are_found() {
    let (_folder, path) = copy();
    let other = bank::desk(open(&path), SEED + 1, 1);
    assert_eq!(codes(&verify(&other, &VerifyOptions::default())), ["checkpoint-key"]);
}

#[test]
fn decisions_of_an_erased_customer_cannot_be_run_again_and_that_is_no_finding() {
    let (_folder, path) = copy();
    let desk = desk(&path);
    desk.store().erase(SITE, "c-1").unwrap();
    let report = verify(&desk, &VerifyOptions::default());
    assert!(report.sound, "{:#?}", report.findings);
    // The split of a refund has nothing personal.
    assert_eq!((report.decisions.same, report.decisions.not_replayable), (1, 4));
}

#[test]
fn one_operation_can_be_verified_by_itself() {
    let key = |key: &str| OperationKey { site: SITE.to_string(), key: key.to_string() };
    let (_folder, path) = copy();
    for (operation, decision) in [("redeem-1", "same"), ("refund-1", "same"), ("issue-0", "none"), ("hold-3", "same")] {
        let verdict = desk(&path).verify_operation(&key(operation)).unwrap().unwrap();
        assert!(verdict.sound && verdict.entries > 0, "{verdict:#?}");
        assert_eq!(verdict.decision, decision, "{operation}");
    }
    assert_eq!(desk(&path).verify_operation(&key("nothing")).unwrap(), None);
    tamper(&path, "UPDATE operation SET decision = replace(decision, '\"due\":0', '\"due\":1'), answer = '{}'");
    let verdict = desk(&path).verify_operation(&key("redeem-1")).unwrap().unwrap();
    let codes: Vec<_> = verdict.findings.iter().map(|finding| finding.code).collect();
    assert_eq!((verdict.sound, codes.as_slice()), (false, &["wrong-hash", "decision-differs"][..]));
}

struct Stopped<'a>(&'a AtomicBool);

impl Drop for Stopped<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Pays from many threads until told to stop. The work begins when each of them has committed something.
fn under_load<T>(desk: &Desk, work: impl FnOnce() -> T) -> T {
    under_load_as(desk, "load", work)
}

fn under_load_as<T>(desk: &Desk, who: &str, work: impl FnOnce() -> T) -> T {
    let stop = AtomicBool::new(false);
    let (begun, all_begun) = std::sync::mpsc::channel();
    std::thread::scope(|scope| {
        for thread in 0..3 {
            let (stop, begun) = (&stop, begun.clone());
            scope.spawn(move || {
                for number in 0.. {
                    if stop.load(Ordering::Relaxed) {
                        break;
                    }
                    if number == 1 {
                        begun.send(()).unwrap();
                    }
                    let name = format!("{who}-{thread}-{number}");
                    match number % 4 {
                        0 => {
                            let hold = pay(desk, &name, &name, 3, &[0, 1], PayKind::Hold).unwrap();
                            let doing = Doing { site: SITE, operation: &format!("{name}-void"), actor: None, now: NOW };
                            desk.void(&doing, &hold.to_string(), None).unwrap();
                        }
                        1 => {
                            let target = desk.target_of_code(SITE, &serde_json::from_value(json!(code(2))).unwrap());
                            let command = Load {
                                target,
                                amount: bank::usd().parse("0.02").unwrap(),
                                balance_max: None,
                                reason: None,
                            };
                            let doing = Doing { site: SITE, operation: &name, actor: None, now: NOW };
                            desk.operate(&doing, &command, &json!(name)).unwrap();
                        }
                        2 => drop(pay(desk, &name, &name, 2, &[2, 5], PayKind::Hold)),
                        _ => drop(pay(desk, &name, &name, 1, &[thread + 3], PayKind::Redeem)),
                    }
                }
            });
        }
        // Also where the work panics, or nobody would stop.
        let _stopped = Stopped(&stop);
        drop(begun);
        for _ in 0..3 {
            all_begun.recv().expect("each thread commits");
        }
        work()
    })
}

#[test]
fn what_others_commit_meanwhile_is_not_reported() {
    let (_folder, path) = copy();
    let desk = desk(&path);
    under_load(&desk, || {
        for round in 0..4 {
            let report = verify(&desk, &VerifyOptions { decisions: Decisions::Sample(20), ..VerifyOptions::default() });
            assert!(report.sound, "{round}: {:#?}", report.findings);
            desk.checkpoint(NOW).unwrap();
        }
    });
    let report = verify(&desk, &VerifyOptions::default());
    assert!(report.sound && report.operations > 20, "{report:#?}");
}

#[test]
fn of_several_who_seal_at_once_each_makes_another_checkpoint() {
    let (_folder, path) = copy();
    std::thread::scope(|scope| {
        for card in [0, 1, 4, 5] {
            let desk = desk(&path);
            scope.spawn(move || {
                for number in 0..5 {
                    let name = format!("{card}-{number}");
                    pay(&desk, &name, &name, 1, &[card], PayKind::Redeem);
                    desk.checkpoint(NOW).unwrap();
                }
            });
        }
    });
    let desk = desk(&path);
    desk.checkpoint(NOW).unwrap();
    assert_eq!(desk.checkpoint(NOW).unwrap(), None);
    let report = verify(&desk, &VerifyOptions::default());
    assert!(report.sound && report.checkpoints > 3, "{report:#?}");
}

#[test]
fn a_backup_under_load_restores_to_a_verified_prefix() {
    let (folder, path) = copy();
    let desk = desk(&path);
    let backup = folder.path().join("backup.db");
    let acknowledged = under_load(&desk, || {
        let before = desk.store().operations(0, usize::MAX >> 33).unwrap().len();
        desk.store().backup(&backup).unwrap();
        before
    });
    let place = folder.path().join("restored.db");
    let report = restore(&backup, &Address::Sqlite(place.clone()), &mut |_| {}).unwrap();
    assert!(report.sound && report.operations >= acknowledged as u64);
    let (all, restored) = (desk.store().operations(0, 1 << 20).unwrap(), open(&place).operations(0, 1 << 20).unwrap());
    assert!(restored.len() <= all.len());
    assert_eq!(restored, all[..restored.len()]);
    // And it goes on.
    let again = self::desk(&place);
    pay(&again, "after", "after", 1, &[5], PayKind::Redeem);
    assert!(verify(&again, &VerifyOptions::default()).sound);
}

#[test]
fn a_backup_whose_index_of_keys_lacks_something_is_restored_whole() {
    let (folder, path) = copy();
    tamper(&path, "DELETE FROM recent_key WHERE sequence % 2 = 0");
    assert_eq!(codes(&verify(&desk(&path), &VerifyOptions::default())), ["not-under-its-key"]);
    let backup = folder.path().join("backup.db");
    open(&path).backup(&backup).unwrap();
    let operations = open(&path).operations(0, 100).unwrap();
    for address in [Address::Sqlite(folder.path().join("restored.db")), server()] {
        let damaged = folder.path().join("damaged.db");
        std::fs::copy(&backup, &damaged).unwrap();
        let report = restore(&damaged, &address, &mut |_| {}).unwrap();
        assert!(report.sound && report.operations == operations.len() as u64);
        let store = address.open(false).unwrap();
        assert!(store.not_found_by_key(&operations).unwrap().is_empty());
        assert_eq!(store.operations(0, 100).unwrap().len(), operations.len());
    }
}

#[test]
fn a_backup_that_is_not_sound_is_not_restored_and_nothing_is_overwritten() {
    let (folder, path) = copy();
    let place = folder.path().join("restored.db");
    let into = |place: &Path| Address::Sqlite(place.to_path_buf());
    let taken = restore(&path, &into(&path), &mut |_| {}).unwrap_err();
    assert_eq!(taken.code(), "place-taken");
    tamper(&path, "UPDATE account SET balance = 1 WHERE balance > 1");
    let unsound = restore(&path, &into(&place), &mut |_| {}).unwrap_err();
    assert!(matches!(&unsound, RestoreProblem::Unsound(report) if report.findings_total > 1), "{unsound}");
    std::fs::write(&path, "no ledger at all").unwrap();
    let garbage = restore(&path, &into(&place), &mut |_| {}).unwrap_err();
    assert_eq!(garbage.code(), "backup-unusable");
    let missing = restore(&folder.path().join("nothing"), &into(&place), &mut |_| {}).unwrap_err();
    assert_eq!(missing.code(), "backup-unusable");
    let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["ledger.db"]);
}

/// An address on the shared server, with a schema that is not there yet.
fn server() -> Address {
    let (url, schema) = Cluster::start().fresh_schema();
    Address::parse(&format!("{url}?schema={schema}")).unwrap()
}

fn everything(store: &dyn Store) -> (Vec<Numbered>, Vec<Account>, Vec<Checkpoint>) {
    let accounts = AccountFilter { limit: 1000, ..AccountFilter::default() };
    (store.operations(0, 1000).unwrap(), store.accounts(&accounts).unwrap(), store.checkpoints().unwrap())
}

#[test]
fn a_ledger_goes_to_postgresql_and_back_and_stays_the_same() {
    let (folder, path) = copy();
    let address = server();
    let report = restore(&path, &address, &mut |_| {}).unwrap();
    assert!(report.sound && report.operations == 7);
    let there = address.open(false).unwrap();
    assert_eq!(everything(&*there), everything(&*open(&path)));
    // Not twice, and not over another one.
    let again = restore(&path, &address, &mut |_| {}).unwrap_err();
    assert_eq!(again.code(), "place-taken", "{again}");
    let backup = folder.path().join("backup.db");
    there.backup(&backup).unwrap();
    let place = folder.path().join("back.db");
    restore(&backup, &Address::Sqlite(place.clone()), &mut |_| {}).unwrap();
    let back = desk(&place);
    assert_eq!(everything(back.store()), everything(&*there));
    let report = verify(&back, &VerifyOptions::default());
    assert!(report.sound && report.decisions.same == 5, "{:#?}", report.findings);
    pay(&back, "after", "after", 1, &[5], PayKind::Redeem);
    assert!(back.checkpoint(NOW).unwrap().is_some() && verify(&back, &VerifyOptions::default()).sound);
}

#[test]
fn what_others_commit_to_postgresql_meanwhile_is_not_reported() {
    let (_folder, path) = copy();
    let address = server();
    restore(&path, &address, &mut |_| {}).unwrap();
    // Two processes, as it were: numbers of operations are not in the order of commits.
    let (one, other) =
        (bank::desk(address.open(false).unwrap(), SEED, 101), bank::desk(address.open(false).unwrap(), SEED, 102));
    under_load(&one, || {
        under_load_as(&other, "other", || {
            for round in 0..6 {
                let decisions = Decisions::Sample(20);
                let report = verify(&other, &VerifyOptions { decisions, ..VerifyOptions::default() });
                assert!(report.sound, "{round}: {:#?}", report.findings);
                other.checkpoint(NOW).unwrap();
            }
        });
    });
    let report = verify(&one, &VerifyOptions::default());
    assert!(report.sound && report.operations > 50, "{report:#?}");
}
