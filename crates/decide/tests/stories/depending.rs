//! What a dependent does while what it depends on starts, fails, comes back or stays away.

use mainstay_decide::Standing;
use mainstay_model::{Condition, PhaseName, RestartWhen};

use super::{NOTHING, standing, tries, up};
use crate::scene::{With as _, oneshot, permanent, stage::Stage};

use Condition::{Completed, Healthy, Ready, Started};

#[test]
fn dependency_started() {
    let mut stage = Stage::of(&[permanent("db").asked(), permanent("api").needs("db", Started)]);
    stage.want(&["api"]);
    assert_eq!(stage.asked(), ["spawn db"]);
    stage.made(&["db"]);
    assert_eq!(stage.asked(), ["ask db", "spawn api"]);
    assert_eq!(stage.phase("db"), PhaseName::Starting);
}

#[test]
fn dependency_ready() {
    let mut stage = Stage::of(&[permanent("db").asked(), permanent("api").needs("db", Ready)]);
    stage.want(&["api"]);
    stage.made(&["db"]);
    stage.answered("db", Err("refused"));
    stage.wait(1);
    assert_eq!(stage.asked(), ["spawn db", "ask db", "ask db"]);
    assert_eq!(stage.sentence("api"), "waiting for db to be ready: tcp 127.0.0.1:80 refused for 1 s");
    stage.answered("db", Ok(()));
    assert_eq!(stage.asked(), ["spawn api"]);
}

#[test]
fn dependency_healthy() {
    let mut stage = Stage::of(&[permanent("db").well(), permanent("api").needs("db", Healthy)]);
    stage.want(&["api"]);
    stage.made(&["db"]);
    stage.answered("db", Err("refused"));
    stage.wait(1);
    assert_eq!(stage.phase("db"), PhaseName::Running, "it is ready, and not healthy yet");
    assert_eq!(stage.asked(), ["spawn db", "ask db", "ask db"]);
    stage.answered("db", Ok(()));
    assert_eq!(stage.asked(), ["spawn api"]);
}

#[test]
fn dependency_completed() {
    let mut stage = Stage::of(&[oneshot("migrate"), permanent("api").needs("migrate", Completed)]);
    stage.want(&["api"]);
    stage.made(&["migrate"]);
    assert_eq!(stage.asked(), ["spawn migrate"]);
    stage.exited("migrate", 0);
    assert_eq!(stage.asked(), ["spawn api"]);
    assert_eq!(stage.phase("migrate"), PhaseName::Completed);
}

#[test]
fn dependency_failed_to_complete() {
    let mut stage = Stage::of(&[
        oneshot("migrate"),
        permanent("api").needs("migrate", Completed),
        permanent("web").needs("api", Ready),
        permanent("cache"),
    ]);
    stage.want(&["web", "cache"]);
    stage.made(&["migrate", "cache"]);
    stage.exited("migrate", 4);
    assert_eq!(stage.sentence("api"), "waiting for migrate to complete: exited with 4; it is not restarted");
    assert_eq!(
        ["migrate", "api", "web", "cache"].map(|name| standing(&stage, name)),
        [Standing::Failed, Standing::Failed, Standing::Failed, Standing::Done]
    );
}

#[test]
fn dependency_completes_later() {
    let mut stage = Stage::of(&[oneshot("migrate"), permanent("api").needs("migrate", Completed)]);
    stage.want(&["api"]);
    stage.made(&["migrate"]);
    stage.exited("migrate", 4);
    stage.quiet();
    stage.start(&["migrate"]);
    stage.made(&["migrate"]);
    stage.exited("migrate", 0);
    assert_eq!(stage.asked(), ["spawn migrate", "spawn api"]);
}

#[test]
fn dependency_crashes_and_dependents_stay() {
    let mut stage = up(&[tries(permanent("db"), 3), permanent("api").needs("db", Ready)]);
    stage.killed("db");
    stage.wait(1);
    stage.made(&["db"]);
    assert_eq!(stage.asked(), ["spawn db again 1"]);
    assert_eq!(stage.phase("api"), PhaseName::Running);
}

#[test]
fn dependency_crashes_and_dependents_follow() {
    let mut stage = up(&[tries(permanent("db"), 3), permanent("api").follows("db", Ready)]);
    stage.killed("db");
    assert_eq!(stage.asked(), ["TERM api"], "at once, not only when db is back");
    assert!(stage.sentence("api").starts_with("db, which it depends on, went away"));
    stage.exited("api", 0);
    assert_eq!(
        stage.sentence("api"),
        "waiting for db to be ready: ended by signal KILL; restart 1 of 3 in 1 s"
    );
    stage.wait(1);
    stage.made(&["db"]);
    assert_eq!(stage.asked(), ["spawn db again 1", "spawn api"]);
}

#[test]
fn dependency_is_not_ready_in_time() {
    let mut stage = Stage::of(&[
        permanent("db").asked().restarts(RestartWhen::Never),
        permanent("api").needs("db", Ready),
    ]);
    stage.want(&["api"]);
    stage.made(&["db"]);
    stage.answered("db", Err("refused"));
    stage.wait(30);
    stage.exited("db", 0);
    assert_eq!(stage.asked(), ["spawn db", "ask db", "ask db", "TERM db"]);
    let reason = "not ready in time: tcp 127.0.0.1:80 refused for 30 s; it is not restarted";
    assert_eq!(stage.sentence("db"), reason);
    assert_eq!(stage.sentence("api"), format!("waiting for db to be ready: {reason}"));
    assert_eq!(standing(&stage, "api"), Standing::Failed);
}

#[test]
fn dependency_fails_its_health_while_a_dependent_starts() {
    let mut stage =
        Stage::of(&[tries(permanent("db").well(), 3), permanent("api").asked().needs("db", Healthy)]);
    stage.want(&["api"]);
    stage.made(&["db"]);
    stage.answered("db", Ok(()));
    stage.made(&["api"]);
    stage.answered("api", Err("refused"));
    stage.quiet();
    for _ in 0..2 {
        stage.wait(10);
        stage.answered("db", Err("refused"));
    }
    stage.exited("db", 0);
    stage.wait(1);
    stage.made(&["db"]);
    let of_db: Vec<String> = stage.asked().into_iter().filter(|asked| asked.contains("db")).collect();
    assert_eq!(of_db, ["ask db", "ask db", "TERM db", "spawn db again 1", "ask db"]);
    assert_eq!(stage.phase("api"), PhaseName::Starting, "it has begun, and goes on");
    stage.answered("api", Ok(()));
    assert_eq!((stage.phase("api"), standing(&stage, "api")), (PhaseName::Running, Standing::Done));
}

#[test]
fn dependency_is_lost_while_a_dependent_waits() {
    let mut stage = Stage::of(&[
        tries(permanent("db"), 3),
        oneshot("migrate"),
        permanent("api").needs("db", Ready).needs("migrate", Completed),
    ]);
    stage.want(&["api"]);
    stage.made(&["db", "migrate"]);
    stage.killed("db");
    stage.exited("migrate", 0);
    stage.quiet();
    assert_eq!(
        stage.sentence("api"),
        "waiting for db to be ready: ended by signal KILL; restart 1 of 3 in 1 s"
    );
    stage.wait(1);
    assert_eq!(stage.asked(), ["spawn db again 1"], "all must be so in one moment");
    stage.made(&["db"]);
    assert_eq!(stage.asked(), ["spawn api"]);
}

#[test]
fn dependency_never_healthy() {
    let mut stage = Stage::of(&[tries(permanent("db").well(), 1), permanent("api").needs("db", Healthy)]);
    stage.want(&["api"]);
    stage.made(&["db"]);
    for _ in 0..3 {
        stage.answered("db", Err("refused"));
        stage.wait(10);
    }
    stage.exited("db", 0);
    let reason = "its health check failed twice in a row: tcp 127.0.0.1:81 refused";
    assert_eq!(
        stage.sentence("api"),
        format!("waiting for db to be healthy: {reason}; restart 1 of 1 in 1 s")
    );
    stage.wait(1);
    stage.made(&["db"]);
    for _ in 0..3 {
        stage.answered("db", Err("refused"));
        stage.wait(10);
    }
    stage.exited("db", 0);
    assert_eq!(
        stage.sentence("api"),
        format!("waiting for db to be healthy: gave up after 1 restart: {reason}")
    );
    assert_eq!(standing(&stage, "api"), Standing::Failed);
    assert!(!stage.asked().iter().any(|asked| asked.contains("api")));
}

#[test]
fn dependency_cannot_start() {
    let mut stage = Stage::of(&[
        permanent("db").restarts(RestartWhen::Never),
        permanent("api").needs("db", Ready),
        permanent("cache"),
    ]);
    stage.want(&["api", "cache"]);
    stage.not_made("db");
    stage.made(&["cache"]);
    let reason = "cannot start: `./serve` is missing; it is not restarted";
    assert_eq!((stage.phase("db"), stage.sentence("db").as_str()), (PhaseName::Failed, reason));
    assert_eq!(stage.sentence("api"), format!("waiting for db to be ready: {reason}"));
    assert_eq!(stage.phase("cache"), PhaseName::Running);
}

#[test]
fn dependency_gives_up() {
    let mut stage = Stage::of(&[tries(permanent("db").asked(), 2), permanent("api").needs("db", Ready)]);
    stage.want(&["api"]);
    for _ in 0..3 {
        stage.made(&["db"]);
        stage.exited("db", 3);
        stage.wait(1);
    }
    assert_eq!(stage.phase("db"), PhaseName::Failed);
    let reason = "waiting for db to be ready: gave up after 2 restarts: exited with 3";
    assert_eq!((stage.phase("api"), stage.sentence("api").as_str()), (PhaseName::Waiting, reason));
}

#[test]
fn dependency_with_instances() {
    let mut stage = Stage::of(&[
        permanent("worker@1").asked(),
        permanent("worker@2").asked(),
        permanent("api").needs("worker", Ready),
    ]);
    stage.want(&["api"]);
    stage.made(&["worker@1", "worker@2"]);
    stage.answered("worker@2", Ok(()));
    assert_eq!(stage.asked(), ["spawn worker@1", "spawn worker@2", "ask worker@1", "ask worker@2"]);
    assert!(stage.sentence("api").starts_with("waiting for worker@1 to be ready"));
    stage.answered("worker@1", Ok(()));
    assert_eq!(stage.asked(), ["spawn api"]);
}

#[test]
fn dependency_paused_while_a_dependent_waits() {
    let mut stage = Stage::of(&[
        permanent("db"),
        oneshot("migrate"),
        permanent("api").needs("db", Ready).needs("migrate", Completed),
    ]);
    stage.want(&["api"]);
    stage.made(&["db", "migrate"]);
    stage.quiet();
    stage.pause(&["db"]);
    stage.exited("migrate", 0);
    assert_eq!(stage.asked(), ["pause db"]);
    assert_eq!(stage.sentence("api"), "waiting for db to be ready: paused on request");
    stage.resume(&["db"]);
    assert_eq!(stage.asked(), ["resume db", "spawn api"]);
}

#[test]
fn dependency_comes_along() {
    let mut stage = Stage::of(&[permanent("db"), permanent("api").needs("db", Ready), permanent("other")]);
    stage.start(&["api"]);
    assert_eq!(stage.asked(), ["spawn db"]);
    stage.made(&["db"]);
    assert_eq!(stage.asked(), ["spawn api"]);
    assert_eq!(stage.phase("other"), PhaseName::Stopped);
    stage.start(&["api"]);
    assert_eq!(stage.asked(), NOTHING);
}
