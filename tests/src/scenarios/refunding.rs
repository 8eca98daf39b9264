//! Scenarios of money that goes back to a card. Must not know which store it is.

use giftcard::input::Instant;
use giftcard_engine::Minor;
use giftcard_ledger::operations::{Receipt, RefundOther, Target};
use serde_json::json;

use super::Scenario;
use crate::bank::usd;
use crate::both::Fresh;
use crate::shop::{Card, Shop, cents, refused};

const DAY_MS: i64 = 86_400_000;

/// The days are a setting of the site: an ended card works again at least so long after a refund. One that has longer
/// keeps its end, one without an end has none afterwards either.
pub(super) fn a_refund_never_shortens_the_time_of_a_card(fresh: &Fresh, scenario: &Scenario) {
    let days = scenario.number("/steps/0/refund_expiry_extension_days");
    let shop = Shop::of(fresh, &json!({ "id": "main", "currency": "USD", "refund_extension_days": days }));
    let refunded_at = Instant(scenario.text("/steps/0/now").to_string()).at().unwrap();
    shop.set_now(refunded_at - 40 * DAY_MS);
    let (value, end) = (scenario.text("/cards/0/captured"), scenario.text("/cards/0/expiry"));
    let card = shop.cards(json!({ "value": value, "expires_at": end })).remove(0);
    let (endless, ended) =
        (shop.card(value), shop.cards(json!({ "value": value, "expires_at": "2026-03-01" })).remove(0));
    for card in [&card, &endless, &ended] {
        shop.redeem(&card.id, scenario.text("/order/used/G"), &[card.entry()]).unwrap();
        assert_eq!(shop.balance(card), scenario.text("/cards/0/balance"));
    }
    shop.set_now(refunded_at);
    for card in [&card, &endless, &ended] {
        shop.refund(&card.id, "cards", scenario.text("/steps/0/amount")).unwrap();
        assert_eq!(shop.balance(card), scenario.text("/expected/balances/G"));
    }
    let end_of = |card: &Card| (shop.look(card).account.expires_on, shop.look(card).account.expires_at);
    assert_eq!(end_of(&card).0.as_deref(), Some(scenario.text("/expected/expires_at")));
    assert_eq!(end_of(&endless), (None, None));
    // The contrast: one that had ended works for those days.
    let (day, instant) = end_of(&ended);
    assert_eq!(day, None);
    assert_eq!(Instant(instant.unwrap()).at().unwrap(), refunded_at + days * DAY_MS);
    assert!(shop.redeem("o-2", "1.00", &[ended.entry()]).is_ok());
    shop.check_books();
}

/// The ledger does not see what another tender pays: the platform says it (`paid`), and it can go to cards once.
pub(super) fn what_another_tender_paid_goes_to_a_card_once_and_no_more(fresh: &Fresh, scenario: &Scenario) {
    let shop = Shop::open(fresh);
    let card = shop.card(scenario.text("/cards/0/balance"));
    let amount = |text: &str| Minor::new(cents(text)).unwrap();
    let paid = amount(scenario.text("/order/other_tender"));
    let refund = |step: usize| {
        let command = RefundOther {
            order: "o-1".to_string(),
            target: Target::Id(card.id.parse().unwrap()),
            amount: amount(scenario.text(&format!("/steps/{step}/amount"))),
            paid: Some(paid),
            reason: None,
        };
        let facts = json!({ "order": "o-1", "step": step });
        shop.doing(|doing| shop.desk.operate(doing, &command, &facts))
    };
    scenario.says("/steps/0/expect", "refused");
    assert_eq!(refused(refund(0)), "refund-above-refundable");
    assert_eq!(shop.balance(&card), scenario.text("/cards/0/balance"));
    let receipt: Receipt = giftcard::desk::receipt(&refund(1).unwrap()).unwrap();
    assert_eq!(receipt.applied, Some(paid.to_decimal(usd().exponent())));
    scenario.says("/steps/2/expect", "refused");
    assert_eq!(refused(refund(2)), "refund-above-refundable");
    assert_eq!(shop.balance(&card), scenario.text("/expected/balances/G"));
    shop.check_books();
}
