//! The real `supervisorctl` of supervisor 4.3 on our socket: what it prints and how it ends is what it prints and ends with when
//! a real `supervisord` runs the same things, but where a comment says so.
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
    io::{Read, Write},
    os::unix::net::UnixStream,
    path::PathBuf,
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use story::{PATIENCE, Project, Said, client, exists, is_alive, processes, wait_until};

/// Where `cargo xtask test` puts it.
const CLIENT: &str = "supervisor-4.3.0";

const SERVICES: &str = r#"
[service.web]
command = ["sh", "-c", "echo web one; echo web two; trap 'echo hup' HUP; while :; do sleep 0.1; done"]

[service.api]
command = ["sh", "-c", "echo api; exec sleep 1000"]
instances = 2

[service.crash]
command = ["sh", "-c", "echo crashed; exit 3"]
restart = { policy = "on-failure", delay = "1h", max_delay = "1h" }

[service.once]
kind = "oneshot"
command = "true"

[service.nofile]
command = "/no/such/program"

[service.noexec]
command = "/etc/passwd"
"#;

/// A project and the client.
struct Stage {
    project: Project,
    client: PathBuf,
}

impl Stage {
    /// `None`, which was said, where there is no client.
    fn new(toml: &str) -> Option<Self> {
        let client = client(CLIENT, "supervisor/supervisorctl.py")?;
        Some(Self { project: Project::new(toml), client })
    }

    fn socket(&self) -> PathBuf {
        self.project.dir.join(".mainstay/run/sock")
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("python3");
        command.args(["-u", "-m", "supervisor.supervisorctl", "-s"]);
        command.arg(format!("unix://{}", self.socket().display())).args(arguments);
        command.env("PYTHONPATH", &self.client).env("PYTHONDONTWRITEBYTECODE", "1").env("TZ", "UTC");
        command.current_dir(&self.project.dir).stdin(Stdio::null());
        command
    }

    fn ctl(&self, arguments: &[&str]) -> Said {
        self.command(arguments).output().unwrap().into()
    }

    /// It prints exactly this, and ends so.
    #[track_caller]
    fn says(&self, arguments: &[&str], code: i32, out: &str) {
        let said = self.ctl(arguments);
        assert_eq!((said.out.as_str(), said.code), (out, code), "{arguments:?}\n{}", said.err);
    }

    /// Its output with pids, times and uptimes made alike.
    #[track_caller]
    fn shows(&self, arguments: &[&str], code: i32, out: &str) {
        let said = self.ctl(arguments);
        assert_eq!((alike(&said.out).as_str(), said.code), (out, code), "{arguments:?}\n{}", said.err);
    }

    /// What comes back for these bytes.
    fn raw(&self, bytes: &[u8]) -> String {
        let mut stream = UnixStream::connect(self.socket()).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        // A server that has answered may close before all is sent.
        let _ = stream.write_all(bytes);
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        String::from_utf8_lossy(&answer).into_owned()
    }

    fn call(&self, body: &str) -> String {
        let length = body.len();
        self.raw(
            format!("POST /RPC2 HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n{body}").as_bytes(),
        )
    }
}

/// `pid 18806, uptime 0:03:12` as `pid P, uptime U`; `Nov 21 03:08 PM` as `DATE`.
fn alike(text: &str) -> String {
    let line = |line: &str| {
        if let Some((head, _)) = line.split_once("pid ") {
            return format!("{head}pid P, uptime U\n");
        }
        let date = line.len().checked_sub("Nov 21 03:08 PM".len()).map(|at| line.split_at(at));
        match date {
            Some((head, date)) if date.ends_with(" AM") || date.ends_with(" PM") => format!("{head}DATE\n"),
            _ => format!("{line}\n"),
        }
    };
    text.lines().map(line).collect()
}

#[test]
fn status_start_and_stop_are_those_of_supervisor() {
    let Some(stage) = Stage::new(SERVICES) else { return };
    stage.project.run(&["up", "-d", "web", "api"]).expect(0);
    let all = "\
api:api@1                        RUNNING   pid P, uptime U
api:api@2                        RUNNING   pid P, uptime U
crash                            STOPPED   Not started
noexec                           STOPPED   Not started
nofile                           STOPPED   Not started
once                             STOPPED   Not started
web                              RUNNING   pid P, uptime U
";
    stage.shows(&["status"], 3, all);
    stage.shows(&["status", "all"], 3, all);
    stage.shows(&["status", "web"], 0, "web                              RUNNING   pid P, uptime U\n");
    stage.shows(
        &["status", "api:*"],
        0,
        "api:api@1                        RUNNING   pid P, uptime U\n\
         api:api@2                        RUNNING   pid P, uptime U\n",
    );
    stage.says(&["status", "api"], 4, "api: ERROR (no such process)\n");
    stage.says(&["status", "nope:x"], 4, "nope:x: ERROR (no such process)\n");
    stage.says(&["status", "nope:*"], 4, "nope: ERROR (no such group)\n");

    stage.says(&["start", "web"], 0, "web: ERROR (already started)\n");
    stage.says(&["start", "crash"], 7, "crash: ERROR (spawn error)\n");
    // Supervisor would have given up by now, or said `BACKOFF  Exited too quickly (…)`.
    let said = stage.ctl(&["status", "crash"]).expect(0);
    assert!(
        said.out.starts_with("crash                            BACKOFF   exited with 3; restart 1"),
        "{}",
        said.out
    );
    stage.says(&["start", "once"], 0, "once: started\n");
    stage.shows(&["status", "once"], 3, "once                             EXITED    DATE\n");
    // Supervisor says `no such file` and `file is not executable`, ends with 1, and does not try again.
    stage.says(&["start", "nofile"], 7, "nofile: ERROR (spawn error)\n");
    stage.says(&["start", "noexec"], 7, "noexec: ERROR (spawn error)\n");
    let why = "cannot start: `/no/such/program` does not exist";
    let status = stage.ctl(&["status", "nofile"]).expect(0);
    status.says(&format!("nofile                           BACKOFF   {why}"));
    stage.says(&["start", "nope"], 1, "nope: ERROR (no such process)\n");
    stage.says(&["start", "nope:*"], 2, "nope: ERROR (no such group)\n");
    stage.says(&["start", "api:*"], 0, "");

    stage.says(&["stop", "web"], 0, "web: stopped\n");
    stage.says(&["stop", "web"], 0, "web: ERROR (not running)\n");
    stage.shows(&["status", "web"], 3, "web                              STOPPED   DATE\n");
    stage.says(&["stop", "nope"], 1, "nope: ERROR (no such process)\n");
    stage.says(&["stop", "nope:*"], 1, "nope: ERROR (no such group)\n");
    stage.says(&["stop", "api:*"], 0, "api:api@1: stopped\napi:api@2: stopped\n");
    // A start takes a second each: two clients at once wait for theirs at the same time.
    thread::scope(|scope| {
        scope.spawn(|| stage.says(&["start", "api:*"], 0, "api:api@1: started\napi:api@2: started\n"));
        stage.says(&["start", "web"], 0, "web: started\n");
    });
    thread::scope(|scope| {
        scope.spawn(|| {
            stage.says(&["restart", "api:api@1"], 0, "api:api@1: stopped\napi:api@1: started\n");
        });
        stage.says(&["restart", "web"], 0, "web: stopped\nweb: started\n");
    });
    stage.says(&["stop", "crash"], 0, "crash: stopped\n");
}

#[test]
fn all_at_once_and_pids_are_those_of_supervisor() {
    let Some(stage) = Stage::new(SERVICES) else { return };
    stage.project.run(&["up", "-d", "web", "api"]).expect(0);
    stage.says(&["pid", "web"], 0, &format!("{}\n", stage.project.pid("web")));
    stage.says(&["pid", "nope"], 1, "No such process nope\n");
    stage.says(&["pid", "once"], 7, "0\n");
    stage.says(&["pid"], 0, &format!("{}\n", stage.project.three().daemon.unwrap()));
    let pids = ["api@1", "api@2"].map(|id| stage.project.pid(id));
    let web = stage.project.pid("web");
    stage.says(&["pid", "all"], 0, &format!("{}\n{}\n0\n0\n0\n0\n{web}\n", pids[0], pids[1]));
    stage.says(&["version"], 0, &format!("4.3.0+mainstay.{}\n", env!("CARGO_PKG_VERSION")));
    // A known difference: everything is started by `up` here.
    let row = |name: &str| format!("{name:<32} in use    auto      999:999\n");
    let names = ["api:api@1", "api:api@2", "crash", "noexec", "nofile", "once", "web"];
    stage.says(&["avail"], 0, &names.map(row).concat());

    let sorted = |said: Said| {
        let mut lines: Vec<String> = said.out.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    let stopped = sorted(stage.ctl(&["stop", "all"]).expect(0));
    assert_eq!(stopped, ["api:api@1: stopped", "api:api@2: stopped", "web: stopped"]);
    let started = sorted(stage.ctl(&["start", "all"]).expect(7));
    let expected = [
        "api:api@1: started",
        "api:api@2: started",
        "crash: ERROR (spawn error)",
        "noexec: ERROR (spawn error)",
        "nofile: ERROR (spawn error)",
        "once: started",
        "web: started",
    ];
    assert_eq!(started, expected);
}

#[test]
fn logs_are_read_and_followed() {
    let Some(stage) = Stage::new(SERVICES) else { return };
    stage.project.run(&["up", "-d", "web"]).expect(0);
    stage.project.wait_for_text(".mainstay/logs/web/current", "web two");
    stage.says(&["tail", "web"], 0, "web one\nweb two\n\n");
    stage.says(&["tail", "-5", "web"], 0, " two\n\n");
    stage.says(&["tail", "web", "stderr"], 1, "web: ERROR (no log file)\n");
    stage.says(&["tail", "crash"], 1, "crash: ERROR (no log file)\n");
    stage.says(&["tail", "nope"], 1, "nope: ERROR (no such process name)\n");
    let said = stage.ctl(&["tail", "-f", "nope"]).expect(0);
    assert_eq!(said.out, "==> Press Ctrl-C to exit <==\n");
    assert!(said.err.contains("/logtail/nope/stdout Cannot read, status code 404"), "{}", said.err);
    stage.ctl(&["maintail"]).expect(0).says("audit: ");

    let mut tail = Following::new(&stage, &["tail", "-f", "web"]);
    tail.wait_for("==> Press Ctrl-C to exit <==\nweb one\nweb two\n");
    stage.says(&["restart", "web"], 0, "web: stopped\nweb: started\n");
    tail.wait_for("web one\nweb two\nweb one\nweb two\n");
    let threads = || tails_of(stage.project.three().daemon.unwrap());
    assert_eq!(threads(), 1);
    // The daemon notices that the reader went, though nothing more is written.
    tail.end();
    wait_until("the log is followed no more", || threads() == 0);
    let mut daemon = Following::new(&stage, &["maintail", "-f"]);
    stage.ctl(&["stop", "web"]).expect(0);
    daemon.wait_for("audit: ");
    daemon.end();
}

#[test]
fn errors_that_are_kept_apart_have_a_log_of_their_own() {
    let script = "echo web one; echo bad one >&2; exec sleep 1000";
    let toml = format!("[service.web]\ncommand = [\"sh\", \"-c\", \"{script}\"]\nlog.split = true\n");
    let Some(stage) = Stage::new(&toml) else { return };
    stage.project.up().expect(0);
    stage.project.wait_for_text(".mainstay/logs/web+stderr/current", "bad one");
    stage.says(&["tail", "web"], 0, "web one\n\n");
    stage.says(&["tail", "web", "stderr"], 0, "bad one\n\n");
    stage.says(&["tail", "-4", "web", "stderr"], 0, "one\n\n");
    let mut tail = Following::new(&stage, &["tail", "-f", "web", "stderr"]);
    tail.wait_for("==> Press Ctrl-C to exit <==\nbad one\n");
    stage.says(&["restart", "web"], 0, "web: stopped\nweb: started\n");
    tail.wait_for("bad one\nbad one\n");
    tail.end();
    let mut tail = Following::new(&stage, &["tail", "-f", "web"]);
    tail.wait_for("==> Press Ctrl-C to exit <==\nweb one\nweb one\n");
    tail.end();
}

/// A client that goes on.
struct Following {
    child: Child,
    out: PathBuf,
}

impl Following {
    fn new(stage: &Stage, arguments: &[&str]) -> Self {
        let out = stage.project.runtime.join(format!("out{}", arguments.join("")));
        let file = fs::File::create(&out).unwrap();
        let errors = file.try_clone().unwrap();
        Self { child: stage.command(arguments).stdout(file).stderr(errors).spawn().unwrap(), out }
    }

    fn wait_for(&self, text: &str) {
        let said = || fs::read_to_string(&self.out).unwrap_or_default();
        wait_until(&format!("it says {text:?}"), || said().contains(text));
    }

    fn end(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        self.end();
    }
}

/// How many logs a daemon follows.
fn tails_of(pid: u32) -> usize {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).unwrap().flatten();
    let names = tasks.map(|task| fs::read_to_string(task.path().join("comm")).unwrap_or_default());
    names.filter(|name| name.trim() == "logtail").count()
}

#[test]
fn what_is_not_done_through_this_socket_is_said() {
    let Some(stage) = Stage::new(SERVICES) else { return };
    stage.project.run(&["up", "-d", "web"]).expect(0);
    stage.says(&["reread"], 0, "No config updates to processes\n");
    stage.says(&["update"], 0, "");
    stage.says(&["add", "web"], 0, "ERROR: process group already active\n");
    stage.says(&["add", "nope"], 1, "ERROR: no such process/group: nope\n");
    stage.says(&["remove", "web"], 1, "ERROR: process/group still running: web\n");
    stage.says(&["remove", "nope"], 1, "ERROR: no such process/group: nope\n");
    stage.ctl(&["remove", "once"]).expect(1).says("take it out of there, then `mainstay up -d`");
    stage.says(&["clear", "web"], 1, "web: ERROR (failed)\n");
    stage.says(&["clear", "nope"], 1, "nope: ERROR (no such process)\n");
    stage.ctl(&["clear", "all"]).expect(1).says("web: ERROR (failed)");
    stage.ctl(&["reload"]).expect(1).says("the daemon is not restarted on request");
    stage.ctl(&["fg", "once"]).expect(1).says("ERROR: process not running");

    stage.project.write("mainstay.toml", "[service.web]\ncommand = \"sleep 1000\"\n");
    let unread = "the files differ from what runs; `mainstay up -d` applies them";
    stage.ctl(&["reread"]).expect(1).says(unread);
    stage.ctl(&["update"]).expect(1).says(unread);
    stage.project.up().expect(0);
    stage.says(&["update"], 0, "");
}

#[test]
fn signals_are_judged_as_supervisor_judges_them() {
    let Some(stage) = Stage::new(SERVICES) else { return };
    stage.project.run(&["up", "-d", "web"]).expect(0);
    stage.says(&["signal", "WHAT", "web"], 1, "web: ERROR (bad signal name)\n");
    stage.says(&["signal", "HUP", "nope"], 1, "nope: ERROR (no such process)\n");
    stage.says(&["signal", "HUP", "nope:*"], 1, "nope: ERROR (no such group)\n");
    stage.says(&["signal", "HUP", "crash"], 7, "crash: ERROR (not running)\n");
    stage.says(&["signal", "HUP", "web"], 0, "web: signalled\n");
    wait_until("it says so", || stage.ctl(&["tail", "web"]).out.contains("hup"));
}

#[test]
fn a_restart_leaves_what_depends_on_it_as_it_was() {
    let Some(stage) = Stage::new(
        "[service.db]\ncommand = \"sleep 1000\"\n\
         [service.api]\ncommand = \"sleep 1000\"\ndepends_on = [\"db\"]\n\
         [service.web]\ncommand = \"sleep 1000\"\ndepends_on = [\"api\"]\n\
         [service.off]\ncommand = \"sleep 1000\"\ndepends_on = [\"db\"]\n",
    ) else {
        return;
    };
    stage.project.run(&["up", "-d", "web"]).expect(0);
    // In supervisor nothing depends on anything; here what does ends first, and comes back with it.
    stage.says(&["restart", "db"], 0, "db: stopped\ndb: started\n");
    stage.project.wait_for_phase("web", "running");
    assert_eq!(stage.project.service("off")["phase"], "stopped");
    stage.says(&["stop", "db"], 0, "db: stopped\n");
    assert_eq!(stage.project.service("web")["phase"], "stopped");
    stage.says(&["stop", "web"], 0, "web: ERROR (not running)\n");
    stage.says(&["start", "web"], 0, "web: started\n");
    assert_eq!(stage.project.service("db")["phase"], "running");
}

#[test]
fn waiting_is_starting_with_its_reason() {
    let Some(stage) = Stage::new(
        "[service.db]\ncommand = \"sleep 1000\"\nready = { exec = \"test -e here\", interval = \"50ms\" }\n\
         [service.api]\ncommand = \"sleep 1000\"\ndepends_on = [\"db\"]\n",
    ) else {
        return;
    };
    let mut up = stage.project.spawn(&["up", "-d"]);
    wait_until("the daemon answers", || stage.ctl(&["status", "api"]).out.contains("STARTING"));
    let said = stage.ctl(&["status"]).expect(0);
    assert!(
        said.out.starts_with("api                              STARTING  waiting for db to be ready"),
        "{}",
        said.out
    );
    stage.says(&["start", "api"], 0, "api: ERROR (already started)\n");
    stage.project.write("here", "");
    assert_eq!(up.wait(), 0);
    stage.shows(&["status", "api"], 0, "api                              RUNNING   pid P, uptime U\n");
}

#[test]
fn shutdown_stops_everything_and_is_answered_when_it_is_so() {
    let Some(stage) = Stage::new(SERVICES) else { return };
    stage.project.run(&["up", "-d", "web", "api"]).expect(0);
    let web = stage.project.pid("web");
    let three = stage.project.three();
    stage.says(&["shutdown"], 0, "Shut down\n");
    assert!(!processes().iter().any(|(pid, _)| *pid == web) || !is_alive(web));
    wait_until("daemon, keeper and anchor are gone", || {
        [three.daemon, three.keeper, three.anchor].into_iter().flatten().all(|pid| !is_alive(pid))
    });
    wait_until("the socket is gone", || !exists(stage.socket()));
    let said = stage.ctl(&["status"]).expect(4);
    assert_eq!(said.out, format!("unix://{} no such file\n", stage.socket().display()));
}

#[test]
fn the_shell_of_the_client_works_on_one_connection() {
    let Some(stage) = Stage::new(SERVICES) else { return };
    stage.project.run(&["up", "-d", "web"]).expect(0);
    let mut command = stage.command(&["-i"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"stop web\nstart web\nversion\nquit\n").unwrap();
    let said = Said::from(child.wait_with_output().unwrap()).expect(0);
    for text in ["web: stopped\n", "web: started\n", "4.3.0+mainstay."] {
        assert!(said.out.contains(text), "{}", said.out);
    }
}

#[test]
fn calls_that_the_client_never_makes_are_answered_too() {
    let Some(stage) = Stage::new(SERVICES) else { return };
    stage.project.run(&["up", "-d", "web"]).expect(0);
    let script = r#"
import sys, xmlrpc.client
from supervisor.xmlrpc import SupervisorTransport
s = xmlrpc.client.ServerProxy("http://127.0.0.1", SupervisorTransport(None, None, sys.argv[1]))
v = s.supervisor
print(v.getAPIVersion(), v.getIdentification(), v.getState())
names = s.system.listMethods()
assert names == sorted(names) and all(s.system.methodHelp(n) and s.system.methodSignature(n) for n in names), names
info = v.getProcessInfo("web")
print(sorted(info), info["group"], info["state"], info["now"] - info["start"] < 60)
print(v.tailProcessStdoutLog("web", 0, 4), v.readProcessStdoutLog("web", 4, 3))
print(s.system.multicall([{"methodName": "supervisor.getProcessInfo", "params": ["nope"]},
    {"methodName": "supervisor.getAPIVersion"}, {"methodName": "system.multicall", "params": [[]]}, {}]))
print(v.startProcess("once", False), v.stopProcessGroup("web"), sorted(r["status"] for r in v.startAllProcesses(False))[0])
for call in [lambda: v.nope(), lambda: v.getPID(1), lambda: v.sendProcessStdin("once", "x"), lambda: v.readLog(-1, 1)]:
    try: print(call())
    except xmlrpc.client.Fault as fault: print(fault.faultCode, fault.faultString)
"#;
    let mut python = Command::new("python3");
    python.args(["-c", script, &format!("unix://{}", stage.socket().display())]);
    let said = Said::from(python.env("PYTHONPATH", &stage.client).output().unwrap()).expect(0);
    let expected = "\
3.0 shop {'statecode': 1, 'statename': 'RUNNING'}
['description', 'exitstatus', 'group', 'logfile', 'name', 'now', 'pid', 'spawnerr', 'start', 'state', 'statename', 'stderr_logfile', 'stdout_logfile', 'stop'] web 20 True
['two\\n', 16, True] one
[{'faultCode': 10, 'faultString': 'BAD_NAME: nope'}, '3.0', {'faultCode': 2, 'faultString': 'INCORRECT_PARAMETERS: Recursive system.multicall forbidden'}, {'faultCode': 2, 'faultString': 'INCORRECT_PARAMETERS: No methodName'}]
True [{'name': 'web', 'group': 'web', 'status': 80, 'description': 'OK'}] 80
1 UNKNOWN_METHOD
2 INCORRECT_PARAMETERS
70 NOT_RUNNING: once
3 BAD_ARGUMENTS
";
    assert_eq!(said.out, expected, "{}", said.err);
}

#[test]
fn garbage_is_refused_and_harms_nobody() {
    let Some(stage) = Stage::new(SERVICES) else { return };
    stage.project.run(&["up", "-d", "web"]).expect(0);
    let deep = format!("<methodCall>{}", "<value><array><data>".repeat(10_000));
    let doctype = "<!DOCTYPE a [<!ENTITY b \"c\">]><methodCall><methodName>&b;</methodName></methodCall>";
    for body in ["", "hello", "<methodCall>", "<methodCall></x>", "<methodCall/>", "\0", &deep, doctype] {
        let answer = stage.call(body);
        assert!(answer.starts_with("HTTP/1.1 400 "), "{body:.40}: {answer}");
    }
    let large = "a".repeat(20 * 1024);
    let many: String = (0..500).map(|number| format!("A{number}: b\r\n")).collect();
    let rows = [
        ("GARBAGE\r\n\r\n".to_owned(), "400"),
        ("P\0ST / HTTP/1.1\r\n\r\n".to_owned(), "400"),
        (format!("GET / HTTP/1.1\r\nA: {large}\r\n\r\n"), "431"),
        (format!("GET / HTTP/1.1\r\n{many}\r\n"), "431"),
        ("POST /RPC2 HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n<".to_owned(), "413"),
        ("POST /other HTTP/1.1\r\nContent-Length: 0\r\n\r\n".to_owned(), "404"),
        ("GET /RPC2 HTTP/1.1\r\n\r\n".to_owned(), "400"),
        ("GET / HTTP/1.1\r\n\r\n".to_owned(), "404"),
        ("GET /logtail/../../../etc/passwd HTTP/1.1\r\n\r\n".to_owned(), "404"),
        ("POST /logtail/web HTTP/1.1\r\nContent-Length: 0\r\n\r\n".to_owned(), "400"),
    ];
    for (request, status) in rows {
        let answer = stage.raw(request.as_bytes());
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{request:.60}: {answer}");
    }
    // More than is allowed, without saying so before.
    let chunk = format!("10000\r\n{}\r\n", "a".repeat(0x10000)).repeat(20);
    let chunked = format!("POST /RPC2 HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n{chunk}0\r\n\r\n");
    assert!(stage.raw(chunked.as_bytes()).starts_with("HTTP/1.1 413 "));
    // Half a request, and nothing.
    for half in ["P", "POST /RPC2 HTTP/1.1\r\nConte", "POST /RPC2 HTTP/1.1\r\nContent-Length: 10\r\n\r\n<met"]
    {
        let answer = stage.raw(half.as_bytes());
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{half}: {answer}");
    }
    // Words in small letters are for the other language of this socket.
    assert!(stage.raw(b"hello\n").starts_with("{\"ok\":false"));
    assert!(stage.raw(b" {\"request\":\"ping\"}\n").starts_with("{\"ok\":true,\"answer\":\"pong\""));
    stage.shows(&["status", "web"], 0, "web                              RUNNING   pid P, uptime U\n");
}

/// After which time such a client is let go is shown where the clock can be made to run: in the room of this door.
#[test]
fn clients_that_say_nothing_more_keep_nobody_waiting_and_are_let_go() {
    let Some(stage) = Stage::new(SERVICES) else { return };
    stage.project.run(&["up", "-d", "web"]).expect(0);
    let silent = ["P", "GET / HTTP/1.1\r\nA: "].map(|begun| {
        let mut stream = UnixStream::connect(stage.socket()).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        stream.write_all(begun.as_bytes()).unwrap();
        stream
    });
    stage.shows(&["status", "web"], 0, "web                              RUNNING   pid P, uptime U\n");
    stage.project.run(&["down"]).expect(0);
    for mut stream in silent {
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
    }
}
