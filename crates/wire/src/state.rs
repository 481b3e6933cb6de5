//! The daemon's state on disk: what runs and what is wanted, after a power cut as well.

use serde::{Deserialize, Serialize};

use crate::WireSpec;

/// The version of what is written here.
pub const STATE_VERSION: u32 = 1;

/// `applied.json`: the description that runs, and what is wanted of it. Fsynced before a request is answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Applied {
    /// [`STATE_VERSION`] of the writer.
    pub version: u32,
    /// The project's name.
    pub project: String,
    /// The folder that its paths count from.
    pub dir: String,
    /// The files that it was read from, for people.
    pub files: Vec<String>,
    /// A hash of those files' texts.
    pub fingerprint: String,
    /// Every instance of every service.
    pub specs: Vec<WireSpec>,
    /// Ids of those wanted up.
    pub wanted: Vec<String>,
    /// Whether everything is being stopped for good: a daemon that finds this goes on with it.
    #[serde(default)]
    pub going_down: bool,
    /// Which generation this is; 0: it is of a time without generations.
    #[serde(default)]
    pub generation: u64,
    /// Whether it is being watched: a daemon that comes later goes on with that.
    #[serde(default)]
    pub probation: Option<AppliedProbation>,
    /// Restarts that somebody asked for and that are not over, in their order: a daemon that comes later goes on with them.
    #[serde(default)]
    pub restarts: Vec<AppliedRestart>,
}

/// A restart that was asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppliedRestart {
    /// Of which.
    pub id: String,
    /// The run that is to end by it.
    pub run: u64,
    /// Whether the next one waits for it.
    pub in_turn: bool,
}

/// A generation that is taken back when something that was well before it is not any more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppliedProbation {
    /// The one to go back to.
    pub previous: u64,
    /// Until when; RFC 3339, UTC: another daemon may have another monotonic clock.
    pub until: String,
    /// How long it was to last; a wall clock that is set makes it no longer.
    pub span_ms: u64,
    /// Ids of those that were well.
    pub well: Vec<String>,
}
