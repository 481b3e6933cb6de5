//! History: what happened and who asked for it, with and without a daemon, and across its death.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "what a story needs and does not get has failed it"
)]

mod story;

use std::{fs, os::unix::fs::PermissionsExt};

use serde_json::Value;
use story::{Project, wait_until};

/// Fails twice, then goes on.
const CRASHES: &str = "n=$(cat runs 2>/dev/null || echo 0); n=$((n+1)); echo $n > runs\n\
     [ $n -gt 2 ] || exit 3\nexec sleep 1000";

fn crashing() -> Project {
    let project = Project::new(
        "[service.api]\ncommand = \"./api\"\nrestart = { delay = \"10ms\" }\n\
         [service.migrate]\nkind = \"oneshot\"\ncommand = \"true\"\n",
    );
    project.script("api", CRASHES);
    project.up();
    wait_until("the third run is there", || {
        let api = project.service("api");
        api["phase"] == "running" && api["run"] == 3
    });
    project
}

fn events(project: &Project, arguments: &[&str]) -> Vec<Value> {
    let said = project.run(&[&["history", "--json"], arguments].concat()).expect(0);
    said.json()["events"].as_array().unwrap().clone()
}

fn codes(events: &[Value]) -> Vec<&str> {
    events.iter().map(|event| event["reason"]["code"].as_str().unwrap()).collect()
}

#[test]
fn every_change_is_kept_with_its_reason_and_every_request_with_who_asked() {
    let project = crashing();
    let api = events(&project, &["api"]);
    let changes: Vec<String> = api
        .iter()
        .map(|event| {
            let word = |field: &str| event[field].as_str().unwrap();
            format!("{} {} {}", event["run"], word("from"), word("to"))
        })
        .collect();
    assert_eq!(changes[..2], ["1 stopped starting", "1 starting running"], "{changes:?}");
    assert_eq!(changes.last().unwrap(), "3 starting running", "{changes:?}");
    let failures: Vec<&Value> = api.iter().filter(|event| event["failed"] == true).collect();
    assert_eq!(failures.len(), 2);
    assert_eq!((&failures[0]["exit"]["code"], &failures[0]["to"]), (&3.into(), &"waiting".into()));

    project.run(&["stop", "api"]).expect(0);
    let stop =
        events(&project, &["-n", "20"]).into_iter().find(|event| event["reason"]["code"] == "act").unwrap();
    assert_eq!((&stop["reason"]["text"], &stop["service"]), (&"stop api".into(), &Value::Null));
    assert!(stop["uid"].is_u64() && stop["pid"].is_u64(), "{stop}");
    let said = project.run(&["history", "api", "-n", "2"]).expect(0);
    let lines: Vec<&str> = said.out.lines().collect();
    assert_eq!(lines.len(), 3, "{lines:?}");
    assert!(lines[2].ends_with("stopping → stopped  stopped on request (signal TERM)"), "{}", lines[2]);

    assert!(events(&project, &["--since", "1h"]).len() > 8);
    assert!(events(&project, &["--until", "yesterday"]).is_empty());
    project.run(&["history", "--since", "soonish"]).expect(2).says("is no time");
    project.run(&["history", "nothing"]).expect(5).says("there are: api, migrate");
    let mode = fs::metadata(project.dir.join(".mainstay/history.db")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn it_is_read_when_nothing_runs_and_goes_on_afterwards() {
    let project = crashing();
    project.run(&["down"]).expect(0);
    let kept = events(&project, &[]);
    let words = codes(&kept);
    assert_eq!(words[..2], ["daemon-started", "applied"], "{words:?}");
    assert_eq!(words.last(), Some(&"daemon-ended"), "{words:?}");
    assert!(words.contains(&"down-requested"), "{words:?}");
    project.run(&["history", "nothing"]).expect(5);
    project.run(&["report"]).expect(0).says("api");
    // A service that is in no file any more has a history all the same.
    project.write("mainstay.toml", "[service.other]\ncommand = \"sleep 1000\"\n");
    project.up().expect(0);
    let all = events(&project, &["-n", "500"]);
    assert_eq!(all[..kept.len()], kept);
    assert!(!events(&project, &["api"]).is_empty());
    assert!(events(&project, &["migrate", "other"]).len() > 3);
}

#[test]
fn a_report_tells_how_well_it_went() {
    let project = crashing();
    let report = project.run(&["report", "--json", "--since", "1h"]).expect(0).json();
    let services = report["services"].as_array().unwrap();
    let [api, migrate] = services.as_slice() else { panic!("{report}") };
    assert_eq!((&api["service"], &migrate["service"]), (&"api".into(), &"migrate".into()));
    assert_eq!((&api["starts"], &api["restarts"], &api["failures"]), (&3.into(), &2.into(), &2.into()));
    let uptime = api["uptime_percent"].as_f64().unwrap();
    assert!(uptime > 0.0 && uptime < 100.0, "{uptime}");
    assert!(api["longest_outage"]["span_ms"].as_u64().unwrap() >= 10, "{api}");
    assert!(api["last_failure"]["reason"]["text"].as_str().unwrap().starts_with("exited with 3"), "{api}");
    assert_eq!((&migrate["uptime_percent"], &migrate["starts"]), (&Value::Null, &1.into()));
    project.run(&["report", "api"]).expect(0).says("1 service from").says("3 starts, 2 restarts, 2 failures");
    project.run(&["report", "nothing"]).expect(5);
    project.run(&["report", "--since", "never"]).expect(2);
}

fn kill_the_daemon(project: &Project) {
    let daemon = project.three().daemon.unwrap();
    story::kill(daemon, "KILL");
    wait_until("another daemon is there", || project.three().daemon.is_some_and(|pid| pid != daemon));
}

#[test]
fn the_death_of_the_daemon_leaves_no_hole() {
    let project = crashing();
    // Who asks sees everything, and then it is written.
    assert!(!events(&project, &["api"]).is_empty());
    kill_the_daemon(&project);
    project.run(&["restart", "api"]).expect(0);
    let report =
        |project: &Project| project.run(&["report", "api", "--json"]).expect(0).json()["services"][0].clone();
    let before = report(&project);
    assert_eq!((&before["starts"], &before["failures"]), (&4.into(), &2.into()));

    // What this one could not write any more is lost, but not what has become of it.
    project.run(&["restart", "api"]).expect(0);
    kill_the_daemon(&project);
    let all = events(&project, &["-n", "500"]);
    assert_eq!(codes(&all).iter().filter(|code| **code == "daemon-returned").count(), 2, "{:?}", codes(&all));
    let seen = |event: &Value| event["service"] == "api" && event["run"] == 5 && event["to"] == "running";
    assert!(all.iter().any(seen), "{all:?}");
    let outage = &report(&project)["longest_outage"];
    assert!(!outage["until"].is_null(), "{outage}");
}

#[test]
fn a_history_that_is_broken_stops_nobody() {
    let project = Project::new("[service.api]\ncommand = \"sleep 1000\"\n");
    fs::create_dir(project.dir.join(".mainstay")).unwrap();
    fs::set_permissions(project.dir.join(".mainstay"), fs::Permissions::from_mode(0o700)).unwrap();
    project.write(".mainstay/history.db", &"this was a history once, and is none any more ".repeat(100));
    project.run(&["history"]).expect(1).says("the next daemon moves it aside");
    project.up().expect(0);
    wait_until("a new one has begun", || events(&project, &[]).len() > 2);
    assert!(story::exists(project.dir.join(".mainstay/history.db.broken-1")));
    project.run(&["logs", "@daemon"]).expect(0).says("a new history begins");
    project.wait_for_phase("api", "running");
}
