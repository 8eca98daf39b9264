//! The shop an order is placed on. Must not know cards.

use giftcard_engine::Currency;
use giftcard_engine::programme::{CARDS_MAX_DEFAULT, Rate, Site};
use giftcard_engine::redemption::OrderOfUse;

use super::leaf::RateText;
use super::shape::{OrderOfUseInput, QuoteInput, RateInput, SiteInput};
use super::time::Zone;
use super::{InputError, InputErrorKind, Within, each};
use crate::json::excerpt;

/// The site's id where nothing names one.
const MAIN: &str = "main";

pub(super) fn site(input: &QuoteInput, order_currency: Currency) -> Result<(Site, Zone), InputError> {
    let none = SiteInput::default();
    site_of(input.site.as_ref().unwrap_or(&none), input.order.site.as_deref(), order_currency)
}

/// A site by itself. `name` and `order_currency` stand in for what it leaves out.
pub(super) fn site_of(
    given: &SiteInput,
    name: Option<&str>,
    order_currency: Currency,
) -> Result<(Site, Zone), InputError> {
    let currency = match &given.currency {
        Some(currency) => currency.currency().within("currency")?,
        None => order_currency,
    };
    let zone = match given.time_zone.as_deref() {
        None => Zone::UTC,
        Some(name) => Zone::named(name).ok_or_else(|| {
            let problem =
                format!("`{}` is not a zone of the IANA database; write one such as `Europe/Berlin`", excerpt(name));
            InputError::at(InputErrorKind::InvalidValue, "time_zone", problem)
        })?,
    };
    let site = Site {
        id: given.id.as_deref().or(name).unwrap_or(MAIN).to_string(),
        currency,
        order_of_use: given.order_of_use.map_or(OrderOfUse::AsEntered, OrderOfUseInput::policy),
        cards_max: given.cards_max.map_or(CARDS_MAX_DEFAULT, |count| count.0),
        rates: rates(&given.rates).within("rates")?,
    };
    Ok((site, zone))
}

impl OrderOfUseInput {
    fn policy(self) -> OrderOfUse {
        match self {
            Self::AsEntered => OrderOfUse::AsEntered,
            Self::SoonestExpiry => OrderOfUse::SoonestExpiry,
            Self::SmallestBalance => OrderOfUse::SmallestBalance,
            Self::OldestFirst => OrderOfUse::OldestFirst,
        }
    }
}

fn rates(rates: &[RateInput]) -> Result<Vec<Rate>, InputError> {
    let converted = each(rates, rate)?;
    for (index, rate) in converted.iter().enumerate() {
        let earlier = converted[..index].iter().position(|other| other.from == rate.from && other.to == rate.to);
        if let Some(earlier) = earlier {
            let problem = format!("a rate from {} to {} was given before, as rates[{earlier}]", rate.from, rate.to);
            return Err(InputError::here(InputErrorKind::Inconsistent, problem)).within_item(index);
        }
    }
    Ok(converted)
}

fn rate(input: &RateInput) -> Result<Rate, InputError> {
    let from = input.from.currency().within("from")?;
    let to = input.to.currency().within("to")?;
    if from == to {
        return Err(InputError::at(InputErrorKind::Inconsistent, "to", "is the same currency as `from`"));
    }
    let rate = rate_of(&input.rate).map(|(coefficient, scale)| Rate { from, to, coefficient, scale });
    rate.filter(|rate| rate.ratio().is_ok()).ok_or_else(|| {
        let problem = format!(
            "`{}` is not a rate that can be kept exactly; write a decimal above 0, such as `1.08`",
            excerpt(&input.rate.0)
        );
        InputError::at(InputErrorKind::InvalidValue, "rate", problem)
    })
}

/// Coefficient and scale: "1.080" is 108 and 2.
fn rate_of(text: &RateText) -> Option<(i64, u8)> {
    let (whole, decimals) = match text.0.split_once('.') {
        Some((whole, decimals)) if !decimals.is_empty() => (whole, decimals.trim_end_matches('0')),
        Some(_) => return None,
        None => (text.0.as_str(), ""),
    };
    let digits = format!("{whole}{decimals}");
    if whole.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    Some((digits.parse().ok()?, u8::try_from(decimals.len()).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_read_exactly() {
        for (text, expected) in [
            ("1.08", Some((108, 2))),
            ("1.080", Some((108, 2))),
            ("3", Some((3, 0))),
            ("3.000", Some((3, 0))),
            ("0.00025", Some((25, 5))),
            ("", None),
            (".5", None),
            ("5.", None),
            ("-1", None),
            ("1e3", None),
            ("1,08", None),
            ("99999999999999999999", None),
        ] {
            assert_eq!(rate_of(&RateText(text.to_string())), expected, "{text}");
        }
    }
}
