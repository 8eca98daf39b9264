//! A ledger for tests and measurements: a desk with one site on a store, cards to spend, orders to pay. Must not know which
//! store it is.

use std::sync::{Arc, OnceLock};

use giftcard::desk::Randomness;
use giftcard::input::PayInput;
use giftcard::secrets::Secrets;
use giftcard::{Desk, Doing, Shelf, Till};
use giftcard_engine::moment::InstantMs;
use giftcard_engine::{Currency, Minor};
use giftcard_host::{Host, HostConfig, Rulebook};
use giftcard_ledger::model::{Id, RecordKey, RecordKind};
use giftcard_ledger::operations::{IssueCards, NewCard, NewCode};
use giftcard_ledger::store::{Changes, RecordChange, Store, Verdict};
use rand::rngs::StdRng;
use rand::{CryptoRng, SeedableRng};

/// 2026-11-22T12:00:00Z.
pub const NOW: InstantMs = 1_795_348_800_000;

/// The site's name.
pub const SITE: &str = "main";

/// A rulebook with the standard components, loaded once for the process.
#[must_use]
pub fn rulebook() -> Rulebook {
    static RULES: OnceLock<Rulebook> = OnceLock::new();
    let load = || {
        let host = Host::new(HostConfig::default()).expect("a host can be made");
        Shelf::standard(&host).expect("the standard components load").into_rulebook()
    };
    RULES.get_or_init(load).clone()
}

/// Randomness that is the same for the same seed.
#[must_use]
pub fn randomness(seed: u64) -> Randomness {
    Box::new(StdRng::seed_from_u64(seed))
}

/// The keys that every desk of a seed has.
#[must_use]
pub fn secrets(seed: u64) -> Secrets {
    struct Seeded(StdRng);
    impl rand::TryRng for Seeded {
        type Error = std::convert::Infallible;

        fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
            self.0.try_next_u32()
        }

        fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
            self.0.try_next_u64()
        }

        fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Self::Error> {
            self.0.try_fill_bytes(bytes)
        }
    }
    impl rand::TryCryptoRng for Seeded {}
    let mut random = Seeded(StdRng::seed_from_u64(seed));
    Secrets::generate(&mut random as &mut (dyn CryptoRng + '_))
}

/// A desk on `store`. Two desks of one seed know the same codes; `run` makes their ids and references differ.
#[must_use]
pub fn desk(store: Arc<dyn Store>, seed: u64, run: u64) -> Desk {
    Desk::new(store, Till::new(rulebook()), secrets(seed), randomness(seed ^ run.wrapping_mul(0x9e37_79b9)))
}

/// Sets the site up, in US dollars, unless it is there.
pub fn set_up_site(store: &dyn Store, document: &serde_json::Value) {
    let id = document["id"].as_str().expect("a site has an id").to_string();
    let key = RecordKey { kind: RecordKind::Site, site: String::new(), id };
    let change = RecordChange { key, before: None, body: Some(document.to_string()) };
    let verdict = store.commit(0, &[&Changes { records: vec![change], ..Changes::default() }]);
    assert_eq!(verdict.expect("a site can be set up"), [Verdict::Committed]);
}

/// US dollars.
#[must_use]
pub fn usd() -> Currency {
    Currency::new("USD", 2).expect("a currency")
}

/// Minor units.
///
/// # Panics
/// Beyond 2^53 - 1.
#[must_use]
pub fn minor(amount: i64) -> Minor {
    Minor::new(amount).expect("an amount is at most 2^53 - 1")
}

/// Cents as "35.00".
///
/// # Panics
/// Beyond 2^53 - 1.
#[must_use]
pub fn dollars(cents: i64) -> String {
    minor(cents).to_decimal(2)
}

/// The code of the card with this number.
#[must_use]
pub fn code(number: usize) -> String {
    format!("TEST-{number:012}")
}

/// Issues cards with codes [`code`]`(from..from + count)`, each with `value`. Returns their ids.
pub fn issue(desk: &Desk, from: usize, count: usize, value: i64) -> Vec<Id> {
    let secrets = desk.secrets();
    let mut ids = Vec::with_capacity(count);
    for first in (from..from + count).step_by(1000) {
        let card = |number: usize| NewCard {
            id: desk.ledger().new_id(NOW),
            currency: usd(),
            programme: "manual".to_string(),
            customer: None,
            value: minor(value),
            active: true,
            expires_at: None,
            expires_on: None,
            bought_by: None,
            code: NewCode::Made {
                id: desk.ledger().new_id(NOW),
                lookups: secrets.lookups(SITE, &code(number)),
                hint: None,
                sealed: None,
            },
        };
        let cards: Vec<NewCard> = (first..(from + count).min(first + 1000)).map(card).collect();
        ids.extend(cards.iter().map(|card| card.id));
        let command = IssueCards { cards, reason: None, configuration: None, records: Vec::new() };
        let operation = format!("issue-{first}");
        let doing = Doing { site: SITE, operation: &operation, actor: None, now: NOW };
        desk.operate(&doing, &command, &serde_json::json!(first)).expect("cards can be issued");
    }
    ids
}

/// A payment of `total` cents with these codes.
#[must_use]
pub fn payment(operation: &str, order: &str, total: i64, codes: &[String]) -> PayInput {
    let cards = codes.iter().map(|code| serde_json::json!({ "code": code })).collect();
    serde_json::from_value(payment_document(operation, order, total, cards)).expect("a payment")
}

/// A document of `giftcard redeem` or `giftcard hold` for `total` cents.
#[must_use]
pub fn payment_document(operation: &str, order: &str, total: i64, cards: Vec<serde_json::Value>) -> serde_json::Value {
    serde_json::json!({
        "operation": operation,
        "order": { "id": order, "currency": "USD", "total": dollars(total) },
        "cards": cards,
    })
}
