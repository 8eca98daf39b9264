//! Asking: one statement on a pooled connection, again where that is safe. Must not know what is asked.

use std::time::Duration;

use deadpool_postgres::{Manager, ManagerConfig, Object, Pool, PoolError, RecyclingMethod, Runtime};
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use super::OpenError;
use super::connect::Connector;
use super::trouble::{is_lost, store_error, told};
use crate::store::StoreError;

/// How much longer than the server's own limit an answer is waited for.
const GRACE: Duration = Duration::from_secs(5);

/// How often a statement is asked again on another connection: all idle ones may have been lost at once.
const LOST_MAX: usize = 3;

/// Pause before a connection is tried again.
const PAUSE: Duration = Duration::from_millis(20);

/// How long a free connection is waited for at most.
const WAIT_MAX: Duration = Duration::from_secs(30);

/// The values of a statement.
pub(super) type Parameters = Vec<Box<dyn ToSql + Send + Sync>>;

/// One of [`Parameters`].
pub(super) fn parameter(value: impl ToSql + Send + Sync + 'static) -> Box<dyn ToSql + Send + Sync> {
    Box::new(value)
}

/// Whether a statement may be asked again although it may have been done.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Again {
    /// Once more changes nothing.
    Yes,
    /// It is not known what became of it.
    No,
}

/// Connections that statements are asked on.
#[derive(Clone)]
pub(super) struct Asker {
    pool: Pool,
    /// The server's own limit for a statement.
    limit: Duration,
}

impl Asker {
    pub(super) fn new(
        connector: Connector,
        connections: usize,
        wait: Duration,
        limit: Duration,
    ) -> Result<Self, OpenError> {
        let config = connector.config().clone();
        let manager =
            Manager::from_connect(config, connector, ManagerConfig { recycling_method: RecyclingMethod::Fast });
        let pool = Pool::builder(manager)
            .max_size(connections.max(1))
            .runtime(Runtime::Tokio1)
            .wait_timeout(Some(wait_max(wait, limit)))
            .create_timeout(Some(wait))
            .build()
            .map_err(|error| OpenError::Failed(StoreError::Failed(error.to_string())))?;
        Ok(Self { pool, limit })
    }

    /// All rows that a statement answers with.
    pub(super) async fn rows(&self, sql: &str, parameters: Parameters, again: Again) -> Result<Vec<Row>, StoreError> {
        let mut lost = 0;
        loop {
            let client = match self.pool.get().await {
                Ok(client) => client,
                Err(PoolError::Backend(error)) if is_lost(&error) && lost < LOST_MAX => {
                    lost += 1;
                    tokio::time::sleep(PAUSE).await;
                    continue;
                }
                Err(error) => return Err(no_connection(&error)),
            };
            let values: Vec<&(dyn ToSql + Sync)> = parameters.iter().map(|value| &**value as _).collect();
            let mut sent = false;
            let answer = async {
                let statement = client.prepare_cached(sql).await?;
                sent = true;
                client.query(&statement, &values).await
            };
            let answer = match tokio::time::timeout(self.limit + GRACE, answer).await {
                Ok(Ok(rows)) => return Ok(rows),
                Ok(Err(error)) => Some(error),
                Err(_) => None,
            };
            // Whatever else comes on it is not the answer to the next question, and a new one may be better off.
            drop(Object::take(client));
            let why = match &answer {
                Some(error) if !is_lost(error) => return Err(store_error(error)),
                Some(error) => told(error),
                None => "the server does not answer".to_string(),
            };
            lost += 1;
            match again {
                Again::No if sent => return Err(StoreError::Unknown(why)),
                _ if answer.is_none() || lost > LOST_MAX => return Err(StoreError::Unavailable(why)),
                _ => {}
            }
        }
    }
}

/// How long a free connection is waited for.
pub(super) fn wait_max(connect: Duration, limit: Duration) -> Duration {
    (connect + limit).min(WAIT_MAX)
}

fn no_connection(error: &PoolError) -> StoreError {
    StoreError::Unavailable(match error {
        PoolError::Backend(error) => told(error),
        PoolError::Timeout(_) => "no connection was free in time".to_string(),
        error => error.to_string(),
    })
}
