//! Random requests that reach every rule, the same for the same seed on every machine. Must not compute what an answer
//! should be. All of them make sense: what a host refuses before it asks is not made here.

use giftcard_engine::card::CardSnapshot;
use giftcard_engine::moment::{InstantMs, Moment};
use giftcard_engine::money::{Currency, MINOR_MAX, Minor, Ratio};
use giftcard_engine::programme::{self, Basis, MinimumOrder, Payable, Rate, Site};
use giftcard_engine::redemption::{
    Audience, Card, Customer, Line, Minimum, OrderOfUse, Policy, Programme, Request, SharedLimit, Status, Tender,
    Verdict, parts,
};
use giftcard_engine::refund::{Payment, RefundRequest};
use giftcard_engine::{QuoteRequest, order};
use rand::seq::SliceRandom;
use rand::{Rng, RngExt, SeedableRng};
use rand_xorshift::XorShiftRng;

/// The now of every random request: 2026-11-22T12:00:00Z, a Sunday.
pub const NOW: InstantMs = 1_795_348_800_000;

const HOUR_MS: i64 = 3_600_000;

/// A source of randomness that a seed fixes.
pub struct Random(XorShiftRng);

impl Random {
    /// The same seed gives the same requests.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(XorShiftRng::seed_from_u64(seed))
    }

    /// Whether something that happens so often in a hundred happens.
    pub fn chance(&mut self, percent: u32) -> bool {
        self.0.random_ratio(percent, 100)
    }

    /// One of `low..=high`.
    pub fn within(&mut self, low: i64, high: i64) -> i64 {
        self.0.random_range(low..=high)
    }

    /// One of them.
    pub fn one<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.index(choices.len())]
    }

    /// Shuffles.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        items.shuffle(&mut self.0);
    }

    /// A new seed.
    pub fn seed(&mut self) -> u64 {
        self.0.next_u64()
    }

    fn index(&mut self, count: usize) -> usize {
        self.0.random_range(0..count)
    }

    /// Mostly few, sometimes `most`.
    fn count(&mut self, most: usize) -> usize {
        match self.index(20) {
            0 => most,
            1 => self.index(most + 1),
            2 => 0,
            _ => 1 + self.index(6),
        }
    }

    fn maybe<T>(&mut self, percent: u32, make: impl FnOnce(&mut Self) -> T) -> Option<T> {
        self.chance(percent).then(|| make(self))
    }

    /// Within the scale of a request: even, or of any number of digits, or just beside something.
    fn amount(&mut self, most: i64) -> i64 {
        match self.index(10) {
            0 => 0,
            1 => 1.min(most),
            2 => most,
            3 => (most - 1).max(0),
            4..7 => self.digits(most),
            _ => self.within(0, most),
        }
    }

    fn digits(&mut self, most: i64) -> i64 {
        let bits = 64 - u64::try_from(most).unwrap_or(1).max(1).leading_zeros();
        let power = 1_i64 << self.within(0, i64::from(bits) - 1);
        self.within(0, power).min(most)
    }

    /// `amount`, or one more or less.
    fn near(&mut self, amount: i64) -> i64 {
        (amount + self.within(-1, 1)).clamp(0, MINOR_MAX)
    }
}

fn minor(amount: i64) -> Minor {
    Minor::new(amount).expect("INVARIANT: every amount made here is within the range")
}

/// How large the amounts of a request are. Most are small, where ties and boundaries are met by chance.
fn scale(random: &mut Random) -> i64 {
    match random.index(10) {
        0..4 => 50,
        4..6 => 1_000,
        6..8 => 1_000_000,
        8 => 1 << 40,
        _ => MINOR_MAX,
    }
}

/// A request to `redemption::apply`.
pub fn request(random: &mut Random) -> Request {
    let scale = scale(random);
    let total = random.amount(scale);
    let lines = random.maybe(85, |random| lines(random, total));
    // A fully random request has hardly a card that is not refused, so restrictions are rare in most of them.
    let strict = random.one(&[0, 2, 8, 25]);
    let customer = customer(random);
    let whole_tax = taxes(lines.as_deref(), parts::ALL);
    let tax = match whole_tax {
        Some(tax) => random.maybe(90, |_| tax),
        None => random.maybe(50, |random| random.within(0, total)),
    };
    let programmes: Vec<Programme> =
        (0..=random.index(5)).map(|_| programme(random, strict, total, tax.unwrap_or(0), lines.as_deref())).collect();
    let cards: Vec<Card> = (0..random.count(50)).map(|_| card(random, strict, scale, programmes.len())).collect();
    let limits = limits(random, cards.len(), scale);
    Request {
        total: minor(total),
        tax: tax.map(minor),
        paid: minor(match random.index(10) {
            0..6 => 0,
            6 => random.near(total),
            7 => random.amount(scale),
            _ => random.within(0, total),
        }),
        exponent: random.one(&[0, 2, 3]),
        lines,
        customer,
        programmes,
        cards,
        limits,
        now: NOW,
        policy: Policy {
            order_of_use: order_of_use(random),
            cards_max: random.one(&[0, 1, 2, 3, 5, 20, 20, 20, 20, 100]),
        },
    }
}

fn order_of_use(random: &mut Random) -> OrderOfUse {
    use OrderOfUse::{AsEntered, OldestFirst, SmallestBalance, SoonestExpiry};
    random.one(&[AsEntered, SoonestExpiry, SmallestBalance, OldestFirst])
}

/// Adds up to `total`: cut at random places, so that lines of nothing are met too.
fn split(random: &mut Random, total: i64, count: usize) -> Vec<i64> {
    let mut cuts: Vec<i64> = (1..count).map(|_| random.within(0, total)).collect();
    cuts.extend([0, total]);
    cuts.sort_unstable();
    cuts.windows(2).map(|pair| pair[1] - pair[0]).collect()
}

fn lines(random: &mut Random, total: i64) -> Vec<Line> {
    let count = random.count(100).max(usize::from(total > 0));
    if count == 0 {
        return Vec::new();
    }
    let kinds: &[u32] = random.one(&[&[1], &[8], &[1, 2], &[1, 2, 4, 8], &[1, 1, 2, 4, 8], &[1, 8], &[2, 4]]);
    let taxed = random.one(&[0, 50, 95, 100, 100]);
    let odd = random.one(&[0, 0, 10, 60]);
    let mut lines: Vec<Line> = Vec::new();
    for total in split(random, total, count) {
        let mut parts = random.one(kinds);
        if random.chance(odd) {
            parts = random.one(&[parts | parts::NO_CARD, parts | parts::NO_CARD, parts | 64, parts::NO_CARD, 0, 32]);
        }
        let tax = random.maybe(taxed, |random| minor(random.within(0, total)));
        lines.push(Line { total: minor(total), tax, parts });
    }
    lines
}

fn sum(lines: Option<&[Line]>, basis: u32) -> i64 {
    let counted = lines.unwrap_or_default().iter().filter(|line| line.parts & basis != 0);
    counted.map(|line| line.total.get()).sum()
}

fn taxes(lines: Option<&[Line]>, basis: u32) -> Option<i64> {
    // A line of no known part counts for the whole only.
    let counted = lines?.iter().filter(|line| basis == parts::ALL || line.parts & basis != 0);
    counted.map(|line| line.tax.map(Minor::get)).sum()
}

fn customer(random: &mut Random) -> Customer {
    Customer {
        handle: random.maybe(70, |random| random.index(3) as u32),
        registered: random.chance(60),
        roles: (0..random.index(4)).map(|_| random.index(5) as u32).collect(),
    }
}

/// `strict` percent of chance for each restriction.
fn programme(random: &mut Random, strict: u32, total: i64, tax: i64, lines: Option<&[Line]>) -> Programme {
    let audience = match random.index(4) {
        _ if !random.chance(strict * 2) => Audience::Everyone,
        0 => Audience::Registered,
        1 => Audience::Named(random.index(3) as u32),
        _ => Audience::InRoles((0..random.index(4)).map(|_| random.index(5) as u32).collect()),
    };
    let minimum = random.maybe(strict * 2, |random| {
        let basis = random.one(&[parts::ALL, parts::ALL, parts::GOODS, 3, 7, 2, 9]);
        let without_tax = random.chance(40);
        let reached = if basis == parts::ALL { total } else { sum(lines, basis) };
        let tax = if basis == parts::ALL { tax } else { taxes(lines, basis).unwrap_or(0) };
        let amount = match random.index(5) {
            0 => random.amount(total),
            1 => 0,
            _ => random.near(reached - if without_tax { tax } else { 0 }),
        };
        Minimum { amount: minor(amount), basis, without_tax }
    });
    Programme {
        enabled: !random.chance(strict / 2),
        valid_from: random.maybe(20, |random| edge(random, strict).map_or(NOW - HOUR_MS, |edge| -edge + 2 * NOW)),
        valid_to: random.maybe(30, |random| edge(random, strict).unwrap_or(NOW + HOUR_MS)),
        audience,
        minimum,
        payable: match random.index(6) {
            0..3 => 7,
            3 => parts::ALL,
            4 => random.one(&[1, 2, 3, 5, 6, 9, 15, 31, 64 | 7]),
            _ => random.index(16) as u32,
        },
    }
}

/// An instant about now: past, now, or the next millisecond; or one well after it.
fn edge(random: &mut Random, strict: u32) -> Option<InstantMs> {
    match random.chance(strict) {
        true => Some(NOW + random.within(-1, 1)),
        false => random.maybe(70, |random| NOW + 1 + random.within(0, 4)),
    }
}

fn card(random: &mut Random, strict: u32, scale: i64, programmes: usize) -> Card {
    let tender = tender(random, strict, scale);
    let available = match random.chance(strict) {
        true => 0,
        // The same balance twice is a tie.
        false => random.amount(scale).max(i64::from(!random.chance(10))).min(scale),
    };
    let verdicts = (0..random.one(&[0, 0, 0, 1, 1, 2, 3]))
        .map(|_| match random.index(10) {
            _ if random.chance(strict / 2) => Verdict::Reject(random.index(6) as u32),
            0..3 => Verdict::AcceptUpTo(minor(random.amount(scale))),
            _ => Verdict::Accept,
        })
        .collect();
    Card {
        programme: random.index(programmes) as u32,
        status: match random.chance(strict) {
            true => random.one(&[Status::Pending, Status::Disabled, Status::Closed]),
            false => Status::Active,
        },
        available: minor(available),
        tender,
        wanted: random.maybe(20, |random| minor(random.amount(scale))),
        issued_at: NOW - random.within(0, 3),
        expires_at: random.maybe(50, |random| edge(random, strict).unwrap_or(NOW + HOUR_MS)),
        verdicts,
    }
}

fn tender(random: &mut Random, strict: u32, scale: i64) -> Tender {
    let (most, least) = (i128::from(MINOR_MAX), 1);
    let mut part = |high: i64| i128::from(random.within(1, high));
    let ratio = match part(10) {
        1..4 => Ratio::new(part(9), part(9)),
        4 => Ratio::new(part(2000), 1000),
        // The worth of a whole balance about the size of an order, from a ratio far from 1.
        5 => Ratio::new(part(MINOR_MAX), most / i128::from(scale)),
        6 => Ratio::new(part(MINOR_MAX), part(MINOR_MAX)),
        7 => {
            let extreme = [(most, least), (least, most), (most, most - 1), (most - 1, most), (least, 100)];
            let (numerator, denominator) = random.one(&extreme);
            Ratio::new(numerator, denominator)
        }
        _ => return if random.chance(strict) { Tender::NoRate } else { Tender::SameCurrency },
    };
    ratio.map_or(Tender::SameCurrency, Tender::Converted)
}

/// Shared limits that overlap. Their reasons are apart from those of verdicts.
fn limits(random: &mut Random, cards: usize, scale: i64) -> Vec<SharedLimit> {
    if cards == 0 {
        return Vec::new();
    }
    let count = random.one(&[0, 0, 1, 1, 2, 4]);
    let mut limits = Vec::new();
    for number in 0..count {
        let mut indexes: Vec<u32> = (0..cards).filter_map(|card| u32::try_from(card).ok()).collect();
        random.shuffle(&mut indexes);
        indexes.truncate(1 + random.index(cards));
        limits.push(SharedLimit { limit: minor(random.amount(scale)), cards: indexes, reason: 100 + number });
    }
    limits
}

/// A refund that can be split; one in ten asks for more than there is or contradicts itself.
pub fn refund_request(random: &mut Random) -> RefundRequest {
    let scale = scale(random).max(2);
    let mut payments: Vec<Payment> = (0..random.count(50).max(1)).map(|_| payment(random, scale)).collect();
    let open: i128 = payments
        .iter()
        .map(|payment| i128::from(payment.applied.get()) - i128::from(payment.applied_returned.get()))
        .sum();
    let open = i64::try_from(open).unwrap_or(MINOR_MAX).min(MINOR_MAX);
    let mut amount = if random.chance(30) { open } else { random.amount(open) };
    if random.chance(5) {
        amount = random.near(open).max(random.within(-1, 0));
    }
    if random.chance(5) {
        let broken = random.index(payments.len());
        let payment = &mut payments[broken];
        match random.index(4) {
            0 => payment.applied = minor(-1),
            1 => payment.taken = Minor::ZERO,
            2 => payment.taken_returned = minor(random.near(payment.taken_returned.get() + 1)),
            _ => payment.applied_returned = minor(random.near(payment.applied.get() + 1)),
        }
    }
    RefundRequest { amount: minor(amount), exponent: 2, payments }
}

fn payment(random: &mut Random, scale: i64) -> Payment {
    let applied = random.amount(scale);
    let taken = match random.chance(50) {
        _ if applied == 0 => 0,
        true => applied,
        false => random.digits(scale).max(1),
    };
    let applied_returned = random.maybe(50, |random| random.amount(applied)).unwrap_or(0);
    let fair = match applied {
        0 => 0,
        _ => i128::from(taken) * i128::from(applied_returned) / i128::from(applied),
    };
    let fair = i64::try_from(fair).unwrap_or(0);
    // Rounding in earlier refunds can only have left it behind.
    let taken_returned = if random.chance(80) { fair } else { random.amount(fair) };
    Payment {
        applied: minor(applied),
        taken: minor(taken),
        applied_returned: minor(applied_returned),
        taken_returned: minor(taken_returned),
    }
}

const CURRENCIES: [(&str, u8); 4] = [("EUR", 2), ("USD", 2), ("JPY", 0), ("KWD", 3)];
const SITES: [&str; 3] = ["shop", "outlet", "partner"];
const ROLES: [&str; 4] = ["vip", "staff", "press", "wholesale"];
const CUSTOMERS: [&str; 3] = ["c-1", "c-2", "c-3"];

fn currency(random: &mut Random) -> Currency {
    let (code, exponent) = random.one(&CURRENCIES);
    Currency::new(code, exponent).expect("INVARIANT: three letters and a small exponent")
}

fn words(random: &mut Random, prefix: &str) -> Vec<String> {
    (0..random.index(4)).map(|_| format!("{prefix}-{}", random.index(8))).collect()
}

/// A whole request without conditions: rich orders, cards of several programmes, sites and currencies. Its order adds
/// up, and every card's programme is there.
pub fn quote_request(random: &mut Random) -> QuoteRequest {
    let scale = random.one(&[50, 20_000, 20_000, 1_000_000, MINOR_MAX]);
    let order = order(random, scale);
    let site = site(random, &order);
    let strict = random.one(&[0, 5, 20]);
    let programmes: Vec<programme::Programme> =
        (0..=random.index(5)).map(|number| quote_programme(random, number, strict, order.total.get())).collect();
    let mut cards: Vec<CardSnapshot> =
        (0..random.count(50)).map(|number| quote_card(random, number, strict, scale, &order, &programmes)).collect();
    if !cards.is_empty() && random.chance(15) {
        // The same code, typed in otherwise.
        let again = random.index(cards.len());
        let mut card = cards[again].clone();
        card.code = card.code.map(|code| code.to_lowercase().replace('-', " "));
        card.use_at_most = None;
        cards.push(card);
    }
    let now = Moment::new(NOW, random.one(&[0, 3600, -18_000, 19_800])).expect("INVARIANT: a year that chrono knows");
    let programmes = programmes.into_iter().map(Into::into).collect();
    QuoteRequest { order, site: site.into(), programmes, cards, now }
}

fn site(random: &mut Random, order: &order::Order) -> Site {
    let main = if random.chance(70) { order.currency } else { currency(random) };
    let mut rates = Vec::new();
    for (code, exponent) in CURRENCIES {
        let from = Currency::new(code, exponent).expect("INVARIANT: three letters and a small exponent");
        if from != order.currency && random.chance(75) {
            let (coefficient, scale) = (random.within(1, 2_000_000), random.one(&[0, 2, 4, 6]));
            let (from, to) = if random.chance(70) { (from, order.currency) } else { (order.currency, from) };
            rates.push(Rate { from, to, coefficient, scale });
        }
    }
    Site {
        id: order.site.clone(),
        currency: main,
        order_of_use: order_of_use(random),
        cards_max: random.one(&[1, 3, 20, 20, 20]),
        rates,
    }
}

fn order(random: &mut Random, scale: i64) -> order::Order {
    let total = random.amount(scale);
    let currency = currency(random);
    let lines = random.maybe(85, |random| order_lines(random, total));
    let parts = split(random, total, 4);
    let known = random.one(&[0, 3, 4]);
    let given = |part: usize| (lines.is_none() && part < known).then(|| minor(parts[part]));
    let mut totals = order::Totals {
        goods: given(0),
        shipping: given(1),
        fees: given(2),
        gift_cards: given(3),
        tax: None,
        discounts: None,
    };
    if lines.is_none() {
        totals.tax = random.maybe(60, |random| minor(random.within(0, total)));
    }
    let discounts = random.maybe(50, |random| {
        let discount = |random: &mut Random| order::Discount {
            code: random.maybe(50, |random| format!("SAVE{}", random.index(100))),
            amount: minor(random.amount(scale / 64)),
        };
        (0..random.index(3)).map(|_| discount(random)).collect()
    });
    order::Order {
        id: random.maybe(80, |random| format!("o-{}", random.within(1, 1_000_000))),
        site: random.one(&SITES).to_string(),
        channel: random.maybe(60, |random| random.one(&["web", "pos", "app"]).to_string()),
        payment_method: random.maybe(60, |random| random.one(&["card", "invoice"]).to_string()),
        shipping_method: random.maybe(60, |random| random.one(&["parcel", "pickup"]).to_string()),
        currency,
        total: minor(total),
        paid: minor(if random.chance(70) { 0 } else { random.amount(scale) }),
        totals,
        lines,
        discounts,
        billing: random.maybe(50, address),
        ship_to: random.maybe(50, address),
        customer: random.maybe(70, order_customer),
        placed_at: random.maybe(50, |_| Moment::new(NOW - HOUR_MS, 0)).flatten(),
        attributes: Vec::new(),
    }
}

fn order_lines(random: &mut Random, total: i64) -> Vec<order::Line> {
    use order::Part::{Fee, GiftCard, Goods, Shipping};
    let count = random.count(100).max(1);
    let kinds: &[order::Part] =
        random.one(&[&[Goods], &[Goods, Goods, Goods, Shipping], &[Goods, Shipping, Fee, GiftCard], &[GiftCard]]);
    let (taxed, rich, barred) = (random.one(&[0, 90, 100]), random.chance(80), random.one(&[0, 0, 20]));
    let mut lines = Vec::new();
    for (number, total) in split(random, total, count).into_iter().enumerate() {
        lines.push(order::Line {
            part: random.one(kinds),
            payable_by_card: !random.chance(barred),
            quantity_milli: random.one(&[1000, 1000, 2000, 1500, 0]),
            unit_price: minor(random.near(total)),
            total: minor(total),
            tax: random.maybe(taxed, |random| minor(random.within(0, total))),
            sku: rich.then(|| format!("SKU-{number:04}")),
            name: rich.then(|| format!("Thing {number} – größer, 大")),
            product_type: random.maybe(50, |random| random.one(&["simple", "bundle"]).to_string()),
            categories: rich.then(|| words(random, "category")),
            tags: rich.then(|| words(random, "tag")),
            attributes: Vec::new(),
        });
    }
    lines
}

fn address(random: &mut Random) -> order::Address {
    let (country, city) = random.one(&[("DE", "Köln"), ("US", "Reno"), ("JP", "大阪")]);
    order::Address {
        country: country.to_string(),
        region: random.maybe(50, |_| "R1".to_string()),
        postal_code: random.maybe(80, |random| format!("{:05}", random.within(0, 99_999))),
        city: Some(city.to_string()),
    }
}

fn order_customer(random: &mut Random) -> order::Customer {
    order::Customer {
        id: random.maybe(80, |random| random.one(&CUSTOMERS).to_string()),
        registered: random.chance(60),
        roles: random.maybe(70, |random| (0..random.index(3)).map(|_| random.one(&ROLES).to_string()).collect()),
        segments: random.maybe(40, |random| words(random, "segment")),
        email: random.maybe(60, |_| "someone@example.com".to_string()),
        orders: random.maybe(50, |random| random.index(40) as u32),
        spent: random.maybe(50, |random| minor(random.within(0, 1_000_000))),
        attributes: Vec::new(),
    }
}

fn quote_programme(random: &mut Random, number: usize, strict: u32, total: i64) -> programme::Programme {
    let mut programme = programme::Programme::unrestricted(random.one(&SITES), &format!("programme-{number}"));
    programme.enabled = !random.chance(strict / 2);
    programme.valid_from = random.maybe(20, |random| edge(random, strict).map_or(NOW - HOUR_MS, |edge| 2 * NOW - edge));
    programme.valid_to = random.maybe(30, |random| edge(random, strict).unwrap_or(NOW + HOUR_MS));
    programme.audience = match random.index(4) {
        _ if !random.chance(strict * 2) => programme::Audience::Everyone,
        0 => programme::Audience::Registered,
        1 => programme::Audience::Customer(random.one(&CUSTOMERS).to_string()),
        _ => programme::Audience::InRoles((0..random.index(3)).map(|_| random.one(&ROLES).to_string()).collect()),
    };
    programme.minimum = random.maybe(strict * 2, |random| MinimumOrder {
        amount: minor(if random.chance(50) { random.near(total) } else { random.amount(total) }),
        basis: Basis { goods_only: random.chance(40), without_tax: random.chance(40) },
    });
    programme.payable = match random.chance(60) {
        true => Payable::default(),
        false => Payable { shipping: random.chance(50), fees: random.chance(50), gift_cards: random.chance(50) },
    };
    programme.accepted_by = SITES.iter().filter(|_| random.chance(90)).map(ToString::to_string).collect();
    programme
}

fn quote_card(
    random: &mut Random,
    number: usize,
    strict: u32,
    scale: i64,
    order: &order::Order,
    programmes: &[programme::Programme],
) -> CardSnapshot {
    let programme = &programmes[random.index(programmes.len())];
    let (balance, extra) = (random.amount(scale), random.amount(scale));
    CardSnapshot {
        id: format!("card-{number}"),
        code: random.maybe(80, |_| format!("ABCD-{number:04}-EFGH")),
        site: programme.site.clone(),
        programme: programme.code_name.clone(),
        currency: if random.chance(60) { order.currency } else { currency(random) },
        status: match random.chance(strict) {
            true => random.one(&[Status::Pending, Status::Disabled, Status::Closed]),
            false => Status::Active,
        },
        balance: minor(balance),
        held: minor(if random.chance(80) { 0 } else { random.within(0, balance) }),
        initial: minor(balance.saturating_add(extra).min(MINOR_MAX)),
        issued_at: NOW - random.within(0, 3),
        expires_at: random.maybe(50, |random| edge(random, strict).unwrap_or(NOW + HOUR_MS)),
        expires_on: None,
        use_at_most: random.maybe(20, |random| minor(random.amount(scale).max(1))),
        attributes: Vec::new(),
    }
}
