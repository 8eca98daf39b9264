//! The standard gift card rules as a component: the records that cross, turned into the engine's and back. Decides
//! nothing itself; all rules are `giftcard-engine`'s.

// The allocator comes with the guest SDK.
use giftcard_plugin as _;

mod bindings {
    //! Generated from `wit/`.
    #![allow(missing_docs, unreachable_pub, unsafe_code, clippy::all, reason = "generated")]

    wit_bindgen::generate!({ path: "../../wit/0.1", world: "giftcard:rules/gift-card", generate_all });
}

use bindings::exports::giftcard::rules::plugin::{Description, Guest as Plugin, Problem};
use bindings::exports::giftcard::rules::redemption::{self as wit, Guest as Redemption};
use bindings::giftcard::rules::types::{Failure, Named, Step};
use giftcard_engine::money::{Minor, MoneyError, Ratio};
use giftcard_engine::redemption as engine;
use giftcard_engine::refund::{Payment, RefundRequest, explain_refund, refund};

struct GiftCard;

impl Plugin for GiftCard {
    fn describe() -> Description {
        Description {
            id: "gift-card".to_string(),
            version: env!("CARGO_PKG_VERSION").to_string(),
            title: "Gift card rules".to_string(),
            summary: "Audience, validity, minimum order amount, exclusions, order of use, remainder and refund split."
                .to_string(),
            settings: Vec::new(),
            reject_codes: Vec::new(),
            needs: Vec::new(),
            shares_limits: false,
        }
    }

    fn check_settings(settings: Vec<Named>) -> Result<(), Vec<Problem>> {
        if settings.is_empty() {
            return Ok(());
        }
        let message = "the standard rules have no settings".to_string();
        Err(settings.into_iter().map(|named| Problem { setting: named.name, message: message.clone() }).collect())
    }
}

impl Redemption for GiftCard {
    fn apply(request: wit::Request, _: Vec<Named>, explain: bool) -> Result<wit::Decision, Failure> {
        let request = request_from_wit(request).map_err(|error| failure(&error.to_string()))?;
        let decision = engine::apply(&request, explain).map_err(|error| failure(&error.to_string()))?;
        // The instance is thrown away after the call; so is everything it allocated.
        core::mem::forget(request);
        Ok(decision_to_wit(decision))
    }

    fn refund(request: wit::RefundRequest, _: Vec<Named>, explain: bool) -> Result<wit::RefundDecision, Failure> {
        let request = refund_from_wit(&request).map_err(|error| failure(&error.to_string()))?;
        let shares = refund(&request)
            .map_err(|refused| Failure { code: refused.code().to_string(), message: refused.to_string() })?;
        let steps = if explain { explain_refund(&request, &shares) } else { Vec::new() };
        let share = |share: giftcard_engine::refund::RefundShare| wit::RefundShare {
            applied: share.applied.get(),
            taken: share.taken.get(),
        };
        Ok(wit::RefundDecision {
            shares: shares.into_iter().map(share).collect(),
            steps: steps.into_iter().map(step_to_wit).collect(),
        })
    }
}

// Names of exports hold a colon, which only a component's linker takes.
#[cfg(target_arch = "wasm32")]
#[allow(unsafe_code, reason = "generated exports")]
const _: () = {
    bindings::export!(GiftCard with_types_in bindings);
};

fn failure(message: &str) -> Failure {
    Failure { code: "bad-request".to_string(), message: message.to_string() }
}

fn request_from_wit(request: wit::Request) -> Result<engine::Request, MoneyError> {
    let lines = request.lines.map(|lines| lines.into_iter().map(line_from_wit).collect());
    let limit = |limit: wit::SharedLimit| {
        Ok(engine::SharedLimit { limit: Minor::new(limit.limit)?, cards: limit.cards, reason: limit.reason })
    };
    Ok(engine::Request {
        total: Minor::new(request.total)?,
        tax: request.tax.map(Minor::new).transpose()?,
        paid: Minor::new(request.paid)?,
        exponent: request.exponent,
        lines: lines.transpose()?,
        customer: engine::Customer {
            handle: request.customer.handle,
            registered: request.customer.registered,
            roles: request.customer.roles,
        },
        programmes: request.programmes.into_iter().map(programme_from_wit).collect::<Result<_, _>>()?,
        cards: request.cards.into_iter().map(card_from_wit).collect::<Result<_, _>>()?,
        limits: request.limits.into_iter().map(limit).collect::<Result<_, _>>()?,
        now: request.now,
        policy: engine::Policy {
            order_of_use: match request.policy.order_of_use {
                wit::OrderOfUse::AsEntered => engine::OrderOfUse::AsEntered,
                wit::OrderOfUse::SoonestExpiry => engine::OrderOfUse::SoonestExpiry,
                wit::OrderOfUse::SmallestBalance => engine::OrderOfUse::SmallestBalance,
                wit::OrderOfUse::OldestFirst => engine::OrderOfUse::OldestFirst,
            },
            cards_max: request.policy.cards_max,
        },
    })
}

fn line_from_wit(line: wit::Line) -> Result<engine::Line, MoneyError> {
    let tax = line.tax.map(Minor::new).transpose()?;
    Ok(engine::Line { total: Minor::new(line.total)?, tax, parts: line.parts })
}

fn programme_from_wit(programme: wit::Programme) -> Result<engine::Programme, MoneyError> {
    let minimum = programme.minimum.map(|minimum| {
        Ok(engine::Minimum {
            amount: Minor::new(minimum.amount)?,
            basis: minimum.basis,
            without_tax: minimum.without_tax,
        })
    });
    Ok(engine::Programme {
        enabled: programme.enabled,
        valid_from: programme.valid_from,
        valid_to: programme.valid_to,
        audience: match programme.audience {
            wit::Audience::Everyone => engine::Audience::Everyone,
            wit::Audience::Registered => engine::Audience::Registered,
            wit::Audience::InRoles(roles) => engine::Audience::InRoles(roles),
            wit::Audience::Named(handle) => engine::Audience::Named(handle),
        },
        minimum: minimum.transpose()?,
        payable: programme.payable,
    })
}

fn card_from_wit(card: wit::Card) -> Result<engine::Card, MoneyError> {
    let verdict = |verdict: wit::Verdict| {
        Ok(match verdict {
            wit::Verdict::Accept => engine::Verdict::Accept,
            wit::Verdict::AcceptUpTo(limit) => engine::Verdict::AcceptUpTo(Minor::new(limit)?),
            wit::Verdict::Reject(reason) => engine::Verdict::Reject(reason),
        })
    };
    Ok(engine::Card {
        programme: card.programme,
        status: match card.status {
            wit::Status::Pending => engine::Status::Pending,
            wit::Status::Active => engine::Status::Active,
            wit::Status::Disabled => engine::Status::Disabled,
            wit::Status::Closed => engine::Status::Closed,
        },
        available: Minor::new(card.available)?,
        tender: match card.tender {
            wit::Tender::SameCurrency => engine::Tender::SameCurrency,
            wit::Tender::Converted(ratio) => {
                engine::Tender::Converted(Ratio::new(ratio.numerator.into(), ratio.denominator.into())?)
            }
            wit::Tender::NoRate => engine::Tender::NoRate,
        },
        wanted: card.wanted.map(Minor::new).transpose()?,
        issued_at: card.issued_at,
        expires_at: card.expires_at,
        verdicts: card.verdicts.into_iter().map(verdict).collect::<Result<_, _>>()?,
    })
}

fn decision_to_wit(decision: engine::Decision) -> wit::Decision {
    let share = |share: engine::Share| wit::Share {
        outcome: match share.outcome {
            engine::Outcome::Used => wit::Outcome::Used,
            engine::Outcome::NotNeeded => wit::Outcome::NotNeeded,
            engine::Outcome::Refused(engine::Refusal::Code(code)) => {
                wit::Outcome::Refused(wit::Refusal::Code(code.into_owned()))
            }
            engine::Outcome::Refused(engine::Refusal::Reason(reason)) => {
                wit::Outcome::Refused(wit::Refusal::Reason(reason))
            }
        },
        excluded: share.excluded.get(),
        applied: share.applied.get(),
        taken: share.taken.get(),
        left: share.left.get(),
    };
    wit::Decision {
        shares: decision.shares.into_iter().map(share).collect(),
        steps: decision.steps.into_iter().map(step_to_wit).collect(),
    }
}

fn step_to_wit(step: giftcard_engine::value::Step) -> Step {
    Step {
        card: step.card.map(|card| card as u32),
        check: step.check,
        passed: step.passed,
        seen: step.seen,
        needed: step.needed,
    }
}

fn refund_from_wit(request: &wit::RefundRequest) -> Result<RefundRequest, MoneyError> {
    let payment = |payment: &wit::Payment| {
        Ok(Payment {
            applied: Minor::new(payment.applied)?,
            taken: Minor::new(payment.taken)?,
            applied_returned: Minor::new(payment.applied_returned)?,
            taken_returned: Minor::new(payment.taken_returned)?,
        })
    };
    Ok(RefundRequest {
        amount: Minor::new(request.amount)?,
        exponent: request.exponent,
        payments: request.payments.iter().map(payment).collect::<Result<_, _>>()?,
    })
}
