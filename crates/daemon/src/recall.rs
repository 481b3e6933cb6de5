//! What an earlier daemon left, as the keeper tells it: from slots to what is known of services. It feeds nothing.

use std::{collections::BTreeMap, num::NonZeroU32, time::Duration};

use mainstay_decide::{Found, Live, SeenHooks};
use mainstay_model::{
    Bytes, Command, Exit, HookName, Kind, LogLimits, RestartPolicy, RestartWhen, RunId, ServiceId, Signal,
    Spec, StopPolicy,
};
use mainstay_wire::{DAEMON_SLOT, Memo, SlotPhase, SlotState};

use crate::{
    hands::Hands,
    memo::from_memo,
    slot::{HookSlot, Slot},
};

/// How long one that was being removed may take to end.
const STRAY_PATIENCE: Duration = Duration::from_secs(10);

/// Everything that the keeper knows.
#[derive(Debug)]
pub(crate) struct Left {
    /// The slots of services.
    pub(crate) services: BTreeMap<ServiceId, SlotState>,
    /// Those of their hooks.
    pub(crate) hooks: Vec<HookSlot>,
}

impl Left {
    /// Whose these slots are.
    pub(crate) fn of(slots: &[SlotState]) -> Self {
        let services = slots.iter().filter(|slot| slot.slot != DAEMON_SLOT);
        let service = |slot: &SlotState| match Slot::of(&slot.slot)? {
            Slot::Service(id) => Some((id, slot.clone())),
            Slot::Hook(_) => None,
        };
        Self { services: services.filter_map(service).collect(), hooks: HookSlot::among(slots) }
    }

    /// Whether nothing has run since the machine or the project came up.
    pub(crate) fn is_empty(&self) -> bool {
        self.services.is_empty() && self.hooks.is_empty()
    }

    /// Tells the hands what they must know.
    pub(crate) fn tell(&self, hands: &mut Hands) {
        for (id, slot) in &self.services {
            let memo = Memo::from_text(&slot.memo);
            hands.recall(id, &memo);
            let run = RunId(slot.run);
            match &slot.phase {
                SlotPhase::Running { pid } => hands.note_main(id, run, *pid),
                SlotPhase::Exited { exit } => hands.note_exit(id, run, (*exit).into()),
                SlotPhase::Over => {
                    let exit: Option<Exit> = memo.exit.map(Into::into);
                    exit.into_iter().for_each(|exit| hands.note_exit(id, run, exit));
                }
                SlotPhase::Spawning | SlotPhase::NotStarted { .. } => {}
            }
        }
        hands.recall_hooks(&self.hooks);
    }

    /// What is known of a service from its slots.
    pub(crate) fn find(&self, id: &ServiceId) -> Found {
        let hooks = self.hooks_of(id);
        let Some(slot) = self.services.get(id) else {
            return Found { memory: None, live: Live::Over(RunId::default()), hooks };
        };
        let run = RunId(slot.run);
        let live = match &slot.phase {
            SlotPhase::Spawning => Live::Spawning(run),
            SlotPhase::Running { pid } => Live::Running(run, *pid),
            SlotPhase::NotStarted { .. } | SlotPhase::Exited { .. } => Live::Ending(run),
            SlotPhase::Over => Live::Over(run),
        };
        Found { memory: from_memo(&slot.memo), live, hooks }
    }

    /// Of several hooks the one that comes last in a life: the others were killed.
    fn hooks_of(&self, id: &ServiceId) -> SeenHooks {
        let own = self.hooks.iter().filter(|slot| slot.name.id == *id);
        let open = own.clone().filter(|slot| slot.is_open());
        let latest = open.max_by_key(|slot| (slot.of, place(slot.name.hook)));
        let ended = own.filter(|slot| slot.name.hook == HookName::AfterStart && !slot.is_open());
        SeenHooks {
            live: latest.map(|slot| (slot.name.hook, slot.of)),
            after_start: ended.map(|slot| slot.of).max().unwrap_or_default(),
        }
    }
}

/// Where a hook stands in a life.
fn place(hook: HookName) -> u8 {
    match hook {
        HookName::BeforeStart => 0,
        HookName::AfterStart => 1,
        HookName::Reload => 2,
        HookName::BeforeStop => 3,
        HookName::AfterStop => 4,
    }
}

/// A service that was being removed when an earlier daemon died: how it wants to be stopped died with that one, so it is
/// stopped as one that says nothing of it.
pub(crate) fn stray(id: &ServiceId) -> Spec {
    Spec {
        restart: RestartPolicy::with(RestartWhen::Never),
        stop: StopPolicy { signal: Signal::TERM, timeout: STRAY_PATIENCE },
        log: LogLimits { keep: NonZeroU32::MIN, total: Bytes(20_000_000), ..LogLimits::default() },
        ..Spec::new(id.clone(), Kind::Permanent, Command::unknown(), "/".into())
    }
}

#[cfg(test)]
mod tests {
    use mainstay_wire::WireExit;

    use super::*;

    fn slot(name: &str, run: u64, phase: SlotPhase, memo: &str) -> SlotState {
        let (slot, memo) = (name.to_owned(), memo.to_owned());
        SlotState { slot, run, phase, memo, notices: Vec::new() }
    }

    #[test]
    fn hooks_are_found_beside_their_services() {
        let over = || SlotPhase::Over;
        let slots = [
            slot("api@2", 7, SlotPhase::Running { pid: 41 }, ""),
            slot("api@2+before_start", 20, over(), "7"),
            slot("api@2+after_start", 21, over(), "6"),
            slot("api@2+reload", 23, SlotPhase::Running { pid: 42 }, "7"),
            slot("api@2+before_stop", 24, SlotPhase::Exited { exit: WireExit::Code(0) }, "7"),
            slot("db+before_start", 25, SlotPhase::Spawning, "1"),
            slot("@daemon", 3, SlotPhase::Running { pid: 1 }, ""),
        ];
        let left = Left::of(&slots);
        assert_eq!((left.services.len(), left.hooks.len()), (1, 5));
        let api = left.find(&"api@2".parse().unwrap());
        assert_eq!(api.live, Live::Running(RunId(7), 41));
        assert_eq!(api.hooks.live, Some((HookName::BeforeStop, RunId(7))));
        assert_eq!(api.hooks.after_start, RunId(6));
        let db = left.find(&"db".parse().unwrap());
        assert_eq!((db.live, db.hooks.live), (Live::Over(RunId(0)), Some((HookName::BeforeStart, RunId(1)))));
        assert!(!Left::of(&slots[5..]).is_empty() && Left::of(&slots[6..]).is_empty());
    }
}
