//! Condition of another contract under the same name and version.

use giftcard_plugin as _;

mod bindings {
    //! Generated from this package's own `wit/`.
    #![allow(missing_docs, unreachable_pub, unsafe_code, clippy::all, reason = "generated")]

    wit_bindgen::generate!({ path: "wit", world: "condition-plugin" });
}

use bindings::exports::giftcard::rules::condition::{Guest as Condition, Verdict};
use bindings::exports::giftcard::rules::plugin::{Description, Guest as Plugin};

struct Other;

impl Plugin for Other {
    fn describe() -> Description {
        Description { id: "wrong-world".into(), version: "1.0.0".into(), title: "Another contract".into() }
    }
}

impl Condition for Other {
    fn evaluate(_: i64, cards: Vec<i64>) -> Vec<Verdict> {
        cards.iter().map(|_| Verdict::Accept).collect()
    }
}

// Names of exports hold a colon, which only a component's linker takes.
#[cfg(target_arch = "wasm32")]
#[allow(unsafe_code, reason = "generated exports")]
const _: () = {
    bindings::export!(Other with_types_in bindings);
};
