//! One slot's way from its pipe to its log file: one batch at a time, and what to do when the file takes nothing.

use std::{fs::File, io, time::Duration};

use mainstay_host::{Interest, Poller, grow_pipe, pipe_capacity};
use mainstay_wire::LogFile;

use super::{
    aside::Aside,
    batch::{BATCH_BYTES, Batch, Destination},
    folder::{Folder, Limits},
    place::{NotPlaced, Rotation, place},
};
use crate::report::{chain, say};

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

/// The first wait before a log file that took nothing is tried again; it doubles.
const RETRY_FIRST: Duration = Duration::from_secs(1);

/// The longest such wait.
const RETRY_LAST: Duration = Duration::from_secs(30);

/// The tools of the pump's thread, for one batch.
pub(super) struct Tools<'a> {
    pub(super) batch: &'a mut Batch,
    pub(super) aside: &'a Aside,
    pub(super) poller: &'a Poller,
    pub(super) now: u64,
    /// Seconds since the epoch.
    pub(super) wall: u64,
}

/// One slot's output.
#[derive(Debug)]
pub(super) struct Stream {
    pub(super) slot: String,
    token: u64,
    folder: Folder,
    limits: Limits,
    pipe: Option<Pipe>,
    /// The log file takes nothing.
    blocked: Option<Blocked>,
}

#[derive(Debug)]
struct Pipe {
    file: File,
    capacity: usize,
    /// When the present window began, and looks in it.
    window: u64,
    looks: u32,
    watch: Watch,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Watch {
    /// Waiting for something to read.
    Readable,
    /// Left alone until this moment.
    Until(u64),
    /// Not registered: at its end, or blocked.
    Off,
}

#[derive(Clone, Copy, Debug)]
struct Blocked {
    retry_at: u64,
    wait: Duration,
}

/// What a look at the pipe brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Look {
    Bytes(usize),
    Empty,
    End,
    Blocked,
}

impl Stream {
    pub(super) fn new(slot: String, token: u64, log: &LogFile) -> Self {
        let (folder, limits) = (Folder::new(&log.dir), Limits::of(log));
        Self { slot, token, folder, limits, pipe: None, blocked: None }
    }

    pub(super) fn relog(&mut self, log: &LogFile) {
        self.limits = Limits::of(log);
        if self.folder.dir() != std::path::Path::new(&log.dir) {
            self.folder = Folder::new(&log.dir);
        }
    }

    /// Reads from this pipe from now on; a pipe before it is let go.
    pub(super) fn attach(&mut self, file: File, tools: &Tools<'_>) {
        self.detach(tools.poller);
        let capacity = pipe_capacity(&file);
        let mut pipe = Pipe { file, capacity, window: 0, looks: 0, watch: Watch::Off };
        if self.blocked.is_none() {
            pipe.watch(Watch::Readable, self.token, tools.poller);
        }
        self.pipe = Some(pipe);
    }

    /// Lets the pipe go, with what is in it; the log file too, until there is something for it again.
    pub(super) fn detach(&mut self, poller: &Poller) {
        if let Some(mut pipe) = self.pipe.take() {
            pipe.watch(Watch::Off, self.token, poller);
        }
        self.folder.forget();
    }

    /// When it wants to be looked at although its pipe says nothing.
    pub(super) fn wake_at(&self) -> Option<u64> {
        let blocked = self.blocked.map(|blocked| blocked.retry_at);
        let left_alone = self.pipe.as_ref().and_then(|pipe| match pipe.watch {
            Watch::Until(moment) => Some(moment),
            Watch::Readable | Watch::Off => None,
        });
        blocked.or(left_alone)
    }

    /// Its moment has come, perhaps.
    pub(super) fn on_time(&mut self, tools: &mut Tools<'_>) {
        if self.wake_at().is_none_or(|moment| moment > tools.now) {
            return;
        }
        if self.blocked.is_some() {
            self.retry(tools);
        } else if let Some(pipe) = &mut self.pipe {
            pipe.watch(Watch::Readable, self.token, tools.poller);
        }
    }

    /// Its pipe has something.
    pub(super) fn on_ready(&mut self, tools: &mut Tools<'_>) {
        if self.blocked.is_some() || self.pipe.is_none() {
            return;
        }
        let look = self.look(tools);
        let Some(pipe) = &mut self.pipe else { return };
        match look {
            Look::Bytes(count) => {
                pipe.note_look(tools.now);
                if pipe.capacity >= COALESCE_FROM && count < pipe.capacity.min(BATCH_BYTES) / 2 {
                    let until = tools.now + u64::try_from(COALESCE.as_nanos()).unwrap_or(0);
                    pipe.watch(Watch::Until(until), self.token, tools.poller);
                }
            }
            Look::Empty => {}
            Look::End | Look::Blocked => pipe.watch(Watch::Off, self.token, tools.poller),
        }
    }

    /// Writes what is in the pipe now; `false` when the log file does not take it.
    pub(super) fn drain(&mut self, tools: &mut Tools<'_>) -> bool {
        let Some(pipe) = &self.pipe else { return self.blocked.is_none() };
        // What is written from now on, by one that nobody could kill, is not waited for.
        let mut rest = mainstay_host::bytes_waiting(&pipe.file);
        while rest > 0 && self.blocked.is_none() {
            match self.look(tools) {
                Look::Bytes(count) => rest = rest.saturating_sub(count),
                Look::Empty | Look::End | Look::Blocked => break,
            }
        }
        self.blocked.is_none()
    }

    /// One batch.
    fn look(&mut self, tools: &mut Tools<'_>) -> Look {
        let to = match self.destination(tools.wall) {
            Ok(to) => to,
            Err(error) => {
                self.block(&error, tools);
                return Look::Blocked;
            }
        };
        let Some(pipe) = &self.pipe else { return Look::End };
        crate::fault::point();
        let sequence = tools.batch.begin(&to);
        match tools.batch.read(&pipe.file) {
            Ok(0) => {
                tools.batch.end(0);
                Look::End
            }
            Ok(count) => {
                self.bring(&to, sequence, count, tools);
                if self.blocked.is_some() { Look::Blocked } else { Look::Bytes(count) }
            }
            Err(error) => {
                tools.batch.end(0);
                if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) {
                    return Look::Empty;
                }
                say(format_args!("cannot read the output of `{}`: {error}", self.slot));
                Look::End
            }
        }
    }

    fn destination(&mut self, wall: u64) -> io::Result<Destination> {
        Ok(Destination {
            slot: self.slot.clone(),
            dir: self.folder.dir().to_owned(),
            size: self.folder.size()?,
            number: self.folder.number()?,
            limit: self.limits.max_size,
            stamp: wall,
        })
    }

    /// Places the batch that is in the buffer, or sets it aside.
    fn bring(&mut self, to: &Destination, sequence: u64, count: usize, tools: &mut Tools<'_>) {
        match place(tools.batch, &mut self.folder, to, 0, count, to.number) {
            Ok(rotation) => {
                tools.batch.end(count);
                self.blocked = None;
                if rotation == Rotation::Some {
                    self.prune();
                }
            }
            Err(NotPlaced { from, error }) => {
                set_aside(tools.batch, tools.aside, &self.slot, sequence, from, count);
                self.block(&error, tools);
            }
        }
    }

    fn prune(&self) {
        if let Err(error) = self.folder.prune(self.limits) {
            say(format_args!("cannot delete old logs in `{}`: {error}", self.folder.dir().display()));
        }
    }

    /// The log file takes nothing: leave the pipe alone for a while.
    fn block(&mut self, error: &io::Error, tools: &Tools<'_>) {
        let wait = match self.blocked {
            None => {
                say(format_args!(
                    "cannot write to the log of `{}` in `{}`, its output waits: {}",
                    self.slot,
                    self.folder.dir().display(),
                    chain(error)
                ));
                RETRY_FIRST
            }
            Some(blocked) => (blocked.wait * 2).min(RETRY_LAST),
        };
        self.folder.forget();
        self.blocked =
            Some(Blocked { retry_at: tools.now + u64::try_from(wait.as_nanos()).unwrap_or(0), wait });
    }

    /// Tries again what could not be written.
    fn retry(&mut self, tools: &mut Tools<'_>) {
        let to = match self.destination(tools.wall) {
            Ok(to) => to,
            Err(error) => return self.block(&error, tools),
        };
        match tools.aside.get(&self.slot) {
            Some(waiting) => {
                let count = waiting.bytes.len().min(BATCH_BYTES);
                tools.batch.begin_with(&to, waiting.sequence, waiting.bytes.get(..count).unwrap_or_default());
                crate::fault::point();
                tools.aside.remove(&self.slot);
                crate::fault::point();
                self.bring(&to, waiting.sequence, count, tools);
            }
            None => self.blocked = None,
        }
        if self.blocked.is_none() {
            say(format_args!("the log of `{}` is written again", self.slot));
            if let Some(pipe) = &mut self.pipe {
                pipe.watch(Watch::Readable, self.token, tools.poller);
            }
        }
    }

    /// Something of a keeper before us waits for this slot.
    pub(super) fn has_waiting(&mut self, now: u64) {
        self.blocked = Some(Blocked { retry_at: now, wait: RETRY_FIRST });
    }
}

impl Pipe {
    fn watch(&mut self, watch: Watch, token: u64, poller: &Poller) {
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

/// Frees the buffer of a batch that cannot be written. When there is no room for it elsewhere, it is lost, and that is said.
pub(super) fn set_aside(
    batch: &mut Batch,
    aside: &Aside,
    slot: &str,
    sequence: u64,
    from: usize,
    count: usize,
) {
    crate::fault::point();
    if let Err(error) = aside.put(slot, sequence, batch.bytes(from, count)) {
        say(format_args!("{} bytes of the output of `{slot}` are lost: {}", count - from, chain(&error)));
    }
    crate::fault::point();
    batch.end(count);
}
