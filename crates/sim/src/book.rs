//! The simulation's own books: what was asked for and what was told, per service. Independent of `decide`: it never looks
//! at a decision to know what is true.

use std::collections::{BTreeMap, BTreeSet};

use mainstay_model::{Condition, Exit, Health, HookName, Kind, Moment, RunId, ServiceId, ServiceName, Spec};

use crate::{
    policy::{self, Next},
    rolls::Roll,
    run::Run,
};

/// What is known of all services.
#[derive(Debug, Default)]
pub(crate) struct Book {
    pub(crate) records: BTreeMap<ServiceId, Record>,
    /// The highest run of each name in the life of one daemon, also of removed services.
    pub(crate) used_runs: BTreeMap<ServiceId, RunId>,
    /// Runs made from now on are made in the calm.
    pub(crate) calm: bool,
    /// The call is one in which time has passed: what was due is done.
    pub(crate) ticks: bool,
    /// Restarts one after the other.
    pub(crate) rolls: BTreeMap<ServiceName, Roll>,
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
    /// The latest run of which a process was asked for.
    pub(crate) last_run: RunId,
    /// Whether its latest run was made in the calm.
    pub(crate) calm: bool,
    /// What it says of itself.
    pub(crate) said: Option<String>,
    /// How its live run says that it feels.
    pub(crate) feels: Option<Health>,
    /// Its latest run could not be made because the machine had no room.
    pub(crate) starves: bool,
    /// A hook that nobody waits for any more and that must be killed in this call.
    pub(crate) leftover: Option<(HookName, RunId)>,
}

/// One instance needs another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Need {
    pub(crate) on: ServiceId,
    pub(crate) until: Condition,
    pub(crate) restart: bool,
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
            said: None,
            feels: None,
            starves: false,
            leftover: None,
        }
    }

    /// Whether a dependent of it may start.
    pub(crate) fn meets(&self, until: Condition) -> bool {
        let live = self.live.as_ref();
        self.completed
            || match until {
                Condition::Started => live.is_some_and(Run::is_up),
                Condition::Ready => live.is_some_and(|run| run.is_ready(&self.spec)),
                Condition::Healthy => live.is_some_and(|run| run.is_healthy(&self.spec)),
                Condition::Completed => false,
            }
    }

    /// A new run begins, by its before-start hook or by its process.
    pub(crate) fn begin(&mut self, now: Moment, run: RunId, attempt: u32, calm: bool) {
        self.live = Some(Run { begun: now, ..Run::new(run, attempt, now) });
        self.completed = false;
        self.said = None;
        self.feels = None;
        self.calm = calm;
        self.next = Next::Barred;
    }

    /// Its run ended, or could not be made (`None`). Whether this was news.
    pub(crate) fn ended(&mut self, now: Moment, run: RunId, exit: Option<Exit>) -> bool {
        let Some(live) = self.live.as_mut().filter(|live| live.run == run && live.over.is_none()) else {
            return false;
        };
        if live.ending.is_none() && live.ran_long(now, &self.spec) {
            live.attempt = 0;
        }
        // What ran beside it is killed with it.
        self.leftover = live.beside.take().map(|beside| (beside.hook, run));
        match exit.filter(|_| self.spec.hooks.after_stop.is_some()) {
            Some(exit) => {
                live.over = Some(exit);
                live.paused = false;
                live.due.hook = Some(HookName::AfterStop);
            }
            None => self.finish(now, exit),
        }
        true
    }

    /// All of its run is over.
    pub(crate) fn finish(&mut self, now: Moment, exit: Option<Exit>) {
        let Some(live) = self.live.take() else { return };
        let failing_or_lost = live.unclear || live.failing && self.needs.iter().any(|need| need.restart);
        let own_end = || match exit {
            None if self.starves => (policy::without_room(&self.spec.restart, live.attempt, now), false),
            _ => policy::after_end(&self.spec, live.attempt, now, exit),
        };
        (self.next, self.completed) = match &live.ending {
            None if !self.wanted => match own_end() {
                (next, true) if !live.outdated => (next, true),
                _ => (Next::Fresh, false),
            },
            _ if !self.wanted || live.again => (Next::Fresh, false),
            Some(_) if failing_or_lost => (Next::Any, false),
            Some(_) => (policy::after_failure(&self.spec, live.attempt, now), false),
            None => own_end(),
        };
    }

    /// It is described otherwise. Whether it takes a restart.
    pub(crate) fn describe(&mut self, now: Moment, spec: Spec) -> bool {
        let restart = self.spec.needs_restart_for(&spec);
        let old = std::mem::replace(&mut self.spec, spec);
        self.described = true;
        let Some(live) = self.live.as_mut().filter(|live| live.is_up()) else { return restart };
        let first_check = old.kind == Kind::Oneshot && old.ready.is_none() && self.spec.ready.is_some();
        if live.starts() && old.ready != self.spec.ready {
            live.ask(now, &self.spec);
        } else if live.runs() && first_check {
            if live.beside.is_some() {
                self.leftover = live.beside.take().map(|beside| (beside.hook, live.run));
                live.unloading = true;
            }
            live.ask(now, &self.spec);
        } else if live.runs() && old.health != self.spec.health {
            live.ask_health_anew(now, &self.spec);
        }
        restart
    }

    /// What its latest run was made of is not what it is now.
    pub(crate) fn changed(&mut self) {
        match &mut self.live {
            Some(live) if self.wanted => live.start_again(),
            Some(live) => live.outdated = true,
            None => {
                self.next = Next::Fresh;
                self.completed = false;
            }
        }
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
        for id in self.records.iter().filter(|(_, record)| !record.described).map(|(id, _)| id) {
            if let Some(roll) = self.rolls.get_mut(&id.name) {
                roll.leave(id);
            }
        }
        let mut changed = Vec::new();
        for spec in specs {
            match self.records.get_mut(&spec.id) {
                Some(record) => {
                    if record.describe(now, spec.clone()) {
                        changed.push(spec.id.clone());
                    }
                }
                None => {
                    self.records.insert(spec.id.clone(), Record::new(spec.clone()));
                }
            }
        }
        self.draw_edges(specs);
        self.changed(&changed);
    }

    fn draw_edges(&mut self, specs: &[Spec]) {
        // One that has ended leaves with its edges at once; a live one keeps those that it had.
        let gone = |record: &Record| !record.described && record.live.is_none();
        let gone: BTreeSet<ServiceId> =
            self.records.iter().filter(|(_, record)| gone(record)).map(|(id, _)| id.clone()).collect();
        for spec in specs {
            let needs = needs_of(spec, specs);
            if let Some(record) = self.records.get_mut(&spec.id) {
                let follows = record.needs.iter().any(|need| need.restart);
                if let Some(live) = &mut record.live {
                    live.unclear |= live.failing && follows;
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
