//! A description becomes what runs, as a generation: whether somebody applies it, goes back to it, or the daemon does.

use std::{collections::BTreeSet, time::Duration};

use mainstay_decide::Graph;
use mainstay_model::{ServiceId, Spec};
use mainstay_wire::{ErrorCode, WireError};

use crate::{
    brain::Brain,
    clock,
    generations::{Coming, Description, GenerationsError},
    probation::{self, Watched},
    state::Recorded,
    waiters::{About, Toward},
    wake::Peer,
};

/// A description that is to run.
pub(crate) struct Adoption {
    pub(crate) description: Description,
    /// Its services.
    pub(crate) specs: Vec<Spec>,
    /// Those to be started, with what they need.
    pub(crate) start: BTreeSet<ServiceId>,
    /// Those that an answer is about, but for what is removed.
    pub(crate) about: Vec<ServiceId>,
    /// How it comes: `applied`, `rolled back to 3`.
    pub(crate) how: String,
    /// The same for the history.
    pub(crate) code: &'static str,
    /// Who wants it; `None`: the daemon itself.
    pub(crate) peer: Option<Peer>,
    /// How long it is on probation.
    pub(crate) watch: Option<Duration>,
    pub(crate) unwritten: Unwritten,
}

/// What becomes of a description that the disk does not take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unwritten {
    /// It is refused, and nothing has changed: it is promised that one can go back, and that a later daemon goes on.
    Refused,
    /// It runs all the same, because what runs now is worse; it is this generation, which is known.
    RunAs(u64),
}

/// What has begun.
#[derive(Debug)]
pub(crate) struct Adopted {
    pub(crate) about: About,
    /// Which generation it is.
    pub(crate) generation: u64,
}

/// Makes it what runs.
///
/// # Errors
/// It cannot be; nothing has changed.
pub(crate) fn adopt(brain: &mut Brain, adoption: Adoption) -> Result<Adopted, WireError> {
    let graph = Graph::new(&adoption.specs).map_err(|error| invalid(&error))?;
    let described: BTreeSet<&ServiceId> = graph.order().iter().collect();
    let mut wanted: BTreeSet<ServiceId> = graph.with_needs(&adoption.start).into_iter().collect();
    wanted.extend(brain.recorded.wanted.iter().filter(|id| described.contains(id)).cloned());

    let removed = brain.not_among(&adoption.specs);
    let before = brain.recorded.generation;
    let is_same = brain.generations.is(before, &adoption.description);
    let watch = adoption.watch.filter(|_| !is_same && before != 0);
    if watch.is_some() {
        brain.generations.description(before).map_err(|error| no_way_back(&error))?;
    }
    let generation = if is_same { before } else { add(brain, &adoption, &removed)? };
    let watched =
        watch.map(|span| Watched::begin(brain.runner.project(), before, generation, span, &adoption.specs));
    let probation = match is_same {
        true => brain.recorded.probation.clone(),
        false => watched.as_ref().map(Watched::to_record),
    };
    let Description { project, dir, files, fingerprint, .. } = adoption.description;
    let specs = adoption.specs.clone();
    let (going_down, restarts) = (false, brain.recorded.restarts.clone());
    let recorded = Recorded {
        project,
        dir,
        files,
        fingerprint,
        specs,
        wanted,
        going_down,
        generation,
        probation,
        restarts,
    };
    write(brain, recorded, adoption.unwritten)?;
    if !is_same {
        probation::replace(brain, watched, &format!("generation {generation} came"));
    }
    brain.history.generation = Some(generation);
    let (count, files) = (brain.recorded.specs.len(), brain.recorded.files.join(" "));
    let text = format!("generation {generation} {}: {count} services of {files}", adoption.how);
    brain.history.note(adoption.code, text, adoption.peer);
    carry_out(brain, adoption.specs, &adoption.start, &removed)?;
    let about = About { named: adoption.start, all: adoption.about, toward: Toward::Up, removed };
    Ok(Adopted { about, generation })
}

/// Its number.
fn add(brain: &mut Brain, adoption: &Adoption, removed: &[ServiceId]) -> Result<u64, WireError> {
    let coming = Coming {
        how: adoption.how.clone(),
        uid: adoption.peer.map(|peer| peer.uid),
        time: clock::wall(clock::now()),
        after: brain.recorded.generation,
        ended: removed.iter().filter(|id| brain.recorded.wanted.contains(id)).cloned().collect(),
    };
    match (brain.generations.add(&adoption.description, coming), adoption.unwritten) {
        (Ok(number), _) => Ok(number),
        (Err(error), Unwritten::Refused) => {
            let text = format!("{error}; nothing was changed, because nobody could go back from it");
            Err(WireError::new(ErrorCode::Failed, text))
        }
        (Err(error), Unwritten::RunAs(known)) => {
            tracing::error!("{error}");
            Ok(known)
        }
    }
}

/// What is to run is on disk before it does.
fn write(brain: &mut Brain, recorded: Recorded, unwritten: Unwritten) -> Result<(), WireError> {
    match (brain.record(recorded.clone()), unwritten) {
        (Ok(()), _) => Ok(()),
        (Err(error), Unwritten::Refused) => Err(super::unwritten(&error)),
        (Err(error), Unwritten::RunAs(_)) => {
            tracing::error!("{error}");
            brain.recorded = recorded;
            Ok(())
        }
    }
}

fn carry_out(
    brain: &mut Brain,
    specs: Vec<Spec>,
    start: &BTreeSet<ServiceId>,
    removed: &[ServiceId],
) -> Result<(), WireError> {
    let relogged = changed_log_limits(brain, &specs);
    let now = clock::now();
    brain.watch_files();
    brain.expect_to_leave(removed);
    let changes = brain.runner.apply(now, specs).map_err(|error| invalid(&error))?;
    brain.show(&changes);
    brain.tell_log_limits(&relogged);
    let start: Vec<ServiceId> = start.iter().cloned().collect();
    let changes = brain.runner.want(now, &start);
    brain.show(&changes);
    Ok(())
}

/// Services that are there already, whose output is to be kept otherwise.
fn changed_log_limits(brain: &Brain, specs: &[Spec]) -> BTreeSet<ServiceId> {
    let project = brain.runner.project();
    let changed =
        |spec: &&Spec| project.service(&spec.id).is_some_and(|service| service.spec().log != spec.log);
    specs.iter().filter(changed).map(|spec| spec.id.clone()).collect()
}

/// A description that cannot be.
pub(super) fn invalid(error: &dyn std::error::Error) -> WireError {
    WireError::new(ErrorCode::InvalidConfiguration, error.to_string())
}

/// What is to be watched must have something to go back to.
fn no_way_back(error: &GenerationsError) -> WireError {
    let text = format!("{error}: nobody could go back to what runs now, and nothing was changed");
    WireError::new(ErrorCode::Failed, text).with_help("without `--watch`, it is applied all the same")
}
