//! Rhai: a script with a loop over lines and one over cards, in this process. Must not decide anything outside of the script.

use anyhow::{Context, Result, anyhow};
use rhai::{AST, Dynamic, Engine as Rhai, Map, Scope};

use super::{Call, Engine};
use crate::decision::{Decision, Order, Share};

const SCRIPT: &str = r#"
fn refusal(order) {
    let found = false;
    for line in order.lines {
        if "books" in line.categories { found = true; break; }
    }
    if !found { return "not-in-cart"; }
    if order.country != "US" && order.country != "CA" { return "area-not-served"; }
    if !("vip" in order.segments) { return "wrong-segment"; }
    if order.weekday > 5 { return "wrong-weekday"; }
    if order.minute_of_day < 480 || order.minute_of_day >= 1320 { return "wrong-time"; }
    ""
}

fn decide(order) {
    let room = order.total / 2;
    let due = order.total;
    let refused = refusal(order);
    let cards = [];
    for balance in order.cards {
        let applied = 0;
        let code = refused;
        if refused == "" {
            applied = if balance < room { balance } else { room };
            if applied == 0 { code = "cap-reached"; }
        }
        room -= applied;
        due -= applied;
        cards.push(#{ applied: applied, refusal: code });
    }
    #{ cards: cards, due: due }
}
"#;

pub(super) fn engine() -> Engine {
    Engine {
        name: "rhai",
        limits: "operations, call levels, sizes of texts, lists and maps; none on memory as a whole, no isolation",
        load: Box::new(|| {
            let mut engine = Rhai::new();
            engine.set_max_operations(1_000_000).set_max_call_levels(32).set_max_expr_depths(64, 32);
            engine.set_max_string_size(4_096).set_max_array_size(4_096).set_max_map_size(256);
            let script = engine.compile(SCRIPT)?;
            Ok(Box::new(move |order: &crate::decision::Order| call(&engine, &script, order)) as Call)
        }),
    }
}

fn call(engine: &Rhai, script: &AST, order: &Order) -> Result<Decision> {
    let decided = engine.call_fn(&mut Scope::new(), script, "decide", (value(order),));
    let decided: Map = decided.map_err(|error| anyhow!("{error}"))?;
    let shares = decided.get("cards").context("no cards")?.clone().into_typed_array::<Map>();
    let shares = shares.map_err(|kind| anyhow!("cards are {kind}"))?;
    let integer = |map: &Map, name: &str| map.get(name).and_then(|value| value.as_int().ok()).context("no number");
    let share = |share: Map| {
        let refusal = share.get("refusal").and_then(|value| value.clone().into_string().ok()).context("no text")?;
        Ok(Share { applied: integer(&share, "applied")?, refusal })
    };
    Ok(Decision { cards: shares.into_iter().map(share).collect::<Result<_>>()?, due: integer(&decided, "due")? })
}

fn value(order: &Order) -> Map {
    let texts = |texts: &[String]| Dynamic::from_array(texts.iter().map(|text| text.clone().into()).collect());
    let line = |line: &crate::decision::Line| {
        let fields: [(&str, Dynamic); 3] =
            [("sku", line.sku.clone().into()), ("categories", texts(&line.categories)), ("total", line.total.into())];
        Dynamic::from_map(fields.into_iter().map(|(name, value)| (name.into(), value)).collect())
    };
    let fields: [(&str, Dynamic); 7] = [
        ("total", order.total.into()),
        ("country", order.country.clone().into()),
        ("segments", texts(&order.segments)),
        ("weekday", i64::from(order.weekday).into()),
        ("minute_of_day", i64::from(order.minute_of_day).into()),
        ("lines", Dynamic::from_array(order.lines.iter().map(line).collect())),
        ("cards", Dynamic::from_array(order.cards.iter().map(|balance| (*balance).into()).collect())),
    ];
    fields.into_iter().map(|(name, value)| (name.into(), value)).collect()
}
