//! Holds, redemptions and refunds against the ledger, as JSON. The comments are the descriptions of the JSON Schema.
//! Must not know balances: the ledger does.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::bounds::{CARDS_MAX_INPUT, Count, LIST_ITEMS_MAX, List, Name, Text};
use super::leaf::{Amount, CardCode, CurrencyCode, Instant, PositiveAmount};
use super::shape::{OrderInput, RefundMode};

/// An order and the codes entered for it: the input of `giftcard redeem` and `giftcard hold`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
#[schemars(rename = "pay-input")]
pub struct PayInput {
    /// Names the operation for all time: the same key and the same request have one effect and one answer.
    pub operation: Name,
    /// The site; the order's, else `main`, if left out.
    pub site: Option<Name>,
    /// The order. Its id is needed, since later refunds name it.
    pub order: OrderInput,
    /// Cards and store credit, in the order in which the shopper entered them.
    pub cards: List<EntryInput, CARDS_MAX_INPUT>,
    /// What the shopper was shown. If the decision is another by now, it is refused whole as `quote-changed`.
    pub expect: Option<ExpectInput>,
    /// Refuse if anything is left for another payment method.
    #[serde(default)]
    pub require_full: bool,
    /// For a hold: its end. Instead of `hold_minutes`.
    pub ends_at: Option<Instant>,
    /// For a hold: how long it lasts; the site's usual time if left out.
    pub hold_minutes: Option<Count>,
    /// Who does it, for the records.
    pub actor: Option<Text>,
}

/// A card or store credit as entered: one of `code`, `id` and `credit_of`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
#[schemars(rename = "Entry")]
pub struct EntryInput {
    /// The code as entered.
    pub code: Option<CardCode>,
    /// The card's id.
    pub id: Option<Name>,
    /// A customer, whose store credit in the order's currency pays.
    pub credit_of: Option<Name>,
    /// The most that the shopper wants it to pay, in the order's currency.
    pub use_at_most: Option<PositiveAmount>,
    /// Exactly what it pays, in the order's currency: refused whole where it cannot. For one card alone.
    pub amount: Option<PositiveAmount>,
}

/// What the shopper was shown.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
#[schemars(rename = "Expect")]
pub struct ExpectInput {
    /// What all cards pay together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub applied: Option<Amount>,
    /// What is left for another payment method.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub due: Option<Amount>,
    /// What each entry pays, as entered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cards: Option<List<Amount, LIST_ITEMS_MAX>>,
}

/// The capture of a hold.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
#[schemars(rename = "capture-input")]
pub struct CaptureInput {
    /// Names the operation for all time.
    pub operation: Name,
    /// The site; `main` if left out.
    pub site: Option<Name>,
    /// The hold.
    pub hold: Name,
    /// How much, in the order's currency; everything that is left if left out.
    pub amount: Option<Amount>,
    /// Whether the rest is freed.
    #[serde(default, rename = "final")]
    pub is_final: bool,
    /// Who does it, for the records.
    pub actor: Option<Text>,
}

/// The refund of an order that the ledger knows.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
#[schemars(rename = "refund-order-input")]
pub struct RefundOrderInput {
    /// Names the operation for all time.
    pub operation: Name,
    /// The site; `main` if left out.
    pub site: Option<Name>,
    /// The order.
    pub order: Name,
    /// What the amount is of: of what cards paid, or of the order, split over all tenders.
    pub mode: RefundMode,
    /// What is to go back, in the order's currency; more than nothing.
    pub amount: PositiveAmount,
    /// Why.
    pub reason: Option<Text>,
    /// Who does it, for the records.
    pub actor: Option<Text>,
}

/// A refund of what another payment method paid for an order, onto a card or store credit: one of `code`, `id` and
/// `credit_of` says where.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
#[schemars(rename = "refund-other-input")]
pub struct RefundOtherInput {
    /// Names the operation for all time.
    pub operation: Name,
    /// The site; `main` if left out.
    pub site: Option<Name>,
    /// The order.
    pub order: Name,
    /// The code of the card.
    pub code: Option<CardCode>,
    /// The card's id.
    pub id: Option<Name>,
    /// A customer, whose store credit in the order's currency gets it.
    pub credit_of: Option<Name>,
    /// What is to go back, in the order's currency; more than nothing.
    pub amount: PositiveAmount,
    /// The order's currency, where the ledger does not know the order; the site's if left out.
    pub currency: Option<CurrencyCode>,
    /// What the other payment method paid, where the ledger does not know the order.
    pub paid: Option<Amount>,
    /// Why.
    pub reason: Option<Text>,
    /// Who does it, for the records.
    pub actor: Option<Text>,
}
