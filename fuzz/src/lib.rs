//! What the fuzz targets do with their bytes: one module for each, and what they share. Must not know libFuzzer, so that an
//! input can be looked at without it; must not be built with the product.

pub mod boundary;
pub mod expression;
pub mod loader;

mod bench;

pub use bench::{Bench, bench, timed};

/// All that is left of an input.
fn rest<'a>(random: &mut arbitrary::Unstructured<'a>) -> arbitrary::Result<&'a [u8]> {
    random.bytes(random.len())
}
