//! The scenarios from other systems: each is a case, or a claim about a ledger, or outside the product.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeSet;

use giftcard_engine::code::normalise;
use giftcard_tests::cases::{Case, Question, Step, find, rules_folder};
use giftcard_tests::scenarios::{on_ledger, outside, scenarios};
use serde_json::{Map, Value};

/// The cases whose source is a scenario, which begins with its id: "KEN-01: where that took it from".
fn cases_of(id: &str, cases: &[Case]) -> Vec<Case> {
    let of_id = |case: &&Case| case.source.split_once(": ").is_some_and(|(source, _)| source == id);
    cases.iter().filter(of_id).cloned().collect()
}

fn all_cases() -> Vec<Case> {
    find(&rules_folder()).unwrap().iter().map(|path| Case::read(path).unwrap()).collect()
}

#[test]
fn every_scenario_is_a_case_or_a_claim_about_a_ledger_or_outside_the_product() {
    let (scenarios, cases, on_ledger, outside) = (scenarios(), all_cases(), on_ledger(), outside());
    for id in scenarios.keys() {
        let is_case = !cases_of(id, &cases).is_empty();
        let claims = on_ledger.iter().filter(|scenario| scenario.id == id).count();
        let places = usize::from(is_case) + claims + usize::from(outside.contains_key(id));
        assert_eq!(places, 1, "{id} must be in one place: a case, `each_ledger_scenario`, or outside.json");
    }
    for id in on_ledger.iter().map(|scenario| scenario.id).chain(outside.keys().map(String::as_str)) {
        assert!(scenarios.contains_key(id), "{id} is no scenario");
    }
    for (id, reason) in &outside {
        assert!(!reason.trim().is_empty(), "{id} is outside for no reason");
    }
    let claims: BTreeSet<&str> = on_ledger.iter().map(|scenario| scenario.claim).collect();
    assert_eq!(claims.len(), on_ledger.len(), "two scenarios have one claim");
    for case in &cases {
        let (id, origin) = case.source.split_once(": ").unwrap_or_else(|| panic!("{}: source", case.path.display()));
        let scenario = scenarios.get(id);
        assert!(scenario.is_some() || id == "DESIGN", "{}: `{id}` is no scenario", case.path.display());
        if let Some(scenario) = scenario {
            assert_eq!(origin, scenario["source"].as_str().unwrap(), "{}", case.path.display());
        }
    }
}

#[test]
fn a_claim_about_a_disputed_scenario_says_what_was_decided() {
    let scenarios = scenarios();
    for scenario in on_ledger() {
        let disputed = scenarios[scenario.id]["disputed"] == true;
        assert_eq!(scenario.decided.is_some(), disputed, "{}: `decided` is for disputed ones", scenario.id);
        assert!(scenario.decided.is_none_or(|decided| !decided.trim().is_empty()), "{}", scenario.id);
    }
}

#[test]
fn what_a_case_claims_is_what_its_scenario_expects() {
    let cases = all_cases();
    let mut compared = 0;
    for (id, scenario) in scenarios() {
        for case in cases_of(&id, &cases) {
            let disputed = scenario["disputed"] == true;
            assert_eq!(case.decided.is_some(), disputed, "{}: `decided` is for disputed ones", case.path.display());
            if disputed {
                continue;
            }
            let problems = disagreements(&scenario, &case);
            assert!(problems.is_empty(), "{}: {}", case.path.display(), problems.join("; "));
            compared += 1;
        }
    }
    assert!(compared > 0);
}

#[test]
fn a_case_that_claims_something_else_is_found() {
    let scenario = &scenarios()["KEN-01"];
    let case = cases_of("KEN-01", &all_cases()).remove(0);
    assert!(disagreements(scenario, &case).is_empty());
    let last = case.steps.len() - 1;
    for (pointer, wrong) in [("due", "0.01"), ("applied", "19.99"), ("left", "20.01")] {
        let mut other = case.clone();
        let claim = other.steps[last].claims.get_mut(pointer).unwrap();
        let claim = if claim.is_object() { &mut claim["B"] } else { claim };
        *claim = wrong.into();
        assert_eq!(disagreements(scenario, &other).len(), 1, "{pointer}");
        other.steps[last].claims.shift_remove(pointer);
        assert!(!disagreements(scenario, &other).is_empty(), "{pointer}");
    }
}

/// Where the claims of a case are not what the scenario expects of due, applied and balances: its last quote gives what
/// is due and applied, and its refunds add to what that left.
fn disagreements(scenario: &Value, case: &Case) -> Vec<String> {
    let expected = &scenario["expected"];
    let mut problems = Vec::new();
    let mut same = |what: String, expected: &Value, claimed: &Value| {
        if expected != claimed {
            problems.push(format!("{what} is expected to be {expected}, and claimed to be {claimed}"));
        }
    };
    let quotes: Vec<(&Value, &Map<String, Value>)> = case.steps.iter().filter_map(quote_step).collect();
    let last = quotes.last().copied();
    let claimed = |name: &str, code: &str| {
        let found = last.and_then(|(quote, claims)| Some(of_card(claims, name, card_of(quote, code)?)));
        found.unwrap_or(&Value::Null)
    };
    let last_claims = last.map(|(_, claims)| claims);
    if let Some(due) = expected.get("due") {
        same("due".into(), due, last_claims.and_then(|claims| claims.get("due")).unwrap_or(&Value::Null));
    }
    if let Some(required) = expected.get("payment_required") {
        let found = last_claims.and_then(|claims| claims.get("payment_required"));
        same("payment_required".into(), required, found.unwrap_or(&Value::Null));
    }
    if let Some(applied) = expected["applied"].as_array() {
        let codes = applied.iter().filter_map(|share| card_of(last?.0, share["code"].as_str()?));
        let codes: BTreeSet<&str> = codes.collect();
        for share in applied {
            let code = share["code"].as_str().unwrap();
            same(format!("applied of {code}"), &share["amount"], claimed("applied", code));
        }
        for (code, amount) in last_claims.and_then(|claims| claims.get("applied")?.as_object()).into_iter().flatten() {
            if !codes.contains(code.as_str()) {
                same(format!("applied of {code}"), &Value::from("0.00"), amount);
            }
        }
    }
    let dues: Vec<&Value> = quotes.iter().filter_map(|(_, claims)| claims.get("due")).collect();
    let mut left_dues = dues.iter();
    for step in scenario["steps"].as_array().into_iter().flatten().filter(|step| step["op"] == "expect_due") {
        let found = left_dues.any(|due| **due == step["due"]);
        same(format!("a quote with {} due", step["due"]), &Value::from(true), &Value::from(found));
    }
    for name in ["balances", "available"] {
        for (code, balance) in expected[name].as_object().into_iter().flatten() {
            let found = balance_after(scenario, case, code).map_or(Value::Null, Value::from);
            same(format!("{name} of {code}"), balance, &found);
        }
    }
    problems
}

fn quote_step(step: &Step) -> Option<(&Value, &Map<String, Value>)> {
    match &step.question {
        Question::Quote(quote) => Some((quote, &step.claims)),
        Question::Refund(_) => None,
    }
}

/// What a quote calls the card of a scenario: by its code, or where no code is entered by the same name.
fn card_of<'a>(quote: &'a Value, code: &str) -> Option<&'a str> {
    let entered = |card: &&Value| match card["code"].as_str() {
        Some(entered) => normalise(entered) == normalise(code),
        None => card["id"] == code,
    };
    quote["cards"].as_array()?.iter().find(entered)?["id"].as_str()
}

fn of_card<'a>(claims: &'a Map<String, Value>, name: &str, id: &str) -> &'a Value {
    claims.get(name).and_then(|claim| claim.get(id)).unwrap_or(&Value::Null)
}

/// What is claimed to be on a card in the end; `None` where that is not claimed.
fn balance_after(scenario: &Value, case: &Case, code: &str) -> Option<String> {
    let of_code = |card: &&Value| card["code"] == code;
    let given = scenario["cards"].as_array()?.iter().find(of_code)?;
    let given = cents(given["balance"].as_str()?)?;
    let mut balance = Some(given);
    for step in &case.steps {
        match &step.question {
            Question::Quote(quote) => {
                balance = match card_of(quote, code) {
                    Some(id) => of_card(&step.claims, "left", id).as_str().and_then(cents),
                    None => Some(given),
                };
            }
            Question::Refund(_) if step.claims.contains_key("error") => {}
            Question::Refund(_) => {
                let returned = of_card(&step.claims, "applied", code).as_str().and_then(cents);
                balance = balance.zip(returned).map(|(balance, returned)| balance + returned);
            }
        }
    }
    balance.map(|cents| format!("{}.{:02}", cents / 100, cents % 100))
}

fn cents(amount: &str) -> Option<i64> {
    let (whole, fraction) = amount.split_once('.')?;
    (fraction.len() == 2).then_some(())?;
    format!("{whole}{fraction}").parse().ok()
}
