//! Answers as people read them: a table for each, or a row for each of many. Must not print.

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};
use giftcard::output::{
    CardOutcomeOutput, CardOutput, QuoteOutput, RefundOutput, RefundShareOutput, RefundStepOutput, RulesOutput,
    StepOutput, TenderOutput, TreatmentOutput,
};

use super::terminal::plain;

/// Rows of a summary; the rest is only counted.
const ROWS_MAX: usize = 50;

/// A table; as wide as the terminal if there is one.
pub(crate) fn table(header: &[&str], amounts: &[usize], wide: bool) -> Table {
    let mut table = Table::new();
    table.load_style(presets::UTF8_FULL_CONDENSED).set_header(header.to_vec());
    if wide {
        table.set_content_arrangement(ContentArrangement::Dynamic);
    }
    for &column in amounts {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

/// Names and values, one a line; without those that are empty.
pub(crate) fn fields(fields: &[(&str, String)]) -> String {
    let width = fields.iter().map(|(name, _)| name.len()).max().unwrap_or(0) + 2;
    let told = fields.iter().filter(|(_, value)| !value.is_empty());
    told.map(|(name, value)| format!("{name:<width$}{value}\n")).collect()
}

/// A quote.
pub(crate) fn quote(quote: &QuoteOutput, wide: bool) -> String {
    let currency = &quote.currency;
    let mut text = match &quote.order {
        Some(id) => format!("Order {}: {} {currency}", plain(id), quote.total.0),
        None => format!("Order of {} {currency}", quote.total.0),
    };
    if quote.paid.0.bytes().any(|byte| byte.is_ascii_digit() && byte != b'0') {
        text.push_str(&format!(", {} {currency} paid already", quote.paid.0));
    }
    text.push('\n');
    let mut cards = table(&["card", "outcome", "applied", "taken", "left"], &[2, 3, 4], wide);
    for card in &quote.cards {
        let own = |amount: &str| match card.currency == *currency {
            true => amount.to_string(),
            false => format!("{amount} {}", card.currency),
        };
        let left = match card.not_spendable_here {
            true => format!("{}\nworth nothing here", own(&card.left.0)),
            false => own(&card.left.0),
        };
        cards.add_row([plain(&card.id), outcome(card), card.applied.0.clone(), own(&card.taken.0), left]);
    }
    if !quote.cards.is_empty() {
        text.push_str(&format!("{cards}\n"));
    }
    let had_a_turn =
        |card: &&CardOutput| matches!(card.outcome, CardOutcomeOutput::Used | CardOutcomeOutput::NotNeeded);
    let entered = quote.cards.iter().filter(had_a_turn).map(|card| &card.id);
    if !entered.eq(&quote.order_of_use) {
        let ids: Vec<String> = quote.order_of_use.iter().map(|id| plain(id)).collect();
        text.push_str(&format!("Order of use: {}\n", ids.join(", ")));
    }
    let required = if quote.payment_required { "yes" } else { "no" };
    text.push_str(&format!(
        "Cards pay {} {currency}; due: {} {currency}; payment required: {required}\n",
        quote.applied.0, quote.due.0
    ));
    for condition in &quote.conditions {
        if let Some(failure) = &condition.failure {
            let treatment = match failure.treatment {
                TreatmentOutput::Refused => "its cards are refused",
                TreatmentOutput::Ignored => "it is passed over",
                TreatmentOutput::Previous => "the previous version decides",
            };
            let cards: Vec<String> = condition.cards.iter().map(|id| plain(id)).collect();
            let message = plain(&failure.message);
            text.push_str(&format!("A condition failed for {}: {message}; {treatment}\n", cards.join(", ")));
        }
    }
    if let Some(found) = &quote.steps {
        text.push_str(&steps(found, wide));
        text.push_str(&rules(&quote.rules));
    }
    text
}

fn outcome(card: &CardOutput) -> String {
    match card.outcome {
        CardOutcomeOutput::Used => "used".to_string(),
        CardOutcomeOutput::NotNeeded => "not needed".to_string(),
        CardOutcomeOutput::Repeated => format!("same card as {}", plain(card.repeats.as_deref().unwrap_or_default())),
        CardOutcomeOutput::Refused => {
            let by = card.by.as_ref().map(|plugin| format!(" ({})", plain(plugin))).unwrap_or_default();
            let message = plain(card.message.as_deref().unwrap_or_default());
            format!("refused: {message}\n{}{by}", plain(card.code.as_deref().unwrap_or_default()))
        }
    }
}

fn steps(steps: &[StepOutput], wide: bool) -> String {
    let mut checks = table(&["card", "by", "check", "seen", "needed", "passed"], &[], wide);
    for step in steps {
        checks.add_row([
            plain(step.card.as_deref().unwrap_or("order")),
            plain(step.by.as_deref().unwrap_or("rules")),
            plain(&step.check),
            plain(&step.seen),
            plain(&step.needed),
            if step.passed { "yes" } else { "no" }.to_string(),
        ]);
    }
    if steps.is_empty() { "Nothing was checked.\n".to_string() } else { format!("{checks}\n") }
}

fn refund_steps(steps: &[RefundStepOutput], wide: bool) -> String {
    let mut found = table(&["tender", "check", "seen", "needed", "passed"], &[], wide);
    for step in steps {
        found.add_row([
            plain(step.tender.as_deref().unwrap_or("refund")),
            plain(&step.check),
            plain(&step.seen),
            plain(&step.needed),
            if step.passed { "yes" } else { "no" }.to_string(),
        ]);
    }
    if steps.is_empty() { "The rules explain nothing.\n".to_string() } else { format!("{found}\n") }
}

fn rules(rules: &RulesOutput) -> String {
    let mut text = String::new();
    for call in &rules.calls {
        let digest = call.digest.get(..12).unwrap_or(&call.digest);
        text.push_str(&format!(
            "{} {} (sha256:{digest}) {}{}: {} fuel\n",
            plain(&call.component),
            plain(&call.version),
            call.function,
            if call.explain { ", explaining" } else { "" },
            call.fuel
        ));
        for line in &call.log {
            text.push_str(&format!("  log: {}\n", plain(line)));
        }
    }
    text
}

/// A refund.
pub(crate) fn refund(refund: &RefundOutput, wide: bool) -> String {
    let currency = &refund.currency;
    let mut shares = table(&["tender", "kind", "goes back", "in its currency", "still refundable"], &[2, 3, 4], wide);
    for share in &refund.shares {
        shares.add_row([
            plain(&share.id),
            match share.tender {
                TenderOutput::Card => "gift card",
                TenderOutput::Other => "other",
            }
            .to_string(),
            share.applied.0.clone(),
            format!("{} {}", share.taken.0, share.currency),
            share.refundable.0.clone(),
        ]);
    }
    let mut text = format!("Refund of {} {currency}\n{shares}\n", refund.amount.0);
    if let Some(found) = &refund.steps {
        text.push_str(&refund_steps(found, wide));
        text.push_str(&rules(&refund.rules));
    }
    text
}

/// One of many answers.
pub(crate) struct Row(Vec<String>);

impl Row {
    /// The cells after the line.
    pub(crate) fn new(cells: Vec<String>) -> Self {
        Self(cells)
    }
}

/// What stands above the rows of quotes, and which columns are amounts.
pub(crate) const QUOTE_HEADER: Header =
    Header { names: &["line", "order", "total", "cards pay", "due", "currency", "cards"], amounts: &[0, 2, 3, 4] };

/// What stands above the rows of refunds, and which columns are amounts.
pub(crate) const REFUND_HEADER: Header = Header { names: &["line", "amount", "currency", "goes to"], amounts: &[0, 1] };

/// The columns of many answers; the line comes first.
#[derive(Clone, Copy)]
pub(crate) struct Header {
    pub(crate) names: &'static [&'static str],
    pub(crate) amounts: &'static [usize],
}

/// A quote in a row.
pub(crate) fn quote_row(quote: &QuoteOutput) -> Row {
    let count = |outcome: CardOutcomeOutput| quote.cards.iter().filter(|card| card.outcome == outcome).count();
    let counts = [
        (count(CardOutcomeOutput::Used), "used"),
        (count(CardOutcomeOutput::NotNeeded), "not needed"),
        (count(CardOutcomeOutput::Refused), "refused"),
        (count(CardOutcomeOutput::Repeated), "repeated"),
    ];
    let mut notes: Vec<String> =
        counts.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}")).collect();
    if quote.has_failures() {
        notes.push("a condition failed".to_string());
    }
    Row(vec![
        quote.order.as_deref().map(plain).unwrap_or_default(),
        quote.total.0.clone(),
        quote.applied.0.clone(),
        quote.due.0.clone(),
        quote.currency.clone(),
        notes.join(", "),
    ])
}

/// A refund in a row.
pub(crate) fn refund_row(refund: &RefundOutput) -> Row {
    let something = |share: &&RefundShareOutput| share.applied.0.bytes().any(|byte| matches!(byte, b'1'..=b'9'));
    let shares = refund.shares.iter().filter(something);
    let shares: Vec<String> = shares.map(|share| format!("{} {}", plain(&share.id), share.applied.0)).collect();
    Row(vec![refund.amount.0.clone(), refund.currency.clone(), shares.join(", ")])
}

/// The rows of one file.
pub(crate) struct Summary {
    header: Header,
    rows: Vec<(Option<u64>, Row)>,
}

impl Summary {
    pub(crate) fn new(header: Header) -> Self {
        Self { header, rows: Vec::new() }
    }

    pub(crate) fn add(&mut self, line: Option<u64>, row: Row) {
        // Past the last row only their number matters, and that is counted elsewhere.
        if self.rows.len() < ROWS_MAX {
            self.rows.push((line, row));
        }
    }

    /// The first rows, and how many more there are.
    pub(crate) fn show(&self, answered: u64, wide: bool) -> String {
        let mut text = String::new();
        if !self.rows.is_empty() {
            let mut lines = table(self.header.names, self.header.amounts, wide);
            for (line, Row(cells)) in &self.rows {
                let line = line.map(|line| line.to_string()).unwrap_or_default();
                lines.add_row(std::iter::once(line).chain(cells.iter().cloned()));
            }
            text.push_str(&format!("{lines}\n"));
            let more = answered.saturating_sub(self.rows.len() as u64);
            if more > 0 {
                text.push_str(&format!("and {more} more; `--json` prints every one\n"));
            }
        }
        text
    }
}
