//! A row per sentence: in which order things start and stop, and who waits for whom.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may panic, in the functions around it as well")]

mod scene;

use mainstay_decide::{Awaited, Graph, SETTLING, Standing};
use mainstay_model::{Condition, Exit, PhaseName};
use scene::{With as _, id, oneshot, permanent, stage::Stage};

use Condition::{Completed, Ready, Started};

#[test]
fn each_starts_as_soon_as_its_own_condition_holds() {
    let mut stage = Stage::of(&[
        permanent("db").asked(),
        permanent("early").needs("db", Started),
        permanent("late").needs("db", Ready),
        permanent("other"),
    ]);
    stage.want(&["early", "late", "other"]);
    assert_eq!(stage.asked(), ["spawn db", "spawn other"], "what needs nothing starts side by side");
    stage.made(&["db"]);
    assert_eq!(stage.asked(), ["ask db", "spawn early"]);
    stage.answered("db", Ok(()));
    assert_eq!(stage.asked(), ["spawn late"]);
}

#[test]
fn a_oneshot_lets_others_start_when_it_completed() {
    let mut stage = Stage::of(&[
        oneshot("migrate"),
        permanent("api").needs("migrate", Completed),
        permanent("web").needs("migrate", Ready),
    ]);
    stage.want(&["api", "web"]);
    stage.made(&["migrate"]);
    assert_eq!(stage.asked(), ["spawn migrate"]);
    stage.exited("migrate", 0);
    assert_eq!(stage.asked(), ["spawn api", "spawn web"]);
}

#[test]
fn a_failed_oneshot_leaves_its_dependents_waiting_with_that_reason_while_others_go_on() {
    let mut stage = Stage::of(&[
        oneshot("migrate"),
        permanent("api").needs("migrate", Completed),
        permanent("web").needs("api", Ready),
        permanent("cache"),
    ]);
    stage.want(&["web", "cache"]);
    stage.made(&["migrate", "cache"]);
    stage.exited("migrate", 2);
    assert_eq!(stage.phase("api"), PhaseName::Waiting);
    assert_eq!(stage.sentence("api"), "waiting for migrate to complete: exited with 2; it is not restarted");
    let chain = "waiting for api to be ready, which is waiting for migrate to complete: exited with 2; it is not restarted";
    assert_eq!(stage.sentence("web"), chain);
    assert_eq!(stage.phase("cache"), PhaseName::Running);
    let standing = |name| stage.project.standing_up(&id(name));
    assert_eq!(
        ["migrate", "api", "web", "cache"].map(standing),
        [Standing::Failed, Standing::Failed, Standing::Failed, Standing::Done,]
    );
    stage.quiet();
    stage.start(&["migrate"]);
    stage.made(&["migrate"]);
    stage.exited("migrate", 0);
    assert_eq!(stage.asked(), ["spawn migrate", "spawn api"], "and they start when it came right");
}

#[test]
fn a_failed_start_is_a_reason_at_once() {
    let mut stage = Stage::of(&[permanent("db"), permanent("api").needs("db", Ready)]);
    stage.want(&["api"]);
    stage.not_made("db");
    let reason = "waiting for db to be ready: cannot start: `./serve` is missing; restart 1 of 10 in 1 s";
    assert_eq!(stage.sentence("api"), reason);
    assert_eq!(stage.project.standing_up(&id("api")), Standing::Pending);
}

#[test]
fn the_reason_says_what_the_check_of_a_dependency_answers() {
    let mut stage = Stage::of(&[permanent("db").asked(), permanent("api").needs("db", Ready)]);
    stage.want(&["api"]);
    stage.made(&["db"]);
    stage.answered("db", Err("refused"));
    stage.wait(3);
    assert_eq!(stage.sentence("api"), "waiting for db to be ready: tcp 127.0.0.1:80 refused for 3 s");
}

#[test]
fn every_instance_of_a_dependency_is_waited_for() {
    let mut stage = Stage::of(&[
        permanent("worker@1"),
        permanent("worker@2"),
        permanent("web@1").needs("worker", Ready),
        permanent("web@2").needs("worker", Ready),
    ]);
    stage.want(&["web@2"]);
    assert_eq!(stage.asked(), ["spawn worker@1", "spawn worker@2"]);
    stage.made(&["worker@2"]);
    assert_eq!(stage.sentence("web@2"), "waiting for worker@1 to be ready: its process is being made");
    stage.made(&["worker@1"]);
    assert_eq!(stage.asked(), ["spawn web@2"], "and web@1 was not asked for");
}

#[test]
fn a_stop_goes_in_reverse_order_and_takes_along_what_depends_on_it() {
    let mut stage = Stage::of(&[
        permanent("db"),
        permanent("api").needs("db", Ready),
        permanent("web").needs("api", Ready),
        permanent("other"),
    ]);
    stage.want(&["web", "other"]);
    stage.made(&["db"]);
    stage.made(&["api", "other"]);
    stage.made(&["web"]);
    stage.quiet();
    stage.stop(&["db"]);
    assert_eq!(stage.asked(), ["TERM web"]);
    assert_eq!(stage.sentence("db"), "will stop after api");
    assert_eq!(stage.sentence("web"), "stopped on request; sent TERM, kill follows in 10 s");
    stage.exited("web", 0);
    assert_eq!(stage.asked(), ["TERM api"]);
    stage.exited("api", 0);
    assert_eq!(stage.asked(), ["TERM db"]);
    assert_eq!(stage.project.standing_down(&id("db")), Standing::Pending);
    stage.exited("db", 0);
    assert_eq!(stage.project.standing_down(&id("db")), Standing::Done);
    assert_eq!(stage.phase("other"), PhaseName::Running);
}

#[test]
fn a_stop_holds_for_each_of_several_dependents() {
    let mut stage =
        Stage::of(&[permanent("db"), permanent("a").needs("db", Ready), permanent("b").needs("db", Ready)]);
    stage.want(&["a", "b"]);
    stage.made(&["db"]);
    stage.made(&["a", "b"]);
    stage.quiet();
    stage.stop(&["db"]);
    assert_eq!(stage.asked(), ["TERM a", "TERM b"]);
    stage.exited("a", 0);
    assert_eq!(stage.asked(), Vec::<String>::new());
    stage.exited("b", 0);
    assert_eq!(stage.asked(), ["TERM db"]);
}

#[test]
fn a_stop_is_over_when_a_held_one_ends_by_itself() {
    let mut stage = Stage::of(&[permanent("db"), permanent("api").needs("db", Ready)]);
    stage.want(&["api"]);
    stage.made(&["db"]);
    stage.made(&["api"]);
    stage.stop(&["db"]);
    stage.exited("db", 1);
    assert_eq!(
        (stage.phase("db"), stage.sentence("db").as_str()),
        (PhaseName::Stopped, "stopped on request")
    );
}

#[test]
fn what_does_not_end_in_its_time_is_killed() {
    let mut stage = Stage::of(&[permanent("api")]);
    stage.want(&["api"]);
    stage.made(&["api"]);
    stage.stop(&["api"]);
    stage.quiet();
    stage.wait(9);
    assert_eq!(stage.asked(), Vec::<String>::new());
    stage.wait(1);
    assert_eq!(stage.asked(), ["kill api"]);
    assert_eq!(stage.sentence("api"), "stopped on request; sent KILL");
    stage.wait(3_600);
    assert_eq!(stage.asked(), Vec::<String>::new(), "and once is enough");
}

#[test]
fn a_kill_touches_only_the_named_one_and_at_once() {
    let mut stage = Stage::of(&[permanent("db"), permanent("api").needs("db", Ready)]);
    stage.want(&["api"]);
    stage.made(&["db"]);
    stage.made(&["api"]);
    stage.quiet();
    stage.kill(&["db"]);
    assert_eq!(stage.asked(), ["kill db"]);
    stage.killed("db");
    assert_eq!((stage.phase("db"), stage.phase("api")), (PhaseName::Stopped, PhaseName::Running));
    stage.exited("api", 1);
    stage.wait(1);
    assert_eq!(stage.sentence("api"), "waiting for db to be ready: killed on request");
    assert_eq!(stage.project.standing_up(&id("api")), Standing::Failed);
}

#[test]
fn start_takes_along_what_it_needs_and_runs_again_only_what_it_names() {
    let mut stage = Stage::of(&[oneshot("migrate"), oneshot("seed").needs("migrate", Completed)]);
    stage.start(&["seed"]);
    stage.made(&["migrate"]);
    stage.exited("migrate", 0);
    stage.made(&["seed"]);
    stage.exited("seed", 0);
    stage.quiet();
    stage.want(&["seed"]);
    assert_eq!(stage.asked(), Vec::<String>::new(), "`up` runs nothing again that completed");
    stage.start(&["seed"]);
    assert_eq!(stage.asked(), ["spawn seed"], "`start` runs again what it names, and not what that needs");
}

#[test]
fn a_start_of_two_oneshots_runs_them_again_one_after_the_other() {
    // By name, and as it was described, the dependent comes first.
    let mut stage = Stage::of(&[oneshot("a").needs("z", Completed), oneshot("z")]);
    stage.want(&["a"]);
    stage.made(&["z"]);
    stage.exited("z", 0);
    stage.made(&["a"]);
    stage.exited("a", 0);
    stage.quiet();
    stage.start(&["a", "z"]);
    assert_eq!(stage.asked(), ["spawn z"]);
    stage.made(&["z"]);
    stage.exited("z", 0);
    assert_eq!(stage.asked(), ["spawn a"]);
}

#[test]
fn a_oneshot_that_ends_well_before_its_stop_began_has_completed() {
    let mut stage = Stage::of(&[oneshot("job"), permanent("api").needs("job", Started)]);
    stage.want(&["api"]);
    stage.made(&["job"]);
    stage.made(&["api"]);
    stage.stop(&["job"]);
    stage.exited("job", 0);
    assert_eq!(stage.phase("job"), PhaseName::Completed);
    stage.exited("api", 0);
    stage.quiet();
    stage.want(&["api"]);
    assert_eq!(stage.asked(), ["spawn api"], "its work is not done twice");
}

#[test]
fn two_things_in_one_moment_are_judged_one_after_the_other() {
    // In the moment in which db has not become ready in time, the backoff of api ends.
    let mut stage = Stage::of(&[
        permanent("db").asked(),
        permanent("api").needs("db", Started).restarts(mainstay_model::RestartWhen::Always),
    ]);
    stage.want(&["api"]);
    stage.made(&["db"]);
    stage.wait(29);
    stage.made(&["api"]);
    stage.ended("api", Exit::Unknown);
    stage.quiet();
    stage.wait(1);
    assert_eq!(stage.asked(), ["TERM db"]);
    assert_eq!(stage.phase("api"), PhaseName::Waiting);
}

#[test]
fn a_circle_is_refused_by_naming_its_members_and_nothing_changes() {
    let mut stage = Stage::of(&[permanent("db")]);
    let circle = [
        permanent("a").needs("b", Ready),
        permanent("b").needs("c", Ready),
        permanent("c").needs("a", Ready),
        permanent("db").needs("a", Ready),
    ];
    let error = stage.try_apply(&circle).unwrap_err().to_string();
    assert_eq!(error, "these depend on each other in a circle: a → b → c → a");
    assert_eq!(stage.project.ids().count(), 1);
    let selfish = stage.try_apply(&[permanent("a").needs("a", Ready)]).unwrap_err().to_string();
    assert_eq!(selfish, "these depend on each other in a circle: a → a");
    let stranger = stage.try_apply(&[permanent("a").needs("x", Ready)]).unwrap_err().to_string();
    assert_eq!(stranger, "`a` depends on `x`, which does not exist");
    let twice = stage.try_apply(&[permanent("a"), permanent("a")]).unwrap_err().to_string();
    assert_eq!(twice, "`a` is described twice");
}

#[test]
fn the_order_puts_each_after_what_it_needs_and_equals_by_name() {
    let specs = [
        permanent("web").needs("api", Ready),
        permanent("api").needs("db", Ready).needs("cache", Ready),
        permanent("db"),
        permanent("cache"),
        permanent("b@2"),
        permanent("b@1"),
    ];
    let graph = Graph::new(&specs).unwrap();
    let order: Vec<String> = graph.order().iter().map(ToString::to_string).collect();
    assert_eq!(order[3..], ["db", "api", "web"]);
    assert_eq!(order[2], "cache");
    let needed: Vec<String> = graph.with_needs(&[id("api")].into()).iter().map(ToString::to_string).collect();
    assert_eq!(needed, ["cache", "db", "api"]);
}

#[test]
fn of_a_long_chain_the_middle_is_left_out() {
    let link = |number: usize| permanent(&format!("s{number}")).needs(&format!("s{}", number - 1), Ready);
    let specs: Vec<_> = std::iter::once(oneshot("s0")).chain((1..30).map(link)).collect();
    let mut stage = Stage::of(&specs);
    stage.want(&["s29"]);
    stage.made(&["s0"]);
    stage.exited("s0", 1);
    let sentence = stage.sentence("s29");
    assert!(sentence.starts_with("waiting for s28 to be ready, which is waiting for s27"), "{sentence}");
    assert!(
        sentence.ends_with("waiting for s0 to be ready: exited with 1; it is not restarted"),
        "{sentence}"
    );
    assert_eq!(sentence.matches("waiting for").count(), 8);
}

#[test]
fn what_is_ready_because_it_runs_has_settled_when_it_has_run_for_a_while_and_nobody_waits_for_that_to_start()
{
    let mut stage = Stage::of(&[
        permanent("plain"),
        permanent("asked").asked(),
        permanent("watched").needs("plain", Ready).well(),
        oneshot("once"),
    ]);
    stage.want(&["plain", "asked", "watched", "once"]);
    stage.made(&["plain", "asked", "once"]);
    assert!(stage.asked().contains(&"spawn watched".to_owned()), "it starts at once");
    stage.made(&["watched"]);
    stage.answered("asked", Ok(()));
    let settles = |stage: &Stage, name| stage.project.settles_at(&id(name));
    let soon = Some(stage.now + SETTLING);
    let names = ["plain", "asked", "watched", "once"];
    assert_eq!(names.map(|name| settles(&stage, name)), [soon, None, soon, None]);
    assert_eq!(
        stage.project.standing_up(&id("plain")),
        Standing::Done,
        "who is asked now is not made to wait"
    );
    stage.answered("watched", Ok(()));
    assert_eq!(settles(&stage, "watched"), None, "that it is well is more than that it runs");
    stage.exited("plain", 3);
    assert_eq!(settles(&stage, "plain"), None);
}

#[test]
fn what_is_permanent_never_completes_and_a_oneshot_may() {
    let mut stage = Stage::of(&[permanent("api"), oneshot("migrate")]);
    stage.want(&["api", "migrate"]);
    stage.made(&["api", "migrate"]);
    let standing =
        |stage: &Stage| ["api", "migrate"].map(|name| stage.project.standing(&id(name), Awaited::Completed));
    assert_eq!(standing(&stage), [Standing::Failed, Standing::Pending]);
    stage.exited("migrate", 0);
    assert_eq!(standing(&stage), [Standing::Failed, Standing::Done]);
}
