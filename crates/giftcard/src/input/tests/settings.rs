//! Settings of conditions, by the kinds that their plugin declares.

use giftcard_engine::value::{Named, Value};
use giftcard_engine::{Currency, Money};
use serde_json::json;

use super::{patched, read};

#[test]
fn settings_become_what_their_plugin_declares() {
    let usd = Currency::iso("USD").unwrap();
    let eur = Currency::iso("EUR").unwrap();
    let money = |amount: &str, currency: Currency| Value::Money(Money::new(currency.parse(amount).unwrap(), currency));
    let rows = [
        ("flag", json!(true), Value::Flag(true)),
        ("integer", json!(-5), Value::Integer(-5)),
        ("quantity", json!("1.5"), Value::Integer(1500)),
        ("percent", json!("12.5"), Value::Integer(1250)),
        ("percent", json!("50"), Value::Integer(5000)),
        ("money", json!("25.00"), money("25.00", usd)),
        ("money", json!({"amount": "25.00", "currency": "EUR"}), money("25.00", eur)),
        ("text", json!("x"), Value::Text("x".to_string())),
        ("choice", json!("all"), Value::Text("all".to_string())),
        ("date", json!("2026-01-31"), Value::Text("2026-01-31".to_string())),
        ("time", json!("08:30"), Value::Text("08:30".to_string())),
        ("texts", json!(["a", "b"]), Value::Texts(vec!["a".to_string(), "b".to_string()])),
        ("choices", json!([]), Value::Texts(Vec::new())),
    ];
    for (name, json, expected) in rows {
        let request = read(&patched("programmes/0/conditions/0/settings", json!({name: json}))).unwrap();
        let found = &request.programmes[0].conditions[0].settings;
        assert_eq!(*found, [Named { name: name.to_string(), value: expected }]);
    }
    let none = read(&patched("programmes/0/conditions/0/settings", json!({"flag": null}))).unwrap();
    assert!(none.programmes[0].conditions[0].settings.is_empty());
}

#[test]
fn settings_of_another_kind_are_refused() {
    let rows = [
        (
            json!({"colour": 1}),
            "colour`: `every-kind` has no such setting; its settings are `flag`, `integer`, `quantity`, `percent`, `money`, `text`, `choice`, `date`, `time`, `texts`, `choices`",
        ),
        (json!({"flag": "yes"}), "flag`: is the string `yes`; it must be `true` or `false`"),
        (json!({"integer": "5"}), "integer`: is the string `5`; it must be a whole number such as 5"),
        (json!({"integer": 1.5}), "integer`: 1.5 is not a whole number within ±9007199254740991"),
        (
            json!({"integer": 9_007_199_254_740_992_i64}),
            "integer`: 9007199254740992 is not a whole number within ±9007199254740991",
        ),
        (
            json!({"quantity": 1.5}),
            "quantity`: 1.5 is a JSON number; quantities are decimal strings with up to three decimals such as \"1.5\"",
        ),
        (
            json!({"percent": 12.5}),
            "percent`: 12.5 is a JSON number; percentages are decimal strings with up to two decimals such as \"12.5\"",
        ),
        (
            json!({"percent": "12.345"}),
            "percent`: `12.345` does not fit: percentages are decimal strings with up to two decimals such as \"12.5\"",
        ),
        (
            json!({"percent": "50%"}),
            "percent`: `50%` does not fit: percentages are decimal strings with up to two decimals such as \"12.5\"",
        ),
        (
            json!({"money": 25}),
            "money`: 25 is a JSON number; amounts are decimal strings such as \"25.00\", or {\"amount\": \"25.00\", \"currency\": \"USD\"}",
        ),
        (
            json!({"money": {"amount": 25, "currency": "USD"}}),
            "money.amount`: 25 is a JSON number; amounts are decimal strings such as \"25.00\"",
        ),
        (
            json!({"money": {"amount": "25.001", "currency": "EUR"}}),
            "money.amount`: `25.001` has more than the 2 decimals of EUR; write amounts like `35.00`",
        ),
        (json!({"quantity": "-0.0"}), "quantity`: `-0.0` is negative; it must be at least 0"),
        (json!({"percent": "-0"}), "percent`: `-0` is negative; it must be at least 0"),
        (json!({"money": "-0.00"}), "money`: `-0.00` is negative; it must be at least 0"),
        (json!({"money": "-1"}), "money`: `-1` is negative; it must be at least 0"),
        (json!({"choice": "some"}), "choice`: `some` is not a choice; write `any`, `all` or `none`"),
        (json!({"date": "2026-02-30"}), "date`: `2026-02-30` is not a date such as `2026-01-31`"),
        (json!({"time": "24:00"}), "time`: `24:00` is not a time of day such as `08:30`"),
        (json!({"texts": "a"}), "texts`: is the string `a`; it must be an array of strings"),
        (json!({"texts": ["a", 1]}), "texts[1]`: 1 is a JSON number; it must be a string"),
        (json!({"choices": ["any", "some"]}), "choices[1]`: `some` is not a choice; write `any`, `all` or `none`"),
    ];
    for (settings, expected) in rows {
        let error = read(&patched("programmes/0/conditions/0/settings", settings)).unwrap_err();
        assert_eq!(error.to_string(), format!("`programmes[0].conditions[0].settings.{expected}"));
    }
}
