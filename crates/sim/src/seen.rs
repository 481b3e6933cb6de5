//! What a storm notes of what it has seen. Looks only; judges nothing.

use mainstay_decide::{Event, Goal, Phase, Step, Then};
use mainstay_model::ServiceId;

use crate::{
    hands::{Act, Command},
    policy::Next,
    storm::Storm,
};

impl Storm {
    pub(crate) fn see_event(&mut self, id: &ServiceId, event: &Event, news: bool) {
        if !self.book.records.contains_key(id) {
            self.coverage.see("event", "of a removed service");
        }
        let what = match (event, news) {
            (Event::Spawned { .. }, true) => "spawned",
            (Event::Spawned { .. }, false) => "stale spawned",
            (Event::NotSpawned { .. }, true) => "not spawned",
            (Event::NotSpawned { .. }, false) => "stale not spawned",
            (Event::Exited { .. }, true) => "exited",
            (Event::Exited { .. }, false) => "stale exited",
            (Event::Answered { answer: Ok(()), .. }, true) => "answered yes",
            (Event::Answered { answer: Err(_), .. }, true) => "answered no",
            (Event::Answered { .. }, false) => "stale answered",
            _ => "another",
        };
        self.coverage.see("event", what);
    }

    /// What the books expected of a spawn.
    pub(crate) fn see_next(&mut self, command: &Command) {
        let record = self.book.records.get(&command.id);
        if let (Act::Spawn { .. }, Some(record)) = (&command.act, record) {
            let what = match record.next {
                Next::Fresh => "fresh",
                Next::Restart { or_fresh: false, .. } => "restart",
                Next::Restart { or_fresh: true, .. } => "restart or fresh",
                Next::Barred => "barred",
                Next::Any => "any",
            };
            self.coverage.see("next", what);
        }
    }

    pub(crate) fn see_state(&mut self, id: &ServiceId) {
        let Some(service) = self.runner.project().service(id) else { return };
        let code = service.reason().code().to_owned();
        let goal = service.goal();
        let pauses = service.wake_at().is_some();
        let what = match service.phase() {
            Phase::Stopped => "stopped",
            Phase::WaitingForDependency => "waiting for a dependency",
            Phase::WaitingForBackoff { .. } => "waiting for a backoff",
            Phase::Starting(start) => match (&start.step, goal) {
                (_, Goal::Down) => "held",
                (Step::Spawning, Goal::Up) => "spawning",
                (Step::Asking { next: None, .. }, Goal::Up) => "asking",
                (Step::Asking { next: Some(_), .. }, Goal::Up) => "pausing",
            },
            Phase::Running { .. } if goal == Goal::Down => "held",
            Phase::Running { .. } => "running",
            Phase::Stopping { kill_at: None, .. } => "killed",
            Phase::Stopping { then: Then::Stay, .. } => "stopping",
            Phase::Stopping { then: Then::Again, .. } => "stopping, then again",
            Phase::Stopping { then: Then::Fail, .. } => "stopping, then failed",
            Phase::Completed => "completed",
            Phase::Failed => "failed",
        };
        debug_assert!(pauses || what != "asking", "{id} is asked without an end");
        self.coverage.see("phase", what);
        self.coverage.see("reason", &code);
    }
}
