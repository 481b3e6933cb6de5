//! The nouns of Mainstay: what a service is, what it is doing, and why. They do no I/O and know no file format.

mod care;
mod exit;
mod failure;
mod fields;
mod id;
mod moment;
mod phase;
mod reason;
mod secret;
mod sentence;
mod signal;
mod spec;
mod status;

pub use care::{
    HealthPolicy, Hook, HookName, Hooks, HttpProbe, Probe, ReadyCheck, ReadyPolicy, Reload, cut, is_command,
    one_line,
};
pub use exit::Exit;
pub use failure::{SpawnFailure, SpawnFailureKind};
pub use fields::Difference;
pub use id::{NameError, RunId, ServiceId, ServiceName};
pub use moment::Moment;
pub use phase::{Health, PhaseName};
pub use reason::Reason;
pub use secret::{holds_password, names_secret};
pub use sentence::span_text;
pub use signal::Signal;
pub use spec::{
    Attempts, Bytes, Command, Condition, Dependency, Kind, LogLimits, MadeOf, Reports, RestartPolicy,
    RestartWhen, Runner, Spec, StopPolicy, WhenFull,
};
pub use status::Status;
