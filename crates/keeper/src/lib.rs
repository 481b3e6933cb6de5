//! The two processes below the daemon: the anchor, which holds, and the keeper, which works. They know no policy.

mod anchor;
mod compress;
mod fault;
mod lock;
mod mail;
mod options;
mod pump;
mod report;
mod state;
mod supervisor;

pub use anchor::anchor_main;
pub use compress::compress_main;
pub use options::{ANCHOR_LOCK, KEEPER_LOCK, Options, by_hand_lock};
pub use state::check_state;
pub use supervisor::keeper_main;

/// What is decided when a keeper or an anchor comes back, as functions of plain values: the simulation leads them through
/// deaths at any moment.
pub mod decisions {
    pub use crate::{
        anchor::{Next, ORPHAN_LIMIT, Orphan, Orphans, Trial, arrived},
        pump::{RotatedSince, Step, is_settled, next_step, written, written_to_rotated},
        supervisor::{Finding, Said, finding},
    };
}

/// What to do when the run-time folder is on a file system that will not do.
pub(crate) const PLACE_HELP: &str = "set XDG_RUNTIME_DIR to a folder on a local file system";

/// What to do when that file system has no more room.
pub(crate) const ROOM_HELP: &str =
    "it is tried again; make room there, or set XDG_RUNTIME_DIR to a folder that has some";

/// The same of the folder of the state.
pub(crate) const STATE_HELP: &str = "`--state-dir DIR` keeps state and logs elsewhere";
