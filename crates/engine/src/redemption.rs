//! How cards pay for an order, on bare amounts: the records of the contract's `redemption` interface and `apply`.
//!
//! Must not know names, texts of orders or where a verdict came from. Handles are compared, never read.

mod apply;
mod room;

use alloc::borrow::Cow;
use alloc::vec::Vec;

pub use apply::{Unusable, apply, card_order};
pub(crate) use room::{Room, part_of};

pub use crate::card::Status;
use crate::moment::InstantMs;
use crate::money::{Minor, Ratio};
use crate::value::Step;

/// Bits of [`Line::parts`], [`Minimum::basis`] and [`Programme::payable`].
pub mod parts {
    /// Goods.
    pub const GOODS: u32 = 1;
    /// Shipping.
    pub const SHIPPING: u32 = 2;
    /// Fees.
    pub const FEE: u32 = 4;
    /// Lines that sell gift cards.
    pub const GIFT_CARD: u32 = 8;
    /// All of the above: the whole total.
    pub const ALL: u32 = 15;
    /// A flag beside one of the above: no card may pay for the line.
    pub const NO_CARD: u32 = 16;
}

/// The refusal codes of the standard rules, in order of precedence.
pub mod codes {
    /// The card is closed.
    pub const CARD_CLOSED: &str = "card-closed";
    /// The card is blocked.
    pub const CARD_DISABLED: &str = "card-disabled";
    /// The order that bought the card is not invoiced.
    pub const CARD_PENDING: &str = "card-pending";
    /// The programme is switched off.
    pub const PROGRAMME_DISABLED: &str = "programme-disabled";
    /// The card's own end has passed.
    pub const CARD_EXPIRED: &str = "card-expired";
    /// The programme's end has passed.
    pub const PROGRAMME_ENDED: &str = "programme-ended";
    /// The programme has not begun.
    pub const NOT_YET_VALID: &str = "not-yet-valid";
    /// Nothing is available on the card.
    pub const CARD_EMPTY: &str = "card-empty";
    /// A guest, where customers must be registered.
    pub const REGISTERED_ONLY: &str = "registered-customers-only";
    /// None of the customer's roles is listed.
    pub const NOT_IN_ROLE: &str = "customer-not-in-role";
    /// The programme is another customer's.
    pub const OTHER_CUSTOMER: &str = "other-customers-card";
    /// Another currency and no recorded rate.
    pub const CURRENCY_MISMATCH: &str = "currency-mismatch";
    /// Converted, the balance is less than one minor unit.
    pub const WORTH_NOTHING_HERE: &str = "worth-nothing-here";
    /// The order is below the minimum order amount.
    pub const MINIMUM_NOT_MET: &str = "minimum-not-met";
    /// A rule needs lines, and the order came without.
    pub const LINES_NEEDED: &str = "order-lines-needed";
    /// A rule needs tax, and the order does not say it.
    pub const TAX_NEEDED: &str = "order-tax-needed";
    /// Nothing but gift cards in the cart.
    pub const NO_GIFT_CARDS: &str = "gift-cards-cannot-buy-gift-cards";
    /// Nothing in the order that the card may pay for.
    pub const NOTHING_PAYABLE: &str = "nothing-payable-by-card";
    /// The order has as many cards as it may.
    pub const TOO_MANY_CARDS: &str = "too-many-cards";
    /// A condition accepted the card up to nothing.
    pub const LIMIT_REACHED: &str = "limit-reached";
}

/// A line, as far as paying is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line {
    /// Tax included; at least 0.
    pub total: Minor,
    /// How much of it is tax.
    pub tax: Option<Minor>,
    /// One of the first four of [`parts`], maybe with [`parts::NO_CARD`].
    pub parts: u32,
}

/// Who may use a programme's cards.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Audience {
    /// Anyone.
    Everyone,
    /// Registered customers.
    Registered,
    /// Registered customers in one of these roles.
    InRoles(Vec<u32>),
    /// One customer.
    Named(u32),
}

/// Minimum order amount.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Minimum {
    /// Compared with `>=`.
    pub amount: Minor,
    /// Which parts count.
    pub basis: u32,
    /// Without tax.
    pub without_tax: bool,
}

/// A programme, as far as paying is concerned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Programme {
    /// Switched on.
    pub enabled: bool,
    /// Inclusive.
    pub valid_from: Option<InstantMs>,
    /// Exclusive.
    pub valid_to: Option<InstantMs>,
    /// Who may use its cards.
    pub audience: Audience,
    /// The least order.
    pub minimum: Option<Minimum>,
    /// Which parts its cards may pay for.
    pub payable: u32,
}

/// One condition's answer for one card.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Fine.
    Accept,
    /// Fine, up to this much of the order.
    AcceptUpTo(Minor),
    /// Handle of the reason.
    Reject(u32),
}

/// What several cards may pay together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SharedLimit {
    /// At least 0.
    pub limit: Minor,
    /// Indexes of cards.
    pub cards: Vec<u32>,
    /// Handle of the reason for a card that gets nothing because of it.
    pub reason: u32,
}

/// How a card's money becomes the order's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tender {
    /// One to one.
    SameCurrency,
    /// order-minor = card-minor * ratio.
    Converted(Ratio),
    /// Not at all.
    NoRate,
}

impl Tender {
    /// What `amount` of the card is worth in the order's currency, rounded down.
    #[must_use]
    pub fn worth(self, amount: Minor) -> Minor {
        match self {
            Self::SameCurrency => amount,
            Self::Converted(ratio) => ratio.times_floor(amount),
            Self::NoRate => Minor::ZERO,
        }
    }

    /// What leaves the card for `applied` in the order's currency, rounded up.
    #[must_use]
    pub fn taken(self, applied: Minor) -> Minor {
        match self {
            Self::SameCurrency => applied,
            Self::Converted(ratio) => ratio.divide_ceil(applied),
            Self::NoRate => Minor::ZERO,
        }
    }
}

/// A card, as far as paying is concerned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Card {
    /// Index of its programme.
    pub programme: u32,
    /// Stored state.
    pub status: Status,
    /// In its own currency, without live holds; at least 0.
    pub available: Minor,
    /// How it converts.
    pub tender: Tender,
    /// The shopper's own limit.
    pub wanted: Option<Minor>,
    /// When it was issued.
    pub issued_at: InstantMs,
    /// First instant at which it no longer works.
    pub expires_at: Option<InstantMs>,
    /// What its conditions say.
    pub verdicts: Vec<Verdict>,
}

/// Who orders, as far as paying is concerned.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Customer {
    /// None is a guest.
    pub handle: Option<u32>,
    /// Signed in.
    pub registered: bool,
    /// Role handles.
    pub roles: Vec<u32>,
}

/// In which order cards are used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum OrderOfUse {
    /// As the shopper entered them.
    #[default]
    AsEntered,
    /// Sooner end, then smaller worth, then as entered; no end last.
    SoonestExpiry,
    /// Smaller worth, then sooner end, then as entered.
    SmallestBalance,
    /// Earlier issue, then as entered.
    OldestFirst,
}

/// What the site decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Order of use.
    pub order_of_use: OrderOfUse,
    /// Most cards that may pay.
    pub cards_max: u32,
}

/// Everything that paying depends on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// At least 0.
    pub total: Minor,
    /// Tax within it.
    pub tax: Option<Minor>,
    /// Paid already.
    pub paid: Minor,
    /// Decimals of the order's currency, for explanations only.
    pub exponent: u8,
    /// None for an order that came as a bare total; otherwise they add up to it.
    pub lines: Option<Vec<Line>>,
    /// Who orders.
    pub customer: Customer,
    /// Programmes of the cards.
    pub programmes: Vec<Programme>,
    /// As entered, each once.
    pub cards: Vec<Card>,
    /// Shared limits.
    pub limits: Vec<SharedLimit>,
    /// Now.
    pub now: InstantMs,
    /// The site's policy.
    pub policy: Policy,
}

impl Request {
    /// What no card may pay for: lines flagged so, and lines of no known part.
    #[must_use]
    pub fn not_payable(&self) -> Minor {
        let barred = |line: &&Line| line.parts & parts::NO_CARD != 0 || line.parts & parts::ALL == 0;
        let lines = self.lines.iter().flatten().filter(barred);
        Minor::sum(lines.map(|line| line.total)).unwrap_or(Minor::MAX)
    }

    /// What cards may pay at all: total - already paid - what no card may pay.
    #[must_use]
    pub fn base(&self) -> Minor {
        self.total.less(self.paid).less(self.not_payable())
    }
}

/// Why a card pays nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// A code of the rules' own.
    Code(Cow<'static, str>),
    /// Handle of a verdict's or a shared limit's reason.
    Reason(u32),
}

/// What became of a card.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It pays.
    Used,
    /// Fine, but others have paid already.
    NotNeeded,
    /// It may not pay.
    Refused(Refusal),
}

/// One card's part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Share {
    /// What became of it.
    pub outcome: Outcome,
    /// What the card may not pay for beyond what its programme says already. A merchant's own rules may exclude more
    /// than the programme, never less. 0 when refused.
    pub excluded: Minor,
    /// In the order's currency.
    pub applied: Minor,
    /// In the card's.
    pub taken: Minor,
    /// Still available, in the card's.
    pub left: Minor,
}

impl Share {
    /// A card that gives nothing and keeps all of `available`.
    #[must_use]
    pub fn nothing(outcome: Outcome, available: Minor) -> Self {
        let zero = Minor::ZERO;
        Self { outcome, excluded: zero, applied: zero, taken: zero, left: available }
    }
}

/// What every card pays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// One for each card, as entered.
    pub shares: Vec<Share>,
    /// Only if explained.
    pub steps: Vec<Step>,
}
