//! The modelled anchor: it holds, notes how orphans ended before it lets them go, and starts keepers (`keeper/src/anchor`, with the
//! real `Orphans`).

use std::collections::VecDeque;

use mainstay_keeper::decisions::Orphans;
use mainstay_wire::{self as wire, UpgradeView, WireExit};

use crate::{
    Breach,
    breach::{Checked, Invariant, breach},
    machine::{
        Fault, FromAnchor, SLOTS, SlotNo, ToAnchor, Way, World,
        keeper::Keeper,
        kernel::{Role, State},
        upgrade::Judged,
    },
};

/// An anchor.
#[derive(Debug)]
pub(crate) struct Anchor {
    pub(crate) pid: u32,
    pub(crate) held: [u16; 2],
    /// Processes of slots, by when each started.
    pub(crate) processes: [Option<u64>; SLOTS],
    pub(crate) orphans: Orphans,
    /// Who sits in the keeper's seat.
    pub(crate) keeper: Option<u32>,
    /// What the keeper said.
    pub(crate) inbox: VecDeque<ToAnchor>,
    pub(crate) todo: VecDeque<Act>,
    /// When the next keeper may come.
    pub(crate) due: u64,
    /// Which program it is.
    pub(crate) version: u32,
    /// Another one that may have to be taken back, and what became of the latest.
    pub(crate) judged: Option<Judged>,
    pub(crate) upgraded: Option<UpgradeView>,
}

/// One effect.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Act {
    Tell(FromAnchor),
    Reap(u32),
    /// What the dead keeper said last still counts.
    Drain,
    Empty,
}

impl Anchor {
    pub(crate) fn new(pid: u32) -> Self {
        Self {
            pid,
            held: [0; 2],
            processes: [None; SLOTS],
            orphans: Orphans::default(),
            keeper: None,
            inbox: VecDeque::new(),
            todo: VecDeque::new(),
            due: 0,
            version: 0,
            judged: None,
            upgraded: None,
        }
    }

    /// When it wants to start a keeper, or to judge.
    pub(crate) fn wake_at(&self) -> Option<u64> {
        let judges = self.judged.as_ref().map(Judged::wake_at);
        self.keeper.is_none().then_some(self.due).into_iter().chain(judges).min()
    }

    /// The longest of its queues.
    pub(crate) fn load(&self) -> usize {
        self.inbox.len().max(self.todo.len()).max(self.orphans.iter().count())
    }

    /// Whether this is held.
    pub(crate) fn holds(&self, way: Way, slot: SlotNo) -> bool {
        self.held[way as usize] & (1 << slot) != 0
    }
}

impl World {
    /// One effect of the anchor; whether there was one.
    pub(crate) fn step_anchor(&mut self) -> Result<bool, Breach> {
        let Some(anchor) = &mut self.anchor else { return Ok(false) };
        if let Some(act) = anchor.todo.pop_front() {
            self.anchor_act(act)?;
            return Ok(true);
        }
        if self.judge()? {
            return Ok(true);
        }
        // Its signals and its mail are there at once, in any order.
        if self.dice.chance(50) && self.take_dead() {
            return Ok(true);
        }
        let Some(anchor) = &mut self.anchor else { return Ok(false) };
        if anchor.keeper.is_none() {
            if anchor.due <= self.now {
                self.start_keeper()?;
                return Ok(true);
            }
        } else if let Some(message) = anchor.inbox.pop_front() {
            self.take_mail(message);
            self.settle_pipes()?;
            return Ok(true);
        }
        Ok(self.take_dead())
    }

    fn anchor_act(&mut self, act: Act) -> Checked {
        let fault = self.fault;
        let Some(anchor) = &mut self.anchor else { return Ok(()) };
        match act {
            Act::Tell(message) => {
                if let Some(keeper) = self.keeper.as_mut().filter(|keeper| anchor.keeper == Some(keeper.pid))
                {
                    keeper.inbox.push_back(message);
                    if let (Some(Fault::OrphansForgottenWhenTold), FromAnchor::Orphan(pid, start, _)) =
                        (fault, message)
                    {
                        anchor.orphans.forget(pid, start);
                    }
                }
            }
            Act::Reap(pid) => self.kernel.reap(pid),
            Act::Drain => match anchor.inbox.pop_front() {
                Some(_) if fault == Some(Fault::LastWordsUnread) => anchor.inbox.clear(),
                Some(message) => {
                    anchor.todo.push_front(Act::Drain);
                    self.take_mail(message);
                }
                None => {}
            },
            Act::Empty => {
                anchor.keeper = None;
                anchor.due = self.now + self.dice.roll() % 1_000_000;
                self.take_back("its keeper ended")?;
            }
        }
        self.settle_pipes()
    }

    /// Whoever ended is noted before it is let go.
    fn take_dead(&mut self) -> bool {
        let Some(anchor) = &mut self.anchor else { return false };
        let Some(dead) = self.kernel.dead_child(anchor.pid) else { return false };
        let State::Zombie(exit) = dead.state else { return false };
        if anchor.keeper == Some(dead.pid) {
            anchor.todo.extend([Act::Reap(dead.pid), Act::Drain, Act::Empty]);
        } else {
            let message = FromAnchor::Orphan(dead.pid, dead.start, exit);
            if self.fault != Some(Fault::OrphansNotKept) {
                anchor.orphans.note(dead.pid, dead.start, exit);
            }
            anchor.todo.extend([Act::Tell(message), Act::Reap(dead.pid)]);
            self.sights.orphans += 1;
        }
        true
    }

    /// Starts a keeper, and tells it everything (`fill_seat`).
    fn start_keeper(&mut self) -> Checked {
        if self.keeper.is_some() {
            return Err(breach(Invariant::OneLiveRun, "a second keeper is started"));
        }
        let Some(anchor) = &mut self.anchor else { return Ok(()) };
        let pid = self.kernel.make(anchor.pid, Role::Keeper, State::Running);
        self.keepers += 1;
        anchor.keeper = Some(pid);
        anchor.inbox.clear();
        self.keeper = Some(Keeper { version: anchor.version, ..Keeper::new(pid, anchor.pid) });
        self.known.clear();
        self.greet();
        Ok(())
    }

    fn take_mail(&mut self, message: ToAnchor) {
        let clock = self.clock_of_judges();
        let Some(anchor) = &mut self.anchor else { return };
        match message {
            ToAnchor::Hold(way, slot) => anchor.held[way as usize] |= 1 << slot,
            ToAnchor::Release(way, slot) => anchor.held[way as usize] &= !(1 << slot),
            ToAnchor::HoldProcess(slot, start) => anchor.processes[slot] = Some(start),
            ToAnchor::ReleaseProcess(slot) => anchor.processes[slot] = None,
            ToAnchor::Acknowledge(pid, start) => anchor.orphans.forget(pid, start),
            ToAnchor::Upgrade(program) => self.begin_trial(program),
            ToAnchor::Again => self.greet(),
            ToAnchor::Up => {
                if let Some(judged) = &mut anchor.judged {
                    judged.trial.is_up(clock);
                }
            }
            ToAnchor::Down => {
                if let Some(judged) = &mut anchor.judged {
                    judged.is_down = true;
                }
            }
        }
    }

    /// Tells a keeper everything.
    fn greet(&mut self) {
        let Some(anchor) = &mut self.anchor else { return };
        for way in [Way::Fifo, Way::Mail] {
            let held = (0..SLOTS).filter(|slot| anchor.holds(way, *slot));
            let told: Vec<Act> = held.map(|slot| Act::Tell(FromAnchor::Held(way, slot))).collect();
            anchor.todo.extend(told);
        }
        for (slot, start) in anchor.processes.iter().enumerate() {
            anchor.todo.extend(start.map(|start| Act::Tell(FromAnchor::HeldProcess(slot, start))));
        }
        self.tell_orphans();
        if let Some(anchor) = &mut self.anchor {
            anchor.todo.push_back(Act::Tell(FromAnchor::Complete));
        }
    }

    /// Tells of all that nobody acknowledged.
    pub(crate) fn tell_orphans(&mut self) {
        let Some(anchor) = &mut self.anchor else { return };
        let orphans: Vec<Act> = anchor.orphans.iter().filter_map(|orphan| told(&orphan.message())).collect();
        anchor.todo.extend(orphans);
    }
}

fn told(message: &wire::FromAnchor) -> Option<Act> {
    match message {
        wire::FromAnchor::Orphan { pid, start_time, exit } => {
            Some(Act::Tell(FromAnchor::Orphan(*pid, *start_time, *exit)))
        }
        wire::FromAnchor::Held { .. }
        | wire::FromAnchor::Foster { .. }
        | wire::FromAnchor::Complete
        | wire::FromAnchor::Terminate
        | wire::FromAnchor::Upgraded { .. } => None,
    }
}

/// Which exit this is, for a log.
pub(crate) fn exit_text(exit: WireExit) -> String {
    match exit {
        WireExit::Code(code) => format!("code {code}"),
        WireExit::Signal(signal) => format!("signal {signal}"),
        WireExit::Unknown => "unknown".to_owned(),
    }
}
