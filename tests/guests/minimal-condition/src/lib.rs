//! Condition that accepts everything: what a call costs before a rule does anything.

use giftcard_plugin::prelude::*;

struct Minimal;

impl Condition for Minimal {
    fn describe() -> Description {
        describe("minimal-condition", "1.0.0", "Minimal", "Accepts everything.")
    }

    fn evaluate(request: &Request, _: &Settings, _: &mut Trace) -> Result<Evaluation, Failure> {
        Ok(accept_all(request))
    }
}

giftcard_plugin::export_condition!(Minimal);
