//! How fast the ledger redeems, beside the raw ceiling of its store in the same run. Smoke version.
#![allow(clippy::print_stdout, clippy::unwrap_used, clippy::float_arithmetic, missing_docs, reason = "a measurement")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use giftcard::desk::PayKind;
use giftcard_ledger::sqlite::{SqliteOptions, SqliteStore};
use giftcard_ledger::store::Store;
use giftcard_tests::bank;

fn main() {
    let folder = tempfile::tempdir_in(".").unwrap();
    let path = folder.path().join("ledger.db");
    let store: Arc<dyn Store> =
        Arc::new(SqliteStore::open(&path, &SqliteOptions { create: true, ..SqliteOptions::default() }).unwrap());
    bank::set_up_site(&*store, &serde_json::json!({"id": "main", "currency": "USD"}));
    let desk = bank::desk(store, 1, 1);
    let start = Instant::now();
    bank::issue(&desk, 0, 10_000, 1_000_000_00);
    println!("issue 10000: {:?}", start.elapsed());
    let serial = AtomicUsize::new(0);
    for (label, hot) in [("10,000 cards", false), ("hot card", true)] {
        for threads in [1, 16, 64] {
            let seconds = 3.0;
            let begin = Instant::now();
            let done = AtomicUsize::new(0);
            std::thread::scope(|scope| {
                for _ in 0..threads {
                    scope.spawn(|| {
                        while begin.elapsed().as_secs_f64() < seconds {
                            let number = serial.fetch_add(1, Ordering::Relaxed);
                            let card = if hot { 0 } else { number.wrapping_mul(7919) % 10_000 };
                            let key = format!("op-{number}");
                            let order = format!("order-{number}");
                            let text = format!(
                                r#"{{"operation":"{key}","order":{{"id":"{order}","currency":"USD","total":"0.35"}},"cards":[{{"code":"{}"}}]}}"#,
                                bank::code(card)
                            );
                            let input = serde_json::from_str(&text).unwrap();
                            desk.pay(&input, PayKind::Redeem, bank::NOW).unwrap();
                            done.fetch_add(1, Ordering::Relaxed);
                        }
                    });
                }
            });
            let elapsed = begin.elapsed().as_secs_f64();
            let count = done.load(Ordering::Relaxed);
            println!("{label}, {threads} clients: {:.0}/s, {:.0} us each", count as f64 / elapsed, elapsed * 1e6 * threads as f64 / count as f64);
        }
    }
    let bytes = std::fs::metadata(&path).unwrap().len();
    println!("{bytes} bytes, {} operations", serial.load(Ordering::Relaxed));
}
