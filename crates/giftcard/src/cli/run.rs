//! From documents to answers: several at a time but told in their order, or one after the other where each may depend on
//! those before it; a bad one told and the rest gone on with. Must not know how an answer is found or drawn.

use std::io::IsTerminal;
use std::num::NonZero;
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use giftcard::input::InputErrorKind;
use giftcard::input::bounds::DOCUMENT_BYTES_MAX;
use giftcard::output::{ErrorBody, ErrorOutput, QuoteOutput, RefundOutput};
use giftcard::{DeskError, Till, TillError, file_problem};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use serde_json::Value;

use super::DocumentArguments;
use super::clock::now_ms;
use super::documents::{Documents, Found, Unusable};
use super::show::{self, Header, Row};
use super::terminal::{self, Failure, Terminal};

/// What is done with documents.
pub(crate) trait Work: Sync {
    type Answer: Serialize + Send;

    /// What stands above the rows of many answers.
    const HEADER: Header;

    /// Whether each is answered only once those before it are.
    const IN_ORDER: bool = false;

    /// Answers one.
    fn answer(&self, document: &str) -> Result<Self::Answer, Unanswered>;

    /// Whether a rule failed on the way to the answer.
    fn rule_failed(&self, answer: &Self::Answer) -> bool;

    /// The answer for people.
    fn show(&self, answer: &Self::Answer, wide: bool) -> String;

    /// The answer in a row, for many. None where every answer is to be shown in full.
    fn row(&self, answer: &Self::Answer) -> Option<Row>;
}

/// Why there is no answer.
#[derive(Debug)]
pub(crate) struct Unanswered {
    pub(crate) error: ErrorOutput,
    /// The exit code that it stands for.
    pub(crate) code: u8,
    /// What would be right instead: the new quote.
    pub(crate) quote: Option<Box<Value>>,
}

impl From<TillError> for Unanswered {
    fn from(error: TillError) -> Self {
        Self { code: terminal::exit_code(&error), error: error.output(None), quote: None }
    }
}

impl From<DeskError> for Unanswered {
    fn from(error: DeskError) -> Self {
        let (code, output) = (terminal::desk_exit_code(&error), error.output());
        let quote = match error {
            DeskError::Refused(refused) => refused.detail,
            _ => None,
        };
        Self { error: output, code, quote }
    }
}

impl From<giftcard::input::InputError> for Unanswered {
    fn from(error: giftcard::input::InputError) -> Self {
        Self::from(DeskError::from(error))
    }
}

pub(crate) struct Quotes<'a> {
    pub(crate) till: &'a Till,
    pub(crate) explain: bool,
}

impl Work for Quotes<'_> {
    type Answer = QuoteOutput;

    const HEADER: Header = show::QUOTE_HEADER;

    fn answer(&self, document: &str) -> Result<QuoteOutput, Unanswered> {
        Ok(self.till.quote(document, now_ms(), self.explain)?)
    }

    fn rule_failed(&self, answer: &QuoteOutput) -> bool {
        answer.has_failures()
    }

    fn show(&self, answer: &QuoteOutput, wide: bool) -> String {
        show::quote(answer, wide)
    }

    fn row(&self, answer: &QuoteOutput) -> Option<Row> {
        (!self.explain).then(|| show::quote_row(answer))
    }
}

pub(crate) struct Refunds<'a> {
    pub(crate) till: &'a Till,
    pub(crate) explain: bool,
}

impl Work for Refunds<'_> {
    type Answer = RefundOutput;

    const HEADER: Header = show::REFUND_HEADER;

    fn answer(&self, document: &str) -> Result<RefundOutput, Unanswered> {
        Ok(self.till.refund(document, self.explain)?)
    }

    fn rule_failed(&self, _: &RefundOutput) -> bool {
        false
    }

    fn show(&self, answer: &RefundOutput, wide: bool) -> String {
        show::refund(answer, wide)
    }

    fn row(&self, answer: &RefundOutput) -> Option<Row> {
        (!self.explain).then(|| show::refund_row(answer))
    }
}

/// How many there were.
#[derive(Default)]
struct Tally {
    answered: u64,
    refused: u64,
    /// No answer, because the rules failed.
    failed: u64,
    /// An answer, although a condition failed.
    condition_failed: u64,
}

impl Tally {
    fn count(&self) -> u64 {
        self.answered + self.refused + self.failed
    }

    fn exit_code(&self) -> u8 {
        match (self.refused, self.failed + self.condition_failed) {
            (0, 0) => terminal::DONE,
            (0, _) => terminal::RULE_FAILED,
            _ => terminal::REFUSED,
        }
    }
}

/// Answers every document of every file. The exit code.
pub(crate) fn documents<W: Work>(
    arguments: &DocumentArguments,
    work: &W,
    terminal: &mut Terminal,
) -> Result<u8, Failure> {
    let mut tally = Tally::default();
    for path in &arguments.files {
        let name = if path.as_os_str() == "-" { "standard input".to_string() } else { path.display().to_string() };
        match Documents::open(path, arguments.lines) {
            Ok(documents) => file(documents, &name, arguments, work, terminal, &mut tally)?,
            Err(error) => unreadable(&error, &name, arguments.json, terminal, &mut tally)?,
        }
    }
    Ok(tally.exit_code())
}

fn unreadable(
    error: &std::io::Error,
    name: &str,
    json: bool,
    terminal: &mut Terminal,
    tally: &mut Tally,
) -> Result<(), Failure> {
    tally.refused += 1;
    let message = file_problem(error);
    let error = ErrorBody { code: "file-unreadable".to_string(), path: None, message, line: None };
    terminal.error(&ErrorOutput { error }, Some(name), json)
}

fn file<W: Work>(
    mut documents: Documents,
    name: &str,
    arguments: &DocumentArguments,
    work: &W,
    terminal: &mut Terminal,
    tally: &mut Tally,
) -> Result<(), Failure> {
    let has_many = documents.has_many();
    let before = Tally { ..*tally };
    let mut summary = show::Summary::new(W::HEADER);
    let bar = bar(&documents, has_many && !(terminal.is_terminal() && arguments.json));
    loop {
        let chunk = match documents.chunk() {
            Ok(chunk) if chunk.is_empty() => break,
            Ok(chunk) => chunk,
            Err(error) => {
                bar.finish_and_clear();
                return unreadable(&error, name, arguments.json, terminal, tally);
            }
        };
        for (found, answer) in chunk.iter().zip(answers(work, &chunk)) {
            match answer {
                Ok(answer) => {
                    tally.answered += 1;
                    tally.condition_failed += u64::from(work.rule_failed(&answer));
                    let row = if has_many { work.row(&answer) } else { None };
                    match row {
                        _ if arguments.json => terminal.json(&answer)?,
                        Some(row) => summary.add(found.line, row),
                        None => bar.suspend(|| terminal.line(&work.show(&answer, terminal.is_terminal())))?,
                    }
                }
                Err(unanswered) => {
                    match unanswered.code {
                        terminal::RULE_FAILED => tally.failed += 1,
                        _ => tally.refused += 1,
                    }
                    bar.suspend(|| tell(unanswered, found.line, Some(name), arguments.json, terminal))?;
                }
            }
        }
        bar.set_position(documents.bytes_read());
        bar.set_message(format!("{} documents", tally.count() - before.count()));
        // Whoever sends one line and waits for its answer gets it.
        terminal.flush()?;
    }
    bar.finish_and_clear();
    if has_many && !arguments.json {
        let answered = tally.answered - before.answered;
        let (refused, failed) = (tally.refused - before.refused, tally.failed - before.failed);
        let rows = summary.show(answered, terminal.is_terminal());
        let failed = if failed > 0 { format!(", {failed} failed") } else { String::new() };
        terminal.line(&format!("{rows}{answered} answered, {refused} refused{failed}"))?;
    }
    // Each file's answers before the errors of the next.
    terminal.flush()
}

fn tell(
    unanswered: Unanswered,
    line: Option<u64>,
    name: Option<&str>,
    json: bool,
    terminal: &mut Terminal,
) -> Result<(), Failure> {
    let error = ErrorOutput { error: ErrorBody { line, ..unanswered.error.error } };
    match (unanswered.quote, json) {
        (Some(quote), true) => {
            terminal.json(&serde_json::json!({ "error": error.error, "quote": quote }))?;
            terminal.error(&error, name, false)
        }
        _ => terminal.error(&error, name, json),
    }
}

/// Answers one document that is in no file. The exit code.
pub(crate) fn single<W: Work>(document: String, json: bool, work: &W, terminal: &mut Terminal) -> Result<u8, Failure> {
    match answer(work, &Found { line: None, text: Ok(document) }) {
        Ok(found) => {
            match json {
                true => terminal.json(&found)?,
                false => terminal.line(work.show(&found, terminal.is_terminal()).trim_end())?,
            }
            Ok(if work.rule_failed(&found) { terminal::RULE_FAILED } else { terminal::DONE })
        }
        Err(unanswered) => {
            let code = unanswered.code;
            tell(unanswered, None, None, json, terminal)?;
            Ok(code)
        }
    }
}

type Answered<W> = Result<<W as Work>::Answer, Unanswered>;

/// The answers to all documents of a chunk, in their order, worked out on all cores where their order does not matter.
fn answers<W: Work>(work: &W, chunk: &[Found]) -> Vec<Answered<W>> {
    let cores = thread::available_parallelism().map_or(1, NonZero::get).min(chunk.len());
    if cores <= 1 || W::IN_ORDER {
        return chunk.iter().map(|found| answer(work, found)).collect();
    }
    let next = AtomicUsize::new(0);
    let claim = || {
        let index = next.fetch_add(1, Ordering::Relaxed);
        chunk.get(index).map(|found| (index, found))
    };
    let take = || {
        let mut answered = Vec::new();
        while let Some((index, found)) = claim() {
            answered.push((index, answer(work, found)));
        }
        answered
    };
    let mut answered: Vec<(usize, Answered<W>)> = thread::scope(|scope| {
        let threads: Vec<_> = (0..cores).map(|_| scope.spawn(take)).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap_or_else(|panic| resume_unwind(panic))).collect()
    });
    answered.sort_unstable_by_key(|(index, _)| *index);
    answered.into_iter().map(|(_, answer)| answer).collect()
}

fn answer<W: Work>(work: &W, found: &Found) -> Answered<W> {
    let refused = |code: &str, message: String| {
        let error = ErrorBody { code: code.to_string(), path: None, message, line: None };
        Err(Unanswered { error: ErrorOutput { error }, code: terminal::REFUSED, quote: None })
    };
    let text = match &found.text {
        Ok(text) => text,
        Err(Unusable::NotText) => return refused("malformed-json", "is not UTF-8 text".to_string()),
        Err(Unusable::TooLarge) => {
            let what = if found.line.is_some() { "is a line of" } else { "has" };
            let rest = if found.line.is_some() { "; what comes after it was not read" } else { "" };
            let message =
                format!("{what} more than {DOCUMENT_BYTES_MAX} bytes, which is the most for one document{rest}");
            return refused(InputErrorKind::TooLarge.code(), message);
        }
    };
    work.answer(text).map_err(|mut unanswered| {
        let error = &mut unanswered.error.error;
        if error.code == InputErrorKind::MalformedJson.code() && found.may_have_lines() {
            error.message.push_str("; if every line is a document of its own, add `--lines`");
        }
        unanswered
    })
}

/// A progress bar in bytes on standard error, if that is a terminal and there are many documents.
fn bar(documents: &Documents, wanted: bool) -> ProgressBar {
    if !wanted || !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let (bar, template) = match documents.bytes_total() {
        Some(total) => (ProgressBar::new(total), "{bar:40} {percent}% {msg}, {eta} left"),
        None => (ProgressBar::no_length(), "{spinner} {msg}, {bytes}, {elapsed}"),
    };
    bar.with_style(ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::sync::Mutex;
    use std::thread::ThreadId;
    use std::time::Duration;

    use super::*;

    /// Answers a document with itself, the earlier ones more slowly.
    #[derive(Default)]
    struct Echo(Mutex<HashSet<ThreadId>>);

    impl Work for Echo {
        type Answer = String;

        const HEADER: Header = show::QUOTE_HEADER;

        fn answer(&self, document: &str) -> Result<String, Unanswered> {
            self.0.lock().unwrap().insert(thread::current().id());
            thread::sleep(Duration::from_millis(if document.len() == 1 { 20 } else { 1 }));
            Ok(document.to_string())
        }

        fn rule_failed(&self, _: &String) -> bool {
            false
        }

        fn show(&self, answer: &String, _: bool) -> String {
            answer.clone()
        }

        fn row(&self, _: &String) -> Option<Row> {
            None
        }
    }

    #[test]
    fn a_chunk_is_answered_on_all_cores_and_in_order() {
        let text = |number: u32| Found { line: None, text: Ok(number.to_string()) };
        let echo = Echo::default();
        let found = answers(&echo, &(0..64).map(text).collect::<Vec<_>>());
        let found: Vec<String> = found.into_iter().map(|answer| answer.unwrap()).collect();
        assert_eq!(found, (0..64).map(|number| number.to_string()).collect::<Vec<_>>());
        let cores = thread::available_parallelism().map_or(1, NonZero::get);
        assert_eq!(echo.0.into_inner().unwrap().len(), cores.min(64));
        // One is not worth a thread.
        let echo = Echo::default();
        assert_eq!(answers(&echo, &[text(1)]).len(), 1);
        assert_eq!(echo.0.into_inner().unwrap(), HashSet::from([thread::current().id()]));
    }
}
