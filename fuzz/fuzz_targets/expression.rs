//! libFuzzer's way into `giftcard_fuzz::expression`. Must not do anything with an input by itself.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| giftcard_fuzz::timed(input, giftcard_fuzz::expression::run));
