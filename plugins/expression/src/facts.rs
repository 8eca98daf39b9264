//! The request as an expression sees it. What is not known is left out, so that `has` can ask for it and anything else
//! that names it fails; where a shopper simply has none of something, lists are empty and texts too. Must not know
//! expressions, but for which names they use.

use std::collections::HashMap;
use std::sync::Arc;

use cel::extractors::Arguments;
use cel::parser::Expression;
use cel::{Context, ExecutionError, Value as CelValue};
use giftcard_plugin::prelude::*;

use crate::money::Written;

/// The parts of an order that an expression may name.
pub(crate) const NEEDS: [&str; 15] = [
    "lines.sku",
    "lines.name",
    "lines.product-type",
    "lines.categories",
    "lines.tags",
    "lines.attributes",
    "customer.roles",
    "customer.segments",
    "customer.email",
    "customer.history",
    "customer.attributes",
    "discounts",
    "addresses",
    "order.attributes",
    "cards.attributes",
];

/// CEL's own functions that an expression may call.
pub(crate) const FUNCTIONS: [&str; 4] = ["size", "contains", "startsWith", "endsWith"];

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

    /// A text that a shopper may not have.
    fn maybe_text(self, name: &str, text: Option<&String>) -> Self {
        self.put(name, text.map_or("", String::as_str))
    }

    fn texts(self, name: &str, texts: Option<&Vec<String>>) -> Self {
        let texts = texts.into_iter().flatten().map(|text| CelValue::from(text.as_str())).collect();
        self.put(name, CelValue::List(Arc::new(texts)))
    }

    fn attributes(self, name: &str, attributes: Option<&Vec<Named>>) -> Self {
        let mut fields = Self::default();
        for Named { name, value } in attributes.into_iter().flatten() {
            fields = match value {
                Value::Flag(flag) => fields.flag(name, *flag),
                Value::Integer(integer) => fields.number(name, *integer),
                Value::Money(money) => fields.number(name, money.amount),
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
        let mut roots = Vec::new();
        if references.has_variable("order") {
            roots.push(("order", order(&request.order).into()));
        }
        if references.has_variable("customer") {
            roots.push(("customer", customer(request.order.customer.as_ref()).into()));
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
            context.add_variable_from_value("card", CelValue::from(card_fields(card, &request.now)));
        }
        let (own, rates) = (request.order.currency.clone(), request.rates.clone());
        let amount = move |Arguments(arguments): Arguments| -> Result<i64, ExecutionError> {
            let failed = |why: String| ExecutionError::function_error("money", why);
            let written = match arguments.first() {
                Some(CelValue::String(text)) => Written::read(text).map_err(failed)?,
                _ => return Err(failed("money(...) takes an amount in quotes".to_string())),
            };
            let code = match arguments.get(1) {
                Some(CelValue::String(code)) if **code != own.code => code,
                _ => return written.minor(own.exponent).map_err(failed),
            };
            let none = || failed(format!("no rate is recorded from {code} to {}", own.code));
            let rate = rates.iter().find(|rate| rate.quoted.code == **code).ok_or_else(none)?;
            let amount = written.minor(rate.quoted.exponent).map_err(failed)?;
            let money = Money { amount, currency: rate.quoted.clone() };
            converted(&money, rate).map_err(failed)
        };
        // It is not among CEL's own, so that the name is free.
        let _ = context.add_function("money", amount);
        context
    }
}

/// In minor units of the order's currency, rounded up: what an order has to come to is never less than was asked for.
fn converted(money: &Money, rate: &Rate) -> Result<i64, String> {
    let product = i128::from(money.amount) * i128::from(rate.ratio.numerator);
    let denominator = i128::from(rate.ratio.denominator.max(1));
    let whole = product.div_euclid(denominator) + i128::from(product.rem_euclid(denominator) != 0);
    i64::try_from(whole).map_err(|_| format!("{money} is too much in the order's currency"))
}

fn order(order: &Order) -> Fields {
    let fields = Fields::default()
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
        .number("discounts_total", order.discounts_total)
        .list("lines", order.lines.as_ref(), line)
        .list("discounts", order.discounts.as_ref(), |discount| {
            Fields::default().maybe_text("code", discount.code.as_ref()).number("amount", discount.amount)
        })
        .attributes("attributes", order.attributes.as_ref());
    let addresses = [("billing", &order.billing), ("ship_to", &order.ship_to)];
    addresses.into_iter().fold(fields, |fields, (name, address)| match address {
        Some(known) => fields.put(name, address_fields(known)),
        None => fields,
    })
}

fn line(line: &Line) -> Fields {
    let part = match line.part {
        Part::Goods => "goods",
        Part::GiftCard => "gift-card",
        Part::Shipping => "shipping",
        Part::Fee => "fee",
    };
    Fields::default()
        .text("part", part)
        .number("quantity_milli", line.quantity_milli)
        .number("unit_price", line.unit_price)
        .number("total", line.total)
        .number("tax", line.tax)
        .maybe_text("sku", line.sku.as_ref())
        .maybe_text("name", line.name.as_ref())
        .maybe_text("product_type", line.product_type.as_ref())
        .texts("categories", line.categories.as_ref())
        .texts("tags", line.tags.as_ref())
        .attributes("attributes", line.attributes.as_ref())
}

fn address_fields(address: &Address) -> Fields {
    Fields::default()
        .text("country", &address.country)
        .maybe_text("region", address.region.as_ref())
        .maybe_text("postal_code", address.postal_code.as_ref())
        .maybe_text("city", address.city.as_ref())
}

/// A guest of whom nothing is known is not registered and has no roles.
fn customer(customer: Option<&Customer>) -> Fields {
    Fields::default()
        .maybe_text("id", customer.and_then(|customer| customer.id.as_ref()))
        .flag("registered", customer.is_some_and(|customer| customer.registered))
        .texts("roles", customer.and_then(|customer| customer.roles.as_ref()))
        .texts("segments", customer.and_then(|customer| customer.segments.as_ref()))
        .maybe_text("email", customer.and_then(|customer| customer.email.as_ref()))
        .number("orders", customer.and_then(|customer| customer.orders).map(i64::from))
        .number("spent", customer.and_then(|customer| customer.spent))
        .attributes("attributes", customer.and_then(|customer| customer.attributes.as_ref()))
}

fn card_fields(card: &Card, now: &Moment) -> Fields {
    let days = |from: i64, to: i64| to.saturating_sub(from).div_euclid(DAY_MS);
    Fields::default()
        .text("programme", &card.programme)
        .text("currency", &card.currency.code)
        .number("available", card.available_here)
        .number("age_days", days(card.issued_at, now.at))
        .number("days_left", card.expires_at.map(|end| days(now.at, end)))
        .attributes("attributes", card.attributes.as_ref())
}

fn now(now: &Moment) -> Fields {
    let Date { year, month, day } = now.date;
    let (hour, minute) = (now.minute_of_day / 60, now.minute_of_day % 60);
    Fields::default()
        .text("date", &format!("{year:04}-{month:02}-{day:02}"))
        .text("time", &format!("{hour:02}:{minute:02}"))
        .number("weekday", i64::from(now.weekday))
}
