//! The simulation's own books: what was asked for and what was told, per service. Independent of `decide`: it never looks
//! at a decision to know what is true.

use std::collections::{BTreeMap, BTreeSet};

use mainstay_decide::QuestionId;
use mainstay_model::{Condition, Exit, Kind, Moment, ReadyCheck, RunId, ServiceId, Spec};

use crate::{
    keeper::{Slot, SlotState},
    policy::{self, Next},
};

/// What is known of all services.
#[derive(Debug, Default)]
pub(crate) struct Book {
    pub(crate) records: BTreeMap<ServiceId, Record>,
    /// The highest run of each name in the life of one daemon, also of removed services.
    pub(crate) used_runs: BTreeMap<ServiceId, RunId>,
    /// Runs made from now on are made in the calm.
    pub(crate) calm: bool,
}

/// What is known of one service.
#[derive(Debug)]
pub(crate) struct Record {
    pub(crate) spec: Spec,
    /// Whether it is in the project; else it is being removed.
    pub(crate) described: bool,
    pub(crate) needs: Vec<Need>,
    pub(crate) wanted: bool,
    pub(crate) live: Option<Run>,
    pub(crate) completed: bool,
    pub(crate) next: Next,
    pub(crate) last_run: RunId,
    /// Whether its latest run was made in the calm.
    pub(crate) calm: bool,
}

/// One instance needs another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Need {
    pub(crate) on: ServiceId,
    pub(crate) until: Condition,
    pub(crate) restart: bool,
}

/// A live run: asked for, and no end told.
#[derive(Clone, Debug)]
pub(crate) struct Run {
    pub(crate) run: RunId,
    pub(crate) attempt: u32,
    /// When its process was told to be there.
    pub(crate) made: bool,
    /// Since when its check is asked.
    pub(crate) asking_since: Moment,
    /// Since when it runs as far as anybody asks.
    pub(crate) running_at: Option<Moment>,
    /// The question that is not answered.
    pub(crate) question: Option<QuestionId>,
    /// The latest question, answered or not.
    pub(crate) latest_question: QuestionId,
    /// When its check last said no.
    pub(crate) refused_at: Option<Moment>,
    /// It was asked to end.
    pub(crate) ending: Option<Ending>,
    /// A new start is to follow its end.
    pub(crate) again: bool,
    /// It was asked to end because it was not ready in time.
    pub(crate) timed_out: bool,
    /// And perhaps to start again, because something that it needs went away meanwhile.
    pub(crate) unclear: bool,
    /// It was made of another description, and was not wanted when that came.
    pub(crate) outdated: bool,
    /// Somebody asked for it to be killed.
    pub(crate) kill_requested: bool,
}

/// How a run was asked to end.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ending {
    /// When it is to be killed if it has not ended.
    pub(crate) kill_at: Option<Moment>,
    pub(crate) killed: bool,
}

impl Run {
    fn new(run: RunId, attempt: u32, now: Moment) -> Self {
        Self {
            run,
            attempt,
            made: false,
            asking_since: now,
            running_at: None,
            question: None,
            latest_question: QuestionId::default(),
            refused_at: None,
            ending: None,
            again: false,
            timed_out: false,
            unclear: false,
            outdated: false,
            kill_requested: false,
        }
    }

    /// Whether its check (one that can say no) is being asked.
    pub(crate) fn is_asking(&self, spec: &Spec) -> bool {
        let asked = |check: &ReadyCheck| !matches!(check, ReadyCheck::After(_));
        self.made
            && self.running_at.is_none()
            && self.ending.is_none()
            && spec.ready.as_ref().is_some_and(|policy| asked(&policy.check))
    }

    /// When its check has failed, if it can.
    pub(crate) fn deadline(&self, spec: &Spec) -> Option<Moment> {
        let policy = spec.ready.as_ref().filter(|_| self.is_asking(spec))?;
        Some(self.asking_since + policy.timeout)
    }
}

impl Record {
    /// Nobody has started it.
    pub(crate) fn new(spec: Spec) -> Self {
        Self {
            spec,
            described: true,
            needs: Vec::new(),
            wanted: false,
            live: None,
            completed: false,
            next: Next::Fresh,
            last_run: RunId::default(),
            calm: false,
        }
    }

    /// Whether a dependent of it may start.
    pub(crate) fn meets(&self, until: Condition) -> bool {
        let up = self.live.as_ref().filter(|run| run.made && run.ending.is_none());
        let asked = self.spec.kind == Kind::Permanent || self.spec.ready.is_some();
        self.completed
            || match until {
                Condition::Started => up.is_some(),
                Condition::Ready => up.is_some_and(|run| run.running_at.is_some() && asked),
                Condition::Completed => false,
            }
    }

    /// A process was asked for.
    pub(crate) fn spawned(&mut self, now: Moment, run: RunId, attempt: u32, calm: bool) {
        self.live = Some(Run::new(run, attempt, now));
        self.completed = false;
        self.last_run = run;
        self.calm = calm;
        self.next = Next::Barred;
    }

    /// Its process is there.
    pub(crate) fn made(&mut self, now: Moment, run: RunId) {
        let no_check = self.spec.ready.is_none();
        let Some(live) = self.live.as_mut().filter(|live| live.run == run && !live.made) else { return };
        live.made = true;
        if live.ending.is_none() {
            live.asking_since = now;
            live.running_at = no_check.then_some(now);
        }
    }

    /// Its check was answered. Whether this was news.
    pub(crate) fn answered(&mut self, now: Moment, run: RunId, question: QuestionId, yes: bool) -> bool {
        let asking = |live: &&mut Run| live.run == run && live.is_asking(&self.spec);
        let Some(live) = self.live.as_mut().filter(asking) else { return false };
        if live.question.take_if(|asked| *asked == question).is_none() {
            return false;
        }
        match yes {
            true => live.running_at = Some(now),
            false => live.refused_at = Some(now),
        }
        true
    }

    /// Whether another question than this one is waiting for its answer.
    pub(crate) fn is_asked_otherwise(&self, run: RunId, question: QuestionId) -> bool {
        let live = self.live.as_ref().filter(|live| live.run == run);
        live.and_then(|live| live.question).is_some_and(|asked| asked != question)
    }

    /// Time has passed: a check that is only time has succeeded.
    pub(crate) fn ticked(&mut self, now: Moment) {
        let Some(ReadyCheck::After(span)) = self.spec.ready.as_ref().map(|policy| policy.check.clone())
        else {
            return;
        };
        if let Some(live) = &mut self.live
            && live.made
            && live.ending.is_none()
            && live.running_at.is_none()
            && live.asking_since + span <= now
        {
            live.running_at = Some(now);
        }
    }

    /// Its run ended, or could not be made (`None`). Whether this was news.
    pub(crate) fn ended(&mut self, now: Moment, run: RunId, exit: Option<Exit>) -> bool {
        let Some(live) = self.live.take_if(|live| live.run == run) else { return false };
        let timed_out_or_lost = live.unclear || live.timed_out && self.needs.iter().any(|need| need.restart);
        self.next = match &live.ending {
            None if !self.wanted => {
                let (next, completed) = policy::after_end(&self.spec, live.attempt, now, exit);
                self.completed = completed;
                if completed { next } else { Next::Fresh }
            }
            _ if !self.wanted || live.again => Next::Fresh,
            Some(_) if timed_out_or_lost => Next::Any,
            Some(_) => policy::after_failure(&self.spec, live.attempt, now),
            None => {
                let stable = live.running_at.is_some_and(|at| now.since(at) >= self.spec.restart.reset_after);
                let row = if stable { 0 } else { live.attempt };
                let (next, completed) = policy::after_end(&self.spec, row, now, exit);
                self.completed = completed;
                next
            }
        };
        true
    }

    /// It is described otherwise.
    pub(crate) fn describe(&mut self, now: Moment, spec: Spec) {
        let restart = self.spec.needs_restart_for(&spec);
        let old = std::mem::replace(&mut self.spec, spec);
        self.described = true;
        if restart {
            self.changed();
        }
        let first_check = old.kind == Kind::Oneshot && old.ready.is_none();
        if let Some(live) = &mut self.live
            && live.made
            && live.ending.is_none()
            && old.ready != self.spec.ready
            && (live.running_at.is_none() || first_check)
        {
            live.asking_since = now;
            live.question = None;
            live.refused_at = None;
            live.running_at = self.spec.ready.is_none().then_some(now);
        }
    }

    /// What its latest run was made of is not what it is now.
    pub(crate) fn changed(&mut self) {
        match &mut self.live {
            Some(live) if self.wanted => live.again = true,
            Some(live) => live.outdated = true,
            None => {
                self.next = Next::Fresh;
                self.completed = false;
            }
        }
    }

    /// A new daemon sees this slot. `lost`: commands for it were lost with the old one.
    pub(crate) fn recall(&mut self, now: Moment, slot: Option<&Slot>, lost: bool) {
        let Some(slot) = slot else {
            *self = Self { wanted: self.wanted, needs: self.needs.clone(), ..Self::new(self.spec.clone()) };
            return;
        };
        self.last_run = slot.run;
        if slot.state == SlotState::Over {
            if lost {
                let phase = slot.memory.as_ref().map(|memory| memory.phase);
                self.completed = phase == Some(mainstay_model::PhaseName::Completed);
                self.next = Next::Any;
            }
            self.live = None;
            return;
        }
        let mut live = Run::new(slot.run, slot.attempt, now);
        self.completed = false;
        if let SlotState::Running(_) = slot.state {
            live.made = true;
            let check = self.spec.ready.as_ref().map(|policy| policy.check.clone());
            match check {
                None => live.running_at = Some(slot.asked_at),
                Some(ReadyCheck::After(span)) => {
                    live.asking_since = slot.asked_at;
                    live.running_at = (slot.asked_at + span <= now).then_some(slot.asked_at);
                }
                Some(ReadyCheck::Tcp(_) | ReadyCheck::Exec(_)) => {}
            }
        }
        self.live = Some(live);
    }
}

impl Book {
    /// Whether each need of this one holds; else the first that does not.
    pub(crate) fn unmet(&self, record: &Record) -> Option<Need> {
        let holds = |need: &&Need| self.records.get(&need.on).is_some_and(|on| on.meets(need.until));
        record.needs.iter().find(|need| !holds(need)).cloned()
    }

    /// Who needs this one and lives.
    pub(crate) fn live_dependents<'a>(&'a self, id: &'a ServiceId) -> impl Iterator<Item = &'a ServiceId> {
        let needs = move |record: &Record| record.needs.iter().any(|need| need.on == *id);
        self.records
            .iter()
            .filter(move |(_, record)| record.live.is_some() && needs(record))
            .map(|(id, _)| id)
    }

    /// These, and what they need.
    pub(crate) fn with_needs(&self, ids: &[ServiceId]) -> BTreeSet<ServiceId> {
        self.closure(ids, |id| {
            let record = self.records.get(id);
            record.into_iter().flat_map(|record| record.needs.iter().map(|need| need.on.clone())).collect()
        })
    }

    /// These, and what needs them.
    pub(crate) fn with_dependents(&self, ids: &[ServiceId]) -> BTreeSet<ServiceId> {
        self.closure(ids, |id| {
            let needs = |record: &Record| record.needs.iter().any(|need| need.on == *id);
            self.records.iter().filter(|(_, record)| needs(record)).map(|(id, _)| id.clone()).collect()
        })
    }

    /// A new description: what is gone is not wanted, and the edges are drawn anew.
    pub(crate) fn describe(&mut self, now: Moment, specs: &[Spec]) {
        let described: BTreeSet<&ServiceId> = specs.iter().map(|spec| &spec.id).collect();
        for (id, record) in &mut self.records {
            if !described.contains(id) {
                record.described = false;
                record.stop();
            }
        }
        for spec in specs {
            match self.records.get_mut(&spec.id) {
                Some(record) => record.describe(now, spec.clone()),
                None => {
                    self.records.insert(spec.id.clone(), Record::new(spec.clone()));
                }
            }
        }
        // One that has ended leaves with its edges at once; a live one keeps those that it had.
        let gone = |record: &Record| !record.described && record.live.is_none();
        let gone: BTreeSet<ServiceId> =
            self.records.iter().filter(|(_, record)| gone(record)).map(|(id, _)| id.clone()).collect();
        for spec in specs {
            let needs = needs_of(spec, specs);
            if let Some(record) = self.records.get_mut(&spec.id) {
                let follows = record.needs.iter().any(|need| need.restart);
                if let Some(live) = &mut record.live {
                    live.unclear |= live.timed_out && follows;
                }
                record.needs = needs;
            }
        }
        for id in &gone {
            self.cut(id);
        }
    }

    /// This one is no more.
    pub(crate) fn cut(&mut self, id: &ServiceId) {
        for record in self.records.values_mut() {
            record.needs.retain(|need| need.on != *id);
        }
    }

    fn closure(&self, ids: &[ServiceId], next: impl Fn(&ServiceId) -> Vec<ServiceId>) -> BTreeSet<ServiceId> {
        let known = |id: &&ServiceId| self.records.contains_key(id);
        let mut open: Vec<ServiceId> = ids.iter().filter(known).cloned().collect();
        let mut reached = BTreeSet::new();
        while let Some(id) = open.pop() {
            if !reached.contains(&id) {
                open.extend(next(&id));
                reached.insert(id);
            }
        }
        reached
    }
}

pub(crate) fn needs_of(spec: &Spec, specs: &[Spec]) -> Vec<Need> {
    let mut needs = Vec::new();
    for dependency in &spec.depends_on {
        let instances = specs.iter().filter(|other| other.id.name == dependency.on);
        needs.extend(instances.map(|on| Need {
            on: on.id.clone(),
            until: dependency.until,
            restart: dependency.restart,
        }));
    }
    needs
}
