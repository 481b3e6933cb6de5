//! Prints the whole transition table into `whole_table.txt`, for reviewers: what each event does in each state. Each state
//! is driven to by events, so that each cell is reached.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may panic, in the functions around it as well")]

mod scene;

use std::{fmt::Write as _, sync::Arc, time::Duration};

use mainstay_decide::{Event, Notice, QuestionId, Service, StartGate, StopGate};
use mainstay_model::{
    Condition, Exit, Health, HookName, Moment, Reason, RestartWhen, RunId, Signal, SpawnFailure,
    SpawnFailureKind, Spec,
};
use scene::{With as _, actions_text, at, golden, id, oneshot, permanent, state_text};

/// When the event of a cell happens.
const NOW: u64 = 1_000;
/// A run that is not the service's.
const STALE: RunId = RunId(77);
/// A question that is not the latest.
const EARLIER: QuestionId = QuestionId(0);

/// A state, and how it is reached.
struct State {
    name: &'static str,
    /// As [`state_text`] says it.
    text: &'static str,
    spec: Spec,
    way: Vec<(u64, Event)>,
}

impl State {
    fn reach(&self) -> Service {
        let mut service = Service::new(Arc::new(self.spec.clone()), at(0));
        for (seconds, event) in &self.way {
            service.on(at(*seconds), event.clone());
        }
        assert_eq!(state_text(&service), self.text, "{}", self.name);
        service
    }
}

fn spawned() -> Event {
    Event::Spawned { run: RunId(1), pid: 42 }
}

fn exited(exit: Exit) -> Event {
    Event::Exited { run: RunId(1), exit }
}

fn answered(answer: Result<(), &str>) -> Event {
    nth_answer(1, answer)
}

/// The answer to this asking.
fn nth_answer(number: u64, answer: Result<(), &str>) -> Event {
    Event::Answered { run: RunId(1), question: QuestionId(number), answer: answer.map_err(str::to_owned) }
}

fn hooked(hook: HookName, result: Result<(), &str>) -> Event {
    Event::HookEnded { run: RunId(1), hook, result: result.map_err(str::to_owned) }
}

fn said(notice: Notice) -> Event {
    Event::Notified { run: RunId(1), notice }
}

fn closed() -> Event {
    Event::StartGate(StartGate::Closed { on: id("db"), until: Condition::Ready })
}

/// All these in the moment of the cell.
fn now(events: impl IntoIterator<Item = Event>) -> Vec<(u64, Event)> {
    events.into_iter().map(|event| (NOW, event)).collect()
}

fn state(name: &'static str, text: &'static str, spec: Spec, way: Vec<(u64, Event)>) -> State {
    State { name, text, spec, way }
}

const STOP: Event = Event::Stop(Reason::StopRequested);
const HELD: Event = Event::StopGate(StopGate::Closed);

fn states_of_rest() -> Vec<State> {
    let tired = Spec {
        restart: mainstay_model::RestartPolicy {
            attempts: mainstay_model::Attempts::UpTo(0),
            ..permanent("api").restart
        },
        ..permanent("api")
    };
    let one = || oneshot("migrate");
    let ended = |exit| now([Event::Start, spawned(), exited(exit)]);
    let completed = || ended(Exit::Code(0));
    vec![
        state("stopped, never started", "stopped | down | never-started", permanent("api"), vec![]),
        state(
            "stopped on request",
            "stopped | down | stop-requested",
            permanent("api"),
            now([Event::Start, spawned(), STOP, exited(Exit::Code(0))]),
        ),
        state("stopped, ended well", "stopped | up | ended", permanent("api"), ended(Exit::Code(0))),
        state(
            "waiting for a dependency",
            "waiting for a dependency | up | waiting-for-dependency",
            permanent("api"),
            now([closed(), Event::Start]),
        ),
        state(
            "waiting for a dependency, after a restart",
            "waiting for a dependency | up | waiting-for-dependency",
            permanent("api"),
            now([
                Event::Start,
                spawned(),
                closed(),
                Event::Restart(Reason::RestartRequested),
                exited(Exit::Code(0)),
            ]),
        ),
        state(
            "waiting for its backoff",
            "waiting for its backoff | up | backoff",
            permanent("api"),
            ended(Exit::Code(1)),
        ),
        state("oneshot: completed", "completed | up | completed", one(), completed()),
        state(
            "oneshot: completed, wanted down",
            "completed | down | completed",
            one(),
            completed().into_iter().chain(now([STOP])).collect(),
        ),
        state("failed, gave up", "failed | up | gave-up", tired, ended(Exit::Code(1))),
        state(
            "oneshot: failed, outcome unknown",
            "failed | up | outcome-unknown",
            one(),
            ended(Exit::Unknown),
        ),
    ]
}

fn states_of_life() -> Vec<State> {
    let asked = || permanent("api").asked();
    let one = || oneshot("migrate");
    vec![
        state("starting: spawning", "starting: spawning | up | spawning", asked(), now([Event::Start])),
        state("oneshot: spawning", "starting: spawning | up | spawning", one(), now([Event::Start])),
        state(
            "starting: spawning, held",
            "starting: spawning | down | needed-by-others",
            asked(),
            now([Event::Start, HELD, STOP]),
        ),
        state(
            "starting: asking, question out",
            "starting: asking | up | not-ready",
            asked(),
            now([Event::Start, spawned()]),
        ),
        state(
            "starting: asking, pause",
            "starting: pausing | up | not-ready",
            asked(),
            now([Event::Start, spawned(), answered(Err("refused"))]),
        ),
        state(
            "starting: asking, held",
            "starting: asking | down | needed-by-others",
            asked(),
            now([Event::Start, spawned(), HELD, STOP]),
        ),
        state(
            "starting: ready after 5 s",
            "starting: time | up | not-ready",
            permanent("api").ready_after(5),
            now([Event::Start, spawned()]),
        ),
        state("running", "running | up | ready", asked(), now([Event::Start, spawned(), answered(Ok(()))])),
        state(
            "running for longer than reset_after",
            "running | up | running",
            permanent("api"),
            vec![(0, Event::Start), (0, spawned())],
        ),
        state(
            "running, held",
            "running | down | needed-by-others",
            permanent("api"),
            now([Event::Start, spawned(), HELD, STOP]),
        ),
        state("oneshot: running", "running | up | running", one(), now([Event::Start, spawned()])),
        state(
            "oneshot: running, held",
            "running | down | needed-by-others",
            one(),
            now([Event::Start, spawned(), HELD, STOP]),
        ),
    ]
}

fn states_of_ending() -> Vec<State> {
    let up = || now([Event::Start, spawned()]);
    let then = |events: Vec<Event>| up().into_iter().chain(now(events)).collect();
    let restart = || Event::Restart(Reason::RestartRequested);
    let one = || oneshot("migrate").restarts(RestartWhen::OnFailure);
    vec![
        state(
            "stopping, then stay",
            "stopping: signalled, then stay | down | stopping",
            permanent("api"),
            then(vec![STOP]),
        ),
        state(
            "stopping while spawning, then stay",
            "stopping: signalled, then stay | down | stopping",
            permanent("api"),
            now([Event::Start, STOP]),
        ),
        state(
            "stopping, then again",
            "stopping: signalled, then again | up | stopping",
            permanent("api"),
            then(vec![restart()]),
        ),
        state(
            "stopping, then again, gate closed",
            "stopping: signalled, then again | up | stopping",
            permanent("api"),
            then(vec![closed(), restart()]),
        ),
        state(
            "stopping, not ready in time",
            "stopping: signalled, then fail | up | stopping",
            permanent("api").asked(),
            vec![(NOW - 30, Event::Start), (NOW - 30, spawned()), (NOW, Event::Tick)],
        ),
        state(
            "stopping, killed on request",
            "stopping: killed, then stay | down | killing",
            permanent("api"),
            then(vec![Event::Kill]),
        ),
        state(
            "stopping, killed after its time, then again",
            "stopping: killed, then again | up | killing",
            permanent("api"),
            vec![(NOW - 10, Event::Start), (NOW - 10, spawned()), (NOW - 10, restart()), (NOW, Event::Tick)],
        ),
        state(
            "oneshot: stopping, then stay",
            "stopping: signalled, then stay | down | stopping",
            one(),
            then(vec![STOP]),
        ),
        state(
            "oneshot: stopping, then again",
            "stopping: signalled, then again | up | stopping",
            one(),
            then(vec![restart()]),
        ),
    ]
}

/// One with every hook.
fn hooks() -> Spec {
    permanent("api").hooked()
}

/// Whose process was made, and then this.
fn up(more: Vec<Event>) -> Vec<(u64, Event)> {
    now([Event::Start, spawned()].into_iter().chain(more))
}

/// The same of one whose hook went well before.
fn with_hooks(more: Vec<Event>) -> Vec<(u64, Event)> {
    now([Event::Start, hooked(HookName::BeforeStart, Ok(())), spawned()].into_iter().chain(more))
}

/// Its hook after the start went well.
fn begun() -> Event {
    hooked(HookName::AfterStart, Ok(()))
}

fn states_of_health() -> Vec<State> {
    let well = || permanent("api").well();
    vec![
        state(
            "starting: before-start hook",
            "starting: before-start hook | up | hook-running",
            hooks(),
            now([Event::Start]),
        ),
        state(
            "starting: after-start hook",
            "starting: after-start hook | up | hook-running",
            hooks(),
            with_hooks(vec![]),
        ),
        state(
            "starting: waits for its READY=1",
            "starting: time | up | not-ready",
            permanent("api").notifies(),
            up(vec![]),
        ),
        state("running, with hooks", "running | up | running", hooks(), with_hooks(vec![begun()])),
        state("running, asked for its health", "running: asking | up | running", well(), up(vec![])),
        state(
            "running, not well yet",
            "running: not well yet | up | failing-health-check",
            well(),
            up(vec![answered(Err("refused"))]),
        ),
        state("running, well", "running: well | up | running", well(), up(vec![answered(Ok(()))])),
        state(
            "running, one failure from its end",
            "running: asking | up | failing-health-check",
            well(),
            vec![
                (NOW - 20, Event::Start),
                (NOW - 20, spawned()),
                (NOW - 20, answered(Ok(()))),
                (NOW - 10, Event::Tick),
                (NOW - 10, nth_answer(2, Err("refused"))),
                (NOW, Event::Tick),
            ],
        ),
    ]
}

fn states_of_notices_and_pauses() -> Vec<State> {
    vec![
        state(
            "running, watched",
            "running | up | ready",
            permanent("api").notifies(),
            up(vec![said(Notice::Ready)]),
        ),
        state(
            "running, reloading",
            "running: reloading | up | reloading",
            permanent("api").notifies(),
            up(vec![said(Notice::Ready), said(Notice::Reloading)]),
        ),
        state(
            "running, reload hook",
            "running: reload hook | up | reloading",
            hooks(),
            with_hooks(vec![begun(), Event::Reload]),
        ),
        state(
            "running, ending by itself",
            "running: ending | up | ending-itself",
            permanent("api"),
            up(vec![said(Notice::Stopping)]),
        ),
        state("paused", "paused | up | paused", permanent("api"), up(vec![Event::Pause])),
        state(
            "paused, held",
            "paused | down | needed-by-others",
            permanent("api"),
            up(vec![Event::Pause, HELD, STOP]),
        ),
        state("paused, with hooks", "paused | up | paused", hooks(), with_hooks(vec![begun(), Event::Pause])),
    ]
}

fn states_of_hooks_at_the_end() -> Vec<State> {
    vec![
        state(
            "stopping: before-start hook killed",
            "stopping: before-start hook killed, then stay | down | killing",
            hooks(),
            now([Event::Start, STOP]),
        ),
        state(
            "stopping: before-start hook killed, then again",
            "stopping: before-start hook killed, then again | up | killing",
            hooks(),
            now([Event::Start, Event::Restart(Reason::RestartRequested)]),
        ),
        state(
            "stopping: before-stop hook",
            "stopping: before-stop hook, then stay | down | hook-running",
            hooks(),
            with_hooks(vec![begun(), STOP]),
        ),
        state(
            "stopping: after-stop hook",
            "stopping: after-stop hook, then stay | down | hook-running",
            hooks(),
            with_hooks(vec![begun(), STOP, hooked(HookName::BeforeStop, Ok(())), exited(Exit::Code(0))]),
        ),
        state(
            "stopping: after-stop hook of a crash",
            "stopping: after-stop hook, then as it ended | up | hook-running",
            hooks(),
            with_hooks(vec![begun(), exited(Exit::Code(1))]),
        ),
        state(
            "stopping: after-stop hook of a crash, killed",
            "stopping: after-stop hook killed, then as it ended | down | hook-running",
            hooks(),
            with_hooks(vec![begun(), exited(Exit::Code(1)), Event::Kill]),
        ),
        state(
            "oneshot: after-stop hook of a good end",
            "stopping: after-stop hook, then as it ended | up | hook-running",
            oneshot("migrate").hooked(),
            with_hooks(vec![begun(), exited(Exit::Code(0))]),
        ),
    ]
}

fn states() -> Vec<State> {
    let life = states_of_rest().into_iter().chain(states_of_life()).chain(states_of_ending());
    let care = states_of_health().into_iter().chain(states_of_notices_and_pauses());
    life.chain(care).chain(states_of_hooks_at_the_end()).collect()
}

/// Every event, with when it happens; `own` is the service's latest run.
fn events(service: &Service) -> Vec<(&'static str, Moment, Event)> {
    let own = service.run();
    let failure =
        || SpawnFailure { kind: SpawnFailureKind::NoProgram, text: "`./serve` is missing".to_owned() };
    let lost = Event::Restart(Reason::DependencyLost { on: id("db") });
    let exited = |run, exit| Event::Exited { run, exit };
    let no = || Err("refused".to_owned());
    let due = service.wake_at().unwrap_or(at(NOW) + Duration::from_secs(3_600));
    let now = |name, event| (name, at(NOW), event);
    let question = service.question();
    let mut events = vec![
        now("start", Event::Start),
        now("want", Event::Want),
        now("stop", STOP),
        now("kill", Event::Kill),
        now("restart on request", Event::Restart(Reason::RestartRequested)),
        now("restart: changed", Event::Restart(Reason::Changed)),
        now("restart: dependency lost", lost),
        now("start gate opens", Event::StartGate(StartGate::Open)),
        now("start gate closes", closed()),
        now("stop gate opens", Event::StopGate(StopGate::Open)),
        now("stop gate closes", HELD),
        now("spawned", Event::Spawned { run: own, pid: 43 }),
        now("spawned, stale", Event::Spawned { run: STALE, pid: 43 }),
        now("not spawned", Event::NotSpawned { run: own, failure: failure() }),
        now("not spawned, stale", Event::NotSpawned { run: STALE, failure: failure() }),
        now("exited 0", exited(own, Exit::Code(0))),
        now("exited 1", exited(own, Exit::Code(1))),
        now("exited by SEGV", exited(own, Exit::Signal(Signal::from_number(11).unwrap()))),
        now("exited, unknown", exited(own, Exit::Unknown)),
        now("exited, stale", exited(STALE, Exit::Code(0))),
        now("answered yes", Event::Answered { run: own, question, answer: Ok(()) }),
        now("answered no", Event::Answered { run: own, question, answer: no() }),
        now("answered yes, stale", Event::Answered { run: STALE, question, answer: Ok(()) }),
        now("answered no, stale", Event::Answered { run: STALE, question, answer: no() }),
        now("answered yes, earlier", Event::Answered { run: own, question: EARLIER, answer: Ok(()) }),
        now("answered no, earlier", Event::Answered { run: own, question: EARLIER, answer: no() }),
    ];
    events.extend(events_of_care(own).into_iter().map(|(name, event)| now(name, event)));
    events.extend([now("tick, early", Event::Tick), ("tick, due", due, Event::Tick)]);
    events
}

/// What hooks, notices and a person do to a service that is looked after.
fn events_of_care(own: RunId) -> Vec<(&'static str, Event)> {
    let told = |notice| Event::Notified { run: own, notice };
    let failed = || Err("exited with 1".to_owned());
    let hook = |hook, result| Event::HookEnded { run: own, hook, result };
    vec![
        ("pause", Event::Pause),
        ("resume", Event::Resume),
        ("reload", Event::Reload),
        ("reset", Event::Reset),
        ("says ready", told(Notice::Ready)),
        ("says ready, stale", Event::Notified { run: STALE, notice: Notice::Ready }),
        ("says reloading", told(Notice::Reloading)),
        ("says stopping", told(Notice::Stopping)),
        ("says words", told(Notice::Said("well".to_owned()))),
        ("says: degraded", told(Notice::Feels(Health::Degraded))),
        ("says: longer", told(Notice::Extend(Duration::from_secs(100)))),
        ("says: main process", told(Notice::MainPid(44))),
        ("says: alive", told(Notice::Alive)),
        ("says: trigger", told(Notice::Trigger)),
        ("says: watchdog of 1 s", told(Notice::Watchdog(Duration::from_secs(1)))),
        ("hook before_start, well", hook(HookName::BeforeStart, Ok(()))),
        ("hook before_start, failed", hook(HookName::BeforeStart, failed())),
        ("hook after_start, well", hook(HookName::AfterStart, Ok(()))),
        ("hook after_start, failed", hook(HookName::AfterStart, failed())),
        ("hook before_stop, well", hook(HookName::BeforeStop, Ok(()))),
        ("hook before_stop, failed", hook(HookName::BeforeStop, failed())),
        ("hook after_stop, well", hook(HookName::AfterStop, Ok(()))),
        ("hook after_stop, failed", hook(HookName::AfterStop, failed())),
        ("hook reload, well", hook(HookName::Reload, Ok(()))),
        ("hook reload, failed", hook(HookName::Reload, failed())),
        ("hook, stale", Event::HookEnded { run: STALE, hook: HookName::BeforeStart, result: Ok(()) }),
    ]
}

/// One block of the table, and how many cells it has.
fn block(state: &State) -> (String, usize) {
    let before = state.reach();
    let was = state_text(&before);
    let mut text = format!("== {}\n   {was}\n", state.name);
    let mut nothing = Vec::new();
    let events = events(&before);
    let cells = events.len();
    for (name, moment, event) in events {
        let mut service = state.reach();
        let actions = service.on(moment, event).actions;
        let is = state_text(&service);
        assert!(!service.reason().sentence(moment).is_empty());
        if is == was && actions.is_empty() {
            nothing.push(name);
            continue;
        }
        let is = if is == was { "as before".to_owned() } else { is };
        writeln!(text, "   {name:<25} {is:<58} {}", actions_text(&actions)).unwrap();
    }
    for (number, names) in nothing.chunks(5).enumerate() {
        let head = if number == 0 { "nothing changes" } else { "" };
        writeln!(text, "   {head:<25} {}", names.join("; ")).unwrap();
    }
    (text.lines().map(|line| format!("{}\n", line.trim_end())).collect(), cells)
}

#[test]
fn the_table_is_as_it_was_read() {
    let head = "The whole transition table: what each event does in each state.\n\
                A line: event, then phase | wanted | reason, then actions in order (the number is the run).\n\
                Written by `UPDATE_GOLDEN=1 cargo test -p mainstay-decide --test whole_table`; read the difference.\n";
    let blocks: Vec<String> = states().iter().map(|state| block(state).0).collect();
    golden("whole_table.txt", &format!("{head}\n{}", blocks.join("\n")));
}

#[test]
fn every_cell_is_reached() {
    let states = states();
    let cells: usize = states.iter().map(|state| block(state).1).sum();
    assert_eq!(cells, states.len() * 54);
    let names: std::collections::BTreeSet<&str> = states.iter().map(|state| state.name).collect();
    assert_eq!(names.len(), states.len(), "each state has a name of its own");
    let texts: std::collections::BTreeSet<&str> =
        states.iter().map(|state| state.text.split(" | ").next().unwrap_or_default()).collect();
    let phases = [
        "stopped",
        "waiting for a dependency",
        "waiting for its backoff",
        "starting: spawning",
        "starting: asking",
        "starting: pausing",
        "starting: time",
        "starting: before-start hook",
        "starting: after-start hook",
        "running",
        "running: asking",
        "running: not well yet",
        "running: well",
        "running: reloading",
        "running: reload hook",
        "running: ending",
        "paused",
        "stopping: before-start hook killed, then stay",
        "stopping: before-start hook killed, then again",
        "stopping: before-stop hook, then stay",
        "stopping: after-stop hook, then stay",
        "stopping: after-stop hook, then as it ended",
        "stopping: after-stop hook killed, then as it ended",
        "stopping: signalled, then stay",
        "stopping: signalled, then again",
        "stopping: signalled, then fail",
        "stopping: killed, then stay",
        "stopping: killed, then again",
        "completed",
        "failed",
    ];
    assert_eq!(texts, phases.into(), "every phase is among the states");
    println!("{cells} cells in {} states, each reached", states.len());
}
