//! `down`: stop all, then the daemon, the keeper and the anchor.

use mainstay_model::ServiceId;
use mainstay_wire::Reply;
use tokio::sync::oneshot;

use crate::{brain::Brain, clock, state::Recorded};

/// How everything is stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum How {
    /// Each after what needs it, with its signal and time.
    InOrder,
    /// At once.
    Killed,
}

pub(super) fn down(brain: &mut Brain, kill: bool, reply: oneshot::Sender<Reply>) {
    brain.leavers.retain(|leaver| !leaver.is_closed());
    brain.leavers.push(reply);
    begin(brain, if kill { How::Killed } else { How::InOrder });
}

/// Stops everything, for good. Also the second time: then the kill counts.
pub(crate) fn begin(brain: &mut Brain, how: How) {
    brain.going_down = true;
    let recorded = Recorded { wanted: Default::default(), going_down: true, ..brain.recorded.clone() };
    if let Err(error) = brain.record(recorded) {
        // Stopping goes on: a full disk must not keep anybody from that.
        tracing::error!("{error}");
    }
    let ids: Vec<ServiceId> = brain.runner.project().ids().cloned().collect();
    let now = clock::now();
    let changes = match how {
        How::InOrder => brain.runner.stop(now, &ids),
        How::Killed => brain.runner.kill(now, &ids),
    };
    brain.show(&changes);
}
