//! Which reasons a state may have: the table of codes, and that each reads as a sentence.

use mainstay_decide::{Doing, Goal, Phase, Project, Service, Stage, Start, Step, Vitals};
use mainstay_model::{Moment, Reason, ServiceId};

use crate::{
    Invariant,
    breach::{Checked, breach, hold},
};

/// The codes that a state may have.
fn allowed(phase: &Phase, goal: Goal) -> &'static [&'static str] {
    match (phase, goal) {
        (Phase::Stopped, Goal::Up) => &["ended"],
        (Phase::Stopped, Goal::Down) => {
            &["never-started", "stop-requested", "kill-requested", "changed", "removed", "reset-requested"]
        }
        (Phase::WaitingForDependency, Goal::Up) => &["waiting-for-dependency"],
        (Phase::WaitingForBackoff { .. }, Goal::Up) => &["backoff"],
        (Phase::Starting(Start { step, .. }), Goal::Up) => match step {
            Step::Before { .. } | Step::After { .. } => &["hook-running"],
            Step::Spawning => &["spawning"],
            Step::Asking { .. } => &["not-ready"],
        },
        (Phase::Running { vitals, .. }, Goal::Up) => running(vitals),
        (Phase::Paused { .. }, Goal::Up) => &["paused"],
        (Phase::Starting(_) | Phase::Running { .. } | Phase::Paused { .. }, Goal::Down) => {
            &["needed-by-others"]
        }
        (Phase::Stopping { stage, .. }, _) => match stage {
            Stage::Preparing { .. } | Stage::Cleaning { .. } => &["hook-running"],
            Stage::Asked { .. } => &["stopping"],
            Stage::Killed | Stage::Unmade => &["killing"],
        },
        (Phase::Completed, _) => &["completed"],
        (Phase::Failed, Goal::Up) => &["gave-up", "outcome-unknown"],
        (Phase::WaitingForDependency | Phase::WaitingForBackoff { .. } | Phase::Failed, Goal::Down) => &[],
    }
}

fn running(vitals: &Vitals) -> &'static [&'static str] {
    match vitals.doing {
        Doing::Reloading | Doing::ReloadHook { .. } => &["reloading"],
        Doing::Ending => &["ending-itself"],
        Doing::Work if vitals.failures > 0 => &["failing-health-check"],
        Doing::Work if vitals.was_well => &["running", "ready"],
        Doing::Work => &["running", "ready", "failing-health-check"],
    }
}

/// Whether the service's reason agrees with its state.
pub(crate) fn check(id: &ServiceId, service: &Service, now: Moment) -> Checked {
    let (phase, goal, reason) = (service.phase(), service.goal(), service.reason());
    hold(allowed(phase, goal).contains(&reason.code()), Invariant::ReasonForEveryState, || {
        format!("{id} is {phase:?}, wanted {goal:?}, because {}: {}", reason.code(), reason.sentence(now))
    })?;
    let agrees = match (reason, phase) {
        (Reason::Backoff { until, attempt, .. }, Phase::WaitingForBackoff { until: at }) => {
            until == at && *attempt == service.attempts()
        }
        (Reason::Stopping { kill_at, .. }, Phase::Stopping { stage: Stage::Asked { kill_at: at }, .. }) => {
            kill_at == at
        }
        (Reason::Failing { failures, .. }, Phase::Running { vitals, .. }) => *failures == vitals.failures,
        (Reason::GaveUp { attempts, .. }, Phase::Failed) => *attempts <= service.attempts(),
        _ => true,
    };
    hold(agrees, Invariant::ReasonForEveryState, || format!("{id} is {phase:?}, and says {reason:?}"))
}

/// Whether what is shown of a service is whole: a sentence, with nothing missing in it.
pub(crate) fn check_status(id: &ServiceId, project: &Project, now: Moment) -> Checked {
    let Some(status) = project.status(id) else {
        return Err(breach(Invariant::ReasonForEveryState, format!("{id} has no status")));
    };
    let whole = match &status.reason {
        Reason::Needed { by } => !by.is_empty(),
        Reason::Dependency { on, .. } => project.service(on).is_some(),
        _ => true,
    };
    let sentence = status.reason.sentence(now);
    hold(whole && !sentence.is_empty() && !sentence.ends_with('.'), Invariant::ReasonForEveryState, || {
        format!("{id} is {}, and the sentence is `{sentence}`", status.phase)
    })
}
