//! The raw ceiling on SQLite: the statements of a redemption and nothing else.

use std::path::Path;
use std::time::Instant;

use giftcard_ledger::model::Leg;
use giftcard_tests::bank;
use rusqlite::{Connection, params};

use crate::drive::{Cards, Template, serial};
use crate::report::Measured;

pub(crate) struct Raw {
    connection: Connection,
    answer: String,
    decision: String,
    order: String,
    legs: usize,
}

struct Card {
    id: i64,
    version: i64,
    balance: i64,
    lookup: [u8; 32],
}

impl Raw {
    pub(crate) fn open(path: &Path, template: &Template) -> Self {
        let connection = Connection::open(path).unwrap();
        connection
            .execute_batch(
                "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA cache_size = -65536; \
                 PRAGMA busy_timeout = 5000;",
            )
            .unwrap();
        // What anybody would write: one index over all ids.
        connection
            .execute_batch(
                "CREATE TABLE id (id BLOB PRIMARY KEY, sequence INTEGER NOT NULL) STRICT, WITHOUT ROWID; \
                 INSERT INTO id SELECT randomblob(16) AS random, sequence FROM operation ORDER BY random; \
                 PRAGMA wal_checkpoint(TRUNCATE);",
            )
            .unwrap();
        connection.set_prepared_statement_cache_capacity(32);
        let legs = template.entries.iter().filter(|entry| matches!(entry.leg, Leg::Counter(_))).count();
        Self {
            connection,
            answer: template.answer.clone(),
            decision: template.decision.clone(),
            order: template.order.clone(),
            legs,
        }
    }

    /// `log_pages` are those from which whoever commits moves the log into the file; SQLite's own number is 1,000.
    pub(crate) fn run(&mut self, cards: &Cards, batch: usize, log_pages: u32, seconds: f64) -> Measured {
        self.connection.pragma_update(None, "wal_autocheckpoint", log_pages).unwrap();
        let begin = Instant::now();
        let mut operations = 0;
        while begin.elapsed().as_secs_f64() < seconds {
            let numbers: Vec<(u64, [u8; 32])> = (0..batch)
                .map(|_| {
                    let number = serial();
                    let code = bank::code(cards.pick(number, false));
                    (number, cards.secrets.lookups(bank::SITE, &code)[0].1)
                })
                .collect();
            let read: Vec<Card> = numbers.iter().map(|(_, lookup)| self.read(*lookup)).collect();
            self.connection.execute_batch("BEGIN IMMEDIATE").unwrap();
            for ((number, _), card) in numbers.iter().zip(&read) {
                self.write(*number, card);
            }
            self.connection.execute_batch("COMMIT").unwrap();
            operations += batch;
        }
        Measured { operations, elapsed_s: begin.elapsed().as_secs_f64(), clients: 1 }
    }

    fn read(&self, lookup: [u8; 32]) -> Card {
        let mut code = self.connection.prepare_cached("SELECT account FROM code WHERE lookup = ?1").unwrap();
        let id: i64 = code.query_row([lookup], |row| row.get(0)).unwrap();
        let mut account = self
            .connection
            .prepare_cached("SELECT version, balance, held, status, head FROM account WHERE id = ?1")
            .unwrap();
        let (version, balance) = account.query_row([id], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
        Card { id, version, balance, lookup }
    }

    fn write(&self, number: u64, card: &Card) {
        let connection = &self.connection;
        // A batch may have one card twice; the loop reads it again then, as the ledger would have it in memory.
        type Now = (i64, i64, Option<i64>, Option<i64>);
        let (version, balance, last_operation, last_place): Now = connection
            .prepare_cached("SELECT version, balance, last_operation, last_place FROM account WHERE id = ?1")
            .unwrap()
            .query_row([card.id], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))
            .unwrap();
        debug_assert!(version >= card.version && balance <= card.balance);
        let mut id = [0_u8; 16];
        id[..8].copy_from_slice(&number.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
        id[8..].copy_from_slice(&number.to_be_bytes());
        connection
            .prepare_cached(
                "INSERT INTO operation (kind, at, site, key, request_hash, for_order, answer, decision) \
                 VALUES (7, ?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            )
            .unwrap()
            .execute(params![
                bank::NOW,
                bank::SITE,
                format!("operation-{number:012}"),
                card.lookup,
                format!("order-{number:012}"),
                self.answer,
                self.decision
            ])
            .unwrap();
        let sequence = connection.last_insert_rowid();
        connection
            .prepare_cached("INSERT INTO id (id, sequence) VALUES (?1, ?2)")
            .unwrap()
            .execute(params![id, sequence])
            .unwrap();
        connection
            .prepare_cached(
                "INSERT INTO entry (operation, place, currency, exponent, amount, account, number, held_change, balance, \
                 held, status, hash, previous_operation, previous_place) \
                 VALUES (?1, 0, 'USD', 2, -35, ?2, ?3, 0, ?4, 0, 1, ?5, ?6, ?7)",
            )
            .unwrap()
            .execute(params![sequence, card.id, version + 1, balance - 35, card.lookup, last_operation, last_place])
            .unwrap();
        for leg in 0..self.legs {
            connection
                .prepare_cached(
                    "INSERT INTO entry (operation, place, counter, currency, exponent, amount) \
                     VALUES (?1, ?2, 1, 'USD', 2, 35)",
                )
                .unwrap()
                .execute(params![sequence, i64::try_from(leg).unwrap() + 1])
                .unwrap();
        }
        connection
            .prepare_cached("UPDATE account SET version = ?2, balance = ?3, head = ?4, last_operation = ?5, last_place = 0 WHERE id = ?1")
            .unwrap()
            .execute(params![card.id, version + 1, balance - 35, card.lookup, sequence])
            .unwrap();
        connection
            .prepare_cached("INSERT INTO record (version, kind, site, id, body) VALUES (1, 4, ?1, ?2, ?3)")
            .unwrap()
            .execute(params![bank::SITE, format!("order-{number:012}"), self.order])
            .unwrap();
    }
}
