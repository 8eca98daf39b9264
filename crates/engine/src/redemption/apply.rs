//! The standard rules: who is refused and why, and what the others pay. One pass over the cards decides who may pay,
//! a second in the order of use lets them.

use alloc::borrow::Cow;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

use super::{
    Audience, Card, Decision, Minimum, OrderOfUse, Outcome, Programme, Refusal, Request, Room, Share, Status, Tender,
    Verdict, codes, part_of, parts,
};
use crate::moment::{InstantMs, format_instant};
use crate::money::Minor;
use crate::value::Step;

/// A request that cannot be decided because it contradicts itself. Hosts do not send one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unusable(pub String);

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl core::error::Error for Unusable {}

/// Decides what every card pays. INVARIANT: `applied` of all cards plus what is due is `total - paid`; no card gives
/// more than it has; a refused card gives nothing; the order of lines changes nothing.
///
/// # Errors
/// [`Unusable`] where an index points nowhere or the lines do not add up.
pub fn apply(request: &Request, explain: bool) -> Result<Decision, Unusable> {
    let classes = Classes::of(request)?;
    check_indexes(request)?;
    let mut room = Room::of(request);
    let mut trace = Trace { steps: Vec::new(), explain, exponent: request.exponent };
    let mut accepted = 0;
    let mut shares = Vec::with_capacity(request.cards.len());
    for (index, card) in request.cards.iter().enumerate() {
        let mut refusal = refuse(request, &classes, &room, index, &mut trace);
        if refusal.is_none() {
            accepted += 1;
            let room = accepted <= request.policy.cards_max;
            trace.card(index, "number of cards", room, || {
                (format!("card {accepted} of the order"), format!("at most {}", request.policy.cards_max))
            });
            refusal = (!room).then(|| code(codes::TOO_MANY_CARDS));
        }
        let outcome = refusal.map_or(Outcome::NotNeeded, Outcome::Refused);
        shares.push(Share::nothing(outcome, card.available));
    }
    let mut limits: Vec<Minor> = request.limits.iter().map(|limit| limit.limit).collect();
    for index in card_order(request) {
        if shares[index].outcome == Outcome::NotNeeded {
            shares[index] = pay(request, index, &mut room, &mut limits, &mut trace);
        }
    }
    Ok(Decision { shares, steps: trace.steps })
}

/// Indexes of the cards in the order they are used, refused ones too.
#[must_use]
pub fn card_order(request: &Request) -> Vec<usize> {
    let mut order: Vec<usize> = (0..request.cards.len()).collect();
    // A card without end comes after every card with one.
    let end = |card: &Card| {
        let programme = request.programmes.get(card.programme as usize).and_then(|programme| programme.valid_to);
        let end = [card.expires_at, programme].into_iter().flatten().min();
        (end.is_none(), end)
    };
    let worth = |card: &Card| card.tender.worth(card.available);
    let cards = &request.cards;
    // Stable sorts: ties stay as entered.
    match request.policy.order_of_use {
        OrderOfUse::AsEntered => {}
        OrderOfUse::SoonestExpiry => order.sort_by_key(|&i| (end(&cards[i]), worth(&cards[i]))),
        OrderOfUse::SmallestBalance => order.sort_by_key(|&i| (worth(&cards[i]), end(&cards[i]))),
        OrderOfUse::OldestFirst => order.sort_by_key(|&i| cards[i].issued_at),
    }
    order
}

fn code(code: &'static str) -> Refusal {
    Refusal::Code(Cow::Borrowed(code))
}

fn check_indexes(request: &Request) -> Result<(), Unusable> {
    let programmes = request.programmes.len();
    if let Some(index) = request.cards.iter().position(|card| card.programme as usize >= programmes) {
        return Err(Unusable(format!("cards[{index}].programme points past the {programmes} programmes")));
    }
    let cards = request.cards.len();
    for (index, limit) in request.limits.iter().enumerate() {
        if limit.cards.iter().any(|&card| card as usize >= cards) {
            return Err(Unusable(format!("limits[{index}].cards points past the {cards} cards")));
        }
    }
    Ok(())
}

/// What the order comes to by part, for the minimum and for exclusions.
struct Classes {
    total: [Minor; 4],
    tax: [Option<Minor>; 4],
    lines: bool,
    whole: Minor,
    whole_tax: Option<Minor>,
}

impl Classes {
    fn of(request: &Request) -> Result<Self, Unusable> {
        let sums = |_| Unusable("amounts add up beyond 2^53 - 1".to_string());
        let mut total = [Minor::ZERO; 4];
        let mut tax = [Some(Minor::ZERO); 4];
        let mut all = Minor::ZERO;
        for line in request.lines.iter().flatten() {
            all = all.plus(line.total).map_err(sums)?;
            let Some(part) = part_of(line) else { continue };
            total[part] = total[part].plus(line.total).map_err(sums)?;
            tax[part] = match (tax[part], line.tax) {
                (Some(sum), Some(tax)) => Some(sum.plus(tax).map_err(sums)?),
                _ => None,
            };
        }
        if request.lines.is_some() && all != request.total {
            return Err(Unusable(format!("the lines add up to {}, the total is {}", all.get(), request.total.get())));
        }
        let (whole, whole_tax) = (request.total, request.tax);
        Ok(Self { total, tax, lines: request.lines.is_some(), whole, whole_tax })
    }

    /// What the minimum is compared with, or the code for what the order does not say.
    fn basis(&self, minimum: &Minimum) -> Result<Minor, &'static str> {
        if minimum.basis & parts::ALL == parts::ALL {
            return match (minimum.without_tax, self.whole_tax) {
                (false, _) => Ok(self.whole),
                (true, Some(tax)) => Ok(self.whole.less(tax)),
                (true, None) => Err(codes::TAX_NEEDED),
            };
        }
        if !self.lines {
            return Err(codes::LINES_NEEDED);
        }
        let mut sum = Minor::ZERO;
        for part in (0..4).filter(|part| minimum.basis & (1 << part) != 0) {
            let tax = if minimum.without_tax { self.tax[part].ok_or(codes::TAX_NEEDED)? } else { Minor::ZERO };
            sum = sum.plus(self.total[part].less(tax)).unwrap_or(Minor::MAX);
        }
        Ok(sum)
    }
}

/// Steps, if anyone asked.
struct Trace {
    steps: Vec<Step>,
    explain: bool,
    exponent: u8,
}

impl Trace {
    fn card(&mut self, card: usize, check: &str, passed: bool, texts: impl FnOnce() -> (String, String)) {
        if self.explain {
            let (seen, needed) = texts();
            self.steps.push(Step { card: Some(card), check: check.to_string(), passed, seen, needed });
        }
    }

    fn amount(&self, amount: Minor) -> String {
        amount.to_decimal(self.exponent)
    }
}

/// The first reason why the card may not pay, in order of precedence.
fn refuse(request: &Request, classes: &Classes, room: &Room, index: usize, trace: &mut Trace) -> Option<Refusal> {
    let card = &request.cards[index];
    let programme = &request.programmes[card.programme as usize];
    refuse_state(request, card, programme, index, trace)
        .or_else(|| refuse_customer(request, programme, index, trace))
        .or_else(|| refuse_currency(card, index, trace))
        .or_else(|| refuse_minimum(classes, programme, index, trace))
        .or_else(|| refuse_verdict(card, index, trace))
        .or_else(|| refuse_parts(classes, room, programme, index, trace))
}

fn refuse_state(
    request: &Request,
    card: &Card,
    programme: &Programme,
    index: usize,
    trace: &mut Trace,
) -> Option<Refusal> {
    let now = request.now;
    let (state, refusal) = match card.status {
        Status::Closed => ("closed", Some(codes::CARD_CLOSED)),
        Status::Disabled => ("disabled", Some(codes::CARD_DISABLED)),
        Status::Pending => ("pending", Some(codes::CARD_PENDING)),
        Status::Active => ("active", None),
    };
    trace.card(index, "state", refusal.is_none(), || (state.to_string(), "active".to_string()));
    if let Some(refusal) = refusal {
        return Some(code(refusal));
    }
    if !programme.enabled {
        trace.card(index, "programme", false, || ("switched off".to_string(), "switched on".to_string()));
        return Some(code(codes::PROGRAMME_DISABLED));
    }
    // Half open: from <= now < to.
    let before = |what: &str, end: Option<InstantMs>, trace: &mut Trace| {
        let passed = end.is_none_or(|end| now < end);
        if let Some(end) = end {
            trace.card(index, what, passed, || (format_instant(now), format!("before {}", format_instant(end))));
        }
        passed
    };
    if !before("end of the card", card.expires_at, trace) {
        return Some(code(codes::CARD_EXPIRED));
    }
    if !before("end of the programme", programme.valid_to, trace) {
        return Some(code(codes::PROGRAMME_ENDED));
    }
    if let Some(from) = programme.valid_from {
        let begun = from <= now;
        trace.card(index, "begin of the programme", begun, || {
            (format_instant(now), format!("from {} on", format_instant(from)))
        });
        if !begun {
            return Some(code(codes::NOT_YET_VALID));
        }
    }
    let empty = card.available <= Minor::ZERO;
    let available = trace.amount(card.available);
    trace.card(index, "available", !empty, || {
        let seen = match card.tender {
            Tender::SameCurrency => available,
            _ => format!("{} minor units of its own currency", card.available.get()),
        };
        (seen, "more than nothing".to_string())
    });
    empty.then(|| code(codes::CARD_EMPTY))
}

fn refuse_customer(request: &Request, programme: &Programme, index: usize, trace: &mut Trace) -> Option<Refusal> {
    let customer = &request.customer;
    let (needed, refusal) = match &programme.audience {
        Audience::Everyone => return None,
        Audience::Registered => ("registered", (!customer.registered).then_some(codes::REGISTERED_ONLY)),
        Audience::InRoles(_) if !customer.registered => {
            ("registered, in one of the programme's roles", Some(codes::REGISTERED_ONLY))
        }
        Audience::InRoles(roles) => {
            let found = customer.roles.iter().any(|role| roles.contains(role));
            ("registered, in one of the programme's roles", (!found).then_some(codes::NOT_IN_ROLE))
        }
        Audience::Named(handle) => {
            ("the programme's customer", (customer.handle != Some(*handle)).then_some(codes::OTHER_CUSTOMER))
        }
    };
    trace.card(index, "customer", refusal.is_none(), || {
        let who = if customer.registered { "registered" } else { "guest" };
        (format!("{who}, {} roles", customer.roles.len()), needed.to_string())
    });
    refusal.map(code)
}

fn refuse_currency(card: &Card, index: usize, trace: &mut Trace) -> Option<Refusal> {
    let worth = card.tender.worth(card.available);
    let refusal = match card.tender {
        Tender::SameCurrency => return None,
        Tender::NoRate => Some(codes::CURRENCY_MISMATCH),
        Tender::Converted(_) => worth.is_zero().then_some(codes::WORTH_NOTHING_HERE),
    };
    let worth = trace.amount(worth);
    trace.card(index, "currency", refusal.is_none(), || {
        let seen = match card.tender {
            Tender::NoRate => "another currency, no recorded rate".to_string(),
            _ => format!("worth {worth} here"),
        };
        (seen, "the order's currency, or a recorded rate".to_string())
    });
    refusal.map(code)
}

fn refuse_minimum(classes: &Classes, programme: &Programme, index: usize, trace: &mut Trace) -> Option<Refusal> {
    let minimum = programme.minimum.as_ref()?;
    let basis = classes.basis(minimum);
    let passed = basis.is_ok_and(|basis| basis >= minimum.amount);
    let (seen, needed) = (basis.map(|basis| trace.amount(basis)), trace.amount(minimum.amount));
    trace.card(index, "minimum order amount", passed, || {
        (seen.unwrap_or_else(|_| "not known of this order".to_string()), format!("at least {needed}"))
    });
    match basis {
        Err(missing) => Some(code(missing)),
        Ok(_) => (!passed).then(|| code(codes::MINIMUM_NOT_MET)),
    }
}

fn refuse_verdict(card: &Card, index: usize, trace: &mut Trace) -> Option<Refusal> {
    let rejected = card.verdicts.iter().find_map(|verdict| match verdict {
        Verdict::Reject(reason) => Some(Refusal::Reason(*reason)),
        _ => None,
    });
    // Accepted up to nothing is no acceptance.
    let refusal = rejected
        .or_else(|| card.verdicts.contains(&Verdict::AcceptUpTo(Minor::ZERO)).then(|| code(codes::LIMIT_REACHED)));
    if !card.verdicts.is_empty() {
        // Not only conditions: the host has its own, for a card of another shop or a minimum without a rate.
        trace.card(index, "verdicts", refusal.is_none(), || {
            let seen = if refusal.is_some() { "one rejects" } else { "none rejects" };
            (seen.to_string(), "none rejects".to_string())
        });
    }
    refusal
}

fn refuse_parts(
    classes: &Classes,
    room: &Room,
    programme: &Programme,
    index: usize,
    trace: &mut Trace,
) -> Option<Refusal> {
    let set = programme.payable & parts::ALL;
    if !classes.lines {
        // Without lines nobody knows how much of the total is shipping or fees. Gift card lines are the one part
        // that is left out by default, so a bare total counts as having none.
        if set | parts::GIFT_CARD == parts::ALL {
            return None;
        }
        trace.card(index, "lines", false, || {
            ("a bare total".to_string(), "lines, to leave out what the programme does not pay for".to_string())
        });
        return Some(code(codes::LINES_NEEDED));
    }
    let payable = room.lines(set);
    let refused = payable.is_zero() && !classes.whole.is_zero();
    let amount = trace.amount(payable);
    trace.card(index, "lines it may pay for", !refused, || (amount, "more than nothing".to_string()));
    if !refused {
        return None;
    }
    let only_gift_cards = set & parts::GIFT_CARD == 0 && classes.total[3] > Minor::ZERO && classes.total[0].is_zero();
    Some(code(if only_gift_cards { codes::NO_GIFT_CARDS } else { codes::NOTHING_PAYABLE }))
}

/// Lets one accepted card pay.
fn pay(request: &Request, index: usize, room: &mut Room, limits: &mut [Minor], trace: &mut Trace) -> Share {
    let card = &request.cards[index];
    let set = request.programmes[card.programme as usize].payable;
    let payable = room.payable(set, Minor::ZERO);
    let capped = card.verdicts.iter().filter_map(|verdict| match verdict {
        Verdict::AcceptUpTo(limit) => Some(*limit),
        _ => None,
    });
    let cap = capped.min().unwrap_or(Minor::MAX);
    let own = card.tender.worth(card.available).min(card.wanted.unwrap_or(Minor::MAX)).min(cap).min(payable);
    let mut applied = own;
    let mut reason = None;
    for (limit, left) in request.limits.iter().zip(&*limits) {
        if limit.cards.contains(&(index as u32)) {
            if left.is_zero() && !own.is_zero() {
                reason = reason.or(Some(limit.reason));
            }
            applied = applied.min(*left);
        }
    }
    for (limit, left) in request.limits.iter().zip(limits) {
        if limit.cards.contains(&(index as u32)) {
            *left = left.less(applied);
        }
    }
    room.pay(set, Minor::ZERO, applied);
    let (due, amount) = (trace.amount(payable), trace.amount(applied));
    trace.card(index, "pays", !applied.is_zero(), || (amount, format!("at most {due} of the order")));
    if applied.is_zero() {
        let outcome = reason.map_or(Outcome::NotNeeded, |reason| Outcome::Refused(Refusal::Reason(reason)));
        return Share::nothing(outcome, card.available);
    }
    let taken = card.tender.taken(applied).min(card.available);
    Share { outcome: Outcome::Used, excluded: Minor::ZERO, applied, taken, left: card.available.less(taken) }
}
