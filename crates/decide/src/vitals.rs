//! How a running service is: its health check, its watchdog, what it says of itself. Knows nothing of starts and ends but
//! that they are.

use std::time::Duration;

use mainstay_model::{Health, HealthPolicy, HookName, Moment, PhaseName, ReadyCheck, Reason, Reload, RunId};

use crate::{
    phase::{Action, Check, Doing, Goal, Notice, Phase, Silence, Stage, Start, Step, Then, Vitals},
    service::Service,
    status::sum,
};

/// The pause after the first failure in the start period.
const FIRST_PAUSE: Duration = Duration::from_millis(10);

impl Vitals {
    /// When something is to be done about it.
    pub(crate) fn wake_at(&self) -> Option<Moment> {
        let reload = match self.doing {
            Doing::ReloadHook { until } => Some(until),
            Doing::Work | Doing::Reloading | Doing::Ending => None,
        };
        let silence = self.silence.map(|silence| silence.until);
        [self.next, silence, reload].into_iter().flatten().min()
    }
}

impl Service {
    /// It runs as far as anybody asks; its health is asked at once.
    pub(crate) fn run_on(&mut self, now: Moment, run: RunId, pid: u32, actions: &mut Vec<Action>) {
        let limit = self.silence_limit.filter(|limit| !limit.is_zero());
        let vitals = Vitals {
            since: now,
            next: Some(Moment::NEVER),
            failures: 0,
            was_well: false,
            complaint: None,
            silence: limit.map(|limit| Silence { limit, until: now + limit }),
            doing: Doing::Work,
        };
        self.phase = Phase::Running { run, pid, vitals };
        self.ask_health(actions);
        self.tell_running();
    }

    /// Whether its latest health check succeeded; without one it is as well as it is ready.
    pub fn is_healthy(&self) -> bool {
        match &self.phase {
            Phase::Running { vitals, .. } => {
                self.is_ready() && (self.spec.health.is_none() || (vitals.was_well && vitals.failures == 0))
            }
            Phase::Completed => true,
            Phase::Stopped
            | Phase::WaitingForDependency
            | Phase::WaitingForBackoff { .. }
            | Phase::Starting(_)
            | Phase::Paused { .. }
            | Phase::Stopping { .. }
            | Phase::Failed => false,
        }
    }

    /// How it feels, in the words of the wire.
    pub fn health(&self) -> Health {
        match &self.phase {
            Phase::Running { vitals: Vitals { doing: Doing::Ending, .. }, .. } => Health::Shutdown,
            Phase::Running { vitals: Vitals { failures: 1.., .. }, .. } => {
                sum(self.with_feels(Health::Warning))
            }
            Phase::Running { vitals: Vitals { was_well: false, .. }, .. } if self.spec.health.is_some() => {
                Health::Startup
            }
            Phase::Stopping {
                cause: Reason::Unhealthy { .. } | Reason::Silent { .. } | Reason::WatchdogTriggered,
                ..
            } => Health::Error,
            Phase::Running { .. } => sum(self.with_feels(Health::Ok)),
            phase => Health::from(phase.name()),
        }
    }

    /// What we know, and what it says.
    fn with_feels(&self, known: Health) -> impl Iterator<Item = Health> {
        std::iter::once(known).chain(self.feels)
    }

    /// Whether a reload is under way, and how the latest one by command ended.
    pub fn reload(&self) -> (bool, Option<&Result<(), String>>) {
        let reloads = |doing: &Doing| matches!(doing, Doing::Reloading | Doing::ReloadHook { .. });
        let busy = matches!(&self.phase, Phase::Running { vitals, .. } if reloads(&vitals.doing));
        (busy, self.reloaded.as_ref())
    }

    pub(crate) fn on_health_answer(
        &mut self,
        now: Moment,
        answer: Result<(), String>,
        actions: &mut Vec<Action>,
    ) {
        let Some(policy) = self.spec.health.clone() else { return };
        let Phase::Running { vitals, .. } = &mut self.phase else { return };
        match answer {
            Ok(()) => {
                vitals.failures = 0;
                vitals.was_well = true;
                vitals.complaint = None;
                vitals.next = Some(now + policy.interval);
                self.tell_running();
            }
            Err(text) => self.on_health_failure(now, &policy, text, actions),
        }
    }

    fn on_health_failure(
        &mut self,
        now: Moment,
        policy: &HealthPolicy,
        answer: String,
        actions: &mut Vec<Action>,
    ) {
        let Phase::Running { vitals, .. } = &mut self.phase else { return };
        let age = now.since(vitals.since);
        let check = policy.probe.to_string();
        if !vitals.was_well && age < policy.start_period {
            // As long again as it has run: askings become rarer as a start becomes long.
            vitals.next = Some(now + age.max(FIRST_PAUSE).min(policy.interval));
        } else {
            vitals.failures = vitals.failures.saturating_add(1);
            vitals.next = Some(now + policy.interval);
        }
        let (failures, limit) = (vitals.failures, policy.failures);
        if failures >= limit {
            let cause = Reason::Unhealthy { check, answer, failures };
            self.stop_as_failed(now, cause, actions);
        } else {
            vitals.complaint = Some(answer);
            self.tell_running();
        }
    }

    /// It is ended for a fault of its own; what follows is what follows a failure.
    fn stop_as_failed(&mut self, now: Moment, cause: Reason, actions: &mut Vec<Action>) {
        self.end_row(now);
        let then = match self.goal {
            Goal::Up => Then::Fail,
            Goal::Down => Then::Stay,
        };
        self.begin_stop(now, cause, then, actions);
    }

    /// What is due of a running service.
    pub(crate) fn on_vitals_due(&mut self, now: Moment, actions: &mut Vec<Action>) {
        let Phase::Running { run, vitals, .. } = &mut self.phase else { return };
        if let Some(silence) = vitals.silence.filter(|silence| silence.until <= now) {
            self.stop_as_failed(now, Reason::Silent { after: silence.limit }, actions);
            return;
        }
        if let Doing::ReloadHook { until } = &mut vitals.doing
            && *until <= now
        {
            *until = Moment::NEVER;
            actions.push(Action::KillHook { run: *run, hook: HookName::Reload });
        }
        if vitals.next.is_some_and(|next| next <= now) {
            self.ask_health(actions);
        }
    }

    fn ask_health(&mut self, actions: &mut Vec<Action>) {
        let Phase::Running { run, vitals, .. } = &mut self.phase else { return };
        if self.spec.health.is_none() {
            vitals.next = Some(Moment::NEVER);
            return;
        }
        vitals.next = None;
        self.question.0 += 1;
        actions.push(Action::Ask { run: *run, check: Check::Health, question: self.question });
    }

    /// Another health check: what was asked before says nothing of it.
    pub(crate) fn change_health(&mut self, now: Moment, actions: &mut Vec<Action>) {
        let Phase::Running { vitals, .. } = &mut self.phase else { return };
        vitals.since = now;
        vitals.failures = 0;
        vitals.was_well = false;
        vitals.complaint = None;
        self.ask_health(actions);
        self.tell_running();
    }

    /// The reason of one that runs and is wanted.
    pub(crate) fn tell_running(&mut self) {
        if self.goal == Goal::Up {
            self.reason = self.running_reason();
        }
    }

    pub(crate) fn running_reason(&self) -> Reason {
        let (doing, failing) = match &self.phase {
            Phase::Running { vitals, .. } => (vitals.doing, self.failing_reason(vitals)),
            _ => (Doing::Work, None),
        };
        if let (Doing::Work, Some(failing)) = (doing, failing) {
            return failing;
        }
        match (doing, &self.spec.ready) {
            (Doing::Reloading | Doing::ReloadHook { .. }, _) => Reason::Reloading,
            (Doing::Ending, _) => Reason::EndingItself,
            (Doing::Work, None) => Reason::Running,
            (Doing::Work, Some(policy)) => Reason::Ready { check: policy.check.to_string() },
        }
    }

    fn failing_reason(&self, vitals: &Vitals) -> Option<Reason> {
        let policy = self.spec.health.as_ref()?;
        Some(Reason::Failing {
            check: policy.probe.to_string(),
            answer: vitals.complaint.clone()?,
            failures: vitals.failures,
            limit: policy.failures,
        })
    }

    pub(crate) fn on_notified(&mut self, now: Moment, of: RunId, notice: Notice, actions: &mut Vec<Action>) {
        if self.phase.live() != Some(of) {
            return;
        }
        match notice {
            Notice::Ready => self.on_said_ready(now, actions),
            Notice::Reloading => self.on_doing(Doing::Reloading),
            Notice::Stopping => self.on_doing(Doing::Ending),
            Notice::Feels(health) => self.feels = Some(health).filter(|health| *health != Health::Unknown),
            Notice::Said(text) => self.said = Some(text).filter(|text| !text.is_empty()),
            Notice::Extend(span) => self.on_extend(now + span),
            Notice::MainPid(main) => self.on_main_pid(main),
            Notice::Alive => {
                if let Phase::Running { vitals: Vitals { silence: Some(silence), .. }, .. } = &mut self.phase
                {
                    silence.until = now + silence.limit;
                }
            }
            Notice::Trigger => {
                if matches!(self.phase, Phase::Running { .. }) {
                    self.stop_as_failed(now, Reason::WatchdogTriggered, actions);
                }
            }
            Notice::Watchdog(limit) => {
                self.silence_limit = Some(limit);
                if let Phase::Running { vitals, .. } = &mut self.phase {
                    let set = !limit.is_zero();
                    vitals.silence = set.then(|| Silence { limit, until: now + limit });
                }
            }
        }
    }

    fn on_said_ready(&mut self, now: Moment, actions: &mut Vec<Action>) {
        let waits = |check: &ReadyCheck| matches!(check, ReadyCheck::Notify | ReadyCheck::Fd(_));
        match &mut self.phase {
            Phase::Starting(Start { run, step: Step::Asking { pid, .. } }) => {
                let (run, pid) = (*run, *pid);
                if self.spec.ready.as_ref().is_some_and(|policy| waits(&policy.check)) {
                    self.become_ready(now, run, pid, actions);
                }
            }
            Phase::Running { vitals, .. } if vitals.doing == Doing::Reloading => {
                vitals.doing = Doing::Work;
                self.tell_running();
            }
            _ => {}
        }
    }

    fn on_doing(&mut self, what: Doing) {
        if let Phase::Running { vitals, .. } = &mut self.phase
            && !matches!(vitals.doing, Doing::ReloadHook { .. })
        {
            vitals.doing = what;
            self.tell_running();
        }
    }

    fn on_extend(&mut self, until: Moment) {
        match &mut self.phase {
            Phase::Starting(Start { step: Step::Asking { deadline, .. }, .. }) => {
                // Of a check that is only time, the deadline is its success.
                let only_time = |check: &ReadyCheck| matches!(check, ReadyCheck::After(_));
                if !self.spec.ready.as_ref().is_some_and(|policy| only_time(&policy.check)) {
                    *deadline = (*deadline).max(until);
                }
            }
            Phase::Stopping { stage: Stage::Asked { kill_at }, .. } => {
                *kill_at = (*kill_at).max(until);
                self.reason = self.stopping_reason();
            }
            _ => {}
        }
    }

    fn on_main_pid(&mut self, main: u32) {
        match &mut self.phase {
            Phase::Starting(Start { step: Step::Asking { pid, .. } | Step::After { pid, .. }, .. })
            | Phase::Running { pid, .. }
            | Phase::Paused { pid, .. }
            | Phase::Stopping { pid: Some(pid), .. } => *pid = main,
            _ => {}
        }
    }

    pub(crate) fn on_pause(&mut self, actions: &mut Vec<Action>) {
        let Phase::Running { run, pid, .. } = self.phase else { return };
        self.abort_reload(actions);
        // First, so that a daemon that comes after this one knows of whatever is frozen.
        self.remember(actions);
        actions.push(Action::Pause { run });
        self.phase = Phase::Paused { run, pid };
        if self.goal == Goal::Up {
            self.reason = Reason::Paused;
        }
    }

    /// Kills the reload hook of one that is no longer to be reloaded; its end is then no answer to a later reload.
    pub(crate) fn abort_reload(&mut self, actions: &mut Vec<Action>) {
        if self.reload().0 {
            self.reloaded = Some(Err("was given up".to_owned()));
        }
        let before = actions.len();
        self.kill_hook(actions);
        if actions.len() > before {
            self.unloading = self.phase.live();
        }
    }

    pub(crate) fn on_resume(&mut self, now: Moment, actions: &mut Vec<Action>) {
        let Phase::Paused { run, pid } = self.phase else { return };
        actions.push(Action::Resume { run });
        self.run_on(now, run, pid, actions);
        self.remember(actions);
    }

    pub(crate) fn on_reload(&mut self, now: Moment, actions: &mut Vec<Action>) {
        let Phase::Running { run, vitals, .. } = &mut self.phase else { return };
        if vitals.doing == Doing::Ending {
            return;
        }
        match &self.spec.reload {
            None => {}
            Some(Reload::Signal(signal)) => {
                self.reloaded = None;
                self.reloaded = None;
                actions.push(Action::SignalMain { run: *run, signal: *signal });
            }
            Some(Reload::Command(_)) if matches!(vitals.doing, Doing::ReloadHook { .. }) => {}
            Some(Reload::Command(_)) if self.unloading == Some(*run) => {
                self.reloaded = Some(Err("has not ended since it was killed".to_owned()));
            }
            Some(Reload::Command(hook)) => {
                vitals.doing = Doing::ReloadHook { until: now + hook.timeout };
                self.reloaded = None;
                actions.push(Action::RunHook { run: *run, hook: HookName::Reload });
                self.tell_running();
            }
        }
    }

    /// Takes its failure back: then it is as stopped as one that nobody started.
    pub(crate) fn on_reset(&mut self, actions: &mut Vec<Action>) {
        let before = self.memory();
        self.restarts = 0;
        // A restart that waits for its time is the first of a new row.
        self.attempts = u32::from(matches!(self.phase, Phase::WaitingForBackoff { .. }));
        if let Reason::Backoff { attempt, .. } = &mut self.reason {
            *attempt = self.attempts;
        }
        if self.phase.name() == PhaseName::Failed {
            self.goal = Goal::Down;
            self.phase = Phase::Stopped;
            self.reason = Reason::ResetRequested;
        }
        if self.memory() != before {
            self.remember(actions);
        }
    }
}
