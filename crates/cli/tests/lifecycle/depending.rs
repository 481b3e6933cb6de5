//! What a dependent does while what it depends on starts, fails, comes back or stays away.

use std::fs;

use super::{happened, place, reason, told, wait_for_reason, wait_for_restarts};
use crate::story::{Project, kill, wait_until};

const NOT_YET: &str = "waiting for db to be ready: its check has failed for ";

#[test]
fn dependency_started() {
    let project = told("dependency_started");
    let mut up = begin(&project);
    project.wait_for_phase("api", "running");
    assert_eq!(project.service("db")["phase"], "starting");
    project.write("db-ready", "");
    assert_eq!(up.wait(), 0, "{}", up.output());
}

/// `up -d` in the background, once the daemon answers.
fn begin(project: &Project) -> crate::story::Running {
    let up = project.spawn(&["up", "-d"]);
    wait_until("the daemon has the description", || project.run(&["list", "--json"]).out.contains("\"api\""));
    up
}

#[test]
fn dependency_ready() {
    let project = told("dependency_ready");
    let mut up = begin(&project);
    let api = wait_for_reason(&project, "api", NOT_YET);
    assert_eq!((&api["phase"], &api["run"]), (&"waiting".into(), &0.into()));
    project.write("db-ready", "");
    assert_eq!(up.wait(), 0, "{}", up.output());
    project.wait_for_phase("api", "running");
    wait_until("api found it ready", || crate::story::exists(project.dir.join("in-order")));
}

#[test]
fn dependency_healthy() {
    let project = told("dependency_healthy");
    let mut up = begin(&project);
    let text = "waiting for db to be healthy: `test -e db-well` exited with 1";
    let api = wait_for_reason(&project, "api", text);
    assert_eq!(api["run"], 0);
    assert!(happened(&project).iter().any(|line| line.starts_with("db starting → running")));
    project.write("db-well", "");
    assert_eq!(up.wait(), 0, "{}", up.output());
    project.wait_for_phase("api", "running");
}

#[test]
fn dependency_completed() {
    let project = told("dependency_completed");
    project.up().expect(0);
    project.wait_for_text("order", "api");
    assert_eq!(project.read("order"), "migrate\napi\n");
    assert_eq!(project.service("migrate")["phase"], "completed");
}

#[test]
fn dependency_failed_to_complete() {
    let project = told("dependency_failed_to_complete");
    let why = "waiting for migrate to complete: exited with 4; it is not restarted";
    project.up().expect(1).says(why);
    assert_eq!(reason(&project.service("api")), why);
    let web = project.service("web");
    assert_eq!(web["phase"], "waiting");
    assert_eq!(reason(&web), format!("waiting for api to be ready, which is {why}"));
    assert_eq!(project.service("cache")["phase"], "running");
}

#[test]
fn dependency_completes_later() {
    let project = told("dependency_completes_later");
    project.up().expect(1);
    assert_eq!(project.service("api")["run"], 0);
    project.write("schema", "");
    project.run(&["start", "migrate"]).expect(0);
    project.wait_for_phase("api", "running");
}

#[test]
fn dependency_crashes_and_dependents_stay() {
    let project = told("dependency_crashes_and_dependents_stay");
    project.up().expect(0);
    let api = project.pid("api");
    kill(project.pid("db"), "KILL");
    let db = wait_for_restarts(&project, "db", 1);
    assert_eq!(db["exit"]["signal"], "KILL");
    assert_eq!(project.pid("api"), api);
}

#[test]
fn dependency_crashes_and_dependents_follow() {
    let project = told("dependency_crashes_and_dependents_follow");
    project.up().expect(0);
    project.wait_for_text("order", "api");
    project.wait_for_text("order", "db");
    kill(project.pid("db"), "KILL");
    // One that counts as ready as soon as it runs may write after the one that waited for it.
    let wrote = |name: &str| project.read("order").lines().filter(|line| *line == name).count();
    wait_until("both are there again", || (wrote("db"), wrote("api")) == (2, 2));
    let api = project.wait_for_phase("api", "running");
    assert_eq!((&api["run"], &api["restarts"]), (&2.into(), &0.into()));
    let happened = happened(&project);
    let went = place(&happened, "api running → stopping: db, which it depends on, went away");
    let waited = place(&happened, "api stopping → waiting: waiting for db to be ready");
    let back = waited + place(&happened[waited..], "db starting → running");
    let started = waited + place(&happened[waited..], "api waiting → starting");
    assert!(went < waited && back < started, "{happened:#?}");
}

#[test]
fn dependency_is_not_ready_in_time() {
    let project = told("dependency_is_not_ready_in_time");
    let why = "not ready in time: its check has failed for 1 s: `test -e db-ready` exited with 1; it is not restarted";
    project.up().expect(1).says(why);
    let db = project.service("db");
    assert_eq!((&db["phase"], reason(&db)), (&"failed".into(), why));
    assert_eq!(reason(&project.service("api")), format!("waiting for db to be ready: {why}"));
}

#[test]
fn dependency_fails_its_health_while_a_dependent_starts() {
    let project = told("dependency_fails_its_health_while_a_dependent_starts");
    project.write("db-well", "");
    let mut up = begin(&project);
    wait_until("api starts", || project.service("api")["pid"].is_u64());
    let api = project.service("api");
    assert_eq!(api["phase"], "starting");
    fs::remove_file(project.dir.join("db-well")).unwrap();
    wait_until("db was restarted", || project.service("db")["restarts"].as_u64() >= Some(1));
    assert_eq!(project.service("api")["pid"], api["pid"]);
    project.write("db-well", "");
    project.write("api-ready", "");
    assert_eq!(up.wait(), 0, "{}", up.output());
    let now = project.service("api");
    assert_eq!((&now["phase"], &now["pid"]), (&"running".into(), &api["pid"]));
    place(&happened(&project), "db running → stopping: its health check failed 3 times in a row");
}

#[test]
fn dependency_is_lost_while_a_dependent_waits() {
    let project = told("dependency_is_lost_while_a_dependent_waits");
    let mut up = begin(&project);
    wait_for_reason(&project, "api", "waiting for migrate to complete");
    project.write("db-broken", "");
    kill(project.pid("db"), "KILL");
    wait_for_reason(&project, "api", "waiting for db to be ready");
    project.write("schema", "");
    project.wait_for_phase("migrate", "completed");
    let api = wait_for_reason(&project, "api", NOT_YET);
    assert_eq!(api["run"], 0);
    fs::remove_file(project.dir.join("db-broken")).unwrap();
    project.wait_for_phase("api", "running");
    assert_eq!(up.wait(), 0, "{}", up.output());
}

#[test]
fn dependency_never_healthy() {
    let project = told("dependency_never_healthy");
    let why =
        "gave up after 1 restart: its health check failed 3 times in a row: `test -e db-well` exited with 1";
    project.up().expect(1).says(why);
    let api = project.service("api");
    assert_eq!(reason(&api), format!("waiting for db to be healthy: {why}"));
    assert_eq!(api["run"], 0);
    assert_eq!(project.service("db")["phase"], "failed");
}

#[test]
fn dependency_cannot_start() {
    let project = told("dependency_cannot_start");
    project.up().expect(1).says("cannot start: ");
    let db = project.service("db");
    assert_eq!((&db["phase"], &db["run"]), (&"failed".into(), &1.into()));
    assert!(reason(&db).contains("./db-server"), "{db}");
    let api = project.service("api");
    assert_eq!(reason(&api), format!("waiting for db to be ready: {}", reason(&db)));
    assert_eq!(project.service("cache")["phase"], "running");
}

#[test]
fn dependency_gives_up() {
    let project = told("dependency_gives_up");
    let why = "gave up after 2 restarts: exited with 3";
    project.up().expect(1).says(why);
    let db = project.service("db");
    assert_eq!((&db["phase"], &db["restarts"], reason(&db)), (&"failed".into(), &2.into(), why));
    let api = project.service("api");
    assert_eq!((&api["phase"], &api["run"]), (&"waiting".into(), &0.into()));
    assert_eq!(reason(&api), format!("waiting for db to be ready: {why}"));
}

#[test]
fn dependency_with_instances() {
    let project = told("dependency_with_instances");
    let mut up = begin(&project);
    project.write("ready-2", "");
    project.wait_for_phase("worker@2", "running");
    let api = wait_for_reason(&project, "api", "waiting for worker@1 to be ready");
    assert_eq!(api["run"], 0);
    project.write("ready-1", "");
    assert_eq!(up.wait(), 0, "{}", up.output());
    project.wait_for_phase("api", "running");
}

#[test]
fn dependency_paused_while_a_dependent_waits() {
    let project = told("dependency_paused_while_a_dependent_waits");
    let mut up = begin(&project);
    wait_for_reason(&project, "api", "waiting for migrate to complete");
    let db = project.pid("db");
    project.run(&["pause", "db"]).expect(0);
    assert_eq!(project.service("db")["phase"], "paused");
    project.write("schema", "");
    project.wait_for_phase("migrate", "completed");
    let api = wait_for_reason(&project, "api", "waiting for db to be ready: paused on request");
    assert_eq!(api["run"], 0);
    // It is not that it comes later that `up` calls a failure, but that it does not come by itself.
    assert_eq!(up.wait(), 1, "{}", up.output());
    project.run(&["resume", "db"]).expect(0);
    project.wait_for_phase("api", "running");
    assert_eq!(project.pid("db"), db);
}

#[test]
fn dependency_comes_along() {
    let project = told("dependency_comes_along");
    project.run(&["up", "-d", "other"]).expect(0);
    assert_eq!(project.service("db")["phase"], "stopped");
    project.run(&["start", "api"]).expect(0).says("db");
    assert_eq!(project.service("db")["phase"], "running");
    let api = project.pid("api");
    project.run(&["start", "api"]).expect(0);
    assert_eq!(project.pid("api"), api);
}
