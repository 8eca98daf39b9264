//! The order. Must not check its sums: the engine does.

use giftcard_engine::order::{Address, Customer, Discount, Line, Order, Part, Totals};
use giftcard_engine::programme::Site;
use giftcard_engine::{Currency, Minor};

use super::bounds::{List, TextOf};
use super::leaf::{Amount, named};
use super::shape::{AddressInput, CustomerInput, DiscountInput, LineInput, OrderInput, PartInput, TotalsInput};
use super::time::Zone;
use super::{InputError, InputErrorKind, Within, each};
use crate::json::excerpt;

const ONE_MILLI: i64 = 1000;

pub(super) fn order(input: OrderInput, currency: Currency, site: &Site, zone: &Zone) -> Result<Order, InputError> {
    if let Some(own) = input.site.as_deref().filter(|own| *own != site.id) {
        let problem = format!("is `{}`, but the document's site is `{}`", excerpt(own), excerpt(&site.id));
        return Err(InputError::at(InputErrorKind::Inconsistent, "site", problem));
    }
    let placed_at = match &input.placed_at {
        Some(instant) => Some(instant.at().and_then(|at| zone.moment(at)).within("placed_at")?),
        None => None,
    };
    let address = |input: Option<AddressInput>| input.map(address).transpose();
    Ok(Order {
        id: text(input.id),
        site: site.id.clone(),
        channel: text(input.channel),
        payment_method: text(input.payment_method),
        shipping_method: text(input.shipping_method),
        currency,
        total: input.total.minor(currency).within("total")?,
        paid: optional(&input.paid, currency).within("paid")?.unwrap_or_default(),
        totals: match &input.totals {
            Some(input) => totals(input, currency).within("totals")?,
            None => Totals::default(),
        },
        lines: match input.lines {
            Some(lines) => Some(each(lines, |input| line(input, currency)).within("lines")?),
            None => None,
        },
        discounts: match input.discounts {
            Some(discounts) => Some(each(discounts, |input| discount(input, currency)).within("discounts")?),
            None => None,
        },
        billing: address(input.billing).within("billing")?,
        ship_to: address(input.ship_to).within("ship_to")?,
        customer: match input.customer {
            Some(input) => Some(customer(input, currency).within("customer")?),
            None => None,
        },
        placed_at,
        attributes: named(&input.attributes).within("attributes")?,
    })
}

/// A text that may be left out.
pub(super) fn text<const MIN: usize>(text: Option<TextOf<MIN>>) -> Option<String> {
    text.map(String::from)
}

/// Several texts.
pub(super) fn texts<const MIN: usize, const ITEMS: usize>(texts: List<TextOf<MIN>, ITEMS>) -> Vec<String> {
    texts.into_iter().map(String::from).collect()
}

/// An amount that may be left out.
pub(super) fn optional(amount: &Option<Amount>, currency: Currency) -> Result<Option<Minor>, InputError> {
    amount.as_ref().map(|amount| amount.minor(currency)).transpose()
}

fn totals(input: &TotalsInput, currency: Currency) -> Result<Totals, InputError> {
    Ok(Totals {
        goods: optional(&input.goods, currency).within("goods")?,
        gift_cards: optional(&input.gift_cards, currency).within("gift_cards")?,
        shipping: optional(&input.shipping, currency).within("shipping")?,
        fees: optional(&input.fees, currency).within("fees")?,
        tax: optional(&input.tax, currency).within("tax")?,
        discounts: optional(&input.discounts, currency).within("discounts")?,
    })
}

fn line(input: LineInput, currency: Currency) -> Result<Line, InputError> {
    let quantity_milli = match &input.quantity {
        Some(quantity) => quantity.thousandths().within("quantity")?,
        None => ONE_MILLI,
    };
    let total = input.total.minor(currency).within("total")?;
    let unit_price = match &input.unit_price {
        Some(price) => price.minor(currency).within("unit_price")?,
        None if quantity_milli == ONE_MILLI => total,
        None => {
            let problem = "is missing; it can be left out only where the quantity is 1";
            return Err(InputError::at(InputErrorKind::MissingField, "unit_price", problem));
        }
    };
    Ok(Line {
        part: match input.part {
            PartInput::Goods => Part::Goods,
            PartInput::GiftCard => Part::GiftCard,
            PartInput::Shipping => Part::Shipping,
            PartInput::Fee => Part::Fee,
        },
        payable_by_card: input.payable_by_card.unwrap_or(true),
        quantity_milli,
        unit_price,
        total,
        tax: optional(&input.tax, currency).within("tax")?,
        sku: text(input.sku),
        name: text(input.name),
        product_type: text(input.product_type),
        categories: input.categories.map(texts),
        tags: input.tags.map(texts),
        attributes: named(&input.attributes).within("attributes")?,
    })
}

fn discount(input: DiscountInput, currency: Currency) -> Result<Discount, InputError> {
    Ok(Discount { code: text(input.code), amount: input.amount.minor(currency).within("amount")? })
}

fn address(input: AddressInput) -> Result<Address, InputError> {
    if input.country.len() != 2 || !input.country.bytes().all(|byte| byte.is_ascii_uppercase()) {
        let problem =
            format!("`{}` is not a country; write two upper-case letters, such as `US`", excerpt(&input.country));
        return Err(InputError::at(InputErrorKind::InvalidValue, "country", problem));
    }
    Ok(Address {
        country: input.country,
        region: text(input.region),
        postal_code: text(input.postal_code),
        city: text(input.city),
    })
}

fn customer(input: CustomerInput, currency: Currency) -> Result<Customer, InputError> {
    Ok(Customer {
        id: text(input.id),
        registered: input.registered,
        roles: input.roles.map(texts),
        segments: input.segments.map(texts),
        email: text(input.email),
        orders: input.orders.map(|count| count.0),
        spent: optional(&input.spent, currency).within("spent")?,
        attributes: named(&input.attributes).within("attributes")?,
    })
}
