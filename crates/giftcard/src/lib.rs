//! Gift cards for e-commerce: what a platform sends as JSON, what it is answered, and the standard rules and conditions
//! that come inside. The command line of the same name is a thin layer over this.
//!
//! Knows no SQL and no WebAssembly: the engine decides, the host runs components.
//!
//! ```no_run
//! use giftcard::Till;
//! use giftcard_host::{Host, HostConfig};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let host = Host::new(HostConfig::default())?;
//! let till = Till::new(giftcard::standard_rulebook(&host)?);
//! let order = r#"{"order": {"currency": "USD", "total": "35.00"}, "cards": [{"id": "A", "balance": "15.00"}]}"#;
//! let answer = till.quote(order, 1_767_225_600_000, false)?;
//! assert_eq!(answer.due.0, "20.00");
//! # Ok(())
//! # }
//! ```

pub mod authoring;
pub mod codes;
pub mod desk;
pub mod expressions;
pub mod fixtures;
pub mod input;
pub mod output;
pub mod schema;
pub mod secrets;

mod files;
mod json;
mod plugins;
mod till;

pub use desk::{Desk, DeskError, Doing, open_store};
pub use files::{file_problem, without_number};
pub use plugins::{Entry, Origin, PluginsError, Shelf, standard_rulebook};
pub use till::{Till, TillError};
