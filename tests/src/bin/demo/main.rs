//! The demo: the real `giftcard` on order files as platforms export them. Every command is shown as it would be typed,
//! with its own output, then run again with `--json` to check the decisive numbers. Must not compute an answer itself.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command line")]

mod batch;
mod ledger;
mod steps;
mod walk;

use std::process::ExitCode;
use std::time::Instant;

use anyhow::Result;

use steps::STEPS;
use walk::Walk;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\ndemo: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let start = Instant::now();
    let mut walk = Walk::begin()?;
    for step in STEPS {
        step(&mut walk)?;
    }
    println!("{} steps, all as expected ({:.1} s)", STEPS.len(), start.elapsed().as_secs_f32());
    Ok(())
}
