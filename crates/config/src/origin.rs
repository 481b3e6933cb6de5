//! Where a value comes from, as data and in words. Finds nothing out.

use std::{fmt, path::PathBuf};

use crate::{Used, key::Key, said::Said};

/// A value and where it comes from.
#[derive(Clone, Debug, PartialEq)]
pub struct Explained {
    /// Where it hangs.
    pub key: Key,
    /// What is in force; `None` when nothing is said and the default is no value.
    pub value: Option<Said>,
    /// Who says so.
    pub origin: Origin,
    /// The variables of the caller that were replaced in it.
    pub variables: Vec<Used>,
    /// What would be in force without it, the nearest first.
    pub overridden: Vec<Overridden>,
    /// Whether it looks like something that is not for every eye.
    pub secret: bool,
}

/// A value that another one took the place of.
#[derive(Clone, Debug, PartialEq)]
pub struct Overridden {
    /// Where it hangs: beside the other, where the two exclude each other.
    pub key: Key,
    /// What it says; its variables may not be replaced.
    pub value: Said,
    /// Who says so.
    pub origin: Origin,
    /// Whether it looks like something that is not for every eye.
    pub secret: bool,
}

/// Who says a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Nobody: it is the default, in the words of the reference.
    Default {
        /// What the reference says of it.
        words: &'static str,
    },
    /// A file of the configuration.
    File {
        /// Which of them.
        layer: Layer,
        /// Which part of it.
        section: Section,
        /// Where.
        place: Location,
    },
    /// A line of an `env_file`.
    EnvFile {
        /// Where.
        place: Location,
    },
    /// The environment of the caller, from which it is taken over.
    Caller,
}

/// Which file of the configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layer {
    /// `mainstay.toml`, or whatever it is called.
    Main,
    /// One of `conf.d/`.
    Addition,
    /// `mainstay.local.toml`.
    Local,
}

impl Layer {
    /// One word, for programs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Main => "main",
            Self::Addition => "addition",
            Self::Local => "local",
        }
    }
}

/// Which part of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Section {
    /// The table that the value is asked of.
    Own,
    /// `[defaults]`, for a value of a service.
    Defaults,
}

impl Section {
    /// One word, for programs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Own => "own",
            Self::Defaults => "defaults",
        }
    }
}

/// A place in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Location {
    /// The file, as it was named to `explain`.
    pub path: PathBuf,
    /// Its line, from 1.
    pub line: usize,
    /// The character of the line, from 1.
    pub column: usize,
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.path.display(), self.line, self.column)
    }
}

impl Origin {
    /// Its kind in one word, for programs.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Default { .. } => "default",
            Self::File { .. } => "file",
            Self::EnvFile { .. } => "env_file",
            Self::Caller => "caller",
        }
    }

    /// Where, when it is in a file.
    pub const fn place(&self) -> Option<&Location> {
        match self {
            Self::File { place, .. } | Self::EnvFile { place } => Some(place),
            Self::Default { .. } | Self::Caller => None,
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // A plain value is shown beside it already.
            Self::Default { words } if serde_json::from_str::<serde_json::Value>(words).is_ok() => {
                f.write_str("default")
            }
            Self::Default { words: "" } => f.write_str("default"),
            Self::Default { words } => write!(f, "default: {words}"),
            Self::File { section: Section::Own, place, .. } => write!(f, "{place}"),
            Self::File { section: Section::Defaults, place, .. } => write!(f, "[defaults] {place}"),
            Self::EnvFile { place } => write!(f, "env_file {}:{}", place.path.display(), place.line),
            Self::Caller => f.write_str("inherited from the caller"),
        }
    }
}
