//! Condition that misbehaves in the way its setting `mode` names; without one it accepts, and with `kept-state` it
//! would tell one call from the next.

use std::hint::black_box;
use std::sync::atomic::{AtomicU32, Ordering};

use giftcard_plugin::prelude::*;

struct Hostile;

/// INVARIANT of the host, tested with this: no call sees what an earlier one left.
static CALLS: AtomicU32 = AtomicU32::new(0);

impl Condition for Hostile {
    fn describe() -> Description {
        describe("hostile-condition", "1.0.0", "Hostile", "Misbehaves on purpose.")
            .setting(text("mode", "Mode", "How to misbehave."))
            .setting(text("script", "Script", "What to answer in the mode `scripted`."))
            .reject("declared", "turned down")
            .reject("seen-before", "an earlier call has left something")
    }

    fn evaluate(request: &Request, settings: &Settings, trace: &mut Trace) -> Result<Evaluation, Failure> {
        let calls = CALLS.fetch_add(1, Ordering::Relaxed);
        let up_to = |limit: i64| verdict_for_each(request, &Verdict::AcceptUpTo(limit));
        Ok(match settings.maybe_text("mode")?.unwrap_or("") {
            "endless-loop" => loop {
                black_box(());
            },
            "memory-bomb" => {
                let mut kept: Vec<Vec<u8>> = Vec::new();
                loop {
                    kept.push(vec![1; 1 << 20]);
                    black_box(&kept);
                }
            }
            "deep-recursion" => up_to(recurse(1)),
            "deep-recursion-in-memory" => up_to(recurse_in_memory([0; 16])),
            "huge-result" => reject_all(request, reject("declared", &"x".repeat(3 << 20))),
            "many-verdicts" => {
                let verdicts = vec![Verdict::Accept; 60_000];
                Evaluation { verdicts, ..accept_all(request) }
            }
            "log-flood" => loop {
                log("water, water everywhere");
            },
            "huge-log-line" => {
                log(&"x".repeat(3 << 20));
                accept_all(request)
            }
            "trap" => up_to(i64::from(1 / black_box(0_u32))),
            "panic" => panic!("this was on purpose"),
            "fail" => return Err(failure("out-of-order", "cannot decide")),
            "wrong-count" => {
                Evaluation { verdicts: vec![Verdict::Accept; request.cards.len() + 1], ..accept_all(request) }
            }
            "negative-amount" => up_to(-1),
            "beyond-2-53" => up_to(1 << 53),
            "undeclared-code" => reject_all(request, reject("surprise", "not in the description")),
            "bad-code" => reject_all(request, reject("Not A Code", "not kebab-case")),
            "long-message" => reject_all(request, reject("declared", &"x".repeat(2_000))),
            "amplified-message" => {
                reject_all(request, reject("declared", &"{a}".repeat(300)).text("a", &"x".repeat(2_000)))
            }
            "many-limits" => {
                let limit = SharedLimit { limit: 1_000_000, cards: vec![0], code: "declared".into() };
                Evaluation { limits: vec![limit; 1_000], ..accept_all(request) }
            }
            "undeclared-limit" => {
                let limit = SharedLimit { limit: 0, cards: vec![0], code: "declared".into() };
                Evaluation { limits: vec![limit], ..accept_all(request) }
            }
            "explain-differs" if trace.wanted() => up_to(1),
            "scripted" => scripted(settings.maybe_text("script")?.unwrap_or("")),
            "kept-state" if calls > 0 => {
                reject_all(request, reject("seen-before", "an earlier call has left something"))
            }
            _ => accept_all(request),
        })
    }
}

/// Answers word by word what the script says, whatever the request was: `a` accepts a card, `u` and a number accepts up to
/// it, `l` and a number and indexes after it is a shared limit (`l500:0:1`), and any other word rejects with itself as code.
fn scripted(script: &str) -> Evaluation {
    let mut evaluation = Evaluation { verdicts: Vec::new(), limits: Vec::new(), steps: Vec::new() };
    for word in script.split_whitespace() {
        let mut numbers = word.get(1..).unwrap_or("").split(':');
        let amount: Option<i64> = numbers.next().and_then(|number| number.parse().ok());
        match (word.as_bytes()[0], amount) {
            (b'a', None) => evaluation.verdicts.push(Verdict::Accept),
            (b'u', Some(amount)) => evaluation.verdicts.push(Verdict::AcceptUpTo(amount)),
            (b'l', Some(limit)) => {
                let cards = numbers.filter_map(|number| number.parse().ok()).collect();
                evaluation.limits.push(SharedLimit { limit, cards, code: "declared".into() });
            }
            _ => evaluation.verdicts.push(Verdict::Reject(reject(word, word))),
        }
    }
    evaluation
}

/// Deep in the call stack alone.
fn recurse(depth: i64) -> i64 {
    if depth == i64::MAX { 0 } else { recurse(depth + 1).rotate_left(3) ^ depth }
}

/// Deep in the stack that lives in memory, below whose end there is nothing.
fn recurse_in_memory(depth: [i64; 16]) -> i64 {
    let deeper = black_box(depth.map(|number| number + 1));
    if deeper[0] == i64::MAX { 0 } else { recurse_in_memory(deeper).rotate_left(3) ^ deeper[3] }
}

giftcard_plugin::export_condition!(Hostile);
