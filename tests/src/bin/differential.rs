//! The long run of the differential test: `cargo xtask differential --count 100000 --seed 1`.
#![allow(clippy::print_stdout, reason = "a command line")]

use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context, Result};
use giftcard_tests::{differential, harness};

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1).map(|argument| argument.parse::<u64>());
    let count = arguments.next().transpose()?.unwrap_or(100_000);
    let first = arguments.next().transpose()?.unwrap_or(1);
    let host = harness::host();
    let book = harness::standard_rulebook(&host);
    let next = AtomicU64::new(0);
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    std::thread::scope(|scope| {
        let run = || -> Result<()> {
            loop {
                let index = next.fetch_add(1, Ordering::Relaxed);
                if index >= count {
                    return Ok(());
                }
                differential::compare(&book, first + index)?;
            }
        };
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(run)).collect();
        threads.into_iter().try_for_each(|thread| thread.join().map_err(|_| anyhow::anyhow!("a thread panicked"))?)
    })
    .context("the three implementations differ")?;
    println!("{count} random requests, refunds and quotes: component, native engine and naive engine agree");
    Ok(())
}
