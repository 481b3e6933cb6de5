//! How a run ended.

use std::fmt;

use crate::Signal;

/// How a run ended (`waitid(2)`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// It ended itself, with this code.
    Code(i32),
    /// A signal ended it.
    Signal(Signal),
    /// It is gone, and nobody was left to see how.
    Unknown,
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(f, "exit {code}"),
            Self::Signal(signal) => write!(f, "signal {signal}"),
            Self::Unknown => write!(f, "an unknown exit status"),
        }
    }
}
