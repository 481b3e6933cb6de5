//! Plans, applies and ways back on real processes: what a plan says is what comes, and what was can come again.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "what a story needs and does not get has failed it"
)]

mod story;

use std::{collections::BTreeMap, fs};

use serde_json::Value;
use story::{Project, is_alive, kill, wait_until};

const BEFORE: &str = r#"
[service.db]
command = ["sh", "-c", "echo db one; exec sleep 1000"]

[service.api]
command = "sleep 1000"
depends_on = ["db"]
env = { LEVEL = "info", DB_PASSWORD = "hush-before" }

[service.worker]
command = "sleep 1000"
restart = { delay = "1s" }

[service.old]
command = "sleep 1000"

[service.same]
command = "sleep 1000"
"#;

const AFTER: &str = r#"
[service.db]
command = ["sh", "-c", "echo db two; exec sleep 1000"]

[service.api]
command = "sleep 1000"
depends_on = ["db"]
env = { LEVEL = "info", DB_PASSWORD = "hush-before" }

[service.worker]
command = "sleep 1000"
restart = { delay = "5s" }

[service.new]
command = "sleep 1000"

[service.same]
command = "sleep 1000"
"#;

fn up(toml: &str) -> Project {
    let project = Project::new(toml);
    project.up().expect(0);
    project
}

/// The process of each service that has one.
fn pids(project: &Project) -> BTreeMap<String, u64> {
    let list = project.run(&["list", "--json"]).expect(0).json();
    let services = list["services"].as_array().unwrap();
    let pid = |service: &Value| Some((service["name"].as_str()?.to_owned(), service["pid"].as_u64()?));
    services.iter().filter_map(pid).collect()
}

/// What a plan says of each service, but for those that it leaves alone.
fn acts(plan: &Value) -> BTreeMap<String, String> {
    let steps = plan["steps"].as_array().unwrap();
    let act =
        |step: &Value| (step["id"].as_str().unwrap().to_owned(), step["act"].as_str().unwrap().to_owned());
    steps.iter().map(act).collect()
}

fn versions(project: &Project) -> Vec<Value> {
    let said = project.run(&["config", "versions", "--json"]).expect(0);
    said.json()["generations"].as_array().unwrap().clone()
}

#[track_caller]
fn wait_for_how(project: &Project, how: &str) -> Value {
    let mut latest = Value::Null;
    wait_until(&format!("the latest generation is {how}"), || {
        latest = versions(project)[0].clone();
        latest["how"].as_str().unwrap().starts_with(how)
    });
    latest
}

#[test]
fn a_plan_is_what_an_apply_then_does() {
    let project = up(BEFORE);
    let before = pids(&project);
    project.write("mainstay.toml", AFTER);
    let plan = project.run(&["plan", "--json"]).expect(0).json();
    let acts = acts(&plan);
    let told: Vec<(&str, &str)> = acts.iter().map(|(id, act)| (id.as_str(), act.as_str())).collect();
    assert_eq!(told, [("db", "restart"), ("new", "add"), ("old", "remove"), ("worker", "change")]);
    assert_eq!((&plan["kept"], &plan["base"], &plan["to"]), (&2.into(), &1.into(), &Value::Null));
    assert_eq!(pids(&project), before, "a plan changes nothing");

    let said = project
        .run(&["apply"])
        .expect(0)
        .says("1 to add, 1 to restart, 1 to change, 1 to remove, 2 unchanged");
    said.says("shop is up: 5 running");
    let after = pids(&project);
    let ids = before.keys().chain(after.keys());
    for id in ids {
        let became = match (before.get(id), after.get(id)) {
            (None, Some(_)) => "add",
            (Some(_), None) => "remove",
            (before, after) if before == after => "goes on",
            _ => "restart",
        };
        let planned = match acts.get(id).map(String::as_str) {
            None | Some("change") => "goes on",
            Some(act) => act,
        };
        assert_eq!(became, planned, "{id}");
    }
    project.wait_for_text(".mainstay/logs/db/current", "db two");
    let plan = project.run(&["plan"]).expect(0);
    assert_eq!(plan.out, "nothing to do, 5 unchanged\n");
    let unchanged = pids(&project);
    project.run(&["apply"]).expect(0).says("nothing to do");
    assert_eq!(pids(&project), unchanged);
    assert_eq!(versions(&project).len(), 2, "the same again is no new generation");
}

#[test]
fn a_plan_is_told_field_by_field_and_without_secrets() {
    let project = up(BEFORE);
    project.write("plain.env", "FROM_FILE=quiet-one\n");
    let after = AFTER
        .replace("hush-before", "hush-after")
        .replace("LEVEL = \"info\"", "LEVEL = \"debug\"")
        .replace("depends_on = [\"db\"]", "depends_on = [\"db\"]\nenv_file = \"plain.env\"");
    project.write("mainstay.toml", &after);
    let plan = project.run(&["plan"]).expect(0);
    for line in [
        "- old     remove   it is stopped and removed\n",
        "↻ db      restart  its process is made anew\n",
        "+ new     add      it is new, and is started\n",
        "~ worker  change   its process goes on\n    restart.delay: 1 s → 5 s\n",
        "    env.LEVEL: info → debug (restarts it)\n",
        "    env.DB_PASSWORD: (hidden) → (hidden) (restarts it)\n",
        "    env.FROM_FILE: (not set) → (hidden) (restarts it)\n",
        "1 to add, 2 to restart, 1 to change, 1 to remove, 1 unchanged\n",
    ] {
        assert!(plan.out.contains(line), "{line} in:\n{}", plan.out);
    }
    let mut all = vec![plan.out, project.run(&["plan", "--json"]).expect(0).out];
    all.push(project.run(&["apply", "--json"]).expect(0).out);
    all.push(project.run(&["config", "versions", "1"]).expect(0).out);
    all.push(project.run(&["config", "versions", "--json"]).expect(0).out);
    all.push(project.run(&["rollback"]).expect(0).out);
    all.push(project.run(&["logs", "@daemon"]).expect(0).out);
    for text in all {
        assert!(!text.contains("hush") && !text.contains("quiet-one"), "{text}");
    }
    for entry in fs::read_dir(project.dir.join(".mainstay/generations")).unwrap() {
        use std::os::unix::fs::PermissionsExt;
        let mode = entry.unwrap().metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "only its owner may read what may hold secrets");
    }
}

#[test]
fn without_a_daemon_everything_is_new_and_apply_starts_it() {
    let project = Project::new(BEFORE);
    let plan = project.run(&["plan"]).expect(0).says("note: nothing runs");
    assert!(plan.out.ends_with("5 to add\n"), "{}", plan.out);
    let some = project.run(&["plan", "api"]).expect(0);
    assert!(some.out.ends_with("2 to add, 3 to describe\n"), "{}", some.out);
    project.run(&["plan", "nothing"]).expect(5);
    project.run(&["rollback"]).expect(69);
    project.run(&["config", "versions"]).expect(0).says("nothing was ever applied");
    project.run(&["apply", "api"]).expect(0).says("shop is up");
    assert_eq!(pids(&project).keys().collect::<Vec<_>>(), ["api", "db"]);
    project.write("mainstay.toml", "[service.api\n");
    project.run(&["plan"]).expect(6);
    project.run(&["apply"]).expect(6);
}

#[test]
fn a_rollback_brings_back_what_changed_and_what_was_removed() {
    let project = up(BEFORE);
    project.run(&["stop", "same"]).expect(0);
    project.write("mainstay.toml", &AFTER.replace("LEVEL = \"info\"", "LEVEL = \"debug\""));
    project.run(&["apply", "db", "api", "worker", "new"]).expect(0);
    let level = |project: &Project| {
        let environ = fs::read(format!("/proc/{}/environ", project.pid("api"))).unwrap();
        let text = String::from_utf8_lossy(&environ).into_owned();
        text.split('\0').find_map(|one| one.strip_prefix("LEVEL=")).unwrap().to_owned()
    };
    assert_eq!(level(&project), "debug");
    let worker = project.pid("worker");
    let said = project.run(&["rollback"]).expect(0).says("generation 3 runs: it is what 1 was");
    for line in ["back to generation 1:", "- new", "+ old", "env.LEVEL: debug → info (restarts it)"] {
        assert!(said.out.contains(line), "{line} in {}", said.out);
    }
    assert_eq!(level(&project), "info");
    assert!(pids(&project).contains_key("old") && !pids(&project).contains_key("new"));
    assert_eq!(project.pid("worker"), worker, "its process goes on");
    assert_eq!(project.service("same")["phase"], "stopped", "what is stopped stays stopped");
    project.wait_for_text(".mainstay/logs/db/current", "db one");
    project.run(&["list"]).expect(0).says("the files differ from what runs");

    let how: Vec<String> =
        versions(&project).iter().map(|one| one["how"].as_str().unwrap().to_owned()).collect();
    assert_eq!(how, ["rolled back to 1", "applied", "applied"]);
    assert_eq!(versions(&project)[0]["current"], true);
    let history = project.run(&["history", "--json"]).expect(0).json();
    let events = history["events"].as_array().unwrap();
    let row = events.iter().find(|event| event["reason"]["code"] == "rolled-back").unwrap();
    assert_eq!(row["generation"], 3);
    assert!(row["uid"].is_u64());
    // The way back again.
    project.run(&["rollback", "2"]).expect(0).says("generation 4 runs: it is what 2 was");
    assert!(pids(&project).contains_key("new") && !pids(&project).contains_key("old"));
    project.run(&["rollback", "4"]).expect(0).says("generation 4 runs, as before");
    project.run(&["rollback", "9"]).expect(1).says("there is no generation 9").says("there are 1 to 4");
}

#[test]
fn without_an_earlier_generation_there_is_no_way_back() {
    let project = up(BEFORE);
    let said = project.run(&["rollback"]).expect(1).says("there is no earlier generation to go back to");
    assert!(said.err.contains("config versions"), "{}", said.err);
    // Another comment is no other generation.
    project.write("mainstay.toml", &format!("# a comment\n{BEFORE}"));
    project.up().expect(0);
    project.run(&["rollback"]).expect(1);
    assert_eq!(versions(&project).len(), 1);
}

#[test]
fn versions_are_listed_and_compared_also_without_a_daemon() {
    let project = up(BEFORE);
    project.write("mainstay.toml", AFTER);
    project.run(&["apply"]).expect(0);
    let live = project.run(&["config", "versions"]).expect(0).says("runs now; applied");
    assert_eq!(live.out.lines().count(), 3, "{}", live.out);
    project.run(&["config", "versions", "1"]).expect(0).says("restart.delay: 5 s → 1 s");
    project.run(&["config", "versions", "7"]).expect(1).says("there are 1 to 2");
    project.run(&["down"]).expect(0);
    let left = project.run(&["config", "versions"]).expect(0);
    assert_eq!(left.out, live.out.replace("runs now; applied", "applied"));
    project.run(&["config", "versions", "1"]).expect(0).says("restart.delay: 5 s → 1 s").says("- new");
    project.run(&["config", "versions", "7"]).expect(1).says("there are 1 to 2");
    project.up().expect(0);
    assert_eq!(versions(&project).len(), 2, "up brings back what was applied last");
}

const WELL: &str =
    "[service.api]\ncommand = [\"sh\", \"-c\", \"exec sleep 1000\"]\nrestart = { delay = \"50ms\" }\n";

/// Runs for a while, and then no longer.
fn bad(seconds: &str) -> String {
    WELL.replace("exec sleep 1000", &format!("sleep {seconds}; exit 7"))
}

/// Runs until there is a file `end`.
fn at_a_word() -> String {
    WELL.replace("exec sleep 1000", "while ! test -e end; do sleep 0.05; done; exit 7")
}

#[test]
fn what_crashes_on_probation_is_taken_back() {
    let project = up(WELL);
    let mut follower = project.spawn(&["up"]);
    follower.wait_for("api");
    let before = project.pid("api");
    project.write("mainstay.toml", &bad("2"));
    let said = project.run(&["apply", "--watch", "5m"]).expect(1);
    let said = said.says("generation 2 is on probation for 5 min");
    let said = said.says("error: taken back: api failed: exited with 7");
    assert!(said.err.contains("the files still say what was taken back"), "{}", said.err);
    project.wait_for_phase("api", "running");
    let line = fs::read(format!("/proc/{}/cmdline", project.pid("api"))).unwrap();
    assert_eq!(line, b"sleep\x001000\0");
    assert!(!is_alive(before));
    let versions = versions(&project);
    assert_eq!(versions[0]["how"], "taken back: api failed: exited with 7");
    assert_eq!((&versions[0]["uid"], &versions[0]["number"]), (&Value::Null, &3.into()));
    assert_eq!(versions[1]["verdict"], "taken back: api failed: exited with 7");
    project.run(&["logs", "@daemon"]).expect(0).says("taken back: api failed: exited with 7");
    project.run(&["history", "-n", "100"]).expect(0).says("taken back: api failed: exited with 7");
    follower.wait_for("taken back: api failed: exited with 7");
    project.run(&["list"]).expect(0).says("the files differ from what runs");
    // It has to be told again by whoever wants it nevertheless.
    let again = project.run(&["plan"]).expect(0);
    assert!(again.out.ends_with("1 to restart, 0 unchanged\n") || again.out.ends_with("1 to restart\n"));
    follower.signal("HUP");
    follower.wait();
}

#[test]
fn what_stays_well_is_kept() {
    let project = up(WELL);
    project.write("mainstay.toml", &WELL.replace("1000", "1001"));
    let said = project.run(&["apply", "--watch", "2s"]).expect(0);
    let said = said.says("generation 2 is kept: what was well is so after 2 s");
    said.says("shop is up: 1 running");
    let pid = project.pid("api");
    assert_eq!(versions(&project)[0]["verdict"], "kept: what was well is so after 2 s");
    // It may fail from now on.
    kill(pid, "KILL");
    wait_until("it is back", || project.service("api")["restarts"].as_u64() == Some(1));
    assert_eq!(versions(&project).len(), 2);
    project
        .run(&["apply", "--watch", "5s"])
        .expect(0)
        .says("nothing is different: there is nothing to watch");
    project.run(&["apply", "--watch", "0s"]).expect(2);
    project.run(&["apply", "--watch", "2d"]).expect(2);
}

#[test]
fn whoever_does_not_wait_for_the_end_of_a_probation_is_told_that_it_goes_on() {
    let project = up(WELL);
    project.write("mainstay.toml", &WELL.replace("1000", "1001"));
    let said = project.run(&["apply", "--watch", "1h", "--timeout", "2s"]).expect(124);
    said.says("timed out: after 2 s, generation 2 is on probation").says("that goes on");
    let held = project.run(&["config", "versions", "--json"]).expect(0).json();
    assert_eq!(held["probation"]["generation"], 2, "{held}");
    project.run(&["config", "versions"]).expect(0).says("on probation until");
}

#[test]
fn what_is_not_ready_at_the_end_of_its_probation_is_taken_back() {
    let ready = "ready = { exec = \"test -e there\", timeout = \"1h\" }\n";
    let project = Project::new(&format!("{WELL}{ready}"));
    project.write("there", "");
    project.up().expect(0);
    project.write("mainstay.toml", &format!("{}{ready}", WELL.replace("1000", "1001")));
    fs::remove_file(project.dir.join("there")).unwrap();
    let mut apply = project.spawn(&["apply", "--watch", "2s"]);
    wait_for_how(&project, "taken back: api is not well any more: starting");
    project.write("there", "");
    assert_eq!(apply.wait(), 1);
    assert!(apply.output().contains("taken back: api is not well any more"), "{}", apply.output());
    project.wait_for_phase("api", "running");
}

#[test]
fn a_probation_survives_the_death_of_the_daemon() {
    let project = up(WELL);
    project.write("mainstay.toml", &at_a_word());
    let mut apply = project.spawn(&["apply", "--watch", "5m"]);
    apply.wait_for("on probation");
    let daemon = project.three().daemon.unwrap();
    kill(daemon, "KILL");
    wait_until("another daemon is there", || project.three().daemon.is_some_and(|pid| pid != daemon));
    let held = project.run(&["config", "versions", "--json"]).expect(0).json();
    assert_eq!(held["probation"]["generation"], 2, "{held}");
    project.write("end", "");
    assert_eq!(apply.wait(), 1);
    assert!(apply.output().contains("taken back: api failed: exited with 7"), "{}", apply.output());
    wait_for_how(&project, "taken back: api failed");
    project.wait_for_phase("api", "running");
}

#[test]
fn a_probation_that_ends_while_no_daemon_is_there_is_judged_by_the_next_one() {
    // Whether it is ready has to be asked again by the next daemon: until then nobody knows.
    let well = format!("{WELL}ready = {{ exec = \"true\", timeout = \"10s\" }}\n");
    let project = up(&well);
    project.write("mainstay.toml", &well.replace("1000", "1001"));
    let mut apply = project.spawn(&["apply", "--watch", "2s"]);
    apply.wait_for("on probation");
    let held = project.run(&["config", "versions", "--json"]).expect(0).json();
    let until: jiff::Timestamp = held["probation"]["until"].as_str().unwrap().parse().unwrap();
    let daemon = project.three().daemon.unwrap();
    // It cannot judge while it is frozen, and is dead after that.
    kill(daemon, "STOP");
    wait_until("its time is over", || jiff::Timestamp::now() > until);
    kill(daemon, "KILL");
    assert_eq!(apply.wait(), 0, "{}", apply.output());
    assert!(apply.output().contains("kept: what was well is so"), "{}", apply.output());
    assert_eq!(versions(&project).len(), 2);
}

#[test]
fn a_full_disk_keeps_nothing_from_being_taken_back() {
    let project = up(WELL);
    project.write("mainstay.toml", &at_a_word());
    let mut apply = project.spawn(&["apply", "--watch", "5m"]);
    apply.wait_for("on probation");
    // Neither the list nor what is applied can be replaced.
    for name in [".mainstay/generations/list.json", ".mainstay/applied.json"] {
        fs::remove_file(project.dir.join(name)).unwrap();
        fs::create_dir(project.dir.join(name)).unwrap();
    }
    project.write("end", "");
    assert_eq!(apply.wait(), 1);
    assert!(apply.output().contains("taken back: api failed: exited with 7"), "{}", apply.output());
    let api = project.wait_for_phase("api", "running");
    assert_eq!(api["command"][2], "exec sleep 1000");
    assert_eq!(versions(&project)[1]["current"], true, "it is the generation that it was");
    for name in [".mainstay/generations/list.json", ".mainstay/applied.json"] {
        fs::remove_dir(project.dir.join(name)).unwrap();
    }
}

#[test]
fn what_somebody_stops_on_probation_takes_nothing_back() {
    let project = up(&format!("{WELL}[service.other]\ncommand = \"sleep 1000\"\n"));
    project.write(
        "mainstay.toml",
        &format!("{}[service.other]\ncommand = \"sleep 1000\"\n", WELL.replace("1000", "1001")),
    );
    let mut apply = project.spawn(&["apply", "--watch", "3s"]);
    apply.wait_for("on probation");
    project.run(&["stop", "other"]).expect(0);
    assert_eq!(apply.wait(), 0, "{}", apply.output());
    assert_eq!(project.service("other")["phase"], "stopped");
}

#[test]
fn another_apply_ends_a_probation_and_says_so() {
    let project = up(WELL);
    project.write("mainstay.toml", &WELL.replace("1000", "1001"));
    let mut apply = project.spawn(&["apply", "--watch", "5m"]);
    apply.wait_for("on probation");
    project.write("mainstay.toml", &WELL.replace("1000", "1002"));
    project.run(&["apply"]).expect(0);
    assert_eq!(apply.wait(), 1);
    let text = "ended before its time: generation 3 came";
    assert!(apply.output().contains(text), "{}", apply.output());
    assert_eq!(versions(&project)[1]["verdict"], text);
    // And a way back does as well.
    project.write("mainstay.toml", WELL);
    let mut apply = project.spawn(&["apply", "--watch", "4m"]);
    apply.wait_for("on probation");
    project.run(&["rollback", "2"]).expect(0);
    assert_eq!(apply.wait(), 1);
    assert!(apply.output().contains("generation 5 came"), "{}", apply.output());
    // So does the end of everything.
    project.run(&["apply"]).expect(0);
    project.write("mainstay.toml", &WELL.replace("1000", "1003"));
    let mut apply = project.spawn(&["apply", "--watch", "3m"]);
    apply.wait_for("on probation");
    project.run(&["down"]).expect(0);
    assert_ne!(apply.wait(), 0);
}

#[test]
fn what_was_planned_is_not_done_on_something_else() {
    let project = up(WELL);
    // As the program does it, with somebody who is faster between its plan and its apply.
    let spec = |seconds: &str| {
        let applied: Value = serde_json::from_str(&project.read(".mainstay/applied.json")).unwrap();
        let text = applied["specs"].to_string().replace("sleep 1000", &format!("sleep {seconds}"));
        serde_json::from_str::<Value>(&text).unwrap()
    };
    let applied: Value = serde_json::from_str(&project.read(".mainstay/applied.json")).unwrap();
    let request = |seconds: &str, base: u64| {
        serde_json::json!({
            "request": "apply", "project": applied["project"], "dir": applied["dir"], "files": applied["files"],
            "fingerprint": "x", "specs": spec(seconds), "start": [], "wait": true, "base": base,
        })
    };
    let (first, second, third) = (request("1001", 1), request("1002", 1), request("1001", 1));
    assert_eq!(ask(&project, &first)["generation"], 2);
    let refused = ask(&project, &second);
    assert_eq!(refused["error"]["code"], "conflict");
    assert_eq!(refused["error"]["text"], "somebody applied generation 2 meanwhile; nothing was changed");
    assert!(refused["error"]["help"].as_str().unwrap().contains("plan"), "{refused}");
    assert_eq!(ask(&project, &third)["generation"], 2, "what runs already was not planned in vain");
}

fn ask(project: &Project, request: &Value) -> Value {
    use std::io::{BufRead, BufReader, Write};
    let run = fs::read_link(project.dir.join(".mainstay/run")).unwrap();
    let mut stream = std::os::unix::net::UnixStream::connect(run.join("sock")).unwrap();
    writeln!(stream, "{request}").unwrap();
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).unwrap();
    serde_json::from_str(&line).unwrap()
}

#[test]
fn of_many_at_once_each_is_done_or_refused_and_all_are_generations() {
    let project = up(WELL);
    let files: Vec<String> = (0..6).map(|number| format!("other-{number}.toml")).collect();
    for (number, file) in files.iter().enumerate() {
        project.write(
            file,
            &format!("[mainstay]\nname = \"shop\"\n{}", WELL.replace("1000", &format!("20{number}"))),
        );
    }
    let mut all: Vec<_> =
        files.iter().map(|file| project.spawn(&["-f", file, "--state-dir", ".mainstay", "apply"])).collect();
    let mut done = 0;
    for apply in &mut all {
        match apply.wait() {
            0 => done += 1,
            1 => assert!(apply.output().contains("look at the plan again"), "{}", apply.output()),
            code => panic!("{code}: {}", apply.output()),
        }
    }
    assert!(done >= 1);
    let versions = versions(&project);
    assert_eq!(versions.len(), done + 1, "{versions:?}");
    assert_eq!(versions[0]["current"], true);
}

#[test]
fn generations_are_bounded() {
    let project = up(WELL);
    let socket = |number: usize| {
        let applied: Value = serde_json::from_str(&project.read(".mainstay/applied.json")).unwrap();
        let mut request = serde_json::json!({
            "request": "apply", "project": "shop", "dir": applied["dir"], "files": applied["files"],
            "fingerprint": "x", "specs": applied["specs"], "start": [], "wait": false,
        });
        request["specs"][0]["restart"]["delay_ms"] = (1000 + number).into();
        request
    };
    for number in 0..105 {
        assert_eq!(ask(&project, &socket(number))["ok"], true);
    }
    let versions = versions(&project);
    assert_eq!((versions.len(), versions[0]["number"].as_u64()), (100, Some(106)));
    let kept = fs::read_dir(project.dir.join(".mainstay/generations")).unwrap().count();
    assert_eq!(kept, 101, "a hundred descriptions and their list");
    project.run(&["rollback", "2"]).expect(1).says("there are 7 to 106");
    project.run(&["rollback", "7"]).expect(0);
}

#[test]
fn what_cannot_be_gone_back_from_is_not_applied() {
    let project = up(WELL);
    let list = project.dir.join(".mainstay/generations/list.json");
    let kept = fs::read(&list).unwrap();
    // As a full disk would have it: the list cannot be replaced.
    fs::remove_file(&list).unwrap();
    fs::create_dir(&list).unwrap();
    let pid = project.pid("api");
    project.write("mainstay.toml", &WELL.replace("1000", "1001"));
    let said =
        project.run(&["apply"]).expect(1).says("nothing was changed, because nobody could go back from it");
    assert!(said.err.contains("cannot write `"), "{}", said.err);
    assert_eq!(project.pid("api"), pid);
    fs::remove_dir(&list).unwrap();
    fs::write(&list, kept).unwrap();
    project.run(&["apply"]).expect(0);
    assert_ne!(project.pid("api"), pid);
}
