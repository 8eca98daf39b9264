//! `giftcard verify` and `giftcard checkpoint`: whether a ledger is sound, and what shows later on whether it still is the
//! same. Must not know how it is checked.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use giftcard::desk::{
    CheckpointDocument, CheckpointExport, Decisions, Finding, MAIN_SITE, OperationVerdict, Progress, VerifyOptions,
    VerifyReport, read_checkpoints, seal,
};
use giftcard::output::SealedOutput;
use giftcard::without_number;
use giftcard_ledger::model::OperationKey;
use giftcard_ledger::store::{Checkpoint, Store};

use super::Loading;
use super::ledger::{LedgerArguments, now_ms};
use super::naming::read_text;
use super::progress;
use super::show::table;
use super::terminal::{self, Failure, Terminal, plain};

const CANNOT_SEE: &str = "\
What it can't see: a ledger that was rewritten from some operation on, by somebody who has the key
file too, and operations that were taken away since the last checkpoint together with every trace
of them. Both show against an export of checkpoints that was kept elsewhere:
  giftcard checkpoint --export checkpoints.json
  giftcard verify --checkpoints checkpoints.json
Between one export and the next there is nothing to compare with.

Exit codes: 0 sound, 1 something is wrong (or could not be read), 2 wrong usage";

/// `giftcard verify`.
#[derive(Args)]
#[command(args_conflicts_with_subcommands = true, after_help = CANNOT_SEE)]
pub(crate) struct VerifyArguments {
    #[command(subcommand)]
    one: Option<One>,
    /// Run only so many decisions again, chosen by chance
    #[arg(long, value_name = "N", conflicts_with = "no_decisions")]
    sample: Option<usize>,
    /// Run no decisions again
    #[arg(long)]
    no_decisions: bool,
    /// Compare with checkpoints that were exported before
    #[arg(long, value_name = "FILE")]
    checkpoints: Option<PathBuf>,
    /// Print the report as JSON
    #[arg(long)]
    json: bool,
}

impl VerifyArguments {
    pub(crate) fn json(&self) -> bool {
        match &self.one {
            Some(One::Operation { json, .. }) => *json,
            None => self.json,
        }
    }
}

#[derive(Subcommand)]
enum One {
    /// Check one operation: its place in the chains, its arithmetic, and its decision, made again by what made it
    #[command(visible_alias = "decision")]
    Operation {
        /// Its key
        key: String,
        /// Its site
        #[arg(long, default_value = MAIN_SITE)]
        site: String,
        /// Print the verdict as JSON
        #[arg(long)]
        json: bool,
    },
}

/// Checks the ledger, or one operation.
pub(crate) fn verify(
    ledger: &LedgerArguments,
    loading: &Loading,
    arguments: &VerifyArguments,
    terminal: &mut Terminal,
) -> Result<u8, Failure> {
    let exported = match &arguments.checkpoints {
        Some(file) => read_checkpoints(&read_text(file)?).map_err(|error| {
            let message = format!("{}: {error}", file.display());
            Failure::refused(error.kind.code(), message)
        })?,
        None => Vec::new(),
    };
    let desk = ledger.desk(loading)?;
    if let Some(One::Operation { key, site, json }) = &arguments.one {
        let wanted = OperationKey { site: site.clone(), key: key.clone() };
        let Some(verdict) = desk.verify_operation(&wanted)? else {
            let message = format!("the site `{site}` has no operation `{key}`");
            return Err(Failure::refused("operation-not-found", message));
        };
        match json {
            true => terminal.json(&verdict)?,
            false => terminal.line(show_one(&verdict).trim_end())?,
        }
        return Ok(if verdict.sound { terminal::DONE } else { terminal::REFUSED });
    }
    let decisions = match (arguments.no_decisions, arguments.sample) {
        (true, _) => Decisions::None,
        (false, Some(count)) => Decisions::Sample(count),
        (false, None) => Decisions::All,
    };
    let bar = progress::bar();
    let report = desk.verify(&VerifyOptions { decisions, exported }, &mut |now| step(&bar, now));
    bar.finish_and_clear();
    tell(&report?, arguments.json, terminal)
}

/// Moves a bar.
pub(crate) fn step(bar: &indicatif::ProgressBar, now: Progress) {
    progress::set(bar, now.stage.name(), now.done, now.total);
}

/// Tells a report. The exit code.
pub(crate) fn tell(report: &VerifyReport, json: bool, terminal: &mut Terminal) -> Result<u8, Failure> {
    match json {
        true => terminal.json(report)?,
        false => terminal.line(show(report, terminal.is_terminal()).trim_end())?,
    }
    Ok(if report.sound { terminal::DONE } else { terminal::REFUSED })
}

/// A report.
pub(crate) fn show(report: &VerifyReport, wide: bool) -> String {
    let mut text = String::new();
    let decisions = &report.decisions;
    for (count, what) in [
        (report.operations, "operations"),
        (report.entries, "entries"),
        (report.accounts, "accounts"),
        (report.holds, "open holds"),
        (report.checkpoints, "checkpoints"),
        (report.sealed_heads, "sealed heads"),
        (report.components, "installed components"),
        (decisions.recorded, "recorded decisions"),
    ] {
        text.push_str(&format!("{count:>12} {what}\n"));
    }
    if decisions.same + decisions.not_replayable + decisions.different > 0 {
        text.push_str(&format!(
            "{:>12} run again: {} came out the same, {} differ, {} cannot be run again\n",
            decisions.same + decisions.not_replayable + decisions.different,
            decisions.same,
            decisions.different,
            decisions.not_replayable
        ));
    }
    if report.sound {
        text.push_str("The ledger is sound.\n");
        return text;
    }
    text.push_str(&format!("{} findings:\n{}", report.findings_total, findings(&report.findings, wide)));
    let more = report.findings_total.saturating_sub(report.findings.len() as u64);
    if more > 0 {
        text.push_str(&format!("and {more} more\n"));
    }
    text.push_str("The ledger is NOT sound.\n");
    text
}

fn findings(found: &[Finding], wide: bool) -> String {
    let mut rows = table(&["what", "where", "finding"], &[], wide);
    for finding in found {
        let place = [
            finding.operation.as_ref().map(|key| format!("operation {}", plain(key))),
            finding.account.as_ref().map(|id| format!("account {}", plain(id))),
            finding.hold.as_ref().map(|id| format!("hold {}", plain(id))),
            finding.checkpoint.map(|number| format!("checkpoint {number}")),
        ];
        let place: Vec<String> = place.into_iter().flatten().collect();
        rows.add_row([finding.code.to_string(), place.join("\n"), plain(&finding.message)]);
    }
    format!("{rows}\n")
}

fn show_one(verdict: &OperationVerdict) -> String {
    let mut text =
        format!("{} {} of site {} at {}", verdict.kind, plain(&verdict.operation), plain(&verdict.site), verdict.at);
    for (what, name) in [("for order", &verdict.order), ("by", &verdict.actor)] {
        if let Some(name) = name {
            text.push_str(&format!(", {what} {}", plain(name)));
        }
    }
    let decision = match (verdict.decision, &verdict.not_replayable) {
        ("none", _) => "no rules decided it".to_string(),
        ("same", _) => "its decision comes out the same".to_string(),
        (_, Some(why)) => format!("its decision cannot be run again: {}", plain(why)),
        _ => "its decision comes out differently".to_string(),
    };
    text.push_str(&format!("\n{} entries; {decision}\n", verdict.entries));
    match verdict.sound {
        true => text.push_str("The operation is sound.\n"),
        false => {
            text.push_str(&findings(&verdict.findings, false));
            text.push_str("The operation is NOT sound.\n");
        }
    }
    text
}

/// `giftcard checkpoint`.
#[derive(Args)]
#[command(after_help = "\
A checkpoint seals how every chain ends, signed with the key file. Whoever changes what it covers has to make it and
every later one anew, which takes the key file; an export that is kept where they cannot write shows even that. It says
nothing about what comes after it: seal often, such as every hour, and export after it.")]
pub(crate) struct CheckpointArguments {
    /// Write all checkpoints to this file as JSON, in place of an older export; `-` for standard output
    #[arg(long, value_name = "FILE")]
    export: Option<PathBuf>,
    /// Print the answer as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Seals what changed, and exports.
pub(crate) fn checkpoint(
    ledger: &LedgerArguments,
    arguments: &CheckpointArguments,
    terminal: &mut Terminal,
) -> Result<u8, Failure> {
    let (store, secrets) = ledger.store_and_keys()?;
    let sealed = seal(&*store, &secrets, now_ms())?;
    let last = store.checkpoints()?.pop();
    let answer = SealedOutput {
        sealed: sealed.is_some(),
        checkpoint: sealed.or(last).as_ref().map(CheckpointDocument::of),
        exported: arguments
            .export
            .as_ref()
            .filter(|file| file.as_os_str() != "-")
            .map(|file| file.display().to_string()),
    };
    if let Some(file) = &arguments.export {
        export(&*store, file, terminal)?;
        // The export is the answer.
        if file.as_os_str() == "-" {
            return Ok(terminal::DONE);
        }
    }
    if arguments.json {
        terminal.json(&answer)?;
        return Ok(terminal::DONE);
    }
    let text = match (&answer.checkpoint, answer.sealed) {
        (Some(made), true) => {
            format!("Checkpoint {} seals {} chains at {}: {}", made.number, made.heads, made.at, made.digest)
        }
        (Some(last), false) => {
            format!("Nothing changed since checkpoint {}, of {}: {}", last.number, last.at, last.digest)
        }
        (None, _) => "There is nothing to seal yet.".to_string(),
    };
    terminal.line(&text)?;
    if let Some(file) = &answer.exported {
        terminal.line(&format!("Exported to {}", plain(file)))?;
    }
    Ok(terminal::DONE)
}

fn export(store: &dyn Store, file: &Path, terminal: &mut Terminal) -> Result<(), Failure> {
    let checkpoints: Vec<Checkpoint> = store.checkpoints()?;
    let export = CheckpointExport { checkpoints: checkpoints.iter().map(CheckpointDocument::of).collect() };
    let text = serde_json::to_string_pretty(&export).expect("INVARIANT: checkpoints have string keys only");
    if file.as_os_str() == "-" {
        return terminal.line(&text);
    }
    let cannot = |error: std::io::Error| {
        let problem = without_number(&error.to_string());
        Failure::refused("file-unwritable", format!("{}: cannot be written: {problem}", file.display()))
    };
    // Beside it first: an older export must not be lost when this is interrupted.
    let mut partial = file.as_os_str().to_owned();
    partial.push(".partial");
    let partial = PathBuf::from(partial);
    let written = OpenOptions::new().write(true).create(true).truncate(true).open(&partial).and_then(|mut open| {
        open.write_all(text.as_bytes())?;
        open.write_all(b"\n")?;
        open.sync_all()
    });
    written.and_then(|()| std::fs::rename(&partial, file)).map_err(cannot)
}
