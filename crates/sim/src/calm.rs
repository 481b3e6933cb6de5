//! The calm after the storm: nothing goes wrong any more, and everything must come to rest as it is wanted.

use mainstay_decide::Phase;
use mainstay_model::{PhaseName, ServiceId, Spec};

use crate::{
    Invariant,
    book::Record,
    breach::{Checked, breach, hold},
    policy::Next,
    slot::SlotState,
    storm::Storm,
};

/// Steps until it must have come to rest.
const STEPS: u32 = 50_000;
/// Steps in a row that change nothing until it counts as at rest: health is asked and watchdogs ping for ever.
const QUIET: u32 = 30;

impl Storm {
    /// Lets everything come to rest, and looks at what there is then.
    pub(crate) fn calm(&mut self) -> Checked {
        self.note(|| "the calm".to_owned());
        self.keeper.calm_down(self.now);
        self.book.calm = true;
        let (mut steps, mut quiet) = (0, 0);
        while !self.is_idle() && quiet < QUIET {
            self.next()?;
            steps += 1;
            quiet = if self.unsettled().is_empty() { quiet + 1 } else { 0 };
            hold(steps < STEPS, Invariant::ComesToRest, || {
                format!("{} never comes to rest", self.unsettled())
            })?;
        }
        self.check_slots()?;
        for (id, record) in &self.book.records {
            self.check_rest(id, record)?;
        }
        Ok(())
    }

    /// What there is besides what goes on for ever.
    fn unsettled(&self) -> String {
        if !self.keeper.only_goes_on() {
            return "the keeper".to_owned();
        }
        let project = self.runner.project();
        let mut services = project.ids().filter_map(|id| Some((id, project.service(id)?)));
        let unsettled = services.find(|(_, service)| match service.phase() {
            Phase::Running { .. } => !service.is_healthy() && !self.was_left(service.spec()),
            Phase::Starting(_) | Phase::Stopping { .. } | Phase::WaitingForBackoff { .. } => true,
            Phase::Stopped
            | Phase::WaitingForDependency
            | Phase::Paused { .. }
            | Phase::Completed
            | Phase::Failed => false,
        });
        unsettled.map(|(id, service)| format!("{id}, {:?}", service.phase())).unwrap_or_default()
    }

    /// A rolling restart for a changed description that failed left it as it was: what it is said to be, it is not.
    fn was_left(&self, spec: &Spec) -> bool {
        spec.rolling && self.keeper.is_outdated(spec)
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
            let phase = self.runner.project().service(id).map(|service| service.phase().name());
            hold(!slot.frozen || !live || phase == Some(PhaseName::Paused), Invariant::PausesKept, || {
                format!("{id} is frozen, and the daemon takes it for {phase:?}")
            })?;
        }
        self.keeper.hooks_at_rest().map_err(|text| breach(Invariant::HooksFinished, text))
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
            Phase::Running { .. } if self.was_left(service.spec()) => Ok(()),
            Phase::Running { .. } => {
                calm(service.is_ready(), "a oneshot that never ends")?;
                calm(service.is_healthy(), "its health check says yes")
            }
            Phase::Completed | Phase::Paused { .. } => Ok(()),
            Phase::Failed | Phase::Stopped => {
                let left = matches!(record.next, Next::Barred | Next::Ended | Next::Any);
                let legitimate = left && !record.calm;
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
            let on = self.runner.project().service(&need.on);
            let phase = on.map(|service| service.phase().name());
            !record.wanted
                || on.is_some_and(|on| self.was_left(on.spec()))
                || matches!(
                    phase,
                    Some(PhaseName::Failed | PhaseName::Stopped | PhaseName::Waiting | PhaseName::Paused)
                )
        };
        self.book.records.get(&need.on).is_some_and(hopeless)
    }
}
