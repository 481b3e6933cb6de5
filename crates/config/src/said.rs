//! A value as the file says it, or would say it: for people in TOML, for programs in JSON. Knows no place.

use std::time::Duration;

use mainstay_model::Bytes;

use crate::{
    key::quoted_part,
    setting::Shape,
    trail::Trail,
    tree::{Data, Value},
    value,
};

/// A value of the configuration, its variables replaced.
#[derive(Clone, Debug, PartialEq)]
pub struct Said {
    form: Form,
    meant: Meant,
}

#[derive(Clone, Debug, PartialEq)]
enum Form {
    Text(String),
    Integer(i64),
    Float(f64),
    Boolean(bool),
    List(Vec<Said>),
    Table(Vec<(String, Said)>),
}

/// What a text stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Meant {
    Itself,
    Duration(Duration),
    Size(Bytes),
}

impl Said {
    fn plainly(form: Form) -> Self {
        Self { form, meant: Meant::Itself }
    }

    pub(crate) fn text(text: impl Into<String>) -> Self {
        Self::plainly(Form::Text(text.into()))
    }

    pub(crate) fn duration_of(span: Duration) -> Self {
        Self { form: Form::Text(value::duration_text(span)), meant: Meant::Duration(span) }
    }

    pub(crate) fn size_of(size: Bytes) -> Self {
        Self { form: Form::Text(value::size_text(size)), meant: Meant::Size(size) }
    }

    /// A table of these.
    pub fn table(entries: Vec<(String, Self)>) -> Self {
        Self::plainly(Form::Table(entries))
    }

    /// What stands at a place: in the words of the file, where it has some.
    pub(crate) fn of(value: &Value, trail: &Trail) -> Self {
        let meant = match value.data {
            Data::Duration(span) => Meant::Duration(span),
            Data::Size(size) => Meant::Size(size),
            _ => Meant::Itself,
        };
        if let Some(text) = trail.text(&value.place) {
            return Self { form: Form::Text(text.to_owned()), meant };
        }
        match &value.data {
            Data::Text(text) => Self::text(text),
            Data::Integer(number) => Self::plainly(Form::Integer(*number)),
            Data::Float(number) => Self::plainly(Form::Float(*number)),
            Data::Boolean(boolean) => Self::plainly(Form::Boolean(*boolean)),
            Data::List(items) => {
                Self::plainly(Form::List(items.iter().map(|item| Self::of(item, trail)).collect()))
            }
            Data::Table(table) => {
                let entries = table.0.iter().map(|entry| (entry.key.clone(), Self::of(&entry.value, trail)));
                Self::table(entries.collect())
            }
            Data::Strange(what) => Self::text(*what),
            Data::Duration(span) => Self::duration_of(*span),
            Data::Size(size) => Self::size_of(*size),
            Data::Signal(signal) => Self::text(signal.to_string()),
            Data::Factor(thousandths) if thousandths % 1000 == 0 => {
                Self::plainly(Form::Integer(i64::from(thousandths / 1000)))
            }
            Data::Factor(thousandths) => Self::plainly(Form::Float(f64::from(*thousandths) / 1000.0)),
        }
    }

    /// The same, as what has this shape: a text may be a duration or a size.
    pub(crate) fn of_shape(self, shape: &Shape) -> Self {
        let meant = match (shape, &self.form) {
            (Shape::Duration(_), Form::Text(text)) => value::duration(text).ok().map(Meant::Duration),
            (Shape::Size(_), Form::Text(text)) => value::size(text).ok().map(Meant::Size),
            _ => None,
        };
        Self { meant: meant.unwrap_or(self.meant), ..self }
    }

    /// A declared default, which is JSON; `None` when it is words.
    pub(crate) fn declared(default: &str, shape: &Shape) -> Option<Self> {
        Some(Self::from_json(&serde_json::from_str(default).ok()?, shape))
    }

    fn from_json(json: &serde_json::Value, shape: &Shape) -> Self {
        match json {
            serde_json::Value::String(text) => Self::text(text).of_shape(shape),
            serde_json::Value::Bool(boolean) => Self::plainly(Form::Boolean(*boolean)),
            serde_json::Value::Number(number) => Self::plainly(match number.as_i64() {
                Some(number) => Form::Integer(number),
                None => Form::Float(number.as_f64().unwrap_or_default()),
            }),
            serde_json::Value::Array(items) => {
                Self::plainly(Form::List(items.iter().map(|item| Self::from_json(item, shape)).collect()))
            }
            serde_json::Value::Object(map) => Self::table(
                map.iter().map(|(key, value)| (key.clone(), Self::from_json(value, shape))).collect(),
            ),
            serde_json::Value::Null => Self::table(Vec::new()),
        }
    }

    /// As it stands in a file, on one line.
    pub fn toml(&self) -> String {
        match &self.form {
            Form::Text(text) => quoted(text),
            Form::Integer(number) => number.to_string(),
            // With a point, so that it stays what it is.
            Form::Float(number) => format!("{number:?}"),
            Form::Boolean(boolean) => boolean.to_string(),
            Form::List(items) => {
                format!("[{}]", items.iter().map(Self::toml).collect::<Vec<_>>().join(", "))
            }
            Form::Table(entries) if entries.is_empty() => "{}".to_owned(),
            Form::Table(entries) => {
                let entry =
                    |(key, value): &(String, Self)| format!("{} = {}", quoted_part(key), value.toml());
                format!("{{ {} }}", entries.iter().map(entry).collect::<Vec<_>>().join(", "))
            }
        }
    }

    /// A text as it is, without quotes; everything else as in a file.
    pub fn plain(&self) -> String {
        match &self.form {
            Form::Text(text) => text.clone(),
            _ => self.toml(),
        }
    }

    /// As the file says it: durations and sizes are texts.
    pub fn json(&self) -> serde_json::Value {
        match &self.form {
            Form::Text(text) => text.as_str().into(),
            Form::Integer(number) => (*number).into(),
            Form::Float(number) => (*number).into(),
            Form::Boolean(boolean) => (*boolean).into(),
            Form::List(items) => items.iter().map(Self::json).collect(),
            Form::Table(entries) => entries
                .iter()
                .map(|(key, value)| (key.clone(), value.json()))
                .collect::<serde_json::Map<_, _>>()
                .into(),
        }
    }

    /// What it is, in a word: `text`, `number`, `boolean`, `list`, `table`, `duration` or `size`.
    pub fn kind(&self) -> &'static str {
        match (self.meant, &self.form) {
            (Meant::Duration(_), _) => "duration",
            (Meant::Size(_), _) => "size",
            (Meant::Itself, Form::Text(_)) => "text",
            (Meant::Itself, Form::Integer(_) | Form::Float(_)) => "number",
            (Meant::Itself, Form::Boolean(_)) => "boolean",
            (Meant::Itself, Form::List(_)) => "list",
            (Meant::Itself, Form::Table(_)) => "table",
        }
    }

    /// How long, when it is a duration.
    pub fn duration(&self) -> Option<Duration> {
        match self.meant {
            Meant::Duration(span) => Some(span),
            Meant::Itself | Meant::Size(_) => None,
        }
    }

    /// How much, when it is a size.
    pub fn size(&self) -> Option<Bytes> {
        match self.meant {
            Meant::Size(size) => Some(size),
            Meant::Itself | Meant::Duration(_) => None,
        }
    }
}

/// A text in quotes, as TOML and JSON both read it.
pub(crate) fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c.is_control() => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_told_as_a_file_says_them() {
        let said = |json: &str, shape: Shape| Said::declared(json, &shape).unwrap();
        let rows = [
            (said("\"1s\"", Shape::Duration(Duration::ZERO)), "\"1s\"", "1s", "duration"),
            (said("[\"a b\", \"c\"]", Shape::Command), "[\"a b\", \"c\"]", "[\"a b\", \"c\"]", "list"),
            (said("1.5", Shape::Factor), "1.5", "1.5", "number"),
            (said("{\"a.b\": {}}", Shape::Text), "{ \"a.b\" = {} }", "{ \"a.b\" = {} }", "table"),
            (said("\"a\\\"\\u007f\\n\"", Shape::Text), "\"a\\\"\\u007f\\n\"", "a\"\u{7f}\n", "text"),
        ];
        for (said, toml, plain, kind) in rows {
            assert_eq!((said.toml().as_str(), said.plain().as_str(), said.kind()), (toml, plain, kind));
        }
        assert_eq!(Said::declared("as soon as it runs", &Shape::Text), None);
    }
}
