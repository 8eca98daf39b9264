//! Shoppers: each asks for one thing after another, as its seed has it, and goes on from what it was answered. Must not
//! know what their requests are good for.

use giftcard_engine::moment::InstantMs;

use super::client::{Action, Reply, hold_of};
use crate::random::Random;

/// Cards that every ledger of these tests has.
pub const CARDS: usize = 24;

/// What each of them is issued with, in cents: more than all shoppers can spend.
pub const CARD_VALUE: i64 = 100_000_000_000;

/// The key of the operation that issues them.
pub const ISSUE: &str = "issue";

/// The operation that issues the cards.
#[must_use]
pub fn issue() -> Action {
    Action::Issue { from: 0, count: CARDS, value: CARD_VALUE }
}

/// A shopper. The same name and seed ask for the same, as long as they are answered the same.
pub struct Shopper {
    name: String,
    random: Random,
    count: u64,
    now: InstantMs,
    open: Option<Open>,
    paid: Option<(String, i64)>,
}

/// A hold that waits for its capture.
struct Open {
    hold: String,
    left: i64,
}

impl Shopper {
    /// A shopper whose keys begin with `name`, from `now` on.
    #[must_use]
    pub fn new(name: String, seed: u64, now: InstantMs) -> Self {
        Self { name, random: Random::new(seed), count: 0, now, open: None, paid: None }
    }

    /// What it asks for next, under which key and at which moment.
    pub fn wish(&mut self) -> (String, Action, InstantMs) {
        self.count += 1;
        self.now += 1;
        (format!("{}-{}", self.name, self.count), self.choose(), self.now)
    }

    fn choose(&mut self) -> Action {
        if let Some(Open { hold, left }) = &self.open {
            let (hold, left) = (hold.clone(), *left);
            return match self.random.within(1, 10) {
                1 => Action::Void { hold, left },
                // More than is left, which is refused, and the refusal is remembered.
                2 => Action::Capture { hold, amount: left + 1, left },
                3..=5 if left > 1 => Action::Capture { hold, amount: self.random.within(1, left - 1), left },
                _ => Action::Capture { hold, amount: left, left },
            };
        }
        if let Some((order, total)) = self.paid.take()
            && self.random.chance(30)
        {
            return Action::Refund { order, amount: self.random.within(1, total) };
        }
        let total = self.random.within(100, 20_000);
        match self.random.within(1, 10) {
            1 => Action::Load { card: self.card(), amount: total },
            2..=4 => Action::Hold { total, cards: self.cards(total) },
            _ => Action::Redeem { total, cards: self.cards(total) },
        }
    }

    /// One card that everybody uses, or others; now and then two, of which the first pays a part.
    fn cards(&mut self, total: i64) -> Vec<(usize, Option<i64>)> {
        let first = self.card();
        if self.random.chance(25) {
            let second = (first + 1) % CARDS;
            return vec![(first, Some(total / 2)), (second, None)];
        }
        vec![(first, None)]
    }

    fn card(&mut self) -> usize {
        if self.random.chance(30) {
            return 0;
        }
        usize::try_from(self.random.within(0, CARDS as i64 - 1)).unwrap_or(0)
    }

    /// What came of it.
    pub fn hears(&mut self, key: &str, action: &Action, reply: &Reply) {
        match (action, reply) {
            (Action::Hold { total, .. }, Reply::Done(answer)) => {
                self.open = hold_of(answer).ok().map(|hold| Open { hold, left: *total });
            }
            (Action::Capture { hold, amount, left }, Reply::Done(_)) => {
                let left = left - amount;
                self.open = (left > 0).then(|| Open { hold: hold.clone(), left });
            }
            (Action::Void { .. }, _) | (Action::Capture { .. }, Reply::Failed(..)) => self.open = None,
            (Action::Redeem { total, .. }, Reply::Done(_)) => self.paid = Some((key.to_string(), *total)),
            _ => {}
        }
    }
}
