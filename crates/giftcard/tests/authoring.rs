//! What an author of a condition in Rust does with the built binary: begins a project, builds it, tests it, tries it on an order.
//! Everything works without a network once the workspace itself has been built.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test")]

#[path = "authoring/machine.rs"]
mod machine;

use std::fs;
use std::path::Path;
use std::time::Instant;

use machine::{Author, Run, edit};
use serde_json::{Value, json};

#[test]
fn a_new_project_is_built_tested_and_tried_on_an_order() {
    let author = Author::new();
    let begun = Instant::now();
    author.giftcard(author.home.path(), &["plugin", "new", "lucky-days", "--lang", "rust"]).succeeded();
    let project = author.path("lucky-days");
    let tested = author.giftcard(&project, &["plugin", "test", "--offline"]).succeeded();
    println!("from nothing to tested fixtures: {:.1} s", begun.elapsed().as_secs_f64());
    assert!(tested.out.contains("2 fixtures, 0 failed"), "{}", tested.out);
    let cargo = author.command("cargo", &project, &["test", "--offline"]).output().unwrap();
    Run::from(cargo).succeeded();
    check_build(&author, &project);
    check_trial(&author, &project);
    check_fixtures(&author, &project);
    check_mistakes(&author, &project);
}

fn check_build(author: &Author, project: &Path) {
    let built = author.giftcard(project, &["plugin", "build", "--offline", "--json"]).succeeded();
    let built: Value = serde_json::from_str(&built.out).unwrap();
    // Types alone ask for nothing.
    assert_eq!((&built["id"], &built["imports"]), (&json!("lucky-days"), &json!(["giftcard:rules/types@0.1.0"])));
    assert!(built["digest"].as_str().unwrap().len() == 64 && built["size"].as_u64().unwrap() > 0);
    author.giftcard(project, &["plugin", "check", "lucky-days.wasm"]).succeeded();
    // What it asks for beyond the standard limits gets into it; what is below them needs nobody's consent.
    let manifest = r#"{ "language": "rust", "limits": { "fuel": 60000000, "memory_bytes": 1000 } }"#;
    fs::write(project.join("giftcard.json"), manifest).unwrap();
    let asking = author.giftcard(project, &["plugin", "build", "--offline", "--json"]).succeeded();
    let asking: Value = serde_json::from_str(&asking.out).unwrap();
    assert_eq!((asking["limits"].clone(), asking["digest"] == built["digest"]), (json!({ "fuel": 60000000 }), false));
    author
        .giftcard(project, &["plugin", "test", "--offline"])
        .succeeded_with("granted here, since it asks for it: 60,000,000");
    fs::remove_file(project.join("giftcard.json")).unwrap();
    let again = author.giftcard(project, &["plugin", "build", "--offline", "--json"]).succeeded();
    assert_eq!(serde_json::from_str::<Value>(&again.out).unwrap(), built);
}

fn check_trial(author: &Author, project: &Path) {
    let fixture = "fixtures/refused-on-another-day.json";
    let run = |more: &[&str]| {
        let arguments = [&["plugin", "run", "lucky-days.wasm", "--input", fixture], more].concat();
        author.giftcard(project, &arguments)
    };
    let shown = run(&[]).succeeded().out;
    for text in ["A: reject wrong-day: the card can be used only on: Monday", "day of the week", "fuel ", " KiB"] {
        assert!(shown.contains(text), "{shown}");
    }
    fs::write(project.join("settings.json"), r#"{"days": ["Thursday"]}"#).unwrap();
    let shown = run(&["--settings", "settings.json", "--json"]).succeeded().out;
    let shown: Value = serde_json::from_str(&shown).unwrap();
    assert_eq!((&shown["asked"][0]["verdicts"], &shown["quote"]["due"]), (&json!(["accept"]), &json!("0.00")));
    let fuel = |place: usize| shown["asked"][place]["fuel"].as_u64().unwrap();
    assert!(fuel(0) > 0 && fuel(1) > fuel(0), "explaining costs more");
    fs::write(project.join("settings.json"), r#"{"days": ["Sundae"]}"#).unwrap();
    run(&["--settings", "settings.json"]).failed_with(1, "Sundae");
    run(&["--step", "2"]).failed_with(1, "has 1 steps, and --step is 2");
    // An order that binds nothing.
    fs::write(project.join("order.json"), r#"{"order": {"currency": "USD", "total": "1.00"}, "cards": []}"#).unwrap();
    let arguments = ["plugin", "run", "lucky-days.wasm", "--input", "order.json"];
    author.giftcard(project, &arguments).failed_with(1, "`lucky-days` was not asked");
}

fn check_fixtures(author: &Author, project: &Path) {
    let test = |more: &[&str]| author.giftcard(project, &[&["plugin", "test", "--offline"], more].concat());
    let (fixture, report) = (project.join("fixtures/accepted-on-a-listed-day.json"), project.join("junit.xml"));
    test(&["--bless"]).succeeded();
    assert!(fs::read_to_string(&fixture).unwrap().contains("\"decision\""));
    test(&[]).succeeded();
    // Another answer than the recorded one is shown line by line, and a claim is never written over.
    edit(&fixture, "\"payment_required\": false", "\"payment_required\": true");
    let failed = test(&["--junit", "junit.xml"]);
    failed.failed_with(1, "+  \"payment_required\": false");
    failed.failed_with(1, "2 fixtures, 1 failed");
    let report = fs::read_to_string(report).unwrap();
    assert!(report.contains("failures=\"1\"") && report.contains("accepted-on-a-listed-day"), "{report}");
    edit(&fixture, "\"due\": \"0.00\"", "\"due\": \"1.00\"");
    test(&["--bless"]).failed_with(1, "claim `due`: is \"0.00\", not \"1.00\"");
}

fn check_mistakes(author: &Author, project: &Path) {
    // A trap names the function that it happened in.
    let source = project.join("src/lib.rs");
    let guilty = "#[inline(never)]\nfn guilty_function(days: &[String]) -> usize {\n    days[7].len()\n}\n\ngiftcard_plugin::export";
    edit(&source, "giftcard_plugin::export", guilty);
    edit(&source, "let passed = days", "assert!(guilty_function(&days) > 0);\n        let passed = days");
    author.giftcard(project, &["plugin", "build", "--offline"]).succeeded();
    let run = ["plugin", "run", "lucky-days.wasm", "--input", "fixtures/refused-on-another-day.json"];
    author.giftcard(project, &run).failed_with(3, "guilty_function");
    edit(&source, "days[7].len()", "days[7]");
    author.giftcard(project, &["plugin", "build", "--offline"]).failed_with(1, "mismatched types");
    let home = author.home.path();
    author.giftcard(home, &["plugin", "new", "lucky-days"]).failed_with(1, "is there already");
    for name in ["Lucky Days", "", "../x", "a--b", "giftcard-plugin"] {
        author.giftcard(home, &["plugin", "new", name]).failed_with(1, "cannot be a plugin's name");
    }
    author.giftcard(home, &["plugin", "build"]).failed_with(1, "is no plugin project");
    let mut without_tools = author.command(env!("CARGO_BIN_EXE_giftcard"), project, &["plugin", "build"]);
    Run::from(without_tools.env("PATH", home).output().unwrap()).failed_with(1, "install it with `curl");
}
