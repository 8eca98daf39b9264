//! What is said to issue and to correct cards, as JSON. The comments are the descriptions of the JSON Schema. Must not
//! know programmes or balances.

use schemars::JsonSchema;
use serde::Deserialize;

use super::bounds::{Count, Name, Text};
use super::leaf::{Amount, CardCode, CurrencyCode, DayOrInstant, PositiveAmount, SignedAmount};

/// New cards, all of one kind.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
#[schemars(rename = "issue-input")]
pub struct IssueInput {
    /// Their programme by code name; `manual`, which has no rules, if left out.
    pub programme: Option<Name>,
    /// What is on each. The programme's, where that is fixed, if left out.
    pub value: Option<PositiveAmount>,
    /// Their currency. The programme's if left out; of `manual`, the site's.
    pub currency: Option<CurrencyCode>,
    /// Who owns them.
    pub customer: Option<Name>,
    /// How many, 1 to 1000; one if left out.
    pub count: Option<Count>,
    /// The code of a single card. From where the programme has its codes if left out.
    pub code: Option<CardCode>,
    /// Take the code although it is easy to guess.
    #[serde(default)]
    pub accept_weak: bool,
    /// When they end, instead of what the programme says: an instant, or a day, of which they still work the whole.
    pub expires_at: Option<DayOrInstant>,
    /// They work only once they are activated, such as when the order that bought them is invoiced.
    #[serde(default)]
    pub pending: bool,
    /// The order that bought them.
    pub bought_by: Option<Name>,
    /// The codes still have to be delivered: they are kept sealed, so that they can be shown again, until that is
    /// confirmed. Otherwise they are in this answer and nowhere else.
    #[serde(default)]
    pub deliver: bool,
    /// Why.
    pub reason: Option<Text>,
}

/// A correction of a balance by staff: one of `by` and `to`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
#[schemars(rename = "adjust-input")]
pub struct AdjustInput {
    /// By how much; not nothing.
    pub by: Option<SignedAmount>,
    /// To which balance.
    pub to: Option<Amount>,
    /// Why; not empty.
    pub reason: Text,
}
