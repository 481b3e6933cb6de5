//! `up` in the foreground: it follows, Ctrl-C stops in order, a second one kills.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "what a story needs and does not get has failed it"
)]

mod story;

use std::{
    fs,
    time::{Duration, Instant},
};

use story::{PATIENCE, Project, Running, is_alive, kill, wait_until};

#[test]
fn up_follows_and_ctrl_c_stops_in_order() {
    let project = Project::new(
        "[service.db]\ncommand = [\"sh\", \"-c\", \"trap 'echo db ends >> order; exit 0' TERM; echo hello from db; while :; do sleep 0.05; done\"]\n\
         [service.api]\ncommand = [\"sh\", \"-c\", \"trap 'echo api ends >> order; exit 0' TERM; echo hello from api; while :; do sleep 0.05; done\"]\n\
         depends_on = { db = \"started\" }\n",
    );
    let mut up = project.spawn(&["up"]);
    up.wait_for("hello from db");
    up.wait_for("hello from api");
    up.signal("INT");
    assert_eq!(up.wait(), 130);
    assert_eq!(project.read("order"), "api ends\ndb ends\n");
    project.run(&["list"]).expect(69);
}

#[test]
fn a_second_ctrl_c_kills() {
    let project = Project::new(
        "[service.deaf]\ncommand = [\"sh\", \"-c\", \"trap '' TERM; echo deaf; while :; do sleep 0.05; done\"]\n\
         stop = { timeout = \"1h\" }\n",
    );
    let mut up = project.spawn(&["up"]);
    up.wait_for("deaf");
    project.wait_for_phase("deaf", "running");
    let pid = project.pid("deaf");
    up.signal("INT");
    project.wait_for_phase("deaf", "stopping");
    assert!(is_alive(pid));
    pause();
    up.signal("INT");
    assert_eq!(up.wait(), 130);
    wait_until("it is dead", || !is_alive(pid));
}

#[test]
fn a_closed_terminal_only_stops_following() {
    let project = Project::new("[service.api]\ncommand = \"sleep 1000\"\n");
    let mut up = project.spawn(&["up"]);
    wait_until("it runs", || project.run(&["list", "--json"]).out.contains("\"running\""));
    let pid = project.pid("api");
    up.signal("HUP");
    up.wait();
    assert_eq!(project.pid("api"), pid);
    // A second `up` follows the same; `down` from elsewhere ends it.
    let mut up = project.spawn(&["up"]);
    wait_until("it follows", || !up.output().is_empty());
    assert_eq!(project.pid("api"), pid);
    project.run(&["down"]).expect(0);
    up.wait();
}

#[test]
fn run_is_by_hand_with_the_programs_own_exit() {
    let project = Project::new(
        "[service.hello]\ncommand = [\"sh\", \"-c\", \"echo $GREETING from $MAINSTAY_SERVICE; exit 5\"]\nenv = { GREETING = \"hello\" }\n",
    );
    project.run(&["run", "hello"]).expect(5).says("hello from hello");
    project.run(&["run", "--", "sh", "-c", "kill -TERM $$"]).expect(143);
    project.run(&["run", "nothing"]).expect(5);
}

#[test]
fn up_of_some_starts_what_they_need_and_no_more() {
    let project = Project::new(
        "[service.db]\ncommand = \"sleep 1000\"\n\
         [service.api]\ncommand = \"sleep 1000\"\ndepends_on = [\"db\"]\n\
         [service.other]\ncommand = \"sleep 1000\"\n",
    );
    project.run(&["up", "-d", "api"]).expect(0);
    assert_eq!(project.service("db")["phase"], "running");
    let other = project.service("other");
    assert_eq!((&other["phase"], &other["reason"]["code"]), (&"stopped".into(), &"never-started".into()));
    project.run(&["up", "-d", "nothing"]).expect(5);
}

/// Never ready: `up -d` waits for it as long as it may.
const NEVER_READY: &str =
    "[service.api]\ncommand = \"sleep 1000\"\nready = { exec = \"test -e ready\", timeout = \"1h\" }\n";

/// Waits until it is about to start a daemon: it has opened the file that lets only one do so.
fn wait_until_it_begins(up: &Running) {
    let descriptors = format!("/proc/{}/fd", up.child.id());
    wait_until("it begins", || {
        let links = fs::read_dir(&descriptors).into_iter().flatten().flatten();
        links.filter_map(|link| fs::read_link(link.path()).ok()).any(|path| path.ends_with("start.lock"))
    });
}

fn is_all_gone(project: &Project) -> bool {
    let dir = project.dir.to_string_lossy().into_owned();
    !story::processes().iter().any(|(_, line)| line.contains("\0daemon\0") && line.contains(&dir))
}

/// The next signal comes later than two that count as one.
fn pause() {
    std::thread::sleep(Duration::from_millis(60));
}

#[test]
fn ctrl_c_in_a_detached_up_stops_the_project() {
    for signal in ["INT", "TERM"] {
        let project = Project::new(NEVER_READY);
        let mut up = project.spawn(&["up", "-d"]);
        wait_until("api starts", || project.run(&["list", "--json"]).out.contains("not-ready"));
        let pid = project.pid("api");
        up.signal(signal);
        assert_eq!(up.wait(), 130);
        let output = up.output();
        let lines: Vec<&str> = output.lines().collect();
        assert_eq!(lines.len(), 4, "{output}");
        assert_eq!(lines[0], "stopping everything; Ctrl-C again kills it");
        assert!(
            lines[1].starts_with("api stopping: stopped on request; sent TERM, kill follows in "),
            "{output}"
        );
        assert_eq!(lines[2..], ["api stopped on request", "everything is stopped"]);
        assert!(!is_alive(pid) && is_all_gone(&project));
        project.run(&["list"]).expect(69);
    }
}

#[test]
fn a_second_ctrl_c_kills_in_a_detached_up_as_well() {
    let project = Project::new(
        "[service.deaf]\ncommand = [\"sh\", \"-c\", \"trap '' TERM; while :; do sleep 0.05; done\"]\n\
         ready = { exec = \"test -e ready\", timeout = \"1h\" }\nstop = { timeout = \"1h\" }\n",
    );
    let mut up = project.spawn(&["up", "-d", "--json"]);
    wait_until("it starts", || project.run(&["list", "--json"]).out.contains("not-ready"));
    up.signal("INT");
    project.wait_for_phase("deaf", "stopping");
    pause();
    up.signal("INT");
    assert_eq!(up.wait(), 130);
    up.wait_for("killing everything");
    up.wait_for("\"code\":\"interrupted\"");
    assert!(is_all_gone(&project));
}

#[test]
fn a_wish_that_comes_while_the_daemon_is_being_started_is_kept() {
    for form in [&["up", "-d"][..], &["up"]] {
        let project = Project::new("[service.api]\ncommand = \"sh -c 'touch ran; exec sleep 1000'\"\n");
        fs::create_dir(project.dir.join(".mainstay")).unwrap();
        // As if another were just starting it.
        let lock = fs::File::create(project.dir.join(".mainstay/start.lock")).unwrap();
        lock.lock().unwrap();
        let mut up = project.spawn(form);
        wait_until_it_begins(&up);
        up.signal("INT");
        up.wait_for("stopping everything; Ctrl-C again kills it");
        drop(lock);
        assert_eq!(up.wait(), 130);
        up.wait_for("everything is stopped");
        assert!(is_all_gone(&project));
        assert!(!story::exists(project.dir.join("ran")), "nothing more is begun");
    }
}

#[test]
fn a_third_ctrl_c_waits_no_longer_for_what_does_not_come() {
    let project = Project::new("[service.api]\ncommand = \"sleep 1000\"\n");
    fs::create_dir(project.dir.join(".mainstay")).unwrap();
    let lock = fs::File::create(project.dir.join(".mainstay/start.lock")).unwrap();
    lock.lock().unwrap();
    let mut up = project.spawn(&["up", "-d"]);
    wait_until_it_begins(&up);
    for word in ["stopping everything", "killing everything"] {
        up.signal("INT");
        up.wait_for(word);
        pause();
    }
    up.signal("INT");
    assert_eq!(up.wait(), 130);
    up.wait_for("not everything has ended yet; `mainstay list` shows what is left");
}

#[test]
fn ctrl_c_at_any_moment_of_a_first_up_leaves_nothing() {
    for milliseconds in [0, 3, 6, 10, 15, 20, 25, 30, 40, 60, 90] {
        let project = Project::new("[service.api]\ncommand = \"sleep 1000\"\nready = { after = \"1h\" }\n");
        let mut up = project.spawn(&["up", "-d"]);
        std::thread::sleep(Duration::from_millis(milliseconds));
        up.signal("INT");
        // Before it listens there is nothing to stop, and the signal itself ends it.
        let code = up.wait();
        assert!(code == 130 || (code == -1 && up.output().is_empty()), "{code}: {}", up.output());
        assert!(is_all_gone(&project), "after {milliseconds} ms: {}", up.output());
    }
}

#[test]
fn two_signals_at_once_are_one() {
    let project = Project::new(
        "[service.api]\ncommand = [\"sh\", \"-c\", \"trap 'sleep 0.3; touch orderly; exit 0' TERM; while :; do sleep 0.05; done\"]\n",
    );
    let mut up = project.spawn(&["up"]);
    up.wait_for("api running");
    let pid = rustix::process::Pid::from_child(&up.child);
    for _ in 0..2 {
        rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    }
    assert_eq!(up.wait(), 130);
    assert!(!up.output().contains("killing everything"), "{}", up.output());
    assert!(story::exists(project.dir.join("orderly")));
}

#[test]
fn after_three_ctrl_c_it_is_said_that_everything_is_stopped() {
    let project = Project::new(
        "[service.deaf]\ncommand = [\"sh\", \"-c\", \"trap '' TERM; echo deaf; while :; do sleep 0.05; done\"]\n\
         stop = { timeout = \"1h\" }\n",
    );
    let mut up = project.spawn(&["up"]);
    up.wait_for("deaf     | deaf");
    for _ in 0..3 {
        up.signal("INT");
        pause();
    }
    assert_eq!(up.wait(), 130);
    let output = up.output();
    for line in [
        "mainstay | stopping everything; Ctrl-C again kills it\n",
        "mainstay | killing everything\n",
        "mainstay | deaf stopped: killed on request\n",
    ] {
        assert!(output.contains(line), "{output}");
    }
    assert!(output.ends_with("mainstay | everything is stopped\n"), "{output}");
    assert!(is_all_gone(&project));
}

#[test]
fn a_closed_terminal_leaves_a_detached_up_waiting() {
    let project = Project::new(NEVER_READY);
    let mut up = project.spawn(&["up", "-d"]);
    wait_until("api starts", || project.run(&["list", "--json"]).out.contains("not-ready"));
    up.signal("HUP");
    project.write("ready", "");
    assert_eq!(up.wait(), 0);
    let pid = project.pid("api");
    assert_eq!(up.output(), format!("api running (pid {pid})\nshop is up: 1 running\n"));
}

#[test]
fn up_d_tells_each_retry_as_it_comes_and_what_came_of_it() {
    let project = Project::new(
        "[service.api]\ncommand = \"./x\"\nrestart = { policy = \"on-failure\", delay = \"1s\", factor = 1, attempts = 2 }\n\
         [service.db]\ncommand = \"sleep 1000\"\n\
         [service.migrate]\nkind = \"oneshot\"\ncommand = \"true\"\ndepends_on = [\"db\"]\n\
         [service.web]\ncommand = \"sleep 1000\"\ndepends_on = [\"api\"]\n",
    );
    let mut up = project.spawn(&["up", "-d"]);
    up.wait_for("restart 1 of 2");
    assert!(up.child.try_wait().unwrap().is_none(), "it is told while it is waited for");
    assert_eq!(up.wait(), 1);
    let why = format!("cannot start: {}", cannot_start(&project));
    let db = format!("db running (pid {})", project.pid("db"));
    let output = up.output();
    let (told, end) = output.split_once("api failed").unwrap();
    let mut told: Vec<&str> = told.lines().collect();
    told.sort_unstable();
    assert_eq!(
        told,
        [
            &*format!("api waiting: {why}; restart 1 of 2 in 1 s"),
            &*format!("api waiting: {why}; restart 2 of 2 in 1 s"),
            &*db,
            "migrate completed with exit 0",
        ]
    );
    assert_eq!(
        format!("api failed{end}"),
        format!(
            "api failed: gave up after 2 restarts: {why}\n\
             web waiting for api to be ready: gave up after 2 restarts: {why}\n\
             error: 2 of 4 did not get there: web, api\n\
             help: `mainstay status api` shows what it said\n"
        )
        .replace("web, api", if end.contains("web, api") { "web, api" } else { "api, web" })
    );
}

/// Why `./x` is not started, in the words of the service itself.
fn cannot_start(project: &Project) -> String {
    let reason = project.service("api")["reason"]["text"].as_str().unwrap().to_owned();
    reason.split_once("cannot start: ").unwrap().1.to_owned()
}

#[test]
fn up_d_of_what_runs_says_so_and_quiet_is_quiet() {
    let project = Project::new(
        "[service.db]\ncommand = \"sleep 1000\"\n[service.once]\nkind = \"oneshot\"\ncommand = \"true\"\n",
    );
    let said = project.run(&["up", "-d", "-q"]).expect(0);
    assert_eq!((said.out, said.err), (String::new(), String::new()));
    let pid = project.pid("db");
    let said = project.up().expect(0);
    assert_eq!(
        said.out,
        format!(
            "db already running (pid {pid})\nonce already completed\nshop is up: 1 completed, 1 running\n"
        )
    );
    let said = project.run(&["up", "-d", "--json"]).expect(0);
    assert_eq!(said.err, "");
    let services = said.json()["services"].clone();
    assert_eq!(
        (&services[0]["id"], &services[0]["pid"], &services[0]["state"]),
        (&"db".into(), &pid.into(), &"done".into())
    );

    project.write(
        "mainstay.toml",
        "[defaults]\nrestart = \"never\"\n[service.db]\ncommand = \"sleep 1000\"\n[service.a]\ncommand = \"./none\"\n\
         [service.b]\ncommand = \"sleep 1\"\ndepends_on = [\"a\"]\n",
    );
    let said = project.run(&["up", "-d", "-q"]).expect(1);
    assert_eq!(said.out, "");
    assert!(
        said.err.starts_with("error: 2 of 4 did not get there: a, b\n  a failed: cannot start: "),
        "{}",
        said.err
    );
    assert!(said.err.contains("\n  b waiting for a to be ready: cannot start: "), "{}", said.err);
}

#[test]
fn what_is_late_is_named_with_its_reason() {
    let project = Project::new(&format!(
        "{NEVER_READY}[service.db]\ncommand = \"sleep 1000\"\n\
         [service.web]\ncommand = \"sleep 1000\"\ndepends_on = [\"api\"]\n\
         [service.deaf]\ncommand = [\"sh\", \"-c\", \"trap '' TERM; while :; do sleep 0.05; done\"]\nstop = {{ timeout = \"1h\" }}\n"
    ));
    let began = Instant::now();
    let said = project.run(&["up", "-d", "--timeout", "1s"]).expect(124);
    assert!(began.elapsed() < PATIENCE);
    assert!(said.err.starts_with("error: timed out: after 1 s, 2 of 4 did not get there\n"), "{}", said.err);
    let said = said
        .says("\n  api starting (pid ")
        .says("): its check has failed for ")
        .says("\n  web waiting for api to be ready")
        .says("\nhelp: what was asked for goes on: `mainstay status api` shows more; `--timeout` allows more time\n");
    assert!(said.out.contains("db running (pid ") && !said.out.contains("is up"), "{}", said.out);
    assert!(!said.err.contains("no answer"), "{}", said.err);
    let said = project.run(&["up", "-d", "--timeout", "300ms", "--json"]).expect(124);
    assert_eq!(said.err, "");
    let services = said.json()["services"].clone();
    let states = |id: &str| {
        services.as_array().unwrap().iter().find(|it| it["id"] == id).map(|it| it["state"].clone()).unwrap()
    };
    assert_eq!(
        (states("api"), states("web"), states("db")),
        ("pending".into(), "pending".into(), "done".into())
    );

    for verb in ["start", "restart"] {
        project
            .run(&[verb, "api", "--timeout", "300ms"])
            .expect(124)
            .says("error: timed out: after 300 ms, 1 of 1 did not get there\n  api starting (pid ");
    }
    for verb in ["stop", "down"] {
        let mut arguments = vec![verb, "deaf", "--timeout", "300ms"];
        arguments.retain(|word| verb == "stop" || *word != "deaf");
        project
            .run(&arguments)
            .expect(124)
            .says("error: timed out: after 300 ms, 1 of ")
            .says("\n  deaf stopping: stopped on request; sent TERM, kill follows in ");
    }
    kill(project.pid("deaf"), "KILL");
}

#[test]
fn what_is_no_longer_in_the_files_is_listed_with_its_end() {
    let old =
        "[service.old]\ncommand = \"sleep 1000\"\n[service.was]\nkind = \"oneshot\"\ncommand = \"true\"\n";
    let project = Project::new(old);
    project.up().expect(0);
    project.write("other.toml", "[service.new]\ncommand = \"sleep 1000\"\n");
    let said = project.run(&["-f", "other.toml", "up", "-d"]).expect(0);
    let pid = project.pid("new");
    let mut lines: Vec<&str> = said.out.lines().collect();
    lines.sort_unstable();
    assert_eq!(
        lines,
        [
            &*format!("new running (pid {pid})"),
            "old stopped: it is no longer in the files",
            "shop is up: 1 running",
            "was stopped: it is no longer in the files",
        ]
    );
    assert_eq!(said.err, "");
    // In the foreground too; then back, and gone again.
    project.up().expect(0);
    let mut up = project.spawn(&["-f", "other.toml", "up"]);
    up.wait_for("mainstay | old stopped: it is no longer in the files\n");
    up.wait_for("mainstay | was stopped: it is no longer in the files\n");
    up.signal("INT");
    assert_eq!(up.wait(), 130);
}

#[test]
fn down_shows_every_end_however_fast_its_answer_is() {
    let services: String = (0..20).map(|at| format!("[service.s{at}]\ncommand = \"sleep 1000\"\n")).collect();
    let project = Project::new(&services);
    for _ in 0..5 {
        project.up().expect(0);
        let said = project.run(&["down"]).expect(0);
        for at in 0..20 {
            let line = format!("s{at} stopped on request\n");
            assert!(said.out.contains(&line), "no `{line}` in:\n{}", said.out);
        }
        assert_eq!(said.err, "");
    }
}

#[test]
fn ten_that_bring_it_down_at_once_all_succeed() {
    let project = Project::new(
        "[service.slow]\ncommand = [\"sh\", \"-c\", \"trap 'sleep 1; exit 0' TERM; while :; do sleep 0.05; done\"]\n",
    );
    for _ in 0..3 {
        project.up().expect(0);
        let mut downs: Vec<_> =
            (0..10).map(|at| project.spawn(&["down", "--timeout", &format!("{}s", 30 + at)])).collect();
        for down in &mut downs {
            assert_eq!(down.wait(), 0, "{}", down.output());
        }
        assert!(is_all_gone(&project));
    }
}

#[test]
fn logs_of_one_that_runs_and_has_written_nothing_need_no_good_file() {
    let project = Project::new("[service.silent]\ncommand = \"sleep 1000\"\n");
    project.up().expect(0);
    project.write("mainstay.toml", "[service.silent");
    // As for one that has never had a log.
    let _ = fs::remove_dir_all(project.dir.join(".mainstay/logs/silent"));
    let said = project.run(&["logs", "silent"]).expect(0);
    assert_eq!((said.out, said.err), (String::new(), String::new()));
    project.run(&["logs"]).expect(0);
    project
        .run(&["logs", "nothing"])
        .expect(5)
        .says("there is no service `nothing`")
        .says("there are: silent");
}

#[test]
fn status_in_json_has_the_same_keys_with_and_without_a_daemon() {
    let project = Project::new(
        "[service.db]\ncommand = \"sleep 1000\"\n[service.api]\ncommand = [\"sleep\", \"1000\"]\ndepends_on = [\"db\"]\n",
    );
    let shape = |said: &story::Said| {
        let keys: Vec<String> = said.json().as_object().unwrap().keys().cloned().collect();
        keys
    };
    let before = project.run(&["status", "api", "--json"]).expect(3);
    project.up().expect(0);
    let with = project.run(&["status", "api", "--json"]).expect(0);
    project.run(&["down"]).expect(0);
    let after = project.run(&["status", "api", "--json"]).expect(3);
    assert_eq!(shape(&before), shape(&with));
    assert_eq!(shape(&after), shape(&with));
    for key in ["command", "depends_on", "needed_by", "kind", "log_dir", "name", "instance"] {
        assert_eq!(after.json()[key], with.json()[key], "{key}");
    }
    assert_eq!(
        (&after.json()["pid"], &after.json()["since"]),
        (&serde_json::Value::Null, &serde_json::Value::Null)
    );
}
