//! Care: when services are ready, whether they are well, and the commands around their starts and stops.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "what a story needs and does not get has failed it"
)]

mod story;

use story::{Project, client, free_port, is_alive, kill, wait_until};

/// Answers over HTTP: 200 as long as there is a file `ok`, else 503.
const WEB: &str = r#"
import http.server, os, sys
class Web(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if os.path.exists("ok") else 503)
        self.send_header("content-length", "0")
        self.end_headers()
    def log_message(self, *_): pass
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Web).serve_forever()
"#;

/// Says each of its arguments over its notify socket, then sleeps; `-` waits until there is a file `go`.
const TELL: &str = r#"
import os, socket, sys, time
path = os.environ["NOTIFY_SOCKET"]
if path.startswith("@"): path = "\0" + path[1:]
line = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
for word in sys.argv[1:]:
    if word == "-":
        while not os.path.exists("go"): time.sleep(0.02)
    else:
        line.sendto(word.encode().decode("unicode_escape").encode(), path)
time.sleep(1000)
"#;

const FAST: &str = "[defaults]\nrestart = { policy = \"on-failure\", delay = \"50ms\", attempts = 3 }\n";

fn reason(project: &Project, id: &str) -> (String, String) {
    let service = project.service(id);
    let text = |key: &str| service["reason"][key].as_str().unwrap().to_owned();
    (text("code"), text("text"))
}

/// Kills the daemon, and waits for the next one.
fn replace_daemon(project: &Project) {
    let daemon = project.three().daemon.unwrap();
    kill(daemon, "KILL");
    wait_until("another daemon answers", || {
        project.three().daemon.is_some_and(|pid| pid != daemon) && project.run(&["list"]).code == 0
    });
}

#[test]
fn each_way_of_being_ready_is_waited_for() {
    let (tcp, http) = (free_port(), free_port());
    let project = Project::new(&format!(
        r#"
[service.tcp]
command = "python3 web.py {tcp}"
ready = {{ tcp = "127.0.0.1:{tcp}" }}

[service.http]
command = "python3 web.py {http}"
ready = {{ http = "http://127.0.0.1:{http}/healthz" }}

[service.exec]
command = "sh -c 'sleep 0.2; touch made; exec sleep 1000'"
ready = {{ exec = "test -e made" }}

[service.log]
command = "sh -c 'echo starting; sleep 0.2; echo now listening on port 80; exec sleep 1000'"
ready = {{ log = "listening on port \\d+" }}

[service.after]
command = "sleep 1000"
ready = {{ after = "150ms" }}
"#
    ));
    project.write("web.py", WEB);
    project.write("ok", "");
    project.up().expect(0);
    let rows = [
        ("tcp", format!("ready: tcp 127.0.0.1:{tcp}")),
        ("http", format!("ready: http http://127.0.0.1:{http}/healthz")),
        ("exec", "ready: `test -e made`".to_owned()),
        ("log", "ready: a line like `listening on port \\d+`".to_owned()),
        ("after", "ready: 150 ms after its start".to_owned()),
    ];
    for (id, text) in rows {
        assert_eq!(reason(&project, id), ("ready".to_owned(), text));
    }
}

#[test]
fn what_does_not_become_ready_in_time_says_what_the_last_answer_was() {
    let port = free_port();
    let project = Project::new(&format!(
        r#"
[defaults]
restart = "never"

[service.http]
command = "python3 web.py {port}"
ready = {{ http = "http://127.0.0.1:{port}/", timeout = "3s" }}

[service.log]
command = "sh -c 'test -e once && exec sleep 1000; touch once; echo listening; exec sleep 1000'"
ready = {{ log = "listening", timeout = "1s" }}
"#
    ));
    project.write("web.py", WEB);
    project.up().expect(1);
    let (code, text) = reason(&project, "http");
    assert_eq!(code, "gave-up");
    let expected = format!("not ready in time: http http://127.0.0.1:{port}/ answered 503 for 3 s");
    assert_eq!(text, format!("{expected}; it is not restarted"));
    assert_eq!(project.service("log")["phase"], "running");
    // The line of the run before is no answer of this one.
    project.run(&["restart", "log"]).expect(1);
    let (_, text) = reason(&project, "log");
    assert_eq!(text, "not ready in time: a line like `listening` did not come for 1 s; it is not restarted");
}

#[test]
fn a_daemon_that_comes_later_asks_the_log_of_that_run() {
    let project = Project::new(
        "[service.log]\ncommand = \"sh -c 'echo early; while ! test -e go; do sleep 0.02; done; echo late; exec sleep 1000'\"\n\
         ready = { log = \"^late$\" }\n[service.early]\ncommand = \"sh -c 'echo early; exec sleep 1000'\"\nready = { log = \"early\" }\n",
    );
    project.run(&["up", "-d", "--timeout", "1s"]).expect(124);
    let (pid, early) = (project.pid("log"), project.pid("early"));
    replace_daemon(&project);
    project.wait_for_phase("early", "running");
    assert_eq!(project.service("log")["phase"], "starting");
    project.write("go", "");
    project.wait_for_phase("log", "running");
    assert_eq!((project.pid("log"), project.pid("early")), (pid, early));
}

#[test]
fn too_many_failures_in_a_row_restart_it_and_the_last_answer_is_the_reason() {
    let port = free_port();
    let project = Project::new(&format!(
        r#"{FAST}
[service.web]
command = "python3 web.py {port}"
ready = {{ tcp = "127.0.0.1:{port}" }}
health = {{ http = "http://127.0.0.1:{port}/", interval = "100ms", failures = 3 }}

[service.needs]
command = "sleep 1000"
depends_on = {{ web = "healthy" }}
"#
    ));
    project.write("web.py", WEB);
    project.write("ok", "");
    project.up().expect(0);
    let (web, needs) = (project.pid("web"), project.pid("needs"));
    assert_eq!(project.service("web")["status"], "ok");
    let mut follow = project.spawn(&["up"]);
    follow.wait_for("web");
    std::fs::remove_file(project.dir.join("ok")).unwrap();
    let failing =
        format!("its health check failed 3 times in a row: http http://127.0.0.1:{port}/ answered 503");
    project.wait_for_text(".mainstay/logs/@daemon/current", &format!("{failing}; restart 1 of 3 in "));
    wait_until("it is another process", || !is_alive(web));
    project.write("ok", "");
    wait_until("it is well again", || {
        let service = project.service("web");
        service["phase"] == "running" && service["status"] == "ok"
    });
    assert_ne!(project.pid("web"), web);
    assert_eq!(project.pid("needs"), needs, "what runs is not restarted");
    follow.wait_for("web warning: http http://");
    follow.wait_for("(1 of 3 failures in a row)");
    follow.signal("HUP");
    follow.wait();
}

#[test]
fn healthy_is_more_than_ready_and_status_says_so() {
    let project = Project::new(
        r#"
[service.db]
command = "sleep 1000"
health = { exec = "test -e well", interval = "100ms", failures = 1000, start_period = "0s" }

[service.api]
command = "sleep 1000"
depends_on = { db = "healthy" }
"#,
    );
    project.run(&["up", "-d", "--timeout", "1500ms"]).expect(124);
    assert_eq!(project.service("db")["phase"], "running");
    let (code, text) = reason(&project, "api");
    assert_eq!(code, "waiting-for-dependency");
    assert!(text.starts_with("waiting for db to be healthy: `test -e well` exited with 1 ("), "{text}");
    assert!(text.ends_with(" of 1000 failures in a row)"), "{text}");
    project.run(&["status", "db"]).expect(151).says("warning").says("`test -e well` every 100 ms");
    project.run(&["list"]).expect(0).says("warning");
    project.write("well", "");
    project.wait_for_phase("api", "running");
    project.run(&["status", "db"]).expect(0).says("`test -e well` every 100 ms, well");
}

#[test]
fn the_words_of_systemd_notify_and_of_a_socket_are_taken() {
    let project = Project::new(
        r#"
[service.shell]
command = "sh -c 'sleep 0.2; systemd-notify --ready --status=\"serving 3 clients\"; exec sleep 1000'"
ready = { notify = true }

[service.socket]
command = ["python3", "tell.py", "STATUS=warming up", "-", "READY=1\\nSTATUS=warm"]
ready = { notify = true }

[service.fd]
command = "sh -c 'sleep 0.2; echo >&3; exec sleep 1000'"
ready = { fd = 3 }
"#,
    );
    project.write("tell.py", TELL);
    project.run(&["up", "-d", "--timeout", "3s"]).expect(124);
    assert_eq!(project.service("shell")["phase"], "running");
    assert_eq!(reason(&project, "shell").1, "ready: its READY=1");
    assert_eq!(reason(&project, "fd").1, "ready: a newline on its descriptor 3");
    let socket = project.service("socket");
    assert_eq!((&socket["phase"], &socket["said"]), (&"starting".into(), &"warming up".into()));
    project.write("go", "");
    project.wait_for_phase("socket", "running");
    project.run(&["status", "shell"]).expect(0).says("serving 3 clients");
    // What was said is still so for a daemon that comes later.
    let pid = project.pid("socket");
    replace_daemon(&project);
    let socket = project.wait_for_phase("socket", "running");
    assert_eq!((socket["pid"].as_u64(), &socket["said"]), (Some(u64::from(pid)), &"warm".into()));
}

/// What a service with PyPI's `sdnotify` says: that it comes, that it is ready, and so on until there is a file `go`.
const SDNOTIFY: &str = r#"
import os, sdnotify, signal, sys, time
line = sdnotify.SystemdNotifier(debug=True)
def reload(*_):
    line.notify("RELOADING=1\nMONOTONIC_USEC=%d\nSTATUS=reading it again" % (time.monotonic_ns() // 1000))
    open("reloading", "w").close()
    while not os.path.exists("reloaded"): time.sleep(0.02)
    line.notify("READY=1\nSTATUS=with 2 settings")
def stop(*_):
    line.notify("STOPPING=1\nSTATUS=saving what there is")
    open("stopping", "w").close()
    while not os.path.exists("stopped"): time.sleep(0.02)
    sys.exit(0)
signal.signal(signal.SIGHUP, reload)
signal.signal(signal.SIGTERM, stop)
line.notify("STATUS=loading 40 %")
while not os.path.exists("go"): time.sleep(0.02)
line.notify("READY=1")
line.notify("STATUS=with 1 setting")
while True:
    if not os.path.exists("silent"): line.notify("WATCHDOG=1")
    time.sleep(0.1)
"#;

#[test]
fn the_words_of_sdnotify_are_taken() {
    let Some(library) = client("sdnotify-0.3.2", "sdnotify/__init__.py") else { return };
    let project = Project::new(&format!(
        "{FAST}[service.api]\ncommand = [\"python3\", \"api.py\"]\nready = {{ notify = true }}\nwatchdog = \"1500ms\"\n\
         reload = {{ signal = \"HUP\" }}\nenv = {{ PYTHONPATH = '{}', PYTHONDONTWRITEBYTECODE = \"1\" }}\n",
        library.display()
    ));
    project.write("api.py", SDNOTIFY);
    let mut up = project.spawn(&["up", "-d"]);
    wait_until("a daemon answers", || project.run(&["status", "api"]).code == 150);
    wait_until("it says how far it is", || project.service("api")["said"] == "loading 40 %");
    assert_eq!(project.service("api")["phase"], "starting");
    project.write("go", "");
    assert_eq!(up.wait(), 0);
    wait_until("it says that it is ready", || project.service("api")["said"] == "with 1 setting");
    assert_eq!(reason(&project, "api").1, "ready: its READY=1");
    let mut reload = project.spawn(&["reload", "api"]);
    wait_until("it says that it reloads", || project.service("api")["said"] == "reading it again");
    project.write("reloaded", "");
    assert_eq!(reload.wait(), 0);
    wait_until("it has reloaded", || project.service("api")["said"] == "with 2 settings");
    let pid = project.pid("api");
    project.write("silent", "");
    wait_until("it fell silent", || project.service("api")["exit"]["signal"] == "ABRT");
    std::fs::remove_file(project.dir.join("silent")).unwrap();
    wait_until("it came back", || project.service("api")["phase"] == "running" && project.pid("api") != pid);
    let mut stop = project.spawn(&["stop", "api"]);
    wait_until("it says that it ends", || project.service("api")["said"] == "saving what there is");
    assert_eq!(project.service("api")["phase"], "stopping");
    project.write("stopped", "");
    assert_eq!(stop.wait(), 0);
    assert_eq!(project.service("api")["exit"]["code"], 0);
}

#[test]
fn one_that_falls_silent_is_aborted_and_restarted() {
    let project = Project::new(&format!(
        "{FAST}[service.dog]\ncommand = [\"python3\", \"tell.py\", \"READY=1\", \"WATCHDOG=1\", \"-\"]\n\
         ready = {{ notify = true }}\nwatchdog = \"700ms\"\n\
         [service.asks]\ncommand = \"sh -c 'echo $WATCHDOG_USEC; exec sleep 1000'\"\nwatchdog = \"1h\"\n"
    ));
    project.write("tell.py", TELL);
    project.up().expect(0);
    let text = "its watchdog heard nothing for 700 ms; restart 1 of 3 in ";
    project.wait_for_text(".mainstay/logs/@daemon/current", text);
    wait_until("it asked", || project.log("asks") == "3600000000\n");
    wait_until("it came back", || project.service("dog")["exit"]["signal"] == "ABRT");
}

const HOOKED: &str = r#"
[service.api]
command = "sh -c 'echo main >> order; trap \"echo end >> order; exit 4\" TERM; touch up; while :; do sleep 0.02; done'"
ready = { exec = "test -e up" }
restart = "never"

[service.api.hooks]
before_start = "./hook"
after_start = "./hook"
before_stop = "./hook"
after_stop = { command = "./hook", timeout = "20s" }
"#;

#[test]
fn hooks_run_in_order_and_know_what_they_are_for() {
    let project = Project::new(HOOKED);
    project.script(
        "hook",
        "echo \"$MAINSTAY_HOOK $MAINSTAY_SERVICE ${MAINSTAY_MAIN_PID:-none} ${MAINSTAY_EXIT_CODE:-none} ${MAINSTAY_EXIT_SIGNAL:-none}\" >> order\n\
         echo said by $MAINSTAY_HOOK",
    );
    project.up().expect(0);
    let pid = project.pid("api");
    project.run(&["stop", "api"]).expect(0);
    let expected = format!(
        "before_start api none none none\nmain\nafter_start api {pid} none none\nbefore_stop api {pid} none none\nend\n\
         after_stop api {pid} 4 none\n"
    );
    assert_eq!(project.read("order"), expected);
    assert_eq!(project.log("api+before_stop"), "said by before_stop\n");
    assert_eq!(project.run(&["logs", "api+before_stop"]).expect(0).out, "said by before_stop\n");
    project.run(&["logs", "api+*"]).expect(0).says("said by after_start").says("said by after_stop");
    project.run(&["logs", "api+reload"]).expect(5).says("no hook called `api+reload` has run");
    project.write("order", "");
    project.run(&["start", "api"]).expect(0);
    project.run(&["kill", "api"]).expect(0);
    wait_until("it is over", || project.read("order").contains("after_stop api"));
    assert!(project.read("order").ends_with(" none KILL\n"), "{}", project.read("order"));
    assert!(!project.read("order").contains("before_stop"), "a kill asks nobody");
}

#[test]
fn a_hook_that_fails_or_hangs_fails_the_start_and_only_that() {
    let hook = |name: &str, command: &str| {
        format!(
            "[service.{name}]\ncommand = \"sleep 1000\"\nrestart = \"never\"\nstop = {{ timeout = \"1s\" }}\n[service.{name}.hooks]\n{command}\n"
        )
    };
    let project = Project::new(&[
        hook("fails", "before_start = \"sh -c 'exit 3'\""),
        hook("missing", "before_start = \"./nowhere\""),
        hook("hangs", "before_start = { command = \"sleep 1000\", timeout = \"300ms\" }"),
        hook("late", "after_start = \"sh -c 'exit 5'\""),
        hook("leaves", "before_stop = { command = \"sleep 1000\", timeout = \"300ms\" }\nafter_stop = \"sh -c 'exit 6'\""),
    ]
    .concat());
    project.up().expect(1);
    let rows = [
        ("fails", "its before_start hook exited with 3"),
        ("missing", "its before_start hook could not be started: `./nowhere` does not exist"),
        ("hangs", "its before_start hook was ended by signal KILL after 300 ms"),
        ("late", "its after_start hook exited with 5"),
    ];
    for (id, text) in rows {
        let service = project.service(id);
        assert_eq!(service["phase"], "failed", "{service}");
        let said = service["reason"]["text"].as_str().unwrap();
        assert!(said.starts_with(text) && said.ends_with("; it is not restarted"), "{id}: {said}");
        assert_eq!(service["pid"], serde_json::Value::Null);
    }
    assert_eq!(project.service("leaves")["phase"], "running");
    project.run(&["stop", "leaves"]).expect(0);
    assert_eq!(reason(&project, "leaves").0, "stop-requested");
}

#[test]
fn a_daemon_killed_in_the_middle_of_a_hook_changes_nothing() {
    for hook in ["before_start", "after_start", "before_stop", "after_stop"] {
        let project = Project::new(HOOKED);
        project.script(
            "hook",
            &format!(
                "echo $MAINSTAY_HOOK >> order\n[ $MAINSTAY_HOOK = {hook} ] || exit 0\nwhile ! test -e go; do sleep 0.02; done\necho done >> order"
            ),
        );
        let mut up = project.spawn(&["up", "-d"]);
        let stops = hook.ends_with("stop");
        let mut stop = None;
        if stops {
            assert_eq!(up.wait(), 0);
            stop = Some(project.spawn(&["stop", "api"]));
        }
        project.wait_for_text("order", hook);
        let phase = if stops { "stopping" } else { "starting" };
        assert_eq!(project.wait_for_phase("api", phase)["reason"]["text"], format!("its {hook} hook runs"));
        replace_daemon(&project);
        assert_eq!(project.service("api")["reason"]["text"], format!("its {hook} hook runs"), "{hook}");
        project.write("go", "");
        project.wait_for_phase("api", if stops { "stopped" } else { "running" });
        let order = project.read("order");
        assert_eq!(order.lines().filter(|line| *line == hook).count(), 1, "{hook}: {order}");
        assert_eq!(order.lines().filter(|line| *line == "main").count(), 1, "{hook}: {order}");
        assert!(order.contains(&format!("{hook}\ndone")), "{hook}: {order}");
        drop((up, stop));
    }
}

#[test]
fn a_daemon_killed_in_the_middle_of_a_reload_waits_for_it_again() {
    let project = Project::new(
        "[service.api]\ncommand = \"sleep 1000\"\n\
         reload = { exec = \"sh -c 'echo begun >> reloads; while ! test -e go; do sleep 0.02; done; echo done >> reloads'\" }\n",
    );
    project.up().expect(0);
    let _reload = project.spawn(&["reload", "api"]);
    project.wait_for_text("reloads", "begun");
    replace_daemon(&project);
    assert_eq!(reason(&project, "api").0, "reloading");
    project.write("go", "");
    wait_until("it is over", || reason(&project, "api").0 == "running");
    assert_eq!(project.read("reloads"), "begun\ndone\n");
    project.run(&["reload", "api"]).expect(0);
    assert_eq!(project.read("reloads"), "begun\ndone\nbegun\ndone\n");
}

/// Says in one line who runs it and what it finds around it; into a file, when it is given one.
const WHO: &str = r#"
line="$(id -u) $(id -g) $(id -G) $(umask) $HOME $USER $LOGNAME $(pwd) $GREETING $MAINSTAY_SERVICE ${PATH:+path}"
if [ $# = 0 ]; then echo "$line"; else echo "$line" > "$1.new"; mv "$1.new" "$1"; fi
"#;

/// A user other than root with more groups than its own, and the line above for it.
fn somebody() -> Option<(String, String)> {
    let groups = std::fs::read_to_string("/etc/group").unwrap_or_default();
    let members =
        groups.lines().filter_map(|line| line.rsplit(':').next()).flat_map(|names| names.split(','));
    let passwd = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let mut known = members.filter_map(|name| {
        let entry: Vec<&str> =
            passwd.lines().find(|line| line.split(':').next() == Some(name))?.split(':').collect();
        (!name.is_empty() && entry.get(2) != Some(&"0")).then(|| (name.to_owned(), entry[5].to_owned()))
    });
    let (name, home) = known.next()?;
    let id = |what: &str| {
        let output = std::process::Command::new("id").args([what, &name]).output().unwrap();
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    let line = format!("{} {} {} 0022 {home} {name} {name} / hello api path\n", id("-u"), id("-g"), id("-G"));
    Some((name, line))
}

#[test]
fn hooks_and_probes_are_who_the_service_is() {
    if std::fs::metadata("/proc/self").map(|data| std::os::unix::fs::MetadataExt::uid(&data)).unwrap() != 0 {
        return story::skipped("only root runs services as another user");
    }
    let Some((user, line)) = somebody() else {
        return story::skipped("no user here has more groups than its own");
    };
    // The project's folder is root's alone, so answers go to one that is everybody's.
    let open = tempfile::Builder::new().prefix("ms").tempdir().unwrap();
    let mode = <std::fs::Permissions as std::os::unix::fs::PermissionsExt>::from_mode(0o777);
    std::fs::set_permissions(open.path(), mode).unwrap();
    let folder = open.path().display();
    std::fs::write(open.path().join("who"), WHO).unwrap();
    let who = format!("sh {folder}/who");
    let project = Project::new(&format!(
        "[service.api]\nuser = \"{user}\"\nworking_dir = \"/\"\nenv = {{ GREETING = \"hello\" }}\n\
         command = ['sh', '-c', '{who}; trap \"exit 0\" TERM; while :; do sleep 0.05; done']\n\
         ready = {{ exec = '{who} {folder}/ready', interval = \"100ms\" }}\n\
         health = {{ exec = '{who} {folder}/health', interval = \"100ms\" }}\n\
         reload = {{ exec = '{who}' }}\n\
         [service.api.hooks]\nbefore_start = '{who}'\nafter_start = '{who}'\nbefore_stop = '{who}'\nafter_stop = '{who}'\n"
    ));
    let wrote = |file: &str| std::fs::read_to_string(open.path().join(file)).unwrap_or_default();
    project.up().expect(0);
    assert_eq!(project.log("api"), line);
    assert_eq!(wrote("ready"), line);
    wait_until("it was asked how it is", || !wrote("health").is_empty());
    assert_eq!(wrote("health"), line);
    // A daemon that found the service running knows as much of its user.
    replace_daemon(&project);
    std::fs::remove_file(open.path().join("health")).unwrap();
    wait_until("it was asked again", || !wrote("health").is_empty());
    assert_eq!(wrote("health"), line);
    project.run(&["reload", "api"]).expect(0);
    project.run(&["stop", "api"]).expect(0);
    for hook in ["before_start", "after_start", "before_stop", "after_stop", "reload"] {
        assert_eq!(project.log(&format!("api+{hook}")), line, "{hook}");
    }
}
