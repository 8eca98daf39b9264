//! The decision as a plugin for extism: an order in JSON, a decision in JSON. Must not know the other engines.

mod decision;

use extism_pdk::{FnResult, Json, plugin_fn};

/// What every engine is asked.
#[plugin_fn]
pub fn decide(Json(order): Json<decision::Order>) -> FnResult<Json<decision::Decision>> {
    Ok(Json(decision::decide(&order)))
}
