//! The command line: which commands there are, where their components and documents come from, and what an exit code
//! means. Must not decide what a card pays.

mod clock;
mod documents;
mod ledger;
mod plugin;
mod run;
mod show;
mod terminal;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand, ValueEnum};
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
    /// Work out what each card pays for an order
    #[command(after_help = EXIT_CODES)]
    Quote(QuoteArguments),
    /// Work out where a refund goes
    #[command(after_help = EXIT_CODES)]
    Refund(RefundArguments),
    /// Look at condition plugins and rules
    #[command(subcommand)]
    Plugin(plugin::Command),
    /// Print the JSON Schema of input and output
    Schema {
        /// Only this one; all four by name if left out
        document: Option<SchemaName>,
    },
}

/// Documents and how to answer them.
#[derive(Args)]
struct DocumentArguments {
    /// JSON files, or `-` for standard input. A file of JSON lines has one document a line
    #[arg(required = true, value_name = "FILE")]
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
    /// Show what was checked, and why
    #[arg(long)]
    explain: bool,
}

#[derive(Args)]
struct RefundArguments {
    #[command(flatten)]
    documents: DocumentArguments,
    /// Show how the rules came to it
    #[arg(long)]
    explain: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum SchemaName {
    QuoteInput,
    QuoteOutput,
    RefundInput,
    RefundOutput,
}

impl SchemaName {
    fn document(self) -> Document {
        match self {
            Self::QuoteInput => Document::QuoteInput,
            Self::QuoteOutput => Document::QuoteOutput,
            Self::RefundInput => Document::RefundInput,
            Self::RefundOutput => Document::RefundOutput,
        }
    }
}

/// Runs the command of this process.
pub(crate) fn main() -> ExitCode {
    let Arguments { loading, ledger, command } = Arguments::parse();
    let mut terminal = Terminal::new();
    let json = match &command {
        Command::Init(arguments) => arguments.json,
        Command::Quote(arguments) => arguments.documents.json,
        Command::Refund(arguments) => arguments.documents.json,
        Command::Plugin(command) => command.json(),
        Command::Schema { .. } => false,
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
        Command::Quote(QuoteArguments { documents, explain }) => {
            let till = Till::new(shelf(loading)?.1.into_rulebook());
            run::documents(&documents, &run::Quotes { till: &till, explain }, terminal)
        }
        Command::Refund(RefundArguments { documents, explain }) => {
            let till = Till::new(shelf(loading)?.1.into_rulebook());
            run::documents(&documents, &run::Refunds { till: &till, explain }, terminal)
        }
        Command::Plugin(command) => {
            let (host, shelf) = shelf(loading)?;
            plugin::run(command, &host, &shelf, terminal)
        }
        Command::Schema { document } => {
            let schema = document.map_or_else(schemas, |name| schema(name.document()));
            terminal.line(&format!("{schema:#}"))?;
            Ok(terminal::DONE)
        }
    }
}

fn shelf(loading: &Loading) -> Result<(Host, Shelf), Failure> {
    let host = host(loading).map_err(|error| Failure::refused("host", without_number(&error.to_string())))?;
    let mut shelf = Shelf::standard(&host).map_err(|error| {
        let error = PluginsError::from(error);
        Failure::rule(error.code(), error.to_string())
    })?;
    if let Some(folder) = &loading.plugins {
        shelf.add_folder(&host, folder).map_err(|error| Failure::refused(error.code(), error.to_string()))?;
    }
    Ok((host, shelf))
}

/// A host that keeps compiled components. A folder that was asked for must be usable, or the command is refused; where
/// the usual one cannot be used, everything is compiled at each start.
fn host(loading: &Loading) -> Result<Host, HostError> {
    let config = HostConfig::default();
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
