//! Filling pools and taking codes out of them, many at a time: every batch is written whole, and what is done stays
//! done. Must not know what codes are for.

use std::collections::BTreeSet;
use std::io::Read;

use giftcard_engine::moment::InstantMs;
use giftcard_ledger::Refused;
use giftcard_ledger::model::{Code, CodeState};
use giftcard_ledger::store::{Changes, CodeChange, Verdict, Want};

use super::super::cards::{custom_hint, same_code, unseal, weak_refused};
use super::super::{Desk, DeskError};
use super::pattern_of;
use crate::codes::{SecretCode, Strength, read_codes};
use crate::input::InputErrorKind;
use crate::output::{ImportOutput, LineProblemOutput, PoolChangeOutput};

/// Most codes that are generated at once.
pub const GENERATE_MAX: u64 = 1_000_000;

/// Codes written in one transaction.
const BATCH: usize = 500;

/// How often a batch is begun anew because others write the same codes.
const ATTEMPTS_MAX: u32 = 50;

/// Problems of a file that are told one by one.
const PROBLEMS_TOLD: usize = 100;

/// A code on its way into a pool.
struct Incoming {
    text: SecretCode,
    hint: Option<String>,
    /// Its line, where it comes from a file.
    line: u64,
}

/// What is at the site already with the text of a code.
#[derive(Clone, Copy, PartialEq, Eq)]
enum There {
    Nothing,
    InThisPool,
    Elsewhere,
}

impl Desk {
    /// Generates codes into a pool, 1 to [`GENERATE_MAX`]. `progress` is told after each batch how many are in the
    /// pool.
    ///
    /// # Errors
    /// [`DeskError::Input`] naming the field; [`Refused`] code `pattern-exhausted`; [`DeskError::Busy`]. What
    /// `progress` was told is in the pool even then.
    pub fn generate_codes(
        &self,
        site: &str,
        pool: &str,
        count: u64,
        now: InstantMs,
        progress: &mut dyn FnMut(u64),
    ) -> Result<PoolChangeOutput, DeskError> {
        let document = self.pool_document(site, pool)?;
        let pattern = pattern_of(&document)?;
        if !(1..=GENERATE_MAX).contains(&count) {
            let problem = format!("is {count}; 1 to {GENERATE_MAX} codes are generated at once");
            return Err(DeskError::input(InputErrorKind::InvalidValue, "count", problem));
        }
        let made: u64 = self.store().code_counts(site, pool)?.values().sum();
        let full = |full: crate::codes::NoRoom| Refused::mistake("pattern-exhausted", full.to_string());
        pattern.check_room(made, count).map_err(full)?;
        let mut done = 0;
        while done < count {
            let batch = usize::try_from(count - done).unwrap_or(BATCH).min(BATCH);
            self.generate_batch(site, pool, &pattern, batch, now)?;
            done += batch as u64;
            progress(done);
        }
        self.pool_change(site, pool, done)
    }

    fn generate_batch(
        &self,
        site: &str,
        pool: &str,
        pattern: &crate::codes::Pattern,
        count: usize,
        now: InstantMs,
    ) -> Result<(), DeskError> {
        for _ in 0..ATTEMPTS_MAX {
            let mut new: Vec<Incoming> = Vec::with_capacity(count);
            // Of a weak pattern some codes may be there already.
            for _ in 0..ATTEMPTS_MAX {
                let codes = self.generate(pattern, count - new.len())?;
                let codes: Vec<Incoming> =
                    codes.into_iter().map(|(text, hint)| Incoming { text, hint, line: 0 }).collect();
                let there = self.are_there(site, pool, &codes)?;
                let mut seen: BTreeSet<_> = new.iter().map(|code| same_code(code.text.reveal())).collect();
                for (code, there) in codes.into_iter().zip(there) {
                    if there == There::Nothing && seen.insert(same_code(code.text.reveal())) {
                        new.push(code);
                    }
                }
                if new.len() == count {
                    break;
                }
            }
            if new.len() < count {
                let message = "nearly every code of the pattern exists; add placeholders to it";
                return Err(Refused::mistake("pattern-exhausted", message).into());
            }
            if self.add(site, pool, &new, now)? == Verdict::Committed {
                return Ok(());
            }
        }
        Err(DeskError::Busy)
    }

    /// Reads codes from a CSV file into a pool. Lines that cannot be taken are counted and told, the others are taken;
    /// codes that the pool has already are passed over. `progress` is told after each batch how many codes are done.
    ///
    /// # Errors [`Refused`] code `file-unreadable` for a file that is no such file from some line on; then nothing of
    /// it is taken. [`DeskError::Busy`], [`DeskError::Store`]: the same file can be imported again.
    pub fn import_codes(
        &self,
        site: &str,
        pool: &str,
        file: impl Read,
        accept_weak: bool,
        now: InstantMs,
        progress: &mut dyn FnMut(u64),
    ) -> Result<ImportOutput, DeskError> {
        self.pool_document(site, pool)?;
        let mut report = ImportOutput {
            pool: pool.to_string(),
            imported: 0,
            skipped: 0,
            refused: 0,
            problems: Vec::new(),
            columns_unread: Vec::new(),
            free: 0,
        };
        let codes = read_file(file, accept_weak, &mut report)?;
        let mut done = 0;
        for batch in codes.chunks(BATCH) {
            self.import_batch(site, pool, batch, now, &mut report)?;
            done += batch.len() as u64;
            progress(done);
        }
        // Those that were found out while writing come after those found out while reading.
        report.problems.sort_by_key(|problem| problem.line);
        report.problems.truncate(PROBLEMS_TOLD);
        report.free = self.free_codes(site, pool)?;
        Ok(report)
    }

    fn import_batch(
        &self,
        site: &str,
        pool: &str,
        batch: &[Incoming],
        now: InstantMs,
        report: &mut ImportOutput,
    ) -> Result<(), DeskError> {
        for _ in 0..ATTEMPTS_MAX {
            let there = self.are_there(site, pool, batch)?;
            let with = |wanted: There| batch.iter().zip(&there).filter(move |(_, there)| **there == wanted);
            let new: Vec<&Incoming> = with(There::Nothing).map(|(code, _)| code).collect();
            if !new.is_empty() && self.add(site, pool, new.iter().copied(), now)? != Verdict::Committed {
                continue;
            }
            report.imported += new.len() as u64;
            report.skipped += with(There::InThisPool).count() as u64;
            for (code, _) in with(There::Elsewhere) {
                refuse_line(
                    report,
                    code.line,
                    "the code is in use at the site already, outside of this pool".to_string(),
                );
            }
            return Ok(());
        }
        Err(DeskError::Busy)
    }

    /// Takes free codes out of a pool for good: `count` of them, or all.
    ///
    /// # Errors
    /// [`DeskError::Input`] naming the field; [`Refused`] code `pool-empty` where fewer are free; [`DeskError::Busy`].
    pub fn withdraw_codes(&self, site: &str, pool: &str, count: Option<u64>) -> Result<PoolChangeOutput, DeskError> {
        self.pool_document(site, pool)?;
        let free = self.free_codes(site, pool)?;
        match count {
            Some(0) => {
                let problem = "is 0; say how many codes are withdrawn, or leave it out for all";
                return Err(DeskError::input(InputErrorKind::InvalidValue, "count", problem));
            }
            Some(count) if count > free => {
                let message = format!("{count} codes are to be withdrawn, and {free} are free");
                return Err(Refused::mistake("pool-empty", message).into());
            }
            _ => {}
        }
        let (mut done, mut conflicts) = (0, 0);
        loop {
            let left = count.map_or(BATCH, |count| usize::try_from(count - done).unwrap_or(BATCH)).min(BATCH);
            let codes = self.store().codes(site, pool, CodeState::Free, None, left)?;
            if codes.is_empty() {
                return self.pool_change(site, pool, done);
            }
            let withdrawn = |code: Code| CodeChange {
                before: Some(code.version),
                after: Code { state: CodeState::Withdrawn, sealed: None, ..code },
            };
            let codes: Vec<CodeChange> = codes.into_iter().map(withdrawn).collect();
            let batch = codes.len() as u64;
            if self.ledger().write(Changes { codes, ..Changes::default() })? == Verdict::Committed {
                done += batch;
            } else {
                conflicts += 1;
                if conflicts > ATTEMPTS_MAX {
                    return Err(DeskError::Busy);
                }
            }
        }
    }

    /// Moves the codes that wait in pools to the newest pepper. Every process on the database must know it by then.
    /// Returns how many were moved.
    ///
    /// # Errors
    /// [`DeskError::Store`]; [`DeskError::Secrets`] where a seal does not open.
    pub fn renew_pools(&self, progress: &mut dyn FnMut(u64)) -> Result<u64, DeskError> {
        let mut moved = 0;
        for site in self.sites()? {
            for pool in self.pools(&site.site.id)? {
                for state in [CodeState::Free, CodeState::Reserved] {
                    moved += self.renew_pool(&site.site.id, &pool.pool.name, state, moved, progress)?;
                }
            }
        }
        Ok(moved)
    }

    fn renew_pool(
        &self,
        site: &str,
        pool: &str,
        state: CodeState,
        before: u64,
        progress: &mut dyn FnMut(u64),
    ) -> Result<u64, DeskError> {
        let secrets = self.secrets();
        let (mut after, mut moved) = (None, 0);
        loop {
            let page = self.store().codes(site, pool, state, after, BATCH)?;
            let Some(last) = page.last() else { return Ok(moved) };
            after = Some(last.id);
            let mut codes = Vec::new();
            for code in page.into_iter().filter(|code| code.pepper != secrets.newest_pepper()) {
                if let Some(text) = unseal(&secrets, &code)? {
                    let (pepper, lookup) = (secrets.newest_pepper(), secrets.lookup(site, text.reveal()));
                    codes.push(CodeChange { before: Some(code.version), after: Code { lookup, pepper, ..code } });
                }
            }
            let batch = codes.len() as u64;
            // A code that somebody drew meanwhile moves when it is presented.
            if batch > 0 && self.ledger().write(Changes { codes, ..Changes::default() })? == Verdict::Committed {
                moved += batch;
                progress(before + moved);
            }
        }
    }

    /// What is at the site already of each code, whatever pepper it is found by.
    fn are_there(&self, site: &str, pool: &str, codes: &[Incoming]) -> Result<Vec<There>, DeskError> {
        let secrets = self.secrets();
        let lookups =
            |code: &Incoming| secrets.lookups(site, code.text.reveal()).into_iter().map(|(_, lookup)| lookup).collect();
        let want = Want { codes: codes.iter().map(lookups).collect(), ..Want::default() };
        let there = |found: &Option<Code>| match found {
            None => There::Nothing,
            Some(code) if code.pool.as_deref() == Some(pool) => There::InThisPool,
            Some(_) => There::Elsewhere,
        };
        Ok(self.store().find(&want)?.codes.iter().map(there).collect())
    }

    /// Adds codes to a pool, all or none.
    fn add<'a>(
        &self,
        site: &str,
        pool: &str,
        codes: impl IntoIterator<Item = &'a Incoming>,
        now: InstantMs,
    ) -> Result<Verdict, DeskError> {
        let secrets = self.secrets();
        let change = |code: &Incoming| {
            let id = self.ledger().new_id(now);
            let sealed = secrets.seal(id.get(), code.text.reveal(), &mut **self.randomness());
            let after = Code {
                id,
                site: site.to_string(),
                lookup: secrets.lookup(site, code.text.reveal()),
                pepper: secrets.newest_pepper(),
                pool: Some(pool.to_string()),
                state: CodeState::Free,
                account: None,
                hint: code.hint.clone(),
                sealed: Some(sealed),
                version: 1,
            };
            CodeChange { before: None, after }
        };
        let codes: Vec<CodeChange> = codes.into_iter().map(change).collect();
        Ok(self.ledger().write(Changes { codes, ..Changes::default() })?)
    }

    fn free_codes(&self, site: &str, pool: &str) -> Result<u64, DeskError> {
        Ok(self.store().code_counts(site, pool)?.get(&CodeState::Free).copied().unwrap_or(0))
    }

    fn pool_change(&self, site: &str, pool: &str, codes: u64) -> Result<PoolChangeOutput, DeskError> {
        Ok(PoolChangeOutput { pool: pool.to_string(), codes, free: self.free_codes(site, pool)? })
    }
}

/// Every code of a file that can be taken. The others are in the report.
fn read_file(file: impl Read, accept_weak: bool, report: &mut ImportOutput) -> Result<Vec<Incoming>, DeskError> {
    let mut codes = Vec::new();
    let mut unread = BTreeSet::new();
    for row in read_codes(file) {
        match row {
            Ok(row) => {
                unread.extend(row.others.into_keys());
                match row.strength {
                    Strength::Weak { bits } if !accept_weak => refuse_line(report, row.line, weak_refused(bits)),
                    Strength::Weak { .. } | Strength::Enough => {
                        let hint = custom_hint(row.code.reveal());
                        codes.push(Incoming { text: row.code, hint, line: row.line });
                    }
                }
            }
            Err(problem) if problem.flaw.is_final() => {
                let message = format!("{problem}; nothing of the file was imported");
                return Err(Refused::mistake("file-unreadable", message).into());
            }
            Err(problem) => refuse_line(report, problem.line, problem.flaw.to_string()),
        }
    }
    report.columns_unread = unread.into_iter().collect();
    Ok(codes)
}

fn refuse_line(report: &mut ImportOutput, line: u64, message: String) {
    report.refused += 1;
    // More than enough are kept for the first of them to be among these.
    if report.problems.len() < 2 * PROBLEMS_TOLD {
        report.problems.push(LineProblemOutput { line, message });
    }
}
