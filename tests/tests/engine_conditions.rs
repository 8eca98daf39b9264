//! What conditions may say and what their failing means, and that no rules can spend what is not there. Closures
//! stand in for components.
#![allow(clippy::unwrap_used, clippy::type_complexity, reason = "tests, and their tables")]

use std::sync::Arc;

use giftcard_engine::card::{CardSnapshot, Status};
use giftcard_engine::check::{ConditionLimit, ConditionVerdict, Evaluation};
use giftcard_engine::programme::{Binding, OnFailure, Programme};
use giftcard_engine::quote::{CardOutcome, FailureTreatment};
use giftcard_engine::redemption::{self, Decision, Outcome};
use giftcard_engine::value::{Reject, Step, Value};
use giftcard_engine::{Minor, QuoteError, QuoteRequest, quote};
use giftcard_tests::native::{NativeCondition, NativeEvaluator, NativeFailure, not_eligible, verdicts};
use giftcard_tests::orders::{
    NOW, card, card_of, cents, check_input, check_with, currency, minor, of_goods, request, restricted, told,
};

fn bound(plugin: &str, on_failure: OnFailure) -> Binding {
    Binding { plugin: plugin.into(), settings: Vec::new(), on_failure }
}

fn with_condition(plugin: &str, on_failure: OnFailure) -> QuoteRequest {
    restricted(of_goods("35.00"), |p| p.conditions = vec![bound(plugin, on_failure)])
}

fn previous(plugin: &str) -> OnFailure {
    OnFailure::Previous { plugin: plugin.into(), settings: Vec::new() }
}

#[test]
fn a_condition_accepts_accepts_in_part_or_rejects() {
    let up_to = |amount: &str| ConditionVerdict::AcceptUpTo(cents(amount));
    for (verdict, expected) in [
        (ConditionVerdict::Accept, ["35.00, 15.00 left", "0.00 due"]),
        (up_to("12.34"), ["12.34, 37.66 left", "22.66 due"]),
        (up_to("99.00"), ["35.00, 15.00 left", "0.00 due"]),
        (up_to("0.00"), ["limit-reached", "35.00 due"]),
        (not_eligible(), ["not-eligible", "35.00 due"]),
    ] {
        let mut evaluator = NativeEvaluator::new(vec![NativeCondition::always("c", verdict)]);
        check_with(&mut evaluator, &with_condition("c", OnFailure::RefuseCard), &expected);
    }
}

#[test]
fn all_conditions_must_accept_and_the_smallest_amount_counts() {
    let up_to = |amount: &str| ConditionVerdict::AcceptUpTo(cents(amount));
    let bindings = || ["c", "d"].map(|plugin| bound(plugin, OnFailure::RefuseCard)).to_vec();
    let request = restricted(of_goods("35.00"), |p| p.conditions = bindings());
    for (first, second, expected) in [
        (up_to("20.00"), up_to("7.00"), ["7.00, 43.00 left", "28.00 due"]),
        (ConditionVerdict::Accept, not_eligible(), ["not-eligible", "35.00 due"]),
    ] {
        let conditions = vec![NativeCondition::always("c", first), NativeCondition::always("d", second)];
        check_with(&mut NativeEvaluator::new(conditions), &request, &expected);
    }
}

#[test]
fn a_rejection_names_the_condition_and_its_words() {
    let reject = Reject {
        code: "not-eligible".into(),
        message: "add {missing} more".into(),
        arguments: vec![giftcard_engine::value::Named { name: "missing".into(), value: Value::Integer(2) }],
    };
    let mut evaluator = NativeEvaluator::new(vec![NativeCondition::always("c", ConditionVerdict::Reject(reject))]);
    let quote = evaluator.quote(&with_condition("c", OnFailure::RefuseCard)).unwrap();
    let CardOutcome::Refused(refusal) = &quote.shares[0].outcome else { panic!("{quote:?}") };
    assert_eq!((refusal.reject.text().as_str(), refusal.plugin.as_deref()), ("add 2 more", Some("c")));
    assert_eq!(quote.conditions[0].failure, None);
}

#[test]
fn a_failing_condition_is_treated_as_its_binding_says() {
    use FailureTreatment::{Ignored, Previous, Refused};
    let evaluator = || {
        NativeEvaluator::new(vec![
            NativeCondition::failing("broken", "out-of-fuel"),
            NativeCondition::always("before", ConditionVerdict::AcceptUpTo(cents("10.00"))),
            NativeCondition::failing("broken-before", "trap"),
        ])
    };
    let rows: [(OnFailure, [&str; 2], &[Option<(&str, FailureTreatment)>]); 4] = [
        (OnFailure::RefuseCard, ["condition-failed", "35.00 due"], &[Some(("out-of-fuel", Refused))]),
        (OnFailure::Ignore, ["35.00, 15.00 left", "0.00 due"], &[Some(("out-of-fuel", Ignored))]),
        (previous("before"), ["10.00, 40.00 left", "25.00 due"], &[Some(("out-of-fuel", Previous)), None]),
        (
            previous("broken-before"),
            ["condition-failed", "35.00 due"],
            &[Some(("out-of-fuel", Previous)), Some(("trap", Refused))],
        ),
    ];
    for (on_failure, expected, failures) in rows {
        let quote = check_with(&mut evaluator(), &with_condition("broken", on_failure), &expected);
        let found: Vec<Option<(&str, FailureTreatment)>> = quote
            .conditions
            .iter()
            .map(|run| run.failure.as_ref().map(|(failure, treatment)| (failure.code.as_str(), *treatment)))
            .collect();
        assert_eq!(found, failures);
    }
}

#[test]
fn another_card_still_pays_when_a_condition_fails() {
    let mut request = with_condition("broken", OnFailure::RefuseCard);
    request.cards.push(card("b", "20.00"));
    let mut evaluator = NativeEvaluator::new(vec![NativeCondition::failing("broken", "trap")]);
    check_with(&mut evaluator, &request, &["condition-failed", "20.00, 0.00 left", "15.00 due"]);
}

#[test]
fn a_shared_limit_holds_across_cards_and_programmes() {
    let mut request = with_condition("half", OnFailure::RefuseCard);
    let mut autumn = request.programmes[0].clone();
    Arc::make_mut(&mut autumn).code_name = "autumn".into();
    request.programmes.push(autumn);
    request.cards[0].balance = cents("10.00");
    request.cards.push(card_of("b", "50.00", "autumn"));
    request.cards.push(card_of("c", "50.00", "spring"));
    let limit =
        |amount: &str| NativeEvaluator::new(vec![NativeCondition::sharing("half", cents(amount), "cap-reached")]);
    let mut evaluator = limit("17.50");
    let expected = ["10.00, 0.00 left", "7.50, 42.50 left", "cap-reached", "17.50 due"];
    check_with(&mut evaluator, &request, &expected);
    assert_eq!(evaluator.asked.len(), 1, "programmes with the same condition and settings share one call");
    assert_eq!(evaluator.asked[0].cards, [0, 1, 2]);
    // With other settings it is another condition, with a limit of its own.
    Arc::make_mut(&mut request.programmes[1]).conditions[0].settings =
        vec![giftcard_engine::value::Named { name: "strict".into(), value: Value::Flag(true) }];
    let expected = ["10.00, 0.00 left", "17.50, 32.50 left", "7.50, 42.50 left", "0.00 due"];
    check_with(&mut limit("17.50"), &request, &expected);
    // A card is not refused for a limit that took nothing from it.
    request.order = of_goods("10.00");
    check_with(&mut limit("10.00"), &request, &["10.00, 0.00 left", "not-needed", "not-needed", "0.00 due"]);
}

#[test]
fn a_condition_that_breaks_its_word_has_failed() {
    let wrong = |answer: Evaluation| NativeCondition::new("c", move |_| Ok(answer.clone()));
    let accept = || vec![ConditionVerdict::Accept];
    let limit = |limit: i64, cards: &[u32], code: &str| Evaluation {
        limits: vec![ConditionLimit { limit: minor(limit), cards: cards.to_vec(), code: code.into() }],
        ..verdicts(accept())
    };
    let sharing = |answer: Evaluation| {
        let mut sharing = NativeCondition::sharing("c", Minor::ZERO, "cap-reached");
        sharing.answer_with(move |_| Ok(answer.clone()));
        sharing
    };
    let reject = |code: &str| verdicts(vec![ConditionVerdict::Reject(Reject::new(code, ""))]);
    for (rule, condition) in [
        ("wrong-outcome-count", wrong(verdicts(Vec::new()))),
        ("wrong-outcome-count", wrong(verdicts(vec![ConditionVerdict::Accept; 2]))),
        ("negative-amount", wrong(verdicts(vec![ConditionVerdict::AcceptUpTo(minor(-1))]))),
        ("bad-code", wrong(reject("Not Kebab"))),
        ("undeclared-code", wrong(reject("made-up"))),
        ("undeclared-limit", NativeCondition::sharing("c", cents("5.00"), "cap-reached").undeclared()),
        ("negative-amount", sharing(limit(-1, &[0], "cap-reached"))),
        ("bad-index", sharing(limit(1, &[1], "cap-reached"))),
        ("bad-index", sharing(limit(1, &[0, 0], "cap-reached"))),
        ("bad-index", sharing(limit(1, &[], "cap-reached"))),
        ("undeclared-code", sharing(limit(1, &[0], "made-up"))),
    ] {
        let mut evaluator = NativeEvaluator::new(vec![condition]);
        let request = with_condition("c", OnFailure::RefuseCard);
        let quote = check_with(&mut evaluator, &request, &["condition-failed", "35.00 due"]);
        let (failure, treatment) = quote.conditions[0].failure.as_ref().unwrap();
        assert_eq!((failure.code.as_str(), *treatment), (rule, FailureTreatment::Refused));
    }
}

#[test]
fn an_explanation_must_not_change_the_verdict() {
    let fickle = |call: &giftcard_engine::quote::ConditionCall<'_>| {
        Ok(verdicts(vec![if call.explain { not_eligible() } else { ConditionVerdict::Accept }]))
    };
    let request = with_condition("c", OnFailure::RefuseCard);
    let mut evaluator = NativeEvaluator::new(vec![NativeCondition::new("c", fickle)]);
    check_with(&mut evaluator, &request, &["35.00, 15.00 left", "0.00 due"]);
    let explained = quote(&request, &mut evaluator, true).unwrap();
    assert_eq!(told(&explained), ["condition-failed", "35.00 due"]);
    assert_eq!(explained.conditions[0].failure.as_ref().unwrap().0.code, "explain-differs");
}

#[test]
fn an_explanation_names_the_callers_cards() {
    let step = |card: usize| Step {
        card: Some(card),
        check: "cart".into(),
        passed: true,
        seen: String::new(),
        needed: String::new(),
    };
    let explaining = move |call: &giftcard_engine::quote::ConditionCall<'_>| {
        let steps = if call.explain { vec![step(0)] } else { Vec::new() };
        Ok(Evaluation { steps, ..verdicts(vec![ConditionVerdict::Accept]) })
    };
    let mut request = with_condition("c", OnFailure::RefuseCard);
    // The condition is asked about the third entry only, which it knows as card 0.
    request.cards.insert(0, card("b", "1.00"));
    request.cards.insert(1, card("b", "1.00"));
    let mut evaluator = NativeEvaluator::new(vec![NativeCondition::new("c", explaining)]);
    let explained = quote(&request, &mut evaluator, true).unwrap();
    let of_plugin: Vec<Option<usize>> =
        explained.steps.iter().filter(|step| step.plugin.is_some()).map(|step| step.step.card).collect();
    assert_eq!(of_plugin, [Some(2)]);
    let of_rules = explained.steps.iter().filter(|step| step.plugin.is_none());
    let cards: std::collections::BTreeSet<Option<usize>> = of_rules.map(|step| step.step.card).collect();
    assert_eq!(cards, [Some(0), Some(2)].into());
}

#[test]
fn an_unknown_condition_is_wrong_input() {
    let missing = "is not among the loaded condition plugins";
    check_input(
        &with_condition("gone", OnFailure::RefuseCard),
        "programmes[0].conditions[0].plugin",
        &format!("`gone` {missing}"),
    );
    let mut evaluator = NativeEvaluator::new(vec![NativeCondition::always("c", ConditionVerdict::Accept)]);
    let expected = QuoteError::Input {
        path: "programmes[0].conditions[0].on_failure.previous.plugin".into(),
        problem: format!("`c-before` {missing}"),
    };
    assert_eq!(evaluator.quote(&with_condition("c", previous("c-before"))), Err(expected));
}

#[test]
fn a_condition_that_shares_limits_cannot_be_ignored() {
    let mut evaluator = NativeEvaluator::new(vec![NativeCondition::sharing("c", cents("5.00"), "cap-reached")]);
    let expected = QuoteError::Input {
        path: "programmes[0].conditions[0].on_failure".into(),
        problem: "`ignore` is not allowed for `c`: its limits would fall away with it".into(),
    };
    assert_eq!(evaluator.quote(&with_condition("c", OnFailure::Ignore)), Err(expected));
}

#[test]
fn a_condition_is_not_asked_about_cards_that_are_refused_anyway() {
    let mut request = with_condition("c", OnFailure::RefuseCard);
    let of = |id: &str| card_of(id, "5.00", "spring");
    request.cards.push(CardSnapshot { status: Status::Disabled, ..of("b") });
    request.cards.push(CardSnapshot { expires_at: Some(NOW), ..of("c") });
    request.cards.push(CardSnapshot { currency: currency("EUR"), ..of("d") });
    request.cards.push(of("e"));
    let mut evaluator = NativeEvaluator::new(vec![NativeCondition::always("c", ConditionVerdict::Accept)]);
    evaluator.quote(&request).unwrap();
    assert_eq!(evaluator.asked[0].cards, [0, 4]);
}

// The rules themselves.

#[test]
fn rules_that_fail_fail_the_request() {
    let failing = |_: &redemption::Request, _: bool| Err(NativeFailure("out of fuel".into()));
    let found =
        NativeEvaluator::default().with_rules(failing).quote(&request(of_goods("35.00"), vec![card("a", "5.00")]));
    assert_eq!(found, Err(QuoteError::Rules(NativeFailure("out of fuel".into()))));
}

#[test]
fn rules_that_spend_money_that_is_not_there_are_stopped() {
    type Change = fn(&mut Decision);
    let rows: &[(&str, Change)] = &[
        ("wrong-outcome-count", |d| d.shares.clear()),
        ("wrong-outcome-count", |d| d.shares.push(d.shares[0].clone())),
        ("negative-amount", |d| d.shares[0].applied = minor(-1)),
        ("above-balance", |d| d.shares[0].applied = minor(1501)),
        ("wrong-order-of-use", |d| d.shares[0].applied = minor(1499)),
        ("applied-too-little", |d| d.shares[1].applied = minor(1999)),
        ("sum-above-total", |d| d.shares[1].applied = minor(2001)),
        ("negative-amount", |d| d.shares[1].excluded = minor(-1)),
        ("wrong-order-of-use", |d| {
            // What rules answer that let the second card pay first.
            d.shares[0] = redemption::Share::nothing(Outcome::NotNeeded, minor(1500));
            d.shares[1].applied = minor(3500);
            d.shares[1].taken = minor(3500);
            d.shares[1].left = minor(500);
        }),
        ("sum-above-total", |d| d.shares[1].excluded = minor(1501)),
        ("wrong-conversion", |d| d.shares[0].taken = minor(1499)),
        ("wrong-remainder", |d| d.shares[1].left = minor(2001)),
        ("outcome-mismatch", |d| d.shares[1].outcome = Outcome::NotNeeded),
        ("refused-card-pays", |d| {
            d.shares[1].outcome = Outcome::Refused(redemption::Refusal::Code("of-its-own".into()));
        }),
    ];
    let request = request(of_goods("35.00"), vec![card("a", "15.00"), card("b", "40.00")]);
    for (rule, change) in rows {
        let change = *change;
        let mut evaluator = NativeEvaluator::default().with_rules(move |request, explain| {
            let mut decision = redemption::apply(request, explain).unwrap();
            change(&mut decision);
            Ok(decision)
        });
        match evaluator.quote(&request) {
            Err(QuoteError::Broken(broken)) => assert_eq!(broken.rule, *rule, "{broken}"),
            other => panic!("expected `{rule}`, found {other:?}"),
        }
    }
}

#[test]
fn rules_must_not_use_a_card_that_has_to_be_refused() {
    let rows: [(&str, fn(&mut QuoteRequest)); 8] = [
        ("expired-card-used", |r| Arc::make_mut(&mut r.programmes[0]).valid_to = Some(NOW)),
        ("wrong-state-used", |r| Arc::make_mut(&mut r.programmes[0]).valid_from = Some(NOW + 1)),
        ("wrong-state-used", |r| Arc::make_mut(&mut r.programmes[0]).enabled = false),
        ("wrong-state-used", |r| r.cards[0].status = Status::Pending),
        ("expired-card-used", |r| r.cards[0].expires_at = Some(NOW)),
        ("no-rate-used", |r| r.cards[0].currency = currency("EUR")),
        ("rejected-card-used", |r| r.cards[0].site = "outlet".into()),
        ("too-many-cards", |r| Arc::make_mut(&mut r.site).cards_max = 0),
    ];
    for (rule, change) in rows {
        let mut request = request(of_goods("35.00"), vec![card("a", "15.00")]);
        request.programmes = vec![Programme::unrestricted(&request.cards[0].site, &request.cards[0].programme).into()];
        change(&mut request);
        let greedy = |request: &redemption::Request, _: bool| {
            let amount = request.cards[0].available;
            let share = redemption::Share {
                outcome: Outcome::Used,
                excluded: Minor::ZERO,
                applied: amount,
                taken: amount,
                left: Minor::ZERO,
            };
            Ok(Decision { shares: vec![share], steps: Vec::new() })
        };
        match NativeEvaluator::default().with_rules(greedy).quote(&request) {
            Err(QuoteError::Broken(broken)) => assert_eq!(broken.rule, rule, "{broken}"),
            other => panic!("expected `{rule}`, found {other:?}"),
        }
    }
}

#[test]
fn rules_may_not_decide_otherwise_when_explained() {
    let fickle = |request: &redemption::Request, explain: bool| {
        let mut decision = redemption::apply(request, explain).unwrap();
        if explain {
            decision.shares[0].excluded = minor(1);
        }
        Ok(decision)
    };
    let request = request(of_goods("35.00"), vec![card("a", "15.00")]);
    let mut evaluator = NativeEvaluator::default().with_rules(fickle);
    match quote(&request, &mut evaluator, true) {
        Err(QuoteError::Broken(broken)) => assert_eq!(broken.rule, "explain-differs"),
        other => panic!("{other:?}"),
    }
}
