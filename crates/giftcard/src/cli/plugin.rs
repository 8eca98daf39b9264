//! `giftcard plugin`: what is loaded, what a file is, and what authors do. Must not know how a component is loaded.

pub(super) mod author;
mod expression;
pub(super) mod installed;
mod profile;

use std::path::{Path, PathBuf};

use clap::Subcommand;
use giftcard::fixtures::{self, Report, Running};
use giftcard::output::{ErrorBody, ErrorOutput, PluginOutput, SettingOutput};
use giftcard::{Desk, Entry, Origin, Shelf, file_problem};
use giftcard_host::{Component, Host, LoadError, ReadCause, ReadError};
use serde_json::Value;

use super::show::table;
use super::terminal::{self, Failure, Terminal, plain};

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Begin a project that builds and passes its own fixtures
    New(author::NewArguments),
    /// Build a project's component and check it
    Build(author::BuildArguments),
    /// Ask a component about one order; shows verdicts, what they rest on, fuel, memory and log
    Run(author::RunArguments),
    /// Show which functions of a condition use its fuel for one order
    Profile(profile::ProfileArguments),
    /// Run a project's fixtures, each twice
    Test(author::TestArguments),
    /// Make a fixture of the last decision for an order of the ledger, without what tells who ordered
    Fixture(author::FixtureArguments),
    #[command(flatten)]
    Installed(installed::Command),
    /// List the rules that an expression can be put together from
    Catalogue {
        /// Print it as JSON
        #[arg(long)]
        json: bool,
    },
    /// Check an expression, turn it into rules of the catalogue, or rules into an expression
    Expression(expression::ExpressionArguments),
    /// List the rules and conditions that are loaded, and those that are installed in the ledger, if there is one
    List {
        /// Only those that are installed at this site
        #[arg(long)]
        site: Option<String>,
        /// Print one line of JSON for each; with `--site`, of those that are installed
        #[arg(long)]
        json: bool,
    },
    /// Show everything about a component
    Inspect {
        /// A .wasm file, or the id (or id@version) of one that is loaded
        #[arg(value_name = "FILE|ID")]
        component: PathBuf,
        /// Print it as JSON
        #[arg(long)]
        json: bool,
    },
    /// Try whether components can be used: loads each as the service would, with a trial run
    Check {
        /// .wasm files
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
        /// Run the fixtures of this folder with each, every question twice: the answers and the fuel have to be the same
        #[arg(long, value_name = "FOLDER")]
        fixtures: Option<PathBuf>,
        /// Print one line of JSON for each
        #[arg(long)]
        json: bool,
    },
}

impl Command {
    /// Whether it runs a component of the author's own, and shows where in its source it fails.
    pub(crate) fn is_for_authors(&self) -> bool {
        matches!(self, Self::Run(_) | Self::Test(_))
    }

    pub(crate) fn json(&self) -> bool {
        match self {
            Self::Installed(command) => command.json(),
            Self::Catalogue { json }
            | Self::List { json, .. }
            | Self::Inspect { json, .. }
            | Self::Check { json, .. } => *json,
            Self::Build(arguments) => arguments.json,
            Self::Run(arguments) => arguments.json,
            Self::Profile(arguments) => arguments.json,
            Self::New(_) | Self::Test(_) | Self::Fixture(_) | Self::Expression(_) => false,
        }
    }
}

/// `load` makes the host and loads what comes with it, `open` the ledger.
pub(crate) fn run(
    command: Command,
    load: impl FnOnce() -> Result<(Host, Shelf), Failure>,
    open: impl FnOnce() -> Result<Desk, Failure>,
    terminal: &mut Terminal,
) -> Result<u8, Failure> {
    match command {
        Command::New(arguments) => author::new(&arguments, terminal),
        Command::Build(arguments) => author::build(&arguments, &load()?.0, terminal),
        Command::Run(arguments) => author::run(&arguments, load()?, terminal),
        Command::Profile(arguments) => profile::profile(&arguments, load()?, terminal),
        Command::Test(arguments) => author::test(&arguments, load()?, terminal),
        Command::Fixture(arguments) => author::fixture(&arguments, &open()?, terminal),
        Command::Installed(command) => installed::run(&command, open, terminal),
        Command::List { site: Some(site), json } => {
            let plugins = open()?.plugins(&site)?;
            match json {
                true => plugins.iter().try_for_each(|plugin| terminal.json(plugin))?,
                false => terminal.line(&installed::listed(&plugins, terminal.is_terminal()))?,
            }
            Ok(terminal::DONE)
        }
        Command::List { site: None, json } => {
            list(&load()?.1, json, terminal)?;
            // Without a ledger there is nothing more to tell.
            let installed = if json { None } else { open().ok() };
            for site in installed.iter().flat_map(|desk| desk.sites().unwrap_or_default()) {
                let plugins =
                    installed.as_ref().map(|desk| desk.plugins(&site.site.id)).transpose()?.unwrap_or_default();
                if !plugins.is_empty() {
                    terminal.line(&format!("\nInstalled at site {}:", plain(&site.site.id)))?;
                    terminal.line(&installed::listed(&plugins, terminal.is_terminal()))?;
                }
            }
            Ok(terminal::DONE)
        }
        Command::Catalogue { json } => expression::catalogue(json, terminal),
        Command::Expression(arguments) => expression::expression(&arguments, load, terminal),
        Command::Inspect { component, json } => {
            let (host, shelf) = load()?;
            let found = match component.to_str().and_then(|id| shelf.entry(id)).filter(|_| !component.is_file()) {
                Some(entry) => PluginOutput::from(entry),
                None => PluginOutput::from(&entry(&host, &component)?),
            };
            terminal.answer(&found, json, |wide| inspect(&found, wide))
        }
        Command::Check { files, fixtures, json } => check(&files, fixtures.as_deref(), &load()?.0, json, terminal),
    }
}

fn entry(host: &Host, path: &Path) -> Result<Entry, Failure> {
    if !path.exists() {
        let problem = "there is no such file, and no loaded plugin of that id; `giftcard plugin list` shows them";
        return Err(Failure::refused("file-unreadable", format!("`{}`: {problem}", path.display())));
    }
    let component = load_component(host, path)?;
    Ok(Entry { facts: component.facts().clone(), origin: Origin::File(path.to_path_buf()) })
}

/// Whoever is at the machine with the file may run it with the limits that it asks for; what that is stands in what is
/// shown of it.
fn load_wanted(host: &Host, path: &Path) -> Result<Component, LoadError> {
    let (name, bytes) = host.read_file(path)?;
    host.load_granted(&name, &bytes, &host.wanted(&name, &bytes)?)
}

fn load_component(host: &Host, path: &Path) -> Result<Component, Failure> {
    load_wanted(host, path).map_err(|error| {
        let (code, problem) = refusal(&error);
        let is_file = matches!(error, LoadError::Read(_));
        let name = if is_file { format!("`{}`: ", path.display()) } else { String::new() };
        Failure::refused(&code, format!("{name}{problem}"))
    })
}

/// Code and message. A file that cannot be read is told as a document is.
fn refusal(error: &LoadError) -> (String, String) {
    match error {
        LoadError::Read(ReadError { cause: ReadCause::Io(cause), .. }) => {
            ("file-unreadable".to_string(), file_problem(cause))
        }
        error => (format!("plugin-{}", error.stage()), error.to_string()),
    }
}

fn list(shelf: &Shelf, json: bool, terminal: &mut Terminal) -> Result<u8, Failure> {
    let header = ["id", "version", "fits", "settings", "imports", "bytes", "from", "sha256"];
    let mut listed = table(&header, &[3, 4, 5], terminal.is_terminal());
    for entry in shelf.entries() {
        let plugin = PluginOutput::from(entry);
        if json {
            terminal.json(&plugin)?;
        }
        let digest = plugin.digest.get(..12).unwrap_or(&plugin.digest).to_string();
        // One that only its full name means: `previous` may name it.
        let id = match shelf.is_current(entry) {
            true => plain(&plugin.id),
            false => format!("{}@{}", plain(&plugin.id), plain(&plugin.version)),
        };
        let contract = plugin.contract.rsplit('@').next().unwrap_or(&plugin.contract);
        listed.add_row([
            id,
            plain(&plugin.version),
            format!("{} {contract}", plugin.world),
            plugin.settings.len().to_string(),
            plugin.imports.len().to_string(),
            plugin.size.to_string(),
            plain(&plugin.origin),
            digest,
        ]);
    }
    if !json {
        terminal.line(&listed.to_string())?;
    }
    Ok(terminal::DONE)
}

fn check(
    files: &[PathBuf],
    fixtures: Option<&Path>,
    host: &Host,
    json: bool,
    terminal: &mut Terminal,
) -> Result<u8, Failure> {
    let mut code = terminal::DONE;
    for path in files {
        let error = match load_wanted(host, path) {
            Ok(component) => {
                let entry = Entry { facts: component.facts().clone(), origin: Origin::File(path.clone()) };
                let plugin = PluginOutput::from(&entry);
                match json {
                    true => terminal.json(&plugin)?,
                    false => {
                        let path = plain(&path.display().to_string());
                        terminal.line(&format!("{path}: fits {} of {}\n", plugin.world, plugin.contract))?;
                        terminal.line(&inspect(&plugin, terminal.is_terminal()))?;
                    }
                }
                if let Some(folder) = fixtures {
                    code = code.max(check_fixtures(component, path, folder, host, json, terminal)?);
                }
                continue;
            }
            Err(error) => error,
        };
        code = terminal::REFUSED;
        let (name, message) = refusal(&error);
        let error = ErrorBody { code: name, path: None, message, line: None };
        terminal.error(&ErrorOutput { error }, Some(&path.display().to_string()), json)?;
    }
    Ok(code)
}

/// Runs fixtures with a component among the standard ones.
fn check_fixtures(
    component: Component,
    path: &Path,
    folder: &Path,
    host: &Host,
    json: bool,
    terminal: &mut Terminal,
) -> Result<u8, Failure> {
    let shelf = Shelf::standard(host).map_err(|error| Failure::rule("plugin-not-loaded", error.to_string()))?;
    let (till, _) = author::till_with(component, path, shelf);
    let files = fixtures::find(folder).map_err(|why| Failure::refused("no-fixtures", why))?;
    let mut report = Report::default();
    for file in &files {
        fixtures::run(&till, file, Running { bless: false, bless_by: author::BLESS_BY, whole: false }, &mut report);
    }
    if !json {
        let failed = report.failed.len();
        terminal.line(&format!("\n{} fixtures, each question twice: {failed} failed", files.len()))?;
    }
    for (file, problems) in &report.failed {
        let message = problems.join("; ");
        let error = ErrorBody { code: "fixture-failed".to_string(), path: None, message, line: None };
        terminal.error(&ErrorOutput { error }, Some(&file.display().to_string()), json)?;
    }
    Ok(if report.failed.is_empty() { terminal::DONE } else { terminal::REFUSED })
}

fn inspect(plugin: &PluginOutput, wide: bool) -> String {
    let listed = |items: &[String]| match items.is_empty() {
        true => "nothing".to_string(),
        false => items.iter().map(|item| plain(item)).collect::<Vec<_>>().join(", "),
    };
    let mut text = format!("{} {}: {}\n", plain(&plugin.id), plain(&plugin.version), plain(&plugin.title));
    text.push_str(&format!("{}\n\n", plain(&plugin.summary)));
    for (name, value) in [
        ("world", format!("{} of {}", plugin.world, plugin.contract)),
        ("from", plain(&plugin.origin)),
        ("sha256", plugin.digest.clone()),
        ("size", format!("{} bytes", plugin.size)),
        ("imports", listed(&plugin.imports)),
        ("asks for", listed(&plugin.needs)),
        ("limits", limits(plugin)),
        ("shared limits", if plugin.shares_limits { "yes" } else { "no" }.to_string()),
    ] {
        text.push_str(&format!("{name:<15}{value}\n"));
    }
    if !plugin.settings.is_empty() {
        let mut settings = table(&["setting", "kind", "default", "allowed", "help"], &[], wide);
        for setting in &plugin.settings {
            let default = match (&setting.default, setting.required) {
                (Some(default), _) => value(default),
                (None, true) => "required".to_string(),
                (None, false) => String::new(),
            };
            let help = format!("{}: {}", plain(&setting.label), plain(&setting.help));
            settings.add_row([plain(&setting.name), setting.kind.to_string(), default, allowed(setting), help]);
        }
        text.push_str(&format!("\n{settings}\n"));
    }
    if !plugin.reject_codes.is_empty() {
        let mut codes = table(&["reject code", "meaning"], &[], wide);
        for reject in &plugin.reject_codes {
            codes.add_row([plain(&reject.code), plain(&reject.message)]);
        }
        text.push_str(&format!("\n{codes}\n"));
    }
    text.truncate(text.trim_end().len());
    text
}

/// What it may have beyond the standard limits, and how a merchant lets it.
fn limits(plugin: &PluginOutput) -> String {
    if plugin.limits.is_empty() {
        return "standard".to_string();
    }
    let wanted: Vec<String> = plugin.limits.iter().map(|(name, most)| format!("{name} {most}")).collect();
    let granted = match Path::new(&plugin.origin).file_stem().filter(|_| plugin.origin != "built-in") {
        Some(name) => format!(
            "; granted here; elsewhere with `plugin install --grant` or `--grant-limits {}`",
            plain(&name.to_string_lossy())
        ),
        None => String::new(),
    };
    format!("asks for {}{granted}", wanted.join(", "))
}

fn value(value: &Value) -> String {
    match value {
        Value::String(text) => plain(text),
        other => plain(&other.to_string()),
    }
}

fn allowed(setting: &SettingOutput) -> String {
    let mut parts: Vec<String> = setting.choices.iter().map(|choice| plain(&choice.value)).collect();
    // An amount's limits hold in whatever currency it is given.
    let unit = if setting.kind == "money" { " of the smallest unit" } else { "" };
    parts.extend(setting.minimum.as_ref().map(|minimum| format!("at least {}{unit}", value(minimum))));
    parts.extend(setting.maximum.as_ref().map(|maximum| format!("at most {}{unit}", value(maximum))));
    parts.extend(setting.items_max.map(|most| format!("up to {most} items")));
    parts.join(", ")
}
