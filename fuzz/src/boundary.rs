//! Documents and answers from outside: random texts and mostly right documents through the reader, the conditions and the
//! rules, and conditions that answer what the input says. Must not know what a right decision is, only what none may be.

use std::sync::Arc;

use arbitrary::{Result, Unstructured};
use giftcard_engine::QuoteRequest;
use giftcard_engine::programme::{Binding, OnFailure, Programme};
use giftcard_engine::value::{Named, Value as Setting};
use serde_json::{Map, Value, json};

use crate::bench::{check_quote, reached, show};
use crate::{bench, rest};

/// Names that settings have, in documents that bind conditions.
const PLUGINS: &[(&str, &[&str])] = &[
    ("cart-contents", &["match", "skus", "categories", "tags", "quantity", "amount"]),
    ("customer-segment", &["roles", "segments", "first-order-only", "orders-at-least", "spent-at-least"]),
    ("expression", &["when", "message"]),
    ("ship-to", &["address", "area", "countries", "regions", "postal-codes"]),
    ("spending-cap", &["amount", "share", "share-of", "per"]),
    ("time-window", &["weekdays", "from-time", "to-time", "from-date", "to-date", "clock"]),
    ("hostile-condition", &["mode", "script"]),
    ("minimal-condition", &[]),
];

/// How the condition of the tests can misbehave; most of an input's choice is left to `scripted`.
const MODES: &[&str] = &[
    "accept",
    "scripted",
    "scripted",
    "scripted",
    "scripted",
    "scripted",
    "trap",
    "fail",
    "wrong-count",
    "negative-amount",
    "beyond-2-53",
    "undeclared-code",
    "bad-code",
    "long-message",
    "many-limits",
    "undeclared-limit",
    "explain-differs",
    "kept-state",
    "amplified-message",
];

const AMOUNTS: &[&str] = &[
    "0",
    "0.00",
    "0.01",
    "1",
    "10.00",
    "12.50",
    "35.00",
    "50.00",
    "99.99",
    "100",
    "1000.00",
    "90071992547409.91",
    "90071992547409.92",
    "-1",
    "1e5",
    "0.001",
    "",
    "9999999999999999999999",
    "+5.00",
    "05.00",
    "5.",
];

const TEXTS: &[&str] = &[
    "books",
    "sale",
    "toys",
    "vip",
    "b2b",
    "US",
    "DE",
    "CA",
    "US-CA",
    "94107",
    "9*",
    "main",
    "manual",
    "p",
    "A",
    "B",
    "web",
    "mon",
    "sun",
    "any",
    "all",
    "none",
    "08:30",
    "24:00",
    "2026-01-31",
    "2026-02-30",
    "order.total >= money(\"50.00\")",
    "card.available > money(\"1\")",
    "now",
    "placed-at",
    "total",
    "goods",
    "card",
    "programme",
    "order",
    "",
    " ",
    "é",
    "\u{202e}",
    "shipping",
    "{a}",
    "allow",
    "block",
];

/// Reads the document and asks for a quote, then the same with a condition that answers what the input says.
pub fn run(data: &[u8]) {
    let mut random = Unstructured::new(data);
    let _ = one(&mut random);
}

fn one(random: &mut Unstructured<'_>) -> Result<()> {
    let text = match random.int_in_range(0..=15)? {
        0 => String::from_utf8_lossy(rest(random)?).into_owned(),
        _ => document(random)?.to_string(),
    };
    show(|| text.clone());
    let Ok(request) = giftcard::input::read_quote(&text, &bench().book, 1_795_000_000_000) else { return Ok(()) };
    if check_quote(&bench().book, &request, true).is_some() {
        reached();
    }
    if random.is_empty() {
        return Ok(());
    }
    let request = scripted(random, request)?;
    check_quote(&bench().book, &request, true);
    Ok(())
}

/// Binds the condition of the tests to every programme, and asks for as many cards as there are, or others.
fn scripted(random: &mut Unstructured<'_>, mut request: QuoteRequest) -> Result<QuoteRequest> {
    if !request.programmes.iter().any(|programme| programme.code_name == "manual") {
        request.programmes.push(Programme::unrestricted(&request.site.id, "manual").into());
    }
    let script = script(random, request.cards.len())?;
    let setting = |name: &str, text: &str| Named { name: name.into(), value: Setting::Text(text.into()) };
    let settings = vec![setting("mode", random.choose(MODES)?), setting("script", &script)];
    let on_failure = match random.int_in_range(0..=2)? {
        0 => OnFailure::RefuseCard,
        1 => OnFailure::Ignore,
        _ => OnFailure::Previous { plugin: "minimal-condition".into(), settings: Vec::new() },
    };
    for programme in &mut request.programmes {
        Arc::make_mut(programme).conditions.push(Binding {
            plugin: "hostile-condition".into(),
            settings: settings.clone(),
            on_failure: on_failure.clone(),
        });
    }
    Ok(request)
}

fn script(random: &mut Unstructured<'_>, cards: usize) -> Result<String> {
    let mut words = Vec::new();
    let count = if random.ratio(4, 5)? { cards } else { random.int_in_range(0..=30)? };
    let amount = |random: &mut Unstructured<'_>| match random.int_in_range(0..=3)? {
        0 => random.arbitrary::<i64>(),
        1 => Ok((1 << 53) - 1 + i64::from(random.arbitrary::<i8>()?)),
        _ => random.int_in_range(0..=5000),
    };
    for _ in 0..count {
        words.push(match random.int_in_range(0..=5)? {
            0 | 1 => "a".to_string(),
            2 | 3 => format!("u{}", amount(random)?),
            4 => "declared".to_string(),
            _ => random.choose(TEXTS)?.to_string(),
        });
    }
    for _ in 0..random.int_in_range(0..=2)? {
        let indexes: Vec<String> = (0..random.int_in_range(0..=4)?)
            .map(|_| Ok(random.int_in_range(0..=5_u32)?.to_string()))
            .collect::<Result<_>>()?;
        words.push(format!("l{}:{}", amount(random)?, indexes.join(":")));
    }
    Ok(words.join(" "))
}

type Object = Map<String, Value>;

fn amount(random: &mut Unstructured<'_>) -> Result<Value> {
    Ok(match random.int_in_range(0..=9)? {
        0 => json!(random.choose(AMOUNTS)?),
        1 => json!(random.arbitrary::<i64>()?),
        _ => json!(format!("{}.{:02}", random.int_in_range(0..=200)?, random.int_in_range(0..=99)?)),
    })
}

fn text(random: &mut Unstructured<'_>) -> Result<Value> {
    Ok(match random.int_in_range(0..=15)? {
        0 => json!(random.arbitrary::<&str>()?),
        1 => Value::Null,
        2 => json!(random.arbitrary::<i64>()?),
        _ => json!(random.choose(TEXTS)?),
    })
}

fn texts(random: &mut Unstructured<'_>) -> Result<Value> {
    list(random, 4, text)
}

fn list(
    random: &mut Unstructured<'_>,
    most: usize,
    item: impl Fn(&mut Unstructured<'_>) -> Result<Value>,
) -> Result<Value> {
    (0..random.int_in_range(0..=most)?).map(|_| item(random)).collect::<Result<Vec<Value>>>().map(Value::Array)
}

fn moment(random: &mut Unstructured<'_>) -> Result<Value> {
    let choices =
        ["2026-01-31", "2026-11-22T12:00:00Z", "2027-01-01T00:00:00+02:00", "9999-12-31", "1970-01-01", "2026-02-30"];
    if random.ratio(1, 10)? { text(random) } else { Ok(json!(random.choose(&choices)?)) }
}

fn setting(random: &mut Unstructured<'_>) -> Result<Value> {
    Ok(match random.int_in_range(0..=5)? {
        0 => json!(random.int_in_range(-1..=20_000)?),
        1 => json!(random.arbitrary::<bool>()?),
        2 => amount(random)?,
        3 => json!({ "amount": amount(random)?, "currency": random.choose(&["USD", "EUR", "JPY", "XXX"])? }),
        4 => text(random)?,
        _ => texts(random)?,
    })
}

/// Puts a field in, at most so often in eight.
fn maybe(
    random: &mut Unstructured<'_>,
    object: &mut Object,
    often: u8,
    name: &str,
    make: impl Fn(&mut Unstructured<'_>) -> Result<Value>,
) -> Result<()> {
    if random.ratio(often, 8)? {
        object.insert(name.to_string(), make(random)?);
    }
    Ok(())
}

fn document(random: &mut Unstructured<'_>) -> Result<Value> {
    let mut document = Object::new();
    maybe(random, &mut document, 5, "site", site)?;
    maybe(random, &mut document, 2, "now", moment)?;
    document.insert("order".into(), order(random)?);
    maybe(random, &mut document, 7, "programmes", |random| list(random, 3, programme))?;
    document.insert("cards".into(), list(random, 6, card)?);
    Ok(Value::Object(document))
}

fn site(random: &mut Unstructured<'_>) -> Result<Value> {
    let mut site = Object::new();
    let orders = ["as-entered", "soonest-expiry", "smallest-balance", "oldest-first"];
    let rate = |random: &mut Unstructured<'_>| {
        let (from, to) = (random.choose(&["EUR", "JPY", "KWD"])?, random.choose(&["USD", "EUR"])?);
        Ok(json!({ "from": from, "to": to, "rate": random.choose(&["2", "0.0001", "1.1", "333.333333", "0", "1e9"])? }))
    };
    maybe(random, &mut site, 4, "order_of_use", |random| Ok(json!(random.choose(&orders)?)))?;
    maybe(random, &mut site, 1, "cards_max", |random| Ok(json!(random.int_in_range(0..=4)?)))?;
    maybe(random, &mut site, 2, "time_zone", |random| {
        Ok(json!(random.choose(&["Europe/Berlin", "UTC", "America/New_York", "Mars/Base"])?))
    })?;
    maybe(random, &mut site, 5, "rates", |random| list(random, 2, rate))?;
    Ok(Value::Object(site))
}

/// Lines mostly add up to the total, or hardly an order would come through.
fn order(random: &mut Unstructured<'_>) -> Result<Value> {
    let mut order = Object::new();
    let currency = if random.ratio(9, 10)? { "USD" } else { random.choose(&["EUR", "JPY", "KWD", "usd", "ZZZ"])? };
    order.insert("currency".into(), json!(currency));
    let (mut lines, mut cents) = (Vec::new(), 0_i64);
    for _ in 0..random.int_in_range(0..=8)? {
        let amount = random.int_in_range(0..=20_000_i64)?;
        cents += amount;
        let mut line = Object::new();
        line.insert("total".into(), json!(format!("{}.{:02}", amount / 100, amount % 100)));
        let parts = ["goods", "gift-card", "shipping", "fee"];
        maybe(random, &mut line, 3, "part", |random| Ok(json!(random.choose(&parts)?)))?;
        maybe(random, &mut line, 1, "payable_by_card", |random| Ok(json!(random.arbitrary::<bool>()?)))?;
        maybe(random, &mut line, 2, "tax", line_tax)?;
        maybe(random, &mut line, 4, "sku", text)?;
        maybe(random, &mut line, 4, "categories", texts)?;
        maybe(random, &mut line, 4, "tags", texts)?;
        lines.push(Value::Object(line));
    }
    let adds_up = random.ratio(14, 15)? && !lines.is_empty();
    let total = if adds_up { json!(format!("{}.{:02}", cents / 100, cents % 100)) } else { amount(random)? };
    order.insert("total".into(), total);
    if adds_up || random.ratio(1, 8)? {
        order.insert("lines".into(), Value::Array(lines));
    }
    maybe(random, &mut order, 1, "paid", amount)?;
    maybe(random, &mut order, 1, "channel", text)?;
    maybe(random, &mut order, 1, "placed_at", moment)?;
    maybe(random, &mut order, 4, "ship_to", |random| {
        Ok(
            json!({ "country": random.choose(&["US", "DE", "de", ""])?, "region": text(random)?, "postal_code": text(random)? }),
        )
    })?;
    maybe(random, &mut order, 5, "customer", |random| {
        let mut customer = Object::new();
        maybe(random, &mut customer, 4, "registered", |random| Ok(json!(random.arbitrary::<bool>()?)))?;
        maybe(random, &mut customer, 4, "roles", texts)?;
        maybe(random, &mut customer, 4, "segments", texts)?;
        maybe(random, &mut customer, 4, "orders", |random| Ok(json!(random.int_in_range(0..=5)?)))?;
        maybe(random, &mut customer, 4, "spent", amount)?;
        Ok(Value::Object(customer))
    })?;
    Ok(Value::Object(order))
}

/// Nothing, more often than not: more than the line's own amount is refused.
fn line_tax(random: &mut Unstructured<'_>) -> Result<Value> {
    if random.ratio(1, 8)? { amount(random) } else { Ok(json!("0.00")) }
}

fn programme(random: &mut Unstructured<'_>) -> Result<Value> {
    let mut programme = Object::new();
    programme.insert("code_name".into(), json!(random.choose(&["p", "q", "manual"])?));
    maybe(random, &mut programme, 1, "enabled", |random| Ok(json!(random.arbitrary::<bool>()?)))?;
    maybe(random, &mut programme, 1, "valid_from", moment)?;
    maybe(random, &mut programme, 1, "valid_to", moment)?;
    maybe(random, &mut programme, 1, "audience", |random| Ok(json!(random.choose(&["everyone", "registered"])?)))?;
    maybe(random, &mut programme, 1, "minimum_order", amount)?;
    maybe(random, &mut programme, 2, "pays", |random| {
        Ok(json!({ "shipping": random.arbitrary::<bool>()?, "gift_cards": random.arbitrary::<bool>()? }))
    })?;
    maybe(random, &mut programme, 6, "conditions", |random| list(random, 2, condition))?;
    Ok(Value::Object(programme))
}

fn condition(random: &mut Unstructured<'_>) -> Result<Value> {
    let (plugin, names) = random.choose(PLUGINS)?;
    let mut settings = Object::new();
    for name in *names {
        maybe(random, &mut settings, 3, name, setting)?;
    }
    if *plugin == "hostile-condition" {
        settings.insert("mode".into(), json!(random.choose(MODES)?));
        settings.insert("script".into(), json!(script(random, 3)?));
    }
    Ok(json!({ "plugin": plugin, "settings": settings }))
}

fn card(random: &mut Unstructured<'_>) -> Result<Value> {
    let mut card = Object::new();
    card.insert("balance".into(), amount(random)?);
    maybe(random, &mut card, 4, "programme", |random| Ok(json!(random.choose(&["p", "q", "manual"])?)))?;
    maybe(random, &mut card, 1, "id", text)?;
    maybe(random, &mut card, 2, "code", |random| Ok(json!(random.choose(&["AB-12", "ab12", "XY", "-"])?)))?;
    maybe(random, &mut card, 2, "currency", |random| Ok(json!(random.choose(&["USD", "EUR", "JPY", "KWD"])?)))?;
    maybe(random, &mut card, 1, "held", amount)?;
    maybe(random, &mut card, 2, "use_at_most", amount)?;
    maybe(random, &mut card, 2, "expires_at", moment)?;
    maybe(random, &mut card, 1, "status", |random| {
        Ok(json!(random.choose(&["pending", "active", "disabled", "closed"])?))
    })?;
    Ok(Value::Object(card))
}
