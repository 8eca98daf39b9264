//! The rules and conditions of a shop, and the two questions they answer: what each card pays, and where a refund goes.
//! Every answer of a component is checked by the engine before anybody sees it.

use std::collections::BTreeMap;
use std::sync::Arc;

use giftcard_engine::check::{Broken, Evaluation, check_refund};
use giftcard_engine::quote::{
    ConditionCall, ConditionFacts, ConditionFailure, Evaluator, Quote, QuoteError, QuoteRequest, quote,
};
use giftcard_engine::redemption::{Decision, Request};
use giftcard_engine::refund::{RefundRefused, RefundRequest, RefundShare, check_refund_request};
use giftcard_engine::value::{Named, Step};
use thiserror::Error;

use crate::component::{Condition, Facts, Host, Rules};
use crate::error::{CallError, CallFailure, LoadError};
use crate::sandbox::{Failed, Spent};
use crate::settings::{SettingsError, check_each, with_defaults};
use crate::v0_1;

/// A set of rules and conditions. To swap one, make another rulebook: a request under way finishes with the one it
/// started with. May be used from many threads at once; to use it from async code, call it on a thread that may block.
#[derive(Clone)]
pub struct Rulebook {
    rules: Rules,
    conditions: Arc<BTreeMap<String, Known>>,
}

/// A host beside another, and the components that were brought over to it, by their digests: each once, since its code is
/// copied.
pub struct Moved {
    host: Host,
    rules: BTreeMap<String, Rules>,
    conditions: BTreeMap<String, Condition>,
}

impl Moved {
    /// To a host that was made with [`Host::beside`]; nothing is there yet.
    #[must_use]
    pub fn to(host: Host) -> Self {
        Self { host, rules: BTreeMap::new(), conditions: BTreeMap::new() }
    }
}

/// What is known under a digest, or what is made now and known from then on.
fn known_or<T: Clone>(
    known: &mut BTreeMap<String, T>,
    digest: &str,
    make: impl FnOnce() -> Result<T, LoadError>,
) -> Result<T, LoadError> {
    if let Some(known) = known.get(digest) {
        return Ok(known.clone());
    }
    let made = make()?;
    known.insert(digest.to_string(), made.clone());
    Ok(made)
}

/// What a name means.
#[derive(Clone)]
struct Known {
    condition: Condition,
    /// Of one that is switched off: what it is compared with others by.
    off: Option<String>,
}

/// The name of a component that means its very bytes: `id@sha256:` and the digest.
#[must_use]
pub fn pinned(facts: &Facts) -> String {
    format!("{}@sha256:{}", facts.id, facts.digest)
}

/// One call of a component, for the record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallRecord {
    /// The component.
    pub component: Arc<Facts>,
    /// The function of the contract.
    pub function: &'static str,
    /// Whether it was asked to explain itself: then it was asked a second time, and its answer is only compared.
    pub explain: bool,
    /// Fuel used; the same for the same request on the same engine.
    pub fuel: u64,
    /// Bytes of linear memory at the end.
    pub memory_bytes: usize,
    /// What it wrote for its author. Never part of a result.
    pub log: Vec<String>,
}

/// Is shown a question to a condition, its unchecked answer and what it cost.
pub type Watch<'w> = dyn FnMut(&ConditionCall<'_>, Result<&Evaluation, &CallError>, &CallRecord) + 'w;

/// A quote and what it cost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quoted {
    /// What each card pays.
    pub quote: Quote,
    /// Every call that was made, in order.
    pub calls: Vec<CallRecord>,
    /// See [`crate::Host::engine_id`].
    pub engine: Arc<str>,
}

/// A refund split and what it cost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refunded {
    /// One for each payment.
    pub shares: Vec<RefundShare>,
    /// Only if explained; a step's card is the index of a payment.
    pub steps: Vec<Step>,
    /// Every call that was made, in order.
    pub calls: Vec<CallRecord>,
    /// See [`crate::Host::engine_id`].
    pub engine: Arc<str>,
}

/// Why there is no refund split.
#[derive(Debug, Error)]
pub enum RefundError {
    /// The request is refused, before any component was asked.
    #[error(transparent)]
    Refused(#[from] RefundRefused),
    /// The rules failed.
    #[error(transparent)]
    Rules(Box<CallError>),
}

impl Rulebook {
    /// A rulebook without conditions.
    #[must_use]
    pub fn new(rules: Rules) -> Self {
        Self { rules, conditions: Arc::default() }
    }

    /// Adds a condition under its id, in place of any version that was added before, newer ones too, under `id@version`,
    /// in place of another file that calls itself the same, and under its [`pinned`] name. Who must not let a file take
    /// the place of another compares digests first.
    pub fn add(&mut self, condition: Condition) {
        let facts = condition.facts();
        let versioned = format!("{}@{}", facts.id, facts.version);
        self.name(facts.id.clone(), condition.clone(), None);
        self.name(versioned, condition.clone(), None);
        self.add_pinned(condition);
    }

    /// Adds a condition under its [`pinned`] name alone.
    pub fn add_pinned(&mut self, condition: Condition) {
        self.name(pinned(condition.facts()), condition, None);
    }

    /// Adds a condition under another name, by which it is never run: whoever binds it so is told `plugin-off`, as of a
    /// condition that failed.
    pub fn add_off(&mut self, name: String, condition: Condition) {
        self.name(name.clone(), condition, Some(name));
    }

    /// The same on a host that was made with [`Host::beside`] out of this one's: compiled code is copied, and nothing is tried
    /// out again. Rulebooks share what is there already.
    ///
    /// # Errors
    /// [`LoadError::Compile`]: the other host compiles otherwise, such as one that reads source lines.
    pub fn on(&self, moved: &mut Moved) -> Result<Self, LoadError> {
        let Moved { host, rules, conditions } = moved;
        let mut book = Self::new(known_or(rules, &self.rules.facts().digest, || self.rules.on(host))?);
        for (name, Known { condition, off }) in &*self.conditions {
            let moved = known_or(conditions, &condition.facts().digest, || condition.on(host))?;
            book.name(name.clone(), moved, off.clone());
        }
        Ok(book)
    }

    fn name(&mut self, name: String, condition: Condition, off: Option<String>) {
        Arc::make_mut(&mut self.conditions).insert(name, Known { condition, off });
    }

    /// Other rules instead.
    pub fn set_rules(&mut self, rules: Rules) {
        self.rules = rules;
    }

    /// The rules.
    #[must_use]
    pub fn rules(&self) -> &Rules {
        &self.rules
    }

    /// The condition of this name: an id, `id@version`, or a [`pinned`] name.
    #[must_use]
    pub fn condition(&self, name: &str) -> Option<&Condition> {
        self.conditions.get(name).map(|named| &named.condition)
    }

    /// The host that loaded the rules.
    #[must_use]
    pub fn host(&self) -> &Host {
        &self.rules.0.host
    }

    /// The current version of every condition, by id.
    pub fn conditions(&self) -> impl Iterator<Item = &Condition> {
        self.conditions
            .iter()
            .filter(|(name, named)| **name == named.condition.facts().id)
            .map(|(_, named)| &named.condition)
    }

    /// Whether settings fit a condition: each one by itself, then all of them together, by the condition itself.
    ///
    /// # Errors
    /// [`SettingsError`] with every problem.
    pub fn check_settings(&self, plugin: &str, settings: &[Named]) -> Result<(), SettingsError> {
        let condition = self.condition(plugin).ok_or_else(|| SettingsError::UnknownPlugin(plugin.to_string()))?;
        let facts = condition.facts();
        check_each(&facts.settings, settings).map_err(SettingsError::Problems)?;
        let settings = with_defaults(&facts.settings, settings);
        condition.0.check_settings(&settings)?.map_err(SettingsError::Problems)?;
        condition.0.needs(&settings)?.map_err(SettingsError::Problems)?;
        Ok(())
    }

    /// What each card pays. A quote protects nothing; a redemption asks again.
    ///
    /// # Errors
    /// [`QuoteError::Input`] for a request that contradicts itself, [`QuoteError::Rules`] where the rules failed or broke
    /// a guarantee, or the host is busy. A failing condition is no error: it counts as its binding says. Settings
    /// that do not fit by themselves are such a failure; whether they make sense together is asked when a binding is saved,
    /// with [`Self::check_settings`].
    pub fn quote(&self, request: &QuoteRequest, explain: bool) -> Result<Quoted, QuoteError<Box<CallError>>> {
        self.quote_watched(request, explain, &mut |_, _, _| {})
    }

    /// As [`Self::quote`]. Every question to a condition is shown to `watch`, with its answer as it came and what it cost:
    /// for whoever tries a condition out.
    ///
    /// # Errors
    /// As [`Self::quote`].
    pub fn quote_watched(
        &self,
        request: &QuoteRequest,
        explain: bool,
        watch: &mut Watch<'_>,
    ) -> Result<Quoted, QuoteError<Box<CallError>>> {
        let mut run = Run { book: self, calls: Vec::new(), watch };
        match quote(request, &mut run, explain) {
            Ok(quote) => Ok(Quoted { quote, calls: run.calls, engine: self.engine() }),
            Err(QuoteError::Broken(broken)) => {
                Err(QuoteError::Rules(Box::new(self.rules.0.error("apply", broken.into()))))
            }
            Err(error) => Err(error),
        }
    }

    /// What the rules answer to a request in bare amounts, checked. For hosts that bring their own conditions.
    ///
    /// # Errors
    /// [`CallError`] where the rules failed or broke a guarantee.
    pub fn apply(&self, request: &Request) -> Result<(Decision, CallRecord), Box<CallError>> {
        let loaded = &self.rules.0;
        let (mut decision, spent) = v0_1::apply(loaded.sandbox(), &loaded.pre, request, &loaded.defaults(), false)
            .map_err(|failed| Box::new(loaded.error("apply", failed.failure)))?;
        giftcard_engine::check::check_decision(request, &decision)
            .map_err(|broken| Box::new(loaded.error("apply", broken.into())))?;
        decision.steps.clear();
        Ok((decision, record(&loaded.facts, "apply", false, spent)))
    }

    /// Where a refund goes.
    ///
    /// # Errors
    /// [`RefundError::Refused`] for more than is refundable, [`RefundError::Rules`] where the rules failed or broke a
    /// guarantee.
    pub fn refund(&self, request: &RefundRequest, explain: bool) -> Result<Refunded, RefundError> {
        check_refund_request(request)?;
        let loaded = &self.rules.0;
        let failed = |failure: CallFailure| RefundError::Rules(Box::new(loaded.error("refund", failure)));
        let broken = |rule, detail: &str| failed(Broken { rule, card: None, detail: detail.to_string() }.into());
        let ask = |explain: bool| v0_1::refund(loaded.sandbox(), &loaded.pre, request, &loaded.defaults(), explain);
        let ((shares, _), spent) = ask(false).map_err(|error| failed(error.failure))?;
        check_refund(request, &shares).map_err(|broken: Broken| failed(broken.into()))?;
        let mut calls = vec![record(&loaded.facts, "refund", false, spent)];
        let mut steps = Vec::new();
        if explain {
            let (explained, spent) = ask(true).map_err(|error| failed(error.failure))?;
            if explained.0 != shares {
                return Err(broken("explain-differs", "the split is another when explained"));
            }
            steps = explained.1;
            if steps.iter().any(|step| step.card.is_some_and(|card| card >= shares.len())) {
                return Err(broken("bad-index", "a step names a payment that is not there"));
            }
            calls.push(record(&loaded.facts, "refund", true, spent));
        }
        Ok(Refunded { shares, steps, calls, engine: self.engine() })
    }

    fn engine(&self) -> Arc<str> {
        self.rules.0.sandbox().engine_id_shared()
    }
}

impl Condition {
    /// What the condition answers to one question, unchecked: for its author. Settings it was not given get their
    /// defaults. The record says what was spent, also by a call that failed.
    pub fn evaluate(&self, call: &ConditionCall<'_>) -> (Result<Evaluation, Box<CallError>>, CallRecord) {
        let loaded = &self.0;
        // A misspelt cap must not become the default.
        if let Err(problems) = check_each(&loaded.facts.settings, call.settings) {
            let failure = CallFailure::BadSettings { problems: SettingsError::Problems(problems).to_string() };
            let record = record(&loaded.facts, "evaluate", call.explain, Spent::default());
            return (Err(Box::new(loaded.error("evaluate", failure))), record);
        }
        let settings = with_defaults(&loaded.facts.settings, call.settings);
        let needs = loaded.needs(&settings).and_then(|needs| {
            let bad = |problems| CallFailure::BadSettings { problems: SettingsError::Problems(problems).to_string() };
            needs.map_err(|problems| Box::new(loaded.error("needs-of", bad(problems))))
        });
        let needs = match needs {
            Ok(needs) => needs,
            Err(error) => return (Err(error), record(&loaded.facts, "needs-of", call.explain, Spent::default())),
        };
        match loaded.version.evaluate(loaded.sandbox(), &loaded.pre, &needs, call, &settings) {
            Ok((evaluation, spent)) => (Ok(evaluation), record(&loaded.facts, "evaluate", call.explain, spent)),
            Err(Failed { failure, spent }) => (
                Err(Box::new(loaded.error("evaluate", failure))),
                record(&loaded.facts, "evaluate", call.explain, spent),
            ),
        }
    }
}

fn record(facts: &Arc<Facts>, function: &'static str, explain: bool, spent: Spent) -> CallRecord {
    CallRecord {
        component: Arc::clone(facts),
        function,
        explain,
        fuel: spent.fuel,
        memory_bytes: spent.memory_bytes,
        log: spent.log,
    }
}

/// One question under way.
struct Run<'a, 'w> {
    book: &'a Rulebook,
    calls: Vec<CallRecord>,
    watch: &'a mut Watch<'w>,
}

impl Evaluator for Run<'_, '_> {
    type Error = Box<CallError>;

    fn facts(&self, plugin: &str) -> Option<ConditionFacts<'_>> {
        let named = self.book.conditions.get(plugin)?;
        let loaded = &named.condition.0;
        let facts = &loaded.facts;
        Some(ConditionFacts {
            who: &loaded.who,
            identity: named.off.as_ref().unwrap_or(&facts.digest),
            shares_limits: facts.shares_limits,
            reject_codes: &facts.reject_codes,
        })
    }

    fn settings_in_full(&self, plugin: &str, settings: &[Named]) -> Vec<Named> {
        let Some(condition) = self.book.condition(plugin) else { return settings.to_vec() };
        let full = with_defaults(&condition.facts().settings, settings);
        full.into_iter().map(|(name, value)| Named { name: name.to_string(), value: value.clone() }).collect()
    }

    fn evaluate(&mut self, call: &ConditionCall<'_>) -> Result<Result<Evaluation, ConditionFailure>, Self::Error> {
        let Some(named) = self.book.conditions.get(call.plugin) else {
            let message = format!("`{}` is not among the loaded condition plugins", call.plugin);
            return Ok(Err(ConditionFailure { code: "unknown-plugin".into(), message }));
        };
        if named.off.is_some() {
            let message = format!("{} is switched off", named.condition.0.who);
            return Ok(Err(ConditionFailure { code: "plugin-off".into(), message }));
        }
        let (evaluated, record) = named.condition.evaluate(call);
        (self.watch)(call, evaluated.as_ref().map_err(|error| &**error), &record);
        self.calls.push(record);
        match evaluated {
            Ok(evaluation) => Ok(Ok(evaluation)),
            // Not a decision: the request as a whole is to be sent again.
            Err(error) if error.failure.is_busy() => Err(error),
            Err(error) => {
                Ok(Err(ConditionFailure { code: error.failure.code().to_string(), message: error.to_string() }))
            }
        }
    }

    fn apply(&mut self, request: &Request, explain: bool) -> Result<Decision, Self::Error> {
        let loaded = &self.book.rules.0;
        let (decision, spent) = v0_1::apply(loaded.sandbox(), &loaded.pre, request, &loaded.defaults(), explain)
            .map_err(|failed| Box::new(loaded.error("apply", failed.failure)))?;
        self.calls.push(record(&loaded.facts, "apply", explain, spent));
        Ok(decision)
    }
}
