//! New projects. The SDK and the contract come along, so that a project needs nothing that is not in it or in the public
//! registry. Must not know how a project is built.

use std::fs;
use std::path::{Path, PathBuf};

use giftcard_engine::value::is_code;
use serde::Deserialize;

use super::{AuthoringError, of_file};

/// A file of a project: its path in it, and its text.
struct Template {
    path: &'static str,
    text: &'static str,
}

// `SDK` and `CONTRACT`: the guest SDK and the contract, as they are in this binary's sources; `SDK_MANIFEST` and `LOCK`
// beside them; `CONTRACT_TYPES` and `IMPORT_TYPES`, made of the contract.
include!(concat!(env!("OUT_DIR"), "/sdk.rs"));

/// The folder of a project's fixtures.
pub const FIXTURES: &str = "fixtures";

/// What a plugin is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Language {
    /// Rust.
    Rust,
    /// JavaScript, run by QuickJS.
    JavaScript,
    /// TypeScript, whose types are checked and taken out.
    TypeScript,
    /// Python, run by CPython.
    Python,
}

macro_rules! templates {
    ($($path:literal: $file:literal,)*) => {
        &[$(Template { path: $path, text: include_str!(concat!("../../templates/", $file)) },)*]
    };
}

/// The same in every language.
const FIXTURE_FILES: &[Template] = templates! {
    "fixtures/accepted-on-a-listed-day.json": "fixtures/accepted-on-a-listed-day.json",
    "fixtures/refused-on-another-day.json": "fixtures/refused-on-another-day.json",
};

const RUST: &[Template] = templates! {
    "Cargo.toml": "rust/Cargo.toml.txt",
    "src/lib.rs": "rust/lib.rs.txt",
    "README.md": "rust/README.md.txt",
    ".cargo/config.toml": "rust/config.toml.txt",
    ".gitignore": "rust/gitignore.txt",
};

const JAVASCRIPT: &[Template] = templates! {
    "giftcard.json": "javascript/giftcard.json",
    "package.json": "javascript/package.json",
    "package-lock.json": "javascript/package-lock.json",
    "jsconfig.json": "javascript/jsconfig.json",
    "src/plugin.js": "javascript/plugin.js",
    "sdk/giftcard.js": "javascript/giftcard.js",
    "README.md": "javascript/README.md.txt",
    ".gitignore": "javascript/gitignore.txt",
};

const TYPESCRIPT: &[Template] = templates! {
    "giftcard.json": "typescript/giftcard.json",
    "package.json": "typescript/package.json",
    "package-lock.json": "typescript/package-lock.json",
    "tsconfig.json": "typescript/tsconfig.json",
    "src/plugin.ts": "typescript/plugin.ts",
    "sdk/giftcard.js": "javascript/giftcard.js",
    "README.md": "typescript/README.md.txt",
    ".gitignore": "javascript/gitignore.txt",
};

const PYTHON: &[Template] = templates! {
    "giftcard.json": "python/giftcard.json",
    "requirements.txt": "python/requirements.txt",
    "pyrightconfig.json": "python/pyrightconfig.json",
    "src/plugin.py": "python/plugin.py",
    "sdk/giftcard.py": "python/giftcard.py",
    "README.md": "python/README.md.txt",
    ".gitignore": "python/gitignore.txt",
};

/// Names of types and of what can be imported.
const TYPES: &[Template] = &[
    Template { path: "sdk/contract.d.ts", text: CONTRACT_TYPES },
    Template { path: "sdk/imports.d.ts", text: IMPORT_TYPES },
];

/// The guest SDK for Rust: its manifest, and the versions that everything was tested with.
const RUST_MANIFESTS: &[Template] =
    &[Template { path: "sdk/plugin/Cargo.toml", text: SDK_MANIFEST }, Template { path: "Cargo.lock", text: LOCK }];

/// What the author changes, and what comes along as it is.
fn files(language: Language) -> (&'static [Template], [&'static [Template]; 2]) {
    match language {
        Language::Rust => (RUST, [SDK, RUST_MANIFESTS]),
        Language::JavaScript => (JAVASCRIPT, [TYPES, &[]]),
        Language::TypeScript => (TYPESCRIPT, [TYPES, &[]]),
        Language::Python => (PYTHON, [&[], &[]]),
    }
}

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
    let (own, brought) = files(language);
    for file in own.iter().chain(FIXTURE_FILES) {
        write(&folder.join(file.path), &fill_in(file.text, name))?;
    }
    for file in brought.into_iter().flatten().chain(CONTRACT) {
        write(&folder.join(file.path), file.text)?;
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
