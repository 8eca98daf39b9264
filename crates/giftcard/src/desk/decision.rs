//! What is recorded of a decision, and how it is run again. Personal fields of the order are apart. Must not decide.

mod refund;

use std::borrow::Cow;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use giftcard_engine::card::{CardSnapshot, Status};
use giftcard_engine::moment::{InstantMs, format_instant};
use giftcard_engine::quote::{CardOutcome, CardShare};
use giftcard_engine::{Currency, Minor, QuoteRequest};
use giftcard_host::{CallRecord, Quoted};
use giftcard_ledger::model::Operation;
use giftcard_ledger::store::{Context, StoreError};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

pub(super) use self::refund::{AskedRefund, Split, is_refund, returned};
use super::pay::hex;
use super::stage::{Stage, Stages};
use super::{Desk, DeskError};
use crate::input::{AddressInput, CardInput, CustomerInput, Instant, OrderInput};

/// How often a decision is tried for which the machine is too busy.
const TRIES_MAX: u32 = 8;

/// How long before it is tried again, at first.
const PAUSE: Duration = Duration::from_millis(20);

/// The order as it is recorded: without personal fields.
pub(super) fn order_text(order: &OrderInput) -> String {
    let bare = OrderInput { customer: None, billing: None, ship_to: None, ..order.clone() };
    serde_json::to_string(&bare).expect("INVARIANT: an order has string keys only")
}

/// The personal fields of an order, if it has any.
pub(super) fn personal_text(order: &OrderInput) -> Option<String> {
    #[derive(Serialize)]
    struct Personal<'a> {
        #[serde(skip_serializing_if = "Option::is_none")]
        customer: &'a Option<crate::input::CustomerInput>,
        #[serde(skip_serializing_if = "Option::is_none")]
        billing: &'a Option<crate::input::AddressInput>,
        #[serde(skip_serializing_if = "Option::is_none")]
        ship_to: &'a Option<crate::input::AddressInput>,
    }
    let OrderInput { customer, billing, ship_to, .. } = order;
    let any = customer.is_some() || billing.is_some() || ship_to.is_some();
    let text = || serde_json::to_string(&Personal { customer, billing, ship_to });
    any.then(|| text().expect("INVARIANT: personal fields have string keys only"))
}

/// A decision to record.
pub(super) struct Decided<'a> {
    pub(super) now: InstantMs,
    pub(super) order: &'a str,
    pub(super) personal: bool,
    pub(super) context: &'a Context,
    pub(super) request: &'a QuoteRequest,
    pub(super) quoted: &'a Quoted,
}

/// A card as it stood, in the words of a quote's input.
#[derive(Serialize)]
struct CardFacts<'a> {
    id: &'a str,
    programme: &'a str,
    site: &'a str,
    currency: String,
    balance: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    held: Option<String>,
    initial: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<&'static str>,
    issued_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    use_at_most: Option<String>,
}

fn card_facts<'a>(card: &'a CardSnapshot, request: &QuoteRequest) -> CardFacts<'a> {
    let decimal = |amount: Minor| amount.to_decimal(card.currency.exponent());
    CardFacts {
        id: &card.id,
        programme: &card.programme,
        site: &card.site,
        currency: card.currency.to_string(),
        balance: decimal(card.balance),
        held: (!card.held.is_zero()).then(|| decimal(card.held)),
        initial: decimal(card.initial),
        status: match card.status {
            Status::Active => None,
            other => Some(giftcard_ledger::operations::status_name(other)),
        },
        issued_at: format_instant(card.issued_at),
        expires_at: card.expires_at.map(format_instant),
        use_at_most: card.use_at_most.map(|limit| limit.to_decimal(request.order.currency.exponent())),
    }
}

/// What came of a card: `applied` and `taken` in minor units.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ShareFacts<'a> {
    #[serde(borrow)]
    pub(super) card: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) outcome: Cow<'a, str>,
    pub(super) applied: i64,
    pub(super) taken: i64,
}

impl ShareFacts<'_> {
    /// To be kept longer than what it was made from.
    pub(super) fn into_owned(self) -> ShareFacts<'static> {
        let Self { card, outcome, applied, taken } = self;
        let (card, outcome) = (card.into_owned().into(), outcome.into_owned().into());
        ShareFacts { card, outcome, applied, taken }
    }
}

/// A call: which component by its digest, which function, how much fuel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct CallFacts<'a> {
    #[serde(borrow)]
    digest: Cow<'a, str>,
    #[serde(borrow)]
    function: Cow<'a, str>,
    fuel: u64,
}

/// The decision as JSON.
pub(super) fn text(decided: &Decided<'_>) -> String {
    #[derive(Serialize)]
    struct Rest<'a> {
        cards: Vec<CardFacts<'a>>,
        due: i64,
        shares: Vec<ShareFacts<'a>>,
        calls: Vec<CallFacts<'a>>,
        engine: &'a str,
    }
    let (request, quoted) = (decided.request, decided.quoted);
    // An entry that repeats another is the same card, and has no share of its own.
    let cards = quoted.quote.shares.iter().map(|share| card_facts(&request.cards[share.card], request));
    let rest = Rest {
        cards: cards.collect(),
        due: quoted.quote.due.get(),
        shares: shares(request, quoted),
        calls: calls(&quoted.calls),
        engine: &quoted.engine,
    };
    let rest = serde_json::to_string(&rest).expect("INVARIANT: a decision has string keys only");
    format!(
        "{{\"now\":\"{}\",\"context\":\"{}\",\"personal\":{},\"order\":{},{}",
        format_instant(decided.now),
        hex(&decided.context.digest),
        decided.personal,
        decided.order,
        &rest[1..]
    )
}

/// What came of each card.
pub(super) fn shares<'a>(request: &'a QuoteRequest, quoted: &'a Quoted) -> Vec<ShareFacts<'a>> {
    let share = |share: &'a CardShare| ShareFacts {
        card: request.cards[share.card].id.as_str().into(),
        outcome: match &share.outcome {
            CardOutcome::Used => "used".into(),
            CardOutcome::NotNeeded => "not-needed".into(),
            CardOutcome::Refused(refusal) => refusal.reject.code.as_str().into(),
        },
        applied: share.applied.get(),
        taken: share.taken.get(),
    };
    quoted.quote.shares.iter().map(share).collect()
}

fn calls(calls: &[CallRecord]) -> Vec<CallFacts<'_>> {
    fn call(call: &CallRecord) -> CallFacts<'_> {
        let (digest, function) = (call.component.digest.as_str().into(), call.function.into());
        CallFacts { digest, function, fuel: call.fuel }
    }
    calls.iter().map(call).collect()
}

/// Whether the same was called at the same cost, where the engine is the same.
fn compare_calls((engine, before): (&str, &[CallFacts<'_>]), (now, after): (&str, &[CallRecord])) -> Rerun {
    let after = calls(after);
    if now == engine && after != before {
        return Rerun::Differs(format!("{before:?} was used, {after:?} is now, on the same engine"));
    }
    Rerun::Same
}

/// A recorded decision, read. Texts that are only compared stay where they are, and what only some compare is not read yet.
#[derive(Deserialize)]
struct Recorded<'a> {
    now: Instant,
    #[serde(borrow)]
    context: Cow<'a, str>,
    personal: bool,
    // It is large, and handed on several times.
    order: Box<OrderInput>,
    cards: Vec<CardInput>,
    due: i64,
    #[serde(borrow)]
    shares: Vec<ShareFacts<'a>>,
    #[serde(borrow)]
    calls: &'a RawValue,
    #[serde(borrow)]
    engine: Cow<'a, str>,
}

/// Personal fields of an order, as they are kept apart.
#[derive(Deserialize)]
struct KeptApart {
    customer: Option<CustomerInput>,
    billing: Option<AddressInput>,
    ship_to: Option<AddressInput>,
}

/// What became of running a decision again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rerun {
    /// The same outcome, and on the same engine the same fuel.
    Same,
    /// Personal fields were erased, or it was decided by a component that is not there any more.
    NotReplayable(String),
    /// Another outcome, or other fuel on the same engine.
    Differs(String),
    /// The operation has no decision of rules.
    NoDecision,
}

/// Runs the decision of an operation again, with the components that decided it.
///
/// # Errors
/// [`DeskError`] where it cannot be read. That the rules fail is a difference, except that they are busy.
pub fn rerun(desk: &Desk, operation: &Operation) -> Result<Rerun, DeskError> {
    if let Some(text) = operation.decision.as_deref().filter(|text| is_refund(text)) {
        return match AskedRefund::read(desk.stages(), text)? {
            Ok(asked) => answered(asked.split(), |refunded| asked.compare(refunded)),
            Err(none) => Ok(none),
        };
    }
    let asked = match Asked::of(desk, desk.stages(), operation)? {
        Ok(asked) => asked,
        Err(none) => return Ok(none),
    };
    answered(asked.decide(), |quoted| asked.compare(quoted))
}

/// What an answer comes to. That nobody had time for it is none.
fn answered<T>(answer: Result<T, DeskError>, compare: impl FnOnce(&T) -> Rerun) -> Result<Rerun, DeskError> {
    match answer {
        Ok(answer) => Ok(compare(&answer)),
        Err(error) if error.code() == "busy" => Err(error),
        Err(error) => Ok(Rerun::Differs(error.to_string())),
    }
}

/// Decides, and tries again where the machine is too busy; what is so to the end is the answer.
pub(super) fn until_not_busy<T>(mut decide: impl FnMut() -> Result<T, DeskError>) -> Result<T, DeskError> {
    let mut pause = PAUSE;
    for _ in 1..TRIES_MAX {
        match decide() {
            Err(error) if error.code() == "busy" => {
                thread::sleep(pause);
                pause *= 2;
            }
            answer => return answer,
        }
    }
    decide()
}

/// A recorded decision, made ready to be asked again.
pub(super) struct Asked<'a> {
    /// What came of each card.
    pub(super) shares: Vec<ShareFacts<'a>>,
    /// What was due, in minor units.
    pub(super) due: i64,
    pub(super) stage: Arc<Stage>,
    calls: &'a RawValue,
    engine: Cow<'a, str>,
    request: Box<QuoteRequest>,
}

impl<'a> Asked<'a> {
    /// What was asked when an operation was decided; inside, why that cannot be told.
    pub(super) fn of(desk: &Desk, stages: &Stages, operation: &'a Operation) -> Result<Result<Self, Rerun>, DeskError> {
        let Some(text) = &operation.decision else { return Ok(Err(Rerun::NoDecision)) };
        let kept = match operation.personal {
            Some(reference) => desk.store().personal(reference)?,
            None => None,
        };
        Ok(Self::read(stages, text, kept.as_ref().map(|kept| kept.body.as_str()))?)
    }

    /// The same of what was recorded, and of the personal fields that were kept apart, if they are still there.
    pub(super) fn read(
        stages: &Stages,
        text: &'a str,
        personal: Option<&str>,
    ) -> Result<Result<Self, Rerun>, StoreError> {
        let unreadable = |why: String| Ok(Err(Rerun::Differs(format!("the record cannot be read: {why}"))));
        let recorded: Recorded<'a> = match serde_json::from_str(text) {
            Ok(recorded) => recorded,
            Err(error) => return unreadable(error.to_string()),
        };
        let Recorded { now, context, personal: has_personal, mut order, cards, due, shares, calls, engine } = recorded;
        let Some(digest) = unhex(&context) else { return unreadable("its context has no digest".to_string()) };
        if has_personal {
            let Some(personal) = personal else {
                return Ok(Err(Rerun::NotReplayable("personal fields were erased".to_string())));
            };
            let kept: KeptApart = match serde_json::from_str(personal) {
                Ok(kept) => kept,
                // What the parser says may quote them.
                Err(_) => return unreadable("its personal fields are damaged".to_string()),
            };
            (order.customer, order.billing, order.ship_to) = (kept.customer, kept.billing, kept.ship_to);
        }
        let stage = match stages.stage(digest)? {
            Ok(stage) => stage,
            Err(why) => return Ok(Err(why)),
        };
        // Before names meant the very bytes, another component of the same name was another that decided.
        if stage.context.rules.is_none() && !stages.changes_something() {
            let named: Vec<CallFacts<'_>> = match serde_json::from_str(calls.get()) {
                Ok(named) => named,
                Err(error) => return unreadable(error.to_string()),
            };
            if let Some(call) = named.iter().find(|call| !stage.has(&call.digest)) {
                return Ok(Err(Rerun::NotReplayable(format!("component {} is not loaded", call.digest))));
            }
        }
        match stage.request(*order, &cards, &now).map(Box::new) {
            Ok(request) => Ok(Ok(Self { shares, due, stage, calls, engine, request })),
            Err(error) => unreadable(error.to_string()),
        }
    }

    /// The order's currency.
    pub(super) fn currency(&self) -> Currency {
        self.request.order.currency
    }

    /// Code name of a card's programme.
    pub(super) fn programme_of(&self, card: &str) -> &str {
        self.request.cards.iter().find(|one| one.id == card).map_or("", |one| one.programme.as_str())
    }

    /// Decides.
    pub(super) fn decide(&self) -> Result<Quoted, DeskError> {
        let quoted = self.stage.till().rulebook().quote(&self.request, false);
        Ok(quoted.map_err(crate::TillError::from)?)
    }

    /// What came of each card, and what is due, in minor units.
    pub(super) fn outcome<'q>(&'q self, quoted: &'q Quoted) -> (Vec<ShareFacts<'q>>, i64) {
        (shares(&self.request, quoted), quoted.quote.due.get())
    }

    /// What was asked, in words: the input of a quote.
    pub(super) fn document(&self, desk: &Desk, operation: &Operation) -> Result<Value, DeskError> {
        let said = operation.decision.as_deref().and_then(|text| serde_json::from_str::<Value>(text).ok());
        let mut said = said.unwrap_or_default();
        let kept = operation.personal.map(|reference| desk.store().personal(reference)).transpose()?.flatten();
        let kept = kept.and_then(|kept| serde_json::from_str::<Map<String, Value>>(&kept.body).ok());
        if let Some(order) = said["order"].as_object_mut() {
            order.extend(kept.unwrap_or_default());
        }
        Ok(serde_json::json!({
            "now": said["now"],
            "site": self.stage.context.site,
            "programmes": self.stage.context.programmes,
            "order": said["order"],
            "cards": said["cards"],
        }))
    }

    fn compare(&self, quoted: &Quoted) -> Rerun {
        let (shares, due) = self.outcome(quoted);
        if shares != self.shares || due != self.due {
            return Rerun::Differs(format!("{:?} was decided, {shares:?} comes out now", self.shares));
        }
        match serde_json::from_str::<Vec<CallFacts<'_>>>(self.calls.get()) {
            Ok(calls) => compare_calls((&self.engine, &calls), (&quoted.engine, &quoted.calls)),
            Err(error) => Rerun::Differs(format!("the record cannot be read: {error}")),
        }
    }
}

pub(super) fn unhex<const BYTES: usize>(text: &str) -> Option<[u8; BYTES]> {
    if text.len() != 2 * BYTES {
        return None;
    }
    let mut bytes = [0; BYTES];
    let digit = |digit: u8| char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(bytes)
}
