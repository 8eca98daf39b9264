//! A host without a sandbox: the rules run natively and closures stand in for conditions. For tests of everything
//! above a component; must not know wasm.

use std::fmt;

use giftcard_engine::check::{ConditionLimit, ConditionVerdict, Evaluation};
use giftcard_engine::quote::{ConditionCall, ConditionFacts, ConditionFailure, Evaluator};
use giftcard_engine::redemption::{self, Decision, Request};
use giftcard_engine::value::{Named, Reject};
use giftcard_engine::{Minor, QuoteRequest};

/// A condition's answer, or how it failed.
pub type Answer = Result<Evaluation, ConditionFailure>;

/// A closure that stands in for a condition.
pub struct NativeCondition {
    name: String,
    shares_limits: bool,
    reject_codes: Vec<(String, String)>,
    answer: Box<dyn FnMut(&ConditionCall<'_>) -> Answer>,
}

impl NativeCondition {
    /// A condition that shares no limits and has the one reject code `not-eligible`.
    pub fn new(name: &str, answer: impl FnMut(&ConditionCall<'_>) -> Answer + 'static) -> Self {
        Self {
            name: name.to_string(),
            shares_limits: false,
            reject_codes: vec![("not-eligible".to_string(), "the order does not qualify".to_string())],
            answer: Box::new(answer),
        }
    }

    /// The same for every card.
    #[must_use]
    pub fn always(name: &str, verdict: ConditionVerdict) -> Self {
        Self::new(name, move |call| Ok(verdicts(vec![verdict.clone(); call.cards.len()])))
    }

    /// Fails whenever it is asked.
    #[must_use]
    pub fn failing(name: &str, code: &str) -> Self {
        let failure = ConditionFailure { code: code.to_string(), message: format!("`{name}` failed: {code}") };
        Self::new(name, move |_| Err(failure.clone()))
    }

    /// All of its cards may together pay `limit`. A card that gets nothing because of it is told `code`.
    #[must_use]
    pub fn sharing(name: &str, limit: Minor, code: &str) -> Self {
        let told = code.to_string();
        let mut condition = Self::new(name, move |call| {
            let cards = (0..call.cards.len()).filter_map(|card| u32::try_from(card).ok()).collect();
            let limits = vec![ConditionLimit { limit, cards, code: told.clone() }];
            Ok(Evaluation { limits, ..verdicts(vec![ConditionVerdict::Accept; call.cards.len()]) })
        });
        condition.shares_limits = true;
        condition.reject_codes.push((code.to_string(), "no more of the order can be paid so".to_string()));
        condition
    }

    /// The same facts, but another answer.
    pub fn answer_with(&mut self, answer: impl FnMut(&ConditionCall<'_>) -> Answer + 'static) {
        self.answer = Box::new(answer);
    }

    /// The same, but its description says that it shares no limits.
    #[must_use]
    pub fn undeclared(mut self) -> Self {
        self.shares_limits = false;
        self
    }
}

/// An evaluation of verdicts only.
#[must_use]
pub fn verdicts(verdicts: Vec<ConditionVerdict>) -> Evaluation {
    Evaluation { verdicts, ..Evaluation::default() }
}

/// A rejection with the code that every [`NativeCondition`] knows.
#[must_use]
pub fn not_eligible() -> ConditionVerdict {
    ConditionVerdict::Reject(Reject::new("not-eligible", "the order does not qualify"))
}

/// Why the rules gave no decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NativeFailure(pub String);

impl fmt::Display for NativeFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for NativeFailure {}

/// What a condition was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// Its name.
    pub plugin: String,
    /// Indexes of cards in the caller's request.
    pub cards: Vec<usize>,
    /// Whether an explanation was wanted.
    pub explain: bool,
}

type Rules = dyn FnMut(&Request, bool) -> Result<Decision, NativeFailure>;

/// Runs the engine's own rules, or what a test puts in their place, and closures as conditions.
pub struct NativeEvaluator {
    conditions: Vec<NativeCondition>,
    rules: Box<Rules>,
    /// Every question so far.
    pub asked: Vec<Asked>,
}

impl Default for NativeEvaluator {
    fn default() -> Self {
        Self::new(Vec::new())
    }
}

impl NativeEvaluator {
    /// The engine's rules and these conditions.
    #[must_use]
    pub fn new(conditions: Vec<NativeCondition>) -> Self {
        let rules = |request: &Request, explain: bool| {
            redemption::apply(request, explain).map_err(|unusable| NativeFailure(unusable.to_string()))
        };
        Self { conditions, rules: Box::new(rules), asked: Vec::new() }
    }

    /// Other rules in place of the engine's.
    #[must_use]
    pub fn with_rules(
        mut self,
        rules: impl FnMut(&Request, bool) -> Result<Decision, NativeFailure> + 'static,
    ) -> Self {
        self.rules = Box::new(rules);
        self
    }

    /// [`giftcard_engine::quote()`] with these rules and conditions.
    ///
    /// # Errors
    /// As that.
    pub fn quote(
        &mut self,
        request: &QuoteRequest,
    ) -> Result<giftcard_engine::Quote, giftcard_engine::QuoteError<NativeFailure>> {
        giftcard_engine::quote(request, self, false)
    }
}

impl Evaluator for NativeEvaluator {
    type Error = NativeFailure;

    fn facts(&self, plugin: &str) -> Option<ConditionFacts<'_>> {
        let condition = self.conditions.iter().find(|condition| condition.name == plugin)?;
        Some(ConditionFacts {
            identity: &condition.name,
            who: &condition.name,
            shares_limits: condition.shares_limits,
            reject_codes: &condition.reject_codes,
        })
    }

    fn settings_in_full(&self, _: &str, settings: &[Named]) -> Vec<Named> {
        settings.to_vec()
    }

    fn evaluate(&mut self, call: &ConditionCall<'_>) -> Result<Answer, Self::Error> {
        self.asked.push(Asked { plugin: call.plugin.to_string(), cards: call.cards.to_vec(), explain: call.explain });
        match self.conditions.iter_mut().find(|condition| condition.name == call.plugin) {
            Some(condition) => Ok((condition.answer)(call)),
            None => Err(NativeFailure(format!("`{}` was asked without being loaded", call.plugin))),
        }
    }

    fn apply(&mut self, request: &Request, explain: bool) -> Result<Decision, Self::Error> {
        (self.rules)(request, explain)
    }
}
