//! Cards and store credit as they are named on a command line, in the order in which they were. Must not show a code.

use std::io::{BufRead, IsTerminal, Write};

use clap::{Arg, ArgAction, ArgMatches, Command, Error, FromArgMatches};
use serde_json::{Value, json};

use crate::cli::terminal::Failure;

/// The options, and what each is in a document.
const KINDS: [(&str, &str, &str, &str); 3] = [
    (
        "code",
        "CODE",
        "code",
        "A card by its code; `-` reads it from a line of standard input, so that it is seen neither by other users nor in \
         the shell's history. These three may be given several times, and pay in the order in which they are given",
    ),
    ("card", "ID", "id", "A card by its id"),
    ("credit", "CUSTOMER", "credit_of", "The store credit of a customer"),
];

/// What pays, as entered: the field of a document, and its value.
pub(crate) struct Entries(Vec<(&'static str, String)>);

impl Entries {
    /// As a document has them. Codes that were left to standard input are read.
    pub(crate) fn documents(&self) -> Result<Vec<Value>, Failure> {
        let entry = |(field, value): &(&'static str, String)| match *field {
            "code" => Ok(json!({ "code": read_code(value)? })),
            field => Ok(json!({ field: value })),
        };
        self.0.iter().map(entry).collect()
    }
}

/// The code, or the next line of standard input for `-`.
pub(crate) fn read_code(code: &str) -> Result<String, Failure> {
    if code != "-" {
        return Ok(code.to_string());
    }
    let mut line = String::new();
    let mut input = std::io::stdin().lock();
    if input.is_terminal() {
        // Without a standard error nobody sees it, and nothing else is the matter.
        let _ = std::io::stderr().write_all(b"Code: ");
    }
    input.read_line(&mut line)?;
    match line.trim() {
        "" => Err(Failure::refused("missing-field", "standard input has no code left for `-`".to_string())),
        code => Ok(code.to_string()),
    }
}

impl FromArgMatches for Entries {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        let mut found = Vec::new();
        for (option, _, field, _) in KINDS {
            let values = matches.get_many::<String>(option).into_iter().flatten();
            let places = matches.indices_of(option).into_iter().flatten();
            found.extend(places.zip(values).map(|(place, value)| (place, field, value.clone())));
        }
        found.sort_by_key(|(place, _, _)| *place);
        Ok(Self(found.into_iter().map(|(_, field, value)| (field, value)).collect()))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl clap::Args for Entries {
    fn augment_args(command: Command) -> Command {
        KINDS.into_iter().fold(command, |command, (option, value, _, help)| {
            let argument = Arg::new(option).long(option).value_name(value).help(help);
            command.arg(argument.action(ArgAction::Append).requires("order"))
        })
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}
