//! `giftcard card list` and `giftcard card history`. Must not know how a page is drawn.

use clap::Args;
use giftcard::Desk;
use giftcard::desk::CardFilter;
use giftcard::input::{Amount, CurrencyCode, DayOrInstant};
use giftcard::output::CardState;

use super::show;
use crate::cli::ledger::now_ms;
use crate::cli::naming::{CardArgument, PageArguments, SiteArgument};
use crate::cli::terminal::{Failure, Terminal};

/// Which cards.
#[derive(Args)]
pub(crate) struct List {
    /// Of this programme, by code name; `manual` for those issued by hand
    #[arg(long, value_name = "NAME")]
    programme: Option<String>,
    /// Of this customer
    #[arg(long, value_name = "ID")]
    customer: Option<String>,
    /// In this state
    #[arg(long, value_parser = CardState::ALL.map(CardState::name))]
    state: Option<String>,
    /// Bought by this order
    #[arg(long, value_name = "ORDER")]
    bought_by: Option<String>,
    /// With these last four characters of the code
    #[arg(long, value_name = "CHARACTERS")]
    hint: Option<String>,
    /// That end with this day, at this instant, or before
    #[arg(long, value_name = "DAY")]
    ends_by: Option<String>,
    /// With at least this balance
    #[arg(long, value_name = "AMOUNT", allow_negative_numbers = true)]
    balance_min: Option<String>,
    /// In this currency; with `--balance-min` the site's if left out
    #[arg(long, value_name = "CODE")]
    currency: Option<String>,
    #[command(flatten)]
    page: PageArguments,
    #[command(flatten)]
    site: SiteArgument,
    /// Print the page as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Whose entries.
#[derive(Args)]
pub(crate) struct History {
    #[command(flatten)]
    card: CardArgument,
    /// Begin after the entry with this number
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    after: u64,
    /// Most that are listed, 1 to 1000
    #[arg(long, value_name = "COUNT", default_value_t = 100)]
    limit: usize,
    #[command(flatten)]
    site: SiteArgument,
    /// Print the page as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Lists cards.
pub(crate) fn list(desk: &Desk, options: &List, terminal: &mut Terminal) -> Result<u8, Failure> {
    let state = |name: &String| CardState::ALL.into_iter().find(|state| state.name() == name);
    let filter = CardFilter {
        programme: options.programme.clone(),
        customer: options.customer.clone(),
        state: options.state.as_ref().and_then(state),
        bought_by: options.bought_by.clone(),
        hint: options.hint.clone(),
        ends_by: options.ends_by.clone().map(DayOrInstant),
        balance_min: options.balance_min.clone().map(Amount),
        currency: options.currency.clone().map(CurrencyCode),
        after: options.page.after.clone(),
        limit: options.page.limit,
    };
    let page = desk.cards(&options.site.site, &filter, now_ms())?;
    terminal.answer(&page, options.json, |wide| show::accounts(&page, wide))
}

/// Shows entries.
pub(crate) fn history(desk: &Desk, options: &History, terminal: &mut Terminal) -> Result<u8, Failure> {
    let name = options.card.name()?;
    let page = desk.history(&options.site.site, &name, options.after, options.limit, now_ms())?;
    terminal.answer(&page, options.json, |wide| show::history(&page, wide))
}
