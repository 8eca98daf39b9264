//! Runs a case: every question twice, its answer against the claims and against the whole of what is expected.

use giftcard::{Till, TillError};
use serde_json::{Map, Value, json};
use similar::TextDiff;

use super::file::pretty;
use super::{Answered, Case, Question, Report, claims};

/// Runs a case and adds what became of it. With `bless` its decisions are written anew, its claims never.
pub(super) fn run_case(till: &Till, case: Case, bless: bool, report: &mut Report) {
    let mut problems = Vec::new();
    let mut answers = Vec::new();
    for (index, step) in case.steps.iter().enumerate() {
        let mut note = |problem: String| problems.push(format!("steps[{index}]: {problem}"));
        let answer = match answer_twice(till, &step.question, case.now_ms) {
            Ok(answer) => answer,
            Err(problem) => {
                note(problem);
                continue;
            }
        };
        claims::check(&step.claims, &step.question, &answer).into_iter().for_each(&mut note);
        if !bless {
            compare(step.expected.as_ref(), &answer).err().into_iter().for_each(note);
        }
        answers.push(answer.clone());
        let (path, question) = (case.path.clone(), step.question.clone());
        report.answered.push(Answered { case: path, question, answer });
    }
    let path = case.path.clone();
    if !bless && !case.is_formatted() {
        problems.push("is not formatted as `cargo xtask bless` does".to_string());
    }
    // A decision that a claim contradicts is never written.
    if bless && problems.is_empty() {
        match case.write(answers) {
            Ok(true) => report.blessed.push(path.clone()),
            Ok(false) => {}
            Err(error) => problems.push(error.to_string()),
        }
    }
    if !problems.is_empty() {
        report.failed.push((path, problems));
    }
}

/// The answer, without what changes with every build; the same, down to the fuel, both times.
fn answer_twice(till: &Till, question: &Question, now_ms: i64) -> Result<Result<Value, Value>, String> {
    let (first, second) = (ask(till, question, now_ms)?, ask(till, question, now_ms)?);
    if first != second {
        let show = |answer: &Result<Value, Value>| answer.as_ref().map_or_else(pretty, pretty);
        return Err(format!("two runs differ:\n{}", difference(&show(&first), &show(&second))));
    }
    Ok(first.map(|decision| without_build(till, decision)))
}

fn ask(till: &Till, question: &Question, now_ms: i64) -> Result<Result<Value, Value>, String> {
    let json = |output: Result<Value, serde_json::Error>| output.map_err(|error| error.to_string());
    Ok(match question {
        Question::Quote(quote) => match till.quote(&quote.to_string(), now_ms, true) {
            Ok(output) => Ok(json(serde_json::to_value(output))?),
            Err(error) => Err(refusal(&error)),
        },
        Question::Refund(refund) => match till.refund(&refund.to_string(), true) {
            Ok(output) => Ok(json(serde_json::to_value(output))?),
            Err(error) => Err(refusal(&error)),
        },
    })
}

/// Code and path: messages may get better without anybody being told something else.
fn refusal(error: &TillError) -> Value {
    let body = error.output(None).error;
    let mut refusal = Map::from_iter([("code".to_string(), json!(body.code))]);
    if let Some(path) = body.path {
        refusal.insert("path".to_string(), json!(path));
    }
    Value::Object(refusal)
}

/// Takes out digests, fuel and the engine, wherever they stand.
fn without_build(till: &Till, mut decision: Value) -> Value {
    if let Some(rules) = decision.get_mut("rules").and_then(Value::as_object_mut) {
        rules.shift_remove("engine");
        for call in rules.get_mut("calls").and_then(Value::as_array_mut).into_iter().flatten() {
            if let Some(call) = call.as_object_mut() {
                call.shift_remove("digest");
                call.shift_remove("fuel");
            }
        }
    }
    // The message of a failure names the component by the start of its digest.
    for condition in decision.get_mut("conditions").and_then(Value::as_array_mut).into_iter().flatten() {
        if let Some(Value::String(message)) = condition.pointer_mut("/failure/message") {
            for loaded in till.rulebook().conditions() {
                let digest = &loaded.facts().digest;
                *message = message.replace(&format!(" (sha256:{})", &digest[..12]), "");
            }
        }
    }
    decision
}

fn compare(expected: Option<&Result<Value, Value>>, answer: &Result<Value, Value>) -> Result<(), String> {
    let (name, expected, found) = match (expected, answer) {
        (None, _) => return Err("has neither a `decision` nor an `error` yet: `cargo xtask bless`".into()),
        (Some(Ok(_)), Err(error)) => return Err(format!("there is no decision any more: {error}")),
        (Some(Err(error)), Ok(_)) => return Err(format!("is decided, and was refused before: {error}")),
        (Some(Ok(expected)), Ok(found)) => ("decision", expected, found),
        (Some(Err(expected)), Err(found)) => ("error", expected, found),
    };
    let (expected, found) = (pretty(expected), pretty(found));
    match expected == found {
        true => Ok(()),
        false => Err(format!("`{name}` is another:\n{}", difference(&expected, &found))),
    }
}

/// Lines that are gone and lines that are new, with two others around them.
fn difference(expected: &str, found: &str) -> String {
    TextDiff::from_lines(expected, found).unified_diff().context_radius(2).header("expected", "found").to_string()
}
