//! Random sequences of all operations, repeated keys and clocks that go back among them, on every store and in a pure
//! model: the same answers, and the same books in the end.
//!
//! The sequences are the same every time, unless `GIFTCARD_MODEL_SEED` names another seed; `GIFTCARD_MODEL_CASES` asks for
//! more of them.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};

use giftcard_tests::concurrency::place::Place;
use giftcard_tests::model::compare::{Tally, run};
use giftcard_tests::model::steps::sequences;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};

/// How long a failing sequence may be made shorter.
const SHRINK_MAX_MS: u32 = 60_000;

/// Steps of a sequence, at most.
const STEPS_MAX: usize = 60;

giftcard_tests::on_every_store! {
    the_ledger_does_what_the_model_does;
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
