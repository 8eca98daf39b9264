//! Reports: what is owed, what moved in a period, and what became breakage.

use serde_json::json;

use super::super::testing::{Bench, NOW, bench, document, doing};
use super::super::{PayKind, SweepOptions};
use super::*;

const DAY_MS: i64 = 86_400_000;

fn period(from: &str, to: &str) -> Period {
    let end = |day: &str| (!day.is_empty()).then(|| DayOrInstant(day.to_string()));
    Period { from: end(from), to: end(to) }
}

/// Cards of 20.00, 30.00 (pending), 40.00 (disabled) and 5.00 (ends after a day), of which an order took 7.00 of the first
/// and 2.00 came back.
fn shop() -> Bench {
    let bench = bench();
    let (_, code) = bench.card("a", json!({ "value": "20.00" }));
    bench.card("b", json!({ "value": "30.00", "pending": true }));
    let (blocked, _) = bench.card("c", json!({ "value": "40.00" }));
    bench.desk.disable(&doing("block"), &blocked, None).unwrap();
    let end = format_instant(NOW + DAY_MS);
    bench.card("d", json!({ "value": "5.00", "expires_at": end }));
    let order = json!({
        "operation": "pay", "order": { "id": "o", "currency": "USD", "total": "7.00" },
        "cards": [{ "code": code.reveal() }],
    });
    bench.desk.pay(&document(&order), PayKind::Redeem, NOW).unwrap();
    let refund = json!({ "operation": "back", "order": "o", "mode": "cards", "amount": "2.00" });
    bench.desk.refund(&document(&refund), Vec::new(), NOW).unwrap();
    bench
}

#[test]
fn what_is_owed_is_told_by_state_and_adds_up() {
    let bench = shop();
    let now = bench.desk.report_liability(None, NOW).unwrap();
    assert_eq!(now.rows.len(), 1);
    let row = &now.rows[0];
    assert_eq!((row.active.as_str(), row.pending.as_str(), row.disabled.as_str()), ("20.00", "30.00", "40.00"));
    assert_eq!((row.expired.as_str(), row.total.as_str(), row.accounts), ("0.00", "90.00", 4));
    let later = bench.desk.report_liability(Some("main"), NOW + DAY_MS).unwrap();
    let row = &later.rows[0];
    assert_eq!((row.active.as_str(), row.expired.as_str(), row.total.as_str()), ("15.00", "5.00", "90.00"));
    assert_eq!(later.totals[0].total, "90.00");
    assert_eq!(bench.desk.report_liability(Some("euro"), NOW).unwrap().rows, []);
    let missing = bench.desk.report_liability(Some("nowhere"), NOW).unwrap_err();
    assert_eq!(missing.code(), "invalid-value");
}

#[test]
fn a_period_is_half_open_in_days_of_the_sites_zone() {
    let bench = shop();
    let turnover = |from: &str, to: &str| bench.desk.report_turnover(Some("main"), &period(from, to)).unwrap().rows;
    // Everything happened at 12:00 on 22 November.
    assert_eq!(turnover("2026-11-23", ""), []);
    assert_eq!(turnover("", "2026-11-22"), []);
    assert_eq!(turnover("2026-11-22T12:00:00.001Z", ""), []);
    for (from, to) in [("2026-11-22", "2026-11-23"), ("", ""), ("2026-11-22T12:00:00Z", "2026-11-22T12:00:00.001Z")] {
        let rows = turnover(from, to);
        assert_eq!(rows.len(), 1, "{from} {to}");
        let row = &rows[0];
        assert_eq!((row.issued.as_str(), row.redeemed.as_str(), row.refunded.as_str()), ("95.00", "7.00", "2.00"));
        assert_eq!((row.expired.as_str(), row.net.as_str()), ("0.00", "90.00"));
    }
    // A day in Berlin begins an hour earlier.
    let card = json!({ "value": "1.00", "currency": "EUR" });
    let late = super::super::Doing { site: "euro", now: NOW + 11 * 3_600_000, ..doing("late") };
    bench.desk.issue(&late, &document(&card)).unwrap();
    let berlin = |day: &str| bench.desk.report_turnover(None, &period(day, "")).unwrap().rows;
    assert_eq!(berlin("2026-11-23").iter().map(|row| row.site.as_str()).collect::<Vec<_>>(), ["euro"]);
    for (from, to) in [("2026-11-23", "2026-11-22"), ("2026-11-23", "2026-11-23")] {
        let error = bench.desk.report_turnover(None, &period(from, to)).unwrap_err();
        assert_eq!((error.code(), error.output().error.path.as_deref()), ("inconsistent", Some("to")));
    }
    let error = bench.desk.report_turnover(None, &period("yesterday", "")).unwrap_err();
    assert_eq!(error.output().error.path.as_deref(), Some("from"));
}

#[test]
fn breakage_waits_on_ended_cards_until_it_is_swept() {
    let bench = shop();
    let (all, later) = (Period::default(), NOW + 2 * DAY_MS);
    let row = |now| bench.desk.report_breakage(None, &all, now).unwrap().rows.remove(0);
    assert_eq!((row(NOW).cards_waiting, row(NOW).waiting.as_str()), (0, "0.00"));
    let waiting = row(later);
    assert_eq!((waiting.cards_waiting, waiting.waiting.as_str(), waiting.breakage.as_str()), (1, "5.00", "0.00"));
    bench.desk.sweep(&SweepOptions::default(), later, &mut |_| {}).unwrap();
    let swept = row(later);
    assert_eq!((swept.cards_waiting, swept.waiting.as_str()), (0, "0.00"));
    assert_eq!((swept.cards_expired, swept.breakage.as_str(), swept.issued.as_str()), (1, "5.00", "95.00"));
}

#[test]
fn a_pool_with_few_codes_is_low() {
    let bench = bench();
    bench.desk.set_pool("main", &document(&json!({ "name": "shelf", "low_stock": 3 }))).unwrap();
    bench.desk.generate_codes("main", "shelf", 2, NOW, &mut |_| {}).unwrap();
    let rows = bench.desk.report_stock(None).unwrap().rows;
    assert_eq!(rows.len(), 1);
    assert_eq!((rows[0].pool.as_str(), rows[0].free, rows[0].low, rows[0].low_stock), ("shelf", 2, true, Some(3)));
    assert_eq!(bench.desk.report_stock(Some("euro")).unwrap().rows, []);
}
