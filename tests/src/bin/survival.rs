//! The long runs of the survival tests: `cargo xtask survival --cycles 200 --images 10000`. Also what the tests start as a
//! process to kill, or on a disk to fill.
#![allow(clippy::print_stdout, reason = "a command line")]

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};
use giftcard_ledger::sqlite::Synchronous;
use giftcard_tests::survival::failing::{self, Case};
use giftcard_tests::survival::full::{self, Filled};
use giftcard_tests::survival::killing::{self, Killing};
use giftcard_tests::survival::power::{self, Recipe, Tally};
use giftcard_tests::survival::tape::{Fault, Trap};
use giftcard_tests::survival::{backup, disk};

const USAGE: &str = "usage: survival [--cycles N] [--images N] [--seed N]";

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        ["worker", file, cycle, seed, shoppers] => {
            killing::work(Path::new(file), cycle.parse()?, seed.parse()?, shoppers.parse()?)
        }
        ["full", folder] => {
            println!("{}", full::fill(Path::new(folder))?);
            Ok(())
        }
        _ => run(&words),
    }
}

fn run(words: &[&str]) -> Result<()> {
    let (mut cycles, mut images, mut seed) = (200, 10_000, 1);
    for pair in words.chunks(2) {
        let [name, value] = *pair else { bail!(USAGE) };
        let value: u64 = value.parse().with_context(|| format!("`{value}` is no number; {USAGE}"))?;
        match name {
            "--cycles" => cycles = value,
            "--images" => images = value,
            "--seed" => seed = value,
            _ => bail!("`{name}` is not known; {USAGE}"),
        }
    }
    let program = std::env::current_exe()?;
    let begin = Instant::now();
    let timed = |what: &str, begin: Instant| println!("{what}: {} s", begin.elapsed().as_secs());
    kill(&program, cycles, seed)?;
    timed("kill -9", begin);
    let begin = Instant::now();
    cut(usize::try_from(images)?, seed)?;
    timed("power cuts", begin);
    let begin = Instant::now();
    fail(seed)?;
    match full::on_a_small_disk(&program)? {
        Filled::On(name, said) => println!("a full disk ({name}): {said}"),
        Filled::NotHere(why) => println!("a really full disk: not tried, since no file system can be made here: {why}"),
    }
    timed("failing disks", begin);
    let begin = Instant::now();
    back_up(seed)?;
    timed("backups", begin);
    Ok(())
}

fn kill(program: &Path, cycles: u64, seed: u64) -> Result<()> {
    // Beside the program: on a real disk, as a rule, which temporary files may not be.
    let folder: PathBuf = program.parent().context("the program is in no folder")?.to_owned();
    let killing = Killing { program: program.to_owned(), folder, cycles, seed, shoppers: 12, longest_ms: 800 };
    let killed = killing.run(|cycle, killed| {
        if cycle % 10 == 9 {
            println!("kill -9: {} cycles, {} acknowledged", cycle + 1, killed.acknowledged);
        }
    })?;
    println!(
        "kill -9: {} kills ({} while opening) on {} files; {} operations sent, {} acknowledged, 0 lost, 0 doubled, sums zero; \
         {} without an answer were there, {} were not, all of them resolved by repetition ({} repeated)",
        killed.kills,
        killed.while_opening,
        killed.files,
        killed.sent,
        killed.acknowledged,
        killed.unanswered.0,
        killed.unanswered.1,
        killed.repeated
    );
    Ok(())
}

fn cut(images: usize, seed: u64) -> Result<()> {
    // A long and undisturbed recording now and then: in it SQLite moves the log into the file by itself.
    const PER_RECORDING: usize = 500;
    let (mut tally, mut killed) = (Tally::default(), Tally::default());
    let mut place = 0;
    while tally.images < images {
        let (rounds, disturbed) = if place % 5 == 4 { (150, false) } else { (30, true) };
        let recipe =
            Recipe { seed: seed + place, synchronous: Synchronous::Full, shoppers: 8, rounds, disturbed, trap: None };
        let recording = power::record(recipe)?;
        // Before and after every sync of it.
        let one = power::cut_power(&recording, 0, PER_RECORDING.max(recording.cuts_at_syncs()), true)?;
        killed.add(power::kill_and_cut_power(&recording, 4, 25)?);
        println!(
            "power cut: seed {}, {} operations, {} writes and syncs, {} times into the file: {} images of {} cuts, {} lost, \
             {} broken",
            recipe.seed,
            recording.operations.len(),
            recording.events.len(),
            recording.checkpoints(),
            one.images,
            one.cuts,
            one.lost.0,
            one.broken
        );
        tally.add(one);
        place += 1;
    }
    println!(
        "power cut: {} images of {} cuts of {place} recordings ({} gone on with): {} acknowledged operations lost in {} \
         images, {} images broken",
        tally.images, tally.cuts, tally.gone_on_with, tally.lost.1, tally.lost.0, tally.broken
    );
    println!(
        "kill and then a power cut: {} images: {} acknowledged operations lost in {} images, {} images broken",
        killed.images, killed.lost.1, killed.lost.0, killed.broken
    );
    tally.add(killed);
    check(&tally)?;
    let recipe = Recipe { seed, synchronous: Synchronous::Off, shoppers: 8, rounds: 30, disturbed: true, trap: None };
    let control = power::cut_power(&power::record(recipe)?, 0, 200, true)?;
    println!("power cut, control without syncs: {} of {} images lost operations", control.lost.0, control.images);
    ensure!(control.lost.0 > 0, "the control without syncs was not caught");
    Ok(())
}

fn fail(seed: u64) -> Result<()> {
    let (mut cases, mut failed, mut there, mut tally) = (0, 0, 0, Tally::default());
    for (fault, step, steps) in [(Fault::SyncFails, 1, 12), (Fault::WriteFails, 7, 60), (Fault::DiskFull, 7, 60)] {
        let mut checkpoints = 0;
        for number in 0..steps {
            let trap = Trap { fault, after: number * step, lasts: number % 3 == 1 };
            let case =
                Case { trap, beside: number % 2 == 1, seed: seed + u64::from(number), images: 40, log_pages: None };
            let outcome = failing::fail(case).with_context(|| format!("{case:?}"))?;
            cases += 1;
            failed += outcome.failed;
            there += outcome.there;
            tally.add(outcome.tally);
            let (sprung, after) = failing::fail_at_checkpoint(trap, seed + u64::from(number), 40)?;
            checkpoints += u32::from(sprung);
            tally.add(after);
        }
        let made = failing::fail_while_opening(fault)?;
        println!("{fault:?}: {steps} times under load, {checkpoints} at a checkpoint, {made} while a ledger was made");
    }
    println!(
        "failing disks: {cases} times; {failed} operations got an error, {there} of them were there when opened again; \
         {} images of power cuts afterwards, {} lost, {} broken",
        tally.images, tally.lost.0, tally.broken
    );
    check(&tally)
}

/// Fails with what is wrong, and leaves the first image in which it was found to be looked into.
fn check(tally: &Tally) -> Result<()> {
    let Some(image) = &tally.example else { return Ok(()) };
    let folder = tempfile::tempdir()?.keep();
    disk::write_image(image, &folder)?;
    bail!("{}\nthe first image is in `{}`", tally.faults.join("\n"), folder.display())
}

fn back_up(seed: u64) -> Result<()> {
    let program = std::env::current_exe()?;
    let folder = tempfile::tempdir_in(program.parent().context("the program is in no folder")?)?;
    let backups = backup::under_load(folder.path(), seed, 8, 25, &backup::own)?;
    println!(
        "backups: {} taken while {} operations were done; each a verified beginning of the ledger",
        backups.copies.len(),
        backups.operations.len()
    );
    Ok(())
}
