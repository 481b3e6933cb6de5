//! What a sentence needs to know of a service and of those that it waits for, taken from the project.

use mainstay_model::{Condition, Moment, Reason, ServiceId};

use super::Situation;
use crate::{
    phase::{Doing, Goal, Phase, Stage, Start, StartGate, Step, Then},
    project::Project,
    service::Service,
};

/// The most services of a chain that are told.
const CHAIN_LIMIT: usize = 8;

impl Project {
    /// This service, and what it waits for, one after the other, down to the one that waits for none. Of a long chain, the middle
    /// is left out. Empty when there is no such service.
    pub fn situations(&self, id: &ServiceId) -> Vec<Situation> {
        let mut chain: Vec<(ServiceId, Option<Condition>)> = vec![(id.clone(), None)];
        let mut left_out = 0;
        while let Some((last, _)) = chain.last()
            && let Some((on, until)) = self.service(last).and_then(waits_for)
        {
            if chain.len() == CHAIN_LIMIT {
                chain.pop();
                left_out += 1;
            }
            chain.push((on, Some(until)));
        }
        let mut situations: Vec<Situation> =
            chain.iter().filter_map(|(id, awaited)| self.situation(id, *awaited)).collect();
        if let Some(root) = situations.last_mut() {
            root.left_out = left_out;
        }
        situations
    }

    fn situation(&self, id: &ServiceId, awaited: Option<Condition>) -> Option<Situation> {
        let node = self.node(id)?;
        let service = &node.service;
        let mut status = self.status(id)?;
        let aside = match status.reason {
            Reason::Besides { aside, .. } => Some(aside),
            _ => None,
        };
        status.reason = self.own_reason(node);
        let restart = &service.spec().restart;
        // What it needs is asked for only where a stop of that would have taken it along.
        let needs = match service.goal() {
            Goal::Up => Vec::new(),
            Goal::Down => self.with_dependencies(std::slice::from_ref(id)),
        };
        Some(Situation {
            status,
            awaited,
            left_out: 0,
            deadline: deadline(service).filter(|at| *at != Moment::NEVER),
            stop: match service.phase() {
                Phase::Stopping { cause, then, .. } => Some((cause.clone(), *then == Then::Again)),
                _ => None,
            },
            behind: self.rolls_behind(id).cloned(),
            attempt: service.attempts(),
            attempts: restart.attempts,
            policy: restart.when,
            reset_after: restart.reset_after,
            needs: needs.into_iter().filter(|need| need != id).collect(),
            aside,
            log: None,
            dropped_bytes: 0,
        })
    }
}

fn waits_for(service: &Service) -> Option<(ServiceId, Condition)> {
    match (service.phase(), service.start_gate()) {
        (Phase::WaitingForDependency, StartGate::Closed { on, until }) => Some((on.clone(), *until)),
        _ => None,
    }
}

fn deadline(service: &Service) -> Option<Moment> {
    match service.phase() {
        Phase::Starting(Start { step, .. }) => match step {
            Step::Before { until } | Step::After { until, .. } => Some(*until),
            Step::Asking { deadline, .. } => Some(*deadline),
            Step::Spawning => None,
        },
        Phase::Stopping { stage, .. } => match stage {
            Stage::Preparing { until } | Stage::Cleaning { until, .. } => Some(*until),
            Stage::Asked { kill_at } => Some(*kill_at),
            Stage::Killed | Stage::Unmade => None,
        },
        Phase::Running { vitals, .. } => match vitals.doing {
            Doing::ReloadHook { until } => Some(until),
            Doing::Work | Doing::Reloading | Doing::Ending => None,
        },
        Phase::WaitingForBackoff { until } => Some(*until),
        Phase::Stopped
        | Phase::WaitingForDependency
        | Phase::Paused { .. }
        | Phase::Completed
        | Phase::Failed => None,
    }
}
