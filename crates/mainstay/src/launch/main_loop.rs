//! One loop, which owns everything: what happened, what was asked and the time go in, one after the other, and it ends when
//! nothing runs and nothing is to come.

use std::{collections::BTreeSet, rc::Rc, sync::Arc, time::Duration};

use mainstay_decide::{Change, Goal, Phase, Standing, select};
use mainstay_model::{Moment, PhaseName, Runner as Made, ServiceId, Spec};
use mainstay_runner::Runner;
use tokio::sync::mpsc::{self, UnboundedReceiver};

use super::{described::Blueprint, hands::Hands, heard::Heard};
use crate::{
    Ending,
    notify::Notifier,
    process::{Asked, Process},
};

/// The longest that the timer is set for; then it is looked again.
const LONGEST_WAIT: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// Everything of a launcher.
pub(crate) struct MainLoop {
    runner: Runner<Hands>,
    blueprint: Rc<Blueprint>,
    /// Only these; all when there are none.
    names: Vec<String>,
    heard: UnboundedReceiver<Heard>,
    asked: mpsc::Receiver<Asked>,
    notifier: Arc<Notifier>,
    progress: Progress,
    /// Whether something had failed when all was asked to end.
    has_failed: bool,
}

/// How far the whole is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Progress {
    /// Not everything that is wanted is ready yet.
    Starting,
    /// It was.
    Running,
    /// It was asked to end.
    Ending,
}

impl MainLoop {
    pub(crate) fn new(
        process: &Process,
        blueprint: Blueprint,
        names: Vec<String>,
        asked: mpsc::Receiver<Asked>,
    ) -> Self {
        let (ear, heard) = mpsc::unbounded_channel();
        let blueprint = Rc::new(blueprint);
        let hands = Hands::new(
            Rc::clone(&blueprint),
            Arc::clone(&process.guard),
            Arc::clone(&process.listeners),
            ear,
        );
        let notifier = Arc::clone(&process.notifier);
        let (runner, progress) = (Runner::new(hands), Progress::Starting);
        Self { runner, blueprint, names, heard, asked, notifier, progress, has_failed: false }
    }

    /// Runs these, to the end of all.
    pub(crate) async fn run(mut self, specs: Vec<Spec>) -> Ending {
        self.apply(specs);
        loop {
            // While more is to be heard, both would be looked at in vain, at the cost of all services.
            if self.heard.is_empty() {
                self.announce();
                if self.is_over() {
                    return self.ending();
                }
            }
            let wake = self.runner.project().wake_at();
            let due = async {
                match wake {
                    Some(at) => tokio::time::sleep(at.since(now()).min(LONGEST_WAIT)).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                Some(heard) = self.heard.recv() => self.hear(heard),
                Some(asked) = self.asked.recv() => self.answer(asked),
                () = due => {
                    let changes = self.runner.tick(now());
                    tell(&changes);
                }
            }
        }
    }

    fn hear(&mut self, heard: Heard) {
        match heard {
            Heard::Event(id, event) => tell(&self.runner.event(now(), &id, event)),
            Heard::News(mailbox) => {
                let run = mailbox.run;
                for notice in mailbox.take() {
                    let event = mainstay_decide::Event::Notified { run, notice };
                    tell(&self.runner.event(now(), &mailbox.id, event));
                }
            }
        }
    }

    fn answer(&mut self, asked: Asked) {
        match asked {
            // What watches that we hear of it may go.
            Asked::End(_armed) => self.end(),
            Asked::Reload if self.progress == Progress::Ending => {}
            Asked::Reload => self.reload(),
        }
    }

    /// First in order; who asks again does not wait.
    fn end(&mut self) {
        let ids: Vec<ServiceId> = self.runner.project().ids().cloned().collect();
        let changes = match self.progress {
            Progress::Starting | Progress::Running => {
                self.has_failed = self.ending() == Ending::Failed;
                self.notifier.stopping("stopping");
                tracing::info!("it was asked to end: everything is stopped, each before what it depends on");
                self.runner.stop(now(), &ids)
            }
            Progress::Ending => {
                tracing::warn!("it was asked to end again: what still runs is killed");
                self.runner.kill(now(), &ids)
            }
        };
        self.progress = Progress::Ending;
        tell(&changes);
    }

    fn reload(&mut self) {
        self.notifier.reloading();
        match self.blueprint.read() {
            Ok(specs) => {
                self.apply(specs);
                self.notifier.ready("running");
            }
            Err(problems) => {
                for problem in problems {
                    tracing::error!("what runs is kept as it was: {problem}");
                }
                self.notifier.ready("running, with the file of before: the new one is wrong");
            }
        }
    }

    /// Takes on these descriptions, and wants what is to run of them.
    fn apply(&mut self, specs: Vec<Spec>) {
        let ids: Vec<ServiceId> = specs.iter().map(|spec| spec.id.clone()).collect();
        let moved = self.moved(&specs);
        match self.runner.apply(now(), specs) {
            Ok(changes) => tell(&changes),
            // The file was read without a fault, and that finds cycles.
            Err(error) => return tracing::error!("what runs is kept as it was: {error}"),
        }
        let chosen: Vec<ServiceId> = match self.names.is_empty() {
            true => ids,
            false => {
                let found: BTreeSet<ServiceId> =
                    self.names.iter().flat_map(|name| select(name, &ids)).collect();
                found.into_iter().collect()
            }
        };
        tell(&self.runner.restart(now(), &moved));
        tell(&self.runner.want(now(), &chosen));
    }

    /// Those that run, and are to be a task instead of a process, or the other way round.
    fn moved(&self, specs: &[Spec]) -> Vec<ServiceId> {
        let project = self.runner.project();
        let was = |spec: &&Spec| -> Option<Made> {
            let service = project.service(&spec.id)?;
            service.phase().live().map(|_| service.spec().runner)
        };
        let moved = specs.iter().filter(|spec| was(spec).is_some_and(|was| was != spec.runner));
        moved.map(|spec| spec.id.clone()).collect()
    }

    /// Tells who supervises us once everything that is wanted is ready, or has failed.
    fn announce(&mut self) {
        if self.progress != Progress::Starting {
            return;
        }
        let project = self.runner.project();
        let standings: Vec<Standing> = project.wanted().map(|id| project.standing_up(id)).collect();
        if standings.contains(&Standing::Pending) {
            return;
        }
        let failed = standings.iter().filter(|standing| **standing == Standing::Failed).count();
        match failed {
            0 => self.notifier.ready("running"),
            failed => self.notifier.ready(&format!("running, but {failed} of {} failed", standings.len())),
        }
        self.progress = Progress::Running;
    }

    /// Nothing runs, nothing waits for its time, and what waits for another waits in vain.
    fn is_over(&mut self) -> bool {
        if self.runner.execution().has_runs() {
            return false;
        }
        let project = self.runner.project();
        let is_live =
            |id: &ServiceId| project.service(id).is_some_and(|service| service.phase().live().is_some());
        project.wake_at().is_none() && !project.ids().any(is_live)
    }

    fn ending(&self) -> Ending {
        let project = self.runner.project();
        let failed = |id: &ServiceId| {
            project.service(id).is_some_and(|service| match service.phase() {
                Phase::Failed => true,
                Phase::WaitingForDependency => service.goal() == Goal::Up,
                Phase::Stopped
                | Phase::WaitingForBackoff { .. }
                | Phase::Starting(_)
                | Phase::Running { .. }
                | Phase::Paused { .. }
                | Phase::Stopping { .. }
                | Phase::Completed => false,
            })
        };
        if self.has_failed || project.ids().any(failed) { Ending::Failed } else { Ending::Done }
    }
}

fn now() -> Moment {
    Moment::from_nanos(mainstay_host::monotonic_nanos())
}

/// What others would see is logged.
fn tell(changes: &[Change]) {
    let now = now();
    for Change { id, to, reason, failed, .. } in changes {
        let words = reason.sentence(now);
        match to {
            PhaseName::Failed => tracing::error!("{id} {to}: {words}"),
            _ if *failed => tracing::warn!("{id} {to}: {words}"),
            PhaseName::Running | PhaseName::Completed | PhaseName::Stopped => {
                tracing::info!("{id} {to}: {words}");
            }
            PhaseName::Waiting | PhaseName::Starting | PhaseName::Stopping | PhaseName::Paused => {
                tracing::debug!("{id} {to}: {words}")
            }
        }
    }
}
