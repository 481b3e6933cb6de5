//! The keeper: it makes processes, signals them, waits for them, kills what they leave behind, has their output pumped,
//! and keeps a daemon running that tells it what to do. It decides none of that.
//!
//! One thread supervises, in one loop over everything that can happen; one pumps; others live for as long as it takes to
//! make a process. What must survive `kill -9` is in three places: the slots' records, the pump's buffer, and the anchor.

mod adopt;
mod alone;
mod begin;
mod daemon;
mod end;
mod finding;
mod leave;
mod main_process;
mod notices;
mod output;
mod reports;
mod requests;
mod restore;
mod said;
mod signals;
mod slots;
mod spawner;
mod start;
mod store;
mod timers;
mod upgrade;

use std::{collections::BTreeMap, io, os::fd::OwnedFd, process::ExitCode, sync::Arc, time::Duration};

use mainstay_host::{Lock, Poller, Ready, SignalReader, Waker, parent_pid, release_clean_pages};
use mainstay_wire::{FromAnchor, ToAnchor, UpgradeView, WireExit};

use self::{
    alone::Alone,
    daemon::Daemon,
    end::Victim,
    slots::Slots,
    spawner::{Done, Job, Spawner},
    timers::{Timer, Timers},
    upgrade::Successor,
};
pub use self::{
    finding::{Finding, finding},
    said::Said,
};
use crate::{
    mail::MailBox,
    options::{Options, empty_run_dir},
    pump::Pump,
    report::say,
};

/// After this time without anything to do, memory is given back.
const IDLE: Duration = Duration::from_secs(1);

/// What has something for us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token {
    Anchor,
    Daemon,
    /// Our own threads.
    Waker,
    /// SIGTERM.
    Signals,
    /// SIGCHLD, when there is no anchor.
    Children,
    /// The main process of the run in this slot.
    Leader(usize),
    /// One that was killed as left behind.
    Victim(usize),
    /// The process that was made for the run in this slot, when another one is its main process.
    First(usize),
    /// The notify socket of the run in this slot.
    Socket(usize),
    /// The pipe on which it says that it is ready.
    Pipe(usize),
}

impl Token {
    fn number(self) -> u64 {
        match self {
            Self::Anchor => 0,
            Self::Daemon => 1,
            Self::Waker => 2,
            Self::Signals => 3,
            Self::Children => 4,
            Self::Leader(index) => (1 << 32) + index as u64,
            Self::Victim(key) => (2 << 32) + key as u64,
            Self::First(index) => (3 << 32) + index as u64,
            Self::Socket(index) => (4 << 32) + index as u64,
            Self::Pipe(index) => (5 << 32) + index as u64,
        }
    }

    fn of(number: u64) -> Self {
        let index = usize::try_from(number & u64::from(u32::MAX)).unwrap_or(usize::MAX);
        match (number >> 32, number) {
            (0, 0) => Self::Anchor,
            (0, 1) => Self::Daemon,
            (0, 2) => Self::Waker,
            (0, 3) => Self::Signals,
            (0, _) => Self::Children,
            (1, _) => Self::Leader(index),
            (2, _) => Self::Victim(index),
            (3, _) => Self::First(index),
            (4, _) => Self::Socket(index),
            _ => Self::Pipe(index),
        }
    }
}

pub(crate) struct Supervisor {
    options: Options,
    lock: Lock,
    /// None where it could not be had: the anchor's keeps others out.
    state_lock: Option<Lock>,
    poller: Poller,
    waker: Arc<Waker>,
    signals: SignalReader,
    children: SignalReader,
    anchor: Option<MailBox<ToAnchor, FromAnchor>>,
    anchor_pid: u32,
    /// Processes other than anchor and keeper that orphans of ours fell to.
    strange_fosters: Vec<u32>,
    /// When this keeper began, in nanoseconds of the monotonic clock.
    since: u64,
    /// The anchor died.
    alone: Option<Alone>,
    /// Descriptors by name: those that the anchor handed over and nobody took yet; without an anchor, those that it would
    /// hold.
    held: BTreeMap<String, OwnedFd>,
    /// Ends that the anchor told of and that are not recorded yet.
    orphans: BTreeMap<(u32, u64), WireExit>,
    listener: OwnedFd,
    boot_id: String,
    pid_namespace: u64,
    slots: Slots,
    pump: Pump,
    spawner: Spawner,
    /// Spawns whose FIFO the anchor was not sent yet.
    held_back: Vec<Job>,
    daemon: Daemon,
    timers: Timers,
    to_sweep: Vec<usize>,
    /// Slots whose runs said something that was not handed on yet.
    talkative: Vec<usize>,
    victims: BTreeMap<usize, Victim>,
    next_victim: usize,
    /// Not all slots are read yet.
    is_adopting: bool,
    /// Somebody asked for the end.
    terminating: bool,
    /// Nothing is started any more.
    leaving: bool,
    /// The program that takes our place as soon as nothing is under way.
    successor: Option<Successor>,
    /// What became of the latest upgrade, as the anchor says.
    upgraded: Option<UpgradeView>,
    /// No daemon has been told that yet.
    has_news: bool,
}

/// Runs the keeper until everything is stopped. `again`: this process was the keeper before it replaced its program.
pub fn keeper_main(options: Options, again: bool) -> ExitCode {
    let mut supervisor = match start::start(options, again) {
        Ok(supervisor) => supervisor,
        Err(code) => return code,
    };
    match supervisor.work() {
        Ok(()) => supervisor.end(),
        Err(error) => {
            say(format_args!("the keeper failed: {error}"));
            ExitCode::FAILURE
        }
    }
}

impl Supervisor {
    fn work(&mut self) -> io::Result<()> {
        self.settle();
        while !self.is_done() {
            let ready = self.poller.wait(self.timers.patience())?;
            let mut is_idle = ready.is_empty();
            for event in ready {
                self.take(event);
            }
            for timer in self.timers.take_due() {
                is_idle &= timer == Timer::Idle;
                self.on_timer(timer);
            }
            self.settle();
            self.become_successor();
            self.take_anchors_place();
            if !is_idle {
                self.timers.set(Timer::Idle, IDLE);
            }
        }
        Ok(())
    }

    /// What is done once after each turn, for all that happened in it.
    fn settle(&mut self) {
        self.sweep();
        if let Some(anchor) = &mut self.anchor {
            anchor.flush();
            anchor.watch(&self.poller, Token::Anchor.number());
        }
        if !self.held_back.is_empty() {
            self.release_spawns();
        }
        self.tell_notices();
        self.daemon.watch(&self.poller);
    }

    fn take(&mut self, event: Ready) {
        match Token::of(event.token) {
            Token::Anchor => self.anchor_event(),
            Token::Daemon => self.daemon_event(),
            Token::Waker => self.take_reports(),
            Token::Signals => {
                while self.signals.next_signal().is_some() {
                    self.terminate();
                }
            }
            Token::Children => self.reap_orphans(),
            Token::Leader(index) => self.leader_event(index),
            Token::Victim(key) => self.victim_event(key),
            Token::First(index) => self.first_event(index),
            Token::Socket(index) => self.socket_event(index),
            Token::Pipe(index) => self.pipe_event(index),
        }
    }

    fn take_reports(&mut self) {
        self.waker.clear();
        for done in self.spawner.done() {
            match done {
                Done::Spawned { slot, run, result } => self.spawned(slot, run, result),
                Done::LockFree { slot } => self.adopt_unlocked(slot),
            }
        }
        if let Some(counted) = self.pump.counted() {
            self.tell_counts(counted);
        }
        for drained in self.pump.drained() {
            self.drained(&drained.slot, drained.run);
        }
    }

    fn on_timer(&mut self, timer: Timer) {
        match timer {
            Timer::StartDaemon => self.start_daemon(),
            Timer::KillDaemon => self.kill_daemon(),
            Timer::LateVictims { slot, round } => self.late_victims(slot, round),
            Timer::LateParent { slot } => self.late_parent(slot),
            Timer::LookAtLock { slot } => self.watch_lock(slot),
            Timer::LookAtSpawns => self.look_at_spawns(),
            Timer::LastKill => self.last_kill(),
            Timer::Upgrade => self.upgrade_is_overdue(),
            // It is asked after each turn whether it is time.
            Timer::Alone => {}
            Timer::Idle => release_clean_pages(),
        }
    }

    /// Those to whom orphans of our runs fall.
    fn fosters(&self) -> Vec<u32> {
        let mut fosters = vec![std::process::id()];
        if self.anchor.is_some() {
            fosters.push(self.anchor_pid);
        } else {
            fosters.push(parent_pid());
        }
        fosters.extend(&self.strange_fosters);
        fosters
    }

    /// Everything is stopped.
    fn end(mut self) -> ExitCode {
        self.pump.stop();
        if self.anchor.is_some() {
            self.tell_anchor(&ToAnchor::Finished);
            self.say_all();
        } else if let Err(error) = empty_run_dir(&self.options, self.lock.path()) {
            say(format_args!("cannot clean up `{}`: {error}", self.options.run_dir.display()));
        }
        ExitCode::SUCCESS
    }
}
