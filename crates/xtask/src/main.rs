//! The project's own chores. Must not depend on the product: it builds what the product is built from.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command line")]

mod checks;
mod components;
mod fuzz;
mod peers;
mod releases;
mod setup;

use std::path::PathBuf;
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail};
use clap::{Parser, Subcommand};
use releases::Exhibition;

/// The project's own chores. `cargo xtask demo` and `cargo xtask test` are all a newcomer needs.
#[derive(Parser)]
#[command(name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Subcommand)]
enum Chore {
    /// Set up, build, and walk through the main job with real orders.
    Demo,
    /// Set up and run every test, the host harness among them.
    Test {
        /// Passed on to `cargo test`.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Install what is missing: the wasm target, a C linker, a PostgreSQL server and the tools of other languages for the
    /// tests.
    Setup,
    /// Build the standard components and the hostile ones of the tests.
    Components,
    /// Everything CI runs: the tests, then formatting, lints, boundaries and dependencies.
    Ci,
    /// The checks of CI without the tests.
    Checks,
    /// Write the decisions of `tests/cases` anew, to be read in `git diff`. Claims are never rewritten.
    Bless,
    /// Release a version of the contract: its folder, and what the standard components built for it answer, never change
    /// again.
    ReleaseContract {
        /// The version, which is the name of its folder under `wit`, such as 0.1.
        version: String,
        /// Release nothing: exhibit one component of each world in `tests/museum/VERSION.0-draft`, in place of those there.
        #[arg(long)]
        draft: bool,
    },
    /// Random orders through the component, the native engine and the naive second implementation.
    Differential {
        /// How many orders.
        #[arg(long, default_value_t = 100_000)]
        count: u64,
        /// First seed.
        #[arg(long, default_value_t = 1)]
        seed: u64,
    },
    /// Kill a process under load, cut the power, let disks fail and take backups meanwhile, for about a quarter of an hour:
    /// what an acknowledged operation survives. Dev build, as the tests that do it briefly.
    Survival {
        /// How often a process is killed.
        #[arg(long, default_value_t = 200)]
        cycles: u64,
        /// How many images of a disk after a power cut are opened, at least.
        #[arg(long, default_value_t = 10_000)]
        images: u64,
        /// First seed.
        #[arg(long, default_value_t = 1)]
        seed: u64,
    },
    /// Measure calls, start and throughput; release build. Takes `--languages` for conditions in JavaScript, TypeScript
    /// and Python beside Rust, and `--only TEXT`.
    Bench {
        /// Passed on to the benchmark.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Measure replays of recorded decisions beside what their calls alone cost, and 1,000 loaded plugins; release build.
    /// Takes `--decisions`, `--plugins` and `--rounds`.
    BenchPlugins {
        /// Passed on to the benchmark.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Measure what a table of texts would save against texts as they are, which is what the contract has; release build.
    BenchTexts,
    /// Measure the same decision in other engines: extism, rhai, cel and zen-engine; release build in `target/peers`, which
    /// takes many minutes the first time. Takes `--rounds`, `--calls` and `--loads`.
    BenchPeers {
        /// Leave zen-engine out, which takes the longest to build by far.
        #[arg(long)]
        without_zen: bool,
        /// Passed on to the benchmark.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Random components, documents, answers and expressions against the host, guided by coverage; built in `target/fuzz`.
    /// What crashes is written there with how to see it again.
    Fuzz {
        /// One of `loader`, `boundary` and `expression`; all in turn if left out.
        target: Option<String>,
        /// How long each target runs.
        #[arg(long, default_value_t = 20)]
        seconds: u64,
        /// First seed.
        #[arg(long, default_value_t = 1)]
        seed: u32,
        /// Run this one input, such as a crash that was written, instead.
        #[arg(long, requires = "target")]
        input: Option<PathBuf>,
    },
    /// Measure redemptions on both stores beside the raw ceiling of each; release build. Takes
    /// `--seconds`, `--rounds`, `--cards`, `--history` and `--store sqlite|postgres`.
    BenchLedger {
        /// Passed on to the benchmark.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
}

fn main() -> ExitCode {
    match run(Arguments::parse().chore) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(chore: Chore) -> Result<()> {
    match chore {
        Chore::Setup => {
            setup::set_up()?;
            setup::authoring()?;
            setup::postgres()
        }
        Chore::Components => prepare(),
        Chore::Demo => {
            prepare()?;
            // The demo runs the one binary, which cargo puts beside it.
            let bins = ["--bin", "giftcard", "--bin", "demo"];
            cargo(["build", "--package", "giftcard", "--package", "giftcard-tests"].into_iter().chain(bins))?;
            cargo(["run", "--quiet", "--package", "giftcard-tests", "--bin", "demo"])
        }
        Chore::Test { arguments } => {
            setup::postgres()?;
            setup::authoring()?;
            prepare()?;
            cargo(["test", "--workspace"].into_iter().map(str::to_string).chain(arguments))
        }
        Chore::Bless => {
            prepare()?;
            run_command(
                Command::new(cargo_path())
                    .args(["test", "--package", "giftcard-tests", "--test", "cases", "--test", "museum"])
                    .env("GIFTCARD_BLESS", "1"),
            )
        }
        Chore::ReleaseContract { version, draft } => {
            prepare()?;
            let exhibition = if draft { Exhibition::Draft } else { Exhibition::Release };
            let names = releases::collect(&root(), &version, exhibition)?;
            println!("{}: {}", releases::MUSEUM, names.join(", "));
            cargo(["test", "--workspace", "--test", "museum"])?;
            if draft { Ok(()) } else { releases::freeze(&root(), &version) }
        }
        Chore::Differential { count, seed } => {
            prepare()?;
            let (count, seed) = (count.to_string(), seed.to_string());
            let binary = ["run", "--release", "--package", "giftcard-tests", "--bin", "differential", "--"];
            cargo(binary.into_iter().chain([count.as_str(), seed.as_str()]))
        }
        Chore::Survival { cycles, images, seed } => {
            prepare()?;
            let [cycles, images, seed] = [cycles, images, seed].map(|number| number.to_string());
            let binary = ["run", "--package", "giftcard-tests", "--bin", "survival", "--"];
            let arguments = ["--cycles", &cycles, "--images", &images, "--seed", &seed];
            cargo(binary.into_iter().chain(arguments))
        }
        Chore::Bench { arguments } => {
            prepare()?;
            cargo(["build", "--release", "--package", "giftcard"])?;
            let bench = ["bench", "--package", "giftcard-tests", "--bench", "calls", "--"];
            cargo(bench.into_iter().map(str::to_string).chain(arguments))
        }
        Chore::BenchPlugins { arguments } => {
            prepare()?;
            let bench = ["bench", "--package", "giftcard-tests", "--bench", "plugins", "--"];
            cargo(bench.into_iter().map(str::to_string).chain(arguments))
        }
        Chore::BenchTexts => {
            prepare()?;
            cargo(["bench", "--package", "giftcard-tests", "--bench", "texts"])
        }
        Chore::BenchPeers { without_zen, arguments } => {
            prepare()?;
            peers::bench(without_zen, &arguments)
        }
        Chore::Fuzz { target, seconds, seed, input } => {
            prepare()?;
            fuzz::run(target.as_deref(), &fuzz::Budget { seconds, seed }, input.as_deref())
        }
        Chore::BenchLedger { arguments } => {
            prepare()?;
            let bench = ["bench", "--package", "giftcard-tests", "--bench", "ledger", "--"];
            cargo(bench.into_iter().map(str::to_string).chain(arguments))
        }
        Chore::Ci => {
            run(Chore::Test { arguments: Vec::new() })?;
            checks::run_all()
        }
        Chore::Checks => checks::run_all(),
    }
}

fn prepare() -> Result<()> {
    setup::set_up()?;
    components::build_all()
}

/// The workspace's root, whatever folder the command was given in.
fn root() -> PathBuf {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
    PathBuf::from(root).canonicalize().unwrap_or_else(|_| PathBuf::from(root))
}

fn cargo_path() -> String {
    std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_string())
}

/// What cargo says of the workspace: its packages and its target directory.
fn metadata() -> Result<serde_json::Value> {
    let output = Command::new(cargo_path())
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .current_dir(root())
        .output()
        .context("`cargo metadata` could not be started")?;
    serde_json::from_slice(&output.stdout).context("`cargo metadata` is no JSON")
}

fn cargo(arguments: impl IntoIterator<Item = impl AsRef<std::ffi::OsStr>>) -> Result<()> {
    run_command(Command::new(cargo_path()).args(arguments))
}

fn run_command(command: &mut Command) -> Result<()> {
    let status = command
        .current_dir(root())
        .status()
        .with_context(|| format!("`{}` could not be started", command.get_program().display()))?;
    if !status.success() {
        bail!("`{command:?}` ended with {status}");
    }
    Ok(())
}
