//! What a process remembers of cards spares it the reading, and is never believed: whatever another process has done
//! meanwhile counts.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use giftcard::desk::PayKind;
use giftcard::{Desk, Doing};
use giftcard_ledger::model::{RecordKey, RecordKind};
use giftcard_ledger::operations::{ChangeState, Receipt, StateChange};
use giftcard_ledger::store::{Changes, Found, RecordChange, Store, StoreError, Verdict, Want};
use giftcard_tests::bank::{self, NOW};
use giftcard_tests::concurrency::books::Books;
use giftcard_tests::concurrency::calls::{Call, What, doing};
use giftcard_tests::concurrency::faults::{Fault, Faulty};
use giftcard_tests::concurrency::place::{Place, SEED, site};
use serde_json::json;

const MINUTE_MS: i64 = 60_000;

const CODE: &str = "9F3K-7Q2M-X8BT-4RWN";

giftcard_tests::on_every_store! {
    a_payment_with_a_known_card_reads_nothing;
    a_process_without_memory_reads_its_cards_once_each_and_pays_the_same;
    cards_that_many_ask_for_are_read_together;
    a_read_that_panics_keeps_nobody_else_from_reading;
    a_code_of_two_sites_is_that_of_the_site_that_asks;
    money_that_another_process_took_is_not_spent_again;
    money_that_another_process_added_can_be_spent;
    a_card_that_another_process_disabled_pays_nothing;
    an_order_that_another_process_was_paid_for_is_not_paid_again;
    an_operation_that_another_process_did_is_answered;
    a_hold_that_has_passed_is_given_back_first;
    a_site_that_another_process_changed_is_read_again;
}

/// Counts the reads of operations and of cards.
#[derive(Default)]
struct Reads(AtomicU64);

impl Fault for Reads {
    fn find(&self, inner: &dyn Store, want: &Want) -> Result<Found, StoreError> {
        if want.operation.is_some() || !want.codes.is_empty() {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
        inner.find(want)
    }
}

/// Two desks of one ledger, of which the first remembers card 0 with 1000 cents, 10 of them spent.
fn two_desks(place: &Place) -> (Desk, Desk, Arc<Faulty<Reads>>) {
    bank::issue(&place.desk(0), 0, 1, 1_000);
    let store = Arc::new(Faulty::new(place.store(), Reads::default()));
    let first = bank::desk(Arc::clone(&store) as Arc<dyn Store>, SEED, 1);
    assert_eq!(pay(&first, "first", 10), "done");
    (first, place.desk(2), store)
}

/// Pays exactly that; returns how it was answered.
fn pay(desk: &Desk, key: &str, amount: i64) -> String {
    Call::exact(key, amount, &bank::code(0)).ask_patiently(desk).code().to_string()
}

fn check(place: &Place, balance: i64) {
    let books = Books::audited(&*place.store());
    let balances: Vec<i64> = books.all.accounts.iter().map(|account| account.balance.get()).collect();
    assert_eq!(balances, [balance]);
}

fn a_payment_with_a_known_card_reads_nothing(place: &Place) {
    let (first, _, store) = two_desks(place);
    let (read, begun) = (store.fault.0.load(Ordering::Relaxed), Instant::now());
    assert!(read > 0, "the first payment has to read");
    for number in 0..20 {
        assert_eq!(pay(&first, &format!("again {number}"), 1), "done");
    }
    // What is older than a second is read again, and that a new connection was made may come to light once.
    let more = store.fault.0.load(Ordering::Relaxed) - read;
    let seconds = begun.elapsed().as_secs();
    assert!(more <= seconds + 2, "{more} reads for 20 payments in {seconds} s");
    check(place, 970);
}

/// Without memory each payment reads, and once; with enough for all cards each card is read once.
fn a_process_without_memory_reads_its_cards_once_each_and_pays_the_same(place: &Place) {
    const CARDS: usize = 40;
    bank::issue(&place.desk(0), 0, CARDS, 1_000);
    let pay_all = |memory: u64, run: u64| {
        let (store, begun) = (Arc::new(Faulty::new(place.store(), Reads::default())), Instant::now());
        let desk = bank::desk(Arc::clone(&store) as Arc<dyn Store>, SEED, run).with_memory(memory);
        for round in 0..3 {
            for card in 0..CARDS {
                let call = Call::exact(&format!("{run} {round} {card}"), 10, &bank::code(card));
                assert_eq!(call.ask_patiently(&desk).code(), "done");
            }
        }
        // Once a second what is remembered is too old, and that a new connection was made may come to light once.
        (store.fault.0.load(Ordering::Relaxed), begun.elapsed().as_secs() + 2)
    };
    let (cards, payments) = (CARDS as u64, 3 * CARDS as u64);
    let ((without, beside), (with, more)) = (pay_all(0, 1), pay_all(1 << 20, 2));
    assert!((payments..=payments + beside).contains(&without), "{without} reads for {payments} payments");
    assert!((cards..=cards + more).contains(&with), "{with} reads for {payments} payments with {cards} cards");
    let books = Books::audited(&*place.store());
    assert!(books.all.accounts.iter().all(|account| account.balance.get() == 1_000 - 60));
}

/// Slow reads, of which the first may panic.
struct Slow {
    is_on: AtomicBool,
    reads: AtomicU64,
    first_panics: bool,
}

impl Fault for Slow {
    fn find(&self, inner: &dyn Store, want: &Want) -> Result<Found, StoreError> {
        if !want.codes.is_empty() && self.is_on.load(Ordering::Relaxed) {
            let before = self.reads.fetch_add(1, Ordering::Relaxed);
            std::thread::sleep(Duration::from_millis(200));
            assert!(before > 0 || !self.first_panics, "as it was told");
        }
        inner.find(want)
    }
}

/// Eight clients pay with cards that were not seen yet, all at the same time. Returns how many were answered, and how
/// often cards were read. Before that others are paid with, so that every connection is there.
fn pay_with_unseen_cards(place: &Place, first_panics: bool) -> (usize, u64) {
    bank::issue(&place.desk(0), 0, 16, 1_000);
    let slow = Slow { is_on: AtomicBool::new(false), reads: AtomicU64::new(0), first_panics };
    let store = Arc::new(Faulty::new(place.store(), slow));
    let desk = bank::desk(Arc::clone(&store) as Arc<dyn Store>, SEED, 1);
    let pay_with = |cards: std::ops::Range<usize>| {
        std::thread::scope(|scope| {
            let pay = |card| Call::exact(&format!("pay {card}"), 10, &bank::code(card)).ask_patiently(&desk);
            let clients: Vec<_> = cards.map(|card| scope.spawn(move || pay(card))).collect();
            clients.into_iter().filter_map(|client| client.join().ok()).filter(|answer| answer.code() == "done").count()
        })
    };
    assert_eq!(pay_with(8..16), 8);
    store.fault.is_on.store(true, Ordering::Relaxed);
    let paid = pay_with(0..8);
    let _ = Books::audited(&*place.store());
    (paid, store.fault.reads.load(Ordering::Relaxed))
}

fn cards_that_many_ask_for_are_read_together(place: &Place) {
    let (paid, reads) = pay_with_unseen_cards(place, false);
    assert_eq!(paid, 8);
    assert!(reads < 8, "{reads} reads for 8 cards");
}

fn a_read_that_panics_keeps_nobody_else_from_reading(place: &Place) {
    let (paid, _) = pay_with_unseen_cards(place, true);
    assert_eq!(paid, 7);
}

/// The same text is a code at two sites, of which one takes the cards of the other: to each its own card comes first,
/// whichever this process has seen.
fn a_code_of_two_sites_is_that_of_the_site_that_asks(place: &Place) {
    let desk = place.desk(1);
    desk.set_site(&serde_json::from_value(json!({ "id": "outlet", "currency": "USD" })).unwrap()).unwrap();
    let shared = json!({ "name": "shared", "code_name": "shared", "accepted_by": [bank::SITE] });
    desk.set_programme("outlet", &serde_json::from_value(shared).unwrap()).unwrap();
    let issue = |desk: &Desk, site: &str, programme: &str| {
        let card = json!({ "programme": programme, "value": "10.00", "code": CODE });
        let doing = Doing { site, operation: "issue it", actor: None, now: NOW };
        desk.issue(&doing, &serde_json::from_value(card).unwrap()).unwrap().cards[0].id.clone()
    };
    let pay = |site: &str, key: &str| {
        let order = json!({ "id": key, "site": site, "currency": "USD", "total": "1.00" });
        let payment = json!({ "operation": key, "site": site, "order": order, "cards": [{ "code": CODE }] });
        let answer = desk.pay(&serde_json::from_value(payment).unwrap(), PayKind::Redeem, NOW).unwrap();
        let receipt: Receipt = serde_json::from_str(&answer.text).unwrap();
        receipt.accounts[0].id.to_string()
    };
    let theirs = issue(&desk, "outlet", "shared");
    // Where the site has no such card, it takes the other's.
    let paid = [pay("outlet", "1"), pay(bank::SITE, "2"), pay(bank::SITE, "3")];
    assert!(paid.iter().all(|card| *card == theirs), "{paid:?}, not {theirs}");
    // By another process, so that this one is not told.
    let own = issue(&place.desk(2), bank::SITE, "manual");
    assert_eq!([pay(bank::SITE, "4"), pay("outlet", "5"), pay(bank::SITE, "6")], [own.clone(), theirs, own]);
    let _ = Books::audited(&*place.store());
}

fn money_that_another_process_took_is_not_spent_again(place: &Place) {
    let (first, other, _) = two_desks(place);
    assert_eq!(pay(&other, "other", 900), "done");
    assert_eq!(pay(&first, "too much", 91), "insufficient-funds");
    assert_eq!(pay(&first, "the rest", 90), "done");
    check(place, 0);
}

fn money_that_another_process_added_can_be_spent(place: &Place) {
    let (first, other, _) = two_desks(place);
    let load = What::Load { operation: "load".to_string(), code: bank::code(0), amount: 500 };
    assert_eq!(Call { now: NOW, what: load }.ask_patiently(&other).code(), "done");
    // What is remembered says no; what is there says yes.
    assert_eq!(pay(&first, "all", 1_490), "done");
    check(place, 0);
}

fn a_card_that_another_process_disabled_pays_nothing(place: &Place) {
    let (first, other, _) = two_desks(place);
    let code = serde_json::from_value(json!(bank::code(0))).unwrap();
    let target = other.target_of_code(bank::SITE, &code);
    let command = ChangeState { target, change: StateChange::Disable, reason: None };
    other.operate(&doing("disable", NOW), &command, &json!("disable")).unwrap();
    assert_eq!(pay(&first, "pay", 1), "card-disabled");
    check(place, 990);
}

fn an_order_that_another_process_was_paid_for_is_not_paid_again(place: &Place) {
    let (first, other, _) = two_desks(place);
    let order = |key: &str| Call::redeem(key, "one order", 300, &[bank::code(0)]);
    assert_eq!(order("one").ask_patiently(&other).code(), "done");
    assert_eq!(order("two").ask_patiently(&first).code(), "order-already-paid");
    check(place, 690);
}

fn an_operation_that_another_process_did_is_answered(place: &Place) {
    let (first, other, _) = two_desks(place);
    let call = Call::exact("both", 100, &bank::code(0));
    let (done, repeated) = (call.ask(&other).unwrap(), call.ask(&first).unwrap());
    assert_eq!((done.text, false, true), (repeated.text, done.repeated, repeated.repeated));
    // Another request under that key is refused, and not done.
    assert_eq!(pay(&other, "key", 100), "done");
    assert_eq!(pay(&first, "key", 101), "operation-key-reused");
    check(place, 790);
}

fn a_hold_that_has_passed_is_given_back_first(place: &Place) {
    let (first, _, _) = two_desks(place);
    let hold = Call::redeem("hold", "held", 990, &[bank::code(0)]).as_hold(30);
    assert_eq!(hold.ask_patiently(&first).code(), "done");
    let late = Call::exact("late", 990, &bank::code(0));
    assert_eq!(late.at(NOW + 30 * MINUTE_MS - 1).ask_patiently(&first).code(), "card-empty");
    let later = Call::exact("later", 990, &bank::code(0)).at(NOW + 30 * MINUTE_MS);
    assert_eq!(later.ask_patiently(&first).code(), "done");
    check(place, 0);
}

fn a_site_that_another_process_changed_is_read_again(place: &Place) {
    let (first, _, _) = two_desks(place);
    let mut document = site();
    document["hold_minutes"] = json!(7);
    let key = RecordKey { kind: RecordKind::Site, site: String::new(), id: bank::SITE.to_string() };
    let change = RecordChange { key, before: Some(1), body: Some(document.to_string()) };
    let changes = Changes { records: vec![change], ..Changes::default() };
    assert_eq!(place.store().commit(0, &[&changes]).unwrap(), [Verdict::Committed]);
    let Call { now, what: What::Redeem(document) } = Call::redeem("hold", "held", 100, &[bank::code(0)]) else {
        panic!("a redemption")
    };
    let answer = Call { now, what: What::Hold(document) }.ask(&first).unwrap();
    let receipt: Receipt = serde_json::from_str(&answer.text).unwrap();
    assert_eq!(receipt.ends_at.as_deref(), Some("2026-11-22T12:07:00Z"));
    check(place, 990);
}
