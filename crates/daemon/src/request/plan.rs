//! `plan`, and what can be gone back to: reading.

use std::path::Path;

use mainstay_decide::{Planned, PlannedAct, Project};
use mainstay_model::{Moment, ServiceId};
use mainstay_wire::{
    Answer, DifferenceView, ErrorCode, PlanStep, Reply, SCHEMA_VERSION, WireError, WireSpec,
};
use tokio::sync::oneshot;

use super::{adopt::invalid, answer, apply::meant, rollback::back};
use crate::{
    brain::Brain,
    generations::{Description, Generations, GenerationsError},
};

/// What an `apply` would do.
pub(super) fn plan(brain: &Brain, specs: Vec<WireSpec>, start: &[String], reply: oneshot::Sender<Reply>) {
    let description = Description { specs, ..Description::default() };
    let planned = description.services().map_err(|error| invalid(&error)).and_then(|specs| {
        let (start, _) = meant(&specs, start)?;
        brain.runner.project().plan(&specs, &start).map_err(|error| invalid(&error))
    });
    answer(reply, planned.map(|planned| view(brain.recorded.generation, None, planned)));
}

/// What a `rollback` would do.
pub(super) fn plan_rollback(brain: &Brain, to: Option<u64>, reply: oneshot::Sender<Reply>) {
    let planned = back(brain, to).map(|back| view(brain.recorded.generation, Some(back.to), back.planned));
    answer(reply, planned);
}

pub(super) fn generations(brain: &Brain, reply: oneshot::Sender<Reply>) {
    let generations = brain.generations.views(brain.recorded.generation);
    let probation = brain.probation_view();
    answer(reply, Ok(Answer::Generations { schema_version: SCHEMA_VERSION, generations, probation }));
}

fn view(base: u64, to: Option<u64>, planned: Vec<Planned>) -> Answer {
    let all = planned.len();
    let steps: Vec<PlanStep> =
        planned.into_iter().filter(|one| one.act != PlannedAct::Keep).map(step).collect();
    let kept = all - steps.len();
    Answer::Plan { schema_version: SCHEMA_VERSION, base, to, steps, kept }
}

fn step(planned: Planned) -> PlanStep {
    let Planned { id, act, differences, because, needed_by } = planned;
    let differences = differences.into_iter().map(|one| DifferenceView {
        setting: one.setting,
        from: one.from,
        to: one.to,
        restarts: one.restarts,
    });
    PlanStep {
        id: id.to_string(),
        act: act.as_str().to_owned(),
        differences: differences.collect(),
        because: because.map(|id| id.to_string()),
        needed_by: needed_by.iter().map(ServiceId::to_string).collect(),
        // Whoever asks knows the files.
        scaled: false,
    }
}

/// Answers `generations` and `plan-rollback` from the files alone, for when no daemon runs: nothing runs, and what was applied
/// last stands for the present one.
///
/// # Errors
/// There is no such generation, or the files cannot be read.
pub fn read_generations(state_dir: &Path, differences_to: Option<u64>) -> Result<Answer, WireError> {
    let generations = Generations::read(state_dir).map_err(|error| refused(&error))?;
    let Some(to) = differences_to else {
        let generations = generations.views(0);
        return Ok(Answer::Generations { schema_version: SCHEMA_VERSION, generations, probation: None });
    };
    let described = |number| {
        let description: Description = generations.description(number).map_err(|error| refused(&error))?;
        description.services().map_err(|error| invalid(&error))
    };
    let other = described(to)?;
    let latest = generations.latest();
    let mut project = Project::default();
    project.apply(Moment::ZERO, described(latest)?).map_err(|error| invalid(&error))?;
    let planned =
        project.plan(&other, &std::collections::BTreeSet::new()).map_err(|error| invalid(&error))?;
    Ok(view(latest, Some(to), planned))
}

/// A generation that cannot be had, with what there is instead.
pub(super) fn refused(error: &GenerationsError) -> WireError {
    let refused = WireError::new(ErrorCode::Failed, error.to_string());
    match error {
        GenerationsError::Unknown { oldest: 0, .. } => refused.with_help("nothing was ever applied"),
        GenerationsError::Unknown { oldest, latest, .. } if oldest == latest => {
            refused.with_help(format!("there is only {latest}"))
        }
        GenerationsError::Unknown { oldest, latest, .. } => refused
            .with_help(format!("there are {oldest} to {latest}: `mainstay config versions` lists them")),
        GenerationsError::NoEarlier => refused.with_help("`mainstay config versions` lists what there is"),
        GenerationsError::File { .. }
        | GenerationsError::Later { .. }
        | GenerationsError::Damaged(_)
        | GenerationsError::Nonsense(_) => refused,
    }
}
