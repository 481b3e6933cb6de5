//! What an apply of a description would do, told before it is done. It decides nothing: it says what the deciding would say.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use mainstay_model::{Difference, ServiceId, Spec};

use crate::{
    describe::Renewal,
    graph::{Graph, GraphError, Need},
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
    /// It restarts because this one does, which it depends on with `restart`.
    pub because: Option<ServiceId>,
    /// Those that depend on it and go on while it restarts.
    pub needed_by: Vec<ServiceId>,
}

impl Planned {
    fn new(id: &ServiceId, act: PlannedAct) -> Self {
        Self { id: id.clone(), act, differences: Vec::new(), because: None, needed_by: Vec::new() }
    }

    fn restarts(&self) -> bool {
        self.act == PlannedAct::Restart
    }

    /// Whether nothing ends or starts by it.
    fn goes_on(&self) -> bool {
        matches!(self.act, PlannedAct::Change | PlannedAct::Keep)
    }
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
        let gone = self.ids().filter(|id| !by_id.contains_key(id));
        let mut planned: Vec<Planned> = gone.map(|id| Planned::new(id, PlannedAct::Remove)).collect();
        planned.reverse();
        let first = planned.len();
        let mut neighbours = Neighbours::default();
        for id in graph.order() {
            let Some(spec) = by_id.get(id) else { continue };
            let mut one = self.planned(spec, wanted.contains(id));
            if let Some(service) = self.service(id) {
                neighbours.let_follow(&mut one, service, graph.needs(id));
                neighbours.add(&one, service, spec);
            }
            planned.push(one);
        }
        self.note_dependents(&graph, &mut planned[first..]);
        Ok(planned)
    }

    /// Who depends on what restarts, and neither restarts nor starts itself.
    fn note_dependents(&self, graph: &Graph, planned: &mut [Planned]) {
        let mut needed_by: BTreeMap<ServiceId, Vec<ServiceId>> =
            planned.iter().filter(|one| one.restarts()).map(|one| (one.id.clone(), Vec::new())).collect();
        let goes_on = |one: &&Planned| {
            let live = self.service(&one.id).is_some_and(|service| service.phase().live().is_some());
            live && one.goes_on()
        };
        for one in planned.iter().filter(goes_on) {
            let on: BTreeSet<&ServiceId> = graph.needs(&one.id).iter().map(|need| &need.on).collect();
            for on in on {
                needed_by.entry(on.clone()).and_modify(|those| those.push(one.id.clone()));
            }
        }
        for one in planned {
            one.needed_by = needed_by.remove(&one.id).unwrap_or_default();
        }
    }

    fn planned(&self, spec: &Spec, wanted: bool) -> Planned {
        let known = self.node(&spec.id).filter(|node| !node.doomed).map(|node| &node.service);
        let Some(service) = known else {
            let act = if wanted { PlannedAct::Add } else { PlannedAct::Describe };
            return Planned::new(&spec.id, act);
        };
        let differences = service.spec().differences(spec);
        let outdated = wanted && service.outdated && is_to_end(service);
        let remade = outdated || Renewal::of(service, spec) == Renewal::Restart;
        let act = match differences.is_empty() {
            _ if starts(service, wanted, remade) => PlannedAct::Start,
            _ if remade && restarts(service, wanted) => PlannedAct::Restart,
            false => PlannedAct::Change,
            true => PlannedAct::Keep,
        };
        Planned { differences, ..Planned::new(&spec.id, act) }
    }
}

/// What becomes of those that others need.
#[derive(Default)]
struct Neighbours(BTreeMap<ServiceId, (Service, PlannedAct)>);

impl Neighbours {
    /// One more, as it is once it is described anew: that is what others see of it before it ends.
    fn add(&mut self, one: &Planned, service: &Service, spec: &Spec) {
        let mut service = service.clone();
        if !one.differences.is_empty() {
            service.describe(service.since(), Arc::new(spec.clone()));
        }
        self.0.insert(one.id.clone(), (service, one.act));
    }

    /// What becomes of one by those that it needs: it restarts with one that it follows, and starts when the last that it waits
    /// for is as it must be.
    fn let_follow(&self, one: &mut Planned, service: &Service, needs: &[Need]) {
        if service.goal() != Goal::Up || !one.goes_on() {
            return;
        }
        let met = |need: &Need| {
            let (on, act) = self.0.get(&need.on)?;
            on.meets(need.until).then_some(*act)
        };
        let ends =
            |need: &&Need| need.restart && matches!(met(need), Some(PlannedAct::Restart | PlannedAct::Start));
        let stays = |need: &Need| matches!(met(need), Some(PlannedAct::Keep | PlannedAct::Change));
        if *service.phase() == Phase::WaitingForDependency && needs.iter().all(stays) {
            one.act = PlannedAct::Start;
        } else if let Some(need) = needs.iter().find(ends).filter(|_| is_to_end(service)) {
            one.because = Some(need.on.clone());
            one.act = PlannedAct::Restart;
        }
    }
}

/// Whether what is down, or on its way there, would be started.
fn starts(service: &Service, wanted: bool, remade: bool) -> bool {
    let is_up = service.goal() == Goal::Up;
    match service.phase() {
        Phase::Stopped | Phase::Failed => wanted || (is_up && remade),
        // What completed was something else.
        Phase::Completed => (wanted || is_up) && remade,
        // It waits no longer: what failed was something else.
        Phase::WaitingForBackoff { .. } => is_up && remade,
        Phase::Stopping { .. } => wanted && !is_up,
        Phase::WaitingForDependency | Phase::Starting(_) | Phase::Running { .. } | Phase::Paused { .. } => {
            false
        }
    }
}

/// Whether it has yet to end before it can start again.
fn is_to_end(service: &Service) -> bool {
    matches!(service.phase(), Phase::Starting(_) | Phase::Running { .. } | Phase::Paused { .. })
}

fn restarts(service: &Service, wanted: bool) -> bool {
    (service.goal() == Goal::Up || wanted) && service.phase().live().is_some()
}
