//! `start`, `stop`, `restart`, `kill`.

use std::collections::BTreeSet;

use mainstay_model::ServiceId;
use mainstay_wire::{Act, ErrorCode, Reply, WireError};
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
    let changes = match act {
        Act::Start => brain.runner.start(now, &named),
        Act::Stop => brain.runner.stop(now, &named),
        Act::Restart => brain.runner.restart(now, &named),
        Act::Kill => brain.runner.kill(now, &named),
    };
    brain.show(&changes);
    Ok(about)
}

/// What comes with the named ones: a start takes along what they need, a stop what needs them.
fn about(brain: &Brain, act: Act, named: BTreeSet<ServiceId>) -> About {
    let project = brain.runner.project();
    let list: Vec<ServiceId> = named.iter().cloned().collect();
    let (all, toward) = match act {
        Act::Start => (project.with_dependencies(&list), Toward::Up),
        Act::Stop => (project.with_dependents(&list), Toward::Down),
        Act::Restart => (list, Toward::Up),
        Act::Kill => (list, Toward::Down),
    };
    About { named, all, toward, removed: Vec::new() }
}

/// What is wanted from now on is on disk before anything is done about it.
fn record(brain: &mut Brain, act: Act, about: &About) -> Result<(), WireError> {
    let mut wanted = brain.recorded.wanted.clone();
    match act {
        Act::Start | Act::Restart => wanted.extend(about.all.iter().cloned()),
        Act::Stop | Act::Kill => wanted.retain(|id| !about.all.contains(id)),
    }
    if wanted == brain.recorded.wanted {
        return Ok(());
    }
    let recorded = Recorded { wanted, ..brain.recorded.clone() };
    match (act, brain.record(recorded.clone())) {
        (_, Ok(())) => Ok(()),
        (Act::Start | Act::Restart, Err(error)) => Err(WireError::new(ErrorCode::Failed, error.to_string())),
        // A full disk must not keep anybody from stopping something; that it was stopped may not survive a power cut.
        (Act::Stop | Act::Kill, Err(error)) => {
            tracing::error!("{error}");
            brain.recorded = recorded;
            Ok(())
        }
    }
}
