//! `giftcard secrets`: the versions of the keys that codes are found by. Must not know a key, and shows none.

use std::path::Path;

use clap::Subcommand;
use giftcard::Desk;
use giftcard::output::KeysOutput;
use serde_json::json;

use super::progress;
use super::show::table;
use super::terminal::{Failure, Terminal};

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Show the versions of the keys, and how many codes need each
    Show {
        /// Print it as JSON
        #[arg(long)]
        json: bool,
    },
    /// Add a new key for codes to the key file, which new codes get from then on
    ///
    /// Earlier keys still find the codes that have them; each of those moves to the new one when it is presented.
    /// Services that run on the ledger must be restarted, or they do not find what is new; and the key file must be
    /// backed up again
    RotatePepper {
        /// Print it as JSON
        #[arg(long)]
        json: bool,
    },
    /// Move the codes that wait in pools to the newest key. Every service on the ledger must know it by then
    RenewPools {
        /// Print it as JSON
        #[arg(long)]
        json: bool,
    },
    /// Drop a key that no code needs any more
    RetirePepper {
        /// Its version
        version: u32,
        /// Print it as JSON
        #[arg(long)]
        json: bool,
    },
}

impl Command {
    pub(crate) fn json(&self) -> bool {
        match self {
            Self::Show { json }
            | Self::RotatePepper { json }
            | Self::RenewPools { json }
            | Self::RetirePepper { json, .. } => *json,
        }
    }
}

pub(crate) fn run(desk: &Desk, file: &Path, command: &Command, terminal: &mut Terminal) -> Result<u8, Failure> {
    match command {
        Command::Show { json } => {
            let keys = desk.keys()?;
            terminal.answer(&keys, *json, |wide| show(&keys, wide))
        }
        Command::RotatePepper { json } => {
            let version = desk.rotate_pepper(file)?;
            terminal.answer(&json!({ "version": version }), *json, |_| {
                format!(
                    "pepper {version} is in the key file, and new codes get it. Back the file up, and restart services \
                     that run on the ledger"
                )
            })
        }
        Command::RenewPools { json } => {
            let bar = progress::bar();
            let moved = desk.renew_pools(&mut |done| progress::set(&bar, "codes", done, None));
            bar.finish_and_clear();
            let moved = moved?;
            terminal.answer(&json!({ "codes": moved }), *json, |_| format!("{moved} codes moved to the newest pepper"))
        }
        Command::RetirePepper { version, json } => {
            desk.retire_pepper(file, *version)?;
            let told = |_| format!("pepper {version} is gone from the key file");
            terminal.answer(&json!({ "version": version }), *json, told)
        }
    }
}

fn show(keys: &KeysOutput, wide: bool) -> String {
    let mut rows = table(&["pepper", "codes that need it", ""], &[0, 1], wide);
    for pepper in &keys.peppers {
        let note = match (pepper.known, pepper.newest, pepper.codes) {
            (false, _, _) => "not in the key file: these codes cannot be found",
            (true, true, _) => "new codes get it",
            (true, false, 0) => "can be retired",
            (true, false, _) => "",
        };
        rows.add_row([pepper.version.to_string(), pepper.codes.to_string(), note.to_string()]);
    }
    let sealing: Vec<String> = keys.sealing.iter().map(u32::to_string).collect();
    format!("{rows}\nsealing keys: {}", sealing.join(", "))
}
