//! A row per sentence: how a project comes back after the death of its daemon. Every memory meets everything that can be seen.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may panic, in the functions around it as well")]

mod scene;

use mainstay_decide::{AskedRestart, Event, Live, Memory, Phase, Turn};
use mainstay_model::{Condition, Exit, PhaseName, Reason, RestartWhen, RunId};
use scene::{With as _, at, id, oneshot, permanent, stage::Stage, state_text};

use Condition::{Completed, Ready};

const RUN: RunId = RunId(7);

/// What was remembered, with its reason in the words of then.
fn memory(phase: PhaseName, code: &str) -> Memory {
    let reason = Reason::Recalled { code: code.to_owned(), text: format!("the words of {code}") };
    let until = (code == "backoff").then(|| at(105));
    Memory { phase, reason, since: at(90), attempts: 2, restarts: 5, exit: Some(Exit::Code(1)), until }
}

/// Every memory: no more than a phase, its code, and the state that it comes back to when the run is over: wanted, or not.
const OVER: &[(&str, PhaseName, &str, &str)] = &[
    (
        "never-started",
        PhaseName::Stopped,
        "starting: spawning | up | spawning",
        "stopped | down | never-started",
    ),
    (
        "stop-requested",
        PhaseName::Stopped,
        "starting: spawning | up | spawning",
        "stopped | down | stop-requested",
    ),
    (
        "kill-requested",
        PhaseName::Stopped,
        "starting: spawning | up | spawning",
        "stopped | down | kill-requested",
    ),
    ("ended", PhaseName::Stopped, "stopped | up | ended", "stopped | down | stop-requested"),
    (
        "waiting-for-dependency",
        PhaseName::Waiting,
        "starting: spawning | up | spawning",
        "stopped | down | stop-requested",
    ),
    (
        "backoff",
        PhaseName::Waiting,
        "waiting for its backoff | up | backoff",
        "stopped | down | stop-requested",
    ),
    (
        "spawning",
        PhaseName::Starting,
        "starting: spawning | up | spawning",
        "stopped | down | stop-requested",
    ),
    ("running", PhaseName::Running, "starting: spawning | up | spawning", "stopped | down | stop-requested"),
    (
        // What follows depends on how it ended: with 1.
        "stopping",
        PhaseName::Stopping,
        "waiting for its backoff | up | backoff",
        "stopped | down | stop-requested",
    ),
    ("completed", PhaseName::Completed, "completed | up | completed", "completed | down | completed"),
    ("gave-up", PhaseName::Failed, "failed | up | gave-up", "stopped | down | stop-requested"),
];

fn recalled(memory: Option<Memory>, live: Live, wanted: bool) -> (String, Vec<String>) {
    let wanted: &[&str] = if wanted { &["api"] } else { &[] };
    let mut stage = Stage::recalled(&[permanent("api")], wanted, &[("api", memory, live)]);
    let text = state_text(stage.project.service(&id("api")).unwrap());
    (text, stage.asked())
}

#[test]
fn what_is_over_comes_back_as_it_was_remembered_and_as_it_is_wanted() {
    for (code, phase, up, down) in OVER {
        let remembered = || Some(memory(*phase, code));
        let (state, asked) = recalled(remembered(), Live::Over(RUN), true);
        assert_eq!(state, *up, "{code}, wanted");
        assert_eq!(asked.is_empty(), !state.starts_with("starting"), "{code}, wanted");
        let (state, asked) = recalled(remembered(), Live::Over(RUN), false);
        assert_eq!((state.as_str(), asked.is_empty()), (*down, true), "{code}, not wanted");
    }
}

#[test]
fn what_lives_is_never_started_again_whatever_is_remembered() {
    for (code, phase, ..) in OVER {
        let remembered = || Some(memory(*phase, code));
        for (live, state) in [
            (Live::Spawning(RUN), "starting: spawning | up | spawning"),
            (Live::Ending(RUN), "starting: spawning | up | spawning"),
            (Live::Running(RUN, 42), "running | up | running"),
        ] {
            // It was paused before it was asked to end, and may be so still.
            let frozen = *phase == PhaseName::Stopping && matches!(live, Live::Running(..));
            let resume = || if frozen { vec!["resume api".to_owned()] } else { Vec::new() };
            let expected = (state.to_owned(), resume());
            assert_eq!(recalled(remembered(), live, true), expected, "{code}, {live:?}, wanted");
            let stopping = "stopping: signalled, then stay | down | stopping".to_owned();
            let asked = resume().into_iter().chain(["TERM api".to_owned()]).collect();
            assert_eq!(
                recalled(remembered(), live, false),
                (stopping, asked),
                "{code}, {live:?}, not wanted"
            );
        }
    }
}

#[test]
fn without_a_memory_what_is_wanted_starts_and_what_lives_goes_on() {
    assert_eq!(recalled(None, Live::Over(RunId(0)), true).1, ["spawn api"]);
    assert_eq!(recalled(None, Live::Over(RunId(0)), false).0, "stopped | down | never-started");
    assert_eq!(recalled(None, Live::Running(RUN, 42), true), ("running | up | running".to_owned(), vec![]));
}

#[test]
fn a_clock_that_began_anew_makes_no_wait_longer_than_its_policy_says() {
    let later = Memory { since: at(9_000), until: Some(at(9_005)), ..memory(PhaseName::Waiting, "backoff") };
    let stage = Stage::recalled(&[permanent("api")], &["api"], &[("api", Some(later), Live::Over(RUN))]);
    let service = stage.project.service(&id("api")).unwrap();
    assert_eq!(service.phase(), &Phase::WaitingForBackoff { until: at(105) });
    assert_eq!(service.since(), stage.now);
}

#[test]
fn an_end_that_nobody_heard_of_is_followed_as_the_policy_says() {
    let seen = [("api", Some(memory(PhaseName::Starting, "spawning")), Live::Ending(RUN))];
    let mut stage = Stage::recalled(&[permanent("api")], &["api"], &seen);
    stage.exited("api", 9);
    assert_eq!(stage.sentence("api"), "exited with 9; restart 3 of 10 in 4 s", "the row goes on");
    stage.wait(4);
    assert_eq!((stage.asked(), stage.run("api")), (vec!["spawn api again 3".to_owned()], RunId(8)));
    assert_eq!(stage.project.status(&id("api")).unwrap().restarts, 6);
}

#[test]
fn nothing_starts_upon_one_that_may_be_over() {
    // Even if it was remembered as running.
    let seen = [("db", Some(memory(PhaseName::Running, "running")), Live::Ending(RUN))];
    let specs = [permanent("api").needs("db", Ready), permanent("db")];
    let mut stage = Stage::recalled(&specs, &["db", "api"], &seen);
    assert_eq!((stage.asked(), stage.phase("api")), (vec![], PhaseName::Waiting));
}

#[test]
fn nothing_starts_upon_one_that_is_to_stop() {
    let seen = [("db", Some(memory(PhaseName::Starting, "spawning")), Live::Running(RUN, 42))];
    for specs in [
        [permanent("db"), permanent("api").needs("db", Ready)],
        [permanent("api").needs("db", Ready), permanent("db")],
    ] {
        let mut stage = Stage::recalled(&specs, &["api"], &seen);
        assert_eq!((stage.asked(), stage.phase("api")), (vec!["TERM db".to_owned()], PhaseName::Waiting));
    }
}

#[test]
fn a_stop_goes_on_in_its_order() {
    let live = |name| (name, Some(memory(PhaseName::Starting, "spawning")), Live::Running(RUN, 42));
    let specs = [permanent("db"), permanent("api").needs("db", Ready)];
    let mut stage = Stage::recalled(&specs, &[], &[live("db"), live("api")]);
    assert_eq!(
        (stage.asked(), stage.sentence("db")),
        (vec!["TERM api".to_owned()], "will stop after api".to_owned())
    );
    stage.exited("api", 0);
    assert_eq!(stage.asked(), ["TERM db"]);
}

#[test]
fn a_check_is_asked_again_and_dependents_wait_for_its_answer() {
    let seen = [("db", Some(memory(PhaseName::Starting, "spawning")), Live::Running(RUN, 42))];
    let specs = [permanent("db").asked(), permanent("api").needs("db", Ready)];
    let mut stage = Stage::recalled(&specs, &["db", "api"], &seen);
    assert_eq!(stage.asked(), ["ask db"]);
    stage.answered("db", Ok(()));
    assert_eq!(stage.asked(), ["spawn api"]);
}

#[test]
fn a_check_that_is_only_time_counts_from_the_start_of_the_process() {
    // It was asked for at 90; now it is 100.
    let seen = [("db", Some(memory(PhaseName::Starting, "spawning")), Live::Running(RUN, 42))];
    let recall = |seconds| Stage::recalled(&[permanent("db").ready_after(seconds)], &["db"], &seen);
    assert_eq!(recall(10).phase("db"), PhaseName::Running);
    let mut stage = recall(12);
    assert_eq!((stage.phase("db"), stage.project.wake_at()), (PhaseName::Starting, Some(at(102))));
    stage.wait(2);
    assert_eq!(stage.phase("db"), PhaseName::Running);
}

#[test]
fn a_long_run_ends_the_row_also_when_its_daemon_died_meanwhile() {
    let long_ago = Memory { since: at(0), ..memory(PhaseName::Starting, "spawning") };
    let mut stage =
        Stage::recalled(&[permanent("api")], &["api"], &[("api", Some(long_ago), Live::Running(RUN, 42))]);
    stage.wait(500);
    stage.exited("api", 1);
    assert_eq!(stage.sentence("api"), "exited with 1; restart 1 of 10 in 1 s");
}

#[test]
fn what_completed_stays_completed_and_lets_others_start() {
    let seen = [("job", Some(memory(PhaseName::Completed, "completed")), Live::Over(RUN))];
    let specs = [oneshot("job"), permanent("api").needs("job", Completed)];
    let mut stage = Stage::recalled(&specs, &["job", "api"], &seen);
    assert_eq!(stage.asked(), ["spawn api"]);
}

#[test]
fn a_start_that_waited_is_remembered() {
    // Stopped, started again, and waiting for db: what was remembered at its end would say that it is stopped.
    let mut stage = Stage::of(&[permanent("db"), permanent("api").needs("db", Ready)]);
    stage.want(&["api"]);
    stage.made(&["db"]);
    stage.made(&["api"]);
    stage.stop(&["db"]);
    stage.exited("api", 0);
    stage.exited("db", 0);
    let outcome = stage.project.start(stage.now, &[id("api")]);
    let remember = mainstay_decide::Action::Remember { run: RunId(1) };
    assert!(outcome.actions.contains(&(id("api"), remember)), "{:?}", outcome.actions);
    let remembered = stage.project.service(&id("api")).unwrap().memory();
    assert_eq!(remembered.phase, PhaseName::Waiting);
}

#[test]
fn what_is_no_longer_described_goes_in_without_needs_and_is_removed_by_an_apply() {
    let specs = [permanent("api"), permanent("old"), permanent("older")];
    let seen = [
        ("api", Some(memory(PhaseName::Starting, "spawning")), Live::Running(RUN, 42)),
        ("old", Some(memory(PhaseName::Starting, "spawning")), Live::Running(RUN, 43)),
        ("older", Some(memory(PhaseName::Stopped, "stop-requested")), Live::Over(RUN)),
    ];
    let mut stage = Stage::recalled(&specs, &["api"], &seen);
    stage.apply(&[permanent("api")]);
    assert_eq!((stage.asked(), stage.removed()), (vec!["TERM old".to_owned()], vec!["older".to_owned()]));
    // Its name comes back before it has ended: one process at a time.
    stage.apply(&[permanent("api"), permanent("old").restarts(RestartWhen::Never)]);
    stage.want(&["old"]);
    assert_eq!(stage.asked(), Vec::<String>::new());
    stage.event("old", Event::Exited { run: RUN, exit: Exit::Code(0) });
    assert_eq!((stage.asked(), stage.run("old")), (vec!["spawn old".to_owned()], RunId(8)));
    let live = matches!(stage.project.service(&id("api")).unwrap().phase(), Phase::Running { .. });
    assert!(live, "and the others did not notice");
}

/// What a new daemon makes of what the old one was asked for, with these processes as it finds them.
fn resumed(asked: &[AskedRestart], found: &[(&str, Option<Memory>, Live)]) -> Stage {
    let specs: Vec<_> = found.iter().map(|(name, ..)| permanent(name)).collect();
    let names: Vec<&str> = found.iter().map(|(name, ..)| *name).collect();
    let mut stage = Stage::recalled(&specs, &names, found);
    stage.asked();
    stage.resume_restarts(asked);
    stage
}

#[test]
fn a_restart_that_was_asked_for_goes_on_with_another_daemon() {
    let mut old = Stage::of(&["api", "web", "db"].map(permanent));
    old.want(&["api", "web", "db"]);
    old.made(&["api", "web", "db"]);
    assert_eq!(old.project.asked_restarts(), []);
    old.restart(&["api"]);
    old.stop(&["web"]);
    old.want(&["web"]);
    let asked = old.project.asked_restarts();
    let first = |name| AskedRestart { id: id(name), run: RunId(1), turn: Turn::AtOnce };
    assert_eq!(asked, ["api", "web"].map(first), "it is to end, and to start again");

    let lives = Live::Running(RunId(1), 41);
    let mut stage =
        resumed(&asked, &[("api", None, lives), ("web", None, Live::Ending(RunId(1))), ("db", None, lives)]);
    assert_eq!(stage.asked(), ["TERM api", "TERM web"]);
    stage.exited("api", 0);
    stage.exited("web", 0);
    assert_eq!(stage.asked(), ["spawn api", "spawn web"], "its end was asked for");
    assert_eq!(stage.project.asked_restarts(), []);

    let mut stage = resumed(&asked, &[("api", None, Live::Running(RunId(2), 42))]);
    assert_eq!(stage.asked(), Vec::<String>::new(), "it was restarted already");
}

#[test]
fn restarts_in_turn_go_on_with_another_daemon_where_they_were() {
    let names = ["api@1", "api@2", "api@3"];
    let mut old = Stage::of(&names.map(permanent));
    old.want(&names);
    old.made(&names);
    old.roll(&names);
    let turn = |name| AskedRestart { id: id(name), run: RunId(1), turn: Turn::InTurn };
    assert_eq!(old.project.asked_restarts(), names.map(turn));
    old.exited("api@1", 0);
    old.made(&["api@1"]);
    old.exited("api@2", 0);
    let asked = old.project.asked_restarts();
    assert_eq!(asked, ["api@2", "api@3"].map(turn), "the first is over");

    let lives = |run| Live::Running(RunId(run), 41);
    let making = Live::Spawning(RunId(2));
    let mut stage =
        resumed(&asked, &[("api@1", None, lives(2)), ("api@2", None, making), ("api@3", None, lives(1))]);
    assert_eq!(stage.asked(), Vec::<String>::new(), "the second is not ready");
    assert_eq!(stage.project.asked_restarts(), asked);
    stage.made(&["api@2"]);
    assert_eq!(stage.asked(), ["TERM api@3"]);
    stage.exited("api@3", 0);
    stage.made(&["api@3"]);
    assert_eq!((stage.asked(), stage.project.asked_restarts()), (vec!["spawn api@3".to_owned()], Vec::new()));
}
