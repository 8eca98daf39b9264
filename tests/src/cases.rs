//! Cases: an order in, a decision out, one file a case. Finds them, runs them and writes their decisions anew when asked
//! to. Must not know what is right: the files say it.
//!
//! ```json
//! {
//!   "about": "What the case claims, in a sentence.",
//!   "source": "DESIGN: rule 2",
//!   "now": "2026-06-01T12:00:00Z",
//!   "note": "May be left out.",
//!   "decided": "Where systems differ: which way was chosen, and what others do.",
//!   "steps": [
//!     { "quote": { "order": {}, "cards": [] }, "claims": { "due": "0.00", "applied": { "A": "15.00" } }, "decision": {} },
//!     { "refund": {}, "claims": { "error": "refund-above-refundable" }, "error": { "code": "", "path": "" } }
//!   ]
//! }
//! ```
//!
//! `claims` are written by hand and never rewritten: what the source says, a part of the answer. `decision` is the
//! complete answer with its explanation, and `error` the refusal of a document: both are written by
//! `cargo xtask bless`, without what changes with every build.

mod claims;
mod file;
mod run;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use giftcard::Till;
use serde_json::Value;

pub use file::{Case, Question, Step};

/// The project's folder.
#[must_use]
pub fn project() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The folder of the cases of the rules.
#[must_use]
pub fn rules_folder() -> PathBuf {
    project().join("tests/cases")
}

/// The folder of the cases of a condition plugin.
#[must_use]
pub fn fixtures_folder(plugin: &str) -> PathBuf {
    project().join("plugins").join(plugin).join("fixtures")
}

/// The case files of a folder and those below it, sorted.
///
/// # Errors
/// Where a folder cannot be read, has no case in it or below, or has a file that is no case.
pub fn find(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let unreadable = |error: std::io::Error| format!("{}: {error}", folder.display());
    let mut entries: Vec<PathBuf> = Vec::new();
    for entry in folder.read_dir().map_err(unreadable)? {
        entries.push(entry.map_err(unreadable)?.path());
    }
    entries.sort();
    let mut files = Vec::new();
    for path in entries {
        let ending = path.extension().and_then(|ending| ending.to_str());
        match ending {
            _ if path.is_dir() => files.extend(find(&path)?),
            Some("json") => files.push(path),
            Some("md") => {}
            _ => return Err(format!("{}: is no case; cases end in `.json`", path.display())),
        }
    }
    if files.is_empty() {
        return Err(format!("{}: there is no case in this folder", folder.display()));
    }
    Ok(files)
}

/// What became of many cases.
#[derive(Debug, Default)]
pub struct Report {
    /// Every question and its answer, of every case that could be read.
    pub answered: Vec<Answered>,
    /// Cases that failed, each with everything that is wrong with it.
    pub failed: Vec<(PathBuf, Vec<String>)>,
    /// Cases that were written anew.
    pub blessed: Vec<PathBuf>,
}

/// A question and its answer.
#[derive(Debug)]
pub struct Answered {
    /// The case.
    pub case: PathBuf,
    /// What was asked.
    pub question: Question,
    /// The decision, or the error.
    pub answer: Result<Value, Value>,
}

/// Whether decisions are written instead of compared: `GIFTCARD_BLESS=1`.
#[must_use]
pub fn blessing() -> bool {
    std::env::var_os("GIFTCARD_BLESS").is_some_and(|value| value == "1")
}

/// Runs the case files. With `bless` their decisions are written anew.
#[must_use]
pub fn run(till: &Till, files: &[PathBuf], bless: bool) -> Report {
    let mut report = Report::default();
    for path in files {
        match Case::read(path) {
            Ok(case) => run::run_case(till, case, bless, &mut report),
            Err(problem) => report.failed.push((path.clone(), vec![problem])),
        }
    }
    report
}

impl Report {
    /// Every failure, for people; `None` if there is none.
    #[must_use]
    pub fn failures(&self) -> Option<String> {
        if self.failed.is_empty() {
            return None;
        }
        let mut text = format!("{} cases failed:\n", self.failed.len());
        for (path, problems) in &self.failed {
            let shown = path.strip_prefix(project()).unwrap_or(path);
            let _ = write!(text, "\n{}\n", shown.display());
            for problem in problems {
                for line in problem.lines() {
                    let _ = writeln!(text, "    {line}");
                }
            }
        }
        text.push_str("\nWhere the new decision is right: `cargo xtask bless`, then read `git diff`.\n");
        Some(text)
    }
}
