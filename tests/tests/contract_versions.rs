//! Versions of the contract side by side: components that were built for 0.1 and for the draft of 0.2 in one decision. Must
//! not know more of a version than what it is good for.
#![allow(clippy::unwrap_used, reason = "tests")]

use giftcard_engine::order::{Customer, Line, Order, Part};
use giftcard_engine::programme::Binding;
use giftcard_engine::quote::CardOutcome;
use giftcard_engine::value::{Named, Value};
use giftcard_engine::{Minor, QuoteRequest};
use giftcard_host::{Host, HostConfig, Quoted, Rulebook, SettingsError};
use giftcard_tests::harness::{binding, component_bytes, condition, host, minor, request, standard_rulebook};

/// Is built for 0.1.
const NEEDS: &str = "needs-by-binding";

/// Is built for the draft.
const DRAFT: &str = "steps-with-values";

fn host_with_drafts() -> Host {
    Host::new(HostConfig { drafts: true, ..HostConfig::default() }).unwrap()
}

/// Every standard component, all of which are built for 0.1, another one that is, and a condition that is built for the draft.
fn book() -> Rulebook {
    let host = host_with_drafts();
    let mut book = standard_rulebook(&host);
    book.add(condition(&host, &format!("tests/{NEEDS}")));
    book.add(condition(&host, &format!("tests/{DRAFT}")));
    book
}

fn draft() -> Binding {
    binding(DRAFT, "", "")
}

fn by_binding(rule: &str, tag: Option<&str>) -> Binding {
    let mut binding = binding(NEEDS, "rule", rule);
    let tag = tag.map(|tag| Named { name: "tag".into(), value: Value::Text(tag.into()) });
    binding.settings.extend(tag);
    binding
}

/// An order by a known customer with two lines of 10.00, the first of them tagged `books`.
fn order(conditions: Vec<Binding>) -> QuoteRequest {
    let line = |tag: &str| Line {
        part: Part::Goods,
        payable_by_card: true,
        quantity_milli: 1_000,
        unit_price: minor(1_000),
        total: minor(1_000),
        tax: None,
        sku: Some("A-1".into()),
        name: None,
        product_type: None,
        categories: None,
        tags: Some(vec![tag.into()]),
        attributes: Vec::new(),
    };
    let plain = request(2_000, &[1_500], conditions);
    let customer = Customer { id: Some("c-1".into()), registered: true, ..Customer::default() };
    let order =
        Order { lines: Some(vec![line("books"), line("toys")]), customer: Some(customer), ..plain.order.clone() };
    QuoteRequest { order, ..plain }
}

fn plain_order(total: i64) -> Order {
    request(total, &[1_500], Vec::new()).order
}

fn quoted(book: &Rulebook, conditions: Vec<Binding>) -> Quoted {
    book.quote(&order(conditions), false).unwrap()
}

/// Component, contract and log of every call of a condition.
fn calls(quoted: &Quoted) -> Vec<(&str, &str, String)> {
    let conditions = quoted.calls.iter().filter(|call| call.function == "evaluate");
    conditions.map(|call| (call.component.id.as_str(), call.component.contract.as_str(), call.log.join("; "))).collect()
}

#[test]
fn components_of_two_versions_decide_together() {
    let book = book();
    let both = quoted(&book, vec![binding("time-window", "from-date", "2020-01-01"), draft()]);
    assert_eq!(both.quote.applied, minor(1_500));
    assert_eq!(
        calls(&both),
        [
            ("time-window", "giftcard:rules@0.1.0", String::new()),
            (DRAFT, "giftcard:rules@0.2.0", "info: 2 lines".to_string())
        ]
    );
    // Each of them can refuse the card.
    let closed = quoted(&book, vec![binding("time-window", "from-date", "2099-01-01"), draft()]);
    assert_eq!(closed.quote.applied, Minor::ZERO);
    let too_small = QuoteRequest { order: plain_order(999), ..order(vec![draft()]) };
    let too_small = book.quote(&too_small, false).unwrap();
    assert_eq!(too_small.quote.applied, Minor::ZERO);
    let CardOutcome::Refused(refusal) = &too_small.quote.shares[0].outcome else { panic!("{too_small:?}") };
    assert_eq!(refusal.reject.text(), "from 10.00 USD on");
}

#[test]
fn what_a_version_says_in_another_way_is_told_in_the_hosts_own() {
    let explained = book().quote(&order(vec![draft()]), true).unwrap();
    let steps = explained.quote.steps.iter().filter(|step| step.plugin.as_deref() == Some(DRAFT));
    let said: Vec<_> = steps.map(|step| (step.step.seen.as_str(), step.step.needed.as_str())).collect();
    assert_eq!(said, [("20.00 USD", "10.00 USD"), ("1", "yes")]);
}

#[test]
fn what_crosses_is_what_the_binding_reads() {
    let book = book();
    let sent = |binding: Binding| calls(&quoted(&book, vec![binding]))[0].2.clone();
    assert_eq!(sent(by_binding("any-order", None)), "info: no lines, no customer");
    assert_eq!(sent(by_binding("tag", Some("books"))), "info: 2 lines, 2 with tags, 0 with a sku, no customer");
    // Remembered or not, the answer and its fuel are the same.
    let first = self::book();
    let binding = || vec![by_binding("tag", Some("books"))];
    let (first, again) = (quoted(&first, binding()), quoted(&book, binding()));
    assert_eq!(first, again);
}

#[test]
fn needs_are_asked_for_when_settings_are_saved_and_stay_below_what_was_declared() {
    let book = book();
    let check = |binding: &Binding| book.check_settings(NEEDS, &binding.settings);
    check(&by_binding("any-order", None)).unwrap();
    check(&by_binding("tag", Some("books"))).unwrap();
    let Err(SettingsError::Problems(problems)) = check(&by_binding("tag", None)) else { panic!("no tag, and saved") };
    assert_eq!(problems, [("tag".to_string(), "is missing; the rule `tag` looks for one".to_string())]);
    let greedy = by_binding("what-was-not-declared", None);
    let error = check(&greedy).unwrap_err().to_string();
    assert!(error.contains("undeclared-need"), "{error}");
    assert!(error.contains("it asks for `customer.email`; declared is lines.tags"), "{error}");
    // Whoever uses it unchecked has a condition that failed, and nothing has crossed.
    let error = check(&by_binding("too-many", None)).unwrap_err().to_string();
    assert!(error.contains("it asks for 100 parts of the order; there are 17"), "{error}");
    let trap = by_binding("trap", None);
    let error = check(&trap).unwrap_err().to_string();
    assert!(error.contains("needs-of"), "{error}");
    for (binding, code) in [(greedy, "undeclared-need"), (by_binding("tag", None), "bad-settings"), (trap, "trap")] {
        let quoted = quoted(&book, vec![binding]);
        assert_eq!(quoted.quote.applied, Minor::ZERO);
        // It was not asked for a verdict at all.
        assert_eq!(calls(&quoted), []);
        assert_eq!(quoted.calls[0].function, "needs-of");
        let failure = quoted.quote.conditions[0].failure.as_ref().unwrap();
        assert!(format!("{failure:?}").contains(code), "{failure:?}");
    }
}

fn refusal(host: &Host) -> String {
    match host.load(DRAFT, &component_bytes(&format!("tests/{DRAFT}"))) {
        Ok(_) => panic!("a component of a draft was loaded"),
        Err(error) => {
            assert_eq!(error.stage(), "contract", "{error}");
            error.to_string()
        }
    }
}

#[test]
fn a_host_without_the_draft_says_what_a_component_was_built_for_and_what_it_speaks() {
    let expected = "it was built for giftcard:rules@0.2.0; this host speaks giftcard:rules@0.1.0";
    let text = refusal(&host());
    assert!(text.contains("does not fit any world of giftcard:rules@0.1.0") && text.contains(expected), "{text}");
    // Nor does one load it that finds it compiled by a host with the draft.
    let directory = tempfile::tempdir().unwrap();
    let config = HostConfig { cache: Some(directory.path().join("cache")), ..HostConfig::default() };
    let with = Host::new(HostConfig { drafts: true, ..config.clone() }).unwrap();
    with.load(DRAFT, &component_bytes(&format!("tests/{DRAFT}"))).unwrap();
    let text = refusal(&Host::new(config).unwrap());
    assert!(text.contains(expected), "{text}");
}
