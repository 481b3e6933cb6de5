//! Where a value hangs: `service.api.restart.delay`. Knows which settings there are, and no value.

use std::{fmt, str::FromStr};

use crate::{
    check::meant,
    setting::{Fields, Setting, Shape, Support},
    shape::FILE,
};

/// Where a value hangs: `service.api.restart.delay`. A part with other characters than `a-z A-Z 0-9 _ -` stands in quotes,
/// as in the file: `service."api.v2".user`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(Vec<String>);

/// Why a key means nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyError {
    /// What is wrong: one clause.
    pub message: String,
    /// How to mend it: one line.
    pub help: String,
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for KeyError {}

impl KeyError {
    fn new(message: impl Into<String>, help: impl Into<String>) -> Self {
        Self { message: message.into(), help: help.into() }
    }
}

impl Key {
    pub(crate) fn of(parts: &[&str]) -> Self {
        Self(parts.iter().map(|part| (*part).to_owned()).collect())
    }

    /// What is called `part` in it.
    #[must_use]
    pub fn child(&self, part: &str) -> Self {
        let mut parts = self.0.clone();
        parts.push(part.to_owned());
        Self(parts)
    }

    /// Its parts, without quotes; never none.
    pub fn parts(&self) -> &[String] {
        &self.0
    }

    /// The service that it is in.
    pub fn service(&self) -> Option<&str> {
        match self.0.as_slice() {
            [first, name, ..] if first == "service" => Some(name),
            _ => None,
        }
    }

    /// The key of a whole service.
    pub fn of_service(name: &str) -> Self {
        Self::of(&["service", name])
    }

    /// The part of the file that it is in: `mainstay`, `defaults` or `service`.
    pub fn section(&self) -> Self {
        Self(self.0.iter().take(1).cloned().collect())
    }

    /// Whether `other` is this or in it, part by part, where `glob` says what a part stands for.
    pub fn covers(&self, other: &Self, glob: impl Fn(&str, &str) -> bool) -> bool {
        self.0.len() <= other.0.len() && self.0.iter().zip(&other.0).all(|(part, other)| glob(part, other))
    }

    /// The parts of `other` below this; `None` when it is not below.
    pub fn below<'a>(&self, other: &'a Self) -> Option<&'a [String]> {
        other.0.strip_prefix(self.0.as_slice()).filter(|rest| !rest.is_empty())
    }

    /// The same as said in the table `above`; `None` when it is not in it.
    pub fn relative_to(&self, above: &Self) -> Option<Self> {
        above.below(self).map(|parts| Self(parts.to_vec()))
    }

    /// Whether a part is a glob.
    pub fn is_glob(&self) -> bool {
        self.0.iter().any(|part| is_glob(part))
    }

    /// Whether a setting can be called that; `service.NAME` is not looked at, and nothing behind a glob.
    ///
    /// # Errors
    /// There is no such setting in this version, with what was probably meant.
    pub fn check(&self) -> Result<(), KeyError> {
        self.shape().map(drop)
    }

    /// What stands there must look like this; `None` behind a glob.
    pub(crate) fn shape(&self) -> Result<Option<Shape>, KeyError> {
        let mut shape = Shape::Table(&FILE);
        let mut path = String::new();
        for part in &self.0 {
            let Some(next) = step(&shape, part, &path)? else { return Ok(None) };
            shape = next;
            if !path.is_empty() {
                path.push('.');
            }
            path.push_str(&quoted_part(part));
        }
        Ok(Some(shape))
    }
}

/// The shape of what is called `part` in what looks like `shape`.
pub(crate) fn child(shape: &Shape, part: &str) -> Option<Shape> {
    step(shape, part, "").ok().flatten()
}

/// The shape of what is called `part` below `path`.
fn step(shape: &Shape, part: &str, path: &str) -> Result<Option<Shape>, KeyError> {
    match shape {
        Shape::Table(fields) => declared(fields, part, path, |_| true),
        Shape::Inherited(fields) => declared(fields, part, path, |setting| setting.inherited),
        Shape::Map(_, of) => Ok(Some(**of)),
        Shape::Either(shapes) => {
            match shapes.iter().find(|shape| matches!(shape, Shape::Table(_) | Shape::Map(..))) {
                Some(table) => step(table, part, path),
                None => Err(nothing_below(path)),
            }
        }
        Shape::Text
        | Shape::Scalar
        | Shape::Duration(_)
        | Shape::Size(_)
        | Shape::Signal
        | Shape::Address
        | Shape::Boolean
        | Shape::Whole(..)
        | Shape::Factor
        | Shape::Word(_)
        | Shape::Command
        | Shape::List(_) => Err(nothing_below(path)),
        Shape::Any => Ok(Some(Shape::Any)),
    }
}

fn nothing_below(path: &str) -> KeyError {
    KeyError::new(format!("`{path}` is one value, and nothing is below it"), format!("name `{path}` itself"))
}

fn declared(
    fields: &Fields,
    part: &str,
    path: &str,
    wanted: fn(&Setting) -> bool,
) -> Result<Option<Shape>, KeyError> {
    if is_glob(part) {
        return Ok(None);
    }
    let place = if path.is_empty() { String::new() } else { format!(" in `{path}`") };
    match fields.setting(part) {
        None => {
            Err(KeyError::new(format!("there is no setting `{part}`{place}"), meant(part, fields, wanted)))
        }
        Some(setting) if setting.support == Support::Later => Err(KeyError::new(
            format!("`{part}`{place} is not supported yet"),
            "a later version of Mainstay gives it a meaning",
        )),
        Some(setting) if !wanted(setting) => Err(KeyError::new(
            format!("`{part}` cannot be a default"),
            format!("it is said in each service: `service.NAME.{part}`"),
        )),
        Some(setting) => Ok(Some(setting.shape)),
    }
}

fn is_glob(part: &str) -> bool {
    part.contains(['*', '?'])
}

/// A part as it is written: in quotes where it must be.
pub(crate) fn quoted_part(part: &str) -> String {
    let bare = !part.is_empty()
        && part.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '*' | '?'));
    if bare { part.to_owned() } else { crate::said::quoted(part) }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts: Vec<String> = self.0.iter().map(|part| quoted_part(part)).collect();
        f.write_str(&parts.join("."))
    }
}

impl FromStr for Key {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let wrong = |what: &str| {
            KeyError::new(
                format!("{} is not a key: {what}", crate::suggest::quoted(text)),
                "write it as `service.NAME.user`; a name with dots stands in quotes: `service.\"api.v2\".user`",
            )
        };
        let (mut parts, mut rest) = (Vec::new(), text.trim());
        loop {
            let quote = rest.chars().next().filter(|c| matches!(c, '"' | '\''));
            let (part, after) = match quote {
                Some(quote) => rest
                    .get(1..)
                    .and_then(|inside| inside.split_once(quote))
                    .ok_or_else(|| wrong("a quote is not closed"))?,
                None => rest.split_at(rest.find('.').unwrap_or(rest.len())),
            };
            if part.is_empty() {
                return Err(wrong("a part of it is empty"));
            }
            parts.push(part.to_owned());
            match (after, after.strip_prefix('.')) {
                ("", _) => return Ok(Self(parts)),
                (_, Some(next)) => rest = next,
                (_, None) => return Err(wrong("something follows a closing quote")),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(text: &str) -> Key {
        text.parse().unwrap()
    }

    #[test]
    fn keys_are_read_as_they_are_written() {
        for text in
            ["mainstay.name", "service.api.env.A", "service.\"a.b\".user", "service.*.user", "service"]
        {
            assert_eq!(key(text).to_string(), text);
        }
        assert_eq!(key("service.'a.b'").parts(), ["service", "a.b"]);
        assert_eq!(key("service.\"a.b\".user").service(), Some("a.b"));
        for bad in ["", ".", "a.", ".a", "a..b", "\"a", "\"a\"b", "\"\""] {
            assert!(bad.parse::<Key>().is_err(), "{bad}");
        }
    }

    #[test]
    fn settings_are_known_and_misspelt_ones_are_offered() {
        for good in [
            "service",
            "service.api",
            "service.api.restart.delay",
            "service.api.depends_on.db.until",
            "service.api.env.ANY",
            "service.api.env_file.path",
            "service.*.user",
            "defaults.restart",
            "mainstay.name",
            "service.api.re*",
        ] {
            assert_eq!(key(good).check(), Ok(()), "{good}");
        }
        let rows = [
            (
                "service.api.restart.dealy",
                "there is no setting `dealy` in `service.api.restart`",
                "did you mean `delay`?",
            ),
            ("sevrice.api", "there is no setting `sevrice`", "did you mean `service`?"),
            (
                "service.api.user.name",
                "`service.api.user` is one value, and nothing is below it",
                "name `service.api.user` itself",
            ),
            (
                "defaults.command",
                "`command` cannot be a default",
                "it is said in each service: `service.NAME.command`",
            ),
        ];
        for (text, message, help) in rows {
            assert_eq!(key(text).check(), Err(KeyError::new(message, help)), "{text}");
        }
    }
}
