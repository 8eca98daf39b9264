//! Condition that wants a clock, which the contract does not give.

use giftcard_plugin as _;

mod bindings {
    //! Generated from `wit/` and the import below.
    #![allow(missing_docs, unreachable_pub, unsafe_code, clippy::all, reason = "generated")]

    wit_bindgen::generate!({
        inline: "
            package test:undeclared;
            interface clock { now: func() -> u64; }
            world with-clock {
                import clock;
                include giftcard:rules/condition-plugin@0.1.0;
            }
        ",
        path: "../../../wit/0.1",
        world: "test:undeclared/with-clock",
        generate_all,
    });
}

use bindings::exports::giftcard::rules::condition::{Evaluation, Guest as Condition, Request, Verdict};
use bindings::exports::giftcard::rules::plugin::{Description, Guest as Plugin, Problem};
use bindings::giftcard::rules::types::{Failure, Named};
use bindings::test::undeclared::clock;

struct Clocked;

impl Plugin for Clocked {
    fn describe() -> Description {
        Description {
            id: "undeclared-import".into(),
            version: "1.0.0".into(),
            title: "Wants a clock".into(),
            summary: String::new(),
            settings: Vec::new(),
            reject_codes: Vec::new(),
            needs: Vec::new(),
            shares_limits: false,
        }
    }

    fn check_settings(_: Vec<Named>) -> Result<(), Vec<Problem>> {
        Ok(())
    }
}

impl Condition for Clocked {
    fn needs_of(_: Vec<Named>) -> Result<Vec<String>, Vec<Problem>> {
        Ok(Vec::new())
    }

    fn evaluate(request: Request, _: Vec<Named>, _: bool) -> Result<Evaluation, Failure> {
        let odd = clock::now() % 2 == 1;
        let verdict = |_| if odd { Verdict::Accept } else { Verdict::AcceptUpTo(0) };
        Ok(Evaluation { verdicts: request.cards.iter().map(verdict).collect(), limits: Vec::new(), steps: Vec::new() })
    }
}

// Names of exports hold a colon, which only a component's linker takes.
#[cfg(target_arch = "wasm32")]
#[allow(unsafe_code, reason = "generated exports")]
const _: () = {
    bindings::export!(Clocked with_types_in bindings);
};
