//! The bound on connections to the local socket: who is connected, and who makes room for the next. It knows no byte of what
//! is said on them.
//!
//! A connection says when it is busy with a request and when it is idle again. Where there is no room for another, the one
//! that has been idle for longest is asked to leave. It may have begun a request in just that moment: then it stays, and
//! the next one is asked. Only when all are busy there is no room.

use mainstay_model::Moment;
use tokio::sync::{mpsc, watch};

use crate::clock;

/// Connections at one time.
pub(crate) const CONNECTION_LIMIT: usize = 256;

/// Everybody who is connected.
#[derive(Debug)]
pub(crate) struct Connections {
    limit: usize,
    seats: Vec<Seat>,
}

/// What is known of one connection.
#[derive(Debug)]
struct Seat {
    state: watch::Receiver<State>,
    leave: mpsc::Sender<()>,
}

/// What a connection does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// It has asked nothing since then.
    Idle { since: Moment },
    /// It waits for an answer, or follows.
    Busy,
}

/// A connection's own end of its seat: idle at first, and free again when this is dropped.
#[derive(Debug)]
pub(crate) struct Connection {
    state: watch::Sender<State>,
    leave: mpsc::Receiver<()>,
}

impl Connections {
    /// Nobody, with room for so many.
    pub(crate) fn new(limit: usize) -> Self {
        Self { limit, seats: Vec::new() }
    }

    /// A seat for one more, if need be that of one who is idle; `None` when all are busy.
    pub(crate) async fn seat(&mut self) -> Option<Connection> {
        while self.seats.len() >= self.limit {
            self.seats.retain(|seat| !seat.is_free());
            if self.seats.len() >= self.limit {
                self.idle_longest()?.ask_to_leave().await;
            }
        }
        let (state, seen) = watch::channel(State::Idle { since: clock::now() });
        let (leave, asked) = mpsc::channel(1);
        self.seats.push(Seat { state: seen, leave });
        Some(Connection { state, leave: asked })
    }

    fn idle_longest(&mut self) -> Option<&mut Seat> {
        let idle = self.seats.iter_mut().filter_map(|seat| Some((seat.idle_since()?, seat)));
        idle.min_by_key(|(since, _)| *since).map(|(_, seat)| seat)
    }
}

impl Seat {
    fn is_free(&self) -> bool {
        self.leave.is_closed()
    }

    fn idle_since(&mut self) -> Option<Moment> {
        match *self.state.borrow_and_update() {
            State::Idle { since } => Some(since),
            State::Busy => None,
        }
    }

    /// Returns when it has left, or begun something.
    async fn ask_to_leave(&mut self) {
        // It may have been asked already, or be leaving by itself.
        let _ = self.leave.try_send(());
        // An error is its end.
        let _ = self.state.changed().await;
    }
}

impl Connection {
    /// It has read a request: it stays until that is answered.
    pub(crate) fn is_busy(&mut self) {
        self.state.send_replace(State::Busy);
        // Whoever asked it to leave asks another one.
        let _ = self.leave.try_recv();
    }

    /// The request is answered.
    pub(crate) fn is_idle(&mut self) {
        self.state.send_replace(State::Idle { since: clock::now() });
    }

    /// Returns when it is to make room.
    pub(crate) async fn asked_to_leave(&mut self) {
        if self.leave.recv().await.is_none() {
            // No more connections are taken, and nobody needs room.
            std::future::pending().await
        }
    }
}
