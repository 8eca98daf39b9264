//! What an operation is to the ledger: a request, a plan of what it changes, and an answer. Must not know how it is run.

use std::fmt;

use giftcard_engine::moment::InstantMs;
use serde::{Deserialize, Serialize};

use crate::ids::Ids;
use crate::model::{Hash32, Id, OperationKey, RecordKind};
use crate::store::{Changes, Found, Personal, StoreError, Want};

/// Code of the refusal where the sites and programmes changed since the caller read them: read them again, and ask anew.
pub const CONFIGURATION_CHANGED: &str = "configuration-changed";

/// An operation as its sender asks for it.
#[derive(Clone, Debug)]
pub struct Request {
    /// Its identity.
    pub key: OperationKey,
    /// Over the request, without codes and personal fields.
    pub hash: Hash32,
    /// The moment; the ledger never goes back behind one it has seen.
    pub now: InstantMs,
    /// Personal fields of the request, to keep apart. Its reference is random.
    pub personal: Option<Personal>,
}

/// What a plan is made from.
pub struct Facts<'a> {
    /// What was read, with what is under way in this process put over it.
    pub found: Found,
    /// Now: never before a moment that the ledger has seen.
    pub now: InstantMs,
    pub(crate) ids: &'a Ids,
}

impl Facts<'_> {
    /// A new id.
    #[must_use]
    pub fn new_id(&self) -> Id {
        self.ids.next(self.now)
    }

    /// A document that was read, typed. `None` where there is none.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] where it is not of that type.
    pub fn record<T: serde::de::DeserializeOwned>(
        &self,
        kind: RecordKind,
        site: &str,
        id: &str,
    ) -> Result<Option<T>, StoreError> {
        let key = crate::model::RecordKey { kind, site: site.to_string(), id: id.to_string() };
        self.found.records.get(&key).map(|record| read_record(&record.body)).transpose()
    }
}

/// A document's body, typed.
///
/// # Errors
/// [`StoreError::Corrupt`] where it is not of that type.
pub fn read_record<T: serde::de::DeserializeOwned>(body: &str) -> Result<T, StoreError> {
    serde_json::from_str(body).map_err(|error| StoreError::Corrupt(format!("a stored document: {error}")))
}

/// What an operation does with what is there.
pub trait Plan {
    /// A failure that is no refusal: the rules failed, or the input is wrong.
    type Error;

    /// What it has to read.
    fn want(&self) -> Want;

    /// What else it has to read, as what was read shows; nothing by default. Asked until it wants nothing new.
    fn more(&self, found: &Found) -> Want {
        let _ = found;
        Want::default()
    }

    /// Whether the documents it wants are not there as a rule, so that it may first be planned on what this process
    /// remembers of the accounts, without reading. Everything that decided must then be held to by a guard.
    fn begins_something(&self) -> bool {
        false
    }

    /// Whether a failure is that too much is going on.
    fn is_busy(error: &Self::Error) -> bool {
        let _ = error;
        false
    }

    /// Whether it is what ends passed holds, which are then still there when it is planned.
    fn ends_holds(&self) -> bool {
        false
    }

    /// What it changes. May be called several times; only the last counts.
    ///
    /// # Errors
    /// [`Stop`].
    fn plan(&mut self, facts: &Facts<'_>) -> Result<Changes, Stop<Self::Error>>;
}

/// Why nothing is changed.
#[derive(Debug)]
pub enum Stop<E> {
    /// An ordinary answer: no.
    Refused(Refused),
    /// What was read about the configuration is old; plan again.
    Stale,
    /// The store holds what cannot be.
    Store(StoreError),
    /// Any other failure.
    Failed(E),
}

impl<E> From<Refused> for Stop<E> {
    fn from(refused: Refused) -> Self {
        Self::Refused(refused)
    }
}

impl<E> From<StoreError> for Stop<E> {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// A refusal: nothing moved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// Stable kebab-case code.
    pub code: String,
    /// What was wrong and what would be right. Never a code of a card.
    pub message: String,
    /// More about it, such as the new quote.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<Box<serde_json::Value>>,
    /// Whether a repetition gets the same answer for a day. Mistakes of the sender are not remembered.
    #[serde(skip)]
    pub remembered: bool,
}

impl Refused {
    /// A decision against the request, which is remembered.
    #[must_use]
    pub fn decided(code: &str, message: impl Into<String>) -> Self {
        Self { code: code.to_string(), message: message.into(), detail: None, remembered: true }
    }

    /// What the caller read of sites and programmes is old by now.
    #[must_use]
    pub fn configuration_changed() -> Self {
        Self::mistake(CONFIGURATION_CHANGED, "sites or programmes were changed meanwhile; nothing was done, try again")
    }

    /// A mistake in the request, which is not remembered.
    #[must_use]
    pub fn mistake(code: &str, message: impl Into<String>) -> Self {
        Self { remembered: false, ..Self::decided(code, message) }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Refused {}

/// Why there is no answer, or no new one.
#[derive(Debug)]
pub enum LedgerError<E> {
    /// Refused; nothing moved.
    Refused(Refused),
    /// The key was used for another request.
    KeyReused,
    /// Others were always faster; nothing moved.
    Busy,
    /// The store failed.
    Store(StoreError),
    /// The plan failed.
    Failed(E),
}

impl<E: fmt::Display> fmt::Display for LedgerError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(refused) => refused.fmt(f),
            Self::KeyReused => f.write_str("the operation key was used for another request; choose a new key"),
            Self::Busy => f.write_str("others change the same cards all the time; nothing was done, try again"),
            Self::Store(error) => error.fmt(f),
            Self::Failed(error) => error.fmt(f),
        }
    }
}

impl<E: std::error::Error> std::error::Error for LedgerError<E> {}

impl<E> From<StoreError> for LedgerError<E> {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// The answer to an operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// JSON, the same for every repetition.
    pub text: String,
    /// Whether it had been done before.
    pub repeated: bool,
}
