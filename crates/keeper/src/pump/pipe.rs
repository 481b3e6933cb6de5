//! A slot's pipe: whether it is watched, and how large it is. What comes out of it is not known here.

use std::{fs::File, time::Duration};

use mainstay_host::{Interest, Poller, grow_pipe, pipe_capacity};

use super::batch::BATCH_BYTES;
use crate::report::say;

/// What the pipe of a busy service is grown to; an ordinary user gets the second size when the first is refused.
const BUSY_CAPACITIES: [usize; 2] = [1024 * 1024, 256 * 1024];

/// A pipe is grown after it was looked at this many times within [`BUSY_WINDOW`]. How full it is found does not tell: a
/// fast reader finds little at a time, and works the harder for it.
const BUSY_LOOKS: u32 = 32;

/// See [`BUSY_LOOKS`].
const BUSY_WINDOW: Duration = Duration::from_millis(16);

/// Pipes smaller than this are looked at as soon as they have something: they would fill up while we wait.
const COALESCE_FROM: usize = 256 * 1024;

/// How long a large pipe that was found less than half full is left alone.
const COALESCE: Duration = Duration::from_millis(1);

/// A pipe to read from.
#[derive(Debug)]
pub(super) struct Pipe {
    pub(super) file: File,
    token: u64,
    capacity: usize,
    /// When the present window began, and looks in it.
    window: u64,
    looks: u32,
    watch: Watch,
}

/// Whether it is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Watch {
    /// Waiting for something to read.
    Readable,
    /// Left alone until this moment.
    Until(u64),
    /// Not registered: at its end, or blocked.
    Off,
}

impl Pipe {
    /// A pipe that is not watched yet; the poller tells of it by this token.
    pub(super) fn new(file: File, token: u64) -> Self {
        let capacity = pipe_capacity(&file);
        Self { file, token, capacity, window: 0, looks: 0, watch: Watch::Off }
    }

    /// Until when it is left alone.
    pub(super) fn left_alone_until(&self) -> Option<u64> {
        match self.watch {
            Watch::Until(moment) => Some(moment),
            Watch::Readable | Watch::Off => None,
        }
    }

    /// Has it looked at in this way.
    pub(super) fn watch(&mut self, watch: Watch, poller: &Poller) {
        let token = self.token;
        let done = match (self.watch, watch) {
            (Watch::Off, Watch::Readable) => poller.add(&self.file, token, Interest::Read),
            (Watch::Until(_), Watch::Readable) => poller.change(&self.file, token, Interest::Read),
            (Watch::Readable, Watch::Until(_)) => poller.change(&self.file, token, Interest::Gone),
            (Watch::Readable | Watch::Until(_), Watch::Off) => {
                poller.remove(&self.file);
                Ok(())
            }
            (Watch::Off, Watch::Off | Watch::Until(_))
            | (Watch::Readable, Watch::Readable)
            | (Watch::Until(_), Watch::Until(_)) => return,
        };
        match done {
            Ok(()) => self.watch = watch,
            Err(error) => say(format_args!("cannot watch a pipe: {error}")),
        }
    }

    /// So many bytes were read. A large pipe that was not even half full is left alone for a moment.
    pub(super) fn was_read(&mut self, count: usize, now: u64, poller: &Poller) {
        self.note_look(now);
        if self.capacity >= COALESCE_FROM && count < self.capacity.min(BATCH_BYTES) / 2 {
            let until = now + u64::try_from(COALESCE.as_nanos()).unwrap_or(0);
            self.watch(Watch::Until(until), poller);
        }
    }

    /// A pipe that gives a lot of work is made larger: then it can be left alone for a while.
    fn note_look(&mut self, now: u64) {
        if self.capacity >= COALESCE_FROM || self.looks == u32::MAX {
            return;
        }
        if Duration::from_nanos(now.saturating_sub(self.window)) > BUSY_WINDOW {
            (self.window, self.looks) = (now, 0);
        }
        self.looks += 1;
        if self.looks < BUSY_LOOKS {
            return;
        }
        // It is tried once only: an ordinary user has a limit.
        self.looks = u32::MAX;
        for capacity in BUSY_CAPACITIES {
            self.capacity = grow_pipe(&self.file, capacity);
            if self.capacity >= capacity {
                return;
            }
        }
    }
}
