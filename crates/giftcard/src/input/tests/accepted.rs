//! What an input means, and what is assumed where it says nothing.

use giftcard_engine::card::Status;
use giftcard_engine::moment::format_instant;
use giftcard_engine::programme::{Audience, OnFailure};
use giftcard_engine::value::{Named, Value};
use serde_json::json;

use super::{NoPlugins, patched, read};
use crate::input::read_quote;

#[test]
fn whatever_has_a_sensible_default_may_be_left_out() {
    let text = json!({
        "order": {"currency": "JPY", "total": "3500", "lines": [{"total": "3500"}]},
        "cards": [{"balance": "1500"}, {"balance": "4000", "id": "B"}],
    });
    let request = read_quote(&text.to_string(), &NoPlugins, 1_767_225_600_000).unwrap();
    assert_eq!((request.site.id.as_str(), request.site.currency.code(), request.site.cards_max), ("main", "JPY", 20));
    assert_eq!((request.now.at(), request.now.utc_offset_s()), (1_767_225_600_000, 0));
    let card = &request.cards[0];
    assert_eq!((card.id.as_str(), card.programme.as_str(), card.site.as_str()), ("card-1", "manual", "main"));
    assert_eq!((card.status, card.initial.get(), card.held.get()), (Status::Active, 1500, 0));
    assert_eq!((card.issued_at, card.expires_at), (1_767_225_600_000, None));
    assert_eq!(request.cards[1].id, "B");
    let line = &request.order.lines.as_ref().unwrap()[0];
    assert_eq!((line.quantity_milli, line.unit_price.get(), line.payable_by_card), (1000, 3500, true));
}

#[test]
fn a_site_is_named_once() {
    let mut input = json!({"order": {"site": "b", "currency": "USD", "total": "1"}, "cards": []});
    assert_eq!(read(&input.to_string()).unwrap().site.id, "b");
    input["site"] = json!({"id": "a"});
    let error = read(&input.to_string()).unwrap_err();
    assert_eq!(error.to_string(), "`order.site`: is `b`, but the document's site is `a`");
}

#[test]
fn a_plain_date_is_a_whole_day_of_the_sites_zone() {
    let input = json!({
        "site": {"time_zone": "America/New_York"},
        "order": {"currency": "USD", "total": "1.00"},
        "programmes": [{"code_name": "p", "valid_from": "2026-03-08", "valid_to": "2026-03-08"}],
        "cards": [{"balance": "1.00", "expires_at": "2026-11-01"}, {"balance": "1.00", "expires_at": "2026-11-01T12:00:00Z"}],
    });
    let request = read(&input.to_string()).unwrap();
    let (from, to) = (request.programmes[0].valid_from.unwrap(), request.programmes[0].valid_to.unwrap());
    assert_eq!(
        (format_instant(from), format_instant(to)),
        ("2026-03-08T05:00:00Z".into(), "2026-03-09T04:00:00Z".into())
    );
    assert_eq!(format_instant(request.cards[0].expires_at.unwrap()), "2026-11-02T05:00:00Z");
    assert_eq!(format_instant(request.cards[1].expires_at.unwrap()), "2026-11-01T12:00:00Z");
    // The date is kept as it was written; an instant has none.
    let on = |date: Option<chrono::NaiveDate>| date.map(|date| date.to_string()).unwrap_or_default();
    let programme = &request.programmes[0];
    assert_eq!((on(programme.valid_from_on), on(programme.valid_to_on)), ("2026-03-08".into(), "2026-03-08".into()));
    assert_eq!((on(request.cards[0].expires_on), on(request.cards[1].expires_on)), ("2026-11-01".into(), "".into()));
}

#[test]
fn audiences_and_failure_policies_are_read() {
    for (given, expected) in [
        (json!("everyone"), Audience::Everyone),
        (json!("registered"), Audience::Registered),
        (json!({"roles": ["vip"]}), Audience::InRoles(vec!["vip".to_string()])),
        (json!({"customer": "c-1"}), Audience::Customer("c-1".to_string())),
    ] {
        assert_eq!(read(&patched("programmes/0/audience", given)).unwrap().programmes[0].audience, expected);
    }
    let previous = json!({"previous": {"plugin": "every-kind@1.0.0", "settings": {"integer": 1}}});
    let request = read(&patched("programmes/0/conditions/0/on_failure", previous)).unwrap();
    let settings = vec![Named { name: "integer".to_string(), value: Value::Integer(1) }];
    let expected = OnFailure::Previous { plugin: "every-kind@1.0.0".to_string(), settings };
    assert_eq!(request.programmes[0].conditions[0].on_failure, expected);
}
