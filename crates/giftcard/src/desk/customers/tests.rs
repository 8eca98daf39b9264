//! Customers: recorded, listed, erased.

use serde_json::{Value, json};

use super::super::PayKind;
use super::super::testing::{NOW, bench, document, error, told};

#[test]
fn a_customer_is_recorded_listed_and_erased() {
    let bench = bench();
    let anna = json!({ "id": "c-1", "name": "Anna", "phone": "+49 30 1", "email": "a@example.com", "roles": ["vip"] });
    assert_eq!(bench.desk.set_customer("main", &document(&anna)).unwrap().version, 1);
    assert_eq!(bench.desk.set_customer("main", &document(&anna)).unwrap().version, 1);
    bench.desk.set_customer("main", &document(&json!({ "id": "c-2" }))).unwrap();
    let found = bench.desk.customer("main", "c-1").unwrap().unwrap();
    assert_eq!(serde_json::to_value(&found.customer).unwrap(), anna);
    assert!(bench.desk.customer("euro", "c-1").unwrap().is_none());
    let first = bench.desk.customers("main", None, 1).unwrap();
    assert_eq!((&*first.items[0].customer.id, first.next.as_deref()), ("c-1", Some("c-1")));
    let second = bench.desk.customers("main", first.next.as_deref(), 1).unwrap();
    assert_eq!((&*second.items[0].customer.id, second.next), ("c-2", None));
    let erased = bench.desk.erase_customer("main", "c-1").unwrap();
    assert_eq!((erased.record, erased.requests), (true, 0));
    assert!(bench.desk.customer("main", "c-1").unwrap().is_none());
    let again = bench.desk.erase_customer("main", "c-1").unwrap();
    assert_eq!((again.record, again.requests), (false, 0));
}

#[test]
fn erasing_takes_what_requests_said_and_leaves_cards_under_the_bare_id() {
    let bench = bench();
    let (card, code) = bench.card("1", json!({ "value": "5.00", "customer": "c-1" }));
    let pay = json!({ "operation": "pay", "cards": [{ "code": code.reveal() }],
        "order": { "id": "o", "currency": "USD", "total": "1.00",
            "customer": { "id": "c-1", "email": "a@example.com" } } });
    bench.desk.pay(&document(&pay), PayKind::Redeem, NOW).unwrap();
    let erased = bench.desk.erase_customer("main", "c-1").unwrap();
    assert_eq!((erased.record, erased.requests), (false, 1));
    let found = bench.desk.card("main", &card, NOW).unwrap().account;
    assert_eq!((found.customer.as_deref(), found.balance.as_str()), (Some("c-1"), "4.00"));
}

#[test]
fn every_mistake_in_a_customer_is_told_by_its_field() {
    let bench = bench();
    let long = "a".repeat(201);
    let cases: [(Value, &str); 5] = [
        (json!({ "id": " " }), "id"),
        (json!({ "id": "a\nb" }), "id"),
        (json!({ "id": long }), "id"),
        (json!({ "id": "c", "email": "nobody" }), "email"),
        (json!({ "id": "c", "email": "a b@c" }), "email"),
    ];
    for (json, path) in cases {
        let found = told(bench.desk.set_customer("main", &document(&json)));
        assert_eq!(found, error("invalid-value", path), "{json}");
    }
    let customer = document(&json!({ "id": "c" }));
    assert_eq!(told(bench.desk.set_customer("none", &customer)), error("invalid-value", "site"));
    assert_eq!(told(bench.desk.customers("none", None, 1)), error("invalid-value", "site"));
    assert_eq!(told(bench.desk.customers("main", None, 0)), error("invalid-value", "limit"));
    assert_eq!(told(bench.desk.erase_customer("none", "c")), error("invalid-value", "site"));
}
