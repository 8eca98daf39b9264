//! Trying a condition out: one order, and everything that the condition was asked and answered, and what it cost. Must not
//! know where the order comes from.

use std::collections::BTreeSet;

use giftcard_engine::check::{ConditionVerdict, Evaluation};
use giftcard_engine::moment::InstantMs;
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::output::QuoteOutput;
use crate::till::{Till, TillError};

/// The programme of cards that name none.
const PROGRAMME: &str = "trial";

/// What came of an order, and of each question to the condition on the way.
#[derive(Clone, Debug, Serialize)]
pub struct Trial {
    /// Every call, the second one that explains included.
    pub asked: Vec<Asked>,
    /// What the cards pay.
    pub quote: QuoteOutput,
}

/// A question to the condition.
#[derive(Clone, Debug, Serialize)]
pub struct Asked {
    /// The cards it was asked about.
    pub cards: Vec<String>,
    /// Whether it was asked to explain itself.
    pub explain: bool,
    /// One for each card, as "accept", "accept up to 5.00" or "reject too-small: the order is too small".
    pub verdicts: Vec<String>,
    /// What several cards may pay together.
    pub limits: Vec<String>,
    /// How it failed, if it did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
    /// Fuel used.
    pub fuel: u64,
    /// Bytes of memory that it had at the end; memory never shrinks.
    pub memory_bytes: usize,
    /// What it wrote for its author.
    pub log: Vec<String>,
}

/// Binds the plugin with these settings to every programme of the order's document, in place of its other conditions.
/// Cards without a programme get one of their own.
///
/// # Errors
/// What is not as in the input of a quote.
pub fn bind(document: &mut Value, plugin: &str, settings: &Map<String, Value>) -> Result<(), String> {
    let binding = json!([{ "plugin": plugin, "settings": settings }]);
    let fields = document.as_object_mut().ok_or("the order's document is an object")?;
    let mut named = BTreeSet::new();
    for card in fields.get_mut("cards").and_then(Value::as_array_mut).into_iter().flatten() {
        let Some(card) = card.as_object_mut() else { return Err("`cards` has objects".to_string()) };
        let programme = card.entry("programme").or_insert_with(|| json!(PROGRAMME));
        named.extend(programme.as_str().map(str::to_string));
    }
    let programmes = fields.entry("programmes").or_insert_with(|| json!([]));
    let programmes = programmes.as_array_mut().ok_or("`programmes` is a list")?;
    for programme in programmes.iter_mut() {
        let Some(programme) = programme.as_object_mut() else { return Err("`programmes` has objects".to_string()) };
        programme.insert("conditions".to_string(), binding.clone());
        named.remove(programme.get("code_name").and_then(Value::as_str).unwrap_or_default());
    }
    programmes.extend(named.into_iter().map(|name| json!({ "code_name": name, "conditions": binding })));
    Ok(())
}

/// What each card of the document pays, and everything that `plugin` was asked on the way.
///
/// # Errors
/// As [`Till::quote`].
pub fn trial(till: &Till, document: &str, plugin: &str, now: InstantMs) -> Result<Trial, TillError> {
    let request = till.request(document, now)?;
    let currency = request.order.currency;
    let mut asked = Vec::new();
    let quoted = till.rulebook().quote_watched(&request, true, &mut |call, answer, record| {
        if record.component.id != plugin {
            return;
        }
        let id = |index: usize| request.cards[index].id.clone();
        let (verdicts, limits, failure) = match answer {
            Ok(Evaluation { verdicts, limits, .. }) => {
                let limits = limits.iter().map(|limit| {
                    let cards = limit.cards.iter().map(|place| match call.cards.get(*place as usize) {
                        Some(index) => id(*index),
                        None => format!("card {place}, which there is not"),
                    });
                    let cards = cards.collect::<Vec<_>>().join(", ");
                    format!("{} for {cards}, else `{}`", currency.format(limit.limit), limit.code)
                });
                let verdict = |verdict: &ConditionVerdict| match verdict {
                    ConditionVerdict::Accept => "accept".to_string(),
                    ConditionVerdict::AcceptUpTo(most) => format!("accept up to {}", currency.format(*most)),
                    ConditionVerdict::Reject(reject) => format!("reject {}: {}", reject.code, reject.text()),
                };
                (verdicts.iter().map(verdict).collect(), limits.collect(), None)
            }
            Err(error) => (Vec::new(), Vec::new(), Some(error.failure.to_string())),
        };
        asked.push(Asked {
            cards: call.cards.iter().copied().map(id).collect(),
            explain: call.explain,
            verdicts,
            limits,
            failure,
            fuel: record.fuel,
            memory_bytes: record.memory_bytes,
            log: record.log.clone(),
        });
    });
    match quoted {
        Ok(quoted) => Ok(Trial { asked, quote: QuoteOutput::of(&request, quoted, true) }),
        Err(error) => Err(TillError::from(error)),
    }
}
