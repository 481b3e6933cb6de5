//! The keeper without its anchor: it does meanwhile what an anchor does, and becomes one as soon as it can. What it would be told
//! by an anchor it does not know any more.
//!
//! An anchor that was killed is not started anew from below: nobody can be made our parent. So the keeper becomes an anchor in
//! its own process (`execve(2)`), with everything that anchors hold, and starts a keeper, which does what every keeper does that
//! comes after a death. The runs are its children already; those that the dead anchor had taken in are nobody's whom we know, and
//! the descriptors of their processes are handed on, with which the kernel tells how they end.

use std::{
    io,
    os::fd::{AsFd, AsRawFd, OwnedFd},
    time::Duration,
};

use mainstay_host::{
    Interest, Lock, adopt_orphans, monotonic_nanos, next_dead_child, parent_pid, reap_child, reopen_whole,
};
use mainstay_wire::{
    ANCHOR_STATE_VERSION, AnchorState, FromKeeper, KeptFile, KeptOrphan, UpgradeOutcome, UpgradeView,
    WireExit,
};

use super::{
    Supervisor, Token,
    begin::process_name,
    output::fifo_name,
    slots::{Parent, State},
    start::SOCKET_NAME,
    timers::Timer,
};
use crate::{
    anchor::kept::{become_anchor, kept, kept_lock, state_file},
    report::say,
};

/// A keeper that is younger waits until it is so old: the death of an anchor costs a daemon, and one that is killed again and
/// again shall not cost more than four in a second.
const SETTLED: Duration = Duration::from_millis(250);

/// How long processes that are being made may take, before one that hangs is left to the next keeper.
const MAKING_PATIENCE: Duration = Duration::from_secs(5);

/// The time between two looks at whether the dead anchor has let go of us.
const DYING: Duration = Duration::from_millis(5);

/// When the state folder is elsewhere, or the run-time folder cannot be made again, it is tried again after this time.
const AGAIN: Duration = Duration::from_secs(1);

/// How often it is tried to execute ourselves once nothing is pumped any more, and the time between two tries.
const TRIES: u32 = 50;

/// See [`TRIES`].
const BETWEEN_TRIES: Duration = Duration::from_millis(100);

/// Since when there is no anchor, and until when it is waited.
#[derive(Debug)]
pub(super) struct Alone {
    not_before: u64,
    overdue: u64,
    /// What was in the way, once that was said.
    trouble: Option<String>,
}

/// Why a keeper becomes an anchor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    /// Its anchor died.
    Death,
    /// A new program is to take over, which nobody could take back.
    Upgrade,
}

fn after(time: Duration) -> u64 {
    monotonic_nanos().saturating_add(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX))
}

impl Supervisor {
    /// The anchor died. Our children stay ours; what fell to it went further up.
    pub(super) fn go_on_alone(&mut self) {
        let Some(anchor) = self.anchor.take() else { return };
        self.poller.remove(&anchor);
        // A daemon that has not said hello yet learns it from the snapshot.
        self.daemon.send(&FromKeeper::AnchorGone);
        say("the anchor is gone; until the keeper has become one, its death would lose output that waits");
        if let Err(error) = adopt_orphans() {
            say(format_args!("orphans cannot be taken in: {error}"));
        }
        self.hold_everything();
        self.strange_fosters.push(parent_pid());
        if let Err(error) = self.poller.add(&self.children, Token::Children.number(), Interest::Read) {
            say(format_args!("the ends of orphans cannot be watched: {error}"));
        }
        for (index, is_silent) in self.anchors_children() {
            if let Some(State::Live(live)) = self.slots.get_mut(index).map(|slot| &mut slot.state) {
                live.parent = Parent::Elsewhere;
            }
            if is_silent {
                self.ended_elsewhere(index);
            }
        }
        self.release_spawns();
        self.reap_orphans();
        let age = Duration::from_nanos(monotonic_nanos().saturating_sub(self.since));
        self.wait_alone(SETTLED.saturating_sub(age), None);
    }

    /// The runs whose ends it would have told, and whether it already had to.
    fn anchors_children(&self) -> Vec<(usize, bool)> {
        let of_anchor = |(index, slot): (usize, &super::slots::Slot)| match &slot.state {
            State::Live(live) if live.parent == Parent::Anchor => Some((index, live.is_silent)),
            _ => None,
        };
        self.slots.iter().filter_map(of_anchor).collect()
    }

    fn wait_alone(&mut self, pause: Duration, trouble: Option<String>) {
        let (not_before, overdue) = (after(pause), after(pause + MAKING_PATIENCE));
        self.alone = Some(Alone { not_before, overdue, trouble });
        self.timers.set(Timer::Alone, pause);
    }

    /// What the anchor held is held here from now on.
    fn hold_everything(&mut self) {
        self.held.extend(self.output_descriptors());
        self.held.extend(self.report_descriptors());
        self.held.extend(self.process_descriptors());
    }

    /// The main processes of runs whose ends nobody tells, each under its name.
    fn process_descriptors(&self) -> Vec<(String, OwnedFd)> {
        let live = self.slots.iter().filter_map(|(_, slot)| match &slot.state {
            State::Live(live) if live.parent != Parent::Keeper => Some((slot.main(), &live.process)),
            _ => None,
        });
        live.filter_map(|(main, process)| {
            Some((process_name(main), process.as_fd().try_clone_to_owned().ok()?))
        })
        .collect()
    }

    /// Lets the zombies of orphans go that fell to us; those of runs have their own way.
    pub(super) fn reap_orphans(&mut self) {
        if self.anchor.is_some() {
            return;
        }
        while self.children.next_signal().is_some() {}
        while let Some(child) = next_dead_child() {
            let is_run = self.slots.iter().any(|(_, slot)| match &slot.state {
                State::Live(live) => live.process.pid == child.pid,
                State::Ending(ending) => {
                    ending.zombie.as_ref().is_some_and(|zombie| zombie.pid == child.pid)
                        || slot.main().pid == child.pid
                }
                // A thread that makes a process sees to it.
                State::Making { .. } => true,
                State::Locked { .. } | State::Over => false,
            });
            if is_run {
                // It is looked at again when that run is done.
                return;
            }
            reap_child(child.pid);
        }
    }

    /// Becomes an anchor in place of the one that died, when it is time, unless all is over or a new program waits for us, which
    /// leads to the same.
    pub(super) fn take_anchors_place(&mut self) {
        let Some(alone) = self.alone.as_ref().filter(|_| !self.leaving && !self.has_successor()) else {
            return;
        };
        let now = monotonic_nanos();
        let left = Duration::from_nanos(alone.overdue.saturating_sub(now));
        if now < alone.not_before {
            return;
        }
        // What fell to it goes further up only after its descriptors were closed, by which we know of its death.
        let is_dying = parent_pid() == self.anchor_pid;
        if left.is_zero() || !is_dying && !self.is_making() {
            let told = alone.trouble.clone();
            let why = self.become_anchor(Cause::Death);
            if told.as_ref() != Some(&why) {
                say(format_args!("the keeper cannot become an anchor: {why}"));
            }
            self.wait_alone(AGAIN, Some(why));
        } else if is_dying {
            self.timers.set(Timer::Alone, DYING);
        } else if !self.timers.is_set(Timer::Alone) {
            self.timers.set(Timer::Alone, left);
        }
    }

    /// Whether a process is being made that would be cut short.
    pub(super) fn is_making(&self) -> bool {
        !self.held_back.is_empty()
            || self.slots.iter().any(|(_, slot)| matches!(slot.state, State::Making { .. }))
    }

    /// As the program that we are. Returns only when that cannot be: why. Everything is as before then.
    pub(super) fn become_anchor(&mut self, cause: Cause) -> String {
        if let Err(why) = self.make_sure_of_places() {
            return why;
        }
        self.hold_everything();
        // The true ones, wherever their paths lead by now.
        for (name, pipe) in self.pump.rest() {
            let whole = reopen_whole(&pipe).unwrap_or_else(|_| pipe.into());
            self.held.insert(fifo_name(&name), whole);
        }
        say("the keeper becomes an anchor");
        let mut error = io::Error::other("it was not tried");
        for _ in 0..TRIES {
            error = self.execute_as_anchor(cause);
            std::thread::sleep(BETWEEN_TRIES);
        }
        // Whoever is started next takes over what lives.
        say(format_args!("the keeper cannot go on: it cannot become an anchor: {error}"));
        std::process::exit(1);
    }

    /// The next keeper and daemon have nothing but paths.
    fn make_sure_of_places(&mut self) -> Result<(), String> {
        match &self.state_lock {
            Some(lock) if !lock.is_in_place() => {
                Err(format!("`{}` is elsewhere by now", lock.path().display()))
            }
            Some(_) | None => self.restore_folders(),
        }
    }

    fn execute_as_anchor(&self, cause: Cause) -> io::Error {
        let guards: Vec<&Lock> = [Some(&self.lock), self.state_lock.as_ref()].into_iter().flatten().collect();
        let state = match state_file(&self.anchor_state(&guards, cause)) {
            Ok(state) => state,
            Err(why) => return io::Error::other(why),
        };
        let mut keep = vec![self.listener.as_fd()];
        keep.extend(guards.iter().map(|lock| lock.as_fd()));
        keep.extend(self.held.values().map(OwnedFd::as_fd));
        become_anchor(&self.options, self.options.program(), &state, keep, self.spawner.limits())
    }

    fn anchor_state(&self, guards: &[&Lock], cause: Cause) -> AnchorState {
        let mut held: Vec<KeptFile> = self.held.iter().map(kept).collect();
        held.push(KeptFile { name: SOCKET_NAME.to_owned(), descriptor: self.listener.as_raw_fd() });
        let mut fosters = self.strange_fosters.clone();
        fosters.push(parent_pid());
        fosters.sort_unstable();
        fosters.dedup();
        AnchorState {
            version: ANCHOR_STATE_VERSION,
            locks: Vec::new(),
            keeper_locks: guards.iter().map(|lock| kept_lock(lock)).collect(),
            keeper: None,
            held,
            orphans: self.ends_to_record(),
            fosters,
            answered: true,
            terminating: self.terminating,
            upgrade: match cause {
                Cause::Death => self.upgraded.clone(),
                Cause::Upgrade => Some(self.own_upgrade()),
            },
        }
    }

    /// The new program is asked for once more.
    fn own_upgrade(&self) -> UpgradeView {
        UpgradeView {
            number: self.next_upgrade(),
            program: self.options.exe.to_string_lossy().into_owned(),
            outcome: UpgradeOutcome::Done,
        }
    }

    /// What the dead anchor told, and the ends of those that nobody else tells of any more. A child's is told by its zombie too.
    fn ends_to_record(&self) -> Vec<KeptOrphan> {
        let told =
            self.orphans.iter().map(|(&(pid, start_time), &exit)| KeptOrphan { pid, start_time, exit });
        let ending = self.slots.iter().filter_map(|(_, slot)| match &slot.state {
            State::Ending(ending) if ending.exit != WireExit::Unknown => {
                let main = slot.main();
                Some(KeptOrphan { pid: main.pid, start_time: main.start_time, exit: ending.exit })
            }
            _ => None,
        });
        told.chain(ending).collect()
    }
}
