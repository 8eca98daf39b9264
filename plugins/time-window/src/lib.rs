//! Condition: on which days and at which times cards may pay. Local dates, weekdays and a time of day; a window over
//! midnight belongs, with all of its hours, to the day on which it began.

use std::fmt;

use giftcard_plugin::prelude::*;

struct TimeWindow;

const WRONG_DATE: &str = "the card can be used from {from} to {to}";
const ONE_DATE: &str = "the card can be used only on {from}";
const TOO_EARLY: &str = "the card can be used from {from} on";
const TOO_LATE: &str = "the card could be used until {to}";
const WRONG_WEEKDAY: &str = "the card can be used only on: {weekdays}";
const WRONG_TIME: &str = "the card can be used between {from} and {to}";

/// In the order of ISO 8601: 1 is Monday.
const WEEKDAYS: [(&str, &str); 7] = [
    ("mon", "Monday"),
    ("tue", "Tuesday"),
    ("wed", "Wednesday"),
    ("thu", "Thursday"),
    ("fri", "Friday"),
    ("sat", "Saturday"),
    ("sun", "Sunday"),
];

impl Condition for TimeWindow {
    fn describe() -> Description {
        let clocks = [("now", "when the card is used"), ("placed-at", "when the order was placed")];
        describe(
            "time-window",
            env!("CARGO_PKG_VERSION"),
            "Days and times",
            "Cards may pay on certain dates, on certain weekdays or at certain times of day.",
        )
        .setting(choices("weekdays", "Weekdays", "None means every day.", &WEEKDAYS).items_max(7))
        .setting(time("from-time", "From", "First minute of the day; with a later start than end, over midnight."))
        .setting(time("to-time", "Until", "This minute is outside already; leave it out for the end of the day."))
        .setting(date("from-date", "First date", "From its first minute on."))
        .setting(date("to-date", "Last date", "The whole of that day still counts."))
        .setting(
            choice("clock", "Which time counts", "An order that is not placed yet is placed now.", &clocks)
                .default_text("now"),
        )
        .reject("wrong-date", "the day is not within the dates")
        .reject("wrong-weekday", WRONG_WEEKDAY)
        .reject("wrong-time", WRONG_TIME)
    }

    fn check_settings(settings: &Settings) -> Result<(), Vec<Problem>> {
        let window = Window::of(settings)?;
        let mut problems = Vec::new();
        if window.weekdays.is_empty() && window.dates == (None, None) && window.times.is_none() {
            problems.push(problem("weekdays", "set at least one of weekdays, times and dates"));
        }
        if window.times.is_some_and(|(from, to)| from == to) {
            problems.push(problem("to-time", "must differ from `from-time`; leave both out for the whole day"));
        }
        if let (Some(from), Some(to)) = window.dates
            && from > to
        {
            problems.push(problem("to-date", format!("must not be before `from-date`, {from}")));
        }
        report(problems)
    }

    fn evaluate(request: &Request, settings: &Settings, trace: &mut Trace) -> Result<Evaluation, Failure> {
        let window = Window::of(settings)?;
        let placed = request.order.placed_at.as_ref().filter(|_| window.placed);
        let moment = placed.unwrap_or(&request.now);
        let refused = window.refusal(moment, trace);
        Ok(match refused {
            Some(reject) => reject_all(request, reject),
            None => accept_all(request),
        })
    }
}

giftcard_plugin::export_condition!(TimeWindow);

struct Window<'a> {
    weekdays: &'a [String],
    dates: (Option<Date>, Option<Date>),
    /// Minutes of the day, the second one outside; over midnight if the first is later.
    times: Option<(u16, u16)>,
    /// The time of the order counts.
    placed: bool,
}

impl<'a> Window<'a> {
    fn of(settings: &'a Settings) -> Result<Self, BadSetting> {
        let times = (settings.maybe_time("from-time")?, settings.maybe_time("to-time")?);
        Ok(Self {
            weekdays: settings.texts("weekdays")?,
            dates: (settings.maybe_date("from-date")?, settings.maybe_date("to-date")?),
            times: (times != (None, None)).then(|| (times.0.unwrap_or(0), times.1.unwrap_or(24 * 60))),
            placed: settings.maybe_text("clock")? == Some("placed-at"),
        })
    }

    /// The first thing that does not hold at `moment`.
    fn refusal(&self, moment: &Moment, trace: &mut Trace) -> Option<Reject> {
        let minute = moment.minute_of_day;
        let began_yesterday = self.times.is_some_and(|(from, to)| from > to && minute < to);
        let (date, weekday) = match (began_yesterday, moment.weekday) {
            (false, weekday) => (moment.date, weekday),
            (true, 1) => (moment.date.previous(), 7),
            (true, weekday) => (moment.date.previous(), weekday.saturating_sub(1)),
        };
        let since = if began_yesterday { ", the day on which the window began" } else { "" };
        if self.dates != (None, None) {
            let passed = self.dates.0.is_none_or(|from| date >= from) && self.dates.1.is_none_or(|to| date <= to);
            let needed = fmt::from_fn(|f| show_dates(self.dates, f));
            trace.order("date", passed, format_args!("{date}{since}"), needed);
            if !passed {
                return Some(wrong_date(self.dates));
            }
        }
        if !self.weekdays.is_empty() {
            let today = WEEKDAYS.get(usize::from(weekday).wrapping_sub(1));
            let passed = today.is_some_and(|(value, _)| self.weekdays.iter().any(|listed| listed == value));
            let listed = WEEKDAYS.iter().filter(|(value, _)| self.weekdays.iter().any(|listed| listed == value));
            let labels: Vec<&str> = listed.map(|(_, label)| *label).collect();
            let seen = today.map_or("no weekday", |(_, label)| label);
            trace.order("weekday", passed, format_args!("{seen}{since}"), labels.join(", "));
            if !passed {
                return Some(reject("wrong-weekday", WRONG_WEEKDAY).texts("weekdays", &labels));
            }
        }
        if let Some((from, to)) = self.times {
            let passed = if from <= to { (from..to).contains(&minute) } else { began_yesterday || minute >= from };
            let (from, to) = (show_time(from).to_string(), show_time(to).to_string());
            trace.order("time of day", passed, show_time(minute), format_args!("from {from} until before {to}"));
            if !passed {
                return Some(reject("wrong-time", WRONG_TIME).text("from", &from).text("to", &to));
            }
        }
        None
    }
}

fn wrong_date(dates: (Option<Date>, Option<Date>)) -> Reject {
    let message = match dates {
        (_, None) => TOO_EARLY,
        (None, _) => TOO_LATE,
        (from, to) if from == to => ONE_DATE,
        _ => WRONG_DATE,
    };
    let named = [("from", dates.0), ("to", dates.1)].into_iter().filter_map(|(name, date)| Some((name, date?)));
    named.fold(reject("wrong-date", message), |reject, (name, date)| reject.text(name, &date.to_string()))
}

fn show_dates(dates: (Option<Date>, Option<Date>), f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match dates {
        (None, None) => f.write_str("any"),
        (Some(from), None) => write!(f, "from {from} on"),
        (None, Some(to)) => write!(f, "until {to}"),
        (Some(from), Some(to)) => write!(f, "from {from} to {to}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use giftcard_plugin::testing;

    fn request(now: &str) -> Request {
        Request { now: testing::moment(now), ..testing::request(testing::order(1000)) }
    }

    fn check(settings: &[(&str, Value)], now: &str, expected: &str) {
        let settings = testing::settings::<TimeWindow>(settings);
        assert_eq!(testing::answer::<TimeWindow>(&request(now), &settings), expected, "{now}");
    }

    #[test]
    fn a_window_is_half_open() {
        let both = [("from-time", "08:30".into()), ("to-time", "10:00".into())];
        check(&both, "2026-01-01 08:29", "reject wrong-time");
        check(&both, "2026-01-01 08:30", "accept");
        check(&both, "2026-01-01 09:59", "accept");
        check(&both, "2026-01-01 10:00", "reject wrong-time");
        check(&both[..1], "2026-01-01 08:29", "reject wrong-time");
        check(&both[..1], "2026-01-01 23:59", "accept");
        check(&both[1..], "2026-01-01 00:00", "accept");
        check(&both[1..], "2026-01-01 10:00", "reject wrong-time");
    }

    #[test]
    fn a_window_over_midnight_belongs_to_the_day_it_began() {
        // 2026-01-05 is a Monday.
        let settings = [("weekdays", ["mon"].into()), ("from-time", "22:00".into()), ("to-time", "02:00".into())];
        for (now, expected) in [
            ("2026-01-05 01:59", "reject wrong-weekday"),
            ("2026-01-05 12:00", "reject wrong-time"),
            ("2026-01-05 21:59", "reject wrong-time"),
            ("2026-01-05 22:00", "accept"),
            ("2026-01-05 23:59", "accept"),
            ("2026-01-06 00:00", "accept"),
            ("2026-01-06 01:59", "accept"),
            ("2026-01-06 02:00", "reject wrong-weekday"),
            ("2026-01-06 22:00", "reject wrong-weekday"),
        ] {
            check(&settings, now, expected);
        }
        let sunday = [("weekdays", ["sun"].into()), ("from-time", "22:00".into()), ("to-time", "00:30".into())];
        check(&sunday, "2026-01-05 00:29", "accept");
        check(&sunday, "2026-01-05 00:30", "reject wrong-weekday");
        let midnight = [("weekdays", ["sun"].into()), ("from-time", "22:00".into()), ("to-time", "00:00".into())];
        check(&midnight, "2026-01-04 23:59", "accept");
        check(&midnight, "2026-01-05 00:00", "reject wrong-weekday");
    }

    #[test]
    fn dates_of_a_window_over_midnight_are_those_on_which_it_began() {
        let settings = [
            ("from-date", "2025-12-31".into()),
            ("to-date", "2025-12-31".into()),
            ("from-time", "22:00".into()),
            ("to-time", "02:00".into()),
        ];
        check(&settings, "2025-12-31 01:00", "reject wrong-date");
        check(&settings, "2025-12-31 22:00", "accept");
        check(&settings, "2026-01-01 01:59", "accept");
        check(&settings, "2026-01-01 22:00", "reject wrong-date");
    }

    #[test]
    fn the_whole_of_the_last_date_counts() {
        let both = [("from-date", "2026-02-28".into()), ("to-date", "2026-03-01".into())];
        check(&both, "2026-02-27 23:59", "reject wrong-date");
        check(&both, "2026-02-28 00:00", "accept");
        check(&both, "2026-03-01 23:59", "accept");
        check(&both, "2026-03-02 00:00", "reject wrong-date");
        check(&both[..1], "2030-01-01 00:00", "accept");
        check(&both[1..], "1999-01-01 00:00", "accept");
    }

    #[test]
    fn the_order_counts_where_it_is_placed_and_asked_for() {
        let settings =
            |clock: &str| testing::settings::<TimeWindow>(&[("to-date", "2026-01-31".into()), ("clock", clock.into())]);
        let mut late = request("2026-02-01 00:00");
        let answer = |request: &Request, clock| testing::answer::<TimeWindow>(request, &settings(clock));
        assert_eq!(answer(&late, "placed-at"), "reject wrong-date");
        late.order.placed_at = Some(testing::moment("2026-01-31 23:59"));
        assert_eq!(answer(&late, "placed-at"), "accept");
        assert_eq!(answer(&late, "now"), "reject wrong-date");
    }

    #[test]
    fn shoppers_are_told_when() {
        for (settings, expected) in [
            (vec![("from-date", "2026-02-01".into())], "the card can be used from 2026-02-01 on"),
            (vec![("to-date", "2025-02-01".into())], "the card could be used until 2025-02-01"),
            (
                vec![("from-date", "2025-02-01".into()), ("to-date", "2025-03-01".into())],
                "the card can be used from 2025-02-01 to 2025-03-01",
            ),
            (vec![("weekdays", ["sat", "mon"].into())], "the card can be used only on: Monday, Saturday"),
            (vec![("weekdays", ["sat"].into())], "the card can be used only on: Saturday"),
            (
                vec![("from-date", "2026-02-01".into()), ("to-date", "2026-02-01".into())],
                "the card can be used only on 2026-02-01",
            ),
            (vec![("from-time", "08:30".into())], "the card can be used between 08:30 and 24:00"),
        ] {
            let settings = testing::settings::<TimeWindow>(&settings);
            assert_eq!(testing::message::<TimeWindow>(&request("2026-01-01 00:00"), &settings), expected);
        }
    }

    #[test]
    fn the_end_of_the_day_is_said_to_be_left_out() {
        let until = TimeWindow::describe().settings.into_iter().find(|setting| setting.name == "to-time");
        assert!(until.is_some_and(|until| until.help.contains("leave it out for the end of the day")));
        check(&[("from-time", "08:30".into())], "2026-01-01 23:59", "accept");
        let midnight = testing::settings::<TimeWindow>(&[("to-time", "24:00".into())]);
        assert_eq!(testing::problems::<TimeWindow>(&midnight), "to-time");
    }

    #[test]
    fn moments_that_do_not_exist_are_outside() {
        let settings = testing::settings::<TimeWindow>(&[
            ("weekdays", ["mon", "sun"].into()),
            ("from-time", "22:00".into()),
            ("to-time", "02:00".into()),
        ]);
        let now = testing::moment("2026-01-05 00:00");
        for odd in [
            Moment { weekday: 0, ..now },
            Moment { weekday: 9, ..now },
            Moment { weekday: 0, minute_of_day: u16::MAX, ..now },
            Moment { weekday: 255, date: Date { year: i32::MIN, month: 0, day: 0 }, ..now },
        ] {
            let request = Request { now: odd, ..request("2026-01-01 00:00") };
            assert_eq!(testing::answer::<TimeWindow>(&request, &settings), "reject wrong-weekday");
        }
    }

    #[test]
    fn settings_that_cannot_work_are_refused() {
        for (settings, expected) in [
            (vec![], "weekdays"),
            (vec![("weekdays", Value::Texts(Vec::new()))], "weekdays"),
            (vec![("from-time", "10:00".into()), ("to-time", "10:00".into())], "to-time"),
            (vec![("to-time", "00:00".into())], "to-time"),
            (vec![("from-date", "2026-02-01".into()), ("to-date", "2026-01-31".into())], "to-date"),
            (vec![("from-date", "2026-02-30".into())], "from-date"),
            (vec![("from-time", "24:00".into())], "from-time"),
            (vec![("from-date", "2026-02-01".into()), ("to-date", "2026-02-01".into())], ""),
            (vec![("from-time", "22:00".into()), ("to-time", "00:00".into())], ""),
            (vec![("weekdays", ["mon"].into())], ""),
        ] {
            let settings = testing::settings::<TimeWindow>(&settings);
            assert_eq!(testing::problems::<TimeWindow>(&settings), expected);
        }
    }
}
