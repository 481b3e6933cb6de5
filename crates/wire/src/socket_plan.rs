//! Plans and generations on the local socket.

use serde::{Deserialize, Serialize};

/// What an apply would do with one service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanStep {
    /// `api@2`.
    pub id: String,
    /// `add`, `describe`, `start`, `restart`, `change`, `remove` or `keep`.
    pub act: String,
    /// What its description says differently.
    pub differences: Vec<DifferenceView>,
}

/// A setting that is said differently.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DifferenceView {
    /// As in the file: `restart.delay`.
    pub setting: String,
    /// What it was; `null`: it was not said.
    pub from: Option<String>,
    /// What it is; `null`: it is not said.
    pub to: Option<String>,
    /// Whether the process has to be made anew for it.
    pub restarts: bool,
}

/// One generation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GenerationView {
    /// Counted from 1.
    pub number: u64,
    /// When it was applied; RFC 3339, UTC.
    pub time: String,
    /// By which user; `null`: by the daemon itself.
    pub uid: Option<u32>,
    /// How it came: `applied`, `rolled back to 3`, `taken back: api failed`.
    pub how: String,
    /// A name for its content: equal ones are equal.
    pub hash: String,
    /// How many services there are, instances counted.
    pub services: usize,
    /// The files that it was read from.
    pub files: Vec<String>,
    /// Whether it is what runs.
    pub current: bool,
}
