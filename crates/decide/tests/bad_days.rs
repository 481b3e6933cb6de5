//! Days that are no service's fault: no room for a process, no way to ask, time in which nobody was there.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]

mod scene;

use mainstay_decide::Notice;
use mainstay_model::{Health, PhaseName, RestartWhen, Spec};
use scene::{With as _, id, oneshot, permanent, stage::Stage};

fn begun(spec: Spec) -> Stage {
    let name = spec.id.to_string();
    let mut stage = Stage::of(&[spec]);
    stage.want(&[&name]);
    stage
}

#[test]
fn without_room_it_is_tried_again_for_as_long_as_that_takes_and_nothing_is_counted() {
    for spec in [permanent("api"), permanent("api").restarts(RestartWhen::Never), oneshot("api")] {
        let mut stage = begun(spec);
        for _ in 0..30 {
            stage.starved("api");
            assert_eq!(stage.phase("api"), PhaseName::Waiting);
            assert!(
                stage.sentence("api").ends_with("no room; it is tried again in 5 s"),
                "{}",
                stage.sentence("api")
            );
            stage.wait(5);
        }
        stage.made(&["api"]);
        let api = stage.project.service(&id("api")).unwrap();
        assert_eq!((api.restarts(), api.attempts()), (0, 0));
        assert!(stage.asked().iter().all(|asked| asked == "spawn api"));
    }
}

#[test]
fn without_room_for_a_restart_its_row_goes_on_where_it_was() {
    let mut stage = begun(permanent("api"));
    stage.made(&["api"]);
    stage.exited("api", 1);
    stage.wait(1);
    stage.starved("api");
    stage.wait(5);
    stage.made(&["api"]);
    stage.exited("api", 1);
    assert_eq!(stage.sentence("api"), "exited with 1; restart 2 of 10 in 2 s");
}

#[test]
fn one_that_is_not_wanted_any_more_waits_for_no_room() {
    let mut stage = begun(permanent("api"));
    stage.starved("api");
    stage.stop(&["api"]);
    assert_eq!(stage.phase("api"), PhaseName::Stopped);
    stage.wait(60);
    assert_eq!(stage.asked(), ["spawn api"]);
}

#[test]
fn what_could_not_be_asked_says_nothing_of_its_health_and_is_asked_again() {
    let mut stage = begun(permanent("api").well());
    stage.made(&["api"]);
    stage.answered("api", Ok(()));
    for _ in 0..5 {
        stage.wait(10);
        stage.unasked("api");
    }
    let health = |stage: &Stage| stage.project.service(&id("api")).unwrap().health();
    assert_eq!((stage.phase("api"), health(&stage)), (PhaseName::Running, Health::Ok));
    assert!(stage.sentence("api").contains("cannot run"), "{}", stage.sentence("api"));
    // A row of failures is neither ended nor made longer by it.
    stage.wait(10);
    stage.answered("api", Err("refused"));
    stage.wait(10);
    stage.unasked("api");
    stage.wait(10);
    assert_eq!(health(&stage), Health::Warning);
    stage.answered("api", Err("refused"));
    assert_eq!(health(&stage), Health::Error);
}

#[test]
fn a_check_that_could_not_be_asked_makes_nobody_ready_and_fails_nobody() {
    let mut stage = begun(permanent("api").asked());
    stage.made(&["api"]);
    for _ in 0..5 {
        stage.unasked("api");
        stage.wait(1);
    }
    assert_eq!(stage.phase("api"), PhaseName::Starting);
    stage.answered("api", Ok(()));
    assert_eq!(stage.phase("api"), PhaseName::Running);
}

#[test]
fn whoever_had_time_for_something_has_it_anew_after_time_in_which_nobody_was_there() {
    let mut stage = begun(permanent("api").notifies());
    stage.made(&["api"]);
    stage.sleep(100);
    assert_eq!(stage.phase("api"), PhaseName::Starting);
    stage.says("api", Notice::Ready);
    stage.sleep(100);
    assert_eq!(stage.phase("api"), PhaseName::Running);
    // It is heard from now on, or not.
    stage.wait(29);
    stage.says("api", Notice::Alive);
    stage.wait(29);
    assert_eq!(stage.phase("api"), PhaseName::Running);
    stage.stop(&["api"]);
    stage.sleep(100);
    assert_eq!(stage.asked(), ["spawn api", "TERM api"]);
    stage.wait(10);
    assert_eq!(stage.asked(), ["kill api"]);
    stage.exited("api", 0);
    stage.start(&["api"]);
    stage.made(&["api"]);
    stage.says("api", Notice::Ready);
    stage.wait(30);
    assert_eq!(stage.phase("api"), PhaseName::Stopping, "one that is silent while others look is ended");
}
