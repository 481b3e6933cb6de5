//! Services that are looked after: health, watchdog, what they say themselves, hooks, pauses, rolling restarts.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]

mod scene;

use std::time::Duration;

use mainstay_decide::{Awaited, Live, Notice, Standing};
use mainstay_model::{Condition, Health, HookName, PhaseName, RunId, ServiceId, Spec};
use scene::{With as _, id, oneshot, permanent, stage::Stage};

fn running(spec: Spec) -> Stage {
    let name = spec.id.to_string();
    let mut stage = Stage::of(&[spec]);
    stage.want(&[&name]);
    stage.made(&[&name]);
    stage.quiet();
    stage
}

fn health(stage: &Stage, name: &str) -> Health {
    stage.project.service(&id(name)).unwrap().health()
}

#[test]
fn failures_in_a_row_restart_it_with_the_last_answer_as_the_reason() {
    let mut stage = running(permanent("api").well());
    stage.answered("api", Ok(()));
    assert_eq!(health(&stage, "api"), Health::Ok);
    stage.wait(10);
    stage.answered("api", Err("answered 503"));
    assert_eq!(health(&stage, "api"), Health::Warning);
    assert_eq!(stage.sentence("api"), "tcp 127.0.0.1:81 answered 503 (1 of 2 failures in a row)");
    stage.wait(10);
    stage.answered("api", Err("refused"));
    assert_eq!(health(&stage, "api"), Health::Error);
    stage.exited("api", 0);
    assert_eq!(
        stage.sentence("api"),
        "its health check failed twice in a row: tcp 127.0.0.1:81 refused; restart 1 of 10 in 1 s"
    );
    stage.wait(1);
    assert_eq!(stage.asked(), ["ask api", "ask api", "TERM api", "spawn api again 1"]);
}

#[test]
fn a_success_ends_the_row_of_failures() {
    let mut stage = running(permanent("api").well());
    for answer in [Ok(()), Err("refused"), Ok(()), Err("refused"), Ok(())] {
        stage.answered("api", answer);
        stage.wait(10);
    }
    assert_eq!(stage.phase("api"), PhaseName::Running);
}

#[test]
fn failures_in_the_start_period_do_not_count_and_are_asked_again_soon() {
    let mut stage = running(permanent("api").well());
    for _ in 0..8 {
        stage.answered("api", Err("refused"));
        stage.wait(1);
    }
    assert_eq!((stage.phase("api"), health(&stage, "api")), (PhaseName::Running, Health::Startup));
    stage.wait(4);
    stage.answered("api", Err("refused"));
    stage.wait(10);
    stage.answered("api", Err("refused"));
    assert_eq!(stage.phase("api"), PhaseName::Stopping);
}

#[test]
fn a_dependent_that_wants_it_healthy_waits_for_its_first_success() {
    let mut stage = Stage::of(&[permanent("db").well(), permanent("api").needs("db", Condition::Healthy)]);
    stage.want(&["api"]);
    stage.made(&["db"]);
    stage.quiet();
    stage.answered("db", Err("refused"));
    assert_eq!(
        stage.sentence("api"),
        "waiting for db to be healthy: tcp 127.0.0.1:81 refused; it has not been well yet"
    );
    stage.wait(1);
    stage.answered("db", Ok(()));
    assert_eq!(stage.asked(), ["ask db", "spawn api"]);
}

#[test]
fn an_answer_to_an_earlier_question_means_nothing() {
    let mut stage = running(permanent("api").asked().well());
    stage.answered("api", Ok(()));
    let first = mainstay_decide::Event::Answered {
        run: stage.run("api"),
        question: mainstay_decide::QuestionId(1),
        answer: Err("refused".to_owned()),
    };
    stage.event("api", first);
    assert_eq!(stage.sentence("api"), "ready: tcp 127.0.0.1:80");
}

#[test]
fn one_that_says_nothing_for_too_long_is_aborted_and_restarted() {
    let mut stage = running(permanent("api").notifies());
    stage.wait(20);
    stage.says("api", Notice::Ready);
    stage.wait(29);
    stage.says("api", Notice::Alive);
    stage.wait(29);
    assert_eq!(stage.phase("api"), PhaseName::Running);
    stage.wait(1);
    assert_eq!(stage.asked(), ["ABRT api"]);
    stage.killed("api");
    assert_eq!(stage.sentence("api"), "its watchdog heard nothing for 30 s; restart 1 of 10 in 1 s");
}

#[test]
fn a_start_may_take_as_long_as_it_says() {
    let mut stage = running(permanent("api").notifies());
    stage.wait(29);
    stage.says("api", Notice::Extend(Duration::from_secs(60)));
    stage.wait(59);
    assert_eq!(stage.phase("api"), PhaseName::Starting);
    stage.wait(1);
    assert_eq!(stage.asked(), ["TERM api"]);
}

#[test]
fn a_stop_may_take_as_long_as_it_says() {
    let mut stage = running(permanent("api"));
    stage.stop(&["api"]);
    stage.says("api", Notice::Extend(Duration::from_secs(60)));
    stage.wait(59);
    assert_eq!(stage.asked(), ["TERM api"]);
    stage.wait(1);
    assert_eq!(stage.asked(), ["kill api"]);
}

#[test]
fn hooks_stand_around_a_life_each_at_its_place() {
    let mut stage = Stage::of(&[permanent("api").hooked()]);
    stage.want(&["api"]);
    stage.hook("api", HookName::BeforeStart, Ok(()));
    stage.made(&["api"]);
    assert_eq!(stage.project.standing_up(&id("api")), Standing::Pending, "its after-start hook runs");
    stage.hook("api", HookName::AfterStart, Ok(()));
    assert_eq!(stage.project.standing_up(&id("api")), Standing::Done);
    stage.stop(&["api"]);
    stage.hook("api", HookName::BeforeStop, Err("exited with 1"));
    stage.exited("api", 0);
    assert_eq!(stage.project.standing_down(&id("api")), Standing::Pending);
    stage.hook("api", HookName::AfterStop, Ok(()));
    assert_eq!(stage.project.standing_down(&id("api")), Standing::Done);
    let row =
        ["before_start api", "spawn api", "after_start api", "before_stop api", "TERM api", "after_stop api"];
    assert_eq!(stage.asked(), row);
    let told = "stopped on request; its before_stop hook exited with 1";
    assert_eq!(stage.sentence("api"), told);
    let (_, last) = stage.changes.last().unwrap();
    assert_eq!((last.to, last.reason.sentence(stage.now)), (PhaseName::Stopped, told.to_owned()));
    stage.start(&["api"]);
    stage.hook("api", HookName::BeforeStart, Ok(()));
    stage.not_made("api");
    assert!(!stage.sentence("api").contains("before_stop"), "{}", stage.sentence("api"));
}

#[test]
fn a_failed_hook_before_a_start_is_a_failed_start() {
    let mut stage = Stage::of(&[permanent("api").hooked(), permanent("web").needs("api", Condition::Ready)]);
    stage.want(&["web"]);
    stage.hook("api", HookName::BeforeStart, Err("exited with 3"));
    assert_eq!(stage.sentence("api"), "its before_start hook exited with 3; restart 1 of 10 in 1 s");
    stage.wait(1);
    assert_eq!(stage.asked(), ["before_start api", "before_start api"]);
    assert_eq!(stage.run("api"), RunId(2));
}

#[test]
fn a_hook_that_takes_too_long_is_killed_and_its_end_is_waited_for() {
    let mut stage = Stage::of(&[permanent("api").hooked()]);
    stage.want(&["api"]);
    stage.wait(3_600);
    assert_eq!(stage.asked(), ["before_start api", "kill before_start api"]);
    stage.hook("api", HookName::BeforeStart, Err("was killed after 60 s"));
    assert_eq!(stage.phase("api"), PhaseName::Waiting);
}

#[test]
fn after_a_crash_it_is_cleaned_up_before_it_starts_again() {
    let mut stage = Stage::of(&[permanent("api").hooked()]);
    stage.want(&["api"]);
    stage.hook("api", HookName::BeforeStart, Ok(()));
    stage.made(&["api"]);
    stage.hook("api", HookName::AfterStart, Ok(()));
    stage.quiet();
    stage.exited("api", 7);
    stage.wait(30);
    assert_eq!((stage.asked(), stage.phase("api")), (vec!["after_stop api".to_owned()], PhaseName::Stopping));
    stage.hook("api", HookName::AfterStop, Ok(()));
    assert_eq!(stage.sentence("api"), "exited with 7; restart 1 of 10 in 1 s");
}

#[test]
fn a_oneshot_with_hooks_completes_when_the_last_is_over() {
    let mut stage = Stage::of(&[oneshot("job").hooked()]);
    stage.want(&["job"]);
    stage.hook("job", HookName::BeforeStart, Ok(()));
    stage.made(&["job"]);
    stage.hook("job", HookName::AfterStart, Ok(()));
    stage.exited("job", 0);
    stage.stop(&["job"]);
    stage.hook("job", HookName::AfterStop, Ok(()));
    assert_eq!(stage.phase("job"), PhaseName::Completed);
}

#[test]
fn what_is_paused_is_asked_for_nothing_and_goes_on_where_it_was() {
    let mut stage = running(permanent("api").well());
    stage.answered("api", Ok(()));
    stage.quiet();
    stage.pause(&["api"]);
    assert_eq!(stage.project.standing(&id("api"), Awaited::Paused), Standing::Done);
    stage.wait(3_600);
    stage.resume(&["api"]);
    assert_eq!(stage.asked(), ["pause api", "resume api", "ask api"]);
    assert_eq!(stage.phase("api"), PhaseName::Running);
}

#[test]
fn what_is_paused_is_let_go_before_it_is_asked_to_end() {
    let mut stage = running(permanent("api"));
    stage.pause(&["api"]);
    stage.stop(&["api"]);
    assert_eq!(stage.asked(), ["pause api", "resume api", "TERM api"]);
}

#[test]
fn what_was_paused_is_so_for_the_next_daemon() {
    let mut stage = running(permanent("api").well());
    stage.pause(&["api"]);
    let memory = stage.project.service(&id("api")).unwrap().memory();
    let live = Live::Running(RunId(1), 42);
    let stage = Stage::recalled(&[permanent("api").well()], &["api"], &[("api", Some(memory), live)]);
    assert_eq!(
        (stage.phase("api"), stage.sentence("api")),
        (PhaseName::Paused, "paused on request".to_owned())
    );
}

#[test]
fn a_reload_by_command_is_over_when_the_command_is() {
    let mut stage = running(Spec { hooks: mainstay_model::Hooks::default(), ..permanent("api").hooked() });
    let standing = |stage: &Stage| stage.project.standing(&id("api"), Awaited::Reloaded);
    stage.reload(&["api"]);
    assert_eq!(
        (standing(&stage), stage.sentence("api")),
        (Standing::Pending, "it reads its configuration again".to_owned())
    );
    stage.hook("api", HookName::Reload, Err("exited with 1"));
    assert_eq!((standing(&stage), stage.phase("api")), (Standing::Failed, PhaseName::Running));
    stage.reload(&["api"]);
    stage.hook("api", HookName::Reload, Ok(()));
    assert_eq!(standing(&stage), Standing::Done);
    assert_eq!(stage.asked(), ["reload api", "reload api"]);
}

#[test]
fn a_failure_that_is_taken_back_leaves_it_stopped() {
    let mut stage = running(permanent("api").restarts(mainstay_model::RestartWhen::Never));
    stage.exited("api", 1);
    assert_eq!(stage.phase("api"), PhaseName::Failed);
    stage.reset(&["api"]);
    assert_eq!(
        (stage.phase("api"), stage.sentence("api")),
        (PhaseName::Stopped, "its failure was reset on request".to_owned())
    );
}

fn instances(spec: impl Fn(&str) -> Spec) -> Stage {
    let names = ["api@1", "api@2", "api@3"];
    let mut stage = Stage::of(&names.map(spec));
    stage.want(&names);
    stage.made(&names);
    stage.quiet();
    stage
}

#[test]
fn instances_are_restarted_one_by_one_each_ready_before_the_next() {
    let mut stage = instances(|name| permanent(name).ready_after(5));
    stage.wait(5);
    stage.roll(&["api@1", "api@2", "api@3"]);
    let ids: Vec<ServiceId> = ["api@1", "api@2", "api@3"].map(id).into();
    assert!(ids.iter().all(|id| stage.project.is_rolling(id)));
    for name in ["api@1", "api@2", "api@3"] {
        assert_eq!(stage.asked(), [format!("TERM {name}")]);
        stage.exited(name, 0);
        stage.made(&[name]);
        assert_eq!(stage.asked(), [format!("spawn {name}")]);
        stage.wait(4);
        assert_eq!(stage.asked(), Vec::<String>::new());
        stage.wait(1);
    }
    assert_eq!(stage.asked(), Vec::<String>::new());
    assert!(!ids.iter().any(|id| stage.project.is_rolling(id)));
}

#[test]
fn a_rolling_restart_ends_with_the_first_that_fails() {
    let mut stage = instances(|name| permanent(name).restarts(mainstay_model::RestartWhen::Never));
    stage.roll(&["api@1", "api@2", "api@3"]);
    stage.exited("api@1", 0);
    stage.not_made("api@1");
    assert_eq!(stage.asked(), ["TERM api@1", "spawn api@1"]);
    assert_eq!(stage.phase("api@2"), PhaseName::Running);
    assert!(!stage.project.is_rolling(&id("api@2")));
}

#[test]
fn a_changed_description_rolls_when_it_says_so() {
    let rolling = |name: &str| Spec { rolling: true, ..permanent(name) };
    let mut stage = instances(rolling);
    stage.apply(&["api@1", "api@2", "api@3"].map(|name| rolling(name).runs("./new")));
    assert_eq!(stage.asked(), ["TERM api@1"]);
    stage.exited("api@1", 0);
    stage.made(&["api@1"]);
    assert_eq!(stage.asked(), ["spawn api@1", "TERM api@2"]);
}
