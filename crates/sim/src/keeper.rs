//! The modelled keeper and the world behind it: slots, processes, and everything that is on its way. It knows no policy.
//!
//! Three things travel: commands to the keeper (in order, none is lost unless the daemon dies before it is written), what
//! the keeper tells (in order for one slot, in any order between slots, sometimes twice), and answers of checks. The death of
//! a daemon loses the last two, and the tail of the first; ends that nobody acknowledged are told again.

use std::collections::{BTreeMap, VecDeque};

use mainstay_decide::{Event, Live, Memory, QuestionId};
use mainstay_model::{Exit, Moment, ReadyPolicy, Reason, RunId, ServiceId, Signal, SpawnFailure, Spec};

use crate::{
    breach::{Checked, Invariant, hold},
    dice::Dice,
    hands::{Act, Command},
    process::{Process, Weather},
};

/// The modelled keeper.
#[derive(Debug)]
pub(crate) struct Keeper {
    pub(crate) slots: BTreeMap<ServiceId, Slot>,
    happenings: BTreeMap<(Moment, u64), Happening>,
    commands: VecDeque<Written>,
    weather: Weather,
    serial: u64,
    dice: Dice,
}

/// One instance of a service, as the keeper knows it.
#[derive(Debug)]
pub(crate) struct Slot {
    pub(crate) run: RunId,
    pub(crate) state: SlotState,
    /// Restarts in a row before this run.
    pub(crate) attempt: u32,
    /// When the daemon asked for it.
    pub(crate) asked_at: Moment,
    pub(crate) memory: Option<Memory>,
    spec: Spec,
    process: Process,
    /// What it was sent before it was made.
    early: Vec<Act>,
    /// What is told of a slot keeps its order.
    told_until: Moment,
}

/// What is so of a slot's latest run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum SlotState {
    /// Its process is being made.
    Making,
    /// It is there.
    Running(u32),
    /// It could not be made; not acknowledged.
    NotMade(SpawnFailure),
    /// It ended; not acknowledged.
    Ended(Exit),
    /// It is over, and acknowledged.
    Over,
}

/// A run that was asked for.
#[derive(Debug)]
struct Started {
    run: RunId,
    attempt: u32,
    asked_at: Moment,
    memory: Memory,
}

/// A command on its way.
#[derive(Debug)]
struct Written {
    at: Moment,
    arrives: Moment,
    command: Command,
}

#[derive(Debug)]
enum Happening {
    /// A process was made, or could not be.
    Made(ServiceId, RunId),
    /// A process ends like this, unless it has ended before.
    End(ServiceId, RunId, Exit, Own),
    /// The daemon hears this.
    Heard(ServiceId, Event),
}

/// Whether a process ends of its own accord.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Own {
    Accord,
    No,
}

impl Keeper {
    /// A keeper without slots.
    pub(crate) fn new(dice: Dice) -> Self {
        Self {
            slots: BTreeMap::new(),
            happenings: BTreeMap::new(),
            commands: VecDeque::new(),
            weather: Weather::Storm,
            serial: 0,
            dice,
        }
    }

    /// When something happens next.
    pub(crate) fn next_at(&self) -> Option<Moment> {
        let happening = self.happenings.keys().next().map(|(at, _)| *at);
        let command = self.commands.front().map(|written| written.arrives);
        happening.into_iter().chain(command).min()
    }

    /// Lets the next thing happen, and returns what the daemon hears by it.
    pub(crate) fn step(&mut self, now: Moment) -> Result<Option<(ServiceId, Event)>, crate::Breach> {
        let happening = self.happenings.keys().next().map(|(at, _)| *at);
        let command = self.commands.front().map(|written| written.arrives);
        if command.is_some_and(|at| happening.is_none_or(|other| at <= other)) {
            if let Some(written) = self.commands.pop_front() {
                self.obey(now, written)?;
            }
            return Ok(None);
        }
        let Some((_, happening)) = self.happenings.pop_first() else { return Ok(None) };
        match happening {
            Happening::Heard(id, event) => return Ok(Some((id, event))),
            Happening::Made(id, run) => self.made(now, &id, run),
            Happening::End(id, run, exit, _) => self.end(now, &id, run, exit),
        }
        Ok(None)
    }

    /// The daemon writes a command.
    pub(crate) fn send(&mut self, now: Moment, command: Command) {
        let delay = match self.weather {
            Weather::Storm if self.dice.chance(4) => self.dice.up_to_ms(3_000),
            Weather::Storm => self.dice.up_to_ms(10),
            Weather::Calm => self.dice.up_to_ms(1),
        };
        let earliest = self.commands.back().map_or(now, |written| written.arrives);
        self.commands.push_back(Written { at: now, arrives: (now + delay).max(earliest), command });
    }

    /// Whether the latest run of this one was made of a description that takes a restart to come to this one.
    pub(crate) fn is_outdated(&self, spec: &Spec) -> bool {
        self.slots.get(&spec.id).is_some_and(|slot| slot.spec.needs_restart_for(spec))
    }

    /// A check of a run is asked.
    pub(crate) fn ask(
        &mut self,
        now: Moment,
        id: &ServiceId,
        run: RunId,
        question: QuestionId,
        policy: &ReadyPolicy,
    ) {
        let storm = self.weather == Weather::Storm;
        let Some(slot) = self.slots.get(id) else { return };
        let yes = slot.process.ready_at <= now && !(slot.process.moody && self.dice.chance(50));
        let answer = if yes { Ok(()) } else { Err("refused".to_owned()) };
        let slow = storm && self.dice.chance(20);
        let most = if slow { policy.probe_timeout } else { policy.probe_timeout / 400 };
        let delay = self.dice.up_to_ms(u64::try_from(most.as_millis()).unwrap_or(0));
        let event = Event::Answered { run, question, answer };
        self.happen(now + delay, Happening::Heard(id.clone(), event.clone()));
        if storm && self.dice.chance(10) {
            let again = now + delay + self.dice.up_to_ms(5_000);
            self.happen(again, Happening::Heard(id.clone(), event));
        }
    }

    /// The daemon dies: what was on its way to it is lost, and what it had not written. Returns whose commands were lost.
    pub(crate) fn daemon_dies(&mut self) -> Vec<ServiceId> {
        self.happenings.retain(|_, happening| !matches!(happening, Happening::Heard(..)));
        let kept = match self.dice.below(3) {
            0 => self.dice.below(self.commands.len() + 1),
            _ => self.commands.len(),
        };
        self.commands.split_off(kept).into_iter().map(|written| written.command.id).collect()
    }

    /// A new daemon asks how things are: the keeper has read all that the old one wrote.
    pub(crate) fn greet(&mut self, now: Moment) -> Checked {
        while let Some(written) = self.commands.pop_front() {
            self.obey(now, written)?;
        }
        self.happenings.retain(|_, happening| !matches!(happening, Happening::Heard(..)));
        Ok(())
    }

    /// What a new daemon sees of a slot.
    pub(crate) fn seen(&self, id: &ServiceId) -> (Option<Memory>, Live) {
        let Some(slot) = self.slots.get(id) else { return (None, Live::Over(RunId::default())) };
        let live = match slot.state {
            SlotState::Making => Live::Spawning(slot.run),
            SlotState::Running(pid) => Live::Running(slot.run, pid),
            SlotState::NotMade(_) | SlotState::Ended(_) => Live::Ending(slot.run),
            SlotState::Over => Live::Over(slot.run),
        };
        // A reason comes back as words.
        let words = |memory: Memory| {
            let (code, text) = (memory.reason.code().to_owned(), memory.reason.sentence(memory.since));
            Memory { reason: Reason::Recalled { code, text }, ..memory }
        };
        (slot.memory.clone().map(words), live)
    }

    /// Tells a new daemon the ends that none has acknowledged.
    pub(crate) fn tell_again(&mut self, now: Moment) {
        let untold: Vec<(ServiceId, Event)> =
            self.slots.iter().filter_map(|(id, slot)| Some((id.clone(), slot.end_event()?))).collect();
        for (id, event) in untold {
            let at = now + self.dice.up_to_ms(20);
            self.happen(at, Happening::Heard(id, event));
        }
    }

    /// From now on nothing goes wrong.
    pub(crate) fn calm_down(&mut self, now: Moment) {
        self.weather = Weather::Calm;
        self.happenings.retain(|_, happening| !matches!(happening, Happening::End(_, _, _, Own::Accord)));
        let mut ends = Vec::new();
        for (id, slot) in &mut self.slots {
            slot.process.calm_down(&slot.spec, now, &mut self.dice);
            if let (SlotState::Running(_), Some((after, exit))) = (&slot.state, slot.process.own_end) {
                ends.push((now + after, Happening::End(id.clone(), slot.run, exit, Own::Accord)));
            }
        }
        for (at, end) in ends {
            self.happen(at, end);
        }
    }

    fn obey(&mut self, now: Moment, written: Written) -> Checked {
        let id = written.command.id;
        match written.command.act {
            Act::Spawn { run, attempt, spec, memory } => {
                self.check_spawn(&id, run)?;
                let started = Started { run, attempt, asked_at: written.at, memory: *memory };
                self.make(now, id, started, *spec);
            }
            act @ (Act::Signal { run, .. } | Act::Kill { run }) => self.end_on_request(now, &id, run, act),
            Act::Acknowledge { run, memory } => {
                if let Some(slot) = self.slots.get_mut(&id).filter(|slot| slot.run == run && !slot.is_live())
                {
                    slot.state = SlotState::Over;
                    slot.memory = memory.map(|memory| *memory);
                }
            }
            Act::Forget => {
                let live = self.slots.get(&id).is_some_and(Slot::is_live);
                hold(!live, Invariant::RemovedForgotten, || format!("{id} is forgotten while it lives"))?;
                self.slots.remove(&id);
            }
            Act::Ask { .. } => {}
        }
        Ok(())
    }

    fn check_spawn(&self, id: &ServiceId, run: RunId) -> Checked {
        let Some(slot) = self.slots.get(id) else { return Ok(()) };
        let text = || format!("{id}: run {run} is to be made while run {} is {:?}", slot.run, slot.state);
        hold(!slot.is_live(), Invariant::OneLiveRun, text)?;
        hold(slot.state == SlotState::Over, Invariant::EndsAcknowledged, text)?;
        hold(run > slot.run, Invariant::RunNumbersGrow, text)
    }

    fn make(&mut self, now: Moment, id: ServiceId, started: Started, spec: Spec) {
        let process = Process::random(&spec, now, self.weather, &mut self.dice);
        let Started { run, attempt, asked_at, memory } = started;
        self.happen(now + process.made_after, Happening::Made(id.clone(), run));
        let told_until = self.slots.get(&id).map_or(now, |slot| slot.told_until);
        let slot = Slot {
            run,
            state: SlotState::Making,
            attempt,
            asked_at,
            memory: Some(memory),
            spec,
            process,
            early: Vec::new(),
            told_until,
        };
        self.slots.insert(id, slot);
    }

    fn made(&mut self, now: Moment, id: &ServiceId, run: RunId) {
        let pid = u32::try_from(self.serial).unwrap_or(u32::MAX).saturating_add(1);
        let Some(slot) = self.slots.get_mut(id).filter(|slot| slot.run == run && slot.is_live()) else {
            return;
        };
        if let Some(failure) = slot.process.failure.clone() {
            slot.state = SlotState::NotMade(failure.clone());
            return self.tell(now, id, Event::NotSpawned { run, failure });
        }
        slot.state = SlotState::Running(pid);
        let (own_end, early) = (slot.process.own_end, std::mem::take(&mut slot.early));
        self.tell(now, id, Event::Spawned { run, pid });
        if let Some((after, exit)) = own_end {
            self.happen(now + after, Happening::End(id.clone(), run, exit, Own::Accord));
        }
        for act in early {
            self.end_on_request(now, id, run, act);
        }
    }

    fn end_on_request(&mut self, now: Moment, id: &ServiceId, run: RunId, act: Act) {
        let Some(slot) = self.slots.get_mut(id).filter(|slot| slot.run == run && slot.is_live()) else {
            return;
        };
        if slot.state == SlotState::Making {
            slot.early.push(act);
            return;
        }
        let end = match act {
            Act::Signal { signal, .. } if signal != Signal::KILL => {
                slot.process.obeys.map(|(after, how)| (after, how.exit(signal)))
            }
            _ => Some((self.dice.up_to_ms(10), Exit::Signal(Signal::KILL))),
        };
        if let Some((after, exit)) = end {
            self.happen(now + after, Happening::End(id.clone(), run, exit, Own::No));
        }
    }

    fn end(&mut self, now: Moment, id: &ServiceId, run: RunId, exit: Exit) {
        let Some(slot) = self.slots.get_mut(id).filter(|slot| slot.run == run && slot.is_live()) else {
            return;
        };
        slot.state = SlotState::Ended(exit);
        self.tell(now, id, Event::Exited { run, exit });
    }

    fn tell(&mut self, now: Moment, id: &ServiceId, event: Event) {
        let Some(slot) = self.slots.get_mut(id) else { return };
        let delay = match self.weather {
            Weather::Storm if self.dice.chance(5) => self.dice.up_to_ms(5_000),
            Weather::Storm => self.dice.up_to_ms(10),
            Weather::Calm => self.dice.up_to_ms(1),
        };
        let at = (now + delay).max(slot.told_until);
        slot.told_until = at;
        let twice = self.weather == Weather::Storm && self.dice.chance(6);
        self.happen(at, Happening::Heard(id.clone(), event.clone()));
        if twice {
            let again = at + self.dice.up_to_ms(5_000);
            self.happen(again, Happening::Heard(id.clone(), event));
        }
    }

    fn happen(&mut self, at: Moment, happening: Happening) {
        self.serial += 1;
        self.happenings.insert((at, self.serial), happening);
    }
}

impl Slot {
    /// Whether its process is being made, or there.
    pub(crate) fn is_live(&self) -> bool {
        matches!(self.state, SlotState::Making | SlotState::Running(_))
    }

    fn end_event(&self) -> Option<Event> {
        let run = self.run;
        match &self.state {
            SlotState::NotMade(failure) => Some(Event::NotSpawned { run, failure: failure.clone() }),
            SlotState::Ended(exit) => Some(Event::Exited { run, exit: *exit }),
            SlotState::Making | SlotState::Running(_) | SlotState::Over => None,
        }
    }
}
