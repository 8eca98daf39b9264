//! What a rule of the catalogue is, and how one is found. Must not know how a rule is written as text.

use schemars::JsonSchema;
use serde::Serialize;

use super::argument::Kind;
use super::rules::RULES;

/// The rules that a form can offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "catalogue")]
pub struct Catalogue {
    /// Every rule, in the order in which a form shows them.
    pub rules: &'static [Rule],
}

/// A rule with parameters: something that is true or false of an order, its customer, a card or the time.
#[derive(Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "CatalogueRule")]
pub struct Rule {
    /// Stable kebab-case name.
    pub id: &'static str,
    /// What it is about: "order", "cart", "customer", "address", "time", "discounts", "card" or "attributes".
    pub group: &'static str,
    /// What it says, with its parameters in braces.
    pub label: &'static str,
    /// One sentence of help; may be empty.
    pub help: &'static str,
    /// What is filled in.
    pub parameters: &'static [Parameter],
    /// Its expression, with the parameters' names in capitals.
    #[serde(rename = "expression")]
    pub template: &'static str,
    /// Whether its two parameters have to be in ascending order.
    #[serde(skip)]
    #[schemars(skip)]
    pub(super) ascends: bool,
}

/// What is filled in where a rule is used.
#[derive(Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "CatalogueParameter")]
pub struct Parameter {
    /// Its name among the arguments.
    pub name: &'static str,
    /// What a form shows beside it.
    pub label: &'static str,
    /// What it takes.
    pub kind: Kind,
}

impl Catalogue {
    /// The catalogue of this version.
    pub const STANDARD: Self = Self { rules: RULES };

    /// The rule of that id.
    #[must_use]
    pub fn rule(id: &str) -> Option<&'static Rule> {
        RULES.iter().find(|rule| rule.id == id)
    }
}

impl Rule {
    /// The parameter of that name.
    #[must_use]
    pub fn parameter(&self, name: &str) -> Option<&'static Parameter> {
        self.parameters.iter().find(|parameter| parameter.name == name)
    }

    /// The place of the parameter that a word of the template stands for.
    pub(super) fn placeholder(&self, word: &str) -> Option<usize> {
        let stands_for = |parameter: &Parameter| {
            parameter.name.len() == word.len()
                && parameter.name.bytes().zip(word.bytes()).all(|(one, other)| one.to_ascii_uppercase() == other)
        };
        self.parameters.iter().position(stands_for)
    }
}
