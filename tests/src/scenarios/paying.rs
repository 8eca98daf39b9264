//! Scenarios of orders that are paid at once. Must not know which store it is.

use giftcard::desk::PayKind;
use giftcard::output::CardState;
use giftcard_ledger::operations::Receipt;
use serde_json::{Value, json};

use super::Scenario;
use crate::bank::dollars;
use crate::both::Fresh;
use crate::shop::{Card, Shop, cents, payment, refused};

/// The cards of a scenario, each with its balance.
fn cards_of(shop: &Shop, scenario: &Scenario) -> Vec<Card> {
    let cards = scenario.value("/cards").as_array().unwrap();
    cards.iter().map(|card| shop.card(card["balance"].as_str().unwrap())).collect()
}

/// The scenario's order, paid with these cards.
fn place(shop: &Shop, scenario: &Scenario, cards: &[Card]) -> Receipt {
    let entries: Vec<Value> = cards.iter().map(Card::entry).collect();
    shop.redeem("o-1", scenario.text("/order/total"), &entries).unwrap()
}

/// Their event "redeemed" is an entry `redeem` in the card's history, and a line of the receipt.
pub(super) fn each_card_that_pays_has_one_entry_with_its_balances(fresh: &Fresh, scenario: &Scenario) {
    let shop = Shop::open(fresh);
    let cards = cards_of(&shop, scenario);
    let receipt = place(&shop, scenario, &cards);
    assert_eq!(receipt.due.as_deref(), Some(scenario.text("/expected/due")));
    for (place, card) in cards.iter().enumerate() {
        let expected = |field: &str| scenario.text(&format!("/expected/events/{place}/{field}"));
        assert_eq!(expected("code"), scenario.text(&format!("/cards/{place}/code")));
        assert_eq!(shop.balance(card), scenario.text(&format!("/expected/balances/{}", expected("code"))));
        scenario.says(&format!("/expected/events/{place}/type"), "redeemed");
        let history = shop.history(card);
        let redeemed: Vec<_> = history.iter().filter(|entry| entry.kind == "redeem").collect();
        assert_eq!(redeemed.len(), 1);
        assert_eq!(redeemed[0].balance, expected("new"));
        assert_eq!(cents(&redeemed[0].balance) - cents(&redeemed[0].amount), cents(expected("old")));
        assert_eq!(redeemed[0].order.as_deref(), Some("o-1"));
        let line = &receipt.accounts[place];
        let told = (line.id.to_string(), line.balance_before.as_str(), line.balance.as_str());
        assert_eq!(told, (card.id.clone(), expected("old"), expected("new")));
    }
    shop.check_books();
}

/// Their status "used" is our state `exhausted`, which is shown and not stored: a refund makes the card work again.
pub(super) fn a_card_that_is_used_up_is_exhausted_and_a_dollar_is_due(fresh: &Fresh, scenario: &Scenario) {
    let shop = Shop::open(fresh);
    let card = cards_of(&shop, scenario).remove(0);
    let receipt = place(&shop, scenario, std::slice::from_ref(&card));
    assert_eq!(receipt.due.as_deref(), Some(scenario.text("/expected/due")));
    assert_eq!(receipt.payment_required, Some(true));
    let found = shop.look(&card).account;
    assert_eq!(found.balance, scenario.text("/expected/balances/GIFT-CARD-100"));
    scenario.says("/expected/status/GIFT-CARD-100", "used");
    assert_eq!(found.state, CardState::Exhausted);
    assert_eq!(refused(shop.redeem("o-2", "1.00", &[card.entry()])), "no-card-usable");
    shop.check_books();
}

/// Their transactions are entries that took money.
pub(super) fn only_a_card_that_is_used_has_an_entry(fresh: &Fresh, scenario: &Scenario) {
    let shop = Shop::open(fresh);
    let cards = cards_of(&shop, scenario);
    let receipt = place(&shop, scenario, &cards);
    assert_eq!(receipt.due.as_deref(), Some(scenario.text("/expected/due")));
    let debits: Vec<String> = cards.iter().flat_map(|card| shop.debits(card)).map(|entry| entry.amount).collect();
    assert_eq!(debits.len(), usize::try_from(scenario.number("/expected/transactions")).unwrap());
    assert_eq!(debits, [format!("-{}", scenario.text("/expected/transaction_amounts/0"))]);
    assert_eq!(shop.history(&cards[1]).len(), 1, "its issue and nothing else");
    assert_eq!(shop.balance(&cards[1]), scenario.text("/cards/1/balance"));
    shop.check_books();
}

/// Their usage history is the card's entries. Each use is an order of its own here.
pub(super) fn a_balance_is_the_sum_of_its_entries(fresh: &Fresh, scenario: &Scenario) {
    let shop = Shop::open(fresh);
    let card = cards_of(&shop, scenario).remove(0);
    for step in 0..3 {
        let amount = scenario.text(&format!("/steps/{step}/amount"));
        shop.redeem(&format!("o-{step}"), amount, &[card.exactly(amount)]).unwrap();
    }
    let history = shop.history(&card);
    assert_eq!(history.len(), 4);
    let mut sum = 0;
    for entry in &history {
        sum += cents(&entry.amount);
        assert_eq!(entry.balance, dollars(sum));
    }
    assert_eq!(dollars(sum), scenario.text("/expected/balances/G"));
    assert_eq!(shop.balance(&card), scenario.text("/expected/balances/G"));
    shop.check_books();
}

/// One card with an explicit amount is exact (DESIGN rule 10). Their insufficient funds are ours.
pub(super) fn an_exact_amount_is_paid_whole_or_not_at_all(fresh: &Fresh, scenario: &Scenario) {
    let shop = Shop::open(fresh);
    let card = cards_of(&shop, scenario).remove(0);
    let (first, second) = (scenario.text("/steps/0/amount"), scenario.text("/steps/1/amount"));
    assert_eq!(first, scenario.text("/order/total"));
    shop.redeem("o-1", first, &[card.exactly(first)]).unwrap();
    scenario.says("/steps/1/expect", "refused");
    assert_eq!(refused(shop.redeem("o-2", second, &[card.exactly(second)])), "insufficient-funds");
    assert_eq!(shop.balance(&card), scenario.text("/expected/balances/G"));
    let debits: Vec<String> = shop.debits(&card).into_iter().map(|entry| entry.amount).collect();
    assert_eq!(debits, [format!("-{}", scenario.text("/expected/used"))]);
    // An order that needs less than the exact amount does not take less either.
    assert_eq!(refused(shop.redeem("o-3", "1.00", &[card.exactly("2.00")])), "insufficient-funds");
    shop.check_books();
}

/// "No other payment" is `require_full` here.
pub(super) fn an_order_that_needs_no_other_payment_is_refused_if_it_would(fresh: &Fresh, scenario: &Scenario) {
    let shop = Shop::open(fresh);
    let card = cards_of(&shop, scenario).remove(0);
    scenario.says("/expected/error", "unable_to_fund");
    for kind in [PayKind::Hold, PayKind::Redeem] {
        let mut document = payment("o-1", scenario.text("/order/total"), &[card.entry()]);
        document["require_full"] = true.into();
        assert_eq!(refused(shop.pay(kind, document)), "not-fully-covered");
        assert_eq!(shop.available(&card), scenario.text("/expected/balances/G"));
    }
    assert_eq!(shop.balance(&card), scenario.text("/expected/balances/G"));
    assert_eq!(refused(shop.refund("o-1", "cards", "1.00")), "order-not-found");
    shop.check_books();
}

/// Five threads in two processes. Ours draw exactly what there is: 80.00 and 20.00, and the other three are refused.
pub(super) fn five_orders_at_once_never_draw_more_than_there_is(fresh: &Fresh, scenario: &Scenario) {
    let shop = Shop::open(fresh);
    let others = Shop::beside(fresh);
    let card = cards_of(&shop, scenario).remove(0);
    let copies = scenario.number("/steps/0/n");
    let total = scenario.text("/order/total");
    let results: Vec<_> = std::thread::scope(|scope| {
        let order = |number: i64| {
            let shop = if number % 2 == 0 { &shop } else { &others };
            let entry = card.entry();
            scope.spawn(move || shop.redeem(&format!("o-{number}"), total, &[entry]))
        };
        let threads: Vec<_> = (0..copies).map(order).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let mut drawn: Vec<i64> = Vec::new();
    for result in results {
        match result {
            Ok(receipt) => drawn.push(cents(receipt.applied.as_deref().unwrap())),
            Err(error) => assert_eq!(error.code(), "no-card-usable"),
        }
    }
    drawn.sort_unstable();
    let most = cents(scenario.text("/expected/sum_applied_max"));
    assert_eq!(drawn, [most - cents(total), cents(total)]);
    assert!(cents(&shop.balance(&card)) >= cents(scenario.text("/expected/balance_min")));
    assert_eq!(cents(&shop.balance(&card)), most - drawn.iter().sum::<i64>());
    shop.check_books();
}

/// The shopper was shown that nothing is due (`expect`); when the card no longer works, the order is refused whole as
/// `quote-changed`, and without `expect` as one that no card can pay for. Nothing is left of it.
pub(super) fn an_order_is_not_placed_with_a_card_that_became_unusable(fresh: &Fresh, scenario: &Scenario) {
    let shop = Shop::open(fresh);
    let card = cards_of(&shop, scenario).remove(0);
    let total = scenario.text("/order/total");
    let quote = shop.quote("o-1", total, &[card.entry()]).unwrap();
    assert_eq!((quote.due.0.as_str(), quote.payment_required), ("0.00", false));
    shop.disable(&card);
    scenario.says("/expected/error", "card_not_usable");
    for kind in [PayKind::Hold, PayKind::Redeem] {
        let plain = payment("o-1", total, &[card.entry()]);
        let mut shown = plain.clone();
        shown["expect"] = json!({ "applied": quote.applied.0, "due": quote.due.0 });
        assert_eq!(refused(shop.pay(kind, shown)), "quote-changed");
        let error = shop.pay(kind, plain).unwrap_err();
        assert_eq!(error.code(), "no-card-usable");
        let giftcard::DeskError::Refused(refusal) = error else { panic!("no refusal") };
        let told = refusal.detail.unwrap();
        assert_eq!((&told["cards"][0]["public_code"], &told["due"]), (&json!("card-not-usable"), &json!(total)));
        assert_eq!(told["payment_required"], true);
    }
    scenario.says("/expected/paid", false);
    assert!(shop.debits(&card).is_empty());
    scenario.says("/expected/placed", false);
    assert_eq!(refused(shop.refund("o-1", "cards", total)), "order-not-found");
    shop.check_books();
}
