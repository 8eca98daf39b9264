//! `giftcard card`: cards issued, moved by staff, and looked at. Must not know what a card may do.

mod list;
pub(crate) mod show;

use clap::{Args, Subcommand};
use giftcard::input::{AdjustInput, IssueInput, PositiveAmount};
use giftcard::{Desk, DeskError, Doing, desk};
use giftcard_ledger::Answer;

use super::ledger::{OperationArguments, now_ms};
use super::naming::{CardArgument, Edited, SiteArgument};
use super::pay::read_code;
use super::receipt::{self as receipts, Done};
use super::terminal::{Failure, Terminal};

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Issue cards. Their full codes are shown this once, unless they are kept for delivery
    Issue(Box<Issue>),
    /// Show a card with everything that staff may see
    Show(Looked),
    /// Tell what whoever has a code may be told: its balance, or only that it cannot be used
    Balance(Looked),
    /// Let a pending card be used from now on
    Activate(Moved),
    /// Put money on a card
    Load {
        #[command(flatten)]
        moved: Moved,
        /// How much, in the card's currency
        #[arg(long, value_name = "AMOUNT", allow_negative_numbers = true)]
        amount: String,
    },
    /// Correct a balance
    Adjust {
        #[command(flatten)]
        card: CardArgument,
        #[command(flatten)]
        adjustment: Adjustment,
        #[command(flatten)]
        operation: OperationArguments,
        /// Print the receipt as JSON
        #[arg(long)]
        json: bool,
    },
    /// Block a card; `enable` lets it work again
    Disable(Moved),
    /// Let a blocked card work again
    Enable(Moved),
    /// Close an empty card for good
    Close(Moved),
    /// Turn what is left on a card that ended into breakage, and close it
    Expire(OnCard),
    /// Give a card's balance a new card with a new code, and close the old one: for a code that is lost or known to
    /// others
    Transfer {
        #[command(flatten)]
        moved: Moved,
        /// Keep the new code sealed, so that it can be shown again until it is delivered
        #[arg(long)]
        deliver: bool,
    },
    /// Turn a card's whole balance into store credit of a customer, and close the card
    ToCredit {
        #[command(flatten)]
        card: OnCard,
        /// Whose store credit [default: the card's owner]
        #[arg(long, value_name = "ID")]
        customer: Option<String>,
    },
    /// Refund the purchase of a card from what is available on it
    RefundPurchase {
        #[command(flatten)]
        moved: Moved,
        /// How much [default: what it was issued with]
        #[arg(long, value_name = "AMOUNT", allow_negative_numbers = true)]
        amount: Option<String>,
    },
    /// Close every card that a cancelled order bought, if none was used
    CancelPurchase(Order),
    /// Let every card that an invoiced order bought be used from now on
    ActivatePurchase(Order),
    /// Show a code again that is kept for delivery; an entry of the card says so
    Reveal(Moved),
    /// Confirm that a card's code was delivered: what was kept of it is erased
    Delivered(Looked),
    /// Show the entries of a card or of store credit, with who made them and why
    History(list::History),
    /// List cards
    List(Box<list::List>),
}

/// A card that is looked at.
#[derive(Args)]
pub(crate) struct Looked {
    #[command(flatten)]
    card: CardArgument,
    #[command(flatten)]
    site: SiteArgument,
    /// Print it as JSON
    #[arg(long)]
    json: bool,
}

/// A card that something is done to.
#[derive(Args)]
pub(crate) struct OnCard {
    #[command(flatten)]
    card: CardArgument,
    #[command(flatten)]
    operation: OperationArguments,
    /// Print the answer as JSON
    #[arg(long)]
    json: bool,
}

/// A card that something is done to for a reason.
#[derive(Args)]
pub(crate) struct Moved {
    #[command(flatten)]
    on: OnCard,
    /// Why, for the records
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
}

/// An order that bought cards.
#[derive(Args)]
pub(crate) struct Order {
    /// The order's id
    order: String,
    #[command(flatten)]
    operation: OperationArguments,
    /// Print the receipt as JSON
    #[arg(long)]
    json: bool,
}

/// A correction of a balance.
#[derive(Args)]
pub(crate) struct Adjustment {
    /// By how much: `-5.00` takes away
    #[arg(
        long,
        value_name = "AMOUNT",
        allow_hyphen_values = true,
        required_unless_present = "to",
        conflicts_with = "to"
    )]
    by: Option<String>,
    /// To which balance
    #[arg(long, value_name = "AMOUNT", allow_negative_numbers = true)]
    to: Option<String>,
    /// Why, for the records
    #[arg(long, value_name = "TEXT")]
    reason: String,
}

impl Adjustment {
    pub(crate) fn document(&self) -> Result<AdjustInput, Failure> {
        let mut edited = Edited::begin(None, None)?;
        edited.set("by", self.by.as_deref());
        edited.set("to", self.to.as_deref());
        edited.set("reason", Some(self.reason.as_str()));
        edited.read()
    }
}

#[derive(Args)]
pub(crate) struct Issue {
    /// What is on each [default: what the programme says]
    #[arg(long, value_name = "AMOUNT", allow_negative_numbers = true)]
    value: Option<String>,
    /// Their programme by code name [default: manual, which has no rules]
    #[arg(long, value_name = "NAME")]
    programme: Option<String>,
    /// Their currency [default: the programme's, else the site's]
    #[arg(long, value_name = "CODE")]
    currency: Option<String>,
    /// How many, 1 to 1000
    #[arg(long, value_name = "COUNT", default_value_t = 1)]
    count: u32,
    /// Who owns them
    #[arg(long, value_name = "ID")]
    customer: Option<String>,
    /// The code of a single card; `-` reads it from standard input [default: a new one, as the programme says]
    #[arg(long)]
    code: Option<String>,
    /// Take the code although it can be guessed
    #[arg(long, requires = "code")]
    accept_weak: bool,
    /// They end with this day, or at this instant [default: as the programme says]
    #[arg(long, value_name = "DAY")]
    expires: Option<String>,
    /// They work only once they are activated
    #[arg(long)]
    pending: bool,
    /// The order that bought them
    #[arg(long, value_name = "ORDER")]
    bought_by: Option<String>,
    /// Keep the codes sealed, so that they can be shown again until they are delivered
    #[arg(long)]
    deliver: bool,
    /// Why, for the records
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    #[command(flatten)]
    operation: OperationArguments,
    /// Print the answer as JSON
    #[arg(long)]
    json: bool,
}

impl Issue {
    fn document(&self) -> Result<IssueInput, Failure> {
        let mut edited = Edited::begin(None, None)?;
        edited.set("value", self.value.as_deref());
        edited.set("programme", self.programme.as_deref());
        edited.set("currency", self.currency.as_deref());
        edited.set("count", Some(self.count));
        edited.set("customer", self.customer.as_deref());
        edited.set("code", self.code.as_deref().map(read_code).transpose()?);
        edited.set("accept_weak", Some(self.accept_weak));
        edited.set("expires_at", self.expires.as_deref());
        edited.set("pending", Some(self.pending));
        edited.set("bought_by", self.bought_by.as_deref());
        edited.set("deliver", Some(self.deliver));
        edited.set("reason", self.reason.as_deref());
        edited.read()
    }
}

impl Command {
    pub(crate) fn json(&self) -> bool {
        match self {
            Self::Issue(issue) => issue.json,
            Self::Show(looked) | Self::Balance(looked) | Self::Delivered(looked) => looked.json,
            Self::Activate(moved)
            | Self::Disable(moved)
            | Self::Enable(moved)
            | Self::Close(moved)
            | Self::Reveal(moved) => moved.on.json,
            Self::Load { moved, .. } | Self::Transfer { moved, .. } | Self::RefundPurchase { moved, .. } => {
                moved.on.json
            }
            Self::Expire(done) => done.json,
            Self::ToCredit { card, .. } => card.json,
            Self::Adjust { json, .. } => *json,
            Self::CancelPurchase(order) | Self::ActivatePurchase(order) => order.json,
            Self::History(history) => history.json,
            Self::List(list) => list.json,
        }
    }
}

pub(crate) fn run(desk: &Desk, command: &Command, terminal: &mut Terminal) -> Result<u8, Failure> {
    match command {
        Command::Issue(options) => issue(desk, options, terminal),
        Command::Show(looked) => {
            let card = desk.card(&looked.site.site, &looked.card.name()?, now_ms())?;
            terminal.answer(&card, looked.json, |wide| show::card(&card, wide))
        }
        Command::Balance(looked) => {
            let balance = desk.balance(&looked.site.site, &looked.card.code()?, None, now_ms())?;
            terminal.answer(&balance, looked.json, |_| show::balance(&balance))
        }
        Command::Delivered(looked) => {
            let delivered = desk.delivered(&looked.site.site, &looked.card.name()?, now_ms())?;
            terminal.answer(&delivered, looked.json, |_| match delivered.erased {
                true => format!("the code of card {} is no longer kept", delivered.id),
                false => format!("no code of card {} was kept", delivered.id),
            })
        }
        Command::Activate(moved) => moved.run(terminal, |doing, name, reason| desk.activate(doing, name, reason)),
        Command::Disable(moved) => moved.run(terminal, |doing, name, reason| desk.disable(doing, name, reason)),
        Command::Enable(moved) => moved.run(terminal, |doing, name, reason| desk.enable(doing, name, reason)),
        Command::Close(moved) => moved.run(terminal, |doing, name, reason| desk.close(doing, name, reason)),
        Command::Load { moved, amount } => {
            let amount = PositiveAmount(amount.clone());
            moved.run(terminal, |doing, name, reason| desk.load(doing, name, &amount, reason))
        }
        Command::RefundPurchase { moved, amount } => {
            let amount = amount.clone().map(PositiveAmount);
            moved.run(terminal, |doing, name, reason| desk.refund_purchase(doing, name, amount.as_ref(), reason))
        }
        Command::Expire(on) => on.run(terminal, |doing, name| desk.expire(doing, name)),
        Command::ToCredit { card, customer } => {
            card.run(terminal, |doing, name| desk.to_credit(doing, name, customer.as_deref()))
        }
        Command::Adjust { card, adjustment, operation, json } => {
            let (name, input) = (card.name()?, adjustment.document()?);
            receipt(operation, *json, terminal, |doing| desk.adjust(doing, &name, &input))
        }
        Command::CancelPurchase(Order { order, operation, json }) => {
            receipt(operation, *json, terminal, |doing| desk.cancel_purchase(doing, order))
        }
        Command::ActivatePurchase(Order { order, operation, json }) => {
            receipt(operation, *json, terminal, |doing| desk.activate_purchase(doing, order))
        }
        Command::Transfer { moved, deliver } => transfer(desk, moved, *deliver, terminal),
        Command::Reveal(moved) => reveal(desk, moved, terminal),
        Command::History(options) => list::history(desk, options, terminal),
        Command::List(options) => list::list(desk, options, terminal),
    }
}

impl OnCard {
    fn run(
        &self,
        terminal: &mut Terminal,
        done: impl FnOnce(&Doing<'_>, &desk::CardName) -> Result<Answer, DeskError>,
    ) -> Result<u8, Failure> {
        let name = self.card.name()?;
        receipt(&self.operation, self.json, terminal, |doing| done(doing, &name))
    }
}

impl Moved {
    fn run(
        &self,
        terminal: &mut Terminal,
        done: impl FnOnce(&Doing<'_>, &desk::CardName, Option<&str>) -> Result<Answer, DeskError>,
    ) -> Result<u8, Failure> {
        self.on.run(terminal, |doing, name| done(doing, name, self.reason.as_deref()))
    }
}

/// Does an operation and tells its receipt.
pub(crate) fn receipt(
    operation: &OperationArguments,
    json: bool,
    terminal: &mut Terminal,
    done: impl FnOnce(&Doing<'_>) -> Result<Answer, DeskError>,
) -> Result<u8, Failure> {
    let key = operation.key(terminal)?;
    let answer = done(&operation.doing(&key))?;
    let done = Done::new(desk::receipt(&answer)?, answer.repeated);
    terminal.answer(&done, json, |wide| receipts::show(&done, wide))
}

fn issue(desk: &Desk, options: &Issue, terminal: &mut Terminal) -> Result<u8, Failure> {
    let input = options.document()?;
    let key = options.operation.key(terminal)?;
    let issued = desk.issue(&options.operation.doing(&key), &input).map_err(renamed)?;
    for warning in &issued.warnings {
        terminal.note(warning)?;
    }
    terminal.answer(&issued, options.json, |wide| show::issued(&issued, wide))
}

/// The field of a document is an option of another name here.
fn renamed(error: DeskError) -> DeskError {
    match error {
        DeskError::Input(mut error) if error.path == "expires_at" => {
            error.path = "expires".to_string();
            DeskError::Input(error)
        }
        error => error,
    }
}

fn transfer(desk: &Desk, moved: &Moved, deliver: bool, terminal: &mut Terminal) -> Result<u8, Failure> {
    let OnCard { card, operation, json } = &moved.on;
    let name = card.name()?;
    let key = operation.key(terminal)?;
    let done = desk.transfer(&operation.doing(&key), &name, deliver, moved.reason.as_deref())?;
    terminal.answer(&done, *json, |wide| show::transferred(&done, wide))
}

fn reveal(desk: &Desk, moved: &Moved, terminal: &mut Terminal) -> Result<u8, Failure> {
    let OnCard { card, operation, json } = &moved.on;
    let name = card.name()?;
    let key = operation.key(terminal)?;
    let shown = desk.reveal_code(&operation.doing(&key), &name, moved.reason.as_deref())?;
    terminal
        .answer(&shown, *json, |_| format!("card {}: code {}", shown.id, super::terminal::plain(shown.code.reveal())))
}
