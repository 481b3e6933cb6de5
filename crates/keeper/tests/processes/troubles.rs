//! What whoever starts an anchor is told when it cannot come up.

use std::{fs, time::Duration};

use mainstay_model::Signal;
use mainstay_wire::{DAEMON_SLOT, SlotPhase, ToKeeper};

use crate::{
    Test,
    world::{PATIENCE, World, is_alive, wait_until},
};

pub(crate) const TESTS: &[Test] = &[
    ("a_second_anchor_is_refused", a_second_anchor),
    ("trouble_of_the_daemon_is_the_answer", trouble_of_the_daemon),
    ("trouble_while_services_run_is_no_end", trouble_while_services_run),
    ("a_daemon_that_never_comes_up_is_the_answer", a_hopeless_daemon),
    ("a_run_time_folder_that_will_not_do_is_named", a_bad_folder),
    ("a_place_without_fifos_is_named", no_fifos),
    ("a_new_anchor_leaves_a_keeper_alone_that_lost_its_own", a_keeper_without_anchor),
    ("an_idle_anchor_and_keeper_do_nothing", idle),
    ("connections_wait_while_there_is_no_daemon", connections_wait),
];

fn a_second_anchor() {
    let world = World::new();
    let _daemon = world.daemon();
    let mut second = world.another_anchor();
    let answer = second.answer(PATIENCE).unwrap();
    let expected = format!(
        "error another anchor (pid {}) already runs for `{}`",
        world.anchor.as_ref().unwrap().pid(),
        world.run_dir().display()
    );
    assert_eq!(answer, expected);
    wait_until("it ended", || second.try_wait().unwrap().is_some());
}

fn trouble_of_the_daemon() {
    let mut world = World::new();
    let (mut daemon, _) = world.daemon();
    daemon.say(&ToKeeper::Trouble { text: "the state is damaged".to_owned() });
    let mut anchor = world.anchor.take().unwrap();
    assert_eq!(anchor.answer(PATIENCE).unwrap(), "error the state is damaged");
    drop(daemon);
    wait_until("the anchor ended", || anchor.try_wait().unwrap().is_some());
    assert_eq!(fs::read_dir(world.run_dir()).unwrap().count(), 0);
}

fn trouble_while_services_run() {
    let world = World::new();
    let (mut daemon, _) = world.daemon();
    daemon.say(&ToKeeper::Up);
    daemon.say(&world.spawn("api", 1, &["sleep", "600"]));
    let pid = daemon.started("api");
    daemon.say(&ToKeeper::Trouble { text: "the state is damaged".to_owned() });
    daemon.sync(&world);
    drop(daemon);
    let (daemon, slots) = world.daemon();
    assert_eq!(slots.len(), 1);
    assert!(is_alive(pid) && is_alive(daemon.pid));
}

fn a_hopeless_daemon() {
    let mut world = World::unstarted();
    fs::write(world.state_dir().join("hopeless"), "").unwrap();
    world.start();
    let mut anchor = world.anchor.take().unwrap();
    let log = world.logs_dir().join(DAEMON_SLOT).join("current");
    let expected = format!("error the daemon ended 5 times before it was up; see `{}`", log.display());
    assert_eq!(anchor.answer(PATIENCE).unwrap(), expected);
    wait_until("the anchor ended", || anchor.try_wait().unwrap().is_some());
}

fn a_bad_folder() {
    let mut world = World::unstarted();
    fs::write(world.run_dir(), "").unwrap();
    world.start();
    let mut anchor = world.anchor.take().unwrap();
    let answer = anchor.answer(PATIENCE).unwrap();
    let expected = format!(
        "error `{}` is not a folder; set XDG_RUNTIME_DIR to a folder on a local file system",
        world.run_dir().display()
    );
    assert_eq!(answer, expected);
    wait_until("the anchor ended", || anchor.try_wait().unwrap().is_some());
}

fn no_fifos() {
    let mut world = World::unstarted();
    // Something that cannot be replaced by a FIFO.
    let path = world.run_dir().join("fifo").join(DAEMON_SLOT);
    fs::create_dir_all(path.join("x")).unwrap();
    world.start();
    let mut anchor = world.anchor.take().unwrap();
    let answer = anchor.answer(PATIENCE).unwrap();
    let expected = format!("error the daemon cannot start: cannot make a FIFO at `{}`: ", path.display());
    assert!(answer.starts_with(&expected), "{answer}");
    assert!(answer.ends_with("; set XDG_RUNTIME_DIR to a folder on a local file system"), "{answer}");
    wait_until("the anchor ended", || anchor.try_wait().unwrap().is_some());
    assert_eq!(fs::read_dir(world.run_dir()).unwrap().count(), 0);
}

fn a_keeper_without_anchor() {
    let mut world = World::new();
    let (mut daemon, _) = world.daemon();
    daemon.say(&world.spawn("api", 1, &["sleep", "600"]));
    let pid = daemon.started("api");
    // It is alone for as long as it stands still.
    let keeper = world.stop_keeper();
    world.kill_anchor();
    let mut second = world.another_anchor();
    let answer = second.answer(PATIENCE).unwrap();
    let expected = format!(
        "error a keeper (pid {}) whose anchor is gone works in `{}`; `mainstay down` ends it",
        keeper.pid,
        world.run_dir().display()
    );
    assert_eq!(answer, expected);
    wait_until("it ended", || second.try_wait().unwrap().is_some());
    assert!(is_alive(pid) && world.run_dir().join("slots/api").exists());
    keeper.signal(Signal::CONT);
    let (mut daemon, slots) = world.daemon();
    assert_eq!(slots[0].phase, SlotPhase::Running { pid });
    daemon.sync(&world);
}

/// Voluntary context switches of all threads of a process.
fn switches(pid: u32) -> u64 {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    tasks
        .map(|task| {
            let text = fs::read_to_string(task.unwrap().path().join("status")).unwrap();
            let line = text.lines().find(|line| line.starts_with("voluntary_ctxt_switches")).unwrap();
            line.split_whitespace().last().unwrap().parse::<u64>().unwrap()
        })
        .sum()
}

fn resident_kilobytes(pid: u32) -> u64 {
    mainstay_host::process_usage(pid).unwrap().resident_bytes / 1024
}

fn idle() {
    let world = World::new();
    let (mut daemon, _) = world.daemon();
    // The figures for a hundred services are taken with this.
    let services = std::env::var("MAINSTAY_TEST_SERVICES").map_or(20, |text| text.parse().unwrap());
    for number in 0..services {
        daemon.say(&world.spawn(&format!("s{number}"), 1, &["sh", "-c", "echo up; exec sleep 600"]));
    }
    for number in 0..services {
        daemon.started(&format!("s{number}"));
    }
    let pids = [world.anchor.as_ref().unwrap().pid(), world.keeper().pid];
    let mut before = pids.map(switches);
    // Both tidy up a while after the last event, once.
    wait_until("they are idle", || {
        std::thread::sleep(Duration::from_millis(1500));
        let now = pids.map(switches);
        std::mem::replace(&mut before, now) == now
    });
    println!(
        "resident: anchor {} kB, keeper {} kB",
        resident_kilobytes(pids[0]),
        resident_kilobytes(pids[1])
    );
}

fn connections_wait() {
    let world = World::new();
    let (daemon, _) = world.daemon();
    daemon.kill();
    world.kill_keeper();
    let _connection = std::os::unix::net::UnixStream::connect(world.run_dir().join("sock")).unwrap();
    // One of the keeper before may have come first.
    wait_until("a daemon comes", || world.try_daemon().is_some());
    let mode = std::os::unix::fs::MetadataExt::mode(&fs::metadata(world.run_dir().join("sock")).unwrap());
    assert_eq!(mode & 0o777, 0o600);
}
