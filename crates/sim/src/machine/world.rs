//! The modelled machine as a whole: who moves next, what processes do by themselves, what somebody asks for, and the calm.

use mainstay_model::Moment;
use mainstay_wire::{ChildPart, WireExit};

use crate::{
    Breach, Log,
    breach::{Checked, Invariant, breach, hold},
    dice::Dice,
    machine::{
        DAEMON, Fault, SLOTS, SlotNo, Templates, Way,
        anchor::Anchor,
        daemon::{Daemon, Request},
        disk::Disk,
        keeper::Keeper,
        kernel::{INIT, Kernel, Process, Role, State, Word},
        pump::Step,
        truth::Truth,
    },
};

/// Bytes that a pipe holds.
const CAPACITY: u64 = 160;

/// The most bytes that a process writes at a time.
const WRITE: u64 = 24;

/// Moves until the calm must have come to rest.
const CALM_MOVES: u64 = 20_000;

/// What no queue, table or folder may reach.
const BOUND: usize = 128;

/// Temporary files of the state that may lie about.
const LEFTOVERS: u32 = 1;

/// What came up in storms.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sights {
    /// Effects of all kinds.
    pub moves: u64,
    /// Events that the real `decide` was told.
    pub decisions: u64,
    /// Deaths: of daemons, keepers, anchors; of anchor and keeper together; power cuts.
    pub daemons: u64,
    /// See `daemons`.
    pub keepers: u64,
    /// See `daemons`.
    pub anchors: u64,
    /// See `daemons`.
    pub pairs: u64,
    /// See `daemons`.
    pub power_cuts: u64,
    /// Upgrades of keepers.
    pub upgrades: u64,
    /// Writes that a death cut short.
    pub torn: u64,
    /// Programs that were executed.
    pub executed: u64,
    /// Programs that ended.
    pub ended: u64,
    /// Those of them while daemon, keeper or anchor was dead or not at work.
    pub ended_in_windows: u64,
    /// Ends told to daemons.
    pub told: u64,
    /// Those that nobody knows how.
    pub unknown: u64,
    /// Ends that fell to an anchor.
    pub orphans: u64,
    /// Runs that a keeper found ended.
    pub ended_unseen: u64,
    /// Runs that never began.
    pub never_began: u64,
    /// Slots that were locked when a keeper came.
    pub locked: u64,
    /// Batches that a keeper left.
    pub batches_left: u64,
    /// Batches that no log took.
    pub aside: u64,
    /// Log files rotated.
    pub rotations: u64,
    /// Keepers that went on alone.
    pub alone: u64,
    /// Those of them that became anchors.
    pub became: u64,
    /// Upgrades that anchors followed, and that were taken back.
    pub followed: u64,
    /// See `followed`.
    pub taken_back: u64,
}

/// The machine.
pub(crate) struct World {
    pub(crate) now: u64,
    pub(crate) dice: Dice,
    pub(crate) kernel: Kernel,
    pub(crate) disk: Disk,
    pub(crate) anchor: Option<Anchor>,
    pub(crate) keeper: Option<Keeper>,
    /// How many keepers there were.
    pub(crate) keepers: u64,
    pub(crate) daemon: Option<Daemon>,
    pub(crate) truth: Truth,
    pub(crate) templates: Templates,
    pub(crate) sights: Sights,
    pub(crate) fault: Option<Fault>,
    pub(crate) boot_id: String,
    /// When that was: the clock of decisions counts from there.
    pub(crate) boot_at: u64,
    pub(crate) is_calm: bool,
    /// Somebody is to bring everything up, since nothing is.
    pub(crate) must_up: bool,
    /// What the new keeper has read and not adopted.
    pub(crate) known: Vec<(SlotNo, ChildPart)>,
    pub(crate) weather: super::strike::Weather,
    pub(crate) lines: Option<Vec<String>>,
}

impl World {
    pub(crate) fn new(seed: u64, fault: Option<Fault>, log: Log) -> Self {
        let mut dice = Dice::new(seed);
        let keeps_exits = dice.chance(50);
        let keeps_run_dir = dice.chance(50);
        Self {
            now: 1_000_000_000,
            kernel: Kernel::new(keeps_exits),
            disk: Disk { keeps_run_dir, ..Disk::default() },
            anchor: None,
            keeper: None,
            keepers: 0,
            daemon: None,
            truth: Truth::default(),
            templates: Templates::of(dice.below(2)),
            sights: Sights::default(),
            fault,
            boot_id: "boot-0".to_owned(),
            boot_at: 0,
            is_calm: false,
            must_up: true,
            known: Vec::new(),
            weather: super::strike::Weather::random(&mut dice),
            dice,
            lines: (log == Log::Kept).then(Vec::new),
        }
    }

    /// The time, for decisions.
    pub(crate) fn moment(&self) -> Moment {
        Moment::from_nanos(self.now - self.boot_at)
    }

    /// So many moves, then the calm.
    pub(crate) fn run(&mut self, moves: u64) -> Checked {
        while self.sights.moves < moves {
            self.step()?;
        }
        self.calm()
    }

    /// Whoever is drawn does one thing; or dies.
    fn step(&mut self) -> Checked {
        self.sights.moves += 1;
        self.now += self.dice.roll() % 100_000;
        if self.weather.is_due() {
            self.strike()?;
        } else if !self.strike_at_aim()? && !self.somebody_moves()? {
            self.let_time_pass();
        }
        self.check_bounds()
    }

    fn somebody_moves(&mut self) -> Result<bool, Breach> {
        const TURNS: [u8; 16] = [0, 1, 2, 0, 3, 1, 4, 2, 0, 5, 1, 2, 3, 5, 4, 6];
        let first = self.dice.below(TURNS.len());
        for turn in (0..TURNS.len()).map(|step| TURNS[(first + step) % TURNS.len()]) {
            if self.weather.sluggish == turn && !self.is_calm && !self.dice.chance(8) {
                continue;
            }
            let moved = match turn {
                0 => self.step_program()?,
                1 => self.step_pump()?,
                2 => self.step_keeper()?,
                3 => self.step_spawns() || self.step_child()?,
                4 => self.step_anchor()?,
                5 => self.step_daemon()?,
                _ => self.step_person()?,
            };
            if moved {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Nothing can happen before the next moment that somebody waits for.
    fn let_time_pass(&mut self) {
        let at = self.next_moment().unwrap_or(self.now + 1_000_000);
        self.now = self.now.max(at);
    }

    fn next_moment(&self) -> Option<u64> {
        let daemon = self.daemon.as_ref().and_then(Daemon::wake_at).map(Moment::as_nanos);
        let daemon = daemon.map(|at| at + self.boot_at);
        // What nobody comes to see is no moment to wait for.
        let daemon = daemon.filter(|at| *at < self.now + 1_000_000_000_000);
        let keeper = self.keeper.as_ref();
        let restart = keeper.and_then(|keeper| keeper.daemon_due);
        let alone = keeper.and_then(|keeper| keeper.alone);
        let alone = alone.map(|(from, overdue)| if from > self.now { from } else { overdue });
        let blocked = keeper.into_iter().flat_map(|keeper| keeper.pump.blocked).flatten();
        let blocked = blocked.filter(|_| !self.disk.is_full);
        let anchor = self.anchor.as_ref().and_then(Anchor::wake_at);
        daemon.into_iter().chain(restart).chain(alone).chain(blocked).chain(anchor).min()
    }

    /// Between `clone` and `execve`.
    fn step_child(&mut self) -> Result<bool, Breach> {
        let is_child = |process: &&Process| matches!(process.state, State::Cloned { .. });
        let Some(child) = self.kernel.processes.iter().find(is_child).copied() else { return Ok(false) };
        // An `execve` may hang, from a file system far away.
        if child.start.is_multiple_of(5) && !self.is_calm && !self.dice.chance(2) {
            return Ok(false);
        }
        let (Role::Run(slot, run), State::Cloned { wrote }) = (child.role, child.state) else {
            return Ok(false);
        };
        let part = ChildPart { run, pid: child.pid, start_time: child.start, ..ChildPart::default() };
        if !wrote {
            if self.fault != Some(Fault::ChildDoesNotWrite) {
                self.disk.slots[slot].write_child(part.to_bytes());
            }
            if let Some(process) = self.kernel.find_mut(child.pid) {
                process.state = State::Cloned { wrote: true };
            }
        } else if child.fails {
            self.disk.slots[slot].write_child(ChildPart { failed_step: 5, ..part }.to_bytes());
            self.truth.failed(slot, run);
            self.kernel.exit(child.pid, WireExit::Code(127), INIT);
            self.settle_pipes()?;
        } else {
            if let Some(process) = self.kernel.find_mut(child.pid) {
                process.state = State::Running;
            }
            self.executed(slot, run, &child)?;
        }
        Ok(true)
    }

    fn executed(&mut self, slot: SlotNo, run: u64, process: &Process) -> Checked {
        self.note(|| format!("slot {slot}: run {run} is executed as {}", process.pid));
        self.truth.executed(slot, run, &self.kernel, &self.templates)?;
        if slot != DAEMON {
            self.sights.executed += 1;
            return Ok(());
        }
        let is_child = self.keeper.as_ref().is_some_and(|keeper| keeper.pid == process.parent);
        let keeper = if is_child { self.keepers } else { 0 };
        hold(self.daemon.is_none(), Invariant::OneLiveRun, || "a second daemon is there".to_owned())?;
        self.daemon = Some(Daemon::new(process.pid, keeper));
        Ok(())
    }

    /// What a running service does by itself.
    fn step_program(&mut self) -> Result<bool, Breach> {
        let slot = 1 + self.dice.below(SLOTS - 1);
        let running = self.kernel.live_of(slot).find(|process| process.state == State::Running);
        let Some(process) = running.copied() else { return Ok(false) };
        let roll = self.dice.below(1000);
        let ends = if self.templates.is_oneshot(slot) { 60 } else { 12 };
        match roll {
            _ if self.is_calm => self.step_calm_program(slot, &process),
            _ if roll < ends => {
                let exit = if self.dice.chance(40) { 0 } else { 1 + self.dice.below(3) };
                let exit = if self.dice.chance(15) {
                    WireExit::Signal(11)
                } else {
                    WireExit::Code(i32::try_from(exit).unwrap_or(1))
                };
                self.end_process(process.pid, exit)?;
                Ok(true)
            }
            100..200 if self.templates.reports(slot) => Ok(self.say(slot, process.start)),
            200..650 => Ok(self.write(slot)),
            _ => Ok(false),
        }
    }

    /// In the calm a service that has not said so, or whose word was lost, says that it is ready; a oneshot completes.
    fn step_calm_program(&mut self, slot: SlotNo, process: &Process) -> Result<bool, Breach> {
        if self.templates.is_oneshot(slot) {
            self.end_process(process.pid, WireExit::Code(0))?;
            return Ok(true);
        }
        if self.templates.reports(slot) && self.weather.spoke[slot] != process.start {
            self.weather.spoke[slot] = process.start;
            self.kernel.mail[slot].push_back(Word::Ready);
            self.truth.said_ready(slot);
            return Ok(true);
        }
        Ok(false)
    }

    fn say(&mut self, slot: SlotNo, start: u64) -> bool {
        if self.kernel.mail[slot].len() >= 4 {
            return false;
        }
        // Once: a word that is lost is not said again.
        if self.weather.spoke[slot] != start && self.dice.chance(50) {
            self.weather.spoke[slot] = start;
            self.kernel.mail[slot].push_back(Word::Ready);
            self.truth.said_ready(slot);
        } else {
            let number = u8::try_from(self.dice.below(5)).unwrap_or(0);
            self.kernel.mail[slot].push_back(Word::Status(number));
        }
        true
    }

    fn write(&mut self, slot: SlotNo) -> bool {
        let count = 1 + self.dice.roll() % WRITE;
        let pipe = &mut self.kernel.pipes[slot];
        if pipe.length() + count > CAPACITY {
            return false;
        }
        pipe.to += count;
        true
    }

    /// Bytes of a stream are written to its log.
    pub(crate) fn wrote(&mut self, slot: SlotNo, place: u64, count: usize) -> Checked {
        if count == 0 {
            return Ok(());
        }
        let folder = &mut self.disk.folders[slot];
        self.truth.check_written(slot, folder.last, place)?;
        folder.last = place + count as u64;
        folder.current = Some(folder.current.unwrap_or(0) + count as u64);
        Ok(())
    }

    /// Somebody who uses all this.
    fn step_person(&mut self) -> Result<bool, Breach> {
        if self.anchor.is_none() && self.keeper.is_none() && self.now >= self.weather.up_at {
            let pid = self.kernel.make(INIT, Role::Anchor, State::Running);
            self.anchor = Some(Anchor::new(pid));
            self.note(|| "somebody brings it up".to_owned());
            return Ok(true);
        }
        let is_ill = self.anchor.is_none() && self.keeper.as_ref().is_some_and(|keeper| keeper.ill.is_some());
        if is_ill {
            // Nobody is left who could take it back.
            self.note(|| "somebody ends a program that does not work".to_owned());
            return self.kill_keeper().map(|()| true);
        }
        let Some(daemon) = &self.daemon else { return Ok(false) };
        if self.must_up && daemon.runner.is_some() {
            self.must_up = !self.ask(Request::Up, 1);
            return Ok(!self.must_up);
        }
        if self.is_calm || !self.dice.chance(15) {
            return Ok(false);
        }
        let request = self.dice.pick([Request::Start, Request::Start, Request::Stop, Request::Restart]);
        let slot = 1 + self.dice.below(SLOTS - 1);
        Ok(self.ask(request, slot))
    }

    /// A process of ours gets a signal from the keeper.
    pub(crate) fn signalled(&mut self, process: Process, run: u64, signal: i32) -> Checked {
        let Role::Run(slot, of) = process.role else {
            return Err(breach(Invariant::KnownRuns, format!("process {} gets a signal", process.pid)));
        };
        hold(of == run, Invariant::KnownRuns, || format!("slot {slot}: run {of} gets a signal for {run}"))?;
        if process.state != State::Running {
            return Ok(());
        }
        if slot != DAEMON {
            self.truth.check_signal(slot, run)?;
        }
        self.note(|| format!("slot {slot}: run {run} gets signal {signal}"));
        match signal {
            9 => self.end_process(process.pid, WireExit::Signal(9)),
            _ if self.is_calm || self.dice.chance(70) => {
                let exit = if self.dice.chance(50) { WireExit::Signal(signal) } else { WireExit::Code(0) };
                self.end_process(process.pid, exit)
            }
            _ => Ok(()),
        }
    }

    /// What is in a pipe goes with the last who holds it.
    pub(crate) fn settle_pipes(&mut self) -> Checked {
        for slot in 0..SLOTS {
            let pipe = self.kernel.pipes[slot];
            if pipe.length() > 0 && !self.is_held(slot) {
                self.note(|| format!("slot {slot}: {} bytes go with their pipe", pipe.length()));
                self.truth.pipe_lost(slot, pipe.to)?;
                self.kernel.pipes[slot].from = pipe.to;
            }
        }
        Ok(())
    }

    fn is_held(&self, slot: SlotNo) -> bool {
        use crate::machine::{FromAnchor, ToAnchor};
        let by_anchor = self.anchor.as_ref().is_some_and(|anchor| {
            let on_its_way = |it: &ToAnchor| matches!(it, ToAnchor::Hold(Way::Fifo, of) if *of == slot);
            anchor.holds(Way::Fifo, slot) || anchor.inbox.iter().any(on_its_way)
        });
        let by_keeper = || {
            self.keeper.as_ref().is_some_and(|keeper| {
                let on_its_way =
                    |it: &FromAnchor| matches!(it, FromAnchor::Held(Way::Fifo, of) if *of == slot);
                let job = keeper.jobs.iter().any(|job| job.slot == slot);
                keeper.holds(Way::Fifo, slot)
                    || keeper.pump.attached[slot]
                    || job
                    || keeper.inbox.iter().any(on_its_way)
                    || keeper.pump.is_to_attach(slot)
            })
        };
        by_anchor || by_keeper() || self.kernel.live_of(slot).next().is_some()
    }

    /// Everything that can grow has a bound.
    fn check_bounds(&self) -> Checked {
        let keeper = self.keeper.as_ref().map_or(0, |keeper| {
            let line = keeper.link.as_ref().map_or(0, |link| link.inbox.len());
            let pump = keeper.pump.orders.len() + keeper.pump.drained.len();
            keeper.todo.len().max(keeper.inbox.len()).max(keeper.jobs.len()).max(line).max(pump)
        });
        let anchor = self.anchor.as_ref().map_or(0, Anchor::load);
        let daemon = self.daemon.as_ref().map_or(0, |daemon| daemon.inbox.len().max(daemon.unsent()));
        let most = keeper.max(anchor).max(daemon).max(self.kernel.processes.len());
        hold(most < BOUND, Invariant::Bounded, || {
            format!("{keeper} in the keeper, {anchor} in the anchor, {daemon} in the daemon")
        })?;
        let leftovers = self.disk.state.leftovers;
        hold(leftovers <= LEFTOVERS, Invariant::Bounded, || {
            format!("{leftovers} temporary files beside the state")
        })
    }

    /// Nothing goes wrong any more: everything comes to rest.
    fn calm(&mut self) -> Checked {
        self.note(|| "the calm".to_owned());
        self.is_calm = true;
        self.disk.is_full = false;
        self.weather.up_at = 0;
        for _ in 0..CALM_MOVES {
            self.sights.moves += 1;
            self.now += 1_000;
            let mut moved = false;
            // A program that is drawn may have nothing to do where another has.
            for _ in 0..4 * SLOTS {
                moved = moved || self.somebody_moves()?;
            }
            self.check_bounds()?;
            if !moved {
                match self.next_moment() {
                    Some(at) => self.now = self.now.max(at),
                    None => return self.check_rest_of_all(),
                }
            }
        }
        Err(breach(Invariant::ComesToRest, "it never comes to rest"))
    }

    fn check_rest_of_all(&self) -> Checked {
        let rest = |is: bool, what: &str| hold(is, Invariant::ComesToRest, || what.to_owned());
        let Some(keeper) = &self.keeper else { return rest(false, "there is no keeper") };
        let Some(daemon) = &self.daemon else { return rest(false, "there is no daemon") };
        rest(daemon.is_idle() && keeper.todo.is_empty() && keeper.jobs.is_empty(), "something is under way")?;
        rest(keeper.pump.step == Step::Idle && !self.disk.buffer.state, "a batch is under way")?;
        rest(keeper.orphans.is_empty(), "a status of an orphan was never taken in")?;
        let Some(anchor) = &self.anchor else { return rest(false, "there is no anchor") };
        rest(anchor.orphans.iter().next().is_none(), "the anchor keeps a status that nobody wants")?;
        rest(anchor.judged.is_none(), "a program is on trial for ever")?;
        hold(anchor.version == keeper.version, Invariant::UpgradesJudged, || {
            format!("the anchor is program {}, the keeper {}", anchor.version, keeper.version)
        })?;
        let zombie = self.kernel.processes.iter().find(|process| process.is_zombie());
        rest(zombie.is_none(), "a zombie is left")?;
        self.truth.check_told()?;
        for slot in 0..SLOTS {
            let (folder, pipe) = (&self.disk.folders[slot], self.kernel.pipes[slot]);
            self.truth.check_all_written(slot, folder.last, pipe.to)?;
        }
        self.check_rest(daemon)
    }

    /// Writes a line, when lines are kept.
    pub(crate) fn note(&mut self, line: impl FnOnce() -> String) {
        if let Some(lines) = &mut self.lines {
            lines.push(format!("{:>6} {:>9.3} ms  {}", self.sights.moves, (self.now as f64) / 1e6, line()));
        }
    }
}
