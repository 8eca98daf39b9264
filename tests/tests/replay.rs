//! Decisions of the past under other rules, on both stores: what is counted, what is chosen, and that a replay can be gone on
//! with; and that what decided is kept by the ledger.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::num::NonZero;
use std::sync::Arc;

use giftcard::desk::{
    Changing, Installing, PayKind, Period, ReplayOptions, ReplayReport, ReplaySettings, ReplayState, replay_picture,
};
use giftcard::input::DayOrInstant;
use giftcard::{Desk, Shelf, Till};
use giftcard_host::{Component, Host, HostConfig, Rulebook};
use giftcard_ledger::model::OperationKey;
use giftcard_tests::bank::{self, NOW, SITE};
use giftcard_tests::both::Fresh;
use giftcard_tests::harness::component_bytes;
use giftcard_tests::shop::{Card, Shop, payment, read};
use serde_json::{Value, json};

/// Of the first version, three products by default; the second wants orders to go to the United States.
const ID: &str = "welcome-gift";

/// Orders that are recorded.
const ORDERS: u64 = 40;

fn version(number: u8) -> Vec<u8> {
    component_bytes(&format!("tests/welcome-gift-v{number}"))
}

/// A shop with orders of one and two products that were paid while the first version wanted one: every other goes to
/// Germany, and every fourth is paid with a card of no programme as well.
fn shop(fresh: &Fresh) -> Shop {
    let shop = Shop::open(fresh);
    for number in [1, 2] {
        let installing = Installing { file: "a", signature: None, grant: false, actor: None, now: NOW };
        shop.desk.install_plugin(SITE, &version(number), &installing).unwrap();
    }
    let changing = Changing { site: SITE, id: ID, actor: None, now: NOW };
    shop.desk.activate_plugin(&changing, Some("1.0.0")).unwrap();
    let conditions = json!([{ "plugin": ID, "settings": { "products": 1 } }]);
    let document = json!({ "code_name": "welcome", "name": "Welcome", "conditions": conditions });
    shop.desk.set_programme(SITE, &read(document)).unwrap();
    let (card, other) =
        (shop.cards(json!({ "value": "900.00", "programme": "welcome" })).remove(0), shop.card("900.00"));
    for number in 0..ORDERS {
        shop.set_now(NOW + i64::try_from(number).unwrap() * 3_600_000);
        shop.pay(PayKind::Redeem, order(number, &card, &other)).unwrap();
    }
    shop
}

fn order(number: u64, card: &Card, other: &Card) -> Value {
    let both = number.is_multiple_of(4);
    let mut entries = vec![card.entry()];
    if both {
        // The first card pays what it may, the second the rest.
        entries[0]["use_at_most"] = "6.00".into();
        entries.push(other.entry());
    }
    let mut document = payment(&format!("o-{number}"), "10.00", &entries);
    let lines = if number.is_multiple_of(3) {
        json!([{ "total": "4.00" }, { "total": "6.00" }])
    } else {
        json!([{ "total": "10.00" }])
    };
    document["order"]["lines"] = lines;
    document["order"]["ship_to"] = json!({ "country": if number.is_multiple_of(2) { "DE" } else { "US" } });
    document["order"]["customer"] = json!({ "id": format!("c-{}", number % 5), "registered": true });
    document["operation"] = format!("pay-{number}").into();
    document
}

fn component(shop: &Shop, version: &str) -> Component {
    shop.desk.plugin_component(SITE, ID, Some(version)).unwrap()
}

fn with(settings: &str, programme: Option<&str>) -> ReplayOptions {
    let programme = programme.map(str::to_string);
    let settings = vec![ReplaySettings { plugin: ID.to_string(), programme, settings: settings.to_string() }];
    ReplayOptions { settings, ..ReplayOptions::default() }
}

fn run(shop: &Shop, options: &ReplayOptions) -> ReplayReport {
    let report = shop.desk.replay(options, None, &mut |_| true).unwrap().report();
    assert!(report.complete);
    report
}

fn nothing_else_is_the_same(fresh: &Fresh) {
    let report = run(&shop(fresh), &ReplayOptions::default());
    assert_eq!((report.decisions, report.same, report.different, report.concerned), (ORDERS, ORDERS, 0, 0));
    assert!(report.not_replayable.is_empty() && report.changes.is_empty());
    let rows: Vec<_> =
        report.programmes.iter().map(|row| (row.programme.as_str(), row.cards, row.before.as_str())).collect();
    // Ten orders of the forty are paid by both.
    assert_eq!(rows, [("manual", 10, "40.00"), ("welcome", 40, "360.00")]);
    assert!(report.programmes.iter().all(|row| row.difference == "0.00" && row.flipped == 0));
}

/// Two products are wanted: one order of three has them.
fn other_settings_are_counted(fresh: &Fresh) {
    let shop = shop(fresh);
    let report = run(&shop, &with(r#"{"products": 2}"#, Some("welcome")));
    let refused = (0..ORDERS).filter(|number| number % 3 != 0).count() as u64;
    assert_eq!((report.decisions, report.different, report.concerned), (ORDERS, refused, ORDERS));
    let both = (0..ORDERS).filter(|number| number % 3 != 0 && number % 4 == 0).count() as u64;
    assert_eq!(report.orders_refused, refused - both, "the second card pays where there is one");
    let [manual, welcome] = &report.programmes[..] else { panic!("{:?}", report.programmes) };
    assert_eq!((welcome.flipped, welcome.newly_refused, welcome.newly_accepted), (refused, refused, 0));
    // What the first card does not pay any more the second one does: 10.00 in place of 4.00.
    assert_eq!(manual.difference, format!("{}.00", both * 6));
    let less = (refused - both) * 10 + both * 6;
    assert_eq!(welcome.difference, format!("-{less}.00"));
    let first = &report.changes[0];
    assert_eq!(
        (first.order.as_deref(), first.before.as_str(), first.after.as_str()),
        (Some("o-1"), "used", "too-few-products")
    );
    assert_eq!((first.paid_before.as_str(), first.paid_after.as_str()), ("10.00 USD", "0.00 USD"));
    // At a programme that has no such binding nothing is put in.
    let elsewhere = run(&shop, &with(r#"{"products": 2}"#, Some("other")));
    assert_eq!((elsewhere.same, elsewhere.concerned), (ORDERS, 0));
    // Settings that the plugin does not take decide nothing.
    let wrong = run(&shop, &with(r#"{"product": 2}"#, None));
    assert_eq!((wrong.decisions, wrong.not_replayable.values().sum::<u64>()), (0, ORDERS));
    assert!(wrong.not_replayable.keys().any(|why| why.contains("`welcome-gift` has no such setting")), "{wrong:?}");
    let error = shop.desk.replay(&with("{", None), None, &mut |_| true).unwrap_err();
    assert!(error.to_string().contains("settings[0]"), "{error}");
    let picture = replay_picture(&report);
    assert!(
        picture.starts_with("<svg") && picture.contains("welcome (main)") && picture.contains("would have come out")
    );
}

/// With the second version and its settings half of the orders would have been refused.
fn another_version_is_tried(fresh: &Fresh) {
    let shop = shop(fresh);
    let options = ReplayOptions { components: vec![component(&shop, "2.0.0")], ..with("{}", None) };
    let report = run(&shop, &options);
    assert_eq!((report.different, report.concerned), (ORDERS / 2, ORDERS));
    assert!(report.changes.iter().all(|change| change.card.len() > 5 && change.after != "too-few-products"));
    // However many threads there are.
    let one = run(&shop, &ReplayOptions { threads: NonZero::new(1), ..options.clone() });
    let many = run(&shop, &ReplayOptions { threads: NonZero::new(3), ..options.clone() });
    for other in [one, many] {
        let timeless = |report: ReplayReport| ReplayReport { milliseconds: 0, deciding_milliseconds: 0, ..report };
        assert_eq!(timeless(other), timeless(report.clone()));
    }
    let twice = ReplayOptions { components: vec![component(&shop, "1.0.0"), component(&shop, "2.0.0")], ..options };
    let error = shop.desk.replay(&twice, None, &mut |_| true).unwrap_err();
    assert!(error.to_string().contains("two versions"), "{error}");
}

/// Half of what each of two cards paid goes back to it; rules that give all to the first would have split it otherwise.
fn refunds_are_split_by_other_rules(fresh: &Fresh) {
    let shop = shop(fresh);
    shop.refund("o-0", "cards", "5.00").unwrap();
    shop.refund("o-1", "order", "2.00").unwrap();
    // Without other rules there is nothing to split otherwise, and payments are counted as ever.
    let report = run(&shop, &ReplayOptions::default());
    assert_eq!((report.decisions, report.same, report.refunds), (ORDERS, ORDERS, 0));
    let with_rules = |name: &str| {
        let components = vec![shop.desk.load_for_trial(name, &component_bytes(name)).unwrap()];
        ReplayOptions { components, ..ReplayOptions::default() }
    };
    let report = run(&shop, &with_rules("gift-card"));
    assert_eq!((report.decisions, report.same, report.refunds, report.refunds_different), (ORDERS, ORDERS, 2, 0));
    let other = with_rules("tests/hostile-rules");
    let report = run(&shop, &other);
    assert_eq!((report.refunds, report.refunds_different), (2, 1));
    let rows: Vec<_> = report.returned.iter().map(|row| [&*row.programme, &row.before, &row.difference]).collect();
    assert_eq!(rows, [["", "0.00", "0.00"], ["manual", "2.00", "-2.00"], ["welcome", "5.00", "2.00"]]);
    let report = run(&shop, &ReplayOptions { programme: Some("manual".to_string()), ..other });
    assert_eq!((report.decisions, report.refunds), (10, 1));
}

fn some_of_them_are_chosen(fresh: &Fresh) {
    let shop = shop(fresh);
    let count = |options: ReplayOptions| run(&shop, &options).decisions;
    let period = |from: Option<&str>, to: Option<&str>| {
        let at = |day: &str| DayOrInstant(day.to_string());
        let period = Period { from: from.map(at), to: to.map(at) };
        ReplayOptions { period, ..ReplayOptions::default() }
    };
    // From noon of the 22nd on, one an hour.
    assert_eq!(count(period(None, Some("2026-11-23"))), 12);
    assert_eq!(count(period(Some("2026-11-23"), None)), ORDERS - 12);
    assert_eq!(count(period(Some("2026-11-23"), Some("2026-11-24"))), 24);
    let error = shop.desk.replay(&period(Some("2026-11-23"), Some("2026-11-23")), None, &mut |_| true).unwrap_err();
    assert!(error.to_string().contains("`from`"), "{error}");
    let of = |name: &str| ReplayOptions { programme: Some(name.to_string()), ..ReplayOptions::default() };
    assert_eq!([count(of("welcome")), count(of("manual")), count(of("none"))], [ORDERS, 10, 0]);
    let site = |name: &str| ReplayOptions { site: Some(name.to_string()), ..ReplayOptions::default() };
    assert_eq!(count(site(SITE)), ORDERS);
    assert!(shop.desk.replay(&site("nowhere"), None, &mut |_| true).is_err());
    let half = ReplayOptions { sample: Some(5_000), ..ReplayOptions::default() };
    let chosen = count(half.clone());
    assert!((8..=32).contains(&chosen), "{chosen} of {ORDERS} are a half, more or less");
    assert_eq!(count(half), chosen);
    for share in [0, 10_001] {
        let options = ReplayOptions { sample: Some(share), ..ReplayOptions::default() };
        let error = shop.desk.replay(&options, None, &mut |_| true).unwrap_err();
        assert!(error.to_string().contains("`sample`"), "{error}");
    }
}

fn what_was_erased_is_not_replayable(fresh: &Fresh) {
    let shop = shop(fresh);
    shop.desk.store().erase(SITE, "c-0").unwrap();
    let report = run(&shop, &ReplayOptions::default());
    assert_eq!((report.decisions, report.same), (ORDERS - 8, ORDERS - 8));
    assert_eq!(report.not_replayable.into_iter().collect::<Vec<_>>(), [("personal fields were erased".to_string(), 8)]);
}

/// What was stopped and gone on with finds the same as what was not.
fn a_replay_is_gone_on_with(fresh: &Fresh) {
    let shop = shop(fresh);
    let options = with(r#"{"products": 2}"#, None);
    let whole = shop.desk.replay(&options, None, &mut |_| true).unwrap();
    // Seven at a time: stopped after the third part, whatever the threads are at.
    let options = ReplayOptions { page: NonZero::new(7), ..options };
    let mut parts = 0;
    let mut third = |_: &ReplayState| {
        parts += 1;
        parts < 3
    };
    let stopped = shop.desk.replay(&options, None, &mut third).unwrap();
    assert_eq!((stopped.report().complete, stopped.decisions()), (false, 21));
    let kept: ReplayState = serde_json::from_str(&serde_json::to_string(&stopped).unwrap()).unwrap();
    assert_eq!(kept, stopped);
    // More orders came meanwhile.
    let card = shop.cards(json!({ "value": "50.00", "programme": "welcome" })).remove(0);
    shop.pay(PayKind::Redeem, order(ORDERS + 1, &card, &card)).unwrap();
    let gone_on = shop.desk.replay(&options, Some(kept.clone()), &mut |_| true).unwrap();
    assert_eq!((gone_on.decisions(), gone_on.report().complete), (whole.decisions() + 1, true));
    assert_eq!(gone_on.different(), whole.different() + 1);
    let error = shop.desk.replay(&ReplayOptions::default(), Some(kept), &mut |_| true).unwrap_err();
    assert!(error.to_string().contains("other options"), "{error}");
}

/// What a program without conditions finds when it runs a decision again that one with them made: as after a condition is
/// gone from the program. `keeps` says whether the first knows the bytes of what comes with it.
fn decided_by_what_is_gone(fresh: &Fresh, keeps: bool) -> &'static str {
    let store = fresh.open();
    let host = Host::new(HostConfig::default()).unwrap();
    let shelf = Shelf::standard(&host).unwrap();
    let rules = host.load_rules("gift-card", &component_bytes("gift-card")).unwrap();
    let desk = |till: Till, run: u64| Desk::new(Arc::clone(&store), till, bank::secrets(7), bank::randomness(run));
    let first = desk(if keeps { shelf.into_till() } else { Till::new(shelf.into_rulebook()) }, 1);
    first.set_site(&read(json!({ "id": SITE, "currency": "USD" }))).unwrap();
    let conditions = json!([{ "plugin": "ship-to", "settings": { "countries": ["US"] } }]);
    first.set_programme(SITE, &read(json!({ "code_name": "p", "name": "P", "conditions": conditions }))).unwrap();
    let issue = read(json!({ "value": "20.00", "programme": "p" }));
    let doing = giftcard::Doing { site: SITE, operation: "issue", actor: None, now: NOW };
    let code = first.issue(&doing, &issue).unwrap().cards[0].code.as_ref().unwrap().reveal().to_string();
    let mut document = payment("o", "5.00", &[json!({ "code": code })]);
    document["order"]["ship_to"] = json!({ "country": "US" });
    document["operation"] = "pay".into();
    first.pay(&read(document), PayKind::Redeem, NOW).unwrap();
    let key = OperationKey { site: SITE.to_string(), key: "pay".to_string() };
    desk(Till::new(Rulebook::new(rules)), 2).verify_operation(&key).unwrap().unwrap().decision
}

/// What came with the program when it decided is kept by the ledger, so that it decides again when it does not any more.
fn what_decided_is_kept(fresh: &Fresh) {
    assert_eq!(decided_by_what_is_gone(fresh, true), "same");
    assert_eq!(decided_by_what_is_gone(&fresh.another(), false), "not-replayable");
}

giftcard_tests::on_both_stores! {
    nothing_else_is_the_same,
    other_settings_are_counted,
    another_version_is_tried,
    refunds_are_split_by_other_rules,
    some_of_them_are_chosen,
    what_was_erased_is_not_replayable,
    a_replay_is_gone_on_with,
    what_decided_is_kept,
}
