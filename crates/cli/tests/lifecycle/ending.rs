//! In which order things end, on request and because the description changed.

use super::{happened, place, reason, rewrite, told};
use crate::story::{Project, exists, is_alive, kill, wait_until};

/// `up -d`, and each of the chain hears.
fn up(project: &Project) {
    project.up().expect(0);
    for name in ["db", "api", "web"] {
        wait_until("it hears", || exists(project.dir.join(format!("{name}-up"))));
    }
}

#[test]
fn stop_takes_dependents_first() {
    let project = told("stop_takes_dependents_first");
    up(&project);
    let other = project.pid("other");
    project.run(&["stop", "db"]).expect(0).says("web");
    assert_eq!(project.read("order"), "web\napi\ndb\n");
    assert_eq!(project.pid("other"), other);
}

#[test]
fn stop_with_a_deaf_dependent() {
    let project = told("stop_with_a_deaf_dependent");
    project.up().expect(0);
    wait_until("it is deaf", || exists(project.dir.join("api-up")));
    project.run(&["stop", "db"]).expect(0);
    assert_eq!(project.service("api")["exit"]["signal"], "KILL");
    assert_eq!(project.service("db")["exit"]["signal"], "TERM");
    let happened = happened(&project);
    let (api, db) = (place(&happened, "api stopping → stopped"), place(&happened, "db running → stopping"));
    assert!(api < db, "{happened:#?}");
}

#[test]
fn down_in_reverse_order() {
    let project = told("down_in_reverse_order");
    up(&project);
    project.run(&["down"]).expect(0);
    assert_eq!(project.read("order"), "web\napi\ndb\n");
}

#[test]
fn kill_touches_only_one() {
    let project = told("kill_touches_only_one");
    project.up().expect(0);
    let api = project.pid("api");
    project.run(&["kill", "db"]).expect(0);
    let db = project.service("db");
    assert_eq!((&db["phase"], &db["exit"]["signal"]), (&"stopped".into(), &"KILL".into()));
    assert_eq!(project.pid("api"), api);
    kill(api, "KILL");
    let api = project.wait_for_phase("api", "failed");
    assert_eq!(reason(&api), "ended by signal KILL; it is not restarted");
}

#[test]
fn up_applies_only_changes() {
    let project = told("up_applies_only_changes");
    project.up().expect(0);
    let pids = ["same", "policy", "changed", "gone"].map(|id| project.pid(id));
    rewrite(&project);
    project.up().expect(0);
    assert_eq!(["same", "policy"].map(|id| project.pid(id)), pids[..2]);
    assert_ne!(project.pid("changed"), pids[2]);
    assert_eq!(project.service("new")["phase"], "running");
    assert!(!is_alive(pids[3]));
    assert!(!project.run(&["list", "--json"]).expect(0).out.contains("\"gone\""));
}

#[test]
fn removed_services_end_in_order() {
    let project = told("removed_services_end_in_order");
    up(&project);
    let other = project.pid("other");
    rewrite(&project);
    project.up().expect(0).says("no longer in the files");
    assert_eq!(project.read("order"), "web\napi\ndb\n");
    assert_eq!(project.pid("other"), other);
}

#[test]
fn scale_up_and_down() {
    let project = told("scale_up_and_down");
    project.up().expect(0);
    let pids = ["worker@1", "worker@2"].map(|id| project.pid(id));
    project.run(&["scale", "worker", "3"]).expect(0);
    let third = project.pid("worker@3");
    project.run(&["scale", "worker", "2"]).expect(0);
    assert!(!is_alive(third));
    // The same by the file.
    rewrite(&project);
    project.up().expect(0);
    assert_ne!(project.pid("worker@3"), third);
    assert_eq!(["worker@1", "worker@2"].map(|id| project.pid(id)), pids);
}
