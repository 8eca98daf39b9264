//! The command line: which commands there are, where their components and documents come from, and what an exit code
//! means. Must not decide what a card pays.

mod backup;
mod card;
mod clock;
mod credit;
mod customer;
mod documents;
mod expire;
mod ledger;
mod naming;
mod pay;
mod plugin;
mod pool;
mod programme;
mod progress;
mod receipt;
mod replay;
mod report;
mod run;
mod secrets;
mod show;
mod site;
mod terminal;
mod verify;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, CommandFactory, Parser, Subcommand};
use giftcard::schema::{Document, schema, schemas};
use giftcard::{PluginsError, Shelf, Till, without_number};
use giftcard_host::{Host, HostConfig, HostError};

use ledger::LedgerArguments;
use terminal::{Failure, Terminal};

const EXIT_CODES: &str = "\
Exit codes:
  0  done
  1  the input, a file or a plugin was refused
  2  wrong usage
  3  a rule failed: the rules gave no answer that counts, or a condition failed and its card
     was treated as the programme says (that decision is printed)
With several documents every one is answered, and the code is 1 if any was refused, otherwise
3 if a rule failed for any.";

/// Gift cards for e-commerce: what each card pays for an order, and where a refund goes.
#[derive(Parser)]
#[command(name = "giftcard", version, after_help = EXIT_CODES)]
struct Arguments {
    #[command(flatten)]
    loading: Loading,
    #[command(flatten)]
    ledger: LedgerArguments,
    #[command(subcommand)]
    command: Command,
}

/// Where rules and conditions come from.
#[derive(Args)]
#[command(next_help_heading = "Components")]
struct Loading {
    /// Add the components (.wasm) in this folder: a condition replaces the built-in one of the same id, a `gift-card`
    /// component replaces the rules
    #[arg(long, global = true, value_name = "DIR")]
    plugins: Option<PathBuf>,
    /// Let NAME.wasm of that folder have the limits that it asks for beyond the standard ones; `giftcard plugin inspect`
    /// shows them. May be given several times
    #[arg(long, global = true, value_name = "NAME", requires = "plugins")]
    grant_limits: Vec<String>,
    /// Keep compiled components in this folder, which is made if it is missing; one that cannot be used, or that others
    /// can write to, is refused [default: `giftcard` in the user's cache folder, done without where it cannot be used]
    #[arg(long, global = true, value_name = "DIR", env = "GIFTCARD_CACHE")]
    cache: Option<PathBuf>,
    /// Compile components anew
    #[arg(long, global = true)]
    no_cache: bool,
}

#[derive(Subcommand)]
enum Command {
    /// Make a ledger: its database, its key file and its first site. What is there already stays as it is
    #[command(after_help = EXIT_CODES)]
    Init(ledger::InitArguments),
    /// Shops: currency, time zone, exchange rates, policies
    #[command(subcommand)]
    Site(site::Command),
    /// What cards of one kind have in common
    #[command(subcommand)]
    Programme(programme::Command),
    /// Stocks of codes, generated or imported
    #[command(subcommand)]
    Pool(pool::Command),
    /// Cards: issue them, look at them, move them
    #[command(subcommand)]
    Card(card::Command),
    /// Store credit of customers
    #[command(subcommand)]
    Credit(credit::Command),
    /// Customers, and erasing what is known of them
    #[command(subcommand)]
    Customer(customer::Command),
    /// The versions of the keys that codes are found by
    #[command(subcommand)]
    Secrets(secrets::Command),
    /// Work out what each card pays for an order; moves nothing
    ///
    /// Documents have the cards with their balances, unless `--ledger` is given: then the ledger knows them, and the
    /// documents are those of `redeem`
    #[command(after_help = EXIT_CODES)]
    Quote(QuoteArguments),
    /// Reserve what each card pays for an order until it is captured, voided or has ended
    #[command(after_help = EXIT_CODES)]
    Hold(pay::HoldArguments),
    /// Take what each card pays for an order
    #[command(after_help = EXIT_CODES)]
    Redeem(pay::PayArguments),
    /// Take a hold, or a part of it
    #[command(after_help = EXIT_CODES)]
    Capture(pay::CaptureArguments),
    /// Give a hold up
    #[command(after_help = EXIT_CODES)]
    Void(pay::VoidArguments),
    /// Refund an order on the ledger, or work out where a refund goes
    ///
    /// With `--order` or `--ledger` the ledger knows what cards paid, and the refund is done. A document by itself says
    /// what was paid; then nothing moves
    #[command(after_help = EXIT_CODES)]
    Refund(RefundArguments),
    /// Check the whole ledger: every chain, every balance, every checkpoint, and every recorded decision, run again
    Verify(verify::VerifyArguments),
    /// Seal how every chain ends in a signed checkpoint, and export checkpoints
    Checkpoint(verify::CheckpointArguments),
    /// What is owed, what moved, what was left over, which codes are left
    #[command(subcommand)]
    Report(report::Command),
    /// Run decisions of the past again under another version of a plugin, other settings or other rules
    #[command(after_help = EXIT_CODES)]
    Replay(replay::ReplayArguments),
    /// End what time has ended: passed holds, and cards whose balance becomes breakage
    Expire(expire::ExpireArguments),
    /// Write the whole ledger to a new file while it is in use
    Backup(backup::BackupArguments),
    /// Make a ledger of a backup
    Restore(backup::RestoreArguments),
    /// Look at condition plugins and rules
    #[command(subcommand)]
    Plugin(plugin::Command),
    /// Print the JSON Schema of input and output
    Schema {
        /// Only this one; all by name if left out
        #[arg(value_parser = schema_names())]
        document: Option<String>,
    },
    /// Print completions for a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
}

/// Documents and how to answer them.
#[derive(Args)]
struct DocumentArguments {
    /// JSON files, or `-` for standard input. A file of JSON lines has one document a line
    #[arg(required_unless_present = "order", conflicts_with = "order", value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Print one line of JSON for each document
    #[arg(long)]
    json: bool,
    /// Every file has one document a line, whatever it is called
    #[arg(long)]
    lines: bool,
}

#[derive(Args)]
struct QuoteArguments {
    #[command(flatten)]
    documents: DocumentArguments,
    /// The cards are in the ledger
    #[arg(long = "ledger")]
    on_ledger: bool,
    /// Show what was checked, and why
    #[arg(long)]
    explain: bool,
    #[command(flatten)]
    order: pay::OrderArguments,
}

#[derive(Args)]
struct RefundArguments {
    #[command(flatten)]
    documents: DocumentArguments,
    /// The documents are refunds of orders that the ledger knows
    #[arg(long = "ledger", conflicts_with = "explain")]
    on_ledger: bool,
    /// Show how the rules came to it
    #[arg(long, conflicts_with = "order")]
    explain: bool,
    #[command(flatten)]
    options: pay::RefundOptions,
}

fn schema_names() -> clap::builder::PossibleValuesParser {
    Document::ALL.iter().map(|document| document.name()).collect::<Vec<_>>().into()
}

/// Runs the command of this process.
pub(crate) fn main() -> ExitCode {
    let Arguments { loading, ledger, command } = Arguments::parse();
    let mut terminal = Terminal::new();
    let json = match &command {
        Command::Init(arguments) => arguments.json,
        Command::Site(command) => command.json(),
        Command::Programme(command) => command.json(),
        Command::Pool(command) => command.json(),
        Command::Card(command) => command.json(),
        Command::Credit(command) => command.json(),
        Command::Customer(command) => command.json(),
        Command::Secrets(command) => command.json(),
        Command::Quote(arguments) => arguments.documents.json,
        Command::Hold(arguments) => arguments.pay.documents.json,
        Command::Redeem(arguments) => arguments.documents.json,
        Command::Capture(arguments) => arguments.json,
        Command::Void(arguments) => arguments.json,
        Command::Refund(arguments) => arguments.documents.json,
        Command::Verify(arguments) => arguments.json(),
        Command::Checkpoint(arguments) => arguments.json,
        Command::Report(command) => command.json(),
        Command::Replay(arguments) => arguments.json,
        Command::Expire(arguments) => arguments.json,
        Command::Backup(arguments) => arguments.json,
        Command::Restore(arguments) => arguments.json,
        Command::Plugin(command) => command.json(),
        Command::Schema { .. } | Command::Completions { .. } => false,
    };
    let result = dispatch(&loading, &ledger, command, &mut terminal);
    let code = match result.and_then(|code| terminal.flush().map(|()| code)) {
        Ok(code) => code,
        // Who reads has had enough.
        Err(Failure::Closed) => terminal::DONE,
        Err(Failure::Told { error, code }) => {
            let told = terminal.error(&error, None, json).and_then(|()| terminal.flush());
            if matches!(told, Err(Failure::Told { .. })) { terminal::REFUSED } else { code }
        }
    };
    ExitCode::from(code)
}

fn dispatch(
    loading: &Loading,
    ledger: &LedgerArguments,
    command: Command,
    terminal: &mut Terminal,
) -> Result<u8, Failure> {
    match command {
        Command::Init(arguments) => ledger::init(ledger, &arguments, terminal),
        Command::Site(command) => site::run(&ledger.desk(loading)?, &command, terminal),
        Command::Programme(command) => programme::run(&ledger.desk(loading)?, &command, terminal),
        Command::Pool(command) => pool::run(&ledger.desk(loading)?, &command, terminal),
        Command::Card(command) => card::run(&ledger.desk(loading)?, &command, terminal),
        Command::Credit(command) => credit::run(&ledger.desk(loading)?, &command, terminal),
        Command::Customer(command) => customer::run(&ledger.desk(loading)?, &command, terminal),
        Command::Secrets(command) => {
            let file = ledger.keys(&ledger.address()?)?;
            secrets::run(&ledger.desk(loading)?, &file, &command, terminal)
        }
        Command::Quote(QuoteArguments { documents, on_ledger, explain, order }) => {
            if on_ledger || order.order.is_some() {
                return pay::quote(&ledger.desk(loading)?, &documents, &order, explain, terminal);
            }
            let till = Till::new(shelf(loading)?.1.into_rulebook());
            run::documents(&documents, &run::Quotes { till: &till, explain }, terminal)
        }
        Command::Hold(arguments) => pay::hold(&ledger.desk(loading)?, &arguments, terminal),
        Command::Redeem(arguments) => pay::redeem(&ledger.desk(loading)?, &arguments, terminal),
        Command::Capture(arguments) => pay::capture(&ledger.desk(loading)?, &arguments, terminal),
        Command::Void(arguments) => pay::void(&ledger.desk(loading)?, &arguments, terminal),
        Command::Refund(RefundArguments { documents, on_ledger, explain, options }) => {
            if on_ledger || options.order.is_some() {
                return pay::refund(&ledger.desk(loading)?, &documents, &options, terminal);
            }
            let till = Till::new(shelf(loading)?.1.into_rulebook());
            run::documents(&documents, &run::Refunds { till: &till, explain }, terminal)
        }
        Command::Verify(arguments) => verify::verify(ledger, loading, &arguments, terminal),
        Command::Checkpoint(arguments) => verify::checkpoint(ledger, &arguments, terminal),
        Command::Report(command) => report::run(&ledger.desk(loading)?, &command, terminal),
        Command::Replay(arguments) => replay::run(&ledger.desk(loading)?, &arguments, terminal),
        Command::Expire(arguments) => expire::run(ledger, loading, &arguments, terminal),
        Command::Backup(arguments) => backup::backup(ledger, &arguments, terminal),
        Command::Restore(arguments) => backup::run_restore(ledger, &arguments, terminal),
        Command::Plugin(command) => {
            let source_lines = command.is_for_authors();
            plugin::run(command, || shelf_of(loading, source_lines), || ledger.desk(loading), terminal)
        }
        Command::Schema { document } => {
            let document = document.as_deref().and_then(Document::named);
            terminal.line(&format!("{:#}", document.map_or_else(schemas, schema)))?;
            Ok(terminal::DONE)
        }
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Arguments::command(), "giftcard", &mut script);
            terminal.line(String::from_utf8_lossy(&script).trim_end())?;
            Ok(terminal::DONE)
        }
    }
}

fn shelf(loading: &Loading) -> Result<(Host, Shelf), Failure> {
    shelf_of(loading, false)
}

fn shelf_of(loading: &Loading, source_lines: bool) -> Result<(Host, Shelf), Failure> {
    let host =
        host(loading, source_lines).map_err(|error| Failure::refused("host", without_number(&error.to_string())))?;
    let mut shelf = Shelf::standard(&host).map_err(|error| {
        let error = PluginsError::from(error);
        Failure::rule(error.code(), error.to_string())
    })?;
    if let Some(folder) = &loading.plugins {
        shelf
            .add_folder(&host, folder, &loading.grant_limits)
            .map_err(|error| Failure::refused(error.code(), error.to_string()))?;
    }
    Ok((host, shelf))
}

/// A host that keeps compiled components. A folder that was asked for must be usable, or the command is refused; where
/// the usual one cannot be used, everything is compiled at each start.
fn host(loading: &Loading, source_lines: bool) -> Result<Host, HostError> {
    let config = HostConfig { source_lines, ..HostConfig::default() };
    if loading.no_cache {
        return Host::new(config);
    }
    match loading.cache.clone().or_else(|| Some(user_cache()?.join("giftcard"))) {
        None => Host::new(config),
        Some(folder) => match Host::new(HostConfig { cache: Some(folder), ..config.clone() }) {
            Err(HostError::Cache { .. }) if loading.cache.is_none() => Host::new(config),
            made => made,
        },
    }
}

fn user_cache() -> Option<PathBuf> {
    let absolute = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    if cfg!(windows) {
        return absolute("LOCALAPPDATA");
    }
    let home = || absolute("HOME");
    if cfg!(target_os = "macos") {
        return home().map(|home| home.join("Library/Caches"));
    }
    absolute("XDG_CACHE_HOME").or_else(|| home().map(|home| home.join(".cache")))
}
