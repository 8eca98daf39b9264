//! Two hundred small orders, the same on every run, each with what its cards must come to: that needs no more than
//! knowing which of them it made unusable. Must not read an answer.

use giftcard_tests::random::Random;
use serde_json::{Value, json};

const ORDERS: i64 = 200;

/// The programme with a minimum order amount, in cents.
const MINIMUM: i64 = 4000;

/// Sku, name and price in cents.
const PRODUCTS: [(&str, &str, i64); 12] = [
    ("PLT-MON-M", "Monstera, medium", 2450),
    ("PLT-SNK-S", "Snake plant, small", 1390),
    ("PLT-OLV-L", "Olive tree, large", 6900),
    ("PLT-FRN-S", "Boston fern", 1175),
    ("PLT-CAC-3", "Three cacti", 995),
    ("POT-TER-14", "Terracotta pot, 14 cm", 780),
    ("POT-GLZ-20", "Glazed pot, 20 cm", 2199),
    ("SOL-POT-10", "Potting soil, 10 litres", 849),
    ("FRT-LQD-05", "Liquid plant food, 0.5 litres", 1045),
    ("CAN-CPR-1", "Copper watering can", 3825),
    ("SHR-PRN-1", "Pruning shears", 2760),
    ("MST-GLS-1", "Glass plant mister", 1533),
];

/// An order, and the cents that its cards must pay.
pub(crate) struct Made {
    pub(crate) document: Value,
    pub(crate) id: String,
    pub(crate) total: i64,
    pub(crate) applied: i64,
}

pub(crate) fn orders() -> Vec<Made> {
    let mut random = Random::new(200);
    (1..=ORDERS).map(|number| order(number, &mut random)).collect()
}

/// Cents as a decimal string.
pub(crate) fn dollars(cents: i64) -> String {
    format!("{}.{:02}", cents / 100, cents % 100)
}

fn order(number: i64, random: &mut Random) -> Made {
    let id = format!("PL-{}", 30_000 + number);
    let mut lines = Vec::new();
    let mut total = 0;
    for _ in 0..random.within(1, 4) {
        let (sku, name, price) = random.one(&PRODUCTS);
        let quantity = random.within(1, 2);
        total += price * quantity;
        lines.push(json!({
            "sku": sku, "name": name, "categories": ["Plants & pots"], "quantity": quantity.to_string(),
            "unit_price": dollars(price), "total": dollars(price * quantity),
        }));
    }
    if total < 5000 {
        total += 695;
        lines.push(json!({"part": "shipping", "name": "Ground", "total": "6.95"}));
    }
    let mut usable = 0;
    let cards = (1..=random.within(1, 3)).map(|place| card(&format!("{number}-{place}"), total, &mut usable, random));
    let cards: Vec<Value> = cards.collect();
    let document = json!({
        "now": "2026-05-08T12:00:00Z",
        "order": {"id": id, "channel": "web", "currency": "USD", "total": dollars(total), "lines": lines},
        "programmes": [{"code_name": "over-40", "minimum_order": dollars(MINIMUM)}],
        "cards": cards,
    });
    Made { document, id, total, applied: usable.min(total) }
}

/// A card; what can be paid with it is added to `usable`.
fn card(id: &str, total: i64, usable: &mut i64, random: &mut Random) -> Value {
    let balance = random.one(&[500, 1000, 1500, 2500, 5000, 10_000]) - random.within(0, 1) * random.within(1, 499);
    let mut card = json!({"id": id, "balance": dollars(balance), "initial": "100.00"});
    match random.within(1, 10) {
        1 => card["status"] = json!("disabled"),
        2 => card["expires_at"] = json!("2026-04-30"),
        3 | 4 => {
            card["programme"] = json!("over-40");
            *usable += if total >= MINIMUM { balance } else { 0 };
        }
        _ => *usable += balance,
    }
    card
}
