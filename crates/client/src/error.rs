//! Why the daemon could not be asked, or did not answer.

use std::{io, path::PathBuf, time::Duration};

use mainstay_wire::{LINE_LIMIT, WireError};

/// Why the daemon could not be asked, or did not answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// There is no socket at this path: nothing was started, or it is down.
    #[error("no daemon runs: there is no socket at {}", socket.display())]
    NoDaemon {
        /// The path.
        socket: PathBuf,
    },
    /// There is something at this path, and nobody listens: whoever did is dead.
    #[error("no daemon runs: nobody listens on the socket {}", socket.display())]
    DeadSocket {
        /// The path.
        socket: PathBuf,
    },
    /// Its keeper works, and the daemon cannot come up.
    #[error("the daemon cannot come up: {text}")]
    InTrouble {
        /// Why, in one sentence.
        text: String,
    },
    /// The system does not let this user reach the socket.
    #[error("not permitted to connect to {}", socket.display())]
    NotPermitted {
        /// The path.
        socket: PathBuf,
    },
    /// Any other failure of a system call.
    #[error("cannot {act} the daemon at {}", socket.display())]
    Broken {
        /// `connect to`, `write to`, `read from`.
        act: &'static str,
        /// The path.
        socket: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The request is longer than a line may be.
    #[error("the request has {length} bytes, and the daemon takes at most {LINE_LIMIT}")]
    RequestTooLong {
        /// Its length.
        length: usize,
    },
    /// What came back is no reply.
    #[error("the daemon's answer makes no sense: {0}")]
    Protocol(String),
    /// The connection ended before the reply.
    #[error("the daemon closed the connection before it answered")]
    Closed,
    /// The reply did not come in time.
    #[error("no answer from the daemon within {} ms", after.as_millis())]
    TimedOut {
        /// How long it was waited for.
        after: Duration,
    },
    /// The daemon's own error.
    #[error(transparent)]
    Refused(#[from] WireError),
}

impl ClientError {
    /// Whether nobody was there to be asked.
    pub const fn is_no_daemon(&self) -> bool {
        matches!(self, Self::NoDaemon { .. } | Self::DeadSocket { .. })
    }

    /// Whether a daemon should be there and cannot come up.
    pub const fn is_in_trouble(&self) -> bool {
        matches!(self, Self::InTrouble { .. })
    }
}
