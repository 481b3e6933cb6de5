//! Why a service is in the state it is in. Every state has one; every door shows the same.

use std::time::Duration;

use crate::{
    Attempts, Condition, Exit, HookName, Kind, Moment, RestartWhen, ServiceId, Signal, SpawnFailure,
};

/// Why a service is in the state it is in: a stable [code](Reason::code) and a [sentence](Reason::sentence).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Nobody asked for it yet.
    NeverStarted,
    /// Somebody asked for it to be stopped.
    StopRequested,
    /// Somebody asked for it to be killed.
    KillRequested,
    /// A dependency has not reached what it must.
    Dependency {
        /// Which one.
        on: ServiceId,
        /// What it must reach.
        until: Condition,
        /// Why it has not; filled in when the status is asked for.
        because: Option<Box<Reason>>,
    },
    /// A dependency with `restart = true` went away.
    DependencyLost {
        /// Which one.
        on: ServiceId,
    },
    /// Its process is being made.
    Spawning {
        /// Restarts in a row before this start.
        attempt: u32,
    },
    /// Its process could not be made.
    NotSpawned(SpawnFailure),
    /// It runs, and its check has not succeeded yet.
    NotReady {
        /// What is asked (`tcp 127.0.0.1:5432`).
        check: String,
        /// What the latest asking said.
        answer: Option<String>,
        /// Since when it is asked.
        since: Moment,
    },
    /// Its check did not succeed in time.
    ReadyTimeout {
        /// What was asked.
        check: String,
        /// What the last asking said.
        answer: Option<String>,
        /// How long it was waited for.
        after: Duration,
    },
    /// It runs; it has no check.
    Running,
    /// It runs, and its check succeeded.
    Ready {
        /// What was asked.
        check: String,
    },
    /// It runs, and its latest health checks failed.
    Failing {
        /// What is asked.
        check: String,
        /// What the latest asking said.
        answer: String,
        /// How many in a row.
        failures: u32,
        /// How many are one too many.
        limit: u32,
    },
    /// Its health check failed too often in a row.
    Unhealthy {
        /// What was asked.
        check: String,
        /// What the last asking said.
        answer: String,
        /// How many in a row.
        failures: u32,
    },
    /// It did not say `WATCHDOG=1` in time.
    Silent {
        /// The time.
        after: Duration,
    },
    /// It asked for what follows a missed watchdog (`WATCHDOG=trigger`).
    WatchdogTriggered,
    /// It says that it reads its configuration again.
    Reloading,
    /// It says that it is about to end.
    EndingItself,
    /// It is frozen on request.
    Paused,
    /// One of its hooks runs.
    Hook {
        /// Which.
        hook: HookName,
    },
    /// One of its hooks failed.
    HookFailed {
        /// Which.
        hook: HookName,
        /// How, in a clause: `exited with 1`.
        text: String,
    },
    /// A file that it watches changed.
    FileChanged {
        /// Which.
        path: String,
    },
    /// Somebody took its failure back.
    ResetRequested,
    /// It will be stopped as soon as these, which need it, have ended.
    Needed {
        /// Who needs it; the first few.
        by: Vec<ServiceId>,
    },
    /// It was asked to end.
    Stopping {
        /// The cause of that.
        cause: Box<Reason>,
        /// What it was sent.
        signal: Signal,
        /// When what is left of it is killed.
        kill_at: Moment,
    },
    /// What was left of it was sent KILL, and has not ended yet.
    Killing {
        /// The cause of the stop.
        cause: Box<Reason>,
    },
    /// It ended by itself.
    Exited(Exit),
    /// It ended, well or as its policy allows, and its policy does not start it again.
    Ended {
        /// How.
        exit: Exit,
        /// The policy.
        policy: RestartWhen,
    },
    /// A oneshot that ended well.
    Completed {
        /// How.
        exit: Exit,
    },
    /// The pause before the next start.
    Backoff {
        /// What ended the latest run.
        cause: Box<Reason>,
        /// The next start.
        until: Moment,
        /// Which restart in a row it will be, from 1.
        attempt: u32,
        /// How many there may be.
        attempts: Attempts,
    },
    /// It failed and is not started again: its policy never does, or the attempts ran out.
    GaveUp {
        /// What ended the last run.
        cause: Box<Reason>,
        /// How many restarts in a row there were.
        attempts: u32,
    },
    /// Its exit status is unknown, and running it again could do its work twice.
    UnknownOutcome {
        /// What it is.
        kind: Kind,
    },
    /// Something else is to be known beside the reason.
    Besides {
        /// The reason; its code is the code of both.
        reason: Box<Reason>,
        /// In a clause: `its before_stop hook exited with 1`.
        aside: String,
    },
    /// Somebody asked for a restart.
    RestartRequested,
    /// Its description changed.
    Changed,
    /// It is no longer in the project.
    Removed,
    /// Recalled after a restart of the daemon, in the words of then.
    Recalled {
        /// The code of then.
        code: String,
        /// The sentence of then.
        text: String,
    },
}

impl Reason {
    /// The stable code: lower case words joined by `-`.
    pub fn code(&self) -> &str {
        match self {
            Self::NeverStarted => "never-started",
            Self::StopRequested => "stop-requested",
            Self::KillRequested => "kill-requested",
            Self::Dependency { .. } => "waiting-for-dependency",
            Self::DependencyLost { .. } => "dependency-lost",
            Self::Spawning { .. } => "spawning",
            Self::NotSpawned(failure) => failure.kind.code(),
            Self::NotReady { .. } => "not-ready",
            Self::ReadyTimeout { .. } => "ready-timeout",
            Self::Running => "running",
            Self::Ready { .. } => "ready",
            Self::Failing { .. } => "failing-health-check",
            Self::Unhealthy { .. } => "unhealthy",
            Self::Silent { .. } => "watchdog-timeout",
            Self::WatchdogTriggered => "watchdog-triggered",
            Self::Reloading => "reloading",
            Self::EndingItself => "ending-itself",
            Self::Paused => "paused",
            Self::Hook { .. } => "hook-running",
            Self::HookFailed { .. } => "hook-failed",
            Self::FileChanged { .. } => "file-changed",
            Self::ResetRequested => "reset-requested",
            Self::Needed { .. } => "needed-by-others",
            Self::Stopping { .. } => "stopping",
            Self::Killing { .. } => "killing",
            Self::Exited(Exit::Code(_)) => "exited",
            Self::Exited(Exit::Signal(_)) => "signalled",
            Self::Exited(Exit::Unknown) => "exit-unknown",
            Self::Ended { .. } => "ended",
            Self::Completed { .. } => "completed",
            Self::Backoff { .. } => "backoff",
            Self::GaveUp { .. } => "gave-up",
            Self::UnknownOutcome { .. } => "outcome-unknown",
            Self::Besides { reason, .. } => reason.code(),
            Self::RestartRequested => "restart-requested",
            Self::Changed => "changed",
            Self::Removed => "removed",
            Self::Recalled { code, .. } => code,
        }
    }
}
