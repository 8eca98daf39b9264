//! Loads gift card rules as WebAssembly components, calls each in a fresh sandbox, and checks whatever they answer.
//!
//! The only place that knows wasmtime. Knows no database, no HTTP, and nothing of where cards come from.
//!
//! ```
//! use giftcard_host::engine::{Currency, QuoteRequest, card::CardSnapshot, moment::Moment, order::Order, programme::Site};
//! use giftcard_host::{Host, HostConfig, Rulebook};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let gift_card_wasm = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/components/gift-card.wasm");
//! let host = Host::new(HostConfig::default())?;
//! let rulebook = Rulebook::new(host.load_rules("gift-card", &std::fs::read(gift_card_wasm)?)?);
//! let usd = Currency::iso("USD").expect("listed in ISO 4217");
//! let request = QuoteRequest {
//!     order: Order::of_total("main", usd, usd.parse("35.00")?),
//!     site: Site::new("main", usd).into(),
//!     programmes: vec![],
//!     cards: vec![CardSnapshot::new("A", "main", usd, usd.parse("15.00")?)],
//!     now: Moment::new(1_795_000_000_000, 0).expect("within the years that can be represented"),
//! };
//! assert_eq!(rulebook.quote(&request, false)?.quote.due, usd.parse("20.00")?);
//! # Ok(())
//! # }
//! ```
//!
//! A [`Host`] loads components in stages, each with its own error; a [`Rulebook`] holds the rules and the conditions of
//! a shop and answers [`Rulebook::quote`] and [`Rulebook::refund`]. Both may be used from many threads at once. Calls
//! block for microseconds; each component that is asked may wait at most [`Limits::wait_max`] and run at most
//! [`Limits::deadline`], and a quote asks its conditions and the rules in turn. In async code they belong on a thread that
//! may block (see `examples/async_service.rs`), with [`STACK_BYTES_MAX`] of stack and another 256 KiB.
//!
//! Loading compiles. What compiling costs is bounded by [`Limits`] on bytes and functions, not by a deadline: a service that
//! takes components from strangers compiles them in a process of its own, with the system's limits on it.
//!
//! A component that needs more than [`Limits`] says so in its own bytes, and runs only for whoever grants it that:
//! [`Host::wanted`] tells what it asks for, [`Host::load_granted`] loads it with a [`Grant`].
//!
//! A component is spoken to as the version of the contract demands that it was built for, whatever others in the same
//! rulebook were built for. Drafts are spoken only by a host that was compiled with them (the feature `contract-0-2-draft`)
//! and is set up for them ([`HostConfig::drafts`]).
//!
//! To swap a rule, make another rulebook and put it in the place of the first, behind an `Arc`: every request finishes
//! with the one it started with.

mod cache;
mod complexity;
mod component;
mod contract;
mod error;
mod grant;
mod limits;
mod needs;
mod probes;
mod profile;
mod rulebook;
mod sandbox;
mod settings;
mod v0_1;
#[cfg(feature = "contract-0-2-draft")]
mod v0_2;
mod version;

pub use component::{Component, Condition, Facts, Host, HostConfig, Rules};
pub use contract::{CONTRACT, World};
pub use error::{
    CallError, CallFailure, CompileError, ContractError, HostError, LimitsCause, LimitsError, LinkError, LoadError,
    ParseError, ReadCause, ReadError, TrialCause, TrialError, Who,
};
pub use giftcard_engine as engine;
pub use grant::{
    COMPONENT_BYTES_CEILING, DEADLINE_MS_CEILING, FUEL_CEILING, FUNCTION_BYTES_CEILING, FUNCTION_LOCALS_CEILING,
    FUNCTIONS_CEILING, Grant, LIMITS_SECTION, MEMORY_BYTES_CEILING, TABLE_ELEMENTS_CEILING,
};
pub use limits::{
    ANSWER_BYTES_MAX, COMPONENT_BYTES_MAX, DEADLINE, EPOCH_TICK, FUEL_MAX, FUNCTION_BYTES_MAX, FUNCTION_LOCALS_MAX,
    FUNCTIONS_MAX, LOG_BYTES_MAX, LOG_LINES_MAX, Limits, MEMORY_BYTES_MAX, STACK_BYTES_MAX, TABLE_ELEMENTS_MAX,
    WAIT_MAX,
};
pub use profile::{Profile, ProfileError, Profiler};
pub use rulebook::{CallRecord, Moved, Quoted, RefundError, Refunded, Rulebook, Watch, pinned};
pub use sandbox::Allocation;
pub use settings::{Setting, SettingKind, SettingsError};

/// The code of the README compiles.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
