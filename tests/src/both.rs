//! The same test on both stores: a fresh ledger of either kind, and a macro that makes a test for each. Must not know what
//! is tested.
#![allow(clippy::expect_used, clippy::panic, reason = "only tests use it")]

use std::path::PathBuf;
use std::sync::Arc;

use giftcard_ledger::postgres::{PostgresOptions, PostgresStore};
use giftcard_ledger::sqlite::{SqliteOptions, SqliteStore};
use giftcard_ledger::store::Store;
use tempfile::TempDir;

use crate::postgres::Cluster;

/// Kinds of stores.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A file, on the disk that temporary files are on.
    Sqlite,
    /// A schema of the cluster that the tests of a process share.
    Postgres,
}

/// The database of one ledger, empty at first. It is gone when dropped, or with the process.
pub struct Fresh {
    kind: Kind,
    place: Place,
}

enum Place {
    File { path: PathBuf, _folder: TempDir },
    Schema { url: String, schema: String },
}

impl Fresh {
    /// An empty one.
    ///
    /// # Panics
    /// If there is no room for a file, or no server program.
    #[must_use]
    pub fn of(kind: Kind) -> Self {
        let place = match kind {
            Kind::Sqlite => {
                let folder = tempfile::tempdir().expect("a folder");
                Place::File { path: folder.path().join("ledger.db"), _folder: folder }
            }
            Kind::Postgres => {
                let (url, schema) = Cluster::start().fresh_schema();
                Place::Schema { url, schema }
            }
        };
        Self { kind, place }
    }

    /// Another empty one of the same kind.
    #[must_use]
    pub fn another(&self) -> Self {
        Self::of(self.kind)
    }

    /// Opens the ledger, as one more process of a shop would: every call has connections and caches of its own.
    ///
    /// # Panics
    /// If it does not open.
    #[must_use]
    pub fn open(&self) -> Arc<dyn Store> {
        match &self.place {
            Place::File { path, .. } => {
                let options = SqliteOptions { create: true, ..SqliteOptions::default() };
                Arc::new(SqliteStore::open(path, &options).unwrap_or_else(|error| panic!("{error}")))
            }
            Place::Schema { url, schema } => {
                let options = PostgresOptions { schema: schema.clone(), create: true, ..PostgresOptions::default() };
                Arc::new(PostgresStore::open(url, &options).unwrap_or_else(|error| panic!("{error}")))
            }
        }
    }
}

/// Makes a test on each store of functions that take a [`Fresh`].
#[macro_export]
macro_rules! on_both_stores {
    ($($claim:ident),+ $(,)?) => {
        mod sqlite {
            $(
                #[test]
                fn $claim() {
                    super::$claim(&$crate::both::Fresh::of($crate::both::Kind::Sqlite));
                }
            )+
        }

        mod postgres {
            $(
                #[test]
                fn $claim() {
                    super::$claim(&$crate::both::Fresh::of($crate::both::Kind::Postgres));
                }
            )+
        }
    };
}
