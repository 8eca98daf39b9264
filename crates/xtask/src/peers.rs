//! Builds and runs the comparison with other engines, which is a workspace of its own. Must not know an engine.

use std::process::Command;

use anyhow::Result;

use crate::{cargo_path, root, run_command};

/// Builds the plugin that extism runs, then the comparison, and runs it.
pub(crate) fn bench(without_zen: bool, arguments: &[String]) -> Result<()> {
    let folder = root().join("peers");
    let mut plugin = Command::new(cargo_path());
    plugin.args(["build", "--release", "--locked", "--target", "wasm32-unknown-unknown", "--manifest-path"]);
    run_command(
        plugin.arg(folder.join("extism-decision/Cargo.toml")).env("CARGO_TARGET_DIR", root().join("target/peers")),
    )?;
    let mut bench = Command::new(cargo_path());
    bench.args(["run", "--release", "--locked", "--manifest-path"]).arg(folder.join("Cargo.toml"));
    if without_zen {
        bench.args(["--no-default-features", "--features", "extism"]);
    }
    bench.arg("--").args(arguments).env("CARGO_TARGET_DIR", root().join("target/peers"));
    run_command(&mut bench)
}
