//! What a component says about itself, as JSON.

use giftcard_engine::value::Value;
use giftcard_host::{Facts, Setting, SettingKind};
use serde::Serialize;
use serde_json::{Map, Value as Json, json};

use crate::input::Attribute;
use crate::plugins::{Entry, Origin};

/// A component.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PluginOutput {
    /// Stays the same over all versions.
    pub id: String,
    /// Its own version.
    pub version: String,
    /// The world of the contract it fits.
    pub world: String,
    /// The version of the contract.
    pub contract: String,
    /// SHA-256 of its file.
    pub digest: String,
    /// Bytes of its file.
    pub size: usize,
    /// What it asks for beyond the standard limits, and somebody has to grant it; left out where that is nothing.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub limits: Map<String, Json>,
    /// "built-in", or the file.
    pub origin: String,
    /// Its name for people.
    pub title: String,
    /// What it does.
    pub summary: String,
    /// What it imports.
    pub imports: Vec<String>,
    /// What a merchant can set.
    pub settings: Vec<SettingOutput>,
    /// Why it may refuse a card.
    pub reject_codes: Vec<RejectCodeOutput>,
    /// The parts of the order that it reads.
    pub needs: Vec<String>,
    /// Whether it may limit several cards together.
    pub shares_limits: bool,
}

/// A setting. Numbers are as an input has them: decimal strings for quantities and percentages.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SettingOutput {
    /// Its name.
    pub name: String,
    /// What a form shows beside it.
    pub label: String,
    /// One sentence of help.
    pub help: String,
    /// How it is typed.
    pub kind: &'static str,
    /// Must be given, unless there is a default.
    pub required: bool,
    /// Used where nothing was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default: Option<Json>,
    /// Least value; of an amount in minor units.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub minimum: Option<Json>,
    /// Greatest value; of an amount in minor units.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub maximum: Option<Json>,
    /// The allowed values.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub choices: Vec<ChoiceOutput>,
    /// Most items.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub items_max: Option<u32>,
}

/// An allowed value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ChoiceOutput {
    /// What an input has.
    pub value: String,
    /// What a form shows.
    pub label: String,
}

/// Why a plugin may refuse a card.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RejectCodeOutput {
    /// kebab-case.
    pub code: String,
    /// What it means.
    pub message: String,
}

impl From<&Entry> for PluginOutput {
    fn from(entry: &Entry) -> Self {
        let facts: &Facts = &entry.facts;
        let reject =
            |(code, message): &(String, String)| RejectCodeOutput { code: code.clone(), message: message.clone() };
        Self {
            id: facts.id.clone(),
            version: facts.version.clone(),
            world: facts.world.to_string(),
            contract: facts.contract.clone(),
            digest: facts.digest.clone(),
            size: facts.size,
            limits: facts.granted.fields().map(|(name, value)| (name.to_string(), value.into())).collect(),
            origin: match &entry.origin {
                Origin::BuiltIn => "built-in".to_string(),
                Origin::File(path) => path.display().to_string(),
            },
            title: facts.title.clone(),
            summary: facts.summary.clone(),
            imports: facts.imports.clone(),
            settings: facts.settings.iter().map(setting).collect(),
            reject_codes: facts.reject_codes.iter().map(reject).collect(),
            needs: facts.needs.clone(),
            shares_limits: facts.shares_limits,
        }
    }
}

fn setting(setting: &Setting) -> SettingOutput {
    let number = |number: i64| match setting.kind {
        SettingKind::Quantity => Json::from(scaled(number, 3)),
        SettingKind::Percent => Json::from(scaled(number, 2)),
        _ => Json::from(number),
    };
    SettingOutput {
        name: setting.name.clone(),
        label: setting.label.clone(),
        help: setting.help.clone(),
        kind: setting.kind.name(),
        required: setting.required,
        default: setting.default.as_ref().map(|value| match value {
            Value::Integer(integer) => number(*integer),
            other => json!(Attribute::from(other)),
        }),
        minimum: setting.minimum.map(number),
        maximum: setting.maximum.map(number),
        choices: setting
            .choices
            .iter()
            .map(|(value, label)| ChoiceOutput { value: value.clone(), label: label.clone() })
            .collect(),
        items_max: setting.items_max,
    }
}

/// A whole number of the last decimal as a decimal without needless zeros: 1250 with 2 is "12.5".
pub(super) fn scaled(number: i64, decimals: usize) -> String {
    let sign = if number < 0 { "-" } else { "" };
    let digits = format!("{:0>width$}", number.unsigned_abs(), width = decimals + 1);
    let (whole, fraction) = digits.split_at(digits.len() - decimals);
    match fraction.trim_end_matches('0') {
        "" => format!("{sign}{whole}"),
        fraction => format!("{sign}{whole}.{fraction}"),
    }
}

#[cfg(test)]
mod tests {
    use super::scaled;

    #[test]
    fn numbers_are_shown_as_an_input_has_them() {
        for (number, decimals, expected) in
            [(1250, 2, "12.5"), (5000, 2, "50"), (5, 2, "0.05"), (1500, 3, "1.5"), (0, 3, "0"), (-1250, 2, "-12.5")]
        {
            assert_eq!(scaled(number, decimals), expected);
        }
    }
}
