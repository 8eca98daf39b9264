//! New cards: value, end and code as the programme says, the full code once, and the same cards for a repetition.

use std::collections::BTreeSet;
use std::thread;

use giftcard_engine::moment::format_instant;
use serde_json::{Value, json};

use super::super::super::testing::{Bench, NOW, bench, document, doing, error, told};
use super::super::super::{CardName, Desk, Doing};
use crate::codes::SecretCode;
use crate::output::{CardState, IssuedOutput};

fn codes(issued: &IssuedOutput) -> Vec<Option<&str>> {
    issued.cards.iter().map(|card| card.code.as_ref().map(|code| code.reveal())).collect()
}

fn pool(bench: &Bench, name: &str, count: u64) {
    bench.desk.set_pool("main", &document(&json!({ "name": name, "low_stock": 3 }))).unwrap();
    bench.desk.generate_codes("main", name, count, NOW, &mut |_| {}).unwrap();
}

#[test]
fn a_card_made_by_hand_has_a_value_and_a_code_that_finds_it() {
    let bench = bench();
    let issued = bench.issue("1", json!({ "value": "25.00", "customer": "c1", "reason": "thanks" })).unwrap();
    let card = &issued.cards[0];
    assert_eq!((card.value.as_str(), card.currency.as_str(), card.status.as_str()), ("25.00", "USD", "active"));
    assert_eq!((&card.expires_at, issued.repeated, issued.warnings.len()), (&None, false, 0));
    let code = card.code.as_ref().unwrap().reveal();
    assert_eq!(card.hint.as_deref(), Some(&code[code.len() - 4..]).filter(|_| code.len() > 4));
    for name in [
        CardName::Code(SecretCode::new(code.to_lowercase().replace('-', " "))),
        CardName::Id(card.id.parse().unwrap()),
        CardName::Either(SecretCode::new(card.id.clone())),
        CardName::Either(SecretCode::new(code.to_string())),
    ] {
        let found = bench.desk.card("main", &name, NOW).unwrap();
        assert_eq!((found.account.id.as_str(), found.account.state), (card.id.as_str(), CardState::Active));
        assert_eq!((found.account.customer.as_deref(), found.to_deliver), (Some("c1"), false));
        assert_eq!(told(bench.desk.card("euro", &name, NOW)).0, "card-not-found", "nothing crosses sites");
    }
    assert!(!format!("{issued:?}").contains(code));
}

#[test]
fn the_programme_says_value_currency_and_end() {
    let bench = bench();
    bench.programme(
        json!({ "name": "Fixed", "value": {"fixed": "50.00"}, "currency": "EUR", "expires": {"months": 3} }),
    );
    let card = bench.issue("1", json!({ "programme": "fixed" })).unwrap().cards.remove(0);
    assert_eq!((card.value.as_str(), card.currency.as_str()), ("50.00", "EUR"));
    assert_eq!(card.expires_at.as_deref(), Some("2027-02-22T12:00:00Z"));
    let input = json!({ "programme": "fixed", "expires_at": "2026-12-31", "pending": true });
    let card = bench.issue("2", input).unwrap().cards.remove(0);
    assert_eq!(
        (card.expires_at.as_deref(), card.expires_on.as_deref()),
        (Some("2027-01-01T00:00:00Z"), Some("2026-12-31"))
    );
    assert_eq!(card.status, "pending");
    bench.programme(json!({ "name": "Open", "value": {"range": {"min": "10.00", "max": "20.00"}} }));
    assert_eq!(bench.issue("3", json!({ "programme": "open", "value": "10.00" })).unwrap().cards.len(), 1);
}

#[test]
fn a_day_ends_in_the_zone_of_the_site() {
    let bench = bench();
    let input = document(&json!({ "value": "1.00", "expires_at": "2026-12-31" }));
    let doing = Doing { site: "euro", ..doing("1") };
    let card = bench.desk.issue(&doing, &input).unwrap().cards.remove(0);
    assert_eq!(card.expires_at.as_deref(), Some("2026-12-31T23:00:00Z"));
}

#[test]
fn every_mistake_in_issuing_is_told_by_its_field() {
    let bench = bench();
    bench.programme(json!({ "name": "Fixed", "value": {"fixed": "50.00"} }));
    bench.programme(json!({ "name": "Few", "value": {"denominations": ["5.00", "10.00"]} }));
    bench.programme(json!({ "name": "Open", "value": {"range": {"min": "10.00", "max": "20.00"}} }));
    bench.programme(json!({ "name": "Off", "enabled": false }));
    bench.programme(json!({ "name": "Over", "valid_to": "2026-11-01" }));
    bench.programme(json!({ "name": "Past", "expires": {"on": "2026-01-01"} }));
    let strong = "9F3K-7Q2M-X8BT-4RWN";
    for (input, code, path) in [
        (json!({}), "missing-field", "value"),
        (json!({ "value": "0.00" }), "invalid-amount", "value"),
        (json!({ "value": "1.001" }), "invalid-amount", "value"),
        (json!({ "value": "-1.00" }), "invalid-amount", "value"),
        (json!({ "value": "1000.01" }), "value-too-high", ""),
        (json!({ "value": "1.00", "currency": "XXX" }), "unknown-currency", "currency"),
        (json!({ "value": "1.00", "count": 0 }), "invalid-value", "count"),
        (json!({ "value": "1.00", "count": 1001 }), "invalid-value", "count"),
        (json!({ "value": "1.00", "count": 2, "code": strong }), "inconsistent", "code"),
        (json!({ "value": "1.00", "code": "SHORT" }), "invalid-value", "code"),
        (json!({ "value": "1.00", "code": "HAPPYBD_GC12" }), "invalid-value", "code"),
        (json!({ "value": "1.00", "expires_at": "2026-11-21" }), "invalid-value", "expires_at"),
        (json!({ "value": "1.00", "expires_at": "never" }), "invalid-value", "expires_at"),
        (json!({ "value": "1.00", "customer": " " }), "invalid-value", "customer"),
        (json!({ "value": "1.00", "programme": "none" }), "invalid-value", "programme"),
        (json!({ "value": "49.00", "programme": "fixed" }), "invalid-value", "value"),
        (json!({ "programme": "fixed", "currency": "EUR" }), "inconsistent", "currency"),
        (json!({ "programme": "few" }), "missing-field", "value"),
        (json!({ "value": "7.00", "programme": "few" }), "invalid-value", "value"),
        (json!({ "value": "20.01", "programme": "open" }), "invalid-value", "value"),
        (json!({ "value": "1.00", "programme": "off" }), "programme-disabled", ""),
        (json!({ "value": "1.00", "programme": "over" }), "programme-ended", ""),
        (json!({ "value": "1.00", "programme": "past" }), "invalid-value", "expires_at"),
    ] {
        assert_eq!(told(bench.issue("1", input.clone())), error(code, path), "{input}");
    }
    let none = Doing { site: "none", ..doing("1") };
    let input = document(&json!({ "value": "1.00" }));
    assert_eq!(told(bench.desk.issue(&none, &input)), error("invalid-value", "site"));
    assert_eq!(told(bench.issue("", json!({ "value": "1.00" }))), error("invalid-value", "operation"));
    // Beyond the limit in another currency, which has none.
    bench.issue("1", json!({ "value": "1000.01", "currency": "EUR" })).unwrap();
}

#[test]
fn the_same_operation_issues_once_and_shows_codes_only_while_they_are_kept() {
    let bench = bench();
    let plain = json!({ "value": "5.00", "count": 3 });
    let first = bench.issue("1", plain.clone()).unwrap();
    assert!(codes(&first).iter().all(Option::is_some));
    let again = bench.issue("1", plain).unwrap();
    assert!(again.repeated);
    assert_eq!(codes(&again), [None, None, None]);
    let ids = |issued: &IssuedOutput| issued.cards.iter().map(|card| card.id.clone()).collect::<Vec<_>>();
    assert_eq!(ids(&again), ids(&first));
    let sealed = json!({ "value": "5.00", "count": 3, "deliver": true });
    let first = bench.issue("2", sealed.clone()).unwrap();
    assert_eq!(codes(&bench.another(5).issue(&doing("2"), &document(&sealed)).unwrap()), codes(&first));
    let name = CardName::Id(first.cards[1].id.parse().unwrap());
    assert!(bench.desk.card("main", &name, NOW).unwrap().to_deliver);
    assert!(bench.desk.delivered("main", &name, NOW).unwrap().erased);
    assert!(!bench.desk.delivered("main", &name, NOW).unwrap().erased);
    let again = bench.issue("2", sealed.clone()).unwrap();
    assert_eq!(codes(&again).iter().map(Option::is_some).collect::<Vec<_>>(), [true, false, true]);
    let other = json!({ "value": "6.00", "count": 3, "deliver": true });
    assert_eq!(told(bench.issue("2", other)).0, "operation-key-reused");
}

#[test]
fn a_repetition_is_answered_even_if_it_could_not_be_done_any_more() {
    let bench = bench();
    bench.programme(json!({ "name": "P", "value": {"fixed": "5.00"} }));
    bench.issue("1", json!({ "programme": "p" })).unwrap();
    bench.desk.enable_programme("main", "p", false).unwrap();
    assert!(bench.issue("1", json!({ "programme": "p" })).unwrap().repeated);
    assert_eq!(told(bench.issue("2", json!({ "programme": "p" }))).0, "programme-disabled");
}

#[test]
fn a_merchants_code_is_taken_once_whatever_pepper_it_is_found_by() {
    let bench = bench();
    let input = |code: &str| json!({ "value": "5.00", "code": code });
    bench.issue("1", input("9F3K-7Q2M-X8BT-4RWN")).unwrap();
    assert!(bench.issue("1", input("9f3k 7q2m x8bt 4rwn")).unwrap().repeated, "the same code is the same request");
    assert_eq!(told(bench.issue("1", input("9F3K-7Q2M-X8BT-4RWM"))).0, "operation-key-reused");
    assert_eq!(told(bench.issue("2", input("9f3k-7q2m-x8bt-4rwn"))).0, "code-taken");
    bench.desk.rotate_pepper(&bench.folder.path().join("keys.json")).unwrap();
    assert_eq!(told(bench.issue("2", input("9f3k-7q2m-x8bt-4rwn"))).0, "code-taken");
    let weak = json!({ "value": "5.00", "code": "HAPPYBD_GC12", "accept_weak": true });
    let issued = bench.issue("3", weak).unwrap();
    assert_eq!((issued.warnings.len(), &issued.cards[0].hint), (1, &None));
}

#[test]
fn codes_that_come_out_twice_are_made_anew() {
    let bench = bench();
    // 64 codes, of which one in a thousand may be made: one.
    let tiny = json!({ "pattern": { "pattern": "TINYCODE_##", "accept_weak": true } });
    bench.programme(json!({ "name": "Tiny", "value": {"fixed": "5.00"}, "codes": tiny }));
    bench.issue("1", json!({ "programme": "tiny" })).unwrap();
    assert_eq!(told(bench.issue("2", json!({ "programme": "tiny" }))).0, "pattern-exhausted");
    // 262144 codes have room for 262, and at 250 some have come out twice.
    let small = json!({ "pattern": { "pattern": "SMALLCODE_######", "accept_weak": true } });
    bench.programme(json!({ "name": "Small", "value": {"fixed": "5.00"}, "codes": small }));
    let issued = bench.issue("3", json!({ "programme": "small", "count": 250 })).unwrap();
    let distinct: BTreeSet<_> = codes(&issued).into_iter().collect();
    assert_eq!((distinct.len(), issued.warnings.len()), (250, 1));
    assert_eq!(told(bench.issue("4", json!({ "programme": "small", "count": 20 }))).0, "pattern-exhausted");
}

#[test]
fn a_pool_gives_each_card_a_code_of_its_own_until_it_is_empty() {
    let bench = bench();
    pool(&bench, "stock", 5);
    bench.programme(json!({ "name": "P", "value": {"fixed": "5.00"}, "codes": {"pool": "stock"} }));
    let first = bench.issue("1", json!({ "programme": "p", "count": 2 })).unwrap();
    assert!(codes(&first).iter().all(Option::is_some));
    assert_eq!(first.warnings, Vec::<String>::new());
    let code = CardName::Code(SecretCode::new(codes(&first)[0].unwrap().to_string()));
    let card = bench.desk.card("main", &code, NOW).unwrap();
    assert_eq!((card.account.id.as_str(), card.to_deliver), (first.cards[0].id.as_str(), false), "the seal is erased");
    assert_eq!(codes(&bench.issue("1", json!({ "programme": "p", "count": 2 })).unwrap()), [None, None]);
    let kept = json!({ "programme": "p", "deliver": true });
    let second = bench.issue("2", kept.clone()).unwrap();
    assert_eq!(codes(&bench.issue("2", kept).unwrap()), codes(&second));
    assert!(second.warnings[0].contains("`stock`"), "two are free, and there should be three");
    assert_eq!(told(bench.issue("3", json!({ "programme": "p", "count": 3 }))).0, "pool-empty");
    bench.issue("3", json!({ "programme": "p", "count": 2 })).unwrap();
    let stock = bench.desk.pool("main", "stock").unwrap().unwrap();
    assert_eq!((stock.free, stock.drawn, stock.is_low), (0, 5, true));
}

#[test]
fn several_who_draw_at_once_each_get_other_codes() {
    let bench = bench();
    pool(&bench, "stock", 60);
    bench.programme(json!({ "name": "P", "value": {"fixed": "5.00"}, "codes": {"pool": "stock"} }));
    let desks: Vec<Desk> = (10..14).map(|seed| bench.another(seed)).collect();
    let draw = |number: usize, desk: &Desk| -> Vec<String> {
        let issue = |turn: usize| {
            let operation = format!("{number}-{turn}");
            let input = document(&json!({ "programme": "p", "count": 3 }));
            let issued = desk.issue(&doing(&operation), &input).unwrap();
            codes(&issued).into_iter().map(|code| code.unwrap().to_string()).collect::<Vec<_>>()
        };
        (0..5).flat_map(issue).collect()
    };
    let drawn: Vec<String> = thread::scope(|scope| {
        let threads: Vec<_> =
            desks.iter().enumerate().map(|(number, desk)| scope.spawn(move || draw(number, desk))).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(drawn.iter().collect::<BTreeSet<_>>().len(), 60);
    let stock = bench.desk.pool("main", "stock").unwrap().unwrap();
    assert_eq!((stock.free, stock.drawn), (0, 60));
}

#[test]
fn a_first_card_freezes_the_programme_even_if_two_issue_it_at_once() {
    let bench = bench();
    bench.programme(json!({ "name": "P", "value": {"fixed": "5.00"} }));
    let other = bench.another(3);
    thread::scope(|scope| {
        for (number, desk) in [&bench.desk, &other].into_iter().enumerate() {
            scope.spawn(move || {
                let operation = format!("{number}");
                desk.issue(&doing(&operation), &document(&json!({ "programme": "p" }))).unwrap();
            });
        }
    });
    let programme = bench.desk.programme("main", "p").unwrap().unwrap();
    assert_eq!((programme.frozen, programme.version), (true, 2));
}

#[test]
fn a_lost_code_is_replaced_and_the_old_card_closed() {
    let bench = bench();
    let (card, code) = bench.card("1", json!({ "value": "5.00", "expires_at": "2027-01-01" }));
    let moved = bench.desk.transfer(&doing("2"), &card, false, Some("lost")).unwrap();
    assert_eq!((moved.to.value.as_str(), moved.to.expires_on.as_deref()), ("5.00", Some("2027-01-01")));
    let new = moved.to.code.clone().unwrap();
    let old = bench.desk.card("main", &CardName::Code(code), NOW).unwrap().account;
    assert_eq!((old.state, old.replaced_by.as_deref()), (CardState::Closed, Some(moved.to.id.as_str())));
    let found = bench.desk.card("main", &CardName::Code(new.0), NOW).unwrap().account;
    assert_eq!((found.id, found.balance.as_str()), (moved.to.id.clone(), "5.00"));
    let again = bench.desk.transfer(&doing("2"), &card, false, Some("lost")).unwrap();
    assert_eq!((again.repeated, again.to.id, again.to.code), (true, moved.to.id, None));
    assert_eq!(told(bench.desk.transfer(&doing("3"), &card, false, None)).0, "card-closed");
    let kept = bench.desk.transfer(&doing("4"), &CardName::Id(found_id(&again.from, &bench)), true, None);
    assert_eq!(told(kept).0, "card-closed");
}

fn found_id(id: &str, bench: &Bench) -> giftcard_ledger::model::Id {
    bench.desk.account("main", &CardName::Id(id.parse().unwrap()), NOW).unwrap().id
}

#[test]
fn codes_of_refunds_wait_sealed() {
    let bench = bench();
    let spare = bench.desk.spare_codes(&["main".to_string(), "main".to_string()], NOW).unwrap();
    assert_eq!(spare.len(), 2);
    let sealed = |code: &giftcard_ledger::operations::NewCode| {
        matches!(code, giftcard_ledger::operations::NewCode::Made { sealed: Some(_), .. })
    };
    assert!(spare.iter().all(|spare| sealed(&spare.code)));
}

#[test]
fn no_file_of_the_ledger_holds_a_code() {
    let bench = bench();
    let sealed: Value = json!({ "value": "5.00", "count": 5, "deliver": true });
    let (kept, shown) = (
        bench.issue("1", sealed).unwrap(),
        bench.issue("2", json!({ "value": "5.00", "code": "9F3K-7Q2M-X8BT-4RWN" })).unwrap(),
    );
    let mut all = Vec::new();
    for entry in bench.folder.path().read_dir().unwrap() {
        all.extend(std::fs::read(entry.unwrap().path()).unwrap());
    }
    let holds = |text: &str| all.windows(text.len()).any(|window| window == text.as_bytes());
    assert!(holds(&kept.cards[0].hint.clone().unwrap()), "the search finds what is there");
    assert!(holds("USD") && !format_instant(NOW).is_empty());
    for code in codes(&kept).into_iter().chain(codes(&shown)).flatten() {
        assert!(!holds(code) && !holds(&code.replace('-', "")), "a code is in a file");
    }
}
