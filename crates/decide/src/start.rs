//! The way of a start: from the start gate over the process and its check to ready. Knows nothing of ends.

use std::time::Duration;

use mainstay_model::{Moment, ReadyCheck, ReadyPolicy, Reason, RunId};

use crate::{
    phase::{Action, Goal, Phase, QuestionId, Start, StartGate, Step, Then},
    service::Service,
};

/// The pause after the first refused asking; it doubles up to the check's interval.
const FIRST_PAUSE: Duration = Duration::from_millis(10);

impl Service {
    pub(crate) fn on_spawned(&mut self, now: Moment, run: RunId, pid: u32, actions: &mut Vec<Action>) {
        match &mut self.phase {
            Phase::Starting(start) if start.run == run && start.step == Step::Spawning => {
                self.begin_asking(now, run, pid, actions);
            }
            Phase::Stopping { run: of, pid: known, .. } if *of == run => *known = Some(pid),
            Phase::Starting(_)
            | Phase::Stopping { .. }
            | Phase::Stopped
            | Phase::WaitingForDependency
            | Phase::WaitingForBackoff { .. }
            | Phase::Running { .. }
            | Phase::Completed
            | Phase::Failed => {}
        }
    }

    /// Only the answer to the latest question counts: one that was under way when the check was described otherwise is an
    /// answer to something else.
    pub(crate) fn on_answered(&mut self, now: Moment, of: RunId, to: QuestionId, answer: Result<(), String>) {
        let Some(policy) = self.spec.ready.clone() else { return };
        let Phase::Starting(Start { run, step: Step::Asking { pid, next, refusals, since, .. } }) =
            &mut self.phase
        else {
            return;
        };
        if *run != of || self.question != to || next.is_some() {
            return;
        }
        match answer {
            Ok(()) => {
                self.phase = Phase::Running { run: *run, pid: *pid };
                if self.goal == Goal::Up {
                    self.reason = self.running_reason();
                }
            }
            Err(text) => {
                let pause = FIRST_PAUSE.saturating_mul(1 << (*refusals).min(10)).min(policy.interval);
                *next = Some(now + pause);
                *refusals = refusals.saturating_add(1);
                if self.goal == Goal::Up {
                    let check = policy.check.to_string();
                    self.reason = Reason::NotReady { check, answer: Some(text), since: *since };
                }
            }
        }
    }

    /// A check that is only time succeeds at its deadline; any other has failed.
    pub(crate) fn ready_deadline(&mut self, now: Moment, run: RunId, pid: u32, actions: &mut Vec<Action>) {
        let Some(ReadyPolicy { check, timeout, .. }) = self.spec.ready.clone() else { return };
        if matches!(check, ReadyCheck::After(_)) {
            self.phase = Phase::Running { run, pid };
            if self.goal == Goal::Up {
                self.reason = self.running_reason();
            }
            return;
        }
        let answer = match &self.reason {
            Reason::NotReady { answer, .. } => answer.clone(),
            _ => None,
        };
        let cause = Reason::ReadyTimeout { check: check.to_string(), answer, after: timeout };
        let then = match self.goal {
            Goal::Up => Then::Fail,
            Goal::Down => Then::Stay,
        };
        self.begin_stop(now, cause, then, actions);
    }

    /// A start that begins a new row of attempts.
    pub(crate) fn start_afresh(&mut self, actions: &mut Vec<Action>) {
        self.attempts = 0;
        self.start(actions);
    }

    pub(crate) fn start(&mut self, actions: &mut Vec<Action>) {
        self.pass_start_gate(actions);
        // What was remembered at the end of the latest run says nothing of this start.
        if self.phase == Phase::WaitingForDependency && self.run > RunId::default() {
            actions.push(Action::Remember { run: self.run });
        }
    }

    /// Goes through the start gate, or waits before it.
    pub(crate) fn pass_start_gate(&mut self, actions: &mut Vec<Action>) {
        match &self.start_gate {
            StartGate::Open => {
                self.run = self.run.max(self.removed_run).next();
                self.outdated = false;
                self.phase = Phase::Starting(Start { run: self.run, step: Step::Spawning });
                self.reason = Reason::Spawning { attempt: self.attempts };
                actions.push(Action::Spawn { run: self.run, attempt: self.attempts });
            }
            StartGate::Closed { on, until } => {
                self.reason = Reason::Dependency { on: on.clone(), until: *until, because: None };
                self.phase = Phase::WaitingForDependency;
            }
        }
    }

    pub(crate) fn begin_asking(&mut self, now: Moment, run: RunId, pid: u32, actions: &mut Vec<Action>) {
        let Some(policy) = &self.spec.ready else {
            self.phase = Phase::Running { run, pid };
            if self.goal == Goal::Up {
                self.reason = Reason::Running;
            }
            return;
        };
        let (wait, next) = match policy.check {
            ReadyCheck::After(span) => (span, Some(Moment::NEVER)),
            ReadyCheck::Tcp(_) | ReadyCheck::Exec(_) => {
                let timeout = policy.timeout;
                self.ask(run, actions);
                (timeout, None)
            }
        };
        let step = Step::Asking { pid, since: now, deadline: now + wait, next, refusals: 0 };
        let start = Start { run, step };
        if self.goal == Goal::Up {
            self.reason = self.starting_reason(&start);
        }
        self.phase = Phase::Starting(start);
    }

    /// Asks the check once more.
    pub(crate) fn ask(&mut self, run: RunId, actions: &mut Vec<Action>) {
        self.question = QuestionId(self.question.0 + 1);
        actions.push(Action::Ask { run, question: self.question });
    }

    pub(crate) fn running_reason(&self) -> Reason {
        match &self.spec.ready {
            None => Reason::Running,
            Some(policy) => Reason::Ready { check: policy.check.to_string() },
        }
    }

    pub(crate) fn starting_reason(&self, start: &Start) -> Reason {
        match (&start.step, &self.spec.ready) {
            (Step::Asking { since, .. }, Some(policy)) => {
                Reason::NotReady { check: policy.check.to_string(), answer: None, since: *since }
            }
            (Step::Spawning, _) | (Step::Asking { .. }, None) => Reason::Spawning { attempt: self.attempts },
        }
    }
}
