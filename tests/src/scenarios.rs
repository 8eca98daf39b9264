//! The scenarios from other systems on a ledger: those that a pure quote cannot show, one function each, and the case files
//! of the others, stood up and paid. Must not know which store it is.
//!
//! A claim reads what a scenario expects from the file, so that neither can change alone; at its end everything that the
//! scenario expects must have been read.
#![allow(clippy::unwrap_used, clippy::panic, clippy::expect_used, reason = "only tests use it; a claim panics")]

pub mod stage;

mod buying;
mod correcting;
mod holding;
mod issuing;
mod paying;
mod refunding;
mod shopping;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use serde_json::Value;

use crate::both::Fresh;
use crate::cases::project;

/// How many scenarios there are: one that is lost would not be missed otherwise.
const SCENARIOS: usize = 68;

/// What has to hold of a scenario, on an empty ledger. Panics where it does not.
pub type Claim = fn(&Fresh, &Scenario);

/// A scenario that needs a ledger.
pub struct OnLedger {
    /// Its id in `scenarios.json`.
    pub id: &'static str,
    /// What it claims, which is also the name of its tests.
    pub claim: &'static str,
    /// Where systems differ: which way was chosen.
    pub decided: Option<&'static str>,
    run: Claim,
}

/// Calls a macro with every scenario that needs a ledger: its id, its claim with the module it is in, and what was
/// decided where systems differ.
#[macro_export]
macro_rules! each_ledger_scenario {
    ($macro:ident) => {
        $macro! {
            "KEN-07" issuing::the_value_of_a_programme_with_codes_is_frozen;
            "SET-07" issuing::a_card_of_a_month_ends_a_calendar_month_after_its_issue;
            "MAH-15" issuing::values_outside_the_bounds_and_codes_that_are_taken_are_refused;
            "SHO-01" issuing::short_codes_and_great_values_are_refused_and_a_disabled_card_can_come_back,
                "disabled is reversible and closed is final, as in Square; in Shopify deactivating is final";
            "SAL-13" correcting::an_adjustment_leaves_the_initial_value_alone;
            "SAL-15" correcting::an_adjustment_below_nothing_is_refused,
                "refused whole, as debits are in Square and Shopify; Saleor clamps at nothing";
            "OSC-07" correcting::what_is_left_on_an_ended_card_is_breakage_and_the_legs_sum_to_nothing;
            "SAL-05" paying::each_card_that_pays_has_one_entry_with_its_balances;
            "SET-03" paying::a_card_that_is_used_up_is_exhausted_and_a_dollar_is_due;
            "MED-03" paying::only_a_card_that_is_used_has_an_entry;
            "NOP-01" paying::a_balance_is_the_sum_of_its_entries;
            "WA-05" paying::an_exact_amount_is_paid_whole_or_not_at_all;
            "VGC-03" paying::an_order_that_needs_no_other_payment_is_refused_if_it_would;
            "SPR-03" paying::five_orders_at_once_never_draw_more_than_there_is;
            "SYL-01" paying::an_order_is_not_placed_with_a_card_that_became_unusable;
            "SAL-09" holding::what_is_held_stays_there_and_a_charge_without_cover_fails_whole;
            "VGC-05" holding::a_final_capture_takes_its_part_and_frees_the_rest;
            "VGC-07" holding::a_void_frees_a_hold_and_is_refused_once_it_was_captured;
            "VGC-11" holding::holds_end_by_time_and_a_captured_one_stays;
            "WCP-01" holding::a_declined_payment_debits_nothing_and_the_retry_debits_once;
            "SAL-17" buying::cancelling_the_order_that_bought_a_card_closes_it;
            "MAG-01" buying::refunding_one_of_two_bought_cards_leaves_the_other;
            "MAG-03" buying::a_bought_card_works_once_its_order_is_invoiced;
            "MAH-07" refunding::a_refund_never_shortens_the_time_of_a_card;
            "PIN-03" refunding::what_another_tender_paid_goes_to_a_card_once_and_no_more;
            "SAL-19" shopping::a_card_of_somebody_else_is_told_as_one_that_is_not_there;
            "OSC-05" shopping::three_wrong_codes_in_a_row_make_a_pause,
                "as in Oscar: 3 in a row, a pause of 300 seconds, 10 in all; Maho allows 10 in a window";
        }
    };
}

macro_rules! table {
    ($($id:literal $module:ident::$claim:ident $(, $decided:literal)?;)*) => {
        /// Every scenario that needs a ledger.
        #[must_use]
        pub fn on_ledger() -> Vec<OnLedger> {
            vec![$(OnLedger {
                id: $id,
                claim: stringify!($claim),
                decided: [$($decided)?].first().copied(),
                run: $module::$claim,
            }),*]
        }
    };
}

each_ledger_scenario!(table);

/// Runs the claim of this name, on an empty ledger.
///
/// # Panics
/// Where it does not hold, or does not look at everything that its scenario expects.
pub fn run(claim: &str, fresh: &Fresh) {
    let found = on_ledger().into_iter().find(|scenario| scenario.claim == claim);
    let found = found.unwrap_or_else(|| panic!("no scenario claims {claim}"));
    let scenario = Scenario::of(found.id);
    (found.run)(fresh, &scenario);
    let unread = scenario.unread();
    assert!(unread.is_empty(), "{}: nothing was compared with {unread:?}", found.id);
}

/// Every scenario by its id, as it is in the file.
///
/// # Panics
/// If the file is none, or there are not as many as there were.
#[must_use]
pub fn scenarios() -> BTreeMap<String, Value> {
    let scenarios: Vec<Value> = serde_json::from_str(&file("scenarios.json")).unwrap();
    let by_id = |scenario: Value| (scenario["id"].as_str().unwrap().to_string(), scenario);
    let scenarios: BTreeMap<String, Value> = scenarios.into_iter().map(by_id).collect();
    assert_eq!(scenarios.len(), SCENARIOS);
    scenarios
}

/// Scenarios that are outside the product, each with the reason.
///
/// # Panics
/// If the file is none.
#[must_use]
pub fn outside() -> BTreeMap<String, String> {
    serde_json::from_str(&file("outside.json")).unwrap()
}

fn file(name: &str) -> String {
    fs::read_to_string(project().join("tests/scenarios").join(name)).unwrap()
}

/// A scenario, and which of its expectations were looked at.
pub struct Scenario {
    document: Value,
    read: RefCell<BTreeSet<String>>,
}

impl Scenario {
    /// The scenario with this id.
    ///
    /// # Panics
    /// If there is none.
    #[must_use]
    pub fn of(id: &str) -> Self {
        let document = scenarios().remove(id).unwrap_or_else(|| panic!("{id} is no scenario"));
        Self { document, read: RefCell::default() }
    }

    /// A value by its JSON pointer.
    ///
    /// # Panics
    /// If there is none.
    #[must_use]
    pub fn value(&self, pointer: &str) -> &Value {
        self.read.borrow_mut().insert(pointer.to_string());
        self.document.pointer(pointer).unwrap_or_else(|| panic!("the scenario has no `{pointer}`"))
    }

    /// A text, such as an amount.
    ///
    /// # Panics
    /// If it is none.
    #[must_use]
    pub fn text(&self, pointer: &str) -> &str {
        self.value(pointer).as_str().unwrap_or_else(|| panic!("`{pointer}` is no text"))
    }

    /// A whole number.
    ///
    /// # Panics
    /// If it is none.
    #[must_use]
    pub fn number(&self, pointer: &str) -> i64 {
        self.value(pointer).as_i64().unwrap_or_else(|| panic!("`{pointer}` is no whole number"))
    }

    /// What is expected there is this, in the words of the scenario; the claim shows what it is in ours.
    ///
    /// # Panics
    /// If something else is expected.
    pub fn says(&self, pointer: &str, expected: impl Into<Value>) {
        assert_eq!(*self.value(pointer), expected.into(), "`{pointer}` of the scenario");
    }

    /// Everything expected that no claim has looked at.
    fn unread(&self) -> Vec<String> {
        let mut leaves = Vec::new();
        leaves_of(&self.document["expected"], "/expected", &mut leaves);
        let read = self.read.borrow();
        leaves.into_iter().filter(|leaf| !read.contains(leaf)).collect()
    }
}

fn leaves_of(value: &Value, pointer: &str, leaves: &mut Vec<String>) {
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            fields.iter().for_each(|(name, value)| leaves_of(value, &format!("{pointer}/{name}"), leaves));
        }
        Value::Array(items) if !items.is_empty() => {
            items.iter().enumerate().for_each(|(place, item)| leaves_of(item, &format!("{pointer}/{place}"), leaves));
        }
        // A scenario may expect nothing but what its steps say.
        Value::Object(_) if pointer == "/expected" => {}
        _ => leaves.push(pointer.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_that_a_scenario_expects_has_to_be_read() {
        let scenario = Scenario::of("SET-03");
        let expected = ["/expected/due", "/expected/balances/GIFT-CARD-100", "/expected/status/GIFT-CARD-100"];
        assert_eq!(scenario.unread(), expected);
        let _ = scenario.text("/expected/due");
        scenario.says("/expected/status/GIFT-CARD-100", "used");
        assert_eq!(scenario.unread(), expected[1..2]);
        // One that expects nothing but what its steps say, and one that expects an empty list.
        assert!(Scenario::of("SHO-01").unread().is_empty());
        assert!(Scenario::of("SAL-09").unread().contains(&"/expected/events".to_string()));
    }
}
