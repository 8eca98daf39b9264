//! The ledger in a PostgreSQL database: the store for where one machine is not enough. Any number of processes may have
//! it open. Knows SQL and PostgreSQL; must not know what an operation means, nor what the time is.
//!
//! Each lane has a connection of its own and commits a batch with one call of a function in the database, which is also
//! a transaction. Reading goes by two small pools: one for what operations need, one for lists and reports, so that a
//! long report keeps nobody waiting. Connections are made anew by themselves. Whoever waits for an answer serves the
//! connection meanwhile; lists and reports have a thread for that.
//!
//! Connect to the server itself, or to a pooler that keeps a session per connection: settings of the session and
//! prepared statements are relied on.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use giftcard_engine::moment::InstantMs;
use tokio::runtime::Runtime;
use tokio_postgres::Row;

use self::ask::{Again, Asker, Parameters, parameter};
use self::batch::Prepared;
use self::connect::{Connector, Purpose};
use self::lane::{Lane, Patience};
use self::own::{Own, Seats};
use self::rows::column;
use crate::chain;
use crate::model::{Account, Code, CodeState, Hash32, Id, Record, RecordKind};
use crate::store::{
    AccountFilter, Booked, Changes, Checkpoint, CounterSum, DecisionFilter, DecisionRow, Found, Liability, Numbered,
    OpenHold, Personal, SealedHead, Store, StoreError, Turnover, Verdict, Want,
};

mod ask;
mod batch;
mod connect;
mod copy;
mod find;
mod lane;
mod own;
mod report;
mod rows;
mod scan;
mod schema;
mod trouble;

/// Threads that serve the connections of lists and reports.
const WORKERS: usize = 1;

/// Connections for lists and reports.
const SCAN_CONNECTIONS: usize = 2;

/// The longest name of a schema, of PostgreSQL.
const SCHEMA_LENGTH_MAX: usize = 63;

/// How a database is opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PostgresOptions {
    /// Name of the schema in the database: small letters, digits and `_`.
    pub schema: String,
    /// Make the schema if it is not there. Otherwise a missing one is refused.
    pub create: bool,
    /// How many batches are committed at the same time; at least 1. Each has a connection.
    pub lanes: usize,
    /// Connections that operations read by, at most; at least 1.
    pub readers: usize,
    /// How long connecting may take.
    pub connect_timeout: Duration,
    /// How long a statement of an operation may take, waiting for locks of others included.
    pub statement_timeout: Duration,
    /// How long a list or a report may take.
    pub scan_timeout: Duration,
    /// How long the outcome of a commit is looked for after its connection was lost.
    pub settle_timeout: Duration,
    /// File with the certificates in PEM that prove a server under `sslmode=require`; those of the system where absent.
    pub root_certificates: Option<PathBuf>,
}

impl Default for PostgresOptions {
    fn default() -> Self {
        Self {
            schema: "giftcard".to_string(),
            create: false,
            lanes: 2,
            readers: 4,
            connect_timeout: Duration::from_secs(5),
            statement_timeout: Duration::from_secs(15),
            scan_timeout: Duration::from_secs(600),
            settle_timeout: Duration::from_secs(10),
            root_certificates: None,
        }
    }
}

/// Why a database cannot be opened. Never holds a password.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The address cannot be read. It is not repeated, since it may have a password.
    #[error(
        "the address of the database cannot be read; write it as `postgres://user:password@host:5432/database`, with \
         special characters of the password as `%40`, and `?sslmode=` disable, prefer or require"
    )]
    Url,
    /// The name of the schema is none.
    #[error("`{0}` is no name of a schema; use small letters, digits and `_`, and begin with a letter")]
    SchemaName(String),
    /// No connection.
    #[error("the database cannot be reached: {0}")]
    Unreachable(String),
    /// Encryption cannot be set up.
    #[error("connections cannot be encrypted: {0}")]
    Encryption(String),
    /// There is no ledger.
    #[error("there is no ledger in schema `{schema}` of this database; run `giftcard init` to make one")]
    NotThere {
        /// The schema.
        schema: String,
    },
    /// A newer version of this program has written the schema.
    #[error(
        "schema `{schema}` of this database is of version {found}, and this program knows versions up to {known}; use \
         a newer program"
    )]
    TooNew {
        /// The schema.
        schema: String,
        /// Its version.
        found: usize,
        /// The newest that this program knows.
        known: usize,
    },
    /// The store failed.
    #[error(transparent)]
    Failed(StoreError),
}

/// A ledger in a schema of a PostgreSQL database.
pub struct PostgresStore {
    /// Taken when the store is dropped.
    runtime: Option<Runtime>,
    lanes: Vec<Mutex<(Own, Lane)>>,
    connector: Connector,
    scan_connector: Connector,
    scan_limit: Duration,
    patience: Patience,
    keys: Seats,
    scans: Asker,
    schema: String,
}

impl fmt::Debug for PostgresStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresStore").field("schema", &self.schema).finish_non_exhaustive()
    }
}

impl Drop for PostgresStore {
    fn drop(&mut self) {
        // Waiting for it is forbidden where the last owner is a task of another runtime.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl PostgresStore {
    /// Connects, makes the schema if `options` say so, and brings it to the newest version. `url` is as of libpq:
    /// `postgres://user:password@host:port/database?sslmode=require`.
    ///
    /// `sslmode` may be `disable`, `prefer` (the default: encrypted where the server can, without proof of who it is) or
    /// `require` (encrypted, and the server proves its name by a certificate).
    ///
    /// # Errors
    /// See [`OpenError`].
    pub fn open(url: &str, options: &PostgresOptions) -> Result<Self, OpenError> {
        if !is_schema_name(&options.schema) {
            return Err(OpenError::SchemaName(options.schema.clone()));
        }
        let connector = Connector::new(url, options, Purpose::Keys)?;
        let scans = Connector::new(url, options, Purpose::Scans)?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(WORKERS)
            .thread_name("giftcard-postgres")
            .enable_all()
            .build()
            .map_err(|error| OpenError::Failed(StoreError::Failed(format!("no threads: {error}"))))?;
        let (migrator, migration) = (scans.clone(), options.clone());
        let prepared = wait(&runtime, async move {
            let mut client = migrator.connect().await.map_err(OpenError::Unreachable)?;
            schema::prepare(&mut client, &migration).await
        });
        prepared.unwrap_or_else(|why| Err(OpenError::Failed(StoreError::Failed(why))))?;
        let lanes = (0..options.lanes.max(1)).map(|_| lane()).collect::<Result<_, _>>()?;
        let (wait, limit) = (options.connect_timeout, options.statement_timeout);
        Ok(Self {
            keys: Seats::new(connector.clone(), options.readers, wait, limit),
            scans: Asker::new(scans.clone(), SCAN_CONNECTIONS, wait, options.scan_timeout)?,
            scan_connector: scans,
            scan_limit: options.scan_timeout,
            runtime: Some(runtime),
            lanes,
            connector,
            patience: Patience { statement: limit, settle: options.settle_timeout },
            schema: options.schema.clone(),
        })
    }

    /// Puts everything from a SQLite file, such as [`Store::backup`] writes, into this ledger, which has to be empty.
    /// All of it is there afterwards, or nothing.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] where something is in the ledger already or the file cannot be read, and see
    /// [`StoreError`].
    pub fn restore_into(&self, file: &Path) -> Result<(), StoreError> {
        copy::restore(self, file)
    }

    /// Runs a task on the store's own threads and waits for it; works in any thread, those of other runtimes included.
    fn wait<T: Send + 'static>(
        &self,
        task: impl Future<Output = Result<T, StoreError>> + Send + 'static,
    ) -> Result<T, StoreError> {
        let runtime = self.runtime.as_ref().expect("INVARIANT: the runtime is there until the store is dropped");
        wait(runtime, task).unwrap_or_else(|why| Err(StoreError::Unknown(why)))
    }

    fn ask(&self, sql: &'static str, parameters: Parameters) -> Result<Vec<Row>, StoreError> {
        self.keys.rows(sql, parameters, Again::Yes)
    }

    fn scan<T>(
        &self,
        sql: impl Into<String>,
        parameters: Parameters,
        read: impl Fn(&Row) -> Result<T, StoreError>,
    ) -> Result<Vec<T>, StoreError> {
        let (asker, sql) = (self.scans.clone(), sql.into());
        let rows = self.wait(async move { asker.rows(&sql, parameters, Again::Yes).await })?;
        rows.iter().map(read).collect()
    }

    /// A statement that writes and answers with one number.
    fn write(&self, sql: &'static str, parameters: Parameters, again: Again) -> Result<u64, StoreError> {
        let rows = self.keys.rows(sql, parameters, again)?;
        let row = rows.first().ok_or_else(|| rows::corrupt("the database answered nothing"))?;
        rows::count_of(column(row, 0)?)
    }
}

/// Runs a task on a runtime and waits for it in this thread. Unlike the runtime's own way this is allowed in any thread.
fn wait<T: Send + 'static>(runtime: &Runtime, task: impl Future<Output = T> + Send + 'static) -> Result<T, String> {
    let (sender, receiver) = std::sync::mpsc::sync_channel(1);
    runtime.spawn(async move {
        // Whoever asked does not go away before it has its answer.
        let _ = sender.send(task.await);
    });
    receiver.recv().map_err(|_| "the task of the connection panicked".to_string())
}

fn lane() -> Result<Mutex<(Own, Lane)>, OpenError> {
    let mut id = [0; 16];
    getrandom::fill(&mut id)
        .map_err(|error| OpenError::Failed(StoreError::Failed(format!("the system gives no random bytes: {error}"))))?;
    Ok(Mutex::new((Own::new()?, Lane::new(id))))
}

fn is_schema_name(name: &str) -> bool {
    let begins_well = name.starts_with(|first: char| first.is_ascii_lowercase());
    let is_word = name.chars().all(|letter| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '_');
    // Names that begin with `pg_` are PostgreSQL's own.
    begins_well && is_word && name.len() <= SCHEMA_LENGTH_MAX && !name.starts_with("pg_")
}

/// Whether nothing can be stored under one of these texts: PostgreSQL has no character 0 in them.
fn never_stored(texts: &[&str]) -> bool {
    texts.iter().any(|text| text.contains('\0'))
}

impl Store for PostgresStore {
    fn lanes(&self) -> usize {
        self.lanes.len()
    }

    fn connections(&self) -> u64 {
        self.connector.made()
    }

    fn find(&self, want: &Want) -> Result<Found, StoreError> {
        find::read(want, &self.ask(find::FIND, find::parameters(want))?)
    }

    fn commit(&self, lane: usize, batch: &[&Changes]) -> Result<Vec<Verdict>, StoreError> {
        if batch.is_empty() {
            return Ok(Vec::new());
        }
        let mut prepared = Prepared::new(batch);
        let mut lane = self.lanes[lane % self.lanes.len()].lock().unwrap_or_else(PoisonError::into_inner);
        let (own, lane) = &mut *lane;
        let done = own.run(lane.commit(&self.connector, self.patience, &mut prepared));
        if matches!(done, Err(StoreError::Unknown(_))) {
            // What comes on it next may be the answer to this.
            lane.disconnect();
        }
        done
    }

    fn passed_holds(&self, accounts: &[Id], now: InstantMs) -> Result<Vec<OpenHold>, StoreError> {
        let rows = self.ask(scan::PASSED_HOLDS, vec![parameter(scan::ids(accounts)), parameter(now)])?;
        rows.iter().map(scan::read_open_hold).collect()
    }

    fn next_hold_ends(&self, accounts: &[Id], without: &[Id]) -> Result<HashMap<Id, InstantMs>, StoreError> {
        let parameters = vec![parameter(scan::ids(accounts)), parameter(scan::ids(without))];
        scan::read_next_hold_ends(&self.ask(scan::NEXT_HOLD_ENDS, parameters)?)
    }

    fn all_passed_holds(&self, now: InstantMs, limit: usize) -> Result<Vec<OpenHold>, StoreError> {
        let parameters = vec![parameter(now), parameter(rows::limit(limit))];
        self.scan(scan::ALL_PASSED_HOLDS, parameters, scan::read_open_hold)
    }

    fn accounts(&self, filter: &AccountFilter) -> Result<Vec<Account>, StoreError> {
        if scan::finds_nothing(filter) {
            return Ok(Vec::new());
        }
        let (sql, parameters) = scan::accounts(filter);
        self.scan(sql, parameters, scan::read_account)
    }

    fn history(&self, account: Id, after: u64, limit: usize) -> Result<Vec<Booked>, StoreError> {
        let parameters = vec![parameter(account.get()), parameter(rows::stored(after)), parameter(rows::limit(limit))];
        self.scan(scan::HISTORY, parameters, scan::read_booked)
    }

    /// Each call is one snapshot. Numbers are given before a commit and seen after it, so that an operation that is
    /// being committed meanwhile may show up later below the last number that was read; never one that another, which
    /// was read, builds on. Whoever has to see all of them reads again from some way back, or while nobody writes.
    fn operations(&self, after: i64, limit: usize) -> Result<Vec<Numbered>, StoreError> {
        self.scan(scan::OPERATIONS, vec![parameter(after), parameter(rows::limit(limit))], scan::read_numbered)
    }

    fn not_found_by_key(&self, operations: &[Numbered]) -> Result<Vec<i64>, StoreError> {
        let id = |numbered: &Numbered| chain::operation_id(&numbered.operation.key).to_vec();
        let ids: Vec<Vec<u8>> = operations.iter().map(id).collect();
        let found = self.scan(scan::NUMBERS, vec![parameter(ids)], |row| Ok((column(row, 0)?, column(row, 1)?)))?;
        let found: HashSet<(Vec<u8>, i64)> = found.into_iter().collect();
        let astray = operations.iter().filter(|numbered| !found.contains(&(id(numbered), numbered.sequence)));
        Ok(astray.map(|numbered| numbered.sequence).collect())
    }

    fn sequences(&self, from: InstantMs, to: InstantMs) -> Result<Option<(i64, i64)>, StoreError> {
        let rows = match from == InstantMs::MIN && to == InstantMs::MAX {
            true => self.scan(scan::ALL_SEQUENCES, Vec::new(), scan::read_sequences)?,
            false => self.scan(scan::SEQUENCES, vec![parameter(from), parameter(to)], scan::read_sequences)?,
        };
        Ok(rows.into_iter().next().flatten())
    }

    fn decisions(&self, filter: &DecisionFilter, after: i64, limit: usize) -> Result<Vec<DecisionRow>, StoreError> {
        if filter.site.as_deref().is_some_and(|site| never_stored(&[site])) {
            return Ok(Vec::new());
        }
        let parameters = vec![
            parameter(after),
            parameter(filter.from),
            parameter(filter.to),
            parameter(filter.site.clone()),
            parameter(rows::limit(limit)),
            parameter(filter.last),
        ];
        self.scan(scan::DECISIONS, parameters, scan::read_decision)
    }

    fn records(&self, kind: RecordKind, site: &str, after: &str, limit: usize) -> Result<Vec<Record>, StoreError> {
        if never_stored(&[site]) {
            return Ok(Vec::new());
        }
        // What sorts after a text with the character 0 sorts after the part before it, or is that part.
        let after = after.split('\0').next().unwrap_or_default();
        let parameters = vec![
            parameter(rows::record_kind_number(kind)),
            parameter(site.to_string()),
            parameter(after.to_string()),
            parameter(rows::limit(limit)),
        ];
        self.scan(scan::RECORDS, parameters, scan::read_record)
    }

    fn codes(
        &self,
        site: &str,
        pool: &str,
        state: CodeState,
        after: Option<Id>,
        limit: usize,
    ) -> Result<Vec<Code>, StoreError> {
        if never_stored(&[site, pool]) {
            return Ok(Vec::new());
        }
        let parameters = vec![
            parameter(site.to_string()),
            parameter(pool.to_string()),
            parameter(rows::code_state_number(state)),
            parameter(after.map_or(-1, Id::get)),
            parameter(rows::limit(limit)),
        ];
        self.scan(scan::CODES, parameters, scan::read_code)
    }

    fn code_counts(&self, site: &str, pool: &str) -> Result<HashMap<CodeState, u64>, StoreError> {
        if never_stored(&[site, pool]) {
            return Ok(HashMap::new());
        }
        let parameters = vec![parameter(site.to_string()), parameter(pool.to_string())];
        Ok(self.scan(scan::CODE_COUNTS, parameters, scan::read_code_count)?.into_iter().collect())
    }

    fn codes_of(&self, account: Id) -> Result<Vec<Code>, StoreError> {
        let state = rows::code_state_number(CodeState::Drawn);
        let rows = self.ask(scan::CODES_OF, vec![parameter(account.get()), parameter(state)])?;
        rows.iter().map(scan::read_code).collect()
    }

    fn pepper_uses(&self) -> Result<HashMap<u32, u64>, StoreError> {
        Ok(self.scan(report::PEPPER_USES, Vec::new(), report::read_pepper_use)?.into_iter().collect())
    }

    fn personal(&self, reference: [u8; 16]) -> Result<Option<Personal>, StoreError> {
        let rows = self.ask(scan::PERSONAL, vec![parameter(reference.to_vec())])?;
        rows.first().map(scan::read_personal).transpose()
    }

    fn erase(&self, site: &str, customer: &str) -> Result<u64, StoreError> {
        if never_stored(&[site, customer]) {
            return Ok(0);
        }
        let kind = rows::record_kind_number(RecordKind::Customer);
        let parameters = vec![parameter(kind), parameter(site.to_string()), parameter(customer.to_string())];
        self.write(scan::ERASE, parameters, Again::Yes)
    }

    fn context(&self, digest: Hash32) -> Result<Option<String>, StoreError> {
        let rows = self.ask("SELECT body FROM context WHERE digest = $1", vec![parameter(digest.to_vec())])?;
        rows.first().map(|row| column(row, 0)).transpose()
    }

    fn keep_component(&self, digest: Hash32, bytes: &[u8]) -> Result<(), StoreError> {
        let sql = "WITH written AS (INSERT INTO component (digest, bytes) VALUES ($1, $2) \
                   ON CONFLICT (digest) DO UPDATE SET bytes = EXCLUDED.bytes WHERE component.bytes <> EXCLUDED.bytes \
                   RETURNING 1) SELECT count(*) FROM written";
        self.write(sql, vec![parameter(digest.to_vec()), parameter(bytes.to_vec())], Again::Yes)?;
        Ok(())
    }

    fn component(&self, digest: Hash32) -> Result<Option<Vec<u8>>, StoreError> {
        let rows = self.ask("SELECT bytes FROM component WHERE digest = $1", vec![parameter(digest.to_vec())])?;
        rows.first().map(|row| column(row, 0)).transpose()
    }

    fn liabilities(&self, site: Option<&str>) -> Result<Vec<Liability>, StoreError> {
        if site.is_some_and(|site| never_stored(&[site])) {
            return Ok(Vec::new());
        }
        self.scan(report::LIABILITIES, vec![parameter(site.map(str::to_string))], report::read_liability)
    }

    fn turnover(&self, site: Option<&str>, from: InstantMs, to: InstantMs) -> Result<Vec<Turnover>, StoreError> {
        if site.is_some_and(|site| never_stored(&[site])) {
            return Ok(Vec::new());
        }
        let parameters = vec![parameter(from), parameter(to), parameter(site.map(str::to_string))];
        self.scan(report::TURNOVER, parameters, report::read_turnover)
    }

    fn counter_sums(&self) -> Result<Vec<CounterSum>, StoreError> {
        self.scan(report::COUNTER_SUMS, Vec::new(), report::read_counter_sum)
    }

    fn unsealed_heads(&self) -> Result<Vec<SealedHead>, StoreError> {
        self.scan(report::UNSEALED_HEADS, Vec::new(), rows::sealed_head)
    }

    fn seal(&self, checkpoint: &Checkpoint, heads: &[SealedHead]) -> Result<bool, StoreError> {
        let parameters = vec![
            parameter(rows::stored(checkpoint.number)),
            parameter(checkpoint.at),
            parameter(checkpoint.root.to_vec()),
            parameter(rows::stored(checkpoint.heads)),
            parameter(checkpoint.previous.to_vec()),
            parameter(checkpoint.key.to_vec()),
            parameter(checkpoint.signature.to_vec()),
            parameter(heads.iter().map(|head| head.account.get()).collect::<Vec<i64>>()),
            parameter(heads.iter().map(|head| rows::stored(head.version)).collect::<Vec<i64>>()),
            parameter(heads.iter().map(|head| head.head.to_vec()).collect::<Vec<Vec<u8>>>()),
        ];
        Ok(self.write(report::SEAL, parameters, Again::No)? > 0)
    }

    fn checkpoints(&self) -> Result<Vec<Checkpoint>, StoreError> {
        self.scan(report::CHECKPOINTS, Vec::new(), rows::checkpoint)
    }

    fn sealed_heads(&self, number: u64) -> Result<Vec<SealedHead>, StoreError> {
        self.scan(report::SEALED_HEADS, vec![parameter(rows::stored(number))], rows::sealed_head)
    }

    fn forget_refusals(&self, now: InstantMs) -> Result<u64, StoreError> {
        let sql = "WITH gone AS (DELETE FROM operation WHERE until <= $1 RETURNING 1) SELECT count(*) FROM gone";
        self.write(sql, vec![parameter(now)], Again::Yes)
    }

    fn note(&self, name: &str) -> Result<Option<String>, StoreError> {
        if never_stored(&[name]) {
            return Ok(None);
        }
        let rows = self.ask("SELECT text FROM note WHERE name = $1", vec![parameter(name.to_string())])?;
        rows.first().map(|row| column(row, 0)).transpose()
    }

    fn set_note(&self, name: &str, text: &str) -> Result<(), StoreError> {
        let sql = "WITH written AS (INSERT INTO note (name, text) VALUES ($1, $2) \
                   ON CONFLICT (name) DO UPDATE SET text = EXCLUDED.text RETURNING 1) SELECT count(*) FROM written";
        self.write(sql, vec![parameter(name.to_string()), parameter(text.to_string())], Again::Yes)?;
        Ok(())
    }

    fn backup(&self, file: &Path) -> Result<(), StoreError> {
        copy::backup(self, file)
    }
}
