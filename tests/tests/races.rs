//! Many clients at once, in threads and in processes, on one ledger: of what only some can have, exactly so many get it;
//! what is sent several times is done once; what was cut off, killed or crashed is neither lost nor doubled; and nobody is
//! told that the ledger is busy.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;
use std::panic::catch_unwind;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use giftcard::Desk;
use giftcard_ledger::model::{HoldState, Id, OperationKind};
use giftcard_ledger::operations::Receipt;
use giftcard_ledger::store::{Changes, Store, StoreError, Verdict};
use giftcard_tests::bank::{self, NOW};
use giftcard_tests::concurrency::books::Books;
use giftcard_tests::concurrency::calls::{Answered, Call, KEY_REUSED, Outcome, What, ask_all};
use giftcard_tests::concurrency::faults::{Cut, Fault, Faulty, Gate, Meanwhile};
use giftcard_tests::concurrency::fleet::{Client, Fleet};
use giftcard_tests::concurrency::medley;
use giftcard_tests::concurrency::place::{Place, SEED};
use giftcard_tests::postgres::Cluster;
use serde_json::json;

/// The program of a client process.
const CLIENT: &str = env!("CARGO_BIN_EXE_client");

/// How many clients there are at once.
const CLIENTS: usize = 64;

/// How many processes share them.
const PROCESSES: usize = 4;

const MINUTE_MS: i64 = 60_000;

static FLEET: Fleet = Fleet::of(CLIENT);

giftcard_tests::on_every_store! {
    exactly_as_many_clients_redeem_as_the_card_pays_for;
    exactly_as_many_clients_of_four_processes_redeem_as_the_card_pays_for;
    a_process_that_stays_and_some_that_come_and_go_share_one_ledger;
    two_cards_in_opposite_orders_never_lock_anyone_out;
    a_hold_that_has_passed_frees_its_money_for_everyone_at_once;
    a_hold_that_has_passed_does_not_come_back_with_the_clock;
    a_hold_is_captured_or_its_money_goes_to_another;
    of_the_same_operation_five_times_at_once_one_is_done;
    of_two_requests_with_one_key_one_is_done;
    what_is_cut_off_is_done_once;
    what_a_killed_process_was_doing_is_done_once;
    a_panic_in_a_commit_keeps_nobody_waiting;
    what_was_planned_on_a_commit_that_fell_through_is_planned_again;
    nobody_commits_for_others_longer_than_for_themselves;
    everything_at_once_leaves_sound_books;
    what_happens_between_two_reads_is_noticed;
    what_another_process_has_done_between_two_reads_is_answered;
}

/// Asks by all clients of all processes.
fn by_processes(place: &Place, calls: &[Call]) -> Vec<Answered> {
    FLEET.ask(place, calls, PROCESSES, CLIENTS / PROCESSES)
}

/// How many were done. Nobody may have been told anything but yes or one of these refusals: not even `busy`.
fn count_done(answers: &[Answered], refusals: &[&str]) -> usize {
    for answer in answers {
        assert!(answer.code() == "done" || refusals.contains(&answer.code()), "{answer:?}");
    }
    answers.iter().filter(|answer| answer.text().is_some()).count()
}

fn receipt(answer: &Answered) -> Receipt {
    serde_json::from_str(answer.text().unwrap_or_else(|| panic!("{answer:?}"))).unwrap()
}

fn exact(count: usize, amount: i64, card: usize) -> Vec<Call> {
    (0..count).map(|number| Call::exact(&format!("redeem-{number}"), amount, &bank::code(card))).collect()
}

/// A card has money for 20 of 64 redemptions, and some more that is not enough for another.
fn check_20_of_64(place: &Place, ask: impl Fn(&[Call]) -> Vec<Answered>) {
    let card = bank::issue(&place.desk(0), 0, 1, 700 * 20 + 699)[0];
    let calls = exact(CLIENTS, 700, 0);
    let answers = ask(&calls);
    assert_eq!(count_done(&answers, &["insufficient-funds"]), 20);
    let books = Books::audited(&*place.store());
    assert_eq!((books.balance(card), books.count(OperationKind::Redeem)), (699, 20));
    books.assert_answers(&calls, &answers);
    let mut left: Vec<String> = answers
        .iter()
        .filter(|answer| answer.text().is_some())
        .map(receipt)
        .map(|receipt| receipt.accounts[0].balance.clone())
        .collect();
    left.sort();
    left.dedup();
    assert_eq!(left.len(), 20, "everyone saw another balance");
}

fn exactly_as_many_clients_redeem_as_the_card_pays_for(place: &Place) {
    let desk = place.desk(1);
    check_20_of_64(place, |calls| ask_all(&desk, calls, CLIENTS));
}

fn exactly_as_many_clients_of_four_processes_redeem_as_the_card_pays_for(place: &Place) {
    check_20_of_64(place, |calls| by_processes(place, calls));
}

fn a_process_that_stays_and_some_that_come_and_go_share_one_ledger(place: &Place) {
    const SHORT: usize = 3;
    let card = bank::issue(&place.desk(0), 0, 1, 100 * 150)[0];
    let calls = exact(200, 100, 0);
    let (staying, short) = calls.split_at(200 - 2 * SHORT);
    let desk = place.desk(1);
    let (mut answers, short_answers) = std::thread::scope(|scope| {
        let stays = scope.spawn(|| {
            // Never idle while the others come and go.
            let mut answers = Vec::new();
            for hand in staying.chunks(8) {
                answers.extend(ask_all(&desk, hand, 8));
                std::thread::sleep(Duration::from_millis(20));
            }
            answers
        });
        let mut answers = Vec::new();
        for (number, hand) in short.chunks(2).enumerate() {
            let mut client = Client::start(CLIENT);
            client.open(place, 2_000 + number as u64);
            client.wait_until_ready();
            client.send(hand, 2);
            answers.extend(client.answers());
        }
        (stays.join().unwrap(), answers)
    });
    answers.extend(short_answers);
    assert_eq!(count_done(&answers, &["card-empty"]), 150);
    let books = Books::audited(&*place.store());
    assert_eq!(books.balance(card), 0);
    books.assert_answers(&calls, &answers);
}

fn two_cards_in_opposite_orders_never_lock_anyone_out(place: &Place) {
    let cards = bank::issue(&place.desk(0), 0, 2, 1_000_000);
    let call = |number: usize| {
        let (first, second) = if number.is_multiple_of(2) { (0, 1) } else { (1, 0) };
        let cards =
            vec![json!({ "code": bank::code(first), "use_at_most": "1.00" }), json!({ "code": bank::code(second) })];
        let name = format!("redeem-{number}");
        Call { now: NOW, what: What::Redeem(bank::payment_document(&name, &name, 300, cards)) }
    };
    let calls: Vec<Call> = (0..2 * CLIENTS).map(call).collect();
    let answers = by_processes(place, &calls);
    assert_eq!(count_done(&answers, &[]), 2 * CLIENTS);
    let books = Books::audited(&*place.store());
    let spent = 300 * CLIENTS as i64;
    assert_eq!((books.balance(cards[0]), books.balance(cards[1])), (1_000_000 - spent, 1_000_000 - spent));
    books.assert_answers(&calls, &answers);
}

/// Takes a hold of everything on a card for 30 minutes. Returns its id.
fn hold_all(desk: &Desk, card: usize, total: i64) -> Id {
    let name = format!("hold-{card}");
    let answer = Call::redeem(&name, &name, total, &[bank::code(card)]).as_hold(30).ask_patiently(desk);
    receipt(&answer).hold.unwrap()
}

fn a_hold_that_has_passed_frees_its_money_for_everyone_at_once(place: &Place) {
    // One card for everyone, and some for one client of each process, who all look at it first.
    const FEW: usize = 24;
    let desk = place.desk(0);
    let cards = bank::issue(&desk, 0, 1 + FEW, 100 * CLIENTS as i64);
    let holds: Vec<Id> = (0..=FEW).map(|card| hold_all(&desk, card, 100 * CLIENTS as i64)).collect();
    let end = NOW + 30 * MINUTE_MS;
    let early = by_processes(place, &[Call::exact("early", 100, &bank::code(0)).at(end - 1)]);
    assert_eq!(early[0].code(), "card-empty");
    // Nothing works in the background, and nobody has looked at it since.
    let of_few = |number: usize| {
        let card = 1 + number / PROCESSES;
        Call::exact(&format!("of-few-{number}"), 100 * (CLIENTS / PROCESSES) as i64, &bank::code(card))
    };
    let calls = exact(CLIENTS, 100, 0).into_iter().chain((0..FEW * PROCESSES).map(of_few));
    let calls: Vec<Call> = calls.map(|call| call.at(end)).collect();
    let answers = by_processes(place, &calls);
    assert_eq!(count_done(&answers, &[]), calls.len());
    let books = Books::audited(&*place.store());
    assert!(cards.iter().all(|card| books.balance(*card) == 0));
    assert_eq!(books.count(OperationKind::ExpireHold), 1 + FEW);
    assert!(holds.iter().all(|hold| books.holds[hold].state == HoldState::Expired));
    books.assert_answers(&calls, &answers);
}

/// However it was noticed that a hold has passed, a process that begins later with a clock that is behind does not see it
/// again.
fn a_hold_that_has_passed_does_not_come_back_with_the_clock(place: &Place) {
    type Notice = fn(&str, &Id) -> Call;
    let notices: [Notice; 4] = [
        |code, _| Call::exact("noticed by a redemption", 100, code),
        |code, _| Call::exact("noticed by a refusal", 100_000, code),
        |_, hold| Call::capture("noticed by a capture", &hold.to_string()),
        |code, _| {
            let card = json!({ "code": code });
            Call { now: NOW, what: What::Quote(bank::payment_document("quote", "quote", 100, vec![card])) }
        },
    ];
    let end = NOW + 30 * MINUTE_MS;
    bank::issue(&place.desk(0), 0, notices.len(), 1_000);
    for (card, notice) in notices.into_iter().enumerate() {
        // All clocks are at the same moment again; only what the ledger knows makes it later.
        let hold = hold_all(&place.desk(1), card, 1_000);
        let held_at = receipt_time(place, &format!("hold-{card}"));
        let noticed = notice(&bank::code(card), &hold).at(held_at + 30 * MINUTE_MS).ask_patiently(&place.desk(2));
        assert!(
            noticed.text().is_some() || ["insufficient-funds", "hold-not-open"].contains(&noticed.code()),
            "{noticed:?}"
        );
        let behind = place.desk(3);
        let capture = Call::capture(&format!("capture-{card}"), &hold.to_string()).at(held_at).ask_patiently(&behind);
        assert_eq!(capture.code(), "hold-not-open", "card {card}");
        let redeemed = Call::exact(&format!("after-{card}"), 900, &bank::code(card)).at(held_at).ask_patiently(&behind);
        assert_eq!(redeemed.code(), "done", "card {card}");
    }
    let books = Books::audited(&*place.store());
    assert!(books.holds.values().all(|hold| hold.state == HoldState::Expired));
    assert!(books.all.high_water >= end);
    // Time never goes back within the books.
    assert!(books.all.operations.windows(2).all(|pair| pair[0].operation.at <= pair[1].operation.at));
}

/// When an operation was done.
fn receipt_time(place: &Place, key: &str) -> i64 {
    let operations = place.store().operations(0, usize::MAX).unwrap();
    operations.iter().find(|numbered| numbered.operation.key.key == key).unwrap().operation.at
}

fn a_hold_is_captured_or_its_money_goes_to_another(place: &Place) {
    const CARDS: usize = 16;
    let desk = place.desk(0);
    let cards = bank::issue(&desk, 0, CARDS, 1_000);
    let holds: Vec<Id> = (0..CARDS).map(|card| hold_all(&desk, card, 1_000)).collect();
    let end = NOW + 30 * MINUTE_MS;
    let calls: Vec<Call> = (0..CARDS)
        .flat_map(|card| {
            let capture = Call::capture(&format!("capture-{card}"), &holds[card].to_string()).at(end - 1);
            let redeem = |name| Call::exact(&format!("{name}-{card}"), 1_000, &bank::code(card)).at(end);
            [capture, redeem("first"), redeem("second")]
        })
        .collect();
    let answers = by_processes(place, &calls);
    count_done(&answers, &["hold-not-open", "card-empty"]);
    for (card, three) in answers.chunks(3).enumerate() {
        assert_eq!(three.iter().filter(|answer| answer.text().is_some()).count(), 1, "card {card}: {three:?}");
    }
    let books = Books::audited(&*place.store());
    assert!(cards.iter().all(|card| books.balance(*card) == 0));
    books.assert_answers(&calls, &answers);
}

/// A redemption, a hold, a capture, a void, a load, a correction and a refund, of which the later ones build on orders and
/// holds that are there already.
fn one_of_each(desk: &Desk) -> Vec<Call> {
    bank::issue(desk, 0, 2, 100_000);
    let before = |name: &str| Call::redeem(name, name, 1_000, &[bank::code(0), bank::code(1)]);
    let hold = |name: &str| receipt(&before(name).as_hold(30).ask_patiently(desk)).hold.unwrap().to_string();
    let (captured, voided) = (hold("to capture"), hold("to void"));
    assert_eq!(before("to refund").ask_patiently(desk).code(), "done");
    let both = [bank::code(1), bank::code(0)];
    vec![
        Call::redeem("redeem", "redeem", 150_000, &both),
        Call::redeem("hold", "hold", 1_000, &both).as_hold(30),
        Call::capture("capture", &captured),
        Call { now: NOW, what: What::Void { operation: "void".to_string(), hold: voided } },
        Call { now: NOW, what: What::Load { operation: "load".to_string(), code: bank::code(0), amount: 500 } },
        Call { now: NOW, what: What::Adjust { operation: "adjust".to_string(), code: bank::code(1), by: 7 } },
        Call::refund("refund", "to refund", 400),
    ]
}

fn of_the_same_operation_five_times_at_once_one_is_done(place: &Place) {
    let kinds = one_of_each(&place.desk(0));
    let refused = Call::exact("refused", 10_000_000, &bank::code(0));
    let mut calls: Vec<Call> =
        kinds.iter().chain([&refused]).flat_map(|call| std::iter::repeat_n(call.clone(), 5)).collect();
    // Once by processes, then by the threads of one more, whose every answer is a repetition.
    let mut answers = by_processes(place, &calls);
    let again = ask_all(&place.desk(1), &calls, CLIENTS);
    for (place, five) in answers.chunks(5).enumerate() {
        assert!(five.iter().all(|answer| answer.text() == five[0].text()), "{five:?}");
        let done_now = |answer: &&Answered| matches!(answer.outcome, Outcome::Done { repeated: false, .. });
        let (expected, code) = if place < kinds.len() { (1, "done") } else { (0, "insufficient-funds") };
        assert_eq!(five.iter().filter(done_now).count(), expected, "{five:?}");
        assert!(five.iter().all(|answer| answer.code() == code), "{five:?}");
    }
    for (first, again) in answers.iter().zip(&again) {
        assert_eq!((first.text(), first.code()), (again.text(), again.code()));
        assert!(!matches!(again.outcome, Outcome::Done { repeated: false, .. }), "{again:?}");
    }
    calls.extend(calls.clone());
    answers.extend(again);
    Books::audited(&*place.store()).assert_answers(&calls, &answers);
}

fn of_two_requests_with_one_key_one_is_done(place: &Place) {
    const KEYS: usize = 8;
    bank::issue(&place.desk(0), 0, 1, 100_000);
    let ask = |key: usize, amount: i64| Call::exact(&format!("key-{key}"), amount, &bank::code(0));
    let calls: Vec<Call> = (0..KEYS).flat_map(|key| (0..8).map(move |copy| ask(key, 100 + copy % 2))).collect();
    let answers = by_processes(place, &calls);
    count_done(&answers, &[KEY_REUSED]);
    for eight in answers.chunks(8) {
        // All of one request were answered alike, all of the other were refused.
        let codes: Vec<&str> = eight.iter().map(Answered::code).collect();
        assert!(codes[0] != codes[1] && codes.chunks(2).all(|pair| pair == &codes[..2]), "{codes:?}");
        let texts: Vec<&str> = eight.iter().filter_map(Answered::text).collect();
        assert!(texts.iter().all(|text| *text == texts[0]), "{texts:?}");
    }
    let books = Books::audited(&*place.store());
    assert_eq!(books.count(OperationKind::Redeem), KEYS);
    books.assert_answers(&calls, &answers);
}

fn what_is_cut_off_is_done_once(place: &Place) {
    let faulty: Vec<Arc<Faulty<Cut>>> =
        (0..2).map(|run| Arc::new(Faulty::new(place.store(), Cut::one_in(3, run)))).collect();
    let desks: Vec<Desk> =
        faulty.iter().zip(1..).map(|(store, run)| bank::desk(Arc::clone(store) as Arc<dyn Store>, SEED, run)).collect();
    let kinds = one_of_each(&place.desk(0));
    let card = bank::issue(&place.desk(9), 2, 1, 100 * 40)[0];
    // Each of them twice at each of two desks that share nothing but the database.
    let redemptions = exact(60, 100, 2);
    let calls: Vec<Call> = kinds.iter().chain(&redemptions).flat_map(|call| [call.clone(), call.clone()]).collect();
    let answers: Vec<Vec<Answered>> = std::thread::scope(|scope| {
        let asked: Vec<_> = desks.iter().map(|desk| scope.spawn(|| ask_all(desk, &calls, 16))).collect();
        asked.into_iter().map(|asked| asked.join().unwrap()).collect()
    });
    let cut = |count: fn(&Cut) -> &AtomicU64| {
        faulty.iter().map(|store| count(&store.fault).load(Ordering::Relaxed)).sum::<u64>()
    };
    assert!(cut(|cut| &cut.before) > 0 && cut(|cut| &cut.after) > 0);
    let books = Books::audited(&*place.store());
    assert_eq!(books.balance(card), 0);
    let mut by_key: BTreeMap<&str, &Answered> = BTreeMap::new();
    for answers in &answers {
        count_done(answers, &["card-empty"]);
        books.assert_answers(&calls, answers);
        for (call, answer) in calls.iter().zip(answers) {
            let first = by_key.entry(call.what.key().unwrap()).or_insert(answer);
            assert_eq!((first.text(), first.code()), (answer.text(), answer.code()));
        }
    }
    let done = by_key.values().filter(|answer| answer.text().is_some()).count();
    assert_eq!(done, kinds.len() + 40);
}

fn what_a_killed_process_was_doing_is_done_once(place: &Place) {
    let card = bank::issue(&place.desk(0), 0, 1, 100 * 10_000)[0];
    // Far more than are done before it is noticed that it is at work.
    let calls = exact(3_000, 100, 0);
    let mut client = Client::start(CLIENT);
    client.open(place, 2_000);
    client.wait_until_ready();
    client.send(&calls, 16);
    // Somewhere in the middle.
    let store = place.store();
    let count = || store.operations(0, 25).unwrap().len();
    while count() < 20 {
        std::thread::sleep(Duration::from_millis(1));
    }
    client.kill();
    // A server goes on with what it was sent last.
    let highest = || store.operations(i64::MIN, usize::MAX).unwrap().len();
    let mut seen = highest();
    loop {
        std::thread::sleep(Duration::from_millis(100));
        match highest() {
            count if count == seen => break,
            count => seen = count,
        }
    }
    let before = Books::audited(&*store);
    let done_before = before.count(OperationKind::Redeem);
    assert!(done_before < calls.len(), "it was killed too late");
    assert_eq!(before.balance(card), 100 * (10_000 - done_before as i64));
    // Whoever asks next hears of each whether it was done.
    let answers = ask_all(&place.desk(1), &calls, 16);
    assert_eq!(count_done(&answers, &[]), calls.len());
    let repeated = |answer: &&Answered| matches!(answer.outcome, Outcome::Done { repeated: true, .. });
    assert_eq!(answers.iter().filter(repeated).count(), done_before);
    let books = Books::audited(&*store);
    assert_eq!(books.balance(card), 100 * 7_000);
    books.assert_answers(&calls, &answers);
}

/// Panics in the first commit of an operation that comes along.
struct Panics(AtomicBool);

impl Fault for Panics {
    fn commit(&self, inner: &dyn Store, lane: usize, batch: &[&Changes]) -> Result<Vec<Verdict>, StoreError> {
        let moves = batch.iter().any(|changes| !changes.accounts.is_empty());
        assert!(!(moves && self.0.swap(false, Ordering::Relaxed)), "a panic by the test");
        inner.commit(lane, batch)
    }
}

fn a_panic_in_a_commit_keeps_nobody_waiting(place: &Place) {
    let card = bank::issue(&place.desk(0), 0, 1, 100 * 1_000)[0];
    let store = Faulty::new(place.store(), Panics(AtomicBool::new(true)));
    let desk = bank::desk(Arc::new(store), SEED, 1);
    let calls = exact(32, 100, 0);
    // The one who leads the commit is gone; the others hear that its outcome is unknown, and ask again.
    let panicked = std::thread::scope(|scope| {
        let clients: Vec<_> = calls.iter().map(|call| scope.spawn(|| call.ask_patiently(&desk))).collect();
        clients.into_iter().filter_map(|client| client.join().err()).count()
    });
    assert_eq!(panicked, 1);
    let answers = ask_all(&desk, &calls, 32);
    assert_eq!(count_done(&answers, &[]), calls.len());
    let books = Books::audited(&*place.store());
    assert_eq!(books.balance(card), 100 * (1_000 - 32));
    books.assert_answers(&calls, &answers);
}

/// Slow commits, with the thread that each was in and what it was of.
#[derive(Default)]
struct Threads(Mutex<Vec<(String, Vec<String>)>>);

impl Fault for Threads {
    fn commit(&self, inner: &dyn Store, lane: usize, batch: &[&Changes]) -> Result<Vec<Verdict>, StoreError> {
        let thread = std::thread::current().name().unwrap_or_default().to_string();
        let key = |changes: &&Changes| changes.operation.as_ref().map(|operation| operation.key.key.clone());
        self.0.lock().unwrap().push((thread, batch.iter().filter_map(key).collect()));
        std::thread::sleep(Duration::from_millis(2));
        inner.commit(lane, batch)
    }
}

fn nobody_commits_for_others_longer_than_for_themselves(place: &Place) {
    const OWN_THREAD: &str = "giftcard-commit";
    bank::issue(&place.desk(0), 0, 16, 1_000);
    let store = Arc::new(Faulty::new(place.store(), Threads::default()));
    let desk = bank::desk(Arc::clone(&store) as Arc<dyn Store>, SEED, 1);
    let commits = || std::mem::take(&mut *store.fault.0.lock().unwrap());
    let pay = |client: usize, time: usize| {
        let key = format!("client {client}, {time}");
        assert_eq!(Call::exact(&key, 1, &bank::code(client)).ask_patiently(&desk).code(), "done");
    };
    // Whoever is alone commits without a hand-over.
    (0..3).for_each(|time| pay(0, time));
    assert!(commits().iter().all(|(thread, _)| thread != OWN_THREAD));
    std::thread::scope(|scope| {
        for client in 0..16 {
            let client_thread = std::thread::Builder::new().name(format!("client {client},"));
            client_thread.spawn_scoped(scope, move || (10..15).for_each(|time| pay(client, time))).unwrap();
        }
    });
    let commits = commits();
    let own = |(thread, batch): &&(String, Vec<String>)| batch.iter().any(|key| key.starts_with(thread.as_str()));
    let (by_lanes, by_clients): (Vec<_>, Vec<_>) = commits.iter().partition(|(thread, _)| thread == OWN_THREAD);
    assert!(by_clients.iter().all(own), "{by_clients:?}");
    assert!(by_lanes.iter().any(|(_, batch)| batch.len() > 1), "{commits:?}");
    assert_eq!(commits.iter().map(|(_, batch)| batch.len()).sum::<usize>(), 16 * 5);
    // Their threads end with the desk.
    drop(desk);
    assert_eq!(Arc::strong_count(&store), 1);
    let _ = Books::audited(&*place.store());
}

/// One process plans `second` on what `first` will have done, while another process redeems from the same card. Returns
/// the batches that the process committed, and whether the books are right afterwards.
fn plan_on_what_falls_through(place: &Place, gate: &str, forgets: bool) -> (Vec<Vec<String>>, bool) {
    let place = if place.is_file() { Place::sqlite() } else { Place::postgres() };
    bank::issue(&place.desk(0), 0, 2, 1_000);
    let store = Arc::new(Faulty::new(place.store(), Gate::before(gate, forgets)));
    let desk = bank::desk(Arc::clone(&store) as Arc<dyn Store>, SEED, 1);
    let ask = |key: &str, amount: i64, card: usize| Call::exact(key, amount, &bank::code(card)).ask_patiently(&desk);
    // Known beforehand, so that nobody looks for the card of a code while another decides about it.
    assert!(ask("before", 1, 0).text().is_some() && ask("before, too", 1, 1).text().is_some());
    std::thread::scope(|scope| {
        let later = |key: &'static str, amount, card| {
            let client = scope.spawn(move || ask(key, amount, card));
            std::thread::sleep(Duration::from_millis(100));
            client
        };
        let mut clients = Vec::new();
        if gate == "other card" {
            clients.push(later("other card", 10, 1));
            store.fault.wait_until_reached();
        }
        clients.push(later("first", 20, 0));
        clients.push(later("second", 30, 0));
        let elsewhere = Call::exact("of another process", 40, &bank::code(0)).ask_patiently(&place.desk(2));
        assert_eq!(elsewhere.code(), "done");
        store.fault.open();
        assert!(clients.into_iter().all(|client| client.join().unwrap().text().is_some()));
    });
    let right = catch_unwind(|| Books::audited(&*place.store())).is_ok_and(|books| {
        let balance = books.all.accounts.iter().map(|account| account.balance.get()).min();
        balance == Some(1_000 - 1 - 20 - 30 - 40)
    });
    let batches = store.fault.batches.lock().unwrap().clone();
    (batches, right)
}

/// Whether the books are right after two operations, one planned on the other, were sent in one batch and both fell
/// through. What is handed in while another card is committed goes into one batch, if the cards have one lane.
fn are_right_after_falling_together(place: &Place, forgets: bool) -> bool {
    let together = ["first", "second"].map(str::to_string).to_vec();
    for _ in 0..20 {
        let (batches, right) = plan_on_what_falls_through(place, "other card", forgets);
        if batches.contains(&together) {
            return right;
        }
    }
    panic!("no two operations were committed together");
}

fn what_was_planned_on_a_commit_that_fell_through_is_planned_again(place: &Place) {
    assert!(are_right_after_falling_together(place, false));
    // The control: a store that does not ask what an operation builds on loses what the other process did.
    assert!(!are_right_after_falling_together(place, true));
    // The same where the first is being committed when the second is handed in.
    let (batches, right) = plan_on_what_falls_through(place, "first", false);
    assert!(right, "{batches:?}");
}

/// Asks a desk, while another one of the same ledger does something right after the first read.
fn ask_while(place: &Place, call: &Call, meanwhile: Call) -> (Answered, Answered) {
    let (sender, receiver) = channel();
    let other = place.desk(5);
    let happens = move || sender.send(meanwhile.ask_patiently(&other)).unwrap();
    let fault = Meanwhile::after_first_read(call.what.key().unwrap(), happens);
    let desk = bank::desk(Arc::new(Faulty::new(place.store(), fault)), SEED, 4);
    let answer = call.ask_patiently(&desk);
    (answer, receiver.try_recv().expect("it happened"))
}

fn what_happens_between_two_reads_is_noticed(place: &Place) {
    let desk = place.desk(0);
    bank::issue(&desk, 0, 4, 1_000);
    let (end, void) = (NOW + 30 * MINUTE_MS, |operation: &str, hold: Id| {
        let (operation, hold) = (operation.to_string(), hold.to_string());
        Call { now: NOW, what: What::Void { operation, hold } }
    });
    // A hold that is open when its record is read, and voided when its card is.
    let hold = hold_all(&desk, 0, 1_000);
    let capture = Call::capture("capture", &hold.to_string());
    let (captured, voided) = ask_while(place, &capture, void("void", hold));
    assert_eq!((captured.code(), voided.code()), ("hold-not-open", "done"));
    // The order's own hold, which is to be replaced: of what it held nothing is lost or counted twice.
    let hold = hold_all(&desk, 1, 1_000);
    let mut all = Call::exact("all", 1_000, &bank::code(1));
    if let What::Redeem(document) = &mut all.what {
        document["order"]["id"] = json!("hold-1");
    }
    let (paid, voided) = ask_while(place, &all, void("void, too", hold));
    assert_eq!((paid.code(), voided.code()), ("done", "done"));
    // A hold that has passed, which is open when the card is read, and ended by somebody else before it is looked for.
    hold_all(&desk, 2, 1_000);
    let most = Call::exact("most", 999, &bank::code(2)).at(end);
    let (paid, other) = ask_while(place, &most, Call::exact("one", 1, &bank::code(2)).at(end));
    assert_eq!((paid.code(), other.code()), ("done", "done"));
    // Money that is there when a card is read, and gone when it is taken.
    let half = |name: &str| Call::exact(name, 501, &bank::code(3)).at(end);
    let (paid, other) = ask_while(place, &half("half"), half("other half"));
    assert_eq!((paid.code(), other.code()), ("insufficient-funds", "done"));
    let _ = Books::audited(&*place.store());
}

fn what_another_process_has_done_between_two_reads_is_answered(place: &Place) {
    for call in one_of_each(&place.desk(0)) {
        let (answer, other) = ask_while(place, &call, call.clone());
        assert_eq!(answer.text().unwrap_or_else(|| panic!("{answer:?}")), other.text().unwrap());
        assert!(matches!(answer.outcome, Outcome::Done { repeated: true, .. }), "{answer:?}");
    }
    let _ = Books::audited(&*place.store());
}

fn everything_at_once_leaves_sound_books(place: &Place) {
    bank::issue(&place.desk(0), 0, medley::CARDS, 20_000);
    let faulty = |run| Arc::new(Faulty::new(place.store(), Cut::one_in(40, run)));
    let desks: Vec<Desk> = (1..=2).map(|run| bank::desk(faulty(run), SEED, run)).collect();
    let tally = medley::run(&desks, 12, 40, 1);
    for kind in ["redeem", "hold", "capture", "void", "refund", "change state", "load"] {
        assert!(tally.contains_key(&format!("{kind}: done")), "{kind} was never done: {tally:#?}");
    }
    let books = Books::audited(&*place.store());
    assert!(books.count(OperationKind::ExpireHold) > 0, "no hold has passed");
}

/// What only a server can do to its clients.
mod server {
    use super::*;

    /// Redemptions by 16 clients of each of two desks, both of all of them, while `trouble` goes on. Each is done once.
    fn check_nothing_lost_or_doubled(count: usize, trouble: impl FnOnce(&mut Cluster, &str, &AtomicBool)) {
        let mut cluster = Cluster::private();
        let place = Place::on(&cluster);
        let cards = bank::issue(&place.desk(0), 0, 4, 1_000_000);
        let call = |number: usize| {
            let codes = [bank::code(number % 4), bank::code((number + 1) % 4)];
            Call::redeem(&format!("redeem-{number}"), &format!("redeem-{number}"), 100, &codes[..1 + number % 2])
        };
        let calls: Vec<Call> = (0..count).map(call).collect();
        let desks = [place.desk(1), place.desk(2)];
        let done = AtomicBool::new(false);
        let answers: Vec<Vec<Answered>> = std::thread::scope(|scope| {
            let asked: Vec<_> = desks.iter().map(|desk| scope.spawn(|| ask_all(desk, &calls, 16))).collect();
            let waiting = scope.spawn(|| {
                let answers = asked.into_iter().map(|asked| asked.join().unwrap()).collect();
                done.store(true, Ordering::Release);
                answers
            });
            trouble(&mut cluster, place.schema(), &done);
            waiting.join().unwrap()
        });
        let books = Books::audited(&*place.store());
        let balance: i64 = cards.iter().map(|card| books.balance(*card)).sum();
        assert_eq!(balance, 4_000_000 - 100 * count as i64);
        assert_eq!(books.count(OperationKind::Redeem), count);
        for answers in &answers {
            assert_eq!(count_done(answers, &[]), count);
            books.assert_answers(&calls, answers);
        }
    }

    #[test]
    fn connections_that_a_server_ends_lose_and_double_nothing() {
        let mut ended = 0;
        check_nothing_lost_or_doubled(600, |cluster, schema, done| {
            while !done.load(Ordering::Acquire) {
                ended += cluster.terminate_backends(schema);
                std::thread::sleep(Duration::from_millis(30));
            }
        });
        assert!(ended >= 20, "{ended} connections were ended");
    }

    #[test]
    fn a_server_that_crashes_loses_and_doubles_nothing() {
        let mut crashes = 0;
        check_nothing_lost_or_doubled(800, |cluster, _, done| {
            while !done.load(Ordering::Acquire) && crashes < 3 {
                std::thread::sleep(Duration::from_millis(300));
                cluster.stop_hard();
                crashes += 1;
                cluster.start_again();
            }
        });
        assert_eq!(crashes, 3, "the clients were done too soon");
    }
}
