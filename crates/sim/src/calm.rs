//! The calm after the storm: nothing goes wrong any more, and everything must come to rest as it is wanted.

use mainstay_decide::Phase;
use mainstay_model::{PhaseName, ServiceId};

use crate::{
    Invariant,
    book::Record,
    breach::{Checked, hold},
    keeper::SlotState,
    policy::Next,
    storm::Storm,
};

/// Steps until it must have come to rest.
const STEPS: u32 = 20_000;

impl Storm {
    /// Lets everything come to rest, and looks at what there is then.
    pub(crate) fn calm(&mut self) -> Checked {
        self.note(|| "the calm".to_owned());
        self.keeper.calm_down(self.now);
        self.book.calm = true;
        let mut steps = 0;
        while !self.is_idle() {
            self.next()?;
            steps += 1;
            hold(steps < STEPS, Invariant::ComesToRest, || "something is always left to do".to_owned())?;
        }
        self.check_slots()?;
        for (id, record) in &self.book.records {
            self.check_rest(id, record)?;
        }
        Ok(())
    }

    /// The keeper holds nothing that is not in the project, and no end is left untold.
    fn check_slots(&self) -> Checked {
        for (id, slot) in &self.keeper.slots {
            let described = self.book.records.get(id).is_some_and(|record| record.described);
            hold(described, Invariant::RemovedForgotten, || format!("{id} is still there"))?;
            let untold = matches!(slot.state, SlotState::Ended(_) | SlotState::NotMade(_));
            hold(!untold, Invariant::EndsAcknowledged, || format!("nobody acknowledged the end of {id}"))?;
            let live = self.book.records.get(id).is_some_and(|record| record.live.is_some());
            hold(slot.is_live() == live, Invariant::CalmAsWanted, || {
                format!("{id} is {:?}, and the daemon knows otherwise", slot.state)
            })?;
        }
        Ok(())
    }

    fn check_rest(&self, id: &ServiceId, record: &Record) -> Checked {
        let Some(service) = self.runner.project().service(id) else { return Ok(()) };
        let calm = |is: bool, what: &str| {
            hold(is, Invariant::CalmAsWanted, || format!("{id} is {:?} in the calm: {what}", service.phase()))
        };
        if !record.wanted {
            let mut dependents = self.book.live_dependents(id).filter_map(|id| self.book.records.get(id));
            let held = dependents.any(|dependent| dependent.wanted || dependent.live.is_some());
            calm(record.described, "it was to be removed")?;
            return calm(record.live.is_none() || held, "it is not wanted, and nobody needs it");
        }
        match service.phase() {
            Phase::Running { .. } => calm(service.is_ready(), "a oneshot that never ends"),
            Phase::Completed => Ok(()),
            Phase::Failed | Phase::Stopped => {
                let legitimate = matches!(record.next, Next::Barred | Next::Any) && !record.calm;
                calm(legitimate, "nothing went wrong with it")
            }
            Phase::WaitingForDependency => calm(self.waits_rightly(record), "what it waits for will come"),
            Phase::WaitingForBackoff { .. } | Phase::Starting(_) | Phase::Stopping { .. } => {
                calm(false, "it is not at rest")
            }
        }
    }

    /// Whether something that it needs is not there, and will not come by itself.
    fn waits_rightly(&self, record: &Record) -> bool {
        let Some(need) = self.book.unmet(record) else { return false };
        let hopeless = |record: &Record| {
            let phase = self.runner.project().service(&need.on).map(|service| service.phase().name());
            !record.wanted
                || matches!(phase, Some(PhaseName::Failed | PhaseName::Stopped | PhaseName::Waiting))
        };
        self.book.records.get(&need.on).is_some_and(hopeless)
    }
}
