//! `giftcard plugin new`, `build`, `run` and `test`: for whoever writes a condition. Must not know how a component is built
//! or run.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use giftcard::authoring::{self, Asked, AuthoringError, FIXTURES, Trial};
use giftcard::fixtures::{self, Report, Running};
use giftcard::{Desk, Origin, Shelf, Till, file_problem};
use giftcard_host::{Component, FUEL_MAX, Grant, Host, MEMORY_BYTES_MAX};
use quick_junit::{NonSuccessKind, TestCase, TestCaseStatus, TestSuite};
use serde_json::{Map, Value};

use super::super::clock::now_ms;
use super::super::naming::{read_text, unusable};
use super::super::show;
use super::super::terminal::{self, Failure, Terminal, plain};
use super::{entry, inspect, load_component};
use giftcard::desk::MAIN_SITE;

/// The command that writes decisions anew, for hints.
pub(super) const BLESS_BY: &str = "giftcard plugin test --bless";

#[derive(Args)]
pub(crate) struct NewArguments {
    /// Lower-case words with dashes between them, such as `free-shipping`
    name: String,
    /// What it is written in
    #[arg(long, value_enum, default_value_t)]
    lang: Language,
    /// The folder in which the project's own folder is made
    #[arg(long = "in", value_name = "FOLDER", default_value = ".")]
    parent: PathBuf,
}

#[derive(Clone, Copy, Default, ValueEnum)]
enum Language {
    #[default]
    Rust,
    Js,
    Ts,
    Python,
}

impl From<Language> for authoring::Language {
    fn from(language: Language) -> Self {
        match language {
            Language::Rust => Self::Rust,
            Language::Js => Self::JavaScript,
            Language::Ts => Self::TypeScript,
            Language::Python => Self::Python,
        }
    }
}

#[derive(Args)]
pub(crate) struct BuildArguments {
    /// The project's folder
    #[arg(default_value = ".", value_name = "FOLDER")]
    project: PathBuf,
    /// Use only what was downloaded before
    #[arg(long)]
    offline: bool,
    /// Print what was built as JSON
    #[arg(long)]
    pub(super) json: bool,
}

/// A component, and a question to it.
#[derive(Args)]
pub(super) struct QuestionArguments {
    /// A .wasm file
    #[arg(value_name = "FILE")]
    pub(super) component: PathBuf,
    /// An order as `giftcard quote` takes it, or a fixture
    #[arg(long, value_name = "FILE")]
    pub(super) input: PathBuf,
    /// Settings, a JSON object: the plugin is bound with them to every programme of the order, and nothing else is
    #[arg(long, value_name = "FILE")]
    settings: Option<PathBuf>,
    /// Which question of a fixture, from 1
    #[arg(long, default_value_t = 1, value_name = "NUMBER")]
    step: usize,
}

impl QuestionArguments {
    /// The order's document, with the plugin of this id bound by the settings if there are some, and the moment to decide at.
    pub(super) fn read(&self, id: &str) -> Result<(Value, i64), Failure> {
        let (mut document, now) = question(&self.input, self.step)?;
        if let Some(file) = &self.settings {
            let settings: Map<String, Value> = read(file)?;
            authoring::bind(&mut document, id, &settings).map_err(|problem| unusable(&self.input, &problem))?;
        }
        Ok((document, now))
    }
}

#[derive(Args)]
pub(crate) struct RunArguments {
    #[command(flatten)]
    question: QuestionArguments,
    /// Print it as JSON
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Args)]
pub(crate) struct TestArguments {
    /// The project's folder
    #[arg(default_value = ".", value_name = "FOLDER")]
    project: PathBuf,
    /// Test this component instead of building the project
    #[arg(long, value_name = "FILE")]
    component: Option<PathBuf>,
    /// Write the decisions anew, and read what changed
    #[arg(long)]
    bless: bool,
    /// Write a JUnit report as well
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Use only what was downloaded before
    #[arg(long)]
    offline: bool,
}

#[derive(Args)]
pub(crate) struct FixtureArguments {
    /// The order, by the platform's id; `from` may stand before it
    #[arg(value_name = "ORDER", num_args = 1..=2, required = true)]
    order: Vec<String>,
    /// Its site
    #[arg(long, default_value = MAIN_SITE)]
    site: String,
    /// Write it to this file, which must not be there yet
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

impl From<AuthoringError> for Failure {
    fn from(error: AuthoringError) -> Self {
        Self::refused(error.code(), error.to_string())
    }
}

pub(crate) fn new(arguments: &NewArguments, terminal: &mut Terminal) -> Result<u8, Failure> {
    let folder = authoring::begin(&arguments.parent, &arguments.name, arguments.lang.into())?;
    let folder = plain(&folder.display().to_string());
    terminal.line(&format!("{folder} is ready: cd {folder}, then `giftcard plugin test`; its README says the rest"))?;
    Ok(terminal::DONE)
}

pub(crate) fn fixture(arguments: &FixtureArguments, desk: &Desk, terminal: &mut Terminal) -> Result<u8, Failure> {
    let order = match arguments.order.as_slice() {
        [order] => order,
        [from, order] if from == "from" => order,
        _ => {
            return Err(Failure::refused(
                "invalid-value",
                "`order`: is more than one; a fixture is of one order".to_string(),
            ));
        }
    };
    let fixture = desk.fixture(&arguments.site, order)?;
    let text = format!("{fixture:#}\n");
    let Some(file) = &arguments.out else {
        terminal.line(text.trim_end())?;
        return Ok(terminal::DONE);
    };
    let unwritable = |error: std::io::Error| unusable(file, &file_problem(&error));
    let mut made = fs::OpenOptions::new().write(true).create_new(true).open(file).map_err(unwritable)?;
    made.write_all(text.as_bytes()).map_err(unwritable)?;
    terminal
        .line(&format!("{} is written; read it before you give it to anyone", plain(&file.display().to_string())))?;
    Ok(terminal::DONE)
}

pub(crate) fn build(arguments: &BuildArguments, host: &Host, terminal: &mut Terminal) -> Result<u8, Failure> {
    let built = authoring::build(&arguments.project, arguments.offline)?;
    let output = giftcard::output::PluginOutput::from(&entry(host, &built.path)?);
    terminal.answer(&output, arguments.json, |wide| inspect(&output, wide))
}

pub(crate) fn run(
    arguments: &RunArguments,
    (host, shelf): (Host, Shelf),
    terminal: &mut Terminal,
) -> Result<u8, Failure> {
    let QuestionArguments { component: file, input, .. } = &arguments.question;
    let component = load_component(&host, file)?;
    let granted = component.facts().granted;
    let (till, id) = till_with(component, file, shelf);
    let (document, now) = arguments.question.read(&id)?;
    let trial = authoring::trial(&till, &document.to_string(), &id, now)?;
    if trial.asked.is_empty() {
        let problem = format!(
            "`{id}` was not asked: bind it in the order's programmes, or give --settings; cards that may not pay at all are \
             not asked about"
        );
        return Err(unusable(input, &problem));
    }
    terminal.answer(&trial, arguments.json, |wide| show_trial(&trial, &granted, wide))?;
    // Some of what is wrong with an answer is only seen where it is used.
    let failed = trial.quote.has_failures() || trial.asked.iter().any(|asked| asked.failure.is_some());
    Ok(if failed { terminal::RULE_FAILED } else { terminal::DONE })
}

/// Standard rules and conditions, with this component among them or in the place of one.
pub(super) fn till_with(component: Component, path: &Path, mut shelf: Shelf) -> (Till, String) {
    let id = component.facts().id.clone();
    shelf.add(component, Origin::File(path.to_path_buf()));
    (Till::new(shelf.into_rulebook()), id)
}

fn read<T: serde::de::DeserializeOwned>(file: &Path) -> Result<T, Failure> {
    serde_json::from_str(&read_text(file)?).map_err(|error| unusable(file, &error.to_string()))
}

/// The order's document and the moment to decide at: of a fixture, or of an order by itself.
fn question(file: &Path, step: usize) -> Result<(Value, i64), Failure> {
    let document: Value = read(file)?;
    if document.get("steps").is_none() {
        return Ok((document, now_ms()));
    }
    let case = fixtures::Case::read(file).map_err(|problem| unusable(file, &problem))?;
    let count = case.steps.len();
    let asked = step.checked_sub(1).and_then(|place| case.steps.get(place));
    match asked.map(|step| &step.question) {
        Some(fixtures::Question::Quote(quote)) => Ok((quote.clone(), case.now_ms)),
        Some(fixtures::Question::Refund(_)) => {
            Err(unusable(file, &format!("step {step} is a refund, which asks no condition")))
        }
        None => Err(unusable(file, &format!("has {count} steps, and --step is {step}"))),
    }
}

/// What somebody else has to grant before they can run the component; nothing where the standard limits do.
fn show_granted(granted: &Grant) -> String {
    match granted.is_nothing() {
        true => String::new(),
        false => format!("granted here, since it asks for it: {granted}\n"),
    }
}

fn show_trial(trial: &Trial, granted: &Grant, wide: bool) -> String {
    let mut text = show_granted(granted);
    for asked in trial.asked.iter().filter(|asked| !asked.explain) {
        text.push_str(&show_asked(asked, granted));
    }
    text.push_str(&show::quote(&trial.quote, wide));
    text
}

fn show_asked(asked: &Asked, granted: &Grant) -> String {
    let mut text = format!("asked about {}\n", plain(&asked.cards.join(", ")));
    for (card, verdict) in asked.cards.iter().zip(&asked.verdicts) {
        text.push_str(&format!("  {}: {}\n", plain(card), plain(verdict)));
    }
    for limit in &asked.limits {
        text.push_str(&format!("  together at most {}\n", plain(limit)));
    }
    if let Some(failure) = &asked.failure {
        text.push_str(&format!("  failed: {}\n", plain(failure)));
    }
    let (fuel, memory) = (asked.fuel, asked.memory_bytes >> 10);
    let fuel_max = granted.fuel.unwrap_or(FUEL_MAX);
    let memory_max = granted.memory_bytes.unwrap_or(MEMORY_BYTES_MAX as u64) >> 10;
    text.push_str(&format!("  fuel {fuel} of {fuel_max}, memory {memory} of {memory_max} KiB\n"));
    for line in &asked.log {
        text.push_str(&format!("  log {}\n", plain(line)));
    }
    text.push('\n');
    text
}

pub(crate) fn test(
    arguments: &TestArguments,
    (host, shelf): (Host, Shelf),
    terminal: &mut Terminal,
) -> Result<u8, Failure> {
    let path = match &arguments.component {
        Some(path) => path.clone(),
        None => authoring::build(&arguments.project, arguments.offline)?.path,
    };
    let component = load_component(&host, &path)?;
    let granted = show_granted(&component.facts().granted);
    if !granted.is_empty() {
        terminal.line(granted.trim_end())?;
    }
    let (till, id) = till_with(component, &path, shelf);
    let files =
        fixtures::find(&arguments.project.join(FIXTURES)).map_err(|why| Failure::refused("no-fixtures", why))?;
    let mut suite = TestSuite::new(id.as_str());
    let mut failed = 0;
    for file in &files {
        let mut report = Report::default();
        let running = Running { bless: arguments.bless, bless_by: BLESS_BY, whole: false };
        fixtures::run(&till, file, running, &mut report);
        let name = file.file_stem().unwrap_or_default().to_string_lossy();
        let problems: Vec<&String> = report.failed.iter().flat_map(|(_, problems)| problems).collect();
        let word = match (problems.is_empty(), report.blessed.is_empty()) {
            (true, true) => "ok",
            (true, false) => "written anew",
            (false, _) => "FAILED",
        };
        terminal.line(&format!("{} ... {word}", plain(&name)))?;
        let mut status = TestCaseStatus::success();
        if !problems.is_empty() {
            failed += 1;
            for line in problems.iter().flat_map(|problem| problem.lines()) {
                terminal.line(&format!("    {}", plain(line)))?;
            }
            status = TestCaseStatus::non_success(NonSuccessKind::Failure);
            status.set_message(problems[0].lines().next().unwrap_or_default());
            status.set_description(problems.iter().map(|problem| problem.as_str()).collect::<Vec<_>>().join("\n"));
        }
        let mut case = TestCase::new(name.as_ref(), status);
        case.set_classname(id.as_str());
        suite.add_test_case(case);
    }
    terminal.line(&format!("{} fixtures, {failed} failed", files.len()))?;
    if let Some(file) = &arguments.junit {
        let mut report = quick_junit::Report::new("giftcard plugin test");
        report.add_test_suite(suite);
        let text = report.to_string().map_err(|error| unusable(file, &error.to_string()))?;
        let unwritable = |error: std::io::Error| unusable(file, &file_problem(&error));
        fs::write(file, text).map_err(unwritable)?;
    }
    Ok(if failed == 0 { terminal::DONE } else { terminal::REFUSED })
}
