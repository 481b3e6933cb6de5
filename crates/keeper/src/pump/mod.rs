//! Logs: one thread that brings what services write from their pipes to their log files, and loses nothing when it is
//! killed. [`batch`] tells how; it knows nothing of runs, restarts and the daemon.

mod aside;
mod batch;
mod budget;
mod compressor;
mod counts;
mod cut;
mod folder;
mod index;
mod pipe;
mod place;
mod rotated;
mod stream;
mod thread;

pub use batch::is_settled;
pub(crate) use batch::{DIR_LIMIT, check_buffer};
pub use cut::{Step, next_step};
pub use place::{Rotated as RotatedSince, written, written_to_rotated};
pub(crate) use rotated::parts_of;
pub(crate) use stream::Begins;
pub(crate) use thread::{Counted, Of, Pump};
