//! The beginning of a run: FIFO, fence, process.

use std::{
    io,
    os::fd::{AsFd, OwnedFd},
};

use mainstay_host::{Interest, Process, is_no_room, limit_on_files, room_for_files};
use mainstay_model::{SpawnFailure, SpawnFailureKind};
use mainstay_wire::{
    DAEMON_SLOT, FromKeeper, LogFile, ProcessId, Program, RecordPhase, SlotRecord, ToAnchor, WireFailure,
    WireReports, errors_of,
};

use super::{
    Supervisor, Token,
    slots::{Live, Parent, Slot, State},
    spawner::{HANGS_AFTER, Job},
    store::Store,
    timers::Timer,
};
use crate::{pump::DIR_LIMIT, report::say};

/// The longest name of a slot, in bytes: it becomes a part of names of files.
const NAME_LIMIT: usize = 200;

/// Descriptors that are kept free for what runs: its logs, its end, the search for what it leaves behind, and the keeper after
/// us, which needs some more for a moment.
const OWN_ROOM: u64 = 24;

/// Descriptors that it has whatever runs: locks, sockets, what it waits with.
const OWN_FILES: u64 = 20;

/// Variables that tell a run from any other, as far as a program has them.
const MARKS: [&str; 4] = ["MAINSTAY_RUN_ID=", "MAINSTAY_SERVICE=", "MAINSTAY_INSTANCE=", HOOK_MARK];

/// What only hooks have, which for the rest have what the run has beside which they run.
pub(super) const HOOK_MARK: &str = "MAINSTAY_HOOK=";

/// The one without which the others tell nothing.
const RUN_MARK: &str = MARKS[0];

/// What names of processes that the anchor holds begin with.
pub(super) const PROCESS: &str = "process:";

/// The name under which the anchor holds the descriptor of a process of which it will not learn how it ended.
pub(super) fn process_name(process: ProcessId) -> String {
    format!("{PROCESS}{}.{}", process.pid, process.start_time)
}

/// A run to begin.
pub(super) struct Order {
    pub(super) slot: String,
    pub(super) run: u64,
    pub(super) program: Box<Program>,
    pub(super) log: LogFile,
    pub(super) memo: String,
    pub(super) reports: WireReports,
    pub(super) pass: Vec<(OwnedFd, i32)>,
}

/// Nothing was begun.
pub(super) struct Refusal {
    kind: SpawnFailureKind,
    pub(super) text: String,
}

impl From<String> for Refusal {
    fn from(text: String) -> Self {
        Self { kind: SpawnFailureKind::Other, text }
    }
}

impl Refusal {
    /// For this error, in these words.
    pub(super) fn of(error: &io::Error, text: String) -> Self {
        Self { kind: kind_of(error), text }
    }
}

/// Which part of a start failed, by the error of a preparation.
pub(super) fn kind_of(error: &io::Error) -> SpawnFailureKind {
    if is_no_room(error) { SpawnFailureKind::NoResources } else { SpawnFailureKind::Other }
}

/// Descriptors that a run comes to have here: of its main process, and of each of its pipes with the log behind it and the
/// index of that. Some are opened only with its first output.
fn descriptors(log: &LogFile, reports: &WireReports) -> u64 {
    let pipes = if log.split { 2 } else { 1 };
    1 + 3 * pipes + u64::from(reports.notify) + u64::from(reports.fd.is_some())
}

fn no_room() -> Result<(), Refusal> {
    let text = "there is no room for another open file: the limit on them is too low for so many services";
    Err(Refusal { kind: SpawnFailureKind::NoResources, text: text.to_owned() })
}

impl Supervisor {
    /// The daemon asks for a run.
    pub(super) fn spawn_service(&mut self, order: Order) {
        let (slot, run) = (order.slot.clone(), order.run);
        let begun = self.check(&order).map_err(Refusal::from).and_then(|()| self.check_room(&order));
        if let Err(refusal) = begun.and_then(|()| self.begin(order)) {
            let failure = WireFailure { code: refusal.kind.code().to_owned(), text: refusal.text };
            self.daemon.send(&FromKeeper::NotStarted { slot, run, failure });
        }
    }

    /// A start must leave room for taking care of what runs, when all has been opened that runs need.
    fn check_room(&self, order: &Order) -> Result<(), Refusal> {
        let of = |slot: &Slot| {
            let record = &slot.record;
            let fd = record.ready_pipe.then_some(0);
            descriptors(&record.log, &WireReports { notify: record.notify.is_some(), fd })
        };
        let active = self.slots.iter().filter(|(_, slot)| slot.is_active()).map(|(_, slot)| of(slot));
        let promised = active.sum::<u64>() + descriptors(&order.log, &order.reports);
        if room_for_files() < OWN_ROOM || limit_on_files() < OWN_FILES + OWN_ROOM + promised {
            return no_room();
        }
        Ok(())
    }

    fn check(&self, order: &Order) -> Result<(), String> {
        let name = &order.slot;
        Self::check_name(name)?;
        if !order.log.dir.starts_with('/') || errors_of(&order.log.dir).len() > DIR_LIMIT {
            return Err(format!("`{}` is no folder for logs", order.log.dir));
        }
        if order.program.words.is_empty() {
            return Err("there is no program".to_owned());
        }
        Self::check_reports(order)?;
        let Some(slot) = self.slots.find(name).and_then(|index| self.slots.get(index)) else { return Ok(()) };
        if slot.is_active() {
            return Err(format!("`{name}` has a run that is not over"));
        }
        if order.run <= slot.record.run {
            return Err(format!("run {} of `{name}` is not after run {}", order.run, slot.record.run));
        }
        Ok(())
    }

    pub(super) fn check_name(name: &str) -> Result<(), String> {
        if name.is_empty()
            || name.len() > NAME_LIMIT
            || name.starts_with(['.', '@'])
            || name.contains(['/', '\0'])
        {
            return Err(format!("`{name}` is no name of a slot"));
        }
        Ok(())
    }

    /// Everything up to the clone, which is a thread's. An error: nothing was begun.
    pub(super) fn begin(&mut self, mut order: Order) -> Result<(), Refusal> {
        let mut record = self.intent(&order);
        self.restore_folders()?;
        let (output, errors) = self.open_pipes(&order)?;
        let reports = self.open_reports(&mut order, &mut record);
        let reports = reports.inspect_err(|_| self.drain_pipes(&order.slot, &order.log, order.run))?;
        let index = match self.slots.find(&order.slot) {
            Some(index) => index,
            None => {
                let store = Store::new(self.options.slot(&order.slot));
                self.slots.add(Slot::new(store, record.clone(), State::Over))
            }
        };
        let Some(slot) = self.slots.get_mut(index) else { return Ok(()) };
        slot.reports = reports;
        let intent = match slot.store.prepare(&record) {
            Ok(intent) => intent,
            Err(text) => {
                slot.record.notify = record.notify;
                self.close_reports(index);
                self.drain_pipes(&order.slot, &order.log, order.run);
                return Err(text.into());
            }
        };
        slot.record = record;
        slot.first = ProcessId::default();
        slot.state = State::Making { signals: Vec::new() };
        let job = Job {
            slot: index,
            run: order.run,
            path: slot.store.path().to_owned(),
            intent,
            by_hand: self.options.by_hand_lock(&order.slot),
            program: order.program,
            output,
            errors,
            pass: order.pass,
        };
        // The anchor must have been sent the FIFO before the process is made, or its output could die with us.
        self.held_back.push(job);
        self.release_spawns();
        Ok(())
    }

    fn intent(&self, order: &Order) -> SlotRecord {
        let program = &order.program;
        let env = |name: &str| program.env.iter().find(|pair| pair.starts_with(name)).cloned();
        let marks = if env(RUN_MARK).is_some() {
            MARKS.iter().filter_map(|name| env(name)).collect()
        } else {
            vec![]
        };
        SlotRecord {
            slot: order.slot.clone(),
            run: order.run,
            boot_id: self.boot_id.clone(),
            pid_namespace: self.pid_namespace,
            phase: RecordPhase::Made {
                program: program.words.first().cloned().unwrap_or_default(),
                dir: program.dir.clone(),
                path: env("PATH=").and_then(|pair| pair.strip_prefix("PATH=").map(str::to_owned)),
                user: program.identity.as_ref().map(|identity| identity.uid),
            },
            acknowledged: false,
            log: order.log.clone(),
            memo: order.memo.clone(),
            marks,
            notify: None,
            ready_pipe: false,
            said: Vec::new(),
            main: None,
        }
    }

    /// Has the anchor keep a descriptor; where there is none we do.
    pub(super) fn hold(&mut self, name: String, descriptor: impl AsFd) {
        let descriptor = descriptor.as_fd();
        match &mut self.anchor {
            Some(anchor) => anchor.send(&ToAnchor::Hold { name }, Some(descriptor)),
            None => self.held.extend(descriptor.try_clone_to_owned().map(|descriptor| (name, descriptor))),
        }
    }

    /// Lets spawns go on whose FIFOs were sent.
    pub(super) fn release_spawns(&mut self) {
        if self.anchor.as_ref().is_some_and(|anchor| !anchor.is_flushed()) {
            return;
        }
        for job in self.held_back.drain(..) {
            self.spawner.submit(job);
        }
        self.look_at_spawns();
    }

    /// Spawns that wait although others hang get a thread.
    pub(super) fn look_at_spawns(&mut self) {
        if self.spawner.widen() {
            self.timers.set(Timer::LookAtSpawns, HANGS_AFTER);
        }
    }

    /// A thread has made the process, or has not.
    pub(super) fn spawned(&mut self, index: usize, run: u64, result: Result<Process, SpawnFailure>) {
        let is_this = self.slots.get(index).is_some_and(|slot| slot.record.run == run);
        if !is_this {
            return say("a process was made for a slot that is gone");
        }
        match result {
            Ok(process) => self.started(index, process),
            Err(failure) => self.not_started(index, failure.into()),
        }
        self.reap_orphans();
    }

    fn started(&mut self, index: usize, process: Process) {
        let pid = process.pid;
        if let Some(slot) = self.slots.get_mut(index) {
            slot.first = ProcessId { pid, start_time: process.start_time };
        }
        let signals = self.make_live(index, Live::new(process, Parent::Keeper));
        let Some(slot) = self.slots.get(index) else { return };
        let started = FromKeeper::Started { slot: slot.record.slot.clone(), run: slot.record.run, pid };
        if slot.record.slot != DAEMON_SLOT {
            self.daemon.send(&started);
        }
        for (signal, scope) in signals {
            self.signal(index, signal, scope);
        }
    }

    /// Watches a run's process from now on; returns the signals that came for it before.
    pub(super) fn make_live(&mut self, index: usize, live: Live) -> Vec<(i32, mainstay_wire::Scope)> {
        if let Err(error) = self.poller.add(&live.process, Token::Leader(index).number(), Interest::Read) {
            say(format_args!("cannot watch process {}: {error}", live.process.pid));
        }
        self.listen_to(index);
        let Some(slot) = self.slots.get_mut(index) else { return Vec::new() };
        match std::mem::replace(&mut slot.state, State::Live(live)) {
            State::Making { signals } | State::Locked { signals } => signals,
            State::Live(_) | State::Ending(_) | State::Over => Vec::new(),
        }
    }

    /// The program could not be executed: recorded before it is told.
    pub(super) fn not_started(&mut self, index: usize, failure: WireFailure) {
        let Some(slot) = self.slots.get_mut(index) else { return };
        slot.record.phase = RecordPhase::NotStarted { failure: failure.clone() };
        slot.record.acknowledged = slot.record.slot == DAEMON_SLOT;
        slot.store.write(&slot.record);
        slot.state = State::Over;
        let (name, run) = (slot.record.slot.clone(), slot.record.run);
        let log = slot.record.log.clone();
        self.close_reports(index);
        // It wrote nothing; but what a run before it wrote may still be there, when the log took nothing.
        self.drain_pipes(&name, &log, run);
        if name == DAEMON_SLOT {
            // One that a keeper before us could not start is tried again when all slots are read.
            if !self.is_adopting {
                self.daemon_not_started(&failure.text);
            }
        } else {
            self.daemon.send(&FromKeeper::NotStarted { slot: name, run, failure });
        }
    }
}
