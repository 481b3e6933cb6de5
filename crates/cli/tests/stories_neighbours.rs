//! Another user on the machine: what they may read, reach, signal and foresee; and what a service finds that is somebody else.
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
    fs::{self, Permissions},
    io::{self, ErrorKind},
    os::unix::{
        fs::{FileTypeExt, MetadataExt, PermissionsExt, symlink},
        net::{UnixDatagram, UnixListener, UnixStream},
    },
    path::{Path, PathBuf},
    process::Command,
    time::Instant,
};

use rustix::{
    fs::{CWD, FileType, Mode, mknodat},
    process::{Pid, Signal, geteuid, kill_process},
    thread::{Gid, Uid, set_thread_groups, set_thread_res_gid, set_thread_res_uid},
};
use story::{PATIENCE, Project, Said, kill, wait_until};

/// `nobody`.
const NOBODY: u32 = 65534;

/// Somebody who is neither root nor `nobody`.
const OTHER: u32 = 65533;

/// One of each kind, and each way of telling how it is.
const ONE_OF_EACH: &str = r#"
[service.api]
command = ["sh", "-c", "echo out; echo err >&2; exec sleep 1000"]
log = { split = true }
health = { exec = "sh -c 'exec ls /proc/self/fd > fds.check'", interval = "100ms" }
[service.api.hooks]
before_start = "sh -c 'exec ls /proc/self/fd > fds.hook'"
[service.tells]
command = ["sleep", "1000"]
watchdog = "1000s"
[service.line]
command = ["sh", "-c", "echo >&5; exec sleep 1000"]
ready = { fd = 5 }
[service.seed]
kind = "oneshot"
command = "true"
[service.pair]
command = ["sleep", "1000"]
instances = 2
[service.loud]
command = ["sh", "-c", "seq 20000; exec sleep 1000"]
log = { max_size = "20KB", keep = 3, total = "1MB", compress = true }
"#;

/// As this user, in a thread of its own.
fn becoming<T: Send>(user: u32, act: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| {
        let other = scope.spawn(|| {
            let (uid, gid) = (Uid::from_raw(user), Gid::from_raw(user));
            set_thread_groups(&[]).unwrap();
            set_thread_res_gid(gid, gid, gid).unwrap();
            set_thread_res_uid(uid, uid, uid).unwrap();
            act()
        });
        other.join().unwrap()
    })
}

fn only_root(what: &str) -> bool {
    let is_root = geteuid().is_root();
    if !is_root {
        story::skipped(&format!("only root {what}"));
    }
    is_root
}

/// The program, where everybody may run it, by this user with everything allowed to everybody that it makes.
fn without_umask(project: &Project, user: u32, words: &str) -> Said {
    let above = project.dir.parent().unwrap();
    fs::set_permissions(above, Permissions::from_mode(0o755)).unwrap();
    let copy = above.join("mainstay");
    if !copy.exists() {
        fs::copy(env!("CARGO_BIN_EXE_mainstay"), &copy).unwrap();
    }
    let mut command = Command::new("setpriv");
    command.args([&format!("--reuid={user}"), &format!("--regid={user}"), "--clear-groups"]);
    command.args(["sh", "-c", &format!("umask 000; exec \"$0\" {words}")]).arg(copy);
    command.current_dir(&project.dir).env("XDG_RUNTIME_DIR", &project.runtime).env("NO_COLOR", "1");
    command.output().unwrap().into()
}

/// Everything in a folder, and the folder itself. Links are not followed.
fn walk(dir: &Path) -> Vec<PathBuf> {
    let mut all = vec![dir.to_owned()];
    let mut at = 0;
    while at < all.len() {
        if all[at].symlink_metadata().is_ok_and(|data| data.is_dir()) {
            all.extend(fs::read_dir(&all[at]).unwrap().map(|entry| entry.unwrap().path()));
        }
        at += 1;
    }
    all
}

/// The folder of the pump's buffer, as the keeper has it mapped.
fn memory_dir(project: &Project) -> PathBuf {
    let maps = fs::read_to_string(format!("/proc/{}/maps", project.three().keeper.unwrap())).unwrap();
    let of_ours = maps
        .lines()
        .filter_map(|line| line.split_whitespace().nth(5))
        .find(|path| path.starts_with("/dev/shm/mainstay-") || path.contains("/memory/"));
    Path::new(of_ours.unwrap_or_else(|| panic!("no buffer in\n{maps}"))).parent().unwrap().to_owned()
}

/// A variable of a running service.
fn variable(project: &Project, id: &str, name: &str) -> PathBuf {
    let environment = fs::read_to_string(format!("/proc/{}/environ", project.pid(id))).unwrap();
    let value = environment.split('\0').find_map(|pair| pair.strip_prefix(&format!("{name}=")));
    value.unwrap_or_else(|| panic!("no {name}")).into()
}

fn is_refused<T>(result: io::Result<T>) -> bool {
    result.is_err_and(|error| error.kind() == ErrorKind::PermissionDenied)
}

/// All that this project has made, each with what is wrong about it.
fn made(project: &Project, owner: u32) -> Vec<PathBuf> {
    let run_dir = fs::read_link(project.dir.join(".mainstay/run")).unwrap();
    let all: Vec<PathBuf> = [project.dir.join(".mainstay"), run_dir, memory_dir(project)]
        .iter()
        .flat_map(|dir| walk(dir))
        .collect();
    for path in &all {
        let Ok(data) = path.symlink_metadata() else { continue };
        let mode = if data.is_dir() { 0o700 } else { 0o600 };
        let is_ours = data.uid() == owner && (data.is_symlink() || data.mode() & 0o7777 == mode);
        assert!(is_ours, "{} is of {} with {:o}", path.display(), data.uid(), data.mode());
    }
    for sort in [FileTypeExt::is_socket, FileTypeExt::is_fifo] {
        let is_there =
            all.iter().any(|path| path.symlink_metadata().is_ok_and(|data| sort(&data.file_type())));
        assert!(is_there, "{all:?}");
    }
    for name in
        ["history.db", "applied.json", "anchor.lock", "start.lock", ".gitignore", "anchor.log", "list.json"]
    {
        assert!(all.iter().any(|path| path.ends_with(name)), "no {name} in {all:?}");
    }
    assert!(all.iter().any(|path| path.extension().is_some_and(|end| end == "zst")), "{all:?}");
    all
}

/// All that there is of a project of `owner`, tried by `stranger`.
fn nothing_for_strangers(owner: u32, stranger: u32) {
    let project = Project::new(ONE_OF_EACH);
    for dir in [&project.dir, &project.runtime] {
        std::os::unix::fs::chown(dir, Some(owner), Some(owner)).unwrap();
        fs::set_permissions(dir, Permissions::from_mode(0o755)).unwrap();
    }
    without_umask(&project, owner, "up -d").expect(0);
    wait_until("there is a history", || story::exists(project.dir.join(".mainstay/history.db-shm")));
    wait_until("something was compressed", || {
        let logs = walk(&project.dir.join(".mainstay/logs/loud"));
        logs.iter().any(|path| path.extension().is_some_and(|end| end == "zst"))
            && !logs.iter().any(|path| path.extension().is_some_and(|end| end == "part"))
    });
    let all = made(&project, owner);
    let socket = all.iter().find(|path| path.ends_with("sock")).unwrap();
    let notify = variable(&project, "tells", "NOTIFY_SOCKET");
    let three = project.three();
    let pids = [three.anchor, three.keeper, three.daemon, Some(project.pid("api"))].map(Option::unwrap);
    becoming(stranger, || {
        for path in all.iter().filter(|path| !path.ends_with(".mainstay/run")) {
            assert!(is_refused(fs::File::open(path)), "{} may be read", path.display());
            assert!(is_refused(fs::read_dir(path)) || path.is_file(), "{} may be listed", path.display());
            assert!(is_refused(fs::write(path, "x")) || path.is_dir(), "{} may be written", path.display());
            assert!(is_refused(fs::remove_file(path)), "{} may be removed", path.display());
        }
        // The doors for clients of supervisor and for our own are one socket.
        assert!(is_refused(UnixStream::connect(socket)));
        let sender = UnixDatagram::unbound().unwrap();
        assert!(is_refused(sender.send_to(b"READY=1", &notify)));
        for pid in pids {
            let pid = Pid::from_raw(pid.try_into().unwrap()).unwrap();
            assert_eq!(kill_process(pid, Signal::TERM), Err(rustix::io::Errno::PERM));
        }
    });
    without_umask(&project, stranger, "list").expect(4).says("not permitted");
    without_umask(&project, stranger, "down").expect(4);
    assert_eq!(project.three(), three);

    // A program gets its three streams, and what was promised to it.
    for (id, descriptors) in [("api", &[0, 1, 2][..]), ("tells", &[0, 1, 2]), ("line", &[0, 1, 2, 5])] {
        let open = fs::read_dir(format!("/proc/{}/fd", project.pid(id))).unwrap();
        let mut open: Vec<u32> =
            open.map(|entry| entry.unwrap().file_name().to_str().unwrap().parse().unwrap()).collect();
        open.sort_unstable();
        assert_eq!(open, descriptors, "{id}");
    }
    // The fourth is that by which the program lists them.
    for who in ["hook", "check"] {
        wait_until("it has listed them", || project.read(&format!("fds.{who}")) == "0\n1\n2\n3\n");
    }
    // Root may, whoever's it is.
    project.run(&["list"]).expect(0).says("running");
    project.run(&["down"]).expect(0);
    let memory = all.iter().find(|path| path.starts_with("/dev/shm"));
    assert!(memory.is_none_or(|path| !story::exists(path)));
}

#[test]
fn nothing_of_a_project_of_root_is_for_others() {
    if only_root("can become somebody else") {
        nothing_for_strangers(0, NOBODY);
    }
}

#[test]
fn nothing_of_a_users_project_is_for_others() {
    if only_root("can become somebody else") {
        nothing_for_strangers(NOBODY, OTHER);
    }
}

#[test]
fn a_service_of_another_user_reaches_what_is_its_own() {
    if !only_root("runs services as another user") {
        return;
    }
    let project = Project::new(
        "[service.guest]\ncommand = [\"sleep\", \"1000\"]\nworking_dir = \"/\"\nuser = \"nobody\"\nwatchdog = \"1000s\"\n\
         [service.host]\ncommand = [\"sleep\", \"1000\"]\nwatchdog = \"1000s\"\n",
    );
    fs::set_permissions(project.dir.parent().unwrap(), Permissions::from_mode(0o755)).unwrap();
    project.up().expect(0);
    let run_dir = fs::read_link(project.dir.join(".mainstay/run")).unwrap();
    let (own, hosts) =
        (variable(&project, "guest", "NOTIFY_SOCKET"), variable(&project, "host", "NOTIFY_SOCKET"));
    let shared = own.parent().unwrap();
    for (path, mode, owner) in [(shared, 0o711, 0), (&own, 0o600, NOBODY)] {
        let data = path.symlink_metadata().unwrap();
        assert_eq!((data.mode() & 0o7777, data.uid()), (mode, owner), "{}", path.display());
    }
    becoming(NOBODY, || {
        let sender = UnixDatagram::unbound().unwrap();
        sender.send_to(b"STATUS=here", &own).unwrap();
        assert!(is_refused(sender.send_to(b"STATUS=not here", &hosts)));
        // It finds its own by name, and no others.
        assert!(is_refused(fs::read_dir(shared)));
        assert!(is_refused(fs::remove_file(&own)) && is_refused(UnixDatagram::bind(shared.join("host"))));
        assert!(is_refused(UnixStream::connect(run_dir.join("sock"))));
        for there in [&run_dir, &run_dir.join("fifo/host"), &project.dir.join(".mainstay/logs/guest/current")]
        {
            assert!(is_refused(fs::File::open(there)), "{}", there.display());
        }
    });
    becoming(OTHER, || {
        assert!(is_refused(UnixDatagram::unbound().unwrap().send_to(b"STATUS=not here", &own)));
    });
    wait_until("its words were heard", || project.run(&["status", "guest"]).says("").out.contains("here"));
    project.run(&["down"]).expect(0);
    assert!(!story::exists(shared));
}

/// A folder where everybody may leave something, as `/tmp` is; and what a project of this folder's user would make there.
struct Common {
    project: Project,
    dir: PathBuf,
    ours: PathBuf,
}

impl Common {
    fn new() -> Self {
        let project = Project::new("[service.api]\ncommand = \"sleep 1000\"\n");
        let dir = project.dir.parent().unwrap().join("t");
        fs::create_dir(&dir).unwrap();
        for dir in [project.dir.parent().unwrap(), &dir] {
            fs::set_permissions(dir, Permissions::from_mode(0o1777)).unwrap();
        }
        let ours = dir.join(format!("mainstay-{}", geteuid().as_raw()));
        Self { project, dir, ours }
    }

    fn run(&self, arguments: &[&str]) -> Said {
        let mut command = self.project.command(arguments);
        command.env_remove("XDG_RUNTIME_DIR").env("TMPDIR", &self.dir);
        command.output().unwrap().into()
    }

    /// The run-time folder of this project, once it was started.
    fn run_dir(&self) -> PathBuf {
        self.run(&["up", "-d"]).expect(0);
        let run_dir = fs::read_link(self.project.dir.join(".mainstay/run")).unwrap();
        assert!(run_dir.starts_with(&self.ours), "{}", run_dir.display());
        self.run(&["down"]).expect(0);
        fs::remove_dir_all(&self.ours).unwrap();
        run_dir
    }

    /// Each verb says whose it is, at once, and changes nothing.
    fn is_refused(&self, path: &Path) {
        let begun = Instant::now();
        for verb in [&["up", "-d"][..], &["list"], &["down"], &["restart", "api"]] {
            let said =
                self.run(verb).expect(4).says(&format!("`{}` belongs to user {NOBODY}", path.display()));
            assert!(said.err.contains("help: remove it, or set XDG_RUNTIME_DIR"), "{}", said.err);
        }
        assert!(begun.elapsed() < PATIENCE);
    }
}

#[test]
fn what_somebody_left_in_the_place_of_our_folder_is_refused() {
    if !only_root("can become somebody else") {
        return;
    }
    let common = Common::new();
    let run_dir = common.run_dir();
    let (ours, elsewhere) = (&common.ours, common.project.dir.parent().unwrap().join("elsewhere"));
    fs::create_dir(&elsewhere).unwrap();
    let squats: [&(dyn Fn() + Sync); 4] = [
        &|| fs::write(ours, "").unwrap(),
        &|| symlink(&elsewhere, ours).unwrap(),
        &|| symlink("/nowhere", ours).unwrap(),
        &|| mknodat(CWD, ours, FileType::Fifo, Mode::from_raw_mode(0o666), 0).unwrap(),
    ];
    for squat in squats {
        becoming(NOBODY, squat);
        common.is_refused(ours);
        fs::remove_file(ours).unwrap();
    }
    assert_eq!(fs::read_dir(&elsewhere).unwrap().count(), 0, "no link was followed");

    // One that has all that we look for, and listens.
    let ear = becoming(NOBODY, || {
        fs::create_dir_all(&run_dir).unwrap();
        mknodat(CWD, run_dir.join("trouble"), FileType::Fifo, Mode::from_raw_mode(0o666), 0).unwrap();
        let ear = UnixListener::bind(run_dir.join("sock")).unwrap();
        fs::set_permissions(run_dir.join("sock"), Permissions::from_mode(0o777)).unwrap();
        ear
    });
    common.is_refused(ours);
    ear.set_nonblocking(true).unwrap();
    assert!(ear.accept().is_err_and(|error| error.kind() == ErrorKind::WouldBlock), "nobody spoke to it");
    // Theirs in which there is one of ours: they could put another in its place.
    fs::remove_dir_all(&run_dir).unwrap();
    fs::create_dir(&run_dir).unwrap();
    common.is_refused(ours);
    fs::remove_dir_all(ours).unwrap();
    common.run(&["up", "-d"]).expect(0);
    common.run(&["down"]).expect(0);
}

#[test]
fn a_runtime_folder_of_somebody_else_is_not_used() {
    if !only_root("can become somebody else") {
        return;
    }
    // As `su` and `sudo -E` leave it.
    let common = Common::new();
    std::os::unix::fs::chown(&common.project.runtime, Some(NOBODY), None).unwrap();
    let mut command = common.project.command(&["up", "-d"]);
    Said::from(command.env("TMPDIR", &common.dir).output().unwrap()).expect(0);
    let run_dir = fs::read_link(common.project.dir.join(".mainstay/run")).unwrap();
    assert!(run_dir.starts_with(&common.ours), "{}", run_dir.display());
    assert_eq!(fs::read_dir(&common.project.runtime).unwrap().count(), 0);
    common.run(&["down"]).expect(0);
}

#[test]
fn a_buffer_folder_of_somebody_else_is_refused_and_left_to_them() {
    if !only_root("can become somebody else") {
        return;
    }
    let common = Common::new();
    common.run(&["up", "-d"]).expect(0);
    let memory = memory_dir(&common.project);
    common.run(&["down"]).expect(0);
    if !memory.starts_with("/dev/shm") {
        return story::skipped("temporary files are in memory here, so the buffer is beside them");
    }
    becoming(NOBODY, || fs::create_dir(&memory).unwrap());
    let said = common.run(&["up", "-d"]);
    let is_left = fs::metadata(&memory).is_ok_and(|data| data.uid() == NOBODY);
    let _ = fs::remove_dir_all(&memory);
    said.expect(1).says(&format!("`{}` belongs to user {NOBODY}", memory.display())).says("XDG_RUNTIME_DIR");
    assert!(is_left, "what is theirs was taken away");
    common.run(&["up", "-d"]).expect(0);
    common.run(&["down"]).expect(0);
}

#[test]
fn a_project_that_somebody_planted_above_us_is_not_taken_for_ours() {
    if !only_root("can become somebody else") {
        return;
    }
    let common = Common::new();
    let (below, file, state) =
        (common.dir.join("work"), common.dir.join("mainstay.toml"), common.dir.join(".mainstay"));
    fs::create_dir(&below).unwrap();
    let run = |arguments: &[&str]| {
        let mut command = common.project.command(arguments);
        Said::from(command.current_dir(&below).output().unwrap())
    };
    becoming(NOBODY, || fs::create_dir(&state).unwrap());
    run(&["list"]).expect(4).says(&format!("{} belongs to user {NOBODY}", state.display()));
    becoming(NOBODY, || fs::write(&file, "[service.trap]\ncommand = \"touch sprung\"\n").unwrap());
    let text = format!("{} belongs to user {NOBODY}, and everybody may write where it is", file.display());
    run(&["up", "-d"]).expect(4).says(&text).says("help: `-f ");
    run(&["check"]).expect(4).says(&text);
    // Who names it means it.
    run(&["check", "-f", file.to_str().unwrap()]).expect(0);
    assert!(!common.dir.join("sprung").exists());
}

#[test]
fn a_cleaned_away_folder_that_somebody_took_is_not_used_again() {
    if !only_root("can become somebody else") {
        return;
    }
    let common = Common::new();
    common.run(&["up", "-d"]).expect(0);
    let three = common.project.three();
    fs::remove_dir_all(&common.ours).unwrap();
    becoming(NOBODY, || fs::create_dir(&common.ours).unwrap());
    common.is_refused(&common.ours);
    let log = || common.project.read(".mainstay/anchor.log") + &common.project.log("@daemon");
    // What runs makes nothing there either.
    kill(three.daemon.unwrap(), "KILL");
    let text = format!("`{}` belongs to user {NOBODY}", common.ours.display());
    wait_until("it says so", || log().contains(&text));
    assert_eq!(fs::read_dir(&common.ours).unwrap().count(), 0);
    kill(three.anchor.unwrap(), "TERM");
    wait_until("all have ended", || {
        common.project.three() == story::Three { anchor: None, keeper: None, daemon: None }
    });
    fs::remove_dir_all(&common.ours).unwrap();
}
