//! Runs: begun, not begun, signalled, ended.

use std::time::Instant;

use mainstay_host::read_stat;
use mainstay_model::Signal;
use mainstay_wire::{
    FRAME_LIMIT, FromKeeper, Identity, SLOT_RECORD_LIMIT, SLOTS_IN_FRAME, Scope, SlotPhase, ToKeeper,
    WireExit,
};

use crate::{
    Test,
    world::{World, wait_until},
};

pub(crate) const TESTS: &[Test] = &[
    ("a_run_begins_and_ends_and_its_output_is_there_by_then", a_run_begins_and_ends),
    ("a_failed_start_is_told_in_words_until_acknowledged", a_failed_start_is_told),
    ("a_signal_reaches_the_group_even_one_that_comes_too_early", a_signal_reaches_the_group),
    ("everything_can_be_signalled", everything_can_be_signalled),
    ("a_service_of_another_user_can_open_its_output_anew", another_user_can_open_its_output),
    ("a_hundred_runs_begin_at_once", a_hundred_runs),
    ("what_makes_no_sense_is_refused", what_makes_no_sense),
    ("a_forgotten_slot_leaves_nothing", a_forgotten_slot),
    ("more_slots_than_a_frame_holds_are_told_in_parts", many_slots),
    ("a_start_that_hangs_holds_up_its_own_slot_only", a_start_that_hangs),
];

fn a_run_begins_and_ends() {
    let world = World::new();
    let (mut daemon, slots) = world.daemon();
    assert_eq!(slots, []);
    daemon.say(&world.spawn("api", 1, &["sh", "-c", "echo hello; echo trouble >&2; exit 3"]));
    let pid = daemon.started("api");
    assert_eq!(daemon.exited("api"), (1, WireExit::Code(3)));
    assert_eq!(world.log("api"), "hello\ntrouble\n");
    wait_until("it is reaped", || read_stat(pid).is_none());
    daemon.acknowledge("api", 1);
    daemon.say(&world.spawn("api", 2, &["sh", "-c", "printf 'no line end'; kill -9 $$"]));
    assert_eq!(daemon.exited("api"), (2, WireExit::Signal(9)));
    assert_eq!(world.log("api"), "hello\ntrouble\nno line end");
    let (record, child) = world.record("api");
    assert_eq!((record.run, child.run, record.acknowledged), (2, 2, false));
    assert_eq!(record.memo, "memo 2");
}

fn a_failed_start_is_told() {
    let world = World::new();
    let (mut daemon, _) = world.daemon();
    daemon.say(&world.spawn("api", 1, &["./api"]));
    let dir = world.path("").canonicalize().unwrap();
    let text = format!(
        "`./api` does not exist (looked in `{}`)",
        world.path("").to_str().unwrap().trim_end_matches('/')
    );
    assert!(dir.is_dir());
    assert_eq!(daemon.not_started("api"), ("no-such-program".to_owned(), text.clone()));
    daemon.kill();
    let (mut daemon, slots) = world.daemon();
    assert_eq!(slots.len(), 1);
    assert!(matches!(&slots[0].phase, SlotPhase::NotStarted { failure } if failure.text == text));
    world.kill_keeper();
    drop(daemon);
    let (new, slots) = world.daemon();
    daemon = new;
    assert!(matches!(&slots[0].phase, SlotPhase::NotStarted { failure } if failure.text == text));
    daemon.acknowledge("api", 1);
    daemon.sync(&world);
    daemon.kill();
    let (_daemon, slots) = world.daemon();
    assert_eq!((&slots[0].phase, slots[0].memo.as_str()), (&SlotPhase::Over, "acknowledged"));
}

fn a_signal_reaches_the_group() {
    let world = World::new();
    let (mut daemon, _) = world.daemon();
    daemon.say(&world.spawn("api", 1, &["sleep", "600"]));
    daemon.signal("api", 1, Signal::TERM, Scope::Group);
    assert_eq!(daemon.exited("api"), (1, WireExit::Signal(15)));
    daemon.say(&world.spawn(
        "web",
        1,
        &["sh", "-c", "trap 'wait; exit 4' INT; sleep 600 & echo ready; wait"],
    ));
    daemon.started("web");
    wait_until("it is ready", || world.log("web").contains("ready"));
    daemon.signal("web", 7, Signal::KILL, Scope::Group);
    daemon.signal("web", 1, Signal::INT, Scope::Group);
    // A shell lets the jobs in its background ignore SIGINT.
    daemon.signal("web", 1, Signal::TERM, Scope::Group);
    let (_, exit) = daemon.exited("web");
    assert!(matches!(exit, WireExit::Code(4) | WireExit::Signal(15)), "{exit:?}");
}

fn everything_can_be_signalled() {
    let world = World::new();
    let (mut daemon, _) = world.daemon();
    let script = "trap : TERM; setsid sh -c 'trap \"echo told; exit\" TERM; echo up; while :; do sleep 0.05; done' & wait; wait";
    daemon.say(&world.spawn("api", 1, &["sh", "-c", script]));
    daemon.started("api");
    wait_until("it is up", || world.log("api").contains("up"));
    daemon.signal("api", 1, Signal::TERM, Scope::Everything);
    wait_until("it was told", || world.log("api").contains("told"));
    assert_eq!(daemon.exited("api"), (1, WireExit::Code(0)));
}

fn another_user_can_open_its_output() {
    if mainstay_host::effective_uid() != 0 {
        assert!(std::env::var_os("CI").is_none(), "CI runs as root");
        println!("skipped: only root can become another user");
        return;
    }
    let world = World::new();
    let (mut daemon, _) = world.daemon();
    let mut spawn = world.spawn("api", 1, &["sh", "-c", "id -u > /dev/stdout; id -G > /dev/stderr"]);
    if let ToKeeper::Spawn { program, .. } = &mut spawn {
        program.identity = Some(Identity { uid: 1234, gid: 2345, groups: vec![2345] });
        program.dir = "/".to_owned();
    }
    daemon.say(&spawn);
    assert_eq!(daemon.exited("api"), (1, WireExit::Code(0)));
    assert_eq!(world.log("api"), "1234\n2345\n");
}

fn a_hundred_runs() {
    let world = World::new();
    let (mut daemon, _) = world.daemon();
    let begun = Instant::now();
    for number in 0..100 {
        daemon.say(&world.spawn(&format!("s{number}"), 1, &["sh", "-c", "echo one"]));
    }
    for number in 0..100 {
        assert_eq!(daemon.exited(&format!("s{number}")), (1, WireExit::Code(0)));
    }
    println!("100 runs of a shell, begun and ended, with logs: {:?}", begun.elapsed());
    for number in 0..100 {
        assert_eq!(world.log(&format!("s{number}")), "one\n");
    }
}

fn many_slots() {
    const SLOTS: usize = 2 * SLOTS_IN_FRAME + 50;
    const { assert!(SLOTS_IN_FRAME * SLOT_RECORD_LIMIT <= FRAME_LIMIT) };
    let world = World::new();
    let (mut daemon, _) = world.daemon();
    for number in 0..SLOTS {
        daemon.say(&ToKeeper::Remember { slot: format!("s{number}"), run: 0, memo: format!("m{number}") });
    }
    daemon.say(&world.spawn("last", 1, &["sleep", "600"]));
    daemon.started("last");
    drop(daemon);
    let (_daemon, slots) = world.daemon();
    assert_eq!(slots.len(), SLOTS + 1);
    let is_whole = |number: usize| {
        let found = slots.iter().find(|slot| slot.slot == format!("s{number}"));
        found.is_some_and(|slot| slot.memo == format!("m{number}"))
    };
    assert!((0..SLOTS).all(is_whole));
}

fn what_makes_no_sense() {
    let world = World::new();
    let (mut daemon, _) = world.daemon();
    for name in ["", "../x", "a/b", "@daemon", ".x"] {
        daemon.say(&world.spawn(name, 1, &["true"]));
        assert_eq!(daemon.not_started(name).0, "cannot-start");
    }
    daemon.say(&world.spawn("api", 5, &["sleep", "600"]));
    daemon.started("api");
    daemon.say(&world.spawn("api", 6, &["sleep", "600"]));
    assert_eq!(daemon.not_started("api").1, "`api` has a run that is not over");
    daemon.signal("api", 5, Signal::KILL, Scope::Group);
    daemon.exited("api");
    daemon.say(&world.spawn("api", 5, &["sleep", "600"]));
    assert_eq!(daemon.not_started("api").1, "run 5 of `api` is not after run 5");
    daemon.say(&ToKeeper::Forget { slot: "none".to_owned() });
    daemon.signal("none", 1, Signal::KILL, Scope::Everything);
    daemon.sync(&world);
}

fn a_forgotten_slot() {
    let world = World::new();
    let (mut daemon, _) = world.daemon();
    daemon.say(&world.spawn("api", 1, &["true"]));
    daemon.exited("api");
    assert!(world.run_dir().join("slots/api").exists() && world.run_dir().join("fifo/api").exists());
    daemon.say(&ToKeeper::Forget { slot: "api".to_owned() });
    daemon.sync(&world);
    assert!(!world.run_dir().join("slots/api").exists() && !world.run_dir().join("fifo/api").exists());
    daemon.say(&world.spawn("api", 1, &["true"]));
    assert_eq!(daemon.exited("api"), (1, WireExit::Code(0)));
}

fn a_start_that_hangs() {
    let world = World::new();
    let (mut daemon, _) = world.daemon();
    let mut locks = Vec::new();
    for number in 0..6 {
        let name = format!("hangs{number}");
        let lock = std::fs::File::create(world.run_dir().join("slots").join(&name)).unwrap();
        lock.lock().unwrap();
        locks.push(lock);
        daemon.say(&world.spawn(&name, 1, &["true"]));
    }
    daemon.say(&world.spawn("api", 1, &["true"]));
    assert_eq!(daemon.exited("api"), (1, WireExit::Code(0)));
    drop(locks);
    for number in 0..6 {
        assert_eq!(daemon.exited(&format!("hangs{number}")), (1, WireExit::Code(0)));
    }
    assert!(!matches!(daemon.poll(), crate::world::Polled::Event(FromKeeper::NotStarted { .. })));
}
