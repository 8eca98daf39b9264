//! Claims: what a case says of an answer, without saying all of it. Must not know where either comes from.

use serde_json::{Map, Value};

use super::Question;

/// Of a quote: the claim, and where the answer has it.
const OF_QUOTE: [(&str, &str); 7] = [
    ("currency", "currency"),
    ("total", "total"),
    ("paid", "paid"),
    ("applied_total", "applied"),
    ("due", "due"),
    ("payment_required", "payment_required"),
    ("order_of_use", "order_of_use"),
];

/// Of each card of a quote, by its id. Null claims that it is not there.
const OF_CARD: [&str; 14] = [
    "outcome",
    "repeats",
    "code",
    "public_code",
    "message",
    "public_message",
    "by",
    "applied",
    "taken",
    "left",
    "currency_of",
    "left_here",
    "not_spendable_here",
    "rate",
];

/// Of a refund.
const OF_REFUND: [(&str, &str); 2] = [("currency", "currency"), ("amount", "amount")];

/// Of each tender of a refund, by its id.
const OF_TENDER: [&str; 3] = ["applied", "taken", "refundable"];

/// Of a condition that failed, by its plugin.
const OF_FAILURE: [(&str, &str); 2] = [("failure", "code"), ("treatment", "treatment")];

/// Of a condition that failed, by its plugin: a part of what it is about.
const FAILURE_SAYS: &str = "failure_says";

/// Of an error.
const OF_ERROR: [(&str, &str); 2] = [("error", "code"), ("path", "path")];

/// Everything that the answer is not as claimed.
pub(super) fn check(claims: &Map<String, Value>, question: &Question, answer: &Result<Value, Value>) -> Vec<String> {
    let mut problems = Vec::new();
    for (claim, expected) in claims {
        let checked = match (answer, question) {
            (Ok(quote), Question::Quote(_)) => of_quote(claim, expected, quote),
            (Ok(refund), Question::Refund(_)) => of_refund(claim, expected, refund),
            (Err(error), _) => of_error(claim, expected, error),
        };
        if let Err(problem) = checked {
            problems.push(format!("claim `{claim}`: {problem}"));
        }
    }
    problems
}

fn of_quote<'a>(claim: &str, expected: &Value, quote: &'a Value) -> Result<(), String> {
    if let Some((_, field)) = OF_QUOTE.iter().find(|(name, _)| *name == claim) {
        return same(expected, &quote[field]);
    }
    if OF_CARD.contains(&claim) {
        let field = if claim == "currency_of" { "currency" } else { claim };
        return of_each(expected, &quote["cards"], "id", |card| &card[field], same);
    }
    if let Some((_, field)) = OF_FAILURE.iter().find(|(name, _)| *name == claim) {
        return of_each(expected, &quote["conditions"], "plugin", |condition| &condition["failure"][field], same);
    }
    if claim == FAILURE_SAYS {
        let message = |condition: &'a Value| &condition["failure"]["message"];
        return of_each(expected, &quote["conditions"], "plugin", message, contains);
    }
    Err(match OF_ERROR.iter().any(|(name, _)| *name == claim) {
        true => "there is a decision and no error".to_string(),
        false => "is no claim about a quote".to_string(),
    })
}

fn of_refund(claim: &str, expected: &Value, refund: &Value) -> Result<(), String> {
    if let Some((_, field)) = OF_REFUND.iter().find(|(name, _)| *name == claim) {
        return same(expected, &refund[field]);
    }
    if OF_TENDER.contains(&claim) {
        return of_each(expected, &refund["shares"], "id", |share| &share[claim], same);
    }
    Err("is no claim about a refund".to_string())
}

fn of_error(claim: &str, expected: &Value, error: &Value) -> Result<(), String> {
    match OF_ERROR.iter().find(|(name, _)| *name == claim) {
        Some((_, field)) => same(expected, &error[field]),
        None => Err(format!("there is no decision: {error}")),
    }
}

/// Claims by name, each about the one item of that name.
fn of_each<'a>(
    expected: &Value,
    items: &'a Value,
    name: &str,
    field: impl Fn(&'a Value) -> &'a Value,
    compare: impl Fn(&Value, &Value) -> Result<(), String>,
) -> Result<(), String> {
    let expected = expected.as_object().filter(|expected| !expected.is_empty());
    let Some(expected) = expected else { return Err("is an object by id, with at least one".to_string()) };
    for (id, expected) in expected {
        let mut of_id = items.as_array().into_iter().flatten().filter(|item| item[name] == id.as_str());
        match (of_id.next(), of_id.next()) {
            (Some(item), None) => compare(expected, field(item)).map_err(|problem| format!("`{id}` {problem}"))?,
            (None, _) => return Err(format!("`{id}` is not there")),
            (Some(_), Some(_)) => return Err(format!("`{id}` is there more than once")),
        }
    }
    Ok(())
}

fn same(expected: &Value, found: &Value) -> Result<(), String> {
    match expected == found {
        true => Ok(()),
        false => Err(format!("is {found}, not {expected}")),
    }
}

fn contains(expected: &Value, found: &Value) -> Result<(), String> {
    match expected.as_str().zip(found.as_str()) {
        Some((expected, found)) if !expected.is_empty() && found.contains(expected) => Ok(()),
        _ => Err(format!("is {found}, without {expected}")),
    }
}
