//! Amounts in integer minor units, currencies, and the two rounding rules of conversion. The only file that does
//! arithmetic on money; it must not know what the money is for.

use alloc::string::{String, ToString};
use core::fmt;

use rust_decimal::Decimal;

/// Greatest absolute value of an amount, 2^53 - 1: what a double still holds exactly, since some guest languages
/// keep integers in one.
pub const MINOR_MAX: i64 = (1 << 53) - 1;

/// An amount in minor units of a currency that the context names. Always within ±[`MINOR_MAX`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Minor(i64);

impl Minor {
    /// Nothing.
    pub const ZERO: Self = Self(0);
    /// The greatest amount.
    pub const MAX: Self = Self(MINOR_MAX);

    /// An amount of `minor` units.
    ///
    /// # Errors
    /// [`MoneyError::OutOfRange`] outside ±[`MINOR_MAX`].
    pub const fn new(minor: i64) -> Result<Self, MoneyError> {
        if minor >= -MINOR_MAX && minor <= MINOR_MAX { Ok(Self(minor)) } else { Err(MoneyError::OutOfRange) }
    }

    /// The number of minor units.
    #[must_use]
    pub const fn get(self) -> i64 {
        self.0
    }

    /// Whether this is less than nothing.
    #[must_use]
    pub const fn is_negative(self) -> bool {
        self.0 < 0
    }

    /// Whether this is nothing.
    #[must_use]
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// The sum.
    ///
    /// # Errors
    /// [`MoneyError::OutOfRange`] where the result leaves ±[`MINOR_MAX`].
    pub const fn plus(self, other: Self) -> Result<Self, MoneyError> {
        // Two values below 2^53 cannot overflow an i64.
        Self::new(self.0 + other.0)
    }

    /// The difference.
    ///
    /// # Errors
    /// [`MoneyError::OutOfRange`] where the result leaves ±[`MINOR_MAX`].
    pub const fn minus(self, other: Self) -> Result<Self, MoneyError> {
        Self::new(self.0 - other.0)
    }

    /// The difference, but never less than nothing.
    #[must_use]
    pub const fn less(self, other: Self) -> Self {
        let difference = self.0 - other.0;
        if difference < 0 {
            Self::ZERO
        } else if difference > MINOR_MAX {
            Self::MAX
        } else {
            Self(difference)
        }
    }

    /// The sum of many.
    ///
    /// # Errors
    /// [`MoneyError::OutOfRange`] where a partial sum leaves ±[`MINOR_MAX`].
    pub fn sum(amounts: impl IntoIterator<Item = Self>) -> Result<Self, MoneyError> {
        amounts.into_iter().try_fold(Self::ZERO, Self::plus)
    }

    /// What a decimal string is with `exponent` decimals: "35.00" and "35" with 2 are 3500. The way back from
    /// [`Self::to_decimal`].
    ///
    /// # Errors
    /// As [`Currency::parse`].
    pub fn from_decimal(text: &str, exponent: u8) -> Result<Self, MoneyError> {
        let digits = text.strip_prefix('-').unwrap_or(text);
        let (whole, decimals) = match digits.split_once('.') {
            Some((_, "")) => return Err(MoneyError::NotDecimal),
            Some(parts) => parts,
            None => (digits, ""),
        };
        if whole.is_empty() || !whole.bytes().chain(decimals.bytes()).all(|byte| byte.is_ascii_digit()) {
            return Err(MoneyError::NotDecimal);
        }
        let exponent = usize::from(exponent);
        if decimals.len() > exponent {
            return Err(MoneyError::TooManyDecimals);
        }
        let zeros = core::iter::repeat_n(b'0', exponent - decimals.len());
        // Ten times what is in range, and nine, is far from overflow.
        let add = |minor: Self, digit: u8| Self::new(minor.0 * 10 + i64::from(digit - b'0'));
        let minor = whole.bytes().chain(decimals.bytes()).chain(zeros).try_fold(Self::ZERO, add)?;
        Ok(if digits.len() < text.len() { Self(-minor.0) } else { minor })
    }

    /// The amount as a decimal string with `exponent` decimals: 3500 with 2 is "35.00".
    #[must_use]
    pub fn to_decimal(self, exponent: u8) -> String {
        Decimal::new(self.0, u32::from(exponent)).to_string()
    }
}

/// A positive fraction, in lowest terms, both parts within 1..=[`MINOR_MAX`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Ratio {
    numerator: i64,
    denominator: i64,
}

impl Ratio {
    /// `numerator / denominator`, reduced.
    ///
    /// # Errors
    /// [`MoneyError::BadRate`] where a part is below 1, or above [`MINOR_MAX`] even in lowest terms.
    pub const fn new(numerator: i128, denominator: i128) -> Result<Self, MoneyError> {
        if numerator < 1 || denominator < 1 {
            return Err(MoneyError::BadRate);
        }
        let (mut a, mut b) = (numerator, denominator);
        while b != 0 {
            (a, b) = (b, a % b);
        }
        let (numerator, denominator) = (numerator / a, denominator / a);
        if numerator > MINOR_MAX as i128 || denominator > MINOR_MAX as i128 {
            return Err(MoneyError::BadRate);
        }
        Ok(Self { numerator: numerator as i64, denominator: denominator as i64 })
    }

    /// The part above the line.
    #[must_use]
    pub const fn numerator(self) -> i64 {
        self.numerator
    }

    /// The part below the line.
    #[must_use]
    pub const fn denominator(self) -> i64 {
        self.denominator
    }

    /// One divided by this.
    #[must_use]
    pub const fn inverse(self) -> Self {
        Self { numerator: self.denominator, denominator: self.numerator }
    }

    /// `amount * self`, rounded down; at most [`Minor::MAX`]. What a card is worth in the order's currency: with 3
    /// of the card's cents for one of the order's (a ratio of 1/3), 10000 is worth 3333.
    /// `amount` must not be negative.
    #[must_use]
    pub const fn times_floor(self, amount: Minor) -> Minor {
        // Both factors are below 2^53, so the product fits 128 bits with room to spare.
        let product = amount.0 as i128 * self.numerator as i128 / self.denominator as i128;
        if product > MINOR_MAX as i128 { Minor::MAX } else { Minor(product as i64) }
    }

    /// `amount / self`, rounded up; at most [`Minor::MAX`]. What leaves a card for an amount in the order's
    /// currency: with a ratio of 1/3, 3333 takes 9999. Never more than the amount whose [`Self::times_floor`] the
    /// argument is. `amount` must not be negative.
    #[must_use]
    pub const fn divide_ceil(self, amount: Minor) -> Minor {
        let product = amount.0 as i128 * self.denominator as i128;
        let quotient = (product + self.numerator as i128 - 1) / self.numerator as i128;
        if quotient > MINOR_MAX as i128 { Minor::MAX } else { Minor(quotient as i64) }
    }

    /// `amount * self`, rounded up; at most [`Minor::MAX`]. For a minimum that was set in another currency.
    #[must_use]
    pub const fn times_ceil(self, amount: Minor) -> Minor {
        self.inverse().divide_ceil(amount)
    }
}

/// `whole * part / of`, rounded down. For what has gone back of `whole` once `part` of `of` has; all of it when
/// `part == of`. Example: 9999 taken for 3333 applied; after 1000 of 3333 came back, 3000 has.
#[must_use]
pub const fn proportional_floor(whole: Minor, part: Minor, of: Minor) -> Minor {
    if of.0 <= 0 || part.0 <= 0 || whole.0 <= 0 {
        return Minor::ZERO;
    }
    if part.0 >= of.0 {
        return whole;
    }
    Minor((whole.0 as i128 * part.0 as i128 / of.0 as i128) as i64)
}

/// A currency: three letters and the decimals of its minor unit, as ISO 4217 lists them.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Currency {
    code: [u8; 3],
    exponent: u8,
}

impl Currency {
    /// A currency by letters and exponent. For one of ISO 4217 use [`Currency::iso`].
    ///
    /// # Errors
    /// [`MoneyError::BadCurrency`] unless `code` is three upper-case ASCII letters and `exponent` at most 4.
    pub const fn new(code: &str, exponent: u8) -> Result<Self, MoneyError> {
        let bytes = code.as_bytes();
        if bytes.len() != 3 || exponent > 4 {
            return Err(MoneyError::BadCurrency);
        }
        let code = [bytes[0], bytes[1], bytes[2]];
        let mut i = 0;
        while i < 3 {
            if !code[i].is_ascii_uppercase() {
                return Err(MoneyError::BadCurrency);
            }
            i += 1;
        }
        Ok(Self { code, exponent })
    }

    /// The currency of ISO 4217 with this code, and with a minor unit; `None` for anything else.
    #[cfg(feature = "iso-4217")]
    #[must_use]
    pub fn iso(code: &str) -> Option<Self> {
        let known = iso_currency::Currency::from_code(code)?;
        Self::new(code, u8::try_from(known.exponent()?).ok()?).ok()
    }

    /// The three letters.
    #[must_use]
    pub fn code(&self) -> &str {
        core::str::from_utf8(&self.code).expect("INVARIANT: three ASCII letters, checked in `new`")
    }

    /// Decimals of the minor unit: 2 for cents.
    #[must_use]
    pub const fn exponent(&self) -> u8 {
        self.exponent
    }

    /// Reads a decimal string such as "35.00" or "35" as an amount of this currency.
    ///
    /// # Errors
    /// [`MoneyError::NotDecimal`] for anything but an optional minus, digits and at most one point;
    /// [`MoneyError::TooManyDecimals`] with more decimals than the currency has, even if they are zeros;
    /// [`MoneyError::OutOfRange`] above [`MINOR_MAX`].
    pub fn parse(&self, text: &str) -> Result<Minor, MoneyError> {
        Minor::from_decimal(text, self.exponent)
    }

    /// The amount with the currency's code: "35.00 USD".
    #[must_use]
    pub fn format(&self, amount: Minor) -> String {
        Money::new(amount, *self).to_string()
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}({})", self.code(), self.exponent)
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// An amount that says its currency.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Money {
    amount: Minor,
    currency: Currency,
}

impl Money {
    /// `amount` minor units of `currency`.
    #[must_use]
    pub const fn new(amount: Minor, currency: Currency) -> Self {
        Self { amount, currency }
    }

    /// The amount, in minor units of [`Self::currency`].
    #[must_use]
    pub const fn amount(&self) -> Minor {
        self.amount
    }

    /// The currency.
    #[must_use]
    pub const fn currency(&self) -> Currency {
        self.currency
    }

    /// The currency, borrowed.
    #[must_use]
    pub const fn currency_ref(&self) -> &Currency {
        &self.currency
    }

    /// The sum.
    ///
    /// # Errors
    /// [`MoneyError::MixedCurrencies`] for another currency; [`MoneyError::OutOfRange`] past the range.
    pub fn plus(self, other: Self) -> Result<Self, MoneyError> {
        if self.currency != other.currency {
            return Err(MoneyError::MixedCurrencies);
        }
        Ok(Self { amount: self.amount.plus(other.amount)?, ..self })
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.amount.to_decimal(self.currency.exponent), self.currency)
    }
}

/// What can be wrong with an amount, a rate or a currency.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MoneyError {
    /// Outside ±(2^53 - 1) minor units.
    OutOfRange,
    /// Not a plain decimal number.
    NotDecimal,
    /// More decimals than the currency has.
    TooManyDecimals,
    /// Not three upper-case letters, or an exponent above 4.
    BadCurrency,
    /// Amounts of two currencies in one sum.
    MixedCurrencies,
    /// A rate that is not positive, or too fine to be kept exactly.
    BadRate,
}

impl fmt::Display for MoneyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OutOfRange => "amount is beyond 9007199254740991 minor units",
            Self::NotDecimal => "amount is not a decimal number such as \"35.00\"",
            Self::TooManyDecimals => "amount has more decimals than the currency",
            Self::BadCurrency => "currency is not three upper-case letters with at most 4 decimals",
            Self::MixedCurrencies => "amounts of different currencies cannot be added",
            Self::BadRate => "rate must be positive and exact within 2^53 - 1",
        })
    }
}

impl core::error::Error for MoneyError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn minor(amount: i64) -> Minor {
        Minor::new(amount).unwrap()
    }

    #[test]
    fn amounts_are_read_exactly_or_not_at_all() {
        let usd = Currency::iso("USD").unwrap();
        let jpy = Currency::iso("JPY").unwrap();
        let kwd = Currency::iso("KWD").unwrap();
        let rows: &[(Currency, &str, Result<i64, MoneyError>)] = &[
            (usd, "35.00", Ok(3500)),
            (usd, "35", Ok(3500)),
            (usd, "35.5", Ok(3550)),
            (usd, "-0.01", Ok(-1)),
            (usd, "0.001", Err(MoneyError::TooManyDecimals)),
            (usd, "1.000", Err(MoneyError::TooManyDecimals)),
            (usd, "1e3", Err(MoneyError::NotDecimal)),
            (usd, "1,000.00", Err(MoneyError::NotDecimal)),
            (usd, "1_000", Err(MoneyError::NotDecimal)),
            (usd, "+1.00", Err(MoneyError::NotDecimal)),
            (usd, ".5", Err(MoneyError::NotDecimal)),
            (usd, "5.", Err(MoneyError::NotDecimal)),
            (usd, "--5", Err(MoneyError::NotDecimal)),
            (usd, "", Err(MoneyError::NotDecimal)),
            (usd, "٣", Err(MoneyError::NotDecimal)),
            (usd, "90071992547409.91", Ok(MINOR_MAX)),
            (usd, "90071992547409.92", Err(MoneyError::OutOfRange)),
            (usd, "79228162514264337593543950335", Err(MoneyError::OutOfRange)),
            (usd, "99999999999999999999999999999999999", Err(MoneyError::OutOfRange)),
            (jpy, "500", Ok(500)),
            (jpy, "500.0", Err(MoneyError::TooManyDecimals)),
            (kwd, "1.234", Ok(1234)),
            (kwd, "1.2", Ok(1200)),
        ];
        for (currency, text, expected) in rows {
            assert_eq!(currency.parse(text).map(Minor::get), *expected, "{text} {currency}");
        }
    }

    #[test]
    fn amounts_are_written_as_they_are_read() {
        let usd = Currency::iso("USD").unwrap();
        for text in ["35.00", "0.01", "-0.01", "0.00", "90071992547409.91"] {
            assert_eq!(usd.parse(text).unwrap().to_decimal(2), text);
        }
        assert_eq!(Currency::iso("JPY").unwrap().format(minor(500)), "500 JPY");
        assert_eq!(Currency::iso("KWD").unwrap().format(minor(1200)), "1.200 KWD");
    }

    #[test]
    fn only_currencies_with_a_minor_unit_are_known() {
        assert_eq!(Currency::iso("EUR").unwrap().exponent(), 2);
        assert_eq!(Currency::iso("JPY").unwrap().exponent(), 0);
        assert_eq!(Currency::iso("KWD").unwrap().exponent(), 3);
        for code in ["XXX", "XAU", "usd", "US", "EURO", "ABC"] {
            assert_eq!(Currency::iso(code), None, "{code}");
        }
    }

    #[test]
    fn conversion_never_takes_more_than_there_is() {
        let third = Ratio::new(1, 3).unwrap();
        assert_eq!(third.times_floor(minor(10000)), minor(3333));
        assert_eq!(third.divide_ceil(minor(3333)), minor(9999));
        let odd = Ratio::new(108, 100).unwrap();
        for available in 0..2000 {
            let worth = odd.times_floor(minor(available));
            assert!(odd.divide_ceil(worth) <= minor(available));
        }
    }

    #[test]
    fn ratios_are_reduced_and_bounded() {
        let ratio = Ratio::new(300, 900).unwrap();
        assert_eq!((ratio.numerator(), ratio.denominator()), (1, 3));
        assert_eq!(Ratio::new(0, 1), Err(MoneyError::BadRate));
        assert_eq!(Ratio::new(1, -1), Err(MoneyError::BadRate));
        assert_eq!(Ratio::new(1 << 60, 3), Err(MoneyError::BadRate));
    }

    #[test]
    fn money_of_two_currencies_does_not_add() {
        let usd = Money::new(minor(1), Currency::iso("USD").unwrap());
        let eur = Money::new(minor(1), Currency::iso("EUR").unwrap());
        assert_eq!(usd.plus(eur), Err(MoneyError::MixedCurrencies));
        assert_eq!(usd.plus(usd).unwrap().amount(), minor(2));
    }
}
