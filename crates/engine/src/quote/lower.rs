//! From names to handles: the request that the rules see. Must not ask a condition.

use alloc::borrow::Cow;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::{CardRefusal, QuoteError, QuoteRequest, input};
use crate::card::CardSnapshot;
use crate::code::normalise;
use crate::money::{MINOR_MAX, Minor};
use crate::order::{Line, Order, Part, Totals, check_attributes};
use crate::programme::{Audience, MANUAL, Programme};
use crate::redemption::{self, Card, Customer, Minimum, Policy, Request, Tender, Verdict, codes, parts};
use crate::value::{Named, Reject, Value};

/// A request in bare amounts, and what its indexes and handles stand for.
pub(super) struct Lowered<'a> {
    pub(super) request: Request,
    /// Index in the caller's cards, by index here.
    pub(super) cards: Vec<usize>,
    /// Repeated entry and the entry it repeats, as indexes in the caller's cards.
    pub(super) repeated: Vec<(usize, usize)>,
    /// By the programme index of a card.
    pub(super) programmes: Vec<Cow<'a, Programme>>,
    /// By handle.
    pub(super) reasons: Vec<CardRefusal>,
    /// The order came without lines, and says of its parts only that gift cards are among them.
    gift_cards_among_unknown: bool,
}

impl Lowered<'_> {
    /// A handle for a reason.
    pub(super) fn reason(&mut self, reject: Reject, plugin: Option<String>) -> u32 {
        self.reasons.push(CardRefusal { reject, plugin });
        u32::try_from(self.reasons.len() - 1).expect("INVARIANT: a handful of reasons for each card")
    }
}

pub(super) fn lower<'a, E>(request: &'a QuoteRequest, totals: &Totals) -> Result<Lowered<'a>, QuoteError<E>> {
    let QuoteRequest { order, site, cards, now, .. } = request;
    if order.site != site.id {
        return input("order.site", format!("is `{}`, but the site is `{}`", order.site, site.id));
    }
    let (unique, repeated) = unique_cards(request)?;
    let mut handles = Handles::default();
    let customer = lower_customer(order, &mut handles);
    let lines = lower_lines(order, totals);
    let gift_cards_among_unknown = lines.is_none() && totals.gift_cards > Some(Minor::ZERO);
    let mut lowered = Lowered {
        request: Request {
            total: order.total,
            tax: totals.tax,
            paid: order.paid,
            exponent: order.currency.exponent(),
            lines,
            customer,
            programmes: Vec::new(),
            cards: Vec::new(),
            limits: Vec::new(),
            now: now.at(),
            policy: Policy { order_of_use: site.order_of_use, cards_max: site.cards_max },
        },
        cards: unique,
        repeated,
        programmes: Vec::new(),
        reasons: Vec::new(),
        gift_cards_among_unknown,
    };
    for place in 0..lowered.cards.len() {
        let index = lowered.cards[place];
        let card = &cards[index];
        check_card(card, index)?;
        let programme = programme_of(request, card, index)?;
        let card = lower_card(request, card, programme, &mut lowered, &mut handles)?;
        lowered.request.cards.push(card);
    }
    Ok(lowered)
}

/// The same code twice is one card: the first entry counts.
#[allow(clippy::type_complexity, reason = "two lists, named where they are used")]
fn unique_cards<E>(request: &QuoteRequest) -> Result<(Vec<usize>, Vec<(usize, usize)>), QuoteError<E>> {
    let codes: Vec<Option<String>> = request.cards.iter().map(|card| card.code.as_deref().map(normalise)).collect();
    let (mut unique, mut repeated): (Vec<usize>, Vec<(usize, usize)>) = (Vec::new(), Vec::new());
    for (index, card) in request.cards.iter().enumerate() {
        let same = |&&earlier: &&usize| {
            request.cards[earlier].id == card.id || (codes[index].is_some() && codes[earlier] == codes[index])
        };
        match unique.iter().find(same) {
            None => unique.push(index),
            Some(&earlier) => {
                let first = &request.cards[earlier];
                let facts = |card: &CardSnapshot| CardSnapshot {
                    id: String::new(),
                    code: None,
                    use_at_most: None,
                    ..card.clone()
                };
                if codes[index] != codes[earlier] || facts(first) != facts(card) {
                    let problem = format!("is the same card as cards[{earlier}], but says otherwise about it");
                    return input(format!("cards[{index}]"), problem);
                }
                repeated.push((index, earlier));
            }
        }
    }
    Ok((unique, repeated))
}

fn check_card<E>(card: &CardSnapshot, index: usize) -> Result<(), QuoteError<E>> {
    let path = |field: &str| format!("cards[{index}].{field}");
    for (field, amount) in [("balance", card.balance), ("held", card.held), ("initial", card.initial)] {
        if amount.is_negative() {
            return input(path(field), "is negative; it must be at least 0");
        }
    }
    for (field, instant) in [("issued_at", Some(card.issued_at)), ("expires_at", card.expires_at)] {
        if instant.is_some_and(|instant| instant.unsigned_abs() > MINOR_MAX.unsigned_abs()) {
            return input(path(field), "is beyond 2^53 - 1 milliseconds");
        }
    }
    if card.held > card.balance {
        return input(path("held"), "is more than the balance");
    }
    if let Err(error) = check_attributes(&|| "attributes".into(), &card.attributes) {
        return input(path(&error.path), error.problem);
    }
    if card.use_at_most.is_some_and(|limit| limit <= Minor::ZERO) {
        return input(path("use_at_most"), "must be more than 0");
    }
    Ok(())
}

fn programme_of<'a, E>(
    request: &'a QuoteRequest,
    card: &CardSnapshot,
    index: usize,
) -> Result<Cow<'a, Programme>, QuoteError<E>> {
    let found = request
        .programmes
        .iter()
        .find(|programme| programme.site == card.site && programme.code_name == card.programme);
    match found {
        Some(programme) => Ok(Cow::Borrowed(programme)),
        None if card.programme == MANUAL => Ok(Cow::Owned(Programme::unrestricted(&card.site, MANUAL))),
        None => {
            let problem = format!("`{}` of site `{}` is not among the programmes", card.programme, card.site);
            input(format!("cards[{index}].programme"), problem)
        }
    }
}

fn lower_card<'a, E>(
    request: &'a QuoteRequest,
    card: &CardSnapshot,
    programme: Cow<'a, Programme>,
    lowered: &mut Lowered<'a>,
    handles: &mut Handles,
) -> Result<Card, QuoteError<E>> {
    let order = &request.order;
    let mut verdicts = Vec::new();
    if programme.site != order.site && !programme.accepted_by.contains(&order.site) {
        let reject = Reject::new("card-of-another-site", "the card belongs to another shop");
        verdicts.push(Verdict::Reject(lowered.reason(reject, None)));
    }
    if !programme.payable.gift_cards && lowered.gift_cards_among_unknown {
        let message = "the order has gift cards in it, and came without the lines that tell how much the card may pay";
        verdicts.push(Verdict::Reject(lowered.reason(Reject::new(codes::LINES_NEEDED, message), None)));
    }
    let tender = match card.currency == order.currency {
        true => Tender::SameCurrency,
        false => match request.site.conversion(card.currency, order.currency) {
            Ok(Some(ratio)) => Tender::Converted(ratio),
            Ok(None) => Tender::NoRate,
            Err(error) => return input("site.rates", error.to_string()),
        },
    };
    let known = lowered.programmes.iter().position(|known| *known == programme);
    let index = match known {
        Some(index) => index,
        None => {
            let numeric = lower_programme(request, &programme, handles)?;
            lowered.request.programmes.push(numeric);
            lowered.programmes.push(programme);
            lowered.programmes.len() - 1
        }
    };
    if lowered.programmes[index].minimum.is_some() && lowered.request.programmes[index].minimum.is_none() {
        let currency = Named { name: "currency".into(), value: Value::Text(request.site.currency.to_string()) };
        let reject = Reject {
            code: "minimum-not-comparable".into(),
            message: "the minimum order amount is in {currency}, and no exchange rate to it is recorded".into(),
            arguments: [currency].into(),
        };
        verdicts.push(Verdict::Reject(lowered.reason(reject, None)));
    }
    Ok(Card {
        programme: u32::try_from(index).expect("INVARIANT: at most one programme a card"),
        status: card.status,
        available: card.available(),
        tender,
        wanted: card.use_at_most,
        issued_at: card.issued_at,
        expires_at: card.expires_at,
        verdicts,
    })
}

/// A programme in bare amounts. A minimum that cannot be converted is left out here and refused by the caller.
fn lower_programme<E>(
    request: &QuoteRequest,
    programme: &Programme,
    handles: &mut Handles,
) -> Result<redemption::Programme, QuoteError<E>> {
    let (site, order) = (&request.site, &request.order);
    for (field, instant) in [("valid_from", programme.valid_from), ("valid_to", programme.valid_to)] {
        if instant.is_some_and(|instant| instant.unsigned_abs() > MINOR_MAX.unsigned_abs()) {
            return input(format!("programmes[{}].{field}", programme.code_name), "is beyond 2^53 - 1 milliseconds");
        }
    }
    let minimum = match programme.minimum {
        None => None,
        Some(minimum) => {
            if minimum.amount.is_negative() {
                let path = format!("programmes[{}].minimum_order", programme.code_name);
                return input(path, "is negative; it must be at least 0");
            }
            let amount = match site.currency == order.currency {
                true => Some(minimum.amount),
                false => match site.conversion(site.currency, order.currency) {
                    Ok(ratio) => ratio.map(|ratio| ratio.times_ceil(minimum.amount)),
                    Err(error) => return input("site.rates", error.to_string()),
                },
            };
            let basis = if minimum.basis.goods_only { parts::GOODS } else { parts::ALL };
            amount.map(|amount| Minimum { amount, basis, without_tax: minimum.basis.without_tax })
        }
    };
    let payable = programme.payable;
    let part = |allowed: bool, bit: u32| if allowed { bit } else { 0 };
    Ok(redemption::Programme {
        enabled: programme.enabled,
        valid_from: programme.valid_from,
        valid_to: programme.valid_to,
        audience: match &programme.audience {
            Audience::Everyone => redemption::Audience::Everyone,
            Audience::Registered => redemption::Audience::Registered,
            Audience::InRoles(roles) => {
                redemption::Audience::InRoles(roles.iter().map(|role| handles.of(role)).collect())
            }
            Audience::Customer(id) => redemption::Audience::Named(handles.of(id)),
        },
        minimum,
        payable: parts::GOODS
            | part(payable.shipping, parts::SHIPPING)
            | part(payable.fees, parts::FEE)
            | part(payable.gift_cards, parts::GIFT_CARD),
    })
}

/// Numbers for names, equal only for equal names.
#[derive(Default)]
struct Handles(Vec<String>);

impl Handles {
    fn of(&mut self, name: &str) -> u32 {
        let index = self.0.iter().position(|known| known == name).unwrap_or_else(|| {
            self.0.push(name.to_string());
            self.0.len() - 1
        });
        u32::try_from(index).expect("INVARIANT: names fit memory")
    }
}

fn lower_customer(order: &Order, handles: &mut Handles) -> Customer {
    let Some(customer) = &order.customer else { return Customer::default() };
    Customer {
        handle: customer.id.as_ref().map(|id| handles.of(id)),
        registered: customer.registered,
        roles: customer.roles.iter().flatten().map(|role| handles.of(role)).collect(),
    }
}

/// The lines, or one for each part where the order came with all of its totals, or none.
fn lower_lines(order: &Order, totals: &Totals) -> Option<Vec<redemption::Line>> {
    let bit = |part: Part| match part {
        Part::Goods => parts::GOODS,
        Part::Shipping => parts::SHIPPING,
        Part::Fee => parts::FEE,
        Part::GiftCard => parts::GIFT_CARD,
    };
    if let Some(lines) = &order.lines {
        let lower = |line: &Line| redemption::Line {
            total: line.total,
            tax: line.tax,
            parts: bit(line.part) | if line.payable_by_card { 0 } else { parts::NO_CARD },
        };
        return Some(lines.iter().map(lower).collect());
    }
    let Totals { goods, gift_cards, shipping, fees, .. } = *totals;
    let parts = [(goods, Part::Goods), (gift_cards, Part::GiftCard), (shipping, Part::Shipping), (fees, Part::Fee)];
    parts
        .into_iter()
        .map(|(total, part)| Some(redemption::Line { total: total?, tax: None, parts: bit(part) }))
        .collect()
}
