//! Checks beside the tests: formatting, lints, the table of dependency boundaries, licences and sources of dependencies,
//! no binaries in git, nothing changed that was released. Must not repeat what the tests check.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::{cargo, cargo_path, metadata, releases, root, run_command};

/// Runs every check, and stops at the first that fails.
pub(crate) fn run_all() -> Result<()> {
    step("formatting", || cargo(["fmt", "--all", "--check"]))?;
    step("lints", || cargo(["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]))?;
    step("documentation", documentation)?;
    // What follows reads about every platform, and a build has brought only what this one needs.
    step("packages of the lock file", || cargo(["fetch", "--locked"]))?;
    step("lock files of the workspaces beside", locks)?;
    step("dependency boundaries", boundaries)?;
    step("no binaries in git", no_binaries)?;
    step("released versions of the contract", releases::check)?;
    step("no draft of the contract in the product", no_draft)?;
    step("licences and sources of dependencies", deny)
}

fn step(name: &str, check: impl FnOnce() -> Result<()>) -> Result<()> {
    println!("check: {name}");
    check().with_context(|| format!("the check of {name} failed"))
}

/// As far as git looks for a zero.
const BEGINNING_BYTES: u64 = 8_000;

/// Workspaces of their own, which the tests do not build. Their lock files name what the product depends on, too.
const BESIDE: [&str; 3] = ["fuzz", "peers", "peers/extism-decision"];

fn locks() -> Result<()> {
    for workspace in BESIDE {
        let manifest = format!("{workspace}/Cargo.toml");
        cargo(["update", "--quiet", "--workspace", "--locked", "--manifest-path", &manifest]).with_context(|| {
            format!("run `cargo update --workspace --manifest-path {manifest}` and commit the lock file")
        })?;
    }
    Ok(())
}

fn documentation() -> Result<()> {
    run_command(
        Command::new(cargo_path())
            .args(["doc", "--quiet", "--no-deps", "--package", "giftcard-engine", "--package", "giftcard-host"])
            .args(["--package", "giftcard-plugin", "--package", "giftcard-ledger", "--package", "giftcard"])
            .env("RUSTDOCFLAGS", "-D warnings"),
    )
}

/// What a package may depend on directly: of ours, and of the crates that carry a concern with them. Everything else is
/// free. The table stands in ARCHITECTURE.md.
struct Boundary {
    package: &'static str,
    ours: &'static [&'static str],
    heavy: &'static [&'static str],
}

const BOUNDARIES: &[Boundary] = &[
    Boundary { package: "giftcard-engine", ours: &[], heavy: &[] },
    Boundary { package: "giftcard-plugin", ours: &[], heavy: &["wit-bindgen"] },
    Boundary { package: "giftcard-host", ours: &["giftcard-engine"], heavy: &["wasmtime", "cap-std"] },
    Boundary {
        package: "giftcard-ledger",
        ours: &["giftcard-engine"],
        heavy: &["rusqlite", "tokio-postgres", "deadpool-postgres", "tokio", "serde", "serde_json"],
    },
    Boundary {
        package: "giftcard",
        ours: &["giftcard-engine", "giftcard-host", "giftcard-ledger"],
        heavy: &["clap", "serde", "serde_json", "anyhow"],
    },
    Boundary { package: "gift-card", ours: &["giftcard-engine", "giftcard-plugin"], heavy: &["wit-bindgen"] },
    Boundary { package: "cart-contents", ours: &["giftcard-plugin"], heavy: &[] },
    Boundary { package: "customer-segment", ours: &["giftcard-plugin"], heavy: &[] },
    Boundary { package: "expression", ours: &["giftcard-plugin"], heavy: &[] },
    Boundary { package: "ship-to", ours: &["giftcard-plugin"], heavy: &[] },
    Boundary { package: "spending-cap", ours: &["giftcard-plugin"], heavy: &[] },
    Boundary { package: "time-window", ours: &["giftcard-plugin"], heavy: &[] },
    Boundary { package: "xtask", ours: &[], heavy: &["clap", "serde_json", "anyhow"] },
];

/// Crates that carry a concern with them: formats, command lines, WebAssembly, databases, HTTP, async.
const HEAVY: &[&str] = &[
    "anyhow",
    "axum",
    "cap-std",
    "clap",
    "deadpool-postgres",
    "hyper",
    "reqwest",
    "rusqlite",
    "serde",
    "serde_json",
    "tokio",
    "tokio-postgres",
    "wasmtime",
    "wit-bindgen",
];

/// Packages of the tests, which may see everything.
const UNBOUND: &[&str] = &["giftcard-tests"];

fn boundaries() -> Result<()> {
    let members = workspace_members()?;
    let mut broken = Vec::new();
    for member in &members {
        let Some(boundary) = BOUNDARIES.iter().find(|boundary| boundary.package == member.name) else {
            if !UNBOUND.contains(&member.name.as_str()) && !member.manifest.contains("/tests/guests/") {
                broken.push(format!("{} has no row in the table of boundaries", member.name));
            }
            continue;
        };
        for dependency in direct_dependencies(&member.name)? {
            let ours = members.iter().any(|member| member.name == dependency);
            let allowed = match ours {
                true => boundary.ours.contains(&dependency.as_str()),
                false => !HEAVY.contains(&dependency.as_str()) || boundary.heavy.contains(&dependency.as_str()),
            };
            if !allowed {
                broken.push(format!("{} must not depend on {dependency}", member.name));
            }
        }
    }
    for boundary in BOUNDARIES {
        if !members.iter().any(|member| member.name == boundary.package) {
            broken.push(format!("the table of boundaries names {}, which is no package", boundary.package));
        }
    }
    if broken.is_empty() { Ok(()) } else { bail!("{}", broken.join("\n")) }
}

struct Member {
    name: String,
    manifest: String,
}

fn workspace_members() -> Result<Vec<Member>> {
    let metadata = metadata()?;
    let packages = metadata["packages"].as_array().context("`cargo metadata` names no packages")?;
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_string();
    Ok(packages
        .iter()
        .map(|package| Member { name: text(&package["name"]), manifest: text(&package["manifest_path"]) })
        .collect())
}

/// Direct edges, without those of tests and of build scripts.
fn direct_dependencies(package: &str) -> Result<BTreeSet<String>> {
    let output = Command::new(cargo_path())
        .args(["tree", "--package", package, "--edges", "normal", "--depth", "1", "--prefix", "none", "--offline"])
        .args(["--format", "{p}", "--target", "all"])
        .current_dir(root())
        .output()
        .context("`cargo tree` could not be started")?;
    if !output.status.success() {
        bail!("`cargo tree` failed: {}", String::from_utf8_lossy(&output.stderr));
    }
    let lines = String::from_utf8(output.stdout).context("`cargo tree` is no text")?;
    let names = lines.lines().skip(1).filter_map(|line| line.split(' ').next());
    Ok(names.filter(|name| !name.is_empty()).map(str::to_string).collect())
}

/// Components, databases and the like are made, never kept, apart from the museum of released components.
fn no_binaries() -> Result<()> {
    let output = Command::new("git")
        .args(["ls-files", "-z"])
        .current_dir(root())
        .output()
        .context("`git` could not be started")?;
    let files = String::from_utf8_lossy(&output.stdout).into_owned();
    let is_one = |file: &&str| !is_exhibit(file) && (is_called_binary(file) || is_binary(&root().join(file)));
    let found: Vec<&str> = files.split('\0').filter(|file| !file.is_empty()).filter(is_one).collect();
    if found.is_empty() { Ok(()) } else { bail!("generated binaries in git: {}", found.join(", ")) }
}

fn is_called_binary(file: &str) -> bool {
    [".wasm", ".cwasm", ".so", ".a", ".o", ".rlib"].iter().any(|ending| file.ends_with(ending))
}

/// Whether there is a zero near the beginning, by which git knows binary files. One that is not there is none.
fn is_binary(file: &Path) -> bool {
    let mut beginning = Vec::new();
    let read = File::open(file).and_then(|file| file.take(BEGINNING_BYTES).read_to_end(&mut beginning));
    read.is_ok() && beginning.contains(&0)
}

/// A component in a folder of the museum.
fn is_exhibit(file: &str) -> bool {
    let exhibit = file.strip_prefix(releases::MUSEUM).and_then(|rest| rest.strip_prefix('/'));
    exhibit.is_some_and(|rest| rest.matches('/').count() == 1 && rest.ends_with(".wasm"))
}

/// The tests compile the host with the draft of the next contract; what people are given is compiled without.
fn no_draft() -> Result<()> {
    let output = Command::new(cargo_path())
        .args(["tree", "--package", "giftcard", "--edges", "normal,features", "--prefix", "none", "--offline"])
        .current_dir(root())
        .output()
        .context("`cargo tree` could not be started")?;
    if !output.status.success() {
        bail!("`cargo tree` failed: {}", String::from_utf8_lossy(&output.stderr));
    }
    let tree = String::from_utf8_lossy(&output.stdout).into_owned();
    if !tree.contains("giftcard-host") {
        bail!("`cargo tree` does not name giftcard-host, so nothing was checked");
    }
    match tree.lines().find(|line| line.contains("contract-") && line.contains("-draft")) {
        Some(line) => bail!("`giftcard` is compiled with a draft: {line}"),
        None => Ok(()),
    }
}

/// Licences, sources and duplicate bans need nothing but the lock file; advisories would need a database from outside.
fn deny() -> Result<()> {
    let installed = Command::new(cargo_path())
        .args(["deny", "--version"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success());
    if !installed {
        println!("check: installing cargo-deny");
        cargo(["install", "--quiet", "--locked", "cargo-deny"])?;
    }
    cargo(["deny", "--offline", "--log-level", "warn", "check", "licenses", "sources", "bans"])
}

#[cfg(test)]
mod tests {
    use super::{is_binary, is_called_binary, is_exhibit};
    use crate::root;

    #[test]
    fn binaries_are_exhibits_of_the_museum_or_refused() {
        for file in
            ["plugins/expression.wasm", "tests/museum/a.wasm", "tests/museum/0.1/a.so", "tests/museum/0.1/b/a.wasm"]
        {
            assert!(is_called_binary(file) && !is_exhibit(file), "{file}");
        }
        assert!(is_exhibit("tests/museum/0.1/gift-card.wasm"));
        assert!(!is_called_binary("tests/museum/0.1/gift-card.jsonl"));
    }

    #[test]
    fn binaries_are_known_by_what_is_in_them_too() {
        let program = std::env::current_exe().unwrap();
        assert!(is_binary(&program));
        assert!(!is_binary(&root().join("Cargo.lock")) && !is_binary(&root().join("not-there")));
    }
}
