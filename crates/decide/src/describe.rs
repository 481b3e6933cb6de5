//! How a project takes on a description: for the first time, instead of another one, or after the death of whoever held it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use mainstay_model::{Moment, Reason, ServiceId, Spec};

use crate::{
    change::Seen,
    graph::{Graph, GraphError, Need},
    memory::Found,
    phase::{Event, Goal, Phase},
    project::{Edge, Node, Outcome, Project, Queue},
    service::Service,
};

/// What has to be done with a service that is described otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Renewal {
    Restart,
    Reload,
    Nothing,
}

impl Renewal {
    pub(crate) fn of(service: &Service, spec: &Spec) -> Self {
        let (restart, reload) =
            (service.spec().needs_restart_for(spec), service.spec().needs_reload_for(spec));
        match service.phase() {
            _ if restart => Self::Restart,
            Phase::Running { .. } if reload => Self::Reload,
            // It may have read its settings already, and cannot be told to read them again now.
            Phase::Starting(_) | Phase::Paused { .. } if reload => Self::Restart,
            Phase::Stopped
            | Phase::WaitingForDependency
            | Phase::WaitingForBackoff { .. }
            | Phase::Starting(_)
            | Phase::Running { .. }
            | Phase::Paused { .. }
            | Phase::Stopping { .. }
            | Phase::Completed
            | Phase::Failed => Self::Nothing,
        }
    }
}

impl Project {
    /// The services of `specs` as they are remembered and seen after the death of whoever held them; see
    /// [`Service::recall`]. Those wanted start, those not wanted stop.
    ///
    /// What is still there and no longer described goes in among `specs`, unwanted and without dependencies; an
    /// [`apply`](Self::apply) of the description then stops, removes and forgets it.
    ///
    /// # Errors
    /// See [`GraphError`].
    pub fn recall(
        now: Moment,
        specs: Vec<Spec>,
        wanted: &BTreeSet<ServiceId>,
        mut seen: impl FnMut(&ServiceId) -> Found,
    ) -> Result<(Self, Outcome), GraphError> {
        let graph = Graph::new(&specs)?;
        let mut project = Self::default();
        let mut outcome = Outcome::default();
        for spec in specs {
            let goal = if wanted.contains(&spec.id) { Goal::Up } else { Goal::Down };
            let seen = seen(&spec.id);
            let id = spec.id.clone();
            let (service, decision) = Service::recall(Arc::new(spec), goal, seen, now);
            let key = project.insert(id, service);
            project.carry_out(key, decision, &mut outcome);
        }
        project.connect(&graph);
        let unwanted =
            |node: &Node| node.service.goal() == Goal::Down && node.service.phase().live().is_some();
        let stops = project.nodes.iter().filter(|(_, node)| unwanted(node)).map(|(key, _)| *key);
        let mut queue: Queue = stops.map(|key| (key, Event::Stop(Reason::StopRequested))).collect();
        // Behind the stops, so that nothing starts upon one that is about to end.
        queue.extend(project.nodes.keys().map(|key| (*key, Event::StartGate(project.start_gate(*key)))));
        project.work_off(now, queue, &mut outcome);
        Ok((project, outcome))
    }

    /// Takes on this description: adds what is new, restarts what runs and would be made differently, and stops and
    /// removes what is gone. Nothing is started by it.
    ///
    /// # Errors
    /// See [`GraphError`]; then nothing has changed.
    pub fn apply(&mut self, now: Moment, specs: Vec<Spec>) -> Result<Outcome, GraphError> {
        let graph = Graph::new(&specs)?;
        let mut outcome = Outcome::default();
        let mut queue = self.doom_all_but(&specs);
        let stopped: Vec<usize> = queue.iter().map(|(key, _)| *key).collect();
        self.leave_rolling(&self.names(stopped));
        let (mut changed, mut reloads) = (Vec::new(), Vec::new());
        for spec in specs {
            match self.index.get(&spec.id).copied() {
                None => {
                    let id = spec.id.clone();
                    let service = Service::new(Arc::new(spec), now).counting_from(self.removed_run);
                    self.insert(id, service);
                }
                Some(key) => match self.describe(now, key, spec, &mut outcome) {
                    Renewal::Restart => changed.push(key),
                    Renewal::Reload => reloads.push(key),
                    Renewal::Nothing => {}
                },
            }
        }
        self.connect(&graph);
        let changed = self.ranked(changed);
        queue.extend(self.restart_in_turn(changed, |node| node.service.spec().rolling, &Reason::Changed));
        queue.extend(self.ranked(reloads).into_iter().map(|key| (key, Event::Reload)));
        // Behind the restarts, so that nothing starts upon one that is about to end.
        queue.extend(self.gate_events());
        let doomed: Vec<usize> =
            self.nodes.iter().filter(|(_, node)| node.doomed).map(|(key, _)| *key).collect();
        self.work_off(now, queue, &mut outcome);
        for key in doomed {
            self.remove_if_over(key, &mut outcome);
        }
        self.advance_rollings(now, &mut outcome);
        Ok(outcome)
    }

    /// Marks what is not among `specs` for removal, and stops it before anything else happens. One that was marked and is
    /// described again stays, stopped.
    fn doom_all_but(&mut self, specs: &[Spec]) -> Queue {
        let described: BTreeSet<&ServiceId> = specs.iter().map(|spec| &spec.id).collect();
        let mut stops = Queue::new();
        for (key, node) in &mut self.nodes {
            let doomed = !described.contains(&node.id);
            match (std::mem::replace(&mut node.doomed, doomed), doomed) {
                (_, true) => stops.push_back((*key, Event::Stop(Reason::Removed))),
                (true, false) => stops.push_back((*key, Event::Stop(Reason::Changed))),
                (false, false) => {}
            }
        }
        stops
    }

    /// What has to be done with it for that.
    fn describe(&mut self, now: Moment, key: usize, spec: Spec, outcome: &mut Outcome) -> Renewal {
        let Some(node) = self.nodes.get_mut(&key) else { return Renewal::Nothing };
        let renewal = Renewal::of(&node.service, &spec);
        let seen = Seen::of(&node.service);
        let decision = node.service.describe(now, Arc::new(spec));
        outcome.changes.extend(seen.change(&node.id, &node.service));
        self.carry_out(key, decision, outcome);
        renewal
    }

    /// Draws the edges anew. One that is being removed keeps those that it had, for the order of the stops.
    fn connect(&mut self, graph: &Graph) {
        self.order = graph.order().to_vec();
        for (rank, id) in self.order.iter().enumerate() {
            if let Some(node) = self.index.get(id).and_then(|key| self.nodes.get_mut(key)) {
                node.rank = rank;
            }
        }
        let keys: BTreeSet<usize> = self.nodes.keys().copied().collect();
        for node in self.nodes.values_mut() {
            node.needed_by.clear();
            if node.doomed {
                node.needs.retain(|edge| keys.contains(&edge.to));
                continue;
            }
            let edge = |need: &Need| {
                let to = *self.index.get(&need.on)?;
                Some(Edge { to, until: need.until, restart: need.restart })
            };
            node.needs = graph.needs(&node.id).iter().filter_map(edge).collect();
        }
        let edges: Vec<(usize, usize)> = self
            .nodes
            .iter()
            .flat_map(|(key, node)| node.needs.iter().map(|edge| (*key, edge.to)).collect::<Vec<_>>())
            .collect();
        for (from, to) in edges {
            if let Some(node) = self.nodes.get_mut(&to) {
                node.needed_by.push(from);
            }
        }
        self.count_live_dependents();
    }

    fn count_live_dependents(&mut self) {
        let counts: BTreeMap<usize, usize> = self
            .nodes
            .iter()
            .map(|(key, node)| {
                let live = |dependent: &&usize| {
                    self.nodes.get(dependent).is_some_and(|node| node.service.phase().live().is_some())
                };
                (*key, node.needed_by.iter().filter(live).count())
            })
            .collect();
        for (key, node) in &mut self.nodes {
            node.live_dependents = counts.get(key).copied().unwrap_or(0);
        }
    }

    /// The gates that are not as their services know them.
    fn gate_events(&self) -> Queue {
        let mut queue = Queue::new();
        for (key, node) in &self.nodes {
            let (start, stop) = (self.start_gate(*key), self.stop_gate(*key));
            if start != *node.service.start_gate() {
                queue.push_back((*key, Event::StartGate(start)));
            }
            if stop != node.service.stop_gate() {
                queue.push_back((*key, Event::StopGate(stop)));
            }
        }
        queue
    }
}
