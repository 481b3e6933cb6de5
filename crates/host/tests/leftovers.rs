//! Real processes: what a run left behind is found, and neighbours are not.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

use std::{
    fs::File,
    io::Read,
    os::fd::AsFd,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use mainstay_host::{
    Leader, Limits, Output, Process, ProcessTable, RunTrace, SpawnRequest, adopt_orphans, children_of,
    next_dead_child, read_stat, reap_child, spawn,
};
use mainstay_model::Signal;

/// One that stays in the session, one in a session of its own below it, one that is an orphan with a session of its own,
/// and one of the same kind without the mark.
const SCRIPT: &str = "
sleep 71 & echo stays $!
setsid sh -c 'echo below $$; exec sleep 72' &
( setsid sh -c 'echo orphan $$; exec sleep 73' & )
( env -u MAINSTAY_RUN_ID setsid sh -c 'echo unmarked $$; exec sleep 74' & )
wait";

fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(10);
    while !holds() {
        assert!(Instant::now() < end, "in vain: {what}");
        std::thread::yield_now();
    }
}

#[test]
fn a_run_is_found_with_all_that_it_left_and_nothing_else() {
    adopt_orphans().unwrap();
    let own = std::process::id();
    let mut neighbour = Command::new("sleep").arg("75").stdin(Stdio::null()).spawn().unwrap();
    let (mut reader, writer) = std::io::pipe().unwrap();
    let mark = format!("MAINSTAY_RUN_ID=test-{own}");
    let words: Vec<String> = ["sh", "-c", SCRIPT].map(str::to_owned).into();
    let env = vec!["PATH=/usr/bin:/bin".to_owned(), mark.clone()];
    let leader = spawn(&SpawnRequest {
        words: &words,
        env: &env,
        dir: "/",
        identity: None,
        output: Output::Both(writer.as_fd()),
        pass: &[],
        record: None,
        limits: &Limits::unchanged(),
    })
    .unwrap();
    drop(writer);
    let pids = read_pids(&mut reader);
    let pid = |name: &str| pids.iter().find(|(found, _)| found == name).unwrap().1;
    wait_until("orphans fall to this process", || {
        ["orphan", "unmarked"].iter().all(|name| read_stat(pid(name)).unwrap().parent == own)
    });
    let run = trace_of(&leader, mark);
    let found = |leader| -> Vec<u32> {
        ProcessTable::read(&[own]).leftovers(&run, leader).iter().map(|row| row.pid).collect()
    };
    let expect = |names: &[&str]| {
        let mut expected: Vec<u32> = names.iter().map(|name| pid(name)).collect();
        expected.sort_unstable();
        expected
    };
    wait_until("programs are executed", || {
        let mut all = found(Leader::Included);
        all.retain(|pid| *pid != leader.pid);
        all.sort_unstable();
        all == expect(&["stays", "below", "orphan"])
    });
    leader.signal(Signal::KILL);
    wait_until("the leader is a zombie", || leader.peek().unwrap().is_some());
    let mut left = found(Leader::Excluded);
    left.sort_unstable();
    // The one below lost its parent with the leader, and is found by its mark now.
    assert_eq!(left, expect(&["stays", "below", "orphan"]));
    for pid in left.iter().chain([&pid("unmarked")]) {
        Process::open(*pid, read_stat(*pid).unwrap().start_time).unwrap().signal(Signal::KILL);
    }
    leader.reap();
    assert!(neighbour.try_wait().unwrap().is_none(), "the neighbour lives");
    neighbour.kill().unwrap();
    neighbour.wait().unwrap();
    for name in ["stays", "below", "orphan", "unmarked"] {
        wait_until("all are reaped", || {
            while let Some(child) = next_dead_child() {
                reap_child(child.pid);
            }
            read_stat(pid(name)).is_none()
        });
    }
    assert_eq!(found(Leader::Included), [] as [u32; 0]);
}

fn trace_of(leader: &Process, mark: String) -> RunTrace {
    RunTrace { leader: leader.pid, leader_start: leader.start_time, marks: vec![mark], ..RunTrace::default() }
}

fn read_pids(reader: &mut impl Read) -> Vec<(String, u32)> {
    let mut text = String::new();
    let mut byte = [0];
    while text.lines().count() < 4 || !text.ends_with('\n') {
        assert_eq!(reader.read(&mut byte).unwrap(), 1);
        text.push(char::from(byte[0]));
    }
    text.lines()
        .map(|line| {
            let (name, pid) = line.split_once(' ').unwrap();
            (name.to_owned(), pid.parse().unwrap())
        })
        .collect()
}

#[test]
fn children_of_all_threads_are_found() {
    let own = std::process::id();
    let (to, from) = std::sync::mpsc::channel();
    let (done, wait) = std::sync::mpsc::channel::<()>();
    let thread = std::thread::spawn(move || {
        let mut child = Command::new("sleep").arg("76").stdin(Stdio::null()).spawn().unwrap();
        to.send(child.id()).unwrap();
        let _ = wait.recv();
        child.kill().unwrap();
        child.wait().unwrap();
    });
    let child = from.recv().unwrap();
    assert!(children_of(own).contains(&child));
    let table = ProcessTable::read_children(&[1], &[own]);
    assert!(table.row(child).is_some() && table.row(1).is_some());
    drop(done);
    thread.join().unwrap();
    assert!(!children_of(own).contains(&child));
}

#[test]
fn a_process_with_another_start_time_is_another_process() {
    let own = std::process::id();
    let start = read_stat(own).unwrap().start_time;
    assert!(Process::open(own, start).is_some());
    assert!(Process::open(own, start + 1).is_none());
    assert!(File::open("/proc/self/stat").is_ok());
}
