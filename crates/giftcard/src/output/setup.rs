//! What a shop has set up, as it is answered: sites, programmes, pools, customers, keys. Must not know how any of it is
//! kept, and never has a code or a key.

use schemars::JsonSchema;
use serde::Serialize;

use crate::input::{CustomerDocument, PoolDocument, ProgrammeDocument, SiteDocument};

/// A site.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "site-output")]
pub struct SiteOutput {
    /// Counts its changes; 1 for the first.
    pub version: u64,
    /// As it was set up.
    pub site: SiteDocument,
}

/// A programme.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "programme-output")]
pub struct ProgrammeOutput {
    /// The site it belongs to.
    pub site: String,
    /// Unique within its site.
    pub code_name: String,
    /// Counts its changes; 1 for the first.
    pub version: u64,
    /// Cards of it exist, so that its value and its currency cannot change any more.
    pub frozen: bool,
    /// As it was set up.
    pub programme: ProgrammeDocument,
    /// What should be known about it, such as that its codes are easy to guess.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

/// A pool of codes.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "pool-output")]
pub struct PoolOutput {
    /// The site it belongs to.
    pub site: String,
    /// Counts its changes; 1 for the first.
    pub version: u64,
    /// As it was set up.
    pub pool: PoolDocument,
    /// How many codes can be drawn.
    pub free: u64,
    /// How many are put aside.
    pub reserved: u64,
    /// How many belong to cards.
    pub drawn: u64,
    /// How many are never used.
    pub withdrawn: u64,
    /// Whether fewer are free than the pool should have.
    pub is_low: bool,
    /// What should be known about it, such as that its codes are easy to guess.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

/// Codes that were made for a pool, or taken out of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "pool-change-output")]
pub struct PoolChangeOutput {
    /// The pool.
    pub pool: String,
    /// How many codes.
    pub codes: u64,
    /// How many can be drawn now.
    pub free: u64,
}

/// What became of a file of codes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "import-output")]
pub struct ImportOutput {
    /// The pool.
    pub pool: String,
    /// How many codes are new in the pool.
    pub imported: u64,
    /// How many were in the pool already.
    pub skipped: u64,
    /// How many lines were not taken.
    pub refused: u64,
    /// Why lines were not taken: the first of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<LineProblemOutput>,
    /// Columns of the file that say nothing about a code, and were not read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub columns_unread: Vec<String>,
    /// How many can be drawn now.
    pub free: u64,
}

/// Why a line was not taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "LineProblem")]
pub struct LineProblemOutput {
    /// The line, from 1.
    pub line: u64,
    /// What is wrong with it. Never shows the code.
    pub message: String,
}

/// A customer.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "customer-output")]
pub struct CustomerOutput {
    /// The site.
    pub site: String,
    /// Counts the changes; 1 for the first.
    pub version: u64,
    /// As it was set up.
    pub customer: CustomerDocument,
}

/// What was erased of a customer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "erased-output")]
pub struct ErasedOutput {
    /// The site.
    pub site: String,
    /// The id, which stays: cards and store credit name it.
    pub customer: String,
    /// Whether there was a record with name, phone and the like.
    pub record: bool,
    /// How many requests had personal fields. Their decisions can be checked but not run again.
    pub requests: u64,
}

/// A page of a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "page-of-{T}")]
pub struct PageOutput<T> {
    /// What is on it.
    pub items: Vec<T>,
    /// Where the next page begins; left out on the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// The keys of codes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "keys-output")]
pub struct KeysOutput {
    /// Versions of the keys that codes are found by, the newest first.
    pub peppers: Vec<PepperOutput>,
    /// Versions of the keys that seal codes, the newest first.
    pub sealing: Vec<u32>,
}

/// A version of the keys that codes are found by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "Pepper")]
pub struct PepperOutput {
    /// The version.
    pub version: u32,
    /// How many codes of usable cards, and free ones of pools, are found by it and nothing else.
    pub codes: u64,
    /// Whether new codes get it.
    pub newest: bool,
    /// Whether it is in the key file. Codes of a version that is not cannot be found.
    pub known: bool,
}
