//! What an operation did, as people read it. Must not print.

use giftcard::output::AccountLineOutput;
pub(crate) use giftcard::output::ReceiptOutput as Done;

use super::show::{Header, Row, table};
use super::terminal::plain;

/// What stands above the rows of receipts, and which columns are amounts.
pub(crate) const HEADER: Header =
    Header { names: &["line", "order", "operation", "cards", "due", "currency", "hold"], amounts: &[0, 3, 4] };

/// A receipt.
pub(crate) fn show(receipt: &Done, wide: bool) -> String {
    let mut text = format!("{} {} at {}", plain(&receipt.kind), plain(&receipt.operation), receipt.at);
    if let Some(order) = &receipt.order {
        text.push_str(&format!(", order {}", plain(order)));
    }
    if receipt.repeated {
        text.push_str(" (done before; this is the first answer again)");
    }
    text.push('\n');
    if !receipt.accounts.is_empty() {
        text.push_str(&accounts(&receipt.accounts, wide));
    }
    let currency = receipt.currency.as_deref().unwrap_or_default();
    if let Some(applied) = &receipt.applied {
        let what = match receipt.kind.as_str() {
            "hold" => "Held",
            "capture" => "Captured",
            "refund" => "Back to cards",
            _ => "Cards pay",
        };
        text.push_str(&format!("{what}: {applied} {currency}"));
        if let Some(due) = &receipt.due {
            let what = if receipt.kind == "refund" { "back to other payment methods" } else { "due" };
            text.push_str(&format!("; {what}: {due} {currency}"));
        }
        if let Some(required) = receipt.payment_required {
            text.push_str(&format!("; payment required: {}", if required { "yes" } else { "no" }));
        }
        text.push('\n');
    }
    if let Some(hold) = &receipt.hold {
        let state = receipt.hold_state.map(|state| format!(" is {state}")).unwrap_or_default();
        text.push_str(&format!("Hold {}{state}", plain(hold)));
        if let Some(remaining) = &receipt.remaining {
            text.push_str(&format!(", {remaining} {currency} of it left"));
        }
        if let Some(end) = &receipt.ends_at {
            text.push_str(&format!(", until {end}"));
        }
        text.push('\n');
    }
    for refused in &receipt.refused {
        text.push_str(&format!(
            "{} does not pay: {} ({})\n",
            plain(&refused.id),
            plain(&refused.message),
            plain(&refused.code)
        ));
    }
    for card in &receipt.new_cards {
        text.push_str(&format!("New card {}: code {}\n", plain(&card.id), plain(card.code.reveal())));
    }
    text
}

/// A receipt in a row.
pub(crate) fn row(receipt: &Done) -> Row {
    Row::new(vec![
        receipt.order.as_deref().map(plain).unwrap_or_default(),
        plain(&receipt.operation),
        receipt.applied.clone().unwrap_or_default(),
        receipt.due.clone().unwrap_or_default(),
        receipt.currency.clone().unwrap_or_default(),
        receipt.hold.as_deref().map(plain).unwrap_or_default(),
    ])
}

fn accounts(lines: &[AccountLineOutput], wide: bool) -> String {
    let header = ["card", "kind", "change", "of the order", "balance", "held", "currency", "state"];
    let mut accounts = table(&header, &[2, 3, 4, 5], wide);
    for line in lines {
        accounts.add_row([
            plain(&line.id),
            if line.kind == "credit" { "store credit" } else { "gift card" }.to_string(),
            line.amount.clone(),
            line.applied.clone().unwrap_or_default(),
            line.balance.clone(),
            line.held.clone(),
            line.currency.clone(),
            line.status.clone(),
        ]);
    }
    format!("{accounts}\n")
}
