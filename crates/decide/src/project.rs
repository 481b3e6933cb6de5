//! The layer above the single service: who needs whom. It feeds each service the events of its gates, and reaches into none.
//!
//! A service's start gate is open when every instance of everything it depends on has reached its condition; its stop gate
//! when nothing that depends on it is alive. Both are evaluated again only for the neighbours of what changed, so that the
//! cost of an event does not grow with the number of services. What waits in the queue may be overtaken: before each event
//! is delivered, the gates of its service are looked at again, so that no service decides by a gate of a moment ago.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use mainstay_model::{Condition, Moment, PhaseName, Reason, RunId, ServiceId};

use crate::{
    change::{Change, Seen},
    phase::{Action, Event, Goal, StartGate, StopGate},
    rolling::Rollings,
    service::{Decision, Service},
};

/// What follows from one input.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// What to do, in this order.
    pub actions: Vec<(ServiceId, Action)>,
    /// Which services changed their phase, readiness or health, in this order.
    pub changes: Vec<Change>,
    /// Services that are no longer in the project, and have ended.
    pub removed: Vec<ServiceId>,
}

/// All services of a project.
#[derive(Clone, Debug, Default)]
pub struct Project {
    pub(crate) nodes: BTreeMap<usize, Node>,
    pub(crate) index: BTreeMap<ServiceId, usize>,
    pub(crate) order: Vec<ServiceId>,
    wakes: BTreeSet<(Moment, usize)>,
    next_key: usize,
    /// The highest run of a service that was removed: a name that comes back counts on from it.
    pub(crate) removed_run: RunId,
    touched: u64,
    /// Restarts one after the other that are under way.
    pub(crate) rollings: Rollings,
}

#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) id: ServiceId,
    pub(crate) service: Service,
    pub(crate) needs: Vec<Edge>,
    pub(crate) needed_by: Vec<usize>,
    pub(crate) live_dependents: usize,
    /// Its place in an order in which each comes after what it needs.
    pub(crate) rank: usize,
    pub(crate) doomed: bool,
    wake: Option<Moment>,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Edge {
    pub(crate) to: usize,
    pub(crate) until: Condition,
    pub(crate) restart: bool,
}

/// What the neighbours of a service can see of it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Facts {
    phase: PhaseName,
    live: bool,
    started: bool,
    ready: bool,
    healthy: bool,
    completed: bool,
}

impl Facts {
    pub(crate) fn of(service: &Service) -> Self {
        Self {
            phase: service.phase().name(),
            live: service.phase().live().is_some(),
            started: service.is_started(),
            ready: service.is_ready(),
            healthy: service.is_healthy(),
            completed: service.is_completed(),
        }
    }

    fn meets(self, until: Condition) -> bool {
        match until {
            Condition::Started => self.started,
            Condition::Ready => self.ready,
            Condition::Healthy => self.healthy,
            Condition::Completed => self.completed,
        }
    }
}

pub(crate) type Queue = VecDeque<(usize, Event)>;

impl Project {
    /// Wants these up, with all that they depend on. What waits, runs or has completed is left alone, and so is what is being
    /// removed.
    pub fn want(&mut self, now: Moment, ids: &[ServiceId]) -> Outcome {
        let keys = self.closure(self.staying(ids), |node| node.needs.iter().map(|edge| edge.to).collect());
        self.deliver_all(now, keys.into_iter().map(|key| (key, Event::Want)))
    }

    /// Starts these now, whatever they wait for by time, and again if they completed; wants what they depend on.
    pub fn start(&mut self, now: Moment, ids: &[ServiceId]) -> Outcome {
        let named: BTreeSet<usize> = self.staying(ids).into_iter().collect();
        let keys =
            self.closure(named.iter().copied(), |node| node.needs.iter().map(|edge| edge.to).collect());
        let event = |key| if named.contains(&key) { Event::Start } else { Event::Want };
        self.deliver_all(now, keys.into_iter().map(|key| (key, event(key))))
    }

    /// Wants these down, and all that depends on them first.
    pub fn stop(&mut self, now: Moment, ids: &[ServiceId]) -> Outcome {
        let keys = self.closure(self.keys(ids), |node| node.needed_by.clone());
        self.deliver_all(now, keys.into_iter().map(|key| (key, Event::Stop(Reason::StopRequested))))
    }

    /// Ends and starts these, and only these.
    pub fn restart(&mut self, now: Moment, ids: &[ServiceId]) -> Outcome {
        let keys = self.ranked(self.staying(ids));
        self.leave_rolling(ids);
        self.deliver_all(now, keys.into_iter().map(|key| (key, Event::Restart(Reason::RestartRequested))))
    }

    /// Wants these down and kills them at once, and only these.
    pub fn kill(&mut self, now: Moment, ids: &[ServiceId]) -> Outcome {
        self.deliver_all(now, self.keys(ids).into_iter().map(|key| (key, Event::Kill)))
    }

    /// Freezes these, and only these.
    pub fn pause(&mut self, now: Moment, ids: &[ServiceId]) -> Outcome {
        self.deliver_all(now, self.keys(ids).into_iter().map(|key| (key, Event::Pause)))
    }

    /// Lets these go on.
    pub fn resume(&mut self, now: Moment, ids: &[ServiceId]) -> Outcome {
        self.deliver_all(now, self.keys(ids).into_iter().map(|key| (key, Event::Resume)))
    }

    /// Has these read their configuration again.
    pub fn reload(&mut self, now: Moment, ids: &[ServiceId]) -> Outcome {
        self.deliver_all(now, self.keys(ids).into_iter().map(|key| (key, Event::Reload)))
    }

    /// Takes back the failures of these.
    pub fn reset(&mut self, now: Moment, ids: &[ServiceId]) -> Outcome {
        self.deliver_all(now, self.keys(ids).into_iter().map(|key| (key, Event::Reset)))
    }

    /// Something happened to one service. Of one that is not there, an end is still acknowledged.
    pub fn event(&mut self, now: Moment, id: &ServiceId, event: Event) -> Outcome {
        match (self.index.get(id).copied(), event) {
            (Some(key), event) => self.deliver_all(now, [(key, event)]),
            (None, Event::Exited { run, .. } | Event::NotSpawned { run, .. }) => {
                Outcome { actions: vec![(id.clone(), Action::Acknowledge { run })], ..Outcome::default() }
            }
            (None, _) => Outcome::default(),
        }
    }

    /// Time has passed.
    pub fn tick(&mut self, now: Moment) -> Outcome {
        let due: Vec<usize> =
            self.wakes.iter().take_while(|(at, _)| *at <= now).map(|(_, key)| *key).collect();
        self.deliver_all(now, due.into_iter().map(|key| (key, Event::Tick)))
    }

    /// To be called before [`Project::tick`] when that comes so late that nobody was there to look: see [`is_absence`].
    ///
    /// [`is_absence`]: crate::is_absence
    pub fn was_absent(&mut self, now: Moment) -> Outcome {
        let all: Vec<usize> = self.nodes.keys().copied().collect();
        self.deliver_all(now, all.into_iter().map(|key| (key, Event::Absence)))
    }

    /// When to call [`Project::tick`] if nothing happens sooner.
    pub fn wake_at(&self) -> Option<Moment> {
        self.wakes.first().map(|(at, _)| *at)
    }

    /// Every service, each after what it depends on; then those that are being removed.
    pub fn ids(&self) -> impl Iterator<Item = &ServiceId> {
        let described = self.order.iter().filter(|id| self.index.contains_key(id));
        described.chain(self.nodes.values().filter(|node| node.doomed).map(|node| &node.id))
    }

    /// One service.
    pub fn service(&self, id: &ServiceId) -> Option<&Service> {
        self.node(id).map(|node| &node.service)
    }

    /// Which are wanted up.
    pub fn wanted(&self) -> impl Iterator<Item = &ServiceId> {
        self.nodes
            .values()
            .filter(|node| node.service.goal() == Goal::Up && !node.doomed)
            .map(|node| &node.id)
    }

    /// These and all that they depend on.
    pub fn with_dependencies(&self, ids: &[ServiceId]) -> Vec<ServiceId> {
        self.names(self.closure(self.keys(ids), |node| node.needs.iter().map(|edge| edge.to).collect()))
    }

    /// These and all that depends on them.
    pub fn with_dependents(&self, ids: &[ServiceId]) -> Vec<ServiceId> {
        self.names(self.closure(self.keys(ids), |node| node.needed_by.clone()))
    }

    /// How often a service was looked at so far: what inputs cost, whatever the machine.
    pub fn touched(&self) -> u64 {
        self.touched
    }

    /// What depends directly on this one.
    pub fn needed_by(&self, id: &ServiceId) -> Vec<ServiceId> {
        let keys = self.node(id).map(|node| node.needed_by.clone()).unwrap_or_default();
        self.names(keys)
    }

    pub(crate) fn node(&self, id: &ServiceId) -> Option<&Node> {
        self.nodes.get(self.index.get(id)?)
    }

    pub(crate) fn names(&self, keys: impl IntoIterator<Item = usize>) -> Vec<ServiceId> {
        keys.into_iter().filter_map(|key| self.nodes.get(&key)).map(|node| node.id.clone()).collect()
    }

    pub(crate) fn insert(&mut self, id: ServiceId, service: Service) -> usize {
        let key = self.next_key;
        self.next_key += 1;
        self.index.insert(id.clone(), key);
        let (needs, needed_by) = (Vec::new(), Vec::new());
        self.nodes.insert(
            key,
            Node { id, service, needs, needed_by, live_dependents: 0, rank: 0, doomed: false, wake: None },
        );
        key
    }

    pub(crate) fn start_gate(&self, key: usize) -> StartGate {
        let needs = self.nodes.get(&key).map_or(&[][..], |node| &node.needs);
        let unmet = needs.iter().find_map(|edge| {
            let node = self.nodes.get(&edge.to)?;
            (!node.service.meets(edge.until)).then_some((node, edge.until))
        });
        match unmet {
            None => StartGate::Open,
            Some((node, until)) => StartGate::Closed { on: node.id.clone(), until },
        }
    }

    pub(crate) fn stop_gate(&self, key: usize) -> StopGate {
        match self.nodes.get(&key).map_or(0, |node| node.live_dependents) {
            0 => StopGate::Open,
            _ => StopGate::Closed,
        }
    }

    /// These and all that `next` leads to, each after what it needs.
    pub(crate) fn closure(
        &self,
        keys: impl IntoIterator<Item = usize>,
        next: impl Fn(&Node) -> Vec<usize>,
    ) -> Vec<usize> {
        let mut reached = BTreeSet::new();
        let mut open: Vec<usize> = keys.into_iter().collect();
        while let Some(key) = open.pop() {
            if reached.insert(key) {
                open.extend(self.nodes.get(&key).map(&next).unwrap_or_default());
            }
        }
        self.ranked(reached)
    }

    fn keys(&self, ids: &[ServiceId]) -> Vec<usize> {
        ids.iter().filter_map(|id| self.index.get(id).copied()).collect()
    }

    /// Those of them that are not being removed.
    pub(crate) fn staying(&self, ids: &[ServiceId]) -> Vec<usize> {
        let stays = |key: &usize| self.nodes.get(key).is_some_and(|node| !node.doomed);
        self.keys(ids).into_iter().filter(stays).collect()
    }

    pub(crate) fn ranked(&self, keys: impl IntoIterator<Item = usize>) -> Vec<usize> {
        let mut keys: Vec<usize> = keys.into_iter().collect();
        keys.sort_by_key(|key| self.nodes.get(key).map(|node| node.rank));
        keys
    }

    pub(crate) fn deliver_all(
        &mut self,
        now: Moment,
        events: impl IntoIterator<Item = (usize, Event)>,
    ) -> Outcome {
        let mut outcome = Outcome::default();
        self.work_off(now, events.into_iter().collect(), &mut outcome);
        self.advance_rollings(now, &mut outcome);
        outcome
    }

    pub(crate) fn work_off(&mut self, now: Moment, mut queue: Queue, outcome: &mut Outcome) {
        while let Some((key, event)) = queue.pop_front() {
            self.touched += 1;
            let (start, stop) = (self.start_gate(key), self.stop_gate(key));
            let Some(node) = self.nodes.get_mut(&key) else { continue };
            let told = matches!(event, Event::StartGate(_));
            let news = [
                (told || start != *node.service.start_gate()).then_some(Event::StartGate(start.clone())),
                (stop != node.service.stop_gate()).then_some(Event::StopGate(stop)),
            ];
            let act = (!matches!(event, Event::StartGate(_) | Event::StopGate(_))).then_some(event);
            // The act first: what it asks for may be other than what the gates would have let happen.
            node.service.see_gates(start, stop);
            for event in act.into_iter().chain(news.into_iter().flatten()) {
                self.deliver(now, key, event, &mut queue, outcome);
            }
        }
    }

    fn deliver(&mut self, now: Moment, key: usize, event: Event, queue: &mut Queue, outcome: &mut Outcome) {
        let Some(node) = self.nodes.get_mut(&key) else { return };
        let (before, seen) = (Facts::of(&node.service), Seen::of(&node.service));
        let decision = node.service.on(now, event);
        let after = Facts::of(&node.service);
        outcome.changes.extend(seen.change(&node.id, &node.service));
        self.carry_out(key, decision, outcome);
        if before != after {
            self.propagate(key, before, after, queue);
            self.remove_if_over(key, outcome);
        }
    }

    pub(crate) fn carry_out(&mut self, key: usize, decision: Decision, outcome: &mut Outcome) {
        let Some(node) = self.nodes.get_mut(&key) else { return };
        outcome.actions.extend(decision.actions.into_iter().map(|action| (node.id.clone(), action)));
        let wake = node.service.wake_at();
        if wake != node.wake {
            if let Some(at) = node.wake {
                self.wakes.remove(&(at, key));
            }
            if let Some(at) = wake {
                self.wakes.insert((at, key));
            }
            node.wake = wake;
        }
    }

    /// Tells the neighbours what changed.
    fn propagate(&mut self, key: usize, before: Facts, after: Facts, queue: &mut Queue) {
        let Some(node) = self.nodes.get(&key) else { return };
        let (id, needs, dependents) = (node.id.clone(), node.needs.clone(), node.needed_by.clone());
        if before.live != after.live {
            for edge in needs {
                self.count_dependent(edge.to, after.live, queue);
            }
        }
        self.touched += u64::try_from(dependents.len()).unwrap_or(u64::MAX);
        for dependent in dependents {
            let Some(node) = self.nodes.get(&dependent) else { continue };
            let gate = self.start_gate(dependent);
            if gate != *node.service.start_gate() {
                queue.push_back((dependent, Event::StartGate(gate)));
            }
            let lost = |edge: &&Edge| edge.to == key && before.meets(edge.until) && !after.meets(edge.until);
            if node.needs.iter().find(lost).is_some_and(|edge| edge.restart) {
                queue.push_back((dependent, Event::Restart(Reason::DependencyLost { on: id.clone() })));
            }
        }
    }

    fn count_dependent(&mut self, key: usize, live: bool, queue: &mut Queue) {
        let Some(node) = self.nodes.get_mut(&key) else { return };
        let before = node.live_dependents;
        node.live_dependents = if live { before + 1 } else { before.saturating_sub(1) };
        match (before, node.live_dependents) {
            (0, 1) => queue.push_back((key, Event::StopGate(StopGate::Closed))),
            (_, 0) => queue.push_back((key, Event::StopGate(StopGate::Open))),
            _ => {}
        }
    }

    pub(crate) fn remove_if_over(&mut self, key: usize, outcome: &mut Outcome) {
        let over = |node: &Node| node.doomed && node.service.phase().live().is_none();
        if !self.nodes.get(&key).is_some_and(over) {
            return;
        }
        let Some(node) = self.nodes.remove(&key) else { return };
        self.index.remove(&node.id);
        self.removed_run = self.removed_run.max(node.service.run());
        if let Some(at) = node.wake {
            self.wakes.remove(&(at, key));
        }
        for edge in &node.needs {
            if let Some(target) = self.nodes.get_mut(&edge.to) {
                target.needed_by.retain(|dependent| *dependent != key);
            }
        }
        for dependent in &node.needed_by {
            if let Some(dependent) = self.nodes.get_mut(dependent) {
                dependent.needs.retain(|edge| edge.to != key);
            }
        }
        outcome.removed.push(node.id);
    }
}
