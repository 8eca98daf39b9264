//! Scenarios of holds: taken, captured, given up, ended. Must not know which store it is.

use giftcard::desk::{SweepOptions, SweepReport};
use giftcard::input::Instant;
use giftcard::output::AccountEntryOutput;
use giftcard_ledger::model::HoldState;
use giftcard_ledger::operations::Receipt;
use serde_json::{Value, json};

use super::Scenario;
use crate::bank::dollars;
use crate::both::Fresh;
use crate::shop::{Card, Shop, cents, hold_of, payment, refused};

const DAY_MS: i64 = 86_400_000;

/// Their state, 10.00 authorised of a card that has 5.00 left, cannot be: whatever would take what is held is refused. A
/// charge that finds too little fails whole all the same.
pub(super) fn what_is_held_stays_there_and_a_charge_without_cover_fails_whole(fresh: &Fresh, scenario: &Scenario) {
    let shop = Shop::open(fresh);
    let (left, authorised) = (scenario.text("/cards/0/balance"), scenario.text("/cards/0/authorized"));
    let total = scenario.text("/order/total");
    let card = shop.card(authorised);
    let hold = hold_of(&shop.hold("o-1", total, &[card.entry()]).unwrap());
    assert_eq!(refused(shop.adjust_to(&card, left)), "adjustment-too-low");
    assert_eq!(refused(shop.refund_purchase(&card, Some(left))), "card-already-spent");
    assert_eq!(refused(shop.redeem("o-2", left, &[card.entry()])), "no-card-usable");
    let moved = shop.doing(|doing| shop.desk.to_credit(doing, &card.name(), Some("c-1")));
    assert_eq!(refused(moved), "card-held");
    let moved = shop.doing(|doing| shop.desk.transfer(doing, &card.name(), false, None));
    assert_eq!(refused(moved), "card-held");
    assert_eq!((shop.balance(&card).as_str(), shop.held(&card).as_str()), (authorised, authorised));
    shop.void(&hold).unwrap();

    let card = shop.card(left);
    let charge = scenario.text("/steps/0/amount");
    scenario.says("/expected/error", "insufficient_funds");
    assert_eq!(refused(shop.redeem("o-3", total, &[card.exactly(charge)])), "insufficient-funds");
    assert_eq!(refused(shop.hold("o-3", total, &[card.exactly(charge)])), "insufficient-funds");
    assert_eq!(shop.balance(&card), scenario.text("/expected/balances/G"));
    let debits: Vec<Value> = shop.debits(&card).into_iter().map(|entry| entry.amount.into()).collect();
    scenario.says("/expected/events", debits);
    // Nothing was captured of the order: nothing can go back.
    assert_eq!(scenario.text("/expected/captured"), dollars(0));
    assert_eq!(refused(shop.refund("o-3", "cards", "0.01")), "order-not-found");
    shop.check_books();
}

pub(super) fn a_final_capture_takes_its_part_and_frees_the_rest(fresh: &Fresh, scenario: &Scenario) {
    let shop = Shop::open(fresh);
    let card = shop.card(scenario.text("/cards/0/balance"));
    let other = scenario.text("/cards/0/authorized");
    shop.hold("o-other", other, &[card.exactly(other)]).unwrap();
    let amount = scenario.text("/steps/0/amount");
    let hold = hold_of(&shop.hold("o-1", scenario.text("/order/total"), &[card.exactly(amount)]).unwrap());
    assert_eq!(shop.available(&card), "0.00");
    let receipt = shop.capture(&hold, scenario.text("/steps/1/amount")).unwrap();
    assert_eq!(receipt.applied.as_deref(), Some(scenario.text("/expected/used")));
    assert_eq!((receipt.hold_state, receipt.remaining.as_deref()), (Some(HoldState::Captured), Some("0.00")));
    let debits: Vec<String> = shop.debits(&card).into_iter().map(|entry| entry.amount).collect();
    assert_eq!(debits, [format!("-{}", scenario.text("/expected/used"))]);
    assert_eq!(shop.held(&card), scenario.text("/expected/authorized_total"));
    assert_eq!(shop.available(&card), scenario.text("/expected/available/G"));
    shop.check_books();
}

pub(super) fn a_void_frees_a_hold_and_is_refused_once_it_was_captured(fresh: &Fresh, scenario: &Scenario) {
    let shop = Shop::open(fresh);
    let card = shop.card(scenario.text("/cards/0/balance"));
    let total = scenario.text("/order/total");
    let take = |step: usize| {
        let amount = scenario.text(&format!("/steps/{step}/amount"));
        hold_of(&shop.hold(&format!("o-{step}"), total, &[card.exactly(amount)]).unwrap())
    };
    let first = take(0);
    let receipt = shop.void(&first).unwrap();
    assert_eq!(receipt.hold_state, Some(HoldState::Voided));
    assert_eq!(shop.available(&card), scenario.text("/cards/0/balance"));
    let second = take(2);
    shop.capture(&second, scenario.text("/steps/3/amount")).unwrap();
    scenario.says("/steps/4/expect", "refused");
    assert_eq!(refused(shop.void(&second)), "hold-not-open");
    assert_eq!(refused(shop.void(&first)), "hold-not-open");
    assert_eq!(shop.held(&card), scenario.text("/expected/authorized_total"));
    let debits: Vec<String> = shop.debits(&card).into_iter().map(|entry| entry.amount).collect();
    assert_eq!(debits, [format!("-{}", scenario.text("/expected/used"))]);
    assert_eq!(shop.available(&card), scenario.text("/expected/available/G"));
    shop.check_books();
}

/// Their timeout is asked for when a job runs; ours is the end that each hold was taken with. So the same three holds are
/// taken twice, once for a month and once for 20 days.
pub(super) fn holds_end_by_time_and_a_captured_one_stays(fresh: &Fresh, scenario: &Scenario) {
    let at = |text: &str| Instant(text.to_string()).at().unwrap();
    let now = at("2026-09-15T12:00:00Z");
    let (two_months_ago, days_ago) = (at("2026-07-15T12:00:00Z"), now - 25 * DAY_MS);
    for (place, age) in [(0, "2 months"), (1, "25 days"), (2, "2 months")] {
        scenario.says(&format!("/steps/{place}/age"), age);
    }
    scenario.says("/expected/captured_untouched", true);
    let a_month_later = |from| if from == two_months_ago { at("2026-08-15T12:00:00Z") } else { from + 31 * DAY_MS };
    scenario.says("/steps/3/timeout", "1 month");
    scenario.says("/steps/5/timeout", "20 days");
    let month = run_of_holds(fresh, scenario, [two_months_ago, days_ago], &a_month_later, now);
    assert_eq!(i64::try_from(month.holds_ended).unwrap(), scenario.number("/steps/3/expect_voided"));
    let days = run_of_holds(&fresh.another(), scenario, [two_months_ago, days_ago], &|from| from + 20 * DAY_MS, now);
    assert_eq!(i64::try_from(days.holds_ended).unwrap(), scenario.number("/steps/5/expect_voided"));
}

/// Takes the three holds, sweeps, and says what that did.
fn run_of_holds(
    fresh: &Fresh,
    scenario: &Scenario,
    [long_ago, recently]: [i64; 2],
    end: &dyn Fn(i64) -> i64,
    now: i64,
) -> SweepReport {
    let shop = Shop::open(fresh);
    shop.set_now(long_ago);
    let issued = |place: usize| shop.card(scenario.text(&format!("/cards/{place}/balance")));
    let cards: Vec<Card> = (0..3).map(issued).collect();
    let take = |place: usize, at: i64| -> Receipt {
        shop.set_now(at);
        let amount = scenario.text(&format!("/steps/{place}/amount"));
        let mut document = payment(&format!("o-{place}"), amount, &[cards[place].exactly(amount)]);
        document["ends_at"] = giftcard_engine::moment::format_instant(end(at)).into();
        shop.pay(giftcard::desk::PayKind::Hold, document).unwrap()
    };
    take(0, long_ago);
    let captured = hold_of(&take(2, long_ago));
    shop.capture(&captured, scenario.text("/steps/2/amount")).unwrap();
    take(1, recently);
    shop.set_now(now);
    let report = shop.desk.sweep(&SweepOptions::default(), now, &mut |_| {}).unwrap();
    let ended = |card: &Card| shop.history(card).iter().any(|entry| entry.kind == "expire-hold");
    assert_eq!(ended(&cards[0]), end(long_ago) <= now);
    assert_eq!(ended(&cards[1]), end(recently) <= now);
    // The captured hold has taken what it took, and nothing has happened to its card since.
    let kinds: Vec<String> = shop.history(&cards[2]).into_iter().map(|entry: AccountEntryOutput| entry.kind).collect();
    assert_eq!(kinds, ["issue", "hold", "capture"]);
    let taken = cents(scenario.text("/cards/2/balance")) - cents(scenario.text("/steps/2/amount"));
    assert_eq!(shop.balance(&cards[2]), dollars(taken));
    assert_eq!(refused(shop.void(&captured)), "hold-not-open");
    shop.check_books();
    report
}

/// Placing takes a hold; the other payment is declined, the shopper tries again, and only the payment that went through
/// captures. Both ways to try again are shown: with the hold that is still open, and with a new one that replaces it.
pub(super) fn a_declined_payment_debits_nothing_and_the_retry_debits_once(fresh: &Fresh, scenario: &Scenario) {
    let shop = Shop::open(fresh);
    let total = scenario.text("/order/total");
    scenario.says("/steps/1/other_tender_result", "declined");
    scenario.says("/steps/3/other_tender_result", "ok");
    for places_anew in [false, true] {
        let card = shop.card(scenario.text("/cards/0/balance"));
        let order = format!("o-{places_anew}");
        let first = shop.hold(&order, total, &[card.entry()]).unwrap();
        assert_eq!(first.due.as_deref(), Some(scenario.text("/expected/due")));
        assert_eq!(shop.balance(&card), scenario.text("/steps/2/balance"));
        let hold = match places_anew {
            false => hold_of(&first),
            true => {
                let again = shop.hold(&order, total, &[card.entry()]).unwrap();
                assert_eq!(again.due.as_deref(), Some(scenario.text("/expected/due")), "the retry charges the same");
                assert_eq!(shop.held(&card), scenario.text("/cards/0/balance"), "one hold, not two");
                let stale = json!({ "hold": hold_of(&first) });
                assert_eq!(refused(shop.capture_as(stale)), "hold-not-open");
                hold_of(&again)
            }
        };
        // The answer to the capture is lost, and it is asked for again.
        let capture = json!({ "operation": format!("capture-{places_anew}"), "hold": hold });
        let captured = shop.capture_as(capture.clone()).unwrap();
        assert_eq!(shop.capture_as(capture).unwrap(), captured);
        assert_eq!(refused(shop.capture_as(json!({ "hold": hold }))), "hold-not-open");
        assert_eq!(shop.balance(&card), scenario.text("/expected/balances/G"));
        assert_eq!(i64::try_from(shop.debits(&card).len()).unwrap(), scenario.number("/expected/debits"));
    }
    shop.check_books();
}
