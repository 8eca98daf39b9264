//! Loads gift card rules as WebAssembly components, calls each in a fresh sandbox, and checks whatever they answer.
//!
//! The only place that knows wasmtime. Knows no database, no HTTP, and nothing of where cards come from.

mod limits;
mod error;
mod contract;
mod cache;
mod sandbox;
mod v0_1;
mod settings;
mod component;
mod rulebook;

pub use component::{Component, Condition, Facts, Host, HostConfig, Rules};
pub use contract::{CONTRACT, World};
pub use error::{
    CallError, CallFailure, CompileError, ContractError, HostError, LinkError, LoadError, ParseError, ReadCause, ReadError,
    TrialCause, TrialError, Who,
};
pub use giftcard_engine as engine;
pub use limits::{
    ANSWER_BYTES_MAX, COMPONENT_BYTES_MAX, DEADLINE, EPOCH_TICK, FUEL_MAX, LOG_BYTES_MAX, LOG_LINES_MAX, Limits,
    MEMORY_BYTES_MAX, STACK_BYTES_MAX, TABLE_ELEMENTS_MAX, WAIT_MAX,
};
pub use rulebook::{CallRecord, Quoted, RefundError, Refunded, Rulebook};
pub use sandbox::Allocation;
pub use settings::{Setting, SettingKind, SettingsError};
