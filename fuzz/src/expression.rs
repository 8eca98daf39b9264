//! Texts as expressions of merchants: random ones, and ones that are put together from the language's own words. Saving
//! must answer every one of them within the limits of a call, and what was saved must never trap. Must not know which
//! expressions are right.

use std::sync::LazyLock;

use arbitrary::{Result, Unstructured};
use giftcard_engine::QuoteRequest;
use giftcard_engine::quote::ConditionCall;
use giftcard_engine::value::{Named, Value};
use giftcard_host::{CallFailure, SettingsError};

use crate::bench::{reached, show};
use crate::{bench, rest};

/// Words of the language, names of the order, and some that are neither.
const WORDS: &[&str] = &[
    "order",
    ".",
    "total",
    "lines",
    "customer",
    "card",
    "now",
    "paid",
    "goods",
    "currency",
    "site",
    "channel",
    "ship_to",
    "country",
    "billing",
    "region",
    "attributes",
    "categories",
    "tags",
    "sku",
    "part",
    "tax",
    "unit_price",
    "quantity",
    "roles",
    "segments",
    "registered",
    "email",
    "orders",
    "spent",
    "available",
    "days_left",
    "weekday",
    "date",
    "hour",
    "minute",
    "discounts",
    "code",
    "amount",
    "money(\"50.00\")",
    "money(\"1\",\"EUR\")",
    "money(",
    "\"",
    "'",
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    ",",
    ":",
    "?",
    "!",
    "-",
    "+",
    "*",
    "/",
    "%",
    "==",
    "!=",
    "<",
    "<=",
    ">",
    ">=",
    "&&",
    "||",
    " in ",
    "has(",
    "exists(l,",
    "all(l,",
    "exists_one(l,",
    "map(l,",
    "filter(l,",
    "size()",
    "size(",
    "contains(",
    "startsWith(",
    "endsWith(",
    "l",
    "l.",
    "true",
    "false",
    "null",
    "0",
    "1",
    "9223372036854775807",
    "-9223372036854775808",
    "1.5",
    "3u",
    "\"books\"",
    "\"US\"",
    "order.lines",
    "order.lines.exists(l, \"books\" in l.categories)",
    "order.total",
    "order.total >= money(\"50.00\")",
    "customer.attributes.x",
    "card.days_left <= 30",
    "&& true",
    "|| ",
    "\\u{0}",
    "\\x",
    "\n",
    "//",
    "r\"",
    "b\"",
    "é",
    "😀",
    "@not_strictly_false",
    "__result__",
];

/// Checks the text as it is when a merchant saves it, and asks it about an order if it was taken.
pub fn run(data: &[u8]) {
    let mut random = Unstructured::new(data);
    if let Ok(text) = text(&mut random) {
        check(&text);
    }
}

fn text(random: &mut Unstructured<'_>) -> Result<String> {
    Ok(match random.int_in_range(0..=3)? {
        0 => String::from_utf8_lossy(rest(random)?).into_owned(),
        1 => {
            let words = random.arbitrary_len::<u8>()?.min(400);
            (0..words).map(|_| random.choose(WORDS).copied()).collect::<Result<String>>()?
        }
        // One word many times, around another: deep, long, or both.
        2 => {
            let (open, close, inner) = (random.choose(WORDS)?, random.choose(WORDS)?, random.choose(WORDS)?);
            let times = random.int_in_range(0..=600)?;
            format!("{}{inner}{}", open.repeat(times), close.repeat(times))
        }
        _ => sentence(random, 6)?,
    })
}

/// An expression that is mostly right, so that more than the parser is reached.
fn sentence(random: &mut Unstructured<'_>, depth: usize) -> Result<String> {
    let inner = |random: &mut Unstructured<'_>| match depth {
        0 => {
            random.choose(&["true", "order.total", "order.lines", "1", "\"a\"", "l", "l.total"]).map(|s| s.to_string())
        }
        _ => sentence(random, depth - 1),
    };
    Ok(match random.int_in_range(0..=11)? {
        0 => format!("({} && {})", inner(random)?, inner(random)?),
        1 => format!("({} || {})", inner(random)?, inner(random)?),
        2 => format!("!({})", inner(random)?),
        3 => format!("order.lines.exists(l, {})", inner(random)?),
        4 => format!("order.lines.filter(l, {}).size() > 1", inner(random)?),
        5 => format!("order.lines.map(l, {}).all(m, {})", inner(random)?, inner(random)?),
        6 => format!("({} ? {} : {})", inner(random)?, inner(random)?, inner(random)?),
        7 => format!(
            "({} {} {})",
            inner(random)?,
            random.choose(&["==", "<", ">=", "+", "-", "*", "in"])?,
            inner(random)?
        ),
        8 => format!("has(customer.{})", random.choose(WORDS)?),
        9 => format!("[{}, {}]", inner(random)?, inner(random)?),
        10 => format!("{}[{}]", inner(random)?, inner(random)?),
        _ => random.choose(WORDS)?.to_string(),
    })
}

fn check(text: &str) {
    show(|| text.to_string());
    let settings = [Named { name: "when".into(), value: Value::Text(text.into()) }];
    match bench().book.check_settings("expression", &settings) {
        Ok(()) => {
            reached();
            evaluate(&settings);
        }
        Err(SettingsError::Problems(problems)) => {
            assert!(problems.iter().all(|(_, problem)| !problem.is_empty()), "a problem that says nothing");
        }
        Err(SettingsError::Call(error)) => assert!(error.failure.is_busy(), "saving failed: {error}"),
        Err(SettingsError::UnknownPlugin(plugin)) => panic!("`{plugin}` is standard"),
    }
}

/// Twice, since the same question has the same answer and the same cost.
fn evaluate(settings: &[Named]) {
    let request = order();
    let condition = bench().book.condition("expression").expect("a standard one");
    let call = |explain| ConditionCall {
        request,
        totals: &request.order.totals,
        plugin: "expression",
        settings,
        cards: &[0, 1],
        explain,
    };
    let (first, spent) = condition.evaluate(&call(false));
    let (again, spent_again) = condition.evaluate(&call(false));
    assert_eq!((first.as_ref().ok(), spent.fuel), (again.as_ref().ok(), spent_again.fuel), "the same question again");
    match first.map_err(|error| error.failure) {
        Ok(evaluation) => assert_eq!(evaluation.verdicts.len(), 2),
        // Lists of lists of lines cost what they cost: that is what the limits are for.
        Err(CallFailure::Failed { .. } | CallFailure::OutOfFuel { .. } | CallFailure::OutOfMemory { .. }) => {}
        Err(CallFailure::Busy { .. }) => {}
        Err(failure) => panic!("what was saved fails: {failure}"),
    }
}

/// An order with everything that an expression can ask for.
fn order() -> &'static QuoteRequest {
    static ORDER: LazyLock<QuoteRequest> = LazyLock::new(|| {
        let line = r#"{"sku":"B-1","categories":["books","sale"],"tags":["new"],"product_type":"physical","quantity":"2","unit_price":"10.00","total":"20.00","tax":"1.00"}"#;
        let text = format!(
            r#"{{"now":"2026-06-04T16:30:00Z","order":{{"channel":"web","currency":"USD","total":"60.00","lines":[{line},{line},{line}],
            "discounts":[{{"code":"SPRING","amount":"3.00"}}],"billing":{{"country":"DE","region":"BE","postal_code":"10115"}},
            "ship_to":{{"country":"US","region":"CA"}},"customer":{{"registered":true,"roles":["vip"],"segments":["b2b"],
            "email":"ada@example.com","orders":3,"spent":"500.00","attributes":{{"x":3}}}}}},
            "cards":[{{"id":"A","balance":"25.00","expires_at":"2026-06-24T12:00:00Z"}},{{"id":"B","balance":"1.00"}}]}}"#
        );
        giftcard::input::read_quote(&text, &bench().book, 0).expect("a right order")
    });
    &ORDER
}
