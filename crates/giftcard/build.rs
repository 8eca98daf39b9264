//! Puts the standard components inside the binary: every `.wasm` file of `target/components`, or of the folder that
//! `GIFTCARD_COMPONENTS` names. Must not build one: `cargo xtask components` does.

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
