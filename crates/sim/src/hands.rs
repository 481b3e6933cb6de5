//! The execution of a simulated daemon: it notes what is asked for, in order, and does nothing.

use std::{cell::RefCell, rc::Rc};

use mainstay_decide::{Check, Memory, QuestionId};
use mainstay_model::{HookName, RunId, ServiceId, Signal, Spec};
use mainstay_runner::{Execution, Spawn};

/// Something that the daemon asks its hands for.
#[derive(Clone, Debug)]
pub(crate) struct Command {
    pub(crate) id: ServiceId,
    pub(crate) act: Act,
}

/// What it asks for.
#[derive(Clone, Debug)]
pub(crate) enum Act {
    Spawn {
        run: RunId,
        attempt: u32,
        spec: Box<Spec>,
        memory: Box<Memory>,
    },
    Signal {
        run: RunId,
        signal: Signal,
    },
    SignalMain {
        run: RunId,
        signal: Signal,
    },
    Kill {
        run: RunId,
    },
    Pause {
        run: RunId,
    },
    Resume {
        run: RunId,
    },
    Ask {
        run: RunId,
        check: Check,
        question: QuestionId,
        spec: Box<Spec>,
    },
    RunHook {
        run: RunId,
        hook: HookName,
        spec: Box<Spec>,
    },
    KillHook {
        run: RunId,
        hook: HookName,
    },
    Acknowledge {
        run: RunId,
        memory: Option<Box<Memory>>,
    },
    Remember {
        run: RunId,
        memory: Box<Memory>,
    },
    /// The end of a hook was taken in: hands do that by themselves.
    AcknowledgeHook {
        run: RunId,
        hook: HookName,
    },
    Forget,
}

impl Act {
    /// The word for it.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Spawn { .. } => "spawn",
            Self::Signal { .. } => "signal",
            Self::SignalMain { .. } => "signal main",
            Self::Kill { .. } => "kill",
            Self::Pause { .. } => "pause",
            Self::Resume { .. } => "resume",
            Self::Ask { check: Check::Ready, .. } => "ask",
            Self::Ask { check: Check::Health, .. } => "ask health",
            Self::RunHook { hook, .. } => hook.as_str(),
            Self::KillHook { .. } => "kill hook",
            Self::Acknowledge { .. } => "acknowledge",
            Self::Remember { .. } => "remember",
            Self::AcknowledgeHook { .. } => "acknowledge hook",
            Self::Forget => "forget",
        }
    }

    /// For a log.
    pub(crate) fn text(&self) -> String {
        match self {
            Self::Spawn { run, attempt, .. } => format!("spawn run {run} attempt {attempt}"),
            Self::Signal { run, signal } => format!("signal run {run} {signal}"),
            Self::SignalMain { run, signal } => format!("signal main of run {run} {signal}"),
            Self::Kill { run } => format!("kill run {run}"),
            Self::Pause { run } => format!("pause run {run}"),
            Self::Resume { run } => format!("resume run {run}"),
            Self::Ask { run, check, question, .. } => {
                format!("ask {check:?} run {run} question {}", question.0)
            }
            Self::RunHook { run, hook, .. } => format!("run {hook} of run {run}"),
            Self::KillHook { run, hook } => format!("kill {hook} of run {run}"),
            Self::Acknowledge { run, memory } => {
                let phase = memory.as_ref().map_or("nothing", |memory| memory.phase.as_str());
                format!("acknowledge run {run}, remember {phase}")
            }
            Self::Remember { run, memory } => format!("remember run {run} {}", memory.phase),
            Self::AcknowledgeHook { run, hook } => format!("acknowledge {hook} of run {run}"),
            Self::Forget => "forget".to_owned(),
        }
    }
}

/// What was asked for and is not taken yet; it outlives the daemon.
#[derive(Clone, Debug, Default)]
pub(crate) struct Hands(Rc<RefCell<Vec<Command>>>);

impl Hands {
    /// Takes what was asked for since the last time.
    pub(crate) fn take(&self) -> Vec<Command> {
        self.0.take()
    }

    fn note(&self, id: &ServiceId, act: Act) {
        self.0.borrow_mut().push(Command { id: id.clone(), act });
    }
}

impl Execution for Hands {
    fn spawn(&mut self, spawn: Spawn<'_>) {
        let (spec, memory) = (Box::new(spawn.spec.clone()), Box::new(spawn.memory));
        self.note(spawn.id, Act::Spawn { run: spawn.run, attempt: spawn.attempt, spec, memory });
    }

    fn signal(&mut self, id: &ServiceId, run: RunId, signal: Signal) {
        self.note(id, Act::Signal { run, signal });
    }

    fn signal_main(&mut self, id: &ServiceId, run: RunId, signal: Signal) {
        self.note(id, Act::SignalMain { run, signal });
    }

    fn kill(&mut self, id: &ServiceId, run: RunId) {
        self.note(id, Act::Kill { run });
    }

    fn pause(&mut self, id: &ServiceId, run: RunId) {
        self.note(id, Act::Pause { run });
    }

    fn resume(&mut self, id: &ServiceId, run: RunId) {
        self.note(id, Act::Resume { run });
    }

    fn ask(&mut self, id: &ServiceId, run: RunId, check: Check, question: QuestionId, spec: &Spec) {
        self.note(id, Act::Ask { run, check, question, spec: Box::new(spec.clone()) });
    }

    fn run_hook(&mut self, id: &ServiceId, run: RunId, hook: HookName, spec: &Spec) {
        self.note(id, Act::RunHook { run, hook, spec: Box::new(spec.clone()) });
    }

    fn kill_hook(&mut self, id: &ServiceId, run: RunId, hook: HookName) {
        self.note(id, Act::KillHook { run, hook });
    }

    fn acknowledge(&mut self, id: &ServiceId, run: RunId, memory: Option<Memory>) {
        self.note(id, Act::Acknowledge { run, memory: memory.map(Box::new) });
    }

    fn remember(&mut self, id: &ServiceId, run: RunId, memory: Memory) {
        self.note(id, Act::Remember { run, memory: Box::new(memory) });
    }

    fn forget(&mut self, id: &ServiceId) {
        self.note(id, Act::Forget);
    }
}
