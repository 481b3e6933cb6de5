//! One service as the local socket tells of it, and its changes.

use serde::{Deserialize, Serialize};

use crate::{DetailsView, MonitorView};

/// A change of one service.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EventView {
    /// RFC 3339, UTC.
    pub time: String,
    /// The service after it.
    pub service: ServiceView,
    /// The phase before it.
    pub from: String,
    /// The health before it.
    #[serde(default)]
    pub from_status: Option<String>,
}

/// One service, as `list --json` shows it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ServiceView {
    /// The service's name.
    pub name: String,
    /// The instance's number, when there are several.
    pub instance: Option<String>,
    /// `permanent` or `oneshot`.
    pub kind: String,
    /// The phase's word.
    pub phase: String,
    /// The health's word.
    pub status: String,
    /// What it says of itself (`STATUS=` and `ERRNO=` of `sd_notify(3)`).
    #[serde(default)]
    pub said: Option<String>,
    /// What its monitors say, when it has some.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub monitor: Option<MonitorView>,
    /// Its health check, when it has one.
    #[serde(default)]
    pub health: Option<HealthView>,
    /// Whether it is wanted up.
    pub wanted: bool,
    /// Whether it counts as ready.
    pub ready: bool,
    /// Its process.
    pub pid: Option<u32>,
    /// Its latest run; 0 before the first.
    pub run: u64,
    /// Restarts that nobody asked for.
    pub restarts: u64,
    /// When the phase began; RFC 3339, UTC.
    pub since: Option<String>,
    /// How its latest ended run ended.
    pub exit: Option<ExitView>,
    /// Why.
    pub reason: ReasonView,
    /// When something happens by itself; RFC 3339, UTC.
    pub next: Option<String>,
    /// Resident memory of its main process.
    pub memory_bytes: Option<u64>,
    /// Share of one core since the last reading; `null` until there are two.
    pub cpu_percent: Option<f64>,
    /// What it depends on: `db (ready)`.
    pub depends_on: Vec<String>,
    /// What depends on it.
    pub needed_by: Vec<String>,
    /// What it runs.
    pub command: Vec<String>,
    /// The folder of its logs.
    pub log_dir: String,
    /// The folder of what it writes to standard error, when that is kept apart.
    #[serde(default)]
    pub err_log_dir: Option<String>,
    /// What became of its output since its keeper knows of it.
    #[serde(default)]
    pub log_counts: LogView,
    /// Why not every change of the files that it watches is seen.
    #[serde(default)]
    pub watch_trouble: Option<String>,
    /// What `status` says beyond `list`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub details: Option<Box<DetailsView>>,
}

/// A service's health check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HealthView {
    /// What is asked: `http http://127.0.0.1:8080/healthz`.
    pub check: String,
    /// The pause between two askings.
    pub interval_ms: u64,
    /// How many failures in a row there were.
    pub failures: u32,
    /// After so many it is restarted.
    pub limit: u32,
    /// Whether it has succeeded in this run; `null` when the service does not run.
    pub was_well: Option<bool>,
}

/// What became of a service's output.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogView {
    /// Bytes written to its log; as fresh as the last `status` of it.
    pub written_bytes: u64,
    /// Bytes that were dropped, because its log took nothing and `when_full` is `drop`.
    pub dropped_bytes: u64,
    /// Why its log takes nothing now: `cannot be written since …: …`.
    pub trouble: Option<String>,
    /// That somebody else truncated, moved or replaced the file that is written to, how often, and when last.
    #[serde(default)]
    pub interference: Option<String>,
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExitView {
    /// Its code, when it ended itself.
    pub code: Option<i32>,
    /// The signal that ended it (`TERM`).
    pub signal: Option<String>,
}

/// Why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReasonView {
    /// Stable.
    pub code: String,
    /// One sentence without a full stop.
    pub text: String,
}
