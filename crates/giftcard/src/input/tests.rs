//! Inputs that are wrong, and what each is told; and what is assumed where an input says nothing.

use giftcard_engine::card::Status;
use giftcard_engine::moment::format_instant;
use giftcard_engine::programme::{Audience, OnFailure};
use giftcard_engine::value::{Named, Value};
use giftcard_engine::{Currency, Money};
use giftcard_host::{Facts, Setting, SettingKind, World};
use serde_json::{Value as Json, json};

use super::*;

/// No condition plugin is loaded.
pub(crate) struct NoPlugins;

impl Plugins for NoPlugins {
    fn facts(&self, _: &str) -> Option<&Facts> {
        None
    }

    fn ids(&self) -> Vec<String> {
        Vec::new()
    }
}

/// One plugin with a setting of every kind, named as the kind.
struct OnePlugin(Facts);

impl OnePlugin {
    fn new() -> Self {
        let kinds = [
            SettingKind::Flag,
            SettingKind::Integer,
            SettingKind::Quantity,
            SettingKind::Percent,
            SettingKind::Money,
            SettingKind::Text,
            SettingKind::Choice,
            SettingKind::Date,
            SettingKind::Time,
            SettingKind::Texts,
            SettingKind::Choices,
        ];
        let setting = |kind: SettingKind| Setting {
            name: kind.name().to_string(),
            label: String::new(),
            help: String::new(),
            kind,
            required: false,
            default: None,
            minimum: None,
            maximum: None,
            choices: match kind {
                SettingKind::Choice | SettingKind::Choices => {
                    ["any", "all", "none"].map(|choice| (choice.to_string(), String::new())).to_vec()
                }
                _ => Vec::new(),
            },
            items_max: None,
        };
        Self(Facts {
            id: "every-kind".to_string(),
            version: "1.0.0".to_string(),
            contract: "giftcard:rules@0.1.0".to_string(),
            world: World::ConditionPlugin,
            title: String::new(),
            summary: String::new(),
            digest: String::new(),
            size: 0,
            imports: Vec::new(),
            settings: kinds.map(setting).to_vec(),
            reject_codes: Vec::new(),
            needs: Vec::new(),
            shares_limits: true,
        })
    }
}

impl Plugins for OnePlugin {
    fn facts(&self, name: &str) -> Option<&Facts> {
        ["every-kind", "every-kind@1.0.0"].contains(&name).then_some(&self.0)
    }

    fn ids(&self) -> Vec<String> {
        vec!["every-kind".to_string()]
    }
}

/// A small input with one part replaced: `patch(&["order", "total"], json!(35))`.
fn patched(path: &str, value: Json) -> String {
    let mut input = json!({
        "site": {"currency": "USD"},
        "order": {"currency": "USD", "total": "35.00"},
        "programmes": [{"code_name": "p", "conditions": [{"plugin": "every-kind"}]}],
        "cards": [{"id": "A", "balance": "15.00"}],
    });
    let mut place = &mut input;
    for name in path.split('/') {
        place = match name.parse::<usize>() {
            Ok(index) => &mut place[index],
            Err(_) => &mut place[name],
        };
    }
    *place = value;
    input.to_string()
}

fn read(text: &str) -> Result<giftcard_engine::QuoteRequest, InputError> {
    read_quote(text, &OnePlugin::new(), 1_767_225_600_000)
}

#[test]
fn every_mistake_is_told_where_it_is_what_it_is_and_what_would_be_right() {
    let rows: &[(&str, Json, &str, &str)] = &[
        // Amounts.
        (
            "order/total",
            json!(35.0),
            "wrong-type",
            "`order.total`: 35.0 is a JSON number; amounts are decimal strings such as \"35.00\"",
        ),
        (
            "order/total",
            json!(-35),
            "wrong-type",
            "`order.total`: -35 is a JSON number; amounts are decimal strings such as \"35.00\"",
        ),
        (
            "order/total",
            json!(true),
            "wrong-type",
            "`order.total`: is `true`; amounts are decimal strings such as \"35.00\"",
        ),
        (
            "order/total",
            json!(null),
            "wrong-type",
            "`order.total`: is null; amounts are decimal strings such as \"35.00\"",
        ),
        (
            "order/total",
            json!(["1"]),
            "wrong-type",
            "`order.total`: is an array; amounts are decimal strings such as \"35.00\"",
        ),
        (
            "order/total",
            json!({}),
            "wrong-type",
            "`order.total`: is an object; amounts are decimal strings such as \"35.00\"",
        ),
        (
            "order/total",
            json!("35.001"),
            "invalid-amount",
            "`order.total`: `35.001` has more than the 2 decimals of USD; write it as `35.00`",
        ),
        ("order/total", json!("-0.01"), "invalid-amount", "`order.total`: `-0.01` is negative; it must be at least 0"),
        (
            "order/total",
            json!("1,000.00"),
            "invalid-amount",
            "`order.total`: `1,000.00` is not an amount; write digits and at most one decimal point, without separators \
             or a currency, such as `35.00`",
        ),
        (
            "order/total",
            json!("90071992547409.92"),
            "invalid-amount",
            "`order.total`: `90071992547409.92` is too much; the greatest amount is 90071992547409.91 USD",
        ),
        (
            "cards/0/balance",
            json!(15),
            "wrong-type",
            "`cards[0].balance`: 15 is a JSON number; amounts are decimal strings such as \"35.00\"",
        ),
        (
            "cards/0/balance",
            json!("-1"),
            "invalid-amount",
            "`cards[0].balance`: `-1` is negative; it must be at least 0",
        ),
        (
            "cards/0/held",
            json!("15.01"),
            "inconsistent",
            "`cards[0].held`: 15.01 USD is more than the balance of 15.00 USD",
        ),
        (
            "cards/0/use_at_most",
            json!("0"),
            "invalid-amount",
            "`cards[0].use_at_most`: is nothing; leave out a card that must not pay",
        ),
        (
            "order/lines",
            json!([{"total": "1.00"}, {"total": 34}]),
            "wrong-type",
            "`order.lines[1].total`: 34 is a JSON number; amounts are decimal strings such as \"35.00\"",
        ),
        (
            "order/lines",
            json!([{"total": "35.00", "quantity": "2"}]),
            "missing-field",
            "`order.lines[0].unit_price`: is missing; it can be left out only where the quantity is 1",
        ),
        (
            "order/lines",
            json!([{"total": "35.00", "quantity": 2}]),
            "wrong-type",
            "`order.lines[0].quantity`: 2 is a JSON number; quantities are decimal strings with up to three decimals such as \"1.5\"",
        ),
        (
            "order/lines",
            json!([{"total": "35.00", "quantity": "0.0001"}]),
            "invalid-value",
            "`order.lines[0].quantity`: `0.0001` is not a quantity; write a decimal of at least 0 with at most 3 decimals, such as `1.5`",
        ),
        (
            "order/lines",
            json!([{"total": "35.00", "part": "gift_card"}]),
            "wrong-type",
            "`order.lines[0].part`: `gift_card` is not known here; it must be `goods`, `gift-card`, `shipping` or `fee`",
        ),
        // Currencies.
        (
            "order/currency",
            json!("XYZ"),
            "unknown-currency",
            "`order.currency`: `XYZ` is not a currency of ISO 4217; write its code, such as `USD`",
        ),
        (
            "order/currency",
            json!("eur"),
            "unknown-currency",
            "`order.currency`: `eur` is not a currency of ISO 4217; write its code, such as `EUR`",
        ),
        (
            "order/currency",
            json!(840),
            "wrong-type",
            "`order.currency`: 840 is a JSON number; currencies are strings of three upper-case letters such as \"USD\"",
        ),
        (
            "cards/0/currency",
            json!("XAU"),
            "unknown-currency",
            "`cards[0].currency`: `XAU` is not a currency of ISO 4217; write its code, such as `USD`",
        ),
        // Fields.
        (
            "order/totl",
            json!("35.00"),
            "unknown-field",
            "`order.totl`: there is no such field; the fields here are `id`, `site`, `channel`, `payment_method`, `shipping_method`, `currency`, `total`, `paid`, `totals`, `lines`, `discounts`, `billing`, `ship_to`, `customer`, `placed_at`, `attributes`",
        ),
        (
            "card",
            json!([]),
            "unknown-field",
            "`card`: there is no such field; the fields here are `now`, `site`, `order`, `programmes`, `cards`",
        ),
        (
            "programmes/0/pays",
            json!({"tax": true}),
            "unknown-field",
            "`programmes[0].pays.tax`: there is no such field; the fields here are `shipping`, `fees`, `gift_cards`",
        ),
        ("order", json!({"total": "1"}), "missing-field", "`order.currency`: is missing"),
        ("order", json!("1001"), "wrong-type", "`order`: is the string `1001`; it must be an object"),
        ("cards", json!({}), "wrong-type", "`cards`: is an object; it must be an array"),
        ("cards", json!([5]), "wrong-type", "`cards[0]`: is the JSON number 5; it must be an object"),
        ("order/id", json!(1001), "wrong-type", "`order.id`: is the JSON number 1001; it must be a string"),
        (
            "order/customer",
            json!({"registered": "yes"}),
            "wrong-type",
            "`order.customer.registered`: is the string `yes`; it must be `true` or `false`",
        ),
        (
            "order/customer",
            json!({"orders": -1}),
            "wrong-type",
            "`order.customer.orders`: is the JSON number -1; it must be a whole number from 0 to 4294967295",
        ),
        (
            "order/customer",
            json!({"roles": ["a", 1]}),
            "wrong-type",
            "`order.customer.roles[1]`: is the JSON number 1; it must be a string",
        ),
        (
            "order/ship_to",
            json!({"country": "usa"}),
            "invalid-value",
            "`order.ship_to.country`: `usa` is not a country; write two upper-case letters, such as `US`",
        ),
        ("order/site", json!("b"), "ok", ""),
        (
            "cards/0/status",
            json!("frozen"),
            "wrong-type",
            "`cards[0].status`: `frozen` is not known here; it must be `pending`, `active`, `disabled` or `closed`",
        ),
        (
            "cards/0/status",
            json!(1),
            "wrong-type",
            "`cards[0].status`: is the JSON number 1; it must be `pending`, `active`, `disabled` or `closed`",
        ),
        // Attributes.
        (
            "order/attributes",
            json!({"weight": 1.5}),
            "wrong-type",
            "`order.attributes.weight`: 1.5 is a JSON number with a fraction; attributes are `true` or `false`, a whole number, a string, an array of strings or an amount as {\"amount\": \"1.00\", \"currency\": \"USD\"}",
        ),
        (
            "order/attributes",
            json!({"n": 9_007_199_254_740_992_i64}),
            "wrong-type",
            "`order.attributes.n`: 9007199254740992 is beyond 9007199254740991; write it as a string",
        ),
        (
            "order/attributes",
            json!({"l": ["a", true]}),
            "wrong-type",
            "`order.attributes.l[1]`: is `true`; it must be a string",
        ),
        (
            "order/attributes",
            json!({"m": {"amount": "1.001", "currency": "USD"}}),
            "invalid-amount",
            "`order.attributes.m.amount`: `1.001` has more than the 2 decimals of USD; write it as `35.00`",
        ),
        // Time.
        (
            "now",
            json!("2026-01-31"),
            "invalid-value",
            "`now`: `2026-01-31` is not an instant; write date, time and offset, such as `2026-01-31T12:00:00Z`",
        ),
        (
            "now",
            json!(1_767_225_600),
            "wrong-type",
            "`now`: 1767225600 is a JSON number; instants are strings as RFC 3339 writes them such as \"2026-01-31T12:00:00Z\"",
        ),
        (
            "cards/0/expires_at",
            json!("31.01.2026"),
            "invalid-value",
            "`cards[0].expires_at`: `31.01.2026` is neither a day such as `2026-01-31` nor an instant such as `2026-01-31T12:00:00Z`",
        ),
        (
            "site/time_zone",
            json!("Mars/Olympus"),
            "invalid-value",
            "`site.time_zone`: `Mars/Olympus` is not a zone of the IANA database; write one such as `Europe/Berlin`",
        ),
        // The site.
        (
            "site/order_of_use",
            json!("random"),
            "wrong-type",
            "`site.order_of_use`: `random` is not known here; it must be `as-entered`, `soonest-expiry`, `smallest-balance` or `oldest-first`",
        ),
        (
            "site/cards_max",
            json!("20"),
            "wrong-type",
            "`site.cards_max`: is the string `20`; it must be a whole number from 0 to 4294967295",
        ),
        (
            "site/rates",
            json!([{"from": "USD", "to": "EUR", "rate": 1.08}]),
            "wrong-type",
            "`site.rates[0].rate`: 1.08 is a JSON number; rates are decimal strings such as \"1.08\"",
        ),
        (
            "site/rates",
            json!([{"from": "USD", "to": "EUR", "rate": "0"}]),
            "invalid-value",
            "`site.rates[0].rate`: `0` is not a rate that can be kept exactly; write a decimal above 0, such as `1.08`",
        ),
        (
            "site/rates",
            json!([{"from": "USD", "to": "USD", "rate": "1"}]),
            "inconsistent",
            "`site.rates[0].to`: is the same currency as `from`",
        ),
        (
            "site/rates",
            json!([{"from": "USD", "to": "EUR", "rate": "1"}, {"from": "USD", "to": "EUR", "rate": "2"}]),
            "inconsistent",
            "`site.rates[1]`: a rate from USD to EUR was given before, as rates[0]",
        ),
        // Programmes.
        (
            "programmes",
            json!([{"code_name": "p"}, {"code_name": "p"}]),
            "inconsistent",
            "`programmes[1].code_name`: `p` was given before, as programmes[0]",
        ),
        (
            "programmes/0/valid_to",
            json!("2026-02-30"),
            "invalid-value",
            "`programmes[0].valid_to`: `2026-02-30` is neither a day such as `2026-01-31` nor an instant such as `2026-01-31T12:00:00Z`",
        ),
        (
            "programmes",
            json!([{"code_name": "p", "valid_from": "2026-02-01", "valid_to": "2026-01-31"}]),
            "inconsistent",
            "`programmes[0].valid_to`: is not after `valid_from`",
        ),
        (
            "programmes/0/audience",
            json!("staff"),
            "wrong-type",
            "`programmes[0].audience`: `staff` is not known here; it must be `everyone`, `registered`, `roles` or `customer`",
        ),
        (
            "programmes/0/audience",
            json!("roles"),
            "wrong-type",
            "`programmes[0].audience.roles`: needs a value; write an object such as {\"roles\": ...}",
        ),
        (
            "programmes/0/audience",
            json!({"roles": "vip"}),
            "wrong-type",
            "`programmes[0].audience.roles`: is the string `vip`; it must be an array",
        ),
        (
            "programmes/0/audience",
            json!({"roles": []}),
            "invalid-value",
            "`programmes[0].audience.roles`: is empty, so nobody could use the cards; name at least one role, or write `registered`",
        ),
        (
            "programmes/0/minimum_order",
            json!(50),
            "wrong-type",
            "`programmes[0].minimum_order`: 50 is a JSON number; amounts are decimal strings such as \"35.00\"",
        ),
        (
            "programmes/0/minimum_order",
            json!("50.001"),
            "invalid-amount",
            "`programmes[0].minimum_order`: `50.001` has more than the 2 decimals of USD; write it as `35.00`",
        ),
        (
            "programmes/0/minimum_order",
            json!({"amount": "50", "basis": "net"}),
            "wrong-type",
            "`programmes[0].minimum_order.basis`: `net` is not known here; it must be `total`, `total-without-tax`, `goods` or `goods-without-tax`",
        ),
        (
            "programmes/0/minimum_order",
            json!([]),
            "wrong-type",
            "`programmes[0].minimum_order`: is an array; it must be an amount such as \"50.00\", or an object with `amount` and `basis`",
        ),
        // Conditions.
        (
            "programmes/0/conditions/0/plugin",
            json!("other"),
            "unknown-plugin",
            "`programmes[0].conditions[0].plugin`: `other` is not among the loaded condition plugins; loaded: `every-kind`",
        ),
        (
            "programmes/0/conditions/0/on_failure",
            json!("ignore"),
            "inconsistent",
            "`programmes[0].conditions[0].on_failure`: `ignore` is not allowed for `every-kind`: its limits would fall away with it",
        ),
        (
            "programmes/0/conditions/0/on_failure",
            json!({"previous": {"plugin": "x"}}),
            "unknown-plugin",
            "`programmes[0].conditions[0].on_failure.previous.plugin`: `x` is not among the loaded condition plugins; loaded: `every-kind`",
        ),
        (
            "programmes/0/conditions/0/on_failure",
            json!({"previous": {}}),
            "missing-field",
            "`programmes[0].conditions[0].on_failure.previous.plugin`: is missing",
        ),
        (
            "programmes/0/conditions/0/on_failure",
            json!("shrug"),
            "wrong-type",
            "`programmes[0].conditions[0].on_failure`: `shrug` is not known here; it must be `refuse-card`, `ignore` or `previous`",
        ),
    ];
    assert!(rows.len() >= 30);
    for (path, value, code, expected) in rows {
        match read(&patched(path, value.clone())) {
            Ok(_) => assert_eq!(*code, "ok", "{path} {value}"),
            Err(error) => {
                assert_eq!((error.kind.code(), error.to_string().as_str()), (*code, *expected), "{path} {value}")
            }
        }
    }
}

#[test]
fn settings_become_what_their_plugin_declares() {
    let usd = Currency::iso("USD").unwrap();
    let eur = Currency::iso("EUR").unwrap();
    let money = |amount: &str, currency: Currency| Value::Money(Money::new(currency.parse(amount).unwrap(), currency));
    let rows = [
        ("flag", json!(true), Value::Flag(true)),
        ("integer", json!(-5), Value::Integer(-5)),
        ("quantity", json!("1.5"), Value::Integer(1500)),
        ("percent", json!("12.5"), Value::Integer(1250)),
        ("percent", json!("50"), Value::Integer(5000)),
        ("money", json!("25.00"), money("25.00", usd)),
        ("money", json!({"amount": "25.00", "currency": "EUR"}), money("25.00", eur)),
        ("text", json!("x"), Value::Text("x".to_string())),
        ("choice", json!("all"), Value::Text("all".to_string())),
        ("date", json!("2026-01-31"), Value::Text("2026-01-31".to_string())),
        ("time", json!("08:30"), Value::Text("08:30".to_string())),
        ("texts", json!(["a", "b"]), Value::Texts(vec!["a".to_string(), "b".to_string()])),
        ("choices", json!([]), Value::Texts(Vec::new())),
    ];
    for (name, json, expected) in rows {
        let request = read(&patched("programmes/0/conditions/0/settings", json!({name: json}))).unwrap();
        let found = &request.programmes[0].conditions[0].settings;
        assert_eq!(*found, [Named { name: name.to_string(), value: expected }]);
    }
    let none = read(&patched("programmes/0/conditions/0/settings", json!({"flag": null}))).unwrap();
    assert!(none.programmes[0].conditions[0].settings.is_empty());
}

#[test]
fn settings_of_another_kind_are_refused() {
    let rows = [
        (
            json!({"colour": 1}),
            "colour`: `every-kind` has no such setting; its settings are `flag`, `integer`, `quantity`, `percent`, `money`, `text`, `choice`, `date`, `time`, `texts`, `choices`",
        ),
        (json!({"flag": "yes"}), "flag`: is the string `yes`; it must be `true` or `false`"),
        (json!({"integer": "5"}), "integer`: is the string `5`; it must be a whole number such as 5"),
        (json!({"integer": 1.5}), "integer`: 1.5 is not a whole number within ±9007199254740991"),
        (
            json!({"integer": 9_007_199_254_740_992_i64}),
            "integer`: 9007199254740992 is not a whole number within ±9007199254740991",
        ),
        (
            json!({"quantity": 1.5}),
            "quantity`: 1.5 is a JSON number; quantities are decimal strings with up to three decimals such as \"1.5\"",
        ),
        (
            json!({"percent": 12.5}),
            "percent`: 12.5 is a JSON number; percentages are decimal strings with up to two decimals such as \"12.5\"",
        ),
        (
            json!({"percent": "12.345"}),
            "percent`: `12.345` does not fit: percentages are decimal strings with up to two decimals such as \"12.5\"",
        ),
        (
            json!({"percent": "50%"}),
            "percent`: `50%` does not fit: percentages are decimal strings with up to two decimals such as \"12.5\"",
        ),
        (
            json!({"money": 25}),
            "money`: 25 is a JSON number; amounts are decimal strings such as \"25.00\", or {\"amount\": \"25.00\", \"currency\": \"USD\"}",
        ),
        (
            json!({"money": {"amount": 25, "currency": "USD"}}),
            "money.amount`: 25 is a JSON number; amounts are decimal strings such as \"25.00\"",
        ),
        (
            json!({"money": {"amount": "25.001", "currency": "EUR"}}),
            "money.amount`: `25.001` has more than the 2 decimals of EUR; write it as `35.00`",
        ),
        (json!({"money": "-1"}), "money`: `-1` is negative; it must be at least 0"),
        (json!({"choice": "some"}), "choice`: `some` is not a choice; write `any`, `all` or `none`"),
        (json!({"date": "2026-02-30"}), "date`: `2026-02-30` is not a date such as `2026-01-31`"),
        (json!({"time": "24:00"}), "time`: `24:00` is not a time of day such as `08:30`"),
        (json!({"texts": "a"}), "texts`: is the string `a`; it must be an array of strings"),
        (json!({"texts": ["a", 1]}), "texts[1]`: 1 is a JSON number; it must be a string"),
        (json!({"choices": ["any", "some"]}), "choices[1]`: `some` is not a choice; write `any`, `all` or `none`"),
    ];
    for (settings, expected) in rows {
        let error = read(&patched("programmes/0/conditions/0/settings", settings)).unwrap_err();
        assert_eq!(error.to_string(), format!("`programmes[0].conditions[0].settings.{expected}"));
    }
}

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

#[test]
fn no_message_shows_a_code() {
    for code in [json!(12_345_678), json!(12_345_678.5), json!(["12345678"]), json!({"12345678": 1}), json!(true)] {
        let error = read(&patched("cards/0/code", code)).unwrap_err();
        let expected = "`cards[0].code`: is not a string; codes are strings, even where they are all digits";
        assert_eq!(error.to_string(), expected);
    }
    let input: QuoteInput = crate::json::read(&patched("cards/0/code", json!("SECRET-1234"))).unwrap();
    assert!(!format!("{input:?}").contains("SECRET"));
    let error = read(&patched("cards/0/code", json!(" - "))).unwrap_err();
    assert_eq!(error.to_string(), "`cards[0].code`: is empty; leave it out where only the id is known");
}

#[test]
fn keys_that_stand_twice_are_refused_wherever_they_are() {
    for (text, expected) in [
        (r#"{"order": {}, "order": {}}"#, "`order`: this field is there twice, again at line 1, column 23"),
        (
            r#"{"programmes": [{"conditions": [{"settings": {"a": 1, "a": 2}}]}]}"#,
            "`programmes[0].conditions[0].settings.a`: this field is there twice, again at line 1, column 59",
        ),
    ] {
        let error = read(text).unwrap_err();
        assert_eq!((error.kind.code(), error.to_string().as_str()), ("duplicate-key", expected));
    }
}

fn check_refund(input: &Json, expected: &str) {
    let found = read_refund(&input.to_string()).map_err(|error| format!("{} {error}", error.kind.code()));
    assert_eq!(found.unwrap_err(), expected, "{input}");
}

#[test]
fn a_refund_that_cannot_be_is_refused_with_its_path() {
    let with = |amount: &str, payment: Json| {
        json!({"currency": "USD", "mode": "cards", "amount": amount, "payments": [
            {"id": "bank", "tender": "other", "applied": "5.00"}, payment,
        ]})
    };
    check_refund(
        &with("0", json!({"id": "A", "applied": "1.00"})),
        "refund-not-positive `amount`: is nothing; a refund must be more than that",
    );
    check_refund(
        &with("1.01", json!({"id": "A", "applied": "1.00"})),
        "refund-above-refundable `amount`: 1.01 USD is more than is still refundable of what gift cards paid, which is \
         1.00 USD",
    );
    check_refund(
        &with("1.00", json!({"id": "bank", "applied": "1.00"})),
        "inconsistent `payments[1].id`: `bank` was given before, as payments[0]",
    );
    check_refund(
        &with("1.00", json!({"id": "A", "applied": "1.00", "applied_returned": "2.00"})),
        "inconsistent `payments[1]`: more has gone back than was paid",
    );
    check_refund(
        &with("1.00", json!({"id": "A", "applied": "1.00", "currency": "EUR"})),
        "missing-field `payments[1].taken`: is missing; the tender is in EUR, the order in USD",
    );
    check_refund(
        &with("1.00", json!({"id": "A", "applied": "1.00", "taken": "2.00"})),
        "inconsistent `payments[1]`: is in USD as the order is, so what was applied and what was taken must be equal",
    );
    check_refund(
        &json!({"currency": "USD", "mode": "all", "amount": "1", "payments": []}),
        "wrong-type `mode`: `all` is not known here; it must be `cards` or `order`",
    );
    check_refund(&json!([]), "wrong-type the document is an array; it must be an object");
}
