//! For the tests of a condition: requests without thirty fields, and the checks that a host makes on every answer.
//! Must not be used by a condition itself: nothing here is right outside a test, and it panics on mistakes.
//!
//! ```
//! use giftcard_plugin::prelude::*;
//! use giftcard_plugin::testing;
//!
//! struct Large;
//!
//! impl Condition for Large {
//!     fn describe() -> Description {
//!         describe("large", "1.0.0", "Large orders", "From 50.00 on.").reject("too-small", "the order is too small")
//!     }
//!
//!     fn evaluate(request: &Request, _: &Settings, _: &mut Trace) -> Result<Evaluation, Failure> {
//!         if request.order.total >= 5000 {
//!             return Ok(accept_all(request));
//!         }
//!         Ok(reject_all(request, reject("too-small", "the order is too small")))
//!     }
//! }
//!
//! let settings = testing::settings::<Large>(&[]);
//! assert_eq!(testing::answer::<Large>(&testing::request(testing::order(5000)), &settings), "accept");
//! assert_eq!(testing::answer::<Large>(&testing::request(testing::order(4999)), &settings), "reject too-small");
//! ```

use crate::Condition;
use crate::date::parse_time;
use crate::prelude::{Settings, Trace};
use crate::types::{
    Address, Card, Currency, Customer, Date, Description, Evaluation, Failure, Line, Moment, Money, Named, Order, Part,
    Problem, Rate, Ratio, Reject, Request, Value, Verdict,
};

/// A request about `order` with one card of the programme "gift", at midnight on Thursday 2026-01-01.
#[must_use]
pub fn request(order: Order) -> Request {
    Request { order, cards: vec![card("gift")], rates: Vec::new(), now: moment("2026-01-01 00:00") }
}

/// An order of `total` cents in USD, of which nothing else is known.
#[must_use]
pub fn order(total: i64) -> Order {
    Order {
        id: None,
        site: "shop".to_string(),
        channel: None,
        payment_method: None,
        shipping_method: None,
        currency: currency("USD"),
        total,
        paid: 0,
        goods: None,
        gift_cards: None,
        shipping: None,
        fees: None,
        tax: None,
        discounts_total: None,
        lines: None,
        discounts: None,
        billing: None,
        ship_to: None,
        customer: None,
        placed_at: None,
        attributes: None,
    }
}

/// One unit of goods for `total`, of which nothing else is known.
#[must_use]
pub fn line(total: i64) -> Line {
    Line {
        part: Part::Goods,
        quantity_milli: 1000,
        unit_price: total,
        total,
        tax: None,
        sku: None,
        name: None,
        product_type: None,
        categories: None,
        tags: None,
        attributes: None,
    }
}

/// A card of `programme` with 100.00 USD that never ends.
#[must_use]
pub fn card(programme: &str) -> Card {
    Card {
        programme: programme.to_string(),
        currency: currency("USD"),
        available: 10_000,
        available_here: Some(10_000),
        initial: 10_000,
        issued_at: 0,
        expires_at: None,
        attributes: None,
    }
}

/// An address of which only the country is known.
#[must_use]
pub fn address(country: &str) -> Address {
    Address { country: country.to_string(), region: None, postal_code: None, city: None }
}

/// A customer who is signed in and of whom nothing else is known.
#[must_use]
pub fn customer() -> Customer {
    Customer {
        id: None,
        registered: true,
        roles: None,
        segments: None,
        email: None,
        orders: None,
        spent: None,
        attributes: None,
    }
}

/// A currency by its code, with the decimals of the usual ones.
#[must_use]
pub fn currency(code: &str) -> Currency {
    let exponent = match code {
        "JPY" | "KRW" | "VND" | "CLP" | "ISK" => 0,
        "KWD" | "BHD" | "JOD" | "OMR" | "TND" => 3,
        _ => 2,
    };
    Currency { code: code.to_string(), exponent }
}

/// `minor` units of a currency.
#[must_use]
pub fn amount(minor: i64, code: &str) -> Money {
    Money { amount: minor, currency: currency(code) }
}

/// A recorded rate from a currency into the order's: order = quoted * numerator / denominator.
#[must_use]
pub fn rate(quoted: &str, numerator: i64, denominator: i64) -> Rate {
    Rate { quoted: currency(quoted), ratio: Ratio { numerator, denominator } }
}

/// A moment such as "2026-01-31 08:30", in a site whose clock shows UTC.
///
/// # Panics
/// If it is not written like that.
#[must_use]
pub fn moment(text: &str) -> Moment {
    let read = text.split_once(' ').and_then(|(date, time)| Some((Date::parse(date)?, parse_time(time)?)));
    let Some((date, minute_of_day)) = read else { panic!("`{text}` is no moment such as `2026-01-31 08:30`") };
    // Days since 1970-01-01, a Thursday, counted in years that begin in March.
    let early = i64::from(date.month <= 2);
    let (year, month) = (i64::from(date.year) - early, i64::from(date.month) + 12 * early);
    let days =
        365 * year + year / 4 - year / 100 + year / 400 + (153 * month - 457) / 5 + i64::from(date.day) - 719_469;
    let weekday = ((days + 3).rem_euclid(7) + 1) as u8;
    let at = (days * 1440 + i64::from(minute_of_day)) * 60_000;
    Moment { at, utc_offset_s: 0, date, weekday, minute_of_day }
}

/// The settings of a binding, with the description's defaults filled in as a host does.
///
/// # Panics
/// If the description has no setting of a given name.
#[must_use]
pub fn settings<C: Condition>(given: &[(&str, Value)]) -> Settings {
    let described = C::describe().settings;
    for (name, _) in given {
        assert!(described.iter().any(|setting| setting.name == *name), "no setting is called `{name}`");
    }
    let named = described.into_iter().filter_map(|setting| {
        let given = given.iter().find(|(name, _)| *name == setting.name).map(|(_, value)| value.clone());
        Some(Named { name: setting.name, value: given.or(setting.default)? })
    });
    Settings::new(named.collect())
}

/// Evaluates as a host does: parts that the settings do not ask for are left out, the answer is checked, and an
/// explanation must not change it. With the steps of the explanation.
///
/// # Errors
/// The condition's own [`Failure`].
///
/// # Panics
/// If a host would refuse the answer or what is asked for, or a message names an argument that it does not have.
pub fn evaluate<C: Condition>(request: &Request, settings: &Settings) -> Result<Evaluation, Failure> {
    let description = C::describe();
    // Where nothing is described, a host does not ask.
    let needs = match description.needs.is_empty() {
        true => Vec::new(),
        false => C::needs_of(settings).expect("settings that `needs_of` takes"),
    };
    for need in &needs {
        let fields = matches!(need.as_str(), "lines" | "customer").then(|| format!("{need}."));
        let field = |known: &String| fields.as_ref().is_some_and(|fields| known.starts_with(fields.as_str()));
        let declared = |known: &String| known == need || field(known);
        assert!(description.needs.iter().any(declared), "`{need}` is asked for, and not described");
    }
    let request = leave_out(request.clone(), &needs);
    let plain = C::evaluate(&request, settings, &mut Trace::new(false));
    let mut trace = Trace::new(true);
    let mut explained = C::evaluate(&request, settings, &mut trace);
    assert_eq!(plain, explained, "an explanation must not change the answer");
    if let Ok(evaluation) = &mut explained {
        check(evaluation, &description, request.cards.len());
        evaluation.steps = trace.into_steps();
    }
    explained
}

/// The same as one line: the verdicts as "accept", "up to 500" or "reject CODE", then the shared limits as
/// "limit 500 on 0 1", separated by commas; or "failure CODE".
///
/// # Panics
/// As [`evaluate`].
#[must_use]
pub fn answer<C: Condition>(request: &Request, settings: &Settings) -> String {
    let evaluation = match evaluate::<C>(request, settings) {
        Ok(evaluation) => evaluation,
        Err(failure) => return format!("failure {}", failure.code),
    };
    let verdicts = evaluation.verdicts.iter().map(|verdict| match verdict {
        Verdict::Accept => "accept".to_string(),
        Verdict::AcceptUpTo(limit) => format!("up to {limit}"),
        Verdict::Reject(reject) => format!("reject {}", reject.code),
    });
    let limits = evaluation.limits.iter().map(|limit| {
        let cards: Vec<String> = limit.cards.iter().map(ToString::to_string).collect();
        format!("limit {} on {}", limit.limit, cards.join(" "))
    });
    verdicts.chain(limits).collect::<Vec<_>>().join(", ")
}

/// What the shopper reads about the first card that is rejected; empty if none is.
///
/// # Panics
/// As [`evaluate`].
#[must_use]
pub fn message<C: Condition>(request: &Request, settings: &Settings) -> String {
    let verdicts = evaluate::<C>(request, settings).map(|evaluation| evaluation.verdicts).unwrap_or_default();
    let rejected = verdicts.iter().find_map(|verdict| match verdict {
        Verdict::Reject(reject) => Some(render(reject)),
        _ => None,
    });
    rejected.unwrap_or_default()
}

/// The names of the settings that `check_settings` complains about, separated by commas; empty if all is well.
#[must_use]
pub fn problems<C: Condition>(settings: &Settings) -> String {
    let problems: Vec<Problem> = C::check_settings(settings).err().unwrap_or_default();
    problems.into_iter().map(|problem| problem.setting).collect::<Vec<_>>().join(", ")
}

/// What is not asked for arrives as none.
fn leave_out(mut request: Request, needs: &[String]) -> Request {
    let asked = |need: &str| needs.iter().any(|asked| asked == need);
    // One part of the lines or of the customer brings the rest of it that is not asked for by name.
    let asked_any = |part: &str| {
        needs.iter().any(|asked| asked.strip_prefix(part).is_some_and(|rest| rest.is_empty() || rest.starts_with('.')))
    };
    let order = &mut request.order;
    order.lines.take_if(|_| !asked_any("lines"));
    for line in order.lines.iter_mut().flatten() {
        line.sku.take_if(|_| !asked("lines.sku"));
        line.name.take_if(|_| !asked("lines.name"));
        line.product_type.take_if(|_| !asked("lines.product-type"));
        line.categories.take_if(|_| !asked("lines.categories"));
        line.tags.take_if(|_| !asked("lines.tags"));
        line.attributes.take_if(|_| !asked("lines.attributes"));
    }
    order.discounts.take_if(|_| !asked("discounts"));
    order.billing.take_if(|_| !asked("addresses"));
    order.ship_to.take_if(|_| !asked("addresses"));
    order.customer.take_if(|_| !asked_any("customer"));
    if let Some(customer) = &mut order.customer {
        customer.roles.take_if(|_| !asked("customer.roles"));
        customer.segments.take_if(|_| !asked("customer.segments"));
        customer.email.take_if(|_| !asked("customer.email"));
        customer.orders.take_if(|_| !asked("customer.history"));
        customer.spent.take_if(|_| !asked("customer.history"));
        customer.attributes.take_if(|_| !asked("customer.attributes"));
    }
    order.attributes.take_if(|_| !asked("order.attributes"));
    for card in &mut request.cards {
        card.attributes.take_if(|_| !asked("cards.attributes"));
    }
    request
}

fn check(evaluation: &Evaluation, description: &Description, cards: usize) {
    let declared = |code: &str| description.reject_codes.iter().any(|known| known.code == code);
    assert_eq!(evaluation.verdicts.len(), cards, "there must be one verdict for each card");
    for verdict in &evaluation.verdicts {
        match verdict {
            Verdict::Accept => {}
            Verdict::AcceptUpTo(limit) => assert!(*limit >= 0, "a card is accepted up to {limit}"),
            Verdict::Reject(reject) => {
                assert!(declared(&reject.code), "`{}` is not among the reject codes", reject.code);
                render(reject);
            }
        }
    }
    assert!(description.shares_limits || evaluation.limits.is_empty(), "the description says no to shared limits");
    for limit in &evaluation.limits {
        assert!(limit.limit >= 0, "a shared limit is {}", limit.limit);
        assert!(declared(&limit.code), "`{}` is not among the reject codes", limit.code);
        assert!(!limit.cards.is_empty(), "a shared limit concerns no card");
        for (place, &card) in limit.cards.iter().enumerate() {
            let once = !limit.cards[..place].contains(&card);
            assert!(once && (card as usize) < cards, "a shared limit names card {card} of {cards}");
        }
    }
    assert!(evaluation.steps.is_empty(), "steps are written to the trace");
}

/// The message with its arguments put in.
fn render(reject: &Reject) -> String {
    let mut pieces = reject.message.split('{');
    let mut text = pieces.next().unwrap_or_default().to_string();
    for piece in pieces {
        let (name, rest) = piece.split_once('}').unwrap_or((piece, ""));
        let argument = reject.arguments.iter().find(|argument| argument.name == name);
        let Some(argument) = argument else { panic!("`{}` has no argument `{name}`", reject.code) };
        text.push_str(&match &argument.value {
            Value::Flag(flag) => if *flag { "yes" } else { "no" }.to_string(),
            Value::Integer(integer) => integer.to_string(),
            Value::Money(money) => money.to_string(),
            Value::Text(text) => text.clone(),
            Value::Texts(texts) => texts.join(", "),
        });
        text.push_str(rest);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_know_their_weekday_and_instant() {
        for (text, weekday, at) in [
            ("1970-01-01 00:00", 4, 0),
            ("1969-12-31 23:59", 3, -60_000),
            ("2000-02-29 12:00", 2, 951_825_600_000),
            ("2026-01-01 00:00", 4, 1_767_225_600_000),
            ("2026-03-01 00:00", 7, 1_772_323_200_000),
            ("2028-12-31 23:59", 7, 1_861_919_940_000),
        ] {
            let moment = moment(text);
            assert_eq!((moment.weekday, moment.at), (weekday, at), "{text}");
        }
    }
}
