//! Typed values with names: settings, attributes and the arguments of messages. Must not know what they mean.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use crate::money::Money;

/// A setting, an attribute or an argument. Mirrors `value` of the contract.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Value {
    /// Yes or no.
    Flag(bool),
    /// A whole number; shares in basis points, quantities in thousandths. Within ±(2^53 - 1).
    Integer(i64),
    /// An amount with its currency.
    Money(Money),
    /// Text; also dates "2026-01-31" and times "08:30".
    Text(String),
    /// Several texts.
    Texts(Vec<String>),
}

impl Value {
    /// The value as a person reads it.
    #[must_use]
    pub fn display(&self) -> String {
        match self {
            Self::Flag(true) => "yes".to_string(),
            Self::Flag(false) => "no".to_string(),
            Self::Integer(integer) => integer.to_string(),
            Self::Money(money) => money.to_string(),
            Self::Text(text) => text.clone(),
            Self::Texts(texts) => texts.join(", "),
        }
    }
}

impl Value {
    /// Bytes of its texts, as far as it has any.
    #[must_use]
    pub fn text_bytes(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Texts(texts) => texts.iter().map(|text| text.len() + 2).sum(),
            Self::Flag(_) | Self::Integer(_) | Self::Money(_) => 0,
        }
    }
}

/// A value with its name.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Named {
    /// Stands at most once in a list.
    pub name: String,
    /// The value.
    pub value: Value,
}

/// Past this many bytes a message takes in no more arguments.
pub const TEXT_BYTES_MAX: usize = 4_096;

/// Why something was turned down. Mirrors `reject` of the contract.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reject {
    /// Stable kebab-case code.
    pub code: String,
    /// For people; `{name}` stands for an argument.
    pub message: String,
    /// What the message names.
    pub arguments: Vec<Named>,
}

impl Reject {
    /// A reject without arguments.
    #[must_use]
    pub fn new(code: &str, message: &str) -> Self {
        Self { code: code.to_string(), message: message.to_string(), arguments: Vec::new() }
    }

    /// The message with its arguments put in; cut at [`TEXT_BYTES_MAX`], since a message may name an argument many
    /// times. A placeholder without an argument stays as it stands.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::with_capacity(self.message.len());
        let mut rest = self.message.as_str();
        while let Some((before, after)) = rest.split_once('{') {
            text.push_str(before);
            if text.len() > TEXT_BYTES_MAX {
                return text;
            }
            let found = after.split_once('}').and_then(|(name, tail)| {
                self.arguments.iter().find(|argument| argument.name == name).map(|argument| (argument, tail))
            });
            match found {
                Some((argument, tail)) => {
                    text.push_str(&argument.value.display());
                    rest = tail;
                }
                None => {
                    text.push('{');
                    rest = after;
                }
            }
        }
        text.push_str(rest);
        text
    }
}

/// One line of an explanation. Mirrors `step` of the contract.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Index of the card; none speaks of the order.
    pub card: Option<usize>,
    /// What was checked.
    pub check: String,
    /// Whether it was as needed.
    pub passed: bool,
    /// What stood in the request.
    pub seen: String,
    /// What would have been right.
    pub needed: String,
}

/// Whether `text` is a kebab-case code: lower-case letters, digits and single dashes, a letter first, at most 64
/// bytes.
#[must_use]
pub fn is_code(text: &str) -> bool {
    let bytes = text.as_bytes();
    (1..=64).contains(&bytes.len())
        && bytes[0].is_ascii_lowercase()
        && bytes.last() != Some(&b'-')
        && !text.contains("--")
        && bytes.iter().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || *byte == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    #[test]
    fn placeholders_become_arguments_and_nothing_else_does() {
        let reject = Reject {
            code: "x".into(),
            message: "add {missing} of {kind}, {unknown} {".into(),
            arguments: vec![
                Named { name: "missing".into(), value: Value::Integer(2) },
                Named { name: "kind".into(), value: Value::Texts(vec!["a".into(), "{missing}".into()]) },
            ],
        };
        assert_eq!(reject.text(), "add 2 of a, {missing}, {unknown} {");
    }

    #[test]
    fn codes_are_kebab_case() {
        for good in ["a", "minimum-not-met", "x2"] {
            assert!(is_code(good), "{good}");
        }
        for bad in ["", "-a", "a-", "a--b", "A", "2a", "a b", "ä"] {
            assert!(!is_code(bad), "{bad}");
        }
    }
}
