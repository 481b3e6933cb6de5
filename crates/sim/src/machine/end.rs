//! The end of a run in the modelled keeper: the rest of its output, the record, the status, the word to the daemon, in this order
//! (`keeper/src/supervisor/end.rs`).

use mainstay_model::SpawnFailureKind;
use mainstay_wire::{RecordPhase, WireExit, WireFailure};

use crate::machine::{
    DAEMON, Fault, FromKeeper, SLOTS, SlotNo, Way, World,
    keeper::{Keeper, Op, Parent, Phase, Slot},
    kernel::State,
    pump::Order,
};

impl World {
    /// The descriptors of main processes say something.
    pub(crate) fn leader_events(&mut self) -> bool {
        let Some(keeper) = &self.keeper else { return false };
        let ended = |slot: &SlotNo| {
            let Some(Slot { phase: Phase::Live { is_silent: false, .. }, first, .. }) = &keeper.slots[*slot]
            else {
                return false;
            };
            let there = self.kernel.same(first.pid, first.start_time);
            there.is_none_or(crate::machine::kernel::Process::is_zombie)
        };
        let Some(slot) = (0..SLOTS).find(ended) else { return false };
        self.hear_out(slot);
        self.push(Op::Ended(slot));
        self.push(Op::TellNotices(slot));
        true
    }

    /// Takes in everything that a run has said until now.
    pub(crate) fn hear_out(&mut self, slot: SlotNo) {
        let reports = |slot: &Slot| slot.reports;
        if self.keeper.as_ref().and_then(|keeper| keeper.slots[slot].as_ref()).is_some_and(reports) {
            self.hear(slot, usize::MAX);
        }
    }

    /// `process_ended`, by who its parent is.
    pub(crate) fn process_ended(&mut self, slot: SlotNo) {
        let Some(keeper) = &mut self.keeper else { return };
        let Some(Slot { phase: Phase::Live { parent, is_silent }, first, .. }) = &mut keeper.slots[slot]
        else {
            return;
        };
        let there = self.kernel.same(first.pid, first.start_time).copied();
        match parent {
            Parent::Keeper => match there.map(|process| process.state) {
                Some(State::Zombie(exit)) => self.begin_ending(slot, exit),
                Some(State::Cloned { .. } | State::Running) => {}
                None => self.begin_ending(slot, WireExit::Unknown),
            },
            Parent::Anchor => match keeper.orphans.get(&(first.pid, first.start_time)) {
                Some(exit) => {
                    let exit = *exit;
                    self.begin_ending(slot, exit);
                }
                // The anchor will say how.
                None => *is_silent = true,
            },
            Parent::Elsewhere if there.is_none() => {
                // It was open when it was reaped.
                let kept = self.truth.exit_of(slot, self.kernel.keeps_exits);
                self.begin_ending(slot, kept);
            }
            Parent::Elsewhere => *is_silent = false,
        }
    }

    pub(crate) fn begin_ending(&mut self, slot: SlotNo, exit: WireExit) {
        let Some(keeper) = &mut self.keeper else { return };
        let Some(known) = &mut keeper.slots[slot] else { return };
        let Phase::Live { parent, .. } = known.phase else { return };
        let (pid, start) = (known.first.pid, known.first.start_time);
        let is_with_anchor = parent == Parent::Anchor || keeper.orphans.contains_key(&(pid, start));
        let zombie = parent == Parent::Keeper;
        let run = known.record.run;
        known.phase = Phase::Ending { exit, zombie, is_with_anchor };
        if self.fault == Some(Fault::OrphanAcknowledgedEarly) && is_with_anchor {
            self.push(Op::AcknowledgeOrphan(pid, start));
        }
        self.push(Op::Pump(Order::Drain(slot, run)));
    }

    pub(crate) fn drained_event(&mut self) -> bool {
        let Some(keeper) = &mut self.keeper else { return false };
        let Some((slot, run)) = keeper.pump.drained.pop_front() else { return false };
        self.drained(slot, run);
        true
    }

    /// The output is written: record, reap, tell.
    fn drained(&mut self, slot: SlotNo, run: u64) {
        let ends = |known: &&Slot| known.record.run == run && matches!(known.phase, Phase::Ending { .. });
        if self.keeper.as_ref().and_then(|keeper| keeper.slots[slot].as_ref()).filter(ends).is_none() {
            return;
        }
        self.hear_out(slot);
        self.push(Op::TellNotices(slot));
        let Some(known) = self.keeper.as_mut().and_then(|keeper| keeper.slots[slot].as_mut()) else { return };
        let Phase::Ending { exit, zombie, is_with_anchor } = known.phase else { return };
        let first = known.first;
        known.phase = Phase::Over;
        known.record.phase = RecordPhase::Ended { exit };
        known.record.acknowledged = slot == DAEMON;
        let reports = std::mem::take(&mut known.reports);
        let is_held = std::mem::take(&mut known.is_held);
        let tell = FromKeeper::Exited { slot, run, exit };
        let fault = self.fault;
        if fault == Some(Fault::TellBeforeRecord) && slot != DAEMON {
            if let Some(known) = self.keeper.as_mut().and_then(|keeper| keeper.slots[slot].as_mut()) {
                known.record.acknowledged = true;
            }
            self.push(Op::Tell(tell.clone()));
        }
        if fault == Some(Fault::ReapBeforeRecord) && zombie {
            self.push(Op::Reap(first.pid));
        }
        self.push(Op::Write(slot));
        if zombie && fault != Some(Fault::ReapBeforeRecord) {
            self.push(Op::Reap(first.pid));
        }
        if is_with_anchor {
            self.push(Op::AcknowledgeOrphan(first.pid, first.start_time));
        }
        if is_held {
            self.push(Op::ReleaseProcess(slot));
        }
        if reports {
            self.push(Op::Release(Way::Mail, slot));
        }
        if slot == DAEMON {
            self.daemon_is_down();
            self.push(Op::ReplaceDaemon);
        } else if fault != Some(Fault::TellBeforeRecord) {
            self.push(Op::Tell(tell));
        }
    }

    /// The program could not be executed: recorded before it is told.
    pub(crate) fn not_started(&mut self, slot: SlotNo, kind: SpawnFailureKind) {
        let Some(known) = self.keeper.as_mut().and_then(|keeper| keeper.slots[slot].as_mut()) else { return };
        let failure = WireFailure { code: kind.code().to_owned(), text: String::new() };
        known.record.phase = RecordPhase::NotStarted { failure };
        known.record.acknowledged = slot == DAEMON;
        known.phase = Phase::Over;
        let (run, reports) = (known.record.run, std::mem::take(&mut known.reports));
        self.push(Op::Write(slot));
        if reports {
            self.push(Op::Release(Way::Mail, slot));
        }
        let lets_go = self.fault == Some(Fault::LeftPipeLetGo);
        self.push(Op::Pump(if lets_go { Order::Detach(slot) } else { Order::Drain(slot, run) }));
        if slot == DAEMON {
            self.push(Op::ReplaceDaemon);
        } else {
            self.push(Op::Tell(FromKeeper::NotStarted { slot, run, kind }));
        }
    }

    /// Acknowledges statuses that are no run's; before all slots are read, and while one is locked, it is not known which.
    pub(crate) fn forget_strange(&mut self) {
        let Some(keeper) = &self.keeper else { return };
        let locked = |slot: &Option<Slot>| slot.as_ref().is_some_and(|slot| slot.phase == Phase::Locked);
        let waits = keeper.is_adopting || keeper.slots.iter().any(locked);
        if waits && self.fault != Some(Fault::ForgottenWhileReading) {
            return;
        }
        let strange: Vec<(u32, u64)> =
            keeper.orphans.keys().filter(|identity| !is_run(keeper, **identity)).copied().collect();
        for (pid, start) in strange {
            if let Some(keeper) = &mut self.keeper {
                keeper.orphans.remove(&(pid, start));
            }
            self.push(Op::AcknowledgeOrphan(pid, start));
        }
    }
}

fn is_run(keeper: &Keeper, (pid, start): (u32, u64)) -> bool {
    keeper.slots.iter().flatten().any(|slot| {
        let is_this = slot.first.pid == pid && slot.first.start_time == start;
        is_this && matches!(slot.phase, Phase::Live { .. } | Phase::Ending { .. })
    })
}
