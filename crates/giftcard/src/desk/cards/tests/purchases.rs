//! Sold cards: activated with their order, cancelled with it, refunded from what is left.

use serde_json::json;

use super::super::super::CardName;
use super::super::super::testing::{Bench, NOW, bench, did, document, doing, error, told};
use crate::input::PositiveAmount;
use crate::output::CardState;

/// Ten cards that an order bought, pending.
fn sold(bench: &Bench) -> Vec<CardName> {
    let issued = bench.issue("sold", json!({ "value": "5.00", "count": 10, "pending": true, "bought_by": "o-1" }));
    issued.unwrap().cards.iter().map(|card| CardName::Id(card.id.parse().unwrap())).collect()
}

fn states(bench: &Bench, cards: &[CardName]) -> Vec<CardState> {
    cards.iter().map(|card| bench.desk.card("main", card, NOW).unwrap().account.state).collect()
}

#[test]
fn an_invoiced_order_activates_every_card_that_waits_for_it() {
    let bench = bench();
    let cards = sold(&bench);
    bench.desk.disable(&doing("d"), &cards[0], None).unwrap();
    let receipt = did(bench.desk.activate_purchase(&doing("1"), "o-1"));
    assert_eq!((receipt.accounts.len(), receipt.kind.as_str()), (9, "activate"));
    let mut expected = vec![CardState::Active; 10];
    expected[0] = CardState::Disabled;
    assert_eq!(states(&bench, &cards), expected);
    assert_eq!(did(bench.desk.activate_purchase(&doing("1"), "o-1")), receipt);
    assert_eq!(told(bench.desk.activate_purchase(&doing("2"), "o-1")).0, "nothing-to-activate");
    assert_eq!(told(bench.desk.activate_purchase(&doing("3"), "o-2")).0, "order-bought-nothing");
}

#[test]
fn a_cancelled_order_closes_all_of_its_cards_or_none() {
    let bench = bench();
    let cards = sold(&bench);
    bench.desk.activate_purchase(&doing("1"), "o-1").unwrap();
    bench.desk.adjust(&doing("2"), &cards[3], &document(&json!({ "by": "-1.00", "reason": "r" }))).unwrap();
    assert_eq!(told(bench.desk.cancel_purchase(&doing("3"), "o-1")).0, "card-already-spent");
    assert_eq!(states(&bench, &cards), vec![CardState::Active; 10]);
    bench.desk.adjust(&doing("4"), &cards[3], &document(&json!({ "by": "1.00", "reason": "r" }))).unwrap();
    assert_eq!(did(bench.desk.cancel_purchase(&doing("5"), "o-1")).accounts.len(), 10);
    assert_eq!(states(&bench, &cards), vec![CardState::Closed; 10]);
    assert_eq!(told(bench.desk.cancel_purchase(&doing("6"), "o-1")).0, "nothing-to-cancel");
}

#[test]
fn a_purchase_is_refunded_from_what_is_left() {
    let bench = bench();
    let cards = sold(&bench);
    bench.desk.activate_purchase(&doing("1"), "o-1").unwrap();
    let refund = |operation: &str, amount: Option<&str>| {
        let amount = amount.map(|amount| PositiveAmount(amount.to_string()));
        bench.desk.refund_purchase(&doing(operation), &cards[0], amount.as_ref(), Some("returned"))
    };
    assert_eq!(told(refund("2", Some("5.01"))).0, "card-already-spent");
    assert_eq!(told(refund("2", Some("x"))), error("invalid-amount", "amount"));
    assert_eq!(did(refund("3", Some("2.00"))).accounts[0].balance, "3.00");
    assert_eq!(told(refund("4", None)).0, "card-already-spent", "all of it is more than is left");
    assert_eq!(did(refund("5", Some("3.00"))).accounts[0].status, "closed");
}

#[test]
fn an_order_may_have_bought_more_cards_than_fit_a_page() {
    let bench = bench();
    for batch in 0..3 {
        let input = json!({ "value": "1.00", "count": 700, "pending": true, "bought_by": "big" });
        bench.issue(&format!("b{batch}"), input).unwrap();
    }
    assert_eq!(did(bench.desk.activate_purchase(&doing("1"), "big")).accounts.len(), 2100);
}
