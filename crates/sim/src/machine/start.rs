//! The start of the modelled keeper: what the anchor hands over, the batch that was left, and what each slot's record says
//! (`keeper/src/supervisor/start.rs` and `adopt.rs`, with the real `finding`).

use std::collections::{BTreeMap, VecDeque};

use mainstay_keeper::decisions::{Finding, finding};
use mainstay_model::SpawnFailureKind;
use mainstay_wire::{ChildPart, ProcessId, RecordPhase, SlotRecord, WireExit, WireFailure};

use crate::{
    Breach,
    breach::Checked,
    machine::{
        DAEMON, Fault, FromAnchor, FromKeeper, NAMESPACE, SLOTS, SlotNo, Way, World,
        keeper::{Keeper, Op, Parent, Phase, Slot},
        kernel::{INIT, State},
        pump::{Order, Pump, Step},
    },
};

impl Keeper {
    /// One that has just been executed.
    pub(crate) fn new(pid: u32, anchor_pid: u32) -> Self {
        let mut todo = VecDeque::from([Op::Listen, Op::Recover]);
        todo.extend((0..SLOTS).map(Op::Know));
        todo.extend([Op::AdoptedAll, Op::StartDaemon]);
        Self {
            pid,
            todo,
            inbox: VecDeque::new(),
            has_anchor: true,
            anchor_pid,
            is_complete: false,
            held: [0; 2],
            processes: [None; SLOTS],
            version: 0,
            ill: None,
            has_successor: false,
            was_up: false,
            alone: None,
            orphans: BTreeMap::new(),
            slots: Default::default(),
            jobs: Vec::new(),
            pump: Pump::new(),
            is_recovering: false,
            is_adopting: true,
            link: None,
            daemon_due: None,
        }
    }
}

impl World {
    /// One effect of a start.
    pub(crate) fn start_step(&mut self, op: Op) -> Result<bool, Breach> {
        match op {
            Op::Listen => return self.listen(),
            Op::Recover => return self.recover(),
            Op::Know(slot) => {
                self.know(slot);
                if slot == SLOTS - 1 {
                    // Before the first is adopted all are known.
                    self.adopt_known();
                }
            }
            Op::Adopt(slot, child) => self.adopt(slot, child)?,
            _ => self.adopted_all(),
        }
        Ok(true)
    }

    /// `listen_to`: everything that the anchor holds, and every end that nobody took in.
    fn listen(&mut self) -> Result<bool, Breach> {
        let Some(keeper) = &mut self.keeper else { return Ok(false) };
        match keeper.inbox.pop_front() {
            Some(FromAnchor::Held(way, slot)) => keeper.hold(way, slot),
            Some(FromAnchor::HeldProcess(slot, start)) => keeper.processes[slot] = Some(start),
            Some(FromAnchor::Orphan(pid, start, exit)) => drop(keeper.orphans.insert((pid, start), exit)),
            Some(FromAnchor::Complete) => {
                keeper.is_complete = true;
                return Ok(true);
            }
            None if self.anchor.is_none() => return Ok(true),
            None => return self.not_yet(Op::Listen),
        }
        keeper.todo.push_front(Op::Listen);
        Ok(true)
    }

    fn recover(&mut self) -> Result<bool, Breach> {
        let now = self.now;
        let Some(keeper) = &mut self.keeper else { return Ok(false) };
        if !std::mem::replace(&mut keeper.is_recovering, true) {
            keeper.todo.push_front(Op::Recover);
            self.recover_batch();
            return Ok(true);
        }
        if keeper.pump.step != Step::Idle {
            return self.not_yet(Op::Recover);
        }
        for (slot, aside) in self.disk.aside.iter().enumerate() {
            if aside.is_some() {
                keeper.pump.blocked[slot].get_or_insert(now);
            }
        }
        Ok(true)
    }

    /// Reads one slot, after having asked for its lock.
    fn know(&mut self, slot: SlotNo) {
        if !self.disk.slots[slot].exists {
            return;
        }
        let is_locked = self.kernel.live_of(slot).any(|it| matches!(it.state, State::Cloned { .. }))
            && self.fault != Some(Fault::LocksNotAsked);
        let Some((record, sequence)) = SlotRecord::decode(&self.disk.slots[slot].bytes) else {
            // Killed between the making of the file and its first record: nothing was begun.
            return self.disk.slots[slot].remove();
        };
        let child = ChildPart::from_bytes(&self.disk.slots[slot].bytes);
        let Some(keeper) = &mut self.keeper else { return };
        keeper.slots[slot] = Some(Slot::new(record, sequence, Phase::Locked));
        if is_locked {
            self.sights.locked += 1;
        } else {
            self.known.push((slot, child));
        }
    }

    fn adopt_known(&mut self) {
        for (slot, child) in std::mem::take(&mut self.known) {
            self.push(Op::Adopt(slot, child));
        }
    }

    /// What does the record say?
    fn adopt(&mut self, slot: SlotNo, child: ChildPart) -> Checked {
        let Some(known) = self.keeper.as_mut().and_then(|keeper| keeper.slots[slot].as_mut()) else {
            return Ok(());
        };
        let found = finding(&known.record, &child, &self.boot_id, NAMESPACE);
        match found {
            Finding::Over => known.phase = Phase::Over,
            Finding::Elsewhere => {
                known.phase = Phase::Over;
                known.record.phase = RecordPhase::Ended { exit: WireExit::Unknown };
                known.record.acknowledged = slot == DAEMON;
                self.push(Op::Write(slot));
            }
            Finding::NeverBegan => self.never_began(slot)?,
            Finding::Failed => self.not_started(slot, SpawnFailureKind::NoProgram),
            Finding::Made => self.adopt_run(slot, child)?,
        }
        self.forget_strange();
        Ok(())
    }

    fn never_began(&mut self, slot: SlotNo) -> Checked {
        self.sights.never_began += 1;
        let interrupted = SpawnFailureKind::Interrupted;
        let Some(keeper) = &mut self.keeper else { return Ok(()) };
        let Some(known) = &mut keeper.slots[slot] else { return Ok(()) };
        self.truth.check_never_began(slot, known.record.run, &self.kernel)?;
        if slot != DAEMON {
            self.not_started(slot, interrupted);
            return Ok(());
        }
        let failure = WireFailure { code: interrupted.code().to_owned(), text: String::new() };
        known.record.phase = RecordPhase::NotStarted { failure };
        known.record.acknowledged = true;
        known.phase = Phase::Over;
        let starts = !keeper.is_adopting;
        self.push(Op::Write(slot));
        if starts {
            self.push(Op::StartDaemon);
        }
        Ok(())
    }

    /// Whoever had the lock has let it go: the record is what it is now.
    pub(crate) fn adopt_unlocked(&mut self, slot: SlotNo) {
        let Some((record, sequence)) = SlotRecord::decode(&self.disk.slots[slot].bytes) else { return };
        let child = ChildPart::from_bytes(&self.disk.slots[slot].bytes);
        if let Some(keeper) = &mut self.keeper {
            keeper.slots[slot] = Some(Slot::new(record, sequence, Phase::Locked));
        }
        self.push(Op::Adopt(slot, child));
        self.push(Op::AdoptedAll);
    }

    fn adopt_run(&mut self, slot: SlotNo, child: ChildPart) -> Checked {
        self.reattach(slot);
        let first = ProcessId { pid: child.pid, start_time: child.start_time };
        let Some(known) = self.keeper.as_mut().and_then(|keeper| keeper.slots[slot].as_mut()) else {
            return Ok(());
        };
        known.first = first;
        if known.record.notify.is_some() {
            self.reattach_mail(slot);
        }
        self.hear_out(slot);
        let by_number = self.fault == Some(Fault::NumberIsIdentity);
        let there = self.kernel.find(first.pid).filter(|there| by_number || there.start == first.start_time);
        let Some(process) = there.copied() else {
            self.adopt_ended(slot, first);
            return Ok(());
        };
        let Some(keeper) = &mut self.keeper else { return Ok(()) };
        let parent = match process.parent {
            parent if parent == keeper.pid => Parent::Keeper,
            parent if keeper.has_anchor && parent == keeper.anchor_pid && parent != INIT => Parent::Anchor,
            _ => Parent::Elsewhere,
        };
        let has_anchor = keeper.has_anchor;
        let handed = keeper.processes[slot].filter(|start| *start == first.start_time);
        let Some(known) = &mut keeper.slots[slot] else { return Ok(()) };
        known.phase = Phase::Live { parent, is_silent: false };
        let run = known.record.run;
        if parent != Parent::Anchor {
            known.is_held = true;
            // What the anchor handed over it still holds.
            if handed.is_some() && has_anchor {
                keeper.processes[slot] = None;
            } else {
                self.push(Op::HoldProcess(slot));
            }
        }
        if slot != DAEMON {
            self.push(Op::Tell(FromKeeper::Started { slot, run, pid: first.pid }));
            self.push(Op::TellNotices(slot));
        } else if self.fault != Some(Fault::DaemonNotKilled) {
            // It belongs to a keeper that is dead; a new one asks what is true.
            self.push(Op::Kill(DAEMON, 9));
        } else if let Some(known) = self.keeper.as_mut().and_then(|keeper| keeper.slots[slot].as_mut()) {
            known.phase = Phase::Over;
        }
        Ok(())
    }

    /// Its process is gone, and the anchor saw how, or nobody did.
    fn adopt_ended(&mut self, slot: SlotNo, first: ProcessId) {
        while self.anchor_event() {}
        let Some(keeper) = &mut self.keeper else { return };
        let status = keeper.orphans.get(&(first.pid, first.start_time)).copied();
        let Some(known) = &mut keeper.slots[slot] else { return };
        let is_held = keeper.processes[slot].take_if(|start| *start == first.start_time).is_some();
        known.is_held = is_held;
        let kept = self.truth.exit_of(slot, self.kernel.keeps_exits && is_held);
        let (exit, is_with_anchor) = (status.unwrap_or(kept), status.is_some());
        known.phase = Phase::Ending { exit, zombie: false, is_with_anchor };
        let run = known.record.run;
        self.sights.ended_unseen += 1;
        self.push(Op::Pump(Order::Drain(slot, run)));
        self.push(Op::TellNotices(slot));
    }

    /// The FIFO of a run that goes on, or that ended with something in it: from the anchor, else by its path.
    fn reattach(&mut self, slot: SlotNo) {
        let Some(keeper) = &mut self.keeper else { return };
        if keeper.take_held(Way::Fifo, slot) {
            keeper.pump.orders.push_back(Order::Attach(slot));
        } else {
            self.push(Op::Hold(Way::Fifo, slot));
            self.push(Op::Pump(Order::Attach(slot)));
        }
    }

    fn reattach_mail(&mut self, slot: SlotNo) {
        let Some(keeper) = &mut self.keeper else { return };
        let was_held = keeper.take_held(Way::Mail, slot);
        if let Some(known) = &mut keeper.slots[slot] {
            known.reports = true;
        }
        if !was_held {
            // Nobody held the socket: what was said is lost, and what is said from now on is heard.
            self.kernel.mail[slot].clear();
            self.weather.spoke[slot] = 0;
            self.push(Op::Hold(Way::Mail, slot));
        }
    }

    /// `forget_strange_orphans` and `release_strange`, when no slot is left to be read.
    fn adopted_all(&mut self) {
        let Some(keeper) = &mut self.keeper else { return };
        keeper.is_adopting = false;
        for slot in 0..SLOTS {
            let Some(keeper) = &mut self.keeper else { return };
            if keeper.slots[slot].as_ref().is_some_and(Slot::is_active) {
                continue;
            }
            let run = keeper.slots[slot].as_ref().map(|known| known.record.run);
            let has_left = keeper.take_held(Way::Fifo, slot) && self.kernel.pipes[slot].length() > 0;
            if let Some(run) = run.filter(|_| has_left && self.fault != Some(Fault::LeftPipeIgnored)) {
                // Its log took nothing when it ended, and the keeper before died before it did.
                keeper.pump.orders.extend([Order::Attach(slot), Order::Drain(slot, run)]);
            }
            let has_process = keeper.processes[slot].take().is_some();
            if keeper.take_held(Way::Mail, slot) {
                self.push(Op::Release(Way::Mail, slot));
            }
            if has_process {
                self.push(Op::ReleaseProcess(slot));
            }
        }
        self.forget_strange();
    }
}
