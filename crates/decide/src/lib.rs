//! The brain: events and the time go in, actions and reasons come out. It touches nothing: no clock, no file, no randomness.
//!
//! [`Service`] is the state machine of one instance. [`Project`] is the layer above: it knows who needs whom, opens and
//! closes the gates of each service, and never reaches into one.

mod absence;
mod backoff;
mod change;
mod describe;
mod end;
mod explain;
mod graph;
mod hooks;
mod memory;
mod phase;
mod plan;
mod probation;
mod project;
mod report;
mod rolling;
mod select;
mod service;
mod settle;
mod start;
mod status;
mod vitals;

pub use absence::is_absence;
pub use backoff::backoff;
pub use change::Change;
pub use explain::{
    Asker, Explanation, Link, LogTrouble, Past, PastAct, PastApply, PastChange, Reading, Situation, Try,
    explain, failing_since, last_seen,
};
pub use graph::{Graph, GraphError};
pub use memory::{Found, Live, Memory, SeenHooks};
pub use phase::{
    Action, Check, Doing, Event, Goal, Notice, Phase, QuestionId, Silence, Stage, Start, StartGate, Step,
    StopGate, Then, Vitals,
};
pub use plan::{Planned, PlannedAct};
pub use probation::{Probation, Verdict};
pub use project::{Outcome, Project};
pub use report::{Account, Entry, Outage, Report, Unseen};
pub use rolling::{AskedRestart, Turn};
pub use select::{glob_matches, select};
pub use service::{Decision, Service};
pub use settle::{Awaited, SETTLING, Standing};
pub use status::sum;
