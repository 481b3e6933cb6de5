//! The way of an end: how a process is asked to end, and what follows when it has. Knows nothing of starts but that they are.

use std::time::Duration;

use mainstay_model::{
    Attempts, Exit, HookName, Kind, Moment, Reason, RestartWhen, RunId, Signal, SpawnFailureKind, StopPolicy,
    span_text,
};

use crate::{
    backoff,
    phase::{Action, Doing, Goal, Phase, Stage, Start, Step, Then, Vitals},
    service::Service,
};

/// The least wait of one for which there was no room, so that a machine without any is not kept busy by all who find none.
const WAIT_FOR_ROOM: Duration = Duration::from_secs(5);

impl Service {
    pub(crate) fn on_end(
        &mut self,
        now: Moment,
        run: RunId,
        cause: Reason,
        exit: Option<Exit>,
        actions: &mut Vec<Action>,
    ) {
        if self.phase.live() == Some(run) {
            self.take_end(now, run, cause, exit, actions);
        }
        // The acknowledgement remembers as well.
        actions.retain(|action| !matches!(action, Action::Remember { .. }));
        // Before any spawn: whoever told the end keeps it until then, and makes room for the next run.
        actions.insert(0, Action::Acknowledge { run });
    }

    fn take_end(
        &mut self,
        now: Moment,
        run: RunId,
        cause: Reason,
        exit: Option<Exit>,
        actions: &mut Vec<Action>,
    ) {
        if exit.is_some() {
            (self.exit, self.exit_of) = (exit, run);
        }
        if let Phase::Stopping { stage: Stage::Cleaning { exit: known, .. }, then, cause: why, .. } =
            &mut self.phase
        {
            // Its hook was seen to run, and its end was not: this is it.
            *known = exit.unwrap_or(*known);
            if *then == Then::End {
                *why = cause;
            }
            return;
        }
        self.end_row(now);
        self.kill_hook(actions);
        let (then, cause) = match &self.phase {
            Phase::Stopping { then, cause: why, .. } => (then.clone(), why.clone()),
            _ => (Then::End, cause),
        };
        match (self.spec.hook(HookName::AfterStop), exit) {
            (Some(hook), Some(exit)) => {
                let stage = Stage::Cleaning { until: now + hook.timeout, exit };
                self.phase = Phase::Stopping { run, pid: None, stage, cause, then };
                self.reason = self.stopping_reason();
                actions.push(Action::RunHook { run, hook: HookName::AfterStop });
            }
            _ => self.finish(now, then, cause, exit, actions),
        }
    }

    /// One that ran for so long begins a new row of restarts, however it ends.
    pub(crate) fn end_row(&mut self, now: Moment) {
        let long = now.since(self.since) >= self.spec.restart.reset_after;
        if long && matches!(self.phase, Phase::Running { .. }) {
            self.attempts = 0;
        }
    }

    /// Whether its process has ended, and only its after-stop hook is left.
    pub(crate) fn is_over(&self) -> bool {
        matches!(self.phase, Phase::Stopping { stage: Stage::Cleaning { .. }, .. })
    }

    /// Whether that process was a oneshot's that has done what it is described to do.
    pub(crate) fn is_done(&self) -> bool {
        let Phase::Stopping { stage: Stage::Cleaning { exit, .. }, .. } = &self.phase else { return false };
        self.has_done(Some(*exit))
    }

    /// Whether such an end is that of a oneshot that has done what it is described to do.
    fn has_done(&self, exit: Option<Exit>) -> bool {
        self.spec.kind == Kind::Oneshot && !self.outdated && self.is_success(exit)
    }

    /// It is over, and all that belongs to its end: what follows.
    pub(crate) fn finish(
        &mut self,
        now: Moment,
        then: Then,
        cause: Reason,
        exit: Option<Exit>,
        actions: &mut Vec<Action>,
    ) {
        self.phase = Phase::Stopped;
        match then {
            Then::Again => self.start_afresh(now, actions),
            Then::Stay => self.reason = self.down.clone(),
            Then::Fail => self.follow_failure(now, cause, actions),
            // A oneshot that was not asked to end yet and ended well has done its work.
            Then::End if self.goal == Goal::Down && !self.has_done(exit) => {
                self.reason = self.down.clone();
            }
            // It never ran, and that is not its fault: it is no end, and counts for nothing.
            Then::End if is_of(&cause, SpawnFailureKind::Interrupted) => self.start(now, actions),
            Then::End if is_of(&cause, SpawnFailureKind::NoResources) => self.wait_for_room(now, cause),
            Then::End => self.follow_end(now, cause, exit, actions),
        }
    }

    fn is_success(&self, exit: Option<Exit>) -> bool {
        matches!(exit, Some(Exit::Code(code)) if self.spec.restart.success_exit_codes.contains(&code))
    }

    /// Ends what runs: by its before-stop hook first, when it was up.
    /// Whether it is ending because somebody asked for that, and starts again then.
    pub(crate) fn is_to_come_back(&self) -> bool {
        let asked = [Reason::RestartRequested, Reason::StopRequested, Reason::KillRequested];
        matches!(&self.phase, Phase::Stopping { cause, then: Then::Again, .. } if asked.contains(cause))
    }

    pub(crate) fn begin_stop(&mut self, now: Moment, cause: Reason, then: Then, actions: &mut Vec<Action>) {
        let Some(run) = self.phase.live() else { return };
        let pid = self.phase.pid();
        self.kill_hook(actions);
        let hook = self.spec.hook(HookName::BeforeStop).map(|hook| now + hook.timeout);
        let stage = match (&self.phase, hook) {
            (Phase::Starting(Start { step: Step::Before { .. }, .. }), _) => Some(Stage::Unmade),
            (Phase::Running { .. } | Phase::Paused { .. }, Some(until)) => Some(Stage::Preparing { until }),
            _ => None,
        };
        let paused = matches!(self.phase, Phase::Paused { .. });
        if paused {
            actions.push(Action::Resume { run });
        }
        if matches!(stage, Some(Stage::Preparing { .. })) {
            actions.push(Action::RunHook { run, hook: HookName::BeforeStop });
        }
        let asks = stage.is_none();
        self.phase = Phase::Stopping { run, pid, stage: stage.unwrap_or(Stage::Killed), cause, then };
        if paused {
            // What comes after this daemon is not to take it for a frozen one.
            self.remember(actions);
        }
        if asks {
            self.ask_to_end(now, actions);
        } else {
            self.reason = self.stopping_reason();
        }
    }

    /// Asks it to end by its signal; one that is to have no time is killed.
    pub(crate) fn ask_to_end(&mut self, now: Moment, actions: &mut Vec<Action>) {
        let Phase::Stopping { run, stage, cause, .. } = &mut self.phase else { return };
        let policy = &self.spec.stop;
        let signal = stop_signal(policy, cause);
        if signal == Signal::KILL || policy.timeout.is_zero() {
            *stage = Stage::Killed;
            actions.push(Action::Kill { run: *run });
        } else {
            *stage = Stage::Asked { kill_at: now + policy.timeout };
            actions.push(Action::Signal { run: *run, signal });
        }
        self.reason = self.stopping_reason();
    }

    /// What is due of a stop.
    pub(crate) fn on_stop_due(&mut self, now: Moment, actions: &mut Vec<Action>) {
        let Phase::Stopping { run, stage, .. } = &mut self.phase else { return };
        let run = *run;
        match stage {
            Stage::Preparing { .. } => {
                let hook = HookName::BeforeStop;
                actions.push(Action::KillHook { run, hook });
                let limit = self.spec.hook(hook).map(|hook| span_text(hook.timeout)).unwrap_or_default();
                self.note_slip(run, hook, Err(format!("did not end within {limit}, and was killed")));
                self.ask_to_end(now, actions);
            }
            Stage::Asked { .. } => {
                *stage = Stage::Killed;
                actions.push(Action::Kill { run });
                self.reason = self.stopping_reason();
            }
            Stage::Cleaning { until, .. } => {
                *until = Moment::NEVER;
                actions.push(Action::KillHook { run, hook: HookName::AfterStop });
            }
            Stage::Killed | Stage::Unmade => {}
        }
    }

    /// Kills the process and the hook that runs beside it.
    pub(crate) fn kill_all(&mut self, actions: &mut Vec<Action>) {
        let Some(run) = self.phase.live() else { return };
        self.kill_hook(actions);
        let pid = self.phase.pid();
        let cause = Reason::KillRequested;
        let stage = match &mut self.phase {
            Phase::Starting(Start { step: Step::Before { .. }, .. })
            | Phase::Stopping { stage: Stage::Unmade, .. } => Stage::Unmade,
            Phase::Stopping { stage: Stage::Cleaning { until, .. }, then, .. } => {
                *until = Moment::NEVER;
                // One that has ended by itself is judged by that; whatever else was to follow does not.
                if *then != Then::End {
                    *then = Then::Stay;
                }
                return;
            }
            _ => {
                actions.push(Action::Kill { run });
                Stage::Killed
            }
        };
        self.phase = Phase::Stopping { run, pid, stage, cause, then: Then::Stay };
        self.reason = self.stopping_reason();
    }

    /// Kills the hook that is under way; nobody waits for it any more, except where it alone is what runs.
    pub(crate) fn kill_hook(&self, actions: &mut Vec<Action>) {
        let hook = match &self.phase {
            Phase::Starting(Start { step: Step::Before { .. }, .. }) => HookName::BeforeStart,
            Phase::Starting(Start { step: Step::After { .. }, .. }) => HookName::AfterStart,
            Phase::Running { vitals: Vitals { doing: Doing::ReloadHook { .. }, .. }, .. } => HookName::Reload,
            Phase::Stopping { stage: Stage::Preparing { .. }, .. } => HookName::BeforeStop,
            Phase::Stopping { stage: Stage::Cleaning { .. }, .. } => HookName::AfterStop,
            _ => return,
        };
        actions.extend(self.phase.live().map(|run| Action::KillHook { run, hook }));
    }

    /// What follows an end that nobody asked for.
    pub(crate) fn follow_end(
        &mut self,
        now: Moment,
        cause: Reason,
        exit: Option<Exit>,
        actions: &mut Vec<Action>,
    ) {
        let success = self.is_success(exit);
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

    pub(crate) fn follow_failure(&mut self, now: Moment, cause: Reason, actions: &mut Vec<Action>) {
        match self.spec.restart.when {
            RestartWhen::Never => {
                self.phase = Phase::Failed;
                self.reason = Reason::GaveUp { cause: Box::new(cause), attempts: 0 };
            }
            RestartWhen::OnFailure | RestartWhen::Always => self.schedule_restart(now, cause, actions),
        }
    }

    pub(crate) fn schedule_restart(&mut self, now: Moment, cause: Reason, actions: &mut Vec<Action>) {
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

    /// The machine had no room for it, which is no fault of its own and passes: it is tried again for as long as that takes, and
    /// the attempts that it has are left to it.
    fn wait_for_room(&mut self, now: Moment, cause: Reason) {
        let policy = &self.spec.restart;
        let until = now + backoff(policy, self.attempts.saturating_add(1)).max(WAIT_FOR_ROOM);
        self.phase = Phase::WaitingForBackoff { until };
        let (attempt, attempts) = (self.attempts, policy.attempts);
        self.reason = Reason::Backoff { cause: Box::new(cause), until, attempt, attempts };
    }

    /// Whether it has not run since it was started, for want of room.
    pub(crate) fn waits_for_room(&self) -> bool {
        matches!(&self.reason, Reason::Backoff { cause, .. } if is_of(cause, SpawnFailureKind::NoResources))
    }

    pub(crate) fn stopping_reason(&self) -> Reason {
        let Phase::Stopping { stage, cause, .. } = &self.phase else { return self.reason.clone() };
        match stage {
            Stage::Preparing { .. } => Reason::Hook { hook: HookName::BeforeStop },
            Stage::Asked { kill_at } => Reason::Stopping {
                cause: Box::new(cause.clone()),
                signal: stop_signal(&self.spec.stop, cause),
                kill_at: *kill_at,
            },
            Stage::Killed | Stage::Unmade => Reason::Killing { cause: Box::new(cause.clone()) },
            Stage::Cleaning { .. } => Reason::Hook { hook: HookName::AfterStop },
        }
    }
}

/// Whether its process could not be made for this.
fn is_of(cause: &Reason, kind: SpawnFailureKind) -> bool {
    matches!(cause, Reason::NotSpawned(failure) if failure.kind == kind)
}

/// One that hangs is asked to show where (systemd's `WatchdogSignal=`).
fn stop_signal(policy: &StopPolicy, cause: &Reason) -> Signal {
    match cause {
        Reason::Silent { .. } | Reason::WatchdogTriggered => Signal::ABRT,
        _ => policy.signal,
    }
}
