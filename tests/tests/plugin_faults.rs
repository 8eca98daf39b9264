//! What becomes of orders while an installed plugin cannot be loaded, and while a version that looks on takes its time; on both
//! stores.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::sync::Arc;
use std::sync::atomic::Ordering;

use giftcard::desk::{Changing, Installing, PayKind, component_digest};
use giftcard_tests::bank::{NOW, SITE};
use giftcard_tests::both::Fresh;
use giftcard_tests::concurrency::faults::{Faulty, NoComponents, SlowShadow};
use giftcard_tests::harness::component_bytes;
use giftcard_tests::shop::{Card, Shop, payment, read, refused};
use serde_json::{Value, json};

/// Of one product; by default its first version wants three, and its second one wants orders to go to the United States.
const ID: &str = "welcome-gift";

/// More orders than wait to be looked at.
const ORDERS: usize = 1_100;

const THREADS: usize = 4;

/// A shop in which the second version decides and the first one is installed beside it, with some cards.
fn shop(fresh: &Fresh) -> (Shop, Vec<Card>) {
    let shop = Shop::open(fresh);
    for number in [1, 2] {
        let installing = Installing { file: "a", signature: None, grant: false, actor: None, now: NOW };
        shop.desk.install_plugin(SITE, &component_bytes(&format!("tests/{ID}-v{number}")), &installing).unwrap();
    }
    shop.desk.activate_plugin(&changing(), Some("2.0.0")).unwrap();
    let document = json!({ "code_name": "welcome", "name": "Welcome", "conditions": [{ "plugin": ID }] });
    shop.desk.set_programme(SITE, &read(document)).unwrap();
    let cards = shop.cards(json!({ "value": "100.00", "programme": "welcome", "count": THREADS }));
    (shop, cards)
}

fn changing<'a>() -> Changing<'a> {
    Changing { site: SITE, id: ID, actor: None, now: NOW }
}

fn order(id: &str, country: &str, card: &Card) -> Value {
    let mut document = payment(id, "0.01", &[card.entry()]);
    document["order"]["lines"] = json!([{ "total": "0.01" }]);
    document["order"]["ship_to"] = json!({ "country": country });
    document
}

/// A database that gives no bytes at the moment makes no decision, and nothing is remembered of it: not that a card is
/// refused, nor that the plugin cannot be used.
fn a_plugin_that_cannot_be_loaded_now_decides_nothing_and_later_as_ever(fresh: &Fresh) {
    let (first, cards) = shop(fresh);
    let faulty = Arc::new(Faulty::new(fresh.open(), NoComponents::default()));
    let shop = Shop::on(faulty.clone());
    faulty.fault.is_set.store(true, Ordering::Relaxed);
    let mut document = order("first", "US", &cards[0]);
    document["operation"] = "pay".into();
    for _ in 0..3 {
        assert_eq!(refused(shop.pay(PayKind::Redeem, document.clone())), "database-unavailable");
    }
    assert!(faulty.fault.asked.load(Ordering::Relaxed) >= 3, "each of them asks anew");
    faulty.fault.is_set.store(false, Ordering::Relaxed);
    assert_eq!(shop.balance(&cards[0]), "100.00");
    shop.pay(PayKind::Redeem, document).unwrap();
    assert_eq!(shop.balance(&cards[0]), "99.99");
    assert_eq!(refused(shop.pay(PayKind::Redeem, order("second", "DE", &cards[0]))), "no-card-usable");
    // Once it is loaded nobody asks for its bytes again.
    faulty.fault.is_set.store(true, Ordering::Relaxed);
    shop.pay(PayKind::Redeem, order("third", "US", &cards[0])).unwrap();
    first.check_books();
}

/// While a version that looks on gets nowhere, orders are paid: they wait for nothing of it. What it could not be shown is
/// counted.
fn orders_wait_for_no_version_that_looks_on(fresh: &Fresh) {
    let (first, cards) = shop(fresh);
    first.desk.shadow_plugin(&changing(), Some("1.0.0")).unwrap();
    let faulty = Arc::new(Faulty::new(fresh.open(), SlowShadow::default()));
    let shop = Shop::on(faulty.clone());
    std::thread::scope(|scope| {
        for (thread, card) in cards.iter().enumerate() {
            let shop = &shop;
            scope.spawn(move || {
                for number in 0..ORDERS / THREADS {
                    shop.pay(PayKind::Redeem, order(&format!("o-{thread}-{number}"), "US", card)).unwrap();
                }
            });
        }
    });
    faulty.fault.open();
    let digest = component_digest(&component_bytes(&format!("tests/{ID}-v1")));
    let counts = shop.desk.shadow_report(SITE, ID, &digest).unwrap().counts;
    let orders = (ORDERS / THREADS * THREADS) as u64;
    assert_eq!(counts.decisions + counts.skipped, orders, "{counts:?}");
    assert_eq!((counts.decisions, counts.same), (counts.different, 0), "it wants three products: {counts:?}");
    assert!(counts.skipped > 0 && counts.decisions > 1, "{counts:?}");
    shop.check_books();
}

giftcard_tests::on_both_stores! {
    a_plugin_that_cannot_be_loaded_now_decides_nothing_and_later_as_ever,
    orders_wait_for_no_version_that_looks_on,
}
