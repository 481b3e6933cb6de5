//! What the program makes of a daemon's answers; the daemon is made up.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may panic, in the functions around it as well")]

mod fake;

use std::{fs, process::Stdio};

use fake::{Fake, Folder, Said, done, refusal, service, services, settled};
use serde_json::json;

const SHOP: &str = "[service.api]\ncommand = \"sleep 1\"\n[service.db]\ncommand = \"sleep 1\"\n";

/// Two services in these phases, whatever is asked.
fn shop(api: &'static str, db: &'static str) -> (Folder, Fake) {
    let folder = Folder::with(SHOP);
    let fake = Fake::start(&folder, move |request| {
        let (api, db) = (service("api", api, "because so"), service("db", db, "its process runs"));
        match request["service"].as_str() {
            Some("api") => vec![services(&[api])],
            Some("nothing") => vec![refusal("no-such-service", "there is no service `nothing`")],
            _ => vec![services(&[db, api])],
        }
    });
    (folder, fake)
}

#[test]
fn list_is_a_table_or_json_and_tells_of_newer_files() {
    let (folder, fake) = shop("waiting", "running");
    let said = folder
        .run(&["list"])
        .expect(0)
        .err("note: the files differ from what runs: `mainstay plan` shows how, `mainstay apply` or `up` applies them");
    let lines: Vec<&str> = said.out.lines().collect();
    assert!(lines[0].starts_with("NAME  PHASE    STATUS") && lines[0].ends_with("REASON"), "{}", lines[0]);
    assert!(lines[1].starts_with("db    running") && lines[2].starts_with("api   waiting"));
    assert!(folder.run(&["list", "-q"]).expect(0).err.is_empty());
    let narrow = Said::from(folder.command(&["ps"]).env("COLUMNS", "40").output().unwrap()).expect(0);
    assert!(narrow.out.lines().all(|line| line.chars().count() <= 40), "{}", narrow.out);

    let said = folder.run(&["list", "--json"]).expect(0);
    let list = said.json();
    assert_eq!(list["schema_version"], 1);
    assert_eq!(list["services"][1]["reason"], json!({ "code": "some-code", "text": "because so" }));
    assert_eq!(list["services"][0]["exit"], json!(null));
    assert!(fake.seen().iter().all(|request| *request == json!({ "request": "list" })));

    folder.write("mainstay.toml", "[service.api");
    folder.run(&["list"]).expect(0).err("have problems");
}

#[test]
fn status_of_a_service_is_its_exit_code() {
    let rows = [
        ("running", 0),
        ("stopped", 3),
        ("completed", 3),
        ("starting", 150),
        ("waiting", 150),
        ("stopping", 0),
        ("failed", 152),
    ];
    for (phase, code) in rows {
        let (folder, _fake) = shop(phase, "running");
        folder
            .run(&["status", "api"])
            .expect(code)
            .out(&format!("api {phase}\n"))
            .out("because so (some-code)");
        let said = folder.run(&["status", "api", "--json"]).expect(code).json();
        assert_eq!((&said["phase"], &said["schema_version"]), (&json!(phase), &json!(1)));
        folder.run(&["status", "all"]).expect(code);
    }
    let (folder, _fake) = shop("failed", "running");
    folder
        .run(&["status", "nothing"])
        .expect(5)
        .err("there is no service `nothing`")
        .err("help: do otherwise");
    folder.run(&["status"]).expect(0).out("shop: 1 failed, 1 running\n").out("NAME");
    let said = folder.run(&["status", "--json"]).expect(0).json();
    assert_eq!((&said["project"], said["services"].as_array().unwrap().len()), (&json!("shop"), 2));
}

#[test]
fn what_was_asked_for_and_did_not_come_about_is_a_failure() {
    let folder = Folder::with(SHOP);
    let _fake =
        Fake::start(&folder, |request| match (request["request"].as_str(), request["act"].as_str()) {
            (Some("list"), _) => vec![services(&[])],
            (_, Some("start")) => vec![done(&[
                settled("db", false, "done", "running", "its process runs"),
                settled("api", true, "failed", "failed", "cannot start: `./api` does not exist"),
            ])],
            (_, Some("stop")) => vec![done(&[
                settled("api", false, "done", "stopped", "stopped on request"),
                settled("db", true, "done", "stopped", "stopped on request"),
            ])],
            (_, Some("restart")) => {
                vec![done(&[settled("api", true, "pending", "starting", "not ready yet")])]
            }
            _ => vec![refusal("going-down", "the project is being stopped")],
        });
    let said = folder.run(&["start", "api"]).expect(1);
    let said = said.err("error: api failed: cannot start: `./api` does not exist").err("mainstay status api");
    assert_eq!(
        said.out,
        "db   running  its process runs\napi  failed   cannot start: `./api` does not exist\n\
         started too, because what was named depends on them: db\n"
    );
    folder.run(&["stop", "db"]).expect(0).out("stopped too, because they depend on what was named: api\n");
    folder
        .run(&["restart", "--no-wait", "api"])
        .expect(0)
        .out("api  starting  not ready yet\n")
        .err("`mainstay apply` or `up`");
    folder
        .run(&["kill", "api"])
        .expect(1)
        .err("error: the project is being stopped")
        .err("help: do otherwise");
    let said = folder.run(&["start", "api", "--json"]).expect(1).json();
    assert_eq!(said["services"][1]["state"], "failed");
    let quiet = folder.run(&["stop", "db", "-q"]).expect(0);
    assert_eq!((quiet.out, quiet.err), (String::new(), String::new()));
}

#[test]
fn requests_say_what_the_command_line_said() {
    let folder = Folder::with(SHOP);
    let fake = Fake::start(&folder, |_| vec![done(&[])]);
    folder.run(&["stop", "api", "wor*", "--no-wait"]).expect(0);
    folder.run(&["up", "-d", "api"]).expect(0);
    let seen = fake.seen();
    assert_eq!(
        seen[0],
        json!({ "request": "act", "act": "stop", "services": ["api", "wor*"], "wait": false })
    );
    // Before anything is asked for, what comes of it is followed.
    assert_eq!(seen[1], json!({ "request": "follow" }));
    let up = &seen[2];
    assert_eq!(
        (&up["request"], &up["project"], &up["wait"]),
        (&json!("apply"), &json!("shop"), &json!(true))
    );
    assert_eq!((&up["start"], up["specs"].as_array().unwrap().len()), (&json!(["api"]), 2));
    assert_eq!(up["files"], json!([folder.dir.join("mainstay.toml")]));
    folder.run(&["up", "-d", "nothing"]).expect(5).err("there is no service `nothing`");
    assert_eq!(fake.seen().len(), 3);
    folder.run(&["start", "api", "--timeout", "5s"]).expect(0);
    assert_eq!(
        fake.seen()[3],
        json!({ "request": "act", "act": "start", "services": ["api"], "wait": true, "within_ms": 5000 })
    );
}

#[test]
fn run_of_one_that_runs_is_refused() {
    let (folder, _fake) = shop("running", "running");
    folder.run(&["run", "api"]).expect(1).err("api runs already (pid 4242)").err("mainstay stop api");
    let (folder, _fake) = shop("stopped", "running");
    folder.write("mainstay.toml", "[service.api]\ncommand = \"true\"\n");
    folder.run(&["run", "api"]).expect(0);
}

#[test]
fn a_daemon_that_does_not_answer_is_given_up_on() {
    let folder = Folder::with(SHOP);
    let _fake = Fake::start(&folder, |_| Vec::new());
    for arguments in [&["list"][..], &["start", "api"], &["up", "-d"], &["down"]] {
        let mut arguments = arguments.to_vec();
        arguments.extend(["--timeout", "100ms"]);
        folder.run(&arguments).expect(124).err("no answer from the daemon within 100 ms").err("--timeout");
    }
}

#[test]
fn nonsense_is_a_defect_and_a_dead_socket_is_no_daemon() {
    let folder = Folder::with(SHOP);
    let fake = Fake::start(&folder, |_| vec!["hello".to_owned()]);
    folder.run(&["list"]).expect(70).err("makes no sense");
    fs::remove_file(&fake.socket).unwrap();
    drop(std::os::unix::net::UnixListener::bind(&fake.socket).unwrap());
    folder.run(&["list"]).expect(69).err("nobody listens on the socket").err("`mainstay up` starts it");
}

#[test]
fn up_follows_lines_and_changes_until_nobody_reads() {
    let folder = Folder::with(SHOP);
    folder.write(".mainstay/logs/api/current", "old\n");
    let log = folder.dir.join(".mainstay/logs/api/current");
    let _fake = Fake::start(&folder, move |request| match request["request"].as_str() {
        Some("follow") => {
            let event = json!({
                "ok": true, "answer": "event", "time": "2026-11-21T12:00:00Z", "from": "running",
                "service": service("db", "failed", "gave up after 10 restarts: exited with 1"),
            });
            vec![services(&[service("api", "running", "its process runs")]), event.to_string()]
        }
        Some("apply") => {
            let mut file = fs::OpenOptions::new().append(true).open(&log).unwrap();
            std::io::Write::write_all(&mut file, b"new\n").unwrap();
            vec![done(&[])]
        }
        _ => vec![json!({ "ok": true, "answer": "down" }).to_string()],
    });
    let mut child = folder.command(&["up"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = std::io::BufReader::new(child.stdout.take().unwrap());
    let mut seen = Vec::new();
    while seen.len() < 3 {
        let mut line = String::new();
        assert!(std::io::BufRead::read_line(&mut lines, &mut line).unwrap() > 0, "it ended after {seen:?}");
        seen.push(line);
    }
    seen.sort();
    assert_eq!(
        seen,
        [
            "api      | new\n",
            "mainstay | api running (pid 4242)\n",
            "mainstay | db failed: gave up after 10 restarts: exited with 1\n"
        ]
    );
    rustix::process::kill_process(rustix::process::Pid::from_child(&child), rustix::process::Signal::HUP)
        .unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
}
