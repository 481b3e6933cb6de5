//! Everything that can wake the loop. The enum is closed: what is not here cannot happen.

use std::collections::BTreeMap;

use mainstay_decide::QuestionId;
use mainstay_model::{RunId, ServiceId, ServiceName};
use mainstay_wire::{FromKeeper, Reply, Request};
use tokio::sync::{mpsc, oneshot};

use crate::{hands::Resolved, slot::HookId};

/// Something happened.
#[derive(Debug)]
pub(crate) enum Wake {
    /// The keeper said something.
    Keeper(FromKeeper),
    /// The keeper is gone, or talks nonsense; nothing can be done without it.
    KeeperGone(String),
    /// A client asks.
    Asked(Asked),
    /// A client wants to see every change.
    Followed(mpsc::Sender<Reply>),
    /// A user was looked up for a start.
    Resolved(Resolved),
    /// A check was asked once.
    Answered {
        /// Of which service.
        id: ServiceId,
        /// For which run.
        run: RunId,
        /// Which asking.
        question: QuestionId,
        /// What it said.
        answer: Result<(), String>,
    },
    /// A check could not be asked, and that is no fault of the service.
    Unasked {
        /// Of which service.
        id: ServiceId,
        /// For which run.
        run: RunId,
        /// Which asking.
        question: QuestionId,
        /// Why.
        why: String,
    },
    /// A hook was killed before anybody was asked to make it.
    HookNotMade {
        /// Which.
        name: HookId,
        /// For which run of its service.
        of: RunId,
        /// In words.
        text: String,
    },
    /// A file changed that a service watches.
    FileChanged {
        /// Which service.
        name: ServiceName,
        /// The file, as its project knows it.
        path: String,
    },
    /// Which services' files are not all watched any more, and why.
    WatchTrouble(BTreeMap<ServiceName, String>),
    /// A program said whether it accepts the state that it would find; its version, or why not.
    UpgradeChecked {
        /// Its file.
        program: String,
        /// What it said.
        result: Result<String, String>,
        /// The way back to who asked.
        reply: oneshot::Sender<Reply>,
    },
    /// The moment for which the project wanted to be woken has come.
    Time,
    /// This process was asked to end (SIGTERM): everything is stopped first.
    Terminate,
}

/// A request and the way back to who asked.
#[derive(Debug)]
pub(crate) struct Asked {
    /// What; never `Follow`.
    pub(crate) request: Request,
    /// Who.
    pub(crate) peer: Peer,
    /// The way back.
    pub(crate) reply: oneshot::Sender<Reply>,
}

/// Who is at the other end of the local socket (`SO_PEERCRED`, `unix(7)`).
#[derive(Clone, Copy, Debug)]
pub struct Peer {
    /// The user.
    pub uid: u32,
    /// The process, for the audit log.
    pub pid: Option<i32>,
}
