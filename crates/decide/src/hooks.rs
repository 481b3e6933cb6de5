//! The ends of hooks: where each stands in a life, and what its end lets happen.

use mainstay_model::{Exit, HookName, Moment, Reason, RunId};

use crate::{
    phase::{Action, Doing, Goal, Phase, Stage, Start, Step, Then},
    service::Service,
};

impl Service {
    /// One of its hooks ended. One that is no longer waited for was killed, and means nothing.
    pub(crate) fn on_hook_ended(
        &mut self,
        now: Moment,
        of: RunId,
        hook: HookName,
        result: Result<(), String>,
        actions: &mut Vec<Action>,
    ) {
        if hook == HookName::Reload && self.unloading.take_if(|run| *run == of).is_some() {
            return;
        }
        if self.phase.live() != Some(of) {
            return;
        }
        match (hook, &mut self.phase) {
            (HookName::BeforeStart, Phase::Starting(Start { step: Step::Before { .. }, .. })) => match result
            {
                Ok(()) if self.goal == Goal::Up => self.spawn(actions),
                // Held for others: they have gone without it so far.
                Ok(()) => self.finish_remembered(now, Then::Stay, self.down.clone(), None, actions),
                Err(text) => {
                    let cause = Reason::HookFailed { hook, text };
                    self.finish_remembered(now, Then::End, cause, None, actions);
                }
            },
            (HookName::BeforeStart, Phase::Stopping { stage: Stage::Unmade, then, cause, .. }) => {
                let (then, cause) = (then.clone(), cause.clone());
                self.finish_remembered(now, then, cause, None, actions);
            }
            (HookName::AfterStart, Phase::Starting(Start { run, step: Step::After { pid, .. } })) => {
                let (run, pid) = (*run, *pid);
                self.hooked = run;
                self.on_after_start(now, run, pid, result, actions);
            }
            (HookName::BeforeStop, Phase::Stopping { stage: Stage::Preparing { .. }, .. }) => {
                self.note_slip(of, hook, result);
                self.ask_to_end(now, actions);
            }
            (
                HookName::AfterStop,
                Phase::Stopping { stage: Stage::Cleaning { exit, .. }, then, cause, .. },
            ) => {
                let (exit, then, cause) = (*exit, then.clone(), cause.clone());
                self.note_slip(of, hook, result);
                self.finish_remembered(now, then, cause, Some(exit), actions);
            }
            (HookName::Reload, Phase::Running { vitals, .. })
                if matches!(vitals.doing, Doing::ReloadHook { .. }) =>
            {
                vitals.doing = Doing::Work;
                self.reloaded = Some(result);
                self.tell_running();
            }
            _ => {}
        }
    }

    /// A hook of the end of this run did not do what it was to do: nothing waits for that, and somebody wants to know.
    pub(crate) fn note_slip(&mut self, of: RunId, hook: HookName, result: Result<(), String>) {
        let Err(text) = result else { return };
        if self.slips.0 != of {
            self.slips = (of, Vec::new());
        }
        self.slips.1.push(Reason::HookFailed { hook, text });
    }

    /// This reason, with what went wrong at the end of that run.
    pub(crate) fn beside_slips(&self, of: RunId, reason: Reason) -> Reason {
        let (run, slips) = &self.slips;
        let slips: Vec<String> =
            slips.iter().filter(|_| *run == of).map(|slip| slip.sentence(Moment::ZERO)).collect();
        match slips.is_empty() {
            true => reason,
            false => Reason::Besides { reason: Box::new(reason), aside: slips.join(", and ") },
        }
    }

    /// No end of a process goes with this one, whose acknowledgement would remember it.
    fn finish_remembered(
        &mut self,
        now: Moment,
        then: Then,
        cause: Reason,
        exit: Option<Exit>,
        actions: &mut Vec<Action>,
    ) {
        self.finish(now, then, cause, exit, actions);
        let remembered = actions.iter().any(|action| matches!(action, Action::Remember { .. }));
        if self.phase.live().is_none() && !remembered {
            self.remember(actions);
        }
    }
}
