//! Payments: what the caller asked for beside the rules, what is recorded, and what comes of it.

use giftcard_ledger::model::{OperationKey, RecordKey, RecordKind};
use giftcard_ledger::operations::Receipt;
use giftcard_ledger::store::{Changes, RecordChange, Want};
use serde_json::{Value, json};

use super::super::testing::{Bench, NOW, bench, did, document, doing};
use super::super::{Rerun, rerun};
use super::*;

fn pay_with(desk: &Desk, input: &Value, kind: PayKind) -> Result<Answer, DeskError> {
    desk.pay(&document(input), kind, NOW)
}

fn redeem(bench: &Bench, input: &Value) -> Result<Answer, DeskError> {
    pay_with(&bench.desk, input, PayKind::Redeem)
}

/// A payment of `total` US dollars with one card, by id.
fn payment(operation: &str, total: &str, card: &str) -> Value {
    json!({
        "operation": operation,
        "order": { "id": format!("order-{operation}"), "currency": "USD", "total": total },
        "cards": [{ "id": card }],
    })
}

fn refused(answer: Result<Answer, DeskError>) -> (String, Option<Value>) {
    match answer.unwrap_err() {
        DeskError::Refused(refused) => (refused.code, refused.detail.map(|detail| *detail)),
        other => panic!("{other}"),
    }
}

fn card(bench: &Bench, operation: &str, value: &str) -> String {
    let issued = bench.issue(operation, json!({ "value": value })).unwrap();
    issued.cards[0].id.clone()
}

fn operation(bench: &Bench, key: &str) -> Operation {
    let key = OperationKey { site: "main".to_string(), key: key.to_string() };
    bench.desk.store().find(&Want { operation: Some(key), ..Want::default() }).unwrap().operation.unwrap()
}

#[test]
fn a_repetition_gets_the_first_answer_and_another_request_is_refused() {
    let bench = bench();
    let card = card(&bench, "issue", "50.00");
    let first = redeem(&bench, &payment("pay", "20.00", &card)).unwrap();
    let again = redeem(&bench, &payment("pay", "20.00", &card)).unwrap();
    assert_eq!((first.repeated, again.repeated, &first.text), (false, true, &again.text));
    assert_eq!(did(Ok(again)).accounts[0].balance, "30.00");
    let mut other = payment("pay", "20.00", &card);
    other["order"]["total"] = json!("20.01");
    assert_eq!(redeem(&bench, &other).unwrap_err().code(), "operation-key-reused");
    let mut someone = payment("pay", "20.00", &card);
    someone["order"]["customer"] = json!({ "id": "anna" });
    assert_eq!(redeem(&bench, &someone).unwrap_err().code(), "operation-key-reused");
}

#[test]
fn what_was_shown_what_must_be_covered_and_exact_amounts_are_held_to() {
    let bench = bench();
    let card = card(&bench, "issue", "50.00");
    let with = |operation: &str, field: &str, value: Value| {
        let mut input = payment(operation, "60.00", &card);
        input[field] = value;
        input
    };
    let (code, detail) = refused(redeem(&bench, &with("a", "expect", json!({ "due": "5.00" }))));
    assert_eq!((code.as_str(), &detail.unwrap()["due"]), ("quote-changed", &json!("10.00")));
    assert_eq!(refused(redeem(&bench, &with("b", "expect", json!({ "cards": ["60.00"] })))).0, "quote-changed");
    assert_eq!(refused(redeem(&bench, &with("c", "require_full", json!(true)))).0, "not-fully-covered");
    let exact = json!([{ "id": card, "amount": "50.01" }]);
    assert_eq!(refused(redeem(&bench, &with("d", "cards", exact))).0, "insufficient-funds");
    let exact = json!([{ "id": card, "amount": "49.99" }]);
    let done = did(redeem(&bench, &with("e", "cards", exact)));
    assert_eq!((done.applied.as_deref(), done.due.as_deref()), (Some("49.99"), Some("10.01")));
    let shown = json!({ "applied": "0.01", "due": "59.99", "cards": ["0.01"] });
    assert_eq!(did(redeem(&bench, &with("f", "expect", shown))).payment_required, Some(true));
    assert_eq!(refused(redeem(&bench, &with("g", "require_full", json!(false)))).0, "no-card-usable");
}

#[test]
fn a_refusal_is_remembered_for_a_day_and_then_the_key_is_free() {
    let bench = bench();
    let card = card(&bench, "issue", "5.00");
    let input = json!({
        "operation": "pay", "order": { "id": "o", "currency": "USD", "total": "9.00" },
        "cards": [{ "id": card, "amount": "9.00" }],
    });
    assert_eq!(refused(redeem(&bench, &input)).0, "insufficient-funds");
    let name = super::super::CardName::Id(card.parse().unwrap());
    let amount = serde_json::from_value(json!("10.00")).unwrap();
    bench.desk.load(&doing("load"), &name, &amount, None).unwrap();
    assert_eq!(refused(redeem(&bench, &input)).0, "insufficient-funds", "the first answer stands");
    let tomorrow = NOW + giftcard_ledger::ledger::REFUSAL_MS;
    let done = bench.desk.pay(&document(&input), PayKind::Redeem, tomorrow).unwrap();
    assert_eq!(did(Ok(done)).accounts[0].balance, "6.00");
}

#[test]
fn a_decision_is_recorded_without_codes_and_persons_and_comes_out_the_same_again() {
    let bench = bench();
    let (_, code) = bench.card("issue", json!({ "value": "50.00" }));
    let input = json!({
        "operation": "pay",
        "order": {
            "id": "o", "currency": "USD", "total": "20.00",
            "customer": { "id": "anna", "email": "anna@example.com" }, "ship_to": { "country": "DE", "city": "Bonn" },
        },
        "cards": [{ "code": code.reveal() }, { "code": "NO-SUCH-CODE-1234" }],
    });
    let done = did(redeem(&bench, &input));
    assert_eq!((done.refused.len(), done.refused[0].code.as_str()), (1, "card-not-found"));
    let kept = operation(&bench, "pay");
    let said = format!("{}{}", kept.answer, kept.decision.as_deref().unwrap());
    let normal = giftcard_engine::code::normalise(code.reveal());
    for secret in [code.reveal(), &normal, "NO-SUCH-CODE", "example.com", "Bonn"] {
        assert!(!said.contains(secret), "{secret}");
    }
    assert_eq!(rerun(&bench.desk, &kept).unwrap(), Rerun::Same);
    bench.desk.erase_customer("main", "anna").unwrap();
    assert!(matches!(rerun(&bench.desk, &kept).unwrap(), Rerun::NotReplayable(_)));
}

#[test]
fn an_altered_decision_does_not_come_out_the_same() {
    let bench = bench();
    let card = card(&bench, "issue", "50.00");
    redeem(&bench, &payment("pay", "20.00", &card)).unwrap();
    let kept = operation(&bench, "pay");
    for (what, instead) in [("\"applied\":2000", "\"applied\":1999"), ("\"fuel\":", "\"fuel\":1"), ("20.00", "20.01")] {
        let decision = kept.decision.as_deref().unwrap().replacen(what, instead, 1);
        assert_ne!(Some(&decision), kept.decision.as_ref(), "{what}");
        let altered = Operation { decision: Some(decision), ..kept.clone() };
        assert!(matches!(rerun(&bench.desk, &altered).unwrap(), Rerun::Differs(_)), "{what}");
    }
}

#[test]
fn the_split_of_a_refund_is_recorded_and_comes_out_the_same_again() {
    let bench = bench();
    let card = card(&bench, "issue", "50.00");
    redeem(&bench, &payment("pay", "20.00", &card)).unwrap();
    let refund = json!({ "operation": "back", "order": "order-pay", "mode": "cards", "amount": "5.00" });
    bench.desk.refund(&document(&refund), Vec::new(), NOW).unwrap();
    let kept = operation(&bench, "back");
    assert_eq!(rerun(&bench.desk, &kept).unwrap(), Rerun::Same);
    for (what, instead) in
        [("\"taken\":500}", "\"taken\":499}"), ("\"fuel\":", "\"fuel\":1"), ("\"refund\":500", "\"refund\":501")]
    {
        let decision = kept.decision.as_deref().unwrap().replacen(what, instead, 1);
        assert_ne!(Some(&decision), kept.decision.as_ref(), "{what}");
        let altered = Operation { decision: Some(decision), ..kept.clone() };
        assert!(matches!(rerun(&bench.desk, &altered).unwrap(), Rerun::Differs(_)), "{what}");
    }
}

#[test]
fn a_card_of_another_site_pays_where_its_programme_is_accepted_and_nowhere_else() {
    let bench = bench();
    bench.programme(json!({ "name": "Both", "accepted_by": ["euro"] }));
    bench.programme(json!({ "name": "Here" }));
    let rates = json!({
        "id": "euro", "currency": "EUR", "time_zone": "Europe/Berlin",
        "rates": [{ "from": "USD", "to": "EUR", "rate": "0.5" }],
    });
    bench.desk.set_site(&document(&rates)).unwrap();
    let pay = |operation: &str, code: &str| {
        let input = json!({
            "operation": operation, "site": "euro", "order": { "id": operation, "currency": "EUR", "total": "10.00" },
            "cards": [{ "code": code }],
        });
        pay_with(&bench.desk, &input, PayKind::Redeem)
    };
    let (_, both) = bench.card("a", json!({ "programme": "both", "value": "50.00" }));
    let (_, here) = bench.card("b", json!({ "programme": "here", "value": "50.00" }));
    let done = did(pay("x", both.reveal()));
    assert_eq!((done.applied.as_deref(), done.accounts[0].amount.as_str()), (Some("10.00"), "-20.00"));
    let (code, detail) = refused(pay("y", here.reveal()));
    assert_eq!(code, "no-card-usable");
    assert_eq!(detail.unwrap()["cards"][0]["public_code"], "card-not-usable");
}

#[test]
fn store_credit_pays_beside_cards_in_the_order_entered() {
    let bench = bench();
    let card = card(&bench, "issue", "50.00");
    let amount = serde_json::from_value(json!("15.00")).unwrap();
    bench.desk.add_credit(&doing("credit"), "anna", None, &amount, None).unwrap();
    let input = json!({
        "operation": "pay", "order": { "id": "o", "currency": "USD", "total": "35.00" },
        "cards": [{ "credit_of": "anna" }, { "id": card }],
    });
    let done = did(redeem(&bench, &input));
    let paid: Vec<&str> = done.accounts.iter().map(|line| line.amount.as_str()).collect();
    assert_eq!(paid, ["-15.00", "-20.00"]);
}

#[test]
fn one_programme_that_cannot_be_run_does_not_stop_the_others() {
    let bench = bench();
    let broken = json!({
        "programme": { "name": "Broken", "conditions": [{ "plugin": "not-loaded" }] },
    });
    let key = RecordKey { kind: RecordKind::Programme, site: "main".to_string(), id: "broken".to_string() };
    let change = RecordChange { key, before: None, body: Some(broken.to_string()) };
    bench.desk.store().commit(0, &[&Changes { records: vec![change], ..Changes::default() }]).unwrap();
    let good = card(&bench, "good", "50.00");
    let bad = bench.issue("bad", json!({ "value": "50.00", "programme": "broken" })).unwrap().cards[0].id.clone();
    assert_eq!(did(redeem(&bench, &payment("a", "5.00", &good))).applied.as_deref(), Some("5.00"));
    let error = redeem(&bench, &payment("b", "5.00", &bad)).unwrap_err();
    assert_eq!(error.code(), "programme-unusable");
    assert!(error.to_string().contains("not-loaded"), "{error}");
}

#[test]
fn a_new_hold_for_the_same_order_takes_the_place_of_its_open_one() {
    let bench = bench();
    let card = card(&bench, "issue", "50.00");
    let hold = |operation: &str, total: &str| {
        let mut input = payment(operation, total, &card);
        input["order"]["id"] = json!("one-order");
        did(pay_with(&bench.desk, &input, PayKind::Hold))
    };
    let (first, second) = (hold("a", "50.00"), hold("b", "40.00"));
    assert_eq!((first.accounts[0].held.as_str(), second.accounts[0].held.as_str()), ("50.00", "40.00"));
    let capture = |operation: &str, hold: &Receipt| {
        let input = json!({ "operation": operation, "hold": hold.hold.unwrap().to_string() });
        bench.desk.capture(&document(&input), NOW)
    };
    assert_eq!(refused(capture("c", &first)).0, "hold-not-open");
    let captured = did(capture("d", &second));
    assert_eq!((captured.accounts[0].balance.as_str(), captured.accounts[0].held.as_str()), ("10.00", "0.00"));
}

#[test]
fn what_is_wrong_in_a_payment_is_named_by_its_path() {
    let bench = bench();
    let card = card(&bench, "issue", "50.00");
    let told = |change: &dyn Fn(&mut Value)| {
        let mut input = payment("pay", "20.00", &card);
        change(&mut input);
        super::super::testing::told(redeem(&bench, &input))
    };
    let told = |path: &str, value: Value| told(&|input| *input.pointer_mut(path).unwrap() = value.clone());
    let error = |code: &str, path: &str| (code.to_string(), path.to_string());
    assert_eq!(told("/operation", json!(" ")), error("invalid-value", "operation"));
    assert_eq!(told("/order/id", Value::Null), error("missing-field", "order.id"));
    assert_eq!(told("/cards/0", json!({})), error("inconsistent", "cards[0]"));
    assert_eq!(told("/cards/0", json!({ "id": "x" })), error("invalid-value", "cards[0].id"));
    assert_eq!(
        told("/cards/0", json!({ "id": card, "use_at_most": "0.00" })),
        error("invalid-amount", "cards[0].use_at_most")
    );
    assert_eq!(told("/cards/0", json!({ "id": card, "amount": "1.001" })), error("invalid-amount", "cards[0].amount"));
    let two = json!([{ "id": card, "amount": "1.00" }, { "id": card }]);
    assert_eq!(told("/cards", two), error("inconsistent", "cards[0].amount"));
}
