//! A card or store credit as a shopper enters it, and as the rules see it. Must not decide.

use giftcard_engine::Currency;
use giftcard_engine::card::CardSnapshot;
use giftcard_engine::programme::MANUAL;
use giftcard_ledger::model::{Account, AccountKind};
use giftcard_ledger::operations::Target;

use crate::desk::{Desk, DeskError};
use crate::input::{CardCode, EntryInput, InputErrorKind, PositiveAmount};

/// What a shopper entered.
pub(super) struct Entry<'a> {
    pub(super) target: Target,
    /// As entered, where it was entered by code.
    pub(super) code: Option<&'a CardCode>,
    /// How answers call it: the entry's place, for one that is not found.
    pub(super) place: usize,
    pub(super) use_at_most: Option<PositiveAmount>,
    pub(super) is_exact: bool,
}

pub(super) fn target_of_code(desk: &Desk, sites: &[String], code: &CardCode) -> Target {
    let secrets = desk.secrets();
    Target::Code(sites.iter().map(|site| secrets.lookups(site, code.reveal())).collect())
}

pub(super) fn entry_of<'a>(
    desk: &Desk,
    sites: &[String],
    currency: Currency,
    entry: &'a EntryInput,
    place: usize,
) -> Result<Entry<'a>, DeskError> {
    let path = |field: &str| format!("cards[{place}].{field}");
    let target = match (&entry.code, &entry.id, &entry.credit_of) {
        (Some(code), None, None) => target_of_code(desk, sites, code),
        (None, Some(id), None) => desk.target_of_id(id, &path("id"))?,
        (None, None, Some(customer)) => Target::Credit { customer: customer.to_string(), currency },
        _ => {
            let problem = "must have exactly one of `code`, `id` and `credit_of`";
            return Err(DeskError::input(InputErrorKind::Inconsistent, &format!("cards[{place}]"), problem));
        }
    };
    if entry.amount.is_some() && entry.use_at_most.is_some() {
        let problem = "stands beside `use_at_most`; give one of the two";
        return Err(DeskError::input(InputErrorKind::Inconsistent, &path("amount"), problem));
    }
    let limit = entry.amount.as_ref().or(entry.use_at_most.as_ref());
    if let Some(limit) = limit {
        let field = if entry.amount.is_some() { "amount" } else { "use_at_most" };
        let amount = limit.amount(currency).map_err(|error| error.under(&path(field)))?;
        if amount.is_zero() {
            let problem = "is nothing; leave out a card that must not pay";
            return Err(DeskError::input(InputErrorKind::InvalidAmount, &path(field), problem));
        }
    }
    Ok(Entry {
        target,
        code: entry.code.as_ref(),
        place,
        use_at_most: limit.cloned(),
        is_exact: entry.amount.is_some(),
    })
}

/// An account as the rules see it.
pub(super) fn snapshot(account: &Account, entry: &Entry<'_>, currency: Currency) -> Result<CardSnapshot, DeskError> {
    let id = account.id.to_string();
    let limit = entry.use_at_most.as_ref().map(|limit| limit.amount(currency)).transpose()?;
    Ok(CardSnapshot {
        // Two entries of one account are one card, whether it was entered by code or by id.
        code: Some(id.clone()),
        id,
        site: account.site.clone(),
        programme: match account.kind {
            AccountKind::Card => account.programme.clone(),
            AccountKind::Credit => MANUAL.to_string(),
        },
        currency: account.currency,
        status: account.status,
        balance: account.balance,
        held: account.held,
        initial: account.initial,
        issued_at: account.issued_at,
        expires_at: account.expires_at,
        expires_on: account.expires_on.as_deref().and_then(|day| day.parse().ok()),
        use_at_most: limit,
        attributes: Vec::new(),
    })
}

pub(super) fn check_repeated(cards: &[CardSnapshot], entries: &[Option<usize>]) -> Result<(), DeskError> {
    for (index, card) in cards.iter().enumerate() {
        let earlier = cards[..index].iter().position(|other| other.id == card.id);
        if earlier.is_some_and(|earlier| cards[earlier].use_at_most != card.use_at_most) {
            let place = entries.iter().position(|entry| *entry == Some(index)).unwrap_or(index);
            let problem = "is the same card as an earlier entry, with another limit";
            return Err(DeskError::input(
                InputErrorKind::Inconsistent,
                &format!("cards[{place}].use_at_most"),
                problem,
            ));
        }
    }
    Ok(())
}
