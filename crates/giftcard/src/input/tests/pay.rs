//! Documents of the ledger: what is read fits the published schema, and what the schema refuses is not read.

use serde::de::DeserializeOwned;
use serde_json::{Value as Json, json};

use super::super::{CaptureInput, PayInput, RefundOrderInput, RefundOtherInput, read_document};
use crate::schema::{Document, schema};

/// An amount is only text until its currency is known, so its mistakes are told by whoever asks for it, not here.
const LATER: &str = "later";

/// Each change of `document`, and where its mistake is, if it is one. The schema says the same.
fn check<T: DeserializeOwned>(kind: Document, document: &Json, changes: &[(&str, Json, Option<&str>)]) {
    let validator = jsonschema::validator_for(&schema(kind)).unwrap();
    let whole = ("", Json::Null, None);
    for (path, value, expected) in std::iter::once(&whole).chain(changes) {
        let mut changed = document.clone();
        if let Some((outer, name)) = path.rsplit_once('/') {
            *changed.pointer_mut(outer).unwrap().get_mut(name).unwrap_or(&mut Json::Null) = Json::Null;
            changed.pointer_mut(outer).unwrap()[name] = value.clone();
        }
        let read = read_document::<T>(&changed.to_string());
        let found = read.as_ref().map(|_| ()).map_err(|error| error.path.clone());
        let at_once = expected.filter(|path| *path != LATER);
        assert_eq!(found, at_once.map_or(Ok(()), |path| Err(path.to_string())), "{path} {value}");
        assert_eq!(validator.is_valid(&changed), expected.is_none(), "{path} {value}");
        assert!(path.is_empty() || read.is_err() || changed != *document, "{path} changes nothing");
    }
}

#[test]
fn payments_are_read_as_the_schema_says() {
    let payment = json!({
        "operation": "p-1", "site": "main",
        "order": { "id": "o-1", "currency": "USD", "total": "35.00", "customer": { "id": "c-1" } },
        "cards": [{ "code": "ABCD-EFGH", "use_at_most": "5.00" }, { "id": "0000000000000" }, { "credit_of": "c-1" }],
        "expect": { "applied": "35.00", "due": "0.00", "cards": ["5.00", "10.00", "20.00"] },
        "require_full": true, "hold_minutes": 5, "actor": "till 3",
    });
    check::<PayInput>(
        Document::PayInput,
        &payment,
        &[
            ("/ends_at", json!("2026-12-31T12:00:00Z"), None),
            ("/cards", json!([]), None),
            ("/operation", Json::Null, Some("operation")),
            ("/operation", json!(""), Some("operation")),
            ("/operation", json!(7), Some("operation")),
            ("/hold_minutes", json!(-1), Some("hold_minutes")),
            ("/require_full", json!("yes"), Some("require_full")),
            ("/colour", json!("red"), Some("colour")),
            ("/cards/0/use_at_most", json!("0"), Some(LATER)),
            ("/cards/0/amount", json!(5.5), Some("cards[0].amount")),
            ("/cards/0/pin", json!("1"), Some("cards[0].pin")),
            ("/expect/due", json!("-1"), Some(LATER)),
            ("/order/total", json!("1,00"), Some(LATER)),
        ],
    );
}

#[test]
fn captures_and_refunds_are_read_as_the_schema_says() {
    let capture = json!({ "operation": "c", "hold": "0000000000000", "amount": "5.00", "final": true });
    check::<CaptureInput>(
        Document::CaptureInput,
        &capture,
        &[("/amount", json!("0"), None), ("/hold", Json::Null, Some("hold")), ("/final", json!(1), Some("final"))],
    );
    let refund = json!({ "operation": "r", "order": "o", "mode": "cards", "amount": "5.00", "reason": "late" });
    check::<RefundOrderInput>(
        Document::RefundOrderInput,
        &refund,
        &[
            ("/mode", json!("order"), None),
            ("/mode", json!("all"), Some("mode")),
            ("/amount", json!("0.00"), Some(LATER)),
            ("/order", json!(""), Some("order")),
        ],
    );
    let other = json!({ "operation": "r", "order": "o", "id": "0000000000000", "amount": "5.00", "paid": "9.00" });
    check::<RefundOtherInput>(
        Document::RefundOtherInput,
        &other,
        &[
            ("/currency", json!("EUR"), None),
            ("/currency", json!("eur"), Some(LATER)),
            ("/paid", json!(9), Some("paid")),
            ("/to", json!("x"), Some("to")),
        ],
    );
}
