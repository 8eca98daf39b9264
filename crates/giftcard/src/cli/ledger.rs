//! Which ledger a command works on: its database, its key file, and the names that every operation has. Also makes one:
//! `giftcard init`. Must not know what is done with it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use giftcard::desk::{
    Address, DatabaseProblem, MAIN_SITE, Randomness, bind_keys, check_keys, check_site, first_site, keys_of,
};
use giftcard::input::{SiteDocument, read_document};
use giftcard::output::InitOutput;
use giftcard::secrets::{KeyFileFlaw, KeyFileProblem, Secrets, SystemRandom};
use giftcard::{Desk, DeskError, Doing};
use giftcard_ledger::store::Store;
use rand::Rng;

use super::terminal::{self, Failure, Terminal, plain};
use super::{Loading, shelf};

pub(crate) use super::clock::now_ms;

/// Currency of the first site where none is chosen.
const CURRENCY: &str = "USD";

/// Ending of a key file beside a SQLite file.
pub(crate) const KEYS_ENDING: &str = "keys";

/// Which ledger.
#[derive(Args)]
#[command(next_help_heading = "Ledger")]
pub(crate) struct LedgerArguments {
    /// The ledger's database: `sqlite:PATH` or `postgres://user:password@host/database`, where `?schema=NAME` chooses
    /// another schema than `giftcard`
    #[arg(
        long,
        global = true,
        value_name = "URL",
        env = "GIFTCARD_DATABASE",
        hide_env_values = true,
        default_value = "sqlite:giftcard.db"
    )]
    database: String,
    /// The key file, without which no card is found by its code [default: beside a SQLite file, with the ending
    /// `.keys`; must be named for PostgreSQL]
    #[arg(long, global = true, value_name = "FILE", env = "GIFTCARD_KEYS")]
    keys: Option<PathBuf>,
    /// Let no installed plugin decide that is not signed with one of its site's trusted keys, whatever the site says
    #[arg(long, global = true, env = "GIFTCARD_REQUIRE_SIGNED_PLUGINS", value_parser = clap::builder::FalseyValueParser::new(), num_args = 0)]
    require_signed_plugins: bool,
}

/// What every operation names, beside what it does.
#[derive(Args)]
pub(crate) struct OperationArguments {
    /// The site
    #[arg(long, default_value = MAIN_SITE)]
    pub(crate) site: String,
    /// Names the operation for all time: with the same key it has one effect and one answer, however often it is sent
    /// [default: a random one, told on standard error]
    #[arg(long, value_name = "KEY")]
    pub(crate) operation: Option<String>,
    /// Who does it, for the records
    #[arg(long, value_name = "NAME")]
    pub(crate) actor: Option<String>,
}

impl OperationArguments {
    /// The operation's key. A random one is told before anything is done, so that it can be asked for again.
    pub(crate) fn key(&self, terminal: &mut Terminal) -> Result<String, Failure> {
        operation_key(self.operation.as_deref(), terminal)
    }

    /// The operation with this key, now.
    pub(crate) fn doing<'a>(&'a self, key: &'a str) -> Doing<'a> {
        Doing { site: &self.site, operation: key, actor: self.actor.as_deref(), now: now_ms() }
    }
}

/// The key that was given, or a random one, which is told.
pub(crate) fn operation_key(given: Option<&str>, terminal: &mut Terminal) -> Result<String, Failure> {
    if let Some(given) = given {
        return Ok(given.to_string());
    }
    let mut bytes = [0; 10];
    randomness()?.fill_bytes(&mut bytes);
    let key: String =
        std::iter::once("cli-".to_string()).chain(bytes.iter().map(|byte| format!("{byte:02x}"))).collect();
    terminal.note(&format!("operation {key}"))?;
    Ok(key)
}

impl LedgerArguments {
    /// Where the database is.
    pub(crate) fn address(&self) -> Result<Address, Failure> {
        Ok(Address::parse(&self.database)?)
    }

    /// The key file: the one that was named, or the one beside a SQLite file.
    pub(crate) fn keys(&self, address: &Address) -> Result<PathBuf, Failure> {
        match (&self.keys, address.file()) {
            (Some(keys), _) => Ok(keys.clone()),
            (None, Some(file)) => Ok(file.with_extension(KEYS_ENDING)),
            (None, None) => {
                let message = "the database is a server, beside which there is no key file; name it with `--keys FILE` \
                               or GIFTCARD_KEYS";
                Err(Failure::refused("keys-not-named", message.to_string()))
            }
        }
    }

    /// The database alone, for what needs neither codes nor rules.
    pub(crate) fn store(&self) -> Result<Arc<dyn Store>, Failure> {
        Ok(self.address()?.open(false)?)
    }

    /// The database and its keys, for what needs no rules.
    pub(crate) fn store_and_keys(&self) -> Result<(Arc<dyn Store>, Secrets), Failure> {
        let address = self.address()?;
        let store = address.open(false)?;
        if keys_of(&*store)?.is_none() {
            let message =
                format!("the ledger at `{address}` is not ready: `giftcard init` was interrupted; run it again");
            return Err(Failure::refused("database-not-ready", message));
        }
        let file = self.keys(&address)?;
        let secrets = Secrets::read(&file).map_err(|problem| without_keys(&problem, &address))?;
        check_keys(&*store, &secrets)?;
        Ok((store, secrets))
    }

    /// A desk on the ledger, with the rules and conditions that are loaded.
    pub(crate) fn desk(&self, loading: &Loading) -> Result<Desk, Failure> {
        // First what is wrong most often, and found out soonest.
        let (store, secrets) = self.store_and_keys()?;
        let till = shelf(loading)?.1.into_till();
        let desk = Desk::new(store, till, secrets, randomness()?);
        Ok(if self.require_signed_plugins { desk.with_signatures_required() } else { desk })
    }
}

/// Randomness of the system.
pub(crate) fn randomness() -> Result<Randomness, Failure> {
    let random = SystemRandom::open().map_err(|error| Failure::refused("no-randomness", error.to_string()))?;
    Ok(Box::new(random))
}

impl From<DatabaseProblem> for Failure {
    fn from(problem: DatabaseProblem) -> Self {
        Self::refused(problem.code(), problem.to_string())
    }
}

impl From<DeskError> for Failure {
    fn from(error: DeskError) -> Self {
        Self::Told { code: terminal::desk_exit_code(&error), error: Box::new(error.output()) }
    }
}

impl From<giftcard_ledger::store::StoreError> for Failure {
    fn from(error: giftcard_ledger::store::StoreError) -> Self {
        Self::refused(error.code(), error.to_string())
    }
}

/// A key file that cannot be used although there is a database.
fn without_keys(problem: &KeyFileProblem, address: &Address) -> Failure {
    let hint = match &problem.flaw {
        KeyFileFlaw::Unreadable(error) if error.kind() == std::io::ErrorKind::NotFound => format!(
            ". The ledger at `{address}` cannot be used without it: `giftcard init` made it, and backups of the database \
             do not have it. Name it with `--keys FILE`"
        ),
        _ => String::new(),
    };
    Failure::refused("key-file-unusable", format!("{problem}{hint}"))
}

/// `giftcard init`.
#[derive(Args)]
pub(crate) struct InitArguments {
    /// Name of the first site
    #[arg(long, default_value = MAIN_SITE)]
    site: String,
    /// Its currency, which cannot be changed later [default: USD]
    #[arg(long, value_name = "CODE")]
    currency: Option<String>,
    /// Its time zone, as the IANA database calls it [default: UTC]
    #[arg(long, value_name = "ZONE")]
    time_zone: Option<String>,
    /// Print the answer as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Makes the database, the key file and the first site, as far as they are not there.
pub(crate) fn init(
    ledger: &LedgerArguments,
    arguments: &InitArguments,
    terminal: &mut Terminal,
) -> Result<u8, Failure> {
    let mut site =
        serde_json::json!({ "id": arguments.site, "currency": arguments.currency.as_deref().unwrap_or(CURRENCY) });
    if let Some(zone) = &arguments.time_zone {
        site["time_zone"] = zone.as_str().into();
    }
    // Before anything is made.
    let site: SiteDocument = read_document(&site.to_string()).map_err(DeskError::from)?;
    check_site(&site)?;
    let address = ledger.address()?;
    let keys = ledger.keys(&address)?;
    let there = match address.open(false) {
        Ok(store) => Some(store),
        Err(DatabaseProblem::Missing { .. }) => None,
        // An empty file can become one; anything else is refused again.
        Err(_) => {
            address.open(true)?;
            None
        }
    };
    let bound = there.as_deref().map(keys_of).transpose()?.flatten().is_some();
    let (secrets, keys_made) = keys_or_new(&keys, &address, bound)?;
    let database_made = there.is_none();
    let store = match there {
        Some(store) => store,
        None => address.open(true)?,
    };
    bind_keys(&*store, &secrets)?;
    let (site, site_made) = first_site(&*store, site)?;
    let answer = InitOutput {
        database: address.to_string(),
        database_made,
        keys: keys.display().to_string(),
        keys_made,
        site: site.id.to_string(),
        site_made,
        currency: site.currency.0.clone(),
        time_zone: site.time_zone.as_deref().unwrap_or("UTC").to_string(),
    };
    if let Some(wanted) = arguments.currency.as_deref().filter(|wanted| *wanted != answer.currency) {
        let message = format!(
            "the site `{}` is there already with {}, and its currency cannot be changed to `{wanted}`",
            arguments.site, answer.currency
        );
        return Err(Failure::refused("site-exists", message));
    }
    match arguments.json {
        true => terminal.json(&answer)?,
        false => terminal.line(&told(&answer))?,
    }
    Ok(terminal::DONE)
}

/// The keys of the file, or new ones in it where the database, if there is one, belongs to none yet.
fn keys_or_new(file: &Path, address: &Address, bound: bool) -> Result<(Secrets, bool), Failure> {
    match Secrets::read(file) {
        Ok(secrets) => return Ok((secrets, false)),
        Err(KeyFileProblem { flaw: KeyFileFlaw::Unreadable(error), .. })
            if error.kind() == std::io::ErrorKind::NotFound && !bound => {}
        Err(problem) => return Err(without_keys(&problem, address)),
    }
    let mut secrets = Secrets::generate(&mut *randomness()?);
    match secrets.write_new(file) {
        Ok(()) => Ok((secrets, true)),
        Err(problem) => Err(Failure::refused("key-file-unusable", problem.to_string())),
    }
}

fn told(answer: &InitOutput) -> String {
    let made = |made: bool| if made { "made" } else { "there already" };
    let rows = [
        ("database", &answer.database, made(answer.database_made)),
        ("key file", &answer.keys, made(answer.keys_made)),
    ];
    let mut text = String::new();
    for (what, name, state) in rows {
        text.push_str(&format!("{what:<10}{} ({state})\n", plain(name)));
    }
    text.push_str(&format!(
        "{:<10}{} ({}), {}, {}\n",
        "site",
        plain(&answer.site),
        made(answer.site_made),
        answer.currency,
        plain(&answer.time_zone)
    ));
    match (answer.database_made, answer.keys_made, answer.site_made) {
        (false, false, false) => text.push_str("Nothing was changed."),
        (_, true, _) => text.push_str(
            "Back the key file up, apart from the database: without it no card is found by its code, and it is in no backup \
             of the database.",
        ),
        _ => text.truncate(text.trim_end().len()),
    }
    text
}
