//! A description on probation: it is taken back when something that was well is not any more. Knows no clock and carries
//! nothing out.

use std::collections::BTreeSet;

use mainstay_model::{Moment, ServiceId};

use crate::{
    change::Change,
    phase::{Goal, Phase},
    project::Project,
    settle::Standing,
};

/// An apply that is being watched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probation {
    /// Until when.
    pub until: Moment,
    /// What was well before, and is to be so at the end.
    well: BTreeSet<ServiceId>,
}

/// What became of a probation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Not known yet.
    Open,
    /// Everything that was well is so.
    Kept,
    /// This one was well, and is not any more.
    Broken {
        /// Which.
        by: ServiceId,
    },
}

impl Probation {
    /// Begins before the description is applied: what is well now is what counts. What the new description no longer has does
    /// not.
    pub fn begin(project: &Project, until: Moment, described: &BTreeSet<ServiceId>) -> Self {
        let well = |id: &&ServiceId| described.contains(id) && is_well(project, id);
        Self { until, well: project.ids().filter(well).cloned().collect() }
    }

    /// One that began before somebody died who held it.
    pub fn recall(until: Moment, well: BTreeSet<ServiceId>) -> Self {
        Self { until, well }
    }

    /// What was well when it began.
    pub fn well(&self) -> &BTreeSet<ServiceId> {
        &self.well
    }

    /// What a change says of it: a failure of something that was well is enough, however it comes out.
    pub fn heard(&self, change: &Change) -> Verdict {
        match change.failed && change.wanted && self.well.contains(&change.id) {
            true => Verdict::Broken { by: change.id.clone() },
            false => Verdict::Open,
        }
    }

    /// How it stands at this moment: at its end, what was well must be so again; before, nothing may have given up. What
    /// somebody stopped or paused meanwhile is not well by that person's wish, and is no matter.
    pub fn judge(&self, project: &Project, now: Moment) -> Verdict {
        let meant = |id: &&ServiceId| {
            project.service(id).is_none_or(|service| {
                service.goal() == Goal::Up && !matches!(service.phase(), Phase::Paused { .. })
            })
        };
        let lost = |id: &ServiceId| project.standing_up(id) == Standing::Failed;
        let over = now >= self.until;
        let unwell = |id: &ServiceId| over && !is_well(project, id);
        match self.well.iter().filter(meant).find(|id| lost(id) || unwell(id)) {
            Some(by) => Verdict::Broken { by: by.clone() },
            None if over => Verdict::Kept,
            None => Verdict::Open,
        }
    }
}

fn is_well(project: &Project, id: &ServiceId) -> bool {
    project.service(id).is_some_and(crate::Service::is_healthy)
}
