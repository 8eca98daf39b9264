//! A tree of rules, and its text. Must not know how a text is read, nor JSON.

use std::collections::BTreeMap;

use super::argument::Argument;
use super::catalogue::{Catalogue, Rule};
use super::read::{self, Joint};
use crate::input::{InputError, InputErrorKind};

/// What is asked of an order: a rule, several together, or code that no rule says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tree {
    /// A rule with its arguments.
    Rule(Known),
    /// All of them have to be true; of none of them nothing is asked.
    All(Vec<Tree>),
    /// At least one of them has to be true; of none of them nothing can be.
    Any(Vec<Tree>),
    /// It must not be true. What is not known is not false: then nothing is decided.
    Not(Box<Tree>),
    /// An expression that is shown and kept as it is written.
    Code(String),
}

/// A rule with an argument for each of its parameters, each of its kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    rule: &'static Rule,
    /// In the order of the parameters.
    arguments: Vec<Argument>,
}

impl Known {
    /// A rule of the catalogue with these arguments, by name.
    ///
    /// # Errors
    /// An unknown rule or argument, one that is missing, one that is not as its [`super::Kind`] says, or a range that
    /// ends before it begins. The path is `rule`, or begins with `arguments`.
    pub fn new(rule: &str, mut arguments: BTreeMap<String, Argument>) -> Result<Self, InputError> {
        let rule = known_rule(rule)?;
        if let Some(name) = arguments.keys().find(|name| rule.parameter(name).is_none()) {
            return Err(unknown_argument(rule, name));
        }
        let mut given = Vec::with_capacity(rule.parameters.len());
        for parameter in rule.parameters {
            let Some(argument) = arguments.remove(parameter.name) else {
                let problem = format!("is missing; `{}` needs it", rule.id);
                let error = InputError::at(InputErrorKind::MissingField, parameter.name, problem);
                return Err(error.under("arguments"));
            };
            argument.check(parameter.kind).map_err(|error| error.under(parameter.name).under("arguments"))?;
            given.push(argument);
        }
        Self::of(rule, given)
    }

    /// `arguments` are of their kinds.
    pub(super) fn of(rule: &'static Rule, arguments: Vec<Argument>) -> Result<Self, InputError> {
        if let (true, [from, to]) = (rule.ascends, arguments.as_slice()) {
            let may_be_equal = !matches!(rule.parameters[1].kind, super::Kind::Time);
            let name = rule.parameters[1].name;
            let wrong =
                |problem: String| Err(InputError::at(InputErrorKind::Inconsistent, name, problem).under("arguments"));
            let from_name = rule.parameters[0].name;
            match (from.is_before(to), to.is_before(from)) {
                (None, _) | (_, None) => {
                    return wrong(format!("is in another currency than `{from_name}`; both must be in the same"));
                }
                (Some(before), Some(after)) if after || (!before && !may_be_equal) => {
                    let least = if may_be_equal { "must not be before" } else { "must be after" };
                    return wrong(format!("{least} `{from_name}`"));
                }
                _ => {}
            }
        }
        Ok(Self { rule, arguments })
    }

    /// The rule.
    #[must_use]
    pub fn rule(&self) -> &'static Rule {
        self.rule
    }

    /// Each argument with the name of its parameter.
    pub fn arguments(&self) -> impl Iterator<Item = (&'static str, &Argument)> {
        self.rule.parameters.iter().map(|parameter| parameter.name).zip(&self.arguments)
    }

    /// The template with the arguments in their places.
    fn print(&self, text: &mut String) {
        read::words(self.rule.template, |piece, is_word| match self.rule.placeholder(piece).filter(|_| is_word) {
            Some(place) => self.arguments[place].print(self.rule.parameters[place].kind, text),
            None => text.push_str(piece),
        });
    }
}

pub(super) fn known_rule(id: &str) -> Result<&'static Rule, InputError> {
    Catalogue::rule(id).ok_or_else(|| {
        let problem = format!(
            "`{}` is not in the catalogue; `giftcard plugin catalogue` lists the rules",
            crate::json::excerpt(id)
        );
        InputError::at(InputErrorKind::InvalidValue, "rule", problem)
    })
}

pub(super) fn unknown_argument(rule: &Rule, name: &str) -> InputError {
    let known: Vec<&str> = rule.parameters.iter().map(|parameter| parameter.name).collect();
    let known = match known.is_empty() {
        true => "it has none".to_string(),
        false => format!("it has {}", known.join(", ")),
    };
    let problem = format!("is no argument of `{}`; {known}", rule.id);
    InputError::at(InputErrorKind::UnknownField, &crate::json::excerpt(name), problem).under("arguments")
}

impl Tree {
    /// The expression that says the same. Code in it stands as it is written.
    #[must_use]
    pub fn to_expression(&self) -> String {
        let mut text = String::new();
        self.print(&mut text);
        text
    }

    /// The tree of an expression. What is not in the catalogue is [`Tree::Code`]; if nothing is, that is the whole text
    /// as it is. A text that is no expression is code as well: saying so is the component's affair.
    #[must_use]
    pub fn from_expression(source: &str) -> Self {
        read::tree(source)
    }

    fn print(&self, text: &mut String) {
        match self {
            Self::Rule(known) => known.print(text),
            Self::Code(code) => text.push_str(code),
            Self::Not(inner) => {
                text.push('!');
                inner.print_in_parentheses(text);
            }
            Self::All(parts) => print_joined(parts, Joint::And, text),
            Self::Any(parts) => print_joined(parts, Joint::Or, text),
        }
    }

    fn print_in_parentheses(&self, text: &mut String) {
        text.push('(');
        self.print(text);
        // A comment ends with its line.
        if matches!(self, Self::Code(code) if read::has_comment(code)) {
            text.push('\n');
        }
        text.push(')');
    }

    /// As a part of several.
    fn print_part(&self, text: &mut String) {
        let is_whole = match self {
            Self::Rule(known) => !read::is_joined(known.rule.template),
            Self::Not(_) => true,
            Self::All(_) | Self::Any(_) => false,
            Self::Code(code) => !read::is_joined(code) && !read::has_comment(code),
        };
        match is_whole {
            true => self.print(text),
            false => self.print_in_parentheses(text),
        }
    }
}

/// Of one part, and of none, it is still told which of the two it is: `true && x`, `false`.
fn print_joined(parts: &[Tree], joint: Joint, text: &mut String) {
    if parts.len() < 2 {
        text.push_str(joint.of_none());
    }
    for (index, part) in parts.iter().enumerate() {
        if index > 0 || parts.len() < 2 {
            text.push_str(&format!(" {} ", joint.sign()));
        }
        part.print_part(text);
    }
}
