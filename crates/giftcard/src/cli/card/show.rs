//! Cards as people read them. Must not print.

use giftcard::output::{
    AccountEntryOutput, AccountOutput, BalanceOutput, CardDetailsOutput, CardState, IssuedCardOutput, IssuedOutput,
    PageOutput, TransferredOutput,
};

use crate::cli::naming::more;
use crate::cli::show::{fields, table};
use crate::cli::terminal::plain;

/// The end of a card, as a day where it is one.
fn end(at: &Option<String>, on: &Option<String>) -> String {
    on.clone().or_else(|| at.clone()).unwrap_or_default()
}

/// A card with its holds.
pub(crate) fn card(card: &CardDetailsOutput, wide: bool) -> String {
    let account = &card.account;
    let or_none = |text: &Option<String>| text.as_deref().map(plain).unwrap_or_default();
    let amount = |amount: &str| format!("{amount} {}", account.currency);
    let programme = match (&account.programme, &card.programme_name) {
        (Some(code_name), Some(name)) => format!("{} ({})", plain(code_name), plain(name)),
        (code_name, _) => or_none(code_name),
    };
    let mut text = fields(&[
        (if account.kind == "card" { "card" } else { "store credit" }, account.id.clone()),
        ("code", account.hint.as_ref().map(|hint| format!("...{}", plain(hint))).unwrap_or_default()),
        ("to deliver", if card.to_deliver { "yes, the code is kept sealed" } else { "" }.to_string()),
        ("state", account.state.name().to_string()),
        ("site", plain(&account.site)),
        ("programme", programme),
        ("customer", or_none(&account.customer)),
        ("balance", amount(&account.balance)),
        ("held", if card.holds.is_empty() { String::new() } else { amount(&account.held) }),
        ("available", amount(&account.available)),
        ("issued with", account.initial.as_deref().map(amount).unwrap_or_default()),
        ("issued at", account.issued_at.clone()),
        ("ends", end(&account.expires_at, &account.expires_on)),
        ("bought by", or_none(&account.bought_by)),
        ("replaced by", or_none(&account.replaced_by)),
        ("entries", account.entries.to_string()),
    ]);
    if !card.holds.is_empty() {
        let mut holds = table(&["hold", "order", "amount", "until"], &[2], wide);
        for hold in &card.holds {
            holds.add_row([hold.hold.clone(), plain(&hold.order), hold.amount.clone(), hold.ends_at.clone()]);
        }
        text.push_str(&format!("{holds}\n"));
    }
    text
}

/// What the public is told.
pub(crate) fn balance(balance: &BalanceOutput) -> String {
    fields(&[
        ("available", format!("{} {}", balance.available, balance.currency)),
        ("ends", end(&balance.expires_at, &balance.expires_on)),
        ("valid from", balance.valid_from.clone().unwrap_or_default()),
    ])
}

fn cards(cards: &[IssuedCardOutput], wide: bool) -> String {
    let mut rows = table(&["card", "code", "value", "currency", "state", "ends"], &[2], wide);
    for card in cards {
        let code = match (&card.code, &card.hint) {
            (Some(code), _) => plain(code.reveal()),
            (None, Some(hint)) => format!("...{} (shown once)", plain(hint)),
            (None, None) => "(shown once)".to_string(),
        };
        let ends = end(&card.expires_at, &card.expires_on);
        let (value, currency) = (card.value.clone(), card.currency.clone());
        rows.add_row([card.id.clone(), code, value, currency, card.status.clone(), ends]);
    }
    format!("{rows}\n")
}

/// New cards.
pub(crate) fn issued(issued: &IssuedOutput, wide: bool) -> String {
    let again = if issued.repeated { "Issued before, by the same operation.\n" } else { "" };
    format!("{again}{}", cards(&issued.cards, wide))
}

/// A new card for an old one.
pub(crate) fn transferred(moved: &TransferredOutput, wide: bool) -> String {
    let again = if moved.repeated { " before, by the same operation" } else { "" };
    let new = cards(std::slice::from_ref(&moved.to), wide);
    format!("Card {} was closed{again}; its balance is on the new one.\n{new}", moved.from)
}

/// A page of cards, or of store credit.
pub(crate) fn accounts(page: &PageOutput<AccountOutput>, wide: bool) -> String {
    let Some(first) = page.items.first() else {
        let none = "None that fit.\n".to_string();
        return none + &more(&page.next);
    };
    let is_card = first.kind == "card";
    let mut text = match is_card {
        true => {
            let header = ["card", "code", "programme", "customer", "state", "balance", "held", "currency", "ends"];
            let mut rows = table(&header, &[5, 6], wide);
            for card in &page.items {
                rows.add_row([
                    card.id.clone(),
                    card.hint.as_ref().map(|hint| format!("...{}", plain(hint))).unwrap_or_default(),
                    card.programme.as_deref().map(plain).unwrap_or_default(),
                    card.customer.as_deref().map(plain).unwrap_or_default(),
                    card.state.name().to_string(),
                    card.balance.clone(),
                    card.held.clone(),
                    card.currency.clone(),
                    end(&card.expires_at, &card.expires_on),
                ]);
            }
            format!("{rows}\n")
        }
        false => credits(&page.items, wide),
    };
    text.push_str(&more(&page.next));
    text
}

/// Store credit.
pub(crate) fn credits(credits: &[AccountOutput], wide: bool) -> String {
    let mut rows = table(&["store credit", "customer", "balance", "held", "currency", "state"], &[2, 3], wide);
    for credit in credits {
        // Credit that is spent is there all the same.
        let state = if credit.state == CardState::Exhausted { CardState::Active } else { credit.state };
        rows.add_row([
            credit.id.clone(),
            credit.customer.as_deref().map(plain).unwrap_or_default(),
            credit.balance.clone(),
            credit.held.clone(),
            credit.currency.clone(),
            state.name().to_string(),
        ]);
    }
    format!("{rows}\n")
}

/// Entries of a card.
pub(crate) fn history(page: &PageOutput<AccountEntryOutput>, wide: bool) -> String {
    if page.items.is_empty() {
        return "No more entries.\n".to_string();
    }
    let header = ["", "at", "what", "change", "balance", "held", "state", "order", "by", "why"];
    let mut rows = table(&header, &[0, 3, 4, 5], wide);
    for entry in &page.items {
        let or_none = |text: &Option<String>| text.as_deref().map(plain).unwrap_or_default();
        rows.add_row([
            entry.number.to_string(),
            entry.at.clone(),
            entry.kind.clone(),
            entry.amount.clone(),
            entry.balance.clone(),
            entry.held.clone(),
            entry.status.clone(),
            or_none(&entry.order),
            or_none(&entry.actor),
            or_none(&entry.reason),
        ]);
    }
    format!("{rows}\n{}", more(&page.next))
}
