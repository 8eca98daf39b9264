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
    let libraries = look_for_tools(folder)?;
    let mut cargo = Command::new("cargo");
    // Its configuration is looked for from there on.
    cargo.current_dir(folder);
    cargo.args(["build", "--release", "--target", TARGET, "--message-format=json-render-diagnostics"]);
    // Joins the flags of the project's own configuration.
    cargo.arg("--config").arg(format!("target.{TARGET}.rustflags={}", Value::from(remapped(folder, &libraries))));
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

/// Flags that leave an author's folders out of a component: files of the project are named from there, those of other
/// crates from the crate's folder. `libraries` are the toolchain's. Of two that fit, the later counts.
fn remapped(folder: &Path, libraries: &Path) -> Vec<String> {
    let mut flags = Vec::new();
    let mut leave_out = |prefix: PathBuf, instead: &str| {
        flags.push(format!("--remap-path-prefix={}={instead}", prefix.display()));
    };
    // INVARIANT of the toolchain: libraries are in lib/rustlib/TARGET/lib.
    if let Some(toolchain) = libraries.ancestors().nth(4) {
        leave_out(toolchain.join("lib/rustlib/src/rust"), "/rustc/src");
    }
    let home = || std::env::home_dir().map(|home| home.join(".cargo"));
    if let Some(home) = std::env::var_os("CARGO_HOME").map(PathBuf::from).or_else(home) {
        leave_out(home.clone(), "cargo");
        for registry in home.join("registry/src").read_dir().into_iter().flatten().flatten() {
            leave_out(registry.path(), "");
        }
    }
    let manifest = Command::new("cargo")
        .args(["locate-project", "--workspace", "--message-format", "plain"])
        .current_dir(folder)
        .output();
    let manifest = manifest.ok().map(|found| PathBuf::from(String::from_utf8_lossy(&found.stdout).trim()));
    if let Some(workspace) = manifest.as_deref().and_then(Path::parent).filter(|path| path.is_absolute()) {
        leave_out(workspace.to_path_buf(), "");
    }
    flags
}

/// Where the target's libraries are. The toolchain is the one that the project's folder chooses.
fn look_for_tools(folder: &Path) -> Result<PathBuf, AuthoringError> {
    let libraries =
        Command::new("rustc").args(["--print", "target-libdir", "--target", TARGET]).current_dir(folder).output();
    let libraries = libraries.ok().filter(|found| found.status.success()).ok_or(RUST)?;
    let libraries = PathBuf::from(String::from_utf8_lossy(&libraries.stdout).trim());
    match libraries.is_dir() {
        true => Ok(libraries),
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
