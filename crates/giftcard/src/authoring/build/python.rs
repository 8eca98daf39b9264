//! Python: what the project pins is installed by `pip` into an environment of the project's own, and `componentize-py` makes a
//! component with CPython inside. Must not know what is in a project's sources.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{CONTRACT, Draft, Made, run, run_shown, starts};
use crate::authoring::manifest::Manifest;
use crate::authoring::{AuthoringError, of_file};

const ENVIRONMENT: &str = ".venv";
const REQUIREMENTS: &str = "requirements.txt";

/// What an editor needs of the contract; `componentize-py` makes its own.
const BINDINGS: &str = "bindings";

const PYTHON: AuthoringError = AuthoringError::Tool {
    tool: "Python 3.10 or newer (`python3`)",
    install: if cfg!(target_os = "macos") {
        "brew install python3"
    } else {
        "sudo apt-get install python3 python3-venv"
    },
};

const PACKAGES: AuthoringError = AuthoringError::Tool {
    tool: "what `requirements.txt` names",
    install: "python3 -m venv .venv && .venv/bin/pip install --requirement requirements.txt",
};

pub(super) fn component(folder: &Path, manifest: &Manifest, offline: bool) -> Result<Made, AuthoringError> {
    let name = manifest.name()?;
    if !is_installed(folder)? {
        if offline {
            return Err(PACKAGES);
        }
        install(folder)?;
    }
    let (draft, (contract, world)) = (Draft::of(folder), CONTRACT);
    let tool = || {
        let mut command = Command::new(Path::new(ENVIRONMENT).join("bin/componentize-py"));
        command.current_dir(folder).env("VIRTUAL_ENV", ENVIRONMENT);
        command.args(["--quiet", "--wit-path", contract, "--world", world]);
        command
    };
    if !folder.join(BINDINGS).is_dir() {
        run(tool().args(["bindings", BINDINGS]), "componentize-py bindings", PACKAGES)?;
    }
    let mut componentize = tool();
    componentize.args(["componentize", "--stub-wasi", "--python-path", "src", "--python-path", "sdk"]);
    componentize.args(["--output", ".component.tmp", "plugin"]);
    run(&mut componentize, "componentize-py componentize plugin", PACKAGES)?;
    Ok(Made { name, component: draft.read()? })
}

fn install(folder: &Path) -> Result<(), AuthoringError> {
    if !starts("python3") {
        return Err(PYTHON);
    }
    if !folder.join(ENVIRONMENT).join("bin/pip").is_file() {
        let mut venv = Command::new("python3");
        // Debian has the module `venv` in a package of its own.
        venv.current_dir(folder).args(["-m", "venv", ENVIRONMENT]);
        run(&mut venv, "python3 -m venv", PYTHON).map_err(|_| PYTHON)?;
    }
    let mut pip = Command::new(Path::new(ENVIRONMENT).join("bin/pip"));
    pip.current_dir(folder).args(["install", "--disable-pip-version-check", "--requirement", REQUIREMENTS]);
    run_shown(&mut pip, "pip install --requirement requirements.txt", PYTHON)
}

/// Whether every package that the requirements pin is there in that version.
fn is_installed(folder: &Path) -> Result<bool, AuthoringError> {
    let path = folder.join(REQUIREMENTS);
    let text = fs::read_to_string(&path).map_err(of_file(&path))?;
    let wanted = text.lines().map(|line| line.split(['#', ';']).next().unwrap_or_default().trim());
    let pinned = wanted.filter_map(|line| line.split_once("=="));
    let folders = packages(folder);
    let is_there = |(name, version): (&str, &str)| {
        // As the folder of an installed package is called.
        let name = name.trim().to_ascii_lowercase().replace(['-', '.'], "_");
        let name = format!("{name}-{}.dist-info", version.trim());
        folders.iter().any(|folder| folder.join(&name).is_dir())
    };
    Ok(!folders.is_empty() && pinned.into_iter().all(is_there))
}

/// The folders of installed packages: one, named after the version of Python.
fn packages(folder: &Path) -> Vec<PathBuf> {
    let versions = fs::read_dir(folder.join(ENVIRONMENT).join("lib")).into_iter().flatten().flatten();
    versions.map(|version| version.path().join("site-packages")).filter(|packages| packages.is_dir()).collect()
}
