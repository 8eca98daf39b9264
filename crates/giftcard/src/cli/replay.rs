//! `giftcard replay`: decisions of the past under other rules. Must not know how they are decided.

use std::fs;
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::Args;
use giftcard::desk::{Period, ReplayOptions, ReplayReport, ReplaySettings, ReplayState, replay_picture};
use giftcard::input::DayOrInstant;
use giftcard::{Desk, file_problem};
use giftcard_host::Component;

use super::naming::{read_text, unusable};
use super::plugin::installed::{basis_points, id_and_version, read_component};
use super::progress;
use super::show::{fields, table};
use super::terminal::{self, Failure, Terminal, plain};

/// How often the state is written while a replay runs.
const KEEP_EVERY: Duration = Duration::from_secs(2);

/// Decisions that people are shown one by one.
const SHOWN_MAX: usize = 20;

#[derive(Args)]
pub(crate) struct ReplayArguments {
    /// A component in place of the one of the same id that decided: a .wasm file, or `ID@VERSION` of one that is installed.
    /// Rules take the place of the rules. May be given several times
    #[arg(long, value_name = "FILE|ID@VERSION")]
    plugin: Vec<String>,
    /// Settings in place of those of a plugin, such as `welcome-gift={"products": 2}`, at all programmes that bind it, or
    /// `spring:welcome-gift={...}` at one. May be given several times
    #[arg(long, value_name = "[PROGRAMME:]PLUGIN=SETTINGS")]
    settings: Vec<String>,
    /// Only decisions of this site [default: all]
    #[arg(long)]
    site: Option<String>,
    /// The first day that counts, such as 2026-01-01, in the site's time zone, or in UTC without `--site`; or an instant
    #[arg(long, value_name = "DAY")]
    from: Option<String>,
    /// The first day that does not count any more; or an instant
    #[arg(long, value_name = "DAY")]
    to: Option<String>,
    /// Only decisions about cards of this programme
    #[arg(long, value_name = "NAME")]
    programme: Option<String>,
    /// Only a share of the decisions, such as `10%`: the same ones every time
    #[arg(long, value_name = "PERCENT")]
    sample: Option<String>,
    /// Threads that decide [default: one for each core]
    #[arg(long, value_name = "COUNT")]
    threads: Option<NonZero<usize>>,
    /// Keep in this file how far it came, and go on from there if it is there already
    #[arg(long, value_name = "FILE")]
    resume: Option<PathBuf>,
    /// Draw what cards of each programme paid and would have paid into this file
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    /// Print the report as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

pub(crate) fn run(desk: &Desk, arguments: &ReplayArguments, terminal: &mut Terminal) -> Result<u8, Failure> {
    let options = options(desk, arguments)?;
    let state = arguments.resume.as_deref().map(kept).transpose()?.flatten();
    let bar = progress::bar();
    let (mut written, mut unwritable) = (Instant::now(), None);
    let state = desk.replay(&options, state, &mut |state| {
        let (done, all) = state.progress();
        progress::set(&bar, "decisions", done, Some(all));
        if let Some(file) = &arguments.resume
            && written.elapsed() >= KEEP_EVERY
        {
            written = Instant::now();
            unwritable = keep(file, state).err();
        }
        unwritable.is_none()
    });
    bar.finish_and_clear();
    if let Some(unwritable) = unwritable {
        return Err(unwritable);
    }
    let state = state?;
    if let Some(file) = &arguments.resume {
        keep(file, &state)?;
    }
    let report = state.report();
    if let Some(file) = &arguments.svg {
        fs::write(file, replay_picture(&report)).map_err(|error| unusable(file, &file_problem(&error)))?;
    }
    if report.concerned == 0 && report.decisions > 0 {
        terminal.note("none of these decisions binds what was given another version or other settings")?;
    }
    terminal.answer(&report, arguments.json, |wide| show(&report, wide))?;
    if report.decisions == 0 && !report.not_replayable.is_empty() {
        terminal.note("none of these decisions could be run again; `not replayable` in the report says why")?;
        return Ok(terminal::REFUSED);
    }
    Ok(terminal::DONE)
}

fn options(desk: &Desk, arguments: &ReplayArguments) -> Result<ReplayOptions, Failure> {
    let settings = arguments.settings.iter().map(|text| settings(text)).collect::<Result<_, _>>()?;
    let site = arguments.site.as_deref().unwrap_or(giftcard::desk::MAIN_SITE);
    let components = arguments.plugin.iter().map(|name| component(desk, site, name)).collect::<Result<_, _>>()?;
    Ok(ReplayOptions {
        site: arguments.site.clone(),
        period: Period { from: arguments.from.clone().map(DayOrInstant), to: arguments.to.clone().map(DayOrInstant) },
        programme: arguments.programme.clone(),
        sample: arguments.sample.as_deref().map(basis_points).transpose()?,
        components,
        settings,
        page: None,
        threads: arguments.threads,
    })
}

fn component(desk: &Desk, site: &str, name: &str) -> Result<Component, Failure> {
    let path = Path::new(name);
    if path.is_file() || path.extension().is_some_and(|ending| ending == "wasm") {
        let file = path.file_stem().unwrap_or_default().to_string_lossy();
        return Ok(desk.load_for_trial(&file, &read_component(path)?)?);
    }
    let (id, version) = id_and_version(name);
    Ok(desk.plugin_component(site, id, version)?)
}

fn settings(text: &str) -> Result<ReplaySettings, Failure> {
    let wrong = || {
        let message = format!(
            "`--settings {}` names no plugin; write `PLUGIN={{...}}`, or `PROGRAMME:PLUGIN={{...}}` for one programme",
            plain(text)
        );
        Failure::refused("invalid-value", message)
    };
    let (name, settings) = text.split_once('=').ok_or_else(wrong)?;
    let (programme, plugin) = match name.split_once(':') {
        Some((programme, plugin)) => (Some(programme.to_string()), plugin),
        None => (None, name),
    };
    if plugin.is_empty() || plugin.contains('{') {
        return Err(wrong());
    }
    Ok(ReplaySettings { plugin: plugin.to_string(), programme, settings: settings.to_string() })
}

/// What was kept of a replay; nothing where the file is not there yet.
fn kept(file: &Path) -> Result<Option<ReplayState>, Failure> {
    if !file.exists() {
        return Ok(None);
    }
    let text = read_text(file)?;
    let state = serde_json::from_str(&text);
    state.map(Some).map_err(|error| unusable(file, &format!("is not what a replay keeps: {error}")))
}

/// Written beside and renamed, so that there is always a whole one.
fn keep(file: &Path, state: &ReplayState) -> Result<(), Failure> {
    let mut beside = file.as_os_str().to_os_string();
    beside.push(".new");
    let text = serde_json::to_string(state).map_err(std::io::Error::from)?;
    let written = fs::write(&beside, text).and_then(|()| fs::rename(&beside, file));
    written.map_err(|error| unusable(file, &file_problem(&error)))
}

fn show(report: &ReplayReport, wide: bool) -> String {
    let counted = |reasons: &std::collections::BTreeMap<String, u64>| {
        reasons.iter().map(|(why, count)| format!("{count} {}", plain(why))).collect::<Vec<_>>().join("; ")
    };
    let unfinished = if report.complete { "" } else { " so far" };
    let refunds = match report.refunds {
        0 => String::new(),
        count => format!("{count}, {} of them split otherwise", report.refunds_different),
    };
    let mut text = fields(&[
        ("decisions", format!("{}{unfinished}, {} of them concerned", report.decisions, report.concerned)),
        ("came out the same", report.same.to_string()),
        ("came out otherwise", report.different.to_string()),
        ("orders that no card would have paid for", report.orders_refused.to_string()),
        ("failed", counted(&report.failed)),
        ("not replayable", counted(&report.not_replayable)),
        ("refunds", refunds),
    ]);
    let header = [
        "programme",
        "site",
        "cards",
        "flipped",
        "refused now",
        "accepted now",
        "paid",
        "would have paid",
        "difference",
    ];
    let mut programmes = table(&header, &[2, 3, 4, 5, 6, 7, 8], wide);
    for row in &report.programmes {
        let money = |amount: &str| format!("{amount} {}", row.currency);
        programmes.add_row([
            plain(&row.programme),
            plain(&row.site),
            row.cards.to_string(),
            row.flipped.to_string(),
            row.newly_refused.to_string(),
            row.newly_accepted.to_string(),
            money(&row.before),
            money(&row.after),
            money(&row.difference),
        ]);
    }
    if !report.programmes.is_empty() {
        text.push_str(&format!("{programmes}\n"));
    }
    if report.refunds_different > 0 {
        let header = ["went back to", "site", "returned", "would have returned", "difference"];
        let mut returned = table(&header, &[2, 3, 4], wide);
        for row in &report.returned {
            let money = |amount: &str| format!("{amount} {}", row.currency);
            let programme = if row.programme.is_empty() { "other payment methods" } else { &row.programme };
            returned.add_row([
                plain(programme),
                plain(&row.site),
                money(&row.before),
                money(&row.after),
                money(&row.difference),
            ]);
        }
        text.push_str(&format!("{returned}\n"));
    }
    if !report.changes.is_empty() {
        let mut changes = table(&["order", "at", "card", "was", "would be", "paid", "would have paid"], &[5, 6], wide);
        for change in report.changes.iter().take(SHOWN_MAX) {
            changes.add_row([
                plain(change.order.as_deref().unwrap_or_default()),
                plain(&change.at),
                plain(&change.card),
                plain(&change.before),
                plain(&change.after),
                plain(&change.paid_before),
                plain(&change.paid_after),
            ]);
        }
        text.push_str(&format!("{changes}\n"));
        if report.changes.len() > SHOWN_MAX {
            text.push_str("`--json` has more of them\n");
        }
    }
    text.push_str(&format!("\n{}", report.about));
    text
}
