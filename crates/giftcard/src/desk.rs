//! The use cases that move money: the ledger, the rules and the secrets of codes brought together. Must not know where a
//! request comes from, nor SQL.

mod cards;
mod checkpoint;
mod configuration;
mod customers;
mod database;
mod decision;
mod fixture;
mod keys;
mod pay;
mod plugins;
mod pools;
mod refund;
mod replay;
mod report;
mod restore;
mod setup;
mod shadow;
mod stage;
mod sweep;
#[cfg(test)]
mod testing;
mod tries;
mod verify;

use std::collections::HashMap;
use std::convert::Infallible;
use std::fmt;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use giftcard_engine::moment::InstantMs;
use giftcard_ledger::model::{Id, OperationKey};
use giftcard_ledger::operations::{Command, Receipt, Target};
use giftcard_ledger::store::{Store, StoreError};
use giftcard_ledger::{Answer, Ledger, LedgerError, Refused, Request};
use rand::CryptoRng;

use crate::Till;
use crate::input::{CardCode, InputError, InputErrorKind};
use crate::output::{ErrorBody, ErrorOutput};
use crate::secrets::Secrets;
use crate::till::TillError;

pub use cards::{CardFilter, CardName, PAGE_MAX, TOO_MANY_TRIES};
pub use checkpoint::{CheckpointDocument, CheckpointExport, read_checkpoints, seal};
pub use configuration::{Configuration, ProgrammeFacts, SiteFacts};
pub use database::{Address, DatabaseProblem, bind_keys, check_keys, first_site, keys_of, open_store};
pub use decision::{Rerun, rerun};
pub use pay::PayKind;
pub(crate) use plugins::parts as plugin_parts;
pub use plugins::{Changing, Installing, PluginSignature, component_digest};
pub use pools::GENERATE_MAX;
pub use replay::{
    ReplayChange, ReplayOptions, ReplayProgramme, ReplayReport, ReplayReturned, ReplaySettings, ReplayState,
    picture as replay_picture,
};
pub use report::Period;
pub use restore::{RestoreProblem, restore};
pub use setup::{Set, SettingUp, check_site};
pub use shadow::{ShadowCard, ShadowCounts, ShadowDifference, ShadowReport};
pub use sweep::{SweepOptions, SweepProgress, SweepReport};
pub use tries::{Blocked, Tries, TriesLimits};
pub use verify::{
    DecisionCounts, Decisions, FINDINGS_MAX, Finding, OperationVerdict, Progress, Stage, VerifyOptions, VerifyReport,
    verify_books,
};

/// Longest key of an operation, in characters.
pub const OPERATION_KEY_MAX: usize = 200;

/// Where a site is not named.
pub const MAIN_SITE: &str = "main";

/// Randomness that secrets may depend on.
pub type Randomness = Box<dyn CryptoRng + Send>;

/// The use cases on one ledger. May be used from many threads at once.
pub struct Desk {
    // Dropped first: it writes what it has found.
    watcher: shadow::Watcher,
    ledger: Arc<Ledger>,
    till: Till,
    vault: Arc<plugins::Vault>,
    signatures_required: bool,
    stages: stage::Stages,
    secrets: RwLock<Arc<Secrets>>,
    randomness: Mutex<Randomness>,
    /// Counts names of personal fields.
    references: AtomicU32,
    configuration: RwLock<Option<Arc<Configuration>>>,
    /// Held while the configuration is read.
    reading: Mutex<()>,
    /// Contexts of decisions by site and programmes, of the current configuration.
    contexts: Mutex<HashMap<String, Arc<giftcard_ledger::store::Context>>>,
    tries: Tries,
}

/// Why a use case has no answer.
#[derive(Debug)]
pub enum DeskError {
    /// The request is wrong.
    Input(InputError),
    /// The request is refused; nothing moved.
    Refused(Refused),
    /// The rules gave no answer that counts, or the host is busy.
    Rules {
        /// Stable kebab-case code.
        code: String,
        /// Component, version, digest and cause.
        message: String,
    },
    /// The operation's key was used for another request.
    KeyReused,
    /// Others were always faster; nothing moved.
    Busy,
    /// The database failed.
    Store(StoreError),
    /// A key file or a sealed code cannot be used.
    Secrets(String),
}

impl DeskError {
    /// Stable kebab-case code.
    #[must_use]
    pub fn code(&self) -> &str {
        match self {
            Self::Input(error) => error.kind.code(),
            Self::Refused(refused) => &refused.code,
            Self::Rules { code, .. } => code,
            Self::KeyReused => "operation-key-reused",
            Self::Busy => "busy",
            Self::Store(error) => error.code(),
            Self::Secrets(_) => "secrets-unusable",
        }
    }

    /// The error as it is answered.
    #[must_use]
    pub fn output(&self) -> ErrorOutput {
        let (path, message) = match self {
            Self::Input(error) => (Some(error.path.clone()).filter(|path| !path.is_empty()), error.problem.clone()),
            other => (None, other.to_string()),
        };
        ErrorOutput { error: ErrorBody { code: self.code().to_string(), path, message, line: None } }
    }

    pub(crate) fn input(kind: InputErrorKind, path: &str, problem: impl Into<String>) -> Self {
        Self::Input(InputError { kind, path: path.to_string(), problem: problem.into() })
    }
}

impl fmt::Display for DeskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Input(error) => error.fmt(f),
            Self::Refused(refused) => refused.fmt(f),
            Self::Rules { message, .. } | Self::Secrets(message) => f.write_str(message),
            Self::KeyReused => LedgerError::<Infallible>::KeyReused.fmt(f),
            Self::Busy => LedgerError::<Infallible>::Busy.fmt(f),
            Self::Store(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for DeskError {}

impl From<InputError> for DeskError {
    fn from(error: InputError) -> Self {
        Self::Input(error)
    }
}

impl From<Refused> for DeskError {
    fn from(refused: Refused) -> Self {
        Self::Refused(refused)
    }
}

impl From<StoreError> for DeskError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<TillError> for DeskError {
    fn from(error: TillError) -> Self {
        match error {
            TillError::Input(error) => Self::Input(error),
            TillError::Rules { code, message } => Self::Rules { code, message },
        }
    }
}

impl From<LedgerError<DeskError>> for DeskError {
    fn from(error: LedgerError<DeskError>) -> Self {
        match error {
            LedgerError::Refused(refused) => Self::Refused(refused),
            LedgerError::KeyReused => Self::KeyReused,
            LedgerError::Busy => Self::Busy,
            LedgerError::Store(error) => Self::Store(error),
            LedgerError::Failed(error) => error,
        }
    }
}

impl From<LedgerError<Infallible>> for DeskError {
    fn from(error: LedgerError<Infallible>) -> Self {
        match error {
            LedgerError::Refused(refused) => Self::Refused(refused),
            LedgerError::KeyReused => Self::KeyReused,
            LedgerError::Busy => Self::Busy,
            LedgerError::Store(error) => Self::Store(error),
            LedgerError::Failed(never) => match never {},
        }
    }
}

/// What every operation names, beside what it does.
#[derive(Clone, Debug)]
pub struct Doing<'a> {
    /// The site.
    pub site: &'a str,
    /// The operation's key, chosen by the caller: 1 to 200 characters.
    pub operation: &'a str,
    /// Who does it, for the records.
    pub actor: Option<&'a str>,
    /// Now.
    pub now: InstantMs,
}

impl Desk {
    /// A desk. `randomness` makes codes and references; it must be fit for secrets.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, till: Till, secrets: Secrets, mut randomness: Randomness) -> Self {
        let mut seed = [0; 8];
        randomness.fill_bytes(&mut seed);
        let vault = Arc::new(plugins::Vault::new(Arc::clone(&store), &till));
        Self {
            stages: stage::Stages::new(Arc::clone(&vault), stage::Instead::default()),
            vault,
            signatures_required: false,
            watcher: shadow::Watcher::default(),
            ledger: Arc::new(Ledger::new(store, u64::from_le_bytes(seed))),
            till,
            secrets: RwLock::new(Arc::new(secrets)),
            randomness: Mutex::new(randomness),
            references: AtomicU32::new(0),
            configuration: RwLock::new(None),
            reading: Mutex::new(()),
            contexts: Mutex::default(),
            tries: Tries::new(TriesLimits::default()),
        }
    }

    /// The same desk with other limits for those who try codes.
    #[must_use]
    pub fn with_tries(self, limits: TriesLimits) -> Self {
        Self { tries: Tries::new(limits), ..self }
    }

    /// The same desk, on which no plugin decides that is not signed with one of its site's trusted keys, whatever the site
    /// says. Those that come with the program need no signature.
    #[must_use]
    pub fn with_signatures_required(self) -> Self {
        Self { signatures_required: true, ..self }
    }

    /// The same desk, which remembers cards in about so many `bytes`: [`giftcard_ledger::ledger::MEMORY`] if not said, and
    /// nothing below 1 MiB. More is of use to one that serves more cards than fit, fewer to one that has to be small.
    #[must_use]
    pub fn with_memory(self, bytes: u64) -> Self {
        self.ledger.set_memory(bytes);
        self
    }

    fn signatures_required(&self) -> bool {
        self.signatures_required
    }

    /// Who tried codes that are not usable, and how often.
    #[must_use]
    pub fn tries(&self) -> &Tries {
        &self.tries
    }

    /// The ledger under it.
    #[must_use]
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// What keeps the ledger.
    #[must_use]
    pub fn store(&self) -> &dyn Store {
        self.ledger.store()
    }

    fn vault(&self) -> &Arc<plugins::Vault> {
        &self.vault
    }

    /// The rules and conditions that come with the program, for questions without a ledger.
    #[must_use]
    pub fn till(&self) -> &Till {
        &self.till
    }

    /// The keys of codes, as they are now.
    #[must_use]
    pub fn secrets(&self) -> Arc<Secrets> {
        Arc::clone(&self.secrets.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Other keys from now on, such as after a rotation.
    pub fn set_secrets(&self, secrets: Secrets) {
        *self.secrets.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(secrets);
    }

    pub(crate) fn randomness(&self) -> MutexGuard<'_, Randomness> {
        self.randomness.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A name for personal fields that are kept apart: the moment, a count, then 56 random bits. So those of one time lie
    /// together, and writing or reading many of them does not go to as many places; the operation that names it says its
    /// moment anyway.
    pub(crate) fn reference(&self, now: InstantMs) -> [u8; 16] {
        let mut reference = [0; 16];
        reference[..6].copy_from_slice(&now.to_be_bytes()[2..]);
        reference[6..9].copy_from_slice(&self.references.fetch_add(1, Ordering::Relaxed).to_be_bytes()[1..]);
        self.randomness().fill_bytes(&mut reference[9..]);
        reference
    }

    /// A card as a caller names it: its id, or its code.
    ///
    /// # Errors
    /// [`InputErrorKind::InvalidValue`] for neither.
    pub fn target_of_id(&self, id: &str, path: &str) -> Result<Target, DeskError> {
        match id.parse::<Id>() {
            Ok(id) => Ok(Target::Id(id)),
            Err(problem) => Err(DeskError::input(InputErrorKind::InvalidValue, path, problem.to_string())),
        }
    }

    /// The card with this code.
    #[must_use]
    pub fn target_of_code(&self, site: &str, code: &CardCode) -> Target {
        Target::Code(vec![self.secrets().lookups(site, code.reveal())])
    }

    /// Does an operation that needs no rules, once for all time. `facts` is what makes the request the same request:
    /// everything the caller said, without codes.
    ///
    /// # Errors
    /// [`DeskError`].
    pub fn operate<C: Command>(
        &self,
        doing: &Doing<'_>,
        command: &C,
        facts: &serde_json::Value,
    ) -> Result<Answer, DeskError> {
        let request = self.request(doing, command.kind().name(), facts)?;
        Ok(self.ledger.operate(&request, doing.actor, command)?)
    }

    pub(crate) fn request(
        &self,
        doing: &Doing<'_>,
        kind: &str,
        facts: &serde_json::Value,
    ) -> Result<Request, DeskError> {
        let key = operation_key(doing.site, doing.operation)?;
        let hash = giftcard_ledger::chain::digest(&format!("{kind}\n{facts}"));
        Ok(Request { key, hash, now: doing.now, personal: None })
    }
}

/// The identity of an operation.
pub(crate) fn operation_key(site: &str, key: &str) -> Result<OperationKey, DeskError> {
    if key.trim().is_empty() || key.chars().count() > OPERATION_KEY_MAX || key.chars().any(char::is_control) {
        let problem = format!("must have 1 to {OPERATION_KEY_MAX} characters, none of them a control character");
        return Err(DeskError::input(InputErrorKind::InvalidValue, "operation", problem));
    }
    Ok(OperationKey { site: site.to_string(), key: key.to_string() })
}

/// The receipt in an answer.
///
/// # Errors
/// [`StoreError::Corrupt`] where the stored answer is none.
pub fn receipt(answer: &Answer) -> Result<Receipt, DeskError> {
    Ok(giftcard_ledger::plan::read_record(&answer.text)?)
}
