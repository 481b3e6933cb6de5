//! What is done to services: `start`, `stop`, `restart`, `kill`, `reload`, `pause`, `resume`, `reset-failed`; `signal`, `wait`.

use std::collections::BTreeSet;

use mainstay_decide::{Awaited, Change};
use mainstay_model::{Moment, PhaseName, ServiceId, Signal};
use mainstay_runner::Execution;
use mainstay_wire::{Act, ErrorCode, Reply, WaitFor, WireError};
use tokio::sync::oneshot;

use super::{answer, names::chosen, unless_going_down};
use crate::{
    brain::Brain,
    clock,
    state::Recorded,
    waiters::{About, Toward, When},
};

pub(super) fn act(
    brain: &mut Brain,
    act: Act,
    services: &[String],
    when: When,
    reply: oneshot::Sender<Reply>,
) {
    match begin(brain, act, services) {
        Err(error) => answer(reply, Err(error)),
        Ok(about) => brain.waiters.add(about, when, reply),
    }
}

fn begin(brain: &mut Brain, act: Act, services: &[String]) -> Result<About, WireError> {
    unless_going_down(brain)?;
    let ids: Vec<ServiceId> = brain.runner.project().ids().cloned().collect();
    let named = chosen(services, ids.iter())?;
    let about = about(brain, act, named);
    record(brain, act, &about)?;
    let named: Vec<ServiceId> = about.named.iter().cloned().collect();
    let now = clock::now();
    let runner = &mut brain.runner;
    let changes = match act {
        Act::Start => runner.start(now, &named),
        Act::Stop => runner.stop(now, &named),
        Act::Restart => restart(brain, now, named),
        Act::RollingRestart => runner.roll(now, &named),
        Act::Kill => runner.kill(now, &named),
        Act::Reload => runner.reload(now, &named),
        Act::Pause => runner.pause(now, &named),
        Act::Resume => runner.resume(now, &named),
        Act::ResetFailed => runner.reset(now, &named),
    };
    brain.show(&changes);
    Ok(about)
}

/// What says `rolling` of itself is restarted so.
fn restart(brain: &mut Brain, now: Moment, ids: Vec<ServiceId>) -> Vec<Change> {
    let project = brain.runner.project();
    let rolls = |id: &ServiceId| project.service(id).is_some_and(|service| service.spec().rolling);
    let (rolling, others): (Vec<ServiceId>, Vec<ServiceId>) = ids.into_iter().partition(rolls);
    let mut changes = brain.runner.restart(now, &others);
    changes.extend(brain.runner.roll(now, &rolling));
    changes
}

/// What comes with the named ones: a start takes along what they need, a stop what needs them.
fn about(brain: &Brain, act: Act, named: BTreeSet<ServiceId>) -> About {
    let project = brain.runner.project();
    let list: Vec<ServiceId> = named.iter().cloned().collect();
    let (all, toward) = match act {
        Act::Start => (project.with_dependencies(&list), Toward::Up),
        Act::Stop => (project.with_dependents(&list), Toward::Down),
        Act::Restart | Act::RollingRestart => (list, Toward::Up),
        // Its process has shown long ago that it stays.
        Act::Resume => (list, Toward::So(Awaited::Ready)),
        Act::Kill => (list, Toward::Down),
        Act::Reload => (list, Toward::So(Awaited::Reloaded)),
        Act::Pause => (list, Toward::So(Awaited::Paused)),
        Act::ResetFailed => (list, Toward::Nothing),
    };
    About { named, all, toward, removed: Vec::new() }
}

/// What is wanted from now on is on disk before anything is done about it.
fn record(brain: &mut Brain, act: Act, about: &About) -> Result<(), WireError> {
    let mut wanted = brain.recorded.wanted.clone();
    match act {
        Act::Start | Act::Restart | Act::RollingRestart => wanted.extend(about.all.iter().cloned()),
        Act::Stop | Act::Kill => wanted.retain(|id| !about.all.contains(id)),
        // With its failure, it loses the wish to have it up: else it would be started again by a daemon that comes later.
        Act::ResetFailed => wanted.retain(|id| !(about.named.contains(id) && has_failed(brain, id))),
        Act::Reload | Act::Pause | Act::Resume => {}
    }
    if wanted == brain.recorded.wanted {
        return Ok(());
    }
    let recorded = Recorded { wanted, ..brain.recorded.clone() };
    match (act, brain.record(recorded.clone())) {
        (_, Ok(())) => Ok(()),
        (Act::Start | Act::Restart | Act::RollingRestart, Err(error)) => Err(super::unwritten(&error)),
        // A full disk must not keep anybody from stopping something; that it was stopped may not survive a power cut.
        (Act::Stop | Act::Kill | Act::ResetFailed | Act::Reload | Act::Pause | Act::Resume, Err(error)) => {
            tracing::error!("{error}");
            brain.recorded = recorded;
            Ok(())
        }
    }
}

fn has_failed(brain: &Brain, id: &ServiceId) -> bool {
    let service = brain.runner.project().service(id);
    service.is_some_and(|service| service.phase().name() == PhaseName::Failed)
}

/// A signal for the main process of each.
pub(super) fn signal(brain: &mut Brain, signal: &str, services: &[String], reply: oneshot::Sender<Reply>) {
    match send(brain, signal, services) {
        Err(error) => answer(reply, Err(error)),
        Ok(about) => brain.waiters.add(about, When::Now, reply),
    }
}

fn send(brain: &mut Brain, signal: &str, services: &[String]) -> Result<About, WireError> {
    let signal: Signal = signal.parse().map_err(|()| {
        WireError::new(ErrorCode::BadRequest, format!("`{signal}` is no signal"))
            .with_help("`HUP`, `SIGHUP` and `1` are the same; `kill -l` lists all")
    })?;
    let about = meant(brain, services, Toward::Told)?;
    for id in &about.all {
        let project = brain.runner.project();
        let live = project.service(id).and_then(|service| service.phase().pid().and(service.phase().live()));
        if let Some(run) = live {
            brain.runner.execution().signal_main(id, run, signal);
        }
    }
    Ok(about)
}

/// Waits, and does nothing.
pub(super) fn wait(
    brain: &mut Brain,
    services: &[String],
    until: WaitFor,
    when: When,
    reply: oneshot::Sender<Reply>,
) {
    let toward = match until {
        WaitFor::Ready => Toward::Up,
        WaitFor::Healthy => Toward::So(Awaited::Healthy),
        WaitFor::Completed => Toward::So(Awaited::Completed),
        WaitFor::Stopped => Toward::So(Awaited::Stopped),
    };
    match meant(brain, services, toward) {
        Err(error) => answer(reply, Err(error)),
        Ok(about) => brain.waiters.add(about, when, reply),
    }
}

/// These, in the order of the project, and nothing else.
fn meant(brain: &Brain, services: &[String], toward: Toward) -> Result<About, WireError> {
    let ids: Vec<ServiceId> = brain.runner.project().ids().cloned().collect();
    let named = chosen(services, ids.iter())?;
    let all = ids.into_iter().filter(|id| named.contains(id)).collect();
    Ok(About { named, all, toward, removed: Vec::new() })
}
