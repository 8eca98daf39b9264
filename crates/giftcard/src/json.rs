//! JSON read strictly: one document, no key twice, and errors that say where and what in plain words. Must not know
//! gift cards.
//!
//! A document is first parsed to a tree, where duplicate keys are found, and the tree is then deserialised by a
//! deserializer of our own, because the messages of `serde_json` name Rust types.

use std::fmt;

use serde::de::{self, Deserialize, DeserializeOwned, Deserializer, IntoDeserializer, Unexpected, Visitor};
use serde_json::{Map, Value};
use serde_path_to_error::{Path, Segment};

/// What is wrong with a document: where, and what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Flaw {
    pub(crate) kind: FlawKind,
    /// As "order.lines[3].total"; empty for the whole document.
    pub(crate) path: String,
    /// What was wrong and what would be right.
    pub(crate) problem: String,
}

/// What is wrong, roughly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FlawKind {
    Malformed,
    DuplicateKey,
    UnknownField,
    MissingField,
    WrongShape,
    UnknownValue,
    TooLarge,
}

/// Reads one document.
pub(crate) fn read<T: DeserializeOwned>(text: &str) -> Result<T, Flaw> {
    let tree = parse(text)?;
    serde_path_to_error::deserialize(Node(tree)).map_err(|error| {
        let path = path_text(error.path());
        let shape = error.into_inner();
        let path = match shape.field {
            Some(field) if path.is_empty() => field.to_string(),
            Some(field) => format!("{path}.{field}"),
            None => path,
        };
        Flaw { kind: shape.kind, path, problem: shape.problem }
    })
}

/// Text of the input as it may stand in a message: control characters escaped, the tail of a long one cut off.
pub(crate) fn excerpt(text: &str) -> String {
    const CHARACTERS_MAX: usize = 60;
    let mut shown: String = text.chars().take(CHARACTERS_MAX).flat_map(char::escape_debug).collect();
    shown = shown.replace("\\\"", "\"").replace("\\'", "'");
    if text.chars().nth(CHARACTERS_MAX).is_some() {
        shown.push('…');
    }
    shown
}

fn parse(text: &str) -> Result<Value, Flaw> {
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let tree: Result<Tree, _> = serde_path_to_error::deserialize(&mut deserializer);
    match tree {
        Ok(Tree(tree)) => deserializer.end().map_err(|error| malformed(text, &error)).map(|()| tree),
        Err(error) if error.inner().classify() == serde_json::error::Category::Data => {
            let problem = format!("this field is there twice, again at {}", place(text, error.inner()));
            Err(Flaw { kind: FlawKind::DuplicateKey, path: path_text(error.path()), problem })
        }
        Err(error) => Err(malformed(text, error.inner())),
    }
}

fn malformed(text: &str, error: &serde_json::Error) -> Flaw {
    let whole = error.to_string();
    let tail = format!(" at line {} column {}", error.line(), error.column());
    let cause = whole.strip_suffix(&tail).unwrap_or(&whole);
    let cause = cause.replace("EOF", "it ends").replace("expected ident", "expected `null`, `true` or `false`");
    let problem = format!("malformed JSON at {}: {cause}", place(text, error));
    Flaw { kind: FlawKind::Malformed, path: String::new(), problem }
}

/// Where in the text; without the line if there is but one, since that may be a line of a file.
fn place(text: &str, error: &serde_json::Error) -> String {
    match text.trim_end().contains('\n') {
        true => format!("line {}, column {}", error.line(), error.column()),
        false => format!("column {}", error.column()),
    }
}

fn path_text(path: &Path) -> String {
    let mut text = String::new();
    for segment in path {
        match segment {
            Segment::Seq { index } => text.push_str(&format!("[{index}]")),
            Segment::Map { key: name } | Segment::Enum { variant: name } => {
                if !text.is_empty() {
                    text.push('.');
                }
                text.push_str(&excerpt(name));
            }
            Segment::Unknown => {}
        }
    }
    text
}

/// Any JSON, as long as no key stands twice in one object.
struct Tree(Value);

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TreeVisitor).map(Tree)
    }
}

struct TreeVisitor;

impl<'de> Visitor<'de> for TreeVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Value, E> {
        Ok(flag.into())
    }

    fn visit_i64<E>(self, number: i64) -> Result<Value, E> {
        Ok(number.into())
    }

    fn visit_u64<E>(self, number: u64) -> Result<Value, E> {
        Ok(number.into())
    }

    fn visit_f64<E>(self, number: f64) -> Result<Value, E> {
        Ok(number.into())
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(text.into())
    }

    fn visit_string<E>(self, text: String) -> Result<Value, E> {
        Ok(text.into())
    }

    fn visit_seq<A: de::SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(Tree(item)) = items.next_element()? {
            list.push(item);
        }
        Ok(list.into())
    }

    fn visit_map<A: de::MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some(key) = entries.next_key::<String>()? {
            if map.contains_key(&key) {
                // Inside the value, so that the path ends in the key.
                entries.next_value::<Duplicate>()?;
            }
            let Tree(value) = entries.next_value()?;
            map.insert(key, value);
        }
        Ok(map.into())
    }
}

struct Duplicate;

impl<'de> Deserialize<'de> for Duplicate {
    fn deserialize<D: Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        Err(de::Error::custom("duplicate key"))
    }
}

/// Why a tree does not fit, before the path is known.
#[derive(Debug)]
struct Shape {
    kind: FlawKind,
    /// A missing field: the path ends one too early.
    field: Option<&'static str>,
    problem: String,
}

impl Shape {
    fn wrong(problem: String) -> Self {
        Self { kind: FlawKind::WrongShape, field: None, problem }
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.problem)
    }
}

impl std::error::Error for Shape {}

impl de::Error for Shape {
    fn custom<T: fmt::Display>(problem: T) -> Self {
        Self::wrong(problem.to_string())
    }

    fn invalid_type(found: Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        Self::wrong(format!("is {}; it must be {}", found_text(found), expected_text(expected)))
    }

    fn invalid_value(found: Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        match found {
            Unexpected::Str(text) => {
                let found = if text.is_empty() { "empty".to_string() } else { found_text(found) };
                let problem = format!("is {found}; it must be {}", expected_text(expected));
                Self { kind: FlawKind::UnknownValue, field: None, problem }
            }
            _ => Self::invalid_type(found, expected),
        }
    }

    /// `expected` says of what, and how much is allowed.
    fn invalid_length(length: usize, expected: &dyn de::Expected) -> Self {
        Self { kind: FlawKind::TooLarge, field: None, problem: format!("has {length} {expected}") }
    }

    fn unknown_variant(found: &str, known: &'static [&'static str]) -> Self {
        let problem = format!("`{}` is not known here; it must be {}", excerpt(found), one_of(known));
        Self { kind: FlawKind::UnknownValue, field: None, problem }
    }

    fn unknown_field(_: &str, known: &'static [&'static str]) -> Self {
        let problem = format!("there is no such field; the fields here are {}", listed(known));
        Self { kind: FlawKind::UnknownField, field: None, problem }
    }

    fn missing_field(field: &'static str) -> Self {
        Self { kind: FlawKind::MissingField, field: Some(field), problem: "is missing".to_string() }
    }
}

fn listed(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// Names as a choice: "`a`, `b` or `c`".
pub(crate) fn one_of(names: &[&str]) -> String {
    match names {
        [] => "nothing".to_string(),
        [only] => format!("`{only}`"),
        [first @ .., last] => format!("{} or `{last}`", listed(first)),
    }
}

fn found_text(found: Unexpected<'_>) -> String {
    match found {
        Unexpected::Bool(flag) => format!("`{flag}`"),
        Unexpected::Unsigned(number) => format!("the JSON number {number}"),
        Unexpected::Signed(number) => format!("the JSON number {number}"),
        Unexpected::Float(number) => format!("the JSON number {number:?}"),
        Unexpected::Str(text) => format!("the string `{}`", excerpt(text)),
        Unexpected::Unit | Unexpected::Option => "null".to_string(),
        Unexpected::Seq => "an array".to_string(),
        Unexpected::Map => "an object".to_string(),
        _ => "something else".to_string(),
    }
}

/// What the types of the standard library call themselves, in the words of JSON.
fn expected_text(expected: &dyn de::Expected) -> String {
    match expected.to_string().as_str() {
        "a boolean" => "`true` or `false`".to_string(),
        "a sequence" => "an array".to_string(),
        "a map" => "an object".to_string(),
        "u32" => "a whole number from 0 to 4294967295".to_string(),
        other => other.to_string(),
    }
}

/// A tree as a source for `serde`.
struct Node(Value);

impl<'de> Deserializer<'de> for Node {
    type Error = Shape;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Shape> {
        match self.0 {
            Value::Null => visitor.visit_unit(),
            Value::Bool(flag) => visitor.visit_bool(flag),
            Value::Number(number) => match (number.as_u64(), number.as_i64()) {
                (Some(number), _) => visitor.visit_u64(number),
                (None, Some(number)) => visitor.visit_i64(number),
                (None, None) => visitor.visit_f64(number.as_f64().unwrap_or(f64::INFINITY)),
            },
            Value::String(text) => visitor.visit_string(text),
            Value::Array(items) => {
                let mut items = de::value::SeqDeserializer::new(items.into_iter().map(Node));
                let value = visitor.visit_seq(&mut items)?;
                items.end().map(|()| value)
            }
            Value::Object(entries) => {
                let entries = entries.into_iter().map(|(key, value)| (key, Node(value)));
                let mut entries = de::value::MapDeserializer::new(entries);
                let value = visitor.visit_map(&mut entries)?;
                entries.end().map(|()| value)
            }
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Shape> {
        match self.0 {
            Value::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Shape> {
        visitor.visit_newtype_struct(self)
    }

    /// Only from an object: a derived visitor would take an array for the fields in their order, too.
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Shape> {
        match self.0 {
            Value::Object(_) => self.deserialize_any(visitor),
            other => Err(de::Error::invalid_type(unexpected(&other), &visitor)),
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        known: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Shape> {
        match self.0 {
            Value::String(name) => visitor.visit_enum(Variant { name, content: None }),
            Value::Object(entries) if entries.len() == 1 => match entries.into_iter().next() {
                Some((name, content)) => visitor.visit_enum(Variant { name, content: Some(content) }),
                None => Err(Shape::wrong(format!("is an empty object; it must be {}", one_of(known)))),
            },
            other => {
                let found = found_text(unexpected(&other));
                Err(Shape::wrong(format!("is {found}; it must be {}", one_of(known))))
            }
        }
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple
        tuple_struct map identifier ignored_any
    }
}

impl<'de> IntoDeserializer<'de, Shape> for Node {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

fn unexpected(value: &Value) -> Unexpected<'_> {
    match value {
        Value::Null => Unexpected::Unit,
        Value::Bool(flag) => Unexpected::Bool(*flag),
        Value::Number(number) => match number.as_i64() {
            Some(number) => Unexpected::Signed(number),
            None => Unexpected::Float(number.as_f64().unwrap_or(f64::INFINITY)),
        },
        Value::String(text) => Unexpected::Str(text),
        Value::Array(_) => Unexpected::Seq,
        Value::Object(_) => Unexpected::Map,
    }
}

/// What a value of the tree is called in a message.
pub(crate) fn kind_text(value: &Value) -> String {
    found_text(unexpected(value))
}

/// `"name"` or `{"name": content}`.
struct Variant {
    name: String,
    content: Option<Value>,
}

impl<'de> de::EnumAccess<'de> for Variant {
    type Error = Shape;
    type Variant = Content;

    fn variant_seed<S: de::DeserializeSeed<'de>>(self, seed: S) -> Result<(S::Value, Content), Shape> {
        let content = Content { name: self.name.clone(), content: self.content };
        seed.deserialize(self.name.as_str().into_deserializer()).map(|value| (value, content))
    }
}

struct Content {
    name: String,
    content: Option<Value>,
}

impl Content {
    fn node(self) -> Result<Node, Shape> {
        self.content.map(Node).ok_or_else(|| {
            let name = excerpt(&self.name);
            Shape::wrong(format!("needs a value; write an object such as {{\"{name}\": ...}}"))
        })
    }
}

impl<'de> de::VariantAccess<'de> for Content {
    type Error = Shape;

    fn unit_variant(self) -> Result<(), Shape> {
        match self.content {
            None => Ok(()),
            Some(_) => Err(Shape::wrong("must be the bare name, as a string".to_string())),
        }
    }

    fn newtype_variant_seed<S: de::DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, Shape> {
        seed.deserialize(self.node()?)
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Shape> {
        self.node()?.deserialize_any(visitor)
    }

    fn struct_variant<V: Visitor<'de>>(self, _: &'static [&'static str], visitor: V) -> Result<V::Value, Shape> {
        self.node()?.deserialize_any(visitor)
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields, expecting = "an object")]
    #[allow(dead_code, reason = "only the errors matter")]
    struct Sample {
        name: String,
        items: Option<Vec<u32>>,
        inner: Option<Box<Sample>>,
    }

    fn check(text: &str, expected: &str) {
        let flaw = read::<Sample>(text).unwrap_err();
        assert_eq!(format!("{}: {}", flaw.path, flaw.problem), expected, "{text}");
    }

    #[test]
    fn errors_say_where_and_what_in_plain_words() {
        check("", ": malformed JSON at column 0: it ends while parsing a value");
        check("{\n \"name\": }", ": malformed JSON at line 2, column 10: expected value");
        check("{\"name\":\"a\"} x", ": malformed JSON at column 14: trailing characters");
        check("[]", ": is an array; it must be an object");
        check("\"a\"", ": is the string `a`; it must be an object");
        check("{}", "name: is missing");
        check("{\"name\":\"a\",\"name\":\"b\"}", "name: this field is there twice, again at column 19");
        check(
            "{\"name\":\"a\",\"inner\":{\"name\":\"b\",\"x\":{\"y\":1,\"y\":2}}}",
            "inner.x.y: this field is there twice, again at column 47",
        );
        check("{\"name\":\"a\",\"inner\":{}}", "inner.name: is missing");
        check(
            "{\"name\":\"a\",\"nam\\n\":1}",
            "nam\\n: there is no such field; the fields here are `name`, `items`, `inner`",
        );
        check("{\"name\":1.5}", "name: is the JSON number 1.5; it must be a string");
        check("{\"name\":null}", "name: is null; it must be a string");
        check(
            "{\"name\":\"a\",\"items\":[1,-2]}",
            "items[1]: is the JSON number -2; it must be a whole number from 0 to 4294967295",
        );
        check("{\"name\":\"a\",\"items\":{}}", "items: is an object; it must be an array");
    }

    #[test]
    fn what_is_shown_of_the_input_is_short_and_has_no_control_characters() {
        assert_eq!(excerpt("a\u{1b}[31m\"b\""), "a\\u{1b}[31m\"b\"");
        assert_eq!(excerpt(&"x".repeat(61)), format!("{}…", "x".repeat(60)));
    }
}
