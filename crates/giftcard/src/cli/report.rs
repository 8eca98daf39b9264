//! `giftcard report`: what is owed, what moved, what was left over, which codes are left. Must not add anything up.

use clap::{Args, Subcommand};
use giftcard::Desk;
use giftcard::desk::Period;
use giftcard::input::DayOrInstant;
use giftcard::output::{BreakageReport, LiabilityReport, StockReport, TurnoverReport};

use super::ledger::now_ms;
use super::show::table;
use super::terminal::{self, Failure, Terminal, plain};

/// What is reported.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// What is owed to holders of cards and store credit now, by programme and currency
    Liability(Scope),
    /// What was issued, redeemed, refunded and left over in a period
    Turnover(Timed),
    /// What was left over on ended cards in a period, and what waits on ended cards now
    Breakage(Timed),
    /// Which codes are left in the pools
    Stock(Scope),
}

/// Of what.
#[derive(Args)]
pub(crate) struct Scope {
    /// Only this site [default: all]
    #[arg(long)]
    site: Option<String>,
    /// Print the report as JSON
    #[arg(long)]
    json: bool,
}

/// Of what, and from when to when.
#[derive(Args)]
pub(crate) struct Timed {
    #[command(flatten)]
    scope: Scope,
    /// The first day that counts, in each site's own time zone, such as 2026-01-01; or an instant [default: the beginning]
    #[arg(long, value_name = "DAY")]
    from: Option<String>,
    /// The first day that does not count any more: January ends with 2026-02-01; or an instant [default: up to now]
    #[arg(long, value_name = "DAY")]
    to: Option<String>,
}

impl Timed {
    fn period(&self) -> Period {
        Period { from: self.from.clone().map(DayOrInstant), to: self.to.clone().map(DayOrInstant) }
    }
}

impl Command {
    pub(crate) fn json(&self) -> bool {
        match self {
            Self::Liability(scope) | Self::Stock(scope) => scope.json,
            Self::Turnover(timed) | Self::Breakage(timed) => timed.scope.json,
        }
    }
}

/// Reports.
pub(crate) fn run(desk: &Desk, command: &Command, terminal: &mut Terminal) -> Result<u8, Failure> {
    let wide = terminal.is_terminal();
    match command {
        Command::Liability(Scope { site, json }) => {
            let report = desk.report_liability(site.as_deref(), now_ms())?;
            tell(&report, *json, || liability(&report, wide), terminal)
        }
        Command::Turnover(timed) => {
            let report = desk.report_turnover(timed.scope.site.as_deref(), &timed.period())?;
            tell(&report, timed.scope.json, || turnover(&report, wide), terminal)
        }
        Command::Breakage(timed) => {
            let report = desk.report_breakage(timed.scope.site.as_deref(), &timed.period(), now_ms())?;
            tell(&report, timed.scope.json, || breakage(&report, wide), terminal)
        }
        Command::Stock(Scope { site, json }) => {
            let report = desk.report_stock(site.as_deref())?;
            tell(&report, *json, || stock(&report, wide), terminal)
        }
    }
}

fn tell(
    report: &impl serde::Serialize,
    json: bool,
    show: impl FnOnce() -> String,
    terminal: &mut Terminal,
) -> Result<u8, Failure> {
    match json {
        true => terminal.json(report)?,
        false => terminal.line(show().trim_end())?,
    }
    Ok(terminal::DONE)
}

/// What stands in the place of a programme where there is none.
fn programme(kind: &str, name: &str) -> String {
    if kind == "credit" { "(store credit)".to_string() } else { plain(name) }
}

fn liability(report: &LiabilityReport, wide: bool) -> String {
    let header =
        ["site", "programme", "currency", "cards", "active", "pending", "disabled", "ended", "total", "held of it"];
    let mut rows = table(&header, &[3, 4, 5, 6, 7, 8, 9], wide);
    for row in &report.rows {
        rows.add_row([
            plain(&row.site),
            programme(row.kind, &row.programme),
            row.currency.clone(),
            row.accounts.to_string(),
            row.active.clone(),
            row.pending.clone(),
            row.disabled.clone(),
            row.expired.clone(),
            row.total.clone(),
            row.held.clone(),
        ]);
    }
    let mut text = format!("Outstanding at {}\n", report.at);
    if report.rows.is_empty() {
        return text + "Nothing is owed.\n";
    }
    text.push_str(&format!("{rows}\n"));
    for total in &report.totals {
        text.push_str(&format!(
            "{} {} on {} cards and store credit accounts, {} of it held\n",
            total.total, total.currency, total.accounts, total.held
        ));
    }
    text
}

fn turnover(report: &TurnoverReport, wide: bool) -> String {
    if report.rows.is_empty() {
        return "Nothing moved in this period.\n".to_string();
    }
    let header = [
        "site",
        "programme",
        "currency",
        "issued",
        "loaded",
        "redeemed",
        "refunded",
        "returned",
        "adjusted",
        "expired",
        "moved",
        "net",
    ];
    let mut rows = table(&header, &[3, 4, 5, 6, 7, 8, 9, 10, 11], wide);
    let mut periods: Vec<String> = Vec::new();
    for row in &report.rows {
        let or = |end: &Option<String>, other: &str| end.clone().unwrap_or_else(|| other.to_string());
        let period = format!("{}: {} to {}", plain(&row.site), or(&row.from, "the beginning"), or(&row.to, "now"));
        if !periods.contains(&period) {
            periods.push(period);
        }
        rows.add_row([
            plain(&row.site),
            programme(row.kind, &row.programme),
            row.currency.clone(),
            row.issued.clone(),
            row.loaded.clone(),
            row.redeemed.clone(),
            row.refunded.clone(),
            row.returned.clone(),
            row.adjusted.clone(),
            row.expired.clone(),
            row.moved.clone(),
            row.net.clone(),
        ]);
    }
    format!("{}\n{rows}\n", periods.join("\n"))
}

fn breakage(report: &BreakageReport, wide: bool) -> String {
    if report.rows.is_empty() {
        return "Nothing was issued or left over in this period, and nothing waits.\n".to_string();
    }
    let header = ["site", "programme", "currency", "issued", "cards ended", "breakage", "cards waiting", "on them"];
    let mut rows = table(&header, &[3, 4, 5, 6, 7], wide);
    for row in &report.rows {
        rows.add_row([
            plain(&row.site),
            plain(&row.programme),
            row.currency.clone(),
            row.issued.clone(),
            row.cards_expired.to_string(),
            row.breakage.clone(),
            row.cards_waiting.to_string(),
            row.waiting.clone(),
        ]);
    }
    let waiting = report.rows.iter().any(|row| row.cards_waiting > 0);
    let hint = if waiting { "`giftcard expire` turns what waits on ended cards into breakage.\n" } else { "" };
    format!("{rows}\n{hint}")
}

fn stock(report: &StockReport, wide: bool) -> String {
    if report.rows.is_empty() {
        return "There are no pools.\n".to_string();
    }
    let header = ["site", "pool", "free", "reserved", "drawn", "withdrawn", "warn below", ""];
    let mut rows = table(&header, &[2, 3, 4, 5, 6], wide);
    for row in &report.rows {
        rows.add_row([
            plain(&row.site),
            plain(&row.pool),
            row.free.to_string(),
            row.reserved.to_string(),
            row.drawn.to_string(),
            row.withdrawn.to_string(),
            row.low_stock.map(|low| low.to_string()).unwrap_or_default(),
            if row.low { "low" } else { "" }.to_string(),
        ]);
    }
    format!("{rows}\n")
}
