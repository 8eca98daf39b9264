//! The JSON Schemas of input and output, out of the types that read and write them.

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema};
use serde_json::{Map, Value, json};

use crate::input::{QuoteInput, RefundInput};
use crate::output::{QuoteAnswer, RefundAnswer};

/// One of the documents that go in or come out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Document {
    /// What `giftcard quote` reads.
    QuoteInput,
    /// What `giftcard quote --json` prints.
    QuoteOutput,
    /// What `giftcard refund` reads.
    RefundInput,
    /// What `giftcard refund --json` prints.
    RefundOutput,
}

impl Document {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::QuoteInput, Self::QuoteOutput, Self::RefundInput, Self::RefundOutput];

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::QuoteInput => "quote-input",
            Self::QuoteOutput => "quote-output",
            Self::RefundInput => "refund-input",
            Self::RefundOutput => "refund-output",
        }
    }
}

/// The schema of one document.
#[must_use]
pub fn schema(document: Document) -> Value {
    match document {
        Document::QuoteInput => input::<QuoteInput>(),
        Document::QuoteOutput => output::<QuoteAnswer>(),
        Document::RefundInput => input::<RefundInput>(),
        Document::RefundOutput => output::<RefundAnswer>(),
    }
    .to_value()
}

/// The schemas of all documents, by name.
#[must_use]
pub fn schemas() -> Value {
    let all: Map<String, Value> =
        Document::ALL.into_iter().map(|document| (document.name().to_string(), schema(document))).collect();
    json!(all)
}

fn input<T: JsonSchema>() -> Schema {
    SchemaSettings::draft2020_12().for_deserialize().into_generator().into_root_schema_for::<T>()
}

fn output<T: JsonSchema>() -> Schema {
    SchemaSettings::draft2020_12().for_serialize().into_generator().into_root_schema_for::<T>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_schema_is_one_and_describes_every_field() {
        for document in Document::ALL {
            let schema = schema(document);
            assert!(jsonschema::meta::is_valid(&schema), "{}", document.name());
            let mut bare = Vec::new();
            undescribed(&schema, document.name(), &mut bare);
            assert_eq!(bare, Vec::<String>::new(), "fields without a description");
        }
    }

    fn undescribed(schema: &Value, path: &str, found: &mut Vec<String>) {
        if let Some(properties) = schema.get("properties").and_then(Value::as_object) {
            // A choice with content, such as {"roles": [...]}, has its description beside the one property.
            let is_choice = properties.len() == 1 && schema.get("description").is_some();
            for (name, property) in properties {
                if !is_choice && property.get("description").is_none() {
                    found.push(format!("{path}.{name}"));
                }
            }
        }
        match schema {
            Value::Object(object) => object.values().for_each(|inner| undescribed(inner, path, found)),
            Value::Array(items) => items.iter().for_each(|inner| undescribed(inner, path, found)),
            _ => {}
        }
    }

    #[test]
    fn no_type_of_ours_shows_its_rust_name() {
        let text = schemas().to_string();
        for name in ["QuoteInput", "OrderInput", "CardOutput", "AmountWithBasis", "ErrorOutput"] {
            assert!(!text.contains(name), "{name}");
        }
    }
}
