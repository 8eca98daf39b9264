//! Amounts: conversion at the request's recorded rates, and the way amounts, quantities and shares are written for
//! people. Must not choose a rounding by itself.

use core::fmt;

use crate::build::failure;
use crate::types::{Currency, Failure, Money, Rate, Request};

/// Greatest number that may cross, 2^53 - 1.
const NUMBER_MAX: i64 = (1 << 53) - 1;

/// What happens to a part of a minor unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rounding {
    /// Left out: for the most that cards may pay.
    Down,
    /// A whole unit: for the least that an order must come to.
    Up,
}

/// `money` in minor units of the order's currency, at the request's recorded rate. 10.01 PLN at 1 USD for 3 PLN is
/// 3.33 USD rounded down and 3.34 USD rounded up. Money in the order's currency stays as it is.
///
/// # Errors
/// `currency-mismatch` if no rate is recorded, `number-out-of-range` if the result is beyond 2^53 - 1.
pub fn convert(request: &Request, money: &Money, rounding: Rounding) -> Result<i64, Failure> {
    convert_at(&request.rates, money, &request.order.currency, rounding)
}

/// `money` in minor units of the currency `to`, at one of `rates`, which are of that currency. As [`convert`], for where
/// there is no request any more.
///
/// # Errors
/// As [`convert`].
pub fn convert_at(rates: &[Rate], money: &Money, to: &Currency, rounding: Rounding) -> Result<i64, Failure> {
    let from = &money.currency;
    if from == to {
        return Ok(money.amount);
    }
    let rate = rates.iter().find(|rate| rate.quoted == *from && rate.ratio.denominator > 0);
    let Some(rate) = rate else {
        return Err(failure("currency-mismatch", format!("no rate is recorded from {} to {}", from.code, to.code)));
    };
    // Two factors of 64 bits fit into 128.
    let product = i128::from(money.amount) * i128::from(rate.ratio.numerator);
    let denominator = i128::from(rate.ratio.denominator);
    let whole = product.div_euclid(denominator);
    let part = rounding == Rounding::Up && product.rem_euclid(denominator) != 0;
    match i64::try_from(whole + i128::from(part)) {
        Ok(amount) if (-NUMBER_MAX..=NUMBER_MAX).contains(&amount) => Ok(amount),
        _ => Err(failure("number-out-of-range", format!("{money} is too much in {}", to.code))),
    }
}

/// `amount` minor units of the order's currency, for the argument of a message or for a step.
#[must_use]
pub fn order_money(request: &Request, amount: i64) -> Money {
    Money { amount, currency: request.order.currency.clone() }
}

/// As "35.00 USD".
impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_decimal(f, self.amount, self.currency.exponent)?;
        write!(f, " {}", self.currency.code)
    }
}

/// A quantity in thousandths as people write it: 1500 is "1.5", 2000 is "2".
#[must_use]
pub fn show_quantity(thousandths: i64) -> impl fmt::Display {
    Shortest(thousandths, 3)
}

/// A share in basis points as people write it: 1250 is "12.5%".
#[must_use]
pub fn show_percent(basis_points: i64) -> impl fmt::Display {
    fmt::from_fn(move |f| write!(f, "{}%", Shortest(basis_points, 2)))
}

/// A coefficient and its decimals, without zeros at the end.
struct Shortest(i64, u8);

impl fmt::Display for Shortest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (mut coefficient, mut decimals) = (self.0, self.1);
        while decimals > 0 && coefficient % 10 == 0 {
            coefficient /= 10;
            decimals -= 1;
        }
        write_decimal(f, coefficient, decimals)
    }
}

fn write_decimal(f: &mut fmt::Formatter<'_>, coefficient: i64, decimals: u8) -> fmt::Result {
    let sign = if coefficient < 0 { "-" } else { "" };
    let width = usize::from(decimals);
    match 10_u64.checked_pow(decimals.into()) {
        Some(unit) if unit > 1 => {
            let (whole, part) = (coefficient.unsigned_abs() / unit, coefficient.unsigned_abs() % unit);
            write!(f, "{sign}{whole}.{part:0width$}")
        }
        _ => write!(f, "{coefficient}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    #[test]
    fn only_the_rounding_that_was_asked_for_happens() {
        let request = Request {
            rates: vec![testing::rate("PLN", 1, 3), testing::rate("JPY", 2, 1), testing::rate("XXX", 1, 0)],
            ..testing::request(testing::order(0))
        };
        for (amount, code, down, up) in [
            (1001, "USD", Ok(1001), Ok(1001)),
            (1001, "PLN", Ok(333), Ok(334)),
            (999, "PLN", Ok(333), Ok(333)),
            (0, "PLN", Ok(0), Ok(0)),
            (-1001, "PLN", Ok(-334), Ok(-333)),
            (7, "JPY", Ok(14), Ok(14)),
            (7, "EUR", Err("currency-mismatch"), Err("currency-mismatch")),
            (7, "XXX", Err("currency-mismatch"), Err("currency-mismatch")),
            (i64::MAX, "JPY", Err("number-out-of-range"), Err("number-out-of-range")),
            (NUMBER_MAX, "JPY", Err("number-out-of-range"), Err("number-out-of-range")),
            (i64::MIN, "PLN", Err("number-out-of-range"), Err("number-out-of-range")),
        ] {
            let money = testing::amount(amount, code);
            for (rounding, expected) in [(Rounding::Down, down), (Rounding::Up, up)] {
                let found = convert(&request, &money, rounding);
                let found = found.as_ref().map_err(|failure| failure.code.as_str());
                assert_eq!(found, expected.as_ref().map_err(|code| *code), "{amount} {code} {rounding:?}");
            }
        }
    }

    #[test]
    fn numbers_are_written_for_people() {
        for (shown, expected) in [
            (testing::amount(3500, "USD").to_string(), "35.00 USD"),
            (testing::amount(-5, "USD").to_string(), "-0.05 USD"),
            (testing::amount(3500, "JPY").to_string(), "3500 JPY"),
            (testing::amount(i64::MIN, "KWD").to_string(), "-9223372036854775.808 KWD"),
            (show_quantity(1500).to_string(), "1.5"),
            (show_quantity(2000).to_string(), "2"),
            (show_quantity(25).to_string(), "0.025"),
            (show_quantity(0).to_string(), "0"),
            (show_percent(1250).to_string(), "12.5%"),
            (show_percent(10_000).to_string(), "100%"),
            (show_percent(5).to_string(), "0.05%"),
        ] {
            assert_eq!(shown, expected);
        }
    }
}
