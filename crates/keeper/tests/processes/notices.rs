//! What runs say of themselves: who is heard, and what is known of it after the death of whoever heard it.

use std::{
    fs,
    io::{Read, pipe},
    os::{
        fd::AsFd,
        unix::{
            fs::{FileTypeExt, MetadataExt, PermissionsExt},
            net::UnixDatagram,
        },
    },
    process::{Command, Stdio},
};

use mainstay_model::Signal;
use mainstay_wire::{
    FromKeeper, Identity, NOTIFY_LIMIT, Scope, SlotPhase, SlotState, ToKeeper, WireExit, WireNotice,
};

use crate::{
    Test,
    service::tell_to,
    world::{Daemon, Polled, World, wait_until},
};

pub(crate) const TESTS: &[Test] = &[
    ("what_a_run_says_is_handed_on", handed_on),
    ("the_usual_clients_are_understood", usual_clients),
    ("last_words_come_before_the_end", last_words),
    ("what_was_said_while_no_daemon_listened_comes_with_the_snapshot", no_daemon),
    ("what_was_said_while_there_was_no_keeper_is_heard_by_the_next", no_keeper),
    ("words_of_other_users_are_ignored", other_users),
    ("a_service_of_another_user_reaches_its_socket", service_of_another_user),
    ("descriptors_that_come_with_words_are_closed", descriptors),
    ("words_for_an_old_run_do_not_count_for_a_new_one", old_runs),
    ("a_newline_on_a_descriptor_says_ready", newline),
    ("a_newline_written_while_there_is_no_keeper_is_read_by_the_next", newline_without_a_keeper),
    ("a_descriptor_that_ends_without_a_newline_says_nothing", no_newline),
    ("a_run_that_talks_without_end_holds_up_nobody", talks_without_end),
    ("both_died_and_what_is_said_from_then_on_is_heard", both_died),
    ("a_run_that_does_not_report_has_nothing_for_it", nothing_for_it),
];

fn notices_of(slots: &[SlotState], name: &str) -> Vec<WireNotice> {
    slots.iter().find(|slot| slot.slot == name).unwrap().notices.clone()
}

fn status(text: &str) -> WireNotice {
    WireNotice::Status(text.to_owned())
}

fn is_root(what: &str) -> bool {
    let is_root = mainstay_host::effective_uid() == 0;
    if !is_root {
        assert!(std::env::var_os("CI").is_none(), "CI runs as root");
        println!("skipped: only root {what}");
    }
    is_root
}

fn started<'a>(world: &'a World, words: &[&str]) -> (&'a World, Daemon) {
    let (mut daemon, _) = world.daemon();
    daemon.say(&world.spawn_telling("api", 1, words, true, None));
    daemon.started("api");
    (world, daemon)
}

fn handed_on() {
    let world = World::new();
    let (world, mut daemon) = started(&world, &["sleep", "600"]);
    world.tell("api", "STATUS=starting\nWATCHDOG_USEC=20000\nEXTEND_TIMEOUT_USEC=1000000");
    let said = [status("starting"), WireNotice::WatchdogMs(20), WireNotice::ExtendMs(1000)];
    assert_eq!(daemon.notified("api"), said);
    world.tell("api", "READY=1\nNONSENSE\nX=1");
    assert_eq!(daemon.notified("api"), [WireNotice::Ready]);
    world.tell("api", "WATCHDOG=1");
    assert_eq!(daemon.notified("api"), [WireNotice::Alive]);
    world.tell("api", "RELOADING=1\nMONOTONIC_USEC=5");
    assert_eq!(daemon.notified("api"), [WireNotice::Reloading]);
    // One that is too long is not taken at all; one just not too long is.
    world.tell("api", &format!("READY=1\nX={}", "x".repeat(NOTIFY_LIMIT)));
    let longest = format!("WATCHDOG=1\nX={}", "x".repeat(NOTIFY_LIMIT - 13));
    assert_eq!(longest.len(), NOTIFY_LIMIT);
    world.tell("api", &longest);
    assert_eq!(daemon.notified("api"), [WireNotice::Alive]);
    let socket = fs::metadata(world.notify_socket("api")).unwrap();
    assert!(socket.file_type().is_socket());
    assert_eq!(socket.permissions().mode() & 0o777, 0o600);
    daemon.signal("api", 1, Signal::KILL, Scope::Group);
    daemon.exited("api");
    assert_eq!(fs::read_dir(world.run_dir().join("notify")).unwrap().count(), 0);
}

/// A line of Python that does what `sd_notify(3)` says.
const PYTHON: &str = "
import os, socket
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.connect(os.environ['NOTIFY_SOCKET'])
s.sendall(b'READY=1\\nSTATUS=python')
";

fn usual_clients() {
    let world = World::new();
    let (mut daemon, _) = world.daemon();
    // It waits until it was heard (`BARRIER=1`), and says when it was not.
    let script = "systemd-notify --ready --status='all is well' && echo heard; exec sleep 600";
    if Command::new("systemd-notify").arg("--version").stdout(Stdio::null()).status().is_ok() {
        daemon.say(&world.spawn_telling("api", 1, &["sh", "-c", script], true, None));
        let words = daemon.notified("api");
        assert!(words.contains(&WireNotice::Ready) && words.contains(&status("all is well")), "{words:?}");
        wait_until("it was heard", || world.log("api") == "heard\n");
    } else {
        assert!(std::env::var_os("CI").is_none(), "CI has systemd-notify");
        println!("skipped: systemd-notify is not here");
    }
    daemon.say(&world.spawn_telling("py", 1, &["python3", "-c", PYTHON], true, None));
    assert_eq!(daemon.notified("py"), [status("python"), WireNotice::Ready]);
    assert_eq!(daemon.exited("py"), (1, WireExit::Code(0)));
}

fn last_words() {
    let world = World::new();
    let (mut daemon, _) = world.daemon();
    let exe = std::env::current_exe().unwrap();
    for run in 1..=10 {
        let words = [exe.to_str().unwrap(), "service", "tells", "3"];
        daemon.say(&world.spawn_telling("api", run, &words, true, None));
        let mut known = Vec::new();
        loop {
            match daemon.next() {
                FromKeeper::Notified { notices, run: of, .. } => {
                    assert_eq!(of, run);
                    known.extend(notices);
                }
                FromKeeper::Exited { exit, .. } => {
                    assert_eq!(exit, WireExit::Code(3));
                    break;
                }
                _ => {}
            }
        }
        assert_eq!(known.first(), Some(&WireNotice::Ready));
        assert_eq!(known.last(), Some(&status("20")));
        daemon.acknowledge("api", run);
    }
}

fn no_daemon() {
    let world = World::new();
    let (world, daemon) = started(&world, &["sleep", "600"]);
    let pid = world.record("api").1.pid;
    daemon.kill();
    let mut daemon = world.silent_daemon();
    for text in ["RELOADING=1", "STATUS=one", "WATCHDOG=1", "ERRNO=2", "EXTEND_TIMEOUT_USEC=1"] {
        world.tell("api", text);
    }
    world.tell("api", &format!("STATUS=two\nREADY=1\nMAINPID={pid}\nWATCHDOG_USEC=3000000"));
    world.tell("api", "STOPPING=1\nWATCHDOG=trigger");
    wait_until("it was taken in", || world.record("api").0.said.contains(&WireNotice::Trigger));
    daemon.say(&ToKeeper::Hello { protocol: mainstay_wire::KEEPER_PROTOCOL });
    let FromKeeper::Snapshot { slots, .. } = daemon.next() else { panic!("no snapshot") };
    let lasting = [
        WireNotice::MainPid(pid),
        WireNotice::WatchdogMs(3000),
        WireNotice::Ready,
        status("two"),
        WireNotice::Errno(2),
        WireNotice::Stopping,
    ];
    let told = notices_of(&slots, "api");
    assert_eq!(told, [&lasting[..], &[WireNotice::Trigger]].concat());
    // It was heard: nobody is to act on it twice.
    daemon.kill();
    let (daemon, slots) = world.daemon();
    assert_eq!(notices_of(&slots, "api"), lasting);
    world.kill_keeper();
    drop(daemon);
    let (_daemon, slots) = world.daemon();
    assert_eq!(notices_of(&slots, "api"), lasting);
}

fn no_keeper() {
    let world = World::new();
    let (world, mut daemon) = started(&world, &["sleep", "600"]);
    let pid = world.record("api").1.pid;
    world.tell("api", "READY=1\nSTATUS=before");
    daemon.notified_until("api", &WireNotice::Ready);
    // Nobody reads, and then nobody is there.
    let keeper = world.keeper();
    keeper.signal(Signal::STOP);
    world.tell("api", "RELOADING=1");
    world.tell("api", "STATUS=meanwhile");
    keeper.signal(Signal::KILL);
    let (mut daemon, slots) = world.daemon();
    let mut known = notices_of(&slots, "api");
    assert_eq!(known.remove(0), WireNotice::Ready);
    assert_eq!(known, [status("meanwhile"), WireNotice::Reloading]);
    assert_eq!(slots[0].phase, SlotPhase::Running { pid });
    world.tell("api", "READY=1");
    assert_eq!(daemon.notified("api"), [WireNotice::Ready]);
    world.kill_keeper();
    drop(daemon);
    let (mut daemon, slots) = world.daemon();
    assert_eq!(notices_of(&slots, "api"), [WireNotice::Ready, status("meanwhile")]);
    daemon.signal("api", 1, Signal::KILL, Scope::Group);
    assert_eq!(daemon.exited("api"), (1, WireExit::Signal(9)));
    assert!(!world.run_dir().join("notify/api").exists());
}

/// Connects as root, which it must be to get there, and speaks as somebody else.
const STRANGER: &str = "
import os, socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.connect(sys.argv[1])
os.setuid(int(sys.argv[2]))
for _ in range(3):
    s.sendall(b'READY=1')
";

fn other_users() {
    if !is_root("can become another user") {
        return;
    }
    let world = World::new();
    let (world, mut daemon) = started(&world, &["sleep", "600"]);
    let socket = world.notify_socket("api");
    let mut stranger = Command::new("python3");
    stranger.args(["-c", STRANGER, socket.to_str().unwrap(), "1235"]);
    assert!(stranger.status().unwrap().success());
    world.tell("api", "WATCHDOG=1");
    assert_eq!(daemon.notified("api"), [WireNotice::Alive]);
    let said = "words for `api` are ignored: user 1235 is not its user";
    assert_eq!(world.anchor_log().matches(said).count(), 1);
    assert_eq!(world.record("api").0.said, []);
}

fn service_of_another_user() {
    if !is_root("can become another user") {
        return;
    }
    let mut world = World::new();
    let (mut daemon, _) = world.daemon();
    let script = format!("{PYTHON}\ninput() if False else __import__('time').sleep(600)");
    let mut spawn = world.spawn_telling("api", 1, &["python3", "-c", &script], true, Some(5));
    if let ToKeeper::Spawn { program, .. } = &mut spawn {
        program.identity = Some(Identity { uid: 1234, gid: 2345, groups: vec![2345] });
        program.dir = "/".to_owned();
        program.env.push("NOTIFY_SOCKET=/somewhere/else".to_owned());
    }
    daemon.say(&spawn);
    daemon.notified_until("api", &WireNotice::Ready);
    let socket = world.notify_socket("api");
    let data = fs::metadata(&socket).unwrap();
    assert_eq!((data.uid(), data.mode() & 0o777), (1234, 0o600));
    let folder = socket.parent().unwrap().to_owned();
    assert_eq!(fs::metadata(&folder).unwrap().mode() & 0o777, 0o711);
    // Its own user counts after the death of a keeper as well, and nobody else.
    world.kill_keeper();
    drop(daemon);
    let (mut daemon, _) = world.daemon();
    for user in ["1235", "1234"] {
        let mut other = Command::new("python3");
        other.args(["-c", STRANGER, socket.to_str().unwrap(), user]);
        assert!(other.status().unwrap().success());
    }
    daemon.notified_until("api", &WireNotice::Ready);
    assert!(world.anchor_log().contains("user 1235 is not its user"));
    daemon.signal("api", 1, Signal::KILL, Scope::Group);
    daemon.exited("api");
    assert!(!socket.exists());
    daemon.say(&ToKeeper::Finish);
    drop(daemon);
    let mut anchor = world.anchor.take().unwrap();
    wait_until("the anchor ended", || anchor.try_wait().unwrap().is_some());
    assert!(!folder.exists());
}

/// Descriptors that a process has open.
fn open_descriptors(pid: u32) -> usize {
    fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count()
}

fn descriptors() {
    let world = World::new();
    let (world, mut daemon) = started(&world, &["sleep", "600"]);
    let socket = world.notify_socket("api");
    let keeper = world.keeper().pid;
    daemon.sync(world);
    let before = open_descriptors(keeper);
    for text in ["BARRIER=1", "FDSTORE=1\nFDNAME=x", "READY=1"] {
        let pipes: Vec<_> = (0..16).map(|_| pipe().unwrap()).collect();
        let writing: Vec<_> = pipes.iter().map(|(_, writing)| writing.as_fd()).collect();
        tell_to(&socket, text, &writing);
        drop(writing);
        for (mut reading, writing) in pipes {
            drop(writing);
            // It ends when nobody has the other end.
            assert_eq!(reading.read(&mut [0]).unwrap(), 0);
        }
    }
    daemon.notified_until("api", &WireNotice::Ready);
    daemon.sync(world);
    assert_eq!(open_descriptors(keeper), before);
    // One of nobody who counts is closed as well, and one that nobody reads any more.
    let (mut reading, writing) = pipe().unwrap();
    let keeper = world.keeper();
    keeper.signal(Signal::STOP);
    tell_to(&socket, "BARRIER=1", &[writing.as_fd()]);
    drop(writing);
    keeper.signal(Signal::KILL);
    assert_eq!(reading.read(&mut [0]).unwrap(), 0);
}

fn old_runs() {
    let world = World::new();
    let (world, mut daemon) = started(&world, &["sleep", "600"]);
    let socket = world.notify_socket("api");
    let late = UnixDatagram::unbound().unwrap();
    late.connect(&socket).unwrap();
    late.send(b"STATUS=in time").unwrap();
    daemon.notified_until("api", &status("in time"));
    daemon.signal("api", 1, Signal::KILL, Scope::Group);
    daemon.exited("api");
    assert!(!socket.exists());
    daemon.say(&world.spawn_telling("api", 2, &["sleep", "600"], true, None));
    daemon.started("api");
    assert_eq!(world.notify_socket("api"), socket);
    // The anchor lets the old socket go in its own time; nobody reads it.
    late.set_nonblocking(true).unwrap();
    let _ = late.send(b"READY=1");
    world.tell("api", "WATCHDOG=1");
    assert_eq!(daemon.notified("api"), [WireNotice::Alive]);
    assert_eq!(world.record("api").0.said, []);
}

fn newline() {
    let world = World::new();
    let (mut daemon, _) = world.daemon();
    for (number, descriptor) in [3_u32, 9, 20, 300, 1023].into_iter().enumerate() {
        let run = number as u64 + 1;
        let script = format!(
            "exec 2>&-; printf 'almost ' > /proc/self/fd/{descriptor}; echo up; \
             while [ ! -e go{run} ]; do sleep 0.01; done; \
             printf 'there\\nand more' > /proc/self/fd/{descriptor}; echo told; exec sleep 600"
        );
        daemon.say(&world.spawn_telling("api", run, &["sh", "-c", &script], false, Some(descriptor)));
        daemon.started("api");
        wait_until("it is up", || world.log("api").matches("up").count() as u64 == run);
        fs::write(world.path(&format!("go{run}")), "").unwrap();
        assert_eq!(daemon.notified("api"), [WireNotice::Ready]);
        wait_until("it goes on", || world.log("api").matches("told").count() as u64 == run);
        daemon.signal("api", run, Signal::KILL, Scope::Group);
        assert_eq!(daemon.exited("api"), (run, WireExit::Signal(9)));
    }
    for descriptor in [0, 2, 1024] {
        daemon.say(&world.spawn_telling("api", 9, &["true"], false, Some(descriptor)));
        let (_, text) = daemon.not_started("api");
        assert_eq!(text, format!("descriptor {descriptor} cannot say that it is ready: 3 to 1023 can"));
    }
}

fn newline_without_a_keeper() {
    let world = World::new();
    let (mut daemon, _) = world.daemon();
    let script = "while [ ! -e go ]; do sleep 0.01; done; echo >&7; exec 7>&-; echo told; exec sleep 600";
    daemon.say(&world.spawn_telling("api", 1, &["sh", "-c", script], false, Some(7)));
    let pid = daemon.started("api");
    // The first death: nothing is written yet. The second: it is written, and nobody read it. The third: it was read.
    world.kill_keeper();
    drop(daemon);
    let (daemon, slots) = world.daemon();
    assert_eq!(notices_of(&slots, "api"), []);
    let keeper = world.keeper();
    keeper.signal(Signal::STOP);
    fs::write(world.path("go"), "").unwrap();
    wait_until("it closed its end", || !fs::exists(format!("/proc/{pid}/fd/7")).unwrap());
    keeper.signal(Signal::KILL);
    drop(daemon);
    let (mut daemon, slots) = world.daemon();
    if notices_of(&slots, "api").is_empty() {
        assert_eq!(daemon.notified("api"), [WireNotice::Ready]);
    }
    world.kill_keeper();
    drop(daemon);
    let (mut daemon, slots) = world.daemon();
    assert_eq!(notices_of(&slots, "api"), [WireNotice::Ready]);
    daemon.signal("api", 1, Signal::KILL, Scope::Group);
    assert_eq!(daemon.exited("api"), (1, WireExit::Signal(9)));
}

/// Pipes without a name that a process has open.
fn open_pipes(pid: u32) -> usize {
    let links = fs::read_dir(format!("/proc/{pid}/fd")).unwrap().flatten();
    links
        .filter_map(|entry| fs::read_link(entry.path()).ok())
        .filter(|target| target.as_os_str().as_encoded_bytes().starts_with(b"pipe:"))
        .count()
}

fn no_newline() {
    let world = World::new();
    let (mut daemon, _) = world.daemon();
    let pids = [world.anchor.as_ref().unwrap().pid(), world.keeper().pid];
    // The daemon's own beginning is over.
    daemon.sync(&world);
    let before = pids.map(open_pipes);
    let script = "printf 'no line' >&7; echo up; while [ ! -e go ]; do sleep 0.01; done; \
                  exec 7>&-; exec sleep 600";
    daemon.say(&world.spawn_telling("api", 1, &["sh", "-c", script], true, Some(7)));
    daemon.started("api");
    wait_until("it is up", || world.log("api") == "up\n");
    assert_eq!(pids.map(open_pipes), before.map(|count| count + 1));
    fs::write(world.path("go"), "").unwrap();
    wait_until("the pipe is let go", || pids.map(open_pipes) == before);
    world.tell("api", "WATCHDOG=1");
    assert_eq!(daemon.notified("api"), [WireNotice::Alive]);
    assert_eq!(world.record("api").0.said, []);
}

/// Says as much as it can.
const CHATTERBOX: &str = "
import os, socket
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.connect(os.environ['NOTIFY_SOCKET'])
number = 0
while not os.path.exists('go'):
    number += 1
    s.sendall(b'STATUS=%d %s\\nWATCHDOG=1\\nMAINPID=1' % (number, b'x' * 400))
s.sendall(b'STATUS=done')
print(number)
";

fn talks_without_end() {
    let world = World::new();
    let (mut daemon, _) = world.daemon();
    daemon.say(&world.spawn_telling("talks", 1, &["python3", "-c", CHATTERBOX], true, None));
    daemon.notified("talks");
    for run in 1..=20 {
        daemon.say(&world.spawn("api", run, &["true"]));
        assert_eq!(daemon.exited("api"), (run, WireExit::Code(0)));
        daemon.acknowledge("api", run);
    }
    // The keeper outlives a daemon that does not read for a while.
    let first = daemon.pid;
    std::thread::sleep(std::time::Duration::from_millis(500));
    fs::write(world.path("go"), "").unwrap();
    wait_until("it ended", || !crate::world::is_alive(world.record("talks").1.pid));
    let mut latest = Vec::new();
    loop {
        match daemon.next() {
            FromKeeper::Notified { notices, .. } => latest.extend(notices),
            FromKeeper::Exited { slot, exit, .. } if slot == "talks" => {
                assert_eq!(exit, WireExit::Code(0));
                break;
            }
            _ => {}
        }
    }
    assert_eq!(latest.last(), Some(&status("done")));
    assert!(!latest.contains(&WireNotice::MainPid(1)));
    assert_eq!(daemon.pid, first);
    println!("{} words", world.log("talks").trim());
}

fn both_died() {
    let mut world = World::new();
    let (mut daemon, _) = world.daemon();
    daemon.say(&world.spawn_telling("api", 1, &["sleep", "600"], true, None));
    daemon.started("api");
    world.tell("api", "READY=1");
    daemon.notified_until("api", &WireNotice::Ready);
    let keeper = world.stop_keeper();
    world.kill_anchor();
    keeper.signal(Signal::KILL);
    drop(daemon);
    world.start();
    let (mut daemon, slots) = world.daemon();
    assert_eq!(notices_of(&slots, "api"), [WireNotice::Ready]);
    world.tell("api", "STOPPING=1");
    assert_eq!(daemon.notified("api"), [WireNotice::Stopping]);
    daemon.signal("api", 1, Signal::KILL, Scope::Group);
    daemon.exited("api");
}

fn nothing_for_it() {
    let world = World::new();
    let (mut daemon, _) = world.daemon();
    let script = "echo $NOTIFY_SOCKET; ls /proc/self/fd | wc -l; exec sleep 600";
    daemon.say(&world.spawn("api", 1, &["sh", "-c", script]));
    daemon.started("api");
    wait_until("it is up", || world.log("api").lines().count() == 2);
    // Its three streams, and the folder that is listed.
    assert_eq!(world.log("api"), "\n4\n");
    assert!(!world.run_dir().join("notify").exists());
    let bytes = fs::read(world.run_dir().join("slots/api")).unwrap();
    let text = String::from_utf8_lossy(&bytes);
    assert!(!text.contains("\"notify\"") && !text.contains("\"said\"") && !text.contains("\"main\""));
    assert!(!matches!(daemon.poll(), Polled::Event(FromKeeper::Notified { .. })));
}
