//! What is kept beside the ledger: personal fields, contexts, notes.

use giftcard_ledger::model::{Operation, RecordKind};
use giftcard_ledger::store::{Changes, Context, Personal, Store, Want};

use super::rows::{self, Booking, SITE};

fn personal(number: u8, site: &str, customer: Option<&str>) -> Personal {
    Personal {
        reference: [number; 16],
        site: site.to_owned(),
        customer: customer.map(str::to_owned),
        body: format!("name and phone {number}"),
    }
}

fn said(store: &dyn Store, personal: Personal) {
    let operation = Operation {
        personal: Some(personal.reference),
        ..rows::operation(&format!("operation {}", personal.reference[0]))
    };
    rows::committed(store, &Booking::new(operation).with(|changes| changes.personal = Some(personal)).changes());
}

pub(super) fn personal_fields_are_read_back_until_they_are_erased(store: &dyn Store) {
    let (anna, nobody) = (personal(1, SITE, Some("anna")), personal(2, SITE, None));
    said(store, anna.clone());
    said(store, nobody.clone());
    assert_eq!(store.personal([1; 16]).unwrap(), Some(anna));
    assert_eq!(store.personal([2; 16]).unwrap(), Some(nobody.clone()));
    assert_eq!(store.personal([3; 16]).unwrap(), None);
    assert_eq!(store.erase(SITE, "anna").unwrap(), 1);
    assert_eq!(store.personal([1; 16]).unwrap(), None);
    assert_eq!(store.personal([2; 16]).unwrap(), Some(nobody));
    // The operation is as it was, so that no hash changes.
    let found = store.find(&Want { operation: Some(rows::key("operation 1")), ..Want::default() }).unwrap();
    assert_eq!(found.operation.unwrap().personal, Some([1; 16]));
}

pub(super) fn erasing_takes_the_customers_document_and_requests_only(store: &dyn Store) {
    let documents = [
        rows::place(RecordKind::Customer, "anna"),
        rows::place(RecordKind::Customer, "bert"),
        rows::place(RecordKind::Order, "anna"),
        giftcard_ledger::model::RecordKey { site: "other".into(), ..rows::place(RecordKind::Customer, "anna") },
    ];
    for key in &documents {
        rows::committed(store, &rows::document(key, None, Some("{}")));
    }
    let requests = [
        personal(1, SITE, Some("anna")),
        personal(2, SITE, Some("anna")),
        personal(3, SITE, Some("bert")),
        personal(4, "other", Some("anna")),
        personal(5, SITE, None),
    ];
    for request in requests {
        said(store, request);
    }
    let configuration = rows::configuration(store);
    assert_eq!(store.erase(SITE, "anna").unwrap(), 2);
    let found = store.find(&Want { records: documents.to_vec(), ..Want::default() }).unwrap().records;
    assert_eq!(documents.each_ref().map(|key| found.contains_key(key)), [false, true, true, true]);
    let left = [1_u8, 2, 3, 4, 5].map(|number| store.personal([number; 16]).unwrap().is_some());
    assert_eq!(left, [false, false, true, true, true]);
    assert_eq!(store.erase(SITE, "anna").unwrap(), 0);
    assert_eq!(rows::configuration(store), configuration);
    // A customer of whom only the document is known is erased, too.
    assert_eq!(store.erase("other", "bert").unwrap(), 0);
}

pub(super) fn a_context_is_kept_once(store: &dyn Store) {
    let context = |number: i64| Context { digest: rows::hash(number), body: format!("context {number}") };
    let with = |contexts: Vec<Context>| Changes { contexts, ..Changes::default() };
    rows::committed(store, &with(vec![context(1), context(2), context(1)]));
    rows::committed(store, &with(vec![context(2), context(3)]));
    for number in 1..=3 {
        assert_eq!(store.context(rows::hash(number)).unwrap(), Some(format!("context {number}")));
    }
    assert_eq!(store.context(rows::hash(4)).unwrap(), None);
}

pub(super) fn a_component_is_kept_and_mended(store: &dyn Store) {
    let large: Vec<u8> = (0..3_000_000_u32).map(|place| (place % 251) as u8).collect();
    for (number, bytes) in [(1, large.as_slice()), (2, &[0, 255]), (1, &large), (3, &[])] {
        store.keep_component(rows::hash(number), bytes).unwrap();
    }
    assert_eq!(store.component(rows::hash(1)).unwrap().as_deref(), Some(large.as_slice()));
    assert_eq!(store.component(rows::hash(2)).unwrap().as_deref(), Some(&[0, 255][..]));
    assert_eq!(store.component(rows::hash(3)).unwrap().as_deref(), Some(&[][..]));
    assert_eq!(store.component(rows::hash(4)).unwrap(), None);
    // The caller vouches for bytes and digest: others that are there were damaged.
    store.keep_component(rows::hash(2), &[7]).unwrap();
    assert_eq!(store.component(rows::hash(2)).unwrap().as_deref(), Some(&[7][..]));
}

pub(super) fn a_note_is_replaced(store: &dyn Store) {
    assert_eq!(store.note("a").unwrap(), None);
    store.set_note("a", "one").unwrap();
    store.set_note("b", "").unwrap();
    assert_eq!((store.note("a").unwrap().as_deref(), store.note("b").unwrap().as_deref()), (Some("one"), Some("")));
    store.set_note("a", "two").unwrap();
    assert_eq!(store.note("a").unwrap().as_deref(), Some("two"));
    assert_eq!(store.note("A").unwrap(), None);
}
