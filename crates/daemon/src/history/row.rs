//! One thing that happened, on its way into the database.

use mainstay_model::{Exit, Kind, PhaseName, RunId, ServiceId};

use crate::wake::Peer;

/// The longest text of a row, in bytes: a sentence, or the words of a request.
pub(super) const TEXT_LIMIT: usize = 1024;

/// One thing that happened.
#[derive(Clone, Debug)]
pub(super) enum Row {
    /// To a service.
    Changed(Changed),
    /// To the project.
    Note(Note),
}

/// A service changed its phase, its run or its readiness. Times are nanoseconds since the Unix epoch.
#[derive(Clone, Debug)]
pub(super) struct Changed {
    pub(super) time: i64,
    pub(super) id: ServiceId,
    pub(super) kind: Option<Kind>,
    pub(super) from: PhaseName,
    pub(super) to: PhaseName,
    pub(super) run: RunId,
    pub(super) ready: bool,
    pub(super) wanted: bool,
    pub(super) failed: bool,
    pub(super) attempt: u32,
    pub(super) exit: Option<Exit>,
    pub(super) code: String,
    pub(super) text: String,
    /// What runs; `None`: nothing that has a number.
    pub(super) generation: Option<u64>,
    /// It is no change that was seen, but how a new daemon found it; with an exit, what an earlier daemon saw.
    pub(super) recalled: bool,
}

/// Something happened to the project.
#[derive(Clone, Debug)]
pub(super) struct Note {
    pub(super) time: i64,
    pub(super) code: &'static str,
    pub(super) text: String,
    /// What runs; `None`: nothing that has a number.
    pub(super) generation: Option<u64>,
    /// Who asked for it.
    pub(super) peer: Option<Peer>,
}

/// As much of a text as is kept.
pub(super) fn kept(text: &str) -> &str {
    &text[..text.floor_char_boundary(TEXT_LIMIT)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_and_never_in_a_character() {
        let text = format!("{}\u{fc}\u{fc}", "x".repeat(TEXT_LIMIT - 1));
        assert_eq!(kept(&text), "x".repeat(TEXT_LIMIT - 1));
        assert_eq!(kept("short"), "short");
    }
}
