//! Cards and store credit one by one: found as callers name them, shown, and moved by staff. Must not know rules, nor
//! orders that cards pay for.

mod credit;
mod delivery;
mod issue;
mod list;
mod public;
mod purchases;
mod source;

use std::collections::HashMap;

use giftcard_engine::Minor;
use giftcard_engine::moment::{InstantMs, format_instant};
use giftcard_ledger::model::{Account, AccountKind, CodeState, HoldRecord, Id, RecordKey, RecordKind};
use giftcard_ledger::operations::{
    Adjust, Adjustment, ChangeState, Close, ExpireCard, Load, StateChange, Target, hold_key,
};
use giftcard_ledger::plan::read_record;
use giftcard_ledger::store::{Changes, CodeChange, Found, Want};
use giftcard_ledger::{Answer, Refused};
use serde_json::json;

use super::configuration::KeptProgramme;
use super::{Desk, DeskError, Doing};
use crate::codes::{SecretCode, check_entered};
use crate::input::{AdjustInput, InputErrorKind, PositiveAmount};
use crate::json::excerpt;
use crate::output::{AccountOutput, CardDetailsOutput, CardHoldOutput};

pub(super) use list::check_limit;
pub use list::{CardFilter, PAGE_MAX};
pub use public::TOO_MANY_TRIES;
pub(super) use source::{custom_hint, same_code, unseal, weak_refused};

/// A card as somebody names it.
#[derive(Clone, Debug)]
pub enum CardName {
    /// By its id. Store credit has one too.
    Id(Id),
    /// By its code.
    Code(SecretCode),
    /// By its id if there is such a card, else by its code.
    Either(SecretCode),
}

impl CardName {
    fn id(&self) -> Option<Id> {
        match self {
            Self::Id(id) => Some(*id),
            Self::Code(_) => None,
            Self::Either(text) => text.reveal().trim().parse().ok(),
        }
    }

    fn code(&self) -> Option<&SecretCode> {
        match self {
            Self::Id(_) => None,
            Self::Code(code) | Self::Either(code) => Some(code),
        }
    }
}

impl Desk {
    /// The card or store credit of a site that somebody means, with its passed holds settled. A code that was presented
    /// is found by the newest pepper from then on.
    ///
    /// # Errors
    /// [`Refused`] codes are `card-not-found` and `code-not-issued`.
    pub fn account(&self, site: &str, name: &CardName, now: InstantMs) -> Result<Account, DeskError> {
        let lookups = name.code().map(|code| self.secrets().lookups(site, code.reveal()));
        let want = Want {
            accounts: name.id().into_iter().collect(),
            codes: lookups.iter().map(|lookups| lookups.iter().map(|(_, lookup)| *lookup).collect()).collect(),
            ..Want::default()
        };
        let mut found = self.store().find(&want)?;
        let of_site = |id: &Id| found.accounts.get(id).is_some_and(|account| account.site == site);
        let by_code = || found.codes.iter().flatten().find_map(|code| code.account);
        let Some(id) = name.id().filter(of_site).or_else(|| by_code().filter(of_site)) else {
            return Err(not_found(site, name, &found));
        };
        if let (Some(lookups), Some(Some(code))) = (&lookups, found.codes.first()) {
            self.renew(lookups, code);
        }
        let now = self.ledger().not_before_seen(now.max(found.high_water));
        found.accounts.retain(|account, _| *account == id);
        self.ledger().release_passed(&mut found, now)?;
        found.accounts.remove(&id).ok_or_else(|| not_found(site, name, &found))
    }

    /// Moves a code to the newest pepper. That it could not be is no reason not to answer: the next time will do.
    fn renew(&self, lookups: &[(u32, [u8; 32])], code: &giftcard_ledger::model::Code) {
        let Some(&(pepper, lookup)) = lookups.first() else { return };
        if code.lookup != lookup {
            let after = giftcard_ledger::model::Code { lookup, pepper, ..code.clone() };
            let codes = vec![CodeChange { before: Some(code.version), after }];
            let _ = self.ledger().write(Changes { codes, ..Changes::default() });
        }
    }

    /// A card or store credit with everything that staff may see.
    ///
    /// # Errors
    /// As [`Self::account`].
    pub fn card(&self, site: &str, name: &CardName, now: InstantMs) -> Result<CardDetailsOutput, DeskError> {
        let account = self.account(site, name, now)?;
        let now = self.ledger().not_before_seen(now);
        let open = self.store().passed_holds(&[account.id], InstantMs::MAX)?;
        let keys: Vec<RecordKey> = open.iter().map(|open| hold_key(open.hold)).collect();
        let programme =
            RecordKey { kind: RecordKind::Programme, site: site.to_string(), id: account.programme.clone() };
        let records = keys.iter().cloned().chain([programme.clone()]).collect();
        let found = self.store().find(&Want { records, ..Want::default() })?;
        let holds: HashMap<Id, HoldRecord> = open
            .iter()
            .filter_map(|open| Some((open.hold, found.records.get(&hold_key(open.hold))?)))
            .map(|(hold, record)| Ok((hold, read_record(&record.body)?)))
            .collect::<Result<_, DeskError>>()?;
        let hold = |open: &giftcard_ledger::store::OpenHold| {
            let record = holds.get(&open.hold)?;
            let left = record.lines.iter().filter(|line| line.account == account.id);
            let left = left.map(|line| line.taken.saturating_sub(line.taken_captured)).sum::<i64>();
            let amount = Minor::new(left).unwrap_or_default().to_decimal(account.currency.exponent());
            let (hold, ends_at) = (open.hold.to_string(), format_instant(open.ends_at));
            Some(CardHoldOutput { hold, order: record.order.clone(), amount, ends_at })
        };
        let kept: Option<KeptProgramme> =
            found.records.get(&programme).map(|record| read_record(&record.body)).transpose()?;
        let codes = self.store().codes_of(account.id)?;
        Ok(CardDetailsOutput {
            account: AccountOutput::of(&account, now),
            programme_name: kept.map(|kept| kept.programme.name.to_string()),
            holds: open.iter().filter_map(hold).collect(),
            to_deliver: codes.iter().any(|code| code.sealed.is_some()),
        })
    }

    /// A pending card can be used from now on. The answer of this and of every operation on a card is a
    /// [`giftcard_ledger::operations::Receipt`]; see [`super::receipt`].
    ///
    /// # Errors
    /// [`DeskError`]; [`Refused`] codes are `card-not-found`, `wrong-state`, `card-closed`.
    pub fn activate(&self, doing: &Doing<'_>, card: &CardName, reason: Option<&str>) -> Result<Answer, DeskError> {
        self.change_state(doing, card, StateChange::Activate, reason)
    }

    /// A card is blocked, reversibly.
    ///
    /// # Errors
    /// As [`Self::activate`].
    pub fn disable(&self, doing: &Doing<'_>, card: &CardName, reason: Option<&str>) -> Result<Answer, DeskError> {
        self.change_state(doing, card, StateChange::Disable, reason)
    }

    /// A blocked card works again.
    ///
    /// # Errors
    /// As [`Self::activate`].
    pub fn enable(&self, doing: &Doing<'_>, card: &CardName, reason: Option<&str>) -> Result<Answer, DeskError> {
        self.change_state(doing, card, StateChange::Enable, reason)
    }

    fn change_state(
        &self,
        doing: &Doing<'_>,
        card: &CardName,
        change: StateChange,
        reason: Option<&str>,
    ) -> Result<Answer, DeskError> {
        let account = self.account(doing.site, card, doing.now)?;
        let facts = json!({ "card": account.id, "reason": reason });
        let reason = reason.map(str::to_string);
        self.operate(doing, &ChangeState { target: Target::Id(account.id), change, reason }, &facts)
    }

    /// Money is put on a card.
    ///
    /// # Errors
    /// [`DeskError`]; [`Refused`] codes are `card-not-found`, `amount-not-positive`, `wrong-state`, `card-closed`,
    /// `card-expired`, `balance-too-high`.
    pub fn load(
        &self,
        doing: &Doing<'_>,
        card: &CardName,
        amount: &PositiveAmount,
        reason: Option<&str>,
    ) -> Result<Answer, DeskError> {
        let account = self.account(doing.site, card, doing.now)?;
        let (site, _) = self.site_document(doing.site)?;
        let is_main = account.currency == site.currency.currency()? && account.kind == AccountKind::Card;
        let balance_max = match &site.card_value_max {
            Some(most) if is_main => Some(most.amount(account.currency)?),
            _ => None,
        };
        let amount = amount.amount(account.currency).map_err(|error| error.under("amount"))?;
        let facts = json!({ "card": account.id, "amount": amount.get(), "reason": reason });
        let reason = reason.map(str::to_string);
        self.operate(doing, &Load { target: Target::Id(account.id), amount, balance_max, reason }, &facts)
    }

    /// Staff correct a balance, of a card or of store credit.
    ///
    /// # Errors
    /// [`DeskError`]; [`Refused`] codes are `card-not-found`, `reason-missing`, `adjustment-zero`,
    /// `adjustment-too-low`, `amount-out-of-range`, `card-closed`.
    pub fn adjust(&self, doing: &Doing<'_>, card: &CardName, input: &AdjustInput) -> Result<Answer, DeskError> {
        let account = self.account(doing.site, card, doing.now)?;
        self.adjust_account(doing, &account, input)
    }

    pub(super) fn adjust_account(
        &self,
        doing: &Doing<'_>,
        account: &Account,
        input: &AdjustInput,
    ) -> Result<Answer, DeskError> {
        let to = match (&input.by, &input.to) {
            (Some(by), None) => Adjustment::By(by.minor(account.currency).map_err(|error| error.under("by"))?),
            (None, Some(to)) => Adjustment::To(to.minor(account.currency).map_err(|error| error.under("to"))?),
            (None, None) => {
                let problem = "is missing; write by how much, such as `-5.00`, or in `to` which balance it becomes";
                return Err(DeskError::input(InputErrorKind::MissingField, "by", problem));
            }
            (Some(_), Some(_)) => {
                let problem = "stands beside `by`; give one of the two";
                return Err(DeskError::input(InputErrorKind::Inconsistent, "to", problem));
            }
        };
        let reason = input.reason.to_string();
        let said = match to {
            Adjustment::By(amount) => json!({ "by": amount.get() }),
            Adjustment::To(amount) => json!({ "to": amount.get() }),
        };
        let facts = json!({ "card": account.id, "change": said, "reason": reason });
        self.operate(doing, &Adjust { target: Target::Id(account.id), to, reason }, &facts)
    }

    /// An empty card is gone for good.
    ///
    /// # Errors
    /// [`DeskError`]; [`Refused`] codes are `card-not-found`, `card-closed`, `card-not-empty`.
    pub fn close(&self, doing: &Doing<'_>, card: &CardName, reason: Option<&str>) -> Result<Answer, DeskError> {
        let account = self.account(doing.site, card, doing.now)?;
        let facts = json!({ "card": account.id, "reason": reason });
        let reason = reason.map(str::to_string);
        self.operate(doing, &Close { target: Target::Id(account.id), reason }, &facts)
    }

    /// What is left on a card that ended becomes breakage, and the card is closed.
    ///
    /// # Errors
    /// [`DeskError`]; [`Refused`] codes are `card-not-found`, `card-closed`, `card-not-expired`, `card-held`.
    pub fn expire(&self, doing: &Doing<'_>, card: &CardName) -> Result<Answer, DeskError> {
        let account = self.account(doing.site, card, doing.now)?;
        let facts = json!({ "card": account.id });
        self.operate(doing, &ExpireCard { target: Target::Id(account.id) }, &facts)
    }
}

fn not_found(site: &str, name: &CardName, found: &Found) -> DeskError {
    let site = excerpt(site);
    if let Some(code) = found.codes.iter().flatten().next()
        && code.account.is_none()
    {
        let pool = code.pool.as_deref().map(excerpt).unwrap_or_default();
        let message = match code.state {
            CodeState::Withdrawn => format!("the code is of the pool `{pool}` and was withdrawn"),
            _ => format!("the code is of the pool `{pool}`, and no card has been issued with it yet"),
        };
        return Refused::mistake("code-not-issued", message).into();
    }
    let message = match name {
        CardName::Id(id) => format!("the site `{site}` has no card or credit `{id}`"),
        // Only staff are told: to the public, every code that is not usable is the same.
        CardName::Code(code) | CardName::Either(code) => match check_entered(code.reveal()) {
            Err(problem) => format!("the site `{site}` has no card with this code: {problem}"),
            Ok(()) => format!("the site `{site}` has no card with this code or id"),
        },
    };
    Refused::mistake("card-not-found", message).into()
}

#[cfg(test)]
mod tests;
