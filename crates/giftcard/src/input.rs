//! What the outside says, as JSON, and how it becomes what the engine works on. Every error names the JSON path, what
//! was wrong and what would be right. Must not know a clock, a file or how a rule is run.

pub mod bounds;

mod cards;
mod expiry;
mod issue;
mod leaf;
mod order;
mod pay;
mod programmes;
mod refund;
mod settings;
mod setup;
mod shape;
mod site;
mod time;

use std::fmt;
use std::sync::Arc;

use giftcard_engine::card::CardSnapshot;
use giftcard_engine::moment::{InstantMs, Moment};
use giftcard_engine::order::Order;
use giftcard_engine::programme::{Programme, Site};
use giftcard_engine::{Currency, QuoteRequest};
use giftcard_host::{Facts, Rulebook};

pub use bounds::{Count, List, Name, Text};
pub(crate) use expiry::End;
pub use issue::{AdjustInput, IssueInput};
pub use leaf::{
    Amount, Attribute, CardCode, CurrencyCode, DayOrInstant, Instant, MinimumOrderInput, PositiveAmount, Quantity,
    RateText, SignedAmount,
};
pub use pay::{CaptureInput, EntryInput, ExpectInput, PayInput, RefundOrderInput, RefundOtherInput};
pub use refund::{RefundOrder, Tender};
pub use setup::{
    CodeInput, CustomerDocument, ExpiryInput, PluginPolicy, PoolDocument, ProgrammeDocument, SiteDocument, ValueInput,
};
pub use shape::{
    AddressInput, AmountWithBasis, AudienceInput, BasisInput, CardInput, ConditionInput, CustomerInput, DiscountInput,
    LineInput, MoneyInput, OnFailureInput, OrderInput, OrderOfUseInput, PartInput, PaymentInput, PaysInput,
    PreviousInput, ProgrammeInput, QuoteInput, RateInput, RefundInput, RefundMode, SiteInput, StatusInput, TenderInput,
    TotalsInput,
};
pub use time::Zone;
pub(crate) use time::{day, is_time_of_day};

/// Bounds of what a shop sets up.
pub(crate) mod setup_limits {
    pub(crate) use super::setup::HOLD_MINUTES_MAX;
}

use crate::json::{Flaw, FlawKind};

/// What is wrong with an input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InputError {
    /// What kind of mistake.
    pub kind: InputErrorKind,
    /// Where, as `order.lines[3].total`; empty for the whole document.
    pub path: String,
    /// What was wrong and what would be right.
    pub problem: String,
}

/// Kinds of mistakes in an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InputErrorKind {
    /// Not JSON.
    MalformedJson,
    /// A key stands twice in one object.
    DuplicateKey,
    /// A field that is not known.
    UnknownField,
    /// A field that must be there is not.
    MissingField,
    /// A string where a number should be, and the like.
    WrongType,
    /// More than [`bounds`] allows.
    TooLarge,
    /// Not an amount of its currency.
    InvalidAmount,
    /// Not a currency of ISO 4217.
    UnknownCurrency,
    /// Any other value that cannot be.
    InvalidValue,
    /// A condition plugin that is not loaded.
    UnknownPlugin,
    /// Settings that a plugin does not take.
    InvalidSettings,
    /// Values that contradict each other.
    Inconsistent,
    /// A refund of nothing or less.
    RefundNotPositive,
    /// A refund of more than is left to refund.
    RefundAboveRefundable,
}

impl InputErrorKind {
    /// Stable kebab-case code.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::MalformedJson => "malformed-json",
            Self::DuplicateKey => "duplicate-key",
            Self::UnknownField => "unknown-field",
            Self::MissingField => "missing-field",
            Self::WrongType => "wrong-type",
            Self::TooLarge => "too-large",
            Self::InvalidAmount => "invalid-amount",
            Self::UnknownCurrency => "unknown-currency",
            Self::InvalidValue => "invalid-value",
            Self::UnknownPlugin => "unknown-plugin",
            Self::InvalidSettings => "invalid-settings",
            Self::Inconsistent => "inconsistent",
            Self::RefundNotPositive => "refund-not-positive",
            Self::RefundAboveRefundable => "refund-above-refundable",
        }
    }
}

impl InputError {
    /// A mistake in the value at hand; the path is added on the way up.
    pub(crate) fn here(kind: InputErrorKind, problem: impl Into<String>) -> Self {
        Self { kind, path: String::new(), problem: problem.into() }
    }

    /// A mistake in a field of the value at hand.
    pub(crate) fn at(kind: InputErrorKind, field: &str, problem: impl Into<String>) -> Self {
        Self { kind, path: field.to_string(), problem: problem.into() }
    }

    /// The same mistake, in a field of a greater whole.
    pub(crate) fn under(self, outer: &str) -> Self {
        self.within(outer)
    }

    fn within(mut self, outer: &str) -> Self {
        let joint = if self.path.is_empty() || self.path.starts_with('[') { "" } else { "." };
        self.path = format!("{outer}{joint}{}", self.path);
        self
    }
}

impl fmt::Display for InputError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.path.is_empty() {
            true => f.write_str(&self.problem),
            false => write!(f, "`{}`: {}", self.path, self.problem),
        }
    }
}

impl std::error::Error for InputError {}

impl From<Flaw> for InputError {
    fn from(flaw: Flaw) -> Self {
        let kind = match flaw.kind {
            FlawKind::Malformed => InputErrorKind::MalformedJson,
            FlawKind::DuplicateKey => InputErrorKind::DuplicateKey,
            FlawKind::UnknownField => InputErrorKind::UnknownField,
            FlawKind::MissingField => InputErrorKind::MissingField,
            FlawKind::WrongShape => InputErrorKind::WrongType,
            FlawKind::UnknownValue => InputErrorKind::InvalidValue,
            FlawKind::TooLarge => InputErrorKind::TooLarge,
        };
        let problem = match flaw.path.is_empty() && flaw.kind != FlawKind::Malformed {
            true => format!("the document {}", flaw.problem),
            false => flaw.problem,
        };
        Self { kind, path: flaw.path, problem }
    }
}

/// Adds where in the document a mistake is, from the inside out.
pub(crate) trait Within {
    fn within(self, field: &str) -> Self;
    fn within_item(self, index: usize) -> Self;
}

impl<T> Within for Result<T, InputError> {
    fn within(self, field: &str) -> Self {
        self.map_err(|error| error.within(field))
    }

    fn within_item(self, index: usize) -> Self {
        self.map_err(|error| error.within(&format!("[{index}]")))
    }
}

/// Every item of a list, with its index in the path of a mistake.
fn each<I, O>(
    items: impl IntoIterator<Item = I>,
    convert: impl Fn(I) -> Result<O, InputError>,
) -> Result<Vec<O>, InputError> {
    items.into_iter().enumerate().map(|(index, item)| convert(item).within_item(index)).collect()
}

/// The condition plugins that an input may name.
pub trait Plugins {
    /// What the one of that name, `id` or `id@version`, says about itself.
    fn facts(&self, name: &str) -> Option<&Facts>;

    /// The ids of all.
    fn ids(&self) -> Vec<String>;

    /// Why one of that name is known and yet cannot be used.
    fn trouble(&self, name: &str) -> Option<String> {
        let _ = name;
        None
    }

    /// The name that the rulebook knows it by, of whoever decides on what is made of the input; the same unless the name
    /// means something else at the place it is from.
    fn meant(&self, name: &str) -> String {
        name.to_string()
    }
}

impl Plugins for Rulebook {
    fn facts(&self, name: &str) -> Option<&Facts> {
        self.condition(name).map(|condition| condition.facts())
    }

    fn ids(&self) -> Vec<String> {
        let mut ids: Vec<String> = self.conditions().map(|condition| condition.facts().id.clone()).collect();
        ids.sort();
        ids.dedup();
        ids
    }
}

/// Reads a quote input and turns it into what the engine works on. `now` is used where the input names no moment.
///
/// # Errors
/// See [`InputErrorKind`].
pub fn read_quote(text: &str, plugins: &dyn Plugins, now: InstantMs) -> Result<QuoteRequest, InputError> {
    bounds::check_document(text)?;
    let input: QuoteInput = crate::json::read(text)?;
    quote_request(&input, plugins, now)
}

/// Turns a quote input into what the engine works on. `now` is used where the input names no moment.
///
/// # Errors
/// See [`InputErrorKind`].
pub fn quote_request(input: &QuoteInput, plugins: &dyn Plugins, now: InstantMs) -> Result<QuoteRequest, InputError> {
    let currency = input.order.currency.currency().within("currency").within("order")?;
    let (site, zone) = site::site(input, currency).within("site")?;
    let at = match &input.now {
        Some(instant) => instant.at().within("now")?,
        None => now,
    };
    let now = zone.moment(at).within("now")?;
    let order = order::order(input.order.clone(), currency, &site, &zone).within("order")?;
    let programmes = programmes::programmes(&input.programmes, &site, &zone, plugins).within("programmes")?;
    let cards = cards::cards(&input.cards, &order, &site, &zone, at).within("cards")?;
    let programmes = programmes.into_iter().map(Arc::new).collect();
    Ok(QuoteRequest { order, site: Arc::new(site), programmes, cards, now })
}

/// A site by itself, and its zone.
pub(crate) fn site_facts(input: &SiteInput, currency: Currency) -> Result<(Site, Zone), InputError> {
    site::site_of(input, None, currency)
}

/// A programme as it is at a site.
pub(crate) fn programme_facts(
    input: &ProgrammeInput,
    site: &Site,
    zone: &Zone,
    plugins: &dyn Plugins,
) -> Result<Programme, InputError> {
    programmes::programme(input, site, zone, plugins)
}

/// The cards of an order.
pub(crate) fn cards_facts(
    inputs: &[CardInput],
    order: &Order,
    site: &Site,
    zone: &Zone,
    now: InstantMs,
) -> Result<Vec<CardSnapshot>, InputError> {
    cards::cards(inputs, order, site, zone, now)
}

/// An order at a site, and now on its wall.
pub(crate) fn order_facts(
    input: OrderInput,
    site: &Site,
    zone: &Zone,
    now: InstantMs,
) -> Result<(Order, Moment), InputError> {
    let currency = input.currency.likely(site.currency).within("currency").within("order")?;
    let order = order::order(input, currency, site, zone).within("order")?;
    Ok((order, zone.moment(now).within("now")?))
}

/// Reads a document of any kind strictly.
///
/// # Errors
/// See [`InputErrorKind`].
pub fn read_document<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, InputError> {
    bounds::check_document(text)?;
    Ok(crate::json::read(text)?)
}

/// Reads a refund input and turns it into what the engine works on.
///
/// # Errors
/// See [`InputErrorKind`].
pub fn read_refund(text: &str) -> Result<RefundOrder, InputError> {
    bounds::check_document(text)?;
    let input: RefundInput = crate::json::read(text)?;
    refund::refund_order(&input)
}

#[cfg(test)]
pub(crate) mod tests;
