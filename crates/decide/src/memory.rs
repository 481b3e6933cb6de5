//! What a service must remember across the death of whoever holds it, and how it comes back from that.

use std::sync::Arc;

use mainstay_model::{Condition, Exit, HookName, Moment, PhaseName, ReadyCheck, Reason, RunId, Spec};

use crate::{
    phase::{Action, Doing, Goal, Phase, Stage, Start, StartGate, Step, StopGate, Then},
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

/// What can be seen of hooks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SeenHooks {
    /// The one that runs, or whose end follows as an event, and its run.
    pub live: Option<(HookName, RunId)>,
    /// The latest run whose after-start hook has ended.
    pub after_start: RunId,
}

/// What is remembered and seen of a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// What was remembered.
    pub memory: Option<Memory>,
    /// What is there.
    pub live: Live,
    /// And beside it.
    pub hooks: SeenHooks,
}

impl From<(Option<Memory>, Live)> for Found {
    fn from((memory, live): (Option<Memory>, Live)) -> Self {
        Self { memory, live, hooks: SeenHooks::default() }
    }
}

impl Service {
    /// What must be remembered now.
    pub fn memory(&self) -> Memory {
        let phase = self.phase_to_remember();
        let stopped = phase == PhaseName::Stopped && self.phase != Phase::Stopped;
        Memory {
            phase,
            reason: if stopped { self.down.clone() } else { self.reason.clone() },
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

    /// One without a process is `stopping` only as long as what follows depends on how that ended.
    fn phase_to_remember(&self) -> PhaseName {
        match &self.phase {
            Phase::Stopping { stage: Stage::Cleaning { .. } | Stage::Unmade, then, .. } => match then {
                Then::End => PhaseName::Stopping,
                Then::Again | Then::Fail => PhaseName::Waiting,
                Then::Stay => PhaseName::Stopped,
            },
            phase => phase.name(),
        }
    }

    /// The service as it was remembered, as far as what is seen agrees; what is seen wins. A live one that has a check is
    /// asked again: nobody saw what its last answer was.
    pub fn recall(spec: Arc<Spec>, goal: Goal, seen: Found, now: Moment) -> (Self, Decision) {
        let mut service = Self::new(spec, now);
        let mut decision = Decision::default();
        service.goal = goal;
        service.hooked = seen.hooks.after_start;
        service.silence_limit = service.spec.watchdog;
        let (phase, until) = match seen.memory {
            None => (PhaseName::Stopped, None),
            Some(memory) => {
                service.is_recalled = true;
                service.reason = memory.reason;
                // The machine may have been started anew since, and its clock with it.
                service.since = memory.since.min(now);
                service.attempts = memory.attempts;
                service.restarts = memory.restarts;
                service.exit = memory.exit;
                let until = memory.until.map(|until| match memory.since > now {
                    true => now + until.since(memory.since),
                    false => until,
                });
                (memory.phase, until)
            }
        };
        // It was paused and then asked to end, and how much of that was said nobody knows.
        if let (Live::Running(run, _), PhaseName::Stopping) = (seen.live, phase) {
            decision.actions.push(Action::Resume { run });
        }
        match seen.live {
            Live::Spawning(run) | Live::Ending(run) => {
                service.run = run;
                // Also when it was ready once: it is over or may be, and nothing is to start upon it.
                service.phase = Phase::Starting(Start { run, step: Step::Spawning });
                service.reason = Reason::Spawning { attempt: service.attempts };
            }
            Live::Running(run, pid) if phase == PhaseName::Paused => {
                service.run = run;
                service.phase = Phase::Paused { run, pid };
                service.reason = Reason::Paused;
            }
            Live::Running(run, pid) if !is_beside(seen.hooks, run) => {
                service.recall_running(now, run, pid, &mut decision.actions);
            }
            Live::Running(run, _) => service.run = run,
            Live::Over(run) if phase == PhaseName::Stopping => {
                service.run = run;
                if !is_cleaned_up(seen.hooks, run) {
                    service.clean_up_again(now, run, &mut decision.actions);
                }
            }
            Live::Over(run) => {
                service.run = run;
                service.recall_over(phase, until);
            }
        }
        if let Some((hook, run)) = seen.hooks.live {
            service.recall_hook(now, seen.live, (hook, run), phase, &mut decision.actions);
        }
        (service, decision)
    }

    /// A hook that an earlier daemon began is waited for as if nothing had happened, as long as somebody wants to know.
    /// One that nobody waits for is killed.
    fn recall_hook(
        &mut self,
        now: Moment,
        live: Live,
        (hook, run): (HookName, RunId),
        remembered: PhaseName,
        actions: &mut Vec<Action>,
    ) {
        let until = self.spec.hook(hook).map_or(now, |hook| now + hook.timeout);
        let then = match self.goal {
            Goal::Up => Then::Again,
            Goal::Down => Then::Stay,
        };
        match (hook, live) {
            (HookName::BeforeStart, Live::Over(last)) if run > last => {
                self.run = run;
                self.phase = Phase::Starting(Start { run, step: Step::Before { until } });
                self.reason = Reason::Hook { hook };
            }
            (HookName::AfterStart, Live::Running(of, pid)) if of == run => {
                self.phase = Phase::Starting(Start { run, step: Step::After { pid, until } });
                self.reason = Reason::Hook { hook };
            }
            (HookName::BeforeStop, Live::Running(of, pid)) if of == run => {
                let (pid, stage, cause) = (Some(pid), Stage::Preparing { until }, self.down.clone());
                self.phase = Phase::Stopping { run, pid, stage, cause, then };
                self.reason = Reason::Hook { hook };
            }
            (HookName::AfterStop, Live::Over(of) | Live::Ending(of)) if of == run => {
                let exit = self.exit.unwrap_or(Exit::Unknown);
                let (stage, cause) = (Stage::Cleaning { until, exit }, Reason::Exited(exit));
                let then = if remembered == PhaseName::Stopping { Then::End } else { then };
                self.phase = Phase::Stopping { run, pid: None, stage, cause, then };
                self.reason = Reason::Hook { hook };
            }
            (HookName::Reload, Live::Running(of, _)) if of == run => match &mut self.phase {
                Phase::Running { vitals, .. } => {
                    vitals.doing = Doing::ReloadHook { until };
                    self.tell_running();
                }
                _ => {
                    actions.push(Action::KillHook { run, hook });
                    self.unloading = Some(run);
                }
            },
            _ => actions.push(Action::KillHook { run, hook }),
        }
    }

    /// It ended, and nobody knows whether its after-stop hook did: that runs again. Without one, what follows its end does.
    fn clean_up_again(&mut self, now: Moment, run: RunId, actions: &mut Vec<Action>) {
        let exit = self.exit.unwrap_or(Exit::Unknown);
        let (cause, hook) = (Reason::Exited(exit), HookName::AfterStop);
        match self.spec.hook(hook).map(|hook| now + hook.timeout) {
            Some(until) => {
                let stage = Stage::Cleaning { until, exit };
                self.phase = Phase::Stopping { run, pid: None, stage, cause, then: Then::End };
                self.reason = Reason::Hook { hook };
                actions.push(Action::RunHook { run, hook });
            }
            None => {
                // Nobody knows the gate yet.
                self.start_gate = StartGate::Closed { on: self.spec.id.clone(), until: Condition::Started };
                self.finish(now, Then::End, cause, Some(exit), actions);
            }
        }
    }

    fn recall_running(&mut self, now: Moment, run: RunId, pid: u32, actions: &mut Vec<Action>) {
        self.run = run;
        let check = self.spec.ready.as_ref().map(|policy| &policy.check);
        match check {
            Some(ReadyCheck::After(span)) if self.since + *span <= now => {
                self.become_ready(now, run, pid, actions);
                self.reason = match &self.phase {
                    Phase::Running { .. } => self.running_reason(),
                    _ => Reason::Hook { hook: HookName::AfterStart },
                };
            }
            Some(ReadyCheck::After(_)) => self.begin_asking(self.since, run, pid, actions),
            None
            | Some(ReadyCheck::Probe(_) | ReadyCheck::Log(_) | ReadyCheck::Notify | ReadyCheck::Fd(_)) => {
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

/// Whether the after-stop hook of this run is under way.
fn is_cleaned_up(hooks: SeenHooks, of: RunId) -> bool {
    hooks.live == Some((HookName::AfterStop, of))
}

/// Whether a hook is under way that stands between this run and its running.
fn is_beside(hooks: SeenHooks, of: RunId) -> bool {
    matches!(hooks.live, Some((HookName::AfterStart | HookName::BeforeStop, run)) if run == of)
}
