//! Trees as JSON: `{"rule": id, "arguments": {...}}`, `{"all": [...]}`, `{"any": [...]}`, `{"not": ...}` and
//! `{"code": "..."}`. Must not know how a tree is written as an expression.

use std::borrow::Cow;
use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Serialize, Serializer};
use serde_json::{Map, Value, json};

use super::argument::Argument;
use super::catalogue::{Catalogue, Rule};
use super::read;
use super::tree::{Known, Tree, known_rule, unknown_argument};
use crate::input::{InputError, InputErrorKind, Within, read_document};
use crate::json::excerpt;

/// How deep a tree may be.
const DEPTH_MAX: usize = 16;

/// The kinds of nodes, by the field that tells them.
const NODES: [&str; 5] = ["rule", "all", "any", "not", "code"];

impl Tree {
    /// Reads a tree.
    ///
    /// # Errors
    /// Where it is wrong, as `all[1].arguments.countries[0]`, what is wrong and what would be right; also a tree whose
    /// expression would be longer or deeper than the component allows.
    pub fn from_json(text: &str) -> Result<Self, InputError> {
        let tree = tree(&read_document::<Value>(text)?, 0)?;
        let expression = tree.to_expression();
        let (bytes, bytes_max) = (expression.len(), super::EXPRESSION_BYTES_MAX);
        if bytes > bytes_max {
            let problem = format!("the tree comes to an expression of {bytes} bytes; at most {bytes_max} are allowed");
            return Err(InputError::here(InputErrorKind::TooLarge, problem));
        }
        match read::parse(&expression) {
            Some(_) => Ok(tree),
            None => {
                let problem =
                    "the tree comes to an expression that is too deep or too large; make two conditions of it";
                Err(InputError::here(InputErrorKind::TooLarge, problem))
            }
        }
    }

    /// The same tree as JSON.
    #[must_use]
    pub fn to_json(&self) -> Value {
        match self {
            Self::Rule(known) if known.rule().parameters.is_empty() => json!({ "rule": known.rule().id }),
            Self::Rule(known) => {
                let arguments: Map<String, Value> =
                    known.arguments().map(|(name, argument)| (name.to_string(), argument.to_json())).collect();
                json!({ "rule": known.rule().id, "arguments": arguments })
            }
            Self::All(parts) => json!({ "all": parts.iter().map(Self::to_json).collect::<Vec<_>>() }),
            Self::Any(parts) => json!({ "any": parts.iter().map(Self::to_json).collect::<Vec<_>>() }),
            Self::Not(inner) => json!({ "not": inner.to_json() }),
            Self::Code(code) => json!({ "code": code }),
        }
    }
}

impl Serialize for Tree {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.to_json().serialize(serializer)
    }
}

fn tree(json: &Value, depth: usize) -> Result<Tree, InputError> {
    let wrong = |problem: String| Err(InputError::here(InputErrorKind::WrongType, problem));
    if depth > DEPTH_MAX {
        let problem = format!("is nested more than {DEPTH_MAX} deep; make two conditions of it");
        return Err(InputError::here(InputErrorKind::TooLarge, problem));
    }
    let Value::Object(fields) = json else {
        return wrong("must be an object such as {\"rule\": \"customer-registered\"}".to_string());
    };
    let named: Vec<&str> = NODES.into_iter().filter(|name| fields.contains_key(*name)).collect();
    let [node] = named[..] else {
        return wrong(format!("must have one of the fields {}, and has {}", NODES.join(", "), count(named.len())));
    };
    let arguments = if node == "rule" { Some("arguments") } else { None };
    if let Some(name) = fields.keys().find(|name| *name != node && Some(name.as_str()) != arguments) {
        let problem = format!("is not known beside `{node}`");
        return Err(InputError::at(InputErrorKind::UnknownField, &excerpt(name), problem));
    }
    let inner = &fields[node];
    let parts = || {
        let parts = inner.as_array().ok_or_else(|| InputError::here(InputErrorKind::WrongType, "must be an array"));
        let part = |(index, part)| tree(part, depth + 1).within_item(index);
        parts.and_then(|parts| parts.iter().enumerate().map(part).collect::<Result<Vec<Tree>, _>>()).within(node)
    };
    match node {
        "all" => parts().map(Tree::All),
        "any" => parts().map(Tree::Any),
        "not" => tree(inner, depth + 1).within(node).map(|inner| Tree::Not(Box::new(inner))),
        "code" => code(inner).within(node),
        _ => rule(inner, fields.get("arguments")).map(Tree::Rule),
    }
}

fn count(fields: usize) -> &'static str {
    if fields == 0 { "none" } else { "more than one" }
}

/// Code has to be an expression by itself, or it would be another beside others.
fn code(json: &Value) -> Result<Tree, InputError> {
    let Some(code) = json.as_str() else { return Err(InputError::here(InputErrorKind::WrongType, "must be a string")) };
    let (bytes, bytes_max) = (code.len(), super::EXPRESSION_BYTES_MAX);
    if bytes > bytes_max {
        let problem = format!("has {bytes} bytes; at most {bytes_max} are allowed");
        return Err(InputError::here(InputErrorKind::TooLarge, problem));
    }
    match read::parse(code) {
        Some(_) => Ok(Tree::Code(code.to_string())),
        None => {
            let problem = format!("`{}` is no expression", excerpt(code));
            Err(InputError::here(InputErrorKind::InvalidValue, problem))
        }
    }
}

fn rule(id: &Value, arguments: Option<&Value>) -> Result<Known, InputError> {
    let Some(id) = id.as_str() else {
        return Err(InputError::at(InputErrorKind::WrongType, "rule", "must be a string"));
    };
    let rule = known_rule(id)?;
    let none = Map::new();
    let given = match arguments {
        None => &none,
        Some(Value::Object(fields)) => fields,
        Some(_) => return Err(InputError::at(InputErrorKind::WrongType, "arguments", "must be an object")),
    };
    let mut arguments = BTreeMap::new();
    for (name, json) in given {
        let parameter = rule.parameter(name).ok_or_else(|| unknown_argument(rule, name))?;
        let argument = Argument::of_json(parameter.kind, json).within(name).within("arguments")?;
        arguments.insert(name.clone(), argument);
    }
    Known::new(id, arguments)
}

impl JsonSchema for Tree {
    fn schema_name() -> Cow<'static, str> {
        "rule-tree".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let inner = generator.subschema_for::<Self>();
        let node = |name: &str, what: &str, schema: Value| {
            let mut schema = schema;
            schema["description"] = json!(what);
            json!({ "type": "object", "properties": { name: schema }, "required": [name], "additionalProperties": false })
        };
        let parts = json!({ "type": "array", "items": inner });
        let mut nodes: Vec<Value> = Catalogue::STANDARD.rules.iter().map(rule_schema).collect();
        nodes.extend([
            node("all", "All of them have to be true.", parts.clone()),
            node("any", "At least one of them has to be true.", parts),
            node("not", "What must not be true.", json!({ "allOf": [inner] })),
            node("code", "An expression that is kept as it is written.", json!({ "type": "string" })),
        ]);
        json_schema!({ "description": "What is asked of an order.", "oneOf": nodes })
    }
}

fn rule_schema(rule: &Rule) -> Value {
    let arguments: Map<String, Value> = rule
        .parameters
        .iter()
        .map(|parameter| {
            let mut schema = parameter.kind.schema();
            schema["description"] = json!(parameter.label);
            (parameter.name.to_string(), schema)
        })
        .collect();
    let names: Vec<&str> = rule.parameters.iter().map(|parameter| parameter.name).collect();
    let needed = if names.is_empty() { json!(["rule"]) } else { json!(["rule", "arguments"]) };
    json!({
        "type": "object",
        "description": rule.label,
        "properties": {
            "rule": { "const": rule.id, "description": "The rule." },
            "arguments": {
                "type": "object",
                "description": "What is filled in.",
                "properties": arguments,
                "required": names,
                "additionalProperties": false,
            },
        },
        "required": needed,
        "additionalProperties": false,
    })
}
