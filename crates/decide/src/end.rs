//! The way of an end: how a process is asked to end, and what follows when it has. Knows nothing of starts but that they are.

use mainstay_model::{Attempts, Exit, Kind, Moment, Reason, RestartWhen, RunId, Signal};

use crate::{
    backoff,
    phase::{Action, Goal, Phase, Then},
    service::Service,
};

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
            self.exit = exit.or(self.exit);
            let phase = std::mem::replace(&mut self.phase, Phase::Stopped);
            match phase {
                Phase::Stopping { then: Then::Again, .. } => self.start_afresh(actions),
                Phase::Stopping { then: Then::Stay, .. } => self.reason = self.down.clone(),
                Phase::Stopping { then: Then::Fail, cause, .. } => self.follow_failure(now, cause, actions),
                // A oneshot that was not asked to end yet and ended well has done its work.
                _ if self.goal == Goal::Down
                    && !(self.spec.kind == Kind::Oneshot && self.is_success(exit)) =>
                {
                    self.reason = self.down.clone();
                }
                Phase::Running { .. } => {
                    if now.since(self.since) >= self.spec.restart.reset_after {
                        self.attempts = 0;
                    }
                    self.follow_end(now, cause, exit, actions);
                }
                _ => self.follow_end(now, cause, exit, actions),
            }
        }
        // The acknowledgement remembers as well.
        actions.retain(|action| !matches!(action, Action::Remember { .. }));
        // Before any spawn: whoever told the end keeps it until then, and makes room for the next run.
        actions.insert(0, Action::Acknowledge { run });
    }

    fn is_success(&self, exit: Option<Exit>) -> bool {
        matches!(exit, Some(Exit::Code(code)) if self.spec.restart.success_exit_codes.contains(&code))
    }

    pub(crate) fn begin_stop(&mut self, now: Moment, cause: Reason, then: Then, actions: &mut Vec<Action>) {
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

    pub(crate) fn stopping_reason(&self) -> Reason {
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
