//! Clients that redeem, load, correct and look at a few cards all at once, and write down what they asked and heard. Must
//! not know whether the ledger is right.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use giftcard::{Desk, DeskError};
use giftcard_ledger::model::Id;
use giftcard_ledger::operations::Receipt;
use giftcard_ledger::store::{StoreError, Want};

use super::{Asked, Event, Told, Violation, explain};
use crate::bank;
use crate::concurrency::calls::{Call, What};
use crate::concurrency::faults::Dice;

/// What is on each card at first, in cents.
pub const BALANCE: i64 = 5_000;

/// How many clients ask how often.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    /// Cards.
    pub cards: usize,
    /// Clients of each desk.
    pub clients: usize,
    /// Operations of each client.
    pub operations: usize,
    /// What is random follows from it.
    pub seed: u64,
    /// A client that does not hear what became of its operation asks again, except one in so many times.
    pub gives_up_one_in: u64,
}

/// What the clients saw.
#[derive(Debug, Default)]
pub struct Histories {
    /// By card.
    pub cards: Vec<Vec<Event>>,
    /// How often somebody was told to try again later.
    pub busy: u64,
    /// How often an outcome was unknown.
    pub unknown: u64,
}

impl Histories {
    /// Looks for an explanation of each card's history.
    ///
    /// # Errors
    /// The first card without one.
    pub fn explain(&self) -> Result<(), (usize, Violation)> {
        let explain = |(card, events): (usize, &Vec<Event>)| explain(events, BALANCE).map_err(|why| (card, why));
        self.cards.iter().enumerate().try_for_each(explain)
    }

    /// How many operations.
    #[must_use]
    pub fn len(&self) -> usize {
        self.cards.iter().map(Vec::len).sum()
    }

    /// Whether nothing was asked.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many were told this.
    #[must_use]
    pub fn count(&self, told: impl Fn(&Told) -> bool) -> usize {
        self.cards.iter().flatten().filter(|event| told(&event.told)).count()
    }
}

struct Clients<'a> {
    load: Load,
    cards: &'a [Id],
    clock: AtomicU64,
    histories: Mutex<Histories>,
}

/// Lets clients of all desks, which are of one ledger, ask for `cards` with the codes [`bank::code`]`(0..)`.
///
/// # Panics
/// Where a desk answers what it must not.
#[must_use]
pub fn run(desks: &[Desk], cards: &[Id], load: Load) -> Histories {
    let histories = Histories { cards: vec![Vec::new(); cards.len()], ..Histories::default() };
    let clients = Clients { load, cards, clock: AtomicU64::new(0), histories: Mutex::new(histories) };
    std::thread::scope(|scope| {
        for (number, desk) in desks.iter().enumerate() {
            for client in 0..load.clients {
                let clients = &clients;
                scope.spawn(move || clients.client(desk, number * load.clients + client));
            }
        }
    });
    clients.histories.into_inner().unwrap_or_else(PoisonError::into_inner)
}

impl Clients<'_> {
    fn client(&self, desk: &Desk, number: usize) {
        let dice = Dice::new(self.load.seed.wrapping_mul(1_000_003).wrapping_add(number as u64) << 20);
        let amount = |most: u64| 1 + i64::try_from(dice.roll(most)).unwrap_or(0);
        for serial in 0..self.load.operations {
            let card = usize::try_from(dice.roll(self.cards.len() as u64)).unwrap_or(0);
            let asked = match dice.roll(10) {
                0..=4 => Asked::Take(amount(2_000)),
                5..=6 => Asked::Put(amount(1_500)),
                7 if dice.roll(2) == 0 => Asked::Correct(amount(500)),
                7 => Asked::Correct(-amount(1_000)),
                _ => Asked::Look,
            };
            let key = format!("{number}-{serial}");
            let begun = self.clock.fetch_add(1, Ordering::SeqCst);
            let told = self.ask(desk, &key, card, asked, &dice);
            let ended = self.clock.fetch_add(1, Ordering::SeqCst);
            if let Some(told) = told {
                self.histories().cards[card].push(Event { asked, told, begun, ended });
            }
        }
    }

    fn histories(&self) -> std::sync::MutexGuard<'_, Histories> {
        self.histories.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is answered in the end; `None` where the client was told that nothing was done.
    fn ask(&self, desk: &Desk, key: &str, card: usize, asked: Asked, dice: &Dice) -> Option<Told> {
        let code = bank::code(card);
        let (now, operation) = (bank::NOW, key.to_string());
        let call = match asked {
            Asked::Look => return Some(Told::Balance(self.look(desk, card))),
            Asked::Take(amount) => Call::exact(key, amount, &code),
            Asked::Put(amount) => Call { now, what: What::Load { operation, code, amount } },
            Asked::Correct(by) => Call { now, what: What::Adjust { operation, code, by } },
        };
        loop {
            match call.ask(desk) {
                Ok(answer) => return Some(Told::Balance(balance(&answer.text))),
                Err(DeskError::Refused(refused)) => {
                    let expected = ["insufficient-funds", "card-empty", "adjustment-too-low"];
                    assert!(expected.contains(&refused.code.as_str()), "{asked:?}: {refused:?}");
                    return Some(Told::Refused);
                }
                Err(DeskError::Store(StoreError::Unknown(_))) => {
                    self.histories().unknown += 1;
                    if dice.roll(self.load.gives_up_one_in) == 0 {
                        return Some(Told::Nothing);
                    }
                }
                Err(DeskError::Busy) => {
                    self.histories().busy += 1;
                    return None;
                }
                Err(error) => panic!("{asked:?}: {}: {error}", error.code()),
            }
        }
    }

    fn look(&self, desk: &Desk, card: usize) -> i64 {
        let want = Want { accounts: vec![self.cards[card]], ..Want::default() };
        desk.store().find(&want).expect("a read").accounts[&self.cards[card]].balance.get()
    }
}

fn balance(answer: &str) -> i64 {
    let receipt: Receipt = serde_json::from_str(answer).expect("a receipt");
    bank::usd().parse(&receipt.accounts[0].balance).expect("an amount").get()
}
