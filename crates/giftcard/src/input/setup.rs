//! What a shop sets up, as JSON: sites, programmes, pools, customers. The comments are the descriptions of the JSON
//! Schema. Must not know how any of it is kept.

use giftcard_engine::Currency;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::bounds::{Count, Fields, LIST_ITEMS_MAX, List, Name, Text};
use super::leaf::{CurrencyCode, DayOrInstant, MinimumOrderInput, PositiveAmount};
use super::shape::{AudienceInput, ConditionInput, OrderOfUseInput, PaysInput, ProgrammeInput, RateInput, SiteInput};
use super::time::day;
use super::{Attribute, InputError, InputErrorKind, Within};

/// A shop.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
#[schemars(rename = "site")]
pub struct SiteDocument {
    /// Its name, such as `main`.
    pub id: Name,
    /// Its main currency: of minimum order amounts, and of cards that name none. Cannot be changed.
    pub currency: CurrencyCode,
    /// Its time zone, as the IANA database calls it; UTC if left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<Name>,
    /// In which order cards are used; as entered if left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order_of_use: Option<OrderOfUseInput>,
    /// Most cards for one order; 20 if left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cards_max: Option<Count>,
    /// Recorded exchange rates. Without one, a card in another currency is refused.
    #[serde(default, skip_serializing_if = "super::bounds::is_empty_list")]
    pub rates: List<RateInput, LIST_ITEMS_MAX>,
    /// How long a hold lasts that names no end, in minutes; 30 if left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hold_minutes: Option<Count>,
    /// How many days an ended card works again at least when a refund goes back to it; 30 if left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refund_extension_days: Option<Count>,
    /// The most that one card may be issued or loaded with, in the main currency; no limit if left out. Cards in other
    /// currencies have none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub card_value_max: Option<PositiveAmount>,
    /// What is demanded of plugins that are installed.
    #[serde(default, skip_serializing_if = "PluginPolicy::is_default")]
    pub plugins: PluginPolicy,
}

/// What a site demands of plugins that are installed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default, expecting = "an object")]
#[schemars(rename = "PluginPolicy")]
pub struct PluginPolicy {
    /// Public keys, each 64 hexadecimal digits, whose signatures count. `giftcard plugin key` makes one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub trusted_keys: Vec<String>,
    /// Whether a plugin without a signature that counts is refused; also one that is installed already.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub require_signature: bool,
    /// Whether a second person has to approve of another version that is to decide, of other conditions of a programme that
    /// is there, and of a change of these demands.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub require_approval: bool,
}

impl PluginPolicy {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// Minutes of a hold that names no end.
pub(crate) const HOLD_MINUTES_DEFAULT: u32 = 30;

/// Most minutes of a hold: a year.
pub(crate) const HOLD_MINUTES_MAX: u32 = 366 * 24 * 60;

/// Days that an ended card works again after a refund.
pub(crate) const REFUND_EXTENSION_DAYS_DEFAULT: u32 = 30;

impl SiteDocument {
    /// What the rules read of it.
    #[must_use]
    pub fn terms(&self) -> SiteInput {
        SiteInput {
            id: Some(self.id.clone()),
            currency: Some(self.currency.clone()),
            time_zone: self.time_zone.clone(),
            order_of_use: self.order_of_use,
            cards_max: self.cards_max,
            rates: self.rates.clone(),
        }
    }

    /// Minutes of a hold that names no end.
    #[must_use]
    pub fn hold_minutes(&self) -> u32 {
        self.hold_minutes.map_or(HOLD_MINUTES_DEFAULT, |count| count.0)
    }

    /// Days that an ended card works again after a refund.
    #[must_use]
    pub fn refund_extension_days(&self) -> u32 {
        self.refund_extension_days.map_or(REFUND_EXTENSION_DAYS_DEFAULT, |count| count.0)
    }
}

/// A programme: what cards of one kind have in common.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
#[schemars(rename = "programme")]
pub struct ProgrammeDocument {
    /// Its name for people.
    pub name: Text,
    /// Unique within its site; made from the name if left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code_name: Option<Name>,
    /// What it is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<Text>,
    /// Switched on; true if left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// What its cards are issued with; anything if left out. Frozen once codes of it exist.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<ValueInput>,
    /// Currency of its cards; the site's if left out. Frozen once codes of it exist.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub currency: Option<CurrencyCode>,
    /// The least order its cards can be used on, in the site's main currency.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub minimum_order: Option<MinimumOrderInput>,
    /// Its cards work from here on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub valid_from: Option<DayOrInstant>,
    /// Its cards work until just before this instant, or to the end of this day in the site's zone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub valid_to: Option<DayOrInstant>,
    /// Who may use its cards; everyone if left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub audience: Option<AudienceInput>,
    /// What its cards may pay for, beside goods.
    #[serde(default)]
    pub pays: PaysInput,
    /// Other sites that accept its cards.
    #[serde(default, skip_serializing_if = "super::bounds::is_empty_list")]
    pub accepted_by: List<Name, LIST_ITEMS_MAX>,
    /// Its conditions, all of which must accept.
    #[serde(default, skip_serializing_if = "super::bounds::is_empty_list")]
    pub conditions: List<ConditionInput, LIST_ITEMS_MAX>,
    /// When its cards end; never if left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires: Option<ExpiryInput>,
    /// Where its codes come from; generated ones of the default form if left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub codes: Option<CodeInput>,
    /// Whether its cards can become store credit. If left out, only without conditions, minimum and audience, which
    /// store credit would bypass.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to_credit: Option<bool>,
}

/// What the cards of a programme are issued with.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[schemars(rename = "Value")]
pub enum ValueInput {
    /// Always this.
    Fixed(PositiveAmount),
    /// One of these.
    Denominations(#[schemars(length(min = 1))] List<PositiveAmount, LIST_ITEMS_MAX>),
    /// Anything from `min` to `max`.
    Range {
        /// The least.
        min: PositiveAmount,
        /// The most.
        max: PositiveAmount,
    },
}

/// When the cards of a programme end.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[schemars(rename = "Expiry")]
pub enum ExpiryInput {
    /// They do not.
    Never,
    /// So many days after issue, to the same time of day in UTC.
    Days(Count),
    /// So many calendar months after issue; 31 January and one month is the last of February.
    Months(Count),
    /// At an instant, or at the end of a day in the site's zone.
    On(DayOrInstant),
}

/// Where codes come from.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[schemars(rename = "Codes")]
pub enum CodeInput {
    /// Generated by this pattern.
    Pattern {
        /// Literals, and `X` for a random symbol; see the documentation of codes.
        pattern: Text,
        /// Take it although it has fewer than 64 random bits.
        #[serde(default)]
        accept_weak: bool,
    },
    /// Drawn from this pool.
    Pool(Name),
}

impl ProgrammeDocument {
    /// What the rules read of it. `code_name` is its own, or the one that was made.
    #[must_use]
    pub fn terms(&self, site: &Name, code_name: &Name) -> ProgrammeInput {
        ProgrammeInput {
            code_name: code_name.clone(),
            site: Some(site.clone()),
            enabled: self.enabled,
            valid_from: self.valid_from.clone(),
            valid_to: self.valid_to.clone(),
            audience: self.audience.clone(),
            minimum_order: self.minimum_order.clone(),
            pays: self.pays.clone(),
            accepted_by: self.accepted_by.clone(),
            conditions: self.conditions.clone(),
        }
    }

    /// Whether its cards can become store credit.
    #[must_use]
    pub fn allows_credit(&self) -> bool {
        let open = matches!(self.audience, None | Some(AudienceInput::Everyone));
        self.to_credit.unwrap_or(self.conditions.is_empty() && self.minimum_order.is_none() && open)
    }

    /// Currency of its cards.
    ///
    /// # Errors
    /// An unknown one.
    pub fn card_currency(&self, site: Currency) -> Result<Currency, InputError> {
        match &self.currency {
            Some(currency) => currency.currency().within("currency"),
            None => Ok(site),
        }
    }

    /// Whether a card may be issued with `amount`, and what is allowed if not.
    ///
    /// # Errors
    /// The value is not one of the programme's.
    pub fn check_value(&self, amount: giftcard_engine::Minor, currency: Currency) -> Result<(), InputError> {
        let refuse = |allowed: String| {
            let problem = format!("{} is not a value of this programme; it has {allowed}", currency.format(amount));
            Err(InputError::here(InputErrorKind::InvalidValue, problem))
        };
        match &self.value {
            None => Ok(()),
            Some(ValueInput::Fixed(value)) => {
                let value = value.minor(currency).within("value")?;
                if value == amount { Ok(()) } else { refuse(currency.format(value)) }
            }
            Some(ValueInput::Denominations(values)) => {
                let values: Vec<_> = values.iter().map(|value| value.minor(currency)).collect::<Result<_, _>>()?;
                let listed: Vec<String> = values.iter().map(|value| currency.format(*value)).collect();
                if values.contains(&amount) { Ok(()) } else { refuse(listed.join(", ")) }
            }
            Some(ValueInput::Range { min, max }) => {
                let (min, max) = (min.minor(currency).within("value")?, max.minor(currency).within("value")?);
                if min <= amount && amount <= max {
                    return Ok(());
                }
                refuse(format!("{} to {}", currency.format(min), currency.format(max)))
            }
        }
    }

    /// Whether the document makes sense by itself; what it shares with others is checked where it is kept.
    ///
    /// # Errors
    /// The first problem.
    pub fn check(&self, site: Currency) -> Result<(), InputError> {
        let currency = self.card_currency(site)?;
        let positive = |value: &PositiveAmount| {
            let amount = value.minor(currency)?;
            if !amount.is_zero() {
                return Ok(amount);
            }
            Err(InputError::here(InputErrorKind::InvalidAmount, "is nothing; cards are issued with more than that"))
        };
        match &self.value {
            None => {}
            Some(ValueInput::Fixed(value)) => drop(positive(value).within("fixed").within("value")?),
            Some(ValueInput::Denominations(values)) => {
                let values = super::each(values.iter(), positive).within("denominations").within("value")?;
                if values.is_empty() {
                    let problem = "is empty; name at least one denomination";
                    return Err(InputError::at(InputErrorKind::InvalidValue, "value.denominations", problem));
                }
            }
            Some(ValueInput::Range { min, max }) => {
                let (min, max) = (positive(min).within("value.range.min")?, positive(max).within("value.range.max")?);
                if min > max {
                    let problem = "is less than `min`";
                    return Err(InputError::at(InputErrorKind::Inconsistent, "value.range.max", problem));
                }
            }
        }
        match &self.expires {
            Some(ExpiryInput::Days(Count(0)) | ExpiryInput::Months(Count(0))) => {
                Err(InputError::at(InputErrorKind::InvalidValue, "expires", "is 0; cards would end as they are issued"))
            }
            _ => Ok(()),
        }
    }
}

/// The last day of an end that was given as a plain date, as `2026-12-31`.
pub(crate) fn plain_day(end: &DayOrInstant) -> Option<String> {
    day(&end.0).map(|day| day.to_string())
}

/// A stock of codes.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
#[schemars(rename = "pool")]
pub struct PoolDocument {
    /// Its name, unique within its site.
    pub name: Name,
    /// How its codes are generated; the default form if left out. Imported codes have their own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pattern: Option<Text>,
    /// Take a pattern although it has fewer than 64 random bits.
    #[serde(default)]
    pub accept_weak: bool,
    /// Warn when fewer codes than this are free.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub low_stock: Option<Count>,
}

/// A customer.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
#[schemars(rename = "customer")]
pub struct CustomerDocument {
    /// The platform's id. It stays when the customer is erased, so it should not be a name or an address.
    pub id: Name,
    /// Name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<Text>,
    /// Phone number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phone: Option<Text>,
    /// Email address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<Text>,
    /// Roles.
    #[serde(default, skip_serializing_if = "super::bounds::is_empty_list")]
    pub roles: List<Text, LIST_ITEMS_MAX>,
    /// Whatever else the platform knows.
    #[serde(default, skip_serializing_if = "super::bounds::is_empty_fields")]
    pub attributes: Fields<Attribute>,
}
