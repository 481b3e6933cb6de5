//! What else may go wrong around services: time that nobody lived through, programs that cannot be opened, output that is not
//! where it was, state that is none, folders without room, a daemon that dies each time.
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
    io::{BufRead, BufReader, Read},
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use story::{Project, Said, is_alive, kill, wait_until};

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

/// Says that it is ready, then every 200 ms that it lives.
const LOYAL: &str = "\
import os, socket, time
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.connect(os.environ['NOTIFY_SOCKET'])
s.send(b'READY=1')
while True:
    s.send(b'WATCHDOG=1')
    time.sleep(0.2)
";

#[test]
fn those_who_all_slept_do_not_hold_it_against_each_other() {
    let port = story::free_port();
    let project = Project::new(&format!(
        "{TALKER}[service.loyal]\ncommand = [\"python3\", \"loyal.py\"]\nready = {{ notify = true }}\nwatchdog = \"1s\"\nstop.timeout = \"200ms\"\n\
         [service.web]\ncommand = [\"python3\", \"-m\", \"http.server\", \"--bind\", \"127.0.0.1\", \"{port}\"]\n\
         ready = {{ tcp = \"127.0.0.1:{port}\" }}\n\
         health = {{ http = \"http://127.0.0.1:{port}/\", interval = \"50ms\", timeout = \"500ms\", failures = 1 }}\n\
         [service.asks]\ncommand = \"sleep 1000\"\n\
         health = {{ exec = [\"sleep\", \"0.3\"], interval = \"50ms\", timeout = \"1s\", failures = 1 }}\n\
         [service.slow]\ncommand = \"./slow\"\nready = {{ log = \"ready\" }}\nstop.timeout = \"2s\"\n"
    ));
    project.write("loyal.py", LOYAL);
    project
        .script("slow", "trap 'echo asked; sleep 1; exit 0' TERM\necho ready\nwhile :; do sleep 0.05; done");
    project.up().expect(0);
    let names = ["talker", "loyal", "web", "asks", "slow"];
    let services = names.map(|name| project.pid(name));
    let three = project.three();
    project.run(&["stop", "slow", "--no-wait"]).expect(0);
    project.wait_for_text(".mainstay/logs/slow/current", "asked");
    // Services with all that belongs to them; those who look after them wake first.
    let ours = [three.keeper, three.daemon].map(Option::unwrap);
    let groups = services.map(|pid| format!("-{pid}"));
    let signal = |name: &str| {
        let all = ours.iter().map(u32::to_string).chain(groups.iter().cloned());
        for target in all {
            assert!(Command::new("kill").args(["-s", name, "--", &target]).status().unwrap().success());
        }
    };
    signal("STOP");
    sleep(Duration::from_millis(4500));
    signal("CONT");
    project.wait_for_phase("slow", "stopped");
    assert_eq!(project.service("slow")["exit"]["code"], 0, "it had its time");
    // Long enough for each to be judged once more.
    sleep(Duration::from_millis(1500));
    for (name, pid) in names.iter().zip(services).take(4) {
        let service = project.service(name);
        assert_eq!(
            (service["pid"].as_u64(), service["restarts"].as_u64()),
            (Some(pid.into()), Some(0)),
            "{service}\n{}",
            project.run(&["history", name]).out
        );
    }
    // One that alone stands still is found.
    let loyal = project.pid("loyal");
    kill(loyal, "STOP");
    wait_until("it is replaced", || {
        project.service("loyal")["pid"].as_u64().is_some_and(|pid| pid != u64::from(loyal))
    });
}

/// Whoever opens this file waits until this is dropped (`F_SETLEASE` of fcntl(2)), as for a file server that does not answer.
struct Hanging(Child);

const LEASE: &str = "\
import fcntl, os, signal, sys
signal.signal(signal.SIGIO, signal.SIG_IGN)
fd = os.open(sys.argv[1], os.O_RDONLY)
fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_WRLCK)
print('held', flush=True)
sys.stdin.read()
";

impl Hanging {
    fn new(file: &Path) -> Option<Self> {
        let mut command = Command::new("python3");
        command.args(["-c", LEASE]).arg(file).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let held = Self(child);
        (line == "held\n").then_some(held)
    }
}

impl Drop for Hanging {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_program_that_cannot_be_opened_holds_up_nobody_else_and_runs_once() {
    let project = Project::new(&format!(
        "{TALKER}health = {{ exec = \"./check\", interval = \"100ms\", timeout = \"300ms\", failures = 1000 }}\n\
         [service.hangs]\ncommand = \"./hangs\"\n[service.late]\ncommand = \"sleep 1000\"\n"
    ));
    project.script("hangs", "echo $$ >> runs\nexec sleep 1000");
    project.script("check", "exit 0");
    project.run(&["up", "-d", "talker"]).expect(0);
    let talker = project.pid("talker");
    let (Some(hangs), Some(check)) =
        (Hanging::new(&project.dir.join("hangs")), Hanging::new(&project.dir.join("check")))
    else {
        return story::skipped("files here know no leases");
    };
    project.run(&["start", "hangs", "--no-wait"]).expect(0);
    project.wait_for_phase("hangs", "starting");
    let begun = Instant::now();
    project.run(&["start", "late", "--timeout", "5s"]).expect(0);
    project.run(&["list"]).expect(0);
    assert!(begun.elapsed() < Duration::from_secs(3));
    let failing =
        || project.service("talker")["reason"]["text"].as_str().unwrap().contains("timed out after 300 ms");
    wait_until("its check is told to take too long", failing);
    goes_on(&project, talker);
    is_calm(&[project.three().keeper.unwrap(), project.three().anchor.unwrap()], Duration::from_millis(600));
    let keeper = project.three().keeper.unwrap();
    kill(keeper, "KILL");
    wait_until("another keeper works", || project.three().keeper.is_some_and(|pid| pid != keeper));
    wait_until("another daemon answers", || project.run(&["list", "--timeout", "5s"]).code == 0);
    assert_eq!(project.service("hangs")["phase"], "starting");
    goes_on(&project, talker);
    // Whoever wants it stopped is told that this is not so yet.
    assert_eq!(project.run(&["stop", "hangs", "--timeout", "500ms"]).code, 124);
    project.run(&["start", "hangs", "--no-wait"]).expect(0);
    drop((hangs, check));
    project.wait_for_phase("hangs", "running");
    wait_until("it is well", || project.service("talker")["status"] == "ok");
    let pid = project.pid("hangs");
    project.wait_for_text("runs", &pid.to_string());
    let lived: Vec<u32> =
        project.read("runs").lines().map(|line| line.parse().unwrap()).filter(|pid| is_alive(*pid)).collect();
    assert_eq!(lived, [pid]);
    goes_on(&project, talker);
}

#[test]
fn what_services_do_with_their_output_is_their_own_affair() {
    let project = Project::new(
        "[service.closes]\ncommand = [\"sh\", \"-c\", \"echo before; exec >&- 2>&-; touch closed; exec sleep 1000\"]\n\
         [service.helps]\ncommand = \"./helps\"\n\
         kind = \"oneshot\"\n\
         [service.reopens]\ncommand = [\"sh\", \"-c\", \"echo one > /dev/stdout; echo two >> /dev/stderr; echo three > /proc/self/fd/1; exec sleep 1000\"]\n\
         [service.cuts]\ncommand = [\"sh\", \"-c\", \"echo one; until grep -q one .mainstay/logs/cuts/current; do sleep 0.02; done; : > .mainstay/logs/cuts/current; echo two; exec sleep 1000\"]\n",
    );
    project.script(
        "helps",
        "setsid sh -c 'echo helping; echo $$ > helper; exec sleep 1000' &\nuntil test -s helper; do sleep 0.02; done\necho done",
    );
    project.up().expect(0);
    wait_until("it has closed it", || story::exists(project.dir.join("closed")));
    project.wait_for_text(".mainstay/logs/reopens/current", "three\n");
    assert_eq!(project.log("reopens"), "one\ntwo\nthree\n");
    project.wait_for_phase("helps", "completed");
    project.wait_for_text(".mainstay/logs/helps/current", "done\n");
    assert_eq!(project.log("helps"), "helping\ndone\n");
    let helper: u32 = project.read("helper").trim().parse().unwrap();
    wait_until("what it left behind is gone", || !is_alive(helper));
    wait_until("its log goes on", || project.log("cuts") == "two\n");
    assert_eq!(project.log("closes"), "before\n");
    let three = project.three();
    is_calm(&[three.anchor, three.keeper, three.daemon].map(Option::unwrap), Duration::from_secs(1));
    for name in ["closes", "reopens", "cuts"] {
        let service = project.service(name);
        assert_eq!(
            (service["phase"].as_str(), service["restarts"].as_u64()),
            (Some("running"), Some(0)),
            "{service}"
        );
    }
    // Nobody reads from it any more, so that it is heard by no second run either.
    let closes = project.pid("closes");
    kill(three.keeper.unwrap(), "KILL");
    wait_until("all is there again", || {
        project.three().keeper != three.keeper && project.run(&["list", "--timeout", "5s"]).code == 0
    });
    assert_eq!(project.pid("closes"), closes);
    project.run(&["restart", "closes"]).expect(0);
    wait_until("it wrote once more", || project.log("closes") == "before\nbefore\n");
}

#[test]
fn a_daemon_that_dies_each_time_is_started_ever_more_rarely_and_services_go_on() {
    let project = Project::new(TALKER);
    project.up().expect(0);
    let talker = project.pid("talker");
    let three = project.three();
    let [anchor, keeper] = [three.anchor, three.keeper].map(Option::unwrap);
    let mut killed = Vec::new();
    let end = Instant::now() + Duration::from_secs(2);
    while Instant::now() < end {
        let daemon = project.three().daemon.filter(|pid| !killed.contains(pid) && is_alive(*pid));
        if let Some(daemon) = daemon {
            kill(daemon, "KILL");
            killed.push(daemon);
        }
        sleep(Duration::from_millis(5));
    }
    assert!((3..=7).contains(&killed.len()), "{killed:?}");
    is_calm(&[anchor, keeper], Duration::from_secs(1));
    wait_until("one that lives answers", || project.run(&["list", "--timeout", "5s"]).code == 0);
    goes_on(&project, talker);
    assert_eq!((project.three().anchor, project.three().keeper), (three.anchor, three.keeper));
    let log = project.read(".mainstay/anchor.log") + &project.read(".mainstay/logs/@daemon/current");
    assert!(log.contains("start "), "{log}");
}

/// What a state folder may hold instead of what it should.
fn garbage(kind: &str, path: &Path) {
    match kind {
        "bytes" => {
            let mut bytes = vec![0; 4096];
            fs::File::open("/dev/urandom").unwrap().read_exact(&mut bytes).unwrap();
            fs::write(path, bytes).unwrap();
        }
        "folder" => fs::create_dir_all(path.join("within")).unwrap(),
        "link" => symlink("/nowhere/at/all", path).unwrap(),
        _ => assert!(Command::new("mkfifo").arg(path).status().unwrap().success()),
    }
}

#[test]
fn a_state_folder_of_garbage_hangs_nobody_and_what_is_in_the_way_is_named() {
    let names =
        ["applied.json", "history.db", "generations", "logs", "keeper.lock", "anchor.lock", "run", "by-hand"];
    let wrong = std::thread::scope(|scope| {
        let kinds = ["bytes", "folder", "link", "fifo"];
        let tried = kinds.map(|kind| {
            scope.spawn(move || names.iter().filter_map(|name| in_the_way(kind, name)).collect::<String>())
        });
        tried.map(|tried| tried.join().unwrap()).concat()
    });
    assert!(wrong.is_empty(), "{wrong}");
}

/// It comes up regardless, or says what is in its way; else what it did.
fn in_the_way(kind: &str, name: &str) -> Option<String> {
    let project = Project::new("[service.api]\ncommand = \"sleep 1000\"\n");
    fs::create_dir(project.dir.join(".mainstay")).unwrap();
    garbage(kind, &project.dir.join(".mainstay").join(name));
    let mut up = project.spawn(&["up", "-d", "--timeout", "10s"]);
    let code = up.wait();
    let said = up.output();
    let is_good = code == 0 || (code != 124 && said.contains(name));
    println!("{kind} as {name}: {code} {}", said.lines().next().unwrap_or_default());
    (!is_good).then(|| format!("{kind} as {name}: {code}\n{said}"))
}

/// A small file system in memory, where the run-time folder is.
struct Small(PathBuf);

impl Small {
    fn mount(point: &Path) -> Option<Self> {
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=4m,mode=0700", "none"]).arg(point).stderr(Stdio::null());
        mount.status().is_ok_and(|status| status.success()).then(|| Self(point.to_owned()))
    }

    fn fill(&self) {
        use std::io::Write as _;
        let mut file = fs::File::create(self.0.join("ballast")).unwrap();
        while file.write_all(&[1; 4096]).is_ok() {}
    }

    fn empty(&self) {
        fs::remove_file(self.0.join("ballast")).unwrap();
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[test]
fn a_full_run_folder_stops_no_service_and_what_needs_room_there_waits_for_it() {
    let project = Project::new(&format!("{TALKER}[service.late]\ncommand = \"sleep 1000\"\n"));
    let Some(small) = Small::mount(&project.runtime) else {
        return story::skipped("nothing can be mounted here");
    };
    small.fill();
    let said: Said = project.run(&["up", "-d", "talker", "--timeout", "20s"]);
    assert!(said.code != 0 && said.code != 124, "{said:?}");
    said.says("No space left").says(&project.runtime.to_string_lossy());
    small.empty();
    project.run(&["up", "-d", "talker"]).expect(0);
    let talker = project.pid("talker");
    small.fill();
    goes_on(&project, talker);
    project.run(&["start", "late", "--no-wait"]).expect(0);
    project.wait_for_phase("late", "waiting");
    let text = project.service("late")["reason"]["text"].to_string();
    assert!(text.contains("No space left"), "{text}");
    let three = project.three();
    for pid in [three.daemon.unwrap(), three.keeper.unwrap()] {
        kill(pid, "KILL");
        wait_until("all is there again", || {
            let now = project.three();
            now.daemon.is_some()
                && now.keeper.is_some()
                && ![now.daemon, now.keeper].contains(&Some(pid))
                && project.run(&["list", "--timeout", "5s"]).code == 0
        });
        goes_on(&project, talker);
    }
    let three = project.three();
    is_calm(&[three.anchor, three.keeper, three.daemon].map(Option::unwrap), Duration::from_secs(1));
    small.empty();
    project.run(&["start", "late"]).expect(0);
    goes_on(&project, talker);
    project.run(&["down"]).expect(0);
}
