//! Sites and programmes: what a shop has decided about its cards. Must not know orders or single cards.

use alloc::string::String;
use alloc::vec::Vec;

use crate::moment::InstantMs;
use chrono::NaiveDate;

use crate::money::{Currency, Minor, MoneyError, Ratio};
use crate::redemption::OrderOfUse;
use crate::value::Named;

/// Code name of the programme that cards made by hand belong to.
pub const MANUAL: &str = "manual";

/// Cards that one order takes unless the site says otherwise.
pub const CARDS_MAX_DEFAULT: u32 = 20;

/// A shop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Site {
    /// Its name.
    pub id: String,
    /// Main currency: of minimum order amounts.
    pub currency: Currency,
    /// In which order cards are used.
    pub order_of_use: OrderOfUse,
    /// Most cards for one order.
    pub cards_max: u32,
    /// Recorded exchange rates. Without one, a card in another currency is refused.
    pub rates: Vec<Rate>,
}

/// One unit of `from` is worth `coefficient / 10^scale` units of `to`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// The currency of the one unit.
    pub from: Currency,
    /// The currency of the worth.
    pub to: Currency,
    /// More than 0.
    pub coefficient: i64,
    /// Decimals of the coefficient.
    pub scale: u8,
}

impl Rate {
    /// The rate between minor units, both exponents folded in: to-minor = from-minor * ratio.
    ///
    /// # Errors
    /// [`MoneyError::BadRate`] where the rate is not positive or too fine to be exact.
    pub fn ratio(&self) -> Result<Ratio, MoneyError> {
        let power = |exponent: u8| 10_i128.checked_pow(u32::from(exponent)).ok_or(MoneyError::BadRate);
        let numerator = i128::from(self.coefficient).checked_mul(power(self.to.exponent())?);
        let denominator = power(self.scale)?.checked_mul(power(self.from.exponent())?);
        Ratio::new(numerator.ok_or(MoneyError::BadRate)?, denominator.ok_or(MoneyError::BadRate)?)
    }
}

impl Site {
    /// A site with the usual policies and no exchange rates.
    #[must_use]
    pub fn new(id: &str, currency: Currency) -> Self {
        Self {
            id: id.into(),
            currency,
            order_of_use: OrderOfUse::AsEntered,
            cards_max: CARDS_MAX_DEFAULT,
            rates: Vec::new(),
        }
    }

    /// The recorded conversion of minor units, straight if it is recorded so, otherwise the inverse of the opposite
    /// one.
    ///
    /// # Errors
    /// [`MoneyError::BadRate`] where the recorded rate cannot be used exactly.
    pub fn conversion(&self, from: Currency, to: Currency) -> Result<Option<Ratio>, MoneyError> {
        if let Some(rate) = self.rates.iter().find(|rate| rate.from == from && rate.to == to) {
            return rate.ratio().map(Some);
        }
        match self.rates.iter().find(|rate| rate.from == to && rate.to == from) {
            Some(rate) => Ok(Some(rate.ratio()?.inverse())),
            None => Ok(None),
        }
    }
}

/// Who may use a programme's cards.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Audience {
    /// Anyone.
    Everyone,
    /// Signed-in customers.
    Registered,
    /// Signed-in customers in at least one of these roles.
    InRoles(Vec<String>),
    /// The customer with this id.
    Customer(String),
}

/// What a minimum order amount is compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Basis {
    /// Goods only, instead of the whole total.
    pub goods_only: bool,
    /// Without tax.
    pub without_tax: bool,
}

impl Basis {
    /// The order's total: after discounts, with shipping and tax, before any card.
    pub const TOTAL: Self = Self { goods_only: false, without_tax: false };
}

/// The least order a programme's cards can be used on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MinimumOrder {
    /// In the main currency of the site where the order is placed; at least 0.
    pub amount: Minor,
    /// What it is compared with.
    pub basis: Basis,
}

/// Which parts of an order a programme's cards may pay for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Payable {
    /// Shipping lines.
    pub shipping: bool,
    /// Fee lines.
    pub fees: bool,
    /// Lines that sell gift cards.
    pub gift_cards: bool,
}

impl Default for Payable {
    /// Everything but gift cards.
    fn default() -> Self {
        Self { shipping: true, fees: true, gift_cards: false }
    }
}

/// What happens to a card when its condition fails instead of deciding.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum OnFailure {
    /// The card is refused.
    RefuseCard,
    /// As if the condition accepted. Not allowed to a plugin that shares limits.
    Ignore,
    /// This version, with its own settings, decides; if it fails too, the card is refused.
    Previous {
        /// Its name among the loaded plugins.
        plugin: String,
        /// Its settings.
        settings: Vec<Named>,
    },
}

/// A condition bound to a programme.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Binding {
    /// Name among the loaded plugins.
    pub plugin: String,
    /// What the merchant chose.
    pub settings: Vec<Named>,
    /// What a failure means.
    pub on_failure: OnFailure,
}

/// A programme: what cards of one kind have in common.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Programme {
    /// The site it belongs to.
    pub site: String,
    /// Unique within its site.
    pub code_name: String,
    /// Switched on.
    pub enabled: bool,
    /// Inclusive.
    pub valid_from: Option<InstantMs>,
    /// Exclusive.
    pub valid_to: Option<InstantMs>,
    /// The first day, where the beginning was given as a plain date: people are told that.
    pub valid_from_on: Option<NaiveDate>,
    /// The last day, where the end was given as a plain date.
    pub valid_to_on: Option<NaiveDate>,
    /// Who may use its cards.
    pub audience: Audience,
    /// The least order.
    pub minimum: Option<MinimumOrder>,
    /// What its cards may pay for.
    pub payable: Payable,
    /// Other sites that accept its cards.
    pub accepted_by: Vec<String>,
    /// Its conditions, all of which must accept.
    pub conditions: Vec<Binding>,
}

impl Programme {
    /// A programme without restrictions.
    #[must_use]
    pub fn unrestricted(site: &str, code_name: &str) -> Self {
        Self {
            site: site.into(),
            code_name: code_name.into(),
            enabled: true,
            valid_from: None,
            valid_to: None,
            valid_from_on: None,
            valid_to_on: None,
            audience: Audience::Everyone,
            minimum: None,
            payable: Payable::default(),
            accepted_by: Vec::new(),
            conditions: Vec::new(),
        }
    }
}
