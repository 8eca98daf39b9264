//! `giftcard plugin catalogue` and `expression`: rules that an expression can be put together from, and the way there and
//! back. Must not know how an expression is written or read.

use std::path::PathBuf;

use clap::Args;
use giftcard::expressions::{Catalogue, Tree};
use giftcard::{Shelf, TillError};
use giftcard_host::Host;

use super::super::naming::read_text;
use super::super::show::table;
use super::super::terminal::{self, Failure, Terminal, plain};

#[derive(Args)]
pub(crate) struct ExpressionArguments {
    /// Print the expression of the rules in this JSON file, or in standard input for `-`; `giftcard schema rule-tree`
    /// has its form
    #[arg(long, value_name = "FILE", conflicts_with = "to_rules")]
    from_rules: Option<PathBuf>,
    /// Print the rules of an expression as JSON; what no rule says is in it as code
    #[arg(long)]
    to_rules: bool,
    /// The expression
    #[arg(conflicts_with_all = ["from_rules", "file"], required_unless_present_any = ["from_rules", "file"])]
    expression: Option<String>,
    /// The expression is in this file, or in standard input for `-`
    #[arg(long, value_name = "FILE", conflicts_with = "from_rules")]
    file: Option<PathBuf>,
}

pub(crate) fn catalogue(json: bool, terminal: &mut Terminal) -> Result<u8, Failure> {
    let catalogue = Catalogue::STANDARD;
    terminal.answer(&catalogue, json, |wide| {
        let mut listed = table(&["rule", "says", "arguments"], &[], wide);
        for rule in catalogue.rules {
            let kind = |kind| serde_json::to_value(kind).ok().and_then(|kind| kind.as_str().map(str::to_string));
            let arguments = rule.parameters.iter().map(|parameter| match kind(parameter.kind) {
                Some(kind) if kind != parameter.name => format!("{}: {kind}", parameter.name),
                _ => parameter.name.to_string(),
            });
            let arguments = arguments.collect::<Vec<_>>().join(", ");
            listed.add_row([rule.id.to_string(), rule.label.to_string(), arguments]);
        }
        listed.to_string()
    })
}

/// `load` is for an expression that is only checked.
pub(crate) fn expression(
    arguments: &ExpressionArguments,
    load: impl FnOnce() -> Result<(Host, Shelf), Failure>,
    terminal: &mut Terminal,
) -> Result<u8, Failure> {
    if let Some(file) = &arguments.from_rules {
        let tree = Tree::from_json(&read_text(file)?).map_err(TillError::Input)?;
        let text = tree.to_expression();
        // A file gets it as it is.
        let shown = if terminal.is_terminal() { text.lines().map(plain).collect::<Vec<_>>().join("\n") } else { text };
        terminal.line(&shown)?;
        return Ok(terminal::DONE);
    }
    let text = match (&arguments.file, &arguments.expression) {
        (Some(file), _) => read_text(file)?,
        (None, text) => text.clone().unwrap_or_default(),
    };
    // A file's last line ends, which is no part of the expression.
    let text = text.strip_suffix('\n').unwrap_or(&text);
    if !arguments.to_rules {
        load()?.1.into_till().check_expression(text)?;
        terminal
            .line("The condition `expression` takes it; `giftcard plugin bind PROGRAMME expression` does the rest.")?;
        return Ok(terminal::DONE);
    }
    terminal.line(&format!("{:#}", Tree::from_expression(text).to_json()))?;
    Ok(terminal::DONE)
}
