//! What a component asks for beyond the standard limits: refused without a grant, held to what it asked for with one, and
//! no other component's gain.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::time::{Duration, Instant};

use giftcard_host::{Component, Grant, Host, HostConfig, Limits, LimitsCause, LoadError, Rulebook};
use giftcard_tests::harness::{binding, component_bytes, host, request, rules};

const WANTED: Grant = Grant {
    fuel: Some(60_000_000),
    memory_bytes: Some(24 << 20),
    deadline_ms: None,
    table_elements: None,
    component_bytes: None,
    functions: None,
    function_locals: None,
    function_bytes: None,
};

/// The misbehaving condition, asking for more.
fn demanding() -> Vec<u8> {
    WANTED.write_into(&component_bytes("tests/hostile-condition"))
}

fn refused(host: &Host, bytes: &[u8], granted: &Grant) -> LimitsCause {
    match host.load_granted("demanding", bytes, granted) {
        Err(LoadError::Limits(error)) => error.cause,
        Err(error) => panic!("refused at {}: {error}", error.stage()),
        Ok(component) => panic!("{} was loaded", component.facts().id),
    }
}

fn not_granted(wanted: Grant, granted: Grant) -> LimitsCause {
    LimitsCause::NotGranted { wanted: Box::new(wanted), granted: Box::new(granted) }
}

fn book(host: &Host, component: Component) -> Rulebook {
    let Component::Condition(condition) = component else { panic!("no condition") };
    let mut book = Rulebook::new(rules(host, "gift-card"));
    book.add(condition);
    book
}

fn failure(book: &Rulebook, mode: &str) -> Option<String> {
    let order = request(3_500, &[1_500], vec![binding("hostile-condition", "mode", mode)]);
    book.quote(&order, false).unwrap().quote.conditions[0].failure.clone().map(|(failure, _)| failure.message)
}

fn fails(book: &Rulebook, mode: &str, why: &str) {
    let message = failure(book, mode).unwrap_or_else(|| panic!("{mode} did not fail"));
    assert!(message.contains(why), "{message}");
    assert_eq!(failure(book, "accept"), None, "the next request after {mode}");
}

#[test]
fn a_component_that_asks_for_more_than_it_was_granted_is_refused_with_what_it_asks_for() {
    let (host, bytes) = (host(), demanding());
    let nothing = Grant::default();
    assert_eq!(refused(&host, &bytes, &nothing), not_granted(WANTED, nothing));
    let fuel = Grant { memory_bytes: None, ..WANTED };
    assert_eq!(refused(&host, &bytes, &fuel), not_granted(WANTED, fuel));
    let message = host.load("demanding", &bytes).err().unwrap().to_string();
    let asked = "asks for more than it was granted: it asks for 60,000,000 units of fuel a call, 25,165,824 bytes of memory; \
                 granted is nothing beyond the standard limits";
    assert!(message.contains(asked) && message.contains("component `demanding` (sha256:"), "{message}");
}

#[test]
fn with_the_grant_its_calls_are_held_to_what_it_asked_for_and_others_to_the_standard() {
    let pooled = host();
    let plain = Host::new(HostConfig { pooling: false, ..HostConfig::default() }).unwrap();
    for host in [&pooled, &plain] {
        // More than it asks for: it gets what it asks for.
        let more = Grant { fuel: Some(2_000_000_000), ..WANTED };
        let component = host.load_granted("demanding", &demanding(), &more).unwrap();
        assert_eq!((component.facts().granted, component.facts().id.as_str()), (WANTED, "hostile-condition"));
        let demanding = book(host, component);
        fails(&demanding, "endless-loop", "it used up its 60000000 units of fuel");
        fails(&demanding, "memory-bomb", "it needs more than its 25165824 bytes of memory");
        let standard = host.load("standard", &component_bytes("tests/hostile-condition")).unwrap();
        assert!(standard.facts().granted.is_nothing());
        let standard = book(host, standard);
        fails(&standard, "endless-loop", "it used up its 50000000 units of fuel");
        fails(&standard, "memory-bomb", "it needs more than its 16777216 bytes of memory");
    }
}

#[test]
fn a_granted_deadline_holds_for_that_component_alone() {
    let limits = Limits { fuel_max: u64::MAX / 2, deadline: Duration::from_millis(30), ..Limits::default() };
    let host = Host::new(HostConfig { limits, ..HostConfig::default() }).unwrap();
    let wanted = Grant { deadline_ms: Some(300), ..Grant::default() };
    let bytes = wanted.write_into(&component_bytes("tests/hostile-condition"));
    let book = book(&host, host.load_granted("slow", &bytes, &wanted).unwrap());
    let start = Instant::now();
    let order = request(3_500, &[1_500], vec![binding("hostile-condition", "mode", "endless-loop")]);
    let error = book.quote(&order, false).unwrap_err().to_string();
    assert!(error.contains("not done within 300 ms") && start.elapsed() >= Duration::from_millis(290), "{error}");
}

#[test]
fn code_that_is_in_the_cache_needs_the_grant_again() {
    let directory = tempfile::tempdir().unwrap();
    let host =
        || Host::new(HostConfig { cache: Some(directory.path().join("cache")), ..HostConfig::default() }).unwrap();
    host().load_granted("demanding", &demanding(), &WANTED).unwrap();
    assert_eq!(std::fs::read_dir(directory.path().join("cache")).unwrap().count(), 1);
    let granted = Grant::default();
    assert_eq!(refused(&host(), &demanding(), &granted), not_granted(WANTED, granted));
}

#[test]
fn what_the_host_allows_everyone_needs_no_grant() {
    let limits = Limits { fuel_max: 60_000_000, memory_bytes_max: 24 << 20, ..Limits::default() };
    let host = Host::new(HostConfig { limits, ..HostConfig::default() }).unwrap();
    assert!(host.load("demanding", &demanding()).unwrap().facts().granted.is_nothing());
}

#[test]
fn nobody_can_grant_more_than_the_ceilings() {
    let host = host();
    let bytes = Grant { memory_bytes: Some(1 << 30), ..WANTED }.write_into(&component_bytes("tests/minimal-condition"));
    let all = Grant { memory_bytes: Some(u64::MAX), ..WANTED };
    let LimitsCause::Wrong(problem) = refused(&host, &bytes, &all) else { panic!("not refused for its request") };
    assert!(problem.contains("`memory_bytes` is 1073741824; more than 134217728 cannot be granted"), "{problem}");
    assert_eq!(host.wanted("minimal", &bytes).unwrap_err().stage(), "limits");
}

#[test]
fn a_larger_component_loads_only_where_its_size_is_granted() {
    let host = host();
    let wanted = Grant { component_bytes: Some(5 << 20), ..Grant::default() };
    let small = wanted.write_into(&component_bytes("tests/minimal-condition"));
    // A custom section that says nothing, as debug information is.
    let padding = vec![0; 4 << 20];
    let length = u32::try_from(padding.len() + 2).unwrap();
    let size = [0, 7, 14, 21].map(|shift| (length >> shift & 0x7f) as u8 | if shift < 21 { 0x80 } else { 0 });
    let large = [&small[..], &[0], &size, &[1, b'x'], &padding].concat();
    let granted = Grant::default();
    assert_eq!(refused(&host, &large, &granted), not_granted(wanted, granted));
    assert_eq!(host.load_granted("large", &large, &wanted).unwrap().facts().size, large.len());
    let undeclared = Grant::default().write_into(&large);
    assert_eq!(host.load_granted("large", &undeclared, &wanted).err().unwrap().stage(), "read");
}
