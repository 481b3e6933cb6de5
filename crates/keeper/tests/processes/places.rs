//! The locks beside the state, services that run by hand, and a run-time folder that was taken away.

use std::fs;

use mainstay_host::{Asked, Lock};
use mainstay_keeper::{ANCHOR_LOCK, KEEPER_LOCK, by_hand_lock};
use mainstay_model::Signal;
use mainstay_wire::{SlotPhase, ToKeeper, WireExit};

use crate::{
    Test,
    world::{PATIENCE, World, is_alive, wait_until},
};

pub(crate) const TESTS: &[Test] = &[
    ("one_that_runs_by_hand_is_not_started", by_hand),
    ("no_second_anchor_for_the_same_state", the_same_state),
    ("a_run_time_folder_that_was_removed_is_made_again", removed),
    ("a_run_time_folder_that_was_removed_is_made_again_when_the_anchor_dies", removed_without_an_anchor),
    ("a_keeper_whose_state_folder_was_moved_stays_alone", moved_without_an_anchor),
    ("a_state_folder_that_was_moved_does_not_keep_a_keeper_from_its_work", moved),
];

fn by_hand() {
    let world = World::new();
    let (mut daemon, _) = world.daemon();
    let path = by_hand_lock(&world.state_dir(), "api");
    fs::create_dir(path.parent().unwrap()).unwrap();
    let Asked::Held(lock) = Lock::ask(&path).unwrap() else { panic!("nobody has it") };
    daemon.say(&world.spawn("api", 1, &["sleep", "600"]));
    let (code, text) = daemon.not_started("api");
    let expected = format!("it runs by hand (pid {})", std::process::id());
    assert_eq!((code.as_str(), text.as_str()), ("cannot-start", expected.as_str()));
    daemon.say(&world.spawn("web", 1, &["sleep", "600"]));
    daemon.started("web");
    // A file that nobody holds says nothing.
    drop(lock);
    daemon.say(&world.spawn("api", 2, &["sleep", "600"]));
    assert!(is_alive(daemon.started("api")));
}

/// Of another run-time folder, as with another `XDG_RUNTIME_DIR`.
fn the_same_state() {
    let mut world = World::new();
    let (mut daemon, _) = world.daemon();
    daemon.say(&world.spawn("api", 1, &["sleep", "600"]));
    let pid = daemon.started("api");
    let (first, keeper) = (world.anchor.as_ref().unwrap().pid(), world.keeper());
    let state = world.state_dir();
    for (lock, pid) in [(ANCHOR_LOCK, first), (KEEPER_LOCK, keeper.pid)] {
        let holder = Lock::holder(&state.join(lock)).unwrap().unwrap();
        assert_eq!(holder.process.map(|process| process.pid), Some(pid));
        assert_eq!(holder.path, Some(state.join(lock)));
    }
    let refused = |world: &World, expected: &str| {
        let mut second = world.another_anchor_in(&world.path("other"));
        assert_eq!(second.answer(PATIENCE).unwrap(), expected);
        wait_until("it ended", || second.try_wait().unwrap().is_some());
    };
    let shown = state.display();
    refused(&world, &format!("error another anchor (pid {first}) already runs for `{shown}`"));
    // It is alone for as long as it stands still.
    let keeper = world.stop_keeper();
    world.kill_anchor();
    let keeper = format!("a keeper (pid {}) whose anchor is gone", keeper.pid);
    refused(&world, &format!("error {keeper} works in `{shown}`; `mainstay down` ends it"));
    assert!(is_alive(pid));
}

fn removed() {
    let world = World::new();
    let (mut daemon, _) = world.daemon();
    daemon.say(&ToKeeper::Up);
    daemon.say(&world.spawn_telling("api", 1, &["sleep", "600"], true, None));
    let api = daemon.started("api");
    world.tell("api", "READY=1");
    daemon.notified("api");
    fs::remove_dir_all(world.run_dir()).unwrap();
    daemon.say(&world.spawn("web", 1, &["sleep", "600"]));
    let web = daemon.started("web");
    world.tell("api", "STATUS=still here");
    daemon.notified("api");
    let (record, child) = world.record("api");
    assert_eq!((record.run, child.run, child.pid), (1, 1, api));
    // Whoever comes next knows both.
    let keeper = Lock::holder(&world.state_dir().join(KEEPER_LOCK)).unwrap().unwrap().process.unwrap();
    keeper.signal(Signal::KILL);
    assert!(keeper.wait_gone(PATIENCE));
    let (_daemon, slots) = world.daemon();
    assert_eq!(slots.len(), 2);
    assert!(is_alive(api) && is_alive(web));
}

fn moved() {
    let world = World::new();
    let (mut daemon, _) = world.daemon();
    daemon.say(&ToKeeper::Up);
    daemon.say(&world.spawn("api", 1, &["sleep", "600"]));
    let pid = daemon.started("api");
    let (old, new) = (world.state_dir(), world.path("new"));
    fs::rename(&old, &new).unwrap();
    assert!(Lock::holder(&new.join(ANCHOR_LOCK)).unwrap().is_some());
    assert!(Lock::holder(&new.join(KEEPER_LOCK)).unwrap().is_some());
    world.kill_keeper();
    wait_until("a keeper says why it has no lock there", || world.anchor_log().contains("cannot lock"));
    fs::rename(&new, &old).unwrap();
    let (_daemon, slots) = world.daemon();
    assert_eq!(slots.len(), 1);
    assert!(is_alive(pid));
}

/// The next keeper has nothing but what is there, and what it is handed.
fn removed_without_an_anchor() {
    let mut world = World::new();
    let (mut daemon, _) = world.daemon();
    daemon.say(&ToKeeper::Up);
    let script = "n=0; while [ ! -e go ]; do n=$((n+1)); echo $n; sleep 0.01; done; exit 5";
    daemon.say(&world.spawn("api", 1, &["sh", "-c", script]));
    let api = daemon.started("api");
    wait_until("it writes", || world.log("api").lines().count() > 5);
    fs::remove_dir_all(world.run_dir()).unwrap();
    world.kill_anchor();
    let (mut daemon, slots) = world.daemon();
    assert_eq!((slots.len(), &slots[0].phase), (1, &SlotPhase::Running { pid: api }));
    let count = world.log("api").lines().count();
    wait_until("it writes on", || world.log("api").lines().count() > count);
    fs::write(world.path("go"), "").unwrap();
    assert_eq!(daemon.exited("api"), (1, WireExit::Code(5)));
    let numbers: Vec<String> =
        (1..=world.log("api").lines().count()).map(|number| number.to_string()).collect();
    assert_eq!(world.log("api").lines().collect::<Vec<_>>(), numbers);
}

/// Who would come next would not find it.
fn moved_without_an_anchor() {
    let mut world = World::new();
    let (mut daemon, _) = world.daemon();
    daemon.say(&world.spawn("api", 1, &["sleep", "600"]));
    let pid = daemon.started("api");
    let keeper = world.keeper();
    let (old, new) = (world.state_dir(), world.path("new"));
    fs::rename(&old, &new).unwrap();
    world.kill_anchor();
    let text = format!(
        "the keeper cannot become an anchor: `{}` is elsewhere by now",
        old.join(KEEPER_LOCK).display()
    );
    wait_until("it says why", || world.anchor_log().contains(&text));
    daemon.hears_that_the_anchor_is_gone();
    daemon.sync(&world);
    assert_eq!(world.keeper().pid, keeper.pid);
    assert!(is_alive(pid));
    fs::rename(&new, &old).unwrap();
}
