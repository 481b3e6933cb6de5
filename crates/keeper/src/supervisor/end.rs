//! The end of a run: how it ended, what it left behind, the rest of its output, the record, and only then the reaping.
//!
//! The order is what makes it safe to be killed at any moment. While the zombie is there nobody else gets its number, so
//! that its session and group cannot be mistaken; while there is no record the next keeper does all of it again, which
//! changes nothing that was done; and the record comes before the status is given up.

use std::time::Duration;

use mainstay_host::{Interest, KeptExit, Leader, Process, ProcessTable, has_no_child_but};
use mainstay_model::Signal;
use mainstay_wire::{DAEMON_SLOT, FromKeeper, ProcessId, RecordPhase, ToAnchor, WireExit};

use super::{
    Supervisor, Token,
    slots::{Ending, Live, Parent, Slot, State},
    timers::Timer,
};
use crate::report::say;

/// How often it is looked for more, after what was found was killed.
const ROUNDS: u32 = 16;

/// How long processes that were killed may take to die; one inside of a system call that hangs takes for ever.
const DYING_PATIENCE: Duration = Duration::from_secs(5);

/// How long a parent that is neither we nor the anchor may take to let a zombie go, so that the kernel tells its status.
const PARENT_PATIENCE: Duration = Duration::from_secs(5);

/// One that was killed as left behind by this slot's run.
#[derive(Debug)]
pub(super) struct Victim {
    slot: usize,
    process: Process,
}

impl Supervisor {
    /// The descriptor of a run's main process says something.
    pub(super) fn leader_event(&mut self, index: usize) {
        let Some(main) = self.slots.get(index).map(Slot::main) else { return };
        // Its last word may be that another process is the main one.
        self.hear_out(index);
        if self.slots.get(index).is_some_and(|slot| slot.main() == main) {
            self.process_ended(index);
        }
    }

    /// The main process ended, as far as its descriptor says.
    pub(super) fn process_ended(&mut self, index: usize) {
        let Some(State::Live(live)) = self.slots.get(index).map(|slot| &slot.state) else { return };
        match live.parent {
            Parent::Keeper => match live.process.peek() {
                Ok(Some(exit)) => self.begin_ending(index, exit.into()),
                Ok(None) => {}
                Err(_) => self.begin_ending(index, WireExit::Unknown),
            },
            Parent::Anchor => self.ended_at_anchor(index),
            Parent::Elsewhere => self.ended_elsewhere(index),
            Parent::Unsettled => self.settle_parent(index),
        }
    }

    fn ended_at_anchor(&mut self, index: usize) {
        let Some(State::Live(live)) = self.slots.get_mut(index).map(|slot| &mut slot.state) else { return };
        let identity = (live.process.pid, live.process.start_time);
        if let Some(exit) = self.orphans.get(&identity) {
            return self.begin_ending(index, *exit);
        }
        // The anchor will say how.
        live.is_silent = true;
        self.poller.remove(&live.process);
    }

    /// Nobody will tell us; but the kernel may, once the parent has taken the status.
    pub(super) fn ended_elsewhere(&mut self, index: usize) {
        let Some(State::Live(live)) = self.slots.get(index).map(|slot| &slot.state) else { return };
        match live.process.kept_exit() {
            KeptExit::Known(exit) => self.begin_ending(index, exit.into()),
            KeptExit::Lost => self.begin_ending(index, WireExit::Unknown),
            KeptExit::NotYet => {
                let token = Token::Leader(index).number();
                if self.poller.change(&live.process, token, Interest::Gone).is_err() {
                    let _ = self.poller.add(&live.process, token, Interest::Gone);
                }
                let is_set = self.timers.is_set(Timer::LateParent { slot: index });
                if live.process.is_zombie() && !is_set {
                    self.timers.set(Timer::LateParent { slot: index }, PARENT_PATIENCE);
                }
            }
        }
    }

    /// A zombie whose parent does not care: nobody will ever know.
    pub(super) fn late_parent(&mut self, index: usize) {
        let Some(State::Live(live)) = self.slots.get(index).map(|slot| &slot.state) else { return };
        if live.parent == Parent::Elsewhere && live.process.is_zombie() {
            self.begin_ending(index, WireExit::Unknown);
        }
    }

    /// A run has ended in this way.
    pub(super) fn begin_ending(&mut self, index: usize, exit: WireExit) {
        let Some(slot) = self.slots.get_mut(index) else { return };
        let State::Live(Live { process, parent, first, .. }) =
            std::mem::replace(&mut slot.state, State::Over)
        else {
            return;
        };
        self.poller.remove(&process);
        if let Some(first) = &first {
            self.poller.remove(first);
        }
        self.timers.clear(Timer::LateParent { slot: index });
        let identity = (process.pid, process.start_time);
        let is_with_anchor = parent == Parent::Anchor || self.orphans.contains_key(&identity);
        let zombie = first.or((parent == Parent::Keeper).then_some(process));
        slot.state = State::Ending(Ending { zombie, exit, is_with_anchor, round: 0, dying: 0 });
        self.to_sweep.push(index);
    }

    /// Kills what ended runs left behind, with one look at all processes for all of them.
    pub(super) fn sweep(&mut self) {
        if self.to_sweep.is_empty() {
            return;
        }
        let indices = std::mem::take(&mut self.to_sweep);
        if self.is_nothing_left_behind() {
            // But for what a process has below itself that is not the main one.
            let (named, plain): (Vec<usize>, Vec<usize>) =
                indices.into_iter().partition(|index| self.has_named_main(*index));
            plain.into_iter().for_each(|index| self.drain(index));
            return self.sweep_all(&named);
        }
        self.sweep_all(&indices);
    }

    fn has_named_main(&self, index: usize) -> bool {
        self.slots.get(index).is_some_and(|slot| slot.record.main.is_some())
    }

    fn sweep_all(&mut self, indices: &[usize]) {
        if indices.is_empty() {
            return;
        }
        let table = ProcessTable::read(&self.fosters());
        for index in indices {
            self.sweep_one(*index, &table);
        }
    }

    /// The usual case, cheaply: no orphan has fallen to the anchor, so that it has no child but us.
    fn is_nothing_left_behind(&self) -> bool {
        self.anchor.is_some()
            && self.strange_fosters.is_empty()
            && has_no_child_but(self.anchor_pid, std::process::id())
    }

    fn sweep_one(&mut self, index: usize, table: &ProcessTable) {
        let leader = if self.has_named_main(index) { Leader::Included } else { Leader::Excluded };
        let trace = self.trace(index, table);
        let Some(State::Ending(ending)) = self.slots.get_mut(index).map(|slot| &mut slot.state) else {
            return;
        };
        ending.round += 1;
        let round = ending.round;
        let mut found = table.leftovers(&trace, leader);
        found.retain(|row| !row.is_zombie());
        if round > ROUNDS && !found.is_empty() {
            self.say_left(index, found.len());
            return self.drain(index);
        }
        let processes = found.into_iter().filter_map(|row| Process::open(row.pid, row.start_time));
        let victims: Vec<Victim> = processes.map(|process| Victim { slot: index, process }).collect();
        ending.dying = victims.len();
        for victim in victims {
            self.kill(victim);
        }
        let Some(State::Ending(ending)) = self.slots.get(index).map(|slot| &slot.state) else { return };
        if ending.dying == 0 {
            self.drain(index);
        } else {
            self.timers.set(Timer::LateVictims { slot: index, round }, DYING_PATIENCE);
        }
    }

    fn kill(&mut self, victim: Victim) {
        victim.process.signal(Signal::KILL);
        let key = self.next_victim;
        self.next_victim += 1;
        if let Err(error) = self.poller.add(&victim.process, Token::Victim(key).number(), Interest::Read) {
            say(format_args!("cannot watch process {}: {error}", victim.process.pid));
        }
        self.victims.insert(key, victim);
    }

    /// One that was killed has died.
    pub(super) fn victim_event(&mut self, key: usize) {
        let Some(victim) = self.victims.remove(&key) else { return };
        self.poller.remove(&victim.process);
        let Some(State::Ending(ending)) = self.slots.get_mut(victim.slot).map(|slot| &mut slot.state) else {
            return;
        };
        ending.dying = ending.dying.saturating_sub(1);
        if ending.dying == 0 {
            let round = ending.round;
            self.timers.clear(Timer::LateVictims { slot: victim.slot, round });
            self.to_sweep.push(victim.slot);
        }
    }

    /// Some do not die: go on without them.
    pub(super) fn late_victims(&mut self, index: usize, round: u32) {
        let Some(State::Ending(ending)) = self.slots.get(index).map(|slot| &slot.state) else { return };
        if ending.round != round {
            return;
        }
        let dying = ending.dying;
        let keys: Vec<usize> =
            self.victims.iter().filter(|(_, victim)| victim.slot == index).map(|(key, _)| *key).collect();
        for key in keys {
            if let Some(victim) = self.victims.remove(&key) {
                self.poller.remove(&victim.process);
            }
        }
        self.say_left(index, dying);
        self.drain(index);
    }

    fn say_left(&self, index: usize, count: usize) {
        let name = self.slots.get(index).map_or("", |slot| &slot.record.slot);
        say(format_args!("{count} processes that `{name}` left behind could not be killed"));
    }

    fn drain(&mut self, index: usize) {
        if let Some(slot) = self.slots.get(index) {
            self.drain_output(slot);
        }
    }

    /// The output is written: record, reap, tell.
    pub(super) fn drained(&mut self, name: &str, run: u64) {
        let Some(index) = self.slots.find(name) else { return };
        self.hear_last_words(index);
        let Some(slot) = self.slots.get_mut(index).filter(|slot| slot.record.run == run) else { return };
        let State::Ending(ending) = std::mem::replace(&mut slot.state, State::Over) else { return };
        crate::fault::point();
        slot.record.phase = RecordPhase::Ended { exit: ending.exit };
        slot.record.acknowledged = name == DAEMON_SLOT;
        slot.store.write(&slot.record);
        crate::fault::point();
        if let Some(zombie) = &ending.zombie {
            zombie.reap();
        }
        let held = slot.held.take();
        if ending.is_with_anchor {
            let main = slot.main();
            self.acknowledge_orphan(main.pid, main.start_time);
        }
        held.into_iter().for_each(|held| self.release(held));
        self.close_reports(index);
        crate::fault::point();
        if name == DAEMON_SLOT {
            self.daemon_ended(ending.exit);
        } else {
            self.daemon.send(&FromKeeper::Exited { slot: name.to_owned(), run, exit: ending.exit });
        }
        self.reap_orphans();
    }

    /// Before the daemon is told of the end.
    fn hear_last_words(&mut self, index: usize) {
        if self.slots.get(index).is_some_and(|slot| matches!(slot.state, State::Ending(_))) {
            self.hear_out(index);
            self.tell_notices_of(index);
        }
    }

    pub(super) fn acknowledge_orphan(&mut self, pid: u32, start_time: u64) {
        self.orphans.remove(&(pid, start_time));
        if let Some(anchor) = &mut self.anchor {
            anchor.send(&ToAnchor::Acknowledge { pid, start_time }, None);
        }
    }

    /// The anchor tells of an orphan's end: a run of ours that an earlier keeper made, or one of no interest.
    pub(super) fn orphan(&mut self, pid: u32, start_time: u64, exit: WireExit) {
        self.orphans.insert((pid, start_time), exit);
        let silent = self.slots.iter().find_map(|(index, slot)| match &slot.state {
            State::Live(live) if live.process.pid == pid && live.process.start_time == start_time => {
                Some(index)
            }
            _ => None,
        });
        match silent {
            Some(index) => self.begin_ending(index, exit),
            None => self.forget_strange_orphans(),
        }
    }

    /// Acknowledges those that are no run's; before all slots are read, and while one is locked, it is not known which.
    pub(super) fn forget_strange_orphans(&mut self) {
        if self.is_adopting || self.slots.iter().any(|(_, slot)| matches!(slot.state, State::Locked { .. })) {
            return;
        }
        let strange: Vec<(u32, u64)> =
            self.orphans.keys().filter(|identity| !self.is_run(**identity)).copied().collect();
        for (pid, start_time) in strange {
            self.acknowledge_orphan(pid, start_time);
        }
    }

    fn is_run(&self, (pid, start_time): (u32, u64)) -> bool {
        self.slots.iter().any(|(_, slot)| match &slot.state {
            State::Live(live) => live.process.pid == pid && live.process.start_time == start_time,
            State::Ending(_) => slot.main() == ProcessId { pid, start_time },
            State::Locked { .. } | State::Making { .. } | State::Over => false,
        })
    }
}
