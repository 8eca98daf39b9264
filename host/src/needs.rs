//! Which parts of an order cross to a condition: as the component says for the settings of each binding, and never more than
//! it describes. Must not know what an order is made of.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::{PoisonError, RwLock};

use giftcard_engine::check::Broken;
use giftcard_engine::value::Value;
use wasmtime::component::{ComponentExportIndex, InstancePre};

use crate::error::{CallFailure, clip};
use crate::sandbox::{CallState, Sandbox};
use crate::v0_1::{Needs, Problems, ask_of_settings, exported};

/// Settings whose answer is remembered; past that all are forgotten.
const REMEMBERED_MAX: usize = 1024;

/// Bytes of texts of settings whose answer is remembered; those with more are asked about each time.
const REMEMBERED_BYTES_MAX: usize = 8 << 10;

/// What a component says of its needs.
pub(crate) enum NeedsOf {
    /// Its description names nothing.
    Nothing,
    /// For each settings what it answers to them.
    Settings(Box<BySettings>),
}

pub(crate) struct BySettings {
    instance: InstancePre<CallState>,
    needs_of: ComponentExportIndex,
    /// As the description names them: the most that may be asked for.
    most: Vec<String>,
    hasher: RandomState,
    /// By the hash of the settings.
    remembered: RwLock<HashMap<u64, Remembered>>,
}

struct Remembered {
    settings: Vec<(String, Value)>,
    needs: Needs,
}

impl Remembered {
    fn is_of(&self, settings: &[(&str, &Value)]) -> bool {
        self.settings.iter().map(|(name, value)| (name.as_str(), value)).eq(settings.iter().copied())
    }
}

impl NeedsOf {
    /// `most` are the names of the description; all of them are known. `number` is the contract's version.
    pub(crate) fn new(linked: &InstancePre<CallState>, number: &str, most: &[String]) -> wasmtime::Result<Self> {
        if most.is_empty() {
            return Ok(Self::Nothing);
        }
        Ok(Self::Settings(Box::new(BySettings {
            instance: linked.clone(),
            needs_of: exported(linked, "condition", number, "needs-of")?,
            most: most.to_vec(),
            hasher: RandomState::new(),
            remembered: RwLock::default(),
        })))
    }

    /// What crosses to a binding with these settings, defaults filled in. Inner error: what is wrong with them.
    pub(crate) fn of(
        &self,
        sandbox: &Sandbox,
        settings: &[(&str, &Value)],
    ) -> Result<Result<Needs, Problems>, CallFailure> {
        match self {
            Self::Nothing => Ok(Ok(Needs::default())),
            Self::Settings(by_settings) => by_settings.of(sandbox, settings),
        }
    }
}

impl BySettings {
    fn of(&self, sandbox: &Sandbox, settings: &[(&str, &Value)]) -> Result<Result<Needs, Problems>, CallFailure> {
        let hash = self.hasher.hash_one(settings);
        // An answer is written whole or not at all.
        let remembered = self.remembered.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = remembered.get(&hash).filter(|known| known.is_of(settings)) {
            return Ok(Ok(known.needs));
        }
        drop(remembered);
        let names: Vec<String> = match ask_of_settings(sandbox, &self.instance, self.needs_of, settings)? {
            Ok(names) => names,
            Err(problems) => return Ok(Err(problems)),
        };
        let needs = self.allowed(&names)?;
        let bytes = settings.iter().map(|(name, value)| name.len() + value.text_bytes());
        if bytes.sum::<usize>() > REMEMBERED_BYTES_MAX {
            return Ok(Ok(needs));
        }
        let settings = settings.iter().map(|(name, value)| ((*name).to_string(), (*value).clone())).collect();
        let mut remembered = self.remembered.write().unwrap_or_else(PoisonError::into_inner);
        if remembered.len() >= REMEMBERED_MAX {
            remembered.clear();
        }
        remembered.insert(hash, Remembered { settings, needs });
        Ok(Ok(needs))
    }

    /// No more than the description names, which is what was agreed to when the component was installed.
    fn allowed(&self, names: &[String]) -> Result<Needs, CallFailure> {
        // INVARIANT: bounded work, whatever it answers. The description names nothing twice.
        let parts = Needs::NAMES.len();
        if names.len() > parts {
            let detail = format!("it asks for {} parts of the order; there are {parts}", names.len());
            return Err(Broken { rule: "undeclared-need", card: None, detail }.into());
        }
        let declared = |name: &str| {
            let whole = matches!(name, "lines" | "customer").then(|| format!("{name}."));
            let field = |known: &String| whole.as_ref().is_some_and(|whole| known.starts_with(whole.as_str()));
            self.most.iter().any(|known| known == name || field(known))
        };
        if let Some(undeclared) = names.iter().find(|name| !declared(name)) {
            let detail = format!("it asks for `{}`; declared is {}", clip(undeclared), self.most.join(", "));
            return Err(Broken { rule: "undeclared-need", card: None, detail }.into());
        }
        // Declared ones are known, or the component had been refused.
        Ok(Needs::of(names).unwrap_or_default())
    }
}
