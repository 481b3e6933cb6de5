//! Another program in the place of anchor, keeper and daemon: what stays as it was, and when it is taken back.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use mainstay_host::read_stat;
use mainstay_wire::{FromKeeper, SlotPhase, ToKeeper, UpgradeOutcome, UpgradeView, WireExit};

use crate::{
    Test,
    world::{Daemon, World, is_alive, wait_until},
};

pub(crate) const TESTS: &[Test] = &[
    ("an_upgrade_keeps_processes_parents_and_ends", everything_stays),
    ("what_cannot_be_executed_changes_nothing", no_program),
    ("a_keeper_that_ends_is_taken_back", a_dead_keeper),
    ("a_daemon_that_ends_is_taken_back", a_dead_daemon),
    ("what_refuses_the_anchors_state_is_taken_back", a_refusal),
    ("a_keeper_without_an_anchor_becomes_one_first", alone),
    ("a_deleted_program_starts_itself_again", a_deleted_program),
];

fn copy_of_ourselves(world: &World, name: &str) -> PathBuf {
    let copy = world.path(name);
    fs::copy(std::env::current_exe().unwrap(), &copy).unwrap();
    copy
}

/// A program that is ourselves, but for what this script does before.
fn script(world: &World, name: &str, text: &str) -> PathBuf {
    let path = world.path(name);
    let exe = std::env::current_exe().unwrap();
    fs::write(&path, format!("#!/bin/sh\n{text}\nexec {} \"$@\"\n", exe.display())).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).unwrap();
    path
}

fn begin(mut daemon: Daemon, program: &Path) {
    daemon.say(&ToKeeper::Upgrade { program: program.to_str().unwrap().to_owned() });
}

fn next_outcome(daemon: &mut Daemon) -> UpgradeOutcome {
    loop {
        if let FromKeeper::Upgraded { upgrade } = daemon.next()
            && upgrade.outcome != UpgradeOutcome::Trying
        {
            return upgrade.outcome;
        }
    }
}

fn program_of(pid: u32) -> PathBuf {
    fs::read_link(format!("/proc/{pid}/exe")).unwrap()
}

fn everything_stays() {
    let world = World::new();
    let (mut daemon, _) = world.daemon();
    let lines =
        "n=0; while [ ! -e go ]; do n=$((n+1)); echo line $n; sleep 0.002; done; echo over $n; exit 7";
    daemon.say(&world.spawn("api", 1, &["sh", "-c", lines]));
    daemon.say(&world.spawn("job", 1, &["sh", "-c", "exit 3"]));
    let api = daemon.started("api");
    daemon.exited("job");
    let (anchor, keeper) = (world.anchor.as_ref().unwrap().pid(), world.keeper().pid);
    let new = copy_of_ourselves(&world, "new");
    begin(daemon, &new);
    let (mut daemon, slots) = world.daemon();
    assert_eq!(slots.len(), 2);
    daemon.say(&ToKeeper::Up);
    assert_eq!(next_outcome(&mut daemon), UpgradeOutcome::Done);
    assert_eq!((world.keeper().pid, world.holder("anchor.lock").unwrap().pid), (keeper, anchor));
    for pid in [anchor, keeper, daemon.pid] {
        assert_eq!(program_of(pid), new);
    }
    assert_eq!(read_stat(api).unwrap().parent, keeper);
    fs::write(world.path("go"), "").unwrap();
    assert_eq!(daemon.exited("api"), (1, WireExit::Code(7)));
    let text = world.log("api");
    let written: Vec<&str> = text.lines().collect();
    let count = written.len() - 1;
    let expected: Vec<String> =
        (1..=count).map(|n| format!("line {n}")).chain([format!("over {count}")]).collect();
    assert_eq!(written, expected);
    // Once more, and back: also what is started then works, and the limits of services are not raised.
    begin(daemon, &std::env::current_exe().unwrap());
    let (mut daemon, _) = world.daemon();
    daemon.say(&ToKeeper::Up);
    assert_eq!(next_outcome(&mut daemon), UpgradeOutcome::Done);
    daemon.say(&world.spawn("api", 2, &["sh", "-c", "ulimit -Sn"]));
    assert_eq!(daemon.exited("api"), (2, WireExit::Code(0)));
    let own = rustix::process::getrlimit(rustix::process::Resource::Nofile).current.unwrap();
    assert!(world.log("api").ends_with(&format!("\n{own}\n")), "{}", world.log("api"));
}

/// One that runs all the time, and its keeper; then this program is put in the place of ours.
fn tried(world: &World, program: &Path) -> (Daemon, UpgradeOutcome) {
    let (mut daemon, _) = world.daemon();
    daemon.say(&world.spawn("api", 1, &["sh", "-c", "while [ ! -e go ]; do sleep 0.01; done; exit 7"]));
    let api = daemon.started("api");
    begin(daemon, program);
    let (mut daemon, outcome) = daemon_that_knows(world);
    daemon.say(&ToKeeper::Up);
    assert_eq!(program_of(world.keeper().pid), std::env::current_exe().unwrap());
    assert_eq!(program_of(daemon.pid), std::env::current_exe().unwrap());
    assert!(read_stat(api).is_some_and(|row| !row.is_zombie()));
    fs::write(world.path("go"), "").unwrap();
    assert_eq!(daemon.exited("api"), (1, WireExit::Code(7)));
    (daemon, outcome)
}

/// The first daemon that is told that it was taken back; those before it may die at any moment.
fn daemon_that_knows(world: &World) -> (Daemon, UpgradeOutcome) {
    let mut found = None;
    wait_until("it is taken back", || {
        let told = world.try_told_daemon();
        found = told.and_then(|(daemon, _, upgrade)| match upgrade?.outcome {
            outcome @ UpgradeOutcome::TakenBack { .. } => Some((daemon, outcome)),
            UpgradeOutcome::Trying | UpgradeOutcome::Done => None,
        });
        found.is_some()
    });
    found.unwrap()
}

fn assert_taken_back(outcome: UpgradeOutcome, reason: &str) {
    let UpgradeOutcome::TakenBack { why } = outcome else { panic!("{outcome:?}") };
    assert!(why.contains(reason), "{why}");
}

fn no_program() {
    let world = World::new();
    let keeper = world.keeper().pid;
    let (daemon, outcome) = tried(&world, Path::new("/nonexistent/mainstay"));
    assert_taken_back(outcome, "the keeper cannot become it: No such file or directory");
    assert_eq!(world.keeper().pid, keeper);
    drop(daemon);
}

fn a_dead_keeper() {
    let world = World::new();
    let program = script(&world, "new", "case $2 in keeper) exit 3;; esac");
    assert_taken_back(tried(&world, &program).1, "its keeper ended (exit 3)");
}

fn a_dead_daemon() {
    let world = World::new();
    let (mut daemon, _) = world.daemon();
    daemon.say(&world.spawn("api", 1, &["sleep", "600"]));
    let api = daemon.started("api");
    begin(daemon, &copy_of_ourselves(&world, "new"));
    let (mut daemon, _) = world.daemon();
    daemon.say(&ToKeeper::Up);
    daemon.sync(&world);
    daemon.kill();
    wait_until("it is taken back", || world.anchor_log().contains("taken back: its daemon ended"));
    wait_until("the old keeper works", || {
        let keeper = world.holder("keeper.lock");
        // The one that is given up may be gone by now.
        let program = keeper.and_then(|keeper| fs::read_link(format!("/proc/{}/exe", keeper.pid)).ok());
        program.is_some_and(|program| program == std::env::current_exe().unwrap())
    });
    assert!(read_stat(api).is_some_and(|row| !row.is_zombie()));
}

fn a_refusal() {
    let world = World::new();
    let new = copy_of_ourselves(&world, "new");
    let (mut daemon, _) = world.daemon();
    daemon.say(&world.spawn("api", 1, &["sleep", "600"]));
    daemon.started("api");
    begin(daemon, &new);
    let (mut daemon, _) = world.daemon();
    daemon.say(&ToKeeper::Up);
    // What it finds when it is asked is no more than a file that cannot be executed.
    fs::remove_file(&new).unwrap();
    fs::write(&new, "nothing").unwrap();
    assert_taken_back(daemon_that_knows(&world).1, "");
}

/// Nobody could take the new program back: the anchor that it becomes is asked once more.
fn alone() {
    let mut world = World::new();
    let (mut daemon, _) = world.daemon();
    daemon.say(&world.spawn("api", 1, &["sleep", "600"]));
    let pid = daemon.started("api");
    let new = copy_of_ourselves(&world, "new");
    let keeper = world.keeper();
    // It is alone for as long as a process is being made.
    let lock = fs::File::create(world.run_dir().join("slots/hangs")).unwrap();
    lock.lock().unwrap();
    daemon.say(&world.spawn("hangs", 1, &["true"]));
    daemon.sync(&world);
    world.kill_anchor();
    daemon.hears_that_the_anchor_is_gone();
    let before = daemon.pid;
    daemon.say(&ToKeeper::Upgrade { program: new.to_str().unwrap().to_owned() });
    daemon.sync(&world);
    drop(daemon);
    wait_until("the daemon has ended", || !is_alive(before));
    drop(lock);
    let (daemon, slots, upgrade) = world.told_daemon();
    let own = std::env::current_exe().unwrap();
    let program = own.to_str().unwrap().to_owned();
    assert_eq!(upgrade, Some(UpgradeView { number: 1, program, outcome: UpgradeOutcome::Done }));
    assert!(slots.iter().any(|slot| slot.phase == SlotPhase::Running { pid }), "{slots:?}");
    assert_eq!((world.holder("anchor.lock").unwrap().pid, program_of(keeper.pid)), (keeper.pid, own));
    begin(daemon, &new);
    let (mut daemon, _) = world.daemon();
    daemon.say(&ToKeeper::Up);
    wait_until("all are the new program", || {
        program_of(keeper.pid) == new && program_of(world.keeper().pid) == new
    });
}

fn a_deleted_program() {
    let mut world = World::unstarted();
    let exe = copy_of_ourselves(&world, "old");
    world.start_program(&exe);
    let (mut daemon, _) = world.daemon();
    daemon.say(&world.spawn("api", 1, &["sleep", "600"]));
    let api = daemon.started("api");
    // Another program is put in its place, as a package manager does.
    fs::remove_file(&exe).unwrap();
    fs::copy("/bin/false", &exe).unwrap();
    daemon.kill();
    let (daemon, slots) = world.daemon();
    assert_eq!(slots.len(), 1);
    world.kill_keeper();
    drop(daemon);
    let (mut daemon, _) = world.daemon();
    daemon.sync(&world);
    assert!(read_stat(api).is_some_and(|row| !row.is_zombie()));
}
