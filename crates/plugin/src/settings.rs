//! Typed access to settings. Must not know a single setting by name.

use crate::build::failure;
use crate::types::{Failure, Money, Named, Value};

/// The settings of a binding, defaults filled in by the host.
pub struct Settings(Vec<Named>);

impl Settings {
    /// From the list that crossed.
    #[must_use]
    pub fn new(settings: Vec<Named>) -> Self {
        Self(settings)
    }

    fn get<'a, T>(
        &'a self,
        name: &str,
        kind: &str,
        read: impl Fn(&'a Value) -> Option<T>,
    ) -> Result<Option<T>, Failure> {
        let Some(named) = self.0.iter().find(|named| named.name == name) else { return Ok(None) };
        match read(&named.value) {
            Some(value) => Ok(Some(value)),
            None => Err(failure("bad-setting", format!("setting `{name}` must be {kind}"))),
        }
    }

    fn need<T>(&self, name: &str, value: Option<T>) -> Result<T, Failure> {
        value.ok_or_else(|| failure("missing-setting", format!("setting `{name}` is missing")))
    }

    /// A whole number; also quantities (thousandths) and percents (basis points).
    ///
    /// # Errors
    /// [`Failure`] if it is missing or of another kind. The same holds for every method without `maybe`.
    pub fn integer(&self, name: &str) -> Result<i64, Failure> {
        self.need(name, self.maybe_integer(name)?)
    }

    /// The same, or none.
    ///
    /// # Errors
    /// [`Failure`] if it is of another kind. The same holds for every method with `maybe`.
    pub fn maybe_integer(&self, name: &str) -> Result<Option<i64>, Failure> {
        self.get(name, "an integer", |value| match value {
            Value::Integer(integer) => Some(*integer),
            _ => None,
        })
    }

    /// A flag; false if it is missing.
    ///
    /// # Errors
    /// See [`Self::maybe_integer`].
    pub fn flag(&self, name: &str) -> Result<bool, Failure> {
        let flag = self.get(name, "a flag", |value| match value {
            Value::Flag(flag) => Some(*flag),
            _ => None,
        });
        Ok(flag?.unwrap_or(false))
    }

    /// An amount with its currency, or none.
    ///
    /// # Errors
    /// See [`Self::maybe_integer`].
    pub fn maybe_money(&self, name: &str) -> Result<Option<&Money>, Failure> {
        self.get(name, "money", |value| match value {
            Value::Money(money) => Some(money),
            _ => None,
        })
    }

    /// A text.
    ///
    /// # Errors
    /// See [`Self::integer`].
    pub fn text(&self, name: &str) -> Result<&str, Failure> {
        self.need(name, self.maybe_text(name)?)
    }

    /// A text, or none.
    ///
    /// # Errors
    /// See [`Self::maybe_integer`].
    pub fn maybe_text(&self, name: &str) -> Result<Option<&str>, Failure> {
        self.get(name, "text", |value| match value {
            Value::Text(text) => Some(text.as_str()),
            _ => None,
        })
    }

    /// Texts; empty if they are missing.
    ///
    /// # Errors
    /// See [`Self::maybe_integer`].
    pub fn texts(&self, name: &str) -> Result<&[String], Failure> {
        let texts = self.get(name, "texts", |value| match value {
            Value::Texts(texts) => Some(texts.as_slice()),
            _ => None,
        });
        Ok(texts?.unwrap_or(&[]))
    }
}
