//! Copies of a whole ledger: from PostgreSQL into a SQLite file, as a backup, and back into an empty schema. Must not
//! know what a row means.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Row};

use super::ask::{Parameters, parameter};
use super::rows::{
    self, AccountRow, CodeRow, ContextRow, EntryRow, FromFile, OpenHoldRow, OperationRow, PersonalRow, RecordRow,
    column,
};
use super::trouble::store_error;
use super::{PostgresStore, report, scan};
use crate::model::Refusal;
use crate::sqlite::{SqliteCopy, SqliteOptions, SqliteStore};
use crate::store::{Context, StoreError};

/// Rows that are in memory at once. Of operations, which may be long, fewer.
const ROWS: usize = 2000;
const OPERATIONS: usize = 200;
const COMPONENTS: usize = 1;

/// A connection of its own with one transaction; what was not committed is taken back when it is dropped.
struct Session<'a> {
    store: &'a PostgresStore,
    client: Arc<Client>,
}

impl<'a> Session<'a> {
    fn begin(store: &'a PostgresStore, mode: &str) -> Result<Self, StoreError> {
        let connector = store.scan_connector.clone();
        let client = store.wait(async move { connector.connect().await.map_err(StoreError::Unavailable) })?;
        let session = Self { store, client: Arc::new(client) };
        session.run(format!("BEGIN ISOLATION LEVEL {mode}"))?;
        // Between two statements a file is read or written.
        session.run("SET LOCAL idle_in_transaction_session_timeout = 0")?;
        Ok(session)
    }

    fn run(&self, sql: impl Into<String>) -> Result<(), StoreError> {
        self.ask(sql, Vec::new()).map(drop)
    }

    fn ask(&self, sql: impl Into<String>, parameters: Parameters) -> Result<Vec<Row>, StoreError> {
        let (client, sql, limit) = (Arc::clone(&self.client), sql.into(), self.store.scan_limit);
        self.store.wait(async move {
            let values: Vec<&(dyn ToSql + Sync)> = parameters.iter().map(|value| &**value as _).collect();
            let answer = tokio::time::timeout(limit + Duration::from_secs(5), client.query(&sql, &values)).await;
            match answer {
                Ok(answer) => answer.map_err(|error| store_error(&error)),
                Err(_) => Err(StoreError::Unavailable("the server does not answer".to_string())),
            }
        })
    }

    /// Every row that a query has, a few at a time.
    fn each(
        &self,
        query: &str,
        at_once: usize,
        mut take: impl FnMut(&Row) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        self.run(format!("DECLARE every_row NO SCROLL CURSOR FOR {query}"))?;
        loop {
            let rows = self.ask(format!("FETCH {at_once} FROM every_row"), Vec::new())?;
            if rows.is_empty() {
                return self.run("CLOSE every_row");
            }
            rows.iter().try_for_each(&mut take)?;
        }
    }
}

/// Writes everything, as of one moment, to a new SQLite file.
pub(super) fn backup(store: &PostgresStore, file: &Path) -> Result<(), StoreError> {
    let mut copy = SqliteCopy::create(file)?;
    let session = Session::begin(store, "REPEATABLE READ READ ONLY")?;
    let operations = "SELECT ROW(o.*)::operation_v1, \
        ARRAY(SELECT ROW(e.*)::entry_v1 FROM entry e WHERE e.operation = o.sequence ORDER BY e.place) \
        FROM operation o WHERE o.sequence IS NOT NULL ORDER BY o.sequence";
    session.each(operations, OPERATIONS, |row| copy.operation(&scan::read_numbered(row)?))?;
    let accounts = "SELECT ROW(a.*)::account_v1 FROM account a ORDER BY a.id";
    session.each(accounts, ROWS, |row| copy.account(&scan::read_account(row)?))?;
    let records = "SELECT ROW(r.*)::record_v1 FROM record r ORDER BY r.kind, r.site, r.id";
    session.each(records, ROWS, |row| copy.record(&scan::read_record(row)?))?;
    let codes = "SELECT ROW(c.*)::code_v1 FROM code c ORDER BY c.id";
    session.each(codes, ROWS, |row| copy.code(&scan::read_code(row)?))?;
    let holds = "SELECT ROW(h.*)::open_hold_v1 FROM open_hold h ORDER BY h.account, h.ends_at, h.hold";
    session.each(holds, ROWS, |row| copy.open_hold(&scan::read_open_hold(row)?))?;
    let refusals = "SELECT ROW(o.*)::operation_v1 FROM operation o WHERE o.until IS NOT NULL ORDER BY o.id";
    session.each(refusals, ROWS, |row| copy.refusal(&read_refusal(row)?))?;
    let personals = "SELECT ROW(p.*)::personal_v1 FROM personal p ORDER BY p.reference";
    session.each(personals, ROWS, |row| copy.personal(&scan::read_personal(row)?))?;
    let contexts = "SELECT digest, body FROM context ORDER BY digest";
    session.each(contexts, OPERATIONS, |row| {
        copy.context(&Context { digest: rows::hash_of(column(row, 0)?)?, body: column(row, 1)? })
    })?;
    session.each("SELECT digest, bytes FROM component ORDER BY digest", COMPONENTS, |row| {
        copy.component(rows::hash_of(column(row, 0)?)?, &column::<Vec<u8>>(row, 1)?)
    })?;
    for row in session.ask(report::CHECKPOINTS, Vec::new())? {
        let checkpoint = rows::checkpoint(&row)?;
        let heads = session.ask(report::SEALED_HEADS, vec![parameter(rows::stored(checkpoint.number))])?;
        let heads = heads.iter().map(rows::sealed_head).collect::<Result<Vec<_>, _>>()?;
        copy.checkpoint(&checkpoint, &heads)?;
    }
    session
        .each("SELECT name, text FROM note ORDER BY name", ROWS, |row| copy.note(column(row, 0)?, column(row, 1)?))?;
    let configuration = session.ask("SELECT version FROM configuration", Vec::new())?;
    let configuration = configuration.first().ok_or_else(|| rows::corrupt("the configuration has no version"))?;
    copy.finish(rows::count_of(column(configuration, 0)?)?)
}

fn read_refusal(row: &Row) -> Result<Refusal, StoreError> {
    match column::<OperationRow>(row, 0)?.read()? {
        rows::Kept::Refusal(refusal) => Ok(refusal),
        rows::Kept::Operation(..) => Err(rows::corrupt("an operation with the end of a refusal")),
    }
}

/// Tables that must be empty before a ledger is put there. Notes are replaced one by one.
const MUST_BE_EMPTY: [&str; 10] =
    ["account", "operation", "entry", "record", "code", "open_hold", "personal", "context", "component", "checkpoint"];

/// Puts everything from a SQLite file into an empty schema, in one transaction.
pub(super) fn restore(store: &PostgresStore, file: &Path) -> Result<(), StoreError> {
    // Opening it checks that it is a ledger, and brings it to this version's schema.
    let source = SqliteStore::open(file, &SqliteOptions::default())
        .map_err(|error| StoreError::Unavailable(format!("`{}` cannot be read: {error}", file.display())))?;
    let file = Connection::open_with_flags(source.path(), OpenFlags::SQLITE_OPEN_READ_ONLY)
        .and_then(|connection| connection.execute_batch("BEGIN").map(|()| connection))
        .map_err(|error| unreadable(&error))?;
    let session = Session::begin(store, "READ COMMITTED")?;
    session.run(format!("LOCK TABLE {}, configuration IN EXCLUSIVE MODE", MUST_BE_EMPTY.join(", ")))?;
    for table in MUST_BE_EMPTY {
        if !session.ask(format!("SELECT 1 FROM {table} LIMIT 1"), Vec::new())?.is_empty() {
            return Err(StoreError::Unavailable(format!(
                "schema `{}` is not empty: there is something in table `{table}`; a ledger is restored into a new schema",
                store.schema
            )));
        }
    }
    fill(&session, &file)?;
    // From now on an error leaves it open whether everything is there.
    session.run("COMMIT").map_err(|error| StoreError::Unknown(error.to_string()))
}

fn fill(session: &Session<'_>, file: &Connection) -> Result<(), StoreError> {
    let operations = "SELECT sequence, kind, at, site, key, request_hash, for_order, actor, personal, answer, \
        decision, NULL FROM operation ORDER BY sequence";
    put::<OperationRow>(session, file, "operation", operations, OPERATIONS)?;
    let refusals = "SELECT NULL, NULL, at, site, key, request_hash, NULL, NULL, NULL, answer, NULL, until \
        FROM refusal ORDER BY id";
    put::<OperationRow>(session, file, "operation", refusals, ROWS)?;
    let entries = "SELECT operation, place, counter, currency, exponent, amount, account, number, held_change, \
        balance, held, status, hash FROM entry ORDER BY operation, place";
    put::<EntryRow>(session, file, "entry", entries, ROWS)?;
    let accounts = "SELECT id, version, balance, held, next_hold_end, initial, issued_at, expires_at, replaced_by, \
        kind, status, exponent, head, currency, expires_on, site, programme, customer, bought_by, hint \
        FROM account ORDER BY id";
    put::<AccountRow>(session, file, "account", accounts, ROWS)?;
    let records = "SELECT kind, site, id, version, body FROM record ORDER BY kind, site, id";
    put::<RecordRow>(session, file, "record", records, ROWS)?;
    let codes = "SELECT id, version, pepper, account, state, lookup, site, pool, hint, sealed FROM code ORDER BY id";
    put::<CodeRow>(session, file, "code", codes, ROWS)?;
    put::<OpenHoldRow>(session, file, "open_hold", "SELECT account, ends_at, hold FROM open_hold", ROWS)?;
    put::<PersonalRow>(session, file, "personal", "SELECT reference, site, customer, body FROM personal", ROWS)?;
    put::<ContextRow>(session, file, "context", "SELECT digest, body FROM context", OPERATIONS)?;
    put_components(session, file)?;
    put_seals(session, file)?;
    put_rest(session, file)
}

/// Copies the rows of a query of the file into a table.
fn put<R: FromFile>(
    session: &Session<'_>,
    file: &Connection,
    table: &str,
    query: &str,
    at_once: usize,
) -> Result<(), StoreError> {
    let insert = format!("INSERT INTO {table} SELECT * FROM unnest($1::{}[])", R::TYPE);
    let mut statement = file.prepare(query).map_err(|error| unreadable(&error))?;
    let mut rows = statement.query_map([], R::from_file).map_err(|error| unreadable(&error))?;
    loop {
        let part: Vec<R> = rows.by_ref().take(at_once).collect::<Result<_, _>>().map_err(|error| unreadable(&error))?;
        if part.is_empty() {
            return Ok(());
        }
        session.ask(insert.as_str(), vec![parameter(part)])?;
    }
}

/// One at a time: each may be as large as a component can be.
fn put_components(session: &Session<'_>, file: &Connection) -> Result<(), StoreError> {
    let mut statement = file.prepare("SELECT digest, bytes FROM component").map_err(|error| unreadable(&error))?;
    let mut components = statement.query([]).map_err(|error| unreadable(&error))?;
    while let Some(row) = components.next().map_err(|error| unreadable(&error))? {
        let bytes = |place| row.get::<_, Vec<u8>>(place).map(parameter).map_err(|error| unreadable(&error));
        session.ask("INSERT INTO component (digest, bytes) VALUES ($1, $2)", vec![bytes(0)?, bytes(1)?])?;
    }
    Ok(())
}

fn put_seals(session: &Session<'_>, file: &Connection) -> Result<(), StoreError> {
    let mut statement = file
        .prepare("SELECT number, at, root, heads, previous, public_key, signature FROM checkpoint")
        .map_err(|error| unreadable(&error))?;
    let mut checkpoints = statement.query([]).map_err(|error| unreadable(&error))?;
    while let Some(row) = checkpoints.next().map_err(|error| unreadable(&error))? {
        let parameters = checkpoint_parameters(row).map_err(|error| unreadable(&error))?;
        session.ask("INSERT INTO checkpoint VALUES ($1, $2, $3, $4, $5, $6, $7)", parameters)?;
    }
    let mut statement = file
        .prepare("SELECT checkpoint, account, version, head FROM sealed_head ORDER BY checkpoint, account")
        .map_err(|error| unreadable(&error))?;
    let read = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?));
    let mut heads = statement.query_map([], read).map_err(|error| unreadable(&error))?;
    loop {
        let part: Vec<(i64, i64, i64, Vec<u8>)> =
            heads.by_ref().take(ROWS).collect::<Result<_, _>>().map_err(|error| unreadable(&error))?;
        if part.is_empty() {
            return Ok(());
        }
        let insert =
            "INSERT INTO sealed_head SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bytea[])";
        let parameters = vec![
            parameter(part.iter().map(|head| head.0).collect::<Vec<_>>()),
            parameter(part.iter().map(|head| head.1).collect::<Vec<_>>()),
            parameter(part.iter().map(|head| head.2).collect::<Vec<_>>()),
            parameter(part.into_iter().map(|head| head.3).collect::<Vec<_>>()),
        ];
        session.ask(insert, parameters)?;
    }
}

fn checkpoint_parameters(row: &rusqlite::Row<'_>) -> rusqlite::Result<Parameters> {
    let number = |place| row.get::<_, i64>(place).map(parameter);
    let bytes = |place| row.get::<_, Vec<u8>>(place).map(parameter);
    Ok(vec![number(0)?, number(1)?, bytes(2)?, number(3)?, bytes(4)?, bytes(5)?, bytes(6)?])
}

/// Notes, the version of the configuration, and the number that the next operation gets.
fn put_rest(session: &Session<'_>, file: &Connection) -> Result<(), StoreError> {
    let mut statement = file.prepare("SELECT name, text FROM note").map_err(|error| unreadable(&error))?;
    let read = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?));
    let notes = statement.query_map([], read).map_err(|error| unreadable(&error))?;
    for note in notes {
        let (name, text): (String, String) = note.map_err(|error| unreadable(&error))?;
        let insert = "INSERT INTO note VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET text = EXCLUDED.text";
        session.ask(insert, vec![parameter(name), parameter(text)])?;
    }
    let version: i64 =
        file.query_row("SELECT configuration FROM state", [], |row| row.get(0)).map_err(|error| unreadable(&error))?;
    session.ask("UPDATE configuration SET version = $1", vec![parameter(version)])?;
    session.run("SELECT setval('operation_sequence', greatest((SELECT max(sequence) FROM operation), 1))")
}

fn unreadable(error: &rusqlite::Error) -> StoreError {
    StoreError::Unavailable(format!("the file cannot be read: {error}"))
}
