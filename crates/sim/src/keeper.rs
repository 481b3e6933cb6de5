//! The modelled keeper: everything that is on its way to it, in it, and from it. It knows no policy.
//!
//! Three things travel: commands to the keeper (in order, none is lost unless the daemon dies before it is written), what
//! the keeper tells (in order for one slot, in any order between slots, sometimes twice), and answers of checks. The death of
//! a daemon loses the last two, and the tail of the first; ends that nobody acknowledged are told again.

use std::collections::{BTreeMap, VecDeque};

use mainstay_decide::{Event, Found, Live, Memory};
use mainstay_model::{Exit, HookName, Moment, Reason, RunId, ServiceId, Spec};

use crate::{
    breach::{Checked, Invariant, hold},
    dice::Dice,
    hands::{Act, Command},
    hook_slot::HookSlot,
    process::{Weather, Word},
    slot::{Slot, SlotState},
};

/// When everything that was on its way has come.
const SOON: std::time::Duration = std::time::Duration::from_millis(1);

/// The modelled keeper.
#[derive(Debug)]
pub(crate) struct Keeper {
    pub(crate) slots: BTreeMap<ServiceId, Slot>,
    pub(crate) hooks: BTreeMap<(ServiceId, HookName), HookSlot>,
    happenings: BTreeMap<(Moment, u64), Happening>,
    commands: VecDeque<Written>,
    pub(crate) weather: Weather,
    pub(crate) serial: u64,
    pub(crate) dice: Dice,
}

/// A command on its way.
#[derive(Debug)]
struct Written {
    arrives: Moment,
    command: Command,
}

/// Something that will happen.
#[derive(Debug)]
pub(crate) enum Happening {
    /// A process was made, or could not be.
    Made(ServiceId, RunId),
    /// A process ends like this, unless it has ended before.
    End(ServiceId, RunId, Exit, Why),
    /// A process says something.
    Says(ServiceId, RunId, Word),
    /// The process of a hook ends, unless it has ended before; the number is that of its process.
    HookEnds(ServiceId, HookName, u64, Result<(), String>),
    /// The daemon hears this.
    Heard(ServiceId, Event),
}

/// Why a process ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Why {
    Accord,
    Asked,
    Killed,
}

impl Keeper {
    /// A keeper without slots.
    pub(crate) fn new(dice: Dice) -> Self {
        Self {
            slots: BTreeMap::new(),
            hooks: BTreeMap::new(),
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

    /// Whether nothing is on its way but what goes on for ever: words of processes, and answers of checks.
    pub(crate) fn only_goes_on(&self) -> bool {
        let goes_on = |happening: &Happening| match happening {
            Happening::Says(_, _, word) => *word == Word::Ping,
            Happening::Heard(_, event) => {
                matches!(
                    event,
                    Event::Answered { .. } | Event::Notified { notice: mainstay_decide::Notice::Alive, .. }
                )
            }
            Happening::Made(..) | Happening::End(..) | Happening::HookEnds(..) => false,
        };
        self.commands.is_empty() && self.happenings.values().all(goes_on)
    }

    /// Lets the next thing happen, and returns what the daemon hears by it.
    pub(crate) fn step(&mut self, now: Moment) -> Result<Option<(ServiceId, Event)>, crate::Breach> {
        let happening = self.happenings.keys().next().map(|(at, _)| *at);
        let command = self.commands.front().map(|written| written.arrives);
        if command.is_some_and(|at| happening.is_none_or(|other| at <= other)) {
            if let Some(written) = self.commands.pop_front() {
                self.obey(now, written.command)?;
            }
            return Ok(None);
        }
        let Some((_, happening)) = self.happenings.pop_first() else { return Ok(None) };
        match happening {
            Happening::Heard(id, event) => return Ok(Some((id, event))),
            Happening::Made(id, run) => self.made(now, &id, run),
            Happening::End(id, run, exit, why) => self.end(now, &id, run, exit, why),
            Happening::Says(id, run, word) => self.says(now, &id, run, word),
            Happening::HookEnds(id, hook, process, result) => {
                self.hook_ends(now, &(id, hook), process, result)?;
            }
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
        self.commands.push_back(Written { arrives: (now + delay).max(earliest), command });
    }

    /// Whether the latest run of this one was made of a description that takes a restart to come to this one.
    pub(crate) fn is_outdated(&self, spec: &Spec) -> bool {
        let made = self.slots.get(&spec.id).filter(|slot| slot.run > RunId::default());
        made.is_some_and(|slot| slot.spec.needs_restart_for(spec))
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
            self.obey(now, written.command)?;
        }
        self.happenings.retain(|_, happening| !matches!(happening, Happening::Heard(..)));
        Ok(())
    }

    /// What a new daemon sees of a service.
    pub(crate) fn seen(&self, id: &ServiceId) -> Found {
        let hooks = self.seen_hooks(id);
        let Some(slot) = self.slots.get(id) else {
            return Found { memory: None, live: Live::Over(RunId::default()), hooks };
        };
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
        Found { memory: slot.memory.clone().map(words), live, hooks }
    }

    /// Tells a new daemon the ends that none has acknowledged, and what lives on says once more what is still so.
    pub(crate) fn tell_again(&mut self, now: Moment) {
        let mut again: Vec<(ServiceId, Event)> = Vec::new();
        for (id, slot) in &self.slots {
            again.extend(slot.events_again().into_iter().map(|event| (id.clone(), event)));
        }
        for ((id, hook), slot) in &self.hooks {
            again.extend(slot.end_event(*hook).map(|event| (id.clone(), event)));
        }
        let mut at = now;
        for (id, event) in again {
            at = at + self.dice.up_to_ms(4);
            if let Some(slot) = self.slots.get_mut(&id) {
                slot.told_until = slot.told_until.max(at);
            }
            self.happen(at, Happening::Heard(id, event));
        }
    }

    /// From now on nothing goes wrong.
    pub(crate) fn calm_down(&mut self, now: Moment) {
        self.weather = Weather::Calm;
        let wild = |happening: &Happening| match happening {
            Happening::End(_, _, _, why) => *why == Why::Accord,
            Happening::Says(..) | Happening::HookEnds(..) => true,
            Happening::Made(..) | Happening::Heard(..) => false,
        };
        self.happenings.retain(|_, happening| !wild(happening));
        // Nothing is on its way for long any more.
        for written in &mut self.commands {
            written.arrives = now;
        }
        for (number, (_, happening)) in std::mem::take(&mut self.happenings).into_iter().enumerate() {
            let number = u64::try_from(number).unwrap_or(u64::MAX);
            self.happen(now + std::time::Duration::from_micros(number), happening);
        }
        for slot in self.slots.values_mut() {
            slot.told_until = now + SOON;
        }
        self.calm_hooks(now);
        let ids: Vec<ServiceId> = self.slots.keys().cloned().collect();
        for id in ids {
            self.calm_slot(now, &id);
        }
    }

    fn obey(&mut self, now: Moment, command: Command) -> Checked {
        let id = command.id;
        match command.act {
            Act::Spawn { run, attempt: _, spec, memory } => {
                self.check_spawn(&id, run)?;
                self.make(now, id, run, *memory, *spec);
            }
            act @ (Act::Signal { run, .. } | Act::Kill { run }) => self.end_on_request(now, &id, run, act),
            Act::SignalMain { run, .. } => self.reload(now, &id, run),
            Act::Pause { run } => self.freeze(&id, run),
            Act::Resume { run } => self.thaw(now, &id, run),
            Act::RunHook { run, hook, spec } => self.run_hook(now, (id, hook), run, &spec)?,
            Act::KillHook { run, hook } => self.kill_hook(now, &(id, hook), run),
            Act::Acknowledge { run, memory } => {
                if let Some(slot) = self.slots.get_mut(&id).filter(|slot| slot.run == run) {
                    slot.acknowledge(memory.map(|memory| *memory));
                }
            }
            Act::Remember { run, memory } => self.remember(id, run, *memory),
            Act::AcknowledgeHook { run, hook } => self.acknowledge_hook(&(id, hook), run),
            Act::Forget => {
                let live = self.slots.get(&id).is_some_and(Slot::is_live);
                hold(!live, Invariant::RemovedForgotten, || format!("{id} is forgotten while it lives"))?;
                self.slots.remove(&id);
                // What is still dying is dead soon, and nobody hears of it.
                self.hooks.retain(|(of, _), _| *of != id);
            }
            Act::Ask { .. } => {}
        }
        Ok(())
    }

    /// Tells something of a slot, after what was told of it before.
    pub(crate) fn tell(&mut self, now: Moment, id: &ServiceId, event: Event) {
        let delay = self.delay();
        let Some(slot) = self.slots.get_mut(id) else { return };
        slot.told_until = slot.told_until.max(now + delay);
        let at = slot.told_until;
        self.tell_at(at, id, event);
    }

    /// Tells something at this moment, and sometimes once more.
    pub(crate) fn tell_at(&mut self, at: Moment, id: &ServiceId, event: Event) {
        // Only what has a number of its own bears that.
        let numbered = !matches!(event, Event::HookEnded { hook: HookName::Reload, .. });
        let twice = numbered && self.weather == Weather::Storm && self.dice.chance(6);
        self.happen(at, Happening::Heard(id.clone(), event.clone()));
        if twice {
            let again = at + self.dice.up_to_ms(5_000);
            self.happen(again, Happening::Heard(id.clone(), event));
        }
    }

    /// How long what is told is on its way.
    pub(crate) fn delay(&mut self) -> std::time::Duration {
        match self.weather {
            Weather::Storm if self.dice.chance(5) => self.dice.up_to_ms(5_000),
            Weather::Storm => self.dice.up_to_ms(10),
            Weather::Calm => self.dice.up_to_ms(1),
        }
    }

    pub(crate) fn happen(&mut self, at: Moment, happening: Happening) {
        self.serial += 1;
        self.happenings.insert((at, self.serial), happening);
    }
}
