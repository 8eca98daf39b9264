//! Rules that misbehave as the request's greatest number of cards says: each constant of `modes` is one. With any other
//! number they let every card pay in turn, with what it has. A refund misbehaves as the last digit of its amount says.

use giftcard_plugin as _;

mod bindings {
    //! Generated from `wit/`.
    #![allow(missing_docs, unreachable_pub, unsafe_code, clippy::all, reason = "generated")]

    wit_bindgen::generate!({ path: "../../../wit/0.1", world: "giftcard:rules/gift-card", generate_all });
}

use bindings::exports::giftcard::rules::plugin::{Description, Guest as Plugin, Problem};
use bindings::exports::giftcard::rules::redemption::{
    Card, Decision, Guest as Redemption, Outcome, RefundDecision, RefundRequest, RefundShare, Refusal, Request, Share,
    Tender, Verdict,
};
use bindings::giftcard::rules::types::{Failure, Named, Step};

struct Hostile;

impl Plugin for Hostile {
    fn describe() -> Description {
        Description {
            id: "hostile-rules".into(),
            version: "1.0.0".into(),
            title: "Hostile".into(),
            summary: "Misbehaves on purpose.".into(),
            settings: Vec::new(),
            reject_codes: Vec::new(),
            needs: Vec::new(),
            shares_limits: false,
        }
    }

    fn check_settings(_: Vec<Named>) -> Result<(), Vec<Problem>> {
        Ok(())
    }
}

impl Redemption for Hostile {
    fn apply(request: Request, _: Vec<Named>, explain: bool) -> Result<Decision, Failure> {
        let mut shares = in_turn(&request);
        let mode = request.policy.cards_max;
        match mode {
            101 => {
                shares[0] = pays(&request.cards[0], request.cards[0].available + 1);
                shares[0].left = 0;
            }
            102 => shares[0] = pays(&request.cards[0], -5),
            103 => shares = request.cards.iter().map(|card| pays(card, card.available)).collect(),
            104 => {
                let card = &request.cards[0];
                shares[0] = pays(card, card.available.min(request.total));
            }
            105 => {
                let last = request.cards.len() - 1;
                let applied = request.cards[last].available.min(request.total);
                shares.iter_mut().zip(&request.cards).for_each(|(share, card)| *share = pays(card, 0));
                shares[last] = pays(&request.cards[last], applied);
            }
            106 => shares[0].taken += 1,
            107 => shares[0].applied = 1 << 53,
            108 => {
                shares.pop();
            }
            109 => shares[0].left += 1,
            110 => shares[0].outcome = Outcome::NotNeeded,
            111 => shares[0].outcome = Outcome::Refused(Refusal::Code("because".into())),
            112 => shares[0] = refused(&request.cards[0], Refusal::Reason(99)),
            113 => shares[0] = refused(&request.cards[0], Refusal::Code("Not A Code".into())),
            114 => shares[0] = pays(&request.cards[0], shares[0].applied - 1),
            115 if explain => shares[0] = refused(&request.cards[0], Refusal::Code("changed-my-mind".into())),
            116 => loop {
                core::hint::black_box(());
            },
            117 => return Err(Failure { code: "out-of-order".into(), message: "cannot decide".into() }),
            118 => {
                shares[0] = refused(&request.cards[0], Refusal::Code("merchants-own-reason".into()));
                shares[1] = pays(&request.cards[1], request.total.min(request.cards[1].available));
            }
            // A merchant's own exclusion: no card pays more than half of the order.
            122 => {
                let half = request.total / 2;
                shares.iter_mut().zip(&request.cards).for_each(|(share, card)| *share = pays(card, 0));
                shares[0] = pays(&request.cards[0], request.cards[0].available.min(half));
                let left = half - shares[0].applied;
                shares[1] = pays(&request.cards[1], request.cards[1].available.min(left));
                shares.iter_mut().for_each(|share| share.excluded = request.total - half);
            }
            _ => {}
        }
        let bad_step =
            Step { card: Some(99), check: "none".into(), passed: true, seen: String::new(), needed: String::new() };
        let steps = if mode == 119 { vec![bad_step] } else { Vec::new() };
        Ok(Decision { shares, steps })
    }

    fn refund(request: RefundRequest, _: Vec<Named>, explain: bool) -> Result<RefundDecision, Failure> {
        let mut shares: Vec<RefundShare> =
            request.payments.iter().map(|_| RefundShare { applied: 0, taken: 0 }).collect();
        match request.amount % 10 {
            1 => shares[0] = RefundShare { applied: request.amount + 1, taken: request.amount + 1 },
            2 => shares[0] = RefundShare { applied: request.amount, taken: request.amount + 1 },
            3 => shares[0] = RefundShare { applied: -request.amount, taken: -request.amount },
            4 => shares.clear(),
            5 => shares[0] = RefundShare { applied: 1_000_000, taken: 1_000_000 },
            // Everything to the first: a merchant's own split, within the bounds.
            _ => shares[0] = RefundShare { applied: request.amount, taken: request.amount },
        }
        if explain && request.amount % 10 == 6 {
            shares.reverse();
        }
        Ok(RefundDecision { shares, steps: Vec::new() })
    }
}

/// Every card that no verdict rejects pays what it can, as entered; verdicts' caps and shared limits are ignored.
fn in_turn(request: &Request) -> Vec<Share> {
    let mut left = (request.total - request.paid).max(0);
    let pay = |card: &Card| {
        let rejected = card.verdicts.iter().find_map(|verdict| match verdict {
            Verdict::Reject(reason) => Some(*reason),
            _ => None,
        });
        if let Some(reason) = rejected {
            return refused(card, Refusal::Reason(reason));
        }
        let share = pays(card, worth(card).min(left));
        left -= share.applied;
        share
    };
    request.cards.iter().map(pay).collect()
}

fn worth(card: &Card) -> i64 {
    match card.tender {
        Tender::SameCurrency => card.available,
        Tender::Converted(ratio) => card.available * ratio.numerator / ratio.denominator,
        Tender::NoRate => 0,
    }
}

fn pays(card: &Card, applied: i64) -> Share {
    let taken = match card.tender {
        Tender::Converted(ratio) => (applied * ratio.denominator + ratio.numerator - 1) / ratio.numerator,
        _ => applied,
    };
    let outcome = if applied == 0 { Outcome::NotNeeded } else { Outcome::Used };
    Share { outcome, excluded: 0, applied, taken, left: card.available - taken }
}

fn refused(card: &Card, refusal: Refusal) -> Share {
    Share { outcome: Outcome::Refused(refusal), excluded: 0, applied: 0, taken: 0, left: card.available }
}

// Names of exports hold a colon, which only a component's linker takes.
#[cfg(target_arch = "wasm32")]
#[allow(unsafe_code, reason = "generated exports")]
const _: () = {
    bindings::export!(Hostile with_types_in bindings);
};
