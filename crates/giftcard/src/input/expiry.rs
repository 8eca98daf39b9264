//! When a card ends: what a programme says, and what is said for one card. Must not know a clock or a card.

use giftcard_engine::moment::{InstantMs, add_months};

use super::leaf::DayOrInstant;
use super::setup::{ExpiryInput, plain_day};
use super::time::Zone;
use super::{Count, InputError, InputErrorKind, Within};

/// Most days and months from issue to end: a hundred years.
const DAYS_MAX: u32 = 36_525;
const MONTHS_MAX: u32 = 1_200;

/// Milliseconds of a day.
const DAY_MS: i64 = 86_400_000;

/// The end of a card.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct End {
    /// First instant at which it no longer works; `None` where it has no end.
    pub(crate) at: Option<InstantMs>,
    /// The last day it works, where a plain date says so.
    pub(crate) on: Option<String>,
}

impl DayOrInstant {
    /// As the end of a card.
    pub(crate) fn card_end(&self, zone: &Zone) -> Result<End, InputError> {
        Ok(End { at: Some(self.end(zone)?), on: plain_day(self) })
    }
}

impl ExpiryInput {
    /// Whether it can be the rule of a programme.
    pub(crate) fn check(&self, zone: &Zone) -> Result<(), InputError> {
        let at_most = |count: &Count, most: u32, field: &str| match count.0 > most {
            true => {
                let problem = format!("{} is more than a hundred years; the most is {most}", count.0);
                Err(InputError::at(InputErrorKind::InvalidValue, field, problem))
            }
            false => Ok(()),
        };
        match self {
            Self::Never => Ok(()),
            Self::Days(days) => at_most(days, DAYS_MAX, "days"),
            Self::Months(months) => at_most(months, MONTHS_MAX, "months"),
            Self::On(end) => end.end(zone).map(drop).within("on"),
        }
    }

    /// The end of a card that is issued at `now`. A month is a calendar month as the zone's wall clock has it, clamped.
    pub(crate) fn end(&self, now: InstantMs, zone: &Zone) -> Result<End, InputError> {
        let beyond = || InputError::here(InputErrorKind::InvalidValue, "is beyond the years that can be counted");
        let at = match self {
            Self::Never => return Ok(End::default()),
            Self::On(end) => return end.card_end(zone).within("on"),
            Self::Days(days) => now.checked_add(i64::from(days.0) * DAY_MS),
            Self::Months(months) => add_months(now, months.0, zone.moment(now)?.utc_offset_s()),
        };
        let at = at.filter(|at| zone.moment(*at).is_ok()).ok_or_else(beyond)?;
        Ok(End { at: Some(at), on: None })
    }
}

#[cfg(test)]
mod tests {
    use giftcard_engine::moment::format_instant;

    use super::*;

    fn at(text: &str) -> InstantMs {
        super::super::Instant(text.to_string()).at().unwrap()
    }

    #[test]
    fn cards_end_when_their_programme_says() {
        let on = |text: &str| ExpiryInput::On(DayOrInstant(text.to_string()));
        for (rule, zone, issued, expected, day) in [
            (ExpiryInput::Never, "UTC", "2026-01-31T12:00:00Z", None, None),
            (ExpiryInput::Days(Count(30)), "UTC", "2026-01-31T12:00:00Z", Some("2026-03-02T12:00:00Z"), None),
            (ExpiryInput::Months(Count(1)), "UTC", "2026-01-31T12:00:00Z", Some("2026-02-28T12:00:00Z"), None),
            (ExpiryInput::Months(Count(12)), "UTC", "2024-02-29T00:00:00Z", Some("2025-02-28T00:00:00Z"), None),
            // In New York it is still the 31st of January.
            (
                ExpiryInput::Months(Count(1)),
                "America/New_York",
                "2026-02-01T02:00:00Z",
                Some("2026-03-01T02:00:00Z"),
                None,
            ),
            (
                on("2026-12-31"),
                "Europe/Berlin",
                "2026-01-01T00:00:00Z",
                Some("2026-12-31T23:00:00Z"),
                Some("2026-12-31"),
            ),
            (on("2026-12-31T10:00:00Z"), "Europe/Berlin", "2026-01-01T00:00:00Z", Some("2026-12-31T10:00:00Z"), None),
        ] {
            let zone = Zone::named(zone).unwrap();
            let end = rule.end(at(issued), &zone).unwrap();
            let found = (end.at.map(format_instant), end.on);
            assert_eq!(found, (expected.map(str::to_string), day.map(str::to_string)), "{rule:?} from {issued}");
            assert_eq!(rule.check(&zone), Ok(()));
        }
    }

    #[test]
    fn a_rule_beyond_all_years_is_no_rule() {
        for (rule, path) in [
            (ExpiryInput::Days(Count(DAYS_MAX + 1)), "days"),
            (ExpiryInput::Months(Count(MONTHS_MAX + 1)), "months"),
            (ExpiryInput::On(DayOrInstant("2026-02-30".to_string())), "on"),
        ] {
            assert_eq!(rule.check(&Zone::UTC).unwrap_err().path, path);
        }
        assert!(ExpiryInput::Days(Count(1)).end(i64::MAX - 5, &Zone::UTC).is_err());
    }
}
