//! What an operation answers, the first time and every time after. Amounts are decimal strings. Must not hold a code.

use giftcard_engine::card::Status;
use giftcard_engine::moment::{InstantMs, format_instant};
use giftcard_engine::{Currency, Minor};
use serde::{Deserialize, Serialize};

use crate::draft::Draft;
use crate::model::{Account, AccountKind, Id, OperationKey, OperationKind};

/// What was done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// The key of the operation.
    pub operation: String,
    /// What it did.
    pub kind: String,
    /// When, as RFC 3339 in UTC.
    pub at: String,
    /// The order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<String>,
    /// The hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hold: Option<Id>,
    /// The state of the hold afterwards.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hold_state: Option<crate::model::HoldState>,
    /// The hold's end, as RFC 3339 in UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends_at: Option<String>,
    /// Currency of the order, and of `applied`, `due` and `remaining`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub currency: Option<String>,
    /// What all accounts paid, hold or got back together, in the order's currency.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub applied: Option<String>,
    /// What another payment method has to pay, or gets back of a refund, in the order's currency.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due: Option<String>,
    /// Whether another payment method is needed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payment_required: Option<bool>,
    /// Of a hold: what can still be captured, in the order's currency.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remaining: Option<String>,
    /// Why, as the caller said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What each account had done to it, in the order it was done.
    pub accounts: Vec<AccountLine>,
    /// Entries that do not pay because they may not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub refused: Vec<RefusedEntry>,
}

/// An entry that does not pay because it may not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusedEntry {
    /// The card, or `card-1` and so on, by position, where there is none. Never a code.
    pub id: String,
    /// Why. For staff and the owner who is signed in.
    pub code: String,
    /// Why, in words. For staff and the owner who is signed in.
    pub message: String,
    /// What a shopper may see.
    pub public_code: String,
    /// What a shopper may see, in words.
    pub public_message: String,
}

/// What an operation did to one account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountLine {
    /// The account.
    pub id: Id,
    /// Card or store credit.
    pub kind: AccountKind,
    /// Its currency.
    pub currency: String,
    /// Change of the balance.
    pub amount: String,
    /// Part of the order that it paid, holds for or got back, in the order's currency.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub applied: Option<String>,
    /// Balance before.
    pub balance_before: String,
    /// Balance afterwards.
    pub balance: String,
    /// What is reserved of it afterwards.
    pub held: String,
    /// Stored state afterwards.
    pub status: String,
    /// Its end afterwards, as RFC 3339 in UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<String>,
}

impl Receipt {
    /// An empty one; [`Self::seal`] fills in what the operation says of itself.
    #[must_use]
    pub fn new() -> Self {
        Self {
            operation: String::new(),
            kind: String::new(),
            at: String::new(),
            order: None,
            hold: None,
            hold_state: None,
            ends_at: None,
            currency: None,
            applied: None,
            due: None,
            payment_required: None,
            remaining: None,
            reason: None,
            accounts: Vec::new(),
            refused: Vec::new(),
        }
    }

    /// Adds what was done to an account; its balance afterwards is filled in at the end. An account that comes twice, as
    /// the card that replaced two others, has one line.
    pub fn line(&mut self, account: &Account, before: Minor, applied: Option<(Minor, Currency)>) {
        let decimal = |(amount, currency): (Minor, Currency)| amount.to_decimal(currency.exponent());
        if let Some(line) = self.accounts.iter_mut().find(|line| line.id == account.id) {
            let so_far = |currency: Currency| line.applied.as_deref().and_then(|text| currency.parse(text).ok());
            let sum = applied.map(|(amount, currency)| {
                (so_far(currency).unwrap_or_default().plus(amount).unwrap_or(Minor::MAX), currency)
            });
            line.applied = sum.map(decimal).or(line.applied.take());
            return;
        }
        self.accounts.push(AccountLine {
            id: account.id,
            kind: account.kind,
            currency: account.currency.to_string(),
            amount: String::new(),
            applied: applied.map(decimal),
            balance_before: before.to_decimal(account.currency.exponent()),
            balance: String::new(),
            held: String::new(),
            status: String::new(),
            expires_at: None,
        });
    }

    /// The answer as JSON, with every account as `draft` leaves it.
    #[must_use]
    pub fn seal(mut self, key: &OperationKey, kind: OperationKind, at: InstantMs, draft: &Draft) -> String {
        self.operation.clone_from(&key.key);
        self.kind = kind.name().to_string();
        self.at = format_instant(at);
        for line in &mut self.accounts {
            let Ok(account) = draft.account(line.id) else { continue };
            let exponent = account.currency.exponent();
            let before = account.currency.parse(&line.balance_before).unwrap_or_default();
            line.amount = account.balance.minus(before).unwrap_or_default().to_decimal(exponent);
            line.balance = account.balance.to_decimal(exponent);
            line.held = account.held.to_decimal(exponent);
            line.status = status_name(account.status).to_string();
            line.expires_at = account.expires_at.map(format_instant);
        }
        serde_json::to_string(&self).expect("INVARIANT: a receipt has string keys only")
    }
}

impl Default for Receipt {
    fn default() -> Self {
        Self::new()
    }
}

/// The stored state as people read it.
#[must_use]
pub fn status_name(status: Status) -> &'static str {
    match status {
        Status::Pending => "pending",
        Status::Active => "active",
        Status::Disabled => "disabled",
        Status::Closed => "closed",
    }
}
