//! Instants, local moments and the ends of validity. Must not know a clock or a time zone database: offsets come in.

use alloc::string::String;

use chrono::{DateTime, Datelike, Days, FixedOffset, Months, NaiveDate, NaiveTime, SecondsFormat, Timelike, Utc};

/// Milliseconds since 1970-01-01T00:00:00Z.
pub type InstantMs = i64;

/// An instant as the wall clock of a site shows it. Mirrors `moment` of the contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    at: InstantMs,
    utc_offset_s: i32,
    date: NaiveDate,
    weekday: u8,
    minute_of_day: u16,
}

impl Moment {
    /// `at` in a zone that is `utc_offset_s` seconds east of UTC at that instant. `None` outside the years that can
    /// be represented, or with an offset of a day or more.
    #[must_use]
    pub fn new(at: InstantMs, utc_offset_s: i32) -> Option<Self> {
        let local = DateTime::<Utc>::from_timestamp_millis(at)?.with_timezone(&FixedOffset::east_opt(utc_offset_s)?);
        let minute_of_day = u16::try_from(local.hour() * 60 + local.minute()).ok()?;
        let weekday = u8::try_from(local.weekday().number_from_monday()).ok()?;
        Some(Self { at, utc_offset_s, date: local.date_naive(), weekday, minute_of_day })
    }

    /// The instant.
    #[must_use]
    pub const fn at(&self) -> InstantMs {
        self.at
    }

    /// Seconds east of UTC.
    #[must_use]
    pub const fn utc_offset_s(&self) -> i32 {
        self.utc_offset_s
    }

    /// The local date.
    #[must_use]
    pub const fn date(&self) -> NaiveDate {
        self.date
    }

    /// The local year, month 1 to 12 and day 1 to 31.
    #[must_use]
    pub fn ymd(&self) -> (i32, u8, u8) {
        let small = |number: u32| u8::try_from(number).expect("INVARIANT: months and days are small");
        (self.date.year(), small(self.date.month()), small(self.date.day()))
    }

    /// 1 Monday to 7 Sunday.
    #[must_use]
    pub const fn weekday(&self) -> u8 {
        self.weekday
    }

    /// Minutes since local midnight.
    #[must_use]
    pub const fn minute_of_day(&self) -> u16 {
        self.minute_of_day
    }
}

/// The instant as RFC 3339 in UTC, or the bare number where it lies outside the years chrono knows.
#[must_use]
pub fn format_instant(at: InstantMs) -> String {
    match DateTime::<Utc>::from_timestamp_millis(at) {
        Some(instant) => instant.to_rfc3339_opts(SecondsFormat::AutoSi, true),
        None => alloc::format!("{at} ms"),
    }
}

/// The first local moment after `date`: a plain date as the end of validity means the end of that day. `None` past
/// the last year. The caller turns it into an instant with the site's zone.
#[must_use]
pub fn end_of_day(date: NaiveDate) -> Option<chrono::NaiveDateTime> {
    Some(date.checked_add_days(Days::new(1))?.and_time(NaiveTime::MIN))
}

/// `from` plus calendar months, clamped to the last day of a shorter month, in the zone of `utc_offset_s` seconds.
/// `None` past the last year. 31 January plus one month is 28 or 29 February.
#[must_use]
pub fn add_months(from: InstantMs, months: u32, utc_offset_s: i32) -> Option<InstantMs> {
    let local = DateTime::<Utc>::from_timestamp_millis(from)?.with_timezone(&FixedOffset::east_opt(utc_offset_s)?);
    Some(local.checked_add_months(Months::new(months))?.timestamp_millis())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> InstantMs {
        DateTime::parse_from_rfc3339(text).unwrap().timestamp_millis()
    }

    #[test]
    fn a_month_is_a_calendar_month_clamped() {
        for (from, months, to) in [
            ("2022-01-01T12:00:00Z", 1, "2022-02-01T12:00:00Z"),
            ("2026-01-31T12:00:00Z", 1, "2026-02-28T12:00:00Z"),
            ("2028-01-31T12:00:00Z", 1, "2028-02-29T12:00:00Z"),
            ("2024-02-29T00:00:00Z", 12, "2025-02-28T00:00:00Z"),
        ] {
            assert_eq!(add_months(at(from), months, 0), Some(at(to)), "{from} + {months}");
        }
        // In New York it is still the 31st, so the month ends on the last of February there.
        assert_eq!(add_months(at("2026-02-01T02:00:00Z"), 1, -5 * 3600), Some(at("2026-03-01T02:00:00Z")));
    }

    #[test]
    fn a_moment_shows_the_local_wall() {
        let moment = Moment::new(at("2026-11-22T23:30:00Z"), 3600).unwrap();
        assert_eq!(moment.date(), NaiveDate::from_ymd_opt(2026, 11, 23).unwrap());
        assert_eq!((moment.weekday(), moment.minute_of_day()), (1, 30));
        assert_eq!(Moment::new(0, 86_400), None);
        assert_eq!(Moment::new(i64::MAX, 0), None);
    }

    #[test]
    fn a_date_ends_with_its_day() {
        let end = end_of_day(NaiveDate::from_ymd_opt(2026, 12, 31).unwrap()).unwrap();
        assert_eq!(end, NaiveDate::from_ymd_opt(2027, 1, 1).unwrap().and_time(NaiveTime::MIN));
        assert_eq!(end_of_day(NaiveDate::MAX), None);
    }
}
