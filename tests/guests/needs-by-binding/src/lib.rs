//! Condition: looks for a tag, or at nothing but the total, and asks for what the binding needs. Writes to the log what it was
//! sent.

use giftcard_plugin::prelude::*;

struct ByBinding;

const RULES: [(&str, &str); 5] = [
    ("any-order", "Any order"),
    ("tag", "A tag"),
    ("what-was-not-declared", "What was not declared"),
    ("too-many", "The same over and over"),
    ("trap", "A trap"),
];

fn sent(order: &Order) -> String {
    let lines = order.lines.as_ref().map_or("no lines".to_string(), |lines| {
        let tagged = lines.iter().filter(|line| line.tags.is_some()).count();
        let named = lines.iter().filter(|line| line.sku.is_some()).count();
        format!("{} lines, {tagged} with tags, {named} with a sku", lines.len())
    });
    format!("{lines}, {} customer", if order.customer.is_some() { "a" } else { "no" })
}

impl Condition for ByBinding {
    fn describe() -> Description {
        describe("needs-by-binding", "1.0.0", "Needs by binding", "A tag in the order, or any order.")
            .setting(choice("rule", "Rule", "For tests.", &RULES).required())
            .setting(text("tag", "Tag", "For tests."))
            .reject("no-tag", "nothing has the tag")
            .needs(&["lines.tags"])
    }

    fn needs_of(settings: &Settings) -> Result<Vec<String>, Vec<Problem>> {
        Ok(match (settings.text("rule")?, settings.maybe_text("tag")?) {
            ("tag", None) => return Err(vec![problem("tag", "is missing; the rule `tag` looks for one")]),
            ("tag", Some(_)) => vec!["lines.tags".to_string()],
            ("what-was-not-declared", _) => vec!["customer.email".to_string()],
            ("too-many", _) => vec!["lines.tags".to_string(); 100],
            ("trap", _) => panic!("no needs"),
            _ => Vec::new(),
        })
    }

    fn evaluate(request: &Request, settings: &Settings, _: &mut Trace) -> Result<Evaluation, Failure> {
        log(&sent(&request.order));
        let has_tag = |tag: &str| {
            let lines = request.order.lines.iter().flatten();
            lines.flat_map(|line| line.tags.iter().flatten()).any(|known| known == tag)
        };
        match (settings.text("rule")?, settings.maybe_text("tag")?) {
            ("tag", Some(tag)) if !has_tag(tag) => Ok(reject_all(request, reject("no-tag", "nothing has the tag"))),
            _ => Ok(accept_all(request)),
        }
    }
}

giftcard_plugin::export_condition!(ByBinding);
