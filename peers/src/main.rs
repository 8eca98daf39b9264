//! The same decision in several engines, in one run: five conditions and three cards, for carts of 1, 20 and 200 lines.
//! First every engine has to answer random orders as plain Rust does; then loading, the first call and warm calls are timed
//! with every limit on that an engine has. `cargo xtask bench-peers`. Must not be built with the product.

#[path = "../extism-decision/src/decision.rs"]
mod decision;

mod engines;
mod orders;

use std::hint::black_box;
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};
use decision::{Decision, Order};
use engines::Engine;

/// Lines of the carts.
const SIZES: [usize; 3] = [1, 20, 200];

/// Random orders of any size that every engine has to answer alike.
const COMPARED: u64 = 200;

struct Arguments {
    rounds: usize,
    calls: usize,
    loads: usize,
}

fn main() -> Result<()> {
    let mut read = Arguments { rounds: 20, calls: 250, loads: 40 };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let value = arguments.next().with_context(|| format!("`{argument}` needs a value"))?.parse()?;
        match argument.as_str() {
            "--rounds" => read.rounds = value,
            "--calls" => read.calls = value,
            "--loads" => read.loads = value,
            other => bail!("`{other}` is not known; there are --rounds, --calls, --loads"),
        }
    }
    let engines = engines::all()?;
    let refused = compare(&engines)?;
    println!("{COMPARED} random orders: {} engines agree with plain Rust ({refused} orders refused)", engines.len());
    println!("\nlimits");
    for engine in &engines {
        println!("  {:<27} {}", engine.name, engine.limits);
    }
    first(&engines, read.loads)?;
    warm(&engines, &read)
}

/// How many orders were refused: an engine that always refuses would agree with nothing but that.
fn compare(engines: &[Engine]) -> Result<usize> {
    let mut loaded = engines.iter().map(|engine| (engine.load)()).collect::<Result<Vec<_>>>()?;
    let (mut refused, mut codes) = (0, std::collections::BTreeSet::new());
    for seed in 1..=COMPARED {
        let order = orders::random(seed, None);
        let expected = decision::decide(&order);
        refused += usize::from(expected.due == order.total);
        codes.extend(expected.cards.iter().map(|card| card.refusal.clone()));
        for (engine, call) in engines.iter().zip(&mut loaded) {
            let found = call(&order).with_context(|| format!("{}, seed {seed}", engine.name))?;
            ensure!(found == expected, "{}, seed {seed}: {order:?}\n{found:?}\n{expected:?}", engine.name);
        }
    }
    ensure!(codes.len() == 7, "the random orders reach only {codes:?}");
    Ok(refused)
}

/// From nothing to a decision: what loading takes and what the first call after it takes.
fn first(engines: &[Engine], loads: usize) -> Result<()> {
    let header = ["load, ms: p50", "p99", "first call, us: p50", "p99"];
    println!("\n{:<27} {:>14} {:>9} {:>20} {:>9}", "20 lines", header[0], header[1], header[2], header[3]);
    let order = orders::random(7, Some(20));
    for engine in engines {
        let (mut load, mut call) = (Vec::new(), Vec::new());
        for _ in 0..loads {
            let begun = Instant::now();
            let mut loaded = (engine.load)()?;
            load.push(micros(begun));
            let begun = Instant::now();
            black_box(loaded(&order)?);
            call.push(micros(begun));
        }
        let [load, call] = [&mut load, &mut call].map(|figures| [quantile(figures, 50), quantile(figures, 99)]);
        let (name, ms) = (engine.name, load.map(|micros| micros / 1e3));
        println!("{name:<27} {:>14.2} {:>9.2} {:>20.1} {:>9.1}", ms[0], ms[1], call[0], call[1]);
    }
    Ok(())
}

/// Engines in turn, round by round, so that a slow minute hits all of them. Each call gets another order.
fn warm(engines: &[Engine], arguments: &Arguments) -> Result<()> {
    let mut loaded = engines.iter().map(|engine| (engine.load)()).collect::<Result<Vec<_>>>()?;
    let orders = SIZES.map(|lines| (0..100).map(|seed| orders::paid(seed, lines)).collect::<Vec<Order>>());
    let mut figures = vec![SIZES.map(|_| Vec::new()); engines.len()];
    for round in 0..=arguments.rounds {
        for (call, figures) in loaded.iter_mut().zip(&mut figures) {
            for (orders, figures) in orders.iter().zip(figures) {
                for order in orders.iter().cycle().take(arguments.calls) {
                    let begun = Instant::now();
                    let decided: Decision = call(black_box(order))?;
                    let taken = micros(begun);
                    black_box(decided);
                    // The first round warms up.
                    if round > 0 {
                        figures.push(taken);
                    }
                }
            }
        }
    }
    let header = SIZES.map(|lines| format!("{:>10} {:>9}", format!("{lines}: p50"), "p99")).join(" ");
    println!("\n{:<27} {header}", "us a call, lines");
    for (engine, figures) in engines.iter().zip(&mut figures) {
        let cells =
            figures.iter_mut().map(|figures| format!("{:>10.1} {:>9.1}", quantile(figures, 50), quantile(figures, 99)));
        println!("{:<27} {}", engine.name, cells.collect::<Vec<_>>().join(" "));
    }
    Ok(())
}

fn micros(begun: Instant) -> f64 {
    begun.elapsed().as_secs_f64() * 1e6
}

fn quantile(figures: &mut [f64], percent: usize) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[(figures.len() * percent / 100).min(figures.len() - 1)]
}
