//! By which ways it is learned that a service is ready and well, and what follows when it is not.

use std::time::Duration;

use mainstay_decide::Notice;
use mainstay_model::{Condition, Health, HttpProbe, PhaseName, Probe, ReadyCheck, ReadyPolicy, Spec};

use super::{NOTHING, one, tries, up};
use crate::scene::{With as _, id, permanent, stage::Stage};

fn checked(spec: Spec, check: ReadyCheck) -> Spec {
    let seconds = Duration::from_secs;
    let ready = ReadyPolicy { check, timeout: seconds(30), interval: seconds(1), probe_timeout: seconds(2) };
    Spec { ready: Some(ready), ..spec }
}

/// A service with this check that was made, and one that waits for it to be ready.
fn waited_for(check: ReadyCheck) -> Stage {
    let mut stage =
        Stage::of(&[checked(permanent("db"), check), permanent("api").needs("db", Condition::Ready)]);
    stage.want(&["api"]);
    stage.made(&["db"]);
    stage
}

/// It is asked, says no and then yes; only then its dependent starts.
fn asked_twice(check: ReadyCheck, no: &str) {
    let mut stage = waited_for(check);
    stage.answered("db", Err(no));
    stage.wait(1);
    assert_eq!(stage.asked(), ["spawn db", "ask db", "ask db"]);
    assert!(stage.sentence("api").contains(no), "{}", stage.sentence("api"));
    stage.answered("db", Ok(()));
    assert_eq!(stage.asked(), ["spawn api"]);
}

/// It is not asked, and says so by itself.
fn said(check: ReadyCheck) {
    let mut stage = waited_for(check);
    stage.wait(20);
    assert_eq!(stage.asked(), ["spawn db"]);
    stage.says("db", Notice::Ready);
    assert_eq!(stage.asked(), ["spawn api"]);
}

#[test]
fn ready_by_http() {
    let url = "http://127.0.0.1:8080/ready".to_owned();
    asked_twice(ReadyCheck::Probe(Probe::Http(HttpProbe { url, status: None })), "answered 503");
}

#[test]
fn ready_by_log_in_two_writes() {
    // Where a line ends is the hands' to know: here it is one asking, answered when the whole line is there.
    let mut stage = waited_for(ReadyCheck::Log("ready to accept connections".to_owned()));
    stage.wait(20);
    assert_eq!(stage.asked(), ["spawn db", "ask db"]);
    stage.answered("db", Ok(()));
    assert_eq!(stage.asked(), ["spawn api"]);
}

#[test]
fn ready_by_notify() {
    said(ReadyCheck::Notify);
}

#[test]
fn ready_by_fd() {
    said(ReadyCheck::Fd(3));
}

#[test]
fn ready_by_exec_as_its_user() {
    let command = mainstay_model::Command::new(["./ask".to_owned()]).unwrap();
    asked_twice(ReadyCheck::Probe(Probe::Exec(command)), "exited with 1");
}

fn health(stage: &Stage) -> Health {
    stage.project.service(&id("api")).unwrap().health()
}

#[test]
fn health_recovers_before_the_limit() {
    let mut stage = one(|api| api.well());
    stage.answered("api", Ok(()));
    stage.wait(10);
    stage.answered("api", Err("exited with 1"));
    assert_eq!((stage.phase("api"), health(&stage)), (PhaseName::Running, Health::Warning));
    assert_eq!(stage.sentence("api"), "tcp 127.0.0.1:81 exited with 1 (1 of 2 failures in a row)");
    stage.wait(10);
    stage.answered("api", Ok(()));
    assert_eq!(health(&stage), Health::Ok);
    stage.wait(10);
    stage.answered("api", Err("exited with 1"));
    assert_eq!(health(&stage), Health::Warning, "the row begins anew");
    assert_eq!(stage.asked(), ["ask api", "ask api", "ask api"]);
}

#[test]
fn health_fails_too_often() {
    let mut stage = one(|api| tries(api.well(), 3));
    stage.answered("api", Ok(()));
    for _ in 0..2 {
        stage.wait(10);
        stage.answered("api", Err("exited with 1"));
    }
    assert_eq!(health(&stage), Health::Error);
    stage.exited("api", 0);
    assert_eq!(
        stage.sentence("api"),
        "its health check failed twice in a row: tcp 127.0.0.1:81 exited with 1; restart 1 of 3 in 1 s"
    );
    stage.wait(1);
    assert_eq!(stage.asked(), ["ask api", "ask api", "TERM api", "spawn api again 1"]);
}

#[test]
fn health_waits_out_a_slow_start() {
    let mut stage = one(|api| api.well());
    for _ in 0..5 {
        stage.answered("api", Err("exited with 1"));
        stage.wait(1);
    }
    assert_eq!((stage.phase("api"), health(&stage)), (PhaseName::Running, Health::Startup));
    stage.wait(5);
    stage.answered("api", Ok(()));
    assert_eq!(health(&stage), Health::Ok);
    assert!(stage.asked().iter().all(|asked| asked == "ask api"));
}

#[test]
fn watchdog_silence() {
    let mut stage = up(&[tries(permanent("api").notifies(), 3)]);
    stage.says("api", Notice::Ready);
    stage.wait(29);
    stage.says("api", Notice::Alive);
    stage.wait(29);
    assert_eq!(stage.asked(), NOTHING);
    stage.wait(1);
    stage.killed("api");
    assert_eq!(stage.sentence("api"), "its watchdog heard nothing for 30 s; restart 1 of 3 in 1 s");
    stage.wait(1);
    assert_eq!(stage.asked(), ["ABRT api", "spawn api again 1"]);
}
