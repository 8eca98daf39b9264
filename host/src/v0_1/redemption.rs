//! The `redemption` interface: amounts, flags and handles over, amounts back.

use std::borrow::Cow;

use giftcard_engine::Minor;
use giftcard_engine::check::Broken;
use giftcard_engine::redemption as engine;
use giftcard_engine::refund::{RefundRequest, RefundShare};
use giftcard_engine::value::{Step, Value};
use wasmtime::component::InstancePre;

use super::bindings::exports::giftcard::rules::redemption as wit;
use super::bindings::giftcard::rules::types;
use super::{Answered, TextPool, answered, failure_from_wit, minor, ratio_to_wit, settings_to_wit, step_from_wit};
use crate::error::CallFailure;
use crate::sandbox::{CallState, Sandbox};

/// Linked rules.
pub(crate) struct RulesPre {
    pub(crate) instance: InstancePre<CallState>,
    indices: wit::GuestIndices,
}

impl RulesPre {
    pub(crate) fn new(instance: InstancePre<CallState>) -> wasmtime::Result<Self> {
        let indices = wit::GuestIndices::new(&instance)?;
        Ok(Self { instance, indices })
    }
}

/// Asks the rules what each card pays.
pub(crate) fn apply(
    sandbox: &Sandbox,
    rules: &RulesPre,
    request: &engine::Request,
    settings: &[(&str, &Value)],
    explain: bool,
) -> Answered<engine::Decision> {
    let lines: Option<Vec<wit::Line>> = request.lines.as_ref().map(|lines| lines.iter().map(lower_line).collect());
    let programmes: Vec<wit::Programme<'_>> = request.programmes.iter().map(lower_programme).collect();
    let verdicts: Vec<wit::Verdict> =
        request.cards.iter().flat_map(|card| &card.verdicts).copied().map(lower_verdict).collect();
    let mut rest = verdicts.as_slice();
    let cards: Vec<wit::Card<'_>> = request
        .cards
        .iter()
        .map(|card| {
            let (verdicts, left) = rest.split_at(card.verdicts.len());
            rest = left;
            lower_card(card, verdicts)
        })
        .collect();
    let limits = request.limits.iter();
    let limits: Vec<wit::SharedLimit<'_>> = limits
        .map(|limit| wit::SharedLimit { limit: limit.limit.get(), cards: &limit.cards, reason: limit.reason })
        .collect();
    let lowered = wit::Request {
        total: request.total.get(),
        tax: request.tax.map(Minor::get),
        paid: request.paid.get(),
        exponent: request.exponent,
        lines: lines.as_deref(),
        customer: wit::Customer {
            handle: request.customer.handle,
            registered: request.customer.registered,
            roles: &request.customer.roles,
        },
        programmes: &programmes,
        cards: &cards,
        limits: &limits,
        now: request.now,
        policy: wit::Policy {
            order_of_use: match request.policy.order_of_use {
                engine::OrderOfUse::AsEntered => wit::OrderOfUse::AsEntered,
                engine::OrderOfUse::SoonestExpiry => wit::OrderOfUse::SoonestExpiry,
                engine::OrderOfUse::SmallestBalance => wit::OrderOfUse::SmallestBalance,
                engine::OrderOfUse::OldestFirst => wit::OrderOfUse::OldestFirst,
            },
            cards_max: request.policy.cards_max,
        },
    };
    let pool = TextPool::of(settings.iter().map(|(_, value)| *value));
    let settings = settings_to_wit(settings, &pool);
    let (answer, spent) = sandbox.call(&rules.instance, |store, instance| {
        rules.indices.load(&mut *store, instance)?.call_apply(store, lowered, &settings, explain)
    })?;
    let raise = |answer: Result<wit::Decision, types::Failure>| {
        let decision = answer.map_err(|failure| failure_from_wit(&failure))?;
        let shares = decision.shares.into_iter().map(raise_share).collect::<Result<_, Broken>>()?;
        Ok(engine::Decision { shares, steps: decision.steps.into_iter().map(step_from_wit).collect() })
    };
    answered(raise(answer), spent)
}

/// Asks the rules how a refund is split.
pub(crate) fn refund(
    sandbox: &Sandbox,
    rules: &RulesPre,
    request: &RefundRequest,
    settings: &[(&str, &Value)],
    explain: bool,
) -> Answered<(Vec<RefundShare>, Vec<Step>)> {
    let payment = |payment: &giftcard_engine::refund::Payment| wit::Payment {
        applied: payment.applied.get(),
        taken: payment.taken.get(),
        applied_returned: payment.applied_returned.get(),
        taken_returned: payment.taken_returned.get(),
    };
    let payments: Vec<wit::Payment> = request.payments.iter().map(payment).collect();
    let (amount, exponent) = (request.amount.get(), request.exponent);
    let lowered = wit::RefundRequest { amount, exponent, payments: &payments };
    let pool = TextPool::of(settings.iter().map(|(_, value)| *value));
    let settings = settings_to_wit(settings, &pool);
    let (answer, spent) = sandbox.call(&rules.instance, |store, instance| {
        rules.indices.load(&mut *store, instance)?.call_refund(store, lowered, &settings, explain)
    })?;
    let raise = |answer: Result<wit::RefundDecision, types::Failure>| {
        let decision = answer.map_err(|failure| failure_from_wit(&failure))?;
        let share = |share: wit::RefundShare| {
            Ok(RefundShare { applied: minor("applied", share.applied)?, taken: minor("taken", share.taken)? })
        };
        let shares = decision.shares.into_iter().map(share).collect::<Result<_, CallFailure>>()?;
        Ok((shares, decision.steps.into_iter().map(step_from_wit).collect()))
    };
    answered(raise(answer), spent)
}

fn lower_line(line: &engine::Line) -> wit::Line {
    wit::Line { total: line.total.get(), tax: line.tax.map(Minor::get), parts: line.parts }
}

fn lower_programme(programme: &engine::Programme) -> wit::Programme<'_> {
    wit::Programme {
        enabled: programme.enabled,
        valid_from: programme.valid_from,
        valid_to: programme.valid_to,
        audience: match &programme.audience {
            engine::Audience::Everyone => wit::Audience::Everyone,
            engine::Audience::Registered => wit::Audience::Registered,
            engine::Audience::InRoles(roles) => wit::Audience::InRoles(roles),
            engine::Audience::Named(handle) => wit::Audience::Named(*handle),
        },
        minimum: programme.minimum.map(|minimum| wit::Minimum {
            amount: minimum.amount.get(),
            basis: minimum.basis,
            without_tax: minimum.without_tax,
        }),
        payable: programme.payable,
    }
}

fn lower_verdict(verdict: engine::Verdict) -> wit::Verdict {
    match verdict {
        engine::Verdict::Accept => wit::Verdict::Accept,
        engine::Verdict::AcceptUpTo(limit) => wit::Verdict::AcceptUpTo(limit.get()),
        engine::Verdict::Reject(reason) => wit::Verdict::Reject(reason),
    }
}

fn lower_card<'a>(card: &engine::Card, verdicts: &'a [wit::Verdict]) -> wit::Card<'a> {
    wit::Card {
        programme: card.programme,
        status: match card.status {
            engine::Status::Pending => wit::Status::Pending,
            engine::Status::Active => wit::Status::Active,
            engine::Status::Disabled => wit::Status::Disabled,
            engine::Status::Closed => wit::Status::Closed,
        },
        available: card.available.get(),
        tender: match card.tender {
            engine::Tender::SameCurrency => wit::Tender::SameCurrency,
            engine::Tender::Converted(ratio) => wit::Tender::Converted(ratio_to_wit(ratio)),
            engine::Tender::NoRate => wit::Tender::NoRate,
        },
        wanted: card.wanted.map(Minor::get),
        issued_at: card.issued_at,
        expires_at: card.expires_at,
        verdicts,
    }
}

fn raise_share(share: wit::Share) -> Result<engine::Share, Broken> {
    Ok(engine::Share {
        outcome: match share.outcome {
            wit::Outcome::Used => engine::Outcome::Used,
            wit::Outcome::NotNeeded => engine::Outcome::NotNeeded,
            wit::Outcome::Refused(wit::Refusal::Code(code)) => {
                engine::Outcome::Refused(engine::Refusal::Code(Cow::Owned(code)))
            }
            wit::Outcome::Refused(wit::Refusal::Reason(reason)) => {
                engine::Outcome::Refused(engine::Refusal::Reason(reason))
            }
        },
        excluded: minor("excluded", share.excluded)?,
        applied: minor("applied", share.applied)?,
        taken: minor("taken", share.taken)?,
        left: minor("left", share.left)?,
    })
}
