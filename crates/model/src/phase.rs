//! The words for what a service is doing and how it feels.

use std::fmt;

/// What a service is doing, in one word (see `docs/words.md`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PhaseName {
    /// Not running, and nothing is about to change that.
    Stopped,
    /// Waiting for a dependency, a time or a backoff: the reason says which.
    Waiting,
    /// Its process is being made, or is not ready yet.
    Starting,
    /// Its process runs and is ready.
    Running,
    /// Its process is frozen on request.
    Paused,
    /// It was asked to end.
    Stopping,
    /// A oneshot that ended well.
    Completed,
    /// It gave up.
    Failed,
}

impl PhaseName {
    /// Every phase, in the order of a life.
    pub const ALL: [Self; 8] = [
        Self::Stopped,
        Self::Waiting,
        Self::Starting,
        Self::Running,
        Self::Paused,
        Self::Stopping,
        Self::Completed,
        Self::Failed,
    ];

    /// The word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Stopped => "stopped",
            Self::Waiting => "waiting",
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Stopping => "stopping",
            Self::Completed => "completed",
            Self::Failed => "failed",
        }
    }

    /// The phase of this word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|phase| phase.as_str() == word)
    }
}

impl fmt::Display for PhaseName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// How a service feels, in the words of the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Health {
    /// Nobody asked it, or it does not run.
    Unknown,
    /// Not ready yet.
    Startup,
    /// Well.
    Ok,
    /// Well, and it says that it has nothing to do.
    Idle,
    /// Well, and it says that it is at work.
    Busy,
    /// It says that it does its work less well than it should.
    Degraded,
    /// Its latest health check failed, not often enough to restart it; or it says so.
    Warning,
    /// It failed too often, and is being restarted for it; or it says so.
    Error,
    /// Ending.
    Shutdown,
    /// Gave up.
    Failed,
}

impl Health {
    /// Every one.
    pub const ALL: [Self; 10] = [
        Self::Unknown,
        Self::Startup,
        Self::Ok,
        Self::Idle,
        Self::Busy,
        Self::Degraded,
        Self::Warning,
        Self::Error,
        Self::Shutdown,
        Self::Failed,
    ];

    /// The one of this word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|health| health.as_str() == word)
    }

    /// The word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Startup => "startup",
            Self::Ok => "ok",
            Self::Idle => "idle",
            Self::Busy => "busy",
            Self::Degraded => "degraded",
            Self::Warning => "warning",
            Self::Error => "error",
            Self::Shutdown => "shutdown",
            Self::Failed => "failed",
        }
    }
}

impl fmt::Display for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl From<PhaseName> for Health {
    /// What a phase alone says of health.
    fn from(phase: PhaseName) -> Self {
        match phase {
            PhaseName::Stopped | PhaseName::Paused => Self::Unknown,
            PhaseName::Waiting | PhaseName::Starting => Self::Startup,
            PhaseName::Running | PhaseName::Completed => Self::Ok,
            PhaseName::Stopping => Self::Shutdown,
            PhaseName::Failed => Self::Failed,
        }
    }
}
