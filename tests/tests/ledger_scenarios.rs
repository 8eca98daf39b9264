//! The scenarios from other systems on both stores: those that need a ledger, and the case files of the others.

#![allow(clippy::unwrap_used, reason = "tests")]

use giftcard_tests::both::{Fresh, Kind};
use giftcard_tests::scenarios;

macro_rules! tests {
    ($($id:literal $module:ident::$claim:ident $(, $decided:literal)?;)*) => {
        mod sqlite {
            $(
                #[test]
                fn $claim() {
                    super::scenarios::run(stringify!($claim), &super::Fresh::of(super::Kind::Sqlite));
                }
            )*
        }

        mod postgres {
            $(
                #[test]
                fn $claim() {
                    super::scenarios::run(stringify!($claim), &super::Fresh::of(super::Kind::Postgres));
                }
            )*
        }
    };
}

giftcard_tests::each_ledger_scenario!(tests);

mod cases {
    use std::collections::BTreeMap;

    use serde_json::Value;

    use super::{Fresh, Kind, scenarios};

    /// Questions that no ledger can be asked, each with the reason. One that could be asked by now fails the test, as
    /// does one that is not here.
    fn impossible() -> BTreeMap<String, String> {
        let text = include_str!("../scenarios/not-on-a-ledger.json");
        serde_json::from_str(text).unwrap()
    }

    fn run_on(kind: Kind) {
        let report = scenarios::stage::run(&Fresh::of(kind));
        assert!(report.wrong.is_empty(), "{:#?}", report.wrong);
        assert_eq!(report.impossible, impossible());
        assert!(report.decided > 0 && report.compared > report.decided);
    }

    /// One cent more or less of anything is noticed in every case.
    #[test]
    fn a_decision_that_says_something_else_is_found() {
        let other = |amount: &mut Value| {
            let last = amount.as_str().unwrap().chars().last().unwrap();
            let digits = amount.as_str().unwrap().len() - 1;
            let digit = if last == '9' { '8' } else { char::from(last as u8 + 1) };
            *amount = format!("{}{digit}", &amount.as_str().unwrap()[..digits]).into();
        };
        let report = scenarios::stage::run_changed(&Fresh::of(Kind::Sqlite), &|decision| {
            let of_refund = decision.get("shares").is_some();
            other(if of_refund { &mut decision["shares"][0]["applied"] } else { &mut decision["due"] });
        });
        assert_eq!(report.wrong.len(), report.decided);
        let report = scenarios::stage::run_changed(&Fresh::of(Kind::Sqlite), &|decision| {
            let items = if decision.get("shares").is_some() { "shares" } else { "cards" };
            for item in decision[items].as_array_mut().into_iter().flatten() {
                other(&mut item["taken"]);
            }
        });
        // A quote of no card at all takes nothing of any.
        let without_cards = report.decided - report.wrong.len();
        assert!((1..5).contains(&without_cards), "{without_cards}");
    }

    #[test]
    fn every_case_is_paid_on_sqlite_as_it_was_decided() {
        run_on(Kind::Sqlite);
    }

    #[test]
    fn every_case_is_paid_on_postgres_as_it_was_decided() {
        run_on(Kind::Postgres);
    }
}
