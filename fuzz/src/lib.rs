//! What the fuzz targets do with their bytes: one module for each, and what they share. Must not know libFuzzer, so that an
//! input can be looked at without it; must not be built with the product.

pub mod boundary;
pub mod expression;
pub mod loader;

mod bench;

pub use bench::{Bench, bench, timed};
