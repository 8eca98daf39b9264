//! Condition: who the customer is and what they have bought before. Roles, segments, the number and the value of
//! earlier orders; everything that is set must hold.

use giftcard_plugin::prelude::*;

struct CustomerSegment;

const UNKNOWN: &str = "sign in first: the card is for certain customers only";
const WRONG_ROLE: &str = "the card is for certain customers only";
const WRONG_SEGMENT: &str = "the card is for certain groups of customers only";
const NOT_FIRST: &str = "the card is for the first order only";
const TOO_FEW: &str = "earlier orders needed to use the card: {needed}";
const TOO_LITTLE: &str = "the card can be used once earlier orders come to {needed}";

impl Condition for CustomerSegment {
    fn describe() -> Description {
        describe(
            "customer-segment",
            env!("CARGO_PKG_VERSION"),
            "Customer segment",
            "The card is for certain customers, or depends on what they have bought before.",
        )
        .setting(texts("roles", "Roles", "One of them is enough; case does not count.").items_max(200))
        .setting(texts("segments", "Segments", "One of them is enough; case does not count.").items_max(200))
        .setting(flag("first-order-only", "First order only", "The customer must not have ordered before."))
        .setting(integer("orders-at-least", "Earlier orders", "At least so many, this one left out.").at_least(1))
        .setting(money("spent-at-least", "Spent before", "Least value of all earlier orders together.").at_least(1))
        .reject("customer-unknown", UNKNOWN)
        .reject("wrong-role", WRONG_ROLE)
        .reject("wrong-segment", WRONG_SEGMENT)
        .reject("not-first-order", NOT_FIRST)
        .reject("too-few-orders", TOO_FEW)
        .reject("spent-too-little", TOO_LITTLE)
        .needs(&["customer", "customer.roles", "customer.segments", "customer.history"])
    }

    fn check_settings(settings: &Settings) -> Result<(), Vec<Problem>> {
        let wanted = Wanted::of(settings)?;
        let mut problems = Vec::new();
        if wanted.is_empty() {
            problems.push(problem("roles", "set at least one of roles, segments, first order, orders and value"));
        }
        for (name, texts) in [("roles", wanted.roles), ("segments", wanted.segments)] {
            if texts.iter().any(|text| text.trim().is_empty()) {
                problems.push(problem(name, "has an empty entry; take it out"));
            }
        }
        if wanted.first_order && wanted.orders.is_some_and(|orders| orders > 0) {
            problems.push(problem("orders-at-least", "cannot go with `first-order-only`; take one of them out"));
        }
        if wanted.first_order && wanted.spent.is_some_and(|spent| spent.amount > 0) {
            problems.push(problem("spent-at-least", "cannot go with `first-order-only`; take one of them out"));
        }
        report(problems)
    }

    fn evaluate(request: &Request, settings: &Settings, trace: &mut Trace) -> Result<Evaluation, Failure> {
        let wanted = Wanted::of(settings)?;
        let refused = match &request.order.customer {
            Some(customer) => refusal(request, customer, &wanted, trace)?,
            None => {
                trace.order("customer", false, "a guest", "a known customer");
                Some(reject("customer-unknown", UNKNOWN))
            }
        };
        Ok(match refused {
            Some(reject) => reject_all(request, reject),
            None => accept_all(request),
        })
    }
}

giftcard_plugin::export_condition!(CustomerSegment);

struct Wanted<'a> {
    roles: &'a [String],
    segments: &'a [String],
    first_order: bool,
    orders: Option<i64>,
    spent: Option<&'a Money>,
}

impl<'a> Wanted<'a> {
    fn of(settings: &'a Settings) -> Result<Self, BadSetting> {
        Ok(Self {
            roles: settings.texts("roles")?,
            segments: settings.texts("segments")?,
            first_order: settings.flag("first-order-only")?,
            orders: settings.maybe_integer("orders-at-least")?,
            spent: settings.maybe_money("spent-at-least")?,
        })
    }

    fn is_empty(&self) -> bool {
        let groups = self.roles.len() + self.segments.len();
        groups == 0 && !self.first_order && self.orders.is_none() && self.spent.is_none()
    }
}

/// Why this customer's cards may not pay: the first thing that does not hold.
fn refusal(
    request: &Request,
    customer: &Customer,
    wanted: &Wanted<'_>,
    trace: &mut Trace,
) -> Result<Option<Reject>, Failure> {
    let groups = [
        ("roles", wanted.roles, &customer.roles, ("wrong-role", WRONG_ROLE)),
        ("segments", wanted.segments, &customer.segments, ("wrong-segment", WRONG_SEGMENT)),
    ];
    for (name, wanted, facts, (code, message)) in groups {
        if wanted.is_empty() {
            continue;
        }
        let Some(facts) = facts else { return unknown(customer, name, trace).map(Some) };
        let passed = facts.iter().any(|fact| wanted.iter().any(|wanted| same_text(wanted.trim(), fact)));
        if trace.wanted() {
            let seen = if facts.is_empty() { "none".to_string() } else { facts.join(", ") };
            trace.order(name, passed, seen, format_args!("one of {}", wanted.join(", ")));
        }
        if !passed {
            return Ok(Some(reject(code, message)));
        }
    }
    if wanted.first_order || wanted.orders.is_some() {
        let Some(orders) = customer.orders.map(i64::from) else { return unknown(customer, "history", trace).map(Some) };
        if wanted.first_order {
            trace.order("earlier orders", orders == 0, orders, "none");
            if orders != 0 {
                return Ok(Some(reject("not-first-order", NOT_FIRST)));
            }
        }
        if let Some(needed) = wanted.orders {
            trace.order("earlier orders", orders >= needed, orders, format_args!("at least {needed}"));
            if orders < needed {
                return Ok(Some(reject("too-few-orders", TOO_FEW).integer("needed", needed)));
            }
        }
    }
    if let Some(money) = wanted.spent {
        let Some(spent) = customer.spent else { return unknown(customer, "history", trace).map(Some) };
        let needed = convert(request, money, Rounding::Up)?;
        let (seen, shown) = (order_money(request, spent), order_money(request, needed));
        trace.order("value of earlier orders", spent >= needed, seen, format_args!("at least {shown}"));
        if spent < needed {
            return Ok(Some(reject("spent-too-little", TOO_LITTLE).money("needed", shown)));
        }
    }
    Ok(None)
}

/// A guest can sign in; of somebody who has, the platform should have told.
fn unknown(customer: &Customer, part: &str, trace: &mut Trace) -> Result<Reject, Failure> {
    let who = if customer.registered { "a customer" } else { "a guest" };
    trace.order("customer", false, format_args!("{who} of unknown {part}"), format_args!("known {part}"));
    if customer.registered {
        return Err(failure(
            &format!("customer-{part}-needed"),
            format!("the order came without the customer's {part}"),
        ));
    }
    Ok(reject("customer-unknown", UNKNOWN))
}

#[cfg(test)]
mod tests {
    use super::*;
    use giftcard_plugin::testing;

    fn request(customer: Option<Customer>) -> Request {
        let order = Order { customer, ..testing::order(1000) };
        Request { rates: vec![testing::rate("PLN", 1, 3)], ..testing::request(order) }
    }

    fn known() -> Customer {
        let groups = |names: &[&str]| Some(names.iter().map(ToString::to_string).collect());
        Customer {
            roles: groups(&["Wholesale"]),
            segments: groups(&["VIP", "newsletter"]),
            orders: Some(3),
            spent: Some(5000),
            ..testing::customer()
        }
    }

    fn check(settings: &[(&str, Value)], customer: Option<Customer>, expected: &str) {
        let settings = testing::settings::<CustomerSegment>(settings);
        assert_eq!(testing::answer::<CustomerSegment>(&request(customer), &settings), expected);
    }

    #[test]
    fn everything_that_is_set_must_hold() {
        for (settings, expected) in [
            (vec![("roles", ["staff", "wholesale"].into())], "accept"),
            (vec![("roles", ["staff"].into())], "reject wrong-role"),
            (vec![("segments", ["vip"].into())], "accept"),
            (vec![("segments", ["lapsed"].into())], "reject wrong-segment"),
            (vec![("roles", ["wholesale"].into()), ("segments", ["lapsed"].into())], "reject wrong-segment"),
            (vec![("first-order-only", true.into())], "reject not-first-order"),
            (vec![("first-order-only", false.into())], "accept"),
            (vec![("orders-at-least", 3.into())], "accept"),
            (vec![("orders-at-least", 4.into())], "reject too-few-orders"),
            (vec![("orders-at-least", i64::MAX.into())], "reject too-few-orders"),
            (vec![("spent-at-least", testing::amount(5000, "USD").into())], "accept"),
            (vec![("spent-at-least", testing::amount(5001, "USD").into())], "reject spent-too-little"),
        ] {
            check(&settings, Some(known()), expected);
        }
        check(&[("first-order-only", true.into())], Some(Customer { orders: Some(0), ..known() }), "accept");
        check(&[("roles", ["staff"].into())], Some(Customer { roles: Some(vec![]), ..known() }), "reject wrong-role");
    }

    #[test]
    fn a_value_in_another_currency_is_converted_and_rounded_up() {
        for (minor, code, expected) in [
            (15_000, "PLN", "accept"),
            (15_001, "PLN", "reject spent-too-little"),
            (1, "EUR", "failure currency-mismatch"),
        ] {
            check(&[("spent-at-least", testing::amount(minor, code).into())], Some(known()), expected);
        }
    }

    #[test]
    fn a_guest_can_sign_in_and_a_platform_should_tell() {
        let guest = Customer { registered: false, ..testing::customer() };
        for (setting, failure) in [
            (("roles", ["a"].into()), "failure customer-roles-needed"),
            (("segments", ["a"].into()), "failure customer-segments-needed"),
            (("first-order-only", true.into()), "failure customer-history-needed"),
            (("orders-at-least", 1.into()), "failure customer-history-needed"),
            (("spent-at-least", testing::amount(1, "USD").into()), "failure customer-history-needed"),
        ] {
            let setting = [setting];
            check(&setting, None, "reject customer-unknown");
            check(&setting, Some(guest.clone()), "reject customer-unknown");
            check(&setting, Some(testing::customer()), failure);
        }
        // What is known of a guest counts.
        check(&[("orders-at-least", 3.into())], Some(Customer { registered: false, ..known() }), "accept");
    }

    #[test]
    fn shoppers_are_told_what_is_missing_but_no_group() {
        for (setting, expected) in [
            (("roles", ["staff"].into()), "the card is for certain customers only"),
            (("orders-at-least", 4.into()), "earlier orders needed to use the card: 4"),
            (
                ("spent-at-least", testing::amount(30_000, "PLN").into()),
                "the card can be used once earlier orders come to 100.00 USD",
            ),
        ] {
            let settings = testing::settings::<CustomerSegment>(&[setting]);
            assert_eq!(testing::message::<CustomerSegment>(&request(Some(known())), &settings), expected);
        }
        let newcomer = request(Some(Customer { orders: Some(0), ..known() }));
        let one = testing::settings::<CustomerSegment>(&[("orders-at-least", 1.into())]);
        assert_eq!(testing::message::<CustomerSegment>(&newcomer, &one), "earlier orders needed to use the card: 1");
    }

    #[test]
    fn settings_that_cannot_work_are_refused() {
        for (settings, expected) in [
            (vec![], "roles"),
            (vec![("first-order-only", false.into())], "roles"),
            (vec![("roles", ["a", " "].into())], "roles"),
            (vec![("segments", [""].into())], "segments"),
            (vec![("first-order-only", true.into()), ("orders-at-least", 1.into())], "orders-at-least"),
            (
                vec![("first-order-only", true.into()), ("spent-at-least", testing::amount(1, "USD").into())],
                "spent-at-least",
            ),
            (vec![("orders-at-least", "many".into())], "orders-at-least"),
            (vec![("first-order-only", true.into()), ("roles", ["a"].into())], ""),
            (vec![("orders-at-least", 1.into())], ""),
        ] {
            let settings = testing::settings::<CustomerSegment>(&settings);
            assert_eq!(testing::problems::<CustomerSegment>(&settings), expected);
        }
    }
}
