//! Lists, page by page.

use giftcard_engine::card::Status;
use giftcard_ledger::model::{Account, AccountKind, Leg, Operation, OperationKey, RecordKey, RecordKind};
use giftcard_ledger::store::{AccountFilter, Booked, Changes, DecisionFilter, Personal, Store};

use super::rows::{self, Booking, NOW, SITE};

fn ids(store: &dyn Store, filter: &AccountFilter) -> Vec<i64> {
    store.accounts(filter).unwrap().iter().map(|account| account.id.get()).collect()
}

/// Accounts that differ from the first in one thing each.
fn several(store: &dyn Store) {
    let usual = |number| Account { customer: Some("anna".into()), ..rows::card(number) };
    let accounts = [
        (usual(1), 100),
        (Account { site: "other".into(), ..usual(2) }, 100),
        (rows::credit(3, "anna"), 100),
        (Account { programme: "winter".into(), ..usual(4) }, 100),
        (Account { customer: Some("bert".into()), ..usual(5) }, 100),
        (Account { customer: None, ..usual(6) }, 100),
        (Account { status: Status::Disabled, ..usual(7) }, 100),
        (Account { bought_by: Some("order 1".into()), ..usual(8) }, 100),
        (Account { hint: Some("7K2M".into()), ..usual(9) }, 100),
        (Account { expires_at: Some(NOW), ..usual(10) }, 100),
        (Account { expires_at: Some(NOW + 1), ..usual(11) }, 100),
        (usual(12), 99),
        (usual(13), 0),
    ];
    for (account, amount) in accounts {
        rows::issue(store, &account, amount);
    }
}

pub(super) fn decisions_are_listed_by_site_and_time_with_what_is_not_erased(store: &dyn Store) {
    for (number, site, at, personal) in
        [(1, SITE, 10, true), (2, "other", 20, false), (3, SITE, 30, true), (4, SITE, 40, false)]
    {
        let key = OperationKey { site: site.to_string(), key: format!("d{number}") };
        let decision = (number != 4).then(|| format!("decision {number}"));
        let personal = personal.then_some([number; 16]);
        let at = NOW + at;
        let operation = Operation { key, at, decision, personal, ..rows::operation("d") };
        let personal = personal.map(|reference| Personal {
            reference,
            site: SITE.to_string(),
            customer: Some(format!("customer {number}")),
            body: format!("personal {number}"),
        });
        rows::committed(store, &Changes { operation: Some(operation), personal, ..Changes::default() });
    }
    store.erase(SITE, "customer 1").unwrap();
    let list = |filter: &DecisionFilter, after: i64, limit: usize| store.decisions(filter, after, limit).unwrap();
    let all = list(&DecisionFilter::default(), 0, 10);
    let told: Vec<_> = all.iter().map(|row| (row.key.key.as_str(), row.at - NOW, row.personal.as_deref())).collect();
    assert_eq!(told, [("d1", 10, None), ("d2", 20, None), ("d3", 30, Some("personal 3"))]);
    assert_eq!((all[0].decision.as_str(), all[1].key.site.as_str()), ("decision 1", "other"));
    assert!(all.windows(2).all(|pair| pair[0].sequence < pair[1].sequence));
    let keys = |filter: &DecisionFilter, after: i64, limit: usize| -> Vec<String> {
        list(filter, after, limit).into_iter().map(|row| row.key.key).collect()
    };
    let at = |from: i64, to: i64| DecisionFilter { from: NOW + from, to: NOW + to, ..DecisionFilter::default() };
    assert_eq!(keys(&DecisionFilter { site: Some(SITE.into()), ..DecisionFilter::default() }, 0, 10), ["d1", "d3"]);
    assert_eq!(keys(&at(10, 30), 0, 10), ["d1", "d2"]);
    assert_eq!(keys(&at(11, 31), 0, 10), ["d2", "d3"]);
    assert_eq!(keys(&DecisionFilter::default(), all[0].sequence, 1), ["d2"]);
    assert!(keys(&DecisionFilter::default(), 0, 0).is_empty());
    let [first, second, third] = [all[0].sequence, all[1].sequence, all[2].sequence];
    assert_eq!(keys(&DecisionFilter { last: second, ..DecisionFilter::default() }, 0, 10), ["d1", "d2"]);
    let sequences = |from: i64, to: i64| store.sequences(NOW + from, NOW + to).unwrap();
    assert_eq!((sequences(10, 30), sequences(11, 31)), (Some((first, second)), Some((second, third))));
    assert_eq!((sequences(30, 31), sequences(31, 32)), (Some((third, third)), None));
    let whole = store.sequences(i64::MIN, i64::MAX).unwrap().unwrap();
    assert!(whole.0 <= first && third <= whole.1, "{whole:?}");
    assert!(keys(&DecisionFilter { site: Some("a\0".into()), ..DecisionFilter::default() }, 0, 10).is_empty());
}

pub(super) fn accounts_are_filtered_by_every_field(store: &dyn Store) {
    several(store);
    let all = AccountFilter { limit: 100, ..AccountFilter::default() };
    let text = |text: &str| Some(text.to_owned());
    let rows: [(AccountFilter, &[i64]); 14] = [
        (all.clone(), &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13]),
        (AccountFilter { site: text("other"), ..all.clone() }, &[2]),
        (AccountFilter { site: text("none"), ..all.clone() }, &[]),
        (AccountFilter { kind: Some(AccountKind::Credit), ..all.clone() }, &[3]),
        (AccountFilter { programme: text("winter"), ..all.clone() }, &[4]),
        (AccountFilter { programme: text(""), ..all.clone() }, &[3]),
        (AccountFilter { customer: text("bert"), ..all.clone() }, &[5]),
        (AccountFilter { status: Some(Status::Disabled), ..all.clone() }, &[7]),
        (AccountFilter { bought_by: text("order 1"), ..all.clone() }, &[8]),
        (AccountFilter { hint: text("7K2M"), ..all.clone() }, &[9]),
        (AccountFilter { hint: text("7k2m"), ..all.clone() }, &[]),
        (AccountFilter { ends_by: Some(NOW), ..all.clone() }, &[10]),
        (AccountFilter { ends_by: Some(NOW + 1), ..all.clone() }, &[10, 11]),
        (AccountFilter { balance_min: Some(rows::minor(100)), ..all }, &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]),
    ];
    for (filter, expected) in rows {
        assert_eq!(ids(store, &filter), expected, "{filter:?}");
    }
}

pub(super) fn conditions_on_accounts_are_joined(store: &dyn Store) {
    several(store);
    let text = |text: &str| Some(text.to_owned());
    let site = AccountFilter { site: text(SITE), limit: 100, ..AccountFilter::default() };
    let anna = AccountFilter { customer: text("anna"), kind: Some(AccountKind::Card), ..site.clone() };
    let spring = AccountFilter { programme: text("spring"), ..anna.clone() };
    let rows: [(AccountFilter, &[i64]); 8] = [
        (site.clone(), &[1, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13]),
        (anna.clone(), &[1, 4, 7, 8, 9, 10, 11, 12, 13]),
        (spring.clone(), &[1, 7, 8, 9, 10, 11, 12, 13]),
        (AccountFilter { status: Some(Status::Active), ..spring.clone() }, &[1, 8, 9, 10, 11, 12, 13]),
        (AccountFilter { bought_by: text("order 1"), ..spring.clone() }, &[8]),
        (AccountFilter { bought_by: text("order 1"), hint: text("7K2M"), ..spring.clone() }, &[]),
        (AccountFilter { hint: text("7K2M"), site: text("other"), ..spring.clone() }, &[]),
        (AccountFilter { ends_by: Some(NOW), balance_min: Some(rows::minor(100)), ..spring }, &[10]),
    ];
    for (filter, expected) in rows {
        assert_eq!(ids(store, &filter), expected, "{filter:?}");
    }
    assert_eq!(
        store.accounts(&AccountFilter { programme: text("winter"), ..site }).unwrap(),
        [rows::account(store, rows::id(4))]
    );
}

pub(super) fn accounts_come_page_by_page(store: &dyn Store) {
    // Not in the order of their ids.
    for number in [5, 1, 9, 7, 3] {
        rows::issue(store, &rows::card(number), 1);
    }
    for filter in [
        AccountFilter::default(),
        AccountFilter { site: Some(SITE.into()), ..AccountFilter::default() },
        AccountFilter { site: Some(SITE.into()), programme: Some("spring".into()), ..AccountFilter::default() },
        AccountFilter { programme: Some("spring".into()), ..AccountFilter::default() },
    ] {
        let page = |after: Option<i64>, limit| {
            ids(store, &AccountFilter { after: after.map(rows::id), limit, ..filter.clone() })
        };
        assert_eq!(page(None, 2), [1, 3], "{filter:?}");
        assert_eq!(page(Some(3), 2), [5, 7], "{filter:?}");
        assert_eq!(page(Some(4), 2), [5, 7], "{filter:?}");
        assert_eq!(page(Some(7), 2), [9], "{filter:?}");
        assert_eq!(page(Some(9), 2), [0; 0], "{filter:?}");
        assert_eq!(page(None, 0), [0; 0], "{filter:?}");
    }
}

pub(super) fn a_history_comes_page_by_page_with_its_operations(store: &dyn Store) {
    let mut account = rows::issue(store, &rows::card(1), 1000);
    let other = rows::issue(store, &rows::card(2), 1000);
    let mut entries = Vec::new();
    for number in 0..5_i64 {
        let operation = Operation {
            at: NOW + number,
            order: (number > 2).then(|| format!("order {number}")),
            ..rows::operation(&format!("k{number}"))
        };
        let booking = Booking::new(operation).moves(&account, -number, 0);
        account = booking.after(account.id);
        let changes = booking.changes();
        entries.push(changes.entries[0]);
        rows::committed(store, &changes);
    }
    rows::committed(store, &Booking::named("other").moves(&other, -1, 0).changes());
    let history = store.history(account.id, 1, 100).unwrap();
    assert_eq!(history.iter().map(|booked| booked.entry).collect::<Vec<_>>(), entries);
    let sequences: Vec<i64> = store.operations(i64::MIN, 100).unwrap().iter().map(|one| one.sequence).collect();
    let last = Booked {
        sequence: sequences[6],
        place: 0,
        operation: rows::key("k4"),
        kind: giftcard_ledger::model::OperationKind::Redeem,
        at: NOW + 4,
        order: Some("order 4".into()),
        entry: entries[4],
    };
    assert_eq!(history[4], last);
    assert_eq!(history[0].order, None);
    let page = |after, limit| -> Vec<i64> {
        store.history(account.id, after, limit).unwrap().iter().map(|booked| booked.at - NOW).collect()
    };
    assert_eq!(store.history(account.id, 0, 100).unwrap().len(), 6);
    assert_eq!(page(1, 2), [0, 1]);
    assert_eq!(page(3, 2), [2, 3]);
    assert_eq!(page(5, 2), [4]);
    assert_eq!(page(6, 2), [0; 0]);
    assert_eq!(page(u64::MAX, 2), [0; 0]);
    assert_eq!(page(0, 0), [0; 0]);
}

pub(super) fn a_long_history_is_read_from_any_place_in_it(store: &dyn Store) {
    const ENTRIES: u64 = 300;
    let mut account = rows::issue(store, &rows::card(1), 1000);
    let mut other = rows::issue(store, &rows::card(2), 1000);
    let mut batch = Vec::new();
    for number in 1..ENTRIES {
        let booking = Booking::named(&number.to_string()).moves(&other, -1, 0).moves(&account, -1, 0);
        (account, other) = (booking.after(account.id), booking.after(other.id));
        batch.push(booking.changes());
    }
    rows::commit(store, &batch.iter().collect::<Vec<_>>());
    for (after, limit) in
        [(0, 300), (0, 1), (62, 2), (63, 1), (63, 2), (64, 64), (127, 1), (255, 100), (298, 5), (300, 5)]
    {
        let expected: Vec<i64> = (after + 1..=ENTRIES).take(limit).map(|number| 1001 - number as i64).collect();
        let found: Vec<i64> = store.history(account.id, after, limit).unwrap().iter().map(balance).collect();
        assert_eq!(found, expected, "{limit} after {after}");
    }
    assert_eq!(account.balance.get(), 701);
}

/// The balance that an entry leaves on its account.
fn balance(booked: &Booked) -> i64 {
    match booked.entry.leg {
        Leg::Account { balance, .. } => balance.get(),
        Leg::Counter(_) => panic!("{booked:?}"),
    }
}

pub(super) fn an_account_can_have_two_entries_of_one_operation(store: &dyn Store) {
    let first = rows::issue(store, &rows::card(1), 1000);
    let other = rows::issue(store, &rows::card(2), 1000);
    let booking = Booking::named("k").moves(&first, -100, 0).moves(&other, -1, 0).moves(&first, 0, 50);
    let last = booking.after(first.id);
    assert_eq!((last.version, last.balance.get(), last.held.get()), (3, 900, 50));
    rows::committed(store, &booking.changes());
    assert_eq!(rows::account(store, first.id), last);
    let places: Vec<u32> = store.history(first.id, 1, 10).unwrap().iter().map(|booked| booked.place).collect();
    assert_eq!(places, [0, 4]);
}

pub(super) fn operations_come_in_their_order_with_all_legs(store: &dyn Store) {
    let one = Booking::named("one").opens(&rows::card(1), 10).opens(&rows::card(2), 10);
    let two = Booking::named("two");
    let three = Booking::named("three").moves(&one.after(rows::id(2)), -5, 0).moves(&one.after(rows::id(1)), -5, 0);
    let written = [one.changes(), two.changes(), three.changes()];
    for changes in &written {
        rows::committed(store, changes);
    }
    let all = store.operations(i64::MIN, 10).unwrap();
    assert_eq!(all.len(), 3);
    for (numbered, changes) in all.iter().zip(&written) {
        assert_eq!(Some(&numbered.operation), changes.operation.as_ref());
        assert_eq!(numbered.entries, changes.entries);
    }
    assert!(all.windows(2).all(|pair| pair[0].sequence < pair[1].sequence));
    assert_eq!(store.operations(0, 10).unwrap(), all, "sequences are above 0");
    assert_eq!(store.operations(all[0].sequence, 1).unwrap(), all[1..2]);
    assert_eq!(store.operations(all[0].sequence, 10).unwrap(), all[1..]);
    assert_eq!(store.operations(i64::MIN, 1).unwrap(), all[..1]);
    assert_eq!(store.operations(all[2].sequence, 10).unwrap(), []);
    assert_eq!(store.operations(i64::MAX, 10).unwrap(), []);
    assert_eq!(store.operations(i64::MIN, 0).unwrap(), []);
}

pub(super) fn operations_are_found_under_their_keys(store: &dyn Store) {
    for name in ["one", "two", "three"] {
        rows::committed(store, &Booking::named(name).changes());
    }
    let all = store.operations(i64::MIN, 10).unwrap();
    assert!(store.not_found_by_key(&all).unwrap().is_empty());
    assert!(store.not_found_by_key(&[]).unwrap().is_empty());
    // As a list would have them in which somebody has changed keys.
    let mut changed = all.clone();
    changed[0].operation.key.key = "nobody's".to_string();
    changed[1].operation.key = all[2].operation.key.clone();
    assert_eq!(store.not_found_by_key(&changed).unwrap(), [all[0].sequence, all[1].sequence]);
}

pub(super) fn documents_come_page_by_page_of_one_kind_and_site(store: &dyn Store) {
    // In the order of bytes: capitals first, "a" before "a0" before "b", letters beyond ASCII last.
    let order = ["B", "a", "a0", "b", "é"];
    for id in ["b", "é", "a0", "B", "a"] {
        rows::committed(store, &rows::document(&rows::place(RecordKind::Order, id), None, Some(id)));
    }
    rows::committed(store, &rows::document(&rows::place(RecordKind::Hold, "a"), None, Some("hold")));
    let elsewhere = RecordKey { site: "other".into(), ..rows::place(RecordKind::Order, "a") };
    rows::committed(store, &rows::document(&elsewhere, None, Some("other")));
    let page = |after: &str, limit| -> Vec<String> {
        store.records(RecordKind::Order, SITE, after, limit).unwrap().into_iter().map(|record| record.body).collect()
    };
    assert_eq!(page("", 10), order);
    assert_eq!(page("", 2), order[..2]);
    assert_eq!(page("a", 2), order[2..4]);
    assert_eq!(page("a1", 10), order[3..]);
    assert_eq!(page("é", 10), [""; 0]);
    assert_eq!(page("", 0), [""; 0]);
    let [record] = &store.records(RecordKind::Hold, SITE, "", 10).unwrap()[..] else { panic!("one hold was written") };
    assert_eq!((&record.key, record.version), (&rows::place(RecordKind::Hold, "a"), 1));
    assert!(store.records(RecordKind::Customer, SITE, "", 10).unwrap().is_empty());
}
