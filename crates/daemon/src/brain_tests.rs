//! The brain with a keeper that this test plays: what is said on the line, and in which order with what is on disk.

mod care;
mod monitors;
mod probation;

use std::{os::fd::OwnedFd, path::PathBuf, time::Duration};

use mainstay_model::{RestartPolicy, RestartWhen, ServiceId, Spec};
use mainstay_wire::{
    Act, Answer, Frames, Memo, Reply, Request, Settled, SettledState, SlotPhase, SlotState, ToKeeper,
    WireExit, WireSpec,
};
use tokio::{
    io::AsyncReadExt,
    net::UnixStream,
    sync::{mpsc, oneshot},
    time::timeout,
};

use crate::{
    brain::{Brain, Flow},
    generations::Generations,
    hands::{Hands, Surroundings},
    history::History,
    keeper_link,
    memo::made_from,
    state::{Recorded, StateFile},
    wake::{Asked, Peer, Wake},
};

struct Stage {
    brain: Brain,
    woken: mpsc::Receiver<Wake>,
    keeper: UnixStream,
    frames: Frames,
    dir: tempfile::TempDir,
}

fn spec(id: &str, command: &str) -> Spec {
    let command = mainstay_model::Command::new([command.to_owned()]).unwrap();
    Spec {
        restart: RestartPolicy { delay: Duration::ZERO, ..RestartPolicy::with(RestartWhen::OnFailure) },
        stop: mainstay_model::StopPolicy {
            signal: mainstay_model::Signal::TERM,
            timeout: Duration::from_secs(5),
        },
        log: mainstay_model::LogLimits {
            max_size: mainstay_model::Bytes(1000),
            keep: 3.try_into().unwrap(),
            total: mainstay_model::Bytes(9000),
            ..mainstay_model::LogLimits::default()
        },
        ..Spec::new(id.parse().unwrap(), mainstay_model::Kind::Permanent, command, PathBuf::from("/"))
    }
}

impl Stage {
    fn set(recorded: Recorded, slots: &[SlotState]) -> Self {
        Self::set_in(tempfile::tempdir().unwrap(), recorded, slots)
    }

    /// In a folder in which another one has lived.
    fn set_in(dir: tempfile::TempDir, recorded: Recorded, slots: &[SlotState]) -> Self {
        let (ours, theirs) = std::os::unix::net::UnixStream::pair().unwrap();
        theirs.set_nonblocking(true).unwrap();
        let (sender, _reader, _writing) = keeper_link::connect(OwnedFd::from(ours)).unwrap();
        let (wakes, woken) = mpsc::channel(16);
        let surroundings = Surroundings {
            logs_dir: "/logs".into(),
            socket: "/run/sock".to_owned(),
            // Nothing can be made there.
            run_dir: "/proc/self/run".into(),
            project_key: "key".to_owned(),
            boot_id: "boot".to_owned(),
        };
        let state = StateFile::of(dir.path());
        let brain = Brain::recall(
            state,
            recorded,
            Hands::new(sender, wakes, surroundings),
            History::default(),
            Generations::of(dir.path()).unwrap(),
            slots,
        )
        .unwrap();
        let keeper = UnixStream::from_std(theirs).unwrap();
        Self { brain, woken, keeper, frames: Frames::default(), dir }
    }

    async fn said(&mut self) -> ToKeeper {
        loop {
            if let Some(message) = self.frames.next_message().unwrap() {
                return message;
            }
            let mut buffer = [0; 4096];
            let count =
                timeout(Duration::from_secs(10), self.keeper.read(&mut buffer)).await.unwrap().unwrap();
            assert!(count > 0);
            self.frames.push(&buffer[..count]);
        }
    }

    fn ask(&mut self, request: Request) -> (Flow, oneshot::Receiver<Reply>) {
        let (reply, answer) = oneshot::channel();
        let peer = Peer { uid: 0, pid: None };
        (self.brain.take(Wake::Asked(Asked { request, peer, reply })), answer)
    }

    fn apply(&mut self, specs: &[Spec]) -> oneshot::Receiver<Reply> {
        self.apply_within(specs, None)
    }

    fn apply_within(&mut self, specs: &[Spec], within_ms: Option<u64>) -> oneshot::Receiver<Reply> {
        let request = Request::Apply {
            project: "shop".to_owned(),
            dir: "/".to_owned(),
            files: Vec::new(),
            fingerprint: "f".to_owned(),
            specs: specs.iter().map(WireSpec::from).collect(),
            start: Vec::new(),
            wait: true,
            within_ms,
            base: None,
            watch_ms: None,
        };
        self.ask(request).1
    }

    /// Lets time pass until this is answered.
    async fn services(&mut self, mut answer: oneshot::Receiver<Reply>) -> Vec<Settled> {
        loop {
            if let Ok(reply) = answer.try_recv() {
                let Ok(Answer::Done { services, .. }) = reply.into_result() else { panic!() };
                return services;
            }
            let at = self.brain.wake_at().expect("something would wake it");
            tokio::time::sleep(crate::clock::until(at)).await;
            self.brain.take(Wake::Time);
        }
    }

    fn heard(&mut self, message: mainstay_wire::FromKeeper) -> Flow {
        self.brain.take(Wake::Keeper(message))
    }

    fn on_disk(&self) -> Recorded {
        StateFile::of(self.dir.path()).read().unwrap()
    }
}

fn started(slot: &str, run: u64) -> mainstay_wire::FromKeeper {
    mainstay_wire::FromKeeper::Started { slot: slot.to_owned(), run, pid: 42 }
}

fn exited(slot: &str, run: u64, exit: WireExit) -> mainstay_wire::FromKeeper {
    mainstay_wire::FromKeeper::Exited { slot: slot.to_owned(), run, exit }
}

#[tokio::test(flavor = "current_thread")]
async fn what_is_applied_is_on_disk_spawned_and_answered_when_it_runs() {
    let mut stage = Stage::set(Recorded::default(), &[]);
    let mut answer = stage.apply(&[spec("api", "./api")]);
    assert_eq!(stage.on_disk().wanted.len(), 1);
    let ToKeeper::Spawn { slot, run, program, log, .. } = stage.said().await else { panic!() };
    assert_eq!((slot.as_str(), run, log.dir.as_str()), ("api", 1, "/logs/api"));
    assert_eq!(program.words, ["./api"]);
    for variable in ["MAINSTAY_SERVICE=api", "MAINSTAY_RUN_ID=key.api.1", "MAINSTAY_SOCKET=/run/sock"] {
        assert!(program.env.iter().any(|entry| entry == variable), "{variable} in {:?}", program.env);
    }
    assert!(answer.try_recv().is_err());
    stage.heard(started("api", 1));
    assert!(answer.try_recv().is_err(), "it may end at once");
    assert_eq!(stage.services(answer).await[0].state, SettledState::Done);

    let answer = stage.apply(&[spec("api", "./api")]);
    assert_eq!(answer.await.unwrap().into_result().map(|_| ()), Ok(()), "it has run for a while");
}

#[tokio::test(flavor = "current_thread")]
async fn what_ends_in_its_first_moments_has_failed_and_was_never_there() {
    let mut stage = Stage::set(Recorded::default(), &[]);
    let once = RestartPolicy::with(RestartWhen::Never);
    let mut answer = stage.apply(&[Spec { restart: once, ..spec("api", "./api") }]);
    stage.heard(started("api", 1));
    assert!(answer.try_recv().is_err());
    stage.heard(exited("api", 1, WireExit::Code(3)));
    let Ok(Answer::Done { services, .. }) = answer.await.unwrap().into_result() else { panic!() };
    assert_eq!((services[0].state, &*services[0].phase), (SettledState::Failed, "failed"));

    let request =
        Request::Act { act: Act::Start, services: vec!["api".to_owned()], wait: true, within_ms: Some(1) };
    let (_, answer) = stage.ask(request);
    stage.heard(started("api", 2));
    let services = stage.services(answer).await;
    assert_eq!(services[0].state, SettledState::Done, "whoever has no time for that hears what is");
}

#[tokio::test(flavor = "current_thread")]
async fn a_live_service_is_found_again_and_an_untold_end_is_taken_in() {
    let recorded = Recorded {
        specs: vec![spec("live", "./live"), spec("ended", "./ended"), spec("done", "./done")],
        wanted: ["live", "ended"].map(|id| id.parse::<ServiceId>().unwrap()).into(),
        ..Recorded::default()
    };
    let slot = |slot: &str, phase| SlotState {
        slot: slot.to_owned(),
        run: 7,
        phase,
        memo: Memo { phase: "starting".to_owned(), restarts: 3, ..Memo::default() }.to_text(),
        notices: Vec::new(),
    };
    let slots = [
        slot("live", SlotPhase::Running { pid: 41 }),
        slot("ended", SlotPhase::Exited { exit: WireExit::Code(9) }),
        slot("stray", SlotPhase::Running { pid: 43 }),
        slot("old", SlotPhase::Over),
    ];
    let mut stage = Stage::set(recorded, &slots);
    let status = stage.brain.runner.project().status(&"live".parse().unwrap()).unwrap();
    assert_eq!((status.pid, status.run.0, status.restarts), (Some(41), 7, 3));
    let ToKeeper::Signal { slot, signal: 15, .. } = stage.said().await else { panic!() };
    assert_eq!(slot, "stray");
    let ToKeeper::Acknowledge { slot, run: 7, memo } = stage.said().await else { panic!() };
    assert_eq!(slot, "ended");
    assert_eq!(Memo::from_text(&memo).exit, Some(WireExit::Code(9)));
    let ToKeeper::Spawn { slot, run: 8, .. } = stage.said().await else { panic!() };
    assert_eq!(slot, "ended");
    let ToKeeper::Forget { slot } = stage.said().await else { panic!() };
    assert_eq!(slot, "old");
    stage.heard(exited("stray", 7, WireExit::Signal(15)));
    let ToKeeper::Acknowledge { slot, .. } = stage.said().await else { panic!() };
    assert_eq!(slot, "stray");
    let ToKeeper::Forget { slot } = stage.said().await else { panic!() };
    assert_eq!(slot, "stray");
}

#[tokio::test(flavor = "current_thread")]
async fn what_was_made_from_an_earlier_description_is_restarted() {
    let recorded = Recorded {
        specs: vec![spec("api", "./new"), spec("same", "./same")],
        wanted: ["api", "same"].map(|id| id.parse::<ServiceId>().unwrap()).into(),
        ..Recorded::default()
    };
    let slot = |slot: &str, of: &Spec| SlotState {
        slot: slot.to_owned(),
        run: 7,
        phase: SlotPhase::Running { pid: 41 },
        memo: Memo { phase: "starting".to_owned(), made_from: made_from(of), ..Memo::default() }.to_text(),
        notices: Vec::new(),
    };
    let slots = [slot("api", &spec("api", "./old")), slot("same", &spec("same", "./same"))];
    let mut stage = Stage::set(recorded, &slots);
    let ToKeeper::Signal { slot, signal: 15, .. } = stage.said().await else { panic!() };
    assert_eq!(slot, "api");
    stage.heard(exited("api", 7, WireExit::Signal(15)));
    let ToKeeper::Acknowledge { slot, .. } = stage.said().await else { panic!() };
    assert_eq!(slot, "api");
    let ToKeeper::Spawn { slot, run: 8, program, memo, .. } = stage.said().await else { panic!() };
    assert_eq!((slot.as_str(), program.words), ("api", vec!["./new".to_owned()]));
    assert_eq!(Memo::from_text(&memo).made_from, made_from(&spec("api", "./new")));
}

#[tokio::test(flavor = "current_thread")]
async fn an_unknown_user_is_a_failed_start_and_a_stop_meanwhile_is_kept() {
    let mut stage = Stage::set(Recorded::default(), &[]);
    let nobody = Spec {
        user: Some("no-such-user-at-all".to_owned()),
        restart: RestartPolicy::with(RestartWhen::Never),
        ..spec("api", "./api")
    };
    let answer = stage.apply(std::slice::from_ref(&nobody));
    let wake = stage.woken.recv().await.unwrap();
    stage.brain.take(wake);
    let Ok(Answer::Done { services, .. }) = answer.await.unwrap().into_result() else { panic!() };
    assert_eq!(services[0].state, SettledState::Failed);
    assert!(services[0].reason.text.contains("no-such-user-at-all"), "{}", services[0].reason.text);
    let ToKeeper::Acknowledge { run: 1, .. } = stage.said().await else { panic!() };

    let request = |act| Request::Act { act, services: vec!["api".to_owned()], wait: false, within_ms: None };
    let _ = stage.ask(request(Act::Start));
    let _ = stage.ask(request(Act::Stop));
    let wake = stage.woken.recv().await.unwrap();
    stage.brain.take(wake);
    let ToKeeper::Acknowledge { run: 2, .. } = stage.said().await else { panic!() };
    let status = stage.brain.runner.project().status(&"api".parse().unwrap()).unwrap();
    assert_eq!((status.phase.as_str(), status.reason.code()), ("stopped", "stop-requested"));
}

#[tokio::test(flavor = "current_thread")]
async fn down_ends_when_the_last_has_ended() {
    let mut stage = Stage::set(Recorded::default(), &[]);
    let _answer = stage.apply(&[spec("api", "./api")]);
    stage.said().await;
    stage.heard(started("api", 1));
    let (flow, answer) = stage.ask(Request::Down { kill: false });
    assert_eq!(flow, Flow::Continue);
    assert!(stage.on_disk().wanted.is_empty() && stage.on_disk().going_down);
    let ToKeeper::Signal { signal: 15, .. } = stage.said().await else { panic!() };
    let refused = stage.apply(&[spec("api", "./api")]).await.unwrap().into_result().unwrap_err();
    assert_eq!(refused.code, mainstay_wire::ErrorCode::GoingDown);
    assert_eq!(stage.heard(exited("api", 1, WireExit::Signal(15))), Flow::Finished);
    assert_eq!(answer.await.unwrap().into_result(), Ok(Answer::Down));
    let ToKeeper::Acknowledge { .. } = stage.said().await else { panic!() };
    assert_eq!(stage.said().await, ToKeeper::Finish);
}

#[tokio::test(flavor = "current_thread")]
async fn what_cannot_be_written_keeps_nobody_from_stopping() {
    let mut stage = Stage::set(Recorded::default(), &[]);
    let _answer = stage.apply(&[spec("api", "./api")]);
    stage.said().await;
    stage.heard(started("api", 1));
    std::fs::remove_dir_all(stage.dir.path()).unwrap();
    let request = |act| Request::Act { act, services: vec!["api".to_owned()], wait: false, within_ms: None };
    let refused = stage.ask(request(Act::Stop)).1.await.unwrap().into_result();
    assert!(refused.is_ok(), "{refused:?}");
    let ToKeeper::Signal { signal: 15, .. } = stage.said().await else { panic!() };
    let refused = stage.ask(request(Act::Start)).1.await.unwrap().into_result().unwrap_err();
    assert!(refused.text.contains("No such file"), "{}", refused.text);
}

#[tokio::test(flavor = "current_thread")]
async fn whoever_waits_with_a_bound_is_told_what_is_pending() {
    let mut stage = Stage::set(Recorded::default(), &[]);
    let mut answer = stage.apply_within(&[spec("api", "./api")], Some(3_600_000));
    assert!(answer.try_recv().is_err());
    assert!(stage.brain.wake_at().is_some(), "nothing else would wake it");
    drop(answer);
    stage.brain.take(Wake::Time);
    assert_eq!(stage.brain.wake_at(), None, "one that has left is not waited for");

    let answer = stage.apply_within(&[spec("api", "./api")], Some(0));
    let Ok(Answer::Done { services, .. }) = answer.await.unwrap().into_result() else { panic!() };
    let api = &services[0];
    assert_eq!(
        (api.state, api.phase.as_str(), api.pid, api.run),
        (SettledState::Pending, "starting", None, 1)
    );
}

#[tokio::test(flavor = "current_thread")]
async fn what_is_no_longer_described_is_shown_to_its_end() {
    let mut stage = Stage::set(Recorded::default(), &[]);
    let _answer = stage.apply(&[spec("old", "./old"), spec("done", "./done"), spec("api", "./api")]);
    for id in ["old", "done", "api"] {
        stage.heard(started(id, 1));
    }
    stage.heard(exited("done", 1, WireExit::Code(0)));
    let (sender, mut changes) = mpsc::channel(16);
    stage.brain.take(Wake::Followed(sender));
    let mut answer = stage.apply(&[spec("api", "./api")]);
    assert!(answer.try_recv().is_err(), "one that is to go has not ended");
    stage.heard(exited("old", 1, WireExit::Signal(15)));
    let services = stage.services(answer).await;
    let rows: Vec<_> =
        services.iter().map(|it| (it.id.as_str(), it.phase.as_str(), it.reason.code.as_str())).collect();
    assert_eq!(
        rows,
        [("done", "stopped", "removed"), ("old", "stopped", "removed"), ("api", "running", "running")]
    );
    assert!(services.iter().all(|service| service.state == SettledState::Done));

    let mut seen = Vec::new();
    while let Ok(reply) = changes.try_recv() {
        if let Ok(Answer::Event(event)) = reply.into_result() {
            let service = event.service;
            seen.push((service.name, service.phase, service.reason.text, service.pid));
        }
    }
    let (name, phase, text, pid) = seen.pop().unwrap();
    assert_eq!((&*name, &*phase, &*text, pid), ("old", "stopped", "it is no longer in the files", None));
}

#[tokio::test(flavor = "current_thread")]
async fn a_slow_follower_is_told_at_the_end_how_much_it_has_missed() {
    let mut stage = Stage::set(Recorded::default(), &[]);
    let (sender, mut changes) = mpsc::channel(2);
    stage.brain.take(Wake::Followed(sender));
    let _answer = stage.apply(&[spec("api", "./api")]);
    stage.heard(started("api", 1));
    stage.ask(Request::Down { kill: true });
    assert!(matches!(changes.try_recv().unwrap().into_result(), Ok(Answer::Services { .. })));
    assert_eq!(stage.heard(exited("api", 1, WireExit::Signal(9))), Flow::Finished);
    assert!(matches!(changes.try_recv().unwrap().into_result(), Ok(Answer::Event(_))));
    assert_eq!(changes.try_recv().unwrap().into_result(), Ok(Answer::Missed { events: 2 }));
    assert!(changes.try_recv().is_err());
}

#[tokio::test(flavor = "current_thread")]
async fn the_end_of_the_anchor_is_told_to_all_who_ask_and_follow() {
    let mut stage = Stage::set(Recorded::default(), &[]);
    let (sender, mut changes) = mpsc::channel(2);
    stage.brain.take(Wake::Followed(sender));
    let anchor = |answer| match answer {
        Ok(Answer::Services { anchor, .. }) => anchor,
        other => panic!("{other:?}"),
    };
    assert!(anchor(changes.try_recv().unwrap().into_result()));
    assert!(anchor(stage.ask(Request::List).1.await.unwrap().into_result()));
    assert!(changes.try_recv().is_err());
    assert_eq!(stage.heard(mainstay_wire::FromKeeper::AnchorGone), Flow::Continue);
    assert!(!anchor(changes.try_recv().unwrap().into_result()));
    assert!(!anchor(stage.ask(Request::List).1.await.unwrap().into_result()));
}

#[tokio::test(flavor = "current_thread")]
async fn a_request_that_comes_too_late_is_answered() {
    let ask = |request| {
        let (reply, answer) = oneshot::channel();
        crate::request::take_too_late(Asked { request, peer: Peer { uid: 0, pid: None }, reply });
        answer
    };
    assert_eq!(ask(Request::Down { kill: false }).await.unwrap().into_result(), Ok(Answer::Down));
    let refused = ask(Request::List).await.unwrap().into_result().unwrap_err();
    assert_eq!(refused.code, mainstay_wire::ErrorCode::GoingDown);
}

#[tokio::test(flavor = "current_thread")]
async fn nothing_is_begun_while_the_keeper_does_not_keep_up() {
    let mut stage = Stage::set(Recorded::default(), &[]);
    let request = || Request::Signal { signal: "HUP".to_owned(), services: vec!["all".to_owned()] };
    let text = "x".repeat(1024 * 1024);
    for _ in 0..=keeper_link::BEHIND / text.len() + 1 {
        stage.brain.tell(&ToKeeper::Trouble { text: text.clone() });
    }
    tokio::task::yield_now().await;
    let refused = stage.ask(request()).1.await.unwrap().into_result().unwrap_err();
    assert_eq!((refused.code, refused.help.is_some()), (mainstay_wire::ErrorCode::Busy, true));
    assert!(
        stage.ask(Request::Ping).1.await.unwrap().into_result().is_ok(),
        "whoever only reads is answered"
    );
    while matches!(stage.said().await, ToKeeper::Trouble { .. })
        && stage.brain.runner.execution().is_keeper_behind()
    {}
    let answer = stage.ask(request()).1.await.unwrap().into_result();
    assert!(!answer.is_err_and(|error| error.code == mainstay_wire::ErrorCode::Busy));
}

#[tokio::test(flavor = "current_thread")]
async fn clients_that_asked_for_the_end_and_left_wait_no_more() {
    let mut stage = Stage::set(Recorded::default(), &[]);
    stage.apply(&[spec("api", "./api")]);
    stage.heard(started("api", 1));
    for _ in 0..1000 {
        drop(stage.ask(Request::Down { kill: false }).1);
    }
    assert_eq!(stage.brain.leavers.len(), 1);
}
