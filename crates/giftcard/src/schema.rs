//! The JSON Schemas of input and output, out of the types that read and write them.

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema};
use serde_json::{Map, Value, json};

use crate::desk::{CheckpointExport, OperationVerdict, ReplayReport, ShadowReport, SweepReport, VerifyReport};
use crate::expressions::{Catalogue, Tree};
use crate::input::{
    AdjustInput, CaptureInput, CustomerDocument, IssueInput, PayInput, PoolDocument, ProgrammeDocument, QuoteInput,
    RefundInput, RefundOrderInput, RefundOtherInput, SiteDocument,
};
use crate::output::{
    AccountEntryOutput, AccountOutput, BackupOutput, BalanceOutput, BreakageReport, CardDetailsOutput, CustomerOutput,
    DeliveredOutput, ErasedOutput, ImportOutput, InitOutput, InstalledOutput, IssuedOutput, KeysOutput,
    LiabilityReport, PageOutput, PayAnswer, PoolChangeOutput, PoolOutput, ProgrammeOutput, QuoteAnswer, RefundAnswer,
    RestoreOutput, RevealedOutput, SealedOutput, SetupProposalOutput, SiteOutput, StockReport, TransferredOutput,
    TurnoverReport,
};

/// A row for each document: its name in Rust, its published name, which way it goes, its type, what it is.
macro_rules! documents {
    ($($variant:ident $name:literal $way:ident $type:ty, $what:literal;)*) => {
        /// One of the documents that go in or come out.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Document {
            $(#[doc = $what] $variant,)*
        }

        impl Document {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// Its name.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }
        }

        /// The schema of one document.
        #[must_use]
        pub fn schema(document: Document) -> Value {
            match document {
                $(Document::$variant => $way::<$type>(),)*
            }
            .to_value()
        }
    };
}

documents! {
    QuoteInput "quote-input" input QuoteInput, "What `giftcard quote` reads.";
    QuoteOutput "quote-output" output QuoteAnswer, "What `giftcard quote --json` prints.";
    RefundInput "refund-input" input RefundInput, "What `giftcard refund` reads.";
    RefundOutput "refund-output" output RefundAnswer, "What `giftcard refund --json` prints.";
    PayInput "pay-input" input PayInput, "What `giftcard redeem`, `hold` and `quote --ledger` read.";
    PayOutput "pay-output" output PayAnswer,
        "What `giftcard redeem`, `hold`, `capture`, `void` and `refund` on the ledger print with `--json`.";
    CaptureInput "capture-input" input CaptureInput, "A capture of a hold.";
    RefundOrderInput "refund-order-input" input RefundOrderInput, "What `giftcard refund --ledger` reads.";
    RefundOtherInput "refund-other-input" input RefundOtherInput, "A refund of another payment method onto a card.";
    Site "site" input SiteDocument, "What `giftcard site set` reads.";
    SiteOutput "site-output" output SiteOutput, "What `giftcard site set`, `show` and `list` print with `--json`.";
    Programme "programme" input ProgrammeDocument, "What `giftcard programme set` reads.";
    ProgrammeOutput "programme-output" output ProgrammeOutput,
        "What `giftcard programme set`, `show` and `list` print with `--json`.";
    SetupProposal "setup-proposal" output SetupProposalOutput,
        "What `giftcard plugin proposals --json` prints, and `site set`, `programme set`, `plugin bind` and `unbind` where two persons \
         are demanded.";
    InstalledPlugin "installed-plugin" output InstalledOutput,
        "What `giftcard plugin install`, `show`, `activate` and so on print with `--json`.";
    ShadowOutput "shadow-output" output ShadowReport, "What `giftcard plugin shadow --report --json` prints.";
    Pool "pool" input PoolDocument, "A pool of codes.";
    PoolOutput "pool-output" output PoolOutput, "What `giftcard pool create`, `show` and `list` print with `--json`.";
    PoolChangeOutput "pool-change-output" output PoolChangeOutput,
        "What `giftcard pool generate` and `withdraw` print with `--json`.";
    ImportOutput "import-output" output ImportOutput, "What `giftcard pool import --json` prints.";
    Customer "customer" input CustomerDocument, "What `giftcard customer set` reads.";
    CustomerOutput "customer-output" output CustomerOutput,
        "What `giftcard customer set` and `show` print with `--json`.";
    CustomersOutput "customers-output" output PageOutput<CustomerOutput>,
        "What `giftcard customer list --json` prints.";
    ErasedOutput "erased-output" output ErasedOutput, "What `giftcard customer erase --json` prints.";
    IssueInput "issue-input" input IssueInput, "New cards.";
    IssueOutput "issue-output" output IssuedOutput, "What `giftcard card issue --json` prints.";
    AdjustInput "adjust-input" input AdjustInput, "A correction of a balance.";
    CardOutput "card-output" output CardDetailsOutput, "What `giftcard card show --json` prints.";
    BalanceOutput "balance-output" output BalanceOutput, "What `giftcard card balance --json` prints.";
    AccountsOutput "accounts-output" output PageOutput<AccountOutput>,
        "What `giftcard card list` and `credit list` print with `--json`.";
    HistoryOutput "history-output" output PageOutput<AccountEntryOutput>,
        "What `giftcard card history --json` prints.";
    TransferOutput "transfer-output" output TransferredOutput, "What `giftcard card transfer --json` prints.";
    RevealOutput "reveal-output" output RevealedOutput, "What `giftcard card reveal --json` prints.";
    DeliveredOutput "delivered-output" output DeliveredOutput, "What `giftcard card delivered --json` prints.";
    KeysOutput "keys-output" output KeysOutput, "What `giftcard secrets show --json` prints.";
    Checkpoints "checkpoints" output CheckpointExport, "What `giftcard checkpoint --export` writes.";
    CheckpointOutput "checkpoint-output" output SealedOutput, "What `giftcard checkpoint --json` prints.";
    InitOutput "init-output" output InitOutput, "What `giftcard init --json` prints.";
    VerifyOutput "verify-output" output VerifyReport, "What `giftcard verify --json` prints.";
    VerifyOperationOutput "verify-operation-output" output OperationVerdict,
        "What `giftcard verify operation --json` prints.";
    ReplayOutput "replay-output" output ReplayReport, "What `giftcard replay --json` prints.";
    ExpireOutput "expire-output" output SweepReport, "What `giftcard expire --json` prints.";
    ReportLiabilityOutput "report-liability-output" output LiabilityReport,
        "What `giftcard report liability --json` prints.";
    ReportTurnoverOutput "report-turnover-output" output TurnoverReport,
        "What `giftcard report turnover --json` prints.";
    ReportBreakageOutput "report-breakage-output" output BreakageReport,
        "What `giftcard report breakage --json` prints.";
    ReportStockOutput "report-stock-output" output StockReport, "What `giftcard report stock --json` prints.";
    BackupOutput "backup-output" output BackupOutput, "What `giftcard backup --json` prints.";
    Catalogue "catalogue" output Catalogue, "What `giftcard plugin catalogue --json` prints.";
    RuleTree "rule-tree" input Tree, "What `giftcard plugin expression --from-rules` reads, and `--to-rules` prints.";
    RestoreOutput "restore-output" output RestoreOutput, "What `giftcard restore --json` prints.";
}

impl Document {
    /// The document of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|document| document.name() == name)
    }
}

/// The schemas of all documents, by name.
#[must_use]
pub fn schemas() -> Value {
    let all: Map<String, Value> =
        Document::ALL.iter().map(|&document| (document.name().to_string(), schema(document))).collect();
    json!(all)
}

fn input<T: JsonSchema>() -> Schema {
    SchemaSettings::draft2020_12().for_deserialize().into_generator().into_root_schema_for::<T>()
}

fn output<T: JsonSchema>() -> Schema {
    SchemaSettings::draft2020_12().for_serialize().into_generator().into_root_schema_for::<T>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_schema_is_one_and_describes_every_field() {
        for &document in Document::ALL {
            let schema = schema(document);
            assert!(jsonschema::meta::is_valid(&schema), "{}", document.name());
            let mut bare = Vec::new();
            undescribed(&schema, document.name(), &mut bare);
            assert_eq!(bare, Vec::<String>::new(), "fields without a description");
        }
    }

    fn undescribed(schema: &Value, path: &str, found: &mut Vec<String>) {
        if let Some(properties) = schema.get("properties").and_then(Value::as_object) {
            // A choice with content, such as {"roles": [...]}, has its description beside the one property.
            let is_choice = properties.len() == 1 && schema.get("description").is_some();
            for (name, property) in properties {
                if !is_choice && property.get("description").is_none() {
                    found.push(format!("{path}.{name}"));
                }
            }
        }
        match schema {
            Value::Object(object) => object.values().for_each(|inner| undescribed(inner, path, found)),
            Value::Array(items) => items.iter().for_each(|inner| undescribed(inner, path, found)),
            _ => {}
        }
    }

    #[test]
    fn no_type_of_ours_shows_its_rust_name() {
        let text = schemas().to_string();
        for name in ["QuoteInput", "OrderInput", "CardOutput", "AmountWithBasis", "ErrorOutput"] {
            assert!(!text.contains(name), "{name}");
        }
    }
}
