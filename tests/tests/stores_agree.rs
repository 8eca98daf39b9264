//! Random batches, nearly all of whose operations are in each other's way, on both stores at once: the same verdicts for
//! every operation, and the same ledger afterwards.

use giftcard_ledger::model::{Account, Code, OperationKind, RecordKey, RecordKind};
use giftcard_ledger::postgres::{PostgresOptions, PostgresStore};
use giftcard_ledger::sqlite::{SqliteOptions, SqliteStore};
use giftcard_ledger::store::{Changes, CodeChange, Context, OpenHold, RecordChange, Store, Verdict};
use giftcard_tests::postgres::Cluster;
use giftcard_tests::stores::everything::{Everything, Names};
use giftcard_tests::stores::rows::{self, Booking, NOW, SITE};
use rand::{RngExt, SeedableRng};
use rand_xorshift::XorShiftRng;

const SEEDS: u64 = 12;
const BATCHES: usize = 25;

/// Few of everything, so that operations meet.
const OF_EACH: i64 = 3;

struct Random(XorShiftRng);

impl Random {
    fn one_in(&mut self, count: u32) -> bool {
        self.0.random_ratio(1, count)
    }

    fn number(&mut self) -> i64 {
        self.0.random_range(1..=OF_EACH)
    }

    /// The version that is there, mostly.
    fn version(&mut self, there: Option<u64>) -> Option<u64> {
        match self.0.random_range(0..6) {
            0 => None,
            1 => Some(self.0.random_range(1..5)),
            2 => there.map(|version| version + 1),
            _ => there,
        }
    }
}

fn place(random: &mut Random) -> RecordKey {
    let kind = if random.one_in(4) { RecordKind::Programme } else { RecordKind::Order };
    rows::place(kind, &random.number().to_string())
}

/// What a batch of changes is made from: the ledger as it was before the batch.
struct Before {
    all: Everything,
}

impl Before {
    fn account(&self, number: i64) -> Option<&Account> {
        self.all.accounts.iter().find(|account| account.id == rows::id(number))
    }

    fn record(&self, key: &RecordKey) -> Option<u64> {
        self.all.documents.get(key).map(|record| record.version)
    }
}

/// One operation on what is there, or on what an operation of the same batch may have left there.
fn changes(random: &mut Random, before: &Before, codes: &[Option<u64>], earlier: &[Changes], name: &str) -> Changes {
    let at = NOW + random.0.random_range(0..100);
    let name = if random.one_in(5) { random.number().to_string() } else { name.to_string() };
    if random.one_in(6) {
        let mut refusal = rows::refusal(&name, at + random.0.random_range(0..100));
        refusal.at = at;
        return rows::refused(refusal);
    }
    let mut operation = rows::operation(&name);
    operation.at = at;
    operation.kind = OperationKind::Adjust;
    let mut booking = Booking::new(operation);
    for number in (1..=OF_EACH).filter(|_| random.one_in(3)).collect::<Vec<_>>() {
        let left = earlier.iter().rev().flat_map(|changes| &changes.accounts).map(|change| &change.after);
        let left = left.into_iter().find(|account| account.id == rows::id(number)).filter(|_| !random.one_in(3));
        booking = match left.or(before.account(number)) {
            None if random.one_in(4) => booking.opens(&rows::credit(number, &random.number().to_string()), 1000),
            None => booking.opens(&rows::card(number), 1000),
            Some(account) => {
                let account = account.clone();
                booking.moves(&account, -1, 0)
            }
        };
    }
    booking
        .with(|changes| {
            let versions = |key: &RecordKey| {
                let left = earlier.iter().rev().flat_map(|changes| &changes.records).find(|change| change.key == *key);
                match left {
                    Some(change) => change.body.as_ref().map(|_| change.before.unwrap_or(0) + 1),
                    None => before.record(key),
                }
            };
            if random.one_in(2) {
                let key = place(random);
                let before = random.version(versions(&key));
                let body = (!random.one_in(4)).then(|| name.clone());
                changes.records.push(RecordChange { key, before, body });
            }
            if random.one_in(4) {
                let key = place(random);
                let version = random.version(versions(&key));
                changes.checks.push((key, version));
            }
            if random.one_in(4) {
                changes.configuration = Some(before.all.configuration + random.0.random_range(0..2));
            }
            if random.one_in(3) {
                let number = random.number();
                let after = Code { lookup: rows::hash(random.number()), ..rows::code(number) };
                let before = random.version(codes[usize::try_from(number).unwrap_or_default()]);
                changes.codes.push(CodeChange { before, after });
            }
            for hold in 1..=OF_EACH {
                let hold = OpenHold { account: rows::id(random.number()), hold: rows::id(hold), ends_at: NOW + hold };
                match random.0.random_range(0..6) {
                    0 => changes.holds_opened.push(hold),
                    1 => changes.holds_closed.push(hold),
                    _ => {}
                }
            }
            if random.one_in(3) {
                let number = random.number();
                changes.contexts.push(Context { digest: rows::hash(number), body: number.to_string() });
            }
        })
        .changes()
}

fn names() -> Names {
    let numbers = || (1..=OF_EACH).map(|number| number.to_string());
    Names {
        sites: vec![SITE.to_string()],
        refusals: numbers().map(|number| rows::key(&number)).collect(),
        contexts: (1..=OF_EACH).map(rows::hash).collect(),
        ..Names::default()
    }
}

/// Versions of the codes by their numbers; the first is nothing.
fn codes(store: &dyn Store) -> Vec<Option<u64>> {
    let found: Vec<Code> = (1..=OF_EACH).filter_map(|number| rows::code_by(store, rows::hash(number))).collect();
    let version = |number| found.iter().find(|code| code.id == rows::id(number)).map(|code| code.version);
    std::iter::once(None).chain((1..=OF_EACH).map(version)).collect()
}

#[test]
fn both_stores_give_the_same_verdicts_and_become_the_same() {
    let mut verdicts = Vec::new();
    for seed in 1..=SEEDS {
        let mut random = Random(XorShiftRng::seed_from_u64(seed));
        let folder = tempfile::tempdir().unwrap();
        let options = SqliteOptions { create: true, ..SqliteOptions::default() };
        let file = SqliteStore::open(&folder.path().join("ledger.db"), &options).unwrap();
        let (url, schema) = Cluster::start().fresh_schema();
        let options = PostgresOptions { schema, create: true, ..PostgresOptions::default() };
        let server = PostgresStore::open(&url, &options).unwrap();
        for number in 0..BATCHES {
            let before = Before { all: Everything::of(&file, &names()) };
            let codes = codes(&file);
            let mut batch: Vec<Changes> = Vec::new();
            for operation in 0..random.0.random_range(1..10) {
                let name = format!("{number} {operation}");
                let next = changes(&mut random, &before, &codes, &batch, &name);
                batch.push(next);
            }
            let batch: Vec<&Changes> = batch.iter().collect();
            let expected = file.commit(0, &batch).unwrap();
            let found = server.commit(number % server.lanes(), &batch).unwrap();
            assert_eq!(found, expected, "seed {seed}, batch {number}: {batch:#?}");
            verdicts.extend(found);
            let (file, server) = (Everything::of(&file, &names()), Everything::of(&server, &names()));
            assert_eq!(server.renumbered(), file.renumbered(), "seed {seed}, batch {number}: {batch:#?}");
        }
    }
    for verdict in [Verdict::Committed, Verdict::Conflict, Verdict::Duplicate] {
        let count = verdicts.iter().filter(|found| **found == verdict).count();
        assert!(count * 12 > verdicts.len(), "{verdict:?} {count} times of {}: too few to tell", verdicts.len());
    }
}
