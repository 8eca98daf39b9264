//! This project: the five standard conditions and the standard rules as components, each in a fresh sandbox for each call.
//! Must not decide anything itself.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use giftcard_engine::card::CardSnapshot;
use giftcard_engine::moment::Moment;
use giftcard_engine::order::{Address, Customer, Line, Order as EngineOrder, Part};
use giftcard_engine::programme::{Binding, OnFailure, Programme, Site};
use giftcard_engine::quote::CardOutcome;
use giftcard_engine::value::{Named, Value};
use giftcard_engine::{Currency, Minor, QuoteRequest};
use giftcard_host::{Component, Host, HostConfig, Rulebook};

use super::{Call, Engine};
use crate::decision::{Decision, Order, Share};

/// A Monday, 2026-11-23T00:00:00Z, in milliseconds.
const MONDAY: i64 = 1_795_392_000_000;

const CONDITIONS: [&str; 5] = ["cart-contents", "ship-to", "customer-segment", "time-window", "spending-cap"];

const LIMITS: &str =
    "fuel, deadline, memory, stack, answer and log bytes; a fresh sandbox for each of the 6 components of a call";

/// Compiles everything it loads.
pub(super) fn engine() -> Result<Engine> {
    let components = components()?;
    let load = move || load(&components, HostConfig::default());
    Ok(Engine { name: "giftcard", limits: LIMITS, load: Box::new(load) })
}

/// Finds compiled code where an earlier process left it, as a shop that starts again does.
pub(super) fn compiled_before() -> Result<Engine> {
    let components = components()?;
    let cache = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/peers/cache");
    let config = HostConfig { cache: Some(cache), ..HostConfig::default() };
    // Leaves its compiled code there.
    drop(load(&components, config.clone())?);
    let load = move || load(&components, config.clone());
    Ok(Engine { name: "giftcard, compiled before", limits: LIMITS, load: Box::new(load) })
}

fn components() -> Result<Vec<(String, Vec<u8>)>> {
    std::iter::once("gift-card").chain(CONDITIONS).map(read).collect()
}

fn read(name: &str) -> Result<(String, Vec<u8>)> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/components").join(name).with_extension("wasm");
    let bytes = std::fs::read(&path).with_context(|| format!("`{}`; run `cargo xtask components`", path.display()))?;
    Ok((name.to_string(), bytes))
}

fn load(components: &[(String, Vec<u8>)], config: HostConfig) -> Result<Call> {
    let host = Host::new(config)?;
    let (name, bytes) = &components[0];
    let mut book = Rulebook::new(host.load_rules(name, bytes)?);
    for (name, bytes) in &components[1..] {
        match host.load(name, bytes)? {
            Component::Condition(condition) => book.add(condition),
            Component::Rules(_) => bail!("`{name}` is no condition"),
        }
    }
    let programme = Arc::new(Programme { conditions: bindings().into(), ..Programme::unrestricted("main", "manual") });
    Ok(Box::new(move |order: &crate::decision::Order| {
        let quoted = book.quote(&request(order, &programme)?, false)?;
        if let Some((failure, _)) = quoted.quote.conditions.iter().find_map(|run| run.failure.as_ref()) {
            bail!("a condition failed: {}", failure.message);
        }
        let shares = quoted.quote.shares.into_iter().map(|share| Share {
            applied: share.applied.get(),
            refusal: match share.outcome {
                CardOutcome::Refused(refusal) => refusal.reject.code,
                CardOutcome::Used => String::new(),
                CardOutcome::NotNeeded => "not-needed".to_string(),
            },
        });
        Ok(Decision { cards: shares.collect(), due: quoted.quote.due.get() })
    }))
}

fn bindings() -> [Binding; 5] {
    let texts = |name: &str, texts: &[&str]| Named {
        name: name.into(),
        value: Value::Texts(texts.iter().map(ToString::to_string).collect()),
    };
    let text = |name: &str, text: &str| Named { name: name.into(), value: Value::Text(text.into()) };
    let settings = [
        vec![texts("categories", &["books"])],
        vec![texts("countries", &["US", "CA"])],
        vec![texts("segments", &["vip"])],
        vec![
            texts("weekdays", &["mon", "tue", "wed", "thu", "fri"]),
            text("from-time", "08:00"),
            text("to-time", "22:00"),
        ],
        vec![Named { name: "share".into(), value: Value::Integer(5_000) }],
    ];
    let mut settings = settings.into_iter();
    CONDITIONS.map(|plugin| Binding {
        plugin: plugin.into(),
        settings: settings.next().unwrap_or_default(),
        on_failure: OnFailure::RefuseCard,
    })
}

fn request(order: &Order, programme: &Arc<Programme>) -> Result<QuoteRequest> {
    let usd = Currency::iso("USD").context("listed in ISO 4217")?;
    let line = |line: &crate::decision::Line| -> Result<Line> {
        let total = Minor::new(line.total)?;
        Ok(Line {
            part: Part::Goods,
            payable_by_card: true,
            quantity_milli: 1_000,
            unit_price: total,
            total,
            tax: None,
            sku: Some(line.sku.clone()),
            name: None,
            product_type: None,
            categories: Some(line.categories.clone()),
            tags: Some(Vec::new()),
            attributes: Vec::new(),
        })
    };
    let mut asked = EngineOrder::of_total("main", usd, Minor::new(order.total)?);
    asked.lines = Some(order.lines.iter().map(line).collect::<Result<_>>()?);
    asked.ship_to = Some(Address { country: order.country.clone(), region: None, postal_code: None, city: None });
    asked.customer = Some(Customer { registered: true, segments: Some(order.segments.clone()), ..Customer::default() });
    let card = |(index, balance): (usize, &i64)| -> Result<CardSnapshot> {
        Ok(CardSnapshot::new(&format!("card-{index}"), "main", usd, Minor::new(*balance)?))
    };
    let minutes = i64::from(order.weekday - 1) * 24 * 60 + i64::from(order.minute_of_day);
    Ok(QuoteRequest {
        order: asked,
        site: Site::new("main", usd).into(),
        programmes: vec![Arc::clone(programme)],
        cards: order.cards.iter().enumerate().map(card).collect::<Result<_>>()?,
        now: Moment::new(MONDAY + minutes * 60_000, 0).context("an instant in range")?,
    })
}
