//! Days and instants in a site's zone: the only place that knows a time zone database. Must not know a clock.
//!
//! A day begins at the first instant whose local date it is, and ends where the next one begins. That is well defined
//! on days on which clocks change: where midnight comes twice the first one counts, and where it is skipped the instant
//! of the change does.

use chrono::{DateTime, MappedLocalTime, NaiveDate, NaiveDateTime, NaiveTime, Offset, TimeZone};
use chrono_tz::{GapInfo, Tz};
use giftcard_engine::moment::{InstantMs, Moment, end_of_day};

use super::leaf::{DayOrInstant, Instant};
use super::{InputError, InputErrorKind};
use crate::json::excerpt;

/// The time zone of a site.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Zone(Tz);

impl Zone {
    /// Where a site without a zone of its own is.
    pub const UTC: Self = Self(Tz::UTC);

    /// The zone that the IANA database calls `name`; `None` if it knows none.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        name.parse().ok().map(Self)
    }

    /// An instant as the wall clock of this zone shows it.
    pub(super) fn moment(&self, at: InstantMs) -> Result<Moment, InputError> {
        let offset = DateTime::from_timestamp_millis(at)
            .map(|instant| self.0.offset_from_utc_datetime(&instant.naive_utc()).fix().local_minus_utc());
        offset.and_then(|offset| Moment::new(at, offset)).ok_or_else(beyond)
    }

    /// The first instant of a day.
    #[must_use]
    pub fn start_of_day(&self, day: NaiveDate) -> Option<InstantMs> {
        self.first_instant(day.and_time(NaiveTime::MIN))
    }

    /// The first instant after a day.
    #[must_use]
    pub fn end_of_day(&self, day: NaiveDate) -> Option<InstantMs> {
        self.first_instant(end_of_day(day)?)
    }

    fn first_instant(&self, local: NaiveDateTime) -> Option<InstantMs> {
        let instant = match self.0.from_local_datetime(&local) {
            MappedLocalTime::Single(instant) | MappedLocalTime::Ambiguous(instant, _) => instant,
            MappedLocalTime::None => GapInfo::new(&local, &self.0)?.end?,
        };
        Some(instant.timestamp_millis())
    }
}

fn beyond() -> InputError {
    InputError::here(InputErrorKind::InvalidValue, "is beyond the years that can be counted")
}

impl Instant {
    /// Milliseconds since 1970.
    ///
    /// # Errors
    /// [`InputErrorKind::InvalidValue`] for what RFC 3339 does not allow.
    pub fn at(&self) -> Result<InstantMs, InputError> {
        instant(&self.0).ok_or_else(|| {
            let problem = format!(
                "`{}` is not an instant; write date, time and offset, such as `2026-01-31T12:00:00Z`",
                excerpt(&self.0)
            );
            InputError::here(InputErrorKind::InvalidValue, problem)
        })
    }
}

impl DayOrInstant {
    /// The instant, or the start of the day.
    pub(crate) fn begin(&self, zone: &Zone) -> Result<InstantMs, InputError> {
        self.resolve(|day| zone.start_of_day(day))
    }

    /// The instant, or the end of the day.
    pub(super) fn end(&self, zone: &Zone) -> Result<InstantMs, InputError> {
        self.resolve(|day| zone.end_of_day(day))
    }

    /// The day, where one was given and not an instant.
    pub(super) fn on(&self) -> Option<NaiveDate> {
        day(&self.0)
    }

    fn resolve(&self, of_day: impl Fn(NaiveDate) -> Option<InstantMs>) -> Result<InstantMs, InputError> {
        if let Some(day) = day(&self.0) {
            return of_day(day).ok_or_else(beyond);
        }
        instant(&self.0).ok_or_else(|| {
            let problem = format!(
                "`{}` is neither a day such as `2026-01-31` nor an instant such as `2026-01-31T12:00:00Z`",
                excerpt(&self.0)
            );
            InputError::here(InputErrorKind::InvalidValue, problem)
        })
    }
}

fn instant(text: &str) -> Option<InstantMs> {
    // The parser also takes the minus sign of typography, U+2212, in an offset.
    if !text.is_ascii() {
        return None;
    }
    DateTime::parse_from_rfc3339(text).ok().map(|instant| instant.timestamp_millis())
}

/// A day as "2026-01-31", and nothing looser.
pub(crate) fn day(text: &str) -> Option<NaiveDate> {
    let bytes = text.as_bytes();
    let plain = bytes.len() == 10
        && bytes.iter().enumerate().all(|(index, byte)| match index {
            4 | 7 => *byte == b'-',
            _ => byte.is_ascii_digit(),
        });
    if plain { text.parse().ok() } else { None }
}

/// Whether `text` is a time of day as "08:30".
pub(crate) fn is_time_of_day(text: &str) -> bool {
    text.len() == 5 && NaiveTime::parse_from_str(text, "%H:%M").is_ok()
}

#[cfg(test)]
mod tests {
    use giftcard_engine::moment::format_instant;

    use super::*;

    fn check(zone: &str, date: &str, begin: &str, end: &str) {
        let zone = Zone::named(zone).unwrap();
        let text = DayOrInstant(date.to_string());
        let found = (format_instant(text.begin(&zone).unwrap()), format_instant(text.end(&zone).unwrap()));
        assert_eq!(found, (begin.to_string(), end.to_string()), "{date} in {zone:?}");
    }

    #[test]
    fn a_day_is_the_day_of_the_zone() {
        check("UTC", "2026-12-31", "2026-12-31T00:00:00Z", "2027-01-01T00:00:00Z");
        check("Europe/Berlin", "2026-12-31", "2026-12-30T23:00:00Z", "2026-12-31T23:00:00Z");
        check("America/New_York", "2026-12-31", "2026-12-31T05:00:00Z", "2027-01-01T05:00:00Z");
        check("Asia/Kolkata", "2026-12-31", "2026-12-30T18:30:00Z", "2026-12-31T18:30:00Z");
        check("Asia/Kathmandu", "2026-12-31", "2026-12-30T18:15:00Z", "2026-12-31T18:15:00Z");
        check("Pacific/Kiritimati", "2026-12-31", "2026-12-30T10:00:00Z", "2026-12-31T10:00:00Z");
    }

    #[test]
    fn days_on_which_clocks_change_have_23_or_25_hours() {
        check("Europe/Berlin", "2026-03-29", "2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z");
        check("Europe/Berlin", "2026-10-25", "2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z");
        check("America/New_York", "2026-03-08", "2026-03-08T05:00:00Z", "2026-03-09T04:00:00Z");
        check("America/New_York", "2026-11-01", "2026-11-01T04:00:00Z", "2026-11-02T05:00:00Z");
    }

    #[test]
    fn midnight_may_be_skipped_come_twice_or_lie_before_the_change() {
        // Beirut goes from 00:00 to 01:00: the day begins at the change.
        check("Asia/Beirut", "2026-03-29", "2026-03-28T22:00:00Z", "2026-03-29T21:00:00Z");
        // Havana goes back from 01:00 to 00:00: the day begins at the first midnight.
        check("America/Havana", "2026-11-01", "2026-11-01T04:00:00Z", "2026-11-02T05:00:00Z");
        // Sao Paulo went back from 00:00 to 23:00 of the day before, which so ended an hour later.
        check("America/Sao_Paulo", "2018-02-17", "2018-02-17T02:00:00Z", "2018-02-18T03:00:00Z");
        // Toronto went from 23:30 to 00:30: midnight was inside what was skipped.
        check("America/Toronto", "1919-03-31", "1919-03-31T04:30:00Z", "1919-04-01T04:00:00Z");
        // Samoa skipped a whole day: it is as long as nothing.
        check("Pacific/Apia", "2011-12-30", "2011-12-30T10:00:00Z", "2011-12-30T10:00:00Z");
    }

    #[test]
    fn instants_and_days_are_told_apart_and_nothing_else_is_taken() {
        let zone = Zone::UTC;
        let at = |text: &str| DayOrInstant(text.to_string()).end(&zone);
        assert_eq!(at("2026-01-31T12:00:00+01:00"), at("2026-01-31T11:00:00Z"));
        for bad in ["2026-1-31", "2026-02-30", "31.01.2026", "2026-01-31T12:00:00", "2026-01-31 ", "", "٢٠٢٦-٠١-٣١"]
        {
            assert!(at(bad).is_err(), "{bad}");
        }
        assert!(Instant("2026-01-31".to_string()).at().is_err());
        assert!(Instant("2026-01-31T12:00:00-05:00".to_string()).at().is_ok());
        assert!(Instant("2026-01-31T12:00:00\u{2212}05:00".to_string()).at().is_err());
        assert!(at("2026-01-31T12:00:00\u{2212}05:00").is_err());
        assert!(is_time_of_day("08:30") && !is_time_of_day("8:30") && !is_time_of_day("24:00"));
    }

    #[test]
    fn a_moment_has_the_zones_offset_at_that_instant() {
        let berlin = Zone::named("Europe/Berlin").unwrap();
        let at = |text: &str| Instant(text.to_string()).at().unwrap();
        assert_eq!(berlin.moment(at("2026-07-01T00:00:00Z")).unwrap().utc_offset_s(), 7200);
        assert_eq!(berlin.moment(at("2026-12-01T00:00:00Z")).unwrap().utc_offset_s(), 3600);
        assert!(berlin.moment(i64::MAX).is_err());
    }
}
