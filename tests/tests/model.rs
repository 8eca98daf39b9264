//! Random sequences of all operations, repeated keys and clocks that go back among them, on every store and in a pure
//! model: the same answers, and the same books in the end.
//!
//! The sequences are the same every time, unless `GIFTCARD_MODEL_SEED` names another seed; `GIFTCARD_MODEL_CASES` asks for
//! more of them.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};

use giftcard_tests::concurrency::place::Place;
use giftcard_tests::model::Money;
use giftcard_tests::model::compare::{Tally, run};
use giftcard_tests::model::steps::{IssueWish, Key, PayWish, Pick, Size, Step, Wish, sequences};
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};

/// How long a failing sequence may be made shorter.
const SHRINK_MAX_MS: u32 = 60_000;

/// Steps of a sequence, at most.
const STEPS_MAX: usize = 60;

giftcard_tests::on_every_store! {
    the_ledger_does_what_the_model_does;
    a_capture_that_takes_nothing_is_refunded_like_any_other;
    a_hold_that_reserves_nothing_any_more_ends_all_the_same;
}

/// An order of 0.06 PLN is held on a card in USD, which takes 0.02 USD; the capture of 0.04 PLN, rounded up, takes all of
/// it. What random sequences came upon once.
fn rounded_up() -> Vec<Step> {
    let card =
        IssueWish { money: Money::Usd, value: 500, active: true, ends_in_ms: None, customer: None, bought_by: None };
    let held = pay(Some(20));
    [Wish::Issue(vec![card]), held, Wish::Capture(1, Some(Size::Units(4)), false)].map(now).to_vec()
}

fn pay(hold_minutes: Option<u32>) -> Wish {
    Wish::Pay(PayWish {
        order: 1,
        money: Money::Pln,
        total: Size::Units(6),
        customer: None,
        entries: vec![(Pick::Good(0, false), None)],
        is_exact: false,
        require_full: false,
        hold_minutes,
    })
}

fn now(wish: Wish) -> Step {
    Step { wait_ms: 0, key: Key::New, wish }
}

fn a_capture_that_takes_nothing_is_refunded_like_any_other(place: &Place) {
    let refund = |size| now(Wish::Refund(1, false, size));
    let rest = [now(Wish::Capture(1, None, false)), refund(Size::Units(3)), refund(Size::All)];
    let mut tally = Tally::new();
    run(place, &[rounded_up(), rest.to_vec()].concat(), &mut tally);
    assert_eq!((tally["Capture: done"], tally["Refund: done"]), (2, 2));
}

fn a_hold_that_reserves_nothing_any_more_ends_all_the_same(place: &Place) {
    let later = Step { wait_ms: 20 * 60_000, ..now(pay(None)) };
    let mut tally = Tally::new();
    run(place, &[rounded_up(), vec![later]].concat(), &mut tally);
    assert_eq!((tally["Capture: done"], tally["Pay: done"]), (1, 2));
}

fn number(variable: &str) -> Option<u32> {
    std::env::var(variable).ok().map(|text| text.parse().unwrap())
}

fn the_ledger_does_what_the_model_does(place: &Place) {
    let chosen = number("GIFTCARD_MODEL_CASES");
    let cases = chosen.unwrap_or(if place.is_file() { 80 } else { 30 });
    let seed = number("GIFTCARD_MODEL_SEED").unwrap_or(1);
    let config = Config { cases, failure_persistence: None, max_shrink_time: SHRINK_MAX_MS, ..Config::default() };
    let mut bytes = [0; 32];
    bytes[..4].copy_from_slice(&seed.to_le_bytes());
    let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &bytes));
    let tally = RefCell::new(Tally::new());
    let result = runner.run(&sequences(STEPS_MAX), |steps| {
        let place = if place.is_file() { Place::sqlite() } else { Place::postgres() };
        let ran = catch_unwind(AssertUnwindSafe(|| run(&place, &steps, &mut tally.borrow_mut())));
        ran.map_err(|panic| {
            let text = panic.downcast_ref::<String>().map(String::as_str).or(panic.downcast_ref::<&str>().copied());
            TestCaseError::fail(text.unwrap_or("a panic").to_string())
        })
    });
    if let Err(TestError::Fail(why, steps)) = result {
        panic!("seed {seed}: {why}\nThe shortest steps that were found: {steps:#?}");
    }
    result.unwrap();
    if chosen.is_none() {
        assert_worth_something(&tally.borrow());
    }
}

/// Whether everything was done at least once, and most things were refused and repeated, too.
fn assert_worth_something(tally: &Tally) {
    let kinds = [
        "ActivatePurchase",
        "AdjustBy",
        "AdjustTo",
        "CancelPurchase",
        "Capture",
        "ChangeState",
        "Close",
        "Expire",
        "Issue",
        "Load",
        "Pay",
        "Refund",
        "RefundOther",
        "RefundPurchase",
        "Reveal",
        "ToCredit",
        "Transfer",
        "Void",
    ];
    for kind in kinds {
        assert!(tally.contains_key(&format!("{kind}: done")), "{kind} was never done: {tally:#?}");
    }
    let others = ["Pay: repeated", "Pay: operation-key-reused", "Pay: hold-partly-captured", "Capture: hold-not-open"];
    for other in others {
        assert!(tally.contains_key(other), "never {other}: {tally:#?}");
    }
}
