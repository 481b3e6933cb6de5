//! The death of a daemon, with everything that was in flight to it, and how the next one learns what is so.

use std::collections::BTreeSet;

use mainstay_decide::{Event, Live};
use mainstay_model::{Moment, Reason, ServiceId, Spec};
use mainstay_runner::Runner;

use crate::{
    blueprint::placeholder,
    book::{Book, Record, needs_of},
    breach::Checked,
    keeper::Keeper,
    storm::{Call, Storm},
};

impl Storm {
    /// The daemon dies now; another one comes some time later.
    pub(crate) fn die(&mut self) -> Checked {
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

    /// What was to be restarted for a changed description, and the old daemon did not get round to.
    fn restart_outdated(&mut self) -> Checked {
        let outdated = self.saved.specs.iter().filter(|spec| self.keeper.is_outdated(spec));
        for id in outdated.map(|spec| spec.id.clone()).collect::<Vec<_>>() {
            self.coverage.see("death", "with outdated runs");
            self.note(|| format!("{id} was made of another description"));
            if let Some(record) = self.book.records.get_mut(&id) {
                record.changed();
            }
            let changes = self.runner.event(self.now, &id, Event::Restart(Reason::Changed));
            self.after(&changes, &Call::PLAIN)?;
        }
        Ok(())
    }

    /// What the keeper holds and nobody describes.
    fn strays(&self) -> Vec<Spec> {
        let described: BTreeSet<&ServiceId> = self.saved.specs.iter().map(|spec| &spec.id).collect();
        self.keeper.slots.keys().filter(|id| !described.contains(id)).map(placeholder).collect()
    }

    fn see_recall(&mut self, id: &ServiceId) {
        let (memory, live) = self.keeper.seen(id);
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
        for spec in specs {
            // What is no longer described is an instance of its name as long as it is there.
            let record = self.records.entry(spec.id.clone()).or_insert_with(|| Record::new(spec.clone()));
            record.needs = needs_of(spec, specs);
        }
        for (id, record) in &mut self.records {
            record.recall(now, keeper.slots.get(id), lost.contains(id));
        }
    }
}
