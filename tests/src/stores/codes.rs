//! Codes: their guards, their states, their pools.

use std::collections::HashMap;

use giftcard_engine::card::Status;
use giftcard_ledger::model::{Account, Code, CodeState, Id};
use giftcard_ledger::store::{Changes, CodeChange, Store};

use super::rows::{self, SITE};

fn pooled(number: i64, pool: &str, state: CodeState) -> Code {
    Code { pool: Some(pool.to_owned()), state, ..rows::code(number) }
}

pub(super) fn a_code_is_written_only_at_the_version_it_was_read_at(store: &dyn Store) {
    rows::conflicts(store, &rows::changed_code(rows::code(1)));
    rows::committed(store, &rows::new_codes([rows::code(1)]));
    let reserved = Code { state: CodeState::Reserved, ..rows::code(1) };
    rows::committed(store, &rows::changed_code(reserved.clone()));
    let late = Code { state: CodeState::Withdrawn, ..rows::code(1) };
    rows::conflicts(store, &rows::changed_code(late));
    assert!(rows::code_by(store, rows::hash(1)) == Some(Code { version: 2, ..reserved }));
}

pub(super) fn the_store_counts_the_versions_of_a_code(store: &dyn Store) {
    let change = |before, version| Changes {
        codes: vec![CodeChange { before, after: Code { version, ..rows::code(1) } }],
        ..Changes::default()
    };
    // Whatever the change says itself.
    for (before, said, expected) in [(None, 40, 1), (Some(1), 40, 2), (Some(2), 0, 3)] {
        rows::committed(store, &change(before, said));
        assert_eq!(rows::code_by(store, rows::hash(1)).unwrap().version, expected);
    }
}

pub(super) fn a_new_code_needs_a_free_id_and_a_free_lookup(store: &dyn Store) {
    rows::committed(store, &rows::new_codes([rows::code(1)]));
    rows::conflicts(store, &rows::new_codes([rows::code(2), rows::code(1)]));
    let same_id = Code { lookup: rows::hash(5), ..rows::code(1) };
    rows::conflicts(store, &rows::new_codes([rows::code(2), same_id]));
    let same_lookup = Code { lookup: rows::hash(1), ..rows::code(3) };
    rows::conflicts(store, &rows::new_codes([rows::code(2), same_lookup]));
    assert!(rows::code_by(store, rows::hash(1)) == Some(rows::code(1)));
    for lookup in [2, 5] {
        assert!(rows::code_by(store, rows::hash(lookup)).is_none(), "nothing of a conflict was written");
    }
}

pub(super) fn a_lookup_moves_only_to_where_no_other_code_is(store: &dyn Store) {
    rows::committed(store, &rows::new_codes([rows::code(1), rows::code(2)]));
    let onto_other = Code { lookup: rows::hash(2), pepper: 2, ..rows::code(1) };
    rows::conflicts(store, &rows::changed_code(onto_other));
    let moved = Code { lookup: rows::hash(9), pepper: 2, ..rows::code(1) };
    rows::committed(store, &rows::changed_code(moved.clone()));
    assert!(rows::code_by(store, rows::hash(1)).is_none());
    assert!(rows::code_by(store, rows::hash(9)) == Some(Code { version: 2, ..moved }));
    // The lookup that it left is free.
    rows::committed(store, &rows::new_codes([Code { lookup: rows::hash(1), ..rows::code(3) }]));
}

pub(super) fn two_new_codes_of_one_operation_cannot_share_a_lookup(store: &dyn Store) {
    let twin = Code { lookup: rows::hash(1), ..rows::code(2) };
    rows::conflicts(store, &rows::new_codes([rows::code(1), twin]));
    assert!(rows::code_by(store, rows::hash(1)).is_none());
    rows::committed(store, &rows::new_codes([rows::code(1)]));
}

pub(super) fn codes_can_change_without_an_operation(store: &dyn Store) {
    let sealed = Code { sealed: Some(vec![1, 2, 3]), hint: Some("ABCD".into()), ..pooled(1, "p", CodeState::Free) };
    rows::committed(store, &rows::new_codes([sealed.clone()]));
    let opened = Code { sealed: None, state: CodeState::Withdrawn, ..sealed };
    rows::committed(store, &rows::changed_code(opened.clone()));
    let found = rows::code_by(store, rows::hash(1)).unwrap();
    assert_eq!(found.sealed, None);
    assert!(found == Code { version: 2, ..opened });
    assert!(store.operations(i64::MIN, 10).unwrap().is_empty());
}

pub(super) fn a_pool_lists_its_codes_of_a_state_page_by_page(store: &dyn Store) {
    let other_site = Code { site: "other".into(), ..pooled(30, "p", CodeState::Free) };
    let codes = [
        pooled(5, "p", CodeState::Free),
        pooled(1, "p", CodeState::Free),
        pooled(0, "p", CodeState::Free),
        pooled(3, "p", CodeState::Drawn),
        pooled(4, "q", CodeState::Free),
        rows::code(6),
        other_site,
        pooled(9, "p", CodeState::Free),
    ];
    rows::committed(store, &rows::new_codes(codes));
    let list = |pool: &str, state, after: Option<Id>, limit| -> Vec<i64> {
        store.codes(SITE, pool, state, after, limit).unwrap().iter().map(|code| code.id.get()).collect()
    };
    assert_eq!(list("p", CodeState::Free, None, 10), [0, 1, 5, 9]);
    assert_eq!(list("p", CodeState::Free, None, 2), [0, 1]);
    assert_eq!(list("p", CodeState::Free, Some(rows::id(1)), 2), [5, 9]);
    assert_eq!(list("p", CodeState::Free, Some(rows::id(9)), 2), [0; 0]);
    assert_eq!(list("p", CodeState::Free, None, 0), [0; 0]);
    assert_eq!(list("p", CodeState::Drawn, None, 10), [3]);
    assert_eq!(list("p", CodeState::Reserved, None, 10), [0; 0]);
    assert_eq!(list("q", CodeState::Free, None, 10), [4]);
    assert!(store.codes(SITE, "q", CodeState::Free, None, 10).unwrap() == [pooled(4, "q", CodeState::Free)]);
}

pub(super) fn a_pool_counts_its_codes_by_state(store: &dyn Store) {
    let other_site = Code { site: "other".into(), ..pooled(8, "p", CodeState::Free) };
    let codes = [
        pooled(1, "p", CodeState::Free),
        pooled(2, "p", CodeState::Free),
        pooled(3, "p", CodeState::Drawn),
        pooled(4, "p", CodeState::Withdrawn),
        pooled(5, "q", CodeState::Reserved),
        rows::code(6),
        other_site,
    ];
    rows::committed(store, &rows::new_codes(codes));
    let count = |pool: &str| {
        let mut counts = store.code_counts(SITE, pool).unwrap();
        counts.retain(|_, count| *count > 0);
        counts
    };
    let expected = [(CodeState::Free, 2), (CodeState::Drawn, 1), (CodeState::Withdrawn, 1)];
    assert_eq!(count("p"), HashMap::from(expected));
    assert_eq!(count("q"), HashMap::from([(CodeState::Reserved, 1)]));
    rows::committed(store, &rows::changed_code(pooled(1, "p", CodeState::Reserved)));
    assert_eq!(count("p")[&CodeState::Free], 1);
    assert_eq!(count("p")[&CodeState::Reserved], 1);
}

pub(super) fn an_account_has_the_codes_that_were_drawn_for_it(store: &dyn Store) {
    let account = rows::issue(store, &rows::card(1), 100).id;
    let of = |number, state| Code { account: Some(account), state, ..rows::code(number) };
    let codes = [of(1, CodeState::Drawn), of(2, CodeState::Withdrawn), of(3, CodeState::Drawn), rows::code(4)];
    rows::committed(store, &rows::new_codes(codes));
    let mut drawn: Vec<i64> = store.codes_of(account).unwrap().iter().map(|code| code.id.get()).collect();
    drawn.sort_unstable();
    assert_eq!(drawn, [1, 3]);
    assert!(store.codes_of(rows::id(2)).unwrap().is_empty());
}

pub(super) fn key_versions_count_the_codes_that_may_yet_be_presented(store: &dyn Store) {
    let usable = rows::issue(store, &rows::card(1), 100).id;
    let pending = rows::issue(store, &Account { status: Status::Pending, ..rows::card(2) }, 100).id;
    let disabled = rows::issue(store, &Account { status: Status::Disabled, ..rows::card(3) }, 100).id;
    let closed = rows::issue(store, &Account { status: Status::Closed, ..rows::card(4) }, 100).id;
    let spent = rows::issue(store, &rows::card(5), 0).id;
    let code = |number, pepper, state, account| Code { pepper, state, account, ..rows::code(number) };
    let codes = [
        code(1, 1, CodeState::Drawn, Some(usable)),
        code(2, 1, CodeState::Drawn, Some(closed)),
        code(3, 2, CodeState::Drawn, Some(pending)),
        code(4, 2, CodeState::Drawn, Some(disabled)),
        code(5, 2, CodeState::Drawn, Some(spent)),
        code(6, 2, CodeState::Withdrawn, None),
        code(7, 2, CodeState::Withdrawn, Some(usable)),
        code(8, 3, CodeState::Free, None),
        code(9, 3, CodeState::Reserved, None),
        code(10, 4, CodeState::Drawn, Some(spent)),
    ];
    rows::committed(store, &rows::new_codes(codes));
    let mut uses = store.pepper_uses().unwrap();
    uses.retain(|_, count| *count > 0);
    assert_eq!(uses, HashMap::from([(1, 1), (2, 2), (3, 2)]));
}
