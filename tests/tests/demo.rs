//! The demo does what it says, and every order file of its folder is part of it.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::LazyLock;

use giftcard_tests::harness::component_bytes;
use serde_json::Value;

const DEMO: &str = env!("CARGO_BIN_EXE_demo");

/// The binary beside the demo. Cargo promises it to the tests of its own package only, so that it may be missing.
static GIFTCARD: LazyLock<PathBuf> = LazyLock::new(|| {
    let path = Path::new(DEMO).with_file_name(format!("giftcard{}", std::env::consts::EXE_SUFFIX));
    if !path.is_file() {
        let mut build = Command::new(env!("CARGO"));
        build.args(["build", "--package", "giftcard"]);
        if !cfg!(debug_assertions) {
            build.arg("--release");
        }
        assert!(build.status().unwrap().success(), "`cargo build --package giftcard` failed");
    }
    path
});

/// Paths as a command line in the project's folder has them.
fn order_files() -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("demo/orders");
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut files: Vec<String> = files.map(|name| format!("tests/demo/orders/{name}")).collect();
    files.sort();
    files
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[test]
fn every_step_is_as_expected_and_every_order_file_is_used() {
    let output = Command::new(DEMO).env("GIFTCARD_BIN", &*GIFTCARD).output().unwrap();
    let shown = text(&output);
    assert!(output.status.success(), "{shown}");
    assert!(shown.contains("16 steps, all as expected"), "{shown}");
    for file in order_files() {
        assert!(shown.contains(&format!("$ giftcard quote {file}")), "no step uses `{file}`");
    }
}

#[test]
fn every_order_file_is_accepted() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("welcome-gift.wasm"), component_bytes("tests/welcome-gift-v1")).unwrap();
    let files = order_files();
    let output = Command::new(&*GIFTCARD)
        .args(["quote", "--json", "--no-cache", "--plugins"])
        .arg(folder.path())
        .args(&files)
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(".."))
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    let answers: Vec<Value> =
        output.stdout.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect();
    assert_eq!(answers.len(), files.len());
    let lines = |file: &String| {
        let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(file)).unwrap();
        let document: Value = serde_json::from_str(&text).unwrap();
        document["order"]["lines"].as_array().map_or(0, Vec::len)
    };
    assert!(files.iter().map(lines).max() >= Some(40), "one order has dozens of lines");
    for currency in ["USD", "EUR", "GBP", "JPY", "KWD"] {
        assert!(answers.iter().any(|answer| answer["currency"] == currency), "no order in {currency}");
    }
}

#[cfg(unix)]
#[test]
fn a_number_that_is_off_ends_the_demo() {
    // `true` answers nothing, as a `giftcard` that lost its answers would.
    let output = Command::new(DEMO).env("GIFTCARD_BIN", "true").output().unwrap();
    assert!(!output.status.success());
    assert!(text(&output).contains("demo: step 1: `giftcard quote"), "{}", text(&output));
}
