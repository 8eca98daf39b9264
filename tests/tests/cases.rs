//! The cases of `tests/cases` and of the standard conditions' fixtures, through the standard components.
//! `cargo xtask bless` runs this with `GIFTCARD_BLESS=1`.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::LazyLock;

use giftcard::Till;
use giftcard_host::{Facts, SettingKind};
use giftcard_tests::cases::{
    Answered, Case, Question, Report, blessing, failures, find, fixtures_folder, rules_folder, run,
};
use giftcard_tests::harness::{STANDARD, host, standard_rulebook};
use serde_json::Value;

/// Fewest fixtures of a standard condition.
const FIXTURES_MIN: usize = 5;

static TILL: LazyLock<Till> = LazyLock::new(|| Till::new(standard_rulebook(&host())));

static RULES: LazyLock<Report> = LazyLock::new(|| run(&TILL, &find(&rules_folder()).unwrap(), blessing()));

/// By plugin.
static FIXTURES: LazyLock<BTreeMap<&str, Report>> = LazyLock::new(|| {
    let report = |plugin: &&'static str| (*plugin, run(&TILL, &fixture_files(plugin), blessing()));
    STANDARD[1..].iter().map(report).collect()
});

fn fixture_files(plugin: &str) -> Vec<PathBuf> {
    find(&fixtures_folder(plugin)).unwrap()
}

fn facts(plugin: &str) -> &'static Facts {
    TILL.rulebook().condition(plugin).unwrap().facts()
}

#[test]
fn every_case_is_decided_as_it_says() {
    if let Some(failures) = failures(&RULES) {
        panic!("{failures}");
    }
}

#[test]
fn every_fixture_is_decided_as_it_says() {
    let failures: Vec<String> = FIXTURES.values().filter_map(failures).collect();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn every_case_says_where_its_claims_come_from() {
    let fixtures = STANDARD[1..].iter().flat_map(|plugin| fixture_files(plugin));
    for path in find(&rules_folder()).unwrap().into_iter().chain(fixtures) {
        let case = Case::read(&path).unwrap();
        assert!(!case.source.is_empty(), "{}: `source`", path.display());
        assert!(case.steps.iter().any(|step| !step.claims.is_empty()), "{}: `claims`", path.display());
    }
}

#[test]
fn every_standard_condition_has_fixtures_of_its_own() {
    for (plugin, report) in &*FIXTURES {
        let bound =
            report.answered.iter().filter(|answered| bindings(answered).any(|bound| bound["plugin"] == **plugin));
        let cases: BTreeSet<&PathBuf> = bound.map(|answered| &answered.case).collect();
        let (count, all) = (cases.len(), fixture_files(plugin).len());
        assert!(count >= FIXTURES_MIN, "`{plugin}` has {count} fixtures; it needs {FIXTURES_MIN}");
        assert_eq!(count, all, "a fixture of `{plugin}` does not bind it");
    }
}

#[test]
fn every_reject_code_is_reached_by_a_fixture() {
    for (plugin, report) in &*FIXTURES {
        let cards = report.answered.iter().filter_map(|answered| answered.answer.as_ref().ok()?["cards"].as_array());
        let by_plugin = cards.flatten().filter(|card| card["by"] == **plugin);
        let reached: BTreeSet<&str> = by_plugin.filter_map(|card| card["code"].as_str()).collect();
        let missed: Vec<&str> = facts(plugin).reject_codes.iter().map(|(code, _)| code.as_str()).collect();
        assert!(!missed.is_empty());
        let missed: Vec<&str> = missed.into_iter().filter(|code| !reached.contains(code)).collect();
        assert!(missed.is_empty(), "no fixture of `{plugin}` is refused with {missed:?}");
    }
}

#[test]
fn every_setting_and_every_choice_is_used_by_a_fixture_that_is_decided() {
    for (plugin, report) in &*FIXTURES {
        let decided = report.answered.iter().filter(|answered| answered.answer.is_ok());
        let bound: Vec<&Value> = decided.flat_map(bindings).filter(|bound| bound["plugin"] == **plugin).collect();
        assert!(!facts(plugin).settings.is_empty());
        for setting in &facts(plugin).settings {
            let given: Vec<&Value> = bound.iter().filter_map(|bound| bound["settings"].get(&setting.name)).collect();
            assert!(!given.is_empty(), "no fixture of `{plugin}` sets `{}`", setting.name);
            for (choice, _) in setting.choices.iter().filter(|_| setting.kind == SettingKind::Choice) {
                let chosen = given.iter().any(|value| **value == choice.as_str());
                assert!(chosen, "no fixture of `{plugin}` sets `{}` to `{choice}`", setting.name);
            }
        }
    }
}

/// Every binding of a condition in a quote.
fn bindings(answered: &Answered) -> impl Iterator<Item = &Value> {
    let programmes = match &answered.question {
        Question::Quote(quote) => quote["programmes"].as_array(),
        Question::Refund(_) => None,
    };
    programmes.into_iter().flatten().filter_map(|programme| programme["conditions"].as_array()).flatten()
}
