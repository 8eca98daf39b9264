//! Orders paid from the ledger: `giftcard quote`, `hold`, `redeem`, `capture`, `void` and `refund`, from documents or from
//! options. Must not decide what a card pays.

mod entries;

use clap::{Args, ValueEnum};
use giftcard::Desk;
use giftcard::desk::{CardName, MAIN_SITE, PayKind, receipt};
use giftcard::input::{CaptureInput, PayInput, RefundOrderInput, RefundOtherInput, read_document};
use giftcard::output::QuoteOutput;
use giftcard_ledger::Answer;
use serde_json::{Value, json};

use super::DocumentArguments;
use super::ledger::{OperationArguments, now_ms, operation_key};
use super::receipt::{self as receipts, Done};
use super::run::{self, Unanswered, Work};
use super::show::{self, Header, Row};
use super::terminal::{self, Failure, Terminal};
use entries::Entries;

pub(crate) use entries::read_code;

/// An order by options, instead of in a document.
#[derive(Args)]
#[command(next_help_heading = "An order without a document")]
pub(crate) struct OrderArguments {
    /// The order's id
    #[arg(long, value_name = "ID", requires = "total")]
    pub(crate) order: Option<String>,
    /// Its total, after all discounts, with shipping and tax
    #[arg(long, value_name = "AMOUNT", allow_negative_numbers = true, requires = "order")]
    total: Option<String>,
    /// Its currency [default: the site's]
    #[arg(long, value_name = "CODE", requires = "order")]
    currency: Option<String>,
    #[command(flatten)]
    entries: Entries,
    /// The customer who ordered and is signed in
    #[arg(long, value_name = "ID", requires = "order")]
    customer: Option<String>,
    /// Exactly what the one card pays; refused whole where it cannot
    #[arg(long, value_name = "AMOUNT", allow_negative_numbers = true, requires = "order")]
    amount: Option<String>,
    /// What the shopper was told is left to pay: if it is something else by now, nothing is done
    #[arg(long, value_name = "AMOUNT", allow_negative_numbers = true, requires = "order")]
    expect_due: Option<String>,
    /// Refuse if anything is left to pay
    #[arg(long, requires = "order")]
    require_full: bool,
    /// The site [default: main]
    #[arg(long, requires = "order")]
    site: Option<String>,
    /// Names the operation for all time: with the same key it has one effect and one answer, however often it is sent
    /// [default: a random one, told on standard error]
    #[arg(long, value_name = "KEY", requires = "order")]
    operation: Option<String>,
    /// Who does it, for the records
    #[arg(long, value_name = "NAME", requires = "order")]
    actor: Option<String>,
}

impl OrderArguments {
    /// The document that the options stand for. `key` names the operation.
    fn document(&self, desk: &Desk, key: &str) -> Result<Value, Failure> {
        let site = self.site.as_deref().unwrap_or(MAIN_SITE);
        let currency = match &self.currency {
            Some(currency) => currency.clone(),
            None => {
                let configuration = desk.configuration()?;
                let known = configuration.site(site).map(|site| site.document.currency.0.clone());
                known.ok_or_else(|| {
                    let message = format!("there is no site `{site}`; `giftcard site list` shows them");
                    Failure::refused("invalid-value", message)
                })?
            }
        };
        let mut order = json!({ "id": self.order, "currency": currency, "total": self.total });
        if let Some(customer) = &self.customer {
            order["customer"] = json!({ "id": customer, "registered": true });
        }
        let mut cards = self.entries.documents()?;
        match (&self.amount, cards.as_mut_slice()) {
            (None, _) => {}
            (Some(amount), [card]) => card["amount"] = json!(amount),
            (Some(_), _) => {
                let message = "`--amount` is what one card pays exactly; name one card";
                return Err(Failure::refused("inconsistent", message.to_string()));
            }
        }
        let mut document = json!({ "operation": key, "site": site, "order": order, "cards": cards });
        if let Some(due) = &self.expect_due {
            document["expect"] = json!({ "due": due });
        }
        if self.require_full {
            document["require_full"] = json!(true);
        }
        if let Some(actor) = &self.actor {
            document["actor"] = json!(actor);
        }
        Ok(document)
    }
}

/// `giftcard hold` and `giftcard redeem`.
#[derive(Args)]
pub(crate) struct PayArguments {
    #[command(flatten)]
    pub(crate) documents: DocumentArguments,
    #[command(flatten)]
    order: OrderArguments,
}

/// `giftcard hold`.
#[derive(Args)]
pub(crate) struct HoldArguments {
    #[command(flatten)]
    pub(crate) pay: PayArguments,
    /// How long it holds, in minutes [default: as the site says, else 30]
    #[arg(long, value_name = "MINUTES", requires = "order", help_heading = "An order without a document")]
    minutes: Option<u32>,
}

/// Holds or redeems orders with cards that the ledger knows.
struct Payments<'a> {
    desk: &'a Desk,
    kind: PayKind,
}

impl Work for Payments<'_> {
    type Answer = Done;

    const HEADER: Header = receipts::HEADER;
    // What an earlier one took, a later one cannot have.
    const IN_ORDER: bool = true;

    fn answer(&self, document: &str) -> Result<Done, Unanswered> {
        let input: PayInput = read_document(document)?;
        done(&self.desk.pay(&input, self.kind, now_ms())?)
    }

    fn rule_failed(&self, _: &Done) -> bool {
        false
    }

    fn show(&self, answer: &Done, wide: bool) -> String {
        receipts::show(answer, wide)
    }

    fn row(&self, answer: &Done) -> Option<Row> {
        Some(receipts::row(answer))
    }
}

fn done(answer: &Answer) -> Result<Done, Unanswered> {
    Ok(Done::new(receipt(answer)?, answer.repeated))
}

/// `giftcard redeem`.
pub(crate) fn redeem(desk: &Desk, arguments: &PayArguments, terminal: &mut Terminal) -> Result<u8, Failure> {
    pay(desk, arguments, None, PayKind::Redeem, terminal)
}

/// `giftcard hold`.
pub(crate) fn hold(desk: &Desk, arguments: &HoldArguments, terminal: &mut Terminal) -> Result<u8, Failure> {
    pay(desk, &arguments.pay, arguments.minutes, PayKind::Hold, terminal)
}

fn pay(
    desk: &Desk,
    arguments: &PayArguments,
    minutes: Option<u32>,
    kind: PayKind,
    terminal: &mut Terminal,
) -> Result<u8, Failure> {
    let work = Payments { desk, kind };
    let PayArguments { documents, order } = arguments;
    if order.order.is_none() {
        return run::documents(documents, &work, terminal);
    }
    let key = operation_key(order.operation.as_deref(), terminal)?;
    let mut document = order.document(desk, &key)?;
    if let Some(minutes) = minutes {
        document["hold_minutes"] = json!(minutes);
    }
    run::single(document.to_string(), documents.json, &work, terminal)
}

/// Quotes orders with cards that the ledger knows.
struct LedgerQuotes<'a> {
    desk: &'a Desk,
    explain: bool,
}

impl Work for LedgerQuotes<'_> {
    type Answer = QuoteOutput;

    const HEADER: Header = show::QUOTE_HEADER;

    fn answer(&self, document: &str) -> Result<QuoteOutput, Unanswered> {
        let input: PayInput = read_document(document)?;
        Ok(self.desk.quote(&input, now_ms(), self.explain)?)
    }

    fn rule_failed(&self, answer: &QuoteOutput) -> bool {
        answer.has_failures()
    }

    fn show(&self, answer: &QuoteOutput, wide: bool) -> String {
        show::quote(answer, wide)
    }

    fn row(&self, answer: &QuoteOutput) -> Option<Row> {
        (!self.explain).then(|| show::quote_row(answer))
    }
}

/// `giftcard quote` on the ledger.
pub(crate) fn quote(
    desk: &Desk,
    documents: &DocumentArguments,
    order: &OrderArguments,
    explain: bool,
    terminal: &mut Terminal,
) -> Result<u8, Failure> {
    let work = LedgerQuotes { desk, explain };
    if order.order.is_none() {
        return run::documents(documents, &work, terminal);
    }
    // It moves nothing, so its key is nobody's.
    let document = order.document(desk, order.operation.as_deref().unwrap_or("quote"))?;
    run::single(document.to_string(), documents.json, &work, terminal)
}

/// `giftcard capture`.
#[derive(Args)]
pub(crate) struct CaptureArguments {
    /// The hold
    hold: String,
    /// How much, in the order's currency [default: everything that is left]
    #[arg(long, allow_negative_numbers = true)]
    amount: Option<String>,
    /// Free the rest
    #[arg(long = "final")]
    is_final: bool,
    #[command(flatten)]
    operation: OperationArguments,
    /// Print the answer as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Takes a hold, or a part of it.
pub(crate) fn capture(desk: &Desk, arguments: &CaptureArguments, terminal: &mut Terminal) -> Result<u8, Failure> {
    let CaptureArguments { hold, amount, is_final, operation, json } = arguments;
    let key = operation.key(terminal)?;
    let document = json!({
        "operation": key, "site": operation.site, "hold": hold, "amount": amount, "final": is_final,
        "actor": operation.actor,
    });
    let input: CaptureInput = read_document(&document.to_string()).map_err(giftcard::DeskError::from)?;
    tell(&desk.capture(&input, now_ms())?, *json, terminal)
}

/// `giftcard void`.
#[derive(Args)]
pub(crate) struct VoidArguments {
    /// The hold
    hold: String,
    /// Why, for the records
    #[arg(long)]
    reason: Option<String>,
    #[command(flatten)]
    operation: OperationArguments,
    /// Print the answer as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Gives a hold up.
pub(crate) fn void(desk: &Desk, arguments: &VoidArguments, terminal: &mut Terminal) -> Result<u8, Failure> {
    let key = arguments.operation.key(terminal)?;
    let doing = arguments.operation.doing(&key);
    tell(&desk.void(&doing, &arguments.hold, arguments.reason.as_deref())?, arguments.json, terminal)
}

fn tell(answer: &Answer, json: bool, terminal: &mut Terminal) -> Result<u8, Failure> {
    let done = Done::new(receipt(answer)?, answer.repeated);
    match json {
        true => terminal.json(&done)?,
        false => terminal.line(receipts::show(&done, terminal.is_terminal()).trim_end())?,
    }
    Ok(terminal::DONE)
}

/// What an amount of a refund is of.
#[derive(Clone, Copy, ValueEnum)]
enum Mode {
    /// What cards paid
    Cards,
    /// The order, split over all tenders
    Order,
}

/// A refund by options, instead of in a document.
#[derive(Args)]
#[command(next_help_heading = "A refund on the ledger without a document")]
pub(crate) struct RefundOptions {
    /// The order
    #[arg(long, value_name = "ID", requires = "amount")]
    pub(crate) order: Option<String>,
    /// What goes back, in the order's currency
    #[arg(long, requires = "order", allow_negative_numbers = true)]
    amount: Option<String>,
    /// What the amount is of [default: cards]
    #[arg(long, value_enum, requires = "order", conflicts_with_all = ["to_card", "to_code", "to_credit"])]
    mode: Option<Mode>,
    /// What another payment method paid goes back to the card with this id
    #[arg(long, value_name = "ID", requires = "order", conflicts_with_all = ["to_code", "to_credit"])]
    to_card: Option<String>,
    /// What another payment method paid goes back to the card with this code; `-` reads it from standard input
    #[arg(long, value_name = "CODE", requires = "order", conflicts_with = "to_credit")]
    to_code: Option<String>,
    /// What another payment method paid goes back to the store credit of this customer
    #[arg(long, value_name = "CUSTOMER", requires = "order")]
    to_credit: Option<String>,
    /// What another payment method paid, for an order that the ledger does not know
    #[arg(long, value_name = "AMOUNT", allow_negative_numbers = true, requires = "order")]
    paid: Option<String>,
    /// Why, for the records
    #[arg(long, requires = "order")]
    reason: Option<String>,
    /// The site [default: main]
    #[arg(long, requires = "order")]
    site: Option<String>,
    /// Names the operation for all time [default: a random one, told on standard error]
    #[arg(long, value_name = "KEY", requires = "order")]
    operation: Option<String>,
    /// Who does it, for the records
    #[arg(long, value_name = "NAME", requires = "order")]
    actor: Option<String>,
}

/// Refunds orders that the ledger knows.
struct LedgerRefunds<'a> {
    desk: &'a Desk,
}

impl Work for LedgerRefunds<'_> {
    type Answer = Done;

    const HEADER: Header = receipts::HEADER;
    const IN_ORDER: bool = true;

    fn answer(&self, document: &str) -> Result<Done, Unanswered> {
        let input: RefundOrderInput = read_document(document)?;
        let (desk, now) = (self.desk, now_ms());
        let site = input.site.as_deref().unwrap_or(MAIN_SITE);
        let spare = desk.spare_codes(&desk.refund_needs_codes(site, &input.order)?, now)?;
        let made: Vec<_> = spare.iter().map(|spare| (spare.site.clone(), spare.id)).collect();
        let mut done = done(&desk.refund(&input, spare, now)?)?;
        // Only codes of this run: a repetition shows none, though they can be revealed as long as they are kept.
        for (site, card) in made {
            if done.accounts.iter().any(|line| line.id == card.to_string()) {
                let operation = format!("{}:reveal:{card}", &*input.operation);
                let doing = giftcard::Doing {
                    site: &site,
                    operation: &operation,
                    actor: input.actor.as_deref(),
                    now: now_ms(),
                };
                let reason = Some("new card of a refund");
                done.new_cards.push(desk.reveal_code(&doing, &CardName::Id(card), reason)?);
            }
        }
        Ok(done)
    }

    fn rule_failed(&self, _: &Done) -> bool {
        false
    }

    fn show(&self, answer: &Done, wide: bool) -> String {
        receipts::show(answer, wide)
    }

    fn row(&self, answer: &Done) -> Option<Row> {
        // A row has no place for codes.
        answer.new_cards.is_empty().then(|| receipts::row(answer))
    }
}

/// `giftcard refund` on the ledger.
pub(crate) fn refund(
    desk: &Desk,
    documents: &DocumentArguments,
    options: &RefundOptions,
    terminal: &mut Terminal,
) -> Result<u8, Failure> {
    let work = LedgerRefunds { desk };
    if options.order.is_none() {
        return run::documents(documents, &work, terminal);
    }
    let key = operation_key(options.operation.as_deref(), terminal)?;
    let site = options.site.as_deref().unwrap_or(MAIN_SITE);
    let RefundOptions { order, amount, reason, actor, .. } = options;
    let mut document = json!({
        "operation": key, "site": site, "order": order, "amount": amount, "reason": reason, "actor": actor,
    });
    if options.to_card.is_none() && options.to_code.is_none() && options.to_credit.is_none() {
        if options.paid.is_some() {
            let message = "`paid`: is of another payment method, which goes to a card or to store credit; write `--to-card`, \
                           `--to-code` or `--to-credit` beside it";
            return Err(Failure::refused("inconsistent", message.to_string()));
        }
        document["mode"] = match options.mode {
            Some(Mode::Order) => json!("order"),
            Some(Mode::Cards) | None => json!("cards"),
        };
        return run::single(document.to_string(), documents.json, &work, terminal);
    }
    document["id"] = json!(options.to_card);
    document["code"] = json!(options.to_code.as_deref().map(read_code).transpose()?);
    document["credit_of"] = json!(options.to_credit);
    document["paid"] = json!(options.paid);
    let input: RefundOtherInput = read_document(&document.to_string()).map_err(giftcard::DeskError::from)?;
    tell(&desk.refund_other(&input, now_ms())?, documents.json, terminal)
}
