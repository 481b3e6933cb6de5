//! One file for each kind of request; the names are those of the commands.

mod act;
mod adopt;
mod apply;
pub(crate) mod down;
mod explain;
mod list;
pub(crate) mod names;
mod plan;
mod rollback;

use std::time::Duration;

use mainstay_wire::{Act, Answer, ErrorCode, Reply, Request, SCHEMA_VERSION, WireError};
use tokio::sync::{mpsc, oneshot};

pub use self::plan::read_generations;
pub(crate) use self::rollback::take_back;
use crate::{
    brain::Brain,
    clock, monitors,
    state::StateError,
    upgrade,
    waiters::When,
    wake::{Asked, Peer},
};

/// Takes a request. It is answered now, or by a waiter later.
pub(crate) fn take(brain: &mut Brain, asked: Asked) {
    let Asked { request, peer, reply } = asked;
    if begins_something(&request) && brain.runner.execution().is_keeper_behind() {
        let error = WireError::new(ErrorCode::Busy, "the keeper does not keep up with what it is asked for")
            .with_help("what was asked before goes on; try again in a moment");
        return answer(reply, Err(error));
    }
    if let Some((code, what)) = audit(&request, peer) {
        brain.history.note(code, what, Some(peer));
    }
    match request {
        Request::Ping => answer(reply, Ok(pong())),
        Request::List => list::list(brain, reply),
        Request::Status { service } => list::status(brain, &service, reply),
        Request::Apply { .. } => apply::apply(brain, request, peer, reply),
        Request::Plan { specs, start } => plan::plan(brain, specs, &start, reply),
        Request::PlanRollback { to } => plan::plan_rollback(brain, to, reply),
        Request::Rollback { to, wait, within_ms } => {
            rollback::rollback(brain, to, When::from_request(wait, within_ms), peer, reply);
        }
        Request::Generations => plan::generations(brain, reply),
        Request::Verdict { generation, within_ms } => {
            brain.verdicts.add(generation, within_ms.map(Duration::from_millis), reply);
        }
        Request::Act { act, services, wait, within_ms } => {
            act::act(brain, act, &services, When::from_request(wait, within_ms), reply);
        }
        Request::Signal { signal, services } => act::signal(brain, &signal, &services, reply),
        Request::Wait { services, until, within_ms } => {
            act::wait(brain, &services, until, When::from_request(true, within_ms), reply);
        }
        Request::Down { kill } => down::down(brain, kill, reply),
        Request::Monitor { run_id, monitor } => {
            let told = monitors::take(brain, clock::now(), &run_id, monitor);
            answer(reply, told);
        }
        Request::Upgrade { program } => upgrade(brain, program, reply),
        Request::UpgradeVerdict { after, within_ms } => {
            brain.upgrades.waiters.add(after, within_ms.map(Duration::from_millis), reply);
        }
        Request::Explain { service, zone } => explain::explain(brain, &service, zone.as_deref(), reply),
        Request::History { .. } | Request::Report { .. } => {
            let known = brain.runner.project().ids().cloned().collect();
            brain.history.ask(&request, known, reply);
        }
        Request::Follow => {
            answer(reply, Err(WireError::new(ErrorCode::Internal, "`follow` has more than one reply")));
        }
    }
}

/// Whether it makes messages to the keeper of which nobody knows the number; what stops everything is never refused.
fn begins_something(request: &Request) -> bool {
    match request {
        Request::Apply { .. } | Request::Rollback { .. } | Request::Act { .. } | Request::Signal { .. } => {
            true
        }
        Request::Ping
        | Request::List
        | Request::Status { .. }
        | Request::Plan { .. }
        | Request::PlanRollback { .. }
        | Request::Generations
        | Request::Verdict { .. }
        | Request::Wait { .. }
        | Request::Down { .. }
        | Request::Upgrade { .. }
        | Request::UpgradeVerdict { .. }
        | Request::Explain { .. }
        | Request::History { .. }
        | Request::Report { .. }
        | Request::Monitor { .. }
        | Request::Follow => false,
    }
}

/// Answers a request that came while the last service was ending: what `down` asks for is so, and for the rest it is too
/// late.
pub(crate) fn take_too_late(asked: Asked) {
    let Asked { request, peer, reply } = asked;
    audit(&request, peer);
    match request {
        Request::Down { .. } => answer(reply, Ok(Answer::Down)),
        Request::Ping
        | Request::List
        | Request::Status { .. }
        | Request::Explain { .. }
        | Request::Apply { .. }
        | Request::Plan { .. }
        | Request::PlanRollback { .. }
        | Request::Rollback { .. }
        | Request::Generations
        | Request::Verdict { .. }
        | Request::Act { .. }
        | Request::Signal { .. }
        | Request::Wait { .. }
        | Request::History { .. }
        | Request::Report { .. }
        | Request::Upgrade { .. }
        | Request::UpgradeVerdict { .. }
        | Request::Monitor { .. }
        | Request::Follow => answer(reply, Err(going_down())),
    }
}

/// The keeper told what became of all output.
pub(crate) fn counted(brain: &mut Brain) {
    list::counted(brain);
}

/// Takes a client that wants to see every change.
pub(crate) fn follow(brain: &mut Brain, sender: mpsc::Sender<Reply>) {
    list::follow(brain, sender);
}

/// Says who asked for something to be changed, and gives what is to be kept of that; what was applied is kept once it is.
fn audit(request: &Request, peer: Peer) -> Option<(&'static str, String)> {
    let (code, what) = match request {
        Request::Apply { start, files, .. } => {
            let start = if start.is_empty() { "all".to_owned() } else { start.join(" ") };
            (None, format!("apply {} start {start}", files.join(" ")))
        }
        Request::Rollback { to, .. } => {
            let to = to.map(|to| format!(" {to}")).unwrap_or_default();
            (None, format!("rollback{to}"))
        }
        Request::Act { act, services, .. } => (Some("act"), format!("{} {}", word(*act), services.join(" "))),
        Request::Signal { signal, services } => {
            (Some("act"), format!("signal {signal} {}", services.join(" ")))
        }
        Request::Upgrade { program } => (Some("upgrade-requested"), format!("daemon upgrade {program}")),
        Request::Down { kill } => {
            (Some("down-requested"), format!("down{}", if *kill { " at once" } else { "" }))
        }
        Request::Ping
        | Request::List
        | Request::Status { .. }
        | Request::Explain { .. }
        | Request::Plan { .. }
        | Request::PlanRollback { .. }
        | Request::Generations
        | Request::Verdict { .. }
        | Request::Wait { .. }
        | Request::History { .. }
        | Request::Report { .. }
        | Request::UpgradeVerdict { .. }
        | Request::Monitor { .. }
        | Request::Follow => return None,
    };
    let pid = peer.pid.map_or_else(|| "?".to_owned(), |pid| pid.to_string());
    tracing::info!("audit: uid {} pid {pid}: {what}", peer.uid);
    code.map(|code| (code, what))
}

fn upgrade(brain: &mut Brain, program: String, reply: oneshot::Sender<Reply>) {
    match unless_going_down(brain) {
        Ok(()) => {
            let wakes = brain.runner.execution().wakes();
            upgrade::ask(brain, program, wakes, reply);
        }
        Err(error) => answer(reply, Err(error)),
    }
}

/// As a person says it.
fn word(act: Act) -> &'static str {
    match act {
        Act::Start => "start",
        Act::Stop => "stop",
        Act::Restart => "restart",
        Act::RollingRestart => "restart --rolling",
        Act::Kill => "kill",
        Act::Reload => "reload",
        Act::Pause => "pause",
        Act::Resume => "resume",
        Act::ResetFailed => "reset-failed",
    }
}

pub(crate) fn answer(reply: oneshot::Sender<Reply>, result: Result<Answer, WireError>) {
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

/// What is wanted cannot be put on disk, so it is not done: it would be forgotten with this daemon.
pub(super) fn unwritten(error: &StateError) -> WireError {
    WireError::new(ErrorCode::Failed, error.to_string()).with_help(
        "nothing was changed; free space there (`stop` and `restart` of what runs work without it)",
    )
}

/// What cannot be asked while everything is being stopped.
pub(super) fn unless_going_down(brain: &Brain) -> Result<(), WireError> {
    if brain.going_down { Err(going_down()) } else { Ok(()) }
}

fn going_down() -> WireError {
    WireError::new(ErrorCode::GoingDown, "the project is being stopped")
        .with_help("wait until `mainstay down` has ended, then `mainstay up`")
}
