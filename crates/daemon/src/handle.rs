//! What a door holds of the daemon: it asks and follows as clients of the local socket do. It knows no protocol.

use std::{fmt, pin::Pin, sync::Arc};

use mainstay_wire::{Reply, Request};
use tokio::{
    io::BufReader,
    net::unix::{OwnedReadHalf, OwnedWriteHalf},
    sync::{mpsc, oneshot},
};

use crate::{
    followers::FOLLOWER_LIMIT,
    wake::{Asked, Peer, Wake},
};

/// Asks the daemon, in the words of the local socket.
#[derive(Clone, Debug)]
pub struct Handle {
    wakes: mpsc::Sender<Wake>,
    busy: mpsc::WeakSender<()>,
}

/// While this lives, an answer is on its way: the end of the daemon waits for it, though not for long.
#[derive(Debug)]
pub struct Answering {
    _busy: Option<mpsc::Sender<()>>,
}

/// A connection to the local socket that speaks a door's language, with what was read of it already.
#[derive(Debug)]
pub struct Arrival {
    /// What comes.
    pub reader: BufReader<OwnedReadHalf>,
    /// What goes.
    pub writer: OwnedWriteHalf,
    /// Who it is; one that may ask.
    pub peer: Peer,
}

/// The future of one connection.
pub type Serving = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Another language in which the daemon is spoken to. Holds no rule.
pub trait Door: Send + Sync {
    /// Serves one connection to its end. Dropped when the daemon ends.
    fn serve(&self, arrival: Arrival, handle: Handle) -> Serving;
}

/// Every door besides the daemon's own.
#[derive(Clone, Default)]
pub struct Doors {
    /// Gets connections to the local socket that begin with a capital letter, as every request in HTTP/1 does.
    pub http: Option<Arc<dyn Door>>,
}

impl fmt::Debug for Doors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Doors").field("http", &self.http.is_some()).finish()
    }
}

impl Doors {
    /// Whose a connection is that begins so; the daemon's own when there is none.
    pub(crate) fn of(&self, first: u8) -> Option<&Arc<dyn Door>> {
        self.http.as_ref().filter(|_| first.is_ascii_uppercase())
    }
}

impl Handle {
    /// What asks through these.
    pub(crate) fn new(wakes: mpsc::Sender<Wake>, busy: mpsc::WeakSender<()>) -> Self {
        Self { wakes, busy }
    }

    /// The reply to a request; never one to `Follow`. `None` when the daemon ends without one. Whoever drops this wants no
    /// answer any more.
    pub async fn ask(&self, request: Request, peer: Peer) -> Option<Reply> {
        let (reply, answer) = oneshot::channel();
        self.wakes.send(Wake::Asked(Asked { request, peer, reply })).await.ok()?;
        answer.await.ok()
    }

    /// Every change from now on, after how everything is: the replies to `Follow`. It ends with the daemon.
    pub async fn follow(&self) -> mpsc::Receiver<Reply> {
        let (sender, receiver) = mpsc::channel(FOLLOWER_LIMIT);
        // Without a daemon there is nothing to see: the receiver has ended then.
        let _ = self.wakes.send(Wake::Followed(sender)).await;
        receiver
    }

    /// To be held from a request on until its answer is written.
    pub fn answering(&self) -> Answering {
        Answering { _busy: self.busy.upgrade() }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::main_loop::WAKE_LIMIT;

    #[tokio::test(start_paused = true)]
    async fn whoever_asks_a_loop_that_has_enough_to_do_waits() {
        let (wakes, mut woken) = mpsc::channel(WAKE_LIMIT);
        let (busy, _answered) = mpsc::channel(1);
        let handle = Handle::new(wakes, busy.downgrade());
        let ask = || {
            let handle = handle.clone();
            tokio::spawn(async move { handle.ask(Request::Ping, Peer { uid: 0, pid: None }).await })
        };
        let asked: Vec<_> = (0..WAKE_LIMIT + 10).map(|_| ask()).collect();
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(woken.len(), WAKE_LIMIT);
        // None of them is lost.
        for _ in 0..asked.len() {
            woken.recv().await.unwrap();
        }
    }
}
