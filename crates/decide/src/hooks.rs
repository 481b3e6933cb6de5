//! The ends of hooks: where each stands in a life, and what its end lets happen.

use mainstay_model::{HookName, Moment, Reason, RunId};

use crate::{
    phase::{Action, Doing, Phase, Stage, Start, Step, Then},
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
        if self.phase.live() != Some(of) {
            return;
        }
        match (hook, &mut self.phase) {
            (HookName::BeforeStart, Phase::Starting(Start { step: Step::Before { .. }, .. })) => match result
            {
                Ok(()) => self.spawn(actions),
                Err(text) => {
                    self.phase = Phase::Stopped;
                    let cause = Reason::HookFailed { hook, text };
                    self.finish(now, Then::End, cause, None, actions);
                    if self.phase.live().is_none() {
                        actions.push(Action::Remember { run: of });
                    }
                }
            },
            (HookName::BeforeStart, Phase::Stopping { stage: Stage::Unmade, then, cause, .. }) => {
                let (then, cause) = (then.clone(), cause.clone());
                self.finish(now, then, cause, None, actions);
            }
            (HookName::AfterStart, Phase::Starting(Start { run, step: Step::After { pid, .. } })) => {
                let (run, pid) = (*run, *pid);
                self.hooked = run;
                self.on_after_start(now, run, pid, result, actions);
            }
            (HookName::BeforeStop, Phase::Stopping { stage: Stage::Preparing { .. }, .. }) => {
                self.ask_to_end(now, actions);
            }
            (
                HookName::AfterStop,
                Phase::Stopping { stage: Stage::Cleaning { exit, .. }, then, cause, run, .. },
            ) => {
                let (exit, then, cause, run) = (*exit, then.clone(), cause.clone(), *run);
                self.finish(now, then, cause, Some(exit), actions);
                if self.phase.live().is_none() {
                    actions.push(Action::Remember { run });
                }
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
}
