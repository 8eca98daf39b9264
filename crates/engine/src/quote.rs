//! From an order with its cards to what each card pays: which conditions are asked about which cards, what their
//! answers and failures mean, and the checks on whatever comes back.
//!
//! Must not know how a condition or the rules are run: an [`Evaluator`] does that, natively or in a sandbox. A quote
//! protects nothing; it is the same computation a redemption makes.

mod conditions;
mod lower;
mod refusals;

use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

pub use conditions::{ConditionCall, ConditionFailure, ConditionRun, FailureTreatment};
pub use refusals::{CARD_NOT_USABLE, public_code};

use crate::card::CardSnapshot;
use crate::check::{Broken, Evaluation, check_decision};
use crate::moment::Moment;
use crate::money::{Minor, Ratio};
use crate::order::Order;
use crate::programme::{Programme, Site};
use crate::redemption::{Decision, Outcome, Refusal, Request, Share, Tender, card_order};
use crate::value::{Named, Reject, Step};
use lower::Lowered;

/// An order, the cards entered for it, and what the shop has decided about them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuoteRequest {
    /// The order.
    pub order: Order,
    /// The site it is placed on. Shared, since a site has many orders.
    pub site: Arc<Site>,
    /// The programmes of the cards. One with the code name `manual` need not be given.
    pub programmes: Vec<Arc<Programme>>,
    /// As the shopper entered them.
    pub cards: Vec<CardSnapshot>,
    /// Now, on the site's wall.
    pub now: Moment,
}

/// What is known of a loaded condition before it is asked.
#[derive(Clone, Copy, Debug)]
pub struct ConditionFacts<'a> {
    /// The same for two names of one component, and for nothing else; such as its digest.
    pub identity: &'a str,
    /// How errors name it: id, version and digest.
    pub who: &'a str,
    /// Whether it may answer with shared limits.
    pub shares_limits: bool,
    /// Its reject codes and what they mean.
    pub reject_codes: &'a [(String, String)],
}

/// Runs conditions and rules, natively or in a sandbox.
pub trait Evaluator {
    /// A failure that is no decision: busy, or the rules failed. Fails the whole request.
    type Error;

    /// The condition of that name; `None` if none is loaded.
    fn facts(&self, plugin: &str) -> Option<ConditionFacts<'_>>;

    /// Settings as the condition gets them: with defaults, in an order of the evaluator's own.
    fn settings_in_full(&self, plugin: &str, settings: &[Named]) -> Vec<Named>;

    /// Asks a condition. Its failing is an answer, treated as the binding says.
    ///
    /// # Errors
    /// What is no fault of the condition, such as a full sandbox pool.
    fn evaluate(&mut self, call: &ConditionCall<'_>) -> Result<Result<Evaluation, ConditionFailure>, Self::Error>;

    /// Asks the rules.
    ///
    /// # Errors
    /// Any failure of theirs.
    fn apply(&mut self, request: &Request, explain: bool) -> Result<Decision, Self::Error>;
}

/// What a card pays, or why it does not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CardShare {
    /// Index in the request's cards.
    pub card: usize,
    /// What became of it.
    pub outcome: CardOutcome,
    /// In the order's currency.
    pub applied: Minor,
    /// In the card's.
    pub taken: Minor,
    /// Still available, in the card's.
    pub left: Minor,
    /// What `left` is worth in the order's currency; less than a minor unit is nothing, and none without a rate.
    pub left_here: Option<Minor>,
    /// order-minor = card-minor * rate, for a card in another currency.
    pub rate: Option<Ratio>,
}

/// What became of a card.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CardOutcome {
    /// It pays.
    Used,
    /// Fine, but others have paid already.
    NotNeeded,
    /// It may not pay.
    Refused(CardRefusal),
}

/// Why a card may not pay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CardRefusal {
    /// Code, message and arguments.
    pub reject: Reject,
    /// The condition that rejected; none for the rules themselves.
    pub plugin: Option<String>,
}

/// A step of an explanation and who took it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuoteStep {
    /// The condition; none for the rules themselves.
    pub plugin: Option<String>,
    /// The step; its card is an index into the request's cards.
    pub step: Step,
}

/// What each card pays, and what is still due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quote {
    /// One for each card, as entered; an entry that repeats an earlier code has none.
    pub shares: Vec<CardShare>,
    /// Entries that are the same card as an earlier one, with the index of that.
    pub repeated: Vec<(usize, usize)>,
    /// What all cards pay together.
    pub applied: Minor,
    /// What another payment method has to pay.
    pub due: Minor,
    /// Indexes of the request's cards in the order they were used.
    pub order_of_use: Vec<usize>,
    /// Every condition that was asked.
    pub conditions: Vec<ConditionRun>,
    /// Only if explained.
    pub steps: Vec<QuoteStep>,
}

impl Quote {
    /// Whether another payment method is needed. Without, the order can be confirmed as it is.
    #[must_use]
    pub fn payment_required(&self) -> bool {
        !self.due.is_zero()
    }
}

/// Why there is no quote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum QuoteError<E> {
    /// The request is wrong.
    Input {
        /// Where, as a path: `order.lines[3].total`.
        path: String,
        /// What was wrong and what would be right.
        problem: String,
    },
    /// The rules or what runs them failed.
    Rules(E),
    /// The rules answered what must not be.
    Broken(Broken),
}

impl<E: fmt::Display> fmt::Display for QuoteError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Input { path, problem } => write!(f, "`{path}`: {problem}"),
            Self::Rules(error) => error.fmt(f),
            Self::Broken(broken) => broken.fmt(f),
        }
    }
}

impl<E: core::error::Error> core::error::Error for QuoteError<E> {}

fn input<T, E>(path: impl Into<String>, problem: impl Into<String>) -> Result<T, QuoteError<E>> {
    Err(QuoteError::Input { path: path.into(), problem: problem.into() })
}

/// Works out what each card pays. INVARIANT: `applied + due == total - paid` (nothing is due of an order that was
/// overpaid), and every guarantee of [`crate::check`] holds, whatever the evaluator answers.
///
/// # Errors
/// [`QuoteError::Input`] for a request that contradicts itself, [`QuoteError::Rules`] where the evaluator failed,
/// [`QuoteError::Broken`] where its answer broke a guarantee.
pub fn quote<E: Evaluator>(
    request: &QuoteRequest,
    evaluator: &mut E,
    explain: bool,
) -> Result<Quote, QuoteError<E::Error>> {
    let totals = match request.order.check() {
        Ok(totals) => totals,
        Err(error) => return input(alloc::format!("order.{}", error.path), error.problem),
    };
    let mut lowered = lower::lower(request, &totals)?;
    let mut steps = Vec::new();
    let conditions = conditions::run(request, &totals, &mut lowered, evaluator, explain, &mut steps)?;
    let decision = decide(&lowered.request, evaluator, explain)?;
    for step in decision.steps.iter().cloned() {
        let card = step.card.map(|card| lowered.cards[card]);
        steps.push(QuoteStep { plugin: None, step: Step { card, ..step } });
    }
    Ok(raise(request, lowered, decision, conditions, steps))
}

fn decide<E: Evaluator>(request: &Request, evaluator: &mut E, explain: bool) -> Result<Decision, QuoteError<E::Error>> {
    let mut decision = evaluator.apply(request, false).map_err(QuoteError::Rules)?;
    check_decision(request, &decision).map_err(QuoteError::Broken)?;
    // Steps that nobody asked for are nobody's.
    decision.steps.clear();
    if explain {
        let explained = evaluator.apply(request, true).map_err(QuoteError::Rules)?;
        if explained.shares != decision.shares {
            let detail = "the decision is another when explained".to_string();
            return Err(QuoteError::Broken(Broken { rule: "explain-differs", card: None, detail }));
        }
        check_decision(request, &explained).map_err(QuoteError::Broken)?;
        decision.steps = explained.steps;
    }
    Ok(decision)
}

fn raise(
    request: &QuoteRequest,
    lowered: Lowered<'_>,
    decision: Decision,
    conditions: Vec<ConditionRun>,
    steps: Vec<QuoteStep>,
) -> Quote {
    let shares: Vec<CardShare> = decision
        .shares
        .into_iter()
        .enumerate()
        .map(|(index, share)| raise_share(request, &lowered, index, share))
        .collect();
    let applied = Minor::sum(shares.iter().map(|share| share.applied))
        .expect("INVARIANT: checked to be at most the order's total");
    Quote {
        applied,
        due: request.order.total.less(request.order.paid).less(applied),
        order_of_use: card_order(&lowered.request).into_iter().map(|card| lowered.cards[card]).collect(),
        repeated: lowered.repeated,
        shares,
        conditions,
        steps,
    }
}

fn raise_share(request: &QuoteRequest, lowered: &Lowered<'_>, index: usize, share: Share) -> CardShare {
    let card = &lowered.request.cards[index];
    let outcome = match share.outcome {
        Outcome::Used => CardOutcome::Used,
        Outcome::NotNeeded => CardOutcome::NotNeeded,
        Outcome::Refused(Refusal::Code(code)) => {
            let programme = &lowered.programmes[card.programme as usize];
            let reject =
                refusals::reject(&code, request, &request.cards[lowered.cards[index]], programme, lowered, index);
            CardOutcome::Refused(CardRefusal { reject, plugin: None })
        }
        Outcome::Refused(Refusal::Reason(reason)) => CardOutcome::Refused(lowered.reasons[reason as usize].clone()),
    };
    CardShare {
        card: lowered.cards[index],
        outcome,
        applied: share.applied,
        taken: share.taken,
        left: share.left,
        left_here: (card.tender != Tender::NoRate).then(|| card.tender.worth(share.left)),
        rate: match card.tender {
            Tender::Converted(ratio) => Some(ratio),
            _ => None,
        },
    }
}
