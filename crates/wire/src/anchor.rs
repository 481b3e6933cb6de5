//! Between anchor and keeper: one JSON message a datagram over a `SOCK_SEQPACKET` pair; descriptors ride along.

use serde::{Deserialize, Serialize};

use crate::{UpgradeView, WireExit};

/// What the keeper tells the anchor. Nothing is answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "message", rename_all = "kebab-case")]
pub enum ToAnchor {
    /// Keep the descriptor that comes with this under this name; one of the same name is replaced.
    Hold {
        /// `fifo:api@1`, `notify:api@1`, `ready:api@1`, `socket`.
        name: String,
    },
    /// Close the descriptor of this name.
    Release {
        /// As in `Hold`.
        name: String,
    },
    /// The end of this orphan was recorded; forget it.
    Acknowledge {
        /// Its process id.
        pid: u32,
        /// Its start time (field 22 of `proc_pid_stat(5)`).
        start_time: u64,
    },
    /// The local socket answers; whoever started the anchor may be told.
    Up,
    /// The daemon could not come up; whoever started the anchor should be told why.
    Trouble {
        /// One sentence.
        text: String,
    },
    /// Everything is stopped; when the keeper exits, the anchor ends as well.
    Finished,
    /// The keeper is about to execute this program in its own place: watch what becomes of it.
    Upgrade {
        /// Its file.
        program: String,
    },
    /// It could not be executed; the keeper is what it was.
    NotUpgraded {
        /// Why, in one clause.
        why: String,
    },
    /// The first words of a keeper that took the place of the one before in the same process: tell me everything.
    Again,
    /// The daemon, which was up, has ended.
    Down {
        /// How.
        exit: WireExit,
    },
}

/// What the anchor tells the keeper.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "message", rename_all = "kebab-case")]
pub enum FromAnchor {
    /// The descriptor that comes with this was held under this name.
    Held {
        /// As in [`ToAnchor::Hold`].
        name: String,
    },
    /// An orphan ended, and the anchor reaped it. Said again to each new keeper until acknowledged.
    Orphan {
        /// Its process id.
        pid: u32,
        /// Its start time (field 22 of `proc_pid_stat(5)`).
        start_time: u64,
        /// How it ended.
        exit: WireExit,
    },
    /// Orphans of runs may have fallen to this process, when an anchor before this one died.
    Foster {
        /// Its process id.
        pid: u32,
    },
    /// Everything held, and every orphan not acknowledged, has been said.
    Complete,
    /// Somebody asked the anchor to end (SIGTERM): stop everything in order.
    Terminate,
    /// What became of an upgrade.
    Upgraded {
        /// The latest one.
        upgrade: UpgradeView,
    },
}
