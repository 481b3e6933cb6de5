//! What the daemon wants to know of a service after its own death: handed to the keeper with each act, opaque to it.

use serde::{Deserialize, Serialize};

use crate::WireExit;

/// What a new daemon must know of a service that the keeper cannot see.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Memo {
    /// The phase's word.
    pub phase: String,
    /// The reason's code.
    pub code: String,
    /// The reason's sentence.
    pub text: String,
    /// Restarts in a row.
    pub attempts: u32,
    /// Restarts in all.
    pub restarts: u64,
    /// How the latest ended run ended.
    pub exit: Option<WireExit>,
    /// When the backoff ends: nanoseconds of the monotonic clock.
    pub until_nanos: Option<u64>,
    /// When the phase began: nanoseconds of the monotonic clock.
    pub since_nanos: u64,
    /// A hash of the description from which the latest run was made; 0: not known.
    pub made_from: u64,
    /// How its latest runs ended, for a history that may lack the last words of the daemon that saw it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ends: Vec<MemoEnd>,
}

/// How many ends a memo holds.
pub const MEMO_ENDS: usize = 8;

/// The end of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemoEnd {
    /// Which run.
    pub run: u64,
    /// How it ended.
    pub exit: WireExit,
    /// When that was told: nanoseconds since the Unix epoch.
    pub at: i64,
    /// The word of the phase that followed.
    pub phase: String,
    /// Restarts in a row.
    pub attempts: u32,
}

impl Memo {
    /// The memo as text.
    pub fn to_text(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Whether this is a memo.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn check(text: &str) -> Result<(), serde_json::Error> {
        serde_json::from_str::<Self>(text).map(drop)
    }

    /// Reads a memo; one that makes no sense is as good as none.
    pub fn from_text(text: &str) -> Self {
        serde_json::from_str(text).unwrap_or_default()
    }
}
