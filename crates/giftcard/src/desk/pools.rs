//! Pools: stocks of codes, generated or imported ahead of the cards that they will belong to. A code waits sealed in
//! its pool, since it has to be known when it is drawn. Must not know cards.

mod stock;

use giftcard_ledger::model::{CodeState, Record, RecordKey, RecordKind};
use giftcard_ledger::plan::read_record;

use super::setup::{Planned, check_name, put, read_pattern, weak_pattern};
use super::{Desk, DeskError};
use crate::codes::Pattern;
use crate::input::{InputErrorKind, PoolDocument};
use crate::json::excerpt;
use crate::output::PoolOutput;

pub use stock::GENERATE_MAX;

impl Desk {
    /// Makes a pool, or changes how its codes are generated from now on.
    ///
    /// # Errors
    /// [`DeskError::Input`] with the path in the document, [`DeskError::Busy`].
    pub fn set_pool(&self, site: &str, document: &PoolDocument) -> Result<PoolOutput, DeskError> {
        check_name(&document.name, "name")?;
        self.site_document(site)?;
        pattern_of(document)?;
        let key = RecordKey { kind: RecordKind::Pool, site: site.to_string(), id: document.name.to_string() };
        let version = self.change(|| {
            let (before, _) = self.record(key.kind, site, &key.id)?;
            let (changes, version) = put(&key, before.as_ref(), document, None);
            Ok(Planned { changes, answer: version })
        })?;
        self.pool_output(site, version, document.clone())
    }

    /// A pool with how many codes it has; `None` if the site has none of that name.
    ///
    /// # Errors
    /// [`DeskError::Store`].
    pub fn pool(&self, site: &str, name: &str) -> Result<Option<PoolOutput>, DeskError> {
        let (record, _) = self.record(RecordKind::Pool, site, name)?;
        record.map(|record| self.pool_of(&record)).transpose()
    }

    /// Every pool of a site with how many codes it has, by name.
    ///
    /// # Errors
    /// [`InputErrorKind::InvalidValue`] for a site that is not there, [`DeskError::Store`].
    pub fn pools(&self, site: &str) -> Result<Vec<PoolOutput>, DeskError> {
        self.site_document(site)?;
        self.all_records(RecordKind::Pool, site)?.iter().map(|record| self.pool_of(record)).collect()
    }

    /// Whether fewer codes than `low` are free.
    pub(super) fn has_fewer(&self, site: &str, pool: &str, low: u32) -> Result<bool, DeskError> {
        let limit = low as usize;
        Ok(self.store().codes(site, pool, CodeState::Free, None, limit)?.len() < limit)
    }

    fn pool_document(&self, site: &str, name: &str) -> Result<PoolDocument, DeskError> {
        match self.record(RecordKind::Pool, site, name)?.0 {
            Some(record) => Ok(read_record(&record.body)?),
            None => {
                let (site, name) = (excerpt(site), excerpt(name));
                let problem = format!("the site `{site}` has no pool `{name}`; make it with `giftcard pool create`");
                Err(DeskError::input(InputErrorKind::InvalidValue, "pool", problem))
            }
        }
    }

    fn pool_of(&self, record: &Record) -> Result<PoolOutput, DeskError> {
        self.pool_output(&record.key.site, record.version, read_record(&record.body)?)
    }

    fn pool_output(&self, site: &str, version: u64, pool: PoolDocument) -> Result<PoolOutput, DeskError> {
        let counts = self.store().code_counts(site, &pool.name)?;
        let count = |state: CodeState| counts.get(&state).copied().unwrap_or(0);
        let free = count(CodeState::Free);
        Ok(PoolOutput {
            site: site.to_string(),
            version,
            free,
            reserved: count(CodeState::Reserved),
            drawn: count(CodeState::Drawn),
            withdrawn: count(CodeState::Withdrawn),
            is_low: pool.low_stock.is_some_and(|low| free < u64::from(low.0)),
            warnings: pool.pattern.as_deref().and_then(weak_pattern).into_iter().collect(),
            pool,
        })
    }
}

/// How the codes of a pool are generated.
fn pattern_of(document: &PoolDocument) -> Result<Pattern, DeskError> {
    match &document.pattern {
        None => Ok(Pattern::standard()),
        Some(pattern) => read_pattern(pattern, document.accept_weak, "pattern"),
    }
}

#[cfg(test)]
mod tests;
