//! What a service must remember across the death of whoever holds it, and how it comes back from that.

use std::sync::Arc;

use mainstay_model::{Exit, Moment, PhaseName, ReadyCheck, Reason, RunId, Spec};

use crate::{
    phase::{Action, Goal, Phase, Start, StartGate, Step, StopGate},
    service::{Decision, Service},
};

/// The code of [`Reason::Ended`].
const ENDED: &str = "ended";

/// What cannot be seen from outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Memory {
    /// Its phase.
    pub phase: PhaseName,
    /// Why.
    pub reason: Reason,
    /// When the phase began.
    pub since: Moment,
    /// Restarts in a row.
    pub attempts: u32,
    /// Restarts in all.
    pub restarts: u64,
    /// How the latest ended run ended.
    pub exit: Option<Exit>,
    /// When the backoff ends.
    pub until: Option<Moment>,
}

/// What can be seen: the latest run, and whether it lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Live {
    /// Its process is being made.
    Spawning(RunId),
    /// Its process is there.
    Running(RunId, u32),
    /// It is over; its end follows as an event.
    Ending(RunId),
    /// It is over, and its end was taken in; 0: there was none.
    Over(RunId),
}

impl Service {
    /// What must be remembered now.
    pub fn memory(&self) -> Memory {
        Memory {
            phase: self.phase.name(),
            reason: self.reason.clone(),
            since: self.since,
            attempts: self.attempts,
            restarts: self.restarts,
            exit: self.exit,
            until: match self.phase {
                Phase::WaitingForBackoff { until } => Some(until),
                _ => None,
            },
        }
    }

    /// The service as it was remembered, as far as what is seen agrees; what is seen wins. A live one that has a check is
    /// asked again: nobody saw what its last answer was.
    pub fn recall(
        spec: Arc<Spec>,
        goal: Goal,
        memory: Option<Memory>,
        live: Live,
        now: Moment,
    ) -> (Self, Decision) {
        let mut service = Self::new(spec, now);
        let mut decision = Decision::default();
        service.goal = goal;
        let (phase, until) = match memory {
            None => (PhaseName::Stopped, None),
            Some(memory) => {
                service.reason = memory.reason;
                service.since = memory.since;
                service.attempts = memory.attempts;
                service.restarts = memory.restarts;
                service.exit = memory.exit;
                (memory.phase, memory.until)
            }
        };
        match live {
            Live::Spawning(run) | Live::Ending(run) => {
                service.run = run;
                // Also when it was ready once: it is over or may be, and nothing is to start upon it.
                service.phase = Phase::Starting(Start { run, step: Step::Spawning });
                service.reason = Reason::Spawning { attempt: service.attempts };
            }
            Live::Running(run, pid) => service.recall_running(now, run, pid, &mut decision.actions),
            Live::Over(run) => {
                service.run = run;
                service.recall_over(phase, until);
            }
        }
        (service, decision)
    }

    fn recall_running(&mut self, now: Moment, run: RunId, pid: u32, actions: &mut Vec<Action>) {
        self.run = run;
        let check = self.spec.ready.as_ref().map(|policy| &policy.check);
        match check {
            Some(ReadyCheck::After(span)) if self.since + *span <= now => {
                self.phase = Phase::Running { run, pid };
                self.reason = self.running_reason();
            }
            Some(ReadyCheck::After(_)) => self.begin_asking(self.since, run, pid, actions),
            None | Some(ReadyCheck::Tcp(_) | ReadyCheck::Exec(_)) => {
                self.begin_asking(now, run, pid, actions);
            }
        }
    }

    fn recall_over(&mut self, phase: PhaseName, until: Option<Moment>) {
        // One that its policy left stopped is wanted and stays; one that somebody stopped was started again since.
        let ended = self.reason.code() == ENDED;
        self.phase = match (phase, until, self.goal) {
            (PhaseName::Completed, _, _) => Phase::Completed,
            (PhaseName::Failed, _, Goal::Up) => Phase::Failed,
            (PhaseName::Stopped, _, Goal::Up) if ended => Phase::Stopped,
            (_, Some(until), Goal::Up) => Phase::WaitingForBackoff { until },
            (_, None, Goal::Up) => Phase::WaitingForDependency,
            (_, _, Goal::Down) => Phase::Stopped,
        };
        if self.phase == Phase::Stopped && (phase != PhaseName::Stopped || (ended && self.goal == Goal::Down))
        {
            self.reason = Reason::StopRequested;
        }
    }

    /// The start gate.
    pub fn start_gate(&self) -> &StartGate {
        &self.start_gate
    }

    /// The stop gate.
    pub fn stop_gate(&self) -> StopGate {
        self.stop_gate
    }
}
