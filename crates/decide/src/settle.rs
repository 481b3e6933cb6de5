//! How a service stands towards what was asked of it, and the whole reason why.

use std::collections::BTreeMap;

use mainstay_model::{Moment, PhaseName, Reason, ServiceId, Status};

use crate::{
    phase::{Goal, Phase},
    project::{Edge, Project},
};

/// How a service stands towards what was asked of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It is so.
    Done,
    /// It will not become so by itself.
    Failed,
    /// Not yet.
    Pending,
}

impl Project {
    /// Whether this one is ready (a oneshot: completed), or cannot become so by itself: it failed, it ended and its policy
    /// leaves it so, somebody stopped it, or it waits for one of which that is true.
    pub fn standing_up(&self, id: &ServiceId) -> Standing {
        match self.index.get(id) {
            None => Standing::Failed,
            Some(key) => self.standing_of(*key, &mut BTreeMap::new()),
        }
    }

    /// Whether this one is not running, and not wanted.
    pub fn standing_down(&self, id: &ServiceId) -> Standing {
        let Some(node) = self.node(id) else { return Standing::Done };
        match (node.service.phase().live(), node.service.goal()) {
            (None, Goal::Down) => Standing::Done,
            (_, Goal::Up) => Standing::Failed,
            (Some(_), Goal::Down) => Standing::Pending,
        }
    }

    /// What can be said of this one. A reason that points at others is filled in with how they are.
    pub fn status(&self, id: &ServiceId) -> Option<Status> {
        let node = self.node(id)?;
        let service = &node.service;
        Some(Status {
            id: node.id.clone(),
            kind: service.spec().kind,
            wanted: service.goal() == Goal::Up,
            phase: service.phase().name(),
            ready: service.is_ready(),
            pid: service.phase().pid(),
            run: service.run(),
            restarts: service.restarts(),
            exit: service.exit(),
            reason: self.full_reason(id)?,
            since: service.since(),
            next: service.wake_at().filter(|at| *at != Moment::NEVER),
        })
    }

    /// `known` keeps this linear in the edges, whatever the shape of the graph.
    fn standing_of(&self, key: usize, known: &mut BTreeMap<usize, Standing>) -> Standing {
        if let Some(standing) = known.get(&key) {
            return *standing;
        }
        let Some(node) = self.nodes.get(&key) else { return Standing::Failed };
        let service = &node.service;
        let standing = match service.phase() {
            Phase::Running { .. } | Phase::Completed if service.is_ready() => Standing::Done,
            Phase::Failed | Phase::Stopped => Standing::Failed,
            _ if service.goal() == Goal::Down => Standing::Failed,
            Phase::WaitingForDependency => self.standing_of_needs(&node.needs, known),
            Phase::Running { .. }
            | Phase::Completed
            | Phase::Starting(_)
            | Phase::Stopping { .. }
            | Phase::WaitingForBackoff { .. } => Standing::Pending,
        };
        known.insert(key, standing);
        standing
    }

    fn standing_of_needs(&self, needs: &[Edge], known: &mut BTreeMap<usize, Standing>) -> Standing {
        let hopeless = needs.iter().any(|edge| {
            let Some(need) = self.nodes.get(&edge.to) else { return true };
            !need.service.meets(edge.until) && self.standing_of(edge.to, known) == Standing::Failed
        });
        if hopeless { Standing::Failed } else { Standing::Pending }
    }

    /// The chain is as long as the graph is deep, and the graph has no circle.
    fn full_reason(&self, id: &ServiceId) -> Option<Reason> {
        let node = self.node(id)?;
        let reason = match node.service.reason() {
            Reason::Dependency { on, until, .. } => {
                let because = match self.node(on).map(|node| node.service.phase().name()) {
                    None | Some(PhaseName::Running) => None,
                    Some(_) => self.full_reason(on).map(Box::new),
                };
                Reason::Dependency { on: on.clone(), until: *until, because }
            }
            Reason::Needed { .. } => {
                let live = |key: &usize| {
                    let dependent = self.nodes.get(key)?;
                    dependent.service.phase().live().map(|_| dependent.id.clone())
                };
                Reason::Needed { by: node.needed_by.iter().filter_map(live).collect() }
            }
            other => other.clone(),
        };
        Some(reason)
    }
}
