//! What an apply of a description would do, told before it is done. It decides nothing: it says what the deciding would say.

use std::collections::{BTreeMap, BTreeSet};

use mainstay_model::{Difference, ServiceId, Spec};

use crate::{
    graph::{Graph, GraphError},
    phase::{Goal, Phase},
    project::Project,
    service::Service,
};

/// What would be done with one service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Planned {
    /// Which.
    pub id: ServiceId,
    /// What.
    pub act: PlannedAct,
    /// What its description says differently.
    pub differences: Vec<Difference>,
}

/// What would be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PlannedAct {
    /// It is new, and is started.
    Add,
    /// It is new, and is not started.
    Describe,
    /// It is known and down, and is started.
    Start,
    /// It ends and starts again: its process would be made differently.
    Restart,
    /// What is said of it changes, and its process goes on.
    Change,
    /// It is gone from the description: it is stopped and removed.
    Remove,
    /// Nothing.
    Keep,
}

impl PlannedAct {
    /// The word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Add => "add",
            Self::Describe => "describe",
            Self::Start => "start",
            Self::Restart => "restart",
            Self::Change => "change",
            Self::Remove => "remove",
            Self::Keep => "keep",
        }
    }
}

impl Project {
    /// What an [`apply`](Self::apply) of these, followed by a [`want`](Self::want) of `start`, would do: first what is removed,
    /// then the others, each after what it depends on.
    ///
    /// # Errors
    /// See [`GraphError`].
    pub fn plan(&self, specs: &[Spec], start: &BTreeSet<ServiceId>) -> Result<Vec<Planned>, GraphError> {
        let graph = Graph::new(specs)?;
        let by_id: BTreeMap<&ServiceId, &Spec> = specs.iter().map(|spec| (&spec.id, spec)).collect();
        let wanted: BTreeSet<ServiceId> = graph.with_needs(start).into_iter().collect();
        let gone = self.ids().filter(|id| !by_id.contains_key(id)).map(|id| Planned {
            id: id.clone(),
            act: PlannedAct::Remove,
            differences: Vec::new(),
        });
        let mut planned: Vec<Planned> = gone.collect();
        planned.reverse();
        for id in graph.order() {
            if let Some(spec) = by_id.get(id) {
                planned.push(self.planned(spec, wanted.contains(id)));
            }
        }
        Ok(planned)
    }

    fn planned(&self, spec: &Spec, wanted: bool) -> Planned {
        let id = spec.id.clone();
        let known = self.node(&id).filter(|node| !node.doomed).map(|node| &node.service);
        let Some(service) = known else {
            let act = if wanted { PlannedAct::Add } else { PlannedAct::Describe };
            return Planned { id, act, differences: Vec::new() };
        };
        let differences = service.spec().differences(spec);
        let act = match (service.spec().needs_restart_for(spec), differences.is_empty()) {
            _ if wanted && starts(service, spec) => PlannedAct::Start,
            (true, _) if restarts(service, wanted) => PlannedAct::Restart,
            (_, false) => PlannedAct::Change,
            (_, true) => PlannedAct::Keep,
        };
        Planned { id, act, differences }
    }
}

/// Whether wanting it would start what is down.
fn starts(service: &Service, spec: &Spec) -> bool {
    match service.phase() {
        Phase::Stopped | Phase::Failed => true,
        // What completed was something else.
        Phase::Completed => service.spec().needs_restart_for(spec),
        Phase::WaitingForDependency
        | Phase::WaitingForBackoff { .. }
        | Phase::Starting(_)
        | Phase::Running { .. }
        | Phase::Paused { .. }
        | Phase::Stopping { .. } => false,
    }
}

fn restarts(service: &Service, wanted: bool) -> bool {
    (service.goal() == Goal::Up || wanted) && service.phase().live().is_some()
}
