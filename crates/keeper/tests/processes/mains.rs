//! Main processes that are named, signals to them and to everything, hooks beside their services, and what is to be remembered.

use std::fs;

use mainstay_host::{Process, read_stat};
use mainstay_model::Signal;
use mainstay_wire::{Scope, SlotPhase, SlotState, ToKeeper, WireExit, WireNotice};

use crate::{
    Test,
    world::{Innocent, World, is_alive, wait_until},
};

pub(crate) const TESTS: &[Test] = &[
    ("a_run_goes_on_in_the_process_that_it_names", goes_on),
    ("a_named_process_and_its_end_are_known_to_the_next_keeper", next_keeper),
    ("a_process_named_while_there_is_no_keeper_is_followed", named_without_a_keeper),
    ("a_run_ends_with_the_named_process_though_the_first_lives", the_first_lives),
    ("a_process_that_does_not_belong_to_the_run_is_not_followed", a_stranger),
    ("a_run_can_name_its_first_process_again", back_to_the_first),
    ("a_signal_for_the_main_process_reaches_nobody_else", main_only),
    ("a_family_that_forks_without_end_is_stopped_whole", stopped_whole),
    ("hooks_run_beside_their_service", hooks),
    ("what_is_to_be_remembered_disturbs_no_run", remembered),
];

/// Ends at once, and leaves a process in a session of its own behind, which ends with 7 when it may.
const DAEMONISES: &str = "
setsid sh -c 'trap \"echo got TERM; exit 8\" TERM; echo up; while [ ! -e go ]; do sleep 0.01; done; exit 7' &
while [ ! -e named ]; do sleep 0.01; done
echo \"pid $!\"
SAY
exit 3";

/// A script that says something to its socket.
fn script(text: &str, words: &str) -> String {
    let python = "import os,socket,sys; s=socket.socket(socket.AF_UNIX,socket.SOCK_DGRAM); \
                  s.connect(os.environ['NOTIFY_SOCKET']); s.sendall(sys.argv[1].encode())";
    text.replace("SAY", &format!("python3 -c \"{python}\" {words}"))
}

fn pid_in(world: &World, slot: &str) -> u32 {
    let mut pid = None;
    wait_until("it says its pid", || {
        pid = world.log(slot).lines().find_map(|line| line.strip_prefix("pid ")?.parse().ok());
        pid.is_some()
    });
    pid.unwrap()
}

fn phase_of(slots: &[SlotState], name: &str) -> SlotPhase {
    slots.iter().find(|slot| slot.slot == name).unwrap().phase.clone()
}

fn goes_on() {
    let world = World::new();
    let (mut daemon, _) = world.daemon();
    let script = script(DAEMONISES, "MAINPID=$!");
    daemon.say(&world.spawn_telling("api", 1, &["sh", "-c", &script], true, None));
    let first = daemon.started("api");
    fs::write(world.path("named"), "").unwrap();
    let main = pid_in(&world, "api");
    assert_eq!(daemon.notified("api"), [WireNotice::MainPid(main)]);
    wait_until("the first one is gone without a trace", || read_stat(first).is_none());
    assert!(is_alive(main));
    let record = world.record("api").0;
    assert_eq!(record.main.map(|main| main.pid), Some(main));
    // What a second word says of the same process changes nothing.
    world.tell("api", &format!("MAINPID={main}\nREADY=1"));
    assert_eq!(daemon.notified("api"), [WireNotice::MainPid(main), WireNotice::Ready]);
    fs::write(world.path("go"), "").unwrap();
    assert_eq!(daemon.exited("api"), (1, WireExit::Code(7)));
    daemon.acknowledge("api", 1);
    for name in ["go", "named"] {
        fs::remove_file(world.path(name)).unwrap();
    }
    // A stop reaches its group.
    daemon.say(&world.spawn_telling("web", 1, &["sh", "-c", &script], true, None));
    daemon.started("web");
    fs::write(world.path("named"), "").unwrap();
    let first = world.record("web").1.pid;
    daemon.notified("web");
    wait_until("the first one is gone", || read_stat(first).is_none());
    daemon.signal("web", 1, Signal::TERM, Scope::Group);
    assert_eq!(daemon.exited("web"), (1, WireExit::Code(8)));
    daemon.say(&world.spawn_telling("web", 2, &["sh", "-c", &script], true, None));
    daemon.started("web");
    daemon.notified("web");
    daemon.signal("web", 2, Signal::KILL, Scope::Everything);
    let (_, exit) = daemon.exited("web");
    // Whichever of the two was the main one at that time.
    assert!(matches!(exit, WireExit::Signal(9) | WireExit::Code(3)), "{exit:?}");
}

fn next_keeper() {
    let world = World::new();
    let (mut daemon, _) = world.daemon();
    let script = script(DAEMONISES, "MAINPID=$!");
    daemon.say(&world.spawn_telling("api", 1, &["sh", "-c", &script], true, None));
    let first = daemon.started("api");
    fs::write(world.path("named"), "").unwrap();
    let main = pid_in(&world, "api");
    daemon.notified("api");
    wait_until("the first one is gone", || read_stat(first).is_none());
    world.kill_keeper();
    drop(daemon);
    let (daemon, slots) = world.daemon();
    assert_eq!(phase_of(&slots, "api"), SlotPhase::Running { pid: main });
    assert_eq!(slots[0].notices, [WireNotice::MainPid(main)]);
    // It ends while nobody looks.
    let keeper = world.keeper();
    keeper.signal(Signal::STOP);
    fs::write(world.path("go"), "").unwrap();
    wait_until("it ended", || !is_alive(main));
    keeper.signal(Signal::KILL);
    drop(daemon);
    let (mut daemon, slots) = world.daemon();
    match phase_of(&slots, "api") {
        SlotPhase::Exited { exit } => assert_eq!(exit, WireExit::Code(7)),
        _ => assert_eq!(daemon.exited("api"), (1, WireExit::Code(7))),
    }
    daemon.say(&world.spawn("api", 2, &["true"]));
    assert_eq!(daemon.exited("api"), (2, WireExit::Code(0)));
}

fn named_without_a_keeper() {
    let world = World::new();
    let (mut daemon, _) = world.daemon();
    let script = script(DAEMONISES, "MAINPID=$!");
    daemon.say(&world.spawn_telling("api", 1, &["sh", "-c", &script], true, None));
    let first = daemon.started("api");
    wait_until("it is up", || world.log("api").contains("up"));
    let keeper = world.keeper();
    keeper.signal(Signal::STOP);
    fs::write(world.path("named"), "").unwrap();
    wait_until("the first one ended", || !is_alive(first));
    keeper.signal(Signal::KILL);
    drop(daemon);
    let (mut daemon, slots) = world.daemon();
    let main = pid_in(&world, "api");
    assert_eq!(phase_of(&slots, "api"), SlotPhase::Running { pid: main });
    assert_eq!(slots[0].notices, [WireNotice::MainPid(main)]);
    fs::write(world.path("go"), "").unwrap();
    assert_eq!(daemon.exited("api"), (1, WireExit::Code(7)));
}

fn the_first_lives() {
    let world = World::new();
    let (mut daemon, _) = world.daemon();
    let text = "sh -c 'while [ ! -e go ]; do sleep 0.01; done; exit 7' & echo \"pid $!\"; SAY; \
                wait $!; sleep 600";
    let script = script(text, "MAINPID=$!");
    daemon.say(&world.spawn_telling("api", 1, &["sh", "-c", &script], true, None));
    let first = daemon.started("api");
    let main = pid_in(&world, "api");
    assert_eq!(daemon.notified("api"), [WireNotice::MainPid(main)]);
    assert!(is_alive(first) && is_alive(main));
    fs::write(world.path("go"), "").unwrap();
    // Its parent took the status; whether the kernel kept it is the kernel's affair.
    let (_, exit) = daemon.exited("api");
    assert!(matches!(exit, WireExit::Code(7) | WireExit::Unknown), "{exit:?}");
    assert!(!is_alive(first));
    wait_until("it is reaped", || read_stat(first).is_none());
}

fn a_stranger() {
    let world = World::new();
    let mut innocent = Innocent::new();
    let (mut daemon, _) = world.daemon();
    daemon.say(&world.spawn("other", 1, &["sleep", "600"]));
    let other = daemon.started("other");
    daemon.say(&world.spawn_telling("api", 1, &["sleep", "600"], true, None));
    let pid = daemon.started("api");
    for stranger in [other, innocent.0.id(), daemon.pid, world.keeper().pid, 1, u32::MAX] {
        world.tell("api", &format!("MAINPID={stranger}"));
    }
    world.tell("api", "READY=1");
    assert_eq!(daemon.notified("api"), [WireNotice::Ready]);
    let refused = format!("`api` names process {other} as its main process, which does not belong to it");
    assert!(world.anchor_log().contains(&refused));
    assert_eq!(world.anchor_log().matches("does not belong to it").count(), 1);
    assert_eq!(world.record("api").0.main, None);
    daemon.signal("api", 1, Signal::KILL, Scope::Everything);
    assert_eq!(daemon.exited("api"), (1, WireExit::Signal(9)));
    assert!(!is_alive(pid) && is_alive(other) && innocent.is_alive());
}

fn back_to_the_first() {
    let world = World::new();
    let (mut daemon, _) = world.daemon();
    let text = "trap 'exit 5' TERM; sleep 600 & echo \"pid $!\"; while :; do sleep 0.01; done";
    daemon.say(&world.spawn_telling("api", 1, &["sh", "-c", text], true, None));
    let first = daemon.started("api");
    let child = pid_in(&world, "api");
    for _ in 0..2 {
        world.tell("api", &format!("MAINPID={child}"));
        daemon.notified_until("api", &WireNotice::MainPid(child));
        world.tell("api", &format!("MAINPID={first}"));
        daemon.notified_until("api", &WireNotice::MainPid(first));
    }
    assert_eq!(world.record("api").0.main, None);
    Process::open(child, read_stat(child).unwrap().start_time).unwrap().signal(Signal::KILL);
    daemon.sync(&world);
    assert!(is_alive(first));
    daemon.signal("api", 1, Signal::TERM, Scope::Main);
    assert_eq!(daemon.exited("api"), (1, WireExit::Code(5)));
    wait_until("it is reaped", || read_stat(first).is_none());
}

fn main_only() {
    let world = World::new();
    let (mut daemon, _) = world.daemon();
    let text = "sh -c 'trap \"echo child\" USR1; echo \"pid $$\"; while :; do sleep 0.01; done' & \
                trap 'echo first' USR1; while :; do sleep 0.01; done";
    daemon.say(&world.spawn_telling("api", 1, &["sh", "-c", text], true, None));
    daemon.started("api");
    let child = pid_in(&world, "api");
    let usr1 = Signal::from_number(10).unwrap();
    daemon.signal("api", 1, usr1, Scope::Main);
    wait_until("the first one got it", || world.log("api").contains("first"));
    world.tell("api", &format!("MAINPID={child}"));
    daemon.notified("api");
    daemon.signal("api", 1, usr1, Scope::Main);
    wait_until("the child got it", || world.log("api").contains("child"));
    assert_eq!(
        (world.log("api").matches("first").count(), world.log("api").matches("child").count()),
        (1, 1)
    );
    daemon.signal("api", 1, usr1, Scope::Group);
    wait_until("both got it", || {
        let log = world.log("api");
        log.matches("first").count() == 2 && log.matches("child").count() == 2
    });
    daemon.signal("api", 1, Signal::KILL, Scope::Everything);
    daemon.exited("api");
}

/// States of all processes that have this in their environment, by pid. Zombies have none.
fn states(mark: &str) -> Vec<(u32, char)> {
    let entries = fs::read_dir("/proc").unwrap().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter_map(|pid: u32| {
        let environment = fs::read(format!("/proc/{pid}/environ")).ok()?;
        environment.split(|byte| *byte == 0).find(|variable| *variable == mark.as_bytes())?;
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        Some((pid, stat.rsplit_once(") ")?.1.chars().next()?))
    })
    .collect()
}

/// Whatever goes wrong, nothing of it is left: processes that make processes would live on for ever.
struct Family(String);

impl Drop for Family {
    fn drop(&mut self) {
        for signal in [Signal::STOP, Signal::KILL] {
            for _ in 0..20 {
                for (pid, _) in states(&self.0) {
                    let row = read_stat(pid);
                    if let Some(process) = row.and_then(|row| Process::open(pid, row.start_time)) {
                        process.signal(signal);
                    }
                }
            }
        }
    }
}

fn stopped_whole() {
    let world = World::new();
    let mut innocent = Innocent::new();
    let (mut daemon, _) = world.daemon();
    let exe = std::env::current_exe().unwrap();
    let spawn = world.spawn("api", 1, &[exe.to_str().unwrap(), "service", "forks"]);
    let ToKeeper::Spawn { program, .. } = &spawn else { panic!("no spawn") };
    let mark = program.env.iter().find(|pair| pair.starts_with("MAINSTAY_RUN_ID=")).unwrap().clone();
    daemon.say(&spawn);
    daemon.started("api");
    let _family = Family(mark.clone());
    wait_until("there are some", || states(&mark).len() > 6);
    for _ in 0..3 {
        daemon.signal("api", 1, Signal::STOP, Scope::Everything);
        daemon.sync(&world);
        // One that waits for the `execve` of another that is stopped goes on as little.
        wait_until("all are stopped", || states(&mark).iter().all(|(_, state)| matches!(state, 'T' | 'D')));
        let before = states(&mark);
        std::thread::sleep(std::time::Duration::from_millis(100));
        assert_eq!(states(&mark), before, "something goes on");
        assert!(before.len() > 1);
        daemon.signal("api", 1, Signal::CONT, Scope::Everything);
        wait_until("they go on", || states(&mark).iter().any(|now| !before.contains(now)));
    }
    daemon.signal("api", 1, Signal::STOP, Scope::Everything);
    daemon.signal("api", 1, Signal::KILL, Scope::Everything);
    assert_eq!(daemon.exited("api"), (1, WireExit::Signal(9)));
    assert_eq!(states(&mark), []);
    assert!(innocent.is_alive());
}

/// A run with the same marks as that of its service.
fn hook(world: &World, name: &str, run: u64, text: &str) -> ToKeeper {
    let mut spawn = world.spawn_telling(&format!("api@2+{name}"), run, &["sh", "-c", text], true, None);
    if let ToKeeper::Spawn { program, log, .. } = &mut spawn {
        program.env = environment();
        program.env.push(format!("MAINSTAY_HOOK={name}"));
        *log = world.log_file("api@2", 1_000_000, 3, 10_000_000);
    }
    spawn
}

fn environment() -> Vec<String> {
    vec!["PATH=/usr/bin:/bin".to_owned(), format!("MAINSTAY_RUN_ID=hooks-{}", std::process::id())]
}

fn hooks() {
    let world = World::new();
    let (mut daemon, _) = world.daemon();
    let mut spawn = world.spawn(
        "api@2",
        1,
        &["sh", "-c", "setsid sleep 600 & echo \"pid $!\"; while :; do sleep 1; done"],
    );
    if let ToKeeper::Spawn { program, .. } = &mut spawn {
        program.env = environment();
    }
    daemon.say(&spawn);
    let service = daemon.started("api@2");
    let helper = pid_in(&world, "api@2");
    // From now on the service is the anchor's child, as an orphan of the hook would be.
    world.kill_keeper();
    drop(daemon);
    let (mut daemon, _) = world.daemon();
    let (before, after) = ("api@2+before_stop", "api@2+after_start");
    daemon.say(&hook(&world, "after_start", 1, "( setsid sleep 600 & ) ; echo hooked; exit 4"));
    assert_eq!(daemon.exited(after), (1, WireExit::Code(4)));
    wait_until("its output is with the service's", || world.log("api@2").contains("hooked"));
    assert!(is_alive(service) && is_alive(helper));
    daemon.say(&hook(
        &world,
        "before_stop",
        7,
        "( setsid sleep 600 & ); while [ ! -e go ]; do sleep 0.01; done; exit 6",
    ));
    let pid = daemon.started(before);
    assert!(world.run_dir().join("notify").join(before).exists());
    world.tell(before, "STATUS=at work");
    daemon.notified(before);
    world.kill_keeper();
    drop(daemon);
    let (mut daemon, slots) = world.daemon();
    assert_eq!(phase_of(&slots, before), SlotPhase::Running { pid });
    assert_eq!(phase_of(&slots, after), SlotPhase::Exited { exit: WireExit::Code(4) });
    // The service's end is not that of its hook.
    daemon.signal("api@2", 1, Signal::KILL, Scope::Everything);
    assert_eq!(daemon.exited("api@2"), (1, WireExit::Signal(9)));
    assert!(!is_alive(service) && !is_alive(helper) && is_alive(pid));
    fs::write(world.path("go"), "").unwrap();
    assert_eq!(daemon.exited(before), (7, WireExit::Code(6)));
    for name in [before, after] {
        daemon.say(&ToKeeper::Forget { slot: name.to_owned() });
    }
    daemon.sync(&world);
    let left = |folder: &str| fs::read_dir(world.run_dir().join(folder)).unwrap().count();
    assert_eq!((left("slots"), left("fifo"), left("notify")), (2, 2, 0));
}

fn remembered() {
    let world = World::new();
    let (mut daemon, _) = world.daemon();
    let keep = |slot: &str, run: u64, memo: &str| {
        let (slot, memo) = (slot.to_owned(), memo.to_owned());
        [
            ToKeeper::Acknowledge { slot: slot.clone(), run, memo: memo.clone() },
            ToKeeper::Remember { slot, run, memo },
        ]
    };
    daemon.say(&world.spawn("api", 5, &["sh", "-c", "while [ ! -e go ]; do sleep 0.01; done; exit 3"]));
    let pid = daemon.started("api");
    let state = |slots: &[SlotState], name: &str| {
        let slot = slots.iter().find(|slot| slot.slot == name).unwrap();
        (slot.run, slot.phase.clone(), slot.memo.clone())
    };
    for (number, run) in [(0, 5), (1, 5), (0, 9), (1, 9), (0, 4), (1, 4)] {
        let memo = format!("memo {number} of {run}");
        daemon.say(&keep("api", run, &memo)[number]);
        daemon.sync(&world);
        let kept = if run == 4 { "memo 1 of 9".to_owned() } else { memo };
        assert_eq!(world.record("api").0.memo, kept);
        assert_eq!((world.record("api").0.run, world.record("api").0.acknowledged), (5, false));
    }
    daemon.kill();
    let (mut daemon, slots) = world.daemon();
    assert_eq!(state(&slots, "api"), (5, SlotPhase::Running { pid }, "memo 1 of 9".to_owned()));
    // It ended, and the daemon asked for something to be remembered before it heard of it.
    fs::write(world.path("go"), "").unwrap();
    wait_until("it ended", || !is_alive(pid));
    daemon.say(&keep("api", 5, "paused")[1]);
    assert_eq!(daemon.exited("api"), (5, WireExit::Code(3)));
    daemon.say(&keep("api", 5, "still paused")[1]);
    daemon.say(&keep("api", 6, "a start that failed before it began")[0]);
    // One of which nothing ever ran.
    daemon.say(&keep("new", 1, "failed before its first start")[0]);
    daemon.say(&keep("../new", 1, "nonsense")[1]);
    daemon.sync(&world);
    world.kill_keeper();
    drop(daemon);
    let (mut daemon, slots) = world.daemon();
    let exited = SlotPhase::Exited { exit: WireExit::Code(3) };
    assert_eq!(state(&slots, "api"), (5, exited, "a start that failed before it began".to_owned()));
    assert_eq!(state(&slots, "new"), (0, SlotPhase::Over, "failed before its first start".to_owned()));
    assert_eq!(slots.len(), 2);
    daemon.acknowledge("api", 5);
    daemon.say(&world.spawn("new", 1, &["true"]));
    assert_eq!(daemon.exited("new"), (1, WireExit::Code(0)));
    daemon.kill();
    let (_daemon, slots) = world.daemon();
    assert_eq!(state(&slots, "api").1, SlotPhase::Over);
}
