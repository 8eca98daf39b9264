//! What an author of a condition in Rust does with the built binary: begins a project, builds it, tests it, tries it on an order.
//! Everything works without a network once the workspace itself has been built.
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::panic, reason = "a test")]

#[path = "authoring/machine.rs"]
mod machine;

use std::fs;
use std::path::Path;
use std::time::Instant;

use machine::{Author, Run, edit, toolchain};
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
    check_profile(&author, &project);
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
    // Lines of the source cost a decision nothing.
    let case: Value = serde_json::from_str(&fs::read_to_string(project.join(fixture)).unwrap()).unwrap();
    let mut asked = case["steps"][0]["quote"].clone();
    asked["now"] = case["now"].clone();
    fs::write(project.join("asked.json"), asked.to_string()).unwrap();
    let decided = author.giftcard(project, &["quote", "--plugins", ".", "--json", "asked.json"]).succeeded().out;
    let decided: Value = serde_json::from_str(&decided).unwrap();
    let shown: Value = serde_json::from_str(&run(&["--json"]).succeeded().out).unwrap();
    assert_eq!(decided["rules"]["calls"][0]["fuel"], shown["asked"][0]["fuel"]);
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

fn check_profile(author: &Author, project: &Path) {
    // One function has nothing but arithmetic in it, so that nothing stops in it by itself; what comes after it does little.
    let source = project.join("src/lib.rs");
    let steps = "    x = (x ^ x.rotate_left(7)).wrapping_mul(0x9e37_79b9_7f4a_7c15);\n".repeat(40);
    let functions = format!(
        "#[inline(never)]\nfn busy_leaf(mut x: u64) -> u64 {{\n{steps}    x\n}}\n\n\
         #[inline(never)]\nfn idle_leaf(x: u64) -> u64 {{\n    x.rotate_left(9)\n}}\n\n\
         #[inline(never)]\nfn their_caller(count: u64) -> u64 {{\n    (0..count).fold(1, |x, n| idle_leaf(busy_leaf(x ^ n)))\n}}\n\n\
         giftcard_plugin::export"
    );
    let before = fs::read_to_string(&source).unwrap();
    edit(&source, "giftcard_plugin::export", &functions);
    edit(&source, "let passed = days", "assert!(their_caller(30) != 1);\n        let passed = days");
    author.giftcard(project, &["plugin", "build", "--offline"]).succeeded();
    let input = ["lucky-days.wasm", "--input", "fixtures/refused-on-another-day.json"];
    let giftcard = |more: &[&str]| author.giftcard(project, &[&["plugin"], &more[..1], &input, &more[1..]].concat());
    let read = |run: Run| serde_json::from_str::<Value>(&run.succeeded().out).unwrap();
    let profile = read(giftcard(&["profile", "--json", "--out", "flame.svg"]));
    assert_eq!(
        (&profile["fuel"], &profile["step"]),
        (&read(giftcard(&["run", "--json"]))["asked"][0]["fuel"], &json!(1))
    );
    let functions = profile["functions"].as_array().unwrap();
    let number = |name: &str, field: &str| {
        let found = functions.iter().find(|function| function["function"] == format!("lucky_days::{name}"));
        found.unwrap_or_else(|| panic!("{name}: {functions:?}"))[field].as_u64().unwrap()
    };
    let [busy, idle, caller] = ["busy_leaf", "idle_leaf", "their_caller"].map(|name| number(name, "own"));
    assert!(busy > 30 * 40 * 4 && idle <= 30 * 8 && caller <= 30 * 20, "{busy} {idle} {caller}");
    assert_eq!(number("their_caller", "total"), busy + idle + caller);
    assert_eq!(functions[0]["function"], "lucky_days::busy_leaf");
    let sum: u64 = profile["stacks"].as_array().unwrap().iter().map(|way| way["fuel"].as_u64().unwrap()).sum();
    assert_eq!(sum, profile["fuel"].as_u64().unwrap());
    let picture = fs::read(project.join("flame.svg")).unwrap();
    assert!(String::from_utf8_lossy(&picture).contains("<title>lucky_days::busy_leaf: "));
    let shown = giftcard(&["profile", "--out", "again.svg"]).succeeded().out;
    assert!(shown.contains("every unit was looked at") && shown.contains("lucky_days::busy_leaf"), "{shown}");
    assert_eq!(fs::read(project.join("again.svg")).unwrap(), picture);
    author
        .giftcard(project, &["plugin", "profile", "lucky-days.wasm", "--input", "order.json"])
        .failed_with(1, "was not asked");
    fs::write(source, before).unwrap();
}

fn check_mistakes(author: &Author, project: &Path) {
    // A trap names the function that it happened in.
    let source = project.join("src/lib.rs");
    let guilty = "#[inline(never)]\nfn guilty_function(days: &[String]) -> usize {\n    days[7].len()\n}\n\ngiftcard_plugin::export";
    edit(&source, "giftcard_plugin::export", guilty);
    edit(&source, "let passed = days", "assert!(guilty_function(&days) > 0);\n        let passed = days");
    author.giftcard(project, &["plugin", "build", "--offline"]).succeeded();
    let run = ["plugin", "run", "lucky-days.wasm", "--input", "fixtures/refused-on-another-day.json"];
    let line = fs::read_to_string(&source).unwrap().lines().position(|line| line.contains("days[7]")).unwrap() + 1;
    let place = "core::panicking::panic_bounds_check (library/core/src/panicking.rs";
    author.giftcard(project, &run).failed_with(3, place);
    author.giftcard(project, &run).failed_with(3, &format!("< lucky_days::guilty_function (src/lib.rs:{line}) < "));
    let component = fs::read(project.join("lucky-days.wasm")).unwrap();
    for folder in [author.home.path(), &toolchain("CARGO_HOME", ".cargo"), &toolchain("RUSTUP_HOME", ".rustup")] {
        let folder = folder.to_str().unwrap().as_bytes();
        assert!(!component.windows(folder.len()).any(|bytes| bytes == folder), "a folder of the author's is in it");
    }
    // What decides does not read what a component brings of its source.
    let decided = author.giftcard(project, &["quote", "--plugins", ".", "asked.json"]);
    decided.failed_with(3, "guilty_function");
    assert!(!decided.out.contains("src/lib.rs") && !decided.err.contains("src/lib.rs"), "{}", decided.out);
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
