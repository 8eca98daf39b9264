//! The museum: every component that was ever released still loads beside the present ones, and answers as it did. Must not
//! know what is right: the records say what was answered. The text of a record's answer is compared as far as it goes, so
//! that a new field of an answer is no change.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::path::{Path, PathBuf};

use giftcard::Till;
use giftcard::input::Instant;
use giftcard_host::{Component, Host};
use giftcard_tests::cases::{blessing, failures, find, project, run};
use giftcard_tests::harness::{component_bytes, host, standard_rulebook};
use serde_json::{Value, json};

/// A component of a release, and the cases it was recorded with.
struct Exhibit {
    file: PathBuf,
    bytes: Vec<u8>,
    records: Vec<Value>,
}

fn museum() -> PathBuf {
    project().join("tests/museum")
}

/// The exhibits of every release, by its folder.
fn releases() -> Vec<(String, Vec<Exhibit>)> {
    let mut releases = Vec::new();
    for folder in sorted(&museum()).into_iter().filter(|path| path.is_dir()) {
        let files = sorted(&folder);
        let records: Vec<&PathBuf> = files.iter().filter(|path| path.extension().unwrap() == "jsonl").collect();
        let components: Vec<&PathBuf> = files.iter().filter(|path| path.extension().unwrap() == "wasm").collect();
        assert_eq!(files.len(), records.len() + components.len(), "{}: neither component nor record", folder.display());
        let exhibits = components.into_iter().map(|file| {
            let text = fs::read_to_string(file.with_extension("jsonl"))
                .unwrap_or_else(|error| panic!("{} has no record: {error}", file.display()));
            let records = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
            Exhibit { file: file.clone(), bytes: fs::read(file).unwrap(), records }
        });
        let exhibits: Vec<Exhibit> = exhibits.collect();
        assert_eq!(exhibits.len(), records.len(), "{}: a record without a component", folder.display());
        releases.push((folder.file_name().unwrap().to_str().unwrap().to_string(), exhibits));
    }
    releases
}

fn sorted(folder: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

/// The present components, this one in the place of the one with its id.
fn till_with(host: &Host, name: &str, bytes: &[u8]) -> Result<Till, String> {
    let mut book = standard_rulebook(host);
    match host.load(name, bytes).map_err(|error| error.to_string())? {
        Component::Condition(condition) => book.add(condition),
        Component::Rules(rules) => book.set_rules(rules),
    }
    Ok(Till::new(book))
}

/// Everything that is not as it was recorded.
fn differences(host: &Host, exhibit: &Exhibit) -> Vec<String> {
    let name = exhibit.file.file_stem().unwrap().to_str().unwrap();
    let till = match till_with(host, name, &exhibit.bytes) {
        Ok(till) => till,
        Err(problem) => return vec![format!("does not load: {problem}")],
    };
    let mut differences = Vec::new();
    for record in &exhibit.records {
        let now = Instant(record["now"].as_str().unwrap().to_string()).at().unwrap();
        let steps = record["steps"].as_array().unwrap();
        assert!(!steps.is_empty(), "{name}: {}: asks nothing", record["about"]);
        for (index, step) in steps.iter().enumerate() {
            let path = format!("{}: steps[{index}]", record["about"]);
            let answer = answer(&till, step, now);
            let recorded = ["decision", "error"].iter().find(|kind| step.get(kind).is_some()).unwrap();
            compare(&format!("{path}.{recorded}"), &step[*recorded], &answer[*recorded], &mut differences);
        }
    }
    differences
}

fn answer(till: &Till, step: &Value, now: i64) -> Value {
    let answered = match (step.get("quote"), step.get("refund")) {
        (Some(quote), None) => till.quote(&quote.to_string(), now, true).map(|output| json!(output)),
        (None, Some(refund)) => till.refund(&refund.to_string(), true).map(|output| json!(output)),
        _ => panic!("a step asks for a quote or a refund: {step}"),
    };
    match answered {
        Ok(decision) => json!({ "decision": decision }),
        Err(error) => json!({ "error": json!(error.output(None))["error"] }),
    }
}

/// Whatever is recorded must be answered; more may be.
fn compare(path: &str, recorded: &Value, answered: &Value, differences: &mut Vec<String>) {
    match (recorded, answered) {
        (Value::Object(recorded), Value::Object(_)) => {
            for (name, recorded) in recorded {
                compare(&format!("{path}.{name}"), recorded, &answered[name], differences);
            }
        }
        (Value::Array(recorded), Value::Array(answered)) if recorded.len() == answered.len() => {
            for (index, (recorded, answered)) in recorded.iter().zip(answered).enumerate() {
                compare(&format!("{path}[{index}]"), recorded, answered, differences);
            }
        }
        _ if recorded == answered => {}
        _ => differences.push(format!("{path} was {recorded} and is {answered}")),
    }
}

#[test]
fn every_component_of_the_museum_answers_as_it_was_recorded() {
    let (host, releases) = (host(), releases());
    let mut problems = Vec::new();
    for (version, exhibits) in &releases {
        assert!(!exhibits.is_empty(), "{version} exhibits nothing");
        for exhibit in exhibits {
            let file = exhibit.file.display();
            assert!(!exhibit.records.is_empty(), "{file}: nothing was recorded");
            problems.extend(differences(&host, exhibit).into_iter().map(|problem| format!("{file}: {problem}")));
        }
    }
    assert!(!releases.is_empty(), "{} is empty", museum().display());
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[test]
fn an_exhibit_that_answers_otherwise_is_seen() {
    let host = host();
    let exhibits: Vec<Exhibit> = releases().into_iter().flat_map(|(_, exhibits)| exhibits).collect();
    let exhibit = |name: &str| exhibits.iter().find(|exhibit| exhibit.file.ends_with(format!("{name}.wasm"))).unwrap();
    let condition = exhibit("minimal-condition");
    let (file, record) = (condition.file.clone(), condition.records[0].clone());
    let mut other = record.clone();
    other["steps"][0]["decision"]["due"] = json!("0.01");
    let changed = Exhibit { file: file.clone(), bytes: condition.bytes.clone(), records: vec![other] };
    let found = differences(&host, &changed);
    assert!(found.len() == 1 && found[0].ends_with("decision.due was \"0.01\" and is \"0.00\""), "{found:?}");
    // Another component in its place: nobody is there any more who answers to the name.
    let bytes = component_bytes("time-window");
    let found = differences(&host, &Exhibit { file: file.clone(), bytes, records: vec![record.clone()] });
    assert!(found.iter().any(|problem| problem.contains("decision was {")), "{found:?}");
    let broken = Exhibit { file, bytes: condition.bytes[..1_000].to_vec(), records: vec![record] };
    let found = differences(&host, &broken);
    assert!(found.len() == 1 && found[0].contains("is no WebAssembly component"), "{found:?}");
}

/// What a guest of the tests is exhibited with; the standard components' cases are run where they stand.
#[test]
fn the_cases_of_an_exhibited_guest_are_decided_as_they_say() {
    let till = till_with(&host(), "minimal-condition", &component_bytes("tests/minimal-condition")).unwrap();
    let files = find(&project().join("tests/guests/minimal-condition/fixtures")).unwrap();
    if let Some(failures) = failures(&run(&till, &files, blessing())) {
        panic!("{failures}");
    }
}

/// What is released must not tell who built it, and has to come out the same elsewhere.
#[test]
fn no_component_names_a_folder_of_who_built_it() {
    let folders = [project().canonicalize().unwrap(), std::env::home_dir().unwrap().join(".cargo")];
    let components = sorted(&project().join("target/components"));
    let components = components.into_iter().filter(|path| path.is_file());
    let exhibits = releases().into_iter().flat_map(|(_, exhibits)| exhibits).map(|exhibit| exhibit.file);
    let mut files = 0;
    for file in components.chain(exhibits) {
        let bytes = fs::read(&file).unwrap();
        for folder in &folders {
            let folder = folder.to_str().unwrap().as_bytes();
            let found = bytes.windows(folder.len()).any(|window| window == folder);
            assert!(!found, "{} names a folder of who built it", file.display());
        }
        files += 1;
    }
    assert!(files > 8, "{files}");
}
