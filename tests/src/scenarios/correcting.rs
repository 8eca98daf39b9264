//! Scenarios of what staff and time do to a card. Must not know which store it is.

use giftcard::desk::SweepOptions;
use giftcard::input::Instant;
use giftcard::output::CardState;
use giftcard_ledger::model::Counter;
use serde_json::json;

use super::Scenario;
use crate::both::Fresh;
use crate::shop::{Card, Shop, cents, refused};

/// A card that was issued with its initial value and has another balance by now.
fn card_with(shop: &Shop, scenario: &Scenario) -> Card {
    let card = shop.card(scenario.text("/cards/0/initial"));
    shop.adjust_to(&card, scenario.text("/cards/0/balance")).unwrap();
    card
}

pub(super) fn an_adjustment_leaves_the_initial_value_alone(fresh: &Fresh, scenario: &Scenario) {
    let shop = Shop::open(fresh);
    let card = card_with(&shop, scenario);
    let receipt = shop.adjust(&card, scenario.text("/steps/0/amount")).unwrap();
    assert_eq!(receipt.accounts[0].balance, scenario.text("/expected/balances/G"));
    let found = shop.look(&card).account;
    assert_eq!(found.balance, scenario.text("/expected/balances/G"));
    assert_eq!(found.initial.as_deref(), Some(scenario.text("/expected/initial/G")));
    shop.check_books();
}

/// DESIGN rule 16 decides otherwise: an adjustment never goes below zero. The scenario's system takes what there is.
pub(super) fn an_adjustment_below_nothing_is_refused(fresh: &Fresh, scenario: &Scenario) {
    let shop = Shop::open(fresh);
    let card = card_with(&shop, scenario);
    assert_eq!(refused(shop.adjust(&card, scenario.text("/steps/0/amount"))), "adjustment-too-low");
    assert_eq!(shop.balance(&card), scenario.text("/cards/0/balance"));
    // What they expect is reached by saying it.
    shop.adjust_to(&card, scenario.text("/expected/balances/G")).unwrap();
    let found = shop.look(&card).account;
    assert_eq!(found.balance, scenario.text("/expected/balances/G"));
    assert_eq!(found.initial.as_deref(), Some(scenario.text("/expected/initial/G")));
    shop.check_books();
}

/// Their sweep is `giftcard expire` here. The card's plain date is its last day: it has ended when that day has.
pub(super) fn what_is_left_on_an_ended_card_is_breakage_and_the_legs_sum_to_nothing(
    fresh: &Fresh,
    scenario: &Scenario,
) {
    let shop = Shop::open(fresh);
    let swept_at = Instant(scenario.text("/steps/1/now").to_string()).at().unwrap();
    shop.set_now(swept_at - 30 * 86_400_000);
    let (value, end) = (scenario.text("/cards/0/balance"), scenario.text("/cards/0/expiry"));
    let card = shop.cards(json!({ "value": value, "expires_at": end })).remove(0);
    scenario.says("/steps/0/expect", "refused");
    let closed = shop.doing(|doing| shop.desk.close(doing, &card.name(), None));
    assert_eq!(refused(closed), "card-not-empty");
    let sweep = |now| shop.desk.sweep(&SweepOptions::default(), now, &mut |_| {}).unwrap();
    shop.set_now(swept_at - 1);
    assert_eq!(sweep(swept_at - 1).cards_closed, 0);
    shop.set_now(swept_at);
    let report = sweep(swept_at);
    assert_eq!((report.cards_closed, report.breakage["USD"].as_str()), (1, scenario.text("/expected/breakage")));
    let found = shop.look(&card).account;
    assert_eq!(found.balance, scenario.text("/expected/balances/G"));
    assert_eq!(found.state, CardState::Closed);
    scenario.says("/expected/status/G", CardState::Closed.name());
    let sums = shop.desk.store().counter_sums().unwrap();
    let breakage = sums.iter().find(|sum| sum.counter == Some(Counter::Breakage)).unwrap();
    assert_eq!(breakage.amount_minor, i128::from(cents(scenario.text("/expected/breakage"))));
    let sum: i128 = sums.iter().map(|sum| sum.amount_minor).sum();
    assert_eq!(sum, i128::from(cents(scenario.text("/expected/ledger_sum"))));
    // Twice is once.
    assert_eq!(sweep(swept_at + 1).cards_closed, 0);
    shop.check_books();
}
