//! Which ends are followed by a restart, after which pause, and how often.

use super::{happened, place, reason, told, wait_for_happened, wait_for_restarts};
use crate::story::{Project, kill, wait_until};

/// How the three of a story ended, once each has come to rest: phase, restarts, sentence.
fn ends(project: &Project, rest: [&str; 3]) -> [(u64, String); 3] {
    // One that ends at once may be seen running, or not: how `up` ends says nothing here.
    project.up();
    let ids = ["well", "bad", "killed"];
    for (id, phase) in ids.into_iter().zip(rest) {
        project.wait_for_phase(id, phase);
    }
    ids.map(|id| {
        let service = project.service(id);
        (service["restarts"].as_u64().unwrap(), reason(&service).to_owned())
    })
}

#[test]
fn restart_never() {
    let project = told("restart_never");
    let row = |text: &str| (0, text.to_owned());
    assert_eq!(
        ends(&project, ["stopped", "failed", "failed"]),
        [
            row("ended with exit 0, and its restart policy is never"),
            row("exited with 1; it is not restarted"),
            row("ended by signal KILL; it is not restarted"),
        ]
    );
}

#[test]
fn restart_on_failure() {
    let project = told("restart_on_failure");
    let row = |restarts: u64, text: &str| (restarts, text.to_owned());
    assert_eq!(
        ends(&project, ["stopped", "failed", "failed"]),
        [
            row(0, "ended with exit 0, and its restart policy is on-failure"),
            row(1, "gave up after 1 restart: exited with 1"),
            row(1, "gave up after 1 restart: ended by signal KILL"),
        ]
    );
}

#[test]
fn restart_always() {
    let project = told("restart_always");
    // Nothing of it ever comes to rest, and may never be seen ready.
    let _up = project.spawn(&["up", "-d"]);
    wait_until("the daemon has the description", || project.run(&["list", "--json"]).out.contains("\"bad\""));
    for id in ["well", "bad", "killed"] {
        wait_until("it was restarted twice", || project.service(id)["restarts"].as_u64() >= Some(2));
    }
    place(&happened(&project), "well running → waiting: exited with 0; restart 1 in ");
}

#[test]
fn backoff_grows() {
    let project = told("backoff_grows");
    project.up();
    project.wait_for_phase("api", "failed");
    let happened = happened(&project);
    let places: Vec<usize> = [(1, 100), (2, 200), (3, 400)]
        .map(|(attempt, pause)| {
            let why = format!("exited with 1; restart {attempt} of 3 in {pause} ms");
            place(&happened, &format!("api running → waiting: {why}"))
        })
        .into();
    assert!(places.is_sorted(), "{happened:#?}");
    place(&happened, "api running → failed: gave up after 3 restarts: exited with 1");
}

#[test]
fn backoff_begins_anew_after_a_stable_run() {
    let project = told("backoff_begins_anew_after_a_stable_run");
    project.up().expect(0);
    for restarts in 1..=2 {
        kill(project.pid("api"), "KILL");
        wait_for_restarts(&project, "api", restarts);
    }
    let since = std::time::Instant::now();
    wait_until("it has run long enough", || since.elapsed().as_millis() > 600);
    kill(project.pid("api"), "KILL");
    wait_for_restarts(&project, "api", 3);
    let happened = happened(&project);
    let last = happened.iter().rfind(|line| line.starts_with("api running → waiting"));
    let again = "api running → waiting: ended by signal KILL; restart 1 of 2 in 100 ms";
    assert_eq!(last.map(String::as_str), Some(again), "{happened:#?}");
}

#[test]
fn oneshot_tried_again() {
    let project = told("oneshot_tried_again");
    let mut up = project.spawn(&["up", "-d"]);
    project.wait_for_text("tries", "try\ntry\n");
    assert_eq!(project.service("api")["run"], 0);
    project.write("schema", "");
    assert_eq!(up.wait(), 0, "{}", up.output());
    assert_eq!(project.service("migrate")["phase"], "completed");
    assert_eq!(project.service("api")["phase"], "running");
}

#[test]
fn oneshot_run_again_by_start() {
    let project = told("oneshot_run_again_by_start");
    project.up().expect(0);
    project.up().expect(0);
    assert_eq!(project.read("runs"), "ran\n");
    project.run(&["start", "migrate"]).expect(0);
    assert_eq!(project.read("runs"), "ran\nran\n");
    assert_eq!(project.service("migrate")["phase"], "completed");
}

#[test]
fn success_exit_codes() {
    let project = told("success_exit_codes");
    project.up();
    let api = project.wait_for_phase("api", "stopped");
    assert_eq!(reason(&api), "ended with exit 3, and its restart policy is on-failure");
    let job = project.service("job");
    assert_eq!((&job["phase"], &job["exit"]["code"]), (&"completed".into(), &3.into()));
}

#[test]
fn restart_touches_only_one() {
    let project = told("restart_touches_only_one");
    project.up().expect(0);
    let (db, api, web) = (project.pid("db"), project.pid("api"), project.pid("web"));
    project.run(&["restart", "db"]).expect(0);
    assert_ne!(project.pid("db"), db);
    wait_until("who wants to follow has followed", || {
        let now = project.service("web");
        now["phase"] == "running" && now["pid"] != web
    });
    assert_eq!(project.pid("api"), api);
}

#[test]
fn crash_while_stopping() {
    let project = told("crash_while_stopping");
    project.up().expect(0);
    wait_until("it hears", || crate::story::exists(project.dir.join("api-up")));
    project.run(&["stop", "api"]).expect(0);
    let api = project.service("api");
    assert_eq!((&api["phase"], &api["exit"]["code"]), (&"stopped".into(), &70.into()));
    assert_eq!((reason(&api), &api["restarts"]), ("stopped on request", &0.into()));
}

#[test]
fn stop_during_backoff() {
    let project = told("stop_during_backoff");
    // It may be seen running before it fails.
    let _up = project.spawn(&["up", "-d"]);
    wait_until("it fails", || project.run(&["list", "--json"]).out.contains("exited with 1; restart 1 in"));
    project.run(&["stop", "api"]).expect(0);
    let api = project.service("api");
    assert_eq!((&api["phase"], &api["run"]), (&"stopped".into(), &1.into()));
    wait_for_happened(&project, "api waiting → stopped: stopped on request");
}
