//! No condition: counts rows of a category, with texts as strings and with texts in a table, so that what a table would save
//! can be measured.

#![cfg_attr(not(target_arch = "wasm32"), allow(dead_code, reason = "exported by a component alone"))]

use giftcard_plugin as _;

mod bindings {
    //! Generated from this package's own `wit/`.
    #![allow(missing_docs, unreachable_pub, unsafe_code, clippy::all, reason = "generated")]

    wit_bindgen::generate!({ path: "wit", world: "texts" });
}

use bindings::{Guest, IndexedRow, Row};

struct Texts;

fn count(rows: impl Iterator<Item = bool>) -> u32 {
    rows.map(u32::from).sum()
}

fn count_place(rows: &[IndexedRow], place: Option<usize>) -> u32 {
    let Some(place) = place.and_then(|place| u32::try_from(place).ok()) else { return 0 };
    count(rows.iter().map(|row| row.categories.contains(&place)))
}

impl Guest for Texts {
    fn strings(rows: Vec<Row>, category: String) -> u32 {
        count(rows.iter().map(|row| row.categories.contains(&category)))
    }

    fn table(texts: Vec<String>, rows: Vec<IndexedRow>, category: String) -> u32 {
        count_place(&rows, texts.iter().position(|text| *text == category))
    }

    fn joined(text: String, ends: Vec<u32>, rows: Vec<IndexedRow>, category: String) -> u32 {
        let begins = std::iter::once(0).chain(ends.iter().copied());
        let place = begins
            .zip(&ends)
            .position(|(begin, end)| text.get(begin as usize..*end as usize).is_some_and(|entry| entry == category));
        count_place(&rows, place)
    }
}

// Names of exports hold a colon, which only a component's linker takes.
#[cfg(target_arch = "wasm32")]
#[allow(unsafe_code, reason = "generated exports")]
const _: () = {
    bindings::export!(Texts with_types_in bindings);
};
