//! Who says what: the layers of values, from the file up to the arguments, before any of them has a type.

use std::{collections::BTreeMap, fmt, path::PathBuf};

use toml::Value;

use super::{FileLayer, SettingShape};

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Nobody said anything.
    Default,
    /// A line of a file.
    File {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
    },
    /// A file of secrets (`$CREDENTIALS_DIRECTORY`).
    Credential(PathBuf),
    /// Another source, by its name.
    Broker(String),
    /// A variable of the environment.
    Environment(String),
    /// The command line.
    Argument(String),
    /// A call while it ran (`config.set`).
    Call,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => write!(f, "the default"),
            Self::File { path, line } => write!(f, "{}:{line}", path.display()),
            Self::Credential(path) => write!(f, "the credential {}", path.display()),
            Self::Broker(name) => write!(f, "{name}"),
            Self::Environment(name) => write!(f, "${name}"),
            Self::Argument(text) => write!(f, "{text}"),
            Self::Call => write!(f, "a call"),
        }
    }
}

/// A source of values outside of the machine, such as a broker. It stands between the file and the environment.
pub trait Source {
    /// What it is called where a value's origin is shown.
    fn name(&self) -> String;

    /// What it says of a service now.
    fn values(&self, service: &str) -> BTreeMap<String, Value>;
}

/// Everything that was said of one service's settings, the weakest first.
#[derive(Clone, Debug, Default)]
pub(crate) struct Layers {
    said: Vec<(String, Said)>,
}

/// One value, and who says it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Said {
    pub(crate) value: Value,
    pub(crate) origin: Origin,
}

impl Layers {
    /// What a file says.
    pub(crate) fn add_file(&mut self, file: &FileLayer) {
        for (name, line, value) in &file.values {
            let origin = Origin::File { path: file.path.clone(), line: *line };
            self.said.push((name.clone(), Said { value: value.clone(), origin }));
        }
    }

    /// What a source says.
    pub(crate) fn add_source(&mut self, source: &dyn Source, service: &str) {
        for (name, value) in source.values(service) {
            self.said.push((name, Said { value, origin: Origin::Broker(source.name()) }));
        }
    }

    /// What a call says.
    pub(crate) fn add_call(&mut self, name: &str, value: &Value) {
        self.said.push((name.to_owned(), Said { value: value.clone(), origin: Origin::Call }));
    }

    /// What a text says, from the environment, a credential or an argument.
    pub(crate) fn add_text(&mut self, shape: &SettingShape, text: &str, origin: Origin) {
        self.said.push((shape.name.to_owned(), Said { value: shape.value_of(text), origin }));
    }

    /// What was said of this, the weakest first.
    pub(crate) fn of(&self, name: &str) -> impl Iterator<Item = &Said> {
        self.said.iter().filter(move |(said, _)| said == name).map(|(_, said)| said)
    }

    /// Names that no setting has, and where they stand.
    pub(crate) fn unknown(&self, shapes: &[SettingShape]) -> impl Iterator<Item = (&str, &Origin)> {
        let is_known = |name: &str| shapes.iter().any(|shape| shape.name == name);
        self.said
            .iter()
            .filter(move |(name, _)| !is_known(name))
            .map(|(name, said)| (name.as_str(), &said.origin))
    }
}

/// The variable that sets a setting: `HELLO_WORLD_INTERVAL`.
pub(crate) fn variable_of(service: &str, shape: &SettingShape) -> String {
    let usual = || {
        let text = format!("{service}_{}", shape.name);
        text.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' }).collect()
    };
    shape.variable.map_or_else(usual, str::to_owned)
}
