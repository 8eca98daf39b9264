//! Store credit: granted, shown, and what cards are redeemed into. Must not know orders.

use giftcard_engine::Currency;
use giftcard_engine::moment::InstantMs;
use giftcard_engine::programme::MANUAL;
use giftcard_ledger::model::{AccountKind, RecordKind};
use giftcard_ledger::operations::{Load, Target, ToCredit, credit_id};
use giftcard_ledger::plan::{CONFIGURATION_CHANGED, read_record};
use giftcard_ledger::store::AccountFilter;
use giftcard_ledger::{Answer, Refused};
use serde_json::json;

use super::super::configuration::KeptProgramme;
use super::super::{Desk, DeskError, Doing};
use super::CardName;
use crate::input::{AdjustInput, CurrencyCode, InputErrorKind, PositiveAmount};
use crate::output::{AccountOutput, PageOutput};

/// How often something is begun anew because sites and programmes change meanwhile.
const CHANGES_MAX: u32 = 20;

/// Most store credit accounts of one customer: one for each currency.
const CREDITS_MAX: usize = 500;

impl Desk {
    /// A card's whole balance becomes a customer's store credit, and the card is closed.
    ///
    /// # Errors
    /// [`DeskError`]; [`Refused`] codes are `credit-not-allowed`, `customer-missing`, `customer-mismatch`, `card-held`,
    /// `card-empty`, and those of cards that are not usable.
    pub fn to_credit(&self, doing: &Doing<'_>, card: &CardName, customer: Option<&str>) -> Result<Answer, DeskError> {
        for _ in 0..CHANGES_MAX {
            let account = self.account(doing.site, card, doing.now)?;
            let Some(customer) = customer.or(account.customer.as_deref()) else {
                let problem = "is missing; the card has no owner, so say whose store credit it becomes";
                return Err(DeskError::input(InputErrorKind::MissingField, "customer", problem));
            };
            check_customer(customer)?;
            let (record, configuration) = self.record(RecordKind::Programme, doing.site, &account.programme)?;
            let kept: Option<KeptProgramme> = record.map(|record| read_record(&record.body)).transpose()?;
            let allowed = account.programme == MANUAL || kept.is_some_and(|kept| kept.programme.allows_credit());
            let refused = || {
                let message = "cards of this programme cannot become store credit, which would have none of its \
                               conditions; `to_credit` of the programme can allow it";
                (account.programme.clone(), Refused::decided("credit-not-allowed", message))
            };
            let command = ToCredit {
                target: Target::Id(account.id),
                customer: customer.to_string(),
                configuration: Some(configuration),
                not_allowed: if allowed { Vec::new() } else { vec![refused()] },
            };
            let facts = json!({ "card": account.id, "customer": customer });
            match self.operate(doing, &command, &facts) {
                Err(DeskError::Refused(refused)) if refused.code == CONFIGURATION_CHANGED => {}
                done => return done,
            }
        }
        Err(DeskError::Busy)
    }

    /// A customer is granted store credit. The account is opened if there is none.
    ///
    /// # Errors
    /// [`DeskError`]; [`Refused`] codes are `amount-not-positive` and `amount-out-of-bounds`.
    pub fn add_credit(
        &self,
        doing: &Doing<'_>,
        customer: &str,
        currency: Option<&CurrencyCode>,
        amount: &PositiveAmount,
        reason: Option<&str>,
    ) -> Result<Answer, DeskError> {
        check_customer(customer)?;
        let currency = self.credit_currency(doing.site, currency)?;
        let amount = amount.amount(currency).map_err(|error| error.under("amount"))?;
        let facts = json!({
            "customer": customer, "currency": currency.code(), "amount": amount.get(), "reason": reason,
        });
        let target = Target::Credit { customer: customer.to_string(), currency };
        let reason = reason.map(str::to_string);
        self.operate(doing, &Load { target, amount, balance_max: None, reason }, &facts)
    }

    /// Staff correct store credit.
    ///
    /// # Errors
    /// As [`Self::adjust`].
    pub fn adjust_credit(
        &self,
        doing: &Doing<'_>,
        customer: &str,
        currency: Option<&CurrencyCode>,
        input: &AdjustInput,
    ) -> Result<Answer, DeskError> {
        let currency = self.credit_currency(doing.site, currency)?;
        let id = credit_id(doing.site, customer, currency);
        let account = match self.account(doing.site, &CardName::Id(id), doing.now) {
            Err(DeskError::Refused(refused)) if refused.code == "card-not-found" => {
                let message = format!("the customer has no store credit in {currency} at the site");
                return Err(Refused::mistake("card-not-found", message).into());
            }
            found => found?,
        };
        self.adjust_account(doing, &account, input)
    }

    /// The store credit of a customer, one for each currency.
    ///
    /// # Errors
    /// [`DeskError::Store`], [`DeskError::Busy`].
    pub fn credits_of(&self, site: &str, customer: &str, now: InstantMs) -> Result<Vec<AccountOutput>, DeskError> {
        let filter = AccountFilter {
            site: Some(site.to_string()),
            kind: Some(AccountKind::Credit),
            customer: Some(customer.to_string()),
            limit: CREDITS_MAX,
            ..AccountFilter::default()
        };
        let accounts = self.settled(self.store().accounts(&filter)?, now)?;
        Ok(accounts.iter().map(|account| AccountOutput::of(account, now)).collect())
    }

    /// Store credit of all customers, page by page.
    ///
    /// # Errors
    /// [`DeskError::Store`], [`DeskError::Busy`], [`InputErrorKind::InvalidValue`] for a page that is none.
    pub fn credits(
        &self,
        site: &str,
        after: Option<&str>,
        limit: usize,
        now: InstantMs,
    ) -> Result<PageOutput<AccountOutput>, DeskError> {
        let filter =
            AccountFilter { site: Some(site.to_string()), kind: Some(AccountKind::Credit), ..AccountFilter::default() };
        self.page(filter, after, limit, now, |_| true)
    }

    fn credit_currency(&self, site: &str, currency: Option<&CurrencyCode>) -> Result<Currency, DeskError> {
        let (document, _) = self.site_document(site)?;
        let currency = currency.unwrap_or(&document.currency);
        Ok(currency.currency().map_err(|error| error.under("currency"))?)
    }
}

/// A customer's id as it may stand on a card.
pub(super) fn check_customer(customer: &str) -> Result<(), DeskError> {
    if customer.trim().is_empty() || customer.chars().any(char::is_control) {
        let problem = "is empty, or has a control character; write the platform's id of the customer";
        return Err(DeskError::input(InputErrorKind::InvalidValue, "customer", problem));
    }
    Ok(())
}
