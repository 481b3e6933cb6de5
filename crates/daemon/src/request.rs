//! One file for each kind of request; the names are those of the commands.

mod act;
mod apply;
pub(crate) mod down;
mod list;
mod names;

use mainstay_wire::{Answer, ErrorCode, Reply, Request, SCHEMA_VERSION, WireError};
use tokio::sync::oneshot;

use crate::{
    brain::Brain,
    wake::{Asked, Peer, ReplyTo},
};

/// Takes a request. It is answered now, or by a waiter later.
pub(crate) fn take(brain: &mut Brain, asked: Asked) {
    let Asked { request, peer, reply } = asked;
    audit(&request, peer);
    match (request, reply) {
        (Request::Follow, ReplyTo::Stream(sender)) => list::follow(brain, sender),
        (Request::Follow, ReplyTo::Once(reply)) => {
            answer(reply, Err(WireError::new(ErrorCode::Internal, "a stream was asked for on one reply")));
        }
        (request, ReplyTo::Stream(sender)) => {
            let (reply, _) = oneshot::channel();
            debug_assert!(sender.is_closed(), "{request:?} was asked for as a stream");
            answer(reply, Err(WireError::new(ErrorCode::Internal, "one reply was asked for as a stream")));
        }
        (Request::Ping, ReplyTo::Once(reply)) => answer(reply, Ok(pong())),
        (Request::List, ReplyTo::Once(reply)) => list::list(brain, reply),
        (Request::Status { service }, ReplyTo::Once(reply)) => list::status(brain, &service, reply),
        (request @ Request::Apply { .. }, ReplyTo::Once(reply)) => apply::apply(brain, request, reply),
        (Request::Act { act, services, wait }, ReplyTo::Once(reply)) => {
            act::act(brain, act, &services, wait, reply);
        }
        (Request::Down { kill }, ReplyTo::Once(reply)) => down::down(brain, kill, reply),
    }
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
    tracing::info!(target: "audit", "uid {} pid {pid}: {what}", peer.uid);
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
