//! The modelled keeper without its anchor, which becomes one (`keeper/src/supervisor/alone.rs`, with the real bytes of what an
//! anchor is handed).

use mainstay_keeper::decisions::arrived;
use mainstay_wire::{ANCHOR_STATE_VERSION, AnchorState, KeptFile, KeptOrphan, UpgradeView, WireExit};

use crate::{
    Breach,
    breach::{Checked, Invariant, breach},
    machine::{
        Fault, SLOTS, SlotNo, ToAnchor, Way, World,
        anchor::Anchor,
        keeper::{Keeper, Op, Parent, Phase, Slot},
        kernel::Role,
        pump::Step,
    },
};

/// A keeper that lost its anchor waits at most so long until it may become one.
const SETTLED: u64 = 1_000_000;

/// And so much longer for processes that are being made.
const MAKING: u64 = 3_000_000;

impl World {
    pub(crate) fn tell_anchor(&mut self, message: ToAnchor) {
        if self.keeper.as_ref().is_some_and(|keeper| keeper.has_anchor)
            && let Some(anchor) = &mut self.anchor
        {
            anchor.inbox.push_back(message);
        }
    }

    pub(crate) fn hold_process(&mut self, slot: SlotNo) {
        let Some(keeper) = &mut self.keeper else { return };
        let Some(start) = keeper.slots[slot].as_ref().map(|known| known.first.start_time) else { return };
        if keeper.has_anchor {
            self.tell_anchor(ToAnchor::HoldProcess(slot, start));
        } else {
            keeper.processes[slot] = Some(start);
        }
    }

    pub(crate) fn release_process(&mut self, slot: SlotNo) {
        if let Some(keeper) = &mut self.keeper {
            keeper.processes[slot] = None;
        }
        self.tell_anchor(ToAnchor::ReleaseProcess(slot));
    }

    /// Children of the dead anchor are nobody's from now on.
    pub(crate) fn go_on_alone(&mut self) {
        let from = self.now + self.dice.roll() % SETTLED;
        let Some(keeper) = &mut self.keeper else { return };
        keeper.has_anchor = false;
        keeper.alone = Some((from, from + MAKING));
        self.sights.alone += 1;
        let mut silent = Vec::new();
        for (number, slot) in keeper.slots.iter_mut().enumerate() {
            if let Some(Slot { phase: Phase::Live { parent, is_silent }, .. }) = slot
                && *parent == Parent::Anchor
            {
                *parent = Parent::Elsewhere;
                silent.extend(is_silent.then_some(number));
            }
        }
        silent.into_iter().for_each(|slot| self.process_ended(slot));
    }

    /// `take_anchors_place`: not while a process is being made, but not for ever.
    pub(crate) fn alone_event(&mut self) -> bool {
        let stays = self.fault == Some(Fault::NobodyTakesThePlace);
        let Some(keeper) = self.keeper.as_mut().filter(|keeper| !keeper.has_anchor) else { return false };
        let Some((from, overdue)) = keeper.alone else { return false };
        if stays {
            keeper.alone = None;
        }
        if stays || self.now < from || self.now < overdue && !keeper.jobs.is_empty() {
            return false;
        }
        keeper.alone = None;
        keeper.todo.extend([Op::Rest, Op::BecomeAnchor]);
        true
    }

    /// `Pump::rest`: all orders before it, and the batch that is under way.
    pub(crate) fn rest(&mut self) -> Result<bool, Breach> {
        let Some(pump) = self.keeper.as_ref().map(|keeper| &keeper.pump) else { return Ok(false) };
        if pump.step == Step::Idle && pump.orders.is_empty() && pump.draining.is_none() {
            return Ok(true);
        }
        self.not_yet(Op::Rest)
    }

    /// `execve` as an anchor: memory, threads and the line to the daemon are gone; children stay.
    pub(crate) fn become_anchor(&mut self) -> Checked {
        let Some(mut keeper) = self.keeper.take() else { return Ok(()) };
        self.note(|| "the keeper becomes an anchor".to_owned());
        self.sights.became += 1;
        let fault = self.fault;
        self.end_line_to_daemon();
        for slot in 0..SLOTS {
            let Some(known) = &keeper.slots[slot] else { continue };
            let is_nobodys = matches!(known.phase, Phase::Live { parent, .. } if parent != Parent::Keeper);
            let (start, reports) = (known.first.start_time, known.reports);
            if is_nobodys {
                keeper.processes[slot] = Some(start);
            }
            if reports {
                keeper.hold(Way::Mail, slot);
            }
        }
        for slot in (0..SLOTS).filter(|_| fault != Some(Fault::PipesNotHandedOn)) {
            if keeper.pump.attached[slot] {
                keeper.hold(Way::Fifo, slot);
            }
        }
        if fault == Some(Fault::ProcessesNotHandedOn) {
            keeper.processes = [None; SLOTS];
        }
        let ends = if fault == Some(Fault::EndsNotHandedOn) { Vec::new() } else { ends_to_record(&keeper) };
        let anchor = Anchor { version: keeper.version, due: self.now, ..Anchor::new(keeper.pid) };
        let anchor = Anchor { held: keeper.held, processes: keeper.processes, ..anchor };
        self.anchor = Some(self.through_bytes(anchor, ends, None)?);
        if let Some(process) = self.kernel.find_mut(keeper.pid) {
            process.role = Role::Anchor;
        }
        self.settle_pipes()
    }

    /// What an anchor has, as the next program in its process reads it.
    pub(crate) fn through_bytes(
        &self,
        mut anchor: Anchor,
        orphans: Vec<KeptOrphan>,
        upgrade: Option<UpgradeView>,
    ) -> Result<Anchor, Breach> {
        let failed = |why: String| breach(Invariant::StateReadable, why);
        let state = AnchorState {
            version: ANCHOR_STATE_VERSION,
            locks: Vec::new(),
            keeper_locks: Vec::new(),
            keeper: None,
            held: names(&anchor),
            orphans,
            fosters: Vec::new(),
            answered: true,
            terminating: false,
            upgrade,
        };
        let state = AnchorState::decode(&state.encode().map_err(failed)?).map_err(failed)?;
        (anchor.held, anchor.processes) = ([0; 2], [None; SLOTS]);
        for KeptFile { name, .. } in &state.held {
            let mut parts = name.split([':', '.']);
            let kind = parts.next().unwrap_or_default();
            let mut number = || parts.next().and_then(|part| part.parse::<u64>().ok()).unwrap_or(0);
            let (slot, start) = (usize::try_from(number()).unwrap_or(0), number());
            match kind {
                "fifo" => anchor.held[Way::Fifo as usize] |= 1 << slot,
                "notify" => anchor.held[Way::Mail as usize] |= 1 << slot,
                _ => anchor.processes[slot] = Some(start),
            }
        }
        anchor.orphans = state.orphans.into_iter().collect();
        anchor.upgraded = state.upgrade.map(arrived);
        Ok(anchor)
    }

    fn end_line_to_daemon(&mut self) {
        if let Some(daemon) = &mut self.daemon {
            daemon.keeper = 0;
        }
    }
}

fn names(anchor: &Anchor) -> Vec<KeptFile> {
    let mut names = Vec::new();
    for slot in 0..SLOTS {
        let fifo = anchor.holds(Way::Fifo, slot).then(|| format!("fifo:{slot}"));
        let mail = anchor.holds(Way::Mail, slot).then(|| format!("notify:{slot}"));
        let process = anchor.processes[slot].map(|start| format!("process:{slot}.{start}"));
        names.extend([fifo, mail, process].into_iter().flatten());
    }
    names.into_iter().map(|name| KeptFile { name, descriptor: 0 }).collect()
}

/// What the dead anchor told, and what nobody else tells of any more.
fn ends_to_record(keeper: &Keeper) -> Vec<KeptOrphan> {
    let told = keeper.orphans.iter().map(|(&(pid, start_time), &exit)| KeptOrphan { pid, start_time, exit });
    let ending = keeper.slots.iter().flatten().filter_map(|known| match known.phase {
        Phase::Ending { exit, .. } if exit != WireExit::Unknown => {
            Some(KeptOrphan { pid: known.first.pid, start_time: known.first.start_time, exit })
        }
        _ => None,
    });
    told.chain(ending).collect()
}
