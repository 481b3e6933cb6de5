//! What a storm notes of what it has seen. Looks only; judges nothing.

use mainstay_decide::{Doing, Event, Goal, Notice, Phase, Stage, Step, Then, Vitals};
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
            (Event::Notified { .. }, false) => "stale word",
            (Event::Notified { notice, .. }, true) => match notice {
                Notice::Ready => "says ready",
                Notice::Reloading => "says reloading",
                Notice::Stopping => "says stopping",
                Notice::Said(_) => "says words",
                Notice::Feels(_) => "says: how it feels",
                Notice::Extend(_) => "says: longer",
                Notice::MainPid(_) => "says: main process",
                Notice::Alive => "says: alive",
                Notice::Trigger => "says: trigger",
                Notice::Watchdog(_) => "says: watchdog",
            },
            (Event::HookEnded { .. }, false) => "stale hook ended",
            (Event::HookEnded { result, hook, .. }, true) => {
                let how = if result.is_ok() { "ended well" } else { "failed" };
                return self.coverage.see("event", &format!("{hook} {how}"));
            }
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
                Next::Barred | Next::Ended => "barred",
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
                (Step::Before { .. }, Goal::Up) => "before_start",
                (Step::After { .. }, Goal::Up) => "after_start",
                (Step::Asking { next: None, .. }, Goal::Up) => "asking",
                (Step::Asking { next: Some(_), .. }, Goal::Up) => "pausing",
            },
            Phase::Running { .. } if goal == Goal::Down => "held",
            Phase::Running { vitals, .. } => running(vitals),
            Phase::Paused { .. } if goal == Goal::Down => "paused, held",
            Phase::Paused { .. } => "paused",
            Phase::Stopping { stage, then, .. } => stopping(stage, then),
            Phase::Completed => "completed",
            Phase::Failed => "failed",
        };
        debug_assert!(pauses || what != "asking", "{id} is asked without an end");
        self.coverage.see("phase", what);
        self.coverage.see("reason", &code);
    }
}

fn running(vitals: &Vitals) -> &'static str {
    match (vitals.doing, vitals.failures, vitals.was_well) {
        (Doing::Reloading, ..) => "reloading",
        (Doing::ReloadHook { .. }, ..) => "reload hook",
        (Doing::Ending, ..) => "ending itself",
        (Doing::Work, 1.., _) => "failing",
        (Doing::Work, 0, true) => "well",
        (Doing::Work, 0, false) => "running",
    }
}

fn stopping(stage: &Stage, then: &Then) -> &'static str {
    match (stage, then) {
        (Stage::Preparing { .. }, _) => "before_stop",
        (Stage::Killed, _) => "killed",
        (Stage::Unmade, _) => "unmade",
        (Stage::Cleaning { .. }, Then::Stay) => "after_stop",
        (Stage::Cleaning { .. }, Then::Again) => "after_stop, then again",
        (Stage::Cleaning { .. }, Then::Fail) => "after_stop, then failed",
        (Stage::Cleaning { .. }, Then::End) => "after_stop of its own end",
        (Stage::Asked { .. }, Then::Stay) => "stopping",
        (Stage::Asked { .. }, Then::Again) => "stopping, then again",
        (Stage::Asked { .. }, Then::Fail | Then::End) => "stopping, then failed",
    }
}
