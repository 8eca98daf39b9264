//! How orders take from accounts: redeem in one step, or hold, capture, void and end of holds. The shares come from
//! whoever ran the rules. Must not know why a share is what it is.

use std::convert::Infallible;

use giftcard_engine::moment::{InstantMs, format_instant};
use giftcard_engine::money::proportional_floor;
use giftcard_engine::{Currency, Minor};

use super::cards::negated;
use super::{Command, Receipt, hold_key, minor};
use crate::draft::{Draft, Post};
use crate::model::{
    Account, Counter, HoldLine, HoldRecord, HoldState, Id, OperationKind, OrderRecord, RecordKey, RecordKind,
    TenderRecord,
};
use crate::plan::{Facts, Refused, Stop, read_record};
use crate::store::{Found, OpenHold, StoreError, Want};

/// Code of a refusal: the hold was captured, voided, replaced, or has ended.
pub(super) const HOLD_NOT_OPEN: &str = "hold-not-open";

/// What one account gives for an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tendered {
    /// The account.
    pub account: Id,
    /// In the order's currency; more than nothing.
    pub applied: Minor,
    /// In the account's; more than nothing.
    pub taken: Minor,
}

/// What accounts give for an order, as the rules decided and was checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderShares {
    /// The site of the order.
    pub site: String,
    /// The order.
    pub order: String,
    /// Its currency.
    pub currency: Currency,
    /// Its total.
    pub total: Minor,
    /// What another payment method has to pay.
    pub due: Minor,
    /// Who ordered.
    pub customer: Option<String>,
    /// In the recorded order of use.
    pub shares: Vec<Tendered>,
}

/// Where an order is kept.
#[must_use]
pub fn order_key(site: &str, order: &str) -> RecordKey {
    RecordKey { kind: RecordKind::Order, site: site.to_string(), id: order.to_string() }
}

/// What a line of a hold still reserves: applied and taken.
#[must_use]
pub fn hold_lines_left(line: &HoldLine) -> (i64, i64) {
    (line.applied - line.applied_captured, line.taken - line.taken_captured)
}

/// The order as it is known, and the hold it has open with its id.
type Known = (Option<OrderRecord>, Option<(Id, HoldRecord)>);

fn known<E>(facts: &Found, site: &str, order: &str) -> Result<Known, Stop<E>> {
    let Some(record) = facts.records.get(&order_key(site, order)) else { return Ok((None, None)) };
    let record: OrderRecord = read_record(&record.body)?;
    let hold = match record.hold {
        None => None,
        Some(id) => {
            let missing = || StoreError::Corrupt(format!("hold {id} of an order is missing"));
            let body = &facts.records.get(&hold_key(id)).ok_or_else(missing)?.body;
            Some((id, read_record(body)?))
        }
    };
    Ok((Some(record), hold))
}

/// What the accounts will be once the order's open hold is released, as the rules must see them: a new hold takes its
/// place. The accounts of that hold must have been read.
///
/// # Errors
/// [`StoreError::Corrupt`].
pub fn release_open_hold(found: &mut Found, site: &str, order: &str) -> Result<(), StoreError> {
    let (_, hold) = known::<Infallible>(found, site, order).map_err(|stop| match stop {
        Stop::Store(error) => error,
        _ => StoreError::Corrupt("an order cannot be read".to_string()),
    })?;
    let Some((_, hold)) = hold.filter(|(_, hold)| hold.state == HoldState::Open) else { return Ok(()) };
    for line in &hold.lines {
        if let (Some(account), Ok(left)) = (found.accounts.get_mut(&line.account), Minor::new(hold_lines_left(line).1))
        {
            account.held = account.held.less(left);
        }
    }
    Ok(())
}

/// Gives back what an open hold still reserves, and closes it with `state`.
fn release(
    id: Id,
    mut hold: HoldRecord,
    state: HoldState,
    facts: &Facts<'_>,
    draft: &mut Draft,
    receipt: Option<&mut Receipt>,
) -> Result<HoldRecord, Stop<Infallible>> {
    let mut receipt = receipt;
    for line in &hold.lines {
        let account = held_account(facts, line.account)?;
        draft.take(account);
        let (_, left) = hold_lines_left(line);
        if left > 0 {
            draft.post(line.account, Post { held_change: negated(minor(left)?), ..Post::default() })?;
        }
        draft.close_hold(OpenHold { account: line.account, hold: id, ends_at: hold.ends_at });
        if let Some(receipt) = receipt.as_deref_mut() {
            receipt.line(account, account.balance, None);
        }
    }
    hold.state = state;
    put_hold(id, &hold, facts, draft)?;
    Ok(hold)
}

fn held_account<'a, E>(facts: &'a Facts<'_>, id: Id) -> Result<&'a Account, Stop<E>> {
    let missing = || Stop::Store(StoreError::Corrupt(format!("account {id} of a hold is missing")));
    facts.found.accounts.get(&id).ok_or_else(missing)
}

fn put_hold<E>(id: Id, hold: &HoldRecord, facts: &Facts<'_>, draft: &mut Draft) -> Result<(), Stop<E>> {
    let key = hold_key(id);
    let body = serde_json::to_string(hold).expect("INVARIANT: a hold has string keys only");
    draft.put(key.clone(), facts.found.records.get(&key), body);
    Ok(())
}

fn put_order(site: &str, order: &str, record: &OrderRecord, facts: &Facts<'_>, draft: &mut Draft) {
    let key = order_key(site, order);
    let body = serde_json::to_string(record).expect("INVARIANT: an order has string keys only");
    draft.put(key.clone(), facts.found.records.get(&key), body);
}

/// The order with what is new about it, its open hold released.
fn begin_order(shares: &OrderShares, facts: &Facts<'_>, draft: &mut Draft) -> Result<OrderRecord, Stop<Infallible>> {
    let (record, hold) = known(&facts.found, &shares.site, &shares.order)?;
    let currency = shares.currency.to_string();
    if record.as_ref().is_some_and(|record| record.currency != currency) {
        let message = format!("`order.currency` is {currency}, but cards have paid for this order in another currency");
        return Err(Refused::mistake("order-currency-changed", message).into());
    }
    if let Some((id, hold)) = hold {
        // Only one that reserves nothing, any more or at all, can have passed unnoticed.
        let has_passed = hold.ends_at <= facts.now;
        if !has_passed && hold.lines.iter().any(|line| line.applied_captured > 0) {
            let message =
                "the order has a hold that was captured in part; capture the rest, or end it with a final capture";
            return Err(Refused::decided("hold-partly-captured", message).into());
        }
        let state = if has_passed { HoldState::Expired } else { HoldState::Replaced };
        release(id, hold, state, facts, draft, None)?;
    }
    let mut record = record.unwrap_or(OrderRecord {
        currency,
        total: 0,
        hold: None,
        tenders: Vec::new(),
        other_returned: 0,
        customer: None,
    });
    check_total(shares, &record)?;
    record.total = shares.total.get();
    record.hold = None;
    record.customer = shares.customer.clone().or(record.customer);
    Ok(record)
}

/// INVARIANT: cards never pay more of an order than its total, however often it is sent. What they have paid already is
/// part of what `order.paid` has to say.
fn check_total(shares: &OrderShares, record: &OrderRecord) -> Result<(), Stop<Infallible>> {
    let paid: i64 = record.tenders.iter().map(|tender| tender.applied - tender.applied_returned).sum();
    let applied: i64 = shares.shares.iter().map(|share| share.applied.get()).sum();
    if applied == 0 || paid + applied <= shares.total.get() {
        return Ok(());
    }
    let format = |amount: i64| minor(amount).map(|amount| shares.currency.format(amount));
    let message = format!(
        "cards have paid {} of this order already, and {} more would be above its total of {}; say in `order.paid` what \
         has been paid",
        format(paid)?,
        format(applied)?,
        shares.currency.format(shares.total)
    );
    Err(Refused::mistake("order-already-paid", message).into())
}

fn order_receipt(shares: &OrderShares) -> Result<Receipt, Stop<Infallible>> {
    let decimal = |amount: Minor| Some(amount.to_decimal(shares.currency.exponent()));
    let applied = Minor::sum(shares.shares.iter().map(|share| share.applied));
    let applied = applied.map_err(|_| Refused::mistake("amount-out-of-range", "the order is beyond 2^53 - 1"))?;
    Ok(Receipt {
        order: Some(shares.order.clone()),
        currency: Some(shares.currency.to_string()),
        applied: decimal(applied),
        due: decimal(shares.due),
        payment_required: Some(!shares.due.is_zero()),
        ..Receipt::new()
    })
}

fn share_account<'a>(facts: &'a Facts<'_>, share: &Tendered) -> Result<&'a Account, Stop<Infallible>> {
    let account = facts.found.accounts.get(&share.account);
    let missing = || StoreError::Corrupt(format!("account {} was not read", share.account));
    Ok(account.ok_or_else(missing)?)
}

/// Takes the shares at once.
///
/// # Errors
/// [`Stop`].
pub fn plan_redemption(
    shares: &OrderShares,
    facts: &Facts<'_>,
    draft: &mut Draft,
) -> Result<Receipt, Stop<Infallible>> {
    let mut record = begin_order(shares, facts, draft)?;
    let mut receipt = order_receipt(shares)?;
    let mut booking = Booking::new(shares.currency);
    for share in &shares.shares {
        let account = share_account(facts, share)?;
        draft.take(account);
        draft.post(share.account, Post { amount: negated(share.taken), ..Post::default() })?;
        booking.paid(account.currency, share.applied, share.taken, draft)?;
        add_tender(&mut record, account, share.applied, share.taken);
        receipt.line(account, account.balance, Some((share.applied, shares.currency)));
    }
    booking.finish(draft);
    put_order(&shares.site, &shares.order, &record, facts, draft);
    Ok(receipt)
}

/// Reserves the shares until `ends_at`.
///
/// # Errors
/// [`Stop`].
pub fn plan_hold(
    shares: &OrderShares,
    id: Id,
    ends_at: InstantMs,
    facts: &Facts<'_>,
    draft: &mut Draft,
) -> Result<Receipt, Stop<Infallible>> {
    if ends_at <= facts.now {
        return Err(Refused::mistake("end-in-the-past", "the hold's end is not after now").into());
    }
    let mut record = begin_order(shares, facts, draft)?;
    let mut receipt = order_receipt(shares)?;
    let mut lines = Vec::with_capacity(shares.shares.len());
    for share in &shares.shares {
        let account = share_account(facts, share)?;
        draft.take(account);
        draft.open_hold(OpenHold { account: share.account, hold: id, ends_at })?;
        draft.post(share.account, Post { held_change: share.taken, ..Post::default() })?;
        receipt.line(account, account.balance, Some((share.applied, shares.currency)));
        lines.push(HoldLine {
            account: share.account,
            applied: share.applied.get(),
            taken: share.taken.get(),
            applied_captured: 0,
            taken_captured: 0,
        });
    }
    let hold = HoldRecord {
        site: shares.site.clone(),
        order: shares.order.clone(),
        currency: shares.currency.to_string(),
        state: HoldState::Open,
        ends_at,
        due: shares.due.get(),
        lines,
    };
    put_hold(id, &hold, facts, draft)?;
    record.hold = Some(id);
    put_order(&shares.site, &shares.order, &record, facts, draft);
    receipt.hold = Some(id);
    receipt.hold_state = Some(HoldState::Open);
    receipt.ends_at = Some(format_instant(ends_at));
    receipt.remaining.clone_from(&receipt.applied);
    Ok(receipt)
}

/// What an account paid: one tender for each payment, except that payments in the order's own currency are one, since
/// what goes back of a converted payment follows from that payment alone.
fn add_tender(record: &mut OrderRecord, account: &Account, applied: Minor, taken: Minor) {
    let currency = account.currency.to_string();
    let same = |tender: &&mut TenderRecord| tender.account == account.id && currency == record.currency;
    match record.tenders.iter_mut().find(same) {
        Some(tender) => {
            tender.applied += applied.get();
            tender.taken += taken.get();
        }
        None => record.tenders.push(TenderRecord {
            account: account.id,
            currency,
            applied: applied.get(),
            taken: taken.get(),
            applied_returned: 0,
            taken_returned: 0,
        }),
    }
}

/// The counters' legs of payments or refunds of an order.
pub(super) struct Booking {
    currency: Currency,
    redeemed: Minor,
}

impl Booking {
    pub(super) fn new(currency: Currency) -> Self {
        Self { currency, redeemed: Minor::ZERO }
    }

    /// `taken` of an account's currency left it for `applied` of the order's; both less than nothing for a refund.
    pub(super) fn paid(
        &mut self,
        currency: Currency,
        applied: Minor,
        taken: Minor,
        draft: &mut Draft,
    ) -> Result<(), Refused> {
        let beyond = |_| Refused::mistake("amount-out-of-range", "the sum of the cards is beyond 2^53 - 1");
        self.redeemed = self.redeemed.plus(applied).map_err(beyond)?;
        if currency != self.currency {
            draft.counter(Counter::Exchange, currency, taken);
            draft.counter(Counter::Exchange, self.currency, negated(applied));
        }
        Ok(())
    }

    pub(super) fn finish(self, draft: &mut Draft) {
        draft.counter(Counter::Redemption, self.currency, self.redeemed);
    }
}

/// Reads a hold and what it touches.
fn want_hold(hold: Id) -> Want {
    Want { records: vec![hold_key(hold)], ..Want::default() }
}

fn more_of_hold(hold: Id, found: &Found) -> Want {
    let Some(record) = found.records.get(&hold_key(hold)) else { return Want::default() };
    let Ok(record) = read_record::<HoldRecord>(&record.body) else { return Want::default() };
    Want {
        accounts: record.lines.iter().map(|line| line.account).collect(),
        records: vec![order_key(&record.site, &record.order)],
        ..Want::default()
    }
}

fn open_hold_of(site: Option<&str>, id: Id, facts: &Facts<'_>) -> Result<(HoldRecord, OrderRecord), Stop<Infallible>> {
    let hold: Option<HoldRecord> = facts.record(RecordKind::Hold, "", &id.to_string())?;
    let hold = hold.filter(|hold| site.is_none_or(|site| hold.site == site));
    let Some(hold) = hold else {
        return Err(Refused::mistake("hold-not-found", format!("the site has no hold `{id}`")).into());
    };
    let state = match hold.state {
        HoldState::Open => {
            let order: Option<OrderRecord> = facts.record(RecordKind::Order, &hold.site, &hold.order)?;
            let missing = || StoreError::Corrupt(format!("the order of hold {id} is missing"));
            return Ok((hold, order.ok_or_else(missing)?));
        }
        HoldState::Captured => "was captured",
        HoldState::Voided => "was voided",
        HoldState::Expired => "has ended",
        HoldState::Replaced => "was replaced by a later hold for the same order",
    };
    Err(Refused::decided(HOLD_NOT_OPEN, format!("hold `{id}` {state}")).into())
}

/// A hold that reserves nothing is not ended when its accounts are looked at: it has none.
fn not_passed(id: Id, hold: &HoldRecord, facts: &Facts<'_>) -> Result<(), Refused> {
    if hold.ends_at > facts.now {
        return Ok(());
    }
    Err(Refused::decided(HOLD_NOT_OPEN, format!("hold `{id}` ended at {}", format_instant(hold.ends_at))))
}

fn currency_of(code: &str, facts: &Facts<'_>, accounts: &[HoldLine]) -> Result<Currency, Stop<Infallible>> {
    let iso = Currency::iso(code);
    let known =
        || accounts.iter().filter_map(|line| facts.found.accounts.get(&line.account)).map(|account| account.currency);
    let currency = iso.or_else(|| known().find(|currency| currency.code() == code));
    Ok(currency.ok_or_else(|| StoreError::Corrupt(format!("`{code}` is no currency")))?)
}

/// A hold, or a part of it, is taken. Runs no component.
pub struct Capture {
    /// The hold.
    pub hold: Id,
    /// In the order's currency; everything that is left if none.
    pub amount: Option<Minor>,
    /// Whether the rest is freed. Taking everything is always final.
    pub is_final: bool,
}

impl Command for Capture {
    fn kind(&self) -> OperationKind {
        OperationKind::Capture
    }

    fn want(&self, _: &str) -> Want {
        want_hold(self.hold)
    }

    fn more(&self, found: &Found) -> Want {
        more_of_hold(self.hold, found)
    }

    fn draft(&self, site: &str, facts: &Facts<'_>, draft: &mut Draft) -> Result<Receipt, Stop<Infallible>> {
        let (mut hold, mut order) = open_hold_of(Some(site), self.hold, facts)?;
        not_passed(self.hold, &hold, facts)?;
        let currency = currency_of(&hold.currency, facts, &hold.lines)?;
        let left: i64 = hold.lines.iter().map(|line| hold_lines_left(line).0).sum();
        let left = minor(left)?;
        let amount = self.amount.unwrap_or(left);
        if amount.is_negative() || (amount.is_zero() && !self.is_final && !left.is_zero()) {
            let message = format!("`amount` is {}; it must be more than nothing", currency.format(amount));
            return Err(Refused::mistake("amount-not-positive", message).into());
        }
        if amount > left {
            let message =
                format!("{} is more than the {} left of the hold", currency.format(amount), currency.format(left));
            return Err(Refused::decided("capture-above-hold", message).into());
        }
        let is_final = self.is_final || amount == left;
        let mut receipt = Receipt {
            order: Some(hold.order.clone()),
            hold: Some(self.hold),
            currency: Some(hold.currency.clone()),
            applied: Some(amount.to_decimal(currency.exponent())),
            ..Receipt::new()
        };
        let mut open = amount;
        let mut booking = Booking::new(currency);
        for line in &mut hold.lines {
            let account = held_account(facts, line.account)?;
            draft.take(account);
            let applied = open.min(minor(hold_lines_left(line).0)?);
            open = open.less(applied);
            let taken = taken_by_capture(line, applied)?;
            line.applied_captured += applied.get();
            line.taken_captured += taken.get();
            let freed = if is_final { minor(hold_lines_left(line).1)? } else { Minor::ZERO };
            let held_change = negated(taken.plus(freed).map_err(|_| out_of_range())?);
            if !taken.is_zero() || !held_change.is_zero() {
                draft.post(line.account, Post { amount: negated(taken), held_change, status: None })?;
                receipt.line(account, account.balance, Some((applied, currency)));
            }
            if !applied.is_zero() {
                booking.paid(account.currency, applied, taken, draft)?;
                add_tender(&mut order, account, applied, taken);
            }
            if is_final {
                draft.close_hold(OpenHold { account: line.account, hold: self.hold, ends_at: hold.ends_at });
            }
        }
        booking.finish(draft);
        let left = if is_final { Minor::ZERO } else { left.less(amount) };
        if is_final {
            hold.state = HoldState::Captured;
            order.hold = None;
        }
        put_hold(self.hold, &hold, facts, draft)?;
        put_order(site, &hold.order, &order, facts, draft);
        receipt.hold_state = Some(hold.state);
        receipt.remaining = Some(left.to_decimal(currency.exponent()));
        receipt.ends_at = (!is_final).then(|| format_instant(hold.ends_at));
        Ok(receipt)
    }
}

fn out_of_range() -> Refused {
    Refused::mistake("amount-out-of-range", "an amount is beyond 2^53 - 1 minor units")
}

/// What leaves the account when `applied` more of the order's currency is captured: cumulative, rounded up, and
/// everything that is left with the last of it. With 99.99 held for 33.33, the first 10.00 take 30.00.
fn taken_by_capture(line: &HoldLine, applied: Minor) -> Result<Minor, Stop<Infallible>> {
    let (whole, of) = (minor(line.taken)?, minor(line.applied)?);
    let captured = minor(line.applied_captured)?.plus(applied).map_err(|_| out_of_range())?;
    let rest = proportional_floor(whole, of.less(captured), of);
    Ok(whole.less(rest).less(minor(line.taken_captured)?))
}

/// A hold is given up. Runs no component.
pub struct Void {
    /// The hold.
    pub hold: Id,
    /// Why, as the caller says.
    pub reason: Option<String>,
}

impl Command for Void {
    fn kind(&self) -> OperationKind {
        OperationKind::Void
    }

    fn want(&self, _: &str) -> Want {
        want_hold(self.hold)
    }

    fn more(&self, found: &Found) -> Want {
        more_of_hold(self.hold, found)
    }

    fn draft(&self, site: &str, facts: &Facts<'_>, draft: &mut Draft) -> Result<Receipt, Stop<Infallible>> {
        let (hold, order) = open_hold_of(Some(site), self.hold, facts)?;
        not_passed(self.hold, &hold, facts)?;
        if hold.lines.iter().any(|line| line.applied_captured > 0) {
            let message = format!(
                "hold `{}` was captured in part; end it with a final capture, and refund what was taken",
                self.hold
            );
            return Err(Refused::decided("hold-partly-captured", message).into());
        }
        end_hold(self.hold, hold, order, HoldState::Voided, self.reason.clone(), facts, draft)
    }
}

/// A hold ends by time.
pub(super) struct ExpireHold {
    pub(super) hold: Id,
}

impl Command for ExpireHold {
    fn kind(&self) -> OperationKind {
        OperationKind::ExpireHold
    }

    fn want(&self, _: &str) -> Want {
        want_hold(self.hold)
    }

    fn more(&self, found: &Found) -> Want {
        more_of_hold(self.hold, found)
    }

    fn ends_holds(&self) -> bool {
        true
    }

    fn draft(&self, _: &str, facts: &Facts<'_>, draft: &mut Draft) -> Result<Receipt, Stop<Infallible>> {
        let (hold, order) = open_hold_of(None, self.hold, facts)?;
        if hold.ends_at > facts.now {
            let message = format!("hold `{}` ends at {}", self.hold, format_instant(hold.ends_at));
            return Err(Refused::mistake("hold-not-ended", message).into());
        }
        end_hold(self.hold, hold, order, HoldState::Expired, None, facts, draft)
    }
}

fn end_hold(
    id: Id,
    hold: HoldRecord,
    mut order: OrderRecord,
    state: HoldState,
    reason: Option<String>,
    facts: &Facts<'_>,
    draft: &mut Draft,
) -> Result<Receipt, Stop<Infallible>> {
    let mut receipt = Receipt {
        order: Some(hold.order.clone()),
        hold: Some(id),
        hold_state: Some(state),
        currency: Some(hold.currency.clone()),
        reason,
        ..Receipt::new()
    };
    let hold = release(id, hold, state, facts, draft, Some(&mut receipt))?;
    order.hold = None;
    put_order(&hold.site, &hold.order, &order, facts, draft);
    Ok(receipt)
}
