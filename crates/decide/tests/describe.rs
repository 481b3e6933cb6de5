//! A row per sentence: what another description does to what runs.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may panic, in the functions around it as well")]

mod scene;

use std::time::Duration;

use mainstay_decide::{Event, Standing};
use mainstay_model::{
    Condition, PhaseName, Probe, ReadyCheck, ReadyPolicy, RestartPolicy, RestartWhen, Spec,
};
use scene::{With as _, id, oneshot, permanent, stage::Stage};

use Condition::{Completed, Ready};

fn nothing() -> Vec<String> {
    Vec::new()
}

/// These, wanted, and all that was asked for is there.
fn up(specs: &[Spec]) -> Stage {
    let mut stage = Stage::of(specs);
    let names: Vec<String> = specs.iter().map(|spec| spec.id.to_string()).collect();
    stage.want(&names.iter().map(String::as_str).collect::<Vec<_>>());
    for spec in specs {
        stage.made(&[&spec.id.to_string()]);
    }
    stage.quiet();
    stage
}

#[test]
fn the_same_again_changes_nothing() {
    let specs = [permanent("db"), permanent("api").needs("db", Ready), oneshot("job")];
    let mut stage = up(&specs);
    stage.apply(&specs);
    stage.want(&["api", "db", "job"]);
    assert_eq!(stage.asked(), nothing());
}

#[test]
fn what_would_be_made_differently_is_restarted_and_a_policy_is_not() {
    let mut stage = up(&[permanent("api"), permanent("web")]);
    let patient = RestartPolicy { delay: Duration::from_secs(9), ..RestartPolicy::with(RestartWhen::Always) };
    stage.apply(&[permanent("api").runs("./new"), Spec { restart: patient, ..permanent("web") }]);
    assert_eq!(stage.asked(), ["TERM api"]);
    assert_eq!(stage.sentence("api"), "its description changed; sent TERM, kill follows in 10 s");
    stage.exited("api", 0);
    assert_eq!(stage.asked(), ["spawn api"]);
    stage.exited("web", 0);
    assert_eq!(
        stage.sentence("web"),
        "exited with 0; restart 1 of 10 in 9 s",
        "the new policy counts at once"
    );
}

#[test]
fn what_is_new_is_not_started_by_being_described() {
    let mut stage = up(&[permanent("api")]);
    stage.apply(&[permanent("api"), permanent("web")]);
    assert_eq!((stage.asked(), stage.phase("web")), (nothing(), PhaseName::Stopped));
    assert_eq!(stage.sentence("web"), "nobody has started it");
}

#[test]
fn what_is_stopped_stays_so_when_its_description_changes() {
    let mut stage = up(&[permanent("api")]);
    stage.stop(&["api"]);
    stage.exited("api", 0);
    stage.quiet();
    stage.apply(&[permanent("api").runs("./new")]);
    assert_eq!((stage.asked(), stage.phase("api")), (nothing(), PhaseName::Stopped));
}

#[test]
fn what_is_gone_is_stopped_in_order_then_removed() {
    let mut stage = up(&[permanent("db"), permanent("api").needs("db", Ready), permanent("web")]);
    stage.apply(&[permanent("web")]);
    assert_eq!(stage.asked(), ["TERM api"]);
    stage.exited("api", 0);
    assert_eq!((stage.asked(), stage.removed()), (vec!["TERM db".to_owned()], vec!["api".to_owned()]));
    let sentence = "it is no longer in the files; sent TERM, kill follows in 10 s";
    assert_eq!(stage.sentence("db"), sentence);
    stage.start(&["db"]);
    stage.want(&["db"]);
    stage.restart(&["db"]);
    stage.exited("db", 0);
    assert_eq!(
        (stage.asked(), stage.removed()),
        (nothing(), vec!["db".to_owned()]),
        "nobody can bring it back"
    );
    assert_eq!(stage.project.ids().count(), 1);
    assert_eq!(stage.project.standing_down(&id("db")), Standing::Done);
}

#[test]
fn what_is_gone_and_does_not_run_is_removed_at_once() {
    let mut stage = Stage::of(&[permanent("api"), permanent("web").needs("api", Ready)]);
    stage.restart(&["web"]);
    stage.apply(&[]);
    assert_eq!(stage.removed(), ["web", "api"]);
}

#[test]
fn what_is_gone_is_not_started_by_what_the_same_description_lets_happen() {
    let mut stage = Stage::of(&[permanent("db").asked(), permanent("api").needs("db", Ready)]);
    stage.want(&["api"]);
    stage.made(&["db"]);
    stage.quiet();
    stage.apply(&[permanent("db")]);
    assert_eq!((stage.asked(), stage.removed()), (nothing(), vec!["api".to_owned()]));
}

#[test]
fn what_is_described_again_while_it_is_being_removed_stays_stopped() {
    let mut stage = up(&[permanent("api")]);
    stage.apply(&[]);
    stage.apply(&[permanent("api")]);
    stage.exited("api", 0);
    assert_eq!((stage.phase("api"), stage.removed()), (PhaseName::Stopped, nothing()));
    assert_eq!(stage.sentence("api"), "its description changed");
    stage.quiet();
    stage.want(&["api"]);
    assert_eq!(stage.asked(), ["spawn api"]);
}

#[test]
fn the_runs_of_a_name_that_comes_back_are_counted_on() {
    let mut stage = up(&[permanent("api").asked()]);
    stage.apply(&[]);
    stage.exited("api", 0);
    stage.apply(&[permanent("api").asked()]);
    stage.want(&["api"]);
    stage.made(&["api"]);
    assert_eq!(stage.run("api").0, 2);
    let (run, question) = (mainstay_model::RunId(1), stage.question("api"));
    stage.event("api", Event::Answered { run, question, answer: Ok(()) });
    assert_eq!(stage.phase("api"), PhaseName::Starting, "a late answer to the old run means nothing");
}

#[test]
fn an_end_of_something_unknown_is_acknowledged() {
    let mut stage = up(&[permanent("api")]);
    let exit = mainstay_model::Exit::Code(0);
    let run = mainstay_model::RunId(3);
    let outcome = stage.project.event(stage.now, &id("old"), Event::Exited { run, exit });
    assert_eq!(outcome.actions, [(id("old"), mainstay_decide::Action::Acknowledge { run })]);
    stage.event("old", Event::Spawned { run, pid: 3 });
    assert_eq!(stage.asked(), nothing());
}

#[test]
fn a_dependency_less_lets_it_start_and_one_more_does_not_stop_it() {
    let waits = permanent("api").needs("db", Ready);
    let mut stage = Stage::of(&[permanent("db").asked(), waits]);
    stage.want(&["api"]);
    stage.quiet();
    stage.apply(&[permanent("db").asked(), permanent("api")]);
    assert_eq!(stage.asked(), ["spawn api"]);
    stage.made(&["api"]);
    stage.apply(&[permanent("db").asked(), permanent("api").needs("db", Ready)]);
    assert_eq!((stage.asked(), stage.phase("api")), (nothing(), PhaseName::Running));
}

#[test]
fn nothing_starts_upon_what_is_about_to_be_restarted() {
    let mut stage = up(&[permanent("db"), permanent("slow").asked()]);
    stage.apply(&[permanent("db"), permanent("slow").asked(), permanent("api").needs("slow", Ready)]);
    stage.want(&["api"]);
    stage.quiet();
    stage.apply(&[
        permanent("db").runs("./new"),
        permanent("slow").asked(),
        permanent("api").needs("db", Ready),
    ]);
    assert_eq!(stage.asked(), ["TERM db"]);
    stage.exited("db", 0);
    stage.made(&["db"]);
    assert_eq!(stage.asked(), ["spawn db", "spawn api"]);
}

#[test]
fn what_changed_while_it_was_held_by_its_dependents_is_restarted_when_it_is_wanted_again() {
    let described = |program| [permanent("db").runs(program), permanent("api").needs("db", Ready)];
    let mut stage = up(&described("./old"));
    stage.stop(&["db"]);
    stage.apply(&described("./new"));
    assert_eq!(stage.asked(), ["TERM api"]);
    stage.want(&["api"]);
    assert_eq!(stage.asked(), ["TERM db"]);
    stage.exited("db", 0);
    assert_eq!(stage.asked(), ["spawn db"]);
}

#[test]
fn two_changed_oneshots_run_again_one_after_the_other() {
    let described = |program| [oneshot("a").runs(program).needs("z", Completed), oneshot("z").runs(program)];
    let mut stage = up(&described("./old"));
    stage.exited("z", 0);
    stage.made(&["a"]);
    stage.exited("a", 0);
    stage.quiet();
    stage.apply(&described("./new"));
    assert_eq!(stage.asked(), ["spawn z"]);
    stage.made(&["z"]);
    stage.exited("z", 0);
    assert_eq!(stage.asked(), ["spawn a"]);
}

#[test]
fn a_restart_and_a_new_need_in_one_description_wait_for_the_need() {
    let mut stage = up(&[permanent("db").asked(), permanent("api")]);
    stage.exited("api", 0);
    stage.quiet();
    stage.apply(&[permanent("db").asked(), permanent("api").runs("./new").needs("db", Ready)]);
    assert_eq!(stage.asked(), nothing());
    assert_eq!(stage.phase("api"), PhaseName::Waiting);
}

#[test]
fn another_check_is_asked_at_once_while_it_starts_and_not_when_it_runs() {
    let mut stage = up(&[permanent("api").asked(), permanent("web").asked()]);
    stage.answered("web", Ok(()));
    stage.apply(&[permanent("api").ready_after(5), permanent("web").ready_after(5)]);
    assert_eq!(stage.phase("web"), PhaseName::Running);
    stage.wait(5);
    assert_eq!(stage.phase("api"), PhaseName::Running);
    let mut stage = up(&[permanent("api").asked()]);
    stage.apply(&[permanent("api")]);
    assert_eq!(stage.phase("api"), PhaseName::Running, "without a check it is ready as soon as it runs");
}

#[test]
fn an_answer_that_was_under_way_says_nothing_of_the_check_that_is_asked_now() {
    let mut stage = up(&[permanent("api").asked()]);
    let earlier = stage.question("api");
    let other = ReadyCheck::Probe(Probe::Tcp("127.0.0.1:81".to_owned()));
    let ready = permanent("api").asked().ready.map(|ready| ReadyPolicy { check: other, ..ready });
    stage.apply(&[Spec { ready, ..permanent("api") }]);
    assert_eq!(stage.asked(), ["ask api"]);
    let run = stage.run("api");
    for answer in [Ok(()), Err("refused".to_owned())] {
        stage.event("api", Event::Answered { run, question: earlier, answer });
        assert_eq!(stage.phase("api"), PhaseName::Starting);
    }
    assert!(!stage.sentence("api").contains("refused"), "{}", stage.sentence("api"));
    stage.answered("api", Ok(()));
    assert_eq!(stage.phase("api"), PhaseName::Running);
}

#[test]
fn a_running_oneshot_that_gets_a_check_is_not_ready_before_that_says_so() {
    let mut stage = up(&[oneshot("job")]);
    let described = [oneshot("job").asked(), permanent("api").needs("job", Ready)];
    stage.apply(&described);
    stage.want(&["api"]);
    assert_eq!(stage.asked(), ["ask job"]);
    stage.answered("job", Ok(()));
    assert_eq!(stage.asked(), ["spawn api"]);
}

#[test]
fn a_completed_oneshot_that_became_another_one_has_not_completed() {
    let finish = |stage: &mut Stage| {
        stage.exited("job", 0);
        stage.quiet();
    };
    let mut stage = up(&[oneshot("job")]);
    finish(&mut stage);
    stage.apply(&[oneshot("job").runs("./new")]);
    assert_eq!(stage.asked(), ["spawn job"], "one that is wanted runs again");

    let mut stage = up(&[oneshot("job")]);
    finish(&mut stage);
    stage.stop(&["job"]);
    stage.apply(&[oneshot("job").runs("./new"), permanent("api").needs("job", Completed)]);
    assert_eq!((stage.asked(), stage.phase("job")), (nothing(), PhaseName::Stopped));
    stage.want(&["api"]);
    assert_eq!(stage.asked(), ["spawn job"], "and no dependent starts upon what completed before");
}

#[test]
fn every_change_is_told_also_one_by_a_description() {
    let mut stage = up(&[permanent("api").asked()]);
    let outcome = stage.project.apply(stage.now, vec![permanent("api")]).unwrap();
    let told: Vec<(PhaseName, PhaseName)> =
        outcome.changes.iter().map(|change| (change.from, change.to)).collect();
    assert_eq!(told, [(PhaseName::Starting, PhaseName::Running)]);
}
