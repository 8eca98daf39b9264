//! The use cases: a document in, an answer out. Must not know where documents come from or what an exit code is.

use std::collections::HashSet;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use giftcard_engine::moment::InstantMs;
use giftcard_engine::programme::{OnFailure, Programme};
use giftcard_engine::value::{Named, Value};
use giftcard_engine::{QuoteError, QuoteRequest};
use giftcard_host::{CallError, RefundError, Rulebook, SettingsError};

use crate::input::{InputError, InputErrorKind, read_quote, read_refund};
use crate::output::{ErrorBody, ErrorOutput, QuoteOutput, RefundOutput};
use crate::plugins::Bytes;

/// Settings that were found right are not checked again, up to this many at a time.
const CHECKED_SETTINGS_MAX: usize = 1024;

/// Answers quotes and refunds with one rulebook. May be used from many threads at once.
pub struct Till {
    rulebook: Rulebook,
    bytes: Arc<Bytes>,
    checked: Mutex<HashSet<(String, Vec<Named>)>>,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TillError {
    /// The input is refused.
    Input(InputError),
    /// A rule failed, broke a guarantee, or the host is busy.
    Rules {
        /// Stable kebab-case code.
        code: String,
        /// Component, version, digest and cause.
        message: String,
    },
}

impl TillError {
    /// Stable kebab-case code.
    #[must_use]
    pub fn code(&self) -> &str {
        match self {
            Self::Input(error) => error.kind.code(),
            Self::Rules { code, .. } => code,
        }
    }

    /// The error as it is answered.
    #[must_use]
    pub fn output(&self, line: Option<u64>) -> ErrorOutput {
        let (path, message) = match self {
            Self::Input(error) => (Some(error.path.clone()).filter(|path| !path.is_empty()), error.problem.clone()),
            Self::Rules { message, .. } => (None, message.clone()),
        };
        ErrorOutput { error: ErrorBody { code: self.code().to_string(), path, message, line } }
    }
}

impl fmt::Display for TillError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Input(error) => error.fmt(f),
            Self::Rules { message, .. } => f.write_str(message),
        }
    }
}

impl std::error::Error for TillError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Input(error) => Some(error),
            Self::Rules { .. } => None,
        }
    }
}

impl From<InputError> for TillError {
    fn from(error: InputError) -> Self {
        Self::Input(error)
    }
}

impl From<&CallError> for TillError {
    fn from(error: &CallError) -> Self {
        Self::Rules { code: error.failure.code().to_string(), message: error.to_string() }
    }
}

impl From<QuoteError<Box<CallError>>> for TillError {
    fn from(error: QuoteError<Box<CallError>>) -> Self {
        match error {
            QuoteError::Input { path, problem } => {
                InputError { kind: InputErrorKind::Inconsistent, path, problem }.into()
            }
            QuoteError::Rules(error) => Self::from(&*error),
            QuoteError::Broken(broken) => Self::Rules { code: broken.rule.to_string(), message: broken.to_string() },
        }
    }
}

/// For whoever asks again about a refund that was split: that it is refused now is an answer of the rules, too.
impl From<RefundError> for TillError {
    fn from(error: RefundError) -> Self {
        match error {
            RefundError::Rules(error) => Self::from(&*error),
            RefundError::Refused(refused) => {
                Self::Rules { code: refused.code().to_string(), message: refused.to_string() }
            }
        }
    }
}

impl Till {
    /// A till with this rulebook.
    #[must_use]
    pub fn new(rulebook: Rulebook) -> Self {
        Self::with_bytes(rulebook, Bytes::new())
    }

    pub(crate) fn with_bytes(rulebook: Rulebook, bytes: Bytes) -> Self {
        Self { rulebook, bytes: Arc::new(bytes), checked: Mutex::default() }
    }

    /// The bytes of its components, as far as they are at hand.
    pub(crate) fn bytes(&self) -> &Arc<Bytes> {
        &self.bytes
    }

    /// The rulebook.
    #[must_use]
    pub fn rulebook(&self) -> &Rulebook {
        &self.rulebook
    }

    /// What each card pays for the order in `document`. `now` is used where the document names no moment.
    ///
    /// # Errors
    /// [`TillError::Input`] for a document that cannot be, [`TillError::Rules`] where the rules gave no answer that
    /// counts. A condition that fails is no error: see [`QuoteOutput::has_failures`].
    pub fn quote(&self, document: &str, now: InstantMs, explain: bool) -> Result<QuoteOutput, TillError> {
        let request = self.request(document, now)?;
        Ok(QuoteOutput::of(&request, self.rulebook.quote(&request, explain)?, explain))
    }

    /// The question in a quote's document, with settings that its conditions take.
    pub(crate) fn request(&self, document: &str, now: InstantMs) -> Result<QuoteRequest, TillError> {
        let request = read_quote(document, &self.rulebook, now)?;
        for (index, programme) in request.programmes.iter().enumerate() {
            self.check_programme(&format!("programmes[{index}]."), programme)?;
        }
        Ok(request)
    }

    /// Where the refund in `document` goes, and how the rules came to that if `explain`.
    ///
    /// # Errors
    /// As [`Self::quote`].
    pub fn refund(&self, document: &str, explain: bool) -> Result<RefundOutput, TillError> {
        let order = read_refund(document)?;
        match self.rulebook.refund(&order.request, explain) {
            Ok(refunded) => Ok(RefundOutput::of(&order, refunded, explain)),
            Err(RefundError::Rules(error)) => Err(TillError::from(&*error)),
            Err(RefundError::Refused(refused)) => {
                Err(InputError::here(InputErrorKind::Inconsistent, refused.to_string()).into())
            }
        }
    }

    /// Whether the condition `expression` takes a text for its setting `when`.
    ///
    /// # Errors
    /// [`TillError::Input`] with the place in it and why; where the condition fails itself, as [`Self::quote`].
    pub fn check_expression(&self, text: &str) -> Result<(), TillError> {
        let settings = [Named { name: "when".to_string(), value: Value::Text(text.to_string()) }];
        self.check_settings("expression", &settings, || "settings".to_string())
    }

    /// Whether the conditions of a programme take their settings. `prefix` is where the programme stands: empty, or
    /// ending in a dot.
    pub(crate) fn check_programme(&self, prefix: &str, programme: &Programme) -> Result<(), TillError> {
        for (place, binding) in programme.conditions.iter().enumerate() {
            let path = format!("{prefix}conditions[{place}]");
            self.check_settings(&binding.plugin, &binding.settings, || format!("{path}.settings"))?;
            if let OnFailure::Previous { plugin, settings } = &binding.on_failure {
                self.check_settings(plugin, settings, || format!("{path}.on_failure.previous.settings"))?;
            }
        }
        Ok(())
    }

    fn check_settings(&self, plugin: &str, settings: &[Named], path: impl Fn() -> String) -> Result<(), TillError> {
        let key = (plugin.to_string(), settings.to_vec());
        if self.checked().contains(&key) {
            return Ok(());
        }
        let invalid = |path: String, problem: String| {
            Err(InputError { kind: InputErrorKind::InvalidSettings, path, problem }.into())
        };
        match self.rulebook.check_settings(plugin, settings) {
            Ok(()) => {}
            Err(SettingsError::Problems(problems)) => {
                return match problems.as_slice() {
                    [(setting, problem)] => invalid(format!("{}.{setting}", path()), problem.clone()),
                    _ => invalid(path(), SettingsError::Problems(problems).to_string()),
                };
            }
            Err(SettingsError::Call(error)) => return Err(TillError::from(&*error)),
            Err(unknown @ SettingsError::UnknownPlugin(_)) => return invalid(path(), unknown.to_string()),
        }
        let mut checked = self.checked();
        if checked.len() >= CHECKED_SETTINGS_MAX {
            checked.clear();
        }
        checked.insert(key);
        Ok(())
    }

    fn checked(&self) -> std::sync::MutexGuard<'_, HashSet<(String, Vec<Named>)>> {
        // A set of what was found right stays right even if a thread panicked while it held the lock.
        self.checked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
