//! The vocabulary of the state machine: what a service may be doing, what may happen to it, what it may ask for.

use mainstay_model::{Condition, Exit, Moment, PhaseName, Reason, RunId, ServiceId, Signal, SpawnFailure};

/// What is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Goal {
    /// That it runs (a oneshot: that it has run).
    Up,
    /// That it does not.
    Down,
}

/// Which asking of a service's check: each has a number of its own, also over runs and descriptions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct QuestionId(pub u64);

/// What is. Each variant carries just its own facts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Not running.
    Stopped,
    /// Waiting for its start gate to open.
    WaitingForDependency,
    /// Waiting for the next start after a failure.
    WaitingForBackoff {
        /// When that is.
        until: Moment,
    },
    /// A process was asked for, or runs and is not ready.
    Starting(Start),
    /// A process runs, and is ready as far as anybody asks.
    Running {
        /// Its run.
        run: RunId,
        /// Its process.
        pid: u32,
    },
    /// A process was asked to end.
    Stopping {
        /// Its run.
        run: RunId,
        /// Its process, when it is known.
        pid: Option<u32>,
        /// When it is killed; `None`: it was.
        kill_at: Option<Moment>,
        /// Why.
        cause: Reason,
        /// What follows.
        then: Then,
    },
    /// A oneshot that ended well.
    Completed,
    /// It gave up.
    Failed,
}

/// A start under way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Start {
    /// Its run.
    pub run: RunId,
    /// How far it is.
    pub step: Step,
}

/// How far a start is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// The process was asked for; nobody has answered.
    Spawning,
    /// The process runs; its check is asked until it succeeds.
    Asking {
        /// Its process.
        pid: u32,
        /// Since when.
        since: Moment,
        /// When it is too late (with a check that is only time: when it is ready).
        deadline: Moment,
        /// The next asking; `None` while one is under way.
        next: Option<Moment>,
        /// How many were answered with no.
        refusals: u32,
    },
}

/// What follows the end of a process that was asked to end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Then {
    /// Nothing.
    Stay,
    /// A new start.
    Again,
    /// What follows a failure.
    Fail,
}

/// Whether its dependencies allow a start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StartGate {
    /// They do.
    Open,
    /// This one does not.
    Closed {
        /// Which.
        on: ServiceId,
        /// What it must reach.
        until: Condition,
    },
}

/// Whether its dependents allow a stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopGate {
    /// None is alive.
    Open,
    /// At least one is alive.
    Closed,
}

/// What happens to a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Somebody named it in a start: now, whatever it was waiting for, and again if it completed.
    Start,
    /// It is wanted up, by `up` or by one that depends on it: only if it does not wait, run or has not completed.
    Want,
    /// It is wanted down, once its stop gate is open.
    Stop(Reason),
    /// It is wanted down, and killed at once.
    Kill,
    /// It is to end and start again: on request, for a changed description, for a dependency that went away.
    Restart(Reason),
    /// The start gate.
    StartGate(StartGate),
    /// The stop gate.
    StopGate(StopGate),
    /// Its process was made.
    Spawned {
        /// Which run.
        run: RunId,
        /// The process.
        pid: u32,
    },
    /// Its process could not be made.
    NotSpawned {
        /// Which run.
        run: RunId,
        /// Why.
        failure: SpawnFailure,
    },
    /// Its process ended, and all that it left behind.
    Exited {
        /// Which run.
        run: RunId,
        /// How.
        exit: Exit,
    },
    /// Its check was asked once.
    Answered {
        /// Of which run.
        run: RunId,
        /// Which asking; an answer to any but the latest means nothing.
        question: QuestionId,
        /// What it said: `Err` in words such as `refused`.
        answer: Result<(), String>,
    },
    /// Time has passed.
    Tick,
}

/// What a service asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Make a process. Answered by `Spawned` or `NotSpawned`.
    Spawn {
        /// The new run.
        run: RunId,
        /// Restarts in a row before it.
        attempt: u32,
    },
    /// Send this to the process group; also while the process is still being made.
    Signal {
        /// Of this run.
        run: RunId,
        /// What.
        signal: Signal,
    },
    /// Kill everything of this run; also while the process is still being made.
    Kill {
        /// Which.
        run: RunId,
    },
    /// Ask the check once. Answered by `Answered`.
    Ask {
        /// For this run.
        run: RunId,
        /// Which asking this is.
        question: QuestionId,
    },
    /// The end or failed start of this run is taken in.
    Acknowledge {
        /// Which.
        run: RunId,
    },
    /// The latest run is long over, and what is to be remembered has changed since.
    Remember {
        /// Which.
        run: RunId,
    },
}

impl Phase {
    /// The word for it.
    pub fn name(&self) -> PhaseName {
        match self {
            Self::Stopped => PhaseName::Stopped,
            Self::WaitingForDependency | Self::WaitingForBackoff { .. } => PhaseName::Waiting,
            Self::Starting(_) => PhaseName::Starting,
            Self::Running { .. } => PhaseName::Running,
            Self::Stopping { .. } => PhaseName::Stopping,
            Self::Completed => PhaseName::Completed,
            Self::Failed => PhaseName::Failed,
        }
    }

    /// The live run: one whose process was asked for and has not ended.
    pub fn live(&self) -> Option<RunId> {
        match self {
            Self::Starting(Start { run, .. }) | Self::Running { run, .. } | Self::Stopping { run, .. } => {
                Some(*run)
            }
            Self::Stopped
            | Self::WaitingForDependency
            | Self::WaitingForBackoff { .. }
            | Self::Completed
            | Self::Failed => None,
        }
    }

    /// The live process, when it is known.
    pub fn pid(&self) -> Option<u32> {
        match self {
            Self::Starting(Start { step: Step::Asking { pid, .. }, .. }) | Self::Running { pid, .. } => {
                Some(*pid)
            }
            Self::Stopping { pid, .. } => *pid,
            Self::Starting(Start { step: Step::Spawning, .. })
            | Self::Stopped
            | Self::WaitingForDependency
            | Self::WaitingForBackoff { .. }
            | Self::Completed
            | Self::Failed => None,
        }
    }
}
