//! Log files: rotated at line ends, kept by count and total, and what happens when they take nothing.

use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use mainstay_wire::{LogCounts, LogFile, LogMarkKind, LogStream, ToKeeper, WireExit, WireWhenFull};

use crate::{
    Test,
    storms::{assert_whole, assert_whole_in},
    world::{Daemon, World, wait_until},
};

pub(crate) const TESTS: &[Test] = &[
    ("logs_are_rotated_at_line_ends_and_nothing_is_lost", rotation),
    ("old_logs_go_by_count_and_by_total", retention),
    ("a_log_that_takes_nothing_holds_up_nobody_else", a_blocked_log),
    ("what_a_full_log_left_in_a_pipe_is_written_by_the_next_keeper", a_left_pipe),
    ("what_a_full_log_left_in_a_pipe_survives_a_start_that_fails", a_left_pipe_and_a_failed_start),
    ("a_log_folder_that_vanished_is_made_again", a_vanished_folder),
    ("a_flood_is_written_whole", a_flood),
    ("a_line_without_end_is_cut", a_line_without_end),
    ("an_index_says_when_and_in_which_run", an_index),
    ("a_log_moved_away_or_removed_goes_on_in_a_new_one", moved_and_removed),
    ("a_log_truncated_from_outside_goes_on_at_its_new_end", truncated),
    ("rotated_logs_are_compressed_but_for_the_newest", compression),
    ("output_that_may_be_dropped_is_dropped_and_counted", dropping),
    ("the_oldest_logs_of_all_services_go_first", a_budget),
    ("streams_that_are_kept_apart_have_a_log_each", apart),
    ("a_run_keeps_the_pipes_with_which_it_was_made", relogged_while_it_runs),
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
    daemon.say(&ToKeeper::Relog { slot: "web".to_owned(), log: world.log_file("web", 4000, 100, 12_500) });
    daemon.say(&world.lines("web", 2, 3000, 0, 0, world.log_file("web", 4000, 100, 12_500)));
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

/// A run that has ended, whose second line is in the pipe because the log took nothing.
fn with_a_line_in_the_pipe(world: &World, daemon: &mut Daemon) {
    fs::write(world.logs_dir().join("api"), "in the way").unwrap();
    let script = "echo one; while [ ! -e go ]; do sleep 0.01; done; echo two; exit 5";
    daemon.say(&world.spawn("api", 1, &["sh", "-c", script]));
    wait_until("it is said", || world.anchor_log().contains("cannot write to the log of `api`"));
    tell(world, "go");
    assert_eq!(daemon.exited("api"), (1, WireExit::Code(5)));
}

fn a_left_pipe() {
    let world = World::new();
    let (mut daemon, _) = world.daemon();
    with_a_line_in_the_pipe(&world, &mut daemon);
    world.kill_keeper();
    let (_daemon, _) = world.daemon();
    fs::remove_file(world.logs_dir().join("api")).unwrap();
    wait_until("it is written", || world.log("api") == "one\ntwo\n");
}

fn a_left_pipe_and_a_failed_start() {
    let world = World::new();
    let (mut daemon, _) = world.daemon();
    with_a_line_in_the_pipe(&world, &mut daemon);
    daemon.say(&world.spawn("api", 2, &["/no/such/program"]));
    daemon.not_started("api");
    fs::remove_file(world.logs_dir().join("api")).unwrap();
    wait_until("it is written", || world.log("api") == "one\ntwo\n");
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

fn an_index() {
    let world = World::new();
    let (mut daemon, _) = world.daemon();
    let begun = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let script = "echo one; sleep 0.1; echo two; sleep 0.1; echo three";
    daemon.say(&world.spawn("api", 7, &["sh", "-c", script]));
    daemon.exited("api");
    daemon.acknowledge("api", 7);
    daemon.say(&world.spawn("api", 8, &["true"]));
    daemon.exited("api");
    let marks = world.marks(&world.logs_dir().join("api/current"));
    let found: Vec<_> = marks.iter().map(|mark| (mark.offset, mark.run, mark.kind)).collect();
    use LogMarkKind::{End, Output, Start};
    // What came soon after the start may need no mark of its own.
    let found: Vec<_> = found.into_iter().filter(|mark| *mark != (0, 7, Output)).collect();
    let wanted = [(0, 7, Start), (4, 7, Output), (8, 7, Output), (14, 7, End), (14, 8, Start), (14, 8, End)];
    assert_eq!(found, wanted);
    let times: Vec<Duration> = marks.iter().map(|mark| Duration::from_nanos(mark.time_ns)).collect();
    assert!(times.is_sorted() && times[0] >= begun, "{times:?} after {begun:?}");
    let spans = marks.iter().filter(|mark| mark.kind == Output && mark.offset > 0).map(|mark| mark.time_ns);
    let spans: Vec<u64> = spans.collect();
    assert!(spans[1] - spans[0] >= 90_000_000, "{spans:?}");
}

/// A service that writes a line each time that a file of that name comes.
fn writes_when_told(world: &World, words: &[&str]) -> ToKeeper {
    let steps: Vec<String> =
        words.iter().map(|word| format!("while [ ! -e {word} ]; do sleep 0.01; done; echo {word}")).collect();
    world.spawn("api", 1, &["sh", "-c", &steps.join("; ")])
}

fn tell(world: &World, word: &str) {
    fs::write(world.path(word), "").unwrap();
}

fn moved_and_removed() {
    let world = World::new();
    let (mut daemon, _) = world.daemon();
    daemon.say(&writes_when_told(&world, &["one", "two", "three", "four"]));
    let current = world.logs_dir().join("api/current");
    tell(&world, "one");
    wait_until("it wrote", || world.log("api") == "one\n");
    fs::rename(&current, world.path("taken")).unwrap();
    tell(&world, "two");
    wait_until("it wrote", || world.log("api") == "two\n");
    // The marks of the file that was taken away are none of the new one's.
    let offsets = || world.marks(&current).iter().map(|mark| mark.offset).collect::<Vec<_>>();
    assert_eq!(offsets(), [0]);
    fs::remove_file(&current).unwrap();
    tell(&world, "three");
    wait_until("it wrote", || world.log("api") == "three\n");
    fs::write(world.path("other"), "put there\n").unwrap();
    fs::rename(world.path("other"), &current).unwrap();
    tell(&world, "four");
    daemon.exited("api");
    assert_eq!(world.log("api"), "put there\nfour\n");
    assert_eq!(offsets(), [10, 15]);
    assert_eq!(fs::read_to_string(world.path("taken")).unwrap(), "one\n");
}

fn truncated() {
    let world = World::new();
    let (mut daemon, _) = world.daemon();
    daemon.say(&writes_when_told(&world, &["one", "two", "three"]));
    let current = world.logs_dir().join("api/current");
    tell(&world, "one");
    wait_until("it wrote", || world.log("api") == "one\n");
    tell(&world, "two");
    wait_until("it wrote", || world.log("api") == "one\ntwo\n");
    fs::File::options().write(true).open(&current).unwrap().set_len(0).unwrap();
    tell(&world, "three");
    daemon.exited("api");
    assert_eq!(world.log("api"), "three\n");
    let marks = world.marks(&current);
    assert_eq!(marks.iter().map(|mark| mark.offset).collect::<Vec<_>>(), [0, 6]);
}

fn compression() {
    let world = World::new();
    let (mut daemon, _) = world.daemon();
    let log = LogFile { compress: true, ..world.log_file("api", 10_000, 1000, 100_000_000) };
    daemon.say(&world.lines("api", 1, 3000, 0, 0, log));
    assert_eq!(daemon.exited("api"), (1, WireExit::Code(0)));
    let newest = world.rotated("api").pop().unwrap();
    wait_until("all but the newest are compressed", || {
        world.rotated("api").iter().all(|file| *file == newest || !file.exists())
    });
    assert!(newest.exists() && world.rotated("api").len() > 5);
    assert_whole(&world, "api", 1, 3000);
    for file in world.rotated("api") {
        assert!(!world.marks(&file).is_empty(), "{} has no index", file.display());
    }
    let names = fs::read_dir(world.logs_dir().join("api")).unwrap().flatten();
    assert!(names.into_iter().all(|entry| !entry.file_name().to_str().unwrap().starts_with('.')));
}

fn dropping() {
    let world = World::new();
    let (mut daemon, _) = world.daemon();
    // A file where the folder should be.
    fs::write(world.logs_dir().join("api"), "in the way").unwrap();
    let log = LogFile { when_full: WireWhenFull::Drop, ..world.log_file("api", 1_000_000, 9, 10_000_000) };
    // More than any pipe holds: it would wait for ever.
    let script = "head -c 3000000 /dev/zero | tr '\\0' 'y' | fold -w 99; touch done; \
                  while [ ! -e go ]; do echo dropped or not; sleep 0.1; done; echo the last";
    daemon.say(&world.spawn_with("api", 1, &["sh", "-c", script], log));
    wait_until("it did not wait", || world.path("done").exists());
    let mut api = LogCounts::default();
    wait_until("what was in the pipe is dropped as well", || {
        daemon.say(&ToKeeper::LogCounts);
        api = daemon.all_counts().remove("api").unwrap();
        api.dropped_bytes >= 3_000_000
    });
    assert_eq!(api.written_bytes, 0);
    let trouble = api.trouble.as_ref().unwrap();
    assert!(trouble.since_ms > 0 && trouble.text.contains("directory"), "{trouble:?}");
    fs::remove_file(world.logs_dir().join("api")).unwrap();
    wait_until("it is written again", || world.log("api").contains("dropped or not\n"));
    tell(&world, "go");
    assert_eq!(daemon.exited("api"), (1, WireExit::Code(0)));
    let text = world.log("api");
    assert!(text.ends_with("the last\n") && text.lines().all(|line| line != "not"), "{text}");
    daemon.say(&ToKeeper::LogCounts);
    let counts = daemon.all_counts();
    assert_eq!((counts["api"].written_bytes, &counts["api"].trouble), (text.len() as u64, &None));
}

fn a_budget() {
    let world = World::new();
    let (mut daemon, _) = world.daemon();
    let log =
        |slot: &str| LogFile { all_services: Some(60_000), ..world.log_file(slot, 5000, 1000, 100_000_000) };
    daemon.say(&world.lines("old", 1, 1000, 0, 0, log("old")));
    daemon.exited("old");
    daemon.say(&world.lines("new", 1, 3000, 0, 0, log("new")));
    daemon.exited("new");
    let bytes = |slot: &str| -> u64 {
        let entries = fs::read_dir(world.logs_dir().join(slot)).unwrap().flatten();
        entries.map(|entry| entry.metadata().unwrap().len()).sum()
    };
    let all = bytes("old") + bytes("new") + bytes("@daemon");
    assert!((40_000..=66_000).contains(&all), "{all}");
    // What is left of the older one is its newest.
    assert_eq!(world.rotated("old").len(), 1);
    assert!(world.log("old").ends_with(&format!("old/1 1000 {}\n", "x".repeat(1000 % 60))));
    assert!(world.log("new").ends_with(&format!("new/1 3000 {}\n", "x".repeat(3000 % 60))));
}

fn apart() {
    let world = World::new();
    let (mut daemon, _) = world.daemon();
    let log = LogFile { split: true, ..world.log_file("api", 10_000, 3, 100_000_000) };
    daemon.say(&world.lines("api", 1, 3000, 0, 7, log.clone()));
    assert_eq!(daemon.exited("api"), (1, WireExit::Code(7)));
    // The bounds hold for each.
    for folder in ["api", "api+stderr"] {
        assert_eq!(world.rotated(folder).len(), 3, "{folder}");
        let end = format!("api/1 3000 {}\n", "x".repeat(3000 % 60));
        assert!(world.log(folder).ends_with(&end), "{folder}");
        let mode = fs::metadata(world.logs_dir().join(folder)).unwrap().mode();
        assert_eq!(mode & 0o777, 0o700, "{folder}");
    }
    let streams = |folder: &str| {
        let marks = world.marks(&world.logs_dir().join(folder).join("current"));
        marks.into_iter().map(|mark| mark.stream).collect::<std::collections::BTreeSet<_>>()
    };
    assert_eq!(streams("api"), [Some(LogStream::Out)].into());
    assert_eq!(streams("api+stderr"), [Some(LogStream::Err)].into());
    daemon.acknowledge("api", 1);
    daemon.say(&ToKeeper::LogCounts);
    let counts = daemon.all_counts();
    assert_eq!(counts["api"].written_bytes, counts["api+stderr"].written_bytes);
    // What there is of it goes with the slot.
    let fifo = world.run_dir().join("fifo/api+stderr");
    assert!(fifo.exists());
    daemon.say(&ToKeeper::Forget { slot: "api".to_owned() });
    daemon.sync(&world);
    assert!(!fifo.exists());
}

fn relogged_while_it_runs() {
    let world = World::new();
    let (mut daemon, _) = world.daemon();
    let log = |split| LogFile { split, ..world.log_file("api", 1_000_000, 9, 10_000_000) };
    let script = "echo out; echo err >&2; while [ ! -e go ]; do sleep 0.02; done; echo out; echo err >&2";
    daemon.say(&world.spawn_with("api", 1, &["sh", "-c", script], log(true)));
    daemon.started("api");
    daemon.say(&ToKeeper::Relog { slot: "api".to_owned(), log: log(false) });
    daemon.sync(&world);
    assert!(world.record("api").0.log.split);
    world.kill_keeper();
    let (mut daemon, _) = world.daemon();
    fs::write(world.path("go"), "").unwrap();
    assert_eq!(daemon.exited("api"), (1, WireExit::Code(0)));
    assert_eq!((world.log("api").as_str(), world.log("api+stderr").as_str()), ("out\nout\n", "err\nerr\n"));
    daemon.acknowledge("api", 1);
    // The next one is made as it is wanted now.
    daemon.say(&world.spawn_with("api", 2, &["sh", "-c", "echo both; echo both >&2"], log(false)));
    assert_eq!(daemon.exited("api"), (2, WireExit::Code(0)));
    assert_eq!(world.log("api"), "out\nout\nboth\nboth\n");
    assert_eq!(world.log("api+stderr"), "err\nerr\n");
    assert_whole_in(&world, "api+stderr", "api", 2, 0);
}
