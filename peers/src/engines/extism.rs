//! Extism: the decision as one WebAssembly module with JSON in and out, once in a fresh instance for each call and once in
//! the same instance for all, as its own examples do. Must not decide anything itself.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use extism::{CompiledPlugin, Manifest, Plugin, PluginBuilder, Wasm};

use super::{Call, Engine};
use crate::decision::Decision;

/// As the limits of this project: instructions, pages of 64 KiB, and time.
const FUEL: u64 = 50_000_000;
const PAGES: u32 = 256;
const DEADLINE: Duration = Duration::from_secs(2);

const LIMITS: &str = "fuel, deadline, memory; none on the stack beyond wasmtime's, none on what comes back but memory";

pub(super) fn fresh() -> Result<Engine> {
    let module = module()?;
    let load = move || -> Result<Call> {
        let compiled = compile(&module)?;
        Ok(Box::new(move |order: &crate::decision::Order| call(&mut Plugin::new_from_compiled(&compiled)?, order)))
    };
    Ok(Engine { name: "extism, fresh instance", limits: LIMITS, load: Box::new(load) })
}

pub(super) fn reused() -> Result<Engine> {
    let module = module()?;
    let load = move || -> Result<Call> {
        let mut plugin = Plugin::new_from_compiled(&compile(&module)?)?;
        Ok(Box::new(move |order: &crate::decision::Order| call(&mut plugin, order)))
    };
    Ok(Engine { name: "extism, one instance", limits: LIMITS, load: Box::new(load) })
}

fn module() -> Result<Vec<u8>> {
    let module = "../target/peers/wasm32-unknown-unknown/release/extism_decision.wasm";
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(module);
    std::fs::read(&path).with_context(|| format!("`{}`; `cargo xtask bench-peers` builds it", path.display()))
}

fn compile(module: &[u8]) -> Result<CompiledPlugin> {
    let manifest = Manifest::new([Wasm::data(module)]).with_memory_max(PAGES).with_timeout(DEADLINE);
    PluginBuilder::new(manifest).with_wasi(false).with_cache_disabled().with_fuel_limit(FUEL).compile()
}

fn call(plugin: &mut Plugin, order: &crate::decision::Order) -> Result<Decision> {
    let answer: String = plugin.call("decide", serde_json::to_string(order)?)?;
    Ok(serde_json::from_str(&answer)?)
}
