//! Restarts of instances one after the other: the next one follows when the one before is ready. A layer above the
//! single service, which only feeds it [`Event::Restart`].

use std::collections::{BTreeMap, VecDeque};

use mainstay_model::{Moment, Reason, RunId, ServiceId, ServiceName};

use crate::{
    phase::{Event, Goal},
    project::{Node, Outcome, Project, Queue},
    settle::Standing,
};

/// The restarts of one service's instances that are still to come.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rolling {
    /// Which is under way, and the run that it had before.
    current: Option<(ServiceId, RunId)>,
    /// Which follow, and why.
    rest: VecDeque<(ServiceId, Reason)>,
}

/// A restart that somebody asked for and that is not over: what another daemon must know to go on with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AskedRestart {
    /// Of which.
    pub id: ServiceId,
    /// The run that is to end by it.
    pub run: RunId,
    /// Whether the next one of this list waits for it.
    pub turn: Turn,
}

/// Whether restarts take turns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// It is restarted at once.
    AtOnce,
    /// One instance after the other.
    InTurn,
}

pub(crate) type Rollings = BTreeMap<ServiceName, Rolling>;

impl Project {
    /// Ends and starts these, the instances of each service one after the other. When one does not become ready, those that
    /// follow it are left as they are. What does not run needs no turn: it starts at once.
    pub fn roll(&mut self, now: Moment, ids: &[ServiceId]) -> Outcome {
        let keys = self.ranked(self.staying(ids));
        let queue = self.restart_in_turn(keys, |_| true, &Reason::RestartRequested);
        self.deliver_all(now, queue)
    }

    /// Ends and starts these because a process that an earlier daemon made of them is of another description, as an
    /// [`apply`](Self::apply) would: one after the other where they say so.
    pub fn restart_changed(&mut self, now: Moment, ids: &[ServiceId]) -> Outcome {
        self.restart_because(now, ids, &Reason::Changed)
    }

    /// Ends and starts those of these that are wanted, for this cause; one after the other where they say so.
    pub fn restart_because(&mut self, now: Moment, ids: &[ServiceId], cause: &Reason) -> Outcome {
        let keys = self.ranked(self.staying(ids));
        let queue = self.restart_in_turn(keys, |node| node.service.spec().rolling, cause);
        self.deliver_all(now, queue)
    }

    /// Restarts that somebody asked for and that are not over, those that take turns in their order.
    pub fn asked_restarts(&self) -> Vec<AskedRestart> {
        let mut asked: Vec<AskedRestart> =
            self.rollings.values().flat_map(|rolling| self.asked_turns(rolling)).collect();
        let at_once = self.nodes.values().filter(|node| !self.is_rolling(&node.id)).filter_map(|node| {
            let run =
                node.service.phase().live().filter(|_| node.service.is_to_come_back() && !node.doomed)?;
            Some(AskedRestart { id: node.id.clone(), run, turn: Turn::AtOnce })
        });
        asked.extend(at_once);
        asked
    }

    fn asked_turns(&self, rolling: &Rolling) -> Vec<AskedRestart> {
        let turn = |id: &ServiceId, run| AskedRestart { id: id.clone(), run, turn: Turn::InTurn };
        let run = |id: &ServiceId| self.node(id).map(|node| node.service.run());
        let asked = rolling.rest.iter().filter(|(_, cause)| *cause == Reason::RestartRequested);
        let rest: Vec<AskedRestart> = asked.filter_map(|(id, _)| Some(turn(id, run(id)?))).collect();
        let is_asked = |id: &ServiceId| self.node(id).is_some_and(|node| node.service.is_to_come_back());
        let is_last = rest.is_empty();
        let current = rolling.current.iter().filter(|(id, _)| !is_last || is_asked(id));
        current.map(|(id, before)| turn(id, *before)).chain(rest).collect()
    }

    /// Goes on with what [`Project::asked_restarts`] said before the death of whoever held it. What runs otherwise by now, or
    /// is not wanted, has no restart to come.
    pub fn resume_restarts(&mut self, now: Moment, asked: &[AskedRestart]) -> Outcome {
        let mut queue = Queue::new();
        for AskedRestart { id, run, turn } in asked {
            let stays = |key: &&usize| self.nodes.get(key).is_some_and(|node| !node.doomed);
            let Some(key) = self.index.get(id).filter(stays).copied() else { continue };
            let wanted = |node: &&Node| node.service.goal() == Goal::Up;
            let live = self.node(id).filter(wanted).and_then(|node| node.service.phase().live());
            match (live, turn) {
                (Some(live), Turn::AtOnce) if live == *run => {
                    queue.push_back((key, Event::Restart(Reason::RestartRequested)));
                }
                (Some(live), Turn::InTurn) if live == *run => {
                    let rolling = self.rollings.entry(id.name.clone()).or_default();
                    rolling.rest.push_back((id.clone(), Reason::RestartRequested));
                }
                // It was restarted, and those behind it wait until it is ready.
                (Some(live), Turn::InTurn) if live > *run => {
                    let rolling = self.rollings.entry(id.name.clone()).or_default();
                    rolling.current.get_or_insert((id.clone(), *run));
                }
                (_, Turn::AtOnce | Turn::InTurn) => {}
            }
        }
        self.deliver_all(now, queue)
    }

    /// Whether this one's restart is still to come.
    pub fn is_rolling(&self, id: &ServiceId) -> bool {
        self.rollings.get(&id.name).is_some_and(|rolling| {
            let current = rolling.current.as_ref().is_some_and(|(current, _)| current == id);
            current || rolling.rest.iter().any(|(next, _)| next == id)
        })
    }

    /// Whose restart is under way before this one's turn comes.
    pub(crate) fn rolls_behind(&self, id: &ServiceId) -> Option<&ServiceId> {
        let rolling = self.rollings.get(&id.name)?;
        let waits = rolling.rest.iter().any(|(next, _)| next == id);
        rolling.current.as_ref().filter(|_| waits).map(|(current, _)| current)
    }

    /// Puts those into their queues that run, are wanted, and of which `rolls` is so; returns the restarts of the others.
    pub(crate) fn restart_in_turn(
        &mut self,
        keys: Vec<usize>,
        rolls: impl Fn(&Node) -> bool,
        cause: &Reason,
    ) -> Queue {
        let mut at_once = Queue::new();
        for key in keys {
            let Some(node) = self.nodes.get(&key) else { continue };
            let runs = node.service.goal() == Goal::Up && node.service.phase().live().is_some();
            let id = node.id.clone();
            let rolls = runs && rolls(node);
            // A later request takes the place of an earlier one.
            self.leave_rolling([&id]);
            if rolls {
                let rolling = self.rollings.entry(id.name.clone()).or_default();
                // The one that is under way goes once more before the others: as it is, it may never be ready.
                match rolling.current.take_if(|(current, _)| *current == id) {
                    Some(_) => rolling.rest.push_front((id, cause.clone())),
                    None => rolling.rest.push_back((id, cause.clone())),
                }
            } else {
                at_once.push_back((key, Event::Restart(cause.clone())));
            }
        }
        at_once
    }

    /// What is restarted or removed at once has no turn any more.
    pub(crate) fn leave_rolling<'a>(&mut self, ids: impl IntoIterator<Item = &'a ServiceId>) {
        for id in ids {
            if let Some(rolling) = self.rollings.get_mut(&id.name) {
                rolling.rest.retain(|(next, _)| next != id);
            }
        }
    }

    /// Takes the next step of each, as far as the one before allows.
    pub(crate) fn advance_rollings(&mut self, now: Moment, outcome: &mut Outcome) {
        if self.rollings.is_empty() {
            return;
        }
        let names: Vec<ServiceName> = self.rollings.keys().cloned().collect();
        for name in names {
            while let Some((id, cause)) = self.next_to_roll(&name) {
                let Some(key) = self.index.get(&id).copied() else { continue };
                self.work_off(now, [(key, Event::Restart(cause))].into(), outcome);
            }
        }
    }

    /// Which is restarted now; `None` while one is under way, and when all are over.
    fn next_to_roll(&mut self, name: &ServiceName) -> Option<(ServiceId, Reason)> {
        let current = self.rollings.get(name)?.current.clone();
        let standing = current.map(|(id, before)| self.rolled(&id, before));
        let next = match standing {
            Some(Standing::Pending) => return None,
            Some(Standing::Failed) => None,
            Some(Standing::Done) | None => self.pop_rolling(name),
        };
        if next.is_none() {
            self.rollings.remove(name);
        }
        next
    }

    /// The next that is wanted becomes the current one. One that somebody has stopped meanwhile only takes note of a changed
    /// description.
    fn pop_rolling(&mut self, name: &ServiceName) -> Option<(ServiceId, Reason)> {
        loop {
            let (id, cause) = self.rollings.get_mut(name)?.rest.pop_front()?;
            let wanted = |node: &&Node| node.service.goal() == Goal::Up;
            let run = self.node(&id).filter(wanted).map(|node| node.service.run());
            self.rollings.get_mut(name)?.current = run.map(|run| (id.clone(), run));
            if run.is_some() || cause == Reason::Changed {
                return Some((id, cause));
            }
        }
    }

    fn rolled(&self, id: &ServiceId, before: RunId) -> Standing {
        let Some(node) = self.node(id) else { return Standing::Done };
        match self.standing_up(id) {
            Standing::Done if node.service.run() > before => Standing::Done,
            Standing::Done | Standing::Pending => Standing::Pending,
            // Stopped meanwhile by somebody: it is not this one that holds up the others.
            Standing::Failed if node.service.goal() == Goal::Down => Standing::Done,
            Standing::Failed => Standing::Failed,
        }
    }
}
