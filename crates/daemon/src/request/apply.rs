//! `apply`: run this description.

use std::collections::BTreeSet;

use mainstay_decide::Graph;
use mainstay_model::{ServiceId, Spec};
use mainstay_wire::{ErrorCode, Reply, Request, WireError, WireSpec};
use tokio::sync::oneshot;

use super::{answer, names::chosen, unless_going_down};
use crate::{
    brain::Brain,
    clock,
    state::Recorded,
    waiters::{About, Toward, When},
    wake::Peer,
};

pub(super) fn apply(brain: &mut Brain, request: Request, peer: Peer, reply: oneshot::Sender<Reply>) {
    let Request::Apply { project, dir, files, fingerprint, specs, start, wait, within_ms } = request else {
        return;
    };
    let recorded = Recorded { project, dir, files, fingerprint, ..Recorded::default() };
    match begin(brain, recorded, specs, &start, peer) {
        Err(error) => answer(reply, Err(error)),
        Ok(about) => brain.waiters.add(about, When::from_request(wait, within_ms), reply),
    }
}

fn begin(
    brain: &mut Brain,
    recorded: Recorded,
    specs: Vec<WireSpec>,
    start: &[String],
    peer: Peer,
) -> Result<About, WireError> {
    unless_going_down(brain)?;
    let invalid = |text: String| WireError::new(ErrorCode::InvalidConfiguration, text);
    let specs: Vec<Spec> = specs
        .into_iter()
        .map(Spec::try_from)
        .collect::<Result<_, _>>()
        .map_err(|error| invalid(error.to_string()))?;
    let graph = Graph::new(&specs).map_err(|error| invalid(error.to_string()))?;
    let patterns = if start.is_empty() { vec!["all".to_owned()] } else { start.to_vec() };
    let named = if specs.is_empty() { BTreeSet::new() } else { chosen(&patterns, graph.order().iter())? };
    let all = graph.with_needs(&named);

    let mut wanted: BTreeSet<ServiceId> = all.iter().cloned().collect();
    wanted.extend(brain.recorded.wanted.iter().filter(|id| graph.order().contains(id)).cloned());
    let relogged = changed_log_limits(brain, &specs);
    let removed = brain.not_among(&specs);
    let recorded = Recorded { specs: specs.clone(), wanted, ..recorded };
    brain.record(recorded).map_err(|error| WireError::new(ErrorCode::Failed, error.to_string()))?;

    let count = brain.recorded.specs.len();
    brain.history.note(
        "applied",
        format!("{count} services of {}", brain.recorded.files.join(" ")),
        Some(peer),
    );
    let now = clock::now();
    brain.expect_to_leave(&removed);
    let changes = brain.runner.apply(now, specs).map_err(|error| invalid(error.to_string()))?;
    brain.show(&changes);
    brain.tell_log_limits(&relogged);
    let named_list: Vec<ServiceId> = named.iter().cloned().collect();
    let changes = brain.runner.want(now, &named_list);
    brain.show(&changes);
    Ok(About { named, all, toward: Toward::Up, removed })
}

/// Services that are there already, whose output is to be kept otherwise.
fn changed_log_limits(brain: &Brain, specs: &[Spec]) -> BTreeSet<ServiceId> {
    let project = brain.runner.project();
    let changed =
        |spec: &&Spec| project.service(&spec.id).is_some_and(|service| service.spec().log != spec.log);
    specs.iter().filter(changed).map(|spec| spec.id.clone()).collect()
}
