//! The part of a file that is about one service, `[service.NAME.config]`, and what such a file looks like at first.

use std::{
    fmt::Write as _,
    path::{Path, PathBuf},
};

use toml::{
    Spanned, Value,
    de::{DeTable, DeValue},
};

use super::{ConfigProblem, Origin, SettingShape};

/// What a file says of a service.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct FileLayer {
    pub(crate) path: PathBuf,
    /// Each setting, with its line.
    pub(crate) values: Vec<(String, usize, Value)>,
    /// The services that it describes.
    pub(crate) services: Vec<String>,
}

impl FileLayer {
    /// The type of the service, when its name is not that (`use`).
    pub(crate) fn uses(text: &str, service: &str) -> Option<String> {
        let whole = DeTable::parse(text).ok()?;
        let DeValue::Table(services) = whole.get_ref().get("service")?.get_ref() else { return None };
        let DeValue::Table(described) = services.get(service)?.get_ref() else { return None };
        described.get("use")?.get_ref().as_str().map(str::to_owned)
    }

    /// Reads what is said of `service`; a file may say nothing of it.
    ///
    /// # Errors
    /// It is no TOML, or a part of it is no table.
    pub(crate) fn read(
        path: &Path,
        text: &str,
        service: &str,
        replace: &Replace<'_>,
    ) -> Result<Self, ConfigProblem> {
        let reader = Reader { path, text, replace };
        let whole = DeTable::parse(text).map_err(|error| {
            let at = error.span().map_or(0, |span| span.start);
            reader.problem("TOML", at, error.message().to_owned())
        })?;
        let mut layer = Self { path: path.to_owned(), ..Self::default() };
        let Some(services) = whole.get_ref().get("service") else { return Ok(layer) };
        let services = reader.table("service", services)?;
        layer.services = services.keys().map(|name| name.get_ref().to_string()).collect();
        let Some(described) = services.get(service) else { return Ok(layer) };
        let described = reader.table(&format!("service.{service}"), described)?;
        let Some(config) = described.get("config") else { return Ok(layer) };
        let config = reader.table(&format!("service.{service}.config"), config)?;
        for (name, value) in config {
            let line = reader.line(name.span().start);
            layer.values.push((name.get_ref().to_string(), line, reader.value(name.get_ref(), value)?));
        }
        Ok(layer)
    }
}

/// Replaces variables in a text, or says what is wrong with it.
pub(crate) type Replace<'a> = dyn Fn(&str) -> Result<String, String> + 'a;

/// A file that is being read.
struct Reader<'a> {
    path: &'a Path,
    text: &'a str,
    replace: &'a Replace<'a>,
}

impl Reader<'_> {
    fn table<'t>(&self, name: &str, value: &'t Spanned<DeValue<'_>>) -> Result<&'t DeTable<'t>, ConfigProblem>
    where
        Self: 't,
    {
        match value.get_ref() {
            DeValue::Table(table) => Ok(table),
            DeValue::String(_)
            | DeValue::Integer(_)
            | DeValue::Float(_)
            | DeValue::Boolean(_)
            | DeValue::Datetime(_)
            | DeValue::Array(_) => {
                Err(self.problem(name, value.span().start, format!("this is no table: write [{name}]")))
            }
        }
    }

    /// The value without its places.
    fn value(&self, name: &str, value: &Spanned<DeValue<'_>>) -> Result<Value, ConfigProblem> {
        let span = value.span();
        let words = self.text.get(span.clone()).unwrap_or_default();
        Ok(match value.get_ref() {
            DeValue::String(text) => {
                let replaced = (self.replace)(text);
                Value::String(replaced.map_err(|words| self.problem(name, span.start, words))?)
            }
            DeValue::Boolean(is) => Value::Boolean(*is),
            DeValue::Integer(_) | DeValue::Float(_) | DeValue::Datetime(_) => {
                super::shape::value_of(words)
                    .ok_or_else(|| self.problem(name, span.start, format!("`{words}` is out of range")))?
            }
            DeValue::Array(values) => {
                let values = values.iter().map(|value| self.value(name, value));
                Value::Array(values.collect::<Result<_, _>>()?)
            }
            DeValue::Table(table) => {
                let pairs = table.iter().map(|(name, inner)| {
                    Ok((name.get_ref().to_string(), self.value(name.get_ref(), inner)?))
                });
                Value::Table(pairs.collect::<Result<_, _>>()?)
            }
        })
    }

    fn problem(&self, name: &str, at: usize, text: String) -> ConfigProblem {
        let origin = Origin::File { path: self.path.to_owned(), line: self.line(at) };
        ConfigProblem { name: name.to_owned(), origin, text }
    }

    /// The line of a byte, from 1.
    fn line(&self, at: usize) -> usize {
        self.text.bytes().take(at).filter(|byte| *byte == b'\n').count() + 1
    }
}

/// A file with every setting of these services at its default, with what it is for.
pub(crate) fn starter<'a>(services: impl Iterator<Item = (&'a str, Vec<SettingShape>)>) -> String {
    let mut text = String::new();
    for (service, shapes) in services {
        if !text.is_empty() {
            text.push('\n');
        }
        // Writing to a text does not fail.
        let _ = writeln!(text, "[service.{service}.config]");
        for shape in shapes {
            text.push_str(&entry(&shape));
        }
    }
    text
}

fn entry(shape: &SettingShape) -> String {
    let mut text: String = shape.help.lines().map(|line| format!("# {line}\n")).collect();
    let between = shape.bounds.map_or_else(String::new, |(least, most)| format!(", from {least} to {most}"));
    let _ = writeln!(text, "# It is {}{between}.", shape.kind.words);
    let _ = match (shape.default, shape.kind.is_secret) {
        (_, true) => writeln!(
            text,
            "# It is a secret: rather put it into a file below $CREDENTIALS_DIRECTORY.\n# {} = …",
            shape.name
        ),
        (Some(default), false) => writeln!(text, "{} = {default}", shape.name),
        (None, false) if shape.kind.is_optional => writeln!(text, "# {} = …", shape.name),
        (None, false) => writeln!(text, "# It has no default: it must be set.\n# {} = …", shape.name),
    };
    text
}
