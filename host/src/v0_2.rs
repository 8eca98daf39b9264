//! The draft of version 0.2 of the contract: what it changes of 0.1, which is how a step of an explanation says what was
//! seen. What it left as it was is spoken with the types of `v0_1`: types are compared by structure when a component is
//! checked, and again at every call, so a draft that moves further away is noticed at the first component. Must not decide
//! anything.

use giftcard_engine::check::{Broken, Evaluation};
use giftcard_engine::value::Step;
use wasmtime::component::{ComponentType, Lift, Linker};

use crate::sandbox::{CallState, Sandbox};
use crate::v0_1::bindings::exports::giftcard::rules::condition as same;
use crate::v0_1::bindings::giftcard::rules::{log, types};
use crate::v0_1::{Answer, limits_from_wit, value_from_wit, verdicts_from_wit, write_log};

/// What its names in components end in.
pub(crate) const NUMBER: &str = "0.2.0";

/// Its files.
pub(crate) const SOURCES: &[(&str, &str)] = &[
    ("types.wit", include_str!("../../wit/0.2-draft/types.wit")),
    ("plugin.wit", include_str!("../../wit/0.2-draft/plugin.wit")),
    ("condition.wit", include_str!("../../wit/0.2-draft/condition.wit")),
    ("worlds.wit", include_str!("../../wit/0.2-draft/worlds.wit")),
];

/// What a component is given to import: the log, and nothing else.
pub(crate) fn linker(sandbox: &Sandbox) -> wasmtime::Result<Linker<CallState>> {
    let mut linker = Linker::new(sandbox.engine());
    linker.instance(&format!("giftcard:rules/types@{NUMBER}"))?;
    linker.instance(&format!("giftcard:rules/log@{NUMBER}"))?.func_wrap(
        "write",
        |mut store: wasmtime::StoreContextMut<'_, CallState>, (level, message): (log::Level, String)| {
            write_log(store.data_mut(), level, &message)
        },
    )?;
    Ok(linker)
}

/// A step with values in it.
#[derive(ComponentType, Lift)]
#[component(record)]
pub(crate) struct StepWithValues {
    card: Option<u32>,
    check: String,
    passed: bool,
    seen: types::ValueResult,
    needed: types::ValueResult,
}

/// The answer of a condition.
#[derive(ComponentType, Lift)]
#[component(record)]
pub(crate) struct EvaluationWithValues {
    verdicts: Vec<same::Verdict>,
    limits: Vec<same::SharedLimit>,
    steps: Vec<StepWithValues>,
}

impl Answer for EvaluationWithValues {
    fn raise(self) -> Result<Evaluation, Broken> {
        let step = |step: StepWithValues| {
            let card = step.card.map(|card| card as usize);
            let (seen, needed) = (value_from_wit(step.seen)?.display(), value_from_wit(step.needed)?.display());
            Ok(Step { card, check: step.check, passed: step.passed, seen, needed })
        };
        let steps = self.steps.into_iter().map(step).collect::<Result<_, Broken>>()?;
        Ok(Evaluation { verdicts: verdicts_from_wit(self.verdicts)?, limits: limits_from_wit(self.limits)?, steps })
    }
}
