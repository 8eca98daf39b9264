//! Short ways to write descriptions, settings, rejects and evaluations. Must not decide anything.

use crate::money::show_quantity;
use crate::types::{
    Choice, Description, Evaluation, Failure, Money, Named, Problem, Reject, RejectCode, Request, Setting, Value,
    Verdict,
};

/// A description without settings, codes and needs yet.
#[must_use]
pub fn describe(id: &str, version: &str, title: &str, summary: &str) -> Description {
    Description {
        id: id.to_string(),
        version: version.to_string(),
        title: title.to_string(),
        summary: summary.to_string(),
        settings: Vec::new(),
        reject_codes: Vec::new(),
        needs: Vec::new(),
        shares_limits: false,
    }
}

/// More of a description.
pub trait DescriptionExt: Sized {
    /// Adds a setting.
    #[must_use]
    fn setting(self, setting: Setting) -> Self;
    /// Adds a code that verdicts and limits may carry, and what it means.
    #[must_use]
    fn reject(self, code: &str, message: &str) -> Self;
    /// Names the parts of the order that are read; others arrive as none.
    #[must_use]
    fn needs(self, needs: &[&str]) -> Self;
    /// Allows evaluations with limits that several cards share.
    #[must_use]
    fn shares_limits(self) -> Self;
}

impl DescriptionExt for Description {
    fn setting(mut self, setting: Setting) -> Self {
        self.settings.push(setting);
        self
    }

    fn reject(mut self, code: &str, message: &str) -> Self {
        self.reject_codes.push(RejectCode { code: code.to_string(), message: message.to_string() });
        self
    }

    fn needs(mut self, needs: &[&str]) -> Self {
        self.needs.extend(needs.iter().map(ToString::to_string));
        self
    }

    fn shares_limits(mut self) -> Self {
        self.shares_limits = true;
        self
    }
}

fn setting(kind: &str, name: &str, label: &str, help: &str) -> Setting {
    Setting {
        name: name.to_string(),
        label: label.to_string(),
        help: help.to_string(),
        kind: kind.to_string(),
        required: false,
        default: None,
        minimum: None,
        maximum: None,
        choices: Vec::new(),
        items_max: None,
    }
}

/// A yes-or-no setting.
#[must_use]
pub fn flag(name: &str, label: &str, help: &str) -> Setting {
    setting("flag", name, label, help)
}

/// A whole number.
#[must_use]
pub fn integer(name: &str, label: &str, help: &str) -> Setting {
    setting("integer", name, label, help)
}

/// A quantity in thousandths.
#[must_use]
pub fn quantity(name: &str, label: &str, help: &str) -> Setting {
    setting("quantity", name, label, help)
}

/// A share in basis points.
#[must_use]
pub fn percent(name: &str, label: &str, help: &str) -> Setting {
    setting("percent", name, label, help).range(0, 10_000)
}

/// An amount with its currency.
#[must_use]
pub fn money(name: &str, label: &str, help: &str) -> Setting {
    setting("money", name, label, help)
}

/// A text.
#[must_use]
pub fn text(name: &str, label: &str, help: &str) -> Setting {
    setting("text", name, label, help)
}

/// Several texts.
#[must_use]
pub fn texts(name: &str, label: &str, help: &str) -> Setting {
    setting("texts", name, label, help)
}

/// A local date, 2026-01-31.
#[must_use]
pub fn date(name: &str, label: &str, help: &str) -> Setting {
    setting("date", name, label, help)
}

/// A time of day, 08:30.
#[must_use]
pub fn time(name: &str, label: &str, help: &str) -> Setting {
    setting("time", name, label, help)
}

/// One value out of (value, label) pairs.
#[must_use]
pub fn choice(name: &str, label: &str, help: &str, choices: &[(&str, &str)]) -> Setting {
    let choices = choices.iter().map(|(value, label)| Choice { value: value.to_string(), label: label.to_string() });
    Setting { choices: choices.collect(), ..setting("choice", name, label, help) }
}

/// Several values out of (value, label) pairs.
#[must_use]
pub fn choices(name: &str, label: &str, help: &str, values: &[(&str, &str)]) -> Setting {
    Setting { kind: "choices".to_string(), ..choice(name, label, help, values) }
}

/// More of a setting.
pub trait SettingExt: Sized {
    /// Must be given.
    #[must_use]
    fn required(self) -> Self;
    /// Least and greatest value.
    #[must_use]
    fn range(self, minimum: i64, maximum: i64) -> Self;
    /// Least value.
    #[must_use]
    fn at_least(self, minimum: i64) -> Self;
    /// Most items.
    #[must_use]
    fn items_max(self, items: u32) -> Self;
    /// Default of an integer, quantity or percent.
    #[must_use]
    fn default_integer(self, value: i64) -> Self;
    /// Default of a text, choice, date or time.
    #[must_use]
    fn default_text(self, value: &str) -> Self;
}

impl SettingExt for Setting {
    fn required(mut self) -> Self {
        self.required = true;
        self
    }

    fn range(mut self, minimum: i64, maximum: i64) -> Self {
        (self.minimum, self.maximum) = (Some(minimum), Some(maximum));
        self
    }

    fn at_least(mut self, minimum: i64) -> Self {
        self.minimum = Some(minimum);
        self
    }

    fn items_max(mut self, items: u32) -> Self {
        self.items_max = Some(items);
        self
    }

    fn default_integer(mut self, value: i64) -> Self {
        self.default = Some(Value::Integer(value));
        self
    }

    fn default_text(mut self, value: &str) -> Self {
        self.default = Some(Value::Text(value.to_string()));
        self
    }
}

/// A reject without arguments. The code must be one of the description's.
#[must_use]
pub fn reject(code: &str, message: &str) -> Reject {
    Reject { code: code.to_string(), message: message.to_string(), arguments: Vec::new() }
}

/// Arguments of a reject, for the `{name}`s in its message.
pub trait RejectExt: Sized {
    /// A whole number.
    #[must_use]
    fn integer(self, name: &str, value: i64) -> Self;
    /// An amount.
    #[must_use]
    fn money(self, name: &str, value: Money) -> Self;
    /// A text.
    #[must_use]
    fn text(self, name: &str, value: &str) -> Self;
    /// Texts.
    #[must_use]
    fn texts(self, name: &str, values: &[impl ToString]) -> Self;
    /// A quantity in thousandths, which people read as "1.5".
    #[must_use]
    fn quantity(self, name: &str, thousandths: i64) -> Self;
}

impl RejectExt for Reject {
    fn integer(self, name: &str, value: i64) -> Self {
        argument(self, name, Value::Integer(value))
    }

    fn money(self, name: &str, value: Money) -> Self {
        argument(self, name, Value::Money(value))
    }

    fn text(self, name: &str, value: &str) -> Self {
        argument(self, name, Value::Text(value.to_string()))
    }

    fn texts(self, name: &str, values: &[impl ToString]) -> Self {
        argument(self, name, Value::Texts(values.iter().map(ToString::to_string).collect()))
    }

    fn quantity(self, name: &str, thousandths: i64) -> Self {
        argument(self, name, Value::Text(show_quantity(thousandths).to_string()))
    }
}

fn argument(mut reject: Reject, name: &str, value: Value) -> Reject {
    reject.arguments.push(Named { name: name.to_string(), value });
    reject
}

/// The condition could not decide at all.
#[must_use]
pub fn failure(code: &str, message: impl Into<String>) -> Failure {
    Failure { code: code.to_string(), message: message.into() }
}

/// What is wrong with a setting.
#[must_use]
pub fn problem(setting: &str, message: impl Into<String>) -> Problem {
    Problem { setting: setting.to_string(), message: message.into() }
}

/// The answer of `check_settings` from a list of what was found.
///
/// # Errors
/// The problems, if there are any.
pub fn report(problems: Vec<Problem>) -> Result<(), Vec<Problem>> {
    if problems.is_empty() { Ok(()) } else { Err(problems) }
}

/// The same verdict for each card.
#[must_use]
pub fn verdict_for_each(request: &Request, verdict: &Verdict) -> Evaluation {
    let verdicts = request.cards.iter().map(|_| verdict.clone()).collect();
    Evaluation { verdicts, limits: Vec::new(), steps: Vec::new() }
}

/// Every card may pay.
#[must_use]
pub fn accept_all(request: &Request) -> Evaluation {
    verdict_for_each(request, &Verdict::Accept)
}

/// No card may pay.
#[must_use]
pub fn reject_all(request: &Request, reject: Reject) -> Evaluation {
    verdict_for_each(request, &Verdict::Reject(reject))
}
