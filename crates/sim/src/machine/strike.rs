//! Deaths: who is struck and when, and what each leaves behind.

use mainstay_wire::WireExit;

use crate::{
    Breach,
    breach::Checked,
    dice::Dice,
    machine::{
        DAEMON, SLOTS, SlotNo, World,
        keeper::{Keeper, Op, Phase, Slot, Stage},
        kernel::{INIT, Kernel, Role},
    },
};

/// The anchor's number among the turns.
const ANCHORS_TURN: u8 = 4;

/// Moves between two strikes where deaths are not the point.
const SELDOM: u64 = 800;

/// What is in the air.
#[derive(Debug)]
pub(crate) struct Weather {
    /// Moves until the next strike, and how many there are between two at most.
    left: u64,
    every: u64,
    /// Who is struck.
    mood: Mood,
    aim: Aim,
    /// Not before then somebody brings up what is down.
    pub(crate) up_at: u64,
    /// Whose turns mostly pass.
    pub(crate) sluggish: u8,
    /// The process of each slot that has said that it is ready, by its start.
    pub(crate) spoke: [u64; SLOTS],
}

/// Who is struck.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mood {
    /// Daemons and keepers: then nothing at all is excused.
    Mild,
    /// Anchors as well, and pairs.
    Hard,
    /// And the power.
    Dark,
}

/// A moment that comes seldom, and at which it strikes in some storms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Aim {
    Nothing,
    /// A word is being recorded.
    Word,
    /// The state is being written.
    State,
    /// The anchor has not read what the keeper said.
    LastWords,
    /// A program cannot be executed while log folders take nothing.
    Full,
    /// An anchor that has become another program has statuses that nobody acknowledged.
    Followed,
}

/// One strike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Strike {
    Daemon,
    Keeper,
    DaemonAndKeeper,
    Anchor,
    AnchorAndDaemon,
    AnchorAndKeeper,
    All,
    Power,
    Upgrade,
    Disk,
}

impl Weather {
    pub(crate) fn random(dice: &mut Dice) -> Self {
        let every = dice.pick([15, 60, 60, 240]);
        let mood = dice.pick([Mood::Mild, Mood::Mild, Mood::Hard, Mood::Dark]);
        // Most often nobody is: there is no such turn.
        let sluggish = dice.pick([1, 2, 3, 4, 5, 9, 9, 9, 9, 9]);
        let nothing = Aim::Nothing;
        let aim = dice.pick([
            nothing,
            nothing,
            nothing,
            Aim::Followed,
            Aim::Word,
            Aim::State,
            Aim::LastWords,
            Aim::Full,
        ]);
        // What is left in a pipe is there until a keeper comes that looks for it.
        let every = match aim {
            Aim::Full => SELDOM,
            // Judges need time.
            Aim::Followed => 240,
            Aim::Nothing | Aim::Word | Aim::State | Aim::LastWords => every,
        };
        let sluggish = if aim == Aim::LastWords { ANCHORS_TURN } else { sluggish };
        Self { left: every, every, mood, aim, up_at: 0, sluggish, spoke: [0; SLOTS] }
    }

    /// Whether it strikes now.
    pub(crate) fn is_due(&mut self) -> bool {
        self.left = self.left.saturating_sub(1);
        self.left == 0
    }

    /// Whether programs cannot be executed more often.
    pub(crate) fn fails_often(&self) -> bool {
        self.aim == Aim::Full
    }

    fn draw(&mut self, dice: &mut Dice) -> Strike {
        self.left = 1 + dice.roll() % (2 * self.every);
        let mild = [Strike::Daemon, Strike::Keeper, Strike::Keeper, Strike::DaemonAndKeeper];
        let hard = [Strike::Anchor, Strike::AnchorAndDaemon, Strike::AnchorAndKeeper, Strike::All];
        match (self.mood, dice.below(20)) {
            (_, 0) => Strike::Upgrade,
            (_, 3..13) if self.aim == Aim::Followed => Strike::Upgrade,
            (_, 1 | 2) => Strike::Disk,
            (Mood::Hard | Mood::Dark, 3..7) => dice.pick(hard),
            (Mood::Dark, 7 | 8) => Strike::Power,
            _ => dice.pick(mild),
        }
    }
}

impl World {
    /// A moment that this storm waits for has come; whether it struck.
    pub(crate) fn strike_at_aim(&mut self) -> Result<bool, Breach> {
        let keeper = self.keeper.as_ref();
        let writes = || self.daemon.as_ref().and_then(|daemon| daemon.writing.as_ref());
        let is_now = match self.weather.aim {
            Aim::Nothing => false,
            Aim::Word => {
                let next = keeper.and_then(|keeper| keeper.todo.front());
                matches!(next, Some(Op::DropWord(_) | Op::Write(1)))
            }
            Aim::State => writes().is_some_and(|writing| (2..4).contains(&writing.stage)),
            Aim::LastWords => self.anchor.as_ref().is_some_and(|anchor| anchor.inbox.len() > 1),
            Aim::Full => !self.disk.is_full && keeper.is_some_and(|keeper| !keeper.jobs.is_empty()),
            Aim::Followed => {
                let anchor = self.anchor.as_ref().filter(|anchor| anchor.version > 0);
                anchor.is_some_and(|anchor| anchor.orphans.iter().next().is_some())
            }
        };
        let often = match self.weather.aim {
            Aim::LastWords => 3,
            Aim::Word => 30,
            Aim::Followed => 20,
            Aim::Nothing | Aim::State | Aim::Full => 10,
        };
        if !is_now || !self.dice.chance(often) {
            return Ok(false);
        }
        match self.weather.aim {
            Aim::Word | Aim::LastWords | Aim::Followed => self.kill_keeper()?,
            Aim::State if self.dice.chance(30) => self.cut_power()?,
            Aim::State => self.kill_daemon()?,
            Aim::Full => self.disk.is_full = true,
            Aim::Nothing => {}
        }
        Ok(true)
    }

    /// Somebody dies now.
    pub(crate) fn strike(&mut self) -> Checked {
        let strike = self.weather.draw(&mut self.dice);
        self.note(|| format!("{strike:?} is struck"));
        match strike {
            Strike::Daemon => self.kill_daemon(),
            Strike::Keeper => self.kill_keeper(),
            Strike::Anchor => self.kill_anchor(),
            Strike::DaemonAndKeeper => self.kill_daemon().and_then(|()| self.kill_keeper()),
            Strike::AnchorAndDaemon => self.kill_anchor().and_then(|()| self.kill_daemon()),
            Strike::AnchorAndKeeper if self.dice.chance(50) => {
                self.kill_keeper().and_then(|()| self.kill_anchor())
            }
            Strike::AnchorAndKeeper => self.kill_anchor().and_then(|()| self.kill_keeper()),
            Strike::All => {
                self.kill_daemon().and_then(|()| self.kill_anchor()).and_then(|()| self.kill_keeper())
            }
            Strike::Power => self.cut_power(),
            Strike::Upgrade => {
                self.upgrade();
                Ok(())
            }
            Strike::Disk => {
                self.disk.is_full = !self.disk.is_full;
                Ok(())
            }
        }
    }

    fn kill_daemon(&mut self) -> Checked {
        let Some(daemon) = &self.daemon else { return Ok(()) };
        let pid = daemon.pid;
        self.sights.daemons += 1;
        self.end_process(pid, WireExit::Signal(9))
    }

    pub(crate) fn kill_keeper(&mut self) -> Checked {
        let Some(keeper) = &self.keeper else { return Ok(()) };
        let pid = keeper.pid;
        self.sights.keepers += 1;
        self.tear_writes();
        self.end_process(pid, WireExit::Signal(9))
    }

    fn kill_anchor(&mut self) -> Checked {
        let Some(anchor) = &self.anchor else { return Ok(()) };
        let pid = anchor.pid;
        self.sights.anchors += 1;
        self.end_process(pid, WireExit::Signal(9))
    }

    /// What the keeper is about to write is written up to some place.
    pub(crate) fn tear_writes(&mut self) {
        let Some(keeper) = &self.keeper else { return };
        if let Some(Op::Write(slot)) = keeper.todo.front() {
            let (slot, only) = (*slot, self.dice.below(600));
            self.sights.torn += 1;
            self.write_record(slot, only);
        }
        let Some(keeper) = &self.keeper else { return };
        for job in keeper.jobs.iter().filter(|job| job.stage == Stage::Intent) {
            if let Ok(write) = job.record.encode(job.sequence) {
                self.sights.torn += 1;
                self.disk.slots[job.slot].write(&write, self.dice.below(write.bytes.len() + 1));
            }
        }
    }

    /// A process ends, and what was of it alone goes with it.
    pub(crate) fn end_process(&mut self, pid: u32, exit: WireExit) -> Checked {
        let Some(process) = self.kernel.find(pid).copied() else { return Ok(()) };
        let mut heir = INIT;
        match process.role {
            Role::Anchor => self.end_anchor(pid),
            Role::Keeper => {
                self.keeper = None;
                heir = self.anchor.as_ref().map_or(INIT, |anchor| anchor.pid);
            }
            Role::Run(DAEMON, _) => self.end_daemon(),
            Role::Run(slot, run) => {
                self.note(|| format!("slot {slot}: run {run} ends: {exit:?}"));
                self.truth.ended(slot, run, exit);
                self.sights.ended += 1;
                let at_work = |keeper: &Keeper| !keeper.is_adopting && keeper.has_anchor;
                let is_whole = self.anchor.is_some() && self.keeper.as_ref().is_some_and(at_work);
                let is_up = self.daemon.as_ref().is_some_and(|daemon| daemon.runner.is_some());
                self.sights.ended_in_windows += u64::from(!is_whole || !is_up);
            }
        }
        self.kernel.exit(pid, exit, heir);
        if process.role == Role::Anchor || process.role == Role::Keeper {
            // Without an anchor, a keeper that was not handed everything is as good as none.
            let has_all = |keeper: &Keeper| keeper.is_complete;
            if self.anchor.is_none() && !self.keeper.as_ref().is_some_and(has_all) {
                self.sights.pairs += 1;
                self.truth.both_dead();
                self.weather.up_at = self.now + self.dice.roll() % 20_000_000;
            }
        }
        self.settle_pipes()
    }

    /// The keeper hears from the kernel how children of the anchor end, if that keeps it (6.15), and if it has opened them.
    fn end_anchor(&mut self, pid: u32) {
        self.anchor = None;
        let keeper = self.keeper.as_ref().filter(|keeper| !keeper.is_adopting && self.kernel.keeps_exits);
        // One that an earlier keeper was making is not looked at before its lock is free.
        let is_known = |slot: &Slot| slot.phase != Phase::Locked;
        let has_opened =
            |slot: SlotNo| keeper.is_some_and(|keeper| keeper.slots[slot].as_ref().is_some_and(is_known));
        for process in &self.kernel.processes {
            if let Role::Run(slot, _) = process.role
                && process.parent == pid
                && !has_opened(slot)
            {
                self.truth.parent_lost(slot);
            }
        }
    }

    fn end_daemon(&mut self) {
        let Some(daemon) = self.daemon.take() else { return };
        if daemon.writing.is_some() {
            self.disk.state.abandon();
        }
        if let Some(keeper) = self.keeper.as_mut().filter(|_| daemon.keeper == self.keepers)
            && let Some(link) = &mut keeper.link
        {
            link.is_closed = true;
        }
    }

    fn cut_power(&mut self) -> Checked {
        self.sights.power_cuts += 1;
        self.tear_writes();
        (self.anchor, self.keeper, self.daemon) = (None, None, None);
        let heads = self.kernel.pipes.map(|pipe| pipe.to);
        self.kernel = Kernel::new(self.kernel.keeps_exits);
        for (pipe, head) in self.kernel.pipes.iter_mut().zip(heads) {
            (pipe.from, pipe.to) = (head, head);
        }
        self.disk.cut(&mut self.dice);
        self.truth.power_cut(heads);
        self.boot_id = format!("boot-{}", self.sights.power_cuts);
        self.boot_at = self.now;
        self.weather.spoke = [0; SLOTS];
        self.must_up = true;
        self.weather.up_at = self.now + self.dice.roll() % 20_000_000;
        Ok(())
    }
}
