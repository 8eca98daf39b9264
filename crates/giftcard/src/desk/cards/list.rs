//! Lists of cards, and the entries of one, page by page. Must not know how they are drawn.

use std::collections::HashMap;

use giftcard_engine::Currency;
use giftcard_engine::Minor;
use giftcard_engine::code::normalise;
use giftcard_engine::moment::InstantMs;
use giftcard_ledger::model::{Account, AccountKind, Id};
use giftcard_ledger::operations::Receipt;
use giftcard_ledger::plan::read_record;
use giftcard_ledger::store::{AccountFilter, Found, Want};

use super::super::setup::zone_of;
use super::super::{Desk, DeskError};
use super::CardName;
use crate::input::{Amount, CurrencyCode, DayOrInstant, InputErrorKind};
use crate::json::excerpt;
use crate::output::{AccountEntryOutput, AccountOutput, CardState, PageOutput, stored_status};

/// Most items of a page.
pub const PAGE_MAX: usize = 1_000;

/// Accounts read at a time, at least.
const SCAN: usize = 500;

/// How often accounts are read for one page. One that is not full by then says where to go on.
const SCANS_MAX: usize = 40;

/// Which cards of a site to list. Everything must fit that is given.
#[derive(Clone, Debug, Default)]
pub struct CardFilter {
    /// Of this programme.
    pub programme: Option<String>,
    /// Of this customer.
    pub customer: Option<String>,
    /// In this state, as people see it.
    pub state: Option<CardState>,
    /// Bought by this order.
    pub bought_by: Option<String>,
    /// With these last characters.
    pub hint: Option<String>,
    /// With an end, and that at or before this one.
    pub ends_by: Option<DayOrInstant>,
    /// With at least this balance.
    pub balance_min: Option<Amount>,
    /// In this currency; with `balance_min` the site's if left out.
    pub currency: Option<CurrencyCode>,
    /// Where the page begins: `next` of the one before.
    pub after: Option<String>,
    /// Most cards of the page, 1 to 1000.
    pub limit: usize,
}

impl Desk {
    /// Cards of a site, oldest first. A page may have fewer cards than its limit and still say where the next begins.
    ///
    /// # Errors
    /// [`DeskError::Input`] naming the field, [`DeskError::Store`], [`DeskError::Busy`].
    pub fn cards(
        &self,
        site: &str,
        filter: &CardFilter,
        now: InstantMs,
    ) -> Result<PageOutput<AccountOutput>, DeskError> {
        let (document, _) = self.site_document(site)?;
        let now = self.ledger().not_before_seen(now);
        let given = filter.currency.as_ref().map(CurrencyCode::currency).transpose();
        let given = given.map_err(|error| error.under("currency"))?;
        let (balance_min, currency): (Option<Minor>, Option<Currency>) = match &filter.balance_min {
            None => (None, given),
            Some(amount) => {
                let currency = given.map_or_else(|| document.currency.currency(), Ok)?;
                (Some(amount.minor(currency).map_err(|error| error.under("balance_min"))?), Some(currency))
            }
        };
        let ends_by = match &filter.ends_by {
            None => None,
            Some(end) => end.card_end(&zone_of(&document)).map_err(|error| error.under("ends_by"))?.at,
        };
        let state = filter.state;
        let wanted = AccountFilter {
            site: Some(site.to_string()),
            kind: Some(AccountKind::Card),
            programme: filter.programme.clone(),
            customer: filter.customer.clone(),
            status: state.map(stored_status),
            bought_by: filter.bought_by.clone(),
            hint: filter.hint.as_deref().map(normalise),
            // What has ended has an end, and that in the past.
            ends_by: match state {
                Some(CardState::Expired) => Some(ends_by.map_or(now, |end| end.min(now))),
                _ => ends_by,
            },
            balance_min,
            ..AccountFilter::default()
        };
        let matches = |account: &Account| {
            state.is_none_or(|state| CardState::of(account, now) == state)
                && currency.is_none_or(|currency| account.currency == currency)
        };
        self.page(wanted, filter.after.as_deref(), filter.limit, now, matches)
    }

    pub(super) fn page(
        &self,
        mut filter: AccountFilter,
        after: Option<&str>,
        limit: usize,
        now: InstantMs,
        matches: impl Fn(&Account) -> bool,
    ) -> Result<PageOutput<AccountOutput>, DeskError> {
        check_limit(limit)?;
        filter.after = match after {
            None => None,
            Some(text) => Some(text.parse::<Id>().map_err(|_| {
                let problem = format!("`{}` is no place in a list; give `next` of the page before", excerpt(text));
                DeskError::input(InputErrorKind::InvalidValue, "after", problem)
            })?),
        };
        // One more than the page, so that the last page knows that it is.
        filter.limit = (limit + 1).max(SCAN);
        let mut accounts: Vec<Account> = Vec::new();
        let mut next = None;
        for scan in 0..SCANS_MAX {
            let read = self.store().accounts(&filter)?;
            let is_last = read.len() < filter.limit;
            filter.after = read.last().map(|account| account.id);
            accounts.extend(read.into_iter().filter(&matches));
            if accounts.len() > limit {
                accounts.truncate(limit);
                next = accounts.last().map(|account| account.id);
                break;
            }
            if is_last {
                break;
            }
            if scan + 1 == SCANS_MAX {
                next = filter.after;
            }
        }
        let now = self.ledger().not_before_seen(now);
        let accounts = self.settled(accounts, now)?;
        Ok(PageOutput {
            items: accounts.iter().map(|account| AccountOutput::of(account, now)).collect(),
            next: next.map(|id| id.to_string()),
        })
    }

    /// Accounts with their passed holds settled, in their order.
    pub(super) fn settled(&self, mut accounts: Vec<Account>, now: InstantMs) -> Result<Vec<Account>, DeskError> {
        let now = self.ledger().not_before_seen(now);
        let passed = |account: &&Account| account.next_hold_end.is_some_and(|end| end <= now);
        let due: HashMap<Id, Account> =
            accounts.iter().filter(passed).map(|account| (account.id, account.clone())).collect();
        if due.is_empty() {
            return Ok(accounts);
        }
        let mut found = Found { accounts: due, ..Found::default() };
        self.ledger().release_passed(&mut found, now)?;
        for account in &mut accounts {
            if let Some(settled) = found.accounts.remove(&account.id) {
                *account = settled;
            }
        }
        Ok(accounts)
    }

    /// The entries of a card or of store credit, oldest first, from after the entry with the number `after`.
    ///
    /// # Errors
    /// As [`Self::account`]; [`DeskError::Input`] for a limit that is none.
    pub fn history(
        &self,
        site: &str,
        name: &CardName,
        after: u64,
        limit: usize,
        now: InstantMs,
    ) -> Result<PageOutput<AccountEntryOutput>, DeskError> {
        check_limit(limit)?;
        let account = self.account(site, name, now)?;
        let mut booked = self.store().history(account.id, after, limit + 1)?;
        let has_more = booked.len() > limit;
        booked.truncate(limit);
        let mut items = Vec::with_capacity(booked.len());
        for booked in &booked {
            let Some(mut entry) = AccountEntryOutput::of(booked) else { continue };
            let want = Want { operation: Some(booked.operation.clone()), ..Want::default() };
            if let Some(operation) = self.store().find(&want)?.operation {
                let receipt: Option<Receipt> = read_record(&operation.answer).ok();
                entry.actor = operation.actor;
                entry.reason = receipt.and_then(|receipt| receipt.reason);
            }
            items.push(entry);
        }
        let next = items.last().filter(|_| has_more).map(|entry| entry.number.to_string());
        Ok(PageOutput { items, next })
    }
}

/// Refuses a page of nothing, and one that would take long.
pub(in crate::desk) fn check_limit(limit: usize) -> Result<(), DeskError> {
    if (1..=PAGE_MAX).contains(&limit) {
        return Ok(());
    }
    let problem = format!("is {limit}; a page has 1 to {PAGE_MAX} items");
    Err(DeskError::input(InputErrorKind::InvalidValue, "limit", problem))
}
