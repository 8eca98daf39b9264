//! Whether an expression can ever be decided: every name is known, what is compared is of one kind, money is never mixed
//! with bare numbers, and what comes out is true or false. Must not know values.

use cel::common::ast::{CallExpr, ComprehensionExpr, Expr, LiteralValue, operators};
use cel::parser::Expression;

use crate::facts::{FUNCTIONS, SUM};
use crate::kinds::{Kind, ROOTS, Record};
use crate::money::{Written, is_currency};

/// How deep an expression may be nested: a component has little stack.
const DEPTH_MAX: usize = 100;

/// Checks an expression. The error says where and why, in one line.
pub(crate) fn check(source: &str, expression: &Expression) -> Result<(), String> {
    let mut check = Check { depth: 0, names: ROOTS.iter().map(|(name, root)| (*name, Kind::Record(root))).collect() };
    let found = check.kind(expression).and_then(|kind| match kind {
        Kind::Flag => Ok(()),
        kind => Err(Wrong { near: None, why: format!("it has to be true or false, and is {}", kind.name()) }),
    });
    found.map_err(|wrong| match wrong.near.and_then(|near| position(source, &near)) {
        Some((line, column)) => format!("line {line}, column {column}: {}", wrong.why),
        None => wrong.why,
    })
}

/// What is wrong, and the word that it is about.
struct Wrong {
    near: Option<String>,
    why: String,
}

fn wrong<T>(near: &str, why: String) -> Result<T, Wrong> {
    Err(Wrong { near: Some(near.to_string()), why })
}

/// Line and column, from 1, of a word or sign outside of texts. `None` where it stands more than once: which of them is
/// meant is not known.
fn position(source: &str, word: &str) -> Option<(usize, usize)> {
    // Names belong to longer names, and signs to longer signs.
    let class = |c: char| if c.is_alphanumeric() || c == '_' { 1 } else { u8::from("<>=!&|".contains(c)) * 2 };
    let same = |one: Option<char>, other: Option<char>| match (one, other) {
        (Some(one), Some(other)) => class(one) > 0 && class(one) == class(other),
        _ => false,
    };
    let (mut found, mut quote, mut before, mut escaped) = (None, None, None, false);
    for (offset, c) in source.char_indices() {
        let rest = &source[offset..];
        let begins = quote.is_none() && rest.starts_with(word) && !same(before, word.chars().next());
        if begins && !same(word.chars().next_back(), rest[word.len()..].chars().next()) {
            if found.is_some() {
                return None;
            }
            let line = source[..offset].matches('\n').count() + 1;
            let column = source[..offset].rsplit('\n').next().unwrap_or_default().chars().count() + 1;
            found = Some((line, column));
        }
        match quote {
            None if c == '"' || c == '\'' => quote = Some(c),
            Some(open) if c == open && !escaped => quote = None,
            _ => {}
        }
        escaped = quote.is_some() && c == '\\' && !escaped;
        before = Some(c);
    }
    found
}

struct Check<'a> {
    depth: usize,
    /// What is known by name, the innermost last.
    names: Vec<(&'a str, Kind)>,
}

impl<'a> Check<'a> {
    fn kind(&mut self, expression: &'a Expression) -> Result<Kind, Wrong> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            let why = format!("is nested, or a chain, of more than {DEPTH_MAX}; make two conditions of it");
            return Err(Wrong { near: None, why });
        }
        let kind = self.kind_within(expression);
        self.depth -= 1;
        kind
    }

    fn kind_within(&mut self, expression: &'a Expression) -> Result<Kind, Wrong> {
        match &expression.expr {
            Expr::Literal(literal) => of_literal(literal),
            Expr::Ident(name) => match self.names.iter().rev().find(|(known, _)| known == name) {
                Some((_, kind)) => Ok(kind.clone()),
                None => {
                    let known = ROOTS.map(|(name, _)| name).join(", ");
                    wrong(name, format!("`{name}` is not known; there are {known}, and texts stand in quotes"))
                }
            },
            Expr::Select(select) => {
                let kind = match self.kind(&select.operand)? {
                    Kind::Record(record) => of_field(record, &select.field)?,
                    Kind::Any => Kind::Any,
                    other => {
                        return wrong(&select.field, format!("{} has no `{}`", other.name(), select.field));
                    }
                };
                Ok(if select.test { Kind::Flag } else { kind })
            }
            Expr::List(list) => {
                let mut kind: Option<Kind> = None;
                for element in &list.elements {
                    let found = self.kind(element)?;
                    if let Some(known) = &kind
                        && (!found.fits(known) || known.hides(&found))
                    {
                        let (one, other) = (known.name(), found.name());
                        let why = format!("a list has {one} and {other}; all have to be of one kind");
                        return Err(Wrong { near: None, why });
                    }
                    kind = Some(kind.map_or(found.clone(), |known: Kind| known.or(found)));
                }
                Ok(Kind::List(Box::new(kind.unwrap_or(Kind::Any))))
            }
            Expr::Call(call) => self.call(call),
            Expr::Comprehension(comprehension) => self.comprehension(comprehension),
            Expr::Map(_) | Expr::Struct(_) | Expr::Unspecified => {
                Err(Wrong { near: Some("{".to_string()), why: "records cannot be made here".to_string() })
            }
        }
    }

    /// `exists`, `all`, `filter` and the like, as the parser writes them out.
    fn comprehension(&mut self, comprehension: &'a ComprehensionExpr) -> Result<Kind, Wrong> {
        let item = match self.kind(&comprehension.iter_range)? {
            Kind::List(item) => *item,
            Kind::Any => Kind::Any,
            other => {
                let why = format!("`{}` goes through a list, and this is {}", comprehension.iter_var, other.name());
                return wrong(&comprehension.iter_var, why);
            }
        };
        let result = self.kind(&comprehension.accu_init)?;
        // An empty list to begin with says nothing of what will be in it.
        let result = if matches!(result, Kind::List(_)) { Kind::List(Box::new(Kind::Any)) } else { result };
        let before = self.names.len();
        self.names.push((&comprehension.accu_var, result));
        self.names.push((&comprehension.iter_var, item));
        self.kind(&comprehension.loop_cond)?;
        let step = self.kind(&comprehension.loop_step)?;
        self.names.truncate(before + 1);
        // What was put into a list is what is in it.
        if matches!(step, Kind::List(_)) {
            self.names[before].1 = step;
        }
        let kind = self.kind(&comprehension.result);
        self.names.truncate(before);
        kind
    }

    fn call(&mut self, call: &'a CallExpr) -> Result<Kind, Wrong> {
        let name = call.func_name.as_str();
        if name == "money" {
            return money(call);
        }
        let operands = call.target.iter().map(|target| &**target).chain(&call.args);
        let kinds = operands.map(|operand| self.kind(operand)).collect::<Result<Vec<Kind>, Wrong>>()?;
        match (name, kinds.as_slice()) {
            (
                operators::LOGICAL_AND | operators::LOGICAL_OR | operators::LOGICAL_NOT | "@not_strictly_false",
                kinds,
            ) => match kinds.iter().find(|kind| !kind.fits(&Kind::Flag)) {
                None => Ok(Kind::Flag),
                Some(kind) => {
                    let sign = sign(name);
                    wrong(sign, format!("`{sign}` is for what is true or false, and this is {}", kind.name()))
                }
            },
            (operators::CONDITIONAL, [condition, yes, no])
                if condition.fits(&Kind::Flag) && yes.fits(no) && !yes.hides(no) =>
            {
                Ok(yes.clone().or(no.clone()))
            }
            (operators::EQUALS | operators::NOT_EQUALS, [one, other]) => compared(name, one, other),
            (
                operators::LESS | operators::LESS_EQUALS | operators::GREATER | operators::GREATER_EQUALS,
                [one, other],
            ) => {
                let has_none = |kind: &&Kind| matches!(kind, Kind::List(_) | Kind::Record(_) | Kind::Flag);
                match [one, other].into_iter().find(has_none) {
                    Some(kind) => {
                        let sign = sign(name);
                        wrong(sign, format!("`{sign}` is for amounts, numbers and texts, and this is {}", kind.name()))
                    }
                    None => compared(name, one, other),
                }
            }
            (operators::IN, [one, list]) => match list {
                Kind::List(item) => compared(name, one, item),
                Kind::Any => Ok(Kind::Flag),
                other => wrong("in", format!("`in` is for a list, and this is {}", other.name())),
            },
            (operators::ADD | operators::SUBSTRACT, [one, other]) => {
                let is_text = matches!((one, other), (Kind::Text, Kind::Text)) && name == operators::ADD;
                match (one, other) {
                    (Kind::Money, Kind::Money) | (Kind::Number, Kind::Number) => Ok(one.clone()),
                    (Kind::Any, other @ (Kind::Any | Kind::Money | Kind::Number))
                    | (other @ (Kind::Money | Kind::Number), Kind::Any) => Ok(other.clone()),
                    (Kind::List(one), Kind::List(other)) if name == operators::ADD && one.fits(other) => {
                        let known = if **one == Kind::Any { other } else { one };
                        Ok(Kind::List(known.clone()))
                    }
                    _ if is_text => Ok(Kind::Text),
                    _ => mixed(name, one, other),
                }
            }
            (operators::MULTIPLY, [one, other]) => match (one, other) {
                (Kind::Money, Kind::Number) | (Kind::Number, Kind::Money) => Ok(Kind::Money),
                (Kind::Number, Kind::Number) => Ok(Kind::Number),
                _ => mixed(name, one, other),
            },
            (operators::DIVIDE | operators::MODULO, [Kind::Number, Kind::Number]) => Ok(Kind::Number),
            (operators::DIVIDE | operators::MODULO, [one, other]) => mixed(name, one, other),
            (operators::NEGATE, [kind @ (Kind::Money | Kind::Number)]) => Ok(kind.clone()),
            (operators::INDEX, [Kind::List(item), Kind::Number]) => Ok((**item).clone()),
            (operators::INDEX, [Kind::Any, _]) => Ok(Kind::Any),
            ("size", [Kind::List(_) | Kind::Text | Kind::Any]) => Ok(Kind::Number),
            (SUM, [Kind::List(item)]) if matches!(**item, Kind::Money | Kind::Number | Kind::Any) => {
                Ok((**item).clone())
            }
            (SUM, [Kind::Any]) => Ok(Kind::Any),
            (SUM, _) => wrong(
                SUM,
                "`sum` is for a list of amounts or numbers, as in order.lines.map(l, l.total).sum()".to_string(),
            ),
            ("contains" | "startsWith" | "endsWith", [Kind::Text | Kind::Any, Kind::Text | Kind::Any])
                if call.target.is_some() =>
            {
                Ok(Kind::Flag)
            }
            ("contains" | "startsWith" | "endsWith", _) => {
                wrong(name, format!("`{name}` is used on a text, as in order.channel.{name}(\"w\")"))
            }
            ("size", _) => wrong(name, "`size` is for lists and texts".to_string()),
            _ if name.starts_with(|c: char| c.is_ascii_alphabetic()) => {
                let known = format!("money, sum, {}, has, exists, all, exists_one, filter, map", FUNCTIONS.join(", "));
                wrong(name, format!("`{name}` is not known; there are {known}"))
            }
            _ => {
                let kinds: Vec<String> = kinds.iter().map(Kind::name).collect();
                wrong(sign(name), format!("`{}` does not fit {}", sign(name), kinds.join(" and ")))
            }
        }
    }
}

fn of_literal(literal: &LiteralValue) -> Result<Kind, Wrong> {
    match literal {
        LiteralValue::Boolean(_) => Ok(Kind::Flag),
        LiteralValue::Int(_) => Ok(Kind::Number),
        LiteralValue::String(_) => Ok(Kind::Text),
        LiteralValue::Double(_) => Err(Wrong {
            near: None,
            why: "there are no fractions here; an amount is such as money(\"49.90\")".to_string(),
        }),
        LiteralValue::Null => {
            wrong("null", "`null` is not known; `has(...)` asks whether something is known".to_string())
        }
        LiteralValue::UInt(_) | LiteralValue::Bytes(_) => {
            Err(Wrong { near: None, why: "numbers are such as 3, and texts such as \"web\"".to_string() })
        }
    }
}

fn of_field(record: &'static Record, field: &str) -> Result<Kind, Wrong> {
    match record.field(field) {
        Some(kind) => Ok(kind),
        None => wrong(field, format!("`{field}` is no part of `{}`; it has {}", record.name, record.names())),
    }
}

/// The sign of an operator as it is written.
fn sign(operator: &str) -> &str {
    match operator {
        operators::IN => "in",
        operators::CONDITIONAL => "?",
        operators::INDEX => "[",
        other => other.trim_matches('_'),
    }
}

fn compared(operator: &str, one: &Kind, other: &Kind) -> Result<Kind, Wrong> {
    match one.fits(other) {
        true => Ok(Kind::Flag),
        false => mixed(operator, one, other),
    }
}

fn mixed(operator: &str, one: &Kind, other: &Kind) -> Result<Kind, Wrong> {
    let sign = sign(operator);
    let help = match (one, other) {
        (Kind::Money, _) if matches!(operator, operators::DIVIDE | operators::MODULO) => {
            "; amounts are not divided, so that no part of one is lost: multiply the other side"
        }
        (Kind::Money, Kind::Number) | (Kind::Number, Kind::Money) => "; an amount is such as money(\"50.00\")",
        _ => "",
    };
    wrong(sign, format!("`{sign}` cannot take {} and {}{help}", one.name(), other.name()))
}

/// `money("50.00")` or `money("50.00", "EUR")`: written out, so that it can be checked now.
fn money(call: &CallExpr) -> Result<Kind, Wrong> {
    let text = |argument: &Expression| match &argument.expr {
        Expr::Literal(LiteralValue::String(text)) => Some(text.inner().to_string()),
        _ => None,
    };
    let usage = || wrong("money", "write such as money(\"50.00\") or money(\"50.00\", \"EUR\"), in quotes".to_string());
    let texts: Option<Vec<String>> = call.args.iter().map(text).collect();
    let (amount, currency) = match texts.as_deref() {
        Some([amount]) if call.target.is_none() => (amount, None),
        Some([amount, currency]) if call.target.is_none() => (amount, Some(currency)),
        _ => return usage(),
    };
    if let Err(why) = Written::read(amount) {
        return wrong("money", why);
    }
    match currency {
        Some(code) if !is_currency(code) => wrong("money", format!("`{code}` is no currency; write such as \"EUR\"")),
        _ => Ok(Kind::Money),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(source: &str) -> String {
        let expression = match crate::parse(source) {
            Ok(expression) => expression,
            Err(why) => return why,
        };
        check(source, &expression).err().unwrap_or_else(|| "fine".to_string())
    }

    #[test]
    fn what_can_be_decided_is_fine() {
        for source in [
            "order.total >= money(\"50.00\")",
            "order.total >= money(\"50.00\", \"EUR\") && order.lines.exists(l, \"books\" in l.categories)",
            "order.lines.all(l, l.total * 2 > l.unit_price + l.tax)",
            "order.lines.filter(l, l.part == \"goods\").size() >= 2",
            "size(order.lines.map(l, l.sku)) == 1 || !customer.registered",
            "order.lines.exists_one(l, l.sku.startsWith(\"B-\"))",
            "has(order.lines) ? order.lines[0].total > money(\"1\") : false",
            "now.weekday in [6, 7] && now.date < \"2026-12-24\"",
            "\"vip\" in customer.roles || customer.attributes.level == 3",
            "order.lines.exists(l, l.tags.exists(t, t == l.sku))",
            "card.days_left <= 30 && -card.available < money(\"0\")",
        ] {
            assert_eq!(checked(source), "fine", "{source}");
        }
    }

    #[test]
    fn what_cannot_be_decided_is_refused_with_its_place() {
        for (source, why) in [
            (
                "order.total >= 50",
                "line 1, column 13: `>=` cannot take an amount of money and a number; an amount is such as",
            ),
            ("order.totl >= money(\"1\")", "line 1, column 7: `totl` is no part of `order`; it has id, site"),
            (
                "basket.total > money(\"1\")",
                "line 1, column 1: `basket` is not known; there are order, customer, card, now",
            ),
            ("order.total", "it has to be true or false, and is an amount of money"),
            ("order.channel == web", "line 1, column 18: `web` is not known"),
            ("order.total >= money(\"5,00\")", "line 1, column 16: `5,00` is no amount"),
            ("order.total >= money(order.channel)", "line 1, column 16: write such as money(\"50.00\")"),
            ("order.total >= money(\"5\", \"euro\")", "`euro` is no currency"),
            ("order.total > 1.5", "there are no fractions here"),
            ("order.total / 2 > money(\"1\")", "amounts are not divided"),
            ("order.lines.exists(l, l.sku == 3)", "`==` cannot take a text and a number"),
            ("order.lines.exists(l, x.sku == \"a\")", "line 1, column 23: `x` is not known"),
            ("order.channel.exists(c, true)", "goes through a list, and this is a text"),
            ("customer.roles == \"vip\"", "`==` cannot take a list and a text"),
            ("\"vip\" in customer.email", "`in` is for a list, and this is a text"),
            ("customer.registered && order.total", "`&&` is for what is true or false, and this is an amount of money"),
            ("order.channel.matches(\"w.*\")", "line 1, column 15: `matches` is not known; there are money, sum, size"),
            ("order.lines > order.lines", "`>` is for amounts, numbers and texts, and this is a list"),
            ("[1, \"a\"].exists(i, true)", "a list has"),
            ("order.lines.filter(l, true).exists(l, l.totl > 1)", "`totl` is no part of `line`"),
            ("{\"a\": 1}.a == 1", "records cannot be made here"),
            ("order.lines.map(l, l.total).sum() >= 50", "`>=` cannot take an amount of money and a number"),
            (
                "order.lines.map(l, l.quantity_milli).sum() >= money(\"5.00\")",
                "`>=` cannot take a number and an amount",
            ),
            ("order.lines.map(l, l.sku).sum() >= 50", "`sum` is for a list of amounts or numbers"),
            ("order.total.sum() >= money(\"5.00\")", "`sum` is for a list of amounts or numbers"),
            ("order.total == null", "`null` is not known"),
            ("startsWith(order.channel, \"web\")", "`startsWith` is used on a text, as in"),
            ("(customer.registered ? customer.attributes.x : order.total) >= 50", "does not fit"),
            ("order.total in [50, order.attributes.x]", "cannot take an amount of money and a number"),
            ("[order.total, order.attributes.x, 50].exists(v, v > 100)", "a list has"),
            ("order.attributes.x + customer.registered", "`+` cannot take"),
            ("order.attributes.x < true", "`<` is for amounts, numbers and texts"),
            // Which of two is meant is not known, so no place is better than a wrong one.
            ("order.total >= money(\"50.00\") && order.paid >= 50", "`>=` cannot take an amount of money and a number"),
            ("order.channel == \"a\\\\\" && totl", "line 1, column 27: `totl` is not known"),
            ("order.channel ==\n  \"web\" && totl", "line 2, column 12: `totl` is not known"),
            ("order.total >=", "line 1, column 15"),
            ("", "is empty"),
        ] {
            let found = checked(source);
            assert!(found.contains(why), "{source}\n    found: {found}\n    not:   {why}");
        }
    }

    #[test]
    fn the_size_of_an_expression_is_bounded() {
        assert!(checked(&"!".repeat(5000)).contains("at most 4000"));
        let nested = checked(&format!("{}true{}", "!(".repeat(300), ")".repeat(300)));
        assert!(nested.contains("recursion limit"), "{nested}");
        assert!(checked(&format!("{} > 1", ["1"; 300].join(" + "))).contains("of more than 100"));
        assert_eq!(checked(&format!("{} > 1", ["1"; 90].join(" + "))), "fine");
        assert_eq!(checked(&["true"; 400].join(" && ")), "fine");
    }
}
