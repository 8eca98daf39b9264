//! A short run of the differential test; `cargo xtask differential` is the long one.
#![allow(clippy::unwrap_used, reason = "tests")]

use giftcard_tests::{differential, harness};

#[test]
fn component_native_and_naive_engine_agree() {
    let host = harness::host();
    let book = harness::standard_rulebook(&host);
    for seed in 0..1_500 {
        differential::compare(&book, seed).unwrap_or_else(|error| panic!("{error:#}"));
    }
}
