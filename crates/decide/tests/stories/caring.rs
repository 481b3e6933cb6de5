//! Hooks, reloads and restarts one by one.

use std::time::Duration;

use mainstay_decide::{Awaited, Standing};
use mainstay_model::{
    Command, Condition, Hook, HookName, Hooks, PhaseName, Reload, RestartWhen, Signal, Spec,
};

use super::{one, standing, tries};
use crate::scene::{With as _, id, permanent, stage::Stage};

fn hook(program: &str) -> Option<Hook> {
    let command = Command::new([program.to_owned()]).unwrap();
    Some(Hook { command, timeout: Duration::from_secs(60) })
}

#[test]
fn before_start_fails() {
    let hooks = Hooks { before_start: hook("./prepare"), ..Hooks::default() };
    let api = Spec { hooks, ..tries(permanent("api"), 3) };
    let mut stage = Stage::of(&[api, permanent("web").needs("api", Condition::Ready)]);
    stage.want(&["web"]);
    stage.hook("api", HookName::BeforeStart, Err("exited with 3"));
    assert_eq!(
        stage.sentence("web"),
        "waiting for api to be ready: its before_start hook exited with 3; restart 1 of 3 in 1 s"
    );
    stage.wait(1);
    stage.hook("api", HookName::BeforeStart, Ok(()));
    stage.made(&["api"]);
    assert_eq!(stage.asked(), ["before_start api", "before_start api", "spawn api again 1", "spawn web"]);
}

#[test]
fn after_stop_after_a_crash() {
    let hooks = Hooks { after_stop: hook("./clean"), ..Hooks::default() };
    let mut stage = one(|api| Spec { hooks, ..tries(api, 3) });
    stage.exited("api", 7);
    stage.wait(30);
    assert_eq!((stage.asked(), stage.phase("api")), (vec!["after_stop api".to_owned()], PhaseName::Stopping));
    stage.hook("api", HookName::AfterStop, Ok(()));
    assert_eq!(stage.sentence("api"), "exited with 7; restart 1 of 3 in 1 s");
    stage.wait(1);
    assert_eq!(stage.asked(), ["spawn api again 1"]);
}

#[test]
fn reload_keeps_the_pid() {
    let mut stage = one(|api| Spec { reload: Some(Reload::Signal(Signal::HUP)), ..api });
    stage.reload(&["api"]);
    assert_eq!(stage.asked(), ["HUP main of api"]);
    assert_eq!((stage.phase("api"), stage.run("api").0), (PhaseName::Running, 1));
    assert_eq!(stage.project.standing(&id("api"), Awaited::Reloaded), Standing::Done);
}

#[test]
fn rolling_restart_stops_at_the_first_failure() {
    let names = ["api@1", "api@2", "api@3"];
    let mut stage = Stage::of(&names.map(|name| permanent(name).asked().restarts(RestartWhen::Never)));
    stage.want(&names);
    stage.made(&names);
    for name in names {
        stage.answered(name, Ok(()));
    }
    stage.quiet();
    stage.roll(&names);
    stage.exited("api@1", 0);
    stage.made(&["api@1"]);
    assert_eq!(stage.asked(), ["TERM api@1", "spawn api@1", "ask api@1"], "and api@2 waits for it");
    stage.answered("api@1", Ok(()));
    stage.exited("api@2", 0);
    stage.made(&["api@2"]);
    stage.exited("api@2", 1);
    assert_eq!(stage.asked(), ["TERM api@2", "spawn api@2", "ask api@2"]);
    assert_eq!(names.map(|name| standing(&stage, name)), [Standing::Done, Standing::Failed, Standing::Done]);
    assert_eq!(stage.run("api@3").0, 1, "the old one still runs");
}
