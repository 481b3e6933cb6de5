//! One slot's way from its pipe to its log file: one batch at a time, and what to do when the file takes nothing.

use std::{fs::File, io, io::Read, time::Duration};

use mainstay_host::Poller;
use mainstay_wire::{LogFile, LogMark, LogMarkKind, LogStream, WireWhenFull, owner_of_errors};

use super::{
    aside::Aside,
    batch::{BATCH_BYTES, Batch, Destination},
    budget::Budget,
    compressor::Compressor,
    counts::{Counts, News},
    folder::{Folder, Limits},
    pipe::{Pipe, Watch},
    place::{NotPlaced, Rotation, place},
};
use crate::report::{chain, say};

/// The first wait before a log file that took nothing is tried again; it doubles.
const RETRY_FIRST: Duration = Duration::from_secs(1);

/// The longest such wait.
const RETRY_LAST: Duration = Duration::from_secs(30);

/// How old the daemon's knowledge of what was dropped may be.
const TELL_AFTER: Duration = Duration::from_secs(1);

/// How much is dropped at a time.
const DROP_BYTES: usize = 64 * 1024;

/// Whether a run begins with a pipe, or goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Begins {
    Now,
    Before,
}

/// The tools of the pump's thread, for one batch.
pub(super) struct Tools<'a> {
    pub(super) batch: &'a mut Batch,
    pub(super) aside: &'a Aside,
    pub(super) poller: &'a Poller,
    pub(super) now: u64,
    /// Since the epoch.
    pub(super) wall: Duration,
    pub(super) budget: &'a mut Budget,
    pub(super) compressor: &'a mut Compressor,
    /// What the daemon is to be told.
    pub(super) news: &'a mut News,
}

/// One slot's output.
#[derive(Debug)]
pub(super) struct Stream {
    pub(super) slot: String,
    token: u64,
    folder: Folder,
    limits: Limits,
    pipe: Option<Pipe>,
    /// Whose output comes now.
    run: u64,
    /// Which part of it; `None` when that is all.
    part: Option<LogStream>,
    counts: Counts,
    /// The log file takes nothing.
    blocked: Option<Blocked>,
    /// When the daemon is told what was dropped since it was told last.
    tell_at: Option<u64>,
}

#[derive(Clone, Copy, Debug)]
struct Blocked {
    /// When the log file is tried again; `None`: with what comes next.
    retry_at: Option<u64>,
    wait: Duration,
    /// What was dropped last was not the end of a line.
    is_in_line: bool,
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
        let (folder, limits, part) = (Folder::new(&log.dir), Limits::of(log), part_of(&slot, log));
        let counts = Counts::default();
        Self { slot, token, folder, limits, pipe: None, run: 0, part, counts, blocked: None, tell_at: None }
    }

    pub(super) fn relog(&mut self, log: &LogFile, poller: &Poller) {
        (self.limits, self.part) = (Limits::of(log), part_of(&self.slot, log));
        if let (Some(blocked), Some(pipe)) = (&mut self.blocked, &mut self.pipe) {
            pipe.watch(
                if self.limits.when_full == WireWhenFull::Drop { Watch::Readable } else { Watch::Off },
                poller,
            );
            // One that waits must be woken by itself.
            blocked.retry_at = blocked.retry_at.or(Some(0));
        }
        if self.folder.asked_dir() != std::path::Path::new(&log.dir) {
            self.folder = Folder::new(&log.dir);
        }
    }

    /// Reads from this pipe of this run from now on; a pipe before it is let go.
    pub(super) fn attach(&mut self, file: File, run: u64, begins: Begins, tools: &Tools<'_>) {
        self.detach(tools.poller);
        self.run = run;
        if begins == Begins::Now {
            self.mark(LogMarkKind::Start, tools.wall);
        }
        let mut pipe = Pipe::new(file, self.token);
        if self.blocked.is_none() || self.is_dropping() {
            pipe.watch(Watch::Readable, tools.poller);
        }
        self.pipe = Some(pipe);
    }

    /// Notes in the index that a run begins or has ended, and lets the files go. Best effort.
    fn mark(&mut self, kind: LogMarkKind, wall: Duration) {
        if self.blocked.is_none()
            && let Ok(offset) = self.folder.size()
        {
            let (time_ns, run, stream) = (nanos(wall), self.run, self.part);
            self.folder.note(LogMark { offset, time_ns, run, kind, stream });
        }
        self.folder.close();
    }

    /// What the log file does not take is dropped.
    fn is_dropping(&self) -> bool {
        self.limits.when_full == WireWhenFull::Drop
    }

    /// Lets the pipe go, with what is in it; the log file too, until there is something for it again.
    pub(super) fn detach(&mut self, poller: &Poller) {
        if let Some(mut pipe) = self.pipe.take() {
            pipe.watch(Watch::Off, poller);
        }
        self.folder.forget();
    }

    /// Its pipe, when it has one, by its name.
    pub(super) fn into_pipe(self) -> Option<(String, File)> {
        Some((self.slot, self.pipe?.file))
    }

    /// When it wants to be looked at although its pipe says nothing.
    pub(super) fn wake_at(&self) -> Option<u64> {
        let blocked = self.blocked.and_then(|blocked| blocked.retry_at);
        let pipe = self.pipe.as_ref().and_then(Pipe::left_alone_until);
        [blocked, pipe, self.tell_at].into_iter().flatten().min()
    }

    /// Its moment has come, perhaps.
    pub(super) fn on_time(&mut self, tools: &mut Tools<'_>) {
        let now = tools.now;
        let is_due = |moment: Option<u64>| moment.is_some_and(|moment| moment <= now);
        if is_due(self.pipe.as_ref().and_then(Pipe::left_alone_until))
            && let Some(pipe) = &mut self.pipe
        {
            pipe.watch(Watch::Readable, tools.poller);
        }
        if is_due(self.blocked.and_then(|blocked| blocked.retry_at)) {
            self.retry(tools);
        }
        if is_due(self.tell_at) {
            self.tell(tools);
        }
    }

    /// Its pipe has something.
    pub(super) fn on_ready(&mut self, tools: &mut Tools<'_>) {
        if self.pipe.is_none() || (self.blocked.is_some() && !self.is_dropping()) {
            return;
        }
        let look = self.look(tools);
        let is_dropping = self.is_dropping();
        let Some(pipe) = &mut self.pipe else { return };
        match look {
            Look::Bytes(count) => pipe.was_read(count, tools.now, tools.poller),
            Look::Empty => {}
            Look::Blocked if is_dropping => {}
            Look::End | Look::Blocked => pipe.watch(Watch::Off, tools.poller),
        }
    }

    /// Writes what is in the pipe now, the end of this run's output; `false` when the log file does not take it.
    pub(super) fn drain(&mut self, tools: &mut Tools<'_>) -> bool {
        let Some(pipe) = &self.pipe else { return self.blocked.is_none() };
        // What is written from now on, by one that nobody could kill, is not waited for.
        let mut rest = mainstay_host::bytes_waiting(&pipe.file);
        while rest > 0 && (self.blocked.is_none() || self.is_dropping()) {
            match self.look(tools) {
                Look::Bytes(count) => rest = rest.saturating_sub(count),
                Look::Blocked if self.is_dropping() => {}
                Look::Empty | Look::End | Look::Blocked => break,
            }
        }
        self.mark(LogMarkKind::End, tools.wall);
        self.notice(tools);
        if self.counts.get().dropped_bytes > 0 {
            self.tell(tools);
        }
        self.blocked.is_none() || self.is_dropping()
    }

    /// One batch: to the log file, or nowhere.
    fn look(&mut self, tools: &mut Tools<'_>) -> Look {
        match self.blocked {
            None => self.look_and_write(tools),
            Some(Blocked { retry_at: None, is_in_line: false, .. }) => {
                self.folder.end_line();
                let look = self.look_and_write(tools);
                if matches!(look, Look::Bytes(_)) {
                    self.resume(tools);
                }
                look
            }
            Some(blocked) => self.look_and_drop(blocked, tools),
        }
    }

    /// Reads and drops. When the log file is to be tried again, it gets what comes after the next end of a line.
    fn look_and_drop(&mut self, blocked: Blocked, tools: &mut Tools<'_>) -> Look {
        let Some(pipe) = &self.pipe else { return Look::End };
        let mut bytes = vec![0; DROP_BYTES];
        let count = match (&pipe.file).read(&mut bytes) {
            Ok(0) => return Look::End,
            Ok(count) => count,
            Err(error) => return self.not_read(&error),
        };
        bytes.truncate(count);
        let kept = match bytes.iter().position(|byte| *byte == b'\n') {
            Some(end) if blocked.retry_at.is_none() => bytes.split_off(end + 1),
            Some(_) | None => Vec::new(),
        };
        self.counts.dropped(bytes.len());
        self.tell_at = self.tell_at.or(Some(tools.now + nanos(TELL_AFTER)));
        let is_in_line = kept.is_empty() && bytes.last() != Some(&b'\n');
        self.blocked = Some(Blocked { is_in_line, ..blocked });
        if !kept.is_empty() {
            match tools.aside.put(&self.slot, 0, &kept) {
                Ok(()) => {
                    self.folder.end_line();
                    self.retry(tools);
                }
                Err(_) => self.counts.dropped(kept.len()),
            }
        }
        Look::Bytes(count)
    }

    fn not_read(&self, error: &io::Error) -> Look {
        if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) {
            return Look::Empty;
        }
        say(format_args!("cannot read the output of `{}`: {error}", self.slot));
        Look::End
    }

    /// One batch to the log file.
    fn look_and_write(&mut self, tools: &mut Tools<'_>) -> Look {
        let to = self.destination(tools.wall);
        self.notice(tools);
        let to = match to {
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
                self.not_read(&error)
            }
        }
    }

    fn destination(&mut self, wall: Duration) -> io::Result<Destination> {
        // First: it may find that the folder was moved.
        let size = self.folder.size()?;
        Ok(Destination {
            slot: self.slot.clone(),
            dir: self.folder.dir().to_owned(),
            size,
            number: self.folder.number()?,
            limit: self.limits.max_size,
            stamp: wall.as_secs(),
            seen: nanos(wall),
            run: self.run,
            stream: self.part,
        })
    }

    /// Places the batch that is in the buffer, or sets it aside.
    fn bring(&mut self, to: &Destination, sequence: u64, count: usize, tools: &mut Tools<'_>) {
        match place(tools.batch, &mut self.folder, to, 0, count, to.number) {
            Ok(rotation) => {
                tools.batch.end(count);
                self.blocked = None;
                self.counts.written(count);
                tools.budget.add(count as u64);
                if rotation == Rotation::Some {
                    self.tidy(tools);
                }
            }
            Err(NotPlaced { from, error }) => {
                self.counts.written(from);
                let is_in_line = tools.batch.bytes(from, count).last() != Some(&b'\n');
                if self.is_dropping() {
                    tools.batch.end(count);
                    self.counts.dropped(count - from);
                } else {
                    set_aside(tools.batch, tools.aside, &self.slot, sequence, from, count);
                }
                self.block(&error, tools);
                if let Some(blocked) = &mut self.blocked {
                    blocked.is_in_line = is_in_line;
                }
            }
        }
    }

    /// A file was rotated: what is too old goes, and what is old is compressed. No batch is under way.
    fn tidy(&mut self, tools: &mut Tools<'_>) {
        let dir = self.folder.dir();
        if let Err(error) = self.folder.prune(self.limits) {
            say(format_args!("cannot delete old logs in `{}`: {error}", dir.display()));
        }
        if let (Some(limit), Some(root)) = (self.limits.all_services, dir.parent()) {
            tools.budget.enforce(root, limit);
        }
        let dir = dir.to_owned();
        if let (true, Ok(next)) = (self.limits.compress, self.folder.number()) {
            // The newest stays as it is: `tail` and the like want it, and its number is the next one's floor.
            tools.compressor.request(&dir, next.saturating_sub(1));
        }
    }

    /// Tells the daemon what somebody else did to the log file.
    fn notice(&mut self, tools: &mut Tools<'_>) {
        if let Some(text) = self.folder.take_interference() {
            self.counts.interfered(text, tools.wall);
            self.tell(tools);
        }
    }

    /// Tells the daemon.
    fn tell(&mut self, tools: &mut Tools<'_>) {
        self.tell_at = None;
        tools.news.insert(self.slot.clone(), self.counts.get().clone());
    }

    /// What became of its output.
    pub(super) fn counts(&self) -> &Counts {
        &self.counts
    }

    /// The log file takes nothing: leave it alone for a while.
    fn block(&mut self, error: &io::Error, tools: &mut Tools<'_>) {
        let text = chain(error);
        if self.counts.begin_trouble(text.clone(), tools.wall) {
            let (slot, dir) = (&self.slot, self.folder.dir().display());
            let becomes = if self.is_dropping() { "is dropped" } else { "waits" };
            say(format_args!("cannot write to the log of `{slot}` in `{dir}`, its output {becomes}: {text}"));
        }
        let wait = self.blocked.map_or(RETRY_FIRST, |blocked| (blocked.wait * 2).min(RETRY_LAST));
        let is_in_line = self.blocked.is_some_and(|blocked| blocked.is_in_line);
        self.folder.forget();
        self.blocked = Some(Blocked { retry_at: Some(tools.now + nanos(wait)), wait, is_in_line });
        self.tell(tools);
    }

    /// The log file takes something again.
    fn resume(&mut self, tools: &mut Tools<'_>) {
        self.blocked = None;
        if self.counts.end_trouble() {
            say(format_args!("the log of `{}` is written again", self.slot));
            self.tell(tools);
        }
        if let Some(pipe) = &mut self.pipe {
            pipe.watch(Watch::Readable, tools.poller);
        }
    }

    /// Tries again what could not be written.
    fn retry(&mut self, tools: &mut Tools<'_>) {
        let waiting = tools.aside.get(&self.slot);
        if waiting.is_none() && self.is_dropping() {
            // With what comes next: nothing is there that could be written.
            if let Some(blocked) = &mut self.blocked {
                blocked.retry_at = None;
            }
            return;
        }
        let to = match self.destination(tools.wall) {
            Ok(to) => to,
            Err(error) => return self.block(&error, tools),
        };
        match waiting {
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
            self.resume(tools);
        }
    }

    /// Something of a keeper before us waits for this slot.
    pub(super) fn has_waiting(&mut self, now: u64) {
        self.blocked = Some(Blocked { retry_at: Some(now), wait: RETRY_FIRST, is_in_line: false });
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

/// Which part of a slot's output has this name.
fn part_of(name: &str, log: &LogFile) -> Option<LogStream> {
    log.split.then(|| if owner_of_errors(name).is_some() { LogStream::Err } else { LogStream::Out })
}

fn nanos(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}
