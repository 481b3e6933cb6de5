//! How the latest runs of each service ended: it travels with the keeper, so that a daemon that is killed before its history is
//! written takes nothing with it. Writes nothing itself.

use std::collections::{BTreeMap, VecDeque};

use jiff::Timestamp;
use mainstay_decide::Memory;
use mainstay_model::{Exit, RunId, ServiceId};
use mainstay_wire::{MEMO_ENDS, MemoEnd};

/// The latest ends, the oldest first.
#[derive(Debug, Default)]
pub(super) struct Ends(BTreeMap<ServiceId, VecDeque<MemoEnd>>);

impl Ends {
    /// What an earlier daemon knew.
    pub(super) fn recall(&mut self, id: &ServiceId, ends: &[MemoEnd]) {
        self.0.insert(id.clone(), ends.iter().cloned().collect());
    }

    /// A run ended in this way, and that followed.
    pub(super) fn note(&mut self, id: &ServiceId, run: RunId, exit: Exit, memory: &Memory) {
        let ends = self.0.entry(id.clone()).or_default();
        if ends.back().is_some_and(|end| end.run >= run.0) {
            return;
        }
        while ends.len() >= MEMO_ENDS {
            ends.pop_front();
        }
        ends.push_back(MemoEnd {
            run: run.0,
            exit: exit.into(),
            at: i64::try_from(Timestamp::now().as_nanosecond()).unwrap_or(i64::MAX),
            phase: memory.phase.as_str().to_owned(),
            attempts: memory.attempts,
        });
    }

    /// For a memo.
    pub(super) fn of(&self, id: &ServiceId) -> Vec<MemoEnd> {
        self.0.get(id).into_iter().flatten().cloned().collect()
    }

    pub(super) fn forget(&mut self, id: &ServiceId) {
        self.0.remove(id);
    }
}

#[cfg(test)]
mod tests {
    use mainstay_model::{Moment, PhaseName, Reason};

    use super::*;

    #[test]
    fn the_latest_ends_are_kept_once_each_and_come_back() {
        let id: ServiceId = "api".parse().unwrap();
        let memory = Memory {
            phase: PhaseName::Waiting,
            reason: Reason::Exited(Exit::Code(3)),
            since: Moment::ZERO,
            attempts: 2,
            restarts: 7,
            exit: Some(Exit::Code(3)),
            until: None,
        };
        let mut ends = Ends::default();
        for run in [1, 2, 2, 1, 3, 4, 5, 6, 7, 8, 9, 10] {
            ends.note(&id, RunId(run), Exit::Code(3), &memory);
        }
        let runs = |ends: &Ends| ends.of(&id).iter().map(|end| end.run).collect::<Vec<_>>();
        assert_eq!(runs(&ends), [3, 4, 5, 6, 7, 8, 9, 10]);
        let mut next = Ends::default();
        next.recall(&id, &ends.of(&id));
        next.note(&id, RunId(11), Exit::Unknown, &memory);
        assert_eq!(runs(&next), [4, 5, 6, 7, 8, 9, 10, 11]);
        assert_eq!(next.of(&id)[0].phase, "waiting");
        next.forget(&id);
        assert!(next.of(&id).is_empty());
    }
}
