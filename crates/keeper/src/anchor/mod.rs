//! The anchor: it holds descriptors, takes in orphans, and starts keepers. It reads nothing of what it holds, and decides
//! nothing: the fewer lines there are here, the less can kill it.
//!
//! A service's process is the keeper's child. When the keeper dies, the service becomes the anchor's child, since the
//! anchor is a subreaper; its output waits in the FIFO that the anchor holds; and when it ends, the anchor notes how
//! before it lets the zombie go, and tells each new keeper until one has acknowledged it.

mod keeper;
mod orphans;

use std::{
    collections::BTreeMap,
    io::{self, Write},
    os::fd::{AsFd, OwnedFd},
    path::Path,
    process::ExitCode,
    time::Duration,
};

use mainstay_host::{
    Asked, Interest, Limits, Lock, Patience, Poller, SignalReader, adopt_orphans, end_stdout, ignore_signals,
    keep_files_private, monotonic_nanos, next_dead_child, reap_child, release_clean_pages, settle_allocator,
    start_time,
};
use mainstay_wire::{FromAnchor, ToAnchor};

use self::keeper::Seat;
pub use self::orphans::{ORPHAN_LIMIT, Orphan, Orphans};
use crate::{
    mail::Mail,
    options::{ANCHOR_LOCK, KEEPER_LOCK, Options, empty_run_dir},
    report::{chain, say},
};

const SIGNALS: u64 = 0;
const KEEPER: u64 = 1;

/// After this time without anything to do, memory is given back.
const IDLE: Duration = Duration::from_secs(1);

/// How long a keeper that lost its anchor may take to end, when it is ending.
const KEEPER_PATIENCE: Duration = Duration::from_secs(2);

/// Descriptors held at most; the limit of the process is usually lower. One service needs one.
const HELD_LIMIT: usize = 65_536;

/// Runs the anchor until everything is stopped. Its answer is one line on standard output, `up` or `error TEXT`; then that
/// is closed.
pub fn anchor_main(options: Options) -> ExitCode {
    settle_allocator();
    keep_files_private();
    match prepare(options) {
        Ok(mut anchor) => match anchor.work() {
            Ok(()) => anchor.leave(),
            Err(error) => {
                answer(&format!("error the anchor failed: {error}"));
                ExitCode::FAILURE
            }
        },
        Err(text) => {
            answer(&format!("error {text}"));
            ExitCode::FAILURE
        }
    }
}

fn prepare(options: Options) -> Result<Anchor, String> {
    mainstay_host::private_dir(&options.run_dir)
        .map_err(|error| format!("{}; {}", chain(&error), crate::PLACE_HELP))?;
    let lock = claim(&options.run_dir, crate::PLACE_HELP)?;
    // The run-time folder is another one, or was made again, where the state may still be somebody's.
    let state_lock = claim(&options.state_dir, crate::STATE_HELP)?;
    let failed = |error: io::Error| format!("the anchor cannot start: {error}");
    ignore_signals(&[SIGINT, SIGHUP, SIGPIPE]);
    let signals = SignalReader::new(&[SIGCHLD, SIGTERM]).map_err(failed)?;
    adopt_orphans().map_err(failed)?;
    let poller = Poller::new().map_err(failed)?;
    poller.add(&signals, SIGNALS, Interest::Read).map_err(failed)?;
    let seat = Seat::new(options.clone(), Limits::raise());
    Ok(Anchor {
        options,
        lock,
        _state_lock: state_lock,
        signals,
        poller,
        seat,
        held: BTreeMap::new(),
        orphans: Orphans::default(),
        answered: false,
        terminating: false,
        finished: false,
    })
}

/// The anchor's lock in one of its two folders, when no other anchor has it and no keeper that of a keeper.
fn claim(dir: &Path, help: &str) -> Result<Lock, String> {
    let failed = |error: io::Error| format!("cannot use `{}`: {error}; {help}", dir.display());
    let lock = match Lock::ask(&dir.join(ANCHOR_LOCK)).map_err(failed)? {
        Asked::Held(lock) => lock,
        Asked::Busy(holder) => {
            let (who, dir) = (holder.in_brackets(), dir.display());
            return Err(format!("another anchor{who} already runs for `{dir}`"));
        }
    };
    // One that lost its anchor works on; what it works with must not be touched.
    match Lock::holder_after(&dir.join(KEEPER_LOCK), KEEPER_PATIENCE).map_err(failed)? {
        None => Ok(lock),
        Some(holder) => {
            let (who, dir) = (holder.in_brackets(), dir.display());
            Err(format!("a keeper{who} whose anchor is gone works in `{dir}`; `mainstay down` ends it"))
        }
    }
}

// `signal(7)`; the same on all machines that we run on.
const SIGHUP: i32 = 1;
const SIGINT: i32 = 2;
const SIGPIPE: i32 = 13;
const SIGTERM: i32 = 15;
const SIGCHLD: i32 = 17;

struct Anchor {
    options: Options,
    lock: Lock,
    _state_lock: Lock,
    signals: SignalReader,
    poller: Poller,
    seat: Seat,
    held: BTreeMap<String, OwnedFd>,
    orphans: Orphans,
    answered: bool,
    /// Somebody asked us to end.
    terminating: bool,
    /// The keeper said that everything is stopped.
    finished: bool,
}

impl Anchor {
    fn work(&mut self) -> io::Result<()> {
        let mut tidy = true;
        while !(self.finished && self.seat.is_empty()) {
            self.fill_seat();
            let patience = match self.seat.wake_at() {
                Some(moment) => Some(Duration::from_nanos(moment.saturating_sub(monotonic_nanos()))),
                None => tidy.then_some(IDLE),
            };
            let ready = self.poller.wait(patience)?;
            if ready.is_empty() && tidy && self.seat.wake_at().is_none() {
                release_clean_pages();
                tidy = false;
                continue;
            }
            tidy = true;
            for event in ready {
                match event.token {
                    SIGNALS => self.take_signals(),
                    KEEPER => self.take_mail(),
                    _ => {}
                }
            }
            self.seat.flush(&self.poller);
        }
        Ok(())
    }

    /// Starts a keeper when there is none, and tells it everything.
    fn fill_seat(&mut self) {
        if self.finished || !self.seat.is_due() || !self.seat.start(&self.poller) {
            return;
        }
        for (name, descriptor) in &self.held {
            self.seat.tell(&FromAnchor::Held { name: name.clone() }, Some(descriptor.as_fd()));
        }
        for orphan in self.orphans.iter() {
            self.seat.tell(&orphan.message(), None);
        }
        self.seat.tell(&FromAnchor::Complete, None);
        if self.terminating {
            self.seat.tell(&FromAnchor::Terminate, None);
        }
    }

    fn take_signals(&mut self) {
        while let Some(signal) = self.signals.next_signal() {
            if signal == SIGTERM {
                self.terminating = true;
                self.seat.tell(&FromAnchor::Terminate, None);
            }
        }
        self.take_dead();
    }

    /// Whoever ended is noted before it is let go.
    fn take_dead(&mut self) {
        let mut keeper_ended = false;
        while let Some(child) = next_dead_child() {
            if self.seat.is(child.pid) {
                say(format_args!("the keeper ended ({})", child.exit));
                keeper_ended = true;
            } else {
                let started = start_time(child.pid).unwrap_or(0);
                let orphan = self.orphans.note(child.pid, started, child.exit.into());
                self.seat.tell(&orphan.message(), None);
            }
            reap_child(child.pid);
        }
        if keeper_ended {
            // What it said last still counts.
            self.take_mail();
            self.seat.empty(&self.poller);
        }
    }

    fn take_mail(&mut self) {
        loop {
            match self.seat.receive(Patience::Never) {
                Mail::Message(message, descriptor) => self.take_message(message, descriptor),
                Mail::Nothing => return,
                Mail::Gone => return self.seat.stop_listening(&self.poller),
            }
        }
    }

    fn take_message(&mut self, message: ToAnchor, descriptor: Option<OwnedFd>) {
        match message {
            ToAnchor::Hold { name } => match descriptor {
                Some(_) if self.held.len() >= HELD_LIMIT => {
                    say(format_args!("there is no room to hold `{name}`"))
                }
                Some(descriptor) => {
                    self.held.insert(name, descriptor);
                }
                None => say(format_args!("the descriptor of `{name}` did not arrive")),
            },
            ToAnchor::Release { name } => {
                self.held.remove(&name);
            }
            ToAnchor::Acknowledge { pid, start_time } => self.orphans.forget(pid, start_time),
            ToAnchor::Up => self.answer_once("up"),
            ToAnchor::Trouble { text } => self.answer_once(&format!("error {}", text.replace('\n', " "))),
            ToAnchor::Finished => self.finished = true,
        }
    }

    fn answer_once(&mut self, line: &str) {
        if !self.answered {
            self.answered = true;
            answer(line);
        }
    }

    fn leave(mut self) -> ExitCode {
        self.answer_once("error it was stopped before it was up");
        match empty_run_dir(&self.options, self.lock.path()) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                say(format_args!("cannot clean up `{}`: {error}", self.options.run_dir.display()));
                ExitCode::SUCCESS
            }
        }
    }
}

/// Says the one line to whoever started us. Nobody may be there any more.
fn answer(line: &str) {
    let mut stdout = io::stdout();
    let _ = writeln!(stdout, "{line}").and_then(|()| stdout.flush());
    if let Err(error) = end_stdout() {
        say(format_args!("cannot close standard output: {error}"));
    }
}
