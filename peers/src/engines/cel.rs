//! CEL: two expressions in this process, one for the conditions and one for what each card pays. The language has no loop
//! that carries a sum, so the three cards are written out. Must not decide anything outside of the expressions.

use std::collections::HashMap;
use std::sync::Arc;

use anyhow::{Context as _, Result, anyhow, bail};
use cel::parser::{Expression, PrattParser};
use cel::{Context, Value};

use super::{Call, Engine};
use crate::decision::{Decision, Line, Order, Share};

const REFUSAL: &str = r#"
    !order.lines.exists(line, "books" in line.categories) ? "not-in-cart"
    : order.country != "US" && order.country != "CA" ? "area-not-served"
    : !("vip" in order.segments) ? "wrong-segment"
    : order.weekday > 5 ? "wrong-weekday"
    : order.minute_of_day < 480 || order.minute_of_day >= 1320 ? "wrong-time"
    : """#;

const APPLIED: &str = r#"
    refusal != "" ? [0, 0, 0] : [
        order.cards[0] < room ? order.cards[0] : room,
        order.cards[0] >= room ? 0 : order.cards[1] < room - order.cards[0] ? order.cards[1] : room - order.cards[0],
        order.cards[0] + order.cards[1] >= room ? 0
            : order.cards[2] < room - order.cards[0] - order.cards[1] ? order.cards[2]
            : room - order.cards[0] - order.cards[1]
    ]"#;

pub(super) fn engine() -> Engine {
    Engine {
        name: "cel",
        limits: "nodes and nesting when parsed; none on time, steps or memory of a call, no isolation",
        load: Box::new(|| {
            let parse = |source| {
                let parser = PrattParser::new().max_expression_node_count(2_000).max_recursion_depth(48);
                parser.parse(source).map_err(|error| anyhow!("{error}"))
            };
            let (refusal, applied) = (parse(REFUSAL)?, parse(APPLIED)?);
            Ok(Box::new(move |order: &crate::decision::Order| call(&refusal, &applied, order)) as Call)
        }),
    }
}

fn call(refusal: &Expression, applied: &Expression, order: &Order) -> Result<Decision> {
    let mut context = Context::default();
    context.add_variable_from_value("order", value(order));
    let Value::String(refusal) = resolve(refusal, &context)? else { bail!("the refusal is no text") };
    context.add_variable_from_value("room", Value::Int(order.total / 2));
    context.add_variable_from_value("refusal", Value::String(refusal.clone()));
    let Value::List(applied) = resolve(applied, &context)? else { bail!("the amounts are no list") };
    let mut due = order.total;
    let mut cards = Vec::with_capacity(applied.len());
    for amount in applied.iter() {
        let Value::Int(applied) = amount else { bail!("an amount is no number") };
        due = due.checked_sub(*applied).context("more than is due")?;
        let code = if refusal.is_empty() && *applied == 0 { "cap-reached" } else { refusal.as_str() };
        cards.push(Share { applied: *applied, refusal: code.to_string() });
    }
    Ok(Decision { cards, due })
}

fn resolve(expression: &Expression, context: &Context<'_, '_>) -> Result<Value> {
    Value::resolve(expression, context).map_err(|error| anyhow!("{error}"))
}

fn value(order: &Order) -> Value {
    let text = |text: &String| Value::String(Arc::new(text.clone()));
    let texts = |texts: &[String]| Value::from(texts.iter().map(text).collect::<Vec<Value>>());
    let line = |line: &Line| {
        let fields =
            [("sku", text(&line.sku)), ("categories", texts(&line.categories)), ("total", Value::Int(line.total))];
        Value::from(fields.into_iter().collect::<HashMap<&str, Value>>())
    };
    let fields = [
        ("total", Value::Int(order.total)),
        ("country", text(&order.country)),
        ("segments", texts(&order.segments)),
        ("weekday", Value::Int(order.weekday.into())),
        ("minute_of_day", Value::Int(order.minute_of_day.into())),
        ("lines", Value::from(order.lines.iter().map(line).collect::<Vec<Value>>())),
        ("cards", Value::from(order.cards.iter().map(|balance| Value::Int(*balance)).collect::<Vec<Value>>())),
    ];
    Value::from(fields.into_iter().collect::<HashMap<&str, Value>>())
}
