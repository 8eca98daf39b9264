//! Checks a whole ledger from its first operation on: every hash, every balance, what is held, every checkpoint, and the
//! recorded decisions, which are run again. Works while others write. Must not know SQL, and mends nothing.
//!
//! What it cannot see: a ledger that was rewritten from some operation on, with everything after it, by somebody who has
//! the key file too; and what happened since the last checkpoint, if the newest operations were taken away together with
//! their traces in accounts and documents. Both show against checkpoints that were exported before: see
//! [`VerifyOptions::exported`].

mod accounts;
mod chains;
mod components;
mod decisions;
mod holds;
mod one;
mod seals;

use std::fmt;

use giftcard_ledger::model::{Id, OperationKey};
use giftcard_ledger::store::{Checkpoint, Numbered, Store, StoreError};
use schemars::JsonSchema;
use serde::Serialize;

use super::{Desk, DeskError};
use chains::Chains;
use decisions::Reruns;
use seals::Seals;

pub(crate) use chains::decimal;
pub use decisions::DecisionCounts;
pub use one::OperationVerdict;

/// Findings that are told; the rest is only counted.
pub const FINDINGS_MAX: usize = 100;

/// Operations that are read at a time.
const PAGE: usize = 256;

/// What is found of an operation that the index of keys does not have.
pub(super) const NOT_UNDER_ITS_KEY: &str = "not-under-its-key";

/// Numbers of operations that are passed over, one by one, to get behind one that cannot be read.
const UNREADABLE_MAX: u32 = 100_000;

/// What is checked beside the books.
#[derive(Clone, Debug, Default)]
pub struct VerifyOptions {
    /// Which decisions are run again.
    pub decisions: Decisions,
    /// Checkpoints that were exported before: each must still be there, as it was.
    pub exported: Vec<Checkpoint>,
}

/// Which recorded decisions are run again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Decisions {
    /// Every one.
    #[default]
    All,
    /// So many, by chance.
    Sample(usize),
    /// None.
    None,
}

/// How far it has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// What is being checked.
    pub stage: Stage,
    /// How many of it were checked.
    pub done: u64,
    /// How many there are, as far as it is known; of operations, the numbers that they go up to.
    pub total: Option<u64>,
}

/// What is being checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Operations, their entries and decisions.
    Operations,
    /// Accounts.
    Accounts,
    /// Holds.
    Holds,
    /// Checkpoints, as far as the operations did not settle them.
    Checkpoints,
    /// A sample of decisions.
    Decisions,
}

impl Stage {
    /// What it is called.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Operations => "operations",
            Self::Accounts => "accounts",
            Self::Holds => "holds",
            Self::Checkpoints => "checkpoints",
            Self::Decisions => "decisions",
        }
    }
}

/// Something that is not as it must be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "Finding")]
pub struct Finding {
    /// Stable kebab-case code.
    pub code: &'static str,
    /// What is wrong.
    pub message: String,
    /// The site of the operation that is wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub site: Option<String>,
    /// The key of the operation that is wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operation: Option<String>,
    /// The card or store credit that is wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// The hold that is wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hold: Option<String>,
    /// The number of the checkpoint that is wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checkpoint: Option<u64>,
}

impl Finding {
    fn new(code: &'static str, message: impl Into<String>) -> Self {
        let message = message.into();
        Self { code, message, site: None, operation: None, account: None, hold: None, checkpoint: None }
    }

    fn of(self, operation: &OperationKey) -> Self {
        Self { site: Some(operation.site.clone()), operation: Some(operation.key.clone()), ..self }
    }

    fn on(self, account: Id) -> Self {
        Self { account: Some(account.to_string()), ..self }
    }

    fn at(self, checkpoint: u64) -> Self {
        Self { checkpoint: Some(checkpoint), ..self }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// What was found, bounded.
#[derive(Default)]
struct Findings {
    told: Vec<Finding>,
    total: u64,
}

impl Findings {
    fn add(&mut self, finding: Finding) {
        self.total += 1;
        if self.told.len() < FINDINGS_MAX {
            self.told.push(finding);
        }
    }
}

/// What `giftcard verify` found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "verify-output")]
pub struct VerifyReport {
    /// Whether nothing is wrong.
    pub sound: bool,
    /// Operations that were checked.
    pub operations: u64,
    /// Entries that were checked, of accounts and of counters.
    pub entries: u64,
    /// Accounts whose row was compared with the end of its chain.
    pub accounts: u64,
    /// Open holds that were compared with what is held.
    pub holds: u64,
    /// Checkpoints that were checked.
    pub checkpoints: u64,
    /// Sealed heads that were compared with entries.
    pub sealed_heads: u64,
    /// Installed components whose bytes were compared with their digests.
    pub components: u64,
    /// Decisions that were run again.
    pub decisions: DecisionCounts,
    /// How many things are wrong.
    pub findings_total: u64,
    /// The first of them.
    pub findings: Vec<Finding>,
}

impl Desk {
    /// Checks the whole ledger. What others commit meanwhile is caught up with and not reported; at the end everything
    /// that was there at the beginning was checked. `progress` is called often.
    ///
    /// # Errors
    /// [`DeskError::Store`] where the database cannot be read; what is wrong in it is in the report.
    pub fn verify(
        &self,
        options: &VerifyOptions,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<VerifyReport, DeskError> {
        let key = self.secrets().public_key();
        match options.decisions {
            Decisions::None => verify_books(self.store(), Some(&key), options, progress),
            Decisions::All => decisions::on_all_cores(self, |reruns| {
                Verification::new(self.store(), Some(&key), options).run(Some(reruns), progress)
            }),
            Decisions::Sample(count) => {
                let seed = rand::Rng::next_u64(&mut **self.randomness());
                let mut sample = decisions::Sample::new(count, seed);
                let mut report =
                    Verification::new(self.store(), Some(&key), options).run(Some(&mut sample), progress)?;
                decisions::run_sample(self, &sample, &mut report, progress)?;
                Ok(report)
            }
        }
    }
}

/// Checks a ledger without running decisions again: as [`Desk::verify`], for where there are no rules. `key` is the public
/// key that checkpoints must be signed with; each may have its own where there is none.
///
/// # Errors
/// As [`Desk::verify`].
pub fn verify_books(
    store: &dyn Store,
    key: Option<&[u8; 32]>,
    options: &VerifyOptions,
    progress: &mut dyn FnMut(Progress),
) -> Result<VerifyReport, DeskError> {
    Verification::new(store, key, options).run(None, progress)
}

/// One walk through a ledger.
struct Verification<'a> {
    store: &'a dyn Store,
    key: Option<&'a [u8; 32]>,
    options: &'a VerifyOptions,
    findings: Findings,
}

impl<'a> Verification<'a> {
    fn new(store: &'a dyn Store, key: Option<&'a [u8; 32]>, options: &'a VerifyOptions) -> Self {
        Self { store, key, options, findings: Findings::default() }
    }

    /// `reruns` gets every operation that has a decision.
    fn run(
        mut self,
        mut reruns: Option<&mut dyn Reruns>,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<VerifyReport, DeskError> {
        let total = last_sequence(self.store)?;
        let mut chains = Chains::new(self.store);
        let mut seals = Seals::begin(self.store, self.key, &self.options.exported, &mut self.findings)?;
        seals.advance(&chains, &mut self.findings)?;
        let mut after = 0;
        loop {
            let page = self.page(&mut after)?;
            let Some(last) = page.last().map(|numbered| numbered.sequence) else { break };
            self.keys(&page)?;
            for numbered in page {
                chains.operation(&numbered, &mut seals, &mut self.findings)?;
                if let Some(reruns) = reruns.as_deref_mut()
                    && numbered.operation.decision.is_some()
                {
                    reruns.operation(numbered.sequence, numbered.operation);
                }
            }
            seals.advance(&chains, &mut self.findings)?;
            progress(Progress { stage: Stage::Operations, done: last.max(0).unsigned_abs(), total: Some(total) });
            after = last;
        }
        chains.sums(&mut self.findings)?;
        let accounts = accounts::check(&mut chains, &mut seals, &mut self.findings, progress)?;
        let holds = holds::check(&chains, &mut self.findings, progress)?;
        seals.finish(&chains, &mut self.findings, progress)?;
        let components = components::check(self.store, &mut self.findings)?;
        let decisions = match reruns {
            Some(reruns) => reruns.finish(&mut self.findings)?,
            None => DecisionCounts::default(),
        };
        Ok(VerifyReport {
            sound: self.findings.total == 0,
            operations: chains.operations,
            entries: chains.entries,
            accounts,
            holds,
            checkpoints: seals.checkpoints(),
            sealed_heads: seals.heads,
            components,
            decisions,
            findings_total: self.findings.total,
            findings: self.findings.told,
        })
    }

    /// Whether each of them is found by who repeats it.
    fn keys(&mut self, page: &[Numbered]) -> Result<(), StoreError> {
        let astray = match self.store.not_found_by_key(page) {
            Err(StoreError::Corrupt(why)) => {
                self.findings.add(Finding::new("unreadable", format!("the index of keys cannot be read: {why}")));
                return Ok(());
            }
            read => read?,
        };
        for numbered in page.iter().filter(|numbered| astray.contains(&numbered.sequence)) {
            let key = &numbered.operation.key;
            let message = format!(
                "operation `{}` is not what is found under its key, and could be done again; to restore a backup makes the \
                 index of keys anew",
                key.key
            );
            self.findings.add(Finding::new(NOT_UNDER_ITS_KEY, message).of(key));
        }
        Ok(())
    }

    /// The next operations after `after`. One that cannot be read is told and passed over, which moves `after`.
    fn page(&mut self, after: &mut i64) -> Result<Vec<Numbered>, StoreError> {
        match self.store.operations(*after, PAGE) {
            Err(StoreError::Corrupt(_)) => {}
            read => return read,
        }
        let mut told = String::new();
        for _ in 0..UNREADABLE_MAX {
            match self.store.operations(*after, 1) {
                Err(StoreError::Corrupt(why)) => {
                    if why != told {
                        let message = format!("an operation after number {after} cannot be read: {why}");
                        self.findings.add(Finding::new("unreadable", message));
                        told = why;
                    }
                    *after = after.saturating_add(1);
                }
                read => return read,
            }
        }
        let message = format!("operations after number {after} cannot be read at all; they were not checked");
        self.findings.add(Finding::new("unreadable", message));
        Ok(Vec::new())
    }
}

/// About the greatest number of an operation: where nothing is after it.
fn last_sequence(store: &dyn Store) -> Result<u64, StoreError> {
    let is_there = |after: i64| match store.operations(after, 1) {
        Ok(found) => Ok(!found.is_empty()),
        Err(StoreError::Corrupt(_)) => Ok(true),
        Err(error) => Err(error),
    };
    let mut above: i64 = 1;
    while above < i64::MAX / 2 && is_there(above)? {
        above *= 2;
    }
    let mut below = above / 2;
    while below + 1 < above {
        let middle = below + (above - below) / 2;
        if is_there(middle)? { below = middle } else { above = middle }
    }
    Ok(above.unsigned_abs())
}

/// The operation with this number.
fn numbered(store: &dyn Store, sequence: i64) -> Result<Option<Numbered>, StoreError> {
    let found = store.operations(sequence.saturating_sub(1), 1)?;
    Ok(found.into_iter().find(|numbered| numbered.sequence == sequence))
}
