//! What whoever has a code is told: a balance, or one same answer.

use giftcard_engine::moment::InstantMs;
use serde_json::json;

use super::super::super::testing::{NOW, bench, document, doing, told};
use super::super::super::{CardName, Desk, DeskError, PayKind};
use crate::codes::SecretCode;
use crate::output::BalanceOutput;

fn ask(desk: &Desk, code: &SecretCode, who: &str, now: InstantMs) -> Result<BalanceOutput, DeskError> {
    desk.public_balance("main", code, None, who, now)
}

#[test]
fn every_code_that_cannot_be_used_has_the_same_answer() {
    let bench = bench();
    bench.programme(json!({ "name": "Off" }));
    bench.programme(json!({ "name": "Own", "audience": {"customer": "c1"} }));
    bench.programme(json!({ "name": "Over" }));
    let (_, good) = bench.card("1", json!({ "value": "5.00", "expires_at": "2026-12-31" }));
    let (_, pending) = bench.card("2", json!({ "value": "5.00", "pending": true }));
    let (disabled, disabled_code) = bench.card("3", json!({ "value": "5.00" }));
    bench.desk.disable(&doing("d"), &disabled, None).unwrap();
    let (empty, empty_code) = bench.card("4", json!({ "value": "5.00" }));
    bench.desk.adjust(&doing("a"), &empty, &document(&json!({ "to": "0.00", "reason": "r" }))).unwrap();
    let (closed, closed_code) = bench.card("5", json!({ "value": "5.00" }));
    bench.desk.transfer(&doing("t"), &closed, false, None).unwrap();
    let (_, off) = bench.card("6", json!({ "value": "5.00", "programme": "off" }));
    bench.desk.enable_programme("main", "off", false).unwrap();
    let (_, own) = bench.card("7", json!({ "value": "5.00", "programme": "own" }));
    let (_, over) = bench.card("8", json!({ "value": "5.00", "programme": "over" }));
    let ended = document(&json!({ "name": "Over", "code_name": "over", "valid_to": "2026-11-01" }));
    bench.desk.set_programme("main", &ended).unwrap();
    let (_, held) = bench.card("9", json!({ "value": "5.00" }));
    let pay = json!({ "operation": "h", "order": {"id": "o", "currency": "USD", "total": "5.00"},
        "cards": [{"code": held.reveal()}] });
    bench.desk.pay(&document(&pay), PayKind::Hold, NOW).unwrap();
    bench.desk.set_pool("main", &document(&json!({ "name": "stock" }))).unwrap();
    let waiting = SecretCode::new("9F3K-7Q2M-X8BT-4RWN".to_string());
    let file = format!("{}\n", waiting.reveal());
    bench.desk.import_codes("main", "stock", file.as_bytes(), false, NOW, &mut |_| {}).unwrap();
    let euro = super::super::super::Doing { site: "euro", ..doing("e") };
    let elsewhere = bench.desk.issue(&euro, &document(&json!({ "value": "5.00" }))).unwrap().cards.remove(0);
    let unknown = SecretCode::new("W4DSKT-VEPVM9-URPQLX".to_string());
    let mut answers = Vec::new();
    for (number, code) in [
        &pending,
        &disabled_code,
        &empty_code,
        &closed_code,
        &off,
        &own,
        &over,
        &held,
        &waiting,
        &elsewhere.code.unwrap().0,
        &unknown,
    ]
    .into_iter()
    .enumerate()
    {
        let refused = ask(&bench.desk, code, &format!("who-{number}"), NOW).unwrap_err();
        answers.push(serde_json::to_string(&refused.output()).unwrap());
    }
    answers.dedup();
    assert_eq!(answers.len(), 1, "{answers:?}");
    assert!(answers[0].contains("card-not-usable"));
    let balance = ask(&bench.desk, &good, "who", NOW).unwrap();
    assert_eq!((balance.available.as_str(), balance.expires_on.as_deref()), ("5.00", Some("2026-12-31")));
    assert_eq!(told(ask(&bench.desk, &good, "late", NOW + 100 * 86_400_000)).0, "card-not-usable", "expired");
    let theirs = bench.desk.public_balance("main", &own, Some("c1"), "c1", NOW).unwrap();
    assert_eq!(theirs.available, "5.00");
}

#[test]
fn a_card_of_another_site_has_a_balance_where_its_programme_is_accepted() {
    let bench = bench();
    bench.programme(json!({ "name": "P", "accepted_by": ["euro"], "valid_from": "2027-01-01" }));
    let (_, code) = bench.card("1", json!({ "value": "5.00", "programme": "p" }));
    let balance = bench.desk.balance("euro", &code, None, NOW).unwrap();
    assert_eq!((balance.currency.as_str(), balance.valid_from.as_deref()), ("USD", Some("2026-12-31T23:00:00Z")));
}

#[test]
fn whoever_tries_too_many_codes_has_to_wait() {
    let bench = bench();
    let (_, good) = bench.card("1", json!({ "value": "5.00" }));
    let bad = SecretCode::new("W4DSKT-VEPVM9-URPQLX".to_string());
    for _ in 0..3 {
        assert_eq!(told(ask(&bench.desk, &bad, "a", NOW)).0, "card-not-usable");
    }
    let Err(DeskError::Refused(refused)) = ask(&bench.desk, &good, "a", NOW) else { panic!("blocked") };
    assert_eq!(refused.code, "too-many-tries");
    assert_eq!(refused.detail, Some(Box::new(json!({ "retry_at": "2026-11-22T12:05:00Z" }))));
    assert!(ask(&bench.desk, &good, "b", NOW).is_ok());
    assert!(ask(&bench.desk, &good, "a", NOW + 300_000).is_ok());
    for turn in 1..8 {
        let _ = ask(&bench.desk, &bad, "a", NOW + turn * 600_000);
    }
    assert_eq!(told(ask(&bench.desk, &good, "a", NOW + 86_400_000)).0, "too-many-tries");
    assert!(bench.desk.tries().unblock("a"));
    assert!(ask(&bench.desk, &good, "a", NOW + 86_400_000).is_ok());
    // A site that is not there is nobody's try.
    for _ in 0..5 {
        assert_eq!(told(bench.desk.public_balance("none", &good, None, "c", NOW)).0, "invalid-value");
    }
}

#[test]
fn a_code_that_was_presented_is_found_by_the_newest_pepper() {
    let bench = bench();
    let (card, code) = bench.card("1", json!({ "value": "5.00" }));
    let (_, other) = bench.card("2", json!({ "value": "5.00" }));
    let keys = bench.folder.path().join("keys.json");
    assert_eq!(bench.desk.rotate_pepper(&keys).unwrap(), 2);
    let uses = || bench.desk.store().pepper_uses().unwrap();
    assert_eq!(uses().get(&1), Some(&2));
    ask(&bench.desk, &code, "a", NOW).unwrap();
    assert_eq!((uses().get(&1), uses().get(&2)), (Some(&1), Some(&1)));
    bench.desk.card("main", &CardName::Code(other), NOW).unwrap();
    assert_eq!((uses().get(&1), uses().get(&2)), (None, Some(&2)));
    bench.desk.retire_pepper(&keys, 1).unwrap();
    assert!(ask(&bench.desk, &code, "a", NOW).is_ok());
    assert_eq!(bench.desk.card("main", &card, NOW).unwrap().account.balance, "5.00");
}
