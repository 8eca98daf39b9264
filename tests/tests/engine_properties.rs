//! What must hold for every order and every set of cards, on random ones: the engine against the naive second
//! implementation, the invariants of paying and refunding, and the host's checks against decisions made wrong.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeSet;

use giftcard_engine::check::{check_decision, check_refund};
use giftcard_engine::redemption::{
    Card, Decision, Outcome, Refusal, Request, Share, Status, Tender, Verdict, apply, card_order, codes, parts,
};
use giftcard_engine::refund::{Payment, RefundRequest, RefundShare, refund};
use giftcard_engine::{Currency, Minor, MoneyError, Ratio};
use giftcard_tests::naive::{self, Method};
use giftcard_tests::native::NativeEvaluator;
use giftcard_tests::random::{self, Random};
use proptest::prelude::{ProptestConfig, prop_assert, prop_assert_eq, proptest};
use rust_decimal::Decimal;

fn minor(amount: i64) -> Minor {
    Minor::new(amount).unwrap()
}

fn decide(request: &Request) -> Vec<Share> {
    apply(request, false).unwrap().shares
}

/// Runs a property on random requests; a failure names the seed that makes the request again.
fn for_requests(seeds: std::ops::Range<u64>, property: impl Fn(Request, &mut Random)) {
    for seed in seeds {
        let mut random = Random::new(seed);
        let request = random::request(&mut random);
        let shown = std::panic::AssertUnwindSafe(|| property(request.clone(), &mut random));
        if let Err(panic) = std::panic::catch_unwind(shown) {
            eprintln_failure(seed, &request);
            std::panic::resume_unwind(panic);
        }
    }
}

#[allow(clippy::print_stderr, reason = "what a failing test shows")]
fn eprintln_failure(seed: u64, what: &dyn std::fmt::Debug) {
    eprintln!("seed {seed}: {what:?}");
}

#[test]
fn the_engine_decides_as_the_naive_implementation() {
    for_requests(0..3_000, |request, _| assert_eq!(decide(&request), naive::apply(&request).shares));
}

#[test]
fn both_methods_of_the_naive_implementation_agree() {
    for_requests(0..1_500, |request, _| {
        if request.total.get() <= 300 {
            assert_eq!(naive::apply_by(&request, Method::UnitByUnit), naive::apply_by(&request, Method::Bisection));
        }
    });
}

#[test]
fn the_order_of_use_is_the_naive_one() {
    for_requests(0..3_000, |request, _| assert_eq!(card_order(&request), naive::order_of_use(&request)));
}

/// Everything a decision can say of a card, as short text.
fn said(request: &Request, index: usize, share: &Share) -> String {
    match &share.outcome {
        Outcome::Used if request.cards[index].tender == Tender::SameCurrency => "used".to_string(),
        Outcome::Used => "used, converted".to_string(),
        Outcome::NotNeeded => "not needed".to_string(),
        Outcome::Refused(Refusal::Code(code)) => code.to_string(),
        Outcome::Refused(Refusal::Reason(reason)) if *reason < 100 => "rejected".to_string(),
        Outcome::Refused(Refusal::Reason(_)) => "shared limit".to_string(),
    }
}

#[test]
fn the_random_requests_reach_every_rule() {
    let mut reached = BTreeSet::new();
    for seed in 0..6_000 {
        let request = random::request(&mut Random::new(seed));
        for (index, share) in decide(&request).iter().enumerate() {
            reached.insert(said(&request, index, share));
        }
    }
    for expected in [
        codes::CARD_CLOSED,
        codes::CARD_DISABLED,
        codes::CARD_PENDING,
        codes::PROGRAMME_DISABLED,
        codes::CARD_EXPIRED,
        codes::PROGRAMME_ENDED,
        codes::NOT_YET_VALID,
        codes::CARD_EMPTY,
        codes::REGISTERED_ONLY,
        codes::NOT_IN_ROLE,
        codes::OTHER_CUSTOMER,
        codes::CURRENCY_MISMATCH,
        codes::WORTH_NOTHING_HERE,
        codes::MINIMUM_NOT_MET,
        codes::LINES_NEEDED,
        codes::TAX_NEEDED,
        codes::NO_GIFT_CARDS,
        codes::NOTHING_PAYABLE,
        codes::TOO_MANY_CARDS,
        codes::LIMIT_REACHED,
        "rejected",
        "shared limit",
        "not needed",
        "used",
        "used, converted",
    ] {
        assert!(reached.remove(expected), "no random request reaches `{expected}`");
    }
    assert_eq!(reached, BTreeSet::new(), "codes that this test does not know");
}

#[test]
fn no_card_gives_more_than_it_has_or_than_is_due() {
    for_requests(0..3_000, |request, _| {
        let shares = decide(&request);
        let due_before = (request.total.get() - request.paid.get()).max(0);
        let applied: i128 = shares.iter().map(|share| i128::from(share.applied.get())).sum();
        assert!(applied <= i128::from(request.base().get()) && request.base().get() <= due_before);
        for (card, share) in request.cards.iter().zip(&shares) {
            assert!(
                [share.excluded, share.applied, share.taken, share.left].iter().all(|amount| !amount.is_negative())
            );
            assert_eq!(share.taken.get() + share.left.get(), card.available.get());
            assert_eq!(share.outcome == Outcome::Used, !share.applied.is_zero());
            assert_eq!(share.applied.is_zero(), share.taken.is_zero());
            assert!(share.applied <= card.wanted.unwrap_or(Minor::MAX));
            assert!(share.excluded.is_zero(), "the standard rules exclude by programme alone");
            if matches!(share.outcome, Outcome::Refused(_)) {
                assert_eq!((share.applied, share.taken), Default::default());
            }
            // One unit less of the card would not have been worth what was applied.
            if let (Tender::Converted(ratio), false) = (card.tender, share.applied.is_zero()) {
                let worth = |taken: i64| i128::from(taken) * i128::from(ratio.numerator());
                let applied = i128::from(share.applied.get()) * i128::from(ratio.denominator());
                assert!(worth(share.taken.get()) >= applied && worth(share.taken.get() - 1) < applied);
            }
        }
        for limit in &request.limits {
            let together = limit.cards.iter().map(|&card| i128::from(shares[card as usize].applied.get()));
            assert!(together.sum::<i128>() <= i128::from(limit.limit.get()));
        }
    });
}

#[test]
fn cards_of_narrow_programmes_never_pay_for_other_parts() {
    for_requests(0..3_000, |request, _| {
        let Some(lines) = &request.lines else { return };
        let shares = decide(&request);
        for set in 0..=parts::ALL {
            let within = |card: &Card| request.programmes[card.programme as usize].payable & parts::ALL & !set == 0;
            let cards = request.cards.iter().zip(&shares).filter(|(card, _)| within(card));
            let applied: i128 = cards.map(|(_, share)| i128::from(share.applied.get())).sum();
            let payable = lines.iter().filter(|line| line.parts & set != 0 && line.parts & parts::NO_CARD == 0);
            let room = payable.map(|line| line.total.get()).sum::<i64>() - request.paid.get();
            assert!(applied <= i128::from(room.max(0)), "cards for parts {set} pay {applied} of {room}");
        }
    });
}

#[test]
fn a_later_card_takes_nothing_from_an_earlier_one() {
    for_requests(0..2_000, |mut request, _| {
        // Which cards are too many goes by entry and not by use.
        request.policy.cards_max = u32::MAX;
        let shares = decide(&request);
        let mut order = card_order(&request);
        let mut fewer = request.clone();
        while let Some(last) = order.pop() {
            fewer.cards[last].status = Status::Closed;
            let alone = decide(&fewer);
            assert!(order.iter().all(|&earlier| alone[earlier] == shares[earlier]), "without card {last}");
            if order.len() + 8 < request.cards.len() {
                break;
            }
        }
    });
}

#[test]
fn a_card_is_left_alone_only_if_nothing_more_can_be_had() {
    // No one more unit may be had from any accepted card: otherwise something is due that a card would have paid.
    for_requests(0..2_000, |request, _| {
        let shares = decide(&request);
        for (index, (card, share)) in request.cards.iter().zip(&shares).enumerate() {
            if matches!(share.outcome, Outcome::Refused(_)) || !naive::leaves_room(&request, &shares, index) {
                continue;
            }
            let more = share.applied.get() + 1;
            let worth = match card.tender {
                Tender::Converted(ratio) => {
                    i128::from(card.available.get()) * i128::from(ratio.numerator()) / i128::from(ratio.denominator())
                }
                _ => i128::from(card.available.get()),
            };
            let number = u32::try_from(index).unwrap();
            let limited = request.limits.iter().any(|limit| {
                let cards = limit.cards.iter().map(|&card| i128::from(shares[card as usize].applied.get()));
                limit.cards.contains(&number) && cards.sum::<i128>() == i128::from(limit.limit.get())
            });
            let capped = card.verdicts.contains(&Verdict::AcceptUpTo(share.applied));
            assert!(
                worth < i128::from(more) || card.wanted == Some(share.applied) || capped || limited,
                "card {index}"
            );
        }
    });
}

#[test]
fn the_order_of_lines_changes_nothing() {
    for_requests(0..2_000, |mut request, random| {
        let shares = decide(&request);
        if let Some(lines) = &mut request.lines {
            random.shuffle(lines);
        }
        assert_eq!(decide(&request), shares);
    });
}

#[test]
fn explaining_changes_nothing() {
    for_requests(0..2_000, |request, _| {
        let explained = apply(&request, true).unwrap();
        assert_eq!(explained.shares, decide(&request));
        for (index, share) in explained.shares.iter().enumerate() {
            let mut steps = explained.steps.iter().filter(|step| step.card == Some(index));
            let failed = matches!(share.outcome, Outcome::Refused(_));
            assert!(steps.clone().next().is_some(), "card {index} has no step");
            assert!(!failed || steps.any(|step| !step.passed), "card {index} is refused, and no step says why");
        }
    });
}

/// The request with every amount of the order `times` as large, and its cards converted at `times` to one.
fn in_finer_currency(mut request: Request, times: i64) -> Option<Request> {
    let scaled = |amount: &mut Minor| match amount.get().checked_mul(times).map(Minor::new) {
        Some(Ok(finer)) => {
            *amount = finer;
            Some(())
        }
        _ => None,
    };
    scaled(&mut request.total)?;
    scaled(&mut request.paid)?;
    request.tax.as_mut().map_or(Some(()), scaled)?;
    for line in request.lines.iter_mut().flatten() {
        scaled(&mut line.total)?;
        line.tax.as_mut().map_or(Some(()), scaled)?;
    }
    for minimum in request.programmes.iter_mut().filter_map(|programme| programme.minimum.as_mut()) {
        scaled(&mut minimum.amount)?;
    }
    for limit in &mut request.limits {
        scaled(&mut limit.limit)?;
    }
    for card in &mut request.cards {
        card.tender = Tender::Converted(Ratio::new(i128::from(times), 1).unwrap());
        card.wanted.as_mut().map_or(Some(()), scaled)?;
        // Beyond the range worths are cut off, and cards that differ become ties.
        scaled(&mut { card.available })?;
        for verdict in &mut card.verdicts {
            if let Verdict::AcceptUpTo(limit) = verdict {
                scaled(limit)?;
            }
        }
    }
    Some(request)
}

#[test]
fn the_same_order_in_a_finer_currency_takes_the_same_from_each_card() {
    let mut compared = 0;
    for seed in 0..1_500 {
        let mut request = random::request(&mut Random::new(seed));
        request.cards.iter_mut().for_each(|card| card.tender = Tender::SameCurrency);
        for times in [1, 10, 1000] {
            let Some(finer) = in_finer_currency(request.clone(), times) else { continue };
            compared += 1;
            for (share, fine) in decide(&request).iter().zip(decide(&finer)) {
                assert_eq!(
                    (&fine.outcome, fine.applied.get(), fine.taken, fine.left),
                    (&share.outcome, share.applied.get() * times, share.taken, share.left),
                    "seed {seed}, {times} times"
                );
            }
        }
    }
    assert!(compared > 2_000, "{compared}");
}

#[test]
fn the_engines_own_decisions_pass_the_checks() {
    for_requests(0..3_000, |request, _| {
        let decision = apply(&request, false).unwrap();
        assert_eq!(check_decision(&request, &decision), Ok(()));
    });
}

fn by(amount: Minor, difference: i64) -> Option<Minor> {
    Minor::new(amount.get() + difference).ok()
}

/// `share` with one amount wrong by one, in every way there is.
fn wrong_amounts(share: &Share) -> Vec<Share> {
    let mut wrong = Vec::new();
    for difference in [-1, 1] {
        wrong.extend(by(share.applied, difference).map(|applied| Share { applied, ..share.clone() }));
        wrong.extend(by(share.taken, difference).map(|taken| Share { taken, ..share.clone() }));
        wrong.extend(by(share.left, difference).map(|left| Share { left, ..share.clone() }));
    }
    wrong
}

/// What no rules may decide about a card, whoever wrote them.
fn must_be_refused(request: &Request, card: &Card) -> bool {
    card.status != Status::Active
        || card.expires_at.is_some_and(|end| end <= request.now)
        || card.tender == Tender::NoRate
        || card.verdicts.iter().any(|verdict| matches!(verdict, Verdict::Reject(_)))
}

#[test]
fn a_decision_with_any_amount_wrong_is_refused() {
    for_requests(0..1_000, |request, _| {
        let decision = apply(&request, false).unwrap();
        for (index, share) in decision.shares.iter().enumerate() {
            for wrong in wrong_amounts(share) {
                let mut mutated = decision.clone();
                mutated.shares[index] = wrong.clone();
                assert!(check_decision(&request, &mutated).is_err(), "card {index}: {share:?} became {wrong:?}");
            }
        }
    });
}

#[test]
fn a_decision_with_the_wrong_outcome_is_refused() {
    let other_code = Outcome::Refused(Refusal::Code("of-its-own".into()));
    for_requests(0..2_000, |request, _| {
        let decision = apply(&request, false).unwrap();
        for (index, share) in decision.shares.iter().enumerate() {
            let pays = !share.applied.is_zero();
            // A merchant's own rules may refuse a card that would pay nothing, and may let pass what the standard
            // rules refuse by choice of the shop: neither moves money.
            let wrong = match &share.outcome {
                Outcome::Used => vec![Outcome::NotNeeded, other_code.clone()],
                Outcome::NotNeeded => vec![Outcome::Used],
                Outcome::Refused(_) if must_be_refused(&request, &request.cards[index]) => {
                    vec![Outcome::Used, Outcome::NotNeeded]
                }
                Outcome::Refused(_) => vec![Outcome::Used],
            };
            for outcome in wrong {
                let mut mutated = decision.clone();
                mutated.shares[index].outcome = outcome.clone();
                let found = check_decision(&request, &mutated);
                assert!(found.is_err(), "card {index}, which pays: {pays}, became {outcome:?}");
            }
        }
    });
}

#[test]
fn a_card_that_must_be_refused_cannot_be_paid_with() {
    for_requests(0..2_000, |request, _| {
        let decision = apply(&request, false).unwrap();
        for (index, card) in request.cards.iter().enumerate().filter(|(_, card)| must_be_refused(&request, card)) {
            if card.available.is_zero() {
                continue;
            }
            let mut mutated = decision.clone();
            let (one, left) = (minor(1), by(card.available, -1).unwrap());
            mutated.shares[index] =
                Share { outcome: Outcome::Used, excluded: Minor::ZERO, applied: one, taken: one, left };
            assert!(check_decision(&request, &mutated).is_err(), "card {index}");
        }
    });
}

#[test]
fn a_decision_with_shares_swapped_added_or_lost_is_refused() {
    let mut swapped = 0;
    for seed in 0..1_000 {
        let request = random::request(&mut Random::new(seed));
        let decision = apply(&request, false).unwrap();
        let count = decision.shares.len();
        let refused = |shares: Vec<Share>| check_decision(&request, &Decision { shares, steps: Vec::new() }).is_err();
        for a in 0..count {
            for b in a + 1..count {
                let (first, second) = (&decision.shares[a], &decision.shares[b]);
                let both_pay = first.outcome == Outcome::Used && second.outcome == Outcome::Used;
                let differ = request.cards[a].available != request.cards[b].available || (both_pay && first != second);
                if differ {
                    let mut shares = decision.shares.clone();
                    shares.swap(a, b);
                    assert!(refused(shares), "seed {seed}: cards {a} and {b}");
                    swapped += 1;
                }
            }
        }
        let mut more = decision.shares.clone();
        more.extend(decision.shares.first().cloned());
        assert!(count == 0 || refused(more), "seed {seed}");
        assert!(count == 0 || refused(decision.shares[1..].to_vec()), "seed {seed}");
    }
    assert!(swapped > 5_000, "{swapped}");
}

#[test]
fn an_order_of_use_other_than_the_recorded_one_is_refused() {
    // The same rules under another order of use: wherever that changes what a card pays, it must not pass, since the
    // first card of the recorded order would have been asked for more.
    let mut refused = 0;
    for seed in 0..3_000 {
        let mut request = random::request(&mut Random::new(seed));
        // Who is refused must not depend on the order.
        request.policy.cards_max = u32::MAX;
        request.limits.clear();
        let mut reversed = request.clone();
        reversed.cards.reverse();
        let mut decision = apply(&reversed, false).unwrap();
        decision.shares.reverse();
        let expected = decide(&request);
        if decision.shares != expected {
            assert!(check_decision(&request, &decision).is_err(), "seed {seed}: {request:?}");
            refused += 1;
        }
    }
    assert!(refused > 200, "{refused}");
}

#[test]
fn a_whole_quote_adds_up_and_is_the_naive_one() {
    let mut used = 0;
    for seed in 0..1_500 {
        let request = random::quote_request(&mut Random::new(seed));
        let quote = NativeEvaluator::default().quote(&request).unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        let naive = |request: &Request, _: bool| Ok(naive::apply(request));
        if seed % 3 == 0 {
            assert_eq!(
                NativeEvaluator::default().with_rules(naive).quote(&request).as_ref(),
                Ok(&quote),
                "seed {seed}"
            );
        }
        let due_before = (request.order.total.get() - request.order.paid.get()).max(0);
        assert_eq!(quote.applied.get() + quote.due.get(), due_before, "seed {seed}");
        assert_eq!(quote.payment_required(), quote.due > Minor::ZERO);
        assert_eq!(quote.shares.len() + quote.repeated.len(), request.cards.len());
        for share in &quote.shares {
            let card = &request.cards[share.card];
            assert_eq!(share.taken.get() + share.left.get(), card.available().get(), "seed {seed}");
            assert!(share.left_here.is_none_or(|here| share.rate.is_some() || here == share.left));
        }
        used += quote.shares.iter().filter(|share| !share.applied.is_zero()).count();
    }
    assert!(used > 500, "{used}");
}

#[test]
fn a_refund_is_split_as_the_naive_implementation_splits_it() {
    let (mut split, mut refused) = (0, BTreeSet::new());
    for seed in 0..8_000 {
        let request = random::refund_request(&mut Random::new(seed));
        let found = refund(&request).map_err(|refused| refused.code());
        assert_eq!(found, naive::refund(&request), "seed {seed}: {request:?}");
        match found {
            Ok(shares) => {
                assert_eq!(check_refund(&request, &shares), Ok(()), "seed {seed}");
                split += 1;
            }
            Err(code) => {
                refused.insert(code);
            }
        }
    }
    assert!(split > 5_000, "{split}");
    assert_eq!(refused, ["refund-above-refundable", "refund-not-positive", "refund-payment-invalid"].into());
}

#[test]
fn a_refund_with_any_amount_wrong_is_refused() {
    for seed in 0..2_000 {
        let request = random::refund_request(&mut Random::new(seed));
        let Ok(shares) = refund(&request) else { continue };
        for index in 0..shares.len() {
            for difference in [-1, 1] {
                let RefundShare { applied, taken } = shares[index];
                for wrong in [
                    by(applied, difference).map(|applied| RefundShare { applied, taken }),
                    by(taken, difference).map(|taken| RefundShare { applied, taken }),
                ] {
                    let Some(wrong) = wrong else { continue };
                    let mut mutated = shares.clone();
                    mutated[index] = wrong;
                    assert!(check_refund(&request, &mutated).is_err(), "seed {seed}: payment {index} became {wrong:?}");
                }
            }
        }
    }
}

fn give_back(payments: &mut [Payment], amount: i64) -> Vec<RefundShare> {
    let request = RefundRequest { amount: minor(amount), exponent: 2, payments: payments.to_vec() };
    let shares = refund(&request).unwrap();
    assert_eq!(check_refund(&request, &shares), Ok(()));
    for (payment, share) in payments.iter_mut().zip(&shares) {
        payment.applied_returned = payment.applied_returned.plus(share.applied).unwrap();
        payment.taken_returned = payment.taken_returned.plus(share.taken).unwrap();
        assert!(payment.applied_returned <= payment.applied && payment.taken_returned <= payment.taken);
    }
    shares
}

fn refundable(payments: &[Payment]) -> i64 {
    let open: i64 = payments.iter().map(|payment| payment.refundable().get()).sum();
    open.min(giftcard_engine::money::MINOR_MAX)
}

#[test]
fn what_cards_paid_goes_back_exactly_in_one_refund_or_in_many() {
    let mut converted = 0;
    for seed in 0..3_000 {
        let mut random = Random::new(seed);
        let request = random::request(&mut random);
        let used: Vec<(usize, Share)> =
            decide(&request).into_iter().enumerate().filter(|(_, share)| !share.applied.is_zero()).collect();
        let paid = |(_, share): &(usize, Share)| Payment {
            applied: share.applied,
            taken: share.taken,
            applied_returned: Minor::ZERO,
            taken_returned: Minor::ZERO,
        };
        let payments: Vec<Payment> = used.iter().map(paid).collect();
        if payments.is_empty() {
            continue;
        }
        converted += used.iter().filter(|(card, _)| request.cards[*card].tender != Tender::SameCurrency).count();
        let whole = give_back(&mut payments.clone(), refundable(&payments));
        for (payment, share) in payments.iter().zip(whole) {
            assert_eq!((share.applied, share.taken), (payment.applied, payment.taken), "seed {seed}");
        }
        let mut rest = payments.clone();
        for turn in 0..20 {
            let open = refundable(&rest);
            if open == 0 {
                break;
            }
            let amount = if turn == 19 || random.chance(10) { open } else { random.within(1, open) };
            give_back(&mut rest, amount);
        }
        for payment in &rest {
            assert_eq!((payment.applied_returned, payment.taken_returned), (payment.applied, payment.taken));
        }
        let request = RefundRequest { amount: minor(1), exponent: 2, payments: rest };
        assert_eq!(refund(&request).unwrap_err().code(), "refund-above-refundable", "seed {seed}");
    }
    assert!(converted > 500, "{converted}");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(512) })]

    #[test]
    fn an_amount_is_read_as_the_decimal_that_it_is(text in "-?[0-9]{1,18}(\\.[0-9]{1,6})?", exponent in 0_u8..=4) {
        let decimal = Decimal::from_str_exact(&text).unwrap();
        let expected = if decimal.scale() > u32::from(exponent) {
            Err(MoneyError::TooManyDecimals)
        } else {
            let whole = decimal.mantissa() * 10_i128.pow(u32::from(exponent) - decimal.scale());
            i64::try_from(whole).map_err(|_| MoneyError::OutOfRange).and_then(Minor::new)
        };
        prop_assert_eq!(Currency::new("ABC", exponent).unwrap().parse(&text), expected);
    }

    #[test]
    fn conversion_is_the_nearest_that_favours_neither_side_by_a_whole_unit(
        numerator in 1_i64..=giftcard_engine::money::MINOR_MAX,
        denominator in 1_i64..=giftcard_engine::money::MINOR_MAX,
        available in 0_i64..=giftcard_engine::money::MINOR_MAX,
        part in 0_u32..=100,
    ) {
        let ratio = Ratio::new(i128::from(numerator), i128::from(denominator)).unwrap();
        let worth = ratio.times_floor(minor(available));
        prop_assert!(ratio.divide_ceil(worth) <= minor(available));
        let (n, d) = (i128::from(ratio.numerator()), i128::from(ratio.denominator()));
        let exact = i128::from(worth.get()) * d <= i128::from(available) * n;
        prop_assert!(exact && (worth == Minor::MAX || (i128::from(worth.get()) + 1) * d > i128::from(available) * n));
        let applied = minor(i64::try_from(i128::from(worth.get()) * i128::from(part) / 100).unwrap());
        prop_assert!(ratio.divide_ceil(applied) <= minor(available));
    }

    #[test]
    fn refunds_conserve_for_any_payments_and_any_parts(
        paid in proptest::collection::vec((1_i64..400, 1_i64..400), 1..6),
        amounts in proptest::collection::vec(1_i64..300, 1..12),
    ) {
        let mut payments: Vec<Payment> = paid
            .iter()
            .map(|&(applied, taken)| Payment {
                applied: minor(applied),
                taken: minor(taken),
                applied_returned: Minor::ZERO,
                taken_returned: Minor::ZERO,
            })
            .collect();
        let mut back = 0;
        for amount in amounts {
            let open = refundable(&payments);
            if amount > open {
                let request = RefundRequest { amount: minor(amount), exponent: 2, payments: payments.clone() };
                prop_assert_eq!(refund(&request).unwrap_err().code(), "refund-above-refundable");
                continue;
            }
            let shares = give_back(&mut payments, amount);
            prop_assert_eq!(shares.iter().map(|share| share.applied.get()).sum::<i64>(), amount);
            back += amount;
        }
        let all: i64 = paid.iter().map(|(applied, _)| applied).sum();
        prop_assert_eq!(refundable(&payments), all - back);
        if all > back {
            give_back(&mut payments, all - back);
        }
        prop_assert!(payments.iter().all(|payment| payment.taken_returned == payment.taken));
    }
}
