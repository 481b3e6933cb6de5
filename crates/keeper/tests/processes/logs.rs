//! Log files: rotated at line ends, kept by count and total, and what happens when they take nothing.

use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt},
};

use mainstay_wire::{ToKeeper, WireExit};

use crate::{
    Test,
    storms::assert_whole,
    world::{World, wait_until},
};

pub(crate) const TESTS: &[Test] = &[
    ("logs_are_rotated_at_line_ends_and_nothing_is_lost", rotation),
    ("old_logs_go_by_count_and_by_total", retention),
    ("a_log_that_takes_nothing_holds_up_nobody_else", a_blocked_log),
    ("a_log_folder_that_vanished_is_made_again", a_vanished_folder),
    ("a_flood_is_written_whole", a_flood),
    ("a_line_without_end_is_cut", a_line_without_end),
];

fn rotation() {
    let world = World::new();
    let (mut daemon, _) = world.daemon();
    daemon.say(&world.lines("api", 1, 5000, 0, 0, world.log_file("api", 10_000, 1000, 100_000_000)));
    assert_eq!(daemon.exited("api"), (1, WireExit::Code(0)));
    assert_whole(&world, "api", 1, 5000);
    let files = world.rotated("api");
    assert!(files.len() > 10, "{files:?}");
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        assert!(text.ends_with('\n') && text.len() <= 10_000, "{} bytes", text.len());
        assert_eq!(fs::metadata(file).unwrap().mode() & 0o777, 0o600);
    }
    assert_eq!(fs::metadata(world.logs_dir().join("api")).unwrap().mode() & 0o777, 0o700);
    // A number is never used twice, also not by the next run.
    let newest = world.rotated("api").pop().unwrap();
    daemon.say(&world.lines("api", 2, 1000, 0, 0, world.log_file("api", 10_000, 1000, 100_000_000)));
    daemon.exited("api");
    assert!(newest.exists());
}

fn retention() {
    let world = World::new();
    let (mut daemon, _) = world.daemon();
    daemon.say(&world.lines("api", 1, 3000, 0, 0, world.log_file("api", 5000, 3, 100_000_000)));
    daemon.exited("api");
    assert_eq!(world.rotated("api").len(), 3);
    assert!(world.log("api").ends_with(&format!("api/1 3000 {}\n", "x".repeat(3000 % 60))));
    let log = world.log_file("web", 5000, 100, 20_000);
    daemon.say(&world.lines("web", 1, 10, 0, 0, log.clone()));
    daemon.exited("web");
    daemon.say(&ToKeeper::Relog { slot: "web".to_owned(), log: world.log_file("web", 4000, 100, 12_000) });
    daemon.say(&world.lines("web", 2, 3000, 0, 0, world.log_file("web", 4000, 100, 12_000)));
    daemon.exited("web");
    let sizes: u64 = world.rotated("web").iter().map(|file| fs::metadata(file).unwrap().len()).sum();
    assert!((4000..=8000).contains(&sizes), "{sizes}");
}

fn a_blocked_log() {
    let world = World::new();
    let (mut daemon, _) = world.daemon();
    // A file where the folder should be.
    fs::write(world.logs_dir().join("api"), "in the way").unwrap();
    daemon.say(&world.lines("api", 1, 300, 0, 5, world.log_file("api", 10_000, 1000, 1_000_000)));
    daemon.say(&world.lines("web", 1, 300, 0, 0, world.log_file("web", 10_000, 1000, 1_000_000)));
    assert_eq!(daemon.exited("web"), (1, WireExit::Code(0)));
    assert_whole(&world, "web", 1, 300);
    assert_eq!(daemon.exited("api"), (1, WireExit::Code(5)));
    wait_until("it is said", || world.anchor_log().contains("cannot write to the log of `api`"));
    fs::remove_file(world.logs_dir().join("api")).unwrap();
    wait_until("it is written", || world.log("api").lines().count() == 300);
    assert_whole(&world, "api", 1, 300);
}

fn a_vanished_folder() {
    let world = World::new();
    let (mut daemon, _) = world.daemon();
    let script = "echo one; while [ ! -e go ]; do sleep 0.02; done; echo two";
    daemon.say(&world.spawn("api", 1, &["sh", "-c", script]));
    wait_until("it wrote", || world.log("api") == "one\n");
    fs::remove_dir_all(world.logs_dir().join("api")).unwrap();
    fs::write(world.path("go"), "").unwrap();
    daemon.exited("api");
    assert_eq!(world.log("api"), "two\n");
    let mode = fs::metadata(world.logs_dir().join("api")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
}

fn a_flood() {
    let world = World::new();
    let (mut daemon, _) = world.daemon();
    let script = "head -c 30000000 /dev/zero | tr '\\0' 'y' | fold -w 99";
    let log = world.log_file("api", 2_000_000, 1000, 1_000_000_000);
    daemon.say(&world.spawn_with("api", 1, &["sh", "-c", script], log));
    assert_eq!(daemon.exited("api"), (1, WireExit::Code(0)));
    let text = world.log("api");
    assert_eq!(text.bytes().filter(|byte| *byte == b'y').count(), 30_000_000);
    assert!(text.lines().all(|line| line.len() == 99 || line.len() == 30_000_000 % 99));
}

fn a_line_without_end() {
    let world = World::new();
    let (mut daemon, _) = world.daemon();
    let script = "head -c 3000000 /dev/zero | tr '\\0' 'y'";
    let log = world.log_file("api", 100_000, 1000, 1_000_000_000);
    daemon.say(&world.spawn_with("api", 1, &["sh", "-c", script], log));
    assert_eq!(daemon.exited("api"), (1, WireExit::Code(0)));
    assert_eq!(world.log("api").len(), 3_000_000);
    for file in world.rotated("api") {
        assert_eq!(fs::metadata(file).unwrap().len(), 100_000 + 1024 * 1024);
    }
}
