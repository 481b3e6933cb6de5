//! One file for each kind of request; the names are those of the commands.

mod act;
mod apply;
pub(crate) mod down;
mod list;
mod names;

use mainstay_wire::{Answer, ErrorCode, Reply, Request, SCHEMA_VERSION, WireError};
use tokio::sync::{mpsc, oneshot};

use crate::{
    brain::Brain,
    wake::{Asked, Peer},
};

/// Takes a request. It is answered now, or by a waiter later.
pub(crate) fn take(brain: &mut Brain, asked: Asked) {
    let Asked { request, peer, reply } = asked;
    audit(&request, peer);
    match request {
        Request::Ping => answer(reply, Ok(pong())),
        Request::List => list::list(brain, reply),
        Request::Status { service } => list::status(brain, &service, reply),
        Request::Apply { .. } => apply::apply(brain, request, reply),
        Request::Act { act, services, wait } => act::act(brain, act, &services, wait, reply),
        Request::Down { kill } => down::down(brain, kill, reply),
        Request::Follow => {
            answer(reply, Err(WireError::new(ErrorCode::Internal, "`follow` has more than one reply")));
        }
    }
}

/// Takes a client that wants to see every change.
pub(crate) fn follow(brain: &mut Brain, sender: mpsc::Sender<Reply>) {
    list::follow(brain, sender);
}

/// Every request that changes something, with who asked for it.
fn audit(request: &Request, peer: Peer) {
    let what = match request {
        Request::Apply { start, files, .. } => {
            format!(
                "apply {} start {}",
                files.join(" "),
                if start.is_empty() { "all".to_owned() } else { start.join(" ") }
            )
        }
        Request::Act { act, services, .. } => format!("{act:?} {}", services.join(" ")).to_lowercase(),
        Request::Down { kill } => format!("down{}", if *kill { " at once" } else { "" }),
        Request::Ping | Request::List | Request::Status { .. } | Request::Follow => return,
    };
    let pid = peer.pid.map_or_else(|| "?".to_owned(), |pid| pid.to_string());
    tracing::info!("audit: uid {} pid {pid}: {what}", peer.uid);
}

pub(super) fn answer(reply: oneshot::Sender<Reply>, result: Result<Answer, WireError>) {
    // A client that left in this moment needs no answer.
    let _ = reply.send(result.into());
}

fn pong() -> Answer {
    Answer::Pong {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        pid: std::process::id(),
        keeper_pid: std::os::unix::process::parent_id(),
        schema_version: SCHEMA_VERSION,
    }
}

/// What cannot be asked while everything is being stopped.
pub(super) fn unless_going_down(brain: &Brain) -> Result<(), WireError> {
    if brain.going_down {
        return Err(WireError::new(ErrorCode::GoingDown, "the project is being stopped")
            .with_help("wait until `mainstay down` has ended, then `mainstay up`"));
    }
    Ok(())
}
