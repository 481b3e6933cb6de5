//! The daemon's changes as they come, over the death of a daemon. Knows nothing of how they are shown.

use std::{
    ops::ControlFlow,
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use mainstay_client::{Client, ClientError, Events};
use mainstay_wire::Answer;

/// How long it is waited before the daemon is sought again.
const AGAIN: Duration = Duration::from_millis(50);

/// What a subscription brings.
#[derive(Debug)]
pub(crate) enum Change {
    /// How everything stands at the beginning, and each change.
    Told(Answer),
    /// Another daemon has taken the place of one that died; how everything stands follows.
    Another,
    /// Nobody answers any more: the last.
    Gone,
}

/// Hands them on from a thread of its own, until nobody answers or `take` breaks.
pub(crate) fn follow(
    events: Events,
    socket: PathBuf,
    mut take: impl FnMut(Change) -> ControlFlow<()> + Send + 'static,
) {
    thread::spawn(move || hand_on(events, &socket, &mut take));
}

fn hand_on(
    mut events: Events,
    socket: &Path,
    take: &mut dyn FnMut(Change) -> ControlFlow<()>,
) -> ControlFlow<()> {
    loop {
        for answer in events.map_while(Result::ok) {
            take(Change::Told(answer))?;
        }
        match seek(socket) {
            None => return take(Change::Gone),
            Some(next) => events = next,
        }
        take(Change::Another)?;
    }
}

/// The next daemon, when there is one.
fn seek(socket: &Path) -> Option<Events> {
    loop {
        match Client::connect(socket).and_then(Client::follow) {
            Ok(events) => return Some(events),
            // While one dies and the next comes, the connection is taken and dropped.
            Err(ClientError::Closed) => thread::sleep(AGAIN),
            Err(_) => return None,
        }
    }
}
