//! Components that misbehave: each gets its typed error within a bounded time, and the next request is served as if
//! nothing had happened.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use giftcard_engine::programme::{Binding, OnFailure};
use giftcard_engine::quote::{CardOutcome, FailureTreatment, Quote, QuoteError};
use giftcard_engine::redemption::{self, Verdict};
use giftcard_engine::refund::{Payment, RefundRequest};
use giftcard_engine::{Minor, Ratio};
use giftcard_host::{CallFailure, Host, HostConfig, Limits, LoadError, RefundError, Rulebook, TrialCause};
use giftcard_tests::harness::{binding, component_bytes, condition, host, minor, request, rules};

/// Far more than any limit takes, far less than a person waits.
const BOUND: Duration = Duration::from_secs(10);

fn hostile_conditions() -> Rulebook {
    let host = host();
    let mut book = Rulebook::new(rules(&host, "gift-card"));
    book.add(condition(&host, "tests/hostile-condition"));
    book.add(condition(&host, "tests/minimal-condition"));
    book
}

fn applied(quote: &Quote) -> Vec<i64> {
    quote.shares.iter().map(|share| share.applied.get()).collect()
}

/// A condition in this mode must fail with this code, its cards be refused, and the next request be fine.
fn check_condition(book: &Rulebook, mode: &str, code: &str) {
    let start = Instant::now();
    let bad = request(3_500, &[1_500, 4_000], vec![binding("hostile-condition", "mode", mode)]);
    let quoted = book.quote(&bad, mode == "explain-differs").unwrap();
    assert!(start.elapsed() < BOUND, "{mode} took {:?}", start.elapsed());
    let (failure, treatment) =
        quoted.quote.conditions[0].failure.clone().unwrap_or_else(|| panic!("{mode} did not fail"));
    assert_eq!((failure.code.as_str(), treatment), (code, FailureTreatment::Refused), "{mode}: {}", failure.message);
    assert!(failure.message.contains("component `hostile-condition` 1.0.0 (sha256:"), "{mode}: {failure:?}");
    assert_eq!(applied(&quoted.quote), [0, 0], "{mode}");
    for share in &quoted.quote.shares {
        let CardOutcome::Refused(refusal) = &share.outcome else { panic!("{mode}: {share:?}") };
        assert_eq!(refusal.reject.code, "condition-failed", "{mode}");
    }
    let good = request(3_500, &[1_500, 4_000], vec![binding("hostile-condition", "mode", "accept")]);
    let quoted = book.quote(&good, false).unwrap();
    assert_eq!(quoted.quote.conditions[0].failure, None, "after {mode}");
    assert_eq!(applied(&quoted.quote), [1_500, 2_000], "after {mode}");
}

#[test]
fn a_failing_condition_is_stopped_named_and_forgotten() {
    let book = hostile_conditions();
    for (mode, code) in [
        ("endless-loop", "out-of-fuel"),
        ("memory-bomb", "out-of-memory"),
        ("deep-recursion", "stack-exhausted"),
        ("deep-recursion-in-memory", "trap"),
        ("huge-result", "answer-too-large"),
        ("many-verdicts", "answer-too-large"),
        ("log-flood", "log-flood"),
        ("huge-log-line", "answer-too-large"),
        ("trap", "trap"),
        ("panic", "trap"),
        ("fail", "component-failed"),
        ("wrong-count", "wrong-outcome-count"),
        ("negative-amount", "negative-amount"),
        ("beyond-2-53", "number-out-of-range"),
        ("undeclared-code", "undeclared-code"),
        ("bad-code", "bad-code"),
        ("undeclared-limit", "undeclared-limit"),
        ("long-message", "message-too-long"),
        ("amplified-message", "message-too-long"),
        ("many-limits", "too-many-limits"),
        ("explain-differs", "explain-differs"),
    ] {
        check_condition(&book, mode, code);
    }
}

#[test]
fn no_call_sees_what_an_earlier_one_left() {
    let book = hostile_conditions();
    let kept = request(1_000, &[1_500], vec![binding("hostile-condition", "mode", "kept-state")]);
    let first = book.quote(&kept, false).unwrap();
    for _ in 0..100 {
        let next = book.quote(&kept, false).unwrap();
        assert_eq!(next, first);
        assert_eq!(applied(&next.quote), [1_000]);
    }
}

#[test]
fn a_scripted_condition_answers_word_by_word() {
    let book = hostile_conditions();
    let ask = |script: &str| {
        let mut scripted = binding("hostile-condition", "mode", "scripted");
        scripted.settings.extend(binding("hostile-condition", "script", script).settings);
        book.quote(&request(3_500, &[1_500, 4_000], vec![scripted]), false).unwrap().quote
    };
    let failed = |quote: &Quote| quote.conditions[0].failure.clone().map(|(failure, _)| failure.code);
    assert_eq!(applied(&ask("u500 a")), [500, 3_000]);
    assert_eq!(applied(&ask("declared u1")), [0, 1]);
    for (script, code) in [
        ("a", "wrong-outcome-count"),
        ("a u-1", "negative-amount"),
        ("a u9007199254740992", "number-out-of-range"),
        ("a surprise", "undeclared-code"),
        ("a Not_A_Code", "bad-code"),
        ("a a l700:0:1", "undeclared-limit"),
    ] {
        let quote = ask(script);
        assert_eq!((failed(&quote).as_deref(), applied(&quote)), (Some(code), vec![0, 0]), "{script}");
    }
}

#[test]
fn what_a_failure_means_is_the_bindings_to_say() {
    let book = hostile_conditions();
    let failing = |on_failure| Binding { on_failure, ..binding("hostile-condition", "mode", "trap") };
    let previous = |plugin: &str| OnFailure::Previous { plugin: plugin.into(), settings: Vec::new() };
    for (on_failure, expected) in [
        (OnFailure::RefuseCard, 0),
        (OnFailure::Ignore, 1_000),
        (previous("minimal-condition@1.0.0"), 1_000),
        (previous("hostile-condition"), 1_000),
    ] {
        let quoted = book.quote(&request(1_000, &[1_500], vec![failing(on_failure.clone())]), false).unwrap();
        assert_eq!(applied(&quoted.quote), [expected], "{on_failure:?}");
        assert!(quoted.quote.conditions[0].failure.is_some(), "the failure is on record: {on_failure:?}");
    }
    let both_fail = Binding {
        on_failure: OnFailure::Previous {
            plugin: "hostile-condition@1.0.0".into(),
            settings: binding("", "mode", "trap").settings,
        },
        ..binding("hostile-condition", "mode", "trap")
    };
    let quoted = book.quote(&request(1_000, &[1_500], vec![both_fail]), false).unwrap();
    assert_eq!(applied(&quoted.quote), [0]);
    assert_eq!(quoted.quote.conditions.len(), 2);
}

#[test]
fn the_log_is_kept_up_to_its_bytes_and_never_part_of_the_result() {
    let host =
        Host::new(HostConfig { limits: Limits { log_bytes_max: 60, ..Limits::default() }, ..HostConfig::default() });
    let host = host.unwrap();
    let mut book = Rulebook::new(rules(&host, "gift-card"));
    book.add(condition(&host, "tests/hostile-condition"));
    let quoted = book.quote(&request(1_000, &[1_500], vec![binding("hostile-condition", "mode", "log-flood")]), false);
    let failure = quoted.unwrap().quote.conditions[0].failure.clone().unwrap().0;
    assert_eq!(failure.code, "log-flood");
}

fn rule_request(mode: u32) -> redemption::Request {
    let card = |available: i64| redemption::Card {
        programme: 0,
        status: redemption::Status::Active,
        available: minor(available),
        tender: redemption::Tender::SameCurrency,
        wanted: None,
        issued_at: 0,
        expires_at: None,
        verdicts: Vec::new(),
    };
    redemption::Request {
        total: minor(3_500),
        tax: None,
        paid: Minor::ZERO,
        exponent: 2,
        lines: None,
        customer: redemption::Customer::default(),
        programmes: vec![redemption::Programme {
            enabled: true,
            valid_from: None,
            valid_to: None,
            audience: redemption::Audience::Everyone,
            minimum: None,
            payable: redemption::parts::ALL,
        }],
        cards: vec![card(1_500), card(4_000)],
        limits: Vec::new(),
        now: 1_795_000_000_000,
        policy: redemption::Policy { order_of_use: redemption::OrderOfUse::AsEntered, cards_max: mode },
    }
}

/// The rules in this mode must break this guarantee; then they decide well, and so do the standard ones.
fn check_rules(book: &Rulebook, mode: u32, code: &str, change: impl Fn(&mut redemption::Request)) {
    let start = Instant::now();
    let mut bad = rule_request(mode);
    change(&mut bad);
    let error = book.apply(&bad).expect_err("the rules misbehave");
    assert!(start.elapsed() < BOUND, "{mode} took {:?}", start.elapsed());
    assert_eq!(error.failure.code(), code, "{mode}: {error}");
    let text = error.to_string();
    assert!(text.contains("component `hostile-rules` 1.0.0 (sha256:") && text.contains("`apply`"), "{text}");
    let (good, _) = book.apply(&rule_request(20)).unwrap();
    assert_eq!(good.shares.iter().map(|share| share.applied.get()).collect::<Vec<_>>(), [1_500, 2_000], "after {mode}");
}

#[test]
fn whatever_the_rules_answer_is_checked() {
    let host = host();
    let book = Rulebook::new(rules(&host, "tests/hostile-rules"));
    let as_it_is = |_: &mut redemption::Request| {};
    check_rules(&book, 101, "above-balance", as_it_is);
    check_rules(&book, 102, "negative-amount", as_it_is);
    check_rules(&book, 103, "sum-above-total", as_it_is);
    check_rules(&book, 104, "rejected-card-used", |request| request.cards[0].verdicts = vec![Verdict::Reject(7)]);
    check_rules(&book, 104, "expired-card-used", |request| request.cards[0].expires_at = Some(request.now));
    check_rules(&book, 104, "wrong-state-used", |request| request.cards[0].status = redemption::Status::Disabled);
    check_rules(&book, 104, "no-rate-used", |request| request.cards[0].tender = redemption::Tender::NoRate);
    check_rules(&book, 105, "wrong-order-of-use", as_it_is);
    check_rules(&book, 120, "wrong-order-of-use", |request| {
        request.policy.order_of_use = redemption::OrderOfUse::SmallestBalance;
        request.cards.reverse();
    });
    check_rules(&book, 120, "shared-limit-broken", |request| {
        request.limits = vec![redemption::SharedLimit { limit: minor(2_000), cards: vec![0, 1], reason: 0 }];
    });
    check_rules(&book, 120, "above-verdict", |request| {
        request.cards[0].verdicts = vec![Verdict::AcceptUpTo(minor(100))]
    });
    check_rules(&book, 120, "above-wanted", |request| request.cards[0].wanted = Some(minor(100)));
    check_rules(&book, 106, "wrong-conversion", as_it_is);
    check_rules(&book, 106, "wrong-conversion", |request| {
        request.cards[0].tender = redemption::Tender::Converted(Ratio::new(1, 3).unwrap());
    });
    check_rules(&book, 107, "number-out-of-range", as_it_is);
    check_rules(&book, 108, "wrong-outcome-count", as_it_is);
    check_rules(&book, 109, "wrong-remainder", as_it_is);
    check_rules(&book, 110, "outcome-mismatch", as_it_is);
    check_rules(&book, 111, "refused-card-pays", as_it_is);
    check_rules(&book, 112, "bad-index", as_it_is);
    check_rules(&book, 113, "bad-code", as_it_is);
    check_rules(&book, 114, "wrong-order-of-use", as_it_is);
    check_rules(&book, 114, "applied-too-little", |request| request.cards.truncate(1));
    check_rules(&book, 116, "out-of-fuel", as_it_is);
    check_rules(&book, 117, "component-failed", as_it_is);
    // More cards than the site allows: the mode is the limit, so the cards must be many.
    check_rules(&book, 121, "too-many-cards", |request| {
        request.total = minor(1_000_000);
        request.cards = vec![request.cards[0].clone(); 122];
    });
}

#[test]
fn a_quote_by_hostile_rules_fails_whole_and_says_why() {
    let host = host();
    let book = Rulebook::new(rules(&host, "tests/hostile-rules"));
    let mut bad = request(3_500, &[1_500, 4_000], Vec::new());
    for (mode, explain, code) in [
        (103, false, "sum-above-total"),
        (115, true, "explain-differs"),
        (119, true, "bad-index"),
        (117, false, "component-failed"),
    ] {
        Arc::make_mut(&mut bad.site).cards_max = mode;
        let Err(QuoteError::Rules(error)) = book.quote(&bad, explain) else { panic!("{mode} passed") };
        assert_eq!(error.failure.code(), code);
    }
    // A merchant's own rules may refuse for a reason of their own.
    Arc::make_mut(&mut bad.site).cards_max = 118;
    let quoted = book.quote(&bad, false).unwrap();
    let CardOutcome::Refused(refusal) = &quoted.quote.shares[0].outcome else { panic!("used") };
    assert_eq!(refusal.reject.code, "merchants-own-reason");
    assert_eq!(applied(&quoted.quote), [0, 3_500]);
    // But not less: a bare total does not say what a card for goods alone may not pay for.
    let mut bare = rule_request(20);
    bare.programmes[0].payable = redemption::parts::GOODS;
    assert_eq!(book.apply(&bare).unwrap_err().failure.code(), "wrong-part-paid");
    // And may exclude more of the order than the programmes do.
    Arc::make_mut(&mut bad.site).cards_max = 122;
    assert_eq!(applied(&book.quote(&bad, false).unwrap().quote), [1_500, 250]);
}

#[test]
fn a_refund_split_is_checked_too() {
    let host = host();
    let book = Rulebook::new(rules(&host, "tests/hostile-rules"));
    let payment = Payment {
        applied: minor(10_000),
        taken: minor(10_000),
        applied_returned: Minor::ZERO,
        taken_returned: Minor::ZERO,
    };
    let refund = |amount: i64| {
        book.refund(&RefundRequest { amount: minor(amount), exponent: 2, payments: vec![payment, payment] }, true)
    };
    for (amount, code) in [
        (5_001, "sum-not-amount"),
        (5_002, "wrong-conversion"),
        (5_003, "negative-amount"),
        (5_004, "wrong-outcome-count"),
        (5_005, "above-refundable"),
        (5_006, "explain-differs"),
        (15_000, "above-refundable"),
    ] {
        let Err(RefundError::Rules(error)) = refund(amount) else { panic!("{amount} passed") };
        assert_eq!(error.failure.code(), code, "{error}");
    }
    assert_eq!(refund(5_000).unwrap().shares[0].applied, minor(5_000), "a merchant's own split, within the bounds");
    assert!(matches!(refund(20_001), Err(RefundError::Refused(_))), "refused before any component is asked");
}

#[test]
fn a_component_that_cannot_be_used_is_refused_at_its_stage() {
    let host = host();
    let stage = |name: &str, bytes: &[u8]| -> (String, LoadError) {
        let start = Instant::now();
        let error = match host.load(name, bytes) {
            Ok(component) => panic!("{name} loaded as {}", component.facts().id),
            Err(error) => error,
        };
        assert!(start.elapsed() < BOUND, "{name} took {:?}", start.elapsed());
        // The next component loads as if nothing had happened.
        host.load("minimal", &component_bytes("tests/minimal-condition")).unwrap();
        (error.stage().to_string(), error)
    };
    let good = component_bytes("tests/minimal-condition");

    let (at, error) = stage("undeclared", &component_bytes("tests/undeclared-import"));
    assert_eq!(at, "contract");
    let text = error.to_string();
    assert!(
        text.contains(
            "it imports test:undeclared/clock; allowed are giftcard:rules/types@0.1.0 and giftcard:rules/log@0.1.0"
        ),
        "{text}"
    );

    let (at, error) = stage("wrong", &component_bytes("tests/wrong-world"));
    assert_eq!(at, "contract");
    let text = error.to_string();
    for difference in [
        "giftcard:rules/condition@0.1.0 evaluate has 2 parameters, 3 are right",
        "the function `check-settings` of giftcard:rules/plugin@0.1.0 is missing",
        "lacks the field `needs`",
    ] {
        assert!(text.contains(difference), "{difference}: {text}");
    }

    let (at, error) = stage("start", &component_bytes("tests/hostile-start"));
    assert_eq!(at, "trial");
    let LoadError::Trial(trial) = error else { panic!("{error}") };
    assert!(matches!(trial.cause, TrialCause::Call(CallFailure::OutOfFuel { .. })), "{trial}");

    assert_eq!(stage("empty", b"").0, "parse");
    assert_eq!(stage("text", b"not a component at all").0, "parse");
    assert_eq!(stage("module", &[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]).0, "parse");
    assert_eq!(stage("no exports", &[0, 0x61, 0x73, 0x6d, 0x0d, 0, 1, 0]).0, "contract");
    for cut in [9, 100, good.len() / 2, good.len() - 1] {
        assert_eq!(stage("truncated", &good[..cut]).0, "parse", "cut at {cut}");
    }
    let limits = Limits { component_bytes_max: good.len() - 1, ..Limits::default() };
    let strict = Host::new(HostConfig { limits, ..HostConfig::default() }).unwrap();
    let Err(error) = strict.load("large", &good) else { panic!("too large, and loaded") };
    assert_eq!(error.stage(), "read");
    assert!(error.to_string().contains(&format!(
        "it has {} bytes; at most {} are allowed",
        good.len(),
        good.len() - 1
    )));
}

#[test]
fn random_and_damaged_bytes_never_do_harm() {
    let host = host();
    let good = component_bytes("tests/minimal-condition");
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    for round in 0..200 {
        let bytes: Vec<u8> = match round % 2 {
            0 => (0..random() % 512).map(|_| random() as u8).collect(),
            _ => {
                let mut bytes = good.clone();
                for _ in 0..=random() % 4 {
                    let place = random() as usize % bytes.len();
                    bytes[place] = random() as u8;
                }
                bytes
            }
        };
        // Whether it loads is the bytes' affair; that we are still here, and bounded, is ours.
        let start = Instant::now();
        let _ = host.load("damaged", &bytes);
        assert!(start.elapsed() < BOUND, "round {round} took {:?}", start.elapsed());
    }
    host.load("minimal", &good).unwrap();
}
