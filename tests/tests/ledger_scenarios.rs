//! The scenarios from other systems on both stores: those that need a ledger, and the case files of the others.

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

    use super::{Fresh, Kind, scenarios};

    /// Questions that no ledger can be asked, each with the reason. One that could be asked by now fails the test, as
    /// does one that is not here.
    fn impossible() -> BTreeMap<String, String> {
        let text = include_str!("../scenarios/not-on-a-ledger.json");
        serde_json::from_str(text).unwrap()
    }

    fn run_on(kind: Kind) {
        let report = scenarios::stage::run(&Fresh::of(kind));
        assert!(report.wrong.is_empty(), "{} are wrong:\n{}", report.wrong.len(), report.wrong.join("\n"));
        assert_eq!(report.impossible, impossible());
        assert!(report.compared > 0);
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
