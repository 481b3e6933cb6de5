//! Acts beyond start and stop: pause, reload, signal, rolling restarts, scale, waits, and restarts for changed files.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "what a story needs and does not get has failed it"
)]

mod story;

use std::fs;

use story::{Project, is_alive, kill, wait_until};

/// The letter of a process's state (`proc_pid_stat(5)`): `T` is stopped.
fn state(pid: u32) -> String {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let rest = stat.rsplit(')').next().unwrap_or_default();
    rest.split_whitespace().next().unwrap_or_default().to_owned()
}

fn replace_daemon(project: &Project) {
    let daemon = project.three().daemon.unwrap();
    kill(daemon, "KILL");
    wait_until("another daemon answers", || {
        project.three().daemon.is_some_and(|pid| pid != daemon) && project.run(&["list"]).code == 0
    });
}

#[test]
fn a_paused_service_stands_still_with_its_helpers_and_goes_on() {
    let project = Project::new(
        "[service.api]\ncommand = \"sh -c 'sleep 1000 & echo $! > helper; wait'\"\n\
         health = { exec = \"true\", interval = \"50ms\" }\n[service.db]\ncommand = \"sleep 1000\"\n",
    );
    project.up().expect(0);
    project.wait_for_text("helper", "\n");
    let (main, helper) = (project.pid("api"), project.read("helper").trim().parse::<u32>().unwrap());
    project.run(&["pause", "api"]).expect(0).says("paused on request");
    for pid in [main, helper] {
        wait_until("it stands still", || state(pid) == "T");
    }
    let service = project.service("api");
    assert_eq!((&service["phase"], &service["ready"]), (&"paused".into(), &false.into()));
    project.run(&["status", "api"]).expect(153).says("paused");
    project.run(&["is-active", "api"]).expect(1).says("paused");
    assert_eq!(state(project.pid("db")), "S");
    // A daemon that comes later knows it.
    replace_daemon(&project);
    assert_eq!(project.service("api")["phase"], "paused");
    project.run(&["resume", "api"]).expect(0).says("running");
    for pid in [main, helper] {
        wait_until("it goes on", || state(pid) == "S");
    }
    assert_eq!(project.pid("api"), main);
    // A stop lets it go on first, so that it can end by itself.
    project.run(&["pause", "api"]).expect(0);
    project.run(&["stop", "api"]).expect(0);
    assert_eq!(project.service("api")["exit"]["signal"], "TERM");
    project.run(&["pause", "api"]).expect(1).says("api is stopped: stopped on request");
    project.run(&["resume", "api"]).expect(1);
}

#[test]
fn a_reload_is_a_signal_or_a_command_or_said_to_be_impossible() {
    let project = Project::new(
        r#"
[service.signal]
command = "sh -c 'trap \"echo reloaded >> signals\" HUP; touch trapped; while :; do sleep 0.02; done'"
ready = { exec = "test -e trapped" }
reload = "HUP"

[service.command]
command = "sleep 1000"
reload = { exec = "sh -c 'test -e good || exit 7; echo $MAINSTAY_HOOK $MAINSTAY_MAIN_PID >> reloads'" }

[service.hangs]
command = "sleep 1000"
reload = { exec = "sleep 1000", timeout = "300ms" }

[service.plain]
command = "sleep 1000"
"#,
    );
    project.up().expect(0);
    let pid = project.pid("signal");
    project.run(&["reload", "signal"]).expect(0);
    project.wait_for_text("signals", "reloaded\n");
    project
        .run(&["reload", "command"])
        .expect(1)
        .says("command was not reloaded: its reload hook exited with 7");
    project.write("good", "");
    project.run(&["reload", "command"]).expect(0).says("running");
    assert_eq!(project.read("reloads"), format!("reload {}\n", project.pid("command")));
    project
        .run(&["reload", "hangs"])
        .expect(1)
        .says("hangs was not reloaded: its reload hook was ended by signal KILL after 300 ms");
    project.run(&["reload", "plain"]).expect(1).says("plain was not reloaded: it has no `reload`");
    project.run(&["stop", "signal"]).expect(0);
    project.run(&["reload", "signal"]).expect(1).says("signal is stopped: stopped on request");
    assert!(!is_alive(pid));
}

#[test]
fn a_signal_is_for_the_main_process_alone() {
    let project = Project::new(
        "[service.api]\ncommand = \"./api\"\nready = { exec = \"test -e trapped\" }\n[service.db]\ncommand = \"sleep 1000\"\n",
    );
    project.script(
        "api",
        "sh -c 'trap \"echo helper >> got\" USR1; while :; do sleep 0.02; done' &\ntrap 'echo main >> got' USR1\n\
         touch trapped\nwhile :; do sleep 0.02; done",
    );
    project.up().expect(0);
    project.run(&["signal", "SIGUSR1", "api"]).expect(0);
    project.wait_for_text("got", "main\n");
    assert_eq!(project.read("got"), "main\n");
    project.run(&["signal", "NOSUCH", "api"]).expect(2).says("no such signal");
    project.run(&["signal", "HUP", "nobody"]).expect(5);
    project.run(&["stop", "db"]).expect(0);
    project.run(&["signal", "HUP", "db"]).expect(1).says("db is stopped");
    // One that ends by it has ended by itself.
    let pid = project.pid("api");
    project.run(&["signal", "KILL", "api"]).expect(0);
    wait_until("it was restarted", || {
        let api = project.service("api");
        api["restarts"] == 1 && api["pid"].as_u64().is_some_and(|other| other != u64::from(pid))
    });
}

const ROLLING: &str = r#"
[service.api]
command = ["sh", "-c", "echo + {instance} >> order; test -e bad && exit 9; trap 'echo - {instance} >> order; exit 0' TERM; sleep 0.2; touch up{instance}; while :; do sleep 0.02; done"]
instances = 3
restart = "never"
ready = { exec = "test -e up{instance}" }
hooks = { after_stop = "rm -f up{instance}" }
"#;

#[test]
fn a_rolling_restart_takes_one_after_the_other() {
    for (toml, words) in [
        (ROLLING.to_owned(), ["restart", "--rolling", "api"].as_slice()),
        (format!("{ROLLING}rolling = true\n"), ["restart", "api"].as_slice()),
    ] {
        let project = Project::new(&toml);
        project.up().expect(0);
        project.write("order", "");
        project.run(words).expect(0);
        assert_eq!(project.read("order"), "- 1\n+ 1\n- 2\n+ 2\n- 3\n+ 3\n");
        let pids = [2, 3].map(|number| project.pid(&format!("api@{number}")));
        project.write("bad", "");
        project.run(words).expect(1).says("api@1");
        assert_eq!(project.service("api@1")["phase"], "failed");
        assert_eq!([2, 3].map(|number| project.pid(&format!("api@{number}"))), pids, "the others are left");
    }
}

#[test]
fn a_failure_is_forgotten_on_request() {
    let project = Project::new(
        "[service.bad]\ncommand = \"sh -c 'exit 3'\"\nrestart = { delay = \"10ms\", attempts = 1 }\n\
         [service.good]\ncommand = \"sleep 1000\"\n",
    );
    project.up();
    project.wait_for_phase("bad", "failed");
    project.run(&["is-failed", "bad"]).expect(0).says("failed");
    project.run(&["is-failed", "good", "bad"]).expect(0);
    let good = project.pid("good");
    project.run(&["reset-failed"]).expect(0).says("its failure was reset on request");
    project.run(&["is-failed", "bad"]).expect(1).says("stopped");
    assert_eq!(project.service("bad")["restarts"], 0);
    assert_eq!(project.pid("good"), good);
    replace_daemon(&project);
    assert_eq!(project.service("bad")["phase"], "stopped", "it stays so");
}

#[test]
fn waits_end_when_it_is_so_cannot_be_or_takes_too_long() {
    let project = Project::new(
        r#"
[service.slow]
command = "sleep 1000"
ready = { exec = "test -e ready" }

[service.job]
kind = "oneshot"
command = "sh -c 'while ! test -e done; do sleep 0.02; done'"

[service.well]
command = "sleep 1000"
health = { exec = "test -e well", interval = "50ms", failures = 1000, start_period = "0s" }

[service.bad]
command = "sh -c 'exit 4'"
restart = "never"
"#,
    );
    project.run(&["up", "-d", "--timeout", "1s"]).expect(124);
    let late = ["wait", "slow", "--timeout", "300ms"];
    project
        .run(&late)
        .expect(124)
        .says("timed out: after 300 ms, 1 of 1 did not get there")
        .says("slow starting");
    project
        .run(&["wait", "bad", "--for", "ready"])
        .expect(1)
        .says("bad failed: exited with 4; it is not restarted");
    project.run(&["wait", "slow", "--for", "stopped"]).expect(1).says("slow is starting");
    project
        .run(&["wait", "slow", "--for", "completed"])
        .expect(1)
        .says("it is permanent, and only a oneshot completes");
    project.run(&["wait", "nobody"]).expect(5);
    let waits = [("slow", "ready", "ready"), ("job", "completed", "done"), ("well", "healthy", "well")];
    for (service, state, file) in waits {
        let mut wait = project.spawn(&["wait", service, "--for", state]);
        // It is there, and waits.
        std::thread::sleep(std::time::Duration::from_millis(100));
        assert!(wait.child.try_wait().unwrap().is_none(), "{service}: {}", wait.output());
        project.write(file, "");
        assert_eq!(wait.wait(), 0, "{service}: {}", wait.output());
    }
    let mut wait = project.spawn(&["wait", "slow", "job", "--for", "stopped", "--json"]);
    assert_eq!(wait.wait(), 1);
    project.run(&["stop", "slow"]).expect(0);
    project.run(&["wait", "slow", "job", "--for", "stopped"]).expect(0);
    project.run(&["down"]).expect(0);
    project.run(&["wait", "slow"]).expect(69);
}

#[test]
fn one_word_and_a_code_for_scripts() {
    let project = Project::new(
        "[service.api]\ncommand = \"sleep 1000\"\n[service.slow]\ncommand = \"sleep 1000\"\nready = { exec = \"false\" }\n\
         [service.job]\nkind = \"oneshot\"\ncommand = \"true\"\n",
    );
    let said = project.run(&["is-active", "api"]).expect(1);
    assert_eq!((said.out.as_str(), said.err.as_str()), ("stopped\n", ""));
    project.run(&["is-active", "nobody"]).expect(5).says("there is no service `nobody`");
    project.run(&["up", "-d", "--timeout", "1s"]).expect(124);
    let rows = [
        (["is-active", "api"], 0, "running\n"),
        (["is-active", "slow"], 1, "starting\n"),
        (["is-ready", "api"], 0, "ready\n"),
        (["is-ready", "slow"], 1, "starting\n"),
        (["is-ready", "job"], 0, "ready\n"),
        (["is-active", "job"], 1, "completed\n"),
        (["is-failed", "api"], 1, "running\n"),
    ];
    for (words, code, out) in rows {
        assert_eq!(project.run(&words).expect(code).out, out, "{words:?}");
    }
    assert_eq!(project.run(&["is-active", "-q", "api"]).expect(0).out, "");
    let json = project.run(&["is-active", "api", "slow", "--json"]).expect(1).json();
    assert_eq!((&json["answer"], &json["services"][1]["state"]), (&false.into(), &"starting".into()));
}

#[test]
fn scale_adds_and_takes_away_the_highest_numbers() {
    let project = Project::new(
        "[service.api]\ncommand = \"sh -c 'echo {instance}; exec sleep 1000'\"\ninstances = 2\n\
         [service.web]\ncommand = \"sleep 1000\"\n",
    );
    project.up().expect(0);
    let (first, web) = (project.pid("api@1"), project.pid("web"));
    project
        .run(&["scale", "api", "4"])
        .expect(0)
        .says("note: `mainstay up` sets it back to 2, as the files say");
    assert_eq!(project.service("api@4")["phase"], "running");
    assert_eq!((project.pid("api@1"), project.pid("web")), (first, web));
    project.run(&["list"]).expect(0);
    // Another one scaled leaves this one as it is.
    project.run(&["scale", "web", "2"]).expect(0);
    assert_eq!(project.service("api@4")["phase"], "running");
    assert_eq!(project.service("web@2")["phase"], "running");
    let fourth = project.pid("api@4");
    project.run(&["scale", "api", "1"]).expect(0).says("scaled to 1");
    assert!(!is_alive(fourth));
    assert_eq!(project.service("api")["phase"], "running");
    project.run(&["scale", "nobody", "2"]).expect(5);
    project.run(&["scale", "api", "0"]).expect(2).says("expected a number from 1 to 1000");
    project.run(&["scale", "api", "100000"]).expect(6);
    let plan =
        project.run(&["plan"]).expect(0).says("`scale` had taken it away").says("`scale` had added it");
    assert!(!plan.out.contains("it is new"), "{}", plan.out);
    project.up().expect(0);
    assert_eq!(project.service("api@2")["phase"], "running");
    assert_eq!(project.service("web")["phase"], "running");
    project.write("mainstay.toml", &format!("{}\n", project.read("mainstay.toml")));
    project.run(&["scale", "api", "3"]).expect(1).says("the files differ from what runs");
}

#[test]
fn a_changed_file_restarts_what_watches_it() {
    let project = Project::new(
        r#"
[service.api]
command = "sleep 1000"
watch = ["src/**", "*.conf"]

[service.stopped]
command = "sleep 1000"
watch = "src/**"

[service.build]
kind = "oneshot"
command = "sh -c 'echo built >> builds'"
watch = ["src/*.in"]
"#,
    );
    fs::create_dir(project.dir.join("src")).unwrap();
    project.up().expect(0);
    project.run(&["stop", "stopped"]).expect(0);
    let mut pid = project.pid("api");
    let log = ".mainstay/logs/@daemon/current";
    for (file, because) in [
        ("src/main.rs", "src/main.rs changed"),
        ("api.conf", "api.conf changed"),
        // A folder that was not there.
        ("src/deep/er/x.rs", "src/deep/er/x.rs changed"),
    ] {
        let path = project.dir.join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "x").unwrap();
        project.wait_for_text(log, because);
        wait_until("it is another process", || {
            let service = project.service("api");
            service["phase"] == "running" && service["pid"].as_u64() != Some(u64::from(pid))
        });
        pid = project.pid("api");
        project.run(&["explain", "api"]).expect(0).says(&format!("because {because}"));
    }
    assert_eq!(project.service("api")["restarts"], 0, "nothing failed");
    assert_eq!(project.service("stopped")["phase"], "stopped");
    project.write("src/a.in", "x");
    wait_until("it was built again", || project.read("builds") == "built\nbuilt\n");
    project.wait_for_text(log, "src/a.in changed");
    // Another description watches other files; what is no glob is a problem of the files.
    let toml = |globs: &str| project.read("mainstay.toml").replace(r#"["src/**", "*.conf"]"#, globs);
    project.write("mainstay.toml", &toml(r#"["[x"]"#));
    project.up().expect(6).says("the glob `[x` is none: ");
    let toml = project.read("mainstay.toml").replace(r#"["[x"]"#, r#"["other.txt"]"#);
    project.write("mainstay.toml", &toml);
    project.up().expect(0);
    project.write("other.txt", "x");
    project.wait_for_text(log, "other.txt changed");
}
