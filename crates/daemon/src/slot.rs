//! Names of the keeper's slots: `api@2` is a service's, `api@2+before_start` that of one of its hooks.

use std::fmt;

use mainstay_model::{HookName, RunId, ServiceId};
use mainstay_wire::{SlotPhase, SlotState};

/// No name of a service holds it.
const BESIDE: char = '+';

/// A hook of a service.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct HookId {
    /// Whose.
    pub(crate) id: ServiceId,
    /// Which.
    pub(crate) hook: HookName,
}

impl fmt::Display for HookId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{BESIDE}{}", self.id, self.hook)
    }
}

/// Whose slot it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Slot {
    /// A service's.
    Service(ServiceId),
    /// A hook's.
    Hook(HookId),
}

impl Slot {
    /// What this name says; `None` for one that is nobody's.
    pub(crate) fn of(name: &str) -> Option<Self> {
        match name.split_once(BESIDE) {
            None => name.parse().ok().map(Self::Service),
            Some((id, hook)) => {
                let hook = HookName::ALL.into_iter().find(|name| name.as_str() == hook)?;
                Some(Self::Hook(HookId { id: id.parse().ok()?, hook }))
            }
        }
    }
}

/// A hook's slot as the keeper knows it.
#[derive(Clone, Debug)]
pub(crate) struct HookSlot {
    /// Whose.
    pub(crate) name: HookId,
    /// The slot's latest run.
    pub(crate) run: u64,
    /// The run of the service that it was for.
    pub(crate) of: RunId,
    /// What is so.
    pub(crate) phase: SlotPhase,
}

impl HookSlot {
    /// Those among these slots.
    pub(crate) fn among(slots: &[SlotState]) -> Vec<Self> {
        let hook = |slot: &SlotState| match Slot::of(&slot.slot)? {
            Slot::Service(_) => None,
            Slot::Hook(name) => {
                Some(Self { name, run: slot.run, of: of_run(&slot.memo), phase: slot.phase.clone() })
            }
        };
        slots.iter().filter_map(hook).collect()
    }

    /// Whether its end is still to come, or to be taken in.
    pub(crate) fn is_open(&self) -> bool {
        self.phase != SlotPhase::Over
    }
}

/// What a hook's slot holds for a daemon that comes later: the run of the service that it is for.
pub(crate) fn hook_memo(of: RunId) -> String {
    of.to_string()
}

/// Whether it may be one of those.
pub(crate) fn is_hook_memo(memo: &str) -> bool {
    memo.parse::<u64>().is_ok()
}

fn of_run(memo: &str) -> RunId {
    RunId(memo.parse().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_back() {
        let id: ServiceId = "api@2".parse().unwrap();
        assert_eq!(Slot::of("api@2"), Some(Slot::Service(id.clone())));
        for hook in HookName::ALL {
            let name = HookId { id: id.clone(), hook };
            assert_eq!(Slot::of(&name.to_string()), Some(Slot::Hook(name)));
        }
        for other in ["@daemon", "api+", "api+nothing", "+reload", ""] {
            assert_eq!(Slot::of(other), None, "{other}");
        }
        assert_eq!(of_run(&hook_memo(RunId(7))), RunId(7));
    }
}
