//! One service's state machine. It knows its own description and its two gates, and nothing of other services.
//!
//! What is wanted (the goal) and what is (the phase) are separate, and never mixed: a service that is wanted down may
//! still run, because one that needs it does. Two gates, fed from above, stand between goal and phase: the start gate is
//! closed while a dependency has not reached its condition, the stop gate while a dependent is alive. A restart passes the
//! stop gate, because it touches only the one service; so does a kill.
//!
//! Every event that ends a run is acknowledged, also one of a run that is long over: whoever told it keeps it until then.

use std::{sync::Arc, time::Duration};

use mainstay_model::{Condition, Exit, Health, Kind, Moment, Reason, RunId, Spec};

use crate::phase::{
    Action, Doing, Event, Goal, Phase, QuestionId, Stage, Start, StartGate, Step, StopGate, Then, Vitals,
};

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
    /// Why it is wanted down, for the moment when it ends.
    pub(crate) down: Reason,
    /// The latest run.
    pub(crate) run: RunId,
    /// An earlier daemon left something of it to be remembered.
    pub(crate) is_recalled: bool,
    /// Its live run was made of another description, and it was not wanted when that came.
    pub(crate) outdated: bool,
    /// Its runs count on from here.
    pub(crate) removed_run: RunId,
    /// The latest asking of its check.
    pub(crate) question: QuestionId,
    /// Restarts in a row.
    pub(crate) attempts: u32,
    /// Restarts that nobody asked for.
    pub(crate) restarts: u64,
    pub(crate) exit: Option<Exit>,
    /// The run that ended like that.
    pub(crate) exit_of: RunId,
    /// What it says of itself.
    pub(crate) said: Option<String>,
    /// How its live run says that it feels.
    pub(crate) feels: Option<Health>,
    /// Its longest silence, as described or as it said itself.
    pub(crate) silence_limit: Option<Duration>,
    /// The run for which its after-start hook is over.
    pub(crate) hooked: RunId,
    /// How the latest reload by command ended.
    pub(crate) reloaded: Option<Result<(), String>>,
    /// What went wrong with the hooks of its latest end, and of which run that was.
    pub(crate) slips: (RunId, Vec<Reason>),
    /// The run whose reload hook was killed, has not ended, and is not waited for.
    pub(crate) unloading: Option<RunId>,
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
            down: Reason::StopRequested,
            run: RunId::default(),
            is_recalled: false,
            outdated: false,
            removed_run: RunId::default(),
            question: QuestionId::default(),
            attempts: 0,
            restarts: 0,
            exit: None,
            exit_of: RunId::default(),
            said: None,
            feels: None,
            silence_limit: None,
            hooked: RunId::default(),
            reloaded: None,
            slips: (RunId::default(), Vec::new()),
            unloading: None,
        }
    }

    /// Its first run comes after this one: a late word about a run of a removed service of this name means nothing then.
    pub(crate) fn counting_from(self, removed_run: RunId) -> Self {
        Self { removed_run, ..self }
    }

    /// Takes in one event and returns what to do about it; [`Service::reason`] then says why things are as they are.
    pub fn on(&mut self, now: Moment, event: Event) -> Decision {
        let mut decision = Decision::default();
        let before = (self.phase.name(), self.run);
        self.take_in(now, event, &mut decision.actions);
        if (self.phase.name(), self.run) != before {
            self.since = now;
        }
        decision
    }

    /// When to call [`Service::on`] with [`Event::Tick`] if nothing happens sooner.
    pub fn wake_at(&self) -> Option<Moment> {
        let at = match &self.phase {
            Phase::WaitingForBackoff { until } => Some(*until),
            Phase::Starting(Start { step, .. }) => match step {
                Step::Asking { deadline, next, .. } => {
                    Some(next.map_or(*deadline, |next| next.min(*deadline)))
                }
                Step::Before { until } | Step::After { until, .. } => Some(*until),
                Step::Spawning => None,
            },
            Phase::Running { vitals, .. } => vitals.wake_at(),
            Phase::Stopping { stage, .. } => match stage {
                Stage::Preparing { until } | Stage::Cleaning { until, .. } => Some(*until),
                Stage::Asked { kill_at } => Some(*kill_at),
                Stage::Killed | Stage::Unmade => None,
            },
            Phase::Stopped
            | Phase::WaitingForDependency
            | Phase::Paused { .. }
            | Phase::Completed
            | Phase::Failed => None,
        };
        at.filter(|at| *at != Moment::NEVER)
    }

    /// Another description: its command counts from the next start on, its policies at once.
    pub fn describe(&mut self, now: Moment, spec: Arc<Spec>) -> Decision {
        let mut decision = Decision::default();
        let before = self.phase.name();
        let old = std::mem::replace(&mut self.spec, spec);
        match self.phase {
            Phase::Starting(Start { run, step: Step::Asking { pid, .. } })
                if old.ready != self.spec.ready =>
            {
                self.begin_asking(now, run, pid, &mut decision.actions);
            }
            // Until now it would have been ready at its end: nobody has asked it yet.
            Phase::Running { run, pid, .. }
                if old.kind == Kind::Oneshot && old.ready.is_none() && self.spec.ready.is_some() =>
            {
                self.abort_reload(&mut decision.actions);
                self.begin_asking(now, run, pid, &mut decision.actions);
            }
            Phase::Running { .. } if old.health != self.spec.health => {
                self.change_health(now, &mut decision.actions);
            }
            _ => {}
        }
        if self.phase.name() != before {
            self.since = now;
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

    /// The latest asking of its check; 0 before the first.
    pub fn question(&self) -> QuestionId {
        self.question
    }

    /// How the latest ended run ended.
    pub fn exit(&self) -> Option<Exit> {
        self.exit
    }

    /// Whether its process was made (and, for one that must go on, is still there).
    pub fn is_started(&self) -> bool {
        match &self.phase {
            Phase::Starting(start) => matches!(start.step, Step::Asking { .. } | Step::After { .. }),
            Phase::Running { .. } | Phase::Paused { .. } | Phase::Completed => true,
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
            Phase::Running { vitals: Vitals { doing: Doing::Ending, .. }, .. } => false,
            Phase::Running { .. } => self.spec.kind == Kind::Permanent || self.spec.ready.is_some(),
            Phase::Completed => true,
            Phase::Stopped
            | Phase::Paused { .. }
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
            Condition::Healthy => self.is_healthy(),
            Condition::Completed => self.is_completed(),
        }
    }

    fn take_in(&mut self, now: Moment, event: Event, actions: &mut Vec<Action>) {
        match event {
            Event::Start => self.on_start(now, actions),
            Event::Want => self.on_want(now, actions),
            Event::Stop(cause) => self.on_stop(now, cause, actions),
            Event::Kill => self.on_kill(actions),
            Event::Pause => self.on_pause(actions),
            Event::Resume => self.on_resume(now, actions),
            Event::Reload => self.on_reload(now, actions),
            Event::Reset => self.on_reset(actions),
            Event::Notified { run, notice } => self.on_notified(now, run, notice, actions),
            Event::HookEnded { run, hook, result } => self.on_hook_ended(now, run, hook, result, actions),
            Event::Restart(cause) => self.on_restart(now, cause, actions),
            Event::StartGate(gate) => self.on_start_gate(now, gate, actions),
            Event::StopGate(gate) => self.on_stop_gate(now, gate, actions),
            Event::Spawned { run, pid } => self.on_spawned(now, run, pid, actions),
            Event::NotSpawned { run, failure } => {
                self.on_end(now, run, Reason::NotSpawned(failure), None, actions);
            }
            Event::Exited { run, exit } => self.on_end(now, run, Reason::Exited(exit), Some(exit), actions),
            Event::Answered { run, question, answer } => {
                self.on_answered(now, run, question, answer, actions);
            }
            Event::Unasked { run, question, why } => self.on_unasked(now, run, question, why),
            Event::Absence => self.on_absence(now),
            Event::Tick => self.on_tick(now, actions),
        }
    }

    fn on_start(&mut self, now: Moment, actions: &mut Vec<Action>) {
        if self.goal == Goal::Down {
            self.want_after_all(true, actions);
        }
        match &self.phase {
            Phase::Completed | Phase::WaitingForBackoff { .. } => {
                self.goal = Goal::Up;
                self.start_afresh(now, actions);
            }
            Phase::Stopped
            | Phase::Failed
            | Phase::WaitingForDependency
            | Phase::Starting(_)
            | Phase::Running { .. }
            | Phase::Paused { .. }
            | Phase::Stopping { .. } => self.on_want(now, actions),
        }
    }

    /// One that has ended by itself and is being cleaned up after: it was stopped meanwhile, and now it is wanted again.
    fn want_after_all(&mut self, even_if_done: bool, actions: &mut Vec<Action>) {
        let done = self.is_done();
        if let Phase::Stopping { then: then @ Then::End, .. } = &mut self.phase
            && (even_if_done || !done)
        {
            *then = Then::Again;
            self.remember(actions);
        }
    }

    fn on_want(&mut self, now: Moment, actions: &mut Vec<Action>) {
        let was = std::mem::replace(&mut self.goal, Goal::Up);
        match &mut self.phase {
            Phase::Stopped | Phase::Failed => self.start_afresh(now, actions),
            Phase::Running { .. } | Phase::Paused { .. } | Phase::Starting(_) if self.outdated => {
                self.begin_stop(now, Reason::Changed, Then::Again, actions);
            }
            Phase::Running { .. } if was == Goal::Down => self.reason = self.running_reason(),
            Phase::Paused { .. } if was == Goal::Down => self.reason = Reason::Paused,
            Phase::Starting(start) if was == Goal::Down => {
                let start = start.clone();
                self.reason = self.starting_reason(&start);
            }
            Phase::Stopping { then: then @ Then::Stay, .. } => {
                *then = Then::Again;
                if self.is_over() {
                    self.remember(actions);
                }
            }
            Phase::Stopping { .. } if was == Goal::Down => self.want_after_all(false, actions),
            Phase::Stopping { .. }
            | Phase::Starting(_)
            | Phase::Running { .. }
            | Phase::Paused { .. }
            | Phase::WaitingForDependency
            | Phase::WaitingForBackoff { .. }
            | Phase::Completed => {}
        }
    }

    fn on_stop(&mut self, now: Moment, cause: Reason, actions: &mut Vec<Action>) {
        let was = std::mem::replace(&mut self.goal, Goal::Down);
        self.down = cause.clone();
        match &mut self.phase {
            Phase::Starting(_) | Phase::Running { .. } | Phase::Paused { .. } => match self.stop_gate {
                StopGate::Open => self.begin_stop(now, cause, Then::Stay, actions),
                StopGate::Closed => self.reason = Reason::Needed { by: Vec::new() },
            },
            // It has ended already, by itself: what follows sees that it is not wanted.
            Phase::Stopping { then: Then::End, .. } => {}
            Phase::Stopping { then, cause: old, .. } => {
                *then = Then::Stay;
                *old = cause;
                self.reason = self.stopping_reason();
            }
            Phase::Stopped if was == Goal::Down => {}
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
        let was = std::mem::replace(&mut self.goal, Goal::Down);
        self.down = Reason::KillRequested;
        match &self.phase {
            Phase::Completed => {}
            Phase::Stopped if was == Goal::Down => {}
            Phase::Stopped
            | Phase::WaitingForDependency
            | Phase::WaitingForBackoff { .. }
            | Phase::Failed => {
                self.phase = Phase::Stopped;
                self.reason = Reason::KillRequested;
            }
            Phase::Starting(_) | Phase::Running { .. } | Phase::Paused { .. } | Phase::Stopping { .. } => {
                self.kill_all(actions);
            }
        }
    }

    /// A changed description and a lost dependency restart only what is wanted; a person's request wants it.
    fn on_restart(&mut self, now: Moment, cause: Reason, actions: &mut Vec<Action>) {
        match cause {
            Reason::RestartRequested => self.goal = Goal::Up,
            Reason::Changed if self.goal == Goal::Down && self.phase == Phase::Completed => {
                // What completed was something else.
                self.phase = Phase::Stopped;
                self.reason = cause;
                self.remember(actions);
                return;
            }
            Reason::Changed if self.goal == Goal::Down => {
                self.outdated = self.phase.live().is_some();
                return;
            }
            _ if self.goal == Goal::Down => return,
            Reason::DependencyLost { .. } if self.phase.live().is_none() || self.is_over() => return,
            _ => {}
        }
        match &mut self.phase {
            Phase::Starting(_) | Phase::Running { .. } | Phase::Paused { .. } => {
                self.begin_stop(now, cause, Then::Again, actions);
            }
            Phase::Stopping { then, .. } => {
                *then = Then::Again;
                if self.is_over() {
                    self.remember(actions);
                }
            }
            Phase::Stopped
            | Phase::WaitingForDependency
            | Phase::WaitingForBackoff { .. }
            | Phase::Completed
            | Phase::Failed => self.start_afresh(now, actions),
        }
    }

    /// The gates as they are now, before an event that is to be judged by them; [`Event::StartGate`] and
    /// [`Event::StopGate`] follow, and let happen what they allow.
    pub(crate) fn see_gates(&mut self, start: StartGate, stop: StopGate) {
        self.start_gate = start;
        self.stop_gate = stop;
    }

    fn on_start_gate(&mut self, now: Moment, gate: StartGate, actions: &mut Vec<Action>) {
        self.start_gate = gate;
        if self.phase == Phase::WaitingForDependency {
            self.pass_start_gate(now, actions);
        }
    }

    fn on_stop_gate(&mut self, now: Moment, gate: StopGate, actions: &mut Vec<Action>) {
        self.stop_gate = gate;
        let lives = matches!(self.phase, Phase::Starting(_) | Phase::Running { .. } | Phase::Paused { .. });
        let held = self.goal == Goal::Down && lives;
        match gate {
            StopGate::Open if held => self.begin_stop(now, self.down.clone(), Then::Stay, actions),
            StopGate::Open | StopGate::Closed => {}
        }
    }

    pub(crate) fn on_tick(&mut self, now: Moment, actions: &mut Vec<Action>) {
        if self.wake_at().is_none_or(|at| at > now) {
            return;
        }
        match &self.phase {
            Phase::WaitingForBackoff { .. } => {
                self.restarts += u64::from(!self.waits_for_room());
                self.start(now, actions);
            }
            Phase::Starting(_) => self.on_start_due(now, actions),
            Phase::Running { .. } => self.on_vitals_due(now, actions),
            Phase::Stopping { .. } => self.on_stop_due(now, actions),
            Phase::Stopped
            | Phase::WaitingForDependency
            | Phase::Paused { .. }
            | Phase::Completed
            | Phase::Failed => {}
        }
    }

    /// What it says of itself.
    pub fn said(&self) -> Option<&str> {
        self.said.as_deref()
    }

    /// How its live run says that it feels.
    pub fn feels(&self) -> Option<Health> {
        self.feels
    }
}
