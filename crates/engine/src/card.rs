//! A card as it stands at one moment. Must not know orders.

use alloc::string::String;
use alloc::vec::Vec;

use crate::moment::InstantMs;
use crate::programme::MANUAL;
use chrono::NaiveDate;

use crate::money::{Currency, Minor};
use crate::value::Named;

/// The stored state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Status {
    /// Sold, but its order is not invoiced yet.
    Pending,
    /// Can be used.
    Active,
    /// Blocked, reversibly.
    Disabled,
    /// Gone for good.
    Closed,
}

/// The state that people are shown. In order of precedence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ShownState {
    /// Gone for good.
    Closed,
    /// Blocked, reversibly.
    Disabled,
    /// Not invoiced yet.
    Pending,
    /// Past its end.
    Expired,
    /// Nothing left on it.
    Exhausted,
    /// Can be used.
    Active,
}

impl ShownState {
    /// What people are shown of a card with this stored state, end and balance at `now`.
    #[must_use]
    pub fn of(status: Status, expires_at: Option<InstantMs>, balance: Minor, now: InstantMs) -> Self {
        match status {
            Status::Closed => Self::Closed,
            Status::Disabled => Self::Disabled,
            Status::Pending => Self::Pending,
            Status::Active if expires_at.is_some_and(|end| end <= now) => Self::Expired,
            Status::Active if balance.is_zero() => Self::Exhausted,
            Status::Active => Self::Active,
        }
    }
}

/// A card at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CardSnapshot {
    /// How the caller calls it in answers. Never the code.
    pub id: String,
    /// The code as entered, if the caller has it: two entries with one code are one card.
    pub code: Option<String>,
    /// The site that issued it.
    pub site: String,
    /// Code name of its programme.
    pub programme: String,
    /// Currency of its amounts.
    pub currency: Currency,
    /// Stored state.
    pub status: Status,
    /// Sum of its entries; at least 0.
    pub balance: Minor,
    /// Reserved by live holds; at least 0, at most the balance.
    pub held: Minor,
    /// Value at issue.
    pub initial: Minor,
    /// When it was issued.
    pub issued_at: InstantMs,
    /// First instant at which it no longer works.
    pub expires_at: Option<InstantMs>,
    /// The last day it works, where the end was given as a plain date: people are told that.
    pub expires_on: Option<NaiveDate>,
    /// The shopper's own limit, in the order's currency; more than 0.
    pub use_at_most: Option<Minor>,
    /// Whatever else the platform knows.
    pub attributes: Vec<Named>,
}

impl CardSnapshot {
    /// An active card of the site's `manual` programme, without an end. Its issue counts as the beginning of 1970.
    #[must_use]
    pub fn new(id: &str, site: &str, currency: Currency, balance: Minor) -> Self {
        Self {
            id: id.into(),
            code: None,
            site: site.into(),
            programme: MANUAL.into(),
            currency,
            status: Status::Active,
            balance,
            held: Minor::ZERO,
            initial: balance,
            issued_at: 0,
            expires_at: None,
            expires_on: None,
            use_at_most: None,
            attributes: Vec::new(),
        }
    }

    /// Balance without live holds.
    #[must_use]
    pub fn available(&self) -> Minor {
        self.balance.less(self.held)
    }

    /// What people are shown at `now`.
    #[must_use]
    pub fn shown_state(&self, now: InstantMs) -> ShownState {
        ShownState::of(self.status, self.expires_at, self.balance, now)
    }
}
