//! `giftcard expire`: the sweep over what time has ended. Must not know what that does to a card.

use clap::Args;
use giftcard::desk::{SweepOptions, SweepReport};

use super::Loading;
use super::ledger::{LedgerArguments, now_ms};
use super::progress;
use super::terminal::{self, Failure, Terminal, plain};

/// `giftcard expire`.
#[derive(Args)]
#[command(after_help = "\
Nothing depends on it: a hold that has passed holds nothing, and a card that has ended pays nothing, swept or not. It
turns what is left on ended cards into breakage, which closes them for good; disabled cards and empty ones are left as
they are. Safe to run twice, and at once.")]
pub(crate) struct ExpireArguments {
    /// Only cards that ended at least so many days ago
    #[arg(long, value_name = "DAYS", default_value_t = 0)]
    grace_days: u32,
    /// Only cards of this site; holds are ended at all sites
    #[arg(long)]
    site: Option<String>,
    /// Who does it, for the records
    #[arg(long, value_name = "NAME")]
    actor: Option<String>,
    /// Print the report as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Sweeps.
pub(crate) fn run(
    ledger: &LedgerArguments,
    loading: &Loading,
    arguments: &ExpireArguments,
    terminal: &mut Terminal,
) -> Result<u8, Failure> {
    let ExpireArguments { grace_days, site, actor, json } = arguments;
    let desk = ledger.desk(loading)?;
    let options = SweepOptions { site: site.clone(), grace_days: *grace_days, actor: actor.clone() };
    let bar = progress::bar();
    let swept = desk.sweep(&options, now_ms(), &mut |now| match now.cards {
        0 => progress::set(&bar, "holds", now.holds, None),
        cards => progress::set(&bar, "cards", cards, None),
    });
    bar.finish_and_clear();
    let report = swept?;
    match json {
        true => terminal.json(&report)?,
        false => terminal.line(show(&report).trim_end())?,
    }
    Ok(terminal::DONE)
}

fn show(report: &SweepReport) -> String {
    let mut text = format!("{} holds ended, {} cards closed", report.holds_ended, report.cards_closed);
    for (currency, sum) in &report.breakage {
        text.push_str(&format!(", {sum} {} breakage", plain(currency)));
    }
    text.push('\n');
    if report.cards_held > 0 {
        text.push_str(&format!("{} ended cards are held for orders and were left\n", report.cards_held));
    }
    if report.refusals_forgotten > 0 {
        text.push_str(&format!("{} remembered refusals forgotten\n", report.refusals_forgotten));
    }
    text
}
