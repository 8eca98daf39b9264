//! The engines that are compared. Each takes an order in plain Rust and answers a decision in plain Rust: what it takes to
//! bring them over is part of a call. Must not know how calls are timed.

mod cel;
#[cfg(feature = "extism")]
mod extism;
mod giftcard;
mod rhai;
#[cfg(feature = "zen")]
mod zen;

use anyhow::Result;

use crate::decision::{Decision, Order, decide};

/// Answers an order.
pub type Call = Box<dyn FnMut(&Order) -> Result<Decision>>;

/// An engine, and how it is made ready: from source or bytes to something that can be called, nothing kept from before.
pub struct Engine {
    pub name: &'static str,
    /// Those that are on, and what there is none for.
    pub limits: &'static str,
    pub load: Box<dyn Fn() -> Result<Call>>,
}

/// All of them, plain Rust first.
pub fn all() -> Result<Vec<Engine>> {
    let native = Engine {
        name: "plain Rust",
        limits: "none",
        load: Box::new(|| Ok(Box::new(|order: &Order| Ok(decide(order))))),
    };
    #[cfg_attr(not(any(feature = "extism", feature = "zen")), expect(unused_mut, reason = "features add to it"))]
    let mut engines = vec![native, giftcard::engine()?, giftcard::compiled_before()?, rhai::engine(), cel::engine()];
    #[cfg(feature = "extism")]
    engines.extend([extism::fresh()?, extism::reused()?]);
    #[cfg(feature = "zen")]
    engines.push(zen::engine());
    Ok(engines)
}
