//! Other settings of a service: one that can reload reads them again where it is, all others are made anew.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may panic, in the functions around it as well")]

mod scene;

use mainstay_decide::PlannedAct;
use mainstay_model::{Reload, Signal, Spec};
use scene::{id, permanent, stage::Stage};

fn with(level: &str, reload: Option<Reload>) -> Spec {
    let config = [("level".to_owned(), level.to_owned())].into();
    Spec { config, reload, ..permanent("api") }
}

fn hup() -> Option<Reload> {
    Some(Reload::Signal(Signal::HUP))
}

/// What an apply does by the plan, and what it then asks for.
fn applied(stage: &mut Stage, spec: &Spec) -> (PlannedAct, Vec<String>) {
    let planned = stage.project.plan(std::slice::from_ref(spec), &[id("api")].into()).unwrap();
    stage.asked();
    stage.apply(std::slice::from_ref(spec));
    (planned[0].act, stage.asked())
}

fn running(spec: Spec) -> Stage {
    let mut stage = Stage::of(&[spec]);
    stage.want(&["api"]);
    stage.made(&["api"]);
    stage
}

#[test]
fn what_runs_and_can_reload_reads_its_settings_again() {
    let mut stage = running(with("1", hup()));
    let (act, asked) = applied(&mut stage, &with("2", hup()));
    assert_eq!((act, asked.as_slice()), (PlannedAct::Change, ["HUP main of api".to_owned()].as_slice()));
    // Said once more, nothing is different.
    assert_eq!(applied(&mut stage, &with("2", hup())), (PlannedAct::Keep, Vec::new()));
}

#[test]
fn what_cannot_reload_is_made_anew() {
    let mut stage = running(with("1", None));
    let (act, asked) = applied(&mut stage, &with("2", None));
    assert_eq!(act, PlannedAct::Restart);
    assert!(asked[0].contains("TERM"), "{asked:?}");
}

#[test]
fn what_starts_or_stands_still_may_have_read_the_old_ones_and_is_made_anew() {
    let mut starting = Stage::of(&[with("1", hup())]);
    starting.want(&["api"]);
    assert_eq!(applied(&mut starting, &with("2", hup())).0, PlannedAct::Restart);
    let mut paused = running(with("1", hup()));
    paused.pause(&["api"]);
    assert_eq!(applied(&mut paused, &with("2", hup())).0, PlannedAct::Restart);
}

#[test]
fn what_does_not_run_only_has_other_settings() {
    let mut stage = Stage::of(&[with("1", hup())]);
    assert_eq!(applied(&mut stage, &with("2", hup())), (PlannedAct::Start, Vec::new()));
}
