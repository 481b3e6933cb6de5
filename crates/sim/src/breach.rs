//! What must always hold, by name, and what is told when it did not.

use std::fmt;

/// Something that must always hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Invariant {
    /// Never two live instances of one slot.
    OneLiveRun,
    /// Run numbers only grow, also over a removal.
    RunNumbersGrow,
    /// Nothing is spawned before each dependency's condition holds.
    DependenciesFirst,
    /// What may start, starts at once.
    StartedWhenAllowed,
    /// A stop sends no signal while a dependent lives.
    DependentsFirst,
    /// What may stop, stops at once.
    StoppedWhenAllowed,
    /// Every end told is acknowledged at once, exactly as told, and no other.
    EndsAcknowledged,
    /// No word to a run that never was, is over, or was not made.
    KnownRuns,
    /// Nobody is asked to end without a cause, or twice, or killed before its time.
    EndedForCause,
    /// What does not end in its time is killed.
    KilledInTime,
    /// A restart asked for is carried out, and touches what it should.
    RestartsCarriedOut,
    /// One whose dependency went away is restarted when its description says so.
    LostDependency,
    /// A stop that was asked for is never followed by a spawn without a new start.
    StopIsFinal,
    /// What the policy leaves alone is left alone.
    PolicyKept,
    /// Restarts in a row are counted as the policy says.
    AttemptsInBounds,
    /// No restart before its backoff is over, none long after.
    BackoffInBounds,
    /// A process is made of the latest description.
    LatestDescription,
    /// A check is asked, once at a time, until it succeeds or its time is over.
    ChecksAsked,
    /// What is not ready in time fails.
    ReadyInTime,
    /// Its health is asked when it is due, and only so many failures in a row end it.
    HealthCounted,
    /// One that is silent for too long is ended, and shows where it hangs; one that pings is not.
    WatchdogKept,
    /// No hook but at its place: beside a process, or where none is.
    HooksInPlace,
    /// No hook of one name beside another of it.
    OneOfEachHook,
    /// A hook that was begun is waited for, or killed; one that takes too long is killed.
    HooksFinished,
    /// Of what is frozen nothing is asked, and it is let go before it is asked to end.
    PausesKept,
    /// What somebody asked for (a pause, a reload) happens at once, and nothing of that else.
    RequestsCarriedOut,
    /// What is wanted is what was asked for.
    GoalsAsAsked,
    /// Every state has a reason that agrees with it.
    ReasonForEveryState,
    /// Every change of a phase is told.
    ChangesTold,
    /// The next wake is the earliest of all, and not in the past after a tick.
    WakesKept,
    /// What is removed is forgotten, and nothing else is.
    RemovedForgotten,
    /// A description that cannot be ordered is refused, and changes nothing.
    BadDescriptionRefused,
    /// In the calm it comes to rest.
    ComesToRest,
    /// In the calm, what is wanted and can run, runs; what is not, does not.
    CalmAsWanted,
    /// What a service wrote is in its log.
    LinesKept,
    /// And not twice.
    LinesOnce,
    /// A daemon hears of every end.
    ExitsTold,
    /// And how it truly was.
    ExitsTrue,
    /// What is left alone by its policy is started again by nobody but a person.
    RestartedForCause,
    /// What was promised to be wanted is wanted, whoever died, and nothing else is.
    GoalsKept,
    /// Whatever a death leaves on disk can be read.
    StateReadable,
    /// No program takes the anchor's place that did not come up or refused it, and in the end all three are the same.
    UpgradesJudged,
    /// Everything that can grow has a bound.
    Bounded,
    /// It never panics.
    NeverPanics,
}

impl fmt::Display for Invariant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}

/// An invariant did not hold.
#[derive(Clone, Debug)]
pub struct Breach {
    /// Which.
    pub invariant: Invariant,
    /// What was seen.
    pub text: String,
}

/// What a check says.
pub(crate) type Checked = Result<(), Breach>;

/// Says that `invariant` does not hold, in these words.
pub(crate) fn breach(invariant: Invariant, text: impl Into<String>) -> Breach {
    Breach { invariant, text: text.into() }
}

/// Holds when `is` is true; `text` is only made when it is not.
pub(crate) fn hold(is: bool, invariant: Invariant, text: impl FnOnce() -> String) -> Checked {
    if is { Ok(()) } else { Err(breach(invariant, text())) }
}
