//! The host itself: its code cache, its limits on time and concurrency, its fall-back, and that it may be shared.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use giftcard_engine::card::Status;
use giftcard_engine::programme::{Binding, OnFailure, Programme};
use giftcard_engine::value::{Named, Value};
use giftcard_engine::{Minor, QuoteError, QuoteRequest};
use giftcard_host::{
    Allocation, CallFailure, Host, HostConfig, HostError, Limits, Moved, Rulebook, SettingsError, World,
};
use giftcard_tests::harness::{STANDARD, binding, component_bytes, condition, host, request, rules, standard_rulebook};

fn cached(directory: &Path) -> Host {
    Host::new(HostConfig { cache: Some(directory.to_path_buf()), ..HostConfig::default() }).unwrap()
}

fn entries(directory: &Path) -> Vec<std::path::PathBuf> {
    let mut entries: Vec<_> = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    entries
}

#[test]
fn compiled_code_is_kept_and_used_again() {
    let directory = tempfile::tempdir().unwrap();
    let bytes = component_bytes("tests/minimal-condition");
    let host = cached(directory.path());
    let first = host.load("minimal", &bytes).unwrap();
    let kept = entries(directory.path());
    assert_eq!(kept.len(), 1);
    let name = kept[0].file_name().unwrap().to_str().unwrap();
    assert_eq!(name, format!("{}-{}.cwasm", first.facts().digest, host.engine_id()));
    // What the second load uses is what is in the cache: with another component's code there, that one answers.
    let other = host.load("gift-card", &component_bytes("gift-card")).unwrap();
    let foreign = directory.path().join(format!("{}-{}.cwasm", other.facts().digest, host.engine_id()));
    fs::copy(&foreign, &kept[0]).unwrap();
    assert_eq!(host.load("minimal", &bytes).unwrap().facts().id, "gift-card");
}

#[test]
fn a_damaged_cache_is_a_slow_one_and_nothing_else() {
    let directory = tempfile::tempdir().unwrap();
    let bytes = component_bytes("tests/minimal-condition");
    let facts = cached(directory.path()).load("minimal", &bytes).unwrap().facts().clone();
    let file = entries(directory.path()).remove(0);
    let good = fs::read(&file).unwrap();
    for damage in [
        Vec::new(),
        vec![0; 10],
        good[..good.len() / 2].to_vec(),
        good.iter().map(|byte| byte ^ 0x55).collect(),
        [&good[..good.len() - 1], &[good[good.len() - 1] ^ 1]].concat(),
    ] {
        fs::write(&file, &damage).unwrap();
        let loaded = cached(directory.path()).load("minimal", &bytes).unwrap();
        assert_eq!(*loaded.facts(), facts);
        assert_eq!(fs::read(&file).unwrap(), good, "written anew");
    }
    fs::write(directory.path().join(format!("{}-old.cwasm", facts.digest)), b"of an older engine").unwrap();
    fs::remove_file(&file).unwrap();
    cached(directory.path()).load("minimal", &bytes).unwrap();
    assert_eq!(entries(directory.path()), [file], "code for other engines is forgotten, nothing half written stays");
}

#[test]
fn a_cache_that_others_can_write_to_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let made = directory.path().join("made/on/demand");
    drop(cached(&made));
    assert_eq!(fs::metadata(&made).unwrap().permissions().mode() & 0o777, 0o700);
    fs::set_permissions(&made, fs::Permissions::from_mode(0o770)).unwrap();
    let config = HostConfig { cache: Some(made.clone()), ..HostConfig::default() };
    let error = Host::new(config).err().unwrap();
    assert!(matches!(error, HostError::Cache { .. }));
    assert!(
        error.to_string().contains("others can write to it; remove it, or name a directory that does not exist yet"),
        "{error}"
    );
    let file = directory.path().join("file");
    fs::write(&file, b"").unwrap();
    assert!(Host::new(HostConfig { cache: Some(file), ..HostConfig::default() }).is_err());
}

#[test]
fn without_a_pool_everything_is_the_same_but_slower() {
    let pooled = host();
    assert_eq!(*pooled.allocation(), Allocation::Pooling);
    let plain = Host::new(HostConfig { pooling: false, ..HostConfig::default() }).unwrap();
    assert!(matches!(plain.allocation(), Allocation::OnDemand { .. }));
    let order = request(3_500, &[1_500, 4_000], vec![binding("time-window", "from-date", "2020-01-01")]);
    let (pooled, plain) = (standard_rulebook(&pooled), standard_rulebook(&plain));
    assert_eq!(pooled.quote(&order, true).unwrap().quote, plain.quote(&order, true).unwrap().quote);
}

#[test]
fn where_the_address_space_is_too_small_for_a_pool_the_host_goes_on_without() {
    // The limit holds for the whole process, so the host is tried in one of its own: this test, called again.
    const INNER: &str = "GIFTCARD_TEST_SMALL_ADDRESS_SPACE";
    if std::env::var_os(INNER).is_some() {
        let host = host();
        assert!(matches!(host.allocation(), Allocation::OnDemand { .. }), "{:?}", host.allocation());
        let book = standard_rulebook(&host);
        let quoted = book.quote(&request(3_500, &[1_500, 4_000], Vec::new()), false).unwrap();
        assert_eq!(quoted.quote.applied.get(), 3_500);
        return;
    }
    let program = std::env::current_exe().unwrap();
    let name = "where_the_address_space_is_too_small_for_a_pool_the_host_goes_on_without";
    let script = format!("ulimit -v 3000000 && exec '{}' --exact {name} --nocapture", program.display());
    let output = std::process::Command::new("sh").args(["-c", &script]).env(INNER, "1").output().unwrap();
    let out = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && out.contains("1 passed"), "{out}{}", String::from_utf8_lossy(&output.stderr));
}

/// Fuel without end, so that only the clock can stop a call.
fn endless(limits: Limits, calls_max: u32) -> Rulebook {
    let limits = Limits { fuel_max: u64::MAX / 2, ..limits };
    let host = Host::new(HostConfig { limits, calls_max, ..HostConfig::default() }).unwrap();
    let mut book = Rulebook::new(rules(&host, "gift-card"));
    book.add(condition(&host, "tests/hostile-condition"));
    book
}

fn busy(book: &Rulebook, mode: &str) -> String {
    let order = request(1_000, &[1_500], vec![binding("hostile-condition", "mode", mode)]);
    match book.quote(&order, false) {
        Err(QuoteError::Rules(error)) => match error.failure {
            CallFailure::Busy { why } => why,
            other => panic!("{other:?}"),
        },
        other => panic!("a deadline is never a decision: {other:?}"),
    }
}

#[test]
fn past_its_deadline_a_call_is_busy_and_never_a_decision() {
    let book = endless(Limits { deadline: Duration::from_millis(50), ..Limits::default() }, 4);
    let start = Instant::now();
    assert_eq!(busy(&book, "endless-loop"), "not done within 50 ms");
    assert!(start.elapsed() < Duration::from_secs(5));
    book.quote(&request(1_000, &[1_500], vec![binding("hostile-condition", "mode", "fine")]), false).unwrap();
}

#[test]
fn where_no_sandbox_is_free_a_call_waits_and_then_is_busy() {
    let limits = Limits { deadline: Duration::from_secs(2), wait_max: Duration::from_millis(50), ..Limits::default() };
    let book = endless(limits, 1);
    std::thread::scope(|scope| {
        let long = scope.spawn(|| busy(&book, "endless-loop"));
        std::thread::sleep(Duration::from_millis(300));
        assert_eq!(busy(&book, "fine"), "all sandboxes are in use");
        assert_eq!(long.join().unwrap(), "not done within 2000 ms");
    });
    book.quote(&request(1_000, &[1_500], vec![binding("hostile-condition", "mode", "fine")]), false).unwrap();
}

#[test]
fn one_rulebook_serves_many_threads() {
    let host = Host::new(HostConfig { calls_max: 3, ..HostConfig::default() }).unwrap();
    let book = standard_rulebook(&host);
    let order = request(3_500, &[1_500, 4_000], vec![binding("time-window", "from-date", "2020-01-01")]);
    let expected = book.quote(&order, false).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| {
                for _ in 0..200 {
                    assert_eq!(book.quote(&order, false).unwrap(), expected);
                }
            });
        }
    });
}

#[test]
fn every_standard_component_says_who_it_is() {
    let host = host();
    for name in STANDARD {
        let component = host.load(name, &component_bytes(name)).unwrap();
        let facts = component.facts();
        assert_eq!(facts.id, name);
        assert_eq!(facts.world, if name == "gift-card" { World::GiftCard } else { World::ConditionPlugin });
        assert_eq!(facts.contract, "giftcard:rules@0.1.0");
        assert_eq!(facts.size, component_bytes(name).len());
        assert_eq!(facts.digest.len(), 64);
        assert!(facts.imports.iter().all(|import| import.starts_with("giftcard:rules/")), "{:?}", facts.imports);
        assert_eq!(facts.settings.is_empty(), name == "gift-card", "{name}");
        assert_eq!(facts.reject_codes.is_empty(), name == "gift-card", "{name}");
        assert_eq!(facts.shares_limits, name == "spending-cap");
    }
}

#[test]
fn settings_are_checked_one_by_one_and_then_by_the_plugin() {
    let host = host();
    let book = standard_rulebook(&host);
    let check = |plugin: &str, settings: &[(&str, Value)], expected: &str| {
        let named = |(name, value): &(&str, Value)| Named { name: name.to_string(), value: value.clone() };
        let settings: Vec<Named> = settings.iter().map(named).collect();
        match (book.check_settings(plugin, &settings), expected) {
            (Ok(()), "") => {}
            (Ok(()), expected) => panic!("{plugin} takes {settings:?}, instead of saying {expected}"),
            (Err(error), expected) => {
                assert!(!expected.is_empty() && error.to_string().contains(expected), "{error}");
            }
        }
    };
    let text = |text: &str| Value::Text(text.into());
    let texts = |text: &str| Value::Texts(vec![text.into()]);
    check("cart-contents", &[("skus", texts("A-1"))], "");
    check("cart-contents", &[], "name at least one product, category or tag");
    check("cart-contents", &[("skus", text("A-1"))], "setting `skus`: must be of kind texts");
    check("cart-contents", &[("sku", texts("A-1"))], "setting `sku`: is unknown; known are match, skus, categories");
    check(
        "cart-contents",
        &[("skus", texts("A")), ("match", text("some"))],
        "is `some`; it must be one of any, all, none",
    );
    check(
        "cart-contents",
        &[("skus", texts("A")), ("quantity", Value::Integer(-1))],
        "is -0.001; it must be at least 0.000",
    );
    check("cart-contents", &[("skus", texts("A")), ("skus", texts("A"))], "is given twice");
    check("spending-cap", &[("share", Value::Integer(10_001))], "is 100.01 %; it must be at most 100.00 %");
    check("time-window", &[("from-time", text("25:00"))], "is `25:00`; it must be a time as 08:30");
    check("time-window", &[("from-date", text("2026-02-30"))], "is `2026-02-30`; it must be a date as 2026-01-31");
    let unknown = book.check_settings("no-such", &[]);
    assert!(matches!(unknown, Err(SettingsError::UnknownPlugin(name)) if name == "no-such"));
}

#[test]
fn a_cap_for_the_order_holds_over_programmes_that_say_it_in_other_words() {
    let host = host();
    let book = standard_rulebook(&host);
    let integer = |name: &str, value: i64| Named { name: name.into(), value: Value::Integer(value) };
    let half = vec![integer("share", 5_000)];
    let spelled_out = vec![Named { name: "per".into(), value: Value::Text("order".into()) }, integer("share", 5_000)];
    let cap = |plugin: &str, settings: &Vec<Named>, on_failure| Binding {
        plugin: plugin.into(),
        settings: settings.clone(),
        on_failure,
    };
    let previous = OnFailure::Previous { plugin: "spending-cap@0.1.0".into(), settings: half.clone() };
    for other in [
        cap("spending-cap", &half, OnFailure::RefuseCard),
        cap("spending-cap", &spelled_out, OnFailure::RefuseCard),
        cap("spending-cap@0.1.0", &half, OnFailure::RefuseCard),
        cap("spending-cap", &half, previous),
    ] {
        let mut order = request(10_000, &[8_000, 8_000], vec![cap("spending-cap", &half, OnFailure::RefuseCard)]);
        order
            .programmes
            .push(Programme { conditions: vec![other.clone()], ..Programme::unrestricted("main", "second") }.into());
        order.cards[1].programme = "second".into();
        let quoted = book.quote(&order, false).unwrap();
        let applied: Vec<i64> = quoted.quote.shares.iter().map(|share| share.applied.get()).collect();
        assert_eq!(applied, [5_000, 0], "{other:?}");
        assert_eq!(quoted.quote.conditions.len(), 1, "one question over both programmes");
    }
}

#[test]
fn nobody_is_asked_about_a_card_that_has_to_be_refused() {
    let host = host();
    let mut book = Rulebook::new(rules(&host, "gift-card"));
    book.add(condition(&host, "tests/hostile-condition"));
    let trap = binding("hostile-condition", "mode", "trap");
    let changes: [fn(&mut QuoteRequest); 6] = [
        |order| Arc::make_mut(&mut order.programmes[0]).enabled = false,
        |order| Arc::make_mut(&mut order.programmes[0]).valid_from = Some(order.now.at() + 1),
        |order| Arc::make_mut(&mut order.programmes[0]).valid_to = Some(order.now.at()),
        |order| order.cards[0].balance = Minor::ZERO,
        |order| order.cards[0].expires_at = Some(order.now.at()),
        |order| order.cards[0].status = Status::Disabled,
    ];
    for change in changes {
        let mut order = request(1_000, &[1_500], vec![trap.clone()]);
        change(&mut order);
        let quoted = book.quote(&order, false).unwrap();
        assert_eq!(quoted.quote.conditions, [], "{order:?}");
        assert_eq!(quoted.calls.len(), 1, "the rules alone");
    }
}

#[test]
fn a_failed_call_is_recorded_with_what_it_spent() {
    let host = host();
    let mut book = Rulebook::new(rules(&host, "gift-card"));
    book.add(condition(&host, "tests/hostile-condition"));
    let flood = book.quote(&request(1_000, &[1_500], vec![binding("hostile-condition", "mode", "log-flood")]), false);
    let call = flood.unwrap().calls.remove(0);
    assert!(call.fuel > 1_000, "{call:?}");
    assert!(call.log[0].starts_with("info: water"), "{call:?}");
    assert!(call.log.iter().map(String::len).sum::<usize>() <= giftcard_host::LOG_BYTES_MAX + 100);
}

#[test]
fn what_would_take_too_long_to_compile_is_not_compiled() {
    let bytes = component_bytes("gift-card");
    for (limits, expected) in [
        (Limits { functions_max: 10, ..Limits::default() }, "it has more than 10 functions"),
        (Limits { function_bytes_max: 100, ..Limits::default() }, "bytes of code; at most 100 are allowed"),
        (Limits { function_locals_max: 1, ..Limits::default() }, "local variables; at most 1 are allowed"),
    ] {
        let strict = Host::new(HostConfig { limits, ..HostConfig::default() }).unwrap();
        let Err(error) = strict.load("gift-card", &bytes) else { panic!("loaded, instead of saying {expected}") };
        assert_eq!(error.stage(), "compile");
        assert!(error.to_string().contains(expected), "{error}");
    }
}

#[test]
fn limits_without_end_are_no_overflow() {
    let never = Duration::MAX;
    let limits = Limits { deadline: never, wait_max: never, component_bytes_max: usize::MAX, ..Limits::default() };
    let host = Host::new(HostConfig { limits, calls_max: 1, ..HostConfig::default() }).unwrap();
    let mut book = Rulebook::new(rules(&host, "gift-card"));
    host.load_file(&giftcard_tests::harness::component_path("tests/minimal-condition")).unwrap();
    book.add(condition(&host, "tests/minimal-condition"));
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                book.quote(&request(1_000, &[1_500], vec![binding("minimal-condition", "", "")]), false).unwrap()
            });
        }
    });
}

#[test]
fn what_somebody_else_put_into_the_cache_is_not_used() {
    let directory = tempfile::tempdir().unwrap();
    let bytes = component_bytes("tests/minimal-condition");
    let host = cached(directory.path());
    host.load("minimal", &bytes).unwrap();
    let file = entries(directory.path()).remove(0);
    let other = host.load("gift-card", &component_bytes("gift-card")).unwrap();
    let foreign = directory.path().join(format!("{}-{}.cwasm", other.facts().digest, host.engine_id()));
    // Writable by others, or not a file at all: whoever made it, it is not trusted.
    fs::copy(&foreign, &file).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o666)).unwrap();
    assert_eq!(host.load("minimal", &bytes).unwrap().facts().id, "minimal-condition");
    fs::remove_file(&file).unwrap();
    std::os::unix::fs::symlink(&foreign, &file).unwrap();
    assert_eq!(host.load("minimal", &bytes).unwrap().facts().id, "minimal-condition");
}

#[test]
fn settings_that_do_not_fit_are_a_failure_and_no_default() {
    let host = host();
    let book = standard_rulebook(&host);
    let misspelt = Named { name: "shares".into(), value: Value::Integer(5_000) };
    let cap = Binding { plugin: "spending-cap".into(), settings: vec![misspelt], on_failure: OnFailure::RefuseCard };
    let quoted = book.quote(&request(1_000, &[1_500], vec![cap]), false).unwrap();
    let failure = quoted.quote.conditions[0].failure.clone().unwrap().0;
    assert_eq!(failure.code, "bad-settings");
    assert!(failure.message.contains("setting `shares`: is unknown; known are"), "{}", failure.message);
}

#[test]
fn a_rulebook_on_a_host_beside_answers_the_same_at_the_same_cost() {
    let host = host();
    let book = standard_rulebook(&host);
    let beside = host.beside(4).unwrap();
    let mut there = Moved::to(beside);
    let moved = book.on(&mut there).unwrap();
    assert_eq!(
        book.on(&mut there).unwrap().quote(&request(100, &[50], Vec::new()), false).unwrap().quote.due,
        Minor::new(50).unwrap()
    );
    let question = request(3_500, &[1_500, 4_000], vec![binding("time-window", "from-date", "2020-01-01")]);
    let (here, there) = (book.quote(&question, true).unwrap(), moved.quote(&question, true).unwrap());
    assert_eq!(here, there);
    assert!(here.quote.applied == Minor::new(3_500).unwrap() && !here.calls.is_empty(), "{here:?}");
    assert_eq!(book.conditions().count(), moved.conditions().count());
    // What was there is there without what it came from.
    drop((book, host));
    assert_eq!(moved.quote(&question, true).unwrap(), there);
    // Code of one kind of host is none for another.
    let other = Host::new(HostConfig { source_lines: true, ..HostConfig::default() }).unwrap();
    let Err(error) = moved.on(&mut Moved::to(other)) else { panic!("code of another kind of host was taken over") };
    assert_eq!(error.stage(), "compile", "{error}");
}
