//! What the daemon asks for.

use std::fs;

use mainstay_host::{Leader, Process, ProcessTable};
use mainstay_model::Signal;
use mainstay_wire::{FromKeeper, KEEPER_PROTOCOL, LogFile, Scope, ToAnchor, ToKeeper};

use super::{Supervisor, begin::Order, slots::State};
use crate::{pump::Of, report::say};

/// Signals kept for a process that is still being made.
const SIGNAL_LIMIT: usize = 16;

impl Supervisor {
    pub(super) fn request(&mut self, request: ToKeeper) {
        match request {
            ToKeeper::Hello { protocol } => self.hello(protocol),
            ToKeeper::Spawn { slot, run, program, log, memo } => {
                self.spawn_service(Order { slot, run, program, log, memo, pass: Vec::new() });
            }
            ToKeeper::Signal { slot, run, signal, scope } => {
                if let Some(index) = self.find(&slot, run) {
                    self.signal(index, signal, scope);
                }
            }
            ToKeeper::Acknowledge { slot, run, memo } => self.acknowledge(&slot, run, memo),
            ToKeeper::Forget { slot } => self.forget(&slot),
            ToKeeper::Relog { slot, log } => self.relog(&slot, log),
            ToKeeper::LogCounts => self.pump.count(Of::All),
            ToKeeper::Up => self.daemon_is_up(),
            ToKeeper::Trouble { text } => self.daemon_in_trouble(text),
            ToKeeper::Finish => self.finish(),
        }
    }

    fn find(&self, name: &str, run: u64) -> Option<usize> {
        let index = self.slots.find(name)?;
        self.slots.get(index).is_some_and(|slot| slot.record.run == run).then_some(index)
    }

    fn hello(&mut self, protocol: u32) {
        if protocol != KEEPER_PROTOCOL {
            say(format_args!("the daemon speaks protocol {protocol}, this keeper {KEEPER_PROTOCOL}"));
        }
        self.daemon.has_said_hello();
        let slots = self.slots.services().map(|(_, slot)| slot.view()).collect();
        let daemon_starts = self.daemon_starts();
        self.daemon.send(&FromKeeper::Snapshot {
            protocol: KEEPER_PROTOCOL,
            slots,
            anchor: self.anchor.is_some(),
            daemon_starts,
        });
        // Which logs are in trouble; this daemon was not there to hear it.
        self.pump.count(Of::Troubled);
        if self.terminating {
            self.daemon.send(&FromKeeper::Terminate);
        }
    }

    /// Sends a signal to a run.
    pub(super) fn signal(&mut self, index: usize, number: i32, scope: Scope) {
        let Some(signal) = Signal::from_number(number) else { return };
        let fosters = self.fosters();
        let Some(slot) = self.slots.get_mut(index) else { return };
        match &mut slot.state {
            State::Making { signals } if signals.len() < SIGNAL_LIMIT => signals.push((number, scope)),
            State::Live(live) => match scope {
                Scope::Group => live.process.signal_group(signal),
                Scope::Everything => {
                    let (pid, start_time) = (live.process.pid, live.process.start_time);
                    let trace = slot.trace(pid, start_time);
                    for row in ProcessTable::read(&fosters).leftovers(&trace, Leader::Included) {
                        if let Some(process) = Process::open(row.pid, row.start_time) {
                            process.signal(signal);
                        }
                    }
                }
            },
            State::Making { .. } | State::Locked | State::Ending(_) | State::Over => {}
        }
    }

    fn acknowledge(&mut self, name: &str, run: u64, memo: String) {
        let Some(slot) = self.find(name, run).and_then(|index| self.slots.get_mut(index)) else { return };
        if slot.is_active() {
            return;
        }
        slot.record.acknowledged = true;
        slot.record.memo = memo;
        slot.store.write(&slot.record);
    }

    fn forget(&mut self, name: &str) {
        let Some(index) = self.slots.find(name) else { return };
        if self.slots.get(index).is_none_or(super::slots::Slot::is_active) {
            return;
        }
        let Some(slot) = self.slots.remove(index) else { return };
        self.pump.forget(name);
        slot.store.remove();
        let _ = fs::remove_file(self.options.fifo(name));
        let held = format!("fifo:{name}");
        self.held.remove(&held);
        self.tell_anchor(&ToAnchor::Release { name: held });
    }

    fn relog(&mut self, name: &str, log: LogFile) {
        let Some(slot) = self.slots.find(name).and_then(|index| self.slots.get_mut(index)) else { return };
        slot.record.log = log;
        slot.store.write(&slot.record);
        self.pump.know(name, &slot.record.log);
    }
}
