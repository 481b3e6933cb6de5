//! Between keeper and daemon: [frames](crate::frame()) of JSON over a socket pair. The keeper's side knows no policy.
//!
//! The daemon speaks first (`Hello`), and gets a `Snapshot`: every slot, with what is not acknowledged yet. A slot is one
//! instance of a service; it has at most one live run and at most one unacknowledged end.

use std::collections::BTreeMap;

use mainstay_model::{Exit, Signal, SpawnFailure, SpawnFailureKind, WhenFull};
use serde::{Deserialize, Serialize};

use crate::{UpgradeView, WireNotice, errors_of};

/// The version of this protocol.
pub const KEEPER_PROTOCOL: u32 = 1;

/// The descriptor on which a keeper finds its anchor.
pub const ANCHOR_FD: i32 = 3;

/// The descriptor on which a daemon finds its keeper.
pub const KEEPER_FD: i32 = 3;

/// The descriptor on which a daemon finds the listening local socket.
pub const LISTEN_FD: i32 = 4;

/// The file beside the local socket that says why no daemon answers there, while one cannot come up. Nobody but its owner reads it.
pub const TROUBLE_FILE: &str = "trouble";

/// Bytes of it that are read.
pub const TROUBLE_LIMIT: u64 = 4096;

/// Slots in one message: so many of the longest records fit into a frame.
pub const SLOTS_IN_FRAME: usize = 100;

/// Logs in one message: so many of the longest paths and errors fit into a frame.
pub const LOGS_IN_FRAME: usize = 400;

/// The slot of the daemon itself: its standard error is a log like any other. No service can have this name.
pub const DAEMON_SLOT: &str = "@daemon";

/// What the daemon asks of the keeper.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "message", rename_all = "kebab-case")]
pub enum ToKeeper {
    /// The first message of each daemon.
    Hello {
        /// [`KEEPER_PROTOCOL`] of the daemon.
        protocol: u32,
    },
    /// Make a process. Answered by `Started` or `NotStarted`, later by `Exited`.
    Spawn {
        /// The slot (`api@1`).
        slot: String,
        /// The run's number; larger than any before in this slot.
        run: u64,
        /// What to make.
        program: Box<Program>,
        /// Where its output goes.
        log: LogFile,
        /// What the daemon wants to be told about this slot after its own death; opaque to the keeper.
        memo: String,
        /// By which ways it tells how it is.
        #[serde(default)]
        reports: WireReports,
    },
    /// Send a signal to a live run; nothing when the run is over. One that is still being made gets it afterwards.
    Signal {
        /// The slot.
        slot: String,
        /// The run.
        run: u64,
        /// `signal(7)`.
        signal: i32,
        /// To whom.
        scope: Scope,
    },
    /// The end (or failed start) of this run was taken in; it need not be told again. While the run lives, or when the slot
    /// never had it, as [`Remember`](Self::Remember). One of an earlier run is ignored.
    Acknowledge {
        /// The slot.
        slot: String,
        /// The run.
        run: u64,
        /// Replaces the slot's memo.
        memo: String,
    },
    /// Something else is to be told about this slot. It says nothing of the run: an end that the daemon has not heard of yet is
    /// still told. A slot that never had a run comes into being. One of an earlier run is ignored.
    Remember {
        /// The slot.
        slot: String,
        /// The run, or one that was never made.
        run: u64,
        /// Replaces the slot's memo.
        memo: String,
    },
    /// The slot is no longer needed; ignored while it has a live run.
    Forget {
        /// The slot.
        slot: String,
    },
    /// New log limits for a slot.
    Relog {
        /// The slot.
        slot: String,
        /// The limits.
        log: LogFile,
    },
    /// Say what became of the output of all slots. Answered by `Logs`.
    LogCounts,
    /// The local socket answers.
    Up,
    /// The daemon cannot go on (a damaged state, say) and asks not to be started again until the text was read.
    Trouble {
        /// One sentence.
        text: String,
    },
    /// Everything is stopped: the daemon is about to exit; end as well.
    Finish,
    /// The daemon is about to exit: then execute this program in the keeper's own place, start its daemon, and have the anchor
    /// follow once that is up.
    Upgrade {
        /// Its file; absolute.
        program: String,
    },
}

/// Whom a signal is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scope {
    /// The run's main process alone.
    Main,
    /// The run's process group; of one that named another main process, the groups of both.
    Group,
    /// Everything of the run: group, session, descendants, and what fell to the anchor. SIGSTOP stops what it makes meanwhile
    /// as well.
    Everything,
}

/// A process to make. Everything is resolved: the keeper looks up nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Program {
    /// Program and arguments; never empty. One without a slash is looked for in the PATH of `env`.
    pub words: Vec<String>,
    /// The working directory; absolute.
    pub dir: String,
    /// The whole environment, `NAME=value`.
    pub env: Vec<String>,
    /// The user and groups to take on.
    pub identity: Option<Identity>,
}

/// The ways by which a process tells how it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WireReports {
    /// It gets a notify socket, and `NOTIFY_SOCKET` with its path. What is said there counts when root, the keeper's user or the
    /// program's user says it.
    pub notify: bool,
    /// This descriptor of it, 3 to 1023, is the end of a pipe: a newline says that it is ready. Only the first one counts.
    pub fd: Option<u32>,
}

/// Numbers of a user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// The user.
    pub uid: u32,
    /// The primary group.
    pub gid: u32,
    /// The supplementary groups.
    pub groups: Vec<u32>,
}

/// Where the output of a slot goes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogFile {
    /// The folder (`…/logs/api`); `current` and the rotated files are in it.
    pub dir: String,
    /// `current` is rotated before it exceeds this many bytes.
    pub max_size: u64,
    /// Rotated files kept.
    pub keep: u32,
    /// Bytes of all files of the slot together.
    pub total: u64,
    /// Whether rotated files are compressed.
    #[serde(default)]
    pub compress: bool,
    /// What becomes of output that the log file does not take.
    #[serde(default)]
    pub when_full: WireWhenFull,
    /// Bytes of the log files of all slots together; `null` is no bound.
    #[serde(default)]
    pub all_services: Option<u64>,
    /// Whether standard error has a pipe and a log of its own, with the same bounds; of a run this stays as it was when it began.
    #[serde(default)]
    pub split: bool,
}

impl LogFile {
    /// Where standard error goes, when it is kept apart.
    pub fn errors(&self) -> Option<Self> {
        self.split.then(|| Self { dir: errors_of(&self.dir), ..self.clone() })
    }
}

/// What becomes of output that the log file does not take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WireWhenFull {
    /// It waits, and so does the service once its pipe is full.
    #[default]
    Wait,
    /// It is dropped and counted.
    Drop,
}

impl From<WhenFull> for WireWhenFull {
    fn from(when: WhenFull) -> Self {
        match when {
            WhenFull::Wait => Self::Wait,
            WhenFull::Drop => Self::Drop,
        }
    }
}

impl From<WireWhenFull> for WhenFull {
    fn from(when: WireWhenFull) -> Self {
        match when {
            WireWhenFull::Wait => Self::Wait,
            WireWhenFull::Drop => Self::Drop,
        }
    }
}

/// What became of a slot's output since its keeper knows of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogCounts {
    /// Bytes written to its log.
    pub written_bytes: u64,
    /// Bytes that were dropped.
    pub dropped_bytes: u64,
    /// Why its log takes nothing now, and since when.
    pub trouble: Option<LogTrouble>,
    /// How often somebody else truncated, moved or replaced the file that is written to.
    #[serde(default)]
    pub interferences: u64,
    /// What it was the last time, and when.
    #[serde(default)]
    pub interference: Option<LogTrouble>,
}

/// What is wrong with a log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogTrouble {
    /// Since when, or when; milliseconds since the Unix epoch.
    pub since_ms: u64,
    /// What the system said, or what was seen.
    pub text: String,
}

/// What the keeper tells the daemon.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "message", rename_all = "kebab-case")]
pub enum FromKeeper {
    /// Slots, ahead of the `Snapshot` that has the rest: all of them may be more than a frame can hold.
    Slots {
        /// At most [`SLOTS_IN_FRAME`].
        slots: Vec<SlotState>,
    },
    /// The answer to `Hello`.
    Snapshot {
        /// [`KEEPER_PROTOCOL`] of the keeper.
        protocol: u32,
        /// Every slot that was not told before.
        slots: Vec<SlotState>,
        /// Whether an anchor is there.
        anchor: bool,
        /// How many times a daemon was started before this one.
        daemon_starts: u64,
        /// The latest upgrade since the anchor was started.
        #[serde(default)]
        upgrade: Option<UpgradeView>,
    },
    /// The program was executed.
    Started {
        /// The slot.
        slot: String,
        /// The run.
        run: u64,
        /// Its process.
        pid: u32,
    },
    /// The program could not be executed. Kept until acknowledged.
    NotStarted {
        /// The slot.
        slot: String,
        /// The run.
        run: u64,
        /// Why.
        failure: WireFailure,
    },
    /// The run ended, what it left behind is gone, and its output is written. Kept until acknowledged.
    Exited {
        /// The slot.
        slot: String,
        /// The run.
        run: u64,
        /// How.
        exit: WireExit,
    },
    /// A live run said this of itself. What it said while no daemon listened comes with the snapshot.
    Notified {
        /// The slot.
        slot: String,
        /// The run.
        run: u64,
        /// In this order.
        notices: Vec<WireNotice>,
    },
    /// What became of output: of all slots as the answer to `LogCounts`, else of those of which it matters: a log took
    /// nothing, takes something again, or dropped more.
    Logs {
        /// By slot.
        counts: BTreeMap<String, LogCounts>,
        /// Whether these are all slots, with those of the messages before that were not.
        complete: bool,
    },
    /// Somebody asked anchor or keeper to end (SIGTERM): stop everything in order, then send `Finish`.
    Terminate,
    /// The anchor has ended: until the keeper has become one, nobody would start another keeper.
    AnchorGone,
    /// What became of an upgrade.
    Upgraded {
        /// The latest one.
        upgrade: UpgradeView,
    },
}

/// A slot as the keeper knows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SlotState {
    /// The slot.
    pub slot: String,
    /// Its latest run.
    pub run: u64,
    /// What is so.
    pub phase: SlotPhase,
    /// What the daemon wanted to be told.
    pub memo: String,
    /// What its live run said of itself and is still so: ready, its latest status, its main process.
    #[serde(default)]
    pub notices: Vec<WireNotice>,
}

/// What is so of a slot's latest run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "phase", rename_all = "kebab-case")]
pub enum SlotPhase {
    /// Its process is being made; `Started` or `NotStarted` follows.
    Spawning,
    /// It runs.
    Running {
        /// Its process.
        pid: u32,
    },
    /// It could not be made; not acknowledged yet.
    NotStarted {
        /// Why.
        failure: WireFailure,
    },
    /// It ended; not acknowledged yet.
    Exited {
        /// How.
        exit: WireExit,
    },
    /// It is over, and acknowledged.
    Over,
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WireExit {
    /// With this code.
    Code(i32),
    /// By this signal.
    Signal(i32),
    /// Nobody saw.
    Unknown,
}

impl From<Exit> for WireExit {
    fn from(exit: Exit) -> Self {
        match exit {
            Exit::Code(code) => Self::Code(code),
            Exit::Signal(signal) => Self::Signal(signal.number()),
            Exit::Unknown => Self::Unknown,
        }
    }
}

impl From<WireExit> for Exit {
    fn from(exit: WireExit) -> Self {
        match exit {
            WireExit::Code(code) => Self::Code(code),
            WireExit::Signal(number) => Signal::from_number(number).map_or(Self::Unknown, Self::Signal),
            WireExit::Unknown => Self::Unknown,
        }
    }
}

/// Why a process could not be made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WireFailure {
    /// The code of [`SpawnFailureKind`].
    pub code: String,
    /// One clause that names the thing.
    pub text: String,
}

impl From<SpawnFailure> for WireFailure {
    fn from(failure: SpawnFailure) -> Self {
        Self { code: failure.kind.code().to_owned(), text: failure.text }
    }
}

impl From<WireFailure> for SpawnFailure {
    fn from(failure: WireFailure) -> Self {
        Self { kind: SpawnFailureKind::from_code(&failure.code), text: failure.text }
    }
}
