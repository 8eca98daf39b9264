//! What can be asked of a ledger, in the model's own words. Must not know answers.

/// Currencies of the tests. There is a rate between the first two, and none to the third.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs)]
pub enum Money {
    Usd,
    Pln,
    Eur,
}

impl Money {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Usd, Self::Pln, Self::Eur];

    /// Code of ISO 4217.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Usd => "USD",
            Self::Pln => "PLN",
            Self::Eur => "EUR",
        }
    }

    /// What one unit is worth in another currency, as a fraction: 3.97 PLN for a USD.
    #[must_use]
    pub const fn rate_to(self, other: Self) -> Option<(i128, i128)> {
        match (self, other) {
            (Self::Usd, Self::Usd) | (Self::Pln, Self::Pln) | (Self::Eur, Self::Eur) => Some((1, 1)),
            (Self::Usd, Self::Pln) => Some((397, 100)),
            (Self::Pln, Self::Usd) => Some((100, 397)),
            _ => None,
        }
    }
}

/// An account as somebody names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// A card, by its code or by its id.
    Card {
        /// Its number.
        card: usize,
        /// By its code.
        by_code: bool,
    },
    /// A customer's store credit.
    Credit(u8, Money),
}

/// A card to issue.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct IssueCard {
    pub money: Money,
    pub value: i64,
    pub active: bool,
    pub expires_at: Option<i64>,
    pub customer: Option<u8>,
    pub bought_by: Option<u8>,
}

/// A change of state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Change {
    Activate,
    Disable,
    Enable,
}

/// What is entered for an order: an account, and how much of the order it may pay at most.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Entry {
    pub target: Target,
    pub most: Option<i64>,
}

/// An order to pay.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Pay {
    pub order: u8,
    pub money: Money,
    pub total: i64,
    /// What the asker says has been paid of it already.
    pub paid: i64,
    pub customer: Option<u8>,
    pub entries: Vec<Entry>,
    /// The only entry pays its amount, or nothing is done.
    pub is_exact: bool,
    /// Nothing may be left to pay.
    pub require_full: bool,
    /// Minutes, where it is a hold.
    pub hold_minutes: Option<u32>,
}

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Ask {
    Issue(Vec<IssueCard>),
    ChangeState { target: Target, change: Change },
    ActivatePurchase { order: u8, cards: Vec<usize> },
    CancelPurchase { order: u8, cards: Vec<usize> },
    Load { target: Target, amount: i64, most: Option<i64> },
    AdjustBy { target: Target, by: i64 },
    AdjustTo { target: Target, to: i64 },
    Close { target: Target },
    Expire { target: Target },
    Reveal { target: Target },
    ToCredit { target: Target, customer: u8 },
    Transfer { target: Target },
    RefundPurchase { target: Target, amount: Option<i64> },
    Pay(Pay),
    Capture { hold: usize, amount: Option<i64>, is_final: bool },
    Void { hold: usize },
    Refund { order: u8, whole: bool, amount: i64 },
    RefundOther { order: u8, target: Target, amount: i64, paid: Option<i64> },
}
