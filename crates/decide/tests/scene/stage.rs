//! A project on a stage: a test says what happens, and reads what was asked for, in words.

use std::collections::BTreeSet;

use mainstay_decide::{
    Action, AskedRestart, Change, Event, GraphError, Live, Memory, Notice, Outcome, Project, QuestionId,
};
use mainstay_model::{
    Exit, HookName, Moment, PhaseName, RunId, ServiceId, Signal, SpawnFailure, SpawnFailureKind, Spec,
};

use super::{at, id};

/// A project, its clock, and what it asked for since the last look.
pub struct Stage {
    pub project: Project,
    pub now: Moment,
    asked: Vec<String>,
    removed: Vec<ServiceId>,
    /// Everything that others saw, since the beginning.
    pub changes: Vec<(Moment, Change)>,
}

impl Stage {
    /// These are described, and nothing is wanted.
    pub fn of(specs: &[Spec]) -> Self {
        let mut stage = Self {
            project: Project::default(),
            now: at(100),
            asked: Vec::new(),
            removed: Vec::new(),
            changes: Vec::new(),
        };
        stage.apply(specs);
        stage
    }

    /// What an earlier daemon left.
    pub fn recalled(specs: &[Spec], wanted: &[&str], seen: &[(&str, Option<Memory>, Live)]) -> Self {
        Self::recalled_at(at(100), specs, wanted, seen)
    }

    /// The same at this moment.
    pub fn recalled_at(
        now: Moment,
        specs: &[Spec],
        wanted: &[&str],
        seen: &[(&str, Option<Memory>, Live)],
    ) -> Self {
        let wanted: BTreeSet<ServiceId> = wanted.iter().map(|name| id(name)).collect();
        let find = |id: &ServiceId| {
            let found = seen.iter().find(|(name, ..)| id.to_string() == *name);
            found.map_or((None, Live::Over(RunId(0))), |(_, memory, live)| (memory.clone(), *live)).into()
        };
        let (project, outcome) = Project::recall(now, specs.to_vec(), &wanted, find).unwrap();
        let mut stage = Self { project, now, asked: Vec::new(), removed: Vec::new(), changes: Vec::new() };
        stage.take(outcome);
        stage
    }

    pub fn apply(&mut self, specs: &[Spec]) {
        self.try_apply(specs).unwrap();
    }

    pub fn try_apply(&mut self, specs: &[Spec]) -> Result<(), GraphError> {
        let outcome = self.project.apply(self.now, specs.to_vec())?;
        self.take(outcome);
        Ok(())
    }

    pub fn want(&mut self, names: &[&str]) {
        let outcome = self.project.want(self.now, &ids(names));
        self.take(outcome);
    }

    pub fn start(&mut self, names: &[&str]) {
        let outcome = self.project.start(self.now, &ids(names));
        self.take(outcome);
    }

    pub fn stop(&mut self, names: &[&str]) {
        let outcome = self.project.stop(self.now, &ids(names));
        self.take(outcome);
    }

    pub fn restart(&mut self, names: &[&str]) {
        let outcome = self.project.restart(self.now, &ids(names));
        self.take(outcome);
    }

    pub fn kill(&mut self, names: &[&str]) {
        let outcome = self.project.kill(self.now, &ids(names));
        self.take(outcome);
    }

    pub fn pause(&mut self, names: &[&str]) {
        let outcome = self.project.pause(self.now, &ids(names));
        self.take(outcome);
    }

    pub fn resume(&mut self, names: &[&str]) {
        let outcome = self.project.resume(self.now, &ids(names));
        self.take(outcome);
    }

    pub fn reload(&mut self, names: &[&str]) {
        let outcome = self.project.reload(self.now, &ids(names));
        self.take(outcome);
    }

    pub fn reset(&mut self, names: &[&str]) {
        let outcome = self.project.reset(self.now, &ids(names));
        self.take(outcome);
    }

    pub fn roll(&mut self, names: &[&str]) {
        let outcome = self.project.roll(self.now, &ids(names));
        self.take(outcome);
    }

    /// Goes on with what an earlier daemon was asked for.
    pub fn resume_restarts(&mut self, asked: &[AskedRestart]) {
        let outcome = self.project.resume_restarts(self.now, asked);
        self.take(outcome);
    }

    pub fn says(&mut self, name: &str, notice: Notice) {
        let run = self.run(name);
        self.event(name, Event::Notified { run, notice });
    }

    pub fn hook(&mut self, name: &str, hook: HookName, result: Result<(), &str>) {
        let run = self.run(name);
        self.event(name, Event::HookEnded { run, hook, result: result.map_err(str::to_owned) });
    }

    /// The processes asked for last are there.
    pub fn made(&mut self, names: &[&str]) {
        for name in names {
            let run = self.run(name);
            self.event(name, Event::Spawned { run, pid: 42 });
        }
    }

    pub fn not_made(&mut self, name: &str) {
        let run = self.run(name);
        let failure =
            SpawnFailure { kind: SpawnFailureKind::NoProgram, text: "`./serve` is missing".to_owned() };
        self.event(name, Event::NotSpawned { run, failure });
    }

    /// Whoever was making it died over that.
    pub fn interrupted(&mut self, name: &str) {
        let run = self.run(name);
        let failure = SpawnFailure { kind: SpawnFailureKind::Interrupted, text: "killed".to_owned() };
        self.event(name, Event::NotSpawned { run, failure });
    }

    /// The machine had no room for it.
    pub fn starved(&mut self, name: &str) {
        let run = self.run(name);
        let failure = SpawnFailure { kind: SpawnFailureKind::NoResources, text: "no room".to_owned() };
        self.event(name, Event::NotSpawned { run, failure });
    }

    pub fn exited(&mut self, name: &str, code: i32) {
        self.ended(name, Exit::Code(code));
    }

    pub fn killed(&mut self, name: &str) {
        self.ended(name, Exit::Signal(Signal::KILL));
    }

    pub fn ended(&mut self, name: &str, exit: Exit) {
        let run = self.run(name);
        self.event(name, Event::Exited { run, exit });
    }

    pub fn answered(&mut self, name: &str, answer: Result<(), &str>) {
        let run = self.run(name);
        let question = self.question(name);
        self.event(name, Event::Answered { run, question, answer: answer.map_err(str::to_owned) });
    }

    /// It could not be asked.
    pub fn unasked(&mut self, name: &str) {
        let (run, question) = (self.run(name), self.question(name));
        self.event(name, Event::Unasked { run, question, why: "cannot run".to_owned() });
    }

    /// So many seconds pass in which nobody looks.
    pub fn sleep(&mut self, seconds: u64) {
        self.now = self.now + std::time::Duration::from_secs(seconds);
        let outcome = self.project.was_absent(self.now);
        self.take(outcome);
        self.wait(0);
    }

    pub fn event(&mut self, name: &str, event: Event) {
        let outcome = self.project.event(self.now, &id(name), event);
        self.take(outcome);
    }

    /// So many seconds pass, and every clock that strikes meanwhile is heard.
    pub fn wait(&mut self, seconds: u64) {
        let until = self.now + std::time::Duration::from_secs(seconds);
        while let Some(due) = self.project.wake_at().filter(|due| *due <= until) {
            self.now = self.now.max(due);
            let outcome = self.project.tick(self.now);
            self.take(outcome);
        }
        self.now = until;
    }

    /// What was asked for since the last look; acknowledgements are left out.
    pub fn asked(&mut self) -> Vec<String> {
        std::mem::take(&mut self.asked)
    }

    /// Who was removed since the last look.
    pub fn removed(&mut self) -> Vec<String> {
        std::mem::take(&mut self.removed).iter().map(ToString::to_string).collect()
    }

    /// Forgets what was asked for.
    pub fn quiet(&mut self) {
        self.asked.clear();
    }

    pub fn phase(&self, name: &str) -> PhaseName {
        self.project.service(&id(name)).unwrap().phase().name()
    }

    pub fn sentence(&self, name: &str) -> String {
        self.project.status(&id(name)).unwrap().reason.sentence(self.now)
    }

    pub fn run(&self, name: &str) -> RunId {
        self.project.service(&id(name)).unwrap().run()
    }

    pub fn question(&self, name: &str) -> QuestionId {
        self.project.service(&id(name)).unwrap().question()
    }

    fn take(&mut self, outcome: Outcome) {
        for (id, action) in outcome.actions {
            match action {
                Action::Spawn { attempt: 0, .. } => self.asked.push(format!("spawn {id}")),
                Action::Spawn { attempt, .. } => self.asked.push(format!("spawn {id} again {attempt}")),
                Action::Signal { signal, .. } => self.asked.push(format!("{signal} {id}")),
                Action::Kill { .. } => self.asked.push(format!("kill {id}")),
                Action::Ask { .. } => self.asked.push(format!("ask {id}")),
                Action::SignalMain { signal, .. } => self.asked.push(format!("{signal} main of {id}")),
                Action::Pause { .. } => self.asked.push(format!("pause {id}")),
                Action::Resume { .. } => self.asked.push(format!("resume {id}")),
                Action::RunHook { hook, .. } => self.asked.push(format!("{hook} {id}")),
                Action::KillHook { hook, .. } => self.asked.push(format!("kill {hook} {id}")),
                Action::Acknowledge { .. } | Action::Remember { .. } => {}
            }
        }
        self.removed.extend(outcome.removed);
        self.changes.extend(outcome.changes.into_iter().map(|change| (self.now, change)));
    }
}

fn ids(names: &[&str]) -> Vec<ServiceId> {
    names.iter().map(|name| id(name)).collect()
}
