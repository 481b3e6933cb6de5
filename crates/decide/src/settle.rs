//! How a service stands towards what was asked of it, and the whole reason why.

use std::{collections::BTreeMap, time::Duration};

use mainstay_model::{Kind, Moment, PhaseName, Reason, ServiceId, Status};

use crate::{
    phase::{Goal, Phase},
    project::{Edge, Node, Project},
};

/// How long one that runs and has no readiness check must go on running before whoever waits for it is told that it is there: a
/// program that cannot work mostly ends within this time. What depends on it does not wait so long.
pub const SETTLING: Duration = Duration::from_millis(300);

/// The most links of a chain of services that wait for each other that are told.
const CHAIN_LIMIT: usize = 8;

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

/// What can be waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Awaited {
    /// It is ready; a oneshot without a check: it completed.
    Ready,
    /// It is ready and well.
    Healthy,
    /// It ended well.
    Completed,
    /// It does not run, and is not wanted.
    Stopped,
    /// It is frozen.
    Paused,
    /// Its reload is over.
    Reloaded,
}

/// What is so already, and is not what is waited for.
fn as_pending(standing: Standing) -> Standing {
    match standing {
        Standing::Done | Standing::Pending => Standing::Pending,
        Standing::Failed => Standing::Failed,
    }
}

impl Project {
    /// Whether this is so of this one, or cannot become so by itself.
    pub fn standing(&self, id: &ServiceId, awaited: Awaited) -> Standing {
        let Some(service) = self.service(id) else {
            return if awaited == Awaited::Stopped { Standing::Done } else { Standing::Failed };
        };
        match awaited {
            Awaited::Ready if self.is_rolling(id) => match self.standing_up(id) {
                Standing::Done => Standing::Pending,
                standing => standing,
            },
            Awaited::Ready => self.standing_up(id),
            Awaited::Healthy if service.is_healthy() => Standing::Done,
            Awaited::Healthy => as_pending(self.standing_up(id)),
            Awaited::Completed if service.is_completed() => Standing::Done,
            Awaited::Completed if service.spec().kind == Kind::Permanent => Standing::Failed,
            Awaited::Completed => as_pending(self.standing_up(id)),
            Awaited::Stopped => match (service.phase().live(), service.goal()) {
                (None, _) => Standing::Done,
                (Some(_), Goal::Down) => Standing::Pending,
                (Some(_), Goal::Up) => Standing::Failed,
            },
            Awaited::Paused => match service.phase() {
                Phase::Paused { .. } => Standing::Done,
                _ => Standing::Failed,
            },
            Awaited::Reloaded => match (service.phase(), service.reload()) {
                (_, (true, _)) => Standing::Pending,
                (Phase::Running { .. }, (false, Some(Ok(())) | None)) => Standing::Done,
                (_, (false, _)) => Standing::Failed,
            },
        }
    }

    /// When one that is ready because it runs, and nothing else is known of it, will have run for [`SETTLING`].
    pub fn settles_at(&self, id: &ServiceId) -> Option<Moment> {
        let service = self.service(id)?;
        let Phase::Running { vitals, .. } = service.phase() else { return None };
        let is_checked = service.spec().ready.is_some() || vitals.was_well;
        let counts = service.spec().kind == Kind::Permanent && !is_checked;
        counts.then(|| service.since() + SETTLING)
    }

    /// Whether this one is ready (a oneshot: completed), or cannot become so by itself: it failed, it ended and its policy
    /// leaves it so, somebody stopped it, or it waits for one of which that is true.
    pub fn standing_up(&self, id: &ServiceId) -> Standing {
        match self.index.get(id) {
            None => Standing::Failed,
            Some(key) => self.standing_in_order(*key),
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
            health: service.health(),
            ready: service.is_ready(),
            said: service.said().map(str::to_owned),
            pid: service.phase().pid(),
            run: service.run(),
            restarts: service.restarts(),
            exit: service.exit(),
            reason: match service.phase().live() {
                None => service.beside_slips(service.run(), self.full_reason(id)?),
                Some(_) => self.full_reason(id)?,
            },
            since: service.since(),
            next: service.wake_at().filter(|at| *at != Moment::NEVER),
        })
    }

    fn standing_in_order(&self, key: usize) -> Standing {
        let waits = |node: &Node| *node.service.phase() == Phase::WaitingForDependency;
        let next = |node: &Node| match waits(node) {
            true => self.unmet(node).map(|edge| edge.to).collect(),
            false => Vec::new(),
        };
        let mut known = BTreeMap::new();
        for key in self.closure([key], next) {
            if let Some(node) = self.nodes.get(&key) {
                known.insert(key, self.standing_of(node, &known));
            }
        }
        known.get(&key).copied().unwrap_or(Standing::Failed)
    }

    /// `known` holds the standing of what it needs: whoever asks goes through the graph in order.
    fn standing_of(&self, node: &Node, known: &BTreeMap<usize, Standing>) -> Standing {
        let service = &node.service;
        match service.phase() {
            Phase::Running { .. } | Phase::Completed if service.is_ready() => Standing::Done,
            Phase::Failed | Phase::Stopped | Phase::Paused { .. } => Standing::Failed,
            _ if service.goal() == Goal::Down => Standing::Failed,
            Phase::WaitingForDependency => {
                let hopeless =
                    self.unmet(node).any(|edge| known.get(&edge.to).copied() == Some(Standing::Failed));
                if hopeless { Standing::Failed } else { Standing::Pending }
            }
            Phase::Running { .. }
            | Phase::Completed
            | Phase::Starting(_)
            | Phase::Stopping { .. }
            | Phase::WaitingForBackoff { .. } => Standing::Pending,
        }
    }

    fn unmet<'a>(&'a self, node: &'a Node) -> impl Iterator<Item = &'a Edge> {
        let met = |edge: &&Edge| self.nodes.get(&edge.to).is_none_or(|on| on.service.meets(edge.until));
        node.needs.iter().filter(move |edge| !met(edge))
    }

    /// The reason of what others wait for comes with it, link by link. The graph has no circle, but may be deep: of a long
    /// chain, the middle is left out.
    fn full_reason(&self, id: &ServiceId) -> Option<Reason> {
        let mut links = Vec::new();
        let mut node = self.node(id)?;
        let root = loop {
            let Reason::Dependency { on, until, .. } = node.service.reason() else {
                let tells = |reason: &Reason| matches!(reason, Reason::Failing { .. });
                let tells = links.is_empty()
                    || node.service.phase().name() != PhaseName::Running
                    || tells(node.service.reason());
                break tells.then(|| self.own_reason(node));
            };
            if links.len() == CHAIN_LIMIT {
                links.pop();
            }
            links.push((on, *until));
            match self.node(on) {
                Some(next) => node = next,
                None => break None,
            }
        };
        links.into_iter().rev().fold(root, |because, (on, until)| {
            Some(Reason::Dependency { on: on.clone(), until, because: because.map(Box::new) })
        })
    }

    pub(crate) fn own_reason(&self, node: &Node) -> Reason {
        match node.service.reason() {
            Reason::Needed { .. } => {
                let live = |key: &usize| {
                    let dependent = self.nodes.get(key)?;
                    dependent.service.phase().live().map(|_| dependent.id.clone())
                };
                Reason::Needed { by: node.needed_by.iter().filter_map(live).collect() }
            }
            other => other.clone(),
        }
    }
}
