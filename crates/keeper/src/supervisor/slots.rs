//! Slots: one instance of a service each, what its latest run does, and how to find one.

use std::collections::BTreeMap;

use mainstay_host::{Process, RunTrace};
use mainstay_wire::{DAEMON_SLOT, ProcessId, RecordPhase, Scope, SlotPhase, SlotRecord, SlotState, WireExit};

use super::{begin::HOOK_MARK, reports::Reports, store::Store};

/// A slot.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) store: Store,
    /// As on disk.
    pub(super) record: SlotRecord,
    pub(super) state: State,
    /// The process that was made for the latest run, once that is known.
    pub(super) first: ProcessId,
    /// The ways by which its run tells how it is, when it has some.
    pub(super) reports: Option<Box<Reports>>,
    /// The name under which the anchor holds the descriptor of its main process, when it does.
    pub(super) held: Option<String>,
}

/// What the latest run does.
#[derive(Debug)]
pub(super) enum State {
    /// A process that a dead keeper was making still has the lock; these signals came for it meanwhile.
    Locked { signals: Vec<(i32, Scope)> },
    /// Its process is being made; these signals came for it meanwhile.
    Making { signals: Vec<(i32, Scope)> },
    /// It runs.
    Live(Live),
    /// It ended; what it left behind is killed, and its output written.
    Ending(Ending),
    /// There is no run: the record says how the latest one ended.
    Over,
}

/// A run.
#[derive(Debug)]
pub(super) struct Live {
    /// The main process: the one that was made, or one that it named.
    pub(super) process: Process,
    pub(super) parent: Parent,
    /// It ended, and its parent is yet to say how.
    pub(super) is_silent: bool,
    /// The process that was made, when it is our child and another one is the main process.
    pub(super) first: Option<Process>,
}

impl Live {
    /// A run whose main process is the one that was made.
    pub(super) fn new(process: Process, parent: Parent) -> Self {
        Self { process, parent, is_silent: false, first: None }
    }
}

/// Who learns how a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Parent {
    /// We.
    Keeper,
    /// The anchor: an earlier keeper made it.
    Anchor,
    /// Somebody else: anchor and keeper died, or another process of the run.
    Elsewhere,
    /// Whoever it is when it ends: it was named, not made.
    Unsettled,
}

/// A run that ended.
#[derive(Debug)]
pub(super) struct Ending {
    /// The process that was made, when it is ours to let go.
    pub(super) zombie: Option<Process>,
    pub(super) exit: WireExit,
    /// Whether the anchor keeps the status until we acknowledge it.
    pub(super) is_with_anchor: bool,
    /// How often what it left behind was looked for.
    pub(super) round: u32,
    /// How many of those that were killed have not ended yet.
    pub(super) dying: usize,
}

impl Slot {
    /// Whether a process of the latest run exists, or may.
    pub(super) fn is_active(&self) -> bool {
        !matches!(self.state, State::Over)
    }

    /// The process with which the run stands and falls.
    pub(super) fn main(&self) -> ProcessId {
        self.record.main.unwrap_or(self.first)
    }

    /// How what this run leaves behind can be told.
    pub(super) fn trace(&self) -> RunTrace {
        let marks = self.record.marks.clone();
        let is_hook = marks.iter().any(|mark| mark.starts_with(HOOK_MARK));
        RunTrace {
            leader: self.first.pid,
            leader_start: self.first.start_time,
            main: self.record.main.map(|main| (main.pid, main.start_time)),
            marks,
            foreign: if is_hook { Vec::new() } else { vec![HOOK_MARK.to_owned()] },
            ..RunTrace::default()
        }
    }

    /// One of which no run is known.
    pub(super) fn new(store: Store, record: SlotRecord, state: State) -> Self {
        Self { store, record, state, first: ProcessId::default(), reports: None, held: None }
    }

    /// As the daemon is told.
    pub(super) fn view(&self) -> SlotState {
        let phase = match (&self.state, &self.record.phase) {
            (State::Locked { .. } | State::Making { .. }, _) => SlotPhase::Spawning,
            (State::Live(live), _) => SlotPhase::Running { pid: live.process.pid },
            (State::Ending(_), _) => SlotPhase::Running { pid: self.main().pid },
            (State::Over, _) if self.record.acknowledged => SlotPhase::Over,
            (State::Over, RecordPhase::NotStarted { failure }) => {
                SlotPhase::NotStarted { failure: failure.clone() }
            }
            (State::Over, RecordPhase::Ended { exit }) => SlotPhase::Exited { exit: *exit },
            (State::Over, RecordPhase::Made { .. }) => SlotPhase::Over,
        };
        SlotState {
            slot: self.record.slot.clone(),
            run: self.record.run,
            phase,
            memo: self.record.memo.clone(),
            notices: self.reports.as_ref().map(|reports| reports.said.notices()).unwrap_or_default(),
        }
    }
}

/// All slots, by numbers that stay the same for as long as a slot is there.
#[derive(Debug, Default)]
pub(super) struct Slots {
    all: Vec<Option<Slot>>,
    names: BTreeMap<String, usize>,
}

impl Slots {
    pub(super) fn find(&self, name: &str) -> Option<usize> {
        self.names.get(name).copied()
    }

    pub(super) fn get(&self, index: usize) -> Option<&Slot> {
        self.all.get(index)?.as_ref()
    }

    pub(super) fn get_mut(&mut self, index: usize) -> Option<&mut Slot> {
        self.all.get_mut(index)?.as_mut()
    }

    pub(super) fn add(&mut self, slot: Slot) -> usize {
        let index = self.all.iter().position(Option::is_none).unwrap_or(self.all.len());
        self.names.insert(slot.record.slot.clone(), index);
        if index == self.all.len() {
            self.all.push(None);
        }
        self.all[index] = Some(slot);
        index
    }

    pub(super) fn remove(&mut self, index: usize) -> Option<Slot> {
        let slot = self.all.get_mut(index)?.take()?;
        self.names.remove(&slot.record.slot);
        Some(slot)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (usize, &Slot)> {
        self.all.iter().enumerate().filter_map(|(index, slot)| Some((index, slot.as_ref()?)))
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Slot> {
        self.all.iter_mut().flatten()
    }

    /// Those of services.
    pub(super) fn services(&self) -> impl Iterator<Item = (usize, &Slot)> {
        self.iter().filter(|(_, slot)| slot.record.slot != DAEMON_SLOT)
    }

    pub(super) fn any_service_active(&self) -> bool {
        self.services().any(|(_, slot)| slot.is_active())
    }
}
