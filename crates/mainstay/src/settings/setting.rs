//! The types that a setting can have: how each is read from a value and from a text, and what it is called.

use std::{cmp::Ordering, net::SocketAddr, path::PathBuf, time::Duration};

use mainstay_config::{duration, size};
use mainstay_model::Bytes;
use serde_json::{Value as Json, json};
use toml::Value;

/// What a person and a schema may know of a type.
#[derive(Clone, Debug)]
pub struct SettingKind {
    /// `a duration such as "5s"`.
    pub words: &'static str,
    /// JSON Schema 2020-12.
    pub schema: Json,
    /// Whether it may be missing.
    pub is_optional: bool,
    /// Whether it is never shown.
    pub is_secret: bool,
    /// Whether a text from the environment or the command line is taken as it is, without quotes.
    pub is_text: bool,
}

impl SettingKind {
    /// One that must be there, and may be shown.
    pub fn new(words: &'static str, schema: Json) -> Self {
        Self { words, schema, is_optional: false, is_secret: false, is_text: false }
    }

    /// One whose values are texts.
    pub fn text(words: &'static str) -> Self {
        Self { is_text: true, ..Self::new(words, json!({ "type": "string" })) }
    }
}

/// A type that a setting can have. For one of your own:
///
/// ```
/// use mainstay::{Setting, SettingKind};
///
/// enum Colour { Red, Green }
///
/// impl Setting for Colour {
///     fn kind() -> SettingKind {
///         SettingKind::text("`red` or `green`")
///     }
///     fn read(value: &toml::Value) -> Result<Self, String> {
///         match value.as_str() {
///             Some("red") => Ok(Self::Red),
///             Some("green") => Ok(Self::Green),
///             _ => Err(format!("`{value}` is neither `red` nor `green`")),
///         }
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "a setting cannot have the type `{Self}`",
    label = "this type cannot be read from a configuration",
    note = "use bool, a number, String, Duration, PathBuf, SocketAddr, Bytes, or an Option or Vec of one; or implement `mainstay::Setting` for it"
)]
pub trait Setting: Sized {
    /// What it is.
    fn kind() -> SettingKind;

    /// Reads a value.
    ///
    /// # Errors
    /// It is none of this type: why, in one sentence.
    fn read(value: &Value) -> Result<Self, String>;

    /// What it is when nobody says anything; `None`: somebody must.
    fn missing() -> Option<Self> {
        None
    }

    /// For bounds.
    fn order(&self, _other: &Self) -> Option<Ordering> {
        None
    }
}

fn refused(value: &Value, words: &str) -> String {
    format!("{value} is not {words}")
}

macro_rules! integers {
    ($($type:ty),*) => {$(
        impl Setting for $type {
            fn kind() -> SettingKind {
                SettingKind::new("a whole number", json!({ "type": "integer", "minimum": <$type>::MIN, "maximum": <$type>::MAX }))
            }
            fn read(value: &Value) -> Result<Self, String> {
                let number = value.as_integer().ok_or_else(|| refused(value, Self::kind().words))?;
                Self::try_from(number).map_err(|_| format!("{number} is not between {} and {}", Self::MIN, Self::MAX))
            }
            fn order(&self, other: &Self) -> Option<Ordering> {
                Some(self.cmp(other))
            }
        }
    )*};
}

integers!(i8, i16, i32, i64, u8, u16, u32, u64, usize);

impl Setting for f64 {
    fn kind() -> SettingKind {
        SettingKind::new("a number", json!({ "type": "number" }))
    }

    fn read(value: &Value) -> Result<Self, String> {
        #[expect(clippy::cast_precision_loss, reason = "who writes a whole number means one that fits")]
        let whole = || value.as_integer().map(|number| number as Self);
        value.as_float().or_else(whole).ok_or_else(|| refused(value, Self::kind().words))
    }

    fn order(&self, other: &Self) -> Option<Ordering> {
        self.partial_cmp(other)
    }
}

impl Setting for bool {
    fn kind() -> SettingKind {
        SettingKind::new("true or false", json!({ "type": "boolean" }))
    }

    fn read(value: &Value) -> Result<Self, String> {
        value.as_bool().ok_or_else(|| refused(value, Self::kind().words))
    }
}

impl Setting for String {
    fn kind() -> SettingKind {
        SettingKind::text("a text")
    }

    fn read(value: &Value) -> Result<Self, String> {
        value.as_str().map(str::to_owned).ok_or_else(|| refused(value, "a text: put it in quotes"))
    }
}

impl Setting for PathBuf {
    fn kind() -> SettingKind {
        SettingKind::text("a path")
    }

    fn read(value: &Value) -> Result<Self, String> {
        String::read(value).map(Self::from)
    }
}

impl Setting for SocketAddr {
    fn kind() -> SettingKind {
        SettingKind::text("an address and a port, such as \"127.0.0.1:8080\"")
    }

    fn read(value: &Value) -> Result<Self, String> {
        let text = String::read(value)?;
        text.parse().map_err(|_| refused(value, Self::kind().words))
    }
}

impl Setting for Duration {
    fn kind() -> SettingKind {
        SettingKind::text("a duration such as \"5s\" or \"1h 30m\"")
    }

    fn read(value: &Value) -> Result<Self, String> {
        let Some(text) = value.as_str() else {
            return Err(format!("{value} has no unit: write it as \"{value}s\" for seconds"));
        };
        duration(text).map_err(|fault| format!("{}: {}", fault.message, fault.help))
    }

    fn order(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Setting for Bytes {
    fn kind() -> SettingKind {
        SettingKind::text("a size such as \"200MiB\" or \"1GB\"")
    }

    fn read(value: &Value) -> Result<Self, String> {
        let Some(text) = value.as_str() else {
            return Err(format!("{value} has no unit: write it as \"{value}B\" for bytes"));
        };
        size(text).map_err(|fault| format!("{}: {}", fault.message, fault.help))
    }

    fn order(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<T: Setting> Setting for Option<T> {
    fn kind() -> SettingKind {
        SettingKind { is_optional: true, ..T::kind() }
    }

    fn read(value: &Value) -> Result<Self, String> {
        T::read(value).map(Some)
    }

    fn missing() -> Option<Self> {
        Some(None)
    }

    fn order(&self, other: &Self) -> Option<Ordering> {
        self.as_ref().zip(other.as_ref()).and_then(|(one, other)| one.order(other))
    }
}

impl<T: Setting> Setting for Vec<T> {
    fn kind() -> SettingKind {
        let kind = T::kind();
        SettingKind {
            is_secret: kind.is_secret,
            ..SettingKind::new("a list", json!({ "type": "array", "items": kind.schema }))
        }
    }

    fn read(value: &Value) -> Result<Self, String> {
        let Value::Array(values) = value else { return Err(refused(value, "a list: write it in [ ]")) };
        values.iter().map(T::read).collect()
    }
}
