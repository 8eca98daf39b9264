//! The PostgreSQL store against what every store has to do, and against what only a server can do to it: other
//! processes, lost connections, crashes.

use giftcard_ledger::postgres::{PostgresOptions, PostgresStore};
use giftcard_tests::postgres::Cluster;
use giftcard_tests::stores;

fn options(schema: &str) -> PostgresOptions {
    PostgresOptions { schema: schema.to_string(), create: true, ..PostgresOptions::default() }
}

/// A store in a schema of its own.
fn fresh() -> PostgresStore {
    let (url, schema) = Cluster::start().fresh_schema();
    PostgresStore::open(&url, &options(&schema)).unwrap()
}

macro_rules! conformance {
    ($($module:ident::$claim:ident;)*) => {
        mod conformance {
            $(
                #[test]
                fn $claim() {
                    super::stores::claim(stringify!($claim))(&super::fresh());
                }
            )*
        }
    };
}

giftcard_tests::each_store_claim!(conformance);
