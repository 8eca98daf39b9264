//! A second implementation of the rules, written from the contract and not from the engine: amounts are found by
//! trying, one minor unit after another or by bisection on "would this still be allowed?", never by a formula.
//! Slow on purpose. Must not call anything of the engine that computes; its types and the names of its codes are shared.

use std::borrow::Cow;

use giftcard_engine::Minor;
use giftcard_engine::money::MINOR_MAX;
use giftcard_engine::redemption::{
    Audience, Card, Decision, Minimum, OrderOfUse, Outcome, Programme, Refusal, Request, Share, Status, Tender,
    Verdict, codes, parts,
};
use giftcard_engine::refund::{Payment, RefundRequest, RefundShare};

/// How the amounts are found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// One minor unit of the order at a time goes to the first card that can still give one. For small orders.
    UnitByUnit,
    /// One card at a time gives the most that is allowed, found by bisection.
    Bisection,
}

/// Orders up to this many minor units are paid unit by unit.
const UNIT_BY_UNIT_MAX: i64 = 300;

/// What every card pays. The request must make sense: indexes point somewhere and the lines add up.
#[must_use]
pub fn apply(request: &Request) -> Decision {
    let small = request.total.get() <= UNIT_BY_UNIT_MAX;
    apply_by(request, if small { Method::UnitByUnit } else { Method::Bisection })
}

/// [`apply`] by a method of choice.
#[must_use]
pub fn apply_by(request: &Request, method: Method) -> Decision {
    let refusals = refusals(request);
    let order: Vec<usize> = order_of_use(request).into_iter().filter(|&card| refusals[card].is_none()).collect();
    let mut till = Till::new(request);
    match method {
        Method::UnitByUnit => {
            while let Some(&card) = order.iter().find(|&&card| till.allows(card, till.applied[card] + 1)) {
                till.applied[card] += 1;
            }
        }
        Method::Bisection => {
            for &card in &order {
                till.applied[card] = greatest(amount(request.total), |units| till.allows(card, units));
            }
        }
    }
    // A second pass for what each card was shown at its turn: the later cards have paid nothing then.
    let paid = std::mem::replace(&mut till.applied, vec![0; request.cards.len()]);
    let mut shares: Vec<Share> = request.cards.iter().map(nothing).collect();
    for (index, refusal) in refusals.into_iter().enumerate() {
        if let Some(refusal) = refusal {
            shares[index].outcome = Outcome::Refused(refusal);
        }
    }
    for &card in &order {
        let payable = greatest(amount(request.total), |units| till.order_allows(card, units));
        let outcome = match paid[card] {
            0 => till.why_nothing(card, payable),
            _ => Outcome::Used,
        };
        till.applied[card] = paid[card];
        if matches!(outcome, Outcome::Refused(_)) {
            shares[card].outcome = outcome;
            continue;
        }
        let taken = taken(&request.cards[card], paid[card]);
        shares[card] = Share {
            outcome,
            excluded: Minor::ZERO,
            applied: minor(paid[card]),
            taken: minor(taken),
            left: minor(amount(request.cards[card].available) - taken),
        };
    }
    Decision { shares, steps: Vec::new() }
}

/// Whether the order has room for one more unit from this card, whatever the card itself allows.
#[must_use]
pub fn leaves_room(request: &Request, shares: &[Share], card: usize) -> bool {
    let mut till = Till::new(request);
    till.applied = shares.iter().map(|share| amount(share.applied)).collect();
    till.order_allows(card, till.applied[card] + 1)
}

/// The cards as they are used: a card's place is the number of cards that come before it.
#[must_use]
pub fn order_of_use(request: &Request) -> Vec<usize> {
    let cards = 0..request.cards.len();
    let place = |card: usize| cards.clone().filter(|&other| comes_before(request, other, card)).count();
    let mut order = vec![0; request.cards.len()];
    for card in cards.clone() {
        order[place(card)] = card;
    }
    order
}

/// How a refund goes back, or the code of its refusal.
///
/// # Errors
/// `refund-payment-invalid`, `refund-not-positive` or `refund-above-refundable`.
pub fn refund(request: &RefundRequest) -> Result<Vec<RefundShare>, &'static str> {
    if !request.payments.iter().all(makes_sense) {
        return Err("refund-payment-invalid");
    }
    let wanted = amount(request.amount);
    if wanted < 1 {
        return Err("refund-not-positive");
    }
    let open: Vec<i128> =
        request.payments.iter().map(|payment| amount(payment.applied) - amount(payment.applied_returned)).collect();
    let all: i128 = open.iter().sum();
    if wanted > all {
        return Err("refund-above-refundable");
    }
    // Everyone's exact share is wanted * open / all. First the whole units of it, then the missing units one by one to
    // whoever is furthest below the exact share and has not had one yet.
    let mut back: Vec<i128> = open.iter().map(|open| greatest(*open, |units| units * all <= wanted * open)).collect();
    let mut topped_up = vec![false; open.len()];
    while back.iter().sum::<i128>() < wanted {
        let short = |tender: usize| wanted * open[tender] - back[tender] * all;
        let mut next: Option<usize> = None;
        for tender in (0..open.len()).filter(|tender| !topped_up[*tender]) {
            if next.is_none_or(|best| short(tender) > short(best)) {
                next = Some(tender);
            }
        }
        let Some(next) = next else { return Err("naive-split-stuck") };
        back[next] += 1;
        topped_up[next] = true;
    }
    let shares = request.payments.iter().zip(back);
    Ok(shares.map(|(payment, back)| RefundShare { applied: minor(back), taken: taken_back(payment, back) }).collect())
}

fn makes_sense(payment: &Payment) -> bool {
    let (applied, taken) = (amount(payment.applied), amount(payment.taken));
    let (applied_back, taken_back) = (amount(payment.applied_returned), amount(payment.taken_returned));
    [applied, taken, applied_back, taken_back].iter().all(|amount| *amount >= 0)
        && applied_back <= applied
        && taken_back <= taken
        && (applied == 0) == (taken == 0)
        // Never ahead of its share: taken_back / taken <= applied_back / applied.
        && taken_back * applied <= applied_back * taken
}

/// Cumulative: after this, as much of `taken` has gone back as its share of `applied` allows.
fn taken_back(payment: &Payment, back: i128) -> Minor {
    let returned = amount(payment.applied_returned) + back;
    let (applied, taken) = (amount(payment.applied), amount(payment.taken));
    let share = greatest(taken, |units| units * applied <= taken * returned);
    minor(share - amount(payment.taken_returned))
}

fn nothing(card: &Card) -> Share {
    let zero = Minor::ZERO;
    Share { outcome: Outcome::NotNeeded, excluded: zero, applied: zero, taken: zero, left: card.available }
}

/// Every bound on what cards may pay, asked as "may this card have paid so many units?".
struct Till<'a> {
    request: &'a Request,
    applied: Vec<i128>,
    /// By set of parts: what its lines come to, less what is paid already, which may have been paid for any of it.
    rooms: Vec<i128>,
    /// By card: the set of parts it may pay for.
    sets: Vec<u32>,
}

impl<'a> Till<'a> {
    fn new(request: &'a Request) -> Self {
        let room = |set| (payable_lines(request, set) - amount(request.paid)).max(0);
        Self {
            request,
            applied: vec![0; request.cards.len()],
            rooms: (0..=parts::ALL).map(room).collect(),
            sets: (0..request.cards.len()).map(|card| parts_of(request, card)).collect(),
        }
    }

    fn allows(&self, card: usize, units: i128) -> bool {
        self.order_allows(card, units)
            && self.card_allows(card, units)
            && self.verdicts_allow(card, units)
            && self.exhausted(card, units).is_none()
    }

    /// For every set of parts: cards that may pay for nothing else may together pay no more than there is room.
    fn order_allows(&self, card: usize, units: i128) -> bool {
        (0_u32..).zip(&self.rooms).filter(|(set, _)| self.sets[card] & !set == 0).all(|(set, room)| {
            let others = (0..self.applied.len()).filter(|&other| other != card && self.sets[other] & !set == 0);
            others.map(|other| self.applied[other]).sum::<i128>() + units <= *room
        })
    }

    fn card_allows(&self, card: usize, units: i128) -> bool {
        let card = &self.request.cards[card];
        card_covers(card, amount(card.available), units) && card.wanted.is_none_or(|wanted| units <= amount(wanted))
    }

    fn verdicts_allow(&self, card: usize, units: i128) -> bool {
        self.request.cards[card].verdicts.iter().all(|verdict| match verdict {
            Verdict::Accept => true,
            Verdict::AcceptUpTo(limit) => units <= amount(*limit),
            Verdict::Reject(_) => false,
        })
    }

    /// Reason of the first shared limit that these units would break.
    fn exhausted(&self, card: usize, units: i128) -> Option<u32> {
        let number = |index: &usize| u32::try_from(*index).unwrap_or(u32::MAX);
        let broken = self.request.limits.iter().find(|limit| {
            let others = (0..self.applied.len()).filter(|index| *index != card && limit.cards.contains(&number(index)));
            let together = others.map(|index| self.applied[index]).sum::<i128>() + units;
            limit.cards.contains(&number(&card)) && together > amount(limit.limit)
        });
        broken.map(|limit| limit.reason)
    }

    /// Why an accepted card pays nothing. Only what stands between it and its first unit counts.
    fn why_nothing(&self, card: usize, payable: i128) -> Outcome {
        if payable == 0 {
            return Outcome::NotNeeded;
        }
        if !self.card_allows(card, 1) {
            return Outcome::NotNeeded;
        }
        match self.exhausted(card, 1) {
            Some(reason) => Outcome::Refused(Refusal::Reason(reason)),
            None => Outcome::NotNeeded,
        }
    }
}

/// Why each card is refused before any is used.
fn refusals(request: &Request) -> Vec<Option<Refusal>> {
    let mut accepted = 0;
    let mut refusals = Vec::new();
    for card in &request.cards {
        let mut refusal = first_refusal(request, card);
        if refusal.is_none() {
            accepted += 1;
            if accepted > request.policy.cards_max {
                refusal = Some(Refusal::Code(Cow::Borrowed(codes::TOO_MANY_CARDS)));
            }
        }
        refusals.push(refusal);
    }
    refusals
}

/// A table, in order of precedence: the first row that holds is the answer.
fn first_refusal(request: &Request, card: &Card) -> Option<Refusal> {
    let programme = &request.programmes[card.programme as usize];
    let customer = &request.customer;
    let now = request.now;
    let audience = &programme.audience;
    let minimum = minimum_state(request, programme.minimum.as_ref());
    let for_members = matches!(audience, Audience::Registered | Audience::InRoles(_));
    let outside_roles =
        matches!(audience, Audience::InRoles(roles) if !customer.roles.iter().any(|role| roles.contains(role)));
    let other_customer = matches!(audience, Audience::Named(handle) if customer.handle != Some(*handle));
    let rows = [
        (card.status == Status::Closed, codes::CARD_CLOSED),
        (card.status == Status::Disabled, codes::CARD_DISABLED),
        (card.status == Status::Pending, codes::CARD_PENDING),
        (!programme.enabled, codes::PROGRAMME_DISABLED),
        (card.expires_at.is_some_and(|end| now >= end), codes::CARD_EXPIRED),
        (programme.valid_to.is_some_and(|end| now >= end), codes::PROGRAMME_ENDED),
        (programme.valid_from.is_some_and(|begin| now < begin), codes::NOT_YET_VALID),
        (amount(card.available) == 0, codes::CARD_EMPTY),
        (for_members && !customer.registered, codes::REGISTERED_ONLY),
        (outside_roles, codes::NOT_IN_ROLE),
        (other_customer, codes::OTHER_CUSTOMER),
        (card.tender == Tender::NoRate, codes::CURRENCY_MISMATCH),
        (!card_covers(card, amount(card.available), 1), codes::WORTH_NOTHING_HERE),
        (minimum == MinimumState::NotMet, codes::MINIMUM_NOT_MET),
        (minimum == MinimumState::LinesNeeded, codes::LINES_NEEDED),
        (minimum == MinimumState::TaxNeeded, codes::TAX_NEEDED),
    ];
    let code = |code: &'static str| Some(Refusal::Code(Cow::Borrowed(code)));
    if let Some((_, found)) = rows.iter().find(|(holds, _)| *holds) {
        return code(found);
    }
    for verdict in &card.verdicts {
        if let Verdict::Reject(reason) = verdict {
            return Some(Refusal::Reason(*reason));
        }
    }
    if card.verdicts.iter().any(|verdict| matches!(verdict, Verdict::AcceptUpTo(limit) if amount(*limit) == 0)) {
        return code(codes::LIMIT_REACHED);
    }
    parts_refusal(request, programme).and_then(code)
}

fn parts_refusal(request: &Request, programme: &Programme) -> Option<&'static str> {
    let may_pay_for = programme.payable & parts::ALL;
    let Some(lines) = &request.lines else {
        // A bare total counts as having no gift cards in it; beyond that nobody knows how it is made up.
        return (may_pay_for & 7 != 7).then_some(codes::LINES_NEEDED);
    };
    if payable_lines(request, may_pay_for) > 0 || request.total.is_zero() {
        return None;
    }
    // Shipping and fees are not in the cart: they come with what is.
    let in_cart = |part: u32| lines.iter().any(|line| line.parts & part != 0 && !line.total.is_zero());
    let only_gift_cards = in_cart(parts::GIFT_CARD) && !in_cart(parts::GOODS);
    let barred = may_pay_for & parts::GIFT_CARD == 0;
    Some(if only_gift_cards && barred { codes::NO_GIFT_CARDS } else { codes::NOTHING_PAYABLE })
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum MinimumState {
    Met,
    NotMet,
    LinesNeeded,
    TaxNeeded,
}

fn minimum_state(request: &Request, minimum: Option<&Minimum>) -> MinimumState {
    let Some(minimum) = minimum else { return MinimumState::Met };
    let reached = match minimum.basis & parts::ALL {
        parts::ALL => match minimum.without_tax {
            false => Some(amount(request.total)),
            true => request.tax.map(|tax| amount(request.total) - amount(tax)),
        },
        basis => request.lines.as_ref().and_then(|lines| {
            let mut reached = 0;
            for line in lines.iter().filter(|line| line.parts & basis != 0) {
                let tax = if minimum.without_tax { amount(line.tax?) } else { 0 };
                reached += amount(line.total) - tax;
            }
            Some(reached)
        }),
    };
    match reached {
        // A part of the total cannot be told without lines; otherwise it is the tax that is missing.
        None if request.lines.is_none() && minimum.basis & parts::ALL != parts::ALL => MinimumState::LinesNeeded,
        None => MinimumState::TaxNeeded,
        Some(reached) if reached >= amount(minimum.amount) => MinimumState::Met,
        Some(_) => MinimumState::NotMet,
    }
}

/// What the lines of these parts come to, as far as cards may pay for them. A bare total may be anything.
fn payable_lines(request: &Request, set: u32) -> i128 {
    match &request.lines {
        None => amount(request.total),
        Some(lines) => {
            let payable = lines.iter().filter(|line| line.parts & set != 0 && line.parts & parts::NO_CARD == 0);
            payable.map(|line| amount(line.total)).sum()
        }
    }
}

fn parts_of(request: &Request, card: usize) -> u32 {
    request.programmes[request.cards[card].programme as usize].payable & parts::ALL
}

fn comes_before(request: &Request, a: usize, b: usize) -> bool {
    use std::cmp::Ordering::{Equal, Less};
    let (card_a, card_b) = (&request.cards[a], &request.cards[b]);
    let end = |card: &Card| {
        let programme_end = request.programmes[card.programme as usize].valid_to;
        // No end is later than every end.
        card.expires_at.into_iter().chain(programme_end).min().map_or((1, 0), |end| (0, end))
    };
    let ends = end(card_a).cmp(&end(card_b));
    let worth = worth_here(card_a).cmp(&worth_here(card_b));
    let (first, second) = match request.policy.order_of_use {
        OrderOfUse::AsEntered => (Equal, Equal),
        OrderOfUse::SoonestExpiry => (ends, worth),
        OrderOfUse::SmallestBalance => (worth, ends),
        OrderOfUse::OldestFirst => (card_a.issued_at.cmp(&card_b.issued_at), Equal),
    };
    first.then(second).then(a.cmp(&b)) == Less
}

/// The most of the order's units that the whole card covers; no amount is above [`MINOR_MAX`].
fn worth_here(card: &Card) -> i128 {
    greatest(i128::from(MINOR_MAX), |units| card_covers(card, amount(card.available), units))
}

/// The fewest of the card's units that cover so many of the order's.
fn taken(card: &Card, units: i128) -> i128 {
    let available = amount(card.available);
    // The least that covers is what is left once the most that can be spared has been put aside.
    available - greatest(available, |spared| card_covers(card, available - spared, units))
}

/// Whether `card_units` are worth at least `units` of the order: card * numerator / denominator >= units.
fn card_covers(card: &Card, card_units: i128, units: i128) -> bool {
    match card.tender {
        Tender::SameCurrency => units <= card_units,
        Tender::Converted(ratio) => {
            units * i128::from(ratio.denominator()) <= card_units * i128::from(ratio.numerator())
        }
        Tender::NoRate => units == 0,
    }
}

/// The greatest number of 0..=most that is allowed. Nothing is always allowed, and so is less than what is allowed.
fn greatest(most: i128, allowed: impl Fn(i128) -> bool) -> i128 {
    let (mut good, mut beyond) = (0, most + 1);
    while beyond - good > 1 {
        let middle = good + (beyond - good) / 2;
        if allowed(middle) { good = middle } else { beyond = middle }
    }
    good
}

fn amount(minor: Minor) -> i128 {
    i128::from(minor.get())
}

fn minor(units: i128) -> Minor {
    i64::try_from(units).ok().and_then(|units| Minor::new(units).ok()).expect("INVARIANT: bounded by amounts given")
}
