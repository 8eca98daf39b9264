//! How much an input may hold: one more is refused where it stands, and by the schema.

use serde_json::{Map, Value as Json, json};

use super::{patched, read};
use crate::input::bounds::{
    CARDS_MAX_INPUT, DOCUMENT_BYTES_MAX, FIELDS_MAX, LINES_MAX, LIST_ITEMS_MAX, TEXT_CHARACTERS_MAX,
};
use crate::input::read_refund;
use crate::schema::{Document, schema};

/// An input as large as it may be, and the same with one more.
type Sized = (&'static str, &'static str, fn(usize) -> Json, usize, &'static str);

fn fields(count: usize) -> Json {
    Json::Object((0..count).map(|index| (format!("a{index}"), json!(1))).collect::<Map<_, _>>())
}

fn texts(count: usize) -> Json {
    json!(vec!["a"; count])
}

fn text(count: usize) -> Json {
    // Two bytes each: characters are counted.
    json!("ä".repeat(count))
}

fn cards(count: usize) -> Json {
    (0..count).map(|index| json!({"id": format!("c{index}"), "balance": "1.00"})).collect()
}

fn line(count: usize, field: &str, value: fn(usize) -> Json) -> Json {
    json!([{"total": "35.00", field: value(count)}])
}

#[test]
fn one_more_than_there_may_be_is_refused_where_it_stands() {
    let rows: &[Sized] = &[
        ("order/lines", "order.lines", |count| json!(vec![json!({"total": "1.00"}); count]), LINES_MAX, "items"),
        ("order/lines", "order.lines[0].categories", |count| line(count, "categories", texts), LIST_ITEMS_MAX, "items"),
        ("order/lines", "order.lines[0].tags", |count| line(count, "tags", texts), LIST_ITEMS_MAX, "items"),
        ("order/lines", "order.lines[0].attributes", |count| line(count, "attributes", fields), FIELDS_MAX, "fields"),
        ("order/lines", "order.lines[0].name", |count| line(count, "name", text), TEXT_CHARACTERS_MAX, "characters"),
        (
            "order/discounts",
            "order.discounts",
            |count| json!(vec![json!({"amount": "1.00"}); count]),
            LIST_ITEMS_MAX,
            "items",
        ),
        ("order/customer", "order.customer.roles", |count| json!({"roles": texts(count)}), LIST_ITEMS_MAX, "items"),
        (
            "order/customer",
            "order.customer.segments",
            |count| json!({"segments": texts(count)}),
            LIST_ITEMS_MAX,
            "items",
        ),
        ("order/attributes", "order.attributes", fields, FIELDS_MAX, "fields"),
        ("order/attributes", "order.attributes.a", |count| json!({"a": texts(count)}), LIST_ITEMS_MAX, "items"),
        (
            "order/attributes",
            "order.attributes.a",
            |count| json!({"a": text(count)}),
            TEXT_CHARACTERS_MAX,
            "characters",
        ),
        ("order/id", "order.id", text, TEXT_CHARACTERS_MAX, "characters"),
        ("cards", "cards", cards, CARDS_MAX_INPUT, "items"),
        ("cards/0/code", "cards[0].code", text, TEXT_CHARACTERS_MAX, "characters"),
        (
            "programmes/0/conditions/0/settings",
            "programmes[0].conditions[0].settings.texts",
            |count| json!({"texts": texts(count)}),
            LIST_ITEMS_MAX,
            "items",
        ),
        (
            "programmes/0/conditions/0/settings",
            "programmes[0].conditions[0].settings.text",
            |count| json!({"text": text(count)}),
            TEXT_CHARACTERS_MAX,
            "characters",
        ),
    ];
    let schema = jsonschema::validator_for(&schema(Document::QuoteInput)).unwrap();
    for (place, path, value, size_max, what) in rows {
        let most = patched(place, value(*size_max));
        read(&most).unwrap_or_else(|error| panic!("{path}: {error}"));
        assert!(schema.is_valid(&serde_json::from_str(&most).unwrap()), "{path}");
        let more = patched(place, value(size_max + 1));
        let error = read(&more).unwrap_err();
        let problem = format!("`{path}`: has {} {what}; at most {size_max} are allowed", size_max + 1);
        assert_eq!((error.kind.code(), error.to_string()), ("too-large", problem));
        // What a setting may be is the plugin's to say, and not the schema's.
        assert_eq!(schema.is_valid(&serde_json::from_str(&more).unwrap()), path.contains("settings"), "{path}");
    }
}

#[test]
fn every_list_and_every_text_of_an_input_has_an_end() {
    for document in [Document::QuoteInput, Document::RefundInput] {
        let mut endless = Vec::new();
        find_endless(&schema(document), document.name(), &mut endless);
        assert_eq!(endless, Vec::<String>::new());
    }
}

fn find_endless(schema: &Json, path: &str, found: &mut Vec<String>) {
    let Json::Object(object) = schema else {
        if let Json::Array(items) = schema {
            items.iter().enumerate().for_each(|(index, item)| find_endless(item, &format!("{path}[{index}]"), found));
        }
        return;
    };
    let is = |name: &str| match &object.get("type") {
        Some(Json::Array(types)) => types.iter().any(|kind| kind == name),
        Some(kind) => *kind == name,
        None => false,
    };
    let fixed = object.contains_key("enum") || object.contains_key("const") || object.contains_key("pattern");
    if is("array") && !object.contains_key("maxItems")
        || is("string") && !object.contains_key("maxLength") && !fixed
        || is("object")
            && !object.contains_key("maxProperties")
            && object.get("additionalProperties") != Some(&json!(false))
    {
        found.push(path.to_string());
    }
    for (name, inner) in object {
        find_endless(inner, &format!("{path}.{name}"), found);
    }
}

#[test]
fn a_document_has_an_end() {
    let blank = " ".repeat(DOCUMENT_BYTES_MAX);
    let problem = format!("has {} bytes; at most {DOCUMENT_BYTES_MAX} are allowed", DOCUMENT_BYTES_MAX + 1);
    let error = read(&format!("{blank}1")).unwrap_err();
    assert_eq!((error.kind.code(), error.to_string()), ("too-large", problem.clone()));
    assert_eq!(read_refund(&format!("{blank}1")).unwrap_err().to_string(), problem);
}
