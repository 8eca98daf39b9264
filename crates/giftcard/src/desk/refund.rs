//! Refunds of orders that cards paid for: the rules split, the ledger books. Must not split.

use std::sync::Arc;

use giftcard_engine::moment::InstantMs;
use giftcard_engine::refund::{Payment, RefundRefused, RefundRequest, RefundShare};
use giftcard_engine::{Currency, Minor};
use giftcard_host::{RefundError, Refunded, Rulebook};
use giftcard_ledger::draft::Draft;
use giftcard_ledger::model::{Operation, OperationKind, OrderRecord, TenderRecord};
use giftcard_ledger::operations::{
    RefundOther, RefundPlan, RefundTarget, ReturnedShare, SpareCard, Target, order_key, plan_refund, refund_targets,
    want_of_order,
};
use giftcard_ledger::plan::read_record;
use giftcard_ledger::store::{Changes, Found, Want};
use giftcard_ledger::{Answer, Facts, Plan, Refused, Stop};

use super::decision::{Split, returned};
use super::shadow::{Made, Shadow};
use super::{Desk, DeskError, Doing, MAIN_SITE};
use crate::input::{InputErrorKind, RefundMode, RefundOrderInput, RefundOtherInput};

/// Milliseconds of a day.
const DAY_MS: i64 = 86_400_000;

impl Desk {
    /// Refunds an order: of what cards paid, or split over all tenders. `spare` are codes for new cards that take the
    /// place of closed ones; see [`Desk::refund_needs_codes`].
    ///
    /// # Errors
    /// [`DeskError`]; [`Refused`] codes are `order-not-found`, `refund-above-refundable`, `code-missing`.
    pub fn refund(&self, input: &RefundOrderInput, spare: Vec<SpareCard>, now: InstantMs) -> Result<Answer, DeskError> {
        let site = input.site.as_deref().unwrap_or(MAIN_SITE);
        let doing = Doing { site, operation: &input.operation, actor: input.actor.as_deref(), now };
        let facts = serde_json::json!({
            "order": *input.order, "mode": matches!(input.mode, RefundMode::Order), "amount": input.amount.0,
            "reason": input.reason.as_deref(),
        });
        let request = self.request(&doing, OperationKind::Refund.name(), &facts)?;
        let mut plan = Refund { desk: self, site, input, request_hash: request.hash, spare, decided: None };
        let answer = self.ledger().run(&request, &mut plan);
        if let Some((shadows, made)) = plan.decided.take() {
            self.look_on(&answer, shadows, made, (&input.order, &input.operation), now);
        }
        Ok(answer?)
    }

    /// The sites of the new cards, and so codes, that a refund of an order may need: one for each closed card without an
    /// owner.
    ///
    /// # Errors
    /// [`DeskError`].
    pub fn refund_needs_codes(&self, site: &str, order: &str) -> Result<Vec<String>, DeskError> {
        let want = Want { records: vec![order_key(site, order)], ..Want::default() };
        let mut found = self.store().find(&want)?;
        loop {
            let mut more = want_of_order(site, order, &found);
            more.accounts.retain(|id| !found.accounts.contains_key(id));
            if more.accounts.is_empty() {
                break;
            }
            let further = self.store().find(&more)?;
            if further.accounts.is_empty() {
                break;
            }
            found.accounts.extend(further.accounts);
        }
        let Some(record) = found.records.get(&order_key(site, order)) else { return Ok(Vec::new()) };
        let record: OrderRecord = read_record(&record.body)?;
        let targets = refund_targets(&record, &found)?;
        let needed = record.tenders.iter().zip(&targets).filter(|(_, target)| **target == RefundTarget::NewCard);
        let sites = needed.filter_map(|(tender, _)| found.accounts.get(&tender.account));
        Ok(sites.map(|account| account.site.clone()).collect())
    }
}

impl Desk {
    /// Refunds what another payment method paid for an order, onto a card or store credit.
    ///
    /// # Errors
    /// [`DeskError`]; [`Refused`] codes are `card-not-found`, `card-closed`, `order-not-found`, `currency-mismatch`,
    /// `refund-above-refundable`.
    pub fn refund_other(&self, input: &RefundOtherInput, now: InstantMs) -> Result<Answer, DeskError> {
        let site = input.site.as_deref().unwrap_or(MAIN_SITE);
        let doing = Doing { site, operation: &input.operation, actor: input.actor.as_deref(), now };
        let currency = self.currency_of_order(site, input)?;
        let (target, name) = match (&input.code, &input.id, &input.credit_of) {
            (Some(code), None, None) => {
                let fingerprint = self.secrets().fingerprint(site, code.reveal());
                (self.target_of_code(site, code), super::pay::hex(&fingerprint))
            }
            (None, Some(id), None) => (self.target_of_id(id, "id")?, id.to_string()),
            (None, None, Some(customer)) => {
                let target = Target::Credit { customer: customer.to_string(), currency };
                (target, format!("credit of {}", &**customer))
            }
            _ => {
                let problem = "must have one of `code`, `id` and `credit_of`, which says where the refund goes";
                return Err(DeskError::input(InputErrorKind::Inconsistent, "", problem));
            }
        };
        let facts = serde_json::json!({
            "order": *input.order, "to": name, "amount": input.amount.0, "currency": currency.code(),
            "paid": input.paid.as_ref().map(|paid| &paid.0), "reason": input.reason.as_deref(),
        });
        let command = RefundOther {
            order: input.order.to_string(),
            target,
            amount: input.amount.amount(currency).map_err(|error| error.under("amount"))?,
            paid: input
                .paid
                .as_ref()
                .map(|paid| paid.minor(currency))
                .transpose()
                .map_err(|error| error.under("paid"))?,
            reason: input.reason.as_deref().map(str::to_string),
        };
        self.operate(&doing, &command, &facts)
    }

    /// The currency that a refund is in: the order's, as the ledger knows it or as it is said, else the site's.
    fn currency_of_order(&self, site: &str, input: &RefundOtherInput) -> Result<Currency, DeskError> {
        let key = order_key(site, &input.order);
        let found = self.store().find(&Want { records: vec![key.clone()], ..Want::default() })?;
        let known: Option<OrderRecord> = found.records.get(&key).map(|record| read_record(&record.body)).transpose()?;
        if let Some(currency) = known.and_then(|order| Currency::iso(&order.currency)) {
            return Ok(currency);
        }
        match &input.currency {
            Some(currency) => Ok(currency.currency().map_err(|error| error.under("currency"))?),
            None => Ok(self.site_of(&*self.configuration()?, site)?.document.currency.currency()?),
        }
    }
}

struct Refund<'a> {
    desk: &'a Desk,
    site: &'a str,
    input: &'a RefundOrderInput,
    request_hash: [u8; 32],
    spare: Vec<SpareCard>,
    /// What was decided last, where versions look on.
    decided: Option<(Arc<Vec<Shadow>>, Made)>,
}

impl Refund<'_> {
    /// What goes back to each tender of the order, and to other payment methods, with what is asked for that.
    fn split(
        &self,
        record: &OrderRecord,
        currency: Currency,
        book: &Rulebook,
    ) -> Result<(RefundRequest, Refunded), Stop<DeskError>> {
        let amount = self.input.amount.amount(currency).map_err(|error| failed(error.under("amount").into()))?;
        let corrupt = || giftcard_ledger::store::StoreError::Corrupt("an order has amounts that cannot be".to_string());
        let minor = |amount: i64| Minor::new(amount).map_err(|_| corrupt());
        let mut payments = Vec::with_capacity(record.tenders.len() + 1);
        for tender in &record.tenders {
            let (applied, applied_returned) = (minor(tender.applied)?, minor(tender.applied_returned)?);
            // Nothing was taken for it where the capture before it was rounded up by as much. It is split like any other,
            // and nothing goes back.
            let (taken, taken_returned) = match tender.taken {
                0 => (applied, applied_returned),
                taken => (minor(taken)?, minor(tender.taken_returned)?),
            };
            payments.push(Payment { applied, taken, applied_returned, taken_returned });
        }
        if matches!(self.input.mode, RefundMode::Order) {
            let by_cards: i64 = record.tenders.iter().map(|tender| tender.applied).sum();
            let other = minor((record.total - by_cards).max(0))?;
            let returned = minor(record.other_returned)?.min(other);
            payments.push(Payment {
                applied: other,
                taken: other,
                applied_returned: returned,
                taken_returned: returned,
            });
        }
        let request = RefundRequest { amount, exponent: currency.exponent(), payments };
        match book.refund(&request, false) {
            Ok(refunded) => Ok((request, refunded)),
            Err(RefundError::Rules(error)) => Err(failed(crate::TillError::from(&*error).into())),
            Err(RefundError::Refused(RefundRefused::NotPositive)) => {
                let problem = "a refund must be more than nothing";
                Err(failed(DeskError::input(InputErrorKind::RefundNotPositive, "amount", problem)))
            }
            Err(RefundError::Refused(refused)) => {
                let message = match &refused {
                    RefundRefused::AboveRefundable(left) => format!(
                        "{} is more than is still refundable, which is {}",
                        currency.format(amount),
                        currency.format(*left)
                    ),
                    other => other.to_string(),
                };
                Err(Refused::decided(refused.code(), message).into())
            }
        }
    }
}

/// What of a split goes back to each tender, and to other payment methods.
fn shares_of(record: &OrderRecord, refunded: &Refunded) -> (Vec<ReturnedShare>, Minor) {
    let share = |(tender, share): (usize, &RefundShare)| ReturnedShare {
        tender,
        applied: share.applied,
        taken: if record.tenders[tender].taken == 0 { Minor::ZERO } else { share.taken },
    };
    let cards = record.tenders.len();
    let other = refunded.shares.get(cards).map_or(Minor::ZERO, |share| share.applied);
    (refunded.shares.iter().take(cards).enumerate().map(share).collect(), other)
}

fn failed(error: DeskError) -> Stop<DeskError> {
    Stop::Failed(error)
}

impl Plan for Refund<'_> {
    type Error = DeskError;

    fn want(&self) -> Want {
        Want {
            codes: self.spare.iter().map(|spare| spare.code.lookups()).collect(),
            records: vec![order_key(self.site, &self.input.order)],
            ..Want::default()
        }
    }

    fn more(&self, found: &Found) -> Want {
        want_of_order(self.site, &self.input.order, found)
    }

    fn plan(&mut self, facts: &Facts<'_>) -> Result<Changes, Stop<DeskError>> {
        self.decided = None;
        let configuration = self.desk.configuration_at(facts.found.configuration).map_err(failed)?;
        if configuration.version != facts.found.configuration {
            return Err(Stop::Stale);
        }
        let site = self.desk.site_of(&configuration, self.site).map_err(failed)?;
        let key = order_key(self.site, &self.input.order);
        let Some(record) = facts.record::<OrderRecord>(key.kind, &key.site, &key.id)? else {
            let message = "no card of this site has paid for this order";
            return Err(Refused::mistake("order-not-found", message).into());
        };
        let currency = Currency::iso(&record.currency).ok_or_else(|| {
            giftcard_ledger::store::StoreError::Corrupt(format!("`{}` is no currency", record.currency))
        })?;
        let book = site.till(&self.input.order).map_err(failed)?.rulebook();
        let (request, refunded) = self.split(&record, currency, book)?;
        let context = self.desk.context(&configuration, site, (&[], &[]), book.rules().facts()).map_err(failed)?;
        let programme = |tender: &TenderRecord| {
            let account = facts.found.accounts.get(&tender.account);
            (tender.account.to_string(), account.map_or_else(String::new, |account| account.programme.clone()))
        };
        let tenders: Vec<(String, String)> = record.tenders.iter().map(programme).collect();
        let decision = Split {
            now: facts.now,
            currency,
            context: &context,
            request: &request,
            tenders: &tenders,
            refunded: &refunded,
        }
        .text();
        self.decided = (!site.shadows.is_empty()).then(|| {
            // The last is of other payment methods.
            let cards = tenders.iter().map(|(card, _)| card.clone()).chain([String::new()]);
            (Arc::clone(&site.shadows), Made::Refund(request, returned(cards, &refunded.shares)))
        });
        let (shares, other) = shares_of(&record, &refunded);
        let mut draft = Draft::new();
        // The rules that split it are those that are active when it is committed.
        draft.require_configuration(facts.found.configuration);
        draft.context((*context).clone());
        let plan = RefundPlan {
            site: self.site,
            order: &self.input.order,
            record,
            currency,
            shares: &shares,
            other,
            extension_ms: i64::from(site.document.refund_extension_days()) * DAY_MS,
            spare: &self.spare,
            reason: self.input.reason.as_deref().map(str::to_string),
        };
        let receipt = plan_refund(plan, facts, &mut draft).map_err(super::pay::widen)?;
        let request_key = super::operation_key(self.site, &self.input.operation).map_err(failed)?;
        let answer = receipt.seal(&request_key, OperationKind::Refund, facts.now, &draft);
        let operation = Operation {
            key: request_key,
            kind: OperationKind::Refund,
            request_hash: self.request_hash,
            at: facts.now,
            order: Some(self.input.order.to_string()),
            actor: self.input.actor.as_deref().map(str::to_string),
            answer,
            decision: Some(decision),
            personal: None,
        };
        Ok(draft.finish(operation)?)
    }
}
