//! How fast the ledger redeems through the library, beside the raw ceiling of its store in the same run: a hand-written
//! loop that reads the card and writes the same rows and bytes with the same durability. `cargo xtask bench-ledger`.
//!
//! Every figure is the median of several rounds, in which raw loops and redemptions take turns. Files are made under the
//! target directory, on a real disk. Speed is printed and never asserted.
#![allow(clippy::print_stdout, clippy::unwrap_used, clippy::float_arithmetic, missing_docs, reason = "a measurement")]

mod drive;
mod raw_postgres;
mod raw_sqlite;
mod report;

use std::path::PathBuf;
use std::sync::Arc;

use giftcard_ledger::postgres::{PostgresOptions, PostgresStore};
use giftcard_ledger::sqlite::{SqliteOptions, SqliteStore};
use giftcard_ledger::store::Store;
use giftcard_tests::bank;
use giftcard_tests::postgres::Cluster;

use drive::{Cards, Plan};
use report::Table;

/// As the program has it.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// What is measured, from the command line.
struct Arguments {
    seconds: f64,
    rounds: usize,
    cards: usize,
    history: u64,
    /// How many clients, one after the other.
    clients: Vec<usize>,
    sqlite: bool,
    postgres: bool,
}

impl Arguments {
    fn read() -> Self {
        let clients = vec![1, 16, 64];
        let mut read =
            Self { seconds: 2.0, rounds: 3, cards: 10_000, history: 0, clients, sqlite: true, postgres: true };
        let mut arguments = std::env::args().skip(1);
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().unwrap_or_else(|| panic!("`{argument}` needs a value"));
            match argument.as_str() {
                "--seconds" => read.seconds = value().parse().unwrap(),
                "--rounds" => read.rounds = value().parse().unwrap(),
                "--cards" => read.cards = value().parse().unwrap(),
                "--history" => read.history = value().parse().unwrap(),
                "--clients" => read.clients = value().split(',').map(|count| count.parse().unwrap()).collect(),
                "--store" => match value().as_str() {
                    "sqlite" => read.postgres = false,
                    "postgres" => read.sqlite = false,
                    other => panic!("`--store {other}`; write `sqlite` or `postgres`"),
                },
                // `cargo bench` says it to every benchmark.
                "--bench" => {}
                other => panic!(
                    "`{other}` is not known; there are --seconds, --rounds, --cards, --history, --clients, --store"
                ),
            }
        }
        read
    }
}

fn main() {
    let arguments = Arguments::read();
    println!(
        "{} cards, {} past operations, {} rounds of {} s each; a redemption of one card, rules included",
        arguments.cards, arguments.history, arguments.rounds, arguments.seconds
    );
    if arguments.sqlite {
        sqlite(&arguments);
    }
    if arguments.postgres {
        postgres(&arguments);
    }
}

/// On the disk that the build is on.
fn folder() -> tempfile::TempDir {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| PathBuf::from("../target"), PathBuf::from);
    tempfile::tempdir_in(target).unwrap()
}

fn sqlite(arguments: &Arguments) {
    let folder = folder();
    let path = folder.path().join("ledger.db");
    let options = SqliteOptions { create: true, ..SqliteOptions::default() };
    let store: Arc<dyn Store> = Arc::new(SqliteStore::open(&path, &options).unwrap());
    let desk = drive::prepare(store, arguments.cards, arguments.history);
    let template = drive::template(&desk);
    // The raw loop writes hashes that are none, so it has a ledger of its own.
    let raw_path = folder.path().join("raw.db");
    desk.store().backup(&raw_path).unwrap();
    let mut raw = raw_sqlite::Raw::open(&raw_path, &template);
    let cards = Cards { count: arguments.cards, secrets: desk.secrets() };
    let mut table = Table::new("SQLite");
    for _ in 0..arguments.rounds {
        for batch in [1, 64] {
            table.add(&format!("raw, batches of {batch}"), raw.run(&cards, batch, 1_000, arguments.seconds));
        }
        // As long as a busy ledger's.
        let log_pages = 4 * SqliteOptions::default().log_pages;
        table.add("raw, batches of 64, long log", raw.run(&cards, 64, log_pages, arguments.seconds));
        for clients in arguments.clients.iter().copied() {
            for hot in [false, true] {
                let plan = Plan { clients, hot, seconds: arguments.seconds };
                table.add(&plan.label(), drive::redeem(&desk, &cards, &plan));
            }
        }
    }
    table.compare("1 client", "raw, batches of 1", "latency, in raw loops");
    table.compare("64 clients", "raw, batches of 64", "of the raw ceiling");
    table.compare("64 clients", "raw, batches of 64, long log", "of the raw ceiling");
    table.compare("64 clients, one card", "1 client, one card", "of one client on the same card");
    table.print();
    drive::bytes(&desk, "SQLite", || std::fs::metadata(&path).unwrap().len());
}

/// What a server is given that has more to do than a test: room for the indexes, and a log that may grow until the
/// five minutes between two checkpoints are over, as PostgreSQL's manual advises (29.5, WAL Configuration).
const SERVER: [&str; 2] = ["shared_buffers=1GB", "max_wal_size=16GB"];

fn postgres(arguments: &Arguments) {
    let cluster = Cluster::private_with(&[], &SERVER);
    let (url, schema) = cluster.fresh_schema();
    let options = PostgresOptions { schema: schema.clone(), create: true, ..PostgresOptions::default() };
    let store: Arc<dyn Store> = Arc::new(PostgresStore::open(&url, &options).unwrap());
    drop(drive::prepare(store, arguments.cards, arguments.history));
    // The raw loop writes hashes that are none, so it has a ledger of its own.
    let raw_url = cluster.copy_database("raw");
    let store: Arc<dyn Store> = Arc::new(PostgresStore::open(&url, &options).unwrap());
    let desk = bank::desk(store, 1, 1);
    let template = drive::template(&desk);
    let raw = raw_postgres::Raw::new(&raw_url, &schema, &template);
    let cards = Cards { count: arguments.cards, secrets: desk.secrets() };
    let mut table = Table::new("PostgreSQL");
    for _ in 0..arguments.rounds {
        for clients in [1, 16] {
            for hot in [false, true] {
                let plan = Plan { clients, hot, seconds: arguments.seconds };
                table.add(&format!("raw, {}", plan.label()), raw.run(&cards, &plan));
            }
        }
        for clients in arguments.clients.iter().copied() {
            for hot in [false, true] {
                let plan = Plan { clients, hot, seconds: arguments.seconds };
                table.add(&plan.label(), drive::redeem(&desk, &cards, &plan));
            }
        }
    }
    table.compare("16 clients", "raw, 16 clients", "of the raw ceiling");
    table.compare("64 clients, one card", "1 client, one card", "of one client on the same card");
    table.print();
    drive::bytes(&desk, "PostgreSQL", || size(&cluster, &schema));
}

/// Bytes of all tables of a schema, indexes and long values included.
fn size(cluster: &Cluster, schema: &str) -> u64 {
    let sizes = format!(
        "SELECT sum(pg_total_relation_size(c.oid)) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
         WHERE n.nspname = '{schema}' AND c.relkind IN ('r', 'p')"
    );
    cluster.query_texts(&sizes)[0].parse().unwrap()
}
