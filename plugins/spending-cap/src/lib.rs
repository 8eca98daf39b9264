//! Condition: how much of an order cards may pay. An amount, a share of the order or the lower of both; for each card,
//! for all cards of a programme together, or for all cards of the request together.

use giftcard_plugin::prelude::*;

struct SpendingCap;

/// Of a card that comes after others. A limit carries no arguments, so its message has none.
const REACHED: &str = "gift cards have already paid as much of this order as they may";
/// Of the first card as well.
const NOTHING: &str = "the cap on gift cards for this order comes to nothing";

impl Condition for SpendingCap {
    fn describe() -> Description {
        let bases = [("total", "the order's total"), ("goods", "the goods, without shipping, fees and gift cards")];
        let scopes = [
            ("card", "each card"),
            ("programme", "all cards of one programme together"),
            ("order", "all cards under this cap together"),
        ];
        describe(
            "spending-cap",
            env!("CARGO_PKG_VERSION"),
            "Spending cap",
            "Cards may pay only so much of an order, or only a share of it.",
        )
        .setting(money("amount", "Most", "In another currency it is converted and rounded down.").at_least(1))
        .setting(percent("share", "Share", "Most of the order that may be paid, rounded down.").at_least(1))
        .setting(choice("share-of", "Share of", "What the share is taken of.", &bases).default_text("total"))
        .setting(
            choice(
                "per",
                "Holds for",
                "A cap for each card can be passed with a second card. Programmes with different caps count \
                 separately: a cap covers the cards of the programmes that are bound with the same settings.",
                &scopes,
            )
            .default_text("order"),
        )
        .reject("cap-reached", REACHED)
        .shares_limits()
    }

    fn check_settings(settings: &Settings) -> Result<(), Vec<Problem>> {
        if settings.maybe_money("amount")?.is_none() && settings.maybe_integer("share")?.is_none() {
            return Err(vec![problem("amount", "set an amount, a share or both")]);
        }
        Ok(())
    }

    fn evaluate(request: &Request, settings: &Settings, trace: &mut Trace) -> Result<Evaluation, Failure> {
        let cap = cap(request, settings, trace)?;
        if cap == 0 {
            // An order of nothing needs no card, which is no refusal.
            if request.order.total <= 0 {
                return Ok(accept_all(request));
            }
            trace.order("spending cap", false, order_money(request, cap), "more than nothing");
            return Ok(reject_all(request, reject("cap-reached", NOTHING)));
        }
        let most = order_money(request, cap);
        let per = settings.text("per")?;
        let groups = match per {
            "card" => {
                for index in 0..request.cards.len() {
                    trace.card(index, "spending cap", true, "", format_args!("at most {most}"));
                }
                return Ok(verdict_for_each(request, &Verdict::AcceptUpTo(cap)));
            }
            "programme" => programmes(request),
            _ => vec![("all cards", (0_u32..).zip(&request.cards).map(|(index, _)| index).collect())],
        };
        let mut evaluation = accept_all(request);
        for (name, cards) in groups.into_iter().filter(|(_, cards): &(_, Vec<u32>)| !cards.is_empty()) {
            let seen = format_args!("{name}: {} of them", cards.len());
            trace.order("spending cap", true, seen, format_args!("at most {most}"));
            evaluation.limits.push(SharedLimit { limit: cap, cards, code: "cap-reached".to_string() });
        }
        Ok(evaluation)
    }
}

giftcard_plugin::export_condition!(SpendingCap);

/// The lower of the amount and the share, in the order's currency; at least 0.
fn cap(request: &Request, settings: &Settings, trace: &mut Trace) -> Result<i64, Failure> {
    let amount = settings.maybe_money("amount")?.map(|money| convert(request, money, Rounding::Down)).transpose()?;
    let share = match settings.maybe_integer("share")? {
        Some(basis_points) => Some(share(request, settings, basis_points, trace)?),
        None => None,
    };
    match amount.into_iter().chain(share).min() {
        Some(cap) => Ok(cap.max(0)),
        None => Err(failure("missing-setting", "setting `amount` or `share` is missing")),
    }
}

/// 33.33% of 1.00 are 0.33.
fn share(request: &Request, settings: &Settings, basis_points: i64, trace: &mut Trace) -> Result<i64, Failure> {
    let (label, whole) = match settings.text("share-of")? {
        "goods" => ("goods", request.order.goods),
        _ => ("total", Some(request.order.total)),
    };
    let Some(whole) = whole else {
        return Err(failure("order-lines-needed", "the order came without lines and without the sum of its goods"));
    };
    // A hundred percent at most, so that the result is no larger than the whole.
    let part = i128::from(whole.max(0)) * i128::from(basis_points.clamp(0, 10_000)) / 10_000;
    let part = i64::try_from(part).unwrap_or(i64::MAX);
    let seen = format_args!("{label} {}", order_money(request, whole));
    let needed = format_args!("{} of it, {}", show_percent(basis_points), order_money(request, part));
    trace.order("share of the order", true, seen, needed);
    Ok(part)
}

/// The cards of each programme, in the order in which the programmes come up.
fn programmes(request: &Request) -> Vec<(&str, Vec<u32>)> {
    let mut groups: Vec<(&str, Vec<u32>)> = Vec::new();
    for (index, card) in (0_u32..).zip(&request.cards) {
        match groups.iter_mut().find(|(programme, _)| *programme == card.programme) {
            Some((_, cards)) => cards.push(index),
            None => groups.push((&card.programme, vec![index])),
        }
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;
    use giftcard_plugin::testing;

    fn request(total: i64, goods: Option<i64>) -> Request {
        Request {
            cards: ["a", "b", "a"].map(testing::card).to_vec(),
            rates: vec![testing::rate("PLN", 1, 3)],
            ..testing::request(Order { goods, ..testing::order(total) })
        }
    }

    fn check(settings: &[(&str, Value)], request: &Request, expected: &str) {
        let settings = testing::settings::<SpendingCap>(settings);
        assert_eq!(testing::answer::<SpendingCap>(request, &settings), expected);
    }

    #[test]
    fn a_cap_holds_for_a_card_a_programme_or_the_order() {
        for (per, expected) in [
            ("card", "up to 500, up to 500, up to 500"),
            ("programme", "accept, accept, accept, limit 500 on 0 2, limit 500 on 1"),
            ("order", "accept, accept, accept, limit 500 on 0 1 2"),
        ] {
            let settings = [("per", per.into()), ("amount", testing::amount(500, "USD").into())];
            check(&settings, &request(1000, None), expected);
            let no_cards = Request { cards: Vec::new(), ..request(1000, None) };
            check(&settings, &no_cards, "");
        }
    }

    #[test]
    fn the_lower_of_amount_and_share_counts() {
        let both = |minor: i64, code: &str, basis_points: i64| {
            [("amount", testing::amount(minor, code).into()), ("share", basis_points.into())]
        };
        let one = |total| Request { cards: vec![testing::card("a")], ..request(total, None) };
        for (settings, total, expected) in [
            (both(500, "USD", 5000), 2000, "accept, limit 500 on 0"),
            (both(500, "USD", 5000), 999, "accept, limit 499 on 0"),
            (both(500, "USD", 5000), 1000, "accept, limit 500 on 0"),
            (both(1001, "PLN", 10_000), 1000, "accept, limit 333 on 0"),
            (both(1, "EUR", 1), 1000, "failure currency-mismatch"),
        ] {
            check(&settings, &one(total), expected);
        }
    }

    #[test]
    fn a_share_is_rounded_down_and_never_above_its_whole() {
        for (basis_points, total, expected) in [
            (3333_i64, 100, "accept, limit 33 on 0"),
            (1, 9999, "reject cap-reached"),
            (1, 10_000, "accept, limit 1 on 0"),
            (10_000, (1 << 53) - 1, "accept, limit 9007199254740991 on 0"),
            (i64::MAX, 100, "accept, limit 100 on 0"),
            (i64::MIN, 100, "reject cap-reached"),
            (5000, i64::MIN, "accept"),
        ] {
            let one = Request { cards: vec![testing::card("a")], ..request(total, None) };
            check(&[("share", basis_points.into())], &one, expected);
        }
    }

    #[test]
    fn a_share_of_the_goods_needs_to_know_them() {
        let share = [("share", 5000.into()), ("share-of", "goods".into()), ("per", "card".into())];
        check(&share, &request(1000, Some(601)), "up to 300, up to 300, up to 300");
        check(&share, &request(1000, None), "failure order-lines-needed");
        let amount =
            [("amount", testing::amount(5, "USD").into()), ("share-of", "goods".into()), ("per", "card".into())];
        check(&amount, &request(1000, None), "up to 5, up to 5, up to 5");
    }

    #[test]
    fn a_cap_of_nothing_refuses_every_card_with_the_reason() {
        let pln = || testing::amount(2, "PLN").into();
        for per in ["card", "programme", "order"] {
            let half = [("per", per.into()), ("share", 5000.into())];
            check(&half, &request(1, None), &["reject cap-reached"; 3].join(", "));
            check(
                &[("per", per.into()), ("amount", pln())],
                &request(1000, None),
                &["reject cap-reached"; 3].join(", "),
            );
            check(&half, &request(0, None), "accept, accept, accept");
            let goods = [("per", per.into()), ("share", 5000.into()), ("share-of", "goods".into())];
            check(&goods, &request(500, Some(0)), &["reject cap-reached"; 3].join(", "));
            let only_card = Request { cards: vec![testing::card("a")], ..request(1, None) };
            let message = testing::message::<SpendingCap>(&only_card, &testing::settings::<SpendingCap>(&half));
            assert_eq!(message, "the cap on gift cards for this order comes to nothing");
        }
    }

    #[test]
    fn the_message_of_the_limit_is_about_cards_before_and_has_no_argument() {
        let messages: Vec<String> = SpendingCap::describe().reject_codes.into_iter().map(|code| code.message).collect();
        assert_eq!(messages, ["gift cards have already paid as much of this order as they may"]);
    }

    #[test]
    fn different_caps_are_said_to_count_separately() {
        let per = SpendingCap::describe().settings.into_iter().find(|setting| setting.name == "per");
        assert!(per.is_some_and(|per| per.help.contains("Programmes with different caps count separately")));
    }

    #[test]
    fn an_amount_or_a_share_must_be_there() {
        for (settings, expected) in [
            (vec![], "amount"),
            (vec![("per", "card".into())], "amount"),
            (vec![("share", "half".into())], "share"),
            (vec![("share", 1.into())], ""),
            (vec![("amount", testing::amount(1, "USD").into())], ""),
        ] {
            let settings = testing::settings::<SpendingCap>(&settings);
            assert_eq!(testing::problems::<SpendingCap>(&settings), expected);
        }
        check(&[], &request(1000, None), "failure missing-setting");
    }
}
