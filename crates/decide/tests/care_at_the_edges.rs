//! A row per sentence: what must hold where pauses, hooks, reloads and rolling restarts meet stops, restarts, and the death of
//! a daemon.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may panic, in the functions around it as well")]

mod scene;

use std::collections::BTreeSet;

use mainstay_decide::{
    Action, Awaited, Event, Found, Goal, Live, Memory, Notice, Outcome, Project, SeenHooks, Standing,
};
use mainstay_model::{
    Attempts, Condition, Exit, HookName, Hooks, PhaseName, Reason, RestartPolicy, RestartWhen, RunId, Spec,
};
use scene::{With as _, at, id, oneshot, permanent, stage::Stage};

use HookName::{AfterStart, AfterStop, BeforeStart, BeforeStop, Reload};

fn running(spec: Spec) -> Stage {
    let name = spec.id.to_string();
    let mut stage = Stage::of(&[spec]);
    stage.want(&[&name]);
    stage.made(&[&name]);
    stage.quiet();
    stage
}

/// One that has no hook but this.
fn with(spec: Spec, hook: HookName) -> Spec {
    let all = permanent("api").hooked();
    let mut hooks = Hooks::default();
    match hook {
        BeforeStart => hooks.before_start = all.hooks.before_start,
        AfterStart => hooks.after_start = all.hooks.after_start,
        BeforeStop => hooks.before_stop = all.hooks.before_stop,
        AfterStop => hooks.after_stop = all.hooks.after_stop,
        Reload => return Spec { reload: all.reload, ..spec },
    }
    Spec { hooks, ..spec }
}

fn goal(stage: &Stage, name: &str) -> Goal {
    stage.project.service(&id(name)).unwrap().goal()
}

fn memory(phase: PhaseName, exit: Option<Exit>) -> Memory {
    let reason = Reason::Recalled { code: "hook-running".to_owned(), text: "its hook runs".to_owned() };
    Memory { phase, reason, since: at(90), attempts: 2, restarts: 5, exit, until: None }
}

/// What an earlier daemon left of `api`, and what is asked for then.
fn recalled(spec: Spec, found: Found) -> (Project, Vec<Action>) {
    let wanted = BTreeSet::from([id("api")]);
    let mut found = Some(found);
    let (project, outcome) =
        Project::recall(at(100), vec![spec], &wanted, |_| found.take().unwrap()).unwrap();
    (project, actions(outcome))
}

fn actions(outcome: Outcome) -> Vec<Action> {
    outcome.actions.into_iter().map(|(_, action)| action).collect()
}

fn found(phase: PhaseName, exit: Option<Exit>, live: Live, hook: Option<(HookName, RunId)>) -> Found {
    let hooks = SeenHooks { live: hook, after_start: RunId(0) };
    Found { memory: Some(memory(phase, exit)), live, hooks }
}

fn phase(project: &Project) -> PhaseName {
    project.service(&id("api")).unwrap().phase().name()
}

#[test]
fn a_long_run_that_ends_for_its_health_begins_a_new_row() {
    let restart = RestartPolicy { attempts: Attempts::UpTo(1), ..permanent("api").restart };
    let mut stage = running(Spec { restart, ..permanent("api").well() });
    for attempt in [1, 1, 1] {
        stage.answered("api", Ok(()));
        for _ in 0..70 {
            stage.wait(10);
            stage.answered("api", Ok(()));
        }
        for _ in 0..2 {
            stage.wait(10);
            stage.answered("api", Err("refused"));
        }
        stage.exited("api", 0);
        assert_eq!(stage.project.service(&id("api")).unwrap().attempts(), attempt);
        stage.wait(60);
        stage.made(&["api"]);
    }
}

#[test]
fn what_fails_its_health_says_so_also_after_a_reload() {
    let mut stage = running(with(permanent("api").well(), Reload));
    stage.answered("api", Ok(()));
    stage.wait(10);
    stage.answered("api", Err("refused"));
    stage.reload(&["api"]);
    assert_eq!(stage.sentence("api"), "it reads its configuration again");
    stage.hook("api", Reload, Ok(()));
    assert_eq!(stage.sentence("api"), "tcp 127.0.0.1:81 refused (1 of 2 failures in a row)");
}

#[test]
fn a_pause_gives_a_reload_up_and_its_end_answers_no_later_one() {
    let mut stage = running(with(permanent("api"), Reload));
    let reloaded = |stage: &Stage| stage.project.standing(&id("api"), Awaited::Reloaded);
    stage.reload(&["api"]);
    stage.pause(&["api"]);
    stage.resume(&["api"]);
    assert_eq!(reloaded(&stage), Standing::Failed, "it was given up");
    stage.reload(&["api"]);
    assert_eq!(reloaded(&stage), Standing::Failed, "the one before still dies");
    stage.hook("api", Reload, Err("was killed"));
    stage.reload(&["api"]);
    assert_eq!(reloaded(&stage), Standing::Pending);
    stage.hook("api", Reload, Ok(()));
    assert_eq!(reloaded(&stage), Standing::Done);
    let row = ["reload api", "kill reload api", "pause api", "resume api", "reload api"];
    assert_eq!(stage.asked(), row);
}

#[test]
fn what_is_ending_by_itself_is_not_reloaded() {
    let mut stage = running(with(permanent("api"), Reload));
    stage.says("api", Notice::Stopping);
    stage.reload(&["api"]);
    assert_eq!(stage.asked(), Vec::<String>::new());
    assert_eq!(stage.sentence("api"), "it says that it is ending");
}

#[test]
fn a_pause_is_remembered_before_and_a_stop_of_what_is_paused_as_well() {
    let mut stage = running(permanent("api"));
    let run = RunId(1);
    let paused = actions(stage.project.pause(stage.now, &[id("api")]));
    assert_eq!(paused, [Action::Remember { run }, Action::Pause { run }]);
    let stopped = actions(stage.project.restart(stage.now, &[id("api")]));
    assert_eq!(stopped[..2], [Action::Resume { run }, Action::Remember { run }]);
    // A daemon that dies in between does not know whether that was still said.
    let (project, asked) =
        recalled(permanent("api"), found(PhaseName::Stopping, None, Live::Running(run, 42), None));
    assert_eq!((phase(&project), asked), (PhaseName::Running, vec![Action::Resume { run }]));
}

#[test]
fn a_hook_before_a_start_that_nobody_wants_any_more_leads_to_no_start() {
    let mut stage =
        Stage::of(&[with(permanent("db"), BeforeStart), permanent("api").needs("db", Condition::Started)]);
    stage.want(&["api"]);
    stage.hook("db", BeforeStart, Ok(()));
    stage.made(&["db", "api"]);
    stage.exited("db", 1);
    stage.wait(1);
    stage.stop(&["db"]);
    stage.quiet();
    stage.hook("db", BeforeStart, Ok(()));
    assert_eq!((stage.asked(), stage.phase("db")), (Vec::new(), PhaseName::Stopped));
}

#[test]
fn a_failed_hook_before_a_start_tells_of_no_run() {
    let mut stage = Stage::of(&[with(permanent("api"), BeforeStart)]);
    stage.want(&["api"]);
    stage.hook("api", BeforeStart, Ok(()));
    stage.made(&["api"]);
    stage.exited("api", 7);
    stage.wait(1);
    let result = Err("exited with 1".to_owned());
    let ended = Event::HookEnded { run: stage.run("api"), hook: BeforeStart, result };
    let change = stage.project.event(stage.now, &id("api"), ended).changes.pop().unwrap();
    assert_eq!((change.exit, change.failed), (None, true), "7 is how the run before ended");
}

#[test]
fn a_start_under_way_by_its_hook_is_remembered() {
    let mut stage = Stage::of(&[with(permanent("api"), BeforeStart)]);
    let asked = actions(stage.project.want(stage.now, &[id("api")]));
    let run = RunId(1);
    assert_eq!(asked, [Action::Remember { run }, Action::RunHook { run, hook: BeforeStart }]);
}

/// A service whose process ended by itself, and after which is cleaned up.
fn cleaned_up(spec: Spec, code: i32) -> Stage {
    let mut stage = running(with(spec, AfterStop));
    stage.exited("api", code);
    stage.quiet();
    stage
}

#[test]
fn what_is_stopped_and_wanted_again_while_it_is_cleaned_up_after_starts() {
    let mut stage = cleaned_up(permanent("api"), 0);
    stage.stop(&["api"]);
    stage.want(&["api"]);
    stage.hook("api", AfterStop, Ok(()));
    assert_eq!(stage.asked(), ["spawn api"]);
}

#[test]
fn a_oneshot_that_has_completed_does_not_run_again_for_that() {
    let mut stage = cleaned_up(oneshot("api"), 0);
    stage.stop(&["api"]);
    stage.want(&["api"]);
    stage.hook("api", AfterStop, Ok(()));
    assert_eq!((stage.asked(), stage.phase("api")), (Vec::new(), PhaseName::Completed));
}

#[test]
fn a_loss_restarts_nothing_that_has_ended() {
    let follower = with(oneshot("api"), AfterStop).follows("db", Condition::Started);
    let mut stage = Stage::of(&[permanent("db"), follower]);
    stage.want(&["api"]);
    stage.made(&["db", "api"]);
    stage.exited("api", 0);
    stage.exited("db", 1);
    stage.hook("api", AfterStop, Ok(()));
    assert_eq!(stage.phase("api"), PhaseName::Completed);
}

#[test]
fn a_oneshot_that_was_changed_while_it_was_held_has_not_completed() {
    let mut stage = Stage::of(&[oneshot("api"), permanent("web").needs("api", Condition::Started)]);
    stage.want(&["web"]);
    stage.made(&["api", "web"]);
    stage.stop(&["api"]);
    stage.apply(&[oneshot("api").runs("./new"), permanent("web").needs("api", Condition::Started)]);
    stage.exited("api", 0);
    assert_eq!(stage.phase("api"), PhaseName::Stopped);
}

#[test]
fn a_late_word_of_a_process_gives_none_to_what_has_ended() {
    let mut stage = cleaned_up(permanent("api"), 1);
    stage.made(&["api"]);
    assert_eq!(stage.project.service(&id("api")).unwrap().phase().pid(), None);
}

#[test]
fn a_reset_makes_the_restart_that_waits_the_first_of_a_new_row() {
    let mut stage = running(permanent("api"));
    for _ in 0..3 {
        stage.exited("api", 1);
        stage.wait(60);
        stage.made(&["api"]);
    }
    stage.exited("api", 1);
    stage.reset(&["api"]);
    assert_eq!(stage.sentence("api"), "exited with 1; restart 1 of 10 in 8 s");
    stage.quiet();
    stage.wait(8);
    assert_eq!(stage.asked(), ["spawn api again 1"]);
}

#[test]
fn a_hook_that_nobody_waits_for_is_killed_by_the_next_daemon() {
    let run = RunId(1);
    let kill = |hook| Action::KillHook { run, hook };
    let after_crash = found(PhaseName::Running, None, Live::Ending(run), Some((AfterStart, run)));
    let (_, asked) = recalled(permanent("api").hooked(), after_crash);
    assert_eq!(asked, [kill(AfterStart)]);
    let asking = found(PhaseName::Starting, None, Live::Running(run, 42), Some((Reload, run)));
    let (_, asked) = recalled(with(permanent("api").asked(), Reload), asking);
    assert!(asked.contains(&kill(Reload)), "{asked:?}");
}

#[test]
fn a_oneshot_whose_cleaning_was_cut_off_is_cleaned_up_after_and_not_run_again() {
    let run = RunId(1);
    let cut_off = || found(PhaseName::Stopping, Some(Exit::Code(0)), Live::Over(run), None);
    let (mut project, asked) = recalled(with(oneshot("api"), AfterStop), cut_off());
    assert_eq!(asked, [Action::RunHook { run, hook: AfterStop }]);
    let ended = Event::HookEnded { run, hook: AfterStop, result: Ok(()) };
    let asked = actions(project.event(at(101), &id("api"), ended));
    assert_eq!((phase(&project), asked), (PhaseName::Completed, vec![Action::Remember { run }]));
    let (project, asked) = recalled(oneshot("api"), cut_off());
    assert_eq!((phase(&project), asked), (PhaseName::Completed, vec![]), "it has no such hook any more");
}

#[test]
fn a_restart_survives_a_daemon_that_dies_while_it_is_cleaned_up_after() {
    let mut stage = running(with(permanent("api"), AfterStop));
    stage.restart(&["api"]);
    stage.exited("api", 0);
    let memory = stage.project.service(&id("api")).unwrap().memory();
    assert_eq!(memory.phase, PhaseName::Waiting);
    let run = RunId(1);
    let hooks = SeenHooks { live: Some((AfterStop, run)), after_start: RunId(0) };
    let seen = Found { memory: Some(memory), live: Live::Over(run), hooks };
    let (mut project, asked) = recalled(with(permanent("api"), AfterStop), seen);
    assert_eq!(asked, []);
    let ended = Event::HookEnded { run, hook: AfterStop, result: Ok(()) };
    assert_eq!(
        actions(project.event(at(101), &id("api"), ended)),
        [Action::Spawn { run: RunId(2), attempt: 0 }]
    );
}

fn instances(specs: &[Spec]) -> Stage {
    let names: Vec<String> = specs.iter().map(|spec| spec.id.to_string()).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut stage = Stage::of(specs);
    stage.want(&names);
    stage.made(&names);
    stage.quiet();
    stage
}

#[test]
fn what_is_stopped_before_its_turn_is_not_started_by_it() {
    let mut stage = instances(&["api@1", "api@2", "api@3"].map(permanent));
    stage.roll(&["api@1", "api@2", "api@3"]);
    stage.stop(&["api@2"]);
    stage.exited("api@2", 0);
    stage.exited("api@1", 0);
    stage.made(&["api@1"]);
    assert_eq!(stage.asked(), ["TERM api@1", "TERM api@2", "spawn api@1", "TERM api@3"]);
    assert_eq!(goal(&stage, "api@2"), Goal::Down);
}

#[test]
fn what_is_removed_before_its_turn_is_not_started_by_it() {
    let mut stage = instances(&["api@1", "api@2"].map(permanent));
    stage.roll(&["api@1", "api@2"]);
    stage.apply(&[permanent("api@1")]);
    stage.exited("api@1", 0);
    stage.made(&["api@1"]);
    stage.exited("api@2", 0);
    assert_eq!(stage.asked(), ["TERM api@1", "TERM api@2", "spawn api@1"]);
    assert_eq!(stage.removed(), ["api@2"]);
}

#[test]
fn what_does_not_run_needs_no_turn() {
    let mut stage = instances(&["api@1", "api@2"].map(permanent));
    stage.stop(&["api@2"]);
    stage.exited("api@2", 0);
    stage.quiet();
    stage.roll(&["api@1", "api@2"]);
    assert_eq!(stage.asked(), ["spawn api@2", "TERM api@1"]);
}

#[test]
fn one_that_is_changed_again_in_its_turn_goes_once_more() {
    let rolling = |name: &str| Spec { rolling: true, ..permanent(name) };
    let once = |name: &str| Spec { rolling: true, ..oneshot(name) };
    let mut stage = instances(&["api@1", "api@2"].map(rolling));
    stage.apply(&["api@1", "api@2"].map(|name| rolling(name).runs("./new")));
    stage.exited("api@1", 0);
    // Its process will never be what this says that it is.
    stage.apply(&["api@1", "api@2"].map(once));
    assert_eq!(stage.asked(), ["TERM api@1", "spawn api@1", "TERM api@1"]);
}

#[test]
fn what_is_described_otherwise_before_it_is_made_is_watched_as_it_is_made() {
    let rolling = |name: &str| Spec { rolling: true, ..with(permanent(name), BeforeStart) };
    let mut stage = Stage::of(&[rolling("api")]);
    stage.want(&["api"]);
    // Its hook runs; the process that follows is made of the later description, and watched by it.
    stage.apply(&[Spec { watchdog: Some(std::time::Duration::from_secs(5)), ..rolling("api") }]);
    stage.hook("api", BeforeStart, Err("was killed"));
    stage.hook("api", BeforeStart, Ok(()));
    stage.made(&["api"]);
    stage.quiet();
    stage.wait(5);
    assert_eq!(stage.asked(), ["ABRT api"]);
}

#[test]
fn what_a_restart_never_policy_leaves_cleaned_up_is_failed() {
    let mut stage = cleaned_up(permanent("api").restarts(RestartWhen::Never), 1);
    stage.hook("api", AfterStop, Err("exited with 1"));
    assert_eq!(stage.phase("api"), PhaseName::Failed);
}
