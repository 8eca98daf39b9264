//! The raw ceiling on PostgreSQL: one read and one guarded statement for each redemption, on a connection for each client.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use giftcard_tests::bank;
use tokio::runtime::Runtime;
use tokio_postgres::{Client, NoTls, Statement};

use crate::drive::{Cards, Plan, Template, serial};
use crate::report::Measured;

const READ: &str = "SELECT a.id, a.version, a.balance, a.held, a.status, a.head FROM code c JOIN account a ON a.id = \
                    c.account WHERE c.lookup = $1";

/// Guarded by the card's version: nothing is written where somebody else was faster.
const WRITE: &str = "WITH card AS ( \
        UPDATE account SET version = version + 1, balance = balance - 35, head = $3 \
        WHERE id = $1 AND version = $2 RETURNING id, version, balance \
    ), done AS ( \
        INSERT INTO operation (sequence, id, kind, at, site, key, request_hash, for_order, answer, decision) \
        SELECT nextval('operation_sequence'), $4, 7, $5, 'main', $6, $3, $7, $8, $9 FROM card RETURNING sequence \
    ), orders AS ( \
        INSERT INTO record (kind, site, id, version, body) SELECT 4, 'main', $7, 1, $10 FROM card \
    ) INSERT INTO entry (operation, place, counter, currency, exponent, amount, account, number, held_change, balance, \
        held, status, hash) \
    SELECT sequence, 0, NULL, 'USD', 2, -35, card.id, card.version, 0, card.balance, 0, 1, $3 FROM card, done \
    UNION ALL SELECT sequence, 1, 1, 'USD', 2, 35, NULL, NULL, NULL, NULL, NULL, NULL, NULL FROM card, done";

pub(crate) struct Raw {
    runtime: Runtime,
    url: String,
    schema: String,
    answer: Arc<str>,
    decision: Arc<str>,
    order: Arc<str>,
}

impl Raw {
    pub(crate) fn new(url: &str, schema: &str, template: &Template) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        Self {
            runtime,
            url: url.to_string(),
            schema: schema.to_string(),
            answer: template.answer.as_str().into(),
            decision: template.decision.as_str().into(),
            order: template.order.as_str().into(),
        }
    }

    pub(crate) fn run(&self, cards: &Cards, plan: &Plan) -> Measured {
        let done = AtomicUsize::new(0);
        let begin = Instant::now();
        self.runtime.block_on(async {
            let clients = (0..plan.clients).map(|_| self.client(cards, plan, begin, &done));
            join_all(clients.collect()).await;
        });
        Measured { operations: done.into_inner(), elapsed_s: begin.elapsed().as_secs_f64(), clients: plan.clients }
    }

    async fn client(&self, cards: &Cards, plan: &Plan, begin: Instant, done: &AtomicUsize) {
        let (client, connection) = tokio_postgres::connect(&self.url, NoTls).await.unwrap();
        tokio::spawn(connection);
        client.batch_execute(&format!("SET search_path TO {}", self.schema)).await.unwrap();
        let read = client.prepare(READ).await.unwrap();
        let write = client.prepare(WRITE).await.unwrap();
        while begin.elapsed().as_secs_f64() < plan.seconds {
            self.redeem(&client, &read, &write, cards, plan.hot).await;
            done.fetch_add(1, Ordering::Relaxed);
        }
    }

    async fn redeem(&self, client: &Client, read: &Statement, write: &Statement, cards: &Cards, hot: bool) {
        let number = serial();
        let lookup = cards.secrets.lookups(bank::SITE, &bank::code(cards.pick(number, hot)))[0].1;
        let mut id = [0_u8; 16];
        id[..8].copy_from_slice(&number.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
        id[8..].copy_from_slice(&number.to_be_bytes());
        let (key, order) = (format!("operation-{number:012}"), format!("order-{number:012}"));
        loop {
            let card = client.query_one(read, &[&lookup.as_slice()]).await.unwrap();
            let (account, version): (i64, i64) = (card.get(0), card.get(1));
            let written = client
                .execute(
                    write,
                    &[
                        &account,
                        &version,
                        &lookup.as_slice(),
                        &id.as_slice(),
                        &bank::NOW,
                        &key,
                        &order,
                        &&*self.answer,
                        &&*self.decision,
                        &&*self.order,
                    ],
                )
                .await
                .unwrap();
            if written > 0 {
                return;
            }
        }
    }
}

/// Runs all of them in turns of one task: each only waits for the server.
async fn join_all<F: Future<Output = ()>>(clients: Vec<F>) {
    let mut clients: Vec<_> = clients.into_iter().map(|client| Some(Box::pin(client))).collect();
    std::future::poll_fn(|context| {
        let mut waits = false;
        for place in &mut clients {
            if let Some(client) = place {
                match client.as_mut().poll(context) {
                    std::task::Poll::Ready(()) => *place = None,
                    std::task::Poll::Pending => waits = true,
                }
            }
        }
        if waits { std::task::Poll::Pending } else { std::task::Poll::Ready(()) }
    })
    .await;
}
