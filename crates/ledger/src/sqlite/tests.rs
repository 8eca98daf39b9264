//! What only a SQLite file can show: who may open it, who else has it open, what is left after failures. What every store
//! does is in the suite that all stores pass.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use giftcard_engine::card::Status;
use giftcard_engine::{Currency, Minor};
use rusqlite::Connection;
use tempfile::TempDir;

use super::*;
use crate::chain;
use crate::model::{AccountKind, Counter, Entry, Leg, Operation, OperationKey, OperationKind, RecordKey};
use crate::store::{AccountChange, Numbered, RecordChange};

mod failing;
mod keeping;
mod keys;
mod moving;
mod opening;

fn folder_and_file() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ledger.db");
    (folder, file)
}

fn creating() -> SqliteOptions {
    SqliteOptions { create: true, ..SqliteOptions::default() }
}

fn create(file: &Path) -> SqliteStore {
    SqliteStore::open(file, &creating()).unwrap()
}

fn reopen(file: &Path) -> SqliteStore {
    SqliteStore::open(file, &SqliteOptions::default()).unwrap()
}

/// Why a file is not opened.
fn refusal(file: &Path, options: &SqliteOptions) -> OpenError {
    match SqliteStore::open(file, options) {
        Ok(_) => panic!("it was opened"),
        Err(error) => error,
    }
}

/// A new card with one unit on it.
fn issue(number: i64, decision: &str) -> Changes {
    let currency = Currency::new("USD", 2).unwrap();
    let (id, amount) = (Id::new(number).unwrap(), Minor::new(1).unwrap());
    let operation = Operation {
        key: OperationKey { site: "main".into(), key: format!("issue {number}") },
        kind: OperationKind::Issue,
        request_hash: [1; 32],
        at: 1_795_348_800_000 + number,
        order: None,
        actor: None,
        answer: "{}".into(),
        decision: Some(decision.into()),
        personal: None,
    };
    let mut after = Account {
        id,
        kind: AccountKind::Card,
        site: "main".into(),
        currency,
        programme: "spring".into(),
        customer: None,
        status: Status::Active,
        balance: amount,
        held: Minor::ZERO,
        next_hold_end: None,
        initial: amount,
        issued_at: operation.at,
        expires_at: None,
        expires_on: None,
        replaced_by: None,
        bought_by: None,
        hint: None,
        version: 1,
        head: chain::BEGINNING,
    };
    let hash = chain::operation_hash(&operation);
    after.head = chain::entry_hash(&chain::BEGINNING, &hash, &after, amount, Minor::ZERO);
    let leg = Leg::Account {
        id,
        held_change: Minor::ZERO,
        balance: amount,
        held: Minor::ZERO,
        status: Status::Active,
        number: 1,
        hash: after.head,
    };
    let back = Entry { leg: Leg::Counter(Counter::Issuance), currency, amount: Minor::new(-1).unwrap() };
    Changes {
        operation: Some(operation),
        accounts: vec![AccountChange { before: None, after }],
        entries: vec![Entry { leg, currency, amount }, back],
        ..Changes::default()
    }
}

fn commit(store: &SqliteStore, number: i64) {
    assert_eq!(store.commit(0, &[&issue(number, "{}")]).unwrap(), [Verdict::Committed]);
}

fn accounts(store: &SqliteStore) -> Vec<i64> {
    let filter = AccountFilter { limit: 1000, ..AccountFilter::default() };
    store.accounts(&filter).unwrap().iter().map(|account| account.id.get()).collect()
}
