//! Store credit: a customer's own account, one for each currency. Must not know rules of cards, except that a card is
//! redeemed into credit whole.

use std::convert::Infallible;

use giftcard_engine::card::Status;
use giftcard_engine::moment::InstantMs;
use giftcard_engine::{Currency, Minor};

use super::cards::{begin, closed, held, negated};
use super::{Command, Receipt, Target};
use crate::chain::{BEGINNING, digest};
use crate::draft::{Draft, Post};
use crate::model::{Account, AccountKind, Id, OperationKind};
use crate::plan::{Facts, Refused, Stop};
use crate::store::Want;

/// The id of a customer's store credit at a site in a currency: always the same, so that two who open it at once open
/// one.
#[must_use]
pub fn credit_id(site: &str, customer: &str, currency: Currency) -> Id {
    let name = format!("credit\0{}\0{site}\0{}\0{customer}\0{}", site.len(), customer.len(), currency.code());
    let hash = digest(&name);
    let mut number = [0; 8];
    number.copy_from_slice(&hash[..8]);
    Id::new(i64::from_be_bytes(number) & i64::MAX).expect("INVARIANT: the sign bit is cleared")
}

/// Store credit before its first entry.
#[must_use]
pub(super) fn new_credit(site: &str, customer: &str, currency: Currency, now: InstantMs) -> Account {
    Account {
        id: credit_id(site, customer, currency),
        kind: AccountKind::Credit,
        site: site.to_string(),
        currency,
        programme: String::new(),
        customer: Some(customer.to_string()),
        status: Status::Active,
        balance: Minor::ZERO,
        held: Minor::ZERO,
        next_hold_end: None,
        initial: Minor::ZERO,
        issued_at: now,
        expires_at: None,
        expires_on: None,
        replaced_by: None,
        bought_by: None,
        hint: None,
        version: 0,
        head: BEGINNING,
    }
}

/// A card's whole balance becomes its customer's store credit, and the card is closed.
pub struct ToCredit {
    /// The card.
    pub target: Target,
    /// Whose credit.
    pub customer: String,
    /// The configuration that allowed it.
    pub configuration: Option<u64>,
    /// Why it may not be, as the card's programme says; by code name. Read from the configuration.
    pub not_allowed: Vec<(String, Refused)>,
}

impl Command for ToCredit {
    fn kind(&self) -> OperationKind {
        OperationKind::ToCredit
    }

    fn want(&self, site: &str) -> Want {
        super::cards::wanting(&self.target, site)
    }

    fn more(&self, found: &crate::store::Found) -> Want {
        let card = found.accounts.values().find(|account| account.kind == AccountKind::Card);
        let credit = |card: &Account| credit_id(&card.site, &self.customer, card.currency);
        Want { accounts: card.map(credit).into_iter().collect(), ..Want::default() }
    }

    fn draft(&self, site: &str, facts: &Facts<'_>, draft: &mut Draft) -> Result<Receipt, Stop<Infallible>> {
        let card = self.target.account(site, facts)?;
        if let Some(version) = self.configuration {
            if version != facts.found.configuration {
                return Err(Refused::configuration_changed().into());
            }
            draft.require_configuration(version);
        }
        if card.kind != AccountKind::Card {
            return Err(Refused::mistake("not-a-card", "only a card can be redeemed into store credit").into());
        }
        if let Some((_, refused)) = self.not_allowed.iter().find(|(programme, _)| *programme == card.programme) {
            return Err(refused.clone().into());
        }
        usable(card, facts.now)?;
        if card.customer.as_ref().is_some_and(|owner| *owner != self.customer) {
            let message = "the card belongs to another customer";
            return Err(Refused::decided("customer-mismatch", message).into());
        }
        if !card.held.is_zero() {
            return Err(held(card).into());
        }
        if card.balance.is_zero() {
            return Err(Refused::decided("card-empty", "nothing is left on the card").into());
        }
        let id = credit_id(site, &self.customer, card.currency);
        let mut receipt = begin(card, draft, None);
        self.target.renew(&facts.found, draft);
        let credit = match facts.found.accounts.get(&id) {
            Some(credit) => {
                draft.take(credit);
                credit.clone()
            }
            None => {
                let credit = new_credit(site, &self.customer, card.currency, facts.now);
                draft.create(credit.clone());
                credit
            }
        };
        let leaves = Post { amount: negated(card.balance), status: Some(Status::Closed), ..Post::default() };
        draft.post(card.id, leaves)?;
        draft.post(id, Post { amount: card.balance, ..Post::default() })?;
        receipt.line(card, card.balance, None);
        receipt.line(&credit, credit.balance, None);
        Ok(receipt)
    }
}

/// Whether a card can be used now.
pub(super) fn usable(card: &Account, now: InstantMs) -> Result<(), Refused> {
    match card.status {
        Status::Closed => Err(closed()),
        Status::Disabled => Err(Refused::decided("card-disabled", "the card is disabled")),
        Status::Pending => Err(Refused::decided("card-pending", "the card is not active yet")),
        Status::Active if card.expires_at.is_some_and(|end| end <= now) => {
            Err(Refused::decided("card-expired", "the card has ended"))
        }
        Status::Active => Ok(()),
    }
}
