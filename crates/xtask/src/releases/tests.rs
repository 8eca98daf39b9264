//! What a release freezes, on a project of a few files: each way to change it is seen.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};

use super::{Exhibition, collect, freeze, frozen, problems, withdrawn};

const CONTRACT: &str = "package giftcard:rules@0.1.0;\n\ninterface condition {\n    record order { total: s64 }\n}\n\n\
                        world condition-plugin {\n    export condition;\n}\n";

const CASE: &str = r#"{
    "about": "A case.",
    "now": "2026-06-01T12:00:00Z",
    "steps": [{
        "quote": { "order": { "total": "1.00" } },
        "claims": { "due": "1.00" },
        "decision": { "due": "1.00", "cards": [{ "code": "x", "message": "Words." }], "rules": { "calls": [] } }
    }]
}"#;

/// A component that exports the condition of this contract.
fn component(contract: &str) -> Vec<u8> {
    let mut resolve = wit_parser::Resolve::default();
    let package = resolve.push_str("contract.wit", contract).unwrap();
    let world = resolve.select_world(&[package], None).unwrap();
    // Types alone need no code.
    let mut module = b"\0asm\x01\0\0\0".to_vec();
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).unwrap();
    ComponentEncoder::default().module(&module).unwrap().encode().unwrap()
}

/// A project with a draft of 0.1, one standard component, the guests and one that is built for a later version.
fn project() -> TempDir {
    let project = tempfile::tempdir().unwrap();
    let root = project.path();
    fs::create_dir_all(root.join("wit/0.1")).unwrap();
    fs::create_dir_all(root.join("target/components/tests")).unwrap();
    fs::write(root.join("wit/RELEASED"), "# nothing yet\n").unwrap();
    fs::write(root.join("wit/0.1/worlds.wit"), CONTRACT).unwrap();
    let (of_0_1, of_0_2) = (component(CONTRACT), component(&CONTRACT.replace("0.1.0", "0.2.0")));
    fs::write(root.join("target/components/standard.wasm"), &of_0_1).unwrap();
    fs::write(root.join("target/components/later.wasm"), &of_0_2).unwrap();
    for cases in ["plugins/standard", "plugins/later", "tests/guests/minimal-condition"] {
        fs::create_dir_all(root.join(cases).join("fixtures")).unwrap();
        fs::write(root.join(cases).join("fixtures/case.json"), CASE).unwrap();
    }
    for guest in super::GUESTS {
        fs::write(root.join(format!("target/components/tests/{guest}.wasm")), &of_0_1).unwrap();
    }
    project
}

/// The same after 0.1 was released.
fn released() -> TempDir {
    let project = project();
    let names = collect(project.path(), "0.1", Exhibition::Release).unwrap();
    assert_eq!(names, ["standard", "minimal-condition"], "not the later one");
    freeze(project.path(), "0.1").unwrap();
    project
}

fn museum(root: &Path) -> PathBuf {
    root.join("tests/museum/0.1")
}

#[test]
fn a_release_freezes_the_folder_and_what_was_built_for_it() {
    let project = released();
    assert_eq!(problems(project.path()).unwrap(), [""; 0]);
    let files: Vec<String> = frozen(project.path()).unwrap().into_keys().collect();
    assert_eq!(files.len(), 1 + 2 * 2);
    assert!(
        files.contains(&"wit/0.1/worlds.wit".to_string()) && files[0].starts_with("tests/museum/0.1/"),
        "{files:?}"
    );
}

#[test]
fn an_exhibit_is_recorded_with_what_it_answered_and_not_with_words() {
    let project = project();
    assert_eq!(collect(project.path(), "0.1", Exhibition::Draft).unwrap(), ["minimal-condition"]);
    let record = project.path().join("tests/museum/0.1.0-draft/minimal-condition.jsonl");
    let expected = r#"{"about":"A case.","now":"2026-06-01T12:00:00Z","steps":[{"quote":{"order":{"total":"1.00"}},"decision":{"due":"1.00","cards":[{"code":"x"}]}}]}"#;
    assert_eq!(fs::read_to_string(record).unwrap(), format!("{expected}\n"));
    assert!(frozen(project.path()).unwrap().is_empty(), "a draft freezes nothing");
}

#[test]
fn a_draft_may_change_and_is_a_version_beside_the_released_ones() {
    let project = released();
    let draft = project.path().join("wit/0.2-draft");
    fs::create_dir_all(&draft).unwrap();
    fs::write(draft.join("worlds.wit"), CONTRACT.replace("0.1.0", "0.2.0")).unwrap();
    assert_eq!(problems(project.path()).unwrap(), [""; 0]);
    fs::write(draft.join("more.wit"), CONTRACT.replace("0.1.0", "0.2.0")).unwrap();
    assert_eq!(problems(project.path()).unwrap(), [""; 0]);
}

#[test]
fn every_way_to_change_a_release_is_seen() {
    type Change = fn(&Path);
    let changes: [(&str, Change); 7] = [
        ("`wit/0.1/worlds.wit` was released and has changed since", |root| {
            fs::write(root.join("wit/0.1/worlds.wit"), format!("{CONTRACT}// a word more\n")).unwrap();
        }),
        ("`wit/0.1/worlds.wit` was released and is missing", |root| {
            fs::remove_file(root.join("wit/0.1/worlds.wit")).unwrap();
        }),
        ("`wit/0.1/more.wit` was added to a release", |root| {
            fs::write(root.join("wit/0.1/more.wit"), "package giftcard:rules@0.1.0;\n").unwrap();
        }),
        ("`tests/museum/0.1/standard.wasm` was released and has changed since", |root| {
            fs::write(museum(root).join("standard.wasm"), b"\0asm").unwrap();
        }),
        ("`tests/museum/0.1/standard.jsonl` was released and is missing", |root| {
            fs::remove_file(museum(root).join("standard.jsonl")).unwrap();
        }),
        ("`wit/0.2-draft/worlds.wit` is of another version than its folder", |root| {
            fs::create_dir_all(root.join("wit/0.2-draft")).unwrap();
            fs::write(root.join("wit/0.2-draft/worlds.wit"), CONTRACT).unwrap();
        }),
        ("are the same version", |root| {
            fs::create_dir_all(root.join("wit/0.1-draft")).unwrap();
        }),
    ];
    for (expected, change) in changes {
        let project = released();
        change(project.path());
        let found = problems(project.path()).unwrap();
        assert!(found.len() == 1 && found[0].contains(expected), "{expected}: {found:?}");
    }
}

#[test]
fn a_list_whose_lines_were_taken_back_is_seen() {
    let project = released();
    let list = fs::read_to_string(project.path().join("wit/RELEASED")).unwrap();
    let history: String = list.lines().map(|line| format!("+{line}\n")).collect();
    assert_eq!(withdrawn(&frozen(project.path()).unwrap(), &history), [""; 0]);
    fs::write(project.path().join("wit/0.1/worlds.wit"), "package giftcard:rules@0.1.0;\n").unwrap();
    fs::write(project.path().join("wit/RELEASED"), "# nothing yet\n").unwrap();
    assert_eq!(problems(project.path()).unwrap(), [""; 0], "the list alone says nothing");
    let gone = withdrawn(&frozen(project.path()).unwrap(), &history);
    assert!(gone.len() == 5 && gone.iter().any(|line| line.contains("wit/0.1/worlds.wit")), "{gone:?}");
}

#[test]
fn what_cannot_be_released_is_named() {
    let project = released();
    let refused = |version: &str| collect(project.path(), version, Exhibition::Release).unwrap_err().to_string();
    assert_eq!(refused("0.1"), "0.1 was released already; new ability is a new version");
    assert!(refused("0.2-draft").contains("write two numbers, such as 0.1"), "{}", refused("0.2-draft"));
    assert!(refused("0.3").contains("wit/0.3` does not exist"), "{}", refused("0.3"));
    let project = self::project();
    collect(project.path(), "0.1", Exhibition::Release).unwrap();
    fs::remove_file(museum(project.path()).join("minimal-condition.jsonl")).unwrap();
    let error = freeze(project.path(), "0.1").unwrap_err().to_string();
    assert!(error.contains("minimal-condition.wasm` has no record"), "{error}");
    fs::write(project.path().join("wit/RELEASED"), "one two\n").unwrap();
    let error = problems(project.path()).unwrap_err().to_string();
    assert!(error.contains("has the line `one two`"), "{error}");
}
