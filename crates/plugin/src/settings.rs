//! Typed access to settings. Must not know a single setting by name.

use crate::build::{failure, problem};
use crate::date::parse_time;
use crate::types::{Date, Failure, Money, Named, Problem, Value};

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
        needed: &'static str,
        read: impl Fn(&'a Value) -> Option<T>,
    ) -> Result<Option<T>, BadSetting> {
        let Some(named) = self.0.iter().find(|named| named.name == name) else { return Ok(None) };
        match read(&named.value) {
            Some(value) => Ok(Some(value)),
            None => Err(BadSetting { name: name.to_string(), needed: Some(needed) }),
        }
    }

    fn need<T>(&self, name: &str, value: Option<T>) -> Result<T, BadSetting> {
        value.ok_or_else(|| BadSetting { name: name.to_string(), needed: None })
    }

    /// A whole number; also quantities (thousandths) and percents (basis points).
    ///
    /// # Errors
    /// [`BadSetting`] if it is missing or of another kind. The same holds for every method without `maybe`.
    pub fn integer(&self, name: &str) -> Result<i64, BadSetting> {
        self.need(name, self.maybe_integer(name)?)
    }

    /// The same, or none.
    ///
    /// # Errors
    /// [`BadSetting`] if it is of another kind. The same holds for every method with `maybe`.
    pub fn maybe_integer(&self, name: &str) -> Result<Option<i64>, BadSetting> {
        self.get(name, "an integer", |value| match value {
            Value::Integer(integer) => Some(*integer),
            _ => None,
        })
    }

    /// A flag; false if it is missing.
    ///
    /// # Errors
    /// See [`Self::maybe_integer`].
    pub fn flag(&self, name: &str) -> Result<bool, BadSetting> {
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
    pub fn maybe_money(&self, name: &str) -> Result<Option<&Money>, BadSetting> {
        self.get(name, "money", |value| match value {
            Value::Money(money) => Some(money),
            _ => None,
        })
    }

    /// A text.
    ///
    /// # Errors
    /// See [`Self::integer`].
    pub fn text(&self, name: &str) -> Result<&str, BadSetting> {
        self.need(name, self.maybe_text(name)?)
    }

    /// A text, or none.
    ///
    /// # Errors
    /// See [`Self::maybe_integer`].
    pub fn maybe_text(&self, name: &str) -> Result<Option<&str>, BadSetting> {
        self.get(name, "text", |value| match value {
            Value::Text(text) => Some(text.as_str()),
            _ => None,
        })
    }

    /// Texts; empty if they are missing.
    ///
    /// # Errors
    /// See [`Self::maybe_integer`].
    pub fn texts(&self, name: &str) -> Result<&[String], BadSetting> {
        let texts = self.get(name, "texts", |value| match value {
            Value::Texts(texts) => Some(texts.as_slice()),
            _ => None,
        });
        Ok(texts?.unwrap_or(&[]))
    }

    /// A date, or none.
    ///
    /// # Errors
    /// See [`Self::maybe_integer`].
    pub fn maybe_date(&self, name: &str) -> Result<Option<Date>, BadSetting> {
        self.get(name, "a date such as 2026-01-31", |value| match value {
            Value::Text(text) => Date::parse(text),
            _ => None,
        })
    }

    /// A time of day in minutes since midnight, or none.
    ///
    /// # Errors
    /// See [`Self::maybe_integer`].
    pub fn maybe_time(&self, name: &str) -> Result<Option<u16>, BadSetting> {
        self.get(name, "a time such as 08:30", |value| match value {
            Value::Text(text) => parse_time(text),
            _ => None,
        })
    }
}

/// A setting that is missing or of another kind than the description says. Becomes a [`Failure`] in `evaluate` and a
/// [`Problem`] in `check_settings`, so that `?` works in both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadSetting {
    name: String,
    /// What it must be; none if it is missing.
    needed: Option<&'static str>,
}

impl From<BadSetting> for Failure {
    fn from(bad: BadSetting) -> Self {
        match bad.needed {
            Some(needed) => failure("bad-setting", format!("setting `{}` must be {needed}", bad.name)),
            None => failure("missing-setting", format!("setting `{}` is missing", bad.name)),
        }
    }
}

impl From<BadSetting> for Vec<Problem> {
    fn from(bad: BadSetting) -> Self {
        let message = bad.needed.map_or("must be given".to_string(), |needed| format!("must be {needed}"));
        vec![problem(&bad.name, message)]
    }
}

impl From<bool> for Value {
    fn from(flag: bool) -> Self {
        Self::Flag(flag)
    }
}

impl From<i64> for Value {
    fn from(integer: i64) -> Self {
        Self::Integer(integer)
    }
}

impl From<Money> for Value {
    fn from(money: Money) -> Self {
        Self::Money(money)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_string())
    }
}

impl<const N: usize> From<[&str; N]> for Value {
    fn from(texts: [&str; N]) -> Self {
        Self::Texts(texts.map(ToString::to_string).to_vec())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bad_setting_is_a_failure_or_a_problem_as_needed() {
        let named = |name: &str, value: Value| Named { name: name.to_string(), value };
        let settings = Settings::new(vec![named("day", "2026-02-30".into()), named("count", true.into())]);
        let failure = settings.maybe_date("day").map_err(Failure::from);
        assert_eq!(
            failure.map_err(|failure| failure.message).err().as_deref(),
            Some("setting `day` must be a date such as 2026-01-31")
        );
        let problems = settings.integer("count").map_err(Vec::<Problem>::from);
        assert_eq!(problems, Err(vec![problem("count", "must be an integer")]));
        assert_eq!(
            settings.integer("other").map_err(Failure::from).map_err(|failure| failure.code),
            Err("missing-setting".to_string())
        );
        assert_eq!(settings.maybe_time("other"), Ok(None));
        assert_eq!(settings.texts("other"), Ok([].as_slice()));
    }
}
