//! New projects. The SDK and the contract come along, so that a project needs nothing that is not in it or in the public
//! registry. Must not know how a project is built.

use std::fs;
use std::path::{Path, PathBuf};

use giftcard_engine::value::is_code;

use super::{AuthoringError, of_file};

/// A file of a project: its path in it, and its text.
struct Template {
    path: &'static str,
    text: &'static str,
}

// `SDK`: the guest SDK and the contract, as they are in this binary's sources; `SDK_MANIFEST` and `LOCK` beside them.
include!(concat!(env!("OUT_DIR"), "/sdk.rs"));

/// The folder of a project's fixtures.
pub const FIXTURES: &str = "fixtures";

/// What a plugin is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    /// Rust.
    Rust,
}

const RUST: [Template; 7] = [
    Template { path: "Cargo.toml", text: include_str!("../../templates/rust/Cargo.toml.txt") },
    Template { path: "src/lib.rs", text: include_str!("../../templates/rust/lib.rs.txt") },
    Template { path: "README.md", text: include_str!("../../templates/rust/README.md.txt") },
    Template { path: ".cargo/config.toml", text: include_str!("../../templates/rust/config.toml.txt") },
    Template { path: ".gitignore", text: "/target\n/*.wasm\n" },
    Template {
        path: "fixtures/accepted-on-a-listed-day.json",
        text: include_str!("../../templates/rust/fixtures/accepted-on-a-listed-day.json"),
    },
    Template {
        path: "fixtures/refused-on-another-day.json",
        text: include_str!("../../templates/rust/fixtures/refused-on-another-day.json"),
    },
];

/// Begins a project in a new folder `name` below `parent`. Returns the folder.
///
/// # Errors
/// [`AuthoringError::Name`], [`AuthoringError::Exists`], [`AuthoringError::File`].
pub fn begin(parent: &Path, name: &str, language: Language) -> Result<PathBuf, AuthoringError> {
    // The SDK's own name would stand twice in the project.
    if !is_code(name) || name == "giftcard-plugin" {
        return Err(AuthoringError::Name(name.to_string()));
    }
    let folder = parent.join(name);
    fs::create_dir_all(parent).map_err(of_file(parent))?;
    match fs::create_dir(&folder) {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => return Err(AuthoringError::Exists(folder)),
        made => made.map_err(of_file(&folder))?,
    }
    let Language::Rust = language;
    let sdk = SDK.iter().map(|file| (file.path, file.text.to_string()));
    let manifests = [("sdk/plugin/Cargo.toml", SDK_MANIFEST.to_string()), ("Cargo.lock", LOCK.to_string())];
    for (path, text) in RUST.iter().map(|file| (file.path, fill_in(file.text, name))).chain(sdk).chain(manifests) {
        write(&folder.join(path), &text)?;
    }
    Ok(folder)
}

fn fill_in(text: &str, name: &str) -> String {
    let mut title = name.replace('-', " ");
    title.replace_range(..1, &title[..1].to_ascii_uppercase());
    text.replace("{{name}}", name).replace("{{title}}", &title)
}

fn write(path: &Path, text: &str) -> Result<(), AuthoringError> {
    let folder = path.parent().unwrap_or(path);
    fs::create_dir_all(folder).map_err(of_file(folder))?;
    fs::write(path, text).map_err(of_file(path))
}
