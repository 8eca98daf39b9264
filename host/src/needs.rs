//! Which parts of an order cross to a condition: the same for every binding, or as the component says for the settings of
//! each (from 0.2 on). Must not know what an order is made of.

#[cfg(feature = "contract-0-2-draft")]
use std::collections::HashMap;
#[cfg(feature = "contract-0-2-draft")]
use std::sync::{Mutex, PoisonError};

#[cfg(feature = "contract-0-2-draft")]
use giftcard_engine::check::Broken;
use giftcard_engine::value::Value;
use wasmtime::component::InstancePre;

use crate::error::CallFailure;
#[cfg(feature = "contract-0-2-draft")]
use crate::error::clip;
use crate::sandbox::{CallState, Sandbox};
use crate::v0_1::{Needs, Problems};
#[cfg(feature = "contract-0-2-draft")]
use crate::v0_2::{self, NeedsPre};
use crate::version::Version;

/// Settings whose answer is remembered; past that all are forgotten.
#[cfg(feature = "contract-0-2-draft")]
const REMEMBERED_MAX: usize = 1024;

/// What a component says of its needs.
pub(crate) enum NeedsOf {
    /// The same whatever the settings.
    All(Needs),
    /// For each settings what it answers to them.
    #[cfg(feature = "contract-0-2-draft")]
    Settings(BySettings),
}

#[cfg(feature = "contract-0-2-draft")]
pub(crate) struct BySettings {
    pre: NeedsPre,
    /// As the description names them: the most that may be asked for.
    most: Vec<String>,
    remembered: Mutex<HashMap<Vec<(String, Value)>, Needs>>,
}

impl NeedsOf {
    /// `names` are those of the description; all of them are known.
    #[cfg_attr(not(feature = "contract-0-2-draft"), allow(unused_variables, reason = "what later versions take"))]
    pub(crate) fn new(
        version: Version,
        linked: &InstancePre<CallState>,
        names: &[String],
        needs: Needs,
    ) -> wasmtime::Result<Self> {
        Ok(match version {
            Version::V0_1 => Self::All(needs),
            #[cfg(feature = "contract-0-2-draft")]
            Version::V0_2Draft => {
                let (pre, most) = (NeedsPre::new(linked.clone())?, names.to_vec());
                Self::Settings(BySettings { pre, most, remembered: Mutex::default() })
            }
        })
    }

    /// What crosses to a binding with these settings, defaults filled in. Inner error: what is wrong with them.
    #[cfg_attr(not(feature = "contract-0-2-draft"), allow(unused_variables, reason = "what later versions take"))]
    pub(crate) fn of(
        &self,
        sandbox: &Sandbox,
        settings: &[(&str, &Value)],
    ) -> Result<Result<Needs, Problems>, CallFailure> {
        match self {
            Self::All(needs) => Ok(Ok(*needs)),
            #[cfg(feature = "contract-0-2-draft")]
            Self::Settings(by_settings) => by_settings.of(sandbox, settings),
        }
    }
}

#[cfg(feature = "contract-0-2-draft")]
impl BySettings {
    fn of(&self, sandbox: &Sandbox, settings: &[(&str, &Value)]) -> Result<Result<Needs, Problems>, CallFailure> {
        let key: Vec<(String, Value)> =
            settings.iter().map(|(name, value)| ((*name).to_string(), (*value).clone())).collect();
        // An answer is written whole or not at all.
        let remembered = || self.remembered.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(needs) = remembered().get(&key) {
            return Ok(Ok(*needs));
        }
        let names = match v0_2::needs_of(sandbox, &self.pre, settings)? {
            Ok(names) => names,
            Err(problems) => return Ok(Err(problems)),
        };
        let needs = self.allowed(&names)?;
        let mut remembered = remembered();
        if remembered.len() >= REMEMBERED_MAX {
            remembered.clear();
        }
        remembered.insert(key, needs);
        Ok(Ok(needs))
    }

    /// No more than the description names, which is what was agreed to when the component was installed.
    fn allowed(&self, names: &[String]) -> Result<Needs, CallFailure> {
        let declared = |name: &str| {
            let whole = matches!(name, "lines" | "customer").then(|| format!("{name}."));
            let field = |known: &String| whole.as_ref().is_some_and(|whole| known.starts_with(whole.as_str()));
            self.most.iter().any(|known| known == name || field(known))
        };
        if let Some(undeclared) = names.iter().find(|name| !declared(name)) {
            let most = if self.most.is_empty() { "nothing".to_string() } else { self.most.join(", ") };
            let detail = format!("it asks for `{}`; declared is {most}", clip(undeclared));
            return Err(Broken { rule: "undeclared-need", card: None, detail }.into());
        }
        // Declared ones are known, or the component had been refused.
        Ok(Needs::of(names).unwrap_or_default())
    }
}
