//! Inputs that are wrong, and what each is told.

use giftcard_host::{Facts, Setting, SettingKind, World};
use serde_json::{Value as Json, json};

use super::*;

mod accepted;
mod bounds;
mod cards;
mod pay;
mod refund;
mod schema;
mod settings;

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
            granted: giftcard_host::Grant::default(),
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

/// Where, what, and the code and message it is told with.
type Mistake = (&'static str, Json, &'static str, &'static str);

fn mistakes() -> Vec<Mistake> {
    vec![
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
            "`order.total`: `35.001` has more than the 2 decimals of USD; write amounts like `35.00`",
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
            "invalid-value",
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
            "invalid-value",
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
            "`order.attributes.m.amount`: `1.001` has more than the 2 decimals of USD; write amounts like `35.00`",
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
            "invalid-value",
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
            "invalid-value",
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
            "`programmes[0].minimum_order`: `50.001` has more than the 2 decimals of USD; write amounts like `35.00`",
        ),
        (
            "programmes/0/minimum_order",
            json!({"amount": "50", "basis": "net"}),
            "invalid-value",
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
            "invalid-value",
            "`programmes[0].conditions[0].on_failure`: `shrug` is not known here; it must be `refuse-card`, `ignore` or `previous`",
        ),
        // What a name may not be.
        ("order/id", json!(""), "invalid-value", "`order.id`: is empty; it must be at least one character long"),
        ("order/site", json!(""), "invalid-value", "`order.site`: is empty; it must be at least one character long"),
        ("site/id", json!(""), "invalid-value", "`site.id`: is empty; it must be at least one character long"),
        (
            "order/customer",
            json!({"id": ""}),
            "invalid-value",
            "`order.customer.id`: is empty; it must be at least one character long",
        ),
        (
            "programmes/0/code_name",
            json!(""),
            "invalid-value",
            "`programmes[0].code_name`: is empty; it must be at least one character long",
        ),
        (
            "programmes/0/site",
            json!(""),
            "invalid-value",
            "`programmes[0].site`: is empty; it must be at least one character long",
        ),
        (
            "programmes/0/accepted_by",
            json!(["a", ""]),
            "invalid-value",
            "`programmes[0].accepted_by[1]`: is empty; it must be at least one character long",
        ),
        (
            "programmes/0/audience",
            json!({"customer": ""}),
            "invalid-value",
            "`programmes[0].audience.customer`: is empty; it must be at least one character long",
        ),
        (
            "programmes/0/conditions/0/plugin",
            json!(""),
            "invalid-value",
            "`programmes[0].conditions[0].plugin`: is empty; it must be at least one character long",
        ),
        ("cards/0/id", json!(""), "invalid-value", "`cards[0].id`: is empty; it must be at least one character long"),
        (
            "cards/0/site",
            json!(""),
            "invalid-value",
            "`cards[0].site`: is empty; it must be at least one character long",
        ),
        (
            "cards/0/programme",
            json!(""),
            "invalid-value",
            "`cards[0].programme`: is empty; it must be at least one character long",
        ),
        // Less than nothing, also where that is nothing.
        ("order/total", json!("-0.00"), "invalid-amount", "`order.total`: `-0.00` is negative; it must be at least 0"),
        (
            "order/total",
            json!("-0.001"),
            "invalid-amount",
            "`order.total`: `-0.001` is negative; it must be at least 0",
        ),
        ("order/paid", json!("-0"), "invalid-amount", "`order.paid`: `-0` is negative; it must be at least 0"),
        (
            "order/lines",
            json!([{"total": "35.00", "unit_price": "1.00", "quantity": "-0"}]),
            "invalid-value",
            "`order.lines[0].quantity`: `-0` is not a quantity; write a decimal of at least 0 with at most 3 decimals, such as `1.5`",
        ),
        (
            "order/attributes",
            json!({"m": {"amount": "-0.00", "currency": "USD"}}),
            "invalid-amount",
            "`order.attributes.m.amount`: `-0.00` is negative; it must be at least 0",
        ),
        (
            "site/rates",
            json!([{"from": "USD", "to": "EUR", "rate": "-0.5"}]),
            "invalid-value",
            "`site.rates[0].rate`: `-0.5` is not a rate that can be kept exactly; write a decimal above 0, such as `1.08`",
        ),
        (
            "site/cards_max",
            json!(20.0),
            "wrong-type",
            "`site.cards_max`: is the JSON number 20.0; it must be a whole number from 0 to 4294967295",
        ),
        (
            "site/cards_max",
            json!(4_294_967_296_i64),
            "wrong-type",
            "`site.cards_max`: is the JSON number 4294967296; it must be a whole number from 0 to 4294967295",
        ),
        (
            "now",
            json!("2026-01-31T12:00:00\u{2212}05:00"),
            "invalid-value",
            "`now`: `2026-01-31T12:00:00\u{2212}05:00` is not an instant; write date, time and offset, such as `2026-01-31T12:00:00Z`",
        ),
        // Objects that are no amounts.
        (
            "order/attributes",
            json!({"a": {"b": 1}}),
            "wrong-type",
            "`order.attributes.a`: is an object with `b`; attributes are `true` or `false`, a whole number, a string, an array of strings or an amount as {\"amount\": \"1.00\", \"currency\": \"USD\"}",
        ),
        (
            "order/attributes",
            json!({"a": {}}),
            "wrong-type",
            "`order.attributes.a`: is an empty object; attributes are `true` or `false`, a whole number, a string, an array of strings or an amount as {\"amount\": \"1.00\", \"currency\": \"USD\"}",
        ),
        (
            "order/attributes",
            json!({"a": {"amount": "1.00"}}),
            "missing-field",
            "`order.attributes.a.currency`: is missing",
        ),
    ]
}

#[test]
fn every_mistake_is_told_where_it_is_what_it_is_and_what_would_be_right() {
    let rows = mistakes();
    assert!(rows.len() >= 30);
    for (path, value, code, expected) in rows {
        match read(&patched(path, value.clone())) {
            Ok(_) => assert_eq!(code, "ok", "{path} {value}"),
            Err(error) => {
                assert_eq!((error.kind.code(), error.to_string().as_str()), (code, expected), "{path} {value}")
            }
        }
    }
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
        (r#"{"order": {}, "order": {}}"#, "`order`: this field is there twice, again at column 23"),
        (
            r#"{"programmes": [{"conditions": [{"settings": {"a": 1, "a": 2}}]}]}"#,
            "`programmes[0].conditions[0].settings.a`: this field is there twice, again at column 59",
        ),
    ] {
        let error = read(text).unwrap_err();
        assert_eq!((error.kind.code(), error.to_string().as_str()), ("duplicate-key", expected));
    }
}
