//! A row per sentence: what a change says of the run that it ended, and whether that was a failure.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may panic, in the functions around it as well")]

mod scene;

use std::time::Duration;

use PhaseName::{Completed, Failed, Starting, Stopped, Waiting};
use RestartWhen::{Always, Never, OnFailure};
use mainstay_decide::{Change, Event};
use mainstay_model::{
    Exit, PhaseName, RestartPolicy, RestartWhen, RunId, Signal, SpawnFailure, SpawnFailureKind, Spec,
};
use scene::{id, oneshot, permanent, stage::Stage};

const TERM: Exit = Exit::Signal(Signal::TERM);

fn policy(when: RestartWhen, delay: Duration) -> RestartPolicy {
    RestartPolicy { delay, ..RestartPolicy::with(when) }
}

fn with(spec: Spec, when: RestartWhen, delay: Duration) -> Spec {
    Spec { restart: policy(when, delay), ..spec }
}

/// The change that this makes of one that runs for the first time.
fn after(spec: Spec, events: Vec<Event>) -> Change {
    let name = spec.id.to_string();
    let mut stage = Stage::of(&[spec]);
    stage.want(&[&name]);
    stage.made(&[&name]);
    let mut last = None;
    for event in events {
        last = stage.project.event(stage.now, &id(&name), event).changes.pop();
    }
    last.unwrap()
}

fn exited(exit: Exit) -> Event {
    Event::Exited { run: RunId(1), exit }
}

#[test]
fn a_change_tells_how_the_run_ended_and_whether_that_was_bad() {
    let (second, at_once) = (Duration::from_secs(1), Duration::ZERO);
    let api = |when, delay| with(permanent("api"), when, delay);
    let stop = || Event::Stop(mainstay_model::Reason::StopRequested);
    let rows = [
        (
            "a crash",
            after(api(OnFailure, second), vec![exited(Exit::Code(3))]),
            Waiting,
            Some(Exit::Code(3)),
            true,
        ),
        (
            "a crash, restarted at once",
            after(api(OnFailure, at_once), vec![exited(TERM)]),
            Starting,
            Some(TERM),
            true,
        ),
        ("a crash for good", after(api(Never, second), vec![exited(TERM)]), Failed, Some(TERM), true),
        (
            "a good end",
            after(api(OnFailure, second), vec![exited(Exit::Code(0))]),
            Stopped,
            Some(Exit::Code(0)),
            false,
        ),
        (
            "a good end, and again",
            after(api(Always, second), vec![exited(Exit::Code(0))]),
            Waiting,
            Some(Exit::Code(0)),
            false,
        ),
        (
            "at once",
            after(api(Always, at_once), vec![exited(Exit::Code(0))]),
            Starting,
            Some(Exit::Code(0)),
            false,
        ),
        (
            "an end on request",
            after(api(OnFailure, second), vec![stop(), exited(TERM)]),
            Stopped,
            Some(TERM),
            false,
        ),
        ("a request alone", after(api(OnFailure, second), vec![stop()]), PhaseName::Stopping, None, false),
        (
            "a oneshot",
            after(oneshot("job"), vec![exited(Exit::Code(0))]),
            Completed,
            Some(Exit::Code(0)),
            false,
        ),
    ];
    for (what, change, to, exit, failed) in rows {
        assert_eq!((change.to, change.exit, change.failed), (to, exit, failed), "{what}: {change:?}");
    }
}

#[test]
fn a_start_that_does_not_come_about_is_a_failure_without_an_exit() {
    let mut stage = Stage::of(&[with(permanent("api"), OnFailure, Duration::from_secs(1))]);
    stage.want(&["api"]);
    stage.made(&["api"]);
    stage.exited("api", 3);
    stage.wait(1);
    let failure = SpawnFailure { kind: SpawnFailureKind::NoProgram, text: "it is gone".to_owned() };
    let event = Event::NotSpawned { run: RunId(2), failure };
    let change = stage.project.event(stage.now, &id("api"), event).changes.pop().unwrap();
    // How the run before it ended is no matter.
    assert_eq!((change.exit, change.failed, change.run, change.attempt), (None, true, RunId(2), 2));
    assert!(change.wanted && !change.ready);
}
