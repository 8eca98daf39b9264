//! Releases of the contract: what one freezes, and whether everything frozen is as it was released. Knows folders and
//! digests; must not know what a component answers, which is for the tests of the museum.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use wit_component::DecodedWasm;

use crate::root;

/// The list of frozen files, as `sha256sum` writes and reads it.
const RELEASED: &str = "wit/RELEASED";

/// Where released components are kept.
pub(crate) const MUSEUM: &str = "tests/museum";

/// How the records of an exhibit end: one case a line.
const RECORDS: &str = "jsonl";

/// What the name of a folder of the contract ends in, as long as it may change.
const DRAFT: &str = "-draft";

/// What a draft exhibits: one component of each world.
pub(crate) const OF_A_DRAFT: &[&str] = &["gift-card", "minimal-condition"];

/// Components of the tests that are exhibited too. The others are made to be refused or replaced.
const GUESTS: &[&str] = &["minimal-condition"];

/// Whether everything that was released is there and is what it was, and every folder of the contract is a version of its
/// own. So what a released version says cannot change: a newer one is another folder.
pub(crate) fn check() -> Result<()> {
    let root = root();
    let mut problems = problems(&root)?;
    problems.extend(withdrawn(&frozen(&root)?, &history(&root)?));
    if problems.is_empty() { Ok(()) } else { bail!("{}", problems.join("\n")) }
}

/// What is exhibited of a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exhibition {
    /// Everything standard; for good.
    Release,
    /// [`OF_A_DRAFT`], until the draft changes.
    Draft,
}

/// Copies the components that are exhibited out of `target/components`, with the cases they are tried with: question and
/// answer, as it was decided. Says their names.
pub(crate) fn collect(root: &Path, version: &str, exhibition: Exhibition) -> Result<Vec<String>> {
    may_be_released(root, version)?;
    let package = format!("giftcard:rules@{version}.0");
    let folder = match exhibition {
        Exhibition::Release => version.to_string(),
        Exhibition::Draft => format!("{version}.0{DRAFT}"),
    };
    let mut exhibits = Vec::new();
    for (path, cases) in candidates(root)? {
        let name = name_of(&path);
        let bytes = fs::read(&path).with_context(|| format!("`{}` cannot be read", path.display()))?;
        let shown = exhibition == Exhibition::Release || OF_A_DRAFT.contains(&name.as_str());
        if shown && speaks(&bytes, &package)? {
            exhibits.push((name, bytes, records(&cases)?));
        }
    }
    ensure!(!exhibits.is_empty(), "no component under `target/components` is built for {package}");
    let museum = root.join(MUSEUM).join(folder);
    fs::create_dir_all(&museum).with_context(|| format!("`{}` cannot be made", museum.display()))?;
    for (name, bytes, records) in &exhibits {
        for (ending, bytes) in [("wasm", bytes.as_slice()), (RECORDS, records.as_bytes())] {
            let file = museum.join(format!("{name}.{ending}"));
            fs::write(&file, bytes).with_context(|| format!("`{}` cannot be written", file.display()))?;
        }
    }
    Ok(exhibits.into_iter().map(|(name, ..)| name).collect())
}

/// Every standard component and every guest that may be exhibited, with the folder of its cases.
fn candidates(root: &Path) -> Result<Vec<(PathBuf, PathBuf)>> {
    let components = root.join("target/components");
    let mut candidates = Vec::new();
    let standard = |path: &PathBuf| path.extension().is_some_and(|ending| ending == "wasm");
    for path in files_of(&components)?.into_iter().filter(standard) {
        if path.parent() != Some(&components) {
            continue;
        }
        let cases = match name_of(&path).as_str() {
            "gift-card" => root.join("tests/cases"),
            name => root.join("plugins").join(name).join("fixtures"),
        };
        candidates.push((path, cases));
    }
    for guest in GUESTS {
        let cases = root.join("tests/guests").join(guest).join("fixtures");
        candidates.push((components.join("tests").join(format!("{guest}.wasm")), cases));
    }
    Ok(candidates)
}

/// The cases of a folder and those below it, one a line: without what is the host's to word, and without what explains.
fn records(folder: &Path) -> Result<String> {
    let mut records = String::new();
    for path in files_of(folder)? {
        let text = fs::read_to_string(&path).with_context(|| format!("`{}` cannot be read", path.display()))?;
        let case: Value = serde_json::from_str(&text).with_context(|| format!("`{}` is no JSON", path.display()))?;
        let mut record = json!({ "about": case["about"], "now": case["now"], "steps": [] });
        for step in case["steps"].as_array().into_iter().flatten() {
            let mut step = step.clone();
            ensure!(
                step.get("decision").is_some() || step.get("error").is_some(),
                "`{}` has neither `decision` nor `error`; run `cargo xtask bless`",
                path.display()
            );
            if let Some(step) = step.as_object_mut() {
                step.shift_remove("claims");
            }
            if let Some(decision) = step.get_mut("decision") {
                without(decision, &["rules", "steps", "message", "public_message"]);
            }
            if let Some(steps) = record["steps"].as_array_mut() {
                steps.push(step);
            }
        }
        writeln!(records, "{record}")?;
    }
    ensure!(!records.is_empty(), "`{}` has no case; a component is exhibited with some", folder.display());
    Ok(records)
}

/// Takes out these fields, wherever they stand.
fn without(value: &mut Value, fields: &[&str]) {
    match value {
        Value::Object(object) => {
            object.retain(|name, _| !fields.contains(&name.as_str()));
            object.values_mut().for_each(|value| without(value, fields));
        }
        Value::Array(values) => values.iter_mut().for_each(|value| without(value, fields)),
        _ => {}
    }
}

/// Freezes a version: adds its files, and those of its exhibition, to the list.
pub(crate) fn freeze(root: &Path, version: &str) -> Result<()> {
    may_be_released(root, version)?;
    let museum = root.join(MUSEUM).join(version);
    let exhibits = if museum.is_dir() { files_of(&museum)? } else { Vec::new() };
    for path in exhibits.iter().filter(|path| path.extension().is_some_and(|ending| ending == "wasm")) {
        let record = path.with_extension(RECORDS);
        ensure!(record.is_file(), "`{}` has no record; write `{}`", path.display(), record.display());
    }
    ensure!(!exhibits.is_empty(), "`{}` has no components; a release exhibits some", museum.display());
    let mut list = fs::read_to_string(root.join(RELEASED)).with_context(|| format!("`{RELEASED}` cannot be read"))?;
    for path in files_of(&root.join("wit").join(version))?.into_iter().chain(exhibits) {
        let name = path.strip_prefix(root)?.display().to_string();
        writeln!(list, "{}  {name}", digest(&path)?)?;
    }
    fs::write(root.join(RELEASED), list).with_context(|| format!("`{RELEASED}` cannot be written"))
}

fn may_be_released(root: &Path, version: &str) -> Result<()> {
    ensure!(
        is_version(version),
        "`{version}` is no version that can be released; write two numbers, such as 0.1, without `{DRAFT}`"
    );
    let folder = root.join("wit").join(version);
    ensure!(folder.is_dir(), "`{}` does not exist; a release freezes that folder", folder.display());
    let prefix = format!("wit/{version}/");
    let released = frozen(root)?.keys().any(|file| file.starts_with(&prefix));
    ensure!(!released, "{version} was released already; new ability is a new version");
    let problems = problems(root)?;
    ensure!(problems.is_empty(), "nothing is released while something is wrong:\n{}", problems.join("\n"));
    Ok(())
}

/// Everything that is wrong with the folders of the contract and of the museum.
fn problems(root: &Path) -> Result<Vec<String>> {
    let frozen = frozen(root)?;
    let mut problems = Vec::new();
    let mut folders = BTreeSet::new();
    for (file, released) in &frozen {
        let path = root.join(file);
        if !path.is_file() {
            problems.push(format!("`{file}` was released and is missing; it must stay as it was"));
        } else if digest(&path)? != *released {
            problems.push(format!("`{file}` was released and has changed since; new ability is a new version"));
        }
        folders.extend(file.rsplit_once('/').map(|(folder, _)| folder));
    }
    for folder in folders {
        let path = root.join(folder);
        for path in if path.is_dir() { files_of(&path)? } else { Vec::new() } {
            let file = path.strip_prefix(root)?.display().to_string();
            if !frozen.contains_key(&file) {
                problems.push(format!("`{file}` was added to a release; new ability is a new version"));
            }
        }
    }
    problems.extend(versions(root)?);
    Ok(problems)
}

/// Folders of the contract that are not a version of their own.
fn versions(root: &Path) -> Result<Vec<String>> {
    let mut problems = Vec::new();
    let mut known: BTreeMap<String, String> = BTreeMap::new();
    for entry in fs::read_dir(root.join("wit")).context("`wit` cannot be read")? {
        let entry = entry?;
        if !entry.path().is_dir() {
            continue;
        }
        let folder = entry.file_name().to_string_lossy().into_owned();
        let version = folder.strip_suffix(DRAFT).unwrap_or(&folder);
        if !is_version(version) {
            problems
                .push(format!("`wit/{folder}` is named after no version; right are names such as 0.2 and 0.2{DRAFT}"));
            continue;
        }
        if let Some(other) = known.insert(version.to_string(), folder.clone()) {
            problems.push(format!("`wit/{other}` and `wit/{folder}` are the same version"));
        }
        let package = format!("package giftcard:rules@{version}.0;");
        for path in files_of(&entry.path())? {
            let text = fs::read_to_string(&path).with_context(|| format!("`{}` cannot be read", path.display()))?;
            if !text.lines().any(|line| line == package) {
                let file = path.strip_prefix(root)?.display();
                problems.push(format!("`{file}` is of another version than its folder; right is `{package}`"));
            }
        }
    }
    Ok(problems)
}

/// Files and digests of the list.
fn frozen(root: &Path) -> Result<BTreeMap<String, String>> {
    let text = fs::read_to_string(root.join(RELEASED)).with_context(|| format!("`{RELEASED}` cannot be read"))?;
    let mut frozen = BTreeMap::new();
    for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let (file, digest) = entry(line)
            .with_context(|| format!("`{RELEASED}` has the line `{line}`; right is a SHA-256 and a file"))?;
        ensure!(frozen.insert(file.clone(), digest).is_none(), "`{RELEASED}` lists `{file}` twice");
    }
    Ok(frozen)
}

fn entry(line: &str) -> Option<(String, String)> {
    let (digest, file) = line.split_once("  ")?;
    let right = digest.len() == 64 && digest.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    right.then(|| (file.to_string(), digest.to_string()))
}

/// What the list ever had that it has no longer. `history` are its changes, as `git log --patch` writes them.
fn withdrawn(frozen: &BTreeMap<String, String>, history: &str) -> Vec<String> {
    let ever: BTreeSet<(String, String)> =
        history.lines().filter_map(|line| line.strip_prefix('+').and_then(entry)).collect();
    let gone = ever.into_iter().filter(|(file, digest)| frozen.get(file) != Some(digest));
    gone.map(|(file, digest)| {
        format!("`{RELEASED}` had `{digest}  {file}` and has it no longer; what was released stays released")
    })
    .collect()
}

fn history(root: &Path) -> Result<String> {
    let output = Command::new("git")
        .args(["log", "--format=", "--patch", "--unified=0", "--", RELEASED])
        .current_dir(root)
        .output()
        .context("`git` could not be started")?;
    ensure!(output.status.success(), "`git log` failed: {}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Whether a component exports an interface of this package.
fn speaks(bytes: &[u8], package: &str) -> Result<bool> {
    let decoded = wit_component::decode(bytes).context("it is no component")?;
    let DecodedWasm::Component(resolve, world) = &decoded else { return Ok(false) };
    let (name, version) = package.split_once('@').unwrap_or((package, ""));
    let of_package = |export: String| {
        export.strip_prefix(name).is_some_and(|rest| rest.starts_with('/') && rest.ends_with(&format!("@{version}")))
    };
    Ok(resolve.worlds[*world].exports.keys().any(|key| of_package(resolve.name_world_key(key))))
}

fn is_version(text: &str) -> bool {
    let number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.split_once('.').is_some_and(|(major, minor)| number(major) && number(minor))
}

fn digest(path: &Path) -> Result<String> {
    let bytes = fs::read(path).with_context(|| format!("`{}` cannot be read", path.display()))?;
    Ok(Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect())
}

/// The files of a folder and of those in it, sorted.
fn files_of(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| format!("`{}` cannot be read", folder.display()))? {
        let path = entry?.path();
        if path.is_dir() {
            files.extend(files_of(&path)?);
        } else {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn name_of(path: &Path) -> String {
    path.file_stem().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}

#[cfg(test)]
#[path = "releases/tests.rs"]
mod tests;
