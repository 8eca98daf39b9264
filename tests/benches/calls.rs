//! What calls cost, in one run: medians of interleaved rounds, every limit on and a fresh sandbox for each call, beside
//! the native engine and the floor, an empty call. `cargo xtask bench`; with `--only TEXT` the rows whose names contain it run
//! for five seconds each, for a profiler to look at. With `--languages` the condition of a new project is built in every
//! language and measured too; that needs what `cargo xtask setup` downloads.
#![allow(clippy::print_stdout, clippy::unwrap_used, clippy::float_arithmetic, reason = "a benchmark's own output")]

use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use giftcard_engine::card::CardSnapshot;
use giftcard_engine::moment::Moment;
use giftcard_engine::order::{Line, Order, Part};
use giftcard_engine::programme::{Binding, OnFailure, Programme, Site};
use giftcard_engine::quote::ConditionCall;
use giftcard_engine::redemption::{self, Policy, Request, Tender, parts};
use giftcard_engine::value::{Named, Value};
use giftcard_engine::{Currency, Minor, QuoteRequest};
use giftcard_host::{CallRecord, Condition, Host, HostConfig, Rulebook};
use giftcard_tests::harness::{STANDARD, component_bytes, condition, minor, rules};

#[path = "calls/languages.rs"]
mod languages;

/// As the program has it.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

const ROUNDS: usize = 10;
const ROUND: Duration = Duration::from_millis(40);

fn main() {
    let host = Host::new(HostConfig::default()).unwrap();
    println!("engine {}, allocation {:?}", host.engine_id(), host.allocation());
    let book = rulebook(&host);
    let minimal = condition(&host, "tests/minimal-condition");

    let (small, large) = (request(5, 2), request(100, 5));
    let (small_order, large_order) = (quote_request(5, 2, &[]), quote_request(100, 5, &[]));
    let two = ["cart-contents", "spending-cap"];
    let (small_two, large_two) = (quote_request(5, 2, &two), quote_request(100, 5, &two));
    let cart = condition(&host, "cart-contents");

    let settings = cart_settings();
    let arguments: Vec<String> = std::env::args().collect();
    let languages = match arguments.iter().any(|argument| argument == "--languages") {
        true => languages::built(),
        false => Vec::new(),
    };
    let days = [Named { name: "days".into(), value: Value::Texts(vec!["Monday".into(), "Tuesday".into()]) }];

    let mut table = Table::default();
    table.row("native apply, 5 lines, 2 cards", || drop(black_box(redemption::apply(black_box(&small), false))));
    table.row("native apply, 100 lines, 5 cards", || drop(black_box(redemption::apply(black_box(&large), false))));
    let floor = table.row("empty call (floor)", || evaluate(&minimal, &small_order, &[]));
    table.row("apply, 5 lines, 2 cards", || drop(black_box(book.apply(&small).unwrap())));
    table.row("apply, 100 lines, 5 cards", || drop(black_box(book.apply(&large).unwrap())));
    table.row("condition, 5 lines of 5 strings", || evaluate(&cart, &small_order, &settings));
    table.row("condition, 100 lines of 5 strings", || evaluate(&cart, &large_order, &settings));
    table.row("quote, two conditions, 5 lines, 2 cards", || drop(black_box(book.quote(&small_two, false).unwrap())));
    table.row("quote, two conditions, 100 lines, 5 cards", || drop(black_box(book.quote(&large_two, false).unwrap())));
    for language in &languages {
        let (name, id) = (language.name, language.condition.facts().id.as_str());
        table.row(&format!("{name}, empty call"), || language.book.check_settings(id, &days).unwrap());
        table.row(&format!("{name}, no lines"), || evaluate(&language.condition, &small_order, &days));
        table.row(&format!("{name}, 5 lines of 5 strings"), || evaluate(&language.with_lines, &small_order, &days));
        table.row(&format!("{name}, 100 lines of 5 strings"), || evaluate(&language.with_lines, &large_order, &days));
    }
    if let Some(only) = arguments.iter().position(|argument| argument == "--only") {
        return table.spin(arguments.get(only + 1).map_or("", String::as_str));
    }
    table.print(floor);
    languages::print(&languages, |condition| evaluate_record(condition, &small_order, &days));

    growth(&book);
    loading();
    throughput(&book, &small);
}

/// Rows measured in turn, round by round, so that a slow minute hits all of them.
#[derive(Default)]
struct Table<'a> {
    rows: Vec<(String, Box<dyn FnMut() + 'a>)>,
}

impl<'a> Table<'a> {
    fn row(&mut self, name: &str, call: impl FnMut() + 'a) -> usize {
        self.rows.push((name.to_string(), Box::new(call)));
        self.rows.len() - 1
    }

    fn measure(&mut self) -> Vec<Vec<f64>> {
        let mut micros = vec![Vec::new(); self.rows.len()];
        for round in 0..=ROUNDS {
            for (index, (_, call)) in self.rows.iter_mut().enumerate() {
                let found = micros_per_call(call);
                // The first round warms up.
                if round > 0 {
                    micros[index].push(found);
                }
            }
        }
        micros
    }

    fn spin(mut self, only: &str) {
        for (name, call) in self.rows.iter_mut().filter(|(name, _)| name.contains(only)) {
            let start = Instant::now();
            let mut calls = 0_u64;
            while start.elapsed() < Duration::from_secs(5) {
                call();
                calls += 1;
            }
            println!("{name}: {:.2} microseconds a call", start.elapsed().as_secs_f64() * 1e6 / calls as f64);
        }
    }

    fn print(mut self, floor: usize) {
        let micros = self.measure();
        let medians: Vec<f64> = micros.iter().map(|row| median(row)).collect();
        println!("\n{:<44} {:>9} {:>9} {:>9} {:>8}", "microseconds a call", "median", "min", "max", "floors");
        for (index, (name, _)) in self.rows.iter().enumerate() {
            let (min, max) = micros[index].iter().fold((f64::MAX, 0_f64), |(a, b), &x| (a.min(x), b.max(x)));
            let floors = medians[index] / medians[floor];
            println!("{name:<44} {:>9.2} {min:>9.2} {max:>9.2} {floors:>8.2}", medians[index]);
        }
    }
}

fn micros_per_call(call: &mut dyn FnMut()) -> f64 {
    let start = Instant::now();
    let mut calls = 0_u32;
    while start.elapsed() < ROUND {
        for _ in 0..16 {
            call();
        }
        calls += 16;
    }
    start.elapsed().as_secs_f64() * 1e6 / f64::from(calls)
}

fn median(values: &[f64]) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    if values.len().is_multiple_of(2) { (values[middle - 1] + values[middle]) / 2.0 } else { values[middle] }
}

fn growth(book: &Rulebook) {
    println!("\ngrowth of apply, microseconds (median of {ROUNDS} rounds)");
    for (label, sizes) in [
        ("lines, with 2 cards", [(1, 2), (10, 2), (100, 2), (300, 2), (1000, 2)]),
        ("cards, with 5 lines", [(5, 1), (5, 5), (5, 10), (5, 25), (5, 50)]),
    ] {
        let requests: Vec<Request> = sizes.iter().map(|&(lines, cards)| request(lines, cards)).collect();
        let mut table = Table::default();
        for request in &requests {
            table.row("", || drop(black_box(book.apply(request).unwrap())));
        }
        let medians: Vec<f64> = table.measure().iter().map(|row| median(row)).collect();
        let cells = sizes.iter().zip(medians).map(|(&(lines, cards), micros)| {
            let size = if label.starts_with("lines") { lines } else { cards };
            format!("{size}: {micros:.1}")
        });
        println!("  {label:<22} {}", cells.collect::<Vec<_>>().join("   "));
    }
}

fn loading() {
    let names = STANDARD;
    let files: Vec<Vec<u8>> = names.iter().map(|name| component_bytes(name)).collect();
    let load_all = |host: &Host| {
        for (name, bytes) in names.iter().zip(&files) {
            drop(black_box(host.load(name, bytes).unwrap()));
        }
    };
    let directory = std::env::temp_dir().join(format!("giftcard-bench-{}", std::process::id()));
    let cached = Host::new(HostConfig { cache: Some(directory.clone()), ..HostConfig::default() }).unwrap();
    let uncached = Host::new(HostConfig::default()).unwrap();
    load_all(&cached);
    let time = |host: &Host| {
        let start = Instant::now();
        load_all(host);
        start.elapsed().as_secs_f64() * 1e3
    };
    let from_cache: Vec<f64> = (0..ROUNDS).map(|_| time(&cached)).collect();
    let compiled: Vec<f64> = (0..3).map(|_| time(&uncached)).collect();
    println!("\nloading the {} standard components, milliseconds (median)", names.len());
    println!("  from the code cache    {:>9.2}", median(&from_cache));
    println!("  compiled               {:>9.2}", median(&compiled));
    start_of_binary(&directory);
    std::fs::remove_dir_all(directory).unwrap();
}

/// The whole program, from its start to the printed decision.
fn start_of_binary(cache: &Path) {
    let binary = target().join("release/giftcard");
    if !binary.is_file() {
        println!("  whole program          not built: cargo build --release --package giftcard");
        return;
    }
    let order = cache.join("order.json");
    std::fs::write(&order, r#"{"order":{"currency":"USD","total":"35.00"},"cards":[{"id":"A","balance":"15.00"}]}"#)
        .unwrap();
    let run = || {
        let start = Instant::now();
        let output = std::process::Command::new(&binary)
            .arg("quote")
            .arg("--json")
            .arg("--cache")
            .arg(cache)
            .arg(&order)
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        start.elapsed().as_secs_f64() * 1e3
    };
    run();
    let runs: Vec<f64> = (0..ROUNDS).map(|_| run()).collect();
    println!("  whole program, a quote {:>9.2}", median(&runs));
}

fn throughput(book: &Rulebook, request: &Request) {
    println!("\nthroughput of apply, 5 lines and 2 cards, calls a second");
    let cores = std::thread::available_parallelism().unwrap().get();
    let mut single = 0.0;
    for threads in [1, cores, cores * 4] {
        let start = Instant::now();
        let calls: u64 = std::thread::scope(|scope| {
            let run = || {
                let mut calls = 0_u64;
                while start.elapsed() < Duration::from_secs(1) {
                    black_box(book.apply(request).unwrap());
                    calls += 1;
                }
                calls
            };
            let threads: Vec<_> = (0..threads).map(|_| scope.spawn(run)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        let rate = calls as f64 / start.elapsed().as_secs_f64();
        if threads == 1 {
            single = rate;
        }
        println!("  {threads:>3} threads {rate:>12.0}   {:.2} times one thread", rate / single);
    }
}

fn evaluate(condition: &Condition, request: &QuoteRequest, settings: &[Named]) {
    black_box(evaluate_record(condition, request, settings));
}

fn evaluate_record(condition: &Condition, request: &QuoteRequest, settings: &[Named]) -> CallRecord {
    let cards: Vec<usize> = (0..request.cards.len()).collect();
    let call =
        ConditionCall { request, totals: &request.order.totals, plugin: "", settings, cards: &cards, explain: false };
    let (answer, record) = condition.evaluate(&call);
    answer.unwrap();
    record
}

fn target() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../target")
}

fn rulebook(host: &Host) -> Rulebook {
    let mut book = Rulebook::new(rules(host, "gift-card"));
    for name in ["cart-contents", "spending-cap"] {
        book.add(condition(host, name));
    }
    book
}

fn request(lines: usize, cards: usize) -> Request {
    let line = |index: usize| redemption::Line {
        total: minor(1_000 + index as i64),
        tax: Some(minor(160)),
        parts: if index % 10 == 9 { parts::SHIPPING } else { parts::GOODS },
    };
    let lines: Vec<redemption::Line> = (0..lines).map(line).collect();
    let total = Minor::sum(lines.iter().map(|line| line.total)).unwrap();
    let card = |index: usize| redemption::Card {
        programme: 0,
        status: redemption::Status::Active,
        available: minor(total.get() / cards as i64 - 1),
        tender: Tender::SameCurrency,
        wanted: None,
        issued_at: index as i64,
        expires_at: Some(2_000_000_000_000),
        verdicts: vec![redemption::Verdict::Accept],
    };
    Request {
        total,
        tax: None,
        paid: Minor::ZERO,
        exponent: 2,
        lines: Some(lines),
        customer: redemption::Customer::default(),
        programmes: vec![redemption::Programme {
            enabled: true,
            valid_from: Some(0),
            valid_to: None,
            audience: redemption::Audience::Everyone,
            minimum: Some(redemption::Minimum { amount: minor(100), basis: parts::ALL, without_tax: false }),
            payable: parts::GOODS | parts::SHIPPING | parts::FEE,
        }],
        cards: (0..cards).map(card).collect(),
        limits: Vec::new(),
        now: 1_795_000_000_000,
        policy: Policy { order_of_use: redemption::OrderOfUse::SoonestExpiry, cards_max: 50 },
    }
}

/// An order whose lines have a sku, two categories and two tags: five strings each.
fn quote_request(lines: usize, cards: usize, conditions: &[&str]) -> QuoteRequest {
    let usd = Currency::iso("USD").unwrap();
    let line = |index: usize| Line {
        part: Part::Goods,
        payable_by_card: true,
        quantity_milli: 1_000,
        unit_price: minor(1_000),
        total: minor(1_000),
        tax: Some(minor(160)),
        sku: Some(format!("SKU-{index:05}")),
        name: Some(format!("Article number {index}")),
        product_type: Some("physical".into()),
        categories: Some(vec![format!("category-{}", index % 7), "all".into()]),
        tags: Some(vec!["winter".into(), format!("tag-{}", index % 3)]),
        attributes: Vec::new(),
    };
    let mut order = Order::of_total("main", usd, minor(1_000 * lines as i64));
    order.lines = Some((0..lines).map(line).collect());
    let binding = |plugin: &&str| Binding {
        plugin: plugin.to_string(),
        settings: if *plugin == "cart-contents" { cart_settings() } else { cap_settings() },
        on_failure: OnFailure::RefuseCard,
    };
    let programme =
        Programme { conditions: conditions.iter().map(binding).collect(), ..Programme::unrestricted("main", "manual") };
    let card = |index: usize| CardSnapshot::new(&format!("card-{index}"), "main", usd, minor(700));
    QuoteRequest {
        order,
        site: Site::new("main", usd).into(),
        programmes: vec![programme.into()],
        cards: (0..cards).map(card).collect(),
        now: Moment::new(1_795_000_000_000, 0).unwrap(),
    }
}

fn cart_settings() -> Vec<Named> {
    let texts = |name: &str, text: &str| Named { name: name.into(), value: Value::Texts(vec![text.into()]) };
    vec![texts("categories", "category-0"), texts("tags", "summer")]
}

fn cap_settings() -> Vec<Named> {
    vec![Named { name: "share".into(), value: Value::Integer(5_000) }]
}
