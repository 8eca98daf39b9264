//! The request as an expression sees it. What is not known is left out, so that `has` can ask for it and anything else
//! that names it fails: what a platform does not send must never count as none of it. A guest is known to be in no role.
//! Must not know expressions, but for which names they use.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use cel::common::ast::{ComprehensionExpr, Expr};
use cel::extractors::{Arguments, This};
use cel::parser::Expression;
use cel::{Context, ExecutionError, Value as CelValue};
use giftcard_plugin::prelude::*;

use crate::money::Written;

/// The parts of an order that an expression may name: under which root and by which field, and what it is called in `needs`.
const PARTS: [(&str, &str, &str); 17] = [
    ("order", "sku", "lines.sku"),
    ("order", "name", "lines.name"),
    ("order", "product_type", "lines.product-type"),
    ("order", "categories", "lines.categories"),
    ("order", "tags", "lines.tags"),
    ("order", "attributes", "lines.attributes"),
    ("order", "discounts", "discounts"),
    ("order", "billing", "addresses"),
    ("order", "ship_to", "addresses"),
    ("order", "attributes", "order.attributes"),
    ("customer", "roles", "customer.roles"),
    ("customer", "segments", "customer.segments"),
    ("customer", "email", "customer.email"),
    ("customer", "orders", "customer.history"),
    ("customer", "spent", "customer.history"),
    ("customer", "attributes", "customer.attributes"),
    ("card", "attributes", "cards.attributes"),
];

/// All that any expression can ask for.
pub(crate) fn most_needs() -> Vec<&'static str> {
    let mut needs: Vec<&str> = PARTS.iter().map(|(_, _, need)| *need).collect();
    needs.dedup();
    needs
}

/// What an expression reads, by the names in it: perhaps more, never less.
pub(crate) fn needs(expression: &Expression) -> Vec<String> {
    let references = expression.references();
    let mut fields = BTreeSet::new();
    selected(expression, &mut fields);
    let mut needs = Vec::new();
    let has_lines = references.has_variable("order") && fields.contains("lines");
    if has_lines {
        needs.push("lines");
    }
    if references.has_variable("customer") {
        needs.push("customer");
    }
    for (root, field, need) in PARTS {
        let is_read = references.has_variable(root) && fields.contains(field);
        if is_read && (has_lines || !need.starts_with("lines.")) && !needs.contains(&need) {
            needs.push(need);
        }
    }
    needs.into_iter().map(str::to_string).collect()
}

/// CEL's own functions that an expression may call, but for those that the parser unfolds.
pub(crate) const FUNCTIONS: [&str; 4] = ["size", "contains", "startsWith", "endsWith"];

/// A list of amounts or numbers, added up; of none it is nothing. As Kubernetes has it in its CEL.
pub(crate) const SUM: &str = "sum";

const DAY_MS: i64 = 86_400_000;

/// Fields by name.
#[derive(Default)]
struct Fields(HashMap<String, CelValue>);

impl Fields {
    fn put(mut self, name: &str, value: impl Into<CelValue>) -> Self {
        self.0.insert(name.to_string(), value.into());
        self
    }

    fn number(self, name: &str, number: impl Into<Option<i64>>) -> Self {
        match number.into() {
            Some(number) => self.put(name, CelValue::Int(number)),
            None => self,
        }
    }

    fn flag(self, name: &str, flag: bool) -> Self {
        self.put(name, CelValue::Bool(flag))
    }

    fn text(self, name: &str, text: &str) -> Self {
        self.put(name, text)
    }

    fn maybe_text(self, name: &str, text: Option<&String>) -> Self {
        match text {
            Some(text) => self.text(name, text),
            None => self,
        }
    }

    fn texts(self, name: &str, texts: Option<&Vec<String>>) -> Self {
        let Some(texts) = texts else { return self };
        let texts = texts.iter().map(|text| CelValue::from(text.as_str())).collect();
        self.put(name, CelValue::List(Arc::new(texts)))
    }

    /// An amount in another currency is converted; one without a rate is left out.
    fn attributes(self, name: &str, attributes: Option<&Vec<Named>>, request: &Request) -> Self {
        let Some(attributes) = attributes else { return self };
        let mut fields = Self::default();
        for Named { name, value } in attributes {
            fields = match value {
                Value::Flag(flag) => fields.flag(name, *flag),
                Value::Integer(integer) => fields.number(name, *integer),
                Value::Money(money) => fields.number(name, convert(request, money, Rounding::Up).ok()),
                Value::Text(text) => fields.text(name, text),
                Value::Texts(texts) => fields.texts(name, Some(texts)),
            };
        }
        self.put(name, fields)
    }

    fn list<T>(self, name: &str, items: Option<&Vec<T>>, item: impl Fn(&T) -> Self) -> Self {
        match items {
            Some(items) => {
                let items = items.iter().map(|one| item(one).into()).collect();
                self.put(name, CelValue::List(Arc::new(items)))
            }
            None => self,
        }
    }
}

impl From<Fields> for CelValue {
    fn from(fields: Fields) -> Self {
        fields.0.into()
    }
}

/// What is the same for every card.
pub(crate) struct Facts {
    /// Whether any of CEL's own functions is called: making them ready is most of the cost of a small expression.
    has_functions: bool,
    roots: Vec<(&'static str, CelValue)>,
}

impl Facts {
    /// Of a request, as far as the expression names them.
    pub(crate) fn of(request: &Request, expression: &Expression) -> Self {
        let references = expression.references();
        let mut fields = BTreeSet::new();
        selected(expression, &mut fields);
        let mut roots = Vec::new();
        if references.has_variable("order") {
            roots.push(("order", order(request, &fields).into()));
        }
        if references.has_variable("customer") {
            roots.push(("customer", customer(request).into()));
        }
        if references.has_variable("now") {
            roots.push(("now", now(&request.now).into()));
        }
        let has_functions = FUNCTIONS.iter().any(|name| references.has_function(name));
        Self { has_functions, roots }
    }

    /// What an expression runs in, for a card.
    pub(crate) fn context(&self, card: Option<&Card>, request: &Request) -> Context<'static, 'static> {
        let mut context = if self.has_functions { Context::default() } else { Context::empty() };
        for (name, value) in &self.roots {
            context.add_variable_from_value(*name, value.clone());
        }
        if let Some(card) = card {
            context.add_variable_from_value("card", CelValue::from(card_fields(card, request)));
        }
        let (own, rates) = (request.order.currency.clone(), request.rates.clone());
        let amount = move |Arguments(arguments): Arguments| -> Result<i64, ExecutionError> {
            let failed = |why: String| ExecutionError::function_error("money", why);
            let written = match arguments.first() {
                Some(CelValue::String(text)) => Written::read(text).map_err(failed)?,
                _ => return Err(failed("money(...) takes an amount in quotes".to_string())),
            };
            let currency = match arguments.get(1) {
                Some(CelValue::String(code)) if **code != own.code => {
                    let none = || failed(format!("no rate is recorded from {code} to {}", own.code));
                    &rates.iter().find(|rate| rate.quoted.code == **code).ok_or_else(none)?.quoted
                }
                _ => &own,
            };
            let amount = written.minor(currency.exponent).map_err(failed)?;
            // What an order has to come to is never less than was asked for.
            let money = Money { amount, currency: currency.clone() };
            convert_at(&rates, &money, &own, Rounding::Up).map_err(|failure| failed(failure.message))
        };
        // They are not among CEL's own, so that the names are free.
        let _ = context.add_function("money", amount);
        let _ = context.add_function(SUM, |This(list): This<CelValue>| sum(&list));
        context
    }
}

fn sum(list: &CelValue) -> Result<i64, ExecutionError> {
    let failed = |why: &str| ExecutionError::function_error(SUM, why);
    let CelValue::List(items) = list else { return Err(failed("`sum` is for a list of amounts or numbers")) };
    items.iter().try_fold(0_i64, |sum, item| match item {
        CelValue::Int(number) => sum.checked_add(*number).ok_or_else(|| failed("a sum in it is too large")),
        _ => Err(failed("`sum` adds up amounts or numbers, and something else is in the list")),
    })
}

/// The names of all fields that an expression selects: what it does not name is not made ready, since an order may have
/// thousands of lines.
fn selected(expression: &Expression, fields: &mut BTreeSet<String>) {
    match &expression.expr {
        Expr::Select(select) => {
            fields.insert(select.field.clone());
            selected(&select.operand, fields);
        }
        Expr::Call(call) => {
            call.target.iter().map(|target| &**target).chain(&call.args).for_each(|one| selected(one, fields))
        }
        Expr::List(list) => list.elements.iter().for_each(|one| selected(one, fields)),
        Expr::Comprehension(comprehension) => {
            let ComprehensionExpr { iter_range, accu_init, loop_cond, loop_step, result, .. } = &**comprehension;
            [iter_range, accu_init, loop_cond, loop_step, result].into_iter().for_each(|one| selected(one, fields));
        }
        Expr::Ident(_) | Expr::Literal(_) | Expr::Map(_) | Expr::Struct(_) | Expr::Unspecified => {}
    }
}

fn order(request: &Request, named: &BTreeSet<String>) -> Fields {
    let order = &request.order;
    let mut fields = Fields::default()
        .maybe_text("id", order.id.as_ref())
        .text("site", &order.site)
        .maybe_text("channel", order.channel.as_ref())
        .maybe_text("payment_method", order.payment_method.as_ref())
        .maybe_text("shipping_method", order.shipping_method.as_ref())
        .text("currency", &order.currency.code)
        .number("total", order.total)
        .number("paid", order.paid)
        .number("goods", order.goods)
        .number("gift_cards", order.gift_cards)
        .number("shipping", order.shipping)
        .number("fees", order.fees)
        .number("tax", order.tax)
        .number("discounts_total", order.discounts_total);
    if named.contains("lines") {
        fields = fields.list("lines", order.lines.as_ref(), |one| line(one, request, named));
    }
    if named.contains("discounts") {
        fields = fields.list("discounts", order.discounts.as_ref(), |discount| {
            Fields::default().maybe_text("code", discount.code.as_ref()).number("amount", discount.amount)
        });
    }
    if named.contains("attributes") {
        fields = fields.attributes("attributes", order.attributes.as_ref(), request);
    }
    let addresses = [("billing", &order.billing), ("ship_to", &order.ship_to)];
    addresses.into_iter().fold(fields, |fields, (name, address)| match address {
        Some(known) if named.contains(name) => fields.put(name, address_fields(known)),
        _ => fields,
    })
}

fn line(line: &Line, request: &Request, named: &BTreeSet<String>) -> Fields {
    let part = match line.part {
        Part::Goods => "goods",
        Part::GiftCard => "gift-card",
        Part::Shipping => "shipping",
        Part::Fee => "fee",
    };
    let mut fields = Fields::default();
    for name in named {
        fields = match name.as_str() {
            "part" => fields.text("part", part),
            "quantity_milli" => fields.number("quantity_milli", line.quantity_milli),
            "unit_price" => fields.number("unit_price", line.unit_price),
            "total" => fields.number("total", line.total),
            "tax" => fields.number("tax", line.tax),
            "sku" => fields.maybe_text("sku", line.sku.as_ref()),
            "name" => fields.maybe_text("name", line.name.as_ref()),
            "product_type" => fields.maybe_text("product_type", line.product_type.as_ref()),
            "categories" => fields.texts("categories", line.categories.as_ref()),
            "tags" => fields.texts("tags", line.tags.as_ref()),
            "attributes" => fields.attributes("attributes", line.attributes.as_ref(), request),
            _ => fields,
        };
    }
    fields
}

fn address_fields(address: &Address) -> Fields {
    Fields::default()
        .text("country", &address.country)
        .maybe_text("region", address.region.as_ref())
        .maybe_text("postal_code", address.postal_code.as_ref())
        .maybe_text("city", address.city.as_ref())
}

/// A guest is not registered, and is in no role and no segment.
fn customer(request: &Request) -> Fields {
    let known = request.order.customer.as_ref();
    let is_guest = known.is_none_or(|customer| !customer.registered);
    let none = is_guest.then(Vec::new);
    let texts = |of: fn(&Customer) -> Option<&Vec<String>>| known.and_then(of).or(none.as_ref());
    Fields::default()
        .maybe_text("id", known.and_then(|customer| customer.id.as_ref()))
        .flag("registered", !is_guest)
        .texts("roles", texts(|customer| customer.roles.as_ref()))
        .texts("segments", texts(|customer| customer.segments.as_ref()))
        .maybe_text("email", known.and_then(|customer| customer.email.as_ref()))
        .number("orders", known.and_then(|customer| customer.orders).map(i64::from))
        .number("spent", known.and_then(|customer| customer.spent))
        .attributes("attributes", known.and_then(|customer| customer.attributes.as_ref()), request)
}

fn card_fields(card: &Card, request: &Request) -> Fields {
    let now = request.now.at;
    let days = |from: i64, to: i64| to.saturating_sub(from).div_euclid(DAY_MS);
    Fields::default()
        .text("programme", &card.programme)
        .text("currency", &card.currency.code)
        .number("available", card.available_here)
        .number("age_days", days(card.issued_at, now))
        .number("days_left", card.expires_at.map(|end| days(now, end)))
        .attributes("attributes", card.attributes.as_ref(), request)
}

fn now(now: &Moment) -> Fields {
    Fields::default()
        .text("date", &now.date.to_string())
        .text("time", &show_time(now.minute_of_day).to_string())
        .number("weekday", i64::from(now.weekday))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_is_what_is_asked_for() {
        let needs = |source: &str| needs(&crate::parse(source).unwrap()).join(" ");
        for (source, expected) in [
            ("order.total >= money(\"50\") && now.weekday == 1", ""),
            ("order.lines.exists(l, l.total > money(\"5\"))", "lines"),
            ("order.lines.exists(l, \"books\" in l.categories)", "lines lines.categories"),
            ("order.lines.filter(x, x.sku == \"a\").size() > 1", "lines lines.sku"),
            ("has(order.ship_to) && order.ship_to.country == \"US\"", "addresses"),
            ("order.discounts.size() == 0 || order.attributes.gift", "discounts order.attributes"),
            ("!customer.registered", "customer"),
            ("customer.orders > 2 && \"vip\" in customer.segments", "customer customer.segments customer.history"),
            ("card.age_days > 3", ""),
            ("card.attributes.colour == \"red\"", "cards.attributes"),
            ("[order].exists(o, o.lines.exists(l, l.tags.exists(t, t == l.name)))", "lines lines.name lines.tags"),
        ] {
            assert_eq!(needs(source), expected, "{source}");
            let most = most_needs();
            let declared =
                |need: &str| most.iter().any(|known| *known == need || known.starts_with(&format!("{need}.")));
            assert!(needs(source).split_whitespace().all(declared), "{source}");
        }
    }
}
