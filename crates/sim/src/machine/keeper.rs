//! The modelled keeper at work: what happens to it, and what it does about that, as a row of effects between any two of which it
//! can be killed.
//!
//! An event is taken in only when the row of the one before is done, as in one thread. What stands for what, in
//! `keeper/src/supervisor`: [`World::keeper_event`] is a turn of `Supervisor::work`; [`World::request`] is `requests.rs`, and
//! `daemon.rs` where it is about the daemon; [`World::orphan`] is in `end.rs`; [`World::go_on_alone`] is `alone.rs`; words are
//! `notices.rs`. Of hooks, checks, leftovers of runs and other main processes there is nothing here.

use std::collections::{BTreeMap, VecDeque};

use mainstay_keeper::decisions::Said;
use mainstay_wire::{ChildPart, ProcessId, RecordPhase, SlotPhase, SlotRecord, WireExit, WireNotice};

use crate::{
    Breach,
    breach::Checked,
    machine::{
        DAEMON, Fault, FromAnchor, FromKeeper, SLOTS, SlotNo, ToAnchor, ToKeeper, View, Way, World,
        kernel::Word,
        pump::{Order, Pump},
        upgrade::Ill,
    },
};

/// A keeper.
#[derive(Debug)]
pub(crate) struct Keeper {
    pub(crate) pid: u32,
    pub(crate) todo: VecDeque<Op>,
    /// What the anchor said.
    pub(crate) inbox: VecDeque<FromAnchor>,
    /// Whether it takes the anchor to be there.
    pub(crate) has_anchor: bool,
    pub(crate) anchor_pid: u32,
    /// Everything that the anchor holds was handed over.
    pub(crate) is_complete: bool,
    pub(crate) held: [u16; 2],
    /// Processes of slots that are held here, by when each started.
    pub(crate) processes: [Option<u64>; SLOTS],
    /// Which program it is, and what is wrong with that.
    pub(crate) version: u32,
    pub(crate) ill: Option<Ill>,
    /// Another program is to take its place.
    pub(crate) has_successor: bool,
    /// A daemon of it was up.
    pub(crate) was_up: bool,
    /// Without an anchor: when it may become one, and when it does whatever is being made.
    pub(crate) alone: Option<(u64, u64)>,
    pub(crate) orphans: BTreeMap<(u32, u64), WireExit>,
    pub(crate) slots: [Option<Slot>; SLOTS],
    pub(crate) jobs: Vec<Job>,
    pub(crate) pump: Pump,
    pub(crate) is_recovering: bool,
    pub(crate) is_adopting: bool,
    /// The line to the daemon of this run.
    pub(crate) link: Option<Link>,
    /// When a daemon is to be started.
    pub(crate) daemon_due: Option<u64>,
}

/// The line to a daemon.
#[derive(Debug, Default)]
pub(crate) struct Link {
    pub(crate) inbox: VecDeque<ToKeeper>,
    pub(crate) is_closed: bool,
    pub(crate) said_hello: bool,
}

/// A slot.
#[derive(Debug)]
pub(crate) struct Slot {
    pub(crate) record: SlotRecord,
    pub(crate) sequence: u64,
    pub(crate) phase: Phase,
    pub(crate) first: ProcessId,
    pub(crate) said: Said,
    pub(crate) untold: Vec<WireNotice>,
    /// Whether its run has a socket.
    pub(crate) reports: bool,
    /// The anchor was told to hold its main process.
    pub(crate) is_held: bool,
}

/// What a slot's latest run does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    Locked,
    Making { signal: Option<i32> },
    Live { parent: Parent, is_silent: bool },
    Ending { exit: WireExit, zombie: bool, is_with_anchor: bool },
    Over,
}

/// Who learns how a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Parent {
    Keeper,
    Anchor,
    Elsewhere,
}

/// A process to make, in a thread of its own.
#[derive(Clone, Debug)]
pub(crate) struct Job {
    pub(crate) slot: SlotNo,
    pub(crate) run: u64,
    pub(crate) stage: Stage,
    pub(crate) record: SlotRecord,
    pub(crate) sequence: u64,
}

/// How far it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    Open,
    Lock,
    Intent,
    Clone,
    Wait(u32),
    Done(Result<ProcessId, ()>),
}

/// One effect.
#[derive(Clone, Debug)]
pub(crate) enum Op {
    Hold(Way, SlotNo),
    Release(Way, SlotNo),
    HoldProcess(SlotNo),
    ReleaseProcess(SlotNo),
    ToAnchor(ToAnchor),
    Submit(Box<Job>),
    /// Makes what is known of a slot its record.
    Write(SlotNo),
    Reap(u32),
    AcknowledgeOrphan(u32, u64),
    Tell(FromKeeper),
    TellNotices(SlotNo),
    DropWord(SlotNo),
    Pump(Order),
    /// Continues with what follows the words of one that ended.
    Ended(SlotNo),
    Kill(SlotNo, i32),
    ReplaceDaemon,
    // Of its start.
    Listen,
    Recover,
    Know(SlotNo),
    Adopt(SlotNo, ChildPart),
    AdoptedAll,
    StartDaemon,
    // Of its becoming another program.
    Rest,
    BecomeAnchor,
    BecomeSuccessor,
}

impl Keeper {
    /// Names of a slot that are held here.
    pub(crate) fn holds(&self, way: Way, slot: SlotNo) -> bool {
        self.held[way as usize] & (1 << slot) != 0
    }

    pub(crate) fn hold(&mut self, way: Way, slot: SlotNo) {
        self.held[way as usize] |= 1 << slot;
    }

    pub(crate) fn take_held(&mut self, way: Way, slot: SlotNo) -> bool {
        let was = self.holds(way, slot);
        self.held[way as usize] &= !(1 << slot);
        was
    }

    pub(crate) fn is_listening(&self) -> bool {
        self.link.as_ref().is_some_and(|link| link.said_hello)
    }

    fn slot_of(&self, pid: u32, start: u64) -> Option<SlotNo> {
        self.slots.iter().position(|slot| slot.as_ref().is_some_and(|slot| slot.is_live(pid, start)))
    }
}

impl Slot {
    /// As the keeper begins to know of it.
    pub(crate) fn new(record: SlotRecord, sequence: u64, phase: Phase) -> Self {
        let said = Said::of(&record.said);
        let first = ProcessId::default();
        Self { record, sequence, phase, first, said, untold: Vec::new(), reports: false, is_held: false }
    }

    pub(crate) fn is_active(&self) -> bool {
        self.phase != Phase::Over
    }

    fn is_live(&self, pid: u32, start: u64) -> bool {
        matches!(self.phase, Phase::Live { .. }) && self.first == ProcessId { pid, start_time: start }
    }

    /// As the daemon is told (`Slot::view`).
    pub(crate) fn view(&self, slot: SlotNo) -> View {
        let phase = match (self.phase, &self.record.phase) {
            (Phase::Locked | Phase::Making { .. }, _) => SlotPhase::Spawning,
            (Phase::Live { .. } | Phase::Ending { .. }, _) => SlotPhase::Running { pid: self.first.pid },
            (Phase::Over, _) if self.record.acknowledged => SlotPhase::Over,
            (Phase::Over, RecordPhase::NotStarted { failure }) => {
                SlotPhase::NotStarted { failure: failure.clone() }
            }
            (Phase::Over, RecordPhase::Ended { exit }) => SlotPhase::Exited { exit: *exit },
            (Phase::Over, RecordPhase::Made { .. }) => SlotPhase::Over,
        };
        let notices = if self.reports { self.said.notices() } else { Vec::new() };
        View { slot, run: self.record.run, phase, memo: self.record.memo.clone(), notices }
    }
}

impl World {
    /// One effect of the supervising thread; whether there was one.
    pub(crate) fn step_keeper(&mut self) -> Result<bool, Breach> {
        let Some(keeper) = &mut self.keeper else { return Ok(false) };
        match keeper.ill {
            Some(Ill::Hangs) => return Ok(false),
            Some(Ill::Ends) => return self.end_ill_keeper(),
            Some(Ill::Refuses | Ill::DaemonEnds) | None => {}
        }
        let Some(op) = keeper.todo.pop_front() else { return self.keeper_event() };
        // What an effect leads to comes before what was to follow it.
        let mut rest = std::mem::take(&mut keeper.todo);
        let done = self.carry_out(op);
        if let Some(keeper) = &mut self.keeper {
            match keeper.todo.is_empty() {
                true => keeper.todo = rest,
                false => keeper.todo.append(&mut rest),
            }
        }
        done
    }

    /// Puts off an effect until something else has happened.
    pub(crate) fn not_yet(&mut self, op: Op) -> Result<bool, Breach> {
        if let Some(keeper) = &mut self.keeper {
            keeper.todo.push_front(op);
        }
        Ok(false)
    }

    pub(crate) fn push(&mut self, op: Op) {
        if let Some(keeper) = &mut self.keeper {
            keeper.todo.push_back(op);
        }
    }

    fn carry_out(&mut self, op: Op) -> Result<bool, Breach> {
        match op {
            Op::Hold(way, slot) => self.hold(way, slot),
            Op::Release(way, slot) => self.release(way, slot)?,
            Op::HoldProcess(slot) => self.hold_process(slot),
            Op::ReleaseProcess(slot) => self.release_process(slot),
            Op::ToAnchor(message) => self.tell_anchor(message),
            Op::Rest => return self.rest(),
            Op::BecomeAnchor => self.become_anchor()?,
            Op::BecomeSuccessor => self.become_successor()?,
            Op::Submit(job) => {
                if let Some(keeper) = &mut self.keeper {
                    keeper.jobs.push(*job);
                }
            }
            Op::Write(slot) => self.write_record(slot, usize::MAX),
            Op::Reap(pid) => self.kernel.reap(pid),
            Op::AcknowledgeOrphan(pid, start) => self.acknowledge_orphan(pid, start),
            Op::Tell(message) => self.tell_daemon(message),
            Op::TellNotices(slot) => self.tell_notices(slot),
            Op::DropWord(slot) => drop(self.kernel.mail[slot].pop_front()),
            Op::Pump(order) => {
                if let Some(keeper) = &mut self.keeper {
                    keeper.pump.orders.push_back(order);
                }
            }
            Op::Ended(slot) => self.process_ended(slot),
            Op::Kill(slot, signal) => self.signal(slot, signal)?,
            Op::ReplaceDaemon => self.replace_daemon(),
            Op::StartDaemon => self.start_daemon(),
            op @ (Op::Listen | Op::Recover | Op::Know(_) | Op::Adopt(..) | Op::AdoptedAll) => {
                return self.start_step(op);
            }
        }
        Ok(true)
    }

    /// Writes the first `only` bytes of a slot's record.
    pub(crate) fn write_record(&mut self, slot: SlotNo, only: usize) {
        let Some(known) = self.keeper.as_mut().and_then(|keeper| keeper.slots[slot].as_mut()) else { return };
        known.sequence += if self.fault == Some(Fault::RecordsInOnePlace) { 2 } else { 1 };
        if let Ok(write) = known.record.encode(known.sequence) {
            let file = &mut self.disk.slots[slot];
            file.exists = true;
            file.write(&write, only);
        }
    }

    fn hold(&mut self, way: Way, slot: SlotNo) {
        let Some(keeper) = &mut self.keeper else { return };
        match (&mut self.anchor, keeper.has_anchor) {
            (Some(anchor), true) => anchor.inbox.push_back(ToAnchor::Hold(way, slot)),
            // It is gone, and that was not noticed.
            (None, true) => {}
            (_, false) => keeper.hold(way, slot),
        }
    }

    fn release(&mut self, way: Way, slot: SlotNo) -> Checked {
        let Some(keeper) = &mut self.keeper else { return Ok(()) };
        keeper.take_held(way, slot);
        if let (Some(anchor), true) = (&mut self.anchor, keeper.has_anchor) {
            anchor.inbox.push_back(ToAnchor::Release(way, slot));
        }
        self.settle_pipes()
    }

    pub(crate) fn acknowledge_orphan(&mut self, pid: u32, start: u64) {
        let Some(keeper) = &mut self.keeper else { return };
        keeper.orphans.remove(&(pid, start));
        if let (Some(anchor), true) = (&mut self.anchor, keeper.has_anchor) {
            anchor.inbox.push_back(ToAnchor::Acknowledge(pid, start));
        }
    }

    /// What a daemon is told that has not said hello, it learns from the snapshot.
    pub(crate) fn tell_daemon(&mut self, message: FromKeeper) {
        if self.keeper.as_ref().is_some_and(Keeper::is_listening)
            && let Some(daemon) = &mut self.daemon
            && daemon.keeper == self.keepers
        {
            daemon.inbox.push_back(message);
        }
    }

    fn tell_notices(&mut self, slot: SlotNo) {
        let Some(keeper) = &mut self.keeper else { return };
        let is_listening = keeper.is_listening();
        let Some(known) = &mut keeper.slots[slot] else { return };
        let notices = std::mem::take(&mut known.untold);
        let run = known.record.run;
        if is_listening && !notices.is_empty() {
            self.tell_daemon(FromKeeper::Notified { slot, run, notices });
        }
    }

    /// Takes in one of the things that have happened.
    fn keeper_event(&mut self) -> Result<bool, Breach> {
        const KINDS: usize = 9;
        let first = self.dice.below(KINDS);
        for kind in (0..KINDS).map(|step| (first + step) % KINDS) {
            let happened = match kind {
                0 => self.anchor_event(),
                1 => self.request_event()?,
                2 => self.spawn_event(),
                3 => self.drained_event(),
                4 => self.leader_events(),
                5 => self.word_event(),
                6 => self.alone_event(),
                7 => self.successor_event(),
                _ => self.timer_event(),
            };
            if happened {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// `Supervisor::anchor_event`, one message at a time.
    pub(crate) fn anchor_event(&mut self) -> bool {
        let Some(keeper) = self.keeper.as_mut().filter(|keeper| keeper.has_anchor) else { return false };
        match keeper.inbox.pop_front() {
            Some(FromAnchor::Orphan(pid, start, exit)) => self.orphan(pid, start, exit),
            Some(FromAnchor::Held(..) | FromAnchor::HeldProcess(..) | FromAnchor::Complete) => {}
            None if self.anchor.is_none() => self.go_on_alone(),
            None => return false,
        }
        true
    }

    fn request_event(&mut self) -> Result<bool, Breach> {
        let Some(link) = self.keeper.as_mut().and_then(|keeper| keeper.link.as_mut()) else {
            return Ok(false);
        };
        match link.inbox.pop_front() {
            Some(request) => self.request(request)?,
            None if link.is_closed => self.dismiss_daemon()?,
            None => return Ok(false),
        }
        Ok(true)
    }

    /// Its line is at its end: it is of no use any more.
    fn dismiss_daemon(&mut self) -> Checked {
        let Some(keeper) = &mut self.keeper else { return Ok(()) };
        keeper.link = None;
        self.push(Op::Kill(DAEMON, 9));
        Ok(())
    }

    fn request(&mut self, request: ToKeeper) -> Checked {
        match request {
            ToKeeper::Hello => self.hello(),
            ToKeeper::Spawn { slot, run, memo } => self.spawn(slot, run, memo),
            ToKeeper::Signal { slot, run, signal } => {
                let known = self.keeper.as_ref().and_then(|keeper| keeper.slots[slot].as_ref());
                if known.is_some_and(|known| known.record.run == run) {
                    self.push(Op::Kill(slot, signal));
                }
            }
            ToKeeper::Acknowledge { slot, run, memo } => self.acknowledge(slot, run, memo, true),
            ToKeeper::Remember { slot, run, memo } => self.acknowledge(slot, run, memo, false),
            ToKeeper::Up => self.daemon_is_up(),
        }
        Ok(())
    }

    fn hello(&mut self) {
        let Some(keeper) = &mut self.keeper else { return };
        if let Some(link) = &mut keeper.link {
            link.said_hello = true;
        }
        let mut views = Vec::new();
        for (number, slot) in keeper.slots.iter_mut().enumerate().skip(1) {
            if let Some(slot) = slot {
                views.push(slot.view(number));
                slot.untold.retain(|notice| matches!(notice, WireNotice::Alive | WireNotice::ExtendMs(_)));
            }
        }
        self.tell_daemon(FromKeeper::Snapshot(views));
    }

    fn acknowledge(&mut self, slot: SlotNo, run: u64, memo: String, is_over: bool) {
        let Some(keeper) = &mut self.keeper else { return };
        let Some(known) = &mut keeper.slots[slot] else {
            let mut record = self.templates.intent(slot, 0, &self.boot_id, memo);
            (record.phase, record.acknowledged) = (RecordPhase::Ended { exit: WireExit::Unknown }, true);
            keeper.slots[slot] = Some(Slot::new(record, 0, Phase::Over));
            return self.push(Op::Write(slot));
        };
        if run < known.record.run {
            return;
        }
        known.record.acknowledged |= is_over && run == known.record.run && !known.is_active();
        known.record.memo = memo;
        self.push(Op::Write(slot));
    }

    /// A signal from the keeper, to the very process.
    pub(crate) fn signal(&mut self, slot: SlotNo, signal: i32) -> Checked {
        let Some(known) = self.keeper.as_mut().and_then(|keeper| keeper.slots[slot].as_mut()) else {
            return Ok(());
        };
        let (pid, run) = (known.first.pid, known.record.run);
        let first = known.first;
        match &mut known.phase {
            Phase::Making { signal: kept } => *kept = Some(kept.map_or(signal, |kept| kept.min(signal))),
            Phase::Live { .. } => {
                let by_number = self.fault == Some(Fault::NumberIsIdentity);
                let there =
                    self.kernel.find(pid).filter(|there| by_number || there.start == first.start_time);
                if let Some(there) = there.copied() {
                    return self.signalled(there, run, signal);
                }
            }
            Phase::Locked | Phase::Ending { .. } | Phase::Over => {}
        }
        Ok(())
    }

    /// A process said something: looked at, recorded, and only then dropped.
    fn word_event(&mut self) -> bool {
        let Some(keeper) = &self.keeper else { return false };
        let talks = |slot: &SlotNo| {
            let known = keeper.slots[*slot].as_ref();
            known.is_some_and(|known| known.reports && matches!(known.phase, Phase::Live { .. }))
                && !self.kernel.mail[*slot].is_empty()
        };
        let Some(slot) = (1..SLOTS).find(talks) else { return false };
        self.hear(slot, 1);
        self.push(Op::TellNotices(slot));
        true
    }

    /// Takes in so many words of a slot's run.
    pub(crate) fn hear(&mut self, slot: SlotNo, at_most: usize) {
        let words: Vec<Word> = self.kernel.mail[slot].iter().take(at_most).copied().collect();
        for word in words {
            let drops_first = self.fault == Some(Fault::WordDroppedFirst);
            if drops_first {
                self.push(Op::DropWord(slot));
            }
            let Some(known) = self.keeper.as_mut().and_then(|keeper| keeper.slots[slot].as_mut()) else {
                return;
            };
            let notice = match word {
                Word::Ready => WireNotice::Ready,
                Word::Status(number) => WireNotice::Status(number.to_string()),
            };
            let is_new = known.said.take(&notice);
            known.record.said = known.said.notices();
            known.untold.retain(|other| std::mem::discriminant(other) != std::mem::discriminant(&notice));
            known.untold.push(notice);
            if is_new {
                self.push(Op::Write(slot));
            }
            if !drops_first {
                self.push(Op::DropWord(slot));
            }
        }
    }

    fn timer_event(&mut self) -> bool {
        let now = self.now;
        let Some(keeper) = &mut self.keeper else { return false };
        if keeper.daemon_due.is_some_and(|due| due <= now) {
            keeper.daemon_due = None;
            self.push(Op::StartDaemon);
            return true;
        }
        false
    }

    pub(crate) fn start_daemon(&mut self) {
        let Some(keeper) = &mut self.keeper else { return };
        let known = keeper.slots[DAEMON].as_ref();
        if known.is_some_and(Slot::is_active) {
            return;
        }
        let run = known.map_or(0, |known| known.record.run) + 1;
        keeper.link = Some(Link::default());
        let record = self.templates.intent(DAEMON, run, &self.boot_id, String::new());
        self.begin(DAEMON, run, record);
    }

    pub(crate) fn replace_daemon(&mut self) {
        let wait = self.dice.roll() % 2_000_000;
        let due = self.now + wait;
        if let Some(keeper) = &mut self.keeper {
            keeper.link = None;
            keeper.daemon_due = Some(due);
        }
    }

    fn orphan(&mut self, pid: u32, start: u64, exit: WireExit) {
        let Some(keeper) = &mut self.keeper else { return };
        keeper.orphans.insert((pid, start), exit);
        match keeper.slot_of(pid, start) {
            Some(slot) => self.begin_ending(slot, exit),
            None => self.forget_strange(),
        }
    }
}
