//! Batches: in order, each operation whole or not at all; and many threads at once.

use giftcard_ledger::model::{Account, Code, CodeState, Operation, RecordKind};
use giftcard_ledger::store::{Changes, CodeChange, Store, Verdict, Want};

use super::everything::{Everything, Names};
use super::rows::{self, Booking, NOW};

pub(super) fn an_empty_batch_is_nothing(store: &dyn Store) {
    assert_eq!(store.commit(0, &[]).unwrap(), []);
    // And an operation that changes nothing is nothing, too.
    rows::committed(store, &Changes::default());
}

pub(super) fn later_operations_build_on_earlier_ones(store: &dyn Store) {
    let first = Booking::named("first").opens(&rows::card(1), 100);
    let second = Booking::named("second").moves(&first.after(rows::id(1)), -30, 0);
    let third = Booking::named("third").moves(&second.after(rows::id(1)), -30, 20);
    let last = third.after(rows::id(1));
    let batch = [first.changes(), second.changes(), third.changes()];
    let verdicts = rows::commit(store, &batch.iter().collect::<Vec<_>>());
    assert_eq!(verdicts, [Verdict::Committed, Verdict::Committed, Verdict::Committed]);
    assert_eq!(rows::account(store, rows::id(1)), last);
    let entries: Vec<_> =
        store.operations(i64::MIN, 10).unwrap().into_iter().map(|numbered| numbered.entries).collect();
    assert_eq!(entries, batch.map(|changes| changes.entries));
}

pub(super) fn a_conflict_takes_along_only_what_builds_on_it(store: &dyn Store) {
    let one = rows::issue(store, &rows::card(1), 100);
    let two = rows::issue(store, &rows::card(2), 100);
    let before = Booking::named("before").moves(&one, -1, 0);
    let stale = Booking::named("stale").moves(&one, -2, 0);
    let on_stale = Booking::named("on stale").moves(&stale.after(one.id), -3, 0).moves(&two, -3, 0);
    let on_before = Booking::named("on before").moves(&before.after(one.id), -4, 0);
    let apart = Booking::named("apart").moves(&two, -5, 0);
    let last = (on_before.after(one.id), apart.after(two.id));
    // What builds on the conflict has the version that another operation of the batch made, so the document tells it.
    let order = rows::place(RecordKind::Order, "1");
    let stale = stale.with(|changes| changes.records = rows::document(&order, None, Some("stale")).records);
    let on_stale = on_stale.with(|changes| changes.checks = vec![(order.clone(), Some(1))]);
    let batch = [before, stale, on_stale, on_before, apart].map(Booking::changes);
    let verdicts = rows::commit(store, &batch.iter().collect::<Vec<_>>());
    use Verdict::{Committed, Conflict};
    assert_eq!(verdicts, [Committed, Conflict, Conflict, Committed, Committed]);
    assert_eq!((rows::account(store, one.id), rows::account(store, two.id)), last);
    Everything::of(store, &Names::default()).assert_sound();
}

pub(super) fn what_builds_on_a_conflict_is_one_although_its_versions_fit(store: &dyn Store) {
    let there = rows::issue(store, &rows::card(1), 100);
    let other = Booking::named("of another process").moves(&there, -1, 0);
    rows::committed(store, &other.clone().changes());
    let on = |key: &str, booking: Booking| booking.with(|changes| changes.builds_on = vec![rows::key(key)]);
    let stale = Booking::named("stale").moves(&there, -2, 0);
    let second = on("stale", Booking::named("second").moves(&stale.after(there.id), -3, 0));
    let third = on("second", Booking::named("third").moves(&second.after(there.id), -4, 0));
    // What it builds on is not in the batch, so nothing is asked of it.
    let good = on("of another process", Booking::named("good").moves(&other.after(there.id), -5, 0));
    let last = on("good", Booking::named("last").moves(&good.after(there.id), -6, 0));
    let after = last.after(there.id);
    let batch = [stale, second, third, good, last].map(Booking::changes);
    let verdicts = rows::commit(store, &batch.iter().collect::<Vec<_>>());
    use Verdict::{Committed, Conflict};
    assert_eq!(verdicts, [Conflict, Conflict, Conflict, Committed, Committed]);
    assert_eq!(rows::account(store, there.id), after);
    Everything::of(store, &Names::default()).assert_sound();
}

pub(super) fn what_builds_on_a_repetition_is_a_conflict(store: &dyn Store) {
    let there = rows::issue(store, &rows::card(1), 100);
    let done = Booking::named("k").moves(&there, -1, 0);
    rows::committed(store, &done.changes());
    let again = Booking::named("k").moves(&there, -2, 0);
    let on_it = Booking::named("on it").moves(&again.after(there.id), -3, 0);
    let on_it = on_it.with(|changes| changes.builds_on = vec![rows::key("k")]);
    let batch = [again, on_it].map(Booking::changes);
    let verdicts = rows::commit(store, &batch.iter().collect::<Vec<_>>());
    assert_eq!(verdicts, [Verdict::Duplicate, Verdict::Conflict]);
}

pub(super) fn the_same_key_twice_in_a_batch_is_done_once(store: &dyn Store) {
    let there = rows::issue(store, &rows::card(1), 100);
    let first = Booking::named("k").moves(&there, -10, 0);
    let last = first.after(there.id);
    let first = first.changes();
    let other = Booking::named("k").moves(&last, -10, 0).changes();
    let verdicts = rows::commit(store, &[&first, &first, &other]);
    assert_eq!(verdicts, [Verdict::Committed, Verdict::Duplicate, Verdict::Duplicate]);
    assert_eq!(rows::account(store, there.id), last);
}

pub(super) fn a_refusal_and_an_operation_of_one_key_exclude_each_other_in_a_batch(store: &dyn Store) {
    let refusal = rows::refused(rows::refusal("k", NOW + 10));
    let soon = Booking::new(Operation { at: NOW + 9, ..rows::operation("k") }).changes();
    let late = Booking::new(Operation { at: NOW + 10, ..rows::operation("k") }).changes();
    let verdicts = rows::commit(store, &[&refusal, &soon, &late, &refusal]);
    use Verdict::{Committed, Duplicate};
    assert_eq!(verdicts, [Committed, Duplicate, Committed, Duplicate]);
    let found = store.find(&Want { operation: Some(rows::key("k")), ..Want::default() }).unwrap();
    assert_eq!((found.operation, found.refusal), (late.operation, None));
}

pub(super) fn documents_and_codes_of_earlier_operations_are_seen_by_later_ones(store: &dyn Store) {
    let order = rows::place(RecordKind::Order, "1");
    let drawn = Code { state: CodeState::Drawn, ..rows::code(1) };
    let batch = [
        rows::document(&order, None, Some("1")),
        rows::document(&order, None, Some("late")),
        rows::document(&order, Some(1), Some("2")),
        rows::new_codes([rows::code(1)]),
        rows::changed_code(drawn.clone()),
        rows::changed_code(Code { state: CodeState::Withdrawn, ..rows::code(1) }),
        rows::new_codes([Code { lookup: rows::hash(1), ..rows::code(2) }]),
        rows::document(&order, Some(2), None),
        rows::document(&order, None, Some("new")),
    ];
    let verdicts = rows::commit(store, &batch.iter().collect::<Vec<_>>());
    use Verdict::{Committed, Conflict};
    let expected = [Committed, Conflict, Committed, Committed, Committed, Conflict, Conflict, Committed, Committed];
    assert_eq!(verdicts, expected);
    let found = store.find(&Want { records: vec![order.clone()], ..Want::default() }).unwrap();
    assert_eq!(found.records[&order].body, "new");
    assert!(rows::code_by(store, rows::hash(1)) == Some(Code { version: 2, ..drawn }));
}

pub(super) fn the_configuration_moves_between_the_operations_of_a_batch(store: &dyn Store) {
    let read = rows::configuration(store);
    let guarded = |name: &str| Booking::named(name).with(|changes| changes.configuration = Some(read)).changes();
    let programme = rows::document(&rows::place(RecordKind::Programme, "spring"), None, Some("{}"));
    let verdicts = rows::commit(store, &[&guarded("before"), &programme, &guarded("after")]);
    assert_eq!(verdicts, [Verdict::Committed, Verdict::Committed, Verdict::Conflict]);
    // A change that conflicted has not moved it.
    let read = rows::configuration(store);
    let conflict = rows::document(&rows::place(RecordKind::Programme, "spring"), None, Some("{}"));
    let guarded = Booking::named("last").with(|changes| changes.configuration = Some(read)).changes();
    assert_eq!(rows::commit(store, &[&conflict, &guarded]), [Verdict::Conflict, Verdict::Committed]);
}

pub(super) fn a_conflict_over_a_new_code_leaves_the_rest_of_the_batch(store: &dyn Store) {
    let issue = |number: i64, lookup: i64| {
        Booking::named(&format!("issue {number}")).opens(&rows::card(number), 100).with(|changes| {
            let account = Some(rows::id(number));
            let after = Code { lookup: rows::hash(lookup), state: CodeState::Drawn, account, ..rows::code(number) };
            changes.codes.push(CodeChange { before: None, after });
        })
    };
    let batch = [issue(1, 1), issue(2, 1), issue(3, 3)].map(Booking::changes);
    let verdicts = rows::commit(store, &batch.iter().collect::<Vec<_>>());
    assert_eq!(verdicts, [Verdict::Committed, Verdict::Conflict, Verdict::Committed]);
    let all = Everything::of(store, &Names::default());
    assert_eq!(all.accounts.iter().map(|account| account.id.get()).collect::<Vec<_>>(), [1, 3]);
    assert_eq!(all.drawn_codes.len(), 2);
    all.assert_sound();
}

pub(super) fn a_large_batch_is_written_in_order(store: &dyn Store) {
    let mut account = rows::card(1);
    let mut batch = Vec::new();
    for number in 0..500 {
        let booking = Booking::named(&number.to_string());
        let booking = if number == 0 { booking.opens(&account, 1000) } else { booking.moves(&account, -1, 0) };
        account = booking.after(account.id);
        batch.push(booking.changes());
    }
    let verdicts = rows::commit(store, &batch.iter().collect::<Vec<_>>());
    assert!(verdicts.iter().all(|verdict| *verdict == Verdict::Committed));
    assert_eq!(rows::account(store, account.id), account);
    let keys: Vec<String> =
        store.operations(i64::MIN, 1000).unwrap().into_iter().map(|numbered| numbered.operation.key.key).collect();
    assert_eq!(keys, (0..500).map(|number| number.to_string()).collect::<Vec<_>>());
    Everything::of(store, &Names::default()).assert_sound();
}

pub(super) fn an_operation_may_touch_many_accounts(store: &dyn Store) {
    let opened = (0..150).fold(Booking::named("open"), |booking, number| booking.opens(&rows::card(number), 100));
    let accounts: Vec<Account> = (0..150).map(|number| opened.after(rows::id(number))).collect();
    rows::committed(store, &opened.changes());
    let moved = accounts.iter().rev().fold(Booking::named("move"), |booking, account| booking.moves(account, -1, 1));
    rows::committed(store, &moved.clone().changes());
    let want = Want { accounts: (0..150).map(rows::id).collect(), ..Want::default() };
    let found = store.find(&want).unwrap().accounts;
    assert_eq!(found.len(), 150);
    assert!(found.values().all(|account| *account == moved.after(account.id)));
}

pub(super) fn of_many_threads_one_wins_each_version(store: &dyn Store) {
    const THREADS: usize = 8;
    const ROUNDS: u64 = 12;
    rows::issue(store, &rows::card(1), 1_000_000);
    let won: Vec<Vec<u64>> = std::thread::scope(|scope| {
        let race = |thread: usize| {
            let mut won = Vec::new();
            // Every thread tries every version until somebody has it.
            loop {
                let account = rows::account(store, rows::id(1));
                if account.version > ROUNDS {
                    return won;
                }
                let name = format!("{thread} takes version {}", account.version);
                let booking = Booking::named(&name).moves(&account, -(thread as i64 + 1), 0).changes();
                match rows::commit_patiently(store, thread, &[&booking])[..] {
                    [Verdict::Committed] => won.push(account.version),
                    [Verdict::Conflict] => {}
                    ref verdicts => panic!("{verdicts:?}"),
                }
            }
        };
        let threads: Vec<_> = (0..THREADS).map(|thread| scope.spawn(move || race(thread))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let mut all: Vec<u64> = won.concat();
    all.sort_unstable();
    assert_eq!(all, (1..=ROUNDS).collect::<Vec<_>>());
    let spent: i64 = won.iter().enumerate().map(|(thread, won)| (thread as i64 + 1) * won.len() as i64).sum();
    assert_eq!(rows::account(store, rows::id(1)).balance.get(), 1_000_000 - spent);
    Everything::of(store, &Names::default()).assert_sound();
}

pub(super) fn threads_that_take_the_same_accounts_in_another_order_all_get_through(store: &dyn Store) {
    const EACH: usize = 15;
    for number in 1..=3 {
        rows::issue(store, &rows::card(number), 1_000_000);
    }
    std::thread::scope(|scope| {
        for thread in 0..4_usize {
            scope.spawn(move || {
                let mut order = [1, 2, 3];
                order.rotate_left(thread % 3);
                if thread % 2 == 1 {
                    order.reverse();
                }
                let mut done = 0;
                for attempt in 0.. {
                    let accounts = order.map(|number| rows::account(store, rows::id(number)));
                    // Two operations in the batch, each over two of the accounts, which the other threads take as well.
                    let first = Booking::named(&format!("{thread}, first, {attempt}"))
                        .moves(&accounts[0], -1, 0)
                        .moves(&accounts[1], -1, 0);
                    let second = Booking::named(&format!("{thread}, second, {attempt}"))
                        .moves(&first.after(accounts[1].id), -1, 0)
                        .moves(&accounts[2], -1, 0);
                    let batch = [first.changes(), second.changes()];
                    let verdicts = rows::commit_patiently(store, thread, &[&batch[0], &batch[1]]);
                    done += usize::from(verdicts[0] == Verdict::Committed);
                    if done == EACH {
                        return;
                    }
                }
            });
        }
    });
    Everything::of(store, &Names::default()).assert_sound();
}

pub(super) fn one_key_from_many_threads_is_done_once(store: &dyn Store) {
    for round in 0..10 {
        let verdicts: Vec<Verdict> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..6_usize)
                .map(|thread| {
                    scope.spawn(move || {
                        let booking = Booking::named(&format!("round {round}"))
                            .opens(&rows::card(round * 100 + thread as i64), 5)
                            .changes();
                        rows::commit_patiently(store, thread, &[&booking]).remove(0)
                    })
                })
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        let count = |wanted: &Verdict| verdicts.iter().filter(|verdict| *verdict == wanted).count();
        assert_eq!((count(&Verdict::Committed), count(&Verdict::Duplicate)), (1, 5), "{verdicts:?}");
    }
    let all = Everything::of(store, &Names::default());
    assert_eq!((all.accounts.len(), all.operations.len()), (10, 10));
    all.assert_sound();
}
