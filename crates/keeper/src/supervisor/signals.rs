//! Signals to runs: to the main process, to its group, to everything that belongs to it; and which processes those are.

use std::collections::{BTreeMap, BTreeSet};

use mainstay_host::{Leader, Process, ProcessRow, ProcessTable, RunTrace, children_of, read_stat};
use mainstay_model::Signal;
use mainstay_wire::{ProcessId, Scope};

use super::{
    Supervisor,
    slots::{Slot, State},
};

/// Signals kept for a process that is still being made.
const SIGNAL_LIMIT: usize = 16;

/// How often it is looked for more that is to be stopped.
const STOP_ROUNDS: u32 = 100;

/// How often nothing is to be found while children of the fosters end all the time.
const QUIET_ROUNDS: u32 = 8;

impl Supervisor {
    /// Sends a signal to a run.
    pub(super) fn signal(&mut self, index: usize, number: i32, scope: Scope) {
        let Some(signal) = Signal::from_number(number) else { return };
        let Some(slot) = self.slots.get_mut(index) else { return };
        match &mut slot.state {
            State::Making { signals } | State::Locked { signals } if signals.len() < SIGNAL_LIMIT => {
                signals.push((number, scope));
            }
            State::Live(live) => match scope {
                Scope::Main => live.process.signal(signal),
                Scope::Group if slot.record.main.is_none() => live.process.signal_group(signal),
                Scope::Group => self.signal_groups(index, signal),
                Scope::Everything if signal == Signal::STOP => self.stop_all(index, signal),
                Scope::Everything => {
                    let table = ProcessTable::read(&self.fosters());
                    self.signal_family(index, signal, &table, &mut BTreeSet::new());
                }
            },
            State::Making { .. } | State::Locked { .. } | State::Ending(_) | State::Over => {}
        }
    }

    /// The groups of the process that was made and of the one that it named. The latter may lead none, and the number of the
    /// former's may be somebody else's by now: so they are looked for one by one.
    fn signal_groups(&self, index: usize, signal: Signal) {
        let Some(slot) = self.slots.get(index) else { return };
        let table = ProcessTable::read(&self.fosters());
        let main = table.row(slot.main().pid).map(|row| row.group);
        let groups: BTreeSet<u32> = main.into_iter().chain([slot.first.pid]).collect();
        for row in table.leftovers(&self.trace(index, &table), Leader::Included) {
            if let Some(process) =
                Process::open(row.pid, row.start_time).filter(|_| groups.contains(&row.group))
            {
                process.signal(signal);
            }
        }
    }

    /// Until nothing is found that goes on. What a process made that got the signal is among its children, if not at once: it may
    /// have been making it. What is missed all the same was made by one that ended after it was listed, and has fallen to a
    /// foster, or what it made has. Those have few children, and so it is looked at these until none ends meanwhile.
    fn stop_all(&self, index: usize, signal: Signal) {
        let Some(slot) = self.slots.get(index) else { return };
        let known = [slot.first.pid, slot.main().pid];
        let fosters = self.fosters();
        let mut stopped = BTreeSet::new();
        let mut ended = BTreeSet::new();
        let mut is_whole = true;
        let mut quiet = 0;
        for _ in 0..STOP_ROUNDS {
            let table = if is_whole {
                ProcessTable::read(&fosters)
            } else {
                ProcessTable::read_children(&known, &fosters)
            };
            let look = self.signal_family(index, signal, &table, &mut stopped);
            let is_still = !look.missed && look.ended.is_subset(&ended);
            quiet = if look.is_new { 0 } else { quiet + 1 };
            if is_whole && quiet > 1 {
                return;
            }
            // All processes are looked at first, and once more when nothing seems to be left.
            is_whole = !is_whole && !look.is_new && (is_still || quiet >= QUIET_ROUNDS);
            ended = look.ended;
        }
    }

    /// Sends a signal to everything of a run, and to what that made, as far as it did not get it.
    fn signal_family(
        &self,
        index: usize,
        signal: Signal,
        table: &ProcessTable,
        told: &mut BTreeSet<ProcessId>,
    ) -> Look {
        let zombies = table.rows().iter().filter(|row| row.is_zombie());
        let ended = zombies.map(id_of).collect();
        let mut next = table.leftovers(&self.trace(index, table), Leader::Included);
        // The main process first: it is not to see the others end, and end of itself before it is hit.
        let main = self.slots.get(index).map(Slot::main);
        next.sort_by_key(|row| Some(id_of(row)) == main);
        let mut look = Look { is_new: false, missed: table.has_missed(), ended };
        told.iter().for_each(|id| look.add_children(*id, &mut next));
        while let Some(row) = next.pop() {
            if row.is_zombie() {
                look.ended.insert(id_of(&row));
            } else if told.insert(id_of(&row)) {
                look.is_new = true;
                if let Some(process) = Process::open(row.pid, row.start_time) {
                    process.signal(signal);
                }
                look.add_children(id_of(&row), &mut next);
            }
        }
        look
    }

    /// How what belongs to a run can be told, among these processes.
    pub(super) fn trace(&self, index: usize, table: &ProcessTable) -> RunTrace {
        let Some(slot) = self.slots.get(index) else { return RunTrace::default() };
        let others = self.of_others(index, table);
        RunTrace { others, ..slot.trace() }
    }

    /// Processes of other slots' runs: their main processes, and their sessions. A service and its hooks have the same marks.
    fn of_others(&self, index: usize, table: &ProcessTable) -> BTreeSet<u32> {
        let others = self.slots.iter().filter(|(other, slot)| *other != index && has_processes(slot));
        let known: BTreeMap<u32, u64> = others
            .flat_map(|(_, slot)| [slot.first, slot.main()])
            .map(|id| (id.pid, id.start_time))
            .collect();
        let is_there = |pid: u32| {
            let start_time = known.get(&pid);
            start_time.is_some() && table.row(pid).map(|row| row.start_time).as_ref() == start_time
        };
        let is_other = |pid: u32, session: u32| is_there(pid) || is_there(session);
        let rows = table.rows().iter().filter(|row| is_other(row.pid, row.session));
        rows.map(|row| row.pid).collect()
    }
}

/// What was found when processes were looked at.
struct Look {
    /// Something that had not been found before.
    is_new: bool,
    /// Something could not be looked at.
    missed: bool,
    /// Those that ended.
    ended: BTreeSet<ProcessId>,
}

impl Look {
    /// Adds the children of a process, unless another has its number by now.
    fn add_children(&mut self, id: ProcessId, rows: &mut Vec<ProcessRow>) {
        for child in children_of(id.pid) {
            match read_stat(child) {
                Some(row) => rows.push(row),
                None => self.missed = true,
            }
        }
        if read_stat(id.pid).is_none_or(|row| id_of(&row) != id) {
            rows.retain(|row| row.parent != id.pid);
        }
    }
}

fn id_of(row: &ProcessRow) -> ProcessId {
    ProcessId { pid: row.pid, start_time: row.start_time }
}

fn has_processes(slot: &Slot) -> bool {
    matches!(slot.state, State::Live(_) | State::Ending(_))
}
