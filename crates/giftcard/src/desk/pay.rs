//! Orders paid with cards and store credit: quote, hold, redeem, capture, void. The rules run outside any transaction; what
//! they read must still hold when it is committed. Must not know how a share is decided.

mod entry;
mod outcome;

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;

use giftcard_engine::card::CardSnapshot;
use giftcard_engine::moment::InstantMs;
use giftcard_engine::quote::CardShare;
use giftcard_engine::{Currency, Minor, QuoteError, QuoteRequest};
use giftcard_ledger::draft::{Draft, Unsound};
use giftcard_ledger::model::{HoldRecord, Id, Operation, OperationKind, OrderRecord};
use giftcard_ledger::operations::{
    Capture, OrderShares, Tendered, Void, hold_key, order_key, plan_hold, plan_redemption, release_open_hold,
};
use giftcard_ledger::plan::read_record;
use giftcard_ledger::store::{Changes, Found, Personal, Want};
use giftcard_ledger::{Answer, Facts, LedgerError, Plan, Refused, Request, Stop};
use serde::Serialize;

use self::entry::{Entry, check_repeated, entry_of, snapshot, target_of_code};
use self::outcome::Outcome;
use super::configuration::{Configuration, ProgrammeFacts, SiteFacts};
use super::decision::{self, Decided};
use super::shadow::{Made, Shadow};
use super::{Desk, DeskError, Doing, MAIN_SITE};
use crate::input::{
    CaptureInput, ExpectInput, InputError, InputErrorKind, OrderInput, PayInput, order_facts, setup_limits,
};
use crate::output::QuoteOutput;

/// Milliseconds of a minute.
const MINUTE_MS: i64 = 60_000;

/// What is done with the shares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PayKind {
    /// They are reserved.
    Hold,
    /// They are taken at once.
    Redeem,
}

impl PayKind {
    fn operation(self) -> OperationKind {
        match self {
            Self::Hold => OperationKind::Hold,
            Self::Redeem => OperationKind::Redeem,
        }
    }
}

impl Desk {
    /// Holds or redeems: finds the cards, runs the rules, and commits what they decided if what they read still holds.
    /// The answer is a [`giftcard_ledger::operations::Receipt`].
    ///
    /// # Errors
    /// [`DeskError`]; [`Refused`] codes are `quote-changed`, `not-fully-covered`, `insufficient-funds`,
    /// `no-card-usable`, `hold-partly-captured`, `order-already-paid`.
    pub fn pay(&self, input: &PayInput, kind: PayKind, now: InstantMs) -> Result<Answer, DeskError> {
        let mut payment = Payment::new(self, input, kind)?;
        let request = payment.request(input, now)?;
        payment.request_hash = request.hash;
        payment.reference = request.personal.as_ref().map(|personal| personal.reference);
        payment.personal.clone_from(&request.personal);
        let answer = self.ledger().run(&request, &mut payment);
        if let Some((shadows, made)) = payment.decided.take() {
            self.look_on(&answer, shadows, made, (&payment.order_id, &payment.operation), now);
        }
        Ok(answer?)
    }

    /// Shows a decision to the versions that look on, where it was made and not found.
    pub(super) fn look_on(
        &self,
        answer: &Result<Answer, LedgerError<DeskError>>,
        shadows: Arc<Vec<Shadow>>,
        made: Made,
        names: (&str, &str),
        now: InstantMs,
    ) {
        let is_new = match answer {
            Ok(answer) => !answer.repeated,
            Err(error) => matches!(error, LedgerError::Refused(_)),
        };
        if is_new {
            self.watcher.see(&self.ledger, &shadows, made, names, now);
        }
    }

    /// What each card would pay. Moves nothing and protects nothing; `operation` of the input is not used.
    ///
    /// # Errors
    /// [`DeskError`].
    pub fn quote(&self, input: &PayInput, now: InstantMs, explain: bool) -> Result<QuoteOutput, DeskError> {
        let payment = Payment::new(self, input, PayKind::Redeem)?;
        let want = payment.want();
        let mut found = self.store().find(&want)?;
        loop {
            let mut more = payment.more(&found);
            more.accounts.retain(|id| !found.accounts.contains_key(id));
            more.records.retain(|key| !found.records.contains_key(key) && !want.records.contains(key));
            if more == Want::default() {
                break;
            }
            let further = self.store().find(&more)?;
            if further.accounts.is_empty() && further.records.is_empty() {
                break;
            }
            found.accounts.extend(further.accounts);
            found.records.extend(further.records);
        }
        let now = self.ledger().not_before_seen(now.max(found.high_water));
        self.ledger().release_passed(&mut found, now)?;
        let configuration = self.configuration_at(found.configuration)?;
        let decided = payment.decide(&configuration, found, now, explain)?;
        Ok(decided.output(&payment, explain))
    }

    /// Takes a hold, or a part of it. Runs no rules.
    ///
    /// # Errors
    /// [`DeskError`]; [`Refused`] codes are `hold-not-found`, `hold-not-open`, `capture-above-hold`.
    pub fn capture(&self, input: &CaptureInput, now: InstantMs) -> Result<Answer, DeskError> {
        let site = input.site.as_deref().unwrap_or(MAIN_SITE);
        let hold = self.hold_id(&input.hold)?;
        let amount = match &input.amount {
            None => None,
            Some(amount) => Some(amount.minor(self.hold_currency(site, hold)?).map_err(|error| error.under("amount"))?),
        };
        let doing = Doing { site, operation: &input.operation, actor: input.actor.as_deref(), now };
        let facts = serde_json::json!({
            "hold": hold, "amount": amount.map(Minor::get), "final": input.is_final,
        });
        self.operate(&doing, &Capture { hold, amount, is_final: input.is_final }, &facts)
    }

    /// Gives a hold up.
    ///
    /// # Errors
    /// [`DeskError`]; [`Refused`] codes are `hold-not-found`, `hold-not-open`, `hold-partly-captured`.
    pub fn void(&self, doing: &Doing<'_>, hold: &str, reason: Option<&str>) -> Result<Answer, DeskError> {
        let hold = self.hold_id(hold)?;
        let facts = serde_json::json!({ "hold": hold, "reason": reason });
        self.operate(doing, &Void { hold, reason: reason.map(str::to_string) }, &facts)
    }

    fn hold_id(&self, hold: &str) -> Result<Id, DeskError> {
        // It may be a code by mistake, so it is not said what was found.
        let problem = "is no id of a hold; it is what the answer to holding calls it, such as `1m8msbsg2jg5n`";
        hold.parse().map_err(|_| DeskError::input(InputErrorKind::InvalidValue, "hold", problem))
    }

    fn hold_currency(&self, site: &str, hold: Id) -> Result<Currency, DeskError> {
        let record = self.hold_record(hold)?.filter(|record| record.site == site);
        let known = record.and_then(|record| Currency::iso(&record.currency));
        known.ok_or_else(|| Refused::mistake("hold-not-found", format!("the site has no hold `{hold}`")).into())
    }

    /// What is kept of a hold.
    pub(super) fn hold_record(&self, hold: Id) -> Result<Option<HoldRecord>, DeskError> {
        let key = hold_key(hold);
        let found = self.store().find(&Want { records: vec![key.clone()], ..Want::default() })?;
        Ok(found.records.get(&key).map(|record| read_record(&record.body)).transpose()?)
    }
}

/// A hold or redemption under way.
pub(super) struct Payment<'a> {
    desk: &'a Desk,
    kind: PayKind,
    site: String,
    order: &'a OrderInput,
    order_id: String,
    /// The order without personal fields, as it is recorded.
    order_text: String,
    currency: Currency,
    entries: Vec<Entry<'a>>,
    /// Whose cards the order's site takes, as far as was known when the entries were read.
    sites: Vec<String>,
    expect: Option<&'a ExpectInput>,
    require_full: bool,
    ends_at: Option<InstantMs>,
    hold_minutes: Option<u32>,
    operation: String,
    actor: Option<String>,
    personal: Option<Personal>,
    request_hash: [u8; 32],
    reference: Option<[u8; 16]>,
    /// What was decided last, where versions look on.
    decided: Option<(Arc<Vec<Shadow>>, Made)>,
}

/// What makes a request the same request. Codes stand as keyed fingerprints.
#[derive(Serialize)]
struct SameRequest<'a> {
    order: &'a str,
    entries: Vec<(String, Option<&'a str>, bool)>,
    expect: Option<&'a ExpectInput>,
    require_full: bool,
    ends_at: Option<InstantMs>,
    hold_minutes: Option<u32>,
}

impl<'a> Payment<'a> {
    fn new(desk: &'a Desk, input: &'a PayInput, kind: PayKind) -> Result<Self, DeskError> {
        let missing = |path: &str, problem: &str| DeskError::input(InputErrorKind::MissingField, path, problem);
        let site = input.site.as_deref().or(input.order.site.as_deref()).unwrap_or(MAIN_SITE).to_string();
        let Some(order_id) = input.order.id.as_deref().map(str::to_string) else {
            return Err(missing("order.id", "is missing; captures and refunds name the order by it"));
        };
        let currency = input.order.currency.currency().map_err(|error| error.under("order.currency"))?;
        let known = desk.known_configuration()?;
        let sites = known.site(&site).map_or_else(|| vec![site.clone()], |site| site.sites_of_cards());
        let entries = input
            .cards
            .iter()
            .enumerate()
            .map(|(place, entry)| entry_of(desk, &sites, currency, entry, place))
            .collect::<Result<Vec<_>, _>>()?;
        if entries.len() > 1
            && let Some(exact) = entries.iter().find(|entry| entry.is_exact)
        {
            let problem = "is for one card alone; with several cards write `use_at_most`";
            let path = format!("cards[{}].amount", exact.place);
            return Err(DeskError::input(InputErrorKind::Inconsistent, &path, problem));
        }
        let ends_at = input.ends_at.as_ref().map(crate::input::Instant::at).transpose();
        let ends_at = ends_at.map_err(|error| error.under("ends_at"))?;
        if input.hold_minutes.is_some_and(|minutes| minutes.0 == 0 || minutes.0 > setup_limits::HOLD_MINUTES_MAX) {
            let problem = format!("must be 1 to {}", setup_limits::HOLD_MINUTES_MAX);
            return Err(DeskError::input(InputErrorKind::InvalidValue, "hold_minutes", problem));
        }
        Ok(Self {
            desk,
            kind,
            site,
            order: &input.order,
            order_id,
            order_text: decision::order_text(&input.order),
            currency,
            entries,
            sites,
            expect: input.expect.as_ref(),
            require_full: input.require_full,
            ends_at,
            hold_minutes: input.hold_minutes.map(|minutes| minutes.0),
            operation: input.operation.to_string(),
            actor: input.actor.as_deref().map(str::to_string),
            personal: None,
            request_hash: [0; 32],
            reference: None,
            decided: None,
        })
    }

    fn request(&self, input: &PayInput, now: InstantMs) -> Result<Request, DeskError> {
        let secrets = self.desk.secrets();
        let entries = input.cards.iter().map(|entry| {
            let name = match (&entry.code, &entry.id, &entry.credit_of) {
                (Some(code), _, _) => hex(&secrets.fingerprint(&self.site, code.reveal())),
                (None, Some(id), _) => id.to_string(),
                (None, None, customer) => format!("credit of {}", customer.as_deref().unwrap_or_default()),
            };
            let most = entry.amount.as_ref().or(entry.use_at_most.as_ref()).map(|amount| amount.0.as_str());
            (name, most, entry.amount.is_some())
        });
        let same = SameRequest {
            order: &self.order_text,
            entries: entries.collect(),
            expect: self.expect,
            require_full: self.require_full,
            ends_at: self.ends_at,
            hold_minutes: self.hold_minutes,
        };
        let said = serde_json::to_string(&same).expect("INVARIANT: a request has string keys only");
        let hash = giftcard_ledger::chain::digest(&format!("{}\n{said}", self.kind.operation().name()));
        let personal = decision::personal_text(self.order).map(|body| {
            let reference = self.desk.reference(now);
            let customer = self.customer();
            Personal { reference, site: self.site.clone(), customer, body }
        });
        Ok(Request { key: super::operation_key(&self.site, &self.operation)?, hash, now, personal })
    }

    fn customer(&self) -> Option<String> {
        self.order.customer.as_ref().and_then(|customer| customer.id.as_deref()).map(str::to_string)
    }

    /// Runs the rules on what was found.
    fn decide(
        &self,
        configuration: &Configuration,
        mut found: Found,
        now: InstantMs,
        explain: bool,
    ) -> Result<Outcome, DeskError> {
        let site = self.desk.site_of(configuration, &self.site)?;
        let (order, now) = order_facts(self.order.clone(), &site.site, &site.zone, now)?;
        release_open_hold(&mut found, &self.site, &self.order_id)?;
        let mut cards = Vec::with_capacity(self.entries.len());
        let mut entries = Vec::with_capacity(self.entries.len());
        for entry in &self.entries {
            let account = entry.target.id(&self.site, &found).and_then(|id| found.accounts.get(&id));
            // To a site, the cards that it does not take are not there, however they are named.
            match account.filter(|account| site.takes(account)) {
                None => entries.push(None),
                Some(account) => {
                    entries.push(Some(cards.len()));
                    cards.push(snapshot(account, entry, self.currency)?);
                }
            }
        }
        check_repeated(&cards, &entries)?;
        for card in &cards {
            if let Some(why) = site.unusable(&card.site, &card.programme) {
                let message = format!("the rules of programme `{}` cannot be run: {why}", card.programme);
                return Err(DeskError::Rules { code: "programme-unusable".to_string(), message });
            }
        }
        let programmes = programmes_of(site, &cards);
        let terms = programmes.iter().map(|programme| programme.terms_for(&self.order_id)).collect();
        let request = QuoteRequest { order, site: Arc::clone(&site.site), programmes: terms, cards, now };
        let book = site.till(&self.order_id)?.rulebook();
        let quoted = match book.quote(&request, explain) {
            Ok(quoted) => quoted,
            Err(QuoteError::Input { path, problem }) => {
                return Err(InputError { kind: InputErrorKind::Inconsistent, path, problem }.into());
            }
            Err(QuoteError::Rules(error)) => return Err(crate::TillError::from(&*error).into()),
            Err(QuoteError::Broken(broken)) => {
                return Err(DeskError::Rules { code: broken.rule.to_string(), message: broken.to_string() });
            }
        };
        let context =
            self.desk.context(configuration, site, (&programmes, &request.programmes), book.rules().facts())?;
        let accounts = found.accounts;
        Ok(Outcome { request, quoted, entries, context, accounts })
    }

    fn change(&self, facts: &Facts<'_>, site: &SiteFacts, outcome: &Outcome) -> Result<Changes, Stop<DeskError>> {
        let quote = &outcome.quoted.quote;
        let mut draft = Draft::new();
        draft.require_configuration(facts.found.configuration);
        draft.context((*outcome.context).clone());
        for (entry, place) in self.entries.iter().zip(&outcome.entries) {
            if place.is_some() {
                entry.target.renew(&facts.found, &mut draft);
            }
        }
        let used = quote.order_of_use.iter().filter_map(|card| quote.shares.iter().find(|share| share.card == *card));
        let tendered = |share: &CardShare| {
            let account = outcome.request.cards[share.card].id.parse().ok()?;
            (!share.taken.is_zero()).then_some(Tendered { account, applied: share.applied, taken: share.taken })
        };
        let shares = OrderShares {
            site: self.site.clone(),
            order: self.order_id.clone(),
            currency: self.currency,
            total: outcome.request.order.total,
            due: quote.due,
            customer: self.customer(),
            shares: used.filter_map(tendered).collect(),
        };
        for account in outcome.accounts.values() {
            if !shares.shares.iter().any(|share| share.account == account.id) {
                draft.require_account(account.id, account.version);
            }
        }
        let planned = match self.kind {
            PayKind::Redeem => plan_redemption(&shares, facts, &mut draft),
            PayKind::Hold => plan_hold(&shares, facts.new_id(), self.end(facts.now, site), facts, &mut draft),
        };
        let mut receipt = planned.map_err(widen)?;
        receipt.refused = outcome.refused(self);
        let decision = decision::text(&Decided {
            now: facts.now,
            order: &self.order_text,
            personal: self.personal.is_some(),
            context: &outcome.context,
            request: &outcome.request,
            quoted: &outcome.quoted,
        });
        let key = super::operation_key(&self.site, &self.operation).map_err(Stop::Failed)?;
        let kind = self.kind.operation();
        let answer = receipt.seal(&key, kind, facts.now, &draft);
        draft.personal(self.personal.clone());
        let operation = Operation {
            key,
            kind,
            request_hash: self.request_hash,
            at: facts.now,
            order: Some(self.order_id.clone()),
            actor: self.actor.clone(),
            answer,
            decision: Some(decision),
            personal: self.reference,
        };
        draft.finish(operation).map_err(|unsound: Unsound| Stop::from(unsound))
    }

    fn end(&self, now: InstantMs, site: &SiteFacts) -> InstantMs {
        let minutes = self.hold_minutes.unwrap_or_else(|| site.document.hold_minutes());
        self.ends_at.unwrap_or_else(|| now.saturating_add(i64::from(minutes) * MINUTE_MS))
    }

    /// What the caller asked for beside the decision of the rules.
    fn check(&self, outcome: &Outcome) -> Result<(), Refused> {
        let quote = &outcome.quoted.quote;
        let new_quote = || serde_json::to_value(outcome.output(self, false)).ok().map(Box::new);
        let refuse = |code: &str, message: String| Refused { detail: new_quote(), ..Refused::decided(code, message) };
        if let Some(exact) = self.entries.first().filter(|entry| entry.is_exact) {
            let wanted = exact.use_at_most.as_ref().and_then(|amount| self.currency.parse(&amount.0).ok());
            if wanted != Some(quote.applied) {
                return Err(outcome.exact_refusal(self, wanted.unwrap_or_default(), &refuse));
            }
        }
        if let Some(expect) = self.expect
            && let Some(difference) = outcome.difference(expect, self.currency)
        {
            return Err(refuse("quote-changed", difference));
        }
        if self.require_full && !quote.due.is_zero() {
            let due = self.currency.format(quote.due);
            let message = format!("{due} would be left to pay, and nothing may be (`require_full`)");
            return Err(refuse("not-fully-covered", message));
        }
        if quote.applied.is_zero() && !quote.due.is_zero() {
            let message = "none of the cards can pay for this order".to_string();
            return Err(refuse("no-card-usable", message));
        }
        Ok(())
    }
}

impl Plan for Payment<'_> {
    type Error = DeskError;

    fn want(&self) -> Want {
        let mut want = Want { records: vec![order_key(&self.site, &self.order_id)], ..Want::default() };
        self.entries.iter().for_each(|entry| entry.target.want(&self.site, &mut want));
        want
    }

    fn more(&self, found: &Found) -> Want {
        let Some(record) = found.records.get(&order_key(&self.site, &self.order_id)) else { return Want::default() };
        let Ok(order) = giftcard_ledger::plan::read_record::<OrderRecord>(&record.body) else {
            return Want::default();
        };
        let Some(hold) = order.hold else { return Want::default() };
        let mut want = Want { records: vec![hold_key(hold)], ..Want::default() };
        if let Some(record) = found.records.get(&hold_key(hold))
            && let Ok(hold) = giftcard_ledger::plan::read_record::<giftcard_ledger::model::HoldRecord>(&record.body)
        {
            want.accounts = hold.lines.iter().map(|line| line.account).collect();
        }
        want
    }

    /// An order is paid once as a rule. What decides is guarded: the configuration, and every account that was read.
    fn begins_something(&self) -> bool {
        true
    }

    fn is_busy(error: &DeskError) -> bool {
        error.code() == "busy"
    }

    fn plan(&mut self, facts: &Facts<'_>) -> Result<Changes, Stop<DeskError>> {
        self.decided = None;
        let configuration = self.desk.configuration_at(facts.found.configuration).map_err(Stop::Failed)?;
        if configuration.version != facts.found.configuration {
            return Err(Stop::Stale);
        }
        let site = self.desk.site_of(&configuration, &self.site).map_err(Stop::Failed)?;
        if site.sites_of_cards() != self.sites {
            // Codes may be of other sites than were looked at.
            self.sites = site.sites_of_cards();
            for entry in &mut self.entries {
                if let Some(code) = entry.code {
                    entry.target = target_of_code(self.desk, &self.sites, code);
                }
            }
            return Err(Stop::Stale);
        }
        let outcome = self.decide(&configuration, facts.found.clone(), facts.now, false).map_err(Stop::Failed)?;
        self.decided = (!site.shadows.is_empty()).then(|| {
            let shares = decision::shares(&outcome.request, &outcome.quoted);
            let shares = shares.into_iter().map(decision::ShareFacts::into_owned).collect();
            (Arc::clone(&site.shadows), Made::Payment(Box::new(outcome.request.clone()), shares))
        });
        self.check(&outcome)?;
        self.change(facts, site, &outcome)
    }
}

pub(super) fn widen(stop: Stop<Infallible>) -> Stop<DeskError> {
    match stop {
        Stop::Refused(refused) => Stop::Refused(refused),
        Stop::Stale => Stop::Stale,
        Stop::Store(error) => Stop::Store(error),
        Stop::Failed(never) => match never {},
    }
}

/// The programmes of the cards that the site knows, each once, in a fixed order.
fn programmes_of<'a>(site: &'a SiteFacts, cards: &[CardSnapshot]) -> Vec<&'a Arc<ProgrammeFacts>> {
    let known = cards.iter().filter_map(|card| site.programme(&card.site, &card.programme));
    let by_name: BTreeMap<_, _> =
        known.map(|programme| ((&programme.record.key.site, &programme.record.key.id), programme)).collect();
    by_name.into_values().collect()
}

pub(super) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests;
