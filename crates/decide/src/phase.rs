//! The vocabulary of the state machine: what a service may be doing, what may happen to it, what it may ask for.

use std::time::Duration;

use mainstay_model::{
    Condition, Exit, Health, HookName, Moment, PhaseName, Reason, RunId, ServiceId, Signal, SpawnFailure,
};

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
        /// How it is.
        vitals: Vitals,
    },
    /// A process is frozen; nothing that it would have to do in time is asked of it.
    Paused {
        /// Its run.
        run: RunId,
        /// Its process.
        pid: u32,
    },
    /// A process was asked to end, or is being asked, or what follows its end is under way.
    Stopping {
        /// Its run.
        run: RunId,
        /// Its process, when it is known and has not ended.
        pid: Option<u32>,
        /// How far that is.
        stage: Stage,
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
    /// Its before-start hook runs.
    Before {
        /// When that is killed.
        until: Moment,
    },
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
    /// Its check succeeded; its after-start hook runs.
    After {
        /// Its process.
        pid: u32,
        /// When the hook is killed.
        until: Moment,
    },
}

/// How a running service is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vitals {
    /// Since when it runs as far as anybody asks.
    pub since: Moment,
    /// The next asking; `None` while one is under way, `Moment::NEVER` without a health check.
    pub next: Option<Moment>,
    /// Failures in a row.
    pub failures: u32,
    /// Whether a health check has succeeded.
    pub was_well: bool,
    /// What its latest health check said, when that failed.
    pub complaint: Option<String>,
    /// What of its watchdog.
    pub silence: Option<Silence>,
    /// What it said that it does.
    pub doing: Doing,
}

/// How long a service may be silent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Silence {
    /// In all.
    pub limit: Duration,
    /// From now on.
    pub until: Moment,
}

/// What a running service says that it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doing {
    /// Its work.
    Work,
    /// It reads its configuration again.
    Reloading,
    /// It is made to do so by a hook.
    ReloadHook {
        /// When that is killed; `Moment::NEVER`: it was.
        until: Moment,
    },
    /// It is about to end by itself.
    Ending,
}

/// How far a stop is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Its before-stop hook runs.
    Preparing {
        /// When that is killed.
        until: Moment,
    },
    /// It was asked to end.
    Asked {
        /// When it is killed.
        kill_at: Moment,
    },
    /// It was killed.
    Killed,
    /// It has no process yet; its before-start hook was killed.
    Unmade,
    /// It has ended; its after-stop hook runs.
    Cleaning {
        /// When that is killed; `Moment::NEVER`: it was.
        until: Moment,
        /// How it ended.
        exit: Exit,
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
    /// What follows an end that nobody asked for.
    End,
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
    /// It is to be frozen.
    Pause,
    /// It is to go on.
    Resume,
    /// It is to read its configuration again.
    Reload,
    /// Its failure is taken back, and its restarts are forgotten.
    Reset,
    /// One of its checks was asked once.
    Answered {
        /// Of which run.
        run: RunId,
        /// Which asking; an answer to any but the latest means nothing.
        question: QuestionId,
        /// What it said: `Err` in words such as `refused`.
        answer: Result<(), String>,
    },
    /// One of its checks could not be asked, and that is no fault of its own.
    Unasked {
        /// Of which run.
        run: RunId,
        /// Which asking, as in `Answered`.
        question: QuestionId,
        /// Why, in words such as `cannot run (Too many open files)`.
        why: String,
    },
    /// It said something by itself.
    Notified {
        /// Which run.
        run: RunId,
        /// What.
        notice: Notice,
    },
    /// One of its hooks ended.
    HookEnded {
        /// For which run.
        run: RunId,
        /// Which.
        hook: HookName,
        /// How: `Err` in words such as `exited with 1`.
        result: Result<(), String>,
    },
    /// Time has passed in which nobody was there to look.
    Absence,
    /// Time has passed.
    Tick,
}

/// What a service says by itself (`sd_notify(3)`; ready also by its descriptor).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// `READY=1`, or the newline on its descriptor.
    Ready,
    /// `RELOADING=1`.
    Reloading,
    /// `STOPPING=1`.
    Stopping,
    /// `STATUS=`, `ERRNO=`: in words; empty takes it back.
    Said(String),
    /// How it says that it feels, by its monitors; `Unknown` takes it back.
    Feels(Health),
    /// `EXTEND_TIMEOUT_USEC=`: what is under way may take so long from now.
    Extend(Duration),
    /// `MAINPID=`: from now on this is its main process.
    MainPid(u32),
    /// `WATCHDOG=1`.
    Alive,
    /// `WATCHDOG=trigger`.
    Trigger,
    /// `WATCHDOG_USEC=`: from now on this is its longest silence.
    Watchdog(Duration),
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
    /// Send this to the main process alone.
    SignalMain {
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
    /// Ask a check once. Answered by `Answered`.
    Ask {
        /// For this run.
        run: RunId,
        /// Which check.
        check: Check,
        /// Which asking this is.
        question: QuestionId,
    },
    /// Freeze everything of this run.
    Pause {
        /// Which.
        run: RunId,
    },
    /// Let everything of this run go on.
    Resume {
        /// Which.
        run: RunId,
    },
    /// Run this hook. Answered by `HookEnded`.
    RunHook {
        /// For this run.
        run: RunId,
        /// Which.
        hook: HookName,
    },
    /// Kill this hook; still answered by `HookEnded`.
    KillHook {
        /// For this run.
        run: RunId,
        /// Which.
        hook: HookName,
    },
    /// The end or failed start of this run is taken in.
    Acknowledge {
        /// Which.
        run: RunId,
    },
    /// What is to be remembered has changed since the latest process was asked for or ended. It says nothing of that one: an
    /// end that was not told yet is still told.
    Remember {
        /// The latest run, also when it has no process yet.
        run: RunId,
    },
}

/// Which check is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Check {
    /// Whether it is ready.
    Ready,
    /// Whether it is well.
    Health,
}

impl Phase {
    /// The word for it.
    pub fn name(&self) -> PhaseName {
        match self {
            Self::Stopped => PhaseName::Stopped,
            Self::WaitingForDependency | Self::WaitingForBackoff { .. } => PhaseName::Waiting,
            Self::Starting(_) => PhaseName::Starting,
            Self::Running { .. } => PhaseName::Running,
            Self::Paused { .. } => PhaseName::Paused,
            Self::Stopping { .. } => PhaseName::Stopping,
            Self::Completed => PhaseName::Completed,
            Self::Failed => PhaseName::Failed,
        }
    }

    /// The live run: one of which something runs or was asked for, its hooks included.
    pub fn live(&self) -> Option<RunId> {
        match self {
            Self::Starting(Start { run, .. })
            | Self::Running { run, .. }
            | Self::Paused { run, .. }
            | Self::Stopping { run, .. } => Some(*run),
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
            Self::Starting(Start { step: Step::Asking { pid, .. } | Step::After { pid, .. }, .. })
            | Self::Running { pid, .. }
            | Self::Paused { pid, .. } => Some(*pid),
            Self::Stopping { pid, .. } => *pid,
            Self::Starting(Start { step: Step::Before { .. } | Step::Spawning, .. })
            | Self::Stopped
            | Self::WaitingForDependency
            | Self::WaitingForBackoff { .. }
            | Self::Completed
            | Self::Failed => None,
        }
    }
}
