//! Codes that still have to be delivered: shown once more, with an event for each time, and erased once they are
//! delivered. Must not know how a code gets to anybody.

use giftcard_engine::moment::InstantMs;
use giftcard_ledger::Refused;
use giftcard_ledger::model::{AccountKind, Code, Id};
use giftcard_ledger::operations::{Reveal, Target};
use giftcard_ledger::store::{Changes, CodeChange};
use serde_json::json;

use super::super::setup::Planned;
use super::super::{Desk, DeskError, Doing};
use super::CardName;
use crate::output::{CodeText, DeliveredOutput, RevealedOutput};

impl Desk {
    /// The full code of a card, as long as it is kept sealed. That it was shown is an entry of the card.
    ///
    /// # Errors
    /// [`DeskError`]; [`Refused`] codes are `card-not-found`, `code-not-kept`; [`DeskError::Secrets`] where the seal
    /// does not open.
    pub fn reveal_code(
        &self,
        doing: &Doing<'_>,
        card: &CardName,
        reason: Option<&str>,
    ) -> Result<RevealedOutput, DeskError> {
        let account = self.account(doing.site, card, doing.now)?;
        if account.kind == AccountKind::Card && self.sealed_codes(account.id)?.is_empty() {
            return Err(not_kept(account.id));
        }
        let facts = json!({ "card": account.id, "reason": reason });
        let command = Reveal { target: Target::Id(account.id), reason: reason.map(str::to_string) };
        // Recorded first: a code that was shown without anybody knowing would be worse than one that was not shown.
        let receipt = super::super::receipt(&self.operate(doing, &command, &facts)?)?;
        match self.sealed_text(account.id)? {
            None => Err(not_kept(account.id)),
            Some(code) => Ok(RevealedOutput {
                operation: receipt.operation,
                at: receipt.at,
                id: account.id.to_string(),
                code: CodeText(code),
            }),
        }
    }

    /// The code of a card was delivered: what was kept of it is erased. Nothing happens where nothing is kept any more.
    ///
    /// # Errors
    /// [`DeskError`]; [`Refused`] code `card-not-found`.
    pub fn delivered(&self, site: &str, card: &CardName, now: InstantMs) -> Result<DeliveredOutput, DeskError> {
        let account = self.account(site, card, now)?;
        self.change(|| {
            let sealed = self.sealed_codes(account.id)?;
            let erased = !sealed.is_empty();
            let codes: Vec<CodeChange> = sealed
                .into_iter()
                .map(|code| CodeChange { before: Some(code.version), after: Code { sealed: None, ..code } })
                .collect();
            let changes = erased.then(|| Changes { codes, ..Changes::default() });
            Ok(Planned { changes, answer: DeliveredOutput { id: account.id.to_string(), erased } })
        })
    }

    fn sealed_codes(&self, account: Id) -> Result<Vec<Code>, DeskError> {
        let codes = self.store().codes_of(account)?;
        Ok(codes.into_iter().filter(|code| code.sealed.is_some()).collect())
    }
}

fn not_kept(card: Id) -> DeskError {
    let message = format!(
        "the code of card `{card}` is not kept: it was shown when the card was issued, or delivered since; `card \
         transfer` gives the balance a new code"
    );
    Refused::mistake("code-not-kept", message).into()
}
