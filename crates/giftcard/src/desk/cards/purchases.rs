//! What becomes of sold cards when the order that bought them is invoiced, cancelled or refunded. Must not know orders
//! that cards pay for.

use giftcard_ledger::model::{AccountKind, Id};
use giftcard_ledger::operations::{ActivatePurchase, CancelPurchase, RefundPurchase, Target};
use giftcard_ledger::store::AccountFilter;
use giftcard_ledger::{Answer, Refused};
use serde_json::json;

use super::super::{Desk, DeskError, Doing};
use super::CardName;
use crate::input::PositiveAmount;
use crate::json::excerpt;

/// Cards read at a time.
const PAGE: usize = 1_000;

impl Desk {
    /// An order is invoiced: every card that it bought and that waits for it can be used from now on.
    ///
    /// # Errors
    /// [`DeskError`]; [`Refused`] codes are `order-bought-nothing`, `nothing-to-activate`.
    pub fn activate_purchase(&self, doing: &Doing<'_>, order: &str) -> Result<Answer, DeskError> {
        let cards = self.cards_of(doing.site, order)?;
        let command = ActivatePurchase { order: order.to_string(), cards };
        self.operate(doing, &command, &json!({ "order": order }))
    }

    /// An order is cancelled: every card that it bought is closed, if none of them was used.
    ///
    /// # Errors
    /// [`DeskError`]; [`Refused`] codes are `order-bought-nothing`, `card-already-spent`, `nothing-to-cancel`.
    pub fn cancel_purchase(&self, doing: &Doing<'_>, order: &str) -> Result<Answer, DeskError> {
        let cards = self.cards_of(doing.site, order)?;
        let command = CancelPurchase { order: order.to_string(), cards };
        self.operate(doing, &command, &json!({ "order": order }))
    }

    /// The purchase of a card is refunded, up to what is available on it; all of its initial value without an amount.
    ///
    /// # Errors
    /// [`DeskError`]; [`Refused`] codes are `card-not-found`, `card-already-spent`, `card-closed`.
    pub fn refund_purchase(
        &self,
        doing: &Doing<'_>,
        card: &CardName,
        amount: Option<&PositiveAmount>,
        reason: Option<&str>,
    ) -> Result<Answer, DeskError> {
        let account = self.account(doing.site, card, doing.now)?;
        let amount = amount.map(|amount| amount.amount(account.currency)).transpose();
        let amount = amount.map_err(|error| error.under("amount"))?;
        let facts = json!({ "card": account.id, "amount": amount.map(|amount| amount.get()), "reason": reason });
        let reason = reason.map(str::to_string);
        self.operate(doing, &RefundPurchase { target: Target::Id(account.id), amount, reason }, &facts)
    }

    /// Every card that an order bought.
    fn cards_of(&self, site: &str, order: &str) -> Result<Vec<Id>, DeskError> {
        let mut cards: Vec<Id> = Vec::new();
        loop {
            let page = self.store().accounts(&AccountFilter {
                site: Some(site.to_string()),
                kind: Some(AccountKind::Card),
                bought_by: Some(order.to_string()),
                after: cards.last().copied(),
                limit: PAGE,
                ..AccountFilter::default()
            })?;
            let is_last = page.len() < PAGE;
            cards.extend(page.iter().map(|card| card.id));
            if is_last {
                break;
            }
        }
        if cards.is_empty() {
            let message = format!("no card of the site was bought by order `{}`", excerpt(order));
            return Err(Refused::mistake("order-bought-nothing", message).into());
        }
        Ok(cards)
    }
}
