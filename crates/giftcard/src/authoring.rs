//! What authors of condition plugins do: begin a project, build a component, try it on an order. Must not know how a
//! component is run, nor what a command line is.
//!
//! [`begin`] writes a project, [`build`] makes a component of it, [`trial`] asks it about one order and shows
//! everything that it answered, [`profile()`] where its fuel went; its fixtures are run by [`crate::fixtures`].

mod build;
mod flame;
mod manifest;
mod profile;
mod project;
mod trial;

use std::path::PathBuf;

pub use build::{Built, build};
pub(crate) use flame::escaped;
pub use flame::flame_graph;
pub use profile::{FuelProfile, FunctionFuel, StackFuel, profile};
pub use project::{FIXTURES, Language, begin};
pub use trial::{Asked, Trial, bind, trial};

use thiserror::Error;

use crate::files::without_number;

/// Why there is no project or no component.
#[derive(Debug, Error)]
pub enum AuthoringError {
    /// The name cannot be a plugin's.
    #[error("`{0}` cannot be a plugin's name: use lower-case words with dashes between them, such as `free-shipping`")]
    Name(String),
    /// Something is there already.
    #[error("`{}` is there already; choose another name or folder", .0.display())]
    Exists(PathBuf),
    /// The folder is no project.
    #[error("`{}` is no plugin project: it has neither `giftcard.json` nor `Cargo.toml`; `giftcard plugin new NAME` begins one", .0.display())]
    NoProject(PathBuf),
    /// The project's manifest, or a file that pins its tools, is wrong.
    #[error("`{}`: {problem}", .path.display())]
    Manifest {
        /// The file.
        path: PathBuf,
        /// What was wrong, and what would be right.
        problem: String,
    },
    /// A tool is missing.
    #[error("{tool} is missing; install it with `{install}`")]
    Tool {
        /// What is missing.
        tool: &'static str,
        /// The command that installs it.
        install: &'static str,
    },
    /// A compiler or an installer says no; it has told why.
    #[error("`{0}` did not work; what it printed says why")]
    Compiler(String),
    /// What was compiled is no plugin.
    #[error("what was built is no component: {0}")]
    Component(String),
    /// A file cannot be read or written.
    #[error("`{}`: {}", .path.display(), without_number(&source.to_string()))]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

impl AuthoringError {
    /// Stable kebab-case code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Name(_) => "plugin-name",
            Self::Exists(_) => "already-there",
            Self::NoProject(_) => "no-project",
            Self::Manifest { .. } => "manifest",
            Self::Tool { .. } => "tool-missing",
            Self::Compiler(_) => "not-compiled",
            Self::Component(_) => "no-component",
            Self::File { .. } => "file",
        }
    }
}

/// An error of a file.
fn of_file(path: &std::path::Path) -> impl FnOnce(std::io::Error) -> AuthoringError {
    let path = path.to_path_buf();
    move |source| AuthoringError::File { path, source }
}
