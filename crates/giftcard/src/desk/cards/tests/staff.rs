//! What staff do to single cards and to store credit, and what they are shown.

use serde_json::{Value, json};

use super::super::super::testing::{Bench, NOW, bench, did, document, doing, error, told};
use super::super::super::{CardFilter, CardName, DeskError, Doing};
use crate::codes::SecretCode;
use crate::input::{Amount, CurrencyCode, DayOrInstant, PositiveAmount};
use crate::output::{AccountOutput, CardState, PageOutput};

const DAY_MS: i64 = 86_400_000;

fn positive(text: &str) -> PositiveAmount {
    PositiveAmount(text.to_string())
}

fn shown(bench: &Bench, card: &CardName) -> AccountOutput {
    bench.desk.card("main", card, NOW).unwrap().account
}

fn list(bench: &Bench, filter: CardFilter) -> Vec<String> {
    let limit = if filter.limit == 0 { 100 } else { filter.limit };
    let page = bench.desk.cards("main", &CardFilter { limit, ..filter }, NOW).unwrap();
    page.items.into_iter().map(|card| card.balance).collect()
}

#[test]
fn a_card_goes_through_its_states_and_no_other_way() {
    let bench = bench();
    let (card, _) = bench.card("1", json!({ "value": "5.00", "pending": true }));
    assert_eq!(shown(&bench, &card).state, CardState::Pending);
    assert_eq!(told(bench.desk.enable(&doing("2"), &card, None)).0, "wrong-state");
    bench.desk.activate(&doing("3"), &card, None).unwrap();
    assert_eq!(shown(&bench, &card).state, CardState::Active);
    assert_eq!(told(bench.desk.activate(&doing("4"), &card, None)).0, "wrong-state");
    let receipt = did(bench.desk.disable(&doing("5"), &card, Some("stolen")));
    assert_eq!((receipt.kind.as_str(), receipt.reason.as_deref()), ("disable", Some("stolen")));
    assert_eq!(did(bench.desk.disable(&doing("5"), &card, Some("stolen"))), receipt, "a repetition");
    assert_eq!(told(bench.desk.disable(&doing("5"), &card, Some("lost"))).0, "operation-key-reused");
    assert_eq!(shown(&bench, &card).state, CardState::Disabled);
    bench.desk.enable(&doing("6"), &card, None).unwrap();
    assert_eq!(told(bench.desk.close(&doing("7"), &card, None)).0, "card-not-empty");
    let empty = document(&json!({ "to": "0.00", "reason": "mistake" }));
    bench.desk.adjust(&doing("8"), &card, &empty).unwrap();
    assert_eq!(shown(&bench, &card).state, CardState::Exhausted);
    bench.desk.close(&doing("9"), &card, None).unwrap();
    assert_eq!(shown(&bench, &card).state, CardState::Closed);
    for refused in [
        bench.desk.close(&doing("10"), &card, None),
        bench.desk.disable(&doing("11"), &card, None),
        bench.desk.load(&doing("12"), &card, &positive("1.00"), None),
        bench.desk.adjust(&doing("13"), &card, &document(&json!({ "by": "1.00", "reason": "r" }))),
    ] {
        assert_eq!(told(refused).0, "card-closed");
    }
}

#[test]
fn a_card_that_is_not_there_is_told_and_a_mistyped_code_explained() {
    let bench = bench();
    let (_, code) = bench.card("1", json!({ "value": "5.00" }));
    let mistyped = {
        let mut symbols: Vec<char> = code.reveal().chars().collect();
        symbols[0] = if symbols[0] == 'A' { 'B' } else { 'A' };
        SecretCode::new(symbols.into_iter().collect())
    };
    let refused = bench.desk.card("main", &CardName::Code(mistyped.clone()), NOW).unwrap_err();
    assert!(refused.to_string().contains("a character of the code is wrong"), "{refused}");
    assert!(!refused.to_string().contains(mistyped.reveal()));
    for name in [
        CardName::Code(SecretCode::new(String::new())),
        CardName::Either(SecretCode::new("0000000000000".to_string())),
        CardName::Id("0000000000000".parse().unwrap()),
    ] {
        assert_eq!(told(bench.desk.disable(&doing("2"), &name, None)).0, "card-not-found", "{name:?}");
    }
    bench.desk.set_pool("main", &document(&json!({ "name": "stock" }))).unwrap();
    let file = "9F3K-7Q2M-X8BT-4RWN\n";
    bench.desk.import_codes("main", "stock", file.as_bytes(), false, NOW, &mut |_| {}).unwrap();
    let waiting = CardName::Code(SecretCode::new(file.trim().to_string()));
    assert_eq!(told(bench.desk.card("main", &waiting, NOW)).0, "code-not-issued");
}

#[test]
fn a_load_is_more_than_nothing_and_within_the_sites_limit() {
    let bench = bench();
    let (card, _) = bench.card("1", json!({ "value": "900.00" }));
    let load = |amount: &str| bench.desk.load(&doing(amount), &card, &positive(amount), None);
    assert_eq!(told(load("0.00")).0, "amount-not-positive");
    assert_eq!(told(load("1.001")), error("invalid-amount", "amount"));
    assert_eq!(told(load("100.01")).0, "balance-too-high");
    assert_eq!(did(load("100.00")).accounts[0].balance, "1000.00");
    let (euro, _) = bench.card("2", json!({ "value": "900.00", "currency": "EUR" }));
    bench.desk.load(&doing("3"), &euro, &positive("900.00"), None).unwrap();
}

#[test]
fn an_adjustment_says_why_and_never_goes_below_nothing() {
    let bench = bench();
    let (card, _) = bench.card("1", json!({ "value": "5.00" }));
    let adjust = |input: Value| bench.desk.adjust(&doing(&input.to_string()), &card, &document(&input));
    for (input, code, path) in [
        (json!({ "by": "-5.01", "reason": "r" }), "adjustment-too-low", ""),
        (json!({ "by": "0.00", "reason": "r" }), "adjustment-zero", ""),
        (json!({ "to": "5.00", "reason": "r" }), "adjustment-zero", ""),
        (json!({ "by": "1.00", "reason": " " }), "reason-missing", ""),
        (json!({ "reason": "r" }), "missing-field", "by"),
        (json!({ "by": "1.00", "to": "1.00", "reason": "r" }), "inconsistent", "to"),
        (json!({ "by": "x", "reason": "r" }), "invalid-amount", "by"),
        (json!({ "to": "-1.00", "reason": "r" }), "invalid-amount", "to"),
    ] {
        assert_eq!(told(adjust(input.clone())), error(code, path), "{input}");
    }
    assert_eq!(did(adjust(json!({ "by": "-5.00", "reason": "r" }))).accounts[0].amount, "-5.00");
    assert_eq!(did(adjust(json!({ "to": "7.50", "reason": "r" }))).accounts[0].amount, "7.50");
    assert_eq!(shown(&bench, &card).initial.as_deref(), Some("5.00"), "the initial value stays");
}

#[test]
fn what_is_left_on_an_ended_card_is_breakage() {
    let bench = bench();
    let (card, _) = bench.card("1", json!({ "value": "5.00", "expires_at": "2026-11-23" }));
    assert_eq!(told(bench.desk.expire(&doing("2"), &card)).0, "card-not-expired");
    let later = Doing { now: NOW + 2 * DAY_MS, ..doing("3") };
    assert_eq!(bench.desk.card("main", &card, later.now).unwrap().account.state, CardState::Expired);
    let receipt = did(bench.desk.expire(&later, &card));
    assert_eq!((receipt.accounts[0].amount.as_str(), receipt.accounts[0].status.as_str()), ("-5.00", "closed"));
}

#[test]
fn holds_are_shown_until_they_pass() {
    let bench = bench();
    let (card, code) = bench.card("1", json!({ "value": "5.00" }));
    let pay = json!({ "operation": "h", "order": {"id": "o-1", "currency": "USD", "total": "3.00"},
        "cards": [{"code": code.reveal()}], "hold_minutes": 10 });
    let hold = |json: &Value| bench.desk.pay(&document(json), super::super::super::PayKind::Hold, NOW).unwrap();
    hold(&pay);
    let found = bench.desk.card("main", &card, NOW).unwrap();
    assert_eq!((found.account.held.as_str(), found.account.available.as_str()), ("3.00", "2.00"));
    assert_eq!((found.holds.len(), found.holds[0].order.as_str(), found.holds[0].amount.as_str()), (1, "o-1", "3.00"));
    assert_eq!(told(bench.desk.transfer(&doing("2"), &card, false, None)).0, "card-held");
    let later = NOW + 10 * 60_000;
    let listed = bench.desk.cards("main", &CardFilter { limit: 10, ..CardFilter::default() }, later).unwrap();
    assert_eq!(listed.items[0].available, "5.00", "a list settles what has passed");
    let found = bench.desk.card("main", &card, later).unwrap();
    assert_eq!((found.account.held.as_str(), found.holds.len()), ("0.00", 0));
}

#[test]
fn history_tells_what_was_done_by_whom_and_why_page_by_page() {
    let bench = bench();
    let (card, _) = bench.card("1", json!({ "value": "5.00", "deliver": true }));
    bench.desk.load(&doing("2"), &card, &positive("1.00"), Some("gift")).unwrap();
    bench.desk.reveal_code(&doing("3"), &card, Some("mail bounced")).unwrap();
    let page = bench.desk.history("main", &card, 0, 2, NOW).unwrap();
    let kinds: Vec<&str> = page.items.iter().map(|entry| entry.kind.as_str()).collect();
    assert_eq!((kinds, page.next.as_deref()), (vec!["issue", "load"], Some("2")));
    let load = &page.items[1];
    assert_eq!((load.actor.as_deref(), load.reason.as_deref()), (Some("tests"), Some("gift")));
    assert_eq!((load.amount.as_str(), load.balance.as_str()), ("1.00", "6.00"));
    let rest = bench.desk.history("main", &card, 2, 2, NOW).unwrap();
    assert_eq!((rest.items[0].kind.as_str(), rest.items[0].amount.as_str(), rest.next), ("reveal", "0.00", None));
    assert_eq!(told(bench.desk.history("main", &card, 0, 0, NOW)), error("invalid-value", "limit"));
}

#[test]
fn a_sealed_code_is_shown_again_until_it_is_delivered() {
    let bench = bench();
    let (card, code) = bench.card("1", json!({ "value": "5.00", "deliver": true }));
    let shown = bench.desk.reveal_code(&doing("2"), &card, None).unwrap();
    assert_eq!(shown.code.reveal(), code.reveal());
    assert!(!format!("{shown:?}").contains(code.reveal()));
    assert_eq!(bench.desk.reveal_code(&doing("2"), &card, None).unwrap(), shown);
    bench.desk.delivered("main", &card, NOW).unwrap();
    assert_eq!(told(bench.desk.reveal_code(&doing("2"), &card, None)).0, "code-not-kept");
    let (plain, _) = bench.card("3", json!({ "value": "5.00" }));
    assert_eq!(told(bench.desk.reveal_code(&doing("4"), &plain, None)).0, "code-not-kept");
    assert_eq!(bench.desk.history("main", &plain, 0, 10, NOW).unwrap().items.len(), 1, "and is no event");
}

#[test]
fn cards_are_listed_by_what_is_asked_for() {
    let bench = bench();
    bench.programme(json!({ "name": "P" }));
    bench.card("1", json!({ "value": "1.00", "customer": "c" }));
    bench.card("2", json!({ "value": "2.00", "programme": "p", "bought_by": "o" }));
    bench.card("3", json!({ "value": "3.00", "currency": "EUR", "pending": true }));
    let (disabled, _) = bench.card("4", json!({ "value": "4.00", "expires_at": "2026-12-31" }));
    bench.desk.disable(&doing("d"), &disabled, None).unwrap();
    let (empty, _) = bench.card("5", json!({ "value": "5.00" }));
    bench.desk.adjust(&doing("a"), &empty, &document(&json!({ "to": "0.00", "reason": "r" }))).unwrap();
    let some = |text: &str| Some(text.to_string());
    let state = |state: CardState| CardFilter { state: Some(state), ..CardFilter::default() };
    assert_eq!(list(&bench, CardFilter::default()).len(), 5);
    assert_eq!(list(&bench, CardFilter { customer: some("c"), ..CardFilter::default() }), ["1.00"]);
    assert_eq!(list(&bench, CardFilter { programme: some("p"), ..CardFilter::default() }), ["2.00"]);
    assert_eq!(list(&bench, CardFilter { bought_by: some("o"), ..CardFilter::default() }), ["2.00"]);
    assert_eq!(list(&bench, state(CardState::Pending)), ["3.00"]);
    assert_eq!(list(&bench, state(CardState::Disabled)), ["4.00"]);
    assert_eq!(list(&bench, state(CardState::Exhausted)), ["0.00"]);
    assert_eq!(list(&bench, state(CardState::Active)), ["1.00", "2.00"]);
    assert_eq!(list(&bench, state(CardState::Expired)), Vec::<String>::new());
    let euro = Some(CurrencyCode("EUR".to_string()));
    assert_eq!(list(&bench, CardFilter { currency: euro, ..CardFilter::default() }), ["3.00"]);
    let least = Some(Amount("1.50".to_string()));
    assert_eq!(list(&bench, CardFilter { balance_min: least, ..CardFilter::default() }), ["2.00", "4.00"]);
    let by = Some(DayOrInstant("2026-12-31".to_string()));
    assert_eq!(list(&bench, CardFilter { ends_by: by, ..CardFilter::default() }), ["4.00"]);
    let hint = shown(&bench, &disabled).hint.unwrap().to_lowercase();
    assert_eq!(list(&bench, CardFilter { hint: Some(hint), ..CardFilter::default() }), ["4.00"]);
}

#[test]
fn an_expired_card_is_listed_once_time_has_come() {
    let bench = bench();
    bench.card("1", json!({ "value": "1.00", "expires_at": "2026-11-22" }));
    bench.card("2", json!({ "value": "2.00", "expires_at": "2026-12-22" }));
    let filter = CardFilter { state: Some(CardState::Expired), limit: 9, ..CardFilter::default() };
    let listed = |now| bench.desk.cards("main", &filter, now).unwrap().items.len();
    assert_eq!((listed(NOW), listed(NOW + DAY_MS)), (0, 1));
}

#[test]
fn pages_have_every_card_once_and_the_last_says_so() {
    let bench = bench();
    bench.issue("1", json!({ "value": "1.00", "count": 7 })).unwrap();
    let page = |after: Option<String>| -> PageOutput<AccountOutput> {
        bench.desk.cards("main", &CardFilter { after, limit: 3, ..CardFilter::default() }, NOW).unwrap()
    };
    let first = page(None);
    let second = page(first.next.clone());
    let third = page(second.next.clone());
    let ids: std::collections::BTreeSet<String> =
        [&first, &second, &third].iter().flat_map(|page| page.items.iter().map(|card| card.id.clone())).collect();
    assert_eq!((ids.len(), third.items.len(), third.next), (7, 1, None));
    let exact = CardFilter { limit: 7, ..CardFilter::default() };
    assert_eq!(bench.desk.cards("main", &exact, NOW).unwrap().next, None);
    for (filter, path) in [
        (CardFilter { limit: 0, ..CardFilter::default() }, "limit"),
        (CardFilter { limit: 1001, ..CardFilter::default() }, "limit"),
        (CardFilter { limit: 1, after: Some("x".to_string()), ..CardFilter::default() }, "after"),
        (CardFilter { limit: 1, balance_min: Some(Amount("x".to_string())), ..CardFilter::default() }, "balance_min"),
        (CardFilter { limit: 1, ends_by: Some(DayOrInstant("x".to_string())), ..CardFilter::default() }, "ends_by"),
        (CardFilter { limit: 1, currency: Some(CurrencyCode("x".to_string())), ..CardFilter::default() }, "currency"),
    ] {
        assert_eq!(told(bench.desk.cards("main", &filter, NOW)).1, path);
    }
}

#[test]
fn store_credit_is_granted_shown_and_corrected() {
    let bench = bench();
    let add = |operation: &str, currency: Option<&str>, amount: &str| {
        let currency = currency.map(|currency| CurrencyCode(currency.to_string()));
        bench.desk.add_credit(&doing(operation), "c1", currency.as_ref(), &positive(amount), Some("sorry"))
    };
    add("1", None, "5.00").unwrap();
    add("1", None, "5.00").unwrap();
    add("2", Some("EUR"), "7.00").unwrap();
    let credits = bench.desk.credits_of("main", "c1", NOW).unwrap();
    let mut found: Vec<(&str, &str)> =
        credits.iter().map(|credit| (credit.currency.as_str(), credit.balance.as_str())).collect();
    found.sort_unstable();
    assert_eq!(found, [("EUR", "7.00"), ("USD", "5.00")]);
    assert_eq!(told(add("3", Some("XXX"), "1.00")), error("unknown-currency", "currency"));
    assert_eq!(told(add("3", None, "0.00")).0, "amount-not-positive");
    let input = document(&json!({ "by": "-2.00", "reason": "r" }));
    assert_eq!(did(bench.desk.adjust_credit(&doing("4"), "c1", None, &input)).accounts[0].balance, "3.00");
    assert_eq!(told(bench.desk.adjust_credit(&doing("5"), "c2", None, &input)).0, "card-not-found");
    assert_eq!(bench.desk.credits("main", None, 10, NOW).unwrap().items.len(), 2);
    assert_eq!(
        told(bench.desk.add_credit(&doing("6"), " ", None, &positive("1.00"), None)),
        error("invalid-value", "customer")
    );
    let credit = CardName::Id(credits[0].id.parse().unwrap());
    for refused in [
        bench.desk.transfer(&doing("7"), &credit, false, None).map(|_| ()),
        bench.desk.to_credit(&doing("8"), &credit, Some("c1")).map(|_| ()),
        bench.desk.refund_purchase(&doing("9"), &credit, Some(&positive("1.00")), None).map(|_| ()),
        bench.desk.reveal_code(&doing("10"), &credit, None).map(|_| ()),
    ] {
        assert_eq!(told(refused).0, "not-a-card");
    }
}

#[test]
fn a_card_becomes_store_credit_whole_where_its_programme_allows_it() {
    let bench = bench();
    bench.programme(json!({ "name": "Bound", "minimum_order": "10.00" }));
    bench.programme(json!({ "name": "Allowed", "minimum_order": "10.00", "to_credit": true }));
    let (by_hand, _) = bench.card("1", json!({ "value": "5.00", "customer": "c1" }));
    let (bound, _) = bench.card("2", json!({ "value": "5.00", "programme": "bound" }));
    let (allowed, _) = bench.card("3", json!({ "value": "5.00", "programme": "allowed" }));
    let credit = |operation: &str, card: &CardName, customer: Option<&str>| -> Result<String, DeskError> {
        let receipt = did(Ok(bench.desk.to_credit(&doing(operation), card, customer)?));
        Ok(receipt.accounts[1].balance.clone())
    };
    assert_eq!(told(credit("4", &bound, Some("c1"))).0, "credit-not-allowed");
    assert_eq!(told(credit("5", &allowed, None)), error("missing-field", "customer"));
    assert_eq!(told(credit("6", &by_hand, Some("c2"))).0, "customer-mismatch");
    assert_eq!(credit("7", &by_hand, None).unwrap(), "5.00");
    assert_eq!(credit("7", &by_hand, None).unwrap(), "5.00", "a repetition");
    assert_eq!(credit("8", &allowed, Some("c1")).unwrap(), "10.00");
    assert_eq!(told(credit("9", &allowed, Some("c1"))).0, "card-closed");
}
