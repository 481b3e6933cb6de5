//! The way of a start: from the start gate over the process and its check to ready. Knows nothing of ends.

use std::time::Duration;

use mainstay_model::{HookName, Moment, ReadyCheck, ReadyPolicy, Reason, RunId};

use crate::{
    phase::{Action, Check, Goal, Phase, QuestionId, Stage, Start, StartGate, Step, Then, Vitals},
    service::Service,
};

/// The pause after the first refused asking; it doubles up to the check's interval.
const FIRST_PAUSE: Duration = Duration::from_millis(10);

/// Whether it asks nobody.
pub(crate) fn is_only_time(check: &ReadyCheck) -> bool {
    matches!(check, ReadyCheck::After(_))
}

impl Service {
    pub(crate) fn on_spawned(&mut self, now: Moment, run: RunId, pid: u32, actions: &mut Vec<Action>) {
        match &mut self.phase {
            Phase::Starting(start) if start.run == run && start.step == Step::Spawning => {
                self.begin_asking(now, run, pid, actions);
            }
            Phase::Stopping { run: of, pid: known, stage, .. }
                if *of == run && !matches!(stage, Stage::Cleaning { .. }) =>
            {
                known.get_or_insert(pid);
            }
            Phase::Starting(_)
            | Phase::Stopping { .. }
            | Phase::Stopped
            | Phase::WaitingForDependency
            | Phase::WaitingForBackoff { .. }
            | Phase::Running { .. }
            | Phase::Paused { .. }
            | Phase::Completed
            | Phase::Failed => {}
        }
    }

    pub(crate) fn on_answered(
        &mut self,
        now: Moment,
        of: RunId,
        question: QuestionId,
        answer: Result<(), String>,
        actions: &mut Vec<Action>,
    ) {
        if self.phase.live() != Some(of) || question != self.question {
            return;
        }
        match &self.phase {
            Phase::Starting(Start { run, step: Step::Asking { pid, next: None, .. } }) => {
                let (run, pid) = (*run, *pid);
                match answer {
                    Ok(()) => self.become_ready(now, run, pid, actions),
                    Err(text) => self.on_refused(now, text),
                }
            }
            Phase::Running { vitals: Vitals { next: None, .. }, .. } => {
                self.on_health_answer(now, answer, actions);
            }
            _ => {}
        }
    }

    /// Nothing was learnt: it is asked again, and what was so still is.
    pub(crate) fn on_unasked(&mut self, now: Moment, of: RunId, question: QuestionId, why: String) {
        let is_latest = self.phase.live() == Some(of) && question == self.question;
        match &mut self.phase {
            _ if !is_latest => {}
            Phase::Starting(Start { step: Step::Asking { next: None, .. }, .. }) => self.on_refused(now, why),
            Phase::Running { vitals: vitals @ Vitals { next: None, .. }, .. } => {
                let Some(policy) = &self.spec.health else { return };
                vitals.next = Some(now + policy.interval);
                vitals.complaint = Some(why);
                self.tell_running();
            }
            _ => {}
        }
    }

    fn on_refused(&mut self, now: Moment, text: String) {
        let Some(policy) = &self.spec.ready else { return };
        let Phase::Starting(Start { step: Step::Asking { next, refusals, since, .. }, .. }) = &mut self.phase
        else {
            return;
        };
        let pause = FIRST_PAUSE.saturating_mul(1 << (*refusals).min(10)).min(policy.interval);
        *next = Some(now + pause);
        *refusals = refusals.saturating_add(1);
        if self.goal == Goal::Up {
            let check = policy.check.to_string();
            self.reason = Reason::NotReady { check, answer: Some(text), since: *since };
        }
    }

    /// Its check succeeded, or it has none: what is left is its after-start hook.
    pub(crate) fn become_ready(&mut self, now: Moment, run: RunId, pid: u32, actions: &mut Vec<Action>) {
        match self.spec.hook(HookName::AfterStart) {
            Some(hook) if self.hooked != run => {
                let step = Step::After { pid, until: now + hook.timeout };
                actions.push(Action::RunHook { run, hook: HookName::AfterStart });
                self.step_on(Start { run, step });
            }
            Some(_) | None => self.run_on(now, run, pid, actions),
        }
    }

    pub(crate) fn on_after_start(
        &mut self,
        now: Moment,
        run: RunId,
        pid: u32,
        result: Result<(), String>,
        actions: &mut Vec<Action>,
    ) {
        match result {
            Ok(()) => self.run_on(now, run, pid, actions),
            Err(text) => {
                let cause = Reason::HookFailed { hook: HookName::AfterStart, text };
                self.fail_start(now, cause, actions);
                // It has ended already.
                actions.retain(|action| !matches!(action, Action::KillHook { .. }));
            }
        }
    }

    /// What is due of a start.
    pub(crate) fn on_start_due(&mut self, now: Moment, actions: &mut Vec<Action>) {
        let Phase::Starting(Start { run, step }) = &mut self.phase else { return };
        let run = *run;
        match step {
            Step::Before { until } => {
                *until = Moment::NEVER;
                actions.push(Action::KillHook { run, hook: HookName::BeforeStart });
            }
            Step::After { until, .. } => {
                *until = Moment::NEVER;
                actions.push(Action::KillHook { run, hook: HookName::AfterStart });
            }
            Step::Asking { deadline, next, .. } if *deadline > now => {
                *next = None;
                self.ask_ready(run, actions);
            }
            Step::Asking { pid, .. } => {
                let pid = *pid;
                self.ready_deadline(now, run, pid, actions);
            }
            Step::Spawning => {}
        }
    }

    fn ask_ready(&mut self, run: RunId, actions: &mut Vec<Action>) {
        self.question.0 += 1;
        actions.push(Action::Ask { run, check: Check::Ready, question: self.question });
    }

    fn step_on(&mut self, start: Start) {
        if self.goal == Goal::Up {
            self.reason = self.starting_reason(&start);
        }
        self.phase = Phase::Starting(start);
    }

    /// A check that is only time succeeds at its deadline; any other has failed.
    pub(crate) fn ready_deadline(&mut self, now: Moment, run: RunId, pid: u32, actions: &mut Vec<Action>) {
        let Some(ReadyPolicy { check, timeout, .. }) = self.spec.ready.clone() else { return };
        if is_only_time(&check) {
            self.become_ready(now, run, pid, actions);
            return;
        }
        let answer = match &self.reason {
            Reason::NotReady { answer, .. } => answer.clone(),
            _ => None,
        };
        // What was waited for and not asked has not answered wrong.
        let silence = (!matches!(check, ReadyCheck::Probe(_))).then(|| "did not come".to_owned());
        let answer = answer.or(silence);
        let cause = Reason::ReadyTimeout { check: check.to_string(), answer, after: timeout };
        self.fail_start(now, cause, actions);
    }

    fn fail_start(&mut self, now: Moment, cause: Reason, actions: &mut Vec<Action>) {
        let then = match self.goal {
            Goal::Up => Then::Fail,
            Goal::Down => Then::Stay,
        };
        self.begin_stop(now, cause, then, actions);
    }

    /// A start that begins a new row of attempts.
    pub(crate) fn start_afresh(&mut self, now: Moment, actions: &mut Vec<Action>) {
        self.attempts = 0;
        self.start(now, actions);
    }

    pub(crate) fn start(&mut self, now: Moment, actions: &mut Vec<Action>) {
        self.pass_start_gate(now, actions);
        // What was remembered at the end of the latest run says nothing of this start.
        if self.phase == Phase::WaitingForDependency {
            self.remember(actions);
        }
    }

    /// What is remembered is no longer so.
    pub(crate) fn remember(&self, actions: &mut Vec<Action>) {
        if self.is_recalled || self.run > RunId::default() {
            actions.push(Action::Remember { run: self.run });
        }
    }

    /// Goes through the start gate, or waits before it.
    pub(crate) fn pass_start_gate(&mut self, now: Moment, actions: &mut Vec<Action>) {
        match &self.start_gate {
            StartGate::Open => {
                self.run = self.run.max(self.removed_run).next();
                self.outdated = false;
                self.said = None;
                self.feels = None;
                match self.spec.hook(HookName::BeforeStart) {
                    None => self.spawn(actions),
                    Some(hook) => {
                        let step = Step::Before { until: now + hook.timeout };
                        // First: a daemon that dies between the two is to know of this start.
                        self.remember(actions);
                        actions.push(Action::RunHook { run: self.run, hook: HookName::BeforeStart });
                        self.phase = Phase::Starting(Start { run: self.run, step });
                        self.reason = Reason::Hook { hook: HookName::BeforeStart };
                    }
                }
            }
            StartGate::Closed { on, until } => {
                self.reason = Reason::Dependency { on: on.clone(), until: *until, because: None };
                self.phase = Phase::WaitingForDependency;
            }
        }
    }

    pub(crate) fn spawn(&mut self, actions: &mut Vec<Action>) {
        self.phase = Phase::Starting(Start { run: self.run, step: Step::Spawning });
        if self.goal == Goal::Up {
            self.reason = Reason::Spawning { attempt: self.attempts };
        }
        self.silence_limit = self.spec.watchdog;
        actions.push(Action::Spawn { run: self.run, attempt: self.attempts });
    }

    pub(crate) fn begin_asking(&mut self, now: Moment, run: RunId, pid: u32, actions: &mut Vec<Action>) {
        let Some(policy) = self.spec.ready.clone() else {
            self.become_ready(now, run, pid, actions);
            return;
        };
        let (wait, next) = match policy.check {
            ReadyCheck::After(span) => (span, Some(Moment::NEVER)),
            ReadyCheck::Notify | ReadyCheck::Fd(_) => (policy.timeout, Some(Moment::NEVER)),
            ReadyCheck::Probe(_) | ReadyCheck::Log(_) => {
                self.ask_ready(run, actions);
                (policy.timeout, None)
            }
        };
        let step = Step::Asking { pid, since: now, deadline: now + wait, next, refusals: 0 };
        self.step_on(Start { run, step });
    }

    pub(crate) fn starting_reason(&self, start: &Start) -> Reason {
        match (&start.step, &self.spec.ready) {
            (Step::Asking { since, .. }, Some(policy)) => {
                Reason::NotReady { check: policy.check.to_string(), answer: None, since: *since }
            }
            (Step::Before { .. }, _) => Reason::Hook { hook: HookName::BeforeStart },
            (Step::After { .. }, _) => Reason::Hook { hook: HookName::AfterStart },
            (Step::Spawning, _) | (Step::Asking { .. }, None) => Reason::Spawning { attempt: self.attempts },
        }
    }
}
