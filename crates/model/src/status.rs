//! What can be said of one service at one moment.

use crate::{Exit, Health, Kind, Moment, PhaseName, Reason, RunId, ServiceId};

/// What can be said of one service at one moment. Every door shows this same value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// Which one.
    pub id: ServiceId,
    /// What an end of it means.
    pub kind: Kind,
    /// Whether it is wanted up.
    pub wanted: bool,
    /// What it does.
    pub phase: PhaseName,
    /// How it feels.
    pub health: Health,
    /// Whether it counts as ready.
    pub ready: bool,
    /// What it says of itself (`STATUS=`, `ERRNO=` of `sd_notify(3)`).
    pub said: Option<String>,
    /// The process of its live run.
    pub pid: Option<u32>,
    /// The latest run; 0 before the first.
    pub run: RunId,
    /// Restarts that nobody asked for, since the service became known.
    pub restarts: u64,
    /// How the latest ended run ended.
    pub exit: Option<Exit>,
    /// Why the phase is what it is.
    pub reason: Reason,
    /// When the phase began.
    pub since: Moment,
    /// When something will happen by itself.
    pub next: Option<Moment>,
}
