//! Sites and programmes: what is kept, and what is refused by which field.

use std::thread;

use serde_json::{Value, json};

use super::super::testing::{bench, document, empty, error, told};
use super::super::{Desk, DeskError};
use crate::output::ProgrammeOutput;

fn with(base: &Value, field: &str, value: Value) -> Value {
    let mut changed = base.clone();
    changed[field] = value;
    changed
}

fn set(desk: &Desk, json: &Value) -> Result<ProgrammeOutput, DeskError> {
    desk.set_programme("main", &document(json))
}

#[test]
fn a_site_is_kept_as_it_was_set_and_counts_its_changes() {
    let bench = empty();
    let site = json!({ "id": "shop.example", "currency": "EUR", "time_zone": "Europe/Berlin",
        "rates": [{"from": "USD", "to": "EUR", "rate": "0.9"}], "cards_max": 3, "hold_minutes": 15 });
    assert_eq!(bench.desk.set_site(&document(&site)).unwrap().version, 1);
    assert_eq!(bench.desk.set_site(&document(&site)).unwrap().version, 1, "the same again is no change");
    let changed = with(&site, "cards_max", json!(4));
    assert_eq!(bench.desk.set_site(&document(&changed)).unwrap().version, 2);
    let kept = bench.desk.site("shop.example").unwrap().unwrap();
    assert_eq!((kept.version, serde_json::to_value(&kept.site).unwrap()), (2, changed));
    assert!(bench.desk.site("other").unwrap().is_none());
    assert_eq!(bench.desk.sites().unwrap().len(), 1);
    assert_eq!(bench.desk.configuration().unwrap().sites().count(), 1);
}

#[test]
fn every_mistake_in_a_site_is_told_by_its_field() {
    let bench = bench();
    let site = json!({ "id": "new", "currency": "USD" });
    for (field, value, code, path) in [
        ("id", json!("a b"), "invalid-value", "id"),
        ("id", json!("../x"), "invalid-value", "id"),
        ("currency", json!("XXX"), "unknown-currency", "currency"),
        ("currency", json!("usd"), "unknown-currency", "currency"),
        ("time_zone", json!("Mars/Olympus"), "invalid-value", "time_zone"),
        ("rates", json!([{"from": "USD", "to": "EUR", "rate": "0"}]), "invalid-value", "rates[0].rate"),
        ("rates", json!([{"from": "USD", "to": "USD", "rate": "1"}]), "inconsistent", "rates[0].to"),
        ("cards_max", json!(0), "invalid-value", "cards_max"),
        ("cards_max", json!(1001), "invalid-value", "cards_max"),
        ("hold_minutes", json!(0), "invalid-value", "hold_minutes"),
        ("hold_minutes", json!(10_000_000), "invalid-value", "hold_minutes"),
        ("refund_extension_days", json!(100_000), "invalid-value", "refund_extension_days"),
        ("card_value_max", json!("0.00"), "invalid-amount", "card_value_max"),
        ("card_value_max", json!("1.001"), "invalid-amount", "card_value_max"),
    ] {
        let found = told(bench.desk.set_site(&document(&with(&site, field, value.clone()))));
        assert_eq!(found, error(code, path), "{field}: {value}");
    }
    let other = json!({ "id": "main", "currency": "EUR" });
    assert_eq!(told(bench.desk.set_site(&document(&other))), error("inconsistent", "currency"));
    assert!(bench.desk.site("new").unwrap().is_none(), "nothing was kept");
}

#[test]
fn a_site_cannot_become_what_its_programmes_do_not_fit() {
    let bench = bench();
    let programme = json!({ "name": "Day", "valid_from": "2026-06-01T12:00:00Z", "valid_to": "2026-06-01" });
    set(&bench.desk, &programme).unwrap();
    // In Kiritimati that day ends before noon in UTC.
    let site = json!({ "id": "main", "currency": "USD", "time_zone": "Pacific/Kiritimati" });
    let refused = bench.desk.set_site(&document(&site)).unwrap_err();
    assert_eq!(refused.code(), "inconsistent");
    assert!(refused.to_string().contains("`day`"), "{refused}");
    bench.desk.configuration().unwrap();
}

#[test]
fn a_programme_gets_a_code_name_of_its_own() {
    let bench = bench();
    for (name, expected) in
        [("Happy Birthday", "happy-birthday"), ("happy birthday!", "happy-birthday-2"), ("Manual", "manual-2")]
    {
        let made = set(&bench.desk, &json!({ "name": name })).unwrap();
        assert_eq!((made.code_name.as_str(), made.version, made.frozen), (expected, 1, false));
        assert_eq!(made.programme.code_name.as_deref(), Some(expected));
    }
    for name in ["Happy Birthday", "贈り物"] {
        let code_name = set(&bench.desk, &json!({ "name": name })).unwrap().code_name;
        assert!(["happy-birthday-3", "programme"].contains(&code_name.as_str()), "{code_name}");
    }
    let changed = json!({ "name": "Other", "code_name": "happy-birthday" });
    assert_eq!(set(&bench.desk, &changed).unwrap().version, 2);
    assert_eq!(bench.desk.programmes("main").unwrap().len(), 5);
    assert!(bench.desk.programmes("euro").unwrap().is_empty());
    assert_eq!(told(bench.desk.programmes("none")), error("invalid-value", "site"));
    assert!(bench.desk.programme("main", "none").unwrap().is_none());
    let configuration = bench.desk.configuration().unwrap();
    assert_eq!(configuration.site("main").unwrap().own_programmes().len(), 5);
}

#[test]
fn programmes_made_at_the_same_time_do_not_take_each_others_name() {
    let bench = bench();
    let other = bench.another(9);
    let make =
        |desk: &Desk| (0..10).map(|_| set(desk, &json!({"name": "Gift"})).unwrap().code_name).collect::<Vec<_>>();
    let mut names = thread::scope(|scope| {
        let threads = [scope.spawn(|| make(&bench.desk)), scope.spawn(|| make(&other))];
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
    });
    names.sort();
    names.dedup();
    assert_eq!(names.len(), 20);
}

#[test]
fn every_mistake_in_a_programme_is_told_by_its_field_and_nothing_is_kept() {
    let bench = bench();
    let condition = |plugin: &str, settings: Value| json!([{ "plugin": plugin, "settings": settings }]);
    for (field, value, code, path) in [
        ("name", json!("  "), "invalid-value", "name"),
        ("code_name", json!("manual"), "invalid-value", "code_name"),
        ("code_name", json!("MANUAL"), "invalid-value", "code_name"),
        ("code_name", json!("a/b"), "invalid-value", "code_name"),
        ("currency", json!("XXX"), "unknown-currency", "currency"),
        ("value", json!({"fixed": "0.00"}), "invalid-amount", "value.fixed"),
        ("value", json!({"denominations": []}), "invalid-value", "value.denominations"),
        ("value", json!({"denominations": ["5.00", "x"]}), "invalid-amount", "value.denominations[1]"),
        ("value", json!({"range": {"min": "9.00", "max": "8.00"}}), "inconsistent", "value.range.max"),
        ("minimum_order", json!("-1.00"), "invalid-amount", "minimum_order"),
        ("valid_from", json!("yesterday"), "invalid-value", "valid_from"),
        ("audience", json!({"roles": []}), "invalid-value", "audience.roles"),
        ("expires", json!({"months": 0}), "invalid-value", "expires"),
        ("expires", json!({"months": 5000}), "invalid-value", "expires.months"),
        ("expires", json!({"on": "2026-02-30"}), "invalid-value", "expires.on"),
        ("codes", json!({"pool": "none"}), "invalid-value", "codes.pool"),
        ("codes", json!({"pattern": {"pattern": "GIFT_XXXX"}}), "invalid-value", "codes.pattern.pattern"),
        ("codes", json!({"pattern": {"pattern": "GIFT!"}}), "invalid-value", "codes.pattern.pattern"),
        ("accepted_by", json!(["nowhere"]), "invalid-value", "accepted_by[0]"),
        ("accepted_by", json!(["main"]), "inconsistent", "accepted_by[0]"),
        ("accepted_by", json!(["euro", "euro"]), "inconsistent", "accepted_by[1]"),
        ("conditions", condition("none", json!({})), "unknown-plugin", "conditions[0].plugin"),
        ("conditions", condition("cart-contents", json!({"x": 1})), "invalid-settings", "conditions[0].settings.x"),
    ] {
        let programme = with(&json!({ "name": "P" }), field, value.clone());
        assert_eq!(told(set(&bench.desk, &programme)), error(code, path), "{field}: {value}");
    }
    assert!(bench.desk.programmes("main").unwrap().is_empty());
    let programme = document(&json!({ "name": "P" }));
    assert_eq!(told(bench.desk.set_programme("none", &programme)), error("invalid-value", "site"));
}

#[test]
fn settings_are_checked_by_the_plugin_itself() {
    let bench = bench();
    let host = giftcard_host::Host::new(giftcard_host::HostConfig::default()).unwrap();
    // A condition that needs a setting, whichever that is.
    let shelf = crate::Shelf::standard(&host).unwrap();
    let entries = shelf.entries();
    let needy = entries.iter().find(|entry| entry.facts.settings.iter().any(|setting| setting.required));
    let Some(needy) = needy else { return };
    let programme = json!({ "name": "P", "conditions": [{ "plugin": needy.facts.id }] });
    let (code, path) = told(set(&bench.desk, &programme));
    assert_eq!(code, "invalid-settings");
    assert!(path.starts_with("conditions[0].settings"), "{path}");
}

#[test]
fn a_weak_pattern_is_taken_on_purpose_and_warned_of() {
    let bench = bench();
    let pattern = json!({ "pattern": { "pattern": "HAPPYBD_XXXX", "accept_weak": true } });
    let made = set(&bench.desk, &json!({ "name": "P", "codes": pattern })).unwrap();
    assert!(made.warnings[0].contains("20 random bits"), "{:?}", made.warnings);
}

#[test]
fn amounts_that_would_be_others_there_keep_a_programme_at_home() {
    let bench = bench();
    bench.desk.set_site(&document(&json!({ "id": "second", "currency": "USD" }))).unwrap();
    let programme = json!({ "name": "P", "code_name": "p", "minimum_order": "10.00" });
    let at = |sites: Value| set(&bench.desk, &with(&programme, "accepted_by", sites));
    let refused = at(json!(["second", "euro"])).unwrap_err();
    assert_eq!(refused.code(), "not-acceptable-there");
    assert!(refused.to_string().contains("`euro`") && refused.to_string().contains("EUR"), "{refused}");
    at(json!(["second"])).unwrap();
    set(&bench.desk, &json!({ "name": "Q", "accepted_by": ["euro"] })).unwrap();
    let configuration = bench.desk.configuration().unwrap();
    let euro = configuration.site("euro").unwrap();
    assert!(euro.programme("main", "q").is_some() && euro.programme("main", "p").is_none());
}

#[test]
fn a_programme_is_switched_off_and_on() {
    let bench = bench();
    let programme = json!({ "name": "P", "value": {"fixed": "5.00"} });
    set(&bench.desk, &programme).unwrap();
    let off = bench.desk.enable_programme("main", "p", false).unwrap();
    assert_eq!((off.version, off.programme.enabled), (2, Some(false)));
    assert_eq!(bench.desk.enable_programme("main", "p", false).unwrap().version, 2);
    let on = bench.desk.enable_programme("main", "p", true).unwrap();
    assert_eq!((on.version, on.programme.enabled), (3, Some(true)));
    assert_eq!(told(bench.desk.enable_programme("main", "q", true)), error("invalid-value", "programme"));
    assert_eq!(told(bench.desk.enable_programme("main", "manual", true)), error("invalid-value", "programme"));
}

#[test]
fn the_value_is_frozen_once_a_card_exists() {
    let bench = bench();
    let programme = json!({ "name": "P", "code_name": "p", "value": {"fixed": "50.00"} });
    set(&bench.desk, &programme).unwrap();
    set(&bench.desk, &with(&programme, "value", json!({"fixed": "60.00"}))).unwrap();
    set(&bench.desk, &programme).unwrap();
    bench.issue("1", json!({ "programme": "p" })).unwrap();
    assert!(bench.desk.programme("main", "p").unwrap().unwrap().frozen);
    for (field, value) in [
        ("value", json!({"fixed": "60.00"})),
        ("value", json!(null)),
        ("value", json!({"denominations": ["50.00"]})),
        ("value", json!({"range": {"min": "50.00", "max": "50.00"}})),
        ("currency", json!("EUR")),
    ] {
        let mut changed = with(&programme, field, value);
        changed.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        assert_eq!(told(set(&bench.desk, &changed)).0, "value-frozen", "{changed}");
    }
    // The same amount written otherwise is the same, and so is the site's currency by name.
    let same = with(&with(&programme, "value", json!({"fixed": "50"})), "currency", json!("USD"));
    let kept = set(&bench.desk, &with(&same, "name", json!("Renamed"))).unwrap();
    assert!(kept.frozen);
    assert_eq!(&*kept.programme.name, "Renamed");
}
