//! A desk on a ledger in a temporary file, for the tests of use cases. Must not know any of them.

use std::sync::{Arc, OnceLock};

use giftcard_engine::moment::InstantMs;
use giftcard_host::{Host, HostConfig, Rulebook};
use giftcard_ledger::sqlite::{SqliteOptions, SqliteStore};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{CardName, Desk, DeskError, Doing};
use crate::codes::SecretCode;
use crate::codes::tests::Seeded;
use crate::input::read_document;
use crate::output::IssuedOutput;
use crate::secrets::Secrets;
use crate::{Shelf, Till};

/// 2026-11-22T12:00:00Z.
pub(super) const NOW: InstantMs = 1_795_348_800_000;

/// A desk, and the folder that its files are in.
pub(super) struct Bench {
    pub(super) desk: Desk,
    pub(super) folder: TempDir,
}

fn rulebook() -> Rulebook {
    static RULES: OnceLock<Rulebook> = OnceLock::new();
    let load = || Shelf::standard(&Host::new(HostConfig::default()).unwrap()).unwrap().into_rulebook();
    RULES.get_or_init(load).clone()
}

/// An empty ledger.
pub(super) fn empty() -> Bench {
    let folder = tempfile::tempdir().unwrap();
    let mut secrets = Secrets::generate(&mut Seeded::new(1));
    secrets.write_new(&folder.path().join("keys.json")).unwrap();
    let options = SqliteOptions { create: true, ..SqliteOptions::default() };
    let store = SqliteStore::open(&folder.path().join("ledger.db"), &options).unwrap();
    let desk = Desk::new(Arc::new(store), Till::new(rulebook()), secrets, Box::new(Seeded::new(2)));
    Bench { desk, folder }
}

/// A ledger with the site `main` in US dollars and `euro` in euros, in Berlin.
pub(super) fn bench() -> Bench {
    let bench = empty();
    for site in [
        json!({ "id": "main", "currency": "USD", "card_value_max": "1000.00" }),
        json!({ "id": "euro", "currency": "EUR", "time_zone": "Europe/Berlin" }),
    ] {
        bench.desk.set_site(&document(&site)).unwrap();
    }
    bench
}

impl Bench {
    /// As another process would open the same ledger.
    pub(super) fn another(&self, seed: u64) -> Desk {
        let secrets = Secrets::read(&self.folder.path().join("keys.json")).unwrap();
        let store = SqliteStore::open(&self.folder.path().join("ledger.db"), &SqliteOptions::default()).unwrap();
        Desk::new(Arc::new(store), Till::new(rulebook()), secrets, Box::new(Seeded::new(seed)))
    }

    pub(super) fn programme(&self, document_: Value) -> String {
        self.desk.set_programme("main", &document(&document_)).unwrap().code_name
    }

    pub(super) fn issue(&self, operation: &str, input: Value) -> Result<IssuedOutput, DeskError> {
        self.desk.issue(&doing(operation), &document(&input))
    }

    /// Issues one card. Its id and its code.
    pub(super) fn card(&self, operation: &str, input: Value) -> (CardName, SecretCode) {
        let card = self.issue(operation, input).unwrap().cards.remove(0);
        (CardName::Id(card.id.parse().unwrap()), card.code.unwrap().0)
    }
}

/// A document as it would be read.
pub(super) fn document<T: serde::de::DeserializeOwned>(json: &Value) -> T {
    read_document(&json.to_string()).unwrap()
}

/// An operation at the site `main`.
pub(super) fn doing(operation: &str) -> Doing<'_> {
    Doing { site: "main", operation, actor: Some("tests"), now: NOW }
}

/// Code and path of an error.
pub(super) fn told<T: std::fmt::Debug>(result: Result<T, DeskError>) -> (String, String) {
    let error = result.unwrap_err().output().error;
    (error.code, error.path.unwrap_or_default())
}

/// Code and path, to compare with [`told`].
pub(super) fn error(code: &str, path: &str) -> (String, String) {
    (code.to_string(), path.to_string())
}

/// What an operation says it did.
pub(super) fn did(answer: Result<giftcard_ledger::Answer, DeskError>) -> giftcard_ledger::operations::Receipt {
    super::receipt(&answer.unwrap()).unwrap()
}
