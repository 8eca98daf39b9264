//! Settings of a condition, from JSON to the kinds that the plugin declares. Must not know ranges: the host
//! checks those, and the plugin itself checks whatever is left.

use giftcard_engine::value::{Named, Value};
use giftcard_engine::{Currency, Money};
use giftcard_host::{Facts, Setting, SettingKind};
use serde_json::Value as Json;

use super::bounds::{Fields, check_items, check_text};
use super::leaf::{Amount, CurrencyCode, decimal, minor};
use super::shape::MoneyInput;
use super::time::{day, is_time_of_day};
use super::{InputError, InputErrorKind, Plugins, Within};
use crate::json::{excerpt, kind_text};

/// What a plugin says about itself, or an error that names those that are loaded.
pub(super) fn facts<'a>(plugin: &str, plugins: &'a dyn Plugins) -> Result<&'a Facts, InputError> {
    plugins.facts(plugin).ok_or_else(|| {
        if let Some(trouble) = plugins.trouble(plugin) {
            return InputError::here(InputErrorKind::UnknownPlugin, trouble);
        }
        let ids = plugins.ids();
        let known = match ids.is_empty() {
            true => "none is".to_string(),
            false => ids.iter().map(|id| format!("`{id}`")).collect::<Vec<_>>().join(", "),
        };
        let problem = format!("`{}` is not among the loaded condition plugins; loaded: {known}", excerpt(plugin));
        InputError::here(InputErrorKind::UnknownPlugin, problem)
    })
}

/// Settings by name, as the plugin declares them; null is the same as left out.
pub(super) fn settings(given: &Fields<Json>, plugin: &Facts, currency: Currency) -> Result<Vec<Named>, InputError> {
    let mut settings = Vec::new();
    for (name, json) in given.iter() {
        let Some(setting) = plugin.settings.iter().find(|setting| setting.name == *name) else {
            let known: Vec<String> = plugin.settings.iter().map(|setting| format!("`{}`", setting.name)).collect();
            let known = if known.is_empty() { "none".to_string() } else { known.join(", ") };
            let problem = format!("`{}` has no such setting; its settings are {known}", excerpt(&plugin.id));
            return Err(InputError::here(InputErrorKind::InvalidSettings, problem)).within(&excerpt(name));
        };
        if !json.is_null() {
            let value = value(json, setting, currency).within(name)?;
            settings.push(Named { name: name.clone(), value });
        }
    }
    Ok(settings)
}

fn wrong(json: &Json, right: &str) -> InputError {
    let found = match json {
        Json::Number(number) => format!("{number} is a JSON number"),
        other => format!("is {}", kind_text(other)),
    };
    InputError::here(InputErrorKind::WrongType, format!("{found}; {right}"))
}

fn value(json: &Json, setting: &Setting, currency: Currency) -> Result<Value, InputError> {
    let text = |right: &str| json.as_str().ok_or_else(|| wrong(json, right)).and_then(short);
    let invalid = |text: &str, right: &str| {
        Err(InputError::here(InputErrorKind::InvalidValue, format!("`{}` {right}", excerpt(text))))
    };
    match setting.kind {
        SettingKind::Flag => match json.as_bool() {
            Some(flag) => Ok(Value::Flag(flag)),
            None => Err(wrong(json, "it must be `true` or `false`")),
        },
        SettingKind::Integer => {
            let whole = json.as_i64().filter(|integer| decimal(&integer.to_string(), 0).is_some());
            whole.map(Value::Integer).ok_or_else(|| match json {
                Json::Number(number) => {
                    let problem = format!("{number} is not a whole number within ±9007199254740991");
                    InputError::here(InputErrorKind::InvalidValue, problem)
                }
                _ => wrong(json, "it must be a whole number such as 5"),
            })
        }
        // The host says what is below the least; but nothing below nothing would be nothing to it.
        SettingKind::Quantity | SettingKind::Percent if is_minus_nothing(json, setting) => {
            let problem = format!("`{}` is negative; it must be at least 0", excerpt(text("")?));
            Err(InputError::here(InputErrorKind::InvalidValue, problem))
        }
        SettingKind::Quantity => {
            let right = "quantities are decimal strings with up to three decimals such as \"1.5\"";
            let text = text(right)?;
            decimal(text, 3).map(Value::Integer).map_or_else(|| invalid(text, &format!("does not fit: {right}")), Ok)
        }
        SettingKind::Percent => {
            let right = "percentages are decimal strings with up to two decimals such as \"12.5\"";
            let text = text(right)?;
            decimal(text, 2).map(Value::Integer).map_or_else(|| invalid(text, &format!("does not fit: {right}")), Ok)
        }
        SettingKind::Money => money(json, setting, currency),
        SettingKind::Text => Ok(Value::Text(text("it must be a string")?.to_string())),
        SettingKind::Choice => Ok(Value::Text(choice(text("it must be a string")?, setting)?)),
        SettingKind::Date => match text("dates are strings such as \"2026-01-31\"")? {
            date if day(date).is_some() => Ok(Value::Text(date.to_string())),
            other => invalid(other, "is not a date such as `2026-01-31`"),
        },
        SettingKind::Time => match text("times are strings such as \"08:30\"")? {
            time if is_time_of_day(time) => Ok(Value::Text(time.to_string())),
            other => invalid(other, "is not a time of day such as `08:30`"),
        },
        SettingKind::Texts => texts(json, |text| Ok(text.to_string())),
        SettingKind::Choices => texts(json, |text| choice(text, setting)),
    }
}

fn short(text: &str) -> Result<&str, InputError> {
    check_text(text).map(|()| text)
}

fn allows_negative(setting: &Setting) -> bool {
    setting.minimum.is_some_and(|minimum| minimum < 0)
}

fn is_minus_nothing(json: &Json, setting: &Setting) -> bool {
    let is_nothing = |text: &str| text.starts_with('-') && decimal(text, 3) == Some(0);
    !allows_negative(setting) && json.as_str().is_some_and(is_nothing)
}

fn money(json: &Json, setting: &Setting, currency: Currency) -> Result<Value, InputError> {
    let negative = allows_negative(setting);
    let right = "amounts are decimal strings such as \"25.00\", or {\"amount\": \"25.00\", \"currency\": \"USD\"}";
    match json {
        Json::String(text) => Ok(Value::Money(Money::new(minor(short(text)?, currency, negative)?, currency))),
        Json::Object(object) => match (object.get("amount"), object.get("currency"), object.len()) {
            (Some(Json::String(amount)), Some(Json::String(code)), 2) => {
                let money = MoneyInput { amount: Amount(amount.clone()), currency: CurrencyCode(code.clone()) };
                Ok(Value::Money(money.money(negative)?))
            }
            (Some(Json::Number(number)), ..) => {
                let problem = format!("{number} is a JSON number; amounts are decimal strings such as \"25.00\"");
                Err(InputError::at(InputErrorKind::WrongType, "amount", problem))
            }
            _ => Err(wrong(json, right)),
        },
        _ => Err(wrong(json, right)),
    }
}

fn texts(json: &Json, convert: impl Fn(&str) -> Result<String, InputError>) -> Result<Value, InputError> {
    let items = json.as_array().ok_or_else(|| wrong(json, "it must be an array of strings"))?;
    check_items(items.len())?;
    let text = |(index, item): (usize, &Json)| {
        let text = item.as_str().ok_or_else(|| wrong(item, "it must be a string")).and_then(short);
        text.and_then(&convert).within_item(index)
    };
    Ok(Value::Texts(items.iter().enumerate().map(text).collect::<Result<_, _>>()?))
}

fn choice(text: &str, setting: &Setting) -> Result<String, InputError> {
    if setting.choices.iter().any(|(value, _)| value == text) {
        return Ok(text.to_string());
    }
    let known: Vec<&str> = setting.choices.iter().map(|(value, _)| value.as_str()).collect();
    let problem = format!("`{}` is not a choice; write {}", excerpt(text), crate::json::one_of(&known));
    Err(InputError::here(InputErrorKind::InvalidValue, problem))
}
