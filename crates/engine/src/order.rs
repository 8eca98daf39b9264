//! The order as platforms know it, and whether its sums add up. Must not know cards or programmes.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

use crate::moment::Moment;
use crate::money::{Currency, MINOR_MAX, Minor};
use crate::value::{Named, Value};

/// What a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Part {
    /// Something for sale that is not a gift card.
    Goods,
    /// The line sells a gift card.
    GiftCard,
    /// Shipping.
    Shipping,
    /// A fee, other than one of the other payment method: that is charged on the remainder, outside.
    Fee,
}

/// One line, with final money.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// What it is.
    pub part: Part,
    /// False for goods that no gift card may pay for, by law or by the shop's choice.
    pub payable_by_card: bool,
    /// Thousandths of a unit, at least 0.
    pub quantity_milli: i64,
    /// Price of one unit before discounts.
    pub unit_price: Minor,
    /// What the shopper pays: after line discounts and the share of order discounts, tax included.
    pub total: Minor,
    /// How much of `total` is tax.
    pub tax: Option<Minor>,
    /// Stock keeping unit.
    pub sku: Option<String>,
    /// Name on the invoice.
    pub name: Option<String>,
    /// The platform's product type.
    pub product_type: Option<String>,
    /// Categories; none if not known.
    pub categories: Option<Vec<String>>,
    /// Tags; none if not known.
    pub tags: Option<Vec<String>>,
    /// Whatever else the platform knows.
    pub attributes: Vec<Named>,
}

/// A postal address, as far as rules may look at it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// ISO 3166-1 alpha-2, upper case.
    pub country: String,
    /// ISO 3166-2 subdivision without the country, or the platform's own name.
    pub region: Option<String>,
    /// Postal code as written.
    pub postal_code: Option<String>,
    /// City.
    pub city: Option<String>,
}

/// Who orders.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Customer {
    /// The platform's id.
    pub id: Option<String>,
    /// Signed in with an account.
    pub registered: bool,
    /// Roles; none if not known.
    pub roles: Option<Vec<String>>,
    /// Segments; none if not known.
    pub segments: Option<Vec<String>>,
    /// Email address.
    pub email: Option<String>,
    /// Number of earlier orders.
    pub orders: Option<u32>,
    /// Value of earlier orders, in the order's currency.
    pub spent: Option<Minor>,
    /// Whatever else the platform knows.
    pub attributes: Vec<Named>,
}

/// A discount, already taken off the lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Discount {
    /// The code the shopper entered; none for an automatic one.
    pub code: Option<String>,
    /// At least 0.
    pub amount: Minor,
}

/// Sums by part, for an order without lines; with lines they are worked out, and must agree where given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Goods lines, tax included.
    pub goods: Option<Minor>,
    /// Lines that sell gift cards.
    pub gift_cards: Option<Minor>,
    /// Shipping, tax included.
    pub shipping: Option<Minor>,
    /// Fees, tax included.
    pub fees: Option<Minor>,
    /// Tax within the total.
    pub tax: Option<Minor>,
    /// All discounts, at least 0.
    pub discounts: Option<Minor>,
}

/// An order. Amounts are in minor units of its currency.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// The platform's id.
    pub id: Option<String>,
    /// The shop.
    pub site: String,
    /// Sales channel.
    pub channel: Option<String>,
    /// The other payment method.
    pub payment_method: Option<String>,
    /// Shipping method.
    pub shipping_method: Option<String>,
    /// Currency of every amount here.
    pub currency: Currency,
    /// After all discounts, shipping and tax; at least 0.
    pub total: Minor,
    /// Paid already by other means; at least 0.
    pub paid: Minor,
    /// Sums by part.
    pub totals: Totals,
    /// The lines; none where the order came as totals only.
    pub lines: Option<Vec<Line>>,
    /// The discounts; none if not known.
    pub discounts: Option<Vec<Discount>>,
    /// Billing address.
    pub billing: Option<Address>,
    /// Shipping address.
    pub ship_to: Option<Address>,
    /// Who orders; none is a guest.
    pub customer: Option<Customer>,
    /// When it was placed.
    pub placed_at: Option<Moment>,
    /// Whatever else the platform knows.
    pub attributes: Vec<Named>,
}

/// What does not add up in an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderError {
    /// Where, as a path within the order: `lines[3].total`.
    pub path: String,
    /// What was wrong and what would be right.
    pub problem: String,
}

impl fmt::Display for OrderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`: {}", self.path, self.problem)
    }
}

impl core::error::Error for OrderError {}

impl Order {
    /// An order that is known by its total alone.
    #[must_use]
    pub fn of_total(site: &str, currency: Currency, total: Minor) -> Self {
        Self {
            id: None,
            site: site.to_string(),
            channel: None,
            payment_method: None,
            shipping_method: None,
            currency,
            total,
            paid: Minor::ZERO,
            totals: Totals::default(),
            lines: None,
            discounts: None,
            billing: None,
            ship_to: None,
            customer: None,
            placed_at: None,
            attributes: Vec::new(),
        }
    }

    /// Checks every amount against its range and every sum against its parts. Returns the sums by part, worked out
    /// from the lines where there are any.
    ///
    /// # Errors
    /// [`OrderError`] for a negative amount, tax above its amount, lines that do not add up to the total to the
    /// minor unit, or totals that disagree with the lines.
    pub fn check(&self) -> Result<Totals, OrderError> {
        // Paths are only spelled out for an error: orders have many lines, and most are right.
        let not_negative = |amount: Minor, path: &dyn Fn() -> String| match amount.is_negative() {
            true => Err(self.error(&path(), format!("{} is negative; it must be at least 0", self.show(amount)))),
            false => Ok(()),
        };
        let totals = self.totals;
        for (path, amount) in [
            ("total", Some(self.total)),
            ("paid", Some(self.paid)),
            ("totals.goods", totals.goods),
            ("totals.gift_cards", totals.gift_cards),
            ("totals.shipping", totals.shipping),
            ("totals.fees", totals.fees),
            ("totals.tax", totals.tax),
            ("totals.discounts", totals.discounts),
        ] {
            not_negative(amount.unwrap_or_default(), &|| path.to_string())?;
        }
        for (index, discount) in self.discounts.iter().flatten().enumerate() {
            not_negative(discount.amount, &|| format!("discounts[{index}].amount"))?;
        }
        for (index, line) in self.lines.iter().flatten().enumerate() {
            let path = |field: &str| format!("lines[{index}].{field}");
            not_negative(line.total, &|| path("total"))?;
            not_negative(line.unit_price, &|| path("unit_price"))?;
            not_negative(line.tax.unwrap_or_default(), &|| path("tax"))?;
            if line.tax > Some(line.total) {
                return Err(
                    self.error(&path("tax"), format!("is more than the line's total {}", self.show(line.total)))
                );
            }
            if !(0..=MINOR_MAX).contains(&line.quantity_milli) {
                return Err(
                    self.error(&path("quantity"), "must be at least 0, and at most 2^53 - 1 thousandths".into())
                );
            }
            check_attributes(&|| path("attributes"), &line.attributes)?;
        }
        check_attributes(&|| "attributes".into(), &self.attributes)?;
        if let Some(customer) = &self.customer {
            check_attributes(&|| "customer.attributes".into(), &customer.attributes)?;
            not_negative(customer.spent.unwrap_or_default(), &|| "customer.spent".into())?;
        }
        if totals.tax > Some(self.total) {
            return Err(self.error("totals.tax", format!("is more than the order's total {}", self.show(self.total))));
        }
        match &self.lines {
            Some(lines) => self.totals_of(lines),
            None => self.totals_without_lines(),
        }
    }

    fn totals_of(&self, lines: &[Line]) -> Result<Totals, OrderError> {
        let sum_of = |part: Part| {
            Minor::sum(lines.iter().filter(|line| line.part == part).map(|line| line.total))
                .map_err(|error| self.error("lines", error.to_string()))
        };
        let (goods, gift_cards) = (sum_of(Part::Goods)?, sum_of(Part::GiftCard)?);
        let (shipping, fees) = (sum_of(Part::Shipping)?, sum_of(Part::Fee)?);
        let sum =
            Minor::sum([goods, gift_cards, shipping, fees]).map_err(|error| self.error("lines", error.to_string()))?;
        if sum != self.total {
            let problem = format!(
                "the lines add up to {}, the total is {}; they must agree to the minor unit (shipping and fees are \
                 lines too, and line totals include tax)",
                self.show(sum),
                self.show(self.total),
            );
            return Err(self.error("total", problem));
        }
        let line_tax: Option<Vec<Minor>> = lines.iter().map(|line| line.tax).collect();
        let line_tax = line_tax.map(Minor::sum).transpose().map_err(|error| self.error("lines", error.to_string()))?;
        let agreed = |path: &str, given: Option<Minor>, found: Minor| match given {
            Some(given) if given != found => {
                Err(self.error(path, format!("is {}, but the lines add up to {}", self.show(given), self.show(found))))
            }
            _ => Ok(Some(found)),
        };
        let tax = match (self.totals.tax, line_tax) {
            (given, Some(found)) => agreed("totals.tax", given, found)?,
            (given, None) => given,
        };
        Ok(Totals {
            goods: agreed("totals.goods", self.totals.goods, goods)?,
            gift_cards: agreed("totals.gift_cards", self.totals.gift_cards, gift_cards)?,
            shipping: agreed("totals.shipping", self.totals.shipping, shipping)?,
            fees: agreed("totals.fees", self.totals.fees, fees)?,
            tax,
            discounts: self.discount_total()?,
        })
    }

    /// Where three of the four parts are given the fourth is what is left, where they add up to the total the others are
    /// nothing, and where all are given they must add up.
    fn totals_without_lines(&self) -> Result<Totals, OrderError> {
        let mut totals = Totals { discounts: self.discount_total()?, ..self.totals };
        let parts = [totals.goods, totals.gift_cards, totals.shipping, totals.fees];
        let known = Minor::sum(parts.into_iter().flatten()).map_err(|error| self.error("totals", error.to_string()))?;
        let missing = parts.iter().filter(|part| part.is_none()).count();
        if known > self.total || (missing == 0 && known != self.total) {
            let problem = format!("the parts add up to {}, the total is {}", self.show(known), self.show(self.total));
            return Err(self.error("totals", problem));
        }
        if missing == 1 || known == self.total {
            let rest = Some(self.total.less(known));
            for part in [&mut totals.goods, &mut totals.gift_cards, &mut totals.shipping, &mut totals.fees] {
                *part = part.or(rest);
            }
        }
        Ok(totals)
    }

    fn discount_total(&self) -> Result<Option<Minor>, OrderError> {
        let Some(discounts) = &self.discounts else { return Ok(self.totals.discounts) };
        let sum = Minor::sum(discounts.iter().map(|discount| discount.amount))
            .map_err(|error| self.error("discounts", error.to_string()))?;
        match self.totals.discounts {
            Some(given) if given != sum => Err(self.error(
                "totals.discounts",
                format!("is {}, but the discounts add up to {}", self.show(given), self.show(sum)),
            )),
            _ => Ok(Some(sum)),
        }
    }

    fn show(&self, amount: Minor) -> String {
        self.currency.format(amount)
    }

    fn error(&self, path: &str, problem: String) -> OrderError {
        OrderError { path: path.to_string(), problem }
    }
}

/// Numbers beyond 2^53 - 1 do not cross to components, and a name stands for one value.
pub(crate) fn check_attributes(path: &dyn Fn() -> String, attributes: &[Named]) -> Result<(), OrderError> {
    for (index, named) in attributes.iter().enumerate() {
        let error =
            |problem: &str| OrderError { path: format!("{}.{}", path(), named.name), problem: problem.to_string() };
        if attributes[..index].iter().any(|earlier| earlier.name == named.name) {
            return Err(error("stands twice"));
        }
        if matches!(&named.value, Value::Integer(integer) if integer.unsigned_abs() > MINOR_MAX.unsigned_abs()) {
            return Err(error("is beyond 2^53 - 1"));
        }
    }
    Ok(())
}
