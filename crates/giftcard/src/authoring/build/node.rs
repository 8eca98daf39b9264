//! JavaScript and TypeScript: what the project pins is installed by `npm`, `tsc` checks types and takes them out, and
//! `componentize-qjs` makes a component with QuickJS inside. Must not know what is in a project's sources.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::{CONTRACT, Draft, Made, run, run_shown, starts};
use crate::authoring::manifest::Manifest;
use crate::authoring::{AuthoringError, Language};

const LOCK: &str = "package-lock.json";

const NODE: AuthoringError = AuthoringError::Tool {
    tool: "Node.js 20 or newer (`node`, `npm`)",
    install: if cfg!(target_os = "macos") { "brew install node" } else { "sudo apt-get install nodejs npm" },
};

const PACKAGES: AuthoringError =
    AuthoringError::Tool { tool: "what `package-lock.json` names", install: "npm install" };

pub(super) fn component(folder: &Path, manifest: &Manifest, offline: bool) -> Result<Made, AuthoringError> {
    let name = manifest.name()?;
    if !starts("node") {
        return Err(NODE);
    }
    if !is_installed(folder)? {
        if offline {
            return Err(PACKAGES);
        }
        let mut npm = Command::new("npm");
        // Not `npm ci`: it refuses a lock file without the packages of every machine, and some of the tool's were never
        // published. The lock file holds all the same, with its checksums.
        npm.current_dir(folder).args(["install", "--ignore-scripts", "--no-audit", "--no-fund"]);
        run_shown(&mut npm, "npm install", NODE)?;
    }
    let tool = |name: &str| {
        let mut command = Command::new(Path::new("node_modules/.bin").join(name));
        command.current_dir(folder);
        command
    };
    let source = match manifest.language {
        Language::TypeScript => {
            run(tool("tsc").args(["--project", "."]), "tsc --project .", PACKAGES)?;
            "build/src/plugin.js"
        }
        _ => "src/plugin.js",
    };
    let (draft, (contract, world)) = (Draft::of(folder), CONTRACT);
    let mut componentize = tool("componentize-qjs");
    componentize.args(["--sync", "--stub-wasi", "--wit", contract, "--world", world, "--js", source]);
    componentize.args(["--module-root", ".", "--output", ".component.tmp"]);
    run(&mut componentize, &format!("componentize-qjs --js {source}"), PACKAGES)?;
    Ok(Made { name, component: draft.read()? })
}

/// Whether every package that the lock file names is there in that version. Those for other machines are left out.
fn is_installed(folder: &Path) -> Result<bool, AuthoringError> {
    let json = |path: &Path| -> Option<Value> { serde_json::from_str(&fs::read_to_string(path).ok()?).ok() };
    let path = folder.join(LOCK);
    let lock = json(&path).ok_or_else(|| AuthoringError::Manifest {
        path: path.clone(),
        problem: "is missing or no JSON; `npm install` makes it of `package.json`".to_string(),
    })?;
    let packages = lock["packages"].as_object().into_iter().flatten();
    let mut wanted = packages.filter(|(place, package)| !place.is_empty() && package["optional"] != true);
    let is_there = |(place, package): (&String, &Value)| {
        json(&folder.join(place).join("package.json")).is_some_and(|found| found["version"] == package["version"])
    };
    Ok(wanted.all(is_there))
}
