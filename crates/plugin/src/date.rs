//! Dates and times of day: reading, comparing and writing. Must not know a clock or a time zone.

use core::cmp::Ordering;
use core::fmt;

use crate::types::Date;

impl Date {
    /// Reads "2026-01-31"; none for anything else and for days that do not exist.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (year, rest) = text.split_once('-')?;
        let (month, day) = rest.split_once('-')?;
        let date = Self {
            year: digits(year, 4)?.into(),
            month: u8::try_from(digits(month, 2)?).ok()?,
            day: u8::try_from(digits(day, 2)?).ok()?,
        };
        (1..=days_in_month(date.year, date.month)).contains(&date.day).then_some(date)
    }

    /// The day before.
    #[must_use]
    pub fn previous(self) -> Self {
        match (self.month, self.day) {
            (..=1, ..=1) => Self { year: self.year.saturating_sub(1), month: 12, day: 31 },
            (month, ..=1) => Self { month: month - 1, day: days_in_month(self.year, month - 1), ..self },
            (_, day) => Self { day: day - 1, ..self },
        }
    }
}

impl Eq for Date {}

impl Ord for Date {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.year, self.month, self.day).cmp(&(other.year, other.month, other.day))
    }
}

impl PartialOrd for Date {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// As "2026-01-31".
impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }
}

/// Minutes since midnight of a time such as "08:30"; none for anything else.
#[must_use]
pub fn parse_time(text: &str) -> Option<u16> {
    let (hour, minute) = text.split_once(':')?;
    let (hour, minute) = (digits(hour, 2)?, digits(minute, 2)?);
    (hour < 24 && minute < 60).then_some(hour * 60 + minute)
}

/// Minutes since midnight as "08:30"; 1440 is "24:00".
#[must_use]
pub fn show_time(minute_of_day: u16) -> impl fmt::Display {
    fmt::from_fn(move |f| write!(f, "{:02}:{:02}", minute_of_day / 60, minute_of_day % 60))
}

/// 0 for a month that does not exist.
fn days_in_month(year: i32, month: u8) -> u8 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => 0,
    }
}

/// The number that exactly `count` digits write. At most four, so that it fits.
fn digits(text: &str, count: usize) -> Option<u16> {
    let all = text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit());
    all.then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_days_that_exist_are_dates() {
        for good in ["2026-01-31", "2028-02-29", "2000-02-29", "0001-12-31"] {
            assert_eq!(Date::parse(good).map(|date| date.to_string()).as_deref(), Some(good));
        }
        for bad in ["", "2026-02-29", "2100-02-29", "2026-13-01", "2026-00-10", "2026-1-31", "2026-01-00", "+026-01-01"]
        {
            assert_eq!(Date::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn the_day_before_crosses_months_and_years() {
        for (day, before) in [
            ("2026-01-01", "2025-12-31"),
            ("2026-03-01", "2026-02-28"),
            ("2028-03-01", "2028-02-29"),
            ("2026-08-01", "2026-07-31"),
            ("2026-08-31", "2026-08-30"),
        ] {
            let (day, before) = (Date::parse(day), Date::parse(before));
            assert_eq!(day.map(Date::previous), before);
            assert!(before < day);
        }
        for odd in [(i32::MIN, 0, 0), (2026, 200, 0), (2026, 0, 200)] {
            let _ = Date { year: odd.0, month: odd.1, day: odd.2 }.previous();
        }
    }

    #[test]
    fn times_have_two_digits_each() {
        for (text, expected) in [("00:00", Some(0)), ("08:30", Some(510)), ("23:59", Some(1439))] {
            assert_eq!(parse_time(text), expected);
            assert_eq!(expected.map(|minute| show_time(minute).to_string()).as_deref(), Some(text));
        }
        for bad in ["", "8:30", "24:00", "12:60", "12:5", "12:00:00", "-1:00", "+1:00", "aa:bb"] {
            assert_eq!(parse_time(bad), None, "{bad}");
        }
    }
}
