//! `giftcard credit`: customers' own accounts. Must not know what may be paid with them.

use clap::{Args, Subcommand};
use giftcard::Desk;
use giftcard::input::{CurrencyCode, PositiveAmount};
use giftcard::output::PageOutput;

use super::card::{Adjustment, receipt, show};
use super::ledger::{OperationArguments, now_ms};
use super::naming::{PageArguments, SiteArgument};
use super::terminal::{Failure, Terminal};

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Grant store credit to a customer
    Add {
        #[command(flatten)]
        owner: Owner,
        /// How much
        #[arg(allow_negative_numbers = true)]
        amount: String,
        /// Why, for the records
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
        #[command(flatten)]
        operation: OperationArguments,
        /// Print the receipt as JSON
        #[arg(long)]
        json: bool,
    },
    /// Show the store credit of a customer, one for each currency
    Show {
        /// The customer's id
        customer: String,
        #[command(flatten)]
        site: SiteArgument,
        /// Print it as JSON
        #[arg(long)]
        json: bool,
    },
    /// List the store credit of all customers
    List {
        #[command(flatten)]
        page: PageArguments,
        #[command(flatten)]
        site: SiteArgument,
        /// Print the page as JSON
        #[arg(long)]
        json: bool,
    },
    /// Correct store credit. `giftcard card history` shows its entries
    Adjust {
        #[command(flatten)]
        owner: Owner,
        #[command(flatten)]
        adjustment: Adjustment,
        #[command(flatten)]
        operation: OperationArguments,
        /// Print the receipt as JSON
        #[arg(long)]
        json: bool,
    },
}

/// Whose store credit, in which currency.
#[derive(Args)]
pub(crate) struct Owner {
    /// The customer's id
    customer: String,
    /// The currency [default: the site's]
    #[arg(long, value_name = "CODE")]
    currency: Option<String>,
}

impl Owner {
    fn currency(&self) -> Option<CurrencyCode> {
        self.currency.clone().map(CurrencyCode)
    }
}

impl Command {
    pub(crate) fn json(&self) -> bool {
        match self {
            Self::Add { json, .. } | Self::Show { json, .. } | Self::List { json, .. } | Self::Adjust { json, .. } => {
                *json
            }
        }
    }
}

pub(crate) fn run(desk: &Desk, command: &Command, terminal: &mut Terminal) -> Result<u8, Failure> {
    match command {
        Command::Add { owner, amount, reason, operation, json } => {
            let (currency, amount) = (owner.currency(), PositiveAmount(amount.clone()));
            receipt(operation, *json, terminal, |doing| {
                desk.add_credit(doing, &owner.customer, currency.as_ref(), &amount, reason.as_deref())
            })
        }
        Command::Show { customer, site, json } => {
            let credits = PageOutput { items: desk.credits_of(&site.site, customer, now_ms())?, next: None };
            terminal.answer(&credits, *json, |wide| match credits.items.is_empty() {
                true => "The customer has no store credit.".to_string(),
                false => show::credits(&credits.items, wide),
            })
        }
        Command::List { page, site, json } => {
            let found = desk.credits(&site.site, page.after.as_deref(), page.limit, now_ms())?;
            terminal.answer(&found, *json, |wide| show::accounts(&found, wide))
        }
        Command::Adjust { owner, adjustment, operation, json } => {
            let (currency, input) = (owner.currency(), adjustment.document()?);
            receipt(operation, *json, terminal, |doing| {
                desk.adjust_credit(doing, &owner.customer, currency.as_ref(), &input)
            })
        }
    }
}
