//! Zen: a decision graph of expressions in this process. Its numbers are decimals. Like CEL it has no loop that carries a
//! sum, so the three cards are written out. Must not decide anything outside of the graph.

use std::sync::Arc;

use anyhow::{Context, Result, anyhow};
use serde_json::json;
use zen_engine::DecisionEngine;
use zen_engine::model::DecisionContent;

use super::{Call, Engine};
use crate::decision::Decision;

const REFUSAL: &str = "not some(lines, 'books' in #.categories) ? 'not-in-cart' \
    : not (country in ['US', 'CA']) ? 'area-not-served' \
    : not ('vip' in segments) ? 'wrong-segment' \
    : weekday > 5 ? 'wrong-weekday' \
    : minute_of_day < 480 or minute_of_day >= 1320 ? 'wrong-time' : ''";

/// What a card pays of the room that those before it leave.
const APPLIED: [&str; 3] = [
    "$.refused != '' ? 0 : min([cards[0], $.room])",
    "$.refused != '' ? 0 : min([cards[1], $.room - $.a])",
    "$.refused != '' ? 0 : min([cards[2], $.room - $.a - $.b])",
];

pub(super) fn engine() -> Engine {
    Engine {
        name: "zen-engine",
        limits: "depth of nested decisions, time of JavaScript (unused here); none on expressions or memory, no isolation",
        load: Box::new(load),
    }
}

fn load() -> Result<Call> {
    let expression = |key: &str, value: &str| json!({ "id": key, "key": key, "value": value });
    let code = |amount: &str| format!("$.refused != '' ? $.refused : ({amount} == 0 ? 'cap-reached' : '')");
    let share = |amount: &str| format!("{{ applied: {amount}, refusal: {} }}", code(amount));
    let expressions = [
        expression("refused", REFUSAL),
        expression("room", "floor(total / 2)"),
        expression("a", APPLIED[0]),
        expression("b", APPLIED[1]),
        expression("c", APPLIED[2]),
        expression("shares", &format!("[{}, {}, {}]", share("$.a"), share("$.b"), share("$.c"))),
        expression("due", "total - $.a - $.b - $.c"),
    ];
    let graph = json!({
        "nodes": [
            { "id": "in", "name": "in", "type": "inputNode", "content": {} },
            { "id": "decide", "name": "decide", "type": "expressionNode", "content": { "expressions": expressions } },
            { "id": "out", "name": "out", "type": "outputNode", "content": {} },
        ],
        "edges": [
            { "id": "1", "sourceId": "in", "targetId": "decide" },
            { "id": "2", "sourceId": "decide", "targetId": "out" },
        ],
    });
    let content: DecisionContent = serde_json::from_value(graph)?;
    let mut decision =
        DecisionEngine::default().create_decision(Arc::new(content)).map_err(|error| anyhow!("{error:?}"))?;
    decision.compile();
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    Ok(Box::new(move |order: &crate::decision::Order| {
        let answer = runtime.block_on(decision.evaluate(serde_json::to_value(order)?.into()));
        let answer = answer.map_err(|error| anyhow!("{error:?}"))?.result.to_value();
        read(&answer)
    }))
}

fn read(answer: &serde_json::Value) -> Result<Decision> {
    let decided =
        json!({ "cards": answer.get("shares").context("no shares")?, "due": answer.get("due").context("no due")? });
    Ok(serde_json::from_value(decided)?)
}
