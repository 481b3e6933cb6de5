//! What the daemon wants to know of a service after its own death: handed to the keeper with each act, opaque to it.

use serde::{Deserialize, Serialize};

use crate::{LATER_HELP, WireExit, later_version};

/// What a new daemon must know of a service that the keeper cannot see.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Memo {
    /// [`MEMO_VERSION`] of the writer; the first where nothing is said of it.
    #[serde(default = "first_version")]
    pub version: u32,
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

/// The version of what is written here; a reader takes its own and the one before.
pub const MEMO_VERSION: u32 = 1;

fn first_version() -> u32 {
    1
}

impl Default for Memo {
    fn default() -> Self {
        Self {
            version: MEMO_VERSION,
            phase: String::new(),
            code: String::new(),
            text: String::new(),
            attempts: 0,
            restarts: 0,
            exit: None,
            until_nanos: None,
            since_nanos: 0,
            made_from: 0,
            ends: Vec::new(),
        }
    }
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

    /// Whether this is a memo that can be read.
    ///
    /// # Errors
    /// It is not, or was written by a later program: why, in one clause.
    pub fn check(text: &str) -> Result<(), String> {
        if let Some(version) = Self::later(text) {
            return Err(format!(
                "it is of version {version} of the memos, this program knows {MEMO_VERSION}; {LATER_HELP}"
            ));
        }
        serde_json::from_str::<Self>(text).map(drop).map_err(|error| error.to_string())
    }

    /// Its version, when it was written by a later program.
    pub fn later(text: &str) -> Option<u32> {
        later_version(text.as_bytes(), MEMO_VERSION)
    }

    /// Reads a memo; one that makes no sense is as good as none.
    pub fn from_text(text: &str) -> Self {
        serde_json::from_str(text).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As version 1 was written; it must be read for as long as there is a version 2.
    const FIRST: &str = r#"{"version":1,"phase":"waiting","code":"backoff","text":"next attempt","attempts":2,"restarts":5,"exit":{"code":3},"until_nanos":70,"since_nanos":60,"made_from":99,"ends":[{"run":4,"exit":{"signal":9},"at":80,"phase":"failed","attempts":1}]}"#;

    fn first() -> Memo {
        Memo {
            version: 1,
            phase: "waiting".to_owned(),
            code: "backoff".to_owned(),
            text: "next attempt".to_owned(),
            attempts: 2,
            restarts: 5,
            exit: Some(WireExit::Code(3)),
            until_nanos: Some(70),
            since_nanos: 60,
            made_from: 99,
            ends: vec![MemoEnd {
                run: 4,
                exit: WireExit::Signal(9),
                at: 80,
                phase: "failed".to_owned(),
                attempts: 1,
            }],
        }
    }

    #[test]
    fn the_first_version_is_read_and_written_as_it_was() {
        assert_eq!((Memo::from_text(FIRST), Memo::check(FIRST)), (first(), Ok(())));
        assert_eq!(first().to_text(), FIRST);
        let unnumbered = FIRST.replace("\"version\":1,", "");
        assert_eq!(Memo::from_text(&unnumbered), first());
    }

    #[test]
    fn a_later_version_and_nonsense_are_refused_in_words() {
        let later = r#"{"version":2,"all":"else"}"#;
        let text = format!("it is of version 2 of the memos, this program knows 1; {LATER_HELP}");
        assert_eq!((Memo::check(later), Memo::later(later)), (Err(text), Some(2)));
        assert!(Memo::check("{").is_err() && Memo::later("{").is_none());
    }
}
