//! What whoever has a code may be told: the balance of a card that can be used, and one same answer for everything
//! else. Must not tell why a code is not usable.

use giftcard_engine::moment::{InstantMs, format_instant};
use giftcard_engine::programme::{Audience, MANUAL};
use giftcard_engine::quote::CARD_NOT_USABLE;
use giftcard_ledger::Refused;
use giftcard_ledger::model::{Account, AccountKind};
use giftcard_ledger::operations::Target;
use giftcard_ledger::store::Want;

use super::super::configuration::SiteFacts;
use super::super::{Desk, DeskError};
use crate::codes::SecretCode;
use crate::output::{BalanceOutput, CardState, PUBLIC_MESSAGE};

/// Code of the refusal of somebody who tried too often.
pub const TOO_MANY_TRIES: &str = "too-many-tries";

impl Desk {
    /// The balance of the card with a code, for whoever has the code. `who` is whose tries are counted: an address, a
    /// session, a key. `customer` is who is signed in.
    ///
    /// # Errors
    /// [`Refused`] codes are `card-not-usable`, for every code that cannot be used here and now, and `too-many-tries`,
    /// with `retry_at` in its detail where that is known.
    pub fn public_balance(
        &self,
        site: &str,
        code: &SecretCode,
        customer: Option<&str>,
        who: &str,
        now: InstantMs,
    ) -> Result<BalanceOutput, DeskError> {
        if let Err(blocked) = self.tries().begin(who, now) {
            let message = match blocked.until {
                Some(until) => {
                    format!("too many codes that cannot be used; the next try is at {}", format_instant(until))
                }
                None => "too many codes that cannot be used; ask the shop to unblock you".to_string(),
            };
            let detail = blocked.until.map(|until| Box::new(serde_json::json!({ "retry_at": format_instant(until) })));
            return Err(Refused { detail, ..Refused::mistake(TOO_MANY_TRIES, message) }.into());
        }
        let answer = self.balance(site, code, customer, now);
        match &answer {
            Ok(_) => self.tries().succeeded(who),
            Err(DeskError::Refused(refused)) if refused.code == CARD_NOT_USABLE => {}
            // It is not their fault that there is no answer.
            Err(_) => self.tries().took_back(who),
        }
        answer
    }

    /// As [`Self::public_balance`], without counting tries.
    ///
    /// # Errors
    /// [`Refused`] code `card-not-usable`.
    pub fn balance(
        &self,
        site: &str,
        presented: &SecretCode,
        customer: Option<&str>,
        now: InstantMs,
    ) -> Result<BalanceOutput, DeskError> {
        let configuration = self.configuration()?;
        let facts = self.site_of(&configuration, site)?;
        let secrets = self.secrets();
        let sites = facts.sites_of_cards();
        let target = Target::Code(sites.iter().map(|site| secrets.lookups(site, presented.reveal())).collect());
        let mut want = Want::default();
        target.want(site, &mut want);
        let mut found = self.store().find(&want)?;
        let now = self.ledger().not_before_seen(now.max(found.high_water));
        let Some(id) = target.id(site, &found) else { return Err(not_usable()) };
        if let Some(Some(code)) = found.codes.first() {
            self.renew(&secrets.lookups(&code.site, presented.reveal()), code);
        }
        self.ledger().release_passed(&mut found, now)?;
        let account = found.accounts.get(&id).ok_or_else(not_usable)?;
        let valid_from = usable(facts, account, customer, now).ok_or_else(not_usable)?;
        Ok(BalanceOutput {
            currency: account.currency.to_string(),
            available: account.available().to_decimal(account.currency.exponent()),
            expires_at: account.expires_at.map(format_instant),
            expires_on: account.expires_on.clone(),
            valid_from: valid_from.map(format_instant),
        })
    }
}

/// Since when a card can be used at a site, where that is still to come. `None` where it cannot be used.
fn usable(site: &SiteFacts, card: &Account, customer: Option<&str>, now: InstantMs) -> Option<Option<InstantMs>> {
    let is_open = card.kind == AccountKind::Card && CardState::of(card, now) == CardState::Active;
    if !is_open || card.available().is_zero() {
        return None;
    }
    if card.programme == MANUAL {
        return (card.site == site.site.id).then_some(None);
    }
    let terms = &site.programme(&card.site, &card.programme)?.terms;
    let is_theirs = match &terms.audience {
        Audience::Customer(id) => customer == Some(id.as_str()),
        Audience::Everyone | Audience::Registered | Audience::InRoles(_) => true,
    };
    let has_ended = terms.valid_to.is_some_and(|end| end <= now);
    (terms.enabled && is_theirs && !has_ended).then_some(terms.valid_from.filter(|from| *from > now))
}

fn not_usable() -> DeskError {
    Refused::mistake(CARD_NOT_USABLE, PUBLIC_MESSAGE).into()
}
