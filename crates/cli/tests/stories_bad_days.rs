//! Days on which the machine has no room: for descriptors, for processes, for memory, for files. Services that run go on, what
//! could not be done is said, and all resumes by itself.
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
    os::unix::fs::{MetadataExt, PermissionsExt, chown},
    path::PathBuf,
    process::Command,
    thread::sleep,
    time::{Duration, Instant},
};

use story::{Project, Said, Three, is_alive, kill, wait_until};

/// A user of whom there are no other processes.
const LONELY: u32 = 54_321;

/// `prlimit` for this process, as its user: root itself may not where it is not all-powerful.
fn prlimit(pid: u32) -> Command {
    let owner = fs::metadata(format!("/proc/{pid}")).unwrap().uid();
    let mut command = match owner {
        0 => Command::new("prlimit"),
        _ => {
            let mut command = Command::new("setpriv");
            let user = [format!("--reuid={owner}"), format!("--regid={owner}"), "--clear-groups".to_owned()];
            command.args(user).arg("prlimit");
            command
        }
    };
    command.args(["--pid", &pid.to_string()]);
    command
}

/// Sets a limit of a process; the hard one stays, so that it can be raised again.
fn limit(pid: u32, what: &str, soft: &str) {
    let argument = format!("--{what}={soft}:");
    assert!(prlimit(pid).arg(&argument).status().unwrap().success(), "{argument}");
}

/// Puts the soft limit where the hard one is.
fn lift(pid: u32, what: &str) {
    let asked = prlimit(pid).args(["--noheadings", "--raw", "--output=HARD", &format!("--{what}")]).output();
    limit(pid, what, String::from_utf8(asked.unwrap().stdout).unwrap().trim());
}

/// A limit at which this process may open so many more.
fn leave(pid: u32, files: usize) {
    let open = || {
        let entries = fs::read_dir(format!("/proc/{pid}/fd")).unwrap().flatten();
        let numbers: Vec<u32> =
            entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
        numbers
    };
    let numbers = open();
    let free = (0..).filter(|number| !numbers.contains(number)).nth(files).unwrap();
    limit(pid, "nofile", &free.to_string());
}

/// Clock ticks of the processor that a process has used.
fn ticks(pid: u32) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let fields: Vec<&str> =
        stat.rsplit(')').next().unwrap_or_default().split_whitespace().skip(11).take(2).collect();
    fields.iter().filter_map(|field| field.parse::<u64>().ok()).sum()
}

/// While it lasts, these use nearly nothing: less than a tenth of a processor.
fn is_calm(pids: &[u32], span: Duration) {
    let used = || pids.iter().map(|pid| ticks(*pid)).collect::<Vec<u64>>();
    let before = used();
    sleep(span);
    let most = u64::try_from(span.as_millis()).unwrap() / 100 + 2;
    for (pid, (before, after)) in pids.iter().zip(before.into_iter().zip(used())) {
        assert!(after - before <= most, "process {pid} used {} ticks in {span:?}", after - before);
    }
}

fn pids(three: Three) -> [u32; 3] {
    [three.anchor, three.keeper, three.daemon].map(Option::unwrap)
}

/// Its reason, as a code and in words.
fn reason(project: &Project, id: &str) -> (String, String) {
    let reason = project.service(id)["reason"].clone();
    (reason["code"].as_str().unwrap().to_owned(), reason["text"].as_str().unwrap().to_owned())
}

/// Writes a line every 20 ms.
const TALKER: &str =
    "[service.talker]\ncommand = [\"sh\", \"-c\", \"while :; do echo line; sleep 0.02; done\"]\n";

/// It runs as it did, and what it writes arrives.
fn goes_on(project: &Project, pid: u32) {
    let lines = || project.log("talker").len();
    let before = lines();
    wait_until("its lines arrive", || lines() > before);
    let talker = project.service("talker");
    assert_eq!(
        (talker["pid"].as_u64(), talker["restarts"].as_u64()),
        (Some(pid.into()), Some(0)),
        "{talker}"
    );
}

#[test]
fn a_keeper_out_of_descriptors_starts_nothing_and_loses_nothing() {
    let project = Project::new(&format!(
        "{TALKER}[service.late]\ncommand = \"sleep 1000\"\nrestart = \"never\"\n\
         [service.notifies]\ncommand = [\"sh\", \"-c\", \"sleep 0.1; exec sleep 1000\"]\nready = {{ notify = true }}\n"
    ));
    project.run(&["up", "-d", "talker"]).expect(0);
    let talker = project.pid("talker");
    let three = project.three();
    let keeper = three.keeper.unwrap();
    leave(keeper, 0);
    project.run(&["start", "late", "notifies", "--no-wait"]).expect(0);
    project.wait_for_phase("late", "waiting");
    project.wait_for_phase("notifies", "waiting");
    let (_, text) = reason(&project, "late");
    assert!(text.contains("no room for another open file"), "{text}");
    project.run(&["explain", "late"]).says("no room for another open file");
    goes_on(&project, talker);
    is_calm(&pids(three), Duration::from_millis(600));
    lift(keeper, "nofile");
    project.wait_for_phase("late", "running");
    assert_eq!((project.three(), project.service("late")["restarts"].as_u64()), (three, Some(0)));
    goes_on(&project, talker);
}

#[test]
fn with_a_low_limit_on_descriptors_as_many_run_as_it_carries_and_a_dead_keeper_is_replaced() {
    let project = Project::new(&format!(
        "{TALKER}[service.many]\ncommand = [\"sh\", \"-c\", \"echo up; exec sleep 1000\"]\ninstances = 30\ndepends_on = [\"talker\"]\n"
    ));
    let mut up = Command::new("prlimit");
    let command = project.command(&["up", "-d", "--timeout", "2s"]);
    up.arg("--nofile=80:80").arg(command.get_program()).args(command.get_args()).current_dir(&project.dir);
    up.env("XDG_RUNTIME_DIR", &project.runtime).env("NO_COLOR", "1");
    Said::from(up.output().unwrap()).expect(124);
    let talker = project.pid("talker");
    let of = |phase: &str| {
        let list = project.run(&["list", "--json"]).expect(0).json();
        let is_so = |service: &&serde_json::Value| service["name"] == "many" && service["phase"] == phase;
        let services = list["services"].as_array().unwrap();
        services.iter().filter(is_so).map(|service| service["pid"].as_u64()).collect::<Vec<_>>()
    };
    let running = of("running");
    assert!(!running.is_empty() && running.len() < 30, "{running:?}");
    let (_, text) = reason(&project, "many@30");
    assert!(text.contains("no room for another open file"), "{text}");
    let keeper = project.three().keeper.unwrap();
    kill(keeper, "KILL");
    wait_until("another keeper works", || project.three().keeper.is_some_and(|pid| pid != keeper));
    wait_until("another daemon answers", || project.run(&["list", "--timeout", "5s"]).code == 0);
    goes_on(&project, talker);
    let after = of("running");
    assert!(running.iter().all(|pid| after.contains(pid)), "{running:?} {after:?}");
    // What one lets go is there for another.
    let first = project.service("many@1");
    assert_eq!(first["phase"], "running");
    project.run(&["stop", "many@1"]).expect(0);
    project.run(&["start", "many@30", "--no-wait"]).expect(0);
    wait_until("another one runs", || of("running").iter().any(|pid| !running.contains(pid)));
}

#[test]
fn an_anchor_out_of_descriptors_keeps_what_it_has_until_there_is_room_for_a_keeper() {
    let project = Project::new(&format!(
        "{TALKER}[service.ends]\ncommand = [\"sh\", \"-c\", \"until test -e end; do sleep 0.02; done; exit 7\"]\n\
         restart = \"never\"\n"
    ));
    project.up().expect(0);
    let talker = project.pid("talker");
    let [anchor, keeper, _] = pids(project.three());
    let ends = project.pid("ends");
    leave(anchor, 0);
    kill(keeper, "KILL");
    wait_until("the keeper is gone", || !is_alive(keeper));
    project.write("end", "");
    wait_until("the other has ended", || !is_alive(ends));
    is_calm(&[anchor], Duration::from_secs(1));
    assert!(is_alive(talker) && project.three().keeper.is_none());
    lift(anchor, "nofile");
    wait_until("all is there again", || project.run(&["list", "--timeout", "2s"]).code == 0);
    goes_on(&project, talker);
    wait_until("its end is known", || project.service("ends")["exit"]["code"] == 7);
}

#[test]
fn a_daemon_out_of_descriptors_judges_nobody_by_what_it_could_not_ask() {
    let port = story::free_port();
    let project = Project::new(&format!(
        "{TALKER}health = {{ exec = \"true\", interval = \"100ms\", failures = 2 }}\n\
         [service.web]\ncommand = [\"python3\", \"-m\", \"http.server\", \"--bind\", \"127.0.0.1\", \"{port}\"]\n\
         ready = {{ tcp = \"127.0.0.1:{port}\" }}\n\
         health = {{ http = \"http://127.0.0.1:{port}/\", interval = \"100ms\", failures = 2 }}\n"
    ));
    project.up().expect(0);
    let (talker, web) = (project.pid("talker"), project.pid("web"));
    let three = project.three();
    let daemon = three.daemon.unwrap();
    // A few are kept from those who connect.
    leave(daemon, 8);
    project.run(&["list", "--timeout", "5s"]).expect(1).says("too many files are open").says("help: ");
    leave(daemon, 0);
    project.run(&["list", "--timeout", "500ms"]);
    is_calm(&pids(three), Duration::from_secs(1));
    lift(daemon, "nofile");
    wait_until("it answers again", || project.run(&["list", "--timeout", "5s"]).code == 0);
    goes_on(&project, talker);
    let service = project.service("web");
    assert_eq!((project.pid("web"), service["restarts"].as_u64()), (web, Some(0)), "{service}");
    wait_until("it is well", || project.service("web")["status"] == "ok");
    assert_eq!(project.three(), three);
    let log = project.read(".mainstay/logs/@daemon/current");
    assert!(log.matches("no connection to the local socket can be taken").count() <= 1, "{log}");
}

/// The program where everybody may run it, and a folder of this user's.
fn lonely(project: &Project) -> impl Fn(&[&str]) -> Command + use<> {
    let root = project.dir.parent().unwrap().to_owned();
    fs::set_permissions(&root, fs::Permissions::from_mode(0o755)).unwrap();
    let program = root.join("mainstay");
    fs::copy(env!("CARGO_BIN_EXE_mainstay"), &program).unwrap();
    for dir in [&project.dir, &project.runtime] {
        chown(dir, Some(LONELY), Some(LONELY)).unwrap();
    }
    let (dir, runtime): (PathBuf, PathBuf) = (project.dir.clone(), project.runtime.clone());
    move |arguments| {
        let mut command = Command::new("setpriv");
        let user = [format!("--reuid={LONELY}"), format!("--regid={LONELY}"), "--clear-groups".to_owned()];
        command.args(user).arg(&program).args(arguments).current_dir(&dir);
        command.env("XDG_RUNTIME_DIR", &runtime).env("NO_COLOR", "1").env("HOME", &dir);
        command
    }
}

#[test]
fn out_of_processes_nothing_is_started_nothing_is_judged_and_all_comes_back() {
    let project = Project::new(&format!(
        "{TALKER}health = {{ exec = \"true\", interval = \"100ms\", failures = 2 }}\n\
         [service.late]\ncommand = \"sleep 1000\"\nrestart = {{ policy = \"on-failure\", attempts = 1, delay = \"100ms\" }}\n"
    ));
    let lonely = lonely(&project);
    let run = |arguments: &[&str]| Said::from(lonely(arguments).output().unwrap());
    let up = run(&["up", "-d", "talker"]);
    if up.code != 0 {
        return story::skipped(&format!("another user cannot run it here: {}", up.err));
    }
    let talker = project.pid("talker");
    let [anchor, keeper, daemon] = pids(project.three());
    let ours = [anchor, keeper, daemon];
    ours.iter().for_each(|pid| limit(*pid, "nproc", "1"));
    project.run(&["start", "late", "--no-wait"]).expect(0);
    project.wait_for_phase("late", "waiting");
    let (_, text) = reason(&project, "late");
    assert!(text.contains("allows no more processes; it is tried again in "), "{text}");
    is_calm(&ours, Duration::from_millis(600));
    goes_on(&project, talker);
    // Those that die meanwhile are started again once that is possible.
    kill(daemon, "KILL");
    wait_until("the daemon is gone", || !is_alive(daemon));
    kill(talker, "STOP");
    let said = project.run(&["list", "--timeout", "1s"]);
    assert_ne!(said.code, 0);
    kill(talker, "CONT");
    lift(keeper, "nproc");
    wait_until("a daemon answers", || project.run(&["list", "--timeout", "5s"]).code == 0);
    project.run(&["start", "late"]).expect(0);
    goes_on(&project, talker);
    kill(keeper, "KILL");
    wait_until("the keeper is gone", || !is_alive(keeper));
    is_calm(&[anchor], Duration::from_millis(600));
    assert_eq!((project.three().keeper, is_alive(talker)), (None, true));
    lift(anchor, "nproc");
    wait_until("all is there again", || project.run(&["list", "--timeout", "5s"]).code == 0);
    goes_on(&project, talker);
}

#[test]
fn a_daemon_that_cannot_be_made_while_nothing_runs_is_no_end() {
    let project = Project::new(
        "[service.flaps]\ncommand = \"false\"\nrestart = { policy = \"on-failure\", delay = \"1h\", max_delay = \"1h\" }\n",
    );
    let lonely = lonely(&project);
    let up = Said::from(lonely(&["up", "-d", "--timeout", "2s"]).output().unwrap());
    if up.err.contains("Permission denied") {
        return story::skipped("another user cannot run it here");
    }
    project.wait_for_phase("flaps", "waiting");
    let [anchor, keeper, daemon] = pids(project.three());
    // As it would be if it had lived for a while: the one before counts.
    limit(keeper, "nproc", "1");
    kill(daemon, "KILL");
    wait_until("the daemon is gone", || !is_alive(daemon));
    let trouble = project.dir.join(".mainstay/run/trouble");
    wait_until("the reason is there", || {
        fs::read_to_string(&trouble).is_ok_and(|text| text.contains("processes"))
    });
    is_calm(&[anchor, keeper], Duration::from_millis(600));
    assert!(is_alive(anchor) && is_alive(keeper));
    lift(keeper, "nproc");
    wait_until("a daemon answers", || project.run(&["list", "--timeout", "5s"]).code == 0);
    assert_eq!(project.service("flaps")["phase"], "waiting");
}

#[test]
fn when_memory_runs_out_services_go_before_those_who_look_after_them() {
    let project = Project::new(
        "[service.api]\ncommand = \"sleep 1000\"\n\
         hooks.before_start = [\"sh\", \"-c\", \"cat /proc/self/oom_score_adj > hook\"]\n",
    );
    let score =
        |pid: &str| fs::read_to_string(format!("/proc/{pid}/oom_score_adj")).unwrap().trim().to_owned();
    let ours = score("self");
    project.up().expect(0);
    let [anchor, keeper, daemon] = pids(project.three());
    let has_right = score(&anchor.to_string()) != ours;
    // Not everybody has that right; nobody else is to get it by that.
    if has_right {
        assert_eq!([anchor, keeper].map(|pid| score(&pid.to_string())), ["-900", "-900"]);
    }
    let api = project.pid("api");
    assert_eq!([daemon, api].map(|pid| score(&pid.to_string())), [ours.clone(), ours.clone()]);
    assert_eq!(project.read("hook").trim(), ours);
    // So it is after a death and an upgrade.
    kill(keeper, "KILL");
    wait_until("another keeper works", || {
        project.three().keeper.is_some_and(|pid| pid != keeper) && project.run(&["list"]).code == 0
    });
    project.run(&["daemon", "upgrade"]).expect(0);
    project.run(&["restart", "api"]).expect(0);
    assert_eq!(score(&project.pid("api").to_string()), ours);
    let [anchor, keeper, _] = pids(project.three());
    if has_right {
        assert_eq!([anchor, keeper].map(|pid| score(&pid.to_string())), ["-900", "-900"]);
    }
}

#[test]
fn who_cannot_have_memory_ends_and_another_comes() {
    let project = Project::new(TALKER);
    project.up().expect(0);
    let talker = project.pid("talker");
    let three = project.three();
    for pid in [three.daemon.unwrap(), three.keeper.unwrap()] {
        limit(pid, "as", "1");
        // Whether they fall over it or not: what needs memory is asked of them until one has.
        let end = Instant::now() + Duration::from_secs(1);
        while is_alive(pid) && Instant::now() < end {
            project.run(&["list", "--timeout", "500ms"]);
        }
        if is_alive(pid) {
            kill(pid, "KILL");
        }
        wait_until("another daemon answers", || project.run(&["list", "--timeout", "5s"]).code == 0);
        goes_on(&project, talker);
    }
}
