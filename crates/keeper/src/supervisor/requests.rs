//! What the daemon asks for.

use mainstay_wire::{
    FromKeeper, KEEPER_PROTOCOL, LOGS_IN_FRAME, LogFile, RecordPhase, SLOTS_IN_FRAME, SlotRecord, ToKeeper,
    WireExit,
};

use super::{
    Supervisor,
    begin::Order,
    slots::{Slot, State},
    store::Store,
};
use crate::{
    pump::{Counted, Of},
    report::say,
};

/// What it says of a run that it is to be remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Means {
    /// Its end was taken in.
    Over,
    /// Nothing.
    Nothing,
}

impl Supervisor {
    pub(super) fn request(&mut self, request: ToKeeper) {
        match request {
            ToKeeper::Hello { protocol } => self.hello(protocol),
            ToKeeper::Spawn { slot, run, program, log, memo, reports } => {
                self.spawn_service(Order { slot, run, program, log, memo, reports, pass: Vec::new() });
            }
            ToKeeper::Signal { slot, run, signal, scope } => {
                if let Some(index) = self.find(&slot, run) {
                    self.signal(index, signal, scope);
                }
            }
            ToKeeper::Acknowledge { slot, run, memo } => {
                if let Err(text) = self.acknowledge(&slot, run, memo, Means::Over) {
                    say(text);
                }
            }
            ToKeeper::Remember { slot, run, memo } => {
                if let Err(text) = self.acknowledge(&slot, run, memo, Means::Nothing) {
                    say(text);
                }
            }
            ToKeeper::Forget { slot } => self.forget(&slot),
            ToKeeper::Relog { slot, log } => self.relog(&slot, log),
            ToKeeper::LogCounts => self.pump.count(Of::All),
            ToKeeper::Up => self.daemon_is_up(),
            ToKeeper::Trouble { text } => self.daemon_in_trouble(text),
            ToKeeper::Finish => self.finish(),
            ToKeeper::Upgrade { program } => self.upgrade(program),
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
        let mut slots: Vec<_> = self.slots.services().map(|(_, slot)| slot.view()).collect();
        while slots.len() > SLOTS_IN_FRAME {
            let slots = slots.drain(..SLOTS_IN_FRAME).collect();
            self.daemon.send(&FromKeeper::Slots { slots });
        }
        let daemon_starts = self.daemon_starts();
        self.daemon.send(&FromKeeper::Snapshot {
            protocol: KEEPER_PROTOCOL,
            slots,
            anchor: self.anchor.is_some(),
            daemon_starts,
            upgrade: self.upgraded.clone(),
        });
        self.notices_were_heard();
        self.tell_news();
        // Which logs are in trouble; this daemon was not there to hear it.
        self.pump.count(Of::Troubled);
        if self.terminating {
            self.daemon.send(&FromKeeper::Terminate);
        }
    }

    /// Tells the daemon what became of output.
    pub(super) fn tell_counts(&mut self, counted: Counted) {
        in_parts(counted).iter().for_each(|part| self.daemon.send(part));
    }

    fn acknowledge(&mut self, name: &str, run: u64, memo: String, means: Means) -> Result<(), String> {
        let Some(index) = self.slots.find(name) else { return self.remember_without_run(name, memo) };
        let Some(slot) = self.slots.get_mut(index).filter(|slot| run >= slot.record.run) else {
            return Ok(());
        };
        let is_over = means == Means::Over && run == slot.record.run && !slot.is_active();
        slot.record.acknowledged |= is_over;
        slot.record.memo = memo;
        slot.store.write(&slot.record);
        Ok(())
    }

    /// A slot in which nothing ever ran, since something before its first run failed.
    fn remember_without_run(&mut self, name: &str, memo: String) -> Result<(), String> {
        Self::check_name(name)?;
        let record = SlotRecord {
            slot: name.to_owned(),
            run: 0,
            boot_id: self.boot_id.clone(),
            pid_namespace: self.pid_namespace,
            phase: RecordPhase::Ended { exit: WireExit::Unknown },
            acknowledged: true,
            log: LogFile::default(),
            memo,
            marks: Vec::new(),
            notify: None,
            ready_pipe: false,
            said: Vec::new(),
            main: None,
        };
        let mut store = Store::new(self.options.slot(name));
        store.write(&record);
        self.slots.add(Slot::new(store, record, State::Over));
        Ok(())
    }

    fn forget(&mut self, name: &str) {
        let Some(index) = self.slots.find(name) else { return };
        if self.slots.get(index).is_none_or(Slot::is_active) {
            return;
        }
        let Some(slot) = self.slots.remove(index) else { return };
        self.forget_output(name);
        slot.store.remove();
    }

    fn relog(&mut self, name: &str, log: LogFile) {
        let Some(slot) = self.slots.find(name).and_then(|index| self.slots.get_mut(index)) else { return };
        // A run has the pipes with which it was made.
        let split = if slot.is_active() { slot.record.log.split } else { log.split };
        slot.record.log = LogFile { split, ..log };
        slot.store.write(&slot.record);
        let log = slot.record.log.clone();
        self.know_output(name, &log);
    }
}

/// What became of output, as messages of which each fits into a frame.
fn in_parts(Counted { mut counts, is_complete }: Counted) -> Vec<FromKeeper> {
    let mut parts = Vec::new();
    while let Some((first_of_rest, _)) = counts.iter().nth(LOGS_IN_FRAME) {
        let rest = counts.split_off(&first_of_rest.clone());
        let counts = std::mem::replace(&mut counts, rest);
        parts.push(FromKeeper::Logs { counts, complete: false });
    }
    parts.push(FromKeeper::Logs { counts, complete: is_complete });
    parts
}

#[cfg(test)]
mod tests {
    use mainstay_wire::{FRAME_LIMIT, LogCounts, LogTrouble, frame};

    use super::*;

    #[test]
    fn counts_of_many_logs_come_in_parts() {
        // The longest path, twice.
        let trouble = Some(LogTrouble { since_ms: u64::MAX, text: "x".repeat(5000) });
        let counts = LogCounts { trouble: trouble.clone(), interference: trouble, ..LogCounts::default() };
        let all = (0..LOGS_IN_FRAME + 1).map(|number| (format!("{number:0200}"), counts.clone())).collect();
        let parts = in_parts(Counted { counts: all, is_complete: true });
        let sizes = parts.iter().map(|part| match part {
            FromKeeper::Logs { counts, complete } => (counts.len(), *complete),
            other => panic!("{other:?}"),
        });
        assert_eq!(sizes.collect::<Vec<_>>(), [(LOGS_IN_FRAME, false), (1, true)]);
        assert!(parts.iter().all(|part| frame(part).unwrap().len() < FRAME_LIMIT));
        assert_eq!(in_parts(Counted::default()).len(), 1);
    }
}
