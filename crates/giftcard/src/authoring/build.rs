//! Drives the tools of a project's language and makes a component of what they leave, with the limits that the project asks
//! for in it. Must not know what is in a project's sources, nor load the component: the host checks it.

mod node;
mod python;
mod rust;

use std::io::Write;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{fs, io};

use giftcard_host::Limits;

use super::manifest::Manifest;
use super::{AuthoringError, Language, of_file};

/// The folder of the contract in a project, and the world that a condition fits.
const CONTRACT: (&str, &str) = ("wit/0.1", "condition-plugin");

/// A component that was built.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Built {
    /// Its file, in the project's folder.
    pub path: PathBuf,
}

/// What the tools of a language made.
struct Made {
    name: String,
    component: Vec<u8>,
}

/// Builds the project in `folder`. What its language's tools say goes to standard error. Tools that the project itself pins
/// are installed into its folder first where they are missing; `offline` keeps everything from looking for anything on the
/// network.
///
/// # Errors
/// [`AuthoringError`]
pub fn build(folder: &Path, offline: bool) -> Result<Built, AuthoringError> {
    let manifest = Manifest::read(folder)?;
    let made = match manifest.language {
        Language::Rust => rust::component(folder, offline)?,
        Language::JavaScript | Language::TypeScript => node::component(folder, &manifest, offline)?,
        Language::Python => python::component(folder, &manifest, offline)?,
    };
    let component = manifest.limits.beyond(&Limits::default()).write_into(&made.component);
    let path = folder.join(format!("{}.wasm", made.name));
    fs::write(&path, component).map_err(of_file(&path))?;
    Ok(Built { path })
}

/// Where a language's tools write the component before it becomes the project's: nothing half made has the project's name.
struct Draft(PathBuf);

impl Draft {
    fn of(folder: &Path) -> Self {
        Self(folder.join(".component.tmp"))
    }

    fn read(&self) -> Result<Vec<u8>, AuthoringError> {
        fs::read(&self.0).map_err(of_file(&self.0))
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        // It may never have been written.
        let _ = fs::remove_file(&self.0);
    }
}

/// Runs a tool that takes long or has much to say: all of it goes to standard error as it comes.
fn run_shown(command: &mut Command, name: &str, missing: AuthoringError) -> Result<(), AuthoringError> {
    let to_stderr = io::stderr().as_fd().try_clone_to_owned().map_or_else(|_| Stdio::null(), Stdio::from);
    let status = command.stdin(Stdio::null()).stdout(to_stderr).stderr(Stdio::inherit()).status();
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(_) => Err(AuthoringError::Compiler(name.to_string())),
        Err(_) => Err(missing),
    }
}

/// Runs a tool whose words matter only where it fails.
fn run(command: &mut Command, name: &str, missing: AuthoringError) -> Result<(), AuthoringError> {
    // Where a tool failed inside itself is nothing to its author.
    let output = command.env("RUST_BACKTRACE", "0").stdin(Stdio::null()).output().map_err(|_| missing)?;
    if output.status.success() {
        return Ok(());
    }
    let mut stderr = io::stderr().lock();
    for said in [&output.stdout, &output.stderr] {
        // Where nobody can be told, the error still says which tool it was.
        let _ = stderr.write_all(said);
    }
    Err(AuthoringError::Compiler(name.to_string()))
}

/// Whether a program can be started at all.
fn starts(program: &str) -> bool {
    let mut command = Command::new(program);
    let quiet = command.arg("--version").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    quiet.status().is_ok_and(|status| status.success())
}
