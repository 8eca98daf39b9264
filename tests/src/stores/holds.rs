//! Open holds: which ended, and which ends next.

use std::collections::HashMap;

use giftcard_ledger::store::{Changes, OpenHold, Store};

use super::rows::{self, NOW};

fn hold(account: i64, hold: i64, ends_at: i64) -> OpenHold {
    OpenHold { account: rows::id(account), hold: rows::id(hold), ends_at: NOW + ends_at }
}

fn open(store: &dyn Store, holds: impl IntoIterator<Item = OpenHold>) {
    rows::committed(store, &Changes { holds_opened: holds.into_iter().collect(), ..Changes::default() });
}

fn close(store: &dyn Store, holds: impl IntoIterator<Item = OpenHold>) {
    rows::committed(store, &Changes { holds_closed: holds.into_iter().collect(), ..Changes::default() });
}

/// What passed on these accounts, sorted.
fn passed(store: &dyn Store, accounts: &[i64], now: i64) -> Vec<(i64, i64)> {
    let accounts: Vec<_> = accounts.iter().map(|account| rows::id(*account)).collect();
    let found = store.passed_holds(&accounts, NOW + now).unwrap();
    let mut found: Vec<_> = found.into_iter().map(|hold| (hold.account.get(), hold.hold.get())).collect();
    found.sort_unstable();
    found
}

pub(super) fn holds_pass_at_their_end(store: &dyn Store) {
    open(store, [hold(1, 10, 5), hold(1, 11, 6), hold(2, 12, 4)]);
    assert_eq!(passed(store, &[1, 2], 3), []);
    assert_eq!(passed(store, &[1, 2], 4), [(2, 12)]);
    assert_eq!(passed(store, &[1, 2], 5), [(1, 10), (2, 12)]);
    assert_eq!(passed(store, &[1], 6), [(1, 10), (1, 11)]);
    assert_eq!(passed(store, &[1, 1, 3], 5), [(1, 10)]);
    assert_eq!(store.passed_holds(&[rows::id(2)], NOW + 4).unwrap(), [hold(2, 12, 4)]);
}

pub(super) fn closed_holds_are_gone_and_missing_ones_passed_over(store: &dyn Store) {
    open(store, [hold(1, 10, 5), hold(1, 11, 5)]);
    close(store, [hold(1, 10, 5), hold(9, 99, 5), hold(1, 11, 6), hold(2, 11, 5)]);
    assert_eq!(passed(store, &[1], 5), [(1, 11)]);
    close(store, [hold(1, 10, 5)]);
    // One for another in the same operation.
    let replaced =
        Changes { holds_closed: vec![hold(1, 11, 5)], holds_opened: vec![hold(1, 12, 7)], ..Changes::default() };
    rows::committed(store, &replaced);
    assert_eq!(passed(store, &[1], 100), [(1, 12)]);
}

pub(super) fn a_hold_can_be_on_several_accounts_and_an_account_in_several_holds(store: &dyn Store) {
    open(store, [hold(1, 10, 5), hold(2, 10, 5), hold(1, 11, 5)]);
    assert_eq!(passed(store, &[1, 2], 5), [(1, 10), (1, 11), (2, 10)]);
    close(store, [hold(1, 10, 5)]);
    assert_eq!(passed(store, &[1, 2], 5), [(1, 11), (2, 10)]);
}

pub(super) fn the_next_end_leaves_out_what_it_is_told_to(store: &dyn Store) {
    open(store, [hold(1, 10, 5), hold(1, 11, 7), hold(1, 12, 9), hold(2, 11, 7), hold(3, 13, 1)]);
    let ends = |accounts: &[i64], without: &[i64]| {
        let ids = |numbers: &[i64]| numbers.iter().map(|number| rows::id(*number)).collect::<Vec<_>>();
        let found = store.next_hold_ends(&ids(accounts), &ids(without)).unwrap();
        found.into_iter().map(|(account, end)| (account.get(), end - NOW)).collect::<HashMap<_, _>>()
    };
    assert_eq!(ends(&[1, 2, 9], &[]), HashMap::from([(1, 5), (2, 7)]));
    assert_eq!(ends(&[1, 2], &[10]), HashMap::from([(1, 7), (2, 7)]));
    assert_eq!(ends(&[1, 2], &[10, 11]), HashMap::from([(1, 9)]));
    assert_eq!(ends(&[1, 1], &[10, 11, 12]), HashMap::new());
    assert_eq!(ends(&[], &[]), HashMap::new());
}

pub(super) fn passed_holds_of_all_accounts_come_soonest_first(store: &dyn Store) {
    open(store, [hold(1, 10, 5), hold(7, 11, 3), hold(2, 12, 4), hold(3, 13, 9)]);
    let all = |now: i64, limit| -> Vec<i64> {
        store.all_passed_holds(NOW + now, limit).unwrap().iter().map(|hold| hold.hold.get()).collect()
    };
    assert_eq!(all(8, 10), [11, 12, 10]);
    assert_eq!(all(5, 2), [11, 12]);
    assert_eq!(all(4, 10), [11, 12]);
    assert_eq!(all(2, 10), [0; 0]);
    assert_eq!(all(9, 0), [0; 0]);
    assert_eq!(store.all_passed_holds(NOW + 3, 10).unwrap(), [hold(7, 11, 3)]);
}
