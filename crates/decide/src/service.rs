//! One service's state machine. It knows its own description and its two gates, and nothing of other services.
//!
//! What is wanted (the goal) and what is (the phase) are separate, and never mixed: a service that is wanted down may
//! still run, because one that needs it does. Two gates, fed from above, stand between goal and phase: the start gate is
//! closed while a dependency has not reached its condition, the stop gate while a dependent is alive. A restart passes the
//! stop gate, because it touches only the one service; so does a kill.
//!
//! Every event that ends a run is acknowledged, also one of a run that is long over: whoever told it keeps it until then.

use std::{sync::Arc, time::Duration};

use mainstay_model::{
    Attempts, Condition, Exit, Kind, Moment, ReadyCheck, ReadyPolicy, Reason, RestartWhen, RunId, Signal,
    Spec,
};

use crate::{
    backoff,
    phase::{Action, Event, Goal, Phase, Start, StartGate, Step, StopGate, Then},
};

/// The pause after the first refused asking; it doubles up to the check's interval.
const FIRST_PAUSE: Duration = Duration::from_millis(10);

/// What a service asks for after one event; its reason is then the service's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Decision {
    /// In this order.
    pub actions: Vec<Action>,
}

/// One instance of a service.
#[derive(Clone, Debug)]
pub struct Service {
    pub(crate) spec: Arc<Spec>,
    pub(crate) goal: Goal,
    pub(crate) phase: Phase,
    pub(crate) reason: Reason,
    pub(crate) since: Moment,
    pub(crate) start_gate: StartGate,
    pub(crate) stop_gate: StopGate,
    /// The latest run.
    pub(crate) run: RunId,
    /// Restarts in a row.
    pub(crate) attempts: u32,
    /// Restarts in all since somebody started it.
    pub(crate) restarts: u64,
    pub(crate) exit: Option<Exit>,
}

impl Service {
    /// A service that nobody has started.
    pub fn new(spec: Arc<Spec>, now: Moment) -> Self {
        Self {
            spec,
            goal: Goal::Down,
            phase: Phase::Stopped,
            reason: Reason::NeverStarted,
            since: now,
            start_gate: StartGate::Open,
            stop_gate: StopGate::Open,
            run: RunId::default(),
            attempts: 0,
            restarts: 0,
            exit: None,
        }
    }

    /// Takes in one event and returns what to do about it; [`Service::reason`] then says why things are as they are.
    pub fn on(&mut self, now: Moment, event: Event) -> Decision {
        let mut decision = Decision::default();
        let before = self.phase.name();
        self.take_in(now, event, &mut decision.actions);
        if self.phase.name() != before {
            self.since = now;
        }
        decision
    }

    /// When to call [`Service::on`] with [`Event::Tick`] if nothing happens sooner.
    pub fn wake_at(&self) -> Option<Moment> {
        match &self.phase {
            Phase::WaitingForBackoff { until } => Some(*until),
            Phase::Starting(Start { step: Step::Asking { deadline, next, .. }, .. }) => {
                Some(next.map_or(*deadline, |next| next.min(*deadline)))
            }
            Phase::Stopping { kill_at, .. } => *kill_at,
            Phase::Starting(Start { step: Step::Spawning, .. })
            | Phase::Stopped
            | Phase::WaitingForDependency
            | Phase::Running { .. }
            | Phase::Completed
            | Phase::Failed => None,
        }
    }

    /// Another description: its command counts from the next start on, its policies at once.
    pub fn describe(&mut self, now: Moment, spec: Arc<Spec>) -> Decision {
        let mut decision = Decision::default();
        let old = std::mem::replace(&mut self.spec, spec);
        if let Phase::Starting(Start { run, step: Step::Asking { pid, .. } }) = self.phase
            && old.ready != self.spec.ready
        {
            self.begin_asking(now, run, pid, &mut decision.actions);
        }
        decision
    }

    /// The description.
    pub fn spec(&self) -> &Arc<Spec> {
        &self.spec
    }

    /// What is wanted.
    pub fn goal(&self) -> Goal {
        self.goal
    }

    /// What is.
    pub fn phase(&self) -> &Phase {
        &self.phase
    }

    /// Why.
    pub fn reason(&self) -> &Reason {
        &self.reason
    }

    /// When the phase began.
    pub fn since(&self) -> Moment {
        self.since
    }

    /// Restarts that nobody asked for.
    pub fn restarts(&self) -> u64 {
        self.restarts
    }

    /// Restarts in a row.
    pub fn attempts(&self) -> u32 {
        self.attempts
    }

    /// The latest run.
    pub fn run(&self) -> RunId {
        self.run
    }

    /// How the latest ended run ended.
    pub fn exit(&self) -> Option<Exit> {
        self.exit
    }

    /// Whether its process was made (and, for one that must go on, is still there).
    pub fn is_started(&self) -> bool {
        match &self.phase {
            Phase::Starting(start) => matches!(start.step, Step::Asking { .. }),
            Phase::Running { .. } | Phase::Completed => true,
            Phase::Stopped
            | Phase::WaitingForDependency
            | Phase::WaitingForBackoff { .. }
            | Phase::Stopping { .. }
            | Phase::Failed => false,
        }
    }

    /// Whether it counts as ready: its check succeeded, or it has none and runs; a oneshot without a check: it completed.
    pub fn is_ready(&self) -> bool {
        match &self.phase {
            Phase::Running { .. } => self.spec.kind == Kind::Permanent || self.spec.ready.is_some(),
            Phase::Completed => true,
            Phase::Stopped
            | Phase::WaitingForDependency
            | Phase::WaitingForBackoff { .. }
            | Phase::Starting(_)
            | Phase::Stopping { .. }
            | Phase::Failed => false,
        }
    }

    /// Whether it ended well.
    pub fn is_completed(&self) -> bool {
        self.phase == Phase::Completed
    }

    /// Whether it has reached what a dependent waits for.
    pub fn meets(&self, until: Condition) -> bool {
        match until {
            Condition::Started => self.is_started(),
            Condition::Ready => self.is_ready(),
            Condition::Completed => self.is_completed(),
        }
    }

    fn take_in(&mut self, now: Moment, event: Event, actions: &mut Vec<Action>) {
        match event {
            Event::Start => self.on_start(actions),
            Event::Want => self.on_want(actions),
            Event::Stop(cause) => self.on_stop(now, cause, actions),
            Event::Kill => self.on_kill(actions),
            Event::Restart(cause) => self.on_restart(now, cause, actions),
            Event::StartGate(gate) => self.on_start_gate(gate, actions),
            Event::StopGate(gate) => self.on_stop_gate(now, gate, actions),
            Event::Spawned { run, pid } => self.on_spawned(now, run, pid, actions),
            Event::NotSpawned { run, failure } => {
                self.on_end(now, run, Reason::NotSpawned(failure), None, actions);
            }
            Event::Exited { run, exit } => self.on_end(now, run, Reason::Exited(exit), Some(exit), actions),
            Event::Answered { run, answer } => self.on_answered(now, run, answer),
            Event::Tick => self.on_tick(now, actions),
        }
    }

    fn on_start(&mut self, actions: &mut Vec<Action>) {
        match &self.phase {
            Phase::Completed | Phase::WaitingForBackoff { .. } => {
                self.goal = Goal::Up;
                self.start_afresh(actions);
            }
            Phase::Stopped
            | Phase::Failed
            | Phase::WaitingForDependency
            | Phase::Starting(_)
            | Phase::Running { .. }
            | Phase::Stopping { .. } => self.on_want(actions),
        }
    }

    fn on_want(&mut self, actions: &mut Vec<Action>) {
        let was = std::mem::replace(&mut self.goal, Goal::Up);
        match &mut self.phase {
            Phase::Stopped | Phase::Failed => self.start_afresh(actions),
            Phase::Running { .. } if was == Goal::Down => self.reason = self.running_reason(),
            Phase::Starting(start) if was == Goal::Down => {
                let start = start.clone();
                self.reason = self.starting_reason(&start);
            }
            Phase::Stopping { then: then @ Then::Stay, .. } => *then = Then::Again,
            Phase::Stopping { .. }
            | Phase::Starting(_)
            | Phase::Running { .. }
            | Phase::WaitingForDependency
            | Phase::WaitingForBackoff { .. }
            | Phase::Completed => {}
        }
    }

    fn on_stop(&mut self, now: Moment, cause: Reason, actions: &mut Vec<Action>) {
        self.goal = Goal::Down;
        match &mut self.phase {
            Phase::Starting(_) | Phase::Running { .. } => match self.stop_gate {
                StopGate::Open => self.begin_stop(now, cause, Then::Stay, actions),
                StopGate::Closed => self.reason = Reason::Needed { by: Vec::new() },
            },
            Phase::Stopping { then, cause: old, .. } => {
                *then = Then::Stay;
                *old = cause;
                self.reason = self.stopping_reason();
            }
            Phase::Stopped
            | Phase::WaitingForDependency
            | Phase::WaitingForBackoff { .. }
            | Phase::Failed => {
                self.phase = Phase::Stopped;
                self.reason = cause;
            }
            Phase::Completed => {}
        }
    }

    fn on_kill(&mut self, actions: &mut Vec<Action>) {
        self.goal = Goal::Down;
        match (self.phase.live(), &self.phase) {
            (Some(run), _) => {
                let pid = self.phase.pid();
                let cause = Reason::KillRequested;
                self.phase = Phase::Stopping { run, pid, kill_at: None, cause, then: Then::Stay };
                self.reason = self.stopping_reason();
                actions.push(Action::Kill { run });
            }
            (None, Phase::Completed) => {}
            (None, _) => {
                self.phase = Phase::Stopped;
                self.reason = Reason::KillRequested;
            }
        }
    }

    /// A changed description and a lost dependency restart only what is wanted; a person's request wants it.
    fn on_restart(&mut self, now: Moment, cause: Reason, actions: &mut Vec<Action>) {
        match cause {
            Reason::RestartRequested => self.goal = Goal::Up,
            _ if self.goal == Goal::Down => return,
            Reason::DependencyLost { .. } if self.phase.live().is_none() => return,
            _ => {}
        }
        match &mut self.phase {
            Phase::Starting(_) | Phase::Running { .. } => self.begin_stop(now, cause, Then::Again, actions),
            Phase::Stopping { then, .. } => *then = Then::Again,
            Phase::Stopped
            | Phase::WaitingForDependency
            | Phase::WaitingForBackoff { .. }
            | Phase::Completed
            | Phase::Failed => self.start_afresh(actions),
        }
    }

    fn on_start_gate(&mut self, gate: StartGate, actions: &mut Vec<Action>) {
        self.start_gate = gate;
        if self.phase == Phase::WaitingForDependency {
            self.start(actions);
        }
    }

    fn on_stop_gate(&mut self, now: Moment, gate: StopGate, actions: &mut Vec<Action>) {
        self.stop_gate = gate;
        let held =
            self.goal == Goal::Down && matches!(self.phase, Phase::Starting(_) | Phase::Running { .. });
        match gate {
            StopGate::Open if held => self.begin_stop(now, Reason::StopRequested, Then::Stay, actions),
            StopGate::Open | StopGate::Closed => {}
        }
    }

    fn on_spawned(&mut self, now: Moment, run: RunId, pid: u32, actions: &mut Vec<Action>) {
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

    fn on_end(
        &mut self,
        now: Moment,
        run: RunId,
        cause: Reason,
        exit: Option<Exit>,
        actions: &mut Vec<Action>,
    ) {
        if self.phase.live() == Some(run) {
            self.exit = exit.or(self.exit);
            let phase = std::mem::replace(&mut self.phase, Phase::Stopped);
            match phase {
                Phase::Stopping { then: Then::Again, .. } => self.start_afresh(actions),
                Phase::Stopping { then: Then::Stay, cause, .. } => self.reason = cause,
                Phase::Stopping { then: Then::Fail, cause, .. } => self.follow_failure(now, cause, actions),
                _ if self.goal == Goal::Down => self.reason = Reason::StopRequested,
                Phase::Running { .. } => {
                    if now.since(self.since) >= self.spec.restart.reset_after {
                        self.attempts = 0;
                    }
                    self.follow_end(now, cause, exit, actions);
                }
                _ => self.follow_end(now, cause, exit, actions),
            }
        }
        // Before any spawn: whoever told the end keeps it until then, and makes room for the next run.
        actions.insert(0, Action::Acknowledge { run });
    }

    fn on_answered(&mut self, now: Moment, of: RunId, answer: Result<(), String>) {
        let Some(policy) = self.spec.ready.clone() else { return };
        let Phase::Starting(Start { run, step: Step::Asking { pid, next, refusals, since, .. } }) =
            &mut self.phase
        else {
            return;
        };
        if *run != of || next.is_some() {
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

    fn on_tick(&mut self, now: Moment, actions: &mut Vec<Action>) {
        if self.wake_at().is_none_or(|at| at > now) {
            return;
        }
        match &mut self.phase {
            Phase::WaitingForBackoff { .. } => {
                self.restarts += 1;
                self.start(actions);
            }
            Phase::Starting(Start { run, step: Step::Asking { deadline, next, pid, .. } }) => {
                if *deadline > now {
                    *next = None;
                    actions.push(Action::Ask { run: *run });
                } else {
                    let (run, pid) = (*run, *pid);
                    self.ready_deadline(now, run, pid, actions);
                }
            }
            Phase::Stopping { run, kill_at, .. } => {
                *kill_at = None;
                actions.push(Action::Kill { run: *run });
                self.reason = self.stopping_reason();
            }
            Phase::Starting(_)
            | Phase::Stopped
            | Phase::WaitingForDependency
            | Phase::Running { .. }
            | Phase::Completed
            | Phase::Failed => {}
        }
    }

    /// A check that is only time succeeds at its deadline; any other has failed.
    fn ready_deadline(&mut self, now: Moment, run: RunId, pid: u32, actions: &mut Vec<Action>) {
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
    fn start_afresh(&mut self, actions: &mut Vec<Action>) {
        self.attempts = 0;
        self.start(actions);
    }

    fn start(&mut self, actions: &mut Vec<Action>) {
        match &self.start_gate {
            StartGate::Open => {
                self.run = self.run.next();
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
                actions.push(Action::Ask { run });
                (policy.timeout, None)
            }
        };
        let step = Step::Asking { pid, since: now, deadline: now + wait, next, refusals: 0 };
        let start = Start { run, step };
        if self.goal == Goal::Up {
            self.reason = self.starting_reason(&start);
        }
        self.phase = Phase::Starting(start);
    }

    fn begin_stop(&mut self, now: Moment, cause: Reason, then: Then, actions: &mut Vec<Action>) {
        let Some(run) = self.phase.live() else { return };
        let policy = &self.spec.stop;
        let at_once = policy.signal == Signal::KILL || policy.timeout.is_zero();
        let kill_at = (!at_once).then(|| now + policy.timeout);
        actions.push(match kill_at {
            None => Action::Kill { run },
            Some(_) => Action::Signal { run, signal: policy.signal },
        });
        self.phase = Phase::Stopping { run, pid: self.phase.pid(), kill_at, cause, then };
        self.reason = self.stopping_reason();
    }

    /// What follows an end that nobody asked for.
    fn follow_end(&mut self, now: Moment, cause: Reason, exit: Option<Exit>, actions: &mut Vec<Action>) {
        let success =
            matches!(exit, Some(Exit::Code(code)) if self.spec.restart.success_exit_codes.contains(&code));
        match (self.spec.kind, exit) {
            (Kind::Oneshot, Some(exit)) if success => {
                self.phase = Phase::Completed;
                self.reason = Reason::Completed { exit };
            }
            (Kind::Oneshot, Some(Exit::Unknown)) if !self.spec.rerun_unknown => {
                self.phase = Phase::Failed;
                self.reason = Reason::UnknownOutcome { kind: Kind::Oneshot };
            }
            (Kind::Oneshot, Some(Exit::Unknown)) => self.schedule_restart(now, cause, actions),
            (Kind::Permanent, Some(exit)) if success && self.spec.restart.when != RestartWhen::Always => {
                self.reason = Reason::Ended { exit, policy: self.spec.restart.when };
            }
            (Kind::Permanent, _) if success => self.schedule_restart(now, cause, actions),
            (Kind::Permanent | Kind::Oneshot, _) => self.follow_failure(now, cause, actions),
        }
    }

    fn follow_failure(&mut self, now: Moment, cause: Reason, actions: &mut Vec<Action>) {
        match self.spec.restart.when {
            RestartWhen::Never => {
                self.phase = Phase::Failed;
                self.reason = Reason::GaveUp { cause: Box::new(cause), attempts: 0 };
            }
            RestartWhen::OnFailure | RestartWhen::Always => self.schedule_restart(now, cause, actions),
        }
    }

    fn schedule_restart(&mut self, now: Moment, cause: Reason, actions: &mut Vec<Action>) {
        let attempts = self.spec.restart.attempts;
        let cause = Box::new(cause);
        if matches!(attempts, Attempts::UpTo(most) if self.attempts >= most) {
            self.phase = Phase::Failed;
            self.reason = Reason::GaveUp { cause, attempts: self.attempts };
            return;
        }
        self.attempts = self.attempts.saturating_add(1);
        let until = now + backoff(&self.spec.restart, self.attempts);
        self.phase = Phase::WaitingForBackoff { until };
        self.reason = Reason::Backoff { cause, until, attempt: self.attempts, attempts };
        self.on_tick(now, actions);
    }

    pub(crate) fn running_reason(&self) -> Reason {
        match &self.spec.ready {
            None => Reason::Running,
            Some(policy) => Reason::Ready { check: policy.check.to_string() },
        }
    }

    fn starting_reason(&self, start: &Start) -> Reason {
        match (&start.step, &self.spec.ready) {
            (Step::Asking { since, .. }, Some(policy)) => {
                Reason::NotReady { check: policy.check.to_string(), answer: None, since: *since }
            }
            (Step::Spawning, _) | (Step::Asking { .. }, None) => Reason::Spawning { attempt: self.attempts },
        }
    }

    fn stopping_reason(&self) -> Reason {
        match &self.phase {
            Phase::Stopping { cause, kill_at: Some(kill_at), .. } => Reason::Stopping {
                cause: Box::new(cause.clone()),
                signal: self.spec.stop.signal,
                kill_at: *kill_at,
            },
            Phase::Stopping { cause, kill_at: None, .. } => {
                Reason::Killing { cause: Box::new(cause.clone()) }
            }
            _ => self.reason.clone(),
        }
    }
}
