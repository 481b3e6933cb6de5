//! One setting, for people and for schemas.

use toml::Value;

use super::{Setting, SettingKind};

/// A setting: its name, its type, and what may be said of it.
#[derive(Clone, Debug)]
pub struct SettingShape {
    /// As in a file.
    pub name: &'static str,
    /// What it is for.
    pub help: &'static str,
    /// Its type.
    pub kind: SettingKind,
    /// Its default as a file has it.
    pub default: Option<&'static str>,
    /// The least and the most.
    pub bounds: Option<(&'static str, &'static str)>,
    /// Whether it can change while the service runs.
    pub is_live: bool,
    /// The variable that sets it, when it is not the usual one.
    pub variable: Option<&'static str>,
}

impl SettingShape {
    /// One of this type.
    pub fn new<T: Setting>(name: &'static str, help: &'static str) -> Self {
        let kind = T::kind();
        Self { name, help, kind, default: None, bounds: None, is_live: false, variable: None }
    }

    /// What it is when nobody says anything.
    #[must_use]
    pub fn with_default(self, text: &'static str) -> Self {
        Self { default: Some(text), ..self }
    }

    /// Its bounds; both are allowed.
    #[must_use]
    pub fn within(self, least: &'static str, most: &'static str) -> Self {
        Self { bounds: Some((least, most)), ..self }
    }

    /// Never shown.
    #[must_use]
    pub fn secret(mut self) -> Self {
        self.kind.is_secret = true;
        self
    }

    /// It can change while the service runs.
    #[must_use]
    pub fn live(self) -> Self {
        Self { is_live: true, ..self }
    }

    /// The variable that sets it.
    #[must_use]
    pub fn from_variable(self, variable: &'static str) -> Self {
        Self { variable: Some(variable), ..self }
    }

    /// Reads what an environment variable, an argument or an attribute says.
    pub(crate) fn value_of(&self, text: &str) -> Value {
        let quoted = || Value::String(text.to_owned());
        if self.kind.is_text {
            return quoted();
        }
        value_of(text).unwrap_or_else(quoted)
    }
}

/// A value as a TOML file would have it.
pub(crate) fn value_of(text: &str) -> Option<Value> {
    let mut table: toml::Table = toml::from_str(&format!("value = {text}")).ok()?;
    (table.len() == 1).then(|| table.remove("value")).flatten()
}
