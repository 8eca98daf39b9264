//! The smallest parts of an input: amounts, codes, moments and attributes, each as text until its currency or its zone
//! is known. Must not know which field they stand in.

use std::borrow::Cow;
use std::fmt;

use giftcard_engine::money::MINOR_MAX;
use giftcard_engine::value::{Named, Value};
use giftcard_engine::{Currency, Minor, MoneyError};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Serialize;
use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor, value::MapAccessDeserializer};

use super::bounds::{LIST_ITEMS_MAX, List, TEXT_CHARACTERS_MAX, Text, few, short};
use super::shape::{AmountWithBasis, MoneyInput};
use super::{InputError, InputErrorKind, Within};
use crate::json::excerpt;

/// A string with a form of its own. A JSON number in its place is answered with what to write instead.
macro_rules! text_leaf {
    ($(#[$meta:meta])* $name:ident, $plural:literal, $example:literal, $pattern:literal, $beyond:literal) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Eq, Serialize)]
        pub struct $name(pub String);

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let hint = concat!($plural, " such as \"", $example, "\"");
                deserializer.deserialize_any(TextVisitor { hint }).and_then(short).map($name)
            }
        }

        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({
                    "type": "string",
                    "description": concat!($plural, " such as \"", $example, "\"; ", $beyond),
                    "pattern": $pattern,
                    "maxLength": TEXT_CHARACTERS_MAX,
                    "examples": [$example],
                })
            }
        }
    };
}

text_leaf! {
    /// An amount as a decimal string, in a currency that is named elsewhere.
    Amount, "amounts are decimal strings", "35.00", r"^[0-9]+(\.[0-9]+)?$",
    "beyond the pattern, the decimals are checked against the currency, and the amount against the greatest one"
}
text_leaf! {
    /// An amount of more than nothing.
    PositiveAmount, "amounts are decimal strings", "35.00",
    r"^([0-9]*[1-9][0-9]*(\.[0-9]+)?|0+\.[0-9]*[1-9][0-9]*)$",
    "beyond the pattern, the decimals are checked against the currency, and the amount against the greatest one"
}
text_leaf! {
    /// A change of a balance: negative where it becomes less.
    SignedAmount, "changes are decimal strings", "-5.00", r"^-?[0-9]+(\.[0-9]+)?$",
    "beyond the pattern, the decimals are checked against the currency, and the amount against the greatest one"
}
text_leaf! {
    /// A currency by its three letters.
    CurrencyCode, "currencies are strings of three upper-case letters", "USD", "^[A-Z]{3}$",
    "beyond the pattern, it must be one of ISO 4217 that has a minor unit"
}
text_leaf! {
    /// A quantity with up to three decimals.
    Quantity, "quantities are decimal strings with up to three decimals", "1.5", r"^[0-9]+(\.[0-9]{1,3})?$",
    "beyond the pattern, it must be less than 9007199254741 or so"
}
text_leaf! {
    /// An exchange rate.
    RateText, "rates are decimal strings", "1.08", r"^([0-9]*[1-9][0-9]*(\.[0-9]+)?|0+\.[0-9]*[1-9][0-9]*)$",
    "beyond the pattern, it must not have more digits than can be kept exactly"
}
text_leaf! {
    /// An instant.
    Instant, "instants are strings as RFC 3339 writes them", "2026-01-31T12:00:00Z",
    r"^[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?([Zz]|[+-][0-9]{2}:[0-9]{2})$",
    "beyond the pattern, date, time and offset must be real ones"
}
text_leaf! {
    /// An instant, or a whole day of the site's zone.
    DayOrInstant, "a day or an instant is a string", "2026-01-31",
    r"^[0-9]{4}-[0-9]{2}-[0-9]{2}([Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?([Zz]|[+-][0-9]{2}:[0-9]{2}))?$",
    "beyond the pattern, date, time and offset must be real ones, and the date one that the site's zone has"
}

struct TextVisitor {
    hint: &'static str,
}

impl TextVisitor {
    fn refuse<E: de::Error>(&self, found: impl fmt::Display) -> Result<String, E> {
        Err(E::custom(format!("{found}; {}", self.hint)))
    }
}

impl<'de> Visitor<'de> for TextVisitor {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_str<E>(self, text: &str) -> Result<String, E> {
        Ok(text.to_string())
    }

    fn visit_string<E>(self, text: String) -> Result<String, E> {
        Ok(text)
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<String, E> {
        self.refuse(format_args!("{number} is a JSON number"))
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<String, E> {
        self.refuse(format_args!("{number} is a JSON number"))
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<String, E> {
        self.refuse(format_args!("{number:?} is a JSON number"))
    }

    fn visit_bool<E: de::Error>(self, flag: bool) -> Result<String, E> {
        self.refuse(format_args!("is `{flag}`"))
    }

    fn visit_unit<E: de::Error>(self) -> Result<String, E> {
        self.refuse("is null")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, _: A) -> Result<String, A::Error> {
        self.refuse("is an array")
    }

    fn visit_map<A: MapAccess<'de>>(self, _: A) -> Result<String, A::Error> {
        self.refuse("is an object")
    }
}

impl Amount {
    /// An amount as text.
    #[must_use]
    pub fn of(amount: Minor, currency: Currency) -> Self {
        Self(amount.to_decimal(currency.exponent()))
    }

    /// The amount in minor units of `currency`.
    ///
    /// # Errors
    /// [`InputErrorKind::InvalidAmount`] for anything but a decimal that is at least 0 and that the currency can hold.
    pub fn minor(&self, currency: Currency) -> Result<Minor, InputError> {
        minor(&self.0, currency, false)
    }
}

impl PositiveAmount {
    /// The amount in minor units of `currency`; whether it is more than nothing is for the caller to say.
    ///
    /// # Errors
    /// As [`Amount::minor`].
    pub fn amount(&self, currency: Currency) -> Result<Minor, InputError> {
        self.minor(currency)
    }

    pub(super) fn minor(&self, currency: Currency) -> Result<Minor, InputError> {
        minor(&self.0, currency, false)
    }
}

impl SignedAmount {
    /// The change in minor units of `currency`.
    ///
    /// # Errors
    /// [`InputErrorKind::InvalidAmount`] for anything but a decimal that the currency can hold.
    pub fn minor(&self, currency: Currency) -> Result<Minor, InputError> {
        minor(&self.0, currency, true)
    }
}

/// Reads an amount; less than nothing, even "-0.00", only where `negative` says so.
pub(super) fn minor(text: &str, currency: Currency, negative: bool) -> Result<Minor, InputError> {
    let read = currency.parse(text);
    if let Ok(amount) = read
        && (negative || !text.starts_with('-'))
    {
        return Ok(amount);
    }
    let shown = excerpt(text);
    let example = Minor::new(3500).unwrap_or_default().to_decimal(currency.exponent());
    let problem = match read {
        Ok(_) | Err(MoneyError::TooManyDecimals | MoneyError::OutOfRange) if !negative && text.starts_with('-') => {
            format!("`{shown}` is negative; it must be at least 0")
        }
        Err(MoneyError::TooManyDecimals) => match currency.exponent() {
            0 => format!("`{shown}` has decimals, but {currency} has none; write amounts like `{example}`"),
            most => {
                format!("`{shown}` has more than the {most} decimals of {currency}; write amounts like `{example}`")
            }
        },
        Err(MoneyError::OutOfRange) => {
            format!("`{shown}` is too much; the greatest amount is {}", currency.format(Minor::MAX))
        }
        _ => format!(
            "`{shown}` is not an amount; write digits and at most one decimal point, without separators or a currency, \
             such as `{example}`"
        ),
    };
    Err(InputError::here(InputErrorKind::InvalidAmount, problem))
}

impl CurrencyCode {
    /// The currency of ISO 4217.
    ///
    /// # Errors
    /// [`InputErrorKind::UnknownCurrency`] for anything else, and for those without a minor unit, such as gold.
    pub fn currency(&self) -> Result<Currency, InputError> {
        if let Some(currency) = Currency::iso(&self.0) {
            return Ok(currency);
        }
        let upper = self.0.to_ascii_uppercase();
        let right = if Currency::iso(&upper).is_some() { upper } else { "USD".to_string() };
        let problem =
            format!("`{}` is not a currency of ISO 4217; write its code, such as `{right}`", excerpt(&self.0));
        Err(InputError::here(InputErrorKind::UnknownCurrency, problem))
    }

    /// As [`CurrencyCode::currency`], sooner where it is the one that it most likely is, of ISO 4217, too.
    pub(super) fn likely(&self, likely: Currency) -> Result<Currency, InputError> {
        if self.0 == likely.code() { Ok(likely) } else { self.currency() }
    }
}

impl Quantity {
    /// The quantity in thousandths.
    ///
    /// # Errors
    /// [`InputErrorKind::InvalidValue`] for anything but a decimal of at least 0 with at most three decimals.
    pub fn thousandths(&self) -> Result<i64, InputError> {
        match decimal(&self.0, 3) {
            Some(thousandths) if !self.0.starts_with('-') => Ok(thousandths),
            _ => {
                let shown = excerpt(&self.0);
                let problem = format!(
                    "`{shown}` is not a quantity; write a decimal of at least 0 with at most 3 decimals, such as `1.5`"
                );
                Err(InputError::here(InputErrorKind::InvalidValue, problem))
            }
        }
    }
}

/// A decimal as a whole number of its last allowed decimal: "12.5" with 2 is 1250. `None` with more decimals, outside
/// ±(2^53 - 1), or if it is no decimal.
pub(super) fn decimal(text: &str, decimals: u8) -> Option<i64> {
    Minor::from_decimal(text, decimals).ok().map(Minor::get)
}

/// The code of a card as the shopper entered it. It is compared and nothing else: no message and no `Debug` shows it.
#[derive(Clone, PartialEq, Eq)]
pub struct CardCode(String);

impl CardCode {
    /// The code as entered.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for CardCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CardCode(..)")
    }
}

impl<'de> Deserialize<'de> for CardCode {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // INVARIANT: the message never has what was found in it.
        let shape = |_| de::Error::custom("is not a string; codes are strings, even where they are all digits");
        deserializer.deserialize_any(TextVisitor { hint: "" }).map_err(shape).and_then(short).map(Self)
    }
}

impl JsonSchema for CardCode {
    fn schema_name() -> Cow<'static, str> {
        "CardCode".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "description": "The code as entered. It is compared and never shown. Something besides spaces and dashes \
                            must be in it.",
            "pattern": "[^\\s\u{85}\u{ad}\u{2010}-\u{2015}\u{2212}-]",
            "maxLength": TEXT_CHARACTERS_MAX,
        })
    }
}

/// A value of a free attribute, or of an argument of a message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Attribute {
    /// Yes or no.
    Flag(bool),
    /// A whole number within ±(2^53 - 1).
    Integer(i64),
    /// Text.
    Text(String),
    /// Several texts.
    Texts(Vec<String>),
    /// An amount with its currency.
    Money(MoneyInput),
}

const ATTRIBUTE_KINDS: &str = "attributes are `true` or `false`, a whole number, a string, an array of strings or an \
                               amount as {\"amount\": \"1.00\", \"currency\": \"USD\"}";

impl From<&Value> for Attribute {
    fn from(value: &Value) -> Self {
        match value {
            Value::Flag(flag) => Self::Flag(*flag),
            Value::Integer(integer) => Self::Integer(*integer),
            Value::Text(text) => Self::Text(text.clone()),
            Value::Texts(texts) => Self::Texts(texts.clone()),
            Value::Money(money) => Self::Money(MoneyInput {
                amount: Amount::of(money.amount(), money.currency()),
                currency: CurrencyCode(money.currency().to_string()),
            }),
        }
    }
}

impl Attribute {
    fn value(&self) -> Result<Value, InputError> {
        Ok(match self {
            Self::Flag(flag) => Value::Flag(*flag),
            Self::Integer(integer) => Value::Integer(*integer),
            Self::Text(text) => Value::Text(text.clone()),
            Self::Texts(texts) => Value::Texts(texts.clone()),
            Self::Money(money) => Value::Money(money.money(false)?),
        })
    }
}

/// Attributes by name, sorted.
pub(super) fn named(attributes: &std::collections::BTreeMap<String, Attribute>) -> Result<Vec<Named>, InputError> {
    attributes
        .iter()
        .map(|(name, attribute)| Ok(Named { name: name.clone(), value: attribute.value().within(&excerpt(name))? }))
        .collect()
}

struct AttributeVisitor;

impl<'de> Visitor<'de> for AttributeVisitor {
    type Value = Attribute;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an attribute")
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Attribute, E> {
        Ok(Attribute::Flag(flag))
    }

    fn visit_i64<E: de::Error>(self, integer: i64) -> Result<Attribute, E> {
        if (-MINOR_MAX..=MINOR_MAX).contains(&integer) {
            return Ok(Attribute::Integer(integer));
        }
        Err(E::custom(format!("{integer} is beyond {MINOR_MAX}; write it as a string")))
    }

    fn visit_u64<E: de::Error>(self, integer: u64) -> Result<Attribute, E> {
        self.visit_i64(i64::try_from(integer).unwrap_or(i64::MAX))
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<Attribute, E> {
        Err(E::custom(format!("{number:?} is a JSON number with a fraction; {ATTRIBUTE_KINDS}")))
    }

    fn visit_unit<E: de::Error>(self) -> Result<Attribute, E> {
        Err(E::custom(format!("is null; {ATTRIBUTE_KINDS}")))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Attribute, E> {
        self.visit_string(text.to_string())
    }

    fn visit_string<E: de::Error>(self, text: String) -> Result<Attribute, E> {
        short(text).map(Attribute::Text)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<Attribute, A::Error> {
        let texts: Vec<Text> = few(items, LIST_ITEMS_MAX)?;
        Ok(Attribute::Texts(texts.iter().map(|text| text.to_string()).collect()))
    }

    /// Only an amount is an object. Field by field, since "there is no such field" would not say what may stand here.
    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Attribute, A::Error> {
        let (mut amount, mut currency) = (None, None);
        let mut is_empty = true;
        while let Some(name) = entries.next_key::<String>()? {
            is_empty = false;
            match name.as_str() {
                "amount" => amount = Some(entries.next_value()?),
                "currency" => currency = Some(entries.next_value()?),
                other => {
                    let found = excerpt(other);
                    return Err(de::Error::custom(format!("is an object with `{found}`; {ATTRIBUTE_KINDS}")));
                }
            }
        }
        if is_empty {
            return Err(de::Error::custom(format!("is an empty object; {ATTRIBUTE_KINDS}")));
        }
        Ok(Attribute::Money(MoneyInput {
            amount: amount.ok_or_else(|| de::Error::missing_field("amount"))?,
            currency: currency.ok_or_else(|| de::Error::missing_field("currency"))?,
        }))
    }
}

impl<'de> Deserialize<'de> for Attribute {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AttributeVisitor)
    }
}

impl JsonSchema for Attribute {
    fn schema_name() -> Cow<'static, str> {
        "Attribute".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A free attribute.",
            "anyOf": [
                { "type": "boolean" },
                { "type": "integer", "minimum": -MINOR_MAX, "maximum": MINOR_MAX },
                generator.subschema_for::<Text>(),
                generator.subschema_for::<List<Text, LIST_ITEMS_MAX>>(),
                generator.subschema_for::<MoneyInput>(),
            ],
        })
    }
}

/// The least order: a bare amount, or an amount and what it is compared with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum MinimumOrderInput {
    /// Compared with the order's total.
    Total(Amount),
    /// Compared with what it names.
    WithBasis(AmountWithBasis),
}

struct MinimumVisitor;

impl<'de> Visitor<'de> for MinimumVisitor {
    type Value = MinimumOrderInput;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an amount such as \"50.00\", or an object with `amount` and `basis`")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<MinimumOrderInput, E> {
        short(text.to_string()).map(|text| MinimumOrderInput::Total(Amount(text)))
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<MinimumOrderInput, E> {
        Err(E::custom(format!("{number} is a JSON number; amounts are decimal strings such as \"35.00\"")))
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<MinimumOrderInput, E> {
        Err(E::custom(format!("{number} is a JSON number; amounts are decimal strings such as \"35.00\"")))
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<MinimumOrderInput, E> {
        Err(E::custom(format!("{number:?} is a JSON number; amounts are decimal strings such as \"35.00\"")))
    }

    fn visit_map<A: MapAccess<'de>>(self, entries: A) -> Result<MinimumOrderInput, A::Error> {
        AmountWithBasis::deserialize(MapAccessDeserializer::new(entries)).map(MinimumOrderInput::WithBasis)
    }
}

impl<'de> Deserialize<'de> for MinimumOrderInput {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(MinimumVisitor)
    }
}

impl JsonSchema for MinimumOrderInput {
    fn schema_name() -> Cow<'static, str> {
        "MinimumOrder".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "The least order, in the currency of this document's site: an amount that is compared with the total, or \
                            an amount and what it is compared with.",
            "anyOf": [generator.subschema_for::<Amount>(), generator.subschema_for::<AmountWithBasis>()],
        })
    }
}
