//! What a keeper before us left: each slot's record is read, and its run is taken on, or its end is found out.

use std::{
    fs::{self, TryLockError},
    io,
    path::Path,
    time::Duration,
};

use mainstay_host::{
    Attempt, KeptExit, Process, ProcessRow, is_no_room, open_private, read_stat, room_for_files,
};
use mainstay_model::{Signal, SpawnFailureKind};
use mainstay_wire::{ChildPart, DAEMON_SLOT, FromKeeper, ProcessId, RecordPhase, WireExit, WireFailure};

use super::{
    Supervisor,
    begin::process_name,
    finding::{Finding, finding},
    slots::{Ending, Live, Parent, Slot, State},
    store::{Store, Stored},
    timers::Timer,
};
use crate::report::say;

/// Descriptors that must be left when all runs are taken on. With fewer, some step before may have had none, and seen a run as
/// gone that is not.
const ROOM: u64 = 8;

/// The pause before a lock is looked at again for which there was no thread or descriptor.
const LOCK_AGAIN: Duration = Duration::from_millis(500);

/// How far it is looked upwards; a chain may change while it is followed.
const ANCESTOR_LIMIT: usize = 64;

impl Supervisor {
    /// Reads all slots. All are known before the first is adopted: what the anchor has to say of one is otherwise taken for
    /// somebody else's while another is looked at.
    pub(super) fn adopt_all(&mut self) -> io::Result<()> {
        let mut known = Vec::new();
        for entry in fs::read_dir(self.options.slots_dir())? {
            known.extend(self.know(&entry?.path())?);
        }
        for (index, child) in known {
            match child {
                Some(child) => self.adopt(index, child),
                // Its process has not come to its `execve`: only this slot waits.
                None => self.watch_lock(index),
            }
        }
        // Nothing was done yet that the next keeper would not do again.
        if room_for_files() < ROOM {
            return Err(io::Error::other("there is no room for more open files; raise the limit on them"));
        }
        self.is_adopting = false;
        self.forget_strange_orphans();
        self.release_strange();
        Ok(())
    }

    /// Reads one slot, after having asked for its lock: when that is free, nobody writes there any more. Without what the
    /// process wrote: somebody has the lock.
    ///
    /// # Errors
    /// What is there could not be looked at for now, or a program of another version wrote it: to go on without it would be to
    /// start its service twice.
    fn know(&mut self, path: &Path) -> io::Result<Option<(usize, Option<ChildPart>)>> {
        let read = open_private(path).and_then(|file| {
            if !file.metadata()?.is_file() {
                return Err(io::Error::other("it is no regular file"));
            }
            let is_locked = matches!(file.try_lock(), Err(TryLockError::WouldBlock));
            Ok((is_locked, Store::read(path)?))
        });
        match read {
            Ok((is_locked, Some(Stored { store, record, child }))) => {
                self.know_output(&record.slot, &record.log);
                let index = self.slots.add(Slot::new(store, record, State::Locked { signals: Vec::new() }));
                return Ok(Some((index, (!is_locked).then_some(child))));
            }
            // Killed between the making of the file and its first record: nothing was begun.
            Ok((_, None)) => drop(fs::remove_file(path)),
            Err(error) if is_no_room(&error) => return Err(error),
            Err(error) if error.kind() == io::ErrorKind::Unsupported => {
                return Err(io::Error::other(format!("cannot use `{}`: {error}", path.display())));
            }
            Err(error) => say(format_args!("cannot read `{}`: {error}", path.display())),
        }
        Ok(None)
    }

    /// Has a thread wait for the lock of this slot.
    pub(super) fn watch_lock(&mut self, index: usize) {
        let slot = self.slots.get(index).filter(|slot| matches!(slot.state, State::Locked { .. }));
        let Some(path) = slot.map(|slot| slot.store.path().to_owned()) else { return };
        if !self.spawner.watch_lock(index, path) {
            self.look_at_lock_later(index);
        }
    }

    /// There was no room for looking at it.
    fn look_at_lock_later(&mut self, slot: usize) {
        self.timers.set(Timer::LookAtLock { slot }, LOCK_AGAIN);
    }

    /// Whoever had the lock has let it go: the record is what it is now.
    pub(super) fn adopt_unlocked(&mut self, index: usize) {
        let Some(slot) = self.slots.get_mut(index).filter(|slot| matches!(slot.state, State::Locked { .. }))
        else {
            return;
        };
        let stored = match Store::read(slot.store.path()) {
            Ok(Some(stored)) => stored,
            Err(error) if is_no_room(&error) => return self.look_at_lock_later(index),
            Ok(None) | Err(_) => return,
        };
        (slot.store, slot.record) = (stored.store, stored.record);
        self.adopt(index, stored.child);
        self.release_strange();
    }

    /// What does the record say?
    fn adopt(&mut self, index: usize, child: ChildPart) {
        let Some(slot) = self.slots.get_mut(index) else { return };
        match finding(&slot.record, &child, &self.boot_id, self.pid_namespace) {
            Finding::Over => {
                slot.state = State::Over;
                return;
            }
            Finding::Elsewhere => {
                slot.state = State::Over;
                self.gone_with_its_boot(index);
            }
            Finding::NeverBegan => self.never_began(index),
            Finding::Failed => self.had_failed(index, child),
            Finding::Made => self.adopt_run(index, child),
        }
        self.forget_strange_orphans();
    }

    /// Its process wrote why it could not become the program.
    fn had_failed(&mut self, index: usize, child: ChildPart) {
        let Some(slot) = self.slots.get(index) else { return };
        let RecordPhase::Made { program, dir, path, user } = slot.record.phase.clone() else { return };
        let attempt = Attempt { program: &program, dir: &dir, path: path.as_deref(), user };
        let failure = attempt.failure(child.failed_step, child.errno, child.candidate);
        self.not_started(index, failure.into());
    }

    /// The keeper before us came to the intent, and no further.
    fn never_began(&mut self, index: usize) {
        let text = "the keeper was killed before the program ran".to_owned();
        let failure = WireFailure { code: SpawnFailureKind::Interrupted.code().to_owned(), text };
        let Some(slot) = self.slots.get_mut(index) else { return };
        if slot.record.slot != DAEMON_SLOT {
            return self.not_started(index, failure);
        }
        slot.record.phase = RecordPhase::NotStarted { failure };
        slot.record.acknowledged = true;
        slot.store.write(&slot.record);
        slot.state = State::Over;
        if !self.is_adopting {
            self.start_daemon();
        }
    }

    /// Of another boot: nobody can know any more.
    fn gone_with_its_boot(&mut self, index: usize) {
        let Some(slot) = self.slots.get_mut(index) else { return };
        slot.record.phase = RecordPhase::Ended { exit: WireExit::Unknown };
        slot.record.acknowledged = slot.record.slot == DAEMON_SLOT;
        slot.store.write(&slot.record);
    }

    fn adopt_run(&mut self, index: usize, child: ChildPart) {
        self.reattach(index);
        let first = ProcessId { pid: child.pid, start_time: child.start_time };
        if let Some(slot) = self.slots.get_mut(index) {
            slot.first = first;
        }
        self.reattach_reports(index);
        // It may have named another main process meanwhile.
        self.hear_out(index);
        let Some(main) = self.slots.get(index).map(Slot::main) else { return };
        let process = Process::open(main.pid, main.start_time);
        // Asked after the opening: without a row it ended between the two.
        let (process, row) = match (process, read_stat(main.pid)) {
            (Some(process), Some(row)) if row.start_time == main.start_time => (process, row),
            (process, _) => {
                let process = process.or_else(|| self.held_process(index, main));
                return self.adopt_ended(index, main, process.as_ref());
            }
        };
        let mut parent = self.parent_of(row);
        if main != first {
            parent = Parent::Unsettled;
        } else if parent == Parent::Elsewhere {
            self.strange_fosters.push(row.parent);
        }
        if parent != Parent::Anchor {
            self.hold_process(index, main, &process);
        }
        let signals = self.make_live(index, Live::new(process, parent));
        let Some(Slot { record, state: State::Live(live), .. }) = self.slots.get(index) else { return };
        if record.slot == DAEMON_SLOT {
            // It belongs to a keeper that is dead; a new one asks what is true.
            live.process.signal(Signal::KILL);
            return;
        }
        let started = FromKeeper::Started { slot: record.slot.clone(), run: record.run, pid: main.pid };
        self.daemon.send(&started);
        for (signal, scope) in signals {
            self.signal(index, signal, scope);
        }
    }

    /// Neither we nor the anchor is told how it ends. The kernel tells whoever has a descriptor from before its end, which must
    /// thus outlive us.
    fn hold_process(&mut self, index: usize, main: ProcessId, process: &Process) {
        let name = process_name(main);
        // What the anchor handed over it still holds.
        if self.anchor.is_none() || self.held.remove(&name).is_none() {
            self.hold(name.clone(), process);
        }
        if let Some(slot) = self.slots.get_mut(index) {
            slot.held = Some(name);
        }
    }

    /// The descriptor of a process that is gone, from a keeper before us.
    fn held_process(&mut self, index: usize, main: ProcessId) -> Option<Process> {
        let name = process_name(main);
        let descriptor = self.held.remove(&name)?;
        if let Some(slot) = self.slots.get_mut(index) {
            slot.held = Some(name);
        }
        Some(Process::from_parts(main.pid, main.start_time, descriptor))
    }

    /// Its process is gone, and the anchor saw how, or nobody did. What it left behind is still looked for.
    fn adopt_ended(&mut self, index: usize, main: ProcessId, process: Option<&Process>) {
        // The anchor tells before it lets a zombie go: what it has to say of this one is here by now.
        self.anchor_event();
        let status = self.orphans.get(&(main.pid, main.start_time)).copied();
        if status.is_none() {
            self.look_further_up();
        }
        let kept = || match process.map(Process::kept_exit) {
            Some(KeptExit::Known(exit)) => exit.into(),
            Some(KeptExit::NotYet | KeptExit::Lost) | None => WireExit::Unknown,
        };
        let Some(slot) = self.slots.get_mut(index) else { return };
        slot.state = State::Ending(Ending {
            zombie: None,
            exit: status.unwrap_or_else(kept),
            is_with_anchor: status.is_some(),
            round: 0,
            dying: 0,
        });
        self.to_sweep.push(index);
    }

    /// A run ended while neither keeper nor anchor was there: what it left behind fell to one of those above them.
    fn look_further_up(&mut self) {
        let mut next = self.anchor_pid;
        for _ in 0..ANCESTOR_LIMIT {
            let Some(row) = read_stat(next).filter(|row| row.parent != 0) else { return };
            if !self.strange_fosters.contains(&row.parent) {
                self.strange_fosters.push(row.parent);
            }
            next = row.parent;
        }
    }

    pub(super) fn parent_of(&self, row: ProcessRow) -> Parent {
        if row.parent == std::process::id() {
            Parent::Keeper
        } else if self.anchor.is_some() && row.parent == self.anchor_pid {
            Parent::Anchor
        } else {
            Parent::Elsewhere
        }
    }
}
