//! Every claim of `giftcard_tests::stores` on SQLite, on the disk that temporary files are on. A claim gets a store of its
//! own, which is empty. What else is asked of the store in a file is beside its source.

#![allow(clippy::unwrap_used, reason = "tests")]

use giftcard_ledger::sqlite::{SqliteOptions, SqliteStore};

fn hold_to(claim: &str) {
    let folder = tempfile::tempdir().unwrap();
    let options = SqliteOptions { create: true, ..SqliteOptions::default() };
    let store = SqliteStore::open(&folder.path().join("ledger.db"), &options).unwrap();
    giftcard_tests::stores::claim(claim)(&store);
}

macro_rules! tests {
    ($($module:ident::$claim:ident;)*) => {
        $(
            #[test]
            fn $claim() {
                hold_to(stringify!($claim));
            }
        )*
    };
}

giftcard_tests::each_store_claim!(tests);
