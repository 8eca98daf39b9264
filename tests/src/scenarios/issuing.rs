//! Scenarios of programmes and of new cards. Must not know which store it is.

use giftcard::input::Instant;
use giftcard_engine::Minor;
use serde_json::json;

use super::Scenario;
use crate::bank::usd;
use crate::both::Fresh;
use crate::shop::{Shop, read, refused};

/// A programme with codes is theirs with a "definition" that has codes: its amount is frozen.
pub(super) fn the_value_of_a_programme_with_codes_is_frozen(fresh: &Fresh, scenario: &Scenario) {
    let (shop, name) = (Shop::open(fresh), scenario.text("/cards/0/definition"));
    let (value, other) = (scenario.text("/cards/0/balance"), scenario.text("/steps/0/amount"));
    let set_value = |value: &str| {
        let document = json!({ "name": name, "code_name": name, "value": { "fixed": value } });
        shop.desk.set_programme(&shop.site, &read(document))
    };
    // As long as there are no codes, it is only what somebody wrote down.
    assert!(!set_value(other).unwrap().frozen);
    assert!(!set_value(value).unwrap().frozen);
    let card = shop.cards(json!({ "programme": name })).remove(0);
    scenario.says("/expected/error", "definition_has_codes");
    assert_eq!(refused(set_value(other)), "value-frozen");
    assert_eq!(shop.balance(&card), scenario.text("/expected/balances/GIFT-10"));
    let next = shop.cards(json!({ "programme": name })).remove(0);
    assert_eq!(shop.balance(&next), scenario.text("/expected/balances/GIFT-10"));
    // Everything else of it can change still.
    assert!(set_value(value).unwrap().frozen);
    let renamed = json!({ "name": "Gift", "code_name": name, "value": { "fixed": value }, "minimum_order": "5.00" });
    assert!(shop.desk.set_programme(&shop.site, &read(renamed)).is_ok());
    shop.check_books();
}

pub(super) fn a_card_of_a_month_ends_a_calendar_month_after_its_issue(fresh: &Fresh, scenario: &Scenario) {
    let shop = Shop::open(fresh);
    scenario.says("/steps/0/validity", "1 month");
    shop.set_now(Instant(scenario.text("/steps/0/now").to_string()).at().unwrap());
    let programme = json!({ "name": "Monthly", "code_name": "monthly", "expires": { "months": 1 } });
    shop.desk.set_programme(&shop.site, &read(programme)).unwrap();
    let document = json!({ "programme": "monthly", "value": scenario.text("/steps/0/amount") });
    let card = shop.cards(document).remove(0);
    let expected = scenario.text("/expected/expires_at");
    let found = shop.look(&card).account.expires_at.unwrap();
    assert_eq!(Instant(found).at(), Instant(expected.to_string()).at());
    // It works until just before that.
    let end = Instant(expected.to_string()).at().unwrap();
    shop.set_now(end - 1);
    assert!(shop.redeem("before", "1.00", &[card.entry()]).is_ok());
    shop.set_now(end);
    assert_eq!(refused(shop.redeem("after", "1.00", &[card.entry()])), "no-card-usable");
    shop.check_books();
}

/// The most is the site's setting here. Their code `G` is shorter than ours may be.
pub(super) fn values_outside_the_bounds_and_codes_that_are_taken_are_refused(fresh: &Fresh, scenario: &Scenario) {
    let refused_value = |step: usize| scenario.text(&format!("/steps/{step}/amount")).to_string();
    let most = usd().parse(&refused_value(2)).unwrap().minus(Minor::new(1).unwrap()).unwrap();
    let shop = Shop::of(fresh, &json!({ "id": "main", "currency": "USD", "card_value_max": most.to_decimal(2) }));
    for (step, code) in [(0, "invalid-amount"), (1, "invalid-amount"), (2, "value-too-high")] {
        scenario.says(&format!("/steps/{step}/expect"), "refused");
        assert_eq!(refused(shop.issue_as(json!({ "value": refused_value(step) }))), code);
    }
    assert!(shop.issue_as(json!({ "value": most.to_decimal(2) })).is_ok());
    let code = json!({ "code": "GIFT-0000-0001", "accept_weak": true, "value": scenario.text("/cards/0/initial") });
    let card = shop.cards(code).remove(0);
    scenario.says("/steps/3/expect", "conflict");
    let again = json!({ "code": "gift 0000 0001", "accept_weak": true, "value": scenario.text("/steps/3/amount") });
    assert_eq!(refused(shop.issue_as(again)), "code-taken");
    shop.adjust_to(&card, scenario.text("/steps/4/amount")).unwrap();
    let found = shop.look(&card).account;
    assert_eq!(found.balance, scenario.text("/expected/balances/G"));
    assert_eq!(found.initial.as_deref(), Some(scenario.text("/expected/initial/G")));
    shop.check_books();
}

/// Their bounds: codes of 8 to 20 characters, values up to 9,999.99. Our codes have 8 to 64 characters, and the most is the
/// site's setting. DESIGN section 4 decides otherwise on states: disabled is reversible, closed is final.
pub(super) fn short_codes_and_great_values_are_refused_and_a_disabled_card_can_come_back(
    fresh: &Fresh,
    scenario: &Scenario,
) {
    let shop = Shop::of(fresh, &json!({ "id": "main", "currency": "USD", "card_value_max": "9999.99" }));
    let own_code = |code: &str, value: &str| json!({ "code": code, "accept_weak": true, "value": value });
    scenario.says("/steps/0/expect", "refused");
    let short = own_code(scenario.text("/steps/0/code"), scenario.text("/steps/0/amount"));
    assert_eq!(refused(shop.issue_as(short)), "invalid-value");
    scenario.says("/steps/1/expect", "refused");
    assert_eq!(refused(shop.issue_as(json!({ "value": scenario.text("/steps/1/amount") }))), "value-too-high");
    let card = shop.cards(own_code(scenario.text("/cards/0/code"), scenario.text("/cards/0/balance"))).remove(0);
    scenario.says("/steps/2/expect", "accepted");
    let entered = json!({ "code": scenario.text("/steps/2/code") });
    assert_eq!(shop.quote("o-1", "4.00", std::slice::from_ref(&entered)).unwrap().applied.0, "4.00");
    shop.disable(&card);
    assert_eq!(refused(shop.redeem("o-1", "4.00", std::slice::from_ref(&entered))), "no-card-usable");
    // Decided otherwise: theirs is refused here.
    scenario.says("/steps/4/expect", "refused");
    let enabled = |shop: &Shop| shop.doing(|doing| shop.desk.enable(doing, &card.name(), None));
    assert!(enabled(&shop).is_ok());
    assert!(shop.redeem("o-1", "4.00", std::slice::from_ref(&entered)).is_ok());
    // What is final is closing, and only a card that has nothing left is closed.
    let closed = |shop: &Shop| shop.doing(|doing| shop.desk.close(doing, &card.name(), None));
    assert_eq!(refused(closed(&shop)), "card-not-empty");
    shop.adjust_to(&card, "0.00").unwrap();
    assert!(closed(&shop).is_ok());
    assert_eq!(refused(enabled(&shop)), "card-closed");
    shop.check_books();
}
