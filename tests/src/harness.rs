//! Where the built components are, and hosts and requests to try them with. Holds no expectation.
#![allow(clippy::expect_used, clippy::panic, reason = "only tests and the project's own programs use it")]

use std::path::{Path, PathBuf};

use giftcard_engine::card::CardSnapshot;
use giftcard_engine::moment::Moment;
use giftcard_engine::order::Order;
use giftcard_engine::programme::{Binding, OnFailure, Programme, Site};
use giftcard_engine::value::{Named, Value};
use giftcard_engine::{Currency, Minor, QuoteRequest};
use giftcard_host::{Component, Condition, Host, HostConfig, Rulebook, Rules};

/// The standard components, by id: the rules first.
pub const STANDARD: [&str; 7] =
    ["gift-card", "cart-contents", "customer-segment", "expression", "ship-to", "spending-cap", "time-window"];

/// The file of a component: `gift-card` of the standard ones, `tests/hostile-rules` of the tests' own.
#[must_use]
pub fn component_path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/components").join(format!("{name}.wasm"))
}

/// The bytes of a component.
///
/// # Panics
/// If it is not built: `cargo xtask components`.
#[must_use]
pub fn component_bytes(name: &str) -> Vec<u8> {
    let path = component_path(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}; run `cargo xtask components`", path.display()))
}

/// A host without a cache.
///
/// # Panics
/// If there can be none.
#[must_use]
pub fn host() -> Host {
    Host::new(HostConfig::default()).expect("a host")
}

/// A condition.
///
/// # Panics
/// If it does not load.
#[must_use]
pub fn condition(host: &Host, name: &str) -> Condition {
    match host.load(name, &component_bytes(name)) {
        Ok(Component::Condition(condition)) => condition,
        Ok(Component::Rules(_)) => panic!("{name} is no condition"),
        Err(error) => panic!("{error}"),
    }
}

/// Rules.
///
/// # Panics
/// If they do not load.
#[must_use]
pub fn rules(host: &Host, name: &str) -> Rules {
    host.load_rules(name, &component_bytes(name)).unwrap_or_else(|error| panic!("{error}"))
}

/// The standard rules and every standard condition.
///
/// # Panics
/// If one does not load.
#[must_use]
pub fn standard_rulebook(host: &Host) -> Rulebook {
    let mut book = Rulebook::new(rules(host, STANDARD[0]));
    for name in &STANDARD[1..] {
        book.add(condition(host, name));
    }
    book
}

/// US dollars.
///
/// # Panics
/// Never: ISO 4217 lists them.
#[must_use]
pub fn usd() -> Currency {
    Currency::iso("USD").expect("listed")
}

/// An amount.
///
/// # Panics
/// If it is out of range.
#[must_use]
pub fn minor(amount: i64) -> Minor {
    Minor::new(amount).expect("an amount in range")
}

/// An order of `total` cents and cards with these balances in cents, of a programme with these conditions.
#[must_use]
pub fn request(total: i64, balances: &[i64], conditions: Vec<Binding>) -> QuoteRequest {
    let cards = balances.iter().enumerate();
    QuoteRequest {
        order: Order::of_total("main", usd(), minor(total)),
        site: Site::new("main", usd()).into(),
        programmes: vec![Programme { conditions, ..Programme::unrestricted("main", "manual") }.into()],
        cards: cards.map(|(index, balance)| card(index, *balance)).collect(),
        now: Moment::new(1_795_000_000_000, 0).expect("an instant in range"),
    }
}

fn card(index: usize, balance: i64) -> CardSnapshot {
    let letters = ["A", "B", "C", "D", "E", "F"];
    let id = letters.get(index).map_or_else(|| format!("card-{index}"), ToString::to_string);
    CardSnapshot::new(&id, "main", usd(), minor(balance))
}

/// A binding with one text setting, whose failure refuses the card.
#[must_use]
pub fn binding(plugin: &str, setting: &str, value: &str) -> Binding {
    let settings = match setting {
        "" => Vec::new(),
        _ => vec![Named { name: setting.into(), value: Value::Text(value.into()) }],
    };
    Binding { plugin: plugin.into(), settings, on_failure: OnFailure::RefuseCard }
}
