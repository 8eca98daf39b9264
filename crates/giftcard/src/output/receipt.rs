//! What an operation did, as JSON. Amounts are decimal strings. Must not know how it was done.

use giftcard_ledger::model::{AccountKind, HoldState};
use giftcard_ledger::operations::{AccountLine, Receipt, RefusedEntry};
use schemars::JsonSchema;
use serde::Serialize;

use super::{ErrorBody, QuoteOutput, RevealedOutput};

/// What an operation did. A repetition of the operation gets the same, and says so.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "Receipt")]
pub struct ReceiptOutput {
    /// The key of the operation.
    pub operation: String,
    /// What it did, such as `redeem`.
    pub kind: String,
    /// When, as RFC 3339 in UTC.
    pub at: String,
    /// It had been done before.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub repeated: bool,
    /// The order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<String>,
    /// The hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hold: Option<String>,
    /// The state of the hold afterwards: `open`, `captured`, `voided`, `expired` or `replaced`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hold_state: Option<&'static str>,
    /// The hold's end, as RFC 3339 in UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends_at: Option<String>,
    /// Currency of the order, and of `applied`, `due` and `remaining`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub currency: Option<String>,
    /// What all cards and store credit paid, hold or got back together, in the order's currency.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub applied: Option<String>,
    /// What another payment method has to pay, or gets back of a refund, in the order's currency.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due: Option<String>,
    /// Whether another payment method is needed. Without, the order can be confirmed as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payment_required: Option<bool>,
    /// Of a hold: what can still be captured, in the order's currency.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remaining: Option<String>,
    /// Why, as the caller said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What each card or store credit had done to it, in the order in which it was done.
    pub accounts: Vec<AccountLineOutput>,
    /// Entries that do not pay because they may not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub refused: Vec<RefusedEntryOutput>,
    /// Cards that a refund made in place of closed ones, with their codes. Only the first time.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub new_cards: Vec<RevealedOutput>,
}

/// What an operation did to one card or store credit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "AccountLine")]
pub struct AccountLineOutput {
    /// Its id.
    pub id: String,
    /// `card` or `credit`.
    pub kind: &'static str,
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
    /// Stored state afterwards: `pending`, `active`, `disabled` or `closed`.
    pub status: String,
    /// Its end afterwards, as RFC 3339 in UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<String>,
}

/// An entry that does not pay because it may not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "RefusedEntry")]
pub struct RefusedEntryOutput {
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

/// What `giftcard redeem --json` and the like print for one document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(untagged)]
#[schemars(rename = "pay-output")]
pub enum PayAnswer {
    /// What was done.
    Done(Box<ReceiptOutput>),
    /// Why nothing was.
    Refused(Box<PayRefusedOutput>),
}

/// Why nothing was done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "PayRefused")]
pub struct PayRefusedOutput {
    /// The error.
    pub error: ErrorBody,
    /// What each card would pay now, where the rules decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quote: Option<QuoteOutput>,
}

impl ReceiptOutput {
    /// A receipt, the first time or again.
    #[must_use]
    pub fn new(receipt: Receipt, repeated: bool) -> Self {
        Self {
            operation: receipt.operation,
            kind: receipt.kind,
            at: receipt.at,
            repeated,
            order: receipt.order,
            hold: receipt.hold.map(|hold| hold.to_string()),
            hold_state: receipt.hold_state.map(state_name),
            ends_at: receipt.ends_at,
            currency: receipt.currency,
            applied: receipt.applied,
            due: receipt.due,
            payment_required: receipt.payment_required,
            remaining: receipt.remaining,
            reason: receipt.reason,
            accounts: receipt.accounts.into_iter().map(line).collect(),
            refused: receipt.refused.into_iter().map(refused).collect(),
            new_cards: Vec::new(),
        }
    }
}

fn line(line: AccountLine) -> AccountLineOutput {
    AccountLineOutput {
        id: line.id.to_string(),
        kind: match line.kind {
            AccountKind::Card => "card",
            AccountKind::Credit => "credit",
        },
        currency: line.currency,
        amount: line.amount,
        applied: line.applied,
        balance_before: line.balance_before,
        balance: line.balance,
        held: line.held,
        status: line.status,
        expires_at: line.expires_at,
    }
}

fn refused(entry: RefusedEntry) -> RefusedEntryOutput {
    let RefusedEntry { id, code, message, public_code, public_message } = entry;
    RefusedEntryOutput { id, code, message, public_code, public_message }
}

const fn state_name(state: HoldState) -> &'static str {
    match state {
        HoldState::Open => "open",
        HoldState::Captured => "captured",
        HoldState::Voided => "voided",
        HoldState::Expired => "expired",
        HoldState::Replaced => "replaced",
    }
}
