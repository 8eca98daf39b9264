//! What the host guarantees whatever a component says: every answer is worked out again here before money may move.
//!
//! Must not trust anything in an answer, and must not ask who gave it. A merchant's own rules may refuse cards and may
//! exclude more of the order from a card ([`Share::excluded`]); all amounts follow from that and are checked to the unit.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

use crate::money::Minor;
use crate::redemption::{
    Card, Decision, Outcome, Refusal, Request, Room, Share, Status, Tender, Verdict, card_order, parts,
};
use crate::refund::{RefundRequest, RefundShare};
use crate::value::{Reject, Step, is_code};

/// A guarantee that an answer broke.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// Stable kebab-case name of the guarantee.
    pub rule: &'static str,
    /// Index of the card or payment.
    pub card: Option<usize>,
    /// What was answered and what would have been right.
    pub detail: String,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "broke `{}`", self.rule)?;
        if let Some(card) = self.card {
            write!(f, " for card {card}")?;
        }
        write!(f, ": {}", self.detail)
    }
}

impl core::error::Error for Broken {}

fn broken<T>(rule: &'static str, card: impl Into<Option<usize>>, detail: impl Into<String>) -> Result<T, Broken> {
    Err(Broken { rule, card: card.into(), detail: detail.into() })
}

/// The number of outcomes in an answer.
///
/// # Errors
/// `wrong-outcome-count`.
pub fn check_count(expected: usize, found: usize) -> Result<(), Broken> {
    if expected == found {
        return Ok(());
    }
    broken("wrong-outcome-count", None, format!("{found} outcomes for {expected} cards"))
}

/// Steps speak of cards that are there.
///
/// # Errors
/// `bad-index`.
pub fn check_steps(steps: &[Step], cards: usize) -> Result<(), Broken> {
    match steps.iter().find_map(|step| step.card.filter(|card| *card >= cards)) {
        Some(card) => broken("bad-index", None, format!("a step names card {card} of {cards}")),
        None => Ok(()),
    }
}

/// Bytes of a reject's message.
pub const MESSAGE_BYTES_MAX: usize = 1_024;
/// Arguments of a reject.
pub const ARGUMENTS_MAX: usize = 16;
/// Bytes of one argument, put into words.
pub const ARGUMENT_BYTES_MAX: usize = 1_024;

/// Shared limits of one answer about this many cards. Every one of them costs the rules time at every card.
#[must_use]
pub const fn limits_max(cards: usize) -> usize {
    16 + 4 * cards
}

fn check_reject(index: usize, reject: &Reject) -> Result<(), Broken> {
    if !is_code(&reject.code) {
        return broken("bad-code", index, format!("`{}` is not a kebab-case code", clip(&reject.code)));
    }
    let long = reject.message.len() > MESSAGE_BYTES_MAX
        || reject.arguments.len() > ARGUMENTS_MAX
        || reject.arguments.iter().any(|argument| argument.value.text_bytes() > ARGUMENT_BYTES_MAX);
    if long {
        let detail = format!(
            "a reject has at most {MESSAGE_BYTES_MAX} bytes of message and {ARGUMENTS_MAX} arguments of \
             {ARGUMENT_BYTES_MAX} bytes"
        );
        return broken("message-too-long", index, detail);
    }
    Ok(())
}

/// Checks what a condition answered: one verdict for each card, limits that are not negative and point at cards.
///
/// # Errors
/// `wrong-outcome-count`, `negative-amount`, `bad-code`, `message-too-long`, `too-many-limits`, `undeclared-limit`,
/// `bad-index`.
pub fn check_evaluation(evaluation: &Evaluation, cards: usize, may_limit: bool) -> Result<(), Broken> {
    check_count(cards, evaluation.verdicts.len())?;
    for (index, verdict) in evaluation.verdicts.iter().enumerate() {
        match verdict {
            ConditionVerdict::AcceptUpTo(limit) if limit.is_negative() => {
                return broken("negative-amount", index, format!("accepted up to {}", limit.get()));
            }
            ConditionVerdict::Reject(reject) => check_reject(index, reject)?,
            _ => {}
        }
    }
    if evaluation.limits.len() > limits_max(cards) {
        let detail =
            format!("{} shared limits, at most {} for {cards} cards", evaluation.limits.len(), limits_max(cards));
        return broken("too-many-limits", None, detail);
    }
    for limit in &evaluation.limits {
        if !may_limit {
            return broken("undeclared-limit", None, "a shared limit, though `shares-limits` is false");
        }
        if limit.limit.is_negative() {
            return broken("negative-amount", None, format!("a shared limit of {}", limit.limit.get()));
        }
        if !is_code(&limit.code) {
            return broken("bad-code", None, format!("`{}` is not a kebab-case code", clip(&limit.code)));
        }
        let mut seen = Vec::new();
        for &card in &limit.cards {
            if card as usize >= cards || seen.contains(&card) {
                return broken("bad-index", None, format!("a shared limit names card {card} of {cards}"));
            }
            seen.push(card);
        }
        if seen.is_empty() {
            return broken("bad-index", None, "a shared limit of no card");
        }
    }
    Ok(())
}

/// A condition's answer, before its reasons become handles.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Evaluation {
    /// One for each card that was asked about.
    pub verdicts: Vec<ConditionVerdict>,
    /// What several of them may pay together.
    pub limits: Vec<ConditionLimit>,
    /// Only if explained.
    pub steps: Vec<Step>,
}

/// A condition's verdict on one card.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConditionVerdict {
    /// Fine.
    Accept,
    /// Fine, up to this much of the order.
    AcceptUpTo(Minor),
    /// Not fine.
    Reject(Reject),
}

/// A condition's shared limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConditionLimit {
    /// At least 0.
    pub limit: Minor,
    /// Indexes of the cards that were asked about.
    pub cards: Vec<u32>,
    /// Code for a card that gets nothing because of it.
    pub code: String,
}

/// Checks a decision against its request, whoever made it.
///
/// # Errors
/// The first [`Broken`] guarantee: `wrong-outcome-count`; for each card in the order of use the checks of this file.
pub fn check_decision(request: &Request, decision: &Decision) -> Result<(), Broken> {
    check_count(request.cards.len(), decision.shares.len())?;
    check_steps(&decision.steps, request.cards.len())?;
    let mut room = Room::of(request);
    let mut limits: Vec<Minor> = request.limits.iter().map(|limit| limit.limit).collect();
    let mut used = 0_u32;
    let order = card_order(request);
    for (place, &index) in order.iter().enumerate() {
        let share = &decision.shares[index];
        let card = &request.cards[index];
        check_range(index, share)?;
        if let Outcome::Refused(refusal) = &share.outcome {
            check_refused(request, index, refusal, share)?;
            continue;
        }
        check_usable(request, index, card)?;
        let set = request.programmes.get(card.programme as usize).map_or(0, |programme| programme.payable);
        let mut most = Most::of(card, room.payable(set, share.excluded));
        for (limit, left) in request.limits.iter().zip(&limits) {
            if limit.cards.contains(&(index as u32)) {
                most.lower("shared-limit-broken", *left);
            }
        }
        if share.applied > most.amount {
            let detail = format!("{} applied, at most {} allowed", share.applied.get(), most.amount.get());
            return broken(most.rule, index, detail);
        }
        if share.applied < most.amount {
            let later = order[place + 1..].iter().any(|&later| decision.shares[later].applied > Minor::ZERO);
            let rule = if later { "wrong-order-of-use" } else { "applied-too-little" };
            let detail = format!("{} applied, {} was due from it at its turn", share.applied.get(), most.amount.get());
            return broken(rule, index, detail);
        }
        check_conversion(index, card, share)?;
        if (share.outcome == Outcome::Used) == share.applied.is_zero() {
            let detail = format!("the outcome says otherwise than the applied {}", share.applied.get());
            return broken("outcome-mismatch", index, detail);
        }
        used += u32::from(!share.applied.is_zero());
        if used > request.policy.cards_max {
            return broken("too-many-cards", index, format!("at most {} cards may pay", request.policy.cards_max));
        }
        room.pay(set, share.excluded, share.applied);
        for (limit, left) in request.limits.iter().zip(&mut limits) {
            if limit.cards.contains(&(index as u32)) {
                *left = left.less(share.applied);
            }
        }
    }
    Ok(())
}

fn check_range(index: usize, share: &Share) -> Result<(), Broken> {
    for (name, amount) in
        [("excluded", share.excluded), ("applied", share.applied), ("taken", share.taken), ("left", share.left)]
    {
        if amount.is_negative() {
            return broken("negative-amount", index, format!("`{name}` is {}", amount.get()));
        }
    }
    Ok(())
}

fn check_refused(request: &Request, index: usize, refusal: &Refusal, share: &Share) -> Result<(), Broken> {
    let card = &request.cards[index];
    let nothing = [share.excluded, share.applied, share.taken].iter().all(|amount| amount.is_zero());
    if !nothing || share.left != card.available {
        return broken("refused-card-pays", index, "a refused card must give nothing and keep everything");
    }
    match refusal {
        Refusal::Code(code) if !is_code(code) => {
            broken("bad-code", index, format!("`{}` is not a kebab-case code", clip(code)))
        }
        Refusal::Code(_) => Ok(()),
        Refusal::Reason(reason) => {
            let rejected = card.verdicts.contains(&Verdict::Reject(*reason));
            let limited =
                request.limits.iter().any(|limit| limit.reason == *reason && limit.cards.contains(&(index as u32)));
            match rejected || limited {
                true => Ok(()),
                false => broken("bad-index", index, format!("reason {reason} is not one of the card's")),
            }
        }
    }
}

/// What no rules may overlook: a card that must be refused may not even be "not needed".
pub(crate) fn check_usable(request: &Request, index: usize, card: &Card) -> Result<(), Broken> {
    if card.status != Status::Active {
        return broken("wrong-state-used", index, format!("the card is {:?}", card.status).to_lowercase());
    }
    if card.expires_at.is_some_and(|end| end <= request.now) {
        return broken("expired-card-used", index, "the card's end has passed");
    }
    let programme = request.programmes.get(card.programme as usize);
    if programme.and_then(|programme| programme.valid_to).is_some_and(|end| end <= request.now) {
        return broken("expired-card-used", index, "the end of the card's programme has passed");
    }
    if programme.and_then(|programme| programme.valid_from).is_some_and(|begin| begin > request.now) {
        return broken("wrong-state-used", index, "the card's programme has not begun");
    }
    if programme.is_none_or(|programme| !programme.enabled) {
        return broken("wrong-state-used", index, "the card's programme is switched off");
    }
    let payable = programme.map_or(0, |programme| programme.payable);
    if request.lines.is_none() && (payable & parts::ALL) | parts::GIFT_CARD != parts::ALL {
        return broken("wrong-part-paid", index, "a bare total does not say what the card may not pay for");
    }
    if card.tender == Tender::NoRate {
        return broken("no-rate-used", index, "another currency, and no recorded rate");
    }
    if card.verdicts.iter().any(|verdict| matches!(verdict, Verdict::Reject(_))) {
        return broken("rejected-card-used", index, "a condition rejects the card");
    }
    Ok(())
}

/// The most a card may pay at its turn, and which guarantee says so.
struct Most {
    amount: Minor,
    rule: &'static str,
}

impl Most {
    fn of(card: &Card, payable: Minor) -> Self {
        let mut most = Self { amount: card.tender.worth(card.available), rule: "above-balance" };
        most.lower("above-wanted", card.wanted.unwrap_or(Minor::MAX));
        for verdict in &card.verdicts {
            if let Verdict::AcceptUpTo(limit) = verdict {
                most.lower("above-verdict", *limit);
            }
        }
        most.lower("sum-above-total", payable);
        most
    }

    fn lower(&mut self, rule: &'static str, amount: Minor) {
        if amount < self.amount {
            *self = Self { amount, rule };
        }
    }
}

fn check_conversion(index: usize, card: &Card, share: &Share) -> Result<(), Broken> {
    let taken = card.tender.taken(share.applied);
    if share.taken != taken {
        let detail =
            format!("{} taken for {} applied, {} is right", share.taken.get(), share.applied.get(), taken.get());
        return broken("wrong-conversion", index, detail);
    }
    if share.taken > card.available {
        let detail = format!("{} taken, {} available", share.taken.get(), card.available.get());
        return broken("above-balance", index, detail);
    }
    if share.left != card.available.less(share.taken) {
        let detail = format!("{} left of {} less {}", share.left.get(), card.available.get(), share.taken.get());
        return broken("wrong-remainder", index, detail);
    }
    Ok(())
}

/// Checks a refund split. Who gets how much is the rules' to say; the bounds and the conversion are not.
///
/// # Errors
/// `wrong-outcome-count`, `negative-amount`, `above-refundable`, `wrong-conversion`, `sum-not-amount`.
pub fn check_refund(request: &RefundRequest, shares: &[RefundShare]) -> Result<(), Broken> {
    check_count(request.payments.len(), shares.len())?;
    for (index, (payment, share)) in request.payments.iter().zip(shares).enumerate() {
        if share.applied.is_negative() || share.taken.is_negative() {
            return broken("negative-amount", index, format!("{} / {}", share.applied.get(), share.taken.get()));
        }
        if share.applied > payment.refundable() {
            let detail = format!("{} of {} refundable", share.applied.get(), payment.refundable().get());
            return broken("above-refundable", index, detail);
        }
        let taken = payment.taken_for(share.applied);
        if share.taken != taken {
            let detail =
                format!("{} returned for {}, {} is right", share.taken.get(), share.applied.get(), taken.get());
            return broken("wrong-conversion", index, detail);
        }
    }
    let sum: i128 = shares.iter().map(|share| i128::from(share.applied.get())).sum();
    if sum != i128::from(request.amount.get()) {
        return broken("sum-not-amount", None, format!("the shares add up to {sum}, not {}", request.amount.get()));
    }
    Ok(())
}

/// A guest's text, short enough for an error.
fn clip(text: &str) -> String {
    text.chars().take(80).collect::<String>().escape_debug().to_string()
}
