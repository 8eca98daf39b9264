//! A connection that commits: sends batches, one after the other, and finds out what became of one whose answer was lost.
//! Must not know what a batch changes.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Statement};

use super::batch::Prepared;
use super::connect::Connector;
use super::own::catch_up;
use super::rows::{self, corrupt};
use super::trouble::{Trouble, told};
use crate::model::Hash32;
use crate::store::{StoreError, Verdict};

/// How often a connection is tried for a batch that was not sent yet: a server may just have ended all that it had.
const CONNECT_MAX: u32 = 3;

/// How often a batch is sent again because others were in the way.
const IN_THE_WAY_MAX: u32 = 10;

/// Pauses after others were in the way and before connecting again: grow from the first to the last.
const PAUSE_FIRST: Duration = Duration::from_millis(5);
const PAUSE_LAST: Duration = Duration::from_millis(250);

/// How much longer than the server's own limit an answer is waited for.
const GRACE: Duration = Duration::from_secs(5);

/// After so many known contexts all are forgotten.
const KNOWN_CONTEXTS_MAX: usize = 4096;

/// How batches are sent.
#[derive(Clone, Copy)]
pub(super) struct Patience {
    /// The server's own limit for a statement.
    pub(super) statement: Duration,
    /// How long the outcome of a batch is looked for after a connection was lost.
    pub(super) settle: Duration,
}

/// A lane. INVARIANT: numbers of batches grow, and a batch keeps its number however often it is sent; the database runs
/// each number at most once and none below the last.
pub(super) struct Lane {
    id: [u8; 16],
    number: i64,
    connection: Option<Connection>,
    /// Contexts that are in the database. A new connection may be to another server, so it knows none.
    contexts: HashSet<Hash32>,
}

struct Connection {
    client: Client,
    commit: Statement,
}

/// What is known of a batch that is being sent.
struct Sending {
    /// When the connection was first lost after the batch had been sent: from then on it may have been committed.
    lost_at: Option<Instant>,
    one_by_one: bool,
    in_the_way: u32,
    unconnected: u32,
    pause: Duration,
}

impl Sending {
    async fn pause(&mut self, seed: u8) {
        // Two that were in each other's way should not meet again.
        let jitter = Duration::from_micros(u64::from(seed) * 37 % 5000);
        tokio::time::sleep(self.pause + jitter).await;
        self.pause = (self.pause * 2).min(PAUSE_LAST);
    }

    /// The error, or that it is not known what became of the batch.
    fn give(&self, error: StoreError) -> StoreError {
        match (self.lost_at, error) {
            (None, error) => error,
            (Some(_), error) => StoreError::Unknown(error.to_string()),
        }
    }
}

impl Lane {
    /// A lane that is not connected yet. `id` is random.
    pub(super) fn new(id: [u8; 16]) -> Self {
        Self { id, number: 0, connection: None, contexts: HashSet::new() }
    }

    /// Commits a batch.
    pub(super) async fn commit(
        &mut self,
        connector: &Connector,
        patience: Patience,
        prepared: &mut Prepared,
    ) -> Result<Vec<Verdict>, StoreError> {
        self.number += 1;
        let mut sending =
            Sending { lost_at: None, one_by_one: false, in_the_way: 0, unconnected: 0, pause: PAUSE_FIRST };
        loop {
            if let Err(why) = self.connect(connector).await {
                sending.unconnected += 1;
                match sending.lost_at {
                    None if sending.unconnected >= CONNECT_MAX => return Err(StoreError::Unavailable(why)),
                    Some(lost_at) if lost_at.elapsed() >= patience.settle => return Err(StoreError::Unknown(why)),
                    _ => sending.pause(self.id[0]).await,
                }
                continue;
            }
            let trouble = match self.send(prepared, sending.one_by_one, patience).await {
                Ok(verdicts) => {
                    self.remember(prepared, &verdicts);
                    return Ok(verdicts);
                }
                Err(trouble) => trouble,
            };
            match trouble {
                Trouble::Lost(why) => {
                    self.connection = None;
                    let lost_at = *sending.lost_at.get_or_insert_with(Instant::now);
                    if lost_at.elapsed() >= patience.settle {
                        return Err(StoreError::Unknown(why));
                    }
                    sending.pause(self.id[1]).await;
                }
                Trouble::Taken if !sending.one_by_one => sending.one_by_one = true,
                Trouble::Taken => sending.in_the_way += 1,
                Trouble::InTheWay => {
                    sending.in_the_way += 1;
                    sending.pause(self.id[2]).await;
                }
                Trouble::Store(error) => {
                    // Whatever is wrong, such as a server that only reads by now, a new connection may be better off.
                    self.connection = None;
                    return Err(sending.give(error));
                }
            }
            if sending.in_the_way > IN_THE_WAY_MAX {
                let why = "others changed the same all the time".to_string();
                return Err(sending.give(StoreError::Unavailable(why)));
            }
        }
    }

    /// Connects, unless it is connected.
    pub(super) async fn connect(&mut self, connector: &Connector) -> Result<(), String> {
        catch_up().await;
        if self.connection.as_ref().is_some_and(|connection| !connection.client.is_closed()) {
            return Ok(());
        }
        self.connection = None;
        self.contexts.clear();
        let client = connector.connect().await?;
        let prepared = tokio::time::timeout(GRACE, client.prepare("SELECT commit_v1($1, $2, $3, $4)")).await;
        let commit = prepared.map_err(|_| "the server does not answer".to_string())?.map_err(|error| told(&error))?;
        self.connection = Some(Connection { client, commit });
        Ok(())
    }

    /// Gives the connection up.
    pub(super) fn disconnect(&mut self) {
        self.connection = None;
    }

    async fn send(
        &self,
        prepared: &mut Prepared,
        one_by_one: bool,
        patience: Patience,
    ) -> Result<Vec<Verdict>, Trouble> {
        let Some(connection) = &self.connection else { return Err(Trouble::Lost("not connected".to_string())) };
        prepared.leave_out(|digest| self.contexts.contains(digest));
        let lane: &[u8] = &self.id;
        let values: [&(dyn ToSql + Sync); 4] = [&lane, &self.number, &one_by_one, &prepared.batch];
        let answer = connection.client.query(&connection.commit, &values);
        let rows = match tokio::time::timeout(patience.statement + GRACE, answer).await {
            Ok(Ok(rows)) => rows,
            Ok(Err(error)) => return Err(Trouble::of_commit(&error)),
            Err(_) => return Err(Trouble::Lost("the server does not answer".to_string())),
        };
        // It is committed by now; an answer that cannot be read must not say that it is not.
        let unreadable = |why: String| Trouble::Store(StoreError::Unknown(why));
        let verdicts = rows.first().ok_or_else(|| corrupt("no verdicts")).and_then(|row| rows::column(row, 0));
        let verdicts: Vec<i16> = verdicts.map_err(|error| unreadable(error.to_string()))?;
        if verdicts.len() != prepared.len() {
            return Err(unreadable(format!("{} verdicts for {} operations", verdicts.len(), prepared.len())));
        }
        let verdicts = verdicts.into_iter().map(|number| match number {
            0 => Ok(Verdict::Committed),
            1 => Ok(Verdict::Conflict),
            2 => Ok(Verdict::Duplicate),
            number => Err(unreadable(format!("{number} is no verdict"))),
        });
        verdicts.collect()
    }

    fn remember(&mut self, prepared: &Prepared, verdicts: &[Verdict]) {
        if self.contexts.len() > KNOWN_CONTEXTS_MAX {
            self.contexts.clear();
        }
        self.contexts.extend(prepared.written_contexts(verdicts));
    }
}
