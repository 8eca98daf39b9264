//! Where the fuel of a condition goes when it is asked about one order: by function, and by who called it. Must not
//! know how a call is measured, nor how a profile is drawn.

use std::collections::{BTreeMap, BTreeSet};

use giftcard_engine::moment::InstantMs;
use giftcard_host::{Profile, ProfileError, Profiler};
use serde::Serialize;

use crate::till::{Till, TillError};

/// Where the fuel of one question to a condition went.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FuelProfile {
    /// The cards it was asked about.
    pub cards: Vec<String>,
    /// Units of fuel in all.
    pub fuel: u64,
    /// Of every so many units one was looked at; with 1 all numbers are exact.
    pub step: u64,
    /// Every function, the one that used most by itself first.
    pub functions: Vec<FunctionFuel>,
    /// Every way that calls went, with what the last function of it used by itself. They add up to `fuel`.
    pub stacks: Vec<StackFuel>,
}

/// What a function used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FunctionFuel {
    /// Its name.
    pub function: String,
    /// Units that it used by itself.
    pub own: u64,
    /// Units that it used with all that it called.
    pub total: u64,
}

/// What the last function of a way used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StackFuel {
    /// Functions, the outermost first.
    pub stack: Vec<String>,
    /// Units that the last one used by itself.
    pub fuel: u64,
}

/// The profile of the first question to the condition that the document leads to. None if it leads to none.
///
/// # Errors
/// As [`Till::quote`]; and as the profiler, with the code `not-profiled`.
pub fn profile(
    till: &Till,
    document: &str,
    profiler: &Profiler,
    now: InstantMs,
) -> Result<Option<FuelProfile>, TillError> {
    let request = till.request(document, now)?;
    let plugin = &profiler.condition().facts().id;
    let mut found = None;
    till.rulebook().quote_watched(&request, false, &mut |call, _, record| {
        if found.is_none() && record.component.id == *plugin {
            let cards = call.cards.iter().map(|index| request.cards[*index].id.clone()).collect();
            found = Some(profiler.profile(call).map(|profile| FuelProfile::of(profile, cards)));
        }
    })?;
    found.transpose().map_err(|error: ProfileError| {
        let (code, message) = match &error {
            ProfileError::Call(error) => (error.failure.code().to_string(), error.to_string()),
            ProfileError::Probes(_) => ("not-profiled".to_string(), error.to_string()),
        };
        TillError::Rules { code, message }
    })
}

impl FuelProfile {
    fn of(profile: Profile, cards: Vec<String>) -> Self {
        let mut used: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
        for (stack, fuel) in &profile.stacks {
            // One that called itself is one.
            for name in stack.iter().collect::<BTreeSet<_>>() {
                used.entry(name).or_default().1 += fuel;
            }
            if let Some(name) = stack.last() {
                used.entry(name).or_default().0 += fuel;
            }
        }
        let mut functions: Vec<FunctionFuel> = used
            .into_iter()
            .map(|(function, (own, total))| FunctionFuel { function: function.to_string(), own, total })
            .collect();
        functions.sort_by_key(|function| std::cmp::Reverse((function.own, function.total)));
        let stacks = profile.stacks.into_iter().map(|(stack, fuel)| StackFuel { stack, fuel }).collect();
        Self { cards, fuel: profile.fuel, step: profile.step, functions, stacks }
    }
}
