//! Scenarios of orders that buy cards. Must not know which store it is.

use giftcard::output::CardState;
use serde_json::json;

use super::Scenario;
use crate::both::Fresh;
use crate::shop::{Shop, refused};

/// Their status "deactivated" is our `closed`: the order is cancelled for good. Their event is the card's entry
/// `cancel-purchase`, which takes the money off it.
pub(super) fn cancelling_the_order_that_bought_a_card_closes_it(fresh: &Fresh, scenario: &Scenario) {
    let shop = Shop::open(fresh);
    let (order, value) = (scenario.text("/cards/0/bought_by_order"), scenario.text("/cards/0/balance"));
    let card = shop.cards(json!({ "value": value, "bought_by": order })).remove(0);
    assert_eq!(order, scenario.text("/steps/0/order"));
    shop.doing(|doing| shop.desk.cancel_purchase(doing, order)).unwrap();
    scenario.says("/expected/status/G", "deactivated");
    let found = shop.look(&card).account;
    assert_eq!((found.state, found.balance.as_str()), (CardState::Closed, "0.00"));
    scenario.says("/expected/events/0/code", "G");
    scenario.says("/expected/events/0/type", "deactivated");
    let last = shop.history(&card).pop().unwrap();
    assert_eq!((last.kind.as_str(), last.status.as_str()), ("cancel-purchase", "closed"));
    assert_eq!((last.amount, last.order.as_deref()), (format!("-{value}"), Some(order)));
    assert_eq!(refused(shop.redeem("o-2", value, &[card.entry()])), "no-card-usable");
    // An order is cancelled once.
    assert_eq!(refused(shop.doing(|doing| shop.desk.cancel_purchase(doing, order))), "nothing-to-cancel");
    shop.check_books();
}

/// Their status "voided" is our `closed`.
pub(super) fn refunding_one_of_two_bought_cards_leaves_the_other(fresh: &Fresh, scenario: &Scenario) {
    let shop = Shop::open(fresh);
    let (order, value) = (scenario.text("/cards/0/bought_by_order"), scenario.text("/cards/0/balance"));
    assert_eq!(value, scenario.text("/cards/1/balance"));
    let cards = shop.cards(json!({ "value": value, "count": 2, "bought_by": order }));
    assert_eq!(scenario.number("/steps/0/units/0"), scenario.number("/cards/0/line_unit"));
    let receipt = shop.refund_purchase(&cards[0], None).unwrap();
    assert_eq!((receipt.accounts.len(), receipt.accounts[0].id.to_string()), (1, cards[0].id.clone()));
    scenario.says("/expected/status/G1", "voided");
    assert_eq!(shop.look(&cards[0]).account.state, CardState::Closed);
    assert_eq!(shop.balance(&cards[0]), "0.00");
    assert_eq!(refused(shop.redeem("o-2", value, &[cards[0].entry()])), "no-card-usable");
    scenario.says("/expected/status/G2", CardState::Active.name());
    assert_eq!(shop.look(&cards[1]).account.state, CardState::Active);
    assert_eq!(shop.balance(&cards[1]), scenario.text("/expected/balances/G2"));
    assert!(shop.redeem("o-2", value, &[cards[1].entry()]).is_ok());
    shop.check_books();
}

/// "Marked paid" is the invoice of the order that bought the card.
pub(super) fn a_bought_card_works_once_its_order_is_invoiced(fresh: &Fresh, scenario: &Scenario) {
    let shop = Shop::open(fresh);
    let (order, total) = (scenario.text("/cards/0/bought_by_order"), scenario.text("/order/total"));
    let document = json!({
        "code": scenario.text("/cards/0/code"), "accept_weak": true, "value": scenario.text("/cards/0/balance"),
        "bought_by": order, "pending": true,
    });
    let card = shop.cards(document).remove(0);
    scenario.says("/cards/0/status", CardState::Pending.name());
    assert_eq!(shop.look(&card).account.state, CardState::Pending);
    scenario.says("/steps/0/expect", "refused");
    assert_eq!(refused(shop.redeem("o-2", total, &[card.entry()])), "no-card-usable");
    assert_eq!(refused(shop.ask(&card.code, None, "a")), "card-not-usable");
    assert_eq!(scenario.text("/steps/1/order"), order);
    shop.doing(|doing| shop.desk.activate_purchase(doing, order)).unwrap();
    scenario.says("/steps/2/expect", "accepted");
    let entered = json!({ "code": scenario.text("/steps/2/code") });
    let receipt = shop.redeem("o-2", total, &[entered]).unwrap();
    assert_eq!(receipt.due.as_deref(), Some("0.00"));
    assert_eq!(shop.balance(&card), scenario.text("/expected/balances/HAPPYBD_GC12"));
    shop.check_books();
}
