//! Which conditions are asked about which cards, and what an answer or a failure means. Must not know how a condition
//! is run.

use alloc::borrow::Cow;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::lower::Lowered;
use super::{ConditionFacts, Evaluator, QuoteError, QuoteRequest, QuoteStep, input};
use crate::check::{Broken, ConditionVerdict, Evaluation, check_evaluation, check_steps, check_usable};
use crate::money::Minor;
use crate::order::Totals;
use crate::programme::{Binding, OnFailure};
use crate::redemption::{SharedLimit, Verdict, codes};
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

impl ConditionFailure {
    /// An answer that broke a guarantee, and whose it was.
    fn broken(who: &str, broken: &Broken) -> Self {
        Self { code: broken.rule.to_string(), message: alloc::format!("{who} failed in `evaluate`: it {broken}") }
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

/// One question and the cards it is asked about. Programmes that bind the same component with settings that come to the
/// same share one call, whatever they say of its failing and however they spell it, so that a cap per order holds over
/// all of them.
struct Group<'a> {
    binding: Cow<'a, Binding>,
    /// Index in the lowered cards, and what a failure means for the card.
    cards: Vec<(usize, Cow<'a, Binding>)>,
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
    check_bindings(request, evaluator)?;
    let mut runs = Vec::new();
    for group in groups(lowered, evaluator) {
        let members: Vec<usize> = group.cards.iter().map(|(card, _)| *card).collect();
        let question = Question { request, totals, explain };
        let answer = question.ask(evaluator, lowered, &group.binding, &members, steps)?;
        let failure = match answer {
            Ok(evaluation) => {
                runs.push(ConditionRun {
                    plugin: group.binding.plugin.clone(),
                    cards: callers(lowered, &members),
                    failure: None,
                });
                record(lowered, &members, &group.binding.plugin, evaluation, evaluator);
                continue;
            }
            Err(failure) => failure,
        };
        for (treatment, members) in by_treatment(&group.cards) {
            let (shown, refused) = match treatment {
                OnFailure::RefuseCard => (FailureTreatment::Refused, true),
                OnFailure::Ignore => (FailureTreatment::Ignored, false),
                OnFailure::Previous { .. } => (FailureTreatment::Previous, false),
            };
            let plugin = &group.binding.plugin;
            let cards = callers(lowered, &members);
            runs.push(ConditionRun {
                plugin: plugin.clone(),
                cards: cards.clone(),
                failure: Some((failure.clone(), shown)),
            });
            if refused {
                refuse(lowered, &members, plugin);
            }
            let OnFailure::Previous { plugin, settings } = treatment else { continue };
            let previous =
                Binding { plugin: plugin.clone(), settings: settings.clone(), on_failure: OnFailure::RefuseCard };
            let answer = question.ask(evaluator, lowered, &previous, &members, steps)?;
            let failure = answer.as_ref().err().map(|failed| (failed.clone(), FailureTreatment::Refused));
            runs.push(ConditionRun { plugin: plugin.clone(), cards, failure });
            match answer {
                Ok(evaluation) => record(lowered, &members, plugin, evaluation, evaluator),
                Err(_) => refuse(lowered, &members, plugin),
            }
        }
    }
    Ok(runs)
}

/// What every question has in common.
struct Question<'a> {
    request: &'a QuoteRequest,
    totals: &'a Totals,
    explain: bool,
}

impl Question<'_> {
    fn ask<E: Evaluator>(
        &self,
        evaluator: &mut E,
        lowered: &Lowered<'_>,
        binding: &Binding,
        members: &[usize],
        steps: &mut Vec<QuoteStep>,
    ) -> Result<Result<Evaluation, ConditionFailure>, QuoteError<E::Error>> {
        let Self { request, totals, explain } = self;
        let cards = callers(lowered, members);
        let (plugin, settings) = (&binding.plugin, &binding.settings);
        let call = ConditionCall { request, totals, plugin, settings, cards: &cards, explain: false };
        ask(evaluator, call, *explain, steps).map_err(QuoteError::Rules)
    }
}

/// The caller's indexes of lowered cards.
fn callers(lowered: &Lowered<'_>, members: &[usize]) -> Vec<usize> {
    members.iter().map(|&card| lowered.cards[card]).collect()
}

fn refuse(lowered: &mut Lowered<'_>, members: &[usize], plugin: &str) {
    let message = "whether the card can be used for this order could not be checked";
    let reason = lowered.reason(Reject::new("condition-failed", message), Some(plugin.to_string()));
    for &card in members {
        lowered.request.cards[card].verdicts.push(Verdict::Reject(reason));
    }
}

/// Cards for which a failure means the same, in the order of the cards.
fn by_treatment<'g>(cards: &'g [(usize, Cow<'_, Binding>)]) -> Vec<(&'g OnFailure, Vec<usize>)> {
    let mut groups: Vec<(&OnFailure, Vec<usize>)> = Vec::new();
    for (card, binding) in cards {
        match groups.iter_mut().find(|(on_failure, _)| **on_failure == binding.on_failure) {
            Some((_, members)) => members.push(*card),
            None => groups.push((&binding.on_failure, [*card].into())),
        }
    }
    groups
}

/// Questions in the order of the cards, each with every card that could still be used.
fn groups<'a, E: Evaluator>(lowered: &Lowered<'a>, evaluator: &E) -> Vec<Group<'a>> {
    let mut groups: Vec<Group<'a>> = Vec::new();
    for (index, card) in lowered.request.cards.iter().enumerate() {
        // Nobody needs to be asked about a card that has to be refused, and nobody can fail over it.
        if card.available.is_zero() || check_usable(&lowered.request, index, card).is_err() {
            continue;
        }
        let mut bind =
            |binding: Cow<'a, Binding>| match groups.iter_mut().find(|group| same(group, &binding, evaluator)) {
                Some(group) if group.cards.last().is_some_and(|(last, _)| *last == index) => {}
                Some(group) => group.cards.push((index, binding)),
                None => groups.push(Group { binding: binding.clone(), cards: [(index, binding)].into() }),
            };
        match &lowered.programmes[card.programme as usize] {
            Cow::Borrowed(programme) => programme.conditions.iter().map(Cow::Borrowed).for_each(&mut bind),
            Cow::Owned(programme) => programme.conditions.iter().cloned().map(Cow::Owned).for_each(&mut bind),
        }
    }
    groups
}

fn same<E: Evaluator>(group: &Group<'_>, binding: &Binding, evaluator: &E) -> bool {
    if core::ptr::eq(&*group.binding, binding) {
        return true;
    }
    let identity = |plugin: &str| evaluator.facts(plugin).map(|facts| facts.identity);
    if group.binding.plugin != binding.plugin && identity(&group.binding.plugin) != identity(&binding.plugin) {
        return false;
    }
    group.binding.settings == binding.settings
        || evaluator.settings_in_full(&group.binding.plugin, &group.binding.settings)
            == evaluator.settings_in_full(&binding.plugin, &binding.settings)
}

/// Whether every binding names loaded plugins, and may be passed over if it says so.
fn check_bindings<E: Evaluator>(request: &QuoteRequest, evaluator: &E) -> Result<(), QuoteError<E::Error>> {
    for (programme, conditions) in request.programmes.iter().map(|programme| &programme.conditions).enumerate() {
        for (index, binding) in conditions.iter().enumerate() {
            let path = |field: &str| alloc::format!("programmes[{programme}].conditions[{index}].{field}");
            let missing = |field: &str, plugin: &str| {
                input(path(field), alloc::format!("`{plugin}` is not among the loaded condition plugins"))
            };
            let Some(facts) = evaluator.facts(&binding.plugin) else { return missing("plugin", &binding.plugin) };
            match &binding.on_failure {
                OnFailure::Ignore if facts.shares_limits => {
                    let plugin = &binding.plugin;
                    let problem =
                        alloc::format!("`ignore` is not allowed for `{plugin}`: its limits would fall away with it");
                    return input(path("on_failure"), problem);
                }
                OnFailure::Previous { plugin, .. } if evaluator.facts(plugin).is_none() => {
                    return missing("on_failure.previous.plugin", plugin);
                }
                _ => {}
            }
        }
    }
    Ok(())
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
        return Ok(Err(ConditionFailure::broken(who(evaluator, call.plugin), &broken)));
    }
    if !explain {
        return Ok(Ok(evaluation));
    }
    let explained = match evaluator.evaluate(&ConditionCall { explain: true, ..call })? {
        Ok(explained) => explained,
        Err(failure) => return Ok(Err(failure)),
    };
    let failed = |broken: &Broken| Ok(Err(ConditionFailure::broken(who(evaluator, call.plugin), broken)));
    if explained.verdicts != evaluation.verdicts || explained.limits != evaluation.limits {
        let detail = "the verdicts are others when explained".to_string();
        return failed(&Broken { rule: "explain-differs", card: None, detail });
    }
    if let Err(broken) = check_steps(&explained.steps, call.cards.len()) {
        return failed(&broken);
    }
    let step = |step: Step| QuoteStep {
        plugin: Some(call.plugin.to_string()),
        step: Step { card: step.card.map(|card| call.cards[card]), ..step },
    };
    steps.extend(explained.steps.into_iter().map(step));
    Ok(Ok(evaluation))
}

fn who<'a, E: Evaluator>(evaluator: &'a E, plugin: &'a str) -> &'a str {
    evaluator.facts(plugin).map_or(plugin, |facts| facts.who)
}

fn check_answer(facts: Option<ConditionFacts<'_>>, evaluation: &Evaluation, cards: usize) -> Result<(), Broken> {
    let Some(facts) = facts else {
        return Err(Broken { rule: "unknown-plugin", card: None, detail: "is not loaded any more".to_string() });
    };
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

fn record<E: Evaluator>(
    lowered: &mut Lowered<'_>,
    members: &[usize],
    plugin: &str,
    evaluation: Evaluation,
    evaluator: &E,
) {
    let by = || Some(plugin.to_string());
    for (&card, verdict) in members.iter().zip(evaluation.verdicts) {
        let verdict = match verdict {
            ConditionVerdict::Accept => Verdict::Accept,
            // Accepted up to nothing is no acceptance, and people should learn whose.
            ConditionVerdict::AcceptUpTo(Minor::ZERO) => {
                let reject = Reject::new(codes::LIMIT_REACHED, "the card may pay nothing of this order");
                Verdict::Reject(lowered.reason(reject, by()))
            }
            ConditionVerdict::AcceptUpTo(limit) => Verdict::AcceptUpTo(limit),
            ConditionVerdict::Reject(reject) => Verdict::Reject(lowered.reason(reject, by())),
        };
        lowered.request.cards[card].verdicts.push(verdict);
    }
    for limit in evaluation.limits {
        let facts = evaluator.facts(plugin);
        let declared = facts.iter().flat_map(|facts| facts.reject_codes).find(|(code, _)| *code == limit.code);
        let reject = Reject::new(&limit.code, declared.map_or("", |(_, message)| message));
        let reason = lowered.reason(reject, by());
        let cards = limit.cards.iter().map(|&card| members[card as usize] as u32).collect();
        lowered.request.limits.push(SharedLimit { limit: limit.limit, cards, reason });
    }
}
