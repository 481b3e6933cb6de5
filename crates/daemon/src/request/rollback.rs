//! `rollback`: run what an earlier generation described. It is a new generation.

use std::{collections::BTreeSet, time::Duration};

use mainstay_decide::{Planned, PlannedAct};
use mainstay_model::{ServiceId, Spec};
use mainstay_wire::{Reply, WireError};
use tokio::sync::oneshot;

use super::{
    adopt::{Adopted, Adoption, Unwritten, adopt, invalid},
    answer,
    plan::refused,
    unless_going_down,
};
use crate::{brain::Brain, generations::Description, waiters::When, wake::Peer};

/// The way back to a generation.
pub(super) struct Back {
    /// Its number.
    pub(super) to: u64,
    description: Description,
    specs: Vec<Spec>,
    /// Those that come back and were wanted when they went.
    start: BTreeSet<ServiceId>,
    pub(super) planned: Vec<Planned>,
}

/// Finds it; without a number, the one before the present one that is another one.
pub(super) fn back(brain: &Brain, to: Option<u64>) -> Result<Back, WireError> {
    let generations = &brain.generations;
    let to = to.map_or_else(|| generations.before(brain.recorded.generation), Ok);
    let to = to.map_err(|error| refused(&error))?;
    let description = generations.description(to).map_err(|error| refused(&error))?;
    let specs = description.services().map_err(|error| invalid(&error))?;
    let described: BTreeSet<&ServiceId> = brain.recorded.specs.iter().map(|spec| &spec.id).collect();
    let comes_back = |id: &&ServiceId| !described.contains(id) && generations.ended_after(to, id);
    let start = specs.iter().map(|spec| &spec.id).filter(comes_back).cloned().collect();
    let planned = brain.runner.project().plan(&specs, &start).map_err(|error| invalid(&error))?;
    Ok(Back { to, description, specs, start, planned })
}

pub(super) fn rollback(
    brain: &mut Brain,
    to: Option<u64>,
    when: When,
    peer: Peer,
    reply: oneshot::Sender<Reply>,
) {
    let begun = unless_going_down(brain).and_then(|()| back(brain, to)).and_then(|back| {
        let (how, code) = (format!("rolled back to {}", back.to), "rolled-back");
        go(brain, back, how, code, Some(peer), Unwritten::Refused)
    });
    match begun {
        Err(error) => answer(reply, Err(error)),
        Ok(Adopted { about, generation }) => brain.waiters.add_of(generation, about, when, reply),
    }
}

/// Goes back by the daemon's own will: what runs now is worse than a generation that is not written down.
///
/// # Errors
/// That generation cannot be read.
pub(crate) fn take_back(brain: &mut Brain, to: u64, how: String) -> Result<u64, WireError> {
    let back = back(brain, Some(to))?;
    go(brain, back, how, "taken-back", None, Unwritten::RunAs(to)).map(|adopted| adopted.generation)
}

fn go(
    brain: &mut Brain,
    back: Back,
    how: String,
    code: &'static str,
    peer: Option<Peer>,
    unwritten: Unwritten,
) -> Result<Adopted, WireError> {
    let Back { description, specs, start, planned, .. } = back;
    let wanted = |id: &ServiceId| brain.recorded.wanted.contains(id) || start.contains(id);
    let about = planned.iter().filter(|one| is_touched(one.act) && wanted(&one.id));
    let about = about.map(|one| one.id.clone()).collect();
    let watch: Option<Duration> = None;
    adopt(brain, Adoption { description, specs, start, about, how, code, peer, watch, unwritten })
}

/// Whether it is another one afterwards.
fn is_touched(act: PlannedAct) -> bool {
    match act {
        PlannedAct::Add | PlannedAct::Start | PlannedAct::Restart | PlannedAct::Change => true,
        PlannedAct::Describe | PlannedAct::Remove | PlannedAct::Keep => false,
    }
}
