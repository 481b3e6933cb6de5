//! Restarts of instances one after the other: the next one follows when the one before is ready. A layer above the
//! single service, which only feeds it [`Event::Restart`].

use std::collections::{BTreeMap, VecDeque};

use mainstay_model::{Moment, Reason, RunId, ServiceId, ServiceName};

use crate::{
    phase::Event,
    project::{Outcome, Project},
    settle::Standing,
};

/// The restarts of one service's instances that are still to come.
#[derive(Clone, Debug)]
pub(crate) struct Rolling {
    /// Which is under way, and the run that it had before.
    current: Option<(ServiceId, RunId)>,
    rest: VecDeque<ServiceId>,
    cause: Reason,
}

pub(crate) type Rollings = BTreeMap<ServiceName, Rolling>;

impl Project {
    /// Ends and starts these, the instances of each service one after the other. When one does not become ready, those that
    /// follow it are left as they are.
    pub fn roll(&mut self, now: Moment, ids: &[ServiceId]) -> Outcome {
        let mut outcome = Outcome::default();
        self.begin_rolling(ids, &Reason::RestartRequested);
        self.advance_rollings(now, &mut outcome);
        outcome
    }

    /// Whether this one's restart is still to come.
    pub fn is_rolling(&self, id: &ServiceId) -> bool {
        self.rollings.get(&id.name).is_some_and(|rolling| {
            rolling.rest.contains(id) || rolling.current.as_ref().is_some_and(|(current, _)| current == id)
        })
    }

    /// A later request for the same instance takes the place of an earlier one.
    pub(crate) fn begin_rolling(&mut self, ids: &[ServiceId], cause: &Reason) {
        for id in ids {
            let rolling = self.rollings.entry(id.name.clone()).or_insert_with(|| Rolling {
                current: None,
                rest: VecDeque::new(),
                cause: cause.clone(),
            });
            if !rolling.rest.contains(id) {
                rolling.rest.push_back(id.clone());
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
        let rolling = self.rollings.get_mut(name)?;
        let next = match standing {
            Some(Standing::Pending) => return None,
            Some(Standing::Failed) => None,
            Some(Standing::Done) | None => rolling.rest.pop_front(),
        };
        let Some(id) = next else {
            self.rollings.remove(name);
            return None;
        };
        let cause = rolling.cause.clone();
        let run = self.index.get(&id).and_then(|key| self.nodes.get(key)).map(|node| node.service.run());
        let rolling = self.rollings.get_mut(name)?;
        rolling.current = Some((id.clone(), run.unwrap_or_default()));
        Some((id, cause))
    }

    fn rolled(&self, id: &ServiceId, before: RunId) -> Standing {
        let Some(node) = self.node(id) else { return Standing::Done };
        match self.standing_up(id) {
            Standing::Done if node.service.run() > before => Standing::Done,
            Standing::Done | Standing::Pending => Standing::Pending,
            // Stopped meanwhile by somebody: it is not this one that holds up the others.
            Standing::Failed if node.service.goal() == crate::Goal::Down => Standing::Done,
            Standing::Failed => Standing::Failed,
        }
    }
}
