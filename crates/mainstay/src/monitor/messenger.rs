//! Whom a service's reports go to.

use mainstay_wire::MonitorView;

/// How a service is, at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// `worker@2`, and the name alone for instance 1.
    pub id: String,
    /// Its monitors.
    pub monitor: MonitorView,
}

/// Somebody who is told how a service is. It must not wait: what it cannot say at once it says later, or not at all.
///
/// ```
/// use mainstay::{Messenger, Report};
///
/// struct Shout;
///
/// impl Messenger for Shout {
///     fn publish(&mut self, report: &Report) {
///         eprintln!("{} IS {}", report.id, report.monitor.status.to_uppercase());
///     }
/// }
/// ```
pub trait Messenger {
    /// Tells it. It comes at once after a change, and otherwise each ten seconds.
    fn publish(&mut self, report: &Report);
}
