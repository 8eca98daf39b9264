//! What the rules decided on a payment, in words, and how it differs from what the caller was shown. Must not change
//! anything.

use std::collections::HashMap;
use std::sync::Arc;

use giftcard_engine::quote::{CARD_NOT_USABLE, CardOutcome};
use giftcard_engine::{Currency, Minor, QuoteRequest};
use giftcard_host::Quoted;
use giftcard_ledger::Refused;
use giftcard_ledger::model::{Account, Id};
use giftcard_ledger::operations::RefusedEntry;
use giftcard_ledger::store::Context;

use super::Payment;
use super::entry::Entry;
use crate::input::{Amount, ExpectInput};
use crate::output::{CardOutcomeOutput, CardOutput, QuoteOutput};

/// A decision on what was found.
pub(super) struct Outcome {
    pub(super) request: QuoteRequest,
    pub(super) quoted: Quoted,
    /// For each entry: its card in the request, if it was found.
    pub(super) entries: Vec<Option<usize>>,
    pub(super) context: Arc<Context>,
    pub(super) accounts: HashMap<Id, Account>,
}

impl Outcome {
    /// The quote in words, every entry in its place.
    pub(super) fn output(&self, payment: &Payment<'_>, explain: bool) -> QuoteOutput {
        let mut output = QuoteOutput::of(&self.request, self.quoted.clone(), explain);
        let mut known = std::mem::take(&mut output.cards).into_iter();
        let cards = payment.entries.iter().zip(&self.entries).filter_map(|(entry, place)| match place {
            Some(_) => known.next(),
            None => Some(unknown(entry, payment.currency)),
        });
        output.cards = cards.collect();
        output
    }

    /// Entries that do not pay because they may not.
    pub(super) fn refused(&self, payment: &Payment<'_>) -> Vec<RefusedEntry> {
        let refused = |card: CardOutput| {
            Some(RefusedEntry {
                id: card.id,
                code: card.code?,
                message: card.message.unwrap_or_default(),
                public_code: card.public_code.unwrap_or_default(),
                public_message: card.public_message.unwrap_or_default(),
            })
        };
        let shares = &self.quoted.quote.shares;
        let any = shares.iter().any(|share| matches!(share.outcome, CardOutcome::Refused(_)));
        if !any && self.entries.iter().all(Option::is_some) {
            return Vec::new();
        }
        self.output(payment, false).cards.into_iter().filter_map(refused).collect()
    }

    /// How the decision differs from what was shown.
    pub(super) fn difference(&self, expect: &ExpectInput, currency: Currency) -> Option<String> {
        let quote = &self.quoted.quote;
        let differs = |shown: &Amount, now: Minor, what: &str| match shown.minor(currency) {
            Ok(shown) if shown == now => None,
            _ => Some(format!("{what} is {} now, not {} {currency} as it was shown", currency.format(now), shown.0)),
        };
        let applied = expect.applied.as_ref().and_then(|shown| differs(shown, quote.applied, "what the cards pay"));
        let due = expect.due.as_ref().and_then(|shown| differs(shown, quote.due, "what is left to pay"));
        let cards = expect.cards.as_ref().and_then(|shown| {
            if shown.len() != self.entries.len() {
                return Some(format!("{} cards were shown, {} are entered", shown.len(), self.entries.len()));
            }
            shown.iter().zip(&self.entries).enumerate().find_map(|(index, (shown, place))| {
                let share = place.and_then(|card| quote.shares.iter().find(|share| share.card == card));
                let now = share.map_or(Minor::ZERO, |share| share.applied);
                differs(shown, now, &format!("what cards[{index}] pays"))
            })
        });
        applied.or(due).or(cards)
    }

    /// Why one card does not pay its exact amount.
    pub(super) fn exact_refusal(
        &self,
        payment: &Payment<'_>,
        wanted: Minor,
        refuse: &dyn Fn(&str, String) -> Refused,
    ) -> Refused {
        let output = self.output(payment, false);
        match output.cards.into_iter().next() {
            Some(CardOutput { code: Some(code), message, .. }) => refuse(&code, message.unwrap_or_default()),
            _ => {
                let (wanted, has) =
                    (payment.currency.format(wanted), payment.currency.format(self.quoted.quote.applied));
                let message = format!("exactly {wanted} is asked of the card, but it can pay {has} of this order");
                refuse("insufficient-funds", message)
            }
        }
    }
}

/// An entry that nothing was found for.
fn unknown(entry: &Entry<'_>, currency: Currency) -> CardOutput {
    let nothing = || Amount::of(Minor::ZERO, currency);
    CardOutput {
        id: format!("card-{}", entry.place + 1),
        outcome: CardOutcomeOutput::Refused,
        repeats: None,
        code: Some("card-not-found".to_string()),
        public_code: Some(CARD_NOT_USABLE.to_string()),
        message: Some("there is no such card at the site".to_string()),
        public_message: Some(crate::output::PUBLIC_MESSAGE.to_string()),
        by: None,
        arguments: None,
        applied: nothing(),
        taken: nothing(),
        left: nothing(),
        currency: currency.to_string(),
        left_here: None,
        not_spendable_here: false,
        rate: None,
    }
}
