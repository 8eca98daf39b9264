//! New cards, and new codes for cards whose code is lost: value, end and code follow from the programme. The full code
//! is in the answer once, and again only while it is kept sealed. Must not know rules or orders.

use giftcard_engine::moment::InstantMs;
use giftcard_engine::programme::MANUAL;
use giftcard_engine::{Currency, Minor};
use giftcard_ledger::model::{AccountKind, Id, OperationKind, Record, RecordKey, RecordKind};
use giftcard_ledger::operations::{
    CARDS_PER_ISSUE_MAX, CODE_NOT_FREE, CODE_TAKEN, Command, IssueCards, NewCard, Receipt, SpareCard, Target, Transfer,
};
use giftcard_ledger::plan::{CONFIGURATION_CHANGED, read_record};
use giftcard_ledger::store::{Found, Want};
use giftcard_ledger::{Answer, Refused, Request};
use serde_json::{Value, json};

use super::super::configuration::KeptProgramme;
use super::super::pay::hex;
use super::super::setup::{no_programme, no_site, read_pattern, weak_pattern, zone_of};
use super::super::{Desk, DeskError, Doing};
use super::CardName;
use super::credit::check_customer;
use super::source::{Drawn, Source, given};
use crate::codes::{Pattern, SecretCode};
use crate::input::{CodeInput, End, InputErrorKind, IssueInput, PoolDocument, SiteDocument, ValueInput};
use crate::json::excerpt;
use crate::output::{IssuedCardOutput, IssuedOutput, TransferredOutput};

/// How often something is begun anew because others change the same programme, or draw the same codes.
const ATTEMPTS_MAX: u32 = 60;

/// A site and one of its programmes, as they were read at one version of the configuration.
struct Terms {
    site: SiteDocument,
    currency: Currency,
    /// Code name, also of `manual`, which has no document.
    programme: String,
    kept: Option<(Record, KeptProgramme)>,
    configuration: u64,
    now: InstantMs,
}

/// What all cards of one request have in common.
struct Kind {
    currency: Currency,
    value: Minor,
    end: End,
}

impl Desk {
    /// Issues cards, all or none.
    ///
    /// # Errors
    /// [`DeskError::Input`] naming the field; [`Refused`] codes are `programme-disabled`, `programme-ended`,
    /// `value-too-high`, `code-taken`, `pool-empty`, `pattern-exhausted`; [`DeskError::Busy`].
    pub fn issue(&self, doing: &Doing<'_>, input: &IssueInput) -> Result<IssuedOutput, DeskError> {
        let count = check(input)?;
        let own = match &input.code {
            Some(code) => Some(given(code.reveal(), input.accept_weak, "code")?),
            None => None,
        };
        let request = self.request(doing, OperationKind::Issue.name(), &self.issue_facts(doing, input))?;
        for _ in 0..ATTEMPTS_MAX {
            if let Some(answer) = self.ledger().recall(&request)? {
                return self.issued(doing.site, &answer, Vec::new(), Vec::new());
            }
            let terms = self.terms(doing, input.programme.as_deref().unwrap_or(MANUAL))?;
            terms.check_open()?;
            let source = match &own {
                Some((code, _)) => Source::Given(code.clone()),
                None => terms.source()?,
            };
            if let Source::Pattern(pattern) = &source {
                self.check_room(doing.site, &terms.programme, pattern, count)?;
            }
            let kind = terms.kind(input)?;
            let drawn = self.draw(doing.site, &source, count, input.deliver, terms.now)?;
            let (command, texts) = terms.cards(self, input, &kind, drawn);
            let Some(answer) = self.try_to(&request, doing, &command, &source)? else { continue };
            let mut warnings: Vec<String> = own.iter().filter_map(|(_, weak)| weak.clone()).collect();
            warnings.extend(self.source_warning(doing.site, &source)?);
            return self.issued(doing.site, &answer, texts, warnings);
        }
        Err(DeskError::Busy)
    }

    /// A card whose code is lost or known to others: its whole balance moves to a new card with a new code, and it is
    /// closed.
    ///
    /// # Errors
    /// [`DeskError`]; [`Refused`] codes are `card-not-found`, `card-closed`, `card-held`, `pool-empty`.
    pub fn transfer(
        &self,
        doing: &Doing<'_>,
        card: &CardName,
        deliver: bool,
        reason: Option<&str>,
    ) -> Result<TransferredOutput, DeskError> {
        let account = self.account(doing.site, card, doing.now)?;
        let facts = json!({ "card": account.id, "deliver": deliver, "reason": reason });
        let request = self.request(doing, OperationKind::Transfer.name(), &facts)?;
        for _ in 0..ATTEMPTS_MAX {
            if let Some(answer) = self.ledger().recall(&request)? {
                return self.transferred(&answer, None);
            }
            if account.kind != AccountKind::Card {
                return Err(Refused::mistake("not-a-card", "store credit has no code that could be lost").into());
            }
            let source = self.terms(doing, &account.programme)?.source()?;
            let drawn = self.draw(doing.site, &source, 1, deliver, doing.now)?;
            let Some(Drawn { code, text }) = drawn.into_iter().next() else { return Err(DeskError::Busy) };
            let replacement = self.ledger().new_id(doing.now);
            let reason = reason.map(str::to_string);
            let command = Transfer { target: Target::Id(account.id), replacement, code, reason };
            if let Some(answer) = self.try_to(&request, doing, &command, &source)? {
                return self.transferred(&answer, text);
            }
        }
        Err(DeskError::Busy)
    }

    /// Codes for the cards that a refund may have to make in place of closed ones, sealed until they are delivered: one of
    /// each of `sites`, as [`Desk::refund_needs_codes`] tells them.
    ///
    /// # Errors
    /// [`DeskError`].
    pub fn spare_codes(&self, sites: &[String], now: InstantMs) -> Result<Vec<SpareCard>, DeskError> {
        let mut spare = Vec::with_capacity(sites.len());
        for site in sites {
            let drawn = self.draw(site, &Source::Pattern(Pattern::standard()), 1, true, now)?;
            let card = |code| SpareCard { site: site.clone(), id: self.ledger().new_id(now), code };
            spare.extend(drawn.into_iter().map(|drawn| card(drawn.code)));
        }
        Ok(spare)
    }

    /// Does it. `None` where others were faster, and it has to be prepared anew.
    fn try_to<C: Command>(
        &self,
        request: &Request,
        doing: &Doing<'_>,
        command: &C,
        source: &Source,
    ) -> Result<Option<Answer>, DeskError> {
        match self.ledger().operate(request, doing.actor, command).map_err(DeskError::from) {
            Ok(answer) => Ok(Some(answer)),
            Err(DeskError::Refused(refused)) => match refused.code.as_str() {
                CONFIGURATION_CHANGED | CODE_NOT_FREE => Ok(None),
                CODE_TAKEN if source.has_others() => Ok(None),
                _ => Err(refused.into()),
            },
            Err(error) => Err(error),
        }
    }

    /// What makes a request to issue the same request. What is made anew for each try is no part of it.
    fn issue_facts(&self, doing: &Doing<'_>, input: &IssueInput) -> Value {
        let secrets = self.secrets();
        json!({
            "programme": input.programme.as_deref().unwrap_or(MANUAL),
            "value": input.value.as_ref().map(|value| &value.0),
            "currency": input.currency.as_ref().map(|currency| &currency.0),
            "customer": input.customer.as_deref(),
            "count": input.count.map_or(1, |count| count.0),
            "code": input.code.as_ref().map(|code| hex(&secrets.fingerprint(doing.site, code.reveal()))),
            "expires_at": input.expires_at.as_ref().map(|end| &end.0),
            "pending": input.pending,
            "bought_by": input.bought_by.as_deref(),
            "deliver": input.deliver,
            "reason": input.reason.as_deref(),
        })
    }

    fn terms(&self, doing: &Doing<'_>, programme: &str) -> Result<Terms, DeskError> {
        let site_key = RecordKey { kind: RecordKind::Site, site: String::new(), id: doing.site.to_string() };
        let key = RecordKey { kind: RecordKind::Programme, site: doing.site.to_string(), id: programme.to_string() };
        let records = vec![site_key.clone(), key.clone()];
        let mut found = self.store().find(&Want { records, ..Want::default() })?;
        let Some(site) = found.records.get(&site_key) else { return Err(no_site(doing.site)) };
        let site: SiteDocument = read_record(&site.body)?;
        let kept = match found.records.remove(&key) {
            Some(record) => {
                let kept = read_record(&record.body)?;
                Some((record, kept))
            }
            None if programme == MANUAL => None,
            None => return Err(no_programme(doing.site, programme)),
        };
        Ok(Terms {
            currency: site.currency.currency()?,
            site,
            programme: programme.to_string(),
            kept,
            configuration: found.configuration,
            now: self.ledger().not_before_seen(doing.now.max(found.high_water)),
        })
    }

    /// The answer, with codes: those that were just made, or those that are kept.
    fn issued(
        &self,
        site: &str,
        answer: &Answer,
        texts: Vec<Option<SecretCode>>,
        warnings: Vec<String>,
    ) -> Result<IssuedOutput, DeskError> {
        let receipt = super::super::receipt(answer)?;
        let ids: Vec<Id> = receipt.accounts.iter().map(|line| line.id).collect();
        let found = self.store().find(&Want { accounts: ids, ..Want::default() })?;
        let mut texts = if answer.repeated { Vec::new() } else { texts }.into_iter();
        let cards = receipt
            .accounts
            .iter()
            .map(|line| {
                let text = texts.next().flatten();
                self.issued_card(&receipt, line.id, &found, text, answer.repeated)
            })
            .collect::<Result<_, _>>()?;
        debug_assert!(found.accounts.values().all(|account| account.site == site));
        Ok(IssuedOutput { operation: receipt.operation, at: receipt.at, repeated: answer.repeated, cards, warnings })
    }

    fn issued_card(
        &self,
        receipt: &Receipt,
        id: Id,
        found: &Found,
        text: Option<SecretCode>,
        repeated: bool,
    ) -> Result<IssuedCardOutput, DeskError> {
        let text = if repeated { self.sealed_text(id)? } else { text };
        let line = receipt.accounts.iter().find(|line| line.id == id);
        let line = line.expect("INVARIANT: the id is one of the receipt's");
        Ok(IssuedCardOutput::of(line, found.accounts.get(&id), text))
    }

    fn transferred(&self, answer: &Answer, text: Option<SecretCode>) -> Result<TransferredOutput, DeskError> {
        let receipt = super::super::receipt(answer)?;
        let [from, to] = receipt.accounts.as_slice() else {
            let why = "the receipt of a transfer does not have two cards".to_string();
            return Err(giftcard_ledger::store::StoreError::Corrupt(why).into());
        };
        let found = self.store().find(&Want { accounts: vec![to.id], ..Want::default() })?;
        let card = self.issued_card(&receipt, to.id, &found, text, answer.repeated)?;
        Ok(TransferredOutput {
            operation: receipt.operation.clone(),
            at: receipt.at.clone(),
            repeated: answer.repeated,
            from: from.id.to_string(),
            to: card,
        })
    }

    /// What should be known about where the codes come from.
    fn source_warning(&self, site: &str, source: &Source) -> Result<Option<String>, DeskError> {
        match source {
            Source::Given(_) => Ok(None),
            Source::Pattern(pattern) => Ok(weak_pattern(pattern.as_str())),
            Source::Pool(pool) => {
                let (record, _) = self.record(RecordKind::Pool, site, pool)?;
                let document: Option<PoolDocument> = record.map(|record| read_record(&record.body)).transpose()?;
                match document.and_then(|document| document.low_stock) {
                    Some(low) if self.has_fewer(site, pool, low.0)? => {
                        let pool = excerpt(pool);
                        Ok(Some(format!(
                            "the pool `{pool}` has fewer than {} free codes; generate or import more",
                            low.0
                        )))
                    }
                    _ => Ok(None),
                }
            }
        }
    }
}

impl Terms {
    /// Refuses a programme of which no card could be used.
    fn check_open(&self) -> Result<(), DeskError> {
        let Some((_, kept)) = &self.kept else { return Ok(()) };
        let document = &kept.programme;
        if document.enabled == Some(false) {
            let message = "the programme is switched off; `giftcard programme enable` switches it on";
            return Err(Refused::mistake("programme-disabled", message).into());
        }
        let end = document.valid_to.as_ref().map(|end| end.card_end(&zone_of(&self.site))).transpose()?;
        if end.and_then(|end| end.at).is_some_and(|end| end <= self.now) {
            let message = "the programme has ended, so its cards could not be used; change its `valid_to` first";
            return Err(Refused::mistake("programme-ended", message).into());
        }
        Ok(())
    }

    /// Where the codes of its cards come from.
    fn source(&self) -> Result<Source, DeskError> {
        match self.kept.as_ref().and_then(|(_, kept)| kept.programme.codes.as_ref()) {
            None => Ok(Source::Pattern(Pattern::standard())),
            Some(CodeInput::Pattern { pattern, .. }) => Ok(Source::Pattern(read_pattern(pattern, true, "codes")?)),
            Some(CodeInput::Pool(pool)) => Ok(Source::Pool(pool.to_string())),
        }
    }

    /// Currency of its cards.
    fn card_currency(&self, input: &IssueInput) -> Result<Currency, DeskError> {
        let asked = input.currency.as_ref().map(|currency| currency.currency()).transpose();
        let asked = asked.map_err(|error| error.under("currency"))?;
        let Some((_, kept)) = &self.kept else { return Ok(asked.unwrap_or(self.currency)) };
        let currency = kept.programme.card_currency(self.currency)?;
        match asked {
            Some(asked) if asked != currency => {
                let problem = format!("is {asked}, but cards of the programme `{}` are in {currency}", self.programme);
                Err(DeskError::input(InputErrorKind::Inconsistent, "currency", problem))
            }
            _ => Ok(currency),
        }
    }

    fn value(&self, input: &IssueInput, currency: Currency) -> Result<Minor, DeskError> {
        let document = self.kept.as_ref().map(|(_, kept)| &kept.programme);
        let value = match (&input.value, document.and_then(|document| document.value.as_ref())) {
            (Some(value), _) => value.amount(currency).map_err(|error| error.under("value"))?,
            (None, Some(ValueInput::Fixed(value))) => value.amount(currency)?,
            (None, _) => {
                let problem = "is missing; the programme has no fixed value, so say what is on the card";
                return Err(DeskError::input(InputErrorKind::MissingField, "value", problem));
            }
        };
        if value.is_zero() {
            let problem = "is nothing; a card is issued with more than that";
            return Err(DeskError::input(InputErrorKind::InvalidAmount, "value", problem));
        }
        if let Some(document) = document {
            document.check_value(value, currency).map_err(|error| error.under("value"))?;
        }
        if let Some(most) = &self.site.card_value_max
            && currency == self.currency
            && value > most.amount(currency)?
        {
            let message = format!(
                "{} is more than the site allows on one card, which is {}",
                currency.format(value),
                currency.format(most.amount(currency)?)
            );
            return Err(Refused::mistake("value-too-high", message).into());
        }
        Ok(value)
    }

    fn end(&self, input: &IssueInput) -> Result<End, DeskError> {
        let zone = zone_of(&self.site);
        let rule = self.kept.as_ref().and_then(|(_, kept)| kept.programme.expires.as_ref());
        let end = match (&input.expires_at, rule) {
            (Some(end), _) => end.card_end(&zone).map_err(|error| error.under("expires_at"))?,
            (None, Some(rule)) => rule.end(self.now, &zone).map_err(|error| error.under("expires"))?,
            (None, None) => End::default(),
        };
        if end.at.is_some_and(|end| end <= self.now) {
            let problem = match &input.expires_at {
                Some(_) => "is not after now".to_string(),
                None => format!("is what the programme `{}` says, and has passed; give another end", self.programme),
            };
            return Err(DeskError::input(InputErrorKind::InvalidValue, "expires_at", problem));
        }
        Ok(end)
    }

    fn kind(&self, input: &IssueInput) -> Result<Kind, DeskError> {
        let currency = self.card_currency(input)?;
        Ok(Kind { currency, value: self.value(input, currency)?, end: self.end(input)? })
    }

    /// The cards for the ledger, and the texts of their codes.
    fn cards(
        &self,
        desk: &Desk,
        input: &IssueInput,
        kind: &Kind,
        drawn: Vec<Drawn>,
    ) -> (IssueCards, Vec<Option<SecretCode>>) {
        let mut texts = Vec::with_capacity(drawn.len());
        let mut cards = Vec::with_capacity(drawn.len());
        for Drawn { code, text } in drawn {
            texts.push(text);
            cards.push(NewCard {
                id: desk.ledger().new_id(self.now),
                currency: kind.currency,
                programme: self.programme.clone(),
                customer: input.customer.as_deref().map(str::to_string),
                value: kind.value,
                active: !input.pending,
                expires_at: kind.end.at,
                expires_on: kind.end.on.clone(),
                bought_by: input.bought_by.as_deref().map(str::to_string),
                code,
            });
        }
        let reason = input.reason.as_deref().map(str::to_string);
        let records = self.frozen().into_iter().collect();
        (IssueCards { cards, reason, configuration: Some(self.configuration), records }, texts)
    }

    /// The programme with its value frozen, unless it is already.
    fn frozen(&self) -> Option<(Record, String)> {
        let (record, kept) = self.kept.as_ref().filter(|(_, kept)| !kept.frozen)?;
        let frozen = KeptProgramme { frozen: true, programme: kept.programme.clone() };
        let body = serde_json::to_string(&frozen).expect("INVARIANT: documents have string keys only");
        Some((record.clone(), body))
    }
}

/// What can be wrong about it whatever the programme says. How many cards.
fn check(input: &IssueInput) -> Result<usize, DeskError> {
    let count = input.count.map_or(1, |count| count.0 as usize);
    if !(1..=CARDS_PER_ISSUE_MAX).contains(&count) {
        let problem = format!("is {count}; one operation issues 1 to {CARDS_PER_ISSUE_MAX} cards");
        return Err(DeskError::input(InputErrorKind::InvalidValue, "count", problem));
    }
    if input.code.is_some() && count != 1 {
        let problem = format!("is for one card, and {count} are to be issued; leave it out, and codes are made");
        return Err(DeskError::input(InputErrorKind::Inconsistent, "code", problem));
    }
    if let Some(customer) = &input.customer {
        check_customer(customer)?;
    }
    Ok(count)
}
