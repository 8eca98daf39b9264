//! `giftcard pool`: stocks of codes, generated or imported. Must not know how a code is made or kept, and shows none.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use giftcard::output::{ErrorBody, ErrorOutput, ImportOutput, PoolChangeOutput, PoolOutput};
use giftcard::{Desk, DeskError, file_problem};

use super::ledger::now_ms;
use super::naming::{Edited, SiteArgument};
use super::progress;
use super::show::{fields, table};
use super::terminal::{self, Failure, Terminal, plain};

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Make a pool, or change how its codes are generated from now on
    Create(Create),
    /// Show a pool, with how many codes it has
    Show {
        #[command(flatten)]
        pool: PoolArgument,
        /// Print it as JSON
        #[arg(long)]
        json: bool,
    },
    /// List the pools of a site, with how many codes they have
    List {
        #[command(flatten)]
        site: SiteArgument,
        /// Print one line of JSON for each
        #[arg(long)]
        json: bool,
    },
    /// Generate codes into a pool
    Generate {
        #[command(flatten)]
        pool: PoolArgument,
        /// How many
        count: u64,
        /// Print the outcome as JSON
        #[arg(long)]
        json: bool,
    },
    /// Read codes from a CSV file into a pool, such as pre-printed ones
    ///
    /// The column of the codes is named `code`; a single column needs no name. Codes that the pool has already are
    /// passed over, so that a file can be imported again. The exit code is 1 if any line was refused
    Import {
        #[command(flatten)]
        pool: PoolArgument,
        /// The file, or `-` for standard input
        file: PathBuf,
        /// Take codes although they can be guessed
        #[arg(long)]
        accept_weak: bool,
        /// Print the outcome as JSON
        #[arg(long)]
        json: bool,
    },
    /// Take free codes out of a pool for good
    Withdraw {
        #[command(flatten)]
        pool: PoolArgument,
        /// How many
        #[arg(required_unless_present = "all", conflicts_with = "all")]
        count: Option<u64>,
        /// All that are free
        #[arg(long)]
        all: bool,
        /// Print the outcome as JSON
        #[arg(long)]
        json: bool,
    },
}

/// A pool.
#[derive(Args)]
pub(crate) struct PoolArgument {
    /// The pool
    #[arg(value_name = "POOL")]
    name: String,
    #[command(flatten)]
    site: SiteArgument,
}

#[derive(Args)]
pub(crate) struct Create {
    #[command(flatten)]
    pool: PoolArgument,
    /// How its codes are generated, such as `HAPPYBD_XXXX-XXXX-XXXX-XXXX`
    #[arg(long)]
    pattern: Option<String>,
    /// Take a pattern although its codes can be guessed
    #[arg(long)]
    accept_weak: bool,
    /// Warn when fewer codes than this are free
    #[arg(long, value_name = "COUNT")]
    low_stock: Option<u32>,
    /// Print the pool as JSON
    #[arg(long)]
    json: bool,
}

impl Command {
    pub(crate) fn json(&self) -> bool {
        match self {
            Self::Create(create) => create.json,
            Self::Show { json, .. }
            | Self::List { json, .. }
            | Self::Generate { json, .. }
            | Self::Import { json, .. }
            | Self::Withdraw { json, .. } => *json,
        }
    }
}

pub(crate) fn run(desk: &Desk, command: &Command, terminal: &mut Terminal) -> Result<u8, Failure> {
    match command {
        Command::Create(options) => create(desk, options, terminal),
        Command::Show { pool, json } => match desk.pool(&pool.site.site, &pool.name)? {
            Some(found) => terminal.answer(&found, *json, |_| show(&found)),
            None => {
                let (site, name) = (plain(&pool.site.site), plain(&pool.name));
                let message = format!("the site `{site}` has no pool `{name}`; `giftcard pool list` shows them");
                Err(Failure::refused("not-found", message))
            }
        },
        Command::List { site, json } => {
            let pools = desk.pools(&site.site)?;
            if *json {
                pools.iter().try_for_each(|pool| terminal.json(pool))?;
            } else {
                terminal.line(list(&pools, terminal.is_terminal()).trim_end())?;
            }
            Ok(terminal::DONE)
        }
        Command::Generate { pool, count, json } => generate(desk, pool, *count, *json, terminal),
        Command::Import { pool, file, accept_weak, json } => import(desk, pool, file, *accept_weak, *json, terminal),
        Command::Withdraw { pool, count, all: _, json } => {
            let change = desk.withdraw_codes(&pool.site.site, &pool.name, *count)?;
            terminal.answer(&change, *json, |_| changed(&change, "withdrawn"))
        }
    }
}

fn create(desk: &Desk, options: &Create, terminal: &mut Terminal) -> Result<u8, Failure> {
    let PoolArgument { name, site } = &options.pool;
    let kept = desk.pool(&site.site, name)?.map(|kept| serde_json::to_value(&kept.pool)).transpose();
    let mut edited = Edited::begin(None, kept.map_err(std::io::Error::from)?)?;
    edited.set("name", Some(name.as_str()));
    if options.pattern.is_some() {
        edited.remove("accept_weak");
    }
    edited.set("pattern", options.pattern.as_deref());
    edited.set("accept_weak", options.accept_weak.then_some(true));
    edited.set("low_stock", options.low_stock);
    let pool = desk.set_pool(&site.site, &edited.read()?)?;
    for warning in &pool.warnings {
        terminal.note(warning)?;
    }
    terminal.answer(&pool, options.json, |_| show(&pool))
}

fn generate(desk: &Desk, pool: &PoolArgument, count: u64, json: bool, terminal: &mut Terminal) -> Result<u8, Failure> {
    let bar = progress::bar();
    let mut done = 0;
    let made = desk.generate_codes(&pool.site.site, &pool.name, count, now_ms(), &mut |now| {
        done = now;
        progress::set(&bar, "codes", now, Some(count));
    });
    bar.finish_and_clear();
    let change = made.map_err(|error| stopped(error, done, count, "generated"))?;
    terminal.answer(&change, json, |_| changed(&change, "generated"))
}

fn import(
    desk: &Desk,
    pool: &PoolArgument,
    file: &Path,
    accept_weak: bool,
    json: bool,
    terminal: &mut Terminal,
) -> Result<u8, Failure> {
    let is_input = file.as_os_str() == "-";
    let name = if is_input { "standard input".to_string() } else { file.display().to_string() };
    let reader: Box<dyn Read> = match is_input {
        true => Box::new(std::io::stdin().lock()),
        false => Box::new(File::open(file).map_err(|error| {
            Failure::refused("file-unreadable", format!("`{}`: {}", plain(&name), file_problem(&error)))
        })?),
    };
    let bar = progress::bar();
    let mut done = 0;
    let imported = desk.import_codes(&pool.site.site, &pool.name, reader, accept_weak, now_ms(), &mut |now| {
        done = now;
        progress::set(&bar, "codes", now, None);
    });
    bar.finish_and_clear();
    let report = imported.map_err(|error| match error {
        DeskError::Refused(refused) => Failure::refused(&refused.code, format!("{}: {refused}", plain(&name))),
        error => stopped(error, done, 0, "read"),
    })?;
    for problem in &report.problems {
        let error = ErrorBody {
            code: "line-refused".to_string(),
            path: None,
            message: problem.message.clone(),
            line: Some(problem.line),
        };
        terminal.error(&ErrorOutput { error }, Some(&name), false)?;
    }
    terminal.answer(&report, json, |_| imported_text(&report))?;
    Ok(if report.refused > 0 { terminal::REFUSED } else { terminal::DONE })
}

/// An error after a part was done, which stays.
fn stopped(error: DeskError, done: u64, of: u64, what: &str) -> Failure {
    let code = terminal::desk_exit_code(&error);
    let mut output = error.output();
    if done > 0 {
        let of = if of > 0 { format!(" of {of}") } else { String::new() };
        output.error.message.push_str(&format!("; {done}{of} codes had been {what} by then, and are in the pool"));
    }
    Failure::Told { error: Box::new(output), code }
}

fn changed(change: &PoolChangeOutput, what: &str) -> String {
    format!("{} codes {what}, {} free in the pool {}", change.codes, change.free, plain(&change.pool))
}

fn imported_text(report: &ImportOutput) -> String {
    let mut text = format!(
        "{} codes imported, {} were there already, {} lines refused; {} free in the pool {}\n",
        report.imported,
        report.skipped,
        report.refused,
        report.free,
        plain(&report.pool)
    );
    let told = report.problems.len() as u64;
    if report.refused > told {
        text.push_str(&format!("the first {told} refused lines are named\n"));
    }
    if !report.columns_unread.is_empty() {
        let columns: Vec<String> = report.columns_unread.iter().map(|column| plain(column)).collect();
        text.push_str(&format!("columns that say nothing about a code were not read: {}\n", columns.join(", ")));
    }
    text
}

fn show(pool: &PoolOutput) -> String {
    let low = pool.pool.low_stock.map(|low| low.0.to_string()).unwrap_or_default();
    fields(&[
        ("pool", plain(&pool.pool.name)),
        ("site", plain(&pool.site)),
        ("pattern", plain(pool.pool.pattern.as_deref().unwrap_or("the usual one"))),
        ("free", format!("{}{}", pool.free, if pool.is_low { " (low)" } else { "" })),
        ("reserved", pool.reserved.to_string()),
        ("drawn", pool.drawn.to_string()),
        ("withdrawn", pool.withdrawn.to_string()),
        ("warn below", low),
    ])
}

fn list(pools: &[PoolOutput], wide: bool) -> String {
    if pools.is_empty() {
        return "There are no pools; `giftcard pool create` makes one.".to_string();
    }
    let header = ["pool", "pattern", "free", "reserved", "drawn", "withdrawn", "warn below", ""];
    let mut rows = table(&header, &[2, 3, 4, 5, 6], wide);
    for pool in pools {
        rows.add_row([
            plain(&pool.pool.name),
            plain(pool.pool.pattern.as_deref().unwrap_or("the usual one")),
            pool.free.to_string(),
            pool.reserved.to_string(),
            pool.drawn.to_string(),
            pool.withdrawn.to_string(),
            pool.pool.low_stock.map(|low| low.0.to_string()).unwrap_or_default(),
            if pool.is_low { "low" } else { "" }.to_string(),
        ]);
    }
    rows.to_string()
}
