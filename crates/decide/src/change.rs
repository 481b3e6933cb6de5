//! What those who watch are told when a service has become another: from what, to what, and what ended by it.

use mainstay_model::{Exit, Health, PhaseName, Reason, RunId, ServiceId};

use crate::{phase::Goal, service::Service};

/// A change of a service that others see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Which.
    pub id: ServiceId,
    /// From this phase.
    pub from: PhaseName,
    /// To this.
    pub to: PhaseName,
    /// From this health.
    pub from_health: Health,
    /// To this.
    pub health: Health,
    /// Why.
    pub reason: Reason,
    /// Its latest run.
    pub run: RunId,
    /// Whether it counts as ready now.
    pub ready: bool,
    /// Whether it is wanted up.
    pub wanted: bool,
    /// Restarts in a row.
    pub attempt: u32,
    /// How the run ended that this change ended.
    pub exit: Option<Exit>,
    /// Whether something failed by it: a run that ended badly, a start that did not come about, the last attempt.
    pub failed: bool,
}

/// What is seen of a service.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Seen {
    phase: PhaseName,
    ready: bool,
    health: Health,
    run: RunId,
    /// The live run; its end is an end also when another begins at once.
    live: Option<RunId>,
}

impl Seen {
    pub(crate) fn of(service: &Service) -> Self {
        Self {
            phase: service.phase().name(),
            ready: service.is_ready(),
            health: service.health(),
            run: service.run(),
            live: service.phase().live(),
        }
    }

    /// What others are told of a service that was like this before.
    pub(crate) fn change(self, id: &ServiceId, service: &Service) -> Option<Change> {
        let after = Self::of(service);
        let told = |seen: Self| (seen.phase, seen.ready, seen.health, seen.run);
        if told(self) == told(after) {
            return None;
        }
        let ended = self.live.is_some() && self.live != after.live;
        let exit = service.exit().filter(|_| ended && self.live == Some(service.exit_of));
        Some(Change {
            id: id.clone(),
            from: self.phase,
            to: after.phase,
            from_health: self.health,
            health: after.health,
            reason: match self.phase {
                PhaseName::Stopping if ended => service.beside_slips(self.run, service.reason().clone()),
                _ => service.reason().clone(),
            },
            run: after.run,
            ready: after.ready,
            wanted: service.goal() == Goal::Up,
            attempt: service.attempts(),
            exit,
            failed: self.has_failed(after, service, exit),
        })
    }

    fn has_failed(self, after: Self, service: &Service, exit: Option<Exit>) -> bool {
        let success = &service.spec().restart.success_exit_codes;
        let well = matches!(exit, Some(Exit::Code(code)) if success.contains(&code));
        match service.reason() {
            _ if after.phase == self.phase && after.run == self.run => false,
            _ if after.phase == PhaseName::Failed => true,
            // With `always`, one that ended well comes back as well.
            Reason::Backoff { cause, .. } => !(well && matches!(**cause, Reason::Exited(_))),
            // Its delay was nothing: it is being made again already.
            Reason::Spawning { attempt } => *attempt > 0 && self.live.is_some() && !well,
            _ => false,
        }
    }
}
