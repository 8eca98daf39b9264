//! Amounts as an expression writes them. Must not know orders.

/// Most decimals that any currency has.
const DECIMALS_MAX: usize = 4;

/// Digits before the point: more is beyond 2^53 - 1 in any currency.
const DIGITS_MAX: usize = 16;

/// An amount as it is written: `-12.50` is the digits 1250 and 2 decimals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Written {
    digits: i64,
    decimals: usize,
}

impl Written {
    /// Reads an amount.
    pub(crate) fn read(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is no amount; write such as money(\"50.00\")");
        let (negative, digits) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
        let (whole, fraction) = digits.split_once('.').map_or((digits, None), |(whole, part)| (whole, Some(part)));
        let are_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let fraction_is_good = fraction.is_none_or(|part| are_digits(part) && part.len() <= DECIMALS_MAX);
        if !are_digits(whole) || whole.len() > DIGITS_MAX || !fraction_is_good {
            return Err(wrong());
        }
        let fraction = fraction.unwrap_or_default();
        let digits: i64 = format!("{whole}{fraction}").parse().map_err(|_| wrong())?;
        Ok(Self { digits: if negative { -digits } else { digits }, decimals: fraction.len() })
    }

    /// In minor units of a currency with so many decimals. Decimals that it does not have must be zeros.
    pub(crate) fn minor(self, exponent: u8) -> Result<i64, String> {
        let (mut amount, exponent) = (self.digits, usize::from(exponent));
        for _ in self.decimals..exponent {
            amount = amount.checked_mul(10).ok_or("an amount in it is too large")?;
        }
        for _ in exponent..self.decimals {
            if amount % 10 != 0 {
                return Err(format!("an amount in it has {} decimals, and its currency {exponent}", self.decimals));
            }
            amount /= 10;
        }
        Ok(amount)
    }
}

/// Whether this can be a currency's code.
pub(crate) fn is_currency(code: &str) -> bool {
    code.len() == 3 && code.bytes().all(|byte| byte.is_ascii_uppercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_read_exactly() {
        for (text, exponent, minor) in [
            ("50", 2, 5000),
            ("50.00", 2, 5000),
            ("-0.5", 2, -50),
            ("50.00", 0, 50),
            ("1.234", 3, 1234),
            ("90071992547409.91", 2, 9_007_199_254_740_991),
        ] {
            assert_eq!(Written::read(text).unwrap().minor(exponent), Ok(minor), "{text}");
        }
        assert!(Written::read("50.05").unwrap().minor(0).is_err());
        assert!(Written::read("9999999999999999").unwrap().minor(4).is_err());
        for text in ["", "-", ".5", "5.", "1e3", "1_000", "+1", "1.00001", " 1", "1,00", "99999999999999999"] {
            assert!(Written::read(text).is_err(), "{text}");
        }
    }
}
