//! Condition for the draft of contract 0.2: looks for a tag, or at nothing but the total, and asks for what the binding needs.
//! Writes to the log what it was sent.

use giftcard_plugin as _;

mod bindings {
    //! Generated from the draft.
    #![allow(missing_docs, unreachable_pub, unsafe_code, clippy::all, reason = "generated")]

    wit_bindgen::generate!({ path: "../../../wit/0.2-draft", world: "condition-plugin", generate_all });
}

use bindings::exports::giftcard::rules::condition::{Evaluation, Guest as Condition, Order, Request, Verdict};
use bindings::exports::giftcard::rules::needs::Guest as Needs;
use bindings::exports::giftcard::rules::plugin::{Choice, Description, Guest as Plugin, Problem, RejectCode, Setting};
use bindings::giftcard::rules::log;
use bindings::giftcard::rules::types::{Failure, Named, Reject, Value};

struct ByBinding;

fn text<'a>(settings: &'a [Named], name: &str) -> Option<&'a str> {
    settings.iter().find(|setting| setting.name == name).and_then(|setting| match &setting.value {
        Value::Text(text) => Some(text.as_str()),
        _ => None,
    })
}

fn setting(name: &str, kind: &str, required: bool, choices: &[&str]) -> Setting {
    Setting {
        name: name.to_string(),
        label: name.to_string(),
        help: "For tests.".to_string(),
        kind: kind.to_string(),
        required,
        default: None,
        minimum: None,
        maximum: None,
        choices: choices.iter().map(|value| Choice { value: value.to_string(), label: value.to_string() }).collect(),
        items_max: None,
    }
}

fn sent(order: &Order) -> String {
    let lines = order.lines.as_ref().map_or("no lines".to_string(), |lines| {
        let tagged = lines.iter().filter(|line| line.tags.is_some()).count();
        let named = lines.iter().filter(|line| line.sku.is_some()).count();
        format!("{} lines, {tagged} with tags, {named} with a sku", lines.len())
    });
    format!("{lines}, {} customer", if order.customer.is_some() { "a" } else { "no" })
}

impl Plugin for ByBinding {
    fn describe() -> Description {
        Description {
            id: "needs-by-binding".to_string(),
            version: "1.0.0".to_string(),
            title: "Needs by binding".to_string(),
            summary: "A tag in the order, or any order.".to_string(),
            settings: vec![
                setting("rule", "choice", true, &["any-order", "tag", "what-was-not-declared"]),
                setting("tag", "text", false, &[]),
            ],
            reject_codes: vec![RejectCode { code: "no-tag".to_string(), message: "nothing has the tag".to_string() }],
            needs: vec!["lines.tags".to_string()],
            shares_limits: false,
        }
    }

    fn check_settings(_: Vec<Named>) -> Result<(), Vec<Problem>> {
        Ok(())
    }
}

impl Needs for ByBinding {
    fn needs_of(settings: Vec<Named>) -> Result<Vec<String>, Vec<Problem>> {
        match (text(&settings, "rule"), text(&settings, "tag")) {
            (Some("tag"), None) => {
                let message = "is missing; the rule `tag` looks for one".to_string();
                Err(vec![Problem { setting: "tag".to_string(), message }])
            }
            (Some("tag"), Some(_)) => Ok(vec!["lines.tags".to_string()]),
            (Some("what-was-not-declared"), _) => Ok(vec!["customer.email".to_string()]),
            _ => Ok(Vec::new()),
        }
    }
}

impl Condition for ByBinding {
    fn evaluate(request: Request, settings: Vec<Named>, _: bool) -> Result<Evaluation, Failure> {
        log::write(log::Level::Info, &sent(&request.order));
        let has_tag = |tag: &str| {
            let lines = request.order.lines.iter().flatten();
            lines.flat_map(|line| line.tags.iter().flatten()).any(|known| known == tag)
        };
        let accepts = match (text(&settings, "rule"), text(&settings, "tag")) {
            (Some("tag"), Some(tag)) => has_tag(tag),
            _ => true,
        };
        let verdict = || match accepts {
            true => Verdict::Accept,
            false => {
                let (code, message) = ("no-tag".to_string(), "nothing has the tag".to_string());
                Verdict::Reject(Reject { code, message, arguments: Vec::new() })
            }
        };
        let verdicts = request.cards.iter().map(|_| verdict()).collect();
        Ok(Evaluation { verdicts, limits: Vec::new(), steps: Vec::new() })
    }
}

// Names of exports hold a colon, which only a component's linker takes.
#[cfg(target_arch = "wasm32")]
#[allow(unsafe_code, reason = "generated exports")]
const _: () = {
    bindings::export!(ByBinding with_types_in bindings);
};
