//! Builds and runs the fuzz targets, which are a workspace of their own. What `cargo fuzz` does on a nightly compiler, without
//! its sanitizer: coverage guides libFuzzer on the stable one too. Must not know what a target does with its bytes.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::{cargo_path, root, run_command};

const TARGETS: [&str; 3] = ["loader", "boundary", "expression"];

/// Past this an input counts as a hang: no call may take longer than its deadline, and an input makes a few. The largest
/// component takes seconds to compile here, and several times as long on a busy machine.
const HANG_S: u32 = 60;

/// Of a process, compiled code of all components included.
const MEMORY_MIB: u32 = 4_096;

/// Bytes of an input. Random modules grow with it.
const INPUT_BYTES_MAX: u32 = 8_192;

/// Inputs to begin with.
const SEEDS: u32 = 96;

/// How long a target runs and from where.
pub(crate) struct Budget {
    pub(crate) seconds: u64,
    pub(crate) seed: u32,
}

/// Runs one target or all of them, or one input of a target.
pub(crate) fn run(target: Option<&str>, budget: &Budget, input: Option<&Path>) -> Result<()> {
    let targets: Vec<&str> = match target {
        None => TARGETS.to_vec(),
        Some(one) => match TARGETS.iter().find(|known| **known == one) {
            Some(known) => vec![known],
            None => bail!("`{one}` is no target; there are {}", TARGETS.join(", ")),
        },
    };
    let binaries = build()?;
    let mut crashed = Vec::new();
    for target in targets {
        let binary = binaries.join(target);
        let outcome = match input {
            Some(input) => run_command(Command::new(&binary).arg(input.canonicalize()?).env("GIFTCARD_FUZZ_SHOW", "1")),
            None => search(target, &binary, budget),
        };
        if let Err(error) = outcome {
            crashed.push(format!("{target}: {error:#}"));
        }
    }
    if crashed.is_empty() { Ok(()) } else { bail!("{}", crashed.join("\n")) }
}

/// Where the binaries are. The flags are those of `cargo fuzz`; a target of its own keeps them away from build scripts.
fn build() -> Result<PathBuf> {
    let target = host()?;
    let coverage = ["level=4", "inline-8bit-counters", "pc-table", "trace-compares"];
    let coverage = coverage.map(|option| format!("-Cllvm-args=-sanitizer-coverage-{option}")).join(" ");
    let folder = root().join("target/fuzz");
    let mut build = Command::new(cargo_path());
    build.args(["build", "--release", "--locked", "--target", &target, "--manifest-path"]);
    build.arg(root().join("fuzz/Cargo.toml")).env("CARGO_TARGET_DIR", &folder);
    run_command(build.env("RUSTFLAGS", format!("-Cpasses=sancov-module {coverage}")))?;
    Ok(folder.join(target).join("release"))
}

/// What the compiler calls this machine.
fn host() -> Result<String> {
    let output = Command::new("rustc").arg("-vV").output().context("`rustc` could not be started")?;
    let says = String::from_utf8_lossy(&output.stdout).into_owned();
    let host = says.lines().find_map(|line| line.strip_prefix("host: ")).context("`rustc -vV` names no host")?;
    Ok(host.to_string())
}

/// Random bytes to begin with: a structure is made of many bytes, and libFuzzer begins with few.
fn sow(corpus: &Path, seed: u32) -> Result<()> {
    let mut state = u64::from(seed).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut byte = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[4]
    };
    for number in 0..SEEDS {
        let bytes: Vec<u8> = (0..64_u32 << (number % 6)).map(|_| byte()).collect();
        fs::write(corpus.join(format!("seed-{seed}-{number}")), bytes)?;
    }
    Ok(())
}

/// Lets libFuzzer look for inputs from those that earlier runs kept.
fn search(target: &str, binary: &Path, budget: &Budget) -> Result<()> {
    let corpus = root().join("target/fuzz/corpus").join(target);
    let crashes = root().join("target/fuzz/crashes").join(target);
    for folder in [&corpus, &crashes] {
        fs::create_dir_all(folder).with_context(|| format!("`{}` cannot be made", folder.display()))?;
    }
    sow(&corpus, budget.seed)?;
    println!("fuzz: {target} for {} s from seed {}", budget.seconds, budget.seed);
    let mut prefix = OsString::from("-artifact_prefix=");
    prefix.push(crashes.join(""));
    let mut search = Command::new(binary);
    search.arg(&corpus).arg(prefix).args([
        format!("-max_total_time={}", budget.seconds),
        format!("-seed={}", budget.seed),
        format!("-timeout={HANG_S}"),
        format!("-rss_limit_mb={MEMORY_MIB}"),
        format!("-max_len={INPUT_BYTES_MAX}"),
        "-len_control=0".to_string(),
    ]);
    search.args(["-print_final_stats=1", "-verbosity=0", "-report_slow_units=1"]);
    run_command(&mut search).with_context(|| {
        format!(
            "seed {}; see it again with `cargo xtask fuzz {target} --input FILE`, FILE the newest of `{}`",
            budget.seed,
            crashes.display()
        )
    })
}
