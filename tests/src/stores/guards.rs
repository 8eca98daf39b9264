//! What a store refuses to write: each guard, and keys that were used.

use giftcard_engine::card::Status;
use giftcard_ledger::model::{Account, Code, CodeState, Operation, OperationKey, OperationKind, RecordKind};
use giftcard_ledger::store::{
    AccountChange, Changes, CodeChange, Context, OpenHold, Personal, Store, StoreError, Verdict, Want,
};

use super::everything::{Everything, Names};
use super::rows::{self, Booking, NOW, SITE};

pub(super) fn an_account_is_written_only_at_the_version_it_was_read_at(store: &dyn Store) {
    let first = rows::issue(store, &rows::card(1), 100);
    let booking = Booking::named("second").moves(&first, -10, 0);
    let second = booking.after(first.id);
    rows::committed(store, &booking.changes());
    rows::conflicts(store, &Booking::named("late").moves(&first, -20, 0).changes());
    let early = Account { version: second.version + 1, ..second.clone() };
    rows::conflicts(store, &Booking::named("early").moves(&early, -20, 0).changes());
    assert_eq!(rows::account(store, first.id), second);
}

pub(super) fn a_new_account_must_not_be_there(store: &dyn Store) {
    let there = rows::issue(store, &rows::card(1), 100);
    rows::conflicts(store, &Booking::named("again").opens(&rows::card(1), 200).changes());
    assert_eq!(rows::account(store, there.id), there);
    assert_eq!(store.operations(i64::MIN, 10).unwrap().len(), 1);
}

pub(super) fn an_account_that_is_missing_cannot_change(store: &dyn Store) {
    let missing = Account { version: 1, balance: rows::minor(100), ..rows::card(1) };
    rows::conflicts(store, &Booking::named("k").moves(&missing, -10, 0).changes());
    rows::conflicts(store, &Booking::named("k").moves(&rows::card(2), 10, 0).changes());
    assert!(store.operations(i64::MIN, 10).unwrap().is_empty());
}

pub(super) fn a_second_store_credit_of_a_customer_and_currency_conflicts(store: &dyn Store) {
    let first = rows::issue(store, &rows::credit(1, "anna"), 100);
    rows::conflicts(store, &Booking::named("second").opens(&rows::credit(2, "anna"), 100).changes());
    let want = Want {
        accounts: vec![rows::id(2)],
        credits: vec![(SITE.into(), "anna".into(), "USD".into())],
        ..Want::default()
    };
    let found = store.find(&want).unwrap();
    assert_eq!((found.credits, found.accounts.len()), (vec![Some(first.id)], 1));
    assert_eq!(store.operations(i64::MIN, 10).unwrap().len(), 1);
    // Of another currency, site or customer it is another; and cards of a customer are as many as they like.
    let others = [
        Account { currency: rows::currency("EUR"), ..rows::credit(3, "anna") },
        Account { site: "other".into(), ..rows::credit(4, "anna") },
        rows::credit(5, "bert"),
        Account { customer: Some("anna".into()), ..rows::card(6) },
        Account { customer: Some("anna".into()), ..rows::card(7) },
    ];
    for other in others {
        rows::issue(store, &other, 100);
    }
}

pub(super) fn every_field_of_an_account_can_change(store: &dyn Store) {
    type Change = fn(&mut Account);
    let mut now = rows::issue(store, &rows::card(1), 100);
    let changes: [Change; 9] = [
        |account| account.status = Status::Disabled,
        |account| account.customer = Some("anna".into()),
        |account| account.expires_at = Some(NOW),
        |account| account.expires_on = Some("2027-01-01".into()),
        |account| account.replaced_by = Some(rows::id(5)),
        |account| account.next_hold_end = Some(NOW),
        |account| account.bought_by = Some("order".into()),
        |account| account.hint = Some("WXYZ".into()),
        |account| account.customer = None,
    ];
    for (place, change) in changes.into_iter().enumerate() {
        let booking = Booking::named(&format!("change {place}")).alters(&now, change);
        now = booking.after(now.id);
        rows::committed(store, &booking.changes());
        assert_eq!(rows::account(store, now.id), now, "change {place}");
    }
}

pub(super) fn a_document_is_written_only_at_the_version_it_was_read_at(store: &dyn Store) {
    let order = rows::place(RecordKind::Order, "1");
    rows::conflicts(store, &rows::document(&order, Some(1), Some("{}")));
    rows::conflicts(store, &rows::document(&order, Some(0), Some("{}")));
    rows::conflicts(store, &rows::document(&order, Some(1), None));
    rows::committed(store, &rows::document(&order, None, Some("1")));
    rows::conflicts(store, &rows::document(&order, None, Some("again")));
    rows::conflicts(store, &rows::document(&order, None, None));
    rows::committed(store, &rows::document(&order, Some(1), Some("2")));
    rows::conflicts(store, &rows::document(&order, Some(1), Some("late")));
    rows::conflicts(store, &rows::document(&order, Some(1), None));
    rows::conflicts(store, &rows::document(&order, Some(3), Some("early")));
    let found = store.find(&Want { records: vec![order.clone()], ..Want::default() }).unwrap();
    assert_eq!((found.records[&order].version, found.records[&order].body.as_str()), (2, "2"));
}

pub(super) fn a_deleted_document_is_gone_and_can_be_made_again(store: &dyn Store) {
    let order = rows::place(RecordKind::Order, "1");
    rows::committed(store, &rows::document(&order, None, None));
    rows::committed(store, &rows::document(&order, None, Some("1")));
    rows::committed(store, &rows::document(&order, Some(1), None));
    let want = Want { records: vec![order.clone()], ..Want::default() };
    assert!(store.find(&want).unwrap().records.is_empty());
    assert!(store.records(RecordKind::Order, SITE, "", 10).unwrap().is_empty());
    rows::committed(store, &rows::document(&order, None, Some("new")));
    assert_eq!(store.find(&want).unwrap().records[&order].body, "new");
}

pub(super) fn a_checked_document_must_have_its_version_and_is_not_written(store: &dyn Store) {
    let order = rows::place(RecordKind::Order, "1");
    let checked = |name: &str, version| {
        Booking::named(name).with(|changes| changes.checks.push((order.clone(), version))).changes()
    };
    rows::conflicts(store, &checked("a", Some(1)));
    rows::committed(store, &checked("b", None));
    rows::committed(store, &rows::document(&order, None, Some("1")));
    rows::conflicts(store, &checked("c", None));
    rows::conflicts(store, &checked("d", Some(2)));
    rows::committed(store, &checked("e", Some(1)));
    let found = store.find(&Want { records: vec![order.clone()], ..Want::default() }).unwrap();
    assert_eq!((found.records[&order].version, found.records[&order].body.as_str()), (1, "1"));
}

pub(super) fn an_account_that_was_only_read_must_have_its_version(store: &dyn Store) {
    let there = rows::issue(store, &rows::card(1), 500);
    let checked = |name: &str, account, version| {
        Booking::named(name).with(|changes| changes.account_checks.push((account, version))).changes()
    };
    rows::conflicts(store, &checked("b", there.id, there.version - 1));
    rows::conflicts(store, &checked("c", there.id, there.version + 1));
    rows::conflicts(store, &checked("d", rows::id(77), 1));
    rows::committed(store, &checked("e", there.id, there.version));
    assert_eq!(rows::account(store, there.id), there);
    // In one batch, what an earlier operation wrote is what a later one must have read.
    let moved = Booking::named("f").moves(&there, -10, 0).changes();
    let batch = [&moved, &checked("g", there.id, there.version + 1), &checked("h", there.id, there.version)];
    assert_eq!(rows::commit(store, &batch), [Verdict::Committed, Verdict::Committed, Verdict::Conflict]);
}

pub(super) fn the_configuration_must_be_as_it_was_read(store: &dyn Store) {
    let site = rows::place(RecordKind::Programme, "spring");
    let read = rows::configuration(store);
    let guarded =
        |name: &str, version| Booking::named(name).with(|changes| changes.configuration = Some(version)).changes();
    rows::committed(store, &guarded("a", read));
    rows::conflicts(store, &guarded("b", read + 1));
    rows::conflicts(store, &guarded("b", u64::MAX));
    rows::committed(store, &rows::document(&site, None, Some("{}")));
    rows::conflicts(store, &guarded("c", read));
    rows::committed(store, &guarded("d", rows::configuration(store)));
}

pub(super) fn the_configuration_moves_with_sites_programmes_and_plugins_only(store: &dyn Store) {
    for kind in RecordKind::ALL {
        let key = rows::place(kind, "1");
        let steps = [(None, Some("1")), (Some(1), Some("2")), (Some(2), None)];
        for (before, body) in steps {
            let version = rows::configuration(store);
            rows::committed(store, &rows::document(&key, before, body));
            let moved = rows::configuration(store) > version;
            let decides = matches!(kind, RecordKind::Site | RecordKind::Programme | RecordKind::Plugin);
            assert_eq!(moved, decides, "{kind:?} from {before:?} to {body:?}");
        }
        let version = rows::configuration(store);
        rows::conflicts(store, &rows::document(&key, Some(7), Some("late")));
        assert_eq!(rows::configuration(store), version, "a conflict changes no {kind:?}");
    }
    let version = rows::configuration(store);
    rows::issue(store, &rows::card(1), 100);
    rows::committed(store, &rows::new_codes([rows::code(1)]));
    assert_eq!(rows::configuration(store), version);
}

/// An operation that writes something of every kind, and the names to look for it.
fn of_everything(store: &dyn Store) -> (Changes, Names) {
    let there = rows::issue(store, &rows::card(1), 100);
    rows::committed(store, &rows::new_codes([rows::code(1)]));
    rows::committed(store, &rows::document(&rows::place(RecordKind::Order, "there"), None, Some("1")));
    let open = OpenHold { account: there.id, hold: rows::id(50), ends_at: NOW };
    rows::committed(store, &Changes { holds_opened: vec![open], ..Changes::default() });
    let operation = Operation { personal: Some([1; 16]), ..rows::operation("everything") };
    let changes = Booking::new(operation).moves(&there, -10, 5).opens(&rows::card(2), 10).with(|changes| {
        let order = |id: &str| rows::place(RecordKind::Order, id);
        changes.records = rows::document(&order("there"), Some(1), Some("2")).records;
        changes.records.extend(rows::document(&order("new"), None, Some("1")).records);
        changes.checks = vec![(order("missing"), None)];
        changes.configuration = Some(rows::configuration(store));
        let drawn =
            Code { state: CodeState::Drawn, account: Some(rows::id(2)), pool: Some("p".into()), ..rows::code(1) };
        changes.codes = vec![
            CodeChange { before: Some(1), after: drawn },
            CodeChange { before: None, after: Code { pool: Some("p".into()), ..rows::code(2) } },
        ];
        changes.holds_closed = vec![open];
        changes.holds_opened = vec![OpenHold { hold: rows::id(51), ..open }];
        changes.personal =
            Some(Personal { reference: [1; 16], site: SITE.into(), customer: None, body: "secret".into() });
        changes.contexts = vec![Context { digest: rows::hash(1), body: "context".into() }];
    });
    let names = Names {
        sites: vec![SITE.into()],
        pools: vec!["p".into()],
        refusals: vec![rows::key("everything")],
        references: vec![[1; 16]],
        contexts: vec![rows::hash(1)],
        components: Vec::new(),
        notes: vec![],
    };
    (changes.changes(), names)
}

pub(super) fn a_conflict_writes_nothing_at_all(store: &dyn Store) {
    type Break = fn(&mut Changes);
    let (good, names) = of_everything(store);
    let before = Everything::of(store, &names);
    let breaks: [(&str, Break); 12] = [
        ("configuration", |changes| changes.configuration = changes.configuration.map(|version| version + 1)),
        ("check", |changes| changes.checks.push((rows::place(RecordKind::Order, "there"), None))),
        ("last account", |changes| changes.accounts[1].before = Some(1)),
        ("first account", |changes| changes.accounts[0].before = Some(2)),
        ("new account", |changes| changes.accounts[0].before = None),
        ("last document", |changes| changes.records[1].before = Some(1)),
        ("first document", |changes| changes.records[0].before = None),
        ("last code", |changes| changes.codes[1].before = Some(1)),
        ("first code", |changes| changes.codes[0].before = Some(2)),
        ("new code", |changes| changes.codes[0].before = None),
        ("lookup of a new code", |changes| changes.codes[1].after.lookup = rows::hash(1)),
        ("lookup of a code", |changes| changes.codes[0].after.lookup = rows::hash(2)),
    ];
    for (what, spoil) in breaks {
        let mut spoiled = good.clone();
        spoil(&mut spoiled);
        assert_eq!(rows::commit(store, &[&spoiled]), [Verdict::Conflict], "{what}");
        assert_eq!(Everything::of(store, &names), before, "{what}");
    }
    rows::committed(store, &good);
    let after = Everything::of(store, &names);
    assert_ne!(after, before);
    assert_eq!(after.codes.len(), 2);
    assert_eq!(after.drawn_codes.len(), 1);
    assert_eq!(after.holds.iter().map(|(_, _, hold)| *hold).collect::<Vec<_>>(), [51]);
    assert_eq!((after.personal[0].is_some(), after.contexts[0].is_some()), (true, true));
    after.assert_sound();
}

pub(super) fn an_operation_is_done_once(store: &dyn Store) {
    let first = rows::issue(store, &rows::card(1), 100);
    let booking = Booking::named("k").moves(&first, -10, 0);
    let second = booking.after(first.id);
    rows::committed(store, &booking.clone().changes());
    assert_eq!(rows::commit(store, &[&booking.changes()]), [Verdict::Duplicate]);
    let another =
        Operation { request_hash: rows::hash(9), at: NOW + 1, kind: OperationKind::Hold, ..rows::operation("k") };
    let another = Booking::new(another).moves(&second, -10, 0).changes();
    assert_eq!(rows::commit(store, &[&another]), [Verdict::Duplicate]);
    assert_eq!(rows::account(store, first.id), second);
    let found = store.find(&Want { operation: Some(rows::key("k")), ..Want::default() }).unwrap();
    assert_eq!(found.operation, Some(rows::operation("k")));
    assert_eq!(store.operations(i64::MIN, 10).unwrap().len(), 2);
}

pub(super) fn a_key_belongs_to_its_site(store: &dyn Store) {
    let of = |site: &str, key: &str| Operation {
        key: OperationKey { site: site.into(), key: key.into() },
        ..rows::operation("k")
    };
    // Run together, site and key are the same.
    let keys = [of("main", "k"), of("other", "k"), of("mai", "nk"), of("", "maink"), of("maink", ""), of("main", "K")];
    for operation in &keys {
        rows::committed(store, &Booking::new(operation.clone()).changes());
    }
    for operation in keys {
        let found = store.find(&Want { operation: Some(operation.key.clone()), ..Want::default() }).unwrap();
        assert_eq!(found.operation, Some(operation));
    }
}

pub(super) fn a_repetition_is_told_before_a_conflict(store: &dyn Store) {
    let first = rows::issue(store, &rows::card(1), 100);
    let repeated = Booking::named("k").moves(&first, -10, 0).changes();
    rows::committed(store, &repeated);
    // Everything about it conflicts by now, too.
    let mut stale = repeated.clone();
    stale.configuration = Some(rows::configuration(store) + 1);
    assert_eq!(rows::commit(store, &[&stale]), [Verdict::Duplicate]);
}

pub(super) fn a_remembered_refusal_keeps_its_key(store: &dyn Store) {
    let refusal = rows::refusal("k", NOW + 10);
    rows::committed(store, &rows::refused(refusal.clone()));
    let at = |at| Booking::new(Operation { at, ..rows::operation("k") }).changes();
    assert_eq!(rows::commit(store, &[&at(NOW + 9)]), [Verdict::Duplicate]);
    let again = giftcard_ledger::model::Refusal { at: NOW + 9, until: NOW + 99, ..refusal.clone() };
    assert_eq!(rows::commit(store, &[&rows::refused(again)]), [Verdict::Duplicate]);
    let found = store.find(&Want { operation: Some(rows::key("k")), ..Want::default() }).unwrap();
    assert_eq!((found.operation, found.refusal), (None, Some(refusal)));
    // And an operation keeps its key from being refused.
    rows::committed(store, &Booking::named("done").changes());
    let late = giftcard_ledger::model::Refusal { at: NOW + 1000, ..rows::refusal("done", NOW + 2000) };
    assert_eq!(rows::commit(store, &[&rows::refused(late)]), [Verdict::Duplicate]);
}

pub(super) fn a_refusal_that_is_over_is_forgotten_by_the_next_operation_of_its_key(store: &dyn Store) {
    let want = |name: &str| Want { operation: Some(rows::key(name)), ..Want::default() };
    rows::committed(store, &rows::refused(rows::refusal("a", NOW + 10)));
    rows::committed(store, &rows::refused(rows::refusal("b", NOW + 10)));
    let operation = Operation { at: NOW + 10, ..rows::operation("a") };
    rows::committed(store, &Booking::new(operation.clone()).changes());
    let found = store.find(&want("a")).unwrap();
    assert_eq!((found.operation, found.refusal), (Some(operation), None));
    let again = giftcard_ledger::model::Refusal { at: NOW + 11, until: NOW + 20, ..rows::refusal("b", 0) };
    rows::committed(store, &rows::refused(again.clone()));
    let found = store.find(&want("b")).unwrap();
    assert_eq!((found.operation, found.refusal), (None, Some(again)));
}

pub(super) fn a_conflict_does_not_forget_a_refusal(store: &dyn Store) {
    let refusal = rows::refusal("k", NOW + 10);
    rows::committed(store, &rows::refused(refusal.clone()));
    let conflict = Booking::new(Operation { at: NOW + 20, ..rows::operation("k") }).moves(&rows::card(1), 1, 0);
    rows::conflicts(store, &conflict.changes());
    let found = store.find(&Want { operation: Some(rows::key("k")), ..Want::default() }).unwrap();
    assert_eq!(found.refusal, Some(refusal));
}

pub(super) fn refusals_that_are_over_can_be_forgotten(store: &dyn Store) {
    for (name, until) in [("a", NOW + 1), ("b", NOW + 2), ("c", NOW + 3), ("d", NOW + 3)] {
        rows::committed(store, &rows::refused(rows::refusal(name, until)));
    }
    let there = |name: &str| {
        let want = Want { operation: Some(rows::key(name)), ..Want::default() };
        store.find(&want).unwrap().refusal.is_some()
    };
    assert_eq!(store.forget_refusals(NOW).unwrap(), 0);
    assert_eq!(store.forget_refusals(NOW + 2).unwrap(), 2);
    assert_eq!(["a", "b", "c", "d"].map(there), [false, false, true, true]);
    assert_eq!(store.forget_refusals(i64::MAX).unwrap(), 2);
}

pub(super) fn an_operation_that_is_no_ledgers_fails_and_leaves_the_store_working(store: &dyn Store) {
    let there = rows::issue(store, &rows::card(1), 100);
    let wrong = |change: fn(&mut Account)| {
        let mut changes = Booking::named("wrong").moves(&there, 0, 0).changes();
        let AccountChange { after, .. } = &mut changes.accounts[0];
        change(after);
        changes
    };
    let rows_of_no_ledger = [
        wrong(|account| account.balance = rows::minor(-1)),
        wrong(|account| account.held = rows::minor(-1)),
        wrong(|account| account.held = rows::minor(101)),
    ];
    for changes in rows_of_no_ledger {
        let good = Booking::named("good").opens(&rows::card(2), 1).changes();
        let answer = store.commit(0, &[&good, &changes]);
        assert!(matches!(answer, Err(StoreError::Corrupt(_))), "{answer:?}");
        assert_eq!(store.operations(i64::MIN, 10).unwrap().len(), 1, "an error leaves nothing of the batch");
        assert_eq!(rows::account(store, there.id), there);
    }
    rows::committed(store, &Booking::named("good").moves(&there, -1, 0).changes());
}
