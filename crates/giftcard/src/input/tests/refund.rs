//! Refunds that cannot be.

use serde_json::{Value as Json, json};

use crate::input::read_refund;

fn check_refund(input: &Json, expected: &str) {
    let found = read_refund(&input.to_string()).map_err(|error| format!("{} {error}", error.kind.code()));
    assert_eq!(found.unwrap_err(), expected, "{input}");
}

#[test]
fn a_refund_that_cannot_be_is_refused_with_its_path() {
    let with = |amount: &str, payment: Json| {
        json!({"currency": "USD", "mode": "cards", "amount": amount, "payments": [
            {"id": "bank", "tender": "other", "applied": "5.00"}, payment,
        ]})
    };
    check_refund(
        &with("0", json!({"id": "A", "applied": "1.00"})),
        "refund-not-positive `amount`: is nothing; a refund must be more than that",
    );
    check_refund(
        &with("1.01", json!({"id": "A", "applied": "1.00"})),
        "refund-above-refundable `amount`: 1.01 USD is more than is still refundable of what gift cards paid, which is \
         1.00 USD",
    );
    check_refund(
        &with("1.00", json!({"id": "bank", "applied": "1.00"})),
        "inconsistent `payments[1].id`: `bank` was given before, as payments[0]",
    );
    check_refund(
        &with("1.00", json!({"id": "A", "applied": "1.00", "applied_returned": "2.00"})),
        "inconsistent `payments[1]`: more has gone back than was paid",
    );
    check_refund(
        &with("1.00", json!({"id": "A", "applied": "1.00", "currency": "EUR"})),
        "missing-field `payments[1].taken`: is missing; the tender is in EUR, the order in USD",
    );
    check_refund(
        &with("1.00", json!({"id": "A", "applied": "1.00", "taken": "2.00"})),
        "inconsistent `payments[1]`: is in USD as the order is, so what was applied and what was taken must be equal",
    );
    check_refund(
        &json!({"currency": "USD", "mode": "all", "amount": "1", "payments": []}),
        "invalid-value `mode`: `all` is not known here; it must be `cards` or `order`",
    );
    check_refund(
        &with("-0.00", json!({"id": "A", "applied": "1.00"})),
        "invalid-amount `amount`: `-0.00` is negative; it must be at least 0",
    );
    check_refund(
        &with("1.00", json!({"id": "", "applied": "1.00"})),
        "invalid-value `payments[1].id`: is empty; it must be at least one character long",
    );
    check_refund(&json!([]), "wrong-type the document is an array; it must be an object");
}

#[test]
fn who_takes_no_part_must_make_sense_too() {
    let with = |other: Json| {
        json!({"currency": "USD", "mode": "cards", "amount": "1.00", "payments": [
            {"id": "A", "applied": "1.00"}, other,
        ]})
    };
    check_refund(
        &with(json!({"id": "bank", "tender": "other", "applied": "5.00", "applied_returned": "5.01"})),
        "inconsistent `payments[1]`: more has gone back than was paid",
    );
    check_refund(
        &with(json!({"id": "bank", "tender": "other", "currency": "EUR", "applied": "5.00", "taken": "0"})),
        "inconsistent `payments[1]`: `applied` and `taken` must both be nothing or both be something",
    );
    // What is asked for is still compared with the cards alone.
    let mut input = with(json!({"id": "bank", "tender": "other", "applied": "5.00"}));
    input["amount"] = json!("1.01");
    check_refund(
        &input,
        "refund-above-refundable `amount`: 1.01 USD is more than is still refundable of what gift cards paid, which is \
         1.00 USD",
    );
}

#[test]
fn no_message_has_bare_minor_units() {
    for (currency, amount, paid, left) in [("JPY", "101", "100", "100 JPY"), ("KWD", "0.002", "0.001", "0.001 KWD")] {
        let input = json!({
            "currency": currency, "mode": "order", "amount": amount, "payments": [{"id": "A", "applied": paid}],
        });
        let error = read_refund(&input.to_string()).unwrap_err().to_string();
        assert!(error.ends_with(&format!("refundable of the order, which is {left}")), "{error}");
    }
}
