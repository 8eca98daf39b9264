//! Fixtures: an order in, a decision out, one file a case. Finds them, runs them and writes their decisions anew when asked
//! to. Must not know what is right: the files say it.
//!
//! ```json
//! {
//!   "about": "What the case claims, in a sentence.",
//!   "source": "Where the claim comes from; may be left out.",
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
//! complete answer with its explanation, and `error` the refusal of a document: both are written when blessing, without
//! what changes with every build. Each question is asked twice, in fresh instances: the answers, and the fuel, are equal.

mod claims;
mod file;
mod run;

use std::path::{Path, PathBuf};

use serde_json::Value;

pub use file::{Case, Question, Step};

use crate::Till;

/// The case files of a folder and those below it, sorted.
///
/// # Errors
/// Where a folder cannot be read, has no case in it or below, or has a file that is no case.
pub fn find(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let unreadable = |error: std::io::Error| format!("{}: {error}", folder.display());
    let mut entries: Vec<PathBuf> = Vec::new();
    for entry in folder.read_dir().map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        // What file managers and editors leave.
        if !name.starts_with('.') && !name.ends_with('~') {
            entries.push(path);
        }
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

/// How cases are run.
#[derive(Clone, Copy, Debug)]
pub struct Running<'a> {
    /// Decisions are written anew instead of compared.
    pub bless: bool,
    /// The command that does that, for hints.
    pub bless_by: &'a str,
    /// A question without a whole decision fails, though all that is claimed of it be right; so does a file that is not
    /// formatted as blessing formats it.
    pub whole: bool,
}

/// Runs a case file and adds what became of it.
pub fn run(till: &Till, path: &Path, running: Running<'_>, report: &mut Report) {
    match Case::read(path) {
        Ok(case) => run::run_case(till, case, running, report),
        Err(problem) => report.failed.push((path.to_path_buf(), vec![problem])),
    }
}
