//! How the program ended, as its exit code says it.

use std::process::ExitCode;

/// How a service, or the program around it, ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ending {
    /// It has done what it was for, or was asked to end and did: 0.
    Done,
    /// It failed, or could not be made: 1.
    Failed,
    /// The command line makes no sense: 2.
    Usage,
    /// The configuration is wrong: 6.
    InvalidConfig,
    /// It was asked for something, and was not done in time: 124.
    TimedOut,
}

impl Ending {
    /// Its exit code.
    pub const fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::InvalidConfig => 6,
            Self::TimedOut => 124,
        }
    }
}

impl From<Ending> for ExitCode {
    fn from(ending: Ending) -> Self {
        Self::from(ending.code())
    }
}
