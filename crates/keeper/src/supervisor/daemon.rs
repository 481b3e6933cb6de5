//! The daemon: what is said to it, how it is started, and when it is started again. It is a slot like any other, but for
//! the two descriptors that it gets, and for nobody being told of its end.

use std::{
    io::{self, Read, Write},
    os::{fd::AsFd, unix::net::UnixStream},
    time::Duration,
};

use mainstay_host::{Durability, Interest, Poller, monotonic_nanos, stream_pair, write_atomic};
use mainstay_model::Signal;
use mainstay_wire::{
    DAEMON_SLOT, Frames, FromKeeper, KEEPER_FD, LISTEN_FD, LogFile, Program, ToAnchor, ToKeeper, WireExit,
    WireReports, WireWhenFull, frame,
};

use super::{Supervisor, Token, begin::Order, slots::State, timers::Timer};
use crate::{options::own_environment, report::say};

/// A daemon that lived longer than this is started again at once.
const LONG_LIFE: Duration = Duration::from_secs(10);

/// The first wait of one that did not; it doubles.
const FIRST_WAIT: Duration = Duration::from_millis(100);

/// The longest such wait.
const LAST_WAIT: Duration = Duration::from_secs(5);

/// The first wait of one that said that it cannot go on, while services run; it doubles.
const FIRST_TROUBLED_WAIT: Duration = Duration::from_secs(1);

/// The longest such wait.
const LAST_TROUBLED_WAIT: Duration = Duration::from_secs(60);

/// When it ended this often before it was ever up, and nothing runs, whoever wants it up is told.
const VAIN_STARTS: u32 = 5;

/// How long a daemon that said that it is done may take to end.
const END_PATIENCE: Duration = Duration::from_secs(5);

/// Bytes read at a time.
const READ_BYTES: usize = 16 * 1024;

/// Bytes that wait for a daemon that does not read; beyond that it is killed.
const UNREAD_LIMIT: usize = 64 * 1024 * 1024;

/// Bytes that wait for a daemon that is not told everything any more, but the latest only.
const BEHIND: usize = 1024 * 1024;

/// The daemon's own log.
const LOG_SIZE: u64 = 10_000_000;
const LOG_KEEP: u32 = 3;
const LOG_TOTAL: u64 = 40_000_000;

/// What is known of the daemon.
#[derive(Debug, Default)]
pub(super) struct Daemon {
    link: Option<Link>,
    said_hello: bool,
    /// It said "up" in this keeper's time.
    was_up: bool,
    /// It said that it cannot go on, and why.
    trouble: Option<String>,
    /// It could not be made, though one was before: that passes.
    unmade: bool,
    /// When it was last started by this keeper.
    since: Option<u64>,
    wait: Duration,
    vain: u32,
}

#[derive(Debug)]
struct Link {
    stream: UnixStream,
    frames: Frames,
    /// What waits, after what was sent already.
    waiting: Vec<u8>,
    sent: usize,
}

impl Daemon {
    /// Tells the daemon something. One that has not said hello will ask for everything.
    pub(super) fn send(&mut self, message: &FromKeeper) {
        let Some(link) = self.link.as_mut().filter(|_| self.said_hello) else { return };
        match frame(message) {
            Ok(bytes) => link.waiting.extend_from_slice(&bytes),
            Err(error) => say(format_args!("a message to the daemon cannot be written: {error}")),
        }
        link.flush();
    }

    pub(super) fn has_said_hello(&mut self) {
        self.said_hello = true;
    }

    pub(super) fn is_listening(&self) -> bool {
        self.link.is_some() && self.said_hello
    }

    /// Whether it does not keep up with what it is told.
    pub(super) fn is_behind(&self) -> bool {
        self.link.as_ref().is_some_and(|link| link.unsent() > BEHIND)
    }

    /// Adapts what is waited for to whether something waits to be sent.
    pub(super) fn watch(&mut self, poller: &Poller) {
        if let Some(link) = &mut self.link {
            link.flush();
            let interest = if link.unsent() == 0 { Interest::Read } else { Interest::ReadWrite };
            let _ = poller.change(&link.stream, Token::Daemon.number(), interest);
        }
    }

    fn drop_link(&mut self, poller: &Poller) {
        if let Some(link) = self.link.take() {
            poller.remove(&link.stream);
        }
        self.said_hello = false;
    }

    /// The wait before the next start, and what it becomes for the one after.
    fn next_wait(&mut self) -> Duration {
        let lived = self.since.map(|since| Duration::from_nanos(monotonic_nanos().saturating_sub(since)));
        // One that this keeper did not start died with the keeper before.
        if lived.is_none_or(|lived| lived >= LONG_LIFE) {
            self.wait = Duration::ZERO;
        }
        let wait = self.wait;
        self.wait = (wait * 2).clamp(FIRST_WAIT, LAST_WAIT);
        wait
    }

    fn next_troubled_wait(&mut self) -> Duration {
        self.wait = (self.wait * 2).clamp(FIRST_TROUBLED_WAIT, LAST_TROUBLED_WAIT);
        self.wait
    }
}

impl Link {
    /// Bytes that wait.
    fn unsent(&self) -> usize {
        self.waiting.len() - self.sent
    }

    /// It does not read what it is told.
    fn is_hopeless(&self) -> bool {
        self.unsent() > UNREAD_LIMIT
    }

    fn flush(&mut self) {
        while let Some(rest) = self.waiting.get(self.sent..).filter(|rest| !rest.is_empty()) {
            match self.stream.write(rest) {
                Ok(count) => self.sent += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // It reads later, or it is gone, which its end of the stream says.
                Err(_) => return self.forget_sent(),
            }
        }
        (self.waiting, self.sent) = (Vec::new(), 0);
    }

    /// Moves what waits to the front, once that is less than what was sent: each byte is moved once or twice, not with each
    /// write.
    fn forget_sent(&mut self) {
        if self.sent > self.unsent() {
            self.waiting.drain(..self.sent);
            self.sent = 0;
        }
    }

    /// Reads what came; `false` when the stream is at its end or makes no sense.
    fn read(&mut self) -> bool {
        let mut part = [0; READ_BYTES];
        match self.stream.read(&mut part) {
            Ok(0) => false,
            Ok(count) => {
                self.frames.push(part.get(..count).unwrap_or_default());
                true
            }
            Err(error) => matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted),
        }
    }
}

impl Supervisor {
    /// Starts the daemon, unless it runs.
    pub(super) fn start_daemon(&mut self) {
        let is_active = self
            .slots
            .find(DAEMON_SLOT)
            .and_then(|index| self.slots.get(index))
            .is_some_and(super::slots::Slot::is_active);
        if is_active || self.leaving {
            return;
        }
        if let Err(text) = self.try_start_daemon() {
            self.daemon_not_started(&text);
        }
    }

    fn try_start_daemon(&mut self) -> Result<(), String> {
        let text = |error: io::Error| format!("cannot connect the daemon: {error}");
        let (ours, theirs) = stream_pair().map_err(text)?;
        let listening = self.listener.as_fd().try_clone_to_owned().map_err(text)?;
        let stream = UnixStream::from(ours);
        stream.set_nonblocking(true).map_err(text)?;
        self.daemon.drop_link(&self.poller);
        self.poller.add(&stream, Token::Daemon.number(), Interest::Read).map_err(text)?;
        self.daemon.link = Some(Link { stream, frames: Frames::default(), waiting: Vec::new(), sent: 0 });
        self.daemon.since = Some(monotonic_nanos());
        let order = Order {
            slot: DAEMON_SLOT.to_owned(),
            run: self.daemon_starts() + 1,
            program: Box::new(Program {
                words: self.options.words(self.options.program(), "run"),
                dir: "/".to_owned(),
                env: own_environment(),
                identity: None,
            }),
            log: LogFile {
                dir: self.options.logs_dir.join(DAEMON_SLOT).to_string_lossy().into_owned(),
                max_size: LOG_SIZE,
                keep: LOG_KEEP,
                total: LOG_TOTAL,
                compress: true,
                // Whoever thinks must not wait for a disk.
                when_full: WireWhenFull::Drop,
                all_services: None,
                split: false,
            },
            memo: String::new(),
            reports: WireReports::default(),
            pass: vec![(theirs, KEEPER_FD), (listening, LISTEN_FD)],
        };
        self.begin(order).map_err(|refusal| refusal.text)
    }

    /// How many daemons were started, the present one included.
    fn daemon_runs(&self) -> u64 {
        self.slots.find(DAEMON_SLOT).and_then(|index| self.slots.get(index)).map_or(0, |slot| slot.record.run)
    }

    /// How many daemons were started before the present one, or in all when there is none.
    pub(super) fn daemon_starts(&self) -> u64 {
        let runs = self.daemon_runs();
        if self.daemon.is_listening() { runs.saturating_sub(1) } else { runs }
    }

    /// The daemon said something, or is gone.
    pub(super) fn daemon_event(&mut self) {
        let goes_on = self.daemon.link.as_mut().is_some_and(Link::read);
        while let Some(link) = &mut self.daemon.link {
            match link.frames.next_message::<ToKeeper>() {
                Ok(Some(request)) => self.request(request),
                Ok(None) => break,
                Err(error) => {
                    say(format_args!("the daemon makes no sense: {error}"));
                    return self.dismiss_daemon();
                }
            }
        }
        if !goes_on || self.daemon.link.as_ref().is_some_and(Link::is_hopeless) {
            self.dismiss_daemon();
        }
    }

    /// One that we cannot talk to is of no use; one that said that it is about to end has its time for that.
    fn dismiss_daemon(&mut self) {
        self.daemon.drop_link(&self.poller);
        if !self.timers.is_set(Timer::KillDaemon) {
            self.kill_daemon();
        }
    }

    pub(super) fn kill_daemon(&mut self) {
        self.daemon.drop_link(&self.poller);
        if let Some(State::Live(live)) =
            self.slots.find(DAEMON_SLOT).and_then(|index| self.slots.get(index)).map(|slot| &slot.state)
        {
            live.process.signal(Signal::KILL);
        }
    }

    pub(super) fn daemon_is_up(&mut self) {
        self.daemon.was_up = true;
        let _ = std::fs::remove_file(self.options.trouble());
        self.daemon.vain = 0;
        self.tell_anchor(&ToAnchor::Up);
    }

    pub(super) fn daemon_in_trouble(&mut self, text: String) {
        self.tell_anchor(&ToAnchor::Trouble { text: text.clone() });
        say(format_args!("the daemon cannot go on: {text}"));
        // For whoever asks, as long as nobody answers; without it they wait.
        let _ = write_atomic(&self.options.trouble(), text.as_bytes(), Durability::Renamed);
        self.daemon.trouble = Some(text);
    }

    pub(super) fn daemon_not_started(&mut self, text: &str) {
        self.daemon.drop_link(&self.poller);
        self.daemon_in_trouble(format!("the daemon cannot start: {text}"));
        self.daemon.unmade = self.daemon_runs() > 1;
        self.replace_daemon();
    }

    pub(super) fn daemon_ended(&mut self, exit: WireExit) {
        self.daemon.drop_link(&self.poller);
        if !self.leaving {
            say(format_args!("the daemon ended ({})", mainstay_model::Exit::from(exit)));
        }
        if self.daemon.was_up && !self.has_successor() {
            self.tell_anchor(&ToAnchor::Down { exit });
        }
        self.replace_daemon();
    }

    fn replace_daemon(&mut self) {
        if self.leaving || self.has_successor() {
            return;
        }
        if !self.daemon.was_up && self.daemon.since.is_some() {
            self.daemon.vain += 1;
        }
        let is_vain = self.daemon.vain >= VAIN_STARTS && self.daemon.trouble.is_none();
        let nothing_runs = !self.slots.any_service_active();
        if is_vain && nothing_runs {
            let log = self.options.logs_dir.join(DAEMON_SLOT).join("current");
            let text =
                format!("the daemon ended {VAIN_STARTS} times before it was up; see `{}`", log.display());
            self.daemon_in_trouble(text);
        }
        let unmade = std::mem::take(&mut self.daemon.unmade);
        let wait = match self.daemon.trouble.take() {
            // What waits for its time, or for another try, is the daemon's to know: that none could be made is no end.
            Some(_) if unmade && !self.terminating => self.daemon.next_wait(),
            Some(_) if nothing_runs => return self.leave(),
            Some(_) if self.terminating => return self.end_without_daemon(),
            Some(_) => self.daemon.next_troubled_wait(),
            None => self.daemon.next_wait(),
        };
        if wait.is_zero() {
            self.start_daemon();
        } else {
            self.timers.set(Timer::StartDaemon, wait);
        }
    }

    /// The daemon is done: it will end by itself.
    pub(super) fn finish(&mut self) {
        self.leave();
        self.timers.set(Timer::KillDaemon, END_PATIENCE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waits_for_one_that_does_not_read_has_a_bound_and_is_whole() {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        ours.set_nonblocking(true).unwrap();
        theirs.set_nonblocking(true).unwrap();
        let mut link = Link { stream: ours, frames: Frames::default(), waiting: Vec::new(), sent: 0 };
        let total = UNREAD_LIMIT + 1024 * 1024;
        link.waiting = (0..=250).collect::<Vec<u8>>().repeat(total / 251 + 1);
        link.waiting.truncate(total);
        link.flush();
        assert!(link.is_hopeless());
        let (mut read, mut part) = (0, vec![0; 1024 * 1024]);
        while read < total {
            match theirs.read(&mut part) {
                Ok(count) => {
                    let at = |place: usize| u8::try_from((read + place) % 251).unwrap();
                    assert_eq!((part[0], part[count - 1]), (at(0), at(count - 1)));
                    read += count;
                }
                Err(_) => link.flush(),
            }
        }
        assert!(!link.is_hopeless() && link.unsent() == 0);
    }
}
