//! The beginning of a run in the modelled keeper: FIFO, fence, process (`begin.rs` and `spawner.rs` of
//! `keeper/src/supervisor`). A thread that makes a process moves by itself, and dies with the keeper.

use mainstay_model::SpawnFailureKind;
use mainstay_wire::{ProcessId, SlotRecord};

use crate::machine::{
    DAEMON, Fault, FromKeeper, SLOTS, SlotNo, Way, World,
    keeper::{Job, Op, Parent, Phase, Slot, Stage},
    kernel::{Role, State},
    pump::Order,
};

impl World {
    /// `spawn_service`, `check` and `begin`.
    pub(crate) fn spawn(&mut self, slot: SlotNo, run: u64, memo: String) {
        let Some(keeper) = &mut self.keeper else { return };
        let known = keeper.slots[slot].as_ref();
        if known.is_some_and(|known| known.is_active() || run <= known.record.run) {
            let kind = SpawnFailureKind::Other;
            return self.tell_daemon(FromKeeper::NotStarted { slot, run, kind });
        }
        let record = self.templates.intent(slot, run, &self.boot_id, memo);
        self.begin(slot, run, record);
    }

    /// Everything up to the clone.
    pub(crate) fn begin(&mut self, slot: SlotNo, run: u64, record: SlotRecord) {
        let reports = record.notify.is_some();
        let early = self.fault != Some(Fault::HoldAfterClone);
        if early {
            self.push(Op::Hold(Way::Fifo, slot));
        }
        self.push(Op::Pump(Order::Attach(slot)));
        if reports {
            self.push(Op::Hold(Way::Mail, slot));
            // It is a new socket: what was in the one before is gone with it.
            self.kernel.mail[slot].clear();
        }
        let Some(keeper) = &mut self.keeper else { return };
        let sequence = keeper.slots[slot].as_ref().map_or(1, |known| known.sequence + 1);
        let mut known = Slot::new(record.clone(), sequence, Phase::Making { signal: None });
        known.reports = reports;
        keeper.slots[slot] = Some(known);
        self.push(Op::Submit(Box::new(Job { slot, run, stage: Stage::Open, record, sequence })));
    }

    /// One effect of a thread that makes a process (`Shared::carry_out`); whether there was one.
    pub(crate) fn step_spawns(&mut self) -> bool {
        let Some(keeper) = &self.keeper else { return false };
        let count = keeper.jobs.len();
        if count == 0 {
            return false;
        }
        let first = self.dice.below(count);
        (0..count).map(|step| (first + step) % count).any(|index| self.spawn_step(index))
    }

    fn spawn_step(&mut self, index: usize) -> bool {
        let keeper_pid = self.keeper.as_ref().map_or(0, |keeper| keeper.pid);
        let Some(job) = self.keeper.as_mut().and_then(|keeper| keeper.jobs.get_mut(index)) else {
            return false;
        };
        let (slot, run) = (job.slot, job.run);
        let next = match job.stage {
            Stage::Open => {
                self.disk.slots[slot].exists = true;
                Stage::Lock
            }
            Stage::Lock => {
                if self.kernel.live_of(slot).any(|process| matches!(process.state, State::Cloned { .. })) {
                    return false;
                }
                Stage::Intent
            }
            Stage::Intent => {
                if let Ok(write) = job.record.encode(job.sequence) {
                    self.disk.slots[slot].write(&write, usize::MAX);
                }
                Stage::Clone
            }
            Stage::Clone => {
                let state = State::Cloned { wrote: false };
                let pid = self.kernel.make(keeper_pid, Role::Run(slot, run), state);
                let most = if self.weather.fails_often() { 50 } else { 4 };
                let fails = slot != DAEMON && !self.is_calm && self.dice.chance(most);
                if let Some(process) = self.kernel.find_mut(pid) {
                    process.fails = fails;
                }
                Stage::Wait(pid)
            }
            Stage::Wait(pid) => {
                let Some(process) = self.kernel.find(pid).copied() else { return false };
                match process.state {
                    State::Cloned { .. } => return false,
                    // `spawn` takes the status of one that failed.
                    State::Zombie(_) if process.fails => {
                        self.kernel.reap(pid);
                        Stage::Done(Err(()))
                    }
                    State::Running | State::Zombie(_) => {
                        Stage::Done(Ok(ProcessId { pid, start_time: process.start }))
                    }
                }
            }
            Stage::Done(_) => return false,
        };
        if let Some(job) = self.keeper.as_mut().and_then(|keeper| keeper.jobs.get_mut(index)) {
            job.stage = next;
        }
        true
    }

    /// A thread has made the process, or has not; or somebody let go of a lock that was waited for.
    pub(crate) fn spawn_event(&mut self) -> bool {
        let Some(keeper) = &mut self.keeper else { return false };
        let done = |job: &Job| matches!(job.stage, Stage::Done(_));
        if let Some(index) = keeper.jobs.iter().position(done) {
            let job = keeper.jobs.swap_remove(index);
            match job.stage {
                Stage::Done(Ok(first)) => self.started(job.slot, job.run, first),
                _ => self.not_started(job.slot, SpawnFailureKind::NoProgram),
            }
            return true;
        }
        let locked = |slot: &Option<Slot>| slot.as_ref().is_some_and(|slot| slot.phase == Phase::Locked);
        let kernel = &self.kernel;
        let is_free = |slot: SlotNo| !kernel.live_of(slot).any(|it| matches!(it.state, State::Cloned { .. }));
        let free = (0..SLOTS).find(|slot| locked(&keeper.slots[*slot]) && is_free(*slot));
        if let Some(slot) = free.filter(|_| !keeper.is_adopting) {
            self.adopt_unlocked(slot);
            return true;
        }
        false
    }

    fn started(&mut self, slot: SlotNo, run: u64, first: ProcessId) {
        let Some(known) = self.keeper.as_mut().and_then(|keeper| keeper.slots[slot].as_mut()) else { return };
        let before = known.phase;
        known.first = first;
        known.phase = Phase::Live { parent: Parent::Keeper, is_silent: false };
        if self.fault == Some(Fault::HoldAfterClone) {
            self.push(Op::Hold(Way::Fifo, slot));
        }
        if slot != DAEMON {
            self.push(Op::Tell(FromKeeper::Started { slot, run, pid: first.pid }));
        }
        if let Phase::Making { signal: Some(signal) } = before {
            self.push(Op::Kill(slot, signal));
        }
    }
}
