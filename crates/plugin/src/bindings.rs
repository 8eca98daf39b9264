//! Generated from `wit/`: the `condition-plugin` world. Nothing here is written by hand but the log line.
#![allow(missing_docs, unreachable_pub, unsafe_code, clippy::all, reason = "generated")]

/// The `condition-plugin` world.
pub mod condition_world {
    wit_bindgen::generate!({
        path: "../../wit/0.1",
        world: "giftcard:rules/condition-plugin",
        pub_export_macro: true,
        export_macro_name: "export",
        default_bindings_module: "giftcard_plugin::condition_world",
        additional_derives: [PartialEq, Clone],
        generate_all,
    });
}

/// Writes a line for the author's own eyes. The host keeps the first few kilobytes of a call; outside a component the
/// line is dropped.
pub fn log_line(message: &str) {
    #[cfg(target_arch = "wasm32")]
    condition_world::giftcard::rules::log::write(condition_world::giftcard::rules::log::Level::Info, message);
    #[cfg(not(target_arch = "wasm32"))]
    let _ = message;
}
