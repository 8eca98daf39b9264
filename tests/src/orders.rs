//! Small orders and cards for table tests, and what a quote tells in a few words. Panics on a wrong literal. Must not
//! hold a rule.

use giftcard_engine::card::CardSnapshot;
use giftcard_engine::moment::{InstantMs, Moment};
use giftcard_engine::money::{Currency, Minor};
use giftcard_engine::order::{Line, Order, Part};
use giftcard_engine::programme::{Programme, Site};
use giftcard_engine::quote::{CardOutcome, CardShare};
use giftcard_engine::redemption::OrderOfUse;
use giftcard_engine::{Quote, QuoteError, QuoteRequest};

use crate::native::NativeEvaluator;

/// Now, of [`request`].
pub const NOW: InstantMs = crate::random::NOW;
/// A day.
pub const DAY_MS: i64 = 86_400_000;

/// So many minor units. Panics outside the range.
#[must_use]
pub fn minor(amount: i64) -> Minor {
    Minor::new(amount).expect("an amount in range")
}

/// A currency of ISO 4217. Panics for any other.
#[must_use]
pub fn currency(code: &str) -> Currency {
    Currency::iso(code).expect("a currency with a minor unit")
}

/// "35.00" in a currency of two decimals.
#[must_use]
pub fn cents(text: &str) -> Minor {
    currency("USD").parse(text).expect("an amount such as 35.00")
}

/// A line of one piece, its tax not known.
#[must_use]
pub fn line(part: Part, total: &str) -> Line {
    Line {
        part,
        payable_by_card: true,
        quantity_milli: 1000,
        unit_price: cents(total),
        total: cents(total),
        tax: None,
        sku: None,
        name: None,
        product_type: None,
        categories: None,
        tags: None,
        attributes: Vec::new(),
    }
}

/// A line with its tax, which the total includes.
#[must_use]
pub fn taxed(part: Part, total: &str, tax: &str) -> Line {
    Line { tax: Some(cents(tax)), ..line(part, total) }
}

/// An order of `shop` in USD that came without lines.
#[must_use]
pub fn bare(total: &str) -> Order {
    Order::of_total("shop", currency("USD"), cents(total))
}

/// An order of these lines; their sum is the total.
#[must_use]
pub fn of_lines(lines: Vec<Line>) -> Order {
    let total = Minor::sum(lines.iter().map(|line| line.total)).expect("a total in range");
    Order { total, lines: Some(lines), ..bare("0") }
}

/// An order of one line of goods.
#[must_use]
pub fn of_goods(total: &str) -> Order {
    of_lines(vec![line(Part::Goods, total)])
}

/// An active card of the programme `manual`, without an end.
#[must_use]
pub fn card(id: &str, balance: &str) -> CardSnapshot {
    CardSnapshot {
        code: Some(format!("CODE-{id}")),
        issued_at: NOW - DAY_MS,
        ..CardSnapshot::new(id, "shop", currency("USD"), cents(balance))
    }
}

/// The same of another programme.
#[must_use]
pub fn card_of(id: &str, balance: &str, programme: &str) -> CardSnapshot {
    CardSnapshot { programme: programme.into(), ..card(id, balance) }
}

/// These cards, as entered, for the order; up to 20, used as entered, without a rate or a programme.
#[must_use]
pub fn request(order: Order, cards: Vec<CardSnapshot>) -> QuoteRequest {
    let site = Site {
        id: "shop".into(),
        currency: currency("USD"),
        order_of_use: OrderOfUse::AsEntered,
        cards_max: 20,
        rates: Vec::new(),
    };
    QuoteRequest {
        order,
        site: site.into(),
        programmes: Vec::new(),
        cards,
        now: Moment::new(NOW, 0).expect("an instant in range"),
    }
}

/// One card of 50.00 of a programme that `change` restricts.
#[must_use]
pub fn restricted(order: Order, change: impl FnOnce(&mut Programme)) -> QuoteRequest {
    let mut programme = Programme::unrestricted("shop", "spring");
    change(&mut programme);
    let request = request(order, vec![card_of("a", "50.00", "spring")]);
    QuoteRequest { programmes: vec![programme.into()], ..request }
}

/// What each card is told, and what is due: "15.00, 25.00 left", "not-needed" or a code.
#[must_use]
pub fn told(quote: &Quote) -> Vec<String> {
    let share = |share: &CardShare| match &share.outcome {
        CardOutcome::Used => format!("{}, {} left", share.applied.to_decimal(2), share.left.to_decimal(2)),
        CardOutcome::NotNeeded => "not-needed".to_string(),
        CardOutcome::Refused(refusal) => refusal.reject.code.clone(),
    };
    let mut told: Vec<String> = quote.shares.iter().map(share).collect();
    told.push(format!("{} due", quote.due.to_decimal(2)));
    told
}

/// What the standard rules tell each card, as [`told`] says it.
pub fn check(request: &QuoteRequest, expected: &[&str]) {
    check_with(&mut NativeEvaluator::default(), request, expected);
}

/// [`check`] with conditions or other rules; the quote, for more. Panics where there is none.
pub fn check_with(evaluator: &mut NativeEvaluator, request: &QuoteRequest, expected: &[&str]) -> Quote {
    let quote = evaluator.quote(request).unwrap_or_else(|error| panic!("expected {expected:?}: {error}"));
    assert_eq!(told(&quote), expected);
    quote
}

/// That the request is refused as wrong, where and why.
pub fn check_input(request: &QuoteRequest, path: &str, problem: &str) {
    let expected = QuoteError::Input { path: path.to_string(), problem: problem.to_string() };
    assert_eq!(NativeEvaluator::default().quote(request), Err(expected));
}
