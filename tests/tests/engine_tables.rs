//! The decided rules of paying, one claim a test, from a whole order to what each card pays. Needs no storage, no
//! component and no condition: the rules run natively.
#![allow(clippy::unwrap_used, clippy::type_complexity, reason = "tests, and their tables")]

use std::sync::Arc;

use giftcard_engine::QuoteRequest;
use giftcard_engine::card::{CardSnapshot, ShownState, Status};
use giftcard_engine::code::normalise;
use giftcard_engine::moment::{add_months, end_of_day};
use giftcard_engine::money::{Minor, Ratio};
use giftcard_engine::order::{Customer, Discount, Order, Part, Totals};
use giftcard_engine::programme::{Audience, Basis, MinimumOrder, Payable, Programme, Rate};
use giftcard_engine::quote::{CARD_NOT_USABLE, CardOutcome, public_code};
use giftcard_engine::redemption::{OrderOfUse, codes};
use giftcard_engine::refund::{Payment, RefundRequest, refund};
use giftcard_tests::native::NativeEvaluator;
use giftcard_tests::orders::{
    DAY_MS, NOW, bare, card, card_of, cents, check, check_input, check_with, currency, line, minor, of_goods, of_lines,
    request, restricted, taxed, told,
};

// 1. Base.

#[test]
fn cards_pay_total_less_what_is_paid_less_what_no_card_may_pay() {
    let order = || {
        let mut books = line(Part::Goods, "20.00");
        books.payable_by_card = false;
        of_lines(vec![line(Part::Goods, "50.00"), books, line(Part::Shipping, "5.00"), line(Part::Fee, "1.00")])
    };
    check(&request(order(), vec![card("a", "100.00")]), &["56.00, 44.00 left", "20.00 due"]);
    let paid = |amount: &str| Order { paid: cents(amount), ..order() };
    check(&request(paid("10.00"), vec![card("a", "100.00")]), &["46.00, 54.00 left", "20.00 due"]);
    check(&request(paid("76.00"), vec![card("a", "100.00")]), &["not-needed", "0.00 due"]);
    // Overpaid: nothing is due, and nothing comes back here.
    check(&request(paid("90.00"), vec![card("a", "100.00")]), &["not-needed", "0.00 due"]);
}

#[test]
fn cards_are_tender_and_come_after_discounts() {
    let mut order = of_goods("35.00");
    order.discounts = Some(vec![Discount { code: Some("TENOFF".into()), amount: cents("10.00") }]);
    check(&request(order, vec![card("a", "50.00")]), &["35.00, 15.00 left", "0.00 due"]);
}

#[test]
fn an_order_whose_lines_do_not_add_up_is_refused_whole() {
    let mut order = of_lines(vec![line(Part::Goods, "30.00"), line(Part::Shipping, "4.99")]);
    order.total = cents("35.00");
    check_input(
        &request(order, vec![card("a", "50.00")]),
        "order.total",
        "the lines add up to 34.99 USD, the total is 35.00 USD; they must agree to the minor unit (shipping and fees \
         are lines too, and line totals include tax)",
    );
}

#[test]
fn wrong_input_is_named_by_its_path() {
    let usable = || request(of_goods("35.00"), vec![card("a", "50.00")]);
    let changed = |change: fn(&mut QuoteRequest)| {
        let mut request = usable();
        change(&mut request);
        request
    };
    let rows: &[(&str, &str, fn(&mut QuoteRequest))] = &[
        ("order.total", "-1.00 USD is negative; it must be at least 0", |r| r.order.total = minor(-100)),
        ("order.paid", "-0.01 USD is negative; it must be at least 0", |r| r.order.paid = minor(-1)),
        ("order.lines[0].tax", "is more than the line's total 35.00 USD", |r| {
            r.order.lines.as_mut().unwrap()[0].tax = Some(minor(3501));
        }),
        ("order.totals.shipping", "is 1.00 USD, but the lines add up to 0.00 USD", |r| {
            r.order.totals.shipping = Some(minor(100));
        }),
        ("order.site", "is `shop`, but the site is `outlet`", |r| Arc::make_mut(&mut r.site).id = "outlet".into()),
        ("cards[0].balance", "is negative; it must be at least 0", |r| r.cards[0].balance = minor(-1)),
        ("cards[0].held", "is more than the balance", |r| r.cards[0].held = minor(5001)),
        ("cards[0].use_at_most", "must be more than 0", |r| r.cards[0].use_at_most = Some(Minor::ZERO)),
        ("cards[0].programme", "`spring` of site `shop` is not among the programmes", |r| {
            r.cards[0].programme = "spring".into();
        }),
    ];
    for (path, problem, change) in rows {
        check_input(&changed(*change), path, problem);
    }
}

#[test]
fn a_bare_total_is_paid_and_what_needs_lines_says_so() {
    check(&request(bare("35.00"), vec![card("a", "50.00")]), &["35.00, 15.00 left", "0.00 due"]);
    let no_shipping = Payable { shipping: false, ..Payable::default() };
    check(&restricted(bare("35.00"), |p| p.payable = no_shipping), &["order-lines-needed", "35.00 due"]);
    let mut sums = bare("35.00");
    sums.totals = Totals {
        goods: Some(cents("30.00")),
        shipping: Some(cents("5.00")),
        fees: Some(Minor::ZERO),
        ..Totals::default()
    };
    check(&restricted(sums, |p| p.payable = no_shipping), &["30.00, 20.00 left", "5.00 due"]);
}

// 2. Order of use.

#[test]
fn the_first_card_entered_pays_first() {
    let (a, b) = (card("a", "15.00"), card("b", "40.00"));
    let entered = |cards: Vec<CardSnapshot>| request(of_goods("35.00"), cards);
    check(&entered(vec![a.clone(), b.clone()]), &["15.00, 0.00 left", "20.00, 20.00 left", "0.00 due"]);
    check(&entered(vec![b, a]), &["35.00, 5.00 left", "not-needed", "0.00 due"]);
}

#[test]
fn a_site_can_choose_another_order_of_use() {
    let cards = || {
        let at = |id: &str, balance: &str, end: Option<i64>, issued: i64| CardSnapshot {
            expires_at: end.map(|days| NOW + days * DAY_MS),
            issued_at: NOW - issued * DAY_MS,
            ..card(id, balance)
        };
        vec![
            at("endless", "10.00", None, 5),
            at("late", "20.00", Some(9), 9),
            at("soon, large", "30.00", Some(2), 7),
            at("soon, small", "25.00", Some(2), 7),
            at("small, late", "10.00", Some(9), 1),
        ]
    };
    for (order_of_use, expected) in [
        (OrderOfUse::AsEntered, [0, 1, 2, 3, 4]),
        (OrderOfUse::SoonestExpiry, [3, 2, 4, 1, 0]),
        (OrderOfUse::SmallestBalance, [4, 0, 1, 3, 2]),
        (OrderOfUse::OldestFirst, [1, 2, 3, 0, 4]),
    ] {
        let mut request = request(of_goods("12.00"), cards());
        Arc::make_mut(&mut request.site).order_of_use = order_of_use;
        let quote = NativeEvaluator::default().quote(&request).unwrap();
        assert_eq!(quote.order_of_use, expected, "{order_of_use:?}");
        let first = quote.shares.iter().find(|share| share.card == expected[0]).unwrap();
        assert_eq!(first.applied, cents("12.00").min(request.cards[expected[0]].balance), "{order_of_use:?}");
    }
}

#[test]
fn a_card_ends_with_its_programme_if_that_is_sooner() {
    let mut request = restricted(of_goods("10.00"), |p| p.valid_to = Some(NOW + DAY_MS));
    request.cards.insert(0, CardSnapshot { expires_at: Some(NOW + 2 * DAY_MS), ..card("b", "50.00") });
    Arc::make_mut(&mut request.site).order_of_use = OrderOfUse::SoonestExpiry;
    check(&request, &["not-needed", "10.00, 40.00 left", "0.00 due"]);
}

#[test]
fn a_shopper_may_limit_what_a_card_pays() {
    let limited = CardSnapshot { use_at_most: Some(cents("5.00")), ..card("a", "50.00") };
    let cards = vec![limited, card("b", "10.00")];
    check(&request(of_goods("35.00"), cards), &["5.00, 45.00 left", "10.00, 0.00 left", "20.00 due"]);
}

#[test]
fn the_site_says_how_many_cards_one_order_takes() {
    let expired = CardSnapshot { expires_at: Some(NOW), ..card("x", "9.00") };
    let cards = || vec![card("a", "1.00"), expired.clone(), card("b", "1.00"), card("c", "1.00")];
    let mut request = request(of_goods("35.00"), cards());
    Arc::make_mut(&mut request.site).cards_max = 2;
    // A card that is refused for another reason does not count.
    let expected = ["1.00, 0.00 left", "card-expired", "1.00, 0.00 left", "too-many-cards", "33.00 due"];
    let quote = check_with(&mut NativeEvaluator::default(), &request, &expected);
    let CardOutcome::Refused(refusal) = &quote.shares[3].outcome else { panic!("{quote:?}") };
    assert_eq!(refusal.reject.text(), "the order has as many gift cards as it may; the most is 2");
    assert_eq!(giftcard_engine::programme::CARDS_MAX_DEFAULT, 20);
}

#[test]
fn what_is_held_for_another_order_cannot_be_used() {
    let held = CardSnapshot { held: cents("45.00"), ..card("a", "50.00") };
    check(&request(of_goods("35.00"), vec![held]), &["5.00, 0.00 left", "30.00 due"]);
    let all = CardSnapshot { held: cents("50.00"), ..card("a", "50.00") };
    check(&request(of_goods("35.00"), vec![all]), &["card-empty", "35.00 due"]);
}

// 3. Several codes of one programme; the same code twice.

#[test]
fn several_cards_of_one_programme_pay_together() {
    let mut request = restricted(of_goods("80.00"), |_| {});
    request.cards.push(card_of("b", "40.00", "spring"));
    check(&request, &["50.00, 0.00 left", "30.00, 10.00 left", "0.00 due"]);
}

#[test]
fn the_same_code_twice_is_one_card() {
    let again =
        CardSnapshot { code: Some(" code a".into()), use_at_most: Some(cents("1.00")), ..card("again", "20.00") };
    let cards = vec![card("a", "20.00"), card("b", "5.00"), again];
    let expected = ["20.00, 0.00 left", "5.00, 0.00 left", "10.00 due"];
    let quote = check_with(&mut NativeEvaluator::default(), &request(of_goods("35.00"), cards), &expected);
    assert_eq!(quote.repeated, [(2, 0)]);
    // Without codes it is the id that tells.
    let nameless = |id: &str| CardSnapshot { code: None, ..card(id, "20.00") };
    let quote = NativeEvaluator::default()
        .quote(&request(of_goods("35.00"), vec![nameless("a"), nameless("a"), nameless("b")]))
        .unwrap();
    assert_eq!((quote.repeated, quote.due), (vec![(1, 0)], Minor::ZERO));
}

#[test]
fn one_code_with_two_stories_is_wrong_input() {
    let cards = vec![card("a", "20.00"), CardSnapshot { balance: cents("30.00"), ..card("a", "20.00") }];
    check_input(
        &request(of_goods("35.00"), cards),
        "cards[1]",
        "is the same card as cards[0], but says otherwise about it",
    );
}

// 4. Minimum order amount.

fn minimum(amount: &str, goods_only: bool, without_tax: bool) -> Option<MinimumOrder> {
    Some(MinimumOrder { amount: cents(amount), basis: Basis { goods_only, without_tax } })
}

#[test]
fn the_minimum_is_met_at_its_amount_and_not_one_cent_below() {
    // 100.00 goods with 16.00 tax, 10.00 shipping with 1.60 tax, 5.00 for a gift card: 115.00, tax 17.60.
    let order = || {
        let lines = vec![
            taxed(Part::Goods, "100.00", "16.00"),
            taxed(Part::Shipping, "10.00", "1.60"),
            taxed(Part::GiftCard, "5.00", "0.00"),
        ];
        of_lines(lines)
    };
    for (goods_only, without_tax, met, missed, basis) in [
        (false, false, "115.00", "115.01", "the order's total"),
        (true, false, "100.00", "100.01", "the order's goods"),
        (false, true, "97.40", "97.41", "the order's total, without tax,"),
        (true, true, "84.00", "84.01", "the order's goods, without tax,"),
    ] {
        let at = |amount: &str| restricted(order(), |p| p.minimum = minimum(amount, goods_only, without_tax));
        check(&at(met), &["50.00, 0.00 left", "65.00 due"]);
        let quote = check_with(&mut NativeEvaluator::default(), &at(missed), &["minimum-not-met", "115.00 due"]);
        let CardOutcome::Refused(refusal) = &quote.shares[0].outcome else { panic!("{quote:?}") };
        assert_eq!(refusal.reject.text(), format!("{basis} must come to at least {missed} USD"));
    }
}

#[test]
fn the_minimum_is_compared_before_any_card_and_before_what_is_paid() {
    let mut request = restricted(of_goods("60.00"), |p| p.minimum = minimum("60.00", false, false));
    request.cards.insert(0, card("first", "40.00"));
    check(&request, &["40.00, 0.00 left", "20.00, 30.00 left", "0.00 due"]);
    request.order.paid = cents("15.00");
    check(&request, &["40.00, 0.00 left", "5.00, 45.00 left", "0.00 due"]);
}

#[test]
fn a_minimum_that_needs_lines_or_their_tax_says_so() {
    let untaxed = || of_goods("60.00");
    check(
        &restricted(bare("60.00"), |p| p.minimum = minimum("1.00", true, false)),
        &["order-lines-needed", "60.00 due"],
    );
    check(&restricted(untaxed(), |p| p.minimum = minimum("1.00", true, true)), &["order-tax-needed", "60.00 due"]);
    check(&restricted(untaxed(), |p| p.minimum = minimum("1.00", false, true)), &["order-tax-needed", "60.00 due"]);
    let mut taxed = bare("60.00");
    taxed.totals.tax = Some(cents("10.00"));
    check(&restricted(taxed, |p| p.minimum = minimum("50.00", false, true)), &["50.00, 0.00 left", "10.00 due"]);
}

#[test]
fn a_minimum_is_in_the_sites_main_currency() {
    // 100.00 EUR at 1.25 USD each: an order of 125.00 USD meets it, one of 124.99 does not.
    let order = |total: &str, rates: Vec<Rate>| {
        let mut request = restricted(of_goods(total), |p| p.minimum = minimum("100.00", false, false));
        Arc::make_mut(&mut request.site).currency = currency("EUR");
        Arc::make_mut(&mut request.site).rates = rates;
        request
    };
    let rate = Rate { from: currency("EUR"), to: currency("USD"), coefficient: 125, scale: 2 };
    check(&order("125.00", vec![rate]), &["50.00, 0.00 left", "75.00 due"]);
    check(&order("124.99", vec![rate]), &["minimum-not-met", "124.99 due"]);
    check(&order("125.00", Vec::new()), &["minimum-not-comparable", "125.00 due"]);
    // Where the converted minimum is no whole cent, the cent below it is too little: 100.00 / 0.7 is 142.857...
    let inverse = Rate { from: currency("USD"), to: currency("EUR"), coefficient: 7, scale: 1 };
    check(&order("142.86", vec![inverse]), &["50.00, 0.00 left", "92.86 due"]);
    check(&order("142.85", vec![inverse]), &["minimum-not-met", "142.85 due"]);
}

// 5. Validity.

#[test]
fn validity_is_half_open() {
    let programme =
        |from: Option<i64>, to: Option<i64>| restricted(of_goods("35.00"), |p| (p.valid_from, p.valid_to) = (from, to));
    let fine = ["35.00, 15.00 left", "0.00 due"];
    check(&programme(Some(NOW), Some(NOW + 1)), &fine);
    check(&programme(Some(NOW + 1), None), &["not-yet-valid", "35.00 due"]);
    check(&programme(None, Some(NOW)), &["programme-ended", "35.00 due"]);
    let card =
        |end: i64| request(of_goods("35.00"), vec![CardSnapshot { expires_at: Some(end), ..card("a", "50.00") }]);
    check(&card(NOW + 1), &fine);
    check(&card(NOW), &["card-expired", "35.00 due"]);
}

#[test]
fn a_date_as_the_end_means_the_end_of_that_day_and_a_month_is_clamped() {
    let date = |text: &str| text.parse::<chrono::NaiveDate>().unwrap();
    assert_eq!(end_of_day(date("2026-11-22")).unwrap().date(), date("2026-11-23"));
    let at = |text: &str| chrono::DateTime::parse_from_rfc3339(text).unwrap().timestamp_millis();
    assert_eq!(add_months(at("2028-01-31T10:00:00Z"), 1, 0), Some(at("2028-02-29T10:00:00Z")));
}

// 6. Audience.

#[test]
fn a_programme_says_who_may_use_its_cards() {
    let guest = || None;
    let customer = |id: &str, registered: bool, roles: &[&str]| {
        let roles = Some(roles.iter().map(ToString::to_string).collect());
        Some(Customer { id: Some(id.into()), registered, roles, ..Customer::default() })
    };
    let fine = "35.00, 15.00 left";
    let in_roles = || Audience::InRoles(vec!["vip".into(), "staff".into()]);
    let rows = [
        (Audience::Everyone, guest(), fine),
        (Audience::Registered, guest(), "registered-customers-only"),
        (Audience::Registered, customer("c", false, &[]), "registered-customers-only"),
        (Audience::Registered, customer("c", true, &[]), fine),
        (in_roles(), guest(), "registered-customers-only"),
        (in_roles(), customer("c", false, &["vip"]), "registered-customers-only"),
        (in_roles(), customer("c", true, &["press"]), "customer-not-in-role"),
        (in_roles(), customer("c", true, &[]), "customer-not-in-role"),
        (in_roles(), customer("c", true, &["press", "staff"]), fine),
        (Audience::InRoles(Vec::new()), customer("c", true, &["vip"]), "customer-not-in-role"),
        (Audience::Customer("c".into()), guest(), "other-customers-card"),
        (Audience::Customer("c".into()), customer("d", true, &[]), "other-customers-card"),
        (Audience::Customer("c".into()), customer("c", true, &[]), fine),
        // A role is no customer, even under the same name.
        (Audience::Customer("vip".into()), customer("c", true, &["vip"]), "other-customers-card"),
    ];
    for (audience, customer, expected) in rows {
        let mut order = of_goods("35.00");
        order.customer = customer;
        let due = if expected == fine { "0.00 due" } else { "35.00 due" };
        check(&restricted(order, |p| p.audience = audience.clone()), &[expected, due]);
    }
}

// 7. Currency.

#[test]
fn a_converted_card_is_worth_less_and_takes_more_by_rounding() {
    // A card of 100.00 at 3 of its units per USD, against 50.00 USD.
    let mut request =
        request(of_goods("50.00"), vec![CardSnapshot { currency: currency("EUR"), ..card("a", "100.00") }]);
    check(&request, &["currency-mismatch", "50.00 due"]);
    Arc::make_mut(&mut request.site).rates =
        vec![Rate { from: currency("USD"), to: currency("EUR"), coefficient: 3, scale: 0 }];
    let quote = check_with(&mut NativeEvaluator::default(), &request, &["33.33, 0.01 left", "16.67 due"]);
    let share = &quote.shares[0];
    assert_eq!((share.taken, share.left), (cents("99.99"), cents("0.01")));
    assert_eq!(share.left_here, Some(Minor::ZERO), "what is left cannot be spent here");
    assert_eq!(share.rate, Some(Ratio::new(1, 3).unwrap()));
}

#[test]
fn decimals_of_both_currencies_count_in_a_conversion() {
    // 1 KWD is 3.25 USD: 10.000 KWD are 32.50 USD. 1 USD is 150 JPY: 5.00 USD are 750 yen.
    let at =
        |from: &str, to: &str, coefficient, scale| Rate { from: currency(from), to: currency(to), coefficient, scale };
    let foreign = |code: &str, balance: i64| CardSnapshot {
        currency: currency(code),
        balance: minor(balance),
        ..card(code, "0.00")
    };
    let mut request = request(of_goods("35.00"), vec![foreign("KWD", 10_000), foreign("JPY", 751)]);
    Arc::make_mut(&mut request.site).rates = vec![at("KWD", "USD", 325, 2), at("USD", "JPY", 150, 0)];
    let quote = NativeEvaluator::default().quote(&request).unwrap();
    let paid: Vec<(i64, i64)> = quote.shares.iter().map(|share| (share.applied.get(), share.taken.get())).collect();
    // 2.50 USD are 375 yen.
    assert_eq!((paid, quote.due), (vec![(3250, 10_000), (250, 375)], Minor::ZERO));
}

#[test]
fn a_converted_card_of_less_than_a_cent_is_worth_nothing_here() {
    let yen = |balance: i64| CardSnapshot { currency: currency("JPY"), balance: minor(balance), ..card("a", "0.00") };
    let mut request = request(of_goods("35.00"), vec![yen(1)]);
    Arc::make_mut(&mut request.site).rates =
        vec![Rate { from: currency("JPY"), to: currency("USD"), coefficient: 9, scale: 3 }];
    check(&request, &["worth-nothing-here", "35.00 due"]);
    request.cards = vec![yen(2)];
    check(&request, &["0.01, 0.00 left", "34.99 due"]);
}

// 8. Gift cards don't buy gift cards.

#[test]
fn gift_cards_do_not_buy_gift_cards_unless_allowed() {
    let only = || of_lines(vec![line(Part::GiftCard, "20.00")]);
    let mixed = || of_lines(vec![line(Part::Goods, "10.00"), line(Part::GiftCard, "20.00")]);
    check(&restricted(only(), |_| {}), &["gift-cards-cannot-buy-gift-cards", "20.00 due"]);
    check(&restricted(mixed(), |_| {}), &["10.00, 40.00 left", "20.00 due"]);
    let allowed = Payable { gift_cards: true, ..Payable::default() };
    check(&restricted(only(), |p| p.payable = allowed), &["20.00, 30.00 left", "0.00 due"]);
    check(&restricted(mixed(), |p| p.payable = allowed), &["30.00, 20.00 left", "0.00 due"]);
}

#[test]
fn cards_for_different_parts_never_pay_for_one_line_twice() {
    // 10.00 goods, 20.00 gift card. The first card may pay for both, the second for goods only.
    let mut request = restricted(of_lines(vec![line(Part::Goods, "10.00"), line(Part::GiftCard, "20.00")]), |p| {
        p.payable = Payable { gift_cards: true, ..Payable::default() }
    });
    request.cards[0].balance = cents("25.00");
    request.cards.push(card("goods", "50.00"));
    check(&request, &["25.00, 0.00 left", "5.00, 45.00 left", "0.00 due"]);
    request.cards.swap(0, 1);
    check(&request, &["10.00, 40.00 left", "20.00, 5.00 left", "0.00 due"]);
}

#[test]
fn an_order_of_nothing_that_a_card_may_pay_for_is_a_refusal() {
    let mut tobacco = line(Part::Goods, "20.00");
    tobacco.payable_by_card = false;
    check(&restricted(of_lines(vec![tobacco]), |_| {}), &["nothing-payable-by-card", "20.00 due"]);
    let shipping = of_lines(vec![line(Part::Shipping, "5.00")]);
    let no_shipping = Payable { shipping: false, ..Payable::default() };
    check(&restricted(shipping, |p| p.payable = no_shipping), &["nothing-payable-by-card", "5.00 due"]);
}

// 9. Remainder.

#[test]
fn what_is_left_on_a_card_pays_for_later_orders_until_it_is_zero() {
    let mut card = card("a", "50.00");
    for (total, expected) in [
        ("20.00", ["20.00, 30.00 left", "0.00 due"]),
        ("29.99", ["29.99, 0.01 left", "0.00 due"]),
        ("5.00", ["0.01, 0.00 left", "4.99 due"]),
        ("5.00", ["card-empty", "5.00 due"]),
    ] {
        let request = request(of_goods(total), vec![card.clone()]);
        let quote = check_with(&mut NativeEvaluator::default(), &request, &expected);
        card.balance = quote.shares[0].left;
    }
    assert_eq!(card.shown_state(NOW), ShownState::Exhausted);
}

// 12. Refunds.

#[test]
fn a_refund_goes_back_by_what_is_still_refundable() {
    let paid = |applied: &str, taken: &str| Payment {
        applied: cents(applied),
        taken: cents(taken),
        applied_returned: Minor::ZERO,
        taken_returned: Minor::ZERO,
    };
    let split = |amount: &str, payments: &[Payment]| {
        let request = RefundRequest { amount: cents(amount), exponent: 2, payments: payments.to_vec() };
        let shares = refund(&request).map_err(|refused| refused.code().to_string())?;
        Ok(shares.iter().map(|share| (share.applied.to_decimal(2), share.taken.to_decimal(2))).collect::<Vec<_>>())
    };
    let shown = |shares: &[(&str, &str)]| {
        Ok::<_, String>(shares.iter().map(|(a, b)| (a.to_string(), b.to_string())).collect::<Vec<_>>())
    };
    let half_back =
        Payment { applied_returned: cents("30.00"), taken_returned: cents("30.00"), ..paid("60.00", "60.00") };
    let rows: [(&str, Vec<Payment>, &[(&str, &str)]); 5] = [
        ("10.00", vec![paid("15.00", "15.00"), paid("20.00", "20.00")], &[("4.29", "4.29"), ("5.71", "5.71")]),
        // A tie goes to the earlier card.
        ("0.01", vec![paid("5.00", "5.00"), paid("5.00", "5.00")], &[("0.01", "0.01"), ("0.00", "0.00")]),
        // Weights are what is still refundable, not what was paid.
        ("30.00", vec![half_back, paid("30.00", "30.00")], &[("15.00", "15.00"), ("15.00", "15.00")]),
        // The rate of the payment, kept cumulatively.
        ("33.33", vec![paid("33.33", "99.99")], &[("33.33", "99.99")]),
        ("10.00", vec![paid("33.33", "99.99")], &[("10.00", "30.00")]),
    ];
    for (amount, payments, expected) in rows {
        assert_eq!(split(amount, &payments), shown(expected), "{amount}");
    }
    assert_eq!(split("35.01", &[paid("35.00", "35.00")]), Err("refund-above-refundable".to_string()));
    assert_eq!(split("30.01", &[half_back]), Err("refund-above-refundable".to_string()));
    assert_eq!(split("0.00", &[half_back]), Err("refund-not-positive".to_string()));
}

// 13. Zero due.

#[test]
fn nothing_due_needs_no_payment_method() {
    let quote = |cards| NativeEvaluator::default().quote(&request(of_goods("35.00"), cards)).unwrap();
    assert!(!quote(vec![card("a", "35.00")]).payment_required());
    assert!(quote(vec![card("a", "34.99")]).payment_required());
    assert!(quote(Vec::new()).payment_required());
    let free = NativeEvaluator::default().quote(&request(of_goods("0.00"), vec![card("a", "5.00")])).unwrap();
    assert!(!free.payment_required());
    assert_eq!(told(&free), ["not-needed", "0.00 due"]);
}

// 15. Codes.

#[test]
fn codes_ignore_case_spaces_and_dashes_but_not_underscores_or_look_alikes() {
    for same in ["abcd-efgh", " ABCD EFGH ", "Abcd\u{2013}efgh", "a b c d e f g h", "ABCD\tEFGH"] {
        assert_eq!(normalise(same), "ABCDEFGH", "{same}");
    }
    for other in ["ABCD_EFGH", "ABCDEFG4", "ABCDEF6H"] {
        assert_ne!(normalise(other), "ABCDEFGH", "{other}");
    }
    assert_ne!(normalise("O1"), normalise("0I"));
}

#[test]
fn the_public_cannot_probe_for_cards() {
    use codes::{
        CARD_CLOSED, CARD_DISABLED, CARD_EMPTY, CARD_EXPIRED, CARD_PENDING, CURRENCY_MISMATCH, MINIMUM_NOT_MET,
        NOT_YET_VALID, OTHER_CUSTOMER, PROGRAMME_ENDED,
    };
    for hidden in [
        CARD_CLOSED,
        CARD_DISABLED,
        CARD_PENDING,
        CARD_EXPIRED,
        PROGRAMME_ENDED,
        CARD_EMPTY,
        OTHER_CUSTOMER,
        "card-of-another-site",
    ] {
        assert_eq!(public_code(hidden), CARD_NOT_USABLE, "{hidden}");
    }
    for told in [MINIMUM_NOT_MET, CURRENCY_MISMATCH, NOT_YET_VALID, "a-conditions-own-code"] {
        assert_eq!(public_code(told), told);
    }
}

#[test]
fn the_stored_state_of_a_card_comes_before_everything_else() {
    // Everything is wrong with this card; what is told is in order of precedence.
    let mut request = restricted(of_goods("35.00"), |p| {
        p.enabled = false;
        (p.valid_from, p.valid_to) = (Some(NOW + 1), Some(NOW));
        p.audience = Audience::Registered;
        p.minimum = minimum("100.00", false, false);
        p.payable = Payable { shipping: false, fees: false, gift_cards: false };
    });
    request.order.lines.as_mut().unwrap()[0].part = Part::Shipping;
    Arc::make_mut(&mut request.site).cards_max = 0;
    let worst = &mut request.cards[0];
    (worst.status, worst.expires_at, worst.held, worst.currency) =
        (Status::Closed, Some(NOW), worst.balance, currency("EUR"));
    let repairs: &[(&str, fn(&mut QuoteRequest))] = &[
        (codes::CARD_CLOSED, |r| r.cards[0].status = Status::Disabled),
        (codes::CARD_DISABLED, |r| r.cards[0].status = Status::Pending),
        (codes::CARD_PENDING, |r| r.cards[0].status = Status::Active),
        (codes::PROGRAMME_DISABLED, |r| Arc::make_mut(&mut r.programmes[0]).enabled = true),
        (codes::CARD_EXPIRED, |r| r.cards[0].expires_at = None),
        (codes::PROGRAMME_ENDED, |r| Arc::make_mut(&mut r.programmes[0]).valid_to = None),
        (codes::NOT_YET_VALID, |r| Arc::make_mut(&mut r.programmes[0]).valid_from = None),
        (codes::CARD_EMPTY, |r| r.cards[0].held = Minor::ZERO),
        (codes::REGISTERED_ONLY, |r| Arc::make_mut(&mut r.programmes[0]).audience = Audience::Everyone),
        (codes::CURRENCY_MISMATCH, |r| r.cards[0].currency = currency("USD")),
        (codes::MINIMUM_NOT_MET, |r| Arc::make_mut(&mut r.programmes[0]).minimum = None),
        (codes::NOTHING_PAYABLE, |r| Arc::make_mut(&mut r.programmes[0]).payable.shipping = true),
        (codes::TOO_MANY_CARDS, |r| Arc::make_mut(&mut r.site).cards_max = 1),
    ];
    for (code, repair) in repairs {
        check(&request, &[code, "35.00 due"]);
        repair(&mut request);
    }
    check(&request, &["35.00, 15.00 left", "0.00 due"]);
}

// Sites.

#[test]
fn another_sites_card_works_only_where_its_programme_is_accepted() {
    let mut request = restricted(of_goods("35.00"), |p| p.site = "outlet".into());
    request.cards[0].site = "outlet".into();
    check(&request, &["card-of-another-site", "35.00 due"]);
    Arc::make_mut(&mut request.programmes[0]).accepted_by = vec!["shop".into()];
    check(&request, &["35.00, 15.00 left", "0.00 due"]);
    // A programme of this site under the same name is another programme.
    request.programmes = vec![Programme::unrestricted("shop", "spring").into()];
    check_input(&request, "cards[0].programme", "`spring` of site `outlet` is not among the programmes");
}
