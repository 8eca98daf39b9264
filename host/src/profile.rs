//! Where the fuel of a call goes: by function, with who called it. For authors. Must not decide anything.
//!
//! A call always uses its fuel in the same order. So it is run again and again with less fuel than it needs, and each
//! time it is asked which functions were running when it stopped: with one unit, with two, and so on, or at as many
//! points as a large call leaves time for. No clock has a part in it, and the same call has the same profile.

use std::collections::BTreeMap;

use giftcard_engine::quote::ConditionCall;
use sha2::{Digest, Sha256};
use thiserror::Error;
use wasmtime::component::Component as Code;

use crate::component::Condition;
use crate::error::{CallError, CallFailure, clip};
use crate::probes;
use crate::sandbox::{Purpose, Sandbox, Spent, hex};
use crate::settings::with_defaults;
use crate::v0_1::ConditionPre;

/// Most points of a call that are looked at.
const POINTS_MAX: u64 = 20_000;

/// Fewest points, also of a call that takes long.
const POINTS_MIN: u64 = 200;

/// Fuel that may be used in all. A few seconds of work.
const WORK_MAX: u64 = 4_000_000_000;

/// What is told of fuel that nobody was seen using.
const NOBODY: &str = "(outside of functions)";

/// Profiles the calls of one condition.
pub struct Profiler {
    condition: Condition,
    sandbox: Sandbox,
    probed: ConditionPre,
}

/// Where the fuel of one call went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    /// Fuel of the call; the sum over all stacks.
    pub fuel: u64,
    /// Units of fuel that one point stands for; with 1 the profile is exact.
    pub step: u64,
    /// Functions that were running, the outermost first, and the fuel that the innermost of them used itself. Sorted.
    /// Functions that the compiler has put into others are part of those. Making room for what is handed over counts
    /// too.
    pub stacks: BTreeMap<Vec<String>, u64>,
}

/// Why there is no profile.
#[derive(Debug, Error)]
pub enum ProfileError {
    /// There is no room, or no time.
    #[error(transparent)]
    Call(Box<CallError>),
    /// The component cannot be made to stop.
    #[error("the component cannot be profiled: {0}")]
    Probes(String),
}

impl Profiler {
    /// A profiler of a condition that was loaded from `bytes`.
    ///
    /// # Errors
    /// [`ProfileError::Probes`]
    pub fn new(condition: &Condition, bytes: &[u8]) -> Result<Self, ProfileError> {
        let failed = |error: wasmtime::Error| ProfileError::Probes(clip(&format!("{error:#}")));
        if hex(&Sha256::digest(bytes)) != condition.facts().digest {
            return Err(ProfileError::Probes("its file has changed since it was loaded".to_string()));
        }
        let limits = condition.0.sandbox().limits().clone();
        let sandbox = Sandbox::new(limits, 1, true, Purpose::Profile)
            .map_err(|error| ProfileError::Probes(clip(&error.to_string())))?;
        let probed = probes::put_in(bytes).map_err(|problem| ProfileError::Probes(clip(&problem)))?;
        let code = Code::new(sandbox.engine(), &probed).map_err(failed)?;
        let version = condition.0.version;
        let linked = version.linker(&sandbox).and_then(|linker| linker.instantiate_pre(&code)).map_err(failed)?;
        let probed = version.condition(linked).map_err(failed)?;
        Ok(Self { condition: condition.clone(), sandbox, probed })
    }

    /// The condition.
    #[must_use]
    pub fn condition(&self) -> &Condition {
        &self.condition
    }

    /// Where the fuel of a call goes. A call that fails has a profile too, up to where it failed.
    ///
    /// # Errors
    /// [`ProfileError::Call`] where the call could not be made at all, [`ProfileError::Probes`] where looking at it has
    /// changed it.
    pub fn profile(&self, call: &ConditionCall<'_>) -> Result<Profile, ProfileError> {
        let (answer, record) = self.condition.evaluate(call);
        match answer {
            Err(error) if error.failure.is_busy() || matches!(error.failure, CallFailure::BadSettings { .. }) => {
                return Err(ProfileError::Call(error));
            }
            _ => {}
        }
        let fuel = record.fuel;
        let fuel_max = self.sandbox.limits().fuel_max;
        let probed = self.call(call, fuel_max)?.fuel;
        if probed != fuel {
            let problem = format!("it uses {fuel} units of fuel, and {probed} when it is looked at");
            return Err(ProfileError::Probes(problem));
        }
        let step = fuel.div_ceil(points(fuel)).max(1);
        let mut stacks: BTreeMap<Vec<String>, u64> = BTreeMap::new();
        let mut begin = 0;
        while begin < fuel {
            let units = step.min(fuel - begin);
            let stack = self.stack_at(call, begin + units / 2 + 1)?;
            *stacks.entry(stack).or_default() += units;
            begin += units;
        }
        Ok(Profile { fuel, step, stacks })
    }

    /// Who uses the last of so many units.
    fn stack_at(&self, call: &ConditionCall<'_>, fuel: u64) -> Result<Vec<String>, ProfileError> {
        self.call(call, fuel)?;
        let stack = self.sandbox.stopped_in();
        Ok(if stack.is_empty() { vec![NOBODY.to_string()] } else { stack })
    }

    /// A call that has so much fuel.
    fn call(&self, call: &ConditionCall<'_>, fuel: u64) -> Result<Spent, ProfileError> {
        let settings = with_defaults(&self.condition.facts().settings, call.settings);
        self.sandbox.stop_at(fuel);
        // Settings that it has problems with have failed before.
        let needs = self.condition.0.needs(&settings).map_err(ProfileError::Call)?.unwrap_or_default();
        match self.condition.0.version.evaluate(&self.sandbox, &self.probed, &needs, call, &settings) {
            Ok((_, spent)) => Ok(spent),
            Err(failed) if failed.failure.is_busy() => {
                Err(ProfileError::Call(Box::new(self.condition.0.error("evaluate", failed.failure))))
            }
            Err(failed) => Ok(failed.spent),
        }
    }
}

/// At how many points a call of so much fuel is looked at. All runs together use half of what as many whole calls
/// would.
fn points(fuel: u64) -> u64 {
    (2 * WORK_MAX / fuel.max(1)).clamp(POINTS_MIN, POINTS_MAX)
}
