//! Gift card balances that can be trusted.
//!
//! Knows accounts, holds and entries and how they are kept; must not know rules, WebAssembly, HTTP or the text of a code.
//!
//! # Reading order
//!
//! [`model`] are the nouns. [`store`] is what a database has to do, [`sqlite`] and [`postgres`] do it.

pub mod chain;
pub mod draft;
mod ids;
mod known;
mod lanes;
pub mod ledger;
mod locks;
pub mod model;
pub mod operations;
mod packed;
pub mod plan;
pub mod postgres;
mod reads;
pub mod sqlite;
pub mod store;

pub use ledger::Ledger;
pub use plan::{Answer, Facts, LedgerError, Plan, Refused, Request, Stop};
