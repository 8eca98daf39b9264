//! Profiles of the standard conditions: looking at a call changes nothing about it, every unit of its fuel is told of
//! once, and the same call has the same profile.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::path::Path;

use giftcard::Till;
use giftcard::authoring::{FuelProfile, flame_graph, profile, trial};
use giftcard::fixtures::{Case, Question, find};
use giftcard_host::{HostConfig, Limits, ProfileError, Profiler};
use giftcard_tests::harness::{STANDARD, component_bytes, condition, host, standard_rulebook};
use serde_json::{Value, json};

/// The first question of each fixture of a plugin, and its moment.
fn questions(plugin: &str) -> Vec<(Value, i64)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../plugins").join(plugin).join("fixtures");
    let cases = find(&folder).unwrap().into_iter().map(|file| Case::read(&file).unwrap());
    let question = |case: Case| match &case.steps[0].question {
        Question::Quote(quote) => Some((quote.clone(), case.now_ms)),
        Question::Refund(_) => None,
    };
    cases.filter_map(question).collect()
}

fn check(profile: &FuelProfile) {
    assert_eq!(profile.stacks.iter().map(|way| way.fuel).sum::<u64>(), profile.fuel);
    assert_eq!(profile.functions.iter().map(|function| function.own).sum::<u64>(), profile.fuel);
    for function in &profile.functions {
        assert!(function.own <= function.total && function.total <= profile.fuel, "{function:?}");
        assert!(!function.function.contains("outside of functions"), "{:?}", profile.functions);
    }
}

#[test]
fn every_unit_of_a_call_is_told_of_once() {
    let host = host();
    let till = Till::new(standard_rulebook(&host));
    for plugin in STANDARD.into_iter().filter(|plugin| *plugin != "gift-card") {
        let profiler = Profiler::new(&condition(&host, plugin), &component_bytes(plugin)).unwrap();
        let asked = questions(plugin).into_iter().find_map(|(quote, now)| {
            let quote = quote.to_string();
            let asked = trial(&till, &quote, plugin, now).ok()?.asked;
            Some((quote, now, asked.into_iter().find(|asked| !asked.explain)?))
        });
        let (quote, now, asked) = asked.unwrap_or_else(|| panic!("no fixture of `{plugin}` asks it"));
        let found = profile(&till, &quote, &profiler, now).unwrap().unwrap();
        assert_eq!((found.fuel, &found.cards), (asked.fuel, &asked.cards), "{plugin}");
        check(&found);
        // Exact ones are quick.
        if found.step == 1 {
            let again = profile(&till, &quote, &profiler, now).unwrap().unwrap();
            assert_eq!(flame_graph(&found, plugin), flame_graph(&again, plugin));
        }
    }
}

#[test]
fn a_call_without_end_has_a_profile_up_to_its_limit() {
    let config = HostConfig { limits: Limits { fuel_max: 30_000, ..Limits::default() }, ..HostConfig::default() };
    let host = giftcard_host::Host::new(config).unwrap();
    let bytes = component_bytes("tests/hostile-condition");
    let hostile = host.load_condition("hostile", &bytes).unwrap();
    let id = hostile.facts().id.clone();
    let profiler = Profiler::new(&hostile, &bytes).unwrap();
    let mut rulebook = standard_rulebook(&host);
    rulebook.add(hostile);
    let till = Till::new(rulebook);
    let quote = json!({
        "order": { "currency": "USD", "total": "10.00" },
        "programmes": [{ "code_name": "p", "conditions": [{ "plugin": id, "settings": { "mode": "endless-loop" } }] }],
        "cards": [{ "id": "A", "programme": "p", "balance": "5.00" }],
    });
    let found = profile(&till, &quote.to_string(), &profiler, 0).unwrap().unwrap();
    assert!(found.fuel >= 30_000 && found.step > 1, "{} {}", found.fuel, found.step);
    assert_eq!(found.stacks.iter().map(|way| way.fuel).sum::<u64>(), found.fuel);
    // Of a file that is another one there would be another profile.
    let other = Profiler::new(profiler.condition(), &component_bytes("tests/minimal-condition"));
    assert!(matches!(other, Err(ProfileError::Probes(_))));
}
