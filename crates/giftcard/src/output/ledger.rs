//! Answers about the ledger as a whole, as JSON: making one, backups, checkpoints, sweeps. Must not know how it is kept.

use schemars::JsonSchema;
use serde::Serialize;

/// What `giftcard init` found and made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "init-output")]
pub struct InitOutput {
    /// The database, without password.
    pub database: String,
    /// Whether it was made now.
    pub database_made: bool,
    /// The key file.
    pub keys: String,
    /// Whether it was made now.
    pub keys_made: bool,
    /// The site.
    pub site: String,
    /// Whether it was made now.
    pub site_made: bool,
    /// Its currency.
    pub currency: String,
    /// Its time zone.
    pub time_zone: String,
}
