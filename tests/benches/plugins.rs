//! What changing rules costs: a replay of recorded decisions beside what its calls alone cost, on one core and on two; and
//! what a thousand loaded plugins cost in memory, at start and for a decision. `cargo xtask bench-plugins`.
//!
//! Files are made under the target directory, on a real disk. Speed is printed and never asserted.
#![allow(clippy::print_stdout, clippy::unwrap_used, clippy::float_arithmetic, missing_docs, reason = "a measurement")]

use std::num::NonZero;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use giftcard::desk::{PayKind, ReplayOptions, ReplaySettings};
use giftcard::{Desk, Shelf};
use giftcard_engine::value::{Named, Value};
use giftcard_host::{Host, HostConfig, Rulebook};
use giftcard_ledger::sqlite::{SqliteOptions, SqliteStore};
use giftcard_tests::bank::{self, NOW, SITE};
use giftcard_tests::harness::{component_bytes, request};
use giftcard_tests::shop::{payment, read};
use serde_json::json;

/// As the program has it.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Lines of each order.
const LINES: usize = 5;

/// Cards that the decisions are about, in turn.
const CARDS: usize = 100;

struct Arguments {
    decisions: usize,
    plugins: usize,
    rounds: usize,
}

fn main() {
    let mut read = Arguments { decisions: 50_000, plugins: 1_000, rounds: 3 };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().unwrap_or_else(|| panic!("`{argument}` needs a value")).parse().unwrap();
        match argument.as_str() {
            "--decisions" => read.decisions = value(),
            "--plugins" => read.plugins = value(),
            "--rounds" => read.rounds = value(),
            // `cargo bench` says it to every benchmark.
            "--bench" => {}
            other => panic!("`{other}` is not known; there are --decisions, --plugins, --rounds"),
        }
    }
    if read.decisions > 0 {
        replay(&read);
    }
    if read.plugins > 0 {
        plugins(&read);
    }
}

/// On the disk that the build is on.
fn folder() -> tempfile::TempDir {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| PathBuf::from("../target"), PathBuf::from);
    tempfile::tempdir_in(target).unwrap()
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

/// Orders of five lines, paid with a card of a programme with two conditions.
fn fill(desk: &Desk, decisions: usize) {
    desk.set_site(&read(json!({ "id": SITE, "currency": "USD" }))).unwrap();
    let conditions = json!([
        { "plugin": "cart-contents", "settings": { "categories": ["books"] } },
        { "plugin": "ship-to", "settings": { "countries": ["US", "CA"] } },
    ]);
    desk.set_programme(SITE, &read(json!({ "code_name": "p", "name": "P", "conditions": conditions }))).unwrap();
    let issue = json!({ "value": "90000.00", "programme": "p", "count": CARDS });
    let doing = giftcard::Doing { site: SITE, operation: "issue", actor: None, now: NOW };
    let issued = desk.issue(&doing, &read(issue)).unwrap();
    let codes: Vec<String> = issued.cards.iter().map(|card| card.code.as_ref().unwrap().reveal().to_string()).collect();
    std::thread::scope(|scope| {
        for thread in 0..32_usize {
            let codes = &codes;
            scope.spawn(move || {
                for number in (thread..decisions).step_by(32) {
                    let entry = json!({ "code": codes[number % CARDS] });
                    let mut document = payment(&format!("order-{number}"), "0.05", &[entry]);
                    let line = |place: usize| {
                        let category = if place == 3 { "books" } else { "games" };
                        json!({ "total": "0.01", "sku": format!("SKU-{place}-{number}"), "categories": [category, "all"] })
                    };
                    document["order"]["lines"] = (0..LINES).map(line).collect();
                    document["order"]["ship_to"] = json!({ "country": "US" });
                    document["operation"] = format!("pay-{number}").into();
                    document["site"] = SITE.into();
                    desk.pay(&read(document), PayKind::Redeem, NOW).unwrap();
                }
            });
        }
    });
}

fn replay(arguments: &Arguments) {
    let folder = folder();
    let options = SqliteOptions { create: true, ..SqliteOptions::default() };
    let store = Arc::new(SqliteStore::open(&folder.path().join("ledger.db"), &options).unwrap());
    let shelf = Shelf::standard(&Host::new(HostConfig::default()).unwrap()).unwrap();
    let desk = Desk::new(store, shelf.into_till(), bank::secrets(7), bank::randomness(7));
    let begun = Instant::now();
    fill(&desk, arguments.decisions);
    println!("{} decisions recorded in {:.0} s", arguments.decisions, begun.elapsed().as_secs_f64());
    let settings = vec![ReplaySettings {
        plugin: "cart-contents".to_string(),
        programme: None,
        settings: r#"{"categories": ["games"]}"#.to_string(),
    }];
    let (mut one, mut two, mut calls, mut shares) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for _ in 0..arguments.rounds {
        for (threads, figures) in [(1, &mut one), (2, &mut two)] {
            let threads = NonZero::new(threads);
            let options = ReplayOptions { settings: settings.clone(), threads, ..ReplayOptions::default() };
            let begun = Instant::now();
            let report = desk.replay(&options, None, &mut |_| true).unwrap().report();
            let seconds = begun.elapsed().as_secs_f64();
            assert_eq!(report.decisions, arguments.decisions as u64);
            figures.push(report.decisions as f64 / seconds);
            if threads == NonZero::new(1) {
                let deciding = report.deciding_milliseconds as f64;
                calls.push(deciding * 1000.0 / report.decisions as f64);
                shares.push(deciding / 1000.0 / seconds);
            }
        }
    }
    let times = one.iter().zip(&two).map(|(one, two)| two / one).collect();
    let (one, two, calls, share, times) = (median(one), median(two), median(calls), median(shares), median(times));
    let alone = 1_000_000.0 / calls;
    println!("calls alone (two conditions and the rules)  {calls:8.1} us  {alone:10.0} a second");
    println!(
        "replay, one thread                          {:8.1} us  {one:10.0} a second, {share:.2} of calls alone",
        1_000_000.0 / one,
    );
    println!(
        "replay, two threads                         {:8.1} us  {two:10.0} a second, {times:.2} times one",
        1_000_000.0 / two,
    );
}

/// The same component under another id: as long as the first one.
fn renamed(bytes: &[u8], number: usize) -> Vec<u8> {
    let (from, to) = (b"welcome-gift", format!("welcome-{number:04x}"));
    let mut bytes = bytes.to_vec();
    let mut at = 0;
    while let Some(found) = bytes[at..].windows(from.len()).position(|window| window == from) {
        bytes[at + found..at + found + from.len()].copy_from_slice(to.as_bytes());
        at += found + from.len();
    }
    bytes
}

/// Bytes of memory that this process has: what is shared with files is in it.
fn memory() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok()).unwrap_or(0.0) * 1024.0
}

fn plugins(arguments: &Arguments) {
    let cache = folder();
    let original = component_bytes("tests/welcome-gift-v1");
    let all: Vec<Vec<u8>> = (0..arguments.plugins).map(|number| renamed(&original, number)).collect();
    let host = || Host::new(HostConfig { cache: Some(cache.path().join("cache")), ..HostConfig::default() }).unwrap();
    let begun = Instant::now();
    let first = host();
    for bytes in &all {
        first.load("plugin", bytes).unwrap();
    }
    let each = |seconds: f64| seconds * 1000.0 / all.len() as f64;
    println!(
        "{} plugins: compiled in {:.1} s, {:.2} ms each",
        all.len(),
        begun.elapsed().as_secs_f64(),
        each(begun.elapsed().as_secs_f64())
    );
    drop(first);
    let host = host();
    let rules = host.load_rules("gift-card", &component_bytes("gift-card")).unwrap();
    let mut few = Rulebook::new(rules);
    few.add(host.load_condition("plugin", &all[0]).unwrap());
    let before = memory();
    let begun = Instant::now();
    let mut many = few.clone();
    for bytes in &all {
        many.add(host.load_condition("plugin", bytes).unwrap());
    }
    let seconds = begun.elapsed().as_secs_f64();
    println!(
        "loaded again from the cache in {:.2} s, {:.2} ms each; {:.0} KiB of memory each",
        seconds,
        each(seconds),
        (memory() - before) / 1024.0 / all.len() as f64
    );
    let binding = giftcard_engine::programme::Binding {
        plugin: "welcome-0000".to_string(),
        settings: vec![Named { name: "products".to_string(), value: Value::Integer(1) }],
        on_failure: giftcard_engine::programme::OnFailure::RefuseCard,
    };
    let request = request(1_000, &[500], vec![binding]);
    let mut figures = [Vec::new(), Vec::new()];
    for _ in 0..arguments.rounds {
        for (book, figures) in [&few, &many].into_iter().zip(&mut figures) {
            let begun = Instant::now();
            for _ in 0..5_000 {
                book.quote(&request, false).unwrap();
            }
            figures.push(begun.elapsed().as_secs_f64() * 1_000_000.0 / 5_000.0);
        }
    }
    let [few, many] = figures.map(median);
    println!("a decision with one of them: {few:.1} us with 1 loaded, {many:.1} us with {}", all.len());
}
