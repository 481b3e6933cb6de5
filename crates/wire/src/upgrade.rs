//! Another program in place of the one that works: what is said of that, and what an anchor hands to itself.

use serde::{Deserialize, Serialize};

use crate::{LATER_HELP, WireExit, later_version};

/// The version of [`AnchorState`]; a reader takes its own and the one before.
pub const ANCHOR_STATE_VERSION: u32 = 1;

/// The latest upgrade, as far as it has come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UpgradeView {
    /// Which it is since the anchor was started, from 1.
    pub number: u64,
    /// The file of the new program.
    pub program: String,
    /// What became of it.
    pub outcome: UpgradeOutcome,
}

/// What became of an upgrade.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "kebab-case")]
pub enum UpgradeOutcome {
    /// The new program works, and is watched.
    Trying,
    /// Anchor, keeper and daemon are the new program.
    Done,
    /// They are the program that they were before.
    TakenBack {
        /// One clause.
        why: String,
    },
}

/// Everything that an anchor knows and holds, on its way through its own `execve`. Descriptors are numbers, which stay.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AnchorState {
    /// [`ANCHOR_STATE_VERSION`] of the writer.
    pub version: u32,
    /// Its locks.
    pub locks: Vec<KeptFile>,
    /// Those of a keeper that lost its anchor and becomes one: they keep others out until it has its own.
    #[serde(default)]
    pub keeper_locks: Vec<KeptFile>,
    /// The keeper, when one sits there.
    pub keeper: Option<KeptKeeper>,
    /// What it holds, by name.
    pub held: Vec<KeptFile>,
    /// Ends that no keeper has recorded yet.
    pub orphans: Vec<KeptOrphan>,
    /// Other processes to which orphans of runs may have fallen: those above anchors that died.
    #[serde(default)]
    pub fosters: Vec<u32>,
    /// Whether whoever started it has its answer.
    pub answered: bool,
    /// Whether somebody asked it to end.
    pub terminating: bool,
    /// What is being done.
    pub upgrade: Option<UpgradeView>,
}

/// A descriptor that stays open.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptFile {
    /// The name under which it is held; of a lock, its path.
    pub name: String,
    /// Its number.
    pub descriptor: i32,
}

/// The keeper that stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptKeeper {
    /// Its process.
    pub pid: u32,
    /// Our end of the connection.
    pub descriptor: i32,
}

/// An end that was noted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptOrphan {
    /// Its process id.
    pub pid: u32,
    /// Its start time (field 22 of `proc_pid_stat(5)`).
    pub start_time: u64,
    /// How it ended.
    pub exit: WireExit,
}

impl AnchorState {
    /// Writes one.
    ///
    /// # Errors
    /// In words: it cannot be written.
    pub fn encode(&self) -> Result<Vec<u8>, String> {
        serde_json::to_vec(self).map_err(|error| format!("the anchor's state cannot be written: {error}"))
    }

    /// Reads one.
    ///
    /// # Errors
    /// In words: it makes no sense, or is of a later version.
    pub fn decode(bytes: &[u8]) -> Result<Self, String> {
        if let Some(version) = later_version(bytes, ANCHOR_STATE_VERSION) {
            return Err(format!(
                "the anchor's state is of version {version}, this program knows {ANCHOR_STATE_VERSION}; {LATER_HELP}"
            ));
        }
        serde_json::from_slice(bytes).map_err(|error| format!("the anchor's state makes no sense: {error}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As version 1 was written; it must be read for as long as there is a version 2.
    const FIRST: &str = r#"{"version":1,"locks":[{"name":"/run/x/anchor.lock","descriptor":4}],
        "keeper":{"pid":12,"descriptor":9},"held":[{"name":"fifo:api@1","descriptor":11}],
        "orphans":[{"pid":13,"start_time":77,"exit":{"code":3}}],"answered":true,"terminating":false,
        "upgrade":{"number":1,"program":"/usr/bin/mainstay","outcome":{"is":"trying"}}}"#;

    #[test]
    fn the_first_version_is_read() {
        let state = AnchorState::decode(FIRST.as_bytes()).unwrap();
        assert_eq!(state.keeper, Some(KeptKeeper { pid: 12, descriptor: 9 }));
        assert_eq!(state.orphans[0].exit, WireExit::Code(3));
        assert_eq!(AnchorState::decode(&serde_json::to_vec(&state).unwrap()).unwrap(), state);
    }

    #[test]
    fn a_later_version_and_nonsense_are_refused_in_words() {
        let later = FIRST.replace("\"version\":1", "\"version\":2");
        let text = AnchorState::decode(later.as_bytes()).unwrap_err();
        assert_eq!(text, format!("the anchor's state is of version 2, this program knows 1; {LATER_HELP}"));
        assert_eq!(AnchorState::decode(br#"{"version":2,"all":"else"}"#).unwrap_err(), text);
        assert!(AnchorState::decode(b"{").unwrap_err().starts_with("the anchor's state makes no sense"));
    }
}
