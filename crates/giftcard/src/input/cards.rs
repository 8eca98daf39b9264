//! The cards entered for an order. Must not show a code, nor know which card may pay.

use giftcard_engine::card::{CardSnapshot, Status};
use giftcard_engine::code::normalise;
use giftcard_engine::moment::InstantMs;
use giftcard_engine::order::Order;
use giftcard_engine::programme::{MANUAL, Site};

use super::leaf::named;
use super::order::optional;
use super::shape::{CardInput, StatusInput};
use super::time::Zone;
use super::{InputError, InputErrorKind, Within};

pub(super) fn cards(
    inputs: &[CardInput],
    order: &Order,
    site: &Site,
    zone: &Zone,
    now: InstantMs,
) -> Result<Vec<CardSnapshot>, InputError> {
    let convert = |(index, input)| card(input, index, order, site, zone, now).within_item(index);
    inputs.iter().enumerate().map(convert).collect()
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
        Some(currency) => currency.currency().within("currency")?,
        None => order.currency,
    };
    if input.code.as_ref().is_some_and(|code| normalise(code.reveal()).is_empty()) {
        let problem = "is empty; leave it out where only the id is known";
        return Err(InputError::at(InputErrorKind::InvalidValue, "code", problem));
    }
    let use_at_most = optional(&input.use_at_most, order.currency).within("use_at_most")?;
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
        id: input.id.clone().unwrap_or_else(|| format!("card-{}", index + 1)),
        code: input.code.as_ref().map(|code| code.reveal().to_string()),
        site: input.site.clone().unwrap_or_else(|| site.id.clone()),
        programme: input.programme.clone().unwrap_or_else(|| MANUAL.to_string()),
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
        use_at_most,
        attributes: named(&input.attributes).within("attributes")?,
    })
}
