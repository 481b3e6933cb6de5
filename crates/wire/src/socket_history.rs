//! What happened, and how well it went: the answers to `history` and `report`.

use serde::{Deserialize, Serialize};

use crate::{ExitView, ReasonView};

/// Something that happened: to a service, or to the project.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HistoryView {
    /// Which event this is; `before` takes it.
    pub seq: u64,
    /// When; RFC 3339, UTC.
    pub time: String,
    /// Which service (`api@2`); `null` is the project, and the code of `reason` is then what happened: `daemon-started`
    /// (nothing ran), `daemon-returned` (after the death of one, services had gone on), `daemon-ended`, `applied`, `rolled-back`,
    /// `taken-back` (a generation on probation), `probation-kept`, `probation-ended`, `act`,
    /// `down-requested`, `history-lost`.
    pub service: Option<String>,
    /// Its run.
    pub run: Option<u64>,
    /// The phase before it.
    pub from: Option<String>,
    /// The phase after it.
    pub to: Option<String>,
    /// Whether it counted as ready then.
    pub ready: Option<bool>,
    /// Whether it was wanted up.
    pub wanted: Option<bool>,
    /// Whether something failed by it: a run that ended badly, a start that did not come about, the last attempt.
    pub failed: bool,
    /// Restarts in a row.
    pub attempt: Option<u32>,
    /// How the run ended that ended by it.
    pub exit: Option<ExitView>,
    /// Why.
    pub reason: ReasonView,
    /// The generation of the configuration; `null` when it is not known.
    pub generation: Option<u64>,
    /// The user who asked for it.
    pub uid: Option<u32>,
    /// The process that asked for it.
    pub pid: Option<i32>,
}

/// How well a service did.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReportView {
    /// Which (`api@2`).
    pub service: String,
    /// `permanent` or `oneshot`.
    pub kind: String,
    /// The share of the time in which it was due (wanted, neither ended nor completed) that it was ready; `null` when it was
    /// never due, and for what is meant to end.
    pub uptime_percent: Option<f64>,
    /// How long it was due.
    pub due_ms: u64,
    /// How much of that it was ready.
    pub ready_ms: u64,
    /// Starts.
    pub starts: u64,
    /// Those of them that nobody asked for.
    pub restarts: u64,
    /// Runs that ended badly, starts that did not come about.
    pub failures: u64,
    /// The longest time in which it should have been ready and was not; a first start that comes about is none.
    pub longest_outage: Option<OutageView>,
    /// The latest failure.
    pub last_failure: Option<FailureView>,
    /// From its start to being ready, on average.
    pub mean_time_to_ready_ms: Option<u64>,
}

/// A time in which a service should have been ready and was not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutageView {
    /// When it began; RFC 3339, UTC.
    pub from: String,
    /// When it ended; `null` when it goes on.
    pub until: Option<String>,
    /// How long, as far as it is reported.
    pub span_ms: u64,
}

/// A failure of a service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailureView {
    /// When; RFC 3339, UTC.
    pub time: String,
    /// Why.
    pub reason: ReasonView,
}
