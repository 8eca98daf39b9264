//! Which conditions are asked about which cards, and what an answer or a failure means. Must not know how a condition
//! is run.

use alloc::borrow::Cow;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::lower::Lowered;
use super::{ConditionFacts, Evaluator, QuoteError, QuoteRequest, QuoteStep, input};
use crate::check::{Broken, ConditionVerdict, Evaluation, check_evaluation};
use crate::order::Totals;
use crate::programme::{Binding, OnFailure};
use crate::redemption::{SharedLimit, Status, Tender, Verdict};
use crate::value::{Named, Reject, Step};

/// One question to one condition.
#[derive(Clone, Copy, Debug)]
pub struct ConditionCall<'a> {
    /// Everything that may be told to it.
    pub request: &'a QuoteRequest,
    /// The order's sums by part, checked.
    pub totals: &'a Totals,
    /// Its name.
    pub plugin: &'a str,
    /// The binding's settings.
    pub settings: &'a [Named],
    /// The cards it is bound to, as indexes into the request's.
    pub cards: &'a [usize],
    /// Whether to explain.
    pub explain: bool,
}

/// A condition that did not decide.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConditionFailure {
    /// Stable kebab-case code: how it failed.
    pub code: String,
    /// Plugin, version and cause, for the merchant.
    pub message: String,
}

impl From<Broken> for ConditionFailure {
    fn from(broken: Broken) -> Self {
        Self { code: broken.rule.to_string(), message: broken.to_string() }
    }
}

/// What a failure meant for the cards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureTreatment {
    /// They were refused.
    Refused,
    /// It was passed over.
    Ignored,
    /// The previous version decided.
    Previous,
}

/// A condition that was asked, for the record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConditionRun {
    /// Its name.
    pub plugin: String,
    /// The cards, as indexes into the request's.
    pub cards: Vec<usize>,
    /// How it failed, if it did; apart from saying no.
    pub failure: Option<(ConditionFailure, FailureTreatment)>,
}

/// A binding and the cards it concerns. Programmes that bind the same plugin with the same settings share one call,
/// so that a cap per order holds over all of them.
struct Group<'a> {
    binding: Cow<'a, Binding>,
    /// Indexes in the lowered cards.
    cards: Vec<usize>,
}

/// Asks every condition and writes the answers into the lowered request.
pub(super) fn run<E: Evaluator>(
    request: &QuoteRequest,
    totals: &Totals,
    lowered: &mut Lowered<'_>,
    evaluator: &mut E,
    explain: bool,
    steps: &mut Vec<QuoteStep>,
) -> Result<Vec<ConditionRun>, QuoteError<E::Error>> {
    let mut runs = Vec::new();
    for group in groups(lowered) {
        check_binding(&group.binding, evaluator)?;
        let cards: Vec<usize> = group.cards.iter().map(|&card| lowered.cards[card]).collect();
        let mut ask = |plugin: &str, settings: &[Named], steps: &mut Vec<QuoteStep>| {
            let call = ConditionCall { request, totals, plugin, settings, cards: &cards, explain: false };
            ask(evaluator, call, explain, steps).map_err(QuoteError::Rules)
        };
        let binding = &group.binding;
        let mut answer = ask(&binding.plugin, &binding.settings, steps)?;
        let mut failure = None;
        let mut answered_by = &binding.plugin;
        if let Err(failed) = &answer {
            let treatment = match &binding.on_failure {
                OnFailure::RefuseCard => FailureTreatment::Refused,
                OnFailure::Ignore => FailureTreatment::Ignored,
                OnFailure::Previous { .. } => FailureTreatment::Previous,
            };
            failure = Some((failed.clone(), treatment));
        }
        runs.push(ConditionRun { plugin: binding.plugin.clone(), cards: cards.clone(), failure });
        if let (Err(_), OnFailure::Previous { plugin, settings }) = (&answer, &binding.on_failure) {
            answer = ask(plugin, settings, steps)?;
            answered_by = plugin;
            let failure = answer.as_ref().err().map(|failed| (failed.clone(), FailureTreatment::Refused));
            runs.push(ConditionRun { plugin: plugin.clone(), cards: cards.clone(), failure });
        }
        match answer {
            Ok(evaluation) => {
                let facts = evaluator.facts(answered_by);
                record(lowered, &group.cards, answered_by, evaluation, facts);
            }
            Err(_) if binding.on_failure == OnFailure::Ignore => {}
            Err(_) => {
                let reject = Reject::new("condition-failed", "a condition of the card could not be checked");
                let reason = lowered.reason(reject, Some(answered_by.clone()));
                for &card in &group.cards {
                    lowered.request.cards[card].verdicts.push(Verdict::Reject(reason));
                }
            }
        }
    }
    Ok(runs)
}

/// Bindings in the order of the cards, each with every card that could still be used.
fn groups<'a>(lowered: &Lowered<'a>) -> Vec<Group<'a>> {
    let mut groups: Vec<Group<'a>> = Vec::new();
    for (index, card) in lowered.request.cards.iter().enumerate() {
        let refused = card.status != Status::Active
            || card.expires_at.is_some_and(|end| end <= lowered.request.now)
            || card.tender == Tender::NoRate
            || !card.verdicts.is_empty();
        if refused {
            continue;
        }
        let mut bind = |binding: Cow<'a, Binding>| match groups.iter_mut().find(|group| group.binding == binding) {
            Some(group) if group.cards.last() == Some(&index) => {}
            Some(group) => group.cards.push(index),
            None => groups.push(Group { binding, cards: [index].into() }),
        };
        match &lowered.programmes[card.programme as usize] {
            Cow::Borrowed(programme) => programme.conditions.iter().map(Cow::Borrowed).for_each(&mut bind),
            Cow::Owned(programme) => programme.conditions.iter().cloned().map(Cow::Owned).for_each(&mut bind),
        }
    }
    groups
}

fn check_binding<E: Evaluator>(binding: &Binding, evaluator: &E) -> Result<(), QuoteError<E::Error>> {
    let missing = |plugin: &str| {
        let problem = alloc::format!("`{plugin}` is not among the loaded condition plugins");
        input("programmes.conditions.plugin", problem)
    };
    let Some(facts) = evaluator.facts(&binding.plugin) else { return missing(&binding.plugin) };
    match &binding.on_failure {
        OnFailure::Ignore if facts.shares_limits => input(
            "programmes.conditions.on_failure",
            alloc::format!("`ignore` is not allowed for `{}`: its limits would fall away with it", binding.plugin),
        ),
        OnFailure::Previous { plugin, .. } if evaluator.facts(plugin).is_none() => missing(plugin),
        _ => Ok(()),
    }
}

/// Asks once, checks the answer, and asks again for an explanation that must not change it.
fn ask<E: Evaluator>(
    evaluator: &mut E,
    call: ConditionCall<'_>,
    explain: bool,
    steps: &mut Vec<QuoteStep>,
) -> Result<Result<Evaluation, ConditionFailure>, E::Error> {
    let evaluation = match evaluator.evaluate(&call)? {
        Ok(evaluation) => evaluation,
        Err(failure) => return Ok(Err(failure)),
    };
    if let Err(broken) = check_answer(evaluator.facts(call.plugin), &evaluation, call.cards.len()) {
        return Ok(Err(broken.into()));
    }
    if !explain {
        return Ok(Ok(evaluation));
    }
    let explained = match evaluator.evaluate(&ConditionCall { explain: true, ..call })? {
        Ok(explained) => explained,
        Err(failure) => return Ok(Err(failure)),
    };
    if explained.verdicts != evaluation.verdicts || explained.limits != evaluation.limits {
        let detail = "the verdicts are others when explained".to_string();
        return Ok(Err(Broken { rule: "explain-differs", card: None, detail }.into()));
    }
    let mut taken = Vec::new();
    for step in explained.steps {
        let card = match step.card.map(|card| call.cards.get(card)) {
            None => None,
            Some(Some(&card)) => Some(card),
            Some(None) => {
                let detail = "a step names a card that is not there".to_string();
                return Ok(Err(Broken { rule: "bad-index", card: None, detail }.into()));
            }
        };
        taken.push(QuoteStep { plugin: Some(call.plugin.to_string()), step: Step { card, ..step } });
    }
    steps.append(&mut taken);
    Ok(Ok(evaluation))
}

fn check_answer(facts: Option<ConditionFacts<'_>>, evaluation: &Evaluation, cards: usize) -> Result<(), Broken> {
    let Some(facts) = facts else { return Ok(()) };
    check_evaluation(evaluation, cards, facts.shares_limits)?;
    let rejects = evaluation.verdicts.iter().filter_map(|verdict| match verdict {
        ConditionVerdict::Reject(reject) => Some(&reject.code),
        _ => None,
    });
    for code in rejects.chain(evaluation.limits.iter().map(|limit| &limit.code)) {
        if !facts.reject_codes.iter().any(|(known, _)| known == code) {
            let detail = alloc::format!("`{code}` is not among the plugin's reject codes");
            return Err(Broken { rule: "undeclared-code", card: None, detail });
        }
    }
    Ok(())
}

fn record(
    lowered: &mut Lowered<'_>,
    cards: &[usize],
    plugin: &str,
    evaluation: Evaluation,
    facts: Option<ConditionFacts<'_>>,
) {
    for (&card, verdict) in cards.iter().zip(evaluation.verdicts) {
        let verdict = match verdict {
            ConditionVerdict::Accept => Verdict::Accept,
            ConditionVerdict::AcceptUpTo(limit) => Verdict::AcceptUpTo(limit),
            ConditionVerdict::Reject(reject) => Verdict::Reject(lowered.reason(reject, Some(plugin.to_string()))),
        };
        lowered.request.cards[card].verdicts.push(verdict);
    }
    for limit in evaluation.limits {
        let declared = facts.iter().flat_map(|facts| facts.reject_codes).find(|(code, _)| *code == limit.code);
        let message = declared.map_or("", |(_, message)| message);
        let reason = lowered.reason(Reject::new(&limit.code, message), Some(plugin.to_string()));
        let indexes = limit.cards.iter().map(|&card| cards[card as usize] as u32).collect();
        lowered.request.limits.push(SharedLimit { limit: limit.limit, cards: indexes, reason });
    }
}
