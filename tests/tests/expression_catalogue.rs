//! Every rule of the catalogue is taken by the condition `expression`, is true of one order and false of another,
//! negated the other way round, and decides nothing, negated or not, where what it asks for is not known.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeSet;

use giftcard::Till;
use giftcard::expressions::{Catalogue, Tree};
use giftcard_tests::harness::{host, standard_rulebook};
use serde_json::{Value, json};

/// Changes of [`order`]: a JSON pointer, and what is there then; null takes it away.
type Changes = Vec<(&'static str, Value)>;

/// A rule with arguments that is true of [`order`], and what has to be changed for it to be false or not known.
struct Row {
    rule: &'static str,
    arguments: Value,
    is_false: Changes,
    /// Empty where it is always known.
    is_unknown: Changes,
}

fn row(rule: &'static str, arguments: Value, is_false: Changes, is_unknown: Changes) -> Row {
    Row { rule, arguments, is_false, is_unknown }
}

/// A Thursday evening in Berlin.
fn order() -> Value {
    json!({
        "now": "2026-06-04T16:30:00Z",
        "site": { "time_zone": "Europe/Berlin", "rates": [{ "from": "EUR", "to": "USD", "rate": "2" }] },
        "order": {
            "channel": "web", "payment_method": "invoice", "shipping_method": "courier",
            "currency": "USD", "total": "100.00",
            "totals": { "discounts": "5.00" },
            "lines": [
                { "sku": "B-1", "categories": ["books", "sale"], "tags": ["new"], "product_type": "physical",
                  "quantity": "3", "unit_price": "20.00", "total": "60.00" },
                { "sku": "T-2", "categories": ["toys"], "tags": ["wood"], "product_type": "physical", "total": "20.00" },
                { "part": "gift-card", "sku": "G-3", "categories": ["gifts"], "tags": ["new"], "product_type": "code",
                  "total": "10.00" },
                { "part": "shipping", "total": "10.00" },
            ],
            "discounts": [{ "code": "SPRING", "amount": "3.00" }, { "amount": "2.00" }],
            "billing": { "country": "DE", "region": "BE", "postal_code": "10115" },
            "ship_to": { "country": "US", "region": "CA", "postal_code": "94107" },
            "customer": {
                "registered": true, "roles": ["vip"], "segments": ["b2b", "old"], "email": "ada@example.com",
                "orders": 3, "spent": "500.00", "attributes": { "level": 3, "newsletter": true, "tier": "gold" },
            },
            "attributes": { "gift wrap": "blue \"ribbon\"", "parcels": 2, "express": false },
        },
        "programmes": [{ "code_name": "spring", "conditions": [] }],
        "cards": [{
            "id": "A", "programme": "spring", "balance": "25.00", "issued_at": "2026-05-25T12:00:00Z",
            "expires_at": "2026-06-24T12:00:00Z", "attributes": { "colour": "red", "batch": 7, "printed": true },
        }],
    })
}

const TOTAL: &str = "/order/total";
const GOODS: &str = "/order/lines/0/total";
const LINES: &str = "/order/lines";

fn cheaper() -> Changes {
    vec![(TOTAL, json!("50.00")), (GOODS, json!("10.00"))]
}

fn dearer() -> Changes {
    vec![(TOTAL, json!("140.00")), (GOODS, json!("100.00"))]
}

/// Lines that say less, so that nobody knows.
fn without(field: &str) -> Changes {
    let places: [&'static str; 3] = match field {
        "sku" => ["/order/lines/0/sku", "/order/lines/1/sku", "/order/lines/2/sku"],
        "categories" => ["/order/lines/0/categories", "/order/lines/1/categories", "/order/lines/2/categories"],
        "tags" => ["/order/lines/0/tags", "/order/lines/1/tags", "/order/lines/2/tags"],
        _ => ["/order/lines/0/product_type", "/order/lines/1/product_type", "/order/lines/2/product_type"],
    };
    places.map(|place| (place, Value::Null)).to_vec()
}

fn amounts_of_the_order() -> Vec<Row> {
    let fifty = || json!({ "amount": { "amount": "50.00", "currency": "EUR" } });
    let no_lines = || vec![(LINES, Value::Null), ("/order/totals", Value::Null)];
    vec![
        row("order-total-at-least", fifty(), cheaper(), vec![("/site/rates", Value::Null)]),
        row("order-total-at-most", json!({ "amount": "100" }), dearer(), vec![]),
        row("order-total-between", json!({ "from": "60", "to": "100.00" }), cheaper(), vec![]),
        row("order-total-between", json!({ "from": "60", "to": "100.00" }), dearer(), vec![]),
        row("goods-total-at-least", json!({ "amount": "80.00" }), cheaper(), no_lines()),
        row("goods-total-at-most", json!({ "amount": "80.0" }), dearer(), no_lines()),
        row("goods-total-between", json!({ "from": "70.00", "to": "80.00" }), dearer(), no_lines()),
        row("total-without-shipping-at-least", json!({ "amount": "90" }), cheaper(), no_lines()),
        row("total-without-shipping-at-most", json!({ "amount": "90" }), dearer(), no_lines()),
        row(
            "shipping-at-most",
            json!({ "amount": "10" }),
            vec![(TOTAL, json!("100.01")), ("/order/lines/3/total", json!("10.01"))],
            no_lines(),
        ),
        row(
            "order-currency",
            json!({ "currencies": ["EUR", "USD"] }),
            vec![("/order/currency", json!("GBP")), ("/cards/0/currency", json!("GBP")), ("/site/rates", Value::Null)],
            vec![],
        ),
        row(
            "order-channel",
            json!({ "channels": ["web"] }),
            vec![("/order/channel", json!("pos"))],
            vec![("/order/channel", Value::Null)],
        ),
        row("order-site", json!({ "sites": ["main"] }), vec![("/site/id", json!("other"))], vec![]),
        row(
            "payment-method",
            json!({ "methods": ["cash", "invoice"] }),
            vec![("/order/payment_method", json!("card"))],
            vec![("/order/payment_method", Value::Null)],
        ),
        row(
            "shipping-method",
            json!({ "methods": ["courier"] }),
            vec![("/order/shipping_method", json!("post"))],
            vec![("/order/shipping_method", Value::Null)],
        ),
    ]
}

fn cart() -> Vec<Row> {
    let sku = |place: &'static str, sku: &str| vec![(place, json!(sku))];
    let (first, second) = ("/order/lines/0/sku", "/order/lines/1/sku");
    let (categories, tags, types) = ("/order/lines/0/categories", "/order/lines/0/tags", "/order/lines/0/product_type");
    let both_types = |one: &str| vec![(types, json!(one)), ("/order/lines/1/product_type", json!(one))];
    let books_and_toys = || json!({ "categories": ["books", "toys"] });
    vec![
        row("cart-has-any-sku", json!({ "skus": ["X", "B-1"] }), sku(first, "Y"), without("sku")),
        row(
            "cart-has-any-category",
            json!({ "categories": ["sale"] }),
            vec![(categories, json!(["books"]))],
            without("categories"),
        ),
        row(
            "cart-has-any-tag",
            json!({ "tags": ["wood", "x"] }),
            vec![("/order/lines/1/tags", json!([]))],
            without("tags"),
        ),
        row("cart-has-any-type", json!({ "types": ["physical"] }), both_types("code"), without("type")),
        row("cart-has-every-sku", json!({ "skus": ["B-1", "T-2", "G-3"] }), sku(second, "B-1"), without("sku")),
        row("cart-has-every-category", books_and_toys(), vec![(categories, json!(["sale"]))], without("categories")),
        row(
            "cart-has-every-tag",
            json!({ "tags": ["new", "wood"] }),
            vec![("/order/lines/1/tags", json!(["x"]))],
            without("tags"),
        ),
        row("cart-has-every-type", json!({ "types": ["physical", "code"] }), both_types("code"), without("type")),
        row("cart-has-no-sku", json!({ "skus": ["X", "Y"] }), sku(first, "Y"), without("sku")),
        row(
            "cart-has-no-category",
            json!({ "categories": ["x"] }),
            vec![(categories, json!(["x"]))],
            without("categories"),
        ),
        row("cart-has-no-tag", json!({ "tags": ["x"] }), vec![(tags, json!(["new", "x"]))], without("tags")),
        row("cart-has-no-type", json!({ "types": ["x"] }), vec![(types, json!("x"))], without("type")),
        row("cart-has-only-skus", json!({ "skus": ["B-1", "T-2", "G-3"] }), sku(second, "X"), without("sku")),
        row(
            "cart-has-only-categories",
            json!({ "categories": ["books", "toys", "gifts"] }),
            vec![(categories, json!(["sale"]))],
            without("categories"),
        ),
        row("cart-has-only-tags", json!({ "tags": ["new", "wood"] }), vec![(tags, json!([]))], without("tags")),
        row(
            "cart-has-only-types",
            json!({ "types": ["physical", "code"] }),
            vec![(types, json!("x"))],
            without("type"),
        ),
        row(
            "cart-has-line-of-units",
            json!({ "categories": ["books"], "count": 3 }),
            vec![("/order/lines/0/quantity", json!("2.999"))],
            without("categories"),
        ),
        row(
            "cart-has-line-of-amount",
            json!({ "categories": ["books"], "amount": "60" }),
            cheaper(),
            without("categories"),
        ),
        // Lines of three units and of one.
        row(
            "cart-units-of-category-at-least",
            json!({ "categories": ["books", "toys"], "count": 4 }),
            vec![("/order/lines/0/quantity", json!("2"))],
            without("categories"),
        ),
        row(
            "cart-units-of-category-at-most",
            json!({ "categories": ["books", "toys"], "count": 4 }),
            vec![("/order/lines/0/quantity", json!("4"))],
            without("categories"),
        ),
        row(
            "cart-amount-of-category-at-least",
            json!({ "categories": ["books", "toys"], "amount": "80.00" }),
            cheaper(),
            without("categories"),
        ),
        row(
            "cart-units-of-sku-at-least",
            json!({ "skus": ["B-1", "G-3"], "count": 4 }),
            vec![("/order/lines/0/quantity", json!("2"))],
            without("sku"),
        ),
        row(
            "cart-units-of-sku-at-most",
            json!({ "skus": ["B-1", "G-3"], "count": 4 }),
            vec![("/order/lines/0/quantity", json!("4"))],
            without("sku"),
        ),
        row(
            "cart-amount-of-sku-at-least",
            json!({ "skus": ["B-1", "T-2"], "amount": { "amount": "40.00", "currency": "EUR" } }),
            cheaper(),
            without("sku"),
        ),
        row(
            "cart-lines-at-least",
            json!({ "count": 3 }),
            vec![("/order/lines/1/part", json!("fee"))],
            vec![(LINES, Value::Null)],
        ),
        row(
            "cart-lines-at-most",
            json!({ "count": 3 }),
            vec![("/order/lines/3/part", json!("goods"))],
            vec![(LINES, Value::Null)],
        ),
    ]
}

fn customer() -> Vec<Row> {
    let gone = |place: &'static str| vec![(place, Value::Null)];
    vec![
        row("customer-registered", json!({}), vec![("/order/customer/registered", json!(false))], vec![]),
        row(
            "customer-role",
            json!({ "roles": ["vip"] }),
            vec![("/order/customer/roles", json!([]))],
            gone("/order/customer/roles"),
        ),
        row("customer-role", json!({ "roles": ["vip"] }), gone("/order/customer"), vec![]),
        row(
            "customer-segment",
            json!({ "segments": ["x", "old"] }),
            vec![("/order/customer/segments", json!(["b2b"]))],
            gone("/order/customer/segments"),
        ),
        row(
            "customer-orders-at-least",
            json!({ "count": 3 }),
            vec![("/order/customer/orders", json!(2))],
            gone("/order/customer/orders"),
        ),
        row(
            "customer-spent-at-least",
            json!({ "amount": "500" }),
            vec![("/order/customer/spent", json!("499.99"))],
            gone("/order/customer/spent"),
        ),
        row(
            "customer-email-domain",
            json!({ "domains": ["example.com"] }),
            vec![("/order/customer/email", json!("ada@not-example.com"))],
            gone("/order/customer/email"),
        ),
        row(
            "ship-to-country",
            json!({ "countries": ["DE", "US"] }),
            vec![("/order/ship_to/country", json!("FR"))],
            gone("/order/ship_to"),
        ),
        row(
            "ship-to-region",
            json!({ "country": "US", "regions": ["CA"] }),
            vec![("/order/ship_to/country", json!("CO"))],
            gone("/order/ship_to/region"),
        ),
        row(
            "ship-to-postal-code",
            json!({ "prefixes": ["10", "94"] }),
            vec![("/order/ship_to/postal_code", json!("80331"))],
            gone("/order/ship_to/postal_code"),
        ),
        row(
            "billing-country",
            json!({ "countries": ["DE"] }),
            vec![("/order/billing/country", json!("FR"))],
            gone("/order/billing"),
        ),
        row(
            "billing-region",
            json!({ "country": "DE", "regions": ["BE"] }),
            vec![("/order/billing/region", json!("BY"))],
            gone("/order/billing/region"),
        ),
        row(
            "billing-postal-code",
            json!({ "prefixes": ["101"] }),
            vec![("/order/billing/postal_code", json!("10969"))],
            gone("/order/billing/postal_code"),
        ),
        row(
            "day-of-week",
            json!({ "days": ["sunday", "thursday"] }),
            vec![("/now", json!("2026-06-05T16:30:00Z"))],
            vec![],
        ),
        row(
            "time-of-day",
            json!({ "from": "18:30", "to": "18:31" }),
            vec![("/now", json!("2026-06-04T16:31:00Z"))],
            vec![],
        ),
        row(
            "date-between",
            json!({ "from": "2026-06-04", "to": "2026-06-04" }),
            vec![("/now", json!("2026-06-04T22:30:00Z"))],
            vec![],
        ),
    ]
}

fn card() -> Vec<Row> {
    let gone = |place: &'static str| vec![(place, Value::Null)];
    let attribute = |of: &'static str, name: &str, kind: &str, value: Value| (of, json!({ "name": name, kind: value }));
    let mut rows = vec![
        row(
            "discount-code-used",
            json!({ "codes": ["SPRING"] }),
            vec![("/order/discounts/0", json!({ "amount": "3.00" }))],
            gone("/order/discounts"),
        ),
        row(
            "card-programme",
            json!({ "programmes": ["spring"] }),
            vec![("/cards/0/programme", json!("other")), ("/programmes/0/code_name", json!("other"))],
            vec![],
        ),
        row("card-currency", json!({ "currencies": ["USD"] }), vec![("/cards/0/currency", json!("EUR"))], vec![]),
        row(
            "card-age-at-least",
            json!({ "days": 10 }),
            vec![("/cards/0/issued_at", json!("2026-05-25T17:00:00Z"))],
            vec![],
        ),
        row(
            "card-age-at-most",
            json!({ "days": 10 }),
            vec![("/cards/0/issued_at", json!("2026-05-24T12:00:00Z"))],
            vec![],
        ),
        row(
            "card-days-left-at-least",
            json!({ "days": 19 }),
            vec![("/cards/0/expires_at", json!("2026-06-10T12:00:00Z"))],
            vec![],
        ),
        row(
            "card-days-left-at-most",
            json!({ "days": 19 }),
            vec![("/cards/0/expires_at", json!("2026-06-25T12:00:00Z"))],
            vec![],
        ),
        // A card without end is known to have none.
        row("card-days-left-at-most", json!({ "days": 19 }), gone("/cards/0/expires_at"), vec![]),
        row("card-available-at-least", json!({ "amount": "25" }), vec![("/cards/0/balance", json!("24.99"))], vec![]),
    ];
    let attributes = [
        (
            "order-attribute-text",
            attribute("/order/attributes/gift wrap", "gift wrap", "text", json!("blue \"ribbon\"")),
        ),
        ("order-attribute-number", attribute("/order/attributes/parcels", "parcels", "number", json!(2))),
        ("order-attribute-flag", attribute("/order/attributes/express", "express", "flag", json!(false))),
        ("customer-attribute-text", attribute("/order/customer/attributes/tier", "tier", "text", json!("gold"))),
        ("customer-attribute-number", attribute("/order/customer/attributes/level", "level", "number", json!(3))),
        (
            "customer-attribute-flag",
            attribute("/order/customer/attributes/newsletter", "newsletter", "flag", json!(true)),
        ),
        ("card-attribute-text", attribute("/cards/0/attributes/colour", "colour", "text", json!("red"))),
        ("card-attribute-number", attribute("/cards/0/attributes/batch", "batch", "number", json!(7))),
        ("card-attribute-flag", attribute("/cards/0/attributes/printed", "printed", "flag", json!(true))),
    ];
    let another = |rule: &str| match rule.rsplit('-').next() {
        Some("text") => json!("another"),
        Some("number") => json!(99),
        _ => json!(rule == "order-attribute-flag"),
    };
    rows.extend(
        attributes.map(|(rule, (place, arguments))| row(rule, arguments, vec![(place, another(rule))], gone(place))),
    );
    rows
}

/// Rules that are false of [`order`], written the other way round.
fn turned() -> Vec<(Changes, Row)> {
    let no_gift_cards = || vec![(TOTAL, json!("90.00")), ("/order/lines/2", Value::Null)];
    let no_discounts = || vec![("/order/totals/discounts", json!("0.00")), ("/order/discounts", json!([]))];
    vec![
        (no_gift_cards(), row("cart-sells-no-gift-cards", json!({}), vec![], vec![])),
        (
            no_discounts(),
            row(
                "no-discounts",
                json!({}),
                vec![],
                vec![("/order/totals", Value::Null), ("/order/discounts", Value::Null)],
            ),
        ),
        (
            vec![("/order/customer/orders", json!(0))],
            row("customer-first-order", json!({}), vec![], vec![("/order/customer/orders", Value::Null)]),
        ),
        (
            vec![("/cards/0/expires_at", Value::Null)],
            row("card-days-left-at-least", json!({ "days": 1000 }), vec![], vec![]),
        ),
    ]
}

fn changed(mut order: Value, changes: &Changes) -> Value {
    for (pointer, value) in changes {
        let (whole, name) = pointer.rsplit_once('/').unwrap();
        match order.pointer_mut(whole).unwrap() {
            Value::Array(items) if value.is_null() => {
                items.remove(name.parse().unwrap());
            }
            Value::Array(items) => items[name.parse::<usize>().unwrap()] = value.clone(),
            Value::Object(fields) if value.is_null() => {
                fields.shift_remove(name);
            }
            Value::Object(fields) => {
                fields.insert(name.to_string(), value.clone());
            }
            other => unreachable!("{pointer}: {other}"),
        }
    }
    order
}

/// Whether cards may pay; none where the condition could not decide.
fn answer(till: &Till, tree: &Tree, mut order: Value) -> Option<bool> {
    let settings = json!({ "when": tree.to_expression() });
    order["programmes"][0]["conditions"] = json!([{ "plugin": "expression", "settings": settings }]);
    let quote = till.quote(&order.to_string(), 0, false).unwrap_or_else(|error| panic!("{settings}: {error}"));
    if let Some(failure) = quote.conditions.iter().find_map(|condition| condition.failure.as_ref()) {
        assert_eq!(failure.code, "component-failed", "{settings}: {}", failure.message);
        return None;
    }
    let card = serde_json::to_value(&quote.cards[0]).unwrap();
    match card["outcome"].as_str().unwrap() {
        "refused" => {
            assert_eq!(card["code"], "expression-false", "{settings}: {card}");
            Some(false)
        }
        _ => Some(true),
    }
}

#[test]
fn every_rule_means_what_it_says() {
    let till = Till::new(standard_rulebook(&host()));
    let plain = [amounts_of_the_order(), cart(), customer(), card()].into_iter().flatten();
    let mut untested: BTreeSet<&str> = Catalogue::STANDARD.rules.iter().map(|rule| rule.id).collect();
    for (is_true, row) in plain.map(|row| (vec![], row)).chain(turned()) {
        untested.remove(row.rule);
        let tree = json!({ "rule": row.rule, "arguments": row.arguments });
        let not = Tree::from_json(&json!({ "not": tree }).to_string()).unwrap();
        let tree = Tree::from_json(&tree.to_string()).unwrap();
        let mut worlds = vec![("true", Some(true), is_true), ("false", Some(false), row.is_false)];
        if !row.is_unknown.is_empty() {
            worlds.push(("unknown", None, row.is_unknown));
        }
        for (name, expected, changes) in worlds {
            let order = changed(order(), &changes);
            let text = tree.to_expression();
            assert_eq!(answer(&till, &tree, order.clone()), expected, "{name}: {text}");
            assert_eq!(answer(&till, &not, order), expected.map(|holds| !holds), "{name}, negated: {text}");
        }
    }
    assert_eq!(untested, BTreeSet::new(), "rules without a row");
}

#[test]
fn trees_are_decided_with_what_is_known() {
    let till = Till::new(standard_rulebook(&host()));
    let (yes, no) = (json!({ "rule": "customer-registered" }), json!({ "not": { "rule": "customer-registered" } }));
    let unknown = json!({ "rule": "order-attribute-flag", "arguments": { "name": "nobody knows", "flag": true } });
    for (tree, expected) in [
        (json!({ "all": [] }), Some(true)),
        (json!({ "any": [] }), Some(false)),
        (json!({ "all": [yes] }), Some(true)),
        (json!({ "any": [no] }), Some(false)),
        (json!({ "all": [yes, no] }), Some(false)),
        (json!({ "any": [no, { "all": [yes, yes] }] }), Some(true)),
        (json!({ "all": [yes, unknown] }), None),
        (json!({ "all": [unknown, no] }), Some(false)),
        (json!({ "any": [unknown, yes] }), Some(true)),
        (json!({ "any": [no, { "not": unknown }] }), None),
        (json!({ "all": [yes, { "code": "order.total > money(\"99\") ? true : false // as agreed" }] }), Some(true)),
    ] {
        let tree = Tree::from_json(&tree.to_string()).unwrap();
        assert_eq!(answer(&till, &tree, order()), expected, "{}", tree.to_expression());
    }
}
