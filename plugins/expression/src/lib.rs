//! Condition: an expression of the merchant's own, in the Common Expression Language, over the order, the customer, the
//! card and the time: `order.total >= money("50.00") && order.lines.exists(l, "books" in l.categories)`.
//!
//! What an expression may name is in `kinds`; it is checked when settings are saved, so that a misspelt name or an amount
//! compared with a bare number never waits for the first order. Money is whole minor units; there are no fractions.

mod check;
mod facts;
mod kinds;
mod money;

use cel::parser::{Expression, PrattParser};
use cel::{ExecutionError, Value as CelValue};
use giftcard_plugin::prelude::*;

struct ExpressionCondition;

/// Bytes of an expression.
const BYTES_MAX: usize = 4000;

/// Nodes of an expression: bounds what checking and running it costs.
const NODES_MAX: usize = 2000;

const MESSAGE: &str = "this gift card cannot be used for this order";

impl Condition for ExpressionCondition {
    fn describe() -> Description {
        describe(
            "expression",
            env!("CARGO_PKG_VERSION"),
            "Expression",
            "Cards may pay where an expression over the order, the customer, the card and the time is true.",
        )
        .setting(
            text(
                "when",
                "Cards may pay when",
                "Such as order.total >= money(\"50.00\") && \"books\" in customer.segments. Asked for each card where it names \
                 the card.",
            )
            .required(),
        )
        .setting(
            text("message", "Message", "What a shopper is told whose card is refused.").default_text(MESSAGE),
        )
        .reject("expression-false", "the expression of this condition is not true for the order")
        .needs(&facts::most_needs())
    }

    fn check_settings(settings: &Settings) -> Result<(), Vec<Problem>> {
        let source = settings.text("when")?;
        parse(source).and_then(|expression| check::check(source, &expression)).map_err(|why| vec![problem("when", why)])
    }

    fn needs_of(settings: &Settings) -> Result<Vec<String>, Vec<Problem>> {
        let expression = parse(settings.text("when")?).map_err(|why| vec![problem("when", why)])?;
        Ok(facts::needs(&expression))
    }

    fn evaluate(request: &Request, settings: &Settings, trace: &mut Trace) -> Result<Evaluation, Failure> {
        let source = settings.text("when")?;
        let expression = parse(source).map_err(|why| failure("bad-expression", why))?;
        let names_card = expression.references().has_variable("card");
        let facts = facts::Facts::of(request, &expression);
        let refused = || Verdict::Reject(reject("expression-false", settings.text("message").unwrap_or(MESSAGE)));
        let mut verdicts = Vec::with_capacity(request.cards.len());
        for (index, card) in request.cards.iter().enumerate() {
            if !names_card && let Some(first) = verdicts.first().cloned() {
                verdicts.push(first);
                continue;
            }
            let holds = holds(&expression, &facts, names_card.then_some(card), request)?;
            let seen = if holds { "true" } else { "false" };
            match names_card {
                true => trace.card(index, "expression", holds, seen, source),
                false => trace.order("expression", holds, seen, source),
            }
            verdicts.push(if holds { Verdict::Accept } else { refused() });
        }
        Ok(Evaluation { verdicts, limits: Vec::new(), steps: Vec::new() })
    }
}

giftcard_plugin::export_condition!(ExpressionCondition);

/// Reads an expression. The error says where it stops being one.
fn parse(source: &str) -> Result<Expression, String> {
    if source.trim().is_empty() {
        return Err("is empty; write such as `order.total >= money(\"50.00\")`".to_string());
    }
    if source.len() > BYTES_MAX {
        return Err(format!("has {} bytes; at most {BYTES_MAX} are allowed", source.len()));
    }
    let parser = PrattParser::new().max_expression_node_count(NODES_MAX).max_recursion_depth(48);
    parser.parse(source).map_err(|errors| match errors.errors.first() {
        Some(error) => {
            let (line, column) = error.pos;
            let reason = error.msg.trim_start_matches("Syntax error: ");
            format!("line {line}, column {column}: {reason}")
        }
        None => "is no expression".to_string(),
    })
}

/// Whether the expression is true for a card.
fn holds(
    expression: &Expression,
    facts: &facts::Facts,
    card: Option<&Card>,
    request: &Request,
) -> Result<bool, Failure> {
    let context = facts.context(card, request);
    match CelValue::resolve(expression, &context) {
        Ok(CelValue::Bool(holds)) => Ok(holds),
        Ok(_) => Err(failure("bad-expression", "it is neither true nor false")),
        Err(ExecutionError::NoSuchKey(name)) => Err(failure(
            "not-known",
            format!("`{name}` is not known of this order; `has(...)` asks whether something is known"),
        )),
        Err(ExecutionError::FunctionError { message, .. }) => Err(failure("expression-failed", message)),
        Err(ExecutionError::Overflow(..)) => Err(failure("expression-failed", "a number in it is too large")),
        Err(ExecutionError::IndexOutOfBounds(_)) => {
            Err(failure("expression-failed", "it asks for an item of a list that has fewer"))
        }
        Err(_) => Err(failure("expression-failed", "it compares or combines what does not fit together")),
    }
}
