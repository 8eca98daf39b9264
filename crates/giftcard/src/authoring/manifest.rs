//! What a project says of itself in `giftcard.json`: its language, its component's name, the limits that it asks for. A
//! project in Rust needs none. Must not know how a project is built.

use std::fs;
use std::path::Path;

use giftcard_host::Grant;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{AuthoringError, Language};

/// The file, in the project's folder.
pub(super) const MANIFEST: &str = "giftcard.json";

/// A project.
#[derive(Clone, Debug)]
pub(super) struct Manifest {
    pub(super) language: Language,
    pub(super) limits: Grant,
    name: Option<String>,
}

/// As it stands in the file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    /// Lower-case words with dashes: what the component's file is called. Rust takes the crate's.
    name: Option<String>,
    language: Language,
    /// What the plugin asks for beyond the standard limits.
    #[serde(default)]
    limits: Map<String, Value>,
}

impl Manifest {
    pub(super) fn read(folder: &Path) -> Result<Self, AuthoringError> {
        let path = folder.join(MANIFEST);
        let wrong = |problem: String| AuthoringError::Manifest { path: path.clone(), problem };
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                if !folder.join("Cargo.toml").is_file() {
                    return Err(AuthoringError::NoProject(folder.to_path_buf()));
                }
                return Ok(Self { language: Language::Rust, limits: Grant::default(), name: None });
            }
            Err(error) => return Err(super::of_file(&path)(error)),
        };
        let file: File = serde_json::from_str(&text).map_err(|error| wrong(error.to_string()))?;
        if let Some(name) = &file.name
            && !giftcard_engine::value::is_code(name)
        {
            return Err(wrong(AuthoringError::Name(name.clone()).to_string()));
        }
        let limits = Grant::from_json(&Value::Object(file.limits).to_string());
        let limits = limits.map_err(|problem| wrong(format!("limits: {problem}")))?;
        Ok(Self { language: file.language, limits, name: file.name })
    }

    /// What the component's file is called.
    pub(super) fn name(&self) -> Result<String, AuthoringError> {
        self.name.clone().ok_or_else(|| AuthoringError::Manifest {
            path: MANIFEST.into(),
            problem: "`name` is missing: what the component's file is called, such as `free-shipping`".to_string(),
        })
    }
}
