//! Components by their digest, loaded from the ledger's database when they are first needed, and once for the process.
//! Must not know which of them decides.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use giftcard_host::{Component, Host, LoadError, Rulebook, TrialCause, TrialError};
use giftcard_ledger::store::{Store, StoreError};

use crate::Till;
use crate::desk::component_digest;
use crate::desk::decision::unhex;
use crate::plugins::Bytes;

/// The components of a database, and those that come with the program.
pub(in crate::desk) struct Vault {
    store: Arc<dyn Store>,
    host: Host,
    base: Rulebook,
    /// Of what comes with the program.
    bytes: Arc<Bytes>,
    loaded: Mutex<HashMap<String, Component>>,
    /// Held while one is compiled, so that nobody compiles the same beside.
    loading: Mutex<()>,
}

impl Vault {
    /// Of a database, and a rulebook with what comes with the program.
    pub(in crate::desk) fn new(store: Arc<dyn Store>, till: &Till) -> Self {
        let (base, bytes) = (till.rulebook().clone(), Arc::clone(till.bytes()));
        Self { store, host: base.host().clone(), base, bytes, loaded: Mutex::default(), loading: Mutex::new(()) }
    }

    /// Keeps the bytes of a component that comes with the program in the database.
    pub(in crate::desk) fn keep_bytes(&self, digest: &str) -> Result<(), StoreError> {
        match (self.bytes.get(digest), unhex(digest)) {
            (Some(bytes), Some(key)) => self.store.keep_component(key, bytes),
            _ => Ok(()),
        }
    }

    /// The database.
    pub(in crate::desk) fn store(&self) -> &dyn Store {
        &*self.store
    }

    /// The host that loads them.
    pub(super) fn host(&self) -> &Host {
        &self.host
    }

    /// What comes with the program.
    pub(in crate::desk) fn base(&self) -> &Rulebook {
        &self.base
    }

    /// A component; inside, why there is none. What may pass, such as a lost connection or a busy host, is the outer error,
    /// and nothing is to be remembered of it.
    pub(in crate::desk) fn component(&self, name: &str, digest: &str) -> Result<Result<Component, String>, StoreError> {
        if let Some(known) = self.known(digest) {
            return Ok(Ok(known));
        }
        let _loading = self.loading.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = self.known(digest) {
            return Ok(Ok(known));
        }
        let Some(key) = unhex(digest) else { return Ok(Err(format!("`{digest}` is no digest"))) };
        let Some(bytes) = self.store.component(key)? else {
            return Ok(Err(format!("component {digest} is neither in the database nor in the program")));
        };
        if component_digest(&bytes) != digest {
            return Ok(Err(format!("the database has other bytes for component {digest} than were installed")));
        }
        // What it asks for beyond the standard limits was granted when it was installed, and is part of its bytes.
        let wanted = self.host.wanted(name, &bytes);
        match wanted.and_then(|wanted| self.host.load_granted(name, &bytes, &wanted)) {
            Ok(component) => {
                self.loaded().insert(digest.to_string(), component.clone());
                Ok(Ok(component))
            }
            Err(error) if is_passing(&error) => Err(StoreError::Unavailable(error.to_string())),
            Err(error) => Ok(Err(error.to_string())),
        }
    }

    /// Keeps a component that was just loaded.
    pub(super) fn keep(&self, component: Component) {
        self.loaded().insert(component.facts().digest.clone(), component);
    }

    fn known(&self, digest: &str) -> Option<Component> {
        if self.base.rules().facts().digest == digest {
            return Some(Component::Rules(self.base.rules().clone()));
        }
        let of_base = self.base.conditions().find(|condition| condition.facts().digest == digest);
        of_base.cloned().map(Component::Condition).or_else(|| self.loaded().get(digest).cloned())
    }

    fn loaded(&self) -> MutexGuard<'_, HashMap<String, Component>> {
        self.loaded.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether loading failed for want of room or time, and may work the next time.
fn is_passing(error: &LoadError) -> bool {
    match error {
        LoadError::Trial(TrialError { cause: TrialCause::Call(failure), .. }) => failure.is_busy(),
        _ => false,
    }
}
