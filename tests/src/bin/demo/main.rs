//! The demo: the real `giftcard` on order files as platforms export them. Every command is shown as it would be typed,
//! with its own output, then run again with `--json` to check the decisive numbers. Must not compute an answer itself.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command line")]

mod batch;
mod steps;
mod walk;

use std::process::ExitCode;
use std::time::Instant;

use anyhow::Result;

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
    steps::examples(&mut walk)?;
    steps::rules_and_conditions(&mut walk)?;
    steps::platform_orders(&mut walk)?;
    steps::many_refunds_and_plugins(&mut walk)?;
    println!("{} steps, all as expected ({:.1} s)", walk.steps(), start.elapsed().as_secs_f32());
    Ok(())
}
