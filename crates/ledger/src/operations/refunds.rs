//! Where the parts of a refund are booked. The split comes from whoever ran the rules. Must not know how it is split.

use std::convert::Infallible;

use giftcard_engine::card::Status;
use giftcard_engine::{Currency, Minor};

use super::cards::negated;
use super::credit::{credit_id, new_credit};
use super::orders::{Booking, order_key};
use super::{Command, NewCode, Receipt, Target, minor, positive};
use crate::draft::{Draft, Post};
use crate::model::{Account, Counter, Id, OperationKind, OrderRecord};
use crate::plan::{Facts, Refused, Stop, read_record};
use crate::store::{Found, StoreError, Want};

/// How many replacements of a card are followed.
const REPLACEMENTS_MAX: usize = 16;

/// What goes back to one tender of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReturnedShare {
    /// Which of the order's tenders.
    pub tender: usize,
    /// In the order's currency.
    pub applied: Minor,
    /// In the tender's own.
    pub taken: Minor,
}

/// Where the share of a tender goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RefundTarget {
    /// The account that paid, or the card that replaced it.
    Account(Id),
    /// The card is closed: its customer's store credit.
    Credit(String),
    /// The card is closed and nobody owns it: a new card takes its place.
    NewCard,
}

/// Where the share of each tender goes. Every tender, and every replacement that was found, must have been read.
///
/// # Errors
/// [`StoreError::Corrupt`].
pub fn refund_targets(order: &OrderRecord, found: &Found) -> Result<Vec<RefundTarget>, StoreError> {
    let mut targets = Vec::with_capacity(order.tenders.len());
    for tender in &order.tenders {
        let mut account = account(found, tender.account)?;
        for _ in 0..REPLACEMENTS_MAX {
            let Some(next) = account.replaced_by else { break };
            account = self::account(found, next)?;
        }
        targets.push(match (account.status, &account.customer, &order.customer) {
            (Status::Closed, Some(customer), _) | (Status::Closed, None, Some(customer)) => {
                RefundTarget::Credit(customer.clone())
            }
            (Status::Closed, None, None) => RefundTarget::NewCard,
            _ => RefundTarget::Account(account.id),
        });
    }
    Ok(targets)
}

fn account(found: &Found, id: Id) -> Result<&Account, StoreError> {
    found.accounts.get(&id).ok_or_else(|| StoreError::Corrupt(format!("account {id} of an order is missing")))
}

/// What has to be read for the refund of an order, as far as it is known.
#[must_use]
pub fn want_of_order(site: &str, order: &str, found: &Found) -> Want {
    let Some(record) = found.records.get(&order_key(site, order)) else { return Want::default() };
    let Ok(record) = read_record::<OrderRecord>(&record.body) else { return Want::default() };
    let mut accounts: Vec<Id> = record.tenders.iter().map(|tender| tender.account).collect();
    accounts.extend(found.accounts.values().filter_map(|account| account.replaced_by));
    for tender in &record.tenders {
        let Some(account) = found.accounts.get(&tender.account) else { continue };
        if let Some(customer) = account.customer.as_ref().or(record.customer.as_ref()) {
            accounts.push(credit_id(&account.site, customer, account.currency));
        }
    }
    Want { accounts, ..Want::default() }
}

/// A refund, split.
pub struct RefundPlan<'a> {
    /// The site.
    pub site: &'a str,
    /// The order.
    pub order: &'a str,
    /// The order as it was read.
    pub record: OrderRecord,
    /// Its currency.
    pub currency: Currency,
    /// What goes back to each tender.
    pub shares: &'a [ReturnedShare],
    /// What goes back to other payment methods, in the order's currency.
    pub other: Minor,
    /// How many milliseconds an ended card works again at least.
    pub extension_ms: i64,
    /// For new cards that take the place of closed ones: of each site the first for the first.
    pub spare: &'a [SpareCard],
    /// Why, as the caller says.
    pub reason: Option<String>,
}

/// A card that a refund may need, with its code.
pub struct SpareCard {
    /// The site that the card would be of.
    pub site: String,
    /// The id of the card.
    pub id: Id,
    /// The code.
    pub code: NewCode,
}

/// Books a refund.
///
/// # Errors
/// [`Stop`].
pub fn plan_refund(plan: RefundPlan<'_>, facts: &Facts<'_>, draft: &mut Draft) -> Result<Receipt, Stop<Infallible>> {
    let mut record = plan.record;
    let targets = refund_targets(&record, &facts.found)?;
    let decimal = |amount: Minor| Some(amount.to_decimal(plan.currency.exponent()));
    let mut booking = Booking::new(plan.currency);
    let mut receipt = Receipt {
        order: Some(plan.order.to_string()),
        currency: Some(plan.currency.to_string()),
        reason: plan.reason,
        ..Receipt::new()
    };
    let mut spare: Vec<(usize, &SpareCard)> = plan.spare.iter().enumerate().collect();
    let mut total = Minor::ZERO;
    for share in plan.shares.iter().filter(|share| !share.applied.is_zero() || !share.taken.is_zero()) {
        let corrupt = || StoreError::Corrupt("a refund of a tender that is not there".to_string());
        let (tender, target) = (record.tenders.get_mut(share.tender), targets.get(share.tender));
        let (tender, target) = tender.zip(target).ok_or_else(corrupt)?;
        tender.applied_returned += share.applied.get();
        tender.taken_returned += share.taken.get();
        if tender.applied_returned > tender.applied || tender.taken_returned > tender.taken {
            return Err(Refused::decided("refund-above-refundable", "more would go back than was paid").into());
        }
        let paid = account(&facts.found, tender.account)?;
        total = total.plus(share.applied).map_err(|_| corrupt())?;
        let back = match target {
            RefundTarget::Account(id) => {
                draft.take(account(&facts.found, *id)?);
                let end = facts.now.saturating_add(plan.extension_ms);
                draft.edit(*id, |card| extend(card, facts.now, end))?;
                *id
            }
            RefundTarget::Credit(customer) => {
                let id = credit_id(&paid.site, customer, paid.currency);
                match facts.found.accounts.get(&id) {
                    Some(credit) => draft.take(credit),
                    None if draft.account(id).is_err() => {
                        draft.create(new_credit(&paid.site, customer, paid.currency, facts.now));
                    }
                    None => {}
                }
                id
            }
            RefundTarget::NewCard => {
                let Some(first) = spare.iter().position(|(_, card)| card.site == paid.site) else {
                    let message = format!(
                        "a closed card's share needs a new card of the site `{}`, for which no code was given",
                        paid.site
                    );
                    return Err(Refused::mistake("code-missing", message).into());
                };
                let (place, SpareCard { id, code, .. }) = spare.remove(first);
                let hint = code.draw(&paid.site, *id, place, facts, draft)?;
                let card = Account {
                    id: *id,
                    status: Status::Active,
                    initial: share.taken,
                    issued_at: facts.now,
                    replaced_by: None,
                    bought_by: None,
                    hint,
                    ..paid.clone()
                };
                draft.create(Account { next_hold_end: None, ..card });
                let end = facts.now.saturating_add(plan.extension_ms);
                draft.edit(*id, |card| extend(card, facts.now, end))?;
                *id
            }
        };
        let before = draft.account(back)?.clone();
        draft.post(back, Post { amount: share.taken, ..Post::default() })?;
        booking.paid(paid.currency, negated(share.applied), negated(share.taken), draft)?;
        receipt.line(&before, before.balance, Some((share.applied, plan.currency)));
    }
    booking.finish(draft);
    record.other_returned += plan.other.get();
    receipt.applied = decimal(total);
    receipt.due = (!plan.other.is_zero()).then(|| decimal(plan.other)).flatten();
    let key = order_key(plan.site, plan.order);
    let body = serde_json::to_string(&record).expect("INVARIANT: an order has string keys only");
    draft.put(key.clone(), facts.found.records.get(&key), body);
    Ok(receipt)
}

/// A card that has ended works until `end` at least; one that never ends, or ends later, is left as it is.
fn extend(card: &mut Account, now: i64, end: i64) {
    if card.expires_at.is_some_and(|old| old <= now && old < end) {
        card.expires_at = Some(end);
        card.expires_on = None;
    }
}

/// What another payment method paid for an order goes back to a card or to store credit instead.
pub struct RefundOther {
    /// The order.
    pub order: String,
    /// Where it goes.
    pub target: Target,
    /// In the order's currency, which is the account's; more than nothing.
    pub amount: Minor,
    /// What the other payment method paid, as the platform knows it, where the ledger does not know the order.
    pub paid: Option<Minor>,
    /// Why, as the caller says.
    pub reason: Option<String>,
}

impl Command for RefundOther {
    fn kind(&self) -> OperationKind {
        OperationKind::Refund
    }

    fn order(&self) -> Option<String> {
        Some(self.order.clone())
    }

    fn want(&self, site: &str) -> Want {
        let mut want = Want::default();
        self.target.want(site, &mut want);
        want.records.push(order_key(site, &self.order));
        want
    }

    fn draft(&self, site: &str, facts: &Facts<'_>, draft: &mut Draft) -> Result<Receipt, Stop<Infallible>> {
        let opened = match &self.target {
            Target::Credit { customer, currency } if self.target.id(site, &facts.found).is_none() => {
                Some(new_credit(site, customer, *currency, facts.now))
            }
            _ => None,
        };
        let account = match &opened {
            Some(account) => account,
            None => self.target.account(site, facts)?,
        };
        if account.status == Status::Closed {
            return Err(super::cards::closed().into());
        }
        positive(self.amount, account.currency, "amount")?;
        let key = order_key(site, &self.order);
        let known: Option<OrderRecord> = facts.record(key.kind, site, &self.order)?;
        let mut record = match (known, self.paid) {
            (Some(record), _) => record,
            (None, Some(paid)) => OrderRecord {
                currency: account.currency.to_string(),
                total: paid.get(),
                hold: None,
                tenders: Vec::new(),
                other_returned: 0,
                customer: None,
            },
            (None, None) => {
                let message = "the ledger does not know the order; say in `paid` what the other payment method paid";
                return Err(Refused::mistake("order-not-found", message).into());
            }
        };
        if record.currency != account.currency.code() {
            let message = format!("the order is in {}, the card in {}", record.currency, account.currency);
            return Err(Refused::mistake("currency-mismatch", message).into());
        }
        let by_cards: i64 = record.tenders.iter().map(|tender| tender.applied).sum();
        let left = minor(record.total - by_cards - record.other_returned)?;
        if self.amount > left {
            let message = format!(
                "{} is more than is still refundable of the other payment, which is {}",
                account.currency.format(self.amount),
                account.currency.format(left)
            );
            return Err(Refused::decided("refund-above-refundable", message).into());
        }
        record.other_returned += self.amount.get();
        let mut receipt = Receipt {
            order: Some(self.order.clone()),
            currency: Some(record.currency.clone()),
            applied: Some(self.amount.to_decimal(account.currency.exponent())),
            reason: self.reason.clone(),
            ..Receipt::new()
        };
        match &opened {
            Some(account) => draft.create(account.clone()),
            None => draft.take(account),
        }
        draft.post(account.id, Post { amount: self.amount, ..Post::default() })?;
        draft.counter(Counter::Redemption, account.currency, negated(self.amount));
        receipt.line(account, account.balance, Some((self.amount, account.currency)));
        let body = serde_json::to_string(&record).expect("INVARIANT: an order has string keys only");
        draft.put(key.clone(), facts.found.records.get(&key), body);
        Ok(receipt)
    }
}
