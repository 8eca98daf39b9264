//! Redemptions through the public library, by many clients at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Instant;

use giftcard::Desk;
use giftcard::desk::PayKind;
use giftcard::secrets::Secrets;
use giftcard_ledger::model::{Entry, RecordKey, RecordKind};
use giftcard_ledger::store::{Store, Want};
use giftcard_tests::bank;

use crate::report::Measured;

/// What is on every card: more than any run spends.
const VALUE: i64 = 9_000_000_000_000;

/// Numbers operations over all runs of the process.
static SERIAL: AtomicU64 = AtomicU64::new(0);

/// A number that no operation had.
pub(crate) fn serial() -> u64 {
    SERIAL.fetch_add(1, Ordering::Relaxed)
}

/// The cards that are spent.
pub(crate) struct Cards {
    pub(crate) count: usize,
    pub(crate) secrets: Arc<Secrets>,
}

impl Cards {
    /// A card for an operation, all over the table.
    pub(crate) fn pick(&self, serial: u64, hot: bool) -> usize {
        if hot { 0 } else { usize::try_from(serial.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20).unwrap() % self.count }
    }
}

/// One round.
pub(crate) struct Plan {
    pub(crate) clients: usize,
    pub(crate) hot: bool,
    pub(crate) seconds: f64,
}

impl Plan {
    pub(crate) fn label(&self) -> String {
        let clients = if self.clients == 1 { "1 client".to_string() } else { format!("{} clients", self.clients) };
        if self.hot { format!("{clients}, one card") } else { clients }
    }
}

/// A desk with a site, cards, and past operations.
pub(crate) fn prepare(store: Arc<dyn Store>, cards: usize, history: u64) -> Desk {
    bank::set_up_site(&*store, &serde_json::json!({"id": "main", "currency": "USD"}));
    let desk = bank::desk(store, 1, 1);
    let begin = Instant::now();
    bank::issue(&desk, 0, cards, VALUE);
    println!("issued {cards} cards in {:.1} s", begin.elapsed().as_secs_f64());
    if history > 0 {
        let begin = Instant::now();
        spend(&desk, &Cards { count: cards, secrets: desk.secrets() }, 64, history);
        println!("made {history} past operations in {:.1} s", begin.elapsed().as_secs_f64());
    }
    desk
}

/// Redeems `count` times, by so many clients.
fn spend(desk: &Desk, cards: &Cards, clients: usize, count: u64) {
    let done = AtomicU64::new(0);
    at_once(clients, || done.fetch_add(1, Ordering::Relaxed) < count, || pay(desk, cards, false));
}

/// Each of so many clients does `one` after another, while `goes_on`.
fn at_once(clients: usize, goes_on: impl Fn() -> bool + Sync, one: impl Fn() + Sync) {
    std::thread::scope(|scope| {
        for _ in 0..clients {
            scope.spawn(|| {
                while goes_on() {
                    one();
                }
            });
        }
    });
}

fn pay(desk: &Desk, cards: &Cards, hot: bool) {
    let number = serial();
    let code = bank::code(cards.pick(number, hot));
    let document = format!(
        r#"{{"operation":"operation-{number:012}","order":{{"id":"order-{number:012}","currency":"USD","total":"0.35"}},"cards":[{{"code":"{code}"}}]}}"#
    );
    let input = serde_json::from_str(&document).unwrap();
    desk.pay(&input, PayKind::Redeem, bank::NOW).unwrap();
}

/// Redeems until the time is over.
pub(crate) fn redeem(desk: &Desk, cards: &Cards, plan: &Plan) -> Measured {
    let begin = Instant::now();
    let done = AtomicUsize::new(0);
    let goes_on = || begin.elapsed().as_secs_f64() < plan.seconds;
    at_once(plan.clients, goes_on, || {
        pay(desk, cards, plan.hot);
        done.fetch_add(1, Ordering::Relaxed);
    });
    Measured { operations: done.into_inner(), elapsed_s: begin.elapsed().as_secs_f64(), clients: plan.clients }
}

/// The texts and numbers of a real redemption, for the raw loops to write as many bytes.
pub(crate) struct Template {
    pub(crate) answer: String,
    pub(crate) decision: String,
    pub(crate) order: String,
    pub(crate) entries: Vec<Entry>,
}

/// Redeems once and looks at what was written.
pub(crate) fn template(desk: &Desk) -> Template {
    let number = serial();
    let input = bank::payment(&format!("template-{number:06}"), &format!("order-{number:012}"), 35, &[bank::code(0)]);
    desk.pay(&input, PayKind::Redeem, bank::NOW).unwrap();
    let mut after = 0;
    let mut last = None;
    loop {
        let page = desk.store().operations(after, 10_000).unwrap();
        let Some(end) = page.last() else { break };
        after = end.sequence;
        last = page.into_iter().next_back();
    }
    let last = last.unwrap();
    let key = RecordKey { kind: RecordKind::Order, site: bank::SITE.to_string(), id: format!("order-{number:012}") };
    let want = Want { records: vec![key.clone()], ..Want::default() };
    let order = desk.store().find(&want).unwrap().records.remove(&key).unwrap();
    Template {
        answer: last.operation.answer,
        decision: last.operation.decision.unwrap(),
        order: order.body,
        entries: last.entries,
    }
}

/// What an operation costs on the disk, by the `size` of the database before and after many, in bytes.
pub(crate) fn bytes(desk: &Desk, store: &str, size: impl Fn() -> u64) {
    let before = size();
    // Many more than the log has room for: it is moved into the file at its own times.
    let count = 100_000;
    spend(desk, &Cards { count: 1000, secrets: desk.secrets() }, 16, count);
    println!("{store}: about {} bytes of the database for one redemption", size().saturating_sub(before) / count);
}
