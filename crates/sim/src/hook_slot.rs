//! The modelled slots of hooks: each hook of a service has one, which outlives the daemon.

use mainstay_decide::{Event, SeenHooks};
use mainstay_model::{HookName, Moment, RunId, ServiceId, Spec};

use crate::{
    breach::{Checked, Invariant, hold},
    keeper::{Happening, Keeper},
    process::{Weather, hook_end},
    slot::Slot,
};

/// A hook of a service, as the keeper knows it.
#[derive(Debug)]
pub(crate) struct HookSlot {
    /// For which run of the service.
    run: RunId,
    state: HookState,
    /// The number of its process: the one that was begun last has the highest.
    process: u64,
    killed: bool,
    /// One that begins when this one is dead.
    next: Option<RunId>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum HookState {
    Running,
    /// Not acknowledged.
    Ended(Result<(), String>),
    Over,
}

impl HookSlot {
    /// Whether its process is there.
    pub(crate) fn is_live(&self) -> bool {
        self.state == HookState::Running
    }

    /// Its end, when nobody has acknowledged it.
    pub(crate) fn end_event(&self, hook: HookName) -> Option<Event> {
        match &self.state {
            HookState::Ended(result) => {
                Some(Event::HookEnded { run: self.run, hook, result: result.clone() })
            }
            HookState::Running | HookState::Over => None,
        }
    }
}

impl Keeper {
    /// What a new daemon sees: the hook that was begun last, of those that run or whose end nobody acknowledged.
    pub(crate) fn seen_hooks(&self, id: &ServiceId) -> SeenHooks {
        let mut seen = SeenHooks::default();
        let mut latest = 0;
        for hook in HookName::ALL {
            let Some(slot) = self.hooks.get(&(id.clone(), hook)) else { continue };
            if slot.state != HookState::Over && slot.process > latest {
                latest = slot.process;
                seen.live = Some((hook, slot.next.unwrap_or(slot.run)));
            }
            if hook == HookName::AfterStart && slot.state != HookState::Running {
                seen.after_start = slot.run;
            }
        }
        seen
    }

    pub(crate) fn run_hook(
        &mut self,
        now: Moment,
        key: (ServiceId, HookName),
        run: RunId,
        spec: &Spec,
    ) -> Checked {
        let (id, hook) = &key;
        let process = self.slots.get(id).is_some_and(Slot::is_live);
        let alone = matches!(hook, HookName::BeforeStart | HookName::AfterStop);
        hold(!(alone && process), Invariant::HooksInPlace, || format!("{id}: {hook} beside its process"))?;
        hold(spec.hook(*hook).is_some(), Invariant::HooksInPlace, || format!("{id} has no {hook}"))?;
        if let Some(slot) = self.hooks.get_mut(&key).filter(|slot| slot.is_live()) {
            hold(slot.killed && slot.next.is_none(), Invariant::OneOfEachHook, || {
                format!("{}: {} of run {run} beside that of run {}", key.0, key.1, slot.run)
            })?;
            slot.next = Some(run);
            return Ok(());
        }
        self.begin_hook(now, key, run);
        Ok(())
    }

    fn begin_hook(&mut self, now: Moment, key: (ServiceId, HookName), run: RunId) {
        self.serial += 1;
        let process = self.serial;
        if let Some((after, result)) = hook_end(self.weather, &mut self.dice) {
            self.happen(now + after, Happening::HookEnds(key.0.clone(), key.1, process, result));
        }
        let state = HookState::Running;
        self.hooks.insert(key, HookSlot { run, state, process, killed: false, next: None });
    }

    pub(crate) fn kill_hook(&mut self, now: Moment, key: &(ServiceId, HookName), run: RunId) {
        let Some(slot) = self.hooks.get_mut(key).filter(|slot| slot.is_live()) else { return };
        if slot.next == Some(run) {
            // It has not begun; its end is told all the same.
            slot.next = None;
            let result = Err("was killed".to_owned());
            let at = now + self.delay();
            self.tell_at(at, &key.0, Event::HookEnded { run, hook: key.1, result });
        }
        let Some(slot) = self.hooks.get_mut(key).filter(|slot| slot.run == run) else { return };
        slot.killed = true;
        let (process, after) = (slot.process, self.dice.up_to_ms(10));
        let result = Err("was killed".to_owned());
        self.happen(now + after, Happening::HookEnds(key.0.clone(), key.1, process, result));
    }

    pub(crate) fn hook_ends(
        &mut self,
        now: Moment,
        key: &(ServiceId, HookName),
        process: u64,
        result: Result<(), String>,
    ) -> Checked {
        let Some(slot) = self.hooks.get_mut(key).filter(|slot| slot.process == process && slot.is_live())
        else {
            return Ok(());
        };
        slot.state = HookState::Ended(result.clone());
        let (run, next) = (slot.run, slot.next.take());
        let at = now + self.delay();
        self.tell_at(at, &key.0, Event::HookEnded { run, hook: key.1, result });
        if let Some(run) = next {
            self.begin_hook(now, key.clone(), run);
        }
        Ok(())
    }

    pub(crate) fn acknowledge_hook(&mut self, key: &(ServiceId, HookName), run: RunId) {
        if let Some(slot) = self.hooks.get_mut(key).filter(|slot| slot.run == run && !slot.is_live()) {
            slot.state = HookState::Over;
        }
    }

    /// What hangs still hangs, until it is killed; the others end well.
    pub(crate) fn calm_hooks(&mut self, now: Moment) {
        let running: Vec<_> = self
            .hooks
            .iter()
            .filter(|(_, slot)| slot.is_live())
            .map(|(key, slot)| (key.clone(), slot.process, slot.killed))
            .collect();
        for ((id, hook), process, killed) in running {
            let result = if killed { Err("was killed".to_owned()) } else { Ok(()) };
            if let Some((after, _)) = hook_end(Weather::Calm, &mut self.dice) {
                self.happen(now + after, Happening::HookEnds(id, hook, process, result));
            }
        }
    }

    /// Whether no hook runs, and no end of one is left untold.
    pub(crate) fn hooks_at_rest(&self) -> Result<(), String> {
        match self.hooks.iter().find(|(_, slot)| slot.state != HookState::Over) {
            Some(((id, hook), slot)) => Err(format!("{hook} of {id}, run {}, is {:?}", slot.run, slot.state)),
            None => Ok(()),
        }
    }
}
