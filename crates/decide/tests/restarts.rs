//! A row per sentence: what is restarted, when, how often, and what is not.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may panic, in the functions around it as well")]

mod scene;

use std::time::Duration;

use mainstay_decide::Standing;
use mainstay_model::{Attempts, Condition, Exit, PhaseName, RestartPolicy, RestartWhen, RunId, Spec};
use scene::{With as _, id, oneshot, permanent, stage::Stage};

use Condition::{Completed, Ready, Started};

fn nothing() -> Vec<String> {
    Vec::new()
}

/// A running service of this description.
fn running(spec: Spec) -> Stage {
    let name = spec.id.to_string();
    let mut stage = Stage::of(&[spec]);
    stage.want(&[&name]);
    stage.made(&[&name]);
    stage.quiet();
    stage
}

fn policy(attempts: Attempts) -> Spec {
    let restart = RestartPolicy {
        attempts,
        max_delay: Duration::from_secs(5),
        reset_after: Duration::from_secs(60),
        ..RestartPolicy::with(RestartWhen::OnFailure)
    };
    Spec { restart, ..permanent("api") }
}

#[test]
fn a_start_that_was_interrupted_is_begun_again_at_once_and_counts_for_nothing() {
    for spec in [oneshot("migrate"), permanent("migrate")] {
        let mut stage = Stage::of(&[spec]);
        stage.want(&["migrate"]);
        for run in 1..20 {
            assert_eq!((stage.asked(), stage.run("migrate")), (vec!["spawn migrate".to_owned()], RunId(run)));
            stage.interrupted("migrate");
        }
        assert_eq!(stage.phase("migrate"), PhaseName::Starting);
        stage.stop(&["migrate"]);
        stage.interrupted("migrate");
        assert_eq!(stage.phase("migrate"), PhaseName::Stopped);
    }
}

#[test]
fn the_wait_doubles_up_to_its_cap() {
    let mut stage = running(policy(Attempts::Unlimited));
    for (attempt, seconds) in [(1, 1), (2, 2), (3, 4), (4, 5), (5, 5)] {
        stage.exited("api", 1);
        assert_eq!(stage.sentence("api"), format!("exited with 1; restart {attempt} in {seconds} s"));
        stage.wait(seconds - 1);
        assert_eq!(stage.asked(), nothing());
        stage.wait(1);
        assert_eq!(stage.asked(), [format!("spawn api again {attempt}")]);
        stage.made(&["api"]);
    }
    assert_eq!(stage.project.status(&id("api")).unwrap().restarts, 5);
}

#[test]
fn a_stable_run_ends_the_row_and_one_a_second_shorter_does_not() {
    for (seconds, attempt) in [(59, 2), (60, 1)] {
        let mut stage = running(policy(Attempts::UpTo(10)));
        stage.exited("api", 1);
        stage.wait(1);
        stage.made(&["api"]);
        stage.wait(seconds);
        stage.quiet();
        stage.exited("api", 1);
        stage.wait(5);
        assert_eq!(stage.asked(), [format!("spawn api again {attempt}")], "after {seconds} s");
    }
}

#[test]
fn when_the_attempts_run_out_it_has_failed_and_says_so() {
    let mut stage = running(policy(Attempts::UpTo(2)));
    for _ in 0..2 {
        stage.exited("api", 7);
        stage.wait(5);
        stage.made(&["api"]);
    }
    stage.exited("api", 7);
    stage.quiet();
    assert_eq!(stage.phase("api"), PhaseName::Failed);
    assert_eq!(stage.sentence("api"), "gave up after 2 restarts: exited with 7");
    assert_eq!(stage.project.standing_up(&id("api")), Standing::Failed);
    stage.wait(3_600);
    assert_eq!(stage.asked(), nothing());
    stage.want(&["api"]);
    assert_eq!(stage.asked(), ["spawn api"], "`up` tries again, with a new row");
}

#[test]
fn a_start_does_not_wait_for_the_backoff_and_begins_a_new_row() {
    let mut stage = running(policy(Attempts::UpTo(2)));
    stage.exited("api", 1);
    stage.want(&["api"]);
    assert_eq!(stage.asked(), nothing(), "`up` leaves it to its backoff");
    stage.start(&["api"]);
    assert_eq!(stage.asked(), ["spawn api"]);
}

#[test]
fn a_wait_of_nothing_restarts_at_once() {
    let spec = policy(Attempts::UpTo(1));
    let restart = RestartPolicy { delay: Duration::ZERO, ..spec.restart.clone() };
    let mut stage = running(Spec { restart, ..spec });
    stage.exited("api", 1);
    assert_eq!(stage.asked(), ["spawn api again 1"]);
    stage.not_made("api");
    assert_eq!(stage.sentence("api"), "gave up after 1 restart: cannot start: `./serve` is missing");
}

#[test]
fn a_stop_that_somebody_asked_for_is_never_followed_by_a_restart() {
    for exit in [Exit::Code(0), Exit::Code(1), Exit::Signal(mainstay_model::Signal::KILL), Exit::Unknown] {
        let mut stage = running(permanent("api").restarts(RestartWhen::Always));
        stage.stop(&["api"]);
        stage.ended("api", exit);
        stage.quiet();
        stage.wait(3_600);
        assert_eq!((stage.phase("api"), stage.asked()), (PhaseName::Stopped, nothing()), "{exit:?}");
        assert_eq!(stage.sentence("api"), "stopped on request");
    }
}

#[test]
fn a_stop_takes_back_a_restart_and_a_start_takes_back_a_stop() {
    let mut stage = running(permanent("api"));
    stage.restart(&["api"]);
    stage.stop(&["api"]);
    stage.exited("api", 0);
    assert_eq!((stage.asked(), stage.phase("api")), (vec!["TERM api".to_owned()], PhaseName::Stopped));

    let mut stage = running(permanent("api"));
    stage.stop(&["api"]);
    stage.want(&["api"]);
    stage.exited("api", 0);
    assert_eq!(stage.asked(), ["TERM api", "spawn api"]);
}

#[test]
fn a_restart_touches_only_the_named_one() {
    let mut stage = Stage::of(&[permanent("db"), permanent("api").needs("db", Ready)]);
    stage.want(&["api"]);
    stage.made(&["db"]);
    stage.made(&["api"]);
    stage.quiet();
    stage.restart(&["db"]);
    assert_eq!(stage.asked(), ["TERM db"], "though api needs it");
    stage.exited("db", 0);
    stage.made(&["db"]);
    assert_eq!(stage.asked(), ["spawn db"]);
    assert_eq!(stage.run("api").0, 1);
}

#[test]
fn a_crash_of_a_dependency_restarts_only_those_that_say_so() {
    let mut stage = Stage::of(&[
        permanent("db").asked(),
        permanent("api").needs("db", Ready),
        permanent("web").follows("db", Ready),
        permanent("top").follows("web", Ready),
    ]);
    stage.want(&["api", "top"]);
    stage.made(&["db"]);
    stage.answered("db", Ok(()));
    stage.made(&["api", "web"]);
    stage.made(&["top"]);
    stage.quiet();
    stage.exited("db", 1);
    assert_eq!(stage.asked(), ["TERM web", "TERM top"]);
    assert_eq!(stage.sentence("web"), "db, which it depends on, went away; sent TERM, kill follows in 10 s");
    stage.exited("web", 0);
    stage.exited("top", 0);
    assert_eq!(stage.sentence("web"), "waiting for db to be ready: exited with 1; restart 1 of 10 in 1 s");
    stage.wait(1);
    stage.made(&["db"]);
    stage.answered("db", Ok(()));
    stage.made(&["web"]);
    assert_eq!(stage.asked(), ["spawn db again 1", "ask db", "spawn web", "spawn top"]);
    assert_eq!(stage.run("api").0, 1);
}

#[test]
fn what_follows_a_oneshot_is_restarted_when_that_runs_again() {
    let mut stage = Stage::of(&[oneshot("build"), permanent("api").follows("build", Completed)]);
    stage.want(&["api"]);
    stage.made(&["build"]);
    stage.exited("build", 0);
    stage.made(&["api"]);
    stage.quiet();
    stage.start(&["build"]);
    stage.exited("api", 0);
    stage.made(&["build"]);
    stage.exited("build", 0);
    assert_eq!(stage.asked(), ["spawn build", "TERM api", "spawn api"]);
}

#[test]
fn what_is_not_ready_in_time_has_failed_and_is_stopped_first() {
    let mut stage = running(permanent("api").asked());
    stage.answered("api", Err("refused"));
    stage.wait(30);
    assert_eq!(stage.asked().last().map(String::as_str), Some("TERM api"));
    let sentence = "not ready in time: tcp 127.0.0.1:80 refused for 30 s; sent TERM, kill follows in 10 s";
    assert_eq!(stage.sentence("api"), sentence);
    stage.exited("api", 0);
    let sentence = "not ready in time: tcp 127.0.0.1:80 refused for 30 s; restart 1 of 10 in 1 s";
    assert_eq!(stage.sentence("api"), sentence);
}

#[test]
fn the_pauses_between_questions_double_up_to_the_interval() {
    let mut stage = running(permanent("api").asked());
    let mut pauses = Vec::new();
    for _ in 0..9 {
        stage.answered("api", Err("refused"));
        let due = stage.project.wake_at().unwrap();
        pauses.push((due - stage.now).as_millis());
        stage.now = due;
        stage.wait(0);
        assert_eq!(stage.asked(), ["ask api"]);
    }
    assert_eq!(pauses, [10, 20, 40, 80, 160, 320, 640, 1_000, 1_000]);
}

#[test]
fn a_check_that_is_only_time_is_ready_at_its_end_and_not_before() {
    let mut stage = Stage::of(&[permanent("db").ready_after(5), permanent("api").needs("db", Ready)]);
    stage.want(&["api"]);
    stage.made(&["db"]);
    stage.quiet();
    stage.wait(4);
    assert_eq!(stage.asked(), nothing());
    stage.wait(1);
    assert_eq!(stage.asked(), ["spawn api"]);
}

#[test]
fn late_words_about_an_old_run_mean_nothing() {
    let mut stage = running(permanent("api").asked());
    let old = stage.run("api");
    stage.exited("api", 1);
    stage.wait(1);
    stage.made(&["api"]);
    stage.quiet();
    let question = stage.question("api");
    stage.event("api", mainstay_decide::Event::Answered { run: old, question, answer: Ok(()) });
    stage.event("api", mainstay_decide::Event::Exited { run: old, exit: Exit::Code(1) });
    stage.event("api", mainstay_decide::Event::Spawned { run: old, pid: 7 });
    assert_eq!((stage.phase("api"), stage.asked()), (PhaseName::Starting, nothing()));
}

#[test]
fn a_oneshot_whose_end_nobody_saw_is_not_run_again_by_itself() {
    let mut stage = running(oneshot("migrate").restarts(RestartWhen::Always));
    stage.ended("migrate", Exit::Unknown);
    stage.wait(3_600);
    assert_eq!((stage.phase("migrate"), stage.asked()), (PhaseName::Failed, nothing()));
    let sentence = "nobody saw how this oneshot ended, and running it again could do its work twice";
    assert_eq!(stage.sentence("migrate"), sentence);
    let mut stage = running(Spec { rerun_unknown: true, ..oneshot("migrate") });
    stage.ended("migrate", Exit::Unknown);
    stage.wait(1);
    assert_eq!(stage.asked(), ["spawn migrate again 1"]);
}

#[test]
fn restarting_what_waits_or_is_stopped_starts_it() {
    let mut stage = Stage::of(&[permanent("db"), permanent("api").needs("db", Started)]);
    stage.restart(&["api"]);
    assert_eq!(stage.sentence("api"), "waiting for db to start: nobody has started it");
    stage.restart(&["db"]);
    stage.made(&["db"]);
    assert_eq!(stage.asked(), ["spawn db", "spawn api"]);
}
