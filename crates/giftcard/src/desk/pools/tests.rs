//! Pools: filled, emptied, and kept track of.

use std::collections::BTreeSet;
use std::thread;

use serde_json::{Value, json};

use super::super::testing::{Bench, NOW, bench, document, doing, error, told};
use super::super::{Desk, DeskError};
use crate::output::ImportOutput;

fn pool(bench: &Bench, json: &Value) {
    bench.desk.set_pool("main", &document(json)).unwrap();
}

fn import(desk: &Desk, file: &str, accept_weak: bool) -> Result<ImportOutput, DeskError> {
    desk.import_codes("main", "p", file.as_bytes(), accept_weak, NOW, &mut |_| {})
}

fn code(number: usize) -> String {
    format!("9F3K-7Q2M-X8BT-{number:04}")
}

#[test]
fn a_pool_is_set_and_listed_with_what_is_in_it() {
    let bench = bench();
    let made = bench.desk.set_pool("main", &document(&json!({ "name": "p", "low_stock": 5 }))).unwrap();
    assert_eq!((made.version, made.free, made.is_low), (1, 0, true));
    let mut told_so_far = Vec::new();
    let filled = bench.desk.generate_codes("main", "p", 1200, NOW, &mut |done| told_so_far.push(done)).unwrap();
    assert_eq!((filled.codes, filled.free, told_so_far), (1200, 1200, vec![500, 1000, 1200]));
    let found = bench.desk.pool("main", "p").unwrap().unwrap();
    assert_eq!((found.free, found.is_low, found.version), (1200, false, 1));
    assert_eq!(bench.desk.pools("main").unwrap().len(), 1);
    assert!(bench.desk.pool("euro", "p").unwrap().is_none());
}

#[test]
fn every_mistake_about_a_pool_is_told_by_its_field() {
    let bench = bench();
    for (json, path) in [
        (json!({ "name": "a b" }), "name"),
        (json!({ "name": "p", "pattern": "GIFT_XXXX" }), "pattern"),
        (json!({ "name": "p", "pattern": "!" }), "pattern"),
    ] {
        assert_eq!(told(bench.desk.set_pool("main", &document(&json))), error("invalid-value", path), "{json}");
    }
    assert_eq!(told(bench.desk.set_pool("none", &document(&json!({ "name": "p" })))), error("invalid-value", "site"));
    pool(&bench, &json!({ "name": "p" }));
    let generate = |pool: &str, count| bench.desk.generate_codes("main", pool, count, NOW, &mut |_| {});
    assert_eq!(told(generate("none", 1)), error("invalid-value", "pool"));
    assert_eq!(told(generate("p", 0)), error("invalid-value", "count"));
    assert_eq!(told(generate("p", 1_000_001)), error("invalid-value", "count"));
    let none = bench.desk.import_codes("main", "none", "".as_bytes(), false, NOW, &mut |_| {});
    assert_eq!(told(none), error("invalid-value", "pool"));
    assert_eq!(told(bench.desk.withdraw_codes("main", "none", None)), error("invalid-value", "pool"));
    assert_eq!(told(bench.desk.withdraw_codes("main", "p", Some(0))), error("invalid-value", "count"));
    assert_eq!(told(bench.desk.withdraw_codes("main", "p", Some(1))).0, "pool-empty");
}

#[test]
fn a_pattern_gives_no_more_codes_than_it_has_room_for() {
    let bench = bench();
    // 262144 codes, of which one in a thousand may be made.
    pool(&bench, &json!({ "name": "p", "pattern": "SMALLCODE_######", "accept_weak": true }));
    let generate = |count| bench.desk.generate_codes("main", "p", count, NOW, &mut |_| {});
    assert_eq!(told(generate(263)).0, "pattern-exhausted");
    assert_eq!(generate(250).unwrap().free, 250);
    assert_eq!(told(generate(13)).0, "pattern-exhausted");
    generate(12).unwrap();
    bench.desk.withdraw_codes("main", "p", None).unwrap();
    assert_eq!(told(generate(1)).0, "pattern-exhausted", "what is withdrawn was made too");
    assert!(bench.desk.pool("main", "p").unwrap().unwrap().warnings[0].contains("18 random bits"));
}

#[test]
fn codes_generated_at_the_same_time_are_different() {
    let bench = bench();
    pool(&bench, &json!({ "name": "p", "pattern": "SMALLCODE_######", "accept_weak": true }));
    // The same seed makes the same codes.
    let desks = [bench.another(4), bench.another(4)];
    thread::scope(|scope| {
        for desk in &desks {
            scope.spawn(move || desk.generate_codes("main", "p", 100, NOW, &mut |_| {}).unwrap());
        }
    });
    assert_eq!(bench.desk.pool("main", "p").unwrap().unwrap().free, 200);
}

#[test]
fn a_file_is_imported_and_every_line_accounted_for() {
    let bench = bench();
    pool(&bench, &json!({ "name": "p" }));
    pool(&bench, &json!({ "name": "other" }));
    bench.issue("1", json!({ "value": "1.00", "code": code(7777) })).unwrap();
    let elsewhere = format!("{}\n", code(8888));
    bench.desk.import_codes("main", "other", elsewhere.as_bytes(), false, NOW, &mut |_| {}).unwrap();
    let mut file = "code,serial\n".to_string();
    for number in 0..1100 {
        file.push_str(&format!("{},s{number}\n", code(number)));
    }
    file.push_str(&format!("{},x\n", code(5).to_lowercase())); // line 1102
    file.push_str("SHORT,x\n"); // line 1103
    file.push_str("HAPPYBD_GC12,x\n"); // line 1104
    file.push_str(&format!("{},x\n", code(7777))); // line 1105
    file.push_str(&format!("{},x\n", code(8888))); // line 1106
    let mut told_so_far = Vec::new();
    let report =
        bench.desk.import_codes("main", "p", file.as_bytes(), false, NOW, &mut |done| told_so_far.push(done)).unwrap();
    assert_eq!((report.imported, report.skipped, report.refused, report.free), (1100, 0, 5, 1100));
    assert_eq!(report.columns_unread, ["serial"]);
    let lines: Vec<u64> = report.problems.iter().map(|problem| problem.line).collect();
    assert_eq!((lines, told_so_far), (vec![1102, 1103, 1104, 1105, 1106], vec![500, 1000, 1102]));
    assert!(report.problems[0].message.contains("line 7"), "{}", report.problems[0].message);
    assert!(
        report.problems.iter().all(|problem| !problem.message.contains("9F3K") && !problem.message.contains("HAPPY"))
    );
    // The same file again, such as after a crash.
    let again = import(&bench.desk, &file, true).unwrap();
    assert_eq!((again.imported, again.skipped, again.refused), (1, 1100, 4), "the weak one is accepted now");
}

#[test]
fn a_file_that_is_none_is_refused_whole() {
    let bench = bench();
    pool(&bench, &json!({ "name": "p" }));
    let unclosed = format!("{}\n\"{}", code(1), "x".repeat(100_000));
    for file in ["a,b\n1,2\n", "code,code\nx,y\n", unclosed.as_str()] {
        assert_eq!(told(import(&bench.desk, file, false)).0, "file-unreadable");
    }
    let report = import(&bench.desk, "", false).unwrap();
    assert_eq!((report.imported, report.refused, bench.desk.pool("main", "p").unwrap().unwrap().free), (0, 0, 0));
}

#[test]
fn problems_of_a_long_file_are_counted_and_the_first_ones_told() {
    let bench = bench();
    pool(&bench, &json!({ "name": "p" }));
    let file = (0..500).map(|number| format!("BAD{number}\n")).collect::<String>();
    let report = import(&bench.desk, &file, false).unwrap();
    assert_eq!((report.refused, report.problems.len(), report.problems[99].line), (500, 100, 100));
}

#[test]
fn codes_are_withdrawn_for_good_and_drawn_ones_stay() {
    let bench = bench();
    pool(&bench, &json!({ "name": "p" }));
    bench.desk.generate_codes("main", "p", 600, NOW, &mut |_| {}).unwrap();
    bench.programme(json!({ "name": "P", "value": {"fixed": "5.00"}, "codes": {"pool": "p"} }));
    bench.issue("1", json!({ "programme": "p" })).unwrap();
    let some = bench.desk.withdraw_codes("main", "p", Some(9)).unwrap();
    assert_eq!((some.codes, some.free), (9, 590));
    assert_eq!(told(bench.desk.withdraw_codes("main", "p", Some(591))).0, "pool-empty");
    let all = bench.desk.withdraw_codes("main", "p", None).unwrap();
    assert_eq!((all.codes, all.free), (590, 0));
    let found = bench.desk.pool("main", "p").unwrap().unwrap();
    assert_eq!((found.drawn, found.withdrawn), (1, 599));
    let withdrawn =
        bench.desk.store().codes("main", "p", giftcard_ledger::model::CodeState::Withdrawn, None, 1000).unwrap();
    assert!(withdrawn.iter().all(|code| code.sealed.is_none()), "nothing is left to open");
    assert_eq!(told(bench.issue("2", json!({ "programme": "p" }))).0, "pool-empty");
}

#[test]
fn a_withdrawn_code_is_not_imported_again() {
    let bench = bench();
    pool(&bench, &json!({ "name": "p" }));
    let file = format!("{}\n", code(1));
    import(&bench.desk, &file, false).unwrap();
    bench.desk.withdraw_codes("main", "p", None).unwrap();
    let report = import(&bench.desk, &file, false).unwrap();
    assert_eq!((report.imported, report.skipped, report.free), (0, 1, 0));
}

#[test]
fn codes_that_wait_move_to_the_newest_pepper() {
    let bench = bench();
    pool(&bench, &json!({ "name": "p" }));
    bench.desk.generate_codes("main", "p", 700, NOW, &mut |_| {}).unwrap();
    let keys = bench.folder.path().join("keys.json");
    bench.desk.rotate_pepper(&keys).unwrap();
    assert_eq!(told(bench.desk.retire_pepper(&keys, 1)).0, "pepper-in-use");
    let mut last = 0;
    assert_eq!(bench.desk.renew_pools(&mut |done| last = done).unwrap(), 700);
    assert_eq!((last, bench.desk.renew_pools(&mut |_| {}).unwrap()), (700, 0));
    bench.desk.retire_pepper(&keys, 1).unwrap();
    bench.programme(json!({ "name": "P", "value": {"fixed": "5.00"}, "codes": {"pool": "p"} }));
    let issued = bench.issue("1", json!({ "programme": "p", "count": 3 })).unwrap();
    let texts: BTreeSet<&str> = issued.cards.iter().map(|card| card.code.as_ref().unwrap().reveal()).collect();
    assert_eq!(texts.len(), 3);
    for card in &issued.cards {
        let name = super::super::CardName::Code(card.code.clone().unwrap().0);
        assert_eq!(bench.desk.card("main", &name, NOW).unwrap().account.id, card.id);
    }
    assert_eq!(doing("1").site, "main");
}
