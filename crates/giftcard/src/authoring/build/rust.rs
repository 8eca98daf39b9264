//! Rust: `cargo` for the module, and a component made of it. Must not know what is in a project's sources.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;
use wit_component::ComponentEncoder;

use super::Made;
use crate::authoring::{AuthoringError, of_file};

const TARGET: &str = "wasm32-unknown-unknown";

/// The project's crate names the component.
pub(super) fn component(folder: &Path, offline: bool) -> Result<Made, AuthoringError> {
    look_for_tools(folder)?;
    let mut cargo = Command::new("cargo");
    // Its configuration is looked for from there on.
    cargo.current_dir(folder);
    cargo.args(["build", "--release", "--target", TARGET, "--message-format=json-render-diagnostics"]);
    cargo.stderr(Stdio::inherit()).stdin(Stdio::null());
    if offline {
        cargo.arg("--offline");
    }
    let output = cargo.output().map_err(|_| RUST)?;
    if !output.status.success() {
        return Err(AuthoringError::Compiler("cargo build".to_string()));
    }
    let module = module(&String::from_utf8_lossy(&output.stdout))
        .ok_or_else(|| AuthoringError::Component("no `cdylib` was built; see `[lib]` in `Cargo.toml`".to_string()))?;
    let bytes = fs::read(&module).map_err(of_file(&module))?;
    let component = ComponentEncoder::default()
        .validate(true)
        .module(&bytes)
        .and_then(|mut encoder| encoder.encode())
        .map_err(|error| AuthoringError::Component(format!("{error:#}")))?;
    let name = module.file_stem().unwrap_or_default().to_string_lossy().replace('_', "-");
    Ok(Made { name, component })
}

const RUST: AuthoringError =
    AuthoringError::Tool { tool: "Rust (`cargo`)", install: "curl https://sh.rustup.rs -sSf | sh" };

/// The toolchain is the one that the project's folder chooses.
fn look_for_tools(folder: &Path) -> Result<(), AuthoringError> {
    let libraries =
        Command::new("rustc").args(["--print", "target-libdir", "--target", TARGET]).current_dir(folder).output();
    let libraries = libraries.ok().filter(|found| found.status.success()).ok_or(RUST)?;
    let libraries = PathBuf::from(String::from_utf8_lossy(&libraries.stdout).trim());
    match libraries.is_dir() {
        true => Ok(()),
        false => Err(AuthoringError::Tool {
            tool: "Rust's WebAssembly target",
            install: "rustup target add wasm32-unknown-unknown",
        }),
    }
}

/// The module among cargo's messages: the last thing of the kind that it names is the project's own.
fn module(messages: &str) -> Option<PathBuf> {
    let messages = messages.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let artifacts = messages.filter(|message| message["reason"] == "compiler-artifact");
    let files = artifacts.filter_map(|artifact| artifact["filenames"].as_array().cloned()).flatten();
    let mut paths = files.filter_map(|file| file.as_str().map(PathBuf::from));
    paths.rfind(|path| path.extension().is_some_and(|ending| ending == "wasm"))
}
