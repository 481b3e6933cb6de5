//! A description on probation is taken back exactly when something that was well is not any more.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]

mod scene;

use std::collections::BTreeSet;

use mainstay_decide::{Probation, Verdict};
use scene::{With as _, at, id, permanent, stage::Stage};

fn stage() -> Stage {
    let mut stage = Stage::of(&[permanent("api"), permanent("web"), permanent("down")]);
    stage.want(&["api", "web"]);
    stage.made(&["api", "web"]);
    stage
}

fn watched(stage: &Stage) -> Probation {
    let described: BTreeSet<_> = [id("api"), id("down")].into();
    Probation::begin(&stage.project, at(130), &described)
}

#[test]
fn it_is_kept_when_what_was_well_is_so_at_its_end() {
    let mut stage = stage();
    let probation = watched(&stage);
    stage.apply(&[permanent("api").runs("./api2"), permanent("down")]);
    assert_eq!(probation.judge(&stage.project, at(101)), Verdict::Open, "it is restarting");
    stage.exited("api", 0);
    stage.made(&["api"]);
    assert_eq!(probation.judge(&stage.project, at(129)), Verdict::Open);
    assert_eq!(probation.judge(&stage.project, at(130)), Verdict::Kept);
}

#[test]
fn it_is_broken_by_what_was_well_and_is_not_ready_at_its_end() {
    let mut stage = stage();
    let probation = watched(&stage);
    stage.apply(&[permanent("api").runs("./api2").asked(), permanent("down")]);
    stage.exited("api", 0);
    stage.made(&["api"]);
    assert_eq!(probation.judge(&stage.project, at(129)), Verdict::Open);
    assert_eq!(probation.judge(&stage.project, at(130)), Verdict::Broken { by: id("api") });
}

#[test]
fn it_is_broken_at_once_by_a_crash_of_what_was_well_and_by_nothing_else() {
    let mut stage = stage();
    let probation = watched(&stage);
    stage.apply(&[permanent("api").runs("./api2"), permanent("down")]);
    stage.exited("api", 0);
    let run = stage.run("api");
    let event = mainstay_decide::Event::Spawned { run, pid: 7 };
    let outcome = stage.project.event(at(101), &id("api"), event);
    assert!(outcome.changes.iter().all(|change| probation.heard(change) == Verdict::Open));
    let exit = mainstay_model::Exit::Code(1);
    let outcome = stage.project.event(at(102), &id("api"), mainstay_decide::Event::Exited { run, exit });
    let broken = Verdict::Broken { by: id("api") };
    assert!(outcome.changes.iter().any(|change| probation.heard(change) == broken));
    stage.want(&["down"]);
    stage.not_made("down");
    assert!(!matches!(probation.judge(&stage.project, at(103)), Verdict::Kept));
}

#[test]
fn what_somebody_stops_or_pauses_meanwhile_breaks_nothing() {
    let mut stage = stage();
    let probation = watched(&stage);
    stage.apply(&[permanent("api"), permanent("web"), permanent("down")]);
    stage.pause(&["api"]);
    assert_eq!(probation.judge(&stage.project, at(101)), Verdict::Open);
    stage.resume(&["api"]);
    stage.stop(&["api"]);
    assert_eq!(probation.judge(&stage.project, at(102)), Verdict::Open);
    stage.exited("api", 1);
    assert_eq!(probation.judge(&stage.project, at(130)), Verdict::Kept);
}

#[test]
fn it_is_the_same_for_whoever_takes_it_over() {
    let mut stage = stage();
    let probation = watched(&stage);
    let again = Probation::recall(probation.until, probation.well().clone());
    assert_eq!(again, probation);
    assert_eq!(probation.well(), &BTreeSet::from([id("api")]));
    stage.apply(&[permanent("api").runs("./api2").asked(), permanent("down")]);
    assert_eq!(again.judge(&stage.project, at(200)), Verdict::Broken { by: id("api") });
}
