//! Random orders, the same for the same seed. Must not know what is decided about them.

use crate::decision::{Line, Order};

/// Xorshift: enough to vary orders.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % bound
    }

    fn one<'a>(&mut self, choices: &[&'a str]) -> &'a str {
        let index = self.below(choices.len() as u64);
        choices[usize::try_from(index).unwrap_or(0)]
    }
}

/// An order of so many lines, or of any number up to 200. Every condition holds more often than not.
pub fn random(seed: u64, lines: Option<usize>) -> Order {
    let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    for _ in 0..8 {
        random.below(2);
    }
    let count = lines.unwrap_or(usize::try_from(1 + random.below(200)).unwrap_or(1));
    // One order in eight has no books, however many lines it has.
    let kinds: &[&str] = if random.below(8) == 0 { &["games", "toys"] } else { &["books", "games", "toys"] };
    let lines: Vec<Line> = (0..count)
        .map(|index| Line {
            sku: format!("SKU-{index:05}"),
            categories: vec![random.one(kinds).to_string(), "all".to_string()],
            total: 100 + i64::try_from(random.below(5_000)).unwrap_or(0),
        })
        .collect();
    let total = lines.iter().map(|line| line.total).sum();
    let balance = |random: &mut Random| 1 + i64::try_from(random.below(u64::try_from(total).unwrap_or(1))).unwrap_or(0);
    let days = if random.below(3) == 0 { 7 } else { 5 };
    let minutes = if random.below(3) == 0 { 960 } else { 840 };
    Order {
        total,
        country: random.one(&["US", "CA", "US", "CA", "US", "CA", "DE"]).to_string(),
        segments: vec![random.one(&["vip", "vip", "vip", "vip", "vip", "staff"]).to_string(), "b2b".to_string()],
        weekday: u8::try_from(1 + random.below(days)).unwrap_or(1),
        minute_of_day: u16::try_from(480 + random.below(minutes)).unwrap_or(480),
        cards: (0..3).map(|_| balance(&mut random)).collect(),
        lines,
    }
}

/// An order that nothing refuses, whose book is on its last line, so that all of it has to be looked at.
pub fn paid(seed: u64, lines: usize) -> Order {
    let mut order = random(seed + 1_000, Some(lines));
    for line in &mut order.lines {
        line.categories[0] = "games".to_string();
    }
    if let Some(last) = order.lines.last_mut() {
        last.categories[0] = "books".to_string();
    }
    Order {
        country: "US".to_string(),
        segments: vec!["vip".to_string(), "b2b".to_string()],
        weekday: 3,
        minute_of_day: 720,
        ..order
    }
}
