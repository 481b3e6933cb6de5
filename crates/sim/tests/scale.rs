//! Ten thousand services: what one event costs depends on its neighbours, not on how many there are. Counted, not timed.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test may panic, in the functions around it as well"
)]

use std::path::PathBuf;

use mainstay_decide::{Check, Event, Memory, QuestionId, Standing};
use mainstay_model::{
    Command, Condition, Dependency, Exit, HookName, Kind, Moment, PhaseName, RunId, ServiceId, Signal, Spec,
};
use mainstay_runner::{Execution, Runner, Spawn};

const MANY: usize = 10_000;
const FEW: usize = 100;

/// Counts what it is asked for.
#[derive(Default)]
struct Counter {
    spawned: Vec<(ServiceId, RunId)>,
}

impl Execution for Counter {
    fn spawn(&mut self, spawn: Spawn<'_>) {
        self.spawned.push((spawn.id.clone(), spawn.run));
    }
    fn signal(&mut self, _: &ServiceId, _: RunId, _: Signal) {}
    fn signal_main(&mut self, _: &ServiceId, _: RunId, _: Signal) {}
    fn kill(&mut self, _: &ServiceId, _: RunId) {}
    fn pause(&mut self, _: &ServiceId, _: RunId) {}
    fn resume(&mut self, _: &ServiceId, _: RunId) {}
    fn ask(&mut self, _: &ServiceId, _: RunId, _: Check, _: QuestionId, _: &Spec) {}
    fn run_hook(&mut self, _: &ServiceId, _: RunId, _: HookName, _: &Spec) {}
    fn kill_hook(&mut self, _: &ServiceId, _: RunId, _: HookName) {}
    fn acknowledge(&mut self, _: &ServiceId, _: RunId, _: Option<Memory>) {}
    fn forget(&mut self, _: &ServiceId) {}
}

fn id(number: usize) -> ServiceId {
    format!("s{number}").parse().unwrap()
}

fn spec(number: usize, on: &[usize]) -> Spec {
    let dependency = |on: &usize| Dependency { on: id(*on).name, until: Condition::Ready, restart: false };
    let command = Command::new(["./serve".to_owned()]).unwrap();
    let depends_on = on.iter().map(dependency).collect();
    Spec { depends_on, ..Spec::new(id(number), Kind::Permanent, command, PathBuf::from("/")) }
}

/// A project in which everything is wanted, and everything that is spawned runs.
fn up(specs: Vec<Spec>) -> Runner<Counter> {
    let mut runner = Runner::new(Counter::default());
    let ids: Vec<ServiceId> = specs.iter().map(|spec| spec.id.clone()).collect();
    runner.apply(Moment::ZERO, specs).unwrap();
    runner.want(Moment::ZERO, &ids);
    loop {
        let spawned = std::mem::take(&mut runner.execution().spawned);
        if spawned.is_empty() {
            return runner;
        }
        for (id, run) in spawned {
            runner.event(Moment::ZERO, &id, Event::Spawned { run, pid: 1 });
        }
    }
}

/// How many looks a crash of this one, its restart and its coming up cost.
fn cost_of_a_crash(runner: &mut Runner<Counter>, id: &ServiceId) -> u64 {
    let before = runner.project().touched();
    let run = runner.project().service(id).unwrap().run();
    runner.event(Moment::ZERO, id, Event::Exited { run, exit: Exit::Code(1) });
    runner.tick(runner.project().wake_at().unwrap());
    runner.event(Moment::ZERO, id, Event::Spawned { run: run.next(), pid: 2 });
    assert_eq!(runner.project().service(id).unwrap().phase().name(), PhaseName::Running);
    runner.execution().spawned.clear();
    runner.project().touched() - before
}

/// Ten services on one, ten on each of these, and so on: whatever the size, each has at most eleven neighbours.
fn tree(count: usize) -> Vec<Spec> {
    (0..count)
        .map(|number| match number {
            0 => spec(0, &[]),
            _ => spec(number, &[(number - 1) / 10]),
        })
        .collect()
}

#[test]
fn an_event_costs_the_same_among_ten_thousand() {
    let (mut few, mut many) = (up(tree(FEW)), up(tree(MANY)));
    for number in [0, 1, 5] {
        let id = id(number);
        assert_eq!(cost_of_a_crash(&mut few, &id), cost_of_a_crash(&mut many, &id), "{id}");
    }
    assert!(cost_of_a_crash(&mut many, &id(MANY - 1)) < 10);
}

#[test]
fn starting_and_stopping_all_costs_a_few_looks_for_each() {
    let mut runner = up(tree(MANY));
    let ids: Vec<ServiceId> = runner.project().ids().cloned().collect();
    let each = runner.project().touched() / u64::try_from(MANY).unwrap();
    assert!(each < 10, "{each} looks for each start");
    runner.stop(Moment::ZERO, &ids);
    for id in ids.iter().rev() {
        let run = runner.project().service(id).unwrap().run();
        runner.event(Moment::ZERO, id, Event::Exited { run, exit: Exit::Code(0) });
    }
    assert!(ids.iter().all(|id| runner.project().standing_down(id) == Standing::Done));
    let each = runner.project().touched() / u64::try_from(MANY).unwrap();
    assert!(each < 20, "{each} looks for each start and stop");
}

#[test]
fn a_chain_of_ten_thousand_has_a_status() {
    let chain = |number| match number {
        0 => spec(0, &[]),
        _ => spec(number, &[number - 1]),
    };
    let mut runner = Runner::new(Counter::default());
    runner.apply(Moment::ZERO, (0..MANY).map(chain).collect()).unwrap();
    runner.want(Moment::ZERO, &[id(MANY - 1)]);
    assert_eq!(runner.execution().spawned.len(), 1);
    let last = id(MANY - 1);
    assert_eq!(runner.project().standing_up(&last), Standing::Pending);
    let sentence = runner.project().status(&last).unwrap().reason.sentence(Moment::ZERO);
    assert!(sentence.starts_with("waiting for s9998 to be ready"), "{sentence}");
}
