//! Looks at the project after each call: whether it stands where the books say that it must.

use mainstay_decide::{Goal, Phase, Project, Service};
use mainstay_model::{Condition, HookName, Moment, PhaseName, ReadyPolicy, RunId, ServiceId};

use crate::{
    Invariant,
    book::{Book, Need, Record},
    breach::{Checked, breach, hold},
    policy::{Next, ROUNDING},
    reasons,
    run::{Doing, Run},
};

/// Whether the call was a tick: then what was due is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ticked {
    /// It was.
    Yes,
    /// It was not.
    No,
}

impl Book {
    /// Whether every service is where it must be.
    pub(crate) fn look(&mut self, now: Moment, project: &Project, ticked: Ticked) -> Checked {
        self.advance_all(project);
        let mut wake: Option<Moment> = None;
        for (id, record) in &self.records {
            let Some(service) = project.service(id) else {
                return Err(breach(Invariant::RemovedForgotten, format!("{id} is not in the project")));
            };
            wake = wake.into_iter().chain(service.wake_at()).min();
            self.look_at(id, record, service)?;
            reasons::check(id, service, now)?;
            match (&record.live, ticked) {
                (Some(live), Ticked::Yes) => live.check_due(now, id, record)?,
                (Some(_) | None, Ticked::Yes | Ticked::No) => {}
            }
        }
        let known = self.records.len();
        hold(project.ids().count() == known, Invariant::RemovedForgotten, || {
            format!("the project has {} services, expected {known}", project.ids().count())
        })?;
        let told = project.wake_at();
        hold(told == wake, Invariant::WakesKept, || format!("the next wake is {told:?}, expected {wake:?}"))?;
        hold(ticked == Ticked::No || wake.is_none_or(|at| at > now), Invariant::WakesKept, || {
            format!("after a tick at {now:?} the next wake is {wake:?}")
        })
    }

    fn look_at(&self, id: &ServiceId, record: &Record, service: &Service) -> Checked {
        let goal = if record.wanted { Goal::Up } else { Goal::Down };
        hold(service.goal() == goal, Invariant::GoalsAsAsked, || format!("{id} is not wanted {goal:?}"))?;
        let live = record.live.as_ref().map(|live| live.run);
        hold(service.phase().live() == live, Invariant::KnownRuns, || {
            format!("{id} has the live run {:?}, expected {live:?}", service.phase().live())
        })?;
        hold(service.feels() == record.feels, Invariant::ReasonForEveryState, || {
            format!("{id} feels {:?}, and is told to feel {:?}", record.feels, service.feels())
        })?;
        hold(service.said() == record.said.as_deref(), Invariant::ReasonForEveryState, || {
            format!("{id} says {:?}, and is told to say {:?}", record.said, service.said())
        })?;
        hold(record.leftover.is_none(), Invariant::HooksFinished, || {
            format!("{id}: {:?} is left behind", record.leftover)
        })?;
        for until in [Condition::Started, Condition::Ready, Condition::Healthy, Condition::Completed] {
            let (is, must) = (service.meets(until), record.meets(until));
            hold(is == must, Invariant::DependenciesFirst, || {
                format!("{id} counts as having reached {until:?}: {is}, expected {must}")
            })?;
        }
        match &record.live {
            Some(live) => {
                self.look_at_live(id, record, live)?;
                live.look_at_care(id, service)
            }
            None => self.look_at_over(id, record, service.phase()),
        }
    }

    fn look_at_live(&self, id: &ServiceId, record: &Record, live: &Run) -> Checked {
        let ends = live.ending.is_some() || live.over.is_some();
        let held = record.wanted || ends || self.live_dependents(id).next().is_some();
        hold(held, Invariant::StoppedWhenAllowed, || {
            format!("{id} is not wanted, nobody needs it, and it runs on")
        })?;
        hold(!live.again || ends, Invariant::RestartsCarriedOut, || {
            format!("{id} is to be restarted and nobody ended it")
        })?;
        let killed = live.over.is_some() || live.ending.is_some_and(|ending| ending.killed || !live.spawned);
        hold(killed || !live.kill_requested, Invariant::KilledInTime, || {
            format!("{id} is not killed on request")
        })?;
        hold(!live.failing || ends, Invariant::HealthCounted, || {
            format!("{id} has failed too often or too long, and lives on")
        })?;
        let asked = live.question.is_some() || live.refused_at.is_some();
        hold(asked || !live.is_asking(&record.spec), Invariant::ChecksAsked, || format!("nobody asks {id}"))
    }

    fn look_at_over(&self, id: &ServiceId, record: &Record, phase: &Phase) -> Checked {
        let expect = |is: bool, invariant, what: &str| {
            hold(is, invariant, || format!("{id} is {phase:?}, expected {what} ({:?})", record.next))
        };
        if !record.wanted {
            let down = [PhaseName::Stopped, PhaseName::Completed].contains(&phase.name());
            return expect(down, Invariant::GoalsAsAsked, "to be stopped");
        }
        if *phase == Phase::WaitingForDependency {
            expect(
                self.unmet(record).is_some(),
                Invariant::StartedWhenAllowed,
                "to start: nothing is missing",
            )?;
        }
        match record.next {
            Next::Any => Ok(()),
            Next::Fresh => {
                let waits = *phase == Phase::WaitingForDependency;
                expect(waits, Invariant::StartedWhenAllowed, "to start or to wait for a dependency")
            }
            Next::Restart { at, or_fresh, .. } => match phase {
                Phase::WaitingForDependency => Ok(()),
                Phase::WaitingForBackoff { until } => {
                    let late = until.since(at).max(at.since(*until)) > ROUNDING;
                    expect(
                        !late || or_fresh,
                        Invariant::BackoffInBounds,
                        "to wait as long as its policy says",
                    )
                }
                _ => expect(false, Invariant::StartedWhenAllowed, "to wait for its restart"),
            },
            Next::Barred => {
                let over = if record.completed { Phase::Completed } else { Phase::Failed };
                expect(*phase == over, Invariant::PolicyKept, "to be over")
            }
            Next::Ended => expect(*phase == Phase::Stopped, Invariant::PolicyKept, "to have ended"),
        }
    }

    /// What a loss would restart: who, in which run, for which need.
    pub(crate) fn restart_edges(&self) -> Vec<(ServiceId, RunId, Need)> {
        let mut edges = Vec::new();
        for (id, record) in &self.records {
            let Some(live) = record.live.as_ref().filter(|live| live.over.is_none()) else { continue };
            let holds = |need: &&Need| {
                need.restart && self.records.get(&need.on).is_some_and(|on| on.meets(need.until))
            };
            edges.extend(record.needs.iter().filter(holds).map(|need| (id.clone(), live.run, need.clone())));
        }
        edges
    }

    /// Whether each whose need was lost since is being restarted.
    pub(crate) fn check_lost(&self, edges: &[(ServiceId, RunId, Need)]) -> Checked {
        for (id, run, need) in edges {
            let holds = self.records.get(&need.on).is_some_and(|on| on.meets(need.until));
            let Some(record) = self.records.get(id).filter(|record| record.wanted && !holds) else {
                continue;
            };
            let ends = |live: &Run| live.ending.is_some() || live.over.is_some() || live.unclear;
            let on = record.live.as_ref().is_some_and(|live| live.run == *run && !ends(live));
            hold(!on, Invariant::LostDependency, || format!("{id} runs on though {} went away", need.on))?;
        }
        Ok(())
    }
}

impl Run {
    /// Whether the daemon knows what the books know of it, and has asked for what it had to.
    fn look_at_care(&self, id: &ServiceId, service: &Service) -> Checked {
        let phase = service.phase();
        let frozen = matches!(phase, Phase::Paused { .. });
        let paused = self.paused && self.is_up();
        hold(frozen == paused, Invariant::PausesKept, || format!("{id} is {phase:?}, frozen: {paused}"))?;
        let reloads = self.vitals.doing == Doing::Reloading || self.waits_for(HookName::Reload);
        let reloads = self.runs() && reloads;
        hold(service.reload().0 == reloads, Invariant::RequestsCarriedOut, || {
            format!("{id} reads its configuration again: {}, expected {reloads}", !reloads)
        })?;
        hold(service.since() >= self.begun, Invariant::ReasonForEveryState, || {
            format!("{id} is {phase:?} since {:?}, and began at {:?}", service.since(), self.begun)
        })?;
        let pid = self.pid.filter(|_| self.over.is_none());
        hold(phase.pid() == pid, Invariant::KnownRuns, || {
            format!("{id} has the process {:?}, expected {pid:?}", phase.pid())
        })?;
        if let Some(due) = self.left_undone() {
            return Err(breach(
                Invariant::RequestsCarriedOut,
                format!("{id}: nobody does {due:?}, {phase:?}"),
            ));
        }
        let unasked = self.ending.is_some_and(|ending| ending.preparing) && self.beside.is_none();
        hold(!unasked || self.over.is_some(), Invariant::HooksFinished, || {
            format!("{id}: its before_stop is over, and nobody asks it to end")
        })?;
        let alone = !self.spawned || self.over.is_some();
        let hook = self.beside.map(|beside| beside.hook);
        let in_place = match hook {
            Some(HookName::BeforeStart | HookName::AfterStop) => alone,
            Some(HookName::AfterStart | HookName::BeforeStop | HookName::Reload) => !alone,
            None => !alone,
        };
        hold(in_place, Invariant::HooksInPlace, || format!("{id}: {hook:?} in {phase:?}"))
    }

    /// Whether everything that was due is done.
    fn check_due(&self, now: Moment, id: &ServiceId, record: &Record) -> Checked {
        let overdue = self.ending.is_some_and(|ending| ending.kill_at.is_some_and(|at| at <= now));
        hold(!overdue || self.over.is_some(), Invariant::KilledInTime, || {
            format!("{id} did not end in time, and is not killed")
        })?;
        let late = self.deadline(&record.spec).is_some_and(|at| at <= now);
        hold(!late, Invariant::ReadyInTime, || format!("{id} is not ready in time, and lives on"))?;
        let interval = record.spec.ready.as_ref().map(|policy: &ReadyPolicy| policy.interval);
        let silent = self.is_asking(&record.spec)
            && self.question.is_none()
            && self.refused_at.zip(interval).is_some_and(|(at, interval)| at + interval <= now);
        hold(!silent, Invariant::ChecksAsked, || format!("{id} said no, and is not asked again"))?;
        let unasked = self.runs() && self.vitals.next.is_some_and(|(_, until)| until <= now);
        hold(!unasked, Invariant::HealthCounted, || format!("{id} is not asked for its health"))?;
        let hangs = self.beside.is_some_and(|beside| beside.kill_at.is_some_and(|at| at <= now));
        hold(!hangs, Invariant::HooksFinished, || {
            format!("{id}: {:?} hangs, and is not killed", self.beside)
        })?;
        let silent = self.runs() && self.vitals.silent_at.is_some_and(|at| at <= now);
        hold(!silent, Invariant::WatchdogKept, || format!("{id} is silent, and lives on"))
    }
}
