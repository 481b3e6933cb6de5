//! The run-time folder was taken away by a cleaner of temporary files, while everything runs: what the next run needs is
//! made again. The socket is not: nobody can connect until the project was stopped and started.

use mainstay_host::{private_dir, sheltered_dir};
use mainstay_wire::ChildPart;

use super::{
    Supervisor,
    slots::{Slot, State},
};
use crate::{
    PLACE_HELP,
    report::{chain, say},
};

impl Supervisor {
    /// Makes the folders that a run needs, when they are gone, and writes into them what the next keeper must know.
    pub(super) fn restore_folders(&mut self) -> Result<(), String> {
        let options = &self.options;
        let run_dir = &options.run_dir;
        let folders = [options.fifo_dir(), options.slots_dir()];
        if folders.iter().chain([run_dir]).all(|folder| folder.is_dir()) {
            return Ok(());
        }
        // Between the cleaner and us somebody else may have taken the name.
        let made =
            sheltered_dir(run_dir).and_then(|()| folders.iter().try_for_each(|folder| private_dir(folder)));
        made.map_err(|error| format!("{}; {PLACE_HELP}", chain(&error)))?;
        say(format_args!(
            "`{}` was removed; it is made again, without its socket",
            options.run_dir.display()
        ));
        self.slots.iter_mut().for_each(restore);
        self.restore_sockets();
        Ok(())
    }
}

fn restore(slot: &mut Slot) {
    let run = slot.record.run;
    let of = |pid, start_time| ChildPart { run, pid, start_time, ..ChildPart::default() };
    let child = match &slot.state {
        State::Live(_) | State::Ending(_) => of(slot.first.pid, slot.first.start_time),
        State::Over => ChildPart::default(),
        // Its process writes of itself into the file that is gone; what it said there cannot be said for it.
        State::Locked { .. } | State::Making { .. } => return,
    };
    slot.store.restore(&slot.record, child);
}
