//! What is answered, as JSON. Amounts are decimal strings. The comments are the descriptions of the JSON Schema. Must
//! not decide anything, and must not know where an answer goes.

mod account;
mod installed;
mod ledger;
mod plugin;
mod quote;
mod receipt;
mod refund;
mod report;
mod setup;

use schemars::JsonSchema;
use serde::Serialize;

pub use account::{
    AccountEntryOutput, AccountOutput, BalanceOutput, CardDetailsOutput, CardHoldOutput, CardState, CodeText,
    DeliveredOutput, IssuedCardOutput, IssuedOutput, RevealedOutput, TransferredOutput,
};
pub use installed::{
    InstalledOutput, InstalledVersionOutput, PluginEventOutput, ProposalOutput, SetupChangeOutput, SetupProposalOutput,
};
pub use ledger::{BackupOutput, InitOutput, RestoreOutput, SealedOutput};
pub use plugin::{ChoiceOutput, PluginOutput, RejectCodeOutput, SettingOutput};
pub use quote::{
    CardOutcomeOutput, CardOutput, ConditionOutput, FailureOutput, QuoteOutput, StepOutput, TreatmentOutput,
};
pub use receipt::{AccountLineOutput, PayAnswer, PayRefusedOutput, ReceiptOutput, RefusedEntryOutput};
pub use refund::{RefundOutput, RefundShareOutput, RefundStepOutput, TenderOutput};
pub use report::{
    BreakageReport, BreakageRow, LiabilityReport, LiabilityRow, LiabilityTotal, StockReport, StockRow, TurnoverReport,
    TurnoverRow,
};

pub use setup::{
    CustomerOutput, ErasedOutput, ImportOutput, KeysOutput, LineProblemOutput, PageOutput, PepperOutput,
    PoolChangeOutput, PoolOutput, ProgrammeOutput, SiteOutput,
};

pub(crate) use account::stored_status;
pub(crate) use installed::percent;
pub(crate) use quote::PUBLIC_MESSAGE;

use giftcard_host::CallRecord;

/// What was run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "Rules")]
pub struct RulesOutput {
    /// Every call of a component, in order.
    pub calls: Vec<CallOutput>,
    /// What the components ran on. The same request gives the same answer everywhere, and on the same engine the same
    /// fuel.
    pub engine: String,
}

/// One call of a component.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "Call")]
pub struct CallOutput {
    /// Its id.
    pub component: String,
    /// Its version.
    pub version: String,
    /// SHA-256 of its file.
    pub digest: String,
    /// The function of the contract.
    pub function: String,
    /// Asked a second time, to explain itself.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub explain: bool,
    /// Units of fuel used.
    pub fuel: u64,
    /// What it wrote for its author; no part of the answer.
    #[serde(skip)]
    #[schemars(skip)]
    pub log: Vec<String>,
}

impl RulesOutput {
    pub(crate) fn of(calls: Vec<CallRecord>, engine: String) -> Self {
        let call = |call: CallRecord| CallOutput {
            component: call.component.id.clone(),
            version: call.component.version.clone(),
            digest: call.component.digest.clone(),
            function: call.function.to_string(),
            explain: call.explain,
            fuel: call.fuel,
            log: call.log,
        };
        Self { calls: calls.into_iter().map(call).collect(), engine }
    }
}

/// Instead of an answer: why there is none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "error")]
pub struct ErrorOutput {
    /// The error.
    pub error: ErrorBody,
}

/// What went wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "ErrorBody")]
pub struct ErrorBody {
    /// Stable kebab-case code.
    pub code: String,
    /// Where in the input, as `order.lines[3].total`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// What was wrong and what would be right.
    pub message: String,
    /// The line of the file, where it has one document a line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u64>,
}

/// What `giftcard quote --json` prints for one document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(untagged)]
#[schemars(rename = "quote-output")]
pub enum QuoteAnswer {
    /// The decision.
    Decision(Box<QuoteOutput>),
    /// Why there is none.
    Error(ErrorOutput),
}

/// What `giftcard refund --json` prints for one document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(untagged)]
#[schemars(rename = "refund-output")]
pub enum RefundAnswer {
    /// The decision.
    Decision(Box<RefundOutput>),
    /// Why there is none.
    Error(ErrorOutput),
}
