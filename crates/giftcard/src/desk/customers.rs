//! Customers as a shop knows them, and erasing what is known of one. Must not know what they own.

use giftcard_ledger::model::{Record, RecordKey, RecordKind};
use giftcard_ledger::plan::read_record;

use super::cards::check_limit;
use super::setup::{Planned, put};
use super::{Desk, DeskError};
use crate::input::{CustomerDocument, InputErrorKind};
use crate::output::{CustomerOutput, ErasedOutput, PageOutput};

/// Most characters of a customer's id.
const ID_MAX: usize = 200;

impl Desk {
    /// Records a customer, or changes what is recorded.
    ///
    /// # Errors
    /// [`DeskError::Input`] with the path in the document, [`DeskError::Busy`].
    pub fn set_customer(&self, site: &str, document: &CustomerDocument) -> Result<CustomerOutput, DeskError> {
        self.site_document(site)?;
        let id = &document.id;
        if id.trim().is_empty() || id.chars().count() > ID_MAX || id.chars().any(char::is_control) {
            let problem = format!("must have 1 to {ID_MAX} characters, none of them a control character");
            return Err(DeskError::input(InputErrorKind::InvalidValue, "id", problem));
        }
        if let Some(email) = &document.email
            && (!email.contains('@') || email.chars().any(|c| c.is_whitespace() || c.is_control()))
        {
            let problem = "is no email address; write one such as `name@example.com`";
            return Err(DeskError::input(InputErrorKind::InvalidValue, "email", problem));
        }
        let key = RecordKey { kind: RecordKind::Customer, site: site.to_string(), id: id.to_string() };
        self.change(|| {
            let (before, _) = self.record(key.kind, site, &key.id)?;
            let (changes, version) = put(&key, before.as_ref(), document, None);
            let answer = CustomerOutput { site: site.to_string(), version, customer: document.clone() };
            Ok(Planned { changes, answer })
        })
    }

    /// What is recorded of a customer; `None` if nothing is.
    ///
    /// # Errors
    /// [`DeskError::Store`].
    pub fn customer(&self, site: &str, id: &str) -> Result<Option<CustomerOutput>, DeskError> {
        self.record(RecordKind::Customer, site, id)?.0.as_ref().map(output).transpose()
    }

    /// Recorded customers of a site by id, from after the id `after`.
    ///
    /// # Errors
    /// [`DeskError::Input`] for a limit that is none, or a site that is not there; [`DeskError::Store`].
    pub fn customers(
        &self,
        site: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<PageOutput<CustomerOutput>, DeskError> {
        check_limit(limit)?;
        self.site_document(site)?;
        let mut records = self.store().records(RecordKind::Customer, site, after.unwrap_or_default(), limit + 1)?;
        let has_more = records.len() > limit;
        records.truncate(limit);
        let next = records.last().filter(|_| has_more).map(|record| record.key.id.clone());
        Ok(PageOutput { items: records.iter().map(output).collect::<Result<_, _>>()?, next })
    }

    /// Erases what is known of a customer: the record, and the personal fields of all requests. Cards and store credit
    /// stay under the bare id.
    ///
    /// # Errors
    /// [`DeskError::Input`] for a site that is not there; [`DeskError::Store`].
    pub fn erase_customer(&self, site: &str, id: &str) -> Result<ErasedOutput, DeskError> {
        self.site_document(site)?;
        let record = self.record(RecordKind::Customer, site, id)?.0.is_some();
        let requests = self.store().erase(site, id)?;
        Ok(ErasedOutput { site: site.to_string(), customer: id.to_string(), record, requests })
    }
}

fn output(record: &Record) -> Result<CustomerOutput, DeskError> {
    Ok(CustomerOutput { site: record.key.site.clone(), version: record.version, customer: read_record(&record.body)? })
}

#[cfg(test)]
mod tests;
