//! The execution of a simulated daemon: it notes what is asked for, in order, and does nothing.

use std::{cell::RefCell, rc::Rc};

use mainstay_decide::{Memory, QuestionId};
use mainstay_model::{RunId, ServiceId, Signal, Spec};
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
    Spawn { run: RunId, attempt: u32, spec: Box<Spec>, memory: Box<Memory> },
    Signal { run: RunId, signal: Signal },
    Kill { run: RunId },
    Ask { run: RunId, question: QuestionId, spec: Box<Spec> },
    Acknowledge { run: RunId, memory: Option<Box<Memory>> },
    Forget,
}

impl Act {
    /// The word for it.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Spawn { .. } => "spawn",
            Self::Signal { .. } => "signal",
            Self::Kill { .. } => "kill",
            Self::Ask { .. } => "ask",
            Self::Acknowledge { .. } => "acknowledge",
            Self::Forget => "forget",
        }
    }

    /// For a log.
    pub(crate) fn text(&self) -> String {
        match self {
            Self::Spawn { run, attempt, .. } => format!("spawn run {run} attempt {attempt}"),
            Self::Signal { run, signal } => format!("signal run {run} {signal}"),
            Self::Kill { run } => format!("kill run {run}"),
            Self::Ask { run, question, .. } => format!("ask run {run} question {}", question.0),
            Self::Acknowledge { run, memory } => {
                let phase = memory.as_ref().map_or("nothing", |memory| memory.phase.as_str());
                format!("acknowledge run {run}, remember {phase}")
            }
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

    fn kill(&mut self, id: &ServiceId, run: RunId) {
        self.note(id, Act::Kill { run });
    }

    fn ask(&mut self, id: &ServiceId, run: RunId, question: QuestionId, spec: &Spec) {
        self.note(id, Act::Ask { run, question, spec: Box::new(spec.clone()) });
    }

    fn acknowledge(&mut self, id: &ServiceId, run: RunId, memory: Option<Memory>) {
        self.note(id, Act::Acknowledge { run, memory: memory.map(Box::new) });
    }

    fn forget(&mut self, id: &ServiceId) {
        self.note(id, Act::Forget);
    }
}
