//! The schema in the database: whether it is there, and bringing it to this version's. Must not know what is in it.

use tokio_postgres::Client;

use super::trouble::{store_error, told};
use super::{OpenError, PostgresOptions};
use crate::store::StoreError;

/// Each brings the schema from the version before it to its own; the first makes version 1.
const MIGRATIONS: [&[&str]; 2] =
    [&[include_str!("schema/1.sql"), include_str!("schema/1-commit.sql")], &[include_str!("schema/2.sql")]];

/// The version that this program writes.
pub(super) const VERSION: usize = MIGRATIONS.len();

/// The oldest PostgreSQL that has everything that is used.
const SERVER_VERSION_MIN: i32 = 140_000;

/// A key of PostgreSQL's advisory locks that belongs to this project; the second half is of the schema's name.
const LOCK: i32 = 0x6769_6674;

/// Makes the schema if `options` say so, and brings it to this version's. Many may do it at once.
pub(super) async fn prepare(client: &mut Client, options: &PostgresOptions) -> Result<(), OpenError> {
    server_is_new_enough(client).await?;
    // Nearly always there is nothing to do, and then no lock is taken.
    match version(client, &options.schema).await? {
        Some(VERSION) => return forget_lanes(client).await,
        Some(newer) if newer > VERSION => return Err(too_new(options, newer)),
        None if !options.create => return Err(OpenError::NotThere { schema: options.schema.clone() }),
        _ => {}
    }
    while !step(client, options).await? {}
    Ok(())
}

/// Forgets the last batches of processes that are long gone. What is left of one is asked for within seconds.
async fn forget_lanes(client: &Client) -> Result<(), OpenError> {
    let statement = "DELETE FROM lane WHERE used_at < now() - interval '7 days'";
    client.batch_execute(statement).await.map_err(|error| failed(&error))
}

/// One migration in a transaction of its own; true once there are no more.
async fn step(client: &mut Client, options: &PostgresOptions) -> Result<bool, OpenError> {
    let transaction = client.transaction().await.map_err(|error| failed(&error))?;
    transaction
        .execute("SELECT pg_advisory_xact_lock($1, hashtext($2))", &[&LOCK, &options.schema])
        .await
        .map_err(|error| failed(&error))?;
    let before = version(&transaction, &options.schema).await?.unwrap_or(0);
    if before > VERSION {
        return Err(too_new(options, before));
    }
    let Some(statements) = MIGRATIONS.get(before) else { return Ok(true) };
    if before == 0 {
        create(&transaction, &options.schema).await?;
    }
    for statements in *statements {
        transaction.batch_execute(statements).await.map_err(|error| failed(&error))?;
    }
    let version = i32::try_from(before + 1).expect("INVARIANT: there are few migrations");
    transaction
        .execute("INSERT INTO schema_version (version) VALUES ($1)", &[&version])
        .await
        .map_err(|error| failed(&error))?;
    transaction.commit().await.map_err(|error| failed(&error))?;
    Ok(before + 1 == VERSION)
}

async fn create(transaction: &tokio_postgres::Transaction<'_>, schema: &str) -> Result<(), OpenError> {
    let there = transaction
        .query_one("SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = $1)", &[&schema])
        .await
        .map_err(|error| failed(&error))?;
    // A schema that an administrator made needs no privilege on the database.
    if !there.get::<_, bool>(0) {
        transaction.batch_execute(&format!("CREATE SCHEMA \"{schema}\"")).await.map_err(|error| failed(&error))?;
    }
    let table =
        "CREATE TABLE schema_version (version integer PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT now())";
    transaction.batch_execute(table).await.map_err(|error| failed(&error))
}

/// The version of the schema; `None` where there is none.
async fn version(client: &impl tokio_postgres::GenericClient, schema: &str) -> Result<Option<usize>, OpenError> {
    // Not by `to_regclass`, which may answer from a cache of before the lock.
    let there = client
        .query_one(
            "SELECT EXISTS (SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
             WHERE n.nspname = $1 AND c.relname = 'schema_version')",
            &[&schema],
        )
        .await
        .map_err(|error| failed(&error))?;
    if !there.get::<_, bool>(0) {
        return Ok(None);
    }
    let newest = client
        .query_one(&format!("SELECT max(version) FROM \"{schema}\".schema_version"), &[])
        .await
        .map_err(|error| failed(&error))?;
    Ok(newest.get::<_, Option<i32>>(0).and_then(|version| usize::try_from(version).ok()))
}

async fn server_is_new_enough(client: &Client) -> Result<(), OpenError> {
    let row = client
        .query_one("SELECT current_setting('server_version_num')::integer, current_setting('server_version')", &[])
        .await
        .map_err(|error| failed(&error))?;
    if row.get::<_, i32>(0) < SERVER_VERSION_MIN {
        let found: &str = row.get(1);
        return Err(OpenError::Failed(StoreError::Failed(format!(
            "the server is PostgreSQL {found}; version 14 or newer is right"
        ))));
    }
    Ok(())
}

fn too_new(options: &PostgresOptions, found: usize) -> OpenError {
    OpenError::TooNew { schema: options.schema.clone(), found, known: VERSION }
}

fn failed(error: &tokio_postgres::Error) -> OpenError {
    match error.as_db_error() {
        Some(_) if error.code() == Some(&tokio_postgres::error::SqlState::INSUFFICIENT_PRIVILEGE) => {
            OpenError::Failed(StoreError::Failed(format!(
                "{}; let the user create schemas in this database, or own an empty one of this name",
                told(error)
            )))
        }
        _ => OpenError::Failed(store_error(error)),
    }
}
