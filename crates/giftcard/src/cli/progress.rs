//! How far something long has come, on standard error where people look at it. Must not know what it is.

use std::io::IsTerminal;

use indicatif::{ProgressBar, ProgressStyle};

/// A bar, or a counter until its length is known. Nothing where standard error is no terminal.
pub(crate) fn bar() -> ProgressBar {
    match std::io::stderr().is_terminal() {
        true => ProgressBar::no_length().with_style(style(COUNTER)),
        false => ProgressBar::hidden(),
    }
}

const COUNTER: &str = "{spinner} {msg} {human_pos}, {elapsed}";
const BAR: &str = "{msg:11} {bar:40} {percent}%, {eta} left";

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

/// Moves the bar: so much of a stage is done, out of so much if that is known.
pub(crate) fn set(bar: &ProgressBar, stage: &'static str, done: u64, total: Option<u64>) {
    if bar.is_hidden() {
        return;
    }
    if bar.message() != stage {
        bar.set_message(stage);
        bar.set_style(style(if total.is_some() { BAR } else { COUNTER }));
        bar.reset_eta();
    }
    match total {
        Some(total) => bar.set_length(total),
        None => bar.unset_length(),
    }
    bar.set_position(done);
}
