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
    /// It restarts because this one does, which it depends on with `restart`.
    #[serde(default)]
    pub because: Option<String>,
    /// Those that depend on it and go on while it restarts.
    #[serde(default)]
    pub needed_by: Vec<String>,
    /// Whether it is only because `scale` set another number of instances than the files say.
    #[serde(default)]
    pub scaled: bool,
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
    /// What became of its probation: `kept`, `taken back: …`; `null` without one, and while it lasts.
    #[serde(default)]
    pub verdict: Option<String>,
    /// A name for its content: equal ones are equal.
    pub hash: String,
    /// How many services there are, instances counted.
    pub services: usize,
    /// The files that it was read from.
    pub files: Vec<String>,
    /// Whether it is what runs.
    pub current: bool,
}

/// A generation that is being watched: something that was well before it and is not any more takes it back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProbationView {
    /// Which.
    pub generation: u64,
    /// Until when; RFC 3339, UTC.
    pub until: String,
}

/// What became of a probation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProbationVerdict {
    /// It lasts.
    Open,
    /// What was well is so: the generation stays.
    Kept,
    /// Something that was well was not any more: the generation before it runs again.
    TakenBack,
    /// It came to its end without a verdict: another generation came, everything was stopped, or there was none.
    Ended,
}
