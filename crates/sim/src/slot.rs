//! The modelled slots of services: processes that are made, frozen, asked to end, and end.

use mainstay_decide::{Event, Memory, Notice};
use mainstay_model::{Exit, HookName, Moment, RunId, ServiceId, Signal, SpawnFailure, Spec};

use crate::{
    blueprint::placeholder,
    breach::{Checked, Invariant, hold},
    hands::Act,
    keeper::{Happening, Keeper, Why},
    process::{Process, Word},
};

/// One instance of a service, as the keeper knows it.
#[derive(Debug)]
pub(crate) struct Slot {
    pub(crate) run: RunId,
    pub(crate) state: SlotState,
    pub(crate) memory: Option<Memory>,
    pub(crate) spec: Spec,
    pub(crate) process: Process,
    /// What it was sent before it was made.
    early: Vec<Act>,
    /// What is told of a slot keeps its order.
    pub(crate) told_until: Moment,
    pub(crate) frozen: bool,
    /// How it would have ended, were it not frozen.
    frozen_end: Option<Exit>,
    /// What it would have said, were it not frozen.
    pub(crate) held_back: Vec<Word>,
    /// It said that it is ready.
    pub(crate) said_ready: bool,
    /// It said that it is ending.
    pub(crate) said_stopping: bool,
    /// What it says of itself.
    pub(crate) said: Option<String>,
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

impl Slot {
    /// One in which nothing ever ran.
    fn empty(id: &ServiceId) -> Self {
        Self {
            run: RunId::default(),
            state: SlotState::Over,
            memory: None,
            spec: placeholder(id),
            process: Process::none(),
            early: Vec::new(),
            told_until: Moment::ZERO,
            frozen: false,
            frozen_end: None,
            held_back: Vec::new(),
            said_ready: false,
            said_stopping: false,
            said: None,
        }
    }

    /// Whether its process is being made, or there.
    pub(crate) fn is_live(&self) -> bool {
        matches!(self.state, SlotState::Making | SlotState::Running(_))
    }

    /// Its end was taken in; a live one has none.
    pub(crate) fn acknowledge(&mut self, memory: Option<Memory>) {
        if !self.is_live() {
            self.state = SlotState::Over;
            self.memory = memory;
        }
    }

    /// What a new daemon is told of it.
    pub(crate) fn events_again(&self) -> Vec<Event> {
        let run = self.run;
        match &self.state {
            SlotState::NotMade(failure) => vec![Event::NotSpawned { run, failure: failure.clone() }],
            SlotState::Ended(exit) => vec![Event::Exited { run, exit: *exit }],
            SlotState::Running(_) => {
                let said = self.said.clone().map(Notice::Said);
                let ready = self.said_ready.then_some(Notice::Ready);
                let stopping = self.said_stopping.then_some(Notice::Stopping);
                let said = said.into_iter().chain(ready).chain(stopping);
                said.map(|notice| Event::Notified { run, notice }).collect()
            }
            SlotState::Making | SlotState::Over => Vec::new(),
        }
    }
}

impl Keeper {
    pub(crate) fn check_spawn(&self, id: &ServiceId, run: RunId) -> Checked {
        for hook in [HookName::BeforeStart, HookName::AfterStop] {
            let beside = self.hooks.get(&(id.clone(), hook)).is_some_and(crate::hook_slot::HookSlot::is_live);
            hold(!beside, Invariant::HooksInPlace, || {
                format!("{id}: run {run} is to be made beside {hook}")
            })?;
        }
        let Some(slot) = self.slots.get(id) else { return Ok(()) };
        let text = || format!("{id}: run {run} is to be made while run {} is {:?}", slot.run, slot.state);
        hold(!slot.is_live(), Invariant::OneLiveRun, text)?;
        hold(slot.state == SlotState::Over, Invariant::EndsAcknowledged, text)?;
        hold(run > slot.run, Invariant::RunNumbersGrow, text)
    }

    pub(crate) fn make(&mut self, now: Moment, id: ServiceId, run: RunId, memory: Memory, spec: Spec) {
        let process = Process::random(&spec, now, self.weather, &mut self.dice);
        self.happen(now + process.made_after, Happening::Made(id.clone(), run));
        let told_until = self.slots.get(&id).map_or(now, |slot| slot.told_until);
        let empty = Slot::empty(&id);
        let (state, memory) = (SlotState::Making, Some(memory));
        self.slots.insert(id, Slot { run, state, memory, spec, process, told_until, ..empty });
    }

    /// A slot that never had a run comes into being by what is to be remembered.
    pub(crate) fn remember(&mut self, id: ServiceId, run: RunId, memory: Memory) {
        let slot = self.slots.entry(id).or_insert_with_key(Slot::empty);
        if run >= slot.run {
            slot.memory = Some(memory);
        }
    }

    pub(crate) fn made(&mut self, now: Moment, id: &ServiceId, run: RunId) {
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
            self.happen(now + after, Happening::End(id.clone(), run, exit, Why::Accord));
        }
        self.begin_to_speak(now, id, run);
        for act in early {
            self.end_on_request(now, id, run, act);
        }
    }

    pub(crate) fn end_on_request(&mut self, now: Moment, id: &ServiceId, run: RunId, act: Act) {
        let Some(slot) = self.slots.get_mut(id).filter(|slot| slot.run == run && slot.is_live()) else {
            return;
        };
        if slot.state == SlotState::Making {
            slot.early.push(act);
            return;
        }
        let end = match act {
            Act::Signal { signal, .. } if signal != Signal::KILL => {
                slot.process.obeys.map(|(after, how)| (after, how.exit(signal), Why::Asked))
            }
            _ => Some((self.dice.up_to_ms(10), Exit::Signal(Signal::KILL), Why::Killed)),
        };
        if let Some((after, exit, why)) = end {
            self.happen(now + after, Happening::End(id.clone(), run, exit, why));
        }
    }

    pub(crate) fn end(&mut self, now: Moment, id: &ServiceId, run: RunId, exit: Exit, why: Why) {
        let Some(slot) = self.slots.get_mut(id).filter(|slot| slot.run == run && slot.is_live()) else {
            return;
        };
        if slot.frozen && why != Why::Killed {
            slot.frozen_end.get_or_insert(exit);
            return;
        }
        slot.state = SlotState::Ended(exit);
        self.tell(now, id, Event::Exited { run, exit });
    }

    /// Everything of a run stands still.
    pub(crate) fn freeze(&mut self, id: &ServiceId, run: RunId) {
        if let Some(slot) = self.slots.get_mut(id).filter(|slot| slot.run == run && slot.is_live()) {
            slot.frozen = true;
        }
    }

    /// And goes on.
    pub(crate) fn thaw(&mut self, now: Moment, id: &ServiceId, run: RunId) {
        let Some(slot) = self.slots.get_mut(id).filter(|slot| slot.run == run) else { return };
        slot.frozen = false;
        let words = std::mem::take(&mut slot.held_back);
        let exit = slot.frozen_end.take();
        for word in words {
            self.happen(now, Happening::Says(id.clone(), run, word));
        }
        if let Some(exit) = exit {
            self.happen(now, Happening::End(id.clone(), run, exit, Why::Asked));
        }
    }

    /// The calm begins while it lives.
    pub(crate) fn calm_slot(&mut self, now: Moment, id: &ServiceId) {
        let Some(slot) = self.slots.get_mut(id) else { return };
        slot.process.calm_down(&slot.spec, now, &mut self.dice);
        let (run, running) = (slot.run, matches!(slot.state, SlotState::Running(_)));
        // Who said that it ends, ends.
        let stopping = slot.said_stopping.then_some((std::time::Duration::ZERO, Exit::Code(1)));
        if !running {
            return;
        }
        if let Some((after, exit)) = slot.process.own_end.or(stopping) {
            self.happen(now + after, Happening::End(id.clone(), run, exit, Why::Accord));
        }
        self.begin_to_speak(now, id, run);
    }
}
