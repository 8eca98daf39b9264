//! `giftcard backup` and `giftcard restore`. Must not know how a copy is made.

use std::path::PathBuf;

use clap::Args;
use giftcard::desk::{RestoreProblem, restore};
use giftcard::output::{BackupOutput, RestoreOutput};

use super::ledger::LedgerArguments;
use super::progress;
use super::terminal::{self, Failure, Terminal, plain};
use super::verify;

/// `giftcard backup`.
#[derive(Args)]
#[command(after_help = "\
The key file is NOT in it: back that up too, somewhere else. Without it no card of a restored ledger is found by its
code. A backup is a SQLite file whichever database it was made of, and `giftcard restore` puts it into either.")]
pub(crate) struct BackupArguments {
    /// A new file
    file: PathBuf,
    /// Print the answer as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Writes everything, as of one moment, to a new file. Others may go on.
pub(crate) fn backup(
    ledger: &LedgerArguments,
    arguments: &BackupArguments,
    terminal: &mut Terminal,
) -> Result<u8, Failure> {
    let BackupArguments { file, json } = arguments;
    let store = ledger.store()?;
    if file.symlink_metadata().is_ok() {
        let message = format!("`{}` is there already; a backup goes to a new file", file.display());
        return Err(Failure::refused("place-taken", message));
    }
    let bar = progress::bar();
    bar.set_message("writing");
    bar.enable_steady_tick(std::time::Duration::from_millis(200));
    let written = store.backup(file);
    bar.finish_and_clear();
    written?;
    let bytes = std::fs::metadata(file)?.len();
    let answer = BackupOutput { file: file.display().to_string(), bytes };
    match json {
        true => terminal.json(&answer)?,
        false => {
            let file = plain(&answer.file);
            terminal.line(&format!(
                "{file}: {bytes} bytes. The key file is not in it: back that up too, somewhere else."
            ))?;
        }
    }
    Ok(terminal::DONE)
}

/// `giftcard restore`.
#[derive(Args)]
#[command(after_help = "\
Give the new place with --database: a SQLite file that is not there yet, or an empty schema of a PostgreSQL database.
Nothing is overwritten. All that can be checked without rules is checked before it is done.")]
pub(crate) struct RestoreArguments {
    /// A backup
    file: PathBuf,
    /// Print the answer as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Puts a backup to a new place.
pub(crate) fn run_restore(
    ledger: &LedgerArguments,
    arguments: &RestoreArguments,
    terminal: &mut Terminal,
) -> Result<u8, Failure> {
    let RestoreArguments { file, json } = arguments;
    let address = ledger.address()?;
    let bar = progress::bar();
    let restored = restore(file, &address, &mut |now| verify::step(&bar, now));
    bar.finish_and_clear();
    let report = match restored {
        Ok(report) => report,
        Err(problem) => {
            if let (RestoreProblem::Unsound(report), false) = (&problem, json) {
                terminal.line(verify::show(report, terminal.is_terminal()).trim_end())?;
            }
            return Err(Failure::refused(problem.code(), problem.to_string()));
        }
    };
    let keys = ledger.keys(&address).ok().filter(|file| file.is_file());
    let answer = RestoreOutput { database: address.to_string(), report };
    match json {
        true => terminal.json(&answer)?,
        false => {
            terminal.line(verify::show(&answer.report, terminal.is_terminal()).trim_end())?;
            let rest = match (keys, address.file()) {
                (Some(_), _) => String::new(),
                (None, Some(place)) => format!(
                    " Its key file was not in the backup: put it at {}, or name it with --keys.",
                    plain(&place.with_extension(super::ledger::KEYS_ENDING).display().to_string())
                ),
                (None, None) => " Its key file was not in the backup: name it with --keys.".to_string(),
            };
            terminal.line(&format!("Restored to {}.{rest}", plain(&answer.database)))?;
        }
    }
    Ok(terminal::DONE)
}
