//! The draft of version 0.2 of the contract: what it adds to 0.1, which is one function. What it left as it was is spoken
//! with the types of `v0_1`: types are compared by structure when a component is checked, and again at every call, so a
//! draft that moves away from 0.1 is noticed at the first component, and needs bindings of its own. Must not decide anything.

use giftcard_engine::value::Value;
use wasmtime::component::{ComponentExportIndex, InstancePre, Linker};

use crate::error::CallFailure;
use crate::sandbox::{CallState, Sandbox};
use crate::v0_1::bindings::giftcard::rules::log;
use crate::v0_1::{Problems, ask_of_settings, exported, write_log};

/// What its names in components end in.
pub(crate) const NUMBER: &str = "0.2.0";

/// Its files.
pub(crate) const SOURCES: &[(&str, &str)] = &[
    ("types.wit", include_str!("../../wit/0.2-draft/types.wit")),
    ("plugin.wit", include_str!("../../wit/0.2-draft/plugin.wit")),
    ("needs.wit", include_str!("../../wit/0.2-draft/needs.wit")),
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

/// The `needs` interface of a linked component.
pub(crate) struct NeedsPre {
    instance: InstancePre<CallState>,
    needs_of: ComponentExportIndex,
}

impl NeedsPre {
    pub(crate) fn new(instance: InstancePre<CallState>) -> wasmtime::Result<Self> {
        let needs_of = exported(&instance, "needs", NUMBER, "needs-of")?;
        Ok(Self { instance, needs_of })
    }
}

/// Asks which parts of the order a binding with these settings reads.
pub(crate) fn needs_of(
    sandbox: &Sandbox,
    needs: &NeedsPre,
    settings: &[(&str, &Value)],
) -> Result<Result<Vec<String>, Problems>, CallFailure> {
    ask_of_settings(sandbox, &needs.instance, needs.needs_of, settings)
}
