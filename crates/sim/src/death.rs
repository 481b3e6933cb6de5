//! The death of a daemon, with everything that was in flight to it, and how the next one learns what is so.

use std::collections::BTreeSet;

use mainstay_decide::{AskedRestart, Found, Live};
use mainstay_model::{Exit, HookName, Moment, PhaseName, ReadyCheck, Reason, RunId, ServiceId, Spec};
use mainstay_runner::Runner;

use crate::{
    blueprint::placeholder,
    book::{Book, Record, needs_of},
    breach::Checked,
    keeper::Keeper,
    policy::{self, Next},
    run::{Beside, Ending, Run},
    storm::{Call, Storm},
};

impl Storm {
    /// The daemon dies now; another one comes some time later.
    pub(crate) fn die(&mut self) -> Checked {
        let asked = self.runner.project().asked_restarts();
        let lost: BTreeSet<ServiceId> = self.keeper.daemon_dies().into_iter().collect();
        let back =
            self.now + if self.dice.chance(60) { self.dice.up_to_ms(50) } else { self.dice.any_span() };
        self.note(|| format!("the daemon dies, and loses {} commands", lost.len()));
        while let Some(at) = self.keeper.next_at().filter(|at| *at <= back) {
            self.now = self.now.max(at);
            // What is told now, nobody hears.
            self.keeper.step(self.now)?;
        }
        self.now = self.now.max(back);
        self.keeper.greet(self.now)?;
        let strays = self.strays();
        self.coverage.see("death", if lost.is_empty() { "quiet" } else { "with commands lost" });
        self.recall(&lost, &strays)?;
        self.resume_restarts(&asked)?;
        if !strays.is_empty() {
            self.coverage.see("death", "with strays");
            let specs = self.saved.specs.clone();
            self.note(|| "apply the same, without strays".to_owned());
            self.book.describe(self.now, &specs);
            let changes = self.runner.apply(self.now, specs).map_err(|error| Self::refused(&error))?;
            self.after(&changes, &Call::REWIRED)?;
        }
        self.restart_outdated()?;
        self.keeper.tell_again(self.now);
        Ok(())
    }

    fn recall(&mut self, lost: &BTreeSet<ServiceId>, strays: &[Spec]) -> Checked {
        self.note(|| "a daemon comes back".to_owned());
        let specs: Vec<Spec> = self.saved.specs.iter().chain(strays).cloned().collect();
        self.book.recall(self.now, &self.keeper, lost, &specs);
        for spec in &specs {
            self.see_recall(&spec.id);
        }
        let seen = |id: &ServiceId| self.keeper.seen(id);
        let (runner, changes) = Runner::recall(self.now, self.hands.clone(), specs, &self.saved.wanted, seen)
            .map_err(|error| Self::refused(&error))?;
        self.runner = runner;
        let project = self.runner.project();
        let phase = |id: &ServiceId| Some((id.clone(), project.service(id)?.phase().name()));
        self.phases = project.ids().filter_map(phase).collect();
        drop(changes);
        self.after(&[], &Call::REWIRED)
    }

    /// What somebody asked for, and the old daemon did not get round to.
    fn resume_restarts(&mut self, asked: &[AskedRestart]) -> Checked {
        if asked.is_empty() {
            return Ok(());
        }
        self.coverage.see("death", "with restarts to come");
        self.note(|| format!("restarts to come: {asked:?}"));
        self.book.resume_restarts(asked);
        let changes = self.runner.resume_restarts(self.now, asked);
        self.after(&changes, &Call::PLAIN)
    }

    /// What was to be restarted for a changed description, and the old daemon did not get round to.
    fn restart_outdated(&mut self) -> Checked {
        let outdated = |spec: &&Spec| self.keeper.is_outdated(spec);
        let outdated: BTreeSet<ServiceId> =
            self.saved.specs.iter().filter(outdated).map(|spec| spec.id.clone()).collect();
        if outdated.is_empty() {
            return Ok(());
        }
        let ids: Vec<ServiceId> =
            self.runner.project().ids().filter(|id| outdated.contains(id)).cloned().collect();
        self.coverage.see("death", "with outdated runs");
        self.note(|| format!("{ids:?} were made of another description"));
        self.book.changed(&ids);
        let changes = self.runner.restart_because(self.now, &ids, &Reason::Changed);
        self.after(&changes, &Call::PLAIN)
    }

    /// What the keeper holds and nobody describes.
    fn strays(&self) -> Vec<Spec> {
        let described: BTreeSet<&ServiceId> = self.saved.specs.iter().map(|spec| &spec.id).collect();
        let held: BTreeSet<&ServiceId> =
            self.keeper.slots.keys().chain(self.keeper.hooks.keys().map(|(id, _)| id)).collect();
        held.into_iter().filter(|id| !described.contains(id)).map(placeholder).collect()
    }

    fn see_recall(&mut self, id: &ServiceId) {
        let Found { memory, live, hooks } = self.keeper.seen(id);
        if let Some((hook, _)) = hooks.live {
            self.coverage.see("death", &format!("beside {hook}"));
        }
        let live = match live {
            Live::Spawning(_) => "Spawning",
            Live::Running(..) => "Running",
            Live::Ending(_) => "Ending",
            Live::Over(_) => "Over",
        };
        let phase = memory.map_or("none", |memory| memory.phase.as_str());
        let goal = if self.saved.wanted.contains(id) { "Up" } else { "Down" };
        self.coverage.see("recall", &format!("{live} {phase} {goal}"));
    }
}

impl Book {
    /// A new daemon has learned what the keeper knows.
    fn recall(&mut self, now: Moment, keeper: &Keeper, lost: &BTreeSet<ServiceId>, specs: &[Spec]) {
        self.records.retain(|_, record| record.described);
        self.used_runs.clear();
        self.rolls.clear();
        for spec in specs {
            // What is no longer described is an instance of its name as long as it is there.
            let record = self.records.entry(spec.id.clone()).or_insert_with(|| Record::new(spec.clone()));
            record.needs = needs_of(spec, specs);
        }
        for (id, record) in &mut self.records {
            record.recall(now, keeper.seen(id), lost.contains(id));
        }
    }
}

impl Record {
    /// A new daemon sees this. `lost`: commands for it were lost with the old one.
    fn recall(&mut self, now: Moment, found: Found, lost: bool) {
        let before = self.live.take();
        self.said = None;
        self.feels = None;
        let Found { memory, live, hooks } = found;
        let Some(memory) = memory else {
            // Nothing of it was ever made; or it is one that nobody describes.
            *self = Self { wanted: self.wanted, needs: self.needs.clone(), ..Self::new(self.spec.clone()) };
            self.recall_run(now, live, &Remembered::default(), hooks.after_start);
            self.recall_hook(now, live, hooks.live, PhaseName::Stopped);
            return;
        };
        let known = Remembered {
            phase: memory.phase,
            since: memory.since,
            attempt: memory.attempts,
            exit: memory.exit,
        };
        if matches!(live, Live::Over(_)) {
            // What followed its end is remembered, unless that was lost with the daemon.
            if lost || before.is_some() {
                self.completed = memory.phase == PhaseName::Completed;
                self.next = Next::Any;
            }
        } else {
            self.completed = false;
        }
        self.recall_run(now, live, &known, hooks.after_start);
        if memory.phase == PhaseName::Stopping
            && let Live::Over(run) = live
        {
            self.completed = false;
            self.next = Next::Any;
            let cleans = hooks.live == Some((HookName::AfterStop, run));
            let due = !cleans && self.spec.hooks.after_stop.is_some();
            if !due && !cleans {
                // It is not described to be cleaned up any more: with its end all is over.
                let exit = known.exit.unwrap_or(Exit::Unknown);
                self.completed = policy::after_end(&self.spec, known.attempt, now, Some(exit)).1;
            }
            if due {
                let mut over = Run::new(run, known.attempt, now);
                over.spawned = true;
                over.over = Some(known.exit.unwrap_or(Exit::Unknown));
                over.due.hook = Some(HookName::AfterStop);
                self.live = Some(over);
            }
        }
        self.recall_hook(now, live, hooks.live, known.phase);
        if let Some(live) = self.live.as_mut().filter(|live| live.over.is_some()) {
            live.over = Some(known.exit.unwrap_or(Exit::Unknown));
            live.attempt = known.attempt;
        }
        if let Some(live) = self.live.as_mut().filter(|live| !live.spawned) {
            live.attempt = known.attempt;
        }
    }

    fn recall_run(&mut self, now: Moment, live: Live, known: &Remembered, announced: RunId) {
        let (run, pid) = match live {
            Live::Spawning(run) | Live::Ending(run) => (run, None),
            Live::Running(run, pid) => (run, Some(pid)),
            Live::Over(run) => {
                self.last_run = run;
                return;
            }
        };
        self.last_run = run;
        let mut live = Run::new(run, known.attempt, now);
        live.spawned = true;
        (live.made, live.pid) = (pid.is_some(), pid);
        live.limit = self.spec.watchdog;
        live.announced = announced == run;
        if live.made {
            live.due.thaw = known.phase == PhaseName::Stopping;
            live.recall(now, &self.spec, known);
        }
        self.live = Some(live);
    }

    /// A hook that an earlier daemon began.
    fn recall_hook(
        &mut self,
        now: Moment,
        seen: Live,
        hook: Option<(HookName, RunId)>,
        remembered: PhaseName,
    ) {
        let Some((hook, run)) = hook else { return };
        let kill_at = Some(self.spec.hook(hook).map_or(now, |hook| now + hook.timeout));
        let beside = Some(Beside { hook, kill_at });
        match (hook, seen) {
            (HookName::BeforeStart, Live::Over(last)) if run > last => {
                self.live = Some(Run { beside, ..Run::new(run, 0, now) });
                self.completed = false;
            }
            (HookName::AfterStop, Live::Over(of)) if of == run => {
                // Else what follows does not depend on how it ended.
                let own_end = remembered == PhaseName::Stopping;
                let asked = Ending { preparing: false, kill_at: None, killed: false };
                self.live = Some(Run {
                    spawned: true,
                    beside,
                    again: self.wanted && !own_end,
                    over: Some(Exit::Unknown),
                    ending: (!own_end).then_some(asked),
                    ..Run::new(run, 0, now)
                });
                self.completed = false;
            }
            (_, Live::Running(of, _)) if of == run => {
                if !self.live.as_mut().is_some_and(|live| live.recall_hook(beside, self.wanted)) {
                    self.leftover = Some((hook, run));
                }
            }
            _ => self.leftover = Some((hook, run)),
        }
    }
}

/// What the keeper remembers of a service.
struct Remembered {
    phase: PhaseName,
    since: Moment,
    attempt: u32,
    exit: Option<Exit>,
}

impl Default for Remembered {
    fn default() -> Self {
        Self { phase: PhaseName::Stopped, since: Moment::ZERO, attempt: 0, exit: None }
    }
}

impl Run {
    /// Its process is there: as far as it has come, and asked again whether it is ready.
    fn recall(&mut self, now: Moment, spec: &Spec, known: &Remembered) {
        if known.phase == PhaseName::Paused {
            (self.ready, self.paused, self.running_at) = (true, true, Some(known.since));
            return;
        }
        match spec.ready.as_ref().map(|policy| &policy.check) {
            Some(ReadyCheck::After(span)) if known.since + *span <= now => self.succeed(now, spec),
            Some(ReadyCheck::After(_)) => self.ask(known.since, spec),
            _ => self.ask(now, spec),
        }
        if self.running_at.is_some() {
            self.running_at = Some(known.since);
        }
    }

    /// A hook stands beside its process. Whether somebody waits for it.
    fn recall_hook(&mut self, beside: Option<Beside>, wanted: bool) -> bool {
        let Some(Beside { hook, .. }) = beside else { return false };
        match hook {
            HookName::AfterStart => {
                (self.ready, self.running_at, self.paused) = (true, None, false);
                self.question = None;
            }
            HookName::BeforeStop => {
                (self.ready, self.paused) = (true, false);
                self.ending = Some(Ending { preparing: true, kill_at: None, killed: false });
                self.again = wanted;
            }
            HookName::Reload if self.runs() => {}
            HookName::Reload => {
                self.unloading = true;
                return false;
            }
            HookName::BeforeStart | HookName::AfterStop => return false,
        }
        self.due.hook = None;
        self.beside = beside;
        true
    }
}
