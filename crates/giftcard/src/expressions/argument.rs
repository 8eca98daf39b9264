//! What is filled in for a rule's parameter: what each kind takes, as JSON and as a piece of an expression. Must not
//! know which rule it is for.

use cel::common::ast::{Expr, LiteralValue};
use giftcard_engine::Currency;
use giftcard_engine::money::MINOR_MAX;
use schemars::JsonSchema;
use serde::{Serialize, Serializer};
use serde_json::{Value, json};

use crate::input::{InputError, InputErrorKind, Within, day, is_time_of_day};
use crate::json::excerpt;

/// Most items of a list.
const ITEMS_MAX: usize = 200;

/// Most characters of a text.
const CHARACTERS_MAX: usize = 200;

/// Most decimals that any currency has.
const DECIMALS_MAX: usize = 4;

const WEEKDAYS: [&str; 7] = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];

/// What a parameter takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(rename = "CatalogueKind")]
pub enum Kind {
    /// An amount, at least 0: "50.00" in the order's currency, or {"amount": "50.00", "currency": "EUR"}.
    Money,
    /// A whole number, 0 to 9007199254740991.
    Number,
    /// A text, not empty.
    Text,
    /// One to 200 texts, none of them empty.
    Texts,
    /// True or false.
    Flag,
    /// One to 200 currencies of ISO 4217, such as "EUR".
    Currencies,
    /// A country by its two letters of ISO 3166-1, such as "DE".
    Country,
    /// One to 200 of them.
    Countries,
    /// One to 200 domains of email addresses, such as "example.com".
    Domains,
    /// One to seven days of the week: "monday" to "sunday".
    Weekdays,
    /// A day, such as "2026-12-24".
    Date,
    /// A time of day, such as "18:30".
    Time,
}

/// What is filled in for a parameter, checked against its [`Kind`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Argument {
    /// An amount as it is written.
    Money {
        /// Digits, with or without decimals.
        amount: String,
        /// None means the order's.
        currency: Option<String>,
    },
    /// A whole number.
    Number(i64),
    /// A text, a country, a day or a time.
    Text(String),
    /// Texts, currencies, countries, domains or days of the week.
    Texts(Vec<String>),
    /// True or false.
    Flag(bool),
}

impl Serialize for Argument {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.to_json().serialize(serializer)
    }
}

impl Argument {
    pub(super) fn to_json(&self) -> Value {
        match self {
            Self::Money { amount, currency: None } => json!(amount),
            Self::Money { amount, currency: Some(currency) } => json!({ "amount": amount, "currency": currency }),
            Self::Number(number) => json!(number),
            Self::Text(text) => json!(text),
            Self::Texts(texts) => json!(texts),
            Self::Flag(flag) => json!(flag),
        }
    }

    /// Reads what a document has. The path of a mistake begins at the argument.
    pub(super) fn of_json(kind: Kind, json: &Value) -> Result<Self, InputError> {
        let wrong = |right: &str| InputError::here(InputErrorKind::WrongType, format!("must be {right}"));
        let argument = match (kind, json) {
            (Kind::Money, Value::String(amount)) => Self::Money { amount: amount.clone(), currency: None },
            (Kind::Money, Value::Object(fields)) => {
                let text = |name: &str| fields.get(name).and_then(Value::as_str).map(str::to_string);
                match (text("amount"), text("currency"), fields.len()) {
                    (Some(amount), currency @ Some(_), 2) => Self::Money { amount, currency },
                    _ => return Err(wrong(MONEY)),
                }
            }
            (Kind::Money, _) => return Err(wrong(MONEY)),
            (Kind::Number, json) => match json.as_i64() {
                Some(number) => Self::Number(number),
                None => return Err(wrong("a whole number such as 5")),
            },
            (Kind::Flag, json) => Self::Flag(json.as_bool().ok_or_else(|| wrong("`true` or `false`"))?),
            (Kind::Text, json) => Self::Text(json.as_str().ok_or_else(|| wrong("a string"))?.to_string()),
            (Kind::Country, json) => Self::Text(json.as_str().ok_or_else(|| wrong(COUNTRY))?.to_string()),
            (Kind::Date, json) => Self::Text(json.as_str().ok_or_else(|| wrong(DATE))?.to_string()),
            (Kind::Time, json) => Self::Text(json.as_str().ok_or_else(|| wrong(TIME))?.to_string()),
            (Kind::Texts | Kind::Currencies | Kind::Countries | Kind::Domains | Kind::Weekdays, json) => {
                let items = json.as_array().ok_or_else(|| wrong("an array of strings"))?;
                let text = |(index, item): (usize, &Value)| {
                    item.as_str().map(str::to_string).ok_or_else(|| wrong("a string")).within_item(index)
                };
                Self::Texts(items.iter().enumerate().map(text).collect::<Result<_, _>>()?)
            }
        };
        argument.check(kind)?;
        Ok(argument)
    }

    /// Whether it is what the kind takes.
    ///
    /// # Errors
    /// What is wrong and what would be right; the path of the mistake begins at the argument.
    pub(super) fn check(&self, kind: Kind) -> Result<(), InputError> {
        match (kind, self) {
            (Kind::Money, Self::Money { amount, currency }) => check_money(amount, currency.as_deref()),
            (Kind::Number, Self::Number(number)) => match (0..=MINOR_MAX).contains(number) {
                true => Ok(()),
                false => invalid(format!("is {number}; it must be a whole number from 0 to {MINOR_MAX}")),
            },
            (Kind::Flag, Self::Flag(_)) => Ok(()),
            (Kind::Text | Kind::Country | Kind::Date | Kind::Time, Self::Text(text)) => check_text(kind, text),
            (Kind::Texts | Kind::Currencies | Kind::Countries | Kind::Domains | Kind::Weekdays, Self::Texts(texts)) => {
                if texts.is_empty() || texts.len() > ITEMS_MAX {
                    return invalid(format!("has {} items; 1 to {ITEMS_MAX} are allowed", texts.len()));
                }
                texts.iter().enumerate().try_for_each(|(index, text)| check_text(kind, text).within_item(index))
            }
            _ => Err(InputError::here(InputErrorKind::WrongType, format!("is not of the kind {kind:?}"))),
        }
    }

    /// As an expression has it.
    pub(super) fn print(&self, kind: Kind, text: &mut String) {
        match self {
            Self::Money { amount, currency } => {
                text.push_str("money(");
                print_text(amount, text);
                if let Some(currency) = currency {
                    text.push_str(", ");
                    print_text(currency, text);
                }
                text.push(')');
            }
            Self::Number(number) => text.push_str(&number.to_string()),
            Self::Flag(flag) => text.push_str(if *flag { "true" } else { "false" }),
            Self::Text(one) => print_text(one, text),
            Self::Texts(items) => {
                text.push('[');
                for (index, item) in items.iter().enumerate() {
                    if index > 0 {
                        text.push_str(", ");
                    }
                    match kind {
                        Kind::Weekdays => text.push_str(&weekday(item).unwrap_or_default().to_string()),
                        Kind::Domains => print_text(&format!("@{item}"), text),
                        _ => print_text(item, text),
                    }
                }
                text.push(']');
            }
        }
    }

    /// The piece of an expression, if it is what the kind takes.
    pub(super) fn of_expression(kind: Kind, expression: &Expr) -> Option<Self> {
        let argument = match kind {
            Kind::Money => money_of(expression)?,
            Kind::Number => Self::Number(number_of(expression)?),
            Kind::Flag => match expression {
                Expr::Literal(LiteralValue::Boolean(flag)) => Self::Flag(*flag.inner()),
                _ => return None,
            },
            Kind::Text | Kind::Country | Kind::Date | Kind::Time => Self::Text(text_of(expression)?),
            Kind::Texts | Kind::Currencies | Kind::Countries | Kind::Domains | Kind::Weekdays => {
                let Expr::List(list) = expression else { return None };
                let item = |item: &Expr| match kind {
                    Kind::Weekdays => {
                        let place = usize::try_from(number_of(item)?).ok()?.checked_sub(1)?;
                        WEEKDAYS.get(place).map(|name| (*name).to_string())
                    }
                    Kind::Domains => text_of(item)?.strip_prefix('@').map(str::to_string),
                    _ => text_of(item),
                };
                if !list.optional_indices.is_empty() {
                    return None;
                }
                Self::Texts(list.elements.iter().map(|one| item(&one.expr)).collect::<Option<_>>()?)
            }
        };
        argument.check(kind).is_ok().then_some(argument)
    }

    /// Whether it comes before another, for a range. None where nobody can say: amounts in two currencies.
    pub(super) fn is_before(&self, other: &Self) -> Option<bool> {
        match (self, other) {
            (Self::Money { amount: one, currency: here }, Self::Money { amount: other, currency: there }) => {
                (here == there).then(|| scaled(one) < scaled(other))
            }
            (Self::Text(one), Self::Text(other)) => Some(one < other),
            (Self::Number(one), Self::Number(other)) => Some(one < other),
            _ => None,
        }
    }
}

const MONEY: &str = "an amount such as \"25.00\", or {\"amount\": \"25.00\", \"currency\": \"USD\"}";
const COUNTRY: &str = "a country such as \"DE\"";
const DATE: &str = "a day such as \"2026-12-24\"";
const TIME: &str = "a time of day such as \"18:30\"";

fn invalid<T>(problem: String) -> Result<T, InputError> {
    Err(InputError::here(InputErrorKind::InvalidValue, problem))
}

fn check_text(kind: Kind, text: &str) -> Result<(), InputError> {
    let shown = excerpt(text);
    if text.trim().is_empty() {
        return invalid("is empty; fill it in or take it out".to_string());
    }
    if text.chars().nth(CHARACTERS_MAX).is_some() {
        let count = text.chars().count();
        let problem = format!("has {count} characters; at most {CHARACTERS_MAX} are allowed");
        return Err(InputError::here(InputErrorKind::TooLarge, problem));
    }
    match kind {
        Kind::Currencies => check_currency(text).map(|_| ()),
        Kind::Country | Kind::Countries => {
            match text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_uppercase()) {
                true if text == "UK" => invalid("`UK` is no country code; write `GB`".to_string()),
                true => Ok(()),
                false => invalid(format!("`{shown}` is no country code; write two capital letters, such as `DE`")),
            }
        }
        Kind::Domains => {
            let part = |part: &str| {
                !part.is_empty() && part.chars().all(|c| c == '-' || (c.is_alphanumeric() && !c.is_uppercase()))
            };
            match text.contains('.') && text.split('.').all(part) {
                true => Ok(()),
                false => invalid(format!("`{shown}` is no domain; write such as `example.com`, in lower case")),
            }
        }
        Kind::Weekdays => match weekday(text) {
            Some(_) => Ok(()),
            None => invalid(format!("`{shown}` is no day of the week; write one of {}", WEEKDAYS.join(", "))),
        },
        Kind::Date if day(text).is_none() => invalid(format!("`{shown}` is no day; it must be {DATE}")),
        Kind::Time if !is_time_of_day(text) => invalid(format!("`{shown}` is no time; it must be {TIME}")),
        _ => Ok(()),
    }
}

fn check_currency(code: &str) -> Result<Currency, InputError> {
    Currency::iso(code).ok_or_else(|| {
        let problem = format!("`{}` is no currency of ISO 4217; write such as `EUR`", excerpt(code));
        InputError::here(InputErrorKind::UnknownCurrency, problem)
    })
}

fn check_money(amount: &str, currency: Option<&str>) -> Result<(), InputError> {
    let wrong = |problem: String| {
        let error = InputError::here(InputErrorKind::InvalidAmount, problem);
        Err(if currency.is_some() { error.under("amount") } else { error })
    };
    let shown = excerpt(amount);
    let (whole, decimals) = amount.split_once('.').map_or((amount, None), |(whole, part)| (whole, Some(part)));
    let are_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if amount.starts_with('-') {
        return wrong(format!("`{shown}` is negative; it must be at least 0"));
    }
    if !are_digits(whole) || decimals.is_some_and(|part| !are_digits(part)) {
        return wrong(format!("`{shown}` is no amount; write such as \"25.00\""));
    }
    let decimals = decimals.unwrap_or_default().len();
    let (most, of_whom) = match currency {
        Some(code) => {
            let currency = check_currency(code).map_err(|error| error.under("currency"))?;
            (usize::from(currency.exponent()), format!("{code} has"))
        }
        None => (DECIMALS_MAX, "no currency has more than".to_string()),
    };
    if decimals > most {
        return wrong(format!("`{shown}` has {decimals} decimals, and {of_whom} {most}"));
    }
    let exponent = if currency.is_some() { most } else { decimals };
    match scaled(amount)
        .is_some_and(|amount| amount / 10_i128.pow((DECIMALS_MAX - exponent) as u32) <= MINOR_MAX.into())
    {
        true => Ok(()),
        false => wrong(format!("`{shown}` is more than can be kept exactly")),
    }
}

/// An amount in ten thousandths, to compare it.
fn scaled(amount: &str) -> Option<i128> {
    let (whole, decimals) = amount.split_once('.').unwrap_or((amount, ""));
    format!("{whole}{decimals:0<DECIMALS_MAX$}").parse().ok()
}

/// 1 Monday to 7 Sunday.
fn weekday(name: &str) -> Option<usize> {
    WEEKDAYS.iter().position(|known| *known == name).map(|place| place + 1)
}

/// A text in double quotes, on one line, without what could steer a terminal or turn the direction of writing.
fn print_text(text: &str, printed: &mut String) {
    printed.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => printed.extend(['\\', c]),
            '\n' => printed.push_str("\\n"),
            '\r' => printed.push_str("\\r"),
            '\t' => printed.push_str("\\t"),
            c if c.is_control()
                || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}') =>
            {
                printed.push_str(&format!("\\u{:04x}", u32::from(c)))
            }
            c => printed.push(c),
        }
    }
    printed.push('"');
}

fn text_of(expression: &Expr) -> Option<String> {
    match expression {
        Expr::Literal(LiteralValue::String(text)) => Some(text.inner().to_string()),
        _ => None,
    }
}

fn number_of(expression: &Expr) -> Option<i64> {
    match expression {
        Expr::Literal(LiteralValue::Int(number)) => Some(*number.inner()),
        _ => None,
    }
}

fn money_of(expression: &Expr) -> Option<Argument> {
    let Expr::Call(call) = expression else { return None };
    if call.func_name != "money" || call.target.is_some() {
        return None;
    }
    let (amount, currency) = match call.args.as_slice() {
        [amount] => (amount, None),
        [amount, currency] => (amount, Some(text_of(&currency.expr)?)),
        _ => return None,
    };
    Some(Argument::Money { amount: text_of(&amount.expr)?, currency })
}

impl Kind {
    /// The JSON Schema of an argument.
    pub(super) fn schema(self) -> Value {
        let text = |pattern: &str| json!({ "type": "string", "pattern": pattern });
        let texts = |item: Value| json!({ "type": "array", "items": item, "minItems": 1, "maxItems": ITEMS_MAX });
        let any = json!({ "type": "string", "minLength": 1, "maxLength": CHARACTERS_MAX });
        let (amount, currency) = (text(r"^[0-9]+(\.[0-9]{1,4})?$"), text("^[A-Z]{3}$"));
        match self {
            Self::Money => {
                let described = |schema: &Value, what: &str| {
                    let mut schema = schema.clone();
                    schema["description"] = json!(what);
                    schema
                };
                json!({ "anyOf": [amount, {
                    "type": "object",
                    "properties": {
                        "amount": described(&amount, "The amount."),
                        "currency": described(&currency, "Its currency, by ISO 4217."),
                    },
                    "required": ["amount", "currency"],
                    "additionalProperties": false,
                }] })
            }
            Self::Number => json!({ "type": "integer", "minimum": 0, "maximum": MINOR_MAX }),
            Self::Flag => json!({ "type": "boolean" }),
            Self::Text => any,
            Self::Texts => texts(any),
            Self::Currencies => texts(currency),
            Self::Country => text("^[A-Z]{2}$"),
            Self::Countries => texts(text("^[A-Z]{2}$")),
            Self::Domains => texts(text(r"^[^.@\s]+(\.[^.@\s]+)+$")),
            Self::Weekdays => texts(json!({ "enum": WEEKDAYS })),
            Self::Date => text("^[0-9]{4}-[0-9]{2}-[0-9]{2}$"),
            Self::Time => text("^([01][0-9]|2[0-3]):[0-5][0-9]$"),
        }
    }
}
