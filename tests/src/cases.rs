//! Where the project's own cases are, and how they are run here. Must not know what is right: the files say it.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use giftcard::Till;
use giftcard::fixtures::{self, Running};

pub use giftcard::fixtures::{Answered, Case, Question, Report, Step, find};

/// What writes their decisions anew.
const BLESS_BY: &str = "cargo xtask bless";

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
        fixtures::run(till, path, Running { bless, bless_by: BLESS_BY, whole: true }, &mut report);
    }
    report
}

/// Every failure, for people; `None` if there is none.
#[must_use]
pub fn failures(report: &Report) -> Option<String> {
    if report.failed.is_empty() {
        return None;
    }
    let mut text = format!("{} cases failed:\n", report.failed.len());
    for (path, problems) in &report.failed {
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
