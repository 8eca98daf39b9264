//! Scenarios of what shoppers are told. Must not know which store it is.

use giftcard::DeskError;
use serde_json::{Value, json};

use super::Scenario;
use crate::bank::NOW;
use crate::both::Fresh;
use crate::shop::{Shop, payment, read, refused};

/// What a shopper may see of the first card of a payment that was refused or went through.
fn public_of(result: Result<giftcard_ledger::operations::Receipt, DeskError>) -> (Value, Value) {
    match result {
        Err(DeskError::Refused(refused)) => {
            let card = &refused.detail.unwrap()["cards"][0];
            (card["public_code"].clone(), card["public_message"].clone())
        }
        Ok(receipt) => {
            let entry = &receipt.refused[0];
            (entry.public_code.clone().into(), entry.public_message.clone().into())
        }
        Err(error) => panic!("{error}"),
    }
}

/// A card restricted to a customer is one of a programme for that customer.
pub(super) fn a_card_of_somebody_else_is_told_as_one_that_is_not_there(fresh: &Fresh, scenario: &Scenario) {
    let shop = Shop::open(fresh);
    let owner = scenario.text("/cards/0/conditions/0/customer");
    let programme = json!({ "name": "Theirs", "code_name": "theirs", "audience": { "customer": owner } });
    shop.desk.set_programme(&shop.site, &read(programme)).unwrap();
    let value = scenario.text("/cards/0/balance");
    let card = shop.cards(json!({ "programme": "theirs", "value": value })).remove(0);
    let (good, total) = (shop.card("1.00"), scenario.text("/order/total"));
    let (mut told, mut answers) = (Vec::new(), Vec::new());
    for step in 0..3 {
        let customer = scenario.value(&format!("/steps/{step}/customer")).as_str();
        let code = match scenario.text(&format!("/steps/{step}/code")) {
            "G" => card.code.clone(),
            unknown => unknown.to_string(),
        };
        let pay = |entries: &[Value]| {
            let mut document = payment(&format!("o-{step}-{}", entries.len()), total, entries);
            if let Some(id) = customer {
                document["order"]["customer"] = json!({ "id": id, "registered": true });
            }
            shop.pay(giftcard::desk::PayKind::Redeem, document)
        };
        let entry = json!({ "code": code });
        told.push(public_of(pay(std::slice::from_ref(&entry))));
        // Beside a card that pays, it is told in the receipt.
        let with_other = pay(&[entry, shop.card("1.00").entry()]).unwrap();
        assert_eq!(with_other.accounts.len(), 1);
        told.push(public_of(Ok(with_other)));
        answers.push(shop.ask(&code, customer, "somebody").unwrap_err());
        assert!(shop.ask(&good.code, customer, "somebody").is_ok());
    }
    scenario.says("/expected/errors_identical", true);
    assert_eq!(told[0].0, "card-not-usable");
    assert!(told.iter().all(|other| *other == told[0]), "{told:?}");
    let shown = |error: &DeskError| serde_json::to_string(&error.output()).unwrap();
    assert!(answers.iter().all(|error| shown(error) == shown(&answers[0])));
    scenario.says("/expected/leaks_balance", false);
    assert!(!shown(&answers[0]).contains(value) && !format!("{told:?}").contains(value));
    // Its owner can use it and is told what is on it.
    assert_eq!(shop.ask(&card.code, Some(owner), "somebody").unwrap(), value);
    assert_eq!(shop.balance(&card), value);
    shop.check_books();
}

/// The limits that come with a desk are those of the scenario.
pub(super) fn three_wrong_codes_in_a_row_make_a_pause(fresh: &Fresh, scenario: &Scenario) {
    let shop = Shop::open(fresh);
    let card = shop.card(scenario.text("/cards/0/balance"));
    let bad = |who: &str, count: i64| {
        for number in 0..count {
            assert_eq!(refused(shop.ask(&format!("WRONG-CODE-{number}"), None, who)), "card-not-usable");
        }
    };
    let is_blocked = |who: &str| match shop.ask(&card.code, None, who) {
        Ok(_) => false,
        Err(error) => {
            assert_eq!(error.code(), "too-many-tries");
            true
        }
    };
    bad("first", scenario.number("/steps/0/n"));
    scenario.says("/steps/1/value", is_blocked("first"));
    bad("second", scenario.number("/steps/3/n"));
    for _ in 0..scenario.number("/steps/4/n") {
        assert!(shop.ask(&card.code, None, "second").is_ok());
    }
    bad("second", scenario.number("/steps/5/n"));
    scenario.says("/steps/6/value", is_blocked("second"));
    // The pause ends by itself.
    let pause_ms = scenario.number("/expected/cooling_off_seconds") * 1000;
    shop.set_now(NOW + pause_ms - 1);
    assert!(is_blocked("first"));
    shop.set_now(NOW + pause_ms);
    assert!(!is_blocked("first"));
    // Beyond so many in all, only somebody else ends it.
    let most = scenario.number("/expected/permanent_after_total_failures");
    for number in 0..most {
        bad("third", 1);
        if number + 1 < most {
            assert!(number % 2 == 0 || shop.ask(&card.code, None, "third").is_ok());
        }
    }
    shop.set_now(NOW + 1000 * pause_ms);
    assert!(is_blocked("third"));
    assert!(shop.desk.tries().unblock("third"));
    assert!(!is_blocked("third"));
}
