//! What a store finds, and that it is what was written.

use std::sync::atomic::{AtomicBool, Ordering};

use giftcard_engine::card::Status;
use giftcard_engine::money::MINOR_MAX;
use giftcard_engine::{Currency, Minor};
use giftcard_ledger::model::{
    Account, AccountKind, Code, CodeState, Counter, Entry, Leg, Operation, OperationKind, RecordKind,
};
use giftcard_ledger::store::{AccountFilter, CounterSum, Store, Want};

use super::everything::{Everything, Names};
use super::rows::{self, Booking, NOW, SITE};

pub(super) fn an_empty_store_has_nothing(store: &dyn Store) {
    let want = Want {
        operation: Some(rows::key("k")),
        codes: vec![vec![rows::hash(1), rows::hash(2)], vec![]],
        accounts: vec![rows::id(1)],
        credits: vec![(SITE.into(), "anna".into(), "USD".into())],
        records: vec![rows::place(RecordKind::Order, "o")],
    };
    let found = store.find(&want).unwrap();
    assert_eq!((found.operation, found.refusal), (None, None));
    assert_eq!(found.codes, [None, None]);
    assert_eq!(found.credits, [None]);
    assert!(found.accounts.is_empty() && found.records.is_empty());
    assert!(found.high_water <= 0, "nothing happened yet");
    let names = Names {
        sites: vec![SITE.into()],
        pools: vec!["p".into()],
        refusals: vec![rows::key("k")],
        references: vec![[1; 16]],
        contexts: vec![rows::hash(1)],
        components: Vec::new(),
        notes: vec!["n".into()],
    };
    let empty = Everything::of(store, &names);
    assert!(empty.accounts.is_empty() && empty.operations.is_empty() && empty.holds.is_empty(), "{empty:?}");
    assert!(empty.documents.is_empty() && empty.codes.is_empty() && empty.checkpoints.is_empty(), "{empty:?}");
    assert!(empty.liabilities.is_empty() && empty.turnover.is_empty() && empty.counter_sums.is_empty(), "{empty:?}");
    assert!(empty.pepper_uses.is_empty() && empty.unsealed.is_empty(), "{empty:?}");
    assert_eq!((&empty.personal[0], &empty.contexts[0], &empty.notes[0]), (&None, &None, &None));
    assert!(store.history(rows::id(1), 0, 10).unwrap().is_empty());
    assert!(store.codes_of(rows::id(1)).unwrap().is_empty());
    assert!(store.code_counts(SITE, "p").unwrap().is_empty());
    assert!(store.sealed_heads(1).unwrap().is_empty());
    assert!(store.passed_holds(&[], i64::MAX).unwrap().is_empty());
    assert!(store.next_hold_ends(&[rows::id(1)], &[]).unwrap().is_empty());
    assert_eq!(store.forget_refusals(NOW).unwrap(), 0);
    assert_eq!(store.erase(SITE, "anna").unwrap(), 0);
}

pub(super) fn there_is_a_lane(store: &dyn Store) {
    assert!(store.lanes() >= 1);
    let last = store.lanes() - 1;
    assert_eq!(store.commit(last, &[&Booking::named("k").changes()]).unwrap().len(), 1);
}

pub(super) fn an_operation_is_found_as_it_was_written(store: &dyn Store) {
    let operation = Operation {
        order: Some("order 1".into()),
        actor: Some("anna of the till".into()),
        decision: Some(r#"{"taken":1}"#.into()),
        personal: Some([7; 16]),
        ..rows::operation("k")
    };
    rows::committed(store, &Booking::new(operation.clone()).changes());
    let found = store.find(&Want { operation: Some(rows::key("k")), ..Want::default() }).unwrap();
    assert_eq!(found.operation, Some(operation.clone()));
    assert_eq!(found.refusal, None);
    let [numbered] = &store.operations(i64::MIN, 10).unwrap()[..] else { panic!("one operation was written") };
    assert_eq!((&numbered.operation, &numbered.entries[..]), (&operation, &[][..]));
}

pub(super) fn an_operation_without_what_may_be_missing_is_found_so(store: &dyn Store) {
    let operation = Operation { answer: String::new(), ..rows::operation("k") };
    rows::committed(store, &Booking::new(operation.clone()).changes());
    let found = store.find(&Want { operation: Some(rows::key("k")), ..Want::default() }).unwrap();
    assert_eq!(found.operation, Some(operation));
}

pub(super) fn every_kind_of_operation_reads_back(store: &dyn Store) {
    for kind in OperationKind::ALL {
        let operation = Operation { kind, ..rows::operation(kind.name()) };
        rows::committed(store, &Booking::new(operation).changes());
    }
    let read: Vec<OperationKind> =
        store.operations(i64::MIN, 100).unwrap().iter().map(|numbered| numbered.operation.kind).collect();
    assert_eq!(read, OperationKind::ALL);
}

pub(super) fn an_account_is_found_as_it_was_written(store: &dyn Store) {
    let full = Account {
        customer: Some("anna".into()),
        status: Status::Pending,
        next_hold_end: Some(NOW + 1),
        expires_at: Some(NOW + 2),
        expires_on: Some("2026-12-31".into()),
        replaced_by: Some(rows::id(9)),
        bought_by: Some("order 1".into()),
        hint: Some("7K2M".into()),
        ..rows::card(1)
    };
    for account in [full, rows::card(2), rows::credit(3, "bert")] {
        let issued = rows::issue(store, &account, 5000);
        assert_eq!(rows::account(store, account.id), issued);
        assert_eq!(issued.initial.get(), if account.kind == AccountKind::Card { 5000 } else { 0 });
    }
}

pub(super) fn every_kind_state_and_counter_reads_back(store: &dyn Store) {
    let states = [Status::Pending, Status::Active, Status::Disabled, Status::Closed];
    for (number, status) in states.into_iter().enumerate() {
        let account = Account { status, ..rows::card(number as i64) };
        let issued = rows::issue(store, &account, 1);
        assert_eq!(rows::account(store, account.id), issued);
    }
    let counters = [Counter::Issuance, Counter::Redemption, Counter::Adjustment, Counter::Breakage, Counter::Exchange];
    let leg = |counter, amount| Entry {
        leg: Leg::Counter(counter),
        currency: rows::currency("EUR"),
        amount: rows::minor(amount),
    };
    let legs: Vec<Entry> =
        counters.into_iter().enumerate().map(|(place, counter)| leg(counter, [1, 2, 4, 8, -15][place])).collect();
    rows::committed(store, &Booking::named("counters").with(|changes| changes.entries = legs.clone()).changes());
    assert_eq!(store.operations(i64::MIN, 100).unwrap()[4].entries, legs);
    let mut sums = store.counter_sums().unwrap();
    sums.retain(|sum| sum.currency == rows::currency("EUR"));
    sums.sort_by_key(|sum| sum.counter);
    let expected: Vec<CounterSum> = counters
        .into_iter()
        .zip([1, 2, 4, 8, -15])
        .map(|(counter, amount_minor)| CounterSum {
            counter: Some(counter),
            currency: rows::currency("EUR"),
            amount_minor,
        })
        .collect();
    assert_eq!(sums, expected);
}

pub(super) fn the_greatest_and_smallest_values_read_back(store: &dyn Store) {
    let yen = Currency::new("JPY", 0).unwrap();
    let greatest = Account { currency: yen, expires_at: Some(i64::MAX), issued_at: i64::MIN, ..rows::card(i64::MAX) };
    let greatest = rows::issue(store, &greatest, MINOR_MAX);
    let booking = Booking::named("all of it").moves(&greatest, 0, MINOR_MAX);
    let held = booking.after(greatest.id);
    assert_eq!((held.balance, held.held), (Minor::MAX, Minor::MAX));
    rows::committed(store, &booking.changes());
    assert_eq!(rows::account(store, greatest.id), held);
    let booking = Booking::named("none of it").moves(&held, -MINOR_MAX, -MINOR_MAX);
    let empty = booking.after(greatest.id);
    let changes = booking.changes();
    rows::committed(store, &changes);
    assert_eq!(rows::account(store, greatest.id), empty);
    assert_eq!(store.operations(i64::MIN, 10).unwrap()[2].entries, changes.entries);
    let dinar = Account { currency: Currency::new("CLF", 4).unwrap(), ..rows::card(0) };
    let issued = rows::issue(store, &dinar, 0);
    assert_eq!(rows::account(store, rows::id(0)), issued);
}

pub(super) fn texts_of_any_characters_read_back(store: &dyn Store) {
    for (number, text) in
        ["", " ", "'; DROP TABLE account; --", "%_\\\"`$1?1:a", "žluť 🎁\u{202e}\u{feff}", "a\r\n\tb\u{1}"]
            .into_iter()
            .enumerate()
    {
        let number = number as i64;
        let site = format!("site {text}");
        let account = Account {
            site: site.clone(),
            programme: text.into(),
            customer: Some(text.into()),
            bought_by: Some(text.into()),
            hint: Some(text.into()),
            ..rows::credit(number, text)
        };
        let operation = Operation {
            order: Some(text.into()),
            actor: Some(text.into()),
            answer: text.into(),
            decision: Some(text.into()),
            ..rows::operation(&format!("{text} {number}"))
        };
        let key =
            giftcard_ledger::model::RecordKey { kind: RecordKind::Order, site: site.clone(), id: format!("x{text}") };
        let mut changes = Booking::new(operation.clone()).opens(&account, 1).changes();
        changes.records = rows::document(&key, None, Some(text)).records;
        rows::committed(store, &changes);
        let want = Want {
            operation: Some(operation.key.clone()),
            credits: vec![(site.clone(), text.into(), "USD".into())],
            records: vec![key.clone()],
            ..Want::default()
        };
        let found = store.find(&want).unwrap();
        assert_eq!(found.operation, Some(operation), "{text:?}");
        assert_eq!(found.credits, [Some(account.id)], "{text:?}");
        assert_eq!(found.accounts[&account.id], rows::after(&changes, account.id), "{text:?}");
        assert_eq!(found.records[&key].body, text);
        let filter = AccountFilter {
            site: Some(site),
            programme: Some(text.into()),
            customer: Some(text.into()),
            bought_by: Some(text.into()),
            hint: Some(text.into()),
            limit: 10,
            ..AccountFilter::default()
        };
        assert_eq!(store.accounts(&filter).unwrap().len(), 1, "{text:?}");
    }
}

pub(super) fn long_texts_read_back(store: &dyn Store) {
    let long = "ž".repeat(300_000);
    let operation =
        Operation { decision: Some(long.clone()), answer: long.clone(), ..rows::operation(&"k".repeat(200)) };
    let key = rows::place(RecordKind::Programme, &"p".repeat(200));
    let mut changes = Booking::new(operation.clone()).changes();
    changes.records = rows::document(&key, None, Some(&long)).records;
    rows::committed(store, &changes);
    let want = Want { operation: Some(operation.key.clone()), records: vec![key.clone()], ..Want::default() };
    let found = store.find(&want).unwrap();
    assert_eq!(found.operation, Some(operation));
    assert_eq!(found.records[&key].body, long);
}

pub(super) fn codes_are_found_by_any_of_their_lookups_in_the_wanted_order(store: &dyn Store) {
    let full = Code {
        pepper: u32::MAX,
        pool: Some("p".into()),
        state: CodeState::Reserved,
        hint: Some("7K2M".into()),
        sealed: Some(vec![0, 255, 1]),
        ..rows::code(1)
    };
    rows::committed(store, &rows::new_codes([full.clone(), rows::code(2), rows::code(3)]));
    let (one, two, none) = (rows::hash(1), rows::hash(2), rows::hash(99));
    let want = Want { codes: vec![vec![none, two], vec![none], vec![one], vec![], vec![two, none]], ..Want::default() };
    let found = store.find(&want).unwrap().codes;
    let expected = [Some(rows::code(2)), None, Some(full), None, Some(rows::code(2))];
    // Codes say nothing of themselves when they are shown.
    assert!(found == expected, "{:?}", found);
    let sealed = found[2].as_ref().and_then(|code| code.sealed.clone());
    assert_eq!(sealed, Some(vec![0, 255, 1]));
}

pub(super) fn the_account_of_a_code_comes_along(store: &dyn Store) {
    let account = rows::issue(store, &rows::card(1), 100);
    let drawn = Code { state: CodeState::Drawn, account: Some(account.id), ..rows::code(7) };
    rows::committed(store, &rows::new_codes([drawn, rows::code(8)]));
    let want = Want { codes: vec![vec![rows::hash(7)], vec![rows::hash(8)]], ..Want::default() };
    let found = store.find(&want).unwrap();
    assert_eq!(found.codes[0].as_ref().and_then(|code| code.account), Some(account.id));
    assert_eq!(found.accounts.len(), 1);
    assert_eq!(found.accounts[&account.id], account);
}

pub(super) fn store_credit_is_found_by_site_customer_and_currency(store: &dyn Store) {
    let usd = rows::issue(store, &rows::credit(1, "anna"), 100);
    let eur = rows::issue(store, &Account { currency: rows::currency("EUR"), ..rows::credit(2, "anna") }, 100);
    rows::issue(store, &Account { site: "other".into(), ..rows::credit(3, "bert") }, 100);
    // A card of the customer is no store credit.
    rows::issue(store, &Account { customer: Some("carl".into()), ..rows::card(4) }, 100);
    let want = |site: &str, customer: &str, currency: &str| (site.to_owned(), customer.to_owned(), currency.to_owned());
    let credits = vec![
        want(SITE, "anna", "EUR"),
        want(SITE, "bert", "USD"),
        want("other", "anna", "USD"),
        want(SITE, "carl", "USD"),
        want(SITE, "anna", "USD"),
        want(SITE, "anna", "CHF"),
    ];
    let found = store.find(&Want { credits, ..Want::default() }).unwrap();
    assert_eq!(found.credits, [Some(eur.id), None, None, None, Some(usd.id), None]);
    assert_eq!(found.accounts.len(), 2);
    assert_eq!((&found.accounts[&usd.id], &found.accounts[&eur.id]), (&usd, &eur));
}

pub(super) fn documents_are_found_with_their_versions(store: &dyn Store) {
    let order = rows::place(RecordKind::Order, "1");
    // The same id of another kind and of another site is another document.
    let hold = rows::place(RecordKind::Hold, "1");
    let other = giftcard_ledger::model::RecordKey { site: "other".into(), ..order.clone() };
    rows::committed(store, &rows::document(&order, None, Some("{}")));
    rows::committed(store, &rows::document(&order, Some(1), Some(r#"{"total":1}"#)));
    rows::committed(store, &rows::document(&hold, None, Some("[]")));
    let found = store.find(&Want { records: vec![order.clone(), hold.clone(), other], ..Want::default() }).unwrap();
    assert_eq!(found.records.len(), 2);
    assert_eq!((found.records[&order].version, found.records[&order].body.as_str()), (2, r#"{"total":1}"#));
    assert_eq!((found.records[&hold].version, found.records[&hold].body.as_str()), (1, "[]"));
    assert_eq!(found.records[&hold].key, hold);
}

pub(super) fn everything_wanted_is_found_at_once(store: &dyn Store) {
    let card = rows::issue(store, &rows::card(1), 100);
    let credit = rows::issue(store, &rows::credit(2, "anna"), 100);
    let plain = rows::issue(store, &rows::card(3), 100);
    let drawn = Code { state: CodeState::Drawn, account: Some(card.id), ..rows::code(7) };
    let order = rows::place(RecordKind::Order, "1");
    let mut changes = rows::new_codes([drawn]);
    changes.records = rows::document(&order, None, Some("{}")).records;
    rows::committed(store, &changes);
    let want = Want {
        operation: Some(rows::key(&format!("issue {}", card.id))),
        codes: vec![vec![rows::hash(7)]],
        accounts: vec![plain.id, card.id, plain.id, rows::id(99)],
        credits: vec![(SITE.into(), "anna".into(), "USD".into())],
        records: vec![order.clone(), order.clone()],
    };
    let found = store.find(&want).unwrap();
    assert!(found.operation.is_some() && found.refusal.is_none());
    assert_eq!(found.accounts.len(), 3);
    assert_eq!(found.credits, [Some(credit.id)]);
    assert_eq!(found.accounts[&plain.id], plain);
    assert_eq!(found.records.len(), 1);
    assert_eq!(found.high_water, NOW);
}

pub(super) fn a_refusal_is_found_even_when_it_is_over(store: &dyn Store) {
    let refusal = rows::refusal("k", NOW + 10);
    rows::committed(store, &rows::refused(refusal.clone()));
    rows::committed(store, &Booking::new(Operation { at: NOW + 1000, ..rows::operation("later") }).changes());
    let found = store.find(&Want { operation: Some(rows::key("k")), ..Want::default() }).unwrap();
    assert_eq!((found.operation, found.refusal), (None, Some(refusal)));
}

pub(super) fn the_high_water_is_the_greatest_moment_of_any_operation(store: &dyn Store) {
    for (name, at, expected) in [("first", 5, 5), ("second", 9, 9), ("back", 7, 9), ("third", NOW, NOW)] {
        rows::committed(store, &Booking::new(Operation { at, ..rows::operation(name) }).changes());
        assert_eq!(store.find(&Want::default()).unwrap().high_water, expected, "{name}");
    }
    let at = |name: &str, at| Booking::new(Operation { at, ..rows::operation(name) }).changes();
    let batch = [at("a", NOW + 3), at("b", NOW + 8), at("c", NOW + 5)];
    rows::commit(store, &batch.iter().collect::<Vec<_>>());
    assert_eq!(store.find(&Want::default()).unwrap().high_water, NOW + 8);
    // What was not written did not happen.
    let conflict = Booking::new(Operation { at: NOW + 100, ..rows::operation("d") }).moves(&rows::card(1), 0, 0);
    rows::conflicts(store, &conflict.changes());
    assert_eq!(store.find(&Want::default()).unwrap().high_water, NOW + 8);
}

pub(super) fn a_read_never_sees_half_an_operation(store: &dyn Store) {
    let (mut left, mut right) = (rows::issue(store, &rows::card(1), 500), rows::issue(store, &rows::card(2), 500));
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for step in 0..150 {
                let amount = if step % 2 == 0 { 300 } else { -300 };
                let booking = Booking::named(&format!("step {step}")).moves(&left, -amount, 0).moves(&right, amount, 0);
                let order = rows::place(RecordKind::Order, "o");
                let body = (left.balance.get() - amount).to_string();
                let before = (step > 0).then_some(step);
                let records = rows::document(&order, before, Some(&body)).records;
                (left, right) = (booking.after(left.id), booking.after(right.id));
                rows::committed(store, &booking.with(|changes| changes.records = records).changes());
            }
            done.store(true, Ordering::Relaxed);
        });
        let order = rows::place(RecordKind::Order, "o");
        let want = Want { accounts: vec![rows::id(1), rows::id(2)], records: vec![order.clone()], ..Want::default() };
        while !done.load(Ordering::Relaxed) {
            let found = store.find(&want).unwrap();
            let balance = |account| found.accounts[&rows::id(account)].balance.get();
            assert_eq!(balance(1) + balance(2), 1000);
            if let Some(record) = found.records.get(&order) {
                assert_eq!(record.body, balance(1).to_string());
                assert_eq!(record.version + 1, found.accounts[&rows::id(1)].version);
            }
            for numbered in store.operations(i64::MIN, 5).unwrap() {
                let sum: i64 = numbered.entries.iter().map(|entry| entry.amount.get()).sum();
                assert!(sum == 0 && !numbered.entries.is_empty(), "{numbered:?}");
            }
        }
    });
}
