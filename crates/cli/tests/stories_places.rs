//! Folders that vanish, move or are copied under a running project, files that are no files, and services run by hand: nothing
//! is ever started twice, and `down` always finds what runs.
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
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
};

use story::{Project, Said, Three, is_alive, kill, wait_until};

/// `api` needs `db`, and both say in one file when they end.
const TOML: &str = r#"
[service.db]
command = ["sh", "-c", "trap 'echo db >> ended; exit 0' TERM; echo db up; while :; do sleep 0.02; done"]

[service.api]
command = ["sh", "-c", "trap 'echo api >> ended; exit 0' TERM; n=0; while :; do n=$((n+1)); echo line $n; sleep 0.02; done"]
depends_on = ["db"]
"#;

/// What runs, and what may not run twice.
struct Running {
    three: Three,
    db: u32,
    api: u32,
}

impl Running {
    fn start(project: &Project) -> Self {
        project.up().expect(0);
        Self { three: project.three(), db: project.pid("db"), api: project.pid("api") }
    }

    /// `anchor (pid 12) and keeper (pid 13)`.
    fn who(&self) -> String {
        format!("anchor (pid {}) and keeper (pid {})", self.three.anchor.unwrap(), self.three.keeper.unwrap())
    }

    #[track_caller]
    fn goes_on(&self) {
        assert!(is_alive(self.db) && is_alive(self.api));
    }

    #[track_caller]
    fn is_over(&self) {
        let three = [self.three.anchor, self.three.keeper, self.three.daemon];
        for pid in three.into_iter().flatten().chain([self.db, self.api]) {
            wait_until("it is gone", || !is_alive(pid));
        }
    }
}

fn run_dir(project: &Project) -> PathBuf {
    fs::read_link(project.dir.join(".mainstay/run")).unwrap()
}

/// Exactly this on standard error.
#[track_caller]
fn fails(said: Said, code: i32, error: &str, help: &str) {
    let said = said.expect(code);
    assert_eq!(said.err, format!("error: {error}\nhelp: {help}\n"), "stdout:\n{}", said.out);
}

const STOP_IT: &str = "`mainstay down` stops everything in order; after that `mainstay up` starts it again";

#[test]
fn a_run_folder_that_was_removed_starts_nothing_twice_and_down_stops_in_order() {
    let project = Project::new(TOML);
    let running = Running::start(&project);
    let run_dir = run_dir(&project);
    fs::remove_dir_all(&run_dir).unwrap();
    let gone = format!("its run folder {} is gone", run_dir.display());
    let error = format!(
        "this project runs and cannot be reached: {gone}; its services go on under {}",
        running.who()
    );
    for arguments in [&["list"][..], &["status"], &["status", "api"], &["stop", "api"], &["start", "api"]] {
        fails(project.run(arguments), 69, &error, STOP_IT);
    }
    // Without a time of its own, an `up` waits a while for those who may just be ending.
    for arguments in [&["up", "-d"][..], &["up", "--timeout", "200ms"], &["run", "api"]] {
        fails(project.run(arguments), 1, &error, STOP_IT);
    }
    running.goes_on();
    assert!(!run_dir.exists());
    let said = project.run(&["down"]).expect(0);
    let note = format!(
        "note: the daemon cannot be reached: {gone}; TERM was sent to anchor (pid {}), which has everything stopped in order\n",
        running.three.anchor.unwrap()
    );
    assert_eq!(said.err, note);
    running.is_over();
    assert_eq!(project.read("ended"), "api\ndb\n");
    project.run(&["down"]).expect(69);
    let again = Running::start(&project);
    assert_ne!(again.api, running.api);
}

#[test]
fn ctrl_c_in_an_up_stops_it_in_order_without_its_run_folder_too() {
    let project = Project::new(TOML);
    let running = Running::start(&project);
    let mut up = project.spawn(&["up"]);
    wait_until("it follows", || !up.output().is_empty());
    fs::remove_dir_all(run_dir(&project)).unwrap();
    up.signal("INT");
    assert_eq!(up.wait(), 130, "{}", up.output());
    running.is_over();
    assert_eq!(project.read("ended"), "api\ndb\n");
}

#[test]
fn what_has_not_ended_after_a_signal_is_named_and_not_said_to_be_stopped() {
    let project = Project::new(
        "[service.deaf]\ncommand = [\"sh\", \"-c\", \"trap '' TERM; echo deaf; while :; do sleep 0.05; done\"]\n\
         stop = { timeout = \"1h\" }\n",
    );
    let mut up = project.spawn(&["up"]);
    up.wait_for("deaf     | deaf");
    let (three, deaf, run_dir) = (project.three(), project.pid("deaf"), run_dir(&project));
    let [anchor, keeper] = [three.anchor.unwrap(), three.keeper.unwrap()];
    fs::remove_dir_all(&run_dir).unwrap();
    let asked = format!(
        "the daemon cannot be reached: its run folder {} is gone; TERM was sent to anchor (pid {anchor}), which has everything stopped in order",
        run_dir.display()
    );
    let said = project.run(&["down", "--timeout", "300ms"]).expect(124);
    let late = format!(
        "note: {asked}\n\
         error: timed out: after 300 ms, anchor (pid {anchor}) and keeper (pid {keeper}) have not ended\n\
         help: that goes on: `mainstay down` waits for it, for as long as `--timeout` says\n"
    );
    assert_eq!(said.err, late);
    up.signal("INT");
    up.wait_for(&format!("mainstay | {asked}"));
    assert!(is_alive(deaf) && !up.output().contains("everything is stopped"), "{}", up.output());
    kill(deaf, "KILL");
    assert_eq!(up.wait(), 130, "{}", up.output());
    assert!(up.output().ends_with("mainstay | everything is stopped\n"), "{}", up.output());
    assert!(!is_alive(anchor) && !is_alive(keeper));
}

#[test]
fn without_its_run_folder_and_after_the_death_of_its_daemon_it_is_stopped_in_order_too() {
    let project = Project::new(TOML);
    let running = Running::start(&project);
    fs::remove_dir_all(run_dir(&project)).unwrap();
    let first = running.three.daemon.unwrap();
    kill(first, "KILL");
    wait_until("another daemon is there", || project.three().daemon.is_some_and(|pid| pid != first));
    running.goes_on();
    project.run(&["down"]).expect(0).says("TERM was sent to anchor");
    running.is_over();
    assert_eq!(project.read("ended"), "api\ndb\n");
}

#[test]
fn a_keeper_that_is_left_alone_is_found_without_the_run_folder() {
    let project = Project::new(TOML);
    let running = Running::start(&project);
    let (anchor, keeper) = (running.three.anchor.unwrap(), running.three.keeper.unwrap());
    // It stays alone for as long as it stands still.
    kill(keeper, "STOP");
    kill(anchor, "KILL");
    wait_until("it is gone", || !is_alive(anchor));
    let run_dir = run_dir(&project);
    fs::remove_dir_all(&run_dir).unwrap();
    let error = format!(
        "this project runs and cannot be reached: its run folder {} is gone; its services go on under keeper (pid {keeper})",
        run_dir.display()
    );
    fails(project.run(&["up", "-d", "--timeout", "200ms"]), 1, &error, STOP_IT);
    running.goes_on();
    // What it needs is made again before it becomes an anchor.
    kill(keeper, "CONT");
    wait_until("it is the anchor", || {
        let three = project.three();
        three.anchor == Some(keeper)
            && three.keeper.is_some_and(|pid| pid != keeper)
            && three.daemon.is_some()
    });
    running.goes_on();
    let lines = project.log("api").lines().count();
    wait_until("lines go on", || project.log("api").lines().count() > lines);
    let text = format!("TERM was sent to anchor (pid {keeper})");
    project.run(&["down"]).expect(0).says(&text);
    running.is_over();
    assert_eq!(project.read("ended"), "api\ndb\n");
}

/// Moves the project's folder.
fn move_to(project: &mut Project, name: &str) -> PathBuf {
    let old = project.dir.clone();
    project.dir = old.with_file_name(name);
    fs::rename(&old, &project.dir).unwrap();
    old
}

#[test]
fn a_project_whose_folder_was_moved_is_found_and_stopped_and_starts_at_the_new_place() {
    let mut project = Project::new(TOML);
    let running = Running::start(&project);
    let old = move_to(&mut project, "shop2");
    let note = "note: it runs as it was started at another place; `mainstay down` stops it\n";
    assert_eq!(project.run(&["list"]).expect(0).says("running").err, note);
    project.run(&["status", "api"]).expect(0).says("running");
    let error = format!("this project runs as it was started in {}: {}", old.display(), running.who());
    let help = format!(
        "`mainstay down` stops it in order; after that `mainstay up` starts it in {}",
        project.dir.display()
    );
    for arguments in [&["up", "-d"][..], &["up"], &["start", "api"], &["restart", "api"], &["run", "api"]] {
        fails(project.run(arguments), 1, &error, &help);
    }
    // What it writes is where its folder is.
    let lines = project.run(&["logs", "api"]).expect(0).out.lines().count();
    wait_until("lines go on", || project.run(&["logs", "api"]).out.lines().count() > lines);
    assert!(!old.exists());
    running.goes_on();
    project.run(&["stop", "api"]).expect(0);
    project.run(&["down", "--timeout", "20s"]).expect(0);
    running.is_over();
    let again = Running::start(&project);
    assert_eq!(again.three.anchor.map(is_alive), Some(true));
    assert_ne!(again.api, running.api);
    assert_eq!(project.run(&["list"]).expect(0).err, "");
    project.run(&["down"]).expect(0);
}

#[test]
fn moved_and_without_its_run_folder_it_is_still_stopped() {
    let mut project = Project::new(TOML);
    let running = Running::start(&project);
    let run_dir = run_dir(&project);
    move_to(&mut project, "shop2");
    fs::remove_dir_all(&run_dir).unwrap();
    let gone = format!("its run folder {} is gone", run_dir.display());
    project.run(&["list"]).expect(69).says(&gone);
    project.run(&["up", "-d", "--timeout", "200ms"]).expect(1).says(&gone).says(&running.who());
    running.goes_on();
    project.run(&["down"]).expect(0);
    running.is_over();
    Running::start(&project);
}

#[test]
fn a_copy_of_a_running_project_is_another_project() {
    let project = Project::new(TOML);
    let running = Running::start(&project);
    let copy = project.dir.with_file_name("copy");
    assert!(Command::new("cp").arg("-a").args([&project.dir, &copy]).status().unwrap().success());
    let run =
        |arguments: &[&str]| Said::from(project.command(arguments).current_dir(&copy).output().unwrap());
    run(&["list"]).expect(69).says("no daemon runs");
    run(&["down"]).expect(69);
    run(&["up", "-d"]).expect(0);
    run(&["down"]).expect(0);
    running.goes_on();
    assert_eq!(project.pid("api"), running.api);
}

#[test]
fn a_state_folder_that_was_removed_comes_back() {
    let project = Project::new(TOML);
    let running = Running::start(&project);
    let run_dir = run_dir(&project);
    // The daemon may write into it at the same time.
    wait_until("it is removed", || fs::remove_dir_all(project.dir.join(".mainstay")).is_ok());
    project.run(&["list"]).expect(0).says("running");
    project.up().expect(0);
    assert_eq!(project.read(".mainstay/.gitignore"), "*\n");
    assert_eq!(fs::read_link(project.dir.join(".mainstay/run")).unwrap(), run_dir);
    let mode = fs::metadata(project.dir.join(".mainstay")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
    assert_eq!(project.pid("api"), running.api);
    fs::remove_dir_all(project.dir.join(".mainstay")).unwrap();
    project.run(&["down"]).expect(0);
    running.is_over();
}

#[test]
fn a_project_whose_file_is_gone_is_found_by_its_state() {
    let project = Project::new(TOML);
    let running = Running::start(&project);
    fs::remove_file(project.dir.join("mainstay.toml")).unwrap();
    let deep = project.dir.join("deep/er");
    fs::create_dir_all(&deep).unwrap();
    let run =
        |arguments: &[&str]| Said::from(project.command(arguments).current_dir(&deep).output().unwrap());
    run(&["list"]).expect(0).says("running");
    run(&["status", "api"]).expect(0).says("running");
    run(&["logs", "db"]).expect(0).says("db up");
    let error = format!(
        "the project's file is gone: no `mainstay.toml` in {}, while its state is at {}",
        project.dir.display(),
        project.dir.join(".mainstay").display()
    );
    let help = "`-f FILE` names one that is called otherwise; `list`, `logs` and `down` need none";
    for arguments in [&["up", "-d"][..], &["up"], &["check"], &["run", "api"]] {
        fails(run(arguments), 6, &error, help);
    }
    running.goes_on();
    run(&["down"]).expect(0);
    running.is_over();
    run(&["list"]).expect(69);
    fails(run(&["status", "api"]), 6, &error, help);
}

#[test]
fn what_is_no_file_is_said_to_be_none() {
    let project = Project::new("");
    let path = project.dir.join("mainstay.toml");
    let help = "the files of a project are regular files; `-f FILE` names one at another place";
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    for arguments in [&["list"][..], &["up", "-d"], &["check"]] {
        fails(project.run(arguments), 6, &format!("{} is a directory", path.display()), help);
    }
    fs::remove_dir(&path).unwrap();
    let fifo = |path: &Path| assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
    fifo(&path);
    let error = format!("{} is a FIFO", path.display());
    for arguments in
        [&["list"][..], &["up", "-d"], &["check", "mainstay.toml"], &["-f", "mainstay.toml", "down"]]
    {
        fails(project.run(arguments), 6, &error, help);
    }
    fs::remove_file(&path).unwrap();
    std::os::unix::fs::symlink("nothing", &path).unwrap();
    let error = format!("{} is a link that leads to no file", path.display());
    fails(project.run(&["list"]), 6, &error, help);
    fs::remove_file(&path).unwrap();
    // Beside a good one.
    project.write("mainstay.toml", "[service.api]\ncommand = \"true\"\nenv_file = \"env\"\n");
    fifo(&project.dir.join("env"));
    project.run(&["check"]).expect(6).says("it is a FIFO, and must be a file");
    fs::remove_file(project.dir.join("env")).unwrap();
    fifo(&project.dir.join("mainstay.local.toml"));
    let error = format!("{} is a FIFO", project.dir.join("mainstay.local.toml").display());
    fails(project.run(&["check"]), 6, &error, help);
}

const BY_HAND: &str = r#"
[service.api]
command = ["sh", "-c", "echo $$ >> pids; echo here; exec sleep 1000"]
restart = { policy = "on-failure", delay = "100ms", factor = 1, attempts = 1000 }
"#;

#[test]
fn one_that_runs_by_hand_is_started_by_nobody_else() {
    let project = Project::new(BY_HAND);
    let mut first = project.spawn(&["run", "api"]);
    first.wait_for("here");
    let pid = first.child.id();
    let lock = project.dir.join(".mainstay/by-hand/api.lock");
    assert_eq!(fs::metadata(&lock).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::metadata(lock.parent().unwrap()).unwrap().permissions().mode() & 0o777, 0o700);
    let error = format!("api runs by hand already (pid {pid})");
    let help = format!("Ctrl-C ends it where it was started, `kill {pid}` from elsewhere");
    fails(project.run(&["run", "api"]), 1, &error, &help);

    let mut up = project.spawn(&["up"]);
    let reason = format!("cannot start: it runs by hand (pid {pid})");
    wait_until("the daemon does not start it", || {
        let said = project.run(&["list", "--json"]);
        said.code == 0 && said.out.contains(&reason)
    });
    // It is just being tried again, now and then.
    wait_until("its status says why", || project.run(&["status", "api"]).out.contains(&reason));
    fails(project.run(&["run", "api"]), 1, &error, &help);
    assert_eq!(project.read("pids").lines().count(), 1);

    first.signal("TERM");
    assert_eq!(first.wait(), 143);
    assert!(!lock.exists());
    let service = project.wait_for_phase("api", "running");
    assert_eq!(project.read("pids").lines().count(), 2);
    let error = format!("api runs already (pid {})", service["pid"]);
    fails(project.run(&["run", "api"]), 1, &error, "`mainstay stop api` stops it");
    up.signal("INT");
    assert_eq!(up.wait(), 130);
}

#[test]
fn of_many_that_start_it_at_once_one_does() {
    let project = Project::new(
        "[service.api]\nkind = \"oneshot\"\nrestart = \"never\"\n\
         command = [\"sh\", \"-c\", \"mkdir busy || echo two >> twice; sleep 0.5; rmdir busy\"]\n",
    );
    for _ in 0..3 {
        let mut racers: Vec<_> = [&["run", "api"][..], &["run", "api"], &["up", "-d"], &["run", "api"]]
            .iter()
            .map(|arguments| project.command(arguments).spawn().unwrap())
            .collect();
        let codes = racers.iter_mut().map(|racer| racer.wait().unwrap().code());
        assert!(codes.collect::<Vec<_>>().contains(&Some(0)));
        project.run(&["down"]).expect(0);
    }
    assert!(!story::exists(project.dir.join("twice")));
}

#[test]
fn a_killed_run_by_hand_keeps_nobody_out() {
    let project = Project::new("[service.api]\ncommand = [\"sh\", \"-c\", \"echo here; exec sleep 1000\"]\n");
    let mut first = project.spawn(&["run", "api"]);
    first.wait_for("here");
    let child = story::processes().into_iter().find(|(pid, _)| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let parent = stat.rsplit(')').next().and_then(|rest| rest.split_whitespace().nth(1)?.parse().ok());
        parent == Some(first.child.id())
    });
    first.signal("KILL");
    first.wait();
    kill(child.unwrap().0, "KILL");
    assert!(project.dir.join(".mainstay/by-hand/api.lock").exists());
    project.up().expect(0);
    project.wait_for_phase("api", "running");
}

#[test]
fn one_that_is_being_started_or_stopped_is_not_run_by_hand() {
    let project = Project::new(
        "[service.slow]\ncommand = [\"sh\", \"-c\", \"trap '' TERM; echo here; while :; do sleep 0.1; done\"]\n\
         ready = { exec = \"false\", timeout = \"60s\" }\nstop = { timeout = \"60s\" }\n",
    );
    let _up = project.spawn(&["up", "-d"]);
    wait_until("it starts", || {
        project.run(&["list", "--json"]).out.contains("\"starting\"") && project.log("slow").contains("here")
    });
    let pid = project.pid("slow");
    let help = "`mainstay stop slow` stops it";
    let error = format!("slow is being started already (pid {pid})");
    fails(project.run(&["run", "slow"]), 1, &error, help);
    project.run(&["stop", "slow", "--no-wait"]).expect(0);
    project.wait_for_phase("slow", "stopping");
    let error = format!("slow is still being stopped (pid {pid})");
    fails(project.run(&["run", "slow"]), 1, &error, help);
    project.run(&["kill", "slow"]).expect(0);
    project.wait_for_phase("slow", "stopped");
}

#[test]
fn the_lock_of_a_run_by_hand_is_ours_and_not_the_services_users() {
    if fs::metadata("/proc/self").map(|data| std::os::unix::fs::MetadataExt::uid(&data)).unwrap() != 0 {
        return story::skipped("only root runs services as another user");
    }
    let project = Project::new(
        "[service.api]\nuser = \"nobody\"\nworking_dir = \"/\"\ncommand = [\"sh\", \"-c\", \"id -u; exec sleep 1000\"]\n",
    );
    let mut first = project.spawn(&["run", "api"]);
    first.wait_for("65534");
    let error = format!("api runs by hand already (pid {})", first.child.id());
    project.run(&["run", "api"]).expect(1).says(&error);
    first.signal("TERM");
    assert_eq!(first.wait(), 143);
    // That its file is left behind is no matter.
    let mut second = project.spawn(&["run", "api"]);
    second.wait_for("65534");
    second.signal("TERM");
    assert_eq!(second.wait(), 143);
}

#[test]
fn by_hand_in_a_project_of_somebody_else_nothing_is_left_there() {
    let project = Project::new("[service.api]\ncommand = \"echo here\"\n");
    let chown = Command::new("chown").arg("65534").arg(&project.dir).status();
    if !chown.is_ok_and(|status| status.success()) {
        return story::skipped("only root can make a folder somebody else's");
    }
    let said = project.run(&["run", "api"]).expect(0);
    assert_eq!(said.out, "here\n");
    let note = "note: nothing keeps a second one from being started: ";
    let state = project.dir.join(".mainstay");
    assert_eq!(said.err, format!("{note}{} is not ours to write to\n", state.display()));
    assert!(!story::exists(state));
}

/// Puts other folders in the place of the machine's own, for itself alone; whatever it started dies with it.
const ON_THIS_MACHINE: &str = r#"
set -eu
root=$1 exe=$2
mkdir "$root/etc" "$root/lib" "$root/log" "$root/run"
for file in passwd group nsswitch.conf ld.so.cache; do
    if test -e "/etc/$file"; then cp "/etc/$file" "$root/etc/"; fi
done
mount --bind "$root/etc" /etc
mount --bind "$root/lib" /var/lib
mount --bind "$root/log" /var/log
mount --bind "$root/run" /run
mkdir -p /etc/mainstay/conf.d
cat > /etc/mainstay/mainstay.toml <<'END'
[service.db]
command = ["sh", "-c", "echo db is here; exec sleep 1000"]
END
cat > /etc/mainstay/conf.d/10-api.toml <<'END'
[service.api]
command = ["sh", "-c", "echo api is here; exec sleep 1000"]
depends_on = ["db"]
END
cd /
try() {
    code=0
    "$exe" "$@" 2>&1 || code=$?
    echo "$* => $code"
}
try check
try up -d
try list
test -S /run/mainstay/sock && echo socket
test "$(stat -c %a /run/mainstay /var/lib/mainstay | tr '\n' ' ')" = "700 700 " && echo private
for turn in $(seq 1000); do
    if test -s /var/log/mainstay/api/current && test -s /var/log/mainstay/db/current; then echo log; break; fi
    sleep 0.02
done
try logs
try -f /etc/mainstay/mainstay.toml status db
try down
try list
mkfifo /etc/mainstay/conf.d/20-fifo.toml
try check
"#;

#[test]
fn the_machines_own_project_has_the_machines_own_places() {
    let root = tempfile::tempdir().unwrap();
    let mut command = Command::new("unshare");
    command.args(["--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]);
    command.args(["sh", "-c", ON_THIS_MACHINE, "sh"]).arg(root.path()).arg(env!("CARGO_BIN_EXE_mainstay"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("MAINSTAY_") {
            command.env_remove(name);
        }
    }
    command.env_remove("XDG_RUNTIME_DIR").env("NO_COLOR", "1").current_dir("/");
    let probe = Command::new("unshare").args(["--mount", "--pid", "--fork", "--mount-proc", "true"]).output();
    if !probe.is_ok_and(|output| output.status.success()) {
        return story::skipped("`unshare --mount --pid` needs root, and a kernel that lets it");
    }
    let said = Said::from(command.output().unwrap()).expect(0);
    // Which of the two spoke first is theirs.
    for line in ["\ndb  | db is here\n", "\napi | api is here\n"] {
        assert!(said.out.contains(line), "no `{line}` in:\n{}", said.out);
    }
    let mut rest = said.out.as_str();
    for text in [
        "/etc/mainstay/mainstay.toml: ok, 2 services\ncheck => 0\n",
        "up -d => 0\n",
        "\ndb ",
        "running",
        "\napi ",
        "running",
        "list => 0\nsocket\nprivate\nlog\n",
        "logs => 0\n",
        "db",
        "status db => 0\n",
        "down => 0\n",
        "no daemon runs: there is no socket at /run/mainstay/sock",
        "list => 69\n",
        "error: /etc/mainstay/conf.d/20-fifo.toml is a FIFO\n",
        "check => 6\n",
    ] {
        let Some((_, after)) = rest.split_once(text) else {
            panic!("no `{text}` at its place in:\n{}", said.out)
        };
        rest = after;
    }
}
