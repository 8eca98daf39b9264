//! What is recorded of the split of a refund, and how it is split again. Must not know what a refund does to accounts.

use std::borrow::Cow;
use std::sync::Arc;

use giftcard_engine::moment::{InstantMs, format_instant};
use giftcard_engine::refund::{Payment, RefundRequest, RefundShare};
use giftcard_engine::{Currency, Minor, MoneyError};
use giftcard_host::Refunded;
use giftcard_ledger::store::{Context, StoreError};
use serde::{Deserialize, Serialize};

use super::{CallFacts, Rerun, ShareFacts, calls, unhex};
use crate::desk::DeskError;
use crate::desk::pay::hex;
use crate::desk::stage::{Stage, Stages};

/// How a recorded split begins, which tells it from what was decided about a payment.
const MARK: &str = "{\"refund\":";

/// Whether what was recorded is the split of a refund.
pub(in crate::desk) fn is_refund(decision: &str) -> bool {
    decision.starts_with(MARK)
}

/// What a tender had paid and got back; `applied` in minor units of the order's currency, `taken` of its own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct PaymentFacts<'a> {
    /// The card or store credit. Absent for what other payment methods paid.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    card: Option<Cow<'a, str>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    programme: Option<Cow<'a, str>>,
    applied: i64,
    taken: i64,
    applied_returned: i64,
    taken_returned: i64,
}

/// What goes back to a tender.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct SplitFacts {
    applied: i64,
    taken: i64,
}

/// The record. INVARIANT: `refund` stays first; see [`MARK`].
#[derive(Serialize, Deserialize)]
struct Recorded<'a> {
    refund: i64,
    #[serde(borrow)]
    currency: Cow<'a, str>,
    #[serde(borrow)]
    payments: Vec<PaymentFacts<'a>>,
    #[serde(borrow)]
    now: Cow<'a, str>,
    #[serde(borrow)]
    context: Cow<'a, str>,
    shares: Vec<SplitFacts>,
    #[serde(borrow)]
    calls: Vec<CallFacts<'a>>,
    #[serde(borrow)]
    engine: Cow<'a, str>,
}

/// A split to record. Tenders are card and programme, in the order of the payments; what other payment methods paid has
/// neither and comes last.
pub(in crate::desk) struct Split<'a> {
    pub(in crate::desk) now: InstantMs,
    pub(in crate::desk) currency: Currency,
    pub(in crate::desk) context: &'a Context,
    pub(in crate::desk) request: &'a RefundRequest,
    pub(in crate::desk) tenders: &'a [(String, String)],
    pub(in crate::desk) refunded: &'a Refunded,
}

impl Split<'_> {
    /// As JSON.
    pub(in crate::desk) fn text(&self) -> String {
        let payment = |(place, payment): (usize, &Payment)| {
            let tender = self.tenders.get(place);
            PaymentFacts {
                card: tender.map(|(card, _)| card.as_str().into()),
                programme: tender.map(|(_, programme)| programme.as_str().into()),
                applied: payment.applied.get(),
                taken: payment.taken.get(),
                applied_returned: payment.applied_returned.get(),
                taken_returned: payment.taken_returned.get(),
            }
        };
        let recorded = Recorded {
            refund: self.request.amount.get(),
            currency: self.currency.to_string().into(),
            payments: self.request.payments.iter().enumerate().map(payment).collect(),
            now: format_instant(self.now).into(),
            context: hex(&self.context.digest).into(),
            shares: split_facts(&self.refunded.shares),
            calls: calls(&self.refunded.calls),
            engine: (&*self.refunded.engine).into(),
        };
        serde_json::to_string(&recorded).expect("INVARIANT: a refund has string keys only")
    }
}

/// What goes back to each card, in the words of a payment.
pub(in crate::desk) fn returned(
    cards: impl Iterator<Item = String>,
    shares: &[RefundShare],
) -> Vec<ShareFacts<'static>> {
    let share = |(card, share): (String, &RefundShare)| ShareFacts {
        card: card.into(),
        outcome: "returned".into(),
        applied: share.applied.get(),
        taken: share.taken.get(),
    };
    cards.zip(shares).map(share).collect()
}

fn split_facts(shares: &[RefundShare]) -> Vec<SplitFacts> {
    shares.iter().map(|share| SplitFacts { applied: share.applied.get(), taken: share.taken.get() }).collect()
}

/// A recorded split, made ready to be asked again.
pub(in crate::desk) struct AskedRefund<'a> {
    recorded: Recorded<'a>,
    stage: Arc<Stage>,
    request: RefundRequest,
}

/// What went back to a tender, and what goes back now, in minor units of the order's currency.
pub(in crate::desk) struct Returned<'r> {
    /// Empty for what other payment methods paid.
    pub(in crate::desk) programme: &'r str,
    pub(in crate::desk) before: i64,
    pub(in crate::desk) after: i64,
}

impl<'a> AskedRefund<'a> {
    /// What was asked; inside, why that cannot be told.
    pub(in crate::desk) fn read(stages: &Stages, text: &'a str) -> Result<Result<Self, Rerun>, StoreError> {
        let unreadable = |why: String| Ok(Err(Rerun::Differs(format!("the record cannot be read: {why}"))));
        let recorded: Recorded<'a> = match serde_json::from_str(text) {
            Ok(recorded) => recorded,
            Err(error) => return unreadable(error.to_string()),
        };
        let Some(digest) = unhex(&recorded.context) else { return unreadable("its context has no digest".to_string()) };
        let Some(currency) = Currency::iso(&recorded.currency) else {
            return unreadable(format!("`{}` is no currency", recorded.currency));
        };
        let request = match recorded.request(currency) {
            Ok(request) => request,
            Err(error) => return unreadable(error.to_string()),
        };
        Ok(stages.stage(digest)?.map(|stage| Self { recorded, stage, request }))
    }

    /// Whether a card of a programme is among those that something may go back to.
    pub(in crate::desk) fn concerns(&self, programme: &str) -> bool {
        self.recorded.payments.iter().any(|payment| payment.programme.as_deref() == Some(programme))
    }

    pub(in crate::desk) fn currency(&self) -> &str {
        &self.recorded.currency
    }

    /// Splits.
    pub(in crate::desk) fn split(&self) -> Result<Refunded, DeskError> {
        let split = self.stage.till().rulebook().refund(&self.request, false);
        Ok(split.map_err(crate::TillError::from)?)
    }

    /// What went back to each tender and what goes back now, nothing where there is no split.
    pub(in crate::desk) fn returned(&self, now: Option<&Refunded>) -> impl Iterator<Item = Returned<'_>> {
        let after = now.map(|refunded| split_facts(&refunded.shares)).unwrap_or_default();
        self.recorded.payments.iter().zip(&self.recorded.shares).enumerate().map(move |(place, (payment, share))| {
            let after = after.get(place).map_or(0, |share| share.applied);
            Returned { programme: payment.programme.as_deref().unwrap_or_default(), before: share.applied, after }
        })
    }

    /// Whether the same goes back to each.
    pub(in crate::desk) fn is_same(&self, refunded: &Refunded) -> bool {
        split_facts(&refunded.shares) == self.recorded.shares
    }

    /// What became of splitting it again.
    pub(super) fn compare(&self, refunded: &Refunded) -> Rerun {
        let (recorded, shares) = (&self.recorded, split_facts(&refunded.shares));
        if shares != recorded.shares {
            return Rerun::Differs(format!("{:?} was split, {shares:?} comes out now", recorded.shares));
        }
        super::compare_calls((&recorded.engine, &recorded.calls), (&refunded.engine, &refunded.calls))
    }
}

impl Recorded<'_> {
    fn request(&self, currency: Currency) -> Result<RefundRequest, MoneyError> {
        let payment = |facts: &PaymentFacts<'_>| {
            Ok(Payment {
                applied: Minor::new(facts.applied)?,
                taken: Minor::new(facts.taken)?,
                applied_returned: Minor::new(facts.applied_returned)?,
                taken_returned: Minor::new(facts.taken_returned)?,
            })
        };
        Ok(RefundRequest {
            amount: Minor::new(self.refund)?,
            exponent: currency.exponent(),
            payments: self.payments.iter().map(payment).collect::<Result<_, MoneyError>>()?,
        })
    }
}
