//! Cards and store credit as they are answered: one of them, its entries, new ones with their codes. Amounts are
//! decimal strings, instants RFC 3339 in UTC. Must not know where an answer goes.

use std::fmt;

use giftcard_engine::Minor;
use giftcard_engine::card::{ShownState, Status};
use giftcard_engine::moment::{InstantMs, format_instant};
use giftcard_ledger::model::{Account, AccountKind, Leg};
use giftcard_ledger::operations::{AccountLine, status_name};
use giftcard_ledger::store::Booked;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize, Serializer};

use crate::codes::SecretCode;

/// The state of a card as people see it, in order of precedence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(rename = "CardState")]
pub enum CardState {
    /// Gone for good.
    Closed,
    /// Blocked, reversibly.
    Disabled,
    /// Not activated yet.
    Pending,
    /// Past its end.
    Expired,
    /// Nothing left on it.
    Exhausted,
    /// Can be used.
    Active,
}

impl CardState {
    /// Every state.
    pub const ALL: [Self; 6] =
        [Self::Closed, Self::Disabled, Self::Pending, Self::Expired, Self::Exhausted, Self::Active];

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Disabled => "disabled",
            Self::Pending => "pending",
            Self::Expired => "expired",
            Self::Exhausted => "exhausted",
            Self::Active => "active",
        }
    }

    /// The state of an account at `now`.
    #[must_use]
    pub fn of(account: &Account, now: InstantMs) -> Self {
        let shown = ShownState::of(account.status, account.expires_at, account.balance, now);
        match shown {
            ShownState::Closed => Self::Closed,
            ShownState::Disabled => Self::Disabled,
            ShownState::Pending => Self::Pending,
            ShownState::Expired => Self::Expired,
            ShownState::Exhausted => Self::Exhausted,
            ShownState::Active => Self::Active,
        }
    }
}

/// A card or store credit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "account-output")]
pub struct AccountOutput {
    /// Its id.
    pub id: String,
    /// `card` or `credit`.
    pub kind: String,
    /// The site it belongs to.
    pub site: String,
    /// A card's programme by code name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub programme: Option<String>,
    /// The customer that owns it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer: Option<String>,
    /// Its state.
    pub state: CardState,
    /// Its currency.
    pub currency: String,
    /// Sum of its entries.
    pub balance: String,
    /// What of it is reserved for orders.
    pub held: String,
    /// What of it is not.
    pub available: String,
    /// What a card was issued with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub initial: Option<String>,
    /// When it was issued.
    pub issued_at: String,
    /// First instant at which it no longer works.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<String>,
    /// The last day it works, where a plain date says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_on: Option<String>,
    /// Last characters of its code, where they may be shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// The order that bought it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bought_by: Option<String>,
    /// The card that took its balance over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaced_by: Option<String>,
    /// How many entries it has.
    pub entries: u64,
}

impl AccountOutput {
    /// An account whose passed holds are settled.
    #[must_use]
    pub fn of(account: &Account, now: InstantMs) -> Self {
        let decimal = |amount: Minor| amount.to_decimal(account.currency.exponent());
        let is_card = account.kind == AccountKind::Card;
        Self {
            id: account.id.to_string(),
            kind: if is_card { "card" } else { "credit" }.to_string(),
            site: account.site.clone(),
            programme: is_card.then(|| account.programme.clone()),
            customer: account.customer.clone(),
            state: CardState::of(account, now),
            currency: account.currency.to_string(),
            balance: decimal(account.balance),
            held: decimal(account.held),
            available: decimal(account.available()),
            initial: is_card.then(|| decimal(account.initial)),
            issued_at: format_instant(account.issued_at),
            expires_at: account.expires_at.map(format_instant),
            expires_on: account.expires_on.clone(),
            hint: account.hint.clone(),
            bought_by: account.bought_by.clone(),
            replaced_by: account.replaced_by.map(|id| id.to_string()),
            entries: account.version,
        }
    }
}

/// A card with what belongs to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "card-output")]
pub struct CardDetailsOutput {
    /// The card.
    #[serde(flatten)]
    pub account: AccountOutput,
    /// The name of its programme for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub programme_name: Option<String>,
    /// What is reserved on it, and until when.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub holds: Vec<CardHoldOutput>,
    /// Whether its code is kept sealed, because it still has to be delivered.
    pub to_deliver: bool,
}

/// What an open hold reserves on a card.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "CardHold")]
pub struct CardHoldOutput {
    /// The hold.
    pub hold: String,
    /// The order it is for.
    pub order: String,
    /// What it reserves, in the card's currency.
    pub amount: String,
    /// First instant at which it no longer does.
    pub ends_at: String,
}

/// What may be told to whoever has the code of a card.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "balance-output")]
pub struct BalanceOutput {
    /// Currency of the amount.
    pub currency: String,
    /// What can be paid with it.
    pub available: String,
    /// First instant at which it no longer works.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<String>,
    /// The last day it works, where a plain date says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_on: Option<String>,
    /// The first instant at which it works, where that is still to come.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_from: Option<String>,
}

/// An entry of a card or store credit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "AccountEntry")]
pub struct AccountEntryOutput {
    /// 1 for the first.
    pub number: u64,
    /// When.
    pub at: String,
    /// What was done.
    pub kind: String,
    /// The key of the operation that did it.
    pub operation: String,
    /// The order it was for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<String>,
    /// Who did it, as the caller said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor: Option<String>,
    /// Why, as the caller said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Change of the balance.
    pub amount: String,
    /// Change of what is reserved.
    pub held_change: String,
    /// The balance afterwards.
    pub balance: String,
    /// What was reserved of it afterwards.
    pub held: String,
    /// The stored state afterwards.
    pub status: String,
}

impl AccountEntryOutput {
    /// An entry, without who did it and why. `None` for what is no entry of an account.
    pub(crate) fn of(booked: &Booked) -> Option<Self> {
        let Leg::Account { held_change, balance, held, status, number, .. } = booked.entry.leg else { return None };
        let decimal = |amount: Minor| amount.to_decimal(booked.entry.currency.exponent());
        Some(Self {
            number,
            at: format_instant(booked.at),
            kind: booked.kind.name().to_string(),
            operation: booked.operation.key.clone(),
            order: booked.order.clone(),
            actor: None,
            reason: None,
            amount: decimal(booked.entry.amount),
            held_change: decimal(held_change),
            balance: decimal(balance),
            held: decimal(held),
            status: status_name(status).to_string(),
        })
    }
}

/// The full code of a card, for whoever it is meant for. `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct CodeText(pub SecretCode);

impl CodeText {
    /// The code, with its dashes. Never for a log or an error.
    #[must_use]
    pub fn reveal(&self) -> &str {
        self.0.reveal()
    }
}

impl fmt::Debug for CodeText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CodeText(..)")
    }
}

impl Serialize for CodeText {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.reveal())
    }
}

impl JsonSchema for CodeText {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "CodeText".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "description": "A full code." })
    }
}

/// Cards that were issued.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "issue-output")]
pub struct IssuedOutput {
    /// The key of the operation.
    pub operation: String,
    /// When.
    pub at: String,
    /// It had been done before. Codes that are not kept sealed are not shown again.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub repeated: bool,
    /// The cards.
    pub cards: Vec<IssuedCardOutput>,
    /// What should be known about it, such as that a pool runs out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

/// A card that was issued.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "IssuedCard")]
pub struct IssuedCardOutput {
    /// Its id.
    pub id: String,
    /// Its code, if it can be shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<CodeText>,
    /// Last characters of its code, where they may be shown later on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// Its currency.
    pub currency: String,
    /// What is on it.
    pub value: String,
    /// `active` or `pending`.
    pub status: String,
    /// First instant at which it no longer works.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<String>,
    /// The last day it works, where a plain date says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_on: Option<String>,
}

impl IssuedCardOutput {
    /// A card as its receipt has it; `account` tells what the receipt does not.
    pub(crate) fn of(line: &AccountLine, account: Option<&Account>, code: Option<SecretCode>) -> Self {
        Self {
            id: line.id.to_string(),
            code: code.map(CodeText),
            hint: account.and_then(|account| account.hint.clone()),
            currency: line.currency.clone(),
            value: line.balance.clone(),
            status: line.status.clone(),
            expires_at: line.expires_at.clone(),
            expires_on: account.and_then(|account| account.expires_on.clone()),
        }
    }
}

/// A card whose balance moved to a new one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "transfer-output")]
pub struct TransferredOutput {
    /// The key of the operation.
    pub operation: String,
    /// When.
    pub at: String,
    /// It had been done before.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub repeated: bool,
    /// The card that is closed now.
    pub from: String,
    /// The card that took its balance over.
    pub to: IssuedCardOutput,
}

/// A code that was opened for its delivery.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "reveal-output")]
pub struct RevealedOutput {
    /// The key of the operation.
    pub operation: String,
    /// When.
    pub at: String,
    /// The card.
    pub id: String,
    /// Its code.
    pub code: CodeText,
}

/// That a code was delivered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "delivered-output")]
pub struct DeliveredOutput {
    /// The card.
    pub id: String,
    /// Whether a sealed code was erased; false where none was kept any more.
    pub erased: bool,
}

/// The stored state behind a shown one.
pub(crate) fn stored_status(state: CardState) -> Status {
    match state {
        CardState::Closed => Status::Closed,
        CardState::Disabled => Status::Disabled,
        CardState::Pending => Status::Pending,
        CardState::Expired | CardState::Exhausted | CardState::Active => Status::Active,
    }
}
