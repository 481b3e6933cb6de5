//! The pipes of a slot's output: one, or two when standard error is kept apart. Each has a name, under which there is a FIFO,
//! which the anchor holds, and a stream of the pump: the slot's own, and beside it that of its errors. What comes through them
//! is the pump's.

use std::{
    fs,
    os::fd::{AsFd, OwnedFd},
};

use mainstay_host::{bytes_waiting, give_to, is_no_room, open_fifo, reopen_for_reading};
use mainstay_wire::{LogFile, errors_of, owner_of_errors};

use super::{
    Supervisor,
    begin::{Order, Refusal},
    slots::Slot,
};
use crate::{PLACE_HELP, ROOM_HELP, pump::Begins, report::say};

/// The name under which the anchor holds a FIFO.
pub(super) fn fifo_name(name: &str) -> String {
    format!("fifo:{name}")
}

/// The pipes of a slot, by name, with where what comes through them goes.
fn pipes<'a>(slot: &str, log: &'a LogFile) -> impl Iterator<Item = (String, LogFile)> + use<'a> {
    let errors = log.errors().map(|errors| (errors_of(slot), errors));
    std::iter::once((slot.to_owned(), log.clone())).chain(errors)
}

impl Supervisor {
    /// The pipes of this run.
    pub(super) fn open_pipes(&mut self, order: &Order) -> Result<(OwnedFd, Option<OwnedFd>), Refusal> {
        let output = self.open_pipe(&order.slot, &order.log, order)?;
        let errors = order.log.errors().map(|log| self.open_pipe(&errors_of(&order.slot), &log, order));
        match errors.transpose() {
            Ok(errors) => Ok((output, errors)),
            Err(refusal) => {
                self.pump.drain(&order.slot, order.run);
                Err(refusal)
            }
        }
    }

    /// A FIFO: to the anchor and to the pump, before there is a process that could write to it.
    fn open_pipe(&mut self, name: &str, log: &LogFile, order: &Order) -> Result<OwnedFd, Refusal> {
        let path = self.options.fifo(name);
        let failed = |error: std::io::Error| {
            let help = if is_no_room(&error) { ROOM_HELP } else { PLACE_HELP };
            let text = format!("cannot make a FIFO at `{}`: {error}; {help}", path.display());
            Refusal::of(&error, text)
        };
        let pipe = open_fifo(&path).map_err(failed)?;
        if let Some(identity) = &order.program.identity {
            give_to(&pipe, identity.uid, identity.gid).map_err(failed)?;
        }
        let reading = reopen_for_reading(&pipe).map_err(failed)?;
        self.hold(fifo_name(name), &pipe);
        self.pump.know(name, log);
        self.pump.attach(name, order.run, Begins::Now, reading);
        Ok(pipe)
    }

    /// The pipes of a run that goes on, or that ended with something in them: from the anchor, else by their path.
    pub(super) fn reattach(&mut self, index: usize) {
        let Some(slot) = self.slots.get(index) else { return };
        let run = slot.record.run;
        let names: Vec<String> = pipes(&slot.record.slot, &slot.record.log).map(|(name, _)| name).collect();
        names.iter().for_each(|name| self.reattach_pipe(name, run));
    }

    fn reattach_pipe(&mut self, name: &str, run: u64) {
        let held = self.held.remove(&fifo_name(name));
        let is_new = held.is_none();
        let opened = match held {
            Some(pipe) => Ok(pipe),
            None => open_fifo(&self.options.fifo(name)),
        };
        let attached = opened.and_then(|pipe| Ok((reopen_for_reading(pipe.as_fd())?, pipe)));
        match attached {
            Ok((reading, pipe)) => {
                if is_new {
                    self.hold(fifo_name(name), &pipe);
                }
                self.pump.attach(name, run, Begins::Before, reading);
            }
            Err(error) => say(format_args!("the output of `{name}` cannot be read any more: {error}")),
        }
    }

    /// The pipes of every run, each under its name.
    pub(super) fn output_descriptors(&self) -> Vec<(String, OwnedFd)> {
        let active = self.slots.iter().filter(|(_, slot)| slot.is_active());
        let names = active.flat_map(|(_, slot)| pipes(&slot.record.slot, &slot.record.log));
        let mut all = Vec::new();
        for (name, _) in names {
            match open_fifo(&self.options.fifo(&name)) {
                Ok(pipe) => all.push((fifo_name(&name), pipe)),
                Err(error) => say(format_args!("the output of `{name}` is held by itself only: {error}")),
            }
        }
        all
    }

    /// Where the output of a slot goes.
    pub(super) fn know_output(&self, slot: &str, log: &LogFile) {
        pipes(slot, log).for_each(|(name, log)| self.pump.know(&name, &log));
    }

    /// Lets the pipes of a run go that never began. It wrote nothing; but what a run before it wrote may still be there, when
    /// the log took nothing.
    pub(super) fn drain_pipes(&self, slot: &str, log: &LogFile, run: u64) {
        pipes(slot, log).for_each(|(name, _)| self.pump.drain(&name, run));
    }

    /// A pipe of a run that is over: its log took nothing when it ended, and the keeper before us died before it did.
    pub(super) fn empty_left_pipe(&self, name: &str, pipe: &OwnedFd) {
        let owner = owner_of_errors(name).unwrap_or(name);
        let Some(slot) = self.slots.find(owner).and_then(|index| self.slots.get(index)) else { return };
        let reading = match reopen_for_reading(pipe.as_fd()) {
            Ok(reading) if bytes_waiting(&reading) > 0 => reading,
            Ok(_) => return,
            Err(error) => {
                return say(format_args!("the output of `{name}` cannot be read any more: {error}"));
            }
        };
        self.pump.attach(name, slot.record.run, Begins::Before, reading);
        self.pump.drain(name, slot.record.run);
    }

    /// Has the rest of a run's output written. The slot's own comes last: what is said of it then holds for both.
    pub(super) fn drain_output(&self, slot: &Slot) {
        let (name, run) = (&slot.record.slot, slot.record.run);
        if slot.record.log.split {
            self.pump.drain(&errors_of(name), run);
        }
        self.pump.drain(name, run);
    }

    /// The slot is no more; an earlier run of it may have had its errors kept apart.
    pub(super) fn forget_output(&mut self, slot: &str) {
        for name in [slot.to_owned(), errors_of(slot)] {
            self.pump.forget(&name);
            let _ = fs::remove_file(self.options.fifo(&name));
            self.release(fifo_name(&name));
        }
    }
}
