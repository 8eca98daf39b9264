//! What a plugin lets a merchant set, and whether given settings fit it. Must not know a single setting by name.

use std::collections::BTreeSet;

use giftcard_engine::money::{Currency, MINOR_MAX, Minor, Money};
use giftcard_engine::value::{Named, Value, is_code};
use thiserror::Error;

use crate::error::{CallError, clip};
use crate::v0_1::bindings::exports::giftcard::rules::plugin as wit;
use crate::v0_1::bindings::giftcard::rules::types::ValueResult;

/// How a setting is typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SettingKind {
    /// Yes or no.
    Flag,
    /// A whole number.
    Integer,
    /// A quantity, an integer in thousandths.
    Quantity,
    /// A share, an integer in basis points.
    Percent,
    /// An amount with its currency.
    Money,
    /// Text.
    Text,
    /// One text out of a list.
    Choice,
    /// A date, text as 2026-01-31.
    Date,
    /// A time of day, text as 08:30.
    Time,
    /// Several texts.
    Texts,
    /// Several texts out of a list.
    Choices,
}

impl SettingKind {
    const ALL: [(&'static str, Self); 11] = [
        ("flag", Self::Flag),
        ("integer", Self::Integer),
        ("quantity", Self::Quantity),
        ("percent", Self::Percent),
        ("money", Self::Money),
        ("text", Self::Text),
        ("choice", Self::Choice),
        ("date", Self::Date),
        ("time", Self::Time),
        ("texts", Self::Texts),
        ("choices", Self::Choices),
    ];

    /// Its name in the contract.
    #[must_use]
    pub fn name(self) -> &'static str {
        let found = Self::ALL.iter().find(|(_, kind)| *kind == self);
        found.expect("INVARIANT: every kind is listed").0
    }
}

/// One setting of a plugin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// kebab-case.
    pub name: String,
    /// What a form shows beside the field.
    pub label: String,
    /// One sentence of help.
    pub help: String,
    /// How it is typed.
    pub kind: SettingKind,
    /// Must be given, unless there is a default.
    pub required: bool,
    /// Used where nothing was given.
    pub default: Option<Value>,
    /// Least number.
    pub minimum: Option<i64>,
    /// Greatest number.
    pub maximum: Option<i64>,
    /// Allowed values with their labels.
    pub choices: Vec<(String, String)>,
    /// Most items.
    pub items_max: Option<u32>,
}

/// Why settings are refused.
#[derive(Debug, Error)]
pub enum SettingsError {
    /// No such plugin is loaded.
    #[error("`{0}` is not among the loaded condition plugins")]
    UnknownPlugin(String),
    /// What is wrong with which setting.
    #[error("{}", .0.iter().map(|(setting, problem)| format!("setting `{setting}`: {problem}")).collect::<Vec<_>>().join("; "))]
    Problems(Vec<(String, String)>),
    /// The plugin failed when it was asked.
    #[error(transparent)]
    Call(#[from] Box<CallError>),
}

/// Settings out of a description.
///
/// # Errors
/// What is wrong with the description.
pub(crate) fn described_settings(described: &[wit::Setting]) -> Result<Vec<Setting>, String> {
    let mut names = BTreeSet::new();
    let mut settings = Vec::new();
    for setting in described {
        let name = clip(&setting.name);
        if !is_code(&setting.name) || !names.insert(&setting.name) {
            return Err(format!("the setting `{name}` is not kebab-case or stands twice"));
        }
        let kind = SettingKind::ALL.iter().find(|(known, _)| *known == setting.kind).map(|(_, kind)| *kind);
        let Some(kind) = kind else {
            let known: Vec<&str> = SettingKind::ALL.iter().map(|(name, _)| *name).collect();
            let kind = clip(&setting.kind);
            return Err(format!("the setting `{name}` is of kind `{kind}`; this host knows {}", known.join(", ")));
        };
        let chooses = matches!(kind, SettingKind::Choice | SettingKind::Choices);
        if chooses == setting.choices.is_empty() {
            return Err(format!("the setting `{name}` must have choices if, and only if, it is a choice"));
        }
        let read = Setting {
            name: setting.name.clone(),
            label: setting.label.clone(),
            help: setting.help.clone(),
            kind,
            required: setting.required,
            default: None,
            minimum: setting.minimum,
            maximum: setting.maximum,
            choices: setting.choices.iter().map(|choice| (choice.value.clone(), choice.label.clone())).collect(),
            items_max: setting.items_max,
        };
        let default = setting.default.as_ref().map(default_value).transpose()?;
        if let Some(problem) = default.as_ref().and_then(|default| problem(&read, default)) {
            return Err(format!("the default of the setting `{name}` {problem}"));
        }
        settings.push(Setting { default, ..read });
    }
    Ok(settings)
}

fn default_value(value: &ValueResult) -> Result<Value, String> {
    Ok(match value {
        ValueResult::Flag(flag) => Value::Flag(*flag),
        ValueResult::Integer(integer) => Value::Integer(*integer),
        ValueResult::Money(money) => {
            let currency = Currency::new(&money.currency.code, money.currency.exponent).map_err(|e| e.to_string())?;
            Value::Money(Money::new(Minor::new(money.amount).map_err(|e| e.to_string())?, currency))
        }
        ValueResult::Text(text) => Value::Text(text.clone()),
        ValueResult::Texts(texts) => Value::Texts(texts.clone()),
    })
}

/// Checks each given setting by itself: known, once, of its kind, within its limits, and nothing required missing.
///
/// # Errors
/// Setting and problem, all of them.
pub(crate) fn check_each(settings: &[Setting], given: &[Named]) -> Result<(), Vec<(String, String)>> {
    let mut problems = Vec::new();
    for (index, named) in given.iter().enumerate() {
        let name = || clip(&named.name);
        match settings.iter().find(|setting| setting.name == named.name) {
            None => {
                let known: Vec<&str> = settings.iter().map(|setting| setting.name.as_str()).collect();
                problems.push((name(), format!("is unknown; known are {}", known.join(", "))));
            }
            Some(_) if given[..index].iter().any(|earlier| earlier.name == named.name) => {
                problems.push((name(), "is given twice".into()))
            }
            Some(setting) => problems.extend(problem(setting, &named.value).map(|problem| (name(), problem))),
        }
    }
    for setting in settings.iter().filter(|setting| setting.required && setting.default.is_none()) {
        if !given.iter().any(|named| named.name == setting.name) {
            problems.push((setting.name.clone(), "is required".into()));
        }
    }
    if problems.is_empty() { Ok(()) } else { Err(problems) }
}

/// What is wrong with a value, if anything.
fn problem(setting: &Setting, value: &Value) -> Option<String> {
    let number = match (setting.kind, value) {
        (SettingKind::Flag, Value::Flag(_)) | (SettingKind::Text, Value::Text(_)) => None,
        (SettingKind::Integer | SettingKind::Quantity | SettingKind::Percent, Value::Integer(integer)) => {
            Some(*integer)
        }
        (SettingKind::Money, Value::Money(money)) => Some(money.amount().get()),
        (SettingKind::Choice, Value::Text(text)) => return not_chosen(setting, std::slice::from_ref(text)),
        (SettingKind::Date, Value::Text(text)) => return (!is_date(text)).then(|| wrong(text, "a date as 2026-01-31")),
        (SettingKind::Time, Value::Text(text)) => return (!is_time(text)).then(|| wrong(text, "a time as 08:30")),
        (SettingKind::Texts | SettingKind::Choices, Value::Texts(texts)) => {
            if let Some(items_max) = setting.items_max
                && texts.len() > items_max as usize
            {
                return Some(format!("has {} items; at most {items_max} are allowed", texts.len()));
            }
            return if setting.kind == SettingKind::Choices { not_chosen(setting, texts) } else { None };
        }
        (kind, _) => return Some(format!("must be of kind {}", kind.name())),
    };
    let number = number?;
    let show = |number: i64| show_number(setting.kind, number, value);
    match (setting.minimum, setting.maximum) {
        _ if number.unsigned_abs() > MINOR_MAX.unsigned_abs() => Some(format!("is {number}, beyond 2^53 - 1")),
        (Some(least), _) if number < least => Some(format!("is {}; it must be at least {}", show(number), show(least))),
        (_, Some(most)) if number > most => Some(format!("is {}; it must be at most {}", show(number), show(most))),
        _ => None,
    }
}

/// A number of a setting as people write it: 12.5 %, 1.5, 25.00 USD.
fn show_number(kind: SettingKind, number: i64, value: &Value) -> String {
    let decimal = |exponent: u8| match Minor::new(number) {
        Ok(number) => number.to_decimal(exponent),
        Err(_) => number.to_string(),
    };
    match (kind, value) {
        (SettingKind::Percent, _) => format!("{} %", decimal(2)),
        (SettingKind::Quantity, _) => decimal(3),
        (SettingKind::Money, Value::Money(money)) => {
            format!("{} {}", decimal(money.currency().exponent()), money.currency())
        }
        _ => number.to_string(),
    }
}

fn wrong(text: &str, right: &str) -> String {
    format!("is `{}`; it must be {right}", clip(text))
}

fn not_chosen(setting: &Setting, texts: &[String]) -> Option<String> {
    let text = texts.iter().find(|text| !setting.choices.iter().any(|(value, _)| value == *text))?;
    let allowed: Vec<&str> = setting.choices.iter().map(|(value, _)| value.as_str()).collect();
    Some(wrong(text, &format!("one of {}", clip(&allowed.join(", ")))))
}

fn is_date(text: &str) -> bool {
    text.len() == 10 && chrono::NaiveDate::parse_from_str(text, "%Y-%m-%d").is_ok()
}

fn is_time(text: &str) -> bool {
    text.len() == 5 && chrono::NaiveTime::parse_from_str(text, "%H:%M").is_ok()
}

/// The settings that cross: what was given, and defaults for the rest, in the plugin's order.
pub(crate) fn with_defaults<'a>(settings: &'a [Setting], given: &'a [Named]) -> Vec<(&'a str, &'a Value)> {
    let value = |setting: &'a Setting| {
        let found = given.iter().find(|named| named.name == setting.name).map(|named| &named.value);
        found.or(setting.default.as_ref())
    };
    settings.iter().filter_map(|setting| Some((setting.name.as_str(), value(setting)?))).collect()
}
