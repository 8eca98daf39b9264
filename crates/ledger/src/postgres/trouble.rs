//! What can go wrong while PostgreSQL is asked, and what it means to the ledger. Must not know what was asked.

use std::error::Error as _;

use tokio_postgres::Error;
use tokio_postgres::error::{Severity, SqlState};

use crate::store::StoreError;

/// What an error of a commit means.
pub(super) enum Trouble {
    /// The connection is gone, and with it the answer, if there was one.
    Lost(String),
    /// Others were in the way; the same may work at once.
    InTheWay,
    /// Another transaction added the same at the same time.
    Taken,
    /// Nothing was written.
    Store(StoreError),
}

impl Trouble {
    pub(super) fn of_commit(error: &Error) -> Self {
        match error.code() {
            _ if is_lost(error) => Self::Lost(told(error)),
            Some(&SqlState::T_R_DEADLOCK_DETECTED | &SqlState::T_R_SERIALIZATION_FAILURE) => Self::InTheWay,
            Some(&SqlState::UNIQUE_VIOLATION) => Self::Taken,
            Some(_) => Self::Store(store_error(error)),
            // Whatever else is wrong with what the server said, it had been asked.
            None if was_not_sent(error) => Self::Store(store_error(error)),
            None => Self::Lost(told(error)),
        }
    }
}

/// Whether the connection is gone. The server tells when it ends one, if it still can.
pub(super) fn is_lost(error: &Error) -> bool {
    match error.as_db_error() {
        Some(database) => {
            let ended = matches!(database.parsed_severity(), Some(Severity::Fatal | Severity::Panic));
            ended || database.code().code().starts_with("08")
        }
        None => error.is_closed() || error.source().is_some_and(|source| source.is::<std::io::Error>()),
    }
}

/// Whether a value could not be put into a message.
fn was_not_sent(error: &Error) -> bool {
    let text = error.to_string();
    text.starts_with("error serializing") || text.starts_with("error encoding")
}

/// What an error means where nothing was written, or nothing was to be.
pub(super) fn store_error(error: &Error) -> StoreError {
    let why = told(error);
    let Some(state) = error.code() else {
        // Without a state it is of the network, or a value was not of the type that this version expects.
        return if is_lost(error) { StoreError::Unavailable(why) } else { StoreError::Corrupt(why) };
    };
    match state.code() {
        // Another schema than this version's, a value or row that its constraints refuse, a damaged page or index.
        "42P01" | "42703" | "42704" | "42804" | "42883" | "42P18" => StoreError::Corrupt(why),
        code if ["22", "23", "XX", "F0"].contains(&&code[..2]) => StoreError::Corrupt(why),
        // The disk is full, or reading or writing it failed; no privilege.
        code if ["58", "42"].contains(&&code[..2]) || code == "53100" => StoreError::Failed(why),
        // Connections, resources, shutdown, locks, time limits, a server that only reads, and whatever else may pass.
        _ => StoreError::Unavailable(why),
    }
}

/// The message of an error, without the values that a server puts into its details: they may be of a card.
pub(super) fn told(error: &Error) -> String {
    if let Some(database) = error.as_db_error() {
        let constraint = database.constraint().map(|name| format!(" (`{name}`)")).unwrap_or_default();
        return format!("{}{constraint} [{}]", database.message(), database.code().code());
    }
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text
}
