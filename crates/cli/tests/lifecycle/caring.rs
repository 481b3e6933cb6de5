//! Hooks, reloads and restarts one by one.

use super::{reason, told, wait_for_reason, wait_for_restarts};
use crate::story::{exists, kill, wait_until};

#[test]
fn before_start_fails() {
    let project = told("before_start_fails");
    let mut up = project.spawn(&["up", "-d"]);
    wait_until("the daemon has the description", || project.run(&["list", "--json"]).out.contains("\"web\""));
    let web = wait_for_reason(
        &project,
        "web",
        "waiting for api to be ready: its before_start hook exited with 1; restart ",
    );
    assert_eq!(web["run"], 0);
    project.write("prepared", "");
    assert_eq!(up.wait(), 0, "{}", up.output());
    assert_eq!(project.service("web")["phase"], "running");
}

#[test]
fn after_stop_after_a_crash() {
    let project = told("after_stop_after_a_crash");
    project.up().expect(0);
    project.wait_for_text("order", "started\n");
    kill(project.pid("api"), "KILL");
    project.wait_for_text("order", "started\ncleaned\nstarted\n");
    let api = wait_for_restarts(&project, "api", 1);
    assert_eq!(api["exit"]["signal"], "KILL");
}

#[test]
fn reload_keeps_the_pid() {
    let project = told("reload_keeps_the_pid");
    project.up().expect(0);
    wait_until("it hears", || exists(project.dir.join("api-up")));
    let pid = project.pid("api");
    project.run(&["reload", "api"]).expect(0);
    project.wait_for_text("reloaded", "again");
    let api = project.service("api");
    assert_eq!((&api["pid"], &api["run"]), (&pid.into(), &1.into()));
}

#[test]
fn rolling_restart_stops_at_the_first_failure() {
    let project = told("rolling_restart_stops_at_the_first_failure");
    project.up().expect(0);
    let pids = ["api@1", "api@2", "api@3"].map(|id| project.pid(id));
    project.write("broken-2", "");
    project.run(&["restart", "--rolling", "api"]).expect(1).says("api@2");
    assert_ne!(project.pid("api@1"), pids[0]);
    let second = project.service("api@2");
    assert_eq!(second["phase"], "failed");
    assert_eq!(reason(&second), "exited with 1; it is not restarted");
    assert_eq!(project.pid("api@3"), pids[2], "the old one still runs");
}
