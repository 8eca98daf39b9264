//! Where a ledger is that many open: a SQLite file, or a schema of a PostgreSQL server. Must not know what is in it.

use std::path::PathBuf;
use std::sync::Arc;

use giftcard::Desk;
use giftcard::desk::open_store;
use giftcard_ledger::store::Store;
use tempfile::TempDir;

use crate::bank;
use crate::postgres::Cluster;

/// Which keys all desks of these tests have, in every process.
pub const SEED: u64 = 7;

/// A ledger's place. Gone when dropped, except for a schema, which goes with its server.
pub struct Place {
    address: String,
    folder: Option<TempDir>,
}

impl Place {
    /// A ledger in a file of its own, with the site [`bank::SITE`].
    ///
    /// # Panics
    /// If it cannot be made.
    #[must_use]
    pub fn sqlite() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let file: PathBuf = folder.path().join("ledger.db");
        Self { address: format!("sqlite:{}", file.display()), folder: Some(folder) }.made()
    }

    /// A ledger in a schema of its own on the server that all tests share, with the site [`bank::SITE`].
    ///
    /// # Panics
    /// If there is no server, or the schema cannot be made.
    #[must_use]
    pub fn postgres() -> Self {
        Self::on(Cluster::start())
    }

    /// The same on a certain server.
    ///
    /// # Panics
    /// As [`Place::postgres`].
    #[must_use]
    pub fn on(cluster: &Cluster) -> Self {
        let (url, schema) = cluster.fresh_schema();
        Self { address: format!("{url}?schema={schema}"), folder: None }.made()
    }

    fn made(self) -> Self {
        let store = open_store(&self.address, true).expect("a ledger can be made");
        bank::set_up_site(&*store, &site());
        self
    }

    /// How a process names it.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The schema's name; nothing of a file.
    #[must_use]
    pub fn schema(&self) -> &str {
        self.address.split_once("?schema=").map_or("", |(_, schema)| schema)
    }

    /// Whether it is a file.
    #[must_use]
    pub fn is_file(&self) -> bool {
        self.folder.is_some()
    }

    /// Opens it as another process would: shares nothing with the handles that are open already.
    ///
    /// # Panics
    /// If it cannot be opened.
    #[must_use]
    pub fn store(&self) -> Arc<dyn Store> {
        open_store(&self.address, false).expect("the ledger can be opened")
    }

    /// A desk on a handle of its own. `run` makes its ids differ from those of others.
    #[must_use]
    pub fn desk(&self, run: u64) -> Desk {
        bank::desk(self.store(), SEED, run)
    }
}

/// The site of every ledger here: US dollars, and a rate from the Polish złoty.
#[must_use]
pub fn site() -> serde_json::Value {
    serde_json::json!({
        "id": bank::SITE,
        "currency": "USD",
        "hold_minutes": 30,
        "refund_extension_days": 30,
        "rates": [{ "from": "USD", "to": "PLN", "rate": "3.97" }],
    })
}
