//! Whether what many clients saw of a few cards can be explained by one order of what they did, each operation once, at
//! some moment between its question and its answer; and whether a store that lies would be found out by that.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::sync::Arc;
use std::sync::atomic::Ordering;

use giftcard::Desk;
use giftcard_ledger::store::Store;
use giftcard_tests::bank;
use giftcard_tests::concurrency::books::Books;
use giftcard_tests::concurrency::faults::{Cut, Fault, Faulty, Liar, Lie};
use giftcard_tests::concurrency::place::{Place, SEED};
use giftcard_tests::linear::Told;
use giftcard_tests::linear::workload::{BALANCE, Histories, Load, run};

giftcard_tests::on_every_store! {
    what_clients_saw_has_an_explanation;
    every_lie_of_a_store_is_found_out;
}

/// How many desks ask at once. They share nothing but the database, as processes do.
const DESKS: u64 = 2;

/// What the clients of desks on faulty stores saw.
fn histories<F: Fault + 'static>(
    place: &Place,
    load: Load,
    fault: impl Fn(u64) -> F,
) -> (Histories, Vec<Arc<Faulty<F>>>) {
    let cards = bank::issue(&place.desk(0), 0, load.cards, BALANCE);
    let stores: Vec<Arc<Faulty<F>>> = (1..=DESKS).map(|run| Arc::new(Faulty::new(place.store(), fault(run)))).collect();
    let desk = |(store, run): (&Arc<Faulty<F>>, u64)| bank::desk(Arc::clone(store) as Arc<dyn Store>, SEED, run);
    let desks: Vec<Desk> = stores.iter().zip(1..).map(desk).collect();
    (run(&desks, &cards, load), stores)
}

fn what_clients_saw_has_an_explanation(place: &Place) {
    let load = Load { cards: 10, clients: 16, operations: 320, seed: 1, gives_up_one_in: 3 };
    let (histories, stores) = histories(place, load, |run| Cut::one_in(60, run));
    assert!(histories.len() >= 10_000, "{} operations", histories.len());
    histories.explain().unwrap_or_else(|(card, why)| panic!("card {card}: {why}"));
    // It was worth something: there was not always enough, and not everything was heard of.
    let count = |told: Told| histories.count(|found| *found == told);
    assert!(count(Told::Refused) > 500 && count(Told::Nothing) > 10, "{} unknown", histories.unknown);
    assert!(stores.iter().all(|store| store.fault.before.load(Ordering::Relaxed) > 0));
    assert!(stores.iter().all(|store| store.fault.after.load(Ordering::Relaxed) > 0));
    assert_eq!(histories.busy, 0);
    let _ = Books::audited(&*place.store());
}

fn every_lie_of_a_store_is_found_out(place: &Place) {
    for lie in Lie::ALL {
        let load = Load { cards: 2, clients: 8, operations: 50, seed: 2, gives_up_one_in: 1 };
        let place = if place.is_file() { Place::sqlite() } else { Place::postgres() };
        let (histories, stores) = histories(&place, load, |run| Liar::one_in(lie, 3, run));
        let lies: u64 = stores.iter().map(|store| store.fault.lies.load(Ordering::Relaxed)).sum();
        let found = histories.explain();
        let why = found.expect_err(&format!("{lie:?}, {lies} times, was not found out")).1;
        assert!(!why.gave_up, "{lie:?}: {why}");
    }
}
