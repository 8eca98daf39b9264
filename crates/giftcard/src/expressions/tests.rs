//! Every rule and every nesting is read back from its text, every mistake in a tree is told with its path, and what no
//! rule says stays as it is written. That the component takes and means the same is tested where it is run.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::json;

use super::rules::RULES;
use super::*;

/// Texts with everything that has to be escaped, and with what a reader may take for something else.
fn any_text() -> impl Strategy<Value = String> {
    let nasty = [
        "\"", "\\", "\\\"", "'", "`", "\n", "\r\n", "\t", "\u{7f}", "\u{85}", "//", "&&", "||", ")", "(", "!",
        "AMOUNT", "\"\"\"", "ß", "円", "🎁", "\u{202e}", "\u{2028}", "\\u0041", "{}", "  ",
    ];
    let piece = prop_oneof![
        proptest::sample::select(nasty.to_vec()).prop_map(str::to_string),
        "[a-zA-Z0-9 _.-]{1,8}",
        "\\PC{1,4}",
    ];
    vec(piece, 1..5).prop_map(|pieces| pieces.concat()).prop_filter("not blank", |text| !text.trim().is_empty())
}

fn any_money() -> impl Strategy<Value = Argument> {
    let plain = (0..10_000_000_i64, 0..=4_usize).prop_map(|(digits, decimals)| Argument::Money {
        amount: match decimals {
            0 => digits.to_string(),
            decimals => format!("{}.{:0>decimals$}", digits / 100, digits % 10),
        },
        currency: None,
    });
    let with_currency =
        (0..1_000_000_i64, proptest::sample::select(vec![("EUR", 2), ("JPY", 0), ("KWD", 3), ("USD", 1)])).prop_map(
            |(digits, (code, decimals))| Argument::Money {
                amount: match decimals {
                    0 => digits.to_string(),
                    decimals => format!("{digits}.{:0>decimals$}", digits % 10),
                },
                currency: Some(code.to_string()),
            },
        );
    prop_oneof![plain, with_currency]
}

fn any_argument(kind: Kind) -> BoxedStrategy<Argument> {
    let one_of = |items: &[&'static str]| proptest::sample::select(items.to_vec()).prop_map(str::to_string);
    let several = |items: &[&'static str]| vec(one_of(items), 1..4).prop_map(Argument::Texts).boxed();
    match kind {
        Kind::Money => any_money().boxed(),
        Kind::Number => prop_oneof![0..100_i64, Just((1_i64 << 53) - 1)].prop_map(Argument::Number).boxed(),
        Kind::Text => any_text().prop_map(Argument::Text).boxed(),
        Kind::Texts => vec(any_text(), 1..4).prop_map(Argument::Texts).boxed(),
        Kind::Flag => any::<bool>().prop_map(Argument::Flag).boxed(),
        Kind::Currencies => several(&["EUR", "USD", "JPY"]),
        Kind::Country => one_of(&["US", "DE"]).prop_map(Argument::Text).boxed(),
        Kind::Countries => several(&["US", "DE", "GB"]),
        Kind::Domains => several(&["example.com", "bücher.example", "a-b.co.uk"]),
        Kind::Weekdays => several(&["monday", "saturday", "sunday"]),
        Kind::Date => (2000..2100, 1..=12, 1..=28)
            .prop_map(|(year, month, day)| Argument::Text(format!("{year}-{month:02}-{day:02}")))
            .boxed(),
        Kind::Time => {
            (0..24, 0..60).prop_map(|(hour, minute)| Argument::Text(format!("{hour:02}:{minute:02}"))).boxed()
        }
    }
}

fn any_use_of(rule: &'static Rule) -> BoxedStrategy<Tree> {
    let arguments: Vec<BoxedStrategy<Argument>> =
        rule.parameters.iter().map(|parameter| any_argument(parameter.kind)).collect();
    let known = |arguments: Vec<Argument>| {
        let named = rule.parameters.iter().map(|parameter| parameter.name.to_string()).zip(arguments);
        Known::new(rule.id, named.collect::<BTreeMap<_, _>>()).ok().map(Tree::Rule)
    };
    arguments.prop_filter_map("a range that ends before it begins", known).boxed()
}

/// Code as it is kept inside of a tree: one part, which is no rule.
fn any_code() -> impl Strategy<Value = Tree> {
    proptest::sample::select(vec![
        "card.age_days % 2 == 0",
        "order.lines.exists(l, l.tags.exists(t, t == l.sku))",
        "customer.registered ? card.age_days < 3 : now.weekday == 1",
        "order.id == \"a && b\" // as (agreed || not)",
        "'x' in   customer.roles",
        "has(order.id)",
        "order.channel == r\"\\\"",
        "// begins with one\norder.id != '''it's'''",
        "now.date\n  > \"2026-01-01\"",
    ])
    .prop_map(|code| Tree::Code(code.to_string()))
}

fn any_tree(rules: BoxedStrategy<Tree>) -> impl Strategy<Value = Tree> {
    let leaf = prop_oneof![4 => rules, 1 => any_code()];
    leaf.prop_recursive(5, 24, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Tree::All),
            vec(inner.clone(), 0..4).prop_map(Tree::Any),
            inner.prop_map(|inner| Tree::Not(Box::new(inner))),
        ]
    })
}

fn any_rule() -> BoxedStrategy<Tree> {
    proptest::sample::select(RULES.iter().collect::<Vec<_>>()).prop_flat_map(any_use_of).boxed()
}

fn has_a_rule(tree: &Tree) -> bool {
    match tree {
        Tree::Rule(_) => true,
        Tree::Code(_) => false,
        Tree::Not(inner) => has_a_rule(inner),
        Tree::All(parts) | Tree::Any(parts) => parts.is_empty() || parts.iter().any(has_a_rule),
    }
}

/// Expressions as people write them: spaces, comments, needless parentheses, rules and whatever else.
fn any_text_by_hand() -> impl Strategy<Value = String> {
    let leaf = proptest::sample::select(vec![
        "customer.registered",
        "true",
        "false",
        "x",
        "order.total>=money('50.00')",
        "money(\"5\") <= order.total && order.total <= money(\"9\", \"EUR\")",
        "now.weekday in [6,\n 7]",
        "a ? b : c",
        "order.channel in ['a', r\"b\"] // or so\n",
        "// all of them\ncustomer.orders == 0",
        "x == y",
        "-x < 3",
        "order.lines.exists(l, l.sku == 'a' || !l.ok)",
        "has(card.days_left) && card.days_left <= 030",
    ]);
    leaf.prop_map(str::to_string).prop_recursive(5, 20, 3, |inner| {
        let several = vec(inner.clone(), 2..4);
        prop_oneof![
            (several.clone(), any::<bool>()).prop_map(|(parts, tight)| parts.join(if tight { "&&" } else { "  && " })),
            (several, any::<bool>()).prop_map(|(parts, tight)| parts.join(if tight { "||" } else { "\n|| " })),
            // The parser makes nothing of two signs beside each other.
            inner.clone().prop_map(|inner| format!("!{}", inner.trim_start_matches('!'))),
            inner.clone().prop_map(|inner| format!("!({inner})")),
            inner.prop_map(|inner| format!("( {inner})")),
        ]
    })
}

/// What a text says, without where.
fn syntax(text: &str) -> Option<String> {
    let syntax = format!("{:?}", read::parse(text)?);
    let mut plain = String::new();
    for (index, piece) in syntax.split("id: ").enumerate() {
        plain.push_str(if index == 0 { piece } else { piece.trim_start_matches(|c: char| c.is_ascii_digit()) });
    }
    Some(plain)
}

fn comments(text: &str) -> Vec<String> {
    text.lines().filter_map(|line| line.split_once("//").map(|(_, comment)| comment.trim().to_string())).collect()
}

static SCHEMA: LazyLock<jsonschema::Validator> =
    LazyLock::new(|| jsonschema::validator_for(&crate::schema::schema(crate::schema::Document::RuleTree)).unwrap());

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn a_tree_is_read_back_from_its_text(tree in any_tree(any_rule())) {
        let text = tree.to_expression();
        prop_assume!(text.len() <= EXPRESSION_BYTES_MAX);
        let read = Tree::from_expression(&text);
        match has_a_rule(&tree) {
            true => prop_assert_eq!(&read, &tree, "{}", text),
            false => prop_assert_eq!(&read, &Tree::Code(text.clone())),
        }
        prop_assert_eq!(read.to_expression(), text);
    }

    #[test]
    fn what_is_written_by_hand_says_the_same_afterwards(text in any_text_by_hand()) {
        prop_assume!(syntax(&text).is_some());
        let tree = Tree::from_expression(&text);
        let printed = tree.to_expression();
        prop_assert_eq!(syntax(&printed), syntax(&text), "{}\n{}", text, printed);
        prop_assert_eq!(comments(&printed), comments(&text));
        prop_assert_eq!(Tree::from_expression(&printed), tree, "{}\n{}", text, printed);
        prop_assert_eq!(Tree::from_json(&Tree::from_expression(&text).to_json().to_string()).map(|tree| tree.to_expression()), Ok(printed));
    }

    #[test]
    fn a_tree_is_read_back_from_its_json(tree in any_tree(any_rule())) {
        prop_assume!(tree.to_expression().len() <= EXPRESSION_BYTES_MAX);
        let json = tree.to_json();
        prop_assert_eq!(SCHEMA.validate(&json).map_err(|error| error.to_string()), Ok(()));
        prop_assert_eq!(Tree::from_json(&json.to_string()), Ok(tree));
    }
}

#[test]
fn every_rule_is_read_back_from_its_text() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    for rule in RULES {
        let uses = any_use_of(rule);
        for _ in 0..20 {
            let tree = uses.new_tree(&mut runner).unwrap().current();
            let text = tree.to_expression();
            assert_eq!(Tree::from_expression(&text), tree, "{text}");
            let loose = format!(" ( {}\n) ", text.replace(" && ", "\n  &&  "));
            if !text.contains('"') {
                assert_eq!(Tree::from_expression(&loose), tree, "{loose}");
            }
        }
    }
}

#[test]
fn the_catalogue_is_consistent() {
    let ids: BTreeSet<&str> = RULES.iter().map(|rule| rule.id).collect();
    assert_eq!(ids.len(), RULES.len(), "an id stands twice");
    for rule in RULES {
        assert!(read::parse(rule.template).is_some(), "{}", rule.template);
        assert!(giftcard_engine::value::is_code(rule.id), "{}", rule.id);
        for parameter in rule.parameters {
            let (braces, word) = (format!("{{{}}}", parameter.name), parameter.name.to_ascii_uppercase());
            assert!(rule.label.contains(&braces), "{}: {braces} is not in its label", rule.id);
            let mut found = 0;
            read::words(rule.template, |piece, is_word| found += usize::from(is_word && piece == word));
            assert_eq!(found, 1, "{}: {word}", rule.id);
        }
        assert_eq!(rule.label.matches('{').count(), rule.parameters.len(), "{}", rule.id);
    }
}

#[test]
fn code_that_no_rule_says_stays_as_it_is_written() {
    for source in [
        "",
        "  ",
        "not an expression",
        "order.total >=",
        "  card.age_days % 2 == 0  ",
        "order.total >= 50",
        "order.total > money(\"50.00\")",
        "order.total >= money(\"-1\")",
        "order.total >= money(\"1.23\", \"JPY\")",
        "order.total >= money(order.channel)",
        "customer.orders >= -1",
        "order.currency in []",
        "order.currency in [\"EURO\"]",
        "order.currency in [order.channel]",
        "now.weekday in [0, 8]",
        "money(\"5\") <= order.total && money(\"1\") >= order.total",
        "order.lines.exists(x, x.sku in [\"a\"])",
        "a && b // nothing of ours",
        "order.total >= money(\"50.00\") // as agreed",
        "/* no such comment */ true",
        "customer.registered == true",
        "(customer.registered ? true : false) == customer.registered",
        &"!".repeat(5000),
        &"(".repeat(3000),
        &format!("{}x{}", "(".repeat(1990), ")".repeat(1990)),
        &format!("{}customer.registered{}", "!(".repeat(500), ")".repeat(500)),
        "customer.registered \u{a0}",
        "\"unterminated",
    ] {
        let tree = Tree::from_expression(source);
        assert_eq!(tree, Tree::Code(source.to_string()));
        assert_eq!(tree.to_expression(), source);
    }
}

#[test]
fn rules_are_found_beside_code_and_comments_stay() {
    let registered = || Tree::Rule(Known::new("customer-registered", BTreeMap::new()).unwrap());
    let code = |code: &str| Tree::Code(code.to_string());
    for (source, tree) in [
        ("customer.registered&&x", Tree::All(vec![registered(), code("x")])),
        ("!customer.registered", Tree::Not(Box::new(registered()))),
        (
            "!x == customer.registered || customer.registered",
            Tree::Any(vec![code("!x == customer.registered"), registered()]),
        ),
        ("customer.registered || x && y", Tree::Any(vec![registered(), Tree::All(vec![code("x"), code("y")])])),
        ("// first\ncustomer.registered && /* x */ y", code("// first\ncustomer.registered && /* x */ y")),
        (
            "customer.registered // first\n && customer.registered",
            Tree::All(vec![code("customer.registered // first"), registered()]),
        ),
        ("customer.registered ? x : y", code("customer.registered ? x : y")),
        (
            "(customer.registered ? x : y) || customer.registered",
            Tree::Any(vec![code("customer.registered ? x : y"), registered()]),
        ),
        (&format!("{}customer.registered{}", "(".repeat(500), ")".repeat(500)), registered()),
        ("true", Tree::All(Vec::new())),
        ("false || customer.registered", Tree::Any(vec![registered()])),
    ] {
        assert_eq!(Tree::from_expression(source), tree, "{source}");
        assert_eq!(Tree::from_expression(&tree.to_expression()), tree, "{source}");
    }
}

#[test]
fn mistakes_in_a_tree_are_told_with_their_path() {
    let at = |rule: &str, arguments: serde_json::Value| json!({ "rule": rule, "arguments": arguments });
    for (tree, path, problem) in [
        (json!([]), "", "must be an object"),
        (json!({}), "", "must have one of the fields rule, all, any, not, code, and has none"),
        (json!({ "all": [], "any": [] }), "", "has more than one"),
        (json!({ "all": {} }), "all", "must be an array"),
        (json!({ "all": [{ "not": { "any": [7] } }] }), "all[0].not.any[0]", "must be an object"),
        (json!({ "rule": "customer-registered", "argument": {} }), "argument", "is not known beside `rule`"),
        (json!({ "code": "x", "arguments": {} }), "arguments", "is not known beside `code`"),
        (json!({ "code": "x) || (true" }), "code", "`x) || (true` is no expression"),
        (json!({ "code": "(".repeat(100_000) }), "code", "has 100000 bytes; at most 4000 are allowed"),
        (json!({ "rule": "order-total" }), "rule", "`order-total` is not in the catalogue"),
        (json!({ "rule": 7 }), "rule", "must be a string"),
        (json!({ "rule": "order-total-at-least" }), "arguments.amount", "is missing"),
        (at("order-total-at-least", json!([])), "arguments", "must be an object"),
        (
            at("customer-registered", json!({ "x": 1 })),
            "arguments.x",
            "is no argument of `customer-registered`; it has none",
        ),
        (at("order-total-at-least", json!({ "sum": "1" })), "arguments.sum", "it has amount"),
        (
            at("order-total-at-least", json!({ "amount": 50 })),
            "arguments.amount",
            "must be an amount such as \"25.00\"",
        ),
        (at("order-total-at-least", json!({ "amount": "-5" })), "arguments.amount", "negative"),
        (at("order-total-at-least", json!({ "amount": "5," })), "arguments.amount", "is no amount"),
        (at("order-total-at-least", json!({ "amount": "1.23456" })), "arguments.amount", "5 decimals"),
        (
            at("order-total-at-least", json!({ "amount": "99999999999999999" })),
            "arguments.amount",
            "more than can be kept",
        ),
        (
            at("order-total-at-least", json!({ "amount": { "amount": "1.5", "currency": "JPY" } })),
            "arguments.amount.amount",
            "has 1 decimals, and JPY has 0",
        ),
        (
            at("order-total-at-least", json!({ "amount": { "amount": "1", "currency": "EURO" } })),
            "arguments.amount.currency",
            "`EURO` is no currency",
        ),
        (at("order-total-between", json!({ "from": "10", "to": "9.99" })), "arguments.to", "must not be before `from`"),
        (
            at("order-total-between", json!({ "from": "1", "to": { "amount": "5", "currency": "EUR" } })),
            "arguments.to",
            "is in another currency than `from`",
        ),
        (at("time-of-day", json!({ "from": "22:00", "to": "06:00" })), "arguments.to", "must be after `from`"),
        (at("time-of-day", json!({ "from": "24:00", "to": "25:00" })), "arguments.from", "`24:00` is no time"),
        (at("date-between", json!({ "from": "2026-02-30", "to": "2026-03-01" })), "arguments.from", "is no day"),
        (at("ship-to-country", json!({ "countries": [] })), "arguments.countries", "has 0 items"),
        (
            at("ship-to-country", json!({ "countries": ["DE", "de"] })),
            "arguments.countries[1]",
            "`de` is no country code",
        ),
        (at("ship-to-country", json!({ "countries": ["UK"] })), "arguments.countries[0]", "write `GB`"),
        (at("ship-to-country", json!({ "countries": "DE" })), "arguments.countries", "must be an array"),
        (
            at("order-currency", json!({ "currencies": ["EUR", "XXL"] })),
            "arguments.currencies[1]",
            "`XXL` is no currency",
        ),
        (at("day-of-week", json!({ "days": ["Sunday"] })), "arguments.days[0]", "is no day of the week"),
        (at("customer-email-domain", json!({ "domains": ["@x.com"] })), "arguments.domains[0]", "is no domain"),
        (
            at("customer-orders-at-least", json!({ "count": -1 })),
            "arguments.count",
            "is -1; it must be a whole number from 0",
        ),
        (at("customer-orders-at-least", json!({ "count": 1.5 })), "arguments.count", "must be a whole number"),
        (
            at("order-attribute-flag", json!({ "name": "x", "flag": "yes" })),
            "arguments.flag",
            "must be `true` or `false`",
        ),
        (at("customer-role", json!({ "roles": ["a", " "] })), "arguments.roles[1]", "is empty"),
        (at("customer-role", json!({ "roles": ["a".repeat(201)] })), "arguments.roles[0]", "has 201 characters"),
        (at("customer-role", json!({ "roles": vec!["a".repeat(200); 30] })), "", "at most 4000 are allowed"),
        (
            (0..20).fold(json!({ "code": "x" }), |tree, _| json!({ "not": tree })),
            &["not"; 17].join("."),
            "more than 16 deep",
        ),
    ] {
        let error = Tree::from_json(&tree.to_string()).unwrap_err();
        assert_eq!(error.path, path, "{tree}: {}", error.problem);
        assert!(error.problem.contains(problem), "{tree}: {}", error.problem);
    }
    let twice = Tree::from_json(r#"{"rule": "customer-registered", "rule": "no-discounts"}"#).unwrap_err();
    assert!(twice.problem.contains("twice"), "{twice}");
}
