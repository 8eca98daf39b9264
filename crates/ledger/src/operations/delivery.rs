//! That a sealed code was opened, as an event of its card. Must not know a code's text, nor the keys of seals.

use std::convert::Infallible;

use super::cards::{begin, wanting};
use super::{Command, Receipt, Target};
use crate::draft::{Draft, Post};
use crate::model::{AccountKind, OperationKind};
use crate::plan::{Facts, Refused, Stop};
use crate::store::Want;

/// The sealed code of a card is opened for its delivery. Moves nothing.
pub struct Reveal {
    /// The card.
    pub target: Target,
    /// Why, as the caller says.
    pub reason: Option<String>,
}

impl Command for Reveal {
    fn kind(&self) -> OperationKind {
        OperationKind::Reveal
    }

    fn want(&self, site: &str) -> Want {
        wanting(&self.target, site)
    }

    fn draft(&self, site: &str, facts: &Facts<'_>, draft: &mut Draft) -> Result<Receipt, Stop<Infallible>> {
        let card = self.target.account(site, facts)?;
        if card.kind != AccountKind::Card {
            return Err(Refused::mistake("not-a-card", "store credit has no code").into());
        }
        let mut receipt = begin(card, draft, self.reason.as_ref());
        // An entry of nothing, so that it stands in the card's own chain.
        draft.post(card.id, Post::default())?;
        receipt.line(card, card.balance, None);
        Ok(receipt)
    }
}
