//! Hooks, words of services, pauses and waits, with a keeper that the test plays.

use std::time::Duration;

use mainstay_model::{Command, Hook, HookName, ReadyCheck, ReadyPolicy, RestartPolicy, RestartWhen, Spec};
use mainstay_wire::{
    Act, Answer, FromKeeper, Memo, Request, Scope, SettledState, SlotPhase, SlotState, ToKeeper, WaitFor,
    WireExit, WireNotice,
};

use super::{Stage, exited, spec, started};
use crate::state::Recorded;

fn hook(program: &str, timeout: Duration) -> Option<Hook> {
    Some(Hook { command: Command::new([program.to_owned()]).unwrap(), timeout })
}

fn hooked(id: &str) -> Spec {
    let mut spec = spec(id, "./api");
    let timeout = Duration::from_secs(60);
    spec.hooks.before_start = hook("./before", timeout);
    spec.hooks.after_stop = hook("./after", timeout);
    spec.restart = RestartPolicy::with(RestartWhen::Never);
    spec
}

/// What the keeper is told, but for what it is to remember.
async fn told(stage: &mut Stage) -> ToKeeper {
    loop {
        match stage.said().await {
            ToKeeper::Remember { .. } => {}
            other => return other,
        }
    }
}

/// A spawn: its slot, its run, the variables of these names, and what it runs.
async fn spawn(stage: &mut Stage, names: &[&str]) -> (String, u64, Vec<String>, String) {
    match told(stage).await {
        ToKeeper::Spawn { slot, run, program, .. } => {
            let value = |name: &&str| {
                let start = format!("{name}=");
                program.env.iter().find_map(|pair| pair.strip_prefix(&start)).unwrap_or("-").to_owned()
            };
            (slot, run, names.iter().map(value).collect(), program.words[0].clone())
        }
        other => panic!("{other:?}"),
    }
}

async fn acknowledged(stage: &mut Stage) -> (String, u64) {
    match told(stage).await {
        ToKeeper::Acknowledge { slot, run, .. } => (slot, run),
        other => panic!("{other:?}"),
    }
}

fn act(act: Act) -> Request {
    Request::Act { act, services: vec!["api".to_owned()], wait: true, within_ms: None }
}

#[tokio::test(flavor = "current_thread")]
async fn hooks_have_slots_of_their_own_and_know_of_what_they_are_for() {
    let mut stage = Stage::set(Recorded::default(), &[]);
    let _answer = stage.apply(&[hooked("api")]);
    let names = ["MAINSTAY_HOOK", "MAINSTAY_RUN_ID", "MAINSTAY_MAIN_PID", "MAINSTAY_EXIT_CODE"];
    let (slot, run, values, program) = spawn(&mut stage, &names).await;
    assert_eq!((slot.as_str(), run, program.as_str()), ("api+before_start", 1, "./before"));
    assert_eq!(values, ["before_start", "key.api+before_start.1", "-", "-"]);
    stage.heard(exited("api+before_start", 1, WireExit::Code(0)));
    // What follows comes before the end is given up: whoever dies in between knows of one of the two.
    assert_eq!(spawn(&mut stage, &[]).await.0, "api");
    assert_eq!(acknowledged(&mut stage).await, ("api+before_start".to_owned(), 1));
    stage.heard(started("api", 1));
    stage.heard(exited("api", 1, WireExit::Code(3)));
    assert_eq!(acknowledged(&mut stage).await.0, "api");
    let (slot, run, values, _) = spawn(&mut stage, &names).await;
    assert_eq!((slot.as_str(), run), ("api+after_stop", 2));
    assert_eq!(values, ["after_stop", "key.api+after_stop.2", "42", "3"]);
    stage.heard(exited("api+after_stop", 2, WireExit::Code(1)));
    let status = stage.brain.runner.project().status(&"api".parse().unwrap()).unwrap();
    assert_eq!(status.phase.as_str(), "failed");
}

#[tokio::test(flavor = "current_thread")]
async fn a_hook_that_dies_slowly_holds_up_the_next_of_its_slot() {
    let mut stage = Stage::set(Recorded::default(), &[]);
    let _answer = stage.apply(&[hooked("api")]);
    assert_eq!(spawn(&mut stage, &[]).await.0, "api+before_start");
    let _stopped = stage.ask(act(Act::Stop));
    let ToKeeper::Signal { slot, signal: 9, scope: Scope::Everything, .. } = told(&mut stage).await else {
        panic!()
    };
    assert_eq!(slot, "api+before_start");
    let _started = stage.ask(act(Act::Start));
    stage.heard(exited("api+before_start", 1, WireExit::Signal(9)));
    assert_eq!(acknowledged(&mut stage).await, ("api+before_start".to_owned(), 1));
    let (slot, run, ..) = spawn(&mut stage, &[]).await;
    assert_eq!((slot.as_str(), run), ("api+before_start", 2));
}

#[tokio::test(flavor = "current_thread")]
async fn a_failing_hook_is_the_reason_in_words() {
    for (phase, expected) in [
        (exited("api+before_start", 1, WireExit::Code(7)), "its before_start hook exited with 7"),
        (
            exited("api+before_start", 1, WireExit::Signal(15)),
            "its before_start hook was ended by signal TERM",
        ),
        (
            FromKeeper::NotStarted {
                slot: "api+before_start".to_owned(),
                run: 1,
                failure: mainstay_wire::WireFailure {
                    code: "no-such-program".to_owned(),
                    text: "`./before` does not exist".to_owned(),
                },
            },
            "its before_start hook could not be started: `./before` does not exist",
        ),
    ] {
        let mut stage = Stage::set(Recorded::default(), &[]);
        let answer = stage.apply(&[hooked("api")]);
        spawn(&mut stage, &[]).await;
        stage.heard(phase);
        let Ok(Answer::Done { services, .. }) = answer.await.unwrap().into_result() else { panic!() };
        assert_eq!(services[0].state, SettledState::Failed);
        assert_eq!(services[0].reason.text, format!("{expected}; it is not restarted"));
    }
}

#[tokio::test(flavor = "current_thread")]
async fn hooks_and_words_of_an_earlier_daemons_time_are_taken_over() {
    let notify = ReadyPolicy {
        check: ReadyCheck::Notify,
        timeout: Duration::from_secs(60),
        interval: Duration::from_secs(1),
        probe_timeout: Duration::from_secs(1),
    };
    let talks = Spec { ready: Some(notify), ..spec("talks", "./talks") };
    let recorded = Recorded {
        specs: vec![hooked("api"), hooked("ends"), talks],
        wanted: ["api", "ends", "talks"].map(|id| id.parse().unwrap()).into(),
        ..Recorded::default()
    };
    let slot = |slot: &str, run, phase, memo: &str| SlotState {
        slot: slot.to_owned(),
        run,
        phase,
        memo: memo.to_owned(),
        notices: Vec::new(),
    };
    let memo = Memo { phase: "running".to_owned(), ..Memo::default() }.to_text();
    let words = vec![WireNotice::Ready, WireNotice::Status("3 clients".to_owned())];
    let slots = [
        slot("api+before_start", 12, SlotPhase::Running { pid: 50 }, "4"),
        slot("api", 3, SlotPhase::Over, &memo),
        slot("ends", 5, SlotPhase::Running { pid: 60 }, &memo),
        // Of an earlier run: nobody waits for it.
        slot("ends+after_stop", 13, SlotPhase::Running { pid: 61 }, "4"),
        slot("gone+after_stop", 14, SlotPhase::Over, "1"),
        SlotState { notices: words, ..slot("talks", 1, SlotPhase::Running { pid: 70 }, &memo) },
    ];
    let mut stage = Stage::set(recorded, &slots);
    let status = |stage: &Stage, id: &str| stage.brain.runner.project().status(&id.parse().unwrap()).unwrap();
    let api = status(&stage, "api");
    assert_eq!((api.phase.as_str(), api.run.0), ("starting", 4));
    let talks = status(&stage, "talks");
    assert_eq!((talks.phase.as_str(), talks.said.as_deref()), ("running", Some("3 clients")));
    let ToKeeper::Signal { slot, run: 13, signal: 9, .. } = told(&mut stage).await else { panic!() };
    assert_eq!(slot, "ends+after_stop");
    let ToKeeper::Forget { slot } = told(&mut stage).await else { panic!() };
    assert_eq!(slot, "gone+after_stop");
    // The hook goes on for the same start, and the next one has a higher number than all before.
    stage.heard(exited("api+before_start", 12, WireExit::Code(0)));
    let (slot, run, ..) = spawn(&mut stage, &[]).await;
    assert_eq!((slot.as_str(), run), ("api", 4));
    assert_eq!(acknowledged(&mut stage).await, ("api+before_start".to_owned(), 12));
    stage.heard(started("api", 4));
    stage.heard(exited("api", 4, WireExit::Code(0)));
    acknowledged(&mut stage).await;
    let (slot, run, ..) = spawn(&mut stage, &[]).await;
    assert_eq!((slot.as_str(), run), ("api+after_stop", 15));
}

#[tokio::test(flavor = "current_thread")]
async fn a_pause_freezes_everything_and_is_remembered() {
    let mut stage = Stage::set(Recorded::default(), &[]);
    let _answer = stage.apply(&[spec("api", "./api")]);
    spawn(&mut stage, &[]).await;
    stage.heard(started("api", 1));
    let (_, answer) = stage.ask(act(Act::Pause));
    let Ok(Answer::Done { services, .. }) = answer.await.unwrap().into_result() else { panic!() };
    assert_eq!((services[0].state, services[0].phase.as_str()), (SettledState::Done, "paused"));
    let ToKeeper::Remember { run: 1, memo, .. } = stage.said().await else { panic!() };
    assert_eq!(Memo::from_text(&memo).phase, "paused", "before it is so");
    let ToKeeper::Signal { signal: 19, scope: Scope::Everything, .. } = told(&mut stage).await else {
        panic!()
    };
    let (_, answer) = stage.ask(act(Act::Resume));
    assert!(answer.await.unwrap().into_result().is_ok());
    let ToKeeper::Signal { signal: 18, scope: Scope::Everything, .. } = told(&mut stage).await else {
        panic!()
    };
}

#[tokio::test(flavor = "current_thread")]
async fn a_wait_changes_nothing_and_a_signal_is_for_the_main_process() {
    let mut stage = Stage::set(Recorded::default(), &[]);
    let _answer = stage.apply(&[spec("api", "./api")]);
    spawn(&mut stage, &[]).await;
    let wait = |until| Request::Wait { services: vec!["api".to_owned()], until, within_ms: None };
    let (_, mut ready) = stage.ask(wait(WaitFor::Ready));
    assert!(ready.try_recv().is_err());
    stage.heard(started("api", 1));
    assert_eq!(stage.services(ready).await[0].state, SettledState::Done);
    let (_, stopped) = stage.ask(wait(WaitFor::Stopped));
    let Ok(Answer::Done { services, .. }) = stopped.await.unwrap().into_result() else { panic!() };
    assert_eq!(services[0].state, SettledState::Failed, "nobody stops it");
    let signal =
        |signal: &str| Request::Signal { signal: signal.to_owned(), services: vec!["all".to_owned()] };
    let (_, answer) = stage.ask(signal("hup"));
    assert!(answer.await.unwrap().into_result().is_ok());
    let ToKeeper::Signal { signal: 1, scope: Scope::Main, .. } = told(&mut stage).await else { panic!() };
    let refused = stage.ask(signal("HUPP")).1.await.unwrap().into_result().unwrap_err();
    assert_eq!(refused.text, "`HUPP` is no signal");
}

#[tokio::test(flavor = "current_thread")]
async fn one_without_reload_says_so_and_one_by_command_is_answered_by_that() {
    let mut stage = Stage::set(Recorded::default(), &[]);
    let _answer = stage.apply(&[spec("api", "./api")]);
    spawn(&mut stage, &[]).await;
    stage.heard(started("api", 1));
    let (_, answer) = stage.ask(act(Act::Reload));
    let Ok(Answer::Done { services, .. }) = answer.await.unwrap().into_result() else { panic!() };
    assert_eq!(
        (services[0].state, services[0].reason.text.as_str()),
        (SettledState::Failed, "it has no `reload`")
    );
    let command = hook("./reload", Duration::from_secs(60)).map(mainstay_model::Reload::Command);
    let _answer = stage.apply(&[Spec { reload: command, ..spec("api", "./api") }]);
    for (exit, state, text) in [
        (WireExit::Code(2), SettledState::Failed, "its reload hook exited with 2"),
        (WireExit::Code(0), SettledState::Done, "its process runs"),
    ] {
        let (_, mut answer) = stage.ask(act(Act::Reload));
        assert!(answer.try_recv().is_err());
        let (slot, run, ..) = spawn(&mut stage, &[]).await;
        assert_eq!(slot, format!("api+{}", HookName::Reload));
        stage.heard(exited(&slot, run, exit));
        acknowledged(&mut stage).await;
        let Ok(Answer::Done { services, .. }) = answer.await.unwrap().into_result() else { panic!() };
        assert_eq!((services[0].state, services[0].reason.text.as_str()), (state, text));
    }
}
