//! What every engine is asked and answers, and the decision in plain Rust: what the others are compared with. Must not know
//! any engine.

use serde::{Deserialize, Serialize};

/// One of the things that may be refused: its code is the same in every engine.
pub const NOT_IN_CART: &str = "not-in-cart";
pub const NOT_SERVED: &str = "area-not-served";
pub const WRONG_SEGMENT: &str = "wrong-segment";
pub const WRONG_WEEKDAY: &str = "wrong-weekday";
pub const WRONG_TIME: &str = "wrong-time";
pub const CAP_REACHED: &str = "cap-reached";

/// The order with the balances of its cards, in cents.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Order {
    pub total: i64,
    pub country: String,
    pub segments: Vec<String>,
    /// 1 is Monday.
    pub weekday: u8,
    pub minute_of_day: u16,
    pub lines: Vec<Line>,
    pub cards: Vec<i64>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Line {
    pub sku: String,
    pub categories: Vec<String>,
    pub total: i64,
}

/// What each card pays, why it does not, and what is left to pay.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    pub cards: Vec<Share>,
    pub due: i64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Share {
    pub applied: i64,
    /// Empty for a card that pays.
    pub refusal: String,
}

/// The first condition that does not hold refuses every card; then cards pay in turn, at most half of the order together.
pub fn decide(order: &Order) -> Decision {
    let refusal = if !order.lines.iter().any(|line| line.categories.iter().any(|category| category == "books")) {
        NOT_IN_CART
    } else if order.country != "US" && order.country != "CA" {
        NOT_SERVED
    } else if !order.segments.iter().any(|segment| segment == "vip") {
        WRONG_SEGMENT
    } else if order.weekday > 5 {
        WRONG_WEEKDAY
    } else if !(480..1320).contains(&order.minute_of_day) {
        WRONG_TIME
    } else {
        ""
    };
    let mut room = order.total / 2;
    let mut due = order.total;
    let share = |balance: &i64| {
        if !refusal.is_empty() {
            return Share { applied: 0, refusal: refusal.to_string() };
        }
        let applied = (*balance).min(room);
        room -= applied;
        due -= applied;
        Share { applied, refusal: if applied == 0 { CAP_REACHED } else { "" }.to_string() }
    };
    let cards = order.cards.iter().map(share).collect();
    Decision { cards, due }
}
