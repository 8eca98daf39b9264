//! Generated from `wit/`: both worlds, with one set of shared types. Nothing here is written by hand but the names.
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

/// The `gift-card` world.
pub mod rules_world {
    wit_bindgen::generate!({
        path: "../../wit/0.1",
        world: "giftcard:rules/gift-card",
        pub_export_macro: true,
        export_macro_name: "export",
        default_bindings_module: "giftcard_plugin::rules_world",
        additional_derives: [PartialEq, Clone],
        with: {
            "giftcard:rules/types@0.1.0": crate::bindings::condition_world::giftcard::rules::types,
            "giftcard:rules/log@0.1.0": crate::bindings::condition_world::giftcard::rules::log,
        },
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
