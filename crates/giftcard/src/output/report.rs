//! Reports as JSON: what is owed, what moved, what was left over, which codes are left. Sums are decimal strings of any
//! length. Must not know how they are added up.

use schemars::JsonSchema;
use serde::Serialize;

/// What is owed to the holders of cards and store credit, as of now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "report-liability-output")]
pub struct LiabilityReport {
    /// When, as RFC 3339 in UTC.
    pub at: String,
    /// By site, cards or credit, programme and currency.
    pub rows: Vec<LiabilityRow>,
    /// By currency, over everything above.
    pub totals: Vec<LiabilityTotal>,
}

/// What is owed on the cards of one programme, or on store credit, in one currency.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "LiabilityRow")]
pub struct LiabilityRow {
    /// The site.
    pub site: String,
    /// `card` or `credit`.
    pub kind: &'static str,
    /// Programme by code name; empty for store credit.
    pub programme: String,
    /// Currency of all amounts.
    pub currency: String,
    /// How many cards or accounts that are not closed.
    pub accounts: u64,
    /// On active ones that have not ended.
    pub active: String,
    /// On cards that wait to be activated.
    pub pending: String,
    /// On cards that are disabled.
    pub disabled: String,
    /// On active cards that have ended, until `giftcard expire` turns it into breakage.
    pub expired: String,
    /// Everything.
    pub total: String,
    /// Of everything, what orders hold.
    pub held: String,
}

/// What is owed in one currency.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "LiabilityTotal")]
pub struct LiabilityTotal {
    /// Currency.
    pub currency: String,
    /// How many cards and accounts that are not closed.
    pub accounts: u64,
    /// Everything.
    pub total: String,
    /// Of everything, what orders hold.
    pub held: String,
}

/// What moved in a period.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "report-turnover-output")]
pub struct TurnoverReport {
    /// By site, cards or credit, programme and currency.
    pub rows: Vec<TurnoverRow>,
}

/// What moved on the cards of one programme, or on store credit, in one currency.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "TurnoverRow")]
pub struct TurnoverRow {
    /// The site.
    pub site: String,
    /// First instant of the period, as RFC 3339 in UTC; none for the beginning.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// First instant after the period, as RFC 3339 in UTC; none where it goes up to now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// `card` or `credit`.
    pub kind: &'static str,
    /// Programme by code name; empty for store credit.
    pub programme: String,
    /// Currency of all amounts.
    pub currency: String,
    /// Put on new cards.
    pub issued: String,
    /// Put on cards and store credit that were there.
    pub loaded: String,
    /// Paid for orders.
    pub redeemed: String,
    /// Gone back to cards and store credit by refunds of orders.
    pub refunded: String,
    /// Taken off cards because their purchase was refunded or cancelled.
    pub returned: String,
    /// Corrections by staff; less than nothing where they took more than they gave.
    pub adjusted: String,
    /// Left over on ended cards: breakage.
    pub expired: String,
    /// Moved between cards, and from cards to store credit; less than nothing where more went than came.
    pub moved: String,
    /// By how much all balances changed.
    pub net: String,
}

/// What was left over on ended cards.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "report-breakage-output")]
pub struct BreakageReport {
    /// When, as RFC 3339 in UTC: what is waiting is as of then.
    pub at: String,
    /// By site, programme and currency.
    pub rows: Vec<BreakageRow>,
}

/// What was left over on the ended cards of one programme in one currency.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "BreakageRow")]
pub struct BreakageRow {
    /// The site.
    pub site: String,
    /// Programme by code name.
    pub programme: String,
    /// Currency of all amounts.
    pub currency: String,
    /// Put on cards in the period.
    pub issued: String,
    /// Cards that were closed in the period because they ended.
    pub cards_expired: u64,
    /// What was left on them: breakage of the period.
    pub breakage: String,
    /// Cards that have ended with something on them and are not closed yet.
    pub cards_waiting: u64,
    /// What is on them.
    pub waiting: String,
}

/// Which codes are left.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "report-stock-output")]
pub struct StockReport {
    /// By site and pool.
    pub rows: Vec<StockRow>,
}

/// Which codes of a pool are left.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "StockRow")]
pub struct StockRow {
    /// The site.
    pub site: String,
    /// The pool.
    pub pool: String,
    /// Codes that can be drawn.
    pub free: u64,
    /// Codes that are put aside for orders.
    pub reserved: u64,
    /// Codes that belong to cards.
    pub drawn: u64,
    /// Codes that are never to be used.
    pub withdrawn: u64,
    /// Fewer free codes than this are a warning; none where nobody asked for one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub low_stock: Option<u32>,
    /// Whether there are fewer.
    pub low: bool,
}
