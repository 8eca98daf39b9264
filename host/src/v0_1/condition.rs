//! The `condition` interface: one question, without the parts of the order that the plugin did not ask for.

use giftcard_engine::check::{Broken, ConditionLimit, ConditionVerdict, Evaluation};
use giftcard_engine::moment::Moment;
use giftcard_engine::money::Minor;
use giftcard_engine::order::{Address, Customer, Discount, Line, Order, Part, Totals};
use giftcard_engine::quote::{ConditionCall, QuoteRequest};
use giftcard_engine::value::{Named, Value};
use wasmtime::component::{ComponentExportIndex, InstancePre, Lift};

use super::bindings::exports::giftcard::rules::condition as wit;
use super::bindings::giftcard::rules::types;
use super::{
    Answered, TextPool, answered, currency_to_wit, exported, failure_from_wit, minor, named_to_wit, ratio_to_wit,
    reject_from_wit, settings_to_wit, step_from_wit,
};
use crate::error::CallFailure;
use crate::sandbox::{CallState, Sandbox};

/// The `condition` interface of a linked component, whichever version names it: a later one may change what is answered
/// and leave the questions as they are.
pub(crate) struct ConditionPre {
    instance: InstancePre<CallState>,
    evaluate: ComponentExportIndex,
}

/// What a version of the contract answers, in the engine's words.
pub(crate) trait Answer: Lift + Send + Sync + 'static {
    /// INVARIANT: every number is checked.
    fn raise(self) -> Result<Evaluation, Broken>;
}

impl ConditionPre {
    pub(crate) fn new(instance: InstancePre<CallState>, number: &str) -> wasmtime::Result<Self> {
        let evaluate = exported(&instance, "condition", number, "evaluate")?;
        Ok(Self { instance, evaluate })
    }
}

macro_rules! needs {
    ($($field:ident = $name:literal,)*) => {
        /// Which parts of the order a condition reads.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub(crate) struct Needs {
            $(pub(crate) $field: bool,)*
        }

        impl Needs {
            /// Every part that can be named.
            pub(crate) const NAMES: &[&str] = &[$($name),*];

            /// From names.
            ///
            /// # Errors
            /// The first name that is unknown.
            pub(crate) fn of(names: &[String]) -> Result<Self, &str> {
                let mut needs = Self::default();
                for name in names {
                    match name.as_str() {
                        $($name => needs.$field = true,)*
                        unknown => return Err(unknown),
                    }
                }
                Ok(needs)
            }
        }
    };
}

needs! {
    lines = "lines",
    lines_sku = "lines.sku",
    lines_name = "lines.name",
    lines_product_type = "lines.product-type",
    lines_categories = "lines.categories",
    lines_tags = "lines.tags",
    lines_attributes = "lines.attributes",
    discounts = "discounts",
    addresses = "addresses",
    customer = "customer",
    customer_roles = "customer.roles",
    customer_segments = "customer.segments",
    customer_email = "customer.email",
    customer_history = "customer.history",
    customer_attributes = "customer.attributes",
    order_attributes = "order.attributes",
    cards_attributes = "cards.attributes",
}

impl Needs {
    fn any_line(&self) -> bool {
        self.lines
            || self.lines_sku
            || self.lines_name
            || self.lines_product_type
            || self.lines_categories
            || self.lines_tags
            || self.lines_attributes
    }

    fn any_customer(&self) -> bool {
        self.customer
            || self.customer_roles
            || self.customer_segments
            || self.customer_email
            || self.customer_history
            || self.customer_attributes
    }
}

/// Asks a condition.
pub(crate) fn evaluate<A: Answer>(
    sandbox: &Sandbox,
    component: &ConditionPre,
    needs: &Needs,
    call: &ConditionCall<'_>,
    settings: &[(&str, &Value)],
) -> Answered<Evaluation> {
    let QuoteRequest { order, cards, now, .. } = call.request;
    let texts = Texts::of(order, needs);
    let pools = Pools::of(call, needs);
    let line_attributes: Vec<Vec<types::NamedParam<'_>>> = order
        .lines
        .iter()
        .flatten()
        .zip(&pools.lines)
        .map(|(line, pool)| named_to_wit(&line.attributes, pool))
        .collect();
    let lines = lower_lines(order, needs, &texts, &line_attributes);
    let discounts: Option<Vec<wit::Discount<'_>>> = order
        .discounts
        .as_ref()
        .filter(|_| needs.discounts)
        .map(|discounts| discounts.iter().map(lower_discount).collect());
    let order_attributes = named_to_wit(&order.attributes, &pools.order);
    let customer_attributes = match &order.customer {
        Some(customer) => named_to_wit(&customer.attributes, &pools.customer),
        None => Vec::new(),
    };
    let card_attributes: Vec<Vec<types::NamedParam<'_>>> =
        call.cards.iter().zip(&pools.cards).map(|(&card, pool)| named_to_wit(&cards[card].attributes, pool)).collect();
    let wit_cards = lower_cards(call, needs, &card_attributes);
    let rates = lower_rates(call.request);
    let customer = order.customer.as_ref().filter(|_| needs.any_customer());
    let request = wit::Request {
        order: wit::Order {
            lines: lines.as_deref(),
            discounts: discounts.as_deref(),
            customer: customer.map(|customer| lower_customer(customer, needs, &texts, &customer_attributes)),
            attributes: needs.order_attributes.then_some(order_attributes.as_slice()),
            ..lower_order(order, call.totals, needs)
        },
        cards: &wit_cards,
        rates: &rates,
        now: lower_moment(now),
    };
    let pool = TextPool::of(settings.iter().map(|(_, value)| *value));
    let settings = settings_to_wit(settings, &pool);
    let (answer, spent) = sandbox.call(&component.instance, |store, instance| {
        type Asked<'a> = (wit::Request<'a>, &'a [types::NamedParam<'a>], bool);
        type Answered<A> = (Result<A, types::Failure>,);
        let function = instance.get_typed_func::<Asked<'_>, Answered<A>>(&mut *store, component.evaluate)?;
        Ok(function.call(store, (request, &settings, call.explain))?.0)
    })?;
    let raised = match answer {
        Ok(answer) => answer.raise().map_err(CallFailure::from),
        Err(failure) => Err(failure_from_wit(&failure)),
    };
    answered(raised, spent)
}

impl Answer for wit::Evaluation {
    fn raise(self) -> Result<Evaluation, Broken> {
        let steps = self.steps.into_iter().map(step_from_wit).collect();
        Ok(Evaluation { verdicts: verdicts_from_wit(self.verdicts)?, limits: limits_from_wit(self.limits)?, steps })
    }
}

pub(crate) fn verdicts_from_wit(verdicts: Vec<wit::Verdict>) -> Result<Vec<ConditionVerdict>, Broken> {
    let verdict = |verdict: wit::Verdict| {
        Ok(match verdict {
            wit::Verdict::Accept => ConditionVerdict::Accept,
            wit::Verdict::AcceptUpTo(limit) => ConditionVerdict::AcceptUpTo(minor("accept-up-to", limit)?),
            wit::Verdict::Reject(reject) => ConditionVerdict::Reject(reject_from_wit(reject)?),
        })
    };
    verdicts.into_iter().map(verdict).collect()
}

pub(crate) fn limits_from_wit(limits: Vec<wit::SharedLimit>) -> Result<Vec<ConditionLimit>, Broken> {
    let limit = |limit: wit::SharedLimit| {
        Ok(ConditionLimit { limit: minor("limit", limit.limit)?, cards: limit.cards, code: limit.code })
    };
    limits.into_iter().map(limit).collect()
}

/// The order without what is put in beside it: lines, discounts, customer and attributes.
fn lower_order<'a>(order: &'a Order, totals: &Totals, needs: &Needs) -> wit::Order<'a> {
    wit::Order {
        id: order.id.as_deref(),
        site: &order.site,
        channel: order.channel.as_deref(),
        payment_method: order.payment_method.as_deref(),
        shipping_method: order.shipping_method.as_deref(),
        currency: currency_to_wit(&order.currency),
        total: order.total.get(),
        paid: order.paid.get(),
        goods: totals.goods.map(Minor::get),
        gift_cards: totals.gift_cards.map(Minor::get),
        shipping: totals.shipping.map(Minor::get),
        fees: totals.fees.map(Minor::get),
        tax: totals.tax.map(Minor::get),
        discounts_total: totals.discounts.map(Minor::get),
        lines: None,
        discounts: None,
        billing: order.billing.as_ref().filter(|_| needs.addresses).map(lower_address),
        ship_to: order.ship_to.as_ref().filter(|_| needs.addresses).map(lower_address),
        customer: None,
        placed_at: order.placed_at.as_ref().map(lower_moment),
        attributes: None,
    }
}

fn lower_customer<'a>(
    customer: &'a Customer,
    needs: &Needs,
    texts: &'a Texts<'a>,
    attributes: &'a [types::NamedParam<'a>],
) -> wit::Customer<'a> {
    wit::Customer {
        id: customer.id.as_deref(),
        registered: customer.registered,
        roles: customer.roles.as_ref().filter(|_| needs.customer_roles).map(|_| &*texts.roles),
        segments: customer.segments.as_ref().filter(|_| needs.customer_segments).map(|_| &*texts.segments),
        email: customer.email.as_deref().filter(|_| needs.customer_email),
        orders: customer.orders.filter(|_| needs.customer_history),
        spent: customer.spent.filter(|_| needs.customer_history).map(Minor::get),
        attributes: needs.customer_attributes.then_some(attributes),
    }
}

fn lower_cards<'a>(
    call: &ConditionCall<'a>,
    needs: &Needs,
    attributes: &'a [Vec<types::NamedParam<'a>>],
) -> Vec<wit::Card<'a>> {
    let QuoteRequest { order, site, cards, .. } = call.request;
    let lower = |(&card, attributes): (&usize, &'a Vec<types::NamedParam<'a>>)| {
        let card = &cards[card];
        let available = card.available();
        let here = match card.currency == order.currency {
            true => Some(available),
            false => {
                site.conversion(card.currency, order.currency).ok().flatten().map(|rate| rate.times_floor(available))
            }
        };
        wit::Card {
            programme: &card.programme,
            currency: currency_to_wit(&card.currency),
            available: available.get(),
            available_here: here.map(Minor::get),
            initial: card.initial.get(),
            issued_at: card.issued_at,
            expires_at: card.expires_at,
            attributes: needs.cards_attributes.then_some(attributes.as_slice()),
        }
    };
    call.cards.iter().zip(attributes).map(lower).collect()
}

/// Borrowed texts of the order, all lines' in one list.
struct Texts<'a> {
    lines: Vec<&'a str>,
    roles: Vec<&'a str>,
    segments: Vec<&'a str>,
}

impl<'a> Texts<'a> {
    fn of(order: &'a Order, needs: &Needs) -> Self {
        let mut lines = Vec::new();
        for line in order.lines.iter().flatten() {
            for texts in [(&line.categories, needs.lines_categories), (&line.tags, needs.lines_tags)] {
                if let (Some(texts), true) = texts {
                    lines.extend(texts.iter().map(String::as_str));
                }
            }
        }
        let borrow = |texts: Option<&'a Vec<String>>| texts.into_iter().flatten().map(String::as_str).collect();
        let customer = order.customer.as_ref();
        Self {
            lines,
            roles: borrow(customer.and_then(|customer| customer.roles.as_ref()).filter(|_| needs.customer_roles)),
            segments: borrow(
                customer.and_then(|customer| customer.segments.as_ref()).filter(|_| needs.customer_segments),
            ),
        }
    }
}

/// Texts of attributes.
struct Pools<'a> {
    order: TextPool<'a>,
    customer: TextPool<'a>,
    lines: Vec<TextPool<'a>>,
    cards: Vec<TextPool<'a>>,
}

impl<'a> Pools<'a> {
    fn of(call: &ConditionCall<'a>, needs: &Needs) -> Self {
        let order = &call.request.order;
        let customer: &[Named] = order.customer.as_ref().map_or(&[], |customer| &customer.attributes);
        let lines = order.lines.iter().flatten().filter(|_| needs.lines_attributes);
        Self {
            order: TextPool::of_named(&order.attributes),
            customer: TextPool::of_named(customer),
            lines: lines.map(|line| TextPool::of_named(&line.attributes)).collect(),
            cards: call.cards.iter().map(|&card| TextPool::of_named(&call.request.cards[card].attributes)).collect(),
        }
    }
}

fn lower_lines<'a>(
    order: &'a Order,
    needs: &Needs,
    texts: &'a Texts<'a>,
    attributes: &'a [Vec<types::NamedParam<'a>>],
) -> Option<Vec<wit::Line<'a>>> {
    let lines = order.lines.as_ref().filter(|_| needs.any_line())?;
    let mut rest = texts.lines.as_slice();
    let mut take = |texts: &Option<Vec<String>>, needed: bool| {
        let texts = texts.as_ref().filter(|_| needed)?;
        let (taken, left) = rest.split_at(texts.len());
        rest = left;
        Some(taken)
    };
    let lower = |(index, line): (usize, &'a Line)| wit::Line {
        part: match line.part {
            Part::Goods => wit::Part::Goods,
            Part::GiftCard => wit::Part::GiftCard,
            Part::Shipping => wit::Part::Shipping,
            Part::Fee => wit::Part::Fee,
        },
        quantity_milli: line.quantity_milli,
        unit_price: line.unit_price.get(),
        total: line.total.get(),
        tax: line.tax.map(Minor::get),
        sku: line.sku.as_deref().filter(|_| needs.lines_sku),
        name: line.name.as_deref().filter(|_| needs.lines_name),
        product_type: line.product_type.as_deref().filter(|_| needs.lines_product_type),
        categories: take(&line.categories, needs.lines_categories),
        tags: take(&line.tags, needs.lines_tags),
        attributes: attributes.get(index).map(Vec::as_slice),
    };
    Some(lines.iter().enumerate().map(lower).collect())
}

fn lower_discount(discount: &Discount) -> wit::Discount<'_> {
    wit::Discount { code: discount.code.as_deref(), amount: discount.amount.get() }
}

fn lower_address(address: &Address) -> wit::Address<'_> {
    wit::Address {
        country: &address.country,
        region: address.region.as_deref(),
        postal_code: address.postal_code.as_deref(),
        city: address.city.as_deref(),
    }
}

fn lower_moment(moment: &Moment) -> types::Moment {
    let (year, month, day) = moment.ymd();
    types::Moment {
        at: moment.at(),
        utc_offset_s: moment.utc_offset_s(),
        date: types::Date { year, month, day },
        weekday: moment.weekday(),
        minute_of_day: moment.minute_of_day(),
    }
}

/// Every recorded currency that converts into the order's, each once.
fn lower_rates(request: &QuoteRequest) -> Vec<types::Rate<'_>> {
    let to = request.order.currency;
    let mut rates: Vec<types::Rate<'_>> = Vec::new();
    for rate in &request.site.rates {
        for quoted in [&rate.from, &rate.to] {
            if *quoted == to || rates.iter().any(|known| known.quoted.code == quoted.code()) {
                continue;
            }
            let Ok(Some(ratio)) = request.site.conversion(*quoted, to) else { continue };
            rates.push(types::Rate { quoted: currency_to_wit(quoted), ratio: ratio_to_wit(ratio) });
        }
    }
    rates
}
