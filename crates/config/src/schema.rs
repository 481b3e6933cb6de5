//! The JSON Schema (draft 2020-12) of the file, generated from the declared settings. What is not supported yet is not
//! in it: an editor marks it as the loader refuses it.

use serde_json::{Map, Value, json};

use crate::{
    setting::{Fields, Keys, Setting, Shape, Support, Word},
    shape::FILE,
};

/// The JSON Schema of `mainstay.toml`.
pub fn schema() -> Value {
    let mut schema = table(&FILE, |_| true);
    if let Value::Object(object) = &mut schema {
        object.insert("$schema".to_owned(), json!("https://json-schema.org/draft/2020-12/schema"));
        object.insert("title".to_owned(), json!("mainstay.toml"));
        object.insert(
            "description".to_owned(),
            json!("The services of a project, and how Mainstay runs them."),
        );
    }
    schema
}

/// A table of the settings that this version knows and `wanted` picks.
fn table(fields: &Fields, wanted: impl Fn(&Setting) -> bool) -> Value {
    let settings = || fields.settings.iter().filter(|one| one.support == Support::Now && wanted(one));
    let properties: Map<String, Value> =
        settings().map(|setting| (setting.key.to_owned(), property(setting))).collect();
    let (either, required): (Vec<&Setting>, Vec<&Setting>) =
        settings().filter(|one| one.required).partition(|one| !one.unless.is_empty());
    let required: Vec<&str> = required.into_iter().map(|one| one.key).collect();
    let mut schema = json!({ "type": "object", "properties": properties, "additionalProperties": false });
    if !required.is_empty() {
        schema["required"] = json!(required);
    }
    if let [one] = either.as_slice() {
        schema["anyOf"] = json!([{ "required": [one.key] }, { "required": [one.unless] }]);
    }
    let choice: Vec<Value> = settings()
        .filter(|setting| fields.one_of.contains(&setting.key))
        .map(|setting| json!({ "required": [setting.key] }))
        .collect();
    if !choice.is_empty() {
        schema["oneOf"] = json!(choice);
    }
    schema
}

fn property(setting: &Setting) -> Value {
    let mut schema = shape(&setting.shape);
    let plain: Option<Value> = serde_json::from_str(setting.default).ok();
    let description = match (&plain, setting.default) {
        (Some(_), _) | (None, "") => setting.doc.to_owned(),
        (None, words) => format!("{} Default: {words}.", setting.doc),
    };
    schema["description"] = json!(description);
    if let Some(default) = plain {
        schema["default"] = default;
    }
    schema
}

fn shape(shape: &Shape) -> Value {
    match shape {
        Shape::Text => json!({ "type": "string" }),
        Shape::Scalar => json!({ "type": ["string", "integer", "boolean"] }),
        Shape::Duration(_) => json!({ "type": "string", "examples": ["500ms", "5s", "1h 30m"] }),
        Shape::Size(_) => json!({ "type": "string", "examples": ["10MB", "200MiB", "1GB"] }),
        Shape::Signal => json!({ "type": "string", "examples": ["TERM", "INT", "QUIT", "HUP"] }),
        Shape::Address => json!({ "type": "string", "examples": ["127.0.0.1:5432", "[::1]:5432"] }),
        Shape::Boolean => json!({ "type": "boolean" }),
        Shape::Whole(least, most) => json!({ "type": "integer", "minimum": least, "maximum": most }),
        Shape::Factor => json!({ "type": "number", "minimum": 1, "maximum": 1000 }),
        Shape::Word(words) => word(words),
        Shape::Command => json!({
            "anyOf": [
                { "type": "string", "minLength": 1 },
                { "type": "array", "items": { "type": "string" }, "minItems": 1 },
            ]
        }),
        Shape::Any => json!({}),
        Shape::List(of) => json!({ "type": "array", "items": self::shape(of) }),
        Shape::Table(fields) => match fields.short() {
            None => table(fields, |_| true),
            Some((_, short)) => json!({ "anyOf": [self::shape(short), table(fields, |_| true)] }),
        },
        Shape::Inherited(fields) => {
            let mut schema = table(fields, |setting| setting.inherited);
            if let Value::Object(object) = &mut schema {
                object.remove("required");
                object.remove("anyOf");
            }
            schema
        }
        Shape::Map(keys, of) => json!({
            "type": "object",
            "propertyNames": names(*keys),
            "additionalProperties": self::shape(of),
        }),
        Shape::Either(shapes) => json!({ "anyOf": shapes.iter().map(self::shape).collect::<Vec<_>>() }),
    }
}

/// One of the words, or a variable that holds one.
fn word(words: &[Word]) -> Value {
    let supported = words.iter().filter(|word| word.support == Support::Now);
    let words: Vec<Value> =
        supported.map(|word| json!({ "const": word.word, "description": word.doc })).collect();
    json!({ "anyOf": [{ "oneOf": words }, { "type": "string", "pattern": "\\$\\{" }] })
}

fn names(keys: Keys) -> Value {
    match keys {
        Keys::Services | Keys::Dependencies => {
            json!({ "pattern": "^[A-Za-z0-9][A-Za-z0-9._-]*$", "maxLength": 64, "not": { "const": "all" } })
        }
        Keys::Variables => json!({ "pattern": "^[^=\\u0000]+$" }),
        Keys::Settings => json!({ "minLength": 1 }),
    }
}
