//! Which process a run stands and falls with: the one that was made, until it names another one of its family
//! (`sd_notify(3)`, MAINPID). What becomes of a run when that ends is not decided here.
//!
//! The process named has any parent: the one that was made, while that lives; then the anchor, to which orphans fall. So it is
//! asked only at its end who learns how it ended. The one that was made is let go as soon as it ends, unless it is an earlier
//! keeper's child and thus the anchor's to let go.
//!
//! Not known is how a process ended whose parent is another one of the run, before Linux 6.15; nor of one that had ended already
//! when it was first heard that it is the main process: then the run ends as the process that was made did.

use std::time::Duration;

use mainstay_host::{Interest, Leader, Process, ProcessTable, read_stat};
use mainstay_wire::ProcessId;

use super::{
    Supervisor, Token,
    slots::{Parent, State},
};
use crate::report::say;

impl Supervisor {
    /// A run names its main process; whether it belongs to the run.
    pub(super) fn name_main(&mut self, index: usize, pid: u32) -> bool {
        let Some(slot) = self.slots.get(index) else { return false };
        if !matches!(slot.state, State::Live(_) | State::Locked { .. }) {
            return false;
        }
        if slot.main().pid == pid {
            return true;
        }
        let Some(named) = self.member(index, pid) else {
            self.refuse_main(index, pid);
            return false;
        };
        if matches!(slot.state, State::Live(_)) {
            return self.follow(index, named);
        }
        // What it stands with is looked at when everything that it said is known.
        self.note_main(index, named);
        true
    }

    /// Says so, once for a run.
    fn refuse_main(&mut self, index: usize, pid: u32) {
        let Some(slot) = self.slots.get_mut(index) else { return };
        let Some(reports) = &mut slot.reports else { return };
        if !std::mem::replace(&mut reports.has_named_stranger, true) {
            let name = &slot.record.slot;
            say(format_args!(
                "`{name}` names process {pid} as its main process, which does not belong to it"
            ));
        }
    }

    /// A living process of this number that belongs to the run.
    fn member(&self, index: usize, pid: u32) -> Option<ProcessId> {
        let slot = self.slots.get(index)?;
        let known = [slot.first.pid, slot.main().pid];
        let table = ProcessTable::read_ancestors(pid, &known, &self.fosters());
        let family = table.leftovers(&self.trace(index, &table), Leader::Included);
        let row = family.iter().find(|row| row.pid == pid && !row.is_zombie())?;
        Some(ProcessId { pid, start_time: row.start_time })
    }

    fn note_main(&mut self, index: usize, named: ProcessId) {
        let Some(slot) = self.slots.get_mut(index) else { return };
        slot.record.main = Some(named).filter(|named| *named != slot.first);
        slot.store.write(&slot.record);
    }

    /// From now on the run stands and falls with this process.
    fn follow(&mut self, index: usize, named: ProcessId) -> bool {
        let Some(process) = Process::open(named.pid, named.start_time) else { return false };
        self.note_main(index, named);
        let Some(slot) = self.slots.get_mut(index) else { return false };
        let first = slot.first;
        let State::Live(live) = &mut slot.state else { return false };
        self.poller.remove(&live.process);
        let before = std::mem::replace(&mut live.process, process);
        let mut watched = Ok(());
        if live.parent == Parent::Keeper {
            watched = self.poller.add(&before, Token::First(index).number(), Interest::Read);
            live.first = Some(before);
        }
        live.parent = Parent::Unsettled;
        live.is_silent = false;
        if let Some(first) = live.first.take_if(|_| named == first) {
            self.poller.remove(&first);
            live.process = first;
            live.parent = Parent::Keeper;
        }
        let token = Token::Leader(index).number();
        if let Err(error) = watched.and(self.poller.add(&live.process, token, Interest::Read)) {
            say(format_args!("cannot watch process {}: {error}", named.pid));
        }
        true
    }

    /// The process that was made ended, while the main process is another one.
    pub(super) fn first_event(&mut self, index: usize) {
        let Some(State::Live(live)) = self.slots.get_mut(index).map(|slot| &mut slot.state) else { return };
        let is_over = live.first.as_ref().is_some_and(|first| matches!(first.peek(), Ok(Some(_)) | Err(_)));
        if !is_over {
            return;
        }
        if let Some(first) = live.first.take() {
            self.poller.remove(&first);
            first.reap();
        }
    }

    /// A main process that was named has ended: whose child it is is what it is now.
    pub(super) fn settle_parent(&mut self, index: usize) {
        // What the anchor has to say of one that it let go is here by now.
        self.anchor_event();
        let Some(State::Live(live)) = self.slots.get(index).map(|slot| &slot.state) else { return };
        // The event may have been that of the process before.
        if !live.process.wait_gone(Duration::ZERO) {
            return;
        }
        let (pid, start_time) = (live.process.pid, live.process.start_time);
        if let Some(exit) = self.orphans.get(&(pid, start_time)).copied() {
            return self.begin_ending(index, exit);
        }
        let row = read_stat(pid).filter(|row| row.start_time == start_time);
        let parent = row.map_or(Parent::Elsewhere, |row| self.parent_of(row));
        if let Some(State::Live(live)) = self.slots.get_mut(index).map(|slot| &mut slot.state) {
            live.parent = parent;
        }
        self.process_ended(index);
    }
}
