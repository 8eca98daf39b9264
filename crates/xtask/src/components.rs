//! Compiles plugins and turns them into components under `target/components`. Must not check them: the host does.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use wit_component::ComponentEncoder;

use crate::{cargo_path, metadata, root, run_command};

/// Every folder below `plugins` and `tests/guests` that has a manifest, as `target/components/NAME.wasm` and
/// `target/components/tests/NAME.wasm`.
pub(crate) fn build_all() -> Result<()> {
    let standard = packages(&root().join("plugins"))?;
    let guests = packages(&root().join("tests/guests"))?;
    let mut build = Command::new(cargo_path());
    build.args(["build", "--profile", "component", "--target", "wasm32-unknown-unknown"]);
    for package in standard.iter().chain(&guests) {
        build.args(["--package", package]);
    }
    run_command(&mut build)?;
    let modules = target_directory()?.join("wasm32-unknown-unknown/component");
    let components = root().join("target/components");
    for package in &standard {
        componentize(&modules, package, &components)?;
    }
    for package in &guests {
        componentize(&modules, package, &components.join("tests"))?;
    }
    Ok(())
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
