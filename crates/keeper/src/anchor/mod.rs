//! The anchor: it holds descriptors, takes in orphans, and starts keepers. It reads nothing of what it holds, and decides
//! nothing: the fewer lines there are here, the less can kill it.
//!
//! A service's process is the keeper's child. When the keeper dies, the service becomes the anchor's child, since the
//! anchor is a subreaper; its output waits in the FIFO that the anchor holds; and when it ends, the anchor notes how
//! before it lets the zombie go, and tells each new keeper until one has acknowledged it.

mod keeper;
pub(crate) mod kept;
mod orphans;
mod trial;
mod upgrade;

use std::{
    collections::BTreeMap,
    io::{self, Write},
    os::fd::{AsFd, AsRawFd, OwnedFd},
    path::Path,
    process::ExitCode,
    time::Duration,
};

use mainstay_host::{
    Asked, Interest, Limits, Lock, Patience, Poller, SignalReader, adopt_orphans, below_limit, end_stdout,
    ignore_signals, keep_files_private, monotonic_nanos, next_dead_child, reap_child, release_clean_pages,
    settle_allocator, start_time,
};
use mainstay_wire::{FromAnchor, ToAnchor, UpgradeView};

use self::keeper::Seat;
pub use self::{
    orphans::{ORPHAN_LIMIT, Orphan, Orphans},
    trial::{Next, Trial, arrived},
};
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

/// The pause before it is looked again at one who ended and could not be looked at.
const DEAD_AGAIN: Duration = Duration::from_millis(500);

/// Descriptors that it keeps free for what it has to do itself: to start a keeper, and to read who ended.
const OWN_ROOM: u64 = 16;

/// Runs the anchor until everything is stopped. Its answer is one line on standard output, `up` or `error TEXT`; then that
/// is closed. One that was the anchor before it replaced its program finds what it had behind the descriptor `take_over`.
pub fn anchor_main(options: Options, take_over: Option<i32>) -> ExitCode {
    settle_allocator();
    keep_files_private();
    let prepared = match take_over {
        None => prepare(options),
        Some(state) => kept::take_over(options, state),
    };
    match prepared {
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
    mainstay_host::sheltered_dir(&options.run_dir)
        .map_err(|error| format!("{}; {}", chain(&error), crate::PLACE_HELP))?;
    let lock = claim(&options.run_dir, crate::PLACE_HELP)?;
    // The run-time folder is another one, or was made again, where the state may still be somebody's.
    let state_lock = claim(&options.state_dir, crate::STATE_HELP)?;
    let failed = |error: io::Error| format!("the anchor cannot start: {error}");
    let senses = Senses::new().map_err(failed)?;
    adopt_orphans().map_err(failed)?;
    let seat = Seat::new(options.clone(), Limits::raise());
    Ok(Anchor { locks: vec![lock, state_lock], ..Anchor::new(options, senses, seat) })
}

/// What something can come from.
struct Senses {
    signals: SignalReader,
    poller: Poller,
}

impl Senses {
    fn new() -> io::Result<Self> {
        ignore_signals(&[SIGINT, SIGHUP, SIGPIPE]);
        let signals = SignalReader::new(&[SIGCHLD, SIGTERM])?;
        let poller = Poller::new()?;
        poller.add(&signals, SIGNALS, Interest::Read)?;
        Ok(Self { signals, poller })
    }
}

/// The anchor's lock in one of its two folders, when no other anchor has it and no keeper that of a keeper.
fn claim(dir: &Path, help: &str) -> Result<Lock, String> {
    let failed = |name: &'static str| {
        move |error: io::Error| format!("cannot use `{}`: {error}; {help}", dir.join(name).display())
    };
    let lock = match Lock::ask(&dir.join(ANCHOR_LOCK)).map_err(failed(ANCHOR_LOCK))? {
        Asked::Held(lock) => lock,
        Asked::Busy(holder) => {
            let (who, dir) = (holder.in_brackets(), dir.display());
            return Err(format!("another anchor{who} already runs for `{dir}`"));
        }
    };
    // One that lost its anchor works on; what it works with must not be touched.
    match Lock::holder_after(&dir.join(KEEPER_LOCK), KEEPER_PATIENCE).map_err(failed(KEEPER_LOCK))? {
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
    /// That of the run-time folder first.
    locks: Vec<Lock>,
    senses: Senses,
    seat: Seat,
    held: BTreeMap<String, OwnedFd>,
    orphans: Orphans,
    /// Those above anchors that died before us.
    fosters: Vec<u32>,
    answered: bool,
    /// Somebody asked us to end.
    terminating: bool,
    /// The keeper said that everything is stopped.
    finished: bool,
    /// A new program that may have to be taken back.
    trial: Option<Trial>,
    /// What became of the latest one.
    upgraded: Option<UpgradeView>,
    /// No keeper has been told that yet.
    has_news: bool,
    /// When to look again at those who ended, of whom one could not be looked at.
    dead_again: Option<u64>,
}

fn after(span: Duration) -> u64 {
    monotonic_nanos().saturating_add(u64::try_from(span.as_nanos()).unwrap_or(u64::MAX))
}

impl Anchor {
    /// One that has nothing yet.
    fn new(options: Options, senses: Senses, seat: Seat) -> Self {
        Self {
            options,
            locks: Vec::new(),
            senses,
            seat,
            held: BTreeMap::new(),
            orphans: Orphans::default(),
            fosters: Vec::new(),
            answered: false,
            terminating: false,
            finished: false,
            trial: None,
            upgraded: None,
            has_news: false,
            dead_again: None,
        }
    }

    fn work(&mut self) -> io::Result<()> {
        let mut tidy = true;
        self.take_dead();
        self.tell_again();
        while !(self.finished && self.seat.is_empty()) {
            self.on_trial_time();
            if self.dead_again.is_some_and(|due| due <= monotonic_nanos()) {
                self.take_dead();
            }
            self.fill_seat();
            let wake_at = self.wake_at();
            let patience = match wake_at {
                Some(moment) => Some(Duration::from_nanos(moment.saturating_sub(monotonic_nanos()))),
                None => tidy.then_some(IDLE),
            };
            let ready = self.senses.poller.wait(patience)?;
            if ready.is_empty() && tidy && wake_at.is_none() {
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
            self.seat.flush(&self.senses.poller);
        }
        Ok(())
    }

    fn wake_at(&self) -> Option<u64> {
        let trial = self.trial.as_ref().map(Trial::until);
        [self.seat.wake_at(), trial, self.dead_again].into_iter().flatten().min()
    }

    /// Starts a keeper when there is none.
    fn fill_seat(&mut self) {
        if !self.finished && self.seat.is_due() && self.seat.start(&self.senses.poller) {
            self.greet();
        }
    }

    /// Tells a keeper everything.
    fn greet(&mut self) {
        for (name, descriptor) in &self.held {
            self.seat.tell(&FromAnchor::Held { name: name.clone() }, Some(descriptor.as_fd()));
        }
        for orphan in self.orphans.iter() {
            self.seat.tell(&orphan.message(), None);
        }
        for pid in &self.fosters {
            self.seat.tell(&FromAnchor::Foster { pid: *pid }, None);
        }
        // What comes after the greeting is news.
        let has_news = std::mem::take(&mut self.has_news);
        if !has_news {
            self.tell_upgrade();
        }
        self.seat.tell(&FromAnchor::Complete, None);
        if has_news {
            self.tell_upgrade();
        }
        if self.terminating {
            self.seat.tell(&FromAnchor::Terminate, None);
        }
    }

    /// What the program that we were before may have been about to tell. Heard twice it does no harm.
    fn tell_again(&mut self) {
        for orphan in self.orphans.iter() {
            self.seat.tell(&orphan.message(), None);
        }
        self.tell_upgrade();
        if self.terminating {
            self.seat.tell(&FromAnchor::Terminate, None);
        }
        self.seat.flush(&self.senses.poller);
    }

    fn take_signals(&mut self) {
        while let Some(signal) = self.senses.signals.next_signal() {
            if signal == SIGTERM {
                self.terminating = true;
                self.seat.tell(&FromAnchor::Terminate, None);
            }
        }
        self.take_dead();
    }

    /// Whoever ended is noted before it is let go.
    fn take_dead(&mut self) {
        self.dead_again = None;
        let mut keeper_ended = None;
        while let Some(child) = next_dead_child() {
            if self.seat.is(child.pid) {
                say(format_args!("the keeper ended ({})", child.exit));
                keeper_ended = Some(child.exit);
            } else if !self.is_checker(child.pid, child.exit.into()) {
                // One that cannot be told from a later process of its number stays until it can.
                let Some(started) = start_time(child.pid) else {
                    self.dead_again = Some(after(DEAD_AGAIN));
                    break;
                };
                let orphan = self.orphans.note(child.pid, started, child.exit.into());
                self.seat.tell(&orphan.message(), None);
            }
            reap_child(child.pid);
        }
        if let Some(exit) = keeper_ended {
            // What it said last still counts.
            self.take_mail();
            self.seat.empty(&self.senses.poller);
            self.trial_failed(format!("its keeper ended ({exit})"));
        }
    }

    fn take_mail(&mut self) {
        loop {
            match self.seat.receive(Patience::Never) {
                Mail::Message(message, descriptor) => self.take_message(message, descriptor),
                Mail::Nothing => return,
                Mail::Gone => return self.seat.stop_listening(&self.senses.poller),
            }
        }
    }

    fn take_message(&mut self, message: ToAnchor, descriptor: Option<OwnedFd>) {
        match message {
            ToAnchor::Hold { name } => match descriptor {
                Some(descriptor) if below_limit(descriptor.as_raw_fd()) < OWN_ROOM => {
                    say(format_args!("there is no room to hold `{name}`: raise the limit on open files"));
                }
                Some(descriptor) => hold(&mut self.held, name, descriptor, HELD_LIMIT),
                None => say(format_args!("the descriptor of `{name}` did not arrive")),
            },
            ToAnchor::Release { name } => {
                self.held.remove(&name);
            }
            ToAnchor::Acknowledge { pid, start_time } => self.orphans.forget(pid, start_time),
            ToAnchor::Up => {
                self.trial_is_up();
                self.answer_once("up");
            }
            ToAnchor::Trouble { text } => {
                self.answer_once(&format!("error {}", text.replace('\n', " ")));
                self.trial_failed(text);
            }
            ToAnchor::Finished => self.finished = true,
            ToAnchor::Upgrade { program } => self.begin_trial(program),
            ToAnchor::NotUpgraded { why } => self.not_upgraded(why),
            ToAnchor::Again => self.greet(),
            ToAnchor::Down { exit } => {
                if self.trial.is_some() {
                    self.follow(Trial::daemon_ended(exit));
                }
            }
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
        let own_lock = self.options.run_dir.join(ANCHOR_LOCK);
        if let Err(error) = empty_run_dir(&self.options, &own_lock) {
            say(format_args!("cannot clean up `{}`: {error}", self.options.run_dir.display()));
        }
        ExitCode::SUCCESS
    }
}

/// Keeps a descriptor, when there is room for one of another name.
fn hold(held: &mut BTreeMap<String, OwnedFd>, name: String, descriptor: OwnedFd, limit: usize) {
    if held.len() >= limit && !held.contains_key(&name) {
        return say(format_args!("there is no room to hold `{name}`"));
    }
    held.insert(name, descriptor);
}

/// Says the one line to whoever started us. Nobody may be there any more.
fn answer(line: &str) {
    let mut stdout = io::stdout();
    let _ = writeln!(stdout, "{line}").and_then(|()| stdout.flush());
    if let Err(error) = end_stdout() {
        say(format_args!("cannot close standard output: {error}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beyond_so_many_descriptors_only_those_of_the_same_names_are_held() {
        let null = || OwnedFd::from(std::fs::File::open("/dev/null").unwrap());
        let mut held = BTreeMap::new();
        for name in ["a", "b", "c", "a"] {
            hold(&mut held, name.to_owned(), null(), 2);
        }
        assert_eq!(held.into_keys().collect::<Vec<_>>(), ["a", "b"]);
        // Each instance that there may be, with all that one can need.
        const { assert!(HELD_LIMIT > 5 * 10_000) };
    }
}
