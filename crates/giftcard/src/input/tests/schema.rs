//! The published schema and what is read: nothing that is accepted breaks it, and what it can say of a mistake it says.

use std::fs;
use std::path::{Path, PathBuf};

use jsonschema::Validator;
use serde_json::{Value as Json, json};

use super::{mistakes, patched, read};
use crate::schema::{Document, schema};

fn validator(document: Document) -> Validator {
    jsonschema::validator_for(&schema(document)).unwrap()
}

fn problems(validator: &Validator, document: &Json) -> Vec<String> {
    validator.iter_errors(document).map(|error| format!("{}: {error}", error.instance_path())).collect()
}

/// Mistakes that only somebody who knows currencies, calendars, zones or plugins can tell, or that lie in two places.
const BEYOND_SCHEMA: &[&str] = &[
    "has more than the 2 decimals",
    "is too much; the greatest amount",
    "is not a currency of ISO 4217",
    "is more than the balance",
    "can be left out only where the quantity is 1",
    "`programmes[0].valid_to`: `2026-02-30`",
    "is not after `valid_from`",
    "is not a zone of the IANA database",
    "is the same currency as `from`",
    "was given before",
    "is not among the loaded condition plugins",
    "is not allowed for `every-kind`",
    "is the JSON number 20.0",
];

#[test]
fn a_mistake_that_a_schema_can_tell_breaks_it() {
    let validator = validator(Document::QuoteInput);
    for (path, value, code, message) in mistakes() {
        let document: Json = serde_json::from_str(&patched(path, value.clone())).unwrap();
        let expected = code == "ok" || BEYOND_SCHEMA.iter().any(|beyond| message.contains(beyond));
        // `eur` is no code at all, `XYZ` one that nobody has.
        let expected = expected && value != json!("eur");
        assert_eq!(validator.is_valid(&document), expected, "{path} {value}: {message}");
    }
}

/// What a text may be: read, and by the schema. Never read where the schema says no.
fn check_texts(path: &str, value: fn(&str) -> Json, rows: &[(&str, bool, bool)]) {
    let validator = validator(Document::QuoteInput);
    for &(text, is_read, fits) in rows {
        let document = patched(path, value(text));
        assert_eq!(read(&document).is_ok(), is_read, "{path} {text:?}");
        assert_eq!(validator.is_valid(&serde_json::from_str(&document).unwrap()), fits, "{path} {text:?}");
        assert!(fits || !is_read, "{path} {text:?}: read although it breaks the schema");
    }
}

#[test]
fn texts_are_read_only_as_the_schema_says() {
    let (both, neither, only_fits) = ((true, true), (false, false), (false, true));
    let row = |(is_read, fits): (bool, bool), text: &'static str| (text, is_read, fits);
    let bad_amounts = ["", "-0", "-0.00", "-1", "+1", "1.", ".5", " 1", "1 ", "1e3", "0x1", "1,00", "\u{ff11}", "1\n"];
    let bad_amounts = bad_amounts.map(|text| row(neither, text));
    let zero = [row(both, "0"), row(both, "0.00"), row(both, "000")];
    let amounts = [row(both, "35"), row(both, "35.0"), row(both, "0035.00"), row(only_fits, "35.001")];
    check_texts("order/paid", |text| json!(text), &[&bad_amounts[..], &zero, &amounts].concat());
    let not_zero = zero.map(|(text, ..)| row(neither, text));
    let limits = [row(both, "0.01"), row(both, "10"), row(both, "00.10"), row(only_fits, "0.001")];
    check_texts("cards/0/use_at_most", |text| json!(text), &[&bad_amounts[..], &not_zero, &limits].concat());
    let rates = [row(both, "0.00025"), row(both, "3"), row(only_fits, "99999999999999999999")];
    let rate = |text: &str| json!([{"from": "USD", "to": "EUR", "rate": text}]);
    check_texts("site/rates", rate, &[&bad_amounts[..], &not_zero, &rates].concat());
    let quantities = [row(both, "0"), row(both, "1.5"), row(both, "1.125"), row(neither, "1.1255")];
    let quantity = |text: &str| json!([{"total": "35.00", "unit_price": "1.00", "quantity": text}]);
    check_texts("order/lines", quantity, &[&bad_amounts[..], &quantities].concat());
    check_texts(
        "cards/0/code",
        |text| json!(text),
        &[
            row(both, "ABCD-1234"),
            row(both, "1"),
            row(both, " b "),
            row(both, "_"),
            row(both, "\u{5186}"),
            row(neither, ""),
            row(neither, " - "),
            row(neither, "\u{2010}\u{2015}\u{2212}\u{ad}\u{85}\u{a0}\t"),
        ],
    );
}

#[test]
fn moments_are_read_only_as_the_schema_says() {
    let row = |(is_read, fits): (bool, bool), text: &'static str| (text, is_read, fits);
    let (both, neither, only_fits) = ((true, true), (false, false), (false, true));
    let instants = [
        row(both, "2026-01-31T12:00:00Z"),
        row(both, "2026-01-31t12:00:00z"),
        row(both, "2026-01-31 12:00:00+05:30"),
        row(both, "2026-01-31T12:00:00.123456789-05:00"),
        row(both, "2028-02-29T23:59:59Z"),
        row(only_fits, "2026-02-29T12:00:00Z"),
        row(only_fits, "2026-01-31T24:00:00Z"),
        row(only_fits, "2026-01-31T12:00:00+24:00"),
        row(neither, "2026-01-31T12:00:00\u{2212}05:00"),
        row(neither, "2026-01-31T12:00:00"),
        row(neither, "2026-01-31T12:00Z"),
        row(neither, "2026-01-31T12:00:00+0500"),
        row(neither, "2026-01-31T12:00:00 Z"),
        row(neither, "+2026-01-31T12:00:00Z"),
        row(neither, " 2026-01-31T12:00:00Z"),
        row(neither, ""),
    ];
    check_texts("now", |text| json!(text), &[&instants[..], &[row(neither, "2026-01-31")]].concat());
    let days = [row(both, "2026-01-31"), row(only_fits, "2026-02-30"), row(neither, "2026-1-31")];
    check_texts("cards/0/expires_at", |text| json!(text), &[&instants[..], &days].concat());
}

#[test]
fn a_refund_that_a_schema_can_refuse_breaks_it() {
    let validator = validator(Document::RefundInput);
    let good =
        json!({"currency": "USD", "mode": "cards", "amount": "1.00", "payments": [{"id": "A", "applied": "1.00"}]});
    assert_eq!(problems(&validator, &good), Vec::<String>::new());
    for (pointer, value) in [
        ("/amount", json!("0.00")),
        ("/amount", json!("-1")),
        ("/amount", json!(1)),
        ("/mode", json!("all")),
        ("/currency", json!("usd")),
        ("/payments", json!(null)),
        ("/payments/0/id", json!("")),
        ("/payments/0/applied", json!("-0.00")),
        ("/payments/0", json!({"id": "A"})),
        ("/payments/0", json!({"id": "A", "applied": "1.00", "tender": "cash"})),
        ("/payments/0", json!({"id": "A", "applied": "1.00", "extra": 1})),
    ] {
        let mut bad = good.clone();
        *bad.pointer_mut(pointer).unwrap() = value;
        assert!(crate::input::read_refund(&bad.to_string()).is_err(), "{bad}");
        assert!(!validator.is_valid(&bad), "{bad}");
    }
}

#[test]
fn what_a_schema_cannot_say_stands_in_a_description() {
    let (quote, output) = (schema(Document::QuoteInput), schema(Document::QuoteOutput));
    for (schema, pointer, expected) in [
        (&quote, "/$defs/Instant/description", "date, time and offset must be real ones"),
        (&quote, "/$defs/DayOrInstant/description", "date, time and offset must be real ones"),
        (&quote, "/$defs/CurrencyCode/description", "one of ISO 4217"),
        (&quote, "/$defs/Site/properties/time_zone/description", "must be one that the database knows"),
        (&quote, "/$defs/Site/properties/cards_max/description", "`20.0` is refused"),
        (&quote, "/$defs/Programme/properties/minimum_order/description", "in the currency of this document's site"),
        (&quote, "/$defs/Programme/properties/site/description", "in the currency of this document's site"),
        (&quote, "/$defs/AmountAndBasis/properties/amount/description", "In the currency of this document's site"),
        (&quote, "/$defs/Condition/properties/settings/description", "in the currency of this document's site"),
        (&output, "/$defs/CardShare/description", "are for staff and for the owner who is signed in"),
        (&output, "/$defs/CardShare/properties/message/description", "For staff and the owner who is signed in"),
        (&output, "/$defs/CardShare/properties/public_message/description", "that a shopper may see"),
        (&output, "/$defs/CardShare/properties/not_spendable_here/description", "it is not known what it is worth"),
        (&output, "/$defs/Quote/properties/order_of_use/description", "Refused ones had none"),
    ] {
        let text = schema.pointer(pointer).and_then(Json::as_str).unwrap_or_else(|| panic!("{pointer}"));
        let text = text.replace('\n', " ");
        assert!(text.contains(expected), "{pointer}: {text}");
    }
}

/// Every question of the cases and of the demo that is answered and not refused.
#[test]
fn whatever_is_answered_fits_the_schema() {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests");
    let (quote, refund) = (validator(Document::QuoteInput), validator(Document::RefundInput));
    let mut checked = 0;
    let mut check = |validator: &Validator, document: &Json, path: &Path| {
        assert_eq!(problems(validator, document), Vec::<String>::new(), "{}", path.display());
        checked += 1;
    };
    for path in json_files(&tests.join("cases")) {
        let case: Json = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
        for step in case["steps"].as_array().into_iter().flatten() {
            if step.get("error").is_some() || step["claims"].get("error").is_some() {
                continue;
            }
            step.get("quote").into_iter().for_each(|document| check(&quote, document, &path));
            step.get("refund").into_iter().for_each(|document| check(&refund, document, &path));
        }
    }
    for (folder, validator) in [("demo/orders", &quote), ("demo/refunds", &refund)] {
        for path in json_files(&tests.join(folder)) {
            let document = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
            check(validator, &document, &path);
        }
    }
    assert!(checked > 50, "only {checked}");
}

fn json_files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in folder.read_dir().unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => found.extend(json_files(&path)),
            false if path.extension().is_some_and(|ending| ending == "json") => found.push(path),
            false => {}
        }
    }
    found
}
