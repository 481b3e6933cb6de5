//! Reading log files: the last lines of services, and what is written from now on. It never writes them, and needs no daemon.
//!
//! The log of a service is a folder: `current`, which is written to, and `@TIME-N.log`, which were `current` before; a
//! larger N is newer. A rotation is one rename, after which a new `current` is made. So whoever has read a file to its
//! end and finds that `current` is another one reads the old one once more (nothing is written to it any more), then
//! those with larger numbers, then the new `current`, and has missed nothing. A service whose streams are kept apart has a
//! second such folder, and its log is both.

mod content;
mod cutter;
mod damage;
mod error;
mod expect;
mod files;
mod find;
mod follow;
mod last;
mod marks;
mod merge;
mod parts;
mod read;
mod source;
mod wanted;
mod watch;

pub use cutter::LINE_LIMIT;
pub use damage::{Damage, Tell};
pub use error::LogError;
pub use expect::{Answer, Awaited, Expect, Expecting};
pub use follow::{Follow, Handle};
pub use last::From;
pub use mainstay_wire::LogStream;
pub use read::{Line, Sink, folders, read, read_telling};
pub use wanted::{Run, Wanted};
