//! What a run leaves behind, and the end of everything.

use std::fs;

use mainstay_host::{Process, is_in_memory, read_stat};
use mainstay_model::Signal;
use mainstay_wire::{Scope, ToKeeper, WireExit};

use crate::{
    Test,
    world::{Innocent, PATIENCE, World, is_alive, wait_until},
};

pub(crate) const TESTS: &[Test] = &[
    ("what_a_run_left_behind_is_gone_when_its_end_is_told", leftovers_are_gone),
    ("leftovers_of_a_run_that_an_earlier_keeper_made_are_found_too", leftovers_of_an_earlier_keeper),
    ("everything_stops_when_the_anchor_is_asked_to_end", everything_stops),
];

/// In the session, in a session below, an orphan, and one whose parent ended long ago.
const SCRIPT: &str = "
sleep 600 & echo pid $!
setsid sh -c 'echo pid $$; sleep 600 & echo pid $!; wait' &
( setsid sh -c 'echo pid $$; exec sleep 600' & )
( nohup setsid sh -c 'setsid sleep 600 & echo pid $!; exec sleep 600' & )
while [ ! -e go ]; do sleep 0.02; done
exit 5";

fn pids(text: &str) -> Vec<u32> {
    text.lines().filter_map(|line| line.strip_prefix("pid ")?.parse().ok()).collect()
}

fn leftovers_are_gone() {
    let world = World::new();
    let mut innocent = Innocent::new();
    let (mut daemon, _) = world.daemon();
    daemon.say(&world.spawn(
        "other",
        1,
        &["sh", "-c", "setsid sleep 600 & echo pid $!; wait; exec sleep 600"],
    ));
    daemon.say(&world.spawn("api", 1, &["sh", "-c", SCRIPT]));
    let other = daemon.started("other");
    wait_until("all are there", || {
        pids(&world.log("api")).len() == 5 && pids(&world.log("other")).len() == 1
    });
    let left = pids(&world.log("api"));
    fs::write(world.path("go"), "").unwrap();
    assert_eq!(daemon.exited("api"), (1, WireExit::Code(5)));
    for pid in left {
        assert!(!is_alive(pid), "{pid} lives");
    }
    assert!(is_alive(other) && is_alive(pids(&world.log("other"))[0]), "another service was hit");
    assert!(innocent.is_alive() && is_alive(daemon.pid));
    daemon.signal("other", 1, Signal::KILL, Scope::Everything);
    assert_eq!(daemon.exited("other"), (1, WireExit::Signal(9)));
    assert!(!is_alive(pids(&world.log("other"))[0]));
}

fn leftovers_of_an_earlier_keeper() {
    let world = World::new();
    let mut innocent = Innocent::new();
    let (mut daemon, _) = world.daemon();
    daemon.say(&world.spawn("api", 1, &["sh", "-c", SCRIPT]));
    daemon.started("api");
    wait_until("all are there", || pids(&world.log("api")).len() == 5);
    let left = pids(&world.log("api"));
    world.kill_keeper();
    drop(daemon);
    let (mut daemon, _) = world.daemon();
    fs::write(world.path("go"), "").unwrap();
    assert_eq!(daemon.exited("api"), (1, WireExit::Code(5)));
    for pid in left {
        assert!(!is_alive(pid), "{pid} lives");
    }
    assert!(innocent.is_alive());
}

fn everything_stops() {
    let mut world = World::on_disk();
    let (mut daemon, _) = world.daemon();
    daemon.say(&ToKeeper::Up);
    let mut anchor = world.anchor.take().unwrap();
    assert_eq!(anchor.answer(PATIENCE).unwrap(), "up");
    daemon.say(&world.spawn("api", 1, &["sleep", "600"]));
    let pid = daemon.started("api");
    let maps = fs::read_to_string(format!("/proc/{}/maps", world.keeper().pid)).unwrap();
    let buffer =
        maps.lines().find_map(|line| line.split_whitespace().last().filter(|path| path.ends_with("/pump")));
    let buffer = std::path::PathBuf::from(buffer.unwrap());
    // Where temporary folders are in memory anyway, the buffer is in the run folder.
    let run_dir = world.run_dir();
    let memory = if is_in_memory(&run_dir) { run_dir } else { "/dev/shm".into() };
    assert!(buffer.exists() && buffer.starts_with(memory), "{}", buffer.display());
    let process = Process::open(anchor.pid(), read_stat(anchor.pid()).unwrap().start_time).unwrap();
    process.signal(Signal::HUP);
    process.signal(Signal::INT);
    process.signal(Signal::TERM);
    daemon.terminate();
    daemon.signal("api", 1, Signal::TERM, Scope::Group);
    assert_eq!(daemon.exited("api"), (1, WireExit::Signal(15)));
    daemon.acknowledge("api", 1);
    daemon.say(&ToKeeper::Finish);
    drop(daemon);
    wait_until("the anchor ended", || anchor.try_wait().unwrap().is_some());
    assert!(!is_alive(pid));
    assert_eq!(fs::read_dir(world.run_dir()).unwrap().count(), 0);
    assert!(!buffer.parent().unwrap().exists());
    assert!(world.log("@daemon").contains("the stand-in runs\n"));
}
