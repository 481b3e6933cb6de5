//! How a service is, by its parts: a tree of monitors, each with a status, numbers and tasks; and who is told.
//!
//! The status of a monitor is the sum of its own and those below it (`failed`, `error`, `warning`, `degraded`, `startup`,
//! `shutdown`, `busy`: the first that is there; else `idle` or `ok`). A change is told at once; more of them within a moment
//! are told together.

mod check;
mod local_socket;
mod log;
mod messenger;
mod metrics;
mod reporter;
mod tree;

pub use check::Check;
pub use mainstay_model::Health as Status;
pub use mainstay_wire::MonitorView;
pub use messenger::{Messenger, Report};
pub use metrics::{Counter, Gauge};
pub(crate) use reporter::{Reporter, log_alone, messengers};
pub use tree::{Monitor, TaskGuard};
