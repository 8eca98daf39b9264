//! Condition for the draft of contract 0.2: accepts orders from 10.00 on, and explains itself in values.

use giftcard_plugin as _;

mod bindings {
    //! Generated from the draft.
    #![allow(missing_docs, unreachable_pub, unsafe_code, clippy::all, reason = "generated")]

    wit_bindgen::generate!({ path: "../../../wit/0.2-draft", world: "condition-plugin", generate_all });
}

use bindings::exports::giftcard::rules::condition::{Evaluation, Guest as Condition, Request, Verdict};
use bindings::exports::giftcard::rules::plugin::{Description, Guest as Plugin, Problem, RejectCode};
use bindings::giftcard::rules::log;
use bindings::giftcard::rules::types::{Failure, Money, Named, Reject, Step, Value};

struct StepsWithValues;

const LEAST: i64 = 1_000;
const MESSAGE: &str = "from {least} on";

impl Plugin for StepsWithValues {
    fn describe() -> Description {
        Description {
            id: "steps-with-values".to_string(),
            version: "1.0.0".to_string(),
            title: "Steps with values".to_string(),
            summary: "Orders from 10.00 on.".to_string(),
            settings: Vec::new(),
            reject_codes: vec![RejectCode { code: "too-small".to_string(), message: MESSAGE.to_string() }],
            needs: vec!["lines.tags".to_string()],
            shares_limits: false,
        }
    }

    fn check_settings(_: Vec<Named>) -> Result<(), Vec<Problem>> {
        Ok(())
    }
}

impl Condition for StepsWithValues {
    fn needs_of(_: Vec<Named>) -> Result<Vec<String>, Vec<Problem>> {
        Ok(vec!["lines".to_string()])
    }

    fn evaluate(request: Request, _: Vec<Named>, explain: bool) -> Result<Evaluation, Failure> {
        let lines = request.order.lines.as_ref().map_or(0, Vec::len);
        log::write(log::Level::Info, &format!("{lines} lines"));
        let money = |amount: i64| Value::Money(Money { amount, currency: request.order.currency.clone() });
        let passed = request.order.total >= LEAST;
        let verdict = || match passed {
            true => Verdict::Accept,
            false => {
                let arguments = vec![Named { name: "least".to_string(), value: money(LEAST) }];
                Verdict::Reject(Reject { code: "too-small".to_string(), message: MESSAGE.to_string(), arguments })
            }
        };
        let verdicts = request.cards.iter().map(|_| verdict()).collect();
        let step = |check: &str, seen: Value, needed: Value| {
            let check = check.to_string();
            Step { card: None, check, passed, seen, needed }
        };
        let steps = match explain {
            true => vec![
                step("total", money(request.order.total), money(LEAST)),
                step("cards", Value::Integer(i64::try_from(request.cards.len()).unwrap_or(0)), Value::Flag(true)),
            ],
            false => Vec::new(),
        };
        Ok(Evaluation { verdicts, limits: Vec::new(), steps })
    }
}

// Names of exports hold a colon, which only a component's linker takes.
#[cfg(target_arch = "wasm32")]
#[allow(unsafe_code, reason = "generated exports")]
const _: () = {
    bindings::export!(StepsWithValues with_types_in bindings);
};
