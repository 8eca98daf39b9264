//! `giftcard plugin profile`: which functions of a condition use its fuel. Must not know how that is measured or drawn.

use std::fs;
use std::path::PathBuf;

use clap::Args;
use giftcard::authoring::{self, FuelProfile};
use giftcard::{Shelf, file_problem};
use giftcard_host::{Component, Host, Profiler};

use super::super::naming::unusable;
use super::super::show::table;
use super::super::terminal::{self, Failure, Terminal, plain};
use super::author::{QuestionArguments, till_with};
use super::load_component;

/// Functions that people are shown; `--json` has all.
const FUNCTIONS_SHOWN: usize = 15;

#[derive(Args)]
pub(crate) struct ProfileArguments {
    #[command(flatten)]
    question: QuestionArguments,
    /// Write a flame graph to this file (SVG)
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Print the profile as JSON
    #[arg(long)]
    pub(super) json: bool,
}

pub(crate) fn profile(
    arguments: &ProfileArguments,
    (host, shelf): (Host, Shelf),
    terminal: &mut Terminal,
) -> Result<u8, Failure> {
    let QuestionArguments { component: file, input, .. } = &arguments.question;
    let component = load_component(&host, file)?;
    let Component::Condition(condition) = &component else {
        return Err(unusable(file, "has rules; only a condition can be profiled"));
    };
    let bytes = fs::read(file).map_err(|error| unusable(file, &file_problem(&error)))?;
    let profiler = Profiler::new(condition, &bytes)
        .map_err(|error| Failure::refused("not-profiled", format!("`{}`: {error}", file.display())))?;
    let name = format!("{} {}", condition.facts().id, condition.facts().version);
    let (till, id) = till_with(component, file, shelf);
    let (document, now) = arguments.question.read(&id)?;
    let found = authoring::profile(&till, &document.to_string(), &profiler, now)?;
    let Some(profile) = found else {
        let problem = format!("`{id}` was not asked: bind it in the order's programmes, or give --settings");
        return Err(unusable(input, &problem));
    };
    if let Some(file) = &arguments.out {
        let title = format!("{name}: {} units of fuel about {}", profile.fuel, profile.cards.join(", "));
        let picture = authoring::flame_graph(&profile, &title);
        fs::write(file, picture).map_err(|error| unusable(file, &file_problem(&error)))?;
    }
    terminal.answer(&profile, arguments.json, |wide| shown(&profile, wide))?;
    Ok(terminal::DONE)
}

fn shown(profile: &FuelProfile, wide: bool) -> String {
    let share = |fuel: u64| {
        let basis_points = u128::from(fuel) * 10_000 / u128::from(profile.fuel.max(1));
        format!("{}.{:02} %", basis_points / 100, basis_points % 100)
    };
    let exact = match profile.step {
        1 => "every unit was looked at".to_string(),
        step => format!("one of every {step} units was looked at"),
    };
    let mut text = format!("asked about {}\n", plain(&profile.cards.join(", ")));
    text.push_str(&format!("fuel {}; {exact}\n\n", profile.fuel));
    let mut listed = table(&["function", "own", "", "with what it calls", ""], &[1, 2, 3, 4], wide);
    for function in profile.functions.iter().take(FUNCTIONS_SHOWN) {
        listed.add_row([
            plain(&function.function),
            function.own.to_string(),
            share(function.own),
            function.total.to_string(),
            share(function.total),
        ]);
    }
    text.push_str(&listed.to_string());
    if let Some(more) = profile.functions.len().checked_sub(FUNCTIONS_SHOWN).filter(|more| *more > 0) {
        text.push_str(&format!("\nand {more} more; --json has all"));
    }
    text
}
