//! The two processes below the daemon: the anchor, which holds, and the keeper, which works. They know no policy.

mod anchor;
mod fault;
mod lock;
mod mail;
mod options;
mod pump;
mod report;
mod supervisor;

pub use anchor::anchor_main;
pub use options::Options;
pub use supervisor::keeper_main;

/// What to do when the run-time folder is on a file system that will not do.
pub(crate) const PLACE_HELP: &str = "set XDG_RUNTIME_DIR to a folder on a local file system";
