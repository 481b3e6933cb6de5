//! Hands every input to the project and every action to the execution.

use std::collections::BTreeSet;

use mainstay_decide::{Action, AskedRestart, Change, Event, Found, GraphError, Outcome, Project};
use mainstay_model::{Moment, Reason, ServiceId, Spec};

use crate::{Execution, Spawn};

/// A project and the hands that carry out its decisions.
#[derive(Debug)]
pub struct Runner<E> {
    project: Project,
    execution: E,
}

impl<E: Execution> Runner<E> {
    /// A project without services.
    pub fn new(execution: E) -> Self {
        Self { project: Project::default(), execution }
    }

    /// A project as it is remembered and seen; see [`Project::recall`].
    ///
    /// # Errors
    /// When the descriptions cannot be ordered.
    pub fn recall(
        now: Moment,
        mut execution: E,
        specs: Vec<Spec>,
        wanted: &BTreeSet<ServiceId>,
        seen: impl FnMut(&ServiceId) -> Found,
    ) -> Result<(Self, Vec<Change>), GraphError> {
        let (project, outcome) = Project::recall(now, specs, wanted, seen)?;
        let changes = carry_out(&project, &mut execution, outcome);
        Ok((Self { project, execution }, changes))
    }

    /// See [`Project::apply`].
    ///
    /// # Errors
    /// When the descriptions cannot be ordered.
    pub fn apply(&mut self, now: Moment, specs: Vec<Spec>) -> Result<Vec<Change>, GraphError> {
        let outcome = self.project.apply(now, specs)?;
        Ok(self.carry_out(outcome))
    }

    /// See [`Project::want`].
    pub fn want(&mut self, now: Moment, ids: &[ServiceId]) -> Vec<Change> {
        let outcome = self.project.want(now, ids);
        self.carry_out(outcome)
    }

    /// See [`Project::start`].
    pub fn start(&mut self, now: Moment, ids: &[ServiceId]) -> Vec<Change> {
        let outcome = self.project.start(now, ids);
        self.carry_out(outcome)
    }

    /// See [`Project::stop`].
    pub fn stop(&mut self, now: Moment, ids: &[ServiceId]) -> Vec<Change> {
        let outcome = self.project.stop(now, ids);
        self.carry_out(outcome)
    }

    /// See [`Project::restart`].
    pub fn restart(&mut self, now: Moment, ids: &[ServiceId]) -> Vec<Change> {
        let outcome = self.project.restart(now, ids);
        self.carry_out(outcome)
    }

    /// See [`Project::kill`].
    pub fn kill(&mut self, now: Moment, ids: &[ServiceId]) -> Vec<Change> {
        let outcome = self.project.kill(now, ids);
        self.carry_out(outcome)
    }

    /// See [`Project::roll`].
    pub fn roll(&mut self, now: Moment, ids: &[ServiceId]) -> Vec<Change> {
        let outcome = self.project.roll(now, ids);
        self.carry_out(outcome)
    }

    /// See [`Project::resume_restarts`].
    pub fn resume_restarts(&mut self, now: Moment, asked: &[AskedRestart]) -> Vec<Change> {
        let outcome = self.project.resume_restarts(now, asked);
        self.carry_out(outcome)
    }

    /// See [`Project::restart_because`].
    pub fn restart_because(&mut self, now: Moment, ids: &[ServiceId], cause: &Reason) -> Vec<Change> {
        let outcome = self.project.restart_because(now, ids, cause);
        self.carry_out(outcome)
    }

    /// See [`Project::pause`].
    pub fn pause(&mut self, now: Moment, ids: &[ServiceId]) -> Vec<Change> {
        let outcome = self.project.pause(now, ids);
        self.carry_out(outcome)
    }

    /// See [`Project::resume`].
    pub fn resume(&mut self, now: Moment, ids: &[ServiceId]) -> Vec<Change> {
        let outcome = self.project.resume(now, ids);
        self.carry_out(outcome)
    }

    /// See [`Project::reload`].
    pub fn reload(&mut self, now: Moment, ids: &[ServiceId]) -> Vec<Change> {
        let outcome = self.project.reload(now, ids);
        self.carry_out(outcome)
    }

    /// See [`Project::reset`].
    pub fn reset(&mut self, now: Moment, ids: &[ServiceId]) -> Vec<Change> {
        let outcome = self.project.reset(now, ids);
        self.carry_out(outcome)
    }

    /// See [`Project::event`].
    pub fn event(&mut self, now: Moment, id: &ServiceId, event: Event) -> Vec<Change> {
        let outcome = self.project.event(now, id, event);
        self.carry_out(outcome)
    }

    /// See [`Project::tick`].
    pub fn tick(&mut self, now: Moment) -> Vec<Change> {
        let outcome = self.project.tick(now);
        self.carry_out(outcome)
    }

    /// See [`Project::was_absent`].
    pub fn was_absent(&mut self, now: Moment) -> Vec<Change> {
        let outcome = self.project.was_absent(now);
        self.carry_out(outcome)
    }

    /// The decisions.
    pub fn project(&self) -> &Project {
        &self.project
    }

    /// The hands.
    pub fn execution(&mut self) -> &mut E {
        &mut self.execution
    }

    fn carry_out(&mut self, outcome: Outcome) -> Vec<Change> {
        carry_out(&self.project, &mut self.execution, outcome)
    }
}

fn carry_out<E: Execution>(project: &Project, execution: &mut E, outcome: Outcome) -> Vec<Change> {
    for (id, action) in outcome.actions {
        let service = project.service(&id);
        match (action, service) {
            (Action::Spawn { run, attempt }, Some(service)) => {
                let (spec, memory) = (service.spec(), service.memory());
                execution.spawn(Spawn { id: &id, run, attempt, spec, memory });
            }
            (Action::Signal { run, signal }, _) => execution.signal(&id, run, signal),
            (Action::SignalMain { run, signal }, _) => execution.signal_main(&id, run, signal),
            (Action::Kill { run }, _) => execution.kill(&id, run),
            (Action::Pause { run }, _) => execution.pause(&id, run),
            (Action::Resume { run }, _) => execution.resume(&id, run),
            (Action::Ask { run, check, question }, Some(service)) => {
                execution.ask(&id, run, check, question, service.spec());
            }
            (Action::RunHook { run, hook }, Some(service)) => {
                execution.run_hook(&id, run, hook, service.spec());
            }
            (Action::KillHook { run, hook }, _) => execution.kill_hook(&id, run, hook),
            (Action::Remember { run }, Some(service)) => execution.remember(&id, run, service.memory()),
            // It is being forgotten.
            (Action::Remember { .. }, None) => {}
            (Action::Acknowledge { run }, service) => {
                execution.acknowledge(&id, run, service.map(mainstay_decide::Service::memory));
            }
            (Action::Spawn { .. } | Action::Ask { .. } | Action::RunHook { .. }, None) => {
                debug_assert!(false, "{id} is gone and asks for something");
            }
        }
    }
    for id in &outcome.removed {
        execution.forget(id);
    }
    outcome.changes
}
