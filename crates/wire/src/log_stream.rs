//! The two streams of a service's output, where they are kept apart, and the names of what belongs to the second: its log, its
//! FIFO, whatever is called as the slot is. Reads and writes nothing.

use serde::{Deserialize, Serialize};

/// What stands behind a slot's name in the name of its errors: `api@2+stderr`. No name of a service or hook ends with it.
const ERRORS: &str = "+stderr";

/// One of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LogStream {
    /// Standard output.
    Out,
    /// Standard error.
    Err,
}

impl LogStream {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Out, Self::Err];

    /// The word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Out => "out",
            Self::Err => "err",
        }
    }
}

/// The name of the errors of a slot, or the path of their log by that of its own.
pub fn errors_of(name: &str) -> String {
    format!("{name}{ERRORS}")
}

/// Whose errors these are; `None` for what are nobody's.
pub fn owner_of_errors(name: &str) -> Option<&str> {
    name.strip_suffix(ERRORS).filter(|owner| !owner.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_back() {
        for name in ["api", "api@2", "/logs/api"] {
            assert_eq!(owner_of_errors(&errors_of(name)), Some(name));
            assert_eq!(owner_of_errors(name), None);
        }
        assert_eq!(owner_of_errors("api+before_start"), None);
        assert_eq!(owner_of_errors(ERRORS), None);
    }
}
