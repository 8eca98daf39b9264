//! Compiles plugins and turns them into components under `target/components`. Must not check them: the host does.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use wit_component::ComponentEncoder;

use crate::{cargo_path, metadata, root, run_command};

const TARGET: &str = "wasm32-unknown-unknown";

/// Every folder below `plugins` and `tests/guests` that has a manifest, as `target/components/NAME.wasm` and
/// `target/components/tests/NAME.wasm`.
pub(crate) fn build_all() -> Result<()> {
    let standard = packages(&root().join("plugins"))?;
    let guests = packages(&root().join("tests/guests"))?;
    let mut build = Command::new(cargo_path());
    build.args(["build", "--profile", "component", "--target", TARGET]);
    // Joins the flags of the project's own configuration.
    build.arg("--config").arg(format!("target.{TARGET}.rustflags={:?}", without_folders()));
    for package in standard.iter().chain(&guests) {
        build.args(["--package", package]);
    }
    run_command(&mut build)?;
    let modules = target_directory()?.join(TARGET).join("component");
    let components = root().join("target/components");
    for package in &standard {
        componentize(&modules, package, &components)?;
    }
    for package in &guests {
        componentize(&modules, package, &components.join("tests"))?;
    }
    Ok(())
}

/// Flags that leave the folders of whoever builds out of a component: what panics names a file from the project's root, or
/// from its crate's folder. Of two that fit, the later counts.
fn without_folders() -> Vec<String> {
    let mut folders = Vec::new();
    let home = || std::env::home_dir().map(|home| home.join(".cargo"));
    if let Some(home) = std::env::var_os("CARGO_HOME").map(PathBuf::from).or_else(home) {
        let registries = home.join("registry/src").read_dir();
        folders.push((home, "cargo"));
        folders.extend(registries.into_iter().flatten().flatten().map(|registry| (registry.path(), "")));
    }
    folders.push((root(), ""));
    folders.iter().map(|(folder, instead)| format!("--remap-path-prefix={}={instead}", folder.display())).collect()
}

fn packages(folder: &Path) -> Result<Vec<String>> {
    let mut packages = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| format!("`{}` cannot be read", folder.display()))? {
        let entry = entry?;
        if entry.path().join("Cargo.toml").is_file() {
            packages.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    packages.sort();
    Ok(packages)
}

fn target_directory() -> Result<PathBuf> {
    let metadata = metadata()?;
    let directory = metadata["target_directory"].as_str().context("`cargo metadata` names no target directory")?;
    Ok(directory.into())
}

/// Writes the component only if it changed, so that nothing is built again for nothing.
fn componentize(modules: &Path, package: &str, to: &Path) -> Result<()> {
    let module = modules.join(format!("{}.wasm", package.replace('-', "_")));
    let bytes = fs::read(&module).with_context(|| format!("`{}` cannot be read", module.display()))?;
    let component = ComponentEncoder::default()
        .validate(true)
        .module(&bytes)
        .and_then(|mut encoder| encoder.encode())
        .with_context(|| format!("`{package}` is no component"))?;
    fs::create_dir_all(to)?;
    let file = to.join(format!("{package}.wasm"));
    if fs::read(&file).ok().as_deref() != Some(&component) {
        fs::write(&file, &component).with_context(|| format!("`{}` cannot be written", file.display()))?;
        println!("component {}: {} bytes", file.display(), component.len());
    }
    Ok(())
}
