//! The one trait behind which a kind of execution stands: processes of a keeper, tasks, a model in a simulation.

use mainstay_decide::{Check, Memory, QuestionId};
use mainstay_model::{HookName, RunId, ServiceId, Signal, Spec};

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
    /// Sends this to the run's main process alone.
    fn signal_main(&mut self, id: &ServiceId, run: RunId, signal: Signal);
    /// Kills everything of the run.
    fn kill(&mut self, id: &ServiceId, run: RunId);
    /// Freezes everything of the run.
    fn pause(&mut self, id: &ServiceId, run: RunId);
    /// Lets everything of the run go on.
    fn resume(&mut self, id: &ServiceId, run: RunId);
    /// Asks a check once; answered by `Answered` with this question. Nobody waits for the answer to an earlier one.
    fn ask(&mut self, id: &ServiceId, run: RunId, check: Check, question: QuestionId, spec: &Spec);
    /// Runs a hook; answered by `HookEnded`. One of this name that an earlier daemon began for this run is waited for.
    fn run_hook(&mut self, id: &ServiceId, run: RunId, hook: HookName, spec: &Spec);
    /// Kills a hook; still answered by `HookEnded`.
    fn kill_hook(&mut self, id: &ServiceId, run: RunId, hook: HookName);
    /// The run's end was taken in; from now on this is to be remembered.
    fn acknowledge(&mut self, id: &ServiceId, run: RunId, memory: Option<Memory>);
    /// From now on this is to be remembered; nothing is said of the run, which may live, have ended, or never be made.
    fn remember(&mut self, id: &ServiceId, run: RunId, memory: Memory) {
        self.acknowledge(id, run, Some(memory));
    }
    /// The service is no more.
    fn forget(&mut self, id: &ServiceId);
}
