//! The cards entered for an order. Must not show a code, nor know which card may pay.

use std::collections::BTreeMap;

use giftcard_engine::card::{CardSnapshot, Status};
use giftcard_engine::code::normalise;
use giftcard_engine::moment::InstantMs;
use giftcard_engine::order::Order;
use giftcard_engine::programme::{MANUAL, Site};

use super::leaf::{DayOrInstant, named};
use super::order::{optional, text};
use super::shape::{CardInput, StatusInput};
use super::time::Zone;
use super::{InputError, InputErrorKind, Within};
use crate::json::excerpt;

pub(super) fn cards(
    inputs: &[CardInput],
    order: &Order,
    site: &Site,
    zone: &Zone,
    now: InstantMs,
) -> Result<Vec<CardSnapshot>, InputError> {
    let convert = |(index, input)| card(input, index, order, site, zone, now).within_item(index);
    let cards: Vec<CardSnapshot> = inputs.iter().enumerate().map(convert).collect::<Result<_, _>>()?;
    let codes: Vec<Option<String>> = cards.iter().map(|card| card.code.as_deref().map(normalise)).collect();
    check_secrecy(inputs, &cards, &codes)?;
    if cards.len() > 1 {
        check_ids(inputs, &cards, &codes)?;
        check_repeated(&cards, codes)?;
    }
    Ok(cards)
}

fn refuse(index: usize, problem: String) -> Result<(), InputError> {
    Err(InputError::at(InputErrorKind::Inconsistent, "id", problem)).within_item(index)
}

/// No id is a code: answers show it.
fn check_secrecy(inputs: &[CardInput], cards: &[CardSnapshot], codes: &[Option<String>]) -> Result<(), InputError> {
    for (index, (card, code)) in cards.iter().zip(codes).enumerate() {
        if inputs[index].id.is_some() && code.as_ref().is_some_and(|code| *code == normalise(&card.id)) {
            let problem = "is the card's code, and answers show the id; call the card something else";
            return refuse(index, problem.to_string());
        }
    }
    Ok(())
}

/// An id stands for one card.
fn check_ids(inputs: &[CardInput], cards: &[CardSnapshot], codes: &[Option<String>]) -> Result<(), InputError> {
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    for (index, card) in cards.iter().enumerate() {
        let Some(earlier) = seen.insert(&card.id, index) else { continue };
        let id = excerpt(&card.id);
        if let Some(&nameless) = [earlier, index].iter().find(|&&place| inputs[place].id.is_none()) {
            let named = if nameless == index { earlier } else { index };
            let problem = format!(
                "is missing, and the name that cards[{nameless}] would get, `{id}`, is that of cards[{named}]; give \
                 every card an id"
            );
            return refuse(nameless, problem);
        }
        if codes[index].is_none() || codes[index] != codes[earlier] {
            let problem = format!(
                "`{id}` was given before, as cards[{earlier}]; two entries are one card only where both have the same \
                 code"
            );
            return refuse(index, problem);
        }
    }
    Ok(())
}

/// Two entries of one code are one card, which cannot have two limits.
fn check_repeated(cards: &[CardSnapshot], codes: Vec<Option<String>>) -> Result<(), InputError> {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for (index, code) in codes.into_iter().enumerate() {
        let Some(code) = code else { continue };
        let earlier = *seen.entry(code).or_insert(index);
        if cards[earlier].use_at_most != cards[index].use_at_most {
            let problem = format!("the same card was entered as cards[{earlier}] with another limit");
            return Err(InputError::at(InputErrorKind::Inconsistent, "use_at_most", problem)).within_item(index);
        }
    }
    Ok(())
}

fn card(
    input: &CardInput,
    index: usize,
    order: &Order,
    site: &Site,
    zone: &Zone,
    now: InstantMs,
) -> Result<CardSnapshot, InputError> {
    let currency = match &input.currency {
        Some(currency) => currency.likely(order.currency).within("currency")?,
        None => order.currency,
    };
    if input.code.as_ref().is_some_and(|code| normalise(code.reveal()).is_empty()) {
        let problem = "is empty; leave it out where only the id is known";
        return Err(InputError::at(InputErrorKind::InvalidValue, "code", problem));
    }
    let use_at_most =
        input.use_at_most.as_ref().map(|limit| limit.minor(order.currency)).transpose().within("use_at_most")?;
    if use_at_most.is_some_and(|limit| limit.is_zero()) {
        let problem = "is nothing; leave out a card that must not pay";
        return Err(InputError::at(InputErrorKind::InvalidAmount, "use_at_most", problem));
    }
    let balance = input.balance.minor(currency).within("balance")?;
    let held = optional(&input.held, currency).within("held")?.unwrap_or_default();
    if held > balance {
        let problem = format!("{} is more than the balance of {}", currency.format(held), currency.format(balance));
        return Err(InputError::at(InputErrorKind::Inconsistent, "held", problem));
    }
    Ok(CardSnapshot {
        id: text(input.id.clone()).unwrap_or_else(|| format!("card-{}", index + 1)),
        code: input.code.as_ref().map(|code| code.reveal().to_string()),
        site: text(input.site.clone()).unwrap_or_else(|| site.id.clone()),
        programme: text(input.programme.clone()).unwrap_or_else(|| MANUAL.to_string()),
        currency,
        status: match input.status {
            StatusInput::Pending => Status::Pending,
            StatusInput::Active => Status::Active,
            StatusInput::Disabled => Status::Disabled,
            StatusInput::Closed => Status::Closed,
        },
        balance,
        held,
        initial: optional(&input.initial, currency).within("initial")?.unwrap_or(balance),
        issued_at: match &input.issued_at {
            Some(moment) => moment.begin(zone).within("issued_at")?,
            None => now,
        },
        expires_at: match &input.expires_at {
            Some(moment) => Some(moment.end(zone).within("expires_at")?),
            None => None,
        },
        expires_on: input.expires_at.as_ref().and_then(DayOrInstant::on),
        use_at_most,
        attributes: named(&input.attributes).within("attributes")?,
    })
}
