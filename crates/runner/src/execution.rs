//! The one trait behind which a kind of execution stands: processes of a keeper, tasks, a model in a simulation.

use mainstay_decide::{Memory, QuestionId};
use mainstay_model::{RunId, ServiceId, Signal, Spec};

/// A process (or task) to make.
#[derive(Debug)]
pub struct Spawn<'a> {
    /// Of which service.
    pub id: &'a ServiceId,
    /// Its run.
    pub run: RunId,
    /// Restarts in a row before it.
    pub attempt: u32,
    /// What to make.
    pub spec: &'a Spec,
    /// What to remember of the service while this runs.
    pub memory: Memory,
}

/// A kind of execution. Nothing here answers or fails: answers come back as events, in their own time.
pub trait Execution {
    /// Makes a process; answered by `Spawned` or `NotSpawned`, and later by `Exited`.
    fn spawn(&mut self, spawn: Spawn<'_>);
    /// Sends this to the run's process group.
    fn signal(&mut self, id: &ServiceId, run: RunId, signal: Signal);
    /// Kills everything of the run.
    fn kill(&mut self, id: &ServiceId, run: RunId);
    /// Asks the run's check once; answered by `Answered` with this question. Nobody waits for the answer to an earlier one.
    fn ask(&mut self, id: &ServiceId, run: RunId, question: QuestionId, spec: &Spec);
    /// The run's end was taken in; from now on this is to be remembered. It comes again for the same run when only that has
    /// changed.
    fn acknowledge(&mut self, id: &ServiceId, run: RunId, memory: Option<Memory>);
    /// The service is no more.
    fn forget(&mut self, id: &ServiceId);
}
