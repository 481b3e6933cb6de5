//! Every exit code that this program has. Scripts rely on them: a change here is a breaking one.

use std::process::ExitCode;

/// How the program ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// It did what was asked.
    Done,
    /// It did not come about, or the answer is no.
    Failed,
    /// The command line makes no sense.
    Usage,
    /// The system does not let this user.
    NotPermitted,
    /// No service is called that.
    NoSuchService,
    /// The project's files are wrong, or there are none.
    InvalidConfiguration,
    /// The service that is to be called does not run.
    NotRunning,
    /// Nobody is there to be asked.
    NoDaemon,
    /// A defect of ours.
    Bug,
    /// It took longer than it may.
    TimedOut,
    /// Ctrl-C.
    Interrupted,
    /// What `status NAME` says of a service.
    Status(ServiceStatus),
    /// `run`: as its program did.
    Program(u8),
}

/// How a service is, as the Linux Standard Base has init scripts say it, and beyond.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum ServiceStatus {
    /// It runs and is well.
    Running,
    /// It is stopped or has completed.
    Stopped,
    /// It is frozen.
    Paused,
    /// It is about to run, or waits.
    Starting,
    /// It runs and is not well.
    Unhealthy,
    /// It gave up.
    Failed,
}

impl Exit {
    /// The number.
    pub(crate) fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::NotPermitted => 4,
            Self::NoSuchService => 5,
            Self::InvalidConfiguration => 6,
            Self::NotRunning => 7,
            Self::NoDaemon => 69,
            Self::Bug => 70,
            Self::TimedOut => 124,
            Self::Interrupted => 130,
            Self::Status(status) => status.code(),
            Self::Program(code) => code,
        }
    }

    /// The word for scripts.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Done | Self::Status(_) | Self::Program(_) => "done",
            Self::Failed => "failed",
            Self::Usage => "usage",
            Self::NotPermitted => "not-permitted",
            Self::NoSuchService => "no-such-service",
            Self::InvalidConfiguration => "invalid-configuration",
            Self::NotRunning => "not-running",
            Self::NoDaemon => "no-daemon",
            Self::Bug => "internal",
            Self::TimedOut => "timed-out",
            Self::Interrupted => "interrupted",
        }
    }
}

impl ServiceStatus {
    fn code(self) -> u8 {
        match self {
            Self::Running => 0,
            Self::Stopped => 3,
            Self::Starting => 150,
            Self::Unhealthy => 151,
            Self::Paused => 153,
            Self::Failed => 152,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}
