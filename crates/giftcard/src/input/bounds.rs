//! How much an input may hold, and the texts and lists that see to it while they are read. Must not know what they are
//! about.
//!
//! Reading and the JSON Schema come from one constant each, so that neither can say something else than the other.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Unexpected, Visitor};

use super::{InputError, InputErrorKind};

/// Bytes of a document, or of a line of JSON lines. An order of [`LINES_MAX`] lines takes about a fifth of it.
pub const DOCUMENT_BYTES_MAX: usize = 16 << 20;

/// Lines of an order.
pub const LINES_MAX: usize = 10_000;

/// Cards entered for an order. How many may pay is the site's `cards_max`, which is far less.
pub const CARDS_MAX_INPUT: usize = 1_000;

/// Items of any other list: categories, tags, roles, segments, discounts, rates, programmes, conditions, payments.
pub const LIST_ITEMS_MAX: usize = 1_000;

/// Attributes of a line, an order, a customer or a card, and settings of a condition.
pub const FIELDS_MAX: usize = 200;

/// Characters of a text. A schema counts characters too, and not bytes.
pub const TEXT_CHARACTERS_MAX: usize = 4_096;

/// What there is too much of.
struct AtMost(&'static str, usize);

impl de::Expected for AtMost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; at most {} are allowed", self.0, self.1)
    }
}

/// Refuses a document with too many bytes.
pub(super) fn check_document(text: &str) -> Result<(), InputError> {
    check(text.len(), DOCUMENT_BYTES_MAX, "bytes")
}

/// Refuses a text with too many characters, outside of what `serde` reads.
pub(super) fn check_text(text: &str) -> Result<(), InputError> {
    check(characters(text), TEXT_CHARACTERS_MAX, "characters")
}

/// Refuses a list with too many items, outside of what `serde` reads.
pub(super) fn check_items(items: usize) -> Result<(), InputError> {
    check(items, LIST_ITEMS_MAX, "items")
}

fn check(size: usize, size_max: usize, what: &'static str) -> Result<(), InputError> {
    if size <= size_max {
        return Ok(());
    }
    let problem = format!("has {size} {what}; at most {size_max} are allowed");
    Err(InputError::here(InputErrorKind::TooLarge, problem))
}

fn characters(text: &str) -> usize {
    if text.len() <= TEXT_CHARACTERS_MAX { text.len() } else { text.chars().count() }
}

/// The text, if it is not too long.
pub(super) fn short<E: de::Error>(text: String) -> Result<String, E> {
    if text.contains('\0') {
        return Err(E::custom("has the character U+0000, which no database keeps; leave it out"));
    }
    match characters(&text) {
        0..=TEXT_CHARACTERS_MAX => Ok(text),
        count => Err(E::invalid_length(count, &AtMost("characters", TEXT_CHARACTERS_MAX))),
    }
}

/// All items of a list, if they are not too many.
pub(super) fn few<'de, A, T>(mut items: A, items_max: usize) -> Result<Vec<T>, A::Error>
where
    A: SeqAccess<'de>,
    T: Deserialize<'de>,
{
    let too_many = |count: usize| Err(de::Error::invalid_length(count, &AtMost("items", items_max)));
    if let Some(count) = items.size_hint().filter(|count| *count > items_max) {
        return too_many(count);
    }
    let mut list = Vec::new();
    while let Some(item) = items.next_element()? {
        if list.len() == items_max {
            return too_many(items_max + 1);
        }
        list.push(item);
    }
    Ok(list)
}

/// Text of at least so many characters.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(transparent)]
pub struct TextOf<const CHARACTERS_MIN: usize>(String);

/// Any text.
pub type Text = TextOf<0>;

/// What something is called: not empty.
pub type Name = TextOf<1>;

impl<const MIN: usize> Deref for TextOf<MIN> {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl<const MIN: usize> From<TextOf<MIN>> for String {
    fn from(text: TextOf<MIN>) -> Self {
        text.0
    }
}

impl<'de, const MIN: usize> Deserialize<'de> for TextOf<MIN> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text.len() < MIN {
            return Err(de::Error::invalid_value(Unexpected::Str(&text), &"at least one character long"));
        }
        short(text).map(Self)
    }
}

impl<const MIN: usize> JsonSchema for TextOf<MIN> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        if MIN == 0 { "Text".into() } else { "Name".into() }
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let mut schema = json_schema!({ "type": "string", "maxLength": TEXT_CHARACTERS_MAX });
        if MIN > 0 {
            schema.insert("minLength".to_string(), MIN.into());
        }
        schema
    }
}

/// At most so many items.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(transparent)]
pub struct List<T, const ITEMS_MAX: usize>(Vec<T>);

impl<T, const MAX: usize> List<T, MAX> {
    /// A list of these, or why it cannot be.
    pub(crate) fn of(items: Vec<T>) -> Result<Self, String> {
        if items.len() > MAX {
            return Err(format!("has {} items; {MAX} are the most", items.len()));
        }
        Ok(Self(items))
    }

    /// Its items, to be changed one by one.
    pub(crate) fn iter_mut(&mut self) -> std::slice::IterMut<'_, T> {
        self.0.iter_mut()
    }
}

impl<T, const MAX: usize> Default for List<T, MAX> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T, const MAX: usize> IntoIterator for List<T, MAX> {
    type Item = T;
    type IntoIter = std::vec::IntoIter<T>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<T, const MAX: usize> Deref for List<T, MAX> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.0
    }
}

/// For fields that are left out where they are empty.
pub(super) fn is_empty_list<T, const MAX: usize>(list: &List<T, MAX>) -> bool {
    list.0.is_empty()
}

/// As [`is_empty_list`].
pub(super) fn is_empty_fields<T>(fields: &Fields<T>) -> bool {
    fields.0.is_empty()
}

struct ListVisitor<T, const MAX: usize>(PhantomData<T>);

impl<'de, T: Deserialize<'de>, const MAX: usize> Visitor<'de> for ListVisitor<T, MAX> {
    type Value = List<T, MAX>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<List<T, MAX>, A::Error> {
        few(items, MAX).map(List)
    }
}

impl<'de, T: Deserialize<'de>, const MAX: usize> Deserialize<'de> for List<T, MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(ListVisitor(PhantomData))
    }
}

impl<T: JsonSchema, const MAX: usize> JsonSchema for List<T, MAX> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("{}List", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "array", "items": generator.subschema_for::<T>(), "maxItems": MAX })
    }
}

/// Values by name, at most [`FIELDS_MAX`].
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(transparent)]
pub struct Fields<T>(BTreeMap<String, T>);

impl<T> Default for Fields<T> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<T> Deref for Fields<T> {
    type Target = BTreeMap<String, T>;

    fn deref(&self) -> &BTreeMap<String, T> {
        &self.0
    }
}

struct FieldsVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for FieldsVisitor<T> {
    type Value = Fields<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Fields<T>, A::Error> {
        let too_many = |count: usize| Err(de::Error::invalid_length(count, &AtMost("fields", FIELDS_MAX)));
        if let Some(count) = entries.size_hint().filter(|count| *count > FIELDS_MAX) {
            return too_many(count);
        }
        let mut fields = BTreeMap::new();
        while let Some(name) = entries.next_key::<String>()? {
            if fields.len() == FIELDS_MAX {
                return too_many(FIELDS_MAX + 1);
            }
            fields.insert(short(name)?, entries.next_value()?);
        }
        Ok(Fields(fields))
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Fields<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(FieldsVisitor(PhantomData))
    }
}

impl<T: JsonSchema> JsonSchema for Fields<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("{}Fields", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "object",
            "additionalProperties": generator.subschema_for::<T>(),
            "maxProperties": FIELDS_MAX,
            "propertyNames": { "maxLength": TEXT_CHARACTERS_MAX },
        })
    }
}

/// A whole number of at least 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize, serde::Serialize)]
#[serde(transparent)]
pub struct Count(pub u32);

impl JsonSchema for Count {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Count".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "integer", "minimum": 0, "maximum": u32::MAX })
    }
}
