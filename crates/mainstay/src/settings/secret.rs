//! A value that is never shown.

use std::fmt;

use toml::Value;

use super::{Setting, SettingKind};

/// A value that is shown nowhere: not by `Debug`, in no log, status or error. A field of this type is a secret without
/// `#[secret]` as well.
///
/// ```
/// let token = mainstay::Secret::new("hunter2".to_owned());
/// assert_eq!(format!("{token:?}"), "(secret)");
/// assert_eq!(token.reveal(), "hunter2");
/// ```
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Secret<T>(T);

impl<T> Secret<T> {
    /// Hides it.
    pub fn new(value: T) -> Self {
        Self(value)
    }

    /// Shows it to the one place that needs it.
    pub fn reveal(&self) -> &T {
        &self.0
    }
}

impl<T> fmt::Debug for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(secret)")
    }
}

impl<T: Setting> Setting for Secret<T> {
    fn kind() -> SettingKind {
        SettingKind { is_secret: true, ..T::kind() }
    }

    fn read(value: &Value) -> Result<Self, String> {
        // The words of the error would hold the value.
        T::read(value).map(Self).map_err(|_| format!("this is not {}", T::kind().words))
    }
}
