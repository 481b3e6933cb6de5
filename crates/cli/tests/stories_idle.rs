//! A hundred services at rest: nothing polls, and what watches them is small.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "what a story needs and does not get has failed it"
)]

mod story;

use std::{fs, time::Duration};

use story::Project;

/// Voluntary context switches of all threads of a process.
fn switches(pid: u32) -> u64 {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).unwrap().flatten();
    tasks
        .map(|task| {
            let status = fs::read_to_string(task.path().join("status")).unwrap_or_default();
            let line = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
            line.and_then(|text| text.trim().parse::<u64>().ok()).unwrap_or(0)
        })
        .sum()
}

fn resident_kib(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

#[test]
fn a_hundred_services_at_rest_wake_nobody() {
    let project = Project::new(
        "[service.idle]\ncommand = [\"sh\", \"-c\", \"echo up; exec sleep 1000\"]\ninstances = 100\n",
    );
    project.up().expect(0);
    for number in 1..=100 {
        project.wait_for_text(&format!(".mainstay/logs/idle@{number}/current"), "up");
    }
    let three = project.three();
    let pids = [three.anchor, three.keeper, three.daemon].map(Option::unwrap);
    // What the start still has to finish is over when two readings a second apart agree.
    let read = || pids.map(switches);
    let mut before = read();
    story::wait_until("it is at rest", || {
        std::thread::sleep(Duration::from_secs(1));
        let now = read();
        std::mem::replace(&mut before, now) == now
    });
    std::thread::sleep(Duration::from_secs(10));
    assert_eq!(read(), before, "anchor, keeper, daemon");
    let [anchor, keeper, daemon] = pids.map(resident_kib);
    println!("resident: anchor {anchor} KiB, keeper {keeper} KiB, daemon {daemon} KiB");
    // The promise is for the program as it is shipped; a development build is three times as large, and here only bounded.
    // `cargo xtask test` runs this story with a release build as well.
    let most = if cfg!(debug_assertions) { 10 * 1024 } else { 4 * 1024 };
    assert!(anchor + keeper < most, "anchor {anchor} + keeper {keeper} KiB");
}
