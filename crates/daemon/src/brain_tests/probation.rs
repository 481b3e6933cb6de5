//! Generations on probation, with a keeper that the test plays, over the death of a daemon.

use std::time::Duration;

use jiff::Timestamp;
use mainstay_wire::{
    Answer, Memo, ProbationVerdict, Reply, Request, SlotPhase, SlotState, ToKeeper, WireExit, WireSpec,
};
use tokio::sync::oneshot;

use super::{Stage, exited, spec, started};
use crate::{clock, memo::made_from, state::Recorded, wake::Wake};

fn apply(stage: &mut Stage, command: &str, watch: Option<Duration>) -> oneshot::Receiver<Reply> {
    let request = Request::Apply {
        project: "shop".to_owned(),
        dir: "/".to_owned(),
        files: Vec::new(),
        fingerprint: command.to_owned(),
        specs: vec![WireSpec::from(&spec("api", command))],
        start: Vec::new(),
        wait: false,
        within_ms: None,
        base: None,
        watch_ms: watch.map(|span| u64::try_from(span.as_millis()).unwrap()),
    };
    stage.ask(request).1
}

/// `./one` runs, and `./two` has come in its place, to be watched for an hour.
async fn watched() -> Stage {
    let mut stage = Stage::set(Recorded::default(), &[]);
    drop(apply(&mut stage, "./one", None));
    let ToKeeper::Spawn { run: 1, .. } = stage.said().await else { panic!() };
    stage.heard(started("api", 1));
    drop(apply(&mut stage, "./two", Some(Duration::from_secs(3600))));
    let ToKeeper::Signal { signal: 15, .. } = stage.said().await else { panic!() };
    stage.heard(exited("api", 1, WireExit::Signal(15)));
    spawned(&mut stage, 2, "./two").await;
    stage.heard(started("api", 2));
    assert_eq!(stage.on_disk().probation.unwrap().well, ["api"]);
    stage
}

async fn spawned(stage: &mut Stage, of: u64, command: &str) {
    loop {
        if let ToKeeper::Spawn { run, program, .. } = stage.said().await {
            assert_eq!((run, program.words[0].as_str()), (of, command));
            return;
        }
    }
}

/// What becomes of the second generation; nothing while that is open.
fn verdict(stage: &mut Stage) -> Option<(ProbationVerdict, String)> {
    let request = Request::Verdict { generation: 2, within_ms: None };
    let reply = stage.ask(request).1.try_recv().ok()?;
    let Ok(Answer::Verdict { verdict, text, .. }) = reply.into_result() else { panic!() };
    Some((verdict, text))
}

/// Another daemon after it, which finds the process of the second generation like this.
fn after_death(stage: Stage, change: impl FnOnce(&mut Recorded), phase: SlotPhase) -> Stage {
    let mut recorded = stage.on_disk();
    change(&mut recorded);
    let made_from = made_from(&spec("api", "./two"));
    let memo = Memo { phase: "running".to_owned(), made_from, ..Memo::default() }.to_text();
    let slot = SlotState { slot: "api".to_owned(), run: 2, phase, memo, notices: Vec::new() };
    let Stage { dir, .. } = stage;
    Stage::set_in(dir, recorded, &[slot])
}

fn until(span: jiff::SignedDuration) -> impl FnOnce(&mut Recorded) {
    move |recorded| {
        let until = Timestamp::now().checked_add(span).unwrap();
        recorded.probation.as_mut().unwrap().until = until.to_string();
    }
}

#[tokio::test(flavor = "current_thread")]
async fn a_crash_takes_it_back_and_whoever_waits_hears_so() {
    let mut stage = watched().await;
    let request = Request::Verdict { generation: 2, within_ms: None };
    let mut waiting = stage.ask(request).1;
    assert!(waiting.try_recv().is_err(), "it is open");
    stage.heard(exited("api", 2, WireExit::Code(7)));
    let Ok(Answer::Verdict { verdict, text, generation }) = waiting.try_recv().unwrap().into_result() else {
        panic!()
    };
    assert_eq!(verdict, ProbationVerdict::TakenBack);
    assert_eq!((text.as_str(), generation), ("taken back: api failed: exited with 7", 3));
    let disk = stage.on_disk();
    assert_eq!((disk.generation, disk.probation, disk.fingerprint.as_str()), (3, None, "./one"));
    // With no delay, the next run of what is taken back was asked for before anybody knew: it is ended again.
    spawned(&mut stage, 3, "./two").await;
    stage.heard(started("api", 3));
    stage.heard(exited("api", 3, WireExit::Signal(15)));
    spawned(&mut stage, 4, "./one").await;
}

#[tokio::test(flavor = "current_thread")]
async fn a_crash_that_no_daemon_saw_takes_it_back_too() {
    let stage = watched().await;
    let crashed = SlotPhase::Exited { exit: WireExit::Code(7) };
    let mut stage = after_death(stage, |_| {}, crashed);
    assert!(stage.brain.wake_at().is_some_and(|at| at <= clock::now()), "it wakes at once");
    stage.brain.take(Wake::Time);
    let (verdict, text) = verdict(&mut stage).unwrap();
    assert_eq!(
        (verdict, text.as_str()),
        (ProbationVerdict::TakenBack, "taken back: api failed: exited with 7")
    );
}

#[tokio::test(flavor = "current_thread")]
async fn one_whose_time_is_over_is_judged_at_once() {
    let stage = watched().await;
    let mut stage =
        after_death(stage, until(jiff::SignedDuration::from_secs(-5)), SlotPhase::Running { pid: 42 });
    stage.brain.take(Wake::Time);
    assert_eq!(verdict(&mut stage).unwrap().0, ProbationVerdict::Kept);
    assert_eq!(stage.on_disk().probation, None);
    assert_eq!(stage.on_disk().generation, 2);
    assert!(stage.brain.wake_at().is_none(), "nothing polls");
}

#[tokio::test(flavor = "current_thread")]
async fn a_wall_clock_that_is_set_back_makes_it_no_longer() {
    let stage = watched().await;
    let mut stage =
        after_death(stage, until(jiff::SignedDuration::from_hours(90)), SlotPhase::Running { pid: 42 });
    stage.brain.take(Wake::Time);
    assert_eq!(verdict(&mut stage), None, "it is open");
    let at = stage.brain.wake_at().unwrap();
    assert!(at <= clock::now() + Duration::from_secs(3600));
    assert!(at > clock::now() + Duration::from_secs(3000), "and nothing wakes before");
}

#[tokio::test(flavor = "current_thread")]
async fn the_same_again_goes_on_with_it_and_another_ends_it() {
    let mut stage = watched().await;
    drop(apply(&mut stage, "./two", Some(Duration::from_secs(1))));
    assert_eq!(verdict(&mut stage), None);
    assert!(stage.on_disk().probation.is_some_and(|probation| probation.span_ms == 3_600_000));
    drop(apply(&mut stage, "./three", None));
    let (verdict, text) = verdict(&mut stage).unwrap();
    let ended = (ProbationVerdict::Ended, "ended before its time: generation 3 came");
    assert_eq!((verdict, text.as_str()), ended);
    assert_eq!(stage.on_disk().probation, None);
}

#[tokio::test(flavor = "current_thread")]
async fn a_generation_that_nobody_watches_has_no_verdict() {
    let mut stage = Stage::set(Recorded::default(), &[]);
    drop(apply(&mut stage, "./one", Some(Duration::from_secs(60))));
    assert_eq!(stage.on_disk().probation, None, "there is nothing to go back to");
    let ask = |generation| Request::Verdict { generation, within_ms: None };
    let known = stage.ask(ask(1)).1.try_recv().unwrap().into_result();
    assert!(matches!(known, Ok(Answer::Verdict { verdict: ProbationVerdict::Ended, .. })));
    let unknown = stage.ask(ask(4)).1.try_recv().unwrap().into_result();
    assert_eq!(unknown.unwrap_err().text, "there is no generation 4");
}
