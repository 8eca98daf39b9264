//! Condition whose start function never ends: no call ever gets as far as the condition.
#![allow(unsafe_code, reason = "the linker looks for this name")]

use giftcard_plugin::prelude::*;

/// Runs while the component is instantiated.
#[unsafe(no_mangle)]
pub extern "C" fn _initialize() {
    loop {
        core::hint::black_box(());
    }
}

struct Started;

impl Condition for Started {
    fn describe() -> Description {
        describe("hostile-start", "1.0.0", "Never starts", "Never gets here.")
    }

    fn evaluate(request: &Request, _: &Settings, _: &mut Trace) -> Result<Evaluation, Failure> {
        Ok(accept_all(request))
    }
}

giftcard_plugin::export_condition!(Started);
