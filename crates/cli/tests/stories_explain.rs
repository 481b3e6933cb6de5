//! Why: sentences about real processes, word by word.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "what a story needs and does not get has failed it"
)]

mod story;

use std::{fs, os::unix::fs::PermissionsExt, process::Command};

use regex::Regex;
use story::{Project, Said, free_port, wait_until};

/// Times, processes and who one is differ from one telling to the next.
fn told(text: &str) -> String {
    let user = Command::new("id").arg("-un").output().unwrap();
    let user = String::from_utf8_lossy(&user.stdout).trim().to_owned();
    let text = text.replace(&format!("by {user} (pid "), "by ME (pid ");
    let text = text.replace(&format!("because {user} (pid "), "because ME (pid ");
    let replace = |pattern: &str, with: &str, text: String| {
        Regex::new(pattern).unwrap().replace_all(&text, with).into_owned()
    };
    let text = replace(r"\d\d:\d\d", "T", text);
    let text = replace(r"pid \d+", "pid P", text);
    let text = replace(r"between T and T", "at T", text);
    replace(r"\b(in|has|after) (\d+ (ms|s|min|h) ?)+", "$1 D ", text).trim_end().replace(" D ;", " D;")
}

fn explain(project: &Project, id: &str) -> String {
    let said = project.run(&["explain", id]);
    told(said.out.lines().next().unwrap_or_default())
}

#[track_caller]
fn says(project: &Project, id: &str, sentence: &str) {
    let mut last = String::new();
    wait_until(&format!("{id} is explained by `{sentence}`; the last was in the line above"), || {
        last = explain(project, id);
        if last != sentence {
            eprintln!("{last}");
        }
        last == sentence
    });
}

/// The commands to try.
fn tries(project: &Project, id: &str) -> Vec<String> {
    let said = project.run(&["explain", id, "--json"]).expect(0).json();
    let tries = said["try"].as_array().unwrap().iter();
    tries.map(|one| one["command"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_change_that_broke_what_another_waits_for() {
    let file = |program: &str| {
        format!(
            "[service.db]\ncommand = \"{program}\"\nready = {{ after = \"100ms\" }}\n\
             restart = {{ delay = \"10ms\", factor = 100, max_delay = \"1h\" }}\n\
             [service.api]\ncommand = \"sleep 1000\"\ndepends_on = [\"db\"]\nenv = {{ FOR = \"{program}\" }}\n"
        )
    };
    let project = Project::new(&file("sleep 1000"));
    project.up().expect(0);
    says(&project, "api", "api has been running since T");
    project.write("mainstay.toml", &file("false"));
    let said = project.run(&["explain", "api"]).expect(0);
    said.says("the files differ from what runs");
    project.run(&["up", "-d", "--timeout", "3s"]);
    says(
        &project,
        "api",
        "api is waiting for db, which failed 3 times with exit 1 since T after generation 2 changed db.command; next \
         try in D",
    );
    assert_eq!(
        tries(&project, "api"),
        ["mainstay logs db -n 50", "mainstay start db", "mainstay rollback 1"]
    );
    let said = project.run(&["explain", "api"]).expect(0);
    let lines: Vec<String> = said.out.lines().map(told).collect();
    let user =
        project.run(&["explain", "db", "--json"]).json()["chain"][2]["text"].as_str().unwrap().to_owned();
    assert!(user.starts_with("generation 2 changed db.command, applied by "), "{user}");
    assert_eq!(lines[2], "  T  api waiting for db to be ready");
    assert!(lines[3].starts_with("  T    db waiting: exited with 1; restart 3 of 10 in"), "{}", lines[3]);
    assert_eq!(lines[4], "  T      3 failures in a row, the last one at T");
    assert!(lines[7].starts_with("next: db is started again in"), "{lines:?}");
    says(
        &project,
        "db",
        "db failed 3 times with exit 1 since T after generation 2 changed db.command; next try in D",
    );
    // A new daemon knows it as well.
    let daemon = project.three().daemon.unwrap();
    story::kill(daemon, "KILL");
    wait_until("another daemon is there", || project.three().daemon.is_some_and(|pid| pid != daemon));
    says(
        &project,
        "api",
        "api is waiting for db, which failed 3 times with exit 1 since T after generation 2 changed db.command; next \
         try in D",
    );
}

#[test]
fn one_that_came_back() {
    let project = Project::new("[service.api]\ncommand = \"./api\"\nrestart = { delay = \"10ms\" }\n");
    project.script("api", "[ -e there ] && exec sleep 1000\ntouch there\nexit 3");
    project.up();
    says(
        &project,
        "api",
        "api has been running since T; it was restarted once, at T, because it exited with 3",
    );
}

#[test]
fn one_that_is_not_ready() {
    let port = free_port();
    let project = Project::new(&format!(
        "[service.db]\ncommand = \"sleep 1000\"\nready = {{ tcp = \"127.0.0.1:{port}\", timeout = \"5m\" }}\n\
         [service.api]\ncommand = \"sleep 1000\"\ndepends_on = [\"db\"]\n\
         [service.web]\ncommand = \"sleep 1000\"\ndepends_on = [\"api\"]\n",
    ));
    wait_until("its daemon is there", || {
        project.run(&["up", "-d", "--timeout", "300ms"]);
        project.run(&["list"]).code == 0
    });
    let is = format!("has been starting since T and is not ready: tcp 127.0.0.1:{port} refused");
    says(&project, "db", &format!("db {is}; it has D left for that"));
    says(
        &project,
        "web",
        &format!("web is waiting for api, which is waiting for db, which {is}; db has D left for that"),
    );
}

#[test]
fn a_oneshot_that_failed_blocks_those_behind_it() {
    let project = Project::new(
        "[service.migrate]\nkind = \"oneshot\"\ncommand = \"sh -c 'exit 4'\"\n\
         [service.seed]\nkind = \"oneshot\"\ncommand = \"true\"\n\
         [service.api]\ncommand = \"sleep 1000\"\ndepends_on = { seed = \"completed\", migrate = \"completed\" }\n",
    );
    project.up().expect(1);
    says(
        &project,
        "api",
        "api is waiting for migrate, which failed with exit 4 at T and is not restarted because its restart policy is \
         never; nothing starts migrate by itself",
    );
    assert_eq!(tries(&project, "api"), ["mainstay logs migrate -n 50", "mainstay start migrate"]);
    says(&project, "seed", "seed completed with exit 0 at T after D");
}

#[test]
fn programs_and_users_that_are_not_there() {
    let project = Project::new(
        "[service.api]\ncommand = \"./nothing\"\nrestart = { delay = \"10ms\", attempts = 2 }\n\
         [service.web]\ncommand = \"sleep 1000\"\nuser = \"nobody-is-called-that\"\nrestart = { policy = \"never\" }\n",
    );
    project.up().expect(1);
    let sentence = explain(&project, "api");
    let head = "api could not be started 3 times at T and was given up after 2 restarts: ";
    assert!(sentence.starts_with(head) && sentence.contains("nothing"), "{sentence}");
    assert_eq!(tries(&project, "api"), ["mainstay config explain service.api.command", "mainstay start api"]);
    project.run(&["config", "explain", "service.api.command"]).expect(0);
    let sentence = explain(&project, "web");
    let head = "web could not be started at T and is not restarted because its restart policy is never: ";
    assert!(sentence.starts_with(head) && sentence.contains("nobody-is-called-that"), "{sentence}");
}

#[test]
fn stopped_killed_and_paused_by_whom() {
    let project = Project::new(
        "[service.db]\ncommand = \"sleep 1000\"\n[service.api]\ncommand = \"sleep 1000\"\ndepends_on = [\"db\"]\n\
         [service.other]\ncommand = \"sleep 1000\"\n",
    );
    project.run(&["up", "-d", "db", "api"]).expect(0);
    says(&project, "other", "other is stopped because nobody has started it");
    project.run(&["stop", "db"]).expect(0);
    says(&project, "db", "db was stopped by ME (pid P) at T");
    says(&project, "api", "api was stopped at T because ME (pid P) stopped db, which it needs");
    assert_eq!(tries(&project, "api"), ["mainstay start api"]);
    project.run(&["start", "api"]).expect(0);
    project.run(&["kill", "a*"]).expect(0);
    says(&project, "api", "api was killed by ME (pid P) at T");
    project.run(&["pause", "db"]).expect(0);
    says(&project, "db", "db was paused by ME (pid P) at T");
    assert_eq!(tries(&project, "db"), ["mainstay resume db"]);
}

#[test]
fn one_that_is_still_needed() {
    let project = Project::new(
        "[service.db]\ncommand = \"sleep 1000\"\n\
         [service.api]\ncommand = \"./api\"\ndepends_on = [\"db\"]\nstop = { timeout = \"5m\" }\nready = { log = \"here\" }\n",
    );
    project.script("api", "trap '' TERM\necho here\nwhile true; do sleep 0.1; done");
    project.up().expect(0);
    project.run(&["stop", "db", "--no-wait"]).expect(0);
    says(
        &project,
        "db",
        "db was asked to stop by ME (pid P) at T and goes on until api, which needs it, has ended",
    );
    says(
        &project,
        "api",
        "api is being stopped since T because ME (pid P) stopped db, which it needs; what is left of it is killed in D",
    );
    project.run(&["kill", "api"]).expect(0);
    says(&project, "db", "db was stopped by ME (pid P) at T");
}

#[test]
fn unhealthy_and_then_given_up() {
    let project = Project::new(
        "[service.api]\ncommand = \"sleep 1000\"\nrestart = { attempts = 0 }\n\
         health = { exec = [\"test\", \"-e\", \"well\"], interval = \"100ms\", failures = 2 }\n",
    );
    project.write("well", "");
    project.up().expect(0);
    says(&project, "api", "api has been running since T");
    fs::remove_file(project.dir.join("well")).unwrap();
    project.wait_for_phase("api", "failed");
    says(
        &project,
        "api",
        "api failed at T and is allowed no restart: its health check failed twice in a row: `test -e well` exited with 1",
    );
    assert_eq!(
        tries(&project, "api"),
        ["mainstay logs api -n 50", "mainstay config explain service.api.health", "mainstay start api"]
    );
}

#[test]
fn a_hook_that_fails() {
    let project = Project::new(
        "[service.api]\ncommand = \"sleep 1000\"\nrestart = { delay = \"1h\", max_delay = \"1h\" }\n\
         hooks = { before_start = \"false\" }\n",
    );
    project.run(&["up", "-d", "--timeout", "1s"]);
    says(&project, "api", "api failed at T: its before_start hook exited with 1; next try in D");
}

#[test]
fn when_nobody_is_there_to_ask() {
    let project = Project::new("[service.api]\ncommand = \"sleep 1000\"\n");
    let never = project.run(&["explain", "api"]).expect(69);
    let known = "api is down because no daemon runs, and nothing is known of what it did before";
    assert_eq!(never.out.lines().next(), Some(known));
    project.run(&["explain", "nothing"]).expect(5).says("there is no service `nothing`");
    project.write("mainstay.toml", "[service.api]\ncomand = \"sleep 1000\"\n");
    project.run(&["explain", "api"]).expect(6).says("comand");
    project.write("mainstay.toml", "[service.api]\ncommand = \"sleep 1000\"\n");
    project.up().expect(0);
    project.run(&["explain", "nothing"]).expect(5).says("there are: api");
    project.run(&["down"]).expect(0);
    let said =
        project.run(&["explain", "api"]).expect(69).says("no daemon runs; this is what was last known");
    assert_eq!(
        told(said.out.lines().next().unwrap()),
        "api is down because ME (pid P) brought the project down at T, and no daemon runs since"
    );
    let json = project.run(&["explain", "api", "--json"]).expect(69).json();
    assert_eq!((&json["service"], &json["try"][0]["command"]), (&"api".into(), &"mainstay up".into()));
}

#[test]
fn times_are_those_of_whoever_reads() {
    let project =
        Project::new("[service.api]\ncommand = \"sleep 1000\"\n[service.db]\ncommand = \"sleep 1000\"\n");
    project.up().expect(0);
    let at = |zone: &str| -> Said {
        project.command(&["explain", "api"]).env("TZ", zone).output().unwrap().into()
    };
    let since = project.service("api")["since"].as_str().unwrap()[11..16].to_owned();
    for zone in ["UTC", "UTC0"] {
        at(zone).expect(0).says(&format!("api has been running since {since}\n"));
    }
    // Neither a whole number of hours nor a zone with a name.
    let minutes =
        |text: &str| -> u32 { text[..2].parse::<u32>().unwrap() * 60 + text[3..].parse::<u32>().unwrap() };
    let there = (minutes(&since) + 330) % 1440;
    let there = format!("{:02}:{:02}", there / 60, there % 60);
    for zone in ["Asia/Kolkata", "XYZ-5:30"] {
        let said = at(zone).expect(0);
        assert!(said.out.contains(&there), "{zone}: {there} in {}", said.out);
    }
    let both = project.run(&["explain", "all", "--json"]).expect(0).json();
    assert_eq!(both["services"].as_array().unwrap().len(), 2);
}

#[test]
fn without_any_history_what_is_known_is_said() {
    let project = Project::new(
        "[service.api]\ncommand = \"false\"\nrestart = { delay = \"100ms\", factor = 1000, max_delay = \"1h\" }\n",
    );
    fs::create_dir_all(project.dir.join(".mainstay/history.db")).unwrap();
    fs::set_permissions(project.dir.join(".mainstay"), fs::Permissions::from_mode(0o700)).unwrap();
    let unread = project.run(&["explain", "api"]).expect(69).says("cannot open");
    assert!(
        unread.out.starts_with("api is down because no daemon runs, and nothing is known"),
        "{}",
        unread.out
    );
    project.run(&["up", "-d", "--timeout", "500ms"]);
    wait_until("it runs", || project.run(&["list"]).code == 0);
    says(&project, "api", "api failed twice with exit 1; next try in D");
}

#[test]
fn status_is_a_screen_of_all_that_is_known() {
    let project = Project::new(
        "[service.db]\ncommand = \"sleep 1000\"\n\
         [service.api]\ncommand = \"./api\"\ndepends_on = [\"db\"]\nrestart = { delay = \"10ms\" }\n",
    );
    project.script("api", "echo hello\n[ -e there ] && exec sleep 1000\ntouch there\nexit 3");
    project.up();
    project.wait_for_text(".mainstay/logs/api/current", "hello\nhello");
    wait_until("it runs", || project.service("api")["phase"] == "running");
    let screen = |locale: &str, columns: &str| -> Said {
        let mut command = project.command(&["status", "api"]);
        command.env("LC_ALL", locale).env("COLUMNS", columns).output().unwrap().into()
    };
    let said = screen("C.UTF-8", "80").expect(0);
    let lines: Vec<String> = said.out.lines().map(told).collect();
    assert_eq!(lines[0], "● api running");
    assert!(lines[1].starts_with("  permanent, running since "), "{}", lines[1]);
    let has = |text: &str| assert!(lines.iter().any(|line| line == text), "{text} in {lines:#?}");
    has("  reason      its process runs (running)");
    has("  next        nothing is about to change");
    has("  depends on  db (ready) running");
    has("  generation  1");
    has("  run         2, 1 restart");
    assert!(said.out.contains("  seen        ·█▂█ since "), "{}", said.out);
    assert!(Regex::new(r"\n  \d\d:\d\d:\d\d \| hello\n").unwrap().is_match(&said.out), "{}", said.out);
    assert!(said.out.lines().all(|line| line.chars().count() <= 80), "{}", said.out);
    let plain = screen("C", "80").expect(0);
    assert!(plain.out.starts_with("* api running\n"), "{}", plain.out);
    assert!(plain.out.is_ascii(), "{}", plain.out);
    let json = project.run(&["status", "api", "--json"]).expect(0).json();
    assert_eq!(json["details"]["needs"][0]["id"], "db");
    assert_eq!((&json["generation"], &json["details"]["needs"][0]["met"]), (&1.into(), &true.into()));
    assert!(
        json["explanation"]["sentence"].as_str().unwrap().starts_with("api has been running since"),
        "{json}"
    );
    assert_eq!(json["log"], serde_json::json!(["hello", "hello"]));
}
