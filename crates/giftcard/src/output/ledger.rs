//! Answers about the ledger as a whole, as JSON: making one, backups, checkpoints, sweeps. Must not know how it is kept.

use schemars::JsonSchema;
use serde::Serialize;

use crate::desk::{CheckpointDocument, VerifyReport};

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

/// What `giftcard checkpoint` did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "checkpoint-output")]
pub struct SealedOutput {
    /// Whether there was anything to seal.
    pub sealed: bool,
    /// The checkpoint that was made, else the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checkpoint: Option<CheckpointDocument>,
    /// The file that all checkpoints were exported to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exported: Option<String>,
}

/// What `giftcard backup` wrote.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "backup-output")]
pub struct BackupOutput {
    /// The file.
    pub file: String,
    /// Its size.
    pub bytes: u64,
}

/// What `giftcard restore` restored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "restore-output")]
pub struct RestoreOutput {
    /// The database, without password.
    pub database: String,
    /// What checking it found: nothing wrong.
    pub report: VerifyReport,
}
