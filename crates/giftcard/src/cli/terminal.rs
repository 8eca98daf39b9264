//! Standard output and standard error: the only place that prints, and that knows what a closed pipe means. Must not
//! know what is printed.
#![allow(clippy::print_stderr, reason = "this is where the command line prints")]

use std::io::{self, BufWriter, IsTerminal, StdoutLock, Write};

use giftcard::output::{ErrorBody, ErrorOutput};
use giftcard::{DeskError, TillError};

/// Exit code: done.
pub(crate) const DONE: u8 = 0;
/// Exit code: input, file or plugin refused.
pub(crate) const REFUSED: u8 = 1;
/// Exit code: a rule failed.
pub(crate) const RULE_FAILED: u8 = 3;

/// Why the command stops.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Nobody reads the output any more.
    Closed,
    /// What is left to tell, and the exit code.
    Told { error: Box<ErrorOutput>, code: u8 },
}

impl Failure {
    fn new(code: u8, name: &str, message: String) -> Self {
        let error = ErrorBody { code: name.to_string(), path: None, message, line: None };
        Self::Told { error: Box::new(ErrorOutput { error }), code }
    }

    /// An input, a file or a plugin was refused.
    pub(crate) fn refused(name: &str, message: String) -> Self {
        Self::new(REFUSED, name, message)
    }

    /// A rule failed.
    pub(crate) fn rule(name: &str, message: String) -> Self {
        Self::new(RULE_FAILED, name, message)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::Closed,
            _ => Self::refused("output", format!("the output cannot be written: {error}")),
        }
    }
}

impl From<TillError> for Failure {
    fn from(error: TillError) -> Self {
        Self::Told { code: exit_code(&error), error: Box::new(error.output(None)) }
    }
}

/// The exit code of a document's error.
pub(crate) fn exit_code(error: &TillError) -> u8 {
    match error {
        TillError::Input(_) => REFUSED,
        TillError::Rules { .. } => RULE_FAILED,
    }
}

/// The exit code of a use case that failed.
pub(crate) fn desk_exit_code(error: &DeskError) -> u8 {
    match error {
        DeskError::Rules { .. } => RULE_FAILED,
        _ => REFUSED,
    }
}

/// Where answers and errors go.
pub(crate) struct Terminal {
    out: BufWriter<StdoutLock<'static>>,
    is_terminal: bool,
}

impl Terminal {
    pub(crate) fn new() -> Self {
        let out = io::stdout().lock();
        let is_terminal = out.is_terminal();
        Self { out: BufWriter::new(out), is_terminal }
    }

    /// Whether people see standard output at once.
    pub(crate) fn is_terminal(&self) -> bool {
        self.is_terminal
    }

    /// A line of the answer.
    pub(crate) fn line(&mut self, text: &str) -> Result<(), Failure> {
        self.out.write_all(text.as_bytes())?;
        self.out.write_all(b"\n")?;
        Ok(())
    }

    /// An answer, as JSON or as people read it, who have their terminal's width if `show` is told that there is one.
    pub(crate) fn answer(
        &mut self,
        answer: &impl serde::Serialize,
        json: bool,
        show: impl FnOnce(bool) -> String,
    ) -> Result<u8, Failure> {
        match json {
            true => self.json(answer)?,
            false => {
                let text = show(self.is_terminal);
                self.line(text.trim_end())?;
            }
        }
        Ok(DONE)
    }

    /// A document on a line of its own.
    pub(crate) fn json(&mut self, document: &impl serde::Serialize) -> Result<(), Failure> {
        serde_json::to_writer(&mut self.out, document).map_err(io::Error::from)?;
        self.out.write_all(b"\n")?;
        Ok(())
    }

    /// An error, for people on standard error and, if asked for, for machines on standard output. `source` is the file
    /// it is about.
    pub(crate) fn error(&mut self, error: &ErrorOutput, source: Option<&str>, json: bool) -> Result<(), Failure> {
        let ErrorBody { path, message, line, .. } = &error.error;
        let mut text = "giftcard: ".to_string();
        if let Some(source) = source {
            text.push_str(&plain(source));
            match line {
                Some(line) => text.push_str(&format!(":{line}: ")),
                None => text.push_str(": "),
            }
        }
        if let Some(path) = path {
            text.push_str(&format!("`{path}`: "));
        }
        // Line by line, since the differences from the contract are a list.
        let message: Vec<String> = message.lines().map(plain).collect();
        text.push_str(&message.join("\n"));
        // What is in the buffer came before.
        self.out.flush()?;
        if json {
            self.json(error)?;
        }
        // Without a standard error there is nobody to tell.
        let _ = writeln!(io::stderr(), "{text}");
        Ok(())
    }

    /// Something that people may want to know, on standard error: it is no part of the answer.
    pub(crate) fn note(&mut self, text: &str) -> Result<(), Failure> {
        self.out.flush()?;
        let _ = writeln!(io::stderr(), "giftcard: {}", plain(text));
        Ok(())
    }

    /// Everything out.
    pub(crate) fn flush(&mut self) -> Result<(), Failure> {
        self.out.flush()?;
        Ok(())
    }
}

/// Text of an input or a component as a terminal may be shown it: without control characters.
pub(crate) fn plain(text: &str) -> String {
    let harmless = |c: char| {
        !c.is_control() && !matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    if text.chars().all(harmless) {
        return text.to_string();
    }
    text.chars().map(|c| if harmless(c) { c.to_string() } else { c.escape_unicode().to_string() }).collect()
}

#[cfg(test)]
mod tests {
    use super::plain;

    #[test]
    fn nothing_of_an_input_steers_the_terminal() {
        assert_eq!(plain("a\u{1b}[2Jb\u{202e}c"), "a\\u{1b}[2Jb\\u{202e}c");
        assert_eq!(plain("Größe 円"), "Größe 円");
    }
}
