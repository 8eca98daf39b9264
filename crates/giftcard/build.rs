//! Puts the standard components inside the binary: every `.wasm` file of `target/components`, or of the folder that
//! `GIFTCARD_COMPONENTS` names; and the guest SDK with the contract and its types, for new plugin projects. Must not build a
//! component: `cargo xtask components` does.

#[path = "build/contract_types.rs"]
mod contract_types;

use std::path::{Path, PathBuf};
use std::process::exit;
use std::{env, fs};

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=GIFTCARD_COMPONENTS");
    let folder = match env::var_os("GIFTCARD_COMPONENTS") {
        Some(folder) => PathBuf::from(folder),
        // Asked at run time: two checkouts may share one target directory.
        None => PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("INVARIANT: cargo sets it"))
            .join("../../target/components"),
    };
    println!("cargo::rerun-if-changed={}", folder.display());
    let files = match components(&folder) {
        Ok(files) if files.iter().any(|(name, _)| name == "gift-card") => files,
        Ok(_) => missing(&folder, "`gift-card.wasm` is not there"),
        Err(error) => missing(&folder, &error.to_string()),
    };
    let mut table = "static EMBEDDED: &[Embedded] = &[\n".to_string();
    for (name, path) in files {
        println!("cargo::rerun-if-changed={}", path.display());
        table.push_str(&format!("    Embedded {{ name: {name:?}, bytes: include_bytes!({path:?}) }},\n"));
    }
    table.push_str("];\n");
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("INVARIANT: cargo sets it")).join("embedded.rs");
    fs::write(out, table).expect("INVARIANT: cargo made the folder");
    if let Err(error) = sdk() {
        println!("cargo::error=the guest SDK cannot be put inside the binary: {error}");
        exit(1);
    }
}

/// Writes `sdk.rs`: the files of the SDK and of the contract with their paths in a project, the contract's types for
/// TypeScript, the SDK's manifest, which here takes its fields from the workspace, and the versions that everything was
/// tested with.
fn sdk() -> std::io::Result<()> {
    let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("INVARIANT: cargo sets it")).join("../..");
    let root = root.canonicalize()?;
    let mut table = String::new();
    for (name, from, to) in [("SDK", "crates/plugin/src", "sdk/plugin/src"), ("CONTRACT", "wit/0.1", "wit/0.1")] {
        table.push_str(&format!("static {name}: &[Template] = &[\n"));
        let folder = root.join(from);
        println!("cargo::rerun-if-changed={}", folder.display());
        let mut files = folder.read_dir()?.map(|entry| Ok(entry?.path())).collect::<std::io::Result<Vec<_>>>()?;
        files.sort();
        for file in files {
            let name = file.file_name().unwrap_or_default().to_string_lossy();
            table.push_str(&format!("    Template {{ path: \"{to}/{name}\", text: include_str!({file:?}) }},\n"));
        }
        table.push_str("];\n");
    }
    let mut resolve = wit_parser::Resolve::default();
    let types = resolve.push_dir(root.join("wit/0.1")).map_err(|error| format!("{error:#}"));
    let types = types.and_then(|_| contract_types::contract_types(&resolve, "condition-plugin"));
    let types = types.map_err(std::io::Error::other)?;
    for (name, text) in [("CONTRACT_TYPES", types.contract), ("IMPORT_TYPES", types.imports)] {
        table.push_str(&format!("static {name}: &str = {text:?};\n"));
    }
    let (workspace, lock) = (root.join("Cargo.toml"), root.join("Cargo.lock"));
    println!("cargo::rerun-if-changed={}", workspace.display());
    println!("cargo::rerun-if-changed={}", lock.display());
    let manifest = fs::read_to_string(workspace)?;
    let field = |name: &str| {
        let line = manifest.lines().find(|line| line.starts_with(&format!("{name} = ")));
        line.ok_or_else(|| std::io::Error::other(format!("the workspace's manifest has no `{name}`")))
    };
    let (version, edition, bindgen) = (field("version")?, field("edition")?, field("wit-bindgen")?);
    let manifest = format!(
        "[package]\nname = \"giftcard-plugin\"\n{version}\n{edition}\npublish = false\n\n[dependencies]\n{bindgen}\n"
    );
    table.push_str(&format!("static SDK_MANIFEST: &str = {manifest:?};\n"));
    table.push_str(&format!("static LOCK: &str = include_str!({lock:?});\n"));
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("INVARIANT: cargo sets it")).join("sdk.rs");
    fs::write(out, table)
}

/// Names, without ending, and absolute paths, sorted.
fn components(folder: &Path) -> std::io::Result<Vec<(String, PathBuf)>> {
    let folder = folder.canonicalize()?;
    let mut found = Vec::new();
    for entry in folder.read_dir()? {
        let path = entry?.path();
        let name = path.file_stem().and_then(|name| name.to_str()).map(str::to_string);
        if let Some(name) = name.filter(|_| path.extension().is_some_and(|ending| ending == "wasm") && path.is_file()) {
            found.push((name, path));
        }
    }
    found.sort();
    Ok(found)
}

fn missing(folder: &Path, cause: &str) -> ! {
    println!("cargo::error=the standard components are not in `{}`: {cause}", folder.display());
    println!(
        "cargo::error=build them with `cargo xtask components` (a fresh machine needs `cargo xtask setup` first), or \
         name their folder in GIFTCARD_COMPONENTS"
    );
    exit(1);
}
