//! What is really so, written down as it happens and by nobody who can die: each end, word and wish. What the modelled processes
//! tell each other is held against it.

use std::collections::BTreeSet;

use mainstay_decide::Project;
use mainstay_model::{Condition, PhaseName, ServiceId};
use mainstay_wire::WireExit;

use crate::{
    breach::{Checked, Invariant, hold},
    machine::{
        SLOTS, Sights, SlotNo, Templates,
        anchor::exit_text,
        daemon::{Request, slot_of},
        kernel::{INIT, Kernel, Role},
    },
};

/// One run whose program was executed.
#[derive(Clone, Copy, Debug)]
struct Run {
    run: u64,
    exit: Option<WireExit>,
    /// Nobody asked it to end.
    by_itself: bool,
    /// A daemon has heard how it ended.
    told: bool,
    ready: bool,
    /// Anchor and keeper were dead together in its time.
    excused: bool,
}

/// The truth of one slot.
#[derive(Clone, Copy, Debug, Default)]
struct Slot {
    latest: Option<Run>,
    /// The latest of an earlier boot, in which a record of it may be left.
    former: Option<Run>,
    /// The latest run that could not be executed, and whether that was the program's fault.
    not_executed: Option<(u64, bool)>,
    promised: bool,
    asked: Option<bool>,
    on_disk: bool,
    /// Somebody asked for another run after this one; for the end of this one.
    start_after: u64,
    end_of: u64,
    /// Nobody but its processes holds its pipe: anchor and keeper were dead together.
    unheld: bool,
    /// Up to here of its stream may be missing.
    lost_until: u64,
}

/// All of it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Truth {
    slots: [Slot; SLOTS],
    boots: u32,
}

impl Truth {
    /// A program was executed.
    pub(crate) fn executed(
        &mut self,
        slot: SlotNo,
        run: u64,
        kernel: &Kernel,
        templates: &Templates,
    ) -> Checked {
        let live = kernel.live_of(slot).count();
        hold(live == 1, Invariant::OneLiveRun, || format!("slot {slot} has {live} live processes"))?;
        // Whoever made it and whoever it fell to died while it was being made.
        let is_orphaned = kernel.live_of(slot).any(|process| process.parent == INIT);
        let known = &mut self.slots[slot];
        if let Some(before) = known.latest {
            hold(run > before.run, Invariant::RunNumbersGrow, || format!("slot {slot}: {run}"))?;
            let exit = before.exit.unwrap_or(WireExit::Unknown);
            let stays = !before.by_itself || (templates.stays(slot, exit) && !before.excused);
            let is_asked = before.run <= known.start_after;
            hold(slot == 0 || is_asked || !stays, Invariant::RestartedForCause, || {
                let exit = exit_text(exit);
                format!("slot {slot} runs again after run {} ended with {exit}", before.run)
            })?;
        }
        let latest = Run {
            run,
            exit: None,
            by_itself: true,
            told: false,
            ready: false,
            excused: known.unheld || is_orphaned,
        };
        known.latest = Some(latest);
        Ok(())
    }

    /// A process ended.
    pub(crate) fn ended(&mut self, slot: SlotNo, run: u64, exit: WireExit) {
        if let Some(latest) = self.slots[slot].latest.as_mut().filter(|latest| latest.run == run) {
            latest.exit = Some(exit);
        }
    }

    /// An `execve` failed.
    pub(crate) fn failed(&mut self, slot: SlotNo, run: u64) {
        self.slots[slot].not_executed = Some((run, true));
    }

    /// A process said that it is ready.
    pub(crate) fn said_ready(&mut self, slot: SlotNo) {
        if let Some(latest) = &mut self.slots[slot].latest {
            latest.ready = true;
        }
    }

    /// Anchor and keeper are dead together: what nobody saw is excused.
    pub(crate) fn both_dead(&mut self) {
        for slot in &mut self.slots {
            slot.unheld = true;
            if let Some(latest) = slot.latest.as_mut().filter(|latest| !latest.told) {
                latest.excused = true;
            }
        }
    }

    /// The anchor is dead, which was the parent of this slot's process: how that ends nobody is told, or nobody was.
    pub(crate) fn parent_lost(&mut self, slot: SlotNo) {
        if let Some(latest) = self.slots[slot].latest.as_mut().filter(|latest| !latest.told) {
            latest.excused = true;
        }
    }

    /// The pump reads this pipe.
    pub(crate) fn attached(&mut self, slot: SlotNo) {
        self.slots[slot].unheld = false;
    }

    /// What is in a pipe up to here went with its last holder.
    pub(crate) fn pipe_lost(&mut self, slot: SlotNo, until: u64) -> Checked {
        let known = &mut self.slots[slot];
        hold(known.unheld, Invariant::LinesKept, || {
            format!("slot {slot}: what was in its pipe up to {until} is gone")
        })?;
        known.lost_until = until;
        Ok(())
    }

    /// Bytes are written to a log: these must be next, or what is between is excused.
    pub(crate) fn check_written(&self, slot: SlotNo, last: u64, place: u64) -> Checked {
        hold(place >= last, Invariant::LinesOnce, || {
            format!("slot {slot}: {place} is written again after {last}")
        })?;
        let excused = place <= self.slots[slot].lost_until;
        hold(place == last || excused, Invariant::LinesKept, || {
            format!("slot {slot}: {place} is written after {last}")
        })
    }

    /// At the end, everything is in the log.
    pub(crate) fn check_all_written(&self, slot: SlotNo, last: u64, to: u64) -> Checked {
        hold(last == to || self.slots[slot].lost_until == to, Invariant::LinesKept, || {
            format!("slot {slot}: its log ends at {last}, and it wrote {to} bytes")
        })
    }

    /// A keeper says of a run that it never began.
    pub(crate) fn check_never_began(&mut self, slot: SlotNo, run: u64, kernel: &Kernel) -> Checked {
        let mut live = kernel.live_of(slot);
        let is_there = live.any(|process| process.role == Role::Run(slot, run));
        let was = self.slots[slot].latest.is_some_and(|latest| latest.run == run);
        hold(!is_there && !was, Invariant::ExitsTrue, || {
            format!("slot {slot}: run {run} is said to have never begun")
        })?;
        self.slots[slot].not_executed = Some((run, false));
        Ok(())
    }

    /// A keeper sends a signal to a run.
    pub(crate) fn check_signal(&mut self, slot: SlotNo, run: u64) -> Checked {
        let known = &mut self.slots[slot];
        hold(!known.on_disk || run <= known.end_of, Invariant::EndedForCause, || {
            format!("slot {slot}: run {run} is asked to end")
        })?;
        if let Some(latest) = known.latest.as_mut().filter(|latest| latest.exit.is_none()) {
            latest.by_itself = false;
        }
        Ok(())
    }

    /// A daemon hears of an end.
    pub(crate) fn told_exit(
        &mut self,
        slot: SlotNo,
        run: u64,
        exit: WireExit,
        sights: &mut Sights,
    ) -> Checked {
        sights.told += 1;
        let (after_cut, former) = (self.boots > 0, self.slots[slot].former);
        let Some(latest) = self.slots[slot].latest.as_mut().filter(|latest| latest.run == run) else {
            let was = former.is_some_and(|former| former.run == run && former.exit == Some(exit));
            let is_of_before = after_cut && (was || exit == WireExit::Unknown);
            return hold(is_of_before, Invariant::ExitsTrue, || {
                format!("slot {slot}: run {run} is said to have ended, and never was")
            });
        };
        let is_true = latest.exit == Some(exit);
        hold(is_true || (latest.excused && exit == WireExit::Unknown), Invariant::ExitsTrue, || {
            let truly = latest.exit.map_or("not at all".to_owned(), exit_text);
            format!("slot {slot}: run {run} is said to have ended with {}, truly {truly}", exit_text(exit))
        })?;
        latest.told = true;
        sights.unknown += u64::from(!is_true);
        Ok(())
    }

    /// A daemon hears that a run could not be executed.
    pub(crate) fn told_not_started(&self, slot: SlotNo, run: u64) -> Checked {
        let was = self.slots[slot].latest.is_some_and(|latest| latest.run == run);
        hold(!was, Invariant::ExitsTrue, || format!("slot {slot}: run {run} is said to have never begun"))
    }

    /// A daemon decides to start a run.
    pub(crate) fn check_spawn(
        &self,
        slot: SlotNo,
        run: u64,
        templates: &Templates,
        project: &Project,
    ) -> Checked {
        let known = &self.slots[slot];
        hold(known.on_disk, Invariant::GoalsAsAsked, || {
            format!("slot {slot}: run {run} is started before that it is wanted is on disk")
        })?;
        let untold = known.latest.filter(|latest| latest.run < run && !latest.told);
        hold(untold.is_none(), Invariant::ExitsTold, || {
            format!("slot {slot}: run {run} follows one whose end nobody has heard")
        })?;
        let Some((on, until)) = templates.needs[slot] else { return Ok(()) };
        let dependency = self.slots[on].latest;
        let of = project.service(&templates.ids[on]).map_or(0, |service| service.run().0);
        let is_met = dependency.is_some_and(|latest| match until {
            Condition::Started => latest.run == of,
            Condition::Ready | Condition::Healthy => latest.run == of && latest.ready,
            Condition::Completed => false,
        });
        // That it has completed is remembered, over a power cut as well where the run-time folder is kept.
        let completed = |run: Option<Run>| run.is_some_and(|run| run.exit == Some(WireExit::Code(0)));
        let has = until == Condition::Completed && completed(dependency.or(self.slots[on].former));
        let is_met = is_met || has;
        hold(is_met, Invariant::DependenciesFirst, || {
            format!("slot {slot}: run {run} starts before slot {on}")
        })
    }

    /// Somebody asks that these are wanted.
    pub(crate) fn asked(&mut self, wanted: &BTreeSet<ServiceId>) {
        for (slot, wanted) in self.slots.iter_mut().zip(slots_of(wanted)) {
            slot.asked = Some(wanted);
        }
    }

    /// A daemon acts on it. `is_running`: a start changes nothing.
    pub(crate) fn acted(&mut self, request: Request, slot: SlotNo, run: u64, is_running: bool) {
        let known = &mut self.slots[slot];
        match request {
            Request::Start | Request::Up if is_running => {}
            Request::Start | Request::Up => known.start_after = run,
            Request::Stop => known.end_of = run,
            Request::Restart => (known.start_after, known.end_of) = (run, run),
        }
    }

    /// It is where a new daemon finds it.
    pub(crate) fn on_disk(&mut self) {
        self.slots.iter_mut().for_each(|slot| slot.on_disk = slot.asked.unwrap_or(slot.on_disk));
    }

    /// It survives everything, and is answered.
    pub(crate) fn promise(&mut self) {
        for slot in &mut self.slots {
            slot.promised = slot.asked.take().unwrap_or(slot.promised);
        }
    }

    /// A daemon finds on disk that these are wanted; `afresh`: and in the run-time folder nothing.
    pub(crate) fn recalled(&mut self, wanted: &BTreeSet<ServiceId>, afresh: bool) -> Checked {
        let wanted = slots_of(wanted);
        let kept = |slot: &Slot, wanted| slot.promised == wanted || slot.asked == Some(wanted);
        let is_kept = self.slots.iter().zip(wanted).skip(1).all(|(slot, wanted)| kept(slot, wanted));
        let is_nothing = afresh && !wanted.contains(&true);
        hold(if afresh { is_nothing } else { is_kept }, Invariant::GoalsKept, || {
            format!("a daemon finds {wanted:?} wanted, and nothing in the run-time folder: {afresh}")
        })?;
        for (slot, wanted) in self.slots.iter_mut().zip(wanted) {
            // It goes on with what an earlier daemon did not come to.
            let run =
                slot.latest.map_or(0, |latest| latest.run).max(slot.not_executed.map_or(0, |it| it.0)) + 1;
            match wanted {
                true if !slot.promised => slot.start_after = run,
                true => {}
                false => slot.end_of = run,
            }
            (slot.promised, slot.on_disk, slot.asked) = (wanted, wanted, None);
        }
        Ok(())
    }

    /// The power was cut: what each stream had is where it is.
    pub(crate) fn power_cut(&mut self, heads: [u64; SLOTS]) {
        self.boots += 1;
        for (slot, head) in self.slots.iter_mut().zip(heads) {
            let Slot { promised, asked, latest, former, .. } = *slot;
            let former = latest.or(former);
            *slot = Slot { promised, asked, former, on_disk: promised, lost_until: head, ..Slot::default() };
        }
    }

    /// How the latest run of a slot ended, when the kernel tells.
    pub(crate) fn exit_of(&self, slot: SlotNo, tells: bool) -> WireExit {
        let exit = self.slots[slot].latest.and_then(|latest| latest.exit);
        exit.filter(|_| tells).unwrap_or(WireExit::Unknown)
    }

    /// Whether a daemon has heard of every end.
    pub(crate) fn check_told(&self) -> Checked {
        for (number, slot) in self.slots.iter().enumerate().skip(1) {
            let untold = slot.latest.is_some_and(|latest| latest.exit.is_some() && !latest.told);
            hold(!untold, Invariant::ExitsTold, || format!("nobody has heard of the end of slot {number}"))?;
        }
        Ok(())
    }

    /// One that is left stopped although it is wanted.
    pub(crate) fn may_stay_stopped(&self, slot: SlotNo, templates: &Templates) -> bool {
        let latest = self.slots[slot].latest.or(self.slots[slot].former);
        latest.is_some_and(|latest| {
            latest.excused || latest.exit.is_some_and(|exit| templates.stays(slot, exit))
        })
    }

    /// One that has given up must have failed, and not we.
    pub(crate) fn check_failed(&self, slot: SlotNo, phase: PhaseName) -> Checked {
        let known = &self.slots[slot];
        let run = known.latest.map_or(0, |latest| latest.run);
        let ours = known.not_executed.is_some_and(|(failed, by_program)| failed > run && !by_program);
        hold(phase != PhaseName::Failed || !ours, Invariant::CalmAsWanted, || {
            format!("slot {slot} has failed, and nothing of it ever ran")
        })
    }
}

fn slots_of(wanted: &BTreeSet<ServiceId>) -> [bool; SLOTS] {
    let mut slots = [false; SLOTS];
    wanted.iter().for_each(|id| slots[slot_of(id)] = true);
    slots
}
