//! `kill -9` for each of the processes: what lives on, and what the next one finds.

use std::fs;

use mainstay_host::{KeptExit, Process, adopt_orphans, children_of, next_dead_child, read_stat, reap_child};
use mainstay_model::Signal;
use mainstay_wire::{Scope, SlotPhase, ToKeeper, WireExit};

use crate::{
    Test,
    world::{PATIENCE, World, is_alive, wait_until},
};

pub(crate) const TESTS: &[Test] = &[
    ("a_daemon_that_dies_is_replaced_and_told_everything", a_daemon_dies),
    ("services_outlive_the_keeper_and_their_ends_are_known", a_keeper_dies),
    ("output_written_while_there_is_no_keeper_is_kept", output_without_a_keeper),
    ("a_run_that_never_began_is_told_so", a_run_that_never_began),
    ("a_slot_whose_process_is_still_being_made_waits_alone", a_locked_slot),
    ("a_slot_of_a_later_version_is_left_alone", a_later_slot),
    ("a_run_of_another_boot_is_over", another_boot),
    ("a_keeper_whose_anchor_dies_becomes_one", an_anchor_dies),
    ("the_keeper_goes_on_without_an_anchor", alone_for_a_while),
    ("a_new_anchor_takes_over_after_both_died", both_die),
    ("what_is_left_of_a_run_that_ended_after_both_died_is_killed", both_die_and_a_run_leaves_something),
    ("an_end_after_both_died_is_known_though_the_next_keeper_dies_too", both_die_and_then_a_keeper),
];

fn phase_of<'a>(slots: &'a [mainstay_wire::SlotState], name: &str) -> &'a SlotPhase {
    &slots.iter().find(|slot| slot.slot == name).unwrap().phase
}

fn a_daemon_dies() {
    let world = World::new();
    let (mut daemon, _) = world.daemon();
    daemon.say(&world.spawn("api", 1, &["sleep", "600"]));
    daemon.say(&world.spawn("job", 1, &["sh", "-c", "exit 3"]));
    let pid = daemon.started("api");
    daemon.exited("job");
    daemon.kill();
    let (mut daemon, slots) = world.daemon();
    assert_eq!(phase_of(&slots, "api"), &SlotPhase::Running { pid });
    assert_eq!(phase_of(&slots, "job"), &SlotPhase::Exited { exit: WireExit::Code(3) });
    assert_eq!(slots.iter().map(|slot| slot.memo.as_str()).collect::<Vec<_>>(), ["memo 1", "memo 1"]);
    daemon.acknowledge("job", 1);
    daemon.sync(&world);
    let first = daemon.pid;
    daemon.kill();
    let (daemon, slots) = world.daemon();
    assert_ne!(daemon.pid, first);
    assert_eq!(phase_of(&slots, "job"), &SlotPhase::Over);
    assert!(is_alive(pid));
}

fn a_keeper_dies() {
    let world = World::new();
    let (mut daemon, _) = world.daemon();
    daemon.say(&world.spawn("api", 1, &["sh", "-c", "echo up; exec sleep 600"]));
    daemon.say(&world.spawn("job", 1, &["sh", "-c", "while [ ! -e go ]; do sleep 0.02; done; exit 7"]));
    daemon.say(&world.spawn(
        "sig",
        1,
        &["sh", "-c", "while [ ! -e go ]; do sleep 0.02; done; kill -USR1 $$"],
    ));
    let (api, job) = (daemon.started("api"), daemon.started("job"));
    daemon.started("sig");
    let first = world.stop_keeper();
    fs::write(world.path("go"), "").unwrap();
    wait_until("the job ended unseen", || read_stat(job).is_none_or(|row| row.is_zombie()));
    first.signal(Signal::KILL);
    let (mut daemon, slots) = world.daemon();
    assert_eq!(phase_of(&slots, "api"), &SlotPhase::Running { pid: api });
    for (name, exit) in [("job", WireExit::Code(7)), ("sig", WireExit::Signal(10))] {
        match phase_of(&slots, name) {
            SlotPhase::Exited { exit: told } => assert_eq!(*told, exit),
            SlotPhase::Running { .. } => assert_eq!(daemon.exited(name), (1, exit)),
            other => panic!("{other:?}"),
        }
    }
    daemon.signal("api", 1, Signal::TERM, Scope::Group);
    assert_eq!(daemon.exited("api"), (1, WireExit::Signal(15)));
    assert_eq!(world.log("api"), "up\n");
    daemon.say(&world.spawn("api", 2, &["true"]));
    assert_eq!(daemon.exited("api"), (2, WireExit::Code(0)));
}

fn output_without_a_keeper() {
    let world = World::new();
    let (mut daemon, _) = world.daemon();
    daemon.say(&world.spawn(
        "job",
        1,
        &["sh", "-c", "while [ ! -e go ]; do sleep 0.01; done; echo last words; exit 1"],
    ));
    let pid = daemon.started("job");
    let keeper = world.stop_keeper();
    fs::write(world.path("go"), "").unwrap();
    wait_until("it ended", || read_stat(pid).is_none_or(|row| row.is_zombie()));
    assert_eq!(world.log("job"), "");
    keeper.signal(Signal::KILL);
    let (mut daemon, slots) = world.daemon();
    if matches!(phase_of(&slots, "job"), SlotPhase::Running { .. }) {
        daemon.exited("job");
    }
    assert_eq!(world.log("job"), "last words\n");
}

/// Changes the record of a slot as if a keeper had written it and died.
fn rewrite(world: &World, slot: &str, change: impl FnOnce(&mut mainstay_wire::SlotRecord)) {
    use std::os::unix::fs::FileExt;
    let path = world.run_dir().join("slots").join(slot);
    let (mut record, sequence) = mainstay_wire::SlotRecord::decode(&fs::read(&path).unwrap()).unwrap();
    change(&mut record);
    let write = record.encode(sequence + 1).unwrap();
    fs::OpenOptions::new().write(true).open(path).unwrap().write_all_at(&write.bytes, write.offset).unwrap();
}

fn made() -> mainstay_wire::RecordPhase {
    mainstay_wire::RecordPhase::Made { program: "x".to_owned(), dir: "/".to_owned(), path: None, user: None }
}

fn a_run_that_never_began() {
    let world = World::new();
    let (mut daemon, _) = world.daemon();
    daemon.say(&world.spawn("api", 1, &["true"]));
    daemon.exited("api");
    // The intent of run 2, and then nothing.
    rewrite(&world, "api", |record| (record.run, record.phase) = (2, made()));
    world.kill_keeper();
    let (_daemon, slots) = world.daemon();
    assert_eq!(slots[0].run, 2);
    let SlotPhase::NotStarted { failure } = phase_of(&slots, "api") else { panic!("{slots:?}") };
    assert_eq!(failure.code, "interrupted");
    assert_eq!(failure.text, "the keeper was killed before the program ran");
}

fn a_locked_slot() {
    let world = World::new();
    let (mut daemon, _) = world.daemon();
    daemon.say(&world.spawn("api", 1, &["sleep", "600"]));
    daemon.say(&world.spawn("web", 1, &["sleep", "600"]));
    let (api, web) = (daemon.started("api"), daemon.started("web"));
    let lock = fs::File::open(world.run_dir().join("slots/api")).unwrap();
    lock.lock().unwrap();
    world.kill_keeper();
    let (mut daemon, slots) = world.daemon();
    assert_eq!(phase_of(&slots, "api"), &SlotPhase::Spawning);
    assert_eq!(phase_of(&slots, "web"), &SlotPhase::Running { pid: web });
    lock.unlock().unwrap();
    drop(lock);
    assert_eq!(daemon.started("api"), api);
}

/// Makes the areas of a slot's record those of this version.
fn number_slot(world: &World, slot: &str, version: u8) {
    use std::os::unix::fs::FileExt;
    let path = world.run_dir().join("slots").join(slot);
    let file = fs::OpenOptions::new().read(true).write(true).open(path).unwrap();
    for at in [4096, 4096 + 64 * 1024] {
        let mut mark = [0; 4];
        if file.read_exact_at(&mut mark, at).is_ok() && mark[3] != 0 {
            file.write_all_at(&[version], at).unwrap();
        }
    }
}

fn a_later_slot() {
    let world = World::new();
    let (mut daemon, _) = world.daemon();
    daemon.say(&world.spawn("api", 1, &["sleep", "600"]));
    let pid = daemon.started("api");
    daemon.sync(&world);
    number_slot(&world, "api", 2);
    world.kill_keeper();
    let text =
        "slots/api`: it is of version 2 of the slots, this program knows 1; use the Mainstay that wrote it";
    wait_until("it is said", || world.anchor_log().contains(text));
    let trouble = world.run_dir().join(mainstay_wire::TROUBLE_FILE);
    wait_until("clients are told", || fs::read_to_string(&trouble).is_ok_and(|said| said.contains(text)));
    assert!(is_alive(pid) && world.run_dir().join("slots/api").exists());
    // Whoever wrote it takes it on.
    number_slot(&world, "api", 1);
    drop(daemon);
    let (_daemon, slots) = world.daemon();
    assert_eq!(phase_of(&slots, "api"), &SlotPhase::Running { pid });
}

fn another_boot() {
    let world = World::new();
    let (mut daemon, _) = world.daemon();
    daemon.say(&world.spawn("api", 1, &["true"]));
    daemon.exited("api");
    rewrite(&world, "api", |record| {
        record.phase = made();
        record.boot_id = "another".to_owned();
    });
    world.kill_keeper();
    let (_daemon, slots) = world.daemon();
    assert_eq!(phase_of(&slots, "api"), &SlotPhase::Exited { exit: WireExit::Unknown });
}

const ENDS_WITH_6: [&str; 3] =
    ["sh", "-c", "echo up; while [ ! -e go ]; do sleep 0.02; done; echo end; exit 6"];

fn an_anchor_dies() {
    let mut world = World::new();
    let (mut daemon, _) = world.daemon();
    daemon.say(&world.spawn("old", 1, &ENDS_WITH_6));
    let old = daemon.started("old");
    world.kill_keeper();
    let (mut daemon, _) = world.daemon();
    // One that this keeper made, and one that an earlier keeper made and that is the anchor's child.
    daemon.say(&world.spawn(
        "new",
        1,
        &["sh", "-c", "( setsid sleep 600 & echo pid $! ); echo up; sleep 600"],
    ));
    let new = daemon.started("new");
    wait_until("it is up", || world.log("new").ends_with("up\n"));
    let keeper = world.kill_whoever_is_anchor();
    let (mut daemon, slots) = world.daemon();
    assert_eq!(phase_of(&slots, "old"), &SlotPhase::Running { pid: old });
    assert_eq!(phase_of(&slots, "new"), &SlotPhase::Running { pid: new });
    daemon.say(&world.spawn("late", 1, &["sh", "-c", "echo late"]));
    assert_eq!(daemon.exited("late"), (1, WireExit::Code(0)));
    assert_eq!(world.log("late"), "late\n");
    fs::write(world.path("go"), "").unwrap();
    // Whether the kernel kept it is the kernel's affair.
    let (_, exit) = daemon.exited("old");
    assert!(matches!(exit, WireExit::Code(6) | WireExit::Unknown), "{exit:?}");
    assert_eq!(world.log("old"), "up\nend\n");
    assert!(!is_alive(old));
    daemon.signal("new", 1, Signal::KILL, Scope::Group);
    assert_eq!(daemon.exited("new"), (1, WireExit::Signal(9)));
    // What it left behind had fallen to whoever is above the anchor that died.
    let left: u32 =
        world.log("new").lines().find_map(|line| line.strip_prefix("pid ")?.parse().ok()).unwrap();
    assert!(!is_alive(left));
    let anchor = world.holder("anchor.lock").unwrap();
    anchor.signal(Signal::TERM);
    daemon.terminate();
    daemon.say(&ToKeeper::Finish);
    drop(daemon);
    assert!(keeper.wait_gone(PATIENCE) && anchor.wait_gone(PATIENCE));
    assert_eq!(fs::read_dir(world.run_dir()).unwrap().count(), 0);
}

/// For as long as a process is being made that would be cut short.
fn alone_for_a_while() {
    let mut world = World::new();
    let (mut daemon, _) = world.daemon();
    let keeper = world.keeper();
    daemon.say(&world.spawn("old", 1, &ENDS_WITH_6));
    daemon.started("old");
    let path = world.run_dir().join("slots/hangs");
    let lock = fs::File::create(&path).unwrap();
    lock.lock().unwrap();
    daemon.say(&world.spawn("hangs", 1, &["true"]));
    daemon.sync(&world);
    world.kill_anchor();
    daemon.hears_that_the_anchor_is_gone();
    daemon.say(&world.spawn("late", 1, &["sh", "-c", "echo late"]));
    assert_eq!(daemon.exited("late"), (1, WireExit::Code(0)));
    assert_eq!(world.log("late"), "late\n");
    fs::write(world.path("go"), "").unwrap();
    assert_eq!(daemon.exited("old"), (1, WireExit::Code(6)));
    assert_eq!(world.log("old"), "up\nend\n");
    assert_eq!(world.keeper().pid, keeper.pid);
    daemon.kill();
    let (mut daemon, _) = world.daemon();
    // Whoever is about to end takes nobody's place.
    keeper.signal(Signal::TERM);
    daemon.terminate();
    daemon.say(&ToKeeper::Finish);
    daemon.sync(&world);
    drop(lock);
    drop(daemon);
    assert!(keeper.wait_gone(PATIENCE));
    assert_eq!(fs::read_dir(world.run_dir()).unwrap().count(), 0);
}

fn both_die() {
    let mut world = World::new();
    let (mut daemon, _) = world.daemon();
    daemon.say(&world.spawn(
        "api",
        1,
        &["sh", "-c", "echo one; while [ ! -e go ]; do sleep 0.02; done; echo two; exit 4"],
    ));
    let pid = daemon.started("api");
    wait_until("it is up", || world.log("api") == "one\n");
    let keeper = world.stop_keeper();
    world.kill_anchor();
    keeper.signal(Signal::KILL);
    assert!(keeper.wait_gone(PATIENCE));
    drop(daemon);
    world.start();
    let (mut daemon, slots) = world.daemon();
    assert_eq!(phase_of(&slots, "api"), &SlotPhase::Running { pid });
    fs::write(world.path("go"), "").unwrap();
    let (_, exit) = daemon.exited("api");
    assert!(matches!(exit, WireExit::Code(4) | WireExit::Unknown), "{exit:?}");
    assert_eq!(world.log("api"), "one\ntwo\n");
}

/// As the first process of a machine does; until nothing but this is left of what fell to us.
fn reap_all_but(left: u32) {
    wait_until("all others are gone", || {
        while let Some(child) = next_dead_child() {
            reap_child(child.pid);
        }
        children_of(std::process::id()) == [left]
    });
}

/// What a run left behind that ended meanwhile fell to whoever is above.
fn both_die_and_a_run_leaves_something() {
    adopt_orphans().unwrap();
    let mut world = World::new();
    let (mut daemon, _) = world.daemon();
    let script = "setsid sleep 600 & echo pid $!; while [ ! -e go ]; do sleep 0.02; done";
    daemon.say(&world.spawn("api", 1, &["sh", "-c", script]));
    let pid = daemon.started("api");
    let left = || world.log("api").lines().find_map(|line| line.strip_prefix("pid ")?.parse::<u32>().ok());
    wait_until("it has left something", || left().is_some());
    let left = left().unwrap();
    let main = Process::open(pid, read_stat(pid).unwrap().start_time).unwrap();
    let keeper = world.stop_keeper();
    world.kill_anchor();
    keeper.signal(Signal::KILL);
    assert!(keeper.wait_gone(PATIENCE));
    drop(daemon);
    fs::write(world.path("go"), "").unwrap();
    assert!(main.wait_gone(PATIENCE));
    reap_all_but(left);
    world.start();
    let (mut daemon, slots) = world.daemon();
    if matches!(phase_of(&slots, "api"), SlotPhase::Running { .. }) {
        daemon.exited("api");
    }
    assert!(!is_alive(left), "its end was told before it was gone");
}

/// A service that has become nobody's child whom Mainstay would hear from: what the kernel keeps for whoever has a descriptor is
/// known, also when that was a keeper which is dead by then.
fn both_die_and_then_a_keeper() {
    adopt_orphans().unwrap();
    let mut world = World::new();
    let (mut daemon, _) = world.daemon();
    daemon.say(&world.spawn("api", 1, &["sh", "-c", "while [ ! -e go ]; do sleep 0.02; done; exit 4"]));
    let pid = daemon.started("api");
    let witness = Process::open(pid, read_stat(pid).unwrap().start_time).unwrap();
    let keeper = world.stop_keeper();
    world.kill_anchor();
    keeper.signal(Signal::KILL);
    assert!(keeper.wait_gone(PATIENCE));
    drop(daemon);
    reap_all_but(pid);
    world.start();
    let (daemon, slots) = world.daemon();
    assert_eq!(phase_of(&slots, "api"), &SlotPhase::Running { pid });
    let keeper = world.keeper();
    keeper.signal(Signal::STOP);
    fs::write(world.path("go"), "").unwrap();
    assert!(witness.wait_gone(PATIENCE));
    reap_child(pid);
    keeper.signal(Signal::KILL);
    drop(daemon);
    let (mut daemon, slots) = world.daemon();
    let told = match phase_of(&slots, "api") {
        SlotPhase::Exited { exit } => *exit,
        _ => daemon.exited("api").1,
    };
    // A kernel before 6.15 keeps nothing.
    let kept = match witness.kept_exit() {
        KeptExit::Known(exit) => exit.into(),
        KeptExit::NotYet | KeptExit::Lost => WireExit::Unknown,
    };
    assert_eq!(told, kept);
}
