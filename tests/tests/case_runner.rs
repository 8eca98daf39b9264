//! The runner of the cases itself: what it must not let pass, and what it must not write.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::path::PathBuf;
use std::sync::LazyLock;

use giftcard::Till;
use giftcard_host::Rulebook;
use giftcard_tests::cases::{Report, failures, find, run};
use giftcard_tests::harness::{STANDARD, host, rules};
use serde_json::{Value, json};
use tempfile::TempDir;

static TILL: LazyLock<Till> = LazyLock::new(|| Till::new(Rulebook::new(rules(&host(), STANDARD[0]))));

fn example() -> Value {
    json!({
        "about": "35.00 with 15.00: 20.00 are due.",
        "source": "DESIGN: rule 2",
        "now": "2026-06-01T12:00:00Z",
        "steps": [{
            "quote": {
                "order": {"currency": "USD", "total": "35.00"},
                "cards": [{"id": "A", "code": "X", "balance": "15.00"}, {"id": "B", "code": "x", "balance": "15.00"}],
            },
            "claims": {"due": "20.00", "applied": {"A": "15.00"}, "outcome": {"B": "repeated"}, "code": {"A": null}},
        }],
    })
}

/// A folder with one case.
struct Folder(TempDir);

impl Folder {
    fn with(text: &str) -> Self {
        let folder = Self(TempDir::new().unwrap());
        fs::write(folder.file(), text).unwrap();
        folder
    }

    fn blessed() -> Self {
        let folder = Self::with(&example().to_string());
        assert!(failures(&folder.run(true)).is_none());
        folder
    }

    fn file(&self) -> PathBuf {
        self.0.path().join("a-case.json")
    }

    fn text(&self) -> String {
        fs::read_to_string(self.file()).unwrap()
    }

    fn replace(&self, from: &str, to: &str) {
        let text = self.text();
        assert!(text.contains(from), "{text}");
        fs::write(self.file(), text.replacen(from, to, 1)).unwrap();
    }

    fn run(&self, bless: bool) -> Report {
        run(&TILL, &find(self.0.path()).unwrap(), bless)
    }

    fn fails_with(&self, bless: bool, problem: &str) {
        let failures = failures(&self.run(bless)).unwrap_or_else(|| panic!("passes, without: {problem}"));
        assert!(failures.contains(problem), "{failures}\n\nnot there: {problem}");
    }
}

#[test]
fn a_blessed_case_passes_and_is_left_as_it_is() {
    let folder = Folder::blessed();
    let text = folder.text();
    assert!(failures(&folder.run(false)).is_none());
    assert!(folder.run(true).blessed.is_empty());
    assert_eq!(folder.text(), text);
    let keys = ["\"about\"", "\"steps\"", "\"quote\"", "\"claims\"", "\"decision\""];
    let places: Vec<usize> = keys.iter().map(|key| text.find(key).unwrap()).collect();
    assert!(places.is_sorted(), "{text}");
    for gone in ["fuel", "digest", "engine"] {
        assert!(!text.contains(gone), "{gone} changes with every build");
    }
}

#[test]
fn a_decision_that_is_another_is_shown_by_line_and_can_be_blessed() {
    let folder = Folder::blessed();
    let text = folder.text();
    folder.replace("\"payment_required\": true", "\"payment_required\": false");
    folder.fails_with(false, "-  \"payment_required\": false,\n    +  \"payment_required\": true,");
    assert_eq!(folder.run(true).blessed, [folder.file()]);
    assert_eq!(folder.text(), text);
}

#[test]
fn a_claim_that_does_not_hold_fails_and_blessing_writes_nothing() {
    for (from, to, problem) in [
        (r#""due": "20.00""#, r#""due": "20.01""#, r#"claim `due`: is "20.00", not "20.01""#),
        (r#""A": "15.00""#, r#""A": "15""#, r#"claim `applied`: `A` is "15.00", not "15""#),
        (r#""A": "15.00""#, r#""C": "15.00""#, "claim `applied`: `C` is not there"),
        (r#""A": null"#, r#""A": "card-closed""#, r#"claim `code`: `A` is null, not "card-closed""#),
        (r#""due": "20.00""#, r#""still_due": "20.00""#, "claim `still_due`: is no claim about a quote"),
        (r#""due": "20.00""#, r#""error": "inconsistent""#, "claim `error`: there is a decision and no error"),
    ] {
        let folder = Folder::with(&example().to_string().replace("\":", "\": ").replacen(from, to, 1));
        let text = folder.text();
        assert!(text.contains(to), "{text}");
        folder.fails_with(true, problem);
        folder.fails_with(false, problem);
        assert_eq!(folder.text(), text);
    }
}

#[test]
fn an_empty_claim_claims_nothing() {
    let mut case = example();
    case["steps"][0]["claims"]["applied"] = json!({});
    Folder::with(&case.to_string()).fails_with(true, "claim `applied`: is an object by id, with at least one");
    case["steps"][0]["claims"] = json!({});
    Folder::with(&case.to_string()).fails_with(true, "claims nothing");
    case["steps"] = json!([]);
    Folder::with(&case.to_string()).fails_with(true, "claims nothing");
}

#[test]
fn a_refused_document_has_its_code_and_path() {
    let mut case = example();
    case["steps"][0]["quote"]["order"]["total"] = json!(35.0);
    let folder = Folder::with(&case.to_string());
    folder.fails_with(true, "claim `due`: there is no decision: {\"code\":\"wrong-type\"");
    case["steps"][0]["claims"] = json!({"error": "wrong-type", "path": "order.total"});
    let folder = Folder::with(&case.to_string());
    assert!(failures(&folder.run(true)).is_none());
    assert!(failures(&folder.run(false)).is_none());
    let written: Value = serde_json::from_str(&folder.text()).unwrap();
    assert_eq!(written["steps"][0]["error"], json!({"code": "wrong-type", "path": "order.total"}));
    folder.replace("\"total\": 35.0", "\"total\": \"35.00\"");
    folder.fails_with(false, "is decided, and was refused before");
}

#[test]
fn a_file_that_is_no_case_fails() {
    for (pointer, value, problem) in [
        ("/aboot", json!("x"), "unknown field `aboot`"),
        ("/about", json!(" "), "must say something"),
        ("/source", json!(""), "must say something"),
        ("/now", json!("today"), "`now`: `today` is not an instant"),
        ("/steps/0/claim", json!({}), "unknown field `claim`"),
        ("/steps/0/refund", json!({}), "asks either for a `quote` or for a `refund`"),
        ("/steps/0/quote", Value::Null, "asks either for a `quote` or for a `refund`"),
    ] {
        let mut case = example();
        let (parent, name) = pointer.rsplit_once('/').unwrap();
        case.pointer_mut(parent).unwrap()[name] = value;
        Folder::with(&case.to_string()).fails_with(true, problem);
    }
    Folder::with("").fails_with(true, "EOF");
    let twice = example().to_string().replacen("{\"due\":\"20.00\"", "{\"due\":\"0.00\",\"due\":\"20.00\"", 1);
    Folder::with(&twice).fails_with(true, "has a key twice");
}

#[test]
fn a_case_that_was_never_blessed_or_is_not_formatted_fails() {
    let folder = Folder::with(&example().to_string());
    folder.fails_with(false, "has neither a `decision` nor an `error` yet");
    folder.fails_with(false, "is not formatted");
    let folder = Folder::blessed();
    folder.replace("  \"about\"", " \"about\"");
    folder.fails_with(false, "is not formatted");
}

#[test]
fn every_failing_case_is_listed() {
    let folder = Folder::blessed();
    folder.replace("\"total\": \"35.00\"", "\"total\": \"36.00\"");
    fs::copy(folder.file(), folder.0.path().join("b-case.json")).unwrap();
    fs::write(folder.0.path().join("c-case.json"), "{}").unwrap();
    let report = folder.run(false);
    assert_eq!(report.failed.len(), 3);
    for name in ["a-case.json", "b-case.json", "c-case.json", "3 cases failed"] {
        folder.fails_with(false, name);
    }
}

#[test]
fn a_folder_without_cases_or_with_something_else_fails() {
    let folder = Folder::blessed();
    let inner = folder.0.path().join("inner");
    fs::create_dir(&inner).unwrap();
    assert!(find(folder.0.path()).unwrap_err().contains("there is no case in this folder"));
    fs::write(inner.join("a.jsn"), "{}").unwrap();
    assert!(find(folder.0.path()).unwrap_err().contains("is no case"));
    fs::rename(inner.join("a.jsn"), inner.join("a.json")).unwrap();
    assert_eq!(find(folder.0.path()).unwrap().len(), 2);
    assert!(find(&inner.join("none")).is_err());
}
