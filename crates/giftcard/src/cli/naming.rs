//! How a command line names what it works on: a site, a card by id or by code, a document with changes by options. Must
//! not know what is done with it, and never shows a code.

use std::path::Path;

use clap::Args;
use giftcard::codes::SecretCode;
use giftcard::desk::{CardName, MAIN_SITE};
use giftcard::file_problem;
use giftcard::input::bounds::DOCUMENT_BYTES_MAX;
use giftcard::input::read_document;
use serde_json::{Map, Value};

use super::documents::read_whole;
use super::pay::read_code;
use super::terminal::Failure;

/// The site of a command that is no operation.
#[derive(Args)]
pub(crate) struct SiteArgument {
    /// The site
    #[arg(long, default_value = MAIN_SITE)]
    pub(crate) site: String,
}

/// A page of a list.
#[derive(Args)]
pub(crate) struct PageArguments {
    /// Begin where the page before ended: what that said as `next`
    #[arg(long, value_name = "NEXT")]
    pub(crate) after: Option<String>,
    /// Most that are listed, 1 to 1000
    #[arg(long, value_name = "COUNT", default_value_t = 100)]
    pub(crate) limit: usize,
}

/// A card.
#[derive(Args)]
pub(crate) struct CardArgument {
    /// The card by its id, or by its code. `-` reads it from a line of standard input, so that a code is seen neither
    /// by other users nor in the shell's history
    #[arg(value_name = "CARD", required_unless_present = "code", conflicts_with = "code")]
    card: Option<String>,
    /// The card by its code, also where that looks like an id; `-` reads it from standard input
    #[arg(long, value_name = "CODE")]
    code: Option<String>,
}

impl CardArgument {
    /// The card. Reads standard input for `-`.
    pub(crate) fn name(&self) -> Result<CardName, Failure> {
        match (&self.card, &self.code) {
            (_, Some(code)) => Ok(CardName::Code(SecretCode::new(read_code(code)?))),
            (card, None) => Ok(CardName::Either(SecretCode::new(read_code(card.as_deref().unwrap_or("-"))?))),
        }
    }

    /// The code, for what only a code is asked of.
    pub(crate) fn code(&self) -> Result<SecretCode, Failure> {
        let given = self.code.as_deref().or(self.card.as_deref()).unwrap_or("-");
        Ok(SecretCode::new(read_code(given)?))
    }
}

/// The text of a file, or of standard input for `-`.
pub(crate) fn read_text(path: &Path) -> Result<String, Failure> {
    let unreadable = |problem: String| {
        let name = if path.as_os_str() == "-" { "standard input".to_string() } else { path.display().to_string() };
        Failure::refused("file-unreadable", format!("`{name}`: {problem}"))
    };
    let bytes = read_whole(path, DOCUMENT_BYTES_MAX).map_err(|error| unreadable(file_problem(&error)))?;
    if bytes.len() > DOCUMENT_BYTES_MAX {
        return Err(unreadable(format!(
            "has more than {DOCUMENT_BYTES_MAX} bytes, which is the most for one document"
        )));
    }
    String::from_utf8(bytes).map_err(|_| unreadable("is not UTF-8 text".to_string()))
}

/// A file that is there, or is written, and is not what it should be.
pub(crate) fn unusable(file: &Path, problem: &str) -> Failure {
    Failure::refused("file-unusable", format!("`{}`: {problem}", file.display()))
}

/// A document with changes by options.
pub(crate) struct Edited(Map<String, Value>);

impl Edited {
    /// The document in a file, or `kept` where none is named.
    pub(crate) fn begin(file: Option<&Path>, kept: Option<Value>) -> Result<Self, Failure> {
        let read = match file {
            Some(path) => Some(read_document(&read_text(path)?).map_err(giftcard::DeskError::from)?),
            None => kept,
        };
        match read {
            None => Ok(Self(Map::new())),
            Some(Value::Object(fields)) => Ok(Self(fields)),
            Some(_) => Err(Failure::refused("wrong-type", "the document is not an object".to_string())),
        }
    }

    /// Sets a field, where there is something to set.
    pub(crate) fn set(&mut self, field: &str, value: Option<impl Into<Value>>) {
        if let Some(value) = value {
            self.0.insert(field.to_string(), value.into());
        }
    }

    /// Takes a field away.
    pub(crate) fn remove(&mut self, field: &str) {
        self.0.remove(field);
    }

    /// A field as it is so far.
    pub(crate) fn get(&self, field: &str) -> Option<&Value> {
        self.0.get(field)
    }

    /// The document, read strictly.
    pub(crate) fn read<T: serde::de::DeserializeOwned>(self) -> Result<T, Failure> {
        let text = Value::Object(self.0).to_string();
        Ok(read_document(&text).map_err(giftcard::DeskError::from)?)
    }
}

/// What people are told below a page: how the next one is shown.
pub(crate) fn more(next: &Option<String>) -> String {
    next.as_deref().map(|next| format!("more: --after {}\n", super::terminal::plain(next))).unwrap_or_default()
}
