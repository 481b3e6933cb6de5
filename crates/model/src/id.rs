//! Names and numbers that identify a service, one of its instances, and one of its runs.

use std::{fmt, num::NonZeroU32, str::FromStr};

/// The longest name of a service, in bytes.
const NAME_LIMIT: usize = 64;

/// The name of a service as its file gives it: 1 to 64 of `a-z A-Z 0-9 . _ -`, the first a letter or a digit.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServiceName(String);

/// Why a text is no name of a service.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Nothing at all.
    #[error("a service needs a name")]
    Empty,
    /// More than 64 bytes.
    #[error("a service's name has at most 64 characters")]
    TooLong,
    /// A character that would not be safe in a path, a command line or a subject.
    #[error(
        "a service's name starts with a letter or digit and holds only letters, digits, '.', '_' and '-'; '{0}' is none of these"
    )]
    Character(char),
    /// Reserved words: `all` selects every service.
    #[error("'{0}' is a reserved word")]
    Reserved(String),
    /// The number after `@` is none, or is 0.
    #[error("'{0}' is not an instance: after '@' comes a number from 1")]
    Instance(String),
}

impl ServiceName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ServiceName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let mut characters = text.chars();
        let first = characters.next().ok_or(NameError::Empty)?;
        if text.len() > NAME_LIMIT {
            return Err(NameError::TooLong);
        }
        if !first.is_ascii_alphanumeric() {
            return Err(NameError::Character(first));
        }
        if let Some(bad) = characters.find(|c| !(c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-'))) {
            return Err(NameError::Character(bad));
        }
        if text == "all" {
            return Err(NameError::Reserved(text.to_owned()));
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for ServiceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// One thing that runs: a service, or one numbered instance of it (`api@2`).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServiceId {
    /// The service.
    pub name: ServiceName,
    /// The instance's number from 1, when the service has more than one.
    pub instance: Option<NonZeroU32>,
}

impl ServiceId {
    /// The only instance of `name`.
    pub fn single(name: ServiceName) -> Self {
        Self { name, instance: None }
    }
}

impl FromStr for ServiceId {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let Some((name, number)) = text.split_once('@') else {
            return Ok(Self::single(text.parse()?));
        };
        let instance = number.parse().map_err(|_| NameError::Instance(text.to_owned()))?;
        Ok(Self { name: name.parse()?, instance: Some(instance) })
    }
}

impl fmt::Display for ServiceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.instance {
            None => f.pad(self.name.as_str()),
            Some(number) => f.pad(&format!("{}@{number}", self.name)),
        }
    }
}

/// The number of one run of a service: it only grows, from 1, as long as the service is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RunId(pub u64);

impl RunId {
    /// The run after this one.
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_safe_in_paths_and_commands() {
        for good in ["api", "a", "0day", "a.b-c_d", &"x".repeat(64)] {
            assert!(good.parse::<ServiceName>().is_ok(), "{good}");
        }
        for bad in ["", "-x", ".x", "@x", "a/b", "a b", "a@b", "ä", "all", &"x".repeat(65)] {
            assert!(bad.parse::<ServiceName>().is_err(), "{bad}");
        }
    }

    #[test]
    fn an_id_reads_back_as_it_prints() {
        for text in ["api", "api@1", "api@42"] {
            assert_eq!(text.parse::<ServiceId>().map(|id| id.to_string()), Ok(text.to_owned()));
        }
        for bad in ["api@0", "api@", "api@x", "@1", "api@-1", "a@1@2"] {
            assert!(bad.parse::<ServiceId>().is_err(), "{bad}");
        }
    }
}
