//! What becomes of a card when its purchase is refunded or cancelled, or its code is lost. Must not know orders that
//! cards pay for.

use std::convert::Infallible;

use giftcard_engine::Minor;
use giftcard_engine::card::Status;

use super::cards::{begin, closed, held, negated, wanting};
use super::{Command, NewCode, Receipt, Target, positive};
use crate::draft::{Draft, Post};
use crate::model::{Account, AccountKind, Counter, Id, OperationKind};
use crate::plan::{Facts, Refused, Stop};
use crate::store::Want;

/// The purchase of a card is refunded, from what is available on it. An empty card is closed by it.
pub struct RefundPurchase {
    /// The card.
    pub target: Target,
    /// How much, in the card's currency; all of its initial value if none.
    pub amount: Option<Minor>,
    /// Why, as the caller says.
    pub reason: Option<String>,
}

impl Command for RefundPurchase {
    fn kind(&self) -> OperationKind {
        OperationKind::RefundPurchase
    }

    fn want(&self, site: &str) -> Want {
        wanting(&self.target, site)
    }

    fn draft(&self, site: &str, facts: &Facts<'_>, draft: &mut Draft) -> Result<Receipt, Stop<Infallible>> {
        let card = self.target.account(site, facts)?;
        if card.status == Status::Closed {
            return Err(closed().into());
        }
        if card.kind != AccountKind::Card {
            return Err(Refused::mistake("not-a-card", "store credit was not bought; adjust it").into());
        }
        let amount = self.amount.unwrap_or(card.initial);
        positive(amount, card.currency, "amount")?;
        if amount > card.available() {
            let message = format!(
                "{} is to be refunded, but only {} is available on the card",
                card.currency.format(amount),
                card.currency.format(card.available())
            );
            return Err(Refused::decided("card-already-spent", message).into());
        }
        let mut receipt = begin(card, draft, self.reason.as_ref());
        let status = (amount == card.balance).then_some(Status::Closed);
        draft.post(card.id, Post { amount: negated(amount), status, ..Post::default() })?;
        draft.counter(Counter::Issuance, card.currency, amount);
        receipt.line(card, card.balance, None);
        Ok(receipt)
    }
}

/// The order that bought cards is cancelled: all of them are closed, if none was used.
pub struct CancelPurchase {
    /// The order.
    pub order: String,
    /// Its cards.
    pub cards: Vec<Id>,
}

impl Command for CancelPurchase {
    fn kind(&self) -> OperationKind {
        OperationKind::CancelPurchase
    }

    fn order(&self) -> Option<String> {
        Some(self.order.clone())
    }

    fn want(&self, _: &str) -> Want {
        Want { accounts: self.cards.clone(), ..Want::default() }
    }

    fn draft(&self, site: &str, facts: &Facts<'_>, draft: &mut Draft) -> Result<Receipt, Stop<Infallible>> {
        let mut receipt = Receipt::new();
        let mut any = false;
        for id in &self.cards {
            let card = Target::Id(*id).account(site, facts)?;
            if card.bought_by.as_ref() != Some(&self.order) {
                return Err(not_of_order(*id).into());
            }
            if card.status == Status::Closed {
                continue;
            }
            if card.balance != card.initial || !card.held.is_zero() {
                let message = format!(
                    "of {} on card `{id}`, {} is available; cards that were used are not cancelled, refund what is left",
                    card.currency.format(card.initial),
                    card.currency.format(card.available())
                );
                return Err(Refused::decided("card-already-spent", message).into());
            }
            any = true;
            draft.take(card);
            let post = Post { amount: negated(card.balance), status: Some(Status::Closed), ..Post::default() };
            draft.post(*id, post)?;
            draft.counter(Counter::Issuance, card.currency, card.balance);
            receipt.line(card, card.balance, None);
        }
        if any {
            return Ok(receipt);
        }
        Err(Refused::decided("nothing-to-cancel", "the order bought no card that is not closed already").into())
    }
}

/// The order that bought cards is invoiced: those that wait for it can be used from now on.
pub struct ActivatePurchase {
    /// The order.
    pub order: String,
    /// Its cards.
    pub cards: Vec<Id>,
}

impl Command for ActivatePurchase {
    fn kind(&self) -> OperationKind {
        OperationKind::Activate
    }

    fn order(&self) -> Option<String> {
        Some(self.order.clone())
    }

    fn want(&self, _: &str) -> Want {
        Want { accounts: self.cards.clone(), ..Want::default() }
    }

    fn draft(&self, site: &str, facts: &Facts<'_>, draft: &mut Draft) -> Result<Receipt, Stop<Infallible>> {
        let mut receipt = Receipt::new();
        for id in &self.cards {
            let card = Target::Id(*id).account(site, facts)?;
            if card.bought_by.as_ref() != Some(&self.order) {
                return Err(not_of_order(*id).into());
            }
            // What was blocked or closed meanwhile stays so.
            if card.status != Status::Pending {
                continue;
            }
            draft.take(card);
            draft.post(*id, Post { status: Some(Status::Active), ..Post::default() })?;
            receipt.line(card, card.balance, None);
        }
        if receipt.accounts.is_empty() {
            let message = "the order bought no card that waits for it; its cards are active, disabled or closed";
            return Err(Refused::decided("nothing-to-activate", message).into());
        }
        Ok(receipt)
    }
}

fn not_of_order(id: Id) -> Refused {
    Refused::mistake("card-not-of-order", format!("card `{id}` was not bought by the order"))
}

/// A card whose code is lost: its whole balance moves to a replacement with everything else as it was, and it is closed.
pub struct Transfer {
    /// The card.
    pub target: Target,
    /// The id of the replacement.
    pub replacement: Id,
    /// The code of the replacement.
    pub code: NewCode,
    /// Why, as the caller says.
    pub reason: Option<String>,
}

impl Command for Transfer {
    fn kind(&self) -> OperationKind {
        OperationKind::Transfer
    }

    fn want(&self, site: &str) -> Want {
        let mut want = Want::default();
        // The new code comes first, so that its place is known.
        self.code.want(&mut want);
        self.target.want(site, &mut want);
        want
    }

    fn draft(&self, site: &str, facts: &Facts<'_>, draft: &mut Draft) -> Result<Receipt, Stop<Infallible>> {
        let card = self.target.account(site, facts)?;
        if card.kind != AccountKind::Card {
            return Err(Refused::mistake("not-a-card", "store credit has no code that could be lost").into());
        }
        if card.status == Status::Closed {
            return Err(closed().into());
        }
        if !card.held.is_zero() {
            return Err(held(card).into());
        }
        let mut receipt = begin(card, draft, self.reason.as_ref());
        let hint = self.code.draw(site, self.replacement, 0, facts, draft)?;
        let replacement =
            Account { id: self.replacement, hint, balance: Minor::ZERO, version: 0, replaced_by: None, ..card.clone() };
        draft.create(replacement.clone());
        let leaves = Post { amount: negated(card.balance), status: Some(Status::Closed), ..Post::default() };
        draft.post(card.id, leaves)?;
        draft.edit(card.id, |card| card.replaced_by = Some(self.replacement))?;
        draft.post(self.replacement, Post { amount: card.balance, ..Post::default() })?;
        receipt.line(card, card.balance, None);
        receipt.line(&replacement, Minor::ZERO, None);
        Ok(receipt)
    }
}
