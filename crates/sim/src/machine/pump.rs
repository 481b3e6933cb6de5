//! The modelled pump: batches from pipes to log folders through the buffer, one effect at a time.
//!
//! What each step stands for, in `keeper/src/pump`: [`World::begin_batch`] is `Stream::look_and_write` up to `Batch::begin`;
//! [`Step::Read`] and [`Step::Count`] are `Batch::read`; [`Step::Place`] and [`Step::Rotate`] are `place` and `Folder::rotate`,
//! with the real `next_step`; [`Step::Fill`] and [`Step::End`] are `Batch::end`; [`Step::SetAside`] is `set_aside`; the four
//! `Retry` steps are `Stream::retry`; [`World::recover_batch`] is `recover`, with the real `written_to_rotated` and
//! `is_settled`; draining is `Room::drain` and `Stream::drain`.

use std::collections::VecDeque;

use mainstay_keeper::decisions::{self, is_settled, next_step, written, written_to_rotated};

use crate::{
    breach::{Checked, Invariant, hold},
    machine::{
        Fault, SLOTS, SlotNo, World,
        disk::{Aside, Buffer, text},
    },
};

/// Bytes of one batch.
const BATCH: u64 = 64;

/// Bytes of `current`, about.
const LIMIT: u64 = 96;

/// Rotated files that are kept.
const KEEP: usize = 3;

/// How long a log file that took nothing is left alone.
const RETRY: u64 = 5_000_000;

/// What the pump is told.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Order {
    Attach(SlotNo),
    Drain(SlotNo, u64),
    Detach(SlotNo),
}

/// What it does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Idle,
    Read,
    Count(usize),
    Place { from: usize, count: usize, number: u64 },
    Rotate { from: usize, count: usize, number: u64 },
    SetAside { from: usize, count: usize },
    Fill,
    End,
    Tidy,
    RetryFill(Aside),
    RetryCount(Aside),
    RetryRemove(Aside),
}

impl PartialEq for Aside {
    fn eq(&self, other: &Self) -> bool {
        self.sequence == other.sequence && self.from == other.from
    }
}

impl Eq for Aside {}

/// The pump of one keeper.
#[derive(Debug)]
pub(crate) struct Pump {
    pub(crate) step: Step,
    /// Whose pipes it reads.
    pub(crate) attached: [bool; SLOTS],
    /// Whose log files take nothing, and when each is tried again.
    pub(crate) blocked: [Option<u64>; SLOTS],
    pub(crate) orders: VecDeque<Order>,
    pub(crate) draining: Option<(SlotNo, u64, u64)>,
    pub(crate) drained: VecDeque<(SlotNo, u64)>,
    numbers: [Option<u64>; SLOTS],
}

impl Pump {
    pub(crate) fn new() -> Self {
        Self {
            step: Step::Idle,
            attached: [false; SLOTS],
            blocked: [None; SLOTS],
            orders: VecDeque::new(),
            draining: None,
            drained: VecDeque::new(),
            numbers: [None; SLOTS],
        }
    }
}

impl Pump {
    /// Whether it was told to read this pipe, and has not begun.
    pub(crate) fn is_to_attach(&self, slot: SlotNo) -> bool {
        self.orders.iter().any(|order| matches!(order, Order::Attach(of) if *of == slot))
    }
}

impl World {
    fn pump(&mut self) -> Option<&mut Pump> {
        self.keeper.as_mut().map(|keeper| &mut keeper.pump)
    }

    fn go_to(&mut self, step: Step) {
        if let Some(pump) = self.pump() {
            pump.step = step;
        }
    }

    /// One effect; whether there was one.
    pub(crate) fn step_pump(&mut self) -> Result<bool, crate::Breach> {
        // Before it is started there is none, and until it has recovered nothing is read.
        let Some(keeper) = self.keeper.as_ref().filter(|keeper| keeper.is_recovering) else {
            return Ok(false);
        };
        match keeper.pump.step {
            Step::Idle => return self.pump_next(),
            Step::Read => self.read_batch(),
            Step::Count(count) => {
                self.disk.buffer.count = count;
                let number = self.disk.buffer.number;
                self.go_to(Step::Place { from: 0, count, number });
                if self.fault == Some(Fault::BufferFreedEarly) {
                    self.disk.buffer.state = false;
                }
            }
            Step::Place { from, count, number } => self.place(from, count, number)?,
            Step::Rotate { from, count, number } => self.rotate(from, count, number)?,
            Step::SetAside { from, count } => self.set_aside(from, count),
            Step::Fill => {
                self.disk.buffer.filled = 0;
                self.go_to(Step::End);
            }
            Step::End => {
                self.disk.buffer.state = false;
                self.go_to(Step::Tidy);
            }
            Step::Tidy => self.tidy(),
            Step::RetryFill(aside) => {
                let buffer = &mut self.disk.buffer;
                (buffer.from, buffer.filled) = (aside.from, aside.count);
                self.go_to(Step::RetryCount(aside));
            }
            Step::RetryCount(aside) => {
                self.disk.buffer.count = aside.count;
                self.go_to(Step::RetryRemove(aside));
            }
            Step::RetryRemove(aside) => {
                let Buffer { slot, number, .. } = self.disk.buffer;
                self.disk.aside[slot] = None;
                self.go_to(Step::Place { from: 0, count: aside.count, number });
            }
        }
        Ok(true)
    }

    /// Between two batches.
    fn pump_next(&mut self) -> Result<bool, crate::Breach> {
        let now = self.now;
        let full = self.disk.is_full;
        let Some(pump) = self.keeper.as_mut().map(|keeper| &mut keeper.pump) else { return Ok(false) };
        if let Some((slot, run, rest)) = pump.draining {
            let has = self.kernel.pipes[slot].length() > 0;
            if rest > 0 && has && pump.blocked[slot].is_none() && pump.attached[slot] {
                self.begin_batch(slot);
                return Ok(true);
            }
            pump.draining = None;
            let was_attached = pump.attached[slot];
            if pump.blocked[slot].is_none() {
                pump.attached[slot] = false;
            }
            pump.drained.push_back((slot, run));
            if was_attached {
                self.settle_pipes()?;
            }
            return Ok(true);
        }
        if let Some(order) = pump.orders.pop_front() {
            match order {
                Order::Attach(slot) => {
                    pump.attached[slot] = true;
                    self.truth.attached(slot);
                }
                Order::Drain(slot, run) => {
                    let rest = self.kernel.pipes[slot].length();
                    pump.draining = Some((slot, run, rest));
                }
                Order::Detach(slot) => {
                    pump.attached[slot] = false;
                    self.settle_pipes()?;
                }
            }
            return Ok(true);
        }
        let first = self.dice.below(SLOTS);
        for slot in (0..SLOTS).map(|step| (first + step) % SLOTS) {
            match pump.blocked[slot] {
                Some(at) if at <= now && !full => {
                    self.retry(slot);
                    return Ok(true);
                }
                None if pump.attached[slot] && self.kernel.pipes[slot].length() > 0 => {
                    self.begin_batch(slot);
                    return Ok(true);
                }
                Some(_) | None => {}
            }
        }
        Ok(false)
    }

    /// The size of `current`, which exists afterwards, and the number of the next rotated file.
    fn destination(&mut self, slot: SlotNo) -> (u64, u64) {
        let folder = &mut self.disk.folders[slot];
        let size = *folder.current.get_or_insert(0);
        let newest = folder.newest();
        let Some(pump) = self.pump() else { return (size, 1) };
        let number = *pump.numbers[slot].get_or_insert(newest.map_or(1, |newest| newest + 1));
        (size, number)
    }

    fn begin_batch(&mut self, slot: SlotNo) {
        let (size, number) = self.destination(slot);
        let sequence = self.disk.buffer.sequence + 1;
        self.begin_as(slot, size, number, sequence);
        self.go_to(Step::Read);
    }

    fn begin_as(&mut self, slot: SlotNo, size: u64, number: u64, sequence: u64) {
        let Buffer { from, filled, .. } = self.disk.buffer;
        self.disk.buffer = Buffer { state: true, slot, size, number, sequence, count: 0, from, filled };
    }

    fn read_batch(&mut self) {
        let buffer = &mut self.disk.buffer;
        let pipe = &mut self.kernel.pipes[buffer.slot];
        let count = pipe.length().min(BATCH);
        buffer.from = pipe.from;
        pipe.from += count;
        let count = usize::try_from(count).unwrap_or(0);
        buffer.filled = count;
        let slot = buffer.slot;
        if let Some(pump) = self.pump()
            && let Some((of, _, rest)) = &mut pump.draining
            && *of == slot
        {
            *rest = rest.saturating_sub(count as u64);
        }
        self.go_to(if count == 0 { Step::End } else { Step::Count(count) });
    }

    fn place(&mut self, from: usize, count: usize, number: u64) -> Checked {
        if from >= count {
            self.go_to(Step::Fill);
            return Ok(());
        }
        let Buffer { slot, from: place, .. } = self.disk.buffer;
        let folder = &mut self.disk.folders[slot];
        let size = *folder.current.get_or_insert(0);
        let rest = text(place + from as u64, count - from);
        let ends = || folder.ends_at_line_end();
        let (length, rotates) = match next_step(rest, size, LIMIT, ends) {
            decisions::Step::Write(length) => (length, false),
            decisions::Step::WriteAndRotate(length) => (length, true),
            decisions::Step::Rotate => (0, true),
        };
        if self.disk.is_full && length > 0 {
            self.go_to(Step::SetAside { from, count });
            return Ok(());
        }
        // A write may be cut short, by a signal or by the end of a disk.
        let is_short = length > 1 && self.dice.chance(5);
        let wrote = if is_short { 1 + self.dice.below(length) } else { length };
        self.wrote(slot, place + from as u64, wrote)?;
        let from = from + wrote;
        self.go_to(match rotates && wrote == length {
            true => Step::Rotate { from, count, number },
            false => Step::Place { from, count, number },
        });
        Ok(())
    }

    fn rotate(&mut self, from: usize, count: usize, number: u64) -> Checked {
        let slot = self.disk.buffer.slot;
        let folder = &mut self.disk.folders[slot];
        let is_free = folder.rotated_size(number).is_none();
        hold(is_free, Invariant::LinesKept, || format!("slot {slot}: rotated file {number} is there twice"))?;
        // No line here is as long as what is cut hard.
        hold(folder.ends_at_line_end(), Invariant::LinesKept, || {
            format!("slot {slot}: rotated file {number} ends inside a line")
        })?;
        if let Some(size) = folder.current.take() {
            folder.rotated.push((number, size));
        }
        if let Some(pump) = self.pump() {
            pump.numbers[slot] = Some(number + 1);
        }
        self.sights.rotations += 1;
        self.go_to(Step::Place { from, count, number: number + 1 });
        Ok(())
    }

    /// A batch that is over: the oldest rotated files go.
    fn tidy(&mut self) {
        let folder = &mut self.disk.folders[self.disk.buffer.slot];
        while folder.rotated.len() > KEEP {
            folder.rotated.remove(0);
        }
        self.go_to(Step::Idle);
    }

    fn set_aside(&mut self, from: usize, count: usize) {
        let Buffer { slot, sequence, from: place, .. } = self.disk.buffer;
        self.disk.aside[slot] = Some(Aside { sequence, from: place + from as u64, count: count - from });
        self.sights.aside += 1;
        let at = self.now + RETRY;
        if let Some(pump) = self.pump() {
            pump.blocked[slot] = Some(at);
            pump.numbers[slot] = None;
        }
        self.go_to(Step::Fill);
    }

    fn retry(&mut self, slot: SlotNo) {
        if let Some(pump) = self.pump() {
            pump.blocked[slot] = None;
        }
        let Some(aside) = self.disk.aside[slot] else { return };
        let (size, number) = self.destination(slot);
        self.begin_as(slot, size, number, aside.sequence);
        self.go_to(Step::RetryFill(aside));
    }

    /// What a keeper before this one left in the buffer is finished first.
    pub(crate) fn recover_batch(&mut self) {
        let Buffer { state, slot, size, number, sequence, count, filled, .. } = self.disk.buffer;
        if !state {
            return;
        }
        self.sights.batches_left += 1;
        if self.fault == Some(Fault::BatchNotRecovered) {
            return;
        }
        let by_content = if self.fault == Some(Fault::ContentNotCounted) { 0 } else { filled };
        let count = if count == 0 { by_content } else { count };
        let aside = self.disk.aside[slot].map(|aside| aside.sequence);
        let aside = aside.filter(|_| self.fault != Some(Fault::AsideWrittenTwice));
        if is_settled(count, sequence, aside) {
            return self.go_to(Step::Fill);
        }
        let folder = &mut self.disk.folders[slot];
        let looks = self.fault != Some(Fault::RotatedNotCounted);
        let rotated =
            written_to_rotated(size, number, |number| folder.rotated_size(number).filter(|_| looks));
        let from = written(rotated, *folder.current.get_or_insert(0), count);
        self.go_to(Step::Place { from, count, number: rotated.number });
    }
}
